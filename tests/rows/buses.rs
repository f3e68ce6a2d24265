//! What is done to buses themselves: there or gone, their descriptions, settings and tags.

use super::hands::{Edit, HUB};
use super::{Row, row};
use crate::support::probes::{EU, LEDGER, PLATFORM, US};
use FindingCode as Found;
use serde_json::json;
use wheelwright::model::finding::FindingCode;

const QUEUE: &str = "arn:aws:sqs:us-east-1:111111111111:somebodys-own";

pub(super) const ROWS: &[Row] = &[
    row("bus deleted", delete_bus).mends(&[Found::BusMissing, Found::GrantMissing]).cuts(),
    row("hub deleted, with all that stood on it", delete_hub)
        .mends(&[Found::BusMissing, Found::GrantMissing, Found::RuleMissing, Found::ArchiveMissing])
        .cuts(),
    row("bus description lost", |edit| {
        edit.update_bus(LEDGER, "ledger", |bus| bus["Description"] = json!(""));
    })
    .mends(&[Found::MarkLost]),
    row("bus description edited, mark kept", |edit| {
        let text = edit.description(LEDGER, "ledger");
        edit.update_bus(LEDGER, "ledger", |bus| bus["Description"] = json!(format!("ask Ann first: {text}")));
    })
    .mends(&[Found::DescriptionChanged])
    .tells("ask Ann first"),
    // The key can be used, so nothing is lost by it. Who set it may have had to.
    row("key set on a bus where none is asked for", |edit| {
        let key = edit.door.key(LEDGER, US);
        edit.update_bus(LEDGER, "ledger", |bus| bus["KmsKeyIdentifier"] = json!(key));
    })
    .leaves(&[Found::KmsKeyChanged])
    .tells("write `kms-key`"),
    row("key of a bus changed", |edit| {
        let key = edit.door.key(PLATFORM, US);
        edit.update_bus(PLATFORM, HUB, |bus| bus["KmsKeyIdentifier"] = json!(key));
    })
    .mends(&[Found::KmsKeyChanged]),
    row("key of a bus taken away", |edit| {
        edit.update_bus(PLATFORM, HUB, |bus| bus["KmsKeyIdentifier"] = json!(""));
    })
    .mends(&[Found::KmsKeyChanged])
    .tells("the key that AWS owns"),
    row("dead letters of a bus sent elsewhere", |edit| {
        edit.update_bus(PLATFORM, HUB, |bus| bus["DeadLetterConfig"] = json!({"Arn": QUEUE}));
    })
    .mends(&[Found::BusDeadLetterChanged])
    .tells("somebodys-own"),
    row("dead letters of a bus sent nowhere", |edit| {
        edit.update_bus(PLATFORM, HUB, |bus| bus["DeadLetterConfig"] = json!({"Arn": ""}));
    })
    .mends(&[Found::BusDeadLetterChanged]),
    row("dead letters of a bus, where none are asked for", |edit| {
        let queue = QUEUE.replace(PLATFORM, LEDGER);
        edit.update_bus(LEDGER, "ledger", |bus| bus["DeadLetterConfig"] = json!({"Arn": queue}));
    })
    .mends(&[Found::BusDeadLetterChanged]),
    row("bus logs more", |edit| {
        edit.update_bus(PLATFORM, HUB, |bus| bus["LogConfig"] = json!({"Level": "TRACE", "IncludeDetail": "FULL"}));
    })
    .mends(&[Found::BusLogChanged])
    .tells("TRACE with details -> ERROR"),
    row("bus logs nothing any more", |edit| {
        edit.update_bus(PLATFORM, HUB, |bus| bus["LogConfig"] = json!({"Level": "OFF", "IncludeDetail": "NONE"}));
    })
    .mends(&[Found::BusLogChanged]),
    row("bus logs, where nothing is asked for", |edit| {
        edit.update_bus(LEDGER, "ledger", |bus| bus["LogConfig"] = json!({"Level": "INFO", "IncludeDetail": "NONE"}));
    })
    .mends(&[Found::BusLogChanged]),
    row("all settings of a bus cleared", |edit| {
        let nothing = json!({
            "Name": HUB, "Description": "", "KmsKeyIdentifier": "", "DeadLetterConfig": {"Arn": ""},
            "LogConfig": {"Level": "OFF", "IncludeDetail": "NONE"},
        });
        edit.call(PLATFORM, US, "UpdateEventBus", nothing);
    })
    .mends(&[Found::MarkLost, Found::KmsKeyChanged, Found::BusDeadLetterChanged, Found::BusLogChanged]),
    row("tag of a bus lost", |edit| {
        let bus = edit.bus(PLATFORM, US, HUB).arn();
        edit.untag(&bus, "cost-center");
    })
    .mends(&[Found::TagsChanged])
    .tells("cost-center"),
    row("tag of a bus given another value", |edit| {
        let bus = edit.bus(PLATFORM, US, HUB).arn();
        edit.tag(&bus, "data-class", "public");
    })
    .mends(&[Found::TagsChanged])
    .tells("data-class"),
    row("all tags of a bus stripped", |edit| {
        let bus = edit.bus(LEDGER, US, "ledger").arn();
        edit.untag_all(&bus);
    })
    .mends(&[Found::TagsChanged]),
    row("somebody's own tag on a bus", |edit| {
        let bus = edit.bus(LEDGER, US, "ledger").arn();
        edit.tag(&bus, "audited-by", "Ann");
    }),
    row("foreign bus added", |edit| edit.make_bus(LEDGER, "ledger-test", "the ledger's playground")),
];

fn delete_bus(edit: &mut Edit<'_>) {
    edit.empty_bus(LEDGER, US, "ledger");
    edit.call(LEDGER, US, "DeleteEventBus", json!({"Name": "ledger"}));
}

fn delete_hub(edit: &mut Edit<'_>) {
    let archives = edit.call(PLATFORM, EU, "ListArchives", json!({}));
    for archive in archives["Archives"].as_array().unwrap() {
        edit.call(PLATFORM, EU, "DeleteArchive", json!({"ArchiveName": archive["ArchiveName"]}));
    }
    edit.empty_bus(PLATFORM, EU, HUB);
    edit.call(PLATFORM, EU, "DeleteEventBus", json!({"Name": HUB}));
}
