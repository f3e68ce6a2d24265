//! Generated topologies, and accounts that have what they ask for.

use crate::generator;
use crate::rng::Rng;
use crate::spec::{Event, Spec, Way};
use crate::staged::{create_keys, create_queue};
use crate::support::{Bench, Example};
use serde_json::{Value, json};
use wheelwright::eventbridge::Arn;
use wheelwright::sim::call_door::SimFleet;
use wheelwright::sim::{Caller, DeliveryRecord, EventEntry, SimulatedAws};

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
