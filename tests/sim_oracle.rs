//! The simulated AWS against answers that were recorded from AWS itself.
//!
//! The recordings are not part of this repository: they are read from `../shared/oracle`, or from `oracle` below the
//! folder that `WHEELWRIGHT_SHARED` names, and where there are none the test says so in one line. Only what both
//! sides can know is compared: error codes, texts with their placeholders, and the shape of answers.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(clippy::needless_pass_by_value)]
#![allow(clippy::disallowed_methods)] // The recordings are files, found through the environment.

use std::path::PathBuf;

use serde_json::{Map, Value, json};
use wheelwright::sim::{AwsError, Caller, Service, SimulatedAws};

const ACCOUNT: &str = "111111111111";
const SECOND: &str = "222222222222";
const REGION: &str = "us-east-1";

/// The recordings of one file, and a world to hold against them.
struct Oracle {
    recorded: Value,
    aws: SimulatedAws,
    compared: usize,
}

impl Oracle {
    fn open(file: &str) -> Option<Self> {
        let shared = std::env::var_os("WHEELWRIGHT_SHARED")
            .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared"), PathBuf::from);
        let Ok(text) = std::fs::read_to_string(shared.join("oracle").join(file)) else {
            eprintln!("skipped: no recorded answers in {}", shared.join("oracle").join(file).display());
            return None;
        };
        let mut oracle =
            Self { recorded: serde_json::from_str(&text).unwrap(), aws: SimulatedAws::default(), compared: 0 };
        oracle.fresh();
        Some(oracle)
    }

    /// A new world, so that one test's resources are not in the next one's way.
    fn fresh(&mut self) {
        self.aws = SimulatedAws::default();
        self.aws.create_account(ACCOUNT);
        self.aws.create_account(SECOND);
    }

    fn call(&mut self, operation: &str, input: Value) -> Result<Value, AwsError> {
        self.aws.call(&Caller::root(ACCOUNT), REGION, Service::EventBridge, operation, &input)
    }

    fn ok(&mut self, operation: &str, input: Value) -> Value {
        self.call(operation, input).unwrap_or_else(|error| panic!("{operation}: {error}"))
    }

    fn recording(&self, test: &str, step: &str) -> Value {
        let found = self.recorded.get(test).and_then(|steps| steps.get(step)).cloned();
        found.unwrap_or_else(|| panic!("the recordings have no `{step}` in `{test}`"))
    }

    /// Holds an error against the recorded one; `names` fill the recording's placeholders.
    fn error(&mut self, test: &str, step: &str, names: &[(&str, &str)], outcome: Result<Value, AwsError>) {
        let recorded = self.recording(test, step);
        let mut message = recorded["Error"]["Message"].as_str().unwrap().to_owned();
        for (placeholder, name) in names {
            message = message.replace(placeholder, name);
        }
        let error = outcome.err().unwrap_or_else(|| panic!("{test} {step}: AWS refuses, the simulation does not"));
        assert_eq!(error.code, recorded["Error"]["Code"].as_str().unwrap(), "{test} {step}");
        assert_eq!(error.message, message, "{test} {step}");
        assert_eq!(u64::from(error.status), recorded["ResponseMetadata"]["HTTPStatusCode"], "{test} {step}");
        self.compared += 1;
    }

    /// Holds an answer's shape against the recorded one: the same fields everywhere, and the same values where the
    /// recording holds one that does not change from run to run.
    fn shape(&mut self, test: &str, step: &str, output: &Value) {
        let mut recorded = self.recording(test, step);
        recorded.as_object_mut().unwrap().remove("ResponseMetadata");
        assert_same_shape(&format!("{test} {step}"), &recorded, output);
        self.compared += 1;
    }
}

fn assert_same_shape(place: &str, recorded: &Value, output: &Value) {
    match (recorded, output) {
        (Value::Object(recorded), Value::Object(output)) => {
            assert_eq!(fields(recorded), fields(output), "the fields at {place}");
            for (field, value) in recorded {
                assert_same_shape(&format!("{place}.{field}"), value, &output[field]);
            }
        }
        (Value::Array(recorded), Value::Array(output)) => {
            assert_eq!(recorded.len(), output.len(), "the length of {place}");
            for (index, (recorded, output)) in recorded.iter().zip(output).enumerate() {
                assert_same_shape(&format!("{place}[{index}]"), recorded, output);
            }
        }
        // Patterns and policies are texts that were recorded parsed.
        (Value::Object(_), Value::String(text)) => {
            let parsed: Value = serde_json::from_str(text).unwrap_or_else(|_| panic!("{place} is not JSON: {text}"));
            assert_same_shape(place, recorded, &parsed);
        }
        (Value::String(recorded), _) if varies(recorded) => assert!(!output.is_null(), "{place} is missing"),
        _ => assert_eq!(recorded, output, "{place}"),
    }
}

fn fields(object: &Map<String, Value>) -> Vec<&String> {
    let mut fields: Vec<&String> = object.keys().collect();
    fields.sort();
    fields
}

/// Whether a recorded text stands for what differs from run to run.
fn varies(recorded: &str) -> bool {
    recorded.contains('<') || ["datetime", "event-id", "target-arn", "target-id"].contains(&recorded)
}

const PATTERN: &str = r#"{"source":["core.update-account-command"],"detail-type":["core.update-account-command"],"detail":{"command":["update-account"]}}"#;

#[test]
fn buses_answer_as_recorded() {
    let Some(mut oracle) = Oracle::open("events.json") else { return };
    let bus = json!({"Name": "b"});
    let bus_name: &[(&str, &str)] = &[("<bus-name>", "b")];
    let missing = oracle.call("DescribeEventBus", bus.clone());
    let test = "TestEventBus::test_describe_delete_not_existing_event_bus";
    oracle.error(test, "describe-not-existing-event-bus-error", bus_name, missing);
    assert!(oracle.call("DeleteEventBus", bus.clone()).is_ok(), "deleting what is not there succeeds");
    let default = oracle.call("DeleteEventBus", json!({"Name": "default"}));
    oracle.error("TestEventBus::test_delete_default_event_bus", "delete-default-event-bus-error", &[], default);

    for (test, description) in [("True", Some("test bus")), ("False", None)] {
        oracle.fresh();
        let test = format!("TestEventBus::test_create_list_describe_delete_custom_event_buses[{test}-regions0]");
        let created = oracle.ok("CreateEventBus", json!({"Name": "b", "Description": description}));
        oracle.shape(&test, "create-custom-event-bus-us-east-1", &created);
        let listed = oracle.ok("ListEventBuses", json!({"NamePrefix": "b"}));
        oracle.shape(&test, "list-event-buses-after-create-us-east-1", &listed);
        let described = oracle.ok("DescribeEventBus", bus.clone());
        oracle.shape(&test, "describe-custom-event-bus-us-east-1", &described);
    }
    let again = oracle.call("CreateEventBus", bus.clone());
    let test = "TestEventBus::test_create_multiple_event_buses_same_name";
    oracle.error(test, "create-multiple-event-buses-same-name", bus_name, again);

    oracle.fresh();
    for number in 0..6 {
        oracle.ok("CreateEventBus", json!({"Name": format!("p-{number}")}));
    }
    let test = "TestEventBus::test_list_event_buses_with_limit";
    let first = oracle.ok("ListEventBuses", json!({"NamePrefix": "p", "Limit": 3}));
    oracle.shape(test, "list-event-buses-limit", &first);
    let token = first["NextToken"].clone();
    let second = oracle.ok("ListEventBuses", json!({"NamePrefix": "p", "Limit": 3, "NextToken": token}));
    oracle.shape(test, "list-event-buses-limit-next-token", &second);
    assert_eq!(oracle.compared, 11);
}

#[test]
fn permissions_answer_as_recorded() {
    let Some(mut oracle) = Oracle::open("events.json") else { return };
    let missing = oracle.call(
        "PutPermission",
        json!({"EventBusName": "b", "Action": "events:PutEvents", "Principal": SECOND, "StatementId": "s"}),
    );
    let test = "TestEventBus::test_put_permission_non_existing_event_bus";
    oracle.error(test, "remove-permission-non-existing-sid-error", &[("<bus-name>", "b")], missing);
    for kind in ["custom", "default"] {
        oracle.fresh();
        let bus = if kind == "custom" { "b" } else { "default" };
        if kind == "custom" {
            oracle.ok("CreateEventBus", json!({"Name": bus}));
        }
        for with_policy in ["False", "True"] {
            let unknown = oracle.call("RemovePermission", json!({"EventBusName": bus, "StatementId": "nope"}));
            let test = format!("TestEventBus::test_remove_permission_non_existing_sid[{with_policy}-{kind}]");
            oracle.error(&test, "remove-permission-non-existing-sid-error", &[], unknown);
            let grant =
                json!({"EventBusName": bus, "Action": "events:PutEvents", "Principal": SECOND, "StatementId": "kept"});
            oracle.ok("PutPermission", grant);
        }
        let test = format!("TestEventBus::test_remove_permission[{kind}]");
        let described = oracle.ok("DescribeEventBus", json!({"Name": bus}));
        oracle.shape(&test, "describe-event-bus-remove-permission", &described);
        oracle.ok("RemovePermission", json!({"EventBusName": bus, "RemoveAllPermissions": true}));
        let described = oracle.ok("DescribeEventBus", json!({"Name": bus}));
        oracle.shape(&test, "describe-event-bus-remove-permission-all", &described);
        let document = json!({"Version": "2012-10-17", "Statement": [{
            "Sid": "s", "Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"},
            "Action": "events:ListRules", "Resource": "*",
        }]});
        oracle.ok("PutPermission", json!({"EventBusName": bus, "Policy": document.to_string()}));
        let described = oracle.ok("DescribeEventBus", json!({"Name": bus}));
        let test = format!("TestEventBus::test_put_permission[{kind}]");
        oracle.shape(&test, "describe-event-bus-put-permission-policy", &described);
    }
    assert_eq!(oracle.compared, 11);
}

#[test]
fn rules_and_targets_answer_as_recorded() {
    let Some(mut oracle) = Oracle::open("events.json") else { return };
    let missing = oracle.call("DescribeRule", json!({"Name": "r"}));
    let test = "TestEventRule::test_describe_nonexistent_rule";
    oracle.error(test, "describe-not-existing-rule-error", &[("<rule-name>", "r")], missing);

    oracle.ok("CreateEventBus", json!({"Name": "b"}));
    let on_bus = json!({"EventBusName": "b", "Name": "r"});
    let put = oracle.ok("PutRule", json!({"EventBusName": "b", "Name": "r", "EventPattern": PATTERN}));
    let test = "TestEventRule::test_put_list_with_prefix_describe_delete_rule[custom]";
    oracle.shape(test, "put-rule", &put);
    let listed = oracle.ok("ListRules", json!({"EventBusName": "b", "NamePrefix": "r"}));
    oracle.shape(test, "list-rules", &listed);
    let described = oracle.ok("DescribeRule", on_bus.clone());
    oracle.shape(test, "describe-rule", &described);
    oracle.ok("DisableRule", on_bus.clone());
    let described = oracle.ok("DescribeRule", on_bus.clone());
    let test = "TestEventRule::test_disable_re_enable_rule[custom]";
    oracle.shape(test, "describe-rule-disabled", &described);

    let target = |id: String| json!({"Id": id, "Arn": format!("arn:aws:sqs:us-east-1:{ACCOUNT}:q")});
    let put_targets = |targets: Vec<Value>| json!({"EventBusName": "b", "Rule": "r", "Targets": targets});
    let test = "TestEventTarget::test_put_target_id_validation";
    let invalid = oracle.call("PutTargets", put_targets(vec![target("!@#$@!#$".to_owned())]));
    oracle.error(test, "put-targets-invalid-id-error", &[], invalid);
    let long = "x".repeat(65);
    let too_long = oracle.call("PutTargets", put_targets(vec![target(long.clone())]));
    oracle.error(test, "put-targets-length-error", &[("second-invalid-target-id", &long)], too_long);
    let six = (0..6).map(|number| target(format!("t{number}"))).collect();
    let too_many = oracle.call("PutTargets", put_targets(six));
    let test = "TestEventTarget::test_add_exceed_fife_targets_per_rule";
    oracle.error(test, "put-targets-client-error", &[], too_many);
    let one = oracle.ok("PutTargets", put_targets(vec![target("t".to_owned())]));
    let test = "TestEventTarget::test_put_list_remove_target[custom]";
    oracle.shape(test, "put-target", &one);
    let listed = oracle.ok("ListTargetsByRule", json!({"EventBusName": "b", "Rule": "r"}));
    oracle.shape(test, "list-targets", &listed);
    let full = oracle.call("DeleteRule", on_bus);
    oracle.error("TestEventRule::test_delete_rule_with_targets", "delete-rule-with-targets-error", &[], full);
    let removed = oracle.ok("RemoveTargets", json!({"EventBusName": "b", "Rule": "r", "Ids": ["t"]}));
    oracle.shape(test, "remove-target", &removed);
    let none =
        oracle.ok("ListRuleNamesByTarget", json!({"EventBusName": "b", "TargetArn": "arn:aws:sqs:us-east-1:1:q"}));
    let test = "TestEventRule::test_list_rule_names_by_target_no_matches[custom]";
    oracle.shape(test, "list_rule_names_by_target_no_matches", &none);
    assert_eq!(oracle.compared, 13);
}

#[test]
fn put_events_answers_as_recorded() {
    let Some(mut oracle) = Oracle::open("events.json") else { return };
    let entry = |left_out: &str, detail: &str| {
        let mut entry = json!({"Source": "s", "DetailType": "d", "Detail": detail});
        entry.as_object_mut().unwrap().remove(left_out);
        json!({"Entries": [entry]})
    };
    for (test, input) in [
        ("test_put_events_without_source", entry("Source", "{}")),
        ("test_put_event_without_detail", entry("Detail", "{}")),
        ("test_put_event_without_detail_type", entry("DetailType", "{}")),
        ("test_put_event_malformed_detail[ARRAY]", entry("", "[1]")),
        ("test_put_event_malformed_detail[STRING]", entry("", "text")),
        ("test_put_event_malformed_detail[MALFORMED_JSON]", entry("", "{")),
        ("test_put_event_malformed_detail[SERIALIZED_STRING]", entry("", r#""text""#)),
    ] {
        let answer = oracle.ok("PutEvents", input);
        oracle.shape(&format!("TestEvents::{test}"), "put-events", &answer);
    }
    let detail = json!({"text": "x".repeat(1_100_000)}).to_string();
    let too_big = oracle.call("PutEvents", entry("", &detail));
    let test = "TestEvents::test_put_event_with_too_big_detail";
    oracle.error(test, "put-events-too-big-detail-error", &[], too_big);
    assert_eq!(oracle.compared, 8);
}

#[test]
fn tags_answer_as_recorded() {
    let Some(mut oracle) = Oracle::open("events_tags.json") else { return };
    for (kind, resource) in [("not_existing_rule", "rule/gone"), ("not_existing_event_bus", "event-bus/gone")] {
        let arn = format!("arn:aws:events:{REGION}:{ACCOUNT}:{resource}");
        let test = format!("tests_tag_list_untag_not_existing_resource[{kind}]");
        let name: &[(&str, &str)] = &[("<not-existing-resource-name>", "gone")];
        let tagged = oracle.call("TagResource", json!({"ResourceARN": arn, "Tags": [{"Key": "a", "Value": "b"}]}));
        oracle.error(&test, "tag_not_existing_resource_error", name, tagged);
        let listed = oracle.call("ListTagsForResource", json!({"ResourceARN": arn}));
        oracle.error(&test, "list_tags_for_not_existing_resource_error", name, listed);
        let untagged = oracle.call("UntagResource", json!({"ResourceARN": arn, "TagKeys": ["a"]}));
        oracle.error(&test, "untag_not_existing_resource_error", name, untagged);
    }
    assert_eq!(oracle.compared, 6);
}

#[test]
fn archives_answer_as_recorded() {
    let Some(mut oracle) = Oracle::open("archive_and_replay.json") else { return };
    let name: &[(&str, &str)] = &[("<archive-name>", "a"), ("<event-bus-name>", "b")];
    let archive = json!({"ArchiveName": "a"});
    let source = format!("arn:aws:events:{REGION}:{ACCOUNT}:event-bus/b");
    let create = json!({
        "ArchiveName": "a", "EventSourceArn": source, "Description": "description of the archive",
        "EventPattern": PATTERN, "RetentionDays": 1,
    });
    let unknown = oracle.call("CreateArchive", create.clone());
    let test = "TestArchive::test_create_archive_error_unknown_event_bus";
    oracle.error(test, "create-archive-unknown-event-bus-error", name, unknown);
    let unknown = oracle.call("ListArchives", json!({"EventSourceArn": source}));
    let test = "TestArchive::test_list_archive_error_unknown_source_arn";
    oracle.error(test, "list-archives-unknown-event-bus-error", name, unknown);
    for (operation, test, step) in [
        ("DescribeArchive", "test_describe_archive_error_unknown_archive", "describe-archive-unknown-archive-error"),
        ("UpdateArchive", "test_update_archive_error_unknown_archive", "update-archive-unknown-archive-error"),
        ("DeleteArchive", "test_delete_archive_error_unknown_archive", "delete-archive-unknown-archive-error"),
    ] {
        let outcome = oracle.call(operation, archive.clone());
        oracle.error(&format!("TestArchive::{test}"), step, name, outcome);
    }
    oracle.ok("CreateEventBus", json!({"Name": "b"}));
    let test = "TestArchive::test_create_list_describe_update_delete_archive[custom]";
    let created = oracle.ok("CreateArchive", create.clone());
    oracle.shape(test, "create-archive", &created);
    let listed = oracle.ok("ListArchives", json!({"NamePrefix": "a"}));
    oracle.shape(test, "list-archives", &listed);
    let described = oracle.ok("DescribeArchive", archive);
    oracle.shape(test, "describe-archive", &described);
    let again = oracle.call("CreateArchive", create);
    let test = "TestArchive::test_create_archive_error_duplicate[custom]";
    oracle.error(test, "create-archive-duplicate-error", name, again);
    assert_eq!(oracle.compared, 9);
}
