//! Runs seeds side by side and adds up what came of them: in memory that does not grow with their number.

use crate::crashes::Crashes;
use crate::oracle::{Check, Violation};
use crate::run::Report;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use strum::VariantArray;
use wheelwright::sim::fault::Fault;
use wheelwright::sim::http_faults::HttpFault;

/// Which seeds to run.
pub struct Seeds {
    kind: Option<&'static str>,
    first: &'static [u64],
    from: u64,
    count: u64,
    one: Option<u64>,
}

impl Seeds {
    /// Regressions and as many as usual, or what the environment asks for: `WHEELWRIGHT_SEED=call:7` is one seed of this
    /// kind, `WHEELWRIGHT_SEEDS` another number, `WHEELWRIGHT_SEEDS_SDK` one for this kind alone.
    pub fn named(kind: &'static str, regressions: &'static [u64], usual: u64) -> Self {
        let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().unwrap());
        let own = number(&format!("WHEELWRIGHT_SEEDS_{}", kind.to_uppercase()));
        let count = own.or(number("WHEELWRIGHT_SEEDS").filter(|_| usual > 0)).unwrap_or(usual);
        let from = number("WHEELWRIGHT_FROM").unwrap_or(1);
        match std::env::var("WHEELWRIGHT_SEED") {
            Err(_) => Self { kind: Some(kind), first: regressions, from, count, one: None },
            Ok(one) => {
                let (of, seed) = one.split_once(':').unwrap_or(("call", &one));
                let one = (of == kind).then(|| seed.parse().unwrap());
                Self { kind: Some(kind), first: &[], from, count: 0, one }
            }
        }
    }

    /// So many, of which nobody is told.
    pub fn quiet(from: u64, count: u64) -> Self {
        Self { kind: None, first: &[], from, count, one: None }
    }

    fn len(&self) -> u64 {
        self.one.map_or(self.first.len() as u64 + self.count, |_| 1)
    }

    fn nth(&self, at: u64) -> u64 {
        let first = usize::try_from(at).ok().and_then(|at| self.first.get(at).copied());
        self.one.or(first).unwrap_or_else(|| self.from + at - self.first.len() as u64)
    }
}

/// What came of many seeds.
#[derive(Default)]
pub struct Tally {
    kind: Option<&'static str>,
    seconds: f64,
    pub seeds: usize,
    /// What was counted, by what it is called.
    counts: BTreeMap<&'static str, usize>,
    /// Worlds by what of the language they have.
    features: BTreeMap<&'static str, usize>,
    /// Faults by their kinds, of calls and of requests on the wire.
    struck: BTreeMap<&'static str, usize>,
    struck_on_the_wire: BTreeMap<&'static str, usize>,
    /// Faults and days by kind.
    befell: BTreeMap<String, usize>,
    pub failures: usize,
    /// The first of them.
    pub failed: Vec<(u64, Vec<Violation>)>,
    /// Seeds by the checks that did not hold.
    pub caught: BTreeMap<Check, usize>,
}

/// Failures that are told one by one.
const FAILED_MAX: usize = 20;

impl Tally {
    fn add(&mut self, seed: u64, report: Report) {
        self.seeds += 1;
        add_up(&mut self.counts, report.counts());
        for (feature, has) in report.features {
            *self.features.entry(feature).or_default() += usize::from(has);
        }
        add_up(&mut self.struck, report.struck);
        add_up(&mut self.struck_on_the_wire, report.struck_on_the_wire);
        for (fault, times) in report.befell {
            *self.befell.entry(fault).or_default() += times;
        }
        let checks: BTreeSet<Check> = report.violations.iter().map(|violation| violation.check).collect();
        self.failures += usize::from(!checks.is_empty());
        for check in &checks {
            *self.caught.entry(*check).or_default() += 1;
        }
        if !checks.is_empty() && self.failed.len() < FAILED_MAX {
            self.failed.push((seed, report.violations));
        }
    }

    /// More of the same.
    pub fn join(&mut self, other: Self) {
        self.seeds += other.seeds;
        self.failures += other.failures;
        self.failed.extend(other.failed);
        for (check, seeds) in other.caught {
            *self.caught.entry(check).or_default() += seeds;
        }
    }

    /// How many of what is called so.
    pub fn count(&self, name: &str) -> usize {
        self.counts.get(name).copied().unwrap_or_default()
    }

    /// What of the language no world has.
    pub fn untried(&self) -> Vec<&'static str> {
        self.features.iter().filter(|(_, worlds)| **worlds == 0).map(|(feature, _)| *feature).collect()
    }

    /// The faults that struck nobody.
    pub fn unstruck(&self) -> Vec<&'static str> {
        without_count(Fault::VARIANTS, &self.struck)
    }

    /// The same on the wire.
    pub fn unstruck_on_the_wire(&self) -> Vec<&'static str> {
        without_count(HttpFault::VARIANTS, &self.struck_on_the_wire)
    }

    /// What never befell any of them.
    pub fn never_befell(&self) -> Vec<&str> {
        self.befell.iter().filter(|(_, times)| **times == 0).map(|(fault, _)| fault.as_str()).collect()
    }

    /// Prints what came of them; each failure with the line that runs it again.
    pub fn tell(&self) {
        let kind = self.kind.unwrap_or_default();
        if self.seeds == 0 {
            return;
        }
        let counts: Vec<String> = self.counts.iter().map(|(name, count)| format!("{count} {name}")).collect();
        let (seeds, seconds) = (self.seeds, self.seconds);
        let rate = seeds as f64 / seconds;
        println!("{kind}: {seeds} seeds in {seconds:.1} s, {rate:.1} a second: {}", counts.join(", "));
        if !self.features.is_empty() {
            println!("{kind}: worlds with {:?}", self.features);
        }
        for (where_to, struck) in [("calls", &self.struck), ("the wire", &self.struck_on_the_wire)] {
            if !struck.is_empty() {
                println!("{kind}: what struck {where_to}: {struck:?}");
            }
        }
        if !self.befell.is_empty() {
            println!("{kind}: what befell them: {:?}", self.befell);
        }
        for (seed, violations) in &self.failed {
            // The bugs would be run with all their seeds.
            println!(
                "WHEELWRIGHT_SEED={kind}:{seed} cargo test --release --test seeds -- --nocapture --skip every_deliberate_bug"
            );
            for violation in violations.iter().take(if seeds == 1 { 20 } else { 1 }) {
                println!("    {:?}: {}", violation.check, violation.detail);
            }
        }
    }
}

fn add_up(sums: &mut BTreeMap<&'static str, usize>, counts: impl IntoIterator<Item = (&'static str, usize)>) {
    for (name, count) in counts {
        *sums.entry(name).or_default() += count;
    }
}

/// The names among these that nothing was counted for.
fn without_count<T: Copy + Into<&'static str>>(all: &[T], counts: &BTreeMap<&'static str, usize>) -> Vec<&'static str> {
    all.iter().map(|one| (*one).into()).filter(|name| !counts.contains_key(name)).collect()
}

impl From<Crashes> for Report {
    fn from(crashes: Crashes) -> Self {
        let Crashes { violations, plans, places } = crashes;
        Self { violations, plans, crashes: places, ..Self::default() }
    }
}

pub fn in_paused_time<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.unwrap().block_on(future)
}

fn panicked(panic: &(dyn std::any::Any + Send)) -> Report {
    let text = panic.downcast_ref::<String>().cloned();
    let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default();
    Report { violations: vec![Violation { check: Check::Panicked, detail: text }], ..Report::default() }
}

/// Runs seeds on all cores, each in a runtime of its own with paused time.
pub fn run_all<F: Future<Output = Report>>(seeds: &Seeds, run: impl Fn(u64) -> F + Sync) -> Tally {
    let (next, started) = (AtomicU64::new(0), Instant::now());
    let tally = Mutex::new((Tally { kind: seeds.kind, ..Tally::default() }, started));
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    std::thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(|| {
                loop {
                    let at = next.fetch_add(1, Ordering::SeqCst);
                    if at >= seeds.len() {
                        break;
                    }
                    let seed = seeds.nth(at);
                    let one = std::panic::AssertUnwindSafe(|| in_paused_time(run(seed)));
                    let report = std::panic::catch_unwind(one).unwrap_or_else(|panic| panicked(&*panic));
                    let mut tally = tally.lock().unwrap_or_else(PoisonError::into_inner);
                    tally.0.add(seed, report);
                    tell_progress(&mut tally, seeds, started);
                }
            });
        }
    });
    let mut tally = tally.into_inner().unwrap_or_else(PoisonError::into_inner).0;
    tally.seconds = started.elapsed().as_secs_f64();
    tally.failed.sort_by_key(|(seed, _)| *seed);
    tally
}

/// Now and then, how far it is.
fn tell_progress(tally: &mut (Tally, Instant), seeds: &Seeds, started: Instant) {
    let (done, last) = tally;
    if last.elapsed() < Duration::from_secs(10) || seeds.kind.is_none() {
        return;
    }
    *last = Instant::now();
    let rate = done.seeds as f64 / started.elapsed().as_secs_f64();
    let kind = seeds.kind.unwrap_or_default();
    println!("{kind}: {} of {} seeds, {rate:.0} a second, {} failed", done.seeds, seeds.len(), done.failures);
    if let Some((seed, violations)) = done.failed.last() {
        println!("    WHEELWRIGHT_SEED={kind}:{seed} {:?}", violations.first().map(|violation| violation.check));
    }
}
