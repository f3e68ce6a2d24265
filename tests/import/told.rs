//! The layouts, imported: what is written and told, as a team lead reads it; and the built program in a stranger's hands.

use crate::layouts::{BILLING, Door, PLATFORM, SHIPPING, SHOP, US, bus_for_each, central_bus, rules_by_subscribers};
use crate::program::served::Served;
use crate::program::{Folder, wheelwright};
use crate::support::{Bench, Example, Hands};
use crate::{changes, example_of, imported, written};
use serde_json::Value;
use std::collections::BTreeMap;
use wheelwright::import::{Request, text};
use wheelwright::model::ids::Region;
use wheelwright::model::plan::Guard;
use wheelwright::plan::Approval;
use wheelwright::report::Style;
use wheelwright::sim::{Permission, Role, SimulatedAws, Trusted};

const ACCOUNTS: [(&str, &str); 4] =
    [("platform", PLATFORM), ("shop-prod", SHOP), ("billing-prod", BILLING), ("shipping-prod", SHIPPING)];
pub(crate) const SETTINGS: &str = "[operator]\nexternal-id = \"acme/eventbridge\"\nregion = \"us-east-1\"\n\
    [pace]\nsettle-secs = 0\ncalls-per-second-max = 50\n";

/// The accounts with the operator's roles in them, and nothing else.
fn stage() -> SimulatedAws {
    let mut hubs = String::from("[account]\n");
    for (name, id) in ACCOUNTS {
        hubs.push_str(&format!("{name} = {{ id = \"{id}\" }}\n"));
    }
    hubs.push_str("[hub.none]\naccount = \"platform\"\nregion = \"us-east-1\"\nbus = \"none\"\n");
    let texts = [("topology/hubs.toml".to_owned(), hubs), ("wheelwright.toml".to_owned(), SETTINGS.to_owned())];
    Example::of(texts.into(), 1).stage()
}

fn made(layout: fn(Door<'_>)) -> SimulatedAws {
    let mut aws = stage();
    for (account, name) in crate::layouts::ROLES {
        aws.create_role(account, role(account, name));
    }
    let mut call =
        |account: &str, operation: &str, input: Value| Hands { aws: &mut aws }.call(account, US, operation, input);
    layout(&mut call);
    aws
}

/// A role that EventBridge delivers with.
fn role(account: &str, name: &str) -> Role {
    let role = Role::named(name).trusting(Trusted::Service("events.amazonaws.com".to_owned()));
    Role { source_account: Some(account.to_owned()), ..role.allowing(Permission::on_everything(&["events:PutEvents"])) }
}

fn request() -> Request {
    Request {
        accounts: ACCOUNTS.iter().map(|(name, id)| (name.parse().unwrap(), id.parse().unwrap())).collect(),
        regions: [Region::new(US)].into(),
        ..Request::default()
    }
}

/// Imports a layout, takes it over on the simulated AWS, and gives what was written and told.
async fn told(layout: fn(Door<'_>)) -> String {
    let settings = BTreeMap::from([
        ("wheelwright.toml".to_owned(), SETTINGS.to_owned()),
        (
            "topology/hubs.toml".to_owned(),
            "[account]\na = { id = \"100000000009\" }\n[hub.a]\naccount = \"a\"\nregion = \"us-east-1\"\nbus = \"a\"\n"
                .to_owned(),
        ),
    ]);
    let bench = Bench::by_call(&Example::of(settings, 1), made(layout));
    let found = imported(&bench, &request()).await;
    let mut example = example_of(&found, 1);
    example.texts.insert("wheelwright.toml".to_owned(), SETTINGS.to_owned());
    let again = Bench::by_call(&Example::of(example.texts, 1), bench.aws().clone());
    let (_, plan) = again.plan().await;
    assert_eq!(changes(&plan), Vec::<String>::new(), "{}", again.shown(&plan));
    let approval = Approval { allow: [Guard::Adopt].into(), plan_id: None };
    let swept = again.sweep_with(&again.clock, &approval).await.unwrap();
    assert!(swept.failures().next().is_none(), "{:?}", swept.failures().collect::<Vec<_>>());
    assert!(swept.after.is_empty(), "{}", again.shown(&swept.after));
    let names = request().accounts.into_iter().map(|(name, id)| (id, name)).collect();
    format!("{}\n{}", text(&found, &names, Style::Plain), written(&found))
}

#[tokio::test(start_paused = true)]
async fn one_bus_with_many_accounts() {
    insta::assert_snapshot!(told(central_bus).await);
}

#[tokio::test(start_paused = true)]
async fn a_bus_for_each_service() {
    insta::assert_snapshot!(told(bus_for_each).await);
}

#[tokio::test(start_paused = true)]
async fn rules_that_subscribers_made() {
    insta::assert_snapshot!(told(rules_by_subscribers).await);
}

/// The accounts as the command line takes them.
pub(crate) fn accounts() -> String {
    ACCOUNTS.map(|(name, id)| format!("{name}={id}")).join(",")
}

#[test]
fn a_stranger_brings_a_central_bus_in() {
    let served = Served::start(made(central_bus));
    let mut folder = Folder::of(&BTreeMap::from([("wheelwright.toml".to_owned(), SETTINGS.to_owned())]));
    let run = |folder: &Folder, args: &[&str]| wheelwright(folder, Some(&served.endpoint), args);
    let import = ["import", "--accounts", &accounts(), "--regions", US];

    let printed = run(&folder, &[&import[..], &["--out", "-"]].concat()).expect(0);
    assert!(printed.out.contains("# ==> topology/hubs.toml\n") && printed.err.contains("Left as it is"), "{printed:?}");
    let json = run(&folder, &[&import[..], &["--out", "-", "--format", "json"]].concat()).expect(0);
    let json: Value = serde_json::from_str(&json.out).unwrap();
    assert!(
        json["files"]["topology/accounts.toml"].as_str().unwrap().contains(SHOP)
            && !json["left"].as_array().unwrap().is_empty()
    );
    assert!(!folder.path().join("topology").exists(), "printing writes nothing");

    let done = run(&folder, &import).expect(0);
    assert!(done.err.contains("apply --allow adopt") && done.err.contains("WebStoreToBilling"), "{}", done.err);
    let refused = run(&folder, &import).expect(1);
    assert!(refused.err.contains("nothing is written over"), "{}", refused.err);

    run(&folder, &["check"]).expect(0);
    let plan = run(&folder, &["plan", "--format", "json"]).expect(1);
    let plan: Value = serde_json::from_str(&plan.out).unwrap();
    let steps = plan["steps"].as_array().unwrap();
    assert!(!steps.is_empty());
    for step in steps {
        assert_eq!(step["held-by"], serde_json::json!(["adopt"]), "{step}");
    }
    run(&folder, &["apply", "--yes", "--allow", "adopt"]).expect(0);
    run(&folder, &["plan", "--expect-no-changes"]).expect(0);

    // The next time, Terraform's rule is handed over as the report says.
    let release = format!(
        "{SETTINGS}\n[release.kept]\nresource = \"arn:aws:events:{US}:{PLATFORM}:rule/central-event-bus/KeptByTerraform\"\n\
         from = \"terraform\"\nreason = \"its state was lost\"\n"
    );
    folder.write("wheelwright.toml", &release);
    let printed = run(&folder, &[&import[..], &["--out", "-"]].concat()).expect(0);
    assert!(printed.out.contains("kept-by-terraform"), "{}", printed.out);
}

#[test]
fn what_is_typed_wrong_is_told() {
    let folder = Folder::of(&BTreeMap::new());
    for (args, says) in [
        (["--accounts", "platform", "--regions", US], "expected NAME=ID"),
        (["--accounts", "platform=1", "--regions", US], "12 digits"),
        (["--accounts", "a=111111111111,b=111111111111", "--regions", US], "are one account"),
        (["--accounts", "a=111111111111", "--regions", "us-east"], "us-east"),
    ] {
        let ran = wheelwright(&folder, None, &[&["import"][..], &args].concat()).expect(1);
        assert!(ran.err.contains(says), "{args:?}: {}", ran.err);
    }
}
