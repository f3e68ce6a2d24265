//! What a topology keeps of before (`keeps`): rules that are taken over with their names, targets and patterns, and buses
//! where others' statements count. What counts is what is there afterwards, and what a plan would not do.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use support::{Bench, Example, Hands};
use wheelwright::model::finding::{FindingCode, Outcome};
use wheelwright::model::ids::Scope;
use wheelwright::model::mark::{Digest, Mark};
use wheelwright::model::plan::{Action, Guard, Plan};
use wheelwright::model::resource::{BusId, ResourceId, RuleId};
use wheelwright::plan::Approval;
use wheelwright::reconcile::sweep::Swept;
use wheelwright::sim::call_door::SimFleet;

const LEDGER: &str = "topology/teams/ledger.toml";
const HUBS: &str = "topology/hubs.toml";
const PLATFORM: &str = "111111111111";
const US: &str = "us-east-1";
const HUB: &str = "org-events";
const LEDGERS_BUS: &str = "arn:aws:events:us-east-1:333333333333:event-bus/ledger";
const OPEN: &str = r#"{"source":["com.acme.payments"],"detail-type":["PaymentSettled","PaymentReversed"]}"#;
/// The lines of the subscription that keeps something here.
const SETTLEMENTS: &str = "[subscribe.settlements]\nfrom = \"payments.settlements\"\n";
const KEPT: &str = "Settlements";

/// The ledger's settlements with these lines.
fn keeping(lines: &str) -> (&'static str, &'static str, String) {
    (LEDGER, SETTLEMENTS, format!("{SETTLEMENTS}{lines}"))
}

fn edited(example: &Example, edits: &[(&str, &str, String)]) -> Example {
    let edits: Vec<(&str, &str, &str)> = edits.iter().map(|(path, from, to)| (*path, *from, to.as_str())).collect();
    example.edited(&edits)
}

/// The worked example, converged, without the ledger's settlements, as others' rule brings those.
async fn with_a_rule_of_before(pattern: &str) -> (Example, Bench<SimFleet>) {
    let example = Example::worked();
    let gone = "[subscribe.settlements]\nfrom = \"payments.settlements\"\nreplays = \"deliver\"\n";
    let mut texts = example.texts.clone();
    let ledger = texts.get_mut(LEDGER).unwrap();
    *ledger = ledger.replace(gone, "").replace(", \"ledger.settlements\"", "");
    let without = Example::of(texts, example.desired.revision.sequence);
    let bench = Bench::by_call(&without, without.stage());
    bench.assert_in_step(&bench.sweep().await);
    {
        let mut aws = bench.aws();
        let mut hands = Hands { aws: &mut aws };
        let rule = json!({"Name": KEPT, "EventBusName": HUB, "EventPattern": pattern});
        hands.call(PLATFORM, US, "PutRule", rule);
        let target = json!([{"Id": "Target0", "Arn": LEDGERS_BUS, "RoleArn": "arn:aws:iam::111111111111:role/wheelwright-delivery"}]);
        hands.call(PLATFORM, US, "PutTargets", json!({"Rule": KEPT, "EventBusName": HUB, "Targets": target}));
    }
    (example, bench)
}

/// An operator with the next topology before the same accounts.
fn next(bench: &Bench<SimFleet>, example: &Example) -> Bench<SimFleet> {
    let aws = bench.aws().clone();
    Bench::by_call(example, aws)
}

fn allow(guard: Guard) -> Approval {
    Approval { allow: BTreeSet::from([guard]), plan_id: None }
}

async fn let_go(bench: &Bench<SimFleet>, guard: Guard) -> Swept {
    bench.sweep_with(&bench.clock, &allow(guard)).await.unwrap()
}

/// The targets of a rule of the American hub: each Id with its ARN.
fn targets(bench: &Bench<SimFleet>, rule: &str) -> BTreeMap<String, String> {
    let named = json!({"Rule": rule, "EventBusName": HUB});
    let listed = Hands { aws: &mut bench.aws() }.call(PLATFORM, US, "ListTargetsByRule", named);
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    listed["Targets"].as_array().unwrap().iter().map(|target| (text(&target["Id"]), text(&target["Arn"]))).collect()
}

/// What its tags say of targets.
fn target_tags(bench: &Bench<SimFleet>, rule: &str) -> Vec<String> {
    let arn = format!("arn:aws:events:{US}:{PLATFORM}:rule/{HUB}/{rule}");
    let listed = Hands { aws: &mut bench.aws() }.call(PLATFORM, US, "ListTagsForResource", json!({"ResourceARN": arn}));
    let keys = listed["Tags"].as_array().unwrap().iter().map(|tag| tag["Key"].as_str().unwrap().to_owned());
    keys.filter(|key| key.starts_with("wheelwright:target")).collect()
}

fn steps_on<'p>(plan: &'p Plan, rule: &'p str) -> impl Iterator<Item = (&'static str, BTreeSet<Guard>)> {
    let on = |step: &&_| matches!(wheelwright::model::plan::Step::key(step).to_string(), key if key.ends_with(rule));
    plan.steps.iter().filter(on).map(|step| (step.action.verb(), step.held_by.clone())).collect::<Vec<_>>().into_iter()
}

/// The name of our own rule for the ledger's settlements.
fn own_rule(example: &Example) -> String {
    let found = example.desired.rules.keys().find(|rule| rule.name.starts_with("ww.ledger.settlements"));
    found.unwrap().name.clone()
}

#[tokio::test(start_paused = true)]
async fn a_statement_of_ours_that_goes_makes_none_superfluous() {
    let example = Example::worked();
    let bench = Bench::by_call(&example, example.stage());
    bench.assert_in_step(&bench.sweep().await);
    let next_one =
        example.edited(&[(HUBS, "grant = \"organization\" ", "grant = \"accounts\"\nkeeps.grants = true #")]);
    let bench = next(&bench, &next_one);
    let (_, plan) = bench.plan().await;
    let asked: BTreeSet<&str> = next_one
        .desired
        .grants
        .keys()
        .filter(|(bus, _)| bus.name == HUB && bus.scope.region.as_str() == "eu-west-1")
        .map(|(_, sid)| sid.as_str())
        .collect();
    let put: BTreeSet<&str> = plan
        .steps
        .iter()
        .filter_map(|step| match &step.action {
            Action::PutGrant { statement_id, .. } => Some(statement_id.as_str()),
            _ => None,
        })
        .collect();
    assert!(!asked.is_empty() && put == asked, "{asked:?}\n{}", bench.shown(&plan));
}

#[tokio::test(start_paused = true)]
async fn others_statement_counts_until_something_denies_whom_it_lets_in() {
    let example =
        Example::worked().edited(&[(HUBS, "grant = \"accounts\" ", "keeps.grants = true\ngrant = \"accounts\" ")]);
    let bench = Bench::by_call(&example, example.stage());
    bench.assert_in_step(&bench.sweep().await);
    let payments = "222222222222";
    let (_, sid) = example
        .desired
        .grants
        .keys()
        .find(|(bus, sid)| bus.name == HUB && bus.scope.region.as_str() == US && sid.contains(payments))
        .unwrap();
    {
        let mut aws = bench.aws();
        let mut hands = Hands { aws: &mut aws };
        let theirs =
            json!({"EventBusName": HUB, "StatementId": "theirs", "Action": "events:PutEvents", "Principal": payments});
        hands.call(PLATFORM, US, "PutPermission", theirs);
        hands.call(PLATFORM, US, "RemovePermission", json!({"EventBusName": HUB, "StatementId": sid}));
    }
    let (_, plan) = bench.plan().await;
    assert!(plan.steps.is_empty(), "{}", bench.shown(&plan));
    let hub = format!("arn:aws:events:{US}:{PLATFORM}:event-bus/{HUB}");
    for (denied, principal, is_kept_out) in [
        ("another", json!({"AWS": "444444444444"}), false),
        ("everybody", json!("*"), true),
        ("it", json!({"AWS": payments}), true),
    ] {
        let bench = next(&bench, &example);
        {
            let mut aws = bench.aws();
            let mut hands = Hands { aws: &mut aws };
            let described = hands.call(PLATFORM, US, "DescribeEventBus", json!({"Name": HUB}));
            let mut policy: Value = serde_json::from_str(described["Policy"].as_str().unwrap()).unwrap();
            policy["Statement"].as_array_mut().unwrap().push(json!({
                "Sid": "no", "Effect": "Deny", "Principal": principal, "Action": "events:Put*", "Resource": hub,
                "Condition": {"Bool": {"aws:SecureTransport": "false"}},
            }));
            hands.call(PLATFORM, US, "PutPermission", json!({"EventBusName": HUB, "Policy": policy.to_string()}));
        }
        let (_, plan) = bench.plan().await;
        let puts = plan
            .steps
            .iter()
            .any(|step| matches!(&step.action, Action::PutGrant { statement_id, .. } if statement_id == sid));
        assert_eq!(puts, is_kept_out, "{denied}: {}", bench.shown(&plan));
    }
}

#[tokio::test(start_paused = true)]
async fn a_rule_that_would_be_pinned_by_taking_it_over_is_left_alone() {
    let (example, bench) = with_a_rule_of_before(OPEN).await;
    let kept = edited(&example, &[keeping("keeps = { rule = \"Settlements\", target = \"Target0\" }\n")]);
    let bench = next(&bench, &kept);
    let swept = let_go(&bench, Guard::Adopt).await;
    let told = swept.after.findings.iter().any(|finding| {
        finding.code == FindingCode::Adopt
            && finding.outcome == Outcome::Waiting
            && finding.detail.contains("keeps.pattern")
    });
    assert!(told, "{}", bench.shown(&swept.after));
    assert_eq!(steps_on(&swept.after, KEPT).collect::<Vec<_>>(), []);
    let described =
        Hands { aws: &mut bench.aws() }.call(PLATFORM, US, "DescribeRule", json!({"Name": KEPT, "EventBusName": HUB}));
    assert_eq!(described["EventPattern"], json!(OPEN));
}

/// The rule of before, taken over whole with this pattern.
async fn taken_over(pattern: &str) -> (Example, Bench<SimFleet>) {
    let (example, bench) = with_a_rule_of_before(pattern).await;
    let lines = format!("keeps = {{ rule = \"{KEPT}\", target = \"Target0\", pattern = '{pattern}' }}\n");
    let bench = next(&bench, &edited(&example, &[keeping(&lines)]));
    bench.assert_in_step(&let_go(&bench, Guard::Adopt).await);
    (example, bench)
}

#[tokio::test(start_paused = true)]
async fn a_rule_for_anybody_goes_for_a_pinned_one_when_a_person_says_so() {
    let (example, bench) = taken_over(OPEN).await;
    let bench = next(&bench, &edited(&example.newer(), &[keeping("")]));
    let (_, plan) = bench.plan().await;
    let removal = steps_on(&plan, KEPT).find(|(verb, _)| *verb == "remove-targets");
    assert_eq!(removal, Some(("remove-targets", BTreeSet::from([Guard::PublishersMove]))), "{}", bench.shown(&plan));
    bench.assert_in_step(&let_go(&bench, Guard::PublishersMove).await);
}

#[tokio::test(start_paused = true)]
async fn a_pattern_without_a_literal_source_is_pinned_when_a_person_says_so() {
    let (example, bench) =
        taken_over(r#"{"source":[{"prefix":"com.acme.pay"}],"detail-type":["PaymentSettled","PaymentReversed"]}"#)
            .await;
    let lines = format!("keeps = {{ rule = \"{KEPT}\", target = \"Target0\" }}\n");
    let bench = next(&bench, &edited(&example.newer(), &[keeping(&lines)]));
    let (_, plan) = bench.plan().await;
    let narrowing = steps_on(&plan, KEPT).find(|(verb, _)| *verb == "narrow-rule");
    assert_eq!(narrowing, Some(("narrow-rule", BTreeSet::from([Guard::PublishersMove]))), "{}", bench.shown(&plan));
}

#[tokio::test(start_paused = true)]
async fn a_kept_target_is_not_turned_to_another_place_but_goes_after_one_of_ours() {
    let (example, bench) = taken_over(OPEN).await;
    let keeps = |target: &str| format!("keeps = {{ rule = \"{KEPT}\", {target}pattern = '{OPEN}' }}\n");
    let moved = format!("deliver = {{ queue = \"settled\" }}\n{}", keeps("target = \"Target0\", "));
    let first = edited(&example.newer(), &[keeping(&moved)]);
    let bench = next(&bench, &first);
    let swept = bench.sweep().await;
    let held: Vec<_> = steps_on(&swept.after, KEPT).filter(|(verb, _)| *verb == "put-targets").collect();
    assert_eq!(held, [("put-targets", BTreeSet::from([Guard::Adopt]))], "{}", bench.shown(&swept.after));
    assert!(bench.shown(&swept.after).contains("take `keeps.target` out"), "{}", bench.shown(&swept.after));
    assert_eq!(targets(&bench, KEPT), [("Target0".to_owned(), LEDGERS_BUS.to_owned())].into());

    // Without the line: ours first, and the other after the settle time.
    let second =
        edited(&example.newer().newer(), &[keeping(&format!("deliver = {{ queue = \"settled\" }}\n{}", keeps("")))]);
    let mut bench = next(&bench, &second);
    bench.settings.settle_ms = 300_000;
    let before = bench.aws().log().len();
    bench.assert_in_step(&bench.sweep().await);
    let at = |operation: &str| {
        let aws = bench.aws();
        let made: Vec<i64> =
            aws.log()[before..].iter().filter(|entry| entry.operation == operation).map(|entry| entry.at_ms).collect();
        assert_eq!(made.len(), 1, "{operation}");
        made[0]
    };
    assert!(at("RemoveTargets") - at("PutTargets") >= 300_000);
    let arns: Vec<String> = targets(&bench, KEPT).into_values().collect();
    assert_eq!(arns, ["arn:aws:sqs:us-east-1:333333333333:settled"]);
    assert_eq!(target_tags(&bench, KEPT), Vec::<String>::new(), "what is gone is nobody's");
}

#[tokio::test(start_paused = true)]
async fn somebodys_target_under_a_kept_id_does_not_become_ours_by_being_named() {
    let example = Example::worked();
    let bench = Bench::by_call(&example, example.stage());
    bench.assert_in_step(&bench.sweep().await);
    let own = own_rule(&example);
    let theirs = json!([{"Id": "theirs", "Arn": "arn:aws:sqs:us-east-1:111111111111:their-queue"}]);
    Hands { aws: &mut bench.aws() }.call(
        PLATFORM,
        US,
        "PutTargets",
        json!({"Rule": own, "EventBusName": HUB, "Targets": theirs}),
    );
    let named = edited(&example, &[keeping("keeps.target = \"theirs\"\n")]);
    let bench = next(&bench, &named);
    let swept = bench.sweep().await;
    assert!(swept.after.holds.iter().any(|hold| hold.guard == Guard::Adopt), "{}", bench.shown(&swept.after));
    assert_eq!(target_tags(&bench, &own), Vec::<String>::new(), "nobody has looked yet");
    // The line is taken out again, and what was never ours stays.
    let bench = next(&bench, &Example::of(example.texts.clone(), named.desired.revision.sequence + 1));
    bench.assert_in_step(&bench.sweep().await);
    assert_eq!(targets(&bench, &own)["theirs"], "arn:aws:sqs:us-east-1:111111111111:their-queue");
    assert_eq!(targets(&bench, &own).len(), 2);
}

#[tokio::test(start_paused = true)]
async fn another_kept_id_comes_first_and_the_one_of_before_goes_then() {
    let example = Example::worked();
    let first = edited(&example, &[keeping("keeps.target = \"one\"\n")]);
    let bench = Bench::by_call(&first, first.stage());
    bench.assert_in_step(&bench.sweep().await);
    let own = own_rule(&example);
    assert_eq!(target_tags(&bench, &own), ["wheelwright:target:one"]);
    let second = edited(&example.newer(), &[keeping("keeps.target = \"two\"\n")]);
    let bench = next(&bench, &second);
    bench.assert_in_step(&bench.sweep().await);
    assert_eq!(targets(&bench, &own).into_keys().collect::<Vec<_>>(), ["two"]);
    assert_eq!(target_tags(&bench, &own), ["wheelwright:target:two"]);
    // Somebody uses the first Id again: it is theirs now.
    let theirs = json!([{"Id": "one", "Arn": "arn:aws:sqs:us-east-1:111111111111:their-queue"}]);
    Hands { aws: &mut bench.aws() }.call(
        PLATFORM,
        US,
        "PutTargets",
        json!({"Rule": own, "EventBusName": HUB, "Targets": theirs}),
    );
    bench.assert_in_step(&bench.sweep().await);
    assert_eq!(targets(&bench, &own).len(), 2);
}

/// A tag as it was once written: one for the rule, with the Id as its value.
#[tokio::test(start_paused = true)]
async fn a_tag_with_the_id_as_its_value_goes_on_being_read() {
    let example = Example::worked();
    let bench = Bench::by_call(&example, example.stage());
    bench.assert_in_step(&bench.sweep().await);
    let own = own_rule(&example);
    {
        let mut aws = bench.aws();
        let mut hands = Hands { aws: &mut aws };
        let one = json!([{"Id": "one", "Arn": LEDGERS_BUS, "RoleArn": "arn:aws:iam::111111111111:role/wheelwright-delivery"}]);
        hands.call(PLATFORM, US, "PutTargets", json!({"Rule": own, "EventBusName": HUB, "Targets": one}));
        let arn = format!("arn:aws:events:{US}:{PLATFORM}:rule/{HUB}/{own}");
        let tags = json!([{"Key": "wheelwright:target", "Value": "one"}]);
        hands.call(PLATFORM, US, "TagResource", json!({"ResourceARN": arn, "Tags": tags}));
    }
    bench.assert_in_step(&bench.sweep().await);
    assert_eq!(targets(&bench, &own).len(), 1);
    assert_eq!(target_tags(&bench, &own), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn a_number_on_a_rule_that_nobody_asks_for_stops_no_daemon() {
    let example = Example::worked();
    let bench = Bench::by_call(&example, example.stage());
    bench.assert_in_step(&bench.sweep().await);
    let forged = |name: &str| {
        let scope = Scope::new(PLATFORM.parse().unwrap(), US);
        let rule = RuleId { bus: BusId { scope, name: HUB.into() }, name: name.into() };
        let mark = Mark::new(&example.desired.owner, u64::MAX, &ResourceId::Rule(rule), Digest::of(&["x"]));
        let rule = json!({"Name": name, "EventBusName": HUB, "EventPattern": "{\"source\":[\"x\"]}", "Description": mark.stamp("mine")});
        Hands { aws: &mut bench.aws() }.call(PLATFORM, US, "PutRule", rule);
    };
    forged("innocent");
    let (_, plan) = bench.plan().await;
    assert!(plan.holds.is_empty(), "{}", bench.shown(&plan));
    // On a rule that the topology asks for, it is somebody's newer topology.
    forged(&own_rule(&example));
    let (_, plan) = bench.plan().await;
    assert!(plan.holds.iter().any(|hold| hold.guard == Guard::Superseded), "{}", bench.shown(&plan));
}

#[tokio::test(start_paused = true)]
async fn a_newer_topology_that_wrote_a_kept_rule_alone_is_seen_by_an_older_one() {
    let (example, bench) = taken_over(OPEN).await;
    // The older one does not ask for the rule, and knows it by its tag.
    let older = next(&bench, &Example::of(example.texts.clone(), 1));
    let (_, plan) = older.plan().await;
    assert!(plan.holds.iter().any(|hold| hold.guard == Guard::Superseded), "{}", older.shown(&plan));
}
