//! Which scopes a sweep reads, and how long it waits for them.

use super::config::Config;
use super::reader::Reader;
use super::turn::{Daemon, ORDER, Request};
use crate::expand::sweep_also;
use crate::model::desired::Desired;
use crate::model::ids::{Moment, Scope};
use crate::model::order::LiveStop;
use crate::model::world::Observation;
use crate::port::{Clock, Fleet};
use crate::reconcile::refresh::Depth;
use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;

/// How the reading of a sweep ended.
pub(super) enum Reading {
    /// With what was read to the end, and whether all that we set was.
    Done(BTreeMap<Scope, bool>),
    /// A person ordered something that cannot wait.
    Ordered,
    /// The daemon is to end.
    Ending,
}

/// A sweep that waits for a scope goes on without it after half the time between two fast ones, within these bounds.
const PATIENCE_MS: std::ops::RangeInclusive<u64> = 5_000..=60_000;

impl<F: Fleet + 'static, C: Clock + Clone + 'static> Daemon<F, C> {
    /// What is asked for now. Without a stop nothing of it depends on the time, so it stays what it was.
    pub(super) fn asked_for(&mut self, config: &Config, now: Moment) -> (Arc<Desired>, Vec<LiveStop>) {
        let is_same = |desired: &&Arc<Desired>| {
            desired.revision == config.revision && desired.stops.is_empty() && self.orders.stops.is_empty()
        };
        if let Some(desired) = self.desired.as_ref().filter(is_same) {
            return (desired.clone(), Vec::new());
        }
        let (mut desired, unready) = config.desired(&self.orders.stops, now);
        self.beyond.turn_to(&desired);
        self.keep_named_scopes();
        sweep_also(&mut desired, &config.topology, self.beyond.scopes());
        (Arc::new(desired), unready)
    }

    /// Where nothing of ours is any more, and nothing is asked for, is not read again.
    pub(super) fn let_go_of_scopes(&mut self, read: &BTreeMap<Scope, bool>) {
        let Some(desired) = &mut self.desired else { return };
        let let_go = self.beyond.see(read, &self.memory.world, &desired.owner);
        if let_go.is_empty() {
            return;
        }
        for scope in &let_go {
            tracing::info!(%scope, "the topology does not name this Region any more, and nothing of ours is left there");
            Arc::make_mut(desired).scopes.remove(scope);
        }
        self.keep_named_scopes();
    }

    fn keep_named_scopes(&mut self) {
        if let Err(error) = self.beyond.keep(&self.store) {
            tracing::error!(%error, "which scopes are to be read could not be kept");
        }
    }

    /// Sends for the scopes of a sweep and waits for them, as long as it is worth it. Returns those that were read to the end, and
    /// whether all that we set was.
    pub(super) async fn read_scopes(
        &mut self,
        request: &Request,
        config: &Config,
        desired: &Arc<Desired>,
        depth: Depth,
        reader: &mut Reader<F, C>,
        shutdown: &mut (impl Future<Output = ()> + Unpin),
    ) -> Reading {
        for scope in &desired.no_access {
            self.memory.world.scopes.insert(scope.clone(), Observation::NoAccess);
        }
        let wanted = |scope: &&Scope| request.scopes.as_ref().is_none_or(|scopes| scopes.contains(*scope));
        let mut missing: BTreeSet<Scope> = desired
            .scopes
            .iter()
            .filter(|scope| !desired.no_access.contains(*scope) && !self.memory.backoff.is_in_trouble(scope))
            .filter(wanted)
            .cloned()
            .collect();
        let deadline_ms = u64::from(config.settings.pace.scope_deadline_secs) * 1_000;
        for scope in &missing {
            reader.send_for(scope, desired, depth, deadline_ms);
        }
        let half_ms = u64::from(config.settings.sweep.fast_every_secs) * 500;
        let patience_ms = half_ms.clamp(*PATIENCE_MS.start(), *PATIENCE_MS.end());
        let clock = self.clock.clone();
        let mut out_of_patience = pin!(clock.wait_ms(patience_ms));
        while !missing.is_empty() {
            tokio::select! {
                biased;
                () = &mut *shutdown => return Reading::Ending,
                Some(asked) = self.commands.recv() => {
                    self.obey(asked);
                    if self.pending.as_ref().is_some_and(|pending| pending.trigger == ORDER) {
                        return Reading::Ordered;
                    }
                }
                arrival = reader.next() => {
                    if arrival.revision == desired.revision {
                        missing.remove(&arrival.scope);
                    }
                    self.arrived(arrival);
                }
                () = &mut out_of_patience => break,
            }
        }
        for scope in &missing {
            tracing::warn!(%scope, patience_ms, "has not answered; the sweep goes on without it");
        }
        self.waiting = missing;
        Reading::Done(std::mem::take(&mut self.read))
    }

    /// What is known of scopes that nobody asks for any more goes.
    pub(super) fn forget_scopes(&mut self, desired: &Desired) {
        let swept = |scope: &Scope| desired.scopes.contains(scope) || desired.no_access.contains(scope);
        self.memory.world.keep_only(swept);
        self.memory.backoff.keep_only(swept);
    }

    /// A new state file beside marks of ours: an older one is lost, and with it what people had paused or stopped. Each
    /// scope is looked at when it is first read, which is before anything is written there.
    pub(super) fn notice_lost_state(&mut self, desired: &Desired) {
        let swept = desired.scopes.difference(&desired.no_access).cloned();
        let Some(found) = self.unknown.look(&self.memory.world, &desired.owner, swept) else { return };
        let lost = if found { self.orders.lose_state(&self.store) } else { Ok(()) };
        if let Err(error) = lost.and_then(|()| self.unknown.keep(&self.store)) {
            tracing::error!(%error, "whether the state is lost could not be kept");
        }
    }
}
