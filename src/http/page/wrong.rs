//! What is wrong, what is held and by whom, and which scopes are read.

use super::bits::{command, long, origin, severity, since, team, time};
use super::links;
use super::look::Look;
use super::things;
use crate::daemon::status::ScopeState;
use crate::model::finding::Severity;
use crate::model::history::WriteRecord;
use crate::model::incident::{Incident, Subject};
use crate::model::order::Order;
use crate::model::plan::Guard;
use crate::report::{commands, count};
use maud::{Markup, html};
use strum::IntoEnumIterator as _;

/// Incidents that are shown whole; the rest is a number and a link.
const INCIDENTS_MAX: usize = 30;
/// Scopes that are listed, the troubled ones first.
const SCOPES_MAX: usize = 60;
const HOLDS_MAX: usize = 30;

/// Everything that is open.
pub(super) fn section(look: &Look<'_>, writes: &[(u64, WriteRecord)]) -> Markup {
    let mut open: Vec<&Incident> = look.status.incidents.iter().collect();
    open.sort_by_key(|incident| (std::cmp::Reverse(incident.severity()), incident.opened));
    let (told, minor): (Vec<&Incident>, Vec<&Incident>) =
        open.into_iter().partition(|incident| incident.severity() > Severity::Info);
    html! {
        section #wrong data-part aria-labelledby="wrong-title" {
            h2 #wrong-title { "What is wrong" }
            @if told.is_empty() { p.well { "Nothing is wrong." } }
            @for incident in told.iter().take(INCIDENTS_MAX) { (summary(look, incident, writes)) }
            @if told.len() > INCIDENTS_MAX { p { (told.len() - INCIDENTS_MAX) " more; " code.command { "wheelwright incidents" } " lists them all." } }
            @if !minor.is_empty() {
                details #minor {
                    summary { (count(minor.len(), "thing")) " worth knowing, nothing lost by it" }
                    ul { @for incident in minor.iter().take(INCIDENTS_MAX) {
                        li { a href=(links::incident(&incident.id)) { (incident.concern.code) } " " (subject(look, incident)) }
                    } }
                }
            }
            (holds(look))
            (orders(look))
            (scopes(look))
        }
    }
}

/// What an incident is about, as people call it.
pub(super) fn subject(look: &Look<'_>, incident: &Incident) -> Markup {
    match &incident.concern.subject {
        Subject::Operator => html! { "the operator itself" },
        Subject::Resource(resource) => html! {
            @if resource.kind() == "scope" { (look.scope(resource.scope())) }
            @else { (resource.kind()) " " span.id { (resource.local_name()) } " in " (look.scope(resource.scope())) }
        },
    }
}

/// One incident in short.
fn summary(look: &Look<'_>, incident: &Incident, writes: &[(u64, WriteRecord)]) -> Markup {
    let concern = &incident.concern;
    html! {
        article.incident {
            h3 { (severity(incident)) " " a href=(links::incident(&incident.id)) { (concern.code) } }
            p { (subject(look, incident)) }
            (things::diff(look, incident))
            dl.facts {
                div { dt { "Since" } dd { (time(incident.opened, look.status.at)) " (" (long(incident.lasted_ms(look.status.at))) ")" } }
                div { dt { "Done" } dd { (done(look, incident, writes)) } }
                @if let Some(name) = &concern.team { div { dt { "Team" } dd { (team(look, name)) } } }
                @if let Some(place) = &concern.origin { div { dt { "Asked for" } dd { (origin(place)) } } }
            }
        }
    }
}

/// What was done about an incident, or is.
pub(super) fn done(look: &Look<'_>, incident: &Incident, writes: &[(u64, WriteRecord)]) -> Markup {
    let own = incident.concern.subject.resource();
    let last = writes.iter().find(|(_, write)| Some(&write.resource) == own && write.at >= incident.opened);
    html! {
        @match last {
            Some((id, write)) => {
                a href=(links::write(*id)) { (things::end_in_words(write.end)) } " " (time(write.at, look.status.at))
            },
            None => (incident.concern.outcome.in_words()),
        }
    }
}

/// Plans on hold, each with its guard and what lets it go.
fn holds(look: &Look<'_>) -> Markup {
    let Some(plan) = look.status.plan.as_ref().filter(|plan| !plan.holds.is_empty()) else { return html! {} };
    html! {
        h3 { "Held" }
        @for hold in plan.holds.iter().take(HOLDS_MAX) {
            article.hold {
                p { strong { (hold.guard) } " holds " (count(hold.steps, "step"))
                    @if let Some(scope) = &hold.scope { " in " (look.scope(scope)) } ": " (hold.reason) }
                @if let Some(text) = commands::allow(hold.guard) {
                    p { "To let it go: " (command(&text)) }
                    @if hold.guard.may_be_allowed() { p.quiet { "Or exactly this plan: " (command(&format!("{} --plan-id {}", commands::APPLY, plan.id))) } }
                } @else if let Some(why) = no_command(hold.guard) { p.quiet { (why) } }
            }
        }
        @if plan.holds.len() > HOLDS_MAX { p { (plan.holds.len() - HOLDS_MAX) " more." } }
    }
}

/// What ends a hold that no command of this section ends.
fn no_command(guard: Guard) -> Option<&'static str> {
    match guard {
        Guard::Freeze => Some("It goes on by itself when the freeze ends."),
        Guard::Paused | Guard::Fight => Some("The command is below."),
        _ => Some("No command lets this go: mend what it says."),
    }
}

/// What people ordered, each with its end and the command that ends it before.
fn orders(look: &Look<'_>) -> Markup {
    let status = look.status;
    let now = status.at;
    let stops: Vec<_> = look.desired.stops.iter().filter(|stop| stop.is_active && !is_live(look, stop)).collect();
    let none = status.pauses.is_empty()
        && status.stops.is_empty()
        && stops.is_empty()
        && status.freezes.is_empty()
        && status.fights.is_empty();
    html! {
        @if !none {
            h3 { "Ordered by people" }
            ul.orders {
                @for stop in &status.stops { li { strong { "Stopped: " } (stop.subscription) ". " (order(&stop.order, look)) " " (command(&commands::start(&stop.subscription))) } }
                @for stop in &stops { li { strong { "Stopped: " } (stop.route.consumer) " until " (time(stop.stop.until, now)) ": " (stop.stop.reason) ". " (origin(&stop.stop.origin)) } }
                @for pause in &status.pauses { li { strong { "Paused: " } (pause.reach) ". " (order(&pause.order, look)) " " (command(&commands::resume(&pause.reach))) } }
                @for freeze in &status.freezes { li { strong { "Frozen: " } (freeze.name) " until " (time(freeze.until, now)) ": " (freeze.reason) } }
                @for (resource, at) in &status.fights { li { strong { "Left alone: " } span.id { (resource) } ", " (since(*at, now)) ": somebody else keeps taking it back. " (command(&commands::resume_fight(resource))) } }
            }
        }
    }
}

/// Whether the stop is one that was ordered at the daemon, which is told as such.
fn is_live(look: &Look<'_>, stop: &crate::model::desired::StoppedRoute) -> bool {
    look.status.stops.iter().any(|live| stop.route.consumer.is(&live.subscription))
}

fn order(order: &Order, look: &Look<'_>) -> Markup {
    html! { "Until " (time(order.until, look.status.at)) ", by " (order.by) ": " (order.reason) "." }
}

/// Every scope with how it was last read; those in trouble first.
fn scopes(look: &Look<'_>) -> Markup {
    let scopes = &look.status.scopes;
    let mut rows: Vec<_> = scopes.iter().collect();
    let is_well = |state: ScopeState| matches!(state, ScopeState::Complete | ScopeState::NoAccess);
    rows.sort_by_key(|(_, status)| is_well(status.state));
    let bad = rows.iter().filter(|(_, status)| !is_well(status.state)).count();
    let count_of = |state: ScopeState| scopes.values().filter(|status| status.state == state).count();
    html! {
        details #scopes open[bad > 0] {
            summary {
                h3 { "Scopes" } " "
                @for (number, state) in ScopeState::iter().filter(|state| count_of(*state) > 0).enumerate() {
                    @if number > 0 { ", " } (count_of(state)) " " (state_word(state))
                }
            }
            .table tabindex="0" role="region" aria-label="Table of scopes" {
                table {
                    thead { tr { th scope="col" { "Scope" } th scope="col" { "Mode" } th scope="col" { "Read" } th scope="col" { "Last seen" } th scope="col" { "Why not, and when again" } } }
                    tbody { @for (scope, status) in rows.iter().take(SCOPES_MAX) {
                        tr {
                            th scope="row" { (look.scope(scope)) }
                            td { (mode(look, scope)) }
                            td class=(if is_well(status.state) { "" } else { "s-drifted" }) { (state_word(status.state)) }
                            td { @if let Some(at) = status.at { (time(at, look.status.at)) } @else { "never" } }
                            td { @if let Some(why) = &status.why { (why) } @if let Some(next) = status.next { " Asked again at " (time(next, look.status.at)) "." } }
                        }
                    } }
                }
            }
            @if rows.len() > SCOPES_MAX { p.quiet { (rows.len() - SCOPES_MAX) " more; " a href="/api/v1/scopes?limit=1000" { "all as JSON" } "." } }
        }
    }
}

fn state_word(state: ScopeState) -> &'static str {
    match state {
        ScopeState::Complete => "whole",
        ScopeState::Partial => "in part",
        ScopeState::Unreachable => "not at all",
        ScopeState::Waiting => "being asked",
        ScopeState::NoAccess => "a partner's",
    }
}

/// The mode that the scope's hub, team and spoke come to.
fn mode(look: &Look<'_>, scope: &crate::model::ids::Scope) -> Markup {
    let Some(config) = look.status.config.as_ref() else { return html! {} };
    if look.desired.no_access.contains(scope) {
        return html! { "—" };
    }
    let modes = &config.settings.modes;
    let mut named: std::collections::BTreeSet<&'static str> = std::collections::BTreeSet::new();
    for hub in look.topology.hubs.iter().filter(|(_, hub)| hub.scope == *scope).map(|(name, _)| name) {
        named.insert((*modes.hubs.get(hub).unwrap_or(&modes.default)).into());
    }
    for (team, entry) in &look.topology.teams {
        for (name, spoke) in entry.spokes.iter().filter(|(_, spoke)| spoke.scope == *scope) {
            let said =
                [modes.hubs.get(&spoke.hub), modes.teams.get(team), modes.spokes.get(&(team.clone(), name.clone()))];
            named.insert((*said.into_iter().flatten().min().unwrap_or(&modes.default)).into());
        }
    }
    if named.is_empty() {
        named.insert(modes.default.into());
    }
    html! { (named.into_iter().collect::<Vec<_>>().join(", ")) }
}
