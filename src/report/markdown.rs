//! A plan as a comment on a pull request: routes first, resources folded away, holds and findings last.

use super::{AccountNames, Style, count, scope_name, text};
use crate::model::finding::Severity;
use crate::model::plan::Plan;
use std::fmt::Write as _;

/// Longest comment that GitHub takes, in characters, with room left for what a workflow adds around it
/// (<https://docs.github.com/en/rest/issues/comments>: 65,536).
pub const COMMENT_CHARACTERS_MAX: usize = 64_000;

/// The whole plan; the folded part is cut where it would not fit into a comment, and says so.
pub fn plan(plan: &Plan, names: &AccountNames) -> String {
    let mut out = String::new();
    _ = writeln!(out, "### wheelwright plan `{}`\n", plan.id);
    _ = writeln!(out, "{}\n", text::summary(plan));
    routes(&mut out, plan);
    let mut tail = String::new();
    holds(&mut tail, plan, names);
    findings(&mut tail, plan, names);
    let room = COMMENT_CHARACTERS_MAX.saturating_sub(out.chars().count() + tail.chars().count());
    resources(&mut out, plan, names, room);
    out.push_str(&tail);
    cut(&out, COMMENT_CHARACTERS_MAX)
}

fn routes(out: &mut String, plan: &Plan) {
    if plan.routes.is_empty() {
        return;
    }
    out.push_str("| | route | path |\n|---|---|---|\n");
    for change in &plan.routes {
        let duplicates = if change.duplicates { " (duplicates for a while)" } else { "" };
        _ = writeln!(out, "| **{}**{duplicates} | {} | {} |", change.effect, cell(&change.route), cell(&change.detail));
    }
    out.push('\n');
}

/// Text that cannot end a table's cell.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('<', "&lt;").replace('\n', " ")
}

fn resources(out: &mut String, plan: &Plan, names: &AccountNames, room: usize) {
    if plan.steps.is_empty() {
        return;
    }
    let mut body = String::new();
    text::resources(&mut body, plan, names, Style::Plain);
    let frame = 200;
    let body = cut(&body, room.saturating_sub(frame));
    _ = writeln!(
        out,
        "<details><summary>{}</summary>\n\n```\n{}\n```\n\n</details>\n",
        count(plan.steps.len(), "step"),
        body.trim_end()
    );
}

fn holds(out: &mut String, plan: &Plan, names: &AccountNames) {
    if plan.holds.is_empty() {
        return;
    }
    out.push_str("**Held**\n\n");
    for hold in &plan.holds {
        let place = hold.scope.as_ref().map_or("in all accounts".to_owned(), |scope| scope_name(scope, names));
        _ = writeln!(out, "- `{}` {place}, {}: {}", hold.guard, count(hold.steps, "step"), hold.reason);
    }
    out.push('\n');
}

fn findings(out: &mut String, plan: &Plan, names: &AccountNames) {
    let told: Vec<_> = plan.findings.iter().filter(|finding| finding.code.severity() > Severity::Info).collect();
    if told.is_empty() {
        return;
    }
    out.push_str("**Findings**\n\n");
    for finding in told {
        let place = scope_name(finding.resource.scope(), names);
        _ = writeln!(
            out,
            "- `{}` {} {} in {place}: {}",
            finding.code,
            finding.resource.kind(),
            finding.resource.local_name(),
            finding.outcome.in_words()
        );
    }
    out.push('\n');
}

/// At most `characters_max` characters; what is cut says so.
fn cut(text: &str, characters_max: usize) -> String {
    const NOTE: &str = "\n… cut here: the whole plan is in the output of `wheelwright plan`\n";
    if text.chars().count() <= characters_max {
        return text.to_owned();
    }
    let kept: String = text.chars().take(characters_max.saturating_sub(NOTE.chars().count())).collect();
    format!("{kept}{NOTE}")
}
