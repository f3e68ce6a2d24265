//! The command line as people and pipelines meet it: the built program against `wheelwright sim` in another process.
//!
//! The texts are of a small topology, so that they change when the program does and not when the worked example does.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod program;

use program::{Endpoint, Folder, Running, Simulation, command, wheelwright};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, BufReader};
use std::process::Stdio;
use strum::IntoEnumIterator;
use wheelwright::config::DiagnosticCode;
use wheelwright::model::finding::FindingCode;
use wheelwright::model::plan::Guard;

const SETTINGS: &str = r#"
[operator]
owner = "acme"
external-id = "acme/eventbridge"
[pace]
settle-secs = 0
[guards]
breaks-percent-max = 0
breaks-floor = 0
"#;

const PLATFORM: &str = r#"
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

const SHOP: &str = r#"
[team]
name = "shop"
contact = "the-shop"
[spoke.prod]
hub = "prod"
account = "shop"
bus = "shop"
[publish.orders]
source = "com.acme.shop"
detail-types = ["OrderPlaced", "OrderCancelled"]
subscribers = ["*"]
"#;

const BOOKS: &str = r#"
[team]
name = "books"
contact = "the-books"
[spoke.prod]
hub = "prod"
account = "books"
bus = "books"
[subscribe.orders]
from = "shop.orders"
[subscribe.large]
from = "shop.orders"
detail-types = ["OrderPlaced"]
where.detail.total = [{ numeric = [">", 1000] }]
deliver = { queue = "large-orders" }
"#;

const BOOKS_PATH: &str = "topology/teams/books.toml";

fn small() -> Folder {
    let files = [
        ("wheelwright.toml", SETTINGS),
        ("topology/platform.toml", PLATFORM),
        ("topology/teams/shop.toml", SHOP),
        (BOOKS_PATH, BOOKS),
    ];
    Folder::of(&files.map(|(path, text)| (path.to_owned(), text.to_owned())).into_iter().collect::<BTreeMap<_, _>>())
}

#[test]
fn check_finds_nothing_wrong_with_the_worked_example() {
    let ran = wheelwright(&Folder::worked(), None, &["check"]).expect(0);
    assert_eq!(ran.out, "");
    assert!(ran.err.contains("nothing wrong"), "{}", ran.err);
}

#[test]
fn check_tells_every_mistake_with_its_place() {
    let mut folder = small();
    folder.replace(BOOKS_PATH, "hub = \"prod\"", "hub = \"production\"");
    // That it is not offered any more to those who subscribe rests on this file, which has a mistake: that is told.
    folder.replace("topology/teams/shop.toml", "subscribers = [\"*\"]", "subscriber = [\"*\"]");
    let ran = wheelwright(&folder, None, &["check"]).expect(1);
    insta::assert_snapshot!("check_tells_every_mistake", ran.out + &ran.err);
}

#[test]
fn mistakes_are_told_to_programs_at_their_lines() {
    let mut folder = small();
    folder.replace(BOOKS_PATH, "hub = \"prod\"", "hub = \"production\"");
    let run = |format: &str| wheelwright(&folder, None, &["check", "--format", format]).expect(1).out;
    let path = folder.path().to_str().unwrap();
    insta::assert_snapshot!("check_for_github", run("github").replace(path, "config"));
    insta::assert_snapshot!("check_as_sarif", run("sarif").replace(path, "config"));
    insta::assert_snapshot!("check_as_json", run("json").replace(path, "config"));
    assert_eq!(wheelwright(&small(), None, &["check", "--format", "github"]).expect(0).out, "0 errors, 0 warnings.\n");
}

#[test]
fn a_plan_is_shown_applied_and_then_empty() {
    let folder = small();
    let simulation = Simulation::start(&folder);
    let run = |args: &[&str]| wheelwright(&folder, Some(&simulation.endpoint), args);

    let text = run(&["plan"]).expect(0);
    insta::assert_snapshot!("plan_from_empty_accounts", text.out);
    assert_eq!(run(&["plan", "--expect-no-changes"]).expect(3).out, text.out);
    let json: Value = serde_json::from_str(&run(&["plan", "--format", "json"]).expect(0).out).unwrap();
    let id = json["id"].as_str().unwrap();
    assert!(text.out.contains(&format!("Plan {id}: ")));
    assert_eq!(json["steps"].as_array().unwrap().len(), 10);
    insta::assert_snapshot!("plan_as_markdown", run(&["plan", "--format", "markdown"]).expect(0).out);

    // Nobody can be asked, and nobody let it go: nothing is written.
    let refused = run(&["apply"]).expect(1);
    assert!(refused.err.contains("nothing was written") && refused.err.contains(id), "{}", refused.err);
    let other = run(&["apply", "--plan-id", "0123456789ab"]).expect(1);
    assert!(other.err.contains("0123456789ab was reviewed") && other.err.contains(id), "{}", other.err);
    assert_eq!(run(&["plan"]).expect(0).out, text.out);

    let applied = run(&["apply", "--plan-id", id]).expect(0);
    assert!(applied.out.ends_with("Applied: 10 steps done. In step: 2 routes, nothing to do.\n"), "{}", applied.out);
    let second = run(&["plan", "--expect-no-changes"]).expect(0);
    insta::assert_snapshot!(second.out, @"In step: 2 routes, nothing to do.");
    assert_eq!(run(&["apply", "--yes"]).expect(0).out.trim(), "In step: 2 routes, nothing to do.");
}

#[test]
fn the_worked_example_converges() {
    let folder = Folder::worked();
    let simulation = Simulation::start(&folder);
    let run = |args: &[&str]| wheelwright(&folder, Some(&simulation.endpoint), args);
    run(&["apply", "--yes"]).expect(0);
    run(&["plan", "--expect-no-changes"]).expect(0);
}

#[test]
fn a_held_plan_waits_for_its_guard_to_be_named() {
    let mut folder = small();
    let simulation = Simulation::start(&folder);
    wheelwright(&folder, Some(&simulation.endpoint), &["apply", "--yes"]).expect(0);
    folder.write(BOOKS_PATH, BOOKS.split("[subscribe.large]").next().unwrap());
    let run = |args: &[&str]| wheelwright(&folder, Some(&simulation.endpoint), args);
    let held = run(&["plan"]).expect(1);
    insta::assert_snapshot!("plan_that_is_held", held.out);
    run(&["apply", "--yes"]).expect(1);
    assert_eq!(run(&["plan"]).expect(1).out, held.out);
    let never = run(&["apply", "--yes", "--allow", "unread"]).expect(1);
    assert!(never.err.contains("`unread` cannot be allowed"), "{}", never.err);
    run(&["apply", "--yes", "--allow", "too-many-breaks"]).expect(0);
    run(&["plan", "--expect-no-changes"]).expect(0);
}

#[test]
fn an_older_checkout_writes_nothing() {
    let mut newer = small();
    newer.write("topology/teams/shop.toml", &SHOP.replace("\"OrderPlaced\", \"OrderCancelled\"", "\"OrderPlaced\""));
    let simulation = Simulation::start(&newer);
    wheelwright(&newer, Some(&simulation.endpoint), &["apply", "--yes"]).expect(0);
    let older = wheelwright(&small(), Some(&simulation.endpoint), &["plan"]).expect(1);
    insta::assert_snapshot!("plan_that_is_superseded", older.out);
}

#[test]
fn accounts_that_do_not_answer_are_named() {
    // Nobody listens on this port: the standard keeps it for that.
    let nowhere = Endpoint {
        url: "http://127.0.0.1:9".to_owned(),
        access_key_id: "AKIAIOSFODNN7EXAMPLE".to_owned(),
        secret_access_key: "secret".to_owned(),
    };
    let ran = wheelwright(&small(), Some(&nowhere), &["plan"]).expect(1);
    for account in ["platform", "shop", "books"] {
        assert!(ran.out.contains(&format!("unread  {account} us-east-1")), "{}", ran.out);
    }
}

#[test]
fn a_topology_with_mistakes_asks_nothing_of_aws() {
    let mut folder = small();
    folder.write("topology/platform.toml", "not = toml at all");
    for command in [&["plan"][..], &["apply", "--yes"], &["graph"]] {
        let ran = wheelwright(&folder, None, command).expect(1);
        assert_eq!(ran.out, "");
        assert!(ran.err.contains("nothing was asked of AWS, nothing is taken away"), "{}", ran.err);
    }
}

#[test]
fn codes_are_explained() {
    let folder = small();
    insta::assert_snapshot!(
        "explain_rule_disabled",
        wheelwright(&folder, None, &["explain", "rule-disabled"]).expect(0).out
    );
    let unknown = wheelwright(&folder, None, &["explain", "rule-disabed"]).expect(1);
    insta::assert_snapshot!(unknown.err, @"error: there is no code `rule-disabed`; did you mean `rule-disabled`? `wheelwright explain` lists them all");
    let guard = wheelwright(&folder, None, &["explain", "publishers-move"]).expect(0).out;
    assert!(guard.contains("--allow publishers-move"), "{guard}");
    let final_guard = wheelwright(&folder, None, &["explain", "no-room"]).expect(0).out;
    assert!(final_guard.contains("cannot be named away"), "{final_guard}");
    let shared = wheelwright(&folder, None, &["explain", "superseded"]).expect(0).out;
    assert!(shared.contains("higher sequence") && shared.contains("A guard:"), "a finding and a guard: {shared}");
    let all = wheelwright(&folder, None, &["explain"]).expect(0).out;
    for code in ["second-hop", "grant-missing", "no-room"] {
        assert!(all.contains(&format!("  {code}\n")), "{all}");
    }
}

#[test]
fn every_code_is_listed_and_explained_in_words_of_its_own() {
    let folder = small();
    let mistakes = DiagnosticCode::iter().map(|code| code.to_string());
    let findings = FindingCode::iter().map(|code| code.to_string());
    let names: BTreeSet<String> =
        mistakes.chain(findings).chain(Guard::iter().map(|guard| guard.to_string())).collect();
    let listed = wheelwright(&folder, None, &["explain"]).expect(0).out;
    let listed: BTreeSet<String> =
        listed.lines().filter_map(|line| line.strip_prefix("  ").map(str::to_owned)).collect();
    assert_eq!(listed, names);
    let mut texts = BTreeMap::new();
    for name in &names {
        let text = wheelwright(&folder, None, &["explain", name]).expect(0).out;
        let (title, text) = text.split_once("\n\n").unwrap();
        assert!(title == name && text.trim().len() > 40, "{name}: {text}");
        if let Some(other) = texts.insert(text.to_owned(), name) {
            panic!("{name} and {other} are explained with the same words");
        }
    }
}

#[test]
fn the_topology_is_drawn() {
    let folder = small();
    insta::assert_snapshot!("graph_mermaid", wheelwright(&folder, None, &["graph"]).expect(0).out);
    insta::assert_snapshot!("graph_dot", wheelwright(&folder, None, &["graph", "--format", "dot"]).expect(0).out);
}

#[test]
fn what_was_mistyped_is_told() {
    let folder = small();
    assert!(wheelwright(&folder, None, &["plam"]).expect(1).err.contains("'plan'"));
    assert!(wheelwright(&folder, None, &["--help"]).expect(0).out.contains("Exit codes"));
    let everywhere = wheelwright(&folder, None, &["sim", "--listen", "0.0.0.0:0"]).expect(1);
    assert!(everywhere.err.contains("loopback"), "{}", everywhere.err);
}

/// What the health checks of containers rest on (`Dockerfile`, `deploy/`): the exit code, without the token.
#[test]
#[allow(clippy::disallowed_methods)] // It waits for a process.
fn a_daemon_says_whether_it_goes_on_and_whether_it_is_ready() {
    let folder = small();
    let health = |url: &str, args: &[&str]| wheelwright(&folder, None, &[&["health", "--daemon", url], args].concat());
    let simulation = Simulation::start(&folder);

    // AWS takes the calls and does not answer: the first sweep is not done yet, and starting the daemon again would mend nothing.
    let mute = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let nobody = Endpoint { url: format!("http://{}", mute.local_addr().unwrap()), ..simulation.endpoint.clone() };
    let (process, url) = daemon(&folder, &nobody);
    assert_eq!(health(&url, &[]).expect(0).out, "alive\n");
    let unready = health(&url, &["--ready"]).expect(1);
    assert!(unready.err.contains("not done yet") || unready.err.contains("not read yet"), "{}", unready.err);
    drop(process);
    let gone = health(&url, &[]).expect(1);
    assert!(gone.err.contains(&url) && gone.err.contains("does not answer"), "{}", gone.err);

    let (_process, url) = daemon(&folder, &simulation.endpoint);
    let ready = (0..600).find_map(|_| {
        std::thread::sleep(std::time::Duration::from_millis(100));
        let ran = health(&url, &["--ready"]);
        (ran.code == 0).then_some(ran.out)
    });
    assert_eq!(ready.as_deref(), Some("ready\n"));

    let another = health(&simulation.endpoint.url, &[]).expect(1);
    assert!(another.err.starts_with("error: "), "{}", another.err);
    let seen = health("http://192.0.2.1:8080", &[]).expect(1);
    assert!(seen.err.contains("not an https URL"), "{}", seen.err);
}

/// A daemon, and where it answers.
fn daemon(folder: &Folder, endpoint: &Endpoint) -> (Running, String) {
    let mut command = command(folder, Some(endpoint));
    command.args(["run", "--listen", "127.0.0.1:0", "--log", "json", "--state"]).arg(folder.path().join("state"));
    let mut process = Running(command.stdin(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap());
    let mut log = BufReader::new(process.0.stderr.take().unwrap()).lines().map_while(Result::ok);
    let listen = log.by_ref().find_map(|line| {
        let line: Value = serde_json::from_str(&line).ok()?;
        line["listen"].as_str().map(|address| format!("http://{address}"))
    });
    // Who logs into a pipe that nobody reads stands still in the end.
    std::thread::spawn(move || log.for_each(drop));
    (process, listen.expect("the daemon says where it listens"))
}
