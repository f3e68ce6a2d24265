//! The alert outbox: what is still to be told, and what became of it.
//!
//! An alert is put in together with the incidents that it tells of, and stays until its channel took it or gave it up. A crash
//! between sending and [`Store::alert_sent`] sends it once more, with the same id: receivers can tell.

use super::query::{moment, number, stored, time};
use super::{Durability, Fault, Store, StoreError};
use crate::model::alert::Alert;
use crate::model::ids::Moment;
use rusqlite::types::Value;
use rusqlite::{Transaction, params};

/// An alert on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// Its number here.
    pub id: u64,
    /// The channel, by its name in the settings.
    pub channel: String,
    /// What is told.
    pub alert: Alert,
    /// How often it was tried.
    pub tries: u64,
    /// When it is tried next.
    pub next_try: Moment,
}

/// What waits for one channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backlog {
    /// The channel, by its name in the settings.
    pub channel: String,
    /// How many alerts wait.
    pub count: u64,
    /// When the oldest of them was made.
    pub oldest: Moment,
    /// What its channel said last, if anything of it was tried.
    pub error: Option<String>,
}

/// Alerts of one channel that are given at once; the others come with the next question.
pub(super) const DUE_MAX: i64 = 100;

impl Store {
    /// Puts alerts in, each for the channel of that name: all of them, or none. They are due at once.
    ///
    /// # Errors
    /// None was put in, and why.
    pub fn enqueue_alerts(&self, alerts: &[(String, Alert)]) -> Result<(), StoreError> {
        self.write(Durability::AtNextSync, |transaction| enqueue(transaction, alerts))
    }

    /// The channels that have alerts whose time has come.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn due_channels(&self, now: Moment) -> Result<Vec<String>, StoreError> {
        self.read(|connection| {
            let mut statement = connection.prepare(DUE_CHANNELS)?;
            let rows = statement.query_map(params![time(now)], |row| row.get(0))?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }

    /// A channel's alerts whose time has come and that need not wait for an earlier one of their group, the oldest first; at most 100.
    /// One that cannot be read back is given up.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn due_alerts(&self, channel: &str, now: Moment) -> Result<Vec<Outgoing>, StoreError> {
        self.outgoing(DUE, params![time(now), channel, DUE_MAX], now)
    }

    fn outgoing(&self, sql: &str, values: impl rusqlite::Params, now: Moment) -> Result<Vec<Outgoing>, StoreError> {
        let (outgoing, unreadable) = self.read(|connection| {
            let mut statement = connection.prepare(sql)?;
            let mut rows = statement.query(values)?;
            let (mut outgoing, mut unreadable) = (Vec::new(), Vec::new());
            while let Some(row) = rows.next()? {
                let id = number(row.get(0)?);
                match serde_json::from_str(&row.get::<_, String>(4)?) {
                    Ok(alert) => outgoing.push(Outgoing {
                        id,
                        channel: row.get(1)?,
                        alert,
                        tries: number(row.get(2)?),
                        next_try: moment(row.get(3)?),
                    }),
                    Err(_) => unreadable.push(id),
                }
            }
            Ok((outgoing, unreadable))
        })?;
        for id in unreadable {
            self.skipped();
            self.alert_dropped(id, now, "it cannot be read back")?;
        }
        Ok(outgoing)
    }

    /// The channel took it. Whether it was waiting.
    ///
    /// # Errors
    /// It would be sent again.
    pub fn alert_sent(&self, id: u64, at: Moment) -> Result<bool, StoreError> {
        const SQL: &str = "UPDATE outbox SET tries = tries + 1, ended = ?2, was_sent = 1, error = NULL \
                           WHERE id = ?1 AND ended IS NULL";
        self.turn(SQL, [stored(id), time(at)].map(Value::Integer))
    }

    /// The channel did not take it; it is tried again. Whether it was waiting.
    ///
    /// # Errors
    /// It would be tried again at once.
    pub fn alert_failed(&self, id: u64, next_try: Moment, error: &str) -> Result<bool, StoreError> {
        const SQL: &str =
            "UPDATE outbox SET tries = tries + 1, next_try = ?2, error = ?3 WHERE id = ?1 AND ended IS NULL";
        self.turn(SQL, [Value::Integer(stored(id)), Value::Integer(time(next_try)), Value::Text(error.into())])
    }

    /// It is given up. Whether it was waiting.
    ///
    /// # Errors
    /// It would be tried again.
    pub fn alert_dropped(&self, id: u64, at: Moment, why: &str) -> Result<bool, StoreError> {
        const SQL: &str = "UPDATE outbox SET ended = ?2, was_sent = 0, error = ?3 WHERE id = ?1 AND ended IS NULL";
        self.turn(SQL, [Value::Integer(stored(id)), Value::Integer(time(at)), Value::Text(why.into())])
    }

    /// What waits, by channel.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn alert_backlog(&self) -> Result<Vec<Backlog>, StoreError> {
        self.read(|connection| {
            let mut statement = connection.prepare(WAITING)?;
            let rows = statement.query_map([], |row| {
                let (count, oldest) = (number(row.get(1)?), moment(row.get(2)?));
                Ok(Backlog { channel: row.get(0)?, count, oldest, error: row.get(3)? })
            })?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }

    fn turn(&self, sql: &str, values: impl rusqlite::Params) -> Result<bool, StoreError> {
        self.write(Durability::AtNextSync, |transaction| Ok(transaction.execute(sql, values)? > 0))
    }
}

/// Each channel once, by the index of what waits.
pub(super) const DUE_CHANNELS: &str = "SELECT DISTINCT channel FROM outbox INDEXED BY outbox_waiting \
                                       WHERE ended IS NULL AND next_try <= ?1";
/// What came after one that waits for another try waits with it, so that nothing is resolved before it was raised.
pub(super) const DUE: &str = "SELECT id, channel, tries, next_try, alert FROM outbox AS due INDEXED BY outbox_in_order \
                              WHERE ended IS NULL AND channel = ?2 AND next_try <= ?1 AND NOT EXISTS \
                              (SELECT 1 FROM outbox AS earlier WHERE earlier.ended IS NULL AND earlier.channel = due.channel \
                               AND earlier.cause = due.cause AND earlier.id < due.id AND earlier.next_try > ?1) \
                              ORDER BY id LIMIT ?3";
const WAITING: &str = "SELECT channel, count(*), min(made), \
                       (SELECT later.error FROM outbox AS later WHERE later.ended IS NULL AND later.channel = outbox.channel \
                        AND later.error IS NOT NULL ORDER BY later.next_try DESC LIMIT 1) \
                       FROM outbox WHERE ended IS NULL GROUP BY channel ORDER BY channel";

pub(super) fn enqueue(transaction: &Transaction<'_>, alerts: &[(String, Alert)]) -> Result<(), Fault> {
    const SQL: &str =
        "INSERT INTO outbox (channel, cause, made, next_try, tries, alert) VALUES (?1, ?2, ?3, ?3, 0, ?4)";
    let mut statement = transaction.prepare(SQL)?;
    for (channel, alert) in alerts {
        statement.execute(params![channel, alert.group, time(alert.at), serde_json::to_string(alert)?])?;
    }
    Ok(())
}
