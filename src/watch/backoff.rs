//! When a scope that did not answer is asked again: transient trouble after a second, then later and later up to a bound, with
//! jitter; a refusal that only a person mends at a slow pace, or when the topology changes.

use crate::model::ids::{Moment, Scope};
use crate::model::settings::SweepTimes;
use std::collections::BTreeMap;

/// What kind of trouble a scope is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// The same question may be answered later: throttled, a server's error, no answer in time.
    Transient,
    /// A person has to do something: a role that is missing, an action that is denied.
    Final,
}

/// The scopes in trouble.
#[derive(Clone, Debug, Default)]
pub struct Backoff {
    scopes: BTreeMap<Scope, Waiting>,
}

#[derive(Clone, Copy, Debug)]
struct Waiting {
    failures: u32,
    due: Moment,
    trouble: Trouble,
}

impl Backoff {
    /// `scope` could not be read at `now`. `jitter` is a number from 0 to 1 that nobody can foretell.
    pub fn failed(&mut self, scope: &Scope, trouble: Trouble, now: Moment, times: &SweepTimes, jitter: f64) {
        let failures = self.scopes.get(scope).map_or(0, |waiting| waiting.failures).saturating_add(1);
        let most_ms = u64::from(times.backoff_secs_max) * MS_PER_SECOND;
        let wait_ms = match trouble {
            Trouble::Transient => MS_PER_SECOND.saturating_mul(1 << (failures - 1).min(DOUBLINGS_MAX)).min(most_ms),
            Trouble::Final => u64::from(times.refused_every_secs) * MS_PER_SECOND,
        };
        // Half of it is certain, so that a scope in trouble is left in peace; half is chance, so that many do not come back as one.
        let wait_ms = wait_ms / 2 + (wait_ms as f64 / 2.0 * jitter.clamp(0.0, 1.0)) as u64;
        self.scopes.insert(scope.clone(), Waiting { failures, due: now.plus_ms(wait_ms), trouble });
    }

    /// `scope` was read: it starts from nothing again.
    pub fn answered(&mut self, scope: &Scope) {
        self.scopes.remove(scope);
    }

    /// The topology or the settings changed: what was refused for good may be right now.
    pub fn config_changed(&mut self) {
        self.scopes.retain(|_, waiting| waiting.trouble != Trouble::Final);
    }

    /// A person asks: those of these scopes that are in trouble are asked now.
    pub fn ask_now(&mut self, is_meant: impl Fn(&Scope) -> bool, now: Moment) {
        for (_, waiting) in self.scopes.iter_mut().filter(|(scope, _)| is_meant(scope)) {
            waiting.due = waiting.due.min(now);
        }
    }

    /// Whether `scope` is to be left alone now.
    pub fn is_waiting(&self, scope: &Scope, now: Moment) -> bool {
        self.scopes.get(scope).is_some_and(|waiting| now < waiting.due)
    }

    /// Whether `scope` is in trouble: asked beside the sweeps, so that it holds nobody up.
    pub fn is_in_trouble(&self, scope: &Scope) -> bool {
        self.scopes.contains_key(scope)
    }

    /// The scopes in trouble that are to be asked now.
    pub fn due(&self, now: Moment) -> Vec<Scope> {
        self.scopes.iter().filter(|(_, waiting)| waiting.due <= now).map(|(scope, _)| scope.clone()).collect()
    }

    /// When the next of them is due.
    pub fn next_due(&self) -> Option<Moment> {
        self.scopes.values().map(|waiting| waiting.due).min()
    }

    /// Every scope in trouble, with when it is asked again.
    pub fn waiting(&self) -> impl Iterator<Item = (&Scope, Moment)> {
        self.scopes.iter().map(|(scope, waiting)| (scope, waiting.due))
    }

    /// Forgets scopes that are not swept any more.
    pub fn keep_only(&mut self, swept: impl Fn(&Scope) -> bool) {
        self.scopes.retain(|scope, _| swept(scope));
    }
}

const MS_PER_SECOND: u64 = 1_000;
/// 2^20 s is longer than any bound that can be set.
const DOUBLINGS_MAX: u32 = 20;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn scope() -> Scope {
        "111111111111/us-east-1".parse().unwrap()
    }

    #[test]
    fn transient_trouble_waits_longer_each_time_up_to_the_bound_and_calm_resets_it() {
        let times = SweepTimes { backoff_secs_max: 60, ..SweepTimes::default() };
        let mut backoff = Backoff::default();
        let mut waits = Vec::new();
        for _ in 0..9 {
            backoff.failed(&scope(), Trouble::Transient, Moment(0), &times, 1.0);
            waits.push(backoff.next_due().unwrap().0);
        }
        assert_eq!(waits, [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000, 60_000]);
        backoff.answered(&scope());
        assert!(!backoff.is_in_trouble(&scope()));
        backoff.failed(&scope(), Trouble::Transient, Moment(0), &times, 0.0);
        assert_eq!(backoff.next_due(), Some(Moment(500)));
    }

    #[test]
    fn a_refusal_waits_for_the_slow_retry_or_for_another_topology() {
        let times = SweepTimes::default();
        let mut backoff = Backoff::default();
        backoff.failed(&scope(), Trouble::Final, Moment(0), &times, 1.0);
        assert!(backoff.is_waiting(&scope(), Moment(599_999)));
        assert_eq!(backoff.due(Moment(600_000)), [scope()]);
        backoff.config_changed();
        assert!(!backoff.is_waiting(&scope(), Moment(1)));
    }
}
