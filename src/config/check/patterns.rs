//! Does it match: the rules' patterns are read as EventBridge reads them, so that a mistake shows here with its line
//! and not as a refused PutRule.

use crate::config::diagnostic::{Diagnostic, DiagnosticCode, Sink};
use crate::config::index::Index;
use crate::config::raw::RawSubscription;
use crate::config::source::Place;
use crate::eventbridge::{Pattern, quota};
use crate::expand::{pattern, publishing_accounts};
use crate::model::ids::SubscriptionId;
use crate::model::topology::Topology;
use serde_json::{Value, json};

pub(super) fn check(topology: &Topology, index: &Index<'_>, sink: &Sink) {
    for (id, entry) in &index.subscriptions {
        let Some(raw) = &entry.body else { continue };
        operators_as_fields(raw, sink);
        let Some((reason, path)) = fault(&pattern_of(id, raw, topology)) else { continue };
        let place = raw.filter_places.get(&path).or_else(|| nearest_place(raw, &path)).unwrap_or(&raw.filter_place);
        let message = format!("EventBridge would refuse the pattern of `{id}`");
        let wrong = if path.is_empty() { String::new() } else { format!("`{}`: ", path.join(".")) };
        let diagnostic =
            Diagnostic::error(DiagnosticCode::BadPattern, place, message).label(format!("{wrong}{reason}"));
        sink.push(way_out(diagnostic, &reason, path.last().map_or("", String::as_str)));
    }
}

/// What to do about EventBridge's reason for refusing the field `field`, where that can be told.
fn way_out(diagnostic: Diagnostic, reason: &str, field: &str) -> Diagnostic {
    let says = |part: &str| reason.contains(part);
    if let Some(word) = reason.strip_prefix("Unrecognized match type ") {
        let diagnostic = diagnostic.did_you_mean(word, OPERATORS);
        let known: Vec<String> = OPERATORS.iter().map(|operator| format!("`{operator}`")).collect();
        return diagnostic.help(format!("the operators are {}", known.join(", ")));
    }
    let help = if says("must be an object or an array") {
        format!("values stand in a list: `{field} = [\"…\"]`")
    } else if says("Unrecognized numeric range operator") {
        "`numeric` compares by `<`, `<=`, `=`, `>=` and `>`".to_owned()
    } else if says("must be numeric") {
        "write the number without quotes".to_owned()
    } else if says("Empty arrays") {
        format!("leave `{field}` out to take every value; `[{{ exists = true }}]` takes any that is there")
    } else if says("Only one key allowed") {
        "one operator in each `{ }`; alternatives stand beside each other in the list, all of them in a `$or` of fields"
            .to_owned()
    } else if says("too complex") && says("$or") {
        "write a subscription for each of some alternatives".to_owned()
    } else if says("too complex") {
        "write `prefix` or `suffix` where they do, or a subscription for each".to_owned()
    } else if says("Match value must be") || says("must be a string") || says("must be either") {
        "operators are objects in a list: `[{ prefix = \"…\" }]`, `[{ numeric = [\">\", 5] }]`, `[{ exists = true }]`"
            .to_owned()
    } else {
        return diagnostic;
    };
    diagnostic.help(help)
}

/// EventBridge reads `{ numeric = […] }` outside a list as a field that is called so, and takes it.
fn operators_as_fields(raw: &RawSubscription, sink: &Sink) {
    for (path, place) in &raw.filter_places {
        let [_, .., field, operator] = path.as_slice() else { continue };
        if !OPERATORS.contains(&operator.as_str()) {
            continue;
        }
        let message = format!("`{operator}` is a field of the event here, not an operator");
        sink.push(
            Diagnostic::warning(DiagnosticCode::OperatorAsField, place, message)
                .label(format!("asks for an event with `{}`", path.join(".")))
                .help(format!("for the operator, put it into a list: `{field} = [{{ {operator} = … }}]`")),
        );
    }
}

/// The whole pattern of the subscription, or, where that is not known for another mistake, its conditions alone.
fn pattern_of(id: &str, raw: &RawSubscription, topology: &Topology) -> Value {
    let whole = || {
        let id: SubscriptionId = id.parse().ok()?;
        let subscription = topology.teams.get(&id.team)?.subscriptions.get(&id)?;
        let publisher = topology.teams.get(&subscription.from.team)?;
        let publication = publisher.publications.get(&subscription.from)?;
        let accounts = publishing_accounts(publisher, publication, &subscription.hub);
        Some(pattern::subscription(&accounts, publication, subscription))
    };
    whole().unwrap_or_else(|| {
        let mut alone = raw.filter.clone();
        alone.insert("source".into(), json!([{ "exists": true }]));
        Value::Object(alone)
    })
}

/// Why EventBridge would refuse the pattern, and where in it.
fn fault(pattern: &Value) -> Option<(String, Vec<String>)> {
    match Pattern::from_value(pattern) {
        Err(error) => Some((error.reason, error.path)),
        Ok(pattern) => {
            let (count, most) = (pattern.or_combinations(), quota::OR_COMBINATIONS_MAX);
            (count > most)
                .then(|| (format!("its `$or`s multiply to {count} combinations, {most} are allowed"), Vec::new()))
        }
    }
}

/// The place of the longest part of `path` that was written.
fn nearest_place<'r>(raw: &'r RawSubscription, path: &[String]) -> Option<&'r Place> {
    (0..path.len()).rev().find_map(|length| raw.filter_places.get(path.get(..length)?))
}

const OPERATORS: [&str; 8] =
    ["prefix", "suffix", "equals-ignore-case", "wildcard", "anything-but", "numeric", "cidr", "exists"];
