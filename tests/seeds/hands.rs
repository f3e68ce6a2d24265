//! Other people's hands: what is in the accounts before, what others put on our buses, and what somebody changes there.

use crate::finish::PEOPLES_TAG;
use crate::oracle::{self, Oracle};
use crate::rng::Rng;
use crate::run::Run;
use crate::spec::{Place, REGIONS, Spec, queue_arn};
use crate::staged::create_queue;
use crate::trouble::Trouble;
use serde_json::{Value, json};
use wheelwright::call::Call;
use wheelwright::eventbridge::Arn;
use wheelwright::model::ids::Scope;
use wheelwright::model::mark::{Digest, Mark};
use wheelwright::model::resource::{BusId, ResourceId, RuleId};
use wheelwright::sim::{Caller, Service, SimulatedAws, SnapshotKind};

/// A rule of somebody's own under a name and with marks like ours.
const COPY: &str = "ww.team1.sub0.deadbeef";

impl Run {
    /// What is in the accounts before: another operator's bus and rules, and people's own.
    pub fn neighbours(&mut self, spec: &Spec) {
        let places: Vec<Place> = spec.hubs.iter().map(|hub| spec.hub_place(hub)).collect();
        let oracle = self.oracle.clone();
        oracle.others_write(&mut self.fleet.world(), true, |aws| {
            for place in &places {
                let bus = Place { bus: "other-events".into(), ..place.clone() };
                let tags = json!([{"Key": "wheelwright:owner", "Value": "other"}]);
                let description = marked("other", &bus, None);
                let input = json!({"Name": bus.bus, "Description": description, "Tags": tags});
                oracle::others_call(aws, &bus, "CreateEventBus", &input);
                let name = "ww.team0.sub0.00000000";
                let pattern = r#"{"source":["com.example.other"]}"#;
                oracle::put_rule(aws, &bus, name, &marked("other", &bus, Some(name)), pattern, &tags);
                let default = Place { bus: "default".into(), ..place.clone() };
                oracle::put_rule(aws, &default, "people-own", "", pattern, &json!([]));
            }
        });
    }

    /// What others put on our buses once these are there: rules, statements, archives, and targets on our rules.
    pub fn foreigners(&mut self, old: &Spec) {
        let places: Vec<Place> = old.hubs.iter().map(|hub| old.hub_place(hub)).collect();
        let on_rules = self.rng.chance(15);
        let rng = &mut self.rng;
        let oracle = self.oracle.clone();
        let mut tapped = false;
        let tight = self.tight;
        oracle.others_write(&mut self.fleet.world(), true, |aws| {
            for place in &places {
                let there = oracle::items(aws, |item| {
                    let here = item.account == place.account && item.region == place.region;
                    here && item.kind == SnapshotKind::Bus && item.name == place.bus
                });
                if there.is_empty() {
                    continue;
                }
                let pattern = r#"{"source":["com.example.people"]}"#;
                oracle::put_rule(aws, place, "people-tap", "people's own", pattern, &json!([]));
                let tap = queue_arn(&place.account, place.region, "people-tap");
                create_queue(aws, &tap);
                oracle::put_target(aws, place, "people-tap", "tap", &tap);
                if rng.chance(50) && !tight {
                    // Our mark in the description and not in the tags: one mark is not enough to take it away. Nor are
                    // both, if the description is another rule's.
                    let name = COPY;
                    let rules = our_rules(aws, Some(place));
                    let (text, tags) = match rules.first() {
                        Some((.., live)) if rng.chance(50) => (live["Description"].clone(), live["Tags"].clone()),
                        _ => (json!(marked("wheelwright", place, Some(name))), json!([])),
                    };
                    oracle::put_rule(aws, place, name, text.as_str().unwrap_or_default(), pattern, &tags);
                }
                if rng.chance(70) && !tight {
                    let id = *rng.pick(&["partner", "ww_other_000000000000-00000000", "ww_wheelwright"]);
                    let input = json!({
                        "EventBusName": place.bus, "StatementId": id, "Principal": "000000000042",
                        "Action": "events:PutEvents",
                    });
                    oracle::others_call(aws, place, "PutPermission", &input);
                }
                if rng.chance(30) && !tight {
                    let source = Arn::bus(place.region, &place.account, &place.bus).to_string();
                    let input = json!({"ArchiveName": format!("people-{}", place.bus), "EventSourceArn": source});
                    oracle::others_call(aws, place, "CreateArchive", &input);
                }
                if on_rules && let Some((rule, ..)) = our_rules(aws, Some(place)).first() {
                    oracle::put_target(aws, place, rule, "people-tap", &tap);
                    tapped = true;
                }
            }
        });
        if tapped {
            self.oracle.tap();
        }
    }

    /// What other tools keep on our buses, with the tags that they know their things by.
    pub fn other_tools(&mut self, spec: &Spec) {
        let Some(rng) = &mut self.more else { return };
        if self.tight {
            return;
        }
        let places: Vec<Place> = spec
            .hubs
            .iter()
            .map(|hub| spec.hub_place(hub))
            .chain(spec.spokes().map(|spoke| spec.spoke_place(spoke)))
            .collect();
        let oracle = self.oracle.clone();
        oracle.others_write(&mut self.fleet.world(), true, |aws| {
            for place in &places {
                if rng.chance(70) {
                    continue;
                }
                let (key, value) = *rng.pick(&TOOLS);
                let name = if rng.chance(50) { "ww.team0.theirs.0badcafe" } else { "by-a-tool" };
                let tags = json!([{"Key": key, "Value": value}]);
                let input = json!({
                    "Name": name, "EventBusName": place.bus, "EventPattern": r#"{"source":["com.example.tool"]}"#, "Tags": tags,
                });
                // The bus may not be there.
                _ = aws.call(&Caller::root(&place.account), place.region, Service::EventBridge, "PutRule", &input);
            }
        });
    }

    /// What somebody changes by hand. `mended` says that the same topology is applied again before the next one.
    pub fn drift(&mut self, mended: bool) {
        self.drifted = true;
        let rng = &mut self.rng;
        let oracle = self.oracle.clone();
        let mut tagged = Vec::new();
        oracle.others_write(&mut self.fleet.world(), false, |aws| {
            for _ in 0..rng.within(1, 4) {
                match rng.below(10) {
                    0..6 => change_rule(rng, aws, mended),
                    6 => remove_statement(rng, aws),
                    7 => change_bus(rng, aws, mended),
                    8 => change_tags(rng, aws, mended),
                    _ => tagged.extend(tag_something(rng, aws)),
                }
            }
        });
        // What somebody deleted after that, or made anew, bears it no more.
        let live = oracle::items(&self.fleet.world(), |_| true);
        for path in tagged {
            if live.get(&path).is_some_and(|thing| thing["Tags"].to_string().contains(PEOPLES_TAG)) {
                self.oracle.others_tagged(path);
            }
        }
    }
}

/// By what other tools know their things.
const TOOLS: [(&str, &str); 4] = [
    ("managed-by", "terraform"),
    ("crossplane-name", "theirs"),
    ("services.k8s.aws/controller-version", "eventbridge-v1.0.0"),
    ("wheelwright:owner", "other"),
];

/// Somebody who writes between the operator's reading and its write.
pub struct Meddler {
    pub rng: Rng,
    /// Of a hundred writes of the operator's, those that somebody comes before.
    pub percent: usize,
    /// Whether quotas leave no room for what others add.
    pub tight: bool,
    /// Whether names are taken: not where readings lie, as then nothing tells that one is.
    takes_names: bool,
    /// Where what came later comes from, so that what was there before stays as it was.
    late: Rng,
    /// The rules that the operator is to have, some of which are not there yet.
    wanted: Vec<RuleId>,
    /// Those whose names were taken before it came to them: given up again when it has ended.
    taken: Vec<(Place, String)>,
}

impl Meddler {
    pub fn new(trouble: &Trouble, wanted: Vec<RuleId>) -> Self {
        let Trouble { seed, meddling_percent: percent, tight, .. } = *trouble;
        let (takes_names, taken) = (!trouble.lies(), Vec::new());
        Self { rng: Rng::new(seed), percent, tight, takes_names, late: Rng::new(!seed), wanted, taken }
    }

    /// Somebody comes before the operator's `call`, or nobody.
    pub fn meddle(&mut self, aws: &mut SimulatedAws, oracle: &Oracle, scope: &Scope, call: &Call) {
        let Some(region) = REGIONS.into_iter().find(|region| *region == scope.region.as_str()) else { return };
        if !self.rng.chance(self.percent) || oracle.has_outage() {
            return;
        }
        let takes_away = matches!(
            call,
            Call::RemovePermission { .. } | Call::RemoveTargets { .. } | Call::DeleteRule { .. } | Call::PutRule { .. }
        );
        // Who takes away what replaces something, after all was read once more, cannot be seen in time: nothing at
        // EventBridge is written on a condition.
        if !takes_away && self.rng.chance(40) {
            return oracle.others_write(aws, false, |aws| change_rule(&mut self.rng, aws, false));
        }
        let (bus, rule) = match call {
            Call::PutRule { bus, rule, .. }
            | Call::PutTargets { bus, rule, .. }
            | Call::RemoveTargets { bus, rule, .. }
            | Call::DeleteRule { bus, rule } => (bus, Some(rule)),
            Call::PutPermission { bus, .. } | Call::RemovePermission { bus, .. } | Call::UpdateEventBus { bus, .. } => {
                (bus, None)
            }
            _ => return,
        };
        if self.tight {
            return;
        }
        let place = Place { account: scope.account.to_string(), region, bus: bus.clone() };
        if self.late.chance(40) && self.takes_names {
            return self.take_a_name(aws, oracle, &place, rule);
        }
        self.add(aws, oracle, &place, rule);
    }

    /// A rule of theirs under a name that the operator has read as free and comes to later: it looks once more before it
    /// writes.
    fn take_a_name(&mut self, aws: &mut SimulatedAws, oracle: &Oracle, place: &Place, written: Option<&String>) {
        let there = oracle::object(
            aws.snapshot_of_bus(&place.account, place.region, &place.bus, |item| item.kind == SnapshotKind::Rule),
        );
        let path = |name: &str| format!("{}/{}/rule/{}/{name}", place.account, place.region, place.bus);
        let is_free = |rule: &&RuleId| {
            let BusId { scope, name } = &rule.bus;
            let is_here = scope.account.to_string() == place.account && scope.region.as_str() == place.region;
            is_here && *name == place.bus && Some(&rule.name) != written && !there.contains_key(&path(&rule.name))
        };
        let free: Vec<&RuleId> = self.wanted.iter().filter(is_free).collect();
        if free.is_empty() {
            return;
        }
        let name = self.late.pick(&free).name.clone();
        let pattern = r#"{"source":["com.example.late"]}"#;
        let input = json!({"EventBusName": place.bus, "Name": name, "EventPattern": pattern});
        oracle.others_write(aws, true, |aws| {
            _ = aws.call(&Caller::root(&place.account), place.region, Service::EventBridge, "PutRule", &input);
        });
        self.taken.push((place.clone(), name));
    }

    /// Whoever took names gives them up.
    pub fn leave(&self, aws: &mut SimulatedAws, oracle: &Oracle) {
        for (place, name) in &self.taken {
            let path = format!("{}/{}/rule/{}/{name}", place.account, place.region, place.bus);
            oracle.others_give_up(aws, &path, |aws| {
                // What they did not get they need not give up.
                let input = json!({"EventBusName": place.bus, "Name": name});
                _ = aws.call(&Caller::root(&place.account), place.region, Service::EventBridge, "DeleteRule", &input);
            });
        }
    }

    /// Something of theirs, on the bus or the rule that is being written.
    fn add(&mut self, aws: &mut SimulatedAws, oracle: &Oracle, place: &Place, rule: Option<&String>) {
        let number = self.rng.below(1_000);
        let bus = &place.bus;
        let (operation, input) = match (self.rng.below(4), rule) {
            (0, _) => {
                let principal = format!("{:012}", 700_000_000_000_u64 + number as u64);
                let input = json!({
                    "EventBusName": bus, "StatementId": format!("late-{number}"), "Principal": principal,
                    "Action": "events:PutEvents",
                });
                ("PutPermission", input)
            }
            (1, Some(rule)) if !oracle.is_tapped() => {
                let queue = queue_arn(&place.account, place.region, "people-tap");
                create_queue(aws, &queue);
                oracle.tap();
                let targets = json!([{"Id": "late-tap", "Arn": queue}]);
                ("PutTargets", json!({"EventBusName": bus, "Rule": rule, "Targets": targets}))
            }
            _ => {
                let pattern = r#"{"source":["com.example.late"]}"#;
                ("PutRule", json!({"EventBusName": bus, "Name": format!("late-{number}"), "EventPattern": pattern}))
            }
        };
        // Where the rule or the bus is not there, or is full, they were told so.
        oracle.others_write(aws, true, |aws| {
            _ = aws.call(&Caller::root(&place.account), place.region, Service::EventBridge, operation, &input);
        });
    }
}

fn change_rule(rng: &mut Rng, aws: &mut SimulatedAws, mended: bool) {
    let rules = our_rules(aws, None);
    if rules.is_empty() {
        return;
    }
    let (rule, place, live) = rng.pick(&rules).clone();
    let key = json!({"Name": rule, "EventBusName": place.bus});
    let description = live["Description"].as_str().unwrap_or_default();
    let pattern = live["EventPattern"].as_str().unwrap_or_default();
    match rng.below(7) {
        0 => oracle::others_call(aws, &place, "DisableRule", &key),
        1 => {
            let other = r#"{"source":["com.example.edited"]}"#;
            oracle::put_rule(aws, &place, &rule, description, other, &json!([]));
        }
        2 => remove_targets(aws, &place, &rule),
        3 => delete_rule(aws, &place, &rule),
        4 => oracle::others_call(aws, &place, "EnableRule", &key),
        5 => {
            let input = json!({
                "EventBusName": place.bus, "StatementId": "ww_wheelwright_200000000001-00000000",
                "Principal": "200000000001", "Action": "events:PutEvents",
            });
            // Where it does not fit into the policy, somebody was told so.
            let _ =
                aws.call(&Caller::root(&place.account), place.region, Service::EventBridge, "PutPermission", &input);
        }
        // The console's editor leaves the description out.
        _ if mended => oracle::put_rule(aws, &place, &rule, "", pattern, &json!([])),
        _ => {}
    }
}

/// Another description, another dead-letter queue, another log level, no key. A key where none is asked for would be left.
fn change_bus(rng: &mut Rng, aws: &mut SimulatedAws, mended: bool) {
    let buses = our_buses(aws);
    if buses.is_empty() {
        return;
    }
    let (place, live) = rng.pick(&buses).clone();
    let queue = queue_arn(&place.account, place.region, "somebodys-own");
    let mut input = match rng.below(5) {
        0 if mended => json!({"Description": ""}),
        0 | 1 => json!({"Description": format!("by hand {}", live["Description"].as_str().unwrap_or_default())}),
        2 => json!({"DeadLetterConfig": {"Arn": queue}}),
        3 => json!({"LogConfig": {"Level": "INFO", "IncludeDetail": "FULL"}}),
        _ => json!({"KmsKeyIdentifier": ""}),
    };
    input["Name"] = json!(place.bus);
    oracle::others_call(aws, &place, "UpdateEventBus", &input);
}

/// A tag of ours lost or given another value, on a bus or a rule. Who takes the second mark off something that the
/// topology then leaves behind, leaves it standing there.
fn change_tags(rng: &mut Rng, aws: &mut SimulatedAws, mended: bool) {
    let Some((path, place, arn)) = something_of_ours(rng, aws) else { return };
    let key = *rng.pick(&["cost-center", "data-class", "stage", "wheelwright:team", "wheelwright:owner"]);
    let is_marked = || oracle::items(aws, |_| true)[&path]["Description"].to_string().contains("[ww1:wheelwright:");
    // Without either mark nobody knows it for ours.
    if key == "wheelwright:owner" && !(mended && is_marked()) {
        return;
    }
    if rng.chance(50) && key != "wheelwright:owner" {
        let input = json!({"ResourceARN": arn, "Tags": [{"Key": key, "Value": "by-hand"}]});
        // A key that is not asked for there is somebody's own from now on, and stays.
        let live = oracle::tags(aws, &place, &arn);
        if live.iter().any(|tag| tag["Key"] == key) {
            oracle::others_call(aws, &place, "TagResource", &input);
        }
    } else {
        oracle::others_call(aws, &place, "UntagResource", &json!({"ResourceARN": arn, "TagKeys": [key]}));
    }
}

/// A tag of people's own on a bus or a rule of ours; the thing's path.
fn tag_something(rng: &mut Rng, aws: &mut SimulatedAws) -> Option<String> {
    let (path, place, arn) = something_of_ours(rng, aws)?;
    let input = json!({"ResourceARN": arn, "Tags": [{"Key": PEOPLES_TAG, "Value": "Ann"}]});
    oracle::others_call(aws, &place, "TagResource", &input);
    Some(path)
}

/// A bus or a rule of ours: its path, where it is, and its ARN.
fn something_of_ours(rng: &mut Rng, aws: &SimulatedAws) -> Option<(String, Place, String)> {
    let buses = our_buses(aws).into_iter().map(|(place, _)| {
        let arn = Arn::bus(place.region, &place.account, &place.bus).to_string();
        (format!("{}/{}/bus/{}", place.account, place.region, place.bus), place, arn)
    });
    let rules = our_rules(aws, None).into_iter().map(|(rule, place, _)| {
        let arn = Arn::rule(place.region, &place.account, &place.bus, &rule).to_string();
        (format!("{}/{}/rule/{}/{rule}", place.account, place.region, place.bus), place, arn)
    });
    let all: Vec<_> = buses.chain(rules).collect();
    (!all.is_empty()).then(|| rng.pick(&all).clone())
}

/// A description with a mark that was written on this bus, or on this rule of it.
pub fn marked(owner: &str, place: &Place, rule: Option<&str>) -> String {
    let scope = Scope::new(place.account.parse().unwrap(), place.region);
    let bus = BusId { scope, name: place.bus.clone() };
    let resource = match rule {
        Some(name) => ResourceId::Rule(RuleId { bus, name: name.to_owned() }),
        None => ResourceId::Bus(bus),
    };
    Mark::new(&owner.parse().unwrap(), 1, &resource, Digest::of(&["theirs"])).stamp("theirs")
}

/// The operator's buses, by their tags.
pub fn our_buses(aws: &SimulatedAws) -> Vec<(Place, Value)> {
    let found = oracle::items(aws, |item| item.kind == SnapshotKind::Bus && oracle::is_ours(item.value));
    let buses = found.into_iter().filter_map(|(path, live)| {
        let parts: Vec<&str> = path.splitn(4, '/').collect();
        let region = REGIONS.into_iter().find(|region| *region == parts[1])?;
        Some((Place { account: parts[0].to_owned(), region, bus: parts[3].to_owned() }, live))
    });
    buses.collect()
}

/// The operator's rules, by their tags: name, bus and content.
pub fn our_rules(aws: &SimulatedAws, on: Option<&Place>) -> Vec<(String, Place, Value)> {
    let found = oracle::items(aws, |item| item.kind == SnapshotKind::Rule && oracle::is_ours(item.value));
    let rules = found.into_iter().filter_map(|(path, live)| {
        let parts: Vec<&str> = path.splitn(5, '/').collect();
        let region = REGIONS.into_iter().find(|region| *region == parts[1])?;
        let place = Place { account: parts[0].to_owned(), region, bus: parts[3].to_owned() };
        (parts[4] != COPY && on.is_none_or(|on| *on == place)).then(|| (parts[4].to_owned(), place, live))
    });
    rules.collect()
}

fn targets_of(aws: &SimulatedAws, place: &Place, rule: &str, foreign: bool) -> Vec<String> {
    let found = oracle::items(aws, |item| {
        item.kind == SnapshotKind::Target
            && item.account == place.account
            && item.region == place.region
            && item.bus == place.bus
            && item.rule == rule
            && item.name.starts_with("ww_wheelwright_") != foreign
    });
    found.values().filter_map(|target| target["Id"].as_str().map(str::to_owned)).collect()
}

fn remove_targets(aws: &mut SimulatedAws, place: &Place, rule: &str) {
    // A failure that was meant for the operator may befall them: then they try again.
    for _ in 0..5 {
        let ids = targets_of(aws, place, rule, false);
        if ids.is_empty() {
            return;
        }
        let input = json!({"Rule": rule, "EventBusName": place.bus, "Ids": ids});
        oracle::others_call(aws, place, "RemoveTargets", &input);
    }
}

/// Deletes a rule with its targets, unless some of them are foreign.
fn delete_rule(aws: &mut SimulatedAws, place: &Place, rule: &str) {
    if targets_of(aws, place, rule, true).is_empty() {
        remove_targets(aws, place, rule);
        oracle::others_call(aws, place, "DeleteRule", &json!({"Name": rule, "EventBusName": place.bus}));
    }
}

fn remove_statement(rng: &mut Rng, aws: &mut SimulatedAws) {
    let found =
        oracle::items(aws, |item| item.kind == SnapshotKind::Statement && item.name.starts_with("ww_wheelwright_"));
    if found.is_empty() {
        return;
    }
    let paths: Vec<String> = found.into_keys().collect();
    let path = rng.pick(&paths).clone();
    let parts: Vec<&str> = path.splitn(5, '/').collect();
    let Some(region) = REGIONS.into_iter().find(|region| *region == parts[1]) else { return };
    let place = Place { account: parts[0].to_owned(), region, bus: parts[3].to_owned() };
    let input = json!({"EventBusName": place.bus, "StatementId": parts[4]});
    oracle::others_call(aws, &place, "RemovePermission", &input);
}
