//! Things under names that the topology wants, or with marks of ours, that are not ours, or not ours any more: both
//! marks lost, marks copied, other operators' marks, other tools' tags.

use super::hands::HUB;
use super::{Row, row};
use crate::support::probes::{LEDGER, PLATFORM, US};
use FindingCode as Found;
use serde_json::json;
use wheelwright::model::finding::FindingCode;
use wheelwright::model::resource::{ResourceId, RuleId};

pub(super) const ROWS: &[Row] = &[
    row("both marks of a bus lost", |edit| {
        edit.disown_bus();
    })
    .holds(&[Found::Adopt]),
    row("both marks of a rule lost", |edit| {
        edit.disown_rule("ledger.large");
    })
    .holds(&[Found::Adopt]),
    row("mark of the hub on a foreign bus", |edit| {
        let description = edit.description(PLATFORM, HUB);
        edit.make_bus(LEDGER, "org-events-copy", &description);
    })
    .leaves(&[Found::MarkCopied]),
    row("mark of a rule on a foreign rule", |edit| {
        let rule = edit.rule("ledger.large");
        let description = edit.on_rule("DescribeRule", &rule)["Description"].clone();
        let bus = edit.bus(LEDGER, US, "ledger");
        edit.eavesdrop(&bus, "own-books", r#"{"source":["com.acme.ledger"]}"#);
        edit.put_rule_again(&RuleId { bus, name: "own-books".to_owned() }, |rule| rule["Description"] = description);
    })
    .leaves(&[Found::MarkCopied]),
    row("bus with another operator's mark", |edit| {
        let bus = edit.bus(LEDGER, US, "ledger");
        let description = edit.marked_by_others(&ResourceId::Bus(bus));
        edit.update_bus(LEDGER, "ledger", |form| form["Description"] = json!(description));
    })
    .leaves(&[Found::OtherOwner])
    .tells("operator `others`"),
    row("rule with another operator's mark", |edit| {
        let rule = edit.rule("ledger.large");
        let description = edit.marked_by_others(&ResourceId::Rule(rule));
        edit.put_rule("ledger.large", |form| form["Description"] = json!(description));
    })
    .leaves(&[Found::OtherOwner])
    .tells("operator `others`"),
    row("rule without mark, with another operator's tag", |edit| {
        let arn = edit.disown_rule("ledger.large");
        edit.tag(&arn, "wheelwright:owner", "others");
    })
    .leaves(&[Found::OtherOwner])
    .tells("operator `others`"),
    // The mark says whose it is; the tag is the second opinion that taking away needs.
    row("bus with our mark and another operator's tag", |edit| {
        let bus = edit.bus(LEDGER, US, "ledger").arn();
        edit.tag(&bus, "wheelwright:owner", "others");
    })
    .mends(&[Found::TagsChanged])
    .tells("wheelwright:owner"),
    row("rule with our mark and another operator's tag", |edit| {
        let rule = edit.rule("ledger.large").arn();
        edit.tag(&rule, "wheelwright:owner", "others");
    })
    .mends(&[Found::TagsChanged])
    .tells("wheelwright:owner"),
    row("bus without mark, in a CloudFormation stack", |edit| {
        let arn = edit.disown_bus();
        let tags = [("aws:cloudformation:stack-name", "ledger-core"), ("aws:cloudformation:logical-id", "Bus")];
        edit.door.tag_by_aws(&arn, &tags);
    })
    .leaves(&[Found::OtherOwner])
    .tells("CloudFormation stack `ledger-core`"),
    row("rule without mark, in a CloudFormation stack", |edit| {
        let arn = edit.disown_rule("ledger.large");
        edit.door.tag_by_aws(&arn, &[("aws:cloudformation:stack-name", "ledger-core")]);
    })
    .leaves(&[Found::OtherOwner])
    .tells("CloudFormation stack `ledger-core`"),
    row("bus without mark, kept by ACK", |edit| {
        let arn = edit.disown_bus();
        edit.tag(&arn, "services.k8s.aws/controller-version", "eventbridge-v1.3.0");
        edit.tag(&arn, "services.k8s.aws/namespace", "ledger");
    })
    .leaves(&[Found::OtherOwner])
    .tells("ACK controller `eventbridge-v1.3.0`"),
    row("rule without mark, kept by Crossplane", |edit| {
        let arn = edit.disown_rule("ledger.large");
        edit.tag(&arn, "crossplane-kind", "rule.cloudwatchevents.aws.upbound.io");
        edit.tag(&arn, "crossplane-name", "large-payments");
    })
    .leaves(&[Found::OtherOwner])
    .tells("Crossplane resource `large-payments`"),
    row("rule without mark, kept by Terraform", |edit| {
        let arn = edit.disown_rule("ledger.large");
        edit.tag(&arn, "ManagedBy", "Terraform");
    })
    .leaves(&[Found::OtherOwner])
    .tells("Terraform (tag `ManagedBy`)"),
    row("bus with our mark and Terraform's tag", |edit| {
        let bus = edit.bus(LEDGER, US, "ledger").arn();
        edit.tag(&bus, "managed-by", "terraform");
    }),
];
