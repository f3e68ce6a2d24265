//! Questions with conditions that may or may not be there, and rows as what they were made from.

use super::{Fault, Store};
use crate::model::ids::Moment;
use rusqlite::types::{FromSql, Value};
use rusqlite::{Connection, Params, params_from_iter};
use serde::de::DeserializeOwned;
use std::sync::atomic::Ordering;

/// Rows that one question is answered with at most, whatever its limit says.
pub const ROWS_MAX: usize = 10_000;

/// A question that is put together from fixed texts; what people typed is bound, never written into it.
pub(super) struct Query {
    pub(super) sql: String,
    pub(super) values: Vec<Value>,
    conditions: usize,
}

impl Query {
    pub(super) fn new(select: &str) -> Self {
        Self { sql: select.into(), values: Vec::new(), conditions: 0 }
    }

    /// Adds a condition, with a value for each `?` in it.
    pub(super) fn and(mut self, condition: &str, values: impl IntoIterator<Item = Value>) -> Self {
        self.sql.push_str(if self.conditions == 0 { " WHERE " } else { " AND " });
        self.sql.push_str(condition);
        self.values.extend(values);
        self.conditions += 1;
        self
    }

    /// Adds a condition if there is a value for it.
    pub(super) fn and_if<V: Into<Value>>(self, condition: &str, value: Option<V>) -> Self {
        match value {
            Some(value) => self.and(condition, [value.into()]),
            None => self,
        }
    }

    /// Ends it: in this order, and not more than so many.
    pub(super) fn ordered(mut self, order: &str, limit: usize) -> Self {
        self.sql.push_str(" ORDER BY ");
        self.sql.push_str(order);
        self.sql.push_str(" LIMIT ?");
        self.values.push(Value::Integer(i64::try_from(limit.min(ROWS_MAX)).unwrap_or(i64::MAX)));
        self
    }
}

impl Store {
    /// The rows of a question whose first column is a key and whose second is what was kept, as JSON.
    pub(super) fn keyed<K: FromSql, T: DeserializeOwned>(
        &self,
        connection: &Connection,
        sql: &str,
        values: impl Params,
    ) -> Result<Vec<(K, T)>, Fault> {
        let mut found = Vec::new();
        let mut statement = connection.prepare(sql)?;
        let mut rows = statement.query(values)?;
        while let Some(row) = rows.next()? {
            let text = row.get_ref(1)?.as_str().ok();
            match (row.get(0), text.and_then(|text| serde_json::from_str(text).ok())) {
                (Ok(key), Some(kept)) => found.push((key, kept)),
                _ => self.skipped(),
            }
        }
        Ok(found)
    }

    /// As [`Store::keyed`], of a query.
    pub(super) fn asked<K: FromSql, T: DeserializeOwned>(
        &self,
        connection: &Connection,
        query: &Query,
    ) -> Result<Vec<(K, T)>, Fault> {
        self.keyed(connection, &query.sql, params_from_iter(&query.values))
    }

    /// Counts a row that cannot be read back.
    pub(super) fn skipped(&self) {
        self.unreadable.fetch_add(1, Ordering::Relaxed);
    }
}

/// A number as SQLite has them: its largest for what is beyond it.
pub(super) fn stored(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A number that was [`stored`].
pub(super) fn number(stored: i64) -> u64 {
    u64::try_from(stored).unwrap_or(0)
}

/// A moment as SQLite has it.
pub(super) fn time(moment: Moment) -> i64 {
    stored(moment.0)
}

/// A moment that was kept with [`time`].
pub(super) fn moment(stored: i64) -> Moment {
    Moment(number(stored))
}
