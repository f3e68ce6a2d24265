//! Whether what a trace names is really in the way: it is mended, and the next reason, until the event is taken. Then each of the
//! mends is left out once, and the event must not come.

use crate::agreement::traced;
use crate::edits::{self, Item, call, items};
use crate::rng::Rng;
use crate::spec::Event;
use crate::support::Bench;
use crate::worlds::put;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use wheelwright::eventbridge::Mismatch;
use wheelwright::model::desired::Desired;
use wheelwright::model::resource::{BusId, ResourceId, RuleId};
use wheelwright::model::route::RouteId;
use wheelwright::model::world::World;
use wheelwright::sim::call_door::SimFleet;
use wheelwright::sim::{DeliveryOutcome, SimulatedAws, SnapshotKind};
use wheelwright::trace::{NotSent, Verdict, Why};

/// Reasons that one event may have on one route: the put, the forward rule and the hub's rule, each with its few.
const REASONS_MAX: usize = 12;

/// A reason, in two words.
pub(crate) fn name(why: &Why) -> &'static str {
    match why {
        Why::PutElsewhere => "put elsewhere",
        Why::NoRule => "no rule",
        Why::Disabled(_) => "disabled",
        Why::NoPattern => "no pattern",
        Why::Pattern(Mismatch::Fields(_)) => "pattern",
        Why::Pattern(Mismatch::Apart(_)) => "apart",
        Why::NoTarget(_) => "no target",
        Why::Elsewhere(_) => "elsewhere",
        Why::NotPut(why) | Why::NotSent(why) => match why {
            NotSent::NoBus(_) => "no bus",
            NotSent::Refused(refusal) if refusal.denied_by.is_some() => "denied",
            NotSent::Refused(_) => "statement",
            NotSent::NoRole => "no role",
            NotSent::Hop(_) => "hop",
            NotSent::OtherRegion => "other Region",
            NotSent::Unread(_) => "unread",
        },
    }
}

/// Every rule that was read, by its bus's ARN and its name.
pub(crate) fn rules_by_arn(world: &World) -> BTreeMap<(String, String), RuleId> {
    let mut rules = BTreeMap::new();
    for (scope, view) in world.scopes.keys().filter_map(|scope| Some((scope, world.view(scope)?))) {
        for (name, bus) in &view.buses {
            let id = BusId { scope: scope.clone(), name: name.clone() };
            for rule in bus.rules.keys() {
                rules.insert((id.arn(), rule.clone()), RuleId { bus: id.clone(), name: rule.clone() });
            }
        }
    }
    rules
}

/// Mends a route that misses an event, reason by reason.
pub(crate) async fn try_out(
    bench: &Bench<SimFleet>,
    world: &World,
    event: &Event,
    rng: &mut Rng,
    seen: &mut BTreeMap<&'static str, usize>,
    about: &str,
) {
    let desired = &bench.example.desired;
    let (_, found) = traced(bench, world, event);
    let missed: Vec<RouteId> = found
        .routes
        .iter()
        .filter(|route| matches!(&route.live, Some(live @ Verdict::Missed { .. }) if live.is_near()))
        .map(|route| route.route.clone())
        .collect();
    if missed.is_empty() {
        return;
    }
    let route = rng.pick(&missed).clone();
    let before = bench.aws().clone();
    let mut aws = before.clone();
    let mut mends: Vec<Mend> = Vec::new();
    let mut last = None;
    loop {
        let verdict = verdict_of(bench, &aws, event, &route).await;
        let Verdict::Missed { at, why } = verdict.clone() else {
            assert!(verdict.is_taken(), "{about}: {event:?} on {route}: {verdict}");
            break;
        };
        assert!(mends.len() < REASONS_MAX, "{about}: {event:?} on {route}: no end of {mends:#?}");
        assert_ne!(last.as_ref(), Some(&verdict), "{about}: {event:?} on {route}: mended, and still said");
        assert!(!arrives(&aws, event, desired, &route), "{about}: {event:?} comes on {route} in spite of: {verdict}");
        for mend in Mend::of(&at, &why) {
            if !mend.make(&mut aws, desired, &route) {
                return; // Nothing in EventBridge mends it: it is put elsewhere, or was forwarded before.
            }
            mends.push(mend);
        }
        last = Some(verdict);
    }
    assert!(arrives(&aws, event, desired, &route), "{about}: {event:?} does not come on {route} after {mends:#?}");
    for (left_out, mend) in mends.iter().enumerate() {
        *seen.entry(name(&mend.why)).or_default() += 1;
        let mut aws = before.clone();
        for (_, other) in mends.iter().enumerate().filter(|(at, _)| *at != left_out) {
            // What stands on the one that is left out does not go through.
            other.make(&mut aws, desired, &route);
        }
        let comes = arrives(&aws, event, desired, &route);
        assert!(!comes, "{about}: {event:?} comes on {route} without {mend:?}; all of them: {mends:#?}");
    }
}

/// What a fresh look at these accounts says.
async fn verdict_of(bench: &Bench<SimFleet>, aws: &SimulatedAws, event: &Event, route: &RouteId) -> Verdict {
    let other = Bench::by_call(&bench.example, aws.clone());
    let (world, _) = other.plan().await;
    let (_, found) = traced(&other, &world, event);
    found.routes.into_iter().find(|one| one.route == *route).and_then(|one| one.live).unwrap()
}

/// Whether the simulated AWS delivers the event by the route's own rule.
fn arrives(aws: &SimulatedAws, event: &Event, desired: &Desired, route: &RouteId) -> bool {
    let path = &desired.routes[route];
    put(aws, event).iter().any(|record| {
        record.outcome == DeliveryOutcome::Delivered
            && record.bus_arn == path.rule.bus.arn()
            && record.rule == path.rule.name
            && record.target_arn == path.destination_arn
    })
}

/// One thing that was in the way, to be taken out of it.
#[derive(Clone, Debug)]
struct Mend {
    at: ResourceId,
    why: Why,
}

impl Mend {
    /// Of fields that do not match, each by itself.
    fn of(at: &ResourceId, why: &Why) -> Vec<Self> {
        let one = |why: Why| Self { at: at.clone(), why };
        match why {
            Why::Pattern(Mismatch::Fields(fields)) => {
                fields.iter().map(|field| one(Why::Pattern(Mismatch::Fields(vec![field.clone()])))).collect()
            }
            why => vec![one(why.clone())],
        }
    }

    /// Whether there is a call that mends it, and AWS took it.
    fn make(&self, aws: &mut SimulatedAws, desired: &Desired, route: &RouteId) -> bool {
        match &self.why {
            Why::NotPut(why) | Why::NotSent(why) => self.let_in(aws, why, desired),
            Why::NoRule | Why::NoTarget(_) | Why::Elsewhere(_) => self.on_rule(aws, desired, route),
            Why::Disabled(_) => {
                let rule = self.rule();
                call_on(aws, &rule.bus, "EnableRule", &json!({"Name": rule.name, "EventBusName": rule.bus.name}))
            }
            Why::Pattern(Mismatch::Fields(fields)) => {
                let Some(live) = live_rule(aws, self.rule()) else { return false };
                let mut pattern = edits::pattern(&live);
                fields.iter().for_each(|field| take_out(&mut pattern, &field.path));
                if pattern == json!({}) {
                    pattern = json!({"source": [{"exists": true}]});
                }
                edits::put_rule(aws, &live, &pattern)
            }
            Why::PutElsewhere | Why::NoPattern | Why::Pattern(Mismatch::Apart(_)) => false,
        }
    }

    fn rule(&self) -> &RuleId {
        match &self.at {
            ResourceId::Rule(rule) | ResourceId::Target(rule, _) => rule,
            other => panic!("{other} is no rule"),
        }
    }

    /// The rule, or its target, as it was asked for; a route that is held off goes on.
    fn on_rule(&self, aws: &mut SimulatedAws, desired: &Desired, route: &RouteId) -> bool {
        let rule = self.rule();
        let spec = &desired.rules[rule].spec;
        if self.why == Why::NoRule {
            let live = Item {
                account: rule.bus.scope.account.to_string(),
                region: rule.bus.scope.region.to_string(),
                bus: rule.bus.name.clone(),
                rule: rule.name.clone(),
                name: rule.name.clone(),
                value: json!({"State": "ENABLED"}),
            };
            return edits::put_rule(aws, &live, &spec.pattern.to_value());
        }
        let Some(live) = live_rule(aws, rule) else { return false };
        let is_hubs = *rule == desired.routes[route].rule;
        spec.targets.iter().filter(|(id, _)| !is_hubs || **id == desired.routes[route].target_id).all(|(id, target)| {
            let mut input = json!({"Id": id, "Arn": target.arn});
            if let Some(role) = &target.role_arn {
                input["RoleArn"] = json!(role);
            }
            edits::put_target(aws, &live, &input)
        })
    }

    fn let_in(&self, aws: &mut SimulatedAws, why: &NotSent, desired: &Desired) -> bool {
        match why {
            NotSent::NoBus(bus) => call_on(aws, bus, "CreateEventBus", &json!({"Name": bus.name})),
            NotSent::Refused(refusal) => {
                let name = &refusal.bus.name;
                match &refusal.denied_by {
                    Some(sid) => {
                        let input = json!({"EventBusName": name, "StatementId": sid});
                        call_on(aws, &refusal.bus, "RemovePermission", &input)
                    }
                    None => {
                        let input = json!({
                            "EventBusName": name, "StatementId": format!("mend-{}", refusal.account),
                            "Principal": refusal.account.to_string(), "Action": "events:PutEvents",
                        });
                        call_on(aws, &refusal.bus, "PutPermission", &input)
                    }
                }
            }
            NotSent::NoRole => {
                let rule = self.rule();
                desired.rules.contains_key(rule) && {
                    let Some(live) = live_rule(aws, rule) else { return false };
                    let targets = &desired.rules[rule].spec.targets;
                    targets.iter().all(|(id, target)| {
                        edits::put_target(aws, &live, &json!({"Id": id, "Arn": target.arn, "RoleArn": target.role_arn}))
                    })
                }
            }
            NotSent::Hop(_) | NotSent::OtherRegion | NotSent::Unread(_) => false,
        }
    }
}

fn call_on(aws: &mut SimulatedAws, bus: &BusId, operation: &str, input: &Value) -> bool {
    call(aws, &bus.scope.account.to_string(), bus.scope.region.as_str(), operation, input)
}

fn live_rule(aws: &SimulatedAws, rule: &RuleId) -> Option<Item> {
    let (account, region) = (rule.bus.scope.account.to_string(), rule.bus.scope.region.to_string());
    items(aws, SnapshotKind::Rule).into_iter().find(|item| {
        item.account == account && item.region == region && item.bus == rule.bus.name && item.rule == rule.name
    })
}

/// A field out of a pattern, and what is empty then.
fn take_out(pattern: &mut Value, path: &str) {
    let Some(fields) = pattern.as_object_mut() else { return };
    match path.split_once('.') {
        None => {
            fields.remove(path);
        }
        Some((first, rest)) => {
            if let Some(inner) = fields.get_mut(first) {
                take_out(inner, rest);
                if *inner == json!({}) {
                    fields.remove(first);
                }
            }
        }
    }
}
