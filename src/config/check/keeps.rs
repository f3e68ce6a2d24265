//! What rules keep of before: one rule for each entry, and no pattern that takes less than the topology says.

use crate::config::diagnostic::{Diagnostic, DiagnosticCode, Sink};
use crate::config::index::Index;
use crate::config::keeps::RawKeeps;
use crate::eventbridge::Pattern;
use crate::expand::{forwarding_buses, pattern, publishing_accounts};
use crate::model::desired::Desired;
use crate::model::resource::{BusId, RuleId};
use crate::model::topology::{Origin, Publication, Team, Topology, Via};

pub(super) fn check(topology: &Topology, desired: &Desired, index: &Index<'_>, sink: &Sink) {
    for team in topology.teams.values() {
        for (id, publication) in &team.publications {
            let Some(raw) = index.publication(id).map(|(_, raw)| &raw.keeps) else { continue };
            of_publication(topology, team, publication, raw, desired, sink);
        }
        for (id, subscription) in &team.subscriptions {
            let entry = index.subscriptions.get(&id.to_string()).and_then(|entry| entry.body.as_ref());
            let Some(raw) = entry.map(|raw| &raw.keeps) else { continue };
            let Some(hub) = topology.hubs.get(&subscription.hub) else { continue };
            let bus = BusId { scope: hub.scope.clone(), name: hub.bus.clone() };
            one_rule(&bus, raw, &subscription.origin, desired, sink);
            if subscription.dead_letter.is_some() && raw.keeps.dead_letter.is_some() {
                let Some(place) = &raw.place else { continue };
                let message = format!("`{id}` says twice where its dead letters go");
                sink.push(
                    Diagnostic::error(DiagnosticCode::BadKeeps, place, message)
                        .label("`keeps.dead-letter` is said here, and `dead-letter` besides")
                        .help("take one of them out"),
                );
            }
            let Some(publisher) = topology.teams.get(&subscription.from.team) else { continue };
            let Some(publication) = publisher.publications.get(&subscription.from) else { continue };
            let accounts = publishing_accounts(publisher, publication, &subscription.hub);
            let asked = Pattern::from_value(&pattern::subscription(&accounts, publication, subscription));
            takes_all(raw, asked.ok().as_ref(), sink);
        }
    }
}

fn of_publication(
    topology: &Topology,
    team: &Team,
    publication: &Publication,
    raw: &RawKeeps,
    desired: &Desired,
    sink: &Sink,
) {
    let Some(place) = &raw.place else { return };
    if publication.via == Via::Hub {
        sink.push(
            Diagnostic::error(DiagnosticCode::BadKeeps, place, "this publication has no rule that could keep anything")
                .label("its publishers put events on the hub themselves")
                .help("take `keeps` out; of a publication with `via = \"spoke\"` it is what its forward rules keep"),
        );
        return;
    }
    for hub in publication.hubs.keys() {
        for bus in forwarding_buses(topology, team, publication, hub) {
            one_rule(&bus, raw, &publication.origin, desired, sink);
            takes_all(raw, Pattern::from_value(&pattern::forward(bus.scope.account, publication)).ok().as_ref(), sink);
        }
    }
}

/// Two entries with one rule would each take the other's for a mistake.
fn one_rule(bus: &BusId, raw: &RawKeeps, origin: &Origin, desired: &Desired, sink: &Sink) {
    let (Some(name), Some(place)) = (&raw.keeps.rule, &raw.rule_place) else { return };
    let rule = RuleId { bus: bus.clone(), name: name.clone() };
    let other = desired.rules.get(&rule).filter(|wanted| wanted.origin != *origin);
    if let Some(other) = other {
        let message = format!("rule `{name}` on bus `{}` in {} is kept twice", bus.name, bus.scope);
        sink.push(
            Diagnostic::error(DiagnosticCode::BadKeeps, place, message)
                .label(format!("`{}` ({}) has this rule", other.origin.entry, other.origin))
                .help("let one of the two keep it; a rule of its own is made for the other"),
        );
    }
}

/// A kept pattern may take more than is asked for, never less: routes, expectations and plans go by what is asked for.
fn takes_all(raw: &RawKeeps, asked: Option<&Pattern>, sink: &Sink) {
    let (Some(kept), Some(place), Some(asked)) = (&raw.keeps.pattern, &raw.pattern_place, asked) else { return };
    if !kept.covers(asked) {
        sink.push(
            Diagnostic::error(
                DiagnosticCode::BadKeeps,
                place,
                "this pattern takes less than is asked for here, or other events",
            )
            .label(format!("asked for is {asked}"))
            .help("take the line out, and the rule gets that pattern; or ask for less, in `detail-types` and `where`"),
        );
    }
}
