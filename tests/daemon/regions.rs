//! What is left in a Region that the topology does not name any more.

use crate::support::probes::SHIPPING;
use crate::support::{Bench, Hands, SYDNEY, SYDNEYS_FILE};
use crate::world::{ENFORCE, Running, example, start};
use crate::{HOUR, in_step};
use std::sync::Arc;
use wheelwright::sim::SnapshotKind;
use wheelwright::stage;
use wheelwright::store::Store;

/// How many rules with our name there are in the Region that nothing names any more, and whether the daemon reads it.
fn in_sydney(running: &Running) -> (usize, bool) {
    let rules = running.aws(|aws| aws.snapshot(|item| item.kind == SnapshotKind::Rule && item.region == SYDNEY));
    let is_read = running.handle.status().scopes.keys().any(|scope| scope.region.as_str() == SYDNEY);
    (rules.to_string().matches("ww.sydney.orders").count().min(1), is_read)
}

/// Somebody takes away the last of our things in the Region, which no plan takes away.
fn retire_sydney(running: &Running) {
    running.aws(|aws| Hands { aws }.delete_bus(SHIPPING, SYDNEY, "sydney"));
}

#[tokio::test(start_paused = true)]
async fn what_is_left_in_a_region_that_nothing_names_any_more_goes_and_then_it_is_not_read() {
    let (example, mut aws) = example(ENFORCE);
    let with = example.with_sydney();
    stage::prepare(&mut aws, &with.topology, &with.settings, &with.desired);
    let running = start(Bench::by_call(&with, aws), Arc::new(Store::in_memory().unwrap()));
    in_step(&running).await;
    assert_eq!(in_sydney(&running), (1, true));
    running.files.commit(|files| _ = files.remove(SYDNEYS_FILE).unwrap());
    running.until(900, "the rule is gone", |running| in_sydney(running).0 == 0).await;
    running.wait_secs(2 * HOUR).await;
    assert_eq!(in_sydney(&running), (0, true), "its bus is ours, and only a person takes it away");
    retire_sydney(&running);
    running.wait_secs(2 * HOUR).await;
    assert_eq!(in_sydney(&running), (0, false));
    in_step(&running).await;
    running.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_region_that_went_while_the_daemon_was_down_is_still_looked_at() {
    let (example, mut aws) = example(ENFORCE);
    let with = example.with_sydney();
    stage::prepare(&mut aws, &with.topology, &with.settings, &with.desired);
    let store = Arc::new(Store::in_memory().unwrap());
    let running = start(Bench::by_call(&with, aws), store.clone());
    in_step(&running).await;
    let aws = running.aws(|aws| aws.clone());
    running.end().await;
    let running = start(Bench::by_call(&example.newer().newer(), aws), store.clone());
    running.until(900, "the rule is gone", |running| in_sydney(running) == (0, true)).await;
    let aws = running.aws(|aws| aws.clone());
    running.end().await;
    // And whoever starts once more goes on with what is left there.
    let running = start(Bench::by_call(&example.newer().newer(), aws), store);
    in_step(&running).await;
    assert_eq!(in_sydney(&running), (0, true));
    retire_sydney(&running);
    running.wait_secs(2 * HOUR).await;
    assert_eq!(in_sydney(&running), (0, false));
    running.end().await;
}
