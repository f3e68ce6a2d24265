//! The end of a phase: what must be there when all is done, and nothing more.

use crate::oracle::{Check, State, ids_of, is_owned, items, now_ms};
use crate::routes::put_and_collect;
use crate::spec::{Event, Options, Place, Spec, TAG_KEYS, Tags, inbox, key_arn, queue_arn};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use wheelwright::eventbridge::Arn;
use wheelwright::sim::{SimulatedAws, SnapshotKind};

/// The tag that people put on things of ours.
pub const PEOPLES_TAG: &str = "people-own";

/// Accounts that try each publication at each hub.
const SPOOFERS: usize = 3;

/// A bus: account, Region and name.
type Bus = (String, String, String);

impl State {
    pub(super) fn ask_mailboxes(&mut self, old: &Spec, spec: &Spec, aws: &SimulatedAws) {
        let mut events: BTreeSet<Event> = spec.events().into_iter().chain(old.events()).collect();
        events.extend(spoofs(spec));
        let events: Vec<Event> = events.into_iter().collect();
        let boxes: BTreeSet<String> = spec.mailboxes().into_iter().chain(old.mailboxes()).collect();
        let mut fork = aws.clone();
        fork.advance_ms(aws.settings.settle_ms);
        let (arrived, _) = put_and_collect(&mut fork, events.iter().enumerate(), &boxes);
        let mut wanted: BTreeMap<(usize, String), usize> = BTreeMap::new();
        for (probe, event) in events.iter().enumerate() {
            for (_, mailbox) in spec.expected(event, now_ms(&fork)) {
                *wanted.entry((probe, mailbox)).or_default() += 1;
            }
            // On a bus that the topology has left, the team's own rule goes on.
            let left = old.spokes().any(|spoke| old.spoke_place(spoke) == event.at)
                && !spec.spokes().any(|spoke| spec.spoke_place(spoke) == event.at);
            if left && arrived.contains_key(&(probe, inbox(&event.at))) {
                wanted.insert((probe, inbox(&event.at)), 1);
            }
        }
        for (key, count) in &wanted {
            let found = arrived.get(key).copied().unwrap_or_default();
            if found < *count {
                self.violate(Check::Missing, format!("{:?} is {found} times in {}", events[key.0], key.1));
            }
        }
        for (key, found) in &arrived {
            let count = wanted.get(key).copied().unwrap_or_default();
            if *found > count {
                let text = format!("{:?} is {found} times in {}, not {count}", events[key.0], key.1);
                self.violate(Check::Surplus, text);
            }
        }
    }

    /// Whether all arrives that neither is put nor taken in one account.
    pub(super) fn ask_mailboxes_beside(&mut self, spec: &Spec, aws: &SimulatedAws, account: &str) {
        let mut events: Vec<Event> = spec.events().into_iter().collect();
        events.retain(|event| event.account != account && event.at.account != account);
        let mut fork = aws.clone();
        fork.advance_ms(aws.settings.settle_ms);
        let boxes: BTreeSet<String> = spec.mailboxes().into_iter().collect();
        let (arrived, _) = put_and_collect(&mut fork, events.iter().enumerate(), &boxes);
        for (probe, event) in events.iter().enumerate() {
            let elsewhere =
                spec.expected(event, now_ms(&fork)).into_iter().filter(|(_, mailbox)| !mailbox.contains(account));
            for (taker, mailbox) in elsewhere.filter(|(_, mailbox)| !arrived.contains_key(&(probe, mailbox.clone()))) {
                let text = format!("{event:?} is not in {mailbox} for {taker:?} beside {account}");
                self.violate(Check::HeldUp, text);
            }
        }
    }

    /// Our rules and statements, counted by bus: as many as the topology asks for.
    pub(super) fn ask_leftovers(&mut self, spec: &Spec, aws: &SimulatedAws) {
        let regions = spec.regions();
        let mut rules: BTreeMap<Bus, usize> = BTreeMap::new();
        let mut statements = rules.clone();
        let mut names: BTreeMap<Bus, Vec<String>> = BTreeMap::new();
        for path in items(aws, |item| {
            item.kind == SnapshotKind::Rule && is_owned(item.value, self.owner)
                || item.kind == SnapshotKind::Statement && item.name.starts_with(&ids_of(self.owner))
        })
        .into_keys()
        .filter(|path| !self.foreign.contains_key(path))
        {
            let parts: Vec<&str> = path.splitn(5, '/').collect();
            if self.forgotten.contains(parts[1]) && !regions.contains(parts[1]) {
                continue;
            }
            let place = (parts[0].to_owned(), parts[1].to_owned(), parts[3].to_owned());
            names.entry(place.clone()).or_default().push(parts[4].to_owned());
            let counts = if parts[2] == "rule" { &mut rules } else { &mut statements };
            *counts.entry(place).or_default() += 1;
        }
        let wanted: BTreeMap<_, _> = spec.rules().into_iter().map(|(place, rules)| (key(place), rules.len())).collect();
        if rules != wanted {
            self.violate(Check::Leftover, format!("rules are {rules:?} and should be {wanted:?}: {names:?}"));
        }
        let mut wanted: BTreeMap<_, _> =
            spec.statements().into_iter().map(|(place, count)| (key(place), count)).collect();
        // Where the policy's quota is lowered, one statement for the organisation may stand in for many.
        for hub in spec.hubs.iter().filter(|hub| hub.quotas.is_some()) {
            let place = key(spec.hub_place(hub));
            wanted.remove(&place);
            statements.remove(&place);
        }
        if statements != wanted {
            self.violate(Check::Leftover, format!("statements are {statements:?} and should be {wanted:?}: {names:?}"));
        }
    }

    /// Whether every bus, rule and archive of ours is set and tagged as asked, and bears what others tagged it with.
    pub(super) fn ask_settings(&mut self, spec: &Spec, aws: &SimulatedAws) {
        let live =
            items(aws, |item| matches!(item.kind, SnapshotKind::Bus | SnapshotKind::Rule | SnapshotKind::Archive));
        let mut wrong = Vec::new();
        for (place, (options, description)) in spec.buses() {
            let path = format!("{}/{}/bus/{}", place.account, place.region, place.bus);
            let bus = live.get(&path).unwrap_or(&Value::Null);
            wrong.extend(
                bus_faults(bus, self.owner, &place, &options, description)
                    .into_iter()
                    .map(|fault| format!("{path}: {fault}")),
            );
        }
        let rules = spec.rules();
        let is_ours = |path: &String, thing: &Value| is_owned(thing, self.owner) && !self.foreign.contains_key(path);
        for (path, rule) in live.iter().filter(|(path, rule)| path.contains("/rule/") && is_ours(path, rule)) {
            let parts: Vec<&str> = path.splitn(5, '/').collect();
            let here = |place: &Place| place.account == parts[0] && place.region == parts[1] && place.bus == parts[3];
            let wanted = rules.iter().filter(|(place, _)| here(place)).flat_map(|(_, rules)| rules);
            for (_, tags) in wanted.filter(|(stem, _)| parts[4].starts_with(stem)) {
                wrong.extend(tag_faults(rule, tags).into_iter().map(|fault| format!("{path}: {fault}")));
            }
        }
        wrong.extend(self.target_faults(spec, aws));
        for hub in &spec.hubs {
            let Some(days) = hub.archive_days else { continue };
            let place = spec.hub_place(hub);
            let source = json!(Arn::bus(place.region, &place.account, &place.bus).to_string());
            let ours = |(path, archive): &(&String, &Value)| {
                path.contains("/archive/ww_") && archive["EventSourceArn"] == source
            };
            let kept = live.iter().find(ours).and_then(|(_, archive)| archive["RetentionDays"].as_u64());
            if kept.is_none_or(|kept| kept < u64::from(days)) {
                wrong.push(format!("the archive of {} keeps events for {kept:?} days, not {days}", hub.name));
            }
        }
        let bears = |thing: &Value| tag(thing, PEOPLES_TAG).is_some();
        let robbed = self.others_tags.iter().filter(|path| live.get(*path).is_some_and(|thing| !bears(thing)));
        wrong.extend(robbed.map(|path| format!("{path}: the tag that people put there is gone")));
        for detail in wrong {
            self.violate(Check::Settings, detail);
        }
    }
}

impl State {
    /// What is not as asked of our targets: the delivery role of the rule's account, its dead letters or those that a
    /// subscription names, and how long to try.
    fn target_faults(&self, spec: &Spec, aws: &SimulatedAws) -> Vec<String> {
        let mut faults = Vec::new();
        let ours = items(aws, |item| item.kind == SnapshotKind::Target && item.name.starts_with(&ids_of(self.owner)));
        let details = spec.target_details();
        for (path, target) in ours.iter().filter(|(path, _)| !self.foreign.contains_key(*path)) {
            let parts: Vec<&str> = path.splitn(6, '/').collect();
            let (account, region) = (parts[0], parts[1]);
            let found = details.iter().find(|(place, stem, ..)| {
                place.account == account
                    && place.region == region
                    && place.bus == parts[3]
                    && parts[4].starts_with(stem)
            });
            let (dead_letters, retry) =
                found.map_or((None, None), |(_, _, dead_letters, retry)| (*dead_letters, *retry));
            let queue = queue_arn(account, region, dead_letters.unwrap_or("wheelwright-dead-letters"));
            let mut compare = |what: &str, live: Option<&Value>, asked: Option<Value>| {
                if live != asked.as_ref() {
                    faults.push(format!("{path}: {what} is {live:?}, not {asked:?}"));
                }
            };
            compare("the dead-letter queue", target.pointer("/DeadLetterConfig/Arn"), Some(json!(queue)));
            let role = format!("arn:aws:iam::{account}:role/wheelwright-delivery");
            compare("the role", target.get("RoleArn"), Some(json!(role)));
            let retry = retry.map(
                |(attempts, seconds)| json!({"MaximumRetryAttempts": attempts, "MaximumEventAgeInSeconds": seconds}),
            );
            compare("the retry policy", target.get("RetryPolicy"), retry);
        }
        faults
    }
}

fn key(place: Place) -> Bus {
    (place.account, place.region.to_owned(), place.bus)
}

/// What is not as asked of a live bus.
fn bus_faults(bus: &Value, owner: &str, place: &Place, options: &Options, description: Option<&str>) -> Vec<String> {
    let Place { account, region, .. } = place;
    let key = options.key.then(|| key_arn(account, region));
    let dead_letters = options.dead_letters.map(|queue| queue_arn(account, region, queue));
    let (level, detail) = options.log.unwrap_or(("off", false));
    let log = json!({"Level": level.to_uppercase(), "IncludeDetail": if detail { "FULL" } else { "NONE" }});
    let mut faults = tag_faults(bus, &options.tags);
    let mut compare = |what: &str, live: Option<&Value>, asked: Option<Value>| {
        if live != asked.as_ref() {
            faults.push(format!("{what} is {live:?}, not {asked:?}"));
        }
    };
    compare("the key", bus.get("KmsKeyIdentifier"), key.map(Value::from));
    compare("the dead-letter queue", bus.pointer("/DeadLetterConfig/Arn"), dead_letters.map(Value::from));
    compare("the log", bus.get("LogConfig"), Some(log));
    let text = bus["Description"].as_str().unwrap_or_default();
    if !text.starts_with(description.unwrap_or_default()) || !text.contains(&format!("[ww1:{owner}:")) {
        faults.push(format!("the description is {text:?}"));
    }
    faults
}

/// What is not as asked of a live thing's tags: other people's do not count.
fn tag_faults(thing: &Value, asked: &Tags) -> Vec<String> {
    let wrong = TAG_KEYS.iter().filter(|key| tag(thing, key) != asked.get(*key).copied());
    wrong.map(|key| format!("tag {key} is {:?}, not {:?}", tag(thing, key), asked.get(key))).collect()
}

fn tag<'v>(thing: &'v Value, key: &str) -> Option<&'v str> {
    let tags = thing["Tags"].as_array().into_iter().flatten();
    tags.filter(|tag| tag["Key"] == json!(key)).find_map(|tag| tag["Value"].as_str())
}

/// Events of somebody's source, put at the hub by some accounts that do not publish them: at each hub by others.
fn spoofs(spec: &Spec) -> Vec<Event> {
    let mut spoofs = Vec::new();
    for team in &spec.teams {
        for publication in &team.publications {
            for (at, hub) in spec.hubs.iter().enumerate() {
                let publishers = spec.publishers(team, publication, at);
                let place = spec.hub_place(hub);
                let kind = publication.kinds.first().copied().unwrap_or("Opened");
                let others: Vec<_> = spec.accounts.iter().filter(|account| !publishers.contains(&account.id)).collect();
                for account in others.iter().cycle().skip(spoofs.len()).take(SPOOFERS.min(others.len())) {
                    spoofs.push(Event {
                        account: account.id.clone(),
                        at: place.clone(),
                        source: publication.source.clone(),
                        kind,
                        sample: 1,
                    });
                }
            }
        }
    }
    spoofs
}
