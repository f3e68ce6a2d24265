//! Incidents: findings over time. A finding opens one, keeps it as long as it is found again, and closes it when it is
//! gone; so a person reads "since when" and not "again".

use super::finding::{Finding, FindingCode, Outcome, Severity};
use super::ids::{Moment, Scope, TeamName};
use super::mark::long_digest;
use super::resource::ResourceId;
use super::topology::Origin;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// What an incident is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Subject {
    /// The operator itself: its topology, its state, a plan that waits.
    Operator,
    /// A live or a wanted thing, or a scope.
    Resource(ResourceId),
}

impl Subject {
    /// The thing; none for the operator.
    pub fn resource(&self) -> Option<&ResourceId> {
        match self {
            Self::Operator => None,
            Self::Resource(resource) => Some(resource),
        }
    }

    /// The scope that it is in; none for the operator.
    pub fn scope(&self) -> Option<&Scope> {
        match self {
            Self::Operator => None,
            Self::Resource(resource) => Some(resource.scope()),
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Operator => f.write_str("operator"),
            Self::Resource(resource) => fmt::Display::fmt(resource, f),
        }
    }
}

/// Something that is wrong now: a finding of a plan, or of the operator's own.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Concern {
    /// What it is about.
    pub subject: Subject,
    /// What was found.
    pub code: FindingCode,
    /// What becomes of it.
    pub outcome: Outcome,
    /// What exactly, in one or a few lines.
    pub detail: String,
    /// The team that it concerns.
    pub team: Option<TeamName>,
    /// Where the thing was asked for.
    pub origin: Option<Origin>,
}

impl From<&Finding> for Concern {
    fn from(finding: &Finding) -> Self {
        let Finding { resource, code, outcome, detail, team, origin } = finding.clone();
        Self { subject: Subject::Resource(resource), code, outcome, detail, team, origin }
    }
}

impl Concern {
    /// One about the operator itself.
    pub fn of_operator(code: FindingCode, outcome: Outcome, detail: impl Into<String>) -> Self {
        Self { subject: Subject::Operator, code, outcome, detail: detail.into(), team: None, origin: None }
    }

    /// What it is the same as from one sweep to the next.
    pub fn key(&self) -> IncidentKey {
        // These are about a team, and told of one place for all teams.
        let is_of_team = matches!(self.code, FindingCode::TeamKept | FindingCode::StopUnready);
        let team = self.team.clone().filter(|_| is_of_team);
        IncidentKey { subject: self.subject.clone(), code: self.code, team }
    }
}

/// What makes two findings the same incident: the thing (which says its scope) and the code; and the team, where that is what it
/// is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct IncidentKey {
    /// What it is about.
    pub subject: Subject,
    /// What was found.
    pub code: FindingCode,
    /// The team, where the code is about a team as a whole.
    pub team: Option<TeamName>,
}

impl fmt::Display for IncidentKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.code, self.subject)?;
        self.team.as_ref().map_or(Ok(()), |team| write!(f, " of team {team}"))
    }
}

/// How an incident ended.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, strum::IntoStaticStr, strum::EnumString,
)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum Resolution {
    /// We wrote what mends it, and saw that it did.
    Mended,
    /// It was not found any more, and we did nothing: somebody else mended it, or the topology changed.
    Gone,
}

/// That an incident was told on a channel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Told {
    /// The group that it was told in. It is resolved in the same, whatever its reason came to be meanwhile.
    pub group: String,
    /// When it was last told.
    pub at: Moment,
}

/// A finding over time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Incident {
    /// Its name: 10 hexadecimal digits over its key and when it was opened. Stable, so it can be pasted into a chat.
    pub id: String,
    /// What it is about, as it was last found.
    #[serde(flatten)]
    pub concern: Concern,
    /// When it was first found.
    pub opened: Moment,
    /// When it was last found.
    pub last_seen: Moment,
    /// In how many sweeps it was found.
    pub count: u64,
    /// The topology that it was first found with.
    pub revision: String,
    /// When and how it ended, if it has.
    pub resolved: Option<(Moment, Resolution)>,
    /// Whether a fast reading finds it, so that one that does not tells that it is over.
    #[serde(default)]
    pub by_fast: bool,
    /// Where it was told: by channel.
    #[serde(default)]
    pub told: BTreeMap<String, Told>,
}

impl Incident {
    /// A new one.
    pub fn open(concern: Concern, at: Moment, revision: &str) -> Self {
        let key = concern.key().to_string();
        let id = long_digest(&[&key, &at.0.to_string()]).chars().take(ID_DIGITS).collect();
        Self {
            id,
            concern,
            opened: at,
            last_seen: at,
            count: 1,
            revision: revision.into(),
            resolved: None,
            by_fast: false,
            told: BTreeMap::new(),
        }
    }

    /// How bad it is.
    pub fn severity(&self) -> Severity {
        self.concern.code.severity()
    }

    /// How long it is, or was, open, in milliseconds.
    pub fn lasted_ms(&self, now: Moment) -> u64 {
        self.resolved.map_or(now, |(at, _)| at).millis_since(self.opened)
    }
}

const ID_DIGITS: usize = 10;
