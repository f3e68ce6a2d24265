//! What became of each delivery: the oracle of tests that ask where an event went and where it did not.

use std::collections::BTreeMap;
use std::sync::Arc;

/// What one delivery attempt came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeliveryOutcome {
    /// The target has it.
    Delivered,
    /// It failed and is in the target's dead-letter queue.
    DeadLettered {
        /// EventBridge's error code, such as `NO_PERMISSIONS`.
        code: String,
        /// The dead-letter queue.
        queue_arn: String,
    },
    /// It failed and is gone: the target has no dead-letter queue, or that refused it.
    Dropped {
        /// EventBridge's error code.
        code: String,
    },
    /// EventBridge took it and it is gone without a trace: the destination bus does not exist.
    Vanished,
}

/// One delivery attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveryRecord {
    /// The id that the event had on this bus.
    pub event_id: String,
    /// The bus whose rule matched.
    pub bus_arn: String,
    /// The rule's name.
    pub rule: String,
    /// The target's ARN.
    pub target_arn: String,
    /// What came of it.
    pub outcome: DeliveryOutcome,
}

/// How often a rule did what, as the CloudWatch metrics of the same names count it.
/// <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-monitoring.html>
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RuleCounters {
    /// Events that matched the rule's pattern.
    pub matched_events: u64,
    /// Deliveries that were tried.
    pub invocations: u64,
    /// Deliveries that failed for good.
    pub failed_invocations: u64,
    /// Failed deliveries that reached a dead-letter queue.
    pub sent_to_dead_letter_queue: u64,
    /// Failed deliveries that the dead-letter queue refused.
    pub failed_to_be_sent_to_dead_letter_queue: u64,
}

#[derive(Debug, Clone, Default)]
pub(super) struct Trace {
    records: Arc<Vec<Arc<DeliveryRecord>>>,
    counters: Arc<BTreeMap<String, RuleCounters>>,
}

impl Trace {
    pub(super) fn push(&mut self, record: DeliveryRecord) {
        Arc::make_mut(&mut self.records).push(Arc::new(record));
    }

    pub(super) fn count(&mut self, rule_arn: &str, change: impl FnOnce(&mut RuleCounters)) {
        let counters = Arc::make_mut(&mut self.counters);
        match counters.get_mut(rule_arn) {
            Some(found) => change(found),
            None => change(counters.entry(rule_arn.to_owned()).or_default()),
        }
    }

    pub(super) fn records(&self) -> &[Arc<DeliveryRecord>] {
        &self.records
    }

    pub(super) fn counters(&self, rule_arn: &str) -> RuleCounters {
        self.counters.get(rule_arn).copied().unwrap_or_default()
    }
}
