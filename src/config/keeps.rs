//! `keeps`: what rules and buses that were there before wheelwright keep of their own.

use super::diagnostic::{Diagnostic, DiagnosticCode};
use super::fields::Fields;
use super::source::{Place, Written};
use super::values;
use crate::eventbridge::{Arn, NameError, Pattern, quota};
use crate::model::topology::{Keeps, KeptName};

/// The keys of `keeps` in a subscription, a publication or a collection.
pub(super) const KEEPS_KEYS: &[&str] = &["rule", "target", "pattern", "role", "dead-letter"];
/// The keys of `keeps` in a hub or a spoke.
pub(super) const BUS_KEEPS_KEYS: &[&str] = &["grants"];
/// What says that a kept rule's target has no role, or no dead-letter queue.
pub(super) const NONE: &str = "none";

/// What a rule keeps, and where that was written.
#[derive(Clone, Debug, Default)]
pub(super) struct RawKeeps {
    /// What it keeps.
    pub(super) keeps: Keeps,
    /// Where `keeps` was written, if it was.
    pub(super) place: Option<Place>,
    /// Where `keeps.rule` was.
    pub(super) rule_place: Option<Place>,
    /// Where `keeps.pattern` was.
    pub(super) pattern_place: Option<Place>,
}

/// What the rule of a subscription, a publication or a collection keeps; none if something is wrong with it.
pub(super) fn of_rule(fields: &Fields<'_>) -> RawKeeps {
    let Some(table) = fields.table("keeps", KEEPS_KEYS) else { return RawKeeps::default() };
    let checked = |key: &str, valid: fn(&str) -> Result<(), NameError>| {
        values::checked(&table, key, DiagnosticCode::BadKeeps, valid)
    };
    let rule = checked("rule", quota::valid_rule_name);
    let target = checked("target", quota::valid_target_id);
    let pattern = table.text("pattern").and_then(|text| pattern(&table, &text));
    let role =
        table.text("role").and_then(|text| named(&table, text, is_role_name, "a role's name or its path and name"));
    let dead_letter =
        table.text("dead-letter").and_then(|text| named(&table, text, is_queue, "a standard queue's name or ARN"));
    fields.absorb(&table);
    RawKeeps {
        rule_place: rule.as_ref().map(|rule| rule.place.clone()),
        pattern_place: table.key_place("pattern"),
        place: Some(table.place().clone()),
        keeps: Keeps {
            rule: rule.map(|rule| rule.value),
            target: target.map(|target| target.value),
            pattern,
            role,
            dead_letter,
        },
    }
}

/// Whether a bus keeps others' statements in place of ours.
pub(super) fn of_bus(fields: &Fields<'_>) -> bool {
    let Some(table) = fields.table("keeps", BUS_KEEPS_KEYS) else { return false };
    let grants = table.truth("grants").unwrap_or_default();
    fields.absorb(&table);
    grants
}

fn pattern(table: &Fields<'_>, text: &Written<String>) -> Option<Pattern> {
    let fault = match Pattern::parse(&text.value) {
        Ok(pattern) if pattern.or_combinations() <= quota::OR_COMBINATIONS_MAX => return Some(pattern),
        Ok(_) => "its `$or`s multiply to more combinations than AWS takes".to_owned(),
        Err(error) => error.reason,
    };
    table.fail(
        Diagnostic::error(DiagnosticCode::BadKeeps, &text.place, "EventBridge would refuse this pattern")
            .label(fault)
            .help("write it as the rule has it: `aws events describe-rule` shows it as `EventPattern`"),
    );
    None
}

fn named(table: &Fields<'_>, text: Written<String>, valid: fn(&str) -> bool, what: &str) -> Option<KeptName> {
    if text.value == NONE {
        return Some(KeptName::Nothing);
    }
    if valid(&text.value) {
        return Some(KeptName::Named(text.value));
    }
    table.fail(
        Diagnostic::error(DiagnosticCode::BadKeeps, &text.place, format!("`{}` cannot be kept", text.value))
            .label(format!("expected {what}, or \"{NONE}\"")),
    );
    None
}

/// Whether this names a role, perhaps with its path: <https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateRole.html>.
fn is_role_name(name: &str) -> bool {
    let last = name.rsplit('/').next().unwrap_or_default();
    (1..=64).contains(&last.len())
        && !name.starts_with('/')
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_+=,.@-/".contains(&byte))
}

fn is_queue(name: &str) -> bool {
    values::is_queue_name(name)
        || name.parse::<Arn>().is_ok_and(|arn| arn.queue_name().is_some_and(values::is_queue_name))
}
