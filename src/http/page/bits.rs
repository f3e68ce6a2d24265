//! Small things that all pages have: times, states with their shapes, places in files.

use super::super::routes::RouteState;
use super::links;
use super::look::{Look, Thing};
use crate::model::finding::Severity;
use crate::model::ids::{Moment, TeamName};
use crate::model::incident::Incident;
use crate::model::topology::Origin;
use maud::{Markup, html};

/// A time, as a machine and a person read it. The day is left out where it is today's.
pub(super) fn time(moment: Moment, now: Moment) -> Markup {
    let whole = moment.to_string();
    let today = now.to_string();
    let day = |text: &str| text.split('T').next().map(str::to_owned);
    let shown = match whole.split_once('T') {
        Some((_, clock)) if day(&whole) == day(&today) => clock.trim_end_matches('Z').to_owned(),
        Some((day, clock)) => format!("{day} {}", clock.trim_end_matches('Z')),
        None => whole.clone(),
    };
    html! { time datetime=(whole) title=(whole) { (shown) } }
}

/// How long, in one or two units.
pub(super) fn long(milliseconds: u64) -> String {
    let seconds = milliseconds / 1_000;
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, _) => format!("{minutes} min"),
        (0, _, _) => format!("{hours} h {minutes} min"),
        (_, _, _) => format!("{days} d {hours} h"),
    }
}

/// Since when, and for how long.
pub(super) fn since(moment: Moment, now: Moment) -> Markup {
    html! { "since " (time(moment, now)) " (" (long(now.millis_since(moment))) ")" }
}

/// A state's word for a class of the style sheet, and what it is drawn with.
pub(super) fn class(state: RouteState) -> &'static str {
    match state {
        RouteState::Stopped => "s-stopped",
        RouteState::Unread => "s-unread",
        RouteState::Drifted => "s-drifted",
        RouteState::Held => "s-held",
        RouteState::Waiting => "s-waiting",
        RouteState::Delivering => "s-delivering",
    }
}

/// The shape of a state, about the middle of 14 by 14 pixels: none is told from another by its colour alone.
pub(super) fn shape(state: RouteState) -> Markup {
    html! {
        @match state {
            RouteState::Delivering => path d="M3 7.5 L6 10.5 L11.5 4" {},
            RouteState::Drifted => path d="M3.5 3.5 L10.5 10.5 M10.5 3.5 L3.5 10.5" {},
            RouteState::Stopped => rect x="3.2" y="3.2" width="7.6" height="7.6" {},
            RouteState::Unread => { circle cx="7" cy="7" r="4.6" stroke-dasharray="2.4 2.4" {} },
            RouteState::Held => path d="M5 3 V11 M9 3 V11" {},
            RouteState::Waiting => { circle cx="3" cy="7" r="0.7" {} circle cx="7" cy="7" r="0.7" {} circle cx="11" cy="7" r="0.7" {} },
        }
    }
}

/// A state's shape beside text.
pub(super) fn icon(state: RouteState) -> Markup {
    html! {
        svg.icon width="14" height="14" viewBox="0 0 14 14" aria-hidden="true" focusable="false" { (shape(state)) }
    }
}

/// A state in a word, with its shape.
pub(super) fn badge(state: RouteState) -> Markup {
    html! { span class={ "badge " (class(state)) } { (icon(state)) (<&str>::from(state)) } }
}

/// How a thing stands, in words, with a link where there is more.
pub(super) fn thing_badge(thing: Thing<'_>) -> Markup {
    match thing {
        Thing::Right => html! { span class="badge s-delivering" { (icon(RouteState::Delivering)) "as asked" } },
        Thing::Unread => html! { span class="badge s-unread" { (icon(RouteState::Unread)) "not read" } },
        Thing::Held => html! { span class="badge s-held" { (icon(RouteState::Held)) "held" } },
        Thing::Waiting => html! { span class="badge s-waiting" { (icon(RouteState::Waiting)) "to be made" } },
        Thing::Partners => html! { span class="badge s-unread" { (icon(RouteState::Unread)) "a partner's, not read" } },
        Thing::Found(incident) => {
            html! { (severity(incident)) " " a href=(links::incident(&incident.id)) { (incident.concern.code) } }
        }
    }
}

/// How bad an incident is, as a word with a shape.
pub(super) fn severity(incident: &Incident) -> Markup {
    let (class, state) = match incident.severity() {
        Severity::Error => ("badge s-drifted", RouteState::Drifted),
        Severity::Warning => ("badge s-held", RouteState::Held),
        Severity::Info => ("badge s-unread", RouteState::Unread),
    };
    html! { span class=(class) { (icon(state)) (incident.severity()) } }
}

/// The place in the files that asks for something, and the commit that stands.
pub(super) fn origin(origin: &Origin) -> Markup {
    // What was ordered at the daemon has no line.
    let place = if origin.line == 0 { origin.file.to_string() } else { origin.to_string() };
    html! { span.origin { code { (place) } " " span.quiet { "[" (origin.entry) "]" } } }
}

/// A team with how to reach it.
pub(super) fn team(look: &Look<'_>, team: &TeamName) -> Markup {
    html! {
        a href=(links::team(team.as_str())) { (team) }
        @if let Some(contact) = look.contact(team) { " " span.quiet { (contact) } }
    }
}

/// A command to copy.
pub(super) fn command(text: &str) -> Markup {
    html! { code.command { (text) } }
}

/// `text`, cut to so many letters.
pub(super) fn cut(text: &str, letters: usize) -> String {
    if text.chars().count() <= letters {
        return text.to_owned();
    }
    let start: String = text.chars().take(letters.saturating_sub(1)).collect();
    format!("{start}…")
}
