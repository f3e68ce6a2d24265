//! Bringing alerts to their channels: what the store keeps for them, one after the other on each channel, beside the sweeps.

use super::turn::Handle;
use crate::model::alert::Alert;
use crate::notify::retry::{self, Next};
use crate::notify::{Channels, SendError};
use crate::port::Clock;
use crate::store::{Outgoing, Store, StoreError};
use crate::telemetry::{AlertEnd, Metrics};
use futures_util::future::join_all;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Milliseconds from one look into the store to the next, if nothing is heard of the daemon.
const LOOK_EVERY_MS: u64 = 1_000;

/// Brings alerts until the daemon ends. `random` gives any number.
pub async fn deliver<C: Clock>(
    mut handle: Handle,
    channels: Arc<Channels>,
    metrics: Arc<Metrics>,
    clock: C,
    mut random: impl FnMut() -> u64 + Send,
) {
    let store = Arc::clone(&handle.store);
    // What waits for another try holds back what came after it in its group, so that nothing is resolved before it was raised.
    let mut held_back = still_held_back(&store, clock.now()).await;
    // Brought, and that could not be kept: not to be brought again.
    let mut brought_already: BTreeSet<u64> = BTreeSet::new();
    loop {
        match due(&store, clock.now()).await {
            Ok(outgoing) => {
                let (again, outgoing) = outgoing.into_iter().partition(|message| brought_already.contains(&message.id));
                for Outgoing { id, .. } in again {
                    let (store, now) = (Arc::clone(&store), clock.now());
                    if keep(move || store.alert_sent(id, now)).await.is_ok() {
                        brought_already.remove(&id);
                    }
                }
                let ready = in_order(outgoing, &held_back);
                let sends = ready.into_iter().map(|(channel, messages)| bring(&channels, channel, messages));
                let ended: Vec<Brought> = join_all(sends).await.into_iter().flatten().collect();
                for brought in ended {
                    let group = (brought.outgoing.channel.clone(), brought.outgoing.alert.group.clone());
                    let id = brought.outgoing.id;
                    let was_sent = brought.sent.is_ok();
                    match settle(&store, &metrics, brought, clock.now(), random()).await {
                        Ok(true) => _ = held_back.remove(&group),
                        Ok(false) => _ = held_back.insert(group, id),
                        Err(error) => {
                            tracing::error!(%error, "what became of an alert could not be kept");
                            if was_sent {
                                brought_already.insert(id);
                            }
                        }
                    }
                }
            }
            Err(error) => tracing::error!(%error, "alerts could not be read"),
        }
        tokio::select! {
            is_there = handle.changed() => if !is_there { break },
            () = clock.wait_ms(LOOK_EVERY_MS) => {}
        }
    }
}

/// What an earlier daemon tried in vain goes on holding back what came after it.
async fn still_held_back(store: &Arc<Store>, now: crate::model::ids::Moment) -> BTreeMap<(String, String), u64> {
    let store = Arc::clone(store);
    let asked = tokio::task::spawn_blocking(move || store.later_alerts(now)).await;
    let later = match asked {
        Ok(Ok(later)) => later,
        Ok(Err(error)) => {
            tracing::error!(%error, "alerts could not be read");
            Vec::new()
        }
        Err(error) => {
            tracing::error!(%error, "alerts could not be read");
            Vec::new()
        }
    };
    let mut held_back = BTreeMap::new();
    for Outgoing { id, channel, alert, .. } in later {
        let first = held_back.entry((channel, alert.group)).or_insert(id);
        *first = id.min(*first);
    }
    held_back
}

async fn due(store: &Arc<Store>, now: crate::model::ids::Moment) -> Result<Vec<Outgoing>, StoreError> {
    let store = Arc::clone(store);
    let asked = tokio::task::spawn_blocking(move || store.due_alerts(now)).await;
    asked.unwrap_or_else(|error| {
        tracing::error!(%error, "alerts could not be read");
        Ok(Vec::new())
    })
}

/// What may be sent now, by channel, the oldest first.
fn in_order(
    mut outgoing: Vec<Outgoing>,
    held_back: &BTreeMap<(String, String), u64>,
) -> BTreeMap<String, Vec<Outgoing>> {
    outgoing.sort_by_key(|message| message.id);
    let mut by_channel: BTreeMap<String, Vec<Outgoing>> = BTreeMap::new();
    for message in outgoing {
        let group = (message.channel.clone(), message.alert.group.clone());
        if held_back.get(&group).is_none_or(|first| *first >= message.id) {
            by_channel.entry(message.channel.clone()).or_default().push(message);
        }
    }
    by_channel
}

/// A message and what came of its sending.
struct Brought {
    outgoing: Outgoing,
    sent: Result<(), SendError>,
}

/// Sends the messages of one channel, one after the other. A group whose message was not taken waits with all that follows.
async fn bring(channels: &Channels, channel: String, messages: Vec<Outgoing>) -> Vec<Brought> {
    let mut stuck: BTreeSet<String> = BTreeSet::new();
    let mut brought = Vec::new();
    for outgoing in messages {
        let Alert { group, .. } = &outgoing.alert;
        if stuck.contains(group) {
            continue;
        }
        let sent = channels.send(&channel, &outgoing.alert).await;
        let unreachable = matches!(sent, Err(SendError::Later { .. }));
        if unreachable {
            stuck.insert(group.clone());
        }
        brought.push(Brought { outgoing, sent });
        if unreachable {
            // What is next would only wait as long: the channel is looked at again soon.
            break;
        }
    }
    brought
}

/// Keeps what came of a message. Whether it is done with.
async fn settle(
    store: &Arc<Store>,
    metrics: &Metrics,
    brought: Brought,
    now: crate::model::ids::Moment,
    random: u64,
) -> Result<bool, StoreError> {
    let Brought { outgoing, sent } = brought;
    let store = Arc::clone(store);
    let Outgoing { id, channel, alert, tries, next_try: _ } = outgoing;
    let error = match sent {
        Ok(()) => {
            metrics.alerted(&channel, AlertEnd::Sent);
            return keep(move || store.alert_sent(id, now)).await.map(|()| true);
        }
        Err(error) => error,
    };
    let attempts = u32::try_from(tries).unwrap_or(u32::MAX).saturating_add(1);
    match retry::next(&error, attempts, alert.at, now, random) {
        Next::At(at) => {
            metrics.alerted(&channel, AlertEnd::Failed);
            tracing::warn!(channel, alert = alert.id, %error, next_try = %at, "an alert was not taken");
            keep(move || store.alert_failed(id, at, &error.to_string())).await.map(|()| false)
        }
        Next::Dropped(why) => {
            metrics.alerted(&channel, AlertEnd::Dropped);
            crate::notify::dropped(&channel, &alert, &why);
            keep(move || store.alert_dropped(id, now, &why)).await.map(|()| true)
        }
    }
}

async fn keep(write: impl FnOnce() -> Result<bool, StoreError> + Send + 'static) -> Result<(), StoreError> {
    match tokio::task::spawn_blocking(write).await {
        Ok(kept) => kept.map(drop),
        Err(error) => {
            tracing::error!(%error, "what became of an alert could not be kept");
            Ok(())
        }
    }
}
