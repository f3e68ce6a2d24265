//! Who may ask what: looked at before anything else of a request is read.

use super::hook;
use super::page;
use super::problem::Problem;
use super::{BODY_BYTES_MAX, REQUEST_SECS_MAX, Shared, Surface};
use axum::extract::{Request, State};
use axum::http::header::{self, HeaderValue};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;
use subtle::ConstantTimeEq as _;

/// The bearer token, as its digest: it is never printed, and comparing it takes as long whatever was guessed.
#[derive(Clone)]
pub struct Token([u8; 32]);

impl Token {
    /// The token of this text.
    pub fn new(text: &str) -> Self {
        Self(Sha256::digest(text.as_bytes()).into())
    }

    pub(super) fn is(&self, guess: &str) -> bool {
        self.0.ct_eq(&Self::new(guess).0).into()
    }

    /// What only who knows the token can make of a text, in hexadecimal digits: an HMAC with its digest as the key.
    pub(super) fn proof(&self, text: &str) -> String {
        let Ok(mut proof) = Hmac::<Sha256>::new_from_slice(&self.0) else { return String::new() };
        proof.update(PAGES.as_bytes());
        proof.update(text.as_bytes());
        proof.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Whether `proof` is that of `text`; comparing takes as long whatever was guessed.
    pub(super) fn proves(&self, text: &str, proof: &str) -> bool {
        let right = self.proof(text);
        !right.is_empty() && bool::from(right.as_bytes().ct_eq(proof.as_bytes()))
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(a token)")
    }
}

/// Questions that come as POST, since what they ask about is long: they change nothing, and are no orders.
const QUESTIONS: &[&str] = &[super::trace::PATH, page::TRACE];

/// What a proof is for: one for something else proves nothing here.
const PAGES: &str = "wheelwright pages until ";

/// What of a request may be answered without the token, wherever it comes from.
const HEALTH: &[&str] = &["/livez", "/readyz"];

/// Lets a request through, or answers why not; and limits its time.
pub(super) async fn guard(State(surface): State<Shared>, request: Request, next: Next) -> Response {
    let answered = async {
        match check(&surface, &request) {
            Ok(()) => next.run(request).await,
            Err(Refused::SignIn) => page::signs_in(request.uri()),
            Err(Refused::Problem(problem)) => problem.into_response(),
        }
    };
    let mut response = match tokio::time::timeout(Duration::from_secs(REQUEST_SECS_MAX), answered).await {
        Ok(response) => response,
        Err(_) => late().into_response(),
    };
    let is_refused = response.status().is_client_error();
    let is_unauthorized = response.status() == StatusCode::UNAUTHORIZED;
    let headers = response.headers_mut();
    // Only what is the same for ever says otherwise.
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if is_unauthorized {
        headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    if is_refused {
        // What is left of a refused request's body is not read.
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

fn late() -> Problem {
    let message = format!(
        "it took more than {REQUEST_SECS_MAX} s; ask for less at once, or send faster. An order may still be carried out: look at \
         /api/v1/orders"
    );
    Problem::new(StatusCode::REQUEST_TIMEOUT, "too-slow", message)
}

/// Why a request is not let through.
enum Refused {
    /// A browser that wants a page: it is given the form.
    SignIn,
    Problem(Problem),
}

impl From<Problem> for Refused {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

fn check(surface: &Surface, request: &Request) -> Result<(), Refused> {
    let (headers, path) = (request.headers(), request.uri().path());
    let is_local = surface.listen.ip().is_loopback();
    if is_local && !host_is_ours(headers, surface.listen) {
        let problem = Problem::new(
            StatusCode::MISDIRECTED_REQUEST,
            "wrong-host",
            format!(
                "this answers requests to this machine alone, and the Host header names another; ask {}, localhost or [::1]",
                surface.listen
            ),
        );
        return Err(problem.into());
    }
    let is_question = *request.method() == Method::POST && QUESTIONS.contains(&path);
    let is_order = !matches!(*request.method(), Method::GET | Method::HEAD) && !is_question;
    if path == hook::PATH {
        return Ok(());
    }
    let needs_token = !page::is_open(path) && (is_order || (!is_local && !HEALTH.contains(&path)));
    // A cookie opens pages and nothing else: a browser sends it by itself, and nobody's order may come that way.
    let is_signed_in = || !is_order && page::is_page(path) && page::admits(headers, &surface.token, (surface.now)());
    if needs_token && !is_signed_in() {
        let refused = authorized(headers, &surface.token);
        if refused.is_err() && !is_order && page::is_page(path) && page::is_browser(headers) {
            return Err(Refused::SignIn);
        }
        refused?;
    }
    let length = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if length.is_some_and(|length| length > BODY_BYTES_MAX as u64) {
        return Err(too_large().into());
    }
    Ok(())
}

/// A body that is larger than any order.
pub(super) fn too_large() -> Problem {
    let message = format!("the body is larger than {BODY_BYTES_MAX} bytes; no order is that long");
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", message)
}

/// Whether a request was meant for this machine. A page of somebody else's, whose name was made to point here, says its own name.
fn host_is_ours(headers: &HeaderMap, listen: SocketAddr) -> bool {
    let mut hosts = headers.get_all(header::HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else { return false };
    let Ok(authority) = Authority::try_from(host.as_bytes()) else { return false };
    if authority.as_str().contains('@') {
        return false;
    }
    let name = authority.host();
    let address = name.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    name.eq_ignore_ascii_case("localhost")
        || address.is_ok_and(|address| address.is_loopback() || address == listen.ip())
}

fn authorized(headers: &HeaderMap, token: &Token) -> Result<(), Problem> {
    let refused = |message: &str| Problem::new(StatusCode::UNAUTHORIZED, "unauthorized", message);
    let Some(value) = headers.get(header::AUTHORIZATION) else {
        return Err(refused("this needs the token: send `authorization: Bearer TOKEN`"));
    };
    let given = value.to_str().ok().and_then(|value| {
        let (scheme, given) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then_some(given.trim())
    });
    match given {
        Some(given) if token.is(given) => Ok(()),
        Some(_) => {
            Err(refused("the token is not the one that this daemon was given; `[http] token` says where that is"))
        }
        None => Err(refused("the Authorization header is none of `Bearer TOKEN`")),
    }
}
