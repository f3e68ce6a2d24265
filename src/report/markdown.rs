//! A plan as a comment on a pull request: routes first, resources folded away, holds and findings last.

use super::{AccountNames, Style, commands, count, scope_name, text};
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

/// What a comment is about beyond its plan.
#[derive(Clone, Copy, Debug)]
pub struct About<'a> {
    /// What was asked for before, where the plan is that of a change by itself.
    pub base: Option<&'a Desired>,
    /// Seconds between the last make and the first break.
    pub settle_secs: u32,
}

/// The whole plan; the folded part is cut where it would not fit into a comment, and says so. What it is about is in the heading.
pub fn plan(plan: &Plan, desired: &Desired, about: About<'_>) -> String {
    let names = &desired.account_names;
    let mut out = format!("{COMMENT_MARK}\n");
    let id = if plan.is_empty() { String::new() } else { format!(" `{}`", plan.id) };
    let heading = if about.base.is_some() { ": this change by itself" } else { "" };
    _ = writeln!(out, "### wheelwright plan{id}{heading}\n");
    in_short(&mut out, plan, desired, about);
    if about.base.is_some() && !plan.is_empty() {
        out.push_str(BY_ITSELF);
    }
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

/// What a plan from a base is, and is not.
const BY_ITSELF: &str = "_Compared with the base of this change, on simulated accounts: what is live, drift and other changes are not in it. \
    Done when the operator goes by it, after the merge._\n\n";

/// Names of one answer that are told; the table has the others.
const NAMED_MAX: usize = 10;

/// What everybody asks first, each with an answer, also where that is "nobody".
fn in_short(out: &mut String, plan: &Plan, desired: &Desired, about: About<'_>) {
    if plan.is_empty() {
        _ = writeln!(out, "{}\n", text::summary(plan));
        return;
    }
    let with = |effects: &[RouteEffect]| listed(plan.routes.iter().filter(|change| effects.contains(&change.effect)));
    use RouteEffect as E;
    let twice = listed(plan.routes.iter().filter(|change| change.duplicates));
    let twice = twice
        .map(|routes| format!("{routes}: for some {} s the old and the new place both receive", about.settle_secs));
    let answers = [
        ("Start to receive", with(&[E::Starts]), "nobody"),
        ("Stop receiving", with(&[E::Stops]), "nobody"),
        ("Receive less", with(&[E::Narrows]), ""),
        ("Receive more", with(&[E::Widens]), ""),
        ("Receive other events", with(&[E::Changes]), ""),
        ("Are reached another way", with(&[E::Moves]), ""),
        ("Are mended", with(&[E::Mends]), ""),
        ("No longer forwarded", with(&[E::Ends]), ""),
        ("Duplicates", twice, "none"),
        ("Held", held(plan), "nothing"),
        ("Publishers", publishers(plan, desired, about), "nothing changes for them"),
    ];
    for (question, answer, nothing) in answers {
        let answer = answer.unwrap_or_else(|| nothing.to_owned());
        if !answer.is_empty() {
            _ = writeln!(out, "- **{question}**: {answer}");
        }
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
fn publishers(plan: &Plan, desired: &Desired, about: About<'_>) -> Option<String> {
    let mut told = Vec::new();
    if plan.holds.iter().any(|hold| hold.guard == Guard::PublishersMove) {
        let moved: BTreeSet<&str> = plan
            .routes
            .iter()
            .filter(|change| change.effect == RouteEffect::Moves)
            .map(|change| change.route.as_str())
            .collect();
        let routes = desired.routes.iter().filter(|(id, _)| moved.contains(id.to_string().as_str()));
        let buses: BTreeSet<String> = routes.map(|(_, route)| code(&route.hub_bus.arn())).collect();
        let buses: Vec<String> = buses.into_iter().collect();
        told.push(format!(
            "have to put their events to {} from now on, instead of where they put them today; when all of them do, somebody lets \
             `publishers-move` go",
            buses.join(", ")
        ));
    }
    let newly = about.base.map_or_else(|| let_in(plan, desired), |base| begin(base, desired));
    for (account, bus, sources) in newly {
        told.push(format!(
            "{account} publishes {sources} newly: it puts to {bus}, which lets it in, and needs events:PutEvents on it in a policy of \
             its own"
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

/// Accounts that publish under a source for the first time by their own calls: who, where, what.
fn begin(base: &Desired, desired: &Desired) -> BTreeSet<(String, String, String)> {
    let mut newly = BTreeSet::new();
    for (key @ (bus, account), wanted) in &desired.publishers {
        let before = base.publishers.get(key).map(|wanted| &wanted.spec.sources);
        let sources = wanted.spec.sources.iter().filter(|source| before.is_none_or(|before| !before.contains(*source)));
        let sources: Vec<String> = sources.map(|source| code(source)).collect();
        if !sources.is_empty() {
            newly.insert((account_in_words(desired, account), code(&bus.arn()), sources.join(", ")));
        }
    }
    newly
}

fn account_in_words(desired: &Desired, account: &AccountId) -> String {
    match desired.account_names.get(account) {
        Some(name) => format!("{} ({account})", code(name.as_str())),
        None => code(&account.to_string()),
    }
}

/// Accounts whose publications reach a hub newly by their own calls.
fn let_in(plan: &Plan, desired: &Desired) -> BTreeSet<(String, String, String)> {
    let new_grant = |bus: &BusId, account: &AccountId| {
        plan.steps.iter().filter(|step| step.cause == Cause::Intent).any(|step| {
            matches!(&step.action, Action::PutGrant { bus: put, grantee: Grantee::Account(who), .. } if put == bus && who == account)
        })
    };
    let publishes_newly = |(bus, account): &(BusId, AccountId)| {
        new_grant(bus, account) && desired.publishers.contains_key(&(bus.clone(), *account))
    };
    let all = desired.publishers.iter().filter(|(key, _)| publishes_newly(key));
    let named = all.map(|((bus, account), wanted)| {
        let sources: Vec<String> = wanted.spec.sources.iter().map(|source| code(source)).collect();
        (account_in_words(desired, account), code(&bus.arn()), sources.join(", "))
    });
    named.collect()
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
        let way = commands::allow(hold.guard).filter(|_| hold.guard.may_be_allowed());
        let way = way.map_or(String::new(), |command| {
            format!(". A person lets it go with `{command}`, or `--plan-id` and the plan's name")
        });
        _ = writeln!(out, "- `{}` {place}, {}: {}{way}", hold.guard, count(hold.steps, "step"), hold.reason);
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
