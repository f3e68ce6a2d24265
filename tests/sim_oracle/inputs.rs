//! What targets receive of an event: a part of it, or a template filled from it.

use serde_json::{Value, json};

use crate::oracle::{DETAIL, Oracle, PATTERN, entry};

/// The event of the recordings with nested keys.
const SPECIAL_DETAIL: &str = r#"{"command": "update-account", "payload": {"acc_id": "0a787ecb-4015", "sf_id": "baz"}, "listsingle": ["HIGH"], "listmulti": ["ACTIVE", "INACTIVE"], "valid": true}"#;

/// When scenarios begin, as events tell it.
const BEGINNING: &str = "2026-09-21T14:13:20Z";

pub(crate) fn scenarios(oracle: &mut Oracle) {
    paths(oracle);
    templates(oracle);
    nested_keys(oracle);
    predefined_variables(oracle);
    refusals(oracle);
}

fn paths(oracle: &mut Oracle) {
    let nested = r#"{"command": "update-account", "payload": {"acc_id": "0a787ecb-4015", "payload": {"message": "baz", "id": "123"}}}"#;
    for (name, path, detail) in [
        ("test_put_events_with_input_path", "$.detail", DETAIL),
        ("test_put_events_with_input_path_nested[event_detail0]", "$.detail.payload", DETAIL),
        ("test_put_events_with_input_path_nested[event_detail1]", "$.detail.payload", nested),
        ("test_put_events_with_input_path_max_level_depth", "$.detail.payload.sf_id", DETAIL),
    ] {
        oracle.begin(&format!("TestInputPath::{name}"), &[]);
        let messages = oracle.filtered(PATTERN, json!({"InputPath": path}), &[entry("", detail)]);
        oracle.hold("message", Ok(messages));
    }

    oracle.begin("TestInputPath::test_put_events_with_input_path_multiple_targets", &[]);
    let (one, two) = (oracle.queue("one"), oracle.queue("two"));
    oracle.bus("b");
    oracle.rule_to("b", "r", PATTERN, &one, json!({"InputPath": "$.detail"}));
    oracle.ok("PutTargets", json!({"EventBusName": "b", "Rule": "r", "Targets": [{"Id": "two", "Arn": two}]}));
    oracle.ok("PutEvents", json!({"Entries": [entry("b", DETAIL)]}));
    for (step, queue) in [("message-queue-1", one), ("message-queue-2", two)] {
        let messages = oracle.messages(&queue);
        oracle.hold(step, Ok(messages));
    }
}

fn paths_map(command: &str) -> Value {
    json!({"detail-type": "$.detail-type", "timestamp": "$.time", "command": command})
}

fn templates(oracle: &mut Oracle) {
    let text = r#""Event of <detail-type> type, at time <timestamp>, info extracted from detail <command>""#;
    let special = r#""{[/Check with special starting characters for event of <detail-type> type""#;
    let json_text = r#"{"detailType": <detail-type>,  "time": <timestamp>, "command": <command>}"#;
    let name = "TestInputTransformer::test_put_events_with_input_transformer_input_template";
    for (scenario, template) in [
        (format!("{name}_string"), text),
        (format!("{name}_json"), json_text),
        (format!("{name}_string[{text}]"), text),
        (format!("{name}_string[{special}]"), special),
    ] {
        oracle.begin(&scenario, &[("at time date", &format!("at time {BEGINNING}"))]);
        for (step, command) in [
            ("custom-variables-match-all", "$.detail.command"),
            ("custom-variables-not-match-all", "$.detail.notinmessage"),
        ] {
            let transformer = json!({"InputPathsMap": paths_map(command), "InputTemplate": template});
            let target = json!({"InputTransformer": transformer});
            let messages = oracle.filtered(PATTERN, target, &[entry("", DETAIL)]);
            oracle.hold(step, Ok(messages));
        }
    }
}

fn nested_keys(oracle: &mut Oracle) {
    let map = json!({
        "userId": "$.detail.payload.acc_id", "payload": "$.detail.payload", "systemstring": "$.detail.awsAccountId",
        "listsingle": "$.detail.listsingle", "listmulti": "$.detail.listmulti", "valid": "$.detail.valid",
    });
    for template in [
        r#"{"method": "PUT", "path": "users-service/users/<userId>", "bod": <payload>}"#,
        r#""Payload of <payload> with path users-service/users/<userId> and <userId>""#,
        r#"{"id" : <userId>}"#,
        r#"{"id" : "<userId>"}"#,
        r#"{"method": "PUT", "path": "users-service/users/<userId>", "id": <userId>, "body": <payload>}"#,
        r#"{"method": "PUT", "path": "users-service/users/<userId>", "bod": [<userId>, "hardcoded"]}"#,
        r#"{"method": "PUT", "nested": {"level1": {"level2": {"level3": "users-service/users/<userId>"} } }, "bod": "<userId>"}"#,
        r#""<listsingle> single list item""#,
        r#""<listmulti> multiple list items""#,
        r#"{"singlelistitem": <listsingle>}"#,
        r#""<listsingle> single list item <listmulti> multiple list items <systemstring> system account id <payload> payload <userId> user id""#,
        r#"{"multi_replacement": "users/<userId>/second/<userId>"}"#,
        r#""Command is <valid>!""#,
        "\"<listsingle> single list item\"\n\"<listmulti> multiple list items\"\n\"<systemstring> system account id\"\n\"<payload> payload\"\n\"<userId> user id\"",
    ] {
        let written = template.replace('\n', "\\n");
        let scenario = format!("TestInputTransformer::test_input_transformer_nested_keys_replacement[{written}]");
        oracle.begin(&scenario, &[]);
        let target = json!({"InputTransformer": {"InputPathsMap": map, "InputTemplate": template}});
        let messages = oracle.filtered(PATTERN, target, &[entry("", SPECIAL_DETAIL)]);
        oracle.hold("input-transformed-messages", Ok(messages));
    }
}

fn predefined_variables(oracle: &mut Oracle) {
    for template in [
        r#""Message containing all pre defined variables <aws.events.rule-arn> <aws.events.rule-name> <aws.events.event.ingestion-time>""#,
        r#"{"originalEvent": <aws.events.event>, "originalEventJson": <aws.events.event.json>}"#,
    ] {
        let scenario = format!("TestInputTransformer::test_input_transformer_predefined_variables[{template}]");
        let names = [
            ("<rule-name> date", format!("filter {BEGINNING}")),
            ("<bus-name>", "filtering".to_owned()),
            ("<rule-name>", "filter".to_owned()),
            ("<ingestion-time>", BEGINNING.to_owned()),
        ];
        let names: Vec<(&str, &str)> = names.iter().map(|(name, value)| (*name, value.as_str())).collect();
        oracle.begin(&scenario, &names);
        let target = json!({"InputTransformer": {"InputPathsMap": {}, "InputTemplate": template}});
        let messages = oracle.filtered(PATTERN, target, &[entry("", DETAIL)]);
        oracle.hold("messages", Ok(messages));
    }
}

fn refusals(oracle: &mut Oracle) {
    let put = |queue: &str, more: Value| {
        let mut target = json!({"Id": "t", "Arn": queue});
        target.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({"EventBusName": "b", "Rule": "r", "Targets": [target]})
    };
    let map = paths_map("$.detail.command");
    let begin = |oracle: &mut Oracle, scenario: &str| {
        oracle.begin(scenario, &[("<target-id>", "t")]);
        oracle.bus("b");
        oracle.ok("PutRule", json!({"EventBusName": "b", "Name": "r", "EventPattern": PATTERN}));
        oracle.queue("q")
    };
    let queue = begin(oracle, "TestInputTransformer::test_put_events_with_input_transformer_missing_keys");
    let template = r#""Event of <detail-type> type, with not defined key <notdefinedkey>""#;
    let transformer = json!({"InputTransformer": {"InputPathsMap": map, "InputTemplate": template}});
    oracle.step("missing-key-exception-error", "PutTargets", put(&queue, transformer));

    let queue = begin(oracle, "test_put_event_input_path_and_input_transformer");
    let template = r#"{"detailType": <detail-type>,  "time": <timestamp>, "command": <command>}"#;
    let both = json!({
        "InputTransformer": {"InputPathsMap": map, "InputTemplate": template}, "InputPath": "$.detail",
    });
    oracle.step("duplicated-input-operations-error", "PutTargets", put(&queue, both));
}
