//! The daemon's memory as the daemon has it: what is kept comes back and is found; whole or not at all, whoever kills whom when
//! (`crash.rs`); what is not over is never forgotten (`forget.rs`); and what is wrong with the file is told.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(clippy::disallowed_methods)] // The files are what is tested.
#![allow(unreachable_pub)] // Shared between the files of one test.

mod crash;
mod forget;
mod saved;
mod things;
mod timeline;

use things::*;
use wheelwright::model::finding::{FindingCode, Outcome};
use wheelwright::model::history::{WriteEnd, WriteRecord};
use wheelwright::model::ids::Moment;
use wheelwright::model::incident::{Concern, Incident};
use wheelwright::model::order::{LiveStop, Order, Pause, Reach};
use wheelwright::store::{IncidentFilter, Opened, Store, StoreError, WriteFilter};

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
    assert_eq!(store.due_channels(NOW).unwrap(), ["ops", "pager"]);
    let due = ["ops", "pager"].map(|channel| store.due_alerts(channel, NOW).unwrap()).concat();
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
    assert_eq!(store.due_alerts("ops", Moment(NOW.0 - 1)).unwrap(), [], "not before they were made");
    let due = store.due_alerts("ops", NOW).unwrap();
    assert_eq!(due.len(), 3);
    assert!(store.alert_sent(due[0].id, NOW).unwrap());
    assert!(!store.alert_sent(due[0].id, NOW).unwrap(), "once");
    assert!(store.alert_failed(due[1].id, NOW.plus_ms(60_000), "HTTP status 503").unwrap());
    assert!(store.alert_dropped(due[2].id, NOW, "no such channel").unwrap());
    assert!(!store.alert_failed(due[2].id, NOW, "late").unwrap(), "what was given up stays so");
    assert_eq!(store.due_alerts("ops", NOW.plus_ms(59_999)).unwrap(), []);
    let backlog = store.alert_backlog().unwrap();
    assert_eq!((backlog.len(), backlog[0].count, backlog[0].oldest), (1, 1, NOW));
    assert_eq!(backlog[0].error.as_deref(), Some("HTTP status 503"));
    let again = store.due_alerts("ops", NOW.plus_ms(60_000)).unwrap();
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
    assert_eq!(store.due_alerts("ops", NOW).unwrap(), []);
}
