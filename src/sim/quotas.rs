//! The service quotas of one account, with AWS's defaults.
//!
//! <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-quota.html>

/// The quotas of one account, the same in each of its Regions. Tests may lower them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quotas {
    /// Event buses in a Region, the default bus not counted.
    pub buses: usize,
    /// Rules on a bus.
    pub rules_per_bus: usize,
    /// Rules on a bus whose pattern holds a `wildcard`.
    pub wildcard_rules_per_bus: usize,
    /// Targets of a rule.
    pub targets_per_rule: usize,
    /// Characters of an event pattern.
    pub pattern_characters: usize,
    /// Characters of a bus policy, white space not counted.
    pub policy_characters: usize,
    /// Tags on a resource.
    pub tags_per_resource: usize,
    /// Bytes of all entries of one PutEvents call.
    pub put_events_bytes: usize,
}

impl Default for Quotas {
    fn default() -> Self {
        Self {
            buses: 100,
            rules_per_bus: 300,
            wildcard_rules_per_bus: 30,
            targets_per_rule: 5,
            pattern_characters: 2_048,
            policy_characters: 10_240,
            tags_per_resource: 50,
            put_events_bytes: 1_048_576,
        }
    }
}
