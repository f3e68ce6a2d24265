//! Apply: does the steps of an approved plan, each after those that it waits for. No choices are left here.
//!
//! Scopes are written side by side, each scope one step at a time: PutPermission has no compare-and-swap, and two at
//! once would lose one (<https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutPermission.html>). A step
//! that fails holds up only what waits for it.

use super::write::{Written, write};
use crate::call::{CallError, ErrorClass};
use crate::model::ids::Scope;
use crate::model::plan::{Step, StepKey};
use crate::port::Fleet;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use std::collections::{BTreeMap, BTreeSet};

/// What became of a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StepOutcome {
    /// Written, and read back as asked.
    Done {
        /// AWS's name for the request, where it gave one.
        request_id: Option<String>,
    },
    /// It was as asked already.
    AlreadyDone,
    /// The live thing is not what the plan saw: nothing was written. The text says what is there.
    Conflict(String),
    /// The call failed; whether it took effect is told by the next refresh.
    Failed(CallError),
    /// Written without error, and read back otherwise than asked.
    NotVerified(String),
    /// A step that it waits for did not succeed, or was not part of what was approved.
    Blocked(StepKey),
}

impl StepOutcome {
    /// Whether the thing is as the step asks.
    pub fn is_ok(&self) -> bool {
        matches!(self, Self::Done { .. } | Self::AlreadyDone)
    }
}

/// Does `steps`, which are in an order that keeps what each comes after. `pending` are steps of the same plan that are
/// not done now: what waits for one of them is blocked.
///
/// When `should_end` says so, steps under way are finished and no other is begun.
///
/// Guarantees: each write was preceded by a reading of what it writes, which was as the plan saw it, and is followed
/// by one. Caveats: between that reading and the write, one round trip, somebody else may write; EventBridge has no
/// conditional writes.
pub async fn apply<F: Fleet>(
    fleet: &F,
    steps: &[Step],
    pending: &BTreeSet<StepKey>,
    scopes_in_flight_max: usize,
    told: &(dyn Fn(&Step, &StepOutcome) + Sync),
    should_end: &(dyn Fn() -> bool + Sync),
) -> BTreeMap<StepKey, StepOutcome> {
    let mut outcomes: BTreeMap<StepKey, StepOutcome> = BTreeMap::new();
    let mut waiting: Vec<&Step> = steps.iter().collect();
    let mut busy: BTreeSet<Scope> = BTreeSet::new();
    let mut running = FuturesUnordered::new();
    let mut given_up: BTreeMap<Scope, CallError> = BTreeMap::new();
    let known: BTreeSet<StepKey> = steps.iter().map(Step::key).collect();
    loop {
        // Steps that ended in this pass without a call may let others go on, or end.
        let mut settled = true;
        let mut still = Vec::with_capacity(waiting.len());
        if should_end() {
            // What is under way is finished; what was not begun is not told of: it was not tried.
            waiting.clear();
        }
        for step in waiting {
            let ended = match readiness(step, &outcomes, &known, pending) {
                Readiness::Blocked(on) => Some(StepOutcome::Blocked(on)),
                Readiness::Ready => given_up.get(&step.action.scope()).cloned().map(StepOutcome::Failed),
                Readiness::Waits => {
                    still.push(step);
                    continue;
                }
            };
            match ended {
                Some(outcome) => {
                    told(step, &outcome);
                    outcomes.insert(step.key(), outcome);
                    settled = false;
                }
                None if running.len() < scopes_in_flight_max.max(1) && busy.insert(step.action.scope()) => {
                    running.push(async move { (step, write(fleet, step).await) });
                }
                None => still.push(step),
            }
        }
        waiting = still;
        let Some((step, written)) = running.next().await else { if settled { break } else { continue } };
        busy.remove(&step.action.scope());
        let outcome = match written {
            Ok(Written::Done { request_id }) => StepOutcome::Done { request_id },
            Ok(Written::AlreadyDone) => StepOutcome::AlreadyDone,
            Ok(Written::Conflict(why)) => StepOutcome::Conflict(why),
            Ok(Written::NotVerified(why)) => StepOutcome::NotVerified(why),
            Err(error) => {
                if ends_scope(error.class) {
                    given_up.insert(step.action.scope(), error.clone());
                }
                StepOutcome::Failed(error)
            }
        };
        told(step, &outcome);
        outcomes.insert(step.key(), outcome);
    }
    outcomes
}

/// Whether the scope's other steps would only fail the same way, each after the same wait.
fn ends_scope(class: ErrorClass) -> bool {
    matches!(class, ErrorClass::NoAnswer | ErrorClass::Credentials | ErrorClass::RoleRefused | ErrorClass::WrongAccount)
}

enum Readiness {
    Ready,
    Waits,
    Blocked(StepKey),
}

fn readiness(
    step: &Step,
    outcomes: &BTreeMap<StepKey, StepOutcome>,
    known: &BTreeSet<StepKey>,
    pending: &BTreeSet<StepKey>,
) -> Readiness {
    let mut waits = false;
    for key in &step.after {
        match outcomes.get(key) {
            Some(outcome) if outcome.is_ok() => {}
            Some(_) => return Readiness::Blocked(key.clone()),
            None if known.contains(key) => waits = true,
            None if pending.contains(key) => return Readiness::Blocked(key.clone()),
            // A step of an earlier phase that the plan has no more: it is done.
            None => {}
        }
    }
    if waits { Readiness::Waits } else { Readiness::Ready }
}
