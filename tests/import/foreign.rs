//! What makes a world that wheelwright made one that it did not: marks go, and names, ids and pins are people's own.

use crate::rng::Rng;
use serde_json::{Value, json};
use wheelwright::sim::{Caller, Service, SimulatedAws, SnapshotKind};

/// One thing of the simulated AWS: account, Region, bus, rule and name.
struct Item {
    account: String,
    region: String,
    bus: String,
    rule: String,
    name: String,
    value: Value,
}

fn items(aws: &SimulatedAws, kind: SnapshotKind) -> Vec<Item> {
    let found = std::cell::RefCell::new(Vec::new());
    let _ = aws.snapshot(|item| {
        if item.kind == kind {
            found.borrow_mut().push(Item {
                account: item.account.to_owned(),
                region: item.region.to_owned(),
                bus: item.bus.to_owned(),
                rule: item.rule.to_owned(),
                name: item.name.to_owned(),
                value: item.value.clone(),
            });
        }
        false
    });
    found.into_inner()
}

fn call(aws: &mut SimulatedAws, item: &Item, operation: &str, input: &Value) -> Value {
    let caller = Caller::root(&item.account);
    aws.call(&caller, &item.region, Service::EventBridge, operation, input)
        .unwrap_or_else(|error| panic!("{operation} {input}: {error:?}"))
}

/// How much of what is ours is made people's own.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Stripping {
    /// Rules have other names and their targets other Ids.
    pub renamed: bool,
    /// Hubs' rules take the events of any account.
    pub unpinned: bool,
    /// Targets have no dead letters, and a role of their own.
    pub targets: bool,
}

/// Takes away all marks, and more.
pub(crate) fn strip(aws: &mut SimulatedAws, stripping: Stripping, rng: &mut Rng) {
    for rule in items(aws, SnapshotKind::Rule) {
        let is_managed = rule.value.get("ManagedBy").is_some();
        if !is_managed && rule.name.starts_with("ww.") {
            strip_rule(aws, &rule, stripping, rng);
        }
    }
    for bus in items(aws, SnapshotKind::Bus) {
        if bus.name != "default" {
            let described = call(aws, &bus, "DescribeEventBus", &json!({"Name": bus.name}));
            let mut input = json!({"Name": bus.name, "Description": if rng.chance(50) { "" } else { "People's own" }});
            for key in ["KmsKeyIdentifier", "DeadLetterConfig", "LogConfig"] {
                if let Some(value) = described.get(key) {
                    input[key] = value.clone();
                }
            }
            call(aws, &bus, "UpdateEventBus", &input);
            untag(aws, &bus, described["Arn"].as_str().unwrap());
        }
    }
    for statement in items(aws, SnapshotKind::Statement) {
        strip_statement(aws, &statement);
    }
}

fn untag(aws: &mut SimulatedAws, item: &Item, arn: &str) {
    let tags = call(aws, item, "ListTagsForResource", &json!({"ResourceARN": arn}));
    let keys: Vec<&str> = tags["Tags"].as_array().unwrap().iter().filter_map(|tag| tag["Key"].as_str()).collect();
    if !keys.is_empty() {
        call(aws, item, "UntagResource", &json!({"ResourceARN": arn, "TagKeys": keys}));
    }
}

fn strip_rule(aws: &mut SimulatedAws, rule: &Item, stripping: Stripping, rng: &mut Rng) {
    let on = json!({"Name": rule.name, "EventBusName": rule.bus});
    let described = call(aws, rule, "DescribeRule", &on);
    let mut pattern: Value = serde_json::from_str(described["EventPattern"].as_str().unwrap()).unwrap();
    let is_audit = pattern["source"][0].is_object();
    if stripping.unpinned && !is_audit {
        pattern.as_object_mut().unwrap().remove("account");
    }
    let (bus, name) = (&rule.bus, &rule.name);
    let new_name = if stripping.renamed { format!("Rule{}", rng.below(1_000_000)) } else { name.clone() };
    let listed = call(aws, rule, "ListTargetsByRule", &json!({"Rule": name, "EventBusName": bus}));
    let mut targets = listed["Targets"].as_array().unwrap().clone();
    for target in &mut targets {
        if stripping.renamed {
            target["Id"] = json!("Target0");
        }
        if stripping.targets {
            target.as_object_mut().unwrap().remove("DeadLetterConfig");
        }
    }
    if stripping.renamed {
        let ids: Vec<Value> = listed["Targets"].as_array().unwrap().iter().map(|target| target["Id"].clone()).collect();
        call(aws, rule, "RemoveTargets", &json!({"Rule": name, "EventBusName": bus, "Ids": ids}));
        call(aws, rule, "DeleteRule", &on);
    } else {
        untag(aws, rule, described["Arn"].as_str().unwrap());
    }
    let input = json!({
        "Name": new_name, "EventBusName": bus, "EventPattern": pattern.to_string(), "State": described["State"],
    });
    call(aws, rule, "PutRule", &input);
    call(aws, rule, "PutTargets", &json!({"Rule": new_name, "EventBusName": bus, "Targets": targets}));
}

fn strip_statement(aws: &mut SimulatedAws, statement: &Item) {
    if !statement.name.starts_with("ww_") {
        return;
    }
    let on = json!({"EventBusName": statement.bus, "StatementId": statement.name});
    call(aws, statement, "RemovePermission", &on);
    let is_organization = statement.name.contains("_org-");
    let account = statement.name.rsplit('_').next().unwrap().split('-').next().unwrap();
    let mut input = json!({
        "EventBusName": statement.bus, "StatementId": format!("allow-{account}"), "Action": "events:PutEvents",
        "Principal": if is_organization { "*" } else { account },
    });
    if is_organization {
        input["Condition"] =
            json!({"Type": "StringEquals", "Key": "aws:PrincipalOrgID", "Value": crate::spec::ORGANIZATION});
    }
    call(aws, statement, "PutPermission", &input);
}

/// What people have on a bus beside routes, none of which the language says.
pub(crate) fn clutter(aws: &mut SimulatedAws, account: &str, region: &str, bus: &str) {
    let item = Item {
        account: account.into(),
        region: region.into(),
        bus: bus.into(),
        rule: String::new(),
        name: String::new(),
        value: Value::Null,
    };
    let queue = |name: &str| format!("arn:aws:sqs:{region}:{account}:{name}");
    let mut rule = |name: &str, pattern: Value, targets: Value| {
        let input = json!({"Name": name, "EventBusName": bus, "EventPattern": pattern.to_string()});
        call(aws, &item, "PutRule", &input);
        call(aws, &item, "PutTargets", &json!({"Rule": name, "EventBusName": bus, "Targets": targets}));
    };
    let target = |id: &str| json!({"Id": id, "Arn": queue(id)});
    rule("Everything", json!({"source": [{"prefix": ""}]}), json!([target("log")]));
    rule("TwoTargets", json!({"source": ["com.example.own"]}), json!([target("one"), target("two")]));
    rule("TwoSources", json!({"source": ["com.example.own", "com.example.other"]}), json!([target("two-sources")]));
    let mut transformed = target("transformed");
    transformed["Input"] = json!("{}");
    rule("Transformed", json!({"source": ["com.example.own"]}), json!([transformed]));
    let steps = json!({"Id": "s", "Arn": format!("arn:aws:states:{region}:{account}:stateMachine:x")});
    rule("Steps", json!({"source": ["com.example.own"]}), json!([steps]));
}
