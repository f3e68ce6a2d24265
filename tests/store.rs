//! The daemon's memory as the daemon has it: what is kept comes back, whole or not at all, whoever kills whom when; what is not
//! over is never forgotten; and what is wrong with the file is told.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(clippy::disallowed_methods)] // The files are what is tested.

use proptest::prelude::*;
use rusqlite::Connection;
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use strum::IntoEnumIterator;
use tempfile::TempDir;
use wheelwright::model::alert::{Alert, AlertKind};
use wheelwright::model::finding::{FindingCode, Outcome, Severity};
use wheelwright::model::history::{SweepRecord, WriteEnd, WriteRecord};
use wheelwright::model::ids::Moment;
use wheelwright::model::incident::{Concern, Incident, Resolution, Subject};
use wheelwright::model::order::{LiveStop, Order, Pause, Reach};
use wheelwright::model::plan::Cause;
use wheelwright::model::resource::{BusId, ResourceId, RuleId};
use wheelwright::model::settings::StateSettings;
use wheelwright::model::topology::Origin;
use wheelwright::store::{IncidentFilter, LOCK_FILE, Note, Opened, STATE_FILE, Store, StoreError, WriteFilter};

const DAY_MS: u64 = 24 * 3_600_000;
/// 2026-11-24T06:00:00Z.
const NOW: Moment = Moment(1_795_500_000_000);

fn rule(name: &str) -> ResourceId {
    let scope = "111111111111/us-east-1".parse().unwrap();
    ResourceId::Rule(RuleId { bus: BusId { scope, name: "org-events".into() }, name: name.into() })
}

fn concern(name: &str) -> Concern {
    Concern {
        subject: Subject::Resource(rule(name)),
        code: FindingCode::RuleDisabled,
        outcome: Outcome::Mend,
        detail: "it is DISABLED".into(),
        team: Some("ledger".parse().unwrap()),
        origin: Some(Origin { file: "topology/teams/ledger.toml".into(), line: 7, entry: "subscribe.large".into() }),
    }
}

fn incident(name: &str, at: Moment) -> Incident {
    Incident::open(concern(name), at, "rev")
}

fn over(incident: Incident, at: Moment) -> Incident {
    Incident { last_seen: at, resolved: Some((at, Resolution::Mended)), ..incident }
}

fn sweep(id: u64, began: Moment) -> SweepRecord {
    SweepRecord {
        id,
        trigger: "interval".into(),
        full: false,
        began,
        took_ms: 900,
        scopes_read: 4,
        scopes_unread: 0,
        revision: "rev".into(),
        plan_id: Some("plan".into()),
        findings: 1,
        done: 1,
        failed: 0,
        held: 0,
    }
}

fn quiet(id: u64, began: Moment) -> SweepRecord {
    SweepRecord { plan_id: None, findings: 0, done: 0, ..sweep(id, began) }
}

fn write(sweep: u64, name: &str, at: Moment) -> WriteRecord {
    WriteRecord {
        sweep,
        at,
        resource: rule(name),
        step: serde_json::from_value(format!("put-rule {}", rule(name)).into()).unwrap(),
        cause: Cause::Drift,
        codes: BTreeSet::from([FindingCode::RuleDisabled]),
        before: r#"{"state":"DISABLED"}"#.into(),
        after: r#"{"state":"ENABLED"}"#.into(),
        end: WriteEnd::Done,
        message: None,
        request_id: Some("0f".into()),
        plan_id: "plan".into(),
        revision: "rev".into(),
        team: Some("ledger".parse().unwrap()),
        origin: None,
    }
}

fn alert(id: &str, at: Moment) -> Alert {
    Alert {
        id: id.into(),
        group: "g".into(),
        kind: AlertKind::Raised,
        severity: Severity::Error,
        code: "rule-disabled".into(),
        title: "A rule is disabled".into(),
        at,
        team: None,
        contact: None,
        hub: None,
        owner: "wheelwright".into(),
        revision: "rev".into(),
        incidents: vec![incident("a", at)],
        count: 1,
        advice: "Nothing to do".into(),
    }
}

fn order(since: Moment) -> Order {
    Order { since, until: since.plus_ms(DAY_MS), reason: "migration".into(), by: "ana".into() }
}

fn note(at: Moment) -> Note {
    Note { at, by: "ben".into(), reason: "done".into() }
}

fn settings(days_max: u32, mib_max: u32) -> StateSettings {
    StateSettings { folder: None, days_max, mib_max }
}

fn ago(days: u64) -> Moment {
    Moment(NOW.0 - days * DAY_MS)
}

fn opened(folder: &Path) -> Store {
    Store::open(folder).unwrap().0
}

fn every_write() -> WriteFilter {
    WriteFilter::default()
}

fn sorted(mut incidents: Vec<Incident>) -> Vec<Incident> {
    incidents.sort_by(|a, b| a.id.cmp(&b.id));
    incidents
}

#[test]
fn everything_is_there_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let inner = folder.path().join("state/of/wheelwright");
    let (store, found) = Store::open(&inner).unwrap();
    assert_eq!(found, Opened { is_new: true });
    assert_eq!(store.next_sweep_id().unwrap(), 1);

    let (one, two) = (incident("a", ago(2)), over(incident("b", ago(2)), ago(1)));
    let writes = [write(1, "a", ago(2)), WriteRecord { end: WriteEnd::Failed, ..write(1, "b", ago(2)) }];
    let alerts = [("ops".to_owned(), alert("one", NOW)), ("pager".to_owned(), alert("one", NOW))];
    store.commit_sweep(&sweep(1, ago(2)), &writes, &[one.clone(), two.clone()], &alerts).unwrap();
    store.record_sweep(&quiet(2, ago(1)), &[]).unwrap();
    let pause = Pause { reach: "team ledger".parse().unwrap(), order: order(NOW) };
    let stop = LiveStop { subscription: "ledger.large".parse().unwrap(), order: order(NOW) };
    store.set_pause(&pause).unwrap();
    store.set_stop(&stop).unwrap();
    assert!(store.trip(&rule("fought"), NOW).unwrap());
    store.set_meta("revision", "rev").unwrap();
    drop(store);

    let (store, found) = Store::open(&inner).unwrap();
    assert_eq!(found, Opened { is_new: false });
    assert_eq!(store.next_sweep_id().unwrap(), 3);
    assert_eq!(store.sweeps(10, None).unwrap(), [quiet(2, ago(1)), sweep(1, ago(2))]);
    assert_eq!(store.sweeps(10, Some(2)).unwrap(), [sweep(1, ago(2))]);
    let kept: Vec<WriteRecord> = store.writes(&every_write()).unwrap().into_iter().map(|(_, write)| write).collect();
    assert_eq!(kept, [writes[1].clone(), writes[0].clone()]);
    assert_eq!(store.reverts_since(ago(2)).unwrap(), [(rule("a"), ago(2))], "a failed write took nothing back");
    assert_eq!(store.reverts_since(ago(1)).unwrap(), []);
    assert_eq!(store.open_incidents().unwrap(), std::slice::from_ref(&one));
    assert_eq!(store.incident(&two.id).unwrap(), Some(two));
    assert_eq!(store.incident("0000000000").unwrap(), None);
    assert_eq!(store.pauses().unwrap(), [pause]);
    assert_eq!(store.stops().unwrap(), [stop]);
    assert_eq!(store.tripped().unwrap(), [(rule("fought"), NOW)]);
    assert_eq!(store.meta("revision").unwrap().as_deref(), Some("rev"));
    assert_eq!(store.meta("nothing").unwrap(), None);
    let due = store.due_alerts(NOW).unwrap();
    let due: Vec<_> = due.iter().map(|due| (due.channel.as_str(), &due.alert, due.tries)).collect();
    assert_eq!(due, [("ops", &alerts[0].1, 0), ("pager", &alerts[1].1, 0)]);
    assert_eq!(store.unreadable_rows(), 0);
}

#[test]
fn orders_are_taken_back_once_and_logged_with_who_and_why() {
    let store = Store::in_memory().unwrap();
    let pause = Pause { reach: Reach::All, order: order(ago(2)) };
    store.set_pause(&pause).unwrap();
    let longer = Pause { order: Order { reason: "longer".into(), ..order(ago(1)) }, ..pause };
    store.set_pause(&longer).unwrap();
    assert_eq!(store.pauses().unwrap(), [longer], "one pause for each reach");
    assert!(store.remove_pause(&Reach::All, &note(NOW)).unwrap());
    assert!(!store.remove_pause(&Reach::All, &note(NOW)).unwrap());
    let stop = LiveStop { subscription: "ledger.large".parse().unwrap(), order: order(NOW) };
    store.set_stop(&stop).unwrap();
    assert!(store.remove_stop(&stop.subscription, &note(NOW)).unwrap());
    assert!(!store.remove_stop(&stop.subscription, &note(NOW)).unwrap());
    assert!(store.trip(&rule("a"), ago(1)).unwrap());
    assert!(!store.trip(&rule("a"), NOW).unwrap());
    assert_eq!(store.tripped().unwrap(), [(rule("a"), ago(1))], "since the first time");
    assert!(store.clear_trip(&rule("a"), &note(NOW)).unwrap());
    assert!(!store.clear_trip(&rule("a"), &note(NOW)).unwrap());
    assert_eq!((store.pauses().unwrap(), store.stops().unwrap(), store.tripped().unwrap()), (vec![], vec![], vec![]));

    let log: Vec<String> = store
        .orders_log(10)
        .unwrap()
        .into_iter()
        .map(|entry| format!("{} {}: {} ({})", entry.at, entry.by, entry.what, entry.reason))
        .collect();
    assert_eq!(
        log,
        [
            "2026-11-24T06:00:00Z ben: resume fight rule 111111111111/us-east-1/org-events/a (done)",
            "2026-11-23T06:00:00Z wheelwright: give up rule 111111111111/us-east-1/org-events/a (somebody else took back what \
             we wrote, again and again)",
            "2026-11-24T06:00:00Z ben: start ledger.large (done)",
            "2026-11-24T06:00:00Z ana: stop ledger.large until 2026-11-25T06:00:00Z (migration)",
            "2026-11-24T06:00:00Z ben: resume all (done)",
            "2026-11-23T06:00:00Z ana: pause all until 2026-11-24T06:00:00Z (longer)",
            "2026-11-22T06:00:00Z ana: pause all until 2026-11-23T06:00:00Z (migration)",
        ]
    );
    assert_eq!(store.orders_log(1).unwrap().len(), 1);
}

#[test]
fn incidents_are_found_by_what_people_ask() {
    let store = Store::in_memory().unwrap();
    let mut first = incident("a", ago(9));
    let gone = over(incident("b", ago(8)), ago(3));
    let mut third = incident("c", ago(1));
    third.concern.team = Some("payments".parse().unwrap());
    third.concern.code = FindingCode::TargetMissing;
    let of_operator =
        Incident::open(Concern::of_operator(FindingCode::StateLost, Outcome::Held, "The state is new"), ago(2), "rev");
    store.save_incidents(&[first.clone(), gone.clone(), third.clone(), of_operator.clone()]).unwrap();
    // Seen again: it moves to the front, and there is still one of it.
    first.last_seen = NOW;
    first.count = 2;
    store.save_incidents(std::slice::from_ref(&first)).unwrap();

    let found = |filter: IncidentFilter| {
        let incidents = store.incidents(&filter).unwrap();
        incidents.into_iter().map(|incident| incident.id).collect::<Vec<_>>()
    };
    let ids = |incidents: &[&Incident]| incidents.iter().map(|incident| incident.id.clone()).collect::<Vec<_>>();
    let any = IncidentFilter::default();
    assert_eq!(found(any.clone()), ids(&[&first, &third, &of_operator, &gone]));
    assert_eq!(found(IncidentFilter { limit: 2, ..any.clone() }), ids(&[&first, &third]));
    assert_eq!(found(IncidentFilter { open: Some(false), ..any.clone() }), ids(&[&gone]));
    assert_eq!(found(IncidentFilter { open: Some(true), ..any.clone() }), ids(&[&first, &third, &of_operator]));
    assert_eq!(found(IncidentFilter { team: Some("ledger".parse().unwrap()), ..any.clone() }), ids(&[&first, &gone]));
    assert_eq!(found(IncidentFilter { code: Some(FindingCode::TargetMissing), ..any.clone() }), ids(&[&third]));
    let scope = Some("111111111111/us-east-1".parse().unwrap());
    assert_eq!(found(IncidentFilter { scope, ..any.clone() }), ids(&[&first, &third, &gone]));
    let scope = Some("222222222222/us-east-1".parse().unwrap());
    assert_eq!(found(IncidentFilter { scope, ..any.clone() }), ids(&[]));
    assert_eq!(found(IncidentFilter { since: Some(ago(2)), ..any }), ids(&[&first, &third, &of_operator]));
    assert_eq!(store.open_incidents().unwrap(), [first, third, of_operator]);
}

#[test]
fn writes_are_found_by_name_scope_sweep_and_time_and_read_page_by_page() {
    let store = Store::in_memory().unwrap();
    for id in 1..=30 {
        let at = ago(31 - id);
        let name = if id % 10 == 0 { "Ledger%large" } else { "payments" };
        // The clock of one account may be behind: what counts is when it was.
        store.record_sweep(&sweep(id, at), &[write(id, name, at), write(id, "other", Moment(at.0 - 1))]).unwrap();
    }
    let found = |filter: &WriteFilter| store.writes(filter).unwrap();
    let sweeps = |filter: WriteFilter| found(&filter).iter().map(|(_, write)| write.sweep).collect::<Vec<_>>();
    let all = found(&every_write());
    assert_eq!(all.len(), 60);
    assert!(all.windows(2).all(|two| two[0].1.at > two[1].1.at), "the newest first");
    let mut paged = Vec::new();
    while let page = found(&WriteFilter { before: paged.last().map(|(id, _)| *id), limit: 7, ..every_write() })
        && !page.is_empty()
    {
        paged.extend(page);
    }
    assert_eq!(paged, all);

    let named = |part: &str| WriteFilter { resource: Some(part.into()), ..every_write() };
    assert_eq!(sweeps(named("ledger%L")), [30, 20, 10]);
    assert_eq!(sweeps(named("l%e")), [0; 0], "no wildcard");
    assert_eq!(sweeps(WriteFilter { limit: 1, ..named("ledger") }), [30]);
    assert_eq!(sweeps(WriteFilter { since: Some(ago(12)), ..named("ledger") }), [30, 20]);
    assert_eq!(sweeps(WriteFilter { sweep: Some(20), ..named("ledger") }), [20]);
    assert_eq!(sweeps(WriteFilter { sweep: Some(21), ..named("ledger") }), [0; 0]);
    assert_eq!(sweeps(WriteFilter { sweep: Some(21), ..every_write() }), [21, 21]);
    assert_eq!(sweeps(WriteFilter { since: Some(ago(1)), ..every_write() }), [30]);
    let scope = Some("111111111111/us-east-1".parse().unwrap());
    assert_eq!(found(&WriteFilter { scope, ..every_write() }).len(), 60);
    let scope = Some("222222222222/us-east-1".parse().unwrap());
    assert_eq!(found(&WriteFilter { scope, ..every_write() }).len(), 0);
}

/// A sweep that a crash cut short wrote what it wrote: it is told, and its number is not given again.
#[test]
fn writes_of_a_sweep_that_never_ended_are_kept() {
    let store = Store::in_memory().unwrap();
    store.record_sweep(&sweep(1, ago(1)), &[]).unwrap();
    store.record_writes(&[write(2, "a", NOW)]).unwrap();
    assert_eq!(store.next_sweep_id().unwrap(), 3);
    assert_eq!(store.writes(&WriteFilter { sweep: Some(2), ..every_write() }).unwrap().len(), 1);
}

#[test]
fn alerts_are_tried_until_they_are_sent_or_given_up() {
    let store = Store::in_memory().unwrap();
    let alerts = ["one", "two", "three"].map(|id| ("ops".to_owned(), alert(id, NOW)));
    store.enqueue_alerts(&alerts).unwrap();
    assert_eq!(store.due_alerts(Moment(NOW.0 - 1)).unwrap(), [], "not before they were made");
    let due = store.due_alerts(NOW).unwrap();
    assert_eq!(due.len(), 3);
    assert!(store.alert_sent(due[0].id, NOW).unwrap());
    assert!(!store.alert_sent(due[0].id, NOW).unwrap(), "once");
    assert!(store.alert_failed(due[1].id, NOW.plus_ms(60_000), "HTTP status 503").unwrap());
    assert!(store.alert_dropped(due[2].id, NOW, "no such channel").unwrap());
    assert!(!store.alert_failed(due[2].id, NOW, "late").unwrap(), "what was given up stays so");
    assert_eq!(store.due_alerts(NOW.plus_ms(59_999)).unwrap(), []);
    let backlog = store.alert_backlog().unwrap();
    assert_eq!((backlog.len(), backlog[0].count, backlog[0].oldest), (1, 1, NOW));
    assert_eq!(backlog[0].error.as_deref(), Some("HTTP status 503"));
    let again = store.due_alerts(NOW.plus_ms(60_000)).unwrap();
    assert_eq!((again.len(), again[0].alert.id.as_str(), again[0].tries), (1, "two", 1));
    assert!(store.alert_sent(again[0].id, NOW).unwrap());
    assert_eq!(store.alert_backlog().unwrap(), []);
}

#[test]
fn a_sweep_that_cannot_be_kept_leaves_nothing() {
    let store = Store::in_memory().unwrap();
    store.record_sweep(&sweep(1, NOW), &[]).unwrap();
    let twice = store.commit_sweep(
        &sweep(1, NOW),
        &[write(1, "a", NOW)],
        &[incident("a", NOW)],
        &[("ops".into(), alert("one", NOW))],
    );
    assert!(matches!(twice, Err(StoreError::Sqlite { .. })), "{twice:?}");
    assert_eq!(store.open_incidents().unwrap(), []);
    assert_eq!(store.writes(&every_write()).unwrap(), []);
    assert_eq!(store.due_alerts(NOW).unwrap(), []);
}

/// Writes that the child keeps with each sweep.
const WRITES_A_SWEEP: usize = 25;
const CHILD_FOLDER: &str = "WHEELWRIGHT_TEST_STORE_FOLDER";

/// Not a test by itself: what is killed below.
#[test]
fn child_that_keeps_sweeps_until_it_is_killed() {
    let Some(folder) = std::env::var_os(CHILD_FOLDER) else { return };
    let store = opened(Path::new(&folder));
    loop {
        let id = store.next_sweep_id().unwrap();
        let at = Moment(NOW.0 + id);
        let writes: Vec<_> = (0..WRITES_A_SWEEP).map(|index| write(id, &format!("rule-{index}"), at)).collect();
        let incident = incident(&format!("rule-of-{id}"), at);
        store
            .commit_sweep(&sweep(id, at), &writes, &[incident], &[("ops".into(), alert(&id.to_string(), at))])
            .unwrap();
        println!("kept {id}");
    }
}

#[test]
fn a_daemon_that_is_killed_leaves_whole_sweeps_and_no_lock() {
    let folder = tempfile::tempdir().unwrap();
    let mut before = 0;
    for round in 1..=5 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child_that_keeps_sweeps_until_it_is_killed", "--nocapture", "--test-threads=1"])
            .env(CHILD_FOLDER, folder.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        let told = lines.filter(|line| line.contains("kept ")).nth(2 + round).expect("the child keeps sweeps");
        let refused = Store::open(folder.path());
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(matches!(refused, Err(StoreError::InUse { .. })), "{refused:?}");

        let told: u64 = told.rsplit(' ').next().unwrap().parse().unwrap();
        let store = opened(folder.path());
        let last = store.next_sweep_id().unwrap() - 1;
        assert!(last >= told && told > before, "what was said to be kept is kept: {last}, {told}");
        let sweeps: Vec<u64> = store.sweeps(10_000, None).unwrap().iter().rev().map(|sweep| sweep.id).collect();
        assert_eq!(sweeps, (1..=last).collect::<Vec<_>>());
        for id in &sweeps {
            let writes = store.writes(&WriteFilter { sweep: Some(*id), ..every_write() }).unwrap();
            assert_eq!(writes.len(), WRITES_A_SWEEP, "sweep {id}");
        }
        let expected: Vec<Incident> =
            sweeps.iter().map(|id| incident(&format!("rule-of-{id}"), Moment(NOW.0 + id))).collect();
        assert_eq!(store.open_incidents().unwrap(), expected);
        let count = store.alert_backlog().unwrap()[0].count;
        assert_eq!(count, last, "each alert once");
        before = last;
    }
}

#[test]
fn a_second_daemon_on_the_same_folder_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let first = opened(folder.path());
    let error = Store::open(folder.path()).unwrap_err();
    let expected = format!(
        "another wheelwright daemon has its state in {}; stop that one first, or give this one a folder of its own",
        folder.path().display()
    );
    assert_eq!(error.to_string(), expected);
    drop(first);
    assert!(!Store::open(folder.path()).unwrap().1.is_new);
}

/// A folder with a state file that holds something; and the file's path.
fn used() -> (TempDir, std::path::PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let store = opened(folder.path());
    let writes: Vec<_> = (0..500).map(|index| write(1, &format!("rule-{index}"), NOW)).collect();
    store.record_sweep(&sweep(1, NOW), &writes).unwrap();
    drop(store);
    let path = folder.path().join(STATE_FILE);
    assert!(!folder.path().join(format!("{STATE_FILE}-wal")).exists(), "a store that is closed is one file");
    (folder, path)
}

#[test]
fn a_damaged_file_is_told_and_left_as_it_is() {
    for (from, to) in [(0, 512), (8_192, 12_288), (40_960, 65_536)] {
        let (folder, path) = used();
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[from..to].fill(0x5A);
        std::fs::write(&path, &bytes).unwrap();
        let error = Store::open(folder.path()).unwrap_err();
        assert!(matches!(error, StoreError::Damaged { .. }), "{from}: {error:?}");
        let text = error.to_string();
        assert!(text.contains(STATE_FILE) && text.contains("move it aside") && text.contains("state-lost"), "{text}");
        assert!(std::fs::read(&path).unwrap() == bytes, "the file is as it was");
        // What the error says to do works.
        std::fs::rename(&path, folder.path().join("aside")).unwrap();
        assert!(Store::open(folder.path()).unwrap().1.is_new);
    }
    let (folder, path) = used();
    let bytes = std::fs::read(&path).unwrap();
    std::fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    let error = Store::open(folder.path()).unwrap_err();
    assert!(matches!(error, StoreError::Damaged { .. }), "cut in half: {error:?}");
}

#[test]
fn a_file_of_a_newer_program_or_of_another_is_refused() {
    let (folder, path) = used();
    Connection::open(&path).unwrap().pragma_update(None, "user_version", 99).unwrap();
    let before = std::fs::read(&path).unwrap();
    let error = Store::open(folder.path()).unwrap_err();
    assert!(matches!(error, StoreError::Newer { found: 99, .. }), "{error:?}");
    assert!(
        error.to_string().contains("written by a newer wheelwright (shape 99; this one knows shapes up to 1)"),
        "{error}"
    );
    assert!(std::fs::read(&path).unwrap() == before);

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(STATE_FILE);
    Connection::open(&path).unwrap().execute_batch("CREATE TABLE songs (name TEXT)").unwrap();
    let before = std::fs::read(&path).unwrap();
    let error = Store::open(folder.path()).unwrap_err();
    assert!(matches!(error, StoreError::NotOurs { .. }), "{error:?}");
    assert!(std::fs::read(&path).unwrap() == before);
}

#[test]
fn a_folder_that_cannot_be_one_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    let error = Store::open(&file).unwrap_err();
    assert!(matches!(&error, StoreError::Folder { path, .. } if *path == file), "{error:?}");
    let error = Store::open(&file.join("below")).unwrap_err();
    assert!(error.to_string().contains("file/below cannot hold the daemon's state"), "{error}");
}

/// Rows of a program that wrote them otherwise.
#[test]
fn rows_that_cannot_be_read_back_are_counted_and_orders_are_not_skipped() {
    let (folder, path) = used();
    let edit = |sql: &str| Connection::open(&path).unwrap().execute_batch(sql).unwrap();
    edit(
        "UPDATE writes SET record = '{\"shape\": \"older\"}' WHERE id = 1; UPDATE writes SET record = x'FF00' WHERE id = 2;
         UPDATE sweeps SET sweep = 'not JSON';",
    );
    let store = opened(folder.path());
    store.save_incidents(&[incident("a", NOW), incident("b", NOW)]).unwrap();
    store.enqueue_alerts(&[("ops".into(), alert("one", NOW)), ("ops".into(), alert("two", NOW))]).unwrap();
    store.set_pause(&Pause { reach: Reach::All, order: order(NOW) }).unwrap();
    edit("UPDATE incidents SET incident = '{}' WHERE number = 1; UPDATE outbox SET alert = '{}' WHERE id = 1;");
    assert_eq!(store.writes(&every_write()).unwrap().len(), 498);
    assert_eq!(store.unreadable_rows(), 2);
    assert_eq!(store.sweeps(10, None).unwrap(), []);
    assert_eq!(store.next_sweep_id().unwrap(), 2);
    assert_eq!(store.open_incidents().unwrap(), [incident("b", NOW)]);
    assert_eq!(store.unreadable_rows(), 4);
    let due = store.due_alerts(NOW).unwrap();
    assert_eq!((due.len(), due[0].alert.id.as_str()), (1, "two"));
    assert_eq!(store.alert_backlog().unwrap()[0].count, 1, "what cannot be read back does not wait for ever");
    assert_eq!(store.unreadable_rows(), 5);

    edit("UPDATE pauses SET pause = '{}'");
    let error = store.pauses().unwrap_err();
    assert!(matches!(&error, StoreError::OrderUnreadable { what, .. } if what == "pause all"), "{error:?}");
    assert!(store.remove_pause(&Reach::All, &note(NOW)).unwrap(), "and a person can take it back");
    assert_eq!(store.pauses().unwrap(), []);
}

#[test]
fn many_read_while_one_writes_and_each_sees_whole_sweeps() {
    const SWEEPS: u64 = 60;
    let folder = tempfile::tempdir().unwrap();
    let store = opened(folder.path());
    let path = folder.path().join(STATE_FILE);
    std::thread::scope(|threads| {
        let writer = threads.spawn(|| {
            for id in 1..=SWEEPS {
                let writes: Vec<_> =
                    (0..WRITES_A_SWEEP).map(|index| write(id, &format!("rule-{index}"), NOW)).collect();
                store.record_sweep(&sweep(id, NOW), &writes).unwrap();
            }
        });
        for _ in 0..3 {
            threads.spawn(|| {
                let mut last = 0;
                while last < SWEEPS && !(writer.is_finished() && store.next_sweep_id().unwrap() <= last) {
                    let next = store.next_sweep_id().unwrap();
                    assert!(next > last);
                    last = next - 1;
                    let filter = WriteFilter { sweep: Some(last), ..every_write() };
                    assert_eq!(store.writes(&filter).unwrap().len(), if last == 0 { 0 } else { WRITES_A_SWEEP });
                }
            });
        }
        // A person with a program of their own.
        threads.spawn(|| {
            let theirs = Connection::open(&path).unwrap();
            while !writer.is_finished() {
                let sql = "SELECT (SELECT count(*) FROM writes), (SELECT count(*) FROM sweeps)";
                let (writes, sweeps) =
                    theirs.query_row(sql, [], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?))).unwrap();
                assert_eq!(writes, sweeps * i64::try_from(WRITES_A_SWEEP).unwrap());
            }
        });
    });
    assert_eq!(store.next_sweep_id().unwrap(), SWEEPS + 1);
}

/// Fills a store with one of everything that is not over, all of it ancient.
fn keep_what_is_not_over(store: &Store) {
    let old = ago(900);
    store.save_incidents(&[incident("open", old)]).unwrap();
    store.set_pause(&Pause { reach: Reach::All, order: order(old) }).unwrap();
    store.set_stop(&LiveStop { subscription: "ledger.large".parse().unwrap(), order: order(old) }).unwrap();
    store.trip(&rule("fought"), old).unwrap();
    store.enqueue_alerts(&[("ops".into(), alert("waits", old))]).unwrap();
    store.set_meta("key", "value").unwrap();
}

fn assert_what_is_not_over_is_kept(store: &Store) {
    assert_eq!(store.open_incidents().unwrap(), [incident("open", ago(900))]);
    let orders = (store.pauses().unwrap().len(), store.stops().unwrap().len(), store.tripped().unwrap().len());
    assert_eq!(orders, (1, 1, 1));
    let due = store.due_alerts(NOW).unwrap();
    assert!(due.iter().any(|due| due.alert == alert("waits", ago(900))), "{due:?}");
    assert_eq!(store.meta("key").unwrap().as_deref(), Some("value"));
}

#[test]
fn what_is_over_is_forgotten_by_age_and_nothing_else_is() {
    let store = Store::in_memory().unwrap();
    keep_what_is_not_over(&store);
    // Each once on either side of 90 days.
    for (id, at) in [(1, ago(91)), (2, ago(89))] {
        store.record_sweep(&sweep(id, at), &[write(id, &format!("rule-{id}"), at)]).unwrap();
        store.save_incidents(&[over(incident("over", Moment(ago(300).0 + id)), at)]).unwrap();
        store.enqueue_alerts(&[("pager".into(), alert("sent", at)), ("pager".into(), alert("given up", at))]).unwrap();
        let due = store.due_alerts(at).unwrap();
        let of = |name: &str| due.iter().find(|due| due.alert.id == name).unwrap().id;
        store.alert_sent(of("sent"), at).unwrap();
        store.alert_dropped(of("given up"), at, "no such channel").unwrap();
    }
    store.remove_pause(&Reach::All, &note(ago(80))).unwrap();
    store.set_pause(&Pause { reach: Reach::All, order: order(ago(70)) }).unwrap();

    let pruned = store.prune(NOW, &settings(90, 512)).unwrap();
    assert_eq!((pruned.sweeps, pruned.writes, pruned.incidents, pruned.alerts), (1, 1, 1, 2), "{pruned:?}");
    assert_eq!(pruned.orders, 3, "the pause, the stop and the trip of 900 days ago: {pruned:?}");
    assert!(!pruned.is_too_large);
    assert_eq!(store.sweeps(10, None).unwrap(), [sweep(2, ago(89))]);
    assert_eq!(store.writes(&every_write()).unwrap().len(), 1);
    let resolved = IncidentFilter { open: Some(false), ..IncidentFilter::default() };
    assert_eq!(store.incidents(&resolved).unwrap().len(), 1);
    assert_eq!(store.orders_log(10).unwrap().len(), 2);
    assert_what_is_not_over_is_kept(&store);
    let again = store.prune(NOW, &settings(90, 512)).unwrap();
    assert_eq!((again.sweeps, again.writes, again.incidents, again.alerts, again.orders), (0, 0, 0, 0, 0));
}

#[test]
fn sweeps_with_nothing_in_them_are_kept_for_a_day_and_numbers_go_on() {
    let store = Store::in_memory().unwrap();
    // One a minute for two days, and one in between that found something.
    const MINUTES: u64 = 2 * 24 * 60;
    for id in 1..=MINUTES {
        let began = Moment(NOW.0 - (MINUTES - id) * 60_000);
        store.record_sweep(&if id == 700 { sweep(id, began) } else { quiet(id, began) }, &[]).unwrap();
    }
    store.prune(NOW, &settings(90, 512)).unwrap();
    let left: Vec<u64> = store.sweeps(10_000, None).unwrap().iter().rev().map(|sweep| sweep.id).collect();
    let expected: Vec<u64> = [700].into_iter().chain(MINUTES / 2..=MINUTES).collect();
    assert_eq!(left, expected);
    // Years later: the numbers still do not begin anew.
    store.prune(NOW.plus_ms(1_000 * DAY_MS), &settings(90, 512)).unwrap();
    assert_eq!(store.next_sweep_id().unwrap(), MINUTES + 1);
}

#[test]
fn a_file_that_is_too_large_loses_its_oldest_and_shrinks() {
    const MIB: u64 = 1024 * 1024;
    let folder = tempfile::tempdir().unwrap();
    let store = opened(folder.path());
    keep_what_is_not_over(&store);
    for id in 1..=400 {
        let at = Moment(ago(80).0 + id * 60_000);
        let writes: Vec<_> = (0..20).map(|index| write(id, &format!("rule-{id}-{index}"), at)).collect();
        store.commit_sweep(&sweep(id, at), &writes, &[over(incident(&format!("i-{id}"), at), at)], &[]).unwrap();
    }
    assert!(store.bytes().unwrap() > 5 * MIB);
    let pruned = store.prune(NOW, &settings(90, 2)).unwrap();
    assert!(!pruned.is_too_large && pruned.bytes <= 2 * MIB && pruned.bytes > MIB, "{pruned:?}");
    let length = std::fs::metadata(folder.path().join(STATE_FILE)).unwrap().len();
    assert!(length <= 2 * MIB + 64 * 1024, "the disk has its room back: {length}");

    let sweeps: Vec<u64> = store.sweeps(10_000, None).unwrap().iter().map(|sweep| sweep.id).collect();
    let writes: BTreeSet<u64> = store.writes(&every_write()).unwrap().iter().map(|(_, write)| write.sweep).collect();
    assert!(!writes.is_empty() && writes.len() < 400);
    assert_eq!(writes.last(), Some(&400), "the newest is kept");
    assert!(writes.iter().zip(writes.iter().skip(1)).all(|(one, next)| next - one == 1), "no holes: {writes:?}");
    assert_eq!(sweeps.len() as u64, sweeps[0] + 1 - sweeps[sweeps.len() - 1], "no holes: {sweeps:?}");
    let first = sweeps[sweeps.len() - 1];
    assert!(writes.first().unwrap().abs_diff(first) <= 1, "sweeps go with their writes: {writes:?}, {first}");
    assert_what_is_not_over_is_kept(&store);

    // What is not over alone is too large.
    let open: Vec<_> = (0..4_000).map(|index| incident(&format!("open-{index}"), NOW)).collect();
    store.save_incidents(&open).unwrap();
    let pruned = store.prune(NOW, &settings(90, 1)).unwrap();
    assert!(pruned.is_too_large, "{pruned:?}");
    assert_eq!(store.open_incidents().unwrap().len(), 4_001);
    assert_eq!(store.writes(&every_write()).unwrap(), []);
    assert_eq!(store.next_sweep_id().unwrap(), 401);
    assert_eq!(store.orders_log(10).unwrap().len(), 0, "older than 90 days");
    drop(store);
    assert_eq!(opened(folder.path()).open_incidents().unwrap().len(), 4_001);
    assert!(folder.path().join(LOCK_FILE).exists());
}

fn names() -> impl Strategy<Value = String> {
    "[a-z0-9]([a-z0-9-]{0,12}[a-z0-9])?"
}

fn subjects() -> impl Strategy<Value = Subject> {
    let scope = ("[0-9]{12}", prop::sample::select(vec!["us-east-1", "cn-north-1"]))
        .prop_map(|(account, region)| format!("{account}/{region}").parse().unwrap());
    let text = "[ -~é☃]{1,20}";
    let resource = (scope, text, text, 0..5).prop_map(|(scope, one, two, kind)| {
        let bus = BusId { scope, name: one };
        match kind {
            0 => ResourceId::Bus(bus),
            1 => ResourceId::Grant(bus, two),
            2 => ResourceId::Rule(RuleId { bus, name: two }),
            3 => ResourceId::Target(RuleId { bus, name: two.clone() }, two),
            _ => ResourceId::Scope(bus.scope),
        }
    });
    prop_oneof![1 => Just(Subject::Operator), 9 => resource.prop_map(Subject::Resource)]
}

fn incidents() -> impl Strategy<Value = Incident> {
    let codes = prop::sample::select(FindingCode::iter().collect::<Vec<_>>());
    let outcomes = prop::sample::select(vec![Outcome::Mend, Outcome::Left, Outcome::Held, Outcome::Waiting]);
    let origin = (any::<String>(), any::<u32>(), any::<String>()).prop_map(|(file, line, entry)| Origin {
        file: file.into(),
        line,
        entry: entry.into(),
    });
    let team = prop::option::of(names().prop_map(|name| name.parse().unwrap()));
    let concern = (subjects(), codes, outcomes, any::<String>(), team, prop::option::of(origin)).prop_map(
        |(subject, code, outcome, detail, team, origin)| Concern { subject, code, outcome, detail, team, origin },
    );
    let time = || (0..4_000_000_000_000_u64).prop_map(Moment);
    let ends = prop::sample::select(vec![Resolution::Mended, Resolution::Gone]);
    let rest = (any::<u64>(), any::<String>(), prop::option::of((time(), ends)), prop::option::of(time()));
    ("[0-9a-f]{10}", concern, time(), time(), rest).prop_map(
        |(id, concern, opened, last_seen, (count, revision, resolved, told))| Incident {
            id,
            concern,
            opened,
            last_seen,
            count,
            revision,
            resolved,
            told,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn incidents_come_back_as_they_were_saved(
        saved in prop::collection::btree_map("[0-9a-f]{10}", incidents(), 0..20),
        again in prop::collection::vec(incidents(), 0..20),
    ) {
        let store = Store::in_memory().unwrap();
        let mut all: Vec<Incident> = saved.into_iter().map(|(id, incident)| Incident { id, ..incident }).collect();
        store.save_incidents(&all).unwrap();
        // Whatever changes of an incident, it is its id that it is kept by.
        for (old, new) in all.iter_mut().zip(again) {
            *old = Incident { id: old.id.clone(), ..new };
        }
        store.save_incidents(&all).unwrap();
        let found = store.incidents(&IncidentFilter::default()).unwrap();
        prop_assert!(found.windows(2).all(|two| two[0].last_seen >= two[1].last_seen));
        prop_assert_eq!(&sorted(found), &all);
        let open: Vec<Incident> = all.iter().filter(|incident| incident.resolved.is_none()).cloned().collect();
        prop_assert_eq!(sorted(store.open_incidents().unwrap()), open);
        for incident in all {
            let team = incident.concern.team.clone();
            let filter = IncidentFilter {
                open: Some(incident.resolved.is_none()),
                team,
                scope: incident.concern.subject.scope().cloned(),
                code: Some(incident.concern.code),
                since: Some(incident.last_seen),
                ..IncidentFilter::default()
            };
            prop_assert!(store.incidents(&filter).unwrap().contains(&incident));
            prop_assert_eq!(store.incident(&incident.id).unwrap(), Some(incident));
        }
        prop_assert_eq!(store.unreadable_rows(), 0);
    }
}
