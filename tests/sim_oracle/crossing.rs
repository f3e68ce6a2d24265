//! Events that go from one account's or Region's bus to another's.

use serde_json::{Value, json};

use crate::oracle::{ACCOUNT, DETAIL, KIND, Oracle, REGION, SECOND, SECOND_REGION, delivery_role};

/// An account, a Region and a bus in it.
#[derive(Clone, Copy)]
struct Place {
    account: &'static str,
    region: &'static str,
    bus: &'static str,
}

pub(crate) fn scenarios(oracle: &mut Oracle) {
    for kind in ["default", "custom"] {
        for (crossed, account, region) in
            [("region", ACCOUNT, SECOND_REGION), ("account", SECOND, REGION), ("region_account", SECOND, SECOND_REGION)]
        {
            let scenario = format!("test_event_bus_to_event_bus_cross_account_region[{kind}-{crossed}]");
            let (near, far) = if kind == "default" { ("default", "default") } else { ("near", "far") };
            bus_to_bus(
                oracle,
                &scenario,
                Place { account: ACCOUNT, region: REGION, bus: near },
                Place { account, region, bus: far },
            );
        }
    }
    straight_to_another_account(oracle);
}

fn begin(oracle: &mut Oracle, scenario: &str) {
    let names = [("<account>", ACCOUNT), ("<account-secondary>", SECOND), ("<region-secondary>", SECOND_REGION)];
    oracle.begin(scenario, &names);
}

impl Place {
    fn ok(self, oracle: &mut Oracle, operation: &str, mut input: Value) {
        input["EventBusName"] = json!(self.bus);
        oracle.ok_in(self.account, self.region, operation, input);
    }

    fn open(self, oracle: &mut Oracle) {
        if self.bus != "default" {
            oracle.ok_in(self.account, self.region, "CreateEventBus", json!({"Name": self.bus}));
        }
    }

    fn let_everybody_in(self, oracle: &mut Oracle) {
        let grant = json!({"StatementId": "everybody", "Action": "events:PutEvents", "Principal": "*"});
        self.ok(oracle, "PutPermission", grant);
    }

    fn rule_to(self, oracle: &mut Oracle, rule: &str, sources: &[&str], targets: Value) {
        let pattern = json!({"source": sources}).to_string();
        self.ok(oracle, "PutRule", json!({"Name": rule, "EventPattern": pattern}));
        self.ok(oracle, "PutTargets", json!({"Rule": rule, "Targets": targets}));
    }

    fn arn(self) -> String {
        format!("arn:aws:events:{}:{}:event-bus/{}", self.region, self.account, self.bus)
    }
}

fn publish(oracle: &mut Oracle, from: Place, bus: &str, source: &str) {
    let entry = json!({"EventBusName": bus, "Source": source, "DetailType": KIND, "Detail": DETAIL});
    oracle.ok_in(from.account, from.region, "PutEvents", json!({"Entries": [entry]}));
}

fn bus_to_bus(oracle: &mut Oracle, scenario: &str, near: Place, far: Place) {
    begin(oracle, scenario);
    near.open(oracle);
    far.open(oracle);
    far.let_everybody_in(oracle);
    let near_queue = oracle.queue_in(near.account, near.region, "near");
    let far_queue = oracle.queue_in(far.account, far.region, "far");
    let targets = json!([
        {"Id": "queue", "Arn": near_queue},
        {"Id": "bus", "Arn": far.arn(), "RoleArn": delivery_role()},
    ]);
    near.rule_to(oracle, "near", &["source-primary"], targets);
    let keep = json!([{"Id": "queue", "Arn": far_queue}]);
    far.rule_to(oracle, "far", &["source-primary", "source-secondary"], keep);

    publish(oracle, near, near.bus, "source-primary");
    for (step, queue) in [
        ("messages_primary_queue_from_primary_event_bus", &near_queue),
        ("messages_secondary_queue_from_primary_event_bus", &far_queue),
    ] {
        let messages = oracle.messages(queue);
        oracle.hold(step, Ok(messages));
    }
    publish(oracle, far, far.bus, "source-secondary");
    let messages = oracle.messages(&far_queue);
    oracle.hold("messages_secondary_queue_from_secondary_event_bus", Ok(messages));
}

fn straight_to_another_account(oracle: &mut Oracle) {
    begin(oracle, "TestEventsCrossAccountRegion::test_put_events[custom-account]");
    let near = Place { account: ACCOUNT, region: REGION, bus: "default" };
    let far = Place { account: SECOND, region: REGION, bus: "far" };
    far.open(oracle);
    far.let_everybody_in(oracle);
    let queue = oracle.queue_in(SECOND, REGION, "far");
    far.rule_to(oracle, "far", &["source-primary"], json!([{"Id": "queue", "Arn": queue}]));
    publish(oracle, near, &far.arn(), "source-primary");
    let messages = oracle.messages(&queue);
    oracle.hold("messages", Ok(messages));
}
