//! Calls as SDK requests: one small function for each operation.
//!
//! Knows the parameters of each operation. Every field that a [`Call`] has is sent, empty ones too: PutRule and
//! PutTargets replace the whole thing, so that a parameter left out clears what was there. Never sent: `Force`
//! (it overrides AWS's protection of managed rules), `Policy` (it replaces a bus's whole policy) and
//! `RemoveAllPermissions`.

use super::caller::Caller;
use super::errors::Failure;
use super::translate_answer as answer;
use crate::call::{Answer, Call, ErrorClass, PAGE_ENTRIES_MAX};
use crate::model::resource::{BusLog, BusSettings, Grantee, LogLevel, RuleState, TargetSpec};
use crate::model::topology::{Retry, Tags};
use aws_sdk_eventbridge::Client;
use aws_sdk_eventbridge::operation::put_rule::builders::PutRuleFluentBuilder;
use aws_sdk_eventbridge::types;

/// With which client calls are sent, and whose they are.
pub(super) struct Sender<'a> {
    /// The Region's client, for all accounts.
    pub(super) client: &'a Client,
    /// The account's session.
    pub(super) caller: &'a Caller,
}

/// Sends a request of any operation as the account's: the operations have no trait in common.
macro_rules! sent {
    ($to:expr, $request:expr) => {
        $request.customize().interceptor($to.caller.clone()).send().await?
    };
}

/// Sends `call`.
#[rustfmt::skip] // One line an operation reads as the table that it is.
pub(super) async fn send(to: &Sender<'_>, call: Call) -> Result<Answer, Failure> {
    match call {
        Call::ListEventBuses { next_token } => list_event_buses(to, next_token).await,
        Call::ListRules { bus, next_token } => list_rules(to, bus, next_token).await,
        Call::DescribeRule { bus, rule } => describe_rule(to, bus, rule).await,
        Call::ListTargetsByRule { bus, rule, next_token } => list_targets(to, bus, rule, next_token).await,
        Call::ListArchives { name_prefix, next_token } => list_archives(to, name_prefix, next_token).await,
        Call::DescribeArchive { archive } => describe_archive(to, archive).await,
        Call::ListTagsForResource { arn } => list_tags(to, arn).await,
        Call::DescribeEventBus { bus } => describe_event_bus(to, bus).await,
        Call::GetRole { .. } | Call::GetQueueAttributes { .. } => Err(Failure::new(ErrorClass::Invalid, "not a call of EventBridge's")),
        Call::CreateEventBus { bus, settings, tags } => create_event_bus(to, bus, settings, tags).await,
        Call::UpdateEventBus { bus, settings } => update_event_bus(to, bus, settings).await,
        Call::DeleteEventBus { bus } => delete_event_bus(to, bus).await,
        Call::PutPermission { bus, statement_id, grantee } => put_permission(to, bus, statement_id, grantee).await,
        Call::RemovePermission { bus, statement_id } => remove_permission(to, bus, statement_id).await,
        Call::PutRule { bus, rule, description, pattern, state, tags } => {
            let request = to.client.put_rule().event_bus_name(bus).name(rule).description(description);
            put_rule(to, request.event_pattern(pattern), state, tags).await
        }
        Call::PutTargets { bus, rule, targets } => put_targets(to, bus, rule, targets).await,
        Call::RemoveTargets { bus, rule, target_ids } => remove_targets(to, bus, rule, target_ids).await,
        Call::DeleteRule { bus, rule } => delete_rule(to, bus, rule).await,
        Call::TagResource { arn, tags } => tag_resource(to, arn, tags).await,
        Call::UntagResource { arn, keys } => untag_resource(to, arn, keys).await,
        Call::CreateArchive { archive, source_arn, description, retention_days } => {
            create_archive(to, archive, source_arn, description, retention_days).await
        }
        Call::UpdateArchive { archive, description, retention_days } => {
            update_archive(to, archive, description, retention_days).await
        }
        Call::DeleteArchive { archive } => delete_archive(to, archive).await,
    }
}

async fn list_event_buses(to: &Sender<'_>, next_token: Option<String>) -> Result<Answer, Failure> {
    let request = to.client.list_event_buses().limit(PAGE_ENTRIES_MAX).set_next_token(next_token);
    answer::buses(sent!(to, request))
}

async fn list_rules(to: &Sender<'_>, bus: String, next_token: Option<String>) -> Result<Answer, Failure> {
    let request = to.client.list_rules().event_bus_name(bus).limit(PAGE_ENTRIES_MAX).set_next_token(next_token);
    answer::rules(sent!(to, request))
}

async fn describe_rule(to: &Sender<'_>, bus: String, rule: String) -> Result<Answer, Failure> {
    answer::rule(sent!(to, to.client.describe_rule().event_bus_name(bus).name(rule)))
}

async fn list_targets(
    to: &Sender<'_>,
    bus: String,
    rule: String,
    next_token: Option<String>,
) -> Result<Answer, Failure> {
    let request = to.client.list_targets_by_rule().event_bus_name(bus).rule(rule);
    answer::targets(sent!(to, request.limit(PAGE_ENTRIES_MAX).set_next_token(next_token)))
}

async fn list_archives(to: &Sender<'_>, prefix: String, next_token: Option<String>) -> Result<Answer, Failure> {
    // AWS refuses an empty prefix; none means all.
    let prefix = (!prefix.is_empty()).then_some(prefix);
    let request = to.client.list_archives().set_name_prefix(prefix).limit(PAGE_ENTRIES_MAX).set_next_token(next_token);
    answer::archives(sent!(to, request))
}

async fn describe_archive(to: &Sender<'_>, archive: String) -> Result<Answer, Failure> {
    answer::archive(sent!(to, to.client.describe_archive().archive_name(archive)))
}

async fn list_tags(to: &Sender<'_>, arn: String) -> Result<Answer, Failure> {
    answer::tags(sent!(to, to.client.list_tags_for_resource().resource_arn(arn)))
}

async fn describe_event_bus(to: &Sender<'_>, bus: String) -> Result<Answer, Failure> {
    answer::bus(sent!(to, to.client.describe_event_bus().name(bus)))
}

async fn create_event_bus(to: &Sender<'_>, bus: String, settings: BusSettings, tags: Tags) -> Result<Answer, Failure> {
    // Taken apart without `..`, so that a new field of ours cannot be forgotten here.
    let BusSettings { description, kms_key, dead_letter_arn, log } = settings;
    let request = to.client.create_event_bus().name(bus).description(description).set_tags(Some(tag_list(tags)?));
    let request = request.set_kms_key_identifier(kms_key).set_dead_letter_config(dead_letter_arn.map(dead_letter));
    Ok(answer::done(&sent!(to, request.log_config(log_config(log)))))
}

/// Every field is sent, empty ones too: the API reference reads as if what is left out were cleared
/// (<https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_UpdateEventBus.html>), and captures show it kept, so
/// only an empty text clears it for certain.
async fn update_event_bus(to: &Sender<'_>, bus: String, settings: BusSettings) -> Result<Answer, Failure> {
    let BusSettings { description, kms_key, dead_letter_arn, log } = settings;
    let request = to.client.update_event_bus().name(bus).description(description);
    let request = request.kms_key_identifier(kms_key.unwrap_or_default());
    let request = request.dead_letter_config(dead_letter(dead_letter_arn.unwrap_or_default()));
    Ok(answer::done(&sent!(to, request.log_config(log_config(log)))))
}

async fn delete_event_bus(to: &Sender<'_>, bus: String) -> Result<Answer, Failure> {
    Ok(answer::done(&sent!(to, to.client.delete_event_bus().name(bus))))
}

fn dead_letter(arn: String) -> types::DeadLetterConfig {
    types::DeadLetterConfig::builder().arn(arn).build()
}

fn log_config(log: BusLog) -> types::LogConfig {
    let level = match log.level {
        LogLevel::Off => types::Level::Off,
        LogLevel::Error => types::Level::Error,
        LogLevel::Info => types::Level::Info,
        LogLevel::Trace => types::Level::Trace,
    };
    let detail = if log.detail { types::IncludeDetail::Full } else { types::IncludeDetail::None };
    types::LogConfig::builder().level(level).include_detail(detail).build()
}

/// The two shapes that the parameters of PutPermission can say: an account, or everybody of an organisation
/// (<https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutPermission.html>).
async fn put_permission(
    to: &Sender<'_>,
    bus: String,
    statement_id: String,
    grantee: Grantee,
) -> Result<Answer, Failure> {
    let request = to.client.put_permission().event_bus_name(bus).statement_id(statement_id).action("events:PutEvents");
    let request = match grantee {
        Grantee::Account(account) => request.principal(account.to_string()),
        Grantee::Organization(organization) => request.principal("*").condition(
            types::Condition::builder().r#type("StringEquals").key("aws:PrincipalOrgID").value(organization).build()?,
        ),
    };
    Ok(answer::done(&sent!(to, request)))
}

async fn remove_permission(to: &Sender<'_>, bus: String, statement_id: String) -> Result<Answer, Failure> {
    Ok(answer::done(&sent!(to, to.client.remove_permission().event_bus_name(bus).statement_id(statement_id))))
}

async fn put_rule(
    to: &Sender<'_>,
    request: PutRuleFluentBuilder,
    state: RuleState,
    tags: Tags,
) -> Result<Answer, Failure> {
    let state = match state {
        RuleState::Enabled => types::RuleState::Enabled,
        RuleState::Disabled => types::RuleState::Disabled,
    };
    Ok(answer::done(&sent!(to, request.state(state).set_tags(Some(tag_list(tags)?)))))
}

async fn put_targets(
    to: &Sender<'_>,
    bus: String,
    rule: String,
    targets: Vec<(String, TargetSpec)>,
) -> Result<Answer, Failure> {
    let targets = targets.into_iter().map(target).collect::<Result<Vec<_>, _>>()?;
    let request = to.client.put_targets().event_bus_name(bus).rule(rule).set_targets(Some(targets));
    Ok(answer::put_failures(sent!(to, request)))
}

async fn remove_targets(to: &Sender<'_>, bus: String, rule: String, ids: Vec<String>) -> Result<Answer, Failure> {
    let request = to.client.remove_targets().event_bus_name(bus).rule(rule).set_ids(Some(ids));
    Ok(answer::remove_failures(sent!(to, request)))
}

async fn delete_rule(to: &Sender<'_>, bus: String, rule: String) -> Result<Answer, Failure> {
    Ok(answer::done(&sent!(to, to.client.delete_rule().event_bus_name(bus).name(rule))))
}

async fn delete_archive(to: &Sender<'_>, archive: String) -> Result<Answer, Failure> {
    Ok(answer::done(&sent!(to, to.client.delete_archive().archive_name(archive))))
}

async fn untag_resource(to: &Sender<'_>, arn: String, keys: Vec<String>) -> Result<Answer, Failure> {
    Ok(answer::done(&sent!(to, to.client.untag_resource().resource_arn(arn).set_tag_keys(Some(keys)))))
}

async fn tag_resource(to: &Sender<'_>, arn: String, tags: Tags) -> Result<Answer, Failure> {
    Ok(answer::done(&sent!(to, to.client.tag_resource().resource_arn(arn).set_tags(Some(tag_list(tags)?)))))
}

async fn create_archive(
    to: &Sender<'_>,
    archive: String,
    source_arn: String,
    description: String,
    retention_days: u32,
) -> Result<Answer, Failure> {
    let request = to.client.create_archive().archive_name(archive).event_source_arn(source_arn);
    Ok(answer::done(&sent!(to, request.description(description).retention_days(whole(retention_days)?))))
}

async fn update_archive(
    to: &Sender<'_>,
    archive: String,
    description: String,
    retention_days: u32,
) -> Result<Answer, Failure> {
    let request = to.client.update_archive().archive_name(archive).description(description);
    Ok(answer::done(&sent!(to, request.retention_days(whole(retention_days)?))))
}

fn target((id, spec): (String, TargetSpec)) -> Result<types::Target, Failure> {
    // Taken apart without `..`, so that a new field of ours cannot be forgotten here.
    let TargetSpec { arn, role_arn, dead_letter_arn, retry } = spec;
    let retry = retry.map(retry_policy).transpose()?;
    let target = types::Target::builder().id(id).arn(arn).set_role_arn(role_arn);
    Ok(target.set_dead_letter_config(dead_letter_arn.map(dead_letter)).set_retry_policy(retry).build()?)
}

fn retry_policy(retry: Retry) -> Result<types::RetryPolicy, Failure> {
    let Retry { attempts_max, event_age_seconds_max } = retry;
    let policy = types::RetryPolicy::builder().maximum_retry_attempts(whole(attempts_max)?);
    Ok(policy.maximum_event_age_in_seconds(whole(event_age_seconds_max)?).build())
}

fn tag_list(tags: Tags) -> Result<Vec<types::Tag>, Failure> {
    let tag = |(key, value)| Ok(types::Tag::builder().key(key).value(value).build()?);
    tags.into_iter().map(tag).collect()
}

/// The number as AWS's integers are: every one that AWS takes is far below their end.
fn whole(number: u32) -> Result<i32, Failure> {
    i32::try_from(number)
        .map_err(|_| Failure::new(ErrorClass::Invalid, format!("{number} is more than AWS can take; nothing was sent")))
}
