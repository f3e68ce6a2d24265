//! Opening: the folder, its lock, the file, and the shape of its tables.

use super::{Fault, Store, StoreError};
use rusqlite::Connection;
use std::fs::{File, OpenOptions, TryLockError};
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

/// The file's name in its folder.
pub const STATE_FILE: &str = "wheelwright.sqlite";
/// What a daemon holds as long as it runs. Empty; it stays when the daemon ends, and means nothing then.
pub const LOCK_FILE: &str = "wheelwright.lock";

/// How a store was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opened {
    /// It held nothing and was made now. If the accounts bear marks of ours, the old one is lost (finding `state-lost`).
    pub is_new: bool,
}

impl Store {
    /// Opens the store of this folder; makes both if they are not there.
    ///
    /// # Errors
    /// Another process has it, it is damaged, newer than this program or another's, or the folder cannot be used. The file
    /// is left as it is.
    pub fn open(folder: &Path) -> Result<(Self, Opened), StoreError> {
        let lock = locked(folder)?;
        let path = folder.join(STATE_FILE);
        let of = |fault: Fault| StoreError::of(fault, &path);
        let mut connection = Connection::open(&path).map_err(|error| of(error.into()))?;
        let is_new = match prepare(&mut connection).map_err(of)? {
            Shape::New => true,
            Shape::Known => false,
            Shape::Newer(found) => return Err(StoreError::Newer { path, found, known: SHAPE }),
            Shape::Foreign => return Err(StoreError::NotOurs { path }),
            Shape::Damaged(detail) => return Err(StoreError::Damaged { path, detail }),
        };
        let store = Self { connection: Mutex::new(connection), path, unreadable: AtomicU64::new(0), _lock: Some(lock) };
        Ok((store, Opened { is_new }))
    }

    /// A store that is gone when it is dropped: for simulations.
    ///
    /// # Errors
    /// There is no memory for it.
    pub fn in_memory() -> Result<Self, StoreError> {
        let path = Path::new("the state in memory");
        let of = |fault: Fault| StoreError::of(fault, path);
        let mut connection = Connection::open_in_memory().map_err(|error| of(error.into()))?;
        prepare(&mut connection).map_err(of)?;
        Ok(Self { connection: Mutex::new(connection), path: path.into(), unreadable: AtomicU64::new(0), _lock: None })
    }
}

/// Waits a moment for whoever is just ending: a daemon that is started as the last one goes, or a process that was forked while
/// another store was open and has not begun its own program yet.
#[allow(clippy::disallowed_methods)] // Keeping files is what this edge is for, and nothing else runs while they are opened.
fn locked(folder: &Path) -> Result<File, StoreError> {
    let failed = |path: &Path, source| StoreError::Folder { path: path.into(), source };
    std::fs::create_dir_all(folder).map_err(|error| failed(folder, error))?;
    let path = folder.join(LOCK_FILE);
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .map_err(|error| failed(&path, error))?;
    let mut waits = LOCK_WAITS_MAX;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) if waits > 0 => std::thread::sleep(LOCK_WAIT),
            Err(TryLockError::WouldBlock) => return Err(StoreError::InUse { folder: folder.into() }),
            Err(TryLockError::Error(error)) => return Err(failed(&path, error)),
        }
        waits -= 1;
    }
}

/// How long one wait for the lock is, and how many there are: a second in all.
const LOCK_WAIT: Duration = Duration::from_millis(50);
const LOCK_WAITS_MAX: u32 = 20;

/// What was found in a file.
enum Shape {
    New,
    Known,
    Newer(i64),
    Foreign,
    Damaged(String),
}

/// Looks at the file before anything is written to it, and then makes it ready.
fn prepare(connection: &mut Connection) -> Result<Shape, Fault> {
    connection.busy_timeout(BUSY_WAIT)?;
    let number = |name: &str| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let (shape, application) = (number("user_version")?, number("application_id")?);
    let tables: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    let is_empty = tables == 0 && shape == 0 && application == 0;
    if !is_empty && application != APPLICATION {
        return Ok(Shape::Foreign);
    }
    if shape > SHAPE {
        return Ok(Shape::Newer(shape));
    }
    let health: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    if health != "ok" {
        return Ok(Shape::Damaged(health));
    }
    if is_empty {
        // Only a file without tables takes it.
        connection.execute_batch("PRAGMA auto_vacuum = INCREMENTAL")?;
    }
    // The log keeps readers, such as a person with `sqlite3`, and the daemon out of each other's way.
    connection.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(()))?;
    connection.query_row(&format!("PRAGMA journal_size_limit = {LOG_BYTES_MAX}"), [], |_| Ok(()))?;
    if shape < SHAPE {
        reshape(connection, shape)?;
    }
    Ok(if is_empty { Shape::New } else { Shape::Known })
}

/// Brings the tables from one shape to the newest, all at once: a crash leaves the old one.
fn reshape(connection: &mut Connection, from: i64) -> Result<(), Fault> {
    connection.execute_batch("PRAGMA synchronous = FULL")?;
    let transaction = connection.transaction()?;
    for (_, sql) in STEPS.iter().filter(|(to, _)| *to > from) {
        transaction.execute_batch(sql)?;
    }
    transaction.pragma_update(None, "application_id", APPLICATION)?;
    transaction.pragma_update(None, "user_version", SHAPE)?;
    transaction.commit()?;
    Ok(())
}

/// The newest shape of the tables.
pub(super) const SHAPE: i64 = 2;
/// What tells our files from others: `wwhl` in ASCII.
const APPLICATION: i64 = 0x7777_686C;
/// How long we wait for another program that has the file to itself.
const BUSY_WAIT: Duration = Duration::from_secs(2);
/// What SQLite's log is cut to when it was longer.
const LOG_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// What makes each shape from the one before. What was released is never edited: a change is a further step.
pub(super) const STEPS: &[(i64, &str)] = &[(1, SHAPE_1), (2, SHAPE_2)];

/// Times are milliseconds since 1970. What is searched by has a column; the whole thing is beside it, as JSON.
const SHAPE_1: &str = "
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;

-- is_quiet: nothing was written and nothing was found.
CREATE TABLE sweeps (
    id INTEGER PRIMARY KEY, began INTEGER NOT NULL, is_quiet INTEGER NOT NULL, sweep TEXT NOT NULL
);
CREATE INDEX sweeps_by_time ON sweeps (began);
CREATE INDEX sweeps_quiet ON sweeps (began) WHERE is_quiet = 1;

-- What writes were about: far fewer than writes, so that part of a name is looked for here.
CREATE TABLE resources (id INTEGER PRIMARY KEY, name TEXT NOT NULL, resource TEXT NOT NULL UNIQUE);

CREATE TABLE writes (
    id INTEGER PRIMARY KEY AUTOINCREMENT, sweep INTEGER NOT NULL, at INTEGER NOT NULL, scope TEXT NOT NULL,
    resource INTEGER NOT NULL, is_revert INTEGER NOT NULL, record TEXT NOT NULL
);
CREATE INDEX writes_by_time ON writes (at);
CREATE INDEX writes_by_scope ON writes (scope, at);
CREATE INDEX writes_by_sweep ON writes (sweep, at);
CREATE INDEX writes_by_resource ON writes (resource, at);
CREATE INDEX writes_reverts ON writes (at, resource) WHERE is_revert = 1;

-- A thing goes with the last write that was about it.
CREATE TRIGGER writes_forgotten AFTER DELETE ON writes
WHEN NOT EXISTS (SELECT 1 FROM writes WHERE resource = OLD.resource)
BEGIN
    DELETE FROM resources WHERE id = OLD.resource;
END;

CREATE TABLE incidents (
    number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, scope TEXT, team TEXT, code TEXT NOT NULL,
    last_seen INTEGER NOT NULL, resolved INTEGER, incident TEXT NOT NULL
);
CREATE INDEX incidents_by_time ON incidents (last_seen);
CREATE INDEX incidents_by_scope ON incidents (scope, last_seen);
CREATE INDEX incidents_by_team ON incidents (team, last_seen);
CREATE INDEX incidents_by_code ON incidents (code, last_seen);
CREATE INDEX incidents_open ON incidents (last_seen) WHERE resolved IS NULL;
CREATE INDEX incidents_resolved ON incidents (resolved) WHERE resolved IS NOT NULL;

CREATE TABLE pauses (reach TEXT PRIMARY KEY, pause TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE stops (subscription TEXT PRIMARY KEY, stop TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE trips (resource TEXT PRIMARY KEY, at INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE orders_log (
    id INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER NOT NULL, what TEXT NOT NULL, told_by TEXT NOT NULL, reason TEXT NOT NULL
);
CREATE INDEX orders_log_by_time ON orders_log (at);

-- ended: when it was sent, or given up. cause: the alert's group, whose alerts go out one after the other.
CREATE TABLE outbox (
    id INTEGER PRIMARY KEY AUTOINCREMENT, channel TEXT NOT NULL, cause TEXT NOT NULL, made INTEGER NOT NULL,
    next_try INTEGER NOT NULL, tries INTEGER NOT NULL, ended INTEGER, was_sent INTEGER, error TEXT, alert TEXT NOT NULL
);
CREATE INDEX outbox_waiting ON outbox (channel, next_try) WHERE ended IS NULL;
CREATE INDEX outbox_in_order ON outbox (channel, id) WHERE ended IS NULL;
CREATE INDEX outbox_by_cause ON outbox (channel, cause, id) WHERE ended IS NULL;
CREATE INDEX outbox_ended ON outbox (ended) WHERE ended IS NOT NULL;
";

/// What the time line asks for.
const SHAPE_2: &str = r#"
-- acted: when the sweep was over, if it did something or tried to.
ALTER TABLE sweeps ADD COLUMN acted INTEGER;
UPDATE sweeps SET acted = began + json_extract(sweep, '$."took-ms"')
WHERE json_valid(sweep) AND json_extract(sweep, '$.done') + json_extract(sweep, '$.failed') > 0;
CREATE INDEX sweeps_acted ON sweeps (acted) WHERE acted IS NOT NULL;

ALTER TABLE incidents ADD COLUMN opened INTEGER NOT NULL DEFAULT 0;
UPDATE incidents SET opened = ifnull(json_extract(incident, '$.opened'), 0) WHERE json_valid(incident);
CREATE INDEX incidents_opened ON incidents (opened);
"#;
