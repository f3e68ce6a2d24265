//! What a form sends: names and values, as browsers encode them.

use super::super::BODY_BYTES_MAX;
use axum::extract::Request;
use percent_encoding::percent_decode_str;

/// The pairs of an encoded form, or of a query.
pub(super) fn pairs(encoded: &[u8]) -> Vec<(String, String)> {
    let text = String::from_utf8_lossy(encoded);
    let decoded = |part: &str| percent_decode_str(&part.replace('+', " ")).decode_utf8_lossy().into_owned();
    let split = |pair: &str| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decoded(key), decoded(value))
    };
    text.split('&').filter(|pair| !pair.is_empty()).map(split).collect()
}

/// The pairs that a request sends.
///
/// # Errors
/// Says so if it is more than any form of ours.
pub(super) async fn read(request: Request) -> Result<Vec<(String, String)>, String> {
    let read = axum::body::to_bytes(request.into_body(), BODY_BYTES_MAX).await;
    let bytes =
        read.map_err(|_| format!("That was more than {BODY_BYTES_MAX} bytes. The program takes longer events."))?;
    Ok(pairs(&bytes))
}
