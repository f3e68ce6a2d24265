//! Who publishes what is put on hubs directly: told by marks and pins, else by who is let in.

use super::subscriptions::Wanted;
use super::{Builder, Names};
use crate::import::draft::Publication;
use crate::model::ids::{AccountId, HubName, TeamName};
use crate::model::mark::Mark;
use crate::model::resource::BusId;
use std::collections::{BTreeMap, BTreeSet};

/// What is known of who publishes a source at a hub.
struct Publishers {
    accounts: BTreeSet<AccountId>,
    notes: Vec<String>,
}

impl<'w> Builder<'w> {
    /// Adds the publication of a source that nothing names: an owner is looked for among who can publish it.
    pub(super) fn publication_of(&mut self, hub: &HubName, source: &str, takers: &[&Wanted<'w>]) {
        let Some(bus) = self.draft.hubs.get(hub).map(|hub| hub.bus.clone()) else { return };
        if source.starts_with("aws.") {
            return; // Nothing collects it: what takes it gets nothing, and is told as that.
        }
        let Publishers { accounts, notes } = self.publishers(&bus, source, takers);
        let own = bus.scope.account;
        let only = (accounts.len() == 1).then(|| accounts.first().copied()).flatten();
        let is_free = |team: &TeamName| self.draft.spoke_accounts(team, hub).is_subset(&accounts);
        // Pinned accounts: whichever team among them publishes from no other.
        let of_one = accounts.iter().find(|account| self.team_of_account.get(account).is_some_and(is_free)).copied();
        let owner = only.or(of_one.filter(|_| notes.is_empty())).unwrap_or(own);
        let Some(team) = self.team_of(owner) else { return };
        let name = self.publication_name(&team, hub, source);
        self.by_source.insert((hub.clone(), source.to_owned()), (team.clone(), name.clone()));
        self.published(&team, name.clone(), takers, notes);
        let found = self.draft.teams.get_mut(&team).and_then(|team| team.publications.get_mut(&name));
        if let Some(publication) = found {
            publication.hubs.insert(hub.clone(), accounts);
        }
    }

    fn publishers(&self, bus: &BusId, source: &str, takers: &[&Wanted<'w>]) -> Publishers {
        let pins: Vec<&BTreeSet<AccountId>> = takers.iter().map(|found| &found.shape.accounts).collect();
        let pinned: BTreeSet<AccountId> = pins.iter().copied().flatten().copied().collect();
        if !pinned.is_empty() {
            let is_open = pins.iter().any(|accounts| accounts.is_empty());
            let note = "These accounts are pinned by a rule; others take it from whoever puts it there.".to_owned();
            return Publishers { accounts: pinned, notes: is_open.then_some(note).into_iter().collect() };
        }
        let grants = self.facts.grants(bus);
        let named: BTreeSet<AccountId> = grants
            .iter()
            .filter(|grant| grant.sources.contains(source))
            .flat_map(|grant| grant.accounts.iter().copied())
            .collect();
        if !named.is_empty() {
            let notes = vec!["The bus's policy lets these accounts put this source.".to_owned()];
            let notes = if named.len() == 1 { Vec::new() } else { notes };
            return Publishers { accounts: named, notes };
        }
        let open = grants.iter().any(|grant| grant.is_for_everybody && grant.sources.is_empty());
        // Whose rules deliver here is let in for that.
        let feeders = self.facts.feeders(bus);
        let named = grants.iter().filter(|grant| grant.sources.is_empty()).flat_map(|grant| grant.accounts.clone());
        let let_in: BTreeSet<AccountId> = named.filter(|account| !feeders.contains(account)).collect();
        let (accounts, who) = match (open, let_in.len()) {
            (false, 0) => return Publishers { accounts: [bus.scope.account].into(), notes: Vec::new() },
            (false, 1) => return Publishers { accounts: let_in, notes: Vec::new() },
            (false, _) => (let_in, "The bus lets all of these in"),
            (true, _) => {
                let roster = self.request.accounts.values().copied();
                (roster.chain(let_in).collect(), "The bus lets everybody of the organisation in")
            }
        };
        let note = format!("{who}, and nothing live says which of them publishes this: keep those that do.");
        Publishers { accounts, notes: vec![note] }
    }

    /// Adds a publication that `takers` take.
    pub(super) fn published(&mut self, team: &TeamName, name: String, takers: &[&Wanted<'w>], notes: Vec<String>) {
        let Some(first) = takers.first() else { return };
        let mut publication = Publication { source: first.shape.source.clone(), notes, ..Publication::default() };
        if takers.iter().all(|found| !found.shape.types.is_empty()) {
            publication.types = takers.iter().flat_map(|found| found.shape.types.clone()).collect();
        }
        for found in takers {
            publication.hubs.entry(found.hub.clone()).or_default().extend(found.shape.accounts.iter().copied());
        }
        self.team(team).publications.insert(name, publication);
    }

    /// Accounts that statements of ours let in, or that an audit of ours takes events of, and of which nothing tells what they publish.
    pub(super) fn add_unknown_publishers(&mut self) {
        let hubs: Vec<(HubName, BusId)> = self.hubs.iter().map(|(bus, hub)| (hub.clone(), bus.clone())).collect();
        for (hub, bus) in hubs {
            let grants = self.facts.grants(&bus);
            let granted = grants.iter().filter(|grant| grant.is_ours).flat_map(|grant| grant.accounts.clone());
            let mut accounts: BTreeSet<AccountId> = granted.chain(self.audited(&hub, &bus)).collect();
            accounts.retain(|account| !self.publishes(&hub, *account));
            let others: BTreeSet<AccountId> =
                self.request.accounts.values().copied().filter(|account| *account != bus.scope.account).collect();
            let lets_organization_in = grants.iter().any(|grant| grant.is_ours && grant.organization.is_some());
            if lets_organization_in
                && !others.iter().any(|account| self.publishes(&hub, *account))
                && accounts.is_empty()
            {
                accounts = others;
            }
            if accounts.is_empty() {
                continue;
            }
            let Ok(team) = self.named(Names::Teams, &["publishers", "unknown-publishers"], "team").parse::<TeamName>()
            else {
                continue;
            };
            let notes =
                vec!["These accounts are let in, and nothing live says what they publish: write it here.".to_owned()];
            let publication = Publication {
                source: format!("unknown.{hub}"),
                hubs: [(hub.clone(), accounts)].into(),
                notes,
                ..Publication::default()
            };
            self.team(&team).publications.insert(name_at(&hub), publication);
        }
    }

    /// The accounts that the audit rule of a hub takes events of.
    fn audited(&self, hub: &HubName, bus: &BusId) -> BTreeSet<AccountId> {
        let says = format!("Everything that is published at hub {hub}, to its audit queue");
        let is_audit = |live: &&crate::model::world::LiveRule| Mark::read(&live.description).0 == says;
        let mut found = self.facts.rules_on(bus).map(|(_, live)| live).filter(is_audit);
        let value = found.next().and_then(|live| Some(live.pattern.as_ref()?.parsed.as_ref()?.to_value()));
        let accounts = value.as_ref().and_then(|value| value.get("account")?.as_array());
        accounts.into_iter().flatten().filter_map(|account| account.as_str()?.parse().ok()).collect()
    }

    /// Whether some publication at `hub` is of `account`.
    fn publishes(&self, hub: &HubName, account: AccountId) -> bool {
        self.draft.teams.iter().any(|(name, team)| {
            team.publications.values().any(|publication| {
                let Some(accounts) = publication.hubs.get(hub) else { return false };
                let by_spoke =
                    publication.collected_from.is_none() && self.draft.spoke_accounts(name, hub).contains(&account);
                accounts.contains(&account) || by_spoke
            })
        })
    }

    /// Everybody who publishes by the rules of the language: a team's spokes at a hub always do, and further accounts at every hub.
    pub(super) fn settle_publishers(&mut self) {
        let mut settled: BTreeMap<(TeamName, String), Publication> = BTreeMap::new();
        for (team, found) in &self.draft.teams {
            for (name, publication) in &found.publications {
                let mut publication = publication.clone();
                if publication.collected_from.is_none() {
                    let further: BTreeSet<AccountId> = publication
                        .hubs
                        .iter()
                        .flat_map(|(hub, accounts)| {
                            accounts.difference(&self.draft.spoke_accounts(team, hub)).copied().collect::<Vec<_>>()
                        })
                        .collect();
                    for (hub, accounts) in &mut publication.hubs {
                        accounts.extend(self.draft.spoke_accounts(team, hub));
                        accounts.extend(further.iter().copied());
                    }
                }
                settled.insert((team.clone(), name.clone()), publication);
            }
        }
        for ((team, name), publication) in settled {
            self.team(&team).publications.insert(name, publication);
        }
    }
}

fn name_at(hub: &HubName) -> String {
    crate::import::names::name_of(&format!("at-{hub}"), "events")
}
