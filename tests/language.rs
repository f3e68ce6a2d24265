//! What the language can say beyond plain routes, tried on the simulated AWS: what counts is what arrives, and what stands
//! there afterwards.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use serde_json::{Value, json};
use std::collections::BTreeMap;
use support::{Bench, Example, SYDNEY, difference, is_ours};
use wheelwright::model::finding::FindingCode;
use wheelwright::model::plan::{Action, Guard, RouteEffect};
use wheelwright::sim::call_door::SimFleet;
use wheelwright::sim::{Caller, EventEntry, SimulatedAws, SnapshotKind, key_policy};
use wheelwright::stage;

const US: &str = "us-east-1";
const EU: &str = "eu-west-1";
const PAYMENTS: &str = "222222222222";
const LEDGER: &str = "333333333333";
const HUB: &str = "arn:aws:events:us-east-1:111111111111:event-bus/org-events";

const BASE: &str = r#"[organization]
id = "o-a1b2c3d4e5"
[account]
platform = { id = "111111111111" }
payments-prod = { id = "222222222222" }
ledger-prod = { id = "333333333333" }
acme = { id = "999999999999", access = "none" }
[hub.us]
account = "platform"
region = "us-east-1"
bus = "org-events"
[hub.eu]
account = "platform"
region = "eu-west-1"
bus = "org-events"
"#;

const PAYMENTS_FILE: &str = r#"[team]
name = "payments"
[spoke.us]
hub = "us"
account = "payments-prod"
bus = "payments"
[publish.settlements]
source = "com.acme.payments"
"#;

const LEDGER_FILE: &str = r#"[team]
name = "ledger"
[spoke.us]
hub = "us"
account = "ledger-prod"
bus = "ledger"
[subscribe.large]
from = "payments.settlements"
"#;

/// The topology of these two teams, with more at the end of their files.
fn topology(payments: &str, ledger: &str) -> Example {
    let texts = [
        ("topology/base.toml", BASE.to_owned()),
        ("topology/payments.toml", format!("{PAYMENTS_FILE}{payments}")),
        ("topology/ledger.toml", format!("{LEDGER_FILE}{ledger}")),
    ];
    Example::of(texts.map(|(path, text)| (path.to_owned(), text)).into(), 1_000)
}

/// The topology, applied to accounts where nothing of it was.
async fn applied(example: &Example) -> Bench<SimFleet> {
    let bench = Bench::by_call(example, example.stage());
    let swept = bench.sweep().await;
    bench.assert_in_step(&swept);
    stage::furnish(&mut bench.aws(), &example.desired).unwrap();
    bench
}

/// The next topology before what the last one left.
fn next(example: &Example, bench: &Bench<SimFleet>) -> Bench<SimFleet> {
    let aws = bench.aws().clone();
    Bench::by_call(example, aws)
}

fn settle(aws: &mut SimulatedAws, account: &str, region: &str, bus: &str) {
    let entry = EventEntry::new(bus, "com.acme.payments", "PaymentSettled", json!({"amount": 1}));
    aws.put_event(&Caller::root(account), region, &entry).unwrap();
}

/// How many events `queue` of `account` has had.
fn arrived(bench: &Bench<SimFleet>, account: &str, region: &str, queue: &str) -> usize {
    bench.aws().messages(&format!("arn:aws:sqs:{region}:{account}:{queue}")).len()
}

#[tokio::test(start_paused = true)]
async fn what_aws_services_say_is_collected_from_default_buses_and_delivered_once() {
    let collect = "[collect.findings]\nsource = \"aws.guardduty\"\naccounts = [\"payments-prod\", \"ledger-prod\"]\n";
    let subscribe = "[subscribe.findings]\nfrom = \"payments.findings\"\ndeliver = { queue = \"findings\" }\n";
    let bench = applied(&topology(collect, subscribe)).await;
    let found = |severity: u64| {
        EventEntry::new("default", "aws.guardduty", "GuardDuty Finding", json!({ "severity": severity }))
    };
    for account in [PAYMENTS, LEDGER] {
        bench.aws().service_event(account, US, &found(8));
    }
    // Another Region's findings are not asked for, and nobody can make some up.
    bench.aws().service_event(PAYMENTS, EU, &found(8));
    let forged = bench.aws().put_event(&Caller::root(PAYMENTS), US, &found(1));
    assert!(forged.is_err());
    assert_eq!(arrived(&bench, LEDGER, US, "findings"), 2);

    let both = collect.replace("accounts", "regions = [\"us-east-1\", \"eu-west-1\"]\naccounts");
    let bench = next(&topology(&both, subscribe).newer(), &bench);
    let swept = bench.sweep().await;
    bench.assert_in_step(&swept);
    bench.aws().service_event(PAYMENTS, EU, &found(8));
    assert_eq!(arrived(&bench, LEDGER, US, "findings"), 3, "the default bus of another Region forwards as well");
}

#[tokio::test(start_paused = true)]
async fn a_stop_holds_one_route_off_until_its_time_and_keeps_all_else() {
    let example = topology("", "[subscribe.all]\nfrom = \"payments.settlements\"\ndeliver = { queue = \"all\" }\n");
    let before = applied(&example).await;
    // The simulated time begins in September 2026.
    let stop = "[stop.inc-1]\nsubscription = \"ledger.all\"\nuntil = 2026-10-01T00:00:00Z\nreason = \"INC-1\"\n";
    let stopped = example.with("topology/ledger.toml", stop);
    let bench = next(&stopped, &before);
    let (_, plan) = bench.plan().await;
    assert!(plan.steps.iter().all(|step| !step.is_break()), "{}", bench.shown(&plan));
    assert_eq!(plan.steps.len(), 1, "one write, and nothing else is touched: {}", bench.shown(&plan));
    assert_eq!(plan.routes.iter().map(|change| change.effect).collect::<Vec<_>>(), [RouteEffect::Stops]);
    let swept = bench.sweep().await;
    bench.assert_in_step(&swept);
    let told = |bench: &Bench<SimFleet>, plan: &wheelwright::model::plan::Plan| {
        let codes: Vec<FindingCode> = plan.findings.iter().map(|finding| finding.code).collect();
        assert!(codes.contains(&FindingCode::RouteStopped), "{}", bench.shown(plan));
    };
    told(&bench, &swept.after);
    settle(&mut bench.aws(), PAYMENTS, US, HUB);
    assert_eq!((arrived(&bench, LEDGER, US, "all"), arrived(&bench, LEDGER, US, "ledger-inbox")), (0, 1));

    // The same files, later: it goes on by itself.
    let later = stopped.at("2026-10-02T00:00:00Z");
    let bench = next(&later, &bench);
    let swept = bench.sweep().await;
    bench.assert_in_step(&swept);
    let codes: Vec<FindingCode> = swept.after.findings.iter().map(|finding| finding.code).collect();
    assert!(codes.contains(&FindingCode::StopExpired), "{}", bench.shown(&swept.after));
    settle(&mut bench.aws(), PAYMENTS, US, HUB);
    assert_eq!((arrived(&bench, LEDGER, US, "all"), arrived(&bench, LEDGER, US, "ledger-inbox")), (1, 2));
}

#[tokio::test(start_paused = true)]
async fn a_rename_that_is_told_keeps_the_rule_and_one_that_is_not_replaces_it() {
    let before = applied(&topology("", "")).await;
    let rules = |aws: &SimulatedAws| -> BTreeMap<String, Value> {
        let picture = aws.snapshot(|item| item.rule.starts_with("ww.") && item.bus == "org-events");
        picture.as_object().unwrap().clone().into_iter().collect()
    };
    let names = |aws: &SimulatedAws| rules(aws).into_keys().collect::<Vec<_>>();
    let renamed = |moved: &str| {
        let text = LEDGER_FILE.replace("[subscribe.large]", "[subscribe.huge]");
        let mut texts = topology("", "").texts;
        texts.insert("topology/ledger.toml".into(), format!("{text}{moved}"));
        Example::of(texts, 1_001)
    };
    let told = next(&renamed("[[moved]]\nfrom = \"ledger.large\"\nto = \"ledger.huge\"\n"), &before);
    let (_, plan) = told.plan().await;
    assert!(plan.steps.iter().all(|step| !step.is_break()), "{}", told.shown(&plan));
    assert!(plan.routes.is_empty(), "no route changes: {}", told.shown(&plan));
    let swept = told.sweep().await;
    told.assert_in_step(&swept);
    assert_eq!(names(&told.aws()), names(&before.aws()));

    let untold = next(&renamed(""), &before);
    let (_, plan) = untold.plan().await;
    assert!(plan.steps.iter().any(|step| matches!(step.action, Action::DeleteRule { .. })), "{}", untold.shown(&plan));
    let swept = untold.sweep().await;
    untold.assert_in_step(&swept);
    assert_ne!(names(&untold.aws()), names(&before.aws()));
}

#[tokio::test(start_paused = true)]
async fn tags_are_inherited_changed_and_taken_out_again_and_others_tags_stay() {
    let tags = |aws: &SimulatedAws, bus: &str| -> Value {
        let picture = aws.snapshot(|item| item.bus == bus && item.rule.is_empty() && item.name == bus);
        let list = picture.as_object().unwrap().values().next().unwrap()["Tags"].as_array().unwrap().clone();
        let pair = |tag: Value| (tag["Key"].as_str().unwrap().to_owned(), tag["Value"].clone());
        Value::Object(list.into_iter().map(pair).collect())
    };
    let example = topology("", "");
    let first = applied(&example).await;
    let plain = tags(&first.aws(), "ledger");
    let others = json!({"ResourceARN": "arn:aws:events:us-east-1:333333333333:event-bus/ledger",
        "Tags": [{"Key": "owner", "Value": "somebody"}]});
    let service = wheelwright::sim::Service::EventBridge;
    first.aws().call(&Caller::root(LEDGER), US, service, "TagResource", &others).unwrap();

    let mut texts = example.texts.clone();
    texts.insert(
        "topology/base.toml".into(),
        BASE.replace("id = \"o-a1b2c3d4e5\"", "id = \"o-a1b2c3d4e5\"\ntags = { stage = \"prod\", cost = \"all\" }"),
    );
    texts.insert(
        "topology/ledger.toml".into(),
        LEDGER_FILE.replace("name = \"ledger\"", "name = \"ledger\"\ntags = { cost = \"books\" }"),
    );
    let bench = next(&Example::of(texts, 1_001), &first);
    let swept = bench.sweep().await;
    bench.assert_in_step(&swept);
    let live = tags(&bench.aws(), "ledger").to_string();
    assert!(
        live.contains(r#""stage":"prod""#) && live.contains(r#""cost":"books""#) && live.contains("somebody"),
        "{live}"
    );

    let bench = next(&Example::of(example.texts, 1_002), &bench);
    let swept = bench.sweep().await;
    bench.assert_in_step(&swept);
    let mut left = tags(&bench.aws(), "ledger");
    assert_eq!(left.as_object_mut().unwrap().remove("owner"), Some(json!("somebody")), "what is not ours stays");
    assert_eq!(left, plain, "{}", difference(&plain, &left).join("\n"));
}

#[tokio::test(start_paused = true)]
async fn spokes_may_be_in_other_regions_and_teams_at_several_hubs_with_two_buses_in_one_account() {
    let spokes = r#"[spoke.far]
hub = "us"
account = "ledger-prod"
region = "ap-southeast-2"
bus = "ledger"
[spoke.near]
hub = "us"
account = "ledger-prod"
bus = "ledger-batch"
[spoke.eu]
hub = "eu"
account = "payments-prod"
bus = "ledger-eu"
[subscribe.far]
from = "payments.settlements"
spoke = "far"
[subscribe.near]
from = "payments.settlements"
spoke = "near"
[subscribe.eu]
from = "payments.settlements"
spoke = "eu"
"#;
    let at_both = "[spoke.eu]\nhub = \"eu\"\naccount = \"payments-prod\"\n";
    let mut example = topology(at_both, spokes);
    let ledger = example.texts["topology/ledger.toml"].replacen(
        "from = \"payments.settlements\"\n",
        "from = \"payments.settlements\"\nspoke = \"us\"\n",
        1,
    );
    example.texts.insert("topology/ledger.toml".into(), ledger);
    let bench = applied(&Example::of(example.texts, 1_000)).await;
    settle(&mut bench.aws(), PAYMENTS, US, HUB);
    settle(&mut bench.aws(), PAYMENTS, EU, &HUB.replace(US, EU));
    let mail = |account: &str, region: &str, bus: &str| arrived(&bench, account, region, &format!("{bus}-inbox"));
    assert_eq!(mail(LEDGER, US, "ledger"), 1);
    assert_eq!(mail(LEDGER, US, "ledger-batch"), 1);
    assert_eq!(mail(LEDGER, "ap-southeast-2", "ledger"), 1);
    assert_eq!(mail(PAYMENTS, EU, "ledger-eu"), 1, "in an account that two teams share");
}

#[tokio::test(start_paused = true)]
async fn other_partitions_have_their_own_names_throughout() {
    let mut texts = topology("", "").texts;
    let base = BASE.replace("us-east-1", "us-gov-west-1").replace("eu-west-1", "us-gov-east-1");
    texts.insert("topology/base.toml".into(), base);
    let bench = applied(&Example::of(texts, 1_000)).await;
    let (region, hub) = ("us-gov-west-1", "arn:aws-us-gov:events:us-gov-west-1:111111111111:event-bus/org-events");
    settle(&mut bench.aws(), PAYMENTS, region, hub);
    let inbox = format!("arn:aws-us-gov:sqs:{region}:{LEDGER}:ledger-inbox");
    assert_eq!(bench.aws().messages(&inbox).len(), 1);
    let ours = bench.aws().snapshot(is_ours).to_string();
    assert!(ours.contains("arn:aws-us-gov:iam::") && !ours.contains("arn:aws:"), "{ours}");
}

#[tokio::test(start_paused = true)]
async fn a_bus_is_made_and_set_with_its_key_its_dead_letters_and_its_log() {
    let example = topology("", "");
    let mut aws = example.stage();
    let key = aws.create_key(LEDGER, US);
    let mut policy = key_policy(LEDGER);
    let operator = json!({
        "Sid": "Operator", "Effect": "Allow", "Action": "kms:*", "Resource": "*",
        "Principal": {"AWS": format!("arn:aws:iam::{LEDGER}:role/wheelwright-operator")},
    });
    policy["Statement"].as_array_mut().unwrap().push(operator);
    aws.set_key_policy(&key, &policy);
    let options = format!(
        "kms-key = \"{key}\"\nbus-dead-letter = \"ledger-undecryptable\"\nlog = {{ level = \"info\", detail = true }}\n"
    );
    let first = Bench::by_call(&example, aws);
    let swept = first.sweep().await;
    first.assert_in_step(&swept);
    let described = |bench: &Bench<SimFleet>| {
        let service = wheelwright::sim::Service::EventBridge;
        let input = json!({"Name": "ledger"});
        let mut bus = bench.aws().call(&Caller::root(LEDGER), US, service, "DescribeEventBus", &input).unwrap();
        let members = bus.as_object_mut().unwrap();
        for gone in ["LastModifiedTime", "CreationTime", "Policy", "Description"] {
            members.remove(gone);
        }
        bus
    };
    let before = described(&first);
    let with =
        example.edited(&[("topology/ledger.toml", "bus = \"ledger\"\n", &format!("bus = \"ledger\"\n{options}"))]);
    let bench = next(&with, &first);
    let swept = bench.sweep().await;
    bench.assert_in_step(&swept);
    let live = described(&bench);
    assert_eq!(live["KmsKeyIdentifier"], key);
    assert_eq!(live["DeadLetterConfig"]["Arn"], "arn:aws:sqs:us-east-1:333333333333:ledger-undecryptable");
    assert_eq!(live["LogConfig"], json!({"Level": "INFO", "IncludeDetail": "FULL"}));

    let bench = next(&Example::of(example.texts, 1_002), &bench);
    let swept = bench.sweep().await;
    bench.assert_in_step(&swept);
    assert_eq!(described(&bench), before, "what was asked for is gone when it is asked for no more");

    // By hand, where nobody asked for a key: told, and left, as nobody asked for taking it away either.
    let by_hand = json!({"Name": "ledger", "Description": "", "KmsKeyIdentifier": key});
    let service = wheelwright::sim::Service::EventBridge;
    bench.aws().call(&Caller::root(LEDGER), US, service, "UpdateEventBus", &by_hand).unwrap();
    let swept = bench.sweep().await;
    assert!(swept.after.findings.iter().any(|finding| finding.code == FindingCode::KmsKeyChanged));
    assert_eq!(described(&bench)["KmsKeyIdentifier"], key);
}

#[tokio::test(start_paused = true)]
async fn a_rename_that_is_refused_is_not_followed() {
    let own = "[subscribe.own]\nfrom = \"payments.settlements\"\n";
    let example = topology(own, "");
    let before = applied(&example).await;
    // A third team says that payments' subscription was once the ledger's: it is refused, and nobody's rule is the other's.
    let mut texts = example.texts.clone();
    let evil = "[team]\nname = \"evil\"\n[[moved]]\nfrom = \"ledger.large\"\nto = \"payments.own\"\n";
    texts.insert("topology/evil.toml".into(), evil.to_owned());
    let files = wheelwright::config::SourceFiles::new(texts.iter().map(|(path, text)| (path.as_str(), text.as_str())));
    assert!(wheelwright::config::load(&files).has_errors());
    let bench = next(&Example::of(texts, 1_001), &before);
    let (_, plan) = bench.plan().await;
    assert!(plan.steps.is_empty(), "{}", bench.shown(&plan));
}

#[tokio::test(start_paused = true)]
async fn a_key_that_somebody_set_by_hand_outlives_a_commit_about_something_else() {
    let example = topology("", "");
    let mut aws = example.stage();
    let key = aws.create_key(LEDGER, US);
    let mut policy = key_policy(LEDGER);
    let operator = json!({
        "Sid": "Operator", "Effect": "Allow", "Action": "kms:*", "Resource": "*",
        "Principal": {"AWS": format!("arn:aws:iam::{LEDGER}:role/wheelwright-operator")},
    });
    policy["Statement"].as_array_mut().unwrap().push(operator);
    aws.set_key_policy(&key, &policy);
    let first = Bench::by_call(&example, aws);
    let swept = first.sweep().await;
    first.assert_in_step(&swept);
    let service = wheelwright::sim::Service::EventBridge;
    let by_hand = json!({"Name": "ledger", "KmsKeyIdentifier": key});
    first.aws().call(&Caller::root(LEDGER), US, service, "UpdateEventBus", &by_hand).unwrap();

    let tagged = example.edited(&[(
        "topology/ledger.toml",
        "name = \"ledger\"\n",
        "name = \"ledger\"\ntags = { cost = \"books\" }\n",
    )]);
    let bench = next(&tagged, &first);
    let swept = bench.sweep().await;
    assert!(swept.failures().next().is_none(), "{}", bench.shown(&swept.after));
    let bus =
        bench.aws().call(&Caller::root(LEDGER), US, service, "DescribeEventBus", &json!({"Name": "ledger"})).unwrap();
    assert_eq!(bus["KmsKeyIdentifier"], key);
    assert!(swept.after.findings.iter().any(|finding| finding.code == FindingCode::KmsKeyChanged));
}

#[tokio::test(start_paused = true)]
async fn many_stops_at_once_wait_for_a_person_as_many_removals_would() {
    let many: String = (0..10)
        .map(|number| {
            format!("[subscribe.s{number}]\nfrom = \"payments.settlements\"\ndetail-types = [\"T{number}\"]\n")
        })
        .collect();
    let example = topology("", &many);
    let before = applied(&example).await;
    let stop = |number: usize| {
        format!(
            "[stop.s{number}]\nsubscription = \"ledger.s{number}\"\nuntil = 2026-10-01T00:00:00Z\nreason = \"a test\"\n"
        )
    };
    let three = next(&example.with("topology/ledger.toml", &(0..3).map(stop).collect::<String>()), &before);
    let (_, plan) = three.plan().await;
    assert!(plan.holds.is_empty(), "{}", three.shown(&plan));
    let all = next(&example.with("topology/ledger.toml", &(0..10).map(stop).collect::<String>()), &before);
    let (_, plan) = all.plan().await;
    assert!(plan.holds.iter().any(|hold| hold.guard == Guard::TooManyBreaks), "{}", all.shown(&plan));
}

#[tokio::test(start_paused = true)]
async fn an_account_leaves_a_collection_without_anybody_having_to_say_that_it_moved() {
    let collect = "[collect.findings]\nsource = \"aws.guardduty\"\naccounts = [\"payments-prod\", \"ledger-prod\"]\n";
    let subscribe = "[subscribe.findings]\nfrom = \"payments.findings\"\ndeliver = { queue = \"findings\" }\n";
    let example = topology(collect, subscribe);
    let before = applied(&example).await;
    // The organisation denies a Region in which the account is asked for nothing: that keeps nothing either.
    before.aws().disable_region(PAYMENTS, EU);
    let fewer = collect.replace("\"payments-prod\", ", "");
    let bench = next(&topology(&fewer, subscribe).newer(), &before);
    let (_, plan) = bench.plan().await;
    assert!(plan.holds.is_empty(), "{}", bench.shown(&plan));
    let swept = bench.sweep().await;
    bench.assert_in_step(&swept);
}

/// Without a daemon's memory it is the settings that say where something of before may be.
#[tokio::test(start_paused = true)]
async fn what_is_left_in_a_region_that_nothing_names_goes_where_the_settings_name_it() {
    let example = Example::worked();
    let aws = applied(&example.with_sydney()).await.aws().clone();
    let rules = |aws: &SimulatedAws| {
        let rules = aws.snapshot(|item| item.kind == SnapshotKind::Rule && item.region == SYDNEY);
        rules.to_string().contains("ww.sydney.orders")
    };
    let bench = Bench::by_call(&example.newer().newer(), aws);
    let swept = bench.sweep().await;
    bench.assert_in_step(&swept);
    assert!(rules(&bench.aws()), "nobody has read that Region");
    let also = example.newer().newer().with("wheelwright.toml", "\n[sweep]\nregions-also = [\"ap-southeast-2\"]\n");
    let bench = Bench::by_call(&also, bench.aws().clone());
    let swept = bench.sweep().await;
    bench.assert_in_step(&swept);
    assert!(!rules(&bench.aws()));
}
