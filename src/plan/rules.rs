//! Rules that are asked for.

use super::diff::{Asked, Change, Diff, Footing};
use super::grants::lets_in;
use super::narrow::{self, Halfway};
use super::own::{self, Ownership};
use super::surplus::unwanted_rules;
use super::tags::{self, TagChange};
use super::targets::{Targets, forget_targets, put_targets};
use crate::eventbridge::{Pattern, quota};
use crate::model::desired::{Desired, Wanted};
use crate::model::few::Few;
use crate::model::finding::{FindingCode, Outcome};
use crate::model::mark::{Label, Mark, TEAM_TAG, kept_text, target_tag};
use crate::model::plan::{Action, Cause, Guard, RulePart, Seen};
use crate::model::resource::{BusId, ResourceId, RuleId, RuleSpec, RuleState};
use crate::model::world::{LiveBus, LiveRule};
use std::collections::{BTreeMap, BTreeSet};

pub(super) fn diff(diff: &mut Diff<'_>, footing: &BTreeMap<BusId, Footing>) {
    let desired = diff.desired;
    let mut created: BTreeMap<BusId, Count> = BTreeMap::new();
    for (rule, wanted) in &desired.rules {
        if desired.no_access.contains(&rule.bus.scope) {
            let detail =
                format!("the partner makes a rule with pattern {} that delivers to the hub", wanted.spec.pattern);
            let resource = ResourceId::Rule(rule.clone());
            diff.find(resource, FindingCode::PartnerMustAdd, Outcome::Left, detail, &Asked::by(wanted));
        } else if footing.get(&rule.bus).is_some_and(|footing| *footing != Footing::None) {
            wanted_rule(diff, rule, wanted, footing, &mut created);
        }
    }
    let world = diff.world;
    for (scope, view) in world.scopes.keys().filter_map(|scope| world.view(scope).map(|view| (scope, view))) {
        for (name, bus) in &view.buses {
            let id = BusId { scope: scope.clone(), name: name.clone() };
            unwanted_rules(diff, &id, bus);
        }
    }
}

fn wanted_rule(
    diff: &mut Diff<'_>,
    rule: &RuleId,
    wanted: &Wanted<RuleSpec>,
    footing: &BTreeMap<BusId, Footing>,
    created: &mut BTreeMap<BusId, Count>,
) {
    let asked = Asked::by(wanted);
    let resource = ResourceId::Rule(rule.clone());
    let unready = unready(diff, wanted, footing);
    let bus = diff.world.bus(&rule.bus);
    let Some(live) = bus.and_then(|bus| bus.rules.get(&rule.name)) else {
        // A rule that a cut-short listing did not show may be there all the same.
        if bus.is_none_or(|bus| bus.rules_read) {
            match waits_for(&unready, diff.missing_cause(resource.scope())) {
                Some(bus) => tell_unready(diff, resource, bus, &asked),
                None => create(diff, rule, wanted, &resource, &asked, created),
            }
        }
        return;
    };
    match own::of_rule(diff.desired, rule, live) {
        Ownership::Marked(mark) if diff.is_newer(Some(&mark)) => diff.left_to_newer(resource, &asked),
        Ownership::Marked(_) | Ownership::MarkLost => {
            compare(diff, rule, wanted, live, &unready, &asked, None);
        }
        Ownership::Unmarked | Ownership::Copied => {
            let detail = "a rule of this name is there without our mark".to_owned();
            diff.find(resource, FindingCode::Adopt, Outcome::Held, detail, &asked);
            compare(diff, rule, wanted, live, &unready, &asked, Some(Guard::Adopt));
        }
        Ownership::Other(owner) | Ownership::Managed(owner) => {
            let detail = format!("it belongs to {owner}; it is not written");
            diff.find(resource, FindingCode::OtherOwner, Outcome::Left, detail, &asked);
        }
        Ownership::Unknown => {}
    }
}

/// One of the topology's buses on which nothing can be planned: it was not read, or is not ours.
struct Unready {
    bus: BusId,
    /// Whether it was there for us when its account last answered.
    stood: bool,
}

/// The one for which what is to be put waits. What was there, and somebody took away while an account does not answer, is put back all
/// the same: that makes nothing that was not there.
fn waits_for(unready: &[Unready], cause: Cause) -> Option<&BusId> {
    unready.iter().find(|unready| cause == Cause::Intent || !unready.stood).map(|unready| &unready.bus)
}

/// The unready ones among those that the rule is to deliver to. A partner's own are taken to be let in.
fn unready(diff: &Diff<'_>, wanted: &Wanted<RuleSpec>, footing: &BTreeMap<BusId, Footing>) -> Vec<Unready> {
    // By the targets and not by the routes: what is collected is forwarded also while nobody subscribes to it.
    let destinations: BTreeSet<BusId> =
        wanted.spec.targets.values().filter_map(|target| BusId::of_arn(&target.arn)).collect();
    let is_unready =
        |bus: &BusId| footing.get(bus) == Some(&Footing::None) && !diff.desired.no_access.contains(&bus.scope);
    let with_what_it_was = |bus: BusId| Unready { stood: stood(diff, &bus), bus };
    destinations.into_iter().filter(is_unready).map(with_what_it_was).collect()
}

/// Whether a bus whose account does not answer was there, ours or a default one, with every grant that it is to have, when it last did.
fn stood(diff: &Diff<'_>, bus: &BusId) -> bool {
    let view = diff.world.answered_before.get(&bus.scope);
    let Some(live) = view.and_then(|view| view.buses.get(&bus.name)) else { return false };
    let is_ours = || matches!(own::of_bus(diff.desired, bus, live), Ownership::Marked(_) | Ownership::MarkLost);
    let statements = live.policy.iter().flatten().flat_map(|policy| &policy.statements);
    let is_granted = |grantee| statements.clone().any(|statement| lets_in(statement, grantee));
    let from_here = diff.desired.grants.range((bus.clone(), String::new())..);
    let mut grants = from_here.take_while(|((granted, _), _)| granted == bus);
    (bus.is_default() || is_ours()) && grants.all(|(_, wanted)| is_granted(&wanted.spec))
}

fn tell_unready(diff: &mut Diff<'_>, resource: ResourceId, bus: &BusId, asked: &Asked) {
    let detail =
        format!("it is to deliver to {bus}, which was not read or is not ours: it stays as it is until that is mended");
    diff.find(resource, FindingCode::DestinationUnready, Outcome::Waiting, detail, asked);
}

fn create(
    diff: &mut Diff<'_>,
    rule: &RuleId,
    wanted: &Wanted<RuleSpec>,
    resource: &ResourceId,
    asked: &Asked,
    created: &mut BTreeMap<BusId, Count>,
) {
    let cause = diff.missing_cause(resource.scope());
    let codes = diff.found_missing(resource, FindingCode::RuleMissing, asked);
    let held_by = no_room(diff, &rule.bus, wanted.spec.pattern.wildcard_count() > 0, created);
    let detail = vec![format!("pattern {}", wanted.spec.pattern)];
    let action = put_rule(diff.desired, rule, wanted, RulePart::Whole);
    diff.make(Change { action, seen: Seen::Absent, cause, codes: codes.clone(), held_by, detail }, asked);
    let seen = Seen::Targets { targets: Few::new() };
    put_targets(diff, rule, wanted.spec.targets.clone(), seen, cause, codes, held_by, asked);
}

/// AWS refuses a rule over its quotas: the old rule goes only when the new one is in, so both must fit.
fn no_room(diff: &Diff<'_>, bus: &BusId, wildcards: bool, created: &mut BTreeMap<BusId, Count>) -> Option<Guard> {
    let rules_max = diff
        .desired
        .quotas
        .get(bus)
        .map_or_else(|| quota::rules_per_bus(bus.scope.region.as_str()), |quotas| quotas.rules_max);
    let count = created.entry(bus.clone()).or_insert_with(|| Count::of(diff.world.bus(bus)));
    count.rules += 1;
    count.wildcards += usize::from(wildcards);
    (count.rules > rules_max || count.wildcards > quota::WILDCARD_RULES_PER_BUS).then_some(Guard::NoRoom)
}

/// Rules on a bus, and those of them that have wildcards.
struct Count {
    rules: usize,
    wildcards: usize,
}

impl Count {
    fn of(bus: Option<&LiveBus>) -> Self {
        let rules = || bus.into_iter().flat_map(|bus| bus.rules.values());
        let parsed = |rule: &LiveRule| {
            rule.pattern.as_ref().and_then(|pattern| pattern.parsed.as_ref()).map_or(0, Pattern::wildcard_count)
        };
        Self { rules: rules().count(), wildcards: rules().filter(|rule| parsed(rule) > 0).count() }
    }
}

/// The whole rule: PutRule clears what is left out
/// (<https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutRule.html>).
pub(super) fn put_rule(desired: &Desired, rule: &RuleId, wanted: &Wanted<RuleSpec>, part: RulePart) -> Action {
    let spec = &wanted.spec;
    Action::PutRule {
        rule: rule.clone(),
        description: mark_of(desired, rule, wanted).stamp(&spec.description),
        pattern: spec.pattern.to_string(),
        state: spec.state,
        tags: spec.tags.clone(),
        part,
    }
}

/// The mark that a wanted rule should bear.
pub(super) fn mark_of(desired: &Desired, rule: &RuleId, wanted: &Wanted<RuleSpec>) -> Mark {
    Mark::labelled(&desired.owner, desired.revision.sequence, label_of(rule, wanted))
}

/// What it says beside the owner and the sequence.
pub(super) fn label_of(rule: &RuleId, wanted: &Wanted<RuleSpec>) -> Label {
    wanted.label(|| ResourceId::Rule(rule.clone()))
}

/// Whether a live rule that bears no name of ours is tagged as another team's than the one that asks for it.
fn is_of_another_team(rule: &RuleId, wanted: &Wanted<RuleSpec>, live: &LiveRule) -> bool {
    let team = live.tags.as_ref().and_then(|tags| tags.get(TEAM_TAG));
    let other = team.zip(wanted.team.as_ref()).is_some_and(|(live, wanted)| live != wanted.as_str());
    !rule.name.starts_with("ww.") && live.mark(rule).is_some() && other
}

/// A live rule of ours (or one to be taken over) against what is wanted.
fn compare(
    diff: &mut Diff<'_>,
    rule: &RuleId,
    wanted: &Wanted<RuleSpec>,
    live: &LiveRule,
    unready: &[Unready],
    asked: &Asked,
    held_by: Option<Guard>,
) {
    // A rule with a name of its own that is another team's: a file of that team may be the one that asks for it.
    let held_by = held_by.or_else(|| is_of_another_team(rule, wanted, live).then_some(Guard::Adopt));
    let (ours, label) = (mark_of(diff.desired, rule, wanted), label_of(rule, wanted));
    let live_pattern = live.pattern.as_ref().and_then(|pattern| pattern.parsed.as_ref());
    let live_mark = label.mark_in(&live.description);
    let halfway = Halfway::of(live_mark.as_ref(), live, ours.digest);
    let on_the_way = halfway != Halfway::No;
    let is_adopted = held_by == Some(Guard::Adopt);
    let cuts = |before: &Pattern| narrow::cuts_publishers(diff, rule, before, &wanted.spec.pattern, Halfway::No, asked);
    if is_adopted && live_pattern.is_some_and(|before| !wanted.spec.pattern.covers(before) && cuts(before)) {
        let detail = "taking it over would cut off accounts that publish to it today: write its pattern as `keeps.pattern`, take it \
             over, and take that line out afterwards";
        diff.find(ResourceId::Rule(rule.clone()), FindingCode::Adopt, Outcome::Waiting, detail.to_owned(), asked);
        return;
    }
    // The same digest: nobody asked for another rule since it was written, so a difference is drift.
    let cause = match &live_mark {
        Some(mark) if mark.digest != ours.digest && !on_the_way => Cause::Intent,
        None if held_by.is_some() => Cause::Intent,
        _ => Cause::Drift,
    };
    let mut targets = Targets::of(diff, wanted, live);
    // A target that would be put where nobody may be let in waits, and what it replaces stays with it.
    if let (Some(bus), Some(found)) = (waits_for(unready, cause), &targets)
        && !found.puts.is_empty()
    {
        tell_unready(diff, ResourceId::Rule(rule.clone()), bus, asked);
        targets = None;
    }
    let mut differences = differences(&wanted.spec, &ours, live);
    if differences.is_empty() && cause == Cause::Intent && held_by.is_none() && targets.is_some() {
        // The mark says what was asked for; left as it is, later drift would be taken for intent.
        differences.push((FindingCode::DescriptionChanged, "its mark, in the description".to_owned()));
    }
    let loses = live_pattern.filter(|live| !wanted.spec.pattern.covers(live));
    // Without a mark it cannot be told whether the topology or a hand changed the pattern: the careful way serves both.
    let careful = held_by.is_none() && (cause == Cause::Intent || on_the_way || live_mark.is_none());
    match loses {
        Some(before) if careful => {
            // On the way the pattern is as we set it; all else that differs was done by a hand.
            let told =
                |code: FindingCode| cause == Cause::Drift && !(on_the_way && code == FindingCode::PatternChanged);
            for (code, detail) in differences.into_iter().filter(|(code, _)| told(*code)) {
                diff.find(ResourceId::Rule(rule.clone()), code, Outcome::Mend, detail, asked);
            }
            narrow::narrow(diff, rule, wanted, live, before, halfway, asked);
        }
        _ if !differences.is_empty() => set_rule(diff, rule, wanted, live, differences, cause, held_by, asked),
        _ => {}
    }
    let mut wanted_tags = wanted.spec.tags.clone();
    // What another's target is held for is not said before a person has looked: the tag alone would let it be removed.
    wanted_tags.retain(|key, _| !targets.iter().flat_map(|found| &found.others).any(|id| *key == target_tag(id)));
    if let Some(change) = live.tags.as_ref().and_then(|live| TagChange::of(&wanted_tags, live)) {
        let tag = |tags| Action::TagRule { rule: rule.clone(), tags };
        let untag = |keys| Action::UntagRule { rule: rule.clone(), keys };
        let resource = ResourceId::Rule(rule.clone());
        tags::plan(diff, change, &resource, (tag, untag), &seen_rule(live), cause, held_by, asked);
    }
    if let Some(targets) = targets {
        targets.plan(diff, rule, live, cause, held_by, asked);
        forget_targets(diff, rule, wanted, live, asked);
    }
}

#[allow(clippy::too_many_arguments)] // Each is a part of the step; a struct would only name them again.
fn set_rule(
    diff: &mut Diff<'_>,
    rule: &RuleId,
    wanted: &Wanted<RuleSpec>,
    live: &LiveRule,
    differences: Vec<(FindingCode, String)>,
    cause: Cause,
    held_by: Option<Guard>,
    asked: &Asked,
) {
    let mut codes = BTreeSet::new();
    if cause == Cause::Drift {
        for (code, detail) in &differences {
            diff.find(ResourceId::Rule(rule.clone()), *code, Outcome::Mend, detail.clone(), asked);
            codes.insert(*code);
        }
    }
    let change = Change {
        action: put_rule(diff.desired, rule, wanted, RulePart::Whole),
        seen: seen_rule(live),
        cause,
        codes,
        held_by,
        detail: differences.into_iter().map(|(_, detail)| detail).collect(),
    };
    diff.make(change, asked);
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
pub(super) fn differences(spec: &RuleSpec, mark: &Mark, live: &LiveRule) -> Vec<(FindingCode, String)> {
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
        let code = match (spec.state, state.as_str()) {
            (RuleState::Enabled, "DISABLED") => FindingCode::RuleDisabled,
            (RuleState::Disabled, _) => FindingCode::RuleEnabled,
            // Enabled for CloudTrail's read-only events as well.
            (RuleState::Enabled, _) => FindingCode::PatternChanged,
        };
        found.push((code, format!("state {state} -> {wanted_state}")));
    }
    match Mark::read(description) {
        (_, None) => found.push((FindingCode::MarkLost, format!("description {description:?} bears no mark"))),
        (text, Some(_)) if text != kept_text(mark, &spec.description) => {
            found.push((FindingCode::DescriptionChanged, format!("description {text:?} -> {:?}", spec.description)));
        }
        (_, Some(live)) if !live.is_same_thing(mark) => {
            found.push((FindingCode::MarkLost, "its description bears the mark of something else".to_owned()));
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
