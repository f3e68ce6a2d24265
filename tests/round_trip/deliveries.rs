//! Where events arrive: what a route of both topologies delivers, it delivers wherever a process may have died between them.

use crate::{LEDGER, PLATFORM, US};
use serde_json::json;
use std::collections::BTreeSet;
use wheelwright::sim::{Caller, DeliveryOutcome, EventEntry, SimulatedAws};

const PAYMENTS: &str = "222222222222";
const GATEWAY: &str = "888888888888";
const EU: &str = "eu-west-1";

/// Who puts an event, where, of which source and detail-type. Written from the example's files and not computed.
const EVENTS: [(&str, &str, &str, &str, &str); 9] = [
    (PAYMENTS, US, "", "com.acme.payments", "PaymentSettled"),
    (PAYMENTS, US, "", "com.acme.payments", "PaymentReversed"),
    (PAYMENTS, US, "", "com.acme.payments.callbacks", "CallbackReceived"),
    (GATEWAY, US, "", "com.acme.payments.callbacks", "CallbackReceived"),
    (PAYMENTS, EU, "", "com.acme.payments", "PaymentSettled"),
    (GATEWAY, EU, "", "com.acme.payments.callbacks", "CallbackReceived"),
    (PAYMENTS, US, "payments", "com.acme.payments.cards", "CardDeclined"),
    (PAYMENTS, US, "default", "aws.guardduty", "GuardDuty Finding"),
    (LEDGER, US, "default", "aws.guardduty", "GuardDuty Finding"),
];

/// The targets that each event is delivered to, those on its way among them.
pub(crate) type Deliveries = Vec<BTreeSet<String>>;

pub(crate) fn deliveries(aws: &SimulatedAws) -> Deliveries {
    EVENTS.iter().map(|event| delivered(&mut aws.clone(), *event)).collect()
}

fn delivered(
    aws: &mut SimulatedAws,
    (account, region, bus, source, detail_type): (&str, &str, &str, &str, &str),
) -> BTreeSet<String> {
    let hub = if region == US { "org-events" } else { "org-events-eu" };
    let hub = format!("arn:aws:events:{region}:{PLATFORM}:event-bus/{hub}");
    let detail = json!({"amount": 20_000, "currency": "EUR"});
    let mut entry = EventEntry::new(if bus.is_empty() { &hub } else { bus }, source, detail_type, detail);
    entry.resources.push("arn:aws:s3:::books".to_owned());
    let before = aws.trace().len();
    if source.starts_with("aws.") {
        aws.service_event(account, region, &entry);
    } else {
        // Who may not put it has not put it.
        _ = aws.put_event(&Caller::root(account), region, &entry);
    }
    let records = aws.trace()[before..].iter();
    let delivered = records.filter(|record| record.outcome == DeliveryOutcome::Delivered);
    delivered.map(|record| record.target_arn.clone()).collect()
}

/// What is delivered before and in the end and not in between, a line each. What has one other target in the end than
/// before has moved, and has to arrive at either.
pub(crate) fn interrupted(before: &Deliveries, end: &Deliveries, between: &Deliveries) -> Vec<String> {
    let mut lost = Vec::new();
    for (((event, before), end), between) in EVENTS.iter().zip(before).zip(end).zip(between) {
        let missing: Vec<&String> = before.intersection(end).filter(|target| !between.contains(*target)).collect();
        let (left, new): (Vec<&String>, Vec<&String>) =
            (before.difference(end).collect(), end.difference(before).collect());
        let is_between = left.len() == 1 && new.len() == 1 && !between.contains(left[0]) && !between.contains(new[0]);
        if !missing.is_empty() || is_between {
            lost.push(format!("{event:?} is in {between:?}; it was in {before:?} and will be in {end:?}"));
        }
    }
    lost
}
