//! The world that a topology asks for: as if all of it were there, and nothing else.

use crate::model::desired::Desired;
use crate::model::ids::{Moment, Scope};
use crate::model::resource::{BusId, RuleState};
use crate::model::world::{LiveBus, LivePattern, LiveRule, LiveTarget, Observation, ScopeView, World};
use crate::plan::statement;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What a sweep would find when everything is as it was asked for. Accounts that are never read have what their people were
/// asked to add.
pub fn wished(desired: &Desired) -> World {
    let mut views: BTreeMap<Scope, ScopeView> = BTreeMap::new();
    let mut bus_of = |bus: &BusId, fill: &mut dyn FnMut(&mut LiveBus)| {
        let view = views.entry(bus.scope.clone()).or_default();
        let empty = || LiveBus { rules_read: true, ..LiveBus::default() };
        fill(view.buses.entry(bus.name.clone()).or_insert_with(empty));
    };
    for bus in desired.buses.keys().chain(desired.publishers.keys().map(|(bus, _)| bus)) {
        bus_of(bus, &mut |_| {});
    }
    for destination in desired.routes.values().filter_map(|route| route.destination_bus.as_ref()) {
        bus_of(destination, &mut |_| {});
    }
    for ((bus, sid), wanted) in &desired.grants {
        bus_of(bus, &mut |live| {
            if let Ok(policy) = live.policy.get_or_insert_with(|| Ok(Default::default())) {
                policy.statements.push(statement(bus, sid, &wanted.spec));
            }
        });
    }
    for (rule, wanted) in &desired.rules {
        let spec = &wanted.spec;
        let target =
            |target: &crate::model::resource::TargetSpec| LiveTarget { spec: target.clone(), other: BTreeMap::new() };
        let made = LiveRule {
            pattern: Some(LivePattern { text: spec.pattern.to_string(), parsed: Some(spec.pattern.clone()) }),
            state: if spec.state == RuleState::Enabled { "ENABLED" } else { "DISABLED" }.to_owned(),
            targets: Some(spec.targets.iter().map(|(id, spec)| (id.clone(), target(spec))).collect()),
            ..LiveRule::default()
        };
        bus_of(&rule.bus, &mut |live| {
            live.rules.insert(rule.name.clone(), made.clone());
        });
    }
    let complete = |view: ScopeView| Observation::Complete {
        at: Moment::default(),
        view: Arc::new(ScopeView { buses_read: true, ..view }),
    };
    World { scopes: views.into_iter().map(|(scope, view)| (scope, complete(view))).collect(), ..World::default() }
}
