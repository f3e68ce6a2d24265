//! Which hub and which spokes a thing is about, and so whether the daemon writes it.

use crate::model::desired::Desired;
use crate::model::ids::{HubName, Scope, SpokeName, TeamName};
use crate::model::resource::{BusId, ResourceId};
use crate::model::route::RouteId;
use crate::model::settings::{Mode, Modes};
use crate::model::topology::Topology;
use std::collections::{BTreeMap, BTreeSet};

/// Which hub and which spokes a step concerns, by the topology.
#[derive(Clone, Debug, Default)]
pub struct Places {
    hubs: BTreeMap<BusId, HubName>,
    spokes: Vec<(TeamName, SpokeName, Scope, HubName)>,
}

impl Places {
    /// The places of `topology`.
    pub fn of(topology: &Topology) -> Self {
        let hub_bus = |(name, hub): (&HubName, &crate::model::topology::Hub)| {
            (BusId { scope: hub.scope.clone(), name: hub.bus.clone() }, name.clone())
        };
        let spokes = topology.teams.iter().flat_map(|(team, entry)| {
            entry
                .spokes
                .iter()
                .map(|(name, spoke)| (team.clone(), name.clone(), spoke.scope.clone(), spoke.hub.clone()))
        });
        Self { hubs: topology.hubs.iter().map(hub_bus).collect(), spokes: spokes.collect() }
    }

    /// The hubs that a resource is about: the hub whose bus it is on, or those that the spokes in its scope are attached to.
    pub fn hubs_of(&self, resource: &ResourceId, team: Option<&TeamName>) -> BTreeSet<HubName> {
        let bus = match resource {
            ResourceId::Bus(bus) | ResourceId::Grant(bus, _) => Some(bus),
            ResourceId::Rule(rule) | ResourceId::Target(rule, _) => Some(&rule.bus),
            ResourceId::Archive(_) | ResourceId::Scope(_) => None,
        };
        if let Some(hub) = bus.and_then(|bus| self.hubs.get(bus)) {
            return BTreeSet::from([hub.clone()]);
        }
        let scope = resource.scope();
        let here = self.spokes.iter().filter(|(owner, _, at, _)| at == scope && team.is_none_or(|team| team == owner));
        let attached = here.map(|(.., hub)| hub.clone());
        let hubs_here =
            self.hubs.iter().filter(|(bus, _)| bus.scope == *scope && team.is_none()).map(|(_, hub)| hub.clone());
        attached.chain(hubs_here).collect()
    }

    /// The spokes of the team that a resource is in, or that `routes` deliver to.
    fn spokes_of<'a>(
        &'a self,
        resource: &ResourceId,
        team: Option<&'a TeamName>,
        routes: &BTreeSet<RouteId>,
        desired: &Desired,
    ) -> impl Iterator<Item = (&'a TeamName, &'a SpokeName)> {
        let ends: BTreeSet<String> = routes
            .iter()
            .filter_map(|route| desired.routes.get(route))
            .map(|route| arn_scope(&route.destination_arn))
            .chain([resource.scope().to_string()])
            .collect();
        let of_team = move |owner: &TeamName, scope: &Scope| Some(owner) == team && ends.contains(&scope.to_string());
        self.spokes
            .iter()
            .filter(move |(owner, _, scope, _)| of_team(owner, scope))
            .map(|(owner, spoke, ..)| (owner, spoke))
    }
}

fn arn_scope(arn: &str) -> String {
    arn.parse::<crate::eventbridge::Arn>().map_or(String::new(), |arn| format!("{}/{}", arn.account, arn.region))
}

/// Whether the daemon writes a thing that is for a team and serves these routes: what is said of its hub, its team or its spoke
/// counts. Where any of them says observe, it does not; where none says anything, the default counts.
pub fn mode_at(
    resource: &ResourceId,
    team: Option<&TeamName>,
    routes: &BTreeSet<RouteId>,
    desired: &Desired,
    places: &Places,
    modes: &Modes,
) -> Mode {
    let hubs = places.hubs_of(resource, team);
    let of_hubs = hubs.iter().filter_map(|hub| modes.hubs.get(hub));
    let of_team = team.iter().filter_map(|team| modes.teams.get(*team));
    let of_spokes = places
        .spokes_of(resource, team, routes, desired)
        .filter_map(|(team, spoke)| modes.spokes.get(&(team.clone(), spoke.clone())));
    // Observe is the lesser.
    of_hubs.chain(of_team).chain(of_spokes).min().copied().unwrap_or(modes.default)
}
