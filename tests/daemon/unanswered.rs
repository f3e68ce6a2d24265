//! What is done, and what is left, while an account does not answer.

use crate::support::probes::{FRAUD, PLATFORM, US};
use crate::support::{Bench, Hands, difference};
use crate::world::{ENFORCE, Running, begin, example, start, start_silenced};
use crate::{HOUR, HUB, in_step, rule};
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use wheelwright::call::{Answer, Call, CallError, ErrorClass};
use wheelwright::model::finding::FindingCode;
use wheelwright::model::ids::Scope;
use wheelwright::port::Fleet;
use wheelwright::stage;
use wheelwright::store::Store;

/// The ARNs that a rule of the hub delivers to; none, too, where the rule is not there.
fn destinations(running: &Running, rule: &str) -> Vec<String> {
    let named = json!({"EventBusName": HUB, "NamePrefix": rule});
    running.aws(|aws| {
        let mut hands = Hands { aws };
        let rules = hands.call(PLATFORM, US, "ListRules", named);
        if rules["Rules"].as_array().unwrap().is_empty() {
            return Vec::new();
        }
        let targets = hands.call(PLATFORM, US, "ListTargetsByRule", json!({"EventBusName": HUB, "Rule": rule}));
        let arns =
            targets["Targets"].as_array().unwrap().iter().map(|target| target["Arn"].as_str().unwrap().to_owned());
        arns.collect()
    })
}

fn take_targets(running: &Running, rule: &str) {
    running.aws(|aws| Hands { aws }.remove_targets(PLATFORM, US, HUB, rule));
}

/// A fleet in which an account takes no more calls after the first write there, once it is armed.
struct Refusing<F> {
    fleet: F,
    is_armed: Arc<AtomicBool>,
    refuses: AtomicBool,
}

impl<F: Fleet> Fleet for Refusing<F> {
    async fn call(&self, scope: &Scope, call: Call) -> Result<Answer, CallError> {
        let is_there = scope.account.to_string() == FRAUD;
        if is_there && self.refuses.load(Ordering::SeqCst) {
            return Err(CallError {
                class: ErrorClass::RoleRefused,
                scope: scope.clone(),
                action: "sts:AssumeRole".into(),
                code: None,
                message: "the role is gone".into(),
                request_id: None,
            });
        }
        if is_there && call.is_write() && self.is_armed.load(Ordering::SeqCst) {
            self.refuses.store(true, Ordering::SeqCst);
        }
        self.fleet.call(scope, call).await
    }
}

/// What the plan leaves until the account answers.
fn waiting(running: &Running) -> Vec<String> {
    let plan = running.handle.status().plan.clone().unwrap();
    let unready = plan.findings.iter().filter(|finding| finding.code == FindingCode::DestinationUnready);
    unready.map(|finding| finding.resource.to_string()).collect()
}

fn is_unread(running: &Running) -> bool {
    let plan = running.handle.status().plan.clone();
    plan.is_some_and(|plan| plan.findings.iter().any(|finding| finding.code == FindingCode::Unread))
}

async fn unread(running: &Running) {
    running.until(5 * 60, "it is told that the account does not answer", is_unread).await;
}

#[tokio::test(start_paused = true)]
async fn what_somebody_takes_away_is_put_back_and_what_is_newly_asked_for_waits() {
    let (example, aws) = example(ENFORCE);
    let (running, silent) = start_silenced(Bench::by_call(&example, aws), Arc::new(Store::in_memory().unwrap()));
    in_step(&running).await;
    let settled = rule(&running, "ww.fraud.settled");
    let before = destinations(&running, &settled);
    assert_eq!(before.len(), 1);
    silent.lock().unwrap().insert(FRAUD.to_owned());
    unread(&running).await;
    take_targets(&running, &settled);
    running.until(120, "its target is back", |running| destinations(running, &settled) == before).await;
    take_targets(&running, &settled);
    running.aws(|aws| Hands { aws }.call(PLATFORM, US, "DeleteRule", json!({"EventBusName": HUB, "Name": settled})));
    running.until(120, "the rule is back", |running| destinations(running, &settled) == before).await;
    // A route that nobody had waits.
    running.files.commit(|files| {
        let fraud = files.get_mut("topology/teams/fraud.toml").unwrap();
        fraud.push_str("\n[subscribe.more]\nfrom = \"payments.settlements\"\nwhere.detail.kind = [\"odd\"]\n");
    });
    let is_told = |running: &Running| waiting(running).iter().any(|resource| resource.contains("ww.fraud.more"));
    running.until(120, "it is told what waits", is_told).await;
    running.wait_secs(20 * 60).await;
    let more = rule(&running, "ww.fraud.more");
    assert_eq!(destinations(&running, &more), Vec::<String>::new());
    silent.lock().unwrap().clear();
    running.until(20 * 60, "it is made", |running| destinations(running, &more) == before).await;
    in_step(&running).await;
    running.end().await;
}

/// It answered when the sweep began, and not any more when what was written there was to be read back.
#[tokio::test(start_paused = true)]
async fn what_somebody_takes_away_is_put_back_where_an_account_fell_silent_during_a_sweep() {
    let (example, aws) = example(ENFORCE);
    let Bench { example, world, fleet, clock, settings: _ } = Bench::by_call(&example, aws);
    let is_armed = Arc::new(AtomicBool::new(false));
    let fleet = Refusing { fleet, is_armed: is_armed.clone(), refuses: AtomicBool::new(false) };
    let running = begin(fleet, &example, world, clock, Arc::new(Store::in_memory().unwrap()));
    in_step(&running).await;
    let settled = rule(&running, "ww.fraud.settled");
    let before = destinations(&running, &settled);
    is_armed.store(true, Ordering::SeqCst);
    let arn = format!("arn:aws:events:{US}:{FRAUD}:event-bus/fraud");
    let untagged = json!({"ResourceARN": arn, "TagKeys": ["cost-center"]});
    running.aws(|aws| Hands { aws }.call(FRAUD, US, "UntagResource", untagged));
    running.until(2 * HOUR, "it is written, and refuses then", is_unread).await;
    take_targets(&running, &settled);
    running.until(120, "its target is back", |running| destinations(running, &settled) == before).await;
    running.end().await;
}

/// Nobody knows whether the account's bus is still there, and who it lets in.
#[tokio::test(start_paused = true)]
async fn nothing_is_put_back_for_an_account_that_never_answered() {
    let (example, aws) = example(ENFORCE);
    let store = Arc::new(Store::in_memory().unwrap());
    let running = start(Bench::by_call(&example, aws), store.clone());
    in_step(&running).await;
    let settled = rule(&running, "ww.fraud.settled");
    let before = destinations(&running, &settled);
    take_targets(&running, &settled);
    let aws = running.aws(|aws| aws.clone());
    running.end().await;
    let (running, silent) = start_silenced(Bench::by_call(&example, aws), store);
    silent.lock().unwrap().insert(FRAUD.to_owned());
    unread(&running).await;
    running.wait_secs(20 * 60).await;
    assert_eq!(destinations(&running, &settled), Vec::<String>::new());
    assert!(waiting(&running).iter().any(|resource| resource.contains(&settled)));
    silent.lock().unwrap().clear();
    running.until(11 * 60, "its target is back", |running| destinations(running, &settled) == before).await;
    running.end().await;
}

/// What a newer topology wrote is left alone also where the hub, whose marks tell that there is one, does not answer.
#[tokio::test(start_paused = true)]
async fn an_older_topology_takes_nothing_away_while_the_hub_does_not_answer() {
    let (example, mut aws) = example(ENFORCE);
    let extra = "\n[publish.extra]\nsource = \"com.acme.extra\"\nsubscribers = [\"*\"]\nvia = \"spoke\"\n";
    let tags = "tags = { cost-center = \"commerce\" }";
    let retagged = example.edited(&[("topology/teams/orders.toml", tags, "tags = { cost-center = \"trade\" }")]);
    let newer = retagged.with("topology/teams/orders.toml", extra);
    stage::prepare(&mut aws, &newer.topology, &newer.settings, &newer.desired);
    let store = Arc::new(Store::in_memory().unwrap());
    let running = start(Bench::by_call(&newer, aws), store.clone());
    in_step(&running).await;
    let aws = running.aws(|aws| aws.clone());
    running.end().await;
    let before = aws.snapshot(|_| true);
    let is_there = before.to_string().contains("ww.orders.extra");
    assert!(is_there);
    let (running, silent) = start_silenced(Bench::by_call(&example, aws), store);
    silent.lock().unwrap().insert(PLATFORM.to_owned());
    unread(&running).await;
    running.wait_secs(2 * HOUR).await;
    assert_eq!(difference(&before, &running.aws(|aws| aws.snapshot(|_| true))), Vec::<String>::new());
    let plan = running.handle.status().plan.clone().unwrap();
    let left = |code: FindingCode| plan.findings.iter().any(|finding| finding.code == code);
    assert!(left(FindingCode::Superseded), "{:?}", plan.findings);
    running.end().await;
}
