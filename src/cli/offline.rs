//! Commands that need no AWS: check, explain, schema, graph.

use super::context::{Read, Screen, diagnostic_style, load, read};
use super::{CheckFormat, Exit, GraphFormat};
use crate::config::{self, DiagnosticCode};
use crate::model::finding::{FindingCode, Severity};
use crate::model::plan::Guard;
use crate::plan::guard_reason;
use crate::report::check::Checked;
use crate::report::{count, graph, text};
use anyhow::Context as _;
use std::fmt::Write as _;
use std::path::Path;
use strum::IntoEnumIterator;

/// `wheelwright check`.
pub(super) fn check(folder: &Path, screen: Screen, format: CheckFormat) -> anyhow::Result<Exit> {
    let Some(Read { files, loaded, .. }) = read(folder, screen) else { return Ok(Exit::UserCanMend) };
    let diagnostics = &loaded.diagnostics;
    let checked = Checked { folder, files: &files, diagnostics };
    let for_programs = match format {
        CheckFormat::Text => None,
        CheckFormat::Json => Some(pretty(&checked.json())?),
        CheckFormat::Sarif => Some(pretty(&checked.sarif())?),
        CheckFormat::Github => Some(checked.github()),
    };
    if let Some(text) = for_programs {
        screen.print(&text)?;
        let is_sound = loaded.topology.is_some() && !loaded.has_errors();
        return Ok(if is_sound { Exit::Done } else { Exit::UserCanMend });
    }
    let told = config::render(diagnostics, &files, diagnostic_style(screen.out));
    if !told.is_empty() {
        screen.print(&format!("{}\n", told.trim_end()))?;
    }
    let errors = diagnostics.iter().filter(|diagnostic| diagnostic.severity == Severity::Error).count();
    let warnings = diagnostics.len() - errors;
    if let (false, Some(topology)) = (loaded.has_errors(), &loaded.topology) {
        let teams = topology.teams.len();
        let subscriptions: usize = topology.teams.values().map(|team| team.subscriptions.len()).sum();
        let publications: usize = topology.teams.values().map(|team| team.publications.len()).sum();
        let hubs = topology.hubs.len();
        screen.say(&format!(
            "{} {}, {}, {}, {}: nothing wrong{}.",
            screen.talk.good("ok"),
            count(hubs, "hub"),
            count(teams, "team"),
            count(publications, "publication"),
            count(subscriptions, "subscription"),
            if warnings > 0 { format!(", {}", count(warnings, "warning")) } else { String::new() }
        ));
        return Ok(Exit::Done);
    }
    let codes: std::collections::BTreeSet<String> =
        diagnostics.iter().map(|diagnostic| diagnostic.code.to_string()).collect();
    let first = codes.iter().next().cloned().unwrap_or_default();
    let (errors, warnings) = (count(errors, "error"), count(warnings, "warning"));
    screen.say(&format!("{errors}, {warnings}. `wheelwright explain {first}` tells more about a code."));
    if let Some(topology) = &loaded.topology {
        screen.say(&text::kept(&topology.kept));
    }
    Ok(Exit::UserCanMend)
}

fn pretty(value: &serde_json::Value) -> anyhow::Result<String> {
    Ok(serde_json::to_string_pretty(value).context("writing JSON")? + "\n")
}

/// `wheelwright explain`.
pub(super) fn explain(code: Option<&str>) -> anyhow::Result<Exit> {
    let screen = Screen::new(super::Colour::Auto);
    let Some(code) = code else {
        let mut out = String::from("Mistakes in a topology:\n");
        for code in DiagnosticCode::iter() {
            _ = writeln!(out, "  {code}");
        }
        out.push_str("Findings in accounts:\n");
        for code in FindingCode::iter() {
            _ = writeln!(out, "  {code}");
        }
        out.push_str("Guards that hold a plan:\n");
        for guard in Guard::iter() {
            _ = writeln!(out, "  {guard}");
        }
        screen.print(&out)?;
        return Ok(Exit::Done);
    };
    let texts = explanations(code);
    if !texts.is_empty() {
        screen.print(&format!("{code}\n\n{}\n", texts.join("\n\n")))?;
        return Ok(Exit::Done);
    }
    let all = DiagnosticCode::iter()
        .map(|code| code.to_string())
        .chain(FindingCode::iter().map(|code| code.to_string()))
        .chain(Guard::iter().map(|guard| guard.to_string()));
    let nearest = all.max_by(|a, b| strsim::jaro_winkler(a, code).total_cmp(&strsim::jaro_winkler(b, code)));
    screen.say(&format!(
        "error: there is no code `{code}`; did you mean `{}`? `wheelwright explain` lists them all",
        nearest.unwrap_or_default()
    ));
    Ok(Exit::UserCanMend)
}

/// What there is to say of `code`. A mistake, a finding and a guard may share a name: then all of it is said.
fn explanations(code: &str) -> Vec<String> {
    let mistake = code.parse::<DiagnosticCode>().ok().map(|found| found.explanation().trim_end().to_owned());
    let finding = code.parse::<FindingCode>().ok().map(|found| found.explanation().to_owned());
    let guard = code.parse::<Guard>().ok().map(|guard| {
        let way = if guard.may_be_allowed() {
            format!(
                "A person lets it go with `wheelwright apply --allow {guard}`, or by naming the plan with --plan-id."
            )
        } else {
            "It cannot be named away.".to_owned()
        };
        format!("A guard: {}. {way}", guard_reason(guard))
    });
    [mistake, finding, guard].into_iter().flatten().collect()
}

/// `wheelwright schema`.
pub(super) fn schema() -> anyhow::Result<Exit> {
    Screen::new(super::Colour::Never).print(&pretty(&config::schema())?)?;
    Ok(Exit::Done)
}

/// `wheelwright graph`.
pub(super) fn graph(folder: &Path, screen: Screen, format: GraphFormat) -> anyhow::Result<Exit> {
    let context = match load(folder, screen) {
        Ok(context) => context,
        Err(exit) => return Ok(exit),
    };
    let text = match format {
        GraphFormat::Mermaid => graph::mermaid(&context.topology, &context.desired),
        GraphFormat::Dot => graph::dot(&context.topology, &context.desired),
    };
    screen.print(&text)?;
    Ok(Exit::Done)
}
