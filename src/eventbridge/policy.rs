//! Resource policies of event buses: reading, writing, comparing and evaluating them; and what the policies of roles and
//! queues say to EventBridge.
//!
//! Knows the IAM policy language as far as these policies use it, the forms in which AWS returns what was put, which
//! `PutEvents` a policy lets through, and what it lets a service do for a rule. Does not know which policy a bus should
//! have, nor the callers' own policies.
//!
//! ```
//! use wheelwright::eventbridge::{BusPolicy, Statement};
//! let bus = "arn:aws:events:us-east-1:111111111111:event-bus/org-events";
//! let written = Statement::account_grant("payments", "aws", "222222222222", bus);
//! let read = BusPolicy::parse(&format!(
//!     r#"{{"Version":"2012-10-17","Statement":{{"Sid":"payments","Effect":"Allow","Principal":{{"AWS":"222222222222"}},
//!         "Action":["events:PutEvents"],"Resource":"{bus}"}}}}"#
//! ))?;
//! assert_eq!(read.statement("payments"), Some(&written));
//! # Ok::<(), wheelwright::eventbridge::PolicyError>(())
//! ```

mod evaluate;
mod text;

pub use evaluate::{ArnOrAccount, Decision, PutEventsRequest, ServiceRequest};

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// A bus's resource policy. Equality is equality of meaning: the order of statements carries none.
#[derive(Debug, Clone, Default)]
pub struct BusPolicy {
    /// The statements in the order they were read. AWS puts new ones in front.
    pub statements: Vec<Statement>,
}

impl BusPolicy {
    /// Reads a policy document.
    ///
    /// # Errors
    /// Says what is no policy, and in which statement (counted from 0).
    pub fn parse(text: &str) -> Result<Self, PolicyError> {
        text::read_policy(text)
    }

    /// Reads a role's trust policy, whose statements name no resource: they are about the role.
    ///
    /// # Errors
    /// Says what is no policy, and in which statement (counted from 0).
    pub fn parse_trust(text: &str) -> Result<Self, PolicyError> {
        text::read_trust_policy(text)
    }

    /// The statement with an id.
    #[must_use]
    pub fn statement(&self, sid: &str) -> Option<&Statement> {
        self.statements.iter().find(|statement| statement.sid.as_deref() == Some(sid))
    }

    /// The text that AWS returns on read: compact, members in AWS's order, one-element lists as scalars, accounts as
    /// root ARNs.
    #[must_use]
    pub fn to_aws_text(&self) -> String {
        text::write_policy(&self.statements).to_string()
    }

    /// Characters that count against [`POLICY_CHARACTERS`](super::quota::POLICY_CHARACTERS): those of the text without
    /// whitespace between its members, which is the form it is written in here.
    #[must_use]
    pub fn normalised_length(&self) -> usize {
        self.to_aws_text().chars().count()
    }

    /// What the policy says to a `PutEvents`. The caller's own policies are not considered.
    /// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html>
    #[must_use]
    pub fn evaluate(&self, request: &PutEventsRequest<'_>) -> Decision {
        evaluate::put_events(&self.statements, request)
    }

    /// What the policy says to a service that acts for something in an account.
    #[must_use]
    pub fn evaluate_service(&self, request: &ServiceRequest<'_>) -> Decision {
        evaluate::service_call(&self.statements, request)
    }
}

impl PartialEq for BusPolicy {
    fn eq(&self, other: &Self) -> bool {
        let set = |policy: &Self| policy.statements.iter().cloned().collect::<BTreeSet<_>>();
        set(self) == set(other)
    }
}

impl Eq for BusPolicy {}

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
    /// Members that are not known here, as compact JSON.
    pub unknown: BTreeMap<String, String>,
}

impl Statement {
    /// What `PutPermission` writes for a twelve-digit account.
    #[must_use]
    pub fn account_grant(sid: &str, partition: &str, account: &str, bus_arn: &str) -> Self {
        let account = Principal::Account { partition: partition.to_owned(), account: account.to_owned() };
        Self::grant(sid, account, bus_arn, Conditions::new())
    }

    /// What `PutPermission` writes for `*` with an organisation as its condition.
    #[must_use]
    pub fn organization_grant(sid: &str, org_id: &str, bus_arn: &str) -> Self {
        let member = BTreeMap::from([("aws:PrincipalOrgID".to_owned(), BTreeSet::from([org_id.to_owned()]))]);
        let conditions = Conditions::from([("StringEquals".to_owned(), member)]);
        Self::grant(sid, Principal::Everyone, bus_arn, conditions)
    }

    /// Reads one statement.
    ///
    /// # Errors
    /// Says which member is missing or of the wrong kind.
    pub fn from_value(value: &Value) -> Result<Self, PolicyError> {
        text::read_statement(value).map_err(|reason| PolicyError { reason, statement: None })
    }

    /// The statement as AWS returns it.
    #[must_use]
    pub fn to_value(&self) -> Value {
        text::write_statement(self)
    }

    /// Whether a principal of it was deleted. It stays dead when a role of the same name comes back, and putting the
    /// same statement again does not mend it: it has to be removed and added.
    /// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html>
    #[must_use]
    pub fn has_dead_principal(&self) -> bool {
        let (Scope::Only(principals) | Scope::AllBut(principals)) = &self.principals;
        principals.iter().any(|principal| matches!(principal, Principal::Dead(_)))
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
}

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
    /// A whole account, spelt as twelve digits or as its root ARN.
    Account {
        /// The partition that the root ARN is written in.
        partition: String,
        /// Twelve digits.
        account: String,
    },
    /// The ARN of a role, user or session.
    Arn(String),
    /// A principal that was deleted, of which the unique id (`AROA…`, `AIDA…`) is left.
    Dead(String),
    /// A service, such as `events.amazonaws.com`.
    Service(String),
    /// Of a kind that is not known here (`Federated`, `CanonicalUser`).
    Other {
        /// The kind.
        kind: String,
        /// The value.
        value: String,
    },
}

/// What a statement names: the things themselves, or by a `Not…` member everything but them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope<T: Ord> {
    /// `Principal`, `Action`, `Resource`.
    Only(BTreeSet<T>),
    /// `NotPrincipal`, `NotAction`, `NotResource`.
    AllBut(BTreeSet<T>),
}

/// Operator → condition key → values.
pub type Conditions = BTreeMap<String, BTreeMap<String, BTreeSet<String>>>;

/// A text that is not a policy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the policy cannot be read: {reason}{}; look at the permissions there and correct that statement",
    .statement.map(|index| format!(" (statement {index}, counted from 0)")).unwrap_or_default())]
pub struct PolicyError {
    /// What is wrong.
    pub reason: String,
    /// Which statement it is in, counted from 0.
    pub statement: Option<usize>,
}

#[cfg(test)]
mod tests;
