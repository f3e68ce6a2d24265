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
    let mut queue = Queue::new(steps, pending, told);
    let mut running = FuturesUnordered::new();
    loop {
        if should_end() {
            queue.end();
        }
        queue.settle();
        while running.len() < scopes_in_flight_max.max(1) {
            let Some((at, step)) = queue.begin_next() else { break };
            running.push(async move { (at, write(fleet, step).await) });
        }
        let Some((at, written)) = running.next().await else { break };
        queue.ended(at, written);
    }
    queue.outcomes
}

/// The steps that are not done yet. What ends is looked up by who waits for it, so that a plan of a hundred thousand steps
/// costs no more for each of them than one of ten.
struct Queue<'a> {
    steps: &'a [Step],
    keys: Vec<StepKey>,
    scopes: Vec<Scope>,
    known: BTreeSet<StepKey>,
    pending: &'a BTreeSet<StepKey>,
    told: &'a (dyn Fn(&Step, &StepOutcome) + Sync),
    /// Which steps wait for a key.
    waiters: BTreeMap<StepKey, Vec<usize>>,
    /// Steps whose readiness may have changed.
    unsettled: BTreeSet<usize>,
    /// Steps that may begin, by scope.
    ready: BTreeMap<Scope, BTreeSet<usize>>,
    /// The first of them in each scope that is not busy.
    next: BTreeSet<usize>,
    busy: BTreeSet<Scope>,
    given_up: BTreeMap<Scope, CallError>,
    is_ending: bool,
    outcomes: BTreeMap<StepKey, StepOutcome>,
}

impl<'a> Queue<'a> {
    fn new(steps: &'a [Step], pending: &'a BTreeSet<StepKey>, told: &'a (dyn Fn(&Step, &StepOutcome) + Sync)) -> Self {
        let keys: Vec<StepKey> = steps.iter().map(Step::key).collect();
        let mut waiters: BTreeMap<StepKey, Vec<usize>> = BTreeMap::new();
        for (at, step) in steps.iter().enumerate() {
            for key in &step.after {
                waiters.entry(key.clone()).or_default().push(at);
            }
        }
        Self {
            steps,
            known: keys.iter().cloned().collect(),
            keys,
            scopes: steps.iter().map(|step| step.action.scope()).collect(),
            pending,
            told,
            waiters,
            unsettled: (0..steps.len()).collect(),
            ready: BTreeMap::new(),
            next: BTreeSet::new(),
            busy: BTreeSet::new(),
            given_up: BTreeMap::new(),
            is_ending: false,
            outcomes: BTreeMap::new(),
        }
    }

    /// What is under way is finished; what was not begun is not told of: it was not tried.
    fn end(&mut self) {
        self.is_ending = true;
        self.unsettled.clear();
        self.ready.clear();
        self.next.clear();
    }

    /// Sorts out what may begin, and what never will. The latter may let others go on, or end.
    fn settle(&mut self) {
        while let Some(at) = self.unsettled.pop_first() {
            let (Some(step), Some(scope)) = (self.steps.get(at), self.scopes.get(at).cloned()) else { continue };
            let ended = match readiness(step, &self.outcomes, &self.known, self.pending) {
                Readiness::Blocked(on) => StepOutcome::Blocked(on),
                Readiness::Waits => continue,
                Readiness::Ready => match self.given_up.get(&scope) {
                    Some(error) => StepOutcome::Failed(error.clone()),
                    None => {
                        self.ready.entry(scope.clone()).or_default().insert(at);
                        self.offer(&scope);
                        continue;
                    }
                },
            };
            self.tell(at, ended);
        }
    }

    /// Has the scope's first ready step begin next, unless another of the scope is under way.
    fn offer(&mut self, scope: &Scope) {
        let Some(ready) = self.ready.get(scope).filter(|_| !self.busy.contains(scope)) else { return };
        let mut first = ready.iter();
        self.next.extend(first.next());
        // At most one more can have been the first before.
        if let Some(second) = first.next() {
            self.next.remove(second);
        }
    }

    fn begin_next(&mut self) -> Option<(usize, &'a Step)> {
        let at = self.next.pop_first()?;
        let (step, scope) = (self.steps.get(at)?, self.scopes.get(at)?);
        if let Some(ready) = self.ready.get_mut(scope) {
            ready.remove(&at);
        }
        self.busy.insert(scope.clone());
        Some((at, step))
    }

    fn ended(&mut self, at: usize, written: Result<Written, CallError>) {
        let Some(scope) = self.scopes.get(at).cloned() else { return };
        self.busy.remove(&scope);
        let outcome = match written {
            Ok(Written::Done { request_id }) => StepOutcome::Done { request_id },
            Ok(Written::AlreadyDone) => StepOutcome::AlreadyDone,
            Ok(Written::Conflict(why)) => StepOutcome::Conflict(why),
            Ok(Written::NotVerified(why)) => StepOutcome::NotVerified(why),
            Err(error) => {
                if ends_scope(error.class) {
                    self.given_up.insert(scope.clone(), error.clone());
                    self.unsettled.extend(self.ready.remove(&scope).into_iter().flatten());
                }
                StepOutcome::Failed(error)
            }
        };
        self.tell(at, outcome);
        self.offer(&scope);
    }

    /// A step has ended: others may go on, or end as well.
    fn tell(&mut self, at: usize, outcome: StepOutcome) {
        let (Some(step), Some(key)) = (self.steps.get(at), self.keys.get(at)) else { return };
        (self.told)(step, &outcome);
        self.outcomes.insert(key.clone(), outcome);
        if !self.is_ending {
            let outcomes = &self.outcomes;
            let waiters = self.waiters.get(key).into_iter().flatten().copied();
            self.unsettled
                .extend(waiters.filter(|at| self.keys.get(*at).is_some_and(|key| !outcomes.contains_key(key))));
        }
    }
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
