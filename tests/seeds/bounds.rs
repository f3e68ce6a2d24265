//! How much a sweep may take away and change without a person, counted from the simulated AWS and its log (promise 5).

use crate::oracle::{STATEMENTS, is_ours, items};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use wheelwright::model::plan::PlanSettings;
use wheelwright::sim::{LogEntry, SimulatedAws, SnapshotKind};

type Scope = (String, String);

/// Guards that hold nearly everything.
pub fn narrow_guards() -> PlanSettings {
    PlanSettings {
        breaks_percent_max: 10,
        breaks_floor: 1,
        changes_percent_max: 10,
        changes_floor: 2,
        ..PlanSettings::default()
    }
}

/// What there was of ours when a sweep began, and what share of it may go.
#[derive(Clone)]
pub struct Bounds {
    settings: PlanSettings,
    /// Rules, targets and statements.
    parts: BTreeMap<Scope, usize>,
    /// Rules, statements and buses.
    things: BTreeMap<Scope, usize>,
    /// What buses are set to, but for the sequence in their marks: writing a newer one changes nothing.
    settings_of: BTreeMap<String, [String; 4]>,
}

impl Bounds {
    pub fn of(aws: &SimulatedAws, settings: &PlanSettings) -> Self {
        let mut bounds = Self {
            settings: settings.clone(),
            parts: BTreeMap::new(),
            things: BTreeMap::new(),
            settings_of: BTreeMap::new(),
        };
        let found = items(aws, |item| match item.kind {
            SnapshotKind::Rule | SnapshotKind::Bus => is_ours(item.value),
            SnapshotKind::Statement => item.name.starts_with(STATEMENTS),
            SnapshotKind::Target => item.name.starts_with(STATEMENTS),
            SnapshotKind::Archive | SnapshotKind::Queue => false,
        });
        for (path, value) in &found {
            let parts: Vec<&str> = path.splitn(4, '/').collect();
            let scope = (parts[0].to_owned(), parts[1].to_owned());
            if parts[2] == "bus" {
                bounds.settings_of.insert(path.clone(), bus_settings(value));
            } else {
                *bounds.parts.entry(scope.clone()).or_default() += 1;
            }
            if parts[2] != "target" {
                *bounds.things.entry(scope).or_default() += 1;
            }
        }
        bounds
    }

    /// Whether this writes a newer sequence into a bus's mark, and nothing else.
    fn is_stamp(&self, entry: &LogEntry) -> bool {
        let name = entry.input["Name"].as_str().unwrap_or_default();
        let path = format!("{}/{}/bus/{name}", entry.account, entry.region);
        self.settings_of.get(&path) == Some(&bus_settings(&entry.input))
    }
}

/// What a bus is set to, with its mark's sequence left out.
fn bus_settings(value: &Value) -> [String; 4] {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let description = text(&value["Description"]);
    let (words, mark) = description.rsplit_once(" [ww1:").unwrap_or((&description, ""));
    let mark: Vec<&str> = mark.split(':').collect();
    let log = &value["LogConfig"];
    [
        format!("{words} {:?} {:?}", mark.first(), mark.get(2)),
        text(&value["KmsKeyIdentifier"]),
        text(&value["DeadLetterConfig"]["Arn"]),
        format!("{} {}", log["Level"].as_str().unwrap_or("OFF"), log["IncludeDetail"].as_str().unwrap_or("NONE")),
    ]
}

/// What a sweep did so far.
#[derive(Clone, Default)]
pub struct Count {
    taken: BTreeMap<Scope, usize>,
    changed: BTreeMap<Scope, BTreeSet<String>>,
    /// What was made meanwhile is ours, too.
    made: BTreeMap<Scope, usize>,
}

impl Count {
    pub fn add(&mut self, entry: &LogEntry, bounds: &Bounds) {
        let scope = (entry.account.clone(), entry.region.clone());
        let input = &entry.input;
        let len = |field: &str| input[field].as_array().map_or(0, Vec::len);
        match entry.operation.as_str() {
            "RemoveTargets" => *self.taken.entry(scope).or_default() += len("Ids"),
            "DeleteRule" | "RemovePermission" => *self.taken.entry(scope).or_default() += 1,
            "UpdateEventBus" if bounds.is_stamp(entry) => {}
            "UpdateEventBus" | "UpdateArchive" => {
                self.changed.entry(scope).or_default().insert(format!("{}{}", input["Name"], input["ArchiveName"]));
            }
            "PutTargets" => *self.made.entry(scope).or_default() += len("Targets"),
            "PutRule" | "PutPermission" | "CreateEventBus" => *self.made.entry(scope).or_default() += 1,
            _ => {}
        }
    }

    /// What is more than may be, in words.
    pub fn beyond(&self, bounds: &Bounds) -> Vec<String> {
        let PlanSettings { breaks_percent_max, breaks_floor, changes_percent_max, changes_floor, .. } = bounds.settings;
        let changed = self.changed.iter().map(|(scope, names)| (scope.clone(), names.len())).collect();
        let mut found = self.over("taken away", &self.taken, &bounds.parts, breaks_floor, breaks_percent_max);
        found.extend(self.over("changed", &changed, &bounds.things, changes_floor, changes_percent_max));
        found
    }

    fn over(
        &self,
        what: &str,
        counts: &BTreeMap<Scope, usize>,
        owned: &BTreeMap<Scope, usize>,
        floor: u32,
        percent: u32,
    ) -> Vec<String> {
        let made = |scope: &Scope| self.made.get(scope).copied().unwrap_or_default();
        let is_over = |count: usize, of: usize| count > floor as usize && count * 100 > of * percent as usize;
        let mut found = Vec::new();
        for (scope, count) in counts {
            let of = owned.get(scope).copied().unwrap_or_default() + made(scope);
            if is_over(*count, of) {
                found.push(format!("{count} of {of} in {scope:?} were {what}, more than {floor} and {percent} %"));
            }
        }
        let count: usize = counts.values().sum();
        let of: usize = owned.values().sum::<usize>() + self.made.values().sum::<usize>();
        if is_over(count, of) {
            found.push(format!("{count} of {of} in all were {what}, more than {floor} and {percent} %"));
        }
        found
    }
}
