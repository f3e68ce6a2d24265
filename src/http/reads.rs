//! What can be read: the daemon as it stands, and what is remembered.

use super::ask::{limit, name, number, parsed, query, time, truth};
use super::problem::{Problem, shortened};
use super::routes::route_counts;
use super::view::{self, Listed};
use super::{Shared, Surface};
use crate::daemon::Status;
use crate::daemon::status::ScopeState;
use crate::model::finding::FindingCode;
use crate::model::ids::{Scope, TeamName};
use crate::model::settings::FreezeHolds;
use crate::store::{IncidentFilter, WriteFilter};
use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::Uri;
use serde::Deserialize;
use std::sync::Arc;
use strum::IntoEnumIterator as _;

/// A query of nothing: what is given all the same is a mistake.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Nothing {}

pub(super) async fn status(State(surface): State<Shared>, uri: Uri) -> Result<Json<view::Status>, Problem> {
    query::<Nothing>(&uri)?;
    let status = surface.handle.status();
    Ok(Json(view::Status::of(&status, route_counts(&status))))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct ScopesQuery {
    state: Option<String>,
    limit: Option<String>,
}

pub(super) async fn scopes(State(surface): State<Shared>, uri: Uri) -> Result<Json<Listed<view::Scope>>, Problem> {
    let asked: ScopesQuery = query(&uri)?;
    let limit = limit(asked.limit.as_deref())?;
    let state = asked.state.as_deref().map(scope_state).transpose()?;
    let status = surface.handle.status();
    let chosen: Vec<_> =
        status.scopes.iter().filter(|(_, seen)| state.is_none_or(|state| seen.state == state)).collect();
    let account = |scope: &Scope| {
        let desired = status.desired.as_ref()?;
        desired.account_names.get(&scope.account).map(ToString::to_string)
    };
    let views = chosen.into_iter().map(|(scope, seen)| view::Scope::of(scope, seen, account(scope)));
    Ok(Json(Listed::first(views, limit)))
}

fn scope_state(text: &str) -> Result<ScopeState, Problem> {
    let found = ScopeState::iter().find(|state| <&str>::from(state) == text);
    found.ok_or_else(|| {
        let known: Vec<&str> = ScopeState::iter().map(Into::into).collect();
        Problem::bad_query(format!("state: `{}` is none of {}", shortened(text), known.join(", ")))
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct IncidentsQuery {
    open: Option<String>,
    team: Option<String>,
    scope: Option<String>,
    code: Option<String>,
    since: Option<String>,
    limit: Option<String>,
}

pub(super) async fn incidents(
    State(surface): State<Shared>,
    uri: Uri,
) -> Result<Json<Listed<view::Incident>>, Problem> {
    let asked: IncidentsQuery = query(&uri)?;
    let limit = limit(asked.limit.as_deref())?;
    let filter = IncidentFilter {
        open: truth("open", asked.open.as_deref())?,
        team: parsed::<TeamName>("team", asked.team.as_deref())?,
        scope: parsed::<Scope>("scope", asked.scope.as_deref())?,
        code: asked.code.as_deref().map(code).transpose()?,
        since: asked.since.as_deref().map(since).transpose()?,
        limit,
    };
    let found = surface.stored(move |store| store.incidents(&filter)).await?;
    let status = surface.handle.status();
    let items = found
        .iter()
        .map(|incident| view::Incident::of(incident, view::contact(&status, incident.concern.team.as_ref())));
    Ok(Json(Listed { items: items.collect(), total: None, next_before: None }))
}

fn code(text: &str) -> Result<FindingCode, Problem> {
    text.parse().map_err(|_| {
        let text = shortened(text);
        Problem::bad_query(format!("code: there is no code `{text}`; `wheelwright explain` lists them all"))
    })
}

fn since(text: &str) -> Result<crate::model::ids::Moment, Problem> {
    time(text).map_err(|why| Problem::bad_query(format!("since: {why}")))
}

pub(super) async fn incident(
    State(surface): State<Shared>,
    id: Result<Path<String>, PathRejection>,
) -> Result<Json<view::Incident>, Problem> {
    let Path(id) = id.map_err(|error| Problem::bad_query(shortened(&error.body_text())))?;
    let asked = id.clone();
    let found = surface.stored(move |store| store.incident(&asked)).await?;
    let incident = found.ok_or_else(|| {
        let id = shortened(&id);
        Problem::unknown(format!(
            "there is no incident `{id}`: it was never there, or is over for so long that it is forgotten"
        ))
    })?;
    let contact = view::contact(&surface.handle.status(), incident.concern.team.as_ref());
    Ok(Json(view::Incident::of(&incident, contact)))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct SweepsQuery {
    before: Option<String>,
    limit: Option<String>,
}

pub(super) async fn sweeps(State(surface): State<Shared>, uri: Uri) -> Result<Json<Listed<view::Sweep>>, Problem> {
    let asked: SweepsQuery = query(&uri)?;
    let limit = limit(asked.limit.as_deref())?;
    let before = number("before", asked.before.as_deref())?;
    let found = surface.stored(move |store| store.sweeps(limit, before)).await?;
    let views = found.iter().map(view::Sweep::from).collect();
    Ok(Json(Listed::page(views, limit, |sweep| sweep.id)))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct WritesQuery {
    resource: Option<String>,
    scope: Option<String>,
    sweep: Option<String>,
    since: Option<String>,
    before: Option<String>,
    limit: Option<String>,
}

pub(super) async fn writes(State(surface): State<Shared>, uri: Uri) -> Result<Json<Listed<view::Write>>, Problem> {
    let asked: WritesQuery = query(&uri)?;
    let limit = limit(asked.limit.as_deref())?;
    let filter = WriteFilter {
        resource: name("resource", asked.resource)?,
        scope: parsed::<Scope>("scope", asked.scope.as_deref())?,
        sweep: number("sweep", asked.sweep.as_deref())?,
        since: asked.since.as_deref().map(since).transpose()?,
        before: number("before", asked.before.as_deref())?,
        limit,
    };
    let found = surface.stored(move |store| store.writes(&filter)).await?;
    let views = found.iter().map(|(id, write)| view::Write::of(*id, write)).collect();
    Ok(Json(Listed::page(views, limit, |write| write.id)))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct LimitQuery {
    limit: Option<String>,
}

pub(super) async fn plan(State(surface): State<Shared>, uri: Uri) -> Result<Json<view::Plan>, Problem> {
    let asked: LimitQuery = query(&uri)?;
    let limit = limit(asked.limit.as_deref())?;
    let status = surface.handle.status();
    let plan = status.plan.as_ref().ok_or_else(unswept)?;
    Ok(Json(view::Plan::of(plan, limit)))
}

/// What is only known after the first sweep.
pub(super) fn unswept() -> Problem {
    Problem::unready("the first sweep is not done yet; /readyz says when it is")
}

pub(super) async fn orders(State(surface): State<Shared>, uri: Uri) -> Result<Json<view::Orders>, Problem> {
    let asked: LimitQuery = query(&uri)?;
    let limit = limit(asked.limit.as_deref())?;
    let log = surface.stored(move |store| store.orders_log(limit)).await?;
    let log = log.iter().map(view::LogEntry::from).collect();
    Ok(Json(surface.orders(&surface.handle.status(), log)))
}

impl Surface {
    fn orders(&self, status: &Arc<Status>, log: Vec<view::LogEntry>) -> view::Orders {
        let freeze = |frozen: &crate::plan::Frozen| view::Freeze {
            name: frozen.name.clone(),
            until: frozen.until.to_string(),
            reason: frozen.reason.clone(),
            holds: match frozen.holds {
                FreezeHolds::All => "all",
                FreezeHolds::Intent => "intent",
            },
        };
        let fight = |(resource, since): (&crate::model::resource::ResourceId, &crate::model::ids::Moment)| {
            view::Fight { resource: resource.to_string(), since: since.to_string() }
        };
        view::Orders {
            state_lost: status.state_lost,
            pauses: status.pauses.iter().map(|pause| view::Held::of(&pause.reach, &pause.order)).collect(),
            stops: status.stops.iter().map(|stop| view::Held::of(&stop.subscription, &stop.order)).collect(),
            freezes: status.freezes.iter().map(freeze).collect(),
            fights: status.fights.iter().map(fight).collect(),
            log,
        }
    }
}
