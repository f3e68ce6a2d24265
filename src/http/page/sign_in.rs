//! Signing in, where others than this machine can reach the daemon: a browser sends no bearer token, so a form takes it once.
//!
//! What the browser keeps is not the token but when it ends and an HMAC of that, keyed with the token's digest: it opens pages, no
//! orders and no API, ends by itself, and ends at once where the token is changed.

use super::super::Shared;
use super::super::access::Token;
use super::form;
use super::shell;
use crate::model::ids::Moment;
use axum::extract::{Request, State};
use axum::http::header::{self, HeaderMap, HeaderValue};
use axum::http::{StatusCode, Uri};
use axum::response::Response;
use maud::{Markup, html};

/// Where the form is.
pub(super) const PATH: &str = "/sign-in";
/// The cookie.
const COOKIE: &str = "wheelwright-page";
/// How long it lasts: a working day.
const HOURS: u64 = 12;
/// Bytes of what the form sends: a token and an address.
const FORM_BYTES_MAX: usize = 8 * 1024;

/// Whether the request bears a cookie that this token stands behind.
pub(in super::super) fn admits(headers: &HeaderMap, token: &Token, now: Moment) -> bool {
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let ours =
        cookies.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().strip_prefix(COOKIE)?.strip_prefix('='));
    ours.into_iter().any(|value| {
        let Some((until, proof)) = value.split_once('.') else { return false };
        let is_now = until.parse::<u64>().is_ok_and(|until| now < Moment(until));
        // Both are looked at, so that the time tells nothing.
        token.proves(until, proof) & is_now
    })
}

/// The form instead of a page that needs it.
pub(in super::super) fn signs_in(uri: &Uri) -> Response {
    answer(StatusCode::UNAUTHORIZED, &content(uri.path_and_query().map_or("/", |path| path.as_str()), None))
}

pub(super) async fn form() -> Response {
    answer(StatusCode::OK, &content("/", None))
}

fn answer(status: StatusCode, content: &Markup) -> Response {
    super::sent(status, shell::page("Sign in", None, content), &HeaderMap::new())
}

fn content(to: &str, wrong: Option<&str>) -> Markup {
    html! {
        section.sign-in {
            h1 { "Sign in" }
            p { "This daemon can be reached from other machines, so it asks for its token. It opens these pages for " (HOURS) " hours; orders are never taken by it." }
            @if let Some(wrong) = wrong { p.notice.bad role="alert" { (wrong) } }
            form method="post" action=(PATH) {
                input type="hidden" name="to" value=(to);
                .field { label for="token" { "Token" } input #token type="password" name="token" autocomplete="current-password" required; }
                button type="submit" { "Sign in" }
            }
            p.quiet { code { "[http] token" } " in the settings says where the token is kept." }
        }
    }
}

pub(super) async fn sign_in(State(surface): State<Shared>, request: Request) -> Response {
    let is_secure = request.headers().get("x-forwarded-proto").is_some_and(|value| value == "https");
    let Ok(body) = axum::body::to_bytes(request.into_body(), FORM_BYTES_MAX).await else {
        return answer(StatusCode::PAYLOAD_TOO_LARGE, &content("/", Some("That was too long for a token.")));
    };
    let (mut token, mut to) = (String::new(), "/".to_owned());

    for (key, value) in form::pairs(&body) {
        match key.as_str() {
            "token" => token = value,
            "to" if is_ours(&value) => to = value,
            _ => {}
        }
    }
    if !surface.token.is(&token) {
        return answer(StatusCode::UNAUTHORIZED, &content(&to, Some("That is not the token of this daemon.")));
    }
    let until = (surface.now)().plus_ms(HOURS * 3_600_000).0.to_string();
    let secure = if is_secure { "; Secure" } else { "" };
    let cookie = format!(
        "{COOKIE}={until}.{}; Path=/; Max-Age={}; HttpOnly; SameSite=Strict{secure}",
        surface.token.proof(&until),
        HOURS * 3_600
    );
    let mut response = answer(StatusCode::SEE_OTHER, &html! { p { a href=(to) { "Go on" } } });
    for (name, value) in [(header::SET_COOKIE, cookie), (header::LOCATION, to)] {
        if let Ok(value) = HeaderValue::from_str(&value) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

/// Whether an address is of this daemon: a form must not send people elsewhere.
fn is_ours(to: &str) -> bool {
    let path = to.split('?').next().unwrap_or_default();
    !to.starts_with("//") && !to.contains('\\') && !to.chars().any(char::is_control) && super::is_page(path)
}
