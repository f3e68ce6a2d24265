//! The planner: from desired state and world to a plan. Pure: no clock (the caller says `now`), no IO, no await.
//!
//! `diff` (what differs, and whose it is) → `order` (what must come before what) → `guard` (what is held)
//! → `lint` (does any step leave a route that stays without a destination?). A daemon's plan goes through `restrain` as well
//! (modes, freezes, pauses, fights).
//!
//! **Invariants.** The same inputs give the same plan, whatever the order they were read in. A break carries
//! [`Evidence`](crate::model::world::Evidence). Nothing without our mark is written. Planning again after the plan
//! was applied gives an empty plan.

mod approve;
mod buses;
mod diff;
mod grants;
mod guard;
mod kept;
mod lint;
mod narrow;
mod order;
mod own;
mod places;
mod replaced;
mod restrain;
pub mod retire;
mod routes;
mod rules;
mod stamp;
mod surplus;
mod tags;
mod targets;
mod waiting;
mod wheel;

pub use approve::{Approval, Approved, Refusal, approve};
pub use grants::{lets_in, may_keep_out, publisher_policy, statement};
pub use guard::reason as guard_reason;
pub use own::{Ownership, bus_ownership, is_anything_ours, rule_ownership, tools};
pub use places::{Places, mode_at};
pub use restrain::{Frozen, Restraints, restrain};
pub use waiting::{Waiting, waiting};

use crate::model::desired::Desired;
use crate::model::finding::{Finding, FindingCode, Outcome};
use crate::model::ids::{Moment, Scope};
use crate::model::mark::long_digest;
use crate::model::plan::{Cause, Guard, Hold, Plan, PlanSettings, Step};
use crate::model::resource::{BusId, ResourceId};
use crate::model::world::World;
use std::cell::LazyCell;

/// Plans what takes `world` to `desired`, as of `now`.
pub fn plan(desired: &Desired, world: &World, settings: &PlanSettings, now: Moment) -> Plan {
    let mut draft = diff::diff(desired, world, settings, now);
    let mut holds = std::mem::take(&mut draft.holds);
    if let Some(hold) = whole_plan_hold(desired, world, draft.steps.len()) {
        for finding in draft.findings.iter_mut().filter(|finding| finding.outcome == Outcome::Mend) {
            finding.outcome = Outcome::Held;
        }
        if hold.guard == Guard::Superseded {
            draft.findings.extend(superseded_finding(desired, world));
        }
        draft.steps.clear();
        holds = vec![hold];
    }
    let is_hub = |bus: &BusId| desired.buses.get(bus).is_some_and(|wanted| wanted.team.is_none());
    let mut steps = order::order(draft.steps, is_hub);
    holds.extend(guard::guard(&mut steps, desired, world, settings));
    // All that is live once more: made when a step asks of it.
    let wheel = LazyCell::new(|| wheel::Wheel::of(desired, world));
    holds.extend(lint::lint(&mut steps, desired, &wheel));
    if let Some(stamp) = stamp::stamp(desired, world, &steps) {
        steps.insert(0, stamp);
    }
    holds.sort();
    mark_held_findings(&steps, &mut draft.findings);
    draft.findings.sort();
    draft.findings.dedup();
    Plan {
        id: plan_id(&steps),
        owner: desired.owner.clone(),
        revision: desired.revision.clone(),
        routes: routes::changes(desired, world, &wheel, &steps),
        steps,
        holds,
        findings: draft.findings,
        routes_total: desired.routes.len(),
    }
}

/// The plan's name: 12 hexadecimal digits over its steps of intent (`drift` if it has none), and where a person may let
/// held steps go, a hyphen and 8 digits over exactly those. Other drift is not part of it, so that a plan that was
/// reviewed may still be applied when something drifted meanwhile; a guard is only let go for what was seen.
fn plan_id(steps: &[Step]) -> String {
    let intent = digest_of(steps.iter().filter(|step| step.cause == Cause::Intent), 12).unwrap_or("drift".into());
    let held = steps.iter().filter(|step| step.held_by.iter().any(|guard| guard.may_be_allowed()));
    match digest_of(held, 8) {
        Some(held) => format!("{intent}-{held}"),
        None => intent,
    }
}

fn digest_of<'a>(steps: impl Iterator<Item = &'a Step>, digits: usize) -> Option<String> {
    let texts: Vec<String> = steps.map(|step| serde_json::to_string(&step.action).unwrap_or_default()).collect();
    let parts: Vec<&str> = texts.iter().map(String::as_str).collect();
    (!parts.is_empty()).then(|| long_digest(&parts).chars().take(digits).collect())
}

/// A reason to write nothing at all.
fn whole_plan_hold(desired: &Desired, world: &World, steps: usize) -> Option<Hold> {
    if desired.is_empty() {
        return Some(Hold {
            guard: Guard::EmptyTopology,
            scope: None,
            reason:
                "the topology asks for nothing at all; that takes nothing away: look whether the right folder was read"
                    .into(),
            steps,
        });
    }
    let newest = own::newest_sequence(desired, world)?;
    let sequence = desired.revision.sequence;
    (newest > sequence).then(|| Hold {
        guard: Guard::Superseded,
        scope: None,
        reason: format!(
            "a topology of sequence {newest} was already applied and this one is {sequence}: update this checkout, or use the newer one"
        ),
        steps,
    })
}

fn superseded_finding(desired: &Desired, world: &World) -> Option<Finding> {
    let newer = |scope: &&Scope| own::newest_in_scope(desired, world, scope) > Some(desired.revision.sequence);
    let scope = own::hub_scopes(desired).into_iter().find(newer)?;
    Some(Finding {
        resource: ResourceId::Scope(scope.clone()),
        code: FindingCode::Superseded,
        outcome: Outcome::Left,
        detail: format!("live marks are newer than this topology (sequence {})", desired.revision.sequence),
        team: None,
        origin: None,
    })
}

/// A finding whose step is held says so.
fn mark_held_findings(steps: &[Step], findings: &mut [Finding]) {
    for step in steps.iter().filter(|step| !step.held_by.is_empty()) {
        let resource = step.action.resource();
        for finding in findings.iter_mut().filter(|finding| finding.outcome == Outcome::Mend) {
            let same = match (&finding.resource, &resource) {
                (ResourceId::Target(rule, _), ResourceId::Rule(written)) => rule == written,
                (found, written) => found == written,
            };
            if same && step.codes.contains(&finding.code) {
                finding.outcome = Outcome::Held;
            }
        }
    }
}
