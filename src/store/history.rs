//! What was done: sweeps, and every write of theirs.

use super::query::{Query, moment, number, stored, time};
use super::{Durability, Fault, Store, StoreError};
use crate::model::history::{SweepRecord, WriteRecord};
use crate::model::ids::{Moment, Scope};
use crate::model::resource::ResourceId;
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, Transaction, params};
use std::collections::BTreeSet;

/// Which writes are asked for: all of these hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WriteFilter {
    /// The thing's name, as findings print it, has this in it; upper and lower case are the same.
    pub resource: Option<String>,
    /// In this scope.
    pub scope: Option<Scope>,
    /// Of this sweep.
    pub sweep: Option<u64>,
    /// At this moment or after it.
    pub since: Option<Moment>,
    /// Older than the write with this id: the last one of the page before.
    pub before: Option<u64>,
    /// At most so many, and never more than [`super::ROWS_MAX`].
    pub limit: usize,
}

impl Default for WriteFilter {
    fn default() -> Self {
        Self { resource: None, scope: None, sweep: None, since: None, before: None, limit: super::ROWS_MAX }
    }
}

impl Store {
    /// Keeps a sweep and its writes: [`Store::commit_sweep`] without anything to tell.
    ///
    /// # Errors
    /// Nothing was kept, and why. A sweep whose number is taken is one.
    pub fn record_sweep(&self, sweep: &SweepRecord, writes: &[WriteRecord]) -> Result<(), StoreError> {
        self.commit_sweep(sweep, writes, &[], &[])
    }

    /// Keeps writes of a sweep that is still under way, so that a crash does not take them; they are not given again with
    /// the sweep.
    ///
    /// # Errors
    /// None was kept, and why.
    pub fn record_writes(&self, writes: &[WriteRecord]) -> Result<(), StoreError> {
        self.write(Durability::AtNextSync, |transaction| add_writes(transaction, writes))
    }

    /// The number for the next sweep: one more than any that is kept.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn next_sweep_id(&self) -> Result<u64, StoreError> {
        // Writes may be kept of a sweep that a crash cut short.
        const SQL: &str =
            "SELECT 1 + max(ifnull((SELECT max(id) FROM sweeps), 0), ifnull((SELECT max(sweep) FROM writes), 0))";
        self.read(|connection| Ok(number(connection.query_row(SQL, [], |row| row.get(0))?)))
    }

    /// Sweeps, the newest first: those older than `before`, if it is given.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn sweeps(&self, limit: usize, before: Option<u64>) -> Result<Vec<SweepRecord>, StoreError> {
        let query = sweeps_question(limit, before);
        self.read(|connection| {
            let rows: Vec<(Value, SweepRecord)> = self.asked(connection, &query)?;
            Ok(rows.into_iter().map(|(_, sweep)| sweep).collect())
        })
    }

    /// Writes with their ids, the newest first.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn writes(&self, filter: &WriteFilter) -> Result<Vec<(u64, WriteRecord)>, StoreError> {
        self.read(|connection| {
            let Some(query) = writes_question(connection, filter)? else { return Ok(Vec::new()) };
            let rows: Vec<(i64, WriteRecord)> = self.asked(connection, &query)?;
            Ok(rows.into_iter().map(|(id, write)| (number(id), write)).collect())
        })
    }

    /// The write with this id.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn write_of(&self, id: u64) -> Result<Option<WriteRecord>, StoreError> {
        const SQL: &str = "SELECT id, record FROM writes WHERE id = ?1";
        self.read(|connection| {
            let mut rows: Vec<(i64, WriteRecord)> = self.keyed(connection, SQL, [stored(id)])?;
            Ok(rows.pop().map(|(_, write)| write))
        })
    }

    /// What was mended at this moment or after it, and when; the oldest first. What the fight breaker counts.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn reverts_since(&self, since: Moment) -> Result<Vec<(ResourceId, Moment)>, StoreError> {
        self.read(|connection| {
            let rows: Vec<(String, ResourceId)> = self.keyed(connection, REVERTS, [time(since)])?;
            // A thing that a sweep mended counts once, however many writes that took.
            let mut counted = BTreeSet::new();
            let revert = |(key, resource): (String, ResourceId)| {
                let (sweep, at) = key.split_once(' ')?;
                let at = moment(at.parse().ok()?);
                counted.insert((sweep.to_owned(), resource.clone())).then_some((resource, at))
            };
            Ok(rows.into_iter().filter_map(revert).collect())
        })
    }
}

pub(super) const REVERTS: &str = "SELECT writes.sweep || ' ' || writes.at, resources.resource FROM writes \
     JOIN resources ON resources.id = writes.resource \
     WHERE writes.is_revert = 1 AND writes.at >= ?1 ORDER BY writes.at";

pub(super) fn sweeps_question(limit: usize, before: Option<u64>) -> Query {
    Query::new("SELECT id, sweep FROM sweeps").and_if("id < ?", before.map(stored)).ordered("id DESC", limit)
}

/// None if nothing can answer it.
pub(super) fn writes_question(connection: &Connection, filter: &WriteFilter) -> Result<Option<Query>, Fault> {
    let WriteFilter { resource, scope, sweep, since, before, limit } = filter;
    let mut query = match resource {
        None => Query::new(WRITES),
        Some(part) => match of_resources(connection, part)? {
            Some(query) => query,
            None => return Ok(None),
        },
    };
    if let Some(before) = before.map(stored) {
        let at = connection.query_row("SELECT at FROM writes WHERE id = ?1", [before], |row| row.get::<_, i64>(0));
        // The oldest are forgotten first: where the last page's end is gone, all that was before it is gone too.
        let Some(at) = at.optional()? else { return Ok(None) };
        query = query.and("at <= ? AND (at < ? OR id < ?)", [at, at, before].map(Value::Integer));
    }
    let query = query
        .and_if("scope = ?", scope.as_ref().map(Scope::to_string))
        .and_if("sweep = ?", sweep.map(stored))
        .and_if("at >= ?", since.map(time))
        .ordered("at DESC, id DESC", *limit);
    Ok(Some(query))
}

/// Writes of the things with this in their names. Where they are few, each thing's writes are looked up; where they are many, its
/// newest writes are soon found by going back in time, and looking each thing up would be slower.
fn of_resources(connection: &Connection, part: &str) -> Result<Option<Query>, Fault> {
    let sql = format!("SELECT id FROM resources WHERE {NAMED} LIMIT {}", THINGS_MAX + 1);
    let mut statement = connection.prepare(&sql)?;
    let found = statement.query_map([part], |row| row.get::<_, Value>(0))?;
    let things: Vec<Value> = found.collect::<Result<_, _>>()?;
    if things.is_empty() {
        return Ok(None);
    }
    if things.len() > THINGS_MAX {
        let many = format!("resource IN (SELECT id FROM resources WHERE {NAMED})").replace("?1", "?");
        // The plus keeps SQLite from looking each thing up.
        return Ok(Some(Query::new(WRITES).and(&format!("+{many}"), [Value::Text(part.into())])));
    }
    let marks = vec!["?"; things.len()].join(", ");
    let query = Query::new(&format!("{WRITES} INDEXED BY writes_by_resource"));
    Ok(Some(query.and(&format!("resource IN ({marks})"), things)))
}

const WRITES: &str = "SELECT id, record FROM writes";
const NAMED: &str = "instr(lower(name), lower(?1)) > 0";
/// Things whose writes are looked up one by one.
pub(super) const THINGS_MAX: usize = 100;

pub(super) fn add_sweep(transaction: &Transaction<'_>, sweep: &SweepRecord, wrote_nothing: bool) -> Result<(), Fault> {
    let is_quiet = wrote_nothing && sweep.findings == 0 && sweep.done == 0 && sweep.failed == 0;
    let acted = (sweep.done > 0 || sweep.failed > 0).then(|| time(sweep.ended()));
    transaction.execute(
        "INSERT INTO sweeps (id, began, is_quiet, acted, sweep) VALUES (?1, ?2, ?3, ?4, ?5)",
        params![stored(sweep.id), time(sweep.began), is_quiet, acted, serde_json::to_string(sweep)?],
    )?;
    Ok(())
}

pub(super) fn add_writes(transaction: &Transaction<'_>, writes: &[WriteRecord]) -> Result<(), Fault> {
    const THING: &str = "INSERT INTO resources (name, resource) VALUES (?1, ?2) \
                         ON CONFLICT (resource) DO UPDATE SET name = excluded.name RETURNING id";
    const WRITE: &str =
        "INSERT INTO writes (sweep, at, scope, resource, is_revert, record) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    let (mut thing, mut add) = (transaction.prepare(THING)?, transaction.prepare(WRITE)?);
    for write in writes {
        let resource = params![write.resource.to_string(), serde_json::to_string(&write.resource)?];
        let resource: i64 = thing.query_row(resource, |row| row.get(0))?;
        add.execute(params![
            stored(write.sweep),
            time(write.at),
            write.scope().to_string(),
            resource,
            write.is_revert(),
            serde_json::to_string(write)?,
        ])?;
    }
    Ok(())
}
