//! The channels that people are told on: the log, webhooks, Slack, PagerDuty, SNS topics and event buses.
//!
//! An edge: it knows what a message is ([`Alert`]) and how to bring it somewhere, once. What is told, to whom and when is decided
//! before (`watch::alert`), and a message that could not be brought is tried again by whoever keeps it, at the times that
//! [`retry`] gives; so a channel that hangs is never in the way of a sweep.
//!
//! Secrets are read once, when the channels are opened. They are in no error, no log line and no `Debug` output: what a receiver
//! or the network says is cleaned of them, and cut short, before it is told.
//!
//! Guarantees of each HTTP request: a connection within [`CONNECT_TIMEOUT`], all of it within [`SEND_TIMEOUT`], at most
//! [`ANSWER_BYTES_MAX`] of the answer read, no redirect followed, plain `http://` to this machine alone (but for an AWS endpoint
//! that was given).

mod event_bus;
mod http;
mod log;
mod pagerduty;
pub mod retry;
pub mod secret;
mod slack;
mod sns;
mod switchboard;
mod text;
mod webhook;
mod wire;

pub use self::http::{ANSWER_BYTES_MAX, CONNECT_TIMEOUT, SEND_TIMEOUT};
pub use self::log::dropped;
pub use self::switchboard::Switchboard;
pub use self::webhook::REPLAY_WINDOW_SECS;

pub(crate) use self::http::Http;
use self::secret::{SecretError, SecretText, Url};
use crate::model::alert::Alert;
use crate::model::settings::{ChannelKind, ChannelSettings};
use aws_smithy_async::time::{SharedTimeSource, SystemTimeSource};
use aws_types::SdkConfig;
use std::collections::BTreeMap;
use std::fmt;

/// The daemon's own credentials, clock and endpoints.
#[derive(Clone, Debug)]
pub struct Surroundings {
    /// As every AWS tool finds them.
    pub config: SdkConfig,
    /// Where every AWS service is, instead of AWS's endpoints.
    pub endpoint_url: Option<String>,
}

/// The channels of `wheelwright.toml`, ready to send.
pub struct Channels {
    channels: BTreeMap<String, Channel>,
    shared: Shared,
}

/// What all channels use.
struct Shared {
    http: Http,
    surroundings: Surroundings,
    time: SharedTimeSource,
}

struct Channel {
    way: Way,
    /// What may not be told.
    secrets: Vec<String>,
}

enum Way {
    Log,
    Webhook { url: Url, key: Option<SecretText> },
    Slack { url: Url },
    Pagerduty { routing_key: SecretText, url: Url },
    Sns(sns::Topic),
    EventBus(event_bus::Bus),
}

impl Channels {
    /// Reads the secrets, and looks at every address. Nothing is sent.
    pub fn open(
        settings: &BTreeMap<String, ChannelSettings>,
        surroundings: Surroundings,
        environment: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, OpenError> {
        let (mut channels, mut troubles) = (BTreeMap::new(), BTreeMap::new());
        for (name, settings) in settings {
            match Channel::open(&settings.kind, &surroundings, environment) {
                Ok(channel) => drop(channels.insert(name.clone(), channel)),
                Err(trouble) => drop(troubles.insert(name.clone(), trouble)),
            }
        }
        if !troubles.is_empty() {
            return Err(OpenError { troubles });
        }
        let needs_tls = channels.values().any(|channel: &Channel| channel.way.needs_tls());
        let time = surroundings.config.time_source().unwrap_or_else(|| SharedTimeSource::new(SystemTimeSource::new()));
        Ok(Self { channels, shared: Shared { http: Http::new(needs_tls), surroundings, time } })
    }

    /// No channel at all.
    fn none(surroundings: Surroundings) -> Self {
        let time = SharedTimeSource::new(SystemTimeSource::new());
        Self { channels: BTreeMap::new(), shared: Shared { http: Http::new(false), surroundings, time } }
    }

    /// Brings `alert` to a channel: one attempt.
    ///
    /// Caveats: on [`SendError::Later`] it may have arrived all the same; [`Alert::id`] tells a receiver that it is a repeat.
    pub async fn send(&self, channel: &str, alert: &Alert) -> Result<(), SendError> {
        let named = channel.to_owned();
        let Some(Channel { way, secrets }) = self.channels.get(channel) else {
            let why = "there is no such channel in wheelwright.toml any more".to_owned();
            return Err(SendError::Never { channel: named, why });
        };
        let sent = match way {
            Way::Log => {
                log::tell(channel, alert);
                Ok(())
            }
            Way::Webhook { url, key } => webhook::send(&self.shared, url, key.as_ref(), alert).await,
            Way::Slack { url } => slack::send(&self.shared, url, alert).await,
            Way::Pagerduty { routing_key, url } => pagerduty::send(&self.shared, url, routing_key, alert).await,
            Way::Sns(topic) => sns::send(&self.shared, topic, alert).await,
            Way::EventBus(bus) => event_bus::send(bus, alert).await,
        };
        sent.map_err(|Trouble { why, is_final, after_ms }| {
            let why = secret::cleaned(&why, secrets);
            match is_final {
                true => SendError::Never { channel: named, why },
                false => SendError::Later { channel: named, why, after_ms },
            }
        })
    }
}

impl fmt::Debug for Channels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.channels.iter().map(|(name, channel)| (name, channel.way.name()))).finish()
    }
}

impl Channel {
    fn open(
        kind: &ChannelKind,
        surroundings: &Surroundings,
        environment: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, Unready> {
        let mut secrets = Vec::new();
        let way = match kind {
            ChannelKind::Log => Way::Log,
            ChannelKind::Webhook { url, key } => {
                let key = key.as_ref().map(|key| secret::read(key, environment)).transpose()?;
                if let Some(key) = &key {
                    webhook::check_key(key)?;
                    secrets.push(key.expose().to_owned());
                }
                Way::Webhook { url: secret::address(url, environment, &mut secrets)?, key }
            }
            ChannelKind::Slack { url } => {
                let url = crate::model::settings::Address::Secret(url.clone());
                Way::Slack { url: secret::address(&url, environment, &mut secrets)? }
            }
            ChannelKind::Pagerduty { routing_key, url } => {
                let routing_key = secret::read(routing_key, environment)?;
                secrets.push(routing_key.expose().to_owned());
                let url = match url {
                    Some(url) => secret::address(url, environment, &mut secrets)?,
                    None => Url::parse(pagerduty::ADDRESS).map_err(Unready::Address)?,
                };
                Way::Pagerduty { routing_key, url }
            }
            ChannelKind::Sns { topic_arn } => Way::Sns(sns::Topic::open(topic_arn, surroundings)?),
            ChannelKind::EventBridge { bus_arn } => Way::EventBus(event_bus::Bus::open(bus_arn, surroundings)?),
        };
        Ok(Self { way, secrets })
    }
}

impl Way {
    fn needs_tls(&self) -> bool {
        match self {
            Self::Webhook { url, .. } | Self::Slack { url } | Self::Pagerduty { url, .. } => url.is_https(),
            Self::Sns(topic) => topic.is_https(),
            Self::Log | Self::EventBus(_) => false,
        }
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Log => "log",
            Self::Webhook { .. } => "webhook",
            Self::Slack { .. } => "slack",
            Self::Pagerduty { .. } => "pagerduty",
            Self::Sns(_) => "sns",
            Self::EventBus(_) => "event-bridge",
        }
    }
}

/// Why a message was not brought.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// Another time it may be.
    #[error("alert channel {channel}: {why}")]
    Later {
        /// The channel's name.
        channel: String,
        /// What happened.
        why: String,
        /// How long the receiver asked to be left alone, in milliseconds.
        after_ms: Option<u64>,
    },
    /// It would be refused again.
    #[error("alert channel {channel}: {why}")]
    Never {
        /// The channel's name.
        channel: String,
        /// What happened.
        why: String,
    },
}

/// Channels that cannot be used as they are set: each with its reason.
#[derive(Debug)]
pub struct OpenError {
    troubles: BTreeMap<String, Unready>,
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, (name, trouble)) in self.troubles.iter().enumerate() {
            let end = if at == 0 { "" } else { "\n" };
            write!(f, "{end}[alert.{name}] of wheelwright.toml: {trouble}")?;
        }
        Ok(())
    }
}

impl std::error::Error for OpenError {}

/// Why one channel cannot be used.
#[derive(Debug, thiserror::Error)]
enum Unready {
    #[error(transparent)]
    Secret(#[from] SecretError),
    #[error("{0}")]
    Address(String),
    #[error("{0}")]
    Arn(String),
}

/// Why a message was not brought, before its channel is named and secrets are taken out.
#[derive(Debug)]
pub(crate) struct Trouble {
    pub(crate) why: String,
    is_final: bool,
    after_ms: Option<u64>,
}

impl Trouble {
    fn later(why: impl Into<String>) -> Self {
        Self { why: why.into(), is_final: false, after_ms: None }
    }

    fn never(why: impl Into<String>) -> Self {
        Self { why: why.into(), is_final: true, after_ms: None }
    }
}
