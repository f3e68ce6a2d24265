//! The stamp: that this topology was applied is written down, also where none of its steps writes a mark.
//!
//! A topology's sequence lives in the marks of the rules and buses that were written for it. One that only moves targets
//! or takes things away writes none, and an older topology that came after it would not know that it is older, and
//! would undo it (promise 7). So such a plan writes one more rule of ours as it is, with the mark of now; or, where the
//! hubs have no rule that stays, a hub's bus.

use super::own::{self, Ownership};
use super::{buses, rules};
use crate::model::desired::Desired;
use crate::model::ids::TeamName;
use crate::model::plan::{Action, Cause, Guard, RulePart, Seen, Step, StepKind};
use crate::model::resource::{BusId, ResourceId, RuleId};
use crate::model::topology::Origin;
use crate::model::world::{LiveRule, World};
use std::collections::BTreeSet;

/// The step that bears the sequence, if the topology is newer than every live mark of the hubs, asks for something (or did) and
/// none of `steps` would bear it; always of the same thing for the same world. None where nothing of ours stands unchanged. It
/// waits for no step and none waits for it.
pub(super) fn stamp(desired: &Desired, world: &World, steps: &[Step]) -> Option<Step> {
    let newer = own::newest_sequence(desired, world)? < desired.revision.sequence;
    let asks: Vec<&Step> = steps.iter().filter(|step| step.cause == Cause::Intent).collect();
    let bears = |step: &Step| {
        let on_hub = |bus: &BusId| desired.buses.get(bus).is_some_and(|wanted| wanted.team.is_none());
        let marks = match &step.action {
            Action::CreateBus { bus, .. } | Action::UpdateBus { bus, .. } => on_hub(bus),
            // A widening keeps the mark of before; a narrowing comes only after everything else.
            Action::PutRule { rule, part, .. } => *part == RulePart::Whole && on_hub(&rule.bus),
            _ => false,
        };
        marks && step.held_by.is_empty()
    };
    if !newer || steps.iter().any(bears) || (asks.is_empty() && !was_begun(desired, world)) {
        return None;
    }
    let written: BTreeSet<ResourceId> = steps.iter().map(|step| step.action.resource()).collect();
    let Bearer { action, seen, team, origin } =
        some_rule(desired, world, &written).or_else(|| some_bus(desired, world, &written))?;
    // What is held as a whole was not applied: the stamp waits with it, and goes when it is let go.
    let held_by = if asks.iter().all(|step| !step.held_by.is_empty()) { easiest(&asks) } else { BTreeSet::new() };
    let detail = format!(
        "nothing but its mark: it bears number {} now, at which an older topology stops",
        desired.revision.sequence
    );
    Some(Step {
        action,
        seen,
        kind: StepKind::Make,
        cause: Cause::Intent,
        codes: BTreeSet::new(),
        after: BTreeSet::new(),
        settles: false,
        held_by,
        detail: vec![detail],
        routes: BTreeSet::new(),
        team,
        origin: Some(origin),
    })
}

/// Whether something bears this topology's sequence already, wherever it is: then the hubs should, and where none does, another
/// daemon's write came before the stamp.
fn was_begun(desired: &Desired, world: &World) -> bool {
    let sequence = Some(desired.revision.sequence);
    world.scopes.keys().any(|scope| own::newest_in_scope(desired, world, scope) == sequence)
}

/// What bears the sequence, and how it is written.
struct Bearer {
    action: Action,
    seen: Seen,
    team: Option<TeamName>,
    origin: Origin,
}

/// The first rule that can bear it and that no step writes.
fn some_rule(desired: &Desired, world: &World, written: &BTreeSet<ResourceId>) -> Option<Bearer> {
    desired.rules.iter().find_map(|(rule, wanted)| {
        let free = !written.contains(&ResourceId::Rule(rule.clone()));
        let live = free.then(|| bearer(desired, world, rule)).flatten()?;
        Some(Bearer {
            action: rules::put_rule(desired, rule, wanted, RulePart::Whole),
            seen: rules::seen_rule(live),
            team: wanted.team.clone(),
            origin: wanted.origin.clone(),
        })
    })
}

/// The first hub's bus that can: where the last rule of the hubs goes, nothing else is left.
fn some_bus(desired: &Desired, world: &World, written: &BTreeSet<ResourceId>) -> Option<Bearer> {
    let hubs = desired.buses.iter().filter(|(bus, wanted)| {
        wanted.team.is_none()
            && !desired.no_access.contains(&bus.scope)
            && !written.contains(&ResourceId::Bus((*bus).clone()))
    });
    hubs.filter_map(|(bus, wanted)| Some((bus, wanted, world.bus(bus)?))).find_map(|(bus, wanted, live)| {
        let is_ours = matches!(own::of_bus(desired, bus, live), Ownership::Marked(_));
        let (action, seen) = is_ours.then(|| buses::as_it_is(desired, bus, wanted, live)).flatten()?;
        Some(Bearer { action, seen, team: wanted.team.clone(), origin: wanted.origin.clone() })
    })
}

/// The guards of the step that is let go the soonest: the one with the fewest, those that may be named before others.
fn easiest(asks: &[&Step]) -> BTreeSet<Guard> {
    let cost =
        |step: &&&Step| (step.held_by.iter().filter(|guard| !guard.may_be_allowed()).count(), step.held_by.len());
    asks.iter().min_by_key(cost).map(|step| step.held_by.clone()).unwrap_or_default()
}

/// The live rule, if it bears our mark and is as it is asked for, on a bus that is ours: what was not planned for want of
/// evidence must not come in by this door.
fn bearer<'a>(desired: &Desired, world: &'a World, rule: &RuleId) -> Option<&'a LiveRule> {
    // Marks count on hubs alone, and there not those that a widening leaves as they are.
    let on_hub = desired.buses.get(&rule.bus).is_some_and(|wanted| wanted.team.is_none());
    let live = world.rule(rule).filter(|_| on_hub && !desired.no_access.contains(&rule.bus.scope))?;
    let bus = own::of_bus(desired, &rule.bus, world.bus(&rule.bus)?);
    let bus_is_ours = matches!(bus, Ownership::Marked(_) | Ownership::MarkLost);
    let wanted = desired.rules.get(rule)?;
    let as_asked = rules::differences(&wanted.spec, &rules::mark_of(desired, rule, wanted), live).is_empty();
    let is_ours = matches!(own::of_rule(desired, rule, live), Ownership::Marked(_));
    (bus_is_ours && as_asked && is_ours).then_some(live)
}
