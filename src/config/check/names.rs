//! Whose is it: one owner for a bus and for a source at a hub; accounts and teams that do nothing.

use crate::config::diagnostic::{Diagnostic, DiagnosticCode, Sink};
use crate::config::index::Index;
use crate::config::source::Place;
use crate::model::ids::{HubName, TeamName};
use crate::model::resource::BusId;
use crate::model::topology::{Access, Topology};
use std::collections::{BTreeMap, BTreeSet};

pub(super) fn check(topology: &Topology, index: &Index<'_>, sink: &Sink) {
    buses(topology, index, sink);
    sources(topology, index, sink);
    partitions(topology, index, sink);
    unused(topology, index, sink);
}

/// Two hubs or spokes on one bus would each take the other's rules and grants for their own.
fn buses(topology: &Topology, index: &Index<'_>, sink: &Sink) {
    let mut hubs: BTreeMap<BusId, (String, &Place)> = BTreeMap::new();
    for (name, hub) in &topology.hubs {
        let Some(entry) = index.hubs.get(name.as_str()) else { continue };
        let place = entry.body.as_ref().map_or(&entry.place, |raw| &raw.bus.place);
        let bus = BusId { scope: hub.scope.clone(), name: hub.bus.clone() };
        match hubs.get(&bus) {
            Some(first) => sink.push(one_bus(&format!("hub `{name}`"), place, first, &bus)),
            None => {
                hubs.insert(bus, (format!("hub `{name}`"), place));
            }
        }
    }
    let mut spokes: BTreeMap<BusId, (String, &Place)> = BTreeMap::new();
    for (team_name, team) in &topology.teams {
        for (name, spoke) in &team.spokes {
            let Some(entry) = index.spokes.get(&format!("{team_name}.{name}")) else { continue };
            let Some(written) = entry.body.as_ref().and_then(|raw| raw.bus.as_ref()) else { continue };
            let bus = BusId { scope: spoke.scope.clone(), name: written.value.clone() };
            let what = format!("spoke `{name}` of team `{team_name}`");
            if let Some((hub, place)) = hubs.get(&bus) {
                sink.push(
                    Diagnostic::error(DiagnosticCode::HubAsSpoke, &written.place, format!("{what} is {hub}"))
                        .label("events that go out here would come in again")
                        .also(place, "the same bus as a hub")
                        .help("give the spoke a bus of its own"),
                );
            } else if let Some(first) = spokes.get(&bus) {
                sink.push(one_bus(&what, &written.place, first, &bus));
            } else {
                spokes.insert(bus, (what, &written.place));
            }
        }
    }
}

fn one_bus(what: &str, place: &Place, first: &(String, &Place), bus: &BusId) -> Diagnostic {
    let (other, other_place) = first;
    Diagnostic::error(DiagnosticCode::DuplicateBus, place, format!("{what} and {other} are one bus"))
        .label(format!("this is `{}` in {}", bus.name, bus.scope))
        .also(other_place, format!("taken by {other}"))
        .help("give one of them a bus of its own: it is created for you")
}

/// One source at a hub has one owner: rules are pinned to who publishes, and two would each miss half of the events.
fn sources(topology: &Topology, index: &Index<'_>, sink: &Sink) {
    let mut owners: BTreeMap<(&HubName, &str), (&TeamName, &Place)> = BTreeMap::new();
    let mut reported: BTreeSet<(&str, &TeamName, &TeamName)> = BTreeSet::new();
    for (team_name, team) in &topology.teams {
        // AWS services' own events are nobody's.
        let own = team.publications.iter().filter(|(_, publication)| publication.collect.is_none());
        for (id, publication) in own {
            let Some((_, raw)) = index.publication(id) else { continue };
            for hub in publication.hubs.keys() {
                let (owner, place) =
                    *owners.entry((hub, &publication.source)).or_insert((team_name, &raw.source.place));
                if owner == team_name || !reported.insert((&publication.source, owner, team_name)) {
                    continue;
                }
                let message =
                    format!("teams `{owner}` and `{team_name}` both publish `{}` at hub `{hub}`", publication.source);
                sink.push(
                    Diagnostic::error(DiagnosticCode::SourceTwoOwners, &raw.source.place, message)
                        .label(format!("team `{team_name}` publishes it here"))
                        .also(place, format!("team `{owner}` publishes it here"))
                        .help("give each team a source of its own")
                        .help("or let one team own it, and name the other's account under its `accounts`"),
                );
            }
        }
    }
}

/// One operator's credentials are of one partition of AWS, and no role can be assumed from another.
fn partitions(topology: &Topology, index: &Index<'_>, sink: &Sink) {
    let place = |name: &HubName| {
        index.hubs.get(name.as_str()).and_then(|entry| entry.body.as_ref()).map(|raw| &raw.region.place)
    };
    let mut hubs = topology.hubs.iter();
    let Some((first_name, first)) = hubs.next() else { return };
    for (name, hub) in hubs.filter(|(_, hub)| hub.scope.region.partition() != first.scope.region.partition()) {
        let (Some(here), Some(there)) = (place(name), place(first_name)) else { continue };
        let message = format!("hubs `{first_name}` and `{name}` are in different partitions of AWS");
        sink.push(
            Diagnostic::error(DiagnosticCode::CrossPartition, here, message)
                .label(format!("this is in `{}`", hub.scope.region.partition()))
                .also(there, format!("this is in `{}`", first.scope.region.partition()))
                .help("credentials of one partition are not valid in another: give each a topology and an operator"),
        );
    }
}

fn unused(topology: &Topology, index: &Index<'_>, sink: &Sink) {
    for entry in index.teams.values() {
        if let Some(raw) = &entry.body
            && raw.spokes.is_empty()
            && raw.publications.is_empty()
            && raw.subscriptions.is_empty()
        {
            let message = format!("team `{}` has no spoke", entry.text);
            sink.push(
                Diagnostic::warning(DiagnosticCode::TeamWithoutSpokes, &entry.place, message)
                    .label("it neither publishes nor receives")
                    .help("add `[spoke.NAME]`, or take the file out"),
            );
        }
    }
    let mut used = BTreeSet::new();
    used.extend(topology.hubs.values().map(|hub| hub.scope.account));
    for team in topology.teams.values() {
        used.extend(team.spokes.values().map(|spoke| spoke.scope.account));
        used.extend(team.publications.values().flat_map(|publication| publication.accounts.iter().copied()));
    }
    if sink.has_errors() {
        return; // What uses it may be left out for its own mistake.
    }
    for (name, account) in &topology.accounts {
        let Some(entry) = index.accounts.get(name.as_str()) else { continue };
        if account.access == Access::None && !used.contains(&account.id) {
            sink.push(
                Diagnostic::warning(
                    DiagnosticCode::UnusedAccount,
                    &entry.place,
                    format!("nothing uses account `{name}`"),
                )
                .label("it may not be touched, so naming it does nothing")
                .help("take it out; an account of your own would stay, to be swept"),
            );
        }
    }
}
