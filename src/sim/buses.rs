//! Event buses: create, update, delete, describe, list, and how a request names one.
//!
//! Policies are in `permissions`, rules in `rules`.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::SimulatedAws;
use super::authorization::{Guarded, refusal};
use super::errors::AwsError;
use super::paging::page;
use super::policy_document::Asker;
use super::request::{BUS_NAME, Constraints, Request};
use super::settings::BusUpdates;
use super::state::Bus;
use super::tags::{read_tags, tags_of};
use crate::eventbridge::{Arn, DEFAULT_BUS};

impl SimulatedAws {
    pub(super) fn create_event_bus(&mut self, request: &Request<'_>) -> Result<Value, AwsError> {
        let name = checked_name(request, "Name")?;
        self.authorize(request, "events:CreateEventBus", &own_bus(request, name))?;
        if !request.list("Tags").is_empty() {
            self.authorize(request, "events:TagResource", &own_bus(request, name))?;
        }
        if name.starts_with("aws.") || name.contains('/') {
            return Err(AwsError::not_found(format!("Event source {name} does not exist.")));
        }
        let quotas = self.quotas(request.account());
        let tags = read_tags(request, quotas.tags_per_resource)?;
        let now_ms = self.now_ms;
        check_log_config(request)?;
        check_dead_letters(request)?;
        let exists = self.bus(request.account(), request.region, name).is_ok();
        let key = match request.non_empty("KmsKeyIdentifier") {
            Some(identifier) if !exists => {
                Some(self.check_new_bus_key(request, &own_bus(request, name), &identifier)?)
            }
            _ => None,
        };
        let region = self.region_mut(request.account(), request.region).ok_or_else(AwsError::internal)?;
        if region.buses.contains_key(name) {
            return Err(AwsError::already_exists(format!("Event bus {name} already exists.")));
        }
        if region.buses.len() > quotas.buses {
            return Err(AwsError::limit_exceeded());
        }
        let mut bus = Bus::new(request.account(), request.region, name, now_ms);
        fill(&mut bus, request, BusUpdates::FullReplace);
        bus.kms_key = key;
        bus.tags = tags;
        let mut answer = attributes(&bus);
        answer.insert("EventBusArn".to_owned(), json!(bus.arn));
        region.buses.insert(name.to_owned(), Arc::new(bus));
        Ok(Value::Object(answer))
    }

    /// What becomes of what a request leaves out is for [`BusUpdates`] to say.
    pub(super) fn update_event_bus(&mut self, request: &Request<'_>) -> Result<Value, AwsError> {
        let name = match request.text("Name") {
            Some(_) => checked_name(request, "Name")?,
            None => DEFAULT_BUS,
        };
        let arn = own_bus(request, name);
        self.authorize(request, "events:UpdateEventBus", &arn)?;
        check_log_config(request)?;
        check_dead_letters(request)?;
        let (now_ms, updates) = (self.now_ms, self.settings.bus_updates);
        let bus = self.bus(request.account(), request.region, name)?;
        let wanted = match request.text("KmsKeyIdentifier") {
            None if updates == BusUpdates::AsCaptured => bus.kms_key.clone(),
            None | Some("") => None,
            Some(identifier) => Some(self.check_new_bus_key(request, &arn, identifier)?),
        };
        if wanted != bus.kms_key {
            self.check_old_bus_key(bus)?;
        }
        let bus = self.own_bus_mut(request, name)?;
        fill(bus, request, updates);
        bus.kms_key = wanted;
        bus.modified_ms = now_ms;
        let mut answer = attributes(bus);
        answer.insert("Arn".to_owned(), json!(bus.arn));
        answer.insert("Name".to_owned(), json!(bus.name));
        Ok(Value::Object(answer))
    }

    /// Deleting a bus that does not exist succeeds.
    pub(super) fn delete_event_bus(&mut self, request: &Request<'_>) -> Result<Value, AwsError> {
        let name = checked_name(request, "Name")?;
        self.authorize(request, "events:DeleteEventBus", &own_bus(request, name))?;
        if name == DEFAULT_BUS {
            return Err(AwsError::validation("Cannot delete event bus default."));
        }
        let region = self.region_mut(request.account(), request.region).ok_or_else(AwsError::internal)?;
        if region.buses.get(name).is_some_and(|bus| !bus.rules.is_empty()) {
            return Err(AwsError::validation("EventBus can't be deleted since it has rules."));
        }
        region.buses.remove(name);
        Ok(json!({}))
    }

    pub(super) fn describe_event_bus(&mut self, request: &Request<'_>) -> Result<Value, AwsError> {
        let named = self.named_bus(request, "Name")?;
        let arn = Arn::bus(request.region, &named.account, &named.name).to_string();
        if named.other_region {
            return Err(AwsError::validation("Cross-region api call is not allowed."));
        }
        self.authorize_on_bus(request, &named, "events:DescribeEventBus", &arn)?;
        let bus = self.bus(&named.account, request.region, &named.name)?;
        let mut answer = summary(bus);
        for (key, value) in attributes(bus) {
            answer.insert(key, value);
        }
        Ok(Value::Object(answer))
    }

    pub(super) fn list_event_buses(&mut self, request: &Request<'_>) -> Result<Value, AwsError> {
        self.authorize(request, "events:ListEventBuses", "*")?;
        let prefix = request.text("NamePrefix").unwrap_or_default();
        let region = self.region(request.account(), request.region).ok_or_else(AwsError::internal)?;
        let items = region
            .buses
            .values()
            .filter(|bus| bus.name.starts_with(prefix))
            .map(|bus| Value::Object(summary(bus)))
            .collect();
        page(request, &self.settings, "EventBuses", items)
    }

    /// The bus that a request names by name or ARN; the default bus where it names none.
    ///
    /// The ARN of another Region lands on the bus of that name in the Region that is called, as captures show.
    pub(super) fn named_bus(&self, request: &Request<'_>, field: &str) -> Result<NamedBus, AwsError> {
        let Some(text) = request.text(field) else {
            return Ok(NamedBus::own(request, DEFAULT_BUS));
        };
        if !text.starts_with("arn:") {
            return Ok(NamedBus::own(request, checked_name(request, field)?));
        }
        let malformed = || {
            AwsError::validation(format!(
                "Parameter {text} is not valid. Reason: Provided Arn is not in correct format."
            ))
        };
        let arn: Arn = text.parse().map_err(|_| malformed())?;
        let name = arn.bus_name().ok_or_else(malformed)?.to_owned();
        Ok(NamedBus { name, other_region: arn.region != request.region, account: arn.account })
    }

    /// Refuses what the caller or the bus's policy does not allow. The policy counts for buses of other accounts, and
    /// at home where it denies or names the caller.
    pub(super) fn authorize_on_bus(
        &self,
        request: &Request<'_>,
        named: &NamedBus,
        action: &str,
        resource: &str,
    ) -> Result<(), AwsError> {
        let bus = self.bus(&named.account, request.region, &named.name).ok();
        let policy = bus.and_then(|bus| bus.policy.as_ref());
        let own = named.account == request.account();
        if own && !policy.is_some_and(|policy| policy.has_denials()) {
            let because = self.own_refusal(request, action, resource);
            if because.is_none() || policy.is_none() {
                return because.map_or(Ok(()), |because| Err(refusal(request, action, resource, because)));
            }
        }
        let bus_arn = Arn::bus(request.region, &named.account, &named.name).to_string();
        let resource_arn: Option<Arn> = resource.parse().ok();
        let rule = resource_arn.as_ref().and_then(Arn::bus_and_rule_name).map(|(_, rule)| rule);
        let rule_found = rule.and_then(|rule| bus?.rules.get(rule));
        // Whoever makes a rule counts as its creator already.
        let creator = rule.map(|_| rule_found.map_or(request.account(), |rule| rule.created_by.as_str()));
        let asker = self
            .asker(request.caller)
            .with_optional("events:creatorAccount", creator)
            .with_optional("events:ManagedBy", rule_found.and_then(|rule| rule.managed_by.as_deref()));
        let guarded = Guarded {
            account: &named.account,
            // What has no resource of its own, such as ListRules, is allowed on the bus.
            arn: if resource == "*" { &bus_arn } else { resource },
            statements: policy.map_or_else(Vec::new, |policy| policy.statements().iter().collect()),
            asker: with_content(asker, request),
        };
        self.authorize_on(request, action, resource, &guarded)
    }

    pub(super) fn bus(&self, account: &str, region: &str, name: &str) -> Result<&Bus, AwsError> {
        self.region(account, region)
            .and_then(|found| found.buses.get(name))
            .map(Arc::as_ref)
            .ok_or_else(|| AwsError::bus_not_found(name))
    }

    pub(super) fn own_bus_mut(&mut self, request: &Request<'_>, name: &str) -> Result<&mut Bus, AwsError> {
        self.region_mut(request.account(), request.region)
            .and_then(|region| region.bus_mut(name))
            .ok_or_else(|| AwsError::bus_not_found(name))
    }
}

/// A bus as a request names it.
pub(super) struct NamedBus {
    pub(super) account: String,
    pub(super) name: String,
    pub(super) other_region: bool,
}

impl NamedBus {
    fn own(request: &Request<'_>, name: &str) -> Self {
        Self { account: request.account().to_owned(), name: name.to_owned(), other_region: false }
    }
}

/// What conditions on rules look at: which sources and detail-types a pattern asks for by name, and where targets are.
/// <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-conditions.html>
fn with_content(mut asker: Asker, request: &Request<'_>) -> Asker {
    let pattern: Value =
        request.text("EventPattern").and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
    for (key, field) in [("events:source", "source"), ("events:detail-type", "detail-type")] {
        asker = asker.with_optional(key, None);
        for wanted in pattern.get(field).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str) {
            asker = asker.with(key, wanted);
        }
    }
    asker = asker.with_optional("events:TargetArn", None);
    for target in request.list("Targets") {
        asker = asker.with_optional("events:TargetArn", target.get("Arn").and_then(Value::as_str));
    }
    asker
}

/// A bus name in the request, its shape checked. ARNs fail here, for the operations that take a name alone.
pub(super) fn checked_name<'a>(request: &Request<'a>, field: &str) -> Result<&'a str, AwsError> {
    let name = request.text(field);
    let at = lower_first(field);
    let mut constraints = Constraints::default();
    constraints.required(&at, name).length(&at, name, 1, 256).characters(&at, name, BUS_NAME).length(
        "description",
        request.text("Description"),
        0,
        512,
    );
    constraints.check()?;
    name.ok_or_else(AwsError::internal)
}

/// A member's name as AWS's validation messages write it.
fn lower_first(field: &str) -> String {
    let mut characters = field.chars();
    characters.next().map_or_else(String::new, |first| first.to_lowercase().chain(characters).collect())
}

fn own_bus(request: &Request<'_>, name: &str) -> String {
    Arn::bus(request.region, request.account(), name).to_string()
}

/// Takes over what a request says of a bus, but for its key.
fn fill(bus: &mut Bus, request: &Request<'_>, updates: BusUpdates) {
    let given = |field: &str| updates == BusUpdates::FullReplace || request.structure(field).is_some();
    if given("Description") {
        bus.description = request.non_empty("Description");
    }
    if given("DeadLetterConfig") {
        bus.dead_letter_config =
            request.structure("DeadLetterConfig").filter(|config| config.get("Arn") != Some(&json!("")));
    }
    if given("LogConfig") {
        bus.log_config = request.structure("LogConfig");
    }
}

fn check_log_config(request: &Request<'_>) -> Result<(), AwsError> {
    let member = |name: &str| request.input.get("LogConfig")?.get(name)?.as_str();
    let mut constraints = Constraints::default();
    constraints.one_of("logConfig.includeDetail", member("IncludeDetail"), &["FULL", "NONE"]).one_of(
        "logConfig.level",
        member("Level"),
        &["INFO", "ERROR", "TRACE", "OFF"],
    );
    constraints.check()
}

/// A bus's dead-letter queue is a standard queue in its Region; whether it exists is not looked at.
fn check_dead_letters(request: &Request<'_>) -> Result<(), AwsError> {
    let Some(config) = request.structure("DeadLetterConfig") else {
        return Ok(());
    };
    let Some(text) = config.get("Arn").and_then(Value::as_str) else {
        return Err(AwsError::validation(
            "Parameter DeadLetterConfig.Arn is not valid. Reason: Provide a valid SQS queue ARN, or an empty string to remove the dead-letter queue configuration.",
        ));
    };
    let queue: Option<Arn> = text.parse().ok();
    let standard = queue.is_some_and(|arn| {
        arn.queue_name().is_some_and(|name| !name.ends_with(".fifo")) && arn.region == request.region
    });
    if text.is_empty() || standard {
        return Ok(());
    }
    Err(AwsError::access_denied(format!(
        "Access to the resource {text} is denied. Reason: You must specify a dead letter queue in the same region."
    )))
}

/// What Describe, Create and Update echo and List does not.
fn attributes(bus: &Bus) -> Map<String, Value> {
    let mut map = Map::new();
    put(&mut map, "Description", bus.description.as_ref().map(|text| json!(text)));
    put(&mut map, "KmsKeyIdentifier", bus.kms_key.as_ref().map(|text| json!(text)));
    put(&mut map, "DeadLetterConfig", bus.dead_letter_config.clone());
    put(&mut map, "LogConfig", bus.log_config.clone());
    map
}

fn summary(bus: &Bus) -> Map<String, Value> {
    let mut map = Map::new();
    put(&mut map, "Name", Some(json!(bus.name)));
    put(&mut map, "Arn", Some(json!(bus.arn)));
    put(&mut map, "Description", bus.description.as_ref().map(|text| json!(text)));
    put(&mut map, "Policy", bus.policy.as_ref().map(|policy| json!(policy.text())));
    put(&mut map, "CreationTime", Some(seconds(bus.created_ms)));
    put(&mut map, "LastModifiedTime", Some(seconds(bus.modified_ms)));
    map
}

/// The bus for a snapshot: everything but its policy, rules and times.
pub(super) fn bus_snapshot(bus: &Bus) -> Value {
    let mut map = attributes(bus);
    put(&mut map, "Arn", Some(json!(bus.arn)));
    put(&mut map, "Tags", Some(tags_of(&bus.tags)));
    Value::Object(map)
}

/// Puts a field where there is a value.
pub(super) fn put(map: &mut Map<String, Value>, field: &str, value: Option<Value>) {
    if let Some(value) = value {
        map.insert(field.to_owned(), value);
    }
}

/// A time in AWS's JSON: epoch seconds with a fraction.
pub(super) fn seconds(ms: i64) -> Value {
    #[allow(clippy::cast_precision_loss)]
    let seconds = ms as f64 / 1_000.0;
    json!(seconds)
}
