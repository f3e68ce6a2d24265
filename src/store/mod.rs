//! The daemon's memory: one SQLite file in one folder, `wheelwright.sqlite`.
//!
//! What is live is read anew in every sweep and never kept here. What is kept is what cannot be read from AWS: what people
//! ordered (pauses, stops, trips), since when something is wrong (incidents), what was done (sweeps, writes), and what is still
//! to be told (the alert outbox).
//!
//! **Guarantees.** What one sweep leaves is kept whole or not at all ([`Store::commit_sweep`]), so a crash neither loses nor repeats
//! an alert. An order is on the disk when the call returns; of sweeps, a loss of power may take the last ones, a crash of the
//! program none. Two daemons cannot have one folder. Nothing is ever begun anew in silence: a damaged file is an error.
//!
//! **Assumptions.** The folder is on a local disk, or on a network file system that one machine alone has mounted and that knows locks,
//! as EFS: SQLite's log is shared memory between programs of one machine, and neither it nor the lock holds on every such system.
//!
//! **Caveats.** Every call blocks, on the disk and on other calls: async code goes through `spawn_blocking`. A row that cannot be
//! read back is skipped and counted ([`Store::unreadable_rows`]); a pause, stop or trip that cannot be read back is an error, as
//! skipping it would let the daemon write where a person said no. Times are given: this module has no clock.

mod history;
mod incidents;
mod open;
mod orders;
mod outbox;
mod prune;
mod query;
#[cfg(test)]
mod tests;
mod timeline;

pub use history::WriteFilter;
pub use incidents::IncidentFilter;
pub use open::{LOCK_FILE, Opened, STATE_FILE};
pub use orders::{Note, OrderEntry};
pub use outbox::{Backlog, Outgoing};
pub use prune::Pruned;
pub use query::ROWS_MAX;
pub use timeline::{Happened, NoPlace, Place, Timeline, WRITES_TOLD_MAX};

use crate::model::alert::Alert;
use crate::model::history::{SweepRecord, WriteRecord};
use crate::model::incident::Incident;
use rusqlite::{Connection, ErrorCode, OptionalExtension, Transaction, TransactionBehavior};
use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The daemon's memory. One for each folder; shared between threads.
#[derive(Debug)]
pub struct Store {
    /// One connection, one caller at a time: SQLite would let only one write anyway.
    connection: Mutex<Connection>,
    /// The file, for errors to name.
    path: PathBuf,
    unreadable: AtomicU64,
    /// Held as long as the store is; after the connection, so that it is let go last.
    _lock: Option<File>,
}

/// Why the store could not be opened, read or written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The folder cannot be made, read or written.
    #[error("{path} cannot hold the daemon's state; look at its owner, mode and free space, or name another folder", path = path.display())]
    Folder {
        /// The folder or file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Another process has it.
    #[error("another wheelwright daemon has its state in {folder}; stop that one first, or give this one a folder of its own", folder = folder.display())]
    InUse {
        /// The folder.
        folder: PathBuf,
    },
    /// A newer program wrote it.
    #[error(
        "{path} was written by a newer wheelwright (shape {found}; this one knows shapes up to {known}); start the newer one. Or \
         move the file aside: the daemon then begins with a new one and the finding `state-lost`", path = path.display()
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its shape.
        found: i64,
        /// The newest that we know.
        known: i64,
    },
    /// It is a database of something else.
    #[error("{path} is a database, but none of wheelwright's; name another folder, or move the file aside", path = path.display())]
    NotOurs {
        /// The file.
        path: PathBuf,
    },
    /// It is not whole.
    #[error(
        "{path} is damaged ({detail}); move it aside, with its -wal and -shm if they are there, and start again. The daemon then \
         begins with a new one: it knows no pause, stop or breaker of before, and writes nothing until a person has looked \
         (finding `state-lost`)", path = path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        detail: String,
    },
    /// Another program keeps it to itself.
    #[error(
        "{path} was locked by another program for seconds; end its transaction (a shell of `sqlite3`? a copy under way?). \
         Nothing was kept of this call", path = path.display()
    )]
    Busy {
        /// The file.
        path: PathBuf,
    },
    /// There is no room for more.
    #[error("{path} cannot grow: the disk is full. Make room; what is kept already is whole", path = path.display())]
    Full {
        /// The file.
        path: PathBuf,
        /// What SQLite said.
        source: rusqlite::Error,
    },
    /// An order cannot be read back, so what it holds off is not known.
    #[error(
        "an order in {path} cannot be read back ({what}), so what it holds off is not known; start the wheelwright that wrote it, \
         or move the file aside: the daemon then begins with a new one and the finding `state-lost`", path = path.display()
    )]
    OrderUnreadable {
        /// The file.
        path: PathBuf,
        /// Which order.
        what: String,
        /// Why.
        source: serde_json::Error,
    },
    /// Something cannot be put into words.
    #[error("what was to be kept in {path} cannot be written as JSON; this is a mistake of the program's: report it", path = path.display())]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// What could not.
        source: serde_json::Error,
    },
    /// Anything else that SQLite says.
    #[error("{path} could not be used; look at the file's owner and mode, and at the disk", path = path.display())]
    Sqlite {
        /// The file.
        path: PathBuf,
        /// What SQLite said.
        source: rusqlite::Error,
    },
}

impl Store {
    /// Keeps all that one sweep leaves, or nothing of it: its record, its writes, the incidents that it opened, saw again or
    /// closed, and the alerts that tell of them, each for the channel of that name.
    ///
    /// # Errors
    /// Nothing was kept, and why. A sweep whose number is taken is one.
    pub fn commit_sweep(
        &self,
        sweep: &SweepRecord,
        writes: &[WriteRecord],
        incidents: &[Incident],
        alerts: &[(String, Alert)],
    ) -> Result<(), StoreError> {
        self.write(Durability::AtNextSync, |transaction| {
            incidents::save(transaction, incidents)?;
            outbox::enqueue(transaction, alerts)?;
            history::add_writes(transaction, writes)?;
            history::add_sweep(transaction, sweep, writes.is_empty())
        })
    }

    /// What was kept under this name.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn meta(&self, key: &str) -> Result<Option<String>, StoreError> {
        self.read(|connection| {
            Ok(connection.query_row("SELECT value FROM meta WHERE key = ?1", [key], |row| row.get(0)).optional()?)
        })
    }

    /// Keeps a text under a name; it is on the disk when this returns.
    ///
    /// # Errors
    /// It was not kept.
    pub fn set_meta(&self, key: &str, value: &str) -> Result<(), StoreError> {
        const SQL: &str = "INSERT INTO meta (key, value) VALUES (?1, ?2) \
                           ON CONFLICT (key) DO UPDATE SET value = excluded.value";
        self.write(Durability::AtOnce, |transaction| {
            transaction.execute(SQL, [key, value])?;
            Ok(())
        })
    }

    /// How many rows could not be read back since the store was opened. A row that is asked for twice counts twice.
    pub fn unreadable_rows(&self) -> u64 {
        self.unreadable.load(Ordering::Relaxed)
    }

    /// How many bytes of the file hold something: what is free within it is left out.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn bytes(&self) -> Result<u64, StoreError> {
        self.read(prune::bytes_used)
    }

    fn lock(&self) -> MutexGuard<'_, Connection> {
        // Whoever panicked with it left at most an open transaction, which its drop took back.
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn read<T>(&self, work: impl FnOnce(&Connection) -> Result<T, Fault>) -> Result<T, StoreError> {
        work(&self.lock()).map_err(|fault| self.error(fault))
    }

    /// Does `work` in one transaction: all of it is kept, or nothing.
    fn write<T>(
        &self,
        durability: Durability,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, Fault>,
    ) -> Result<T, StoreError> {
        let mut connection = self.lock();
        transact(&mut connection, durability, work).map_err(|fault| self.error(fault))
    }

    fn error(&self, fault: Fault) -> StoreError {
        StoreError::of(fault, &self.path)
    }
}

fn transact<T>(
    connection: &mut Connection,
    durability: Durability,
    work: impl FnOnce(&Transaction<'_>) -> Result<T, Fault>,
) -> Result<T, Fault> {
    connection.execute_batch(durability.pragma())?;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let done = work(&transaction)?;
    transaction.commit()?;
    Ok(done)
}

/// When what was written is on the disk, whatever happens to the machine.
#[derive(Clone, Copy, Debug)]
enum Durability {
    /// When the call returns: for what a person was told is done.
    AtOnce,
    /// Soon: a loss of power may take the last ones, never half of one.
    AtNextSync,
}

impl Durability {
    fn pragma(self) -> &'static str {
        match self {
            Self::AtOnce => "PRAGMA synchronous = FULL",
            Self::AtNextSync => "PRAGMA synchronous = NORMAL",
        }
    }
}

/// What went wrong, before it is known with which file.
#[derive(Debug)]
enum Fault {
    Sqlite(rusqlite::Error),
    Unwritable(serde_json::Error),
    OrderUnreadable(String, serde_json::Error),
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl From<serde_json::Error> for Fault {
    fn from(error: serde_json::Error) -> Self {
        Self::Unwritable(error)
    }
}

impl StoreError {
    fn of(fault: Fault, path: &std::path::Path) -> Self {
        let path = PathBuf::from(path);
        match fault {
            Fault::Unwritable(source) => Self::Unwritable { path, source },
            Fault::OrderUnreadable(what, source) => Self::OrderUnreadable { path, what, source },
            Fault::Sqlite(source) => match source.sqlite_error_code() {
                Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
                    Self::Damaged { path, detail: source.to_string() }
                }
                Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Busy { path },
                Some(ErrorCode::DiskFull) => Self::Full { path, source },
                _ => Self::Sqlite { path, source },
            },
        }
    }
}
