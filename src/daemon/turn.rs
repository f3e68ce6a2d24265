//! The daemon's task: waits for what is due or asked for, and does one thing at a time.

use super::beyond::Beyond;
use super::config::{Config, Source};
use super::lost::Unknown;
use super::memory::Memory;
use super::met;
use super::obey::reverts_that_count;
use super::orders::{Asked, Command, Orders, Over, Reply};
use super::reader::{Arrival, Reader};
use super::remember::Unkept;
use super::round::Round;
use super::scopes::Reading;
use super::status::Status;
use crate::model::desired::Desired;
use crate::model::ids::{Moment, Scope};
use crate::model::plan::StepKey;
use crate::model::world::{Met, Observation, World};
use crate::notify::Switchboard;
use crate::plan::{Frozen, Restraints, Waiting};
use crate::port::{Clock, Fleet};
use crate::reconcile::refresh::Depth;
use crate::store::{Store, StoreError};
use crate::watch::breaker::Breaker;
use crate::watch::incident::Incidents;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::{mpsc, oneshot, watch};
use tracing::Instrument as _;

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
    /// The channels that people are told on.
    pub alerts: Arc<Switchboard>,
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
    pub(super) fleet: Arc<F>,
    pub(super) clock: C,
    pub(super) source: Arc<dyn Source>,
    pub(super) store: Arc<Store>,
    pub(super) unknown: Unknown,
    pub(super) random: Box<dyn FnMut() -> f64 + Send + Sync>,
    pub(super) commands: mpsc::Receiver<Asked>,
    pub(super) published: watch::Sender<Arc<Status>>,
    pub(super) config: Option<Arc<Config>>,
    pub(super) topology_refused: Option<String>,
    /// Why it is not known whether there is a newer topology.
    pub(super) source_unreachable: Option<String>,
    /// What the source had at the last look, to see whether it has come to rest.
    pub(super) seen_revision: Option<String>,
    pub(super) next_source: Moment,
    /// The latest time that was seen.
    pub(super) seen_now: Moment,
    pub(super) orders: Orders,
    pub(super) memory: Memory,
    pub(super) desired: Option<Arc<Desired>>,
    /// Scopes that are swept though the topology does not name them.
    pub(super) beyond: Beyond,
    /// Scopes to be read in full soon, as something could not be done there that only such a reading sees; and when.
    again: (BTreeSet<Scope>, Moment),
    pub(super) waiting: BTreeSet<Scope>,
    /// What came in to the end since the last sweep, and whether all that we set was read.
    pub(super) read: BTreeMap<Scope, bool>,
    pub(super) pending: Option<Request>,
    pub(super) last_ended: Option<Moment>,
    pub(super) started: Moment,
    pub(super) next_prune: Moment,
    pub(super) sweep_id: u64,
    /// The settled breaks that a sweep was asked for: not again for the same.
    pub(super) asked_settled: BTreeSet<StepKey>,
    /// What is kept of the past as it was.
    pub(super) met_kept: Option<Met>,
    /// What could not be kept yet.
    pub(super) unkept: VecDeque<Unkept>,
    pub(super) alerts: Arc<Switchboard>,
    /// Why the newest channels are not used, where older ones are.
    pub(super) channels_unready: Option<String>,
}

/// A sweep that is asked for.
#[derive(Clone, Debug)]
pub(super) struct Request {
    pub(super) trigger: String,
    full: bool,
    /// The scopes to read; none: all.
    pub(super) scopes: Option<BTreeSet<Scope>>,
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

/// Milliseconds between two prunings of what is remembered.
const PRUNE_EVERY_MS: u64 = 3_600_000;
/// Commands that wait at most; who sends more waits.
const COMMANDS_MAX: usize = 64;

impl<F: Fleet + 'static, C: Clock + Clone + 'static> Daemon<F, C> {
    /// A daemon that goes on where `parts.store` left off, and the way to reach it.
    ///
    /// # Errors
    /// What is remembered cannot be read.
    pub fn new(parts: Parts<F, C>) -> Result<(Self, Handle), StoreError> {
        let Parts { fleet, clock, source, store, alerts, random } = parts;
        let now = clock.now();
        let window_start = Moment(now.0.saturating_sub(REVERTS_REMEMBERED_MS));
        let met = met::restore(&store)?;
        let memory = Memory {
            incidents: Incidents::restore(store.open_incidents()?),
            breaker: Breaker::restore(store.tripped()?, reverts_that_count(&store, window_start)?),
            last_sweep: store.sweeps(1, None)?.into_iter().next(),
            world: World { met: met.clone(), ..World::default() },
            ..Memory::default()
        };
        let orders = Orders::restore(&store)?;
        let unknown = Unknown::restore(&store)?;
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
            source_unreachable: None,
            seen_revision: None,
            next_source: now,
            seen_now: now,
            orders,
            memory: Memory { last_sweep: None, ..memory },
            desired: None,
            beyond: Beyond::restore(&store)?,
            again: (BTreeSet::new(), now),
            waiting: BTreeSet::new(),
            read: BTreeMap::new(),
            asked_settled: BTreeSet::new(),
            met_kept: met,
            unkept: VecDeque::new(),
            alerts,
            channels_unready: None,
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
        let in_flight_max = tokio::select! {
            biased;
            () = &mut shutdown => return self.say_goodbye(),
            in_flight_max = self.read_source_at_start() => in_flight_max,
        };
        let mut reader = Reader::new(self.fleet.clone(), self.clock.clone(), in_flight_max);
        let jitter = self.config.as_ref().map_or(0, |config| config.settings.sweep.start_jitter_secs_max);
        let jitter_ms = (f64::from(jitter) * 1_000.0 * (self.random)()) as u64;
        self.ask("start", true, None, self.clock.now().plus_ms(jitter_ms));
        self.publish(None);
        loop {
            let now = self.clock.now();
            self.see_what_is_due(now, &mut reader).await;
            if let Some(request) = self.take_due_request(now) {
                // Of the highest level, so that every line within bears it, whatever is logged.
                let span = tracing::error_span!("sweep", id = self.sweep_id, trigger = request.trigger);
                let ended = self.sweep(request, &mut reader, &mut shutdown).instrument(span).await;
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
                arrival = reader.next() => {
                    if self.arrived(arrival) {
                        self.ask("answer", false, Some(BTreeSet::new()), now);
                    }
                }
                () = self.clock.wait_ms(wait_ms) => {}
            }
        }
        self.say_goodbye();
    }

    fn say_goodbye(&self) {
        tracing::info!(uptime_ms = self.clock.now().millis_since(self.started), "ends");
    }

    /// Asks for a sweep, together with one that is asked for already.
    pub(super) fn ask(&mut self, trigger: &str, full: bool, scopes: Option<BTreeSet<Scope>>, at: Moment) {
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

    /// Where the machine's clock was set back, what was to come in a minute is not to come in an hour.
    fn mind_the_clock(&mut self, now: Moment) {
        if now < self.seen_now {
            tracing::warn!(from = %self.seen_now, to = %now, "the machine's clock was set back");
            self.memory.clock_set_back(now);
            self.last_ended = self.last_ended.map(|ended| ended.min(now));
            self.again.1 = self.again.1.min(now);
            self.ask("clock", true, None, now);
            self.next_source = self.next_source.min(now);
            if let Some(pending) = &mut self.pending {
                pending.at = pending.at.min(now);
            }
        }
        self.seen_now = now;
    }

    /// Looks at every clock: what is due is asked for.
    async fn see_what_is_due(&mut self, now: Moment, reader: &mut Reader<F, C>) {
        self.mind_the_clock(now);
        if self.next_source <= now {
            self.look_at_source(now).await;
        }
        match self.orders.expire(&self.store, now) {
            Ok(Over::Stops) => self.ask(ORDER, false, None, now),
            // What was held may be something that only a full reading sees.
            Ok(Over::Pauses) => self.ask(ORDER, true, None, now),
            Ok(Over::Nothing) => {}
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
        let settled = self.settled_breaks(&config, now);
        if !settled.is_subset(&self.asked_settled) {
            let aged = self.aged_under(&settled, &config, now);
            self.ask("settled", false, Some(aged), now);
        }
        self.asked_settled = settled;
        if let Some(at) = self.again_due().filter(|at| *at <= now) {
            self.ask(AGAIN, false, Some(self.again.0.clone()), at);
        }
        if let Some(desired) = self.desired.clone() {
            let deadline_ms = u64::from(config.settings.pace.scope_deadline_secs) * 1_000;
            for scope in self.memory.backoff.due(now) {
                reader.send_again_for(&scope, &desired, deadline_ms);
            }
        }
    }

    fn full_due(&self, config: &Config) -> Option<Moment> {
        Some(self.memory.last_full?.plus_ms(u64::from(config.settings.sweep.full_every_secs) * 1_000))
    }

    fn again_due(&self) -> Option<Moment> {
        let (scopes, at) = &self.again;
        (!scopes.is_empty()).then_some(*at)
    }

    fn fast_due(&self, config: &Config) -> Option<Moment> {
        Some(self.memory.last_fast?.plus_ms(u64::from(config.settings.sweep.fast_every_secs) * 1_000))
    }

    /// When to look at the clocks again.
    fn next_wake(&self, now: Moment) -> Moment {
        let mut times = vec![self.next_source, self.next_prune];
        // What could not be ended in time is tried again with whatever comes next.
        times.extend(self.orders.next_end().filter(|end| now < *end));
        if let Some(config) = &self.config {
            times.extend(self.pending_due());
            // What is due already is asked for already.
            times.extend(self.full_due(config).filter(|due| now < *due));
            times.extend(self.fast_due(config).filter(|due| now < *due));
            times.extend(self.again_due().filter(|due| now < *due));
            let settle_ms = u64::from(config.settings.pace.settle_secs) * 1_000;
            times.extend(self.memory.settling.next_after(now, settle_ms));
            times.extend(self.memory.backoff.next_due().filter(|due| now < *due));
        }
        times.into_iter().min().unwrap_or(now)
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

    /// Takes in what a scope answered. Returns whether that is news: it was read, or is newly in trouble.
    pub(super) fn arrived(&mut self, arrival: Arrival) -> bool {
        let Arrival { scope, observation, depth, revision } = arrival;
        self.waiting.remove(&scope);
        // Taken off the roster while it was being read, or read for another topology: then it is on its way once more.
        let of_now = |desired: &&Arc<Desired>| desired.scopes.contains(&scope) && desired.revision == revision;
        if self.desired.as_ref().filter(of_now).is_none() {
            return false;
        }
        let was_unreachable = matches!(self.memory.world.scopes.get(&scope), Some(Observation::Unreachable { .. }));
        let is_news = !was_unreachable || !matches!(observation, Observation::Unreachable { .. });
        let is_complete = matches!(observation, Observation::Complete { .. });
        let times = self.config.as_ref().map(|config| config.settings.sweep.clone()).unwrap_or_default();
        let jitter = (self.random)();
        if self.memory.arrived(scope.clone(), observation, self.clock.now(), &times, jitter) {
            // What the world now holds of it, and nothing that was seen before.
            match is_complete {
                true => drop(self.read.insert(scope, depth == Depth::Full)),
                false => drop(self.read.remove(&scope)),
            }
        }
        is_news
    }

    /// One sweep. Returns whether the daemon is to end.
    async fn sweep(
        &mut self,
        request: Request,
        reader: &mut Reader<F, C>,
        shutdown: &mut (impl Future<Output = ()> + Unpin),
    ) -> bool {
        let Some(config) = self.config.clone() else { return false };
        let began = self.clock.now();
        if self.channels_unready.is_some() && request.full {
            self.open_channels();
        }
        self.publish(Some(request.trigger.clone()));
        let (desired, unready_stops) = self.asked_for(&config, began);
        self.desired = Some(desired.clone());
        self.forget_scopes(&desired);
        // What is written is looked at as closely as it was seen: what a sweep over older readings rests on may be a full one.
        let depth = if request.full || request.scopes.is_some() { Depth::Full } else { Depth::Fast };
        let scopes = request.scopes.clone();
        let is_meant = |scope: &Scope| scopes.as_ref().is_none_or(|scopes| scopes.contains(scope));
        if ["request", SIGNAL, "topology"].contains(&&*request.trigger) {
            self.memory.backoff.ask_now(is_meant, began);
        }
        let read = match self.read_scopes(&request, &config, &desired, depth, reader, shutdown).await {
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
        // What all scopes show in full is counted anew; what less shows goes by that count.
        let reads_all = request.full && request.scopes.is_none();
        let waiting = if reads_all { Waiting::new() } else { self.memory.waiting.clone() };
        let restraints = self.restraints(&config, began, waiting);
        let interrupt = AtomicBool::new(false);
        let fleet = self.fleet.clone();
        let clock = self.clock.clone();
        let topology_refused = self.topology_refused.clone();
        let source_unreachable = self.source_unreachable.clone();
        let channels_unready = self.channels_unready.clone();
        let mut memory = std::mem::take(&mut self.memory);
        let mut asked_meanwhile = Vec::new();
        let mut is_ending = false;
        let mut ended = {
            let round = Round {
                fleet: &*fleet,
                clock: &clock,
                config: &config,
                desired: &desired,
                restraints: &restraints,
                unready_stops: &unready_stops,
                topology_refused: topology_refused.as_deref(),
                source_unreachable: source_unreachable.as_deref(),
                channels_unready: channels_unready.as_deref(),
                state_lost: self.orders.state_lost,
                interrupt: &interrupt,
                sweep_id: self.sweep_id,
                trigger: &request.trigger,
                read,
                depth,
                reads_all,
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
                        let is_order = !matches!(asked.0, Command::Sweep { .. });
                        interrupt.fetch_or(is_order, Ordering::Relaxed);
                        // The breaker is with the sweep.
                        match asked.0 {
                            Command::ResumeFight(_) => asked_meanwhile.push(asked),
                            _ => self.obey(asked),
                        }
                    }
                }
            }
        };
        self.memory = memory;
        self.let_go_of_scopes(&ended.sight.read);
        let again = std::mem::take(&mut ended.again);
        self.remember(ended, &config).await;
        if depth == Depth::Full {
            self.again.0.retain(|scope| !is_meant(scope));
        }
        if !again.is_empty() {
            let half_ms = u64::from(config.settings.sweep.fast_every_secs) * 500;
            self.again.0.extend(again);
            self.again.1 = self.clock.now().plus_ms(half_ms);
        }
        for asked in asked_meanwhile {
            self.obey(asked);
        }
        is_ending
    }

    fn restraints(&self, config: &Config, now: Moment, waiting: Waiting) -> Restraints {
        let settings = &config.settings;
        let freezes = settings.freezes.iter().filter_map(|(name, freeze)| Frozen::at(name, freeze, now)).collect();
        Restraints {
            modes: settings.modes.clone(),
            on_drift_hold: settings.on_drift_hold.clone(),
            freezes,
            pauses: self.orders.pauses.clone(),
            fights: self.memory.breaker.tripped().keys().cloned().collect(),
            state_lost: self.orders.state_lost,
            waiting,
        }
    }
}

/// The trigger of a sweep that a person's order asks for.
pub(super) const ORDER: &str = "order";
/// The trigger of a sweep that tries what a full one could not do.
const AGAIN: &str = "again";
/// Who asks for a sweep by SIGHUP.
pub const SIGNAL: &str = "signal";
/// Reverts that are read back at the start: the longest window that can be set.
const REVERTS_REMEMBERED_MS: u64 = 86_400_000;
