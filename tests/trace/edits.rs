//! What somebody changes by hand of what events go through.

use crate::rng::Rng;
use crate::staged::create_queue;
use serde_json::{Value, json};
use std::cell::RefCell;
use wheelwright::eventbridge::Arn;
use wheelwright::sim::{Caller, Service, SimulatedAws, SnapshotKind};

/// A thing of the simulated AWS.
#[derive(Clone)]
pub(crate) struct Item {
    pub account: String,
    pub region: String,
    pub bus: String,
    pub rule: String,
    pub name: String,
    pub value: Value,
}

pub(crate) fn items(aws: &SimulatedAws, kind: SnapshotKind) -> Vec<Item> {
    let found = RefCell::new(Vec::new());
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

/// A call of the account's own people; whether AWS took it.
pub(crate) fn call(aws: &mut SimulatedAws, account: &str, region: &str, operation: &str, input: &Value) -> bool {
    aws.call(&Caller::root(account), region, Service::EventBridge, operation, input).is_ok()
}

fn by_hand(aws: &mut SimulatedAws, item: &Item, operation: &str, input: &Value) -> bool {
    call(aws, &item.account, &item.region, operation, input)
}

/// An edit; whether AWS took it.
type HandEdit = fn(&mut Rng, &mut SimulatedAws) -> bool;

/// Some edits; the names of those that AWS took.
pub(crate) fn some(rng: &mut Rng, aws: &mut SimulatedAws) -> Vec<&'static str> {
    let edits: [(&str, HandEdit); 13] = [
        ("rule disabled", |rng, aws| {
            on_rule(rng, aws, |aws, rule| {
                let input = json!({"Name": rule.rule, "EventBusName": rule.bus});
                by_hand(aws, rule, "DisableRule", &input)
            })
        }),
        ("other pattern", |rng, aws| {
            on_rule(rng, aws, |aws, rule| {
                put_rule(
                    aws,
                    rule,
                    &json!({"source": ["com.example.edited"], "detail": {"amount": [{"exists": true}]}}),
                )
            })
        }),
        ("narrower pattern", |rng, aws| {
            on_rule(rng, aws, |aws, rule| {
                let mut pattern = pattern(rule);
                pattern["detail"]["amount"] = json!([{"numeric": ["<", 6]}]);
                put_rule(aws, rule, &pattern)
            })
        }),
        ("wider pattern", |rng, aws| {
            on_rule(rng, aws, |aws, rule| put_rule(aws, rule, &json!({"source": [{"prefix": ""}]})))
        }),
        ("targets removed", |rng, aws| on_rule(rng, aws, remove_targets)),
        ("rule deleted", |rng, aws| {
            on_rule(rng, aws, |aws, rule| {
                remove_targets(aws, rule)
                    && by_hand(aws, rule, "DeleteRule", &json!({"Name": rule.rule, "EventBusName": rule.bus}))
            })
        }),
        ("target to a queue", |rng, aws| {
            on_target(rng, aws, |_, aws, target| {
                let queue = format!("arn:aws:sqs:{}:{}:somebodys-own", target.region, target.account);
                create_queue(aws, &queue);
                put_target(aws, target, &json!({"Id": target.name, "Arn": queue}))
            })
        }),
        ("target to another bus", |rng, aws| {
            on_target(rng, aws, |rng, aws, target| {
                let buses = items(aws, SnapshotKind::Bus);
                let bus = rng.pick(&buses).clone();
                let arn = Arn::bus(&bus.region, &bus.account, &bus.name).to_string();
                put_target(aws, target, &json!({"Id": target.name, "Arn": arn, "RoleArn": target.value["RoleArn"]}))
            })
        }),
        ("statement removed", |rng, aws| {
            on_statement(rng, aws, |aws, statement| {
                let input = json!({"EventBusName": statement.bus, "StatementId": statement.name});
                by_hand(aws, statement, "RemovePermission", &input)
            })
        }),
        ("statement denies", |rng, aws| {
            on_statement(rng, aws, |aws, statement| {
                let arn = Arn::bus(&statement.region, &statement.account, &statement.bus).to_string();
                let bus = items(aws, SnapshotKind::Statement);
                let mut all: Vec<Value> = bus
                    .into_iter()
                    .filter(|one| {
                        (&one.account, &one.region, &one.bus) == (&statement.account, &statement.region, &statement.bus)
                    })
                    .map(|one| one.value)
                    .collect();
                all.push(json!({
                    "Sid": "somebody-denies", "Effect": "Deny", "Principal": statement.value["Principal"],
                    "Action": "events:PutEvents", "Resource": arn,
                }));
                let policy = json!({"Version": "2012-10-17", "Statement": all}).to_string();
                by_hand(aws, statement, "PutPermission", &json!({"EventBusName": statement.bus, "Policy": policy}))
            })
        }),
        ("rule of their own", |rng, aws| {
            let buses = items(aws, SnapshotKind::Bus);
            let bus = rng.pick(&buses).clone();
            let queue = format!("arn:aws:sqs:{}:{}:people-tap", bus.region, bus.account);
            create_queue(aws, &queue);
            let rule = Item { rule: "people-tap".to_owned(), bus: bus.name.clone(), ..bus };
            put_rule(aws, &rule, &json!({"source": [{"prefix": "com."}]}))
                && put_target(aws, &rule, &json!({"Id": "tap", "Arn": queue}))
        }),
        ("target on our rule", |rng, aws| {
            on_rule(rng, aws, |aws, rule| {
                let queue = format!("arn:aws:sqs:{}:{}:people-tap", rule.region, rule.account);
                create_queue(aws, &queue);
                put_target(aws, rule, &json!({"Id": "tap", "Arn": queue}))
            })
        }),
        ("bus deleted", |rng, aws| {
            let rules = items(aws, SnapshotKind::Rule);
            let is_bare = |bus: &Item| {
                bus.name != "default"
                    && !rules
                        .iter()
                        .any(|rule| (&rule.account, &rule.region, &rule.bus) == (&bus.account, &bus.region, &bus.name))
            };
            let buses: Vec<Item> = items(aws, SnapshotKind::Bus).into_iter().filter(is_bare).collect();
            !buses.is_empty() && {
                let bus = rng.pick(&buses).clone();
                by_hand(aws, &bus, "DeleteEventBus", &json!({"Name": bus.name}))
            }
        }),
    ];
    let mut done = Vec::new();
    for _ in 0..rng.within(1, 6) {
        let (name, edit) = rng.pick(&edits);
        if edit(rng, aws) {
            done.push(*name);
        }
    }
    done
}

fn on_rule(rng: &mut Rng, aws: &mut SimulatedAws, edit: impl Fn(&mut SimulatedAws, &Item) -> bool) -> bool {
    let rules = items(aws, SnapshotKind::Rule);
    !rules.is_empty() && edit(aws, &rng.pick(&rules).clone())
}

fn on_target(rng: &mut Rng, aws: &mut SimulatedAws, edit: impl Fn(&mut Rng, &mut SimulatedAws, &Item) -> bool) -> bool {
    let targets = items(aws, SnapshotKind::Target);
    !targets.is_empty() && {
        let target = rng.pick(&targets).clone();
        edit(rng, aws, &target)
    }
}

fn on_statement(rng: &mut Rng, aws: &mut SimulatedAws, edit: impl Fn(&mut SimulatedAws, &Item) -> bool) -> bool {
    let statements = items(aws, SnapshotKind::Statement);
    !statements.is_empty() && edit(aws, &rng.pick(&statements).clone())
}

pub(crate) fn pattern(rule: &Item) -> Value {
    serde_json::from_str(rule.value["EventPattern"].as_str().unwrap()).unwrap()
}

/// The rule with another pattern, and everything else as it is.
pub(crate) fn put_rule(aws: &mut SimulatedAws, rule: &Item, pattern: &Value) -> bool {
    let input = json!({
        "Name": rule.rule, "EventBusName": rule.bus, "EventPattern": pattern.to_string(),
        "State": rule.value["State"].as_str().unwrap_or("ENABLED"),
        "Description": rule.value["Description"].as_str().unwrap_or_default(),
    });
    by_hand(aws, rule, "PutRule", &input)
}

pub(crate) fn put_target(aws: &mut SimulatedAws, rule: &Item, target: &Value) -> bool {
    by_hand(aws, rule, "PutTargets", &json!({"Rule": rule.rule, "EventBusName": rule.bus, "Targets": [target]}))
}

fn remove_targets(aws: &mut SimulatedAws, rule: &Item) -> bool {
    let of_rule = |target: &Item| {
        (&target.account, &target.region, &target.bus, &target.rule)
            == (&rule.account, &rule.region, &rule.bus, &rule.rule)
    };
    let ids: Vec<String> =
        items(aws, SnapshotKind::Target).into_iter().filter(of_rule).map(|target| target.name).collect();
    let input = json!({"Rule": rule.rule, "EventBusName": rule.bus, "Ids": ids});
    ids.is_empty() || by_hand(aws, rule, "RemoveTargets", &input)
}
