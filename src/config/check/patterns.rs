//! Does it match: the rules' patterns are read as EventBridge reads them, so that a mistake shows here with its line
//! and not as a refused PutRule.

use crate::config::diagnostic::{Diagnostic, DiagnosticCode, Sink};
use crate::config::index::Index;
use crate::eventbridge::{Pattern, quota};
use crate::expand::{pattern, publishing_accounts};
use crate::model::topology::Topology;

pub(super) fn check(topology: &Topology, index: &Index<'_>, sink: &Sink) {
    for team in topology.teams.values() {
        for (id, subscription) in &team.subscriptions {
            let Some(publisher) = topology.teams.get(&subscription.from.team) else { continue };
            let Some(publication) = publisher.publications.get(&subscription.from) else { continue };
            let Some((_, raw)) = index.subscription(id) else { continue };
            let accounts = publishing_accounts(publisher, publication, &subscription.hub);
            let value = pattern::subscription(&accounts, publication, subscription);
            let fault = match Pattern::from_value(&value) {
                Err(error) => Some((error.reason, error.path)),
                Ok(pattern) if pattern.or_combinations() > quota::OR_COMBINATIONS_MAX => Some((
                    format!(
                        "its `$or`s multiply to {} combinations, {} are allowed",
                        pattern.or_combinations(),
                        quota::OR_COMBINATIONS_MAX
                    ),
                    Vec::new(),
                )),
                Ok(_) => None,
            };
            let Some((reason, path)) = fault else { continue };
            let place = raw.filter_places.get(&path).or_else(|| nearest_place(raw, &path)).unwrap_or(&raw.filter_place);
            let message = format!("EventBridge would refuse the pattern of `{id}`");
            let wrong = if path.is_empty() { String::new() } else { format!("`{}`: ", path.join(".")) };
            sink.push(
                Diagnostic::error(DiagnosticCode::BadPattern, place, message)
                    .label(format!("{wrong}{reason}"))
                    .help("operators are objects in a list: `[{ prefix = \"…\" }]`, `[{ numeric = [\">\", 5] }]`"),
            );
        }
    }
}

/// The place of the longest part of `path` that was written.
fn nearest_place<'r>(
    raw: &'r crate::config::raw::RawSubscription,
    path: &[String],
) -> Option<&'r crate::config::source::Place> {
    (0..path.len()).rev().find_map(|length| raw.filter_places.get(path.get(..length)?))
}
