//! What the daemon may not do now. Each thing that forbids is a guard on steps of a finished plan, so that whatever waits for a step
//! that is held waits too, and the plan says all of it.
//!
//! These are modes (`places.rs` knows which holds where), drift that waits for a person, freezes, pauses, fights, a lost state, and
//! what a fuller reading left to a person already (`waiting.rs`).
//!
//! A person's order to hold a route off, or to let it go on, is one write of a rule's state. Where the daemon writes at all, nothing
//! of this holds it, nor do the guards that count changes.

use super::mark_held_findings;
use super::places::{Places, mode_at};
use super::waiting::Waiting;
use crate::eventbridge::Pattern;
use crate::model::desired::{Desired, Digested as _};
use crate::model::finding::FindingCode;
use crate::model::ids::Moment;
use crate::model::mark::Mark;
use crate::model::order::{Pause, Reach};
use crate::model::plan::{Action, Cause, Guard, Hold, Plan, RulePart, Seen, Step, StepKey};
use crate::model::resource::{ResourceId, RuleId, RuleSpec, RuleState};
use crate::model::settings::{Freeze, FreezeHolds, Mode, Modes};
use std::collections::{BTreeMap, BTreeSet};

/// What holds now.
#[derive(Clone, Debug, Default)]
pub struct Restraints {
    /// Where it writes.
    pub modes: Modes,
    /// Kinds of drift that wait for a person.
    pub on_drift_hold: BTreeSet<FindingCode>,
    /// The freezes that are on.
    pub freezes: Vec<Frozen>,
    /// The pauses that are in force.
    pub pauses: Vec<Pause>,
    /// What somebody else keeps taking back.
    pub fights: BTreeSet<ResourceId>,
    /// Whether the state is lost.
    pub state_lost: bool,
    /// What a plan over a fuller reading held for a person, which this one may see only a part of.
    pub waiting: Waiting,
}

/// A freeze that is on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frozen {
    /// Its name.
    pub name: String,
    /// Why.
    pub reason: String,
    /// When it ends.
    pub until: Moment,
    /// What it holds.
    pub holds: FreezeHolds,
}

impl Frozen {
    /// `freeze`, if it is on at `now`.
    pub fn at(name: &str, freeze: &Freeze, now: Moment) -> Option<Self> {
        let Freeze { from, hours, reason, holds } = freeze;
        let until = from.last_at_or_before(now)?.plus_ms(u64::from(*hours) * MS_PER_HOUR);
        (now < until).then(|| Self { name: name.into(), reason: reason.clone(), until, holds: *holds })
    }
}

const MS_PER_HOUR: u64 = 3_600_000;

/// Holds what `restraints` say, and tells of each.
pub fn restrain(plan: &mut Plan, desired: &Desired, places: &Places, restraints: &Restraints) {
    let mut holds: BTreeMap<(Guard, String), usize> = BTreeMap::new();
    let is_tag = |step: &&Step| matches!(step.action, Action::TagRule { .. } | Action::UntagRule { .. });
    let tags: BTreeSet<StepKey> = plan.steps.iter().filter(is_tag).map(Step::key).collect();
    for step in &mut plan.steps {
        let writes_here = !restraints.state_lost && mode_of(step, desired, places, &restraints.modes) == Mode::Enforce;
        if writes_here && is_switch(step, desired) {
            step.held_by.retain(|guard| !matches!(guard, Guard::TooManyChanges | Guard::TooManyBreaks));
            // It waits for nothing but its bus: tags that cannot be written now keep no route from being held off.
            step.after.retain(|key| !tags.contains(key));
            continue;
        }
        for (guard, reason) in held(step, desired, places, restraints) {
            step.held_by.insert(guard);
            *holds.entry((guard, reason)).or_default() += 1;
        }
    }
    plan.holds.extend(holds.into_iter().map(|((guard, reason), steps)| Hold { guard, scope: None, reason, steps }));
    plan.holds.sort();
    mark_held_findings(&plan.steps, &mut plan.findings);
    plan.findings.sort();
}

/// What holds a step, each with why.
fn held(step: &Step, desired: &Desired, places: &Places, restraints: &Restraints) -> Vec<(Guard, String)> {
    let mut held = Vec::new();
    let mut hold = |guard: Guard, reason: String| held.push((guard, reason));
    if restraints.state_lost {
        hold(Guard::StateLost, super::guard_reason(Guard::StateLost).to_owned());
    }
    if mode_of(step, desired, places, &restraints.modes) == Mode::Observe {
        hold(Guard::Observe, super::guard_reason(Guard::Observe).to_owned());
    }
    if step.cause == Cause::Drift && step.codes.iter().any(|code| restraints.on_drift_hold.contains(code)) {
        hold(Guard::OnDrift, super::guard_reason(Guard::OnDrift).to_owned());
    }
    for frozen in &restraints.freezes {
        if frozen.holds == FreezeHolds::All || step.cause == Cause::Intent {
            let Frozen { name, reason, until, holds: _ } = frozen;
            hold(Guard::Freeze, format!("freeze `{name}` is on until {until}: {reason}"));
        }
    }
    for pause in restraints.pauses.iter().filter(|pause| covers(&pause.reach, step, places)) {
        let Pause { reach, order } = pause;
        hold(Guard::Paused, format!("{reach} is paused until {} by {}: {}", order.until, order.by, order.reason));
    }
    for (guard, reason) in restraints.waiting.get(&step.key()).iter().flat_map(|waits| &waits.why) {
        if !step.held_by.contains(guard) {
            hold(*guard, reason.clone());
        }
    }
    if restraints.fights.contains(&step.action.resource()) {
        let resource = step.action.resource();
        hold(Guard::Fight, format!("{resource}: {}", super::guard_reason(Guard::Fight)));
    }
    held
}

/// Whether the daemon writes what a step writes.
fn mode_of(step: &Step, desired: &Desired, places: &Places, modes: &Modes) -> Mode {
    mode_at(&step.action.resource(), step.team.as_ref(), &step.routes, desired, places, modes)
}

fn covers(reach: &Reach, step: &Step, places: &Places) -> bool {
    match reach {
        Reach::All => true,
        Reach::Scope(scope) => step.action.scope() == *scope,
        Reach::Team(team) => step.team.as_ref() == Some(team),
        Reach::Hub(hub) => places.hubs_of(&step.action.resource(), step.team.as_ref()).contains(hub),
    }
}

/// Whether a step holds a route off that has a stop, or lets go on what was held off. The first may bring other changes of the rule
/// with it: the stop comes first. The second matches the same events as before, and was disabled by us: a stop of it was there until
/// lately, or its mark says so. What a hand disabled waits as other drift does.
fn is_switch(step: &Step, desired: &Desired) -> bool {
    let Action::PutRule { rule, pattern, state, part, .. } = &step.action else { return false };
    let Seen::Rule { description, pattern: seen_pattern, state: seen_state, .. } = &step.seen else { return false };
    let has_stop = || desired.stops.iter().any(|stop| stop.rule == *rule && stop.is_active);
    match state {
        RuleState::Disabled => seen_state != "DISABLED" && *part != RulePart::Narrow && has_stop(),
        RuleState::Enabled => {
            let same_events = seen_pattern.as_deref().is_some_and(|seen| means_the_same(pattern, seen));
            let is_back = seen_state == "DISABLED" && step.cause == Cause::Intent && *part == RulePart::Whole;
            is_back && same_events && was_held_off(rule, description, desired)
        }
    }
}

/// Whether we disabled a rule: a stop that is over is still told, or its live mark is that of the same rule, disabled.
fn was_held_off(rule: &RuleId, description: &str, desired: &Desired) -> bool {
    let is_that_disabled = |mark: Mark| {
        desired.rules.get(rule).is_some_and(|wanted| {
            let held_off = RuleSpec { state: RuleState::Disabled, ..wanted.spec.clone() };
            mark.digest == held_off.digest(&ResourceId::Rule(rule.clone()))
        })
    };
    desired.stops.iter().any(|stop| stop.rule == *rule)
        || Mark::on_rule(description, rule).is_some_and(is_that_disabled)
}

fn means_the_same(one: &str, other: &str) -> bool {
    match (Pattern::parse(one), Pattern::parse(other)) {
        (Ok(one), Ok(other)) => one.same_meaning(&other),
        _ => false,
    }
}
