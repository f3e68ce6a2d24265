//! Which scopes to sweep: where something is wanted, and where the roster's accounts could still bear our marks.

use crate::model::ids::{AccountName, Region, Scope};
use crate::model::topology::{Access, Topology};
use std::collections::{BTreeMap, BTreeSet};

/// The scopes to sweep, and those of accounts that may not be touched. An account that no hub and no spoke uses (any
/// more) is looked at in every hub's Region.
pub(super) fn scopes(topology: &Topology) -> (BTreeSet<Scope>, BTreeSet<Scope>) {
    let mut used: BTreeMap<&AccountName, BTreeSet<&Region>> = BTreeMap::new();
    for hub in topology.hubs.values() {
        used.entry(&hub.account).or_default().insert(&hub.scope.region);
    }
    for spoke in topology.teams.values().flat_map(|team| team.spokes.values()) {
        used.entry(&spoke.account).or_default().insert(&spoke.scope.region);
    }
    let everywhere: BTreeSet<&Region> = topology.hubs.values().map(|hub| &hub.scope.region).collect();
    let (mut scopes, mut no_access) = (BTreeSet::new(), BTreeSet::new());
    for (name, account) in &topology.accounts {
        let regions = used.get(name).unwrap_or(&everywhere);
        let found = regions.iter().map(|region| Scope { account: account.id, region: (*region).clone() });
        match account.access {
            Access::Managed => scopes.extend(found),
            Access::None => no_access.extend(found),
        }
    }
    (scopes, no_access)
}
