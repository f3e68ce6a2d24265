//! The first proof: seeded worlds, topologies, faults and drift by the Call door, judged by what the simulated AWS
//! delivers and not by the planner.
//!
//! `WHEELWRIGHT_SEED=123 cargo test --release --test seeds -- --nocapture` runs one seed, `WHEELWRIGHT_SEEDS=10000` more
//! of them than usual, and `WHEELWRIGHT_SHOW=1` prints the topologies and every write.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods, // The seeds to run come from the environment, and how long they took is told.
    missing_docs,
    unreachable_pub
)]

mod cases;
mod edits;
mod finish;
mod generator;
mod hands;
mod listen;
mod mutants;
mod oracle;
mod render;
mod rng;
mod run;
mod samples;
mod spec;

use mutants::Mutant;
use oracle::{Check, Violation};
use run::Report;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// Seeds that once failed.
const REGRESSIONS: &[u64] = &[1_192, 1_433, 2_356, 2_452, 2_891];
/// How many seeds are run, unless `WHEELWRIGHT_SEEDS` says otherwise.
const SEEDS: u64 = 300;
/// How many seeds each deliberate bug is run with.
const MUTANT_SEEDS: u64 = 40;
/// In how many worlds the program is killed at every write.
const CRASHED: u64 = 12;

#[test]
fn seeded_worlds_keep_every_promise() {
    let one: Option<u64> = std::env::var("WHEELWRIGHT_SEED").ok().map(|text| text.parse().unwrap());
    let count: u64 = std::env::var("WHEELWRIGHT_SEEDS").map_or(SEEDS, |text| text.parse().unwrap());
    let seeds: Vec<u64> = one.map_or_else(|| REGRESSIONS.iter().copied().chain(1..=count).collect(), |seed| vec![seed]);
    let started = std::time::Instant::now();
    let reports = run_all(&seeds, None);
    let seconds = started.elapsed().as_secs_f64();
    let sum = |number: fn(&Report) -> usize| reports.iter().map(|(_, report)| number(report)).sum::<usize>();
    println!(
        "{} seeds in {seconds:.1} s, {:.1} a second: {} sweeps, {} writes, {} faults, {} crashes, {} worlds without room",
        reports.len(),
        reports.len() as f64 / seconds,
        sum(|report| report.sweeps),
        sum(|report| report.writes),
        sum(|report| report.faults),
        sum(|report| report.crashes),
        sum(|report| usize::from(report.no_room)),
    );
    let mut features: BTreeMap<&str, usize> = BTreeMap::new();
    for (feature, has) in reports.iter().flat_map(|(_, report)| &report.features) {
        *features.entry(feature).or_default() += usize::from(*has);
    }
    println!("worlds with {features:?}");
    let untried: Vec<&&str> = features.iter().filter(|(_, worlds)| **worlds == 0).map(|(feature, _)| feature).collect();
    assert!(untried.is_empty() || reports.len() < 100, "no world has {untried:?}");
    let mut failed = 0;
    for (seed, report) in reports.iter().filter(|(_, report)| !report.violations.is_empty()) {
        failed += 1;
        println!("WHEELWRIGHT_SEED={seed} cargo test --release --test seeds -- --nocapture");
        for violation in report.violations.iter().take(if one.is_some() { 20 } else { 1 }) {
            println!("    {:?}: {}", violation.check, violation.detail);
        }
    }
    assert_eq!(failed, 0, "seeds failed; the lines above run them again");
}

#[test]
fn killed_at_any_write_it_comes_to_the_same_end() {
    let mut killed = 0;
    for seed in 1..=CRASHED {
        let (violations, times) = in_paused_time(run::every_crash(seed));
        killed += times;
        assert!(violations.is_empty(), "seed {seed}: {:#?}", &violations[..violations.len().min(3)]);
    }
    println!("killed {killed} times in {CRASHED} worlds");
    assert!(killed > 300, "the worlds are too small to say anything: killed {killed} times");
}

#[test]
fn every_deliberate_bug_is_caught() {
    for mutant in Mutant::ALL {
        // The check that stands for the promise that the bug breaks; others may catch it as well.
        let expected = match mutant {
            Mutant::DeleteBeforeCreate | Mutant::FailedEntriesIgnored => Check::RouteInterrupted,
            Mutant::PageForgotten => Check::BreakOnDoubt,
            Mutant::ForeignStatementDropped => Check::ForeignChanged,
            Mutant::AccountCheckSkipped => Check::StrayWrite,
        };
        let seeds: Vec<u64> = (1..=MUTANT_SEEDS).collect();
        let reports = run_all(&seeds, Some(mutant));
        let mut caught: BTreeMap<Check, usize> = BTreeMap::new();
        for (_, report) in &reports {
            let checks: BTreeSet<Check> = report.violations.iter().map(|violation| violation.check).collect();
            for check in checks {
                *caught.entry(check).or_default() += 1;
            }
        }
        println!("{mutant:?}: of {MUTANT_SEEDS} seeds, caught in {caught:?}");
        assert!(caught.contains_key(&expected), "{mutant:?} was not caught by {expected:?}, but by {caught:?}");
        assert!(!caught.contains_key(&Check::Panicked), "{mutant:?} makes the test itself fail");
    }
}

fn in_paused_time<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.unwrap().block_on(future)
}

fn panicked(panic: &(dyn std::any::Any + Send)) -> Report {
    let text = panic.downcast_ref::<String>().cloned();
    let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default();
    Report { violations: vec![Violation { check: Check::Panicked, detail: text }], ..Report::default() }
}

/// Runs seeds side by side, each in a runtime of its own with paused time.
fn run_all(seeds: &[u64], mutant: Option<Mutant>) -> Vec<(u64, Report)> {
    let next = AtomicU64::new(0);
    let reports = Mutex::new(Vec::new());
    let workers = std::thread::available_parallelism().map_or(1, std::num::NonZero::get).min(seeds.len());
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                while let Some(seed) = seeds.get(usize::try_from(next.fetch_add(1, Ordering::SeqCst)).unwrap()) {
                    let run = std::panic::AssertUnwindSafe(|| in_paused_time(run::seed(*seed, mutant)));
                    let report = std::panic::catch_unwind(run).unwrap_or_else(|panic| panicked(&*panic));
                    reports.lock().unwrap_or_else(PoisonError::into_inner).push((*seed, report));
                }
            });
        }
    });
    let mut reports = reports.into_inner().unwrap_or_else(PoisonError::into_inner);
    reports.sort_by_key(|(seed, _)| *seed);
    reports
}
