//! Guards: numbers over which a plan waits for a person, per scope and in all (promise 5).

use crate::model::desired::Desired;
use crate::model::ids::{Owner, Scope};
use crate::model::mark::{statement_prefix, target_prefix};
use crate::model::plan::{Action, Guard, Hold, PlanSettings, RulePart, Seen, Step};
use crate::model::resource::{BusId, RuleId};
use crate::model::world::World;
use std::collections::BTreeMap;

/// Holds what is over a share (and a floor) of what we own, and tells of every guard that holds steps.
pub(super) fn guard(steps: &mut [Step], desired: &Desired, world: &World, settings: &PlanSettings) -> Vec<Hold> {
    let owned = owned(&desired.owner, world);
    let owned_in_all: usize = owned.values().sum();
    let PlanSettings { breaks_percent_max, breaks_floor, changes_percent_max, changes_floor, fresh_ms_max: _ } =
        settings;
    let mut holds = Vec::new();
    let checks: [(Guard, Count, u32, u32); 2] = [
        (Guard::TooManyBreaks, breaks, *breaks_percent_max, *breaks_floor),
        (Guard::TooManyChanges, changes, *changes_percent_max, *changes_floor),
    ];
    for (guard, count, percent_max, floor) in checks {
        let mut counts: BTreeMap<Scope, usize> = BTreeMap::new();
        for step in steps.iter() {
            *counts.entry(step.action.scope()).or_default() += count(step);
        }
        let limit = Limit { guard, percent_max, floor };
        let in_all = counts.values().sum();
        if limit.is_over(in_all, owned_in_all) {
            holds.push(limit.hold(None, in_all, owned_in_all, steps, count));
            continue;
        }
        for (scope, found) in counts {
            let owned = owned.get(&scope).copied().unwrap_or_default();
            if limit.is_over(found, owned) {
                holds.push(limit.hold(Some(scope), found, owned, steps, count));
            }
        }
    }
    holds.extend(told(steps, &holds));
    holds
}

/// How many things of ours a step counts for.
type Count = fn(&Step) -> usize;

struct Limit {
    guard: Guard,
    percent_max: u32,
    floor: u32,
}

impl Limit {
    fn is_over(&self, count: usize, owned: usize) -> bool {
        count > self.floor as usize && count * 100 > owned * self.percent_max as usize
    }

    /// Holds the steps that are counted, in `scope` or everywhere.
    fn hold(&self, scope: Option<Scope>, count: usize, owned: usize, steps: &mut [Step], counted: Count) -> Hold {
        let Self { guard, percent_max, floor } = self;
        let mut held = 0;
        for step in steps.iter_mut() {
            let here = scope.as_ref().is_none_or(|scope| step.action.scope() == *scope);
            if here && counted(step) > 0 {
                step.held_by.insert(*guard);
                held += 1;
            }
        }
        let place = scope.as_ref().map_or("in all".to_owned(), |scope| format!("in {scope}"));
        let verb = if *guard == Guard::TooManyBreaks { "takes away" } else { "changes" };
        let reason = format!(
            "the plan {verb} {count} of the {owned} things that we own {place}: more than {percent_max} % and more than {floor}"
        );
        Hold { guard: *guard, scope, reason, steps: held }
    }
}

/// The guards that hold single steps, one hold a guard and scope.
fn told(steps: &[Step], known: &[Hold]) -> Vec<Hold> {
    let mut counts: BTreeMap<(Guard, Scope), usize> = BTreeMap::new();
    for step in steps {
        for guard in step.held_by.iter().filter(|guard| !known.iter().any(|hold| hold.guard == **guard)) {
            *counts.entry((*guard, step.action.scope())).or_default() += 1;
        }
    }
    let hold = |((guard, scope), steps)| Hold { guard, scope: Some(scope), reason: reason(guard).into(), steps };
    counts.into_iter().map(hold).collect()
}

/// Why a guard holds, and what to do about it.
pub fn reason(guard: Guard) -> &'static str {
    match guard {
        Guard::Adopt => {
            "something without our mark has a name that the topology wants; look at it, then take it over by name"
        }
        Guard::NoRoom => "a quota leaves no room for the old and the new side by side: raise it, or make room first",
        Guard::ForeignTargets => {
            "a rule of ours that nobody asks for carries targets that are not ours: remove those first"
        }
        Guard::BreaksRoute => {
            "a step would leave a route that stays without a destination: what replaces it is not planned; the findings say why"
        }
        Guard::PublishersMove => {
            "publishers of routes that stay are cut off where they put events today: name it when they have moved"
        }
        Guard::Unread => "a scope was not read whole and lately, and nothing is taken away on doubt",
        Guard::Superseded => "a newer topology was already applied",
        Guard::EmptyTopology => "the topology asks for nothing at all",
        Guard::TooManyBreaks => "the plan takes away more than it may",
        Guard::TooManyChanges => "the plan changes more than it may",
    }
}

/// How many things of ours a step takes away.
fn breaks(step: &Step) -> usize {
    match &step.action {
        Action::RemoveTargets { target_ids, .. } => target_ids.len(),
        Action::RemoveGrant { .. } | Action::DeleteRule { .. } => 1,
        Action::PutRule { part: RulePart::Narrow, .. } => 1,
        _ => 0,
    }
}

/// How many live things of ours a step sets to something else.
fn changes(step: &Step) -> usize {
    match (&step.action, &step.seen) {
        (Action::PutTargets { .. }, Seen::Targets { targets }) => targets.len(),
        (Action::PutRule { part: RulePart::Whole | RulePart::Widen, .. }, Seen::Rule { .. })
        | (Action::PutGrant { .. }, Seen::Statement { .. })
        | (Action::UpdateBus { .. }, Seen::BusSettings { .. })
        | (Action::UpdateArchive { .. }, Seen::Archive { .. }) => 1,
        _ => 0,
    }
}

/// How many rules, targets and statements bear our marks, by scope.
fn owned(owner: &Owner, world: &World) -> BTreeMap<Scope, usize> {
    let (statements, targets) = (statement_prefix(owner), target_prefix(owner));
    let mut owned = BTreeMap::new();
    for scope in world.scopes.keys() {
        let Some(view) = world.view(scope) else { continue };
        let mut count = 0;
        for (name, bus) in &view.buses {
            let id = BusId { scope: scope.clone(), name: name.clone() };
            if let Some(Ok(policy)) = &bus.policy {
                let sids = policy.statements.iter().filter_map(|statement| statement.sid.as_deref());
                count += sids.filter(|sid| sid.starts_with(&statements)).count();
            }
            let marked = bus.rules.iter().filter(|(name, rule)| {
                let id = RuleId { bus: id.clone(), name: (*name).clone() };
                rule.mark(&id).is_some_and(|mark| mark.owner == *owner)
            });
            for (_, rule) in marked {
                let ids = rule.targets.iter().flat_map(BTreeMap::keys);
                count += 1 + ids.filter(|id| id.starts_with(&targets)).count();
            }
        }
        owned.insert(scope.clone(), count);
    }
    owned
}
