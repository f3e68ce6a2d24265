//! One seed: a world, a topology, faults, drift, another topology, and the oracle looking on.

use crate::edits;
use crate::generator::{self, HOUR_MS};
use crate::hands::create_queue;
use crate::listen::{Hearer, Overheard, Watched};
use crate::mutants::{Mutant, Mutated};
use crate::oracle::{self, Check, Oracle, Violation, now_ms};
use crate::rng::Rng;
use crate::spec::{KEY_ID, REGIONS, Spec};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use wheelwright::config::{self, Settings, SourceFiles};
use wheelwright::expand::expand;
use wheelwright::model::desired::{Desired, Revision};
use wheelwright::model::ids::{Moment, Scope};
use wheelwright::model::plan::{Guard, Plan, PlanSettings, Step, StepKey};
use wheelwright::model::topology::Topology;
use wheelwright::plan::{Approval, approve};
use wheelwright::port::Clock;
use wheelwright::reconcile::apply::apply;
use wheelwright::reconcile::refresh::{Depth, RefreshSettings};
use wheelwright::reconcile::sweep::{SweepSettings, Sweeper};
use wheelwright::sim::call_door::SimFleet;
use wheelwright::sim::fault::{Fault, FaultyFleet, Schedule};
use wheelwright::sim::{Quotas, SimulatedAws, key_policy};
use wheelwright::stage;

/// What came of a seed.
#[derive(Default)]
pub struct Report {
    pub violations: Vec<Violation>,
    pub writes: usize,
    pub sweeps: usize,
    pub crashes: usize,
    pub faults: usize,
    /// Whether a quota left no room, so that the end was not asked for.
    pub no_room: bool,
    /// What of the language one of the topologies has.
    pub features: BTreeMap<&'static str, bool>,
}

/// Runs a seed to its end, or to the first thing that does not hold.
pub async fn seed(seed: u64, mutant: Option<Mutant>) -> Report {
    let mut rng = Rng::new(seed);
    let mut old = generator::topology(&mut rng);
    let mut new = edits::edited(&mut rng, &old);
    let tight = rng.chance(8);
    if tight {
        lower_quotas(&mut rng, &mut old, &mut new);
    }
    let mut run = Run::new(rng, seed, mutant, [&old, &new]);
    run.report.features = generator::features(&old);
    for (feature, has) in generator::features(&new) {
        *run.report.features.entry(feature).or_default() |= has;
    }
    if std::env::var("WHEELWRIGHT_SHOW").is_ok() {
        for (path, text) in old.files().into_iter().chain(new.files()) {
            println!("--- {path}\n{text}");
        }
        run.oracle.tell();
    }
    run.tight = tight;
    run.whole(&old, &new).await;
    Report { violations: run.oracle.violations(), writes: run.oracle.operator_writes(), ..run.report }
}

/// Kills the program before each write of a move from one topology to the other and back, and after each with its reply
/// lost; starts it again; and asks for the end that it comes to undisturbed. How often it was killed.
pub async fn every_crash(seed: u64) -> (Vec<Violation>, usize) {
    let mut rng = Rng::new(seed);
    let old = generator::topology(&mut rng);
    let new = edits::edited(&mut rng, &old);
    let mut run = Run::new(rng, seed, None, [&old, &new]);
    run.neighbours(&old);
    run.watch(&old, &old);
    run.settle_down(&old, &old, 1).await;
    run.foreigners(&old);
    let mut killed = 0;
    for (from, to, sequence) in [(&old, &new, 2), (&new, &old, 3)] {
        run.next_hour();
        let mut undisturbed = run.fork();
        undisturbed.watch(from, to);
        undisturbed.sweep(to, sequence, Trouble::none()).await;
        let writes = undisturbed.oracle.write_numbers();
        undisturbed.settle_down(from, to, sequence).await;
        let end = unlabelled(&undisturbed.fleet.world());
        for number in writes {
            for fault in [Fault::CrashBefore, Fault::CrashAfter] {
                killed += 1;
                let mut crashed = run.fork();
                crashed.watch(from, to);
                crashed.sweep(to, sequence, Trouble::only(Schedule::once(number, fault))).await;
                crashed.settle_down(from, to, sequence).await;
                let other = unlabelled(&crashed.fleet.world());
                if let Some((path, live)) = other.iter().find(|(path, live)| end.get(*path) != Some(*live)) {
                    crashed.oracle.violate(Check::OtherEnd, format!("{path} is {live}, not {:?}", end.get(path)));
                }
                if let Some(path) = end.keys().find(|path| !other.contains_key(*path)) {
                    crashed.oracle.violate(Check::OtherEnd, format!("{path} is not there"));
                }
                let violations = crashed.oracle.violations();
                if !violations.is_empty() {
                    println!("{fault:?} at call {number} of the move to sequence {sequence}");
                    return (violations, killed);
                }
            }
        }
        run = undisturbed;
    }
    (run.oracle.violations(), killed)
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

/// Room for what either topology needs, for what others have there, and for little more. The same for all hubs: a quota
/// is an account's, and hubs can share one.
fn lower_quotas(rng: &mut Rng, old: &mut Spec, new: &mut Spec) {
    let needed = old.rules().into_values().chain(new.rules().into_values()).map(|rules| rules.len()).max();
    // One more rule for an archive, which AWS makes, and one for people's own.
    let quotas = (needed.unwrap_or_default() + 2 + rng.below(3), rng.within(700, 2_000));
    for hub in old.hubs.iter_mut().chain(&mut new.hubs) {
        hub.quotas = Some(quotas);
    }
}

/// A key in every account and Region, which the operator may use as well.
fn create_keys(aws: &mut SimulatedAws, spec: &Spec) {
    for account in &spec.accounts {
        let mut policy = key_policy(&account.id);
        let operator = json!({
            "Sid": "Operator", "Effect": "Allow", "Action": "kms:*", "Resource": "*",
            "Principal": {"AWS": format!("arn:aws:iam::{}:role/wheelwright-operator", account.id)},
        });
        policy["Statement"].as_array_mut().unwrap().push(operator);
        for region in REGIONS {
            let key = aws.create_key_with_id(&account.id, region, KEY_ID);
            aws.set_key_policy(&key, &policy);
        }
    }
}

/// The simulated time, which waiting moves on.
pub struct SimClock(SimFleet);

impl Clock for SimClock {
    fn now(&self) -> Moment {
        Moment(u64::try_from(self.0.world().now_ms()).unwrap())
    }

    async fn wait_ms(&self, milliseconds: u64) {
        self.0.world().advance_ms(i64::try_from(milliseconds).unwrap());
    }
}

/// A topology as the program reads it, at a place in the order and at a time.
pub fn desired(spec: &Spec, sequence: u64, now: Moment) -> (Topology, Settings, Desired) {
    let files = SourceFiles::new(spec.files());
    let loaded = config::load(&files);
    let told = || config::render(&loaded.diagnostics, &files, config::Style::Plain);
    assert!(!loaded.has_errors(), "{}", told());
    let Some(topology) = loaded.topology else { panic!("{}", told()) };
    let desired = expand(&topology, &loaded.settings, Revision { id: sequence.to_string(), sequence }, now);
    (topology, loaded.settings, desired)
}

/// A world, and what goes wrong in it.
pub struct Run {
    pub rng: Rng,
    seed: u64,
    mutant: Option<Mutant>,
    pub fleet: SimFleet,
    pub oracle: Oracle,
    pub report: Report,
    /// Whether quotas are low, so that there may be no room.
    pub tight: bool,
    /// Whether somebody put a target of theirs on a rule that the new topology takes away.
    pub foreign_targets: bool,
}

/// What goes wrong during one sweep.
pub struct Trouble {
    pub schedule: Schedule,
    pub failing_entries_percent: usize,
}

impl Trouble {
    pub fn none() -> Self {
        Self { schedule: Schedule::Script(BTreeMap::new()), failing_entries_percent: 0 }
    }

    pub fn only(schedule: Schedule) -> Self {
        Self { schedule, failing_entries_percent: 0 }
    }
}

/// What a sweep came to.
pub struct Ended {
    pub after: Plan,
    pub in_step: bool,
    failures: Vec<String>,
}

impl Run {
    /// The accounts of both topologies as they are before the program first looks.
    pub fn new(mut rng: Rng, seed: u64, mutant: Option<Mutant>, specs: [&Spec; 2]) -> Self {
        let (topology, settings, mut staged) = desired(specs[0], 1, Moment(0));
        for spec in specs {
            staged.scopes.extend(desired(spec, 1, Moment(0)).2.scopes);
        }
        let mut aws = stage::stage(&topology, &settings, &staged);
        create_keys(&mut aws, specs[0]);
        for spec in specs {
            for queue in spec.mailboxes().into_iter().filter(|mailbox| mailbox.contains(":sqs:")) {
                create_queue(&mut aws, &queue);
            }
            for hub in &spec.hubs {
                if let Some((rules_per_bus, policy_characters)) = hub.quotas {
                    let quotas = Quotas { rules_per_bus, policy_characters, ..Quotas::default() };
                    aws.set_quotas(&spec.accounts[hub.account].id, quotas);
                }
            }
        }
        if rng.chance(60) {
            aws.settings.page_size = rng.within(1, 3);
        }
        if rng.chance(30) {
            aws.settings.settle_ms = 60_000;
        }
        let fleet = stage::fleet(aws, &settings);
        let (oracle, report) = (Oracle::default(), Report::default());
        Self { rng, seed, mutant, fleet, oracle, report, tight: false, foreign_targets: false }
    }

    /// The same world, apart from here on.
    fn fork(&self) -> Self {
        Self {
            rng: Rng::new(self.seed),
            seed: self.seed,
            mutant: self.mutant,
            fleet: self.fleet.fork(),
            oracle: self.oracle.fork(),
            report: Report::default(),
            tight: self.tight,
            foreign_targets: self.foreign_targets,
        }
    }

    async fn whole(&mut self, old: &Spec, new: &Spec) {
        self.neighbours(old);
        self.watch(old, old);
        if self.rng.chance(25) {
            // Left half done: cut at some call, and the topology has changed before anybody starts it again.
            let at = self.rng.next() % 250 + 1;
            self.sweep(old, 1, Trouble::only(Schedule::once(at, Fault::CrashBefore))).await;
        } else {
            self.converge(old, old, 1).await;
        }
        if self.stopped() {
            return;
        }
        self.foreigners(old);
        if self.rng.chance(50) {
            let again = self.rng.chance(50);
            self.drift(again);
            if again {
                self.next_hour();
                self.watch(old, old);
                self.converge(old, old, 1).await;
            }
        }
        if self.stopped() {
            return;
        }
        self.next_hour();
        self.watch(old, new);
        self.converge(old, new, 2).await;
        if self.stopped() || self.rng.chance(70) {
            return;
        }
        // Nobody edits anything, and stops end by themselves.
        self.next_hour();
        self.watch(new, new);
        self.converge(new, new, 2).await;
    }

    /// A phase of a run begins.
    pub fn next_hour(&self) {
        let mut world = self.fleet.world();
        let hours = now_ms(&world) / HOUR_MS + 1;
        world.set_now_ms(i64::try_from(hours * HOUR_MS).unwrap());
    }

    /// Whether there is no use in going on. After a false report there is: what comes of it is of interest.
    fn stopped(&self) -> bool {
        let broken = |violation: &Violation| violation.check != Check::FalseReport;
        self.oracle.violations().iter().any(broken) || self.report.no_room
    }

    pub fn watch(&self, old: &Spec, new: &Spec) {
        let world = self.fleet.world().clone();
        self.oracle.watch(old, new, &world);
    }

    /// Faults, then none: the world must come out in step, at rest, and delivering what it should.
    pub async fn converge(&mut self, old: &Spec, spec: &Spec, sequence: u64) {
        for _ in 0..self.rng.below(4) {
            let denied = self.denial(spec);
            self.oracle.deny(&mut self.fleet.world(), denied);
            let trouble = self.trouble();
            self.sweep(spec, sequence, trouble).await;
            self.oracle.deny(&mut self.fleet.world(), None);
            if self.stopped() {
                return;
            }
        }
        self.settle_down(old, spec, sequence).await;
    }

    /// Without faults: at most two sweeps, and a third that writes nothing.
    pub async fn settle_down(&mut self, old: &Spec, spec: &Spec, sequence: u64) {
        let mut ended = self.sweep(spec, sequence, Trouble::none()).await;
        if !ended.in_step {
            ended = self.sweep(spec, sequence, Trouble::none()).await;
        }
        let mut leftovers = false;
        if !ended.in_step {
            let mut guards: BTreeSet<Guard> = ended.after.holds.iter().map(|hold| hold.guard).collect();
            // These are let go in every sweep: they hold nothing.
            guards.retain(|guard| !approval().allow.contains(guard));
            let allowed = |guard: &Guard| {
                (*guard == Guard::NoRoom && self.tight) || (*guard == Guard::ForeignTargets && self.foreign_targets)
            };
            // Whatever is not held, and does not wait for what is, should have been done.
            let undone = approve(&ended.after, &approval()).unwrap().steps().len();
            if undone > 0 || guards.is_empty() || !guards.iter().all(allowed) {
                let steps: Vec<String> = ended.after.steps.iter().map(|step| step.key().to_string()).collect();
                let unmended: Vec<_> = ended.after.unmended().collect();
                let failures = &ended.failures;
                let text = format!("guards {guards:?}, steps {steps:?}, failures {failures:?}, unmended {unmended:?}");
                self.oracle.violate(Check::NotInStep, text);
                return;
            }
            leftovers = true;
            self.report.no_room = guards.contains(&Guard::NoRoom);
        }
        let before = self.oracle.writes_tried();
        self.sweep(spec, sequence, Trouble::none()).await;
        let wrote = self.oracle.writes_tried() - before;
        if wrote > 0 && !self.report.no_room {
            self.oracle.violate(Check::NotQuiet, format!("{wrote} writes though all was in step"));
        }
        if !self.report.no_room {
            let world = self.fleet.world().clone();
            self.oracle.at_the_end(old, spec, &world, leftovers);
        }
    }

    /// One process: it starts, sweeps once and ends, or dies on the way.
    pub async fn sweep(&mut self, spec: &Spec, sequence: u64, trouble: Trouble) -> Ended {
        let now = Moment(now_ms(&self.fleet.world()));
        let wanted = &desired(spec, sequence, now).2;
        let lies = matches!(&trouble.schedule, Schedule::Seeded { faults, .. } if faults.contains(&Fault::StaleRead));
        self.oracle.reads_lie(lies);
        self.oracle.process_starts();
        self.report.sweeps += 1;
        self.oracle.note(&format!("sweep for sequence {}: {:?}", wanted.revision.sequence, trouble.schedule));
        let watched = Watched::new(self.fleet.clone(), self.oracle.clone())
            .with_failing_entries(self.rng.next(), trouble.failing_entries_percent);
        let faulty = FaultyFleet::new(watched, trouble.schedule).with_forks(Watched::fork);
        let overheard = Overheard { inner: &faulty, oracle: self.oracle.clone() };
        let scopes: Vec<Scope> = wanted.scopes.iter().cloned().collect();
        // Who reads first pages alone gets nothing in step, and takes nothing away: it comes with the second topology.
        let mutant = self.mutant.filter(|mutant| *mutant != Mutant::PageForgotten || sequence > 1);
        let fleet = Mutated::new(overheard, mutant, scopes, self.seed, self.fleet.clone());
        let clock = SimClock(self.fleet.clone());
        let listener = Hearer { oracle: self.oracle.clone(), fleet: self.fleet.clone() };
        let settle_ms = self.fleet.world().settings.settle_ms;
        let settings = SweepSettings {
            refresh: RefreshSettings { depth: Depth::Full, scopes_in_flight_max: 64, scope_deadline_ms: 60_000 },
            plan: PlanSettings::default(),
            settle_ms: if settle_ms > 0 { u64::try_from(settle_ms).unwrap() + 1_000 } else { 0 },
        };
        let sweeper =
            Sweeper { fleet: &fleet, clock: &clock, listener: &listener, desired: wanted, settings: &settings };
        let approval = approval();
        let world = sweeper.look().await;
        let plan = sweeper.plan(&world);
        if self.mutant == Some(Mutant::DeleteBeforeCreate) {
            breaks_first(&fleet, &plan, &approval).await;
        }
        let swept = sweeper.apply(world, &plan, &approval).await.unwrap();
        self.report.faults += faulty.happened().len();
        self.report.crashes += usize::from(faulty.has_crashed());
        Ended {
            in_step: swept.in_step(),
            failures: swept.failures().map(|(key, outcome)| format!("{key}: {outcome:?}")).collect(),
            after: swept.after,
        }
    }

    /// What goes wrong in a sweep, by the seed.
    fn trouble(&mut self) -> Trouble {
        let rng = &mut self.rng;
        if self.mutant == Some(Mutant::FailedEntriesIgnored) {
            // Nothing but what the bug is about, so that the sweep goes on to what comes of it.
            return Trouble { failing_entries_percent: 50, ..Trouble::none() };
        }
        let failing_entries_percent = if rng.chance(30) { 30 } else { 0 };
        let schedule = match rng.below(6) {
            0 => Schedule::once(rng.next() % 300 + 1, Fault::CrashBefore),
            1 => Schedule::once(rng.next() % 300 + 1, Fault::CrashAfter),
            2 => Schedule::Seeded {
                seed: rng.next(),
                per_thousand: 30,
                faults: vec![Fault::ReplyLost, Fault::NotSent, Fault::ServerError],
            },
            3 => Schedule::Seeded { seed: rng.next(), per_thousand: 20, faults: vec![Fault::CutPage, Fault::Throttle] },
            4 => Schedule::Seeded {
                seed: rng.next(),
                per_thousand: 8,
                faults: vec![
                    Fault::ReplyLost,
                    Fault::NotSent,
                    Fault::ServerError,
                    Fault::CutPage,
                    Fault::Throttle,
                    Fault::Denied,
                    Fault::CrashBefore,
                    Fault::CrashAfter,
                ],
            },
            _ => Schedule::Seeded { seed: rng.next(), per_thousand: 30, faults: vec![Fault::StaleRead] },
        };
        Trouble { schedule, failing_entries_percent }
    }

    /// Now and then an account denies the operator something for the length of a sweep.
    fn denial(&mut self, spec: &Spec) -> Option<(String, &'static str)> {
        if !self.rng.chance(25) {
            return None;
        }
        let account = self.rng.pick(&spec.accounts).id.clone();
        let actions = [
            "events:*",
            "events:List*",
            "events:ListRules",
            "events:PutTargets",
            "events:PutPermission",
            "events:Remove*",
            "events:UpdateEventBus",
            "events:*TagResource",
            "events:DescribeEventBus",
        ];
        Some((account, *self.rng.pick(&actions)))
    }
}

/// Guards are not the subject here: what a person may let go is let go, as by one who has seen the plan and told the
/// publishers.
fn approval() -> Approval {
    let allow = BTreeSet::from([Guard::TooManyBreaks, Guard::TooManyChanges, Guard::PublishersMove]);
    Approval { allow, plan_id: None }
}

/// What a program would do that does not wait: what goes, goes first.
async fn breaks_first<F: wheelwright::port::Fleet>(fleet: &F, plan: &Plan, approval: &Approval) {
    let approved = approve(plan, approval).unwrap();
    let mut breaks: Vec<Step> = approved.steps().iter().filter(|step| step.is_break()).cloned().collect();
    let keys: BTreeSet<StepKey> = breaks.iter().map(Step::key).collect();
    for step in &mut breaks {
        step.after.retain(|key| keys.contains(key));
    }
    apply(fleet, &breaks, &BTreeSet::new(), 64, &|_, _| {}, &|| false).await;
}
