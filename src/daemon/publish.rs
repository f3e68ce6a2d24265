//! Publishing how the daemon stands.

use super::status::{ScopeState, ScopeStatus, Status};
use super::turn::Daemon;
use crate::model::ids::{Moment, Scope};
use crate::model::world::Observation;
use crate::plan::Frozen;
use crate::port::{Clock, Fleet};
use std::collections::BTreeMap;
use std::sync::Arc;

impl<F: Fleet + 'static, C: Clock + Clone + 'static> Daemon<F, C> {
    /// Publishes how things stand.
    pub(super) fn publish(&self, sweeping: Option<String>) {
        let now = self.clock.now();
        let settle_ms = self.config.as_ref().map_or(0, |config| u64::from(config.settings.pace.settle_secs) * 1_000);
        let freezes = self.config.iter().flat_map(|config| {
            config.settings.freezes.iter().filter_map(|(name, freeze)| Frozen::at(name, freeze, now))
        });
        let status = Status {
            started: self.started,
            at: now,
            config: self.config.clone(),
            topology_refused: self.topology_refused.clone(),
            last_sweep: self.memory.last_sweep.clone(),
            last_full: self.memory.last_full,
            sweeping,
            scopes: self.scopes(),
            incidents: self.memory.incidents.open().cloned().collect(),
            plan: self.memory.plan.clone(),
            desired: self.desired.clone(),
            world: Arc::new(self.memory.world.clone()),
            pauses: self.orders.pauses.clone(),
            stops: self.orders.stops.clone(),
            freezes: freezes.collect(),
            fights: self.memory.breaker.tripped().clone(),
            state_lost: self.orders.state_lost,
            settling: self.memory.settling.next(settle_ms),
        };
        self.published.send_replace(Arc::new(status));
    }

    fn scopes(&self) -> BTreeMap<Scope, ScopeStatus> {
        let next: BTreeMap<&Scope, Moment> = self.memory.backoff.waiting().collect();
        let Some(desired) = &self.desired else { return BTreeMap::new() };
        let status = |scope: &Scope| {
            let (state, at, why) = match self.memory.world.scopes.get(scope) {
                Some(Observation::Complete { at, .. }) => (ScopeState::Complete, Some(*at), None),
                Some(Observation::Partial { at, missing, .. }) => {
                    let why: Vec<String> = missing.iter().map(|gap| format!("{gap}; {}", gap.mend)).collect();
                    (ScopeState::Partial, Some(*at), Some(why.join(" / ")))
                }
                Some(Observation::Unreachable { at, why }) => {
                    (ScopeState::Unreachable, Some(*at), Some(format!("{why}; {}", why.mend)))
                }
                Some(Observation::NoAccess) => (ScopeState::NoAccess, None, None),
                None => (ScopeState::Waiting, None, None),
            };
            let state = if self.waiting.contains(scope) { ScopeState::Waiting } else { state };
            ScopeStatus { state, at, why, next: next.get(scope).copied() }
        };
        desired.scopes.iter().chain(&desired.no_access).map(|scope| (scope.clone(), status(scope))).collect()
    }
}
