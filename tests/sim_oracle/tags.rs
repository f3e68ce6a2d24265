//! Tags of buses and rules.

use serde_json::{Value, json};

use crate::oracle::{ACCOUNT, Oracle, PATTERN, REGION};

pub(crate) fn scenarios(oracle: &mut Oracle) {
    for kind in ["event_bus", "rule"] {
        tag_and_untag(oracle, &format!("tests_tag_untag_resource[{kind}]"), kind, "event_bus_custom", false);
        for bus in ["event_bus_default", "event_bus_custom"] {
            tag_and_untag(oracle, &format!("tests_tag_untag_resource[{kind}-{bus}]"), kind, bus, true);
            made_again(oracle, kind, bus);
        }
    }
    missing(oracle);
    on_creation(oracle);
}

fn arn(resource: &str) -> String {
    format!("arn:aws:events:{REGION}:{ACCOUNT}:{resource}")
}

fn two_tags() -> Value {
    json!([{"Key": "tag1", "Value": "value1"}, {"Key": "tag2", "Value": "value2"}])
}

fn rule(bus: &str) -> Value {
    json!({"EventBusName": bus, "Name": "r", "EventPattern": PATTERN})
}

/// The bus's name and the ARN of what is tagged.
fn prepared(oracle: &mut Oracle, scenario: &str, kind: &str, bus: &str) -> (&'static str, String) {
    oracle.begin(scenario, &[]);
    let bus = if bus == "event_bus_default" { "default" } else { "b" };
    if bus == "b" {
        oracle.bus(bus);
    }
    if kind == "event_bus" {
        return (bus, arn(&format!("event-bus/{bus}")));
    }
    let made = oracle.ok("PutRule", rule(bus));
    (bus, made["RuleArn"].as_str().unwrap().to_owned())
}

fn tag_and_untag(oracle: &mut Oracle, scenario: &str, kind: &str, bus: &str, unknown: bool) {
    let (_, arn) = prepared(oracle, scenario, kind, bus);
    let of = json!({"ResourceARN": arn});
    oracle.step("tag_resource", "TagResource", json!({"ResourceARN": arn, "Tags": two_tags()}));
    oracle.step("list_tags_for_resource", "ListTagsForResource", of.clone());
    oracle.step("untag_resource", "UntagResource", json!({"ResourceARN": arn, "TagKeys": ["tag2"]}));
    oracle.step("list_tags_for_untagged_resource", "ListTagsForResource", of);
    if unknown {
        let input = json!({"ResourceARN": arn, "TagKeys": ["not_existing_tag"]});
        oracle.step("untag_resource_not_existing_tag", "UntagResource", input);
    }
}

fn made_again(oracle: &mut Oracle, kind: &str, bus: &str) {
    let scenario = format!("test_recreate_tagged_resource_without_tags[{kind}-{bus}]");
    let (bus, arn) = prepared(oracle, &scenario, kind, bus);
    let tag = json!([{"Key": "tag1", "Value": "value1"}]);
    oracle.ok("TagResource", json!({"ResourceARN": arn, "Tags": tag}));
    if kind == "rule" {
        oracle.ok("DeleteRule", json!({"EventBusName": bus, "Name": "r"}));
        oracle.ok("PutRule", rule(bus));
    } else if bus == "b" {
        oracle.ok("DeleteEventBus", json!({"Name": bus}));
        oracle.bus(bus);
    }
    oracle.step("list_tags_for_resource", "ListTagsForResource", json!({"ResourceARN": arn}));
}

fn missing(oracle: &mut Oracle) {
    for (kind, resource) in [("not_existing_rule", "rule/gone"), ("not_existing_event_bus", "event-bus/gone")] {
        let scenario = format!("tests_tag_list_untag_not_existing_resource[{kind}]");
        oracle.begin(&scenario, &[("<not-existing-resource-name>", "gone")]);
        let arn = arn(resource);
        let tag = json!({"ResourceARN": arn, "Tags": [{"Key": "tag1", "Value": "value1"}]});
        oracle.step("tag_not_existing_resource_error", "TagResource", tag);
        oracle.step("list_tags_for_not_existing_resource_error", "ListTagsForResource", json!({"ResourceARN": arn}));
        let untag = json!({"ResourceARN": arn, "TagKeys": ["tag1"]});
        oracle.step("untag_not_existing_resource_error", "UntagResource", untag);
    }
    let names: &[(&str, &str)] = &[("<rule_name>", "r"), ("<bus_name>", "b")];
    oracle.begin("TestRuleTags::test_list_tags_for_deleted_rule", names);
    oracle.bus("b");
    let made = oracle.ok("PutRule", rule("b"));
    oracle.ok("DeleteRule", json!({"EventBusName": "b", "Name": "r"}));
    let of = json!({"ResourceARN": made["RuleArn"]});
    oracle.step("list_tags_for_deleted_rule_error", "ListTagsForResource", of);

    oracle.begin("TestEventBusTags::test_list_tags_for_deleted_event_bus", names);
    let bus = oracle.bus("b");
    oracle.ok("DeleteEventBus", json!({"Name": "b"}));
    oracle.step("list_tags_for_deleted_rule_error", "ListTagsForResource", json!({"ResourceARN": bus}));
}

fn on_creation(oracle: &mut Oracle) {
    oracle.begin("TestRuleTags::test_put_rule_with_tags", &[("<rule_name>", "r")]);
    let put = json!({"Name": "r", "EventPattern": PATTERN, "Tags": two_tags()});
    let made = oracle.step("put_rule_with_tags", "PutRule", put);
    oracle.step("list_tags_for_rule", "ListTagsForResource", json!({"ResourceARN": made["RuleArn"]}));

    oracle.begin("TestEventBusTags::test_create_event_bus_with_tags", &[("<bus_name>", "b")]);
    let create = json!({"Name": "b", "Tags": two_tags()});
    let made = oracle.step("create_event_bus_with_tags", "CreateEventBus", create);
    oracle.step("list_tags_for_event_bus", "ListTagsForResource", json!({"ResourceARN": made["EventBusArn"]}));
}
