//! The daemon in virtual time on the simulated AWS: a day of it, people's orders, a second writer, restarts, bad topologies.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod full;
mod paused;
mod regions;
#[path = "../rows/mod.rs"]
mod rows;
#[path = "../support/mod.rs"]
mod support;
mod unanswered;
mod world;

use rows::{After, Edit, Row, TABLE};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use support::probes::{LEDGER, PLATFORM, US};
use support::{Bench, Hands, difference, is_ours};
use wheelwright::daemon::{Command, Reply};
use wheelwright::model::finding::FindingCode;
use wheelwright::model::ids::Moment;
use wheelwright::model::incident::{Incident, Resolution};
use wheelwright::model::order::{LiveStop, Order, Pause, Reach};
use wheelwright::model::plan::Guard;
use wheelwright::store::{IncidentFilter, Store};
use world::{ENFORCE, Running, example, start, start_silenced};

const HUB: &str = "org-events";
const HOUR: u64 = 3_600;
/// Seconds from one fast sweep to the next in the day that is tried.
const FAST: u64 = 120;

/// A number that looks like none in particular, and is the same every time.
struct Dice(u64);

impl Dice {
    fn below(&mut self, count: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % count
    }
}

fn order(running: &Running, hours: u64) -> Order {
    let since = running.now();
    let until = since.plus_ms(hours * HOUR * 1_000);
    Order { since, until, reason: "INC-7".into(), by: "kim".into() }
}

fn incidents(running: &Running) -> Vec<Incident> {
    running.store.incidents(&IncidentFilter { limit: 10_000, ..IncidentFilter::default() }).unwrap()
}

/// The name of a rule of the example on the American hub, by what it begins with.
fn rule(running: &Running, prefix: &str) -> String {
    let desired = running.handle.status().desired.clone().unwrap();
    let found = desired.rules.keys().find(|rule| rule.name.starts_with(prefix) && rule.bus.name == HUB);
    found.unwrap_or_else(|| panic!("no rule {prefix}")).name.clone()
}

fn state(running: &Running, rule: &str) -> String {
    let input = json!({"Name": rule, "EventBusName": HUB});
    running.aws(|aws| Hands { aws }.call(PLATFORM, US, "DescribeRule", input)["State"].as_str().unwrap().to_owned())
}

async fn in_step(running: &Running) {
    let is_in_step = |running: &Running| {
        running.handle.status().plan.as_ref().is_some_and(|plan| plan.in_step())
            && running.handle.status().sweeping.is_none()
    };
    running.until(2 * HOUR, "in step", is_in_step).await;
}

#[tokio::test(start_paused = true)]
async fn a_day_of_drift_is_mended_in_time_told_once_and_nothing_else_is_written() {
    let (example, aws) = example(&format!("{ENFORCE}fast-every-secs = {FAST}\n"));
    let bench = Bench::by_sdk(&example, aws);
    let running = start(bench, Arc::new(Store::in_memory().unwrap()));
    in_step(&running).await;
    running.wait_secs(20 * 60).await;
    let began = running.now();
    let mut known: BTreeSet<String> = incidents(&running).iter().map(|incident| incident.id.clone()).collect();
    let sessions = |running: &Running| running.aws(|aws| aws.call_counts().get("AssumeRole").copied().unwrap_or(0));
    let sessions_before = sessions(&running);
    let mendable: Vec<&Row> =
        TABLE.iter().flat_map(|(_, rows)| *rows).filter(|row| row.after == After::Mended).collect();
    let mut dice = Dice(24);
    let mut incidents_told = 0;
    let mut tried = Vec::new();
    while running.now().millis_since(began) < 24 * HOUR * 1_000 {
        running.wait_secs(dice.below(40 * 60)).await;
        let picture = |running: &Running| running.aws(|aws| aws.snapshot(is_ours));
        let (before, writes_before) = (picture(&running), running.writes());
        let row = mendable[usize::try_from(dice.below(mendable.len() as u64)).unwrap()];
        let desired = running.handle.status().desired.clone().unwrap();
        running.aws(|aws| (row.edit)(&mut Edit { door: aws, desired: &desired }));
        let codes: BTreeSet<FindingCode> = row.finds().into_iter().map(|(code, _)| code).collect();
        let slow = codes.iter().any(|code| code.needs_full_reading());
        // A sweep begins within the interval, and is done within seconds.
        let taken_away = codes.is_empty() || codes.iter().any(|code| code.to_string().ends_with("-surplus"));
        // What is taken away waits for the settle time after it was first seen.
        let bound = if slow { 900 + 60 } else { FAST + 15 } + if taken_away { 300 } else { 0 };
        let mended = |running: &Running| difference(&before, &picture(running)).is_empty();
        let took = running.until(bound, row.name, mended).await;
        assert!(running.writes() > writes_before, "{}: mended by nobody", row.name);
        tried.push((row.name, took));
        // Whatever only a full reading closes is closed by then.
        running.wait_secs(31 * 60).await;
        let told: Vec<Incident> =
            incidents(&running).into_iter().filter(|incident| known.insert(incident.id.clone())).collect();
        let told_codes: BTreeSet<FindingCode> = told.iter().map(|incident| incident.concern.code).collect();
        assert_eq!(told_codes, codes, "{}: {told:#?}", row.name);
        let keys: BTreeSet<String> = told.iter().map(|incident| incident.concern.key().to_string()).collect();
        assert_eq!(keys.len(), told.len(), "{}: told twice: {told:#?}", row.name);
        for incident in told.iter().filter(|incident| incident.concern.code.is_drift()) {
            assert!(matches!(incident.resolved, Some((_, Resolution::Mended))), "{}: {incident:#?}", row.name);
        }
        incidents_told += told.len();
        let at_rest = running.writes();
        running.wait_secs(3 * FAST).await;
        assert_eq!(running.writes(), at_rest, "{}: writes though nothing drifts", row.name);
    }
    for (name, took) in &tried {
        println!("{took:4} s  {name}");
    }
    println!("{} edits, {incidents_told} incidents, {} writes", tried.len(), running.writes());
    assert!(tried.len() >= 15, "only {} edits", tried.len());
    assert!(sessions(&running) > sessions_before, "a day outlasts every session");
    running.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_stopped_route_stays_stopped_changes_nothing_else_and_comes_back_at_its_time() {
    let (example, aws) = example(ENFORCE);
    let running = start(Bench::by_call(&example, aws), Arc::new(Store::in_memory().unwrap()));
    in_step(&running).await;
    let large = rule(&running, "ww.ledger.large");
    let without = |running: &Running| {
        let large = large.clone();
        running.aws(|aws| aws.snapshot(move |item| is_ours(item) && item.rule != large))
    };
    let (others, writes) = (without(&running), running.writes());
    let stop = LiveStop { subscription: "ledger.large".parse().unwrap(), order: order(&running, 2) };
    let reply = running.tell(Command::Stop(stop)).await;
    assert!(matches!(&reply, Reply::Done(told) if told.contains("dropped meanwhile, not queued")), "{reply:?}");
    running.until(5, "stopped", |running| state(running, &large) == "DISABLED").await;
    assert_eq!(running.writes(), writes + 1, "a stop is one write");
    // Twenty sweeps and more.
    for _ in 0..25 {
        running.wait_secs(60).await;
        assert_eq!(state(&running, &large), "DISABLED");
    }
    // Somebody enables it by hand meanwhile: it is held off again.
    running.aws(|aws| Hands { aws }.call(PLATFORM, US, "EnableRule", json!({"Name": large, "EventBusName": HUB})));
    running.until(75, "held off again", |running| state(running, &large) == "DISABLED").await;
    assert_eq!(difference(&others, &without(&running)), Vec::<String>::new());
    running.until(2 * HOUR, "back", |running| state(running, &large) == "ENABLED").await;
    assert!(running.handle.status().stops.is_empty());
    assert_eq!(difference(&others, &without(&running)), Vec::<String>::new());
    running.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_stop_can_be_ended_before_its_time_and_what_cannot_be_stopped_is_said_at_once() {
    let (example, aws) = example(ENFORCE);
    let running = start(Bench::by_call(&example, aws), Arc::new(Store::in_memory().unwrap()));
    in_step(&running).await;
    let large = rule(&running, "ww.ledger.large");
    let stop = |name: &str| Command::Stop(LiveStop { subscription: name.parse().unwrap(), order: order(&running, 2) });
    assert!(
        matches!(running.tell(stop("ledger.nothing")).await, Reply::Refused(why) if why.contains("nobody subscribes"))
    );
    running.tell(stop("ledger.large")).await;
    running.until(5, "stopped", |running| state(running, &large) == "DISABLED").await;
    assert!(matches!(running.tell(Command::Start("ledger.large".parse().unwrap())).await, Reply::Done(_)));
    running.until(5, "started", |running| state(running, &large) == "ENABLED").await;
    let again = running.tell(Command::Start("fraud.held".parse().unwrap())).await;
    assert!(matches!(&again, Reply::Refused(why) if why.contains("fraud.toml")), "{again:?}");
    running.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_second_writer_trips_the_breaker_once_and_writes_end_until_a_person_has_looked() {
    let (example, aws) = example(ENFORCE);
    let running = start(Bench::by_call(&example, aws), Arc::new(Store::in_memory().unwrap()));
    in_step(&running).await;
    let large = rule(&running, "ww.ledger.large");
    let disable = |running: &Running| {
        running.aws(|aws| Hands { aws }.call(PLATFORM, US, "DisableRule", json!({"Name": large, "EventBusName": HUB})))
    };
    for _ in 0..12 {
        disable(&running);
        running.wait_secs(61).await;
    }
    let of_the_fight = |running: &Running| {
        incidents(running)
            .into_iter()
            .filter(|incident| incident.concern.code == FindingCode::SecondWriter)
            .collect::<Vec<_>>()
    };
    let told = of_the_fight(&running);
    assert_eq!(told.len(), 1, "{told:#?}");
    let writes = running.writes();
    running.wait_secs(3 * HOUR).await;
    assert_eq!(running.writes(), writes, "it goes on fighting");
    assert_eq!(state(&running, &large), "DISABLED");
    let resource = told[0].concern.subject.resource().unwrap().clone();
    assert!(matches!(running.tell(Command::ResumeFight(resource)).await, Reply::Done(_)));
    running.until(5, "mended", |running| state(running, &large) == "ENABLED").await;
    running.until(HOUR, "over", |running| of_the_fight(running)[0].resolved.is_some()).await;
    let (world, store) = running.end().await;
    // What was counted before the person looked counts no more, after a restart either.
    let aws =
        Arc::try_unwrap(world).map_or_else(|world| world.lock().unwrap().clone(), |world| world.into_inner().unwrap());
    let running = start(Bench::by_call(&example, aws), store);
    in_step(&running).await;
    disable(&running);
    running.until(75, "mended after a restart", |running| state(running, &large) == "ENABLED").await;
    disable(&running);
    running.until(75, "and again", |running| state(running, &large) == "ENABLED").await;
    assert_eq!(of_the_fight(&running).len(), 1);
    running.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_pause_holds_what_it_covers_and_nothing_else_outlives_a_restart_and_ends_by_itself() {
    let (example, aws) = example(ENFORCE);
    let bench = Bench::by_call(&example, aws);
    let running = start(bench, Arc::new(Store::in_memory().unwrap()));
    in_step(&running).await;
    let (large, cards) = (rule(&running, "ww.ledger.large"), rule(&running, "ww.fraud.cards"));
    let pause = Pause { reach: Reach::Team("ledger".parse().unwrap()), order: order(&running, 3) };
    running.tell(Command::Pause(pause)).await;
    for rule in [&large, &cards] {
        running.aws(|aws| Hands { aws }.call(PLATFORM, US, "DisableRule", json!({"Name": rule, "EventBusName": HUB})));
    }
    running.until(75, "the other team's is mended", |running| state(running, &cards) == "ENABLED").await;
    assert_eq!(state(&running, &large), "DISABLED");
    let open = |running: &Running| {
        incidents(running).into_iter().filter(|incident| incident.resolved.is_none()).collect::<Vec<_>>()
    };
    let before: BTreeSet<String> = open(&running).into_iter().map(|incident| incident.id).collect();
    let (world, store) = running.end().await;

    let aws =
        Arc::try_unwrap(world).map_or_else(|world| world.lock().unwrap().clone(), |world| world.into_inner().unwrap());
    let running = start(Bench::by_call(&example, aws), store);
    running.wait_secs(HOUR).await;
    assert_eq!(state(&running, &large), "DISABLED", "the pause did not outlive the restart");
    let after: BTreeSet<String> = open(&running).into_iter().map(|incident| incident.id).collect();
    assert_eq!(before, after, "incidents are the same over a restart");
    running.until(3 * HOUR, "the pause ends", |running| state(running, &large) == "ENABLED").await;
    running.end().await;
}

#[tokio::test(start_paused = true)]
async fn by_default_it_only_looks_and_a_team_is_brought_in_by_its_mode() {
    let (example, aws) = example("\n[sweep]\nstart-jitter-secs-max = 0\n");
    let running = start(Bench::by_call(&example, aws), Arc::new(Store::in_memory().unwrap()));
    running.wait_secs(HOUR).await;
    assert_eq!(running.writes(), 0);
    let status = running.handle.status();
    assert!(status.plan.as_ref().unwrap().holds.iter().any(|hold| hold.guard.to_string() == "observe"));
    running
        .files
        .commit(|files| files.get_mut("wheelwright.toml").unwrap().push_str("\n[mode.hub]\nus = \"enforce\"\n"));
    running.until(60, "the hub is made", |running| running.writes() > 0).await;
    running.wait_secs(HOUR).await;
    let other = running.writes_in(|region| region != US);
    assert_eq!(other, 0, "what is in observe mode was written");
    running.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_bad_topology_is_told_and_the_last_good_one_stands() {
    let (example, aws) = example(ENFORCE);
    let running = start(Bench::by_call(&example, aws), Arc::new(Store::in_memory().unwrap()));
    in_step(&running).await;
    let large = rule(&running, "ww.ledger.large");
    let good = example.texts["topology/hubs.toml"].clone();
    running.files.commit(|files| files.insert("topology/hubs.toml".into(), "[hub".into()).map_or((), drop));
    let refused = |running: &Running| {
        running.handle.status().incidents.iter().any(|incident| incident.concern.code == FindingCode::TopologyRefused)
    };
    running.until(120, "told", refused).await;
    running.aws(|aws| Hands { aws }.call(PLATFORM, US, "DisableRule", json!({"Name": large, "EventBusName": HUB})));
    running.until(75, "drift is mended by the last good one", |running| state(running, &large) == "ENABLED").await;
    running.files.commit(BTreeMap::clear);
    running.wait_secs(HOUR).await;
    assert!(refused(&running));
    running.files.commit(|files| {
        files.clone_from(&example.texts);
        files.insert("topology/hubs.toml".into(), good);
    });
    running.until(120, "over", |running| !refused(running)).await;
    running.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_lost_state_writes_nothing_until_a_person_has_looked() {
    let (example, aws) = example(ENFORCE);
    let running = start(Bench::by_call(&example, aws), Arc::new(Store::in_memory().unwrap()));
    in_step(&running).await;
    let large = rule(&running, "ww.ledger.large");
    let (world, _) = running.end().await;
    let aws =
        Arc::try_unwrap(world).map_or_else(|world| world.lock().unwrap().clone(), |world| world.into_inner().unwrap());
    let running = start(Bench::by_call(&example, aws), Arc::new(Store::in_memory().unwrap()));
    running.until(60, "a sweep", |running| running.handle.status().last_sweep.is_some()).await;
    running.aws(|aws| Hands { aws }.call(PLATFORM, US, "DisableRule", json!({"Name": large, "EventBusName": HUB})));
    let writes = running.writes();
    running.wait_secs(HOUR).await;
    assert_eq!(running.writes(), writes);
    assert_eq!(state(&running, &large), "DISABLED");
    let status = running.handle.status();
    assert!(status.state_lost);
    assert!(status.incidents.iter().any(|incident| incident.concern.code == FindingCode::StateLost));
    assert!(matches!(running.tell(Command::ResumeStateLost).await, Reply::Done(_)));
    running.until(10, "mended", |running| state(running, &large) == "ENABLED").await;
    running.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_freeze_holds_and_ends() {
    // The simulated time begins on 2026-09-21 at 13:33 in UTC, a Monday.
    let freeze = "\n[freeze.release]\nfrom = \"0 13 * * MON\"\nhours = 4\nreason = \"the release\"\n";
    let (example, aws) = example(&format!("{ENFORCE}{freeze}"));
    let running = start(Bench::by_call(&example, aws), Arc::new(Store::in_memory().unwrap()));
    running.wait_secs(HOUR).await;
    assert_eq!(running.writes(), 0, "it is {}", running.now());
    assert_eq!(running.handle.status().freezes.len(), 1);
    in_step_after(&running, 4 * HOUR).await;
    assert!(running.now() > Moment(0) && running.writes() > 0);
    running.end().await;
}

async fn in_step_after(running: &Running, seconds: u64) {
    running.wait_secs(seconds).await;
    in_step(running).await;
}

#[tokio::test(start_paused = true)]
async fn an_account_that_hangs_is_told_holds_nobody_up_and_comes_in_when_it_answers() {
    let (example, aws) = example(ENFORCE);
    let (running, silent) = start_silenced(Bench::by_call(&example, aws), Arc::new(Store::in_memory().unwrap()));
    in_step(&running).await;
    let cards = rule(&running, "ww.fraud.cards");
    silent.lock().unwrap().insert(LEDGER.to_owned());
    let unread = |running: &Running| {
        let incidents = incidents(running).into_iter();
        incidents.filter(|incident| incident.concern.code == FindingCode::Unread).collect::<Vec<_>>()
    };
    running.until(5 * 60, "told", |running| !unread(running).is_empty()).await;
    for _ in 0..10 {
        running.aws(|aws| Hands { aws }.call(PLATFORM, US, "DisableRule", json!({"Name": cards, "EventBusName": HUB})));
        // A sweep's interval, and as long as a sweep waits for who does not answer.
        running.until(60 + 30 + 15, "mended beside it", |running| state(running, &cards) == "ENABLED").await;
        running.wait_secs(20 * 60).await;
    }
    let told = unread(&running);
    assert!(told.iter().all(|incident| incident.resolved.is_none()), "{told:#?}");
    assert!(told.len() <= 2, "one for each Region, and not one for each try: {told:#?}");
    // A person looks at it meanwhile: no order waits for it.
    let pause = Pause { reach: Reach::All, order: order(&running, 1) };
    running.tell(Command::Pause(pause)).await;
    running.tell(Command::Resume(Reach::All)).await;
    silent.lock().unwrap().clear();
    running
        .until(11 * 60, "it is read again", |running| unread(running).iter().all(|one| one.resolved.is_some()))
        .await;
    running.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_stop_is_done_in_a_pause_and_ends_in_a_freeze() {
    // The simulated time begins on a Monday, at 13:33 in UTC.
    let freeze = "\n[freeze.release]\nfrom = \"0 15 * * MON\"\nhours = 6\nreason = \"the release\"\n";
    let (example, aws) = example(&format!("{ENFORCE}{freeze}"));
    let running = start(Bench::by_call(&example, aws), Arc::new(Store::in_memory().unwrap()));
    in_step(&running).await;
    let large = rule(&running, "ww.ledger.large");
    running.tell(Command::Pause(Pause { reach: Reach::All, order: order(&running, 1) })).await;
    // The subscription's pattern changes meanwhile, and its team's tags: neither may be written now.
    running.files.commit(|files| {
        let ledger = files.get_mut("topology/teams/ledger.toml").unwrap();
        *ledger = ledger.replace("\"EUR\", \"USD\"", "\"EUR\", \"USD\", \"GBP\"");
        assert!(ledger.contains("GBP"));
        assert!(ledger.contains("data-class = \"restricted\""));
        *ledger = ledger.replace("data-class = \"restricted\"", "data-class = \"secret\"");
    });
    running.wait_secs(120).await;
    assert_eq!(state(&running, &large), "ENABLED");
    let stop = LiveStop { subscription: "ledger.large".parse().unwrap(), order: order(&running, 2) };
    let reply = running.tell(Command::Stop(stop)).await;
    assert!(matches!(reply, Reply::Done(_)), "{reply:?}");
    running.until(5, "stopped in spite of the pause", |running| state(running, &large) == "DISABLED").await;
    running.wait_secs(HOUR + 30 * 60).await;
    assert_eq!(running.handle.status().freezes.len(), 1, "it is {}", running.now());
    assert_eq!(state(&running, &large), "DISABLED");
    running.until(40 * 60, "back in spite of the freeze", |running| state(running, &large) == "ENABLED").await;
    running.end().await;
}

#[tokio::test(start_paused = true)]
async fn what_goes_waits_the_settle_time_after_what_replaces_it_was_written() {
    let (example, aws) = example(ENFORCE);
    let running = start(Bench::by_call(&example, aws), Arc::new(Store::in_memory().unwrap()));
    in_step(&running).await;
    running.files.commit(|files| {
        let orders = files.get_mut("topology/teams/orders.toml").unwrap();
        let from = "[subscribe.settled]\nfrom = \"payments.settlements\"\n";
        assert!(orders.contains(from));
        *orders = orders.replace(from, &format!("{from}deliver = {{ queue = \"settled\" }}\n"));
    });
    running.wait_secs(60).await;
    in_step(&running).await;
    let at = |operation: &str| {
        running.aws(|aws| {
            let ours = aws.log().iter().filter(|entry| entry.principal.contains("wheelwright-operator"));
            ours.filter(|entry| entry.operation == operation).map(|entry| entry.at_ms).next_back().unwrap()
        })
    };
    let (made, taken) = (at("PutTargets"), at("RemoveTargets"));
    assert!(taken - made >= 300_000, "the old target went {} ms after the new one came", taken - made);
    running.end().await;
}

/// Whoever lets nothing rest on what was read a minute ago sweeps seldom all the same: what goes is looked at once more when its
/// time has come.
#[tokio::test(start_paused = true)]
async fn what_goes_goes_though_readings_are_too_old_by_the_time_that_it_has_settled() {
    let (example, aws) = example(&format!("{ENFORCE}fast-every-secs = 500\n"));
    let running = start(Bench::by_call(&example, aws), Arc::new(Store::in_memory().unwrap()));
    in_step(&running).await;
    running.files.commit(|files| {
        let settings = files.get_mut("wheelwright.toml").unwrap();
        let usual = "fresh-secs-max = 900";
        assert!(settings.contains(usual));
        *settings = settings.replace(usual, "fresh-secs-max = 60");
        let orders = files.get_mut("topology/teams/orders.toml").unwrap();
        let from = "[subscribe.settled]\nfrom = \"payments.settlements\"\n";
        *orders = orders.replace(from, &format!("{from}deliver = {{ queue = \"settled\" }}\n"));
    });
    running.wait_secs(60).await;
    in_step(&running).await;
    running.end().await;
}

/// A fast sweep sees less than a full one, and what it sees of a plan that waits for a person waits too.
#[tokio::test(start_paused = true)]
async fn what_waits_for_a_person_is_not_done_in_parts() {
    let (example, aws) = example(ENFORCE);
    let running = start(Bench::by_call(&example, aws), Arc::new(Store::in_memory().unwrap()));
    in_step(&running).await;
    let before = running.writes();
    running.files.commit(|files| {
        let mut replace = |path: &str, from: &str, to: &str| {
            let text = files.get_mut(path).unwrap();
            assert!(text.contains(from), "{from:?}");
            *text = text.replace(from, to);
        };
        // Two buses change, which a full sweep sees alone, and one rule.
        replace(
            "wheelwright.toml",
            "changes-percent-max = 50\nchanges-floor = 20",
            "changes-percent-max = 1\nchanges-floor = 2",
        );
        replace("topology/hubs.toml", "Business events of acme", "All events of acme");
        let from = "[subscribe.settled]\nfrom = \"payments.settlements\"\n";
        replace("topology/teams/orders.toml", from, &format!("{from}replays = \"deliver\"\n"));
    });
    running.wait_secs(2 * HOUR).await;
    let plan = running.handle.status().plan.clone().unwrap();
    let holds = |guard: Guard| plan.steps.iter().filter(|step| step.held_by.contains(&guard)).count();
    assert!(!plan.steps.is_empty() && holds(Guard::TooManyChanges) == plan.steps.len(), "{:?}", plan.holds);
    assert_eq!(running.writes(), before, "nothing of it is done: {:?}", plan.holds);
    running.end().await;
}

/// A target that was there before is ours by a tag of its rule, which a fast sweep has to read for it.
#[tokio::test(start_paused = true)]
async fn a_target_whose_kept_id_is_no_more_asked_for_goes_once_after_the_settle_time() {
    let (example, aws) = example(ENFORCE);
    let from = "[subscribe.settlements]\nfrom = \"payments.settlements\"\n";
    let kept = example.edited(&[("topology/teams/ledger.toml", from, &format!("{from}keeps.target = \"Target0\"\n"))]);
    let running = start(Bench::by_call(&kept, aws), Arc::new(Store::in_memory().unwrap()));
    in_step(&running).await;
    let settlements = rule(&running, "ww.ledger.settlements");
    let targets = |running: &Running| -> Vec<String> {
        let named = json!({"Rule": settlements, "EventBusName": HUB});
        let listed = running.aws(|aws| Hands { aws }.call(PLATFORM, US, "ListTargetsByRule", named));
        listed["Targets"].as_array().unwrap().iter().map(|target| target["Id"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(targets(&running), ["Target0"]);
    running.wait_secs(20 * 60).await;
    let (told, edited_at) = (incidents(&running).len(), running.now());
    running.files.commit(|files| {
        let ledger = files.get_mut("topology/teams/ledger.toml").unwrap();
        *ledger = ledger.replace("keeps.target = \"Target0\"\n", "");
    });
    running.until(120, "ours is beside it", |running| targets(running).len() == 2).await;
    let took = running.until(360, "it is gone", |running| targets(running).len() == 1).await;
    assert!(took >= 300, "it went after {took} s");
    assert_ne!(targets(&running), ["Target0"]);
    running.wait_secs(HOUR).await;
    let of_it = |operation: &str| {
        running.aws(|aws| {
            let since = i64::try_from(edited_at.0).unwrap();
            let written = aws.log().iter().filter(|entry| entry.operation == operation && entry.at_ms >= since);
            written.filter(|entry| entry.input.to_string().contains(&settlements)).count()
        })
    };
    assert_eq!(["PutTargets", "RemoveTargets", "UntagResource"].map(of_it), [1, 1, 1]);
    assert_eq!(incidents(&running).len(), told, "{:#?}", incidents(&running));
    running.end().await;
}

/// Takes a rule of the American hub away, as a person at the console does.
fn take_away(running: &Running, rule: &str) {
    running.aws(|aws| {
        let named = json!({"Rule": rule, "EventBusName": HUB});
        let listed = Hands { aws }.call(PLATFORM, US, "ListTargetsByRule", named.clone());
        let ids: Vec<&str> =
            listed["Targets"].as_array().unwrap().iter().map(|target| target["Id"].as_str().unwrap()).collect();
        let targets = json!({"Rule": rule, "EventBusName": HUB, "Ids": ids});
        Hands { aws }.call(PLATFORM, US, "RemoveTargets", targets);
        Hands { aws }.call(PLATFORM, US, "DeleteRule", json!({"Name": rule, "EventBusName": HUB}));
    });
}

#[tokio::test(start_paused = true)]
async fn what_is_taken_away_after_a_commit_that_changed_nothing_at_aws_is_drift_and_after_a_restart_too() {
    let comment = |files: &mut BTreeMap<String, String>| {
        files.get_mut("topology/teams/ledger.toml").unwrap().push_str("# A comment.\n");
    };
    let missing = |running: &Running| {
        let all = incidents(running).into_iter();
        all.filter(|incident| incident.concern.code == FindingCode::RuleMissing).count()
    };
    let (example, aws) = example(ENFORCE);
    let running = start(Bench::by_call(&example, aws), Arc::new(Store::in_memory().unwrap()));
    in_step(&running).await;
    let before = running.writes();
    running.files.commit(comment);
    in_step_after(&running, 10 * 60).await;
    assert_eq!(running.writes(), before, "a comment changes nothing at AWS");
    let cards = rule(&running, "ww.fraud.cards");
    take_away(&running, &cards);
    running.until(75, "told", |running| missing(running) == 1).await;
    in_step(&running).await;
    let (world, store) = running.end().await;

    // Mending it wrote a mark with the newest sequence, so this takes another comment.
    let aws = world.lock().unwrap().clone();
    let running = start(Bench::by_call(&example, aws), store);
    let comments = |files: &mut BTreeMap<String, String>| {
        comment(files);
        comment(files);
    };
    running.files.commit(comments);
    running.files.commit(|_| {});
    in_step_after(&running, 10 * 60).await;
    let (world, store) = running.end().await;
    let aws = world.lock().unwrap().clone();
    let running = start(Bench::by_call(&example, aws), store);
    take_away(&running, &cards);
    running.files.commit(comments);
    running.files.commit(|_| {});
    running.until(75, "told after a restart", |running| missing(running) == 2).await;
    running.end().await;
}

#[tokio::test(start_paused = true)]
async fn alert_channels_that_cannot_be_opened_are_told_and_hold_nothing_else_up() {
    let (example, aws) = example(ENFORCE);
    let running = start(Bench::by_call(&example, aws), Arc::new(Store::in_memory().unwrap()));
    in_step(&running).await;
    let unready = |running: &Running| {
        let open = running.handle.status().incidents.clone().into_iter();
        open.filter(|incident| incident.concern.code == FindingCode::ChannelsUnready).collect::<Vec<_>>()
    };
    let before = example.texts["wheelwright.toml"].clone();
    running.files.commit(|files| {
        let settings = files.get_mut("wheelwright.toml").unwrap();
        settings.push_str("\n[alert.chat]\nkind = \"slack\"\nurl-env = \"NOT_THERE\"\n");
        let ledger = files.get_mut("topology/teams/ledger.toml").unwrap();
        *ledger = ledger.replace("#ledger-oncall", "#ledger-and-others");
    });
    running.until(60, "told", |running| unready(running).len() == 1).await;
    let told = unready(&running)[0].concern.detail.clone();
    assert!(told.contains("[alert.chat]") && told.contains("NOT_THERE"), "{told}");
    let contacts = running.handle.status().config.as_ref().unwrap().contacts();
    assert!(contacts.values().any(|contact| contact == "#ledger-and-others"), "the rest is used: {contacts:?}");
    running.files.commit(|files| drop(files.insert("wheelwright.toml".into(), before)));
    running.until(60, "over", |running| unready(running).is_empty()).await;
    running.end().await;
}

#[tokio::test(start_paused = true)]
async fn it_ends_at_once_while_it_waits_for_the_topology_to_come_to_rest() {
    let (example, aws) = example(ENFORCE);
    let running = start(Bench::by_call(&example, aws), Arc::new(Store::in_memory().unwrap()));
    let (began, clock) = (running.now(), running.clock);
    running.end().await;
    assert_eq!(wheelwright::port::Clock::now(&clock), began);
}
