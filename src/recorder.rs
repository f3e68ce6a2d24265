//! A record of every call that was made: the summary that people get, and what tests judge by.
//!
//! Knows calls and how they ended, in the order in which they were started. It does not change them.

use crate::call::{Answer, Call, CallError, ErrorClass};
use crate::model::ids::Scope;
use crate::port::Fleet;
use serde::Serialize;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// One call that was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Record {
    /// Where.
    pub scope: Scope,
    /// What.
    pub call: Call,
    /// How it ended.
    pub outcome: Outcome,
}

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// It has not, or whoever made it stopped waiting: a write may have taken effect.
    Open,
    /// As it should.
    Done,
    /// AWS took the call but not this many of its entries.
    EntriesFailed(usize),
    /// With an error of this class.
    Failed(ErrorClass),
}

/// How often one action was called, and how that went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Count {
    /// Calls in all.
    pub calls: u64,
    /// Those of them that failed, as a whole or in entries.
    pub failed: u64,
}

/// A fleet whose calls are recorded.
pub struct Recorded<F> {
    fleet: F,
    records_max: usize,
    log: Mutex<Log>,
}

#[derive(Default)]
struct Log {
    records: VecDeque<Record>,
    /// Records that were dropped from the front: the number of the first that is kept.
    dropped: usize,
    counts: BTreeMap<&'static str, Count>,
}

impl<F> Recorded<F> {
    /// `fleet` with a record of its latest `records_max` calls. Counts are of all.
    pub fn new(fleet: F, records_max: usize) -> Self {
        Self { fleet, records_max, log: Mutex::default() }
    }

    /// The latest calls, in the order in which they were started.
    pub fn records(&self) -> Vec<Record> {
        self.log().records.iter().cloned().collect()
    }

    /// The latest calls that would change something, in the order in which they were started.
    pub fn writes(&self) -> Vec<Record> {
        self.log().records.iter().filter(|record| record.call.is_write()).cloned().collect()
    }

    /// Calls by their IAM action, as `events:PutRule`, since the start or the last [`Recorded::clear`].
    pub fn counts(&self) -> BTreeMap<&'static str, Count> {
        self.log().counts.clone()
    }

    /// Forgets all calls.
    pub fn clear(&self) {
        let mut log = self.log();
        let dropped = log.dropped + log.records.len();
        *log = Log { dropped, ..Log::default() };
    }

    /// The fleet within.
    pub fn inner(&self) -> &F {
        &self.fleet
    }

    fn start(&self, scope: &Scope, call: &Call) -> usize {
        let mut log = self.log();
        log.counts.entry(call.action()).or_default().calls += 1;
        log.records.push_back(Record { scope: scope.clone(), call: call.clone(), outcome: Outcome::Open });
        if log.records.len() > self.records_max {
            log.records.pop_front();
            log.dropped += 1;
        }
        // One below where the next goes; saturating for a record that keeps nothing.
        (log.dropped + log.records.len()).saturating_sub(1)
    }

    fn end(&self, number: usize, action: &'static str, outcome: Outcome) {
        let mut log = self.log();
        if outcome != Outcome::Done {
            log.counts.entry(action).or_default().failed += 1;
        }
        let Some(index) = number.checked_sub(log.dropped) else { return };
        if let Some(record) = log.records.get_mut(index) {
            record.outcome = outcome;
        }
    }

    fn log(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<F: Fleet> Fleet for Recorded<F> {
    async fn call(&self, scope: &Scope, call: Call) -> Result<Answer, CallError> {
        let action = call.action();
        let number = self.start(scope, &call);
        let result = self.fleet.call(scope, call).await;
        let outcome = match &result {
            Ok(Answer::Entries { failed, .. }) if !failed.is_empty() => Outcome::EntriesFailed(failed.len()),
            Ok(_) => Outcome::Done,
            Err(error) => Outcome::Failed(error.class),
        };
        self.end(number, action, outcome);
        result
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;
    use crate::call::FailedEntry;
    use std::time::Duration;

    /// Fails, answers in part, hangs or succeeds, by the bus's name.
    struct ByName;

    impl Fleet for ByName {
        async fn call(&self, scope: &Scope, call: Call) -> Result<Answer, CallError> {
            let (Call::DeleteRule { bus, .. } | Call::DescribeRule { bus, .. }) = &call else {
                return Ok(Answer::Done { request_id: None });
            };
            match bus.as_str() {
                "denied" => Err(CallError {
                    class: ErrorClass::Denied,
                    scope: scope.clone(),
                    action: call.action().into(),
                    code: None,
                    message: String::new(),
                    request_id: None,
                }),
                "partial" => Ok(Answer::Entries {
                    failed: vec![FailedEntry { target_id: "a".into(), code: "b".into(), message: "c".into() }],
                    request_id: None,
                }),
                "hangs" => std::future::pending().await,
                _ => Ok(Answer::Done { request_id: None }),
            }
        }
    }

    fn delete(bus: &str) -> Call {
        Call::DeleteRule { bus: bus.into(), rule: "r".into() }
    }

    fn here() -> Scope {
        Scope::new("111111111111".parse().unwrap(), "us-east-1")
    }

    #[tokio::test(start_paused = true)]
    async fn every_call_is_kept_in_order_with_how_it_ended() {
        let fleet = Recorded::new(ByName, 10);
        let scope = here();
        fleet.call(&scope, Call::DescribeRule { bus: "fine".into(), rule: "r".into() }).await.unwrap();
        for bus in ["denied", "partial", "hangs", "fine"] {
            let _ = tokio::time::timeout(Duration::from_secs(1), fleet.call(&scope, delete(bus))).await;
        }
        let writes: Vec<_> = fleet.writes().into_iter().map(|record| (record.call, record.outcome)).collect();
        assert_eq!(
            writes,
            [
                (delete("denied"), Outcome::Failed(ErrorClass::Denied)),
                (delete("partial"), Outcome::EntriesFailed(1)),
                (delete("hangs"), Outcome::Open),
                (delete("fine"), Outcome::Done),
            ]
        );
        assert_eq!(fleet.records().len(), 5);
        assert_eq!(fleet.counts()["events:DeleteRule"], Count { calls: 4, failed: 2 });
    }

    #[tokio::test(start_paused = true)]
    async fn the_oldest_go_first_and_outcomes_still_find_their_call() {
        let fleet = Recorded::new(ByName, 2);
        let scope = here();
        for bus in ["denied", "fine", "denied"] {
            let _ = fleet.call(&scope, delete(bus)).await;
        }
        let outcomes: Vec<_> = fleet.records().into_iter().map(|record| record.outcome).collect();
        assert_eq!(outcomes, [Outcome::Done, Outcome::Failed(ErrorClass::Denied)]);
        assert_eq!(fleet.counts()["events:DeleteRule"].calls, 3);

        // One that was under way when the record was cleared must not end as another.
        let (slow, ()) = tokio::join!(
            async { tokio::time::timeout(Duration::from_secs(1), fleet.call(&scope, delete("hangs"))).await.is_err() },
            async {
                fleet.clear();
                fleet.call(&scope, delete("fine")).await.unwrap();
            }
        );
        assert!(slow);
        let left: Vec<_> = fleet.records().into_iter().map(|record| (record.call, record.outcome)).collect();
        assert_eq!(left, [(delete("fine"), Outcome::Done)]);
    }
}
