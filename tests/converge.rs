//! From text to a world in step: the worked example on the simulated AWS, from empty accounts to events in mailboxes,
//! with accounts that cannot be reached, and from one topology to the next.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod support;

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;
use std::sync::Mutex;
use support::probes::{
    ANALYTICS, ANALYTICS_EU, EU, FRAUD, LEDGER, Mail, ORDERS, PAYMENTS, PLATFORM, US, audit, hub_arn, mailbox,
    misdelivered,
};
use support::{Bench, Example, Hands, SimulatedClock, difference, is_ours};
use wheelwright::model::finding::{Finding, FindingCode, Outcome as FindingOutcome};
use wheelwright::model::ids::{Moment, Scope};
use wheelwright::model::plan::{Action, Guard, Plan, RouteEffect};
use wheelwright::plan::{Approval, Refusal};
use wheelwright::port::{Clock, Fleet};
use wheelwright::reconcile::pace::{Pace, Paced};
use wheelwright::reconcile::sweep::Swept;
use wheelwright::sim::sdk_door::SimHttpClient;
use wheelwright::sim::{Caller, EventEntry, Outcome, Permission, Role, Service, SimulatedAws, SnapshotItem, Trusted};
use wheelwright::stage;

// From empty accounts.

#[tokio::test(start_paused = true)]
async fn the_example_converges_through_the_sdk_from_empty_accounts() {
    let example = Example::worked();
    let bench = Bench::by_sdk(&example, example.stage());
    let swept = bench.sweep().await;
    bench.assert_in_step(&swept);
    assert!(swept.after.findings.is_empty(), "{}", bench.shown(&swept.after));
    let (_, second) = bench.plan().await;
    assert!(second.is_empty(), "{}", bench.shown(&second));
    // Nothing was refused on the way: each target came after the grant that it needs.
    assert_eq!(refused(&bench.aws()), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn targets_before_their_grants_are_refused_and_the_order_is_what_prevents_it() {
    let example = Example::worked();
    let bench = Bench::by_call(&example, example.stage());
    let (_, plan) = bench.plan().await;
    let mut refusals = 0;
    for phase in ["create-bus", "put-rule", "put-targets", "put-grant"] {
        for step in plan.steps.iter().filter(|step| step.action.verb() == phase) {
            refusals += usize::from(raw(&mut bench.aws(), &step.action).is_err());
        }
    }
    let onto_buses = example.desired.routes.values().filter(|route| route.destination_bus.is_some()).count();
    let forwards: BTreeSet<_> = example.desired.routes.values().flat_map(|route| &route.forward_rules).collect();
    assert_eq!(refusals, onto_buses + forwards.len());
    assert_eq!(refused(&bench.aws()).len(), refusals);
    assert!(refused(&bench.aws()).iter().all(|call| call.contains("PutTargets") && call.contains("AccessDenied")));
}

/// One step as a raw call of its account, without a look at what it waits for.
fn raw(aws: &mut SimulatedAws, action: &Action) -> Result<Value, wheelwright::sim::AwsError> {
    let (operation, input) = match action {
        Action::CreateBus { bus, .. } => ("CreateEventBus", json!({"Name": bus.name})),
        Action::PutRule { rule, pattern, .. } => {
            ("PutRule", json!({"Name": rule.name, "EventBusName": rule.bus.name, "EventPattern": pattern}))
        }
        Action::PutTargets { rule, targets } => {
            let target = |(id, spec): (&String, &wheelwright::model::resource::TargetSpec)| json!({"Id": id, "Arn": spec.arn, "RoleArn": spec.role_arn});
            let targets: Vec<Value> = targets.iter().map(target).collect();
            ("PutTargets", json!({"Rule": rule.name, "EventBusName": rule.bus.name, "Targets": targets}))
        }
        _ => return Ok(Value::Null),
    };
    let scope = action.scope();
    let caller = Caller::root(&scope.account.to_string());
    aws.call(&caller, scope.region.as_str(), Service::EventBridge, operation, &input)
}

/// The logged calls that were refused.
fn refused(aws: &SimulatedAws) -> Vec<String> {
    let refused = aws.log().iter().filter(|entry| entry.outcome != Outcome::Ok);
    refused.map(|entry| format!("{} {:?} {}", entry.operation, entry.outcome, entry.input)).collect()
}

#[tokio::test(start_paused = true)]
async fn each_event_is_in_its_subscribers_mailboxes_and_in_the_audit_and_nowhere_else() {
    let example = Example::worked();
    let mut aws = converged(&example).await;
    assert_eq!(misdelivered(&mut aws, &example.desired), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn an_event_under_another_teams_source_reaches_nobody() {
    let example = Example::worked();
    let mut aws = converged(&example).await;
    let mut mail = Mail::of(&aws);
    let large = json!({"amount": 20_000, "currency": "EUR"});
    let settled = |bus: &str| EventEntry::new(bus, "com.acme.payments", "PaymentSettled", large.clone());
    // The ledger may publish, but not this: the audit alone shows it, under the account that it came from.
    aws.put_event(&Caller::root(LEDGER), US, &settled(&hub_arn(US))).unwrap();
    assert_eq!(mail.arrived(&aws), BTreeMap::from([(audit(&example.desired), 1)]));
    // The whole organisation is let in at the European hub, and analytics publishes nothing.
    let order = EventEntry::new(&hub_arn(EU), "com.acme.orders.eu", "OrderPlaced", json!({"country": "NO"}));
    aws.put_event(&Caller::root(ANALYTICS_EU), EU, &order).unwrap();
    assert_eq!(mail.arrived(&aws), BTreeMap::new());
    // At the American one it is not even let in.
    let error = aws.put_event(&Caller::root(ANALYTICS), US, &settled(&hub_arn(US))).unwrap_err();
    assert_eq!(error.code, "AccessDeniedException");
    // A spoke's bus lets the hub's account in, and nobody else.
    let ledgers_bus = format!("arn:aws:events:{US}:{LEDGER}:event-bus/ledger");
    let error = aws.put_event(&Caller::root(FRAUD), US, &settled(&ledgers_bus)).unwrap_err();
    assert_eq!(error.code, "AccessDeniedException");
    assert_eq!(mail.arrived(&aws), BTreeMap::new());
}

#[tokio::test(start_paused = true)]
async fn listings_are_read_to_their_last_page() {
    let example = Example::worked();
    let mut aws = example.stage();
    aws.settings.page_size = 2;
    let bench = Bench::by_call(&example, aws);
    let swept = bench.sweep().await;
    bench.assert_in_step(&swept);
    let before = bench.aws().call_counts()["ListRules"];
    let (_, second) = bench.plan().await;
    assert!(second.is_empty(), "{}", bench.shown(&second));
    let rules_of_the_hub = example.desired.rules.keys().filter(|rule| rule.bus.arn() == hub_arn(US)).count() as u64;
    assert!(bench.aws().call_counts()["ListRules"] - before > rules_of_the_hub / 2);
}

#[tokio::test(start_paused = true)]
async fn calls_of_a_scope_stay_below_its_pace() {
    let example = Example::worked();
    let mut aws = example.stage();
    aws.settings.log_reads = true;
    // Faster than this, and the simulated AWS throttles.
    aws.settings.calls_per_second = Some(20);
    let bench = Bench::by_sdk(&example, aws);
    let number = |number| NonZeroU32::new(number).unwrap();
    let pace = Pace { calls_per_second: number(10), burst: number(10) };
    let fleet = Paced::new(&bench.fleet, pace, BTreeMap::new());
    let swept = bench.sweep_by(&fleet, &bench.clock, &Approval::default()).await.unwrap();
    bench.assert_in_step(&swept);
    let throttled = |call: &String| call.contains("Throttl");
    assert!(!refused(&bench.aws()).iter().any(throttled));
    let mut times: BTreeMap<(String, String), Vec<i64>> = BTreeMap::new();
    for entry in bench.aws().log() {
        times.entry((entry.account.clone(), entry.region.clone())).or_default().push(entry.at_ms);
    }
    let hub = &times[&(PLATFORM.to_owned(), US.to_owned())];
    assert!(hub.len() > 100, "the hub's scope is the busy one: {} calls", hub.len());
    for (scope, times) in times {
        for (start, from) in times.iter().enumerate() {
            let within = times[start..].iter().take_while(|time| **time < from + 1_000).count() as u64;
            assert!(within <= pace.calls_at_most(1), "{within} calls within a second in {scope:?}");
        }
    }
}

// Accounts that cannot be reached.

#[tokio::test(start_paused = true)]
async fn accounts_that_refuse_are_named_and_keep_nobody_else_waiting() {
    let example = Example::worked();
    let mut aws = example.stage();
    refuse_three(&mut aws);
    let bench = Bench::by_sdk(&example, aws);
    let swept = bench.sweep().await;
    assert_refusals_are_named(&swept.after);
    // The others have everything but what waits for those three.
    let refusing = [LEDGER, FRAUD, ANALYTICS];
    for step in &swept.after.steps {
        let text = serde_json::to_string(&step.action).unwrap();
        assert!(refusing.iter().any(|account| text.contains(account)), "not done: {text}");
    }
    for account in refusing {
        let theirs = bench.aws().snapshot(|item: &SnapshotItem<'_>| item.account == account && is_ours(item));
        assert_eq!(theirs, json!({}), "written in {account}");
    }
    // Once they let us in, the next sweep does the rest.
    let mut aws = bench.aws().clone();
    let_three_in(&mut aws);
    let bench = Bench::by_sdk(&example, aws);
    let swept = bench.sweep().await;
    bench.assert_in_step(&swept);
}

/// A denial in the ledger's account, no role in fraud's, another external id in analytics'.
fn refuse_three(aws: &mut SimulatedAws) {
    aws.deny(LEDGER, "events:*");
    aws.delete_role(FRAUD, "wheelwright-operator");
    let operator = Role::named("wheelwright-operator")
        .trusting(Trusted::Account(stage::OPERATOR_ACCOUNT.to_owned()))
        .with_external_id("somebody/else");
    aws.create_role(ANALYTICS, operator);
}

fn assert_refusals_are_named(plan: &Plan) {
    let unread: BTreeMap<String, &str> = plan
        .findings
        .iter()
        .filter(|finding| finding.code == FindingCode::Unread)
        .map(|finding| (finding.resource.scope().account.to_string(), finding.detail.as_str()))
        .collect();
    assert_eq!(unread.keys().map(String::as_str).collect::<Vec<_>>(), [LEDGER, FRAUD, ANALYTICS], "{unread:?}");
    assert!(unread[LEDGER].contains("events:ListEventBuses denied"), "{}", unread[LEDGER]);
    for account in [FRAUD, ANALYTICS] {
        assert!(unread[account].contains("sts:AssumeRole role-refused"), "{}", unread[account]);
        assert!(unread[account].contains("external id"), "{}", unread[account]);
    }
}

fn let_three_in(aws: &mut SimulatedAws) {
    aws.undo_deny(LEDGER, "events:*");
    for account in [FRAUD, ANALYTICS] {
        let operator = Role::named("wheelwright-operator")
            .trusting(Trusted::Account(stage::OPERATOR_ACCOUNT.to_owned()))
            .with_external_id("acme/eventbridge")
            .allowing(Permission::on_everything(&["events:*", "iam:PassRole"]));
        aws.create_role(account, operator);
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_is_taken_away_that_rests_on_an_account_that_was_not_read() {
    let example = Example::worked();
    let mut aws = converged(&example).await;
    refuse_three(&mut aws);
    // From the queue to the ledger's bus, and the ledger cannot be read: the queue must stay.
    let next = example.edited(&[(
        "topology/teams/ledger.toml",
        "deliver = { queue = \"large-payments\" }\nretry = { attempts-max = 20, event-age-secs-max = 3600 }\n",
        "",
    )]);
    let before = aws.clone();
    let bench = Bench::by_call(&next, aws);
    let (_, plan) = bench.plan().await;
    assert_refusals_are_named_by_call(&plan);
    assert!(plan.steps.iter().all(|step| !step.is_break()), "{}", bench.shown(&plan));
    // Nothing is put where it is not known whether events would be let in either.
    let waiting = plan.findings.iter().find(|finding| finding.code == FindingCode::DestinationUnready).unwrap();
    assert!(
        waiting.detail.contains(LEDGER) && waiting.resource.to_string().contains("ww.ledger.large."),
        "{waiting:?}"
    );
    bench.sweep().await;
    let in_three = |item: &SnapshotItem<'_>| [LEDGER, FRAUD, ANALYTICS].contains(&item.account);
    assert_eq!(difference(&before.snapshot(in_three), &bench.aws().snapshot(in_three)), Vec::<String>::new());
    let mut aws = bench.aws().clone();
    aws.undo_deny(LEDGER, "events:*");
    let mut mail = Mail::of(&aws);
    publish_large(&mut aws);
    assert_eq!(mail.arrived(&aws).get(&mailbox(&example.desired, "ledger.large")), Some(&1));
}

fn assert_refusals_are_named_by_call(plan: &Plan) {
    let unread = plan.findings.iter().filter(|finding| finding.code == FindingCode::Unread);
    let accounts: BTreeSet<String> = unread.map(|finding| finding.resource.scope().account.to_string()).collect();
    assert_eq!(accounts.iter().map(String::as_str).collect::<Vec<_>>(), [LEDGER, FRAUD, ANALYTICS]);
}

#[tokio::test(start_paused = true)]
async fn a_role_that_leads_into_another_account_writes_nothing_there() {
    let example = Example::worked();
    let bench = Bench::by_http(&example, example.stage(), |client| Misled { client });
    let swept = bench.sweep().await;
    // The ledger's role answers with fraud's credentials: nothing is read with them, so that fraud's things are not taken
    // for the ledger's, nothing is written, and fraud has its own things alone.
    let unread =
        |finding: &&Finding| finding.code == FindingCode::Unread && finding.resource.scope() == &scope(LEDGER, US);
    let finding = swept.after.findings.iter().find(unread).unwrap();
    assert!(finding.detail.contains("wrong-account") && finding.detail.contains(FRAUD), "{finding:?}");
    assert!(!swept.outcomes.keys().any(|key| key.to_string().contains(&format!(" {LEDGER}/"))));
    let buses = bench.aws().snapshot(|item| is_ours(item) && [LEDGER, FRAUD].contains(&item.account));
    let names: Vec<&String> = buses.as_object().unwrap().keys().collect();
    assert!(names.iter().any(|name| name.ends_with("bus/fraud")), "{names:?}");
    assert!(names.iter().all(|name| name.starts_with(FRAUD) && !name.contains("ledger")), "{names:?}");
}

/// Asks for fraud's role whenever the ledger's is asked for.
#[derive(Debug, Clone)]
struct Misled {
    client: SimHttpClient,
}

impl HttpConnector for Misled {
    fn call(&self, mut request: HttpRequest) -> HttpConnectorFuture {
        let body = String::from_utf8_lossy(request.body().bytes().unwrap_or_default()).into_owned();
        if body.contains("Action=AssumeRole") {
            let asked = format!("iam%3A%3A{LEDGER}");
            *request.body_mut() = SdkBody::from(body.replace(&asked, &format!("iam%3A%3A{FRAUD}")));
        }
        self.client.call(request)
    }
}

impl HttpClient for Misled {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

// From one topology to the next.

/// The example in step, with each team's own rule on its bus.
async fn converged(example: &Example) -> SimulatedAws {
    let bench = Bench::by_call(example, example.stage());
    let swept = bench.sweep().await;
    bench.assert_in_step(&swept);
    let mut aws = bench.aws().clone();
    stage::furnish(&mut aws, &example.desired).unwrap();
    aws
}

/// Everything of the topology's accounts; a Region of the operator's own comes to be when it is first called.
fn everything(item: &SnapshotItem<'_>) -> bool {
    item.account != stage::OPERATOR_ACCOUNT
}

fn foreign(item: &SnapshotItem<'_>) -> bool {
    everything(item) && !is_ours(item)
}

fn scope(account: &str, region: &str) -> Scope {
    Scope::new(account.parse().unwrap(), region)
}

fn publish_large(aws: &mut SimulatedAws) {
    let detail = json!({"amount": 20_000, "currency": "EUR"});
    let entry = EventEntry::new(&hub_arn(US), "com.acme.payments", "PaymentSettled", detail);
    aws.put_event(&Caller::root(PAYMENTS), US, &entry).unwrap();
}

/// A clock that publishes a payment while the sweep waits for what it made to settle.
struct Publishing<'a> {
    clock: SimulatedClock,
    world: &'a Mutex<SimulatedAws>,
    arrived: Mutex<Vec<BTreeMap<String, usize>>>,
}

impl<'a> Publishing<'a> {
    fn new<F>(bench: &'a Bench<F>) -> Self {
        Self { clock: bench.clock, world: &bench.world, arrived: Mutex::default() }
    }

    fn publish(&self) {
        let mut aws = self.world.lock().unwrap();
        let mut mail = Mail::of(&aws);
        publish_large(&mut aws);
        self.arrived.lock().unwrap().push(mail.arrived(&aws));
    }
}

impl Clock for Publishing<'_> {
    fn now(&self) -> Moment {
        Clock::now(&self.clock)
    }
    async fn wait_ms(&self, milliseconds: u64) {
        self.clock.wait_ms(milliseconds).await;
        self.publish();
    }
}

/// Sweeps with a settle time; what a payment reached before, between makes and breaks, and after.
async fn sweep_and_watch<F: Fleet>(bench: &mut Bench<F>) -> (Plan, Swept, Vec<BTreeMap<String, usize>>) {
    bench.settings.settle_ms = 300_000;
    let (_, plan) = bench.plan().await;
    let clock = Publishing::new(bench);
    clock.publish();
    let swept = bench.sweep_with(&clock, &Approval::default()).await.unwrap();
    clock.publish();
    let watched = clock.arrived.into_inner().unwrap();
    bench.assert_in_step(&swept);
    (plan, swept, watched)
}

fn effects(plan: &Plan) -> Vec<(&str, RouteEffect, bool)> {
    plan.routes.iter().map(|change| (change.route.as_str(), change.effect, change.duplicates)).collect()
}

#[tokio::test(start_paused = true)]
async fn a_subscription_that_moves_from_bus_to_queue_receives_at_both_ends_in_between() {
    let example = Example::worked();
    let mut aws = converged(&example).await;
    aws.create_queue_with_policy(
        ORDERS,
        US,
        "orders-settled",
        &json!({"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage", "Resource": "*"}
        ]}),
    );
    let next = example.edited(&[(
        "topology/teams/orders.toml",
        "[subscribe.settled]\nfrom = \"payments.settlements\"\n",
        "[subscribe.settled]\nfrom = \"payments.settlements\"\ndeliver = { queue = \"orders-settled\" }\n",
    )]);
    let (old, new) = (mailbox(&example.desired, "orders.settled"), mailbox(&next.desired, "orders.settled"));
    assert_ne!(old, new);
    let mut bench = Bench::by_sdk(&next, aws);
    let (plan, _, watched) = sweep_and_watch(&mut bench).await;
    assert_eq!(effects(&plan), [("payments.settlements -> orders.settled", RouteEffect::Moves, true)]);
    let ends: Vec<(bool, bool)> =
        watched.iter().map(|arrived| (arrived.contains_key(&old), arrived.contains_key(&new))).collect();
    assert_eq!(ends, [(true, false), (true, true), (false, true)]);
    let others = |arrived: &BTreeMap<String, usize>| -> BTreeMap<String, usize> {
        arrived.clone().into_iter().filter(|(queue, _)| *queue != old && *queue != new).collect()
    };
    assert_eq!(others(&watched[0]), others(&watched[1]));
    assert_eq!(others(&watched[0]), others(&watched[2]));
}

#[tokio::test(start_paused = true)]
async fn a_subscription_that_is_renamed_never_stops_delivering() {
    let example = Example::worked();
    let aws = converged(&example).await;
    let next = example.edited(&[
        ("topology/teams/orders.toml", "[subscribe.settled]", "[subscribe.paid]"),
        (
            "topology/teams/ledger.toml",
            "\"ledger.settlements\", \"orders.settled\"]\n\n[expect.large-yen",
            "\"ledger.settlements\", \"orders.paid\"]\n\n[expect.large-yen",
        ),
        (
            "topology/teams/ledger.toml",
            "\"ledger.settlements\", \"orders.settled\"]\n\n[expect.only",
            "\"ledger.settlements\", \"orders.paid\"]\n\n[expect.only",
        ),
    ]);
    let mut bench = Bench::by_sdk(&next, aws);
    let (plan, _, watched) = sweep_and_watch(&mut bench).await;
    let inbox = mailbox(&next.desired, "orders.paid");
    let copies: Vec<usize> = watched.iter().map(|arrived| arrived.get(&inbox).copied().unwrap_or(0)).collect();
    assert_eq!(copies, [1, 2, 1], "once by the old rule, by both, once by the new");
    assert_eq!(effects(&plan), [("payments.settlements -> orders.paid", RouteEffect::Moves, true)]);
}

#[tokio::test(start_paused = true)]
async fn a_subscription_that_is_removed_stops() {
    let example = Example::worked();
    let aws = converged(&example).await;
    let next =
        example.edited(&[("topology/teams/fraud.toml", "[subscribe.cards]\nfrom = \"payments.authorizations\"\n", "")]);
    let before = aws.snapshot(foreign);
    let bench = Bench::by_sdk(&next, aws);
    let (_, plan) = bench.plan().await;
    assert_eq!(plan.routes.len(), 1, "{}", bench.shown(&plan));
    assert_eq!(plan.routes[0].effect, RouteEffect::Stops);
    assert!(plan.routes[0].route.contains("fraud.cards"), "{}", bench.shown(&plan));
    let swept = bench.sweep().await;
    bench.assert_in_step(&swept);
    let aws = bench.aws();
    assert_eq!(aws.snapshot(|item| item.rule.starts_with("ww.fraud.cards")), json!({}));
    assert_eq!(difference(&before, &aws.snapshot(foreign)), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn too_many_removals_are_held_until_a_person_names_the_guard_or_the_plan() {
    let example = Example::worked();
    let aws = converged(&example).await;
    // Analytics and shipping leave, but stay on the roster.
    let mut texts = example.texts.clone();
    for (path, text) in &mut texts {
        if path.ends_with("teams/analytics.toml") {
            *text = text.split("[subscribe").next().unwrap().to_owned();
        } else {
            *text = without_expectations(text);
        }
    }
    let next = Example::of(texts, example.desired.revision.sequence + 1);
    let before = aws.snapshot(everything);
    let bench = Bench::by_sdk(&next, aws.clone());
    let (_, plan) = bench.plan().await;
    let held: Vec<Guard> = plan.holds.iter().map(|hold| hold.guard).collect();
    assert!(held.iter().all(|guard| *guard == Guard::TooManyBreaks) && !held.is_empty(), "{}", bench.shown(&plan));
    let swept = bench.sweep().await;
    assert!(!swept.in_step());
    let written = difference(&before, &bench.aws().snapshot(everything));
    let gone = |line: &String| line.ends_with("-> absent");
    assert!(!written.iter().any(gone), "{written:?}");
    for approval in [
        Approval { allow: [Guard::TooManyBreaks].into(), plan_id: None },
        Approval { allow: BTreeSet::new(), plan_id: Some(plan.id.clone()) },
    ] {
        let bench = Bench::by_sdk(&next, aws.clone());
        let swept = bench.sweep_with(&bench.clock, &approval).await.unwrap();
        bench.assert_in_step(&swept);
        let rules = bench.aws().snapshot(|item| item.rule.starts_with("ww.analytics."));
        assert_eq!(rules, json!({}));
    }
}

fn without_expectations(text: &str) -> String {
    let mut sections = text.split("\n[");
    let first = sections.next().unwrap_or_default().to_owned();
    sections.filter(|section| !section.starts_with("expect.")).fold(first, |kept, section| kept + "\n[" + section)
}

#[tokio::test(start_paused = true)]
async fn a_topology_that_asks_for_nothing_takes_nothing_away() {
    let example = Example::worked();
    let aws = converged(&example).await;
    // The checker refuses a folder without a hub; this is the second lock.
    let mut next = Example::of(example.texts.clone(), example.desired.revision.sequence + 1);
    next.desired.buses.clear();
    next.desired.grants.clear();
    next.desired.rules.clear();
    next.desired.archives.clear();
    next.desired.routes.clear();
    let before = aws.snapshot(everything);
    let bench = Bench::by_sdk(&next, aws);
    let (_, plan) = bench.plan().await;
    assert_eq!(plan.holds.iter().map(|hold| hold.guard).collect::<Vec<_>>(), [Guard::EmptyTopology]);
    let all_of_it = Approval {
        allow: [Guard::TooManyBreaks, Guard::TooManyChanges, Guard::Adopt].into(),
        plan_id: Some(plan.id.clone()),
    };
    bench.sweep_with(&bench.clock, &all_of_it).await.unwrap();
    assert_eq!(difference(&before, &bench.aws().snapshot(everything)), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn an_older_topology_writes_nothing_over_a_newer_one() {
    let example = Example::worked();
    let mut aws = converged(&example).await;
    let older = Example::of(example.texts.clone(), example.desired.revision.sequence - 1);
    let rule = older.desired.rules.keys().next().unwrap().clone();
    Hands { aws: &mut aws }.call(
        &rule.bus.scope.account.to_string(),
        rule.bus.scope.region.as_str(),
        "DisableRule",
        json!({"Name": rule.name, "EventBusName": rule.bus.name}),
    );
    let before = aws.snapshot(everything);
    let bench = Bench::by_sdk(&older, aws);
    let swept = bench.sweep().await;
    assert_eq!(swept.after.holds.iter().map(|hold| hold.guard).collect::<Vec<_>>(), [Guard::Superseded]);
    let superseded = swept.after.findings.iter().find(|finding| finding.code == FindingCode::Superseded);
    assert_eq!(superseded.map(|finding| finding.outcome), Some(FindingOutcome::Left));
    assert_eq!(difference(&before, &bench.aws().snapshot(everything)), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn a_plan_that_was_not_reviewed_is_not_applied() {
    let example = Example::worked();
    let bench = Bench::by_sdk(&example, example.stage());
    let (_, reviewed) = bench.plan().await;
    let before = bench.aws().snapshot(everything);
    let other = Approval { allow: BTreeSet::new(), plan_id: Some("0123456789ab".into()) };
    let refusal = bench.sweep_with(&bench.clock, &other).await.unwrap_err();
    assert_eq!(refusal, Refusal::OtherPlan { reviewed: "0123456789ab".into(), actual: reviewed.id.clone() });
    assert_eq!(difference(&before, &bench.aws().snapshot(everything)), Vec::<String>::new());
    let this = Approval { allow: BTreeSet::new(), plan_id: Some(reviewed.id) };
    let swept = bench.sweep_with(&bench.clock, &this).await.unwrap();
    bench.assert_in_step(&swept);
}

#[tokio::test(start_paused = true)]
async fn a_rule_that_somebody_made_anew_after_the_plan_gets_nothing_of_ours() {
    let example = Example::worked();
    let aws = converged(&example).await;
    let rule = example.desired.rules.keys().find(|rule| rule.name.starts_with("ww.ledger.")).unwrap();
    let key = json!({"Name": rule.name, "EventBusName": rule.bus.name});
    let on_rule = json!({"Rule": rule.name, "EventBusName": rule.bus.name});
    let (account, region) = (rule.bus.scope.account.to_string(), rule.bus.scope.region.as_str());
    let ids: Vec<&String> = example.desired.rules[rule].spec.targets.keys().collect();
    let mut targets = on_rule.clone();
    targets["Ids"] = json!(ids);
    let arn = json!({"ResourceARN": rule.arn()});
    let mut untag = arn.clone();
    untag["TagKeys"] = json!(["wheelwright:owner", "wheelwright:team"]);
    for (verb, operation, drift) in [("put-targets", "RemoveTargets", &targets), ("tag-rule", "UntagResource", &untag)]
    {
        let bench = Bench::by_call(&example, aws.clone());
        Hands { aws: &mut bench.aws() }.call(&account, region, operation, drift.clone());
        let (world, plan) = bench.plan().await;
        assert_eq!(plan.steps.iter().map(|step| step.action.verb()).collect::<Vec<_>>(), [verb]);
        let mut own = key.clone();
        own["EventPattern"] = json!(r#"{"source":["com.example.their-own"]}"#);
        {
            let mut aws = bench.aws();
            let mut hands = Hands { aws: &mut aws };
            if verb != "put-targets" {
                hands.call(&account, region, "RemoveTargets", targets.clone());
            }
            hands.call(&account, region, "DeleteRule", key.clone());
            hands.call(&account, region, "PutRule", own);
        }
        let swept = bench.apply(world, &plan).await;
        let told: Vec<String> = swept.failures().map(|(_, outcome)| format!("{outcome:?}")).collect();
        assert!(told.len() == 1 && told[0].contains("bears no mark of ours any more"), "{told:?}");
        let mut hands = bench.aws();
        let mut hands = Hands { aws: &mut hands };
        let live = hands.call(&account, region, "ListTargetsByRule", on_rule.clone());
        assert_eq!(live["Targets"], json!([]), "{verb}");
        assert_eq!(hands.call(&account, region, "ListTagsForResource", arn.clone())["Tags"], json!([]), "{verb}");
    }
}

/// Two rules without a description are described alike: where a console edit has cleared ours, the pattern tells whose it is.
#[tokio::test(start_paused = true)]
async fn a_rule_that_somebody_made_anew_after_its_mark_was_lost_gets_nothing_of_ours() {
    let example = Example::worked();
    let bench = Bench::by_call(&example, converged(&example).await);
    let rule = example.desired.rules.keys().find(|rule| rule.name.starts_with("ww.ledger.")).unwrap();
    let (account, region) = (rule.bus.scope.account.to_string(), rule.bus.scope.region.as_str());
    let key = json!({"Name": rule.name, "EventBusName": rule.bus.name});
    let arn = json!({"ResourceARN": rule.arn()});
    let with_pattern = |pattern: &str| {
        let mut input = key.clone();
        input["EventPattern"] = json!(pattern);
        input
    };
    let mut untag = arn.clone();
    untag["TagKeys"] = json!(["wheelwright:team"]);
    {
        let mut aws = bench.aws();
        let mut hands = Hands { aws: &mut aws };
        let pattern = hands.call(&account, region, "DescribeRule", key.clone())["EventPattern"].clone();
        hands.call(&account, region, "PutRule", with_pattern(pattern.as_str().unwrap()));
        hands.call(&account, region, "UntagResource", untag);
    }
    let (world, plan) = bench.plan().await;
    let verbs: BTreeSet<&str> = plan.steps.iter().map(|step| step.action.verb()).collect();
    assert_eq!(verbs, BTreeSet::from(["put-rule", "tag-rule"]), "{}", bench.shown(&plan));
    {
        let mut aws = bench.aws();
        let mut hands = Hands { aws: &mut aws };
        let ids: Vec<&String> = example.desired.rules[rule].spec.targets.keys().collect();
        let targets = json!({"Rule": rule.name, "EventBusName": rule.bus.name, "Ids": ids});
        hands.call(&account, region, "RemoveTargets", targets);
        hands.call(&account, region, "DeleteRule", key.clone());
        hands.call(&account, region, "PutRule", with_pattern(r#"{"source":["com.example.their-own"]}"#));
    }
    let swept = bench.apply(world, &plan).await;
    assert_eq!(swept.failures().count(), 2, "{:?}", swept.failures().collect::<Vec<_>>());
    let mut aws = bench.aws();
    let tags = Hands { aws: &mut aws }.call(&account, region, "ListTagsForResource", arn)["Tags"].clone();
    assert_eq!(tags, json!([]), "whoever made it did not tag it");
}

#[tokio::test(start_paused = true)]
async fn a_bus_that_somebody_made_anew_after_the_plan_gets_no_tags_of_ours() {
    let example = Example::worked();
    let bench = Bench::by_call(&example, converged(&example).await);
    let bus = example.desired.buses.keys().find(|bus| bus.name == "ledger").unwrap();
    let (account, region) = (bus.scope.account.to_string(), bus.scope.region.as_str());
    let arn = json!({"ResourceARN": bus.arn()});
    let mut untag = arn.clone();
    untag["TagKeys"] = json!(["wheelwright:owner", "wheelwright:team"]);
    Hands { aws: &mut bench.aws() }.call(&account, region, "UntagResource", untag);
    let (world, plan) = bench.plan().await;
    let verbs: Vec<&str> = plan.steps.iter().map(|step| step.action.verb()).collect();
    assert_eq!(verbs, ["tag-bus"], "{}", bench.shown(&plan));
    {
        let mut aws = bench.aws();
        let mut hands = Hands { aws: &mut aws };
        hands.delete_bus(&account, region, &bus.name);
        hands.call(&account, region, "CreateEventBus", json!({"Name": bus.name, "Description": "their own"}));
    }
    let swept = bench.apply(world, &plan).await;
    let told: Vec<String> = swept.failures().map(|(_, outcome)| format!("{outcome:?}")).collect();
    assert!(told.len() == 1 && told[0].contains("bears no mark of ours any more"), "{told:?}");
    let mut aws = bench.aws();
    assert_eq!(Hands { aws: &mut aws }.call(&account, region, "ListTagsForResource", arn)["Tags"], json!([]));
}

#[tokio::test(start_paused = true)]
async fn an_older_topology_undoes_neither_a_move_nor_a_removal() {
    let example = Example::worked();
    let aws = converged(&example).await;
    let moved = example.edited(&[(
        "topology/teams/orders.toml",
        "[subscribe.settled]\nfrom = \"payments.settlements\"\n",
        "[subscribe.settled]\nfrom = \"payments.settlements\"\ndeliver = { queue = \"orders-settled\" }\n",
    )]);
    let cards = "[subscribe.cards]\nfrom = \"payments.authorizations\"\n";
    let removed = example.edited(&[("topology/teams/fraud.toml", cards, "")]);
    for next in [moved, removed] {
        let bench = Bench::by_call(&next, aws.clone());
        let swept = bench.sweep().await;
        bench.assert_in_step(&swept);
        let bench = Bench::by_call(&example, bench.aws().clone());
        let (_, plan) = bench.plan().await;
        let holds: Vec<Guard> = plan.holds.iter().map(|hold| hold.guard).collect();
        assert_eq!(holds, [Guard::Superseded], "{}", bench.shown(&plan));
    }
}
