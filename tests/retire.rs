//! `wheelwright retire`: what it lists, everything that it refuses, and that it does one thing once.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod program;
mod support;

use program::served::Served;
use program::{Folder, Ran, wheelwright};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use support::{Bench, Example};
use wheelwright::model::ids::{Moment, Scope};
use wheelwright::model::resource::{ArchiveId, BusId};
use wheelwright::plan::retire::Retirable;
use wheelwright::port::{Clock, Fleet};
use wheelwright::reconcile::refresh::{Depth, RefreshSettings};
use wheelwright::reconcile::retire::{Prepared, Ready, Retired, prepare, retire};
use wheelwright::sim::call_door::SimFleet;
use wheelwright::sim::fault::{Fault, FaultyFleet, Schedule};
use wheelwright::sim::{Caller, Outcome, Permission, Role, Service, SimulatedAws, Trusted};
use wheelwright::stage;

const PLATFORM: &str = "111111111111";
const SHOP: &str = "222222222222";
const BOOKS: &str = "333333333333";
const US: &str = "us-east-1";

const SETTINGS: &str = r#"
[operator]
owner = "acme"
external-id = "acme/eventbridge"
region = "us-east-1"
[pace]
settle-secs = 0
[guards]
breaks-percent-max = 100
changes-percent-max = 100
"#;

const ACCOUNTS: &str = r#"
[account]
platform = { id = "111111111111" }
shop = { id = "222222222222" }
books = { id = "333333333333" }
[hub.prod]
account = "platform"
region = "us-east-1"
bus = "org-events"
archive = { retention-days = 30 }
"#;

const OLD_HUB: &str = r#"
[hub.old]
account = "platform"
region = "us-east-1"
bus = "old-events"
archive = { retention-days = 0 }
"#;

const TEAMS: [(&str, &str); 2] = [
    (
        "topology/teams/shop.toml",
        "[team]\nname = \"shop\"\ncontact = \"the-shop\"\n[spoke.prod]\nhub = \"prod\"\naccount = \"shop\"\nbus = \"shop\"\n\
         [publish.orders]\nsource = \"com.acme.shop\"\nsubscribers = [\"*\"]\n",
    ),
    (
        "topology/teams/books.toml",
        "[team]\nname = \"books\"\ncontact = \"the-books\"\n[spoke.prod]\nhub = \"prod\"\naccount = \"books\"\nbus = \"books\"\n\
         [subscribe.orders]\nfrom = \"shop.orders\"\n",
    ),
];

fn texts(hubs: &str) -> BTreeMap<String, String> {
    let mut texts = BTreeMap::from(TEAMS.map(|(path, text)| (path.to_owned(), text.to_owned())));
    texts.insert("wheelwright.toml".into(), SETTINGS.into());
    texts.insert("topology/platform.toml".into(), format!("{ACCOUNTS}{hubs}"));
    texts
}

/// Accounts in which a hub was, with its bus and its archive, that the topology does not name any more.
struct Left {
    folder: Folder,
    served: Served,
    /// The archive's name.
    archive: String,
}

impl Left {
    fn new() -> Self {
        let mut folder = Folder::of(&texts(OLD_HUB));
        let served = Served::start(Example::of(texts(OLD_HUB), 1_000).stage());
        wheelwright(&folder, Some(&served.endpoint), &["apply", "--yes"]).expect(0);
        folder.write("topology/platform.toml", ACCOUNTS);
        wheelwright(&folder, Some(&served.endpoint), &["apply", "--yes"]).expect(0);
        let listed = wheelwright(&folder, Some(&served.endpoint), &["retire"]).expect(0).out;
        let command = listed.lines().find(|line| line.contains("retire archive")).unwrap();
        let archive = command.rsplit('/').next().unwrap().to_owned();
        Self { folder, served, archive }
    }

    fn retire(&self, args: &[&str]) -> Ran {
        wheelwright(&self.folder, Some(&self.served.endpoint), &[&["retire"], args].concat())
    }

    fn retire_archive(&self, more: &[&str]) -> Ran {
        let place = format!("platform/{US}/{}", self.archive);
        self.retire(&[&["archive", place.as_str()], more].concat())
    }

    /// With the archive gone, whose rule keeps the bus.
    fn without_archive() -> Self {
        let left = Self::new();
        left.retire_archive(&["--confirm", &left.archive]).expect(0);
        left
    }

    fn retire_bus(&self) -> Ran {
        self.retire(&["bus", &format!("platform/{US}/old-events"), "--confirm", "old-events"])
    }

    fn buses(&self) -> Vec<String> {
        let mut aws = self.served.aws();
        let listed = events(&mut aws, PLATFORM, "ListEventBuses", &json!({}));
        let named = |bus: &Value| bus["Name"].as_str().unwrap().to_owned();
        listed["EventBuses"].as_array().unwrap().iter().map(named).collect()
    }

    /// The deletions that were tried and done.
    fn deleted(&self) -> Vec<String> {
        let aws = self.served.aws();
        let done = aws.log().iter().filter(|entry| entry.outcome == Outcome::Ok);
        let deleting = done.filter(|entry| entry.operation.starts_with("Delete") && entry.operation != "DeleteRule");
        deleting.map(|entry| format!("{} {}", entry.operation, entry.input)).collect()
    }

    /// Runs what has to be refused, with this among the reasons; nothing is deleted.
    fn refuses(&self, run: impl FnOnce() -> Ran, why: &str) {
        let before = self.deleted();
        let ran = run().expect(1);
        assert!(ran.err.contains(why), "{why:?} is not in:\n{}", ran.err);
        assert_eq!(self.deleted(), before);
        assert!(self.buses().contains(&"old-events".to_owned()));
    }
}

fn events(aws: &mut SimulatedAws, account: &str, operation: &str, input: &Value) -> Value {
    aws.call(&Caller::root(account), US, Service::EventBridge, operation, input).unwrap()
}

#[test]
fn what_is_left_is_listed_and_taken_away_one_at_a_time_and_once() {
    let left = Left::new();
    insta::assert_snapshot!("retire_lists", left.retire(&[]).expect(0).out);

    // The bus has its archive's rule on it.
    let stays = left.retire_bus().expect(1);
    insta::assert_snapshot!("retire_refuses_a_bus_with_an_archive", stays.err);

    // Nobody can be asked here, and a wrong name is no confirmation.
    for number in 0..3 {
        put(&left.served, number);
    }
    let asked = left.retire_archive(&[]).expect(1);
    insta::assert_snapshot!("retire_asks", asked.out + &asked.err);
    let mistyped = left.retire_archive(&["--confirm", "org-events"]).expect(1);
    assert!(mistyped.err.contains("Nothing was done: `org-events` is not its name."), "{}", mistyped.err);
    assert_eq!(left.deleted(), Vec::<String>::new());

    let done = left.retire_archive(&["--confirm", &left.archive]).expect(0);
    assert!(
        done.out.ends_with(&format!("Done: archive {} in platform us-east-1 is gone.\n", left.archive)),
        "{}",
        done.out
    );
    assert_eq!(left.deleted(), [format!("DeleteArchive {}", json!({"ArchiveName": left.archive}))]);
    let again = left.retire_archive(&["--confirm", &left.archive]).expect(0);
    assert_eq!(
        again.out,
        format!("There is no archive {} in platform us-east-1: it is gone. Nothing was done.\n", left.archive)
    );

    let done = left.retire_bus().expect(0);
    insta::assert_snapshot!("retire_of_a_bus", done.out);
    assert_eq!(left.buses(), ["default", "org-events"]);
    assert_eq!(left.deleted().last().unwrap(), r#"DeleteEventBus {"Name":"old-events"}"#);
    let again = left.retire_bus().expect(0);
    assert_eq!(again.out, "There is no bus old-events in platform us-east-1: it is gone. Nothing was done.\n");
    assert_eq!(left.deleted().len(), 2);
    assert_eq!(left.retire(&[]).expect(0).out, "There is nothing to retire.\n");
    // What is asked for was never touched.
    wheelwright(&left.folder, Some(&left.served.endpoint), &["plan", "--expect-no-changes"]).expect(0);
}

/// An event that the old hub's archive takes.
fn put(served: &Served, number: i32) {
    let detail = json!({"number": number}).to_string();
    let entry =
        json!({"Source": "com.acme.shop", "DetailType": "OrderPlaced", "Detail": detail, "EventBusName": "old-events"});
    events(&mut served.aws(), PLATFORM, "PutEvents", &json!({"Entries": [entry]}));
}

#[test]
fn a_bus_stays_while_anything_speaks_against_it() {
    let left = Left::without_archive();
    let root = |operation: &str, input: Value| _ = events(&mut left.served.aws(), PLATFORM, operation, &input);
    let arn = format!("arn:aws:events:{US}:{PLATFORM}:event-bus/old-events");

    // Named by the topology.
    left.refuses(
        || left.retire(&["bus", &format!("platform/{US}/org-events"), "--confirm", "org-events"]),
        "the topology names it",
    );
    left.refuses(|| left.retire(&["bus", &format!("platform/{US}/default"), "--confirm", "default"]), "default bus");

    // Somebody's rule is on it.
    root("PutRule", json!({"Name": "theirs", "EventBusName": "old-events", "EventPattern": r#"{"source":["a"]}"#}));
    left.refuses(|| left.retire_bus(), "rule theirs is still on it");
    root("DeleteRule", json!({"Name": "theirs", "EventBusName": "old-events"}));

    // Somebody let a third party in.
    let grant = json!({"EventBusName": "old-events", "StatementId": "guest", "Action": "events:PutEvents", "Principal": "999999999999"});
    root("PutPermission", grant);
    left.refuses(|| left.retire_bus(), "its policy has a statement that is not ours: guest");
    root("RemovePermission", json!({"EventBusName": "old-events", "StatementId": "guest"}));

    // A rule in another account, on a bus that nothing of ours is on, delivers to it.
    root(
        "PutPermission",
        json!({"EventBusName": "old-events", "StatementId": "ww_acme_222222222222-00000000", "Action": "events:PutEvents", "Principal": SHOP}),
    );
    let rule = json!({"Name": "forward", "EventPattern": r#"{"source":["a"]}"#});
    let role = format!("arn:aws:iam::{SHOP}:role/wheelwright-delivery");
    let target = json!({"Rule": "forward", "Targets": [{"Id": "t", "Arn": arn, "RoleArn": role}]});
    events(&mut left.served.aws(), SHOP, "PutRule", &rule);
    events(&mut left.served.aws(), SHOP, "PutTargets", &target);
    left.refuses(|| left.retire_bus(), "rule 222222222222/us-east-1/default/forward delivers to it");
    events(&mut left.served.aws(), SHOP, "RemoveTargets", &json!({"Rule": "forward", "Ids": ["t"]}));

    // One mark is not enough.
    root("UntagResource", json!({"ResourceARN": arn, "TagKeys": ["wheelwright:owner"]}));
    left.refuses(|| left.retire_bus(), "its description bears our mark and its tags do not");
    root("TagResource", json!({"ResourceARN": arn, "Tags": [{"Key": "wheelwright:owner", "Value": "acme"}]}));
    let described = events(&mut left.served.aws(), PLATFORM, "DescribeEventBus", &json!({"Name": "old-events"}));
    let mark = described["Description"].as_str().unwrap().to_owned();
    root("UpdateEventBus", json!({"Name": "old-events", "Description": "mine"}));
    left.refuses(|| left.retire_bus(), "bears no mark of ours");
    // A mark of another bus is none.
    let other = events(&mut left.served.aws(), PLATFORM, "DescribeEventBus", &json!({"Name": "org-events"}));
    root("UpdateEventBus", json!({"Name": "old-events", "Description": other["Description"]}));
    left.refuses(|| left.retire_bus(), "a mark that was written on something else");
    root("UpdateEventBus", json!({"Name": "old-events", "Description": mark}));

    // With all of that undone it goes.
    left.retire_bus().expect(0);
}

#[test]
fn nothing_goes_on_doubt() {
    let mut left = Left::without_archive();
    // Its own scope was not read whole.
    left.served.aws().deny(PLATFORM, "events:ListArchives");
    left.refuses(|| left.retire_bus(), "was not read whole, and nothing is taken away on doubt");
    left.served.aws().undo_deny(PLATFORM, "events:ListArchives");

    // A topology with errors does not say all.
    left.folder.write("topology/teams/books.toml", "[team]\nname = \"books\"\ncontact = \"x\"\nfoo = 1\n");
    left.refuses(|| left.retire_bus(), "foo");
    left.refuses(|| left.retire_bus(), "the topology has errors");
    left.folder.write("topology/teams/books.toml", TEAMS[1].1);

    // An older checkout may not know what a newer one names.
    let newer = ACCOUNTS.replace("bus = \"org-events\"", "bus = \"org-events\"\ndescription = \"Events\"");
    left.folder.write("topology/platform.toml", &newer);
    wheelwright(&left.folder, Some(&left.served.endpoint), &["apply", "--yes"]).expect(0);
    let older = Folder::of(&texts(""));
    let args = ["retire", "bus", "platform/us-east-1/old-events", "--confirm", "old-events"];
    left.refuses(|| wheelwright(&older, Some(&left.served.endpoint), &args), "update this checkout");

    // Where the hub cannot be read, a newer topology may have been applied.
    left.served.aws().suspend_account(PLATFORM);
    let spokes = ["bus", "shop/us-east-1/shop", "--confirm", "shop"];
    let ran = left.retire(&spokes).expect(1);
    assert!(ran.err.contains("whether a newer topology was applied is not known"), "{}", ran.err);
    left.served.aws().reinstate_account(PLATFORM);

    // Another account that cannot be read holds nothing up, and is told.
    left.served.aws().delete_role(BOOKS, "wheelwright-operator");
    let asked = left.retire(&["bus", "platform/us-east-1/old-events"]).expect(1);
    assert!(
        asked.out.contains("What could not be read, and may rest on it:\n  - 333333333333/us-east-1"),
        "{}",
        asked.out
    );
    let listed = left.retire(&[]).expect(1);
    assert!(listed.err.contains("1 scope not read whole: there may be more"), "{}", listed.err);
    left.retire_bus().expect(0);
}

#[test]
fn an_archive_goes_only_if_it_is_ours_and_nobody_names_it() {
    let left = Left::new();
    let archive = |name: &str| left.retire(&["archive", &format!("platform/{US}/{name}"), "--confirm", name]);
    let listed = events(&mut left.served.aws(), PLATFORM, "ListArchives", &json!({}));
    let names: Vec<String> = listed["Archives"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["ArchiveName"].as_str().unwrap().to_owned())
        .collect();
    let wanted = names.iter().find(|name| **name != left.archive).unwrap();
    left.refuses(|| archive(wanted), "the topology names it");

    // A name that begins as ours do, and is of a bus that it does not say.
    let prefix = left.archive.split("old-events").next().unwrap();
    let copy = format!("{prefix}copy");
    let source = format!("arn:aws:events:{US}:{PLATFORM}:event-bus/org-events");
    events(&mut left.served.aws(), PLATFORM, "CreateArchive", &json!({"ArchiveName": copy, "EventSourceArn": source}));
    left.refuses(|| archive(&copy), "its name is not the one that we give that bus's archive");

    // Somebody else's is not even looked at.
    let theirs = json!({"ArchiveName": "theirs", "EventSourceArn": source});
    events(&mut left.served.aws(), PLATFORM, "CreateArchive", &theirs);
    left.refuses(|| archive("theirs"), "there is no archive theirs of ours");
    assert_eq!(left.deleted(), Vec::<String>::new());
}

#[test]
fn a_retention_is_shortened_to_what_the_topology_asks_and_no_further() {
    let left = Left::new();
    let listed = events(&mut left.served.aws(), PLATFORM, "ListArchives", &json!({}));
    let names: Vec<String> = listed["Archives"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["ArchiveName"].as_str().unwrap().to_owned())
        .collect();
    let wanted = names.iter().find(|name| **name != left.archive).unwrap().clone();
    let place = format!("platform/{US}/{wanted}");
    let retention = |place: &str, name: &str| left.retire(&["retention", place, "--confirm", name]);
    left.refuses(|| retention(&place, &wanted), "it keeps events no longer than the topology asks");
    left.refuses(
        || retention(&format!("platform/{US}/{}", left.archive), &left.archive),
        "`wheelwright retire archive` is for that",
    );

    events(&mut left.served.aws(), PLATFORM, "UpdateArchive", &json!({"ArchiveName": wanted, "RetentionDays": 400}));
    // No plan does it.
    wheelwright(&left.folder, Some(&left.served.endpoint), &["apply", "--yes"]);
    let listed = left.retire(&[]).expect(0).out;
    assert!(listed.contains(&format!("    $ wheelwright retire retention {place}\n")), "{listed}");
    let done = retention(&place, &wanted).expect(0);
    insta::assert_snapshot!("retire_of_a_retention", done.out);
    let live = events(&mut left.served.aws(), PLATFORM, "DescribeArchive", &json!({"ArchiveName": wanted}));
    assert_eq!(live["RetentionDays"], 30);
    left.refuses(|| retention(&place, &wanted), "it keeps events no longer than the topology asks");
}

#[test]
fn without_the_right_it_says_where_the_right_comes_from() {
    let left = Left::without_archive();
    let mut role = Role::named("wheelwright-operator").trusting(Trusted::Account("100000000001".into()));
    role.permissions = vec![Permission::on_everything(&["events:List*", "events:Describe*"])];
    left.served.aws().create_role(PLATFORM, role.with_external_id("acme/eventbridge"));
    left.refuses(|| left.retire_bus(), "AllowRetire=yes");
    insta::assert_snapshot!("retire_without_the_right", without_request(&left.retire_bus().err));
}

#[test]
fn only_one_thing_can_be_named() {
    let left = Left::new();
    for (args, why) in [
        (vec!["bus", "platform/us-east-1/*"], "is not the place of one thing"),
        (vec!["bus", "*/us-east-1/old-events"], "is not the place of one thing"),
        (vec!["bus", "old-events"], "write ACCOUNT/REGION/NAME"),
        (vec!["bus", "plattform/us-east-1/old-events"], "there is no account `plattform` on the roster"),
        (vec!["bus", "platform/us-east-1/old-events", "platform/us-east-1/org-events"], "unexpected argument"),
        (vec!["all"], "unrecognized subcommand"),
        (vec!["bus"], "required"),
    ] {
        let ran = left.retire(&args).expect(1);
        assert!(ran.err.contains(why), "{args:?}: {}", ran.err);
    }
    assert_eq!(left.deleted(), Vec::<String>::new());
}

/// A message without AWS's name for the request, which no two runs share.
fn without_request(text: &str) -> String {
    let Some((before, rest)) = text.split_once(" [request ") else { return text.to_owned() };
    let (_, after) = rest.split_once(']').unwrap();
    format!("{before}{after}")
}

/// The world of [`Left`], reached without a program in between: what comes between two of its steps can be put there.
async fn left_in_process() -> (Example, SimFleet, Retirable) {
    let old = Example::of(texts(OLD_HUB), 1_000);
    let bench = Bench::by_call(&old, old.stage());
    assert!(bench.sweep().await.in_step());
    let now = old.edited(&[("topology/platform.toml", OLD_HUB, "")]);
    let fleet = SimFleet::new(std::sync::Arc::clone(&bench.world), stage::operator(&now.settings));
    let archive = ArchiveId { scope: Scope::new(PLATFORM.parse().unwrap(), US), name: archive_of(&fleet) };
    (now, fleet, Retirable::Archive(archive))
}

fn archive_of(fleet: &SimFleet) -> String {
    let listed = events(&mut fleet.world(), PLATFORM, "ListArchives", &json!({}));
    let archives = listed["Archives"].as_array().unwrap();
    let old = archives.iter().find(|archive| archive["EventSourceArn"].as_str().unwrap().ends_with("/old-events"));
    old.unwrap()["ArchiveName"].as_str().unwrap().to_owned()
}

async fn prepared<F: Fleet>(fleet: &F, example: &Example, thing: &Retirable) -> Ready {
    let settings = RefreshSettings { depth: Depth::Full, scopes_in_flight_max: 8, scope_deadline_ms: 60_000 };
    match prepare(fleet, &Noon, &example.desired, thing, settings, &|_, _| {}).await.unwrap() {
        Prepared::Ready(ready) => *ready,
        other => panic!("{other:?}"),
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
async fn what_changed_since_it_was_shown_stays() {
    let (example, fleet, archive) = left_in_process().await;
    let ready = prepared(&fleet, &example, &archive).await;
    let change = json!({"ArchiveName": archive.name(), "Description": "needed after all"});
    events(&mut fleet.world(), PLATFORM, "UpdateArchive", &change);
    let outcome = retire(&fleet, &ready).await.unwrap();
    assert!(matches!(&outcome, Retired::Changed(what) if what.contains("needed after all")), "{outcome:?}");
    // More events in it are no change.
    let ready = prepared(&fleet, &example, &archive).await;
    let entry = json!({"Source": "a", "DetailType": "b", "Detail": "{}", "EventBusName": "old-events"});
    events(&mut fleet.world(), PLATFORM, "PutEvents", &json!({"Entries": [entry]}));
    assert_eq!(retire(&fleet, &ready).await.unwrap(), Retired::Done);

    let bus = Retirable::Bus(BusId { scope: archive.scope().clone(), name: "old-events".into() });
    let ready = prepared(&fleet, &example, &bus).await;
    let rule = json!({"Name": "new", "EventBusName": "old-events", "EventPattern": r#"{"source":["a"]}"#});
    events(&mut fleet.world(), PLATFORM, "PutRule", &rule);
    assert_eq!(retire(&fleet, &ready).await.unwrap(), Retired::Changed("rule new is on it now".into()));
    events(&mut fleet.world(), PLATFORM, "DeleteRule", &json!({"Name": "new", "EventBusName": "old-events"}));
    let arn = format!("arn:aws:events:{US}:{PLATFORM}:event-bus/old-events");
    events(
        &mut fleet.world(),
        PLATFORM,
        "UntagResource",
        &json!({"ResourceARN": arn, "TagKeys": ["wheelwright:owner"]}),
    );
    let outcome = retire(&fleet, &ready).await.unwrap();
    assert!(matches!(&outcome, Retired::Changed(what) if what.contains("wheelwright:owner")), "{outcome:?}");
    let tags = json!([{"Key": "wheelwright:owner", "Value": "acme"}]);
    events(&mut fleet.world(), PLATFORM, "TagResource", &json!({"ResourceARN": arn, "Tags": tags}));
    assert_eq!(retire(&fleet, &ready).await.unwrap(), Retired::Done);
    assert_eq!(retire(&fleet, &ready).await.unwrap(), Retired::Changed("it is gone".into()));
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_is_judged_by_the_reading_after_it() {
    for (fault, done) in [(Fault::ReplyLost, true), (Fault::NotSent, false), (Fault::Throttle, false)] {
        let (example, fleet, archive) = left_in_process().await;
        let ready = prepared(&fleet, &example, &archive).await;
        // The second call is the deletion: the first reads, the third reads again.
        let faulty = FaultyFleet::new(fleet.clone(), Schedule::once(2, fault));
        let outcome = retire(&faulty, &ready).await.unwrap();
        assert_eq!(outcome == Retired::Done, done, "{fault:?}: {outcome:?}");
        assert_eq!(matches!(outcome, Retired::Failed(_)), !done, "{fault:?}: {outcome:?}");
    }
}
