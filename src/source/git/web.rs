//! Git's smart HTTP (<https://git-scm.com/docs/http-protocol>) over the HTTP client that the rest of the program uses.
//!
//! No redirect is followed, and the token goes to the host that it is for and nowhere else.

use super::fetch::{Bounds, now};
use aws_smithy_async::rt::sleep::TokioSleep;
use aws_smithy_http_client::Connector;
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};
use aws_smithy_runtime_api::client::http::{HttpConnector as _, HttpConnectorSettings};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_types::base64;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::ByteStream;
use bytes::Bytes;
use gix_transport::client::blocking_io::http::{GetResponse, Http, PostBodyDataKind, PostResponse};
use http::{Method, Request};
use std::any::Any;
use std::io::{self, BufReader, Cursor, Read, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::runtime::Handle;

/// How long a connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);
/// What we may send in one request: which commits we have.
const UPLOAD_BYTES_MAX: usize = 16 * 1_024 * 1_024;
/// What is kept of a refusal's text.
const REFUSAL_BYTES_MAX: usize = 512;

/// A secret that is shorter is a word that anybody may say.
const SECRET_PART_BYTES_MIN: usize = 6;

/// A client for one fetch.
pub(super) struct Web(Arc<Client>);

struct Client {
    authorization: Option<String>,
    token: String,
    bounds: Bounds,
    runtime: Handle,
    left: Mutex<u64>,
}

impl Web {
    /// One that proves itself as this user with this token.
    pub(super) fn new(user: Option<(&str, &str)>, bounds: Bounds, runtime: Handle) -> Self {
        let authorization = user.map(|(user, token)| format!("Basic {}", base64::encode(format!("{user}:{token}"))));
        let token = user.map(|(_, token)| token.to_owned()).unwrap_or_default();
        let left = Mutex::new(bounds.bytes_max);
        Self(Arc::new(Client { authorization, token, bounds, runtime, left }))
    }

    fn exchange<'h>(
        &self,
        method: Method,
        url: &str,
        headers: impl IntoIterator<Item = impl AsRef<str> + 'h>,
    ) -> Result<Arc<Mutex<Exchange>>, gix::Error> {
        let mut request = Request::builder().method(method).uri(url);
        for header in headers {
            if let Some((name, value)) = header.as_ref().split_once(':') {
                request = request.header(name.trim(), value.trim());
            }
        }
        if let Some(authorization) = &self.0.authorization {
            request = request.header("authorization", authorization);
        }
        let request = request.body(Vec::new()).map_err(gix::Error::from_error)?;
        Ok(Arc::new(Mutex::new(Exchange::Waiting(request))))
    }
}

/// A request and its answer. It is sent when the answer is first read: by then all of its body was written.
enum Exchange {
    Waiting(Request<Vec<u8>>),
    Answered { headers: Cursor<Vec<u8>>, body: ByteStream, chunk: Bytes },
    Failed,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Client {
    /// Sends what waits.
    fn send(&self, exchange: &mut Exchange) -> io::Result<()> {
        let Exchange::Waiting(request) = std::mem::replace(exchange, Exchange::Failed) else { return Ok(()) };
        let is_https = request.uri().scheme_str() == Some("https");
        let answered = self.runtime.block_on(async {
            let connector = connector(is_https)?;
            let request = HttpRequest::try_from(request.map(SdkBody::from)).map_err(|error| error.to_string())?;
            let deadline = tokio::time::Instant::from_std(self.bounds.deadline);
            let response = tokio::time::timeout_at(deadline, connector.call(request)).await;
            let response = response.map_err(|_| "it did not answer within `fetch-secs-max`".to_owned())?;
            let response = response.map_err(|error| format!("no answer: {}", chain(&error)))?;
            let status = response.status().as_u16();
            let headers: String = response.headers().iter().map(|(name, value)| format!("{name}: {value}\n")).collect();
            let location = response.headers().get("location").map(str::to_owned);
            let mut body = ByteStream::new(response.into_body());
            if status == 200 {
                return Ok((headers, body));
            }
            let said = match tokio::time::timeout_at(deadline, body.next()).await {
                Ok(Some(Ok(bytes))) => bytes.iter().copied().take(REFUSAL_BYTES_MAX).collect(),
                _ => Vec::new(),
            };
            Err(refusal(status, location.as_deref(), &self.cleaned(&said), self.authorization.is_some()))
        });
        match answered {
            Ok((headers, body)) => {
                *exchange =
                    Exchange::Answered { headers: Cursor::new(headers.into_bytes()), body, chunk: Bytes::new() };
                Ok(())
            }
            Err(why) => {
                self.bounds.say(&why);
                Err(io::Error::other(why))
            }
        }
    }

    /// What somebody else said, on one line, and without what we said to prove ourselves.
    fn cleaned(&self, said: &[u8]) -> String {
        let said: String =
            String::from_utf8_lossy(said).chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        let secret = self.authorization.as_deref().and_then(|text| text.split_once(' '));
        let has_secret = |part: &str| part.len() >= SECRET_PART_BYTES_MIN && said.contains(part);
        let is_told = secret.is_some_and(|(_, encoded)| has_secret(encoded) || has_secret(&self.token));
        if is_told { String::new() } else { said.trim().to_owned() }
    }

    fn next_chunk(&self, body: &mut ByteStream) -> io::Result<Bytes> {
        let failed = |why: &str| {
            self.bounds.say(why);
            io::Error::other(why.to_owned())
        };
        let left = self.bounds.deadline.saturating_duration_since(now());
        let next = self.runtime.block_on(async { tokio::time::timeout(left, body.next()).await });
        let chunk = match next {
            Ok(Some(Ok(chunk))) => chunk,
            Ok(Some(Err(error))) => return Err(failed(&format!("the answer broke off: {}", chain(&error)))),
            Ok(None) => Bytes::new(),
            Err(_) => return Err(failed("it did not end within `fetch-secs-max`")),
        };
        let mut left = lock(&self.left);
        *left = left.checked_sub(chunk.len() as u64).ok_or_else(|| failed("it is more than `fetch-mib-max`"))?;
        Ok(chunk)
    }
}

fn connector(is_https: bool) -> Result<Connector, String> {
    let settings = HttpConnectorSettings::builder().connect_timeout(CONNECT_TIMEOUT).build();
    let builder = Connector::builder()
        .connector_settings(settings)
        .sleep_impl(TokioSleep::new())
        .tls_provider(Provider::Rustls(CryptoMode::Ring));
    if is_https {
        return Ok(builder.proxy_config(ProxyConfig::from_env()).build());
    }
    // A bare machine may have no certificates, which the client takes for a mistake.
    let nothing_trusted = TlsContext::builder().with_trust_store(TrustStore::empty()).build();
    Ok(builder.tls_context(nothing_trusted.map_err(|error| error.to_string())?).build())
}

fn refusal(status: u16, location: Option<&str>, said: &str, has_token: bool) -> String {
    let said = if said.is_empty() { String::new() } else { format!(" ({said})") };
    match (status, location) {
        (300..=399, Some(location)) => {
            format!("it answers {status}, a redirect to {location}, and none is followed: set that as `url`")
        }
        (401 | 403, _) if has_token => format!("it answers {status}: the token is not taken, or may not read it{said}"),
        (401 | 403, _) => {
            format!("it answers {status}: it wants a token, which `token-env` or `token-file` name{said}")
        }
        (404, _) if !has_token => format!("it answers 404: there is no such repository, or it wants a token{said}"),
        (404, _) => format!("it answers 404: there is no such repository, or the token may not see it{said}"),
        _ => format!("it answers {status}{said}"),
    }
}

fn chain(error: &dyn std::error::Error) -> String {
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

/// The headers or the body of an answer.
pub(super) struct Part {
    client: Arc<Client>,
    exchange: Arc<Mutex<Exchange>>,
    is_body: bool,
}

impl Read for Part {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut exchange = lock(&self.exchange);
        if matches!(*exchange, Exchange::Waiting(_)) {
            self.client.send(&mut exchange)?;
        }
        let Exchange::Answered { headers, body, chunk } = &mut *exchange else {
            return Err(io::Error::other("there is no answer"));
        };
        if !self.is_body {
            return headers.read(buffer);
        }
        if chunk.is_empty() {
            *chunk = self.client.next_chunk(body)?;
        }
        let count = chunk.len().min(buffer.len());
        let part = chunk.split_to(count);
        if let Some(room) = buffer.get_mut(..count) {
            room.copy_from_slice(&part);
        }
        Ok(count)
    }
}

/// The body of a request.
pub(super) struct Upload(Arc<Mutex<Exchange>>);

impl Write for Upload {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut *lock(&self.0) {
            Exchange::Waiting(request) if request.body().len() + bytes.len() <= UPLOAD_BYTES_MAX => {
                request.body_mut().extend_from_slice(bytes);
                Ok(bytes.len())
            }
            _ => Err(io::Error::other("the request is sent, or too long")),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Http for Web {
    type Headers = BufReader<Part>;
    type ResponseBody = BufReader<Part>;
    type PostBody = Upload;

    fn get(
        &mut self,
        url: &str,
        _base_url: &str,
        headers: impl IntoIterator<Item = impl AsRef<str>>,
    ) -> Result<GetResponse<Self::Headers, Self::ResponseBody>, gix::Error> {
        let exchange = self.exchange(Method::GET, url, headers)?;
        self.0.send(&mut lock(&exchange)).map_err(gix::Error::from_error)?;
        Ok(GetResponse { headers: self.part(&exchange, false), body: self.part(&exchange, true) })
    }

    fn post(
        &mut self,
        url: &str,
        _base_url: &str,
        headers: impl IntoIterator<Item = impl AsRef<str>>,
        _body: PostBodyDataKind,
    ) -> Result<PostResponse<Self::Headers, Self::ResponseBody, Self::PostBody>, gix::Error> {
        let exchange = self.exchange(Method::POST, url, headers)?;
        let (headers, body) = (self.part(&exchange, false), self.part(&exchange, true));
        Ok(PostResponse { post_body: Upload(exchange), headers, body })
    }

    fn configure(&mut self, _config: &dyn Any) -> Result<(), gix::Error> {
        Ok(())
    }
}

impl Web {
    fn part(&self, exchange: &Arc<Mutex<Exchange>>, is_body: bool) -> BufReader<Part> {
        BufReader::new(Part { client: Arc::clone(&self.0), exchange: Arc::clone(exchange), is_body })
    }
}
