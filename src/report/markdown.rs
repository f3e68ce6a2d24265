//! A plan as a comment on a pull request: routes first, resources folded away, holds and findings last.

use super::{AccountNames, Style, count, scope_name, text};
use crate::model::desired::Desired;
use crate::model::finding::Severity;
use crate::model::ids::AccountId;
use crate::model::plan::{Action, Cause, Guard, Plan, RouteChange, RouteEffect, Seen};
use crate::model::resource::{BusId, Grantee};
use std::collections::BTreeSet;
use std::fmt::Write as _;

/// Longest comment that GitHub takes, in characters, with room left for what a workflow adds around it
/// (<https://docs.github.com/en/rest/issues/comments>: 65,536).
pub const COMMENT_CHARACTERS_MAX: usize = 64_000;

/// By what a workflow finds its comment again, to edit it in place.
pub const COMMENT_MARK: &str = "<!-- wheelwright plan -->";

/// The whole plan; the folded part is cut where it would not fit into a comment, and says so. What it is about is in the heading.
pub fn plan(plan: &Plan, desired: &Desired, about: &str) -> String {
    let names = &desired.account_names;
    let mut out = format!("{COMMENT_MARK}\n");
    let id = if plan.is_empty() { String::new() } else { format!(" `{}`", plan.id) };
    _ = writeln!(out, "### wheelwright plan{id}{about}\n");
    in_short(&mut out, plan, desired);
    let mut tail = String::new();
    holds(&mut tail, plan, names);
    findings(&mut tail, plan, names);
    let tail = cut(&tail, COMMENT_CHARACTERS_MAX / 4);
    let room = COMMENT_CHARACTERS_MAX / 2;
    routes(&mut out, plan, room);
    let room = COMMENT_CHARACTERS_MAX.saturating_sub(out.chars().count() + tail.chars().count());
    resources(&mut out, plan, names, room);
    out.push_str(&tail);
    cut(&out, COMMENT_CHARACTERS_MAX)
}

/// Names of one answer that are told; the table has the others.
const NAMED_MAX: usize = 10;

/// What everybody asks first, each with an answer, also where that is "nobody".
fn in_short(out: &mut String, plan: &Plan, desired: &Desired) {
    if plan.is_empty() {
        _ = writeln!(out, "{}\n", text::summary(plan));
        return;
    }
    let with = |effects: &[RouteEffect]| listed(plan.routes.iter().filter(|change| effects.contains(&change.effect)));
    use RouteEffect as E;
    let others = with(&[E::Mends, E::Moves, E::Narrows, E::Widens, E::Changes]);
    let answers = [
        ("Start to receive", with(&[E::Starts]), "nobody"),
        ("Stop receiving", with(&[E::Stops]), "nobody"),
        ("Receive otherwise", others, "nobody"),
        ("No longer forwarded", with(&[E::Ends]), "nothing"),
        ("Duplicates", listed(plan.routes.iter().filter(|change| change.duplicates)), "none"),
        ("Held", held(plan), "nothing"),
        ("Publishers", publishers(plan, desired), "have nothing to do"),
    ];
    for (question, answer, nothing) in answers {
        _ = writeln!(out, "- **{question}**: {}", answer.unwrap_or_else(|| nothing.to_owned()));
    }
    _ = writeln!(out, "\n{}\n", text::summary(plan));
}

fn listed<'a>(changes: impl Iterator<Item = &'a RouteChange>) -> Option<String> {
    let names: Vec<String> = changes.map(|change| code(&change.route)).collect();
    let more = names.len().saturating_sub(NAMED_MAX);
    let told = names.iter().take(NAMED_MAX).cloned().collect::<Vec<_>>().join(", ");
    (!names.is_empty()).then(|| if more > 0 { format!("{told} and {more} more") } else { told })
}

fn held(plan: &Plan) -> Option<String> {
    let holds: Vec<String> =
        plan.holds.iter().map(|hold| format!("{} by `{}`", count(hold.steps, "step"), hold.guard)).collect();
    (!holds.is_empty()).then(|| format!("{} (below)", holds.join(", ")))
}

/// What those who publish have to do, as far as a plan knows.
fn publishers(plan: &Plan, desired: &Desired) -> Option<String> {
    let mut told = Vec::new();
    if plan.holds.iter().any(|hold| hold.guard == Guard::PublishersMove) {
        told.push(
            "have to put their events on the hub first, as the rows say that name it; then the guard is let go"
                .to_owned(),
        );
    }
    for (account, bus) in let_in(plan, desired) {
        told.push(format!(
            "`{account}` publishes to {bus} newly, and needs events:PutEvents on it in a policy of its own"
        ));
    }
    let is_hub = |bus: &BusId| desired.buses.get(bus).is_some_and(|wanted| wanted.team.is_none());
    for step in &plan.steps {
        if let (Action::RemoveGrant { bus, .. }, Seen::Statement { statement }) = (&step.action, &step.seen)
            && is_hub(bus)
        {
            let who = code(statement.sid.as_deref().unwrap_or("it"));
            told.push(format!("whom statement {who} let in cannot put events on bus {} any more", code(&bus.name)));
        }
    }
    (!told.is_empty()).then(|| told.join("; "))
}

/// Accounts whose publications reach a hub newly by their own calls.
fn let_in(plan: &Plan, desired: &Desired) -> BTreeSet<(String, String)> {
    let new_grant = |bus: &BusId, account: &AccountId| {
        plan.steps.iter().filter(|step| step.cause == Cause::Intent).any(|step| {
            matches!(&step.action, Action::PutGrant { bus: put, grantee: Grantee::Account(who), .. } if put == bus && who == account)
        })
    };
    let publishes_newly = |(bus, account): &(BusId, AccountId)| {
        new_grant(bus, account) && desired.publishers.contains_key(&(bus.clone(), *account))
    };
    let named = |(bus, account): &(BusId, AccountId)| {
        let who = desired.account_names.get(account).map_or_else(|| account.to_string(), ToString::to_string);
        (who, format!("bus {} in {}", code(&bus.name), bus.scope.region))
    };
    desired.publishers.keys().filter(|key| publishes_newly(key)).map(named).collect()
}

/// The table, as many rows as there is room for, in characters.
fn routes(out: &mut String, plan: &Plan, mut room: usize) {
    if plan.routes.is_empty() {
        return;
    }
    out.push_str("| | route | path |\n|---|---|---|\n");
    for (told, change) in plan.routes.iter().enumerate() {
        let duplicates = if change.duplicates { " (duplicates for a while)" } else { "" };
        let row =
            format!("| **{}**{duplicates} | {} | {} |\n", change.effect, cell(&change.route), cell(&change.detail));
        match room.checked_sub(row.chars().count()) {
            Some(left) => room = left,
            None => {
                _ = writeln!(out, "| | … and {} | |", count(plan.routes.len().saturating_sub(told), "more route"));
                break;
            }
        }
        out.push_str(&row);
    }
    out.push('\n');
}

/// Text that cannot end a table's cell, nor say anything but itself: no link, mention, heading or tag comes of it.
fn cell(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '|' | '\\' | '`' | '*' | '_' | '[' | ']' | '!' | '~' | '#' => out.extend(['\\', character]),
            '<' => out.push_str("&lt;"),
            '&' => out.push_str("&amp;"),
            // With a character of no width behind it, it names nobody.
            '@' => out.push_str("@\u{200b}"),
            _ if character.is_control() => out.push(' '),
            _ => out.push(character),
        }
    }
    out
}

/// Text as code, on one line.
fn code(text: &str) -> String {
    let plain: String = text.chars().map(|character| if character.is_control() { ' ' } else { character }).collect();
    format!("`{}`", plain.replace('`', "'"))
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
