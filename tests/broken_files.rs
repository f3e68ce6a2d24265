//! exploration
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use support::{Bench, Example};
use wheelwright::config::{self, SourceFiles};
use wheelwright::expand::expand;
use wheelwright::model::desired::Revision;
use wheelwright::model::finding::Severity;
use wheelwright::model::plan::Action;
use wheelwright::model::resource::ResourceId;
use wheelwright::plan::plan;
use wheelwright::port::Clock;

fn base() -> BTreeMap<String, String> {
    let mut texts = Example::worked().texts;
    let mut add = |path: &str, text: &str| {
        texts.entry(path.to_owned()).or_default().push_str(text);
    };
    add("topology/accounts.toml", "solo-prod = { id = \"121212121212\" }\nprobe-prod = { id = \"131313131313\" }\n");
    add(
        "topology/hubs.toml",
        "\n[hub.ap]\naccount = \"platform\"\nregion = \"ap-southeast-2\"\nbus = \"org-events\"\naudit = { queue = \"audit-log\" }\n",
    );
    add(
        "topology/stops.toml",
        "[stop.inc-4411]\nsubscription = \"shipping.customs\"\nuntil = 2030-01-01T00:00:00Z\nreason = \"INC-4411\"\n",
    );
    add(
        "topology/teams/solo.toml",
        "[team]\nname = \"solo\"\ncontact = \"#solo\"\n\n[spoke.ap]\nhub = \"ap\"\naccount = \"solo-prod\"\nbus = \"solo\"\n\n[publish.readings]\nsource = \"com.acme.solo\"\n\n[[moved]]\nfrom = \"soil.own\"\nto = \"solo.own\"\n\n[subscribe.own]\nfrom = \"solo.readings\"\ndeliver = { queue = \"own\" }\n",
    );
    add(
        "topology/teams/fraud.toml",
        "\n[spoke.ap]\nhub = \"ap\"\naccount = \"fraud-prod\"\nbus = \"fraud\"\n\n[subscribe.readings]\nfrom = \"solo.readings\"\nspoke = \"ap\"\n\n[collect.findings]\nsource = \"aws.guardduty\"\naccounts = [\"payments-prod\", \"ledger-prod\"]\nat = [\"us\"]\n\n[subscribe.findings]\nfrom = \"fraud.findings\"\ndeliver = { queue = \"findings\" }\n",
    );
    texts
}

#[tokio::test(start_paused = true)]
async fn explore() {
    let mut texts = base();
    // fraud.verdicts at us only, else ambiguous
    let fraud = texts.get_mut("topology/teams/fraud.toml").unwrap();
    *fraud = fraud.replace("source = \"com.acme.fraud\"\n", "source = \"com.acme.fraud\"\nat = [\"us\"]\n");
    let example = Example::of(texts.clone(), 1000);
    assert!(example.topology.kept.is_empty());
    let bench = Bench::by_call(&example, example.stage());
    let swept = bench.sweep().await;
    bench.assert_in_step(&swept);
    let (world, same) = bench.plan().await;
    assert!(same.steps.is_empty());
    let owner_of: BTreeMap<String, String> = example
        .desired
        .rules
        .iter()
        .map(|(rule, wanted)| {
            (ResourceId::Rule(rule.clone()).to_string(), wanted.team.as_ref().map_or("(hub)".into(), |t| t.to_string()))
        })
        .chain(example.desired.buses.iter().map(|(bus, wanted)| {
            (ResourceId::Bus(bus.clone()).to_string(), wanted.team.as_ref().map_or("(hub)".into(), |t| t.to_string()))
        }))
        .collect();
    let mut tally: BTreeMap<String, (usize, String)> = BTreeMap::new();
    let mut total = 0;
    for (path, text) in texts.iter().filter(|(path, _)| path.contains("/teams/")) {
        let team = path.rsplit('/').next().unwrap().trim_end_matches(".toml").to_owned();
        let mut variants: Vec<(String, String)> = Vec::new();
        for end in 0..text.len() {
            if text.is_char_boundary(end) {
                variants.push((format!("cut {end}"), text[..end].to_owned()));
            }
        }
        for (at, c) in text.char_indices() {
            for slip in ["", "x", "\"", "[", "=", "#", "\n", "X", "\u{feff}", "'''", ".", "{"] {
                let mut new = text.clone();
                if slip.len() == 1 && at % 2 == 0 {
                    new.insert_str(at, slip);
                } else {
                    new.replace_range(at..at + c.len_utf8(), slip);
                }
                variants.push((format!("{slip:?} at {at}"), new));
            }
        }
        for (name, new) in variants {
            total += 1;
            let mut changed = texts.clone();
            changed.insert(path.clone(), new.clone());
            let files = SourceFiles::new(changed.iter().map(|(path, text)| (path.as_str(), text.as_str())));
            let loaded = config::load(&files);
            let mut note = |what: String| {
                let entry = tally.entry(format!("{team}: {what}")).or_insert_with(|| (0, name.clone()));
                entry.0 += 1;
            };
            let errors: Vec<_> = loaded.diagnostics.iter().filter(|d| d.severity == Severity::Error).collect();
            if errors.is_empty() {
                note("sound".into());
                continue;
            }
            let own = errors.iter().any(|d| &*d.primary.file == path.as_str());
            let blamed: BTreeSet<String> = errors
                .iter()
                .filter(|d| &*d.primary.file != path.as_str())
                .map(|d| format!("{} {}", d.code, d.primary.file))
                .collect();
            if own {
                for b in &blamed {
                    note(format!("CASCADE {b}"));
                }
            } else {
                note(format!("dangling {blamed:?}"));
            }
            let Some(topology) = &loaded.topology else {
                let codes: BTreeSet<String> = errors.iter().map(|d| format!("{} {}", d.code, d.primary.file)).collect();
                note(format!("NONE {codes:?}"));
                continue;
            };
            if topology.kept.unknown.is_some() {
                note("unknown".into());
            }
            let desired =
                expand(topology, &loaded.settings, Revision { id: "b".into(), sequence: 1001 }, bench.clock.now());
            let plan = plan(&desired, &world, &example.settings.guards, bench.clock.now());
            for step in &plan.steps {
                let what = step.action.resource().to_string();
                let whose = owner_of.get(&what).cloned().unwrap_or_default();
                if matches!(step.action, Action::RemoveGrant { .. }) {
                    note("REMOVES GRANT".to_string());
                }
                if step.is_break() || whose == team {
                    note(format!("STEP own={own} {} {} of {whose}", step.action.verb(), what));
                } else if own {
                    note(format!("step {} {} of {whose}", step.action.verb(), what));
                }
            }
        }
    }
    println!("{total} variants");
    for (what, (count, first)) in &tally {
        println!("{count:6} {what}   e.g. {first}");
    }
}
