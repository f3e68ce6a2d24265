//! Why a live thing is as it is: who asked for it, where, what was last written to it, and what is wrong with it.
//!
//! A thing is found by its ARN, by its name, or by `team.subscription`; what nobody asks for is found as well, if it was seen.

use super::Shared;
use super::ask::{name, query};
use super::problem::{Problem, shortened};
use super::reads::unswept;
use super::view::{Incident, Origin, Revision, Write, contact};
use crate::daemon::Status;
use crate::model::desired::{Desired, Wanted};
use crate::model::ids::{PublicationId, SubscriptionId, TeamName};
use crate::model::mark::Mark;
use crate::model::resource::{ArchiveId, BusId, ResourceId, RuleId};
use crate::model::route::{Consumer, RouteId};
use crate::model::world::{Observation, World};
use crate::store::WriteFilter;
use axum::Json;
use axum::extract::State;
use axum::http::Uri;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Things that one answer tells of.
const MATCHES_MAX: usize = 20;
/// Writes that are told of each.
const WRITES_MAX: usize = 5;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WhyQuery {
    what: Option<String>,
}

#[derive(Serialize)]
pub(super) struct Why {
    what: String,
    /// The topology that stands: where `origin` counts.
    revision: Option<Revision>,
    matches: Vec<Match>,
    total: usize,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Match {
    resource: String,
    arn: Option<String>,
    /// Whether the topology asks for it.
    wanted: bool,
    origin: Option<Origin>,
    team: Option<String>,
    contact: Option<String>,
    routes: Vec<String>,
    mark: Option<LiveMark>,
    /// What is there, as it was last read; null if it is not there or its scope was not read.
    live: Option<Value>,
    observed: Option<String>,
    incidents: Vec<Incident>,
    last_writes: Vec<Write>,
}

#[derive(Serialize)]
struct LiveMark {
    owner: String,
    sequence: u64,
}

pub(super) async fn why(State(surface): State<Shared>, uri: Uri) -> Result<Json<Why>, Problem> {
    let WhyQuery { what } = query(&uri)?;
    let what = name("what", what)?.ok_or_else(|| Problem::bad_query("what: an ARN, a name or team.subscription"))?;
    let status = surface.handle.status();
    let desired = status.desired.clone().ok_or_else(unswept)?;
    let found = find(&what, &desired, &status.world);
    if found.is_empty() {
        let message = format!(
            "there is no `{}`, neither asked for nor seen; give an ARN, the name of a rule, bus, grant, target or archive, or \
             team.subscription",
            shortened(&what)
        );
        return Err(Problem::unknown(message));
    }
    let total = found.len();
    let mut matches = Vec::new();
    for resource in found.into_iter().take(MATCHES_MAX) {
        let filter = WriteFilter { resource: Some(resource.to_string()), limit: WRITES_MAX, ..WriteFilter::default() };
        let writes = surface.stored(move |store| store.writes(&filter)).await?;
        let mut told = told(&resource, &status, &desired);
        // The store finds names with this in them, as of a rule whose name is longer.
        let of_it = writes.iter().filter(|(_, write)| write.resource == resource);
        told.last_writes = of_it.map(|(id, write)| Write::of(*id, write)).collect();
        matches.push(told);
    }
    Ok(Json(Why { what, revision: Some(Revision::from(&desired.revision)), matches, total }))
}

/// Everything that `what` may mean: what is wanted first, then what was only seen.
fn find(what: &str, desired: &Desired, world: &World) -> Vec<ResourceId> {
    let mut found = Vec::new();
    let mut add = |resource: ResourceId| {
        if !found.contains(&resource) && found.len() < CANDIDATES_MAX {
            found.push(resource);
        }
    };
    for rule in desired.rules.keys().filter(|rule| route_names(what, desired, rule)) {
        add(ResourceId::Rule(rule.clone()));
    }
    let fits = |resource: &ResourceId| is_named(what, resource);
    wanted(desired).filter(fits).for_each(&mut add);
    for (rule, wanted) in &desired.rules {
        let meant = wanted.spec.targets.iter().filter(|(id, target)| *id == what || target.arn == what);
        for (id, _) in meant {
            add(ResourceId::Target(rule.clone(), id.clone()));
        }
    }
    seen(world).filter(fits).for_each(&mut add);
    found
}

/// Matches that are counted at most.
const CANDIDATES_MAX: usize = 1_000;

/// Whether a rule serves the subscription or the publication of this name.
fn route_names(what: &str, desired: &Desired, rule: &RuleId) -> bool {
    let subscription = what.parse::<SubscriptionId>().ok();
    let publication = what.parse::<PublicationId>().ok();
    if subscription.is_none() && publication.is_none() {
        return false;
    }
    let named = |route: &RouteId| {
        matches!((&route.consumer, &subscription), (Consumer::Subscription(own), Some(asked)) if own == asked)
            || (publication.is_some() && route.publication == publication)
    };
    desired.rules.get(rule).is_some_and(|wanted| wanted.routes.iter().any(named))
}

fn wanted(desired: &Desired) -> impl Iterator<Item = ResourceId> {
    let buses = desired.buses.keys().map(|bus| ResourceId::Bus(bus.clone()));
    let rules = desired.rules.keys().map(|rule| ResourceId::Rule(rule.clone()));
    let grants = desired.grants.keys().map(|(bus, statement)| ResourceId::Grant(bus.clone(), statement.clone()));
    let archives = desired.archives.keys().map(|archive| ResourceId::Archive(archive.clone()));
    buses.chain(rules).chain(grants).chain(archives)
}

fn seen(world: &World) -> impl Iterator<Item = ResourceId> {
    let views = world.scopes.iter().filter_map(|(scope, seen)| Some((scope, seen.view()?)));
    views.flat_map(|(scope, view)| {
        let archives = view
            .archives
            .keys()
            .map(|name| ResourceId::Archive(ArchiveId { scope: scope.clone(), name: name.clone() }));
        let on_buses = view.buses.iter().flat_map(|(name, live)| {
            let bus = BusId { scope: scope.clone(), name: name.clone() };
            let rule_on = bus.clone();
            let rules = live
                .rules
                .keys()
                .map(move |name| ResourceId::Rule(RuleId { bus: rule_on.clone(), name: name.clone() }));
            let granted_on = bus.clone();
            let statements = live.policy.iter().flatten().flat_map(|policy| &policy.statements);
            let grants = statements
                .filter_map(move |statement| Some(ResourceId::Grant(granted_on.clone(), statement.sid.clone()?)));
            std::iter::once(ResourceId::Bus(bus)).chain(rules).chain(grants)
        });
        archives.chain(on_buses)
    })
}

/// Whether `what` is the thing's ARN, its name, or how findings and plans print it.
fn is_named(what: &str, resource: &ResourceId) -> bool {
    if what.starts_with("arn:") {
        return arn(resource).is_some_and(|arn| arn == what);
    }
    let name = match resource {
        ResourceId::Bus(bus) => &bus.name,
        ResourceId::Rule(rule) => &rule.name,
        ResourceId::Grant(_, statement) => statement,
        ResourceId::Target(_, id) => id,
        ResourceId::Archive(archive) => &archive.name,
        ResourceId::Scope(_) => return false,
    };
    if name == what {
        return true;
    }
    // Every printed name has the scope's stroke in it.
    what.contains('/') && {
        let printed = resource.to_string();
        printed == what || printed.split_once(' ').is_some_and(|(_, rest)| rest == what)
    }
}

fn arn(resource: &ResourceId) -> Option<String> {
    match resource {
        ResourceId::Bus(bus) => Some(bus.arn()),
        ResourceId::Rule(rule) => Some(rule.arn()),
        ResourceId::Archive(ArchiveId { scope, name }) => {
            let account = scope.account.to_string();
            Some(crate::eventbridge::Arn::archive(scope.region.as_str(), &account, name).to_string())
        }
        ResourceId::Grant(..) | ResourceId::Target(..) | ResourceId::Scope(_) => None,
    }
}

fn told(resource: &ResourceId, status: &Status, desired: &Desired) -> Match {
    let asked = Asked::of(resource, desired);
    let observed = status.world.scopes.get(resource.scope()).and_then(|seen| match seen {
        Observation::Complete { at, .. } | Observation::Partial { at, .. } => Some(at.to_string()),
        Observation::Unreachable { .. } | Observation::NoAccess => None,
    });
    let (live, mark) = live(resource, &status.world);
    let incidents = status
        .incidents
        .iter()
        .filter(|incident| incident.concern.subject.resource() == Some(resource))
        .map(|incident| Incident::of(incident, contact(status, incident.concern.team.as_ref())));
    Match {
        resource: resource.to_string(),
        arn: arn(resource),
        wanted: asked.is_some(),
        origin: desired.origin(resource).map(Origin::from),
        team: asked.as_ref().and_then(|asked| asked.team.as_ref().map(ToString::to_string)),
        contact: contact(status, asked.as_ref().and_then(|asked| asked.team.as_ref())),
        routes: asked.iter().flat_map(|asked| asked.routes.iter().map(ToString::to_string)).collect(),
        mark: mark.map(|mark| LiveMark { owner: mark.owner.to_string(), sequence: mark.sequence }),
        live,
        observed,
        incidents: incidents.collect(),
        last_writes: Vec::new(),
    }
}

/// What the topology says of a thing.
struct Asked {
    team: Option<TeamName>,
    routes: BTreeSet<RouteId>,
}

impl Asked {
    fn of(resource: &ResourceId, desired: &Desired) -> Option<Self> {
        match resource {
            ResourceId::Bus(bus) => desired.buses.get(bus).map(Self::from),
            ResourceId::Rule(rule) | ResourceId::Target(rule, _) => desired.rules.get(rule).map(Self::from),
            ResourceId::Grant(bus, statement) => desired.grants.get(&(bus.clone(), statement.clone())).map(Self::from),
            ResourceId::Archive(archive) => desired.archives.get(archive).map(Self::from),
            ResourceId::Scope(_) => None,
        }
    }
}

impl<T> From<&Wanted<T>> for Asked {
    fn from(wanted: &Wanted<T>) -> Self {
        Self { team: wanted.team.clone(), routes: wanted.routes.clone() }
    }
}

/// What is there, and our mark on it.
fn live(resource: &ResourceId, world: &World) -> (Option<Value>, Option<Mark>) {
    match resource {
        ResourceId::Bus(id) => world.bus(id).map_or((None, None), |bus| {
            let text = Mark::read(&bus.description).0;
            let statements = bus.policy.as_ref().and_then(|policy| policy.as_ref().ok());
            let value = json!({
                "description": text,
                "rules": bus.rules.len(),
                "statements": statements.map(|policy| policy.statements.len()),
            });
            (Some(value), bus.mark(id))
        }),
        ResourceId::Rule(id) => world.rule(id).map_or((None, None), |rule| {
            let targets = rule.targets.as_ref().map(|targets| {
                targets.iter().map(|(id, target)| json!({"id": id, "arn": target.spec.arn})).collect::<Vec<_>>()
            });
            let value = json!({
                "description": Mark::read(&rule.description).0,
                "state": rule.state,
                "pattern": rule.pattern.as_ref().map(|pattern| &pattern.text),
                "managed-by": rule.managed_by,
                "targets": targets,
            });
            (Some(value), rule.mark(id))
        }),
        ResourceId::Target(rule, id) => {
            let target = world.rule(rule).and_then(|rule| rule.targets.as_ref()?.get(id));
            let value = target.map(|target| {
                json!({"arn": target.spec.arn, "role": target.spec.role_arn, "dead-letter": target.spec.dead_letter_arn})
            });
            (value, None)
        }
        ResourceId::Grant(bus, statement) => {
            let policy = world.bus(bus).and_then(|bus| bus.policy.as_ref()?.as_ref().ok());
            (
                policy
                    .and_then(|policy| policy.statement(statement))
                    .map(crate::eventbridge::policy::Statement::to_value),
                None,
            )
        }
        ResourceId::Archive(ArchiveId { scope, name }) => {
            let archive = world.view(scope).and_then(|view| view.archives.get(name));
            let value = archive.map(|archive| {
                json!({"description": Mark::read(&archive.spec.description).0, "state": archive.state,
                       "retention-days": archive.spec.retention_days, "source": archive.spec.source.to_string()})
            });
            let mark = archive.and_then(|archive| Mark::on(&archive.spec.description, resource));
            (value, mark)
        }
        ResourceId::Scope(_) => (None, None),
    }
}
