//! What happened, on one line: sweeps that did something, their writes, what was found and what is over, what was told, what people
//! ordered. Page by page, and no page leaves out what is between its first and its last line.

use super::query::{moment, number, time};
use super::{Fault, OrderEntry, ROWS_MAX, Store, StoreError};
use crate::model::alert::Alert;
use crate::model::history::{SweepRecord, WriteRecord};
use crate::model::ids::Moment;
use crate::model::incident::Incident;
use rusqlite::{Connection, OptionalExtension, Row, params};
use std::fmt;
use std::str::FromStr;

/// Writes of one sweep that are on the line, its last ones; the sweep has them all.
pub const WRITES_TOLD_MAX: usize = 3;

/// A part of the line, the newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Timeline {
    /// What happened, and when.
    pub entries: Vec<(Moment, Happened)>,
    /// Where the line goes on; none at its end.
    pub older: Option<Place>,
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Happened {
    /// Somebody gave an order.
    Order(OrderEntry),
    /// An incident was opened.
    Opened(Incident),
    /// Something was written; with the write's id.
    Write(u64, WriteRecord),
    /// This sweep wrote more than is on the line.
    MoreWrites(u64),
    /// An incident was over.
    Resolved(Incident),
    /// A sweep that did something, or tried to, was done.
    Sweep(SweepRecord),
    /// A channel took an alert, or it was given up.
    Alert {
        /// The channel, by its name in the settings.
        channel: String,
        /// What was told.
        alert: Box<Alert>,
        /// Whether the channel took it.
        was_sent: bool,
    },
}

/// A place on the line: what is there and all that is newer is left out of what is asked for with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    at: i64,
    kind: Kind,
    key: i64,
}

/// What is there at a place. Of one moment, in the order in which it happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, strum::IntoStaticStr, strum::EnumString)]
#[strum(serialize_all = "kebab-case")]
pub(super) enum Kind {
    Order,
    Opened,
    Write,
    Resolved,
    Sweep,
    Alert,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.at, <&str>::from(self.kind), self.key)
    }
}

impl FromStr for Place {
    type Err = NoPlace;

    fn from_str(text: &str) -> Result<Self, NoPlace> {
        let parts: Vec<&str> = text.split('.').collect();
        let [at, kind, key] = parts.as_slice() else { return Err(NoPlace) };
        let number = |text: &str| text.parse().map_err(|_| NoPlace);
        Ok(Self { at: number(at)?, kind: kind.parse().map_err(|_| NoPlace)?, key: number(key)? })
    }
}

/// A text that is no place of the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no such place on the time line")]
pub struct NoPlace;

impl Store {
    /// What happened before this place, or up to now: the newest first, and no more than `limit`.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn timeline(&self, before: Option<Place>, limit: usize) -> Result<Timeline, StoreError> {
        let limit = limit.min(ROWS_MAX - 1);
        // One more than is asked for tells whether the line goes on.
        let mut found = self.read(|connection| {
            let part = Part { store: self, connection, before, rows: limit + 1 };
            let mut found = part.writes()?;
            for kind in [Kind::Order, Kind::Opened, Kind::Resolved, Kind::Sweep, Kind::Alert] {
                found.extend(part.of(kind)?);
            }
            Ok(found)
        })?;
        found.sort_by_key(|(place, _)| std::cmp::Reverse(*place));
        let goes_on = found.len() > limit;
        found.truncate(limit);
        let older = found.last().map(|(place, _)| *place).filter(|_| goes_on);
        let entries = found.into_iter().map(|(place, happened)| (moment(place.at), happened)).collect();
        Ok(Timeline { entries, older })
    }
}

/// A part of the line, of which each kind gives up to so many rows.
struct Part<'a> {
    store: &'a Store,
    connection: &'a Connection,
    before: Option<Place>,
    rows: usize,
}

type Found = Vec<(Place, Happened)>;

impl Part<'_> {
    fn of(&self, kind: Kind) -> Result<Found, Fault> {
        let mut statement = self.connection.prepare(question(kind))?;
        let [at, key] = bounds(self.before, kind);
        let mut rows = statement.query(params![at, key, i64::try_from(self.rows).unwrap_or(i64::MAX)])?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            let place = Place { at: row.get(0)?, kind, key: row.get(1)? };
            match happened(kind, row) {
                Some(happened) => found.push((place, happened)),
                None => self.store.skipped(),
            }
        }
        Ok(found)
    }

    /// The last writes of each sweep, sweep by sweep: one that wrote thousands does not have to be read to its beginning.
    fn writes(&self) -> Result<Found, Fault> {
        let [at, key] = bounds(self.before, Kind::Write);
        let mut sweep: Option<i64> = self.connection.query_row(NEWEST_SWEEP, [at, key], |row| row.get(0)).optional()?;
        let mut found = Found::new();
        while let Some(number) = sweep
            && found.len() < self.rows
        {
            found.extend(self.writes_of(number)?.into_iter().filter(|(place, _)| (place.at, place.key) < (at, key)));
            sweep = self.connection.query_row(SWEEP_BEFORE, [number], |row| row.get(0))?;
        }
        Ok(found)
    }

    fn writes_of(&self, sweep: i64) -> Result<Found, Fault> {
        let rows: Vec<(i64, WriteRecord)> = self.store.keyed(self.connection, WRITES_OF, [sweep])?;
        let told = |(number_of, (key, write)): (usize, (i64, WriteRecord))| {
            let place = Place { at: time(write.at), kind: Kind::Write, key };
            let is_told = number_of < WRITES_TOLD_MAX;
            let happened =
                if is_told { Happened::Write(number(key), write) } else { Happened::MoreWrites(number(sweep)) };
            (place, happened)
        };
        Ok(rows.into_iter().enumerate().map(told).collect())
    }
}

/// What is asked of each kind: when, by which key, and what it was.
pub(super) fn question(kind: Kind) -> &'static str {
    match kind {
        Kind::Order => {
            "SELECT at, id, what, told_by, reason FROM orders_log WHERE (at, id) < (?1, ?2) ORDER BY at DESC, id DESC LIMIT ?3"
        }
        Kind::Opened => {
            "SELECT opened, number, incident FROM incidents WHERE (opened, number) < (?1, ?2) \
             ORDER BY opened DESC, number DESC LIMIT ?3"
        }
        Kind::Resolved => {
            "SELECT resolved, number, incident FROM incidents WHERE resolved IS NOT NULL AND (resolved, number) < (?1, ?2) \
             ORDER BY resolved DESC, number DESC LIMIT ?3"
        }
        Kind::Sweep => {
            "SELECT acted, id, sweep FROM sweeps WHERE acted IS NOT NULL AND (acted, id) < (?1, ?2) \
             ORDER BY acted DESC, id DESC LIMIT ?3"
        }
        Kind::Alert => {
            "SELECT ended, id, alert, channel, was_sent FROM outbox WHERE ended IS NOT NULL AND (ended, id) < (?1, ?2) \
             ORDER BY ended DESC, id DESC LIMIT ?3"
        }
        Kind::Write => NEWEST_SWEEP,
    }
}

pub(super) const NEWEST_SWEEP: &str =
    "SELECT sweep FROM writes WHERE (at, id) < (?1, ?2) ORDER BY at DESC, id DESC LIMIT 1";
pub(super) const SWEEP_BEFORE: &str = "SELECT max(sweep) FROM writes WHERE sweep < ?1";
/// One more than is told.
pub(super) const WRITES_OF: &str = "SELECT id, record FROM writes WHERE sweep = ?1 ORDER BY at DESC, id DESC LIMIT 4";

/// What rows of this kind have to be below: a moment, and of that moment a key.
fn bounds(before: Option<Place>, kind: Kind) -> [i64; 2] {
    match before {
        None => [i64::MAX, i64::MAX],
        Some(place) if kind < place.kind => [place.at, i64::MAX],
        Some(place) if kind == place.kind => [place.at, place.key],
        Some(place) => [place.at, i64::MIN],
    }
}

/// None where it cannot be read back.
fn happened(kind: Kind, row: &Row<'_>) -> Option<Happened> {
    fn kept<T: serde::de::DeserializeOwned>(row: &Row<'_>) -> Option<T> {
        serde_json::from_str(row.get_ref(2).ok()?.as_str().ok()?).ok()
    }
    Some(match kind {
        Kind::Order => {
            let text = |column: usize| row.get(column).ok();
            Happened::Order(OrderEntry { at: moment(row.get(0).ok()?), what: text(2)?, by: text(3)?, reason: text(4)? })
        }
        Kind::Opened => Happened::Opened(kept(row)?),
        Kind::Resolved => Happened::Resolved(kept(row)?),
        Kind::Sweep => Happened::Sweep(kept(row)?),
        Kind::Alert => Happened::Alert {
            channel: row.get(3).ok()?,
            alert: kept(row)?,
            was_sent: row.get::<_, Option<bool>>(4).ok()?.unwrap_or(false),
        },
        Kind::Write => return None,
    })
}
