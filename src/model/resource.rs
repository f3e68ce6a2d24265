//! The AWS resources that wheelwright writes: how each is addressed and what of each it sets.
//!
//! A *spec* holds every field that we send, so that a full-replace call (PutRule, PutTargets) clears nothing
//! that we meant to keep.

use super::few::Few;
use super::ids::{AccountId, Scope};
use super::topology::{Retry, Tags};
use crate::eventbridge::{Arn, Pattern};
use serde::{Deserialize, Serialize};
use std::fmt;

/// An event bus in a scope.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct BusId {
    /// Account and Region.
    pub scope: Scope,
    /// The bus's name.
    pub name: String,
}

impl BusId {
    /// The bus's ARN.
    pub fn arn(&self) -> String {
        let Scope { account, region } = &self.scope;
        format!("arn:{}:events:{region}:{account}:event-bus/{}", region.partition(), self.name)
    }

    /// The bus of this ARN, if it is one's.
    pub fn of_arn(arn: &str) -> Option<Self> {
        let arn: Arn = arn.parse().ok()?;
        let scope = Scope::new(arn.account.parse().ok()?, &arn.region);
        Some(Self { scope, name: arn.bus_name()?.to_owned() })
    }

    /// Whether this is the account's default bus: never created, never marked, never removed.
    pub fn is_default(&self) -> bool {
        self.name == "default"
    }
}

impl fmt::Display for BusId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.scope, self.name)
    }
}

impl fmt::Debug for BusId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A rule on a bus.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RuleId {
    /// The bus it is on.
    pub bus: BusId,
    /// The rule's name.
    pub name: String,
}

impl RuleId {
    /// The rule's ARN. On the default bus it has no bus segment
    /// (<https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazoneventbridge.html>).
    pub fn arn(&self) -> String {
        let Scope { account, region } = &self.bus.scope;
        let partition = region.partition();
        if self.bus.is_default() {
            format!("arn:{partition}:events:{region}:{account}:rule/{}", self.name)
        } else {
            format!("arn:{partition}:events:{region}:{account}:rule/{}/{}", self.bus.name, self.name)
        }
    }
}

impl fmt::Display for RuleId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.bus, self.name)
    }
}

impl fmt::Debug for RuleId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// An archive in a scope.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ArchiveId {
    /// Account and Region.
    pub scope: Scope,
    /// The archive's name: unique in the scope, at most 48 characters.
    pub name: String,
}

/// Anything that a step, a finding or a person points at.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ResourceId {
    /// A bus.
    Bus(BusId),
    /// A statement of a bus's resource policy, by its Sid.
    Grant(BusId, String),
    /// A rule.
    Rule(RuleId),
    /// A target of a rule, by its Id.
    Target(RuleId, String),
    /// An archive.
    Archive(ArchiveId),
    /// A whole scope, where a finding is about all of it.
    Scope(Scope),
}

impl ResourceId {
    /// The scope that the resource is in.
    pub fn scope(&self) -> &Scope {
        match self {
            Self::Bus(bus) | Self::Grant(bus, _) => &bus.scope,
            Self::Rule(rule) | Self::Target(rule, _) => &rule.bus.scope,
            Self::Archive(archive) => &archive.scope,
            Self::Scope(scope) => scope,
        }
    }

    /// What kind of thing it is, in one word.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Bus(_) => "bus",
            Self::Grant(..) => "grant",
            Self::Rule(_) => "rule",
            Self::Target(..) => "target",
            Self::Archive(_) => "archive",
            Self::Scope(_) => "scope",
        }
    }

    /// Its name within its scope: `org-events`, `org-events/ww.ledger.large.1a2b3c4d`, ….
    pub fn local_name(&self) -> String {
        match self {
            Self::Bus(bus) => bus.name.clone(),
            Self::Grant(bus, statement) => format!("{}/{statement}", bus.name),
            Self::Rule(rule) => format!("{}/{}", rule.bus.name, rule.name),
            Self::Target(rule, target) => format!("{}/{}/{target}", rule.bus.name, rule.name),
            Self::Archive(archive) => archive.name.clone(),
            Self::Scope(_) => "-".into(),
        }
    }
}

impl fmt::Display for ResourceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Scope(scope) => write!(f, "scope {scope}"),
            _ => write!(f, "{} {}/{}", self.kind(), self.scope(), self.local_name()),
        }
    }
}

impl fmt::Debug for ResourceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What we set on a bus.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct BusSpec {
    /// The text for people; a mark is added when it is written.
    pub description: String,
    /// All tags, the second mark (`wheelwright:owner`) among them.
    pub tags: Tags,
    /// The customer's KMS key that its events and patterns are encrypted with: an ARN. None: the key that AWS owns.
    pub kms_key: Option<String>,
    /// The queue (ARN) for events that could not be encrypted or decrypted
    /// (<https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-encryption-event-bus-dlq.html>); not a target's.
    pub dead_letter_arn: Option<String>,
    /// What the bus logs.
    pub log: BusLog,
}

/// What we set on a bus beside its tags: every field that CreateEventBus and UpdateEventBus take. UpdateEventBus is sent
/// all of them, since it clears what is left out
/// (<https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_UpdateEventBus.html>).
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize)]
pub struct BusSettings {
    /// The description, mark and all.
    pub description: String,
    /// The customer's KMS key: an ARN.
    pub kms_key: Option<String>,
    /// The queue (ARN) for events that could not be encrypted or decrypted.
    pub dead_letter_arn: Option<String>,
    /// What the bus logs.
    pub log: BusLog,
}

/// What a bus logs about its events, to where the account's log deliveries take it
/// (<https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-event-bus-logs.html>).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct BusLog {
    /// How much.
    pub level: LogLevel,
    /// Whether the events' own details are in it.
    pub detail: bool,
}

/// How much a bus logs.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    strum::IntoStaticStr,
    strum::EnumString,
    strum::Display,
)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "UPPERCASE")]
pub enum LogLevel {
    /// Nothing.
    #[default]
    Off,
    /// What failed.
    Error,
    /// And every step on an event's way.
    Info,
    /// And all that is known of each.
    Trace,
}

/// To whom a statement of ours gives PutEvents: the two shapes that PutPermission's parameters can say
/// (<https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutPermission.html>).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Grantee {
    /// One account.
    Account(AccountId),
    /// Every account of the organisation with this id.
    Organization(String),
}

impl fmt::Display for Grantee {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Account(account) => write!(f, "account {account}"),
            Self::Organization(organization) => write!(f, "organization {organization}"),
        }
    }
}

/// Whether a rule matches events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum RuleState {
    /// It does.
    Enabled,
    /// It does not: events that it would have matched are dropped, not queued.
    Disabled,
}

/// What we set on a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleSpec {
    /// The text for people; a mark is added when it is written.
    pub description: String,
    /// Which events it matches.
    pub pattern: Pattern,
    /// Whether it matches at all.
    pub state: RuleState,
    /// All tags, the second mark (`wheelwright:owner`) among them.
    pub tags: Tags,
    /// Our targets, by Id.
    pub targets: Few<String, TargetSpec>,
}

/// What we set on a target: every field that we send, the rest being absent.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct TargetSpec {
    /// The destination.
    pub arn: String,
    /// The delivery role that EventBridge assumes, in the rule's account.
    pub role_arn: Option<String>,
    /// The queue for events that could not be delivered.
    pub dead_letter_arn: Option<String>,
    /// How long EventBridge tries; refused on bus targets.
    pub retry: Option<Retry>,
}

/// What we set on an archive.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct ArchiveSpec {
    /// The bus whose events it keeps.
    pub source: BusId,
    /// The text for people.
    pub description: String,
    /// Days that events are kept; 0: for ever.
    pub retention_days: u32,
}
