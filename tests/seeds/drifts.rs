//! How long what somebody changed by hand stays: the bounds that people are told, asked of daemons that run on undisturbed.
//!
//! A fast sweep sees what deliveries rest on. What only DescribeEventBus, tags and archives tell is for full ones, and so is
//! what comes to be on a default bus where nothing was and nothing is wanted.

use crate::daemons::{IN_STEP_SECS_MAX, Site};
use crate::hands::{marked, our_buses, our_rules};
use crate::oracle::{self, Check, OWNER, ids_of, items};
use crate::outage::Outage;
use crate::rng::Rng;
use crate::spec::{Place, REGIONS, Spec, queue_arn};
use crate::staged::create_queue;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use wheelwright::eventbridge::Arn;
use wheelwright::sim::{SimulatedAws, SnapshotKind};

/// By when it has to be as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sight {
    /// The next sweep of any kind sees it.
    Fast,
    /// The next full one does.
    Full,
    /// The next full one does, and what is there goes.
    Gone,
}

/// What of this is counted.
pub const KINDS: [&str; 5] = [
    "drift for fast sweeps",
    "drift for full sweeps",
    "leftovers",
    "drift beside a hung account",
    "topologies beside one",
];

/// Something that somebody changed by hand.
struct Drift {
    path: String,
    /// How it was.
    was: Option<Value>,
    what: &'static str,
}

impl Site<'_> {
    /// Somebody changes something, and the daemon that runs puts it right in time.
    pub async fn drift_in_time(&mut self) {
        if !self.is_calmly_in_step().await {
            return;
        }
        // Anywhere between two sweeps.
        let wait = self.more.within(0, 300) as u64;
        self.pass(wait).await;
        let sight = *self.more.pick(&[Sight::Fast, Sight::Full, Sight::Gone]);
        let Some(drift) = self.change(sight, None).filter(|_| self.daemon().is_in_step()) else { return };
        let seconds = self.seconds_max(sight);
        self.pass(seconds).await;
        self.befell(match sight {
            Sight::Fast => KINDS[0],
            Sight::Full => KINDS[1],
            Sight::Gone => KINDS[2],
        });
        if let Some(now) = self.is_otherwise(&drift) {
            let text = format!("{} ({}) is {now} after {seconds} s", drift.what, drift.path);
            self.run.oracle.violate(Check::DriftOutlives, text);
        }
    }

    /// An account that answers nothing is told, and nobody else waits for it: what was changed elsewhere is put right as fast as ever,
    /// or another topology is brought in there.
    pub async fn account_hangs(&mut self) {
        if !self.is_calmly_in_step().await {
            return;
        }
        let is_hub = |at: usize| self.spec.hubs.iter().any(|hub| hub.account == at);
        let accounts = self.spec.accounts.iter().enumerate().filter(|(_, account)| account.managed);
        let with_topology = self.more.chance(40);
        // Everything goes by the hubs.
        let ids: Vec<&String> =
            accounts.filter(|(at, _)| !with_topology || !is_hub(*at)).map(|(_, account)| &account.id).collect();
        let account = (*self.more.pick(&ids)).clone();
        let next = if with_topology { self.take_next() } else { None };
        self.run.oracle.outage(&mut self.run.fleet.world(), Some(Outage::Hangs(account.clone())));
        match next {
            Some(next) => self.brings_in_beside(next, &account).await,
            None => self.mends_beside(&account).await,
        }
        let status = self.daemon().handle.status();
        let unread = status.unread();
        let hung = status.scopes.keys().filter(|scope| scope.account.to_string() == account);
        for scope in hung.filter(|scope| !unread.contains(scope)) {
            self.run.oracle.violate(Check::HeldUp, format!("{scope} hangs, and that is not told"));
        }
        self.run.oracle.outage(&mut self.run.fleet.world(), None);
    }

    async fn mends_beside(&mut self, account: &str) {
        let drift = self.change(Sight::Fast, Some(account));
        let seconds = self.seconds_max(Sight::Fast);
        self.pass(seconds).await;
        let Some(drift) = drift else { return };
        self.befell(KINDS[3]);
        if let Some(now) = self.is_otherwise(&drift) {
            let text = format!("{} ({}) is {now} after {seconds} s beside {account}", drift.what, drift.path);
            self.run.oracle.violate(Check::HeldUp, text);
        }
    }

    async fn brings_in_beside(&mut self, next: Spec, account: &str) {
        self.ask_for(next);
        self.befell(KINDS[4]);
        let seconds = self.seconds_max(Sight::Gone);
        self.pass(seconds).await;
        let world = self.run.fleet.world().clone();
        self.run.oracle.ask_beside(&self.spec, &world, account);
    }

    /// By when a daemon that goes on as it is must be in step once nothing is wrong any more: scopes in trouble are asked again, all
    /// is read, and what goes has settled.
    pub fn calm_secs_max(&self) -> u64 {
        let status = self.daemon().handle.status();
        let Some(config) = &status.config else { return IN_STEP_SECS_MAX };
        let sweep = &config.settings.sweep;
        u64::from(sweep.backoff_secs_max.max(sweep.refused_every_secs)) + self.seconds_max(Sight::Gone)
    }

    /// By when it has to be as it was: the time to the sweep that sees it, and what that sweep may take.
    fn seconds_max(&self, sight: Sight) -> u64 {
        let status = self.daemon().handle.status();
        let settings = &status.config.as_ref().unwrap().settings;
        let (sweep, pace) = (&settings.sweep, &settings.pace);
        let seconds = match sight {
            Sight::Fast => sweep.fast_every_secs,
            Sight::Full => sweep.full_every_secs,
            Sight::Gone => sweep.full_every_secs + pace.settle_secs + sweep.fast_every_secs,
        };
        u64::from(seconds + sweep.gap_secs_min + pace.scope_deadline_secs)
    }

    /// Somebody changes something of this kind, but for one account's.
    fn change(&mut self, sight: Sight, but_in: Option<&str>) -> Option<Drift> {
        let (run, rng, spec) = (&mut *self.run, &mut self.more, &self.spec);
        let oracle = run.oracle.clone();
        let before = run.fleet.world().clone();
        let mut changed = None;
        oracle.others_write(&mut run.fleet.world(), false, |aws| {
            changed = match sight {
                Sight::Fast => change_delivery(rng, aws, but_in),
                Sight::Full => change_setting(rng, aws, spec),
                Sight::Gone => add_leftover(rng, aws, spec),
            };
        });
        let (path, what, place) = changed?;
        run.oracle.allow_bus(place);
        run.oracle.note(&format!("{what}: {path}"));
        Some(Drift { was: live(&before, &path), path, what })
    }

    /// How a thing is, if that is not how it was.
    fn is_otherwise(&self, drift: &Drift) -> Option<String> {
        let now = live(&self.run.fleet.world(), &drift.path);
        (now != drift.was).then(|| difference(now.as_ref(), drift.was.as_ref()))
    }
}

/// What is otherwise, in words.
fn difference(now: Option<&Value>, was: Option<&Value>) -> String {
    let (Some(now), Some(was)) = (now, was) else { return format!("{now:?}, not {was:?},") };
    let fields: BTreeSet<&String> =
        [now, was].into_iter().flat_map(Value::as_object).flat_map(|all| all.keys()).collect();
    let other = fields.into_iter().filter(|field| now[*field] != was[*field]);
    other.map(|field| format!("{field} {}, not {}, ", now[field], was[field])).collect()
}

/// A live thing but for its description: what a rename makes of that is written when there is something else to write.
fn live(aws: &SimulatedAws, path: &str) -> Option<Value> {
    let mut live = items(aws, |_| true).remove(path)?;
    live.as_object_mut()?.remove("Description");
    Some(live)
}

/// What was changed: its path, in words, and where.
type Changed = Option<(String, &'static str, Place)>;

/// What deliveries rest on: a rule disabled or with another pattern, a target elsewhere or gone, a statement gone.
fn change_delivery(rng: &mut Rng, aws: &mut SimulatedAws, but_in: Option<&str>) -> Changed {
    let mut rules = our_rules(aws, None);
    rules.retain(|(_, place, _)| Some(place.account.as_str()) != but_in);
    if rules.is_empty() {
        return None;
    }
    let (rule, place, live) = rng.pick(&rules).clone();
    let path = format!("{}/{}/rule/{}/{rule}", place.account, place.region, place.bus);
    match rng.below(4) {
        0 => {
            oracle::others_call(aws, &place, "DisableRule", &json!({"Name": rule, "EventBusName": place.bus}));
            Some((path, "a rule that was disabled", place))
        }
        1 => {
            let description = live["Description"].as_str().unwrap_or_default();
            let other = r#"{"source":["com.example.edited"]}"#;
            oracle::put_rule(aws, &place, &rule, description, other, &json!([]));
            Some((path, "a rule that was given another pattern", place))
        }
        2 => change_target(rng, aws, place, &rule, but_in),
        _ => remove_statement(rng, aws, but_in),
    }
}

fn change_target(rng: &mut Rng, aws: &mut SimulatedAws, place: Place, rule: &str, but_in: Option<&str>) -> Changed {
    let here = format!("{}/{}/target/{}/{rule}/", place.account, place.region, place.bus);
    let mut found = items(aws, |item| item.kind == SnapshotKind::Target && item.name.starts_with(&ids_of(OWNER)));
    // Nothing is aimed at a bus that cannot be seen.
    let leads_to = |live: &Value, account: &str| live["Arn"].as_str().is_some_and(|arn| arn.contains(account));
    found.retain(|path, live| path.starts_with(&here) && !but_in.is_some_and(|account| leads_to(live, account)));
    let path = found.into_keys().next()?;
    let id = path.rsplit_once('/')?.1.to_owned();
    if rng.chance(50) {
        let elsewhere = queue_arn(&place.account, place.region, "somebodys-own");
        oracle::put_target(aws, &place, rule, &id, &elsewhere);
        return Some((path, "a target that leads elsewhere", place));
    }
    let input = json!({"Rule": rule, "EventBusName": place.bus, "Ids": [id]});
    oracle::others_call(aws, &place, "RemoveTargets", &input);
    Some((path, "a target that was removed", place))
}

fn remove_statement(rng: &mut Rng, aws: &mut SimulatedAws, but_in: Option<&str>) -> Changed {
    let found = items(aws, |item| item.kind == SnapshotKind::Statement && item.name.starts_with(&ids_of(OWNER)));
    let is_meant = |path: &String| but_in.is_none_or(|account| !path.starts_with(account));
    let paths: Vec<String> = found.into_keys().filter(is_meant).collect();
    if paths.is_empty() {
        return None;
    }
    let path = rng.pick(&paths).clone();
    let place = place_of(&path)?;
    let id = path.rsplit_once('/')?.1;
    let input = json!({"EventBusName": place.bus, "StatementId": id});
    oracle::others_call(aws, &place, "RemovePermission", &input);
    Some((path, "a statement that was removed", place))
}

/// What only a full reading sees: how a bus logs and where its dead letters go, how long an archive keeps, a rule's tags.
fn change_setting(rng: &mut Rng, aws: &mut SimulatedAws, spec: &Spec) -> Changed {
    match rng.below(3) {
        0 => change_bus(rng, aws, spec),
        1 => shorten_archive(rng, aws).or_else(|| change_bus(rng, aws, spec)),
        _ => change_tag(rng, aws).or_else(|| change_bus(rng, aws, spec)),
    }
}

fn change_bus(rng: &mut Rng, aws: &mut SimulatedAws, spec: &Spec) -> Changed {
    let mut buses = our_buses(aws);
    // Nothing is asked of one that the topology does not name any more.
    let wanted = spec.buses();
    buses.retain(|(place, _)| wanted.contains_key(place));
    if buses.is_empty() {
        return None;
    }
    let (place, live) = rng.pick(&buses).clone();
    let mut input = json!({"Name": place.bus});
    // What is left out is cleared.
    for field in ["Description", "KmsKeyIdentifier", "DeadLetterConfig", "LogConfig"] {
        if !live[field].is_null() {
            input[field] = live[field].clone();
        }
    }
    let what = if rng.chance(50) {
        let is_on = live["LogConfig"]["Level"] == "INFO";
        input["LogConfig"] = json!({"Level": if is_on { "ERROR" } else { "INFO" }, "IncludeDetail": "NONE"});
        "a bus that logs otherwise"
    } else {
        input["DeadLetterConfig"] = json!({"Arn": queue_arn(&place.account, place.region, "somebodys-own")});
        "a bus with other dead letters"
    };
    oracle::others_call(aws, &place, "UpdateEventBus", &input);
    Some((format!("{}/{}/bus/{}", place.account, place.region, place.bus), what, place))
}

fn shorten_archive(rng: &mut Rng, aws: &mut SimulatedAws) -> Changed {
    let found = items(aws, |item| item.kind == SnapshotKind::Archive && item.name.starts_with(&ids_of(OWNER)));
    let is_long = |(_, live): &(String, Value)| live["RetentionDays"].as_u64() > Some(1);
    let archives: Vec<(String, Value)> = found.into_iter().filter(is_long).collect();
    if archives.is_empty() {
        return None;
    }
    let (path, live) = rng.pick(&archives).clone();
    let source: Arn = live["EventSourceArn"].as_str()?.parse().ok()?;
    let place = Place { bus: source.bus_name()?.to_owned(), ..place_of(&path)? };
    let name = path.rsplit_once('/')?.1;
    oracle::others_call(aws, &place, "UpdateArchive", &json!({"ArchiveName": name, "RetentionDays": 1}));
    Some((path, "an archive that keeps for a day", place))
}

fn change_tag(rng: &mut Rng, aws: &mut SimulatedAws) -> Changed {
    let rules = our_rules(aws, None);
    if rules.is_empty() {
        return None;
    }
    let (rule, place, live) = rng.pick(&rules).clone();
    let tags = live["Tags"].as_array().into_iter().flatten().filter_map(|tag| tag["Key"].as_str());
    // Without its owner's, a rule is in doubt.
    let keys: Vec<&str> =
        tags.filter(|key| *key != "wheelwright:owner" && *key != crate::finish::PEOPLES_TAG).collect();
    if keys.is_empty() {
        return None;
    }
    let key = *rng.pick(&keys);
    let arn = Arn::rule(place.region, &place.account, &place.bus, &rule).to_string();
    if rng.chance(50) {
        let input = json!({"ResourceARN": arn, "Tags": [{"Key": key, "Value": "by-hand"}]});
        oracle::others_call(aws, &place, "TagResource", &input);
    } else {
        oracle::others_call(aws, &place, "UntagResource", &json!({"ResourceARN": arn, "TagKeys": [key]}));
    }
    let path = format!("{}/{}/rule/{}/{rule}", place.account, place.region, place.bus);
    Some((path, "a rule whose tags were changed", place))
}

/// A rule with both our marks and a target of ours comes to be on a default bus where nothing is wanted, as by a backup that
/// somebody restores.
fn add_leftover(rng: &mut Rng, aws: &mut SimulatedAws, spec: &Spec) -> Changed {
    let wanted = spec.default_buses();
    let hubs = spec.hubs.iter().map(|hub| spec.hub_place(hub));
    let spokes = spec.spokes().map(|spoke| spec.spoke_place(spoke));
    let places: Vec<Place> = hubs
        .chain(spokes)
        .map(|place| Place { bus: "default".to_owned(), ..place })
        .filter(|place| !wanted.contains(place))
        .collect();
    if places.is_empty() {
        return None;
    }
    let place = rng.pick(&places).clone();
    let rule = "ww.team0.left-over.0badcafe";
    let tags = json!([
        {"Key": "wheelwright:owner", "Value": "wheelwright"}, {"Key": "wheelwright:team", "Value": "team0"},
    ]);
    let pattern = r#"{"source":["com.example.left-over"]}"#;
    oracle::put_rule(aws, &place, rule, &marked("wheelwright", &place, Some(rule)), pattern, &tags);
    let queue = queue_arn(&place.account, place.region, "somebodys-own");
    create_queue(aws, &queue);
    oracle::put_target(aws, &place, rule, &format!("{}0badcafe", ids_of(OWNER)), &queue);
    let path = format!("{}/{}/rule/default/{rule}", place.account, place.region);
    Some((path, "a rule on a default bus that nobody wants", place))
}

/// Where the thing of this path is.
fn place_of(path: &str) -> Option<Place> {
    let parts: Vec<&str> = path.splitn(5, '/').collect();
    let region = REGIONS.into_iter().find(|region| *region == parts[1])?;
    Some(Place { account: parts[0].to_owned(), region, bus: parts[3].to_owned() })
}
