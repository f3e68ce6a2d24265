//! What a policy says to one call: a bus policy to a `PutEvents` entry, or any policy to a service that acts for a rule.
//!
//! A condition that is not understood is neither true nor false. Such a statement is taken the safe way, an Allow as
//! not allowing and a Deny as denying, and the decision says what was not understood.

use super::{Effect, Principal, Scope, Statement};
use crate::eventbridge::arn::Arn;
use std::collections::BTreeSet;

/// Who calls: an account, and the role or user in it where that is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArnOrAccount {
    /// Twelve digits.
    pub account: String,
    /// The ARN of the role or user.
    pub arn: Option<String>,
}

/// One `PutEvents` entry as a policy sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PutEventsRequest<'a> {
    /// Who calls. For a rule that forwards: its target's role.
    pub caller: ArnOrAccount,
    /// The organisation of the caller's account, if it is in one.
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

/// What an AWS service does on behalf of something in an account: EventBridge assumes a role, or sends to a queue, for a
/// rule. <https://docs.aws.amazon.com/eventbridge/latest/userguide/cross-service-confused-deputy-prevention.html>
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceRequest<'a> {
    /// The service, as `events.amazonaws.com`.
    pub service: &'a str,
    /// The IAM action, as `sqs:SendMessage`.
    pub action: &'a str,
    /// The ARN of what it is done to.
    pub resource: &'a str,
    /// The ARN of what the service acts for. Its account is the `aws:SourceAccount`.
    pub source_arn: &'a str,
}

/// What a policy says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// A statement allows and none denies.
    Allow {
        /// The allowing statement's id.
        sid: Option<String>,
    },
    /// A statement denies, or may deny.
    ExplicitDeny {
        /// The denying statement's id.
        sid: Option<String>,
        /// What was not understood; empty when the denial is certain.
        unknown: Vec<String>,
    },
    /// No statement certainly allows.
    ImplicitDeny {
        /// What was not understood in statements that might have allowed.
        unknown: Vec<String>,
    },
}

impl Decision {
    /// Whether the call certainly goes through.
    #[must_use]
    pub fn is_allowed(&self) -> bool {
        matches!(self, Self::Allow { .. })
    }
}

/// One call, as far as the members of a statement can ask about it.
trait Asked {
    /// The IAM action, in small letters.
    fn action(&self) -> String;
    fn resource(&self) -> &str;
    fn is_principal(&self, principal: &Principal) -> Truth;
    /// The value of a condition key, in whatever case; `None` when the call has none, an error when that is not known.
    fn key_value(&self, key: &str) -> Result<Option<String>, Truth>;
}

pub(super) fn put_events(statements: &[Statement], request: &PutEventsRequest<'_>) -> Decision {
    evaluate(statements, request)
}

pub(super) fn service_call(statements: &[Statement], request: &ServiceRequest<'_>) -> Decision {
    evaluate(statements, request)
}

fn evaluate(statements: &[Statement], request: &impl Asked) -> Decision {
    let mut allowed = None;
    let mut doubts = Vec::new();
    for statement in statements {
        let applies = applies(statement, request);
        match (statement.effect, applies) {
            (_, Truth::No) => {}
            (Effect::Deny, Truth::Yes) => {
                return Decision::ExplicitDeny { sid: statement.sid.clone(), unknown: Vec::new() };
            }
            (Effect::Deny, Truth::Unknown(unknown)) => {
                return Decision::ExplicitDeny { sid: statement.sid.clone(), unknown };
            }
            (Effect::Allow, Truth::Yes) => {
                allowed.get_or_insert_with(|| statement.sid.clone());
            }
            (Effect::Allow, Truth::Unknown(unknown)) => doubts.extend(unknown),
        }
    }
    match allowed {
        Some(sid) => Decision::Allow { sid },
        None => Decision::ImplicitDeny { unknown: doubts },
    }
}

/// True, false, or not understood, with what it was.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Truth {
    Yes,
    No,
    Unknown(Vec<String>),
}

impl Truth {
    fn unknown(what: impl Into<String>) -> Self {
        Self::Unknown(vec![what.into()])
    }

    fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::No, _) | (_, Self::No) => Self::No,
            (Self::Yes, truth) | (truth, Self::Yes) => truth,
            (Self::Unknown(mut one), Self::Unknown(two)) => {
                one.extend(two);
                Self::Unknown(one)
            }
        }
    }

    fn or(self, other: Self) -> Self {
        self.negated().and(other.negated()).negated()
    }

    fn negated(self) -> Self {
        match self {
            Self::Yes => Self::No,
            Self::No => Self::Yes,
            unknown @ Self::Unknown(_) => unknown,
        }
    }
}

impl From<bool> for Truth {
    fn from(truth: bool) -> Self {
        if truth { Self::Yes } else { Self::No }
    }
}

fn applies(statement: &Statement, request: &impl Asked) -> Truth {
    let mut truth = in_scope(&statement.principals, |one| request.is_principal(one));
    if truth == Truth::No {
        return truth; // Most statements are about somebody else, and nothing makes a No into anything else.
    }
    let asked = request.action();
    let action = |pattern: &String| glob(&pattern.to_ascii_lowercase(), &asked).into();
    let resource = |pattern: &String| text_like(pattern, request.resource());
    truth = truth.and(in_scope(&statement.actions, action)).and(in_scope(&statement.resources, resource));
    for (operator, keys) in &statement.conditions {
        for (key, values) in keys {
            truth = truth.and(condition(operator, key, values, request));
        }
    }
    for name in statement.unknown.keys() {
        truth = truth.and(Truth::unknown(format!("member `{name}`")));
    }
    truth
}

fn in_scope<T: Ord>(scope: &Scope<T>, names: impl Fn(&T) -> Truth) -> Truth {
    let any = |set: &BTreeSet<T>| set.iter().fold(Truth::No, |truth, member| truth.or(names(member)));
    match scope {
        Scope::Only(set) => any(set),
        Scope::AllBut(set) => any(set).negated(),
    }
}

impl Asked for PutEventsRequest<'_> {
    fn action(&self) -> String {
        "events:putevents".to_owned()
    }

    fn resource(&self) -> &str {
        self.bus_arn
    }

    fn is_principal(&self, principal: &Principal) -> Truth {
        let caller = &self.caller;
        match principal {
            Principal::Everyone => Truth::Yes,
            Principal::Account { account, .. } => (*account == caller.account).into(),
            Principal::Arn(arn) => match &caller.arn {
                Some(caller) => (arn == caller).into(),
                None if arn.parse::<Arn>().is_ok_and(|arn| arn.account != caller.account) => Truth::No,
                None => Truth::unknown(format!("whether the caller is `{arn}`")),
            },
            Principal::Dead(_) | Principal::Service(_) => Truth::No,
            Principal::Other { kind, value } => Truth::unknown(format!("principal `{value}` of kind `{kind}`")),
        }
    }

    fn key_value(&self, key: &str) -> Result<Option<String>, Truth> {
        Ok(match key.to_ascii_lowercase().as_str() {
            "aws:principalorgid" => self.organization.map(str::to_owned),
            "aws:principalaccount" => Some(self.caller.account.clone()),
            "aws:principalarn" => match &self.caller.arn {
                Some(arn) => Some(arn.clone()),
                None => return Err(Truth::unknown("the caller's `aws:PrincipalArn`")),
            },
            "aws:sourcearn" => self.source_arn.map(str::to_owned),
            "aws:sourceaccount" => self.source_arn.and_then(account_of),
            "events:source" => Some(self.source.to_owned()),
            "events:detail-type" => Some(self.detail_type.to_owned()),
            "events:eventbusinvocation" => Some(self.forwarded.to_string()),
            _ => return Err(Truth::unknown(format!("condition key `{key}`"))),
        })
    }
}

/// Services call each other over TLS, and have no account, role or organisation of their own.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html>
impl Asked for ServiceRequest<'_> {
    fn action(&self) -> String {
        self.action.to_ascii_lowercase()
    }

    fn resource(&self) -> &str {
        self.resource
    }

    fn is_principal(&self, principal: &Principal) -> Truth {
        match principal {
            Principal::Everyone => Truth::Yes,
            Principal::Service(service) => (service == self.service).into(),
            Principal::Account { .. } | Principal::Arn(_) | Principal::Dead(_) => Truth::No,
            Principal::Other { kind, value } => Truth::unknown(format!("principal `{value}` of kind `{kind}`")),
        }
    }

    fn key_value(&self, key: &str) -> Result<Option<String>, Truth> {
        Ok(match key.to_ascii_lowercase().as_str() {
            "aws:sourcearn" => Some(self.source_arn.to_owned()),
            "aws:sourceaccount" => account_of(self.source_arn),
            "aws:securetransport" | "aws:principalisawsservice" => Some("true".to_owned()),
            "aws:principalservicename" => Some(self.service.to_owned()),
            "aws:principalorgid" | "aws:principalaccount" | "aws:principalarn" | "sts:externalid" => None,
            _ => return Err(Truth::unknown(format!("condition key `{key}`"))),
        })
    }
}

fn account_of(arn: &str) -> Option<String> {
    arn.parse::<Arn>().ok().map(|arn| arn.account)
}

/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html>
fn condition(operator: &str, key: &str, values: &BTreeSet<String>, request: &impl Asked) -> Truth {
    let (quantifier, plain) = operator.split_once(':').unwrap_or(("", operator));
    let (plain, if_exists) = plain.strip_suffix("IfExists").map_or((plain, false), |plain| (plain, true));
    let (base, is_negated) = match plain.split_once("Not") {
        Some((before, after)) => (format!("{before}{after}"), true),
        None => (plain.to_owned(), false),
    };
    let known_quantifier = matches!(quantifier, "" | "ForAnyValue" | "ForAllValues");
    if !known_quantifier || !KNOWN_OPERATORS.contains(&base.as_str()) {
        return Truth::unknown(format!("condition operator `{operator}`"));
    }
    let actual = match request.key_value(key) {
        Ok(actual) => actual,
        Err(unknown) => return unknown,
    };
    let Some(actual) = actual else {
        return match (base.as_str(), quantifier) {
            ("Null", _) => values.iter().any(|value| value == "true").into(),
            (_, "ForAnyValue") => if_exists.into(),
            (_, "ForAllValues") => Truth::Yes,
            _ => (if_exists || is_negated).into(),
        };
    };
    let truth = values.iter().fold(Truth::No, |truth, value| truth.or(compare(&base, value, &actual)));
    if is_negated { truth.negated() } else { truth }
}

fn compare(base: &str, wanted: &str, actual: &str) -> Truth {
    if wanted.contains("${") {
        return Truth::unknown(format!("policy variable in `{wanted}`"));
    }
    match base {
        "StringEquals" => (wanted == actual).into(),
        "StringEqualsIgnoreCase" => (wanted.to_lowercase() == actual.to_lowercase()).into(),
        "Bool" => wanted.eq_ignore_ascii_case(actual).into(),
        "Null" => (wanted == "false").into(),
        "StringLike" => glob(wanted, actual).into(),
        // Both ARN operators compare part by part and take wildcards.
        _ => {
            let parts = |text: &str| text.splitn(6, ':').map(str::to_owned).collect::<Vec<_>>();
            let (wanted, actual) = (parts(wanted), parts(actual));
            (wanted.len() == actual.len() && wanted.iter().zip(&actual).all(|(wanted, actual)| glob(wanted, actual)))
                .into()
        }
    }
}

fn text_like(pattern: &str, text: &str) -> Truth {
    if pattern.contains("${") {
        return Truth::unknown(format!("policy variable in `{pattern}`"));
    }
    glob(pattern, text).into()
}

/// `*` stands for any text and `?` for any character. Falls back to the latest `*` only, so it takes at most the
/// product of both lengths.
fn glob(pattern: &str, text: &str) -> bool {
    if pattern == text || pattern == "*" {
        return true;
    }
    if !pattern.contains(['*', '?']) {
        return false;
    }
    let pattern: Vec<char> = pattern.chars().collect();
    let text: Vec<char> = text.chars().collect();
    let (mut at, mut position) = (0, 0);
    let mut latest: Option<(usize, usize)> = None;
    while let Some(character) = text.get(position) {
        match pattern.get(at) {
            Some('*') => {
                latest = Some((at + 1, position));
                at += 1;
            }
            Some(wanted) if *wanted == '?' || wanted == character => {
                at += 1;
                position += 1;
            }
            _ => match latest {
                Some((after, consumed)) => {
                    latest = Some((after, consumed + 1));
                    at = after;
                    position = consumed + 1;
                }
                None => return false,
            },
        }
    }
    pattern.get(at..).is_some_and(|rest| rest.iter().all(|character| *character == '*'))
}

const KNOWN_OPERATORS: [&str; 7] =
    ["StringEquals", "StringEqualsIgnoreCase", "StringLike", "ArnEquals", "ArnLike", "Bool", "Null"];
