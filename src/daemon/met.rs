//! What the daemon remembers of the past so that it can tell what was taken away from what was never made.
//!
//! The marks of hubs say which topology was applied last, but a commit that changes nothing at AWS (a contact, a comment) writes
//! none. A scope that was read in full under that commit, and lacked nothing, is remembered: what is missing there later is drift,
//! is told and mended as such.

use crate::model::desired::Revision;
use crate::model::finding::{Outcome, Severity};
use crate::model::ids::Scope;
use crate::model::plan::{Cause, Guard, Plan};
use crate::model::world::{Met, Observation, World};
use crate::store::{Store, StoreError};
use std::collections::{BTreeMap, BTreeSet};

/// Takes in a sweep: the plan that it left, and the scopes that it read to the end, each with whether all that we set was read.
pub(super) fn see(world: &mut World, left: &Plan, read: &BTreeMap<Scope, bool>) {
    let met = world.met.take();
    // Somebody applied a newer one: what it took away was meant.
    if left.holds.iter().any(|hold| hold.guard == Guard::Superseded) {
        return;
    }
    let Revision { id, sequence } = &left.revision;
    let same = met.filter(|met| met.is_of(&left.revision));
    let mut met = same.unwrap_or_else(|| Met { revision: id.clone(), sequence: *sequence, ..Met::default() });
    let lacking = lacking(left);
    let whole = read.iter().filter(|(_, in_full)| **in_full).map(|(scope, _)| scope);
    let seen = whole.filter(|scope| matches!(world.scopes.get(*scope), Some(Observation::Complete { .. })));
    met.scopes.extend(seen.filter(|scope| !lacking.contains(scope)).cloned());
    world.met = Some(met);
}

/// The scopes in which anything is still to be made, or could not be judged.
fn lacking(left: &Plan) -> BTreeSet<Scope> {
    let asked = left.steps.iter().filter(|step| step.cause == Cause::Intent).map(|step| step.action.scope());
    let open = |outcome| outcome != Outcome::Left;
    let findings = left.findings.iter().filter(|found| open(found.outcome) || found.code.severity() == Severity::Error);
    asked.chain(findings.map(|found| found.resource.scope().clone())).collect()
}

/// The key of what is remembered, as JSON.
const MET: &str = "met";

/// What was remembered; nothing where it cannot be read back, which costs nothing but that what is missing counts as never made.
pub(super) fn restore(store: &Store) -> Result<Option<Met>, StoreError> {
    Ok(store.meta(MET)?.and_then(|text| serde_json::from_str(&text).ok()))
}

/// Writes it down.
pub(super) fn keep(met: &Met, store: &Store) -> Result<(), StoreError> {
    store.set_meta(MET, &serde_json::to_string(met).unwrap_or_default())
}
