//! The program is killed at every write of a move from one topology to the other and back, by forking the world there: at what
//! is made, at what goes after the settle time, and at what another sweep writes, should one be needed.
//!
//! A process that dies before a write leaves the world of the write before; one that dies after it, before the answer, leaves
//! the next. So every place to die at is one of the worlds between writes, and each is gone on from: by a new process, which must
//! come to the end that undisturbed ones come to; or by nobody for ever, which is what the oracle asks after every write.

use crate::edits;
use crate::generator;
use crate::listen::Forks;
use crate::mutants::Mutant;
use crate::oracle::{self, Check, Violation};
use crate::rng::Rng;
use crate::run::{Kind, Run};
use crate::spec::Spec;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use wheelwright::sim::SimulatedAws;

/// What came of a seed.
#[derive(Default)]
pub struct Crashes {
    pub violations: Vec<Violation>,
    /// Plans that were cut, and in how many places.
    pub plans: usize,
    pub places: usize,
}

/// Moves with more writes than this are left to other seeds.
const WRITES_MAX: usize = 40;
/// Sweeps that a move may take; what another one writes is an error, which is asked elsewhere.
const SWEEPS_MAX: usize = 2;

/// Cuts both moves of a seed at every write.
pub async fn everywhere(seed: u64, mutant: Option<Mutant>) -> Crashes {
    let mut rng = Rng::new(seed);
    let mut old = generator::topology(&mut rng);
    let mut new = edits::edited(&mut rng, &old);
    let mut late = Rng::new(!seed);
    if late.chance(5) {
        edits::leaves_a_region(&mut late, &mut old, &mut [&mut new]);
    }
    // On the way back.
    old.left = &new.regions() - &old.regions();
    let mut run = Run::new(rng, seed, Kind::Plain, mutant, &[&old, &new]);
    let mut crashes = Crashes::default();
    run.neighbours(&old);
    run.watch(&[&old, &old]);
    run.settle_down(&old, &old, 1).await;
    run.foreigners(&old);
    for (from, to, sequence) in [(&old, &new, 2), (&new, &old, 3)] {
        run.next_hour();
        run = every_write(run, from, to, sequence, &mut crashes).await;
        if !crashes.violations.is_empty() {
            return crashes;
        }
    }
    crashes.violations = run.oracle.violations();
    crashes
}

/// One move, undisturbed and cut at each write; the undisturbed world.
async fn every_write(mut run: Run, from: &Spec, to: &Spec, sequence: u64, crashes: &mut Crashes) -> Run {
    run.watch(&[from, to]);
    // Once for all that begin from here.
    run.expanded(to, sequence);
    let mut undisturbed = run.fork();
    let forks = Forks::default();
    forks.lock().unwrap().push((run.fleet.fork(), run.oracle.fork()));
    for _ in 0..SWEEPS_MAX {
        if undisturbed.sweep_keeping(to, sequence, forks.clone()).await.in_step {
            break;
        }
    }
    undisturbed.settle_down(from, to, sequence).await;
    let forks = std::mem::take(&mut *forks.lock().unwrap());
    if forks.len() > 1 && forks.len() <= WRITES_MAX + 1 {
        let end = unlabelled(&undisturbed.fleet.world());
        crashes.plans += 1;
        for (place, (fleet, oracle)) in forks.into_iter().enumerate() {
            crashes.places += 1;
            let mut restarted = run.fork_from(fleet, oracle);
            restarted.settle_down(from, to, sequence).await;
            let other = unlabelled(&restarted.fleet.world());
            if let Some(difference) = difference(&end, &other) {
                restarted.oracle.violate(Check::OtherEnd, difference);
            }
            for violation in restarted.oracle.violations() {
                let detail = format!("killed after write {place} on the way to {sequence}: {}", violation.detail);
                crashes.violations.push(Violation { detail, ..violation });
            }
            if !crashes.violations.is_empty() {
                return undisturbed;
            }
        }
    }
    undisturbed
}

/// What is otherwise, where something is.
fn difference(end: &BTreeMap<String, Value>, other: &BTreeMap<String, Value>) -> Option<String> {
    let changed = other.iter().find(|(path, live)| end.get(*path) != Some(*live));
    let changed = changed.map(|(path, live)| format!("{path} is {live}, not {:?}", end.get(path)));
    changed.or_else(|| end.keys().find(|path| !other.contains_key(*path)).map(|path| format!("{path} is not there")))
}

/// Everything that lives, without the sequence and the digest in the marks: they tell for which topology a thing was last
/// written, which a process that finds it as it should be has no reason to write again.
fn unlabelled(aws: &SimulatedAws) -> BTreeMap<String, Value> {
    let mut live = oracle::items(aws, |_| true);
    for value in live.values_mut() {
        let text = value["Description"].as_str().map(str::to_owned);
        if let Some((text, _)) = text.as_deref().and_then(|text| text.split_once("[ww1:wheelwright:")) {
            value["Description"] = json!(format!("{text}[ww1:wheelwright]"));
        }
    }
    live
}
