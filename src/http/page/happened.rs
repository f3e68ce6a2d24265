//! What happened, on one time line: sweeps that did something, what was found, writes, what was told, what people ordered.

use super::super::Surface;
use super::super::problem::Problem;
use super::bits::time;
use super::links;
use super::look::Look;
use super::things::end_in_words;
use crate::model::finding::Severity;
use crate::model::history::{SweepRecord, WriteEnd, WriteRecord};
use crate::model::ids::Moment;
use crate::model::incident::{Incident, Resolution};
use crate::report::count;
use crate::store::{IncidentFilter, OrderEntry, WriteFilter};
use maud::{Markup, html};
use std::collections::BTreeMap;

/// Entries of the time line.
const ENTRIES_MAX: usize = 24;
/// Writes of one sweep that are told one by one; its page has them all.
const WRITES_TOLD_MAX: usize = 3;
/// Rows that each question to the store brings. Of sweeps more, since most are quiet.
const ROWS_MAX: usize = 60;
const SWEEPS_MAX: usize = 240;

/// What the store remembers of late.
pub(super) struct Past {
    pub(super) sweeps: Vec<SweepRecord>,
    pub(super) writes: Vec<(u64, WriteRecord)>,
    pub(super) incidents: Vec<Incident>,
    pub(super) orders: Vec<OrderEntry>,
}

impl Past {
    /// Asks the store, in one turn.
    pub(super) async fn of(surface: &Surface) -> Result<Self, Problem> {
        surface
            .stored(|store| {
                let writes = store.writes(&WriteFilter { limit: ROWS_MAX, ..WriteFilter::default() })?;
                let incidents = store.incidents(&IncidentFilter { limit: ROWS_MAX, ..IncidentFilter::default() })?;
                Ok(Self {
                    sweeps: store.sweeps(SWEEPS_MAX, None)?,
                    writes,
                    incidents,
                    orders: store.orders_log(ROWS_MAX)?,
                })
            })
            .await
    }

    /// When the latest error was over, of those that are remembered.
    pub(super) fn calm(&self) -> Option<Moment> {
        let errors = self.incidents.iter().filter(|incident| incident.severity() == Severity::Error);
        errors.filter_map(|incident| incident.resolved.map(|(at, _)| at)).max()
    }
}

/// One line of it.
struct Entry {
    at: Moment,
    kind: &'static str,
    text: Markup,
}

/// The time line, the newest first.
pub(super) fn section(past: &Past, look: &Look<'_>) -> Markup {
    let now = look.status.at;
    let mut entries: Vec<Entry> = Vec::new();
    entries.extend(past.sweeps.iter().filter(|sweep| !is_quiet(sweep)).map(of_sweep));
    entries.extend(writes(past, look));
    entries.extend(past.incidents.iter().flat_map(of_incident));
    entries.extend(past.orders.iter().map(of_order));
    // Things of one moment: the sweep after what it did.
    entries.sort_by_key(|entry| (std::cmp::Reverse(entry.at), entry.kind != "sweep"));
    html! {
        section #happened data-part aria-labelledby="happened-title" {
            h2 #happened-title { "What happened" }
            p.quiet { "Sweeps that wrote nothing are left out." }
            @if entries.is_empty() { p { "Nothing yet." } }
            ol.timeline {
                @for entry in entries.iter().take(ENTRIES_MAX) {
                    li { (time(entry.at, now)) span.kind.(entry.kind) { (entry.kind) } span.what { (entry.text) } }
                }
            }
        }
    }
}

fn is_quiet(sweep: &SweepRecord) -> bool {
    sweep.done == 0 && sweep.failed == 0
}

fn of_sweep(sweep: &SweepRecord) -> Entry {
    let at = sweep.began.plus_ms(sweep.took_ms);
    let text = html! { a href=(links::sweep(sweep.id)) { "#" (sweep.id) } " " (sweep_in_words(sweep)) };
    Entry { at, kind: "sweep", text }
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

/// The first few writes of each sweep, and how many more there are.
fn writes(past: &Past, look: &Look<'_>) -> Vec<Entry> {
    let mut entries = Vec::new();
    let mut of_sweep: BTreeMap<u64, usize> = BTreeMap::new();
    for (id, write) in &past.writes {
        let told = of_sweep.entry(write.sweep).or_default();
        *told += 1;
        if *told <= WRITES_TOLD_MAX {
            entries.push(Entry { at: write.at, kind: "write", text: write_in_short(look, *id, write) });
        } else if *told == WRITES_TOLD_MAX + 1 {
            let text = html! { "more of sweep " a href=(links::sweep(write.sweep)) { "#" (write.sweep) } };
            entries.push(Entry { at: write.at, kind: "write", text });
        }
    }
    entries
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

fn of_incident(incident: &Incident) -> Vec<Entry> {
    let concern = &incident.concern;
    let about = concern.subject.resource().map_or_else(
        || "the operator".to_owned(),
        |resource| match resource.kind() {
            "scope" => resource.to_string(),
            _ => resource.local_name(),
        },
    );
    let link = || html! { a href=(links::incident(&incident.id)) { (concern.code) } " " span.id { (about) } };
    let mut entries = vec![Entry { at: incident.opened, kind: "found", text: link() }];
    for (channel, told) in &incident.told {
        entries.push(Entry { at: told.at, kind: "alert", text: html! { (link()) ", told on " (channel) } });
    }
    if let Some((at, how)) = incident.resolved {
        let kind = match how {
            Resolution::Mended => "mended",
            Resolution::Gone => "gone",
        };
        entries.push(Entry { at, kind, text: link() });
    }
    entries
}

fn of_order(entry: &OrderEntry) -> Entry {
    let text = html! { (entry.what) ", by " (entry.by) ": " (entry.reason) };
    Entry { at: entry.at, kind: "order", text }
}
