//! Bringing alerts to their channels: what the store keeps for them, one after the other on each channel, beside the sweeps and
//! beside one another: a channel that hangs keeps no other waiting.

use super::turn::Handle;
use crate::model::ids::Moment;
use crate::notify::retry::{self, Next};
use crate::notify::{Channels, SendError, Switchboard};
use crate::port::Clock;
use crate::store::{Outgoing, Store, StoreError};
use crate::telemetry::{AlertEnd, Metrics};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use tokio::task::{self, JoinError, JoinSet};

/// Milliseconds from one look into the store to the next, if nothing is heard of the daemon.
const LOOK_EVERY_MS: u64 = 1_000;

/// Brings alerts until the daemon ends, and what is under way then to its end. `random` gives any number.
pub async fn deliver<C: Clock + Clone + 'static>(
    mut handle: Handle,
    alerts: Arc<Switchboard>,
    metrics: Arc<Metrics>,
    clock: C,
    random: fn() -> u64,
) {
    let store = Arc::clone(&handle.store);
    let mut lines = Lines::default();
    loop {
        let now = clock.now();
        let due = asked(&store, move |store| store.due_channels(now)).await.unwrap_or_default();
        for channel in due.into_iter().filter(|channel| lines.is_free(channel, now)).collect::<Vec<_>>() {
            let brought_already = lines.brought_already.remove(&channel).unwrap_or_default();
            let (store, metrics, clock) = (Arc::clone(&store), Arc::clone(&metrics), clock.clone());
            lines.begin(Line { channel, store, channels: alerts.channels(), metrics, clock, random, brought_already });
        }
        tokio::select! {
            is_there = handle.changed() => if !is_there { break },
            Some(ended) = lines.under_way.join_next_with_id() => lines.ended(ended, clock.now()),
            () = clock.wait_ms(LOOK_EVERY_MS) => {}
        }
    }
    while lines.under_way.join_next().await.is_some() {}
}

/// The channels, each with at most one task that brings its alerts.
#[derive(Default)]
struct Lines {
    under_way: JoinSet<BTreeSet<u64>>,
    busy: HashMap<task::Id, String>,
    /// By channel: what was brought and could not be kept as brought.
    brought_already: BTreeMap<String, BTreeSet<u64>>,
    /// By channel: when its last task ended. It is left alone for a moment then, whatever became of it.
    ended: BTreeMap<String, Moment>,
}

impl Lines {
    /// Whether a task may be begun for `channel`: none is under way, and the last one ended a while ago. (Or later than now, where
    /// the clock was set back.)
    fn is_free(&self, channel: &str, now: Moment) -> bool {
        let rested = |ended: &Moment| now < *ended || now.millis_since(*ended) >= LOOK_EVERY_MS;
        self.ended.get(channel).is_none_or(rested) && !self.busy.values().any(|busy| busy == channel)
    }

    fn begin<C: Clock + 'static>(&mut self, line: Line<C>) {
        let channel = line.channel.clone();
        let task = self.under_way.spawn(line.bring());
        self.busy.insert(task.id(), channel);
    }

    fn ended(&mut self, ended: Result<(task::Id, BTreeSet<u64>), JoinError>, now: Moment) {
        let (id, brought_already) = ended.unwrap_or_else(|error| {
            tracing::error!(%error, "bringing alerts broke down, which is a mistake of wheelwright's; they are tried again");
            (error.id(), BTreeSet::new())
        });
        if let Some(channel) = self.busy.remove(&id) {
            self.ended.insert(channel.clone(), now);
            self.brought_already.insert(channel, brought_already);
        }
    }
}

/// One channel's alerts.
struct Line<C> {
    channel: String,
    store: Arc<Store>,
    channels: Arc<Channels>,
    metrics: Arc<Metrics>,
    clock: C,
    random: fn() -> u64,
    /// Brought, and that could not be kept: not to be brought again.
    brought_already: BTreeSet<u64>,
}

impl<C: Clock> Line<C> {
    /// Brings what is due, one after the other. Returns what was brought and could not be kept.
    async fn bring(mut self) -> BTreeSet<u64> {
        let (channel, now) = (self.channel.clone(), self.clock.now());
        let due = asked(&self.store, move |store| store.due_alerts(&channel, now)).await.unwrap_or_default();
        for outgoing in due {
            let id = outgoing.id;
            let sent = match self.brought_already.contains(&id) {
                true => Ok(()),
                false => self.send(&outgoing).await,
            };
            let (was_sent, is_unreachable) = (sent.is_ok(), matches!(sent, Err(SendError::Later { .. })));
            if self.settle(outgoing, sent).await {
                self.brought_already.remove(&id);
            } else if was_sent {
                self.brought_already.insert(id);
            }
            if is_unreachable {
                // What is next would only wait as long: the channel is looked at again soon.
                break;
            }
        }
        self.brought_already
    }

    async fn send(&self, outgoing: &Outgoing) -> Result<(), SendError> {
        let sent = self.channels.send(&self.channel, &outgoing.alert).await;
        if sent.is_ok() {
            self.metrics.alerted(&self.channel, AlertEnd::Sent);
        }
        sent
    }

    /// Keeps what came of a message. Whether it could be kept.
    async fn settle(&self, outgoing: Outgoing, sent: Result<(), SendError>) -> bool {
        let now = self.clock.now();
        let Outgoing { id, channel, alert, tries, next_try: _ } = outgoing;
        let error = match sent {
            Ok(()) => return asked(&self.store, move |store| store.alert_sent(id, now)).await.is_some(),
            Err(error) => error,
        };
        let attempts = u32::try_from(tries).unwrap_or(u32::MAX).saturating_add(1);
        let kept = match retry::next(&error, attempts, alert.at, now, (self.random)()) {
            Next::At(at) => {
                self.metrics.alerted(&channel, AlertEnd::Failed);
                tracing::warn!(channel, alert = alert.id, %error, next_try = %at, "an alert was not taken");
                asked(&self.store, move |store| store.alert_failed(id, at, &error.to_string())).await
            }
            Next::Dropped(why) => {
                self.metrics.alerted(&channel, AlertEnd::Dropped);
                crate::notify::dropped(&channel, &alert, &why);
                asked(&self.store, move |store| store.alert_dropped(id, now, &why)).await
            }
        };
        kept.is_some()
    }
}

/// Asks the store, which may block; none, told in the log, where it cannot answer.
async fn asked<T: Send + 'static>(
    store: &Arc<Store>,
    question: impl FnOnce(&Store) -> Result<T, StoreError> + Send + 'static,
) -> Option<T> {
    let store = Arc::clone(store);
    let answered = task::spawn_blocking(move || question(&store)).await;
    let why = match answered {
        Ok(Ok(answer)) => return Some(answer),
        Ok(Err(error)) => error.to_string(),
        Err(error) => error.to_string(),
    };
    tracing::error!(error = why, "the store of alerts cannot be used; they are tried again");
    None
}
