//! The topology as people wrote it, proven by the checker: names resolved, limits kept.
//!
//! Made by [`crate::config`], read by [`crate::expand`]. Each part knows where it was written ([`Origin`]),
//! so that whatever comes of it can name its file and line.

use super::few::Few;
use super::ids::{
    AccountId, AccountName, HubName, Moment, PublicationId, Region, Scope, SpokeName, SubscriptionId, TeamName,
};
use super::resource::BusLog;
use crate::eventbridge::Pattern;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

/// Where something was written.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Origin {
    /// The file, relative to the config folder, with `/` between its parts.
    pub file: Arc<str>,
    /// The line, from 1.
    pub line: u32,
    /// The entry, as it is written: `subscribe.large`.
    pub entry: Arc<str>,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// Key and value pairs that AWS resources bear.
pub type Tags = Few<String, String>;

/// Everything that all files of one topology say.
#[derive(Clone, Debug, PartialEq)]
pub struct Topology {
    /// The organisation's id (`o-…`), which an organisation grant needs.
    pub organization: Option<String>,
    /// The roster: every account here is swept, used or not.
    pub accounts: BTreeMap<AccountName, Account>,
    /// The central buses.
    pub hubs: BTreeMap<HubName, Hub>,
    /// The teams with all that they declare.
    pub teams: BTreeMap<TeamName, Team>,
    /// Tags on everything that is made.
    pub tags: Tags,
    /// What stays as it is because a file has errors.
    pub kept: Kept,
}

/// What stays as it is because files have errors (promise 3): nothing of it is taken away, and nothing is planned for it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    /// The teams whose files have errors, each with its first one.
    pub teams: BTreeMap<TeamName, String>,
    /// Entries (team, name) of sound teams that need something of a broken one.
    pub entries: BTreeSet<(TeamName, String)>,
    /// The first error of a file that does not say whose it is: then nothing at all is taken away.
    pub unknown: Option<String>,
    /// The teams whose files are sound. What any other team's marks are on is kept too: a broken file may be that team's,
    /// under a name that was misspelt.
    pub sound: BTreeSet<TeamName>,
}

impl Kept {
    /// Whether everything could be read.
    pub fn is_empty(&self) -> bool {
        // Of the sound teams nothing is kept.
        self.teams.is_empty() && self.entries.is_empty() && self.unknown.is_none()
    }
}

/// An account of the roster.
#[derive(Clone, Debug, PartialEq)]
pub struct Account {
    /// Its id.
    pub id: AccountId,
    /// Whether we may look and write there.
    pub access: Access,
    /// Where it was written.
    pub origin: Origin,
}

/// Whether an account is ours to read and write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Access {
    /// Through the operator's role.
    Managed,
    /// Never read or written: a partner's; plans print what they must add.
    None,
}

/// A central bus.
#[derive(Clone, Debug, PartialEq)]
pub struct Hub {
    /// Account and Region of the bus.
    pub scope: Scope,
    /// The account's name in the roster.
    pub account: AccountName,
    /// The bus's name.
    pub bus: String,
    /// What the bus is for, if something is said.
    pub description: Option<String>,
    /// How publishers are let in.
    pub grant: HubGrant,
    /// Days that the archive keeps events (0: for ever), if there is an archive.
    pub archive_retention_days: Option<u32>,
    /// Where a copy of everything but replays goes, if anywhere: a queue's ARN.
    pub audit_queue: Option<String>,
    /// Encryption, dead letters and logging of the bus.
    pub bus_options: BusOptions,
    /// Tags on what is made for the hub.
    pub tags: Tags,
    /// What AWS allows here.
    pub quotas: HubQuotas,
    /// Whether accounts that others' statements let in count as let in.
    pub keeps_grants: bool,
    /// Where it was written.
    pub origin: Origin,
}

/// What may be said of a bus that is ours, at a hub or a spoke.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BusOptions {
    /// The customer's KMS key: an ARN. None: the key that AWS owns.
    pub kms_key: Option<String>,
    /// The queue (ARN) for events that could not be encrypted or decrypted.
    pub dead_letter: Option<String>,
    /// What the bus logs.
    pub log: BusLog,
}

/// How publishing accounts are let into a hub's bus.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum HubGrant {
    /// One statement for each publishing account, while the policy quota allows; else [`HubGrant::Organization`].
    Accounts,
    /// One statement for the whole organisation.
    Organization,
}

/// AWS's quotas at a hub, raised where AWS raised them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HubQuotas {
    /// Rules on the bus.
    pub rules_max: usize,
    /// Characters of the bus's resource policy.
    pub policy_characters_max: usize,
    /// Characters of one event pattern.
    pub pattern_characters_max: usize,
    /// Control-plane calls a second that we allow ourselves in the hub's scope, if not the settings' number.
    pub calls_per_second_max: Option<u32>,
}

/// A team with all that it declares.
#[derive(Clone, Debug, PartialEq)]
pub struct Team {
    /// Whom to ask, as `#payments-oncall`.
    pub contact: String,
    /// The team's accounts and buses.
    pub spokes: Few<SpokeName, Spoke>,
    /// What the team publishes.
    pub publications: Few<PublicationId, Publication>,
    /// What the team needs.
    pub subscriptions: Few<SubscriptionId, Subscription>,
    /// Tags on what is made for the team.
    pub tags: Tags,
    /// Where it was written.
    pub origin: Origin,
}

/// A team's account and bus at one hub.
#[derive(Clone, Debug, PartialEq)]
pub struct Spoke {
    /// The hub it is attached to.
    pub hub: HubName,
    /// Account and Region of the spoke.
    pub scope: Scope,
    /// The account's name in the roster.
    pub account: AccountName,
    /// The spoke's bus; pure publishers need none. `default` is used as it is: never created, never marked.
    pub bus: Option<String>,
    /// Encryption, dead letters and logging of the bus.
    pub bus_options: BusOptions,
    /// Tags on what is made for the spoke.
    pub tags: Tags,
    /// Whether a hub that others' statements let in counts as let in.
    pub keeps_grants: bool,
    /// Where it was written.
    pub origin: Origin,
}

/// Events that a team publishes.
#[derive(Clone, Debug, PartialEq)]
pub struct Publication {
    /// The events' `source`.
    pub source: String,
    /// The events' `detail-type`s; none: any.
    pub detail_types: BTreeSet<String>,
    /// Who may subscribe.
    pub subscribers: Subscribers,
    /// How the events get to the hub.
    pub via: Via,
    /// At each hub where it is published, the spokes it is published from, and those spokes' accounts.
    pub hubs: Few<HubName, BTreeSet<SpokeName>>,
    /// Further accounts that publish it on the hubs' buses (a gateway's, a partner's); of a collection, the accounts
    /// whose default buses it is forwarded from.
    pub accounts: BTreeSet<AccountId>,
    /// If it is a collection: AWS services' own events, which come on accounts' default buses.
    pub collect: Option<Collect>,
    /// The name that its forward rules have: the one that it first had, if it was renamed.
    pub rule_identity: PublicationId,
    /// What its forward rules keep of before.
    pub keeps: Keeps,
    /// Where it was written.
    pub origin: Origin,
}

/// Where AWS services' own events are collected.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Collect {
    /// The Regions whose default buses forward; none: the hub's own.
    pub regions: BTreeSet<Region>,
}

/// Who may subscribe to a publication.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subscribers {
    /// Every team.
    Everyone,
    /// These teams, and the publishing team itself.
    Teams(BTreeSet<TeamName>),
}

impl Subscribers {
    /// Whether `team` may subscribe to what `publisher` publishes.
    pub fn allows(&self, team: &TeamName, publisher: &TeamName) -> bool {
        match self {
            Self::Everyone => true,
            Self::Teams(teams) => team == publisher || teams.contains(team),
        }
    }
}

/// How a publication's events get to the hub.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Via {
    /// Publishers call PutEvents on the hub's bus.
    Hub,
    /// Publishers call PutEvents on the spoke's bus, whose rule forwards: this uses up the one bus-to-bus hop
    /// (<https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-bus-to-bus.html>).
    Spoke,
}

/// Events that a team needs.
#[derive(Clone, Debug, PartialEq)]
pub struct Subscription {
    /// The publication it takes from.
    pub from: PublicationId,
    /// The hub it takes it at.
    pub hub: HubName,
    /// The team's spoke that the events are for.
    pub spoke: SpokeName,
    /// The `detail-type`s it takes; none: all that the publication has.
    pub detail_types: BTreeSet<String>,
    /// Further conditions in EventBridge's pattern language: `detail`, `resources`, `region`, `replay-name` only.
    pub filter: serde_json::Map<String, Value>,
    /// Where the events go.
    pub deliver: Destination,
    /// Whether replayed events come too.
    pub replays: Replays,
    /// Queue (ARN) for what could not be delivered, if not the delivery account's usual one.
    pub dead_letter: Option<String>,
    /// How long EventBridge tries; not on bus destinations.
    pub retry: Option<Retry>,
    /// If it is held off: the stop that lasts the longest.
    pub stop: Option<Stop>,
    /// The name that its rule has: the one that it first had, if it was renamed.
    pub rule_identity: SubscriptionId,
    /// What its rule keeps of before.
    pub keeps: Keeps,
    /// Where it was written.
    pub origin: Origin,
}

/// What a rule that was there before wheelwright keeps: each part that the topology would make otherwise, until the line that
/// says so goes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Keeps {
    /// The rule's name.
    pub rule: Option<String>,
    /// The Id of its target.
    pub target: Option<String>,
    /// Its pattern, which takes at least what the topology asks for.
    pub pattern: Option<Pattern>,
    /// The role that its target is delivered with, if not the delivery role.
    pub role: Option<KeptName>,
    /// Where its target's dead letters go, if not to the usual queue.
    pub dead_letter: Option<KeptName>,
}

/// The name of a role or a queue that is kept, or that there is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeptName {
    /// None is set.
    Nothing,
    /// One in the rule's account (of a queue: and Region), or a queue's ARN.
    Named(String),
}

/// A subscription held off until a time: its rule is disabled, its target and its grant stay. Events that it would have
/// taken meanwhile are dropped, not queued.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Stop {
    /// When it ends.
    pub until: Moment,
    /// Why.
    pub reason: String,
    /// Where it was written.
    pub origin: Origin,
}

/// Where a subscription's events go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Destination {
    /// The spoke's bus.
    Bus,
    /// An SQS queue, by ARN.
    Queue(String),
    /// A Lambda function, by ARN.
    Function(String),
    /// An SNS topic, by ARN.
    Topic(String),
    /// A Kinesis stream, by ARN.
    Stream(String),
    /// An API Gateway API, by ARN.
    Api(String),
}

impl Destination {
    /// The destination's ARN, unless it is the spoke's bus.
    pub fn arn(&self) -> Option<&str> {
        match self {
            Self::Bus => None,
            Self::Queue(arn) | Self::Function(arn) | Self::Topic(arn) | Self::Stream(arn) | Self::Api(arn) => Some(arn),
        }
    }
}

/// What a subscription does with events that come from a replay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Replays {
    /// It does not get them.
    Ignore,
    /// It gets them like any others.
    Deliver,
}

/// How long EventBridge tries a target
/// (<https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_RetryPolicy.html>).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Retry {
    /// Attempts at most, 0 to 185.
    pub attempts_max: u32,
    /// Age of an event at most, 60 to 86,400 seconds.
    pub event_age_seconds_max: u32,
}
