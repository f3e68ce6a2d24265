//! Event patterns as EventBridge reads, matches and compares them.
//!
//! Knows the pattern language: what is refused and with which words, which events match, when two patterns mean the
//! same, and whether they can match the same event. Does not know what an event is about, nor any bus or rule.
//! The language is documented at <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-event-patterns.html>;
//! the finer rules are those of the public matcher, <https://github.com/aws/event-ruler>.
//!
//! ```
//! use wheelwright::eventbridge::Pattern;
//! let large = Pattern::parse(r#"{"detail": {"amount": [{"numeric": [">", 10000]}]}}"#)?;
//! assert!(large.matches(&serde_json::json!({"detail": {"amount": 20000}})));
//! let dotted = Pattern::parse(r#"{"detail.amount": [{"numeric": [">", 1e4]}]}"#)?;
//! assert_eq!(large, dotted);
//! let error = Pattern::parse(r#"{"source": "com.acme"}"#).unwrap_err();
//! assert_eq!(error.reason, "\"source\" must be an object or an array");
//! # Ok::<(), wheelwright::eventbridge::PatternError>(())
//! ```

mod address;
mod compare;
mod complexity;
mod json;
mod matcher;
mod matching;
mod mismatch;
mod number;
mod parse;

pub use mismatch::{FieldMismatch, Mismatch};

use matcher::Matcher;
use serde_json::{Map, Value};
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, OnceLock};

/// The alternatives of one field, of which one has to match.
type Field = BTreeSet<Matcher>;

/// Fields by dotted path, all of which have to match.
type Branch = BTreeMap<Arc<str>, Arc<Field>>;

/// An event pattern that EventBridge takes.
///
/// Equality, order and hash go by meaning: the order of keys, of values and of `$or`, duplicates, spellings of numbers
/// and addresses, and dots for nesting make no difference. Two that compare unequal may still mean the same.
///
/// A clone shares what it is made of.
#[derive(Debug, Clone)]
pub struct Pattern(Arc<Parts>);

#[derive(Debug)]
struct Parts {
    /// Sorted, minimal, and never empty: one branch of these has to match. Where it was put to rest they are read again from
    /// `canonical`, which is there then.
    branches: OnceLock<BTreeSet<Branch>>,
    /// What was written, as compact JSON.
    written: Box<str>,
    /// One text for all spellings, as compact JSON.
    canonical: OnceLock<Box<str>>,
    wildcard_count: usize,
    or_combinations: usize,
}

impl Pattern {
    /// Reads a pattern as EventBridge does. Text after the closing brace is not looked at.
    ///
    /// # Errors
    /// EventBridge's own reason, with the keys and the byte offset that lead to the place. Syntax errors resemble
    /// EventBridge's. Sizes are not checked; see [`Pattern::check_size`].
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        let parsed = parse::parse(text)?;
        let or_combinations = parsed.branches.len();
        let branches = compare::canonical(parsed.branches);
        let as_tree = || serde_json::from_str::<Value>(text.get(..parsed.length)?).ok();
        let written = if parsed.repeats_key { None } else { as_tree() };
        Ok(Self(Arc::new(Parts {
            written: written.unwrap_or_else(|| write(&branches)).to_string().into(),
            branches: OnceLock::from(branches),
            canonical: OnceLock::new(),
            wildcard_count: parsed.wildcard_count,
            or_combinations,
        })))
    }

    /// The same as two short texts, a tenth of what it is in parts: for what is kept for long and seldom looked into. It is read
    /// again when somebody does.
    #[must_use]
    pub fn at_rest(&self) -> Self {
        let Parts { branches: _, written, canonical: _, wildcard_count, or_combinations } = &*self.0;
        Self(Arc::new(Parts {
            branches: OnceLock::new(),
            written: written.clone(),
            canonical: OnceLock::from(Box::from(self.canonical_text())),
            wildcard_count: *wildcard_count,
            or_combinations: *or_combinations,
        }))
    }

    /// One or more. None would be a text of ours that could not be read again, of which nothing is known: who compares doubts then.
    fn branches(&self) -> &BTreeSet<Branch> {
        self.0.branches.get_or_init(|| {
            // We wrote it, so it can be read: the tests below hold `write` to it.
            let parsed = parse::parse(self.canonical_text());
            debug_assert!(parsed.is_ok(), "{parsed:?}");
            parsed.map(|parsed| compare::canonical(parsed.branches)).unwrap_or_default()
        })
    }

    /// Reads a pattern that is already a JSON value.
    ///
    /// # Errors
    /// As [`Pattern::parse`], without an offset.
    pub fn from_value(value: &Value) -> Result<Self, PatternError> {
        Self::parse(&value.to_string()).map_err(|error| PatternError { offset: None, ..error })
    }

    /// Whether EventBridge would match the event, which is the whole envelope as a JSON object.
    #[must_use]
    pub fn matches(&self, event: &Value) -> bool {
        // Who an event is from and what it is decides nearly all, and is quickly looked up.
        let mut undecided = Vec::new();
        for branch in self.branches() {
            match matching::at_the_top(event, branch) {
                Some(true) => return true,
                Some(false) => {}
                None => undecided.push(branch),
            }
        }
        if undecided.is_empty() {
            return false;
        }
        let wanted: BTreeSet<&str> = undecided.iter().flat_map(|branch| branch.keys().map(Arc::as_ref)).collect();
        let values = matching::Values::collect(event, &wanted);
        undecided.into_iter().any(|branch| values.match_branch(branch))
    }

    /// One text for all spellings of the same meaning, as compact JSON: what a digest is made over.
    #[must_use]
    pub fn canonical_text(&self) -> &str {
        self.0.canonical.get_or_init(|| write(self.branches()).to_string().into())
    }

    /// What was written, as compact JSON.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0.written
    }

    /// Whether both certainly match the same events. `false` may also be doubt.
    #[must_use]
    pub fn same_meaning(&self, other: &Self) -> bool {
        // What is one and the same is not woken from its rest to be compared with itself.
        if Arc::ptr_eq(&self.0, &other.0) {
            return true;
        }
        let (mine, theirs) = (self.branches(), other.branches());
        mine == theirs && !mine.is_empty()
    }

    /// Whether some event may match both. `false` is certain for events of EventBridge's envelope (where source,
    /// detail-type, account and Region are single texts); `true` may also be doubt.
    #[must_use]
    pub fn may_overlap(&self, other: &Self) -> bool {
        let (mine, theirs) = (self.branches(), other.branches());
        let overlaps = |mine: &Branch| theirs.iter().any(|theirs| compare::may_overlap(mine, theirs));
        mine.is_empty() || theirs.is_empty() || mine.iter().any(overlaps)
    }

    /// Whether every event that `other` matches is certainly matched by this. `false` may also be doubt.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        if Arc::ptr_eq(&self.0, &other.0) {
            return true;
        }
        let (mine, theirs) = (self.branches(), other.branches());
        let is_covered = |inner: &Branch| mine.iter().any(|outer| compare::branch_covers(outer, inner));
        !theirs.is_empty() && theirs.iter().all(is_covered)
    }

    /// How many wildcards it uses, those in `anything-but` too. A rule with any counts against
    /// [`WILDCARD_RULES_PER_BUS`](super::quota::WILDCARD_RULES_PER_BUS).
    #[must_use]
    pub fn wildcard_count(&self) -> usize {
        self.0.wildcard_count
    }

    /// What its `$or`s multiply to; 1 without any. At most
    /// [`OR_COMBINATIONS_MAX`](super::quota::OR_COMBINATIONS_MAX).
    #[must_use]
    pub fn or_combinations(&self) -> usize {
        self.0.or_combinations
    }

    /// What was written. Where a tree of values cannot hold that (a repeated key, extreme depth), something that means
    /// the same.
    #[must_use]
    pub fn to_value(&self) -> Value {
        serde_json::from_str(&self.0.written).unwrap_or_else(|_| write(self.branches()))
    }

    /// Checks the compact text against a limit in characters, such as
    /// [`PATTERN_CHARACTERS`](super::quota::PATTERN_CHARACTERS) or a raised quota.
    ///
    /// # Errors
    /// Says how long the pattern is and how long it may be.
    pub fn check_size(&self, characters_max: usize) -> Result<(), PatternError> {
        let characters = self.as_str().chars().count();
        if characters <= characters_max {
            return Ok(());
        }
        Err(PatternError {
            reason: format!(
                "it has {characters} characters and the quota is {characters_max}; split the rule or raise the quota"
            ),
            path: Vec::new(),
            offset: None,
        })
    }
}

impl fmt::Display for Pattern {
    /// What was written, as compact JSON.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl std::str::FromStr for Pattern {
    type Err = PatternError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.same_meaning(other)
    }
}

impl Eq for Pattern {}

impl PartialOrd for Pattern {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Pattern {
    fn cmp(&self, other: &Self) -> Ordering {
        self.branches().cmp(other.branches())
    }
}

impl Hash for Pattern {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.branches().hash(state);
    }
}

/// Why EventBridge would refuse a pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("Event pattern is not valid. Reason: {reason}")]
pub struct PatternError {
    /// EventBridge's own text, after `Event pattern is not valid. Reason: `.
    pub reason: String,
    /// The keys that lead to the place.
    pub path: Vec<String>,
    /// The byte in the text where the fault was seen, if the pattern was read from text.
    pub offset: Option<usize>,
}

/// Branches in EventBridge's language, with dotted keys.
fn write(branches: &BTreeSet<Branch>) -> Value {
    let mut written: Vec<Value> = branches
        .iter()
        .map(|branch| {
            let fields = branch.iter().map(|(path, matchers)| {
                let matchers = matchers.iter().map(Matcher::to_value).collect();
                (path.to_string(), Value::Array(matchers))
            });
            Value::Object(fields.collect())
        })
        .collect();
    match written.pop() {
        Some(only) if written.is_empty() => only,
        last => {
            written.extend(last);
            Value::Object(Map::from_iter([("$or".to_owned(), Value::Array(written))]))
        }
    }
}

#[cfg(test)]
mod tests;
