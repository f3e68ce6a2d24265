//! The last look at a plan: does any single step leave a route that stays without a destination (promise 1)?
//!
//! It replays the steps, in their order, on a small model of what is live, and asks after each break whether every
//! route that it touches, and that delivered before, still does. The order is built so that this never happens: a
//! step that would do it is held under [`Guard::BreaksRoute`], and is a fault of the planner.

use crate::eventbridge::Pattern;
use crate::eventbridge::policy::{ArnOrAccount, BusPolicy, PutEventsRequest};
use crate::model::desired::Desired;
use crate::model::ids::AccountId;
use crate::model::mark::rule_stem;
use crate::model::plan::{Action, Guard, Hold, Step};
use crate::model::resource::{BusId, RuleId, RuleState};
use crate::model::route::{Route, RouteId};
use crate::model::topology::Via;
use crate::model::world::World;
use std::collections::{BTreeMap, BTreeSet};

/// Holds every step that would take the last destination of a route that stays.
pub(super) fn lint(steps: &mut [Step], desired: &Desired, world: &World) -> Vec<Hold> {
    let breaks = || steps.iter().filter(|step| step.is_break());
    let at_risk: BTreeSet<RouteId> = breaks().flat_map(|step| step.routes.iter().cloned()).collect();
    let mut wheel = Wheel::of(world);
    let mut delivering: BTreeSet<RouteId> =
        at_risk.iter().filter(|id| wheel.delivers_id(id, desired)).cloned().collect();
    let mut held = 0;
    for step in steps.iter_mut() {
        let touched: Vec<&RouteId> = step.routes.iter().filter(|id| at_risk.contains(*id)).collect();
        if !step.is_break() {
            wheel.apply(&step.action);
            delivering.extend(touched.into_iter().filter(|id| wheel.delivers_id(id, desired)).cloned());
            continue;
        }
        let mut after = wheel.clone();
        after.apply(&step.action);
        if touched.into_iter().any(|id| delivering.contains(id) && !after.delivers_id(id, desired)) {
            step.held_by = Some(Guard::BreaksRoute);
            held += 1;
        } else {
            wheel = after;
        }
    }
    if held == 0 {
        return Vec::new();
    }
    let reason = super::guard::reason(Guard::BreaksRoute).into();
    vec![Hold { guard: Guard::BreaksRoute, scope: None, reason, steps: held }]
}

/// What is live, as far as delivery goes.
#[derive(Clone, Default)]
struct Wheel {
    rules: BTreeMap<RuleId, Spinning>,
    policies: BTreeMap<BusId, BusPolicy>,
}

#[derive(Clone)]
struct Spinning {
    enabled: bool,
    pattern: Option<Pattern>,
    /// Destinations by target Id.
    targets: BTreeMap<String, String>,
}

impl Wheel {
    fn of(world: &World) -> Self {
        let mut wheel = Self::default();
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

    fn apply(&mut self, action: &Action) {
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
                let enabled = *state == RuleState::Enabled;
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
            | Action::TagBus { .. }
            | Action::TagRule { .. }
            | Action::CreateArchive { .. }
            | Action::UpdateArchive { .. } => {}
        }
    }

    fn delivers_id(&self, id: &RouteId, desired: &Desired) -> bool {
        desired.routes.get(id).is_some_and(|route| self.delivers(route, desired))
    }

    /// Whether some rule carries the route's events to a destination of its: the wanted one, or the one that its own
    /// subscription had before.
    fn delivers(&self, route: &Route, desired: &Desired) -> bool {
        self.reaches_hub(route) && self.leaves_hub(route, desired)
    }

    fn reaches_hub(&self, route: &Route) -> bool {
        let hub_arn = route.hub_bus.arn();
        route.publisher_accounts.iter().all(|&account| {
            let let_in = account == route.hub_bus.scope.account || self.lets_in(&route.hub_bus, account);
            let forwards = |rule: &&RuleId| {
                self.rules
                    .get(*rule)
                    .is_some_and(|rule| rule.enabled && rule.targets.values().any(|arn| *arn == hub_arn))
            };
            let_in
                && (route.via == Via::Hub
                    || route
                        .forward_rules
                        .iter()
                        .filter(|rule| rule.bus.scope.account == account)
                        .all(|rule| forwards(&rule)))
        })
    }

    fn leaves_hub(&self, route: &Route, desired: &Desired) -> bool {
        let stem = rule_stem(&route.rule.name);
        let wanted = desired.rules.get(&route.rule).map(|wanted| &wanted.spec.pattern);
        self.rules.iter().any(|(id, rule)| {
            let own = rule_stem(&id.name) == stem;
            let takes = match (&rule.pattern, wanted) {
                (Some(live), Some(wanted)) => live.may_overlap(wanted),
                _ => false,
            };
            rule.enabled
                && takes
                && (own || id.bus == route.hub_bus)
                && rule.targets.values().any(|arn| self.arrives(route, &id.bus, arn, own))
        })
    }

    fn arrives(&self, route: &Route, from: &BusId, arn: &str, own: bool) -> bool {
        if arn != route.destination_arn {
            return own;
        }
        match &route.destination_bus {
            Some(bus) => bus.scope.account == from.scope.account || self.lets_in(bus, from.scope.account),
            None => true,
        }
    }

    /// Whether the policy of `bus` lets `account` put events of ours. An organisation's statement counts for every
    /// account: that the publishers are members is the topology's word.
    fn lets_in(&self, bus: &BusId, account: AccountId) -> bool {
        let Some(policy) = self.policies.get(bus) else { return false };
        let organization = policy.statements.iter().find_map(|statement| {
            let keys = statement.conditions.get("StringEquals")?;
            keys.get("aws:PrincipalOrgID")?.first().map(String::as_str)
        });
        let request = PutEventsRequest {
            caller: ArnOrAccount { account: account.to_string(), arn: None },
            organization,
            bus_arn: &bus.arn(),
            source: "",
            detail_type: "",
            source_arn: None,
            forwarded: false,
        };
        policy.evaluate(&request).is_allowed()
    }
}
