//! What people told the daemon: pauses, stops, things that it gave up, and who said what when.
//!
//! Everything here is on the disk when the call returns. An order that is over by its time is still given: whoever reads it has
//! the clock.

use super::query::{Query, moment, time};
use super::{Durability, Fault, Store, StoreError};
use crate::model::ids::{Moment, SubscriptionId};
use crate::model::order::{LiveStop, Order, Pause, Reach};
use crate::model::resource::ResourceId;
use rusqlite::{Connection, Transaction, params, params_from_iter};
use serde::de::DeserializeOwned;

/// Who takes an order back, when and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// When.
    pub at: Moment,
    /// Who, as they said.
    pub by: String,
    /// Why.
    pub reason: String,
}

/// A line of the orders' log.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct OrderEntry {
    /// When.
    pub at: Moment,
    /// What was ordered: `pause team ledger until 2026-11-24T06:00:00Z`.
    pub what: String,
    /// Who, as they said.
    pub by: String,
    /// Why.
    pub reason: String,
}

impl Store {
    /// The pauses.
    ///
    /// # Errors
    /// One cannot be read back, or the file cannot be read.
    pub fn pauses(&self) -> Result<Vec<Pause>, StoreError> {
        self.read(|connection| orders(connection, "pause", "SELECT reach, pause FROM pauses ORDER BY reach"))
    }

    /// Pauses; in the place of the pause of the same reach, if there is one.
    ///
    /// # Errors
    /// It is not paused, and why.
    pub fn set_pause(&self, pause: &Pause) -> Result<(), StoreError> {
        const SQL: &str = "INSERT INTO pauses (reach, pause) VALUES (?1, ?2) \
                           ON CONFLICT (reach) DO UPDATE SET pause = excluded.pause";
        let key = pause.reach.to_string();
        self.write(Durability::AtOnce, |transaction| {
            transaction.execute(SQL, params![key, serde_json::to_string(pause)?])?;
            log(transaction, &given(&format!("pause {key}"), &pause.order))
        })
    }

    /// Takes a pause back. Whether there was one; if not, nothing is logged.
    ///
    /// # Errors
    /// It still holds, and why.
    pub fn remove_pause(&self, reach: &Reach, note: &Note) -> Result<bool, StoreError> {
        let what = format!("resume {reach}");
        self.remove("DELETE FROM pauses WHERE reach = ?1", &reach.to_string(), &what, note)
    }

    /// The routes that are held off.
    ///
    /// # Errors
    /// One cannot be read back, or the file cannot be read.
    pub fn stops(&self) -> Result<Vec<LiveStop>, StoreError> {
        self.read(|connection| orders(connection, "stop", "SELECT subscription, stop FROM stops ORDER BY subscription"))
    }

    /// Holds a route off; in the place of its stop, if there is one.
    ///
    /// # Errors
    /// It is not held off, and why.
    pub fn set_stop(&self, stop: &LiveStop) -> Result<(), StoreError> {
        const SQL: &str = "INSERT INTO stops (subscription, stop) VALUES (?1, ?2) \
                           ON CONFLICT (subscription) DO UPDATE SET stop = excluded.stop";
        let key = stop.subscription.to_string();
        self.write(Durability::AtOnce, |transaction| {
            transaction.execute(SQL, params![key, serde_json::to_string(stop)?])?;
            log(transaction, &given(&format!("stop {key}"), &stop.order))
        })
    }

    /// Lets a route go on. Whether it was held off; if not, nothing is logged.
    ///
    /// # Errors
    /// It still is, and why.
    pub fn remove_stop(&self, subscription: &SubscriptionId, note: &Note) -> Result<bool, StoreError> {
        let key = subscription.to_string();
        self.remove("DELETE FROM stops WHERE subscription = ?1", &key, &format!("start {key}"), note)
    }

    /// What is left alone because somebody else takes back what we write, and since when.
    ///
    /// # Errors
    /// One cannot be read back, or the file cannot be read.
    pub fn tripped(&self) -> Result<Vec<(ResourceId, Moment)>, StoreError> {
        const SQL: &str = "SELECT resource, at FROM trips ORDER BY at, resource";
        self.read(|connection| {
            let mut statement = connection.prepare(SQL)?;
            let rows = statement.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?)))?;
            rows.map(|row| {
                let (resource, at) = row?;
                Ok((parsed("trip", &resource, &resource)?, moment(at)))
            })
            .collect()
        })
    }

    /// Leaves a thing alone from now on. Whether it was not yet; if it was, it stays as it is.
    ///
    /// # Errors
    /// It is not kept, and why.
    pub fn trip(&self, resource: &ResourceId, at: Moment) -> Result<bool, StoreError> {
        const SQL: &str = "INSERT INTO trips (resource, at) VALUES (?1, ?2) ON CONFLICT DO NOTHING";
        self.write(Durability::AtOnce, |transaction| {
            let is_new = transaction.execute(SQL, params![serde_json::to_string(resource)?, time(at)])? > 0;
            if is_new {
                let reason = "somebody else took back what we wrote, again and again".into();
                log(
                    transaction,
                    &OrderEntry { at, what: format!("give up {resource}"), by: OURSELVES.into(), reason },
                )?;
            }
            Ok(is_new)
        })
    }

    /// Goes on with a thing that was left alone. Whether it was; if not, nothing is logged.
    ///
    /// # Errors
    /// It is still left alone, and why.
    pub fn clear_trip(&self, resource: &ResourceId, note: &Note) -> Result<bool, StoreError> {
        let key = serde_json::to_string(resource).map_err(|error| self.error(error.into()))?;
        self.remove("DELETE FROM trips WHERE resource = ?1", &key, &format!("resume fight {resource}"), note)
    }

    /// Logs an order that leaves nothing else here, such as a plan that was approved.
    ///
    /// # Errors
    /// It was not logged, and why.
    pub fn log_order(&self, entry: &OrderEntry) -> Result<(), StoreError> {
        self.write(Durability::AtOnce, |transaction| log(transaction, entry))
    }

    /// The orders' log, the newest first.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn orders_log(&self, limit: usize) -> Result<Vec<OrderEntry>, StoreError> {
        let query = Query::new("SELECT at, what, told_by, reason FROM orders_log").ordered("id DESC", limit);
        self.read(|connection| {
            let mut statement = connection.prepare(&query.sql)?;
            let entries = statement.query_map(params_from_iter(&query.values), |row| {
                Ok(OrderEntry { at: moment(row.get(0)?), what: row.get(1)?, by: row.get(2)?, reason: row.get(3)? })
            })?;
            Ok(entries.collect::<Result<_, _>>()?)
        })
    }

    fn remove(&self, sql: &str, key: &str, what: &str, note: &Note) -> Result<bool, StoreError> {
        self.write(Durability::AtOnce, |transaction| {
            let was_there = transaction.execute(sql, [key])? > 0;
            if was_there {
                let Note { at, by, reason } = note.clone();
                log(transaction, &OrderEntry { at, what: what.into(), by, reason })?;
            }
            Ok(was_there)
        })
    }
}

/// Who gave an order that nobody gave.
const OURSELVES: &str = "wheelwright";

fn given(what: &str, order: &Order) -> OrderEntry {
    let Order { since, until, reason, by } = order;
    OrderEntry { at: *since, what: format!("{what} until {until}"), by: by.clone(), reason: reason.clone() }
}

fn log(transaction: &Transaction<'_>, entry: &OrderEntry) -> Result<(), Fault> {
    let OrderEntry { at, what, by, reason } = entry;
    transaction.execute(
        "INSERT INTO orders_log (at, what, told_by, reason) VALUES (?1, ?2, ?3, ?4)",
        params![time(*at), what, by, reason],
    )?;
    Ok(())
}

/// Orders are few, and none may be skipped: what is held off rests on them.
fn orders<T: DeserializeOwned>(connection: &Connection, kind: &str, sql: &str) -> Result<Vec<T>, Fault> {
    let mut statement = connection.prepare(sql)?;
    let rows = statement.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)))?;
    rows.map(|row| {
        let (key, text) = row?;
        parsed(kind, &key, &text)
    })
    .collect()
}

fn parsed<T: DeserializeOwned>(kind: &str, key: &str, text: &str) -> Result<T, Fault> {
    serde_json::from_str(text).map_err(|error| Fault::OrderUnreadable(format!("{kind} {key}"), error))
}
