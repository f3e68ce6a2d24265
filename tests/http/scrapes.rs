//! What is counted, as Prometheus reads it.

use crate::served::serve;
use std::collections::BTreeMap;
use wheelwright::model::history::SweepRecord;

/// The value of each series.
fn series(text: &str) -> BTreeMap<String, f64> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| {
            let (name, value) = line.rsplit_once(' ').unwrap();
            (name.to_owned(), value.parse().unwrap())
        })
        .collect()
}

/// The states that the rules of deploy/prometheus ask for by name.
const ASKED_FOR: &[(&str, &[&str])] =
    &[("wheelwright_scopes", &["unreachable", "partial", "waiting"]), ("wheelwright_routes", &["drifted", "held"])];

#[test]
fn the_rules_ask_for_states_by_these_names() {
    let rules = include_str!("../../deploy/prometheus/alerts.yaml");
    for (name, states) in ASKED_FOR {
        assert!(rules.contains(&format!("{name}{{state=~\"{}\"}}", states.join("|"))), "{name}");
    }
    assert_eq!(rules.matches("state=~").count(), ASKED_FOR.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_daemon_did_is_counted() {
    let served = serve("", None).await;
    served.in_step().await;
    // The sweep that made everything has ended, and found things too.
    let first = served.another_sweep().await;
    let rule = served.rule("ledger.large");
    let before = series(&served.get("/metrics").await.body);
    served.by_hand(&rule, "DisableRule");
    let mended = |sweep: &SweepRecord| sweep.id > first && sweep.done > 0;
    served.until("the mending", |status| status.last_sweep.as_ref().is_some_and(mended)).await;
    served.another_sweep().await;
    let answer = served.get("/metrics").await;
    assert_eq!(
        answer.header("content-type"),
        Some("application/openmetrics-text; version=1.0.0; charset=utf-8"),
        "{}",
        answer.head
    );
    assert!(answer.body.ends_with("# EOF\n"));
    let after = series(&answer.body);
    let grew = |name: &str| after[name] - before.get(name).copied().unwrap_or(0.0);
    assert_eq!(grew("wheelwright_writes_total{verb=\"put-rule\",end=\"done\"}"), 1.0, "{}", answer.body);
    assert_eq!(grew("wheelwright_calls_total{action=\"events:PutRule\",outcome=\"done\"}"), 1.0);
    assert!(grew("wheelwright_calls_total{action=\"events:ListRules\",outcome=\"done\"}") > 0.0);
    assert!(grew("wheelwright_sweeps_total{depth=\"fast\",trigger=\"interval\"}") >= 2.0);
    assert_eq!(after["wheelwright_sweeps_total{depth=\"full\",trigger=\"start\"}"], 1.0, "counted once");
    assert_eq!(after["wheelwright_sweep_duration_seconds_count{depth=\"full\"}"], 1.0);
    assert_eq!(after["wheelwright_incidents_open{code=\"rule-disabled\",severity=\"error\"}"], 0.0);
    assert_eq!(after["wheelwright_routes{state=\"delivering\"}"], served.example.desired.routes.len() as f64);
    assert_eq!(after["wheelwright_scopes{state=\"unreachable\"}"], 0.0);
    assert_eq!(after["wheelwright_ready"], 1.0);
    assert!(!answer.body.contains("wheelwright_observation_age_seconds{"), "no scope is in trouble");
    for (name, states) in ASKED_FOR {
        for state in *states {
            let series = format!("{name}{{state=\"{state}\"}}");
            assert!(after.contains_key(&series), "{series}");
        }
    }
    served.end().await;
}
