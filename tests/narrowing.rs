//! Changes that take something from a route that stays: rules that narrow, publishers that must move, replacements that
//! cannot be made. What counts is what arrives, and what is still there.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use serde_json::json;
use std::collections::BTreeSet;
use support::{Bench, Example};
use wheelwright::model::finding::FindingCode;
use wheelwright::model::ids::Scope;
use wheelwright::model::mark::{Digest, Mark};
use wheelwright::model::plan::{Action, Guard, Plan, RouteEffect, RulePart};
use wheelwright::model::resource::{BusId, ResourceId};
use wheelwright::plan::Approval;
use wheelwright::sim::call_door::SimFleet;
use wheelwright::sim::{Caller, EventEntry, Quotas, Service};

const PAYMENTS: &str = "topology/teams/payments.toml";
const FRAUD: &str = "topology/teams/fraud.toml";
const LEDGER: &str = "topology/teams/ledger.toml";
const HUB: &str = "arn:aws:events:us-east-1:111111111111:event-bus/org-events";
const GATEWAY: &str = "888888888888";

/// The example, converged, and an operator with the next topology before it.
async fn after(example: &Example, edits: &[(&str, &str, &str)]) -> Bench<SimFleet> {
    let first = Bench::by_call(example, example.stage());
    let swept = first.sweep().await;
    first.assert_in_step(&swept);
    let next = example.edited(edits);
    let aws = first.aws().clone();
    Bench::by_call(&next, aws)
}

fn parts(plan: &Plan, name: &str) -> Vec<(RulePart, bool, BTreeSet<Guard>)> {
    let parts = plan.steps.iter().filter_map(|step| match &step.action {
        Action::PutRule { rule, part, .. } if rule.name.contains(name) => {
            Some((*part, step.is_break(), step.held_by.clone()))
        }
        _ => None,
    });
    parts.collect()
}

fn allow(guard: Guard) -> Approval {
    Approval { allow: BTreeSet::from([guard]), plan_id: None }
}

/// How many messages of this text a queue holds.
fn count(bench: &Bench<SimFleet>, queue: &str, needle: &str) -> usize {
    bench.aws().messages(queue).iter().filter(|message| message.body.contains(needle)).count()
}

#[tokio::test(start_paused = true)]
async fn a_rule_that_takes_other_events_takes_both_until_the_settle_time_is_over() {
    let example = Example::worked();
    let mut bench = after(&example, &[(LEDGER, r#"["EUR", "USD"]"#, r#"["EUR", "CHF"]"#)]).await;
    let (_, plan) = bench.plan().await;
    assert_eq!(
        parts(&plan, "ledger.large"),
        [(RulePart::Widen, false, BTreeSet::new()), (RulePart::Narrow, true, BTreeSet::new())],
        "{}",
        bench.shown(&plan)
    );
    let effect = plan.routes.iter().find(|change| change.route.contains("ledger.large")).map(|change| change.effect);
    assert_eq!(effect, Some(RouteEffect::Changes));

    bench.settings.settle_ms = 300_000;
    let sweep = bench.sweep().await;
    bench.assert_in_step(&sweep);
    let patterns: Vec<String> = (bench.aws().log().iter())
        .filter(|entry| entry.operation == "PutRule" && entry.input["Name"].as_str().unwrap().contains("ledger.large"))
        .map(|entry| entry.input["EventPattern"].as_str().unwrap().to_owned())
        .collect();
    let [_, both, new] = patterns.as_slice() else { panic!("{patterns:?}") };
    for currency in ["EUR", "USD", "CHF"] {
        assert!(both.contains(currency), "{both}");
    }
    assert!(new.contains("CHF") && !new.contains("USD"), "{new}");
    let (_, second) = bench.plan().await;
    assert!(second.in_step() && second.steps.is_empty(), "{}", bench.shown(&second));
}

#[tokio::test(start_paused = true)]
async fn a_publisher_is_cut_off_only_when_a_person_says_that_it_moved() {
    let example = Example::worked();
    let bench = after(&example, &[(PAYMENTS, "accounts = [\"edge-gateway\"]\n", "")]).await;
    let put = |name: &str| {
        let detail = json!({"provider": "bank-1", "callback": name});
        let event = EventEntry::new(HUB, "com.acme.payments.providers", "Callback", detail);
        bench.aws().put_event(&Caller::root(GATEWAY), "us-east-1", &event)
    };
    let audit = "arn:aws:sqs:us-east-1:111111111111:audit-log";

    let swept = bench.sweep().await;
    assert!(!swept.in_step());
    let held: BTreeSet<Guard> = swept.after.holds.iter().map(|hold| hold.guard).collect();
    assert_eq!(held, BTreeSet::from([Guard::PublishersMove]), "{}", bench.shown(&swept.after));
    put("still-there").expect("the gateway may still publish");
    assert_eq!(count(&bench, audit, "still-there"), 1);

    let swept = bench.sweep_with(&bench.clock, &allow(Guard::PublishersMove)).await.unwrap();
    bench.assert_in_step(&swept);
    assert_eq!(put("gone").expect_err("the gateway's grant is gone").code, "AccessDeniedException");
    assert_eq!(count(&bench, audit, "gone"), 0);
}

#[tokio::test(start_paused = true)]
async fn nothing_goes_where_its_replacement_cannot_be_made() {
    let example = Example::worked();
    // The ledger moves to another bus in an account where we may make none.
    let bench = after(&example, &[(LEDGER, "bus = \"ledger\"", "bus = \"ledger-new\"")]).await;
    bench.aws().deny("333333333333", "events:CreateEventBus");
    let before = bench.aws().log().len();
    let swept = bench.sweep().await;
    assert!(!swept.in_step());
    let taken: Vec<String> = (bench.aws().log()[before..].iter())
        .filter(|entry| ["RemoveTargets", "DeleteRule", "RemovePermission"].contains(&entry.operation.as_str()))
        .map(|entry| format!("{} {}", entry.operation, entry.input))
        .collect();
    assert_eq!(taken, Vec::<String>::new());
}

/// One subscription moves to a queue, and another one, of the same events, to the bus that it leaves.
#[tokio::test(start_paused = true)]
async fn what_another_route_takes_over_stays_until_that_one_delivers() {
    let example = Example::worked();
    let moved_and_taken_over = "[subscribe.settled]\nfrom = \"payments.settlements\"\ndeliver = { queue = \"abandoned-checkouts\" }\n\
         detail-types = [\"PaymentSettled\"]\n\n[subscribe.settled-too]\nfrom = \"payments.settlements\"\n";
    let before = "[subscribe.settled]\nfrom = \"payments.settlements\"\n";
    let large = (LEDGER, "\"ledger.large\", ", "\"ledger.large\", \"fraud.settled-too\", ");
    let small = (LEDGER, "\"fraud.settled\", \"ledger.set", "\"fraud.settled-too\", \"fraud.settled\", \"ledger.set");
    let bench = after(&example, &[(FRAUD, before, moved_and_taken_over), large, small]).await;
    // There is no room for the new rule yet.
    bench.aws().set_quotas("111111111111", Quotas { rules_per_bus: 1, ..Quotas::default() });
    let brought = || {
        let event =
            EventEntry::new(HUB, "com.acme.payments", "PaymentSettled", json!({"amount": 1, "currency": "EUR"}));
        let mut aws = bench.aws();
        let before = aws.trace().len();
        aws.put_event(&Caller::root("222222222222"), "us-east-1", &event).expect("it publishes");
        aws.trace()[before..].iter().filter(|record| record.target_arn.ends_with(":event-bus/fraud")).count()
    };
    let swept = bench.sweep().await;
    assert!(!swept.in_step(), "{}", bench.shown(&swept.after));
    assert_eq!(brought(), 1, "{}", bench.shown(&swept.after));

    bench.aws().set_quotas("111111111111", Quotas::default());
    let swept = bench.sweep().await;
    bench.assert_in_step(&swept);
    assert_eq!(brought(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_replacement_under_another_operators_mark_takes_nothing_away() {
    let example = Example::worked();
    let bench = after(&example, &[(LEDGER, "bus = \"ledger\"", "bus = \"ledger-new\"")]).await;
    let scope = Scope::new("333333333333".parse().unwrap(), "us-east-1");
    let bus = ResourceId::Bus(BusId { scope, name: "ledger-new".to_owned() });
    let mark = Mark::new(&"others".parse().unwrap(), 7, &bus, Digest::of(&["theirs"]));
    let theirs = json!({"Name": "ledger-new", "Description": mark.stamp("theirs")});
    let caller = Caller::root("333333333333");
    bench.aws().call(&caller, "us-east-1", Service::EventBridge, "CreateEventBus", &theirs).unwrap();
    let before = bench.aws().log().len();
    let swept = bench.sweep().await;
    assert!(swept.after.findings.iter().any(|finding| finding.code == FindingCode::OtherOwner));
    assert!(!swept.in_step(), "{}", bench.shown(&swept.after));
    let taken = bench.aws().log()[before..].iter().filter(|entry| entry.operation.starts_with("Remove")).count();
    assert_eq!(taken, 0, "{}", bench.shown(&swept.after));
}

#[tokio::test(start_paused = true)]
async fn a_pattern_that_the_topology_widens_is_intent_and_told_so() {
    let example = Example::worked();
    let bench = after(&example, &[(LEDGER, r#"["EUR", "USD"]"#, r#"["EUR", "USD", "CHF"]"#)]).await;
    let (_, plan) = bench.plan().await;
    assert_eq!(parts(&plan, "ledger.large"), [(RulePart::Whole, false, BTreeSet::new())], "{}", bench.shown(&plan));
    assert_eq!(plan.findings, [], "nothing drifted");
    assert!(plan.routes.iter().any(|change| change.effect == RouteEffect::Widens), "{}", bench.shown(&plan));
}

#[tokio::test(start_paused = true)]
async fn a_publisher_that_moves_stays_held_sweep_after_sweep_and_drift_is_mended_meanwhile() {
    let example = Example::worked();
    // The gateway goes and the detail-types change: two fields, so that the union needs an `$or`.
    let edits = [
        (PAYMENTS, "accounts = [\"edge-gateway\"]\n", ""),
        (
            PAYMENTS,
            "source = \"com.acme.payments.providers\"\n",
            "source = \"com.acme.payments.providers\"\ndetail-types = [\"Callback\", \"CallbackReceived\"]\n",
        ),
    ];
    let bench = after(&example, &edits).await;
    for sweep in 1..=3 {
        let swept = bench.sweep().await;
        let held: BTreeSet<Guard> = swept.after.holds.iter().map(|hold| hold.guard).collect();
        assert_eq!(held, BTreeSet::from([Guard::PublishersMove]), "sweep {sweep}\n{}", bench.shown(&swept.after));
    }
    let rule = bench.example.desired.rules.keys().find(|rule| rule.name.contains("ledger.callbacks")).unwrap().clone();
    let input = json!({"Name": rule.name, "EventBusName": rule.bus.name});
    bench.aws().call(&Caller::root("111111111111"), "us-east-1", Service::EventBridge, "DisableRule", &input).unwrap();
    let (_, plan) = bench.plan().await;
    assert!(plan.findings.iter().any(|finding| finding.code == FindingCode::RuleDisabled), "{}", bench.shown(&plan));
    bench.sweep().await;
    let described =
        bench.aws().call(&Caller::root("111111111111"), "us-east-1", Service::EventBridge, "DescribeRule", &input);
    assert_eq!(described.unwrap()["State"], "ENABLED");
    // The text before the mark is edited: that is mended though the narrowing waits.
    let live =
        bench.aws().call(&Caller::root("111111111111"), "us-east-1", Service::EventBridge, "DescribeRule", &input);
    let mut edited = live.unwrap();
    let described = edited["Description"].as_str().unwrap().to_owned();
    edited["Description"] = json!(format!("by hand {described}"));
    edited["EventBusName"] = json!(rule.bus.name);
    for field in ["Arn", "CreatedBy", "ManagedBy"] {
        edited.as_object_mut().unwrap().remove(field);
    }
    bench.aws().call(&Caller::root("111111111111"), "us-east-1", Service::EventBridge, "PutRule", &edited).unwrap();
    bench.sweep().await;
    let mended =
        bench.aws().call(&Caller::root("111111111111"), "us-east-1", Service::EventBridge, "DescribeRule", &input);
    assert_eq!(mended.unwrap()["Description"], json!(described));
    let swept = bench.sweep_with(&bench.clock, &allow(Guard::PublishersMove)).await.unwrap();
    bench.assert_in_step(&swept);
}

#[tokio::test(start_paused = true)]
async fn a_team_that_leaves_altogether_is_no_publisher_that_must_move() {
    let example = Example::worked();
    let mut texts = example.texts.clone();
    // The gateway published nothing else, and nobody subscribes any more.
    let ledger = texts[LEDGER].clone();
    let from = ledger.find("[subscribe.callbacks]").unwrap();
    let to = ledger.find("[expect.large-euro]").unwrap();
    let mut ledger = format!("{}{}", &ledger[..from], &ledger[to..]);
    ledger.truncate(ledger.find("[expect.only-banks").unwrap());
    texts.insert(LEDGER.to_owned(), ledger);
    let payments = texts[PAYMENTS].clone();
    let from = payments.find("[publish.provider-callbacks]").unwrap();
    let to = payments.find("# An order to collect money for.").unwrap();
    texts.insert(PAYMENTS.to_owned(), format!("{}{}", &payments[..from], &payments[to..]));
    let first = Bench::by_call(&example, example.stage());
    first.assert_in_step(&first.sweep().await);
    let next = Example::of(texts, example.desired.revision.sequence + 1);
    let aws = first.aws().clone();
    let bench = Bench::by_call(&next, aws);
    let (_, plan) = bench.plan().await;
    assert!(!plan.holds.iter().any(|hold| hold.guard == Guard::PublishersMove), "{}", bench.shown(&plan));
    let swept = bench.sweep_with(&bench.clock, &allow(Guard::TooManyBreaks)).await.unwrap();
    bench.assert_in_step(&swept);
}

/// The bus forwards what it forwarded before, by a rule of another name.
#[tokio::test(start_paused = true)]
async fn nobody_has_to_move_for_another_name_of_a_forwarded_publication() {
    let example = Example::worked();
    let rename = |path, from| (path, from, "orders.checkout\"");
    let edits = [
        ("topology/teams/orders.toml", "[publish.checkout-steps]", "[publish.checkout]"),
        rename("topology/teams/analytics.toml", "orders.checkout-steps\""),
    ];
    let mut texts = example.texts.clone();
    for (path, from, to) in edits {
        let text = texts.get_mut(path).unwrap();
        *text = text.replace(from, to);
    }
    let fraud = texts.get_mut("topology/teams/fraud.toml").unwrap();
    *fraud = fraud.replace("orders.checkout-steps", "orders.checkout");
    let first = Bench::by_call(&example, example.stage());
    first.assert_in_step(&first.sweep().await);
    let next = Example::of(texts, example.desired.revision.sequence + 1);
    let aws = first.aws().clone();
    let bench = Bench::by_call(&next, aws);
    let (_, plan) = bench.plan().await;
    assert_eq!(plan.holds, [], "{}", bench.shown(&plan));
    let swept = bench.sweep().await;
    bench.assert_in_step(&swept);
}
