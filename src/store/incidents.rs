//! Incidents: saved as they change, found by what people ask.

use super::query::{Query, time};
use super::{Durability, Fault, Store, StoreError};
use crate::model::finding::FindingCode;
use crate::model::ids::{Moment, Scope, TeamName};
use crate::model::incident::Incident;
use rusqlite::types::Value;
use rusqlite::{Transaction, params};

/// Which incidents are asked for: all of these hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IncidentFilter {
    /// Whether they are open; none: either.
    pub open: Option<bool>,
    /// Of this team.
    pub team: Option<TeamName>,
    /// In this scope.
    pub scope: Option<Scope>,
    /// With this code.
    pub code: Option<FindingCode>,
    /// Found in a sweep at this moment or after it.
    pub since: Option<Moment>,
    /// At most so many, and never more than [`super::ROWS_MAX`].
    pub limit: usize,
}

impl Default for IncidentFilter {
    fn default() -> Self {
        Self { open: None, team: None, scope: None, code: None, since: None, limit: super::ROWS_MAX }
    }
}

impl Store {
    /// Keeps these incidents, instead of what was kept of the same ids: all of them, or none.
    ///
    /// # Errors
    /// None was kept, and why.
    pub fn save_incidents(&self, incidents: &[Incident]) -> Result<(), StoreError> {
        self.write(Durability::AtNextSync, |transaction| save(transaction, incidents))
    }

    /// Every incident that is not over, the one that was kept first first.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn open_incidents(&self) -> Result<Vec<Incident>, StoreError> {
        const SQL: &str = "SELECT number, incident FROM incidents WHERE resolved IS NULL ORDER BY number";
        self.read(|connection| Ok(whole(self.keyed(connection, SQL, [])?)))
    }

    /// The incidents that are asked for, the one that was seen last first.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn incidents(&self, filter: &IncidentFilter) -> Result<Vec<Incident>, StoreError> {
        let query = question(filter);
        self.read(|connection| Ok(whole(self.asked(connection, &query)?)))
    }

    /// The incident with this id.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn incident(&self, id: &str) -> Result<Option<Incident>, StoreError> {
        const SQL: &str = "SELECT number, incident FROM incidents WHERE id = ?1";
        self.read(|connection| Ok(whole(self.keyed(connection, SQL, [id])?).pop()))
    }
}

pub(super) fn question(filter: &IncidentFilter) -> Query {
    let IncidentFilter { open, team, scope, code, since, limit } = filter;
    let query = Query::new("SELECT number, incident FROM incidents")
        .and_if("team = ?", team.as_ref().map(|team| team.as_str().to_owned()))
        .and_if("scope = ?", scope.as_ref().map(Scope::to_string))
        .and_if("code = ?", code.as_ref().map(FindingCode::to_string))
        .and_if("last_seen >= ?", since.map(time));
    let query = match open {
        Some(true) => query.and("resolved IS NULL", []),
        Some(false) => query.and("resolved IS NOT NULL", []),
        None => query,
    };
    query.ordered("last_seen DESC, number DESC", *limit)
}

pub(super) fn save(transaction: &Transaction<'_>, incidents: &[Incident]) -> Result<(), Fault> {
    const SQL: &str = "INSERT INTO incidents (id, scope, team, code, opened, last_seen, resolved, incident) \
                       VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) \
                       ON CONFLICT (id) DO UPDATE SET scope = excluded.scope, team = excluded.team, code = excluded.code, \
                       opened = excluded.opened, last_seen = excluded.last_seen, resolved = excluded.resolved, incident = excluded.incident";
    let mut statement = transaction.prepare(SQL)?;
    for incident in incidents {
        let concern = &incident.concern;
        statement.execute(params![
            incident.id,
            concern.subject.scope().map(Scope::to_string),
            concern.team.as_ref().map(TeamName::as_str),
            concern.code.to_string(),
            time(incident.opened),
            time(incident.last_seen),
            incident.resolved.map(|(at, _)| time(at)),
            serde_json::to_string(incident)?,
        ])?;
    }
    Ok(())
}

fn whole(rows: Vec<(Value, Incident)>) -> Vec<Incident> {
    rows.into_iter().map(|(_, incident)| incident).collect()
}
