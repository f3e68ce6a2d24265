//! Whole daemons on bad days, in virtual time: killed at any call and started again, with their state or without it, the topology
//! gone, broken, older or new, the clock set, accounts in trouble, a second daemon with an older topology beside them.

use crate::bounds::{Bounds, narrow_guards};
use crate::bugs::Mutated;
use crate::clock::{SimClock, Timeline};
use crate::edits;
use crate::generator;
use crate::hearing::{Hearing, Overheard};
use crate::listen::Watched;
use crate::mutants::Mutant;
use crate::oracle::Check;
use crate::outage::Outage;
use crate::process::{AtPace, usual_pace};
use crate::rng::Rng;
use crate::run::{Kind, Report, Run};
use crate::spec::{REGIONS, Spec};
use crate::trouble::Trouble;
use aws_types::SdkConfig;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::{Notify, oneshot};
use tokio::task::JoinHandle;
use wheelwright::call::{Answer, Call, CallError};
use wheelwright::config::SourceFiles;
use wheelwright::daemon::config::{Fetched, Source};
use wheelwright::daemon::{Command, Daemon, Handle, Parts, Reply};
use wheelwright::model::desired::Revision;
use wheelwright::model::ids::{Moment, Scope};
use wheelwright::model::plan::Guard;
use wheelwright::notify::{Surroundings, Switchboard};
use wheelwright::port::{Clock, Fleet};
use wheelwright::sim::fault::{Fault, FaultyFleet, Schedule};
use wheelwright::store::Store;

/// It writes by itself, and its guards are for other seeds.
const SETTINGS: &str = r#"
[mode]
default = "enforce"
[sweep]
fast-every-secs = 300
source-every-secs = 30
start-jitter-secs-max = 0
[pace]
settle-secs = 70
[guards]
breaks-percent-max = 100
changes-percent-max = 100
"#;
/// The same with narrow guards.
const NARROW: &str = r"
breaks-percent-max = 10
breaks-floor = 1
changes-percent-max = 10
changes-floor = 2
";
/// Within this it has to be in step once nothing is wrong any more: two sweeps, the longest that a scope in trouble is left in
/// peace before each, and the settle time.
const IN_STEP_SECS_MAX: u64 = 3_600;

/// A folder that people change, lose and break.
#[derive(Clone, Default)]
struct Shelf(Arc<Mutex<Held>>);

#[derive(Default)]
struct Held {
    files: BTreeMap<String, String>,
    sequence: u64,
    is_gone: bool,
}

impl Shelf {
    fn put(&self, spec: &Spec, sequence: u64) {
        self.put_with(spec, sequence, SETTINGS.to_owned());
    }

    fn put_with(&self, spec: &Spec, sequence: u64, settings: String) {
        let mut files: BTreeMap<String, String> = spec.files().into_iter().collect();
        files.insert("wheelwright.toml".to_owned(), settings);
        *self.0.lock().unwrap() = Held { files, sequence, is_gone: false };
    }

    /// Somebody cuts a file off somewhere, or empties it.
    fn spoil(&self, rng: &mut Rng) {
        let mut held = self.0.lock().unwrap();
        let paths: Vec<String> = held.files.keys().filter(|path| path.starts_with("topology")).cloned().collect();
        let text = held.files.get_mut(rng.pick(&paths)).unwrap();
        let cut = text.char_indices().map(|(at, _)| at).nth(rng.below(text.chars().count())).unwrap_or_default();
        if rng.chance(70) {
            text.truncate(cut);
            text.push_str("= [ what");
        } else {
            text.clear();
        }
    }

    /// The folder is gone, or there is nothing in its files any more.
    fn lose(&self, rng: &mut Rng) {
        let mut held = self.0.lock().unwrap();
        match rng.chance(50) {
            true => held.is_gone = true,
            false => held.files.values_mut().for_each(String::clear),
        }
    }
}

impl Source for Shelf {
    fn fetch(&self) -> Result<Fetched, String> {
        let held = self.0.lock().unwrap();
        if held.is_gone {
            return Err("the folder is gone".to_owned());
        }
        let texts: Vec<String> = held.files.values().cloned().collect();
        let id = wheelwright::model::mark::Digest::of(&texts.iter().map(String::as_str).collect::<Vec<_>>());
        let files = held.files.iter().map(|(path, text)| (path.as_str(), text.as_str()));
        Ok(Fetched::of(
            SourceFiles::new(files),
            Revision { id: format!("{id}-{}", held.sequence), sequence: held.sequence },
        ))
    }
}

/// The machine's clock, which somebody sets.
#[derive(Clone)]
struct WallClock {
    inner: SimClock,
    ahead_ms: Arc<AtomicI64>,
}

impl Clock for WallClock {
    fn now(&self) -> Moment {
        // Long ago enough that a clock that is behind is not before 1970.
        let now = i64::try_from(Clock::now(&self.inner).0).unwrap() + DAY_MS + self.ahead_ms.load(Ordering::SeqCst);
        Moment(u64::try_from(now).unwrap())
    }

    async fn wait_ms(&self, milliseconds: u64) {
        self.inner.wait_ms(milliseconds).await;
    }
}

const DAY_MS: i64 = 86_400_000;

/// A process that dies at some call: nothing that it does after that happens.
struct Mortal<F> {
    inner: F,
    life: Arc<Life>,
}

#[derive(Default)]
struct Life {
    calls: AtomicUsize,
    /// The call that it dies at; 0: none.
    ends_at: AtomicUsize,
    dies_after: AtomicBool,
    is_dead: AtomicBool,
    died: Notify,
}

impl Life {
    fn end(&self) {
        self.is_dead.store(true, Ordering::SeqCst);
        self.died.notify_one();
    }
}

impl<F: Fleet> Fleet for Mortal<F> {
    async fn call(&self, scope: &Scope, call: Call) -> Result<Answer, CallError> {
        let life = &self.life;
        if life.is_dead.load(Ordering::SeqCst) {
            return std::future::pending().await;
        }
        let number = life.calls.fetch_add(1, Ordering::SeqCst) + 1;
        if number == life.ends_at.load(Ordering::SeqCst) {
            if life.dies_after.load(Ordering::SeqCst) {
                _ = self.inner.call(scope, call).await;
            }
            life.end();
            return std::future::pending().await;
        }
        let answer = self.inner.call(scope, call).await;
        if life.is_dead.load(Ordering::SeqCst) {
            return std::future::pending().await;
        }
        answer
    }
}

/// A daemon that runs.
struct Running {
    handle: Handle,
    task: JoinHandle<()>,
    life: Arc<Life>,
    end: Option<oneshot::Sender<()>>,
}

impl Running {
    fn start(site: &Site<'_>, shelf: &Shelf, store: &Arc<Store>, schedule: Schedule) -> Self {
        let run = &site.run;
        let watched = Watched::new(run.fleet.clone(), run.oracle.clone()).with_time(site.timeline);
        let faulty = FaultyFleet::new(watched, schedule).with_forks(Watched::fork);
        let hearing = Hearing::of_a_daemon(run.oracle.clone(), Some(usual_pace()));
        let life = Arc::new(Life::default());
        let overheard = Overheard { inner: faulty, hearing };
        let scopes = run.fleet.world().accounts().flat_map(scopes_of).collect();
        let mutant = site.mutant.filter(|mutant| *mutant == Mutant::DaemonsPageForgotten);
        let mutant = mutant.map(|_| Mutant::PageForgotten);
        let mutated = Mutated::new(overheard, mutant, scopes, 1, run.fleet.clone());
        let keeps_pace = Some(usual_pace()).filter(|_| site.mutant != Some(Mutant::DaemonsPaceForgotten));
        let fleet = Mortal { inner: AtPace::new(mutated, keeps_pace), life: Arc::clone(&life) };
        let nowhere = Surroundings { config: SdkConfig::builder().build(), endpoint_url: None };
        let parts = Parts {
            fleet: Arc::new(fleet),
            clock: site.clock.clone(),
            source: Arc::new(shelf.clone()),
            store: Arc::clone(store),
            alerts: Arc::new(Switchboard::new(nowhere, |_| None)),
            random: Box::new(|| 0.5),
        };
        let (daemon, handle) = Daemon::new(parts).unwrap();
        let (end, ended) = oneshot::channel::<()>();
        let task = tokio::spawn(daemon.run(async move {
            _ = ended.await;
        }));
        Self { handle, task, life, end: Some(end) }
    }

    /// As by SIGKILL.
    fn kill(self) {
        self.life.end();
        self.task.abort();
    }

    /// As by SIGTERM.
    async fn end(mut self) {
        _ = self.end.take().map(|end| end.send(()));
        // A process that died at a call ends no more.
        tokio::select! {
            _ = &mut self.task => {}
            () = self.life.died.notified() => self.task.abort(),
        }
    }

    fn is_at_rest(&self) -> bool {
        let status = self.handle.status();
        status.sweeping.is_none() && status.settling.is_none() && status.plan.is_some()
    }

    fn is_in_step(&self) -> bool {
        self.is_at_rest() && self.handle.status().plan.as_ref().is_some_and(|plan| plan.in_step())
    }
}

/// Where all of it happens.
struct Site<'r> {
    run: &'r mut Run,
    timeline: Timeline,
    clock: WallClock,
    shelf: Shelf,
    store: Arc<Store>,
    daemon: Option<Running>,
    kills: usize,
    /// Somebody edited what is live, and what came of it may be found at any later sweep.
    is_edited: bool,
    mutant: Option<Mutant>,
}

/// A daemon's bad days. Stops end by a clock, and clocks are set here: there are none.
pub async fn seed(seed: u64, mutant: Option<Mutant>) -> Report {
    let mut rng = Rng::new(seed);
    let mut spec = generator::topology(&mut rng).without_stops();
    let mut next = edits::edited(&mut rng, &spec).without_stops();
    let last = edits::edited(&mut rng, &next).without_stops();
    let mut run = Run::new(rng, seed, Kind::Call, None, &[&spec, &next, &last]);
    run.show(&[&spec, &next, &last]);
    run.neighbours(&spec);
    run.watch(&[&spec, &spec]);
    let timeline = Timeline::from(&run.fleet.world());
    let inner = SimClock { fleet: run.fleet.clone(), timeline: Some(timeline) };
    let clock = WallClock { inner, ahead_ms: Arc::default() };
    let (shelf, store) = (Shelf::default(), Arc::new(Store::in_memory().unwrap()));
    shelf.put(&spec, 1);
    let mut site =
        Site { run: &mut run, timeline, clock, shelf, store, daemon: None, kills: 0, is_edited: false, mutant };
    let mut sequence = 1;
    site.start();
    site.pass(600).await;
    site.run.foreigners(&spec);
    let mut more = Rng::new(seed ^ MORE);
    let mut to_come = vec![last, next.clone()];
    let days = site.run.rng.within(3, 7);
    for _ in 0..days {
        match site.run.rng.below(4) {
            0 if !to_come.is_empty() => {
                next = to_come.pop().unwrap();
                sequence += 1;
                site.run.watch(&[&spec, &next]);
                if more.chance(50) {
                    site.within_bounds(&next, sequence).await;
                }
                site.shelf.put(&next, sequence);
                spec = next.clone();
            }
            _ => site.bad_day(&spec, sequence).await,
        }
        let seconds = site.run.rng.within(30, 1_200) as u64;
        site.pass(seconds).await;
        if site.run.stopped() {
            break;
        }
    }
    if !site.run.stopped() {
        site.good_day(&spec, sequence).await;
    }
    let kills = site.kills;
    if let Some(daemon) = site.daemon.take() {
        daemon.kill();
    }
    run.report.crashes += kills;
    run.reported()
}

/// What tells the second stream of chance from the first.
const MORE: u64 = 0xdae_0000_0000_0000;

/// An account's scopes.
fn scopes_of(account: &str) -> Vec<Scope> {
    let scopes = REGIONS.iter().filter_map(|region| Some(Scope::new(account.parse().ok()?, region)));
    scopes.collect()
}

fn without_subscriptions(spec: &Spec) -> Spec {
    let mut spec = spec.clone();
    spec.teams.iter_mut().for_each(|team| team.subscriptions.clear());
    spec
}

impl Site<'_> {
    fn start(&mut self) {
        let faults = vec![
            Fault::Throttle,
            Fault::ServerError,
            Fault::ReplyLost,
            Fault::NotSent,
            Fault::CutPage,
            Fault::Expired,
            Fault::Slow,
            Fault::Hung,
        ];
        let schedule = if self.run.rng.chance(50) {
            Schedule::Seeded { seed: self.run.rng.next(), per_thousand: 4, faults }
        } else {
            Schedule::Script(BTreeMap::new())
        };
        self.start_with(schedule);
    }

    fn start_with(&mut self, schedule: Schedule) {
        self.daemon = Some(Running::start(self, &self.shelf, &self.store, schedule));
    }

    fn restart(&mut self) {
        if let Some(daemon) = self.daemon.take() {
            daemon.kill();
        }
        self.kills += 1;
        self.start();
    }

    /// Time goes on; a daemon that dies meanwhile is started again.
    #[allow(clippy::disallowed_methods)] // The time that passes is nobody's.
    async fn pass(&mut self, seconds: u64) {
        let end = tokio::time::Instant::now() + Duration::from_secs(seconds);
        loop {
            let life = Arc::clone(&self.daemon.as_ref().unwrap().life);
            tokio::select! {
                biased;
                () = tokio::time::sleep_until(end) => break,
                () = life.died.notified() => self.restart(),
            }
        }
        self.timeline.set(&mut self.run.fleet.world());
        let daemon = self.daemon.as_ref().unwrap();
        if daemon.task.is_finished() && !daemon.life.is_dead.load(Ordering::SeqCst) {
            self.run.oracle.violate(Check::Panicked, "the daemon ended by itself".to_owned());
        }
    }

    async fn bad_day(&mut self, spec: &Spec, sequence: u64) {
        let rng = &mut self.run.rng;
        let day = rng.below(9);
        self.run.oracle.note(&format!("bad day {day}"));
        match day {
            0 => {
                let life = &self.daemon.as_ref().unwrap().life;
                let at = life.calls.load(Ordering::SeqCst) + self.run.rng.within(1, 400);
                life.dies_after.store(self.run.rng.chance(50), Ordering::SeqCst);
                life.ends_at.store(at, Ordering::SeqCst);
            }
            1 => self.lose_state().await,
            2 => {
                match self.mutant {
                    Some(Mutant::EmptyWhereGone) => self.shelf.put(&without_subscriptions(spec), sequence),
                    _ => self.shelf.lose(&mut self.run.rng),
                }
                self.stay_put(120).await;
                self.shelf.put(spec, sequence);
            }
            3 => {
                self.shelf.spoil(&mut self.run.rng);
                self.pass(400).await;
                self.shelf.put(spec, sequence);
            }
            4 => {
                let minutes = self.run.rng.within(0, 240) as i64 - 120;
                self.clock.ahead_ms.store(minutes * 60_000, Ordering::SeqCst);
            }
            5 => {
                let outage = if self.run.rng.chance(50) {
                    Outage::denial(&mut self.run.rng, spec)
                } else {
                    Outage::some(&mut self.run.rng, spec)
                };
                self.run.oracle.outage(&mut self.run.fleet.world(), Some(outage));
                self.pass(700).await;
                self.run.oracle.outage(&mut self.run.fleet.world(), None);
            }
            6 => {
                self.run.drift(false);
                self.is_edited = true;
            }
            7 => self.older_daemon(spec, sequence).await,
            _ => {
                if let Some(daemon) = self.daemon.take() {
                    daemon.end().await;
                }
                self.start();
            }
        }
    }

    /// A new topology comes while the guards are narrow and nothing else is wrong: what it takes away and changes, all sweeps
    /// together, is within them, or waits.
    async fn within_bounds(&mut self, next: &Spec, sequence: u64) {
        if let Some(daemon) = self.daemon.take() {
            daemon.end().await;
        }
        self.start_with(Schedule::Script(BTreeMap::new()));
        self.come_in_step().await;
        if !self.daemon.as_ref().unwrap().is_in_step() {
            return;
        }
        let (before, _) = SETTINGS.split_once("breaks-percent-max").unwrap();
        let settings = match self.mutant {
            Some(Mutant::DaemonsGuardsForgotten) => SETTINGS.to_owned(),
            _ => format!("{before}{NARROW}"),
        };
        self.run.oracle.bound(Bounds::of(&self.run.fleet.world(), &narrow_guards()));
        self.shelf.put_with(next, sequence, settings);
        self.pass(1_300).await;
        self.run.oracle.ask_bounds();
    }

    /// While there is no topology to be read, the last one stands: nothing is written for the want of it. (What somebody edited
    /// before is put right meanwhile, and its writes are not told from others here.)
    async fn stay_put(&mut self, seconds: u64) {
        let was_in_step = self.daemon.as_ref().unwrap().is_in_step();
        let before = self.run.oracle.writes_tried();
        self.pass(seconds).await;
        let wrote = self.run.oracle.writes_tried() - before;
        let is_same = self.daemon.as_ref().unwrap().is_in_step();
        if was_in_step && is_same && !self.is_edited && wrote > 0 {
            self.run.oracle.violate(Check::NotQuiet, format!("{wrote} writes while the topology was gone"));
        }
    }

    /// The state file is gone: beside our marks nothing is written until a person says that it counts from now on.
    async fn lose_state(&mut self) {
        if let Some(daemon) = self.daemon.take() {
            daemon.kill();
        }
        self.store = Arc::new(Store::in_memory().unwrap());
        if self.mutant == Some(Mutant::NothingToLose) {
            wheelwright::daemon::nothing_is_lost(&self.store).unwrap();
        }
        let marked =
            !crate::oracle::items(&self.run.fleet.world(), |item| crate::oracle::is_ours(item.value)).is_empty();
        let before = self.run.oracle.writes_tried();
        self.start_with(Schedule::Script(BTreeMap::new()));
        self.pass(400).await;
        let wrote = self.run.oracle.writes_tried() - before;
        let is_told = self.daemon.as_ref().unwrap().handle.status().state_lost;
        if marked && is_told && wrote > 0 {
            self.run.oracle.violate(Check::StateForgotten, format!("{wrote} writes though its state was lost"));
        }
        if marked && !is_told {
            self.run.oracle.violate(Check::StateForgotten, "it does not say that its state is lost");
        }
        let reply = self.daemon.as_ref().unwrap().handle.tell(Command::ResumeStateLost, "somebody").await;
        self.run.oracle.note(&format!("{reply:?}"));
        if let (Reply::Refused(why), true) = (reply, is_told) {
            self.run.oracle.violate(Check::StateForgotten, why);
        }
    }

    /// Another daemon of the same owner, left behind with a topology of before; it begins when this one has applied its own.
    async fn older_daemon(&mut self, spec: &Spec, sequence: u64) {
        if !self.daemon.as_ref().unwrap().is_in_step() || sequence < 2 || !self.run.oracle.left_its_mark() {
            return;
        }
        let shelf = Shelf::default();
        let older = edits::edited(&mut self.run.rng, spec).without_stops();
        self.run.oracle.allow_buses(&older);
        shelf.put(&older, sequence - 1);
        let store = Arc::new(Store::in_memory().unwrap());
        wheelwright::daemon::nothing_is_lost(&store).unwrap();
        let before = self.run.oracle.writes_tried();
        let other = Running::start(self, &shelf, &store, Schedule::Script(BTreeMap::new()));
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

    /// Nothing is wrong any more: it comes in step in time, and writes no more.
    async fn good_day(&mut self, spec: &Spec, sequence: u64) {
        self.run.oracle.note("a good day");
        self.clock.ahead_ms.store(0, Ordering::SeqCst);
        self.shelf.put(spec, sequence);
        if let Some(daemon) = self.daemon.take() {
            daemon.end().await;
        }
        self.start_with(Schedule::Script(BTreeMap::new()));
        self.come_in_step().await;
        let plan = self.daemon.as_ref().unwrap().handle.status().plan.clone();
        let mut leftovers = false;
        if !self.daemon.as_ref().unwrap().is_in_step() {
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
                self.run.sweep(spec, sequence, Trouble::none()).await;
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
        self.run.oracle.at_the_end(spec, spec, &world, leftovers);
    }

    async fn come_in_step(&mut self) {
        for _ in 0..IN_STEP_SECS_MAX / 20 {
            self.pass(20).await;
            if self.daemon.as_ref().unwrap().is_in_step() {
                return;
            }
        }
    }
}
