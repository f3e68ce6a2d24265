//! What differs between desired and live, whose it is, and the step that would mend each difference.
//!
//! Buses and archives are here; statements are in `grants`, rules and targets in `rules`.

use super::own::{self, Ownership};
use super::replaced::RouteIndex;
use super::{buses, grants, kept, rules};
use crate::model::desired::{Desired, StoppedRoute, Wanted};
use crate::model::finding::{Finding, FindingCode, Outcome};
use crate::model::ids::{AccountId, Moment, Scope, TeamName};
use crate::model::mark::{Mark, archive_prefix};
use crate::model::plan::{Action, Cause, Guard, Hold, PlanSettings, Seen, Step, StepKind};
use crate::model::resource::{ArchiveId, ArchiveSpec, BusId, ResourceId};
use crate::model::route::{Route, RouteId};
use crate::model::topology::Origin;
use crate::model::world::{LiveArchive, Observation, World};
use std::collections::{BTreeMap, BTreeSet};

/// What the difference comes to, before order and guards.
#[derive(Default)]
pub(super) struct Draft {
    pub(super) steps: Vec<Step>,
    pub(super) holds: Vec<Hold>,
    pub(super) findings: Vec<Finding>,
}

/// What every part of the diff looks at and adds to.
pub(super) struct Diff<'a> {
    pub(super) desired: &'a Desired,
    pub(super) world: &'a World,
    /// This topology, or one of its sequence, was applied here before: what is missing now was taken away.
    applied_before: bool,
    /// Whether the hubs tell of a newer topology: then the plan is held as a whole.
    is_superseded: bool,
    /// Breaks that lack evidence, by the scopes that were not read, to be told once each.
    unproven: BTreeMap<Scope, usize>,
    settings: &'a PlanSettings,
    now: Moment,
    /// What live rules may carry of the topology's routes.
    pub(super) index: RouteIndex,
    /// Scopes that refused us and where nothing is asked for.
    pub(super) idle: BTreeSet<Scope>,
    draft: Draft,
}

/// Who asked for a step, and what it serves.
#[derive(Clone, Default)]
pub(super) struct Asked {
    pub(super) routes: BTreeSet<RouteId>,
    pub(super) team: Option<TeamName>,
    pub(super) origin: Option<Origin>,
}

impl Asked {
    pub(super) fn by<T>(wanted: &Wanted<T>) -> Self {
        Self { routes: wanted.routes.clone(), team: wanted.team.clone(), origin: Some(wanted.origin.clone()) }
    }
}

/// Why a step is there and what was found, without the parts that every step has.
pub(super) struct Change {
    pub(super) action: Action,
    pub(super) seen: Seen,
    pub(super) cause: Cause,
    pub(super) codes: BTreeSet<FindingCode>,
    pub(super) held_by: Option<Guard>,
    pub(super) detail: Vec<String>,
}

/// Whether what stands on a wanted bus can be planned.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Footing {
    /// It is there and ours, or it is a default bus.
    There,
    /// A step makes it (or takes it over) first.
    Made,
    /// It was not read, is not ours, or is a partner's: nothing on it is planned.
    None,
}

pub(super) fn diff(desired: &Desired, world: &World, settings: &PlanSettings, now: Moment) -> Draft {
    let newest = own::newest_sequence(desired, world);
    let sequence = Some(desired.revision.sequence);
    let mut diff = Diff {
        desired,
        world,
        applied_before: newest >= sequence,
        is_superseded: newest > sequence,
        unproven: BTreeMap::new(),
        settings,
        now,
        index: RouteIndex::of(desired),
        idle: idle_scopes(desired, world),
        draft: Draft::default(),
    };
    diff.scopes();
    let mut footing = BTreeMap::new();
    for (bus, wanted) in &desired.buses {
        footing.insert(bus.clone(), buses::bus(&mut diff, bus, wanted));
    }
    // Default buses are never made, and so are none of the topology's buses.
    let bearing = desired.rules.keys().map(|rule| &rule.bus).chain(desired.grants.keys().map(|(bus, _)| bus));
    for bus in bearing.filter(|bus| bus.is_default()) {
        let there = !desired.no_access.contains(&bus.scope) && world.bus(bus).is_some();
        footing.insert(bus.clone(), if there { Footing::There } else { Footing::None });
    }
    rules::diff(&mut diff, &footing);
    grants::diff(&mut diff, &footing);
    for (archive, wanted) in &desired.archives {
        diff.archive(archive, wanted, &footing);
    }
    diff.orphans();
    kept::tell(&mut diff);
    diff.stops();
    diff.tell_unproven();
    diff.draft
}

impl Diff<'_> {
    pub(super) fn find(
        &mut self,
        resource: ResourceId,
        code: FindingCode,
        outcome: Outcome,
        detail: String,
        asked: &Asked,
    ) {
        let Asked { team, origin, .. } = asked.clone();
        self.draft.findings.push(Finding { resource, code, outcome, detail, team, origin });
    }

    /// Whether a newer topology wrote what bears `mark`. Where the hubs tell of none (one was not read, or a newer topology has a hub
    /// that this one does not know), what it wrote elsewhere tells by itself, and an older one leaves that alone.
    pub(super) fn is_newer(&self, mark: Option<&Mark>) -> bool {
        let Desired { owner, revision, .. } = self.desired;
        !self.is_superseded && mark.is_some_and(|mark| mark.owner == *owner && mark.sequence > revision.sequence)
    }

    /// What a newer topology wrote stays as it is.
    pub(super) fn left_to_newer(&mut self, resource: ResourceId, asked: &Asked) {
        let detail = format!("a topology newer than this one (sequence {}) wrote it", self.desired.revision.sequence);
        self.find(resource, FindingCode::Superseded, Outcome::Left, detail, asked);
    }

    /// Why something that should be there is not: taken away, or never made.
    pub(super) fn missing_cause(&self, scope: &Scope) -> Cause {
        let was_there = self.applied_before || self.world.had_all_of(&self.desired.revision, scope);
        if was_there { Cause::Drift } else { Cause::Intent }
    }

    /// Adds a step that makes or sets something.
    pub(super) fn make(&mut self, change: Change, asked: &Asked) {
        self.push(change, StepKind::Make, asked);
    }

    /// Adds a step that takes something away, if there is evidence for it: its own scope and those of the routes
    /// that stay and are replaced, all read to the end and lately.
    pub(super) fn take_away(&mut self, change: Change, asked: &Asked) {
        self.take_away_resting_on(BTreeSet::new(), change, asked);
    }

    /// The same, if these `scopes` were read to the end as well.
    pub(super) fn take_away_resting_on(&mut self, mut scopes: BTreeSet<Scope>, change: Change, asked: &Asked) {
        scopes.insert(change.action.scope());
        // What brings events to the hub is touched where a hub's rule is to take other accounts' events alone.
        let narrows = matches!(&change.action, Action::PutRule { .. });
        for route in asked.routes.iter().filter_map(|id| self.desired.routes.get(id)) {
            let forwards = route.forward_rules.iter().map(|rule| &rule.bus.scope).filter(|_| narrows);
            let through = route_scopes(route).chain(forwards);
            scopes.extend(through.filter(|scope| !self.desired.no_access.contains(*scope)).cloned());
        }
        match self.world.evidence(scopes, self.now, self.settings.fresh_ms_max) {
            Ok(evidence) => self.push(change, StepKind::Break(evidence), asked),
            Err(lacking) => {
                let resource = change.action.resource();
                for code in change.codes {
                    self.find(resource.clone(), code, Outcome::Waiting, change.detail.join("; "), asked);
                }
                for scope in lacking {
                    *self.unproven.entry(scope).or_default() += 1;
                }
            }
        }
    }

    fn push(&mut self, change: Change, kind: StepKind, asked: &Asked) {
        let Change { action, seen, cause, codes, held_by, detail } = change;
        let Asked { routes, team, origin } = asked.clone();
        let settles = matches!(kind, StepKind::Break(_)) && !routes.is_empty();
        let after = BTreeSet::new();
        self.draft.steps.push(Step {
            action,
            seen,
            kind,
            cause,
            codes,
            after,
            settles,
            held_by: held_by.into_iter().collect(),
            detail,
            routes,
            team,
            origin,
        });
    }

    /// What could not be read, one finding a scope.
    fn scopes(&mut self) {
        for (scope, observation) in &self.world.scopes {
            let detail = match observation {
                Observation::Complete { .. } | Observation::NoAccess => continue,
                Observation::Unreachable { why, .. } => format!("not read at all: {why}; {}", why.mend),
                Observation::Partial { missing, .. } => {
                    let gaps: Vec<String> = missing.iter().map(|gap| format!("{gap}; {}", gap.mend)).collect();
                    format!("not read whole: {}", gaps.join(" / "))
                }
            };
            let (code, outcome) = match self.idle.contains(scope) {
                true => (FindingCode::UnreadIdle, Outcome::Left),
                false => (FindingCode::Unread, Outcome::Waiting),
            };
            self.find(ResourceId::Scope(scope.clone()), code, outcome, detail, &Asked::default());
        }
        for scope in self.desired.scopes.iter().filter(|scope| !self.world.scopes.contains_key(*scope)) {
            let detail = "not read yet".to_owned();
            self.find(
                ResourceId::Scope(scope.clone()),
                FindingCode::Unread,
                Outcome::Waiting,
                detail,
                &Asked::default(),
            );
        }
    }

    /// The finding that something of ours is gone, if it was there before.
    pub(super) fn found_missing(
        &mut self,
        resource: &ResourceId,
        code: FindingCode,
        asked: &Asked,
    ) -> BTreeSet<FindingCode> {
        if self.missing_cause(resource.scope()) == Cause::Intent {
            return BTreeSet::new();
        }
        self.find(resource.clone(), code, Outcome::Mend, "it is not there".into(), asked);
        BTreeSet::from([code])
    }

    fn archive(&mut self, archive: &ArchiveId, wanted: &Wanted<ArchiveSpec>, footing: &BTreeMap<BusId, Footing>) {
        let ready = footing.get(&wanted.spec.source).is_some_and(|footing| *footing != Footing::None);
        let Some(view) = self.world.view(&archive.scope).filter(|_| ready) else { return };
        let resource = ResourceId::Archive(archive.clone());
        let asked = Asked::by(wanted);
        match view.archives.get(&archive.name) {
            Some(live) => self.archive_change(archive, wanted, live, resource, &asked),
            None if view.archives_read => {
                let cause = self.missing_cause(resource.scope());
                let codes = self.found_missing(&resource, FindingCode::ArchiveMissing, &asked);
                let action = Action::CreateArchive { archive: archive.clone(), spec: wanted.spec.clone() };
                self.make(
                    Change { action, seen: Seen::Absent, cause, codes, held_by: None, detail: Vec::new() },
                    &asked,
                );
            }
            None => {}
        }
    }

    fn archive_change(
        &mut self,
        archive: &ArchiveId,
        wanted: &Wanted<ArchiveSpec>,
        live: &LiveArchive,
        resource: ResourceId,
        asked: &Asked,
    ) {
        let LiveArchive { spec, pattern, state } = live;
        if !["ENABLED", "CREATING", "UPDATING"].contains(&state.as_str()) {
            let detail = format!("its state is {state}");
            self.find(resource.clone(), FindingCode::ArchiveChanged, Outcome::Left, detail, asked);
        }
        if spec.source != wanted.spec.source {
            let detail = format!("an archive of this name is there, of bus {}", spec.source);
            self.find(resource, FindingCode::OtherOwner, Outcome::Left, detail, asked);
            return;
        }
        if let Some(pattern) = pattern {
            // Ours have none, and what UpdateArchive leaves out stays.
            let detail = format!("somebody gave it the pattern {pattern}: it keeps only what matches");
            self.find(resource.clone(), FindingCode::ArchiveChanged, Outcome::Left, detail, asked);
        }
        let mut detail = Vec::new();
        if spec.retention_days != wanted.spec.retention_days {
            detail.push(format!("retention {} -> {}", days(spec.retention_days), days(wanted.spec.retention_days)));
        }
        if spec.description != wanted.spec.description {
            detail.push(format!("description {:?} -> {:?}", spec.description, wanted.spec.description));
        }
        if detail.is_empty() {
            return;
        }
        let code = FindingCode::ArchiveChanged;
        if keeps_longer(spec.retention_days, wanted.spec.retention_days) {
            let why = format!("{}: shortening deletes events, which no plan does", detail.join("; "));
            self.find(resource, code, Outcome::Left, why, asked);
            return;
        }
        let cause = self.missing_cause(resource.scope());
        if cause == Cause::Drift {
            self.find(resource, code, Outcome::Mend, detail.join("; "), asked);
        }
        let change = Change {
            action: Action::UpdateArchive { archive: archive.clone(), spec: wanted.spec.clone() },
            seen: Seen::Archive { retention_days: spec.retention_days, description: spec.description.clone() },
            cause,
            codes: if cause == Cause::Drift { BTreeSet::from([code]) } else { BTreeSet::new() },
            held_by: None,
            detail,
        };
        self.make(change, asked);
    }

    /// The steps so far.
    pub(super) fn steps(&self) -> &[Step] {
        &self.draft.steps
    }

    /// Buses and archives with our mark that nobody asks for: told, and left (promise 4).
    fn orphans(&mut self) {
        let Diff { desired, world, .. } = *self;
        let prefix = archive_prefix(&desired.owner);
        for scope in world.scopes.keys() {
            let Some(view) = world.view(scope) else { continue };
            for (name, live) in &view.buses {
                let bus = BusId { scope: scope.clone(), name: name.clone() };
                if desired.buses.contains_key(&bus) {
                    continue;
                }
                match own::of_bus(desired, &bus, live) {
                    Ownership::Marked(_) => self.orphan(ResourceId::Bus(bus)),
                    Ownership::Copied => self.copied(ResourceId::Bus(bus)),
                    _ => {}
                }
            }
            for name in view.archives.keys().filter(|name| name.starts_with(&prefix)) {
                let archive = ArchiveId { scope: scope.clone(), name: name.clone() };
                if !desired.archives.contains_key(&archive) {
                    self.orphan(ResourceId::Archive(archive));
                }
            }
        }
    }

    fn orphan(&mut self, resource: ResourceId) {
        // What a broken file says is not known: it may name it still.
        let (outcome, detail) = match self.desired.kept.is_empty() {
            true => (Outcome::Left, "it bears our mark, and the topology does not name it any more"),
            false => (Outcome::Waiting, "it bears our mark, and no file that can be read names it"),
        };
        self.find(resource, FindingCode::Orphaned, outcome, detail.to_owned(), &Asked::default());
    }

    /// A description was copied, mark and all.
    pub(super) fn copied(&mut self, resource: ResourceId) {
        let detail = "its description bears a mark of ours that was written on something else; not ours, left as it is";
        self.find(resource, FindingCode::MarkCopied, Outcome::Left, detail.to_owned(), &Asked::default());
    }

    /// The routes that are held off, and entries that hold nothing off any more.
    fn stops(&mut self) {
        let desired = self.desired;
        for StoppedRoute { route, rule, team, stop, is_active } in &desired.stops {
            let asked =
                Asked { team: Some(team.clone()), origin: Some(stop.origin.clone()), routes: [route.clone()].into() };
            let (code, detail) = match is_active {
                true => {
                    // What is asked for is not always done yet: a step may be held, or a scope unread.
                    let is_off = self.world.rule(rule).is_some_and(|live| live.state == "DISABLED");
                    let so = match is_off {
                        true => "is held off, and its events are dropped,",
                        false => "is to be held off, and is not yet,",
                    };
                    (FindingCode::RouteStopped, format!("{route} {so} until {}: {}", stop.until, stop.reason))
                }
                false => (
                    FindingCode::StopExpired,
                    format!("{route}: the time of the stop came at {}: take the entry out", stop.until),
                ),
            };
            self.find(ResourceId::Rule(rule.clone()), code, Outcome::Left, detail, &asked);
        }
    }

    fn tell_unproven(&mut self) {
        for (scope, steps) in std::mem::take(&mut self.unproven) {
            let reason = format!("{scope} was not read whole and lately, and nothing is taken away on doubt");
            self.draft.holds.push(Hold { guard: Guard::Unread, scope: Some(scope), reason, steps });
        }
    }
}

/// Scopes where the topology asks for nothing and that refused us, in accounts that answered elsewhere: an organisation
/// that denies the Regions which it does not use. They are read for leftovers alone.
fn idle_scopes(desired: &Desired, world: &World) -> BTreeSet<Scope> {
    let buses = desired.buses.keys().chain(desired.grants.keys().map(|(bus, _)| bus));
    let used: BTreeSet<&Scope> = buses
        .map(|bus| &bus.scope)
        .chain(desired.rules.keys().map(|rule| &rule.bus.scope))
        .chain(desired.archives.keys().map(|archive| &archive.scope))
        .collect();
    let read: BTreeSet<AccountId> = world
        .scopes
        .iter()
        .filter(|(_, observation)| matches!(observation, Observation::Complete { .. }))
        .map(|(scope, _)| scope.account)
        .collect();
    let refused = |observation: &Observation| match observation {
        Observation::Unreachable { why, .. } => {
            ["denied", "credentials"].iter().any(|class| why.class.starts_with(class))
        }
        _ => false,
    };
    let is_idle = |(scope, observation): &(&Scope, &Observation)| {
        !used.contains(*scope) && read.contains(&scope.account) && refused(observation)
    };
    world.scopes.iter().filter(is_idle).map(|(scope, _)| scope.clone()).collect()
}

/// The scopes that a route passes through from its hub on.
fn route_scopes(route: &Route) -> impl Iterator<Item = &Scope> {
    let destination = route.destination_bus.iter().map(|bus| &bus.scope);
    std::iter::once(&route.hub_bus.scope).chain(destination)
}

/// Whether `live` days keep events longer than `wanted` days; 0 is for ever.
pub(super) fn keeps_longer(live: u32, wanted: u32) -> bool {
    match (live, wanted) {
        (0, wanted) => wanted != 0,
        (_, 0) => false,
        (live, wanted) => live > wanted,
    }
}

fn days(count: u32) -> String {
    match count {
        0 => "for ever".into(),
        1 => "1 day".into(),
        count => format!("{count} days"),
    }
}
