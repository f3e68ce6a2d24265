//! Generated topologies, and accounts that have what they ask for.

use crate::generator;
use crate::rng::Rng;
use crate::spec::{Event, KEY_ID, REGIONS, Spec, Way};
use crate::support::{Bench, Example};
use serde_json::{Value, json};
use wheelwright::eventbridge::Arn;
use wheelwright::sim::call_door::SimFleet;
use wheelwright::sim::{Caller, DeliveryRecord, EventEntry, SimulatedAws, key_policy};

use crate::samples::SAMPLES;
use std::sync::Arc;

/// A topology, and the accounts after it was applied.
pub(crate) async fn converged(rng: &mut Rng) -> (Spec, Bench<SimFleet>) {
    let mut spec = generator::topology(rng);
    let gateways: Vec<usize> = (0..spec.accounts.len()).rev().take(2).collect();
    for publication in spec.teams.iter_mut().flat_map(|team| &mut team.publications) {
        if publication.way == Way::Hub && rng.chance(30) {
            publication.gateways = vec![*rng.pick(&gateways)];
        }
    }
    let example = Example::of(spec.files().into_iter().collect(), 1);
    let mut aws = example.stage();
    create_keys(&mut aws, &spec);
    for queue in spec.mailboxes().into_iter().filter(|mailbox| mailbox.contains(":sqs:")) {
        create_queue(&mut aws, &queue);
    }
    let bench = Bench::by_call(&example, aws);
    let swept = bench.sweep().await;
    assert!(swept.after.is_empty(), "{}", bench.shown(&swept.after));
    (spec, bench)
}

fn create_keys(aws: &mut SimulatedAws, spec: &Spec) {
    for account in &spec.accounts {
        let mut policy = key_policy(&account.id);
        let operator = json!({
            "Sid": "Operator", "Effect": "Allow", "Action": "kms:*", "Resource": "*",
            "Principal": {"AWS": format!("arn:aws:iam::{}:role/wheelwright-operator", account.id)},
        });
        policy["Statement"].as_array_mut().unwrap().push(operator);
        for region in REGIONS {
            let key = aws.create_key_with_id(&account.id, region, KEY_ID);
            aws.set_key_policy(&key, &policy);
        }
    }
}

/// A queue that anybody may send to.
pub(crate) fn create_queue(aws: &mut SimulatedAws, arn: &str) {
    let parsed: Arn = arn.parse().unwrap();
    let policy = json!({"Version": "2012-10-17", "Statement": [
        {"Sid": "all", "Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage", "Resource": arn}
    ]});
    aws.create_queue_with_policy(&parsed.account, &parsed.region, parsed.queue_name().unwrap(), &policy);
}

/// The event as a person has it, and the ARN of the bus that it is put on.
pub(crate) fn asked(event: &Event) -> (Value, String) {
    let text = json!({
        "source": event.source, "detail-type": event.kind, "detail": SAMPLES[event.sample].detail(0),
    });
    (text, Arn::bus(event.at.region, &event.at.account, &event.at.bus).to_string())
}

/// What became of the event when its publisher put it: in a copy of the accounts.
pub(crate) fn put(aws: &SimulatedAws, event: &Event) -> Vec<Arc<DeliveryRecord>> {
    let mut aws = aws.clone();
    let before = aws.trace().len();
    let entry = EventEntry::new(&asked(event).1, &event.source, event.kind, SAMPLES[event.sample].detail(0));
    if event.is_a_services() {
        let entry = EventEntry { bus: event.at.bus.clone(), ..entry };
        aws.service_event(&event.account, event.at.region, &entry);
    } else {
        // A refusal is an answer, too: nothing is delivered.
        _ = aws.put_event(&Caller::root(&event.account), event.at.region, &entry);
    }
    aws.trace()[before..].to_vec()
}
