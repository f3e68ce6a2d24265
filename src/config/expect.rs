//! The topology's own unit tests: an event, who publishes it, and exactly whom it reaches.
//!
//! The event goes through the rules that will be written, by the matcher that holds them against EventBridge's rules:
//! forward rules first where the publication comes by its spokes, then the hubs' rules.

use super::diagnostic::{Diagnostic, DiagnosticCode, Sink};
use super::index::{Index, Resolver};
use super::raw::RawExpectation;
use super::source::Written;
use crate::expand::publishing_accounts;
use crate::model::desired::Desired;
use crate::model::ids::{AccountId, HubName, Region, SubscriptionId};
use crate::model::resource::BusId;
use crate::model::route::Consumer;
use crate::model::topology::{Publication, Team, Topology, Via};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

/// Runs every expectation.
pub(super) fn check(topology: &Topology, desired: &Desired, index: &Index<'_>, sink: &Sink) {
    let teams = index.teams.values().filter_map(|entry| entry.body.as_ref());
    for raw in teams.flat_map(|team| &team.expectations) {
        run(raw, topology, desired, index, sink);
    }
}

fn run(raw: &RawExpectation, topology: &Topology, desired: &Desired, index: &Index<'_>, sink: &Sink) -> Option<()> {
    let resolver = Resolver { sink, has_holes: index.raw.has_holes };
    let id = &raw.published_by.value;
    let team = resolver.find(
        "team",
        DiagnosticCode::UnknownTeam,
        &Written { value: id.team.clone(), place: raw.published_by.place.clone() },
        &topology.teams,
        &index.teams,
    )?;
    let publication = resolver.find(
        "publication",
        DiagnosticCode::UnknownPublication,
        &raw.published_by,
        &team.publications,
        &index.publications,
    )?;
    let mut expected = BTreeSet::new();
    let mut all_known = true;
    for written in &raw.reaches {
        let text = written.value.to_string();
        if index.subscriptions.contains_key(&text) {
            expected.insert(written.value.clone());
        } else {
            all_known = false;
            let code = DiagnosticCode::UnknownSubscription;
            resolver.unknown("subscription", code, &written.place, &text, &index.subscriptions);
        }
    }
    let detail_type = raw.event.get("detail-type").and_then(Value::as_str).unwrap_or_default();
    if !publication.detail_types.is_empty() && !publication.detail_types.contains(detail_type) {
        let message = format!("`{id}` does not publish `{detail_type}`");
        let known: Vec<String> = publication.detail_types.iter().map(|text| format!("`{text}`")).collect();
        sink.push(
            Diagnostic::error(DiagnosticCode::BadExpect, &raw.event_place, message)
                .label("this event never comes")
                .help(format!("it publishes {}", known.join(", "))),
        );
        return None;
    }
    if all_known {
        compare(raw, &expected, &reached(raw, team, publication, desired), sink);
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
    desired: &Desired,
) -> BTreeSet<SubscriptionId> {
    let mut reached = BTreeSet::new();
    for hub in publication.hubs.keys() {
        let mut at_hub = desired.routes.iter().filter(|(_, route)| route.hub == *hub).peekable();
        let Some((_, first)) = at_hub.peek() else { continue };
        let arrivals = arrivals(raw, team, publication, hub, &first.hub_bus, desired);
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
    team: &Team,
    publication: &Publication,
    hub: &HubName,
    hub_bus: &BusId,
    desired: &Desired,
) -> Vec<Value> {
    match publication.via {
        Via::Hub => publishing_accounts(team, publication, hub)
            .into_iter()
            .map(|account| event(raw, publication, account, &hub_bus.scope.region))
            .collect(),
        Via::Spoke => publication
            .hubs
            .get(hub)
            .into_iter()
            .flatten()
            .filter_map(|name| team.spokes.get(name))
            .filter_map(|spoke| {
                let event = event(raw, publication, spoke.scope.account, &spoke.scope.region);
                let bus = BusId { scope: spoke.scope.clone(), name: spoke.bus.clone()? };
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
