//! What lives in some accounts of an emulator, asked by raw calls; and putting it back.

use super::server::Server;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// An account and a Region.
pub(crate) type Scope = (String, String);

/// What something is, where, and under which names: bus; bus and statement; bus and rule; bus, rule and target; archive.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Path {
    pub(crate) kind: Kind,
    pub(crate) scope: Scope,
    pub(crate) names: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Target,
    Rule,
    Statement,
    Archive,
    Bus,
}

/// Everything, but for times.
pub(crate) type Picture = BTreeMap<Path, Value>;

/// What lives in these scopes.
pub(crate) fn picture(server: &Server, scopes: &BTreeSet<Scope>) -> Picture {
    let mut picture = Picture::new();
    for scope in scopes {
        let mut camera = Camera { server, scope, picture: &mut picture };
        for bus in camera.list("ListEventBuses", json!({}), "EventBuses", "Name") {
            camera.bus(&bus);
        }
        for name in camera.list("ListArchives", json!({}), "Archives", "ArchiveName") {
            let archive = camera.call("DescribeArchive", json!({"ArchiveName": name}));
            camera.add(Kind::Archive, vec![name], archive);
        }
    }
    picture
}

struct Camera<'a> {
    server: &'a Server,
    scope: &'a Scope,
    picture: &'a mut Picture,
}

impl Camera<'_> {
    #[allow(clippy::needless_pass_by_value)] // It is written where it is passed.
    fn call(&self, operation: &str, input: Value) -> Value {
        self.server.must(&self.scope.0, &self.scope.1, operation, input)
    }

    fn list(&self, operation: &str, input: Value, field: &str, name: &str) -> Vec<String> {
        let listed = self.call(operation, input);
        assert!(listed["NextToken"].is_null(), "{operation}: the example is small enough for one page");
        let items = listed[field].as_array().cloned().unwrap_or_default();
        items.iter().map(|item| item[name].as_str().unwrap().to_owned()).collect()
    }

    fn add(&mut self, kind: Kind, names: Vec<String>, mut value: Value) {
        let gone =
            ["CreationTime", "LastModifiedTime", "LastUpdatedTime", "Policy", "SizeBytes", "EventCount", "State"];
        for field in gone.iter().filter(|field| kind == Kind::Archive || **field != "State") {
            value.as_object_mut().unwrap().remove(*field);
        }
        leave_out_empty(&mut value);
        self.picture.insert(Path { kind, scope: self.scope.clone(), names }, value);
    }

    fn tags(&self, arn: &Value) -> Value {
        let listed = self.call("ListTagsForResource", json!({"ResourceARN": arn}));
        let pairs = listed["Tags"].as_array().cloned().unwrap_or_default();
        let pairs: BTreeMap<String, Value> =
            pairs.iter().map(|tag| (tag["Key"].as_str().unwrap().to_owned(), tag["Value"].clone())).collect();
        json!(pairs)
    }

    fn bus(&mut self, bus: &str) {
        let mut described = self.call("DescribeEventBus", json!({"Name": bus}));
        let policy: Value =
            described["Policy"].as_str().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
        for statement in policy["Statement"].as_array().into_iter().flatten() {
            let sid = statement["Sid"].as_str().unwrap_or_default().to_owned();
            self.add(Kind::Statement, vec![bus.to_owned(), sid], statement.clone());
        }
        described["Tags"] = self.tags(&described["Arn"]);
        self.add(Kind::Bus, vec![bus.to_owned()], described);
        for rule in self.list("ListRules", json!({"EventBusName": bus}), "Rules", "Name") {
            let mut described = self.call("DescribeRule", json!({"Name": rule, "EventBusName": bus}));
            described["Tags"] = self.tags(&described["Arn"]);
            self.add(Kind::Rule, vec![bus.to_owned(), rule.clone()], described);
            // AWS's own, made anew with each archive and named after it; what it delivers to says when.
            if rule.starts_with("Events-Archive-") {
                continue;
            }
            let targets = self.call("ListTargetsByRule", json!({"Rule": rule, "EventBusName": bus}));
            for target in targets["Targets"].as_array().into_iter().flatten() {
                let id = target["Id"].as_str().unwrap().to_owned();
                self.add(Kind::Target, vec![bus.to_owned(), rule.clone(), id], target.clone());
            }
        }
    }
}

/// A setting that says nothing is none.
fn leave_out_empty(value: &mut Value) {
    let Value::Object(fields) = value else { return };
    fields.values_mut().for_each(leave_out_empty);
    fields.retain(|_, field| !(field.is_null() || *field == json!("") || *field == json!({})));
}

/// What differs, a line each.
pub(crate) fn difference(before: &Picture, after: &Picture, only: impl Fn(&Path) -> bool) -> Vec<String> {
    let paths: BTreeSet<&Path> = before.keys().chain(after.keys()).filter(|path| only(path)).collect();
    let text = |value: Option<&Value>| value.map_or("absent".to_owned(), Value::to_string);
    let differ = paths.into_iter().filter(|path| before.get(path) != after.get(path));
    differ.map(|path| format!("{path:?}: {} -> {}", text(before.get(path)), text(after.get(path)))).collect()
}

/// Puts back what a row left: `after` becomes `before`. What is on a bus goes before it, and a bus comes before it.
pub(crate) fn put_back(server: &Server, before: &Picture, after: &Picture) {
    // No call takes a pattern off an archive, or a condition off a statement.
    let changed = |path: &&Path| before.get(*path).is_none_or(|value| must_go(path, value, &after[*path]));
    let gone: Vec<&Path> = after.keys().filter(changed).collect();
    for path in &gone {
        take_away(server, path);
    }
    let after: Picture = after
        .iter()
        .filter(|(path, _)| !gone.contains(path))
        .map(|(path, value)| (path.clone(), value.clone()))
        .collect();
    for (path, value) in before.iter().rev().filter(|(path, value)| after.get(path) != Some(value)) {
        set(server, path, value, after.get(path));
    }
}

/// Whether something can only be made anew.
fn must_go(path: &Path, before: &Value, after: &Value) -> bool {
    match path.kind {
        Kind::Archive => before.get("EventPattern").is_none() && after.get("EventPattern").is_some(),
        Kind::Statement => before != after,
        _ => false,
    }
}

fn take_away(server: &Server, path: &Path) {
    let name = |at: usize| path.names[at].as_str();
    let (operation, input) = match path.kind {
        Kind::Target => {
            ("RemoveTargets", json!({"EventBusName": name(0), "Rule": name(1), "Ids": [name(2)], "Force": true}))
        }
        // A rule that was made with an archive goes with it.
        Kind::Rule if name(1).starts_with("Events-Archive-") => return,
        Kind::Rule => ("DeleteRule", json!({"EventBusName": name(0), "Name": name(1), "Force": true})),
        Kind::Statement => ("RemovePermission", json!({"EventBusName": name(0), "StatementId": name(1)})),
        Kind::Archive => ("DeleteArchive", json!({"ArchiveName": name(0)})),
        Kind::Bus => ("DeleteEventBus", json!({"Name": name(0)})),
    };
    server.must(&path.scope.0, &path.scope.1, operation, input);
}

fn set(server: &Server, path: &Path, value: &Value, live: Option<&Value>) {
    let name = |at: usize| path.names[at].as_str();
    let (account, region) = (path.scope.0.as_str(), path.scope.1.as_str());
    let without_tags = |value: &Value| {
        let mut value = value.clone();
        value.as_object_mut().unwrap().remove("Tags");
        value
    };
    let differs = live.is_none_or(|live| without_tags(live) != without_tags(value));
    let fields = |names: &[&str]| -> Value {
        names.iter().filter_map(|name| Some(((*name).to_owned(), value.get(*name)?.clone()))).collect()
    };
    let (operation, mut input) = match path.kind {
        Kind::Target => ("PutTargets", json!({"Rule": name(1), "Targets": [value]})),
        Kind::Rule => ("PutRule", fields(&["Name", "EventPattern", "State", "Description"])),
        Kind::Statement => {
            let root = value["Principal"]["AWS"].as_str().filter(|_| value.get("Condition").is_none());
            let account = root.and_then(|root| root.split(':').nth(4));
            let account = account.unwrap_or_else(|| panic!("{path:?} would have to be {value}"));
            let action = &value["Action"];
            ("PutPermission", json!({"StatementId": name(1), "Principal": account, "Action": action}))
        }
        Kind::Archive if live.is_none() => {
            ("CreateArchive", fields(&["ArchiveName", "EventSourceArn", "Description", "RetentionDays"]))
        }
        Kind::Archive => ("UpdateArchive", fields(&["ArchiveName", "Description", "RetentionDays", "EventPattern"])),
        Kind::Bus => {
            let mut input = fields(&["Name", "Description", "KmsKeyIdentifier", "DeadLetterConfig", "LogConfig"]);
            for (field, cleared) in [("KmsKeyIdentifier", json!("")), ("DeadLetterConfig", json!({"Arn": ""}))] {
                if input.get(field).is_none() {
                    input[field] = cleared;
                }
            }
            ("UpdateEventBus", input)
        }
    };
    if matches!(path.kind, Kind::Target | Kind::Rule | Kind::Statement) {
        input["EventBusName"] = json!(name(0));
    }
    if differs {
        server.must(account, region, operation, input);
    }
    let tags = |value: &Value| value["Tags"].as_object().cloned().unwrap_or_default();
    let (wanted, there) = (tags(value), live.map(tags).unwrap_or_default());
    let gone: Vec<&String> = there.keys().filter(|key| !wanted.contains_key(*key)).collect();
    if !gone.is_empty() {
        server.must(account, region, "UntagResource", json!({"ResourceARN": value["Arn"], "TagKeys": gone}));
    }
    let set: Vec<Value> = (wanted.iter())
        .filter(|(key, value)| there.get(*key) != Some(value))
        .map(|(key, value)| json!({"Key": key, "Value": value}))
        .collect();
    if !set.is_empty() {
        server.must(account, region, "TagResource", json!({"ResourceARN": value["Arn"], "Tags": set}));
    }
}
