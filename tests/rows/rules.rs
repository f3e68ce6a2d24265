//! What is done to rules of ours, and which rules come to stand beside them.

use super::hands::{EVERYTHING, Edit, HUB, drop_field};
use super::{Row, row};
use crate::support::probes::{EU, LEDGER, PLATFORM, US};
use FindingCode as Found;
use serde_json::{Value, json};
use wheelwright::model::finding::FindingCode;
use wheelwright::model::resource::RuleId;

pub(super) const ROWS: &[Row] = &[
    row("rule deleted", |edit| {
        let rule = edit.rule("ledger.settlements");
        edit.delete_rule(&rule);
    })
    .mends(&[Found::RuleMissing])
    .cuts(),
    row("forwarding rule deleted", |edit| {
        let rule = edit.forward_rule("fraud.abandoned");
        edit.delete_rule(&rule);
    })
    .mends(&[Found::RuleMissing])
    .cuts(),
    row("collecting rule on a default bus deleted", |edit| {
        let rule = edit.forward_rule("fraud.findings");
        edit.delete_rule(&rule);
    })
    .mends(&[Found::RuleMissing])
    .cuts(),
    // Nothing tells a new name from another rule: the old one is put back, and the new one stays.
    row("rule renamed", |edit| {
        let rule = edit.rule("ledger.settlements");
        let renamed = RuleId { name: "ledger-settlements".to_owned(), ..rule.clone() };
        edit.copy_rule(&rule, &renamed);
        edit.delete_rule(&rule);
    })
    .mends(&[Found::RuleMissing])
    .leaves(&[Found::MarkCopied])
    .then_copied(),
    row("rule disabled", |edit| {
        let rule = edit.rule("fraud.cards");
        edit.on_rule("DisableRule", &rule);
    })
    .mends(&[Found::RuleDisabled])
    .cuts(),
    row("stopped rule enabled", |edit| {
        let rule = edit.rule("fraud.held");
        edit.on_rule("EnableRule", &rule);
    })
    .mends(&[Found::RuleEnabled])
    .copies(),
    row("rule enabled for CloudTrail's read events", |edit| {
        edit.put_rule("ledger.large", |rule| {
            rule["State"] = json!("ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS");
        });
    })
    .mends(&[Found::PatternChanged])
    .tells("ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS -> ENABLED"),
    row("pattern changed", |edit| {
        edit.put_rule("ledger.large", |rule| rule["EventPattern"] = json!(r#"{"source":["nobody"]}"#));
    })
    .mends(&[Found::PatternChanged])
    .cuts(),
    // As the console's editor leaves it. Who changed the pattern cannot be told, so the old events go last.
    row("pattern changed and description lost", |edit| {
        edit.put_rule("ledger.large", |rule| {
            rule["EventPattern"] = json!(r#"{"source":["nobody"]}"#);
            drop_field(rule, "Description");
        });
    })
    .mends(&[Found::PatternChanged, Found::MarkLost])
    .cuts(),
    row("pattern widened", |edit| {
        edit.put_rule("ledger.large", |rule| rule["EventPattern"] = json!(EVERYTHING));
    })
    .mends(&[Found::PatternChanged])
    .copies(),
    row("pattern re-formatted", reformat_pattern),
    row("description lost in the console", |edit| {
        edit.put_rule("ledger.large", |rule| drop_field(rule, "Description"));
    })
    .mends(&[Found::MarkLost]),
    row("description edited, mark kept", |edit| {
        edit.put_rule("ledger.large", |rule| {
            let text = rule["Description"].as_str().unwrap();
            rule["Description"] = json!(format!("ask Ann first: {text}"));
        });
    })
    .mends(&[Found::DescriptionChanged])
    .tells("ask Ann first"),
    row("description of another rule of ours", |edit| {
        let rule = edit.rule("fraud.cards");
        let other = edit.on_rule("DescribeRule", &rule)["Description"].clone();
        edit.put_rule("ledger.large", |rule| rule["Description"] = other);
    })
    .mends(&[Found::DescriptionChanged]),
    row("description and a team's tag lost", |edit| {
        edit.put_rule("ledger.large", |rule| drop_field(rule, "Description"));
        let rule = edit.rule("ledger.large").arn();
        edit.untag(&rule, "wheelwright:team");
    })
    .mends(&[Found::MarkLost, Found::TagsChanged]),
    row("owner's tag lost, mark kept", |edit| {
        let rule = edit.rule("ledger.large").arn();
        edit.untag(&rule, "wheelwright:owner");
    })
    .mends(&[Found::TagsChanged])
    .tells("wheelwright:owner"),
    row("tag of a rule given another value", |edit| {
        let rule = edit.rule("ledger.large").arn();
        edit.tag(&rule, "wheelwright:team", "orders");
    })
    .mends(&[Found::TagsChanged]),
    row("all tags of a rule stripped", |edit| {
        let rule = edit.rule("ledger.large").arn();
        edit.untag_all(&rule);
    })
    .mends(&[Found::TagsChanged]),
    row("somebody's own tag on a rule", |edit| {
        let rule = edit.rule("ledger.large").arn();
        edit.tag(&rule, "audited-by", "Ann");
    }),
    row("rule copied, marks and all", |edit| {
        let rule = edit.rule("fraud.settled");
        let copy = RuleId { name: "fraud-settled-copy".to_owned(), ..rule.clone() };
        edit.copy_rule(&rule, &copy);
    })
    .leaves(&[Found::MarkCopied])
    .keeps_copying(),
    row("twin of a rule under another name", |edit| {
        let rule = edit.rule("fraud.settled");
        let pattern = edit.on_rule("DescribeRule", &rule)["EventPattern"].clone();
        let mut target = edit.targets(&rule).remove(0);
        target["Id"] = json!("twin");
        let twin = RuleId { name: "fraud-settled".to_owned(), ..rule };
        let input = json!({"Name": twin.name, "EventBusName": HUB, "EventPattern": pattern});
        edit.call(PLATFORM, US, "PutRule", input);
        edit.put_target(&twin, target);
    })
    .leaves(&[Found::ForeignRule])
    .keeps_copying(),
    row("rule of the same name on another of our buses", |edit| {
        let rule = edit.rule("ledger.large");
        let other = RuleId { bus: edit.bus(LEDGER, US, "ledger"), ..rule.clone() };
        let described = edit.on_rule("DescribeRule", &rule);
        let tags = edit.call_at(&rule.bus.scope, "ListTagsForResource", json!({"ResourceARN": rule.arn()}));
        let input = json!({
            "Name": other.name, "EventBusName": "ledger", "EventPattern": described["EventPattern"],
            "Description": described["Description"], "Tags": tags["Tags"],
        });
        edit.call(LEDGER, US, "PutRule", input);
    })
    .leaves(&[Found::MarkCopied]),
    row("foreign rule added on the hub", |edit| {
        let bus = edit.bus(PLATFORM, US, HUB);
        edit.eavesdrop(&bus, "curious", EVERYTHING);
    })
    .leaves(&[Found::ForeignRule])
    .keeps_copying(),
    // On the European hub: for the American one the ledger would need its key as well.
    row("rule made by another account on the hub", |edit| {
        let bus = edit.bus(PLATFORM, EU, HUB).arn();
        let rules = bus.replace(":event-bus/", ":rule/") + "/*";
        // The platform lets the ledger make rules of its own there.
        edit.add_statement(
            EU,
            json!({
                "Sid": "rules", "Effect": "Allow", "Principal": {"AWS": LEDGER}, "Action": "events:PutRule",
                "Resource": rules,
            }),
        );
        let input = json!({"Name": "ledgers-own", "EventBusName": bus, "EventPattern": EVERYTHING});
        edit.call(LEDGER, EU, "PutRule", input);
    })
    .leaves(&[Found::ForeignRule, Found::ForeignGrant])
    .tells("made by account 333333333333"),
    row("rule that an AWS service manages on the hub", |edit| {
        edit.simulated().put_managed_rule(PLATFORM, US, HUB, "AWSServiceRule", "autoscaling.amazonaws.com", EVERYTHING);
    })
    .leaves(&[Found::ForeignRule])
    .tells("managed by autoscaling.amazonaws.com"),
    row("somebody's own archive, and AWS's rule for it", |edit| {
        let bus = edit.bus(PLATFORM, US, HUB).arn();
        edit.call(PLATFORM, US, "CreateArchive", json!({"ArchiveName": "somebodys-own", "EventSourceArn": bus}));
    }),
    row("team's own rule added on its bus", |edit| {
        let bus = edit.bus(LEDGER, US, "ledger");
        edit.eavesdrop(&bus, "curious", EVERYTHING);
    })
    .keeps_copying(),
];

/// Other white space, another order of keys and of alternatives.
fn reformat_pattern(edit: &mut Edit<'_>) {
    edit.put_rule("ledger.large", |rule| {
        let mut pattern: Value = serde_json::from_str(rule["EventPattern"].as_str().unwrap()).unwrap();
        pattern["detail"]["currency"].as_array_mut().unwrap().reverse();
        let turned: serde_json::Map<String, Value> = pattern.as_object().cloned().unwrap().into_iter().rev().collect();
        let text = serde_json::to_string_pretty(&turned).unwrap();
        assert_ne!(rule["EventPattern"], json!(text));
        rule["EventPattern"] = json!(text);
    });
}
