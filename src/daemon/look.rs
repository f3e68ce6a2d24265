//! Looking at the topology's source, and going by what is there.

use super::config::{self, Config, Look, Read};
use super::turn::Daemon;
use crate::model::ids::Moment;
use crate::port::{Clock, Fleet};
use std::sync::Arc;

/// Milliseconds between two looks at the source at the start.
const LOOK_AGAIN_MS: u64 = 1_000;
/// Looks at the start; then what comes to rest later is taken over later.
const LOOKS_AT_START_MAX: u32 = 30;
/// Milliseconds between two looks while there is no topology that says how many.
const LOOK_EVERY_MS: u64 = 5_000;

/// What a look at the source saw: the same text for the same.
fn name_of(look: &Look) -> String {
    let read = match &look.read {
        Read::InUse(revision) => &revision.id,
        Read::Good(config) => &config.revision.id,
        Read::Refused { revision: Some(revision), .. } => &revision.id,
        Read::Refused { revision: None, why } => why,
    };
    format!("{read} {}", look.refused.as_deref().unwrap_or_default())
}

impl<F: Fleet + 'static, C: Clock + Clone + 'static> Daemon<F, C> {
    /// Reads the topology for the first time: what two looks saw alike, as files may be on their way. Returns how many accounts may be
    /// asked at once.
    pub(super) async fn read_source_at_start(&mut self) -> usize {
        let mut look = self.fetch().await;
        for _ in 0..LOOKS_AT_START_MAX {
            let seen = name_of(&look);
            if !look.is_whole {
                self.clock.wait_ms(LOOK_AGAIN_MS).await;
                look = self.fetch().await;
            }
            if name_of(&look) == seen {
                self.take_over(look).await;
                self.seen_revision = Some(seen);
                break;
            }
        }
        self.next_source = self.clock.now();
        let settings = self.config.as_ref().map(|config| config.settings.pace.accounts_in_flight_max);
        settings.unwrap_or(crate::config::Settings::default().pace.accounts_in_flight_max) as usize
    }

    /// Looks whether the topology changed. A change counts when two looks saw the same: files are not read while they are being written.
    pub(super) async fn look_at_source(&mut self, now: Moment) {
        let every_ms = self
            .config
            .as_ref()
            .map_or(LOOK_EVERY_MS, |config| u64::from(config.settings.sweep.source_every_secs) * 1_000);
        self.next_source = now.plus_ms(every_ms);
        let look = self.fetch().await;
        let seen = name_of(&look);
        let at_rest = self.seen_revision.replace(seen.clone()) == Some(seen) || look.is_whole;
        if at_rest && self.take_over(look).await {
            self.ask("topology", true, None, now);
        }
    }

    async fn fetch(&self) -> Look {
        let source = self.source.clone();
        let in_use = self.config.as_ref().map(|config| config.revision.clone());
        let look = tokio::task::spawn_blocking(move || config::read(&*source, in_use.as_ref())).await;
        look.unwrap_or_else(|error| Look::refused(format!("reading it failed: {error}")))
    }

    /// Goes by another topology, if it is good. Returns whether anything changed.
    async fn take_over(&mut self, look: Look) -> bool {
        let Look { read, refused, unreachable, .. } = look;
        if self.source_unreachable != unreachable {
            if let Some(why) = &unreachable {
                tracing::warn!(why, "whether there is a newer topology is not known");
            }
            self.source_unreachable = unreachable;
        }
        match read {
            Read::InUse(_) => self.refuse("", refused),
            Read::Good(config) => {
                let is_new = self.go_by(config).await;
                self.refuse("", refused) || is_new
            }
            Read::Refused { revision, why } => {
                let is_first = self.config.is_none();
                let revision = revision.map(|revision| revision.id).unwrap_or_default();
                let is_refused = self.refuse(&revision, Some(why));
                let source = self.source.clone();
                let last_good = tokio::task::spawn_blocking(move || config::read_last_good(&*source));
                match if is_first { last_good.await.ok().flatten() } else { None } {
                    Some(config) => self.go_by(config).await,
                    None => is_refused,
                }
            }
        }
    }

    /// Goes by `config`. Returns whether it is another one.
    async fn go_by(&mut self, config: Box<Config>) -> bool {
        if self.config.as_ref().is_some_and(|old| old.revision == config.revision) {
            return false;
        }
        let revision = config.revision.clone();
        tracing::info!(revision = revision.id, sequence = revision.sequence, "goes by this topology");
        self.memory.backoff.config_changed();
        self.config = Some(Arc::from(config));
        self.open_channels();
        let source = self.source.clone();
        if let Err(error) = tokio::task::spawn_blocking(move || source.used(&revision)).await {
            tracing::error!(%error, "which topology is in use could not be written down");
        }
        true
    }

    /// Remembers why the newest topology is not used. Returns whether that is another reason than before.
    fn refuse(&mut self, revision: &str, why: Option<String>) -> bool {
        if self.topology_refused == why {
            return false;
        }
        if let Some(why) = &why {
            tracing::error!(revision, why, "the topology cannot be used; the last good one stands");
        }
        self.topology_refused = why;
        true
    }

    /// Uses the alert channels that the settings say, if all of them can be opened.
    pub(super) fn open_channels(&mut self) {
        let Some(config) = &self.config else { return };
        let opened = self.alerts.open(&config.settings.alerts).map_err(|error| error.to_string());
        if let Err(why) = &opened {
            tracing::error!(why, "the alert channels were changed and cannot be opened; those of before go on");
        }
        self.channels_unready = opened.err();
    }
}
