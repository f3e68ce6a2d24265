//! Bringing alerts to their channels: what the store keeps for them, one after the other on each channel, beside the sweeps and
//! beside one another: a channel that hangs keeps no other waiting.

use super::turn::Handle;
use crate::notify::retry::{self, Next};
use crate::notify::{Channels, SendError, Switchboard};
use crate::port::Clock;
use crate::store::{Outgoing, Store, StoreError};
use crate::telemetry::{AlertEnd, Metrics};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use tokio::task::JoinSet;

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
        for channel in due {
            let Some(brought_already) = lines.take(&channel) else { continue };
            let (store, metrics, clock) = (Arc::clone(&store), Arc::clone(&metrics), clock.clone());
            let line = Line { channel, store, channels: alerts.channels(), metrics, clock, random, brought_already };
            lines.under_way.spawn(line.bring());
        }
        tokio::select! {
            is_there = handle.changed() => if !is_there { break },
            Some(ended) = lines.under_way.join_next() => lines.ended(ended),
            () = clock.wait_ms(LOOK_EVERY_MS) => {}
        }
    }
    while lines.under_way.join_next().await.is_some() {}
}

/// The channels, each with at most one task that brings its alerts.
#[derive(Default)]
struct Lines {
    under_way: JoinSet<(String, BTreeSet<u64>)>,
    busy: BTreeSet<String>,
    /// By channel: what was brought and could not be kept as brought.
    brought_already: BTreeMap<String, BTreeSet<u64>>,
}

impl Lines {
    /// What is known of a channel, for its next task; none while one is under way.
    fn take(&mut self, channel: &str) -> Option<BTreeSet<u64>> {
        self.busy.insert(channel.to_owned()).then(|| self.brought_already.remove(channel).unwrap_or_default())
    }

    fn ended(&mut self, ended: Result<(String, BTreeSet<u64>), tokio::task::JoinError>) {
        match ended {
            Ok((channel, brought_already)) => {
                self.busy.remove(&channel);
                if !brought_already.is_empty() {
                    self.brought_already.insert(channel, brought_already);
                }
            }
            Err(error) => {
                tracing::error!(%error, "bringing alerts broke down, which is a mistake of wheelwright's; they are tried again");
                // Whose it was is not known; one that is still under way would only be joined by a second.
                if self.under_way.is_empty() {
                    self.busy.clear();
                }
            }
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
    async fn bring(mut self) -> (String, BTreeSet<u64>) {
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
        (self.channel, self.brought_already)
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
    let answered = tokio::task::spawn_blocking(move || question(&store)).await;
    let why = match answered {
        Ok(Ok(answer)) => return Some(answer),
        Ok(Err(error)) => error.to_string(),
        Err(error) => error.to_string(),
    };
    tracing::error!(error = why, "the store of alerts cannot be used; they are tried again");
    None
}
