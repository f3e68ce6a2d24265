//! The call door: the simulated AWS as a [`Fleet`], without an SDK, a signature or a socket in between.
//!
//! A [`Call`] becomes AWS's JSON, goes through the same core as an HTTP request, and the JSON that comes back becomes
//! an [`Answer`]. Every call is made as the operator role of the scope's account, and each time it is checked that
//! the operator can assume it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use percent_encoding::percent_decode_str;
use serde_json::{Value, json};

use super::{AwsError, Caller, Service, SimulatedAws};
use crate::call::{
    Answer, ArchiveSummary, BusSummary, Call, CallError, ErrorClass, FailedEntry, Page, QueueSummary, RoleSummary,
    RuleSummary,
};
use crate::model::ids::Scope;
use crate::model::resource::{BusLog, BusSettings, Grantee, LogLevel, RuleState, TargetSpec};
use crate::model::topology::{Retry, Tags};
use crate::model::world::LiveTarget;
use crate::port::{Fleet, SignIn, SignedIn};

/// Who the operator is, and which role it assumes in each account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operator {
    /// Whom it starts out as.
    pub base: Caller,
    /// The name of the role in each account.
    pub role: String,
    /// The external id that it gives, if any.
    pub external_id: Option<String>,
    /// The session's name.
    pub session: String,
}

/// A fleet over a simulated AWS. Clones share the same world.
#[derive(Debug, Clone)]
pub struct SimFleet {
    world: Arc<Mutex<SimulatedAws>>,
    operator: Operator,
}

impl SimFleet {
    /// A fleet for `operator` in `world`.
    #[must_use]
    pub fn new(world: Arc<Mutex<SimulatedAws>>, operator: Operator) -> Self {
        Self { world, operator }
    }

    /// The world behind it, locked.
    pub fn world(&self) -> MutexGuard<'_, SimulatedAws> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The world itself, for another way into it.
    pub fn shared(&self) -> Arc<Mutex<SimulatedAws>> {
        Arc::clone(&self.world)
    }

    /// The same operator in a fork of the world: what either writes from here on, the other does not see.
    #[must_use]
    pub fn fork(&self) -> Self {
        let fork = self.world().clone();
        Self { world: Arc::new(Mutex::new(fork)), operator: self.operator.clone() }
    }

    /// Makes a call, at once.
    ///
    /// # Errors
    ///
    /// What the real fleet would report: [`ErrorClass::RoleRefused`] where the operator role cannot be assumed,
    /// otherwise the class of AWS's error code.
    pub fn call_now(&self, scope: &Scope, call: &Call) -> Result<Answer, CallError> {
        let mut world = self.world();
        let account = scope.account.to_string();
        let caller = self.caller(&world, scope)?;
        let (service, operation, input) = match call {
            Call::GetRole { role } => (Service::Iam, "GetRole", json!({"RoleName": role})),
            Call::GetQueueAttributes { queue } => {
                let url = format!("https://sqs.{}.amazonaws.com/{account}/{queue}", scope.region);
                (Service::Sqs, "GetQueueAttributes", json!({"QueueUrl": url, "AttributeNames": ["All"]}))
            }
            _ => {
                let (operation, input) = request_of(call);
                (Service::EventBridge, operation, input)
            }
        };
        match world.call(&caller, scope.region.as_str(), service, operation, &input) {
            Ok(output) => Ok(answer_of(call, &output)),
            Err(error) => {
                let class = ErrorClass::of_code(&error.code, error.status);
                Err(CallError {
                    request_id: Some(world.last_request_id()),
                    ..call_error(scope, call.action(), class, &error)
                })
            }
        }
    }

    /// The operator's role in the scope's account, assumed.
    fn caller(&self, world: &SimulatedAws, scope: &Scope) -> Result<Caller, CallError> {
        let account = scope.account.to_string();
        let role_arn = format!("arn:{}:iam::{account}:role/{}", scope.region.partition(), self.operator.role);
        let Operator { base, external_id, session, .. } = &self.operator;
        let caller = world
            .assume(base, &role_arn, external_id.as_deref(), session)
            .map_err(|error| assume_error(scope, &error))?;
        if caller.account() != account {
            return Err(wrong_account(scope, caller.account()));
        }
        Ok(caller)
    }
}

/// The simulated AWS has the driver's clock.
impl SignIn for SimFleet {
    fn sign_in(&self, scope: &Scope) -> impl Future<Output = Result<SignedIn, CallError>> + Send {
        let caller = self.caller(&self.world(), scope);
        std::future::ready(caller.map(|_| SignedIn { clock_ahead_ms: 0 }))
    }
}

impl Fleet for SimFleet {
    fn call(&self, scope: &Scope, call: Call) -> impl Future<Output = Result<Answer, CallError>> + Send {
        std::future::ready(self.call_now(scope, &call))
    }
}

fn assume_error(scope: &Scope, error: &AwsError) -> CallError {
    let class = match ErrorClass::of_code(&error.code, error.status) {
        ErrorClass::Denied => ErrorClass::RoleRefused,
        other => other,
    };
    call_error(scope, "sts:AssumeRole", class, error)
}

/// The real fleet asks STS whose a session's credentials are before it uses them.
fn wrong_account(scope: &Scope, answered: &str) -> CallError {
    let message = format!("the role's credentials are account {answered}'s, not {}'s; nothing was sent", scope.account);
    CallError {
        class: ErrorClass::WrongAccount,
        scope: scope.clone(),
        action: "sts:GetCallerIdentity".to_owned(),
        code: None,
        message,
        request_id: None,
    }
}

fn call_error(scope: &Scope, action: &str, class: ErrorClass, error: &AwsError) -> CallError {
    CallError {
        class,
        scope: scope.clone(),
        action: action.to_owned(),
        code: Some(error.code.clone()),
        message: error.message.clone(),
        request_id: None,
    }
}

/// A call as EventBridge's operation and input. What the SDK would leave out is left out. Buses go by name: account and
/// Region are in the address of a call, not in its input.
fn request_of(call: &Call) -> (&'static str, Value) {
    let (operation, input) = match call {
        Call::ListEventBuses { next_token } => ("ListEventBuses", json!({"NextToken": next_token})),
        Call::ListRules { bus, next_token } => ("ListRules", json!({"EventBusName": bus, "NextToken": next_token})),
        Call::DescribeRule { bus, rule } => ("DescribeRule", json!({"EventBusName": bus, "Name": rule})),
        Call::ListTargetsByRule { bus, rule, next_token } => {
            ("ListTargetsByRule", json!({"EventBusName": bus, "Rule": rule, "NextToken": next_token}))
        }
        Call::ListArchives { name_prefix, next_token } => {
            ("ListArchives", json!({"NamePrefix": text(name_prefix), "NextToken": next_token}))
        }
        Call::DescribeArchive { archive } => ("DescribeArchive", json!({"ArchiveName": archive})),
        Call::ListTagsForResource { arn } => ("ListTagsForResource", json!({"ResourceARN": arn})),
        Call::DescribeEventBus { bus } => ("DescribeEventBus", json!({"Name": bus})),
        Call::GetRole { .. } | Call::GetQueueAttributes { .. } => ("", Value::Null), // Other services'.
        Call::CreateEventBus { bus, settings, tags } => ("CreateEventBus", bus_input(bus, settings, Some(tags))),
        Call::UpdateEventBus { bus, settings } => ("UpdateEventBus", bus_input(bus, settings, None)),
        Call::DeleteEventBus { bus } => ("DeleteEventBus", json!({"Name": bus})),
        Call::PutPermission { bus, statement_id, grantee } => {
            ("PutPermission", permission_input(bus, statement_id, grantee))
        }
        Call::RemovePermission { bus, statement_id } => {
            ("RemovePermission", json!({"EventBusName": bus, "StatementId": statement_id}))
        }
        Call::PutRule { bus, rule, description, pattern, state, tags } => (
            "PutRule",
            json!({
                "EventBusName": bus, "Name": rule, "Description": text(description), "EventPattern": pattern,
                "State": state_text(*state), "Tags": tag_list(tags),
            }),
        ),
        Call::PutTargets { bus, rule, targets } => {
            let targets: Vec<Value> = targets.iter().map(|(id, spec)| target_of(id, spec)).collect();
            ("PutTargets", json!({"EventBusName": bus, "Rule": rule, "Targets": targets}))
        }
        Call::RemoveTargets { bus, rule, target_ids } => {
            ("RemoveTargets", json!({"EventBusName": bus, "Rule": rule, "Ids": target_ids}))
        }
        Call::DeleteRule { bus, rule } => ("DeleteRule", json!({"EventBusName": bus, "Name": rule})),
        Call::TagResource { arn, tags } => ("TagResource", json!({"ResourceARN": arn, "Tags": tag_list(tags)})),
        Call::UntagResource { arn, keys } => ("UntagResource", json!({"ResourceARN": arn, "TagKeys": keys})),
        Call::CreateArchive { archive, source_arn, description, retention_days } => (
            "CreateArchive",
            json!({
                "ArchiveName": archive, "EventSourceArn": source_arn, "Description": text(description),
                "RetentionDays": retention_days,
            }),
        ),
        Call::UpdateArchive { archive, description, retention_days } => (
            "UpdateArchive",
            json!({"ArchiveName": archive, "Description": description, "RetentionDays": retention_days}),
        ),
        Call::DeleteArchive { archive } => ("DeleteArchive", json!({"ArchiveName": archive})),
    };
    (operation, without_nulls(input))
}

/// A new bus with tags, or the settings of one that is there: then what is not asked for is sent empty, which clears it.
fn bus_input(bus: &str, settings: &BusSettings, tags: Option<&Tags>) -> Value {
    let BusSettings { description, kms_key, dead_letter_arn, log } = settings;
    let cleared = tags.is_none().then(String::new);
    let kms_key = kms_key.as_ref().or(cleared.as_ref());
    let dead_letters = dead_letter_arn.as_ref().or(cleared.as_ref()).map(|arn| json!({"Arn": arn}));
    let detail = if log.detail { "FULL" } else { "NONE" };
    let log = json!({"Level": log.level.to_string(), "IncludeDetail": detail});
    json!({
        "Name": bus, "Description": text(description), "KmsKeyIdentifier": kms_key, "DeadLetterConfig": dead_letters,
        "LogConfig": log, "Tags": tags.and_then(tag_list),
    })
}

fn permission_input(bus: &str, statement_id: &str, grantee: &Grantee) -> Value {
    let (principal, condition) = match grantee {
        Grantee::Account(account) => (account.to_string(), Value::Null),
        Grantee::Organization(id) => {
            ("*".to_owned(), json!({"Type": "StringEquals", "Key": "aws:PrincipalOrgID", "Value": id}))
        }
    };
    json!({
        "EventBusName": bus, "StatementId": statement_id, "Action": "events:PutEvents",
        "Principal": principal, "Condition": condition,
    })
}

fn state_text(state: RuleState) -> &'static str {
    match state {
        RuleState::Enabled => "ENABLED",
        RuleState::Disabled => "DISABLED",
    }
}

fn text(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}

fn tag_list(tags: &Tags) -> Option<Vec<Value>> {
    let list: Vec<Value> = tags.iter().map(|(key, value)| json!({"Key": key, "Value": value})).collect();
    (!list.is_empty()).then_some(list)
}

fn target_of(id: &str, spec: &TargetSpec) -> Value {
    let dead_letters = spec.dead_letter_arn.as_ref().map(|arn| json!({"Arn": arn}));
    let retry = spec.retry.as_ref().map(|retry| {
        json!({"MaximumRetryAttempts": retry.attempts_max, "MaximumEventAgeInSeconds": retry.event_age_seconds_max})
    });
    without_nulls(json!({
        "Id": id, "Arn": spec.arn, "RoleArn": spec.role_arn, "DeadLetterConfig": dead_letters, "RetryPolicy": retry,
    }))
}

fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(mut fields) => {
            fields.retain(|_, field| !field.is_null());
            Value::Object(fields)
        }
        other => other,
    }
}

fn answer_of(call: &Call, output: &Value) -> Answer {
    match call {
        Call::ListEventBuses { .. } => Answer::Buses(page_of(output, "EventBuses", bus_summary)),
        Call::DescribeEventBus { .. } => Answer::Bus(bus_summary(output), bus_settings(output)),
        Call::ListRules { .. } => Answer::Rules(page_of(output, "Rules", rule_summary)),
        Call::DescribeRule { .. } => Answer::Rule(rule_summary(output)),
        Call::ListTargetsByRule { .. } => Answer::Targets(page_of(output, "Targets", live_target)),
        Call::ListArchives { .. } => {
            Answer::Archives(page_of(output, "Archives", |archive| owned(archive, "ArchiveName")))
        }
        Call::DescribeArchive { .. } => Answer::Archive(archive_summary(output)),
        Call::ListTagsForResource { .. } => {
            Answer::Tags(list(output, "Tags").map(|tag| (owned(tag, "Key"), owned(tag, "Value"))).collect())
        }
        Call::GetRole { .. } => Answer::Role(role_summary(output)),
        Call::GetQueueAttributes { .. } => Answer::Queue(queue_summary(output)),
        Call::PutTargets { .. } | Call::RemoveTargets { .. } => Answer::Entries {
            failed: list(output, "FailedEntries")
                .map(|entry| FailedEntry {
                    target_id: owned(entry, "TargetId"),
                    code: owned(entry, "ErrorCode"),
                    message: owned(entry, "ErrorMessage"),
                })
                .collect(),
            request_id: None,
        },
        _ => Answer::Done { request_id: None },
    }
}

fn page_of<T>(output: &Value, field: &str, item: impl Fn(&Value) -> T) -> Page<T> {
    Page { items: list(output, field).map(item).collect(), next_token: optional(output, "NextToken") }
}

fn list<'a>(output: &'a Value, field: &str) -> impl Iterator<Item = &'a Value> {
    output.get(field).and_then(Value::as_array).into_iter().flatten()
}

fn optional(value: &Value, field: &str) -> Option<String> {
    value.get(field).and_then(Value::as_str).map(str::to_owned)
}

fn owned(value: &Value, field: &str) -> String {
    optional(value, field).unwrap_or_default()
}

fn bus_summary(bus: &Value) -> BusSummary {
    BusSummary { name: owned(bus, "Name"), description: owned(bus, "Description"), policy: optional(bus, "Policy") }
}

fn bus_settings(bus: &Value) -> BusSettings {
    let log = bus.get("LogConfig");
    let level = log.and_then(|log| owned(log, "Level").parse().ok()).unwrap_or_default();
    let detail = level != LogLevel::Off && log.is_some_and(|log| owned(log, "IncludeDetail") == "FULL");
    BusSettings {
        description: owned(bus, "Description"),
        kms_key: optional(bus, "KmsKeyIdentifier"),
        dead_letter_arn: bus.get("DeadLetterConfig").and_then(|config| optional(config, "Arn")),
        log: BusLog { level, detail },
    }
}

fn rule_summary(rule: &Value) -> RuleSummary {
    RuleSummary {
        name: owned(rule, "Name"),
        description: owned(rule, "Description"),
        pattern: optional(rule, "EventPattern"),
        state: owned(rule, "State"),
        managed_by: optional(rule, "ManagedBy"),
        created_by: optional(rule, "CreatedBy"),
    }
}

/// IAM gives a trust policy percent-encoded.
fn role_summary(output: &Value) -> RoleSummary {
    let role = output.get("Role").unwrap_or(output);
    let trust_policy = owned(role, "AssumeRolePolicyDocument");
    let trust_policy = percent_decode_str(&trust_policy).decode_utf8_lossy().into_owned();
    RoleSummary { arn: owned(role, "Arn"), trust_policy }
}

fn queue_summary(output: &Value) -> QueueSummary {
    let attributes = output.get("Attributes").unwrap_or(output);
    QueueSummary {
        arn: owned(attributes, "QueueArn"),
        policy: optional(attributes, "Policy"),
        kms_key: optional(attributes, "KmsMasterKeyId"),
        messages: owned(attributes, "ApproximateNumberOfMessages").parse().unwrap_or_default(),
    }
}

fn archive_summary(archive: &Value) -> ArchiveSummary {
    ArchiveSummary {
        name: owned(archive, "ArchiveName"),
        source_arn: owned(archive, "EventSourceArn"),
        description: owned(archive, "Description"),
        pattern: optional(archive, "EventPattern"),
        retention_days: number(archive, "RetentionDays"),
        state: owned(archive, "State"),
        events: archive.get("EventCount").and_then(Value::as_u64).unwrap_or_default(),
        bytes: archive.get("SizeBytes").and_then(Value::as_u64).unwrap_or_default(),
    }
}

fn live_target(target: &Value) -> (String, LiveTarget) {
    const OURS: [&str; 5] = ["Id", "Arn", "RoleArn", "DeadLetterConfig", "RetryPolicy"];
    let retry = target.get("RetryPolicy").map(|policy| Retry {
        attempts_max: number(policy, "MaximumRetryAttempts"),
        event_age_seconds_max: number(policy, "MaximumEventAgeInSeconds"),
    });
    let spec = TargetSpec {
        arn: owned(target, "Arn"),
        role_arn: optional(target, "RoleArn"),
        dead_letter_arn: target.get("DeadLetterConfig").and_then(|config| optional(config, "Arn")),
        retry,
    };
    let other = target
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(field, _)| !OURS.contains(&field.as_str()))
        .map(|(field, value)| (field.clone(), value.clone()))
        .collect();
    (owned(target, "Id"), LiveTarget { spec, other })
}

fn number(value: &Value, field: &str) -> u32 {
    value.get(field).and_then(Value::as_u64).and_then(|number| u32::try_from(number).ok()).unwrap_or_default()
}
