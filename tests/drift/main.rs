//! The table of drift on the simulated AWS: whether each kind is found, what becomes of it, and what becomes of events
//! meanwhile.
//!
//! The worked example, with what it does not have of the language, has converged before, and each team has a rule of
//! its own on its bus, which is foreign to wheelwright. Each row is run by the Call door and by the SDK door.
//! `cargo test --release --test drift -- --nocapture` prints the table, which is also in `snapshots/`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

#[path = "../rows/mod.rs"]
mod rows;
#[path = "../support/mod.rs"]
mod support;

use rows::{After, Door, EXTRAS, Edit, Events, Row, TABLE, codes, new_findings};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use support::probes::{Mail, PAYMENTS, PLATFORM, Probe, US, probes};
use support::{Bench, Example, difference, is_ours};
use wheelwright::model::desired::Desired;
use wheelwright::model::finding::{Finding, FindingCode, Outcome, Severity};
use wheelwright::model::plan::Guard;
use wheelwright::plan::Approval;
use wheelwright::port::Fleet;
use wheelwright::sim::{SimulatedAws, SnapshotItem};
use wheelwright::stage;

#[tokio::test(start_paused = true)]
async fn drift_is_found_and_mended_or_left_by_the_call_door() {
    let (example, aws) = example();
    let start = Start::of(&Bench::by_call(&example, aws)).await;
    let mut table = format!(
        "{:50} {:26} {:8} {:12} events then
",
        "what somebody does", "what is found", "and is", "events"
    );
    for (title, rows) in TABLE {
        writeln!(table, "\n{title}").unwrap();
        for row in *rows {
            let seen = check(row, &start, &Bench::by_call(&example, start.aws.clone())).await;
            table.push_str(&seen.lines(row));
        }
    }
    let count: usize = TABLE.iter().map(|(_, rows)| rows.len()).sum();
    writeln!(table, "\n{count} kinds of drift; ! is an error").unwrap();
    println!("{table}");
    assert!(count >= 40);
    insta::assert_snapshot!("table", table);
}

#[tokio::test(start_paused = true)]
async fn drift_is_found_and_mended_or_left_by_the_sdk_door() {
    let (example, aws) = example();
    let start = Start::of(&Bench::by_sdk(&example, aws)).await;
    for row in TABLE.iter().flat_map(|(_, rows)| *rows) {
        check(row, &start, &Bench::by_sdk(&example, start.aws.clone())).await;
    }
}

#[test]
fn no_two_rows_have_one_name() {
    let names: Vec<&str> = TABLE.iter().flat_map(|(_, rows)| *rows).map(|row| row.name).collect();
    assert_eq!(names.len(), names.iter().collect::<BTreeSet<_>>().len(), "{names:?}");
}

/// The worked example with what it does not have of the language, and its accounts.
fn example() -> (Example, SimulatedAws) {
    let worked = Example::worked();
    let key = worked.stage().key(PLATFORM, US);
    let extras: Vec<(&str, &str, String)> =
        EXTRAS.iter().map(|(path, from, to)| (*path, *from, to.replace("KEY", &key))).collect();
    let extras: Vec<(&str, &str, &str)> = extras.iter().map(|(path, from, to)| (*path, *from, to.as_str())).collect();
    let example = worked.edited(&extras);
    let mut aws = example.stage();
    assert_eq!(aws.key(PLATFORM, US), key, "keys are counted, and this is the first");
    (example, aws)
}

/// Where each row starts: the example in step, with each team's own rule on its bus.
struct Start {
    aws: SimulatedAws,
    /// Everything of ours.
    ours: Value,
    /// What is told without any drift.
    known: Vec<Finding>,
}

impl Start {
    async fn of<F: Fleet>(bench: &Bench<F>) -> Self {
        let swept = bench.sweep().await;
        bench.assert_in_step(&swept);
        stage::furnish(&mut bench.aws(), &bench.example.desired).unwrap();
        let (_, plan) = bench.plan().await;
        assert!(plan.is_empty(), "{}", bench.shown(&plan));
        let delivered = delivered(&bench.aws(), &bench.example.desired);
        assert_eq!(delivered.events, Events::default(), "{}", delivered.told());
        let aws = bench.aws().clone();
        Self { ours: aws.snapshot(is_ours), aws, known: plan.findings }
    }
}

/// What a row was seen to do.
struct Seen {
    found: BTreeSet<(FindingCode, Outcome)>,
    after: After,
    meanwhile: Events,
    then: Events,
}

impl Seen {
    /// The row's lines in the table: a finding each, and an error with an exclamation mark.
    fn lines(&self, row: &Row) -> String {
        let mut found: Vec<String> = (self.found.iter())
            .map(|(code, outcome)| {
                let loud = if code.severity() == Severity::Error { "!" } else { "" };
                let left = if self.after == After::Mended && *outcome == Outcome::Left { ", left" } else { "" };
                format!("{code}{loud}{left}")
            })
            .collect();
        if found.is_empty() {
            found.push(if self.after == After::Mended { "a step that takes it away" } else { "-" }.to_owned());
        }
        let after = format!("{:?}", self.after).to_lowercase();
        let (meanwhile, then) = (self.meanwhile.in_words(), self.then.in_words());
        let mut lines = format!("  {:48} {:26} {after:8} {meanwhile:12} {then}", row.name, found[0]);
        for more in &found[1..] {
            write!(lines, "\n  {:48} {more}", "").unwrap();
        }
        lines.lines().map(|line| format!("{}\n", line.trim_end())).collect()
    }
}

async fn check<F: Fleet>(row: &Row, start: &Start, bench: &Bench<F>) -> Seen {
    let name = row.name;
    let desired = &bench.example.desired;
    (row.edit)(&mut Edit { door: &mut *bench.aws(), desired });
    let edited = Picture::of(&bench.aws());
    let meanwhile = delivered(&bench.aws(), desired);
    assert_eq!(meanwhile.events, row.meanwhile, "{name}: meanwhile {}", meanwhile.told());

    let (_, plan) = bench.plan().await;
    let new = new_findings(&plan.findings, &start.known);
    let found = codes(&new);
    assert_eq!(found, row.finds(), "{name}: found\n{}", bench.shown(&plan));
    let told = new.iter().any(|finding| finding.detail.contains(row.tells));
    assert!(told || row.tells.is_empty(), "{name}: {:?} is not said in {new:#?}", row.tells);

    sweep(row, bench, &edited).await;
    let (_, second) = bench.plan().await;
    assert!(second.is_empty(), "{name}: the second plan\n{}", bench.shown(&second));
    let (left, still) = (only_left(&found), codes(&new_findings(&second.findings, &start.known)));
    assert_eq!(still, left, "{name}: the second plan\n{}", bench.shown(&second));

    let after = Picture::of(&bench.aws());
    assert_eq!(difference(&edited.foreign, &after.foreign), Vec::<String>::new(), "{name}: foreign, and written");
    match row.after {
        After::Left => assert_eq!(difference(&edited.ours, &after.ours), Vec::<String>::new(), "{name}: written"),
        After::Mended | After::Allowed => {
            assert_eq!(difference(&start.ours, &after.ours), Vec::<String>::new(), "{name}: ours is not as it was");
        }
    }
    // A team whose bus was deleted puts its own rule back; only then can it be seen what arrives there.
    stage::furnish(&mut bench.aws(), desired).unwrap();
    let then = delivered(&bench.aws(), desired);
    assert_eq!(then.events, row.then, "{name}: afterwards {}", then.told());
    Seen { found, after: row.after, meanwhile: meanwhile.events, then: then.events }
}

/// One sweep does all that is to be done, or what a person has to allow waits until they do.
async fn sweep<F: Fleet>(row: &Row, bench: &Bench<F>, edited: &Picture) {
    let name = row.name;
    let swept = bench.sweep().await;
    let loud =
        |(code, outcome): &(FindingCode, Outcome)| *outcome == Outcome::Left && code.severity() == Severity::Error;
    if row.after == After::Allowed {
        let written = difference(&edited.all(), &Picture::of(&bench.aws()).all());
        assert_eq!(written, Vec::<String>::new(), "{name}: written without leave");
        let approval = Approval { allow: [Guard::Adopt].into(), plan_id: None };
        let swept = bench.sweep_with(&bench.clock, &approval).await.unwrap();
        bench.assert_in_step(&swept);
    } else if row.finds().iter().any(loud) {
        // Nothing to do, and an error that only a person can mend: that is not "in step".
        assert!(!swept.in_step() && swept.after.is_empty(), "{name}: {}", bench.shown(&swept.after));
    } else {
        bench.assert_in_step(&swept);
    }
}

/// Everything that lives, ours and others'.
struct Picture {
    ours: Value,
    foreign: Value,
}

impl Picture {
    fn of(aws: &SimulatedAws) -> Self {
        Self { ours: aws.snapshot(is_ours), foreign: aws.snapshot(|item: &SnapshotItem<'_>| !is_ours(item)) }
    }

    fn all(&self) -> Value {
        json!(
            [&self.ours, &self.foreign].into_iter().filter_map(Value::as_object).flatten().collect::<BTreeMap<_, _>>()
        )
    }
}

/// Where the probes were and were not.
#[derive(Default)]
struct Delivered {
    events: Events,
    missing: Vec<String>,
    surplus: Vec<String>,
}

impl Delivered {
    fn told(&self) -> String {
        format!("missing {:#?}, surplus {:#?}", self.missing, self.surplus)
    }
}

/// Publishes every probe in a copy of the world. What went to a dead-letter queue has not arrived anywhere.
fn delivered(aws: &SimulatedAws, desired: &Desired) -> Delivered {
    let mut aws = aws.clone();
    let mut mail = Mail::of(&aws);
    let mut delivered = Delivered::default();
    for probe in probes().into_iter().chain([finding()]) {
        let published = probe.publish(&mut aws);
        let (arrived, wanted) = (mail.arrived(&aws), probe.queues(desired));
        for (queue, count) in &wanted {
            if published.is_err() || arrived.get(queue).is_none_or(|found| found < count) {
                delivered.missing.push(format!("{} in {queue}", probe.name));
            }
        }
        for (queue, found) in arrived.iter().filter(|(queue, _)| !queue.ends_with("dead-letters")) {
            if wanted.get(queue).is_none_or(|count| found > count) {
                delivered.surplus.push(format!("{} in {queue}", probe.name));
            }
        }
    }
    delivered.events = Events { cut: !delivered.missing.is_empty(), copied: !delivered.surplus.is_empty() };
    delivered
}

/// An event of an AWS service's own, which is collected.
fn finding() -> Probe {
    Probe {
        name: "a finding of GuardDuty's",
        publisher: PAYMENTS,
        region: US,
        own_bus: Some("default"),
        source: "aws.guardduty",
        detail_type: "GuardDuty Finding",
        detail: json!({"severity": 8}),
        reaches: &["fraud.findings"],
    }
}

fn only_left(found: &BTreeSet<(FindingCode, Outcome)>) -> BTreeSet<(FindingCode, Outcome)> {
    found.iter().copied().filter(|(_, outcome)| *outcome == Outcome::Left).collect()
}
