//! One route, hop by hop: who publishes and may, which rule takes it, with what role, where it goes and may.

use super::super::routes::RouteState;
use super::bits::{badge, icon, origin, since, team, thing_badge};
use super::headline::short;
use super::look::{Look, Row, Thing};
use super::{table, things, wrong};
use crate::model::history::WriteRecord;
use crate::model::ids::AccountId;
use crate::model::resource::{BusId, ResourceId, RuleId, TargetSpec};
use crate::model::route::Consumer;
use crate::model::topology::{Origin, Via};
use crate::report::commands;
use maud::{Markup, html};

/// The page's content.
pub(super) fn content(look: &Look<'_>, row: &Row<'_>, writes: &[(u64, WriteRecord)]) -> Markup {
    let why = look.standing.why(row.id, row.path, row.state);
    html! {
        section #route data-part {
            p.crumbs { a href="/#routes" { "Routes" } }
            h1 #headline { (row.id) }
            p.facts {
                span { (badge(row.state)) }
                span { (origin(&row.path.origin)) }
                span { "Topology " code { (short(&look.desired.revision.id)) } }
                @if let Some(incident) = look.status.incidents.iter().filter(|incident| concerns(look, row, incident)).min_by_key(|incident| incident.opened) { span { (since(incident.opened, look.status.at)) } }
            }
            @if !why.is_empty() { ul.why { @for why in &why { li { (why) } } } }
            (ways_on(look, row))
        }
        section #path data-part aria-labelledby="path-title" {
            h2 #path-title { "Its path, hop by hop" }
            ol.hops { (publishers(look, row)) (forwards(look, row)) (hub(look, row)) (rule(look, row)) (delivery(look, row)) (destination(look, row)) }
        }
        (written(look, row, writes))
    }
}

fn concerns(look: &Look<'_>, row: &Row<'_>, incident: &crate::model::incident::Incident) -> bool {
    incident.concern.subject.resource().is_some_and(|resource| resources(look, row).contains(resource))
}

/// Everything that the route stands on.
fn resources(look: &Look<'_>, row: &Row<'_>) -> Vec<ResourceId> {
    let path = row.path;
    let grants = look.desired.grants.iter().filter(|(_, wanted)| wanted.routes.contains(row.id));
    let grants = grants.map(|((bus, sid), _)| ResourceId::Grant(bus.clone(), sid.clone()));
    let rules = path.forward_rules.iter().chain([&path.rule]);
    let targets = rules.clone().flat_map(|rule| {
        let wanted = look.desired.rules.get(rule);
        wanted
            .into_iter()
            .flat_map(|wanted| wanted.spec.targets.keys())
            .map(|id| ResourceId::Target(rule.clone(), id.clone()))
    });
    let buses = std::iter::once(&path.hub_bus)
        .chain(&path.destination_bus)
        .chain(path.forward_rules.iter().map(|rule| &rule.bus));
    grants
        .chain(rules.clone().map(|rule| ResourceId::Rule(rule.clone())))
        .chain(targets)
        .chain(buses.map(|bus| ResourceId::Bus(bus.clone())))
        .collect()
}

/// What lets it go on, where a person holds it off at the daemon.
fn ways_on(look: &Look<'_>, row: &Row<'_>) -> Markup {
    let Consumer::Subscription(id) = &row.id.consumer else { return html! {} };
    html! {
        @if look.status.stops.iter().any(|stop| stop.subscription == *id) {
            p { "To let it go on before its time: " (super::bits::command(&commands::start(id))) }
        }
    }
}

/// One hop: a heading with its state, what it is, and where it is asked for.
fn hop(title: &str, state: &Markup, place: Option<&Origin>, body: &Markup) -> Markup {
    html! {
        li {
            .hop-head { h3 { (title) } " " (state) }
            (body)
            @if let Some(place) = place { p { (origin(place)) } }
        }
    }
}

fn publishers(look: &Look<'_>, row: &Row<'_>) -> Markup {
    let path = row.path;
    let publication =
        row.id.publication.as_ref().and_then(|id| look.topology.teams.get(&id.team)?.publications.get(id));
    let way = match path.via {
        Via::Hub => "They call PutEvents on the hub's bus.",
        Via::Spoke => "They call PutEvents on their own bus, whose rule forwards.",
    };
    let accounts: Vec<String> = path.publisher_accounts.iter().map(|account| look.account(*account)).collect();
    let body = html! {
        @if let Some(name) = &path.publisher { p { "Team " (team(look, name)) } }
        @if let Some(publication) = publication {
            p { "Source " code { (publication.source) } @if !publication.detail_types.is_empty() { ", " (publication.detail_types.iter().cloned().collect::<Vec<_>>().join(", ")) } }
        } @else { p { "Everything that is published at the hub." } }
        p { "Accounts " (accounts.join(", ")) ". " (way) }
        (grants(look, row, &path.hub_bus, "May put events on the hub's bus"))
    };
    let granted =
        look.desired.grants.iter().filter(|((on, _), wanted)| *on == path.hub_bus && wanted.routes.contains(row.id));
    let things = granted.map(|((bus, sid), _)| look.thing(&ResourceId::Grant(bus.clone(), sid.clone())));
    let worst = things.into_iter().find(|thing| *thing != Thing::Right).unwrap_or(Thing::Right);
    hop("Publisher", &thing_badge(worst), publication.map(|publication| &publication.origin), &body)
}

/// The statements on a bus that this route needs.
fn grants(look: &Look<'_>, row: &Row<'_>, bus: &BusId, title: &str) -> Markup {
    let here = look.desired.grants.iter().filter(|((on, _), wanted)| on == bus && wanted.routes.contains(row.id));
    let all: Vec<_> = here.collect();
    let own = bus.scope.account;
    html! {
        @if all.is_empty() { p.quiet { (title) ": no statement is needed, it is the account's own (" (look.account(own)) ")." } }
        @else { p { (title) ":" } ul.grants {
            @for ((bus, sid), wanted) in all {
                @let resource = ResourceId::Grant(bus.clone(), sid.clone());
                li { (grantee(look, &wanted.spec)) " " (thing_badge(look.thing(&resource))) " " span.quiet.id { (sid) } " " (origin(&wanted.origin)) }
            }
        } }
    }
}

fn grantee(look: &Look<'_>, grantee: &crate::model::resource::Grantee) -> String {
    match grantee {
        crate::model::resource::Grantee::Account(account) => named(look, *account),
        crate::model::resource::Grantee::Organization(id) => format!("every account of organisation {id}"),
    }
}

fn named(look: &Look<'_>, account: AccountId) -> String {
    let name = look.account(account);
    if name == account.to_string() { name } else { format!("{name} ({account})") }
}

fn forwards(look: &Look<'_>, row: &Row<'_>) -> Markup {
    html! {
        @for rule in &row.path.forward_rules {
            @let place = look.desired.rules.get(rule).map(|wanted| &wanted.origin);
            (hop("Forward", &rule_state(look, rule), place, &html! { (rule_body(look, rule)) (targets(look, rule)) }))
        }
    }
}

fn hub(look: &Look<'_>, row: &Row<'_>) -> Markup {
    let bus = &row.path.hub_bus;
    let resource = ResourceId::Bus(bus.clone());
    let place = look.topology.hubs.get(&row.path.hub).map(|hub| &hub.origin);
    let body = html! { p { "Bus " code { (bus.name) } " in " (look.scope(&bus.scope)) } };
    hop(&format!("Hub {}", row.path.hub), &thing_badge(look.thing(&resource)), place, &body)
}

/// A rule with its targets: where either is wrong, the route is.
fn rule_state(look: &Look<'_>, rule: &RuleId) -> Markup {
    let own = look.thing(&ResourceId::Rule(rule.clone()));
    if own != Thing::Right {
        return thing_badge(own);
    }
    let wanted = look.desired.rules.get(rule);
    let targets = wanted.into_iter().flat_map(|wanted| wanted.spec.targets.keys());
    let of_targets = targets.map(|id| look.thing(&ResourceId::Target(rule.clone(), id.clone())));
    thing_badge(of_targets.into_iter().find(|thing| *thing != Thing::Right).unwrap_or(Thing::Right))
}

fn rule_body(look: &Look<'_>, rule: &RuleId) -> Markup {
    html! {
        p { "Rule " code { (rule.name) } " on bus " (rule.bus.name) " in " (look.scope(&rule.bus.scope)) }
        (things::whole(look, &ResourceId::Rule(rule.clone())))
    }
}

fn rule(look: &Look<'_>, row: &Row<'_>) -> Markup {
    let place = look.desired.rules.get(&row.path.rule).map(|wanted| &wanted.origin);
    hop("Rule and pattern", &rule_state(look, &row.path.rule), place, &rule_body(look, &row.path.rule))
}

fn spec<'a>(look: &Look<'a>, rule: &RuleId) -> impl Iterator<Item = (&'a String, &'a TargetSpec)> {
    look.desired.rules.get(rule).into_iter().flat_map(|wanted| &wanted.spec.targets)
}

fn targets(look: &Look<'_>, rule: &RuleId) -> Markup {
    let asked = |arn: &Option<String>, none: &str| arn.clone().unwrap_or_else(|| none.to_owned());
    html! {
        @for (_, target) in spec(look, rule) {
            p { "Role " code { (asked(&target.role_arn, "none: the destination's own policy lets EventBridge in")) } }
            p { "Dead letters to " code { (asked(&target.dead_letter_arn, "nowhere")) } }
        }
    }
}

fn delivery(look: &Look<'_>, row: &Row<'_>) -> Markup {
    let rule = &row.path.rule;
    let live = look.status.world.rule(rule).and_then(|live| live.targets.as_ref()?.get(&row.path.target_id));
    let asked = spec(look, rule).find(|(id, _)| **id == row.path.target_id).map(|(_, target)| target);
    let same = |one: Option<&Option<String>>, other: Option<&Option<String>>| one == other && other.is_some();
    let (role, letters) = (
        same(asked.map(|spec| &spec.role_arn), live.map(|live| &live.spec.role_arn)),
        same(asked.map(|spec| &spec.dead_letter_arn), live.map(|live| &live.spec.dead_letter_arn)),
    );
    let state = if role && letters {
        html! { span class="badge s-delivering" { (icon(RouteState::Delivering)) "as asked" } }
    } else {
        rule_state(look, rule)
    };
    let body = html! {
        (targets(look, rule))
        p.quiet { "Whether the role may deliver and the queue takes dead letters: " code.command { "wheelwright doctor" } "." }
    };
    hop("Role and dead letter", &state, None, &body)
}

fn destination(look: &Look<'_>, row: &Row<'_>) -> Markup {
    let path = row.path;
    let team_name = match &row.id.consumer {
        Consumer::Subscription(id) => Some(&id.team),
        Consumer::Audit(_) => None,
    };
    let body = html! {
        p { (table::destination(look, row)) " " span.quiet.id { (path.destination_arn) } }
        @if let Some(name) = team_name { p { "Team " (team(look, name)) } }
        @if let Some(bus) = &path.destination_bus { (grants(look, row, bus, "The hub's account may put events there")) }
        @else { p.quiet { "Its own policy is not read; " code.command { "wheelwright doctor" } " prints what it needs." } }
    };
    let (state, place) = match &path.destination_bus {
        Some(bus) => {
            let resource = ResourceId::Bus(bus.clone());
            (thing_badge(look.thing(&resource)), look.desired.buses.get(bus).map(|wanted| &wanted.origin))
        }
        None => (html! { span class="badge s-unread" { (icon(RouteState::Unread)) "not read" } }, Some(&path.origin)),
    };
    hop("Destination", &state, place, &body)
}

/// What was last written to any of it.
fn written(look: &Look<'_>, row: &Row<'_>, writes: &[(u64, WriteRecord)]) -> Markup {
    const WRITES_MAX: usize = 10;
    let own = resources(look, row);
    let on_it: Vec<_> = writes.iter().filter(|(_, write)| own.contains(&write.resource)).take(WRITES_MAX).collect();
    let open: Vec<_> = look.status.incidents.iter().filter(|incident| concerns(look, row, incident)).collect();
    html! {
        section #route-past data-part aria-labelledby="past-title" {
            h2 #past-title { "What is wrong with it, and what was done" }
            @if open.is_empty() { p.well { "Nothing is wrong with it." } }
            @for incident in open { article.incident {
                h3 { (super::bits::severity(incident)) " " a href=(super::links::incident(&incident.id)) { (incident.concern.code) } }
                (things::diff(look, incident)) p { (wrong::done(look, incident, writes)) }
            } }
            @if !on_it.is_empty() { ul { @for (id, write) in on_it {
                li { (super::bits::time(write.at, look.status.at)) " " (super::happened::write_in_short(look, *id, write)) }
            } } }
        }
    }
}
