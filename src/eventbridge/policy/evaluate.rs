//! What a bus policy says to one `PutEvents` entry.
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

pub(super) fn evaluate(statements: &[Statement], request: &PutEventsRequest<'_>) -> Decision {
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

fn applies(statement: &Statement, request: &PutEventsRequest<'_>) -> Truth {
    let action = |pattern: &String| glob(&pattern.to_ascii_lowercase(), "events:putevents").into();
    let resource = |pattern: &String| text_like(pattern, request.bus_arn);
    let mut truth = in_scope(&statement.principals, |one| is_principal(one, request))
        .and(in_scope(&statement.actions, action))
        .and(in_scope(&statement.resources, resource));
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

fn is_principal(principal: &Principal, request: &PutEventsRequest<'_>) -> Truth {
    let caller = &request.caller;
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

/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html>
fn condition(operator: &str, key: &str, values: &BTreeSet<String>, request: &PutEventsRequest<'_>) -> Truth {
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
    let actual = match key_value(key, request) {
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

/// The request's value for a condition key; `None` when the request has none. Keys do not mind case.
fn key_value(key: &str, request: &PutEventsRequest<'_>) -> Result<Option<String>, Truth> {
    let source_arn = request.source_arn.map(str::to_owned);
    Ok(match key.to_ascii_lowercase().as_str() {
        "aws:principalorgid" => request.organization.map(str::to_owned),
        "aws:principalaccount" => Some(request.caller.account.clone()),
        "aws:principalarn" => match &request.caller.arn {
            Some(arn) => Some(arn.clone()),
            None => return Err(Truth::unknown("the caller's `aws:PrincipalArn`")),
        },
        "aws:sourcearn" => source_arn,
        "aws:sourceaccount" => source_arn.and_then(|arn| arn.parse::<Arn>().ok()).map(|arn| arn.account),
        "events:source" => Some(request.source.to_owned()),
        "events:detail-type" => Some(request.detail_type.to_owned()),
        "events:eventbusinvocation" => Some(request.forwarded.to_string()),
        _ => return Err(Truth::unknown(format!("condition key `{key}`"))),
    })
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
