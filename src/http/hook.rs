//! A forge says that something was pushed. It is believed nothing but that: the daemon looks at its own remote a little earlier.
//!
//! GitHub, Gitea and Forgejo sign what they send (<https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries>);
//! GitLab sends the secret itself (<https://docs.gitlab.com/user/project/integrations/webhooks/>).

use super::Shared;
use super::problem::Problem;
use axum::Json;
use axum::body::to_bytes;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use std::sync::Arc;
use subtle::ConstantTimeEq as _;

/// Where a forge calls. It bears no token of ours, but a proof of its own.
pub(super) const PATH: &str = "/hooks/git";
/// Bytes of what a forge tells of one push; a longer one is refused, and the next look sees the push all the same.
pub(super) const HOOK_BYTES_MAX: usize = 1024 * 1024;
/// The headers that bear a signature over the body.
const SIGNATURES: [&str; 2] = ["x-hub-signature-256", "x-hub-signature"];
/// The header that bears the secret.
const SECRET: &str = "x-gitlab-token";

/// What a forge that calls proves itself with, and what is done then.
pub struct Hook {
    /// The secret that the forge was given.
    pub secret: String,
    /// Looks at the remote.
    pub look: Arc<dyn Fn() + Send + Sync>,
}

/// What was done.
#[derive(Serialize)]
pub(super) struct Heard {
    status: &'static str,
}

pub(super) async fn hook(
    State(surface): State<Shared>,
    request: Request,
) -> Result<(StatusCode, Json<Heard>), Problem> {
    let Some(hook) = &surface.hook else {
        return Err(Problem::unknown(
            "nobody is heard here: the topology is not from git, or [git] has no `hook-secret-env` or `hook-secret-file`",
        ));
    };
    let (parts, body) = request.into_parts();
    let unproven = || {
        let message = "this needs the secret of [git]: as the key of `x-hub-signature-256`, or as `x-gitlab-token`";
        Problem::new(StatusCode::UNAUTHORIZED, "unauthorized", message)
    };
    // Who does not even claim to know it is not listened to.
    if ![SECRET].iter().chain(&SIGNATURES).any(|name| parts.headers.contains_key(*name)) {
        return Err(unproven());
    }
    let too_large = |_| {
        let message =
            format!("the body is larger than {HOOK_BYTES_MAX} bytes; the next look sees the push all the same");
        Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", message)
    };
    let bytes = to_bytes(body, HOOK_BYTES_MAX).await.map_err(too_large)?;
    if !is_proven(&parts.headers, &bytes, hook.secret.as_bytes()) {
        return Err(unproven());
    }
    (hook.look)();
    Ok((StatusCode::ACCEPTED, Json(Heard { status: "looking" })))
}

fn is_proven(headers: &HeaderMap, body: &[u8], secret: &[u8]) -> bool {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(given) = text(SECRET) {
        // Digests are compared, so that the time tells nothing of the length either.
        return Sha256::digest(given.as_bytes()).ct_eq(&Sha256::digest(secret)).into();
    }
    let Some(given) = SIGNATURES.iter().find_map(|name| text(name)?.strip_prefix("sha256=")) else { return false };
    let Ok(mut expected) = Hmac::<Sha256>::new_from_slice(secret) else { return false };
    expected.update(body);
    let digits: String = expected.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    digits.as_bytes().ct_eq(given.to_ascii_lowercase().as_bytes()).into()
}
