//! From a plan to an approved plan: the only thing that apply takes.

use crate::model::plan::{Guard, Plan, Step, StepKey};
use std::collections::BTreeSet;

/// What a person (or the daemon's settings) let go.
#[derive(Clone, Debug, Default)]
pub struct Approval {
    /// Guards that are named.
    pub allow: BTreeSet<Guard>,
    /// The plan that was reviewed: no other is let go, and naming it names its guards.
    pub plan_id: Option<String>,
}

/// A plan with everything taken out that is held, and all that waits for it. Only [`approve`] makes one.
#[derive(Clone, Debug)]
pub struct Approved {
    steps: Vec<Step>,
    left_out: usize,
}

impl Approved {
    /// The steps that may be done, in order.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// How many steps are held, or wait for one that is.
    pub fn left_out(&self) -> usize {
        self.left_out
    }

    /// Of these steps, those that were approved `earlier` too: what a sweep may still do after the settle time.
    #[must_use]
    pub fn only_of(&self, earlier: &Self) -> Self {
        let approved = |step: &&Step| earlier.steps.iter().any(|earlier| earlier.action == step.action);
        let steps: Vec<Step> = self.steps.iter().filter(approved).cloned().collect();
        let left_out = self.left_out + self.steps.len() - steps.len();
        Self { steps, left_out }
    }
}

/// Why a plan was not let go as a whole.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The plan is another than the reviewed one.
    #[error(
        "the plan is now {actual}, and {reviewed} was reviewed: the topology or the accounts changed since; look at the new plan"
    )]
    OtherPlan {
        /// The name that was given.
        reviewed: String,
        /// The plan's name.
        actual: String,
    },
    /// A guard that cannot be named away was named.
    #[error("`{0}` cannot be allowed: {reason}", reason = super::guard::reason(*.0))]
    NotAllowable(Guard),
}

/// Lets `plan` go as far as `approval` goes: held steps, and those that wait for them, are left out.
pub fn approve(plan: &Plan, approval: &Approval) -> Result<Approved, Refusal> {
    if let Some(guard) = approval.allow.iter().find(|guard| !guard.may_be_allowed()) {
        return Err(Refusal::NotAllowable(*guard));
    }
    let intent = |id: &str| id.split('-').next().unwrap_or_default().to_owned();
    if let Some(reviewed) = approval.plan_id.as_ref().filter(|reviewed| intent(reviewed) != intent(&plan.id)) {
        return Err(Refusal::OtherPlan { reviewed: reviewed.clone(), actual: plan.id.clone() });
    }
    // The whole name names the held steps too; with only the intent's part the same, they stay held.
    let seen_whole = approval.plan_id.as_ref() == Some(&plan.id);
    let named = |guard: Guard| guard.may_be_allowed() && (seen_whole || approval.allow.contains(&guard));
    let mut out: BTreeSet<StepKey> = BTreeSet::new();
    let mut steps = Vec::new();
    // Steps come after those that they wait for, so one pass finds all that wait for a held one.
    for step in &plan.steps {
        let held = step.held_by.iter().any(|guard| !named(*guard));
        if held || step.after.iter().any(|key| out.contains(key)) {
            out.insert(step.key());
        } else {
            steps.push(step.clone());
        }
    }
    Ok(Approved { steps, left_out: out.len() })
}
