//! Telemetry: what is counted, under which name, with which labels.
//!
//! Layer 3. It knows names and numbers, not who does what: facts are reported to [`Metrics`] as they happen, and how things stand
//! is given whole at each scrape ([`Standing`]).
//!
//! **The number of series is bounded** by [`SERIES_MAX`], however many scopes, rules and teams there are: labels are codes, guards,
//! verbs, actions and classes, of which the program has a fixed number; channels up to [`CHANNELS_MAX`]; and scopes only while they
//! are in trouble, the worst [`SCOPES_MAX`] of them. Who wants to know of each scope asks `/api/v1/scopes`.

mod metered;
mod names;
mod standing;
#[cfg(test)]
mod tests;

pub use metered::Metered;
pub use names::{AlertEnd, CHANNELS_MAX, SCOPES_MAX, SERIES_MAX};
pub use standing::Standing;

use crate::call::ErrorClass;
use crate::model::history::{SweepRecord, WriteEnd};
use crate::model::ids::{Moment, Scope};
use names::{Call, Names, OTHER, trigger};
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Everything that is counted. One for each daemon; shared between tasks.
pub struct Metrics {
    names: Names,
    registry: Registry,
    memory: Mutex<Memory>,
}

/// What numbers are made from that nobody else keeps.
#[derive(Default)]
struct Memory {
    /// When each scope was last read to the end; of one that never was, when it was first asked for.
    complete: BTreeMap<Scope, Moment>,
    channels: BTreeSet<String>,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("wheelwright");
        let names = Names::register(&mut registry);
        Self { names, registry, memory: Mutex::default() }
    }
}

impl Metrics {
    /// An AWS call ended; `failed` is none where all of it succeeded.
    pub fn called(&self, action: &'static str, end: CallEnd) {
        let outcome = end.name();
        self.names.calls.get_or_create(&Call { action, outcome }).inc();
        if end == CallEnd::Failed(ErrorClass::Throttled) {
            self.names.throttles.get_or_create(&names::Action { action }).inc();
        }
    }

    /// A sweep ended.
    pub fn swept(&self, sweep: &SweepRecord) {
        let depth = if sweep.full { "full" } else { "fast" };
        self.names.sweeps.get_or_create(&names::Sweep { depth, trigger: trigger(&sweep.trigger) }).inc();
        let seconds = std::time::Duration::from_millis(sweep.took_ms).as_secs_f64();
        self.names.sweep_duration.get_or_create(&names::Depth { depth }).observe(seconds);
    }

    /// A write ended; `verb` is its step's.
    pub fn wrote(&self, verb: &str, end: WriteEnd) {
        let verb = names::VERBS.iter().find(|known| **known == verb).copied().unwrap_or(OTHER);
        self.names.writes.get_or_create(&names::Write { verb, end: end.into() }).inc();
    }

    /// Something was told on a channel, or could not be.
    pub fn alerted(&self, channel: &str, end: AlertEnd) {
        let channel = self.channel(channel);
        self.names.alerts.get_or_create(&names::Alert { channel, end: end.into() }).inc();
    }

    /// Takes in how scopes were last read: each with whether that was to the end, and when. A scope that is not among them any more
    /// is forgotten; one that never was read counts from `started`.
    pub fn observed<'a>(&self, scopes: impl Iterator<Item = (&'a Scope, bool, Option<Moment>)>, started: Moment) {
        let mut memory = self.memory();
        let mut complete = BTreeMap::new();
        for (scope, is_complete, at) in scopes {
            let known = memory.complete.get(scope).copied().unwrap_or(started);
            complete.insert(scope.clone(), at.filter(|_| is_complete).unwrap_or(known));
        }
        memory.complete = complete;
    }

    /// All of it as OpenMetrics text, with how things stand at `now`.
    pub fn scrape(&self, standing: &Standing, now: Moment) -> String {
        // Held to the end, so that two scrapes at once do not mix how things stand.
        let mut memory = self.memory();
        standing.show(&self.names);
        self.show_ages(&memory, standing, now);
        let mut waiting: BTreeMap<String, u64> = BTreeMap::new();
        for (channel, count) in &standing.alerts_waiting {
            *waiting.entry(memory.channel(channel)).or_default() += count;
        }
        self.names.alerts_waiting.clear();
        for (channel, count) in waiting {
            let count = i64::try_from(count).unwrap_or(i64::MAX);
            self.names.alerts_waiting.get_or_create(&names::Channel { channel }).set(count);
        }
        let mut text = String::new();
        // Writing to a text does not fail.
        _ = encode(&mut text, &self.registry);
        text
    }

    /// Ages of observations: the oldest of all, and of the worst scopes in trouble each.
    fn show_ages(&self, memory: &Memory, standing: &Standing, now: Moment) {
        let age = |at: Moment| std::time::Duration::from_millis(now.millis_since(at)).as_secs_f64();
        let oldest =
            memory.complete.iter().filter(|(scope, _)| !standing.no_access.contains(*scope)).map(|(_, at)| *at).min();
        self.names.oldest_age.set(oldest.map_or(0.0, age));
        let mut worst: Vec<(Moment, &Scope)> = standing
            .unread
            .iter()
            .map(|scope| (memory.complete.get(scope).copied().unwrap_or(standing.started), scope))
            .collect();
        worst.sort();
        self.names.ages.clear();
        for (at, scope) in worst.into_iter().take(SCOPES_MAX) {
            self.names.ages.get_or_create(&names::ScopeLabel { scope: scope.to_string() }).set(age(at));
        }
    }

    fn channel(&self, name: &str) -> String {
        self.memory().channel(name)
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Memory {
    /// The channel's name, or that it is one too many to have numbers of its own.
    fn channel(&mut self, name: &str) -> String {
        if !self.channels.contains(name) {
            if self.channels.len() >= CHANNELS_MAX {
                return OTHER.to_owned();
            }
            self.channels.insert(name.to_owned());
        }
        name.to_owned()
    }
}

/// How an AWS call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallEnd {
    /// As it should.
    Done,
    /// AWS took it, but not all of its entries.
    EntriesFailed,
    /// With an error of this class.
    Failed(ErrorClass),
    /// Whoever made it stopped waiting: a scope's deadline passed.
    Dropped,
}

impl CallEnd {
    fn name(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::EntriesFailed => "entries-failed",
            Self::Failed(class) => class.into(),
            Self::Dropped => "dropped",
        }
    }
}
