//! The first line: what is the matter, in words.

use super::super::routes::RouteState;
use super::bits::{long, since, time};
use super::links;
use super::look::Look;
use super::picture::told_counts;
use crate::daemon::Status;
use crate::model::finding::{Outcome, Severity};
use crate::model::ids::Moment;
use crate::model::incident::Incident;
use crate::report::{commands, count};
use maud::{Markup, html};
use std::collections::BTreeMap;

/// The line itself. No state is left out of it, and "all" is said only of all.
pub(super) fn words(look: &Look<'_>) -> String {
    let mut counts: BTreeMap<RouteState, usize> = BTreeMap::new();
    for row in &look.rows {
        *counts.entry(row.state).or_default() += 1;
    }
    let all = look.rows.len();
    let well = counts.remove(&RouteState::Delivering).unwrap_or(0);
    if look.status.plan.is_none() {
        return format!("{} asked for; the first sweep is not done yet", count(all, "route"));
    }
    match all {
        0 => return "No routes are asked for".to_owned(),
        1 if well == 1 => return "The one route delivers".to_owned(),
        all if well == all => return format!("All {all} routes deliver"),
        _ => {}
    }
    let told = told_counts(&counts, &[]);
    let (first, rest) = told.split_once(' ').unwrap_or((&told, ""));
    let done = doing(&look.status.incidents).filter(|_| counts.contains_key(&RouteState::Drifted));
    let done = done.map_or(String::new(), |done| format!("; {done}"));
    format!("{first} of {} {rest}{done}", count(all, "route"))
}

/// What is done about the errors.
fn doing(incidents: &[Incident]) -> Option<&'static str> {
    let errors = || incidents.iter().filter(|incident| incident.severity() == Severity::Error);
    let any = |outcome: Outcome| errors().any(|incident| incident.concern.outcome == outcome);
    if any(Outcome::Held) {
        Some("held for a person")
    } else if any(Outcome::Mend) {
        Some("being mended")
    } else if any(Outcome::Left) {
        Some("left for a person")
    } else if any(Outcome::Waiting) {
        Some("waiting for something else")
    } else {
        None
    }
}

/// Since when it is so: the oldest of what is wrong, or when the last of it ended.
fn begun(look: &Look<'_>, calm: Option<Moment>) -> Option<Moment> {
    let is_well = look.rows.iter().all(|row| row.state == RouteState::Delivering);
    if is_well {
        return calm;
    }
    let errors = look.status.incidents.iter().filter(|incident| incident.severity() == Severity::Error);
    let stops = look.status.stops.iter().map(|stop| stop.order.since);
    errors.map(|incident| incident.opened).chain(stops).min()
}

/// The heading with what belongs to it. `calm` is when the latest error ended, if one did.
pub(super) fn section(look: &Look<'_>, calm: Option<Moment>) -> Markup {
    let status = look.status;
    html! {
        section #now data-part {
            h1 #headline { (words(look)) }
            p.facts {
                @if let Some(begun) = begun(look, calm) { span { (since(begun, status.at)) } }
                (sweeps(status))
                @if let Some(config) = &status.config { span { "Topology " code { (short(&config.revision.id)) } } }
                span { "As of " (time(status.at, status.at)) }
            }
            (notices(status))
        }
    }
}

/// A commit as people name it.
pub(super) fn short(revision: &str) -> String {
    const LETTERS: usize = 12;
    let is_commit = revision.len() >= 40 && revision.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_commit { revision.chars().take(LETTERS).collect() } else { revision.to_owned() }
}

fn sweeps(status: &Status) -> Markup {
    html! {
        @match &status.last_sweep {
            Some(sweep) => span {
                "Last sweep " a href=(links::sweep(sweep.id)) { "#" (sweep.id) } " at " (time(sweep.began, status.at))
                ", " (sweep.took_ms) " ms; " (sweep.scopes_read.saturating_sub(sweep.scopes_unread)) " of " (count(usize::try_from(sweep.scopes_read).unwrap_or(usize::MAX), "scope")) " read"
            },
            None => span { "No sweep yet" },
        }
    }
}

/// What concerns all of it.
pub(super) fn notices(status: &Status) -> Markup {
    html! {
        @if status.state_lost {
            p.notice.bad { strong { "Nothing is written: " } "the daemon's state is gone, and with it what people had paused or stopped. Look, then " code.command { (commands::RESUME_STATE_LOST) } }
        }
        @if let Some(why) = &status.topology_refused {
            div.notice.bad { p { strong { "A newer topology is not used: " } "the last good one stands." } pre { (why) } }
        }
        @if let Some((breaks, at)) = status.settling {
            p.notice { "To be taken away: " (count(breaks, "step")) ", not before " (time(at, status.at)) " (" (long(at.millis_since(status.at))) "), when what replaces it has taken effect." }
        }
    }
}
