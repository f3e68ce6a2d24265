//! Which routes of the topology a live rule may carry today: what has to be in place before it goes or narrows.

use crate::model::desired::Desired;
use crate::model::few::Few;
use crate::model::mark::rule_stem;
use crate::model::resource::RuleId;
use crate::model::route::{Consumer, RouteId};
use crate::model::world::{LiveRule, LiveTarget};
use std::collections::{BTreeMap, BTreeSet};

/// The topology's routes by what a rule that goes has in common with them.
pub(super) struct RouteIndex {
    by_stem: BTreeMap<String, BTreeSet<RouteId>>,
    by_destination: BTreeMap<String, BTreeSet<RouteId>>,
    /// Routes by the hub's bus: what a forwarding rule that goes could have carried.
    by_hub: BTreeMap<String, BTreeSet<RouteId>>,
}

impl RouteIndex {
    pub(super) fn of(desired: &Desired) -> Self {
        let mut index = Self { by_stem: BTreeMap::new(), by_destination: BTreeMap::new(), by_hub: BTreeMap::new() };
        for (id, route) in &desired.routes {
            for rule in std::iter::once(&route.rule).chain(&route.forward_rules) {
                if let Some(stem) = rule_stem(&rule.name) {
                    index.by_stem.entry(stem.to_owned()).or_default().insert(id.clone());
                }
            }
            index.by_destination.entry(route.destination_arn.clone()).or_default().insert(id.clone());
            index.by_hub.entry(route.hub_bus.arn()).or_default().insert(id.clone());
        }
        index
    }

    /// The routes that stay and that `rule` may carry today: those of its own subscription or publication, those
    /// that deliver the same kind of events to the same place, and those that it forwards to their hub.
    pub(super) fn replaced(&self, rule: &RuleId, live: &LiveRule, desired: &Desired) -> BTreeSet<RouteId> {
        let mut routes = rule_stem(&rule.name).and_then(|stem| self.by_stem.get(stem)).cloned().unwrap_or_default();
        routes.extend(self.delivered(live, live.targets.iter().flat_map(Few::values), desired));
        routes
    }

    /// The routes that stay and that the rule may carry today over these of its targets: those that deliver the same kind of
    /// events to the same place, and those that it forwards to their hub.
    pub(super) fn delivered<'t>(
        &self,
        live: &LiveRule,
        targets: impl Iterator<Item = &'t LiveTarget>,
        desired: &Desired,
    ) -> BTreeSet<RouteId> {
        let mut routes = BTreeSet::new();
        let pattern = live.pattern.as_ref().and_then(|pattern| pattern.parsed.as_ref());
        let overlaps = |id: &RouteId| {
            let wanted = desired.routes.get(id).and_then(|route| desired.rules.get(&route.rule));
            match (pattern, wanted) {
                (Some(live), Some(wanted)) => live.may_overlap(&wanted.spec.pattern),
                _ => true,
            }
        };
        // An audit takes everything: only its own rule delivers in its place, and only a rule that forwards the same
        // events brings them in the place of one that does.
        let is_audit = |id: &RouteId| matches!(id.consumer, Consumer::Audit(_));
        let brings = |id: &RouteId| {
            let mut forwards = desired.routes.get(id).into_iter().flat_map(|route| &route.forward_rules);
            forwards.any(|rule| match (pattern, desired.rules.get(rule)) {
                (Some(live), Some(wanted)) => live.may_overlap(&wanted.spec.pattern),
                _ => true,
            })
        };
        for target in targets {
            let delivered = self.by_destination.get(&target.spec.arn).into_iter().flatten();
            routes.extend(delivered.filter(|id| !is_audit(id) && overlaps(id)).cloned());
            let forwarded = self.by_hub.get(&target.spec.arn).into_iter().flatten();
            routes.extend(forwarded.filter(|id| if is_audit(id) { brings(id) } else { overlaps(id) }).cloned());
        }
        routes
    }

    /// Whether `arn` is a hub's bus: what delivers there carries publishers' events in.
    pub(super) fn is_hub(&self, arn: &str) -> bool {
        self.by_hub.contains_key(arn)
    }
}
