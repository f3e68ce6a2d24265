//! What is forgotten when, and what never is.

use crate::things::*;
use std::collections::BTreeSet;
use wheelwright::model::ids::Moment;
use wheelwright::model::order::{LiveStop, Pause, Reach};
use wheelwright::store::{IncidentFilter, LOCK_FILE, STATE_FILE, Store};

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
    let due = store.due_alerts("ops", NOW).unwrap();
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
        let due = store.due_alerts("pager", at).unwrap();
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
