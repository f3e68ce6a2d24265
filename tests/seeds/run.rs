//! One seed: a world, a topology, faults, drift, another topology, and the oracle looking on.

use crate::bounds::{Bounds, narrow_guards};
use crate::bugs;
use crate::clock::Timeline;
use crate::edits;
use crate::generator::{self, HOUR_MS};
use crate::listen::Forks;
use crate::mutants::Mutant;
use crate::oracle::{Check, Oracle, Violation, now_ms};
use crate::outage::Outage;
use crate::process::{Ended, Process, SdkDoor, a_persons_approval, usual_pace};
use crate::rng::Rng;
use crate::spec::{Options, Place, Spec, queue_arn};
use crate::staged::{create_keys, create_queue};
use crate::trouble::Trouble;
use aws_credential_types::Credentials;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use wheelwright::config::{self, Settings, SourceFiles};
use wheelwright::expand::expand;
use wheelwright::model::desired::{Desired, Revision};
use wheelwright::model::finding::{Finding, FindingCode};
use wheelwright::model::ids::{Moment, Scope};
use wheelwright::model::plan::{Guard, PlanSettings};
use wheelwright::model::topology::Topology;
use wheelwright::plan::{Approval, approve};
use wheelwright::sim::Quotas;
use wheelwright::sim::call_door::SimFleet;
use wheelwright::sim::fault::{Fault, Schedule};
use wheelwright::stage;

/// What kills are called that came while something was written.
pub const KILLED_WRITING: &str = "of them among writes";

/// What came of a seed.
#[derive(Default)]
pub struct Report {
    pub violations: Vec<Violation>,
    pub writes: usize,
    pub sweeps: usize,
    pub crashes: usize,
    /// Of these, the daemons' in a sweep that had tried a write.
    pub killed_writing: usize,
    pub faults: usize,
    /// The faults by their kinds, of calls and of requests on the wire.
    pub struck: BTreeMap<&'static str, usize>,
    pub struck_on_the_wire: BTreeMap<&'static str, usize>,
    /// How often each kind of fault befell daemons, and each kind of day.
    pub befell: BTreeMap<String, usize>,
    /// Plans that were cut at every write.
    pub plans: usize,
    /// Whether a quota left no room, so that the end was not asked for.
    pub no_room: bool,
    /// Whether the topology takes a bus's key back, and nobody can tell any more that it was the topology's.
    pub unknown_key: bool,
    /// What of the language one of the topologies has.
    pub features: BTreeMap<&'static str, bool>,
}

impl Report {
    /// What befell a process.
    pub fn add(&mut self, ended: &Ended) {
        self.faults += ended.struck.len() + ended.struck_on_the_wire.len();
        self.crashes += usize::from(ended.crashed);
        for (counts, struck) in
            [(&mut self.struck, &ended.struck), (&mut self.struck_on_the_wire, &ended.struck_on_the_wire)]
        {
            for kind in struck {
                *counts.entry(*kind).or_default() += 1;
            }
        }
    }

    /// What can be added up.
    pub fn counts(&self) -> Vec<(&'static str, usize)> {
        let counts = [
            ("plans", self.plans),
            ("sweeps", self.sweeps),
            ("writes", self.writes),
            ("faults", self.faults),
            ("crashes", self.crashes),
            (KILLED_WRITING, self.killed_writing),
            ("worlds without room", usize::from(self.no_room)),
            ("worlds with a key of nobody's", usize::from(self.unknown_key)),
        ];
        counts.into_iter().filter(|(_, count)| *count > 0).collect()
    }
}

/// How a seed is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// As the first seeds were, which the oldest regressions are.
    Plain,
    /// By the Call door, with everything that can go wrong.
    Call,
    /// By the SDK door, with everything that can go wrong on the wire, too.
    Sdk,
}

/// Runs a seed to its end, or to the first thing that does not hold.
pub async fn seed(seed: u64, kind: Kind, mutant: Option<Mutant>) -> Report {
    let mut rng = Rng::new(seed);
    let mut old = generator::topology(&mut rng);
    let mut new = edits::edited(&mut rng, &old);
    let mut late = Rng::new(!seed);
    let splits = late.chance(15) || mutant == Some(Mutant::NarrowedAtOnce);
    if kind != Kind::Plain && splits {
        edits::split(&mut late, &mut new);
    }
    if kind != Kind::Plain && late.chance(5) {
        edits::leaves_a_region(&mut late, &mut old, &mut [&mut new]);
    }
    let tight = rng.chance(8);
    if tight {
        lower_quotas(&mut rng, &mut old, &mut new);
    }
    let mut run = Run::new(rng, seed, kind, mutant, &[&old, &new]);
    run.report.features = generator::features(&old);
    for (feature, has) in generator::features(&new) {
        *run.report.features.entry(feature).or_default() |= has;
    }
    run.show(&[&old, &new]);
    run.tight = tight;
    run.whole(&old, &new).await;
    run.reported()
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

/// A topology as the program reads it.
pub fn loaded(spec: &Spec) -> (Topology, Settings) {
    let files = SourceFiles::new(spec.files());
    let loaded = config::load(&files);
    let told = || config::render(&loaded.diagnostics, &files, config::Style::Plain);
    assert!(!loaded.has_errors(), "{}", told());
    let Some(topology) = loaded.topology else { panic!("{}", told()) };
    (topology, loaded.settings)
}

/// What a topology asks for, at a place in the order and at a time.
pub fn desired((topology, settings): &(Topology, Settings), sequence: u64, now: Moment) -> Desired {
    expand(topology, settings, Revision { id: sequence.to_string(), sequence }, now)
}

/// A world, and what goes wrong in it.
pub struct Run {
    pub rng: Rng,
    /// Where what was not there at first comes from, so that the first seeds stay as they were.
    pub more: Option<Rng>,
    /// Where what came still later comes from.
    late: Option<Rng>,
    seed: u64,
    pub mutant: Option<Mutant>,
    pub fleet: SimFleet,
    sdk: Option<SdkDoor>,
    pub oracle: Oracle,
    /// Another owner's, who has things in the same accounts.
    pub neighbour: Option<Oracle>,
    pub report: Report,
    /// Whether quotas are low, so that there may be no room.
    pub tight: bool,
    /// Whether somebody changed something of ours by hand.
    pub drifted: bool,
    /// Whether calls keep a pace.
    paced: bool,
    /// The world of before the last sweep, or before others wrote: what a stale first look shows.
    before: Option<SimFleet>,
    /// The topologies that were read, by their sequence.
    loaded: BTreeMap<u64, Arc<(Topology, Settings)>>,
    /// What they ask for, by their sequence and how many of their stops were over.
    expanded: BTreeMap<(u64, usize), Arc<Desired>>,
}

impl Run {
    /// The accounts of all topologies as they are before the program first looks at them. The first of them is the one of
    /// sequence 1, and so on.
    pub fn new(mut rng: Rng, seed: u64, kind: Kind, mutant: Option<Mutant>, specs: &[&Spec]) -> Self {
        let loaded: Vec<_> = specs.iter().map(|spec| Arc::new(loaded(spec))).collect();
        let mut staged = desired(&loaded[0], 1, Moment(0));
        for loaded in &loaded[1..] {
            staged.scopes.extend(desired(loaded, 1, Moment(0)).scopes);
        }
        let (topology, settings) = &*loaded[0];
        let mut aws = stage::stage(topology, settings, &staged);
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
        if rng.chance(30) || mutant == Some(Mutant::SettleTimeSkipped) {
            aws.settings.settle_ms = 60_000;
        }
        let mut more = (kind != Kind::Plain).then(|| Rng::new(seed ^ MORE));
        let late = more.is_some().then(|| Rng::new(seed ^ LATE));
        let paced = more.as_mut().is_some_and(|more| more.chance(20));
        let key = aws.mint_root_key(stage::OPERATOR_ACCOUNT);
        let key = Credentials::new(key.access_key_id, key.secret_access_key, key.session_token, None, "test");
        let world = Arc::new(Mutex::new(aws));
        let fleet = SimFleet::new(Arc::clone(&world), stage::operator(settings));
        let sdk = (kind == Kind::Sdk).then_some(SdkDoor { world, key });
        let (oracle, report) = (Oracle::new(seed), Report::default());
        let (loaded, expanded) = ((1..).zip(loaded).collect(), BTreeMap::new());
        Self {
            rng,
            more,
            late,
            seed,
            mutant,
            fleet,
            sdk,
            oracle,
            neighbour: None,
            report,
            tight: false,
            drifted: false,
            paced,
            before: None,
            loaded,
            expanded,
        }
    }

    /// The same world, apart from here on.
    pub fn fork(&self) -> Self {
        self.fork_from(self.fleet.fork(), self.oracle.fork())
    }

    /// The same run in another world.
    pub fn fork_from(&self, fleet: SimFleet, oracle: Oracle) -> Self {
        Self {
            rng: Rng::new(self.seed),
            more: self.more.clone(),
            late: self.late.clone(),
            seed: self.seed,
            mutant: self.mutant,
            fleet,
            sdk: None,
            oracle,
            neighbour: None,
            report: Report::default(),
            tight: self.tight,
            drifted: self.drifted,
            paced: self.paced,
            before: None,
            loaded: self.loaded.clone(),
            expanded: self.expanded.clone(),
        }
    }

    /// Prints the topologies, and every write from here on, where somebody wants to see them.
    pub fn show(&self, specs: &[&Spec]) {
        if std::env::var("WHEELWRIGHT_SHOW").is_ok() {
            for (path, text) in specs.iter().flat_map(|spec| spec.files()) {
                println!("--- {path}\n{text}");
            }
            self.oracle.tell();
        }
    }

    /// What came of it.
    pub fn reported(self) -> Report {
        Report { violations: self.oracle.violations(), writes: self.oracle.operator_writes(), ..self.report }
    }

    /// What came of it, but for what was found.
    pub fn pardoned(self) -> Report {
        Report { violations: Vec::new(), ..self.reported() }
    }

    async fn whole(&mut self, old: &Spec, new: &Spec) {
        self.neighbours(old);
        self.watch(&[old, old]);
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
        self.before = self.late.is_some().then(|| self.fleet.fork());
        self.foreigners(old);
        self.other_tools(old);
        if self.rng.chance(50) {
            let again = self.rng.chance(50);
            self.drift(again);
            if again {
                self.next_hour();
                self.watch(&[old, old]);
                self.converge(old, old, 1).await;
            }
        }
        if self.stopped() {
            return;
        }
        self.next_hour();
        self.watch(&[old, new]);
        self.converge(old, new, 2).await;
        if self.stopped() {
            return;
        }
        self.old_daemon(old).await;
        if self.rng.chance(70) {
            return;
        }
        // Nobody edits anything, and stops end by themselves.
        self.next_hour();
        self.watch(&[new, new]);
        self.converge(new, new, 2).await;
    }

    /// A phase of a run begins.
    pub fn next_hour(&self) {
        let mut world = self.fleet.world();
        let hours = now_ms(&world) / HOUR_MS + 1;
        world.set_now_ms(i64::try_from(hours * HOUR_MS).unwrap());
    }

    /// Whether there is no use in going on. After a false report there is: what comes of it is of interest.
    pub fn stopped(&self) -> bool {
        let broken = |violation: &Violation| violation.check != Check::FalseReport;
        self.oracle.violations().iter().any(broken) || self.report.no_room || self.report.unknown_key
    }

    pub fn watch(&self, specs: &[&Spec]) {
        let world = self.fleet.world().clone();
        self.oracle.watch(specs, &world);
    }

    /// Faults, then none: the world must come out in step, at rest, and delivering what it should.
    pub async fn converge(&mut self, old: &Spec, spec: &Spec, sequence: u64) {
        if self.more.as_mut().is_some_and(|more| more.chance(25)) {
            self.sweep_within_bounds(spec, sequence).await;
        }
        for _ in 0..self.rng.below(4) {
            let mut outage = self.rng.chance(25).then(|| Outage::denial(&mut self.rng, spec));
            let mut trouble = self.trouble();
            if let Some(more) = &mut self.more {
                if outage.is_none() && more.chance(15) {
                    outage = Some(Outage::some(more, spec));
                }
                if more.chance(50) && self.mutant.is_none_or(Mutant::bears_trouble) {
                    trouble.more(more, self.tight);
                }
                if self.sdk.is_some() && more.chance(80) {
                    trouble.on_the_wire(more);
                }
            }
            if let Some(late) = self.late.as_mut().filter(|_| self.before.is_some())
                && late.chance(15)
            {
                trouble.begin_stale(late);
            }
            self.oracle.outage(&mut self.fleet.world(), outage);
            let before = self.late.is_some().then(|| self.fleet.fork());
            self.sweep(spec, sequence, trouble).await;
            self.before = before;
            self.oracle.outage(&mut self.fleet.world(), None);
            if self.stopped() {
                return;
            }
        }
        self.settle_down(old, spec, sequence).await;
    }

    /// What goes wrong in a sweep, by the seed.
    fn trouble(&mut self) -> Trouble {
        if matches!(self.mutant, Some(Mutant::FailedEntriesIgnored | Mutant::FailureForgotten)) {
            // Nothing but what the bug is about, so that the sweep goes on to what comes of it.
            return Trouble { failing_entries_percent: 50, ..Trouble::none() };
        }
        if self.mutant == Some(Mutant::ReadOnce) {
            return Trouble { meddling_percent: 50, ..Trouble::none() };
        }
        Trouble::plain(&mut self.rng)
    }

    /// Nobody lets go any guard, and the guards are narrow.
    async fn sweep_within_bounds(&mut self, spec: &Spec, sequence: u64) {
        let guards = narrow_guards();
        self.oracle.bound(Bounds::of(&self.fleet.world(), &guards));
        let mut process =
            Process { approval: Approval::default(), guards, ..self.process(spec, sequence, Trouble::none()) };
        if self.late.as_mut().is_some_and(|late| late.chance(50)) {
            other_dead_letters(Arc::make_mut(&mut process.wanted));
        }
        self.report.sweeps += 1;
        process.run().await;
        self.oracle.ask_bounds();
    }

    /// A daemon that was left behind with the topology of before: it writes nothing, and says why.
    async fn old_daemon(&mut self, old: &Spec) {
        let chance = self.more.as_mut().is_some_and(|more| more.chance(30));
        if self.report.no_room || !chance || !self.oracle.left_its_mark() {
            return;
        }
        let before = self.oracle.writes_tried();
        let ended = self.sweep(old, 1, Trouble::none()).await;
        let wrote = self.oracle.writes_tried() - before;
        if wrote > 0 {
            self.oracle.violate(Check::OlderWrote, format!("{wrote} writes by an older topology"));
        }
        let told = ended.plan.holds.iter().any(|hold| hold.guard == Guard::Superseded);
        if !told && !ended.plan.is_empty() {
            self.oracle.violate(Check::OlderWrote, format!("it was not told that it is older: {:?}", ended.plan.holds));
        }
    }

    /// Without faults: at most two sweeps, and a third that writes nothing.
    pub async fn settle_down(&mut self, old: &Spec, spec: &Spec, sequence: u64) {
        let before = self.oracle.writes_tried();
        let mut ended = self.sweep(spec, sequence, Trouble::none()).await;
        let was_quiet = ended.in_step && self.oracle.writes_tried() == before;
        if !ended.in_step {
            ended = self.sweep(spec, sequence, Trouble::none()).await;
        }
        // Where there is room for one rule alone beside those that are there, each sweep makes room for the next.
        for _ in 0..SWEEPS_FOR_ROOM_MAX {
            if !self.tight || ended.in_step || ended.after.steps.len() >= ended.plan.steps.len() {
                break;
            }
            ended = self.sweep(spec, sequence, Trouble::none()).await;
        }
        let mut leftovers = false;
        if !ended.in_step && self.has_an_unknown_key(old, spec, &ended) {
            self.report.unknown_key = true;
            return;
        }
        if !ended.in_step {
            let mut guards: BTreeSet<Guard> = ended.after.holds.iter().map(|hold| hold.guard).collect();
            // These are let go in every sweep: they hold nothing.
            guards.retain(|guard| !a_persons_approval().allow.contains(guard));
            let allowed = |guard: &Guard| {
                (*guard == Guard::NoRoom && self.tight) || (*guard == Guard::ForeignTargets && self.oracle.is_tapped())
            };
            // Whatever is not held, and does not wait for what is, should have been done.
            let undone = approve(&ended.after, &a_persons_approval()).unwrap().steps().len();
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
        // A sweep that found all as it should be and wrote nothing is the quiet one already.
        let wrote = if was_quiet && self.mutant.is_none() {
            // It would have taken a number, and the rest of the seed stays as it was.
            self.rng.next();
            0
        } else {
            self.writes_of_another_sweep(spec, sequence).await
        };
        if wrote > 0 && !self.report.no_room {
            self.oracle.violate(Check::NotQuiet, format!("{wrote} writes though all was in step"));
        }
        // The first topology's end is looked at in some seeds: it is the longest look of all, and the others' are as good.
        let is_worth_it = sequence > 1 || self.more.as_mut().is_none_or(|more| more.chance(35));
        if !self.report.no_room && is_worth_it {
            let world = self.fleet.world().clone();
            self.oracle.at_the_end(old, spec, &world, leftovers);
        } else {
            self.oracle.ask_all(&self.fleet.world());
        }
    }

    /// Whether nothing is wrong but keys that were asked for and are no more, on buses that somebody changed by hand in the
    /// meantime: whose the key is, is known by the bus's being as it was asked for. It stays then, and is told as an error.
    fn has_an_unknown_key(&self, old: &Spec, spec: &Spec, ended: &Ended) -> bool {
        let (before, now) = (old.buses(), spec.buses());
        let is_given_up = |finding: &Finding| {
            let named = finding.resource.to_string();
            let gave_up = |(place, (options, _)): (&Place, &(Options, _))| {
                let same = named == format!("bus {}/{}/{}", place.account, place.region, place.bus);
                same && options.key && now.get(place).is_some_and(|(now, _)| !now.key)
            };
            finding.code == FindingCode::KmsKeyChanged && before.iter().any(gave_up)
        };
        let mut unmended = ended.after.unmended().peekable();
        let is_all = ended.after.steps.is_empty() && ended.failures.is_empty() && unmended.peek().is_some();
        self.drifted && is_all && unmended.all(is_given_up)
    }

    async fn writes_of_another_sweep(&mut self, spec: &Spec, sequence: u64) -> usize {
        let before = self.oracle.writes_tried();
        self.sweep(spec, sequence, Trouble::none()).await;
        self.oracle.writes_tried() - before
    }

    /// One process, which a person lets go what can be let go.
    pub async fn sweep(&mut self, spec: &Spec, sequence: u64, trouble: Trouble) -> Ended {
        let process = self.process(spec, sequence, trouble);
        self.end(process).await
    }

    /// The same; the world before its first write and after each is kept.
    pub async fn sweep_keeping(&mut self, spec: &Spec, sequence: u64, forks: Forks) -> Ended {
        let process = Process { forks: Some(forks), ..self.process(spec, sequence, Trouble::none()) };
        self.end(process).await
    }

    async fn end(&mut self, process: Process) -> Ended {
        let ended = process.run().await;
        self.report.sweeps += 1;
        self.report.add(&ended);
        ended
    }

    /// A topology as the program reads it; there is one of each sequence, so it is read once.
    fn loaded(&mut self, spec: &Spec, sequence: u64) -> Arc<(Topology, Settings)> {
        Arc::clone(self.loaded.entry(sequence).or_insert_with(|| Arc::new(loaded(spec))))
    }

    /// What a topology asks for now: the same for as long as no stop ends.
    pub fn expanded(&mut self, spec: &Spec, sequence: u64) -> Arc<Desired> {
        let now = Moment(now_ms(&self.fleet.world()));
        let loaded = self.loaded(spec, sequence);
        let subscriptions = loaded.0.teams.values().flat_map(|team| team.subscriptions.values());
        let over = subscriptions.filter(|one| one.stop.as_ref().is_some_and(|stop| stop.until <= now)).count();
        let found = self.expanded.entry((sequence, over));
        Arc::clone(found.or_insert_with(|| Arc::new(desired(&loaded, sequence, now))))
    }

    /// A process before this world.
    pub fn process(&mut self, spec: &Spec, sequence: u64, mut trouble: Trouble) -> Process {
        let mut wanted = self.expanded(spec, sequence);
        if trouble.seed == 1 {
            trouble.seed = self.rng.next();
        }
        // Who reads first pages alone gets nothing in step, and takes nothing away: it comes with the second topology.
        let mutant = self.mutant.filter(|mutant| !mutant.comes_later() || sequence > 1);
        if let Some(mutant) = mutant {
            bugs::spoil(mutant, Arc::make_mut(&mut wanted), self.report.sweeps);
        }
        Process {
            fleet: self.fleet.clone(),
            sdk: self.sdk.clone(),
            oracle: self.oracle.clone(),
            neighbour: self.neighbour.clone(),
            wanted,
            trouble,
            approval: a_persons_approval(),
            guards: PlanSettings::default(),
            pace: self.paced.then(usual_pace),
            timeline: self.more.is_some().then(|| Timeline::from(&self.fleet.world())),
            delay: None,
            forks: None,
            earlier: self.before.clone(),
            mutant,
            seed: self.seed,
        }
    }
}

/// A commit that changes every target in place, and much at once so.
fn other_dead_letters(wanted: &mut Desired) {
    for (rule, wanted) in &mut wanted.rules {
        let Scope { account, region } = &rule.bus.scope;
        let queue = queue_arn(&account.to_string(), region.as_str(), "stranded");
        wanted.spec.targets.iter_mut().for_each(|(_, target)| target.dead_letter_arn = Some(queue.clone()));
    }
}

/// Sweeps beyond the usual two where quotas are low, for as long as each does something.
const SWEEPS_FOR_ROOM_MAX: usize = 4;

/// What tells the second stream of chance from the first.
const MORE: u64 = 0x5eed_0000_0000_0000;
/// And the third.
const LATE: u64 = 0x1a7e_0000_0000_0000;
