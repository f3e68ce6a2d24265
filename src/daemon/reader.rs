//! Reading scopes, each in a task of its own: what hangs is left behind and comes in when it comes.

use crate::model::desired::Desired;
use crate::model::ids::Scope;
use crate::model::world::Observation;
use crate::port::{Clock, Fleet};
use crate::reconcile::refresh::{Depth, Look, default_bus_is_idle, read_scope};
use std::collections::BTreeSet;
use std::sync::Arc;
use tokio::sync::{Semaphore, mpsc};

/// A scope that was read, or could not be.
#[derive(Debug)]
pub(super) struct Arrival {
    pub(super) scope: Scope,
    pub(super) observation: Observation,
    pub(super) depth: Depth,
}

/// Scopes in trouble that are asked at one time.
const SCOPES_IN_TROUBLE_AT_ONCE: usize = 16;

/// Sends for scopes, and knows which are under way.
pub(super) struct Reader<F, C> {
    fleet: Arc<F>,
    clock: C,
    at_once: Arc<Semaphore>,
    /// For scopes in trouble, so that they never take the others' places.
    again_at_once: Arc<Semaphore>,
    arrivals: mpsc::UnboundedSender<Arrival>,
    incoming: mpsc::UnboundedReceiver<Arrival>,
    under_way: BTreeSet<Scope>,
    /// Scopes whose default bus was idle at the last full reading.
    idle: BTreeSet<Scope>,
}

impl<F: Fleet + 'static, C: Clock + Clone + 'static> Reader<F, C> {
    /// A reader of at most `scopes_in_flight_max` scopes at once.
    pub(super) fn new(fleet: Arc<F>, clock: C, scopes_in_flight_max: usize) -> Self {
        let (arrivals, incoming) = mpsc::unbounded_channel();
        let at_once = Arc::new(Semaphore::new(scopes_in_flight_max.max(1)));
        let again_at_once = Arc::new(Semaphore::new(SCOPES_IN_TROUBLE_AT_ONCE));
        Self {
            fleet,
            clock,
            at_once,
            again_at_once,
            arrivals,
            incoming,
            under_way: BTreeSet::new(),
            idle: BTreeSet::new(),
        }
    }

    /// Waits for the next scope to come in.
    pub(super) async fn next(&mut self) -> Arrival {
        match self.incoming.recv().await {
            Some(arrival) => {
                self.under_way.remove(&arrival.scope);
                if arrival.depth == Depth::Full {
                    if default_bus_is_idle(&arrival.observation) {
                        self.idle.insert(arrival.scope.clone());
                    } else {
                        self.idle.remove(&arrival.scope);
                    }
                }
                arrival
            }
            // It holds a sender itself, so this does not come.
            None => std::future::pending().await,
        }
    }

    /// Sends for `scope`, unless it is under way already.
    pub(super) fn send_for(&mut self, scope: &Scope, desired: &Arc<Desired>, depth: Depth, deadline_ms: u64) {
        self.send(scope, desired, depth, deadline_ms, self.at_once.clone());
    }

    /// The same for a scope that is in trouble: to the last thing that is set, as it is news.
    pub(super) fn send_again_for(&mut self, scope: &Scope, desired: &Arc<Desired>, deadline_ms: u64) {
        self.send(scope, desired, Depth::Full, deadline_ms, self.again_at_once.clone());
    }

    fn send(&mut self, scope: &Scope, desired: &Arc<Desired>, depth: Depth, deadline_ms: u64, at_once: Arc<Semaphore>) {
        if !self.under_way.insert(scope.clone()) {
            return;
        }
        let look = Look { depth, default_bus_is_idle: self.idle.contains(scope), deadline_ms };
        let (fleet, clock) = (self.fleet.clone(), self.clock.clone());
        let (desired, scope, arrivals) = (desired.clone(), scope.clone(), self.arrivals.clone());
        tokio::spawn(async move {
            let _permit = at_once.acquire().await;
            let observation = read_scope(&*fleet, &clock, &desired, &scope, look).await;
            // Nobody listens any more where the daemon ends.
            _ = arrivals.send(Arrival { scope, observation, depth });
        });
    }
}
