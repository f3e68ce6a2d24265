//! Facts to a draft.

mod buses;
mod forwards;
mod publishers;
mod subscriptions;
mod tags;

use super::draft::{Account, Draft, Spoke, Team};
use super::facts::{Facts, account_of};
use super::names::{name_of, unique};
use super::{Left, Request};
use crate::model::ids::{AccountId, AccountName, HubName, PublicationId, SpokeName, SubscriptionId, TeamName};
use crate::model::mark::{Mark, TEAM_TAG, rule_stem};
use crate::model::resource::{BusId, ResourceId, RuleId};
use crate::model::world::{LiveRule, Observation};
use crate::plan::Ownership;
use std::collections::{BTreeMap, BTreeSet};

/// What was built: a draft of all that can be said, and what cannot.
pub(super) struct Built {
    pub(super) draft: Draft,
    pub(super) left: Vec<Left>,
}

pub(super) fn build(facts: &Facts<'_>, request: &Request) -> Built {
    let mut builder = Builder {
        facts,
        request,
        hubs: BTreeMap::new(),
        draft: Draft::default(),
        left: Vec::new(),
        team_of_account: BTreeMap::new(),
        names: BTreeMap::new(),
        by_source: BTreeMap::new(),
    };
    builder.unread();
    builder.roster();
    builder.add_hubs();
    builder.name_teams();
    builder.add_marked_spokes();
    let wanted = builder.subscriptions();
    builder.add_forwards();
    builder.add_publications(&wanted);
    builder.add_unknown_publishers();
    builder.settle_publishers();
    builder.add_subscriptions(wanted);
    builder.offer();
    builder.add_tags();
    builder.partners();
    let Builder { draft, mut left, .. } = builder;
    left.sort();
    left.dedup();
    Built { draft, left }
}

/// What a name was made for, so that names are taken once within it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Names {
    Accounts,
    Hubs,
    Teams,
    Spokes(TeamName),
    Publications(TeamName),
    Subscriptions(TeamName),
}

struct Builder<'w> {
    facts: &'w Facts<'w>,
    request: &'w Request,
    hubs: BTreeMap<BusId, HubName>,
    draft: Draft,
    left: Vec<Left>,
    team_of_account: BTreeMap<AccountId, TeamName>,
    names: BTreeMap<Names, BTreeSet<String>>,
    /// The publication of a source at a hub.
    by_source: BTreeMap<(HubName, String), (TeamName, String)>,
}

/// What is to be done about something that another tool or operator keeps.
const RELEASE: &str = "leave it there, or hand it over: `[release.NAME]` in wheelwright.toml, with";

impl<'w> Builder<'w> {
    fn leave(&mut self, resource: ResourceId, why: impl Into<String>, what_to_do: impl Into<String>) {
        self.left.push(Left { resource, why: why.into(), what_to_do: what_to_do.into() });
    }

    /// Tells that something is another's, with the words that hand it over where there are any.
    fn leave_to(&mut self, resource: ResourceId, arn: &str, owner: &str, tags: Option<&crate::model::topology::Tags>) {
        let tool = tags.and_then(|tags| crate::plan::tools(tags).into_iter().next());
        let what_to_do = match tool {
            Some((tool, _)) => {
                format!("{RELEASE} resource = \"{arn}\", from = \"{tool}\" and a reason; then import again")
            }
            None => "leave it there, or have its operator give it up".to_owned(),
        };
        self.leave(resource, format!("it belongs to {owner}"), what_to_do);
    }

    /// A name for something that is called `texts`, the first of which that is free.
    fn named(&mut self, kind: Names, texts: &[&str], otherwise: &str) -> String {
        let candidates: Vec<String> = texts.iter().map(|text| name_of(text, otherwise)).collect();
        unique(&candidates, self.names.entry(kind).or_default())
    }

    /// A name that is known already.
    fn takes(&mut self, kind: Names, name: &str) {
        self.names.entry(kind).or_default().insert(name.to_owned());
    }

    /// What could not be read.
    fn unread(&mut self) {
        for (scope, observation) in &self.facts.world.scopes {
            let gaps = match observation {
                Observation::Complete { .. } | Observation::NoAccess => continue,
                Observation::Partial { missing, .. } => missing.clone(),
                Observation::Unreachable { why, .. } => vec![why.clone()],
            };
            for gap in gaps {
                let mend = format!("{}; then import again", gap.mend);
                self.leave(ResourceId::Scope(scope.clone()), format!("not read: {gap}"), mend);
            }
        }
    }

    fn roster(&mut self) {
        for (name, id) in &self.request.accounts {
            self.names.entry(Names::Accounts).or_default().insert(name.to_string());
            self.draft.accounts.insert(name.clone(), Account { id: *id, is_managed: true });
        }
    }

    /// The roster's name of an account; one that was not looked at gets one.
    fn account_name(&mut self, id: AccountId) -> Option<AccountName> {
        if let Some((name, _)) = self.draft.accounts.iter().find(|(_, account)| account.id == id) {
            return Some(name.clone());
        }
        let name: AccountName = self.named(Names::Accounts, &[&format!("account-{id}")], "account").parse().ok()?;
        self.draft.accounts.insert(name.clone(), Account { id, is_managed: false });
        Some(name)
    }

    /// Whose each account is: as it was said, else a team's of its own, named like the account.
    fn name_teams(&mut self) {
        for (team, accounts) in &self.request.teams {
            self.takes(Names::Teams, team.as_str());
            self.team_of_account.extend(accounts.iter().map(|account| (*account, team.clone())));
        }
        // Names in tags of ours are kept for the teams that they name.
        let tags =
            self.facts.rules.values().map(|live| &live.tags).chain(self.facts.buses.values().map(|bus| &bus.tags));
        let tagged: Vec<String> = tags.flatten().filter_map(|tags| tags.get(TEAM_TAG)).cloned().collect();
        let mut of_account: BTreeMap<AccountId, String> = BTreeMap::new();
        for (bus, live) in &self.facts.buses {
            if let Some(team) = live.tags.as_ref().and_then(|tags| tags.get(TEAM_TAG).or_else(|| tags.get("team"))) {
                of_account.entry(bus.scope.account).or_insert_with(|| team.clone());
            }
        }
        for team in tagged {
            self.takes(Names::Teams, &team);
        }
        let accounts: Vec<(AccountName, AccountId)> =
            self.request.accounts.iter().map(|(name, id)| (name.clone(), *id)).collect();
        for (name, account) in accounts {
            if self.team_of_account.contains_key(&account) {
                continue;
            }
            let team = match of_account.get(&account).map(|team| name_of(team, "team")) {
                Some(tagged) => tagged,
                None => self.named(Names::Teams, &[name.as_str()], "team"),
            };
            if let Ok(team) = team.parse() {
                self.team_of_account.insert(account, team);
            }
        }
        self.join_forwarders();
    }

    /// The team of an account, which may be one that was not looked at.
    fn team_of(&mut self, account: AccountId) -> Option<TeamName> {
        if let Some(team) = self.team_of_account.get(&account) {
            return Some(team.clone());
        }
        let name = self.account_name(account)?;
        let team: TeamName = self.named(Names::Teams, &[name.as_str()], "team").parse().ok()?;
        self.team_of_account.insert(account, team.clone());
        Some(team)
    }

    fn team(&mut self, name: &TeamName) -> &mut Team {
        self.takes(Names::Teams, name.as_str());
        self.draft.teams.entry(name.clone()).or_default()
    }

    /// The spoke of `team` at `hub` that is this bus, or that has no bus in this account; made if there is none.
    fn spoke(&mut self, team: &TeamName, hub: &HubName, account: AccountId, bus: Option<&BusId>) -> Option<SpokeName> {
        let region = match bus {
            Some(bus) => bus.scope.region.clone(),
            None => self.draft.hubs.get(hub)?.bus.scope.region.clone(),
        };
        let found = self.draft.teams.get(team).and_then(|team| {
            team.spokes.iter().find(|(_, spoke)| {
                let here = spoke.hub == *hub && spoke.account_id == account;
                here && match bus {
                    Some(bus) => spoke.bus.as_ref() == Some(&bus.name) && spoke.region == region,
                    None => true,
                }
            })
        });
        if let Some((name, _)) = found {
            return Some(name.clone());
        }
        let account_name = self.account_name(account)?;
        let with_bus = bus.map_or_else(|| format!("{hub}-{account_name}"), |bus| format!("{hub}-{}", bus.name));
        let name = self.named(Names::Spokes(team.clone()), &[hub.as_str(), &with_bus], "spoke");
        let name: SpokeName = name.parse().ok()?;
        let options = bus.map(|bus| self.options(bus)).unwrap_or_default();
        let spoke = Spoke {
            hub: hub.clone(),
            account: account_name,
            account_id: account,
            region,
            bus: bus.map(|bus| bus.name.clone()),
            options,
        };
        self.team(team).spokes.insert(name.clone(), spoke);
        Some(name)
    }

    /// Accounts that are named and were not looked at are partners': nothing is read or written there.
    fn partners(&mut self) {
        let teams = self.draft.teams.values();
        let named: BTreeSet<AccountId> = teams
            .flat_map(|team| {
                let spokes = team.spokes.values().map(|spoke| spoke.account_id);
                let publishers = team.publications.values().flat_map(|found| found.hubs.values().flatten().copied());
                spokes.chain(publishers).collect::<Vec<_>>()
            })
            .collect();
        for account in named {
            _ = self.account_name(account);
        }
    }
}

/// What the description of a rule of ours says: publication and subscription.
fn told_subscription(live: &LiveRule) -> Option<(PublicationId, SubscriptionId)> {
    let (from, to) = Mark::read(&live.description).0.split_once(" to ")?;
    Some((from.parse().ok()?, to.parse().ok()?))
}

/// What the description of a forward rule of ours says: publication and hub.
fn told_forward(live: &LiveRule) -> Option<(PublicationId, HubName)> {
    let (from, hub) = Mark::read(&live.description).0.split_once(" to hub ")?;
    Some((from.parse().ok()?, hub.parse().ok()?))
}

/// Team and entry in a rule's name, if it is named as ours are and neither was cut.
fn named_as_ours(rule: &RuleId) -> Option<(TeamName, String)> {
    let stem = rule_stem(&rule.name).filter(|_| rule.name.len() < 64)?.strip_prefix("ww.")?;
    let (team, name) = stem.split_once('.')?;
    name.parse::<SpokeName>().ok()?;
    Some((team.parse().ok()?, name.to_owned()))
}

/// Whether a rule may be taken over, or is ours: told otherwise.
fn may_take(builder: &mut Builder<'_>, rule: &RuleId, live: &LiveRule) -> bool {
    let resource = ResourceId::Rule(rule.clone());
    match builder.facts.rule_owner(rule, live) {
        Ownership::Marked(_) | Ownership::MarkLost | Ownership::Unmarked => true,
        Ownership::Copied => {
            let why = "its description bears a mark of ours that was written on something else: it is a copy";
            builder.leave(resource, why, "delete it, or clear its description and import again");
            false
        }
        Ownership::Other(owner) | Ownership::Managed(owner) => {
            builder.leave_to(resource, &rule.arn(), &owner, live.tags.as_ref());
            false
        }
        Ownership::Unknown => {
            builder.leave(resource, "its tags could not be read, so whose it is is not known", "see what was not read");
            false
        }
    }
}

/// The account of an ARN, for a destination.
fn destination_account(arn: &str) -> Option<AccountId> {
    account_of(arn)
}
