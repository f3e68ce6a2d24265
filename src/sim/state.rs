//! What the simulated AWS holds: accounts, their Regions, and the resources in them.
//!
//! Every part that can grow is behind an `Arc`: a fork shares it, and the first write after a fork copies one level
//! of pointers on its way down.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;

use crate::eventbridge::{Arn, DEFAULT_BUS, Pattern};

use super::iam::Role;
use super::kms::Key;
use super::permissions::StoredPolicy;
use super::quotas::Quotas;
use super::sqs::Queue;

/// One account.
#[derive(Debug, Clone, Default)]
pub(super) struct Account {
    pub(super) organization: Option<String>,
    pub(super) quotas: Quotas,
    pub(super) roles: BTreeMap<String, Settling<Role>>,
    /// Actions that nobody in the account may call, whatever their role says.
    pub(super) denied_actions: Vec<String>,
    /// Actions that a service control policy denies.
    pub(super) organization_denials: Vec<String>,
    /// Regions that the account has not enabled.
    pub(super) disabled_regions: BTreeSet<String>,
    pub(super) suspended: bool,
    /// Roles whose sessions turn out to be another account's, with that account.
    pub(super) misdirected_roles: BTreeMap<String, String>,
    pub(super) regions: BTreeMap<String, Arc<Region>>,
}

/// One Region of one account.
#[derive(Debug, Clone, Default)]
pub(super) struct Region {
    pub(super) buses: BTreeMap<String, Arc<Bus>>,
    pub(super) archives: BTreeMap<String, Arc<Archive>>,
    pub(super) queues: BTreeMap<String, Arc<Queue>>,
    /// KMS keys by id.
    pub(super) keys: BTreeMap<String, Arc<Key>>,
    /// Further names of keys, `alias/…`, with the key's id.
    pub(super) key_aliases: BTreeMap<String, String>,
}

impl Region {
    /// A new Region holds the default bus and nothing else.
    pub(super) fn new(account: &str, region: &str) -> Self {
        let mut created = Self::default();
        let bus = Bus::new(account, region, DEFAULT_BUS, 0);
        created.buses.insert(DEFAULT_BUS.to_owned(), Arc::new(bus));
        created
    }

    pub(super) fn bus_mut(&mut self, name: &str) -> Option<&mut Bus> {
        self.buses.get_mut(name).map(Arc::make_mut)
    }
}

/// An event bus with its rules.
#[derive(Debug, Clone)]
pub(super) struct Bus {
    pub(super) name: String,
    pub(super) arn: String,
    pub(super) description: Option<String>,
    pub(super) kms_key: Option<String>,
    pub(super) dead_letter_config: Option<Value>,
    pub(super) log_config: Option<Value>,
    pub(super) created_ms: i64,
    pub(super) modified_ms: i64,
    pub(super) policy: Option<Arc<StoredPolicy>>,
    pub(super) tags: BTreeMap<String, String>,
    pub(super) rules: BTreeMap<String, Arc<Rule>>,
    /// What each rule does to events, which follows what is written after the settle time.
    pub(super) effects: BTreeMap<String, Settling<RuleEffect>>,
}

impl Bus {
    pub(super) fn new(account: &str, region: &str, name: &str, now_ms: i64) -> Self {
        Self {
            name: name.to_owned(),
            arn: Arn::bus(region, account, name).to_string(),
            description: None,
            kms_key: None,
            dead_letter_config: None,
            log_config: None,
            created_ms: now_ms,
            modified_ms: now_ms,
            policy: None,
            tags: BTreeMap::new(),
            rules: BTreeMap::new(),
            effects: BTreeMap::new(),
        }
    }

    pub(super) fn rule_mut(&mut self, name: &str) -> Option<&mut Rule> {
        self.rules.get_mut(name).map(Arc::make_mut)
    }

    /// Lets what is written about a rule take effect: now, or when it has settled.
    pub(super) fn settle_rule(&mut self, name: &str, now_ms: i64, settle_ms: i64) {
        let effect = self.rules.get(name).map(|rule| {
            Arc::new(RuleEffect {
                enabled: rule.state != "DISABLED",
                pattern: rule.pattern.clone(),
                targets: rule.targets.values().cloned().collect(),
            })
        });
        let settling = self.effects.entry(name.to_owned()).or_default();
        settling.set(now_ms, settle_ms, effect);
        if settling.is_gone() {
            self.effects.remove(name);
        }
    }
}

/// A rule with its targets, as it was written.
#[derive(Debug, Clone)]
pub(super) struct Rule {
    pub(super) name: String,
    pub(super) arn: String,
    pub(super) description: Option<String>,
    /// The pattern's text, kept to the letter.
    pub(super) event_pattern: Option<String>,
    pub(super) pattern: Option<Arc<Pattern>>,
    pub(super) schedule: Option<String>,
    pub(super) state: String,
    pub(super) role_arn: Option<String>,
    pub(super) managed_by: Option<String>,
    pub(super) created_by: String,
    pub(super) tags: BTreeMap<String, String>,
    /// By target id; each is the target as it was put.
    pub(super) targets: BTreeMap<String, Arc<Value>>,
}

/// What a rule does to events.
#[derive(Debug, Clone)]
pub(super) struct RuleEffect {
    pub(super) enabled: bool,
    pub(super) pattern: Option<Arc<Pattern>>,
    pub(super) targets: Vec<Arc<Value>>,
}

/// An archive and what it has caught.
#[derive(Debug, Clone)]
pub(super) struct Archive {
    pub(super) name: String,
    pub(super) arn: String,
    pub(super) source_arn: String,
    pub(super) description: Option<String>,
    pub(super) event_pattern: Option<String>,
    pub(super) pattern: Option<Arc<Pattern>>,
    pub(super) kms_key: Option<String>,
    pub(super) retention_days: i64,
    pub(super) created_ms: i64,
    pub(super) events: Vec<Arc<Value>>,
    /// What it says that they take up.
    pub(super) size_bytes: usize,
}

/// A thing whose writes are read at once and take effect later.
#[derive(Debug, Clone)]
pub(super) struct Settling<T> {
    /// From when, and what; `None` is "does not exist". Times never fall.
    versions: Vec<(i64, Option<Arc<T>>)>,
}

impl<T> Default for Settling<T> {
    fn default() -> Self {
        Self { versions: Vec::new() }
    }
}

impl<T> Settling<T> {
    /// Writes a version that takes effect `settle_ms` from now.
    pub(super) fn set(&mut self, now_ms: i64, settle_ms: i64, value: Option<Arc<T>>) {
        let from_ms = now_ms.saturating_add(settle_ms.max(0));
        self.versions.retain(|(time, _)| *time < from_ms);
        let in_effect = self.versions.iter().rposition(|(time, _)| *time <= now_ms).unwrap_or(0);
        self.versions.drain(..in_effect);
        self.versions.push((from_ms, value));
    }

    /// What was written last.
    pub(super) fn latest(&self) -> Option<&Arc<T>> {
        self.versions.last().and_then(|(_, value)| value.as_ref())
    }

    /// What is in effect now.
    pub(super) fn at(&self, now_ms: i64) -> Option<&Arc<T>> {
        self.versions.iter().rev().find(|(from_ms, _)| *from_ms <= now_ms).and_then(|(_, value)| value.as_ref())
    }

    /// Whether nothing is left of it, now or later.
    pub(super) fn is_gone(&self) -> bool {
        self.versions.iter().all(|(_, value)| value.is_none())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_write_is_read_at_once_and_takes_effect_when_it_has_settled() {
        let mut thing = Settling::default();
        thing.set(0, 0, Some(Arc::new("old")));
        thing.set(10, 100, Some(Arc::new("new")));
        assert_eq!(thing.latest().map(|text| **text), Some("new"));
        assert_eq!(thing.at(109).map(|text| **text), Some("old"));
        assert_eq!(thing.at(110).map(|text| **text), Some("new"));
    }

    #[test]
    fn a_deleted_thing_keeps_its_effect_until_the_deletion_has_settled() {
        let mut thing = Settling::default();
        thing.set(0, 0, Some(Arc::new("there")));
        thing.set(10, 100, None);
        assert!(thing.latest().is_none());
        assert!(!thing.is_gone());
        assert!(thing.at(50).is_some());
        assert!(thing.at(110).is_none());
    }
}
