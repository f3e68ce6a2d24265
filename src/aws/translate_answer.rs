//! The SDK's outputs as answers.
//!
//! Knows which field of an output is which of ours. An entry without a name is an error, not left out: a listing
//! that loses entries in silence would look complete.

use super::errors::Failure;
use super::target::live_target;
use crate::call::{Answer, ArchiveSummary, BusSummary, ErrorClass, FailedEntry, Page, RuleSummary};
use crate::model::resource::{BusLog, BusSettings, LogLevel};
use aws_sdk_eventbridge::operation::RequestId;
use aws_sdk_eventbridge::operation::describe_archive::DescribeArchiveOutput;
use aws_sdk_eventbridge::operation::describe_event_bus::DescribeEventBusOutput;
use aws_sdk_eventbridge::operation::describe_rule::DescribeRuleOutput;
use aws_sdk_eventbridge::operation::list_archives::ListArchivesOutput;
use aws_sdk_eventbridge::operation::list_event_buses::ListEventBusesOutput;
use aws_sdk_eventbridge::operation::list_rules::ListRulesOutput;
use aws_sdk_eventbridge::operation::list_tags_for_resource::ListTagsForResourceOutput;
use aws_sdk_eventbridge::operation::list_targets_by_rule::ListTargetsByRuleOutput;
use aws_sdk_eventbridge::operation::put_targets::PutTargetsOutput;
use aws_sdk_eventbridge::operation::remove_targets::RemoveTargetsOutput;
use aws_sdk_eventbridge::types;

pub(super) fn buses(output: ListEventBusesOutput) -> Result<Answer, Failure> {
    page(output.event_buses, output.next_token, "buses", |bus: types::EventBus| {
        bus_summary(bus.name, bus.description, bus.policy)
    })
    .map(Answer::Buses)
}

pub(super) fn bus(output: DescribeEventBusOutput) -> Result<Answer, Failure> {
    let settings = BusSettings {
        description: output.description.clone().unwrap_or_default(),
        kms_key: output.kms_key_identifier.filter(|key| !key.is_empty()),
        dead_letter_arn: output.dead_letter_config.and_then(|config| config.arn).filter(|arn| !arn.is_empty()),
        log: output.log_config.as_ref().map(bus_log).unwrap_or_default(),
    };
    Ok(Answer::Bus(bus_summary(output.name, output.description, output.policy)?, settings))
}

pub(super) fn rules(output: ListRulesOutput) -> Result<Answer, Failure> {
    page(output.rules, output.next_token, "rules", |rule: types::Rule| {
        rule_summary(rule.name, rule.description, rule.event_pattern, rule.state, rule.managed_by)
    })
    .map(Answer::Rules)
}

pub(super) fn rule(output: DescribeRuleOutput) -> Result<Answer, Failure> {
    let rule = rule_summary(output.name, output.description, output.event_pattern, output.state, output.managed_by)?;
    Ok(Answer::Rule(RuleSummary { created_by: output.created_by, ..rule }))
}

pub(super) fn targets(output: ListTargetsByRuleOutput) -> Result<Answer, Failure> {
    page(output.targets, output.next_token, "targets", |target| Ok(live_target(target))).map(Answer::Targets)
}

pub(super) fn archives(output: ListArchivesOutput) -> Result<Answer, Failure> {
    page(output.archives, output.next_token, "archives", |archive: types::Archive| {
        named(archive.archive_name, "an archive")
    })
    .map(Answer::Archives)
}

pub(super) fn archive(output: DescribeArchiveOutput) -> Result<Answer, Failure> {
    let days = output.retention_days.unwrap_or_default();
    Ok(Answer::Archive(ArchiveSummary {
        name: named(output.archive_name, "an archive")?,
        source_arn: output.event_source_arn.unwrap_or_default(),
        description: output.description.unwrap_or_default(),
        pattern: output.event_pattern.filter(|pattern| !pattern.is_empty()),
        retention_days: u32::try_from(days)
            .map_err(|_| Failure::new(ErrorClass::NotAws, format!("an archive that keeps events {days} days")))?,
        state: output.state.map(|state| state.as_str().to_owned()).unwrap_or_default(),
        events: u64::try_from(output.event_count).unwrap_or_default(),
        bytes: u64::try_from(output.size_bytes).unwrap_or_default(),
    }))
}

pub(super) fn tags(output: ListTagsForResourceOutput) -> Result<Answer, Failure> {
    let Page { items, .. } = page(output.tags, None, "tags", |tag: types::Tag| Ok((tag.key, tag.value)))?;
    Ok(Answer::Tags(items.into_iter().collect()))
}

/// A write that answers nothing else that we need.
pub(super) fn done(output: &impl RequestId) -> Answer {
    Answer::Done { request_id: output.request_id().map(str::to_owned) }
}

pub(super) fn put_failures(output: PutTargetsOutput) -> Answer {
    let request_id = output.request_id().map(str::to_owned);
    let entries = output.failed_entries.unwrap_or_default().into_iter();
    let entries = entries.map(|entry| failed_entry(entry.target_id, entry.error_code, entry.error_message));
    failures(output.failed_entry_count, entries.collect(), request_id)
}

pub(super) fn remove_failures(output: RemoveTargetsOutput) -> Answer {
    let request_id = output.request_id().map(str::to_owned);
    let entries = output.failed_entries.unwrap_or_default().into_iter();
    let entries = entries.map(|entry| failed_entry(entry.target_id, entry.error_code, entry.error_message));
    failures(output.failed_entry_count, entries.collect(), request_id)
}

/// The failed entries. AWS says their number twice; if it names none of those that it counted, one without an Id
/// stands for them, so that a failure is never taken for success.
fn failures(count: i32, mut entries: Vec<FailedEntry>, request_id: Option<String>) -> Answer {
    if entries.is_empty() && count > 0 {
        let message = format!("AWS counted {count} failed entries and named none");
        entries.push(FailedEntry { target_id: String::new(), code: "Unnamed".into(), message });
    }
    Answer::Entries { failed: entries, request_id }
}

fn failed_entry(target_id: Option<String>, code: Option<String>, message: Option<String>) -> FailedEntry {
    FailedEntry {
        target_id: target_id.unwrap_or_default(),
        code: code.unwrap_or_default(),
        message: message.unwrap_or_default(),
    }
}

fn bus_summary(
    name: Option<String>,
    description: Option<String>,
    policy: Option<String>,
) -> Result<BusSummary, Failure> {
    Ok(BusSummary { name: named(name, "a bus")?, description: description.unwrap_or_default(), policy })
}

fn rule_summary(
    name: Option<String>,
    description: Option<String>,
    pattern: Option<String>,
    state: Option<types::RuleState>,
    managed_by: Option<String>,
) -> Result<RuleSummary, Failure> {
    Ok(RuleSummary {
        name: named(name, "a rule")?,
        description: description.unwrap_or_default(),
        pattern,
        state: state.map(|state| state.as_str().to_owned()).unwrap_or_default(),
        managed_by,
        created_by: None,
    })
}

/// What a bus logs; a level that we do not know is the most that there is.
fn bus_log(config: &types::LogConfig) -> BusLog {
    let level = match &config.level {
        None | Some(types::Level::Off) => LogLevel::Off,
        Some(types::Level::Error) => LogLevel::Error,
        Some(types::Level::Info) => LogLevel::Info,
        Some(_) => LogLevel::Trace,
    };
    // A bus that logs nothing logs no details, whatever it says of them.
    let detail = level != LogLevel::Off && config.include_detail == Some(types::IncludeDetail::Full);
    BusLog { level, detail }
}

/// A page of a listing. One that has no list in it, not even an empty one, is not AWS's: taken for empty, it would make
/// everything in the account look taken away.
fn page<From, To>(
    entries: Option<Vec<From>>,
    next_token: Option<String>,
    what: &str,
    translate: impl Fn(From) -> Result<To, Failure>,
) -> Result<Page<To>, Failure> {
    let Some(entries) = entries else {
        return Err(Failure::new(ErrorClass::NotAws, format!("the answer holds no list of {what}")));
    };
    let items = entries.into_iter().map(translate).collect::<Result<_, _>>()?;
    Ok(Page { items, next_token })
}

fn named(name: Option<String>, what: &str) -> Result<String, Failure> {
    name.filter(|name| !name.is_empty())
        .ok_or_else(|| Failure::new(ErrorClass::NotAws, format!("the answer holds {what} without a name")))
}
