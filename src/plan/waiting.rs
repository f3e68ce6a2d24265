//! What waits for a person after a plan over all that there is to read, so that none over less does a part of it.

use crate::model::ids::Scope;
use crate::model::plan::{Guard, Hold, Plan, StepKey};
use std::collections::BTreeMap;

/// Steps that one of the guards that count held when all was read that there is, each with the guard and its reason. A plan over less
/// counts less, and would do a part of what waits for a person, and later the rest.
pub type Waiting = BTreeMap<StepKey, Waits>;

/// Where a step is that waits, and for what.
#[derive(Clone, Debug)]
pub struct Waits {
    scope: Scope,
    pub(super) why: Vec<(Guard, String)>,
}

/// What waits after `plan`, which was made when all was read. What waited `before` in a scope that was not read, by `is_read`, goes on waiting.
pub fn waiting(plan: &Plan, before: &Waiting, is_read: impl Fn(&Scope) -> bool) -> Waiting {
    let unread = before.iter().filter(|(_, waits)| !is_read(&waits.scope));
    let mut waiting: Waiting = unread.map(|(key, waits)| (key.clone(), waits.clone())).collect();
    for step in &plan.steps {
        let scope = step.action.scope();
        let is_for = |hold: &&Hold| {
            let counts = matches!(hold.guard, Guard::TooManyBreaks | Guard::TooManyChanges);
            counts && step.held_by.contains(&hold.guard) && hold.scope.as_ref().is_none_or(|held| *held == scope)
        };
        let why: Vec<_> = plan.holds.iter().filter(is_for).map(|hold| (hold.guard, hold.reason.clone())).collect();
        if !why.is_empty() {
            waiting.insert(step.key(), Waits { scope, why });
        }
    }
    waiting
}
