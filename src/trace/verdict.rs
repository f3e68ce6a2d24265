//! What becomes of an event on one route: the first thing on its way that keeps it, or that it is taken.

use super::journey::{Bus, Journey, Landscape, NotSent, is_enabled};
use super::question::Put;
use crate::eventbridge::Mismatch;
use crate::model::desired::Desired;
use crate::model::resource::{BusId, ResourceId, RuleId};
use crate::model::route::{Route, RouteId};

/// What becomes of an event on a route.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// The route's destination gets it by the route's own rule.
    Taken,
    /// It goes no further than here.
    Missed {
        /// Where it ends.
        at: ResourceId,
        /// Why.
        why: Why,
    },
    /// Nobody knows: something on the way was not read.
    Unknown {
        /// Where knowledge ends.
        at: ResourceId,
        /// Why.
        why: String,
    },
}

impl Verdict {
    /// Whether the route's destination gets the event.
    pub fn is_taken(&self) -> bool {
        matches!(self, Self::Taken)
    }

    /// It in a word.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Taken => "taken",
            Self::Missed { .. } => "missed",
            Self::Unknown { .. } => "unknown",
        }
    }

    /// Whether the event comes to the route's rules and nothing of who sends it and what it is called keeps it from them: then
    /// somebody who wonders may mean this route.
    pub fn is_near(&self) -> bool {
        match self {
            Self::Missed { why: Why::PutElsewhere, .. } => false,
            Self::Missed { why: Why::Pattern(Mismatch::Fields(fields)), .. } => {
                fields.iter().all(|field| !matches!(field.path.as_str(), "source" | "account"))
            }
            _ => true,
        }
    }
}

/// What keeps an event from a route's destination.
#[derive(Clone, Debug, PartialEq)]
pub enum Why {
    /// It is put on none of the buses that the route takes from.
    PutElsewhere,
    /// The bus that it is put on does not take it, or does not exist.
    NotPut(NotSent),
    /// The rule is not there.
    NoRule,
    /// The rule is disabled; with the reason, if the topology holds the route off.
    Disabled(Option<String>),
    /// The rule has no event pattern.
    NoPattern,
    /// The pattern does not match.
    Pattern(Mismatch),
    /// The rule has no target with the route's Id.
    NoTarget(String),
    /// The target sends elsewhere: to this ARN.
    Elsewhere(String),
    /// The target gets nothing.
    NotSent(NotSent),
}

/// How far an event came: what is compared where it is put in several places.
type Stage = u8;

/// The verdict of the put that comes furthest.
pub(super) fn of_route(
    landscape: &Landscape<'_>,
    journeys: &[(&Put, Journey)],
    desired: &Desired,
    id: &RouteId,
    route: &Route,
) -> Verdict {
    let on_route = RouteOn { landscape, desired, id, route };
    let elsewhere = (0, Verdict::Missed { at: ResourceId::Bus(route.hub_bus.clone()), why: Why::PutElsewhere });
    let verdicts = journeys.iter().map(|(put, journey)| on_route.verdict(put, journey));
    // The first of the furthest: puts are in order, so the answer does not depend on chance.
    verdicts.fold(elsewhere, |best, next| if next.0 > best.0 { next } else { best }).1
}

struct RouteOn<'a> {
    landscape: &'a Landscape<'a>,
    desired: &'a Desired,
    id: &'a RouteId,
    route: &'a Route,
}

impl RouteOn<'_> {
    fn verdict(&self, put: &Put, journey: &Journey) -> (Stage, Verdict) {
        let hub = &self.route.hub_bus;
        if let Some(forward) = self.forward_from(&put.bus) {
            if let Some(why) = &journey.put {
                return (1, put_missed(&put.bus, why));
            }
            if !journey.arrived.contains(hub) {
                let target = |(_, arn): (&str, &str)| arn == hub.arn();
                return (2, self.on_rule(forward, journey, target, || hub.arn()));
            }
        } else if put.bus != *hub && !journey.arrived.contains(hub) {
            return (0, Verdict::Missed { at: ResourceId::Bus(hub.clone()), why: Why::PutElsewhere });
        }
        if let Some(why) = &journey.put {
            return (1, put_missed(&put.bus, why));
        }
        let target = |(id, _): (&str, &str)| id == self.route.target_id;
        let verdict = self.on_rule(&self.route.rule, journey, target, || self.route.target_id.clone());
        (if verdict.is_taken() { 4 } else { 3 }, verdict)
    }

    /// The route's rule that forwards from there to the hub.
    fn forward_from(&self, bus: &BusId) -> Option<&RuleId> {
        self.route.forward_rules.iter().find(|rule| rule.bus == *bus)
    }

    /// What becomes of an event on a rule of the route's, whose target is the one that `is_target` (by Id and ARN).
    fn on_rule(
        &self,
        rule: &RuleId,
        journey: &Journey,
        is_target: impl Fn((&str, &str)) -> bool,
        target: impl Fn() -> String,
    ) -> Verdict {
        let at = || ResourceId::Rule(rule.clone());
        let missed = |why: Why| Verdict::Missed { at: at(), why };
        let unknown = |why: String| Verdict::Unknown { at: at(), why };
        let live = match self.landscape.bus(&rule.bus) {
            Bus::There(live) => live,
            Bus::Missing => return missed(Why::NotPut(NotSent::NoBus(rule.bus.clone()))),
            Bus::Unread(why) => return unknown(why),
        };
        let Some(found) = live.rules.get(&rule.name) else {
            let unread = || unknown(format!("the rules of {} were not read to the end", rule.bus));
            return if live.rules_read { missed(Why::NoRule) } else { unread() };
        };
        if !is_enabled(found) {
            return missed(Why::Disabled(self.stopped()));
        }
        let Some(pattern) = &found.pattern else { return missed(Why::NoPattern) };
        let Some(parsed) = &pattern.parsed else { return unknown("its pattern is not understood".to_owned()) };
        if let Some(mismatch) = parsed.mismatch(&journey.event) {
            return missed(Why::Pattern(mismatch));
        }
        let Some(targets) = &found.targets else { return unknown("its targets were not read".to_owned()) };
        let Some((id, found)) = targets.iter().find(|(id, target)| is_target((id.as_str(), &target.spec.arn))) else {
            return missed(Why::NoTarget(target()));
        };
        if *rule == self.route.rule && found.spec.arn != self.route.destination_arn {
            return missed(Why::Elsewhere(found.spec.arn.clone()));
        }
        let sent = journey.sent.iter().filter(|sent| sent.rule == *rule && sent.target_id == *id);
        let outcomes: Vec<_> = sent.map(|sent| &sent.outcome).collect();
        if outcomes.iter().any(|outcome| outcome.is_ok()) {
            return Verdict::Taken;
        }
        match outcomes.into_iter().find_map(|outcome| outcome.as_ref().err()) {
            Some(NotSent::Unread(why)) => {
                Verdict::Unknown { at: ResourceId::Target(rule.clone(), id.clone()), why: why.clone() }
            }
            Some(why) => {
                Verdict::Missed { at: ResourceId::Target(rule.clone(), id.clone()), why: Why::NotSent(why.clone()) }
            }
            // It matches, and never came to this bus.
            None => missed(Why::PutElsewhere),
        }
    }

    /// Why the topology holds the route off, if it does.
    fn stopped(&self) -> Option<String> {
        let stop = self.desired.stops.iter().find(|stop| stop.is_active && stop.route == *self.id)?;
        Some(format!("held off until {}: {} ({})", stop.stop.until, stop.stop.reason, stop.stop.origin))
    }
}

fn put_missed(bus: &BusId, why: &NotSent) -> Verdict {
    let at = ResourceId::Bus(bus.clone());
    match why {
        NotSent::Unread(why) => Verdict::Unknown { at, why: why.clone() },
        why => Verdict::Missed { at, why: Why::NotPut(why.clone()) },
    }
}
