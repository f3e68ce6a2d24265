//! Targets: put, listed and removed, and what those of each kind receive.

use serde_json::{Value, json};

use crate::oracle::{ACCOUNT, DETAIL, KIND, Oracle, PATTERN, REGION, delivery_role, entry};

pub(crate) fn listing_scenarios(oracle: &mut Oracle) {
    for kind in ["custom", "default"] {
        life_of_a_target(oracle, kind);
    }
    limits(oracle);
    ids(oracle);
    same_ids_and_arns(oracle);
}

pub(crate) fn receiving_scenarios(oracle: &mut Oracle) {
    queues(oracle);
    buses(oracle);
    functions(oracle);
    other_services(oracle);
    apis_and_logs(oracle);
}

/// A rule `r` on the default bus, and a queue.
fn begin(oracle: &mut Oracle, scenario: &str) -> String {
    oracle.begin(scenario, &[("<rule-name>", "r"), ("<bus-name>", "b"), ("<target-id>", "t")]);
    oracle.ok("PutRule", json!({"Name": "r", "EventPattern": PATTERN}));
    let queue = oracle.queue("q");
    oracle.name("<queue-arn>", &queue);
    oracle.name("target-arn", &queue);
    queue
}

fn life_of_a_target(oracle: &mut Oracle, kind: &str) {
    let queue = begin(oracle, &format!("TestEventTarget::test_put_list_remove_target[{kind}]"));
    let bus = if kind == "custom" { "b" } else { "default" };
    if kind == "custom" {
        oracle.bus(bus);
        oracle.ok("PutRule", json!({"EventBusName": bus, "Name": "r", "EventPattern": PATTERN}));
    }
    let on = |more: Value| {
        let mut input = json!({"EventBusName": bus, "Rule": "r"});
        input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        input
    };
    oracle.step("put-target", "PutTargets", on(json!({"Targets": [{"Id": "t", "Arn": queue}]})));
    oracle.step("list-targets", "ListTargetsByRule", on(json!({})));
    oracle.step("remove-target", "RemoveTargets", on(json!({"Ids": ["t"]})));
    oracle.step("list-targets-after-delete", "ListTargetsByRule", on(json!({})));
}

fn limits(oracle: &mut Oracle) {
    let numbered = |queue: &str, count: usize| -> Vec<Value> {
        (0..count).map(|number| json!({"Id": format!("t{number}"), "Arn": queue})).collect()
    };
    let queue = begin(oracle, "TestEventTarget::test_add_exceed_fife_targets_per_rule");
    let seven = json!({"Rule": "r", "Targets": numbered(&queue, 7)});
    oracle.step("put-targets-client-error", "PutTargets", seven);

    let queue = begin(oracle, "TestEventTarget::test_list_target_by_rule_limit");
    oracle.ok("PutTargets", json!({"Rule": "r", "Targets": numbered(&queue, 5)}));
    let first = oracle.step("list-targets-limit", "ListTargetsByRule", json!({"Rule": "r", "Limit": 3}));
    let rest = json!({"Rule": "r", "NextToken": first["NextToken"]});
    oracle.step("list-targets-limit-next-token", "ListTargetsByRule", rest);
}

fn ids(oracle: &mut Oracle) {
    let queue = begin(oracle, "TestEventTarget::test_put_target_id_validation");
    let put = |id: &str| json!({"Rule": "r", "Targets": [{"Id": id, "Arn": queue, "InputPath": "$.detail"}]});
    oracle.step("put-targets-invalid-id-error", "PutTargets", put("!@#$@!#$"));
    let long = "x".repeat(79);
    oracle.name("second-invalid-target-id", &long);
    oracle.step("put-targets-length-error", "PutTargets", put(&long));
    oracle.ok("PutTargets", put("test-With_valid.Characters"));
}

fn same_ids_and_arns(oracle: &mut Oracle) {
    let target = |queue: &str, id: &str, path: &str| json!({"Id": id, "Arn": queue, "InputPath": path});
    let put = |rule: &str, targets: Vec<Value>| json!({"Rule": rule, "Targets": targets});

    let queue = begin(oracle, "TestEventTarget::test_put_multiple_targets_with_same_id_single_rule");
    oracle.ok("PutTargets", put("r", vec![target(&queue, "target-id", "$.detail")]));
    oracle.ok("PutTargets", put("r", vec![target(&queue, "target-id", "$.notexisting")]));
    oracle.step("list-targets", "ListTargetsByRule", json!({"Rule": "r"}));

    let queue = begin(oracle, "TestEventTarget::test_put_multiple_targets_with_same_arn_single_rule");
    let two = vec![target(&queue, "target-id-one", "$.detail"), target(&queue, "target-id-two", "$.doesnotexist")];
    oracle.ok("PutTargets", put("r", two));
    oracle.step("list-targets", "ListTargetsByRule", json!({"Rule": "r"}));

    for (same, path) in [("id", "$.notexisting"), ("arn", "$.doesnotexist")] {
        let scenario = format!("TestEventTarget::test_put_multiple_targets_with_same_{same}_across_different_rules");
        let queue = begin(oracle, &scenario);
        oracle.ok("PutRule", json!({"Name": "two", "EventPattern": PATTERN}));
        oracle.ok("PutTargets", put("r", vec![target(&queue, "target-id", "$.detail")]));
        oracle.ok("PutTargets", put("two", vec![target(&queue, "target-id", path)]));
        oracle.step("list-targets-rule-one", "ListTargetsByRule", json!({"Rule": "r"}));
        oracle.step("list-targets-rule-two", "ListTargetsByRule", json!({"Rule": "two"}));
    }
}

fn queues(oracle: &mut Oracle) {
    for class in ["", "TestEventsTargetSqs::"] {
        oracle.begin(&format!("{class}test_put_events_with_target_sqs"), &[]);
        let messages = oracle.filtered(PATTERN, json!({}), &[entry("", DETAIL)]);
        oracle.hold("message", Ok(messages));

        oracle.begin(&format!("{class}test_put_events_with_target_sqs_event_detail_match"), &[]);
        let entries = [entry("", r#"{"EventType": "1"}"#), entry("", r#"{"EventType": "2"}"#)];
        let pattern = r#"{"detail": {"EventType": ["0", "1"]}}"#;
        let messages = oracle.filtered(pattern, json!({"InputPath": "$.detail"}), &entries);
        oracle.hold("messages", Ok(messages));
    }
}

fn buses(oracle: &mut Oracle) {
    for (number, (from, to)) in [("default", "to"), ("from", "to"), ("from", "default")].into_iter().enumerate() {
        let scenario = format!("TestEventsTargetEvents::test_put_events_with_target_events[bus_combination{number}]");
        oracle.begin(&scenario, &[]);
        for bus in [from, to].into_iter().filter(|bus| *bus != "default") {
            oracle.bus(bus);
        }
        let messages = forwarded(oracle, from, to);
        oracle.hold("messages", Ok(messages));
    }
}

/// What a queue receives of an event that goes from one bus through another.
pub(crate) fn forwarded(oracle: &mut Oracle, from: &str, to: &str) -> Value {
    let arn = format!("arn:aws:events:{REGION}:{ACCOUNT}:event-bus/{to}");
    oracle.rule_to(from, "forward", PATTERN, &arn, json!({"RoleArn": delivery_role()}));
    let queue = oracle.queue("q");
    oracle.rule_to(to, "keep", PATTERN, &queue, json!({}));
    oracle.ok("PutEvents", json!({"Entries": [entry(from, DETAIL)]}));
    oracle.messages(&queue)
}

fn functions(oracle: &mut Oracle) {
    let function = format!("arn:aws:lambda:{REGION}:{ACCOUNT}:function:f");
    let receive = |oracle: &mut Oracle, pattern: &str, detail: &Value| {
        oracle.bus("b");
        oracle.rule_to("b", "r", pattern, &function, json!({}));
        oracle.ok("PutEvents", json!({"Entries": [entry("b", &detail.to_string())]}));
        oracle.received(&function)
    };
    oracle.begin("TestEventsTargetLambda::test_put_events_with_target_lambda", &[]);
    let events = receive(oracle, PATTERN, &serde_json::from_str(DETAIL).unwrap());
    oracle.hold("events", Ok(events));

    let action = json!({"id": "321", "type": "SEND_NOTIFICATION", "settings": {
        "message": "", "recipientEmails": [], "subject": "", "type": "SEND_NOTIFICATION",
    }});
    let automation = json!({"id": "123", "actions": [action]});
    let one = json!([automation]);
    let among_others = json!([{"foo": "bar"}, automation, {"bar": "foo"}]);
    for class in ["", "TestEventsTargetLambda::"] {
        for (name, automations) in [("list_entry", &one), ("list_entries_partial_match", &among_others)] {
            oracle.begin(&format!("{class}test_put_events_with_target_lambda_{name}"), &[]);
            let detail = json!({"payload": {
                "userId": 10, "businessId": 3, "channelId": 6, "card": {"foo": "bar"}, "targetEntity": true,
                "entityAuditTrailEvent": {"foo": "bar"}, "automations": automations,
            }});
            let pattern = r#"{"detail": {"payload": {"automations": {"id": [{"exists": true}]}}}}"#;
            let events = receive(oracle, pattern, &detail);
            oracle.hold("events", Ok(events));
        }
    }
}

fn other_services(oracle: &mut Oracle) {
    let receive = |oracle: &mut Oracle, target: &str, events: usize| {
        oracle.bus("b");
        oracle.rule_to("b", "r", PATTERN, target, json!({"RoleArn": delivery_role()}));
        for _ in 0..events {
            oracle.ok("PutEvents", json!({"Entries": [entry("b", DETAIL)]}));
        }
        oracle.received(target)
    };
    oracle.begin("TestEventsTargetKinesis::test_put_events_with_target_kinesis", &[]);
    let events = receive(oracle, &format!("arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/s"), 1);
    oracle.hold("response", Ok(events[0].clone()));

    oracle.begin("TestEventsTargetFirehose::test_put_events_with_target_firehose", &[]);
    let events = receive(oracle, &format!("arn:aws:firehose:{REGION}:{ACCOUNT}:deliverystream/s"), 10);
    oracle.hold("s3", Ok(events));

    for strategy in ["standard", "domain", "path"] {
        oracle.begin(&format!("TestEventsTargetSns::test_put_events_with_target_sns[{strategy}]"), &[]);
        let topic = format!("arn:aws:sns:{REGION}:{ACCOUNT}:t");
        oracle.bus("b");
        oracle.rule_to("b", "r", PATTERN, &topic, json!({}));
        oracle.ok("PutEvents", json!({"Entries": [entry("b", DETAIL)]}));
        let events = oracle.received(&topic);
        oracle.hold_part("messages", "/0/Body/Message", events[0].clone());
    }
}

fn apis_and_logs(oracle: &mut Oracle) {
    oracle.begin(
        "TestEventsTargetApiGateway::test_put_events_with_target_api_gateway",
        &[("<resource:3>", "b"), ("<resource:4>", "r")],
    );
    let api = format!("arn:aws:execute-api:{REGION}:{ACCOUNT}:a/stage/POST/test");
    let role = delivery_role();
    let pattern = r#"{"source": ["test.source"], "detail-type": ["test.detail.type"]}"#;
    oracle.step("event_bus_response", "CreateEventBus", json!({"Name": "b"}));
    let rule = json!({"EventBusName": "b", "Name": "r", "EventPattern": pattern});
    oracle.step("rule_response", "PutRule", rule);
    let target = json!({"Id": "t", "Arn": api, "RoleArn": role, "InputPath": "$.detail"});
    let targets = json!({"EventBusName": "b", "Rule": "r", "Targets": [target]});
    oracle.step("put_targets_response", "PutTargets", targets);
    let published = json!({
        "EventBusName": "b", "Source": "test.source", "DetailType": "test.detail.type",
        "Detail": r#"{"message": "Hello from EventBridge"}"#,
    });
    oracle.step("put_events_response", "PutEvents", json!({"Entries": [published]}));
    let events = oracle.received(&api);
    oracle.hold_part("lambda_logs", "/0/body", events[0].clone());

    oracle.begin("TestEventsTargetCloudWatchLogs::test_put_events_with_target_cloudwatch_logs", &[]);
    let group = format!("arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/aws/events/g");
    oracle.step("event_bus_response", "CreateEventBus", json!({"Name": "b"}));
    oracle.step("rule_response", "PutRule", json!({"EventBusName": "b", "Name": "r", "EventPattern": PATTERN}));
    let targets = json!({"EventBusName": "b", "Rule": "r", "Targets": [{"Id": "t", "Arn": group}]});
    oracle.step("put_targets_response", "PutTargets", targets);
    let published = json!({"EventBusName": "b", "Source": KIND, "DetailType": KIND, "Detail": DETAIL});
    oracle.step("put_events_response", "PutEvents", json!({"Entries": [published]}));
    let events = oracle.received(&group);
    oracle.hold_part("log_events", "/0/message", events[0].clone());
}
