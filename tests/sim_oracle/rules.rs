//! Rules: put, listed, described, switched, deleted, and found by their targets.

use serde_json::{Value, json};

use crate::oracle::{Oracle, PATTERN};

pub(crate) fn scenarios(oracle: &mut Oracle) {
    for kind in ["custom", "default"] {
        life_of_a_rule(oracle, kind);
        by_target(oracle, kind);
    }
    put_again(oracle);
    limit(oracle);
    with_targets(oracle);
    oracle.begin("TestEventRule::test_describe_nonexistent_rule", &[("<rule-name>", "r")]);
    oracle.step("describe-not-existing-rule-error", "DescribeRule", json!({"Name": "r"}));
}

fn begin(oracle: &mut Oracle, scenario: &str, kind: &str) -> &'static str {
    oracle.begin(scenario, &[("<rule-name>", "r"), ("<bus-name>", "b")]);
    if kind == "default" {
        return "default";
    }
    oracle.bus("b");
    "b"
}

fn put(bus: &str, rule: &str) -> Value {
    json!({"EventBusName": bus, "Name": rule, "EventPattern": PATTERN})
}

fn life_of_a_rule(oracle: &mut Oracle, kind: &str) {
    let scenario = format!("TestEventRule::test_put_list_with_prefix_describe_delete_rule[{kind}]");
    let bus = begin(oracle, &scenario, kind);
    let (named, listed) = (json!({"EventBusName": bus, "Name": "r"}), json!({"EventBusName": bus, "NamePrefix": "r"}));
    oracle.step("put-rule", "PutRule", put(bus, "r"));
    oracle.step("list-rules", "ListRules", listed.clone());
    oracle.step("describe-rule", "DescribeRule", named.clone());
    oracle.step("delete-rule", "DeleteRule", named.clone());
    oracle.step("list-rules-after-delete", "ListRules", listed);

    let bus = begin(oracle, &format!("TestEventRule::test_disable_re_enable_rule[{kind}]"), kind);
    oracle.ok("PutRule", put(bus, "r"));
    oracle.step("disable-rule", "DisableRule", named.clone());
    oracle.step("describe-rule-disabled", "DescribeRule", named.clone());
    oracle.step("enable-rule", "EnableRule", named.clone());
    oracle.step("describe-rule-enabled", "DescribeRule", named);
}

fn put_again(oracle: &mut Oracle) {
    let bus = begin(oracle, "TestEventRule::test_put_multiple_rules_with_same_name", "custom");
    oracle.step("put-rule", "PutRule", put(bus, "r"));
    oracle.step("re-put-rule", "PutRule", put(bus, "r"));
    oracle.step("list-rules", "ListRules", json!({"EventBusName": bus}));
}

fn limit(oracle: &mut Oracle) {
    let bus = begin(oracle, "TestEventRule::test_list_rule_with_limit", "custom");
    oracle.name("<rule-name-prefix>", "r");
    for number in 0..6 {
        oracle.ok("PutRule", put(bus, &format!("r-{number}")));
    }
    let first = oracle.step("list-rules-limit", "ListRules", json!({"EventBusName": bus, "Limit": 3}));
    let rest = json!({"EventBusName": bus, "Limit": 5, "NextToken": first["NextToken"]});
    oracle.step("list-rules-limit-next-token", "ListRules", rest);
}

fn with_targets(oracle: &mut Oracle) {
    begin(oracle, "TestEventRule::test_delete_rule_with_targets", "default");
    let queue = oracle.queue("q");
    oracle.rule_to("default", "r", PATTERN, &queue, json!({}));
    oracle.step("delete-rule-with-targets-error", "DeleteRule", json!({"Name": "r"}));

    begin(oracle, "TestEventRule::test_update_rule_with_targets", "default");
    let queue = oracle.queue("q");
    oracle.name("<queue-arn>", &queue);
    oracle.name("<target-id>", "r-target");
    oracle.rule_to("default", "r", PATTERN, &queue, json!({}));
    oracle.step("list-targets", "ListTargetsByRule", json!({"Rule": "r"}));
    oracle.step("update-rule", "PutRule", json!({"Name": "r", "EventPattern": PATTERN}));
    oracle.step("list-targets-after-update", "ListTargetsByRule", json!({"Rule": "r"}));
}

fn by_target(oracle: &mut Oracle, kind: &str) {
    let pattern = r#"{"source": ["s"]}"#;
    let lookup = |bus: &str, target: &str| json!({"EventBusName": bus, "TargetArn": target});

    let bus = begin(oracle, &format!("TestEventRule::test_list_rule_names_by_target[{kind}]"), kind);
    oracle.name("<rule-prefix>", "r-");
    let queue = oracle.queue("q");
    for number in 0..3 {
        oracle.rule_to(bus, &format!("r-{number}"), pattern, &queue, json!({}));
    }
    oracle.ok("PutRule", json!({"EventBusName": bus, "Name": "r-other", "EventPattern": pattern}));
    oracle.step("list_rule_names_by_target", "ListRuleNamesByTarget", lookup(bus, &queue));

    let bus = begin(oracle, &format!("TestEventRule::test_list_rule_names_by_target_with_limit[{kind}]"), kind);
    oracle.name("<rule-prefix>", "r-");
    let queue = oracle.queue("q");
    for number in 0..5 {
        oracle.rule_to(bus, &format!("r-{number}"), pattern, &queue, json!({}));
    }
    let mut token = Value::Null;
    for step in ["first_page", "second_page", "third_page"] {
        let input = json!({"EventBusName": bus, "TargetArn": queue, "Limit": 2, "NextToken": token});
        token = oracle.step(step, "ListRuleNamesByTarget", input)["NextToken"].clone();
    }

    let bus = begin(oracle, &format!("TestEventRule::test_list_rule_names_by_target_no_matches[{kind}]"), kind);
    let (queue, other) = (oracle.queue("q"), oracle.queue("other"));
    oracle.rule_to(bus, "r", pattern, &other, json!({}));
    oracle.step("list_rule_names_by_target_no_matches", "ListRuleNamesByTarget", lookup(bus, &queue));
}
