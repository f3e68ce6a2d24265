//! What people tell the running daemon: commands with their answers, and the orders that are in force.

use crate::model::ids::{Moment, Scope, SubscriptionId};
use crate::model::order::{LiveStop, Pause, Reach};
use crate::model::resource::ResourceId;
use crate::store::{Note, OrderEntry, Store, StoreError};
use std::collections::BTreeSet;
use tokio::sync::oneshot;

/// Something that a person tells the daemon.
#[derive(Debug)]
pub enum Command {
    /// Look now.
    Sweep {
        /// These scopes; none: all.
        scopes: BTreeSet<Scope>,
        /// All that we set, or what deliveries rest on.
        full: bool,
    },
    /// Write nothing there for a time.
    Pause(Pause),
    /// End a pause.
    Resume(Reach),
    /// Go on though the state was lost.
    ResumeStateLost,
    /// Mend a thing again that somebody else kept taking back.
    ResumeFight(ResourceId),
    /// Hold a route off for a time.
    Stop(LiveStop),
    /// Let a route that was held off at the daemon go on.
    Start(SubscriptionId),
}

/// What is answered, as people read it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// It is done, or will be by the next sweep, which is asked for.
    Done(String),
    /// It cannot be done, and why.
    Refused(String),
}

/// A command with where its answer goes.
pub(super) type Asked = (Command, String, oneshot::Sender<Reply>);

/// What came to its end by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Over {
    /// Nothing.
    Nothing,
    /// Routes go on that were held off.
    Stops,
    /// What was paused goes on, and routes perhaps as well.
    Pauses,
}

/// The orders that are in force.
#[derive(Clone, Debug, Default)]
pub(super) struct Orders {
    pub(super) pauses: Vec<Pause>,
    pub(super) stops: Vec<LiveStop>,
    pub(super) state_lost: bool,
}

impl Orders {
    /// As they were kept.
    pub(super) fn restore(store: &Store) -> Result<Self, StoreError> {
        let state_lost = store.meta(STATE_LOST)?.as_deref() == Some(YES);
        Ok(Self { pauses: store.pauses()?, stops: store.stops()?, state_lost })
    }

    /// Ends what has come to its time. Returns what did.
    pub(super) fn expire(&mut self, store: &Store, now: Moment) -> Result<Over, StoreError> {
        let over: Vec<Reach> =
            self.pauses.iter().filter(|pause| pause.order.until <= now).map(|pause| pause.reach.clone()).collect();
        for reach in &over {
            store.remove_pause(reach, &ended(now))?;
        }
        self.pauses.retain(|pause| now < pause.order.until);
        let done: Vec<SubscriptionId> =
            self.stops.iter().filter(|stop| stop.order.until <= now).map(|stop| stop.subscription.clone()).collect();
        for subscription in &done {
            store.remove_stop(subscription, &ended(now))?;
        }
        self.stops.retain(|stop| now < stop.order.until);
        Ok(match (over.is_empty(), done.is_empty()) {
            (true, true) => Over::Nothing,
            (true, false) => Over::Stops,
            (false, _) => Over::Pauses,
        })
    }

    /// When the next of them ends.
    pub(super) fn next_end(&self) -> Option<Moment> {
        let pauses = self.pauses.iter().map(|pause| pause.order.until);
        pauses.chain(self.stops.iter().map(|stop| stop.order.until)).min()
    }

    pub(super) fn pause(&mut self, store: &Store, pause: Pause) -> Result<(), StoreError> {
        store.set_pause(&pause)?;
        self.pauses.retain(|other| other.reach != pause.reach);
        self.pauses.push(pause);
        self.pauses.sort_by(|one, other| one.reach.cmp(&other.reach));
        Ok(())
    }

    pub(super) fn resume(&mut self, store: &Store, reach: &Reach, note: &Note) -> Result<bool, StoreError> {
        let was_there = store.remove_pause(reach, note)?;
        self.pauses.retain(|pause| pause.reach != *reach);
        Ok(was_there)
    }

    pub(super) fn stop(&mut self, store: &Store, stop: LiveStop) -> Result<(), StoreError> {
        store.set_stop(&stop)?;
        self.stops.retain(|other| other.subscription != stop.subscription);
        self.stops.push(stop);
        self.stops.sort_by(|one, other| one.subscription.cmp(&other.subscription));
        Ok(())
    }

    pub(super) fn start(
        &mut self,
        store: &Store,
        subscription: &SubscriptionId,
        note: &Note,
    ) -> Result<bool, StoreError> {
        let was_there = store.remove_stop(subscription, note)?;
        self.stops.retain(|stop| stop.subscription != *subscription);
        Ok(was_there)
    }

    pub(super) fn lose_state(&mut self, store: &Store) -> Result<(), StoreError> {
        self.state_lost = true;
        store.set_meta(STATE_LOST, YES)
    }

    pub(super) fn resume_state(&mut self, store: &Store, note: &Note) -> Result<bool, StoreError> {
        if !self.state_lost {
            return Ok(false);
        }
        store.set_meta(STATE_LOST, NO)?;
        let Note { at, by, reason } = note.clone();
        store.log_order(&OrderEntry { at, what: "resume --state-lost".into(), by, reason })?;
        Ok(std::mem::take(&mut self.state_lost))
    }
}

/// The key of what says that the state was lost.
const STATE_LOST: &str = "state-lost";
const YES: &str = "yes";
const NO: &str = "no";

/// What ends by its time, ends by nobody's hand.
fn ended(now: Moment) -> Note {
    Note { at: now, by: "wheelwright".into(), reason: "its time has come".into() }
}
