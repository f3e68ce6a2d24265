//! Steps that could not be done: how often in a row, when that is told, and what is looked at again soon.
//!
//! What goes on being planned is tried with every sweep. What only a full reading sees (a bus's settings, an archive, tags) is planned
//! by full sweeps alone, and would wait for the next one, a quarter of an hour by default, because a call was throttled. So the
//! scopes of such steps are read in full once more soon, as often as it takes until people are told.

use super::round::StepEnd;
use crate::model::finding::{FindingCode, Outcome};
use crate::model::ids::Scope;
use crate::model::incident::{Concern, Subject};
use crate::model::plan::{Plan, Step, StepKey};
use crate::reconcile::apply::StepOutcome;
use crate::reconcile::refresh::Depth;
use std::collections::{BTreeMap, BTreeSet};

/// Tries in a row after which trouble that passes by itself is told.
const TRIES_MIN: u32 = 3;

/// How often in a row each step was tried in vain.
#[derive(Clone, Debug, Default)]
pub(super) struct InVain(BTreeMap<StepKey, Tries>);

#[derive(Clone, Debug)]
struct Tries {
    count: u32,
    /// Whether a fast sweep sees what the step is about.
    is_seen_fast: bool,
}

impl InVain {
    /// Takes in how a sweep at this depth ended, with `after` left to do. What is not planned any more is forgotten, by who would have
    /// planned it.
    pub(super) fn count(&mut self, outcomes: &[StepEnd], after: &Plan, depth: Depth) {
        let planned: BTreeSet<StepKey> = after.steps.iter().map(Step::key).collect();
        self.0.retain(|key, tries| planned.contains(key) || depth < Depth::Full && !tries.is_seen_fast);
        for StepEnd { step, outcome, at: _ } in outcomes {
            if outcome.is_ok() {
                self.0.remove(&step.key());
            } else if !matches!(outcome, StepOutcome::Blocked(_)) {
                let is_seen_fast = Depth::Fast.shows(&step.action);
                self.0.entry(step.key()).or_insert(Tries { count: 0, is_seen_fast }).count += 1;
            }
        }
    }

    fn tries(&self, key: &StepKey) -> u32 {
        self.0.get(key).map_or(0, |tries| tries.count)
    }

    /// The scopes of steps that a fast sweep would not try again, and that may go well by themselves next time.
    pub(super) fn to_look_at_again(&self, outcomes: &[StepEnd]) -> BTreeSet<Scope> {
        let is_worth_it = |ended: &&StepEnd| {
            let tries = match &ended.outcome {
                StepOutcome::Blocked(by) => self.tries(by),
                outcome if passes(outcome) => self.tries(&ended.step.key()),
                _ => 0,
            };
            (1..TRIES_MIN).contains(&tries) && !Depth::Fast.shows(&ended.step.action)
        };
        outcomes.iter().filter(is_worth_it).map(|ended| ended.step.action.scope()).collect()
    }

    /// The concern that a step could not be done. What may go well by itself next time is told only when it does not.
    pub(super) fn concern(&self, ended: &StepEnd) -> Option<Concern> {
        let StepEnd { step, outcome, at: _ } = ended;
        let verb = step.action.verb();
        let detail = match outcome {
            _ if passes(outcome) && self.tries(&step.key()) < TRIES_MIN => return None,
            StepOutcome::Failed(error) => format!("{verb}: {error}; {}", error.mend()),
            StepOutcome::Conflict(what) => format!("{verb}: somebody else changed it meanwhile: {what}"),
            StepOutcome::NotVerified(what) => format!("{verb}: written, and not there: {what}"),
            StepOutcome::Done { .. } | StepOutcome::AlreadyDone | StepOutcome::Blocked(_) => return None,
        };
        Some(Concern {
            subject: Subject::Resource(step.action.resource()),
            code: FindingCode::Unwritten,
            outcome: Outcome::Waiting,
            detail,
            team: step.team.clone(),
            origin: step.origin.clone(),
        })
    }
}

/// Whether what kept a step from being done may be gone next time.
fn passes(outcome: &StepOutcome) -> bool {
    match outcome {
        StepOutcome::Failed(error) => error.class.is_transient(),
        StepOutcome::Conflict(_) => true,
        _ => false,
    }
}
