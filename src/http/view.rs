//! The shapes of what is answered: names as texts, times in UTC as RFC 3339 writes them, keys in kebab-case.
//!
//! They are this surface's own. `openapi.json` describes them, and a test holds the two together.

use crate::daemon::status::{ScopeStatus, Status as DaemonStatus};
use crate::model::desired::Revision as DesiredRevision;
use crate::model::finding::Severity;
use crate::model::history::{SweepRecord, WriteEnd, WriteRecord};
use crate::model::ids::{Moment, Scope as ScopeId, TeamName};
use crate::model::incident::{Incident as OpenIncident, Resolution};
use crate::model::order::Order;
use crate::model::plan::{Cause, Plan as WholePlan, Step as PlanStep};
use crate::model::topology::Origin as WrittenAt;
use crate::store::OrderEntry;
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;

#[derive(Serialize)]
pub(super) struct Health {
    pub(super) status: &'static str,
}

/// An order was taken.
#[derive(Serialize)]
pub(super) struct Done {
    pub(super) message: String,
}

/// A list of which there may be more.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Listed<T> {
    /// At most as many as were asked for.
    pub(super) items: Vec<T>,
    /// How many there are in all; null where they are not counted.
    pub(super) total: Option<usize>,
    /// What to give as `before` for the next page; null where there is none, or no pages.
    pub(super) next_before: Option<u64>,
}

impl<T> Listed<T> {
    /// The first `limit` of `all`.
    pub(super) fn first(all: impl ExactSizeIterator<Item = T>, limit: usize) -> Self {
        let total = Some(all.len());
        Self { items: all.take(limit).collect(), total, next_before: None }
    }

    /// A page of what the store has; `number` names a row of it.
    pub(super) fn page(items: Vec<T>, limit: usize, number: impl Fn(&T) -> u64) -> Self {
        let next_before = if items.len() < limit { None } else { items.last().map(number) };
        Self { items, total: None, next_before }
    }
}

#[derive(Clone, Serialize)]
pub(super) struct Origin {
    pub(super) file: String,
    pub(super) line: u32,
    pub(super) entry: String,
}

impl From<&WrittenAt> for Origin {
    fn from(origin: &WrittenAt) -> Self {
        let WrittenAt { file, line, entry } = origin;
        Self { file: file.to_string(), line: *line, entry: entry.to_string() }
    }
}

#[derive(Serialize)]
pub(super) struct Revision {
    pub(super) id: String,
    pub(super) sequence: u64,
}

impl From<&DesiredRevision> for Revision {
    fn from(revision: &DesiredRevision) -> Self {
        Self { id: revision.id.clone(), sequence: revision.sequence }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Status {
    version: &'static str,
    owner: Option<String>,
    started: String,
    at: String,
    ready: bool,
    revision: Option<Revision>,
    topology_refused: Option<String>,
    mode: Option<&'static str>,
    /// What set off the sweep that is under way.
    sweeping: Option<String>,
    last_sweep: Option<Sweep>,
    last_full: Option<String>,
    state_lost: bool,
    scopes: BTreeMap<&'static str, usize>,
    incidents: BTreeMap<&'static str, usize>,
    routes: BTreeMap<&'static str, usize>,
    plan: Option<PlanSummary>,
    settling: Option<Settling>,
    pauses: usize,
    stops: usize,
    freezes: usize,
    fights: usize,
}

#[derive(Serialize)]
struct PlanSummary {
    id: String,
    steps: usize,
    held: usize,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Settling {
    breaks: usize,
    first_ready: String,
}

impl Status {
    pub(super) fn of(status: &DaemonStatus, routes: BTreeMap<&'static str, usize>) -> Self {
        let config = status.config.as_deref();
        let mut incidents: BTreeMap<&'static str, usize> =
            [Severity::Info, Severity::Warning, Severity::Error].map(|severity| (severity.into(), 0)).into();
        for incident in &status.incidents {
            *incidents.entry(incident.severity().into()).or_default() += 1;
        }
        let plan = status.plan.as_ref().map(|plan| PlanSummary {
            id: plan.id.clone(),
            steps: plan.steps.len(),
            held: plan.steps.iter().filter(|step| !step.held_by.is_empty()).count(),
        });
        Self {
            version: env!("CARGO_PKG_VERSION"),
            owner: config.map(|config| config.settings.operator.owner.to_string()),
            started: status.started.to_string(),
            at: status.at.to_string(),
            ready: status.is_ready(),
            revision: config.map(|config| Revision::from(&config.revision)),
            topology_refused: status.topology_refused.clone(),
            mode: config.map(|config| config.settings.modes.default.into()),
            sweeping: status.sweeping.clone(),
            last_sweep: status.last_sweep.as_ref().map(Sweep::from),
            last_full: text(status.last_full),
            state_lost: status.state_lost,
            scopes: status.scope_counts(),
            incidents,
            routes,
            plan,
            settling: status.settling.map(|(breaks, at)| Settling { breaks, first_ready: at.to_string() }),
            pauses: status.pauses.len(),
            stops: status.stops.len(),
            freezes: status.freezes.len(),
            fights: status.fights.len(),
        }
    }
}

#[derive(Serialize)]
pub(super) struct Scope {
    scope: String,
    account: Option<String>,
    state: &'static str,
    at: Option<String>,
    why: Option<String>,
    next: Option<String>,
}

impl Scope {
    pub(super) fn of(scope: &ScopeId, status: &ScopeStatus, account: Option<String>) -> Self {
        let ScopeStatus { state, at, why, next } = status;
        Self {
            scope: scope.to_string(),
            account,
            state: state.into(),
            at: text(*at),
            why: why.clone(),
            next: text(*next),
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Incident {
    id: String,
    subject: String,
    scope: Option<String>,
    code: String,
    severity: &'static str,
    outcome: &'static str,
    detail: String,
    team: Option<String>,
    contact: Option<String>,
    origin: Option<Origin>,
    revision: String,
    opened: String,
    last_seen: String,
    count: u64,
    resolved: Option<Resolved>,
    /// The channels that it was told on.
    told: Vec<String>,
}

#[derive(Serialize)]
struct Resolved {
    at: String,
    how: &'static str,
}

/// How to reach a team, by the topology that stands.
pub(super) fn contact(status: &DaemonStatus, team: Option<&TeamName>) -> Option<String> {
    let team = status.config.as_ref()?.topology.teams.get(team?)?;
    Some(team.contact.clone())
}

impl Incident {
    pub(super) fn of(incident: &OpenIncident, contact: Option<String>) -> Self {
        let OpenIncident { id, concern, opened, last_seen, count, revision, resolved, by_fast: _, told } = incident;
        let resolved = resolved.map(|(at, how): (Moment, Resolution)| Resolved { at: at.to_string(), how: how.into() });
        Self {
            id: id.clone(),
            subject: concern.subject.to_string(),
            scope: concern.subject.scope().map(ToString::to_string),
            code: concern.code.to_string(),
            severity: incident.severity().into(),
            outcome: concern.outcome.into(),
            detail: concern.detail.clone(),
            team: concern.team.as_ref().map(ToString::to_string),
            contact,
            origin: concern.origin.as_ref().map(Origin::from),
            revision: revision.clone(),
            opened: opened.to_string(),
            last_seen: last_seen.to_string(),
            count: *count,
            resolved,
            told: told.keys().cloned().collect(),
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Sweep {
    pub(super) id: u64,
    trigger: String,
    full: bool,
    began: String,
    took_ms: u64,
    scopes_read: u64,
    scopes_unread: u64,
    revision: String,
    plan_id: Option<String>,
    findings: u64,
    done: u64,
    failed: u64,
    held: u64,
}

impl From<&SweepRecord> for Sweep {
    fn from(sweep: &SweepRecord) -> Self {
        let SweepRecord { id, trigger, full, began, took_ms, scopes_read, scopes_unread, revision, .. } = sweep.clone();
        let SweepRecord { plan_id, findings, done, failed, held, .. } = sweep.clone();
        Self {
            id,
            trigger,
            full,
            began: began.to_string(),
            took_ms,
            scopes_read,
            scopes_unread,
            revision,
            plan_id,
            findings,
            done,
            failed,
            held,
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Write {
    pub(super) id: u64,
    sweep: u64,
    at: String,
    resource: String,
    scope: String,
    step: String,
    cause: &'static str,
    codes: Vec<String>,
    before: Value,
    after: Value,
    end: &'static str,
    message: Option<String>,
    request_id: Option<String>,
    plan_id: String,
    revision: String,
    team: Option<String>,
    origin: Option<Origin>,
}

impl Write {
    pub(super) fn of(id: u64, write: &WriteRecord) -> Self {
        let end: WriteEnd = write.end;
        let json = |text: &str| serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned()));
        Self {
            id,
            sweep: write.sweep,
            at: write.at.to_string(),
            resource: write.resource.to_string(),
            scope: write.scope().to_string(),
            step: write.step.to_string(),
            cause: cause(write.cause),
            codes: write.codes.iter().map(ToString::to_string).collect(),
            before: json(&write.before),
            after: json(&write.after),
            end: end.into(),
            message: write.message.clone(),
            request_id: write.request_id.clone(),
            plan_id: write.plan_id.clone(),
            revision: write.revision.clone(),
            team: write.team.as_ref().map(ToString::to_string),
            origin: write.origin.as_ref().map(Origin::from),
        }
    }
}

fn cause(cause: Cause) -> &'static str {
    match cause {
        Cause::Intent => "intent",
        Cause::Drift => "drift",
    }
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Plan {
    id: String,
    revision: Revision,
    in_step: bool,
    routes: Vec<RouteChange>,
    holds: Vec<Hold>,
    steps: Listed<Step>,
}

#[derive(Serialize)]
struct RouteChange {
    route: String,
    effect: &'static str,
    detail: String,
    duplicates: bool,
}

#[derive(Serialize)]
struct Hold {
    guard: String,
    scope: Option<String>,
    reason: String,
    steps: usize,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Step {
    step: String,
    verb: &'static str,
    resource: String,
    kind: &'static str,
    cause: &'static str,
    codes: Vec<String>,
    /// What changes, line by line.
    diff: Vec<String>,
    after: Vec<String>,
    settles: bool,
    held_by: Vec<String>,
    routes: Vec<String>,
    team: Option<String>,
    origin: Option<Origin>,
}

impl Plan {
    pub(super) fn of(plan: &WholePlan, limit: usize) -> Self {
        let change = |change: &crate::model::plan::RouteChange| RouteChange {
            route: change.route.clone(),
            effect: change.effect.into(),
            detail: change.detail.clone(),
            duplicates: change.duplicates,
        };
        let hold = |hold: &crate::model::plan::Hold| Hold {
            guard: hold.guard.to_string(),
            scope: hold.scope.as_ref().map(ToString::to_string),
            reason: hold.reason.clone(),
            steps: hold.steps,
        };
        Self {
            id: plan.id.clone(),
            revision: Revision::from(&plan.revision),
            in_step: plan.in_step(),
            routes: plan.routes.iter().take(limit).map(change).collect(),
            holds: plan.holds.iter().take(limit).map(hold).collect(),
            steps: Listed::first(plan.steps.iter().map(Step::from), limit),
        }
    }
}

impl From<&PlanStep> for Step {
    fn from(step: &PlanStep) -> Self {
        Self {
            step: step.key().to_string(),
            verb: step.action.verb(),
            resource: step.action.resource().to_string(),
            kind: if step.is_break() { "break" } else { "make" },
            cause: cause(step.cause),
            codes: step.codes.iter().map(ToString::to_string).collect(),
            diff: step.detail.clone(),
            after: step.after.iter().map(ToString::to_string).collect(),
            settles: step.settles,
            held_by: step.held_by.iter().map(ToString::to_string).collect(),
            routes: step.routes.iter().map(ToString::to_string).collect(),
            team: step.team.as_ref().map(ToString::to_string),
            origin: step.origin.as_ref().map(Origin::from),
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Orders {
    pub(super) state_lost: bool,
    pub(super) pauses: Vec<Held>,
    pub(super) stops: Vec<Held>,
    pub(super) freezes: Vec<Freeze>,
    pub(super) fights: Vec<Fight>,
    pub(super) log: Vec<LogEntry>,
}

/// A pause or a stop.
#[derive(Serialize)]
pub(super) struct Held {
    what: String,
    since: String,
    until: String,
    reason: String,
    by: String,
}

impl Held {
    pub(super) fn of(what: &impl ToString, order: &Order) -> Self {
        let Order { since, until, reason, by } = order;
        Self {
            what: what.to_string(),
            since: since.to_string(),
            until: until.to_string(),
            reason: reason.clone(),
            by: by.clone(),
        }
    }
}

#[derive(Serialize)]
pub(super) struct Freeze {
    pub(super) name: String,
    pub(super) until: String,
    pub(super) reason: String,
    pub(super) holds: &'static str,
}

#[derive(Serialize)]
pub(super) struct Fight {
    pub(super) resource: String,
    pub(super) since: String,
}

#[derive(Serialize)]
pub(super) struct LogEntry {
    at: String,
    what: String,
    by: String,
    reason: String,
}

impl From<&OrderEntry> for LogEntry {
    fn from(entry: &OrderEntry) -> Self {
        let OrderEntry { at, what, by, reason } = entry.clone();
        Self { at: at.to_string(), what, by, reason }
    }
}

/// A time that may not be there.
pub(super) fn text(moment: Option<Moment>) -> Option<String> {
    moment.map(|moment| moment.to_string())
}
