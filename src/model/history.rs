//! What was done: sweeps, and every write of theirs.

use super::finding::FindingCode;
use super::ids::{Moment, Scope, TeamName};
use super::plan::{Cause, StepKey};
use super::resource::ResourceId;
use super::topology::Origin;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// One sweep, as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct SweepRecord {
    /// Its number, from 1, over restarts.
    pub id: u64,
    /// What set it off: `interval`, `schedule`, `topology`, `signal`, `request`, `start`, ….
    pub trigger: String,
    /// Whether it read all that we set, or what deliveries rest on.
    pub full: bool,
    /// When it began.
    pub began: Moment,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
    /// How many scopes it read.
    pub scopes_read: u64,
    /// How many of those it could not read, or not to the end.
    pub scopes_unread: u64,
    /// The topology.
    pub revision: String,
    /// The plan's id; none where there was nothing to do.
    pub plan_id: Option<String>,
    /// What was found in it, by code, as `rule-disabled 2`.
    pub findings: u64,
    /// Steps that were done.
    pub done: u64,
    /// Steps that were tried and did not succeed.
    pub failed: u64,
    /// Steps that are held.
    pub held: u64,
}

impl SweepRecord {
    /// When it was over.
    pub fn ended(&self) -> Moment {
        self.began.plus_ms(self.took_ms)
    }
}

/// How a write ended.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, strum::IntoStaticStr, strum::EnumString,
)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum WriteEnd {
    /// Written, and read back as asked.
    Done,
    /// The live thing was not what the plan saw: nothing was written.
    Conflict,
    /// The call failed.
    Failed,
    /// Written without error, and read back otherwise than asked.
    NotVerified,
}

/// One write, as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct WriteRecord {
    /// The sweep that it belongs to.
    pub sweep: u64,
    /// When it ended.
    pub at: Moment,
    /// What was written.
    pub resource: ResourceId,
    /// What was done to what, as plans print it.
    pub step: StepKey,
    /// Why.
    pub cause: Cause,
    /// What was found before, if it mends something.
    pub codes: BTreeSet<FindingCode>,
    /// What was there, as JSON.
    pub before: String,
    /// What was written, as JSON.
    pub after: String,
    /// How it ended.
    pub end: WriteEnd,
    /// What AWS said, where it did not end well.
    pub message: Option<String>,
    /// AWS's name for the request, to ask its support with.
    pub request_id: Option<String>,
    /// The plan that it was a step of.
    pub plan_id: String,
    /// The topology.
    pub revision: String,
    /// The team that it was for.
    pub team: Option<TeamName>,
    /// Where it was asked for.
    pub origin: Option<Origin>,
}

impl WriteRecord {
    /// Where it was written.
    pub fn scope(&self) -> &Scope {
        self.resource.scope()
    }

    /// Whether it took back what somebody else had done: what the fight breaker counts.
    pub fn is_revert(&self) -> bool {
        self.end == WriteEnd::Done && self.cause == Cause::Drift
    }
}
