//! Reports: plans and topologies as text that people read.
//!
//! Layer 2, pure: values in, text out. What is said comes from the plan; nothing is decided here, and nothing is meant
//! by colour alone.

pub mod check;
pub mod commands;
pub mod graph;
pub mod markdown;
mod style;
pub mod text;
pub mod trace;

pub use style::Style;

use crate::model::finding::FindingCode;
use crate::model::ids::{AccountId, AccountName, Scope};
use crate::model::plan::{Action, Plan, RulePart, Seen, Step};
use std::collections::BTreeMap;

/// What the roster calls each account.
pub type AccountNames = BTreeMap<AccountId, AccountName>;

/// A scope by the name that people gave its account: `payments-prod us-east-1`.
pub fn scope_name(scope: &Scope, names: &AccountNames) -> String {
    match names.get(&scope.account) {
        Some(name) => format!("{name} {}", scope.region),
        None => scope.to_string(),
    }
}

/// The sign of a step: `+` it comes, `~` it changes, `-` it goes.
fn sign(step: &Step) -> char {
    match (&step.action, &step.seen) {
        _ if step.is_break() => '-',
        (Action::PutTargets { .. }, Seen::Targets { targets }) if targets.is_empty() => '+',
        (_, Seen::Absent) => '+',
        _ => '~',
    }
}

/// What a step does, as a verb and a noun.
fn words(step: &Step) -> (&'static str, &'static str) {
    let changes = sign(step) == '~';
    match step.action {
        Action::CreateBus { .. } => ("create", "bus"),
        Action::UpdateBus { .. } => ("set", "bus"),
        Action::TagBus { .. } if step.codes.contains(&FindingCode::Adopt) => ("take over", "bus"),
        Action::TagBus { .. } => ("tag", "bus"),
        Action::UntagBus { .. } => ("untag", "bus"),
        Action::UntagRule { .. } => ("untag", "rule"),
        Action::PutGrant { .. } if changes => ("restore", "grant"),
        Action::PutGrant { .. } => ("add", "grant"),
        Action::RemoveGrant { .. } => ("remove", "grant"),
        Action::PutRule { part: RulePart::Widen, .. } => ("prepare", "rule"),
        Action::PutRule { part: RulePart::Narrow, .. } => ("narrow", "rule"),
        Action::PutRule { .. } if changes => ("set", "rule"),
        Action::PutRule { .. } => ("create", "rule"),
        Action::TagRule { .. } => ("tag", "rule"),
        Action::PutTargets { .. } if changes => ("set", "target"),
        Action::PutTargets { .. } => ("add", "target"),
        Action::RemoveTargets { .. } => ("remove", "target"),
        Action::DeleteRule { .. } => ("delete", "rule"),
        Action::CreateArchive { .. } => ("create", "archive"),
        Action::UpdateArchive { .. } => ("set", "archive"),
    }
}

/// The steps by the scope that they write in, in the plan's order.
fn by_scope(plan: &Plan) -> BTreeMap<Scope, Vec<&Step>> {
    let mut scopes: BTreeMap<Scope, Vec<&Step>> = BTreeMap::new();
    for step in &plan.steps {
        scopes.entry(step.action.scope()).or_default().push(step);
    }
    scopes
}

/// `1 step`, `2 steps`.
pub fn count(number: usize, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}
