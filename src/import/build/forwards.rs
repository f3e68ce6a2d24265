//! Rules on other buses that forward to hubs: publications by way of a spoke, and collections.

use super::subscriptions::Wanted;
use super::{Builder, Names, may_take, told_forward};
use crate::eventbridge::DEFAULT_BUS;
use crate::import::draft::Publication;
use crate::import::names::name_of;
use crate::import::shape::Shape;
use crate::model::ids::{AccountId, HubName, PublicationId, Region, SpokeName, TeamName};
use crate::model::mark::rule_name;
use crate::model::resource::{ResourceId, RuleId};
use crate::model::topology::Keeps;
use crate::model::world::LiveRule;
use std::collections::{BTreeMap, BTreeSet};

/// A rule that forwards to a hub.
#[derive(Clone)]
struct Forward<'w> {
    rule: RuleId,
    live: &'w LiveRule,
    shape: Shape<'w>,
    hub: HubName,
    /// The publication that its description names, if it is ours.
    told: Option<PublicationId>,
}

impl Forward<'_> {
    fn is_collected(&self) -> bool {
        self.shape.source.starts_with("aws.") && self.rule.bus.name == DEFAULT_BUS
    }
}

/// What forwards are one publication of: what ours says, or the same source at the same hub; and of AWS services' events what else
/// is the same, as each collection can be written by itself.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Group {
    Told(PublicationId),
    Source(HubName, String),
    Collected(HubName, String, BTreeSet<String>, Region, String, String),
}

impl<'w> Builder<'w> {
    /// Accounts whose buses forward one source to one hub are one team's: a source has one owner.
    pub(super) fn join_forwarders(&mut self) {
        let mut by_source: BTreeMap<(HubName, String), BTreeSet<AccountId>> = BTreeMap::new();
        for (rule, live) in &self.facts.rules {
            let Ok(shape) = Shape::of(live) else { continue };
            let Some(hub) = shape.target_bus().and_then(|bus| self.hubs.get(&bus)) else { continue };
            let own = self.hubs.contains_key(&rule.bus) || self.facts.is_marked(rule, live);
            if !own && !shape.source.starts_with("aws.") {
                by_source.entry((hub.clone(), shape.source)).or_default().insert(rule.bus.scope.account);
            }
        }
        for accounts in by_source.values() {
            let teams: BTreeSet<TeamName> =
                accounts.iter().filter_map(|account| self.team_of_account.get(account).cloned()).collect();
            let Some(first) = teams.first().cloned() else { continue };
            for team in self.team_of_account.values_mut().filter(|team| teams.contains(*team)) {
                *team = first.clone();
            }
            if teams.len() > 1 {
                let names: Vec<&str> = teams.iter().map(TeamName::as_str).collect();
                let note = format!("{} publish one source together, so they are one team.", names.join(", "));
                self.team(&first).notes.push(note);
            }
        }
    }

    pub(super) fn add_forwards(&mut self) {
        let mut groups: BTreeMap<Group, Vec<Forward<'w>>> = BTreeMap::new();
        for forward in self.forwards() {
            let shape = &forward.shape;
            let group = match &forward.told {
                Some(told) => Group::Told(told.clone()),
                None if forward.is_collected() => Group::Collected(
                    forward.hub.clone(),
                    shape.source.clone(),
                    shape.types.clone(),
                    forward.rule.bus.scope.region.clone(),
                    forward.rule.name.clone(),
                    format!("{} {:?}", shape.target_id, self.keeps(&forward.rule.bus.scope, shape)),
                ),
                None => Group::Source(forward.hub.clone(), shape.source.clone()),
            };
            groups.entry(group).or_default().push(forward);
        }
        for (group, forwards) in groups {
            let rules: Vec<ResourceId> = forwards.iter().map(|found| ResourceId::Rule(found.rule.clone())).collect();
            if let Err(why) = self.forwarded(&group, &forwards) {
                for rule in rules {
                    self.leave(rule, why.clone(), "make them alike, then import again; or leave them as they are");
                }
            }
        }
    }

    /// The rules elsewhere that deliver to hubs and can be said.
    fn forwards(&mut self) -> Vec<Forward<'w>> {
        let facts = self.facts;
        let mut found = Vec::new();
        for (rule, live) in &facts.rules {
            let targets = || live.targets.iter().flatten().map(|(_, target)| target.spec.arn.clone());
            let to_hub = targets().any(|arn| self.hubs.keys().any(|hub| hub.arn() == arn));
            if self.hubs.contains_key(&rule.bus) || !to_hub || !may_take(self, rule, live) {
                continue;
            }
            let resource = ResourceId::Rule(rule.clone());
            let shape = match Shape::of(live) {
                Ok(shape) => shape,
                Err((why, what_to_do)) => {
                    self.leave(resource, why, what_to_do);
                    continue;
                }
            };
            let Some(hub) = shape.target_bus().and_then(|bus| self.hubs.get(&bus).cloned()) else { continue };
            let own = BTreeSet::from([rule.bus.scope.account]);
            let fault = if !shape.is_enabled {
                Some("it is disabled, and what forwards cannot be held off")
            } else if shape.target.spec.retry.is_some() {
                Some("its target has a retry policy, which a bus does not take")
            } else if !shape.filter.is_empty() || shape.ignores_replays {
                Some("it forwards some of the events of a source: a publication has them by source and detail-type")
            } else if !shape.accounts.is_empty() && shape.accounts != own {
                Some("it forwards events of other accounts than its own")
            } else if shape.source.starts_with("aws.") && rule.bus.name != DEFAULT_BUS {
                Some("AWS services' own events are collected from default buses alone")
            } else {
                None
            };
            if let Some(why) = fault {
                self.leave(resource, why, "leave it as it is, or write a publication in its place");
                continue;
            }
            let told = facts.is_marked(rule, live).then(|| told_forward(live)).flatten();
            let told = told.filter(|(_, to)| *to == hub).map(|(from, _)| from);
            found.push(Forward { rule: rule.clone(), live, shape, hub, told });
        }
        found
    }

    fn forwarded(&mut self, group: &Group, forwards: &[Forward<'w>]) -> Result<(), String> {
        let Some(first) = forwards.first() else { return Ok(()) };
        if forwards.iter().any(|found| found.shape.types != first.shape.types) {
            return Err(format!("rules that forward `{}` differ in their detail-types", first.shape.source));
        }
        let is_collected = first.is_collected();
        let (team, name) = match group {
            Group::Told(id) => (id.team.clone(), id.name.to_string()),
            Group::Source(hub, source) => {
                let team = self.forwarding_team(hub, forwards).ok_or("its account has no name")?;
                let name = self.publication_name(&team, hub, source);
                (team, name)
            }
            Group::Collected(hub, source, ..) => {
                let hub_account = self.draft.hubs.get(hub).map(|hub| hub.bus.scope.account);
                let team = hub_account.and_then(|account| self.team_of(account)).ok_or("its account has no name")?;
                let name = self.publication_name(&team, hub, source);
                (team, name)
            }
        };
        self.takes(Names::Publications(team.clone()), &name);
        let mut keeps = None;
        for found in forwards {
            let spoke = match is_collected {
                true => None,
                false => {
                    let account = found.rule.bus.scope.account;
                    Some(
                        self.spoke(&team, &found.hub, account, Some(&found.rule.bus))
                            .ok_or("its account has no name")?,
                    )
                }
            };
            let own = self.forward_keeps(found, &team, &name, spoke.as_ref().map(SpokeName::as_str))?;
            if keeps.get_or_insert_with(|| own.clone()) != &own {
                return Err(format!(
                    "rules that forward `{}` differ in name, target, pattern or role",
                    first.shape.source
                ));
            }
        }
        let mut publication = Publication {
            source: first.shape.source.clone(),
            types: first.shape.types.clone(),
            is_forwarded: !is_collected,
            keeps: keeps.unwrap_or_default(),
            rules: forwards.iter().map(|found| ResourceId::Rule(found.rule.clone())).collect(),
            ..Publication::default()
        };
        for found in forwards {
            publication.hubs.entry(found.hub.clone()).or_default().insert(found.rule.bus.scope.account);
            let key = (found.hub.clone(), publication.source.clone());
            self.by_source.entry(key).or_insert_with(|| (team.clone(), name.clone()));
        }
        if is_collected {
            publication.collected_from = Some(self.collected_from(forwards)?);
        }
        self.team(&team).publications.insert(name, publication);
        Ok(())
    }

    /// The Regions of a collection: none where each hub's own is meant.
    fn collected_from(&self, forwards: &[Forward<'w>]) -> Result<BTreeSet<Region>, String> {
        let mut by_hub: BTreeMap<&HubName, BTreeSet<Region>> = BTreeMap::new();
        let mut scopes: BTreeMap<&HubName, BTreeSet<(AccountId, Region)>> = BTreeMap::new();
        for found in forwards {
            let scope = &found.rule.bus.scope;
            by_hub.entry(&found.hub).or_default().insert(scope.region.clone());
            scopes.entry(&found.hub).or_default().insert((scope.account, scope.region.clone()));
        }
        for (hub, regions) in &by_hub {
            let found = scopes.get(hub).map(BTreeSet::len).unwrap_or_default();
            let accounts: BTreeSet<AccountId> =
                scopes.get(hub).into_iter().flatten().map(|(account, _)| *account).collect();
            if found != accounts.len() * regions.len() {
                return Err("accounts forward it from different Regions".to_owned());
            }
        }
        let own = |hub: &HubName| self.draft.hubs.get(hub).map(|hub| hub.bus.scope.region.clone());
        if by_hub.iter().all(|(hub, regions)| own(hub).is_some_and(|own| *regions == BTreeSet::from([own]))) {
            return Ok(BTreeSet::new());
        }
        let first = by_hub.values().next().cloned().unwrap_or_default();
        match by_hub.values().all(|regions| *regions == first) {
            true => Ok(first),
            false => Err("it is forwarded to two hubs from different Regions".to_owned()),
        }
    }

    fn forward_keeps(
        &self,
        found: &Forward<'w>,
        team: &TeamName,
        name: &str,
        spoke: Option<&str>,
    ) -> Result<Keeps, String> {
        let RuleId { bus, name: live_name } = &found.rule;
        let mut keeps = self.keeps(&bus.scope, &found.shape);
        let owner = self.facts.settings.operator.owner.as_str();
        let scope = bus.scope.to_string();
        let (from, kind) = match spoke {
            Some(spoke) => (spoke, "forward"),
            None => (scope.as_str(), "collect"),
        };
        let usual = rule_name(team.as_str(), name, &[owner, found.hub.as_str(), team.as_str(), from, name, kind]);
        if usual != *live_name {
            keeps.rule = Some(live_name.clone());
        }
        let own = BTreeSet::from([bus.scope.account]);
        keeps.pattern = self.kept_pattern(found.live, &found.shape, &own, &found.shape.types)?;
        Ok(keeps)
    }

    /// The team that forwards: the account's, unless that has other spokes at the hub, from which it would forward as well.
    fn forwarding_team(&mut self, hub: &HubName, forwards: &[Forward<'w>]) -> Option<TeamName> {
        let buses: BTreeSet<_> = forwards.iter().map(|found| found.rule.bus.clone()).collect();
        let own = self.team_of(buses.first()?.scope.account)?;
        let mut at = 1;
        loop {
            let team: TeamName = match at {
                1 => own.clone(),
                2 => name_of(&format!("{own}-publishes"), "team").parse().ok()?,
                _ => name_of(&format!("{own}-publishes-{at}"), "team").parse().ok()?,
            };
            let spokes = self.draft.teams.get(&team).into_iter().flat_map(|team| team.spokes.values());
            let here: Vec<_> = spokes.filter(|spoke| spoke.hub == *hub).collect();
            let is_forwarding = |spoke: &&&crate::import::draft::Spoke| {
                buses.iter().any(|bus| {
                    bus.scope.account == spoke.account_id
                        && bus.scope.region == spoke.region
                        && Some(&bus.name) == spoke.bus.as_ref()
                })
            };
            if here.is_empty() || here.len() == buses.len() && here.iter().filter(is_forwarding).count() == buses.len()
            {
                if at > 1 {
                    let note = format!("Apart from `{own}`, whose other spokes would forward as well.");
                    self.team(&team).notes.push(note);
                }
                return Some(team);
            }
            at += 1;
        }
    }

    /// A publication's name from its source: the last part of it, or more where that is taken.
    pub(super) fn publication_name(&mut self, team: &TeamName, hub: &HubName, source: &str) -> String {
        let last = source.rsplit('.').next().unwrap_or(source);
        let with_hub = format!("{last}-{hub}");
        self.named(Names::Publications(team.clone()), &[last, &with_hub, source], "events")
    }

    /// Offers each publication to those who take it.
    pub(super) fn offer(&mut self) {
        let mut takers: BTreeMap<(TeamName, String), BTreeSet<TeamName>> = BTreeMap::new();
        for (team, found) in &self.draft.teams {
            for subscription in found.subscriptions.values() {
                takers.entry(subscription.from.clone()).or_default().insert(team.clone());
            }
        }
        for (team, found) in &mut self.draft.teams {
            for (name, publication) in &mut found.publications {
                let mut takers = takers.remove(&(team.clone(), name.clone())).unwrap_or_default();
                takers.remove(team);
                publication.is_for_all = takers.is_empty();
                publication.takers = takers;
            }
        }
    }

    /// Adds publications whose publishers put events on hubs: those that subscriptions take and nothing forwards.
    pub(super) fn add_publications(&mut self, wanted: &[Wanted<'w>]) {
        let mut by_publication: BTreeMap<(TeamName, String), Vec<&Wanted<'w>>> = BTreeMap::new();
        let mut by_source: BTreeMap<(HubName, String), Vec<&Wanted<'w>>> = BTreeMap::new();
        for found in wanted {
            let key = (found.hub.clone(), found.shape.source.clone());
            match &found.from {
                Some(from) => {
                    let id = (from.team.clone(), from.name.to_string());
                    self.by_source.entry(key).or_insert_with(|| id.clone());
                    by_publication.entry(id).or_default().push(found);
                }
                None => by_source.entry(key).or_default().push(found),
            }
        }
        for ((team, name), takers) in by_publication {
            let is_forwarded = self.draft.teams.get(&team).is_some_and(|team| team.publications.contains_key(&name));
            if !is_forwarded {
                self.takes(Names::Publications(team.clone()), &name);
                self.published(&team, name, &takers, Vec::new());
            }
        }
        for ((hub, source), takers) in by_source {
            if !self.by_source.contains_key(&(hub.clone(), source.clone())) {
                self.publication_of(&hub, &source, &takers);
            }
        }
    }
}
