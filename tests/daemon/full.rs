//! What only full sweeps see, between them: what was held and may go, and what could not be written.

use crate::support::probes::{PLATFORM, US};
use crate::support::{Bench, Example, Hands};
use crate::world::{ENFORCE, Running, begin, example, start};
use crate::{HOUR, HUB, in_step, incidents, order};
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use wheelwright::call::{Answer, Call, CallError, ErrorClass};
use wheelwright::daemon::Command;
use wheelwright::model::finding::FindingCode;
use wheelwright::model::ids::Scope;
use wheelwright::model::order::{Pause, Reach};
use wheelwright::port::Fleet;
use wheelwright::sim::SimulatedAws;
use wheelwright::store::Store;

/// A fleet whose first calls to tag something come to nothing: somebody else is writing there.
struct Contended<F> {
    fleet: F,
    left: Arc<AtomicUsize>,
    tried: Arc<AtomicUsize>,
}

impl<F: Fleet> Fleet for Contended<F> {
    async fn call(&self, scope: &Scope, call: Call) -> Result<Answer, CallError> {
        if let Call::TagResource { .. } = &call {
            self.tried.fetch_add(1, Ordering::SeqCst);
            let is_contended = self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
            if is_contended.is_ok() {
                let code = "ConcurrentModificationException";
                return Err(CallError {
                    class: ErrorClass::of_code(code, 400),
                    scope: scope.clone(),
                    action: call.action().into(),
                    code: Some(code.into()),
                    message: "somebody else is writing".into(),
                    request_id: None,
                });
            }
        }
        self.fleet.call(scope, call).await
    }
}

/// A daemon in step before a fleet whose first `times` calls to tag something are to come to nothing once the counter that is returned is
/// set; and how many there were.
fn contended(example: &Example, aws: SimulatedAws) -> (Running, Arc<AtomicUsize>, Arc<AtomicUsize>) {
    let bench = Bench::by_call(example, aws);
    let (left, tried) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let Bench { example, world, fleet, clock, settings: _ } = bench;
    let fleet = Contended { fleet, left: left.clone(), tried: tried.clone() };
    let running = begin(fleet, &example, world, clock, Arc::new(Store::in_memory().unwrap()));
    (running, left, tried)
}

fn hub_arn() -> String {
    format!("arn:aws:events:{US}:{PLATFORM}:event-bus/{HUB}")
}

/// Somebody takes a tag off the hub: no listing tells.
fn untag(running: &Running) {
    let input = json!({"ResourceARN": hub_arn(), "TagKeys": ["cost-center"]});
    running.aws(|aws| Hands { aws }.call(PLATFORM, US, "UntagResource", input));
}

fn is_tagged(running: &Running) -> bool {
    let input = json!({"ResourceARN": hub_arn()});
    let tags = running.aws(|aws| Hands { aws }.call(PLATFORM, US, "ListTagsForResource", input));
    tags.to_string().contains("cost-center")
}

/// Waits until a full sweep is just over: the next one is a quarter of an hour away.
async fn after_a_full_sweep(running: &Running) {
    let known = running.store.sweeps(1, None).unwrap()[0].id;
    let is_over = |running: &Running| {
        let latest = &running.store.sweeps(1, None).unwrap()[0];
        latest.full && latest.id > known
    };
    running.until(HOUR, "a full sweep", is_over).await;
}

#[tokio::test(start_paused = true)]
async fn what_a_pause_held_goes_on_with_its_end_also_where_only_a_full_sweep_sees_it() {
    let (example, aws) = example(ENFORCE);
    let running = start(Bench::by_call(&example, aws), Arc::new(Store::in_memory().unwrap()));
    in_step(&running).await;
    for ends_by_itself in [false, true] {
        running.tell(Command::Pause(Pause { reach: Reach::All, order: order(&running, 1) })).await;
        untag(&running);
        after_a_full_sweep(&running).await;
        assert!(!is_tagged(&running));
        if ends_by_itself {
            let end = order(&running, 0).until;
            let pause = Pause { reach: Reach::All, order: order(&running, 1) };
            let order = wheelwright::model::order::Order { until: end.plus_ms(60_000), ..pause.order.clone() };
            running.tell(Command::Pause(Pause { order, ..pause })).await;
            running.wait_secs(50).await;
            assert!(!is_tagged(&running));
        } else {
            running.tell(Command::Resume(Reach::All)).await;
        }
        running.until(30, "what was held is done", is_tagged).await;
        in_step(&running).await;
    }
    running.end().await;
}

#[tokio::test(start_paused = true)]
async fn what_only_a_full_sweep_sees_and_could_not_be_written_is_tried_again_before_the_next_one() {
    let (example, aws) = example(ENFORCE);
    let (running, left, _) = contended(&example, aws);
    in_step(&running).await;
    after_a_full_sweep(&running).await;
    untag(&running);
    left.store(2, Ordering::SeqCst);
    after_a_full_sweep(&running).await;
    assert!(!is_tagged(&running));
    running.until(120, "the third try", is_tagged).await;
    let told = incidents(&running).into_iter().any(|incident| incident.concern.code == FindingCode::Unwritten);
    assert!(!told, "what passed by itself is told");
    running.end().await;
}

#[tokio::test(start_paused = true)]
async fn what_only_a_full_sweep_sees_and_can_never_be_written_is_told_after_the_third_try_and_waits_then() {
    let (example, aws) = example(ENFORCE);
    let (running, left, tried) = contended(&example, aws);
    in_step(&running).await;
    after_a_full_sweep(&running).await;
    untag(&running);
    left.store(usize::MAX, Ordering::SeqCst);
    after_a_full_sweep(&running).await;
    let is_told = |running: &Running| {
        let found = incidents(running);
        found.iter().any(|one| one.concern.code == FindingCode::Unwritten && one.resolved.is_none())
    };
    running.until(120, "that it cannot be written is told", is_told).await;
    let before = tried.load(Ordering::SeqCst);
    running.wait_secs(600).await;
    assert_eq!(tried.load(Ordering::SeqCst), before, "it waits for the next full sweep");
    assert!(is_told(&running), "and is told all the while");
    left.store(0, Ordering::SeqCst);
    running.until(HOUR, "it is written", is_tagged).await;
    in_step(&running).await;
    running.end().await;
}
