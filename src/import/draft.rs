//! A topology as it is being written down: entries with names, and what a reader should know of each.

use crate::model::ids::{AccountId, AccountName, HubName, Region, SpokeName, TeamName};
use crate::model::resource::{BusId, BusLog, ResourceId};
use crate::model::topology::{Keeps, Retry, Tags};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

#[derive(Clone, Debug, Default)]
pub(super) struct Draft {
    pub(super) organization: Option<String>,
    pub(super) accounts: BTreeMap<AccountName, Account>,
    pub(super) hubs: BTreeMap<HubName, Hub>,
    pub(super) teams: BTreeMap<TeamName, Team>,
}

#[derive(Clone, Debug)]
pub(super) struct Account {
    pub(super) id: AccountId,
    /// Whether it was looked at.
    pub(super) is_managed: bool,
}

/// What is said of a bus beyond its name.
#[derive(Clone, Debug, Default)]
pub(super) struct Options {
    pub(super) kms_key: Option<String>,
    pub(super) dead_letter: Option<String>,
    pub(super) log: BusLog,
    pub(super) tags: Tags,
    pub(super) keeps_grants: bool,
}

#[derive(Clone, Debug)]
pub(super) struct Hub {
    pub(super) bus: BusId,
    pub(super) account: AccountName,
    pub(super) description: Option<String>,
    pub(super) by_organization: bool,
    pub(super) archive_days: Option<u32>,
    pub(super) audit_queue: Option<String>,
    pub(super) options: Options,
    pub(super) notes: Vec<String>,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Team {
    pub(super) tags: Tags,
    pub(super) spokes: BTreeMap<SpokeName, Spoke>,
    pub(super) publications: BTreeMap<String, Publication>,
    pub(super) subscriptions: BTreeMap<String, Subscription>,
    pub(super) notes: Vec<String>,
}

#[derive(Clone, Debug)]
pub(super) struct Spoke {
    pub(super) hub: HubName,
    pub(super) account: AccountName,
    pub(super) account_id: AccountId,
    pub(super) region: Region,
    pub(super) bus: Option<String>,
    pub(super) options: Options,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Publication {
    pub(super) source: String,
    pub(super) types: BTreeSet<String>,
    /// Who takes it beside its own team; none: nobody.
    pub(super) takers: BTreeSet<TeamName>,
    /// Whether it is offered to every team.
    pub(super) is_for_all: bool,
    pub(super) is_forwarded: bool,
    /// Regions of a collection (none: the hub's own).
    pub(super) collected_from: Option<BTreeSet<Region>>,
    /// The accounts that publish it, at each hub.
    pub(super) hubs: BTreeMap<HubName, BTreeSet<AccountId>>,
    pub(super) keeps: Keeps,
    pub(super) notes: Vec<String>,
    /// What is taken over with it.
    pub(super) rules: Vec<ResourceId>,
}

#[derive(Clone, Debug)]
pub(super) struct Subscription {
    /// `team.publication`.
    pub(super) from: (TeamName, String),
    pub(super) hub: HubName,
    pub(super) spoke: SpokeName,
    pub(super) types: BTreeSet<String>,
    pub(super) filter: Map<String, Value>,
    /// None: the spoke's bus.
    pub(super) deliver: Option<(&'static str, String)>,
    pub(super) delivers_replays: bool,
    pub(super) dead_letter: Option<String>,
    pub(super) retry: Option<Retry>,
    pub(super) keeps: Keeps,
    pub(super) is_stopped: bool,
    pub(super) notes: Vec<String>,
    /// What is taken over with it.
    pub(super) rule: ResourceId,
}

impl Team {
    /// Whether it says nothing.
    pub(super) fn is_empty(&self) -> bool {
        self.spokes.is_empty() && self.publications.is_empty() && self.subscriptions.is_empty()
    }

    /// What is taken over with it.
    pub(super) fn rules(&self) -> Vec<ResourceId> {
        let published = self.publications.values().flat_map(|found| found.rules.clone());
        published.chain(self.subscriptions.values().map(|found| found.rule.clone())).collect()
    }
}

impl Draft {
    /// The accounts of a team's spokes at a hub.
    pub(super) fn spoke_accounts(&self, team: &TeamName, hub: &HubName) -> BTreeSet<AccountId> {
        let spokes = self.teams.get(team).into_iter().flat_map(|team| team.spokes.values());
        spokes.filter(|spoke| spoke.hub == *hub).map(|spoke| spoke.account_id).collect()
    }

    /// Takes out what needs something that is not there any more, and teams with nothing left; what was taken out is given back.
    pub(super) fn sweep(&mut self) -> Vec<ResourceId> {
        let hubs: BTreeSet<HubName> = self.hubs.keys().cloned().collect();
        let mut gone = Vec::new();
        for team in self.teams.values_mut() {
            team.spokes.retain(|_, spoke| hubs.contains(&spoke.hub));
            for publication in team.publications.values_mut() {
                publication.hubs.retain(|hub, _| hubs.contains(hub));
            }
            team.publications.retain(|_, publication| {
                let stays = !publication.hubs.is_empty();
                gone.extend((!stays).then(|| publication.rules.clone()).into_iter().flatten());
                stays
            });
        }
        let offered: BTreeMap<(TeamName, String), BTreeSet<HubName>> = self
            .teams
            .iter()
            .flat_map(|(name, team)| {
                let named = |(publication, found): (&String, &Publication)| {
                    ((name.clone(), publication.clone()), found.hubs.keys().cloned().collect())
                };
                team.publications.iter().map(named)
            })
            .collect();
        for team in self.teams.values_mut() {
            let spokes: BTreeSet<SpokeName> = team.spokes.keys().cloned().collect();
            team.subscriptions.retain(|_, subscription| {
                let is_offered = offered.get(&subscription.from).is_some_and(|hubs| hubs.contains(&subscription.hub));
                let stays = is_offered && spokes.contains(&subscription.spoke);
                gone.extend((!stays).then(|| subscription.rule.clone()));
                stays
            });
        }
        self.teams.retain(|_, team| !team.is_empty());
        // Who was only named by what is gone has no business in the roster.
        let teams = self.teams.values();
        let named: BTreeSet<AccountId> = teams
            .flat_map(|team| {
                let publishers = team.publications.values().flat_map(|found| found.hubs.values().flatten().copied());
                team.spokes.values().map(|spoke| spoke.account_id).chain(publishers)
            })
            .collect();
        self.accounts.retain(|_, account| account.is_managed || named.contains(&account.id));
        gone
    }
}
