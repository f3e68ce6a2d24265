//! The names, their help, their labels, and how many series they come to.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};
use std::sync::atomic::AtomicU64;

/// Channels that have numbers of their own; those beyond are counted together, as `other`.
pub const CHANNELS_MAX: usize = 50;
/// Scopes in trouble that have a series of their own: those whose last complete observation is the oldest.
pub const SCOPES_MAX: usize = 50;
/// Series at most, whatever happens. Calls are most of it (24 actions in 18 ends, and their throttles: 456), then channels (51, each
/// in 3 ends and with what waits: 204), findings and incidents by code, writes, and scopes. A test makes all that can be: 968.
pub const SERIES_MAX: usize = 1_000;

/// What has no name of its own.
pub(super) const OTHER: &str = "other";

type Float = Gauge<f64, AtomicU64>;

/// How the telling of something ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::IntoStaticStr, strum::EnumIter)]
#[strum(serialize_all = "kebab-case")]
pub enum AlertEnd {
    /// The channel took it.
    Sent,
    /// It did not, and it is tried again.
    Failed,
    /// It is given up.
    Dropped,
}

macro_rules! labels {
    ($($(#[$doc:meta])* $name:ident { $($field:ident: $type:ty),* })*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
        pub(super) struct $name { $(pub(super) $field: $type),* }
    )*};
}

labels! {
    Finding { code: &'static str, severity: &'static str }
    Write { verb: &'static str, end: &'static str }
    Guard { guard: &'static str }
    Sweep { depth: &'static str, trigger: &'static str }
    Depth { depth: &'static str }
    Call { action: &'static str, outcome: &'static str }
    Action { action: &'static str }
    State { state: &'static str }
    ScopeLabel { scope: String }
    Alert { channel: String, end: &'static str }
    Channel { channel: String }
    Version { version: &'static str }
}

/// What a plan's steps do, as [`crate::model::plan::Action::verb`] names it; a test holds the two together.
pub(super) const VERBS: &[&str] = &[
    "create-bus",
    "update-bus",
    "tag-bus",
    "untag-bus",
    "put-grant",
    "remove-grant",
    "put-rule",
    "widen-rule",
    "narrow-rule",
    "tag-rule",
    "untag-rule",
    "put-targets",
    "remove-targets",
    "delete-rule",
    "create-archive",
    "update-archive",
];

/// What sets off sweeps.
pub(super) const TRIGGERS: &[&str] = &[
    "start", "interval", "schedule", "topology", "signal", "request", "order", "settled", "again", "answer", "write",
    "clock",
];

/// A trigger's name, if it is one that we know.
pub(super) fn trigger(name: &str) -> &'static str {
    TRIGGERS.iter().find(|known| **known == name).copied().unwrap_or(OTHER)
}

/// Seconds at which sweeps are told apart: from a hundred quiet scopes to a plan of thousands of writes.
const DURATION_BUCKETS: [f64; 13] = [0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 900.0, 3_600.0];

/// One of each.
pub(super) struct Names {
    pub(super) findings: Family<Finding, Gauge>,
    pub(super) incidents: Family<Finding, Gauge>,
    pub(super) writes: Family<Write, Counter>,
    pub(super) held: Family<Guard, Gauge>,
    pub(super) plan_steps: Gauge,
    pub(super) fights: Gauge,
    pub(super) sweeps: Family<Sweep, Counter>,
    pub(super) sweep_duration: Family<Depth, Histogram, fn() -> Histogram>,
    pub(super) calls: Family<Call, Counter>,
    pub(super) throttles: Family<Action, Counter>,
    pub(super) scopes: Family<State, Gauge>,
    pub(super) oldest_age: Float,
    pub(super) ages: Family<ScopeLabel, Float>,
    pub(super) routes: Family<State, Gauge>,
    pub(super) alerts: Family<Alert, Counter>,
    pub(super) alerts_waiting: Family<Channel, Gauge>,
    pub(super) ready: Gauge,
    pub(super) state_lost: Gauge,
    pub(super) pauses: Gauge,
    pub(super) stops: Gauge,
    pub(super) freezes: Gauge,
    pub(super) settling: Gauge,
    pub(super) topology_sequence: Gauge,
    pub(super) topology_refused: Gauge,
    pub(super) started: Float,
    pub(super) last_sweep: Family<Depth, Float>,
    pub(super) sweep_every: Family<Depth, Gauge>,
    pub(super) state_bytes: Gauge,
    pub(super) unreadable_rows: Gauge,
    pub(super) build: Family<Version, Gauge>,
}

impl Names {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let names = Self {
            sweep_duration: Family::new_with_constructor(|| Histogram::new(DURATION_BUCKETS)),
            findings: Family::default(),
            incidents: Family::default(),
            writes: Family::default(),
            held: Family::default(),
            plan_steps: Gauge::default(),
            fights: Gauge::default(),
            sweeps: Family::default(),
            calls: Family::default(),
            throttles: Family::default(),
            scopes: Family::default(),
            oldest_age: Float::default(),
            ages: Family::default(),
            routes: Family::default(),
            alerts: Family::default(),
            alerts_waiting: Family::default(),
            ready: Gauge::default(),
            state_lost: Gauge::default(),
            pauses: Gauge::default(),
            stops: Gauge::default(),
            freezes: Gauge::default(),
            settling: Gauge::default(),
            topology_sequence: Gauge::default(),
            topology_refused: Gauge::default(),
            started: Float::default(),
            last_sweep: Family::default(),
            sweep_every: Family::default(),
            state_bytes: Gauge::default(),
            unreadable_rows: Gauge::default(),
            build: Family::default(),
        };
        names.register_what_is_wrong(registry);
        names.register_what_is_done(registry);
        names.register_how_it_stands(registry);
        names
    }

    fn register_what_is_wrong(&self, registry: &mut Registry) {
        let mut add =
            |name: &str, help: &str, metric: &Family<Finding, Gauge>| registry.register(name, help, metric.clone());
        add("findings", "What the latest sweep's plan found, by code and severity", &self.findings);
        add("incidents_open", "Incidents that are open, by code and severity", &self.incidents);
        registry.register("plan_steps", "Steps of the plan that the latest sweep left", self.plan_steps.clone());
        registry.register(
            "held_steps",
            "Steps of that plan that are held, by guard; a step may have several",
            self.held.clone(),
        );
        registry.register(
            "fights",
            "Things left alone because somebody else keeps taking them back",
            self.fights.clone(),
        );
        registry.register("routes", "Routes by how they stand", self.routes.clone());
        registry.register("scopes", "Scopes by how they were last read", self.scopes.clone());
        let help = "Time since the last complete observation of the scope where that is longest";
        registry.register_with_unit("observation_oldest_age", help, Unit::Seconds, self.oldest_age.clone());
        let help = "Time since the last complete observation of a scope in trouble; at most 50 scopes, the oldest";
        registry.register_with_unit("observation_age", help, Unit::Seconds, self.ages.clone());
    }

    fn register_what_is_done(&self, registry: &mut Registry) {
        registry.register("sweeps", "Sweeps that ended, by depth and by what set them off", self.sweeps.clone());
        let help = "How long sweeps took, by depth";
        registry.register_with_unit("sweep_duration", help, Unit::Seconds, self.sweep_duration.clone());
        registry.register("writes", "Writes by verb and by how they ended", self.writes.clone());
        registry.register("calls", "AWS calls by action and by how they ended", self.calls.clone());
        registry.register("throttles", "AWS calls that were throttled, by action", self.throttles.clone());
        registry.register(
            "alerts",
            "Messages to people by channel and by how their telling ended",
            self.alerts.clone(),
        );
        registry.register("alerts_waiting", "Messages that wait to be told, by channel", self.alerts_waiting.clone());
    }

    fn register_how_it_stands(&self, registry: &mut Registry) {
        let mut add = |name: &str, help: &str, metric: &Gauge| registry.register(name, help, metric.clone());
        add("ready", "1 once a topology was good and a sweep is done", &self.ready);
        add(
            "state_lost",
            "1 while the daemon's state is lost: nothing is written until a person has looked",
            &self.state_lost,
        );
        add("pauses", "Pauses in force", &self.pauses);
        add("stops", "Routes that are held off at the daemon", &self.stops);
        add("freezes", "Freeze windows that are open", &self.freezes);
        add("settling_breaks", "Breaks that wait for their settle time", &self.settling);
        add(
            "topology_sequence",
            "The sequence of the topology that stands: the time of its commit or newest file",
            &self.topology_sequence,
        );
        add(
            "topology_refused",
            "1 while the newest topology cannot be used and an older one stands",
            &self.topology_refused,
        );
        add("state_unreadable_rows", "Rows of the state file that could not be read back", &self.unreadable_rows);
        registry.register_with_unit("state", "What the state file holds", Unit::Bytes, self.state_bytes.clone());
        let help = "When the daemon was started, since 1970";
        registry.register_with_unit("start_timestamp", help, Unit::Seconds, self.started.clone());
        let help = "When the latest sweep ended (any) and the latest full one began (full), since 1970; 0: not yet";
        registry.register_with_unit("last_sweep_timestamp", help, Unit::Seconds, self.last_sweep.clone());
        let help = "Time from one sweep to the next that the settings ask for, by depth";
        registry.register_with_unit("sweep_every", help, Unit::Seconds, self.sweep_every.clone());
        registry.register("build", "Always 1; which version this is", self.build.clone());
    }
}
