//! Routes: the deliverable paths that the topology asks for, publication → hub → subscription → destination.

use super::ids::{AccountId, HubName, PublicationId, SubscriptionId, TeamName};
use super::resource::{BusId, RuleId};
use super::topology::{Origin, Via};
use serde::Serialize;
use std::fmt;

/// What a route delivers to: a subscription, a hub's audit, or a collection of AWS services' events.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Consumer {
    /// A team's subscription.
    Subscription(SubscriptionId),
    /// A hub's audit queue.
    Audit(HubName),
}

impl Consumer {
    /// Whether it is this subscription.
    pub fn is(&self, subscription: &SubscriptionId) -> bool {
        matches!(self, Self::Subscription(own) if own == subscription)
    }
}

impl fmt::Display for Consumer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Subscription(subscription) => fmt::Display::fmt(subscription, f),
            Self::Audit(hub) => write!(f, "audit of hub {hub}"),
        }
    }
}

/// Identity of a route: who takes what. It stays the same when the path under it moves.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct RouteId {
    /// Who takes.
    pub consumer: Consumer,
    /// What it takes; none for an audit, which takes everything.
    pub publication: Option<PublicationId>,
}

impl fmt::Display for RouteId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.publication {
            Some(publication) => write!(f, "{publication} -> {}", self.consumer),
            None => write!(f, "everything -> {}", self.consumer),
        }
    }
}

/// One deliverable path, hop by hop, for people and for the checks of promise 1.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Route {
    /// The hub it goes through.
    pub hub: HubName,
    /// The hub's bus.
    pub hub_bus: BusId,
    /// The team that publishes; none for an audit.
    pub publisher: Option<TeamName>,
    /// The accounts whose events it carries.
    pub publisher_accounts: Vec<AccountId>,
    /// How the events get to the hub.
    pub via: Via,
    /// The rules that forward to the hub, if `via` is the spoke: one for each publishing spoke's bus.
    pub forward_rules: Vec<RuleId>,
    /// The hub's rule.
    pub rule: RuleId,
    /// The Id of the hub rule's target that delivers.
    pub target_id: String,
    /// Where the events end up: an ARN.
    pub destination_arn: String,
    /// The destination, if it is a bus.
    pub destination_bus: Option<BusId>,
    /// Where it was written.
    pub origin: Origin,
}
