//! Guards: numbers over which a plan waits for a person, per scope and in all (promise 5).

use super::own;
use crate::model::desired::Desired;
use crate::model::few::Few;
use crate::model::ids::{Owner, Scope};
use crate::model::mark::{is_our_target, statement_prefix};
use crate::model::plan::{Action, Guard, Hold, PlanSettings, RulePart, Seen, Step};
use crate::model::resource::{BusId, ResourceId, RuleId, RuleState};
use crate::model::world::World;
use std::collections::BTreeMap;

/// Holds what is over a share (and a floor) of what we own, and tells of every guard that holds steps.
pub(super) fn guard(steps: &mut [Step], desired: &Desired, world: &World, settings: &PlanSettings) -> Vec<Hold> {
    if steps.is_empty() {
        // There is nothing to hold, and to count what we own means to look at everything.
        return Vec::new();
    }
    let owned = owned(&desired.owner, world);
    let PlanSettings { breaks_percent_max, breaks_floor, changes_percent_max, changes_floor, fresh_ms_max: _ } =
        settings;
    let mut holds = Vec::new();
    let (percent_max, floor) = (*breaks_percent_max, *breaks_floor);
    let limit = Limit { guard: Guard::TooManyBreaks, percent_max, floor, counts: breaks, of: |owned| owned.parts };
    holds.extend(limit.holds(steps, &owned));
    let (percent_max, floor) = (*changes_percent_max, *changes_floor);
    let limit = Limit { guard: Guard::TooManyChanges, percent_max, floor, counts: changes, of: |owned| owned.things };
    holds.extend(limit.holds(steps, &owned));
    holds.extend(told(steps, &holds));
    holds
}

/// What bears our marks in a scope.
#[derive(Clone, Copy, Default)]
struct Owned {
    /// Rules, targets and statements, each by itself: what can be taken away.
    parts: usize,
    /// Rules with their targets, statements and buses: what can be changed.
    things: usize,
}

struct Limit {
    guard: Guard,
    percent_max: u32,
    floor: u32,
    /// How many things of ours a step counts for.
    counts: fn(&Step) -> usize,
    /// Of how many.
    of: fn(&Owned) -> usize,
}

impl Limit {
    /// What the limit holds: everything at once, or what is over it in single scopes.
    fn holds(&self, steps: &mut [Step], owned: &BTreeMap<Scope, Owned>) -> Vec<Hold> {
        // What is changed in two ways is one thing that changes.
        let mut counted: BTreeMap<ResourceId, usize> = BTreeMap::new();
        for step in steps.iter() {
            let count = (self.counts)(step);
            let so_far = counted.entry(step.action.resource()).or_default();
            *so_far = if self.guard == Guard::TooManyChanges { count.max(*so_far) } else { *so_far + count };
        }
        let mut by_scope: BTreeMap<Scope, usize> = BTreeMap::new();
        for (resource, count) in counted {
            *by_scope.entry(resource.scope().clone()).or_default() += count;
        }
        let (in_all, owned_in_all) = (by_scope.values().sum(), owned.values().map(self.of).sum());
        if self.is_over(in_all, owned_in_all) {
            return vec![self.hold(None, in_all, owned_in_all, steps)];
        }
        let mut holds = Vec::new();
        for (scope, found) in by_scope {
            let owned = owned.get(&scope).map(self.of).unwrap_or_default();
            if self.is_over(found, owned) {
                holds.push(self.hold(Some(scope), found, owned, steps));
            }
        }
        holds
    }

    fn is_over(&self, count: usize, owned: usize) -> bool {
        count > self.floor as usize && count * 100 > owned * self.percent_max as usize
    }

    /// Holds the steps that are counted, in `scope` or everywhere.
    fn hold(&self, scope: Option<Scope>, count: usize, owned: usize, steps: &mut [Step]) -> Hold {
        let Self { guard, percent_max, floor, counts, of: _ } = self;
        let mut held = 0;
        for step in steps.iter_mut() {
            let here = scope.as_ref().is_none_or(|scope| step.action.scope() == *scope);
            if here && counts(step) > 0 {
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
            "events that publishers of routes that stay put where they do today would reach nobody any more: let it go when they have moved"
        }
        Guard::Observe => {
            "the mode here is observe: the daemon looks and tells; set `enforce` in [mode], or let a person apply"
        }
        Guard::OnDrift => "[on-drift] says that this kind of drift waits for a person; look at it, then apply",
        Guard::Freeze => "a freeze is on; what is held goes on when it ends",
        Guard::Paused => "a person paused this; `wheelwright resume` ends it before its time",
        Guard::Fight => {
            "something else takes this back again and again; find the other writer, then `wheelwright resume --fight`"
        }
        Guard::StateLost => {
            "the daemon's state is gone, and with it what people had paused or stopped; look, then `wheelwright resume --state-lost`"
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
        Action::PutRule { state: RuleState::Disabled, .. } if is_enabled(&step.seen) => 1,
        _ => 0,
    }
}

/// Whether a rule matched events when the plan saw it: disabling it stops its routes as deleting it would.
fn is_enabled(seen: &Seen) -> bool {
    matches!(seen, Seen::Rule { state, .. } if state != "DISABLED")
}

/// How many live things of ours a step sets to something else.
fn changes(step: &Step) -> usize {
    match (&step.action, &step.seen) {
        (Action::PutTargets { .. }, Seen::Targets { targets }) => usize::from(!targets.is_empty()),
        (Action::PutRule { part: RulePart::Whole | RulePart::Widen, .. }, Seen::Rule { .. })
        | (Action::PutGrant { .. }, Seen::Statement { .. })
        | (Action::UpdateBus { .. }, Seen::BusSettings { .. })
        | (Action::UpdateArchive { .. }, Seen::Archive { .. }) => 1,
        _ => 0,
    }
}

/// What bears our marks, by scope.
fn owned(owner: &Owner, world: &World) -> BTreeMap<Scope, Owned> {
    let statements = statement_prefix(owner);
    let mut by_scope = BTreeMap::new();
    for scope in world.scopes.keys() {
        let Some(view) = world.view(scope) else { continue };
        let mut owned = Owned::default();
        for (name, bus) in &view.buses {
            let id = BusId { scope: scope.clone(), name: name.clone() };
            if let Some(Ok(policy)) = &bus.policy {
                let sids = policy.statements.iter().filter_map(|statement| statement.sid.as_deref());
                let ours = sids.filter(|sid| sid.starts_with(&statements)).count();
                owned.parts += ours;
                owned.things += ours;
            }
            // Somebody's own thing that bears a mark like ours, and not the tag, is no share of what we own.
            let is_tagged = |tags| own::tagged(owner, tags) != Some(false);
            let is_marked = bus.mark(&id).is_some_and(|mark| mark.owner == *owner);
            owned.things += usize::from(is_marked && is_tagged(bus.tags.as_ref()));
            let marked = bus.rules.iter().filter(|(name, rule)| {
                let id = RuleId { bus: id.clone(), name: (*name).clone() };
                rule.mark(&id).is_some_and(|mark| mark.owner == *owner) && is_tagged(rule.tags.as_ref())
            });
            for (_, rule) in marked {
                let ids = rule.targets.iter().flat_map(Few::keys);
                owned.parts += 1 + ids.filter(|id| is_our_target(owner, rule.tags.as_ref(), id)).count();
                owned.things += 1;
            }
        }
        by_scope.insert(scope.clone(), owned);
    }
    by_scope
}
