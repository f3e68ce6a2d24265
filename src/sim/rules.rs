//! Rules: put, delete, describe, enable, disable, list, and TestEventPattern.
//!
//! <https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutRule.html>

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::SimulatedAws;
use super::buses::{NamedBus, put};
use super::errors::AwsError;
use super::paging::page;
use super::quotas::Quotas;
use super::request::{Constraints, NAME, Request};
use super::state::{Bus, Rule};
use super::tags::{read_tags, tags_of};
use crate::eventbridge::{Arn, DEFAULT_BUS, Pattern};

impl SimulatedAws {
    /// A full replace: what is left out is cleared, the state becomes ENABLED, and tags count on creation alone.
    pub(super) fn put_rule(&mut self, request: &Request<'_>) -> Result<Value, AwsError> {
        check_put_rule(request)?;
        let name = request.text("Name").unwrap_or_default();
        let named = self.named_bus(request, "EventBusName")?;
        let arn = rule_arn(request, &named, name);
        self.authorize_on_bus(request, &named, "events:PutRule", &arn)?;
        let quotas = self.quotas(&named.account);
        let tags = read_tags(request, quotas.tags_per_resource)?;
        if !tags.is_empty() {
            self.authorize_on_bus(request, &named, "events:TagResource", &arn)?;
        }
        let role_arn = request.non_empty("RoleArn");
        if let Some(role_arn) = &role_arn {
            self.authorize_pass_role(request, role_arn)?;
            self.check_assumable(role_arn, &named.account)?;
        }
        let bus = self.bus(&named.account, request.region, &named.name)?;
        self.check_decryptable(request, &named)?;
        let existing = bus.rules.get(name);
        refuse_managed(existing, request)?;
        let schedule = request.text("ScheduleExpression").map(str::to_owned);
        check_schedule(schedule.as_deref(), &named.name)?;
        let event_pattern = request.non_empty("EventPattern");
        let pattern = event_pattern.as_deref().map(parse_pattern).transpose()?;
        check_rule_quotas(bus, name, event_pattern.as_deref().zip(pattern.as_ref()), &quotas)?;
        let rule = Rule {
            name: name.to_owned(),
            arn: arn.clone(),
            description: request.non_empty("Description"),
            event_pattern,
            pattern: pattern.map(Arc::new),
            schedule: schedule.filter(|text| !text.is_empty()),
            state: request.text("State").unwrap_or("ENABLED").to_owned(),
            role_arn,
            managed_by: None,
            created_by: existing.map_or_else(|| request.account().to_owned(), |rule| rule.created_by.clone()),
            tags: existing.map_or(tags, |rule| rule.tags.clone()),
            targets: existing.map_or_else(BTreeMap::new, |rule| rule.targets.clone()),
        };
        self.store_rule(request.region, &named, rule)?;
        Ok(json!({"RuleArn": arn}))
    }

    /// Deleting a rule that does not exist succeeds; on a bus that does not exist it fails.
    pub(super) fn delete_rule(&mut self, request: &Request<'_>) -> Result<Value, AwsError> {
        let name = checked_rule_name(request, "Name")?;
        let named = self.named_bus(request, "EventBusName")?;
        let arn = rule_arn(request, &named, name);
        self.authorize_on_bus(request, &named, "events:DeleteRule", &arn)?;
        let bus = self.bus(&named.account, request.region, &named.name)?;
        let existing = bus.rules.get(name);
        refuse_managed(existing, request)?;
        if existing.is_some_and(|rule| !rule.targets.is_empty()) {
            return Err(AwsError::validation("Rule can't be deleted since it has targets."));
        }
        if existing.is_some() {
            self.erase_rule(&named.account, request.region, &named.name, name);
        }
        Ok(json!({}))
    }

    pub(super) fn describe_rule(&mut self, request: &Request<'_>) -> Result<Value, AwsError> {
        let name = checked_rule_name(request, "Name")?;
        let named = self.named_bus(request, "EventBusName")?;
        self.authorize_on_bus(request, &named, "events:DescribeRule", &rule_arn(request, &named, name))?;
        self.check_decryptable(request, &named)?;
        let rule = self.rule(request, &named, name)?;
        let mut answer = summary(rule, &named.name);
        answer.insert("CreatedBy".to_owned(), json!(rule.created_by));
        Ok(Value::Object(answer))
    }

    pub(super) fn set_rule_state(&mut self, request: &Request<'_>, state: &str) -> Result<Value, AwsError> {
        let name = checked_rule_name(request, "Name")?;
        let named = self.named_bus(request, "EventBusName")?;
        let action = format!("events:{}", request.operation);
        self.authorize_on_bus(request, &named, &action, &rule_arn(request, &named, name))?;
        self.check_decryptable(request, &named)?;
        let rule = self.rule(request, &named, name)?;
        refuse_managed(Some(&Arc::new(rule.clone())), request)?;
        let mut changed = rule.clone();
        changed.state = state.to_owned();
        self.store_rule(request.region, &named, changed)?;
        Ok(json!({}))
    }

    pub(super) fn list_rules(&mut self, request: &Request<'_>) -> Result<Value, AwsError> {
        let named = self.named_bus(request, "EventBusName")?;
        self.authorize_on_bus(request, &named, "events:ListRules", "*")?;
        self.check_decryptable(request, &named)?;
        let bus = self.bus(&named.account, request.region, &named.name)?;
        let prefix = request.text("NamePrefix").unwrap_or_default();
        let items = bus
            .rules
            .values()
            .filter(|rule| rule.name.starts_with(prefix))
            .map(|rule| Value::Object(summary(rule, &bus.name)))
            .collect();
        page(request, &self.settings, "Rules", items)
    }

    pub(super) fn list_rule_names_by_target(&mut self, request: &Request<'_>) -> Result<Value, AwsError> {
        let target = request.text("TargetArn");
        let mut constraints = Constraints::default();
        constraints.required("targetArn", target).length("targetArn", target, 1, 1_600);
        constraints.check()?;
        let named = self.named_bus(request, "EventBusName")?;
        self.authorize_on_bus(request, &named, "events:ListRuleNamesByTarget", "*")?;
        let bus = self.bus(&named.account, request.region, &named.name)?;
        let reaches =
            |rule: &Rule| rule.targets.values().any(|found| found.get("Arn").and_then(Value::as_str) == target);
        let names = bus.rules.values().filter(|rule| reaches(rule)).map(|rule| json!(rule.name)).collect();
        page(request, &self.settings, "RuleNames", names)
    }

    pub(super) fn test_event_pattern(&mut self, request: &Request<'_>) -> Result<Value, AwsError> {
        let (pattern, event) = (request.text("EventPattern"), request.text("Event"));
        let mut constraints = Constraints::default();
        constraints.required("eventPattern", pattern).required("event", event);
        constraints.check()?;
        self.authorize(request, "events:TestEventPattern", "*")?;
        let pattern = parse_pattern(pattern.unwrap_or_default())?;
        let invalid = |reason: &str| AwsError::validation(format!("Parameter Event is not valid. Reason: {reason}"));
        let event: Value =
            serde_json::from_str(event.unwrap_or_default()).map_err(|_| invalid("Event is not valid JSON."))?;
        for field in ["id", "account", "source", "time", "region", "resources", "detail-type"] {
            if event.get(field).is_none() {
                return Err(invalid(&format!("{field} is a required field.")));
            }
        }
        Ok(json!({"Result": pattern.matches(&event)}))
    }

    pub(super) fn rule(&self, request: &Request<'_>, named: &NamedBus, rule: &str) -> Result<&Rule, AwsError> {
        self.bus(&named.account, request.region, &named.name)?
            .rules
            .get(rule)
            .map(Arc::as_ref)
            .ok_or_else(|| AwsError::rule_not_found(rule, &named.name))
    }

    /// Writes a rule, at once for reads, after the settle time for events.
    pub(super) fn store_rule(&mut self, region: &str, named: &NamedBus, rule: Rule) -> Result<(), AwsError> {
        let (now_ms, settle_ms) = (self.now_ms, self.settings.settle_ms);
        let bus = self
            .region_mut(&named.account, region)
            .and_then(|region| region.bus_mut(&named.name))
            .ok_or_else(|| AwsError::bus_not_found(&named.name))?;
        let name = rule.name.clone();
        bus.rules.insert(name.clone(), Arc::new(rule));
        bus.settle_rule(&name, now_ms, settle_ms);
        Ok(())
    }

    pub(super) fn erase_rule(&mut self, account: &str, region: &str, bus: &str, rule: &str) {
        let (now_ms, settle_ms) = (self.now_ms, self.settings.settle_ms);
        if let Some(bus) = self.region_mut(account, region).and_then(|region| region.bus_mut(bus)) {
            bus.rules.remove(rule);
            bus.settle_rule(rule, now_ms, settle_ms);
        }
    }
}

/// The ARN of a rule in the Region that is called.
pub(super) fn rule_arn(request: &Request<'_>, named: &NamedBus, rule: &str) -> String {
    Arn::rule(request.region, &named.account, &named.name, rule).to_string()
}

pub(super) fn checked_rule_name<'a>(request: &Request<'a>, field: &str) -> Result<&'a str, AwsError> {
    let name = request.text(field);
    let at = if field == "Rule" { "rule" } else { "name" };
    let mut constraints = Constraints::default();
    constraints.required(at, name).length(at, name, 1, 64).characters(at, name, NAME);
    constraints.check()?;
    name.ok_or_else(AwsError::internal)
}

/// Rules that an AWS service manages are left alone, unless the request forces it where that is possible.
pub(super) fn refuse_managed(rule: Option<&Arc<Rule>>, request: &Request<'_>) -> Result<(), AwsError> {
    let Some(rule) = rule else { return Ok(()) };
    match &rule.managed_by {
        Some(manager) if !request.flag("Force") => Err(AwsError::managed_rule(&rule.name, manager)),
        _ => Ok(()),
    }
}

/// A pattern, or the error that PutRule, TestEventPattern and CreateArchive share.
pub(super) fn parse_pattern(text: &str) -> Result<Pattern, AwsError> {
    Pattern::parse(text).map_err(|error| AwsError::client("InvalidEventPatternException", error.to_string()))
}

/// The rule for a snapshot: everything but its targets.
pub(super) fn rule_snapshot(rule: &Rule, bus: &str) -> Value {
    let mut map = summary(rule, bus);
    map.insert("Tags".to_owned(), tags_of(&rule.tags));
    Value::Object(map)
}

fn check_put_rule(request: &Request<'_>) -> Result<(), AwsError> {
    let name = request.text("Name");
    let mut constraints = Constraints::default();
    constraints
        .required("name", name)
        .length("name", name, 1, 64)
        .characters("name", name, NAME)
        .length("eventPattern", request.text("EventPattern"), 0, 4_096)
        .length("scheduleExpression", request.text("ScheduleExpression"), 0, 256)
        .length("description", request.text("Description"), 0, 512)
        .length("roleArn", request.text("RoleArn"), 1, 1_600)
        .one_of("state", request.text("State"), &STATES);
    constraints.check()?;
    let empty = |field| request.non_empty(field).is_none();
    if empty("EventPattern") && request.text("ScheduleExpression").is_none() {
        return Err(AwsError::validation("Parameter(s) EventPattern or ScheduleExpression must be specified."));
    }
    Ok(())
}

/// A schedule, even an empty one, is for the default bus alone.
fn check_schedule(schedule: Option<&str>, bus: &str) -> Result<(), AwsError> {
    let Some(text) = schedule else { return Ok(()) };
    if bus != DEFAULT_BUS {
        return Err(AwsError::validation("ScheduleExpression is supported only on the default event bus."));
    }
    let plausible =
        text.is_empty() || ((text.starts_with("rate(") || text.starts_with("cron(")) && text.ends_with(')'));
    if plausible {
        return Ok(());
    }
    Err(AwsError::validation("Parameter ScheduleExpression is not valid."))
}

fn check_rule_quotas(
    bus: &Bus,
    name: &str,
    pattern: Option<(&str, &Pattern)>,
    quotas: &Quotas,
) -> Result<(), AwsError> {
    let is_new = !bus.rules.contains_key(name);
    if is_new && bus.rules.len() >= quotas.rules_per_bus {
        return Err(AwsError::limit_exceeded());
    }
    let Some((text, parsed)) = pattern else {
        return Ok(());
    };
    if text.chars().count() > quotas.pattern_characters {
        return Err(AwsError::limit_exceeded());
    }
    let has_wildcard = |pattern: &Pattern| pattern.wildcard_count() > 0;
    let others = bus
        .rules
        .values()
        .filter(|rule| rule.name != name && rule.pattern.as_deref().is_some_and(has_wildcard))
        .count();
    if has_wildcard(parsed) && others >= quotas.wildcard_rules_per_bus {
        return Err(AwsError::limit_exceeded());
    }
    Ok(())
}

fn summary(rule: &Rule, bus: &str) -> Map<String, Value> {
    let mut map = Map::new();
    let text = |value: &Option<String>| value.as_ref().map(|text| json!(text));
    put(&mut map, "Name", Some(json!(rule.name)));
    put(&mut map, "Arn", Some(json!(rule.arn)));
    put(&mut map, "EventPattern", text(&rule.event_pattern));
    put(&mut map, "ScheduleExpression", text(&rule.schedule));
    put(&mut map, "State", Some(json!(rule.state)));
    put(&mut map, "Description", text(&rule.description));
    put(&mut map, "RoleArn", text(&rule.role_arn));
    put(&mut map, "ManagedBy", text(&rule.managed_by));
    put(&mut map, "EventBusName", Some(json!(bus)));
    map
}

const STATES: [&str; 3] = ["ENABLED", "DISABLED", "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS"];
