//! Import: from what is live to topology files that ask for exactly that.
//!
//! Layer 2, pure. **What is written is proven before it is given out**: the files are read, checked, expanded and planned
//! against the same world, and an entry that has a mistake, or for which the plan would do anything but take over what is
//! there as it is, is taken out again and told with the reason. So the plan of what is left is empty or adopts, by construction.
//!
//! The way through: `facts` (who delivers to whom, who is let in) → `build` (a draft: hubs, spokes, publications,
//! subscriptions; `shape` is what of a rule can be said) → `render` (TOML) → `prove`.

mod build;
mod draft;
mod facts;
mod names;
mod prove;
mod render;
mod report;
mod shape;

pub use report::{json, text};

use crate::model::ids::{AccountId, AccountName, HubName, Region, Scope, TeamName};
use crate::model::plan::Plan;
use crate::model::resource::{BusId, ResourceId};
use crate::model::settings::Settings;
use crate::model::world::World;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// What to import.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// The accounts that were looked at, by the names that they get.
    pub accounts: BTreeMap<AccountName, AccountId>,
    /// The Regions that were looked at.
    pub regions: BTreeSet<Region>,
    /// Buses that are hubs, by the names that they get. Others that look like hubs are taken for hubs as well.
    pub hubs: BTreeMap<HubName, BusId>,
    /// Whose accounts are whose. Any other account is a team's of its own.
    pub teams: BTreeMap<TeamName, BTreeSet<AccountId>>,
}

impl Request {
    /// What has to be read: every account in every Region.
    pub fn scopes(&self) -> BTreeSet<Scope> {
        let accounts = self.accounts.values();
        let scopes = |account: &AccountId| {
            let account = *account;
            self.regions.iter().map(move |region| Scope { account, region: region.clone() })
        };
        accounts.flat_map(scopes).collect()
    }
}

/// What came of it.
#[derive(Clone, Debug)]
pub struct Imported {
    /// The topology's files: path below the config folder, and text. None if there is nothing to write.
    pub files: BTreeMap<String, String>,
    /// What the files ask for, and is there.
    pub taken: Vec<Taken>,
    /// What is there, and is not in the files.
    pub left: Vec<Left>,
    /// What the files' plan is, were they applied to what was seen; none if there are none.
    pub plan: Option<Plan>,
}

/// Something that is there and that the files ask for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Taken {
    /// The entry that asks for it: `hub us`, `ledger.large`.
    pub entry: String,
    /// What it is.
    pub resource: ResourceId,
    /// Whether it bears our mark already. What does not is taken over by an apply.
    pub is_ours: bool,
    /// What it keeps of its own, as keys of `keeps`.
    pub keeps: Vec<&'static str>,
}

/// Something that is left as it is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Left {
    /// What.
    pub resource: ResourceId,
    /// Why.
    pub why: String,
    /// What to do about it.
    pub what_to_do: String,
}

/// The topology files that ask for what is live in `world`, which was read whole
/// ([`Depth::Whole`](crate::reconcile::refresh::Depth::Whole)).
pub fn import(world: &World, request: &Request, settings: &Settings) -> Imported {
    let facts = facts::Facts::of(world, settings);
    let built = build::build(&facts, request);
    prove::prove(built, &facts)
}
