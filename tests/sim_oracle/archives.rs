//! Archives: made, listed, described, changed and deleted, and what they count.

use serde_json::{Value, json};

use crate::oracle::{ACCOUNT, DETAIL, Oracle, PATTERN, REGION, entry};

pub(crate) fn scenarios(oracle: &mut Oracle) {
    for kind in ["default", "custom"] {
        life_of_an_archive(oracle, kind);
        listings(oracle, kind);
        with_events(oracle, kind);
        let source = begin(oracle, &format!("TestArchive::test_create_archive_error_duplicate[{kind}]"), kind);
        oracle.ok("CreateArchive", archive(&source, Some(PATTERN)));
        oracle.step("create-archive-duplicate-error", "CreateArchive", archive(&source, Some(PATTERN)));
    }
    missing(oracle);
}

/// The source bus's ARN.
fn begin(oracle: &mut Oracle, scenario: &str, kind: &str) -> String {
    let bus = if kind == "default" { "default" } else { "b" };
    oracle.begin(scenario, &[("<archive-name>", "test-archive"), ("<event-bus-name>", bus)]);
    if kind == "custom" {
        oracle.bus(bus);
    }
    format!("arn:aws:events:{REGION}:{ACCOUNT}:event-bus/{bus}")
}

fn archive(source: &str, pattern: Option<&str>) -> Value {
    json!({
        "ArchiveName": "test-archive", "EventSourceArn": source, "Description": "description of the archive",
        "EventPattern": pattern, "RetentionDays": 1,
    })
}

fn life_of_an_archive(oracle: &mut Oracle, kind: &str) {
    let scenario = format!("TestArchive::test_create_list_describe_update_delete_archive[{kind}]");
    let source = begin(oracle, &scenario, kind);
    let named = json!({"ArchiveName": "test-archive"});
    oracle.step("create-archive", "CreateArchive", archive(&source, Some(PATTERN)));
    oracle.step("list-archives", "ListArchives", json!({"NamePrefix": "test-archive"}));
    oracle.step("describe-archive", "DescribeArchive", named.clone());
    let update = json!({
        "ArchiveName": "test-archive", "Description": "updated description of the archive",
        "EventPattern": r#"{"source": ["core.update-account-command"]}"#, "RetentionDays": 2,
    });
    oracle.step("update-archive", "UpdateArchive", update);
    oracle.step("delete-archive", "DeleteArchive", named);
}

fn listings(oracle: &mut Oracle, kind: &str) {
    let source = begin(oracle, &format!("TestArchive::test_list_archive_with_name_prefix[{kind}]"), kind);
    oracle.ok("CreateArchive", archive(&source, Some(PATTERN)));
    for (step, prefix) in [
        ("list-archives-with-name-prefix", "test-arch"),
        ("list-archives-with-full-name", "test-archive"),
        ("list-archives-not-existing-archive", "doesnotexist"),
    ] {
        oracle.step(step, "ListArchives", json!({"NamePrefix": prefix}));
    }
    let source = begin(oracle, &format!("TestArchive::test_list_archive_with_source_arn[{kind}]"), kind);
    oracle.ok("CreateArchive", archive(&source, Some(PATTERN)));
    oracle.step("list-archives-with-source-arn", "ListArchives", json!({"EventSourceArn": source}));

    let source = begin(oracle, &format!("TestArchive::test_list_archive_state_enabled[{kind}]"), kind);
    oracle.ok("CreateArchive", archive(&source, Some(PATTERN)));
    oracle.step("list-archives-state-enabled", "ListArchives", json!({"State": "ENABLED"}));
}

fn with_events(oracle: &mut Oracle, kind: &str) {
    for (matching, pattern) in [("True", Some(PATTERN)), ("False", None)] {
        let scenario = format!("TestArchive::test_list_archive_with_events[{matching}-{kind}]");
        let source = begin(oracle, &scenario, kind);
        oracle.ok("CreateArchive", archive(&source, pattern));
        let bus = source.rsplit('/').next().unwrap();
        let ten: Vec<Value> = (0..10).map(|_| entry(bus, DETAIL)).collect();
        oracle.ok("PutEvents", json!({"Entries": ten}));
        oracle.step("list-archives", "ListArchives", json!({"NamePrefix": "test-archive"}));
        oracle.step("describe-archive", "DescribeArchive", json!({"ArchiveName": "test-archive"}));
    }
}

fn missing(oracle: &mut Oracle) {
    let begin = |oracle: &mut Oracle, scenario: &str| {
        let names = [("<archive-name>", "gone"), ("<event-bus-name>", "gone")];
        oracle.begin(&format!("TestArchive::{scenario}"), &names);
    };
    begin(oracle, "test_create_archive_error_unknown_event_bus");
    let elsewhere = format!("arn:aws:events:{REGION}:123456789012:event-bus/gone");
    oracle.step("create-archive-unknown-event-bus-error", "CreateArchive", archive(&elsewhere, Some(PATTERN)));
    begin(oracle, "test_list_archive_error_unknown_source_arn");
    let here = json!({"EventSourceArn": format!("arn:aws:events:{REGION}:{ACCOUNT}:event-bus/gone")});
    oracle.step("list-archives-unknown-event-bus-error", "ListArchives", here);
    for (operation, verb) in [("DescribeArchive", "describe"), ("UpdateArchive", "update"), ("DeleteArchive", "delete")]
    {
        begin(oracle, &format!("test_{verb}_archive_error_unknown_archive"));
        let step = format!("{verb}-archive-unknown-archive-error");
        oracle.step(&step, operation, json!({"ArchiveName": "gone"}));
    }
}
