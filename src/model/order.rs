//! Orders: what people told the running daemon to do or to leave, each with its end, its reason and who said so.

use super::ids::{HubName, IdError, Moment, Scope, SubscriptionId, TeamName};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// The longest that an order may hold, in hours: what is to last longer belongs into the topology or the settings.
pub const ORDER_HOURS_MAX: u64 = 31 * 24;

/// What a pause covers.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reach {
    /// Everything.
    All,
    /// One account and Region.
    Scope(Scope),
    /// What is for one team, wherever it is.
    Team(TeamName),
    /// What is on one hub's bus.
    Hub(HubName),
}

impl fmt::Display for Reach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("all"),
            Self::Scope(scope) => write!(f, "scope {scope}"),
            Self::Team(team) => write!(f, "team {team}"),
            Self::Hub(hub) => write!(f, "hub {hub}"),
        }
    }
}

impl FromStr for Reach {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (kind, name) = text.split_once(' ').unwrap_or((text, ""));
        match kind {
            "all" if name.is_empty() => Ok(Self::All),
            "scope" => name.parse().map(Self::Scope).map_err(|error: IdError| error.to_string()),
            "team" => name.parse().map(Self::Team).map_err(|error: IdError| error.to_string()),
            "hub" => name.parse().map(Self::Hub).map_err(|error: IdError| error.to_string()),
            _ => Err(format!("`{text}` is not all, scope ACCOUNT/REGION, team NAME or hub NAME")),
        }
    }
}

/// Who ordered something, why, and for how long.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Order {
    /// When it was given.
    pub since: Moment,
    /// When it ends by itself.
    pub until: Moment,
    /// Why.
    pub reason: String,
    /// Who gave it, as they said.
    pub by: String,
}

/// Nothing is written there until it ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Pause {
    /// What it covers. One pause for each.
    pub reach: Reach,
    /// Why and how long.
    #[serde(flatten)]
    pub order: Order,
}

/// A route is held off: its rule disabled, target and grant kept. Its events are dropped meanwhile, not queued.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct LiveStop {
    /// Whose. One stop for each.
    pub subscription: SubscriptionId,
    /// Why and how long.
    #[serde(flatten)]
    pub order: Order,
}
