//! What happened, on one time line: sweeps that did something, what was found, writes, what was told, what people ordered. The newest
//! of it on the first page, all that is remembered on pages of its own.

use super::super::Surface;
use super::super::problem::Problem;
use super::bits::time;
use super::links;
use super::look::Look;
use super::things::end_in_words;
use crate::model::alert::Alert;
use crate::model::finding::Severity;
use crate::model::history::{SweepRecord, WriteEnd, WriteRecord};
use crate::model::ids::Moment;
use crate::model::incident::{Incident, Resolution};
use crate::report::count;
use crate::store::{Happened, IncidentFilter, OrderEntry, Place, Timeline, WriteFilter};
use maud::{Markup, html};

/// Where the whole line is.
pub(super) const PATH: &str = "/happened";
/// Entries of the time line: on the first page, and on each page of its own.
const ENTRIES_MAX: usize = 24;
const PAGE_ENTRIES_MAX: usize = 100;
/// Rows that each other question to the store brings.
const ROWS_MAX: usize = 60;

/// What the store remembers of late.
pub(super) struct Past {
    line: Timeline,
    pub(super) writes: Vec<(u64, WriteRecord)>,
    incidents: Vec<Incident>,
}

impl Past {
    /// Asks the store, in one turn.
    pub(super) async fn of(surface: &Surface) -> Result<Self, Problem> {
        surface
            .stored(|store| {
                let writes = store.writes(&WriteFilter { limit: ROWS_MAX, ..WriteFilter::default() })?;
                let incidents = store.incidents(&IncidentFilter { limit: ROWS_MAX, ..IncidentFilter::default() })?;
                Ok(Self { line: store.timeline(None, ENTRIES_MAX)?, writes, incidents })
            })
            .await
    }

    /// When the latest error was over, of those that are remembered.
    pub(super) fn calm(&self) -> Option<Moment> {
        let errors = self.incidents.iter().filter(|incident| incident.severity() == Severity::Error);
        errors.filter_map(|incident| incident.resolved.map(|(at, _)| at)).max()
    }
}

/// A part of the line that is a page of its own.
pub(super) async fn line(surface: &Surface, before: Option<Place>) -> Result<Timeline, Problem> {
    surface.stored(move |store| store.timeline(before, PAGE_ENTRIES_MAX)).await
}

/// The newest of the time line.
pub(super) fn section(past: &Past, look: &Look<'_>) -> Markup {
    html! {
        section #happened data-part aria-labelledby="happened-title" {
            h2 #happened-title { "What happened" }
            p.quiet { "Sweeps that wrote nothing are left out." }
            @if past.line.entries.is_empty() { p { "Nothing yet." } }
            (entries(&past.line, look))
        }
    }
}

/// A page of the time line.
pub(super) fn page(line: &Timeline, is_first: bool, look: &Look<'_>) -> Markup {
    html! {
        section #happened data-part aria-labelledby="headline" {
            p.crumbs { a href="/" { "Back to the wheel" } @if !is_first { " · " a href=(PATH) { "The newest" } } }
            h1 #headline { "What happened" }
            p.quiet { "Sweeps that wrote nothing are left out, and of each sweep only its last writes are here." }
            @if line.entries.is_empty() { p { @if is_first { "Nothing yet." } @else { "Nothing older is remembered." } } }
            (entries(line, look))
        }
    }
}

fn entries(line: &Timeline, look: &Look<'_>) -> Markup {
    let now = look.status.at;
    html! {
        ol.timeline {
            @for (at, happened) in &line.entries {
                @let (kind, text) = told(happened, look);
                li { (time(*at, now)) span.kind.(kind) { (kind) } span.what { (text) } }
            }
        }
        @if let Some(older) = line.older { p { a rel="next" href=(links::happened_before(older)) { "Older" } } }
    }
}

/// An entry's kind in a word, and what it says.
fn told(happened: &Happened, look: &Look<'_>) -> (&'static str, Markup) {
    match happened {
        Happened::Order(order) => ("order", of_order(order)),
        Happened::Opened(incident) => ("found", of_incident(incident)),
        Happened::Write(id, write) => ("write", write_in_short(look, *id, write)),
        Happened::MoreWrites(sweep) => {
            ("write", html! { "more of sweep " a href=(links::sweep(*sweep)) { "#" (sweep) } })
        }
        Happened::Resolved(incident) => {
            let kind = match incident.resolved {
                Some((_, Resolution::Mended)) => "mended",
                _ => "gone",
            };
            (kind, of_incident(incident))
        }
        Happened::Sweep(sweep) => {
            ("sweep", html! { a href=(links::sweep(sweep.id)) { "#" (sweep.id) } " " (sweep_in_words(sweep)) })
        }
        Happened::Alert { channel, alert, was_sent } => ("alert", of_alert(channel, alert, *was_sent)),
    }
}

/// What a sweep found and did.
pub(super) fn sweep_in_words(sweep: &SweepRecord) -> String {
    let number = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
    let mut parts = Vec::new();
    if sweep.findings > 0 || sweep.done + sweep.failed + sweep.held == 0 {
        parts.push(format!("found {}", count(number(sweep.findings), "thing")));
    }
    if sweep.done > 0 {
        parts.push(format!("{} done", count(number(sweep.done), "step")));
    }
    if sweep.failed > 0 {
        parts.push(format!("{} failed", sweep.failed));
    }
    if sweep.held > 0 {
        parts.push(format!("{} held", sweep.held));
    }
    parts.join(", ")
}

/// A write, with its thing by the name that it has where it is.
pub(super) fn write_in_short(look: &Look<'_>, id: u64, write: &WriteRecord) -> Markup {
    let step = write.step.to_string();
    let verb = step.split(' ').next().unwrap_or_default().replace('-', " ");
    html! {
        a href=(links::write(id)) { (verb) " " span.id { (write.resource.local_name()) } } " in " (look.scope(write.scope()))
        @if write.end != WriteEnd::Done { ": " strong { (end_in_words(write.end)) } }
    }
}

fn of_incident(incident: &Incident) -> Markup {
    let concern = &incident.concern;
    let about = concern.subject.resource().map_or_else(
        || "the operator".to_owned(),
        |resource| match resource.kind() {
            "scope" => resource.to_string(),
            _ => resource.local_name(),
        },
    );
    html! { a href=(links::incident(&incident.id)) { (concern.code) } " " span.id { (about) } }
}

fn of_alert(channel: &str, alert: &Alert, was_sent: bool) -> Markup {
    let kind: &str = alert.kind.into();
    html! {
        @match alert.incidents.first() {
            Some(incident) => (of_incident(incident)),
            None => (alert.title)
        }
        @if alert.count > 1 { " and " (alert.count - 1) " more" }
        @if was_sent { ", told on " (channel) " as " (kind) } @else { ", " strong { "could not be told" } " on " (channel) }
    }
}

fn of_order(entry: &OrderEntry) -> Markup {
    html! { (entry.what) ", by " (entry.by) ": " (entry.reason) }
}
