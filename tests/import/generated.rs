//! Generated worlds, brought to what a topology asks for, then imported: with our marks, without them, and made people's own.

use crate::foreign::{self, Stripping};
use crate::rng::Rng;
use crate::samples::SAMPLES;
use crate::spec::{Event, REGIONS, Spec, Way};
use crate::staged::{create_keys, create_queue};
use crate::support::{Bench, Example};
use crate::{changes, example_of, generator, imported, written};
use std::collections::{BTreeMap, BTreeSet};
use wheelwright::eventbridge::Arn;
use wheelwright::import::Request;
use wheelwright::model::ids::Region;
use wheelwright::model::plan::Guard;
use wheelwright::plan::Approval;
use wheelwright::sim::call_door::SimFleet;
use wheelwright::sim::{Caller, EventEntry, SimulatedAws};

/// Worlds of each kind.
const WORLDS: u64 = 120;

fn count() -> u64 {
    // How many worlds to try comes from the environment.
    std::env::var("WHEELWRIGHT_IMPORTS").ok().and_then(|text| text.parse().ok()).unwrap_or(WORLDS)
}

/// A topology, and the accounts after it was applied.
async fn converged(rng: &mut Rng) -> (Spec, Bench<SimFleet>) {
    let mut spec = generator::topology(rng).without_stops();
    let gateways: Vec<usize> = (0..spec.accounts.len()).rev().take(2).collect();
    for publication in spec.teams.iter_mut().flat_map(|team| &mut team.publications) {
        if publication.way == Way::Hub && rng.chance(30) {
            publication.gateways = vec![*rng.pick(&gateways)];
        }
    }
    let example = Example::of(spec.files().into_iter().collect(), 1);
    let mut aws = example.stage();
    create_keys(&mut aws, &spec);
    for queue in spec.mailboxes().into_iter().filter(|mailbox| mailbox.contains(":sqs:")) {
        create_queue(&mut aws, &queue);
    }
    let bench = Bench::by_call(&example, aws);
    let swept = bench.sweep().await;
    assert!(swept.after.is_empty(), "{}", bench.shown(&swept.after));
    (spec, bench)
}

fn request(spec: &Spec) -> Request {
    let managed = spec.accounts.iter().filter(|account| account.managed);
    Request {
        accounts: managed.map(|account| (account.name.parse().unwrap(), account.id.parse().unwrap())).collect(),
        regions: REGIONS.into_iter().map(Region::new).collect(),
        ..Request::default()
    }
}

/// Where each event of the topology's publishers goes: the ARNs that it is delivered to.
fn heard(aws: &SimulatedAws, spec: &Spec) -> BTreeMap<Event, Vec<String>> {
    let mut aws = aws.clone();
    let mut heard = BTreeMap::new();
    for event in spec.events() {
        let before = aws.trace().len();
        let bus = if event.at.account == event.account {
            event.at.bus.clone()
        } else {
            Arn::bus(event.at.region, &event.at.account, &event.at.bus).to_string()
        };
        let entry = EventEntry::new(&bus, &event.source, event.kind, SAMPLES[event.sample].detail(0));
        if event.is_a_services() {
            aws.service_event(&event.account, event.at.region, &entry);
        } else {
            _ = aws.put_event(&Caller::root(&event.account), event.at.region, &entry);
        }
        let mut went: Vec<String> =
            aws.trace()[before..].iter().map(|record| format!("{} {:?}", record.target_arn, record.outcome)).collect();
        went.sort();
        heard.insert(event, went);
    }
    heard
}

#[tokio::test(start_paused = true)]
async fn what_bears_our_marks_imports_to_an_empty_plan() {
    for seed in 0..count() {
        let (spec, bench) = converged(&mut Rng::new(seed)).await;
        let found = imported(&bench, &request(&spec)).await;
        let text = written(&found);
        assert!(!found.files.is_empty(), "seed {seed}: nothing was written: {:#?}", found.left);
        let again = Bench::by_call(&example_of(&found, 1), bench.aws().clone());
        let (_, plan) = again.plan().await;
        assert!(plan.is_empty(), "seed {seed}: {}\n{:#?}\n{text}", again.shown(&plan), found.left);
        let routes = |bench: &Bench<SimFleet>| -> BTreeSet<String> {
            let routes = bench.example.desired.routes.values();
            routes.map(|route| format!("{:?} {} {:?}", route.rule, route.target_id, route.publisher_accounts)).collect()
        };
        assert_eq!(routes(&bench), routes(&again), "seed {seed}\n{text}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_people_made_is_taken_over_and_delivers_the_same() {
    let (mut rules, mut kept, mut worlds) = (0, 0, 0);
    for seed in 0..count() {
        let mut rng = Rng::new(seed);
        let (spec, bench) = converged(&mut rng).await;
        let mut aws = bench.aws().clone();
        let stripping = Stripping { renamed: rng.chance(60), unpinned: rng.chance(50), targets: rng.chance(30) };
        foreign::strip(&mut aws, stripping, &mut rng);
        let before = heard(&aws, &spec);
        let foreign = Bench::by_call(&bench.example, aws);
        let found = imported(&foreign, &request(&spec)).await;
        let text = written(&found);
        if found.files.is_empty() {
            continue; // No bus has a rule that goes on to others.
        }
        worlds += 1;
        let again = Bench::by_call(&example_of(&found, 1), foreign.aws().clone());
        let (_, plan) = again.plan().await;
        let shown = again.shown(&plan);
        assert_eq!(changes(&plan), Vec::<String>::new(), "seed {seed} {stripping:?}: {shown}\n{text}");
        let approval = Approval { allow: [Guard::Adopt, Guard::TooManyChanges].into(), plan_id: None };
        let swept = again.sweep_with(&again.clock, &approval).await.unwrap();
        assert!(swept.failures().next().is_none(), "seed {seed}: {:?}", swept.failures().collect::<Vec<_>>());
        assert!(swept.after.is_empty(), "seed {seed}: {}\n{text}", again.shown(&swept.after));
        assert_eq!(before, heard(&again.aws(), &spec), "seed {seed}\n{text}");
        rules += found.taken.iter().filter(|one| one.resource.kind() == "rule").count();
        kept += found.taken.iter().filter(|one| !one.keeps.is_empty()).count();
    }
    println!("{worlds} worlds, {rules} rules taken over, {kept} things that keep something");
    assert!(worlds * 10 > count() * 8, "only {worlds} worlds had anything to take over");
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_said_is_told_and_left() {
    for seed in 0..count() / 4 {
        let mut rng = Rng::new(seed);
        let (spec, bench) = converged(&mut rng).await;
        let mut aws = bench.aws().clone();
        let hub = spec.hub_place(&spec.hubs[0]);
        foreign::clutter(&mut aws, &hub.account, hub.region, &hub.bus);
        let before = aws.snapshot(|_| true);
        let foreign = Bench::by_call(&bench.example, aws);
        let found = imported(&foreign, &request(&spec)).await;
        let again = Bench::by_call(&example_of(&found, 1), foreign.aws().clone());
        let (_, plan) = again.plan().await;
        assert!(plan.is_empty(), "seed {seed}: {}", again.shown(&plan));
        let left: BTreeSet<String> = found.left.iter().map(|one| one.resource.local_name()).collect();
        for name in ["Everything", "TwoTargets", "TwoSources", "Transformed", "Steps"] {
            let rule = format!("{}/{name}", hub.bus);
            assert!(left.contains(&rule), "seed {seed}: {rule} is not among {left:?}");
        }
        assert_eq!(before, foreign.aws().snapshot(|_| true), "an import writes nothing");
    }
}
