//! The service's settings: what a platform team chooses for the operator. Read from `wheelwright.toml` by
//! [`crate::config`]; each limit has its unit in its name.

use super::cron::CronTimes;
use super::finding::{FindingCode, Severity};
use super::ids::{HubName, Owner, Region, SpokeName, TeamName};
use super::plan::PlanSettings;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// The service's settings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Settings {
    /// Who we are to AWS and to other operators.
    pub operator: OperatorSettings,
    /// What EventBridge delivers with.
    pub delivery: DeliverySettings,
    /// How fast we go.
    pub pace: PaceSettings,
    /// When a plan is held.
    pub guards: PlanSettings,
    /// When the daemon looks.
    pub sweep: SweepTimes,
    /// Regions in which the roster's accounts are read, beside those that the topology names: `[sweep] regions-also`.
    pub regions_also: BTreeSet<Region>,
    /// Where the daemon writes.
    pub modes: Modes,
    /// Kinds of drift that wait for a person: `[on-drift]`. The others are mended.
    pub on_drift_hold: BTreeSet<FindingCode>,
    /// When nothing is written: `[freeze.NAME]`.
    pub freezes: BTreeMap<String, Freeze>,
    /// When a fight is given up.
    pub breaker: BreakerSettings,
    /// What is remembered, and where.
    pub state: StateSettings,
    /// Where the daemon answers.
    pub http: HttpSettings,
    /// Who is told: `[alert.NAME]`.
    pub alerts: BTreeMap<String, ChannelSettings>,
    /// Which file may speak for whom: `[path."…"]`, by file or folder of the config folder. Empty: every file for everybody.
    pub paths: BTreeMap<String, PathReach>,
    /// What is taken over from another tool: `[release.NAME]`.
    pub released: Released,
}

/// `[path."…"]`: what a file of the topology, or those of a folder, may declare.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct PathReach {
    /// The teams that may be declared there.
    pub teams: Claims,
    /// The accounts, by their names in the roster, that may be a spoke's, a publisher's, or a destination's.
    pub accounts: Claims,
    /// The sources that may be published under.
    pub sources: Claims,
    /// Whether accounts, hubs and the organisation may be declared there.
    pub platform: bool,
}

/// Names, or beginnings of names with a `*` after them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Claims(pub Vec<String>);

impl Claims {
    /// Whether `name` is one of them.
    pub fn cover(&self, name: &str) -> bool {
        self.0.iter().any(|claim| match claim.strip_suffix('*') {
            Some(beginning) => name.starts_with(beginning),
            None => claim == name,
        })
    }
}

/// Buses and rules that another tool's tags are on and that may be taken over all the same, by ARN.
pub type Released = BTreeMap<String, Tool>;

/// A tool that keeps AWS resources and leaves its tags on them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, strum::IntoStaticStr, strum::Display)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum Tool {
    /// AWS CloudFormation, and what is made of it (CDK, SAM).
    Cloudformation,
    /// AWS Controllers for Kubernetes.
    Ack,
    /// Crossplane.
    Crossplane,
    /// Terraform or OpenTofu.
    Terraform,
}

/// `[operator]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct OperatorSettings {
    /// Whose marks we write and obey. Two operators that look at one account need two names.
    pub owner: Owner,
    /// The role that we assume in every account; `deploy/` makes it.
    pub role_name: String,
    /// What the role's trust policy asks for, if it does.
    pub external_id: Option<String>,
    /// Our name in CloudTrail.
    pub session_name: String,
    /// The Region whose STS we ask; if none, the environment's.
    pub region: Option<Region>,
}

/// `[delivery]`: what the bootstrap templates put into every account that has rules.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct DeliverySettings {
    /// The role that EventBridge assumes to deliver, in the rule's account.
    pub role_name: String,
    /// The standard SQS queue for what could not be delivered, in the rule's account and Region.
    pub dead_letter_queue: String,
}

/// `[pace]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct PaceSettings {
    /// Accounts that are looked at or written at one time.
    pub accounts_in_flight_max: u32,
    /// Control-plane calls a second in one scope, of the 50 that everybody there shares
    /// (<https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-quota.html>).
    pub calls_per_second_max: u32,
    /// Calls that may come at once after a pause.
    pub calls_burst_max: u32,
    /// Seconds after which a scope that has not answered is left out of a sweep.
    pub scope_deadline_secs: u32,
    /// Seconds between the last make and the first break of a plan.
    pub settle_secs: u32,
}

/// `[sweep]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct SweepTimes {
    /// Seconds from one fast sweep to the next: drift of what deliveries rest on is found within them.
    pub fast_every_secs: u32,
    /// Seconds from one full sweep to the next: every drift is found within them.
    pub full_every_secs: u32,
    /// When full sweeps are begun besides, in UTC.
    pub full_at: Option<CronTimes>,
    /// Seconds that lie between the end of a sweep and the start of the next, whatever asks for it.
    pub gap_secs_min: u32,
    /// The first sweep comes after so many seconds at most, drawn at random, so that a fleet of daemons does not start as one.
    pub start_jitter_secs_max: u32,
    /// Seconds from one look at the topology's source to the next. A change counts when two looks saw the same.
    pub source_every_secs: u32,
    /// A scope in transient trouble is asked again after a second, then later and later, up to so many seconds.
    pub backoff_secs_max: u32,
    /// A scope that refused for a reason that only a person mends is asked again after so many seconds, or when the topology changes.
    pub refused_every_secs: u32,
}

/// Whether the daemon writes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, strum::IntoStaticStr)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum Mode {
    /// It looks, tells, and writes nothing.
    #[default]
    Observe,
    /// It mends what it finds.
    Enforce,
}

/// `[mode]`: what is said of a thing's hub, team or spoke counts; where any of them says observe, it is observe, and where none says
/// anything, the default.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Modes {
    /// Where nothing else is said.
    pub default: Mode,
    /// By hub.
    pub hubs: BTreeMap<HubName, Mode>,
    /// By team.
    pub teams: BTreeMap<TeamName, Mode>,
    /// By team and spoke.
    pub spokes: BTreeMap<(TeamName, SpokeName), Mode>,
}

/// What a freeze holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum FreezeHolds {
    /// Everything.
    #[default]
    All,
    /// What the topology asks for anew; drift is mended.
    Intent,
}

/// `[freeze.NAME]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Freeze {
    /// When it begins, in UTC.
    pub from: CronTimes,
    /// How many hours it lasts.
    pub hours: u32,
    /// Why.
    pub reason: String,
    /// What it holds.
    pub holds: FreezeHolds,
}

/// `[breaker]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct BreakerSettings {
    /// A thing that was mended so many times within the window is left alone.
    pub reverts_max: u32,
    /// The window, in seconds.
    pub window_secs: u32,
}

/// `[state]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct StateSettings {
    /// The folder that the state file is in; none: the one that the command line or the environment names.
    pub folder: Option<String>,
    /// Days after which what is over is forgotten.
    pub days_max: u32,
    /// Mebibytes that the state file may grow to: beyond them the oldest is forgotten first.
    pub mib_max: u32,
}

/// `[http]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct HttpSettings {
    /// Where it listens.
    pub listen: std::net::SocketAddr,
    /// The bearer token that orders need, and everything where it listens on more than loopback. None: one is made, and kept in the
    /// state folder for whoever may read it.
    pub token: Option<Secret>,
}

/// A text that is not for the config: where it is to be read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Secret {
    /// In a variable of the environment.
    Env(String),
    /// In a file, without the line's end.
    File(String),
}

/// `[alert.NAME]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct ChannelSettings {
    /// How it is told.
    pub kind: ChannelKind,
    /// What is less bad is not told here.
    pub severity_min: Severity,
    /// Only what is about these hubs; empty: any, and what is about none.
    pub hubs: BTreeSet<HubName>,
    /// Only what concerns these teams; empty: any, and what concerns none.
    pub teams: BTreeSet<TeamName>,
    /// Whether what was mended in the sweep that found it is told too.
    pub mended: bool,
    /// Hours after which what is still wrong is told again; 0: never.
    pub remind_hours: u32,
}

/// How people are told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", rename_all_fields = "kebab-case")]
pub enum ChannelKind {
    /// A line in the daemon's log.
    Log,
    /// A POST of the alert as JSON; signed, if there is a key.
    Webhook {
        /// Where to.
        url: Address,
        /// The key of the HMAC-SHA256 in `X-Wheelwright-Signature`.
        key: Option<Secret>,
    },
    /// A Slack incoming webhook.
    Slack {
        /// Its URL, which is its secret.
        url: Secret,
    },
    /// PagerDuty's Events API v2.
    Pagerduty {
        /// The integration key.
        routing_key: Secret,
        /// Instead of PagerDuty's own address.
        url: Option<Address>,
    },
    /// A message on an SNS topic, published with the daemon's own credentials.
    Sns {
        /// The topic.
        topic_arn: String,
    },
    /// An event on a bus, put with the daemon's own credentials.
    EventBridge {
        /// The bus.
        bus_arn: String,
    },
}

/// A URL, in the open or secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Address {
    /// As it is written.
    Url(String),
    /// Read from elsewhere.
    Secret(Secret),
}

impl Default for SweepTimes {
    fn default() -> Self {
        Self {
            fast_every_secs: 60,
            full_every_secs: 900,
            full_at: None,
            gap_secs_min: 5,
            start_jitter_secs_max: 10,
            source_every_secs: 5,
            backoff_secs_max: 600,
            refused_every_secs: 600,
        }
    }
}

impl Default for HttpSettings {
    fn default() -> Self {
        Self { listen: std::net::SocketAddr::from(([127, 0, 0, 1], 8080)), token: None }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            operator: OperatorSettings {
                owner: Owner::default(),
                role_name: "wheelwright-operator".into(),
                external_id: None,
                session_name: "wheelwright".into(),
                region: None,
            },
            delivery: DeliverySettings {
                role_name: "wheelwright-delivery".into(),
                dead_letter_queue: "wheelwright-dead-letters".into(),
            },
            pace: PaceSettings {
                accounts_in_flight_max: 64,
                calls_per_second_max: 15,
                calls_burst_max: 30,
                scope_deadline_secs: 120,
                settle_secs: 300,
            },
            guards: PlanSettings::default(),
            sweep: SweepTimes::default(),
            regions_also: BTreeSet::new(),
            modes: Modes::default(),
            on_drift_hold: BTreeSet::new(),
            freezes: BTreeMap::new(),
            breaker: BreakerSettings { reverts_max: 5, window_secs: 3_600 },
            state: StateSettings { folder: None, days_max: 90, mib_max: 512 },
            http: HttpSettings::default(),
            alerts: BTreeMap::new(),
            paths: BTreeMap::new(),
            released: Released::new(),
        }
    }
}
