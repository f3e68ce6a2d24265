//! Reading what a request asks: query, body, and the names in them.

use super::access::too_large;
use super::problem::{Problem, shortened};
use super::{BODY_BYTES_MAX, Surface};
use crate::model::ids::Moment;
use crate::store::{Store, StoreError};
use axum::extract::{Query, Request};
use axum::http::{HeaderMap, StatusCode, Uri, header};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// Rows of one answer, where nobody asks for more or fewer.
pub(super) const LIMIT_DEFAULT: usize = 100;
/// Rows of one answer at most.
pub(super) const LIMIT_MAX: usize = 1_000;

/// The query of `uri`.
pub(super) fn query<T: DeserializeOwned>(uri: &Uri) -> Result<T, Problem> {
    let read = Query::<T>::try_from_uri(uri);
    read.map(|Query(query)| query).map_err(|error| {
        let text = error.body_text();
        Problem::bad_query(shortened(text.strip_prefix("Failed to deserialize query string: ").unwrap_or(&text)))
    })
}

/// The body of `request`, which says that it is JSON: what a page of another origin can send without being asked does not.
pub(super) async fn body<T: DeserializeOwned>(request: Request) -> Result<T, Problem> {
    if !is_json(request.headers()) {
        let message = "orders are JSON: send `content-type: application/json`";
        return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "not-json", message));
    }
    let bytes = match axum::body::to_bytes(request.into_body(), BODY_BYTES_MAX).await {
        Ok(bytes) => bytes,
        Err(error) if is_too_long(&error) => return Err(too_large()),
        Err(error) => return Err(Problem::bad_body(format!("the body could not be read: {error}"))),
    };
    serde_json::from_slice(&bytes).map_err(|error| Problem::bad_body(shortened(&error.to_string())))
}

fn is_json(headers: &HeaderMap) -> bool {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = value.split(';').next().unwrap_or_default().trim();
    kind.eq_ignore_ascii_case("application/json")
}

fn is_too_long(error: &axum::Error) -> bool {
    let mut source: Option<&dyn std::error::Error> = Some(error);
    while let Some(cause) = source {
        if cause.to_string().contains("length limit exceeded") {
            return true;
        }
        source = cause.source();
    }
    false
}

/// A value of the query, parsed.
pub(super) fn parsed<T: FromStr<Err: fmt::Display>>(key: &str, text: Option<&str>) -> Result<Option<T>, Problem> {
    let read = |text: &str| {
        text.parse().map_err(|error| Problem::bad_query(format!("{key}: {}", shortened(&format!("{error}")))))
    };
    text.map(read).transpose()
}

/// How many rows are asked for.
pub(super) fn limit(text: Option<&str>) -> Result<usize, Problem> {
    let wrong = || Problem::bad_query(format!("limit: a number from 1 to {LIMIT_MAX}"));
    match text.map(str::parse::<usize>) {
        None => Ok(LIMIT_DEFAULT),
        Some(Ok(limit)) if (1..=LIMIT_MAX).contains(&limit) => Ok(limit),
        Some(_) => Err(wrong()),
    }
}

/// A number in the query that names a row.
pub(super) fn number(key: &str, text: Option<&str>) -> Result<Option<u64>, Problem> {
    let read = |text: &str| {
        let number = text.parse::<u64>().ok().filter(|number| i64::try_from(*number).is_ok());
        number.ok_or_else(|| Problem::bad_query(format!("{key}: a whole number from 0 up to 2^63 - 1")))
    };
    text.map(read).transpose()
}

/// A part of a thing's name, or all of its ARN.
pub(super) fn name(key: &str, text: Option<String>) -> Result<Option<String>, Problem> {
    match text {
        Some(text) if text.chars().count() > NAME_CHARACTERS_MAX => {
            Err(Problem::bad_query(format!("{key}: at most {NAME_CHARACTERS_MAX} characters")))
        }
        text => Ok(text.filter(|text| !text.is_empty())),
    }
}

/// An ARN has at most 1,600 characters in EventBridge's own fields.
const NAME_CHARACTERS_MAX: usize = 1_600;

/// A truth in the query.
pub(super) fn truth(key: &str, text: Option<&str>) -> Result<Option<bool>, Problem> {
    match text {
        None => Ok(None),
        Some("true") => Ok(Some(true)),
        Some("false") => Ok(Some(false)),
        Some(_) => Err(Problem::bad_query(format!("{key}: true or false"))),
    }
}

/// A time, as RFC 3339 writes it.
pub(super) fn time(text: &str) -> Result<Moment, String> {
    let wrong = || format!("`{}` is no time like 2026-11-24T06:00:00Z", shortened(text));
    let stamp: jiff::Timestamp = text.parse().map_err(|_| wrong())?;
    // What is before 1970 is before everything.
    Ok(Moment(u64::try_from(stamp.as_millisecond()).unwrap_or(0)))
}

/// A field of a body that may be left out, and is not null.
pub(super) fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(field: D) -> Result<Option<T>, D::Error> {
    T::deserialize(field).map(Some)
}

/// A whole number that may be left out. `60.0` is one as well, as JSON Schema has it.
pub(super) fn whole<'de, D: Deserializer<'de>>(field: D) -> Result<Option<u64>, D::Error> {
    let number = serde_json::Number::deserialize(field)?;
    let whole = number.as_f64().filter(|value| value.fract() == 0.0 && (0.0..=WHOLE_MAX).contains(value));
    // The bounds are within what both hold exactly.
    let read = number.as_u64().or_else(|| whole.map(|value| value as u64));
    read.map(Some).ok_or_else(|| serde::de::Error::custom(format!("`{number}` is not a whole number from 0")))
}

/// The largest that a floating-point number holds exactly.
const WHOLE_MAX: f64 = 9_007_199_254_740_992.0;

impl Surface {
    /// Asks the store, on a thread that may wait for the disk.
    pub(super) async fn stored<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Store) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, Problem> {
        let turn = Arc::clone(&self.store_turns).acquire_owned().await;
        let store = Arc::clone(&self.handle.store);
        let asked = tokio::task::spawn_blocking(move || {
            // A request that nobody waits for any more keeps its turn until the store is done with it.
            let _turn = turn;
            question(&store)
        });
        let failed = |error: &dyn fmt::Display| {
            tracing::error!(%error, "what is remembered could not be read");
            let message = format!("what is remembered could not be read: {error}");
            Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "store-failed", message)
        };
        match asked.await {
            Ok(answer) => answer.map_err(|error| failed(&error)),
            Err(error) => Err(failed(&error)),
        }
    }
}
