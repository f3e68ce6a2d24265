//! Alerts on their way from the store to several receivers.

use crate::receiver::{Answer, Receiver};
use crate::{channel, mended, raised, surroundings};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use wheelwright::daemon::config::{Fetched, Source};
use wheelwright::daemon::{Daemon, Parts, outbox};
use wheelwright::model::alert::Alert;
use wheelwright::model::finding::Outcome;
use wheelwright::model::ids::Moment;
use wheelwright::model::settings::{Address, ChannelKind};
use wheelwright::notify::Switchboard;
use wheelwright::port::Clock;
use wheelwright::sim::SimulatedAws;
use wheelwright::sim::call_door::SimFleet;
use wheelwright::store::Store;

/// A minute after the alerts were made, and then as time goes.
#[derive(Clone)]
struct Soon(Instant);

impl Clock for Soon {
    fn now(&self) -> Moment {
        let gone_ms = u64::try_from(self.0.elapsed().as_millis()).unwrap();
        Moment(crate::NOW_SECS * 1_000 + 60_000 + gone_ms)
    }

    async fn wait_ms(&self, milliseconds: u64) {
        tokio::time::sleep(Duration::from_millis(milliseconds)).await;
    }
}

/// Nothing to go by: the daemon of these tests never begins.
struct Nowhere;

impl Source for Nowhere {
    fn fetch(&self) -> Result<Fetched, String> {
        Err("there is none".into())
    }
}

fn webhook(receiver: &Receiver) -> ChannelKind {
    ChannelKind::Webhook { url: Address::Url(receiver.url("/hook")), key: None }
}

#[tokio::test]
async fn a_channel_that_hangs_keeps_no_other_waiting() {
    let (hangs, answers) = (Receiver::start(Answer::Hang).await, Receiver::start(Answer::status(204, "")).await);
    let alerts = Switchboard::new(surroundings(), |_| None);
    let channels = [("hangs", &hangs), ("answers", &answers)];
    let settings: BTreeMap<_, _> =
        channels.into_iter().map(|(name, receiver)| (name.to_owned(), channel(webhook(receiver)))).collect();
    alerts.open(&settings).unwrap();
    let (store, alerts) = (Arc::new(Store::in_memory().unwrap()), Arc::new(alerts));
    let world = Arc::new(std::sync::Mutex::new(SimulatedAws::default()));
    let clock = Soon(Instant::now());
    let parts = Parts {
        fleet: Arc::new(SimFleet::new(world, wheelwright::stage::operator(&wheelwright::config::Settings::default()))),
        clock: clock.clone(),
        source: Arc::new(Nowhere),
        store: Arc::clone(&store),
        alerts: Arc::clone(&alerts),
        random: Box::new(|| 0.5),
    };
    let (_daemon, handle) = Daemon::new(parts).unwrap();
    let delivering = tokio::spawn(outbox::deliver(handle, alerts, Arc::default(), clock, || 7));
    let to = |name: &str, alert: Alert| store.enqueue_alerts(&[(name.to_owned(), alert)]).unwrap();
    to("hangs", raised(Outcome::Held));
    hangs.request().await;
    // It has the first for as long as it likes, and the other channel gets what comes after it all the same.
    for alert in [raised(Outcome::Held), mended()] {
        let id = alert.id.clone();
        to("answers", alert);
        assert_eq!(answers.request().await.headers["x-wheelwright-alert"], id);
    }
    let waiting = store.alert_backlog().unwrap();
    let hangs_still = waiting.iter().find(|backlog| backlog.channel == "hangs").unwrap();
    assert_eq!((hangs_still.count, &hangs_still.error), (1, &None), "nothing came of it while the others were brought");
    delivering.abort();
}
