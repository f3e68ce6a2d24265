//! Does it come once: two rules that forward the same events from one bus to one hub bring each of them twice.

use super::routes::overlap;
use crate::config::diagnostic::{Diagnostic, DiagnosticCode, Sink};
use crate::config::index::Index;
use crate::expand::forwarding_buses;
use crate::model::ids::{HubName, PublicationId};
use crate::model::resource::BusId;
use crate::model::topology::{Publication, Topology, Via};
use std::collections::{BTreeMap, BTreeSet};

/// What is forwarded from a bus to a hub, by source.
type Forwards<'t> = BTreeMap<(BusId, &'t HubName, &'t str), Vec<(&'t PublicationId, &'t Publication)>>;

pub(super) fn check(topology: &Topology, index: &Index<'_>, sink: &Sink) {
    let mut forwards: Forwards<'_> = BTreeMap::new();
    let mut reported: BTreeSet<(&PublicationId, &PublicationId)> = BTreeSet::new();
    for team in topology.teams.values() {
        let forwarded = team.publications.iter().filter(|(_, publication)| publication.via == Via::Spoke);
        for (id, publication) in forwarded {
            for hub in publication.hubs.keys() {
                for bus in forwarding_buses(topology, team, publication, hub) {
                    let earlier = forwards.entry((bus.clone(), hub, &publication.source)).or_default();
                    let same = |(_, other): &&(&PublicationId, &Publication)| {
                        overlap(&publication.detail_types, &other.detail_types)
                    };
                    if let Some((other, _)) = earlier.iter().find(same)
                        && reported.insert((other, id))
                    {
                        report(other, id, publication, &bus, index, sink);
                    }
                    earlier.push((id, publication));
                }
            }
        }
    }
}

fn report(
    first: &PublicationId,
    second: &PublicationId,
    publication: &Publication,
    bus: &BusId,
    index: &Index<'_>,
    sink: &Sink,
) {
    let (Some((first_place, _)), Some((place, _))) = (index.publication(first), index.publication(second)) else {
        return;
    };
    let message = format!("`{first}` and `{second}` forward the same events of `{}` to one hub", publication.source);
    let way_out = match publication.collect {
        Some(_) => format!("take it out, and subscribe to `{first}`: its `subscribers` say who may"),
        None => "give each other `detail-types`, or make them one publication".to_owned(),
    };
    sink.push(
        Diagnostic::error(DiagnosticCode::ForwardedTwice, place, message)
            .label(format!("from bus `{}` in {}, so each event comes twice", bus.name, bus.scope))
            .also(first_place, "from there too")
            .help(way_out),
    );
}
