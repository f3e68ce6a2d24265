//! Forgetting: what is over goes when it is old, and the oldest of it when the file is too large.
//!
//! What is not over never goes: open incidents, pauses, stops, trips, alerts that wait. Nor does the newest sweep, whose number
//! the next one follows. The orders' log goes by age alone: it is small, and says who wanted what.

use super::query::{number, stored, time};
use super::{Durability, Fault, Store, StoreError};
use crate::model::ids::Moment;
use crate::model::settings::StateSettings;
use rusqlite::{Connection, OptionalExtension};

/// What was forgotten.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pruned {
    /// Sweeps, those with nothing in them among them.
    pub sweeps: u64,
    /// Writes.
    pub writes: u64,
    /// Incidents that were over.
    pub incidents: u64,
    /// Alerts that were sent or given up.
    pub alerts: u64,
    /// Lines of the orders' log.
    pub orders: u64,
    /// Bytes that are in use now.
    pub bytes: u64,
    /// Whether that is more than asked for, with nothing left that may go.
    pub is_too_large: bool,
}

impl Store {
    /// Forgets what is over and older than the settings say, then the oldest of what is over until the file is as small as they
    /// say, and gives the room back to the disk. In many short transactions: others get their turn in between.
    ///
    /// # Errors
    /// What was forgotten until then is forgotten.
    pub fn prune(&self, now: Moment, settings: &StateSettings) -> Result<Pruned, StoreError> {
        let mut pruned = Pruned::default();
        let oldest = before(now, u64::from(settings.days_max) * DAY_MS);
        for kind in KINDS.iter().chain([&ORDERS]) {
            self.forget_before(kind, oldest, &mut pruned)?;
        }
        self.forget_before(&QUIET, before(now, DAY_MS), &mut pruned)?;
        let bytes_max = u64::from(settings.mib_max) * MIB;
        pruned.bytes = self.bytes()?;
        while pruned.bytes > bytes_max && self.forget_oldest(&mut pruned)? {
            pruned.bytes = self.bytes()?;
        }
        self.give_back()?;
        pruned.bytes = self.bytes()?;
        pruned.is_too_large = pruned.bytes > bytes_max;
        Ok(pruned)
    }

    fn forget_before(&self, kind: &Kind, oldest: i64, pruned: &mut Pruned) -> Result<(), StoreError> {
        loop {
            let gone = self.forget_some(kind, oldest)?;
            *(kind.count)(pruned) += gone;
            if gone < number(BATCH_ROWS) {
                return Ok(());
            }
        }
    }

    fn forget_some(&self, kind: &Kind, oldest: i64) -> Result<u64, StoreError> {
        let Kind { table, key, time, condition, .. } = kind;
        let sql = format!(
            "DELETE FROM {table} WHERE {key} IN \
             (SELECT {key} FROM {table} WHERE {time} < ?1 AND {condition} ORDER BY {time} LIMIT ?2)"
        );
        self.write(Durability::AtNextSync, |transaction| {
            Ok(u64::try_from(transaction.execute(&sql, [oldest, BATCH_ROWS])?).unwrap_or(u64::MAX))
        })
    }

    /// Forgets the oldest of everything that may go, one batch of the kind whose batch is the oldest. Whether there was any.
    fn forget_oldest(&self, pruned: &mut Pruned) -> Result<bool, StoreError> {
        let ends = self
            .read(|connection| KINDS.iter().map(|kind| batch_end(connection, kind)).collect::<Result<Vec<_>, _>>())?;
        let Some(end) = ends.into_iter().flatten().min() else { return Ok(false) };
        for kind in KINDS {
            *(kind.count)(pruned) += self.forget_some(kind, end.saturating_add(1))?;
        }
        Ok(true)
    }

    /// Gives free pages back to the disk, some at a time, and cuts the log.
    fn give_back(&self) -> Result<(), StoreError> {
        while self.read(|connection| {
            let free = |connection: &Connection| page_number(connection, "freelist_count");
            let before = free(connection)?;
            let mut statement = connection.prepare(&format!("PRAGMA incremental_vacuum({BATCH_PAGES})"))?;
            // Each step gives back one page.
            let mut rows = statement.query([])?;
            while rows.next()?.is_some() {}
            let after = free(connection)?;
            Ok(after > 0 && after < before)
        })? {}
        // Somebody who reads the file with another program may keep the log from being cut: the next prune cuts it.
        self.read(|connection| Ok(connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?))
    }
}

/// Something that may be forgotten: what of it is over, and when it was.
struct Kind {
    table: &'static str,
    key: &'static str,
    time: &'static str,
    condition: &'static str,
    count: fn(&mut Pruned) -> &mut u64,
}

/// What goes by age and by size.
const KINDS: &[Kind] = &[
    Kind {
        table: "sweeps",
        key: "id",
        time: "began",
        condition: "id < (SELECT max(id) FROM sweeps)",
        count: |pruned| &mut pruned.sweeps,
    },
    Kind { table: "writes", key: "id", time: "at", condition: "true", count: |pruned| &mut pruned.writes },
    Kind {
        table: "incidents",
        key: "number",
        time: "resolved",
        condition: "resolved IS NOT NULL",
        count: |pruned| &mut pruned.incidents,
    },
    Kind {
        table: "outbox",
        key: "id",
        time: "ended",
        condition: "ended IS NOT NULL",
        count: |pruned| &mut pruned.alerts,
    },
];

const ORDERS: Kind =
    Kind { table: "orders_log", key: "id", time: "at", condition: "true", count: |pruned| &mut pruned.orders };

const QUIET: Kind = Kind {
    table: "sweeps",
    key: "id",
    time: "began",
    condition: "is_quiet = 1 AND id < (SELECT max(id) FROM sweeps)",
    count: |pruned| &mut pruned.sweeps,
};

/// When the last of the oldest batch of a kind was; none if nothing of it may go.
fn batch_end(connection: &Connection, kind: &Kind) -> Result<Option<i64>, Fault> {
    let Kind { table, time, condition, .. } = kind;
    let sql =
        format!("SELECT max(at) FROM (SELECT {time} AS at FROM {table} WHERE {condition} ORDER BY {time} LIMIT ?1)");
    Ok(connection.query_row(&sql, [BATCH_ROWS], |row| row.get(0)).optional()?.flatten())
}

/// Bytes of the file that hold something.
pub(super) fn bytes_used(connection: &Connection) -> Result<u64, Fault> {
    let pages = page_number(connection, "page_count")?.saturating_sub(page_number(connection, "freelist_count")?);
    Ok(pages.saturating_mul(page_number(connection, "page_size")?))
}

fn page_number(connection: &Connection, name: &str) -> Result<u64, Fault> {
    Ok(number(connection.pragma_query_value(None, name, |row| row.get(0))?))
}

fn before(now: Moment, span_ms: u64) -> i64 {
    time(now).saturating_sub(stored(span_ms))
}

/// Rows that go in one transaction.
const BATCH_ROWS: i64 = 1_000;
/// Pages that are given back at one time.
const BATCH_PAGES: u32 = 1_000;
const MIB: u64 = 1024 * 1024;
const DAY_MS: u64 = 24 * 3_600_000;
