//! Desired state: every AWS resource that the topology implies, each with the place that asked for it.

use super::ids::{AccountId, AccountName, Owner, Scope, TeamName};
use super::mark::{Digest, Label};
use super::resource::{ArchiveId, ArchiveSpec, BusId, BusSpec, Grantee, ResourceId, RuleId, RuleSpec};
use super::route::{Route, RouteId};
use super::settings::Released;
use super::topology::{Kept, Origin, Stop};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

/// Which topology this is. `sequence` orders topologies: whoever meets a mark with a higher one than its own
/// writes nothing (finding `superseded`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Revision {
    /// A name for it: a commit, or a digest of the files.
    pub id: String,
    /// Its place in the order: seconds since 1970-01-01T00:00:00Z of the commit, or of the newest file.
    pub sequence: u64,
}

/// A resource that the topology asks for.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Wanted<T> {
    /// What it should be.
    pub spec: T,
    /// Which entry asked for it.
    pub origin: Origin,
    /// The team that it is for; none for the hub's own.
    pub team: Option<TeamName>,
    /// The routes that need it.
    pub routes: BTreeSet<RouteId>,
    #[serde(skip)]
    label: KeptLabel,
}

impl<T> Wanted<T> {
    /// `spec`, as `origin` asks for it on behalf of `team`, for these `routes`.
    pub fn new(spec: T, origin: Origin, team: Option<TeamName>, routes: BTreeSet<RouteId>) -> Self {
        Self { spec, origin, team, routes, label: KeptLabel::default() }
    }
}

impl<T: Digested> Wanted<T> {
    /// What marks say of it as the thing that it is in its topology, `resource`: worked out when it is first asked for. Who changes a
    /// `spec` changes a clone, which works it out anew.
    pub fn label(&self, resource: impl FnOnce() -> ResourceId) -> Label {
        *self.label.0.get_or_init(|| {
            let resource = resource();
            Label::new(&resource, self.spec.digest(&resource))
        })
    }
}

/// A label that was worked out, or not yet. It says nothing that the spec does not say.
#[derive(Debug, Default)]
struct KeptLabel(OnceLock<Label>);

impl Clone for KeptLabel {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl PartialEq for KeptLabel {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

/// Every resource that a topology implies.
#[derive(Clone, Debug, PartialEq)]
pub struct Desired {
    /// Whose marks we write and obey.
    pub owner: Owner,
    /// Which topology it is.
    pub revision: Revision,
    /// What the roster calls each account.
    pub account_names: BTreeMap<AccountId, AccountName>,
    /// Every scope to sweep: where something is wanted, and where the roster's accounts could still bear our marks.
    pub scopes: BTreeSet<Scope>,
    /// Scopes in accounts with `access = "none"`: never read, never written.
    pub no_access: BTreeSet<Scope>,
    /// The buses that the topology names, but for default buses: those are never made, and show only as the buses
    /// of rules and grants.
    pub buses: BTreeMap<BusId, Wanted<BusSpec>>,
    /// The statements, by bus and statement id.
    pub grants: BTreeMap<(BusId, String), Wanted<Grantee>>,
    /// The rules with their targets. Those in a scope of `no_access`, like grants and buses there, are what the
    /// account's people have to add themselves.
    pub rules: BTreeMap<RuleId, Wanted<RuleSpec>>,
    /// Who puts events on a hub's bus with calls of its own: nothing is written for it but the grant on the bus.
    pub publishers: BTreeMap<(BusId, AccountId), Wanted<PublisherSpec>>,
    /// The archives.
    pub archives: BTreeMap<ArchiveId, Wanted<ArchiveSpec>>,
    /// The paths that these make up.
    pub routes: BTreeMap<RouteId, Route>,
    /// Rules, policy characters and the like that AWS allows, where they are not the defaults.
    pub quotas: BTreeMap<BusId, super::topology::HubQuotas>,
    /// The routes that are held off, or were until lately.
    pub stops: Vec<StoppedRoute>,
    /// What stays as it is because a file has errors (promise 3).
    pub kept: Kept,
    /// Buses on which whoever others' statements let in counts as let in.
    pub kept_grants: BTreeSet<BusId>,
    /// What another tool keeps and may be taken over all the same.
    pub released: Released,
}

/// What an account puts on a hub's bus itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct PublisherSpec {
    /// The `source`s of its events.
    pub sources: BTreeSet<String>,
}

/// A route that is held off, or was: its rule is disabled until the time comes, target and grant stay.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StoppedRoute {
    /// The route.
    pub route: RouteId,
    /// The rule that is disabled.
    pub rule: RuleId,
    /// Whose subscription it is.
    pub team: TeamName,
    /// Why, until when, and where it was written.
    pub stop: Stop,
    /// Whether the time has not come yet.
    pub is_active: bool,
}

impl Desired {
    /// Whether the topology asks for nothing at all: then nothing is taken away either (promise 3).
    pub fn is_empty(&self) -> bool {
        self.buses.is_empty() && self.rules.is_empty() && self.grants.is_empty() && self.archives.is_empty()
    }

    /// Where `resource` was asked for, if it was.
    pub fn origin(&self, resource: &ResourceId) -> Option<&Origin> {
        match resource {
            ResourceId::Bus(bus) => self.buses.get(bus).map(|wanted| &wanted.origin),
            ResourceId::Grant(bus, statement) => {
                self.grants.get(&(bus.clone(), statement.clone())).map(|wanted| &wanted.origin)
            }
            ResourceId::Rule(rule) | ResourceId::Target(rule, _) => self.rules.get(rule).map(|wanted| &wanted.origin),
            ResourceId::Archive(archive) => self.archives.get(archive).map(|wanted| &wanted.origin),
            ResourceId::Scope(_) => None,
        }
    }
}

/// What a wanted resource's mark says of it: a digest over its identity and its spec.
pub trait Digested {
    /// The digest.
    fn digest(&self, resource: &ResourceId) -> Digest;
}
