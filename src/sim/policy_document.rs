//! Resource policies of queues: who may send, by principal and by the rule that sends.
//!
//! Knows `Allow` and `Deny`, principals (account, root ARN, role ARN, service, `*`), and the conditions on
//! `aws:SourceArn` and `aws:SourceAccount`. A condition that it does not know never holds.
//!
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html>

use serde_json::Value;

/// What asks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asker<'a> {
    /// The ARN of a role or an account's root, or a service's name.
    pub(super) principal: &'a str,
    /// The principal's account; none for a service.
    pub(super) account: Option<&'a str>,
    /// The rule on whose behalf, if any.
    pub(super) source_arn: Option<&'a str>,
    /// The rule's account, if any.
    pub(super) source_account: Option<&'a str>,
}

/// Whether a policy allows an action on a resource to someone.
pub(super) fn allows(policy: &Value, action: &str, resource: &str, asker: Asker<'_>) -> bool {
    let statements = as_list(policy.get("Statement"));
    let applies = |statement: &&Value, effect: &str| {
        statement.get("Effect").and_then(Value::as_str) == Some(effect)
            && matches_any(statement.get("Action"), action)
            && matches_any(statement.get("Resource"), resource)
            && names(statement.get("Principal"), asker)
            && conditions_hold(statement.get("Condition"), asker)
    };
    !statements.iter().any(|statement| applies(statement, "Deny"))
        && statements.iter().any(|statement| applies(statement, "Allow"))
}

/// `*` and `?` as IAM knows them.
pub(super) fn glob(pattern: &str, text: &str) -> bool {
    let pattern: Vec<char> = pattern.chars().collect();
    let mut reached = vec![false; pattern.len() + 1];
    advance_stars(&pattern, &mut reached, 0);
    for character in text.chars() {
        let mut next = vec![false; pattern.len() + 1];
        for (place, expected) in pattern.iter().enumerate() {
            if !reached.get(place).copied().unwrap_or(false) {
                continue;
            }
            if *expected == '*' {
                advance_stars(&pattern, &mut next, place);
            } else if *expected == '?' || *expected == character {
                advance_stars(&pattern, &mut next, place + 1);
            }
        }
        reached = next;
    }
    reached.last().copied().unwrap_or(false)
}

/// Marks a place as reached, and all places behind it that stars let it reach for nothing.
fn advance_stars(pattern: &[char], reached: &mut [bool], from: usize) {
    let mut place = from;
    loop {
        if let Some(slot) = reached.get_mut(place) {
            *slot = true;
        }
        if pattern.get(place) != Some(&'*') {
            return;
        }
        place += 1;
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
    as_list(patterns)
        .into_iter()
        .filter_map(Value::as_str)
        .any(|pattern| glob(&pattern.to_ascii_lowercase(), &text.to_ascii_lowercase()))
}

fn names(principal: Option<&Value>, asker: Asker<'_>) -> bool {
    match principal {
        Some(Value::String(text)) => text == "*",
        Some(Value::Object(kinds)) => kinds.iter().any(|(kind, members)| {
            as_list(Some(members)).into_iter().filter_map(Value::as_str).any(|member| match kind.as_str() {
                "AWS" => member == "*" || names_aws(member, asker),
                "Service" => asker.account.is_none() && member == asker.principal,
                _ => false,
            })
        }),
        _ => false,
    }
}

fn names_aws(member: &str, asker: Asker<'_>) -> bool {
    let Some(account) = asker.account else {
        return false;
    };
    member == account || member == asker.principal || member == format!("arn:aws:iam::{account}:root")
}

fn conditions_hold(conditions: Option<&Value>, asker: Asker<'_>) -> bool {
    let Some(operators) = conditions.and_then(Value::as_object) else {
        return true;
    };
    operators.iter().all(|(operator, keys)| {
        keys.as_object()
            .is_some_and(|keys| keys.iter().all(|(key, expected)| condition_holds(operator, key, expected, asker)))
    })
}

fn condition_holds(operator: &str, key: &str, expected: &Value, asker: Asker<'_>) -> bool {
    let actual = match key.to_ascii_lowercase().as_str() {
        "aws:sourcearn" => asker.source_arn,
        "aws:sourceaccount" => asker.source_account,
        "aws:principalaccount" => asker.account,
        _ => None,
    };
    let Some(actual) = actual else {
        return false;
    };
    as_list(Some(expected)).into_iter().filter_map(Value::as_str).any(|expected| match operator {
        "ArnLike" | "ArnEquals" | "StringLike" => glob(expected, actual),
        "StringEquals" => expected == actual,
        _ => false,
    })
}

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
        let asker = |source_arn| Asker {
            principal: "events.amazonaws.com",
            account: None,
            source_arn: Some(source_arn),
            source_account: None,
        };
        let queue = "arn:aws:sqs:us-east-1:1:q";
        let send = "sqs:SendMessage";
        assert!(allows(&policy, send, queue, asker("arn:aws:events:us-east-1:1:rule/r")));
        assert!(!allows(&policy, send, queue, asker("arn:aws:events:us-east-1:1:rule/other")));
        assert!(!allows(&policy, "sqs:DeleteQueue", queue, asker("arn:aws:events:us-east-1:1:rule/r")));
    }

    #[test]
    fn a_condition_that_is_not_known_never_holds() {
        let policy = json!({"Statement": {
            "Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*",
            "Condition": {"StringEquals": {"aws:PrincipalTag/team": "x"}},
        }});
        let asker =
            Asker { principal: "arn:aws:iam::1:root", account: Some("1"), source_arn: None, source_account: None };
        assert!(!allows(&policy, "sqs:SendMessage", "q", asker));
    }
}
