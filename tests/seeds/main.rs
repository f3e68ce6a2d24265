//! Promises on bad days: seeded worlds, topologies, faults and drift, judged by what the simulated AWS delivers and not by
//! the planner.
//!
//! `WHEELWRIGHT_SEEDS=10000 cargo test --release --test seeds -- --nocapture` runs more seeds than usual on every kind of
//! run that has a number, `WHEELWRIGHT_SEED=call:123` one; `WHEELWRIGHT_SHOW=1` prints the topologies and every write.
//! `WHEELWRIGHT_FROM=5000` begins there, and with `WHEELWRIGHT_DOUBT=1` the oracle asks everything after every write. Ten million take no more memory than ten; who waits is told how far it is.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods, // The seeds to run come from the environment, and how long they took is told.
    missing_docs,
    unreachable_pub
)]

mod bounds;
mod bugs;
mod cases;
mod clock;
mod crashes;
mod daemons;
mod drifts;
mod edits;
mod finish;
mod generator;
mod hands;
mod hearing;
mod listen;
mod mutants;
mod oracle;
mod outage;
mod pairs;
mod process;
mod properties;
mod render;
mod rng;
mod routes;
mod run;
mod runner;
mod running;
mod samples;
mod shelf;
mod spec;
mod staged;
mod trouble;

use mutants::{Mutant, Stage};
use oracle::Check;
use run::Kind;
use runner::{Seeds, Tally, run_all};
use std::collections::BTreeMap;

/// As in the program (src/main.rs): worlds are made of small things.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Seeds that once failed.
const PLAIN_REGRESSIONS: &[u64] = &[1_192, 1_433, 2_356, 2_452, 2_891];
const CALL_REGRESSIONS: &[u64] = &[
    276, 290, 1_021, 1_201, 3_265, 4_266, 6_616, 13_287, 24_608, 27_791, 30_487, 38_657, 40_337, 70_697, 2_000_301,
    2_001_745, 2_002_763, 2_003_578, 88_724, 104_835, 123_497, 306_607,
];
const SDK_REGRESSIONS: &[u64] = &[];
const PAIR_REGRESSIONS: &[u64] = &[49, 112, 1_103, 1_126, 8_881, 9_538, 10_004, 10_012];
const OWNERS_REGRESSIONS: &[u64] = &[4, 15];
const BOTH_REGRESSIONS: &[u64] = &[];
const CRASH_REGRESSIONS: &[u64] = &[3_500];
const DAEMON_REGRESSIONS: &[u64] = &[3_278, 3_840, 4_552, 4_614, 5_455, 6_507, 7_227, 9_715];
/// With so many crash seeds, so many plans have to be among them that are cut at every write.
const CRASH_SEEDS_WHOLE: usize = 300;
const CRASH_PLANS_WHOLE: usize = 500;
/// How many seeds a deliberate bug is run with at once, and at most.
const MUTANT_SEEDS_AT_ONCE: u64 = 6;
const MUTANT_SEEDS_MAX: u64 = 240;
/// In how many seeds a bug has to be caught.
const CAUGHT_MIN: usize = 2;

#[test]
fn seeded_worlds_keep_every_promise() {
    let plain = Seeds::named("plain", PLAIN_REGRESSIONS, 0);
    report(&run_all(&plain, |seed| run::seed(seed, Kind::Plain, None)));
    let call = Seeds::named("call", CALL_REGRESSIONS, 300);
    let tally = run_all(&call, |seed| run::seed(seed, Kind::Call, None));
    let (untried, unstruck) = (tally.untried(), tally.unstruck());
    let seeds = tally.seeds;
    report(&tally);
    assert!(untried.is_empty() || seeds < 100, "no world has {untried:?}");
    assert!(unstruck.is_empty() || seeds < 1_000, "no call was struck by {unstruck:?}");
}

#[test]
fn seeded_worlds_keep_every_promise_behind_the_sdk() {
    let sdk = Seeds::named("sdk", SDK_REGRESSIONS, 20);
    let tally = run_all(&sdk, |seed| run::seed(seed, Kind::Sdk, None));
    let unstruck = tally.unstruck_on_the_wire();
    report(&tally);
    assert!(unstruck.is_empty() || tally.seeds < 100, "no request was struck by {unstruck:?}");
}

#[test]
fn killed_at_any_write_it_comes_to_the_same_end() {
    let crash = Seeds::named("crash", CRASH_REGRESSIONS, 25);
    let tally = run_all(&crash, async |seed| crashes::everywhere(seed, None).await.into());
    report(&tally);
    let (seeds, plans) = (tally.seeds, tally.count("plans"));
    assert!(seeds < CRASH_SEEDS_WHOLE || plans >= CRASH_PLANS_WHOLE, "{plans} plans of {seeds} seeds were cut");
}

#[test]
fn two_daemons_of_one_owner_lose_no_route_and_the_newer_wins() {
    let pair = Seeds::named("pair", PAIR_REGRESSIONS, 60);
    report(&run_all(&pair, pairs::of_one_owner));
}

#[test]
fn two_owners_leave_each_other_alone_and_say_so() {
    let owners = Seeds::named("owners", OWNERS_REGRESSIONS, 40);
    report(&run_all(&owners, |seed| pairs::of_two_owners(seed, None)));
    let both = Seeds::named("both", BOTH_REGRESSIONS, 40);
    report(&run_all(&both, pairs::of_two_owners_at_once));
}

#[test]
fn daemons_keep_every_promise_on_bad_days() {
    let daemon = Seeds::named("daemon", DAEMON_REGRESSIONS, 25);
    let tally = run_all(&daemon, |seed| daemons::seed(seed, None));
    report(&tally);
    let (is_enough, never) = (tally.seeds >= 100, tally.never_befell());
    assert!(!is_enough || never.is_empty(), "{never:?} befell no daemon");
    assert!(!is_enough || tally.count(run::KILLED_WRITING) > 0, "no daemon was killed among its writes");
}

/// Each bug is run with seeds until the check that stands for what it breaks has caught it in some of them.
#[test]
fn every_deliberate_bug_is_caught_and_every_check_catches_one() {
    let only = std::env::var("WHEELWRIGHT_BUG").ok();
    let mut by_check: BTreeMap<Check, usize> = BTreeMap::new();
    let mut missed = Vec::new();
    println!("| bug | seeds that failed | checks that caught it, each in how many |\n|---|---|---|");
    for mutant in Mutant::ALL.iter().filter(|mutant| only.as_ref().is_none_or(|only| *only == format!("{mutant:?}"))) {
        let tally = caught(*mutant);
        let caught: Vec<String> = tally.caught.iter().map(|(check, seeds)| format!("{check:?} {seeds}")).collect();
        println!("| {mutant:?} | {} of {} | {} |", tally.failures, tally.seeds, caught.join(", "));
        if !tally.caught.contains_key(&mutant.expected()) {
            missed.push(format!("{mutant:?} was not caught by {:?}, but by {caught:?}", mutant.expected()));
        }
        if tally.caught.contains_key(&Check::Panicked) {
            missed.push(format!("{mutant:?} makes the test itself fail: {:?}", tally.failed.first()));
        }
        for check in tally.caught.keys() {
            *by_check.entry(*check).or_default() += 1;
        }
    }
    println!("bugs that each check caught: {by_check:?}");
    let idle: Vec<&Check> = Check::ALL.iter().filter(|check| !by_check.contains_key(check)).collect();
    assert!(missed.is_empty(), "{}", missed.join("\n"));
    assert!(only.is_some() || idle == [&Check::Panicked], "checks that caught nothing: {idle:?}");
}

/// What comes of a bug. With `WHEELWRIGHT_SEEDS_BUG` it is run with so many seeds, whatever catches it.
fn caught(mutant: Mutant) -> Tally {
    let all = std::env::var("WHEELWRIGHT_SEEDS_BUG").ok().map(|text| text.parse::<u64>().unwrap());
    let mut tally = Tally::default();
    let mut from = 1;
    loop {
        let seeds = Seeds::quiet(from, all.unwrap_or(MUTANT_SEEDS_AT_ONCE));
        tally.join(match mutant.stage() {
            Stage::Seeds => run_all(&seeds, |seed| run::seed(seed, Kind::Call, Some(mutant))),
            Stage::Crashes => run_all(&seeds, async |seed| crashes::everywhere(seed, Some(mutant)).await.into()),
            Stage::Neighbours => run_all(&seeds, |seed| pairs::of_two_owners(seed, Some(mutant))),
            Stage::Daemons => run_all(&seeds, |seed| daemons::seed(seed, Some(mutant))),
        });
        from += MUTANT_SEEDS_AT_ONCE;
        let times = tally.caught.get(&mutant.expected()).copied().unwrap_or_default();
        if all.is_some() || times >= CAUGHT_MIN || from > MUTANT_SEEDS_MAX {
            return tally;
        }
    }
}

/// Tells what came of it, and fails if anything did not hold.
fn report(tally: &Tally) {
    tally.tell();
    assert_eq!(tally.failures, 0, "seeds failed; the lines above run them again");
}
