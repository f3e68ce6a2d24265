//! The page: the wheel, its broken spokes, and what was done about them.
//!
//! Rendered here from what the daemon publishes and the store remembers, with nothing but one style sheet and one script from the
//! daemon itself; all of it works without the script. It only shows: there is no form that orders anything, and no order is taken by
//! cookie. How a route stands is [`super::routes::Standing`]'s word, and which command lets what go [`crate::report::commands`]'.
//!
//! `home` puts the first page together; each of its sections is a file. "Where would this event go" (`trace.rs`) is a form there that
//! is answered on a page of its own.

mod assets;
mod bits;
mod filter;
mod form;
mod happened;
mod headline;
mod layout;
mod links;
mod look;
mod picture;
mod records;
mod route;
mod shell;
mod sign_in;
mod table;
mod things;
mod trace;
mod wheel;
mod wrong;

use super::problem::{Problem, shortened};
use super::{Shared, Surface};
use crate::daemon::Status;
use crate::model::ids::Moment;
use crate::model::resource::ResourceId;
use crate::store::{NoPlace, WriteFilter};
use axum::extract::{Path, State};
use axum::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get};
use filter::Filter;
use happened::Past;
use look::Look;
use maud::{Markup, html};
use sha2::{Digest as _, Sha256};
use std::sync::Arc;

pub(super) use sign_in::{admits, signs_in};
pub(super) use trace::PATH as TRACE;

/// Writes that a page of one thing looks through.
const WRITES_MAX: usize = 50;

/// The pages, which are no operations of the API.
pub(super) fn pages() -> Vec<(&'static str, MethodRouter<Shared>)> {
    vec![
        ("/", get(home)),
        ("/routes/{publication}/{consumer}", get(one_route)),
        ("/incidents/{id}", get(one_incident)),
        ("/sweeps/{id}", get(one_sweep)),
        ("/writes/{id}", get(one_write)),
        (happened::PATH, get(all_that_happened)),
        (trace::PATH, get(trace::page).post(trace::answer)),
        ("/assets/{file}", get(assets::asset)),
        (sign_in::PATH, get(sign_in::form).post(sign_in::sign_in)),
    ]
}

/// Whether a path is a page's, which a browser asks for.
pub(super) fn is_page(path: &str) -> bool {
    path == "/"
        || path == TRACE
        || path == happened::PATH
        || ["/routes/", "/incidents/", "/sweeps/", "/writes/"].iter().any(|folder| path.starts_with(folder))
}

/// Whether a path is of what everybody may see: it says nothing of the daemon.
pub(super) fn is_open(path: &str) -> bool {
    path.starts_with(assets::FOLDER) || path == sign_in::PATH
}

/// Whether whoever asks wants to read a page and not JSON.
pub(super) fn is_browser(headers: &HeaderMap) -> bool {
    headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).is_some_and(|value| value.contains("text/html"))
}

const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; \
                      base-uri 'none'; frame-ancestors 'none'";

/// A page as it is sent: with what a browser may do with it, and its digest, so that a refresh costs nothing where nothing changed.
fn sent(status: StatusCode, page: Markup, asked: &HeaderMap) -> Response {
    let text = page.into_string();
    let digest: String = Sha256::digest(text.as_bytes()).iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    let tag = format!("\"{digest}\"");
    let is_same = asked.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok()) == Some(&*tag);
    let mut response = if is_same && status == StatusCode::OK {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        (status, [(header::CONTENT_TYPE, "text/html; charset=utf-8")], text).into_response()
    };
    let headers = response.headers_mut();
    let more: [(HeaderName, &'static str); 3] = [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    for (name, value) in more {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        headers.insert(header::ETAG, tag);
    }
    response
}

/// A page of this content.
fn shown(title: &str, status: &Status, content: &Markup, asked: &HeaderMap) -> Response {
    sent(StatusCode::OK, shell::page(title, Some(status), content), asked)
}

/// A page that says that there is no such thing.
fn missing(what: &str, asked: &HeaderMap) -> Response {
    let content = shell::nothing("There is nothing here", what);
    sent(StatusCode::NOT_FOUND, shell::page("Not found", None, &content), asked)
}

/// The page for a path that is none, for who reads pages.
pub(super) fn not_found(path: &str) -> Response {
    missing(&format!("There is no {}.", shortened(path)), &HeaderMap::new())
}

fn failed(problem: Problem) -> Response {
    problem.into_response()
}

/// What is shown before there is a topology.
fn unready(status: &Status, asked: &HeaderMap) -> Response {
    let words = match status.config {
        Some(_) => "The first sweep is not done yet",
        None => "No topology was read yet",
    };
    let content = html! {
        section #now data-part { h1 #headline { (words) } (headline::notices(status)) p { "The page is here as soon as it is." } }
    };
    shown("Starting", status, &content, asked)
}

impl Surface {
    /// Draws a page on a thread of its own, few at once: a large one takes some tens of milliseconds, and sweeps need the others.
    async fn drawn(&self, draw: impl FnOnce() -> Response + Send + 'static) -> Response {
        let turn = Arc::clone(&self.store_turns).acquire_owned().await;
        let drawn = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            draw()
        });
        drawn.await.unwrap_or_else(|error| {
            tracing::error!(%error, "a page could not be drawn");
            let message = format!("the page could not be drawn: {error}");
            failed(Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", message))
        })
    }
}

async fn home(State(surface): State<Shared>, uri: Uri, headers: HeaderMap) -> Response {
    let past = match Past::of(&surface).await {
        Ok(past) => past,
        Err(problem) => return failed(problem),
    };
    let status = surface.handle.status();
    surface.drawn(move || first(&status, &past, &Filter::of(&uri), &headers)).await
}

fn first(status: &Status, past: &Past, filter: &Filter, headers: &HeaderMap) -> Response {
    let Some(look) = Look::at(status) else { return unready(status, headers) };
    // Nothing that was wrong is remembered: it has been well since the start, as far as is known.
    let calm = past.calm().unwrap_or(status.started);
    let content = html! {
        (headline::section(&look, Some(calm)))
        (table::form(&look, filter))
        .columns {
            .column { (wheel::section(&look, filter)) (trace::section(&look)) }
            .column { (wrong::section(&look, &past.writes)) (happened::section(past, &look)) }
        }
        (table::section(&look, filter))
    };
    shown(&headline::words(&look), status, &content, headers)
}

async fn one_route(
    State(surface): State<Shared>,
    Path((publication, consumer)): Path<(String, String)>,
    headers: HeaderMap,
) -> Response {
    let status = surface.handle.status();
    let Some(desired) = &status.desired else { return unready(&status, &headers) };
    let id = links::route_of(&publication, &consumer);
    let Some((id, path)) = id.and_then(|id| desired.routes.get_key_value(&id)) else {
        let (publication, consumer) = (shortened(&publication), shortened(&consumer));
        return missing(&format!("The topology that stands has no route from {publication} to {consumer}."), &headers);
    };
    let resource = Some(ResourceId::Rule(path.rule.clone()).to_string());
    let filter = WriteFilter { resource, limit: WRITES_MAX, ..WriteFilter::default() };
    let writes = match surface.stored(move |store| store.writes(&filter)).await {
        Ok(writes) => writes,
        Err(problem) => return failed(problem),
    };
    let (id, status) = (id.clone(), Arc::clone(&status));
    let draw = move || {
        let look = Look::at(&status);
        match look.as_ref().and_then(|look| Some((look, look.row(&id)?))) {
            Some((look, row)) => shown(&format!("Route {id}"), &status, &route::content(look, row, &writes), &headers),
            None => unready(&status, &headers),
        }
    };
    surface.drawn(draw).await
}

async fn one_incident(State(surface): State<Shared>, Path(id): Path<String>, headers: HeaderMap) -> Response {
    let asked = id.clone();
    let found = surface.stored(move |store| store.incident(&asked)).await;
    let incident = match found {
        Ok(Some(incident)) => incident,
        Ok(None) => {
            let id = shortened(&id);
            let why = format!("There is no incident {id}: it never was, or is over for so long that it is forgotten.");
            return missing(&why, &headers);
        }
        Err(problem) => return failed(problem),
    };
    let writes = match incident.concern.subject.resource() {
        None => Ok(Vec::new()),
        Some(resource) => of_thing(&surface, resource, incident.opened).await,
    };
    let writes = match writes {
        Ok(writes) => writes,
        Err(problem) => return failed(problem),
    };
    let status = surface.handle.status();
    let draw = move || {
        let Some(look) = Look::at(&status) else { return unready(&status, &headers) };
        // What is open is told as it was last found.
        let open = status.incidents.iter().find(|open| open.id == incident.id).unwrap_or(&incident);
        let title = format!("{} {}", open.concern.code, open.id);
        shown(&title, &status, &records::incident(&look, open, &writes), &headers)
    };
    surface.drawn(draw).await
}

/// What was written to a thing since it began to be wrong, the newest first.
async fn of_thing(
    surface: &Surface,
    resource: &ResourceId,
    since: Moment,
) -> Result<Vec<(u64, crate::model::history::WriteRecord)>, Problem> {
    let filter = WriteFilter {
        resource: Some(resource.to_string()),
        since: Some(since),
        limit: WRITES_MAX,
        ..WriteFilter::default()
    };
    let mut writes = surface.stored(move |store| store.writes(&filter)).await?;
    writes.retain(|(_, write)| write.resource == *resource);
    Ok(writes)
}

async fn all_that_happened(State(surface): State<Shared>, uri: Uri, headers: HeaderMap) -> Response {
    let asked = form::pairs(uri.query().unwrap_or_default().as_bytes());
    let before = match asked.iter().find(|(key, _)| key == "before").map(|(_, place)| place.parse()) {
        None => None,
        Some(Ok(place)) => Some(place),
        Some(Err(NoPlace)) => return missing("There is no such place on the time line.", &headers),
    };
    let line = match happened::line(&surface, before).await {
        Ok(line) => line,
        Err(problem) => return failed(problem),
    };
    let status = surface.handle.status();
    let draw = move || {
        let Some(look) = Look::at(&status) else { return unready(&status, &headers) };
        shown("What happened", &status, &happened::page(&line, before.is_none(), &look), &headers)
    };
    surface.drawn(draw).await
}

/// A number of an address.
fn number(text: &str) -> Option<u64> {
    text.parse().ok().filter(|number| i64::try_from(*number).is_ok_and(|number| number < i64::MAX))
}

async fn one_sweep(State(surface): State<Shared>, Path(id): Path<String>, headers: HeaderMap) -> Response {
    let none =
        || missing(&format!("There is no sweep {}: it is not done yet, or is forgotten.", shortened(&id)), &headers);
    let Some(id) = number(&id) else { return none() };
    let asked = surface.stored(move |store| {
        let found = store.sweeps(1, Some(id + 1))?.pop().filter(|sweep| sweep.id == id);
        let writes = store.writes(&WriteFilter { sweep: Some(id), limit: 500, ..WriteFilter::default() })?;
        Ok((found, writes))
    });
    match asked.await {
        Ok((Some(sweep), writes)) => {
            let status = surface.handle.status();
            let draw = move || {
                let Some(look) = Look::at(&status) else { return unready(&status, &headers) };
                shown(&format!("Sweep #{id}"), &status, &records::sweep(&look, &sweep, &writes), &headers)
            };
            surface.drawn(draw).await
        }
        Ok((None, _)) => none(),
        Err(problem) => failed(problem),
    }
}

async fn one_write(State(surface): State<Shared>, Path(id): Path<String>, headers: HeaderMap) -> Response {
    let none = || missing(&format!("There is no write {}: it never was, or is forgotten.", shortened(&id)), &headers);
    let Some(id) = number(&id) else { return none() };
    match surface.stored(move |store| store.write_of(id)).await {
        Ok(Some(write)) => {
            let status = surface.handle.status();
            let draw = move || {
                let Some(look) = Look::at(&status) else { return unready(&status, &headers) };
                shown(&format!("Write {id}"), &status, &records::write(&look, &write), &headers)
            };
            surface.drawn(draw).await
        }
        Ok(None) => none(),
        Err(problem) => failed(problem),
    }
}
