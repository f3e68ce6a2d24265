//! How each route stands: does it deliver, and if that cannot be said, why.

use super::Shared;
use super::ask::{limit, parsed, query};
use super::problem::{Problem, shortened};
use super::reads::unswept;
use super::view::{Listed, Origin};
use crate::daemon::Status;
use crate::model::desired::Desired;
use crate::model::finding::Severity;
use crate::model::ids::{Scope, SubscriptionId, TeamName};
use crate::model::incident::Incident;
use crate::model::resource::ResourceId;
use crate::model::route::{Consumer, Route as Path, RouteId};
use axum::Json;
use axum::extract::State;
use axum::http::Uri;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use strum::IntoEnumIterator as _;

/// How a route stands; where several hold, the first of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, strum::IntoStaticStr, strum::EnumIter)]
#[strum(serialize_all = "kebab-case")]
pub(super) enum RouteState {
    /// A person holds it off, here or in the topology: its events are dropped meanwhile.
    Stopped,
    /// Something on its way could not be read, so nobody knows.
    Unread,
    /// Something on its way is wrong: an incident of severity error is open.
    Drifted,
    /// It waits for a step of the plan that is held.
    Held,
    /// It waits for a step of the plan that is not done yet.
    Waiting,
    /// Everything is as it was asked for.
    Delivering,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Route {
    route: String,
    state: &'static str,
    /// Why it is not delivering; empty if it is.
    why: Vec<String>,
    publication: Option<String>,
    subscription: Option<String>,
    team: Option<String>,
    hub: String,
    rule: String,
    destination: String,
    origin: Origin,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct RoutesQuery {
    state: Option<String>,
    team: Option<String>,
    limit: Option<String>,
}

pub(super) async fn routes(State(surface): State<Shared>, uri: Uri) -> Result<Json<Listed<Route>>, Problem> {
    let asked: RoutesQuery = query(&uri)?;
    let limit = limit(asked.limit.as_deref())?;
    let state = asked.state.as_deref().map(route_state).transpose()?;
    let team: Option<TeamName> = parsed("team", asked.team.as_deref())?;
    let status = surface.handle.status();
    let desired = status.desired.as_ref().ok_or_else(unswept)?;
    let standing = Standing::of(&status, desired);
    let chosen: Vec<(&RouteId, &Path, RouteState)> = desired
        .routes
        .iter()
        .filter(|(id, _)| team.as_ref().is_none_or(|team| concerns(id, team)))
        .map(|(id, path)| (id, path, standing.state(id, path)))
        .filter(|(_, _, is)| state.is_none_or(|state| *is == state))
        .collect();
    let views = chosen.into_iter().map(|(id, path, state)| view(id, path, state, standing.why(id, path, state)));
    Ok(Json(Listed::first(views, limit)))
}

fn route_state(text: &str) -> Result<RouteState, Problem> {
    RouteState::iter().find(|state| <&str>::from(state) == text).ok_or_else(|| {
        let known: Vec<&str> = RouteState::iter().map(Into::into).collect();
        Problem::bad_query(format!("state: `{}` is none of {}", shortened(text), known.join(", ")))
    })
}

pub(super) fn concerns(id: &RouteId, team: &TeamName) -> bool {
    let takes = matches!(&id.consumer, Consumer::Subscription(subscription) if subscription.team == *team);
    takes || id.publication.as_ref().is_some_and(|publication| publication.team == *team)
}

fn view(id: &RouteId, path: &Path, state: RouteState, why: Vec<String>) -> Route {
    let subscription = match &id.consumer {
        Consumer::Subscription(subscription) => Some(subscription),
        Consumer::Audit(_) => None,
    };
    Route {
        route: id.to_string(),
        state: state.into(),
        why,
        publication: id.publication.as_ref().map(ToString::to_string),
        subscription: subscription.map(ToString::to_string),
        team: subscription.map(|subscription| subscription.team.to_string()),
        hub: path.hub.to_string(),
        rule: path.rule.to_string(),
        destination: path.destination_arn.clone(),
        origin: Origin::from(&path.origin),
    }
}

/// How many routes are in each state; a state without any counts too.
pub(super) fn route_counts(status: &Status) -> BTreeMap<&'static str, usize> {
    let mut counts: BTreeMap<&'static str, usize> = RouteState::iter().map(|state| (state.into(), 0)).collect();
    if let Some(desired) = &status.desired {
        let standing = Standing::of(status, desired);
        for (id, path) in &desired.routes {
            *counts.entry(standing.state(id, path).into()).or_default() += 1;
        }
    }
    counts
}

/// What is wrong, by route.
pub(super) struct Standing<'a> {
    stopped: BTreeMap<&'a RouteId, String>,
    unread: BTreeSet<&'a Scope>,
    wrong: BTreeMap<&'a RouteId, Vec<&'a Incident>>,
    held: BTreeMap<&'a RouteId, BTreeSet<String>>,
    waiting: BTreeMap<&'a RouteId, BTreeSet<String>>,
    is_swept: bool,
}

impl<'a> Standing<'a> {
    pub(super) fn of(status: &'a Status, desired: &'a Desired) -> Self {
        let mut standing = Self {
            stopped: BTreeMap::new(),
            unread: status.unread(),
            wrong: BTreeMap::new(),
            held: BTreeMap::new(),
            waiting: BTreeMap::new(),
            is_swept: status.plan.is_some(),
        };
        for stop in desired.stops.iter().filter(|stop| stop.is_active) {
            let why = format!("held off until {}: {} ({})", stop.stop.until, stop.stop.reason, stop.stop.origin);
            standing.stopped.insert(&stop.route, why);
        }
        standing.add_live_stops(status, desired);
        for incident in status.incidents.iter().filter(|incident| incident.severity() == Severity::Error) {
            let Some(resource) = incident.concern.subject.resource() else { continue };
            for route in routes_on(desired, resource).into_iter().flatten() {
                standing.wrong.entry(route).or_default().push(incident);
            }
        }
        for step in status.plan.iter().flat_map(|plan| &plan.steps).filter(|step| !step.is_break()) {
            for route in step.routes.iter().filter_map(|route| desired.routes.get_key_value(route)) {
                let (map, why) = if step.held_by.is_empty() {
                    (&mut standing.waiting, step.key().to_string())
                } else {
                    let guards: Vec<String> = step.held_by.iter().map(ToString::to_string).collect();
                    (&mut standing.held, format!("{} ({})", step.key(), guards.join(", ")))
                };
                map.entry(route.0).or_default().insert(why);
            }
        }
        standing
    }

    /// A stop counts as soon as it is ordered: the sweep that carries it out follows.
    fn add_live_stops(&mut self, status: &Status, desired: &'a Desired) {
        let orders: BTreeMap<&SubscriptionId, _> =
            status.stops.iter().map(|stop| (&stop.subscription, &stop.order)).collect();
        for id in desired.routes.keys() {
            let Consumer::Subscription(subscription) = &id.consumer else { continue };
            if let Some(order) = orders.get(subscription) {
                let why = format!("held off until {}: {} (ordered by {})", order.until, order.reason, order.by);
                self.stopped.insert(id, why);
            }
        }
    }

    pub(super) fn state(&self, id: &RouteId, path: &Path) -> RouteState {
        if self.stopped.contains_key(id) {
            RouteState::Stopped
        } else if !self.is_swept || scopes(path).any(|scope| self.unread.contains(scope)) {
            RouteState::Unread
        } else if self.wrong.contains_key(id) {
            RouteState::Drifted
        } else if self.held.contains_key(id) {
            RouteState::Held
        } else if self.waiting.contains_key(id) {
            RouteState::Waiting
        } else {
            RouteState::Delivering
        }
    }

    pub(super) fn why(&self, id: &RouteId, path: &Path, state: RouteState) -> Vec<String> {
        let steps = |steps: Option<&BTreeSet<String>>| steps.into_iter().flatten().take(WHY_MAX).cloned().collect();
        match state {
            RouteState::Delivering => Vec::new(),
            RouteState::Stopped => self.stopped.get(id).into_iter().cloned().collect(),
            RouteState::Unread if !self.is_swept => vec!["the first sweep is not done yet".to_owned()],
            RouteState::Unread => {
                let unread: BTreeSet<&Scope> = scopes(path).filter(|scope| self.unread.contains(scope)).collect();
                unread.into_iter().map(|scope| format!("scope {scope} is not read whole")).collect()
            }
            RouteState::Drifted => {
                let incidents = self.wrong.get(id).into_iter().flatten().take(WHY_MAX);
                incidents
                    .map(|incident| {
                        let concern = &incident.concern;
                        format!("incident {}: {} {}", incident.id, concern.code, concern.subject)
                    })
                    .collect()
            }
            RouteState::Held => steps(self.held.get(id)),
            RouteState::Waiting => steps(self.waiting.get(id)),
        }
    }
}

/// Reasons that are given at most.
const WHY_MAX: usize = 20;

/// The scopes that a route's resources are in.
pub(super) fn scopes(path: &Path) -> impl Iterator<Item = &Scope> {
    let forwards = path.forward_rules.iter().map(|rule| &rule.bus.scope);
    let destination = path.destination_bus.iter().map(|bus| &bus.scope);
    std::iter::once(&path.hub_bus.scope).chain(forwards).chain(destination)
}

/// The routes that need a resource, as the topology has them.
fn routes_on<'a>(desired: &'a Desired, resource: &ResourceId) -> Option<&'a BTreeSet<RouteId>> {
    match resource {
        ResourceId::Bus(bus) => desired.buses.get(bus).map(|wanted| &wanted.routes),
        ResourceId::Rule(rule) | ResourceId::Target(rule, _) => desired.rules.get(rule).map(|wanted| &wanted.routes),
        ResourceId::Grant(bus, statement) => {
            desired.grants.get(&(bus.clone(), statement.clone())).map(|wanted| &wanted.routes)
        }
        ResourceId::Archive(_) | ResourceId::Scope(_) => None,
    }
}
