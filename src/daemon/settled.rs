//! Breaks that have waited for long enough.

use super::config::Config;
use super::turn::Daemon;
use crate::model::ids::{Moment, Scope};
use crate::model::plan::{Step, StepKey, StepKind};
use crate::plan::{Approval, Approved, approve};
use crate::port::{Clock, Fleet};
use std::collections::BTreeSet;

impl<F: Fleet + 'static, C: Clock + Clone + 'static> Daemon<F, C> {
    /// The settled breaks that a sweep would do now: nothing that is held, or waits for what is. Each set is tried once beside the interval.
    pub(super) fn settled_breaks(&self, config: &Config, now: Moment) -> BTreeSet<StepKey> {
        let ready = self.memory.settling.ready(now, u64::from(config.settings.pace.settle_secs) * 1_000);
        let approved = self.memory.plan.as_ref().and_then(|plan| approve(plan, &Approval::default()).ok());
        let steps = approved.iter().flat_map(Approved::steps);
        steps.filter(|step| step.settles).map(Step::key).filter(|key| ready.contains(key)).collect()
    }

    /// The scopes that these breaks rest on and that were read too long ago for it: they are read once more, or the breaks would
    /// not be planned, and would begin to settle anew.
    pub(super) fn aged_under(&self, breaks: &BTreeSet<StepKey>, config: &Config, now: Moment) -> BTreeSet<Scope> {
        // The sweep may begin after the gap.
        let latest = now.plus_ms(u64::from(config.settings.sweep.gap_secs_min) * 1_000);
        let steps = self.memory.plan.iter().flat_map(|plan| &plan.steps).filter(|step| breaks.contains(&step.key()));
        let evidence = steps.filter_map(|step| match &step.kind {
            StepKind::Break(evidence) => Some(evidence),
            StepKind::Make => None,
        });
        let scopes: BTreeSet<Scope> = evidence.flat_map(|evidence| evidence.scopes().iter().cloned()).collect();
        self.memory
            .world
            .evidence(scopes, latest, config.settings.guards.fresh_ms_max)
            .err()
            .into_iter()
            .flatten()
            .collect()
    }
}
