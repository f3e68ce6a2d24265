//! `docs/runbook.md` has a heading for each alert and each finding, and nothing else; its commands are the program's.

use crate::{file, refused};
use std::collections::{BTreeMap, BTreeSet};
use strum::IntoEnumIterator;
use wheelwright::model::finding::{FindingCode, Severity};

/// What each entry says.
const PARTS: [&str; 4] = ["- **Hit:** ", "- **Look:** ", "- **Mend:** ", "- **Hold off:** "];

/// The entries below a title, by heading.
fn entries(title: &str) -> BTreeMap<String, String> {
    let page = file("docs/runbook.md");
    let part = page.split("\n## ").find(|part| part.starts_with(&format!("{title}\n")));
    let part = part.unwrap_or_else(|| panic!("docs/runbook.md has no part {title:?}"));
    let mut found = BTreeMap::new();
    for entry in part.split("\n### ").skip(1) {
        let (name, text) = entry.split_once('\n').unwrap();
        assert!(found.insert(name.to_owned(), text.to_owned()).is_none(), "{name} is there twice");
    }
    found
}

/// The alerts of Prometheus, each with its part of the file.
fn alerts() -> BTreeMap<String, String> {
    let rules = file("deploy/prometheus/alerts.yaml");
    let alerts = rules.split("- alert: ").skip(1);
    alerts.map(|rule| (rule.lines().next().unwrap().to_owned(), rule.to_owned())).collect()
}

#[test]
fn every_alert_is_in_the_runbook_and_leads_there() {
    let (written, alerts) = (entries("Alerts of Prometheus"), alerts());
    let names: BTreeSet<_> = alerts.keys().collect();
    assert_eq!(written.keys().collect::<BTreeSet<_>>(), names);
    for (name, rule) in &alerts {
        // A heading's anchor is its text in small letters.
        let url = format!("runbook_url: docs/runbook.md#{}\n", name.to_lowercase());
        assert!(rule.contains(&url), "{name} has no `{url}`");
        let severity = if rule.contains("severity: page") { "page" } else { "ticket" };
        assert!(written[name].starts_with(&format!("\n{severity}: ")), "{name} is a {severity}");
    }
}

#[test]
fn every_finding_is_in_the_runbook() {
    let written = entries("Findings");
    let codes: BTreeSet<String> = FindingCode::iter().map(|code| code.to_string()).collect();
    assert_eq!(written.keys().cloned().collect::<BTreeSet<_>>(), codes);
    for code in FindingCode::iter() {
        let drift = if code.is_drift() { ", drift" } else { "" };
        let begins = format!("\n{}{drift}: ", code.severity());
        let text = &written[&code.to_string()];
        assert!(text.starts_with(&begins), "{code} should begin with {begins:?}: {text}");
        assert!(text.contains(&format!("`wheelwright incidents --code {code}`")), "{code}: {text}");
    }
}

#[test]
fn the_table_of_the_front_page_has_every_error() {
    let page = file("README.md");
    let (_, table) = page.split_once("## When something is wrong").unwrap();
    let table: String =
        table.lines().skip_while(|line| !line.starts_with('|')).take_while(|line| line.starts_with('|')).collect();
    let errors = FindingCode::iter().filter(|code| code.severity() == Severity::Error);
    let missing: Vec<_> = errors.filter(|code| !table.contains(&format!("`{code}`"))).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn each_entry_says_who_is_hit_where_to_look_how_to_mend_and_how_to_hold_off() {
    for (name, text) in entries("Alerts of Prometheus").into_iter().chain(entries("Findings")) {
        let said: Vec<_> = text.lines().filter(|line| line.starts_with("- ")).collect();
        let whole = said.len() == PARTS.len()
            && said.iter().zip(PARTS).all(|(line, part)| line.strip_prefix(part).is_some_and(|rest| rest.len() > 5));
        assert!(whole, "{name} should have {PARTS:?}: {text}");
    }
}

#[test]
fn every_link_within_the_runbook_leads_somewhere() {
    let page = file("docs/runbook.md");
    let headings: BTreeSet<String> = page
        .lines()
        .filter_map(|line| line.trim_start_matches('#').strip_prefix(' ').filter(|_| line.starts_with('#')))
        .map(|heading| heading.to_lowercase().replace(' ', "-"))
        .collect();
    let links: Vec<&str> = page.split("](#").skip(1).filter_map(|rest| rest.split(')').next()).collect();
    assert!(links.len() > 5, "{links:?}");
    let dead: Vec<_> = links.into_iter().filter(|link| !headings.contains(*link)).collect();
    assert!(dead.is_empty(), "{dead:?}");
}

/// Commands are in back quotes, or after a prompt. Capitals stand for what is to be filled in.
#[test]
fn the_program_takes_every_command_of_the_runbook_and_of_the_alerts() {
    let mut faults = Vec::new();
    let mut count = 0;
    for path in ["docs/runbook.md", "deploy/prometheus/alerts.yaml", "deploy/README.md", "README.md"] {
        for command in commands(&file(path)) {
            count += 1;
            let words: Vec<&str> = command.split_whitespace().collect();
            if let Some(said) = refused(&words) {
                faults.push(format!("{path}: wheelwright {command}\n{said}"));
            }
        }
    }
    assert!(count > 60, "{count}");
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

fn commands(page: &str) -> BTreeSet<String> {
    let quoted = page.split('`').skip(1).step_by(2);
    let prompted = page.lines().filter_map(|line| line.strip_prefix("$ "));
    quoted
        .chain(prompted)
        .filter_map(|text| text.strip_prefix("wheelwright "))
        .map(|text| text.split('#').next().unwrap().to_owned())
        // Templates of Prometheus stand for a code, and capitals for a word of the program's own.
        .map(|text| text.replace("{{ $labels.guard }}", "adopt").replace("{{ $labels.code }}", "CODE"))
        .collect()
}
