//! Resource policies of queues, keys and, for everything but PutEvents, buses: what a document says to somebody.
//!
//! Knows `Allow` and `Deny`, principals (account, root ARN, role ARN, service, `*`), the usual condition operators and
//! the condition keys that an [`Asker`] brings. A condition on anything else is doubtful: it keeps an Allow from
//! allowing and does not keep a Deny from denying.
//!
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html>

use std::collections::BTreeMap;

use serde_json::Value;

/// Who asks, with what the conditions of a policy may look at.
#[derive(Debug, Clone)]
pub(super) struct Asker {
    /// The ARN of a role or an account's root, or a service's name.
    principal: String,
    kind: Kind,
    /// Condition keys in small letters.
    keys: BTreeMap<String, Vec<String>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    Service,
    /// Somebody of an account.
    Account(String),
    /// The very same, where what a policy grants to the account as a whole does not count.
    Alone,
}

impl Asker {
    /// An AWS service.
    pub(super) fn service(name: &str) -> Self {
        let asker = Self { principal: name.to_owned(), kind: Kind::Service, keys: BTreeMap::new() };
        asker.with("aws:SecureTransport", "true")
    }

    /// A role or the root user of an account.
    pub(super) fn of_account(account: &str, principal: &str) -> Self {
        let asker =
            Self { principal: principal.to_owned(), kind: Kind::Account(account.to_owned()), keys: BTreeMap::new() };
        // Services and SDKs come by TLS.
        let asker = asker.with("aws:SecureTransport", "true");
        asker.with("aws:PrincipalAccount", account).with("aws:PrincipalArn", principal)
    }

    /// The same, as somebody that policies have to name by the very ARN or as everybody.
    pub(super) fn alone(&self) -> Self {
        Self { kind: Kind::Alone, ..self.clone() }
    }

    /// Adds a value of a condition key.
    pub(super) fn with(mut self, key: &str, value: &str) -> Self {
        self.keys.entry(key.to_ascii_lowercase()).or_default().push(value.to_owned());
        self
    }

    /// Adds the value of a condition key, where there is one. Where there is none the key is known and absent.
    pub(super) fn with_optional(mut self, key: &str, value: Option<&str>) -> Self {
        self.keys.entry(key.to_ascii_lowercase()).or_default().extend(value.map(str::to_owned));
        self
    }
}

/// Whether a policy allows an action on a resource to somebody.
pub(super) fn allows(policy: &Value, action: &str, resource: &str, asker: &Asker) -> bool {
    decide(&statements(policy), action, resource, asker) == Some(true)
}

/// The statements of a policy.
pub(super) fn statements(policy: &Value) -> Vec<&Value> {
    as_list(policy.get("Statement"))
}

/// What statements say: allowed, denied, or nothing.
pub(super) fn decide(statements: &[&Value], action: &str, resource: &str, asker: &Asker) -> Option<bool> {
    let applies = |statement: &Value, effect: &str, in_doubt: bool| {
        statement.get("Effect").and_then(Value::as_str) == Some(effect)
            && matches_any(statement.get("Action"), action)
            && matches_any(statement.get("Resource"), resource)
            && names(statement.get("Principal"), asker)
            && conditions_hold(statement.get("Condition"), asker).unwrap_or(in_doubt)
    };
    if statements.iter().any(|statement| applies(statement, "Deny", true)) {
        return Some(false);
    }
    statements.iter().any(|statement| applies(statement, "Allow", false)).then_some(true)
}

/// `*` and `?` as IAM knows them.
pub(super) fn glob(pattern: &str, text: &str) -> bool {
    let (mut pattern, mut text) = (pattern.chars(), text.chars());
    // What follows the last star, and the text from which on it was tried.
    let mut star = None;
    loop {
        let (mut pattern_after, mut text_after) = (pattern.clone(), text.clone());
        match (pattern_after.next(), text_after.next()) {
            (Some('*'), _) => {
                star = Some((pattern_after.clone(), text.clone()));
                pattern = pattern_after;
            }
            (Some(expected), Some(found)) if expected == '?' || expected == found => {
                (pattern, text) = (pattern_after, text_after);
            }
            (None, None) => return true,
            _ => {
                // The star takes one character more.
                let Some((after, mut tried)) = star else { return false };
                if tried.next().is_none() {
                    return false;
                }
                (pattern, text) = (after.clone(), tried.clone());
                star = Some((after, tried));
            }
        }
    }
}

fn as_list(value: Option<&Value>) -> Vec<&Value> {
    match value {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Array(members)) => members.iter().collect(),
        Some(single) => vec![single],
    }
}

fn matches_any(patterns: Option<&Value>, text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    let mut patterns = as_list(patterns).into_iter().filter_map(Value::as_str);
    patterns.any(|pattern| glob(&pattern.to_ascii_lowercase(), &text))
}

fn names(principal: Option<&Value>, asker: &Asker) -> bool {
    match principal {
        Some(Value::String(text)) => text == "*",
        Some(Value::Object(kinds)) => kinds.iter().any(|(kind, members)| {
            as_list(Some(members)).into_iter().filter_map(Value::as_str).any(|member| match kind.as_str() {
                "AWS" => member == "*" || names_aws(member, asker),
                "Service" => asker.kind == Kind::Service && member == asker.principal,
                _ => false,
            })
        }),
        _ => false,
    }
}

fn names_aws(member: &str, asker: &Asker) -> bool {
    match &asker.kind {
        Kind::Service => false,
        Kind::Alone => member == asker.principal,
        Kind::Account(account) => {
            // Accounts have one number in one partition alone, so any partition's root ARN names it.
            member == account || member == asker.principal || member.ends_with(&format!(":iam::{account}:root"))
        }
    }
}

/// Whether all conditions hold; none where that cannot be known here.
fn conditions_hold(conditions: Option<&Value>, asker: &Asker) -> Option<bool> {
    let mut doubtful = false;
    for (operator, keys) in conditions.and_then(Value::as_object).into_iter().flatten() {
        for (key, expected) in keys.as_object().into_iter().flatten() {
            match condition_holds(operator, key, &as_list(Some(expected)), asker) {
                Some(true) => {}
                Some(false) => return Some(false),
                None => doubtful = true,
            }
        }
    }
    (!doubtful).then_some(true)
}

/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html>
fn condition_holds(operator: &str, key: &str, expected: &[&Value], asker: &Asker) -> Option<bool> {
    let (quantifier, plain) = operator.split_once(':').unwrap_or(("", operator));
    let (plain, if_exists) = plain.strip_suffix("IfExists").map_or((plain, false), |plain| (plain, true));
    let (base, is_negated) = match plain.split_once("Not") {
        Some((before, after)) => (format!("{before}{after}"), true),
        None => (plain.to_owned(), false),
    };
    if !["", "ForAnyValue", "ForAllValues"].contains(&quantifier) || !OPERATORS.contains(&base.as_str()) {
        return None;
    }
    let actual = asker.keys.get(&key.to_ascii_lowercase())?;
    let expected: Vec<String> = expected.iter().map(|value| filled(&text_of(value), asker)).collect();
    if base == "Null" {
        return Some(expected.iter().any(|wanted| (wanted == "true") == actual.is_empty()));
    }
    if actual.is_empty() {
        return Some(if_exists || is_negated || quantifier == "ForAllValues");
    }
    let one = |actual: &String| expected.iter().any(|wanted| compares(&base, wanted, actual)) != is_negated;
    Some(match quantifier {
        "ForAllValues" => actual.iter().all(one),
        _ => actual.iter().any(one),
    })
}

fn compares(base: &str, wanted: &str, actual: &str) -> bool {
    match base {
        "StringEquals" => wanted == actual,
        "Bool" | "StringEqualsIgnoreCase" => wanted.eq_ignore_ascii_case(actual),
        _ => glob(wanted, actual),
    }
}

fn text_of(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// A value with its policy variables filled in, such as `${aws:PrincipalAccount}`; one that is not known stays.
fn filled(text: &str, asker: &Asker) -> String {
    let mut filled = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        let Some((name, after)) = after.split_once('}') else { break };
        filled.push_str(before);
        match asker.keys.get(&name.to_ascii_lowercase()).and_then(|values| values.first()) {
            Some(value) => filled.push_str(value),
            None => filled.push_str(&format!("${{{name}}}")),
        }
        rest = after;
    }
    filled + rest
}

const OPERATORS: [&str; 7] =
    ["StringEquals", "StringEqualsIgnoreCase", "StringLike", "ArnEquals", "ArnLike", "Bool", "Null"];

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn stars_and_question_marks_match_as_in_iam() {
        for (pattern, text, expected) in [
            ("*", "", true),
            ("events:Put*", "events:PutRule", true),
            ("events:Put*", "events:Putt", true),
            ("events:Put?", "events:Put", false),
            ("a*b*c", "aXXbYYc", true),
            ("a*b*c", "aXXbYY", false),
            ("a*bc", "abXbcbc", true),
            ("a*b?", "abbéb", false),
            ("**", "x", true),
            ("a", "aa", false),
        ] {
            assert_eq!(glob(pattern, text), expected, "{pattern} on {text}");
        }
    }

    #[test]
    fn a_service_is_let_in_only_for_the_rule_that_the_condition_names() {
        let policy = json!({"Statement": [{
            "Effect": "Allow",
            "Principal": {"Service": "events.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": "arn:aws:sqs:us-east-1:1:q",
            "Condition": {"ArnEquals": {"aws:SourceArn": "arn:aws:events:us-east-1:1:rule/r"}},
        }]});
        let asker = |source_arn| Asker::service("events.amazonaws.com").with("aws:SourceArn", source_arn);
        let queue = "arn:aws:sqs:us-east-1:1:q";
        let send = "sqs:SendMessage";
        assert!(allows(&policy, send, queue, &asker("arn:aws:events:us-east-1:1:rule/r")));
        assert!(!allows(&policy, send, queue, &asker("arn:aws:events:us-east-1:1:rule/other")));
        assert!(!allows(&policy, "sqs:DeleteQueue", queue, &asker("arn:aws:events:us-east-1:1:rule/r")));
    }

    #[test]
    fn a_condition_that_is_not_known_allows_nothing_and_denies() {
        let policy = |effect: &str| {
            json!({"Statement": [
                {"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "q"},
                {"Effect": effect, "Principal": "*", "Action": "*", "Resource": "*",
                 "Condition": {"StringEquals": {"aws:PrincipalTag/team": "x"}}},
            ]})
        };
        let asker = Asker::of_account("1", "arn:aws:iam::1:root");
        assert!(!allows(&policy("Allow"), "sqs:SendMessage", "p", &asker));
        assert!(allows(&policy("Allow"), "sqs:SendMessage", "q", &asker));
        assert!(!allows(&policy("Deny"), "sqs:SendMessage", "q", &asker));
    }

    #[test]
    fn conditions_know_negation_absence_several_values_and_variables() {
        let asker = Asker::of_account("1", "arn:aws:iam::1:role/r")
            .with("events:source", "a")
            .with("events:source", "b")
            .with_optional("events:creatorAccount", None);
        for (operator, key, value, expected) in [
            ("StringEquals", "aws:principalaccount", json!("1"), Some(true)),
            ("StringEquals", "aws:PrincipalAccount", json!("${aws:PrincipalAccount}"), Some(true)),
            ("StringNotEquals", "aws:PrincipalAccount", json!(["2", "3"]), Some(true)),
            ("StringEquals", "events:creatorAccount", json!("1"), Some(false)),
            ("StringEqualsIfExists", "events:creatorAccount", json!("1"), Some(true)),
            ("StringNotEquals", "events:creatorAccount", json!("1"), Some(true)),
            ("Null", "events:creatorAccount", json!("true"), Some(true)),
            ("Null", "events:source", json!(true), Some(false)),
            ("ForAllValues:StringEquals", "events:source", json!("a"), Some(false)),
            ("ForAllValues:StringEquals", "events:source", json!(["a", "b"]), Some(true)),
            ("ForAnyValue:StringLike", "events:source", json!("b*"), Some(true)),
            ("ArnLike", "aws:PrincipalArn", json!("arn:aws:iam::1:role/*"), Some(true)),
            ("StringEquals", "aws:PrincipalTag/team", json!("x"), None),
            ("DateGreaterThan", "aws:PrincipalAccount", json!("2020"), None),
        ] {
            let conditions = json!({operator: {key: value}});
            assert_eq!(conditions_hold(Some(&conditions), &asker), expected, "{conditions}");
        }
    }
}
