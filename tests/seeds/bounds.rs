//! How much a sweep may take away and change without a person, counted from the simulated AWS and its log (promise 5).

use crate::oracle::{OWNER, ids_of, is_ours, items};
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
    /// What rules, targets and statements are, by path: who puts the same again changes nothing.
    content_of: BTreeMap<String, Content>,
}

/// A rule's state and pattern, a target or a statement.
#[derive(Clone, Debug, PartialEq)]
enum Content {
    Rule { is_enabled: bool, pattern: Value },
    Part(Value),
}

impl Bounds {
    pub fn of(aws: &SimulatedAws, settings: &PlanSettings) -> Self {
        let mut bounds = Self {
            settings: settings.clone(),
            parts: BTreeMap::new(),
            things: BTreeMap::new(),
            settings_of: BTreeMap::new(),
            content_of: BTreeMap::new(),
        };
        let found = items(aws, |item| match item.kind {
            SnapshotKind::Rule | SnapshotKind::Bus => is_ours(item.value),
            SnapshotKind::Statement | SnapshotKind::Target => item.name.starts_with(&ids_of(OWNER)),
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
        // Also of what bears no mark of ours any more: putting it again makes nothing new.
        let all =
            items(aws, |item| matches!(item.kind, SnapshotKind::Rule | SnapshotKind::Target | SnapshotKind::Statement));
        let content = |path: &str, value| if path.contains("/rule/") { rule(&value) } else { Content::Part(value) };
        bounds.content_of = all.into_iter().map(|(path, value)| (path.clone(), content(&path, value))).collect();
        bounds
    }

    /// Whether this writes a newer sequence into a bus's mark, and nothing else.
    fn is_stamp(&self, entry: &LogEntry) -> bool {
        let name = entry.input["Name"].as_str().unwrap_or_default();
        let path = format!("{}/{}/bus/{name}", entry.account, entry.region);
        self.settings_of.get(&path) == Some(&bus_settings(&entry.input))
    }
}

fn rule(value: &Value) -> Content {
    let pattern = value["EventPattern"].as_str().unwrap_or_default();
    Content::Rule {
        is_enabled: value["State"] != "DISABLED",
        pattern: serde_json::from_str(pattern).unwrap_or_default(),
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
    /// Rules that take other events. The log does not tell what is narrowed, which counts as taken away, from what is
    /// changed.
    turned: BTreeMap<Scope, BTreeSet<String>>,
    /// What was made meanwhile is ours, too.
    made: BTreeMap<Scope, usize>,
    /// What was put on a path meanwhile.
    put: BTreeMap<String, Content>,
}

impl Count {
    pub fn add(&mut self, entry: &LogEntry, bounds: &Bounds) {
        let scope = (entry.account.clone(), entry.region.clone());
        let input = &entry.input;
        let path = |kind: &str, name: &Value| {
            let bus = input["EventBusName"].as_str().unwrap_or("default");
            format!("{}/{}/{kind}/{bus}/{}", entry.account, entry.region, name.as_str().unwrap_or_default())
        };
        match entry.operation.as_str() {
            "RemoveTargets" => {
                *self.taken.entry(scope).or_default() += input["Ids"].as_array().map_or(0, Vec::len);
            }
            "DeleteRule" | "RemovePermission" => *self.taken.entry(scope).or_default() += 1,
            "UpdateEventBus" if bounds.is_stamp(entry) => {}
            "UpdateEventBus" | "UpdateArchive" => {
                self.changed.entry(scope).or_default().insert(format!("{}{}", input["Name"], input["ArchiveName"]));
            }
            "CreateEventBus" => *self.made.entry(scope).or_default() += 1,
            "PutRule" => self.add_rule(scope, path("rule", &input["Name"]), rule(input), bounds),
            "PutTargets" => {
                let (rule, targets) = (path("rule", &input["Rule"]), path("target", &input["Rule"]));
                for target in input["Targets"].as_array().into_iter().flatten() {
                    let at = format!("{targets}/{}", target["Id"].as_str().unwrap_or_default());
                    self.add_part(&scope, &at, target, &rule, bounds);
                }
            }
            "PutPermission" => {
                let path = path("statement", &input["StatementId"]);
                // Its content is in its name.
                if !bounds.content_of.contains_key(&path) && self.put.insert(path, Content::Part(Value::Null)).is_none()
                {
                    *self.made.entry(scope).or_default() += 1;
                }
            }
            _ => {}
        }
    }

    fn add_rule(&mut self, scope: Scope, path: String, rule: Content, bounds: &Bounds) {
        let before = self.put.insert(path.clone(), rule.clone()).or_else(|| bounds.content_of.get(&path).cloned());
        match (before, rule) {
            (None, _) => *self.made.entry(scope).or_default() += 1,
            (Some(Content::Rule { is_enabled: true, .. }), Content::Rule { is_enabled: false, .. }) => {
                *self.taken.entry(scope).or_default() += 1;
            }
            (Some(before), rule) if before != rule => _ = self.turned.entry(scope).or_default().insert(path),
            _ => {}
        }
    }

    /// A target is put. A rule's targets change as one thing.
    fn add_part(&mut self, scope: &Scope, path: &str, part: &Value, thing: &str, bounds: &Bounds) {
        let part = Content::Part(part.clone());
        match self.put.insert(path.to_owned(), part.clone()).as_ref().or_else(|| bounds.content_of.get(path)) {
            None => *self.made.entry(scope.clone()).or_default() += 1,
            Some(before) if *before != part => {
                self.changed.entry(scope.clone()).or_default().insert(thing.to_owned());
            }
            Some(_) => {}
        }
    }

    /// What is more than may be, in words.
    pub fn beyond(&self, bounds: &Bounds) -> Vec<String> {
        let scopes: BTreeSet<&Scope> = self.taken.keys().chain(self.changed.keys()).chain(self.turned.keys()).collect();
        let mut found: Vec<String> = scopes
            .into_iter()
            .flat_map(|scope| self.beyond_in(&format!("in {scope:?}"), Some(scope), bounds))
            .collect();
        found.extend(self.beyond_in("in all", None, bounds));
        found
    }

    /// The same in a scope, or in all of them.
    fn beyond_in(&self, place: &str, scope: Option<&Scope>, bounds: &Bounds) -> Vec<String> {
        let here = |of: &Scope| scope.is_none_or(|scope| scope == of);
        let sum = |counts: &BTreeMap<Scope, usize>| counts.iter().filter(|(of, _)| here(of)).map(|(_, one)| one).sum();
        let len = |names: &BTreeMap<Scope, BTreeSet<String>>| -> usize {
            names.iter().filter(|(of, _)| here(of)).map(|(_, names)| names.len()).sum()
        };
        let (taken, made): (usize, usize) = (sum(&self.taken), sum(&self.made));
        let changed = len(&self.changed);
        let is_changed =
            |scope: &Scope, name: &String| self.changed.get(scope).is_some_and(|names| names.contains(name));
        let turned = self.turned.iter().filter(|(of, _)| here(of));
        let turned = turned.flat_map(|(of, names)| names.iter().filter(|name| !is_changed(of, name))).count();
        let (parts, things): (usize, usize) = (sum(&bounds.parts) + made, sum(&bounds.things) + made);
        let PlanSettings { breaks_percent_max, breaks_floor, changes_percent_max, changes_floor, .. } = bounds.settings;
        let most = |floor: u32, percent: u32, of: usize| (floor as usize).max(of * percent as usize / 100);
        let may_take = most(breaks_floor, breaks_percent_max, parts);
        let may_change = most(changes_floor, changes_percent_max, things);
        let mut found = Vec::new();
        if taken > may_take {
            found.push(format!("{taken} of {parts} {place} were taken away, and {may_take} may be"));
        }
        if changed > may_change {
            found.push(format!("{changed} of {things} {place} were changed, and {may_change} may be"));
        }
        // What both counts may have together leaves nothing for what is in neither alone. A rule that gets other targets and
        // takes other events is one thing that changes.
        if taken + changed + turned > may_take + may_change {
            let all = format!("{taken} taken away, {changed} changed and {turned} more turned to other events");
            found.push(format!("{all} {place}: more than {may_take} and {may_change}"));
        }
        found
    }
}
