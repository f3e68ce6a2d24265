//! What others have to have in policies of theirs, which the operator has no right to look at: owners of direct destinations
//! and of queues for dead letters, and partners, whose accounts it never enters. Pure.
//!
//! Within an account EventBridge delivers by the destination's policy or the delivery role; across accounts the policy
//! names the role (<https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-service-cross-account.html>,
//! <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-resource-based.html>). Dead letters EventBridge sends as
//! itself (<https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-dlq.html>).

use super::{Patient, mend};
use crate::eventbridge::Arn;
use crate::model::desired::{Desired, Wanted};
use crate::model::ids::{AccountId, AccountName, Scope};
use crate::model::resource::{BusId, RuleId, RuleSpec};
use crate::plan::{publisher_policy, statement};
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// A destination that is no bus, and what its policy needs.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Destination {
    /// Its ARN.
    pub arn: String,
    /// What comes there.
    pub takes: Takes,
    /// What the roster calls its account; the account's id where it is not on the roster.
    pub owner: String,
    /// Who asked for it, each with its place.
    pub asked_by: BTreeSet<String>,
    /// The statements that its policy needs; none where the delivery role's own rights do.
    pub statements: Vec<Value>,
    /// Commands that add them, where a policy is not written as a document.
    pub commands: Vec<String>,
    /// The parameter of the per-account template that gives the delivery roles of the rules' accounts the right; none for
    /// dead letters, which need none.
    pub parameter: Option<&'static str>,
    /// The accounts whose rules deliver there.
    pub from: BTreeSet<AccountId>,
}

/// What comes to a destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Takes {
    /// Events.
    Events,
    /// Events that could not be delivered.
    DeadLetters,
    /// Events that a bus could not encrypt or decrypt.
    BusDeadLetters,
}

/// What a partner has to add, all of it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Partner {
    /// What the roster calls the account.
    pub account: AccountName,
    /// Its id.
    pub id: AccountId,
    /// What it has to add.
    pub additions: Vec<Addition>,
}

/// One thing to add.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Addition {
    /// What.
    pub what: String,
    /// Who asked for it, with its place.
    pub asked_by: BTreeSet<String>,
    /// As JSON, where it is JSON.
    pub json: Vec<Value>,
}

/// What a destination's service calls things.
struct Service {
    action: &'static str,
    parameter: &'static str,
    noun: &'static str,
}

fn service_of(arn: &Arn) -> Option<Service> {
    let (action, parameter, noun) = match arn.service.as_str() {
        "sqs" => ("sqs:SendMessage", "QueueArns", "queue"),
        "sns" => ("sns:Publish", "TopicArns", "topic"),
        "lambda" => ("lambda:InvokeFunction", "FunctionArns", "function"),
        "kinesis" => ("kinesis:PutRecord", "StreamArns", "stream"),
        "execute-api" => ("execute-api:Invoke", "ApiArns", "API"),
        _ => return None,
    };
    Some(Service { action, parameter, noun })
}

impl Destination {
    /// Its kind and name: `queue large-payments`.
    pub fn name(&self) -> String {
        let Ok(arn) = self.arn.parse::<Arn>() else { return self.arn.clone() };
        let noun = service_of(&arn).map_or("resource", |service| service.noun);
        let name = ["function:", "stream/"].iter().find_map(|prefix| arn.resource.strip_prefix(prefix));
        format!("{noun} {}", name.unwrap_or(&arn.resource))
    }
}

/// Who sends to a destination.
#[derive(Default)]
struct Senders {
    /// Rules, or buses for their own dead letters: ARNs by account.
    sources: BTreeMap<AccountId, BTreeSet<String>>,
    /// Delivery roles by account.
    roles: BTreeMap<AccountId, BTreeSet<String>>,
    asked_by: BTreeSet<String>,
}

/// Every destination that is no bus of rules in `accounts`, or in one of them.
pub(super) fn destinations(patient: Patient<'_>, accounts: &BTreeSet<AccountId>) -> Vec<Destination> {
    let mut found: BTreeMap<(String, Takes), Senders> = BTreeMap::new();
    let desired = patient.desired;
    for (rule, wanted) in desired.rules.iter().filter(|(rule, _)| !desired.no_access.contains(&rule.bus.scope)) {
        let account = rule.bus.scope.account;
        let usual = usual_queue(patient, &rule.bus.scope);
        for target in wanted.spec.targets.values() {
            if service_of_text(&target.arn).is_some() {
                let senders = found.entry((target.arn.clone(), Takes::Events)).or_default();
                senders.add(account, rule.arn(), asked_by(rule, wanted));
                senders.roles.entry(account).or_default().extend(target.role_arn.clone());
            }
            if let Some(queue) = target.dead_letter_arn.as_ref().filter(|queue| **queue != usual) {
                let senders = found.entry((queue.clone(), Takes::DeadLetters)).or_default();
                senders.add(account, rule.arn(), asked_by(rule, wanted));
            }
        }
    }
    for (bus, wanted) in desired.buses.iter().filter(|(bus, _)| !desired.no_access.contains(&bus.scope)) {
        if let Some(queue) = &wanted.spec.dead_letter_arn {
            let senders = found.entry((queue.clone(), Takes::BusDeadLetters)).or_default();
            senders.add(bus.scope.account, bus.arn(), format!("bus {} ({})", bus.name, wanted.origin));
        }
    }
    found
        .into_iter()
        .filter_map(|((arn, takes), senders)| destination(desired, arn, takes, senders))
        .filter(|destination| {
            let owner = destination.arn.parse::<Arn>().ok().and_then(|arn| arn.account.parse().ok());
            destination.from.iter().chain(owner.iter()).any(|account| accounts.contains(account))
        })
        .collect()
}

impl Senders {
    fn add(&mut self, account: AccountId, source: String, asked_by: String) {
        self.sources.entry(account).or_default().insert(source);
        self.asked_by.insert(asked_by);
    }
}

fn service_of_text(arn: &str) -> Option<Service> {
    arn.parse::<Arn>().ok().as_ref().and_then(service_of)
}

fn usual_queue(patient: Patient<'_>, scope: &Scope) -> String {
    let name = &patient.settings.delivery.dead_letter_queue;
    Arn::queue(scope.region.as_str(), &scope.account.to_string(), name).to_string()
}

fn asked_by(rule: &RuleId, wanted: &Wanted<RuleSpec>) -> String {
    let routes: Vec<String> = wanted.routes.iter().map(|route| route.consumer.to_string()).collect();
    let who = if routes.is_empty() { rule.name.clone() } else { routes.join(", ") };
    format!("{who} ({})", wanted.origin)
}

fn destination(desired: &Desired, text: String, takes: Takes, senders: Senders) -> Option<Destination> {
    let arn: Arn = text.parse().ok()?;
    let service = service_of(&arn)?;
    let owner: Option<AccountId> = arn.account.parse().ok();
    let name = owner.and_then(|owner| desired.account_names.get(&owner)).map(ToString::to_string);
    let own: BTreeSet<String> = senders
        .sources
        .iter()
        .filter(|(account, _)| Some(**account) == owner)
        .flat_map(|(_, arns)| arns.clone())
        .collect();
    let foreign_roles: BTreeSet<String> = senders
        .roles
        .iter()
        .filter(|(account, _)| Some(**account) != owner)
        .flat_map(|(_, arns)| arns.clone())
        .collect();
    let (mut statements, mut commands) = (Vec::new(), Vec::new());
    let as_itself = match takes {
        // A stream has no policy for services: within an account the role is all that it takes.
        Takes::Events if arn.service == "kinesis" => BTreeSet::new(),
        Takes::Events => own,
        Takes::DeadLetters | Takes::BusDeadLetters => senders.sources.values().flatten().cloned().collect(),
    };
    if !as_itself.is_empty() {
        statements.push(from_eventbridge(takes, &service, &text, &as_itself));
    }
    if takes == Takes::Events && !foreign_roles.is_empty() {
        statements.push(from_roles(&service, &text, &foreign_roles));
    }
    if arn.service == "lambda" {
        commands = permissions_of_function(&text, &as_itself, &foreign_roles);
    }
    let owner = name.unwrap_or(arn.account);
    let Senders { sources, roles: _, asked_by } = senders;
    let parameter = (takes == Takes::Events).then_some(service.parameter);
    let from = sources.into_keys().collect();
    Some(Destination { arn: text, takes, owner, asked_by, statements, commands, parameter, from })
}

fn sid(takes: Takes) -> &'static str {
    match takes {
        Takes::Events => "WheelwrightDelivery",
        Takes::DeadLetters | Takes::BusDeadLetters => "WheelwrightDeadLetters",
    }
}

fn from_eventbridge(takes: Takes, service: &Service, arn: &str, sources: &BTreeSet<String>) -> Value {
    json!({
        "Sid": sid(takes),
        "Effect": "Allow",
        "Principal": {"Service": "events.amazonaws.com"},
        "Action": service.action,
        "Resource": arn,
        "Condition": {"ArnEquals": {"aws:SourceArn": one_or_many(sources)}},
    })
}

fn from_roles(service: &Service, arn: &str, roles: &BTreeSet<String>) -> Value {
    json!({
        "Sid": "WheelwrightDeliveryFromOtherAccounts",
        "Effect": "Allow",
        "Principal": {"AWS": one_or_many(roles)},
        "Action": service.action,
        "Resource": arn,
    })
}

fn one_or_many(texts: &BTreeSet<String>) -> Value {
    match texts.first() {
        Some(only) if texts.len() == 1 => json!(only),
        _ => json!(texts),
    }
}

/// A function's policy is added to by command, one caller at a time
/// (<https://docs.aws.amazon.com/lambda/latest/api/API_AddPermission.html>).
fn permissions_of_function(arn: &str, rules: &BTreeSet<String>, roles: &BTreeSet<String>) -> Vec<String> {
    let add = |number: usize, principal: &str, more: &str| {
        format!(
            "aws lambda add-permission --function-name {arn} --statement-id WheelwrightDelivery{number} --action \
             lambda:InvokeFunction --principal {principal}{more}"
        )
    };
    let by_rule = rules.iter().map(|rule| ("events.amazonaws.com", format!(" --source-arn {rule}")));
    let by_role = roles.iter().map(|role| (role.as_str(), String::new()));
    by_rule.chain(by_role).zip(1..).map(|((principal, more), number)| add(number, principal, &more)).collect()
}

/// What gives the delivery roles the right to deliver to `destinations`: the parameters of the per-account template, in a
/// command for each account that delivers.
pub(super) fn delivery_rights(patient: Patient<'_>, destinations: &[Destination]) -> BTreeMap<AccountName, String> {
    let mut lists: BTreeMap<AccountId, BTreeMap<&'static str, BTreeSet<&str>>> = BTreeMap::new();
    for destination in destinations {
        let Some(parameter) = destination.parameter else { continue };
        for account in &destination.from {
            lists.entry(*account).or_default().entry(parameter).or_default().insert(&destination.arn);
        }
    }
    let command = |(account, lists): (AccountId, BTreeMap<&'static str, BTreeSet<&str>>)| {
        let name = patient.desired.account_names.get(&account)?;
        let region = &patient.desired.scopes.iter().find(|scope| scope.account == account)?.region;
        let parameters: Vec<String> = lists
            .into_iter()
            .map(|(parameter, arns)| format!("{parameter}={}", arns.into_iter().collect::<Vec<_>>().join(",")))
            .collect();
        Some((name.clone(), mend::deploy_global(patient, region, &parameters)))
    };
    lists.into_iter().filter_map(command).collect()
}

/// What each account with `access = "none"` has to add.
pub(super) fn partners(patient: Patient<'_>) -> Vec<Partner> {
    let desired = patient.desired;
    let all: BTreeSet<AccountId> = desired.account_names.keys().copied().collect();
    let destinations = destinations(patient, &all);
    super::needs::never_touched(desired)
        .into_iter()
        .map(|(id, account)| {
            let mut additions = buses(desired, id);
            additions.extend(grants(desired, id));
            additions.extend(forwards(desired, id));
            additions.extend(publishers(desired, id));
            let owned = destinations.iter().filter(|destination| destination.arn.contains(&format!(":{id}:")));
            additions.extend(owned.map(|destination| Addition {
                what: format!("to the policy of {}", destination.name()),
                asked_by: destination.asked_by.clone(),
                json: destination.statements.clone(),
            }));
            Partner { account, id, additions }
        })
        .collect()
}

fn theirs<'a, T>(
    things: impl Iterator<Item = (&'a BusId, T)>,
    account: AccountId,
) -> impl Iterator<Item = (&'a BusId, T)> {
    things.filter(move |(bus, _)| bus.scope.account == account)
}

fn buses(desired: &Desired, account: AccountId) -> Vec<Addition> {
    theirs(desired.buses.iter(), account)
        .map(|(bus, wanted)| Addition {
            what: format!("a bus {} in {}", bus.name, bus.scope.region),
            asked_by: [wanted.origin.to_string()].into(),
            json: Vec::new(),
        })
        .collect()
}

fn grants(desired: &Desired, account: AccountId) -> Vec<Addition> {
    let grants = desired.grants.iter().map(|((bus, sid), wanted)| (bus, (sid, wanted)));
    theirs(grants, account)
        .map(|(bus, (sid, wanted))| Addition {
            what: format!("to the policy of bus {} in {}", bus.name, bus.scope.region),
            asked_by: [wanted.origin.to_string()].into(),
            json: vec![statement(bus, sid, &wanted.spec).to_value()],
        })
        .collect()
}

fn forwards(desired: &Desired, account: AccountId) -> Vec<Addition> {
    let rules = desired.rules.iter().map(|(rule, wanted)| (&rule.bus, (rule, wanted)));
    theirs(rules, account)
        .map(|(bus, (rule, wanted))| {
            let to: Vec<&str> = wanted.spec.targets.values().map(|target| target.arn.as_str()).collect();
            Addition {
                what: format!(
                    "a rule on bus {} in {} (any name, as {}) with this pattern, that delivers to {} with a role and a \
                     dead-letter queue of theirs",
                    bus.name,
                    bus.scope.region,
                    rule.name,
                    to.join(", ")
                ),
                asked_by: [wanted.origin.to_string()].into(),
                json: serde_json::from_str(&wanted.spec.pattern.to_string()).into_iter().collect(),
            }
        })
        .collect()
}

fn publishers(desired: &Desired, account: AccountId) -> Vec<Addition> {
    let publishing = desired.publishers.iter().filter(|((_, publisher), _)| *publisher == account);
    publishing
        .map(|((bus, _), wanted)| {
            let sources = wanted.spec.sources.iter().cloned().collect::<Vec<_>>().join(", ");
            Addition {
                what: format!(
                    "to the roles that publish {sources}: an identity policy for PutEvents on bus {} in {}",
                    bus.arn(),
                    bus.scope.region
                ),
                asked_by: [wanted.origin.to_string()].into(),
                json: vec![publisher_policy(bus)],
            }
        })
        .collect()
}
