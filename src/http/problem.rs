//! What is answered where something cannot be: one shape, with what happened and what to do.

use axum::Json;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

/// A request that is not answered with what it asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Problem {
    status: StatusCode,
    code: &'static str,
    message: String,
}

#[derive(Serialize)]
struct Body {
    error: &'static str,
    message: String,
}

impl Problem {
    pub(super) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into() }
    }

    /// What is wrong, for a page.
    pub(super) fn said(&self) -> &str {
        &self.message
    }

    /// Something in the query or the path is not what it should be.
    pub(super) fn bad_query(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad-query", message)
    }

    /// Something in the body is not what it should be.
    pub(super) fn bad_body(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad-body", message)
    }

    /// Nothing of that name is known.
    pub(super) fn unknown(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not-found", message)
    }

    /// The daemon cannot answer now.
    pub(super) fn unready(message: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "not-ready", message)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let Self { status, code, message } = self;
        (status, Json(Body { error: code, message })).into_response()
    }
}

/// A path that is none of ours.
pub(super) async fn not_found(uri: Uri, headers: HeaderMap) -> Response {
    let path = uri.path();
    if super::page::is_browser(&headers) && !path.starts_with("/api/") {
        return super::page::not_found(path);
    }
    Problem::unknown(format!("there is no {}; /api/v1/openapi.json lists what there is", shortened(path)))
        .into_response()
}

/// A path of ours with another method.
pub(super) async fn method_not_allowed(method: Method, uri: Uri) -> Problem {
    let path = shortened(uri.path());
    let message = format!("{path} does not answer {method}; /api/v1/openapi.json says what it answers");
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", message)
}

/// What somebody sent, for a message: not more of it than helps.
pub(super) fn shortened(text: &str) -> String {
    let start: String = text.chars().take(TEXT_CHARACTERS_MAX).filter(|letter| !letter.is_control()).collect();
    if text.chars().count() > TEXT_CHARACTERS_MAX { format!("{start}…") } else { start }
}

const TEXT_CHARACTERS_MAX: usize = 200;
