//! The last look at a plan: does any single step leave a route that stays without a destination (promise 1)?
//!
//! It replays the steps, in their order, on a small model of what is live, and asks after each break whether every
//! route that it touches, and that was carried before, still is. The order makes it so where what replaces a thing is
//! planned; where it is not (another operator's bus, a policy that cannot be read), the break is held here.

use super::wheel::Wheel;
use crate::model::desired::Desired;
use crate::model::plan::{Guard, Hold, Step};
use crate::model::route::{Route, RouteId};
use std::collections::BTreeSet;
use std::ops::Deref;

/// Holds every step that would take the last destination of a route that stays.
pub(super) fn lint(steps: &mut [Step], desired: &Desired, wheel: &impl Deref<Target = Wheel>) -> Vec<Hold> {
    let carried = |wheel: &Wheel, route: &Route| wheel.carries(route, desired) || wheel.delivers(route, desired);
    let route = |id: &RouteId| desired.routes.get(id);
    let breaks = steps.iter().filter(|step| step.is_break());
    let at_risk: BTreeSet<RouteId> = breaks.flat_map(|step| step.routes.iter().cloned()).collect();
    if at_risk.is_empty() {
        return Vec::new();
    }
    let mut wheel = Wheel::clone(wheel);
    // A route that is held off has to deliver again when its time comes: it is looked at as if it were not.
    wheel.ignore_stops(desired);
    let mut delivering: BTreeSet<RouteId> =
        at_risk.iter().filter(|id| route(id).is_some_and(|route| carried(&wheel, route))).cloned().collect();
    let mut held = 0;
    for step in steps.iter_mut() {
        let touched: Vec<&RouteId> = step.routes.iter().filter(|id| at_risk.contains(*id)).collect();
        if !step.is_break() {
            wheel.apply(&step.action);
            let now = touched.into_iter().filter(|id| route(id).is_some_and(|route| carried(&wheel, route)));
            delivering.extend(now.cloned());
            continue;
        }
        let before = wheel.apply_undoable(&step.action);
        let lost = |id: &RouteId| delivering.contains(id) && !route(id).is_some_and(|route| carried(&wheel, route));
        if touched.into_iter().any(lost) {
            wheel.undo(before);
            step.held_by.insert(Guard::BreaksRoute);
            held += 1;
        }
    }
    if held == 0 {
        return Vec::new();
    }
    let reason = super::guard::reason(Guard::BreaksRoute).into();
    vec![Hold { guard: Guard::BreaksRoute, scope: None, reason, steps: held }]
}
