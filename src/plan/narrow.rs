//! Rules that are to take fewer events, or others.
//!
//! PutRule replaces a pattern at once. The events that the rule takes no more may be another rule's from now on, or come
//! from another account: so the rule is first widened to the old and the new events, and narrowed to the new ones only
//! after everything that takes over is in place, as any other break.

use super::diff::{Asked, Change, Diff};
use super::kept;
use super::rules::{differences, label_of, mark_of, put_rule, seen_rule, state_text};
use crate::eventbridge::{Pattern, quota};
use crate::model::desired::Wanted;
use crate::model::finding::{FindingCode, Outcome};
use crate::model::mark::{Digest, Mark};
use crate::model::plan::{Action, Cause, Guard, RulePart};
use crate::model::resource::{ResourceId, RuleId, RuleSpec, RuleState};
use crate::model::route::Consumer;
use crate::model::world::LiveRule;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

/// How far a rule of ours is on the way to a narrower pattern.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Halfway {
    /// Not on it.
    No,
    /// Widened: only the narrowing is missing.
    Widened,
    /// The same, and among what it was widened to are accounts that publish in place of others.
    Moved,
}

impl Halfway {
    /// What the `mark` of a live rule says of it; `asked` is what it would say of the wanted one.
    pub(super) fn of(mark: Option<&Mark>, live: &LiveRule, asked: Digest) -> Self {
        let Some(mark) = mark.filter(|mark| mark.digest != asked) else { return Self::No };
        let Some(pattern) = live.pattern.as_ref().and_then(|pattern| pattern.parsed.as_ref()) else { return Self::No };
        let marked = |halfway: &Self| mark.digest == halfway.digest(asked, pattern);
        [Self::Widened, Self::Moved].into_iter().find(marked).unwrap_or(Self::No)
    }

    /// What a mark says of a rule that takes `both` on its way to what is `asked`: other than what any rule's own says.
    fn digest(self, asked: Digest, both: &Pattern) -> Digest {
        let how = if self == Self::Moved { "moved" } else { "widened" };
        Digest::of(&[how, &asked.to_string(), both.canonical_text()])
    }
}

/// Plans the way of a rule of ours from the pattern `before` to the wanted one, which does not cover it.
pub(super) fn narrow(
    diff: &mut Diff<'_>,
    rule: &RuleId,
    wanted: &Wanted<RuleSpec>,
    live: &LiveRule,
    before: &Pattern,
    halfway: Halfway,
    asked: &Asked,
) {
    let after = &wanted.spec.pattern;
    let waits = kept::stays_wide(diff.desired, wanted, live);
    if waits {
        let detail = "it takes no less than it does while a file has errors".to_owned();
        diff.find(ResourceId::Rule(rule.clone()), FindingCode::PatternChanged, Outcome::Waiting, detail, asked);
        if before.covers(after) && live.state == state_text(wanted.spec.state) {
            return;
        }
    }
    let mut held_by = cuts_publishers(diff, rule, before, after, halfway, asked).then_some(Guard::PublishersMove);
    // What a hand did to a rule that is on the way is mended at once, whatever the narrowing waits for.
    let mut amiss: BTreeSet<FindingCode> = BTreeSet::new();
    if halfway != Halfway::No {
        let found = differences(&wanted.spec, &mark_of(diff.desired, rule, wanted), live);
        let state_differs = live.state != state_text(wanted.spec.state);
        let by_hand = |code: &FindingCode| state_differs || *code != FindingCode::PatternChanged;
        amiss.extend(found.into_iter().map(|(code, _)| code).filter(by_hand));
    }
    // What is to be held off has none of the events that the rule takes today: they go on until another takes them over,
    // and the rule is held off when it is narrowed.
    let goes_on = wanted.spec.state == RuleState::Disabled && live.state != "DISABLED" && !before.may_overlap(after);
    // Also where it takes all the new events already: its mark says from now on that only the narrowing is missing, so
    // that what happens to it meanwhile is told as drift.
    if !goes_on && (halfway == Halfway::No || !amiss.is_empty()) {
        let characters_max = diff
            .desired
            .quotas
            .get(&rule.bus)
            .map_or(quota::PATTERN_CHARACTERS, |quotas| quotas.pattern_characters_max);
        match union(before, after, characters_max) {
            Some(both) => widen(diff, rule, wanted, live, &both, halfway, amiss, asked),
            // It delivers nothing today, so nothing is lost by doing it at once.
            None if live.state == "DISABLED" && !waits => return at_once(diff, rule, wanted, live, asked),
            // It is to be held off, and that waits for no room.
            None if wanted.spec.state == RuleState::Disabled => {
                widen(diff, rule, wanted, live, before, halfway, amiss, asked);
                held_by = Some(Guard::NoRoom);
            }
            None => held_by = Some(Guard::NoRoom),
        }
    }
    if waits {
        return;
    }
    let mut asked = asked.clone();
    asked.routes.extend(diff.index.replaced(rule, live, diff.desired));
    let change = Change {
        action: put_rule(diff.desired, rule, wanted, RulePart::Narrow),
        seen: seen_rule(live),
        cause: Cause::Intent,
        codes: BTreeSet::new(),
        held_by,
        detail: vec![format!("pattern {before} -> {after}")],
    };
    diff.take_away(change, &asked);
}

fn at_once(diff: &mut Diff<'_>, rule: &RuleId, wanted: &Wanted<RuleSpec>, live: &LiveRule, asked: &Asked) {
    let action = put_rule(diff.desired, rule, wanted, RulePart::Whole);
    let (seen, codes) = (seen_rule(live), BTreeSet::new());
    let detail = vec![format!("pattern {}", wanted.spec.pattern)];
    diff.make(Change { action, seen, cause: Cause::Intent, codes, held_by: None, detail }, asked);
}

/// The rule with both patterns. Its mark says so: if we stop here, the next plan knows that only the narrowing is missing,
/// and the one after another commit that the rule was not asked for like this. `amiss`: what a hand did to it on the way.
#[allow(clippy::too_many_arguments)] // Each is a part of the step; a struct would only name them again.
fn widen(
    diff: &mut Diff<'_>,
    rule: &RuleId,
    wanted: &Wanted<RuleSpec>,
    live: &LiveRule,
    both: &Pattern,
    halfway: Halfway,
    amiss: BTreeSet<FindingCode>,
    asked: &Asked,
) {
    let new_accounts = !accounts(&wanted.spec.pattern).is_subset(&live_accounts(live));
    let from_here = match halfway {
        Halfway::No if new_accounts => Halfway::Moved,
        Halfway::No => Halfway::Widened,
        same => same,
    };
    let mark = Mark::new(
        &diff.desired.owner,
        live.mark(rule).map_or(0, |mark| mark.sequence),
        &ResourceId::Rule(rule.clone()),
        from_here.digest(label_of(rule, wanted).digest, both),
    );
    let action = Action::PutRule {
        rule: rule.clone(),
        description: mark.stamp(&wanted.spec.description),
        pattern: both.to_string(),
        state: wanted.spec.state,
        tags: wanted.spec.tags.clone(),
        part: RulePart::Widen,
    };
    let unchanged =
        live.pattern.as_ref().and_then(|live| live.parsed.as_ref()).is_some_and(|live| live.same_meaning(both));
    let detail = vec![match unchanged {
        true => "its mark; the pattern stays until it is narrowed".to_owned(),
        false => format!("pattern {both}, for the time until it is narrowed"),
    }];
    let (cause, codes) = (if amiss.is_empty() { Cause::Intent } else { Cause::Drift }, amiss);
    diff.make(Change { action, seen: seen_rule(live), cause, codes, held_by: None, detail }, asked);
}

/// A pattern that matches what either matches, if one fits.
fn union(one: &Pattern, two: &Pattern, characters_max: usize) -> Option<Pattern> {
    if one.covers(two) {
        return Some(one.clone());
    }
    let (one_value, two_value) = (one.to_value(), two.to_value());
    let either = json!({ "$or": [&one_value, &two_value] });
    [one_field_of_both(&one_value, &two_value), common_and_or(&one_value, &two_value), Some(either)]
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

/// What both have, and a `$or` of what only each has.
fn common_and_or(one: &Value, two: &Value) -> Option<Value> {
    let (one, two) = (one.as_object()?, two.as_object()?);
    if one.contains_key("$or") || two.contains_key("$or") {
        return None;
    }
    let (mut both, only_one): (Map<String, Value>, Map<String, Value>) =
        one.clone().into_iter().partition(|(key, value)| two.get(key) == Some(value));
    let only_two: Map<String, Value> = two.clone().into_iter().filter(|(key, _)| !both.contains_key(key)).collect();
    if only_one.is_empty() || only_two.is_empty() {
        return None;
    }
    both.insert("$or".into(), json!([only_one, only_two]));
    Some(Value::Object(both))
}

/// Whether publishers of a route that stays are cut off: accounts that `before` takes the same sources from are none that
/// `after` does, or `before` takes anybody's (a pattern that a rule kept of before). An audit follows the others: it is held where
/// one of them is, or where an account came in place of another.
pub(super) fn cuts_publishers(
    diff: &Diff<'_>,
    rule: &RuleId,
    before: &Pattern,
    after: &Pattern,
    halfway: Halfway,
    asked: &Asked,
) -> bool {
    let (old, new) = (texts(before, "account"), texts(after, "account"));
    let gone: BTreeSet<String> = old.difference(&new).cloned().collect();
    let old_sources = texts(before, "source");
    let by_aws = !old_sources.is_empty() && old_sources.iter().all(|source| source.starts_with("aws."));
    let was_open = old.is_empty();
    if (gone.is_empty() && !was_open) || new.is_empty() || by_aws || !before.may_overlap(after) {
        return false;
    }
    let audit = asked.routes.iter().all(|id| matches!(id.consumer, Consumer::Audit(_)));
    if was_open {
        return !audit;
    }
    let moved = halfway == Halfway::Moved || !new.is_subset(&old);
    !audit || moved || staying_rule_takes(diff, rule, &gone)
}

/// Whether another rule of ours on the same bus, that stays, takes events from one of `accounts` today.
fn staying_rule_takes(diff: &Diff<'_>, rule: &RuleId, accounts: &BTreeSet<String>) -> bool {
    let Some(bus) = diff.world.bus(&rule.bus) else { return false };
    bus.rules.iter().any(|(name, live)| {
        let other = RuleId { bus: rule.bus.clone(), name: name.clone() };
        let pattern = live.pattern.as_ref().and_then(|pattern| pattern.parsed.as_ref());
        let takes = pattern.is_some_and(|pattern| !texts(pattern, "account").is_disjoint(accounts));
        other != *rule && diff.desired.rules.contains_key(&other) && takes
    })
}

/// Whether a live rule takes AWS services' own events alone, which nobody moves.
pub(super) fn takes_aws_events_alone(live: &LiveRule) -> bool {
    let sources = live.pattern.as_ref().and_then(|pattern| pattern.parsed.as_ref()).map(|live| texts(live, "source"));
    sources.is_some_and(|sources| !sources.is_empty() && sources.iter().all(|source| source.starts_with("aws.")))
}

/// The accounts that a live rule pins; none if it pins none, or its pattern is not understood.
pub(super) fn live_accounts(live: &LiveRule) -> BTreeSet<String> {
    live.pattern.as_ref().and_then(|pattern| pattern.parsed.as_ref()).map(accounts).unwrap_or_default()
}

/// The accounts that a pattern pins; none if it pins none.
fn accounts(pattern: &Pattern) -> BTreeSet<String> {
    texts(pattern, "account")
}

/// The values of a field of the envelope, those in every branch of a `$or` too; operators as their JSON.
fn texts(pattern: &Pattern, field: &str) -> BTreeSet<String> {
    fn collect(value: &Value, field: &str, into: &mut BTreeSet<String>) {
        let list = |key: &str| value.get(key).and_then(Value::as_array).into_iter().flatten();
        into.extend(list(field).map(|one| one.as_str().map_or_else(|| one.to_string(), str::to_owned)));
        list("$or").for_each(|branch| collect(branch, field, into));
    }
    let mut found = BTreeSet::new();
    collect(&pattern.to_value(), field, &mut found);
    found
}
