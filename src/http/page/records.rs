//! One incident, one sweep, one write: what a pasted link opens.

use super::bits::{long, origin, severity, since, team, time};
use super::links;
use super::look::Look;
use super::things::{diff, end_in_words, whole};
use super::{happened, wrong};
use crate::model::history::{SweepRecord, WriteRecord};
use crate::model::incident::{Incident, Resolution};
use crate::model::plan::Cause;
use maud::{Markup, html};

/// An incident, open or over. `writes` are those of its thing.
pub(super) fn incident(look: &Look<'_>, incident: &Incident, writes: &[(u64, WriteRecord)]) -> Markup {
    let concern = &incident.concern;
    let now = look.status.at;
    html! {
        section #incident data-part {
            p.crumbs { a href="/#wrong" { "What is wrong" } }
            h1 #headline { (concern.code) @if incident.resolved.is_some() { " (over)" } }
            p { (wrong::subject(look, incident)) }
            dl.facts {
                div { dt { "How bad" } dd { (severity(incident)) } }
                @match incident.resolved {
                    None => div { dt { "Open" } dd { (since(incident.opened, now)) ", seen in " (incident.count) " sweeps, last at " (time(incident.last_seen, now)) } },
                    Some((at, how)) => {
                        div { dt { "From" } dd { (time(incident.opened, now)) " to " (time(at, now)) " (" (long(incident.lasted_ms(now))) ")" } }
                        div { dt { "Ended" } dd { (ended(how)) } }
                    },
                }
                div { dt { "Done" } dd { (wrong::done(look, incident, writes)) } }
                @if let Some(name) = &concern.team { div { dt { "Team" } dd { (team(look, name)) } } }
                @if let Some(place) = &concern.origin { div { dt { "Asked for" } dd { (origin(place)) " in " code { (super::headline::short(&incident.revision)) } } } }
                @if !incident.told.is_empty() { div { dt { "Told" } dd { @for (number, (channel, told)) in incident.told.iter().enumerate() { @if number > 0 { ", " } (channel) " at " (time(told.at, now)) } } } }
                div { dt { "Id" } dd { code { (incident.id) } } }
            }
            (diff(look, incident))
            @if let Some(resource) = concern.subject.resource().filter(|_| incident.resolved.is_none()) {
                details #all-fields { summary { "All of it, asked for and live" } (whole(look, resource)) }
            }
            p { (concern.code.explanation()) }
            (routes(look, incident))
        }
        section #written data-part aria-labelledby="written-title" {
            h2 #written-title { "What was written to it" }
            @if writes.is_empty() { p { "Nothing, as far as is remembered." } }
            (write_list(look, writes))
        }
    }
}

fn ended(how: Resolution) -> &'static str {
    match how {
        Resolution::Mended => "We wrote what mends it, and saw that it did.",
        Resolution::Gone => "It was not found any more, and we did nothing.",
    }
}

/// The routes that it stands in the way of.
fn routes(look: &Look<'_>, incident: &Incident) -> Markup {
    const ROUTES_MAX: usize = 20;
    let named = format!("incident {}:", incident.id);
    let hit: Vec<_> = look
        .rows
        .iter()
        .filter(|row| look.standing.why(row.id, row.path, row.state).iter().any(|why| why.starts_with(&named)))
        .collect();
    html! {
        @if !hit.is_empty() {
            h2 { "Routes that it breaks" }
            ul { @for row in hit.iter().take(ROUTES_MAX) { li { a href=(links::route(row.id)) { (row.id) } } } }
            @if hit.len() > ROUTES_MAX { p { (hit.len() - ROUTES_MAX) " more." } }
        }
    }
}

fn write_list(look: &Look<'_>, writes: &[(u64, WriteRecord)]) -> Markup {
    html! {
        @if !writes.is_empty() {
            ul { @for (id, write) in writes {
                li { (time(write.at, look.status.at)) " " (happened::write_in_short(look, *id, write)) }
            } }
        }
    }
}

/// A sweep with what it wrote.
pub(super) fn sweep(look: &Look<'_>, sweep: &SweepRecord, writes: &[(u64, WriteRecord)]) -> Markup {
    let now = look.status.at;
    html! {
        section #sweep data-part {
            p.crumbs { a href="/#happened" { "What happened" } }
            h1 #headline { "Sweep #" (sweep.id) }
            p { (happened::sweep_in_words(sweep)) }
            dl.facts {
                div { dt { "Began" } dd { (time(sweep.began, now)) ", took " (sweep.took_ms) " ms" } }
                div { dt { "Set off by" } dd { (sweep.trigger) @if sweep.full { ", read in full" } } }
                div { dt { "Scopes" } dd { (sweep.scopes_read) " asked, " (sweep.scopes_unread) " not read whole" } }
                div { dt { "Topology" } dd { code { (super::headline::short(&sweep.revision)) } } }
                @if let Some(plan) = &sweep.plan_id { div { dt { "Plan" } dd { code { (plan) } } } }
            }
            p { @if sweep.id > 1 { a href=(links::sweep(sweep.id - 1)) { "The one before" } " " } a href=(links::sweep(sweep.id.saturating_add(1))) { "The one after" } }
            h2 { "What it wrote" }
            @if writes.is_empty() { p { "Nothing." } }
            (write_list(look, writes))
        }
    }
}

/// A write: what was there, what was written, how it ended.
pub(super) fn write(look: &Look<'_>, write: &WriteRecord) -> Markup {
    let now = look.status.at;
    let because = match write.cause {
        Cause::Intent => "the topology asks for it",
        Cause::Drift => "it differed though nobody had asked for that",
    };
    let codes: Vec<String> = write.codes.iter().map(ToString::to_string).collect();
    html! {
        section #write data-part {
            p.crumbs { a href="/#happened" { "What happened" } }
            h1 #headline .id { (write.step) }
            dl.facts {
                div { dt { "Ended" } dd { (end_in_words(write.end)) ", " (time(write.at, now)) } }
                @if let Some(message) = &write.message { div { dt { "AWS said" } dd { (message) } } }
                div { dt { "Because" } dd { (because) @if !codes.is_empty() { ": " (codes.join(", ")) } } }
                div { dt { "In" } dd { (look.scope(write.scope())) } }
                div { dt { "Sweep" } dd { a href=(links::sweep(write.sweep)) { "#" (write.sweep) } } }
                @if let Some(name) = &write.team { div { dt { "Team" } dd { (team(look, name)) } } }
                @if let Some(place) = &write.origin { div { dt { "Asked for" } dd { (origin(place)) " in " code { (super::headline::short(&write.revision)) } } } }
                div { dt { "Plan" } dd { code { (write.plan_id) } } }
                @if let Some(request) = &write.request_id { div { dt { "AWS request" } dd { code { (request) } } } }
            }
            .sides {
                div { h2 { "What was there" } pre tabindex="0" { (pretty(&write.before)) } }
                div { h2 { "What was written" } pre tabindex="0" { (pretty(&write.after)) } }
            }
        }
    }
}

fn pretty(json: &str) -> String {
    let value = serde_json::from_str::<serde_json::Value>(json);
    value.ok().and_then(|value| serde_json::to_string_pretty(&value).ok()).unwrap_or_else(|| json.to_owned())
}
