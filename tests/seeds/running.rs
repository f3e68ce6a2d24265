//! A daemon that runs: what it is put together of, how it dies, and the trouble that it has with its calls.

use crate::bugs::Mutated;
use crate::clock::{SimClock, Timeline};
use crate::hearing::{Hearing, Overheard};
use crate::listen::Watched;
use crate::mutants::{Mutant, Stage};
use crate::oracle::Oracle;
use crate::process::{AtPace, usual_pace};
use crate::shelf::Shelf;
use crate::spec::REGIONS;
use aws_types::SdkConfig;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;
use tokio::sync::{Notify, oneshot};
use tokio::task::JoinHandle;
use wheelwright::call::{Answer, Call, CallError};
use wheelwright::daemon::{Daemon, Handle, Parts};
use wheelwright::model::ids::{Moment, Scope};
use wheelwright::notify::{Surroundings, Switchboard};
use wheelwright::port::{Clock, Fleet};
use wheelwright::sim::call_door::SimFleet;
use wheelwright::sim::fault::{Fault, FaultyFleet, Schedule};
use wheelwright::store::Store;

/// What goes wrong with daemons' calls.
pub const FAULTS: [Fault; 9] = [
    Fault::Throttle,
    Fault::ServerError,
    Fault::ReplyLost,
    Fault::NotSent,
    Fault::CutPage,
    Fault::Expired,
    Fault::Slow,
    Fault::Hung,
    Fault::StaleRead,
];

/// The machine's clock, which somebody sets.
#[derive(Clone)]
pub struct WallClock {
    pub inner: SimClock,
    pub ahead_ms: Arc<AtomicI64>,
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
pub struct Life {
    calls: AtomicUsize,
    /// The call that it dies at; 0: none.
    ends_at: AtomicUsize,
    dies_after: AtomicBool,
    is_dead: AtomicBool,
    pub died: Notify,
    /// What it says of itself.
    handle: OnceLock<Handle>,
    /// The sweep that last tried a write, by the one that ended before it.
    wrote_after: Mutex<Option<Option<u64>>>,
}

impl Life {
    /// So many calls from now on are made, the last of them or not.
    pub fn dies_in(&self, calls: usize, after: bool) {
        self.dies_after.store(after, Ordering::SeqCst);
        self.ends_at.store(self.calls.load(Ordering::SeqCst) + calls, Ordering::SeqCst);
    }

    /// It does not die at a call after all.
    pub fn lives_on(&self) {
        self.ends_at.store(0, Ordering::SeqCst);
    }

    fn end(&self) {
        self.is_dead.store(true, Ordering::SeqCst);
        self.died.notify_one();
    }

    pub fn is_dead(&self) -> bool {
        self.is_dead.load(Ordering::SeqCst)
    }

    /// Whether the sweep that is under way has tried a write.
    pub fn is_writing(&self) -> bool {
        let Some(status) = self.handle.get().map(Handle::status) else { return false };
        let ended = status.last_sweep.as_ref().map(|sweep| sweep.id);
        status.sweeping.is_some() && *self.wrote_after.lock().unwrap() == Some(ended)
    }

    fn note_write(&self) {
        let ended = self.handle.get().and_then(|handle| handle.status().last_sweep.as_ref().map(|sweep| sweep.id));
        *self.wrote_after.lock().unwrap() = Some(ended);
    }
}

impl<F: Fleet> Fleet for Mortal<F> {
    async fn call(&self, scope: &Scope, call: Call) -> Result<Answer, CallError> {
        let life = &self.life;
        if life.is_dead() {
            return std::future::pending().await;
        }
        if call.is_write() {
            life.note_write();
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
        if life.is_dead() {
            return std::future::pending().await;
        }
        answer
    }
}

/// Calls that go wrong, until all is calm.
struct Troubled {
    faulty: Arc<FaultyFleet<Watched>>,
    is_calm: Arc<AtomicBool>,
}

impl Fleet for Troubled {
    async fn call(&self, scope: &Scope, call: Call) -> Result<Answer, CallError> {
        match self.is_calm.load(Ordering::SeqCst) {
            true => self.faulty.inner().call(scope, call).await,
            false => self.faulty.call(scope, call).await,
        }
    }
}

/// What is around a daemon.
pub struct Around<'a> {
    pub fleet: &'a SimFleet,
    pub oracle: &'a Oracle,
    pub timeline: Timeline,
    pub clock: &'a WallClock,
    pub shelf: &'a Shelf,
    pub store: &'a Arc<Store>,
    pub mutant: Option<Mutant>,
}

/// A daemon that runs.
pub struct Running {
    pub handle: Handle,
    task: JoinHandle<()>,
    pub life: Arc<Life>,
    end: Option<oneshot::Sender<()>>,
    faulty: Arc<FaultyFleet<Watched>>,
    is_calm: Arc<AtomicBool>,
    /// Whether what it reads may be what was.
    pub is_lied_to: bool,
}

impl Running {
    pub fn start(around: &Around<'_>, schedule: Schedule) -> Self {
        let Around { fleet: sim, oracle, timeline, clock, shelf, store, mutant } = *around;
        let mutant = mutant.filter(|mutant| mutant.stage() == Stage::Daemons);
        let is_lied_to = matches!(&schedule, Schedule::Seeded { faults, .. } if faults.contains(&Fault::StaleRead));
        let watched = Watched::new(sim.clone(), oracle.clone()).with_time(timeline);
        let faulty = Arc::new(FaultyFleet::new(watched, schedule).with_forks(Watched::fork));
        let is_calm = Arc::new(AtomicBool::default());
        let troubled = Troubled { faulty: Arc::clone(&faulty), is_calm: Arc::clone(&is_calm) };
        let fresh = Duration::from_secs(shelf.fresh_secs);
        let hearing = Hearing::of_a_daemon(oracle.clone(), Some(usual_pace()), fresh);
        let overheard = Overheard { inner: troubled, hearing };
        let scopes = sim.world().accounts().flat_map(scopes_of).collect();
        let at_the_fleet = match mutant {
            Some(Mutant::DaemonsPageForgotten) => Some(Mutant::PageForgotten),
            other => other,
        };
        let mutated = Mutated::new(overheard, at_the_fleet, scopes, 1, sim.clone());
        let keeps_pace = Some(usual_pace()).filter(|_| mutant != Some(Mutant::DaemonsPaceForgotten));
        let life = Arc::new(Life::default());
        let fleet = Mortal { inner: AtPace::new(mutated, keeps_pace), life: Arc::clone(&life) };
        let nowhere = Surroundings { config: SdkConfig::builder().build(), endpoint_url: None };
        let parts = Parts {
            fleet: Arc::new(fleet),
            clock: clock.clone(),
            source: Arc::new(shelf.clone()),
            store: Arc::clone(store),
            alerts: Arc::new(Switchboard::new(nowhere, |_| None)),
            random: Box::new(|| 0.5),
        };
        let (daemon, handle) = Daemon::new(parts).unwrap();
        _ = life.handle.set(handle.clone());
        let (end, ended) = oneshot::channel::<()>();
        let task = tokio::spawn(daemon.run(async move {
            _ = ended.await;
        }));
        Self { handle, task, life, end: Some(end), faulty, is_calm, is_lied_to }
    }

    /// As by SIGKILL.
    pub fn kill(&self) {
        self.life.end();
        self.task.abort();
    }

    /// As by SIGTERM.
    pub async fn end(&mut self) {
        _ = self.end.take().map(|end| end.send(()));
        // A process that died at a call ends no more.
        tokio::select! {
            _ = &mut self.task => {}
            () = self.life.died.notified() => self.task.abort(),
        }
    }

    /// From here on nothing is wrong with its calls, or what was wrong is again.
    pub fn calm(&self, is_calm: bool) {
        self.is_calm.store(is_calm, Ordering::SeqCst);
        if is_calm {
            self.life.lives_on();
        }
    }

    /// Whether it has ended though nobody asked it to.
    pub fn has_ended(&self) -> bool {
        self.task.is_finished() && !self.life.is_dead()
    }

    fn is_at_rest(&self) -> bool {
        let status = self.handle.status();
        status.sweeping.is_none() && status.settling.is_none() && status.plan.is_some()
    }

    pub fn is_in_step(&self) -> bool {
        self.is_at_rest() && self.handle.status().plan.as_ref().is_some_and(|plan| plan.in_step())
    }

    /// What went wrong with its calls so far, each kind how often.
    pub fn struck(&self) -> BTreeMap<String, usize> {
        let mut struck = BTreeMap::new();
        for (_, fault, _) in self.faulty.happened() {
            *struck.entry(format!("{fault:?}")).or_default() += 1;
        }
        struck
    }
}

/// An account's scopes.
fn scopes_of(account: &str) -> Vec<Scope> {
    let scopes = REGIONS.iter().filter_map(|region| Some(Scope::new(account.parse().ok()?, region)));
    scopes.collect()
}
