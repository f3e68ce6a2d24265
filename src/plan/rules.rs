//! Rules and their targets.

use super::diff::{Asked, Change, Diff, Footing};
use super::kept;
use super::narrow::{self, Halfway};
use super::own::{self, Ownership};
use super::tags::{self, TagChange};
use crate::eventbridge::{Pattern, quota};
use crate::model::desired::{Desired, Wanted};
use crate::model::few::Few;
use crate::model::finding::{FindingCode, Outcome};
use crate::model::mark::{
    Label, Mark, OWNER_TAG, TEAM_TAG, is_kept_target, is_our_target, is_same_stem, kept_text, target_prefix,
    target_tag, target_tags,
};
use crate::model::plan::{Action, Cause, Guard, RulePart, Seen};
use crate::model::resource::{BusId, ResourceId, RuleId, RuleSpec, RuleState, TargetSpec};
use crate::model::world::{LiveBus, LiveRule, LiveTarget};
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
            match unready.first() {
                Some(bus) => tell_unready(diff, resource, bus, &asked),
                None => create(diff, rule, wanted, &resource, &asked, created),
            }
        }
        return;
    };
    match own::of_rule(diff.desired, rule, live) {
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

/// Those of the topology's buses that the rule is to deliver to and on which nothing can be planned: they were not read, or
/// are not ours. A partner's own are taken to be let in.
fn unready(diff: &Diff<'_>, wanted: &Wanted<RuleSpec>, footing: &BTreeMap<BusId, Footing>) -> Vec<BusId> {
    // By the targets and not by the routes: what is collected is forwarded also while nobody subscribes to it.
    let destinations: BTreeSet<BusId> =
        wanted.spec.targets.values().filter_map(|target| BusId::of_arn(&target.arn)).collect();
    let is_unready =
        |bus: &BusId| footing.get(bus) == Some(&Footing::None) && !diff.desired.no_access.contains(&bus.scope);
    destinations.into_iter().filter(is_unready).collect()
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

#[allow(clippy::too_many_arguments)] // Each is a part of the step; a struct would only name them again.
fn put_targets(
    diff: &mut Diff<'_>,
    rule: &RuleId,
    targets: Few<String, TargetSpec>,
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
    unready: &[BusId],
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
    if let (Some(bus), Some(found)) = (unready.first(), &targets)
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

/// Takes the tags away that say that targets of before are ours, where those are gone, or go with this plan: somebody else may use the
/// Id again.
fn forget_targets(diff: &mut Diff<'_>, rule: &RuleId, wanted: &Wanted<RuleSpec>, live: &LiveRule, asked: &Asked) {
    let (Some(tags), Some(targets)) = (&live.tags, &live.targets) else { return };
    let (mut goes, mut is_untagged) = (BTreeSet::new(), false);
    for step in diff.steps() {
        match &step.action {
            Action::RemoveTargets { rule: on, target_ids } if on == rule => goes.extend(target_ids.iter().cloned()),
            // One step of a kind for each thing: it is left for the next plan.
            Action::UntagRule { rule: on, .. } => is_untagged |= on == rule,
            _ => {}
        }
    }
    let stays = |id: &str| targets.contains_key(id) && !goes.contains(id) || wanted.spec.targets.contains_key(id);
    let keys: BTreeSet<String> = target_tags(tags).filter(|(_, id)| !stays(id)).map(|(key, _)| key.clone()).collect();
    if keys.is_empty() || is_untagged || own::tagged(&diff.desired.owner, Some(tags)) != Some(true) {
        return;
    }
    let change = Change {
        action: Action::UntagRule { rule: rule.clone(), keys },
        seen: seen_rule(live),
        cause: Cause::Intent,
        codes: BTreeSet::new(),
        held_by: None,
        detail: vec!["the target that was ours under its Id of before is gone".to_owned()],
    };
    // It serves no route, so it waits for the target alone.
    diff.take_away(change, &Asked { routes: BTreeSet::new(), ..asked.clone() });
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

/// A rule's live targets against the wanted ones.
struct Targets {
    count: usize,
    /// Ours, and nobody asks for them.
    surplus: Few<String, LiveTarget>,
    /// Not ours.
    foreign: Few<String, LiveTarget>,
    /// To be written, each with what was there and what is wrong with it.
    puts: Few<String, Put>,
    /// Of those, Ids of before under which something is there that delivers elsewhere, and that the tags do not call ours.
    others: BTreeSet<String>,
}

/// A target to be written, what was there, and what is wrong with that.
type Put = (TargetSpec, Option<LiveTarget>, Option<(FindingCode, String)>);

impl Targets {
    /// None where they were not read.
    fn of(diff: &Diff<'_>, wanted: &Wanted<RuleSpec>, live: &LiveRule) -> Option<Self> {
        let targets = live.targets.as_ref()?;
        let cloned = |(id, target): (&String, &LiveTarget)| (id.clone(), target.clone());
        // One that is asked for by the Id that it had before is ours to judge, whatever the tags say, or where they were not read.
        let is_wanted = |id: &str| wanted.spec.targets.contains_key(id);
        let is_ours = |id: &str| is_our_target(&diff.desired.owner, live.tags.as_ref(), id);
        // Without tags nothing is called foreign: they may say that it is ours.
        let is_foreign = |id: &str| live.tags.is_some() && !is_wanted(id) && !is_ours(id);
        let foreign: Few<_, _> = targets.iter().filter(|(id, _)| is_foreign(id)).map(cloned).collect();
        let surplus: Few<_, _> = targets.iter().filter(|(id, _)| !is_wanted(id) && is_ours(id)).map(cloned).collect();
        let mut puts = Few::new();
        for (id, spec) in &wanted.spec.targets {
            let (seen, found) = match targets.get(id) {
                Some(live) if live.spec == *spec && live.other.is_empty() => continue,
                Some(live) => (Some(live.clone()), Some((FindingCode::TargetChanged, target_difference(live, spec)))),
                // A target of ours that goes while this one comes: the topology moved it.
                None if !surplus.is_empty() => (None, None),
                None if targets.is_empty() => (None, Some((FindingCode::Incomplete, "it has no targets".to_owned()))),
                None => (None, Some((FindingCode::TargetMissing, format!("no target delivers to {}", spec.arn)))),
            };
            puts.insert(id.clone(), (spec.clone(), seen, found));
        }
        let is_kept = |id: &str| live.tags.as_ref().is_some_and(|tags| is_kept_target(&diff.desired.owner, tags, id));
        let others =
            puts.iter().filter(|(id, put)| moves(diff, id, put) && !is_kept(id)).map(|(id, _)| id.clone()).collect();
        Some(Self { count: targets.len(), surplus, foreign, puts, others })
    }

    fn plan(
        self,
        diff: &mut Diff<'_>,
        rule: &RuleId,
        live: &LiveRule,
        cause: Cause,
        held_by: Option<Guard>,
        asked: &Asked,
    ) {
        for (id, target) in &self.foreign {
            let detail = format!("not ours, left as it is: it delivers to {}", target.spec.arn);
            let resource = ResourceId::Target(rule.clone(), id.clone());
            diff.find(resource, FindingCode::ForeignTarget, Outcome::Left, detail, asked);
        }
        let new = self.puts.values().filter(|(_, seen, _)| seen.is_none()).count();
        let room = self.count + new <= quota::TARGETS_PER_RULE;
        // A target of before, by an Id that is none of ours, that would deliver elsewhere: it may be somebody else's, and nothing
        // takes over before it goes. It is held and not given an Id of ours, as what a route's target is called would then hang
        // on what is live; without the line it is.
        let moved: Vec<(String, String)> = self
            .puts
            .iter()
            .filter(|(id, put)| moves(diff, id, put))
            .map(|(id, (spec, ..))| (id.clone(), spec.arn.clone()))
            .collect();
        for (id, arn) in &moved {
            let detail = format!(
                "it would deliver to {arn} at once and no longer where it does: take `keeps.target` out, and a target of ours is made \
                 beside it, which it goes after if it is ours"
            );
            diff.find(ResourceId::Target(rule.clone(), id.clone()), FindingCode::Adopt, Outcome::Held, detail, asked);
        }
        let held_by = held_by.or_else(|| (!moved.is_empty()).then_some(Guard::Adopt));
        let (mut specs, mut seen, mut codes) = (Few::new(), Few::new(), BTreeSet::new());
        for (id, (spec, live, found)) in self.puts {
            if let Some((code, detail)) = found.filter(|_| cause == Cause::Drift) {
                let resource = match code {
                    FindingCode::Incomplete => ResourceId::Rule(rule.clone()),
                    _ => ResourceId::Target(rule.clone(), id.clone()),
                };
                diff.find(resource, code, Outcome::Mend, detail, asked);
                codes.insert(code);
            }
            seen.extend(live.map(|live| (id.clone(), live)));
            specs.insert(id, spec);
        }
        if !specs.is_empty() {
            let held_by = if room { held_by } else { Some(Guard::NoRoom) };
            let cause = if codes.is_empty() { Cause::Intent } else { Cause::Drift };
            put_targets(diff, rule, specs, Seen::Targets { targets: seen }, cause, codes, held_by, asked);
        }
        if !self.surplus.is_empty() {
            match kept::why_targets(diff.desired, &self.surplus) {
                Some(why) => {
                    let resource = ResourceId::Rule(rule.clone());
                    diff.find(resource, FindingCode::TargetSurplus, Outcome::Waiting, why, asked);
                }
                None => {
                    // Where it delivered, another route may deliver the same events from now on: that one comes first.
                    let mut asked = asked.clone();
                    asked.routes.extend(diff.index.delivered(live, self.surplus.values(), diff.desired));
                    remove_targets(diff, rule, self.surplus, &asked);
                }
            }
        }
    }
}

/// Whether a target of before would deliver elsewhere.
fn moves(diff: &Diff<'_>, id: &str, (spec, seen, _): &Put) -> bool {
    !id.starts_with(&target_prefix(&diff.desired.owner)) && seen.as_ref().is_some_and(|live| live.spec.arn != spec.arn)
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
fn remove_targets(diff: &mut Diff<'_>, rule: &RuleId, surplus: Few<String, LiveTarget>, asked: &Asked) {
    // What brings events to a hub, and what takes them at a bus that their route does not come through any more: whoever
    // puts events there has to put them elsewhere, unless another rule on the same bus brings them. AWS services put their
    // events where they always did.
    let by_people = !diff.world.rule(rule).is_some_and(narrow::takes_aws_events_alone);
    let brings = |target: &LiveTarget| diff.index.is_hub(&target.spec.arn) && !is_brought(diff, rule, &target.spec.arn);
    let to_hub = by_people && !asked.routes.is_empty() && surplus.values().any(brings);
    let leaves_bus = asked
        .routes
        .iter()
        .filter_map(|id| diff.desired.routes.get(id))
        .any(|route| route.hub_bus != rule.bus && is_same_stem(&route.rule.name, &rule.name));
    // One that takes anybody's events, where what takes over is pinned to accounts: nobody but a person knows who publishes.
    let live = diff.world.rule(rule).and_then(|live| live.pattern.as_ref()?.parsed.as_ref());
    let is_wanted = diff.desired.rules.contains_key(rule);
    let cuts = |wanted: &Wanted<RuleSpec>| {
        let cut = |live| narrow::cuts_publishers(diff, rule, live, &wanted.spec.pattern, Halfway::No, asked);
        live.is_some_and(cut)
    };
    let replaced =
        asked.routes.iter().filter_map(|id| diff.desired.routes.get(id)).filter(|route| route.hub_bus == rule.bus);
    let narrows = !is_wanted && replaced.filter_map(|route| diff.desired.rules.get(&route.rule)).any(cuts);
    let change = Change {
        action: Action::RemoveTargets { rule: rule.clone(), target_ids: surplus.keys().cloned().collect() },
        detail: surplus.values().map(|target| format!("no longer to {}", target.spec.arn)).collect(),
        seen: Seen::Targets { targets: surplus },
        cause: Cause::Intent,
        codes: BTreeSet::from([FindingCode::TargetSurplus]),
        held_by: (to_hub || narrows || by_people && leaves_bus).then_some(Guard::PublishersMove),
    };
    diff.take_away(change, asked);
}

/// Whether another rule that the topology asks for brings all that `rule` takes from the same bus to the same hub.
fn is_brought(diff: &Diff<'_>, rule: &RuleId, hub_arn: &str) -> bool {
    let live = diff.world.rule(rule).and_then(|live| live.pattern.as_ref()?.parsed.as_ref());
    let Some(live) = live else { return false };
    diff.desired.rules.iter().any(|(other, wanted)| {
        other.bus == rule.bus
            && other != rule
            && wanted.spec.targets.values().any(|target| target.arn == hub_arn)
            && wanted.spec.pattern.covers(live)
    })
}

/// Rules that nobody asks for: those with both our marks go, others stay; on our buses they are told.
fn unwanted_rules(diff: &mut Diff<'_>, bus: &BusId, live_bus: &LiveBus) {
    let desired = diff.desired;
    // On a spoke's bus the team's own rules are its business; on a hub's, whoever reads along should be known.
    let ours_to_judge = desired.buses.get(bus).is_some_and(|wanted| wanted.team.is_none());
    for (name, live) in &live_bus.rules {
        let rule = RuleId { bus: bus.clone(), name: name.clone() };
        if desired.rules.contains_key(&rule) {
            continue;
        }
        let resource = ResourceId::Rule(rule.clone());
        match own::of_rule(desired, &rule, live) {
            Ownership::Copied => diff.copied(resource),
            Ownership::Marked(_) => surplus_rule(diff, &rule, live, resource),
            Ownership::Managed(service) if ours_to_judge && !name.starts_with("Events-Archive-") => {
                let detail = format!("managed by {service}, left as it is");
                diff.find(resource, FindingCode::ForeignRule, Outcome::Left, detail, &Asked::default());
            }
            Ownership::MarkLost if Mark::read(&live.description).1.is_some() => diff.copied(resource),
            Ownership::MarkLost => {
                let detail = "nobody asks for it, its tag says that it is ours and its description does not: both are needed to take it away".to_owned();
                diff.find(resource, FindingCode::RuleSurplus, Outcome::Left, detail, &Asked::default());
            }
            Ownership::Other(_) | Ownership::Unmarked | Ownership::Unknown if ours_to_judge => {
                let by = live.created_by.as_ref().filter(|by| **by != bus.scope.account.to_string());
                let by = by.map(|account| format!(", made by account {account}")).unwrap_or_default();
                let detail = format!("not ours{by}, left as it is");
                diff.find(resource, FindingCode::ForeignRule, Outcome::Left, detail, &Asked::default());
            }
            _ => {}
        }
    }
}

fn surplus_rule(diff: &mut Diff<'_>, rule: &RuleId, live: &LiveRule, resource: ResourceId) {
    let code = FindingCode::RuleSurplus;
    let asked = Asked { routes: diff.index.replaced(rule, live, diff.desired), ..Asked::default() };
    if let Some(why) = kept::why(diff.desired, rule, live) {
        return diff.find(resource, code, Outcome::Waiting, why, &asked);
    }
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
    let is_ours = |id: &str| is_our_target(&diff.desired.owner, live.tags.as_ref(), id);
    let (ours, foreign): (Few<_, _>, Few<_, _>) = targets.clone().into_iter().partition(|(id, _)| is_ours(id));
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
