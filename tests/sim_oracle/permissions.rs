//! Bus policies: put and taken away, statement by statement and whole.

use serde_json::{Value, json};

use crate::oracle::{ACCOUNT, Oracle, SECOND};

const NAMES: &[(&str, &str)] = &[("<account-id>", ACCOUNT), ("<secondary-account-id>", SECOND)];

pub(crate) fn scenarios(oracle: &mut Oracle) {
    for kind in ["custom", "default"] {
        put(oracle, kind);
        remove(oracle, kind);
        for exists in ["True", "False"] {
            let scenario = format!("TestEventBus::test_remove_permission_non_existing_sid[{exists}-{kind}]");
            let bus = begin(oracle, &scenario, kind);
            if exists == "True" {
                oracle.ok("PutPermission", grant(bus, "statement-1", ACCOUNT));
            }
            let unknown = json!({"EventBusName": bus, "StatementId": "non-existing-sid"});
            oracle.step("remove-permission-non-existing-sid-error", "RemovePermission", unknown);
        }
    }
    oracle.begin("TestEventBus::test_put_permission_non_existing_event_bus", &[("<bus-name>", "gone")]);
    oracle.step("remove-permission-non-existing-sid-error", "PutPermission", grant("gone", "statement-id", "*"));
}

fn begin(oracle: &mut Oracle, scenario: &str, kind: &str) -> &'static str {
    let bus = if kind == "custom" { "b" } else { "default" };
    oracle.begin(scenario, NAMES);
    oracle.name("<bus-name>", bus);
    if kind == "custom" {
        oracle.bus(bus);
    }
    bus
}

fn put(oracle: &mut Oracle, kind: &str) {
    let bus = begin(oracle, &format!("TestEventBus::test_put_permission[{kind}]"), kind);
    oracle.step("put-permission", "PutPermission", grant(bus, "statement-1", ACCOUNT));
    oracle.ok("PutPermission", grant(bus, "statement-2", ACCOUNT));
    oracle.ok("PutPermission", grant(bus, "statement-3", SECOND));
    describe(oracle, "describe-event-bus-put-permission-multiple-principals", bus);
    oracle.ok("PutPermission", grant(bus, "statement-4", "*"));
    oracle.ok("PutPermission", grant(bus, "statement-4", "*"));
    describe(oracle, "describe-event-bus-put-permission", bus);
    let document = json!({"Version": "2012-10-17", "Statement": [{
        "Sid": "statement-5", "Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"},
        "Action": "events:ListRules", "Resource": "*",
    }]});
    let whole = json!({"EventBusName": bus, "Policy": document.to_string()});
    oracle.step("put-permission-policy", "PutPermission", whole);
    describe(oracle, "describe-event-bus-put-permission-policy", bus);
}

fn remove(oracle: &mut Oracle, kind: &str) {
    let bus = begin(oracle, &format!("TestEventBus::test_remove_permission[{kind}]"), kind);
    oracle.ok("PutPermission", grant(bus, "statement-1", ACCOUNT));
    oracle.ok("PutPermission", grant(bus, "statement-2", SECOND));
    let one = json!({"EventBusName": bus, "StatementId": "statement-1", "RemoveAllPermissions": false});
    oracle.step("remove-permission", "RemovePermission", one);
    describe(oracle, "describe-event-bus-remove-permission", bus);
    let all = json!({"EventBusName": bus, "RemoveAllPermissions": true});
    oracle.step("remove-permission-all", "RemovePermission", all);
    describe(oracle, "describe-event-bus-remove-permission-all", bus);
}

fn grant(bus: &str, id: &str, principal: &str) -> Value {
    json!({"EventBusName": bus, "Action": "events:PutEvents", "Principal": principal, "StatementId": id})
}

/// The recordings have statements in the order of their ids.
fn describe(oracle: &mut Oracle, step: &str, bus: &str) {
    let mut outcome = oracle.call("DescribeEventBus", json!({"Name": bus}));
    if let Ok(described) = &mut outcome
        && let Some(text) = described["Policy"].as_str()
    {
        let mut policy: Value = serde_json::from_str(text).unwrap();
        let statements = policy["Statement"].as_array_mut().unwrap();
        statements.sort_by_key(|statement| statement["Sid"].to_string());
        described["Policy"] = json!(policy.to_string());
    }
    oracle.hold(step, outcome);
}
