//! Trouble: a daemon that is killed, two of them, many who read, and files that are not what they should be.

use crate::things::*;
use rusqlite::Connection;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use tempfile::TempDir;
use wheelwright::model::ids::Moment;
use wheelwright::model::incident::Incident;
use wheelwright::model::order::{Pause, Reach};
use wheelwright::store::{STATE_FILE, Store, StoreError, WriteFilter};

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
            .args(["--exact", "crash::child_that_keeps_sweeps_until_it_is_killed", "--nocapture", "--test-threads=1"])
            .env(CHILD_FOLDER, folder.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        // Kept open: a child that cannot tell any more ends.
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        let told = lines.by_ref().filter(|line| line.contains("kept ")).nth(2 + round).expect("the child keeps sweeps");
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
        error.to_string().contains("written by a newer wheelwright (shape 99; this one knows shapes up to 2)"),
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
    let due = store.due_alerts("ops", NOW).unwrap();
    assert_eq!((due.len(), due[0].alert.id.as_str()), (1, "two"));
    assert_eq!(store.alert_backlog().unwrap()[0].count, 1, "what cannot be read back does not wait for ever");
    assert_eq!(store.unreadable_rows(), 5);

    edit("UPDATE pauses SET pause = '{}'");
    let error = store.pauses().unwrap_err();
    assert!(matches!(&error, StoreError::OrderUnreadable { what, .. } if what == "pause all"), "{error:?}");
    assert!(store.remove_pause(&Reach::All, &note(NOW)).unwrap(), "and a person can take it back");
    assert_eq!(store.pauses().unwrap(), []);
}

/// Tells the readers to end, also when the writer panics.
struct Ends<'a>(&'a AtomicBool);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

#[test]
fn many_read_while_one_writes_and_each_sees_whole_sweeps() {
    /// The writer goes on until so many looks were taken between its sweeps, or gives up.
    const LOOKS: usize = 60;
    const SWEEPS_MAX: u64 = 20_000;
    let folder = tempfile::tempdir().unwrap();
    let store = opened(folder.path());
    let path = folder.path().join(STATE_FILE);
    let (ended, looks, their_looks) = (AtomicBool::new(false), AtomicUsize::new(0), AtomicUsize::new(0));
    let last = std::thread::scope(|threads| {
        for _ in 0..3 {
            threads.spawn(|| {
                let mut last = 0;
                while !ended.load(Ordering::SeqCst) {
                    let seen = store.next_sweep_id().unwrap() - 1;
                    let writes = store.writes(&WriteFilter { sweep: Some(seen), ..every_write() }).unwrap();
                    assert_eq!(writes.len(), if seen == 0 { 0 } else { WRITES_A_SWEEP }, "sweep {seen}");
                    assert!(seen >= last);
                    looks.fetch_add(usize::from(seen > last), Ordering::SeqCst);
                    last = seen;
                }
            });
        }
        // A person with a program of their own.
        threads.spawn(|| {
            let theirs = Connection::open(&path).unwrap();
            while !ended.load(Ordering::SeqCst) {
                let sql = "SELECT (SELECT count(*) FROM writes), (SELECT count(*) FROM sweeps)";
                let (writes, sweeps) =
                    theirs.query_row(sql, [], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?))).unwrap();
                assert_eq!(writes, sweeps * i64::try_from(WRITES_A_SWEEP).unwrap());
                their_looks.fetch_add(1, Ordering::SeqCst);
            }
        });
        let _ends = Ends(&ended);
        let mut id = 0;
        let enough = || looks.load(Ordering::SeqCst) >= LOOKS && their_looks.load(Ordering::SeqCst) >= LOOKS;
        while !enough() && id < SWEEPS_MAX {
            id += 1;
            let writes: Vec<_> = (0..WRITES_A_SWEEP).map(|index| write(id, &format!("rule-{index}"), NOW)).collect();
            store.record_sweep(&sweep(id, NOW), &writes).unwrap();
        }
        id
    });
    assert!(last < SWEEPS_MAX, "nobody got to read");
    assert_eq!(store.next_sweep_id().unwrap(), last + 1);
}

#[test]
fn another_program_that_locks_the_file_is_told_of_and_does_no_harm() {
    let (folder, path) = used();
    let store = opened(folder.path());
    let theirs = Connection::open(&path).unwrap();
    theirs.execute_batch("BEGIN IMMEDIATE").unwrap();
    let error = store.set_meta("key", "one").unwrap_err();
    assert!(matches!(error, StoreError::Busy { .. }), "{error:?}");
    assert_eq!(store.meta("key").unwrap(), None);
    theirs.execute_batch("ROLLBACK").unwrap();
    store.set_meta("key", "two").unwrap();
    assert_eq!(store.meta("key").unwrap().as_deref(), Some("two"));
}
