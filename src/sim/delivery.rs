//! Delivery: from a bus, through its rules, to their targets, with every check that AWS makes on the way.
//!
//! An event is delivered at once and once; there are no retries, because nothing here fails for a while. Permission
//! and hop failures are not retried by AWS either
//! (<https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-dlq.html>).

use std::sync::Arc;

use serde_json::{Value, json};

use super::SimulatedAws;
use super::events::policy_lets_in;
use super::iam::{EVENTS_SERVICE, Role};
use super::input_transform::transformed;
use super::policy_document::Asker;
use super::sts::timestamp_text;
use super::targets::text;
use super::trace::{DeliveryOutcome, DeliveryRecord};
use crate::eventbridge::{Arn, ArnOrAccount, BusPolicy, PutEventsRequest};

/// How often rules have forwarded an event already, and how long its detail was as it was written.
#[derive(Debug, Clone, Copy)]
pub(super) struct Journey {
    within_region: u32,
    across_regions: u32,
    detail_bytes: usize,
}

impl Journey {
    /// Of an event that was just published.
    pub(super) fn begin(detail_bytes: usize) -> Self {
        Self { within_region: 0, across_regions: 0, detail_bytes }
    }
}

/// Where an event is, and by which rule it leaves.
#[derive(Clone, Copy)]
struct Leg<'a> {
    account: &'a str,
    region: &'a str,
    bus_arn: &'a str,
    rule: &'a str,
    rule_arn: &'a str,
}

/// A delivery that failed for good: EventBridge's code and text.
struct Failure {
    code: &'static str,
    message: String,
}

impl Failure {
    fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    fn no_permission() -> Self {
        Self::new("NO_PERMISSIONS", "Lack of permissions to invoke the target.")
    }
}

/// What a destination bus says to a rule that wants to forward to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BusGrant {
    /// It lets events in.
    Granted,
    /// It keeps them out.
    Refused,
    /// It does not exist.
    NoBus,
}

impl SimulatedAws {
    /// Takes an event through a bus. On a bus that does not exist it is gone, without an error.
    pub(super) fn deliver(&mut self, event: &Arc<Value>, journey: Journey, account: &str, region: &str, bus: &str) {
        let now_ms = self.now_ms;
        let Ok(found) = self.bus(account, region, bus) else {
            return;
        };
        if let Some(reason) = self.bus_key_trouble(account, found) {
            return self.keep_unencrypted(event, account, region, bus, &reason);
        }
        let bus_arn = found.arn.clone();
        let matched: Vec<(String, Vec<Arc<Value>>)> = found
            .effects
            .iter()
            .filter_map(|(rule, settling)| {
                let effect = settling.at(now_ms).filter(|effect| effect.enabled)?;
                let pattern = effect.pattern.as_ref()?;
                pattern.matches(event).then(|| (rule.clone(), effect.targets.clone()))
            })
            .collect();
        self.archive_event(event, journey.detail_bytes, account, region, &bus_arn);
        for (rule, targets) in matched {
            let rule_arn = Arn::rule(region, account, bus, &rule).to_string();
            self.trace.count(&rule_arn, |counters| counters.matched_events += 1);
            let leg = Leg { account, region, bus_arn: &bus_arn, rule: &rule, rule_arn: &rule_arn };
            for target in targets {
                self.invoke(event, journey, leg, &target);
            }
        }
    }

    /// Whether a bus would let a rule forward to it with a role. Without an event, conditions on its content are
    /// taken to hold.
    pub(super) fn bus_grant(
        &self,
        rule_arn: &str,
        account: &str,
        role_arn: &str,
        destination: &Arn,
        bus: &str,
        event: Option<&Value>,
    ) -> BusGrant {
        let Ok(found) = self.bus(&destination.account, &destination.region, bus) else {
            return BusGrant::NoBus;
        };
        if self.is_suspended(&destination.account) {
            return BusGrant::Refused;
        }
        let asked = PutEventsRequest {
            caller: ArnOrAccount { account: account.to_owned(), arn: Some(role_arn.to_owned()) },
            organization: self.organization(account),
            bus_arn: &found.arn,
            source: event.map_or("", |event| text(event, "source")),
            detail_type: event.map_or("", |event| text(event, "detail-type")),
            source_arn: Some(rule_arn),
            forwarded: true,
        };
        let stored = found.policy.as_ref().map(|policy| policy.parsed());
        let relaxed = stored.filter(|_| event.is_none()).map(without_content_conditions);
        let own = destination.account == account;
        if policy_lets_in(relaxed.as_ref().or(stored), &asked, own) { BusGrant::Granted } else { BusGrant::Refused }
    }

    fn invoke(&mut self, event: &Arc<Value>, journey: Journey, leg: Leg<'_>, target: &Value) {
        self.trace.count(leg.rule_arn, |counters| counters.invocations += 1);
        let target_arn = text(target, "Arn");
        let arn = target_arn.parse::<Arn>().ok();
        let forwarding = arn.as_ref().and_then(|arn| arn.bus_name().map(|bus| (arn, bus.to_owned())));
        if let Some((arn, bus)) = forwarding {
            match self.may_forward(event, journey, leg, target, arn, &bus) {
                Ok(BusGrant::NoBus) => self.record(event, leg, target_arn, DeliveryOutcome::Vanished),
                Ok(_) => {
                    self.record(event, leg, target_arn, DeliveryOutcome::Delivered);
                    self.forward(event, journey, leg, arn, &bus);
                }
                Err(failure) => self.fail(event, leg, target, &failure),
            }
            return;
        }
        let done = match &arn {
            Some(arn) if arn.queue_name().is_some() => self.send_to_queue(event, leg, target, arn),
            _ => self.hand_over(event, leg, target, arn.as_ref()),
        };
        match done {
            Ok(()) => self.record(event, leg, target_arn, DeliveryOutcome::Delivered),
            Err(failure) => self.fail(event, leg, target, &failure),
        }
    }

    /// Permissions first, then hops: a hop is found out when the event is taken in.
    fn may_forward(
        &self,
        event: &Value,
        journey: Journey,
        leg: Leg<'_>,
        target: &Value,
        arn: &Arn,
        bus: &str,
    ) -> Result<BusGrant, Failure> {
        let refused = || Failure::new("NO_PERMISSIONS", "Lack of permissions to invoke cross account target.");
        let role_arn = text(target, "RoleArn");
        let target_arn = text(target, "Arn");
        if self.check_target_role(leg, role_arn, "events:PutEvents", target_arn).is_err() {
            return Err(refused());
        }
        // The role's account counts, not the rule's: somebody else may have made the rule with a role of their own.
        let sender = role_arn.parse::<Arn>().map_or_else(|_| leg.account.to_owned(), |role| role.account);
        let grant = self.bus_grant(leg.rule_arn, &sender, role_arn, arn, bus, Some(event));
        let foreign = arn.account != sender;
        if grant == BusGrant::Refused || (grant == BusGrant::NoBus && foreign) {
            return Err(refused());
        }
        self.check_hops(event, journey, arn.region == leg.region)?;
        Ok(grant)
    }

    fn check_hops(&self, event: &Value, journey: Journey, within_region: bool) -> Result<(), Failure> {
        let any = journey.within_region + journey.across_regions > 0;
        let spent = if !self.settings.allow_mixed_hops {
            any
        } else if within_region {
            journey.within_region > 0
        } else {
            journey.across_regions > 0
        };
        if !spent {
            return Ok(());
        }
        let code = if within_region { "THIRD_ACCOUNT_HOP_DETECTED" } else { "THIRD_REGION_HOP_DETECTED" };
        Err(Failure::new(
            code,
            format!(
                "Event ingestion rejected for event {} because an event can be sent to an event bus target only once. This event was previously delivered to an event bus target.",
                text(event, "id")
            ),
        ))
    }

    /// Within a Region the envelope stays as it is; across Regions id and time are new, account and Region are not.
    fn forward(&mut self, event: &Arc<Value>, mut journey: Journey, leg: Leg<'_>, arn: &Arn, bus: &str) {
        if arn.region == leg.region {
            journey.within_region += 1;
            self.deliver(event, journey, &arn.account, &arn.region, bus);
            return;
        }
        journey.across_regions += 1;
        let mut renewed = event.as_ref().clone();
        let id = self.next_uuid();
        if let Some(envelope) = renewed.as_object_mut() {
            envelope.insert("id".to_owned(), json!(id));
            envelope.insert("time".to_owned(), json!(timestamp_text(self.now_ms)));
        }
        self.deliver(&Arc::new(renewed), journey, &arn.account, &arn.region, bus);
    }

    fn send_to_queue(&mut self, event: &Value, leg: Leg<'_>, target: &Value, arn: &Arn) -> Result<(), Failure> {
        let queue_arn = text(target, "Arn");
        let missing = || Failure::new("NO_RESOURCE", "The target queue does not exist.");
        if arn.region != leg.region {
            return Err(missing());
        }
        let queue = self.queue_by_arn(queue_arn).ok_or_else(missing)?;
        let role_arn = text(target, "RoleArn");
        let let_in = if role_arn.is_empty() {
            queue.lets_send(&service_asker(leg))
        } else {
            self.check_target_role(leg, role_arn, "sqs:SendMessage", queue_arn)?;
            arn.account == leg.account || queue.lets_send(&self.role_asker(leg, role_arn))
        };
        if !let_in || self.is_suspended(&arn.account) {
            return Err(Failure::no_permission());
        }
        if queue.kms_key().is_some() {
            let asker = if role_arn.is_empty() { service_asker(leg) } else { self.role_asker(leg, role_arn) };
            if let Some(reason) = self.queue_key_trouble(queue, &asker, role_arn) {
                return Err(Failure::new("NO_PERMISSIONS", reason));
            }
        }
        let body = transformed(event, target, leg.rule_arn, leg.rule);
        self.enqueue(queue_arn, &body, json!({}));
        Ok(())
    }

    /// A target of another service: what it would receive is kept. Its own resource policy is not simulated.
    fn hand_over(&mut self, event: &Value, leg: Leg<'_>, target: &Value, arn: Option<&Arn>) -> Result<(), Failure> {
        let role_arn = text(target, "RoleArn");
        let action = arn.and_then(|arn| invoke_action(&arn.service));
        if let Some(action) = action
            && !role_arn.is_empty()
        {
            self.check_target_role(leg, role_arn, action, text(target, "Arn"))?;
        }
        let body = transformed(event, target, leg.rule_arn, leg.rule);
        let received = serde_json::from_str(&body).unwrap_or(Value::String(body));
        Arc::make_mut(&mut self.received).entry(text(target, "Arn").to_owned()).or_default().push(Arc::new(received));
        Ok(())
    }

    /// A target's role as a queue's policy sees it.
    fn role_asker(&self, leg: Leg<'_>, role_arn: &str) -> Asker {
        Asker::of_account(leg.account, role_arn).with_optional("aws:PrincipalOrgID", self.organization(leg.account))
    }

    fn check_target_role(&self, leg: Leg<'_>, role_arn: &str, action: &str, resource: &str) -> Result<(), Failure> {
        let trusting = |role: &&Arc<Role>| role.trusts_service(EVENTS_SERVICE, leg.account);
        let role = self.role_in_effect(role_arn).filter(trusting).ok_or_else(|| {
            Failure::new("FAILED_TO_ASSUME_ROLE", format!("EventBridge could not assume the role {role_arn}."))
        })?;
        let account = role_arn.parse::<Arn>().map(|arn| arn.account).unwrap_or_default();
        let kept_back = self.is_suspended(&account) || self.organization_denies(&account, action);
        if role.allows(action, resource) && !kept_back { Ok(()) } else { Err(Failure::no_permission()) }
    }

    /// A failed delivery goes to the target's dead-letter queue, if there is one that takes it.
    fn fail(&mut self, event: &Value, leg: Leg<'_>, target: &Value, failure: &Failure) {
        self.trace.count(leg.rule_arn, |counters| counters.failed_invocations += 1);
        let target_arn = text(target, "Arn");
        let code = failure.code.to_owned();
        let queue_arn = target.pointer("/DeadLetterConfig/Arn").and_then(Value::as_str);
        let Some(queue_arn) = queue_arn else {
            return self.record(event, leg, target_arn, DeliveryOutcome::Dropped { code });
        };
        let taken = self.takes_from_service(queue_arn, &service_asker(leg));
        if !taken {
            self.trace.count(leg.rule_arn, |counters| {
                counters.failed_to_be_sent_to_dead_letter_queue += 1;
            });
            return self.record(event, leg, target_arn, DeliveryOutcome::Dropped { code });
        }
        let attribute = |value: &str| json!({"DataType": "String", "StringValue": value});
        let attributes = json!({
            "ERROR_CODE": attribute(failure.code),
            "ERROR_MESSAGE": attribute(&failure.message),
            "RULE_ARN": attribute(leg.rule_arn),
            "TARGET_ARN": attribute(target_arn),
        });
        self.enqueue(queue_arn, &event.to_string(), attributes);
        self.trace.count(leg.rule_arn, |counters| counters.sent_to_dead_letter_queue += 1);
        let outcome = DeliveryOutcome::DeadLettered { code, queue_arn: queue_arn.to_owned() };
        self.record(event, leg, target_arn, outcome);
    }

    /// Whether a queue takes what EventBridge sends without a role.
    fn takes_from_service(&self, queue_arn: &str, asker: &Asker) -> bool {
        self.queue_by_arn(queue_arn)
            .is_some_and(|queue| queue.lets_send(asker) && self.queue_key_trouble(queue, asker, "").is_none())
    }

    /// An event that reached a bus and could not be encrypted goes to the bus's own dead-letter queue, or is gone.
    /// <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-encryption-event-bus-cmk.html>
    fn keep_unencrypted(&mut self, event: &Value, account: &str, region: &str, bus: &str, reason: &str) {
        let Ok(found) = self.bus(account, region, bus) else { return };
        let queue_arn = found.dead_letter_config.as_ref().map(|config| text(config, "Arn").to_owned());
        let asker = Asker::service(EVENTS_SERVICE).with("aws:SourceArn", &found.arn).with("aws:SourceAccount", account);
        let Some(queue_arn) = queue_arn.filter(|queue| self.takes_from_service(queue, &asker)) else { return };
        let attribute = |value: &str| json!({"DataType": "String", "StringValue": value});
        // Which attributes AWS gives is not known here; these tell what happened.
        let attributes = json!({"ERROR_CODE": attribute("KMSEncryptionException"), "ERROR_MESSAGE": attribute(reason)});
        self.enqueue(&queue_arn, &event.to_string(), attributes);
    }

    fn record(&mut self, event: &Value, leg: Leg<'_>, target_arn: &str, outcome: DeliveryOutcome) {
        self.trace.push(DeliveryRecord {
            event_id: text(event, "id").to_owned(),
            bus_arn: leg.bus_arn.to_owned(),
            rule: leg.rule.to_owned(),
            target_arn: target_arn.to_owned(),
            outcome,
        });
    }

    /// Archives catch what reaches their bus, but nothing that is replayed. They count texts as PutEvents does, and
    /// the time as it is written: ten events of the recordings are 1,590 bytes.
    fn archive_event(&mut self, event: &Arc<Value>, detail_bytes: usize, account: &str, region: &str, bus_arn: &str) {
        let Some(found) = self.region(account, region) else {
            return;
        };
        if event.get("replay-name").is_some() {
            return;
        }
        let names: Vec<String> = found
            .archives
            .values()
            .filter(|archive| archive.source_arn == bus_arn)
            .filter(|archive| archive.pattern.as_ref().is_none_or(|pattern| pattern.matches(event)))
            .map(|archive| archive.name.clone())
            .collect();
        if names.is_empty() {
            return;
        }
        let texts: usize = ["time", "source", "detail-type"].iter().map(|field| text(event, field).len()).sum();
        let Some(found) = self.region_mut(account, region) else {
            return;
        };
        for name in names {
            if let Some(archive) = found.archives.get_mut(&name).map(Arc::make_mut) {
                archive.events.push(Arc::clone(event));
                archive.size_bytes += texts + detail_bytes;
            }
        }
    }
}

fn service_asker(leg: Leg<'_>) -> Asker {
    Asker::service(EVENTS_SERVICE).with("aws:SourceArn", leg.rule_arn).with("aws:SourceAccount", leg.account)
}

fn without_content_conditions(policy: &BusPolicy) -> BusPolicy {
    let mut relaxed = policy.clone();
    for statement in &mut relaxed.statements {
        for keys in statement.conditions.values_mut() {
            keys.retain(|key, _| !key.to_ascii_lowercase().starts_with("events:"));
        }
        statement.conditions.retain(|_, keys| !keys.is_empty());
    }
    relaxed
}

/// What a target's role must be allowed, where the service is one whose roles are checked here.
fn invoke_action(service: &str) -> Option<&'static str> {
    Some(match service {
        "lambda" => "lambda:InvokeFunction",
        "sns" => "sns:Publish",
        "kinesis" => "kinesis:PutRecord",
        "execute-api" => "execute-api:Invoke",
        _ => return None,
    })
}
