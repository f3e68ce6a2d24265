//! How the store asks its questions: what only its inside can tell. What it keeps is in `tests/store.rs`.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use super::query::Query;
use super::*;
use crate::model::finding::FindingCode;
use crate::model::ids::{Moment, Scope};
use crate::model::order::{Order, Pause, Reach};
use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};

/// How SQLite would answer, a step a line.
fn steps(connection: &Connection, query: &Query) -> Vec<String> {
    let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {}", query.sql)).unwrap();
    let rows = statement.query_map(params_from_iter(&query.values), |row| row.get(3)).unwrap();
    rows.map(Result::unwrap).collect()
}

/// Fails if SQLite would go through a whole table, or through an index without an end, or sort what it found.
fn assert_looked_up(connection: &Connection, query: &Query, allowed: &[&str]) {
    let steps = steps(connection, query);
    assert!(!steps.is_empty());
    for step in steps {
        let walks = step.starts_with("SCAN") || step.contains("TEMP B-TREE");
        assert!(!walks || allowed.iter().any(|allowed| step == *allowed), "{}\n  {step}", query.sql);
    }
}

fn scope() -> Scope {
    "111111111111/us-east-1".parse().unwrap()
}

/// The index is in the order that is asked for, so the limit ends the walk.
const IN_ORDER: &[&str] = &["SCAN writes USING INDEX writes_by_time"];

#[test]
fn writes_are_looked_up_whatever_is_asked() {
    let store = store_with(5, 1);
    let (all, since) = (WriteFilter { limit: 50, ..WriteFilter::default() }, Some(Moment(3)));
    let at_scope = WriteFilter { scope: Some(scope()), ..all.clone() };
    let of_sweep = WriteFilter { sweep: Some(1), ..all.clone() };
    let connection = store.lock();
    let plan = |filter: &WriteFilter, allowed: &[&str]| {
        let query = history::writes_question(&connection, filter).unwrap().unwrap();
        assert_looked_up(&connection, &query, allowed);
    };
    plan(&all, IN_ORDER);
    for filter in [at_scope, of_sweep, WriteFilter { before: Some(4), ..all.clone() }, WriteFilter { since, ..all }] {
        plan(&filter, &[]);
        plan(&WriteFilter { before: Some(4), ..filter.clone() }, &[]);
        plan(&WriteFilter { since, ..filter }, &[]);
    }
}

#[test]
fn part_of_a_name_is_looked_for_among_things_and_not_among_writes() {
    let named = |part: &str| WriteFilter { resource: Some(part.into()), limit: 50, ..WriteFilter::default() };
    let few = store_with(5, 2);
    let connection = few.lock();
    let query = history::writes_question(&connection, &named("BUS-3")).unwrap().unwrap();
    let steps = steps(&connection, &query);
    assert!(steps[0].starts_with("SEARCH writes USING INDEX writes_by_resource"), "{steps:?}");
    assert!(history::writes_question(&connection, &named("nowhere")).unwrap().is_none());
    drop(connection);

    // So many that the newest writes are the quickest way to them.
    let many = store_with(history::THINGS_MAX + 1, 1);
    let connection = many.lock();
    let query = history::writes_question(&connection, &named("bus-")).unwrap().unwrap();
    assert_looked_up(&connection, &query, &[IN_ORDER, &["SCAN resources"]].concat());
    drop(connection);
    assert_eq!(many.writes(&named("bus-")).unwrap().len(), 50);
    assert_eq!(many.writes(&named("bus-7")).unwrap().len(), 11, "bus-7 and bus-70 to bus-79");
}

#[test]
fn every_other_question_is_looked_up() {
    let store = Store::in_memory().unwrap();
    let connection = store.lock();
    let look = |query: &Query, allowed: &[&str]| assert_looked_up(&connection, query, allowed);
    let fixed = |sql: &str, values: &[i64]| {
        let mut query = Query::new(sql);
        query.values.extend(values.iter().map(|value| Value::Integer(*value)));
        query
    };
    look(&history::sweeps_question(50, None), &["SCAN sweeps"]); // By its key, in order.
    look(&history::sweeps_question(50, Some(7)), &[]);
    look(&fixed(history::REVERTS, &[1]), &[]);
    let mut due = fixed(outbox::DUE, &[1]);
    due.values.extend([Value::Text("ops".into()), Value::Integer(100)]);
    look(&due, &[]);
    look(&fixed(outbox::DUE_CHANNELS, &[1]), &["SCAN outbox USING INDEX outbox_waiting"]);
    let all = IncidentFilter { limit: 50, ..IncidentFilter::default() };
    look(&incidents::question(&all), &["SCAN incidents USING INDEX incidents_by_time"]);
    let open = IncidentFilter { open: Some(true), ..all.clone() };
    look(&incidents::question(&open), &["SCAN incidents USING INDEX incidents_open"]);
    for filter in [
        IncidentFilter { team: Some("ledger".parse().unwrap()), ..all.clone() },
        IncidentFilter { scope: Some(scope()), ..all.clone() },
        IncidentFilter { code: Some(FindingCode::RuleDisabled), ..all.clone() },
        IncidentFilter { since: Some(Moment(1)), ..all },
    ] {
        look(&incidents::question(&filter), &[]);
        look(&incidents::question(&IncidentFilter { since: Some(Moment(1)), open: Some(true), ..filter }), &[]);
    }
}

#[test]
fn the_time_line_is_looked_up() {
    use timeline::Kind;
    let store = Store::in_memory().unwrap();
    let connection = store.lock();
    let fixed = |sql: &str, values: &[i64]| {
        let mut query = Query::new(sql);
        query.values.extend(values.iter().map(|value| Value::Integer(*value)));
        query
    };
    for kind in [Kind::Order, Kind::Opened, Kind::Resolved, Kind::Sweep, Kind::Alert] {
        assert_looked_up(&connection, &fixed(timeline::question(kind), &[5, 7, 50]), &[]);
    }
    assert_looked_up(&connection, &fixed(timeline::NEWEST_SWEEP, &[5, 7]), &[]);
    assert_looked_up(&connection, &fixed(timeline::SWEEP_BEFORE, &[5]), &[]);
    assert_looked_up(&connection, &fixed(timeline::WRITES_OF, &[5]), &[]);
}

/// A file of the first shape, as the program of then left it.
#[test]
fn a_file_of_an_older_shape_is_brought_to_the_newest_with_all_that_it_holds() {
    let folder = tempfile::tempdir().unwrap();
    let old = Connection::open(folder.path().join(STATE_FILE)).unwrap();
    old.execute_batch(open::STEPS[0].1).unwrap();
    old.execute_batch(
        r#"INSERT INTO sweeps (id, began, is_quiet, sweep) VALUES
            (1, 1000, 0, '{"id":1,"trigger":"interval","full":true,"began":1000,"took-ms":50,"scopes-read":1,"scopes-unread":0,
                "revision":"r","plan-id":"p","findings":1,"done":1,"failed":0,"held":0}'),
            (2, 2000, 1, '{"id":2,"trigger":"interval","full":true,"began":2000,"took-ms":50,"scopes-read":1,"scopes-unread":0,
                "revision":"r","plan-id":null,"findings":0,"done":0,"failed":0,"held":0}'),
            (3, 3000, 0, 'not JSON');
        INSERT INTO incidents (id, code, last_seen, resolved, incident) VALUES
            ('0123456789', 'rule-disabled', 1900, NULL, '{"id":"0123456789","subject":"operator","code":"rule-disabled",
                "outcome":"mend","detail":"d","team":null,"origin":null,"opened":900,"last-seen":1900,"count":2,"revision":"r",
                "resolved":null}');
        PRAGMA application_id = 2004314220; PRAGMA user_version = 1;"#,
    )
    .unwrap();
    drop(old);
    let (store, opened) = Store::open(folder.path()).unwrap();
    assert!(!opened.is_new);
    let line = store.timeline(None, 10).unwrap();
    let told: Vec<(u64, &str)> = line
        .entries
        .iter()
        .map(|(at, happened)| {
            let kind = match happened {
                Happened::Sweep(_) => "sweep",
                Happened::Opened(_) => "opened",
                _ => "another",
            };
            (at.0, kind)
        })
        .collect();
    assert_eq!(told, [(1050, "sweep"), (900, "opened")]);
    assert_eq!(store.sweeps(10, None).unwrap().len(), 2);
    assert_eq!(store.unreadable_rows(), 1, "the row that is not JSON, and it alone");
}

#[test]
fn orders_are_on_the_disk_at_once_and_sweeps_soon() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = Store::open(folder.path()).unwrap();
    let synchronous = || store.lock().pragma_query_value(None, "synchronous", |row| row.get::<_, i64>(0)).unwrap();
    store.save_incidents(&[]).unwrap();
    assert_eq!(synchronous(), 1, "NORMAL: the log is put on the disk now and then");
    let order = Order { since: Moment(1), until: Moment(2), reason: "r".into(), by: "b".into() };
    store.set_pause(&Pause { reach: Reach::All, order }).unwrap();
    assert_eq!(synchronous(), 2, "FULL: the log is put on the disk with each transaction");
    store.save_incidents(&[]).unwrap();
    assert_eq!(synchronous(), 1);
}

/// What was written before the panic of another thread is there, and what it had begun is not.
#[test]
fn a_transaction_that_is_not_ended_leaves_nothing() {
    let store = Store::in_memory().unwrap();
    store.set_meta("key", "before").unwrap();
    let panicked = std::thread::scope(|threads| {
        let work = || {
            store.write(Durability::AtOnce, |transaction| {
                transaction.execute("UPDATE meta SET value = 'half'", []).unwrap();
                panic!("in the middle");
                #[allow(unreachable_code)]
                Ok(())
            })
        };
        threads.spawn(work).join().is_err()
    });
    assert!(panicked);
    assert_eq!(store.meta("key").unwrap().as_deref(), Some("before"));
}

/// So many things, each with so many writes.
fn store_with(things: usize, writes: usize) -> Store {
    let store = Store::in_memory().unwrap();
    let write = |thing: usize, at: usize| {
        serde_json::from_value(serde_json::json!({
            "sweep": 1, "at": at, "step": "put-rule x", "cause": "intent", "codes": [], "before": "{}", "after": "{}",
            "end": "done", "plan-id": "p", "revision": "r",
            "resource": { "bus": { "scope": { "account": "111111111111", "region": "us-east-1" }, "name": format!("bus-{thing}") } },
        }))
        .unwrap()
    };
    let all: Vec<WriteRecord> = (0..things)
        .flat_map(|thing| (0..writes).map(move |at| (thing, at)))
        .map(|(thing, at)| write(thing, at))
        .collect();
    store.record_writes(&all).unwrap();
    store
}
