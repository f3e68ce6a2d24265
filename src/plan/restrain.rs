//! What the daemon may not do now: modes, drift that waits, freezes, pauses, fights, a lost state, what waits for a person already. Each is a guard on steps of a
//! finished plan, so that whatever waits for a step that is held waits too, and the plan says all of it.
//!
//! A person's order to hold a route off, or to let it go on, is one write of a rule's state. Where the daemon writes at all, nothing of this holds it, nor do the guards that count changes.

use super::mark_held_findings;
use crate::eventbridge::Pattern;
use crate::model::desired::Desired;
use crate::model::finding::FindingCode;
use crate::model::ids::{HubName, Moment, Scope, SpokeName, TeamName};
use crate::model::order::{Pause, Reach};
use crate::model::plan::{Action, Cause, Guard, Hold, Plan, RulePart, Seen, Step, StepKey};
use crate::model::resource::{BusId, ResourceId, RuleState};
use crate::model::route::RouteId;
use crate::model::settings::{Freeze, FreezeHolds, Mode, Modes};
use crate::model::topology::Topology;
use std::collections::{BTreeMap, BTreeSet};

/// What holds now.
#[derive(Clone, Debug, Default)]
pub struct Restraints {
    /// Where it writes.
    pub modes: Modes,
    /// Kinds of drift that wait for a person.
    pub on_drift_hold: BTreeSet<FindingCode>,
    /// The freezes that are on.
    pub freezes: Vec<Frozen>,
    /// The pauses that are in force.
    pub pauses: Vec<Pause>,
    /// What somebody else keeps taking back.
    pub fights: BTreeSet<ResourceId>,
    /// Whether the state is lost.
    pub state_lost: bool,
    /// What a plan over a fuller reading held for a person, which this one may see only a part of.
    pub waiting: Waiting,
}

/// Steps that one of the guards that count held when all was read that there is, each with the guard and its reason. A plan over less
/// counts less, and would do a part of what waits for a person, and later the rest.
pub type Waiting = BTreeMap<StepKey, Waits>;

/// Where a step is that waits, and for what.
#[derive(Clone, Debug)]
pub struct Waits {
    scope: Scope,
    why: Vec<(Guard, String)>,
}

/// What waits after `plan`, which was made when all was read. What waited `before` in a scope that was not read, by `is_read`, goes on waiting.
pub fn waiting(plan: &Plan, before: &Waiting, is_read: impl Fn(&Scope) -> bool) -> Waiting {
    let unread = before.iter().filter(|(_, waits)| !is_read(&waits.scope));
    let mut waiting: Waiting = unread.map(|(key, waits)| (key.clone(), waits.clone())).collect();
    for step in &plan.steps {
        let scope = step.action.scope();
        let is_for = |hold: &&Hold| {
            let counts = matches!(hold.guard, Guard::TooManyBreaks | Guard::TooManyChanges);
            counts && step.held_by.contains(&hold.guard) && hold.scope.as_ref().is_none_or(|held| *held == scope)
        };
        let why: Vec<_> = plan.holds.iter().filter(is_for).map(|hold| (hold.guard, hold.reason.clone())).collect();
        if !why.is_empty() {
            waiting.insert(step.key(), Waits { scope, why });
        }
    }
    waiting
}

/// A freeze that is on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frozen {
    /// Its name.
    pub name: String,
    /// Why.
    pub reason: String,
    /// When it ends.
    pub until: Moment,
    /// What it holds.
    pub holds: FreezeHolds,
}

impl Frozen {
    /// `freeze`, if it is on at `now`.
    pub fn at(name: &str, freeze: &Freeze, now: Moment) -> Option<Self> {
        let Freeze { from, hours, reason, holds } = freeze;
        let until = from.last_at_or_before(now)?.plus_ms(u64::from(*hours) * MS_PER_HOUR);
        (now < until).then(|| Self { name: name.into(), reason: reason.clone(), until, holds: *holds })
    }
}

const MS_PER_HOUR: u64 = 3_600_000;

/// Which hub and which spokes a step concerns, by the topology.
#[derive(Clone, Debug, Default)]
pub struct Places {
    hubs: BTreeMap<BusId, HubName>,
    spokes: Vec<(TeamName, SpokeName, Scope, HubName)>,
}

impl Places {
    /// The places of `topology`.
    pub fn of(topology: &Topology) -> Self {
        let hub_bus = |(name, hub): (&HubName, &crate::model::topology::Hub)| {
            (BusId { scope: hub.scope.clone(), name: hub.bus.clone() }, name.clone())
        };
        let spokes = topology.teams.iter().flat_map(|(team, entry)| {
            entry
                .spokes
                .iter()
                .map(|(name, spoke)| (team.clone(), name.clone(), spoke.scope.clone(), spoke.hub.clone()))
        });
        Self { hubs: topology.hubs.iter().map(hub_bus).collect(), spokes: spokes.collect() }
    }

    /// The hubs that a resource is about: the hub whose bus it is on, or those that the spokes in its scope are attached to.
    pub fn hubs_of(&self, resource: &ResourceId, team: Option<&TeamName>) -> BTreeSet<HubName> {
        let bus = match resource {
            ResourceId::Bus(bus) | ResourceId::Grant(bus, _) => Some(bus),
            ResourceId::Rule(rule) | ResourceId::Target(rule, _) => Some(&rule.bus),
            ResourceId::Archive(_) | ResourceId::Scope(_) => None,
        };
        if let Some(hub) = bus.and_then(|bus| self.hubs.get(bus)) {
            return BTreeSet::from([hub.clone()]);
        }
        let scope = resource.scope();
        let here = self.spokes.iter().filter(|(owner, _, at, _)| at == scope && team.is_none_or(|team| team == owner));
        let attached = here.map(|(.., hub)| hub.clone());
        let hubs_here =
            self.hubs.iter().filter(|(bus, _)| bus.scope == *scope && team.is_none()).map(|(_, hub)| hub.clone());
        attached.chain(hubs_here).collect()
    }

    /// The spokes of the team that a resource is in, or that `routes` deliver to.
    fn spokes_of<'a>(
        &'a self,
        resource: &ResourceId,
        team: Option<&'a TeamName>,
        routes: &BTreeSet<RouteId>,
        desired: &Desired,
    ) -> impl Iterator<Item = (&'a TeamName, &'a SpokeName)> {
        let ends: BTreeSet<String> = routes
            .iter()
            .filter_map(|route| desired.routes.get(route))
            .map(|route| arn_scope(&route.destination_arn))
            .chain([resource.scope().to_string()])
            .collect();
        let of_team = move |owner: &TeamName, scope: &Scope| Some(owner) == team && ends.contains(&scope.to_string());
        self.spokes
            .iter()
            .filter(move |(owner, _, scope, _)| of_team(owner, scope))
            .map(|(owner, spoke, ..)| (owner, spoke))
    }
}

fn arn_scope(arn: &str) -> String {
    arn.parse::<crate::eventbridge::Arn>().map_or(String::new(), |arn| format!("{}/{}", arn.account, arn.region))
}

/// Holds what `restraints` say, and tells of each.
pub fn restrain(plan: &mut Plan, desired: &Desired, places: &Places, restraints: &Restraints) {
    let mut holds: BTreeMap<(Guard, String), usize> = BTreeMap::new();
    let is_tag = |step: &&Step| matches!(step.action, Action::TagRule { .. } | Action::UntagRule { .. });
    let tags: BTreeSet<StepKey> = plan.steps.iter().filter(is_tag).map(Step::key).collect();
    for step in &mut plan.steps {
        let writes_here = !restraints.state_lost && mode_of(step, desired, places, &restraints.modes) == Mode::Enforce;
        if writes_here && is_switch(step, desired) {
            step.held_by.retain(|guard| !matches!(guard, Guard::TooManyChanges | Guard::TooManyBreaks));
            // It waits for nothing but its bus: tags that cannot be written now keep no route from being held off.
            step.after.retain(|key| !tags.contains(key));
            continue;
        }
        for (guard, reason) in held(step, desired, places, restraints) {
            step.held_by.insert(guard);
            *holds.entry((guard, reason)).or_default() += 1;
        }
    }
    plan.holds.extend(holds.into_iter().map(|((guard, reason), steps)| Hold { guard, scope: None, reason, steps }));
    plan.holds.sort();
    mark_held_findings(&plan.steps, &mut plan.findings);
    plan.findings.sort();
}

/// What holds a step, each with why.
fn held(step: &Step, desired: &Desired, places: &Places, restraints: &Restraints) -> Vec<(Guard, String)> {
    let mut held = Vec::new();
    let mut hold = |guard: Guard, reason: String| held.push((guard, reason));
    if restraints.state_lost {
        hold(Guard::StateLost, super::guard_reason(Guard::StateLost).to_owned());
    }
    if mode_of(step, desired, places, &restraints.modes) == Mode::Observe {
        hold(Guard::Observe, super::guard_reason(Guard::Observe).to_owned());
    }
    if step.cause == Cause::Drift && step.codes.iter().any(|code| restraints.on_drift_hold.contains(code)) {
        hold(Guard::OnDrift, super::guard_reason(Guard::OnDrift).to_owned());
    }
    for frozen in &restraints.freezes {
        if frozen.holds == FreezeHolds::All || step.cause == Cause::Intent {
            let Frozen { name, reason, until, holds: _ } = frozen;
            hold(Guard::Freeze, format!("freeze `{name}` is on until {until}: {reason}"));
        }
    }
    for pause in restraints.pauses.iter().filter(|pause| covers(&pause.reach, step, places)) {
        let Pause { reach, order } = pause;
        hold(Guard::Paused, format!("{reach} is paused until {} by {}: {}", order.until, order.by, order.reason));
    }
    for (guard, reason) in restraints.waiting.get(&step.key()).iter().flat_map(|waits| &waits.why) {
        if !step.held_by.contains(guard) {
            hold(*guard, reason.clone());
        }
    }
    if restraints.fights.contains(&step.action.resource()) {
        let resource = step.action.resource();
        hold(Guard::Fight, format!("{resource}: {}", super::guard_reason(Guard::Fight)));
    }
    held
}

/// Whether the daemon writes what a step writes.
fn mode_of(step: &Step, desired: &Desired, places: &Places, modes: &Modes) -> Mode {
    mode_at(&step.action.resource(), step.team.as_ref(), &step.routes, desired, places, modes)
}

/// Whether the daemon writes a thing that is for a team and serves these routes: what is said of its hub, its team or its spoke
/// counts. Where any of them says observe, it does not; where none says anything, the default counts.
pub fn mode_at(
    resource: &ResourceId,
    team: Option<&TeamName>,
    routes: &BTreeSet<RouteId>,
    desired: &Desired,
    places: &Places,
    modes: &Modes,
) -> Mode {
    let hubs = places.hubs_of(resource, team);
    let of_hubs = hubs.iter().filter_map(|hub| modes.hubs.get(hub));
    let of_team = team.iter().filter_map(|team| modes.teams.get(*team));
    let of_spokes = places
        .spokes_of(resource, team, routes, desired)
        .filter_map(|(team, spoke)| modes.spokes.get(&(team.clone(), spoke.clone())));
    // Observe is the lesser.
    of_hubs.chain(of_team).chain(of_spokes).min().copied().unwrap_or(modes.default)
}

fn covers(reach: &Reach, step: &Step, places: &Places) -> bool {
    match reach {
        Reach::All => true,
        Reach::Scope(scope) => step.action.scope() == *scope,
        Reach::Team(team) => step.team.as_ref() == Some(team),
        Reach::Hub(hub) => places.hubs_of(&step.action.resource(), step.team.as_ref()).contains(hub),
    }
}

/// Whether a step holds a route off that has a stop, or lets go on what was held off. The first may bring other changes of the rule
/// with it: the stop comes first. The second is a rule that our own mark says was disabled, and that matches the same events as before.
fn is_switch(step: &Step, desired: &Desired) -> bool {
    let Action::PutRule { rule, pattern, state, part, .. } = &step.action else { return false };
    let Seen::Rule { pattern: seen_pattern, state: seen_state, .. } = &step.seen else { return false };
    let has_stop = || desired.stops.iter().any(|stop| stop.rule == *rule && stop.is_active);
    match state {
        RuleState::Disabled => seen_state != "DISABLED" && *part != RulePart::Narrow && has_stop(),
        RuleState::Enabled => {
            let same_events = seen_pattern.as_deref().is_some_and(|seen| means_the_same(pattern, seen));
            seen_state == "DISABLED" && step.cause == Cause::Intent && *part == RulePart::Whole && same_events
        }
    }
}

fn means_the_same(one: &str, other: &str) -> bool {
    match (Pattern::parse(one), Pattern::parse(other)) {
        (Ok(one), Ok(other)) => one.same_meaning(&other),
        _ => false,
    }
}
