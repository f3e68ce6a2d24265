//! One POST to a receiver that may be slow, wrong or hostile; and what its answer means for another attempt.

use super::Trouble;
use aws_smithy_async::rt::sleep::TokioSleep;
use aws_smithy_http_client::Connector;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};
use aws_smithy_runtime_api::client::http::{HttpConnector as _, HttpConnectorSettings};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::ByteStream;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::time::{Instant, timeout_at};

/// How long making a TCP and TLS connection may take.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long all of a request may take, its answer included.
pub const SEND_TIMEOUT: Duration = Duration::from_secs(15);

/// How much of an answer is read.
pub const ANSWER_BYTES_MAX: usize = 64 * 1_024;

/// How long a receiver may ask to be left alone.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(3_600);

/// A client of its own: with the machine's certificates if any address is `https://`, and none otherwise, since a bare machine
/// may have none, which the client takes for a mistake.
#[derive(Debug)]
pub(crate) struct Http {
    connector: Connector,
    answer_bytes_max: usize,
}

/// What was answered.
#[derive(Debug)]
pub(crate) struct Answered {
    pub(crate) status: u16,
    retry_after: Option<String>,
    /// The beginning of it.
    pub(crate) body: Vec<u8>,
}

impl Http {
    pub(super) fn new(needs_tls: bool) -> Self {
        Self::reading(needs_tls, ANSWER_BYTES_MAX)
    }

    /// One that reads so many bytes of an answer.
    pub(crate) fn reading(needs_tls: bool, answer_bytes_max: usize) -> Self {
        let settings = HttpConnectorSettings::builder().connect_timeout(CONNECT_TIMEOUT).build();
        let builder = Connector::builder()
            .connector_settings(settings)
            .sleep_impl(TokioSleep::new())
            .tls_provider(Provider::Rustls(CryptoMode::Ring));
        let nothing_trusted = TlsContext::builder().with_trust_store(TrustStore::empty()).build();
        let connector = match nothing_trusted {
            Ok(context) if !needs_tls => builder.tls_context(context).build(),
            _ => builder.build(),
        };
        Self { connector, answer_bytes_max }
    }

    /// Sends a request. The status decides; of the body only the beginning is read, and where it does not end in time what came
    /// of it is enough.
    pub(crate) async fn send(&self, request: ::http::Request<impl Into<SdkBody>>) -> Result<Answered, Trouble> {
        let deadline = Instant::now() + SEND_TIMEOUT;
        let unsent = |_| Trouble::never("the request could not be built; nothing was sent");
        let (mut parts, body) = request.into_parts();
        let agent = concat!("wheelwright/", env!("CARGO_PKG_VERSION"));
        parts.headers.insert("user-agent", ::http::HeaderValue::from_static(agent));
        let request = ::http::Request::from_parts(parts, body.into());
        let request = HttpRequest::try_from(request).map_err(unsent)?;
        let response = match timeout_at(deadline, self.connector.call(request)).await {
            Ok(Ok(response)) => response,
            Ok(Err(error)) => return Err(Trouble::later(format!("no answer: {}", chain(&error)))),
            Err(_) => return Err(Trouble::later(format!("no answer within {} s", SEND_TIMEOUT.as_secs()))),
        };
        let status = response.status().as_u16();
        let retry_after = response.headers().get("retry-after").map(str::to_owned);
        let mut stream = ByteStream::new(response.into_body());
        let mut body = Vec::new();
        while let Ok(Some(Ok(bytes))) = timeout_at(deadline, stream.next()).await {
            let room = self.answer_bytes_max.saturating_sub(body.len());
            body.extend(bytes.iter().take(room));
            if body.len() >= self.answer_bytes_max {
                break;
            }
        }
        Ok(Answered { status, retry_after, body })
    }
}

impl Answered {
    /// The beginning of what was said.
    pub(crate) fn text(&self) -> std::borrow::Cow<'_, str> {
        String::from_utf8_lossy(&self.body)
    }

    /// Taken, refused, or to be tried again.
    pub(super) fn judged(&self, now: SystemTime) -> Result<(), Trouble> {
        let Self { status, retry_after, body: _ } = self;
        let text = self.text();
        let said = match text.trim() {
            "" => String::new(),
            said => format!(": {said}"),
        };
        match status {
            200..=299 => Ok(()),
            300..=399 => Err(Trouble::never(format!(
                "the receiver answered {status}, a redirect, and none is followed: set the address that it leads to"
            ))),
            408 | 425 | 429 | 500.. => {
                let after_ms = retry_after.as_deref().and_then(|text| retry_after_ms(text, now));
                Err(Trouble { why: format!("the receiver answered {status}{said}"), is_final: false, after_ms })
            }
            _ => Err(Trouble::never(format!("the receiver answered {status}{said}"))),
        }
    }
}

/// `Retry-After` in seconds or as a date (<https://www.rfc-editor.org/rfc/rfc9110#field.retry-after>).
fn retry_after_ms(text: &str, now: SystemTime) -> Option<u64> {
    let wait = match text.trim().parse::<u64>() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => {
            let at = jiff::fmt::rfc2822::parse(text.trim()).ok()?.timestamp().as_second();
            let now = now.duration_since(UNIX_EPOCH).ok()?.as_secs();
            Duration::from_secs(u64::try_from(at).ok()?.saturating_sub(now))
        }
    };
    u64::try_from(wait.min(RETRY_AFTER_MAX).as_millis()).ok()
}

/// An error and what it comes from.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let said = error.to_string();
        if !text.contains(&said) {
            text = format!("{text}: {said}");
        }
        source = error.source();
    }
    text
}
