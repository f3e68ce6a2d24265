//! Reading scopes, each in a task of its own: what hangs is left behind and comes in when it comes.

use crate::model::desired::{Desired, Revision};
use crate::model::ids::Scope;
use crate::model::world::{Gap, Observation};
use crate::port::{Clock, Fleet};
use crate::reconcile::refresh::{Depth, Look, default_bus_is_idle, read_scope};
use futures_util::FutureExt as _;
use std::collections::{BTreeMap, BTreeSet};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use tokio::sync::{Semaphore, mpsc};
use tracing::Instrument as _;

/// A scope that was read, or could not be.
#[derive(Debug)]
pub(super) struct Arrival {
    pub(super) scope: Scope,
    pub(super) observation: Observation,
    pub(super) depth: Depth,
    /// Which topology it was read for: that says what was worth reading.
    pub(super) revision: Revision,
}

/// How a scope is read.
#[derive(Clone)]
struct Errand {
    /// What is asked for there: it says what is worth reading.
    desired: Arc<Desired>,
    depth: Depth,
    deadline_ms: u64,
    at_once: Arc<Semaphore>,
}

impl Errand {
    /// Whether what this brings in is all that `other` would: as much, for the same topology.
    fn serves(&self, other: &Self) -> bool {
        self.depth >= other.depth && self.desired.revision == other.desired.revision
    }
}

/// A scope that is under way.
struct UnderWay {
    errand: Errand,
    /// What is to be brought in afterwards.
    next: Option<Errand>,
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
    under_way: BTreeMap<Scope, UnderWay>,
    /// Scopes whose default bus was idle at the last full reading.
    idle: BTreeSet<Scope>,
}

impl<F: Fleet + 'static, C: Clock + Clone + 'static> Reader<F, C> {
    /// A reader of at most `scopes_in_flight_max` scopes at once.
    pub(super) fn new(fleet: Arc<F>, clock: C, scopes_in_flight_max: usize) -> Self {
        let (arrivals, incoming) = mpsc::unbounded_channel();
        let at_once = Arc::new(Semaphore::new(scopes_in_flight_max.max(1)));
        let again_at_once = Arc::new(Semaphore::new(SCOPES_IN_TROUBLE_AT_ONCE));
        let (under_way, idle) = (BTreeMap::new(), BTreeSet::new());
        Self { fleet, clock, at_once, again_at_once, arrivals, incoming, under_way, idle }
    }

    /// Waits for the next scope to come in.
    pub(super) async fn next(&mut self) -> Arrival {
        match self.incoming.recv().await {
            Some(arrival) => {
                if arrival.depth == Depth::Full {
                    if default_bus_is_idle(&arrival.observation) {
                        self.idle.insert(arrival.scope.clone());
                    } else {
                        self.idle.remove(&arrival.scope);
                    }
                }
                let next = self.under_way.remove(&arrival.scope).and_then(|under_way| under_way.next);
                if let Some(errand) = next {
                    self.send(&arrival.scope, errand);
                }
                arrival
            }
            // It holds a sender itself, so this does not come.
            None => std::future::pending().await,
        }
    }

    /// Sends for `scope`. If it is under way already, nothing else is asked, or, where that brings in less, it is asked once more
    /// afterwards.
    pub(super) fn send_for(&mut self, scope: &Scope, desired: &Arc<Desired>, depth: Depth, deadline_ms: u64) {
        let at_once = self.at_once.clone();
        self.send(scope, Errand { desired: desired.clone(), depth, deadline_ms, at_once });
    }

    /// The same for a scope that is in trouble: to the last thing that is set, as it is news.
    pub(super) fn send_again_for(&mut self, scope: &Scope, desired: &Arc<Desired>, deadline_ms: u64) {
        let at_once = self.again_at_once.clone();
        self.send(scope, Errand { desired: desired.clone(), depth: Depth::Full, deadline_ms, at_once });
    }

    fn send(&mut self, scope: &Scope, errand: Errand) {
        if let Some(under_way) = self.under_way.get_mut(scope) {
            if !under_way.errand.serves(&errand) {
                // The newest topology, and as much as anybody asked for.
                let depth = under_way.next.as_ref().map_or(errand.depth, |next| next.depth.max(errand.depth));
                under_way.next = Some(Errand { depth, ..errand });
            }
            return;
        }
        self.under_way.insert(scope.clone(), UnderWay { errand: errand.clone(), next: None });
        let default_bus_is_idle = self.idle.contains(scope);
        let (fleet, clock) = (self.fleet.clone(), self.clock.clone());
        let (scope, arrivals) = (scope.clone(), self.arrivals.clone());
        let reading = async move {
            let Errand { desired, depth, deadline_ms, at_once } = errand;
            let _permit = at_once.acquire().await;
            let look = Look { depth, default_bus_is_idle, deadline_ms };
            let span = tracing::debug_span!("scope", %scope, full = depth == Depth::Full);
            // On the heap: what is within is deep, and all of it would be laid out in each task.
            let read = read_scope(&*fleet, &clock, &desired, &scope, look).boxed().instrument(span);
            // A mistake of ours in what one account brings up is that account's trouble and nobody else's.
            let observation = match AssertUnwindSafe(read).catch_unwind().await {
                Ok(observation) => observation,
                Err(_) => broken(&scope, &clock),
            };
            // Nobody listens any more where the daemon ends.
            _ = arrivals.send(Arrival { scope, observation, depth, revision: desired.revision.clone() });
        };
        tokio::spawn(reading.in_current_span());
    }
}

/// What is known of a scope whose reading broke down.
fn broken<C: Clock>(scope: &Scope, clock: &C) -> Observation {
    tracing::error!(%scope, "reading it broke down, which is a mistake of wheelwright's: what went wrong is above");
    let why = Gap {
        action: "refresh".into(),
        class: "broken".into(),
        message: "wheelwright made a mistake while it read this account".into(),
        mend: "report it with the log around this time; the account is tried again by itself".into(),
    };
    Observation::Unreachable { at: clock.now(), why }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use super::*;
    use crate::call::{Answer, Call, CallError};
    use crate::config::Settings;
    use crate::expand::expand;
    use crate::model::ids::Moment;
    use crate::model::topology::{Kept, Tags, Topology};
    use std::sync::atomic::{AtomicBool, Ordering};
    use tokio::sync::Notify;

    /// An account that answers nothing before it is let, and then breaks us.
    #[derive(Default)]
    struct Gate {
        open: Notify,
        is_breaking: AtomicBool,
    }

    impl Fleet for Gate {
        async fn call(&self, _: &Scope, _: Call) -> Result<Answer, CallError> {
            self.open.notified().await;
            self.open.notify_one();
            assert!(!self.is_breaking.load(Ordering::Relaxed), "what nobody thought of");
            std::future::pending().await
        }
    }

    #[derive(Clone)]
    struct Still;

    impl Clock for Still {
        fn now(&self) -> Moment {
            Moment(1)
        }

        async fn wait_ms(&self, _: u64) {}
    }

    fn reader() -> (Reader<Gate, Still>, Arc<Gate>, Scope, Arc<Desired>) {
        let gate = Arc::new(Gate::default());
        let reader = Reader::new(gate.clone(), Still, 4);
        let revision = Revision { id: "test".into(), sequence: 1 };
        let nothing = Topology {
            organization: None,
            accounts: BTreeMap::new(),
            hubs: BTreeMap::new(),
            teams: BTreeMap::new(),
            tags: Tags::new(),
            kept: Kept::default(),
        };
        let desired = expand(&nothing, &Settings::default(), revision, Moment(1));
        (reader, gate, "111111111111/us-east-1".parse().unwrap(), Arc::new(desired))
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_asked_while_less_is_under_way_is_brought_in_afterwards() {
        let (mut reader, _, scope, desired) = reader();
        for depth in [Depth::Fast, Depth::Fast, Depth::Full, Depth::Full] {
            reader.send_for(&scope, &desired, depth, 1_000);
        }
        assert_eq!(reader.next().await.depth, Depth::Fast);
        reader.send_for(&scope, &desired, Depth::Fast, 1_000);
        assert_eq!(reader.next().await.depth, Depth::Full);
        assert!(reader.under_way.is_empty(), "a full reading is as good as a fast one");
    }

    #[tokio::test(start_paused = true)]
    async fn a_scope_that_breaks_us_is_in_trouble_and_asked_again() {
        let (mut reader, gate, scope, desired) = reader();
        gate.is_breaking.store(true, Ordering::Relaxed);
        gate.open.notify_one();
        reader.send_for(&scope, &desired, Depth::Fast, 1_000);
        let Observation::Unreachable { why, .. } = reader.next().await.observation else { panic!("it was read") };
        assert_eq!(why.class, "broken");
        reader.send_again_for(&scope, &desired, 1_000);
        assert_eq!(reader.next().await.depth, Depth::Full);
    }
}
