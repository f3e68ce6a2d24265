//! Which scopes to sweep: where something is wanted, and where the roster's accounts could still bear our marks.

use crate::model::desired::Desired;
use crate::model::ids::{AccountId, Region, Scope};
use crate::model::settings::Settings;
use crate::model::topology::{Access, Topology};
use std::collections::BTreeSet;

/// The scopes to sweep, and those of accounts that may not be touched: every account of the roster in every Region that
/// the topology names, or the settings. An account that left one Region and stays in another may still bear our marks where it was.
pub(super) fn scopes(topology: &Topology, settings: &Settings) -> (BTreeSet<Scope>, BTreeSet<Scope>) {
    let hubs = topology.hubs.values().map(|hub| &hub.scope.region);
    let spokes = topology.teams.values().flat_map(|team| team.spokes.values()).map(|spoke| &spoke.scope.region);
    let publications = topology.teams.values().flat_map(|team| team.publications.values());
    let collected = publications.filter_map(|publication| publication.collect.as_ref()).flat_map(|from| &from.regions);
    let regions: BTreeSet<&Region> = hubs.chain(spokes).chain(collected).chain(&settings.regions_also).collect();
    let (mut scopes, mut no_access) = (BTreeSet::new(), BTreeSet::new());
    for account in topology.accounts.values() {
        let found = regions.iter().map(|region| Scope { account: account.id, region: (*region).clone() });
        match account.access {
            Access::Managed => scopes.extend(found),
            Access::None => no_access.extend(found),
        }
    }
    (scopes, no_access)
}

/// Lets `desired`, which `topology` asks for, be swept in these scopes too, as far as their accounts are on the roster and ours to read:
/// something of ours may be there from before, in a Region that nothing names any more.
pub fn sweep_also<'s>(desired: &mut Desired, topology: &Topology, scopes: impl IntoIterator<Item = &'s Scope>) {
    let managed = topology.accounts.values().filter(|account| account.access == Access::Managed);
    let managed: BTreeSet<AccountId> = managed.map(|account| account.id).collect();
    desired.scopes.extend(scopes.into_iter().filter(|scope| managed.contains(&scope.account)).cloned());
}
