//! Topology to desired state: every AWS resource that the topology implies, with the entry that asked for it.
//!
//! Layer 1: total, deterministic, no IO. It takes a topology that the checker let through; what AWS would not take
//! was refused there. A pattern that EventBridge would refuse has no rule here.
//!
//! | written | becomes |
//! |---|---|
//! | hub | bus, grants, archive, audit rule |
//! | publish via hub | a grant on the hub for each publishing account |
//! | publish via spoke | that, and on each publishing spoke's bus a rule that forwards to the hub |
//! | collect | the same from the default bus of each account |
//! | subscribe, bus | hub rule → spoke's bus; a grant on the spoke's bus for the hub's account |
//! | subscribe, direct | hub rule → the destination |

pub mod grants;
pub mod pattern;
mod rules;
mod scopes;

pub use scopes::sweep_also;

use crate::model::desired::{Desired, Revision, Wanted};
use crate::model::ids::{AccountId, HubName, Moment, Owner, TeamName};
use crate::model::mark::{KEYS_TAG, OWNER_TAG, TEAM_TAG, archive_name, keys_tag};
use crate::model::resource::{ArchiveId, ArchiveSpec, BusId, BusSpec};
use crate::model::settings::Settings;
use crate::model::topology::{BusOptions, Hub, Publication, Spoke, Tags, Team, Topology, Via};
use std::collections::{BTreeMap, BTreeSet};

/// Every resource that `topology` implies, under the names of `settings`, for `revision`, as of `now`: a route that is held
/// off until a time is disabled before it, and not after.
///
/// Total and deterministic: the same topology gives the same state, in whatever order it was written.
pub fn expand(topology: &Topology, settings: &Settings, revision: Revision, now: Moment) -> Desired {
    let owner = settings.operator.owner.clone();
    let (scopes, no_access) = scopes::scopes(topology, settings);
    let mut desired = Desired {
        owner: owner.clone(),
        revision,
        account_names: topology.accounts.iter().map(|(name, account)| (account.id, name.clone())).collect(),
        scopes,
        no_access,
        buses: BTreeMap::new(),
        grants: BTreeMap::new(),
        rules: BTreeMap::new(),
        publishers: BTreeMap::new(),
        archives: BTreeMap::new(),
        routes: BTreeMap::new(),
        quotas: BTreeMap::new(),
        stops: Vec::new(),
        kept: topology.kept.clone(),
        kept_grants: kept_grants(topology),
        released: settings.released.clone(),
    };
    let context = Context { topology, settings, owner: &owner, now };
    // Rules first: they make the routes, which buses and grants then say that they serve.
    rules::add(&context, &mut desired);
    for (name, hub) in &topology.hubs {
        add_hub(&context, name, hub, &mut desired);
    }
    for (name, team) in &topology.teams {
        for (spoke_name, spoke) in &team.spokes {
            let about = format!("Events of {name} (spoke {spoke_name} of hub {})", spoke.hub);
            add_spoke_bus(&context, name, team, spoke, about, &mut desired);
        }
    }
    grants::add(&context, &mut desired);
    grants::add_publishers(&context, &mut desired);
    desired
}

/// The buses on which others' statements count.
fn kept_grants(topology: &Topology) -> BTreeSet<BusId> {
    let hubs = topology.hubs.values().filter(|hub| hub.keeps_grants).map(Context::hub_bus);
    let spokes = topology.teams.values().flat_map(|team| team.spokes.values()).filter(|spoke| spoke.keeps_grants);
    hubs.chain(spokes.filter_map(Context::spoke_bus)).collect()
}

/// The accounts that publish `publication` at `hub`.
pub fn publishing_accounts(team: &Team, publication: &Publication, hub: &HubName) -> BTreeSet<AccountId> {
    let Some(spokes) = publication.hubs.get(hub) else { return BTreeSet::new() };
    let of_spokes = spokes.iter().filter_map(|name| team.spokes.get(name)).map(|spoke| spoke.scope.account);
    of_spokes.chain(publication.accounts.iter().copied()).collect()
}

/// The buses whose rules forward `publication` to `hub`; none if its publishers put events on the hub itself.
pub fn forwarding_buses(topology: &Topology, team: &Team, publication: &Publication, hub: &HubName) -> Vec<BusId> {
    let (Some(spokes), Some(written)) = (publication.hubs.get(hub), topology.hubs.get(hub)) else { return Vec::new() };
    match publication.via {
        Via::Hub => Vec::new(),
        Via::Spoke => {
            rules::forwarders(team, publication, spokes, written).into_iter().map(|forwarder| forwarder.bus).collect()
        }
    }
}

/// The accounts that publish anything at `hub`.
pub fn accounts_at(topology: &Topology, hub: &HubName) -> BTreeSet<AccountId> {
    topology
        .teams
        .values()
        .flat_map(|team| team.publications.values().map(move |publication| (team, publication)))
        .flat_map(|(team, publication)| publishing_accounts(team, publication, hub))
        .collect()
}

/// What all parts of an expansion read.
struct Context<'a> {
    topology: &'a Topology,
    settings: &'a Settings,
    owner: &'a Owner,
    now: Moment,
}

impl Context<'_> {
    /// The marks' tags with these added, later ones over earlier ones.
    fn tags(&self, team: Option<&TeamName>, sets: &[&Tags]) -> Tags {
        let mut tags = self.topology.tags.clone();
        tags.extend(sets.iter().flat_map(|set| (*set).clone()));
        tags.insert(OWNER_TAG.into(), self.owner.to_string());
        if let Some(team) = team {
            tags.insert(TEAM_TAG.into(), team.to_string());
        }
        tags.extend(keys_tag(&tags).map(|keys| (KEYS_TAG.to_owned(), keys)));
        tags
    }

    fn hub_bus(hub: &Hub) -> BusId {
        BusId { scope: hub.scope.clone(), name: hub.bus.clone() }
    }

    fn spoke_bus(spoke: &Spoke) -> Option<BusId> {
        spoke.bus.as_ref().map(|name| BusId { scope: spoke.scope.clone(), name: name.clone() })
    }
}

fn add_hub(context: &Context<'_>, name: &HubName, hub: &Hub, desired: &mut Desired) {
    let bus = Context::hub_bus(hub);
    let routes =
        desired.routes.iter().filter(|(_, route)| route.hub_bus == bus).map(|(route, _)| route.clone()).collect();
    let spec = BusSpec {
        description: hub.description.clone().unwrap_or_else(|| format!("Hub {name}")),
        ..bus_spec(&hub.bus_options, context.tags(None, &[&hub.tags]))
    };
    if let Some(retention_days) = hub.archive_retention_days {
        let archive =
            ArchiveId { scope: hub.scope.clone(), name: archive_name(context.owner, hub.scope.account, &hub.bus) };
        let spec = ArchiveSpec { source: bus.clone(), description: format!("Archive of hub {name}"), retention_days };
        desired.archives.insert(archive, Wanted::new(spec, hub.origin.clone(), None, BTreeSet::new()));
    }
    desired.quotas.insert(bus.clone(), hub.quotas);
    desired.buses.insert(bus, Wanted::new(spec, hub.origin.clone(), None, routes));
}

fn bus_spec(options: &BusOptions, tags: Tags) -> BusSpec {
    let BusOptions { kms_key, dead_letter, log } = options.clone();
    BusSpec { description: String::new(), tags, kms_key, dead_letter_arn: dead_letter, log }
}

fn add_spoke_bus(
    context: &Context<'_>,
    name: &TeamName,
    team: &Team,
    spoke: &Spoke,
    description: String,
    desired: &mut Desired,
) {
    let Some(bus) = Context::spoke_bus(spoke).filter(|bus| !bus.is_default()) else { return };
    let routes = desired
        .routes
        .iter()
        .filter(|(_, route)| {
            route.destination_bus.as_ref() == Some(&bus) || route.forward_rules.iter().any(|rule| rule.bus == bus)
        })
        .map(|(route, _)| route.clone())
        .collect();
    let tags = context.tags(Some(name), &[&team.tags, &spoke.tags]);
    let spec = BusSpec { description, ..bus_spec(&spoke.bus_options, tags) };
    desired.buses.insert(bus, Wanted::new(spec, spoke.origin.clone(), Some(name.clone()), routes));
}
