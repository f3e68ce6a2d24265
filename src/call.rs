//! Every AWS action that wheelwright can take, as data: what goes in, what comes out, what can go wrong.
//!
//! Layer 3. The SDK edge (`aws/`) and the simulated AWS (`sim/`) both serve these; the rate limiter, the
//! recorder and the fault injector are decorators around them. What is not here cannot be done: there is no
//! call that replaces a whole resource policy. Only `wheelwright retire`, a person's command, deletes a bus or an archive.

mod mend;

use crate::model::ids::Scope;
use crate::model::resource::{BusSettings, Grantee, RuleState, TargetSpec};
use crate::model::topology::Tags;
use crate::model::world::LiveTarget;
use serde::Serialize;
use std::fmt;
use strum::VariantArray as _;

/// Entries asked for in one page of a listing: the most that AWS gives
/// (<https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_ListRules.html>).
pub const PAGE_ENTRIES_MAX: i32 = 100;

/// One AWS call. Buses are given by name: the scope says account and Region, and a bus ARN of another Region
/// would be taken for the bus of that name in the caller's own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", rename_all_fields = "kebab-case", tag = "call")]
#[derive(strum::EnumDiscriminants)]
#[strum_discriminants(name(CallKind), derive(strum::VariantArray), doc = "Which AWS call, without its arguments.")]
#[strum_discriminants(allow(missing_docs))]
#[allow(missing_docs)] // The fields are AWS's parameters of the same names.
pub enum Call {
    ListEventBuses {
        next_token: Option<String>,
    },
    ListRules {
        bus: String,
        next_token: Option<String>,
    },
    DescribeRule {
        bus: String,
        rule: String,
    },
    ListTargetsByRule {
        bus: String,
        rule: String,
        next_token: Option<String>,
    },
    /// An empty prefix asks for all.
    ListArchives {
        name_prefix: String,
        next_token: Option<String>,
    },
    DescribeArchive {
        archive: String,
    },
    ListTagsForResource {
        arn: String,
    },
    DescribeEventBus {
        bus: String,
    },
    GetRole {
        role: String,
    },
    GetQueueAttributes {
        queue: String,
    },
    CreateEventBus {
        bus: String,
        settings: BusSettings,
        tags: Tags,
    },
    UpdateEventBus {
        bus: String,
        settings: BusSettings,
    },
    DeleteEventBus {
        bus: String,
    },
    PutPermission {
        bus: String,
        statement_id: String,
        grantee: Grantee,
    },
    RemovePermission {
        bus: String,
        statement_id: String,
    },
    PutRule {
        bus: String,
        rule: String,
        description: String,
        pattern: String,
        state: RuleState,
        tags: Tags,
    },
    PutTargets {
        bus: String,
        rule: String,
        targets: Vec<(String, TargetSpec)>,
    },
    RemoveTargets {
        bus: String,
        rule: String,
        target_ids: Vec<String>,
    },
    DeleteRule {
        bus: String,
        rule: String,
    },
    TagResource {
        arn: String,
        tags: Tags,
    },
    UntagResource {
        arn: String,
        keys: Vec<String>,
    },
    CreateArchive {
        archive: String,
        source_arn: String,
        description: String,
        retention_days: u32,
    },
    UpdateArchive {
        archive: String,
        description: String,
        retention_days: u32,
    },
    DeleteArchive {
        archive: String,
    },
}

// The patterns are written as those of `Call`, so that a variant is added to both in the same way.
#[allow(clippy::unneeded_struct_pattern)]
impl CallKind {
    /// The IAM action that the caller needs: the name of the operation, and its prefix.
    pub const fn action(self) -> &'static str {
        match self {
            Self::ListEventBuses { .. } => "events:ListEventBuses",
            Self::ListRules { .. } => "events:ListRules",
            Self::DescribeRule { .. } => "events:DescribeRule",
            Self::ListTargetsByRule { .. } => "events:ListTargetsByRule",
            Self::ListArchives { .. } => "events:ListArchives",
            Self::DescribeArchive { .. } => "events:DescribeArchive",
            Self::ListTagsForResource { .. } => "events:ListTagsForResource",
            Self::DescribeEventBus { .. } => "events:DescribeEventBus",
            Self::GetRole { .. } => "iam:GetRole",
            Self::GetQueueAttributes { .. } => "sqs:GetQueueAttributes",
            Self::CreateEventBus { .. } => "events:CreateEventBus",
            Self::UpdateEventBus { .. } => "events:UpdateEventBus",
            Self::DeleteEventBus { .. } => "events:DeleteEventBus",
            Self::PutPermission { .. } => "events:PutPermission",
            Self::RemovePermission { .. } => "events:RemovePermission",
            Self::PutRule { .. } => "events:PutRule",
            Self::PutTargets { .. } => "events:PutTargets",
            Self::RemoveTargets { .. } => "events:RemoveTargets",
            Self::DeleteRule { .. } => "events:DeleteRule",
            Self::TagResource { .. } => "events:TagResource",
            Self::UntagResource { .. } => "events:UntagResource",
            Self::CreateArchive { .. } => "events:CreateArchive",
            Self::UpdateArchive { .. } => "events:UpdateArchive",
            Self::DeleteArchive { .. } => "events:DeleteArchive",
        }
    }

    /// Whether it changes anything.
    pub const fn is_write(self) -> bool {
        match self {
            Self::ListEventBuses { .. }
            | Self::ListRules { .. }
            | Self::DescribeRule { .. }
            | Self::ListTargetsByRule { .. }
            | Self::ListArchives { .. }
            | Self::DescribeArchive { .. }
            | Self::ListTagsForResource { .. }
            | Self::DescribeEventBus { .. }
            | Self::GetRole { .. }
            | Self::GetQueueAttributes { .. } => false,
            Self::CreateEventBus { .. }
            | Self::UpdateEventBus { .. }
            | Self::DeleteEventBus { .. }
            | Self::PutPermission { .. }
            | Self::RemovePermission { .. }
            | Self::PutRule { .. }
            | Self::PutTargets { .. }
            | Self::RemoveTargets { .. }
            | Self::DeleteRule { .. }
            | Self::TagResource { .. }
            | Self::UntagResource { .. }
            | Self::CreateArchive { .. }
            | Self::UpdateArchive { .. }
            | Self::DeleteArchive { .. } => true,
        }
    }
}

impl Call {
    /// Every IAM action that a call can need: what `deploy/` must grant, and all of it.
    #[allow(clippy::indexing_slicing)] // In a constant, a bad index does not compile.
    pub const ACTIONS: [&str; CallKind::VARIANTS.len()] = {
        let mut actions = [""; CallKind::VARIANTS.len()];
        let mut next = 0;
        while next < actions.len() {
            actions[next] = CallKind::VARIANTS[next].action();
            next += 1;
        }
        actions
    };

    /// The IAM action that the caller needs.
    pub fn action(&self) -> &'static str {
        CallKind::from(self).action()
    }

    /// Whether it changes anything.
    pub fn is_write(&self) -> bool {
        CallKind::from(self).is_write()
    }
}

/// What a call answered.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// A page of buses.
    Buses(Page<BusSummary>),
    /// One bus, with the settings that only DescribeEventBus tells.
    Bus(BusSummary, BusSettings),
    /// A page of rules.
    Rules(Page<RuleSummary>),
    /// One rule.
    Rule(RuleSummary),
    /// A page of targets: Id and content.
    Targets(Page<(String, LiveTarget)>),
    /// A page of archives' names and states.
    Archives(Page<String>),
    /// One archive.
    Archive(ArchiveSummary),
    /// A resource's tags.
    Tags(Tags),
    /// A role.
    Role(RoleSummary),
    /// A queue.
    Queue(QueueSummary),
    /// PutTargets or RemoveTargets, with what they could not do though the call itself succeeded.
    Entries {
        /// The targets that it failed on.
        failed: Vec<FailedEntry>,
        /// AWS's name for the request, where it gave one.
        request_id: Option<String>,
    },
    /// A write that answers nothing else that we need.
    Done {
        /// AWS's name for the request, where it gave one.
        request_id: Option<String>,
    },
}

/// One page of a listing.
#[derive(Clone, Debug, PartialEq)]
pub struct Page<T> {
    /// Its entries.
    pub items: Vec<T>,
    /// There is more: ask again with this.
    pub next_token: Option<String>,
}

/// A bus as a listing gives it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BusSummary {
    /// Its name.
    pub name: String,
    /// Its description; empty if it has none.
    pub description: String,
    /// Its resource policy's text, if it has one.
    pub policy: Option<String>,
}

/// A rule as a listing gives it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RuleSummary {
    /// Its name.
    pub name: String,
    /// Its description; empty if it has none.
    pub description: String,
    /// Its event pattern's text; none for a schedule.
    pub pattern: Option<String>,
    /// Its state as AWS writes it.
    pub state: String,
    /// The AWS service that manages it.
    pub managed_by: Option<String>,
    /// The account that made it; only DescribeRule tells.
    pub created_by: Option<String>,
}

/// A role, as GetRole gives it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RoleSummary {
    /// Its ARN.
    pub arn: String,
    /// Its trust policy: a JSON document.
    pub trust_policy: String,
}

/// A queue, as GetQueueAttributes gives it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QueueSummary {
    /// Its ARN.
    pub arn: String,
    /// Its resource policy's text, if it has one.
    pub policy: Option<String>,
    /// The customer's KMS key that it is encrypted with, if one is.
    pub kms_key: Option<String>,
    /// Messages in it, about.
    pub messages: u64,
}

/// An archive.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ArchiveSummary {
    /// Its name.
    pub name: String,
    /// The ARN of its bus.
    pub source_arn: String,
    /// Its description; empty if it has none.
    pub description: String,
    /// Its pattern's text, if it has one.
    pub pattern: Option<String>,
    /// Days that it keeps events; 0: for ever.
    pub retention_days: u32,
    /// Its state as AWS writes it.
    pub state: String,
    /// Events in it, as AWS counted them within the last day.
    pub events: u64,
    /// Their size in bytes, likewise.
    pub bytes: u64,
}

/// A target that PutTargets or RemoveTargets failed on. AWS answers 200 all the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailedEntry {
    /// The target's Id.
    pub target_id: String,
    /// AWS's error code.
    pub code: String,
    /// AWS's message.
    pub message: String,
}

/// Why a call failed. The classes are what the rest decides by; nobody looks at SDK types.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    strum::IntoStaticStr,
    strum::Display,
    strum::EnumIter,
)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum ErrorClass {
    /// It is not there.
    NotFound,
    /// It is there already.
    AlreadyExists,
    /// The role may not do this.
    Denied,
    /// The role could not be assumed.
    RoleRefused,
    /// There are no base credentials, or they are not valid or expired.
    Credentials,
    /// The credentials are another account's than the one that was meant: nothing was sent.
    WrongAccount,
    /// Too many calls.
    Throttled,
    /// Somebody else was changing the same thing.
    ConcurrentModification,
    /// A quota is used up: final until it is raised.
    LimitExceeded,
    /// AWS does not take the arguments: final until the config changes.
    Invalid,
    /// An AWS service manages it.
    ManagedRule,
    /// AWS is in trouble (5xx).
    ServerError,
    /// The network failed, or no answer came in time: it may have taken effect.
    NoAnswer,
    /// What answered was not the AWS API (a proxy's page, say).
    NotAws,
    /// Anything else.
    Other,
}

impl ErrorClass {
    /// The class of an AWS error by its code, and by its HTTP status where the code is none that we know.
    pub fn of_code(code: &str, status: u16) -> Self {
        match code.trim_end_matches("Exception") {
            "ResourceNotFound"
            | "NotFound"
            | "NoSuchEntity"
            | "QueueDoesNotExist"
            | "AWS.SimpleQueueService.NonExistentQueue" => Self::NotFound,
            "ResourceAlreadyExists" => Self::AlreadyExists,
            "AccessDenied" | "NotAuthorized" | "KMSAccessDenied" => Self::Denied,
            "UnrecognizedClient"
            | "InvalidClientTokenId"
            | "ExpiredToken"
            | "InvalidSignature"
            | "SignatureDoesNotMatch"
            | "MissingAuthenticationToken"
            | "IncompleteSignature"
            | "OptInRequired" => Self::Credentials,
            "Throttling"
            | "ThrottlingException"
            | "Throttled"
            | "TooManyRequests"
            | "RequestLimitExceeded"
            | "RequestThrottled"
            | "SlowDown" => Self::Throttled,
            "ConcurrentModification" => Self::ConcurrentModification,
            "LimitExceeded" | "PolicyLengthExceeded" => Self::LimitExceeded,
            "Validation"
            | "ValidationError"
            | "InvalidEventPattern"
            | "InvalidAttributeName"
            | "InvalidAddress"
            | "IllegalStatus"
            | "InvalidState"
            | "OperationDisabled"
            | "Serialization"
            | "MalformedQueryString" => Self::Invalid,
            "ManagedRule" => Self::ManagedRule,
            "Internal"
            | "InternalFailure"
            | "InternalError"
            | "InternalServer"
            | "InternalServerError"
            | "ServiceUnavailable" => Self::ServerError,
            _ if status == 429 => Self::Throttled,
            _ if status >= 500 => Self::ServerError,
            _ if status == 403 => Self::Denied,
            _ => Self::Other,
        }
    }

    /// Whether the same call may work later without anybody doing anything.
    pub fn is_transient(self) -> bool {
        match self {
            Self::Throttled | Self::ConcurrentModification | Self::ServerError | Self::NoAnswer | Self::NotAws => true,
            Self::NotFound
            | Self::AlreadyExists
            | Self::Denied
            | Self::RoleRefused
            | Self::Credentials
            | Self::WrongAccount
            | Self::LimitExceeded
            | Self::Invalid
            | Self::ManagedRule
            | Self::Other => false,
        }
    }

    /// What a person can do about it.
    pub fn mend(self) -> &'static str {
        match self {
            Self::NotFound => "look whether somebody removed it meanwhile; the next plan sees what is there",
            Self::AlreadyExists => "somebody made it meanwhile; the next plan sees it",
            Self::Denied => {
                "give the operator role this action (deploy/), and look for an SCP or a key policy that denies it"
            }
            Self::RoleRefused => "look at the role's name, its trust policy and the external id in wheelwright.toml",
            Self::Credentials => "sign in again, or look at AWS_PROFILE and the other sources of credentials",
            Self::WrongAccount => {
                "look at the account's id in the roster: the role that answered is in another account"
            }
            Self::Throttled => "others use the same 50 calls a second; lower calls-per-second, or wait",
            Self::ConcurrentModification => "somebody else is writing there; the next sweep tries again",
            Self::LimitExceeded => "raise the quota at AWS, or ask for less in the topology",
            Self::Invalid => "AWS does not take this: the message says what; correct the topology",
            Self::ManagedRule => "an AWS service manages this rule: choose another name",
            Self::ServerError => "AWS is in trouble; the next sweep tries again",
            Self::NoAnswer => "look at the network, the Region and the endpoint; the next sweep tries again",
            Self::NotAws => {
                "something between here and AWS answered instead of it, or cut the answer off: look at proxies and the endpoint; the next sweep tries again"
            }
            Self::Other => "the message is all that is known",
        }
    }
}

/// A failed call.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct CallError {
    /// What kind of failure.
    pub class: ErrorClass,
    /// Where.
    pub scope: Scope,
    /// The IAM action that failed: the call's own, `sts:AssumeRole` or `sts:GetCallerIdentity`.
    pub action: String,
    /// AWS's error code, if AWS answered.
    pub code: Option<String>,
    /// What AWS or the network said.
    pub message: String,
    /// AWS's name for the request, to ask its support with.
    pub request_id: Option<String>,
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} in {}: {}", self.action, self.scope, self.class)?;
        if let Some(code) = &self.code {
            write!(f, " ({code})")?;
        }
        write!(f, ": {}", self.message)?;
        if let Some(request) = &self.request_id {
            write!(f, " [request {request}]")?;
        }
        Ok(())
    }
}
