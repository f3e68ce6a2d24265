//! Buses: made, listed, described and deleted.

use serde_json::{Value, json};

use crate::oracle::{ACCOUNT, Oracle};

pub(crate) fn scenarios(oracle: &mut Oracle) {
    life_of_a_bus(oracle);
    refusals(oracle);
    listings(oracle);
}

fn life_of_a_bus(oracle: &mut Oracle) {
    let several = ["us-east-1", "us-west-1", "eu-central-1"];
    for (described, description) in [("True", json!("test bus")), ("False", Value::Null)] {
        for (number, regions) in [(0, &several[..1]), (1, &several[..])] {
            let scenario = format!(
                "TestEventBus::test_create_list_describe_delete_custom_event_buses[{described}-regions{number}]"
            );
            oracle.begin(&scenario, &[("<bus-name>", "b")]);
            let bus = json!({"Name": "b"});
            for region in regions {
                oracle.name("<region>", region);
                let create = json!({"Name": "b", "Description": description});
                for (step, operation, input) in [
                    ("create-custom-event-bus", "CreateEventBus", create),
                    ("list-event-buses-after-create", "ListEventBuses", json!({"NamePrefix": "b"})),
                    ("describe-custom-event-bus", "DescribeEventBus", bus.clone()),
                ] {
                    let outcome = oracle.call_in(ACCOUNT, region, operation, input);
                    oracle.hold(&format!("{step}-{region}"), outcome);
                }
            }
            for region in regions {
                let deleted = oracle.call_in(ACCOUNT, region, "DeleteEventBus", bus.clone());
                oracle.hold(&format!("delete-custom-event-bus-{region}"), deleted);
                let listed = oracle.call_in(ACCOUNT, region, "ListEventBuses", json!({"NamePrefix": "b"}));
                oracle.hold(&format!("list-event-buses-after-delete-{region}"), listed);
            }
        }
    }
}

fn refusals(oracle: &mut Oracle) {
    let bus = json!({"Name": "b"});
    oracle.begin("TestEventBus::test_create_multiple_event_buses_same_name", &[("<bus-name>", "b")]);
    oracle.bus("b");
    oracle.step("create-multiple-event-buses-same-name", "CreateEventBus", bus.clone());

    oracle.begin("TestEventBus::test_describe_delete_not_existing_event_bus", &[("<bus-name>", "b")]);
    oracle.step("describe-not-existing-event-bus-error", "DescribeEventBus", bus.clone());
    oracle.step("delete-not-existing-event-bus", "DeleteEventBus", bus);

    oracle.begin("TestEventBus::test_delete_default_event_bus", &[]);
    oracle.step("delete-default-event-bus-error", "DeleteEventBus", json!({"Name": "default"}));
}

fn listings(oracle: &mut Oracle) {
    oracle.begin("TestEventBus::test_list_event_buses_with_prefix", &[("<bus-name>", "unique-prefix-1")]);
    oracle.bus("unique-prefix-1");
    oracle.bus("no-prefix-match");
    let prefix = |prefix: &str| json!({"NamePrefix": prefix});
    oracle.step("list-event-buses-prefix-complete-name", "ListEventBuses", prefix("unique-prefix-1"));
    oracle.step("list-event-buses-prefix", "ListEventBuses", prefix("unique"));

    oracle.begin("TestEventBus::test_list_event_buses_with_limit", &[("<bus-name-prefix>", "p")]);
    for number in 0..6 {
        oracle.bus(&format!("p-{number}"));
    }
    let first = oracle.step("list-event-buses-limit", "ListEventBuses", json!({"NamePrefix": "p", "Limit": 3}));
    let rest = json!({"NamePrefix": "p", "Limit": 5, "NextToken": first["NextToken"]});
    oracle.step("list-event-buses-limit-next-token", "ListEventBuses", rest);
}
