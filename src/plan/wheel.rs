//! A small model of what is live, as far as delivery goes: what the last look at a plan, and the words about routes, ask.

use crate::eventbridge::Pattern;
use crate::eventbridge::policy::{ArnOrAccount, BusPolicy, PutEventsRequest};
use crate::model::desired::Desired;
use crate::model::ids::{AccountId, Scope};
use crate::model::mark::is_same_stem;
use crate::model::plan::Action;
use crate::model::resource::{BusId, ResourceId, RuleId, RuleState};
use crate::model::route::Route;
use crate::model::topology::Via;
use crate::model::world::World;
use std::collections::{BTreeMap, BTreeSet};

/// What is live, as far as delivery goes.
#[derive(Clone, Default)]
pub(super) struct Wheel {
    rules: BTreeMap<RuleId, Spinning>,
    policies: BTreeMap<BusId, BusPolicy>,
    /// Scopes of partners: what AWS took a target for is taken to be let in there.
    unseen: BTreeSet<Scope>,
    /// Rules that count as enabled whatever they are.
    taken_as_enabled: BTreeSet<RuleId>,
}

/// What an action changed, as it was.
pub(super) enum Before {
    Rule(RuleId, Option<Spinning>),
    Policy(BusId, Option<BusPolicy>),
    Nothing,
}

#[derive(Clone)]
pub(super) struct Spinning {
    enabled: bool,
    pattern: Option<Pattern>,
    /// Destinations by target Id.
    targets: BTreeMap<String, String>,
}

impl Wheel {
    pub(super) fn of(desired: &Desired, world: &World) -> Self {
        let mut wheel = Self { unseen: desired.no_access.clone(), ..Self::default() };
        for (scope, view) in world.scopes.keys().filter_map(|scope| world.view(scope).map(|view| (scope, view))) {
            for (name, live) in &view.buses {
                let bus = BusId { scope: scope.clone(), name: name.clone() };
                if let Some(Ok(policy)) = &live.policy {
                    wheel.policies.insert(bus.clone(), policy.clone());
                }
                for (name, rule) in live.rules.iter().filter(|(_, rule)| rule.targets.is_some()) {
                    let targets =
                        rule.targets.iter().flatten().map(|(id, target)| (id.clone(), target.spec.arn.clone()));
                    let spinning = Spinning {
                        enabled: rule.state != "DISABLED",
                        pattern: rule.pattern.as_ref().and_then(|pattern| pattern.parsed.clone()),
                        targets: targets.collect(),
                    };
                    wheel.rules.insert(RuleId { bus: bus.clone(), name: name.clone() }, spinning);
                }
            }
        }
        wheel
    }

    /// Takes the rules of routes that are held off as if they were not.
    pub(super) fn ignore_stops(&mut self, desired: &Desired) {
        for stop in desired.stops.iter().filter(|stop| stop.is_active) {
            self.taken_as_enabled.insert(stop.rule.clone());
            if let Some(rule) = self.rules.get_mut(&stop.rule) {
                rule.enabled = true;
            }
        }
    }

    /// The same as [`Wheel::apply`], with what takes it back.
    pub(super) fn apply_undoable(&mut self, action: &Action) -> Before {
        let before = match action.resource() {
            ResourceId::Rule(rule) => Before::Rule(rule.clone(), self.rules.get(&rule).cloned()),
            ResourceId::Grant(bus, _) => Before::Policy(bus.clone(), self.policies.get(&bus).cloned()),
            _ => Before::Nothing,
        };
        self.apply(action);
        before
    }

    /// Takes back what was applied.
    pub(super) fn undo(&mut self, before: Before) {
        match before {
            Before::Rule(rule, Some(live)) => _ = self.rules.insert(rule, live),
            Before::Rule(rule, None) => _ = self.rules.remove(&rule),
            Before::Policy(bus, Some(policy)) => _ = self.policies.insert(bus, policy),
            Before::Policy(bus, None) => _ = self.policies.remove(&bus),
            Before::Nothing => {}
        }
    }

    pub(super) fn apply(&mut self, action: &Action) {
        match action {
            Action::PutGrant { bus, statement_id, grantee } => {
                let statement = super::grants::statement(bus, statement_id, grantee);
                let policy = self.policies.entry(bus.clone()).or_default();
                policy.statements.retain(|live| live.sid.as_deref() != Some(statement_id));
                policy.statements.push(statement);
            }
            Action::RemoveGrant { bus, statement_id } => {
                if let Some(policy) = self.policies.get_mut(bus) {
                    policy.statements.retain(|live| live.sid.as_deref() != Some(statement_id));
                }
            }
            Action::PutRule { rule, pattern, state, .. } => {
                let targets = self.rules.remove(rule).map(|rule| rule.targets).unwrap_or_default();
                let enabled = *state == RuleState::Enabled || self.taken_as_enabled.contains(rule);
                let pattern = Pattern::parse(pattern).ok();
                self.rules.insert(rule.clone(), Spinning { enabled, pattern, targets });
            }
            Action::PutTargets { rule, targets } => {
                if let Some(rule) = self.rules.get_mut(rule) {
                    rule.targets.extend(targets.iter().map(|(id, spec)| (id.clone(), spec.arn.clone())));
                }
            }
            Action::RemoveTargets { rule, target_ids } => {
                if let Some(rule) = self.rules.get_mut(rule) {
                    rule.targets.retain(|id, _| !target_ids.contains(id));
                }
            }
            Action::DeleteRule { rule } => _ = self.rules.remove(rule),
            Action::CreateBus { .. }
            | Action::UpdateBus { .. }
            | Action::TagBus { .. }
            | Action::UntagBus { .. }
            | Action::TagRule { .. }
            | Action::UntagRule { .. }
            | Action::CreateArchive { .. }
            | Action::UpdateArchive { .. } => {}
        }
    }

    /// Whether events of some publisher reach the hub, and from there the destination that is asked for.
    pub(super) fn delivers(&self, route: &Route, desired: &Desired) -> bool {
        let reached = route.publisher_accounts.is_empty()
            || route.publisher_accounts.iter().any(|account| self.reaches_hub(route, *account));
        reached && self.leaves_hub(route, desired, true)
    }

    /// Whether every publisher's events reach the hub.
    pub(super) fn takes_all(&self, route: &Route) -> bool {
        route.publisher_accounts.iter().all(|account| self.reaches_hub(route, *account))
    }

    /// Whether some rule takes the route's events to the destination that is asked for, or to the one that its own
    /// subscription had before, wherever they come in.
    pub(super) fn carries(&self, route: &Route, desired: &Desired) -> bool {
        self.leaves_hub(route, desired, false)
    }

    fn reaches_hub(&self, route: &Route, account: AccountId) -> bool {
        let hub_arn = route.hub_bus.arn();
        let let_in = account == route.hub_bus.scope.account || self.lets_in(&route.hub_bus, account);
        let forwards = |rule: &RuleId| {
            let live = self.rules.get(rule);
            live.is_some_and(|live| live.enabled && live.targets.values().any(|arn| *arn == hub_arn))
        };
        let mut forward_rules = route.forward_rules.iter().filter(|rule| rule.bus.scope.account == account);
        let_in && (route.via == Via::Hub || forward_rules.all(forwards))
    }

    fn leaves_hub(&self, route: &Route, desired: &Desired, only_as_asked: bool) -> bool {
        let wanted = desired.rules.get(&route.rule).map(|wanted| &wanted.spec.pattern);
        self.rules.iter().any(|(id, rule)| {
            let own = is_same_stem(&id.name, &route.rule.name);
            let here = id.bus == route.hub_bus;
            let near = if only_as_asked { here } else { own || here };
            let takes = || match (&rule.pattern, wanted) {
                (Some(live), Some(wanted)) => live.may_overlap(wanted),
                _ => false,
            };
            let arrives = |arn: &String| self.arrives(route, &id.bus, arn, own && !only_as_asked);
            rule.enabled && near && rule.targets.values().any(arrives) && takes()
        })
    }

    fn arrives(&self, route: &Route, from: &BusId, arn: &str, anywhere: bool) -> bool {
        if arn != route.destination_arn {
            return anywhere;
        }
        match &route.destination_bus {
            Some(bus) => bus.scope.account == from.scope.account || self.lets_in(bus, from.scope.account),
            None => true,
        }
    }

    /// Whether the policy of `bus` lets `account` put events of ours. An organisation's statement counts for every
    /// account: that the publishers are members is the topology's word.
    fn lets_in(&self, bus: &BusId, account: AccountId) -> bool {
        if self.unseen.contains(&bus.scope) {
            return true;
        }
        let Some(policy) = self.policies.get(bus) else { return false };
        let organizations = policy.statements.iter().filter_map(|statement| {
            let keys = statement.conditions.get("StringEquals")?;
            keys.get("aws:PrincipalOrgID")?.first().map(String::as_str)
        });
        let bus_arn = bus.arn();
        organizations.map(Some).chain([None]).any(|organization| {
            let request = PutEventsRequest {
                caller: ArnOrAccount { account: account.to_string(), arn: None },
                organization,
                bus_arn: &bus_arn,
                source: "",
                detail_type: "",
                source_arn: None,
                forwarded: false,
            };
            policy.evaluate(&request).is_allowed()
        })
    }
}
