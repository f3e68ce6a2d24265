//! Rules and their targets.

use super::diff::{Asked, Change, Diff, Footing};
use super::own::{self, Ownership};
use crate::eventbridge::quota;
use crate::model::desired::{Desired, Digested, Wanted};
use crate::model::finding::{FindingCode, Outcome};
use crate::model::mark::{Mark, OWNER_TAG, kept_text, rule_stem, target_prefix};
use crate::model::plan::{Action, Cause, Guard, Seen};
use crate::model::resource::{BusId, ResourceId, RuleId, RuleSpec, RuleState, TargetSpec};
use crate::model::route::{Consumer, RouteId};
use crate::model::topology::Tags;
use crate::model::world::{LiveBus, LiveRule, LiveTarget};
use std::collections::{BTreeMap, BTreeSet};

pub(super) fn diff(diff: &mut Diff<'_>, footing: &BTreeMap<BusId, Footing>) {
    let desired = diff.desired;
    let mut created: BTreeMap<BusId, usize> = BTreeMap::new();
    for (rule, wanted) in &desired.rules {
        if desired.no_access.contains(&rule.bus.scope) {
            let detail =
                format!("the partner makes a rule with pattern {} that delivers to the hub", wanted.spec.pattern);
            let resource = ResourceId::Rule(rule.clone());
            diff.find(resource, FindingCode::PartnerMustAdd, Outcome::Left, detail, &Asked::by(wanted));
        } else if footing.get(&rule.bus).is_some_and(|footing| *footing != Footing::None) {
            wanted_rule(diff, rule, wanted, &mut created);
        }
    }
    let index = RouteIndex::of(desired);
    let world = diff.world;
    for (scope, view) in world.scopes.keys().filter_map(|scope| world.view(scope).map(|view| (scope, view))) {
        for (name, bus) in &view.buses {
            let id = BusId { scope: scope.clone(), name: name.clone() };
            unwanted_rules(diff, &id, bus, &index);
        }
    }
}

fn wanted_rule(diff: &mut Diff<'_>, rule: &RuleId, wanted: &Wanted<RuleSpec>, created: &mut BTreeMap<BusId, usize>) {
    let asked = Asked::by(wanted);
    let resource = ResourceId::Rule(rule.clone());
    let bus = diff.world.bus(&rule.bus);
    let Some(live) = bus.and_then(|bus| bus.rules.get(&rule.name)) else {
        // A rule that a cut-short listing did not show may be there all the same.
        if bus.is_none_or(|bus| bus.rules_read) {
            create(diff, rule, wanted, &resource, &asked, created);
        }
        return;
    };
    match own::of_rule(&diff.desired.owner, live) {
        Ownership::Marked(_) | Ownership::MarkLost => compare(diff, rule, wanted, live, &asked, None),
        Ownership::Unmarked => {
            let detail = "a rule of this name is there without our mark".to_owned();
            diff.find(resource, FindingCode::Adopt, Outcome::Held, detail, &asked);
            compare(diff, rule, wanted, live, &asked, Some(Guard::Adopt));
        }
        Ownership::Other(owner) | Ownership::Managed(owner) => {
            let detail = format!("it belongs to `{owner}`; it is not written");
            diff.find(resource, FindingCode::OtherOwner, Outcome::Left, detail, &asked);
        }
        Ownership::Unknown => {}
    }
}

fn create(
    diff: &mut Diff<'_>,
    rule: &RuleId,
    wanted: &Wanted<RuleSpec>,
    resource: &ResourceId,
    asked: &Asked,
    created: &mut BTreeMap<BusId, usize>,
) {
    let cause = diff.missing_cause();
    let codes = diff.found_missing(resource, FindingCode::RuleMissing, asked);
    let held_by = no_room(diff, &rule.bus, created);
    let detail = vec![format!("pattern {}", wanted.spec.pattern)];
    let action = put_rule(diff.desired, rule, &wanted.spec);
    diff.make(Change { action, seen: Seen::Absent, cause, codes: codes.clone(), held_by, detail }, asked);
    let seen = Seen::Targets { targets: BTreeMap::new() };
    put_targets(diff, rule, wanted.spec.targets.clone(), seen, cause, codes, held_by, asked);
}

/// AWS refuses a rule over its quota: the old rule goes only when the new one is in, so both must fit.
fn no_room(diff: &Diff<'_>, bus: &BusId, created: &mut BTreeMap<BusId, usize>) -> Option<Guard> {
    let rules_max = diff
        .desired
        .quotas
        .get(bus)
        .map_or_else(|| quota::rules_per_bus(bus.scope.region.as_str()), |quotas| quotas.rules_max);
    let live = diff.world.bus(bus).map_or(0, |bus| bus.rules.len());
    let count = created.entry(bus.clone()).or_insert(live);
    *count += 1;
    (*count > rules_max).then_some(Guard::NoRoom)
}

/// The whole rule: PutRule clears what is left out
/// (<https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutRule.html>).
pub(super) fn put_rule(desired: &Desired, rule: &RuleId, spec: &RuleSpec) -> Action {
    Action::PutRule {
        rule: rule.clone(),
        description: mark_of(desired, rule, spec).stamp(&spec.description),
        pattern: spec.pattern.to_string(),
        state: spec.state,
        tags: spec.tags.clone(),
    }
}

fn mark_of(desired: &Desired, rule: &RuleId, spec: &RuleSpec) -> Mark {
    let digest = spec.digest(&ResourceId::Rule(rule.clone()));
    Mark { owner: desired.owner.clone(), sequence: desired.revision.sequence, digest }
}

#[allow(clippy::too_many_arguments)] // Each is a part of the step; a struct would only name them again.
fn put_targets(
    diff: &mut Diff<'_>,
    rule: &RuleId,
    targets: BTreeMap<String, TargetSpec>,
    seen: Seen,
    cause: Cause,
    codes: BTreeSet<FindingCode>,
    held_by: Option<Guard>,
    asked: &Asked,
) {
    let detail = targets.values().map(|target| format!("to {}", target.arn)).collect();
    let action = Action::PutTargets { rule: rule.clone(), targets };
    diff.make(Change { action, seen, cause, codes, held_by, detail }, asked);
}

/// A live rule of ours (or one to be taken over) against what is wanted.
fn compare(
    diff: &mut Diff<'_>,
    rule: &RuleId,
    wanted: &Wanted<RuleSpec>,
    live: &LiveRule,
    asked: &Asked,
    held_by: Option<Guard>,
) {
    let resource = ResourceId::Rule(rule.clone());
    let ours = mark_of(diff.desired, rule, &wanted.spec);
    // The same digest: nobody asked for another rule since it was written, so a difference is drift.
    let cause = match live.mark() {
        Some(mark) if mark.digest != ours.digest => Cause::Intent,
        None if held_by.is_some() => Cause::Intent,
        _ => Cause::Drift,
    };
    let differences = differences(&wanted.spec, &ours, live);
    if !differences.is_empty() {
        let codes: BTreeSet<FindingCode> = differences.iter().map(|(code, _)| *code).collect();
        if cause == Cause::Drift {
            for (code, detail) in &differences {
                diff.find(resource.clone(), *code, Outcome::Mend, detail.clone(), asked);
            }
        }
        let change = Change {
            action: put_rule(diff.desired, rule, &wanted.spec),
            seen: seen_rule(live),
            cause,
            codes: if cause == Cause::Drift { codes } else { BTreeSet::new() },
            held_by,
            detail: differences.into_iter().map(|(_, detail)| detail).collect(),
        };
        diff.make(change, asked);
    }
    compare_tags(diff, rule, wanted, live, asked, held_by);
    compare_targets(diff, rule, wanted, live, asked, held_by);
}

pub(super) fn seen_rule(live: &LiveRule) -> Seen {
    Seen::Rule {
        description: live.description.clone(),
        pattern: live.pattern.as_ref().map(|pattern| pattern.text.clone()),
        state: live.state.clone(),
        tags: live.tags.clone(),
    }
}

/// What PutRule would change, each with its code.
fn differences(spec: &RuleSpec, mark: &Mark, live: &LiveRule) -> Vec<(FindingCode, String)> {
    let LiveRule { description, pattern, state, managed_by: _, tags: _, targets: _, .. } = live;
    let mut found = Vec::new();
    let same = pattern
        .as_ref()
        .and_then(|pattern| pattern.parsed.as_ref())
        .is_some_and(|live| live.same_meaning(&spec.pattern));
    if !same {
        let text = pattern.as_ref().map_or("none", |pattern| pattern.text.as_str());
        found.push((FindingCode::PatternChanged, format!("pattern {text} -> {}", spec.pattern)));
    }
    let wanted_state = state_text(spec.state);
    if state != wanted_state {
        let code = if spec.state == RuleState::Enabled && state == "DISABLED" {
            FindingCode::RuleDisabled
        } else {
            FindingCode::RuleEnabled
        };
        found.push((code, format!("state {state} -> {wanted_state}")));
    }
    match Mark::read(description) {
        (_, None) => found.push((FindingCode::MarkLost, format!("description {description:?} bears no mark"))),
        (text, Some(_)) if text != kept_text(mark, &spec.description) => {
            found.push((FindingCode::DescriptionChanged, format!("description {text:?} -> {:?}", spec.description)));
        }
        (_, Some(_)) => {}
    }
    found
}

/// A rule's state as AWS writes it.
pub(super) fn state_text(state: RuleState) -> &'static str {
    match state {
        RuleState::Enabled => "ENABLED",
        RuleState::Disabled => "DISABLED",
    }
}

/// Tags of ours that are missing or other, where tags were read. Tags that we do not set are left.
fn compare_tags(
    diff: &mut Diff<'_>,
    rule: &RuleId,
    wanted: &Wanted<RuleSpec>,
    live: &LiveRule,
    asked: &Asked,
    held_by: Option<Guard>,
) {
    let Some(tags) = &live.tags else { return };
    let lacking: Tags = wanted
        .spec
        .tags
        .iter()
        .filter(|(key, value)| tags.get(*key) != Some(*value))
        .map(|(k, v)| (k.clone(), v.clone()))
        .collect();
    if lacking.is_empty() {
        return;
    }
    let keys: Vec<&str> = lacking.keys().map(String::as_str).collect();
    let detail = format!("tags {} are missing or have other values", keys.join(", "));
    if held_by.is_none() {
        diff.find(ResourceId::Rule(rule.clone()), FindingCode::TagsChanged, Outcome::Mend, detail.clone(), asked);
    }
    let change = Change {
        action: Action::TagRule { rule: rule.clone(), tags: lacking },
        seen: seen_rule(live),
        cause: if held_by.is_none() { Cause::Drift } else { Cause::Intent },
        codes: if held_by.is_none() { BTreeSet::from([FindingCode::TagsChanged]) } else { BTreeSet::new() },
        held_by,
        detail: vec![detail],
    };
    diff.make(change, asked);
}

fn compare_targets(
    diff: &mut Diff<'_>,
    rule: &RuleId,
    wanted: &Wanted<RuleSpec>,
    live: &LiveRule,
    asked: &Asked,
    held_by: Option<Guard>,
) {
    let Some(targets) = &live.targets else { return };
    let prefix = target_prefix(&diff.desired.owner);
    let surplus: BTreeMap<String, LiveTarget> = targets
        .iter()
        .filter(|(id, _)| id.starts_with(&prefix) && !wanted.spec.targets.contains_key(*id))
        .map(|(id, target)| (id.clone(), target.clone()))
        .collect();
    let mut puts = BTreeMap::new();
    let mut seen = BTreeMap::new();
    let mut codes = BTreeSet::new();
    for (id, spec) in &wanted.spec.targets {
        let found = match targets.get(id) {
            Some(live) if live.spec == *spec && live.other.is_empty() => continue,
            Some(live) => {
                seen.insert(id.clone(), live.clone());
                Some((FindingCode::TargetChanged, target_difference(live, spec)))
            }
            // A target of ours that goes while this one comes: the topology moved it.
            None if !surplus.is_empty() => None,
            None if targets.is_empty() => Some((FindingCode::Incomplete, "it has no targets".to_owned())),
            None => Some((FindingCode::TargetMissing, format!("no target delivers to {}", spec.arn))),
        };
        if let Some((code, detail)) = found.filter(|_| held_by.is_none()) {
            let about_rule = code == FindingCode::Incomplete;
            let resource =
                if about_rule { ResourceId::Rule(rule.clone()) } else { ResourceId::Target(rule.clone(), id.clone()) };
            diff.find(resource, code, Outcome::Mend, detail, asked);
            codes.insert(code);
        }
        puts.insert(id.clone(), spec.clone());
    }
    for (id, target) in targets.iter().filter(|(id, _)| !id.starts_with(&prefix)) {
        let detail = format!("not ours, left as it is: it delivers to {}", target.spec.arn);
        diff.find(
            ResourceId::Target(rule.clone(), id.clone()),
            FindingCode::ForeignTarget,
            Outcome::Left,
            detail,
            asked,
        );
    }
    if !puts.is_empty() {
        let new = puts.keys().filter(|id| !targets.contains_key(*id)).count();
        let room = targets.len() + new <= quota::TARGETS_PER_RULE;
        let held_by = if room { held_by } else { Some(Guard::NoRoom) };
        let cause = if codes.is_empty() { Cause::Intent } else { Cause::Drift };
        put_targets(diff, rule, puts, Seen::Targets { targets: seen }, cause, codes, held_by, asked);
    }
    if !surplus.is_empty() {
        remove_targets(diff, rule, surplus, asked);
    }
}

fn target_difference(live: &LiveTarget, wanted: &TargetSpec) -> String {
    let mut parts = Vec::new();
    let TargetSpec { arn, role_arn, dead_letter_arn, retry } = &live.spec;
    let text = |value: &Option<String>| value.clone().unwrap_or_else(|| "none".into());
    if *arn != wanted.arn {
        parts.push(format!("destination {arn} -> {}", wanted.arn));
    }
    if *role_arn != wanted.role_arn {
        parts.push(format!("role {} -> {}", text(role_arn), text(&wanted.role_arn)));
    }
    if *dead_letter_arn != wanted.dead_letter_arn {
        parts.push(format!("dead letters {} -> {}", text(dead_letter_arn), text(&wanted.dead_letter_arn)));
    }
    if *retry != wanted.retry {
        parts.push("retry policy".into());
    }
    parts.extend(live.other.keys().map(|field| format!("{field} was set")));
    parts.join("; ")
}

/// Takes away targets that bear our Ids and that nobody asks for. That is intent, not drift: the step itself tells it.
fn remove_targets(diff: &mut Diff<'_>, rule: &RuleId, surplus: BTreeMap<String, LiveTarget>, asked: &Asked) {
    let change = Change {
        action: Action::RemoveTargets { rule: rule.clone(), target_ids: surplus.keys().cloned().collect() },
        detail: surplus.values().map(|target| format!("no longer to {}", target.spec.arn)).collect(),
        seen: Seen::Targets { targets: surplus },
        cause: Cause::Intent,
        codes: BTreeSet::from([FindingCode::TargetSurplus]),
        held_by: None,
    };
    diff.take_away(change, asked);
}

/// Rules that nobody asks for: those with both our marks go, others stay; on our buses they are told.
fn unwanted_rules(diff: &mut Diff<'_>, bus: &BusId, live_bus: &LiveBus, index: &RouteIndex) {
    let desired = diff.desired;
    // On a spoke's bus the team's own rules are its business; on a hub's, whoever reads along should be known.
    let ours_to_judge = desired.buses.get(bus).is_some_and(|wanted| wanted.team.is_none());
    for (name, live) in &live_bus.rules {
        let rule = RuleId { bus: bus.clone(), name: name.clone() };
        if desired.rules.contains_key(&rule) {
            continue;
        }
        let resource = ResourceId::Rule(rule.clone());
        match own::of_rule(&desired.owner, live) {
            Ownership::Marked(_) => surplus_rule(diff, &rule, live, resource, index),
            Ownership::Managed(service) if ours_to_judge && !name.starts_with("Events-Archive-") => {
                let detail = format!("managed by {service}, left as it is");
                diff.find(resource, FindingCode::ForeignRule, Outcome::Left, detail, &Asked::default());
            }
            Ownership::Other(_) | Ownership::Unmarked | Ownership::Unknown | Ownership::MarkLost if ours_to_judge => {
                let detail = "not ours, left as it is".to_owned();
                diff.find(resource, FindingCode::ForeignRule, Outcome::Left, detail, &Asked::default());
            }
            _ => {}
        }
    }
}

fn surplus_rule(diff: &mut Diff<'_>, rule: &RuleId, live: &LiveRule, resource: ResourceId, index: &RouteIndex) {
    let code = FindingCode::RuleSurplus;
    let asked = Asked { routes: index.replaced(rule, live, diff.desired), ..Asked::default() };
    match own::tagged(&diff.desired.owner, live.tags.as_ref()) {
        Some(true) => {}
        Some(false) => {
            let detail = format!(
                "its description bears our mark and its tag {OWNER_TAG} does not: both are needed to take it away"
            );
            return diff.find(resource, code, Outcome::Left, detail, &asked);
        }
        None => return diff.find(resource, code, Outcome::Waiting, "its tags were not read".into(), &asked),
    }
    let Some(targets) = &live.targets else {
        return diff.find(resource, code, Outcome::Waiting, "its targets were not read".into(), &asked);
    };
    let prefix = target_prefix(&diff.desired.owner);
    let (ours, foreign): (BTreeMap<_, _>, BTreeMap<_, _>) =
        targets.clone().into_iter().partition(|(id, _)| id.starts_with(&prefix));
    if !ours.is_empty() {
        remove_targets(diff, rule, ours, &asked);
    }
    let detail = "nobody asks for it any more".to_owned();
    for id in foreign.keys() {
        let text = "not ours, left as it is, and the rule with it".to_owned();
        diff.find(
            ResourceId::Target(rule.clone(), id.clone()),
            FindingCode::ForeignTarget,
            Outcome::Left,
            text,
            &asked,
        );
    }
    let change = Change {
        action: Action::DeleteRule { rule: rule.clone() },
        seen: seen_rule(live),
        cause: Cause::Intent,
        codes: BTreeSet::from([code]),
        held_by: (!foreign.is_empty()).then_some(Guard::ForeignTargets),
        detail: vec![detail],
    };
    diff.take_away(change, &asked);
}

/// The topology's routes by what a rule that goes has in common with them.
struct RouteIndex {
    by_stem: BTreeMap<String, BTreeSet<RouteId>>,
    by_destination: BTreeMap<String, BTreeSet<RouteId>>,
    /// Routes by the hub's bus: what a forwarding rule that goes could have carried.
    by_hub: BTreeMap<String, BTreeSet<RouteId>>,
}

impl RouteIndex {
    fn of(desired: &Desired) -> Self {
        let mut index = Self { by_stem: BTreeMap::new(), by_destination: BTreeMap::new(), by_hub: BTreeMap::new() };
        for (id, route) in &desired.routes {
            for rule in std::iter::once(&route.rule).chain(&route.forward_rules) {
                if let Some(stem) = rule_stem(&rule.name) {
                    index.by_stem.entry(stem.to_owned()).or_default().insert(id.clone());
                }
            }
            index.by_destination.entry(route.destination_arn.clone()).or_default().insert(id.clone());
            index.by_hub.entry(route.hub_bus.arn()).or_default().insert(id.clone());
        }
        index
    }

    /// The routes that stay and that `rule` may carry today: those of its own subscription or publication, those
    /// that deliver the same kind of events to the same place, and those that it forwards to their hub.
    fn replaced(&self, rule: &RuleId, live: &LiveRule, desired: &Desired) -> BTreeSet<RouteId> {
        let mut routes = rule_stem(&rule.name).and_then(|stem| self.by_stem.get(stem)).cloned().unwrap_or_default();
        let pattern = live.pattern.as_ref().and_then(|pattern| pattern.parsed.as_ref());
        let overlaps = |id: &RouteId| {
            let wanted = desired.routes.get(id).and_then(|route| desired.rules.get(&route.rule));
            match (pattern, wanted) {
                (Some(live), Some(wanted)) => live.may_overlap(&wanted.spec.pattern),
                _ => true,
            }
        };
        for target in live.targets.iter().flat_map(BTreeMap::values) {
            for found in
                [self.by_destination.get(&target.spec.arn), self.by_hub.get(&target.spec.arn)].into_iter().flatten()
            {
                // An audit takes everything: only its own rule replaces it.
                let takes = |id: &&RouteId| !matches!(id.consumer, Consumer::Audit(_)) && overlaps(id);
                routes.extend(found.iter().filter(takes).cloned());
            }
        }
        routes
    }
}
