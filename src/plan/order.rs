//! What must come before what: a graph of steps across accounts.
//!
//! Edges are what AWS requires (a bus before what stands on it, the destination's grant before the target that
//! needs it, targets before the rule's end) and what promise 1 requires (whatever replaces a thing before it goes).

use crate::model::ids::AccountId;
use crate::model::plan::{Action, Cause, Guard, RulePart, Seen, Step, StepKey};
use crate::model::resource::{BusId, Grantee, RuleId};
use crate::model::route::RouteId;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};

/// Sets what each step comes after, and returns the steps in an order that keeps it: makes first, and otherwise by
/// resource, so that the same plan always reads the same.
///
/// `is_hub` tells the hubs' buses: what goes from any other brings events to one.
pub(super) fn order(mut steps: Vec<Step>, is_hub: impl Fn(&BusId) -> bool) -> Vec<Step> {
    let index = Index::of(&steps);
    for step in &mut steps {
        let mut after = index.required(&step.action);
        if let (Action::PutRule { rule, .. }, Cause::Intent) = (&step.action, step.cause) {
            // The mark says that all of it was written, so it is written last. Drift is mended with or without tags.
            // But where tags go as well: a right to that which is lacking must not keep a route from being held off.
            after.extend(index.tag_rules.get(rule).filter(|_| !index.untag_rules.contains_key(rule)).cloned());
        }
        if step.is_break() {
            after.extend(index.replacing(step, &is_hub));
        }
        after.remove(&step.key());
        step.after = after;
    }
    sorted(steps)
}

/// What a make is about, as far as it tells whether a break has to wait for it.
enum Make {
    /// A rule on this bus, or its targets or tags.
    Rule(BusId),
    /// A grant to this account alone.
    Grant(AccountId),
    Other,
}

impl Make {
    fn of(action: &Action) -> Self {
        match action {
            Action::PutRule { rule, .. }
            | Action::TagRule { rule, .. }
            | Action::UntagRule { rule, .. }
            | Action::PutTargets { rule, .. } => Self::Rule(rule.bus.clone()),
            Action::PutGrant { grantee: Grantee::Account(account), .. } => Self::Grant(*account),
            _ => Self::Other,
        }
    }
}

/// The steps of a plan by what they write.
#[derive(Default)]
struct Index {
    buses: BTreeMap<BusId, StepKey>,
    grants: BTreeMap<BusId, Vec<(Grantee, StepKey)>>,
    put_rules: BTreeMap<RuleId, StepKey>,
    put_targets: BTreeMap<RuleId, StepKey>,
    tag_rules: BTreeMap<RuleId, StepKey>,
    untag_rules: BTreeMap<RuleId, StepKey>,
    tag_buses: BTreeMap<BusId, StepKey>,
    untag_buses: BTreeMap<BusId, StepKey>,
    /// Steps that take a bus's own key away.
    keys_that_go: BTreeMap<BusId, StepKey>,
    remove_targets: BTreeMap<RuleId, StepKey>,
    /// Steps after which fewer events go over a bus, by its ARN: rules on it that go or narrow, and rules elsewhere that
    /// stop delivering to it.
    removals: BTreeMap<String, Vec<StepKey>>,
    /// Makes by route.
    makes: BTreeMap<RouteId, Vec<(Make, StepKey)>>,
    /// The buses that steps write, by ARN: what a target's destination is looked up in.
    bus_of_arn: BTreeMap<String, BusId>,
}

impl Index {
    fn of(steps: &[Step]) -> Self {
        let mut index = Self::default();
        for step in steps {
            let key = step.key();
            if !step.is_break() {
                for route in &step.routes {
                    index.makes.entry(route.clone()).or_default().push((Make::of(&step.action), key.clone()));
                }
            }
            index.removal(step, &key);
            match &step.action {
                Action::UntagBus { bus, .. } => _ = index.untag_buses.insert(bus.clone(), key),
                // One that takes a tag away after its target is waited for by nothing.
                Action::UntagRule { rule, .. } => {
                    if !step.is_break() {
                        index.untag_rules.insert(rule.clone(), key);
                    }
                }
                // Nothing else waits for the settings or the tags of a bus that is ours already.
                Action::UpdateBus { bus, settings } => {
                    let had_key = matches!(&step.seen, Seen::BusSettings { settings } if settings.kms_key.is_some());
                    if had_key && settings.kms_key.is_none() {
                        index.keys_that_go.insert(bus.clone(), key);
                    }
                }
                Action::TagBus { bus, .. } if !step.held_by.contains(&Guard::Adopt) => {
                    index.tag_buses.insert(bus.clone(), key);
                }
                Action::CreateBus { bus, .. } | Action::TagBus { bus, .. } => {
                    index.bus_of_arn.insert(bus.arn(), bus.clone());
                    index.buses.insert(bus.clone(), key);
                }
                Action::PutGrant { bus, grantee, .. } => {
                    index.bus_of_arn.insert(bus.arn(), bus.clone());
                    index.grants.entry(bus.clone()).or_default().push((grantee.clone(), key));
                }
                // A narrowing comes last: nothing waits for it.
                Action::PutRule { part: RulePart::Narrow, .. } => {}
                Action::PutRule { rule, .. } => _ = index.put_rules.insert(rule.clone(), key),
                Action::PutTargets { rule, .. } => _ = index.put_targets.insert(rule.clone(), key),
                Action::RemoveTargets { rule, .. } => _ = index.remove_targets.insert(rule.clone(), key),
                Action::TagRule { rule, .. } => _ = index.tag_rules.insert(rule.clone(), key),
                Action::RemoveGrant { .. }
                | Action::DeleteRule { .. }
                | Action::CreateArchive { .. }
                | Action::UpdateArchive { .. } => {}
            }
        }
        index
    }

    fn removal(&mut self, step: &Step, key: &StepKey) {
        let (Action::RemoveTargets { rule, .. } | Action::DeleteRule { rule } | Action::PutRule { rule, .. }) =
            &step.action
        else {
            return;
        };
        if !step.is_break() {
            return;
        }
        self.removals.entry(rule.bus.arn()).or_default().push(key.clone());
        if let Seen::Targets { targets } = &step.seen {
            for target in targets.values() {
                self.removals.entry(target.spec.arn.clone()).or_default().push(key.clone());
            }
        }
    }

    /// What AWS requires before this write.
    fn required(&self, action: &Action) -> BTreeSet<StepKey> {
        let mut after = BTreeSet::new();
        match action {
            Action::CreateBus { .. } | Action::UntagRule { .. } => {}
            // Whose the key is shows by mark, settings and tags together: it goes while all three are as they were.
            Action::UntagBus { bus, .. } => after.extend(self.keys_that_go.get(bus).cloned()),
            // The tag that says which tags we set changes after those that go.
            Action::TagBus { bus, .. } => {
                after.extend(self.untag_buses.get(bus).cloned());
                after.extend(self.keys_that_go.get(bus).cloned());
            }
            // The mark says that all of it was written, so it is written last.
            Action::UpdateBus { bus, .. } => {
                after.extend(self.buses.get(bus).cloned());
                let tagged_first = !self.untag_buses.contains_key(bus) && !self.keys_that_go.contains_key(bus);
                after.extend(self.tag_buses.get(bus).filter(|_| tagged_first).cloned());
            }
            Action::PutGrant { bus, .. } => after.extend(self.buses.get(bus).cloned()),
            Action::PutRule { rule, .. } => after.extend(self.buses.get(&rule.bus).cloned()),
            Action::TagRule { rule, .. } => {
                after.extend(self.buses.get(&rule.bus).cloned());
                after.extend(self.untag_rules.get(rule).cloned());
            }
            Action::PutTargets { rule, targets } => {
                after.extend(self.buses.get(&rule.bus).cloned());
                after.extend(self.put_rules.get(rule).cloned());
                for bus in targets.values().filter_map(|target| self.bus_of_arn.get(&target.arn)) {
                    after.extend(self.buses.get(bus).cloned());
                    after.extend(self.grants_for(bus, rule.bus.scope.account));
                }
            }
            Action::CreateArchive { spec, .. } | Action::UpdateArchive { spec, .. } => {
                after.extend(self.buses.get(&spec.source).cloned());
            }
            // A rule must be empty before it is deleted.
            Action::DeleteRule { rule } => after.extend(self.remove_targets.get(rule).cloned()),
            Action::RemoveTargets { .. } | Action::RemoveGrant { .. } => {}
        }
        after
    }

    /// Grants on `bus` that let `account` in.
    fn grants_for(&self, bus: &BusId, account: AccountId) -> impl Iterator<Item = StepKey> {
        let grants = self.grants.get(bus).into_iter().flatten();
        grants
            .filter(move |(grantee, _)| match grantee {
                Grantee::Account(granted) => *granted == account,
                Grantee::Organization(_) => true,
            })
            .map(|(_, key)| key.clone())
    }

    /// The makes of the routes that this break touches. Where something goes from a bus that brings events to a hub, what is
    /// made on, or for, other such buses is none of its business if its own replacement is made there too: a collection
    /// has a thousand of them.
    fn makes_before(&self, step: &Step, is_hub: &impl Fn(&BusId) -> bool) -> BTreeSet<StepKey> {
        let makes = || step.routes.iter().filter_map(|route| self.makes.get(route)).flatten();
        let everything = || makes().map(|(_, key)| key.clone()).collect();
        let (Action::RemoveTargets { rule, .. } | Action::DeleteRule { rule } | Action::PutRule { rule, .. }) =
            &step.action
        else {
            return everything();
        };
        let replaced_here = makes().any(|(make, _)| matches!(make, Make::Rule(bus) if *bus == rule.bus));
        if is_hub(&rule.bus) || !replaced_here {
            return everything();
        }
        let concerns = |make: &Make| match make {
            Make::Rule(bus) => *bus == rule.bus || is_hub(bus),
            Make::Grant(account) => *account == rule.bus.scope.account,
            Make::Other => true,
        };
        makes().filter(|(make, _)| concerns(make)).map(|(_, key)| key.clone()).collect()
    }

    /// What must be in place before this break (promise 1): every make of the routes that stay; new grants before
    /// old ones go; and targets that need a grant go before it does.
    fn replacing(&self, step: &Step, is_hub: &impl Fn(&BusId) -> bool) -> BTreeSet<StepKey> {
        let mut after = self.makes_before(step, is_hub);
        match &step.action {
            Action::RemoveGrant { bus, .. } => {
                after.extend(self.grants.get(bus).into_iter().flatten().map(|(_, key)| key.clone()));
                after.extend(self.removals.get(&bus.arn()).into_iter().flatten().cloned());
            }
            Action::RemoveTargets { rule, .. } | Action::DeleteRule { rule } | Action::PutRule { rule, .. } => {
                after.extend(self.put_rules.get(rule).cloned());
                after.extend(self.put_targets.get(rule).cloned());
            }
            // The tag that calls a target ours goes after it.
            Action::UntagRule { rule, .. } => after.extend(self.remove_targets.get(rule).cloned()),
            _ => {}
        }
        after
    }
}

/// Topological order; among steps that are free, makes before breaks, then by resource.
fn sorted(mut steps: Vec<Step>) -> Vec<Step> {
    steps.sort_by_cached_key(|step| (step.is_break(), step.action.resource(), phase(&step.action)));
    let place: BTreeMap<StepKey, usize> = steps.iter().enumerate().map(|(at, step)| (step.key(), at)).collect();
    let mut waiting: Vec<usize> = Vec::with_capacity(steps.len());
    let mut followers: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (at, step) in steps.iter().enumerate() {
        let before: Vec<usize> = step.after.iter().filter_map(|key| place.get(key).copied()).collect();
        waiting.push(before.len());
        for earlier in before {
            followers.entry(earlier).or_default().push(at);
        }
    }
    let mut free: BinaryHeap<Reverse<usize>> =
        waiting.iter().enumerate().filter(|(_, count)| **count == 0).map(|(at, _)| Reverse(at)).collect();
    let mut slots: Vec<Option<Step>> = steps.into_iter().map(Some).collect();
    let mut ordered = Vec::with_capacity(slots.len());
    while let Some(Reverse(at)) = free.pop() {
        ordered.extend(slots.get_mut(at).and_then(Option::take));
        for &next in followers.get(&at).into_iter().flatten() {
            if let Some(count) = waiting.get_mut(next) {
                *count -= 1;
                if *count == 0 {
                    free.push(Reverse(next));
                }
            }
        }
    }
    // A cycle would mean that two steps wait for each other. The edges run bus → grant → rule → target → removals →
    // grant's removal, so there is none; were there one, its steps would be left out and the next plan show them again.
    ordered
}

fn phase(action: &Action) -> u8 {
    match action {
        Action::CreateBus { .. } | Action::UpdateBus { .. } | Action::TagBus { .. } | Action::UntagBus { .. } => 0,
        Action::PutGrant { .. } => 1,
        Action::CreateArchive { .. } | Action::UpdateArchive { .. } => 2,
        Action::PutRule { part: RulePart::Whole | RulePart::Widen, .. } => 3,
        Action::PutRule { part: RulePart::Narrow, .. } => 6,
        Action::TagRule { .. } | Action::UntagRule { .. } => 4,
        Action::PutTargets { .. } => 5,
        Action::RemoveTargets { .. } => 6,
        Action::DeleteRule { .. } => 7,
        Action::RemoveGrant { .. } => 8,
    }
}
