//! The command as people use it: on the worked example, with accounts and without.

use crate::program::{Folder, Simulation, wheelwright};

/// A payment that is too small for the ledger's own queue.
const SETTLED: &str =
    r#"{"source": "com.acme.payments", "detail-type": "PaymentSettled", "detail": {"amount": 20, "currency": "EUR"}}"#;

fn folder() -> Folder {
    let mut folder = Folder::worked();
    folder.write("settled.json", SETTLED);
    let entry = r#"{"Source": "com.acme.orders", "DetailType": "OrderPlaced", "Detail": "{\"shop\": \"test-7\"}", "EventBusName": "us"}"#;
    folder.write("by-another-source.json", entry);
    folder.write("no-json.json", "{source: }");
    folder.write("no-source.json", r#"{"detail-type": "PaymentSettled"}"#);
    folder.write("a-list.json", "[]");
    folder
}

fn trace(folder: &Folder, file: &str, args: &[&str], code: i32) -> String {
    let path = folder.path().join(file).display().to_string();
    let args: Vec<&str> = ["trace", "--event", &path].iter().chain(args).copied().collect();
    let ran = wheelwright(folder, None, &args).expect(code);
    format!("{}{}", ran.out, ran.err).replace(&path, file)
}

#[test]
fn the_topology_alone_says_who_takes_an_event_and_why_others_do_not() {
    let folder = folder();
    insta::assert_snapshot!(trace(&folder, "settled.json", &[], 0));
}

#[test]
fn a_wrong_source_is_named_for_each_route_that_it_keeps_the_event_from() {
    let folder = folder();
    insta::assert_snapshot!(trace(&folder, "by-another-source.json", &["--published-by", "orders.lifecycle-us"], 0));
}

#[test]
fn an_account_that_may_not_publish_there_is_told_so() {
    let folder = folder();
    insta::assert_snapshot!(trace(&folder, "settled.json", &["--published-by", "111111111119", "--bus", "us"], 0));
}

#[test]
fn a_question_that_makes_no_sense_is_answered_with_what_to_do() {
    let folder = folder();
    let mut said = String::new();
    for (file, args) in [
        ("missing.json", &[][..]),
        ("no-json.json", &[]),
        ("a-list.json", &[]),
        ("no-source.json", &["--published-by", "payments-prod", "--bus", "us"]),
        ("by-another-source.json", &[]),
        ("settled.json", &["--published-by", "payments-prod"]),
        ("settled.json", &["--published-by", "payments-prod", "--bus", "org-events"]),
        ("settled.json", &["--published-by", "payments-prod", "--bus", "nothing"]),
        ("settled.json", &["--published-by", "payments-prod", "--bus", "arn:aws:sqs:us-east-1:111111111111:queue"]),
        ("settled.json", &["--published-by", "payments.nothing"]),
        ("settled.json", &["--published-by", "nobody"]),
    ] {
        said += &format!("$ {file} {}\n{}", args.join(" "), trace(&folder, file, args, 1));
    }
    insta::assert_snapshot!(said);
}

#[test]
fn what_the_accounts_do_otherwise_is_told_beside_what_is_asked_for() {
    let mut folder = folder();
    let simulation = Simulation::start(&folder);
    let ask = |folder: &Folder, code: i32| {
        let path = folder.path().join("settled.json").display().to_string();
        wheelwright(folder, Some(&simulation.endpoint), &["trace", "--live", "--event", &path]).expect(code).out
    };
    let nothing = ask(&folder, 1);
    assert!(nothing.contains("there is no bus 111111111111/us-east-1/org-events"), "{nothing}");
    wheelwright(&folder, Some(&simulation.endpoint), &["apply", "--yes"]).expect(0);
    let in_step = ask(&folder, 0);
    assert!(in_step.ends_with("\n5 routes take it, as the topology asks.\n"), "{in_step}");
    // The file says otherwise now, and nobody has applied it.
    let path = "topology/teams/ledger.toml";
    folder.replace(
        path,
        "where.detail.amount = [{ numeric = [\">\", 10000] }]",
        "where.detail.amount = [{ numeric = [\">\", 10] }]",
    );
    insta::assert_snapshot!(ask(&folder, 1));
}
