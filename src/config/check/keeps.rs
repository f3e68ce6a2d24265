//! What rules keep of before: one rule for each entry, and no pattern that takes less than the topology says.

use crate::config::diagnostic::{Diagnostic, DiagnosticCode, Sink};
use crate::config::index::Index;
use crate::config::keeps::RawKeeps;
use crate::config::source::Place;
use crate::eventbridge::Pattern;
use crate::expand::{forwarding_buses, pattern, publishing_accounts};
use crate::model::resource::{BusId, RuleId};
use crate::model::topology::{Origin, Publication, Team, Topology, Via};
use std::collections::BTreeMap;

pub(super) fn check(topology: &Topology, index: &Index<'_>, sink: &Sink) {
    let mut kept = Kept::new();
    for team in topology.teams.values() {
        for (id, publication) in &team.publications {
            let Some(raw) = index.publication(id).map(|(_, raw)| &raw.keeps) else { continue };
            of_publication(topology, team, publication, raw, &mut kept, sink);
        }
        for (id, subscription) in &team.subscriptions {
            let entry = index.subscriptions.get(&id.to_string()).and_then(|entry| entry.body.as_ref());
            let Some(raw) = entry.map(|raw| &raw.keeps) else { continue };
            let Some(hub) = topology.hubs.get(&subscription.hub) else { continue };
            let bus = BusId { scope: hub.scope.clone(), name: hub.bus.clone() };
            keep(&bus, raw, &subscription.origin, &mut kept, sink);
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
    one_rule(&kept, sink);
}

fn of_publication(
    topology: &Topology,
    team: &Team,
    publication: &Publication,
    raw: &RawKeeps,
    kept: &mut Kept,
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
            keep(&bus, raw, &publication.origin, kept, sink);
            takes_all(raw, Pattern::from_value(&pattern::forward(bus.scope.account, publication)).ok().as_ref(), sink);
        }
    }
}

/// Each rule that is kept, with every place that keeps it.
type Kept = BTreeMap<RuleId, Vec<(Place, Origin)>>;

fn keep(bus: &BusId, raw: &RawKeeps, origin: &Origin, kept: &mut Kept, sink: &Sink) {
    let (Some(name), Some(place)) = (&raw.keeps.rule, &raw.rule_place) else { return };
    if name.starts_with("ww.") {
        sink.push(
            Diagnostic::error(
                DiagnosticCode::BadKeeps,
                place,
                format!("`{name}` is the name of a rule that wheelwright made"),
            )
            .label("some entry of the topology has it, or had it")
            .help("take the line out; `[[moved]]` keeps the rule of an entry that was renamed"),
        );
        return;
    }
    let rule = RuleId { bus: bus.clone(), name: name.clone() };
    kept.entry(rule).or_default().push((place.clone(), origin.clone()));
}

/// Two entries with one rule would each take the other's for a mistake, and one of them would have it. Nobody can tell whose it is, so
/// it is told to all of them.
fn one_rule(kept: &Kept, sink: &Sink) {
    for (rule, places) in kept.iter().filter(|(_, places)| places.len() > 1) {
        for (at, (place, _)) in places.iter().enumerate() {
            let others = places.iter().enumerate().filter(|(other, _)| *other != at);
            let others: Vec<String> = others.map(|(_, (_, origin))| format!("`{}` ({origin})", origin.entry)).collect();
            let message =
                format!("rule `{}` on bus `{}` in {} is kept twice", rule.name, rule.bus.name, rule.bus.scope);
            sink.push(
                Diagnostic::error(DiagnosticCode::BadKeeps, place, message)
                    .label(format!("{} has this rule too", others.join(", ")))
                    .help("let one of them keep it; a rule of its own is made for the other"),
            );
        }
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
