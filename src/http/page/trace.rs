//! "Where would this event go": a form that takes an event or a publication, and the answer as a page. The same as
//! `wheelwright trace`, with what the daemon last read of the accounts.

use super::super::Shared;
use super::super::routes::RouteState;
use super::super::trace::TraceQuestion;
use super::bits::{icon, origin};
use super::form;
use super::links;
use super::look::Look;
use super::shell;
use super::{sent, unready};
use crate::daemon::Status;
use crate::model::ids::PublicationId;
use crate::report::count;
use crate::report::trace::{self as report, Sorted};
use crate::trace::{Trace, TracedRoute, Verdict};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::Response;
use maud::{Markup, html};
use serde_json::{Value, json};

/// Where the form is, and where it is sent.
pub(in super::super) const PATH: &str = "/trace";
/// Rows of one table at most; the program tells all of them.
const ROWS_MAX: usize = 200;

/// Characters of an event that the form takes: encoded, they have to fit into a body.
const EVENT_CHARACTERS_MAX: usize = super::super::BODY_BYTES_MAX / 4;

/// What was asked, as it was typed.
#[derive(Clone, Debug, Default)]
struct Asked {
    event: String,
    published_by: String,
    bus: String,
}

impl Asked {
    fn of(pairs: Vec<(String, String)>) -> Self {
        let mut asked = Self::default();
        for (key, value) in pairs {
            match key.as_str() {
                "event" => asked.event = value,
                "published-by" => asked.published_by = value,
                "bus" => asked.bus = value,
                _ => {}
            }
        }
        asked
    }

    /// The event that is meant: what was pasted, or, of a publication alone, one of its own without any detail.
    fn event(&self, look: &Look<'_>) -> Result<Value, String> {
        if !self.event.trim().is_empty() {
            return serde_json::from_str(&self.event).map_err(|error| format!("The event is no JSON: {error}."));
        }
        let id: PublicationId = self
            .published_by
            .parse()
            .map_err(|_| "Paste an event, or choose the publication that it is of.".to_owned())?;
        let publication = look.topology.teams.get(&id.team).and_then(|team| team.publications.get(&id));
        let detail_type = publication.and_then(|publication| publication.detail_types.first());
        let source = publication.map(|publication| &publication.source);
        Ok(json!({"source": source, "detail-type": detail_type.map_or("Anything", |text| text), "detail": {}}))
    }
}

/// The form on the first page.
pub(super) fn section(look: &Look<'_>) -> Markup {
    html! {
        section #ask aria-labelledby="ask-title" {
            h2 #ask-title { "Where would this event go?" }
            (fields(look, &Asked::default()))
        }
    }
}

fn fields(look: &Look<'_>, asked: &Asked) -> Markup {
    let publications = look.topology.teams.values().flat_map(|team| team.publications.keys().map(ToString::to_string));
    let chosen = asked.published_by.as_str();
    html! {
        form.ask method="post" action=(PATH) {
            .field.wide {
                label for="ask-event" { "Event, as JSON: as a target gets it, or an entry of PutEvents" }
                textarea #ask-event name="event" rows="6" spellcheck="false" maxlength=(EVENT_CHARACTERS_MAX)
                    placeholder="{\"source\": \"…\", \"detail-type\": \"…\", \"detail\": {}}" { (asked.event) }
            }
            .field {
                label for="ask-by" { "Published by" }
                select #ask-by name="published-by" {
                    option value="" { "whoever publishes such events" }
                    @for publication in publications { option value=(publication) selected[publication == chosen] { (publication) } }
                    @for account in look.topology.accounts.keys().map(ToString::to_string) {
                        option value=(account) selected[account == chosen] { "account " (account) }
                    }
                }
            }
            .field {
                label for="ask-bus" { "On the bus (of an account)" }
                input #ask-bus name="bus" type="text" value=(asked.bus) autocomplete="off" spellcheck="false";
            }
            button type="submit" { "Trace" }
        }
    }
}

/// The form by itself; a publication may be chosen in the address.
pub(super) async fn page(State(surface): State<Shared>, uri: Uri, headers: HeaderMap) -> Response {
    let status = surface.handle.status();
    let asked = Asked::of(form::pairs(uri.query().unwrap_or_default().as_bytes()));
    let draw = move || match Look::at(&status) {
        Some(look) => sent(StatusCode::OK, shell::page(TITLE, Some(&status), &content(&look, &asked, None)), &headers),
        None => unready(&status, &headers),
    };
    surface.drawn(draw).await
}

/// The answer.
pub(super) async fn answer(State(surface): State<Shared>, request: Request) -> Response {
    let read = form::read(request).await;
    let status = surface.handle.status();
    surface.drawn(move || answered(&status, read)).await
}

fn answered(status: &Status, read: Result<Vec<(String, String)>, String>) -> Response {
    let headers = HeaderMap::new();
    let Some(look) = Look::at(status) else { return unready(status, &headers) };
    let (asked, found) = match read {
        Err(why) => (Asked::default(), Err(why)),
        Ok(pairs) => {
            let asked = Asked::of(pairs);
            let found = asked.event(&look).and_then(|event| {
                let (published_by, bus) = (Some(asked.published_by.clone()), Some(asked.bus.clone()));
                let question = TraceQuestion { event, published_by, bus };
                super::super::trace::answer(status, &question).map_err(|problem| problem.said().to_owned())
            });
            (asked, found)
        }
    };
    let code = if found.is_ok() { StatusCode::OK } else { StatusCode::BAD_REQUEST };
    sent(code, shell::page(TITLE, Some(status), &content(&look, &asked, Some(&found))), &headers)
}

const TITLE: &str = "Where would this event go?";

fn content(look: &Look<'_>, asked: &Asked, found: Option<&Result<Trace, String>>) -> Markup {
    html! {
        section #trace aria-labelledby="trace-title" {
            p.crumbs { a href="/" { "Back to the wheel" } }
            h1 #trace-title { (TITLE) }
            @match found {
                Some(Err(why)) => p.notice.bad role="alert" { (why) },
                Some(Ok(trace)) => (traced(look, trace)),
                None => {}
            }
            h2 { @if found.is_some() { "Ask again" } @else { "Ask" } }
            (fields(look, asked))
            p.quiet { "It goes by buses, their policies, rules, targets and the hop rule, as they were last read. Roles, keys and the \
                       policies of queues and functions are not looked at; " code { "wheelwright doctor" } " asks for those." }
        }
    }
}

fn traced(look: &Look<'_>, trace: &Trace) -> Markup {
    let Sorted { taken, missed, unknown, silent } = Sorted::of(trace, false);
    html! {
        p.notice role="status" { (report::summary(trace)) }
        p { (report::heading(trace, &look.desired.account_names)) }
        (table("Taken by", &taken))
        (table("Not taken by", &missed))
        (table("Not known for", &unknown))
        @if let Some(others) = trace.others.as_ref().filter(|others| !others.is_empty()) {
            h2 { "Taken beside the topology by " (count(others.len(), "rule")) }
            ul {
                @for (rule, arns) in others {
                    li { span.id { (rule) } " "
                        @if arns.is_empty() { span.quiet { "where it sends events was not read" } }
                        @else { "to " span.id { (arns.join(", ")) } }
                    }
                }
            }
        }
        @if !silent.is_empty() {
            details #trace-others { summary { (count(silent.len(), "route")) " of other events" } (table("Not taken by", &silent)) }
        }
    }
}

fn table(title: &str, routes: &[&TracedRoute]) -> Markup {
    html! {
        @if !routes.is_empty() {
            h2 { (title) " " (count(routes.len(), "route")) }
            @if routes.len() > ROWS_MAX {
                p.quiet { "The first " (ROWS_MAX) " are shown; " code { "wheelwright trace --all" } " tells all." }
            }
            .table tabindex="0" role="region" aria-label=(title) {
                table.routes {
                    thead { tr { th scope="col" { "Route" } th scope="col" { "What becomes of it" } th scope="col" { "Asked for in" } } }
                    tbody { @for route in routes.iter().take(ROWS_MAX) { (line(route)) } }
                }
            }
        }
    }
}

fn line(route: &TracedRoute) -> Markup {
    let publication = route.route.publication.as_ref().map_or_else(|| "everything".to_owned(), ToString::to_string);
    let (class, state) = match report::stands(route) {
        Verdict::Taken => ("s-delivering", RouteState::Delivering),
        Verdict::Missed { .. } if route.differs() => ("s-drifted", RouteState::Drifted),
        Verdict::Missed { .. } => ("s-stopped", RouteState::Stopped),
        Verdict::Unknown { .. } => ("s-unread", RouteState::Unread),
    };
    html! {
        tr {
            th scope="row" { a href=(links::route(&route.route)) { (publication) " " span.arrow aria-label="to" role="img" { "→" } " " (route.route.consumer) } }
            td { span class={ "badge " (class) } { (icon(state)) (report::stands(route).word()) } " " span.detail { (report::reason(route)) } }
            td { (origin(&route.origin)) }
        }
    }
}
