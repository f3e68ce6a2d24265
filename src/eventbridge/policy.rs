//! Resource policies of event buses: reading, comparing and evaluating them.

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Whether a statement allows or denies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Effect {
    /// Allows what it names.
    Allow,
    /// Denies what it names, whatever else allows it.
    Deny,
}

/// One principal of a statement, normalised.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Principal {
    /// Everybody: `"*"` and `{"AWS": "*"}`, which mean the same.
    Everyone,
    /// A whole account, however it was spelt.
    Account(String),
    /// A role, user or session ARN.
    Arn(String),
    /// A principal that was deleted: its unique id (`AROA…`, `AIDA…`) is left.
    Dead(String),
    /// A service, such as `events.amazonaws.com`.
    Service(String),
    /// A kind that is not known here (`Federated`, `CanonicalUser`): kind and value.
    Other(String, String),
}

/// Members of a statement that can be named or excluded: `Action` or `NotAction`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope<T: Ord> {
    /// The positive form.
    Only(BTreeSet<T>),
    /// The `Not…` form.
    AllBut(BTreeSet<T>),
}

/// Operator → key → values.
pub type Conditions = BTreeMap<String, BTreeMap<String, BTreeSet<String>>>;

/// One statement of a policy, normalised, so that equality is equality of meaning.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Statement {
    /// The statement's id.
    pub sid: Option<String>,
    /// Allow or deny.
    pub effect: Effect,
    /// `Principal` or `NotPrincipal`.
    pub principals: Scope<Principal>,
    /// `Action` or `NotAction`.
    pub actions: Scope<String>,
    /// `Resource` or `NotResource`.
    pub resources: Scope<String>,
    /// What has to hold besides.
    pub conditions: Conditions,
    /// Elements that are not known here, as they were.
    pub unknown: BTreeMap<String, String>,
}

impl Statement {
    /// What `PutPermission`'s shorthand writes for an account.
    #[must_use]
    pub fn account_grant(sid: &str, partition: &str, account: &str, bus_arn: &str) -> Self {
        let _ = partition;
        Self::grant(sid, Principal::Account(account.to_owned()), bus_arn, Conditions::new())
    }
    /// What `PutPermission`'s shorthand writes for an organisation.
    #[must_use]
    pub fn organization_grant(sid: &str, org_id: &str, bus_arn: &str) -> Self {
        let conditions =
            [("StringEquals".to_owned(), [("aws:PrincipalOrgID".to_owned(), [org_id.to_owned()].into())].into())]
                .into();
        Self::grant(sid, Principal::Everyone, bus_arn, conditions)
    }
    fn grant(sid: &str, principal: Principal, bus_arn: &str, conditions: Conditions) -> Self {
        Self {
            sid: Some(sid.to_owned()),
            effect: Effect::Allow,
            principals: Scope::Only([principal].into()),
            actions: Scope::Only(["events:PutEvents".to_owned()].into()),
            resources: Scope::Only([bus_arn.to_owned()].into()),
            conditions,
            unknown: BTreeMap::new(),
        }
    }
    /// Reads one statement.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn from_value(value: &Value) -> Result<Self, PolicyError> {
        Err(PolicyError { reason: format!("not yet: {value}"), statement: None })
    }
    /// The statement as AWS returns it.
    #[must_use]
    pub fn to_value(&self) -> Value {
        Value::Null
    }
    /// Whether a principal of it was deleted, which only removing and adding the statement mends.
    #[must_use]
    pub fn has_dead_principal(&self) -> bool {
        false
    }
}

/// A bus's resource policy. Equality is equality of meaning: the order of statements carries none.
#[derive(Debug, Clone, Default)]
pub struct BusPolicy {
    /// The statements in the order they were read.
    pub statements: Vec<Statement>,
}

impl PartialEq for BusPolicy {
    fn eq(&self, other: &Self) -> bool {
        self.statements == other.statements
    }
}
impl Eq for BusPolicy {}

impl BusPolicy {
    /// Reads a policy.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, PolicyError> {
        Err(PolicyError { reason: format!("not yet: {text}"), statement: None })
    }
    /// The statement with an id.
    #[must_use]
    pub fn statement(&self, sid: &str) -> Option<&Statement> {
        self.statements.iter().find(|statement| statement.sid.as_deref() == Some(sid))
    }
    /// The text that AWS returns on read.
    #[must_use]
    pub fn to_aws_text(&self) -> String {
        String::new()
    }
    /// Characters that count against the quota.
    #[must_use]
    pub fn normalised_length(&self) -> usize {
        self.to_aws_text().chars().count()
    }
    /// What the policy says to a `PutEvents`.
    #[must_use]
    pub fn evaluate(&self, _request: &PutEventsRequest<'_>) -> Decision {
        Decision::ImplicitDeny { unknown: Vec::new() }
    }
}

/// Who calls: an account, and the role or user within it if that is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArnOrAccount {
    /// The caller's twelve-digit account.
    pub account: String,
    /// The ARN of the role (or user) that calls.
    pub arn: Option<String>,
}

/// One `PutEvents` entry as a policy sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PutEventsRequest<'a> {
    /// Who calls.
    pub caller: ArnOrAccount,
    /// The organisation of the caller's account.
    pub organization: Option<&'a str>,
    /// The bus that is called.
    pub bus_arn: &'a str,
    /// The event's source.
    pub source: &'a str,
    /// The event's detail-type.
    pub detail_type: &'a str,
    /// The rule that forwards, if one does.
    pub source_arn: Option<&'a str>,
    /// Whether a rule forwards it from another bus.
    pub forwarded: bool,
}

/// What a policy says. `unknown` names the parts of statements that were not understood and so were taken the safe
/// way: an Allow as not allowing, a Deny as denying.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// A statement allows and none denies.
    Allow {
        /// The allowing statement's id.
        sid: Option<String>,
    },
    /// A statement denies.
    ExplicitDeny {
        /// The denying statement's id.
        sid: Option<String>,
        /// What was not understood.
        unknown: Vec<String>,
    },
    /// No statement allows.
    ImplicitDeny {
        /// What was not understood.
        unknown: Vec<String>,
    },
}

impl Decision {
    /// Whether the call goes through.
    #[must_use]
    pub fn is_allowed(&self) -> bool {
        matches!(self, Self::Allow { .. })
    }
}

/// A text that is not a policy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the bus policy cannot be read: {reason}")]
pub struct PolicyError {
    /// What is wrong.
    pub reason: String,
    /// Index of the statement, if it is in one.
    pub statement: Option<usize>,
}
