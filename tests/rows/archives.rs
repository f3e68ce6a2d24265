//! What is done to archives. Setting a longer retention back would delete events, which no plan does.

use super::{Row, row};
use crate::support::probes::{PLATFORM, US};
use FindingCode as Found;
use serde_json::json;
use wheelwright::model::finding::FindingCode;

pub(super) const ROWS: &[Row] = &[
    row("archive deleted", |edit| {
        let name = edit.archive();
        edit.call(PLATFORM, US, "DeleteArchive", json!({"ArchiveName": name}));
    })
    .mends(&[Found::ArchiveMissing]),
    row("archive keeps events for less long", |edit| {
        edit.update_archive(|archive| archive["RetentionDays"] = json!(7));
    })
    .mends(&[Found::ArchiveChanged])
    .tells("retention 7 days -> 30 days"),
    row("archive keeps events for longer", |edit| {
        edit.update_archive(|archive| archive["RetentionDays"] = json!(90));
    })
    .leaves(&[Found::ArchiveChanged])
    .tells("shortening deletes events"),
    row("archive keeps events for ever", |edit| {
        edit.update_archive(|archive| archive["RetentionDays"] = json!(0));
    })
    .leaves(&[Found::ArchiveChanged])
    .tells("shortening deletes events"),
    row("archive described otherwise", |edit| {
        edit.update_archive(|archive| archive["Description"] = json!("ask Ann first"));
    })
    .mends(&[Found::ArchiveChanged])
    .tells("ask Ann first"),
    // No call takes a pattern off an archive again.
    row("archive given a pattern", |edit| {
        edit.update_archive(|archive| archive["EventPattern"] = json!(r#"{"source":["com.acme.payments"]}"#));
    })
    .leaves(&[Found::ArchiveChanged])
    .tells("it keeps only what matches"),
];
