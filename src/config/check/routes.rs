//! Does it arrive: EventBridge forwards an event from bus to bus once, and drops it at the second time without a trace
//! other than a dead letter (<https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-bus-to-bus.html>).

use crate::config::diagnostic::{Diagnostic, DiagnosticCode, Sink};
use crate::config::index::Index;
use crate::expand::{forwarding_buses, publishing_accounts};
use crate::model::ids::{PublicationId, SubscriptionId};
use crate::model::topology::{Destination, Publication, Subscription, Team, Topology, Via};
use std::collections::BTreeSet;

pub(super) fn check(topology: &Topology, index: &Index<'_>, sink: &Sink) {
    for team in topology.teams.values() {
        for (id, subscription) in &team.subscriptions {
            let Some(publisher) = topology.teams.get(&subscription.from.team) else { continue };
            let Some(publication) = publisher.publications.get(&subscription.from) else { continue };
            if let Some(forwarded) = second_hop(publisher, publication, subscription) {
                let is_loop = comes_back(topology, team, subscription, forwarded);
                report_second_hop(id, subscription, forwarded, is_loop, index, sink);
            }
            detail_types(id, subscription, publication, index, sink);
        }
    }
}

/// The forwarded publication whose events `subscription` would have to forward again: its own, or another of the same
/// team with the same source, types and accounts, whose events the hub's rule cannot tell from it.
fn second_hop<'t>(
    publisher: &'t Team,
    publication: &'t Publication,
    subscription: &'t Subscription,
) -> Option<&'t PublicationId> {
    if subscription.deliver != Destination::Bus {
        return None;
    }
    let accounts = publishing_accounts(publisher, publication, &subscription.hub);
    let types =
        if subscription.detail_types.is_empty() { &publication.detail_types } else { &subscription.detail_types };
    let forwards = |(id, other): (&'t PublicationId, &'t Publication)| {
        let same = other.via == Via::Spoke
            && other.source == publication.source
            && overlap(types, &other.detail_types)
            && !publishing_accounts(publisher, other, &subscription.hub).is_disjoint(&accounts);
        same.then_some(id)
    };
    let own = publisher.publications.get(&subscription.from).and_then(|own| forwards((&subscription.from, own)));
    own.or_else(|| publisher.publications.iter().find_map(forwards))
}

/// Whether the spoke's bus that `subscription` delivers to is one that forwards `forwarded` to the same hub.
fn comes_back(topology: &Topology, team: &Team, subscription: &Subscription, forwarded: &PublicationId) -> bool {
    let to = team.spokes.get(&subscription.spoke).and_then(|spoke| Some((&spoke.scope, spoke.bus.as_ref()?)));
    let publisher = topology.teams.get(&forwarded.team);
    let publication = publisher.and_then(|publisher| publisher.publications.get(forwarded));
    let (Some((scope, name)), Some(publisher), Some(publication)) = (to, publisher, publication) else { return false };
    let buses = forwarding_buses(topology, publisher, publication, &subscription.hub);
    buses.iter().any(|bus| bus.scope == *scope && bus.name == *name)
}

/// Whether two sets of detail-types have one in common, where none means any.
pub(super) fn overlap(left: &BTreeSet<String>, right: &BTreeSet<String>) -> bool {
    left.is_empty() || right.is_empty() || !left.is_disjoint(right)
}

fn report_second_hop(
    id: &SubscriptionId,
    subscription: &Subscription,
    forwarded: &PublicationId,
    is_loop: bool,
    index: &Index<'_>,
    sink: &Sink,
) {
    let Some((_, raw)) = index.subscription(id) else { return };
    let Some((_, publication)) = index.publication(forwarded) else { return };
    let (code, message, label) = if is_loop {
        let message = format!("`{id}` would bring events back to the bus that they came from");
        (DiagnosticCode::Loop, message, "back to the bus that forwards them")
    } else {
        let message = format!("`{id}` would forward a second time, and EventBridge drops what is forwarded twice");
        (DiagnosticCode::SecondHop, message, "second hop: hub to spoke's bus")
    };
    let from = if publication.collect.is_some() { "an account's default bus" } else { "a spoke's bus" };
    let mut diagnostic = Diagnostic::error(code, &raw.deliver.place, message)
        .label(label)
        .also(&publication.via.place, format!("first hop: `{forwarded}` is forwarded from {from} to the hub"))
        .help(format!("deliver without a bus: `deliver = {{ queue = \"{}-{}\" }}`", id.team, id.name));
    if publication.collect.is_none() {
        diagnostic = diagnostic.help(format!(
            "or take the first hop away: `via = \"hub\"` in `{forwarded}`, and its publishers call PutEvents on the hub's bus"
        ));
    }
    if *forwarded != subscription.from {
        diagnostic = diagnostic.help(format!(
            "`{forwarded}` has the source and detail-types of `{}`: the hub cannot tell them apart",
            subscription.from
        ));
    }
    sink.push(diagnostic.resting_on(&forwarded.team));
}

/// A subscription to what its publication never says would match nothing, for ever.
fn detail_types(
    id: &SubscriptionId,
    subscription: &Subscription,
    publication: &Publication,
    index: &Index<'_>,
    sink: &Sink,
) {
    if publication.detail_types.is_empty() {
        return;
    }
    let Some((_, raw)) = index.subscription(id) else { return };
    for written in raw.detail_types.iter().filter(|written| !publication.detail_types.contains(&written.value)) {
        let message = format!("`{}` has no detail-type `{}`", subscription.from, written.value);
        let known: Vec<String> = publication.detail_types.iter().map(|text| format!("`{text}`")).collect();
        let mut diagnostic = Diagnostic::error(DiagnosticCode::UnknownDetailType, &written.place, message)
            .label("this would never match");
        if let Some((_, publication)) = index.publication(&subscription.from)
            && let Some(first) = publication.detail_types.first()
        {
            diagnostic = diagnostic.also(&first.place, "what it publishes is named here");
        }
        diagnostic = diagnostic.did_you_mean(&written.value, publication.detail_types.iter().map(String::as_str));
        if diagnostic.help.is_empty() {
            diagnostic = diagnostic.help(format!("it has {}", known.join(", ")));
        }
        sink.push(diagnostic.resting_on(&subscription.from.team));
    }
}
