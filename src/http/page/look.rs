//! What the pages show, looked up once for a request: every route with how it stands, and the names of things.

use super::super::routes::{RouteState, Standing};
use crate::daemon::Status;
use crate::model::desired::Desired;
use crate::model::finding::FindingCode;
use crate::model::ids::{AccountId, Scope, TeamName};
use crate::model::incident::Incident;
use crate::model::plan::Step;
use crate::model::resource::ResourceId;
use crate::model::route::{Consumer, Route, RouteId};
use crate::model::topology::Topology;
use crate::report::scope_name;
use std::collections::{BTreeMap, BTreeSet};

/// A route and how it stands.
pub(super) struct Row<'a> {
    pub(super) id: &'a RouteId,
    pub(super) path: &'a Route,
    pub(super) state: RouteState,
    /// The `source` of its events; empty for an audit, which takes all.
    pub(super) source: &'a str,
}

impl<'a> Row<'a> {
    /// The teams that it concerns: who publishes and who takes.
    pub(super) fn teams(&self) -> impl Iterator<Item = &'a str> {
        let takes = match &self.id.consumer {
            Consumer::Subscription(subscription) => Some(subscription.team.as_str()),
            Consumer::Audit(_) => None,
        };
        takes.into_iter().chain(self.id.publication.iter().map(|publication| publication.team.as_str()))
    }
}

/// The daemon's status, ready to be shown.
pub(super) struct Look<'a> {
    pub(super) status: &'a Status,
    pub(super) desired: &'a Desired,
    pub(super) topology: &'a Topology,
    pub(super) standing: Standing<'a>,
    pub(super) rows: Vec<Row<'a>>,
    by_resource: BTreeMap<&'a ResourceId, Vec<&'a Incident>>,
    steps: BTreeMap<ResourceId, Vec<&'a Step>>,
    unread: BTreeSet<&'a Scope>,
}

/// How one thing stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Thing<'a> {
    /// As it was asked for.
    Right,
    /// Its scope was not read whole.
    Unread,
    /// Something is found.
    Found(&'a Incident),
    /// A step of the plan is to make or change it, and is held.
    Held,
    /// A step of the plan is to make or change it.
    Waiting,
    /// It is a partner's: never read.
    Partners,
}

impl<'a> Look<'a> {
    /// None before a topology was good.
    pub(super) fn at(status: &'a Status) -> Option<Self> {
        let desired = status.desired.as_deref()?;
        let topology = &status.config.as_ref()?.topology;
        let standing = Standing::of(status, desired);
        let rows = desired
            .routes
            .iter()
            .map(|(id, path)| {
                let publication = id.publication.as_ref();
                let publication = publication
                    .and_then(|publication| topology.teams.get(&publication.team)?.publications.get(publication));
                let source = publication.map_or("", |publication| publication.source.as_str());
                Row { id, path, state: standing.state(id, path), source }
            })
            .collect();
        let mut by_resource: BTreeMap<&ResourceId, Vec<&Incident>> = BTreeMap::new();
        for incident in &status.incidents {
            if let Some(resource) = incident.concern.subject.resource() {
                by_resource.entry(resource).or_default().push(incident);
            }
        }
        let mut steps: BTreeMap<ResourceId, Vec<&Step>> = BTreeMap::new();
        for step in status.plan.iter().flat_map(|plan| &plan.steps) {
            steps.entry(step.action.resource()).or_default().push(step);
        }
        Some(Self { status, desired, topology, standing, rows, by_resource, steps, unread: status.unread() })
    }

    /// How a thing stands.
    pub(super) fn thing(&self, resource: &ResourceId) -> Thing<'a> {
        if self.desired.no_access.contains(resource.scope()) {
            return Thing::Partners;
        }
        if self.status.plan.is_none() || self.unread.contains(resource.scope()) {
            return Thing::Unread;
        }
        if let Some(incident) = self.incidents(resource).next() {
            return Thing::Found(incident);
        }
        match self.steps.get(resource) {
            None => Thing::Right,
            Some(steps) if steps.iter().any(|step| !step.held_by.is_empty()) => Thing::Held,
            Some(_) => Thing::Waiting,
        }
    }

    /// What is wrong with a thing, the worst first.
    pub(super) fn incidents(&self, resource: &ResourceId) -> impl Iterator<Item = &'a Incident> {
        let mut found: Vec<&Incident> = self.by_resource.get(resource).into_iter().flatten().copied().collect();
        found.sort_by_key(|incident| std::cmp::Reverse(incident.severity()));
        found.into_iter()
    }

    /// Whether a scope was read to its end.
    pub(super) fn is_unread(&self, scope: &Scope) -> bool {
        self.unread.contains(scope)
    }

    /// Buses and archives of ours that nobody asks for any more.
    pub(super) fn orphans(&self) -> impl Iterator<Item = (&'a ResourceId, &'a Incident)> {
        let orphaned = |incident: &&'a Incident| incident.concern.code == FindingCode::Orphaned;
        self.status
            .incidents
            .iter()
            .filter(orphaned)
            .filter_map(|incident| Some((incident.concern.subject.resource()?, incident)))
    }

    /// An account as the roster calls it.
    pub(super) fn account(&self, account: AccountId) -> String {
        self.desired.account_names.get(&account).map_or_else(|| account.to_string(), ToString::to_string)
    }

    /// A scope as people call it.
    pub(super) fn scope(&self, scope: &Scope) -> String {
        scope_name(scope, &self.desired.account_names)
    }

    /// How to reach a team.
    pub(super) fn contact(&self, team: &TeamName) -> Option<&'a str> {
        self.topology.teams.get(team).map(|team| team.contact.as_str())
    }

    /// The row of a route.
    pub(super) fn row(&self, id: &RouteId) -> Option<&Row<'a>> {
        self.rows.iter().find(|row| row.id == id)
    }
}
