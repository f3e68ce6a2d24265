//! How many series there are at most, that scopes in trouble are told and others are not, and that names match what they name.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use super::names::{TRIGGERS, VERBS};
use super::*;
use crate::call::CallKind;
use crate::model::finding::FindingCode;
use crate::model::plan::Guard;
use std::collections::BTreeSet;
use strum::{IntoEnumIterator as _, VariantArray as _};

const NOW: Moment = Moment(1_790_000_000_000);

fn scope(number: usize) -> Scope {
    Scope::new(format!("{number:012}").parse().unwrap(), "us-east-1")
}

fn sweep(full: bool, trigger: &str) -> SweepRecord {
    SweepRecord {
        id: 1,
        trigger: trigger.into(),
        full,
        began: NOW,
        took_ms: 1_500,
        scopes_read: 1,
        scopes_unread: 0,
        revision: "r".into(),
        plan_id: None,
        findings: 0,
        done: 0,
        failed: 0,
        held: 0,
    }
}

/// Lines that are no comment: one a series.
fn series(text: &str) -> Vec<&str> {
    text.lines().filter(|line| !line.starts_with('#')).collect()
}

/// A scrape with every series that there can be, at 5,000 scopes in trouble.
fn everything() -> String {
    let metrics = Metrics::default();
    let scopes: Vec<Scope> = (1..=5_000).map(scope).collect();
    metrics.observed(scopes.iter().map(|scope| (scope, false, Some(NOW))), NOW);
    for kind in CallKind::VARIANTS {
        let action = kind.action();
        metrics.called(action, CallEnd::Done);
        metrics.called(action, CallEnd::EntriesFailed);
        metrics.called(action, CallEnd::Dropped);
        for class in ErrorClass::iter() {
            metrics.called(action, CallEnd::Failed(class));
        }
    }
    for trigger in TRIGGERS.iter().copied().chain((0..200).map(|_| "new")) {
        metrics.swept(&sweep(true, trigger));
        metrics.swept(&sweep(false, trigger));
    }
    for verb in VERBS.iter().copied().chain(["new-verb", "newer-verb"]) {
        for end in [WriteEnd::Done, WriteEnd::Conflict, WriteEnd::Failed, WriteEnd::NotVerified] {
            metrics.wrote(verb, end);
        }
    }
    let channels: Vec<String> = (0..500).map(|number| format!("channel-{number}")).collect();
    for channel in &channels {
        for end in AlertEnd::iter() {
            metrics.alerted(channel, end);
        }
    }
    let standing = Standing {
        findings: FindingCode::iter().map(|code| (code, 9)).collect(),
        incidents: FindingCode::iter().map(|code| (code, 9)).collect(),
        held: Guard::iter().map(|guard| (guard, 9)).collect(),
        routes: ["a", "b", "c", "d", "e", "f"].map(|state| (state, 9)).into(),
        scopes: ["a", "b", "c", "d", "e"].map(|state| (state, 9)).into(),
        unread: scopes.iter().cloned().collect(),
        alerts_waiting: channels.into_iter().map(|channel| (channel, 1)).collect(),
        ..Standing::default()
    };
    metrics.scrape(&standing, NOW.plus_ms(60_000))
}

#[test]
fn five_thousand_scopes_in_trouble_and_all_else_that_can_be_stay_within_the_bound() {
    let text = everything();
    let count = series(&text).len();
    assert!(count <= SERIES_MAX, "{count} series");
    // A bound that is far off says nothing.
    assert!(count + 50 > SERIES_MAX, "{count} series: say so in SERIES_MAX");
    let of_scopes = series(&text).into_iter().filter(|line| line.contains("scope=\"")).count();
    assert_eq!(of_scopes, SCOPES_MAX);
    assert!(text.contains("wheelwright_alerts_waiting{channel=\"other\"} 450"), "{text}");
}

#[test]
fn the_worst_scopes_are_told_and_what_is_over_is_not() {
    let metrics = Metrics::default();
    let scopes: Vec<Scope> = (1..=200).map(scope).collect();
    // Scope 1 was read last a second ago, scope 2 two seconds ago, ….
    let at = |number: usize| Some(Moment(NOW.0 - number as u64 * 1_000));
    metrics.observed(scopes.iter().enumerate().map(|(index, scope)| (scope, true, at(index + 1))), NOW);
    // Then none of them answers any more: when they were asked in vain is not when they were read.
    metrics.observed(scopes.iter().map(|scope| (scope, false, Some(NOW))), NOW);
    let in_trouble = Standing { unread: scopes.iter().cloned().collect(), ..Standing::default() };
    let text = metrics.scrape(&in_trouble, NOW);
    assert!(text.contains("wheelwright_observation_age_seconds{scope=\"000000000200/us-east-1\"} 200.0"), "{text}");
    assert!(text.contains("wheelwright_observation_age_seconds{scope=\"000000000151/us-east-1\"} 151.0"), "{text}");
    assert!(!text.contains("scope=\"000000000150/us-east-1\""), "the oldest 50 alone");
    assert!(text.contains("wheelwright_observation_oldest_age_seconds 200.0"), "{text}");

    metrics.observed(scopes.iter().map(|scope| (scope, true, Some(NOW))), NOW);
    let text = metrics.scrape(&Standing::default(), NOW.plus_ms(500));
    assert!(!text.contains("scope=\""), "{text}");
    assert!(text.contains("wheelwright_observation_oldest_age_seconds 0.5"), "{text}");
}

/// The texts between `before` and the next quotation mark.
fn texts_after<'a>(source: &'a str, before: &str) -> BTreeSet<&'a str> {
    source.split(before).skip(1).filter_map(|rest| rest.split('"').next()).collect()
}

#[test]
fn names_match_what_they_name() {
    let plan = include_str!("../model/plan.rs");
    let start = plan.find("pub fn verb(&self)").unwrap();
    let end = plan[start..].find("\n    }\n").unwrap();
    assert_eq!(texts_after(&plan[start..start + end], "=> \""), VERBS.iter().copied().collect());
    let daemon = include_str!("../daemon/turn.rs");
    let asked = texts_after(daemon, ".ask(\"");
    let unknown: Vec<&&str> = asked.iter().filter(|name| !TRIGGERS.contains(name)).collect();
    assert!(!asked.is_empty() && unknown.is_empty(), "not in TRIGGERS: {unknown:?}");
}

/// The name of a series, and the keys of its labels.
fn name_and_keys(line: &str) -> (&str, BTreeSet<&str>) {
    let Some((name, labels)) = line.split_once('{') else {
        return (line.split(' ').next().unwrap(), BTreeSet::new());
    };
    let keys = labels.split("=\"").filter_map(|part| part.rsplit(['"', ',', ' ', '{']).next());
    (name, keys.filter(|key| !key.is_empty()).collect())
}

/// What tells of numbers that are not there tells nothing, and nobody notices.
#[test]
fn what_the_rules_and_the_dashboard_ask_for_is_there() {
    let text = everything();
    let mut known: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for line in series(&text) {
        let (name, keys) = name_and_keys(line);
        known.entry(name).or_default().extend(keys);
    }
    let rules = include_str!("../../deploy/prometheus/alerts.yaml");
    let dashboard = include_str!("../../deploy/grafana/wheelwright.json").replace("\\\"", "\"");
    let mut asked = 0;
    for (file, text) in [("alerts.yaml", rules), ("wheelwright.json", &dashboard)] {
        for (at, _) in text.match_indices("wheelwright_") {
            let ends = |letter: char| !(letter.is_ascii_alphanumeric() || letter == '_');
            let name = &text[at..at + text[at..].find(ends).unwrap()];
            let keys = known.get(name).unwrap_or_else(|| panic!("{file}: there is no {name}"));
            let rest = &text[at + name.len()..];
            let selector = rest.strip_prefix('{').and_then(|rest| rest.split('}').next()).unwrap_or_default();
            for matcher in selector.split(", ").filter(|matcher| !matcher.is_empty()) {
                let key = matcher.split(['=', '!']).next().unwrap();
                let is_known = ["job", "instance"].contains(&key) || keys.contains(key);
                assert!(is_known, "{file}: {name} has no `{key}`, only {keys:?}");
            }
            asked += 1;
        }
    }
    assert!(asked > 30, "{asked}");
}

#[test]
fn each_rule_has_a_severity_a_runbook_and_a_test() {
    let rules = include_str!("../../deploy/prometheus/alerts.yaml");
    let tests = include_str!("../../deploy/prometheus/tests.yaml");
    let mut count = 0;
    for rule in rules.split("- alert: ").skip(1) {
        let name = rule.lines().next().unwrap();
        for part in ["severity: ", "summary: ", "description: ", "runbook: "] {
            assert!(rule.contains(part), "{name} has no `{part}`");
        }
        let fires = format!("- labels: 'ALERTS{{alertname=\"{name}\", alertstate=\"firing\"");
        let ends = format!("alertname=\"{name}\", alertstate=\"firing\"}}', eval_time: ");
        assert!(
            tests.contains(&fires) && tests.contains(&ends),
            "{name}: tests.yaml does not show that it fires and ends"
        );
        count += 1;
    }
    assert!(count > 10, "{count}");
}
