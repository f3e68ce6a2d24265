//! Why an event does not match: the fields that keep it out, for people who wonder where an event went.

use super::matcher::Matcher;
use super::{Branch, Pattern, matching};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

/// Why an event does not match a pattern. Of a pattern with `$or` it is the alternative with the fewest fields in the way.
#[derive(Debug, Clone, PartialEq)]
pub enum Mismatch {
    /// These fields, each by itself.
    Fields(Vec<FieldMismatch>),
    /// Each of these fields matches somewhere, but in different elements of an array: a match needs one element for all.
    Apart(Vec<String>),
}

/// A field that does not match.
#[derive(Debug, Clone, PartialEq)]
pub struct FieldMismatch {
    /// Where it is, with dots between the keys.
    pub path: String,
    /// What the pattern asks for: a list of which one has to match.
    pub wanted: Value,
    /// What the event has there: nothing, or as many values as arrays make of it.
    pub found: Vec<Value>,
}

/// Characters of a value that are shown at most.
const SHOWN_CHARACTERS_MAX: usize = 120;

impl fmt::Display for FieldMismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, wanted, found } = self;
        let found: Vec<String> = found.iter().map(Value::to_string).collect();
        let wanted = shown(wanted.to_string());
        if found.is_empty() {
            write!(f, "`{path}` is not in the event; asked for is {wanted}")
        } else {
            write!(f, "`{path}` is {}; asked for is {wanted}", shown(found.join(", ")))
        }
    }
}

fn shown(text: String) -> String {
    match text.char_indices().nth(SHOWN_CHARACTERS_MAX) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text,
    }
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fields(fields) => {
                let texts: Vec<String> = fields.iter().map(ToString::to_string).collect();
                f.write_str(&texts.join("; "))
            }
            Self::Apart(paths) => {
                let paths: Vec<String> = paths.iter().map(|path| format!("`{path}`")).collect();
                write!(f, "no single element of the array matches all of {}", paths.join(", "))
            }
        }
    }
}

impl Pattern {
    /// Why the event, a whole envelope as a JSON object, does not match; nothing if it does.
    #[must_use]
    pub fn mismatch(&self, event: &Value) -> Option<Mismatch> {
        if self.matches(event) {
            return None;
        }
        let wanted: BTreeSet<&str> = self.branches().iter().flat_map(|branch| branch.keys().map(Arc::as_ref)).collect();
        let values = matching::Values::collect(event, &wanted);
        let nearest = self.branches().iter().map(|branch| (branch, in_the_way(branch, &values)));
        // Fields that match one by one are nearer than any that does not.
        let (branch, fields) = nearest.min_by_key(|(_, fields)| fields.len())?;
        if fields.is_empty() {
            return Some(Mismatch::Apart(branch.keys().map(ToString::to_string).collect()));
        }
        Some(Mismatch::Fields(fields))
    }
}

/// The fields of a branch that no value matches.
fn in_the_way(branch: &Branch, values: &matching::Values<'_>) -> Vec<FieldMismatch> {
    let mut fields = Vec::new();
    for (path, matchers) in branch {
        let found = values.at(path);
        let is_absent = found.is_empty() && matchers.contains(&Matcher::Absent);
        let matches = is_absent || found.iter().any(|(leaf, _)| matchers.iter().any(|one| one.matches(*leaf)));
        if !matches {
            fields.push(FieldMismatch {
                path: path.to_string(),
                wanted: Value::Array(matchers.iter().map(Matcher::to_value).collect()),
                found: found.into_iter().map(|(_, value)| value.clone()).collect(),
            });
        }
    }
    fields
}
