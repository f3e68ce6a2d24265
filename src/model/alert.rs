//! Alerts: what is told to people, as messages that any channel can carry.

use super::finding::{FindingCode, Severity};
use super::ids::{HubName, Moment, TeamName};
use super::incident::Incident;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Why a message is sent.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, strum::IntoStaticStr, strum::EnumString,
)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum AlertKind {
    /// Something is wrong, and still is.
    Raised,
    /// Something was wrong and was mended within the same sweep.
    Mended,
    /// Something is still wrong that was told before.
    Reminder,
    /// What was told before is over.
    Resolved,
}

/// One message: incidents of one cause.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Alert {
    /// Its name: the same for a message that is tried again, so that a receiver can tell repeats.
    pub id: String,
    /// What its incidents have in common, over time: the same in the message that resolves what this one raised.
    pub group: String,
    /// Why it is sent.
    pub kind: AlertKind,
    /// How bad the worst of it is.
    pub severity: Severity,
    /// The code of all of it.
    pub code: FindingCode,
    /// One line: what is wrong where.
    pub title: String,
    /// What it comes to as long as it lasts: which events are lost, if any are.
    pub effect: String,
    /// What wheelwright did or does about it.
    pub done: String,
    /// What to do next.
    pub advice: String,
    /// When it was made.
    pub at: Moment,
    /// When the oldest of its incidents was found.
    pub since: Moment,
    /// The teams that it concerns, and how to reach each, as their files say; empty if one does not say.
    pub teams: BTreeMap<TeamName, String>,
    /// The hubs that it is about.
    pub hubs: BTreeSet<HubName>,
    /// Whose operator this is.
    pub owner: String,
    /// The topology.
    pub revision: String,
    /// The incidents, the oldest first; at most [`INCIDENTS_MAX`].
    pub incidents: Vec<Incident>,
    /// How many there are in all.
    pub count: usize,
    /// How many of its group are open now, these and others.
    pub still_open: usize,
}

/// Incidents that one message carries: the rest is a number.
pub const INCIDENTS_MAX: usize = 20;
