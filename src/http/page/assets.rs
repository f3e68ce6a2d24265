//! What the pages load: one style sheet, one script, one icon, each under an address that changes with what is in it, so that it may be
//! kept for ever.

use axum::extract::Path;
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use axum::response::{IntoResponse as _, Response};
use sha2::{Digest as _, Sha256};
use std::sync::LazyLock;

/// A file that is served as it is.
pub(super) struct Asset {
    name: &'static str,
    kind: &'static str,
    media: &'static str,
    text: &'static str,
    path: LazyLock<String>,
}

macro_rules! asset {
    ($constant:ident, $name:literal, $kind:literal, $media:literal, $file:literal) => {
        #[doc = concat!("`", $file, "`.")]
        pub(super) static $constant: Asset = Asset {
            name: $name,
            kind: $kind,
            media: $media,
            text: include_str!($file),
            path: LazyLock::new(|| $constant.address()),
        };
    };
}

asset!(STYLE, "page", "css", "text/css; charset=utf-8", "page.css");
asset!(SCRIPT, "page", "js", "text/javascript; charset=utf-8", "page.js");
asset!(ICON, "icon", "svg", "image/svg+xml", "icon.svg");

/// Where they are.
pub(super) const FOLDER: &str = "/assets/";

impl Asset {
    /// Its address.
    pub(super) fn path(&self) -> &str {
        &self.path
    }

    fn address(&self) -> String {
        let digest = Sha256::digest(self.text.as_bytes());
        let digits: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        format!("{FOLDER}{}-{digits}.{}", self.name, self.kind)
    }
}

/// Serves one of them.
pub(super) async fn asset(Path(file): Path<String>) -> Response {
    let found = [&STYLE, &SCRIPT, &ICON].into_iter().find(|asset| asset.path().strip_prefix(FOLDER) == Some(&*file));
    // One of an older version is gone: the page that asks for it loads itself anew.
    let Some(asset) = found else { return StatusCode::NOT_FOUND.into_response() };
    let kept = HeaderValue::from_static("public, max-age=31536000, immutable");
    ([(CACHE_CONTROL, kept), (CONTENT_TYPE, HeaderValue::from_static(asset.media))], asset.text).into_response()
}
