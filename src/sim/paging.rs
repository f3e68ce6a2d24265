//! Paging as the EventBridge lists do it: a `Limit`, an opaque `NextToken`, at most 100 items a page.

use serde_json::{Value, json};

use super::errors::AwsError;
use super::request::{Constraints, Request};
use super::settings::Settings;

/// Cuts one page out of all items and adds `NextToken` where more follow.
///
/// The token holds the place of the next item, so a listing that changes between two pages may repeat or leave out an
/// item, as a real one may.
pub(super) fn page(
    request: &Request<'_>,
    settings: &Settings,
    field: &str,
    items: Vec<Value>,
) -> Result<Value, AwsError> {
    let start = start(request)?;
    let size = limit(request)?.unwrap_or(settings.page_size).max(1);
    let total = items.len();
    let shown: Vec<Value> = items.into_iter().skip(start).take(size).collect();
    let next = start.saturating_add(shown.len());
    let mut answer = json!({ field: shown });
    if next < total
        && let Some(object) = answer.as_object_mut()
    {
        object.insert("NextToken".to_owned(), json!(format!("{TOKEN_PREFIX}{next}")));
    }
    Ok(answer)
}

fn limit(request: &Request<'_>) -> Result<Option<usize>, AwsError> {
    let limit = request.number("Limit");
    let mut constraints = Constraints::default();
    constraints.range("limit", limit, 1, 100);
    constraints.check()?;
    Ok(limit.and_then(|limit| usize::try_from(limit).ok()))
}

fn start(request: &Request<'_>) -> Result<usize, AwsError> {
    match request.text("NextToken") {
        None => Ok(0),
        Some(token) => token.strip_prefix(TOKEN_PREFIX).and_then(|place| place.parse().ok()).ok_or_else(|| {
            AwsError::validation("Parameter NextToken is not valid. Reason: Provided token is not in correct format.")
        }),
    }
}

const TOKEN_PREFIX: &str = "page-";
