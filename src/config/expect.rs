//! The topology's own unit tests: an event, who publishes it, and exactly whom it reaches.
//!
//! The event goes through the rules that will be written, by the matcher that holds them against EventBridge's rules:
//! forward rules first where the publication comes by its spokes, then the hubs' rules. Where a team's file has errors, the
//! others' expectations hold for what is left: whether an event reaches that team is not asked.

use super::diagnostic::{Diagnostic, DiagnosticCode, Sink};
use super::index::{Index, Resolver};
use super::raw::RawExpectation;
use super::source::Written;
use crate::expand::{forwarding_buses, publishing_accounts};
use crate::model::desired::Desired;
use crate::model::ids::{AccountId, HubName, Region, SubscriptionId};
use crate::model::resource::BusId;
use crate::model::route::Consumer;
use crate::model::topology::{Publication, Team, Topology, Via};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

/// Reports expectations that name what is not there, or an event that never comes.
pub(super) fn check_names(topology: &Topology, index: &Index<'_>, sink: &Sink) {
    for raw in expectations(topology, index) {
        check_name(raw, topology, index, sink);
    }
}

/// Runs every expectation of the teams in `topology`, which is what can be used of it.
pub(super) fn run(topology: &Topology, desired: &Desired, index: &Index<'_>, sink: &Sink) {
    for raw in expectations(topology, index) {
        let Some(team) = topology.teams.get(&raw.published_by.value.team) else { continue };
        let Some(publication) = team.publications.get(&raw.published_by.value) else { continue };
        let is_there = |id: &&SubscriptionId| {
            topology.teams.get(&id.team).is_some_and(|team| team.subscriptions.contains_key(*id))
        };
        let expected = raw.reaches.iter().map(|written| &written.value).filter(is_there).cloned().collect();
        compare(raw, &expected, &reached(raw, team, publication, topology, desired), sink);
    }
}

fn expectations<'r>(topology: &Topology, index: &Index<'r>) -> Vec<&'r RawExpectation> {
    let teams = topology.teams.keys().filter_map(|name| index.teams.get(name.as_str())?.body.as_ref());
    teams.flat_map(|team| &team.expectations).collect()
}

fn check_name(raw: &RawExpectation, topology: &Topology, index: &Index<'_>, sink: &Sink) -> Option<()> {
    let resolver = Resolver::new(index, sink);
    for written in &raw.reaches {
        let (id, text) = (&written.value, written.value.to_string());
        if !index.subscriptions.contains_key(&text) && !index.has_holes(id.team.as_str()) {
            let code = DiagnosticCode::UnknownSubscription;
            let unknown = Resolver::unknown("subscription", code, &written.place, &text, &index.subscriptions);
            sink.push(unknown.resting_on(&id.team));
        }
    }
    let id = &raw.published_by.value;
    let team = resolver.find(
        "team",
        DiagnosticCode::UnknownTeam,
        &Written { value: id.team.clone(), place: raw.published_by.place.clone() },
        &topology.teams,
        &index.teams,
    )?;
    let text = id.to_string();
    if !index.publications.contains_key(&text) && !index.has_holes(id.team.as_str()) {
        let (code, place) = (DiagnosticCode::UnknownPublication, &raw.published_by.place);
        let unknown = Resolver::unknown("publication", code, place, &text, &index.publications);
        sink.push(unknown.resting_on(&id.team));
    }
    let publication = team.publications.get(id)?;
    let detail_type = raw.event.get("detail-type").and_then(Value::as_str).unwrap_or_default();
    if !publication.detail_types.is_empty() && !publication.detail_types.contains(detail_type) {
        let message = format!("`{id}` does not publish `{detail_type}`");
        let known: Vec<String> = publication.detail_types.iter().map(|text| format!("`{text}`")).collect();
        sink.push(
            Diagnostic::error(DiagnosticCode::BadExpect, &raw.event_place, message)
                .label("this event never comes")
                .help(format!("it publishes {}", known.join(", ")))
                .resting_on(&id.team),
        );
    }
    Some(())
}

fn compare(raw: &RawExpectation, expected: &BTreeSet<SubscriptionId>, reached: &BTreeSet<SubscriptionId>, sink: &Sink) {
    if expected == reached {
        return;
    }
    let list = |ids: &BTreeSet<SubscriptionId>| {
        if ids.is_empty() {
            return "nobody".to_owned();
        }
        ids.iter().map(|id| format!("`{id}`")).collect::<Vec<_>>().join(", ")
    };
    let name = raw.name.value.strip_prefix("expect.").unwrap_or(&raw.name.value);
    let mut diagnostic = Diagnostic::error(
        DiagnosticCode::ExpectFailed,
        &raw.reaches_place,
        format!("expectation `{name}` does not hold"),
    )
    .label(format!("the event reaches {}", list(reached)))
    .also(&raw.event_place, "this event");
    let missing: BTreeSet<SubscriptionId> = expected.difference(reached).cloned().collect();
    let surplus: BTreeSet<SubscriptionId> = reached.difference(expected).cloned().collect();
    if !missing.is_empty() {
        diagnostic = diagnostic.help(format!("expected, and not reached: {}", list(&missing)));
    }
    if !surplus.is_empty() {
        diagnostic = diagnostic.help(format!("reached, and not expected: {}", list(&surplus)));
    }
    sink.push(diagnostic);
}

/// Every subscription that gets the event, whichever of its accounts publishes it at whichever of its hubs.
fn reached(
    raw: &RawExpectation,
    team: &Team,
    publication: &Publication,
    topology: &Topology,
    desired: &Desired,
) -> BTreeSet<SubscriptionId> {
    let mut reached = BTreeSet::new();
    for hub in publication.hubs.keys() {
        let mut at_hub = desired.routes.iter().filter(|(_, route)| route.hub == *hub).peekable();
        let Some((_, first)) = at_hub.peek() else { continue };
        let arrivals = arrivals(raw, (topology, team, publication), hub, &first.hub_bus, desired);
        for (id, route) in at_hub {
            let Consumer::Subscription(subscription) = &id.consumer else { continue };
            let Some(rule) = desired.rules.get(&route.rule) else { continue };
            if arrivals.iter().any(|event| rule.spec.pattern.matches(event)) {
                reached.insert(subscription.clone());
            }
        }
    }
    reached
}

/// The event as it comes to `hub`: once from each publishing account.
fn arrivals(
    raw: &RawExpectation,
    (topology, team, publication): (&Topology, &Team, &Publication),
    hub: &HubName,
    hub_bus: &BusId,
    desired: &Desired,
) -> Vec<Value> {
    match publication.via {
        Via::Hub => publishing_accounts(team, publication, hub)
            .into_iter()
            .map(|account| event(raw, publication, account, &hub_bus.scope.region))
            .collect(),
        Via::Spoke => forwarding_buses(topology, team, publication, hub)
            .into_iter()
            .filter_map(|bus| {
                let event = event(raw, publication, bus.scope.account, &bus.scope.region);
                is_forwarded(&event, &bus, hub_bus, desired).then_some(event)
            })
            .collect(),
    }
}

fn is_forwarded(event: &Value, from: &BusId, to: &BusId, desired: &Desired) -> bool {
    let arn = to.arn();
    desired.rules.iter().any(|(rule, wanted)| {
        rule.bus == *from
            && wanted.spec.targets.values().any(|target| target.arn == arn)
            && wanted.spec.pattern.matches(event)
    })
}

/// The whole envelope of the event that an expectation describes.
fn event(raw: &RawExpectation, publication: &Publication, account: AccountId, region: &Region) -> Value {
    let mut event = Map::new();
    event.insert("version".into(), json!("0"));
    event.insert("id".into(), json!("00000000-0000-0000-0000-000000000000"));
    event.insert("source".into(), json!(publication.source));
    event.insert("account".into(), json!(account.to_string()));
    event.insert("time".into(), json!("2026-01-01T00:00:00Z"));
    event.insert("region".into(), json!(region.as_str()));
    event.insert("resources".into(), json!([]));
    event.insert("detail".into(), json!({}));
    for (key, value) in &raw.event {
        event.insert(key.clone(), value.clone());
    }
    Value::Object(event)
}
