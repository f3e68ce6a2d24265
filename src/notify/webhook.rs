//! A POST of the message as JSON, signed if there is a key.
//!
//! `X-Wheelwright-Signature: t=1795500000,v1=5257a8…`: `t` is when this attempt was made, in seconds since 1970, and `v1` the
//! HMAC-SHA256, in hexadecimal, of `t`, a full stop and the body's bytes, with the key's bytes. A receiver
//! 1. takes the header apart at its commas (unknown parts are for later versions),
//! 2. works `v1` out anew over `t`, `.` and the body **as it came**, before any parsing, and compares in constant time,
//! 3. refuses a `t` that is more than [`REPLAY_WINDOW_SECS`] from its own clock, so that what was listened to cannot be sent again
//!    later, and
//! 4. takes an `X-Wheelwright-Alert` (the message's `id`) that it has seen within a day for a repeat.
//!
//! Any answer of 200 to 299 says that the message was taken.

use super::secret::{KEY_BYTES_MIN, SecretError, SecretText, Url};
use super::{Shared, Trouble, wire};
use crate::model::alert::Alert;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use std::time::UNIX_EPOCH;

/// How far a signature's time may be from the receiver's.
pub const REPLAY_WINDOW_SECS: u64 = 300;

pub(super) async fn send(shared: &Shared, url: &Url, key: Option<&SecretText>, alert: &Alert) -> Result<(), Trouble> {
    let body = wire::within(BODY_BYTES_MAX, alert, &|alert| wire::message(alert).to_string());
    let mut request = ::http::Request::post(url.whole())
        .header("content-type", "application/json")
        .header("x-wheelwright-alert", &alert.id);
    if let Some(key) = key {
        let seconds = shared.time.now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
        request = request.header("x-wheelwright-signature", signature(key, seconds, &body)?);
    }
    let request = request.body(body).map_err(|_| Trouble::never("the request could not be built; nothing was sent"))?;
    shared.http.send(request).await?.judged(shared.time.now())
}

fn signature(key: &SecretText, seconds: u64, body: &str) -> Result<String, Trouble> {
    let mut hmac = Hmac::<Sha256>::new_from_slice(key.expose().as_bytes())
        .map_err(|_| Trouble::never("the key does not sign; nothing was sent"))?;
    hmac.update(format!("{seconds}.").as_bytes());
    hmac.update(body.as_bytes());
    let digits: String = hmac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(format!("t={seconds},v1={digits}"))
}

pub(super) fn check_key(key: &SecretText) -> Result<(), SecretError> {
    if key.expose().len() < KEY_BYTES_MIN { Err(SecretError::TooShort) } else { Ok(()) }
}

/// What most receivers take.
const BODY_BYTES_MAX: usize = 256 * 1_024;
