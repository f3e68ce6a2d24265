//! Targets: put, remove, list, and what PutTargets demands of them.
//!
//! <https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutTargets.html>

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};

use super::SimulatedAws;
use super::buses::NamedBus;
use super::delivery::BusGrant;
use super::errors::AwsError;
use super::input_transform::undefined_placeholder;
use super::paging::page;
use super::request::{Constraints, NAME, Request};
use super::rules::{checked_rule_name, refuse_managed, rule_arn};
use super::settings::TargetChecks;
use crate::eventbridge::Arn;

/// A scripted failure of single entries of PutTargets and RemoveTargets, which answer 200 all the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetFailure {
    /// The account whose rule it is.
    pub account: String,
    /// The target's id.
    pub target_id: String,
    /// The entry's error code, such as `ConcurrentModificationException`.
    pub code: String,
    /// The entry's text.
    pub message: String,
    /// How many times more.
    pub times: u32,
}

impl SimulatedAws {
    /// Lets entries of the next PutTargets or RemoveTargets calls fail.
    pub fn fail_targets(&mut self, failure: TargetFailure) {
        self.target_failures.push(failure);
    }

    /// Replaces targets by id; others stay. Refused as a whole, unless a single entry fails on its own.
    pub(super) fn put_targets(&mut self, request: &Request<'_>) -> Result<Value, AwsError> {
        let rule = checked_rule_name(request, "Rule")?;
        let targets = request.list("Targets");
        check_targets(targets)?;
        let named = self.named_bus(request, "EventBusName")?;
        let arn = rule_arn(request, &named, rule);
        self.authorize_on_bus(request, &named, "events:PutTargets", &arn)?;
        self.check_decryptable(request, &named)?;
        let found = self.rule(request, &named, rule)?;
        refuse_managed(Some(&Arc::new(found.clone())), request)?;
        let mut put: BTreeMap<String, Arc<Value>> = found.targets.clone();
        if named.account != request.account() && !targets.iter().all(is_bus) {
            return Err(AwsError::validation("Only EventBus targets are allowed on cross-account PutTargets calls."));
        }
        for target in targets {
            self.check_target(request, &named, &arn, target)?;
        }
        let mut failed = Vec::new();
        for target in targets {
            let id = text(target, "Id");
            match self.scripted_failure(&named.account, id) {
                Some(entry) => failed.push(entry),
                None => {
                    put.insert(id.to_owned(), Arc::new(target.clone()));
                }
            }
        }
        if put.len() > self.quotas(&named.account).targets_per_rule {
            return Err(AwsError::limit_exceeded());
        }
        self.store_targets(request, &named, rule, put)?;
        Ok(json!({"FailedEntryCount": failed.len(), "FailedEntries": failed}))
    }

    /// Removing a target that does not exist succeeds.
    pub(super) fn remove_targets(&mut self, request: &Request<'_>) -> Result<Value, AwsError> {
        let rule = checked_rule_name(request, "Rule")?;
        let named = self.named_bus(request, "EventBusName")?;
        let arn = rule_arn(request, &named, rule);
        self.authorize_on_bus(request, &named, "events:RemoveTargets", &arn)?;
        let found = self.rule(request, &named, rule)?;
        refuse_managed(Some(&Arc::new(found.clone())), request)?;
        let mut left = found.targets.clone();
        let mut failed = Vec::new();
        for id in request.list("Ids").iter().filter_map(Value::as_str) {
            match self.scripted_failure(&named.account, id) {
                Some(entry) => failed.push(entry),
                None => {
                    left.remove(id);
                }
            }
        }
        self.store_targets(request, &named, rule, left)?;
        Ok(json!({"FailedEntryCount": failed.len(), "FailedEntries": failed}))
    }

    pub(super) fn list_targets_by_rule(&mut self, request: &Request<'_>) -> Result<Value, AwsError> {
        let rule = checked_rule_name(request, "Rule")?;
        let named = self.named_bus(request, "EventBusName")?;
        let arn = rule_arn(request, &named, rule);
        self.authorize_on_bus(request, &named, "events:ListTargetsByRule", &arn)?;
        self.check_decryptable(request, &named)?;
        let targets = &self.rule(request, &named, rule)?.targets;
        let items = targets.values().map(|target| target.as_ref().clone()).collect();
        page(request, &self.settings, "Targets", items)
    }

    fn store_targets(
        &mut self,
        request: &Request<'_>,
        named: &NamedBus,
        rule: &str,
        targets: BTreeMap<String, Arc<Value>>,
    ) -> Result<(), AwsError> {
        let mut changed = self.rule(request, named, rule)?.clone();
        changed.targets = targets;
        self.store_rule(request.region, named, changed)
    }

    fn check_target(
        &self,
        request: &Request<'_>,
        named: &NamedBus,
        rule_arn: &str,
        target: &Value,
    ) -> Result<(), AwsError> {
        let arn_text = text(target, "Arn");
        let arn: Arn = arn_text.parse().map_err(|_| malformed(arn_text))?;
        check_input(target)?;
        check_dead_letters(request, target)?;
        let role = target.get("RoleArn").and_then(Value::as_str);
        if let Some(bus) = arn.bus_name() {
            self.check_bus_target(request, named, rule_arn, target, &arn, bus)?;
        } else if arn.service == "events" {
            return Err(malformed(arn_text));
        } else if arn.account != request.account() && !arn.account.is_empty() {
            check_cross_account_service(request, &arn, arn_text, role)?;
        }
        match role {
            None => Ok(()),
            Some(role) => {
                self.authorize_pass_role(request, role)?;
                self.check_role(role, &named.account)
            }
        }
    }

    fn check_bus_target(
        &self,
        request: &Request<'_>,
        named: &NamedBus,
        rule_arn: &str,
        target: &Value,
        arn: &Arn,
        bus: &str,
    ) -> Result<(), AwsError> {
        let arn_text = text(target, "Arn");
        let same = arn.account == named.account && arn.region == request.region && bus == named.name;
        if same {
            return Err(AwsError::validation("Source EventBus and Target EventBus must not be the same."));
        }
        if ["Input", "InputPath", "InputTransformer"].iter().any(|field| target.get(field).is_some()) {
            return Err(AwsError::validation(format!(
                "Modifying the input for target {} is not supported.",
                text(target, "Id")
            )));
        }
        let Some(role) = target.get("RoleArn").and_then(Value::as_str) else {
            return Err(AwsError::validation(format!("RoleArn is required for target {arn_text}.")));
        };
        if target.get("RetryPolicy").is_some_and(|policy| !policy.is_null()) {
            return Err(AwsError::validation(format!("RetryPolicy is not supported for target {arn_text}.")));
        }
        if self.settings.target_checks == TargetChecks::AsCaptured {
            return Ok(());
        }
        match self.bus_grant(rule_arn, request.account(), role, arn, bus, None) {
            BusGrant::Granted => Ok(()),
            BusGrant::NoBus | BusGrant::Refused => Err(AwsError::access_denied(format!(
                "Access to the resource {arn_text} is denied. Reason: Event bus {bus} does not allow account {} to put events.",
                request.account()
            ))),
        }
    }

    fn check_role(&self, role: &str, rule_account: &str) -> Result<(), AwsError> {
        match self.settings.target_checks {
            TargetChecks::Strict => self.check_assumable(role, rule_account),
            TargetChecks::AsCaptured => Ok(()),
        }
    }

    fn scripted_failure(&mut self, account: &str, target_id: &str) -> Option<Value> {
        let failure = self
            .target_failures
            .iter_mut()
            .find(|failure| failure.times > 0 && failure.account == account && failure.target_id == target_id)?;
        failure.times -= 1;
        Some(json!({
            "TargetId": target_id,
            "ErrorCode": failure.code,
            "ErrorMessage": failure.message,
        }))
    }
}

fn check_targets(targets: &[Value]) -> Result<(), AwsError> {
    let mut constraints = Constraints::default();
    if targets.is_empty() {
        constraints.fail("targets", "[]", "Member must have length greater than or equal to 1");
    }
    if targets.len() > 10 {
        constraints.fail("targets", "[…]", "Member must have length less than or equal to 10");
    }
    for (index, target) in targets.iter().enumerate() {
        let member = |field: &str| target.get(field).and_then(Value::as_str);
        let place = |field: &str| format!("targets.{}.member.{field}", index + 1);
        constraints
            .required(&place("id"), member("Id"))
            .length(&place("id"), member("Id"), 1, 64)
            .characters(&place("id"), member("Id"), NAME)
            .required(&place("arn"), member("Arn"))
            .length(&place("arn"), member("Arn"), 1, 1_600)
            .length(&place("roleArn"), member("RoleArn"), 1, 1_600)
            .length(&place("input"), member("Input"), 0, 8_192)
            .length(&place("inputPath"), member("InputPath"), 0, 256);
        let retry = |field: &str| target.get("RetryPolicy")?.get(field)?.as_i64();
        constraints.range(&place("retryPolicy.maximumRetryAttempts"), retry("MaximumRetryAttempts"), 0, 185).range(
            &place("retryPolicy.maximumEventAgeInSeconds"),
            retry("MaximumEventAgeInSeconds"),
            60,
            86_400,
        );
    }
    constraints.check()
}

fn check_input(target: &Value) -> Result<(), AwsError> {
    let given = ["Input", "InputPath", "InputTransformer"]
        .iter()
        .filter(|field| target.get(**field).is_some_and(|value| !value.is_null()))
        .count();
    if given > 1 {
        return Err(AwsError::validation(format!(
            "Only one of Input, InputPath, or InputTransformer must be provided for target {}.",
            text(target, "Id")
        )));
    }
    match target.get("InputTransformer").and_then(undefined_placeholder) {
        Some(name) => Err(AwsError::validation(format!(
            "InputTemplate for target {} contains invalid placeholder {name}.",
            text(target, "Id")
        ))),
        None => Ok(()),
    }
}

/// A dead-letter queue is a standard queue in the rule's Region.
fn check_dead_letters(request: &Request<'_>, target: &Value) -> Result<(), AwsError> {
    let Some(arn_text) = target.pointer("/DeadLetterConfig/Arn").and_then(Value::as_str) else {
        return Ok(());
    };
    let invalid =
        |reason: &str| AwsError::validation(format!("Parameter DeadLetterConfig.Arn is not valid. Reason: {reason}"));
    let arn: Arn = arn_text.parse().map_err(|_| malformed(arn_text))?;
    if arn.queue_name().is_none() || arn_text.ends_with(".fifo") {
        return Err(invalid("Only standard SQS queues are supported."));
    }
    if arn.region != request.region {
        return Err(invalid("The queue must be in the Region of the rule."));
    }
    Ok(())
}

/// Other services' targets in another account: five services, with a role, in the rule's Region.
/// <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-service-cross-account.html>
fn check_cross_account_service(
    request: &Request<'_>,
    arn: &Arn,
    arn_text: &str,
    role: Option<&str>,
) -> Result<(), AwsError> {
    const SERVICES: [&str; 5] = ["sqs", "sns", "lambda", "kinesis", "execute-api"];
    if !SERVICES.contains(&arn.service.as_str()) {
        return Err(AwsError::access_denied(format!(
            "Access to the resource {arn_text} is denied. Reason: Adding cross-account target is not permitted."
        )));
    }
    if role.is_none() {
        return Err(AwsError::validation(format!("RoleArn is required for target {arn_text}.")));
    }
    if arn.region != request.region {
        return Err(AwsError::validation(format!(
            "Parameter {arn_text} is not valid. Reason: The target must be in the Region of the rule."
        )));
    }
    Ok(())
}

fn is_bus(target: &Value) -> bool {
    text(target, "Arn").parse::<Arn>().is_ok_and(|arn| arn.bus_name().is_some())
}

fn malformed(arn: &str) -> AwsError {
    AwsError::validation(format!("Parameter {arn} is not valid. Reason: Provided Arn is not in correct format."))
}

/// A text member of a target, empty where it is absent.
pub(super) fn text<'a>(target: &'a Value, field: &str) -> &'a str {
    target.get(field).and_then(Value::as_str).unwrap_or_default()
}
