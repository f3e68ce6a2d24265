//! There and back again: a topology A is applied, then B, which differs in one key, then A again. What lives then is
//! what lived after the first A, to the byte, but for the sequence in the marks; and for what plans never take away,
//! which each edit names. Every key of the language has such an edit, or a reason why AWS is told nothing of it.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod deliveries;
mod example;
#[path = "../support/mod.rs"]
mod support;
mod trips;

use deliveries::{deliveries, interrupted};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use support::{Bench, Example, difference};
use trips::{TRIPS, Told, Trip, WITHOUT_EFFECT};
use wheelwright::call::{Answer, Call, CallError};
use wheelwright::config::{self, SourceFiles};
use wheelwright::eventbridge::Arn;
use wheelwright::model::ids::Scope;
use wheelwright::model::plan::Guard;
use wheelwright::plan::Approval;
use wheelwright::port::Fleet;
use wheelwright::sim::{Bootstrap, Permission, SimulatedAws, key_policy};
use wheelwright::stage;

const PLATFORM: &str = "111111111111";
const LEDGER: &str = "333333333333";
const US: &str = "us-east-1";
/// The organisation that all accounts are in.
const ORGANIZATION: &str = "o-a1b2c3d4e5";

/// What a person lets go who has looked.
const LET_GO: [Guard; 3] = [Guard::TooManyBreaks, Guard::TooManyChanges, Guard::PublishersMove];

/// By which door the operator comes.
#[derive(Clone, Copy)]
enum Door {
    Call,
    Sdk,
}

#[tokio::test(start_paused = true)]
async fn every_key_goes_there_and_comes_back_by_the_call_door() {
    all(Door::Call).await;
}

#[tokio::test(start_paused = true)]
async fn every_key_goes_there_and_comes_back_by_the_sdk_door() {
    all(Door::Sdk).await;
}

async fn all(door: Door) {
    let mut wrong = Vec::new();
    for trip in TRIPS {
        wrong.extend(there_and_back(door, trip).await.map(|what| format!("{:?} {:?}:\n{what}", trip.keys, trip.edits)));
    }
    assert!(wrong.is_empty(), "{} of {} trips:\n{}", wrong.len(), TRIPS.len(), wrong.join("\n"));
}

#[tokio::test(start_paused = true)]
async fn a_key_without_effect_writes_nothing() {
    let first = edited(&[], 1);
    let aws = applied(Door::Call, &first, staged(&[&first])).await;
    for Told { key, why, edits } in WITHOUT_EFFECT {
        assert!(!why.is_empty());
        let next = edited(edits, 2);
        let (_, plan) = Bench::by_call(&next, aws.clone()).plan().await;
        let bench = Bench::by_call(&next, aws.clone());
        assert!(plan.is_empty(), "{key}: {}", bench.shown(&plan));
    }
}

#[test]
fn every_key_of_the_language_has_its_edit_or_its_reason() {
    let mut keys = BTreeSet::new();
    leaves(&config::schema(), "", &mut keys);
    keys.retain(|key| !OF_THE_DAEMON.iter().any(|table| key.starts_with(&format!("{table}."))));
    let edited: BTreeSet<String> = TRIPS.iter().flat_map(|trip| trip.keys).map(ToString::to_string).collect();
    let told: BTreeSet<String> = WITHOUT_EFFECT.iter().map(|told| told.key.to_owned()).collect();
    assert_eq!(edited.intersection(&told).collect::<Vec<_>>(), Vec::<&String>::new());
    let known: BTreeSet<String> = edited.union(&told).cloned().collect();
    assert_eq!(keys.difference(&known).collect::<Vec<_>>(), Vec::<&String>::new(), "keys that have neither");
    assert_eq!(known.difference(&keys).collect::<Vec<_>>(), Vec::<&String>::new(), "no keys of the language");
    println!("{} keys: {} with an effect, in {} edits", keys.len(), edited.len(), TRIPS.len());
}

/// Tables that say when the daemon looks, where it writes, what it remembers and whom it tells: no resource comes of them. What they
/// do is tried in `tests/daemon/` and `tests/notify/`. And the one that says who may write what (`tests/corpus/path-*`).
const OF_THE_DAEMON: &[&str] = &["alert", "breaker", "freeze", "http", "mode", "on-drift", "path", "state", "sweep"];

/// The keys that can be set, as `hub.archive.retention-days`: names of entries are left out.
fn leaves(schema: &Value, path: &str, keys: &mut BTreeSet<String>) {
    let below = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
    let has_keys = |schema: &Value| schema["properties"].is_object();
    let inner: Vec<&Value> =
        [&schema["additionalProperties"], &schema["items"]].into_iter().filter(|part| has_keys(part)).collect();
    let choices = schema["oneOf"].as_array().cloned().unwrap_or_default();
    if !has_keys(schema) && inner.is_empty() && !path.is_empty() {
        keys.insert(path.to_owned());
    }
    for part in inner.into_iter().chain(choices.iter().filter(|part| has_keys(part))) {
        leaves(part, path, keys);
    }
    for (key, part) in schema["properties"].as_object().into_iter().flatten() {
        leaves(part, &below(key), keys);
    }
}

/// What is wrong with a trip, if anything.
async fn there_and_back(door: Door, trip: &Trip) -> Option<String> {
    let [a, b, again] = [(&[][..], 1), (trip.edits, 2), (&[][..], 3)].map(|(edits, at)| edited(edits, at));
    let before = applied(door, &a, staged(&[&a, &b])).await;
    let there = applied(door, &b, before.clone()).await;
    if difference(&picture(&before), &picture(&there)).is_empty() {
        return Some("B is as A: the edit has no effect".to_owned());
    }
    let back = applied(door, &again, there).await;
    let differs = difference(&picture(&before), &picture(&back));
    let stays = |line: &&String| trip.stays.iter().any(|path| line.starts_with(path));
    let (stay, wrong): (Vec<&String>, Vec<&String>) = differs.iter().partition(stays);
    let unseen = trip.stays.iter().find(|path| !stay.iter().any(|line| line.starts_with(*path)));
    match (wrong.as_slice(), unseen) {
        ([], None) => None,
        ([], Some(path)) => Some(format!("{path} is as before, though it is said to stay")),
        (wrong, _) => Some(wrong.iter().map(|line| format!("    {line}\n")).collect()),
    }
}

#[tokio::test(start_paused = true)]
async fn killed_at_any_write_of_a_trip_it_comes_to_the_same_end() {
    let (mut wrong, mut places, mut delivered) = (Vec::new(), 0, BTreeSet::new());
    for trip in TRIPS {
        let [a, b] = live(trip);
        let mut before = staged(&[&a, &b]);
        create_queues(&mut before, &[&a, &b]);
        let before = applied(Door::Call, &a, before).await;
        let end = applied(Door::Call, &b, before.clone()).await;
        let (delivers, will_deliver) = (deliveries(&before), deliveries(&end));
        delivered.extend(delivers.iter().flatten().cloned());
        let end = unmarked(&end);
        for (place, cut) in cut_at_every_write(&b, before).await.into_iter().enumerate() {
            places += 1;
            // Nobody goes on from here, for ever.
            let lost = interrupted(&delivers, &will_deliver, &deliveries(&cut));
            if !lost.is_empty() {
                wrong.push(format!("{:?}, stopped after write {place}:\n{}", trip.keys, lost.join("\n")));
            }
            let other = unmarked(&applied(Door::Call, &b, cut).await);
            let differs = difference(&end, &other);
            if !differs.is_empty() {
                wrong.push(format!("{:?}, killed after write {place}:\n{}", trip.keys, differs.join("\n")));
            }
        }
    }
    println!("killed in {places} places of {} trips", TRIPS.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(places > TRIPS.len(), "a trip has a write, and so two places to die at");
    assert_eq!(delivered.len(), 9, "every subscriber, audit and hub of the example gets something: {delivered:?}");
}

/// Where nothing is applied, everything is interrupted.
#[tokio::test(start_paused = true)]
async fn an_interruption_is_seen() {
    let first = edited(&[], 1);
    let bare = staged(&[&first]);
    let delivers = deliveries(&applied(Door::Call, &first, bare.clone()).await);
    assert!(interrupted(&delivers, &delivers, &delivers).is_empty());
    let delivering = delivers.iter().filter(|targets| !targets.is_empty()).count();
    assert_eq!((delivering, interrupted(&delivers, &delivers, &deliveries(&bare)).len()), (6, 6));
}

/// A trip's two topologies. Replays are not simulated, so what asks for them asks for live events, too, but where the trip is
/// about that.
fn live(trip: &Trip) -> [Example; 2] {
    const LIVE: (&str, &str, &str) = (trips::REPLAYED.0, trips::REPLAYED.1, "");
    let is_about_replays = trip.keys.contains(&"subscribe.where.replay-name");
    let first: Vec<_> = if is_about_replays { Vec::new() } else { vec![LIVE] };
    let then = [&first[..], trip.edits].concat();
    [edited(&first, 1), edited(&then, 2)]
}

/// The queues that these topologies deliver to.
fn create_queues(aws: &mut SimulatedAws, examples: &[&Example]) {
    let rules = examples.iter().flat_map(|example| example.desired.rules.values());
    let targets = rules.flat_map(|rule| rule.spec.targets.values());
    let queues: BTreeSet<&String> = targets.map(|target| &target.arn).filter(|arn| arn.contains(":sqs:")).collect();
    for queue in queues {
        let arn: Arn = queue.parse().unwrap();
        let policy = json!({"Version": "2012-10-17", "Statement": [
            {"Sid": "all", "Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage", "Resource": queue}
        ]});
        aws.create_queue_with_policy(&arn.account, &arn.region, arn.queue_name().unwrap(), &policy);
    }
}

/// The worlds that a process can leave that dies on the way to `example`: before its first write and after each.
async fn cut_at_every_write(example: &Example, before: SimulatedAws) -> Vec<SimulatedAws> {
    let bench = Bench::by_call(example, before.clone());
    let kept = Kept { inner: &bench.fleet, world: &bench.world, worlds: Mutex::new(vec![before]) };
    let approval = Approval { allow: LET_GO.into(), plan_id: None };
    bench.sweep_by(&kept, &bench.clock, &approval).await.unwrap();
    kept.worlds.into_inner().unwrap()
}

/// A fleet that keeps the world as it is after each write.
struct Kept<'a, F> {
    inner: &'a F,
    world: &'a Mutex<SimulatedAws>,
    worlds: Mutex<Vec<SimulatedAws>>,
}

impl<F: Fleet> Fleet for Kept<'_, F> {
    async fn call(&self, scope: &Scope, call: Call) -> Result<Answer, CallError> {
        let is_write = call.is_write();
        let answer = self.inner.call(scope, call).await;
        if is_write {
            let world = self.world.lock().unwrap().clone();
            self.worlds.lock().unwrap().push(world);
        }
        answer
    }
}

/// Everything that lives, without the marks' labels: they tell for which topology a thing was last written, which a process that
/// finds it as it should be has no reason to write again.
fn unmarked(aws: &SimulatedAws) -> Value {
    let mut picture = picture(aws);
    for value in picture.as_object_mut().unwrap().values_mut() {
        let Some(text) = value["Description"].as_str() else { continue };
        if let Some((text, _)) = text.split_once("[ww1:acme:") {
            value["Description"] = format!("{text}[ww1:acme]").into();
        }
    }
    picture
}

/// The example with these edits, which nothing is wrong with.
fn edited(edits: &[(&str, &str, &str)], sequence: u64) -> Example {
    let texts = files(edits);
    let files = SourceFiles::new(texts.iter().map(|(path, text)| (path.as_str(), text.as_str())));
    let loaded = config::load(&files);
    assert!(!loaded.has_errors(), "{}", config::render(&loaded.diagnostics, &files, config::Style::Plain));
    Example::of(texts, sequence)
}

/// The example's files with these edits, and the keys that there are.
fn files(edits: &[(&str, &str, &str)]) -> BTreeMap<String, String> {
    let mut files = example::files();
    for (path, from, to) in edits {
        let text = files.get_mut(*path).unwrap();
        assert_eq!(text.matches(from).count(), 1, "{from:?} is not once in {path}");
        *text = text.replace(from, to);
    }
    let keys = keys(&mut SimulatedAws::default());
    for text in files.values_mut() {
        for (at, key) in keys.iter().enumerate() {
            *text = text.replace(&format!("KEY-{}", at + 1), key);
        }
    }
    files
}

/// Two keys of the platform's and one of the ledger's: the first things of a world, so that they are always the same.
fn keys(aws: &mut SimulatedAws) -> [String; 3] {
    [PLATFORM, PLATFORM, LEDGER].map(|account| {
        let key = aws.create_key(account, US);
        let mut policy = key_policy(account);
        let operator = json!({
            "Sid": "Operator", "Effect": "Allow", "Action": "kms:*", "Resource": "*",
            "Principal": {"AWS": format!("arn:aws:iam::{account}:role/wheelwright-operator")},
        });
        policy["Statement"].as_array_mut().unwrap().push(operator);
        aws.set_key_policy(&key, &policy);
        key
    })
}

/// The accounts of all these topologies, as they are before wheelwright first looks at them.
fn staged(examples: &[&Example]) -> SimulatedAws {
    let mut aws = SimulatedAws::default();
    keys(&mut aws);
    aws.create_account(stage::OPERATOR_ACCOUNT);
    for example in examples {
        let (operator, delivery) = (&example.settings.operator, &example.settings.delivery);
        let bootstrap = Bootstrap {
            operator_account: stage::OPERATOR_ACCOUNT.to_owned(),
            external_id: operator.external_id.clone().unwrap_or_default(),
            operator_role: operator.role_name.clone(),
            delivery_role: delivery.role_name.clone(),
            dead_letter_queue: delivery.dead_letter_queue.clone(),
            operator_permissions: Some(vec![Permission::on_everything(&["events:*", "iam:PassRole"])]),
        };
        for account in example.topology.accounts.values() {
            let scopes = example.desired.scopes.iter().filter(|scope| scope.account == account.id);
            let regions: Vec<&str> = scopes.map(|scope| scope.region.as_str()).collect();
            aws.bootstrap_account(&account.id.to_string(), &regions, &bootstrap);
            aws.set_organization(&account.id.to_string(), ORGANIZATION);
        }
    }
    aws
}

/// The world when a person has let the topology go: all of it.
async fn applied(door: Door, example: &Example, aws: SimulatedAws) -> SimulatedAws {
    match door {
        Door::Call => sweep(&Bench::by_call(example, aws)).await,
        Door::Sdk => sweep(&Bench::by_sdk(example, aws)).await,
    }
}

async fn sweep<F: Fleet>(bench: &Bench<F>) -> SimulatedAws {
    let approval = Approval { allow: LET_GO.into(), plan_id: None };
    let mut swept = bench.sweep_with(&bench.clock, &approval).await.unwrap();
    if !swept.in_step() {
        swept = bench.sweep_with(&bench.clock, &approval).await.unwrap();
    }
    bench.assert_in_step(&swept);
    bench.aws().clone()
}

/// Everything that lives, without the sequence in the marks.
fn picture(aws: &SimulatedAws) -> Value {
    let mut picture = aws.snapshot(|_| true);
    for value in picture.as_object_mut().unwrap().values_mut() {
        let Some(text) = value["Description"].as_str() else { continue };
        if let Some((text, mark)) = text.split_once("[ww1:acme:") {
            let (_, rest) = mark.split_once(':').unwrap();
            value["Description"] = format!("{text}[ww1:acme:_:{rest}").into();
        }
    }
    picture
}
