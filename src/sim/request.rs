//! One API request as the operations see it, and the shape checks that AWS makes before anything else.
//!
//! Knows how to read fields and how AWS words a failed constraint. Knows no state.

use serde_json::Value;

use super::errors::AwsError;
use super::log::CallKind;
use super::{Caller, Service};

/// A request: who, where, what.
#[derive(Clone, Copy)]
pub(super) struct Request<'a> {
    pub(super) caller: &'a Caller,
    pub(super) region: &'a str,
    pub(super) service: Service,
    pub(super) operation: &'a str,
    pub(super) input: &'a Value,
}

impl<'a> Request<'a> {
    /// The caller's account.
    pub(super) fn account(&self) -> &'a str {
        self.caller.account()
    }

    /// A text field; `None` where it is absent or null.
    pub(super) fn text(&self, field: &str) -> Option<&'a str> {
        self.input.get(field).and_then(Value::as_str)
    }

    /// A text field kept as an owned value; `None` where it is absent or empty.
    pub(super) fn non_empty(&self, field: &str) -> Option<String> {
        self.text(field).filter(|text| !text.is_empty()).map(str::to_owned)
    }

    /// A structure or list kept as it came.
    pub(super) fn structure(&self, field: &str) -> Option<Value> {
        self.input.get(field).filter(|value| !value.is_null()).cloned()
    }

    /// A flag; false where it is absent.
    pub(super) fn flag(&self, field: &str) -> bool {
        self.input.get(field).and_then(Value::as_bool).unwrap_or(false)
    }

    /// A whole number.
    pub(super) fn number(&self, field: &str) -> Option<i64> {
        self.input.get(field).and_then(Value::as_i64)
    }

    /// The members of a list; none where it is absent.
    pub(super) fn list(&self, field: &str) -> &'a [Value] {
        self.input.get(field).and_then(Value::as_array).map_or(&[], Vec::as_slice)
    }

    /// What kind of call this is, from its name.
    pub(super) fn kind(&self) -> CallKind {
        const READS: [&str; 4] = ["Describe", "List", "Get", "Test"];
        const DATA: [&str; 5] = ["PutEvents", "SendMessage", "ReceiveMessage", "DeleteMessage", "AssumeRole"];
        if DATA.contains(&self.operation) {
            CallKind::Data
        } else if READS.iter().any(|read| self.operation.starts_with(read)) {
            CallKind::Read
        } else {
            CallKind::Write
        }
    }
}

/// Collects the failed constraints of one request, so that AWS's one message can name them all.
#[derive(Default)]
pub(super) struct Constraints {
    failures: Vec<String>,
}

/// The characters a name may hold, with the regular expression that AWS names in its message.
#[derive(Clone, Copy)]
pub(super) struct Characters {
    expression: &'static str,
    allowed: fn(char) -> bool,
}

/// Names of rules, targets and archives.
pub(super) const NAME: Characters = Characters {
    expression: r"[\.\-_A-Za-z0-9]+",
    allowed: |character| character.is_ascii_alphanumeric() || ".-_".contains(character),
};

/// Names of buses, which may hold slashes (partner buses).
pub(super) const BUS_NAME: Characters = Characters {
    expression: r"[/\.\-_A-Za-z0-9]+",
    allowed: |character| character.is_ascii_alphanumeric() || "/.-_".contains(character),
};

/// Statement ids.
pub(super) const STATEMENT_ID: Characters = Characters {
    expression: r"[a-zA-Z0-9-_]+",
    allowed: |character| character.is_ascii_alphanumeric() || "-_".contains(character),
};

/// Names of roles.
pub(super) const ROLE_NAME: Characters = Characters {
    expression: r"[\w+=,.@-]+",
    allowed: |character| character.is_ascii_alphanumeric() || "_+=,.@-".contains(character),
};

impl Constraints {
    /// A text that must be there.
    pub(super) fn required(&mut self, at: &str, value: Option<&str>) -> &mut Self {
        if value.is_none() {
            self.failures.push(format!("Value null at '{at}' failed to satisfy constraint: Member must not be null"));
        }
        self
    }

    /// A text's length in characters.
    pub(super) fn length(&mut self, at: &str, value: Option<&str>, least: usize, most: usize) -> &mut Self {
        let Some(text) = value else { return self };
        let length = text.chars().count();
        if length > most {
            self.fail(at, text, &format!("Member must have length less than or equal to {most}"));
        } else if length < least {
            self.fail(at, text, &format!("Member must have length greater than or equal to {least}"));
        }
        self
    }

    /// A text's characters.
    pub(super) fn characters(&mut self, at: &str, value: Option<&str>, set: Characters) -> &mut Self {
        if let Some(text) = value
            && (text.is_empty() || !text.chars().all(set.allowed))
        {
            self.fail(at, text, &format!("Member must satisfy regular expression pattern: {}", set.expression));
        }
        self
    }

    /// A text that is one of some.
    pub(super) fn one_of(&mut self, at: &str, value: Option<&str>, set: &[&str]) -> &mut Self {
        if let Some(text) = value
            && !set.contains(&text)
        {
            self.fail(at, text, &format!("Member must satisfy enum value set: [{}]", set.join(", ")));
        }
        self
    }

    /// A number between two others.
    pub(super) fn range(&mut self, at: &str, value: Option<i64>, least: i64, most: i64) -> &mut Self {
        let Some(number) = value else { return self };
        if number > most {
            self.fail(at, &number.to_string(), &format!("Member must have value less than or equal to {most}"));
        } else if number < least {
            self.fail(at, &number.to_string(), &format!("Member must have value greater than or equal to {least}"));
        }
        self
    }

    /// Any other failed constraint.
    pub(super) fn fail(&mut self, at: &str, value: &str, constraint: &str) {
        self.failures.push(format!("Value '{value}' at '{at}' failed to satisfy constraint: {constraint}"));
    }

    /// The error for all failures, if any.
    pub(super) fn check(&self) -> Result<(), AwsError> {
        let noun = match self.failures.len() {
            0 => return Ok(()),
            1 => "error",
            _ => "errors",
        };
        Err(AwsError::validation(format!(
            "{} validation {noun} detected: {}",
            self.failures.len(),
            self.failures.join("; ")
        )))
    }
}
