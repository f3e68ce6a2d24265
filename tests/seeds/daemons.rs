//! Whole daemons on bad days, in virtual time: killed at any call and started again, with their state or without it, the topology
//! gone, broken, older or new, the clock set, accounts in trouble, things edited, a second daemon with an older topology beside them.

use crate::bounds::{Bounds, narrow_guards};
use crate::clock::{SimClock, Timeline};
use crate::drifts;
use crate::edits;
use crate::generator;
use crate::mutants::Mutant;
use crate::oracle::Check;
use crate::outage::Outage;
use crate::rng::Rng;
use crate::run::{Kind, Report, Run};
use crate::running::{Around, FAULTS, Running, WallClock};
use crate::shelf::{Guards, Shelf};
use crate::spec::Spec;
use crate::trouble::Trouble;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use strum::VariantArray;
use wheelwright::daemon::{Command, Reply};
use wheelwright::model::plan::Guard;
use wheelwright::sim::fault::Schedule;
use wheelwright::store::Store;

/// Within this it has to be in step once nothing is wrong any more: two sweeps, the longest that a scope in trouble is left in
/// peace before each, and the settle time.
pub const IN_STEP_SECS_MAX: u64 = 3_600;

/// Within this everything that is set was read: a full interval, and what a sweep may take.
const FULL_SECS_MAX: u64 = 1_100;

/// What a day can be like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, VariantArray)]
enum Day {
    /// It is killed at some call.
    Killed,
    StateLost,
    TopologyGone,
    TopologyBroken,
    ClockSet,
    Outage,
    /// Somebody edits what is live.
    Edited,
    OlderDaemon,
    /// The daemon itself is handed the topology of before.
    OlderTopology,
    Ended,
    /// Somebody edits something, and the time is taken until it is as it was.
    Drift,
    /// One account's calls are not answered.
    Hanging,
}

/// Where all of it happens.
pub struct Site<'r> {
    pub run: &'r mut Run,
    /// What tells of days that were not there at first.
    pub more: Rng,
    timeline: Timeline,
    clock: WallClock,
    pub shelf: Shelf,
    store: Arc<Store>,
    daemon: Option<Running>,
    /// What is asked for, and its place in the order.
    pub spec: Spec,
    pub sequence: u64,
    to_come: Vec<Spec>,
    /// What was asked for before.
    previous: Option<Spec>,
    /// Somebody edited what is live, and what came of it may be found at any later sweep.
    is_edited: bool,
    mutant: Option<Mutant>,
}

/// A daemon's bad days. Stops end by a clock, and clocks are set here: there are none.
pub async fn seed(seed: u64, mutant: Option<Mutant>) -> Report {
    let mut rng = Rng::new(seed);
    let mut spec = generator::topology(&mut rng).without_stops();
    let mut next = edits::edited(&mut rng, &spec).without_stops();
    let mut last = edits::edited(&mut rng, &next).without_stops();
    let mut more = Rng::new(seed ^ MORE);
    if more.clone().chance(15) {
        edits::leaves_a_region(&mut more.clone(), &mut spec, &mut [&mut next, &mut last]);
    }
    let mut run = Run::new(rng, seed, Kind::Call, None, &[&spec, &next, &last]);
    run.show(&[&spec, &next, &last]);
    run.neighbours(&spec);
    run.watch(&[&spec, &spec]);
    run.report.befell = FAULTS
        .iter()
        .map(|fault| format!("{fault:?}"))
        .chain(Day::VARIANTS.iter().map(|day| format!("{day:?}")))
        .chain(drifts::KINDS.iter().map(|&kind| kind.to_owned()))
        .map(|name| (name, 0))
        .collect();
    let timeline = Timeline::from(&run.fleet.world());
    let inner = SimClock { fleet: run.fleet.clone(), timeline: Some(timeline) };
    let clock = WallClock { inner, ahead_ms: Arc::default() };
    let shelf = Shelf::new(if more.chance(50) { 900 } else { more.within(30, 300) as u64 });
    let mut site = Site {
        run: &mut run,
        more,
        timeline,
        clock,
        shelf,
        store: Arc::new(Store::in_memory().unwrap()),
        daemon: None,
        spec,
        sequence: 1,
        to_come: vec![last, next],
        previous: None,
        is_edited: false,
        mutant,
    };
    site.whole().await;
    run.reported()
}

/// What tells the second stream of chance from the first.
const MORE: u64 = 0xdae_0000_0000_0000;

fn without_subscriptions(spec: &Spec) -> Spec {
    let mut spec = spec.clone();
    spec.teams.iter_mut().for_each(|team| team.subscriptions.clear());
    spec
}

/// Nothing goes wrong.
fn calm() -> Schedule {
    Schedule::Script(BTreeMap::new())
}

impl Site<'_> {
    async fn whole(&mut self) {
        self.shelf.put(&self.spec, 1);
        self.start();
        if self.more.chance(30) {
            self.dies_on_the_way();
        }
        self.pass(600).await;
        self.run.foreigners(&self.spec);
        for _ in 0..self.run.rng.within(3, 7) {
            match self.run.rng.below(4) {
                0 if !self.to_come.is_empty() => self.next_topology().await,
                _ => self.bad_day().await,
            }
            let seconds = self.run.rng.within(30, 1_200) as u64;
            self.daemon().calm(false);
            self.pass(seconds).await;
            if self.run.stopped() {
                break;
            }
        }
        if !self.run.stopped() {
            self.good_day().await;
        }
        self.kill();
    }

    pub fn daemon(&self) -> &Running {
        self.daemon.as_ref().unwrap()
    }

    fn start(&mut self) {
        let schedule = if self.run.rng.chance(50) {
            Schedule::Seeded { seed: self.run.rng.next(), per_thousand: 4, faults: FAULTS.to_vec() }
        } else {
            calm()
        };
        self.start_with(schedule);
    }

    fn start_with(&mut self, schedule: Schedule) {
        self.daemon = Some(Running::start(&self.around(&self.shelf, &self.store), schedule));
    }

    fn around<'a>(&'a self, shelf: &'a Shelf, store: &'a Arc<Store>) -> Around<'a> {
        Around {
            fleet: &self.run.fleet,
            oracle: &self.run.oracle,
            timeline: self.timeline,
            clock: &self.clock,
            shelf,
            store,
            mutant: self.mutant,
        }
    }

    /// The daemon is no more; what befell it is counted.
    fn gone(&mut self) -> Option<Running> {
        let daemon = self.daemon.take()?;
        for (fault, times) in daemon.struck() {
            *self.run.report.befell.entry(fault).or_default() += times;
        }
        Some(daemon)
    }

    pub fn befell(&mut self, name: &str) {
        *self.run.report.befell.entry(name.to_owned()).or_default() += 1;
    }

    fn kill(&mut self) {
        if let Some(daemon) = self.gone() {
            daemon.kill();
        }
    }

    async fn end(&mut self) {
        if let Some(mut daemon) = self.gone() {
            daemon.end().await;
        }
    }

    fn restart(&mut self) {
        self.run.report.killed_writing += usize::from(self.daemon().life.is_writing());
        self.run.report.crashes += 1;
        self.kill();
        self.start();
    }

    /// It is killed while it brings in what was just put.
    fn dies_on_the_way(&mut self) {
        let (calls, after) = (self.more.within(1, 300), self.more.chance(50));
        self.daemon().life.dies_in(calls, after);
    }

    /// Another topology comes.
    async fn next_topology(&mut self) {
        let Some(next) = self.take_next() else { return };
        if self.more.chance(50) {
            self.within_bounds(&next).await;
        } else if self.more.chance(60) {
            self.dies_on_the_way();
        }
        if self.mutant == Some(Mutant::RegionsForgotten) {
            self.end().await;
            self.ask_for(next);
            self.store.set_meta("scopes-named", "").unwrap();
            self.start();
        } else {
            self.ask_for(next);
        }
    }

    /// The topology that comes next; what it and the one before deliver is watched from here on.
    pub fn take_next(&mut self) -> Option<Spec> {
        let next = self.to_come.pop()?;
        self.sequence += 1;
        self.run.watch(&[&self.spec, &next]);
        Some(next)
    }

    pub fn ask_for(&mut self, next: Spec) {
        self.shelf.put(&next, self.sequence);
        self.previous = Some(std::mem::replace(&mut self.spec, next));
    }

    /// Time goes on; a daemon that dies meanwhile is started again.
    #[allow(clippy::disallowed_methods)] // The time that passes is nobody's.
    pub async fn pass(&mut self, seconds: u64) {
        let end = tokio::time::Instant::now() + Duration::from_secs(seconds);
        loop {
            let life = Arc::clone(&self.daemon().life);
            tokio::select! {
                biased;
                () = tokio::time::sleep_until(end) => break,
                () = life.died.notified() => self.restart(),
            }
        }
        self.timeline.set(&mut self.run.fleet.world());
        if self.daemon().has_ended() {
            self.run.oracle.violate(Check::Panicked, "the daemon ended by itself".to_owned());
        }
    }

    async fn bad_day(&mut self) {
        let day = *self.run.rng.pick(Day::VARIANTS);
        self.run.oracle.note(&format!("bad day: {day:?}"));
        self.befell(&format!("{day:?}"));
        match day {
            Day::Killed => {
                let (calls, after) = (self.run.rng.within(1, 400), self.run.rng.chance(50));
                self.daemon().life.dies_in(calls, after);
            }
            Day::StateLost => self.lose_state().await,
            Day::TopologyGone => {
                match self.mutant {
                    Some(Mutant::EmptyWhereGone) => {
                        self.shelf.put(&without_subscriptions(&self.spec), self.sequence);
                    }
                    _ => self.shelf.lose(&mut self.run.rng),
                }
                self.stay_put(120).await;
                self.shelf.put(&self.spec, self.sequence);
            }
            Day::TopologyBroken => {
                self.shelf.spoil(&mut self.run.rng);
                self.pass(400).await;
                self.shelf.put(&self.spec, self.sequence);
            }
            Day::ClockSet => {
                let minutes = self.run.rng.within(0, 240) as i64 - 120;
                self.clock.ahead_ms.store(minutes * 60_000, Ordering::SeqCst);
            }
            Day::Outage => {
                let outage = match self.run.rng.chance(50) {
                    true => Outage::denial(&mut self.run.rng, &self.spec),
                    false => Outage::some(&mut self.run.rng, &self.spec),
                };
                self.run.oracle.outage(&mut self.run.fleet.world(), Some(outage));
                self.pass(700).await;
                self.run.oracle.outage(&mut self.run.fleet.world(), None);
            }
            Day::Edited => {
                self.run.drift(false);
                self.is_edited = true;
            }
            Day::OlderDaemon => self.older_daemon().await,
            Day::OlderTopology => self.older_topology().await,
            Day::Ended => {
                self.end().await;
                self.start();
            }
            Day::Drift => self.drift_in_time().await,
            Day::Hanging => self.account_hangs().await,
        }
    }

    /// A new topology comes while the guards are narrow and nothing else is wrong: what it takes away and changes, all sweeps
    /// together, is within them, or waits.
    async fn within_bounds(&mut self, next: &Spec) {
        self.end().await;
        self.start_with(calm());
        self.come_in_step().await;
        if !self.daemon().is_in_step() {
            return;
        }
        let guards = match self.mutant {
            Some(Mutant::DaemonsGuardsForgotten) => Guards::Wide,
            _ => Guards::Narrow,
        };
        self.run.oracle.bound(Bounds::of(&self.run.fleet.world(), &narrow_guards()));
        self.shelf.put_with(next, self.sequence, guards);
        self.pass(1_300).await;
        self.run.oracle.ask_bounds();
    }

    /// While there is no topology to be read, the last one stands: nothing is written for the want of it. (What somebody edited
    /// before is put right meanwhile, and so is what a stale reading shows; these writes are not told from others here.)
    async fn stay_put(&mut self, seconds: u64) {
        let was_in_step = self.daemon().is_in_step();
        let before = self.run.oracle.writes_tried();
        self.pass(seconds).await;
        let wrote = self.run.oracle.writes_tried() - before;
        let is_same = self.daemon().is_in_step();
        let is_lied_to = self.daemon().is_lied_to;
        if was_in_step && is_same && !self.is_edited && !is_lied_to && wrote > 0 {
            self.run.oracle.violate(Check::NotQuiet, format!("{wrote} writes while the topology was gone"));
        }
    }

    /// The state file is gone: beside our marks nothing is written until a person says that it counts from now on.
    async fn lose_state(&mut self) {
        self.kill();
        self.store = Arc::new(Store::in_memory().unwrap());
        self.run.oracle.forget_regions(&self.spec);
        if self.mutant == Some(Mutant::NothingToLose) {
            wheelwright::daemon::nothing_is_lost(&self.store).unwrap();
        }
        let marked =
            !crate::oracle::items(&self.run.fleet.world(), |item| crate::oracle::is_ours(item.value)).is_empty();
        let before = self.run.oracle.writes_tried();
        self.start_with(calm());
        self.pass(400).await;
        let wrote = self.run.oracle.writes_tried() - before;
        let is_told = self.daemon().handle.status().state_lost;
        if marked && is_told && wrote > 0 {
            self.run.oracle.violate(Check::StateForgotten, format!("{wrote} writes though its state was lost"));
        }
        if marked && !is_told {
            self.run.oracle.violate(Check::StateForgotten, "it does not say that its state is lost");
        }
        let reply = self.daemon().handle.tell(Command::ResumeStateLost, "somebody").await;
        self.run.oracle.note(&format!("{reply:?}"));
        if let (Reply::Refused(why), true) = (reply, is_told) {
            self.run.oracle.violate(Check::StateForgotten, why);
        }
    }

    /// Another daemon of the same owner, left behind with a topology of before; it begins when this one has applied its own.
    async fn older_daemon(&mut self) {
        // What was edited and only a full sweep sees is not to be put right meanwhile.
        if self.is_edited && !self.is_calmly_in_step().await {
            return;
        }
        let may_write = !self.daemon().is_in_step() || self.daemon().is_lied_to;
        if may_write || self.sequence < 2 || !self.run.oracle.left_its_mark() {
            return;
        }
        let shelf = Shelf::new(self.shelf.fresh_secs);
        let older = edits::edited(&mut self.run.rng, &self.spec).without_stops();
        self.run.oracle.allow_buses(&older);
        shelf.put(&older, self.sequence - 1);
        let store = Arc::new(Store::in_memory().unwrap());
        wheelwright::daemon::nothing_is_lost(&store).unwrap();
        let before = self.run.oracle.writes_tried();
        let other = Running::start(&self.around(&shelf, &store), calm());
        self.pass(700).await;
        let wrote = self.run.oracle.writes_tried() - before;
        let status = other.handle.status();
        let holds: Vec<Guard> = status.plan.iter().flat_map(|plan| plan.holds.iter().map(|hold| hold.guard)).collect();
        other.kill();
        if wrote > 0 || !holds.contains(&Guard::Superseded) {
            let text = format!("{wrote} writes beside a daemon with an older topology, which is held by {holds:?}");
            self.run.oracle.violate(Check::OlderWrote, text);
        }
    }

    /// Nothing goes wrong with the same daemon's calls any more; whether it comes in step, as far as full readings see.
    pub async fn is_calmly_in_step(&mut self) -> bool {
        self.daemon().calm(true);
        self.come_in_step().await;
        if std::mem::take(&mut self.is_edited) {
            self.pass(FULL_SECS_MAX).await;
            self.come_in_step().await;
        }
        self.daemon().is_in_step()
    }

    /// The topology of before comes back: nothing is written for it, and the daemon says why, until the newer one is there again.
    async fn older_topology(&mut self) {
        let Some(older) = self.previous.clone() else { return };
        if !self.is_calmly_in_step().await || !self.run.oracle.left_its_mark() {
            return;
        }
        self.shelf.put(&older, self.sequence - 1);
        let before = self.run.oracle.writes_tried();
        self.pass(700).await;
        let wrote = self.run.oracle.writes_tried() - before;
        let plan = self.daemon().handle.status().plan.clone().unwrap();
        let is_told = plan.steps.is_empty() || plan.holds.iter().any(|hold| hold.guard == Guard::Superseded);
        if wrote > 0 || !is_told || plan.revision.sequence != self.sequence - 1 {
            let text = format!("{wrote} writes for sequence {}, held by {:?}", plan.revision.sequence, plan.holds);
            self.run.oracle.violate(Check::OlderWrote, text);
        }
        self.shelf.put(&self.spec, self.sequence);
        self.pass(120).await;
        if !self.is_calmly_in_step().await {
            self.run.oracle.violate(Check::NotInStep, "the newer topology is back, and it is not in step with it");
        }
    }

    /// Nothing is wrong any more: it comes in step in time, and writes no more.
    async fn good_day(&mut self) {
        self.run.oracle.note("a good day");
        self.clock.ahead_ms.store(0, Ordering::SeqCst);
        self.shelf.put(&self.spec, self.sequence);
        if self.more.chance(40) {
            // With all that it remembers of the bad days.
            self.daemon().calm(true);
            let seconds = self.calm_secs_max();
            self.pass(seconds).await;
        } else {
            self.end().await;
            self.start_with(calm());
            self.come_in_step().await;
        }
        let plan = self.daemon().handle.status().plan.clone();
        let mut leftovers = false;
        if !self.daemon().is_in_step() {
            let holds: Vec<Guard> = plan.iter().flat_map(|plan| plan.holds.iter().map(|hold| hold.guard)).collect();
            let is_a_persons = |guard: &Guard| {
                *guard == Guard::PublishersMove || (*guard == Guard::ForeignTargets && self.run.oracle.is_tapped())
            };
            if holds.is_empty() || !holds.iter().all(is_a_persons) {
                let steps: Vec<String> =
                    plan.iter().flat_map(|plan| plan.steps.iter().map(|step| step.key().to_string())).collect();
                let unmended: Vec<_> = plan.iter().flat_map(|plan| plan.unmended()).collect();
                let text = format!("the daemon is not: holds {holds:?}, steps {steps:?}, unmended {unmended:?}");
                return self.run.oracle.violate(Check::NotInStep, text);
            }
            // A person looks, and lets go what only a person can.
            leftovers = holds.contains(&Guard::ForeignTargets);
            for _ in 0..2 {
                self.run.sweep(&self.spec, self.sequence, Trouble::none()).await;
            }
            self.come_in_step().await;
        }
        let before = self.run.oracle.writes_tried();
        self.pass(1_300).await;
        let wrote = self.run.oracle.writes_tried() - before;
        if wrote > 0 {
            self.run.oracle.violate(Check::NotQuiet, format!("the daemon made {wrote} writes though all was in step"));
        }
        let world = self.run.fleet.world().clone();
        self.run.oracle.at_the_end(&self.spec, &self.spec, &world, leftovers);
    }

    async fn come_in_step(&mut self) {
        for _ in 0..IN_STEP_SECS_MAX / 20 {
            self.pass(20).await;
            if self.daemon().is_in_step() {
                return;
            }
        }
    }
}
