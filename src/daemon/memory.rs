//! What the daemon knows from one sweep to the next.

use super::in_vain::InVain;
use crate::call::ErrorClass;
use crate::model::history::SweepRecord;
use crate::model::ids::{Moment, Scope};
use crate::model::plan::{Plan, Step, StepKey};
use crate::model::settings::SweepTimes;
use crate::model::world::{Observation, World};
use crate::plan::Waiting;
use crate::watch::backoff::{Backoff, Trouble};
use crate::watch::breaker::Breaker;
use crate::watch::incident::Incidents;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use strum::IntoEnumIterator as _;

/// What is known. Only the daemon's own task changes it.
#[derive(Default)]
pub(super) struct Memory {
    pub(super) world: World,
    pub(super) incidents: Incidents,
    pub(super) breaker: Breaker,
    pub(super) backoff: Backoff,
    pub(super) settling: Settling,
    pub(super) last_sweep: Option<SweepRecord>,
    /// When the latest sweep of all scopes began, and the latest full one.
    pub(super) last_fast: Option<Moment>,
    pub(super) last_full: Option<Moment>,
    pub(super) plan: Option<Arc<Plan>>,
    /// What the latest full sweep of all scopes left to a person.
    pub(super) waiting: Waiting,
    pub(super) in_vain: InVain,
}

impl Memory {
    /// Takes in what a scope answered; `jitter` is a number from 0 to 1. Whether it is newer than what was known.
    pub(super) fn arrived(
        &mut self,
        scope: Scope,
        observation: Observation,
        now: Moment,
        times: &SweepTimes,
        jitter: f64,
    ) -> bool {
        // What was read before something newer came in tells of a world that is gone.
        let known_at = self.world.scopes.get(&scope).and_then(Observation::at);
        if observation.at().is_some_and(|at| known_at.is_some_and(|known_at| at < known_at)) {
            return false;
        }
        match &observation {
            Observation::Unreachable { why, .. } => {
                self.backoff.failed(&scope, trouble_of(&why.class), now, times, jitter);
            }
            Observation::Complete { .. } | Observation::Partial { .. } | Observation::NoAccess => {
                self.backoff.answered(&scope);
            }
        }
        self.world.take_in(scope, observation);
        true
    }

    /// The machine's clock was set back to `now`: what was seen counts as old, so that no break rests on it and whatever is read
    /// next is newer; and nothing waits for a time that comes later than it was meant.
    pub(super) fn clock_set_back(&mut self, now: Moment) {
        let old = Moment(now.0.saturating_sub(OLD_MS));
        for observation in self.world.scopes.values_mut() {
            match observation {
                Observation::Complete { at, .. }
                | Observation::Partial { at, .. }
                | Observation::Unreachable { at, .. } => {
                    *at = old.min(*at);
                }
                Observation::NoAccess => {}
            }
        }
        for time in [&mut self.last_fast, &mut self.last_full] {
            *time = time.map(|time| time.min(now));
        }
        self.backoff.ask_now(|_| true, now);
        for since in self.settling.since.values_mut().flatten() {
            *since = now.min(*since);
        }
    }
}

/// Older than anything that a break may rest on: `[guards] fresh-secs-max` is a day at most.
const OLD_MS: u64 = 2 * 86_400_000;

/// Whether a scope that failed with this class may answer later by itself.
fn trouble_of(class: &str) -> Trouble {
    // AWS's own code may follow it: `role-refused (AccessDenied)`.
    let class = class.split(' ').next().unwrap_or_default();
    let known = ErrorClass::iter().find(|known| known.to_string() == class);
    // A deadline that passed is no class of a call's.
    if known.is_none_or(ErrorClass::is_transient) { Trouble::Transient } else { Trouble::Final }
}

/// Since when each break is ready but for its settle time: everything that it waits for is in place.
#[derive(Clone, Debug, Default)]
pub(super) struct Settling {
    /// None: it waits for something that is not there yet.
    since: BTreeMap<StepKey, Option<Moment>>,
}

impl Settling {
    /// Takes in a plan as of `now`: the time of a break begins when it is first seen to wait for nothing more; one that is not planned
    /// any more is forgotten.
    pub(super) fn see(&mut self, plan: &Plan, now: Moment) {
        let makes: BTreeSet<StepKey> = plan.steps.iter().filter(|step| !step.is_break()).map(Step::key).collect();
        let mut since = BTreeMap::new();
        for step in plan.steps.iter().filter(|step| step.is_break() && step.settles) {
            let waits = step.after.iter().any(|key| makes.contains(key));
            let before = self.since.get(&step.key()).copied().flatten();
            since.insert(step.key(), (!waits).then(|| before.unwrap_or(now)));
        }
        self.since = since;
    }

    /// The breaks whose time has come.
    pub(super) fn ready(&self, now: Moment, settle_ms: u64) -> BTreeSet<StepKey> {
        let is_ready = |since: &Option<Moment>| since.is_some_and(|since| now.millis_since(since) >= settle_ms);
        self.since.iter().filter(|(_, since)| is_ready(since)).map(|(key, _)| key.clone()).collect()
    }

    /// How many wait, and when the first of them is ready.
    pub(super) fn next(&self, settle_ms: u64) -> Option<(usize, Moment)> {
        self.since.values().flatten().min().map(|since| (self.since.len(), since.plus_ms(settle_ms)))
    }

    /// When the next of them is ready after `now`.
    pub(super) fn next_after(&self, now: Moment, settle_ms: u64) -> Option<Moment> {
        self.since.values().flatten().map(|since| since.plus_ms(settle_ms)).filter(|ready| now < *ready).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_one_with_aws_code_and_without_and_a_deadline_is_none() {
        for class in ["role-refused (AccessDenied)", "denied (AccessDeniedException)", "credentials", "wrong-account"] {
            assert_eq!(trouble_of(class), Trouble::Final, "{class}");
        }
        for class in ["deadline", "throttled (ThrottlingException)", "no-answer", "server-error (InternalException)"] {
            assert_eq!(trouble_of(class), Trouble::Transient, "{class}");
        }
    }
}
