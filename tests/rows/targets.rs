//! What is done to the targets of rules of ours.

use super::hands::drop_field;
use super::{Row, row};
use crate::support::probes::{PLATFORM, US};
use FindingCode as Found;
use serde_json::json;
use wheelwright::model::finding::FindingCode;
use wheelwright::model::mark::target_prefix;

pub(super) const ROWS: &[Row] = &[
    row("only target removed", |edit| {
        let rule = edit.rule("orders.settled");
        edit.remove_targets(&rule);
    })
    .mends(&[Found::Incomplete])
    .cuts(),
    row("target replaced by a foreign one", |edit| {
        let rule = edit.rule("orders.settled");
        let queue = edit.queue(PLATFORM, US, "curious");
        edit.remove_targets(&rule);
        edit.put_target(&rule, json!({"Id": "curious", "Arn": queue}));
    })
    .mends(&[Found::TargetMissing])
    .leaves(&[Found::ForeignTarget])
    .cuts()
    .keeps_copying(),
    row("target re-pointed", |edit| {
        let queue = edit.queue(PLATFORM, US, "curious");
        edit.edit_target("orders.settled", |target| *target = json!({"Id": target["Id"], "Arn": queue}));
    })
    .mends(&[Found::TargetChanged])
    .cuts()
    .copies(),
    row("target's role dropped", |edit| {
        edit.edit_target("audit of hub us", |target| drop_field(target, "RoleArn"));
    })
    .mends(&[Found::TargetChanged])
    .tells("role none ->"),
    row("target given a role that may not deliver", |edit| {
        let role = edit.role(PLATFORM, "somebodys-own");
        edit.edit_target("ledger.large", |target| target["RoleArn"] = json!(role));
    })
    .mends(&[Found::TargetChanged])
    .tells("role/somebodys-own ->")
    .cuts(),
    row("dead-letter queue dropped", |edit| {
        edit.edit_target("orders.settled", |target| drop_field(target, "DeadLetterConfig"));
    })
    .mends(&[Found::TargetChanged])
    .tells("dead letters none ->"),
    row("dead letters sent elsewhere", |edit| {
        let queue = edit.queue(PLATFORM, US, "somebodys-dead-letters");
        edit.edit_target("orders.settled", |target| target["DeadLetterConfig"] = json!({"Arn": queue}));
    })
    .mends(&[Found::TargetChanged])
    .tells("somebodys-dead-letters ->"),
    row("retry policy dropped", |edit| {
        edit.edit_target("ledger.large", |target| drop_field(target, "RetryPolicy"));
    })
    .mends(&[Found::TargetChanged]),
    row("retry policy changed", |edit| {
        edit.edit_target("ledger.large", |target| target["RetryPolicy"]["MaximumRetryAttempts"] = json!(0));
    })
    .mends(&[Found::TargetChanged])
    .tells("retry policy"),
    row("target's input replaced", |edit| {
        edit.edit_target("ledger.large", |target| target["Input"] = json!("{}"));
    })
    .mends(&[Found::TargetChanged])
    .tells("Input was set"),
    row("target's input cut to a part", |edit| {
        edit.edit_target("ledger.large", |target| target["InputPath"] = json!("$.detail"));
    })
    .mends(&[Found::TargetChanged])
    .tells("InputPath was set"),
    row("target's input transformed", |edit| {
        edit.edit_target("ledger.large", |target| {
            let paths = json!({"amount": "$.detail.amount"});
            target["InputTransformer"] = json!({"InputPathsMap": paths, "InputTemplate": "{\"paid\": <amount>}"});
        });
    })
    .mends(&[Found::TargetChanged])
    .tells("InputTransformer was set"),
    row("target added under our name", |edit| {
        let (rule, queue) = (edit.rule("fraud.cards"), edit.queue(PLATFORM, US, "curious"));
        let id = format!("{}0badcafe", target_prefix(&edit.desired.owner));
        edit.put_target(&rule, json!({"Id": id, "Arn": queue}));
    })
    .goes()
    .copies(),
    row("extra target added", |edit| {
        let (rule, queue) = (edit.rule("fraud.cards"), edit.queue(PLATFORM, US, "curious"));
        edit.put_target(&rule, json!({"Id": "curious", "Arn": queue}));
    })
    .leaves(&[Found::ForeignTarget])
    .tells("curious")
    .keeps_copying(),
];
