//! The log of calls: the oracle of tests that ask what was written, by whom and in which order.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

/// What a call is, for the log and the rate limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CallKind {
    /// Changes the control plane.
    Write,
    /// Reads the control plane.
    Read,
    /// Moves events, messages or credentials; too many to log.
    Data,
}

/// What a logged call came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It was done. PutTargets and PutEvents may still have failed entries.
    Ok,
    /// It was refused with this error code and changed nothing.
    Err(String),
}

/// One logged call.
#[derive(Debug, Clone, PartialEq)]
pub struct LogEntry {
    /// The place in the log, from 1.
    pub seq: u64,
    /// When, in simulated milliseconds since 1970.
    pub at_ms: i64,
    /// The caller's account.
    pub account: String,
    /// The Region that was called.
    pub region: String,
    /// The caller's ARN.
    pub principal: String,
    /// The operation's name.
    pub operation: String,
    /// The operation's input as it came.
    pub input: Value,
    /// What came of it.
    pub outcome: Outcome,
    /// The request id in the answer.
    pub request_id: String,
}

/// The log and the counts of all calls.
#[derive(Debug, Clone, Default)]
pub(super) struct Log {
    entries: Arc<Vec<Arc<LogEntry>>>,
    counts: Arc<BTreeMap<String, u64>>,
    next: u64,
}

impl Log {
    pub(super) fn record(&mut self, operation: &str, entry: Option<LogEntry>) {
        let counts = Arc::make_mut(&mut self.counts);
        if let Some(count) = counts.get_mut(operation) {
            *count += 1;
        } else {
            counts.insert(operation.to_owned(), 1);
        }
        if let Some(mut entry) = entry {
            self.next += 1;
            entry.seq = self.next;
            Arc::make_mut(&mut self.entries).push(Arc::new(entry));
        }
    }

    pub(super) fn entries(&self) -> &[Arc<LogEntry>] {
        &self.entries
    }

    pub(super) fn counts(&self) -> &BTreeMap<String, u64> {
        &self.counts
    }
}
