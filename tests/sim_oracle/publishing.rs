//! PutEvents: what it refuses, and what becomes of what it takes.

use serde_json::{Value, json};
use wheelwright::sim::Quotas;

use crate::oracle::{ACCOUNT, DETAIL, KIND, Oracle, REGION, delivery_role, entry};
use crate::targets::forwarded;

pub(crate) fn scenarios(oracle: &mut Oracle) {
    bad_entries(oracle);
    too_much(oracle);
    times(oracle);
    queues(oracle);
    buses(oracle);
    functions(oracle);
    patterns(oracle);
}

fn bad_entries(oracle: &mut Oracle) {
    let without = |field: &str| {
        let mut entry = entry("default", DETAIL);
        entry.as_object_mut().unwrap().remove(field);
        json!({"Entries": [entry]})
    };
    for (name, field) in [
        ("test_put_events_without_source", "Source"),
        ("test_put_event_without_detail", "Detail"),
        ("test_put_event_without_detail_type", "DetailType"),
    ] {
        oracle.begin(&format!("TestEvents::{name}"), &[]);
        oracle.step("put-events", "PutEvents", without(field));
    }
    for (name, detail) in
        [("STRING", "NotJSON"), ("ARRAY", "[]"), ("MALFORMED_JSON", "{{}"), ("SERIALIZED_STRING", r#""NotJSON""#)]
    {
        oracle.begin(&format!("TestEvents::test_put_event_malformed_detail[{name}]"), &[]);
        oracle.step("put-events", "PutEvents", json!({"Entries": [entry("default", detail)]}));
    }
}

fn too_much(oracle: &mut Oracle) {
    oracle.begin("TestEvents::test_put_event_with_too_big_detail", &[]);
    // It was recorded when 256 KiB were the most; AWS has raised that to 1 MiB since.
    oracle.aws.set_quotas(ACCOUNT, Quotas { put_events_bytes: 262_144, ..Quotas::default() });
    let detail = json!({"payload": ["p".repeat(256 * 1_024 - 17)]}).to_string();
    let entries = json!({"Entries": [entry("default", &detail)]});
    oracle.step("put-events-too-big-detail-error", "PutEvents", entries);

    for (kind, bus) in [("custom", "b"), ("default", "default")] {
        oracle.begin(&format!("TestEvents::test_put_events_exceed_limit_ten_entries[{kind}]"), &[("<bus-name>", bus)]);
        if kind == "custom" {
            oracle.bus(bus);
        }
        let eleven: Vec<Value> = (0..11).map(|_| entry(bus, DETAIL)).collect();
        oracle.step("put-events-exceed-limit-error", "PutEvents", json!({"Entries": eleven}));
    }
}

fn times(oracle: &mut Oracle) {
    oracle.begin("TestEvents::test_put_events_time", &[]);
    let pattern = json!({"source": [KIND], "detail-type": [KIND]}).to_string();
    let entries: Vec<Value> = ["short", "new", "long"]
        .iter()
        .map(|kind| {
            let mut entry = entry("", &json!({"message": format!("{kind} time")}).to_string());
            entry["Time"] = json!(1_640_995_200);
            entry
        })
        .collect();
    let messages = oracle.filtered(&pattern, json!({}), &entries);
    for message in messages.as_array().unwrap() {
        let body: Value = serde_json::from_str(message["Body"].as_str().unwrap()).unwrap();
        assert_eq!(body["time"], "2022-01-01T00:00:00Z", "as whoever recorded it checked");
    }
    oracle.hold("messages", Ok(messages));

    oracle.begin("TestEvents::test_put_events_with_time_field", &[]);
    let queue = oracle.queue("q");
    let pattern = r#"{"source": ["test-source"], "detail-type": ["test-detail-type"]}"#;
    oracle.rule_to("default", "r", pattern, &queue, json!({}));
    let timed = json!({
        "Source": "test-source", "DetailType": "test-detail-type", "Time": 1_790_000_000.25,
        "Detail": r#"{"message": "test message"}"#,
    });
    oracle.step("put-events", "PutEvents", json!({"Entries": [timed]}));
    let messages = oracle.messages(&queue);
    oracle.hold("sqs-messages", Ok(messages));
}

fn queues(oracle: &mut Oracle) {
    let pattern = json!({"source": [KIND], "detail-type": [KIND]}).to_string();
    oracle.begin("TestEvents::test_put_events_response_entries_order", &[]);
    oracle.anything("detail");
    let (one, two) = (oracle.queue("one"), oracle.queue("two"));
    oracle.rule_to("default", "r", &pattern, &one, json!({}));
    oracle.ok("PutTargets", json!({"Rule": "r", "Targets": [{"Id": "two", "Arn": two}]}));
    let put = json!({"Entries": [entry("default", DETAIL)]});
    oracle.step("put-events-response", "PutEvents", put.clone());
    let (one, two) = (oracle.messages(&one), oracle.messages(&two));
    oracle.hold("sqs-messages", Ok(json!({"queue1_messages": one, "queue2_messages": two})));

    oracle.begin("TestEvents::test_put_events_with_target_delivery_failure", &[]);
    let gone = format!("arn:aws:sqs:{REGION}:{ACCOUNT}:gone");
    oracle.rule_to("default", "r", &pattern, &gone, json!({}));
    oracle.step("put-events-response", "PutEvents", put);
}

fn buses(oracle: &mut Oracle) {
    for strategy in ["standard", "domain", "path"] {
        oracle.begin(&format!("TestEventBus::test_put_events_bus_to_bus[{strategy}]"), &[]);
        oracle.bus("one");
        oracle.bus("two");
        let messages = forwarded(oracle, "one", "two");
        oracle.hold("messages", Ok(messages));
    }

    oracle.begin(
        "TestEventBus::test_put_events_to_default_eventbus_for_custom_eventbus",
        &[("<resource:1>", "custom"), ("<resource:2>", "on-default"), ("<resource:3>", "on-custom")],
    );
    let queue = oracle.queue("q");
    let made = oracle.step("create-custom-event-bus", "CreateEventBus", json!({"Name": "custom"}));
    let pattern = r#"{"detail-type": ["Object Created"], "source": ["aws.s3"]}"#;
    oracle.step("create-rule-1", "PutRule", json!({"Name": "on-default", "EventPattern": pattern}));
    let on_custom = json!({"EventBusName": "custom", "Name": "on-custom", "EventPattern": pattern});
    oracle.step("create-rule-2", "PutRule", on_custom);
    let forward = json!([{"Id": "t", "Arn": made["EventBusArn"], "RoleArn": delivery_role()}]);
    oracle.step("put-target-1", "PutTargets", json!({"Rule": "on-default", "Targets": forward}));
    let keep = json!({"EventBusName": "custom", "Rule": "on-custom", "Targets": [{"Id": "t", "Arn": queue}]});
    oracle.step("put-target-2", "PutTargets", keep);

    oracle.begin("TestEventBus::test_put_events_nonexistent_event_bus", &[("<custom-event-bus>", "gone")]);
    let queue = oracle.queue("q");
    let pattern = r#"{"detail-type": ["CustomType"], "source": ["MySource"]}"#;
    oracle.rule_to("default", "r", pattern, &queue, json!({}));
    let event = |bus: &str, of: &str| {
        let detail = json!({"message": format!("for the {of} event bus")}).to_string();
        json!({"EventBusName": bus, "Source": "MySource", "DetailType": "CustomType", "Detail": detail})
    };
    let entries = json!({"Entries": [event("default", "default"), event("gone", "custom")]});
    oracle.step("put-events", "PutEvents", entries);
    let messages = oracle.messages(&queue);
    oracle.hold("get-events", Ok(messages));
    oracle.step("non-existent-bus-error", "DescribeEventBus", json!({"Name": "gone"}));
}

fn functions(oracle: &mut Oracle) {
    let function = format!("arn:aws:lambda:{REGION}:{ACCOUNT}:function:f");
    oracle.begin("TestEventRule::test_process_to_multiple_matching_rules_single_target", &[]);
    oracle.bus("b");
    let pattern = json!({"source": [KIND], "detail-type": [KIND]}).to_string();
    for rule in ["one", "two"] {
        oracle.rule_to("b", rule, &pattern, &function, json!({}));
    }
    oracle.ok("PutEvents", json!({"Entries": [entry("b", DETAIL)]}));
    let events = oracle.received(&function);
    oracle.hold("events", Ok(events));

    oracle.begin("TestEventRule::test_process_to_single_matching_rules_single_target", &[]);
    oracle.bus("b");
    let sources = ["source-one", "source-two", "source-three"];
    for source in sources {
        oracle.rule_to("b", source, &json!({"source": [source]}).to_string(), &function, json!({}));
    }
    for source in sources {
        let mut event = entry("b", DETAIL);
        event["Source"] = json!(source);
        oracle.ok("PutEvents", json!({"Entries": [event]}));
        let events = oracle.received(&function);
        oracle.hold(&format!("events-{source}"), Ok(events));
    }

    oracle.begin("TestEventRule::test_process_pattern_to_single_matching_rules_single_target", &[]);
    oracle.bus("b");
    for (rule, pattern, template) in [
        ("one", r#"{"detail": {"payload": {"id": [{"exists": true}]}}}"#, r#"{"detail-payload-with-id": <detail>}"#),
        ("two", r#"{"detail": {"id": [{"exists": true}]}}"#, r#"{"detail-with-id": <detail>}"#),
    ] {
        let transformer = json!({"InputPathsMap": {"detail": "$.detail"}, "InputTemplate": template});
        oracle.rule_to("b", rule, pattern, &function, json!({"InputTransformer": transformer}));
    }
    for (step, detail) in [("events-1", r#"{"payload": {"id": "123"}}"#), ("events-2", r#"{"id": "123"}"#)] {
        oracle.ok("PutEvents", json!({"Entries": [entry("b", detail)]}));
        let events = oracle.received(&function);
        oracle.hold(step, Ok(events));
    }
}

fn patterns(oracle: &mut Oracle) {
    let test = |detail: &str| json!({"Source": "test", "DetailType": "test", "Detail": detail});
    let of_type = |kind: Value| test(&json!({"event": {"data": {"type": kind}}}).to_string());
    let path = json!({"InputPath": "$.detail"});

    oracle.begin("TestEventPattern::test_put_events_pattern_with_values_in_array", &[]);
    let entries = [of_type(json!(["3", "1"])), of_type(json!(["2"])), of_type(json!(["3"]))];
    let pattern = r#"{"detail": {"event": {"data": {"type": ["1", "2"]}}}}"#;
    let messages = oracle.filtered(pattern, path.clone(), &entries);
    oracle.hold("messages", Ok(messages));

    oracle.begin("TestEventPattern::test_put_events_pattern_nested", &[]);
    let entries = [of_type(json!("1")), of_type(json!("2")), test(r#"{"hello": "world"}"#)];
    let pattern = r#"{"detail": {"event": {"data": {"type": ["1"]}}}}"#;
    let messages = oracle.filtered(pattern, path, &entries);
    oracle.hold("messages", Ok(messages));
}
