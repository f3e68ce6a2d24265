//! What is live, turned so that the questions of an import can be asked of it: who is let in where, what delivers to what.

use super::Request;
use crate::eventbridge::policy::{BusPolicy, Principal, Scope as StatementScope, Statement};
use crate::model::ids::{AccountId, Scope};
use crate::model::mark::{Mark, OWNER_TAG, TEAM_TAG, statement_prefix};
use crate::model::resource::{BusId, Grantee, RuleId};
use crate::model::settings::Settings;
use crate::model::world::{LiveBus, LiveRule, World};
use crate::plan::{Ownership, bus_ownership, lets_in, rule_ownership};
use std::collections::{BTreeMap, BTreeSet};

pub(super) struct Facts<'w> {
    pub(super) world: &'w World,
    pub(super) settings: &'w Settings,
    pub(super) buses: BTreeMap<BusId, &'w LiveBus>,
    /// Every rule that no AWS service manages.
    pub(super) rules: BTreeMap<RuleId, &'w LiveRule>,
    /// Buses that a bus's rules deliver to.
    out: BTreeMap<BusId, BTreeSet<BusId>>,
    /// Buses whose rules deliver to a bus.
    into: BTreeMap<BusId, BTreeSet<BusId>>,
    /// Buses whose rules deliver to other accounts' queues, functions and the like.
    reaching_out: BTreeSet<BusId>,
}

/// Whom a statement of a bus's policy lets put events.
#[derive(Clone, Debug, Default)]
pub(super) struct Grant {
    pub(super) accounts: BTreeSet<AccountId>,
    /// The organisation that it is for, or everybody.
    pub(super) organization: Option<String>,
    pub(super) is_for_everybody: bool,
    /// The sources that it is for; none: any.
    pub(super) sources: BTreeSet<String>,
    pub(super) is_ours: bool,
}

impl<'w> Facts<'w> {
    pub(super) fn of(world: &'w World, settings: &'w Settings) -> Self {
        let (mut buses, mut rules) = (BTreeMap::new(), BTreeMap::new());
        for (scope, view) in world.scopes.keys().filter_map(|scope| world.view(scope).map(|view| (scope, view))) {
            for (name, live) in &view.buses {
                let bus = BusId { scope: scope.clone(), name: name.clone() };
                for (name, live) in live.rules.iter().filter(|(_, live)| live.managed_by.is_none()) {
                    rules.insert(RuleId { bus: bus.clone(), name: name.clone() }, live);
                }
                buses.insert(bus, live);
            }
        }
        let mut facts = Self {
            world,
            settings,
            buses,
            rules: rules.clone(),
            out: BTreeMap::new(),
            into: BTreeMap::new(),
            reaching_out: BTreeSet::new(),
        };
        for (rule, live) in &rules {
            for target in live.targets.iter().flatten().map(|(_, target)| &target.spec.arn) {
                match BusId::of_arn(target) {
                    Some(bus) if bus != rule.bus => {
                        facts.out.entry(rule.bus.clone()).or_default().insert(bus.clone());
                        facts.into.entry(bus).or_default().insert(rule.bus.clone());
                    }
                    Some(_) => {}
                    None if account_of(target).is_some_and(|account| account != rule.bus.scope.account) => {
                        facts.reaching_out.insert(rule.bus.clone());
                    }
                    None => {}
                }
            }
        }
        facts
    }

    pub(super) fn bus_owner(&self, bus: &BusId) -> Ownership {
        let Settings { operator, released, .. } = self.settings;
        self.buses.get(bus).map_or(Ownership::Unknown, |live| bus_ownership(&operator.owner, released, bus, live))
    }

    pub(super) fn rule_owner(&self, rule: &RuleId, live: &LiveRule) -> Ownership {
        let Settings { operator, released, .. } = self.settings;
        rule_ownership(&operator.owner, released, rule, live)
    }

    /// Whether a bus bears a mark of ours, and the team that its tag names.
    pub(super) fn marked_bus(&self, bus: &BusId) -> Option<Option<&'w str>> {
        let live = self.buses.get(bus)?;
        matches!(self.bus_owner(bus), Ownership::Marked(_) | Ownership::MarkLost)
            .then(|| tag(live.tags.as_ref(), TEAM_TAG))
    }

    /// What a bus says of itself, without our mark. DescribeEventBus tells it as well as the listing.
    pub(super) fn text_of(&self, bus: &BusId) -> &'w str {
        let Some(live) = self.buses.get(bus) else { return "" };
        let described = live.settings.as_ref().map_or("", |settings| settings.description.as_str());
        Mark::read(if live.description.is_empty() { described } else { &live.description }).0
    }

    /// Whether a rule bears a mark of ours.
    pub(super) fn is_marked(&self, rule: &RuleId, live: &LiveRule) -> bool {
        matches!(self.rule_owner(rule, live), Ownership::Marked(_) | Ownership::MarkLost)
    }

    /// The statements of a bus's policy that let anybody put events.
    pub(super) fn grants(&self, bus: &BusId) -> Vec<Grant> {
        let policy = self.buses.get(bus).and_then(|live| live.policy.as_ref());
        let Some(Ok(BusPolicy { statements })) = policy else { return Vec::new() };
        statements.iter().filter_map(|statement| self.grant(statement)).collect()
    }

    fn grant(&self, statement: &Statement) -> Option<Grant> {
        let StatementScope::Only(principals) = &statement.principals else { return None };
        let prefix = statement_prefix(&self.settings.operator.owner);
        let mut grant =
            Grant { is_ours: statement.sid.as_deref().is_some_and(|sid| sid.starts_with(&prefix)), ..Grant::default() };
        for principal in principals {
            match principal {
                Principal::Everyone => grant.is_for_everybody = true,
                Principal::Account { account, .. } => grant.accounts.extend(account.parse::<AccountId>().ok()),
                Principal::Arn(arn) => grant.accounts.extend(account_of(arn)),
                Principal::Dead(_) | Principal::Service(_) | Principal::Other { .. } => {}
            }
        }
        for keys in statement.conditions.values() {
            grant.organization = grant.organization.or_else(|| keys.get("aws:PrincipalOrgID")?.first().cloned());
            grant.sources.extend(keys.get("events:source").into_iter().flatten().cloned());
        }
        let somebody = grant.accounts.first().copied().or_else(|| "000000000000".parse().ok())?;
        lets_in(statement, &Grantee::Account(somebody)).then_some(grant)
    }

    /// The buses that go between others: see the notes beside each case.
    pub(super) fn hubs(&self, request: &Request) -> BTreeSet<BusId> {
        let known =
            |bus: &BusId| request.hubs.values().any(|hub| hub == bus) || matches!(self.marked_bus(bus), Some(None));
        self.buses.keys().filter(|bus| !bus.is_default() && (known(bus) || self.is_hub(bus, &known))).cloned().collect()
    }

    fn is_hub(&self, bus: &BusId, known: &dyn Fn(&BusId) -> bool) -> bool {
        if matches!(self.marked_bus(bus), Some(Some(_))) {
            return false; // A team's, by its tag.
        }
        let nobody = BTreeSet::new();
        let out = self.out.get(bus).unwrap_or(&nobody);
        let into = self.into.get(bus).unwrap_or(&nobody);
        let lets_others_in = self
            .grants(bus)
            .iter()
            .any(|grant| grant.is_for_everybody || grant.accounts.iter().any(|account| *account != bus.scope.account));
        let strong = |bus: &BusId| known(bus) || self.is_strong(bus);
        match (out.is_empty(), into.is_empty()) {
            // In the middle, or open to others and going on to others.
            (false, false) => true,
            (false, true) if lets_others_in => true,
            // It goes on to hubs alone: a publisher's own bus that forwards.
            (false, true) => !out.iter().all(strong),
            // A leaf: a subscriber's bus, unless it gathers from many, or goes on to others' queues.
            (true, false) => !into.iter().any(known) && self.is_strong(bus),
            (true, true) => lets_others_in && self.rules.keys().any(|rule| rule.bus == *bus),
        }
    }

    /// Whether a bus is a hub whatever it is that delivers to it.
    fn is_strong(&self, bus: &BusId) -> bool {
        let only_here = |feeder: &BusId| feeder.is_default() || self.out.get(feeder).is_some_and(|out| out.len() == 1);
        let gathers = self
            .into
            .get(bus)
            .is_some_and(|into| into.iter().any(BusId::is_default) || into.len() > 1 && into.iter().all(only_here));
        !bus.is_default()
            && (self.out.contains_key(bus)
                || self.reaching_out.contains(bus)
                || gathers
                || self.lets_in_publishers(bus))
    }

    /// Whether a bus lets in somebody who does not deliver to it by a rule: who puts events there by calls.
    fn lets_in_publishers(&self, bus: &BusId) -> bool {
        let feeders = self.feeders(bus);
        self.grants(bus).iter().any(|grant| {
            let mut others = grant.accounts.iter().filter(|account| **account != bus.scope.account);
            grant.is_for_everybody || others.any(|account| !feeders.contains(account))
        })
    }

    /// The accounts whose rules deliver to a bus: they are let in for that.
    pub(super) fn feeders(&self, bus: &BusId) -> BTreeSet<AccountId> {
        self.into.get(bus).into_iter().flatten().map(|feeder| feeder.scope.account).collect()
    }

    /// Rules on one bus.
    pub(super) fn rules_on<'f>(&'f self, bus: &BusId) -> impl Iterator<Item = (&'f RuleId, &'w LiveRule)> {
        let first = RuleId { bus: bus.clone(), name: String::new() };
        let bus = bus.clone();
        self.rules.range(first..).take_while(move |(rule, _)| rule.bus == bus).map(|(rule, live)| (rule, *live))
    }

    /// The tags that we set for people on a thing of ours.
    pub(super) fn is_ours_by_tag(live: Option<&crate::model::topology::Tags>) -> bool {
        tag(live, OWNER_TAG).is_some()
    }
}

pub(super) fn tag<'t>(tags: Option<&'t crate::model::topology::Tags>, key: &str) -> Option<&'t str> {
    tags.and_then(|tags| tags.get(key)).map(String::as_str)
}

/// The account that an ARN is of.
pub(super) fn account_of(arn: &str) -> Option<AccountId> {
    arn.parse::<crate::eventbridge::Arn>().ok()?.account.parse().ok()
}

/// The account and Region that an ARN is of.
pub(super) fn scope_of(arn: &str) -> Option<Scope> {
    let arn = arn.parse::<crate::eventbridge::Arn>().ok()?;
    Some(Scope::new(arn.account.parse().ok()?, &arn.region))
}
