//! Event patterns as EventBridge reads, matches and compares them.

use serde_json::Value;
use std::fmt;

/// An event pattern that EventBridge would take.
#[derive(Debug, Clone)]
pub struct Pattern {
    value: Value,
}

impl Pattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// EventBridge's reason.
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        let value = serde_json::from_str(text).map_err(|error| PatternError {
            reason: error.to_string(),
            path: Vec::new(),
            offset: None,
        })?;
        Ok(Self { value })
    }
    /// Reads a pattern that is already JSON.
    ///
    /// # Errors
    /// EventBridge's reason.
    pub fn from_value(value: &Value) -> Result<Self, PatternError> {
        Self::parse(&value.to_string())
    }
    /// Whether the event matches.
    #[must_use]
    pub fn matches(&self, _event: &Value) -> bool {
        false
    }
    /// Whether both mean the same.
    #[must_use]
    pub fn same_meaning(&self, other: &Self) -> bool {
        self.value == other.value
    }
    /// Whether some event may match both.
    #[must_use]
    pub fn may_overlap(&self, _other: &Self) -> bool {
        true
    }
    /// Whether every event that `other` matches is certainly matched by this.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        self.same_meaning(other)
    }
    /// Wildcard operators in it.
    #[must_use]
    pub fn wildcard_count(&self) -> usize {
        0
    }
    /// Combinations that its `$or`s multiply to.
    #[must_use]
    pub fn or_combinations(&self) -> usize {
        1
    }
    /// What was parsed.
    #[must_use]
    pub fn to_value(&self) -> Value {
        self.value.clone()
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.value)
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.same_meaning(other)
    }
}
impl Eq for Pattern {}

/// Why EventBridge would refuse a pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("Event pattern is not valid. Reason: {reason}")]
pub struct PatternError {
    /// EventBridge's own text.
    pub reason: String,
    /// Keys that lead to the place.
    pub path: Vec<String>,
    /// Byte offset in the text, if it was read from text.
    pub offset: Option<usize>,
}
