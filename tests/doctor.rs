//! `wheelwright doctor`: the built program against a simulated AWS in which one thing after the other is broken.
#![allow(clippy::disallowed_methods)] // It reads the deployment page.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod program;
mod support;

use program::served::Served;
use program::{Endpoint, Folder, Ran, wheelwright};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use support::Example;
use wheelwright::call::{Answer, Call, CallError};
use wheelwright::doctor::{Manner, Patient, Trouble, examine, needs};
use wheelwright::model::ids::{AccountId, Moment, Scope};
use wheelwright::port::{Clock, Fleet, SignIn, SignedIn};
use wheelwright::reconcile::refresh::{Depth, RefreshSettings};
use wheelwright::sim::call_door::SimFleet;
use wheelwright::sim::{Caller, Outcome, Permission, Role, Service, SimulatedAws, Trusted};
use wheelwright::stage;

const PLATFORM: &str = "111111111111";
const SHOP: &str = "222222222222";
const BOOKS: &str = "333333333333";
const US: &str = "us-east-1";
const OPERATOR: &str = "wheelwright-operator";
const DELIVERY: &str = "wheelwright-delivery";

const SETTINGS: &str = r#"
[operator]
owner = "acme"
external-id = "acme/eventbridge"
region = "us-east-1"
"#;

const TOPOLOGY: &str = r#"
[account]
platform = { id = "111111111111" }
shop = { id = "222222222222" }
books = { id = "333333333333" }
carrier = { id = "999999999999", access = "none" }
unused = { id = "444444444444" }
[organization]
id = "o-a1b2c3d4e5"
[hub.prod]
account = "platform"
region = "us-east-1"
bus = "org-events"
archive = { retention-days = 30 }
audit = { queue = "audit-log" }
"#;

const SHOP_TEAM: &str = r#"
[team]
name = "shop"
contact = "the-shop"
[spoke.prod]
hub = "prod"
account = "shop"
bus = "shop"
[publish.orders]
source = "com.acme.shop"
via = "spoke"
subscribers = ["*"]
[publish.parcels]
source = "com.acme.parcels"
accounts = ["carrier"]
subscribers = ["*"]
"#;

const BOOKS_TEAM: &str = r#"
[team]
name = "books"
contact = "the-books"
[spoke.prod]
hub = "prod"
account = "books"
bus = "books"
[subscribe.orders]
from = "shop.orders"
deliver = { queue = "orders" }
[subscribe.parcels]
from = "shop.parcels"
[subscribe.lost]
from = "shop.parcels"
detail-types = ["ParcelLost"]
deliver = { function = "complain" }
dead-letter = "lost-parcels"
"#;

const CARRIER_TEAM: &str = r#"
[team]
name = "carrier"
contact = "carrier@example.com"
[spoke.prod]
hub = "prod"
account = "carrier"
bus = "carrier"
[publish.scans]
source = "com.carrier.scans"
via = "spoke"
subscribers = ["*"]
[subscribe.parcels]
from = "shop.parcels"
deliver = { queue = "parcels" }
"#;

fn texts() -> BTreeMap<String, String> {
    let files = [
        ("wheelwright.toml", SETTINGS),
        ("topology/platform.toml", TOPOLOGY),
        ("topology/teams/shop.toml", SHOP_TEAM),
        ("topology/teams/books.toml", BOOKS_TEAM),
        ("topology/teams/carrier.toml", CARRIER_TEAM),
    ];
    files.map(|(path, text)| (path.to_owned(), text.to_owned())).into()
}

/// The accounts as the templates leave them.
fn staged() -> SimulatedAws {
    Example::of(texts(), 1_000).stage()
}

fn doctor(folder: &Folder, served: &Served, more: &[&str]) -> Ran {
    wheelwright(folder, Some(&served.endpoint), &[&["doctor"], more].concat())
}

/// The part of a report from its table on.
fn accounts(out: &str) -> &str {
    out.find("Accounts\n").map_or(out, |at| &out[at..])
}

/// The part of a report that says what is missing.
fn missing(out: &str) -> &str {
    out.find("Missing or wrong\n").map_or("", |at| &out[at..])
}

fn root(aws: &mut SimulatedAws, account: &str, service: Service, operation: &str, input: &Value) {
    aws.call(&Caller::root(account), US, service, operation, input).unwrap();
}

/// The operator role of an account, as a person changed it.
fn operator(aws: &mut SimulatedAws, account: &str, external_id: &str, permissions: &[Permission], denied: &[&str]) {
    let mut role = Role::named(OPERATOR).trusting(Trusted::Account("100000000001".into()));
    role.permissions = permissions.to_vec();
    role.denied_actions = denied.iter().map(|&action| action.to_owned()).collect();
    aws.create_role(account, role.with_external_id(external_id));
}

fn everything() -> Vec<Permission> {
    vec![Permission::on_everything(&["events:*", "iam:*", "sqs:*"])]
}

fn delivery(aws: &mut SimulatedAws, account: &str, trusted: &str, source_account: &str) {
    let role = Role::named(DELIVERY).trusting(Trusted::Service(trusted.into()));
    aws.create_role(account, role.with_source_account(source_account));
}

#[test]
fn healthy_accounts_are_told_with_what_owners_and_partners_have_to_have() {
    let folder = Folder::of(&texts());
    let served = Served::start(staged());
    let first = doctor(&folder, &served, &[]).expect(0);
    insta::assert_snapshot!("doctor_of_healthy_accounts", first.out);
    let log = served.aws().log().to_vec();
    assert!(log.is_empty(), "it wrote: {log:#?}");

    // Nothing else once everything is made, but for what is used of the quotas.
    wheelwright(&folder, Some(&served.endpoint), &["apply", "--yes"]).expect(0);
    let second = doctor(&folder, &served, &[]).expect(0);
    insta::assert_snapshot!("doctor_after_apply", accounts(&second.out));
}

#[test]
fn writes_are_proven_on_what_is_not_there_and_hit_nothing() {
    let folder = Folder::of(&texts());
    let served = Served::start(staged());
    wheelwright(&folder, Some(&served.endpoint), &["apply", "--yes"]).expect(0);
    let before = served.aws().snapshot(|_| true);
    let written = served.aws().log().len();
    let ran = doctor(&folder, &served, &["--prove-writes"]).expect(0);
    insta::assert_snapshot!("doctor_that_proves_writes", accounts(&ran.out));
    assert_eq!(served.aws().snapshot(|_| true), before);
    let log = served.aws().log()[written..].to_vec();
    assert!(log.iter().all(|entry| matches!(entry.outcome, Outcome::Err(_))), "a write went through: {log:#?}");
    assert_eq!(log.len(), 4 * 10, "ten writes in each scope");

    // Somebody made the very bus that nobody has: nothing is tried on it.
    root(
        &mut served.aws(),
        SHOP,
        Service::EventBridge,
        "CreateEventBus",
        &json!({"Name": "wheelwright-doctor-nothing"}),
    );
    let written = served.aws().log().len();
    let ran = doctor(&folder, &served, &["--prove-writes", "--account", "shop"]).expect(0);
    assert!(ran.out.contains("what it is tried on is there: somebody made it"), "{}", ran.out);
    let tried: Vec<String> = served.aws().log()[written..].iter().map(|entry| entry.operation.clone()).collect();
    assert_eq!(tried, ["UpdateArchive"]);
}

#[test]
fn a_role_that_is_narrowed_to_some_buses_is_not_taken_for_denied() {
    let folder = Folder::of(&texts());
    let mut aws = staged();
    // BusNamePattern=org-*, as the template has it.
    let permissions = [
        Permission::on_everything(&[
            "events:List*",
            "events:Describe*",
            "events:PutPermission",
            "events:RemovePermission",
        ]),
        Permission::on(
            &["events:*Rule", "events:*Targets", "events:*agResource"],
            &[
                &format!("arn:aws:events:*:{PLATFORM}:rule/org-*/ww.*"),
                &format!("arn:aws:events:*:{PLATFORM}:rule/ww.*"),
            ],
        ),
        Permission::on(&["events:*EventBus"], &[&format!("arn:aws:events:*:{PLATFORM}:event-bus/org-*")]),
        Permission::on(&["events:*Archive"], &[&format!("arn:aws:events:*:{PLATFORM}:archive/ww_*")]),
        Permission::on_everything(&["iam:GetRole", "sqs:GetQueueAttributes"]),
    ];
    operator(&mut aws, PLATFORM, "acme/eventbridge", &permissions, &[]);
    let served = Served::start(aws);
    let ran = doctor(&folder, &served, &["--prove-writes", "--account", "platform"]).expect(0);
    insta::assert_snapshot!("doctor_of_a_narrowed_role", accounts(&ran.out));
}

/// What is broken, the code that tells it, and how to break it.
type Breakage = (&'static str, &'static str, fn(&mut SimulatedAws));

const BREAKAGES: &[Breakage] = &[
    ("the operator role is not there", "role-refused", |aws| aws.delete_role(SHOP, OPERATOR)),
    ("the role asks for another external id", "role-refused", |aws| operator(aws, SHOP, "other", &everything(), &[])),
    ("the account is suspended", "role-refused", |aws| aws.suspend_account(BOOKS)),
    ("the role is in another account", "wrong-account", |aws| aws.misdirect_role(SHOP, OPERATOR, BOOKS)),
    ("an SCP denies a read", "denied", |aws| aws.deny_by_organization(SHOP, "events:ListTargetsByRule")),
    ("the role lacks two reads", "denied", |aws| {
        let some = Permission::on_everything(&["events:[!L]*"]);
        let listed = Permission::on_everything(&["events:Describe*", "events:ListRules", "events:ListEventBuses"]);
        let tags = Permission::on_everything(&["events:ListT*", "sqs:*"]);
        operator(aws, SHOP, "acme/eventbridge", &[some, listed, tags], &[]);
    }),
    ("somebody put a Deny on the role", "denied", |aws| {
        operator(aws, SHOP, "acme/eventbridge", &everything(), &["sqs:GetQueueAttributes"]);
    }),
    ("the delivery role is not there", "delivery-role-missing", |aws| aws.delete_role(PLATFORM, DELIVERY)),
    ("the delivery role trusts another service", "delivery-role-trust", |aws| {
        delivery(aws, PLATFORM, "lambda.amazonaws.com", PLATFORM);
    }),
    ("the delivery role serves another account", "delivery-role-trust", |aws| {
        delivery(aws, SHOP, "events.amazonaws.com", PLATFORM);
    }),
    ("the dead-letter queue has no policy", "dead-letters-policy", |aws| {
        let url = format!("https://sqs.{US}.amazonaws.com/{PLATFORM}/wheelwright-dead-letters");
        let attributes = json!({"QueueUrl": url, "Attributes": {"Policy": ""}});
        root(aws, PLATFORM, Service::Sqs, "SetQueueAttributes", &attributes);
    }),
    ("the dead-letter queue takes other rules' alone", "dead-letters-policy", |aws| {
        let policy = json!({"Statement": [{
            "Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": "sqs:SendMessage",
            "Resource": "*", "Condition": {"ArnLike": {"aws:SourceArn": "arn:aws:events:*:*:rule/*/old.*"}},
        }]});
        aws.create_queue_with_policy(SHOP, US, "wheelwright-dead-letters", &policy);
    }),
    ("the dead-letter queue is encrypted with a key that EventBridge cannot use", "dead-letters-key", |aws| {
        let url = format!("https://sqs.{US}.amazonaws.com/{PLATFORM}/wheelwright-dead-letters");
        let attributes = json!({"QueueUrl": url, "Attributes": {"KmsMasterKeyId": "alias/aws/sqs"}});
        root(aws, PLATFORM, Service::Sqs, "SetQueueAttributes", &attributes);
    }),
    ("a quota is nearly used up", "quota", |aws| {
        for number in 0..82 {
            root(aws, BOOKS, Service::EventBridge, "CreateEventBus", &json!({"Name": format!("other-{number}")}));
        }
    }),
    ("the Region is not enabled", "no-answer", |aws| aws.disable_region(SHOP, US)),
];

#[test]
fn each_thing_that_is_broken_is_told_with_how_to_mend_it() {
    let folder = Folder::of(&texts());
    let mut told = String::new();
    for (name, code, broken) in BREAKAGES {
        let mut aws = staged();
        broken(&mut aws);
        let served = Served::start(aws);
        let ran = doctor(&folder, &served, &[]).expect(1);
        assert!(ran.out.contains(&format!(" {code}  ")), "{name}: {}", ran.out);
        _ = writeln!(told, "== {name}\n{}", missing(&ran.out));
    }
    insta::assert_snapshot!("what_is_broken_is_told", told);
}

#[test]
fn denied_writes_are_told_when_they_are_proven() {
    let folder = Folder::of(&texts());
    let mut aws = staged();
    aws.deny_by_organization(SHOP, "events:PutRule");
    operator(
        &mut aws,
        BOOKS,
        "acme/eventbridge",
        &[Permission::on_everything(&["events:List*", "events:Describe*", "iam:GetRole", "sqs:GetQueueAttributes"])],
        &[],
    );
    let served = Served::start(aws);
    doctor(&folder, &served, &[]).expect(0);
    let ran = doctor(&folder, &served, &["--prove-writes"]).expect(1);
    insta::assert_snapshot!("doctor_of_denied_writes", accounts(&ran.out));
}

#[test]
fn a_missing_dead_letter_queue_is_told_with_its_name() {
    let mut named = texts();
    let settings = format!("{SETTINGS}[delivery]\ndead-letter-queue = \"undeliverable\"\n");
    named.insert("wheelwright.toml".into(), settings);
    let served = Served::start(staged());
    let ran = doctor(&Folder::of(&named), &served, &["--account", "shop"]).expect(1);
    // The role may not even look at a queue of that name: the template was told another one.
    insta::assert_snapshot!("doctor_of_another_queues_name", missing(&ran.out));

    let mut aws = staged();
    operator(&mut aws, SHOP, "acme/eventbridge", &everything(), &[]);
    let served = Served::start(aws);
    let ran = doctor(&Folder::of(&named), &served, &["--account", "shop"]).expect(1);
    insta::assert_snapshot!("doctor_of_a_missing_queue", missing(&ran.out));
}

#[test]
fn a_clock_that_is_off_is_told_before_aws_refuses_what_it_signs() {
    let folder = Folder::of(&texts());
    let served = Served::start(staged());
    for (ahead, severity, side) in [(120, "warning", "behind"), (-120, "warning", "ahead of"), (270, "error", "behind")]
    {
        served.set_ahead(ahead);
        let ran = doctor(&folder, &served, &[]).expect(1);
        let line = missing(&ran.out).lines().nth(1).unwrap();
        assert!(line.trim_start().starts_with(severity) && line.contains(" clock  platform us-east-1, "), "{line}");
        let what = missing(&ran.out).lines().nth(2).unwrap();
        let (_, rest) = what.split_once("clock is ").unwrap();
        let (seconds, rest) = rest.split_once(" s ").unwrap();
        let seconds: i64 = seconds.parse().unwrap();
        assert!((seconds - i64::abs(ahead)).abs() <= 3, "{what}");
        assert!(rest.starts_with(side), "{what}");
    }
    served.set_ahead(30);
    doctor(&folder, &served, &[]).expect(0);
}

#[test]
fn without_credentials_or_an_answer_the_cause_is_told_once() {
    let folder = Folder::of(&texts());
    let served = Served::start(staged());
    let unknown = Endpoint { access_key_id: "AKIAUNKNOWN".into(), ..served.endpoint.clone() };
    let ran = wheelwright(&folder, Some(&unknown), &["doctor"]).expect(1);
    insta::assert_snapshot!("doctor_without_credentials", accounts(&ran.out));
    // Nobody listens on this port: the standard keeps it for that.
    let nowhere = Endpoint { url: "http://127.0.0.1:9".into(), ..served.endpoint.clone() };
    let ran = wheelwright(&folder, Some(&nowhere), &["doctor"]).expect(1);
    assert_eq!(missing(&ran.out).matches("no-answer  platform").count(), 1, "{}", ran.out);
    assert!(ran.out.contains("4 accounts, 4 scopes: 1 thing is missing or wrong, in 4 scopes."), "{}", ran.out);
}

#[test]
fn what_is_named_is_looked_at_and_nothing_else() {
    let folder = Folder::of(&texts());
    let mut aws = staged();
    aws.delete_role(BOOKS, OPERATOR);
    let served = Served::start(aws);
    for named in [["--account", "shop"], ["--account", SHOP], ["--scope", "shop/us-east-1"]] {
        let out = doctor(&folder, &served, &named).expect(0).out;
        assert!(out.ends_with("1 account, 1 scope: nothing is missing.\n"), "{out}");
    }
    doctor(&folder, &served, &["--account", "shop", "--account", "books"]).expect(1);
    for (named, why) in [
        (["--account", "shoop"], "there is no account `shoop` on the roster"),
        (["--account", "carrier"], "access = \"none\": it is never touched"),
        (["--scope", "shop"], "write ACCOUNT/REGION"),
        (["--scope", "shop/eu-west-1"], "asks for nothing in shop/eu-west-1"),
    ] {
        let ran = doctor(&folder, &served, &named).expect(1);
        assert!(ran.err.contains(why) && ran.out.is_empty(), "{}{}", ran.out, ran.err);
    }
}

#[test]
fn programs_are_told_the_same() {
    let folder = Folder::of(&texts());
    let mut aws = staged();
    aws.delete_role(PLATFORM, DELIVERY);
    let served = Served::start(aws);
    let ran = doctor(&folder, &served, &["--format", "json"]).expect(1);
    let report: Value = serde_json::from_str(&ran.out).unwrap();
    let scopes = report["scopes"].as_array().unwrap();
    let of = |account: &str| scopes.iter().find(|scope| scope["account"] == account).unwrap();
    assert_eq!(scopes.len(), 4);
    assert_eq!(of("platform")["delivery-role"], "missing");
    assert_eq!(of("shop")["delivery-role"], "ok");
    assert_eq!(of("books")["delivery-role"], "not-needed");
    assert_eq!(of("shop")["permissions"]["events:ListRules"], json!({"state": "ok"}));
    assert_eq!(of("shop")["permissions"]["events:PutRule"]["state"], "unproven");
    let troubles = report["troubles"].as_array().unwrap();
    assert_eq!(troubles.len(), 1);
    assert_eq!(troubles[0]["code"], "delivery-role-missing");
    assert_eq!(troubles[0]["scope"], json!({"account": PLATFORM, "region": US}));
    assert_eq!(report["partners"][0]["account"], "carrier");
}

/// Two of forty are in trouble, and somebody has to find them.
#[test]
fn forty_accounts_fit_a_screen() {
    let mut all = BTreeMap::from([("wheelwright.toml".to_owned(), SETTINGS.to_owned())]);
    let mut platform = String::from("[account]\nplatform = { id = \"111111111111\" }\n");
    for number in 1..=40 {
        _ = writeln!(platform, "team-{number:02} = {{ id = \"3000000000{number:02}\" }}");
        let team = format!(
            "[team]\nname = \"team-{number:02}\"\ncontact = \"#team\"\n[spoke.prod]\nhub = \"prod\"\naccount = \"team-{number:02}\"\n\
             bus = \"events\"\n[publish.facts]\nsource = \"com.acme.team{number:02}\"\nsubscribers = [\"*\"]\n\
             [subscribe.others]\nfrom = \"team-{:02}.facts\"\n",
            number % 40 + 1
        );
        all.insert(format!("topology/teams/team-{number:02}.toml"), team);
    }
    platform += "[hub.prod]\naccount = \"platform\"\nregion = \"us-east-1\"\nbus = \"org-events\"\n";
    all.insert("topology/platform.toml".into(), platform);
    let mut aws = Example::of(all.clone(), 1_000).stage();
    for account in ["300000000007", "300000000023"] {
        aws.delete_role(account, OPERATOR);
    }
    aws.deny_by_organization("300000000030", "events:ListArchives");
    let served = Served::start(aws);
    let ran = doctor(&Folder::of(&all), &served, &[]).expect(1);
    insta::assert_snapshot!("doctor_of_forty_accounts", ran.out);
    assert!(ran.out.lines().count() < 60, "{}", ran.out);
}

/// IAM and SQS are found as their own SDKs would find them.
#[test]
fn a_service_may_have_an_endpoint_of_its_own() {
    let folder = Folder::of(&texts());
    let served = Served::start(staged());
    let nowhere = [("AWS_ENDPOINT_URL_SQS", "http://127.0.0.1:9")];
    let ran = program::wheelwright_with(&folder, Some(&served.endpoint), &nowhere, &["doctor", "--account", "shop"]);
    let ran = ran.expect(1);
    assert!(missing(&ran.out).contains("sqs:GetQueueAttributes: no-answer"), "{}", ran.out);
    assert!(!missing(&ran.out).contains("iam:GetRole"), "{}", ran.out);
}

/// Plans tell partners, too: what makes their rules deliver, and what lets those publish who put events on the hub.
#[test]
fn a_plan_tells_partners_what_they_have_to_add() {
    let folder = Folder::of(&texts());
    let served = Served::start(staged());
    let ran = wheelwright(&folder, Some(&served.endpoint), &["plan", "--format", "json"]).expect(0);
    let plan: Value = serde_json::from_str(&ran.out).unwrap();
    let found = plan["findings"].as_array().unwrap().iter().filter(|finding| finding["code"] == "partner-must-add");
    let told: Vec<(&str, Option<&str>)> =
        found.map(|finding| (finding["detail"].as_str().unwrap(), finding["team"].as_str())).collect();
    let hub = "arn:aws:events:us-east-1:111111111111:event-bus/org-events";
    let policy = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "events:PutEvents", "Resource": hub}]});
    let publishes = format!("the partner lets those who publish do so, by this identity policy: {policy}");
    assert!(told.contains(&(publishes.as_str(), Some("shop"))), "{told:#?}");
    assert_eq!(told.len(), 2, "{told:#?}");
    assert!(
        told.iter().any(|(detail, team)| detail.starts_with("the partner makes a rule") && *team == Some("carrier"))
    );
}

/// What `deploy/README.md` says to deploy with is what the doctor says.
#[test]
fn the_commands_are_those_of_the_deployment_page() {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/README.md")).unwrap();
    let shape = |line: &str| -> Vec<String> {
        let words = line.split("$ ").nth(1).unwrap().split(' ');
        words.map(|word| word.split('=').next().unwrap().to_owned()).collect()
    };
    let documented: Vec<Vec<String>> = page
        .lines()
        .filter(|line| line.starts_with("$ aws cloudformation deploy") && line.contains("/member-"))
        .map(shape)
        .collect();
    assert_eq!(documented.len(), 2);
    let folder = Folder::of(&texts());
    let mut aws = staged();
    aws.delete_role(SHOP, OPERATOR);
    aws.delete_role(PLATFORM, DELIVERY);
    let served = Served::start(aws);
    let mut told = missing(&doctor(&folder, &served, &[]).expect(1).out).to_owned();
    let mut named = texts();
    named.insert("wheelwright.toml".into(), format!("{SETTINGS}[delivery]\ndead-letter-queue = \"undeliverable\"\n"));
    operator(&mut served.aws(), BOOKS, "acme/eventbridge", &everything(), &[]);
    operator(&mut served.aws(), PLATFORM, "acme/eventbridge", &everything(), &[]);
    told += missing(&doctor(&Folder::of(&named), &served, &["--account", "platform"]).expect(1).out);
    let commands: Vec<Vec<String>> =
        told.lines().filter(|line| line.contains("$ aws cloudformation deploy")).map(shape).collect();
    assert!(commands.len() >= 3, "{told}");
    for command in &commands {
        let is_documented = documented.iter().any(|documented| command.starts_with(documented));
        assert!(is_documented, "{command:?} is none of {documented:?}");
    }
    assert!(
        documented.iter().all(|documented| commands.iter().any(|command| command.starts_with(documented))),
        "{told}"
    );
}

/// A fleet in which one account never answers.
struct Hung {
    fleet: SimFleet,
    account: AccountId,
    /// Whether signing in still works.
    signs_in: bool,
}

impl Fleet for Hung {
    async fn call(&self, scope: &Scope, call: Call) -> Result<Answer, CallError> {
        if scope.account == self.account {
            std::future::pending::<()>().await;
        }
        self.fleet.call(scope, call).await
    }
}

impl SignIn for Hung {
    async fn sign_in(&self, scope: &Scope) -> Result<SignedIn, CallError> {
        if scope.account == self.account && !self.signs_in {
            std::future::pending::<()>().await;
        }
        self.fleet.sign_in(scope).await
    }
}

struct Noon;

impl Clock for Noon {
    fn now(&self) -> Moment {
        Moment(1_790_000_000_000)
    }
    async fn wait_ms(&self, _: u64) {}
}

#[tokio::test(start_paused = true)]
async fn an_account_that_hangs_delays_nobody_else_and_is_told() {
    let example = Example::of(texts(), 1_000);
    let patient = Patient { topology: &example.topology, desired: &example.desired, settings: &example.settings };
    let scopes = needs(&example.desired, &example.settings).into_keys().collect();
    let refresh = RefreshSettings { depth: Depth::Full, scopes_in_flight_max: 8, scope_deadline_ms: 120_000 };
    for signs_in in [false, true] {
        let fleet = stage::fleet(example.stage(), &example.settings);
        let hung = Hung { fleet, account: SHOP.parse().unwrap(), signs_in };
        let started = tokio::time::Instant::now();
        let done = std::sync::Mutex::new(BTreeMap::new());
        let told = |scope: &Scope, _: &[Trouble]| {
            done.lock().unwrap().insert(scope.account.to_string(), started.elapsed().as_secs());
        };
        let manner = Manner { prove_writes: false, refresh };
        let report = examine(&hung, &Noon, patient, &scopes, manner, &told).await;
        let done = done.into_inner().unwrap();
        assert_eq!(done[SHOP], 120);
        assert!([PLATFORM, BOOKS, "444444444444"].iter().all(|account| done[*account] == 0), "{done:?}");
        let told: Vec<(String, &str)> =
            report.troubles.iter().map(|trouble| (trouble.scope.account.to_string(), trouble.what.as_str())).collect();
        let what = if signs_in {
            "the role was assumed, and not everything was answered within 120 s"
        } else {
            "sts:AssumeRole: no-answer: no answer within 120 s"
        };
        assert_eq!(told, [(SHOP.to_owned(), what)]);
    }
}
