//! The daemon's task: waits for what is due or asked for, and does one thing at a time.

use super::config::{self, Config, Read, Source};
use super::lost::Unknown;
use super::memory::Memory;
use super::orders::{Asked, Command, Orders, Reply};
use super::reader::{Arrival, Reader};
use super::round::{Ended, Round};
use super::status::{ScopeState, ScopeStatus, Status};
use crate::model::alert::Alert;
use crate::model::desired::Desired;
use crate::model::history::SweepRecord;
use crate::model::ids::{Moment, Scope};
use crate::model::incident::Incident;
use crate::model::order::LiveStop;
use crate::model::resource::ResourceId;
use crate::model::world::Observation;
use crate::plan::{Frozen, Restraints};
use crate::port::{Clock, Fleet};
use crate::reconcile::refresh::Depth;
use crate::store::{Note, OrderEntry, Store, StoreError};
use crate::watch::alert::{self, Around};
use crate::watch::breaker::Breaker;
use crate::watch::incident::{Incidents, Sight};
use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::{mpsc, oneshot, watch};

/// What a daemon is made of.
pub struct Parts<F, C> {
    /// The accounts.
    pub fleet: Arc<F>,
    /// The time.
    pub clock: C,
    /// Where the topology comes from.
    pub source: Arc<dyn Source>,
    /// What is remembered.
    pub store: Arc<Store>,
    /// Whether the state file was made just now: with marks of ours in the accounts, an older one was lost.
    pub store_is_new: bool,
    /// Numbers from 0 to 1 that nobody can foretell.
    pub random: Box<dyn FnMut() -> f64 + Send + Sync>,
}

/// How others reach a daemon.
#[derive(Clone)]
pub struct Handle {
    commands: mpsc::Sender<Asked>,
    status: watch::Receiver<Arc<Status>>,
    /// What is remembered.
    pub store: Arc<Store>,
}

impl Handle {
    /// The daemon as it stands.
    pub fn status(&self) -> Arc<Status> {
        self.status.borrow().clone()
    }

    /// Whether the daemon's task is there: it ends with the program, or by a mistake of ours.
    pub fn is_alive(&self) -> bool {
        self.status.has_changed().is_ok()
    }

    /// Waits for the next change of the daemon.
    pub async fn changed(&mut self) -> bool {
        self.status.changed().await.is_ok()
    }

    /// Tells the daemon something, as `by`.
    pub async fn tell(&self, command: Command, by: &str) -> Reply {
        let (answer, reply) = oneshot::channel();
        let sent = self.commands.send((command, by.to_owned(), answer)).await;
        let ended = || Reply::Refused("the daemon is ending".to_owned());
        if sent.is_err() {
            return ended();
        }
        reply.await.unwrap_or_else(|_| ended())
    }
}

/// A daemon: see [`crate::daemon`].
pub struct Daemon<F, C> {
    fleet: Arc<F>,
    clock: C,
    source: Arc<dyn Source>,
    store: Arc<Store>,
    unknown: Unknown,
    random: Box<dyn FnMut() -> f64 + Send + Sync>,
    commands: mpsc::Receiver<Asked>,
    published: watch::Sender<Arc<Status>>,
    config: Option<Arc<Config>>,
    topology_refused: Option<String>,
    /// What the source had at the last look, to see whether it has come to rest.
    seen_revision: Option<String>,
    next_source: Moment,
    orders: Orders,
    memory: Memory,
    desired: Option<Arc<Desired>>,
    waiting: BTreeSet<Scope>,
    pending: Option<Request>,
    last_ended: Option<Moment>,
    started: Moment,
    next_prune: Moment,
    sweep_id: u64,
}

/// A sweep that is asked for.
#[derive(Clone, Debug)]
struct Request {
    trigger: String,
    full: bool,
    /// The scopes to read; none: all.
    scopes: Option<BTreeSet<Scope>>,
    /// Not before this.
    at: Moment,
}

impl Request {
    /// Both in one.
    fn merge(self, other: Self) -> Self {
        let scopes = match (self.scopes, other.scopes) {
            (Some(one), Some(two)) => Some(one.into_iter().chain(two).collect()),
            _ => None,
        };
        let trigger = if other.trigger == ORDER { other.trigger } else { self.trigger };
        Self { trigger, full: self.full || other.full, scopes, at: self.at.min(other.at) }
    }
}

/// How the reading of a sweep ended.
enum Reading {
    /// With what was read to the end, and whether all that we set was.
    Done(BTreeMap<Scope, bool>),
    /// A person ordered something that cannot wait.
    Ordered,
    /// The daemon is to end.
    Ending,
}

/// Milliseconds between two prunings of what is remembered.
const PRUNE_EVERY_MS: u64 = 3_600_000;
/// Commands that wait at most; who sends more waits.
const COMMANDS_MAX: usize = 64;
/// A sweep that waits for a scope goes on without it after half the time between two fast ones, within these bounds.
const PATIENCE_MS: std::ops::RangeInclusive<u64> = 5_000..=60_000;

impl<F: Fleet + 'static, C: Clock + Clone + 'static> Daemon<F, C> {
    /// A daemon that goes on where `parts.store` left off, and the way to reach it.
    ///
    /// # Errors
    /// What is remembered cannot be read.
    pub fn new(parts: Parts<F, C>) -> Result<(Self, Handle), StoreError> {
        let Parts { fleet, clock, source, store, store_is_new, random } = parts;
        let now = clock.now();
        let window_start = Moment(now.0.saturating_sub(REVERTS_REMEMBERED_MS));
        let memory = Memory {
            incidents: Incidents::restore(store.open_incidents()?),
            breaker: Breaker::restore(store.tripped()?, store.reverts_since(window_start)?),
            last_sweep: store.sweeps(1, None)?.into_iter().next(),
            ..Memory::default()
        };
        let orders = Orders::restore(&store)?;
        let unknown = Unknown::restore(&store, store_is_new)?;
        let sweep_id = store.next_sweep_id()?;
        let (commands, incoming) = mpsc::channel(COMMANDS_MAX);
        let (published, status) = watch::channel(Arc::new(Status { started: now, at: now, ..Status::default() }));
        let daemon = Self {
            fleet,
            clock,
            source,
            store: store.clone(),
            unknown,
            random,
            commands: incoming,
            published,
            config: None,
            topology_refused: None,
            seen_revision: None,
            next_source: now,
            orders,
            memory: Memory { last_sweep: None, ..memory },
            desired: None,
            waiting: BTreeSet::new(),
            pending: None,
            last_ended: None,
            started: now,
            next_prune: now.plus_ms(PRUNE_EVERY_MS),
            sweep_id,
        };
        Ok((daemon, Handle { commands, status, store }))
    }

    /// Goes on until `shutdown` comes; then the step that is under way is finished and nothing else is begun.
    pub async fn run(mut self, shutdown: impl Future<Output = ()>) {
        let mut shutdown = pin!(shutdown);
        let in_flight_max = self.read_source_at_start().await;
        let (mut reader, mut arrivals) = Reader::new(self.fleet.clone(), self.clock.clone(), in_flight_max);
        let jitter = self.config.as_ref().map_or(0, |config| config.settings.sweep.start_jitter_secs_max);
        let jitter_ms = (f64::from(jitter) * 1_000.0 * (self.random)()) as u64;
        self.ask("start", true, None, self.clock.now().plus_ms(jitter_ms));
        self.publish(None);
        loop {
            let now = self.clock.now();
            self.see_what_is_due(now, &mut reader).await;
            if let Some(request) = self.take_due_request(now) {
                let ended = self.sweep(request, &mut reader, &mut arrivals, &mut shutdown).await;
                self.publish(None);
                if ended {
                    break;
                }
                continue;
            }
            let wait_ms = self.next_wake(now).millis_since(now).max(1);
            tokio::select! {
                biased;
                () = &mut shutdown => break,
                Some(asked) = self.commands.recv() => {
                    self.obey(asked);
                    self.publish(None);
                }
                Some(arrival) = arrivals.recv() => {
                    self.arrived(arrival, &mut reader);
                    self.ask("answer", false, Some(BTreeSet::new()), now);
                }
                () = self.clock.wait_ms(wait_ms) => {}
            }
        }
        tracing::info!(uptime_ms = self.clock.now().millis_since(self.started), "ends");
    }

    /// Reads the topology for the first time. Returns how many accounts may be asked at once.
    async fn read_source_at_start(&mut self) -> usize {
        let read = self.fetch().await;
        self.take_over(read);
        self.next_source = self.clock.now();
        let settings = self.config.as_ref().map(|config| config.settings.pace.accounts_in_flight_max);
        settings.unwrap_or(crate::config::Settings::default().pace.accounts_in_flight_max) as usize
    }

    async fn fetch(&self) -> Read {
        let source = self.source.clone();
        let read = tokio::task::spawn_blocking(move || config::read(&*source)).await;
        read.unwrap_or_else(|error| Read::Refused { revision: None, why: format!("reading it failed: {error}") })
    }

    /// Goes by another topology, if it is good. Returns whether anything changed.
    fn take_over(&mut self, read: Read) -> bool {
        match read {
            Read::Good(config) => {
                let is_new = self.config.as_ref().is_none_or(|old| old.revision != config.revision);
                let was_refused = self.topology_refused.take().is_some();
                if is_new {
                    let (revision, sequence) = (&config.revision.id, config.revision.sequence);
                    tracing::info!(%revision, sequence, "goes by this topology");
                    self.memory.backoff.config_changed();
                    self.config = Some(Arc::from(config));
                }
                is_new || was_refused
            }
            Read::Refused { revision, why } => {
                let is_new = self.topology_refused.as_ref() != Some(&why);
                if is_new {
                    let revision = revision.map(|revision| revision.id.to_string()).unwrap_or_default();
                    tracing::error!(revision, why, "the topology cannot be used; the last good one stands");
                    self.topology_refused = Some(why);
                }
                is_new
            }
        }
    }

    /// Asks for a sweep, together with one that is asked for already.
    fn ask(&mut self, trigger: &str, full: bool, scopes: Option<BTreeSet<Scope>>, at: Moment) {
        let request = Request { trigger: trigger.to_owned(), full, scopes, at };
        self.pending = Some(match self.pending.take() {
            Some(pending) => pending.merge(request),
            None => request,
        });
    }

    /// The sweep that is asked for, if its time has come: not sooner after the last than the gap, whoever asks.
    fn take_due_request(&mut self, now: Moment) -> Option<Request> {
        self.config.as_ref()?;
        let due = self.pending_due()?;
        if now < due { None } else { self.pending.take() }
    }

    fn pending_due(&self) -> Option<Moment> {
        let gap_ms = self.config.as_ref().map_or(0, |config| u64::from(config.settings.sweep.gap_secs_min) * 1_000);
        let pending = self.pending.as_ref()?;
        // Orders cannot wait.
        let gap_ends = self.last_ended.filter(|_| pending.trigger != ORDER).map(|ended| ended.plus_ms(gap_ms));
        Some(gap_ends.map_or(pending.at, |gap_ends| gap_ends.max(pending.at)))
    }

    /// Looks at every clock: what is due is asked for.
    async fn see_what_is_due(&mut self, now: Moment, reader: &mut Reader<F, C>) {
        if self.next_source <= now {
            self.look_at_source(now).await;
        }
        match self.orders.expire(&self.store, now) {
            Ok(true) => self.ask(ORDER, false, None, now),
            Ok(false) => {}
            Err(error) => tracing::error!(%error, "orders could not be kept"),
        }
        if self.next_prune <= now {
            self.prune(now).await;
        }
        let Some(config) = self.config.clone() else { return };
        if let Some(due) = self.full_due(&config).filter(|due| *due <= now) {
            self.ask("interval", true, None, due);
        } else if self.fast_due(&config).is_some_and(|due| due <= now) {
            self.ask("interval", false, None, now);
        }
        let settle_ms = u64::from(config.settings.pace.settle_secs) * 1_000;
        if self.memory.settling.next(settle_ms).is_some_and(|(_, ready)| ready <= now) && self.may_break(&config, now) {
            self.ask("settled", false, Some(BTreeSet::new()), now);
        }
        if let Some(desired) = self.desired.clone() {
            let deadline_ms = u64::from(config.settings.pace.scope_deadline_secs) * 1_000;
            for scope in self.memory.backoff.due(now) {
                reader.send_for(&scope, &desired, Depth::Full, deadline_ms);
            }
        }
    }

    /// Whether a sweep for settled breaks is worth it: not while everything is held.
    fn may_break(&self, config: &Config, now: Moment) -> bool {
        let ready = self.memory.settling.ready(now, u64::from(config.settings.pace.settle_secs) * 1_000);
        let plan = self.memory.plan.as_ref();
        plan.is_some_and(|plan| plan.steps.iter().any(|step| step.held_by.is_empty() && ready.contains(&step.key())))
    }

    fn full_due(&self, config: &Config) -> Option<Moment> {
        Some(self.memory.last_full?.plus_ms(u64::from(config.settings.sweep.full_every_secs) * 1_000))
    }

    fn fast_due(&self, config: &Config) -> Option<Moment> {
        Some(self.memory.last_fast?.plus_ms(u64::from(config.settings.sweep.fast_every_secs) * 1_000))
    }

    /// When to look at the clocks again.
    fn next_wake(&self, now: Moment) -> Moment {
        let mut times = vec![self.next_source, self.next_prune];
        times.extend(self.orders.next_end());
        if let Some(config) = &self.config {
            times.extend(self.pending_due());
            times.extend(self.full_due(config));
            times.extend(self.fast_due(config));
            let settle_ms = u64::from(config.settings.pace.settle_secs) * 1_000;
            times.extend(self.memory.settling.next(settle_ms).map(|(_, ready)| ready).filter(|ready| now < *ready));
            times.extend(self.memory.backoff.next_due().filter(|due| now < *due));
        }
        times.into_iter().min().unwrap_or(now)
    }

    /// Looks whether the topology changed. A change counts when two looks saw the same: files are not read while they are being written.
    async fn look_at_source(&mut self, now: Moment) {
        let every_ms =
            self.config.as_ref().map_or(5_000, |config| u64::from(config.settings.sweep.source_every_secs) * 1_000);
        self.next_source = now.plus_ms(every_ms);
        let read = self.fetch().await;
        let revision = match &read {
            Read::Good(config) => config.revision.id.to_string(),
            Read::Refused { revision: Some(revision), .. } => revision.id.to_string(),
            Read::Refused { revision: None, why } => why.clone(),
        };
        let at_rest = self.seen_revision.replace(revision.clone()).as_ref() == Some(&revision);
        if at_rest && self.take_over(read) {
            self.ask("topology", true, None, now);
        }
    }

    async fn prune(&mut self, now: Moment) {
        self.next_prune = now.plus_ms(PRUNE_EVERY_MS);
        let Some(settings) = self.config.as_ref().map(|config| config.settings.state.clone()) else { return };
        let store = self.store.clone();
        let pruned = tokio::task::spawn_blocking(move || store.prune(now, &settings)).await;
        match pruned {
            Ok(Ok(pruned)) => tracing::debug!(?pruned, "forgot what is over"),
            Ok(Err(error)) => tracing::error!(%error, "what is over could not be forgotten"),
            Err(error) => tracing::error!(%error, "what is over could not be forgotten"),
        }
    }

    fn arrived(&mut self, arrival: Arrival, reader: &mut Reader<F, C>) {
        let Arrival { scope, observation, depth: _ } = arrival;
        reader.came(&scope);
        self.waiting.remove(&scope);
        let times = self.config.as_ref().map(|config| config.settings.sweep.clone()).unwrap_or_default();
        let jitter = (self.random)();
        self.memory.arrived(scope, observation, self.clock.now(), &times, jitter);
    }

    /// One sweep. Returns whether the daemon is to end.
    async fn sweep(
        &mut self,
        request: Request,
        reader: &mut Reader<F, C>,
        arrivals: &mut mpsc::UnboundedReceiver<Arrival>,
        shutdown: &mut (impl Future<Output = ()> + Unpin),
    ) -> bool {
        let Some(config) = self.config.clone() else { return false };
        let began = self.clock.now();
        self.publish(Some(request.trigger.clone()));
        let (desired, unready_stops) = config.desired(&self.orders.stops, began);
        let desired = Arc::new(desired);
        self.desired = Some(desired.clone());
        self.forget_scopes(&desired);
        let depth = if request.full { Depth::Full } else { Depth::Fast };
        let read = match self.read_scopes(&request, &config, &desired, depth, reader, arrivals, shutdown).await {
            Reading::Done(read) => read,
            Reading::Ordered => {
                // What a person ordered comes first; what this sweep was for comes with it.
                self.ask(&request.trigger, request.full, request.scopes, began);
                return false;
            }
            Reading::Ending => return true,
        };
        if request.scopes.is_none() {
            self.memory.last_fast = Some(began);
            if request.full {
                self.memory.last_full = Some(began);
            }
        }
        self.notice_lost_state(&desired);
        let restraints = self.restraints(&config, began);
        let interrupt = AtomicBool::new(false);
        let fleet = self.fleet.clone();
        let clock = self.clock.clone();
        let topology_refused = self.topology_refused.clone();
        let mut memory = std::mem::take(&mut self.memory);
        let mut asked_meanwhile = Vec::new();
        let mut is_ending = false;
        let ended = {
            let round = Round {
                fleet: &*fleet,
                clock: &clock,
                config: &config,
                desired: &desired,
                restraints: &restraints,
                unready_stops: &unready_stops,
                topology_refused: topology_refused.as_deref(),
                interrupt: &interrupt,
                sweep_id: self.sweep_id,
                trigger: &request.trigger,
                read,
                depth,
                began,
            };
            let mut round = pin!(round.go(&mut memory));
            loop {
                tokio::select! {
                    biased;
                    ended = &mut round => break ended,
                    () = &mut *shutdown, if !is_ending => {
                        is_ending = true;
                        interrupt.store(true, Ordering::Relaxed);
                    }
                    Some(asked) = self.commands.recv() => {
                        // What people order does not wait for the steps of a long plan.
                        interrupt.store(true, Ordering::Relaxed);
                        asked_meanwhile.push(asked);
                    }
                }
            }
        };
        self.memory = memory;
        self.remember(ended, &config).await;
        for asked in asked_meanwhile {
            self.obey(asked);
        }
        is_ending
    }

    /// Sends for the scopes of a sweep and waits for them, as long as it is worth it. Returns those that were read to the end, and
    /// whether all that we set was.
    async fn read_scopes(
        &mut self,
        request: &Request,
        config: &Config,
        desired: &Arc<Desired>,
        depth: Depth,
        reader: &mut Reader<F, C>,
        arrivals: &mut mpsc::UnboundedReceiver<Arrival>,
        shutdown: &mut (impl Future<Output = ()> + Unpin),
    ) -> Reading {
        for scope in &desired.no_access {
            self.memory.world.scopes.insert(scope.clone(), Observation::NoAccess);
        }
        let wanted = |scope: &&Scope| request.scopes.as_ref().is_none_or(|scopes| scopes.contains(*scope));
        let mut missing: BTreeSet<Scope> = desired
            .scopes
            .iter()
            .filter(|scope| !desired.no_access.contains(*scope) && !self.memory.backoff.is_in_trouble(scope))
            .filter(wanted)
            .cloned()
            .collect();
        let deadline_ms = u64::from(config.settings.pace.scope_deadline_secs) * 1_000;
        for scope in &missing {
            reader.send_for(scope, desired, depth, deadline_ms);
        }
        let half_ms = u64::from(config.settings.sweep.fast_every_secs) * 500;
        let patience_ms = half_ms.clamp(*PATIENCE_MS.start(), *PATIENCE_MS.end());
        let clock = self.clock.clone();
        let mut out_of_patience = pin!(clock.wait_ms(patience_ms));
        let mut read = BTreeMap::new();
        while !missing.is_empty() {
            tokio::select! {
                biased;
                () = &mut *shutdown => return Reading::Ending,
                Some(asked) = self.commands.recv() => {
                    self.obey(asked);
                    if self.pending.as_ref().is_some_and(|pending| pending.trigger == ORDER) {
                        return Reading::Ordered;
                    }
                }
                Some(arrival) = arrivals.recv() => {
                    missing.remove(&arrival.scope);
                    if matches!(arrival.observation, Observation::Complete { .. }) {
                        read.insert(arrival.scope.clone(), arrival.depth == Depth::Full);
                    }
                    self.arrived(arrival, reader);
                }
                () = &mut out_of_patience => break,
            }
        }
        for scope in &missing {
            tracing::warn!(%scope, patience_ms, "has not answered; the sweep goes on without it");
        }
        self.waiting = missing;
        Reading::Done(read)
    }

    /// What is known of scopes that nobody asks for any more goes.
    fn forget_scopes(&mut self, desired: &Desired) {
        let swept = |scope: &Scope| desired.scopes.contains(scope) || desired.no_access.contains(scope);
        self.memory.world.scopes.retain(|scope, _| swept(scope));
        self.memory.backoff.keep_only(swept);
    }

    /// A new state file beside marks of ours: an older one is lost, and with it what people had paused or stopped.
    fn notice_lost_state(&mut self, desired: &Desired) {
        let swept = desired.scopes.difference(&desired.no_access).cloned();
        let Some(found) = self.unknown.look(&self.memory.world, &desired.owner, swept) else { return };
        let lost = if found { self.orders.lose_state(&self.store) } else { Ok(()) };
        if let Err(error) = lost.and_then(|()| self.unknown.keep(&self.store)) {
            tracing::error!(%error, "whether the state is lost could not be kept");
        }
    }

    fn restraints(&self, config: &Config, now: Moment) -> Restraints {
        let settings = &config.settings;
        let freezes = settings.freezes.iter().filter_map(|(name, freeze)| Frozen::at(name, freeze, now)).collect();
        Restraints {
            modes: settings.modes.clone(),
            on_drift_hold: settings.on_drift_hold.clone(),
            freezes,
            pauses: self.orders.pauses.clone(),
            fights: self.memory.breaker.tripped().keys().cloned().collect(),
            state_lost: self.orders.state_lost,
        }
    }

    /// Makes incidents of what a sweep saw, and messages of those.
    fn tell(&mut self, sight: &Sight, record: &SweepRecord, config: &Config) -> (alert::Changes, Vec<(String, Alert)>) {
        let changes = self.memory.incidents.see(sight);
        let mut told = alert::Changes {
            open: changes.opened.into_iter().chain(changes.open).collect(),
            resolved: changes.resolved.into_iter().chain(changes.mended).collect(),
        };
        let contacts = config.contacts();
        let hubs = |incident: &Incident| match incident.concern.subject.resource() {
            Some(resource) => config.places.hubs_of(resource, incident.concern.team.as_ref()),
            None => BTreeSet::new(),
        };
        let around = Around {
            owner: config.settings.operator.owner.as_str(),
            revision: &config.revision.id,
            channels: &config.settings.alerts,
            contacts: &contacts,
            hubs: &hubs,
        };
        let alerts = alert::alerts(&mut told, &around, record.began.plus_ms(record.took_ms));
        self.memory.incidents.replace(told.open.iter().cloned());
        (told, alerts)
    }

    /// Makes incidents and messages of what a sweep saw, and keeps all of it at once.
    async fn remember(&mut self, ended: Ended, config: &Config) {
        let Ended { record, writes, sight, plan, tripped } = ended;
        let (told, alerts) = self.tell(&sight, &record, config);
        log_sweep(&record, &told);
        let incidents: Vec<Incident> = told.open.into_iter().chain(told.resolved).collect();
        self.memory.last_sweep = Some(record.clone());
        self.memory.plan = Some(Arc::new(plan));
        self.last_ended = Some(self.clock.now());
        self.sweep_id += 1;
        let store = self.store.clone();
        let now = self.clock.now();
        let kept = tokio::task::spawn_blocking(move || -> Result<(), StoreError> {
            for resource in &tripped {
                store.trip(resource, now)?;
            }
            store.commit_sweep(&record, &writes, &incidents, &alerts)
        });
        match kept.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::error!(%error, "the sweep could not be kept"),
            Err(error) => tracing::error!(%error, "the sweep could not be kept"),
        }
    }

    /// Does what a person tells, and answers.
    fn obey(&mut self, (command, by, answer): Asked) {
        let now = self.clock.now();
        let reply = match self.carry_out(command, &by, now) {
            Ok(reply) => reply,
            Err(error) => Reply::Refused(format!("it could not be kept, so it is not done: {error}")),
        };
        // Who asked may be gone.
        _ = answer.send(reply);
    }

    fn carry_out(&mut self, command: Command, by: &str, now: Moment) -> Result<Reply, StoreError> {
        let note = |reason: &str| Note { at: now, by: by.to_owned(), reason: reason.to_owned() };
        let reply = match command {
            Command::Sweep { scopes, full } => {
                let scopes = (!scopes.is_empty()).then_some(scopes);
                // Who is no person says what set it off.
                let trigger = if [crate::schedule::SCHEDULE, SIGNAL].contains(&by) { by } else { "request" };
                self.ask(trigger, full, scopes, now);
                let log = OrderEntry { at: now, what: "sweep".into(), by: by.to_owned(), reason: String::new() };
                self.store.log_order(&log)?;
                return Ok(Reply::Done("a sweep is asked for".into()));
            }
            Command::Pause(pause) => {
                let told = format!("{} is paused until {}: nothing is written there", pause.reach, pause.order.until);
                self.orders.pause(&self.store, pause)?;
                Reply::Done(told)
            }
            Command::Resume(reach) => match self.orders.resume(&self.store, &reach, &note(""))? {
                true => Reply::Done(format!("{reach} goes on")),
                false => return Ok(Reply::Refused(format!("{reach} is not paused; look at `wheelwright status`"))),
            },
            Command::ResumeStateLost => match self.orders.resume_state(&self.store, &note(""))? {
                true => Reply::Done("the state counts from now on; what mode says `enforce` is written again".into()),
                false => return Ok(Reply::Refused("the state is not lost".into())),
            },
            Command::ResumeFight(resource) => return self.resume_fight(&resource, &note("")),
            Command::Stop(stop) => return self.stop(stop, now),
            Command::Start(subscription) => match self.orders.start(&self.store, &subscription, &note(""))? {
                true => Reply::Done(format!("{subscription} goes on: its rule is enabled by the sweep that follows")),
                false => return Ok(Reply::Refused(self.why_not_stopped(&subscription))),
            },
        };
        self.ask(ORDER, false, None, now);
        Ok(reply)
    }

    fn resume_fight(&mut self, resource: &ResourceId, note: &Note) -> Result<Reply, StoreError> {
        if !self.store.clear_trip(resource, note)? {
            return Ok(Reply::Refused(format!("{resource} is not left alone; look at `wheelwright status`")));
        }
        self.memory.breaker.clear(resource);
        self.ask(ORDER, false, None, note.at);
        Ok(Reply::Done(format!("{resource} is mended again")))
    }

    fn why_not_stopped(&self, subscription: &crate::model::ids::SubscriptionId) -> String {
        let written = self.config.as_ref().and_then(|config| {
            let team = config.topology.teams.get(&subscription.team)?;
            team.subscriptions.get(subscription)?.stop.clone()
        });
        match written {
            Some(stop) => format!(
                "{subscription} is not held off at the daemon but in {} ({}): take the entry out there",
                stop.origin, stop.origin.entry
            ),
            None => format!("{subscription} is not held off"),
        }
    }

    /// Holds a route off, if that can be done at all: a person who is told so must be able to rely on it.
    fn stop(&mut self, stop: LiveStop, now: Moment) -> Result<Reply, StoreError> {
        let Some(config) = self.config.clone() else {
            return Ok(Reply::Refused("there is no good topology yet".into()));
        };
        let subscription = &stop.subscription;
        let known = config
            .topology
            .teams
            .get(&subscription.team)
            .is_some_and(|team| team.subscriptions.contains_key(subscription));
        if !known {
            let kept = config.topology.kept.teams.contains_key(&subscription.team);
            let why = if kept {
                "its team's file has errors, so its rule is left as it is"
            } else {
                "nobody subscribes by that name"
            };
            return Ok(Reply::Refused(format!(
                "{subscription} cannot be held off: {why}; disable its rule by hand if it must stop now"
            )));
        }
        if self.orders.state_lost {
            return Ok(Reply::Refused(
                "nothing is written while the state is lost: `wheelwright resume --state-lost` first, or disable the rule by hand".into(),
            ));
        }
        let (desired, _) = config.desired(std::slice::from_ref(&stop), now);
        if let Some(why) = observed(&desired, &config, subscription) {
            return Ok(Reply::Refused(why));
        }
        let told = format!(
            "{subscription} is held off until {}: its rule is disabled by the sweep that follows, target and grant stay. Its events are \
             dropped meanwhile, not queued",
            stop.order.until
        );
        self.orders.stop(&self.store, stop)?;
        self.ask(ORDER, false, None, now);
        Ok(Reply::Done(told))
    }

    /// Publishes how things stand.
    fn publish(&self, sweeping: Option<String>) {
        let now = self.clock.now();
        let settle_ms = self.config.as_ref().map_or(0, |config| u64::from(config.settings.pace.settle_secs) * 1_000);
        let freezes = self.config.iter().flat_map(|config| {
            config.settings.freezes.iter().filter_map(|(name, freeze)| Frozen::at(name, freeze, now))
        });
        let status = Status {
            started: self.started,
            at: now,
            config: self.config.clone(),
            topology_refused: self.topology_refused.clone(),
            last_sweep: self.memory.last_sweep.clone(),
            last_full: self.memory.last_full,
            sweeping,
            scopes: self.scopes(),
            incidents: self.memory.incidents.open().cloned().collect(),
            plan: self.memory.plan.clone(),
            desired: self.desired.clone(),
            world: Arc::new(self.memory.world.clone()),
            pauses: self.orders.pauses.clone(),
            stops: self.orders.stops.clone(),
            freezes: freezes.collect(),
            fights: self.memory.breaker.tripped().clone(),
            state_lost: self.orders.state_lost,
            settling: self.memory.settling.next(settle_ms),
        };
        self.published.send_replace(Arc::new(status));
    }

    fn scopes(&self) -> BTreeMap<Scope, ScopeStatus> {
        let next: BTreeMap<&Scope, Moment> = self.memory.backoff.waiting().collect();
        let Some(desired) = &self.desired else { return BTreeMap::new() };
        let status = |scope: &Scope| {
            let (state, at, why) = match self.memory.world.scopes.get(scope) {
                Some(Observation::Complete { at, .. }) => (ScopeState::Complete, Some(*at), None),
                Some(Observation::Partial { at, missing, .. }) => {
                    let why: Vec<String> = missing.iter().map(|gap| format!("{gap}; {}", gap.mend)).collect();
                    (ScopeState::Partial, Some(*at), Some(why.join(" / ")))
                }
                Some(Observation::Unreachable { at, why }) => {
                    (ScopeState::Unreachable, Some(*at), Some(format!("{why}; {}", why.mend)))
                }
                Some(Observation::NoAccess) => (ScopeState::NoAccess, None, None),
                None => (ScopeState::Waiting, None, None),
            };
            let state = if self.waiting.contains(scope) { ScopeState::Waiting } else { state };
            ScopeStatus { state, at, why, next: next.get(scope).copied() }
        };
        desired.scopes.iter().chain(&desired.no_access).map(|scope| (scope.clone(), status(scope))).collect()
    }
}

/// The trigger of a sweep that a person's order asks for.
const ORDER: &str = "order";
/// Who asks for a sweep by SIGHUP.
pub const SIGNAL: &str = "signal";
/// Reverts that are read back at the start: the longest window that can be set.
const REVERTS_REMEMBERED_MS: u64 = 86_400_000;

/// Why a subscription's rule is not written, if the mode there is observe.
fn observed(desired: &Desired, config: &Config, subscription: &crate::model::ids::SubscriptionId) -> Option<String> {
    let stopped = desired.stops.iter().find(|stop| stop.route.consumer.is(subscription))?;
    let wanted = desired.rules.get(&stopped.rule)?;
    let resource = ResourceId::Rule(stopped.rule.clone());
    let mode = crate::plan::mode_at(
        &resource,
        Some(&stopped.team),
        &wanted.routes,
        desired,
        &config.places,
        &config.settings.modes,
    );
    (mode == crate::model::settings::Mode::Observe).then(|| {
        format!(
            "{subscription} cannot be held off: the mode there is observe, so nothing is written; disable {} by hand",
            stopped.rule
        )
    })
}

/// One line a sweep, at the level that it deserves.
fn log_sweep(record: &SweepRecord, told: &alert::Changes) {
    let SweepRecord { id, trigger, full, took_ms, scopes_read, scopes_unread, findings, done, failed, held, .. } =
        record;
    let plan = record.plan_id.as_deref().unwrap_or("-");
    let open = told.open.len();
    if *failed > 0 || *scopes_unread > 0 {
        tracing::warn!(
            sweep = id,
            trigger,
            full,
            took_ms,
            scopes_read,
            scopes_unread,
            findings,
            plan,
            done,
            failed,
            held,
            open,
            "swept"
        );
    } else if *done > 0 || *findings > 0 {
        tracing::info!(
            sweep = id,
            trigger,
            full,
            took_ms,
            scopes_read,
            scopes_unread,
            findings,
            plan,
            done,
            failed,
            held,
            open,
            "swept"
        );
    } else {
        tracing::debug!(
            sweep = id,
            trigger,
            full,
            took_ms,
            scopes_read,
            scopes_unread,
            findings,
            plan,
            done,
            failed,
            held,
            open,
            "swept"
        );
    }
}
