//! What a plan does to routes: what a person reads first.

use super::wheel::Wheel;
use crate::eventbridge::{Arn, Pattern};
use crate::model::desired::Desired;
use crate::model::ids::AccountId;
use crate::model::mark::{is_same_stem, rule_stem};
use crate::model::plan::{Action, Cause, Guard, RouteChange, RouteEffect, Seen, Step};
use crate::model::resource::{BusId, RuleId};
use crate::model::route::{Route, RouteId};
use crate::model::topology::Via;
use crate::model::world::World;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Deref;

/// The effect of `steps` on every route that they touch, and on live ones that nobody asks for any more.
pub(super) fn changes(
    desired: &Desired,
    world: &World,
    wheel: &impl Deref<Target = Wheel>,
    steps: &[Step],
) -> Vec<RouteChange> {
    let mut by_route: BTreeMap<&RouteId, Vec<&Step>> = BTreeMap::new();
    for step in steps {
        for route in &step.routes {
            by_route.entry(route).or_default().push(step);
        }
    }
    let mut changes: Vec<RouteChange> = by_route
        .into_iter()
        .filter_map(|(id, steps)| {
            desired.routes.get(id).and_then(|route| change(desired, world, wheel, id, route, &steps))
        })
        .collect();
    changes.extend(stops(desired, world, steps));
    changes.sort();
    changes
}

fn change(
    desired: &Desired,
    world: &World,
    wheel: &Wheel,
    id: &RouteId,
    route: &Route,
    steps: &[&Step],
) -> Option<RouteChange> {
    let moves = steps.iter().any(|step| step.is_break() && takes_route_away(step, route));
    let publishers_move = steps.iter().any(|step| step.held_by.contains(&Guard::PublishersMove));
    let makes = || steps.iter().filter(|step| !step.is_break());
    let drift = makes().any(|step| step.cause == Cause::Drift);
    if let Some(stop) = desired.stops.iter().find(|stop| stop.is_active && stop.route == *id) {
        // Where it delivers nothing already, whatever else is made for it makes no difference now.
        let detail = format!(
            "held off until {}: {}; its events are dropped, not queued",
            stop.stop.until,
            plain(&stop.stop.reason)
        );
        return wheel.delivers(route, desired).then(|| RouteChange {
            route: id.to_string(),
            effect: RouteEffect::Stops,
            detail,
            duplicates: false,
        });
    }
    let effect = if moves || publishers_move {
        RouteEffect::Moves
    } else if !wheel.delivers(route, desired) {
        // Only steps that make a part of the path: the rest may serve the route without changing it.
        makes().next()?;
        if drift { RouteEffect::Mends } else { RouteEffect::Starts }
    } else if let Some(effect) = pattern_effect(desired, world, route, steps) {
        effect
    } else if !wheel.takes_all(route) && makes().next().is_some() {
        if drift { RouteEffect::Mends } else { RouteEffect::Widens }
    } else {
        return None;
    };
    let mut detail = path(desired, route);
    if effect == RouteEffect::Starts
        && let Some(wanted) = desired.rules.get(&route.rule)
    {
        detail.push_str(&format!("; takes {}", in_words(&wanted.spec.pattern.to_string())));
    }
    if moves {
        detail.push_str(&left(desired, route, steps));
    }
    if matches!(effect, RouteEffect::Narrows | RouteEffect::Widens | RouteEffect::Changes) {
        detail.push_str(&taken(desired, world, route));
    }
    if publishers_move {
        detail
            .push_str("; publishers must move: where they put events today nothing is forwarded any more once `publishers-move` is let go");
    }
    Some(RouteChange { route: id.to_string(), effect, detail, duplicates: moves })
}

/// Where a route that moves delivered until now.
fn left(desired: &Desired, route: &Route, steps: &[&Step]) -> String {
    let mut arns = BTreeSet::new();
    for step in steps.iter().filter(|step| step.is_break() && takes_route_away(step, route)) {
        if let (Action::RemoveTargets { .. }, Seen::Targets { targets }) = (&step.action, &step.seen) {
            arns.extend(targets.values().map(|target| target.spec.arn.as_str()));
        }
    }
    arns.remove(route.destination_arn.as_str());
    let places: Vec<String> = arns.into_iter().map(|arn| short_arn(desired, arn)).collect();
    if places.is_empty() { String::new() } else { format!("; no longer to {}", places.join(", ")) }
}

fn takes_route_away(step: &Step, route: &Route) -> bool {
    match &step.action {
        Action::RemoveTargets { rule, .. } | Action::DeleteRule { rule } => {
            is_same_stem(&rule.name, &route.rule.name) || rule.bus == route.hub_bus
        }
        _ => false,
    }
}

/// A route that delivers, and whose rule takes other events from now on.
fn pattern_effect(desired: &Desired, world: &World, route: &Route, steps: &[&Step]) -> Option<RouteEffect> {
    let put = steps.iter().find(|step| matches!(&step.action, Action::PutRule { rule, .. } if *rule == route.rule))?;
    let live = world.rule(&route.rule)?.pattern.as_ref()?.parsed.as_ref();
    let wanted = &desired.rules.get(&route.rule)?.spec.pattern;
    if live.is_some_and(|live| live.same_meaning(wanted)) {
        return None;
    }
    if put.cause == Cause::Drift {
        return Some(RouteEffect::Mends);
    }
    Some(compare(live, wanted))
}

fn compare(live: Option<&Pattern>, wanted: &Pattern) -> RouteEffect {
    match live {
        Some(live) if wanted.covers(live) => RouteEffect::Widens,
        Some(live) if live.covers(wanted) => RouteEffect::Narrows,
        _ => RouteEffect::Changes,
    }
}

/// Live rules of ours that go and that no route of the topology replaces.
fn stops(desired: &Desired, world: &World, steps: &[Step]) -> Vec<RouteChange> {
    let stems: BTreeSet<&str> = desired.rules.keys().filter_map(|rule| rule_stem(&rule.name)).collect();
    let mut stops: BTreeMap<&RuleId, Vec<String>> = BTreeMap::new();
    for step in steps.iter().filter(|step| step.is_break()) {
        if let (Action::RemoveTargets { rule, .. }, Seen::Targets { targets }) = (&step.action, &step.seen) {
            if rule_stem(&rule.name).is_some_and(|stem| stems.contains(stem)) || is_replaced(desired, world, step, rule)
            {
                continue;
            }
            stops.entry(rule).or_default().extend(targets.values().map(|target| target.spec.arn.clone()));
        }
    }
    let stop = |(rule, destinations): (&RuleId, Vec<String>)| {
        let stem = rule_stem(&rule.name).unwrap_or(&rule.name);
        let name = stem.strip_prefix("ww.").unwrap_or(stem);
        let live = world.rule(rule).and_then(|rule| rule.pattern.as_ref()).map_or("", |pattern| pattern.text.as_str());
        let is_hub = |arn: &String| {
            BusId::of_arn(arn).and_then(|bus| desired.buses.get(&bus)).is_some_and(|wanted| wanted.team.is_none())
        };
        let (effect, verb) = match destinations.iter().all(is_hub) {
            true => (RouteEffect::Ends, "is no longer forwarded to"),
            false => (RouteEffect::Stops, "no longer reaches"),
        };
        RouteChange {
            route: name.to_owned(),
            effect,
            detail: format!(
                "{} on {} {verb} {}",
                in_words(live),
                rule.bus.name,
                destinations.iter().map(|arn| short_arn(desired, arn)).collect::<Vec<_>>().join(", ")
            ),
            duplicates: false,
        }
    };
    stops.into_iter().map(stop).collect()
}

/// Text of a person's without what would move a terminal's cursor.
fn plain(text: &str) -> String {
    text.chars().map(|character| if character.is_control() { ' ' } else { character }).collect()
}

/// What a route takes and what it took, where people can see a difference.
fn taken(desired: &Desired, world: &World, route: &Route) -> String {
    let wanted = desired.rules.get(&route.rule).map(|wanted| in_words(&wanted.spec.pattern.to_string()));
    let live = world.rule(&route.rule).and_then(|rule| rule.pattern.as_ref()).map(|live| in_words(&live.text));
    match (wanted, live) {
        (Some(wanted), Some(live)) if wanted != live => format!("; takes {wanted}; took {live}"),
        _ => pins(desired, world, route),
    }
}

/// Which publishing accounts come and go, and whether replays do, where nothing else of a pattern changes.
fn pins(desired: &Desired, world: &World, route: &Route) -> String {
    let fields = |text: String| serde_json::from_str::<Value>(&text).unwrap_or_default();
    let wanted =
        desired.rules.get(&route.rule).map(|wanted| fields(wanted.spec.pattern.to_string())).unwrap_or_default();
    let live = world.rule(&route.rule).and_then(|rule| rule.pattern.as_ref()).map(|live| fields(live.text.clone()));
    let live = live.unwrap_or_default();
    let accounts = |pattern: &Value| -> BTreeSet<String> {
        let accounts = pattern.get("account").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
        accounts
            .map(|account| {
                account.parse().map_or_else(|_| account.to_owned(), |account| account_name(desired, account))
            })
            .collect()
    };
    let (new, old) = (accounts(&wanted), accounts(&live));
    let listed =
        |accounts: Vec<&String>| accounts.iter().map(|account| account.as_str()).collect::<Vec<_>>().join(", ");
    let (come, go) = (listed(new.difference(&old).collect()), listed(old.difference(&new).collect()));
    let mut told = String::new();
    if !come.is_empty() {
        told.push_str(&format!("; takes what {come} publish too"));
    }
    if !go.is_empty() {
        told.push_str(&format!("; takes nothing more of what {go} publish"));
    }
    match (wanted.get("replay-name"), live.get("replay-name")) {
        (Some(_), None) => told.push_str("; replays no more"),
        (None, Some(_)) => told.push_str("; replays too"),
        _ => {}
    }
    told
}

/// What a pattern of ours takes, for people: detail-types and sources, and conditions as they are. What we add to every pattern is
/// left out.
fn in_words(pattern: &str) -> String {
    let Ok(Value::Object(mut fields)) = serde_json::from_str::<Value>(pattern) else { return pattern.to_owned() };
    fields.shift_remove("account");
    fields.shift_remove("replay-name");
    let mut words = |key: &str| -> Option<String> {
        let values = fields.get(key)?.as_array()?;
        let words: Option<Vec<String>> =
            values.iter().map(|value| Some(value.as_str()?.escape_debug().to_string())).collect();
        let words = words?.join(", ");
        fields.shift_remove(key);
        Some(words)
    };
    let types = words("detail-type");
    let sources = words("source");
    let mut told = match (types, sources) {
        (Some(types), Some(sources)) => format!("{types} of {sources}"),
        (None, Some(sources)) => format!("everything of {sources}"),
        (Some(types), None) => types,
        (None, None) => "everything".to_owned(),
    };
    if !fields.is_empty() {
        told = format!("{told} where {}", Value::Object(fields));
    }
    told
}

/// Whether a route that stays takes every event of a rule that goes, to the same place: a subscription that was renamed.
fn is_replaced(desired: &Desired, world: &World, step: &Step, rule: &RuleId) -> bool {
    let Seen::Targets { targets } = &step.seen else { return false };
    let live = world.rule(rule).and_then(|rule| rule.pattern.as_ref()).and_then(|pattern| pattern.parsed.as_ref());
    let Some(live) = live else { return false };
    let stays = |arn: &String| {
        step.routes.iter().any(|id| {
            let route = desired.routes.get(id).filter(|route| route.destination_arn == *arn);
            let wanted = route.and_then(|route| desired.rules.get(&route.rule));
            wanted.is_some_and(|wanted| wanted.spec.pattern.covers(live))
        })
    };
    targets.values().all(|target| stays(&target.spec.arn))
}

/// A route hop by hop, on one line.
fn path(desired: &Desired, route: &Route) -> String {
    let hub = format!("hub {} ({})", route.hub, route.hub_bus.scope.region);
    let start = match (&route.publisher, route.via) {
        (None, _) => String::new(),
        (Some(_), Via::Hub) => "PutEvents -> ".to_owned(),
        (Some(_), Via::Spoke) => {
            let buses: Vec<&str> = route.forward_rules.iter().map(|rule| rule.bus.name.as_str()).collect();
            format!("bus {} -> ", buses.join(", "))
        }
    };
    let destination = match &route.destination_bus {
        Some(bus) => format!("bus {} of {}", bus.name, account_name(desired, bus.scope.account)),
        None => short_arn(desired, &route.destination_arn),
    };
    format!("{start}{hub} -> {destination}")
}

fn account_name(desired: &Desired, account: AccountId) -> String {
    desired.account_names.get(&account).map_or_else(|| account.to_string(), ToString::to_string)
}

/// `queue large-payments of ledger-prod` for a queue's ARN, `bus ledger of ledger-prod` for a bus's.
fn short_arn(desired: &Desired, arn: &str) -> String {
    let Ok(parsed) = arn.parse::<Arn>() else { return arn.to_owned() };
    let account =
        parsed.account.parse().map_or_else(|_| parsed.account.clone(), |account| account_name(desired, account));
    match (parsed.queue_name(), parsed.bus_name()) {
        (Some(queue), _) => format!("queue {queue} of {account}"),
        (_, Some(bus)) => format!("bus {bus} of {account}"),
        _ => arn.to_owned(),
    }
}
