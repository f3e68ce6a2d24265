//! Ten thousand events: the trace's destinations are those that the simulated AWS delivers to, and its reasons hold.

use crate::edits;
use crate::repairs;
use crate::rng::Rng;
use crate::spec::Event;
use crate::support::Bench;
use crate::worlds::{asked, converged, put};
use std::collections::{BTreeMap, BTreeSet};
use wheelwright::model::world::World;
use wheelwright::sim::call_door::SimFleet;
use wheelwright::sim::{DeliveryOutcome, SimulatedAws};
use wheelwright::trace::{Question, Trace, Verdict, destinations, trace};

/// Events that are traced at least; `WHEELWRIGHT_TRACES` asks for more.
const EVENTS: usize = 10_000;
/// Events of one world at most, twice: so that there are many worlds.
const EVENTS_OF_A_WORLD: usize = 60;
/// Misses of a world whose reasons are tried out.
const TRIED: usize = 3;

#[allow(clippy::disallowed_methods)] // How many to trace comes from the environment.
fn wanted() -> usize {
    std::env::var("WHEELWRIGHT_TRACES").ok().and_then(|text| text.parse().ok()).unwrap_or(EVENTS)
}

/// What was seen, for the reader of the output and for what must not be left unseen.
#[derive(Default)]
struct Tally {
    worlds: usize,
    events: usize,
    delivered: usize,
    verdicts: BTreeMap<String, usize>,
    edits: BTreeMap<&'static str, usize>,
    repairs: BTreeMap<&'static str, usize>,
    chains: usize,
}

#[tokio::test(start_paused = true)]
async fn ten_thousand_events_go_where_the_trace_says() {
    let mut tally = Tally::default();
    let mut seed = 0;
    while tally.events < wanted() {
        seed += 1;
        let mut rng = Rng::new(seed);
        let (spec, bench) = converged(&mut rng).await;
        let all = spec.events();
        let events: Vec<Event> = (0..EVENTS_OF_A_WORLD).map(|_| rng.pick(&all).clone()).collect();
        let (world, _) = bench.plan().await;
        tally.worlds += 1;
        compare_all(&bench, &world, &events, &mut tally, &format!("seed {seed}, as asked for"));
        let edited = edits::some(&mut rng, &mut bench.aws());
        edited.iter().for_each(|edit| *tally.edits.entry(edit).or_default() += 1);
        let (world, _) = bench.plan().await;
        let about = format!("seed {seed}, after {edited:?}");
        compare_all(&bench, &world, &events, &mut tally, &about);
        for _ in 0..TRIED {
            repairs::try_out(&bench, &world, rng.pick(&events), &mut rng, &mut tally.repairs, &about).await;
            tally.chains += 1;
        }
    }
    let Tally { worlds, events, delivered, verdicts, edits, repairs, chains } = &tally;
    println!(
        "{events} events in {worlds} worlds, {delivered} deliveries; verdicts of routes that concern them: {verdicts:?}"
    );
    println!("edits: {edits:?}\n{chains} misses mended reason by reason: {repairs:?}");
    assert!(edits.len() >= 13, "some edits never happened: {edits:?}");
    for reason in ["pattern", "disabled", "no rule", "no target", "elsewhere", "statement", "denied"] {
        assert!(repairs.contains_key(reason), "no miss was because of `{reason}`: {repairs:?}");
    }
}

/// What the operator knows of an event.
pub(crate) fn traced(bench: &Bench<SimFleet>, world: &World, event: &Event) -> (Question, Trace) {
    let (text, bus) = asked(event);
    let topology = &bench.example.topology;
    let question = Question::read(topology, &text, Some(&event.account), Some(&bus)).unwrap();
    let organization = topology.organization.as_deref();
    let found = trace(&question, &bench.example.desired, organization, Some(world));
    (question, found)
}

fn compare_all(bench: &Bench<SimFleet>, world: &World, events: &[Event], tally: &mut Tally, about: &str) {
    let aws = bench.aws();
    for event in events {
        compare(bench, world, &aws, event, tally, about);
    }
}

/// One event: every delivery of the simulated AWS, and every one that the trace tells of.
fn compare(bench: &Bench<SimFleet>, world: &World, aws: &SimulatedAws, event: &Event, tally: &mut Tally, about: &str) {
    tally.events += 1;
    let (question, found) = traced(bench, world, event);
    let desired = &bench.example.desired;
    let records = put(aws, event);
    let delivered = || records.iter().filter(|record| record.outcome == DeliveryOutcome::Delivered);
    tally.delivered += delivered().count();
    let rules = repairs::rules_by_arn(world);
    // Where rules that are nobody's of ours send events is not read.
    let read = |record: &&std::sync::Arc<wheelwright::sim::DeliveryRecord>| {
        let rule = rules.get(&(record.bus_arn.clone(), record.rule.clone()));
        rule.and_then(|rule| world.rule(rule)).is_some_and(|live| live.targets.is_some())
    };
    let there: BTreeSet<String> = delivered().filter(read).map(|record| record.target_arn.clone()).collect();
    let told = destinations(&question, desired, bench.example.topology.organization.as_deref(), world);
    assert_eq!(there, told, "{about}: {event:?}\n{records:#?}");
    for route in &found.routes {
        let path = &desired.routes[&route.route];
        let bus = path.rule.bus.arn();
        let gets = delivered().any(|record| {
            record.bus_arn == bus && record.rule == path.rule.name && record.target_arn == path.destination_arn
        });
        let live = route.live.as_ref().unwrap();
        assert_eq!(gets, live.is_taken(), "{about}: {event:?} on {}: {live}\n{records:#?}", route.route);
        if route.wanted.is_near() || live.is_near() {
            let told = match live {
                Verdict::Missed { why, .. } => repairs::name(why),
                Verdict::Taken => "taken",
                Verdict::Unknown { .. } => "unknown",
            };
            *tally.verdicts.entry(told.to_owned()).or_default() += 1;
        }
    }
    let beside: BTreeSet<_> = records
        .iter()
        .filter_map(|record| rules.get(&(record.bus_arn.clone(), record.rule.clone())))
        .filter(|rule| !desired.rules.contains_key(rule))
        .cloned()
        .collect();
    let others: BTreeSet<_> = found.others.unwrap().into_keys().collect();
    assert_eq!(beside, others, "{about}: {event:?}\n{records:#?}");
}
