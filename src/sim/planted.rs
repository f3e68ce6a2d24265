//! What nobody makes by a call of their own: rules that AWS services keep in an account, and tags that only AWS sets.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::SimulatedAws;
use super::buses::NamedBus;
use super::state::Rule;
use crate::eventbridge::{Arn, Pattern};

impl SimulatedAws {
    /// A rule as an AWS service puts it on a bus for itself: nobody else may change it. Does nothing where the bus does
    /// not exist.
    pub fn put_managed_rule(
        &mut self,
        account: &str,
        region: &str,
        bus: &str,
        name: &str,
        service: &str,
        event_pattern: &str,
    ) {
        let rule = Rule {
            name: name.to_owned(),
            arn: Arn::rule(region, account, bus, name).to_string(),
            description: None,
            event_pattern: Some(event_pattern.to_owned()),
            pattern: Pattern::parse(event_pattern).ok().map(Arc::new),
            schedule: None,
            state: "ENABLED".to_owned(),
            role_arn: None,
            managed_by: Some(service.to_owned()),
            created_by: account.to_owned(),
            tags: BTreeMap::new(),
            targets: BTreeMap::new(),
        };
        let named = NamedBus { account: account.to_owned(), name: bus.to_owned(), other_region: false };
        // Where there is no bus there is nothing to keep a rule on.
        let _ = self.store_rule(region, &named, rule);
    }

    /// Puts tags on a bus or a rule as AWS itself does: those of a CloudFormation stack, say, which TagResource refuses.
    /// Does nothing where there is none of that ARN.
    pub fn tag_by_aws(&mut self, arn: &str, tags: &[(&str, &str)]) {
        let Ok(arn) = arn.parse::<Arn>() else { return };
        let (bus, rule) = match (arn.bus_and_rule_name(), arn.bus_name()) {
            (Some((bus, rule)), _) => (bus, Some(rule)),
            (None, Some(bus)) => (bus, None),
            (None, None) => return,
        };
        let bus = self.region_mut(&arn.account, &arn.region).and_then(|region| region.bus_mut(bus));
        let Some(bus) = bus else { return };
        let found = match rule {
            None => Some(&mut bus.tags),
            Some(rule) => bus.rule_mut(rule).map(|rule| &mut rule.tags),
        };
        if let Some(found) = found {
            found.extend(tags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())));
        }
    }
}
