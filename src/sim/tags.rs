//! Tags of buses and rules.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::SimulatedAws;
use super::buses::NamedBus;
use super::errors::AwsError;
use super::request::{Constraints, Request};
use crate::eventbridge::Arn;

/// A thing that can be tagged: a bus, or a rule on it.
struct Tagged {
    bus: NamedBus,
    rule: Option<String>,
}

impl SimulatedAws {
    pub(super) fn tag_resource(&mut self, request: &Request<'_>) -> Result<Value, AwsError> {
        let most = self.quotas(request.account()).tags_per_resource;
        let added = read_tags(request, most)?;
        self.change_tags(request, |tags| {
            tags.extend(added);
            if tags.len() > most { Err(AwsError::limit_exceeded()) } else { Ok(()) }
        })
    }

    pub(super) fn untag_resource(&mut self, request: &Request<'_>) -> Result<Value, AwsError> {
        self.change_tags(request, |tags| {
            for key in request.list("TagKeys").iter().filter_map(Value::as_str) {
                tags.remove(key);
            }
            Ok(())
        })
    }

    pub(super) fn list_tags_for_resource(&mut self, request: &Request<'_>) -> Result<Value, AwsError> {
        let tagged = self.tagged(request)?;
        let tags = match &tagged.rule {
            None => &self.bus(&tagged.bus.account, request.region, &tagged.bus.name)?.tags,
            Some(rule) => &self.rule(request, &tagged.bus, rule)?.tags,
        };
        Ok(json!({"Tags": tags_of(tags)}))
    }

    fn change_tags(
        &mut self,
        request: &Request<'_>,
        change: impl FnOnce(&mut BTreeMap<String, String>) -> Result<(), AwsError>,
    ) -> Result<Value, AwsError> {
        let Tagged { bus: named, rule } = self.tagged(request)?;
        let bus = self
            .region_mut(&named.account, request.region)
            .and_then(|region| region.bus_mut(&named.name))
            .ok_or_else(|| AwsError::bus_not_found(&named.name))?;
        let tags = match &rule {
            None => &mut bus.tags,
            Some(rule) => {
                let found = bus.rule_mut(rule);
                &mut found.ok_or_else(|| AwsError::rule_not_found(rule, &named.name))?.tags
            }
        };
        let mut changed = tags.clone();
        change(&mut changed)?;
        *tags = changed;
        Ok(json!({}))
    }

    fn tagged(&self, request: &Request<'_>) -> Result<Tagged, AwsError> {
        let text = request.text("ResourceARN");
        let mut constraints = Constraints::default();
        constraints.required("resourceARN", text).length("resourceARN", text, 1, 1_600);
        constraints.check()?;
        let text = text.unwrap_or_default();
        let invalid = || {
            AwsError::validation(format!(
                "Parameter {text} is not valid. Reason: Provided Arn is not in correct format."
            ))
        };
        let arn: Arn = text.parse().map_err(|_| invalid())?;
        let (bus, rule) = match (arn.bus_and_rule_name(), arn.bus_name()) {
            (Some((bus, rule)), _) => (bus, Some(rule.to_owned())),
            (None, bus) => (bus.ok_or_else(invalid)?, None),
        };
        let bus = NamedBus { name: bus.to_owned(), account: arn.account.clone(), other_region: false };
        let action = format!("events:{}", request.operation);
        self.authorize_on_bus(request, &bus, &action, text)?;
        if arn.region != request.region {
            return Err(AwsError::validation("Cross-region api call is not allowed."));
        }
        Ok(Tagged { bus, rule })
    }
}

/// The tags of a request, checked.
pub(super) fn read_tags(request: &Request<'_>, most: usize) -> Result<BTreeMap<String, String>, AwsError> {
    let mut tags = BTreeMap::new();
    let mut constraints = Constraints::default();
    for (index, tag) in request.list("Tags").iter().enumerate() {
        let key = tag.get("Key").and_then(Value::as_str);
        let value = tag.get("Value").and_then(Value::as_str);
        let place = |field: &str| format!("tags.{}.member.{field}", index + 1);
        constraints
            .required(&place("key"), key)
            .length(&place("key"), key, 1, 128)
            .required(&place("value"), value)
            .length(&place("value"), value, 0, 256);
        if key.is_some_and(|key| key.starts_with("aws:")) {
            return Err(AwsError::validation("System tags cannot be added/updated by requester"));
        }
        tags.insert(key.unwrap_or_default().to_owned(), value.unwrap_or_default().to_owned());
    }
    constraints.check()?;
    if tags.len() > most {
        return Err(AwsError::limit_exceeded());
    }
    Ok(tags)
}

/// Tags as AWS lists them.
pub(super) fn tags_of(tags: &BTreeMap<String, String>) -> Value {
    tags.iter().map(|(key, value)| json!({"Key": key, "Value": value})).collect()
}
