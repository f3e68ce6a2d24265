//! A plan for a terminal: routes first, then resources scope by scope, then what is held and what was found.

use super::{AccountNames, Style, by_scope, commands, count, scope_name, sign, words};
use crate::model::few::Few;
use crate::model::finding::{Finding, Severity};
use crate::model::plan::{Action, Cause, Plan, RouteEffect, Step};
use crate::model::resource::{RuleState, TargetSpec};
use crate::model::topology::Kept;
use std::collections::BTreeSet;
use std::fmt::Write as _;

/// The whole plan.
pub fn plan(plan: &Plan, names: &AccountNames, style: Style) -> String {
    let mut out = String::new();
    routes(&mut out, plan, style);
    resources(&mut out, plan, names, style);
    holds(&mut out, plan, names, style);
    findings(&mut out, &plan.findings, names, style);
    _ = writeln!(out, "{}", summary(plan));
    out
}

/// What the plan does to routes, and nothing else.
pub fn routes_only(plan: &Plan, style: Style) -> String {
    let mut out = String::new();
    routes(&mut out, plan, style);
    out
}

/// One line: what the plan comes to.
pub fn summary(plan: &Plan) -> String {
    let routes = count(plan.routes_total, "route");
    let unmended = plan.unmended().count();
    if plan.is_empty() && unmended == 0 {
        return format!("In step: {routes}, nothing to do.");
    }
    if plan.is_empty() {
        let errors = count(unmended, "error");
        return format!("Nothing to do, and not in step: {routes}, {errors} that no plan mends (see the findings).");
    }
    let held = plan.steps.iter().filter(|step| !step.held_by.is_empty()).count();
    let breaks = plan.steps.iter().filter(|step| step.is_break()).count();
    let drift = plan.steps.iter().filter(|step| step.cause == Cause::Drift).count();
    let mut parts =
        vec![count(plan.steps.len() - breaks, "step") + " to make or set", format!("{breaks} to take away")];
    if drift > 0 {
        parts.push(format!("{drift} of them against drift"));
    }
    if held > 0 {
        parts.push(format!("{held} held"));
    }
    format!("Plan {}: {routes}; {}.", plan.id, parts.join(", "))
}

fn heading(out: &mut String, style: Style, text: &str) {
    _ = writeln!(out, "{}", style.strong(text));
}

fn routes(out: &mut String, plan: &Plan, style: Style) {
    if plan.routes.is_empty() {
        return;
    }
    heading(out, style, "Routes");
    let width = plan.routes.iter().map(|change| change.route.chars().count()).max().unwrap_or(0).min(60);
    for change in &plan.routes {
        let effect = format!("{:7}", change.effect.to_string());
        let (sign, effect) = match change.effect {
            RouteEffect::Starts | RouteEffect::Mends => (style.good("+"), style.good(&effect)),
            RouteEffect::Ends | RouteEffect::Stops => (style.bad("-"), style.bad(&effect)),
            RouteEffect::Moves | RouteEffect::Narrows | RouteEffect::Widens | RouteEffect::Changes => {
                (style.warn("~"), style.warn(&effect))
            }
        };
        _ = writeln!(out, "  {sign} {effect}  {:width$}  {}", change.route, style.dim(&change.detail));
        if change.duplicates {
            _ = writeln!(out, "        duplicates: both ends receive until the old one goes");
        }
    }
    out.push('\n');
}

/// The steps, scope by scope.
pub(super) fn resources(out: &mut String, plan: &Plan, names: &AccountNames, style: Style) {
    if plan.steps.is_empty() {
        return;
    }
    heading(out, style, "Resources");
    for (scope, steps) in by_scope(plan) {
        let account = scope.account;
        _ = writeln!(out, "  {} {}", style.strong(&scope_name(&scope, names)), style.dim(&format!("({account})")));
        for step in steps {
            step_lines(out, step, style);
        }
    }
    out.push('\n');
}

fn step_lines(out: &mut String, step: &Step, style: Style) {
    let (verb, noun) = words(step);
    let line = format!("{} {verb} {noun}", sign(step));
    let painted = match sign(step) {
        '+' => style.good(&line),
        '-' => style.bad(&line),
        _ => style.warn(&line),
    };
    let mut notes = Vec::new();
    if step.cause == Cause::Drift {
        let codes: Vec<String> = step.codes.iter().map(ToString::to_string).collect();
        notes.push(format!("drift: {}", codes.join(", ")));
    }
    if !step.held_by.is_empty() {
        let guards: Vec<String> = step.held_by.iter().map(ToString::to_string).collect();
        notes.push(format!("held by {}", guards.join(", ")));
    }
    if step.settles {
        notes.push("after the settle time".into());
    }
    let notes = if notes.is_empty() { String::new() } else { format!("  [{}]", notes.join("; ")) };
    let origin = step.origin.as_ref().map(|origin| format!("  {origin}")).unwrap_or_default();
    let pad = " ".repeat(18usize.saturating_sub(line.chars().count()));
    _ = writeln!(out, "    {painted}{pad} {}{}{}", name(&step.action), style.warn(&notes), style.dim(&origin));
    for detail in details(step) {
        _ = writeln!(out, "        {}", style.dim(&detail));
    }
}

/// Whose routes stay as they are because of errors in files, on one or a few lines.
pub fn kept(kept: &Kept) -> String {
    let Kept { teams, entries, unknown, sound: _ } = kept;
    if unknown.is_some() {
        return "A file has errors and does not say whose it is: nothing at all is taken away until it is mended."
            .into();
    }
    let names: Vec<String> = teams.keys().map(|team| format!("`{team}`")).collect();
    let others = match entries.len() {
        0 => "",
        1 => ", and with them what one entry of another team needs",
        _ => ", and with them what entries of other teams need",
    };
    let (team, their) = if names.len() == 1 { ("team", "its") } else { ("teams", "their") };
    format!(
        "The routes of {team} {} stay exactly as they are until {their} errors are mended{others}; everybody else's go on.",
        names.join(", ")
    )
}

/// The name of what is written, short: within its scope.
fn name(action: &Action) -> String {
    match action {
        Action::PutGrant { bus, statement_id, .. } | Action::RemoveGrant { bus, statement_id } => {
            format!("{} {statement_id}", bus.name)
        }
        Action::PutRule { rule, .. }
        | Action::TagRule { rule, .. }
        | Action::UntagRule { rule, .. }
        | Action::PutTargets { rule, .. }
        | Action::RemoveTargets { rule, .. }
        | Action::DeleteRule { rule } => format!("{} {}", rule.bus.name, rule.name),
        Action::CreateBus { bus, .. }
        | Action::UpdateBus { bus, .. }
        | Action::TagBus { bus, .. }
        | Action::UntagBus { bus, .. } => bus.name.clone(),
        Action::CreateArchive { archive, .. } | Action::UpdateArchive { archive, .. } => archive.name.clone(),
    }
}

/// What is set, or what differs.
fn details(step: &Step) -> Vec<String> {
    match &step.action {
        Action::CreateArchive { spec, .. } => {
            vec![format!("of bus {}, {}", spec.source.name, retention(spec.retention_days))]
        }
        Action::PutRule { state: RuleState::Disabled, .. } => {
            let mut lines = step.detail.clone();
            lines.push("disabled: events that match are dropped, not queued".into());
            lines
        }
        Action::PutTargets { targets, .. } => target_lines(targets),
        _ => step.detail.clone(),
    }
}

fn target_lines(targets: &Few<String, TargetSpec>) -> Vec<String> {
    targets.values().map(|target| format!("to {}", target.arn)).collect()
}

fn retention(days: u32) -> String {
    if days == 0 { "kept for ever".into() } else { format!("kept {}", count(days as usize, "day")) }
}

fn holds(out: &mut String, plan: &Plan, names: &AccountNames, style: Style) {
    if plan.holds.is_empty() {
        return;
    }
    heading(out, style, "Held");
    for hold in &plan.holds {
        let place = hold.scope.as_ref().map_or("in all accounts".to_owned(), |scope| scope_name(scope, names));
        let steps = count(hold.steps, "step");
        _ = writeln!(out, "  {} {place}, {steps}: {}", style.bad(&format!("! {}", hold.guard)), hold.reason);
        if let Some(command) = commands::allow(hold.guard).filter(|_| hold.guard.may_be_allowed()) {
            _ = writeln!(out, "    to let it go: {command}   (or --plan-id {})", plan.id);
        }
    }
    out.push('\n');
}

/// The findings, worst first.
pub fn findings(out: &mut String, findings: &[Finding], names: &AccountNames, style: Style) {
    if findings.is_empty() {
        return;
    }
    heading(out, style, "Findings");
    let mut sorted: Vec<&Finding> = findings.iter().collect();
    sorted.sort_by(|a, b| b.code.severity().cmp(&a.code.severity()).then_with(|| a.cmp(b)));
    let mut told: BTreeSet<&str> = BTreeSet::new();
    for finding in &sorted {
        // Forty scopes that lost one role are one thing to mend.
        let alike: Vec<&Finding> =
            sorted.iter().filter(|other| is_scope(other) && other.detail == finding.detail).copied().collect();
        if is_scope(finding) && alike.len() > 1 {
            if told.insert(&finding.detail) {
                finding_lines(out, finding, &places(&alike, names), style);
            }
        } else {
            finding_lines(out, finding, &place(finding, names), style);
        }
    }
    out.push('\n');
}

fn is_scope(finding: &Finding) -> bool {
    finding.resource.kind() == "scope"
}

/// What a finding is about, and where.
fn place(finding: &Finding, names: &AccountNames) -> String {
    let place = scope_name(finding.resource.scope(), names);
    match finding.resource.kind() {
        "scope" => place,
        kind => format!("{kind} {} in {place}", finding.resource.local_name()),
    }
}

/// Several scopes: the first few by name.
fn places(findings: &[&Finding], names: &AccountNames) -> String {
    const NAMED_MAX: usize = 3;
    let named: Vec<String> = findings.iter().take(NAMED_MAX).map(|finding| place(finding, names)).collect();
    let more = findings.len().saturating_sub(NAMED_MAX);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{} scopes ({}{more})", findings.len(), named.join(", "))
}

fn finding_lines(out: &mut String, finding: &Finding, what: &str, style: Style) {
    let Finding { resource: _, code, outcome, detail, team, origin } = finding;
    let severity = code.severity();
    let code = format!("{code}");
    let code = match severity {
        Severity::Error => style.bad(&format!("error   {code}")),
        Severity::Warning => style.warn(&format!("warning {code}")),
        Severity::Info => style.dim(&format!("info    {code}")),
    };
    let asked = match (team, origin) {
        (Some(team), Some(origin)) => format!("  (team {team}, {origin})"),
        (None, Some(origin)) => format!("  ({origin})"),
        _ => String::new(),
    };
    let outcome = outcome.in_words();
    _ = writeln!(out, "  {code}  {what}: {outcome}{}", style.dim(&asked));
    _ = writeln!(out, "        {}", style.dim(detail));
}
