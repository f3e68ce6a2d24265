//! Where an event would go, and for each route that does not take it the reason.
//!
//! Layer 2: pure. An event that somebody publishes ([`Question`]) is followed through a [`World`]: from the bus that it is put on,
//! through the rules that match it, to where their targets send it, with the checks that EventBridge makes on the way (the
//! bus's policy, the pattern, the rule's state, the hop rule). The same code follows it through what the accounts really have and
//! through the world that the topology asks for (`wished.rs`), so a difference between the two answers is one in the accounts.
//!
//! **What it cannot know** is what EventBridge's own calls do not tell: IAM roles and policies, policies of queues and functions,
//! KMS keys. `wheelwright doctor` asks for those. Where something was not read, the answer is that nobody knows ([`Verdict::Unknown`]).

mod journey;
mod question;
mod verdict;
mod wished;
mod words;

pub use journey::{NotSent, Refusal};
pub use question::{Put, Question, QuestionError};
pub use verdict::{Verdict, Why};
pub use wished::wished;

use crate::model::desired::Desired;
use crate::model::ids::PublicationId;
use crate::model::resource::RuleId;
use crate::model::route::RouteId;
use crate::model::topology::Origin;
use crate::model::world::World;
use journey::{Journey, Landscape};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Where an event goes.
#[derive(Clone, Debug, PartialEq)]
pub struct Trace {
    /// The event, as it comes to the first bus of the first put.
    pub event: Value,
    /// Who puts it on which buses.
    pub puts: Vec<Put>,
    /// The publication that it is, if it is one's.
    pub publication: Option<PublicationId>,
    /// What becomes of it on each route of the topology.
    pub routes: Vec<TracedRoute>,
    /// Live rules that match it and that no route of the topology needs, with where they send it, as far as that was read.
    /// None where nothing live was looked at.
    pub others: Option<BTreeMap<RuleId, Vec<String>>>,
}

/// What becomes of an event on one route.
#[derive(Clone, Debug, PartialEq)]
pub struct TracedRoute {
    /// The route.
    pub route: RouteId,
    /// Where its events end up: an ARN.
    pub destination_arn: String,
    /// Where it was written.
    pub origin: Origin,
    /// By what the topology asks for.
    pub wanted: Verdict,
    /// By what is there; none where nothing live was looked at.
    pub live: Option<Verdict>,
}

impl TracedRoute {
    /// Whether the accounts do something else than the topology asks for: somebody gets the event or goes without, and should not.
    pub fn differs(&self) -> bool {
        let is_known = |verdict: &&Verdict| !matches!(verdict, Verdict::Unknown { .. });
        self.live.as_ref().filter(is_known).is_some_and(|live| live.is_taken() != self.wanted.is_taken())
    }

    /// Whether the route takes from the publication, or takes everything.
    pub fn is_of(&self, publication: &PublicationId) -> bool {
        self.route.publication.as_ref().is_none_or(|own| own == publication)
    }
}

/// Follows an event: by what is asked for and, if `live` is given, by what is there.
///
/// `organization` is the organisation that the roster's accounts are in; statements of bus policies may ask for it.
pub fn trace(question: &Question, desired: &Desired, organization: Option<&str>, live: Option<&World>) -> Trace {
    let wish = wished(desired);
    let asked = Followed::of(question, desired, organization, &wish);
    let found = live.map(|world| Followed::of(question, desired, organization, world));
    let routes = desired
        .routes
        .iter()
        .map(|(id, route)| TracedRoute {
            route: id.clone(),
            destination_arn: route.destination_arn.clone(),
            origin: route.origin.clone(),
            wanted: asked.verdict(id, route),
            live: found.as_ref().map(|found| found.verdict(id, route)),
        })
        .collect();
    let event = question.puts.first().map(|put| question.event(put)).unwrap_or_default();
    let others = found.map(|found| found.others());
    Trace { event, puts: question.puts.clone(), publication: question.publication.clone(), routes, others }
}

/// Every destination (an ARN) that gets an event in `world`, as far as that was read: what a person would find there.
pub fn destinations(
    question: &Question,
    desired: &Desired,
    organization: Option<&str>,
    world: &World,
) -> BTreeSet<String> {
    let followed = Followed::of(question, desired, organization, world);
    let sent = followed.journeys.iter().flat_map(|(_, journey)| &journey.sent);
    sent.filter(|sent| sent.outcome.is_ok()).map(|sent| sent.arn.clone()).collect()
}

/// An event in one world: a journey for each put.
struct Followed<'a> {
    desired: &'a Desired,
    landscape: Landscape<'a>,
    journeys: Vec<(&'a Put, Journey)>,
}

impl<'a> Followed<'a> {
    fn of(question: &'a Question, desired: &'a Desired, organization: Option<&'a str>, world: &'a World) -> Self {
        let landscape = Landscape { world, organization, members: &desired.account_names };
        let journeys = question.puts.iter().map(|put| (put, landscape.follow(put, question.event(put)))).collect();
        Self { desired, landscape, journeys }
    }

    fn verdict(&self, id: &RouteId, route: &crate::model::route::Route) -> Verdict {
        verdict::of_route(&self.landscape, &self.journeys, self.desired, id, route)
    }

    /// Rules that matched and that the topology does not ask for.
    fn others(&self) -> BTreeMap<RuleId, Vec<String>> {
        let matched = self.journeys.iter().flat_map(|(_, journey)| &journey.matched);
        let mut others: BTreeMap<RuleId, Vec<String>> = matched
            .filter(|rule| !self.desired.rules.contains_key(rule))
            .map(|rule| (rule.clone(), Vec::new()))
            .collect();
        for sent in self.journeys.iter().flat_map(|(_, journey)| &journey.sent).filter(|sent| sent.outcome.is_ok()) {
            if let Some(arns) = others.get_mut(&sent.rule)
                && !arns.contains(&sent.arn)
            {
                arns.push(sent.arn.clone());
            }
        }
        others
    }
}
