//! Refresh: from a set of scopes to the world, every listing read to its last page.
//!
//! What could not be read becomes a gap of that scope's observation and delays nobody else: scopes are read side by
//! side, each under its own deadline.

use crate::call::{Answer, Call, CallError, ErrorClass, Page, RuleSummary};
use crate::eventbridge::{BusPolicy, DEFAULT_BUS, Pattern};
use crate::model::desired::Desired;
use crate::model::few::{Few, tight};
use crate::model::ids::Scope;
use crate::model::mark::{Mark, archive_prefix, is_our_target, statement_prefix};
use crate::model::plan::Action;
use crate::model::resource::{ArchiveId, ArchiveSpec, BusId, BusSettings, ResourceId, RuleId};
use crate::model::topology::Tags;
use crate::model::world::{
    Gap, LiveArchive, LiveBus, LivePattern, LiveRule, LiveTarget, Observation, ScopeView, World,
};
use crate::port::{Clock, Fleet};
use futures_util::StreamExt;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

/// How much a refresh reads of a scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Depth {
    /// What deliveries rest on: buses with their policies, rules, targets; tags only where they decide whose a thing is.
    Fast,
    /// All that we set: also buses' encryption, dead letters and logging (DescribeEventBus), archives, and the tags of
    /// everything that is ours; and who made the rules on hubs that are not.
    Full,
    /// Everything that there is, whosever it is: all rules with their targets and tags, all buses, all archives. For a person who
    /// wants to bring it in (`wheelwright import`), and far too many calls for a sweep.
    Whole,
}

impl Depth {
    /// Whether a reading of this depth shows what `action` writes, so that a plan made of it would have the step.
    pub fn shows(self, action: &Action) -> bool {
        let needs_full = matches!(
            action,
            Action::UpdateBus { .. }
                | Action::TagBus { .. }
                | Action::UntagBus { .. }
                | Action::TagRule { .. }
                | Action::UntagRule { .. }
                | Action::CreateArchive { .. }
                | Action::UpdateArchive { .. }
        );
        self > Self::Fast || !needs_full
    }
}

/// How fast we ask, and for how much.
#[derive(Clone, Copy, Debug)]
pub struct RefreshSettings {
    /// How much is read.
    pub depth: Depth,
    /// Scopes read at the same time.
    pub scopes_in_flight_max: usize,
    /// A scope that did not answer everything within this many milliseconds is left out.
    pub scope_deadline_ms: u64,
}

/// Calls of one scope under way at once. The rate limit decides the pace; this only hides the round trips. Each has a connection of
/// its own, which takes some 35 kB, and with TLS more.
const CALLS_IN_FLIGHT_MAX: usize = 4;
/// Pages of one listing that are read before we take it for endless.
const PAGES_MAX: usize = 200;

/// Reads `scopes` and returns what each answered. `told` hears of each scope as it is done.
pub async fn refresh<F: Fleet, C: Clock>(
    fleet: &F,
    clock: &C,
    desired: &Desired,
    scopes: &BTreeSet<Scope>,
    settings: RefreshSettings,
    told: &(dyn Fn(&Scope, &Observation) + Sync),
) -> World {
    let wanted = Wanted {
        desired,
        archive_prefix: prefix_of(settings.depth, desired),
        depth: settings.depth,
        default_bus_is_idle: false,
    };
    let observe = |scope: &Scope| {
        let (scope, wanted) = (scope.clone(), &wanted);
        async move {
            let observation = observe(fleet, clock, wanted, &scope, settings.scope_deadline_ms).await;
            told(&scope, &observation);
            (scope, observation)
        }
    };
    // Collected: a stream that holds the closure could not be sent to another thread.
    let read: Vec<_> = scopes.iter().filter(|scope| !desired.no_access.contains(*scope)).map(observe).collect();
    let in_flight = settings.scopes_in_flight_max.max(1);
    let mut world = World::default();
    let mut answers = futures_util::stream::iter(read).buffer_unordered(in_flight);
    while let Some((scope, observation)) = answers.next().await {
        world.scopes.insert(scope, observation);
    }
    for scope in &desired.no_access {
        world.scopes.insert(scope.clone(), Observation::NoAccess);
    }
    world
}

/// How one scope is read.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    /// How much of it.
    pub depth: Depth,
    /// Whether its default bus was idle at the last full reading ([`default_bus_is_idle`]): a fast one then leaves that bus's
    /// rules out, unless one is wanted there.
    pub default_bus_is_idle: bool,
    /// How long it may take.
    pub deadline_ms: u64,
}

/// Reads one scope.
pub async fn read_scope<F: Fleet, C: Clock>(
    fleet: &F,
    clock: &C,
    desired: &Desired,
    scope: &Scope,
    look: Look,
) -> Observation {
    let Look { depth, default_bus_is_idle, deadline_ms } = look;
    let wanted = Wanted { desired, archive_prefix: prefix_of(depth, desired), depth, default_bus_is_idle };
    observe(fleet, clock, &wanted, scope, deadline_ms).await
}

/// Whether a scope's default bus was seen with nothing on it that could be ours, or be taken for ours: no mark in a
/// description, no name as we give them. Where nothing of ours is wanted there, what comes to be there delivers nothing for
/// us, and the next full reading is soon enough to see it.
pub fn default_bus_is_idle(observation: &Observation) -> bool {
    let Observation::Complete { view, .. } = observation else { return false };
    let is_plain =
        |(name, rule): (&String, &LiveRule)| !is_named_as_ours(name) && Mark::read(&rule.description).1.is_none();
    view.buses.get(DEFAULT_BUS).is_some_and(|bus| bus.rules_read && bus.rules.iter().all(is_plain))
}

/// What the names begin with of the archives that are read: ours, or any.
fn prefix_of(depth: Depth, desired: &Desired) -> String {
    if depth == Depth::Whole { String::new() } else { archive_prefix(&desired.owner) }
}

/// Whether a rule has a name as we give them, whoever gave it.
fn is_named_as_ours(name: &str) -> bool {
    name.starts_with("ww.")
}

/// The desired things by scope, so that a scope's reading looks up only its own.
struct Wanted<'a> {
    desired: &'a Desired,
    archive_prefix: String,
    depth: Depth,
    default_bus_is_idle: bool,
}

impl Wanted<'_> {
    /// Whether the rules on a bus are worth reading: it is wanted, ours, or the default bus, where rules that forward
    /// for teams without a bus are, and could be left over.
    fn matters(&self, bus: &BusId, live: &LiveBus) -> bool {
        self.depth == Depth::Whole
            || bus.is_default() && !self.may_skip_default()
            || self.desired.buses.contains_key(bus)
            || self.wants_rules_on(bus)
            || self.ours(live.mark(bus))
            || self.bears_our_grants(live)
    }

    fn may_skip_default(&self) -> bool {
        self.depth == Depth::Fast && self.default_bus_is_idle
    }

    fn wants_rules_on(&self, bus: &BusId) -> bool {
        let first = RuleId { bus: bus.clone(), name: String::new() };
        self.desired.rules.range(first..).next().is_some_and(|(rule, _)| rule.bus == *bus)
    }

    /// Whether the policy holds a statement of ours: the bus was taken over, or lost its description.
    fn bears_our_grants(&self, live: &LiveBus) -> bool {
        let prefix = statement_prefix(&self.desired.owner);
        let statements = live.policy.iter().flatten().flat_map(|policy| &policy.statements);
        statements.filter_map(|statement| statement.sid.as_deref()).any(|sid| sid.starts_with(&prefix))
    }

    /// Whether a rule's tags can decide anything: it has one mark and not the other, or its mark says that it was asked
    /// for otherwise, tags perhaps; or it has a target of which the tags alone say whether it is ours.
    fn wants_tags(&self, id: &RuleId, live: &LiveRule) -> bool {
        let wanted = self.desired.rules.get(id);
        let label = wanted.map(|wanted| wanted.label(|| ResourceId::Rule(id.clone())));
        let mark = label.map_or_else(|| live.mark(id), |label| label.mark_in(&live.description));
        let mark = mark.filter(|mark| mark.owner == self.desired.owner);
        match (wanted.zip(label), mark) {
            _ if self.depth == Depth::Whole => true,
            (Some(_), Some(_)) if self.depth == Depth::Full => true,
            (Some((wanted, label)), Some(mark)) => {
                let is_known =
                    |id: &String| wanted.spec.targets.contains_key(id) || is_our_target(&self.desired.owner, None, id);
                mark.digest != label.digest || !live.targets.iter().flat_map(Few::keys).all(is_known)
            }
            (Some(_), None) | (None, Some(_)) => true,
            (None, None) => is_named_as_ours(&id.name),
        }
    }

    /// A rule's pattern, parsed. One that reads as the wanted one shares its parts: so it is for nearly all, for ever.
    fn live_pattern(&self, id: &RuleId, text: String) -> LivePattern {
        let wanted = self.desired.rules.get(id).map(|wanted| &wanted.spec.pattern);
        let parsed = match wanted.filter(|wanted| wanted.as_str() == text) {
            Some(same) => Some(same.clone()),
            None => Pattern::parse(&text).ok(),
        };
        LivePattern { text, parsed }
    }

    fn ours(&self, mark: Option<Mark>) -> bool {
        mark.is_some_and(|mark| mark.owner == self.desired.owner)
    }
}

async fn observe<F: Fleet, C: Clock>(
    fleet: &F,
    clock: &C,
    wanted: &Wanted<'_>,
    scope: &Scope,
    deadline_ms: u64,
) -> Observation {
    let at = clock.now();
    let reading = Reading { fleet, scope, wanted };
    match tokio::time::timeout(Duration::from_millis(deadline_ms), reading.all()).await {
        Ok(Ok((view, missing))) if missing.is_empty() => Observation::Complete { at, view: Arc::new(view) },
        Ok(Ok((view, missing))) => Observation::Partial { at, view: Arc::new(view), missing },
        Ok(Err(error)) => Observation::Unreachable { at, why: gap(&error) },
        Err(_) => Observation::Unreachable {
            at,
            why: Gap {
                action: "refresh".into(),
                class: "deadline".into(),
                message: format!("no complete answer within {deadline_ms} ms"),
                mend: "look whether the Region answers; raise scope-deadline-secs if the account is large".into(),
            },
        },
    }
}

/// A policy that we do not understand: nothing in the scope is taken away while it is so.
fn policy_gap(bus: &str, why: &str) -> Gap {
    Gap {
        action: "events:ListEventBuses".into(),
        class: "policy-unreadable".into(),
        message: format!("the policy of bus {bus}: {why}"),
        mend: "look at it with `aws events describe-event-bus`".into(),
    }
}

/// What a failed call leaves unknown.
fn gap(error: &CallError) -> Gap {
    let code = error.code.as_deref().map(|code| format!(" ({code})")).unwrap_or_default();
    Gap {
        action: error.action.clone(),
        class: format!("{}{code}", error.class),
        message: error.message.clone(),
        mend: error.mend(),
    }
}

struct Reading<'a, F> {
    fleet: &'a F,
    scope: &'a Scope,
    wanted: &'a Wanted<'a>,
}

impl<F: Fleet> Reading<'_, F> {
    /// The scope's view with its gaps; an error if not even the buses could be listed.
    async fn all(&self) -> Result<(ScopeView, Vec<Gap>), CallError> {
        let mut gaps = Vec::new();
        let (buses, cut) = self.pages(|next_token| Call::ListEventBuses { next_token }, as_buses).await;
        if let (true, Some(error)) = (buses.is_empty(), &cut) {
            return Err(error.clone());
        }
        // Every account has a default bus in every Region: a listing without it is none of AWS's.
        let cut = match cut {
            None if !buses.iter().any(|bus| bus.name == DEFAULT_BUS) => return Err(no_default_bus(self.scope)),
            cut => cut,
        };
        let mut view = ScopeView { buses_read: cut.is_none(), ..ScopeView::default() };
        gaps.extend(cut.as_ref().map(gap));
        for summary in buses {
            let policy =
                summary.policy.as_deref().map(|text| BusPolicy::parse(text).map_err(|error| error.to_string()));
            if let Some(Err(why)) = &policy {
                gaps.push(policy_gap(&summary.name, why));
            }
            let bus = LiveBus { description: summary.description, policy, ..LiveBus::default() };
            view.buses.insert(summary.name, bus);
        }
        view.buses = tight(view.buses);
        let names: Vec<String> = view.buses.keys().cloned().collect();
        for name in names {
            let id = BusId { scope: self.scope.clone(), name: name.clone() };
            if let Some(bus) = view.buses.get_mut(&name).filter(|bus| self.wanted.matters(&id, bus)) {
                self.bus(&id, bus, &mut gaps).await;
            }
        }
        if self.wanted.depth >= Depth::Full {
            self.archives(&mut view, &mut gaps).await;
        }
        Ok((view, gaps))
    }

    async fn bus(&self, id: &BusId, bus: &mut LiveBus, gaps: &mut Vec<Gap>) {
        let is_wanted = self.wanted.desired.buses.contains_key(id);
        let is_ours = self.wanted.ours(bus.mark(id));
        let in_full = match self.wanted.depth {
            Depth::Fast => false,
            Depth::Full => is_wanted || is_ours,
            Depth::Whole => true,
        };
        if !id.is_default() && (in_full || is_wanted && !is_ours) {
            bus.tags = self.tags(id.arn(), gaps).await;
        }
        if !id.is_default() && in_full {
            match self.settings(id).await {
                Ok(settings) => bus.settings = Some(settings),
                Err(error) => gaps.push(gap(&error)),
            }
        }
        let list = |next_token| Call::ListRules { bus: id.name.clone(), next_token };
        let (rules, cut) = self.pages(list, as_rules).await;
        bus.rules_read = cut.is_none();
        gaps.extend(cut.as_ref().map(gap));
        let reads = rules.into_iter().map(|summary| {
            let rule_id = RuleId { bus: id.clone(), name: summary.name };
            let rule = LiveRule {
                description: summary.description,
                pattern: summary.pattern.map(|text| self.wanted.live_pattern(&rule_id, text)),
                state: summary.state,
                managed_by: summary.managed_by,
                created_by: None,
                tags: None,
                targets: None,
            };
            self.rule(rule_id, rule)
        });
        let mut reads = futures_util::stream::iter(reads).buffer_unordered(CALLS_IN_FLIGHT_MAX);
        while let Some((name, rule, missing)) = reads.next().await {
            bus.rules.insert(name, rule);
            gaps.extend(missing);
        }
        bus.rules = tight(std::mem::take(&mut bus.rules));
    }

    /// A rule's targets and tags, where they can decide anything.
    async fn rule(&self, id: RuleId, mut rule: LiveRule) -> (String, LiveRule, Vec<Gap>) {
        let mut gaps = Vec::new();
        let is_wanted = self.wanted.desired.rules.contains_key(&id);
        let concerns_us = is_wanted || self.wanted.ours(rule.mark(&id));
        if rule.managed_by.is_none() && (concerns_us || self.wanted.depth == Depth::Whole) {
            let list =
                |next_token| Call::ListTargetsByRule { bus: id.bus.name.clone(), rule: id.name.clone(), next_token };
            let (targets, cut) = self.pages(list, as_targets).await;
            match cut {
                None => rule.targets = Some(targets.into_iter().collect()),
                Some(error) => gaps.push(gap(&error)),
            }
        }
        if rule.managed_by.is_none() && self.wanted.wants_tags(&id, &rule) {
            rule.tags = self.tags(id.arn(), &mut gaps).await;
        }
        let on_any = self.wanted.depth == Depth::Whole && rule.managed_by.is_none();
        let on_hub = self.wanted.desired.buses.get(&id.bus).is_some_and(|wanted| wanted.team.is_none());
        let unasked = self.wanted.depth == Depth::Full && on_hub && !concerns_us && rule.managed_by.is_none();
        if on_any || unasked {
            match rule_summary(self.fleet, &id).await {
                Ok(summary) => rule.created_by = summary.and_then(|summary| summary.created_by),
                Err(error) => gaps.push(gap(&error)),
            }
        }
        (id.name, rule, gaps)
    }

    async fn settings(&self, id: &BusId) -> Result<BusSettings, CallError> {
        let call = Call::DescribeEventBus { bus: id.name.clone() };
        match self.fleet.call(self.scope, call.clone()).await? {
            Answer::Bus(_, settings) => Ok(settings),
            _ => Err(unexpected(self.scope, &call)),
        }
    }

    async fn archives(&self, view: &mut ScopeView, gaps: &mut Vec<Gap>) {
        let prefix = &self.wanted.archive_prefix;
        let list = |next_token| Call::ListArchives { name_prefix: prefix.clone(), next_token };
        let (names, cut) = self.pages(list, as_archives).await;
        view.archives_read = cut.is_none();
        gaps.extend(cut.as_ref().map(gap));
        for name in names {
            let id = ArchiveId { scope: self.scope.clone(), name };
            match self.archive(&id).await {
                Ok(archive) => _ = view.archives.insert(id.name, archive),
                Err(error) => {
                    view.archives_read = false;
                    gaps.push(gap(&error));
                }
            }
        }
    }

    async fn archive(&self, id: &ArchiveId) -> Result<LiveArchive, CallError> {
        let call = Call::DescribeArchive { archive: id.name.clone() };
        match self.fleet.call(self.scope, call.clone()).await? {
            Answer::Archive(archive) => {
                let source = BusId::of_arn(&archive.source_arn)
                    .unwrap_or_else(|| BusId { scope: self.scope.clone(), name: archive.source_arn.clone() });
                let spec =
                    ArchiveSpec { source, description: archive.description, retention_days: archive.retention_days };
                Ok(LiveArchive { spec, pattern: archive.pattern, state: archive.state })
            }
            _ => Err(unexpected(self.scope, &call)),
        }
    }

    async fn tags(&self, arn: String, gaps: &mut Vec<Gap>) -> Option<Tags> {
        let call = Call::ListTagsForResource { arn };
        let error = match self.fleet.call(self.scope, call.clone()).await {
            Ok(Answer::Tags(tags)) => return Some(tight(tags)),
            Ok(_) => unexpected(self.scope, &call),
            Err(error) => error,
        };
        gaps.push(gap(&error));
        None
    }

    async fn pages<T>(
        &self,
        call: impl Fn(Option<String>) -> Call,
        take: impl Fn(Answer) -> Option<Page<T>>,
    ) -> (Vec<T>, Option<CallError>) {
        pages(self.fleet, self.scope, call, take).await
    }
}

/// Every page of a listing; with an error, what was read before it.
pub(super) async fn pages<F: Fleet, T>(
    fleet: &F,
    scope: &Scope,
    call: impl Fn(Option<String>) -> Call,
    take: impl Fn(Answer) -> Option<Page<T>>,
) -> (Vec<T>, Option<CallError>) {
    let mut items = Vec::new();
    let mut token = None;
    for _ in 0..PAGES_MAX {
        let asked: Option<String> = token.take();
        let ask = call(asked.clone());
        let answer = match fleet.call(scope, ask.clone()).await {
            Ok(answer) => answer,
            Err(error) => return (items, Some(error)),
        };
        let Some(page) = take(answer) else { return (items, Some(unexpected(scope, &ask))) };
        items.extend(page.items);
        match page.next_token {
            Some(next) if asked.as_ref() == Some(&next) => {
                let mut round = unexpected(scope, &ask);
                round.message = "the listing did not end: a page names itself as the next one".into();
                return (items, Some(round));
            }
            Some(next) => token = Some(next),
            None => return (items, None),
        }
    }
    let mut endless = unexpected(scope, &call(None));
    endless.message = format!("the listing did not end within {PAGES_MAX} pages");
    (items, Some(endless))
}

/// A listing of buses that cannot be true.
fn no_default_bus(scope: &Scope) -> CallError {
    CallError {
        class: ErrorClass::NotAws,
        message: "the listing has no default bus, which every account has".into(),
        ..unexpected(scope, &Call::ListEventBuses { next_token: None })
    }
}

/// An answer of another kind than the call's: an edge that is at fault.
pub(crate) fn unexpected(scope: &Scope, call: &Call) -> CallError {
    CallError {
        class: ErrorClass::Other,
        scope: scope.clone(),
        action: call.action().into(),
        code: None,
        message: "the answer was of another kind than the call".into(),
        request_id: None,
    }
}

fn as_buses(answer: Answer) -> Option<Page<crate::call::BusSummary>> {
    if let Answer::Buses(page) = answer { Some(page) } else { None }
}

fn as_rules(answer: Answer) -> Option<Page<crate::call::RuleSummary>> {
    if let Answer::Rules(page) = answer { Some(page) } else { None }
}

pub(super) fn as_targets(answer: Answer) -> Option<Page<(String, LiveTarget)>> {
    if let Answer::Targets(page) = answer { Some(page) } else { None }
}

fn as_archives(answer: Answer) -> Option<Page<String>> {
    if let Answer::Archives(page) = answer { Some(page) } else { None }
}

/// A rule, if it is there.
pub(super) async fn rule_summary<F: Fleet>(fleet: &F, rule: &RuleId) -> Result<Option<RuleSummary>, CallError> {
    let scope = &rule.bus.scope;
    let call = Call::DescribeRule { bus: rule.bus.name.clone(), rule: rule.name.clone() };
    match fleet.call(scope, call.clone()).await {
        Ok(Answer::Rule(live)) => Ok(Some(live)),
        Ok(_) => Err(unexpected(scope, &call)),
        Err(error) if error.class == ErrorClass::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// The targets of one rule, to the last page.
pub(super) async fn targets<F: Fleet>(fleet: &F, rule: &RuleId) -> Result<Few<String, LiveTarget>, CallError> {
    let list = |next_token| Call::ListTargetsByRule { bus: rule.bus.name.clone(), rule: rule.name.clone(), next_token };
    match pages(fleet, &rule.bus.scope, list, as_targets).await {
        (targets, None) => Ok(tight(targets.into_iter().collect())),
        (_, Some(error)) => Err(error),
    }
}
