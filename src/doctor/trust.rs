//! Whether a policy lets EventBridge do something for each of our rules, and if not, why not.

use crate::eventbridge::policy::{BusPolicy, Decision, Effect, Principal, Scope as Names, ServiceRequest, Statement};
use crate::model::resource::RuleId;

/// The service that assumes delivery roles and sends dead letters.
const EVENTBRIDGE: &str = "events.amazonaws.com";

/// What a policy says to EventBridge about one action for some rules: none if it lets it for all of them.
pub(super) fn objection<'a>(
    policy: &BusPolicy,
    action: &str,
    resource: &str,
    rules: impl Iterator<Item = &'a RuleId>,
) -> Option<String> {
    let mut kept_out: Vec<(String, Decision)> = Vec::new();
    let mut asked = 0_usize;
    for rule in rules {
        asked += 1;
        let source_arn = rule.arn();
        let request = ServiceRequest { service: EVENTBRIDGE, action, resource, source_arn: &source_arn };
        let decision = policy.evaluate_service(&request);
        if !decision.is_allowed() {
            kept_out.push((source_arn, decision));
        }
    }
    let (first, decision) = kept_out.first()?;
    let whom = match kept_out.len() {
        1 => first.clone(),
        all if all == asked => format!("all {all} of our rules here, {first} for one"),
        some => format!("{some} of our {asked} rules here, {first} for one"),
    };
    Some(match decision {
        Decision::ExplicitDeny { sid, unknown } if unknown.is_empty() => {
            format!("a statement{} denies {EVENTBRIDGE} {action} for {whom}", named(sid.as_deref()))
        }
        Decision::ExplicitDeny { sid, unknown } => format!(
            "a statement{} may deny {EVENTBRIDGE} {action} for {whom}: {} is not understood here",
            named(sid.as_deref()),
            unknown.join(", ")
        ),
        Decision::ImplicitDeny { .. } | Decision::Allow { .. } => not_let_in(policy, action, &whom),
    })
}

fn named(sid: Option<&str>) -> String {
    sid.map(|sid| format!(" ({sid})")).unwrap_or_default()
}

/// Nothing lets EventBridge in: because nobody speaks of it, or because of what is asked besides.
fn not_let_in(policy: &BusPolicy, action: &str, whom: &str) -> String {
    let speaks_of_it = |statement: &&Statement| {
        let Names::Only(principals) = &statement.principals else { return false };
        let is_meant = |principal: &Principal| matches!(principal, Principal::Service(name) if name == EVENTBRIDGE);
        statement.effect == Effect::Allow && principals.iter().any(is_meant)
    };
    let Some(statement) = policy.statements.iter().find(speaks_of_it) else {
        return format!("no statement lets {EVENTBRIDGE} {action}");
    };
    let conditions: Vec<String> = statement
        .conditions
        .iter()
        .flat_map(|(operator, keys)| keys.iter().map(move |(key, values)| (operator, key, values)))
        .map(|(operator, key, values)| {
            format!("{key} {operator} {}", values.iter().cloned().collect::<Vec<_>>().join(" | "))
        })
        .collect();
    let only = match conditions.as_slice() {
        [] => "other actions or resources".to_owned(),
        conditions => format!("what has {}", conditions.join(" and ")),
    };
    format!("{EVENTBRIDGE} is let in for {only} alone, which keeps out {whom}")
}
