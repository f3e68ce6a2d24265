//! What all accounts share: one HTTP client, one source of base credentials, one clock; and the settings.
//!
//! Knows how an SDK client is configured (Region, credentials, endpoint, retries, timeouts). It does not know
//! which roles are assumed or which calls are made. Tests and the demo build a [`Connection`] of their own with
//! [`Connection::new`]; [`connect`] takes the surroundings as every AWS tool does, through aws-config.

use super::caller::Callers;
use super::fleet::AwsFleet;
use aws_config::identity::IdentityCache;
use aws_config::retry::RetryConfig;
use aws_config::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region as SdkRegion, SdkConfig};
use aws_credential_types::credential_fn::provide_credentials_fn;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_eventbridge as eventbridge;
use aws_sdk_eventbridge::config::retry::RetryPartition;
use aws_sdk_sts as sts;
use aws_smithy_async::rt::sleep::TokioSleep;
use aws_smithy_async::time::{SharedTimeSource, SystemTimeSource};
use aws_smithy_http_client::Builder as HttpClientBuilder;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_types::service_config::ServiceConfigKey;
use std::time::{Duration, SystemTime};

/// How the operator signs in to each account, and how long it waits. The external id is not printed anywhere.
#[derive(Clone)]
pub struct AwsSettings {
    /// The operator role's name in every account, with its path if it has one: `ops/wheelwright`.
    pub role_name: String,
    /// The external id that the roles' trust policies ask for, 2 to 1,224 characters
    /// (<https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html>).
    pub external_id: Option<String>,
    /// The session's name in CloudTrail, 2 to 64 characters of `[\w+=,.@-]`.
    pub session_name: String,
    /// The Region whose STS is asked; if none, the surroundings' Region, and if they have none the scope's own.
    pub sts_region: Option<String>,
    /// Where STS and EventBridge are, instead of AWS's endpoints: `http://127.0.0.1:4566`. It wins over
    /// `AWS_ENDPOINT_URL` and its service-specific forms. With an `http://` endpoint, sources of base credentials
    /// that need HTTPS (SSO) do not work.
    pub endpoint_url: Option<String>,
    /// How long one call may take, its retries and their waits included.
    pub call_timeout: Duration,
    /// How often the SDK tries a call in all: 1 is no retries.
    pub attempts_max: u32,
    /// Whether the SDK's waits between attempts are random, as they should be where many callers share a quota.
    /// Reproducible runs turn it off.
    pub retry_jitter: bool,
}

impl AwsSettings {
    /// The usual settings for the role of this name.
    pub fn new(role_name: &str) -> Self {
        Self {
            role_name: role_name.into(),
            external_id: None,
            session_name: "wheelwright".into(),
            sts_region: None,
            endpoint_url: None,
            call_timeout: CALL_TIMEOUT_DEFAULT,
            attempts_max: ATTEMPTS_MAX_DEFAULT,
            retry_jitter: true,
        }
    }
}

/// A fleet over the surroundings' credentials, Region and endpoint, as every AWS tool finds them.
///
/// It sends nothing yet: a machine without credentials gets them refused on the first call, as
/// [`crate::call::ErrorClass::Credentials`].
pub async fn connect(settings: AwsSettings) -> AwsFleet {
    let mut loader = aws_config::defaults(behavior()).http_client(shared_http_client(&settings));
    if let Some(region) = &settings.sts_region {
        // Also spares a machine outside EC2 the wait for the instance's Region.
        loader = loader.region(SdkRegion::new(region.clone()));
    }
    AwsFleet::new(settings, Connection { base: loader.load().await })
}

/// What all accounts' clients share. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Connection {
    base: SdkConfig,
}

impl Connection {
    /// A connection over these alone: nothing is taken from the environment or from files.
    ///
    /// `base_credentials` are those that assume the roles; `time_source` signs and decides what is expired, so under
    /// a paused tokio clock it must follow that clock.
    pub fn new(
        http_client: SharedHttpClient,
        base_credentials: SharedCredentialsProvider,
        time_source: SharedTimeSource,
    ) -> Self {
        let base = SdkConfig::builder()
            .behavior_version(behavior())
            .http_client(http_client)
            .credentials_provider(base_credentials)
            .time_source(time_source)
            .sleep_impl(TokioSleep::new())
            .build();
        Self { base }
    }

    /// The time of day by the shared time source.
    pub(super) fn now(&self) -> SystemTime {
        self.base.time_source().unwrap_or_else(|| SharedTimeSource::new(SystemTimeSource::new())).now()
    }

    /// The shared HTTP client, time source and way of waiting.
    pub(super) fn shared(&self) -> &SdkConfig {
        &self.base
    }

    /// Where a service is, if the settings or the surroundings (`AWS_ENDPOINT_URL`, the profile) say so: as the service's own
    /// SDK would find it, whose name for the service is `service_id`.
    pub(super) fn endpoint_url(&self, settings: &AwsSettings, service_id: &str) -> Option<String> {
        let of_service = || {
            let key =
                ServiceConfigKey::builder().service_id(service_id).env("AWS_ENDPOINT_URL").profile("endpoint_url");
            self.base.service_config()?.load_config(key.build().ok()?)
        };
        let of_all = || self.base.endpoint_url().map(str::to_owned);
        settings.endpoint_url.clone().or_else(of_service).or_else(of_all)
    }

    /// The Region of the surroundings, if they name one.
    pub(super) fn region(&self) -> Option<&str> {
        self.base.region().map(AsRef::as_ref)
    }

    /// An STS client in `region`; with the base credentials unless others are given.
    pub(super) fn sts_client(
        &self,
        settings: &AwsSettings,
        region: &str,
        credentials: Option<SharedCredentialsProvider>,
    ) -> sts::Client {
        let config = self.sdk_config(settings, region, credentials);
        let mut builder = sts::config::Builder::from(&config);
        builder.set_retry_partition(Some(RetryPartition::new(format!("wheelwright/sts/{region}"))));
        if let Some(url) = &settings.endpoint_url {
            builder = builder.endpoint_url(url);
        }
        sts::Client::from_conf(builder.build())
    }

    /// An EventBridge client in `region`, for calls that bring their [`Caller`](super::caller::Caller) with them.
    pub(super) fn eventbridge_client(&self, settings: &AwsSettings, region: &str) -> eventbridge::Client {
        let nobody = provide_credentials_fn(async || Err(CredentialsError::not_loaded("a call brings its own")));
        let config = self.sdk_config(settings, region, Some(SharedCredentialsProvider::new(nobody)));
        let mut builder = eventbridge::config::Builder::from(&config).identity_cache(Callers);
        if let Some(url) = &settings.endpoint_url {
            builder = builder.endpoint_url(url);
        }
        eventbridge::Client::from_conf(builder.build())
    }

    fn sdk_config(
        &self,
        settings: &AwsSettings,
        region: &str,
        credentials: Option<SharedCredentialsProvider>,
    ) -> SdkConfig {
        let mut builder = self
            .base
            .to_builder()
            .region(SdkRegion::new(region.to_owned()))
            .retry_config(retry_config(settings))
            .timeout_config(timeout_config(settings))
            // Answers are one small JSON document each; the attempt's timeout bounds a stalled one.
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled());
        if let Some(credentials) = credentials {
            // A session's credentials stand still; a shared cache would keep an entry for each session for ever.
            builder = builder.credentials_provider(credentials).identity_cache(IdentityCache::no_cache());
        }
        builder.build()
    }
}

/// How often a call is tried, and how long is waited in between.
pub(super) fn retry_config(settings: &AwsSettings) -> RetryConfig {
    RetryConfig::standard()
        .with_max_attempts(settings.attempts_max.max(1))
        .with_use_static_exponential_base(!settings.retry_jitter)
}

/// How long a connection, an attempt and a call may take.
pub(super) fn timeout_config(settings: &AwsSettings) -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(CONNECT_TIMEOUT.min(settings.call_timeout))
        .operation_attempt_timeout(settings.call_timeout / settings.attempts_max.max(1))
        .operation_timeout(settings.call_timeout)
        .build()
}

/// How long one call may take unless the settings say otherwise: three attempts of about seven seconds.
pub const CALL_TIMEOUT_DEFAULT: Duration = Duration::from_secs(20);

/// How long making a TCP and TLS connection may take.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// Attempts at one call: the SDK's own standard, written down so that an SDK update does not change it.
const ATTEMPTS_MAX_DEFAULT: u32 = 3;

/// The SDK's defaults as of a day, so that an SDK update does not change them.
pub(super) fn behavior() -> BehaviorVersion {
    BehaviorVersion::v2026_01_12()
}

/// The one HTTP client, for `https://` and `http://` endpoints alike. One for each account would cost each its own
/// connections and TLS sessions.
///
/// With a plain `http://` endpoint in the settings it trusts no certificates: nothing there needs any, and a bare
/// machine may have none, which the client takes for a mistake.
fn shared_http_client(settings: &AwsSettings) -> SharedHttpClient {
    let builder = HttpClientBuilder::new().tls_provider(Provider::Rustls(CryptoMode::Ring));
    let plain = settings.endpoint_url.as_ref().is_some_and(|url| url.starts_with("http://"));
    let nothing_trusted = TlsContext::builder().with_trust_store(TrustStore::empty()).build();
    match nothing_trusted {
        Ok(context) if plain => builder.tls_context(context).build_https(),
        _ => builder.build_https(),
    }
}
