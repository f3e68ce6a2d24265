//! The events that prove the worked example's routes, and where each of them must arrive: written by hand from the
//! example's files, not computed by the program.

use serde_json::{Value, json};
use std::collections::BTreeMap;
use wheelwright::model::desired::Desired;
use wheelwright::model::ids::HubName;
use wheelwright::model::route::Consumer;
use wheelwright::sim::{AwsError, Caller, EventEntry, SimulatedAws, SnapshotKind};
use wheelwright::stage;

pub(crate) const PLATFORM: &str = "111111111111";
pub(crate) const PAYMENTS: &str = "222222222222";
pub(crate) const LEDGER: &str = "333333333333";
pub(crate) const ORDERS: &str = "444444444444";
pub(crate) const ORDERS_EU: &str = "444444444445";
pub(crate) const SHIPPING: &str = "555555555555";
pub(crate) const FRAUD: &str = "666666666666";
pub(crate) const ANALYTICS: &str = "777777777777";
pub(crate) const ANALYTICS_EU: &str = "777777777778";
pub(crate) const GATEWAY: &str = "888888888888";
pub(crate) const US: &str = "us-east-1";
pub(crate) const EU: &str = "eu-west-1";

/// One event, and who must have it afterwards.
pub(crate) struct Probe {
    /// What it shows.
    pub(crate) name: &'static str,
    pub(crate) publisher: &'static str,
    pub(crate) region: &'static str,
    /// The publisher's own bus, where the publication is forwarded, or `default` where it is collected; otherwise the
    /// Region's hub.
    pub(crate) own_bus: Option<&'static str>,
    pub(crate) source: &'static str,
    pub(crate) detail_type: &'static str,
    pub(crate) detail: Value,
    /// The subscriptions, as `team.name`.
    pub(crate) reaches: &'static [&'static str],
}

/// Where events of a Region's hub are put.
pub(crate) fn hub_arn(region: &str) -> String {
    format!("arn:aws:events:{region}:{PLATFORM}:event-bus/org-events")
}

/// At least one event a publication; every filter is met once and missed once.
pub(crate) fn probes() -> Vec<Probe> {
    let hub = |name, publisher, source, detail_type, detail, reaches| Probe {
        name,
        publisher,
        region: US,
        own_bus: None,
        source,
        detail_type,
        detail,
        reaches,
    };
    let payments =
        |name, detail_type, detail, reaches| hub(name, PAYMENTS, "com.acme.payments", detail_type, detail, reaches);
    let orders =
        |name, detail_type, detail, reaches| hub(name, ORDERS, "com.acme.orders.us", detail_type, detail, reaches);
    let europe = |name, publisher, source, detail_type, detail, reaches| Probe {
        region: EU,
        ..hub(name, publisher, source, detail_type, detail, reaches)
    };
    let checkout = |name, detail_type, detail, reaches| Probe {
        own_bus: Some("orders"),
        ..hub(name, ORDERS, "com.acme.checkout", detail_type, detail, reaches)
    };
    vec![
        payments(
            "a large payment in euro",
            "PaymentSettled",
            json!({"amount": 20_000, "currency": "EUR"}),
            &["analytics.settlements", "fraud.settled", "ledger.large", "ledger.settlements", "orders.settled"],
        ),
        payments(
            "a large payment in yen",
            "PaymentSettled",
            json!({"amount": 20_000, "currency": "JPY"}),
            &["analytics.settlements", "fraud.settled", "ledger.settlements", "orders.settled"],
        ),
        payments(
            "a small payment",
            "PaymentSettled",
            json!({"amount": 10_000, "currency": "USD"}),
            &["analytics.settlements", "fraud.settled", "ledger.settlements", "orders.settled"],
        ),
        payments(
            "a payment taken back",
            "PaymentReversed",
            json!({"amount": 20_000, "currency": "EUR"}),
            &["analytics.settlements", "ledger.settlements", "orders.settled"],
        ),
        payments("a detail-type that nobody publishes", "PaymentDreamt", json!({"amount": 20_000}), &[]),
        hub("a card", PAYMENTS, "com.acme.payments.cards", "CardDeclined", json!({}), &["fraud.cards"]),
        hub(
            "a bank, by the gateway",
            GATEWAY,
            "com.acme.payments.providers",
            "CallbackReceived",
            json!({"provider": "bank-1"}),
            &["ledger.callbacks"],
        ),
        hub(
            "a bank, by payments itself",
            PAYMENTS,
            "com.acme.payments.providers",
            "Anything",
            json!({"provider": "bank-2"}),
            &["ledger.callbacks"],
        ),
        hub(
            "a wallet, by the gateway",
            GATEWAY,
            "com.acme.payments.providers",
            "CallbackReceived",
            json!({"provider": "wallet-7"}),
            &[],
        ),
        hub("a verdict", FRAUD, "com.acme.fraud", "PaymentSuspect", json!({}), &["payments.verdicts"]),
        hub("a posting that nobody takes", LEDGER, "com.acme.ledger", "EntryPosted", json!({}), &[]),
        orders(
            "an order by card",
            "OrderPlaced",
            json!({"total": 12.5, "payment-method": "card", "shop": "s1", "customer": {"email": "a@example.org"}}),
            &["analytics.orders-us", "fraud.orders", "payments.orders-to-charge", "shipping.placed-us"],
        ),
        orders(
            "an order by voucher",
            "OrderPlaced",
            json!({"total": 12.5, "payment-method": "voucher"}),
            &["analytics.orders-us", "fraud.orders", "shipping.placed-us"],
        ),
        orders(
            "an order for nothing",
            "OrderPlaced",
            json!({"total": 0, "payment-method": "card"}),
            &["analytics.orders-us", "fraud.orders", "shipping.placed-us"],
        ),
        orders(
            "an order of a test shop",
            "OrderPlaced",
            json!({"total": 1, "payment-method": "card", "shop": "test-7"}),
            &["analytics.orders-us", "payments.orders-to-charge", "shipping.placed-us"],
        ),
        orders(
            "an order of one of our own",
            "OrderChanged",
            json!({"customer": {"email": "me@acme.example"}}),
            &["analytics.orders-us"],
        ),
        checkout(
            "three attempts",
            "CheckoutAbandoned",
            json!({"attempts": 3, "ip-country": "US"}),
            &["analytics.checkout", "fraud.abandoned"],
        ),
        checkout(
            "nobody knows from where",
            "CheckoutAbandoned",
            json!({"attempts": 1}),
            &["analytics.checkout", "fraud.abandoned"],
        ),
        checkout(
            "one attempt",
            "CheckoutAbandoned",
            json!({"attempts": 1, "ip-country": "US"}),
            &["analytics.checkout"],
        ),
        checkout("a step", "CheckoutStepReached", json!({"attempts": 3}), &["analytics.checkout"]),
        hub(
            "a parcel in America",
            SHIPPING,
            "com.acme.shipping",
            "ParcelDelivered",
            json!({}),
            &["analytics.parcels-us", "orders.parcels-us"],
        ),
        hub(
            "a parcel on its way",
            SHIPPING,
            "com.acme.shipping",
            "ParcelShipped",
            json!({}),
            &["analytics.parcels-us"],
        ),
        europe(
            "a parcel in Europe",
            SHIPPING,
            "com.acme.shipping",
            "ParcelLost",
            json!({}),
            &["analytics.parcels-eu", "orders.parcels-eu"],
        ),
        europe(
            "an order to Germany",
            ORDERS_EU,
            "com.acme.orders.eu",
            "OrderPlaced",
            json!({"country": "DE"}),
            &["analytics.orders-eu", "shipping.placed-eu"],
        ),
        europe(
            "an order to Norway",
            ORDERS_EU,
            "com.acme.orders.eu",
            "OrderPlaced",
            json!({"country": "NO"}),
            &["analytics.orders-eu", "shipping.customs"],
        ),
        europe(
            "an order changed",
            ORDERS_EU,
            "com.acme.orders.eu",
            "OrderChanged",
            json!({}),
            &["analytics.orders-eu"],
        ),
    ]
}

impl Probe {
    /// Publishes it as the publisher's account.
    pub(crate) fn publish(&self, aws: &mut SimulatedAws) -> Result<String, AwsError> {
        let hub = hub_arn(self.region);
        let entry = EventEntry::new(self.own_bus.unwrap_or(&hub), self.source, self.detail_type, self.detail.clone());
        if self.source.starts_with("aws.") {
            return Ok(aws.service_event(self.publisher, self.region, &entry));
        }
        aws.put_event(&Caller::root(self.publisher), self.region, &entry)
    }

    /// The queues that must have it, once each: the subscribers' mailboxes, the American hub's audit, and the inbox of
    /// the publisher's own bus where it was put there.
    pub(crate) fn queues(&self, desired: &Desired) -> BTreeMap<String, usize> {
        let mut queues: Vec<String> = self.reaches.iter().map(|name| mailbox(desired, name)).collect();
        if self.region == US {
            queues.push(audit(desired));
        }
        if let Some(bus) = self.own_bus.filter(|bus| *bus != "default") {
            queues.push(format!("arn:aws:sqs:{}:{}:{bus}-inbox", self.region, self.publisher));
        }
        let mut counts = BTreeMap::new();
        for queue in queues {
            *counts.entry(queue).or_default() += 1;
        }
        counts
    }
}

/// The queue in which what `subscription` receives can be read.
pub(crate) fn mailbox(desired: &Desired, subscription: &str) -> String {
    let (team, name) = subscription.split_once('.').expect("team.name");
    let consumer = desired
        .routes
        .keys()
        .map(|route| &route.consumer)
        .find(|consumer| consumer.to_string() == format!("{team}.{name}"))
        .unwrap_or_else(|| panic!("{subscription} is not in the topology"));
    stage::mailbox(desired, consumer).expect("the consumer has a route")
}

/// The American hub's audit queue.
pub(crate) fn audit(desired: &Desired) -> String {
    let hub: HubName = "us".parse().expect("a hub's name");
    stage::mailbox(desired, &Consumer::Audit(hub)).expect("the hub has an audit")
}

/// How many messages each queue of every account holds.
pub(crate) struct Mail(BTreeMap<String, usize>);

impl Mail {
    pub(crate) fn of(aws: &SimulatedAws) -> Self {
        let queues = aws.snapshot(|item| item.kind == SnapshotKind::Queue);
        let queues = queues.as_object().into_iter().flatten();
        let arns = queues.filter_map(|(_, queue)| queue.get("QueueArn")?.as_str().map(str::to_owned));
        Self(arns.map(|arn| (arn.clone(), aws.messages(&arn).len())).collect())
    }

    /// What each queue got since this was looked at last.
    pub(crate) fn arrived(&mut self, aws: &SimulatedAws) -> BTreeMap<String, usize> {
        let mut arrived = BTreeMap::new();
        for (arn, before) in &mut self.0 {
            let now = aws.messages(arn).len();
            if now != *before {
                arrived.insert(arn.clone(), now - *before);
            }
            *before = now;
        }
        arrived
    }
}

/// Publishes every probe, and returns those that did not arrive where they must, or did elsewhere, each in one line.
pub(crate) fn misdelivered(aws: &mut SimulatedAws, desired: &Desired) -> Vec<String> {
    let mut mail = Mail::of(aws);
    let mut wrong = Vec::new();
    for probe in probes() {
        let published = probe.publish(aws);
        let (arrived, wanted) = (mail.arrived(aws), probe.queues(desired));
        if published.is_err() || arrived != wanted {
            wrong.push(format!("{}: {published:?}, in {arrived:?} instead of {wanted:?}", probe.name));
        }
    }
    wrong
}
