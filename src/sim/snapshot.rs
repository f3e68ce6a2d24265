//! Everything that lives, as one ordered JSON object, so that tests can say "this stayed as it was, to the byte".

use serde_json::{Map, Value};

use super::SimulatedAws;
use super::archives::archive_snapshot;
use super::buses::bus_snapshot;
use super::permissions::sid;
use super::rules::rule_snapshot;
use super::state::{Bus, Region};

/// What kind of thing an item of a snapshot is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SnapshotKind {
    /// A bus with its description, key, dead-letter queue, log level and tags.
    Bus,
    /// One statement of a bus's policy.
    Statement,
    /// A rule with its tags.
    Rule,
    /// A target.
    Target,
    /// An archive.
    Archive,
    /// A queue with its attributes; its messages are not part of it.
    Queue,
}

/// One thing in a snapshot, as a filter sees it.
#[derive(Debug, Clone, Copy)]
pub struct SnapshotItem<'a> {
    /// The account.
    pub account: &'a str,
    /// The Region.
    pub region: &'a str,
    /// The kind.
    pub kind: SnapshotKind,
    /// The bus it is on; empty for archives and queues.
    pub bus: &'a str,
    /// The rule it belongs to; empty where it is none.
    pub rule: &'a str,
    /// The name: of the bus, rule, archive or queue, the statement's or target's id.
    pub name: &'a str,
    /// All of it.
    pub value: &'a Value,
}

impl SimulatedAws {
    /// The things that `keep` keeps, each under its path, such as
    /// `111111111111/us-east-1/rule/orders/to-ledger`. Times are left out.
    pub fn snapshot(&self, keep: impl Fn(&SnapshotItem<'_>) -> bool) -> Value {
        let mut picture = Picture { keep, items: Map::new() };
        for (account, found) in self.accounts.iter() {
            for (region, found) in &found.regions {
                picture.add_region(account, region, found);
            }
        }
        Value::Object(picture.items)
    }

    /// The same of one bus, with its statements, rules and targets, for who looks after every write.
    pub fn snapshot_of_bus(
        &self,
        account: &str,
        region: &str,
        bus: &str,
        keep: impl Fn(&SnapshotItem<'_>) -> bool,
    ) -> Value {
        let mut picture = Picture { keep, items: Map::new() };
        if let Ok(found) = self.bus(account, region, bus) {
            picture.add_bus(account, region, found);
        }
        Value::Object(picture.items)
    }

    /// The same of one account in one Region.
    pub fn snapshot_in(&self, account: &str, region: &str, keep: impl Fn(&SnapshotItem<'_>) -> bool) -> Value {
        let mut picture = Picture { keep, items: Map::new() };
        if let Some(found) = self.region(account, region) {
            picture.add_region(account, region, found);
        }
        Value::Object(picture.items)
    }
}

struct Picture<F> {
    keep: F,
    items: Map<String, Value>,
}

impl<F: Fn(&SnapshotItem<'_>) -> bool> Picture<F> {
    fn add_region(&mut self, account: &str, region: &str, found: &Region) {
        for bus in found.buses.values() {
            self.add_bus(account, region, bus);
        }
        for archive in found.archives.values() {
            let value = archive_snapshot(archive);
            self.add(&SnapshotItem {
                account,
                region,
                kind: SnapshotKind::Archive,
                bus: "",
                rule: "",
                name: &archive.name,
                value: &value,
            });
        }
        for (name, queue) in &found.queues {
            let value = queue.snapshot();
            self.add(&SnapshotItem {
                account,
                region,
                kind: SnapshotKind::Queue,
                bus: "",
                rule: "",
                name,
                value: &value,
            });
        }
    }

    fn add_bus(&mut self, account: &str, region: &str, bus: &Bus) {
        let value = bus_snapshot(bus);
        let whole = SnapshotItem {
            account,
            region,
            kind: SnapshotKind::Bus,
            bus: &bus.name,
            rule: "",
            name: &bus.name,
            value: &value,
        };
        self.add(&whole);
        for statement in bus.policy.iter().flat_map(|policy| policy.statements()) {
            self.add(&SnapshotItem {
                kind: SnapshotKind::Statement,
                name: sid(statement).unwrap_or_default(),
                value: statement,
                ..whole
            });
        }
        for rule in bus.rules.values() {
            let value = rule_snapshot(rule, &bus.name);
            let item =
                SnapshotItem { kind: SnapshotKind::Rule, rule: &rule.name, name: &rule.name, value: &value, ..whole };
            self.add(&item);
            for (id, target) in &rule.targets {
                self.add(&SnapshotItem { kind: SnapshotKind::Target, name: id, value: target, ..item });
            }
        }
    }

    fn add(&mut self, item: &SnapshotItem<'_>) {
        if !(self.keep)(item) {
            return;
        }
        let (bus, rule, name) = (item.bus, item.rule, item.name);
        let path = match item.kind {
            SnapshotKind::Bus => format!("bus/{bus}"),
            SnapshotKind::Statement => format!("statement/{bus}/{name}"),
            SnapshotKind::Rule => format!("rule/{bus}/{rule}"),
            SnapshotKind::Target => format!("target/{bus}/{rule}/{name}"),
            SnapshotKind::Archive => format!("archive/{name}"),
            SnapshotKind::Queue => format!("queue/{name}"),
        };
        let path = format!("{}/{}/{path}", item.account, item.region);
        self.items.insert(path, item.value.clone());
    }
}
