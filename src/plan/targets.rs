//! The targets of rules that are asked for.

use super::diff::{Asked, Change, Diff};
use super::kept;
use super::narrow::{self, Halfway};
use super::own;
use super::rules::seen_rule;
use crate::eventbridge::quota;
use crate::model::desired::Wanted;
use crate::model::few::Few;
use crate::model::finding::{FindingCode, Outcome};
use crate::model::mark::{is_kept_target, is_our_target, is_same_stem, target_prefix, target_tags};
use crate::model::plan::{Action, Cause, Guard, Seen};
use crate::model::resource::{ResourceId, RuleId, RuleSpec, TargetSpec};
use crate::model::world::{LiveRule, LiveTarget};
use std::collections::BTreeSet;

/// A rule's live targets against the wanted ones.
pub(super) struct Targets {
    count: usize,
    /// Ours, and nobody asks for them.
    surplus: Few<String, LiveTarget>,
    /// Not ours.
    foreign: Few<String, LiveTarget>,
    /// To be written, each with what was there and what is wrong with it.
    pub(super) puts: Few<String, Put>,
    /// Of those, Ids of before under which something is there that delivers elsewhere, and that the tags do not call ours.
    pub(super) others: BTreeSet<String>,
}

/// A target to be written, what was there, and what is wrong with that.
pub(super) type Put = (TargetSpec, Option<LiveTarget>, Option<(FindingCode, String)>);

impl Targets {
    /// None where they were not read.
    pub(super) fn of(diff: &Diff<'_>, wanted: &Wanted<RuleSpec>, live: &LiveRule) -> Option<Self> {
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

    pub(super) fn plan(
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
pub(super) fn remove_targets(diff: &mut Diff<'_>, rule: &RuleId, surplus: Few<String, LiveTarget>, asked: &Asked) {
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

#[allow(clippy::too_many_arguments)] // Each is a part of the step; a struct would only name them again.
pub(super) fn put_targets(
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

/// Takes the tags away that say that targets of before are ours, where those are gone, or go with this plan: somebody else may use the
/// Id again.
pub(super) fn forget_targets(
    diff: &mut Diff<'_>,
    rule: &RuleId,
    wanted: &Wanted<RuleSpec>,
    live: &LiveRule,
    asked: &Asked,
) {
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
