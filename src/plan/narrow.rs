//! Rules that are to take fewer events, or others.
//!
//! PutRule replaces a pattern at once. The events that the rule takes no more may be another rule's from now on, or come
//! from another account: so the rule is first widened to the old and the new events, and narrowed to the new ones only
//! after everything that takes over is in place, as any other break.

use super::diff::{Asked, Change, Diff};
use super::rules::{put_rule, seen_rule, state_text};
use crate::eventbridge::{Pattern, quota};
use crate::model::desired::Wanted;
use crate::model::plan::{Action, Cause, Guard, RulePart};
use crate::model::resource::{RuleId, RuleSpec};
use crate::model::world::LiveRule;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

/// Plans the way of a rule of ours from the pattern `before` to the wanted one, which does not cover it.
pub(super) fn narrow(
    diff: &mut Diff<'_>,
    rule: &RuleId,
    wanted: &Wanted<RuleSpec>,
    live: &LiveRule,
    before: &Pattern,
    asked: &Asked,
) {
    let after = &wanted.spec.pattern;
    let mut held_by = dropped_accounts(before, after).then_some(Guard::PublishersMove);
    if !before.covers(after) || live.state != state_text(wanted.spec.state) {
        let characters_max = diff
            .desired
            .quotas
            .get(&rule.bus)
            .map_or(quota::PATTERN_CHARACTERS, |quotas| quotas.pattern_characters_max);
        match union(before, after, characters_max) {
            Some(both) => widen(diff, rule, wanted, live, &both, asked),
            None => held_by = Some(Guard::NoRoom),
        }
    }
    let mut asked = asked.clone();
    asked.routes.extend(diff.index.replaced(rule, live, diff.desired));
    let change = Change {
        action: put_rule(diff.desired, rule, &wanted.spec, RulePart::Narrow),
        seen: seen_rule(live),
        cause: Cause::Intent,
        codes: BTreeSet::new(),
        held_by,
        detail: vec![format!("pattern {before} -> {after}")],
    };
    diff.take_away(change, &asked);
}

/// The rule with both patterns. It keeps its description, and with it the mark of what was asked before: if we stop here,
/// the rest is still intent.
fn widen(
    diff: &mut Diff<'_>,
    rule: &RuleId,
    wanted: &Wanted<RuleSpec>,
    live: &LiveRule,
    both: &Pattern,
    asked: &Asked,
) {
    let action = Action::PutRule {
        rule: rule.clone(),
        description: live.description.clone(),
        pattern: both.to_string(),
        state: wanted.spec.state,
        tags: wanted.spec.tags.clone(),
        part: RulePart::Widen,
    };
    let detail = vec![format!("pattern {both}, for the time until it is narrowed")];
    let (seen, codes) = (seen_rule(live), BTreeSet::new());
    diff.make(Change { action, seen, cause: Cause::Intent, codes, held_by: None, detail }, asked);
}

/// A pattern that matches what either matches, if one fits.
fn union(one: &Pattern, two: &Pattern, characters_max: usize) -> Option<Pattern> {
    if one.covers(two) {
        return Some(one.clone());
    }
    let (one_value, two_value) = (one.to_value(), two.to_value());
    let either = json!({ "$or": [&one_value, &two_value] });
    [one_field_of_both(&one_value, &two_value), Some(either)]
        .into_iter()
        .flatten()
        .filter_map(|value| Pattern::from_value(&value).ok())
        .find(|both| both.covers(one) && both.covers(two) && both.to_string().chars().count() <= characters_max)
}

/// Two patterns that differ in one field alone, with that field's values together: shorter than `$or`, and what most
/// edits come to (another account, another detail-type).
fn one_field_of_both(one: &Value, two: &Value) -> Option<Value> {
    let (one, two) = (one.as_object()?, two.as_object()?);
    if one.len() != two.len() {
        return None;
    }
    let mut both: Map<String, Value> = Map::new();
    let mut differing = 0;
    for (key, mine) in one {
        let theirs = two.get(key)?;
        let values = if mine == theirs {
            mine.clone()
        } else {
            differing += 1;
            let mut values = mine.as_array()?.clone();
            values.extend(
                theirs
                    .as_array()?
                    .iter()
                    .filter(|value| !mine.as_array().is_some_and(|mine| mine.contains(value)))
                    .cloned(),
            );
            Value::Array(values)
        };
        both.insert(key.clone(), values);
    }
    (differing == 1).then_some(Value::Object(both))
}

/// Whether accounts that `before` takes events from are none that `after` does.
fn dropped_accounts(before: &Pattern, after: &Pattern) -> bool {
    let (before, after) = (accounts(before), accounts(after));
    !after.is_empty() && !before.is_subset(&after)
}

/// The accounts that a pattern pins; none if it pins none.
pub(super) fn accounts(pattern: &Pattern) -> BTreeSet<String> {
    let value = pattern.to_value();
    let pinned = value.get("account").and_then(Value::as_array).into_iter().flatten();
    pinned.filter_map(|account| account.as_str().map(str::to_owned)).collect()
}
