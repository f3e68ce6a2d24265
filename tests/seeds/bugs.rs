//! Where the deliberate bugs sit: at the fleet, in what a topology comes to, and in how a sweep is put together.

use crate::mutants::Mutant;
use crate::rng::Rng;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;
use wheelwright::call::{Answer, Call, CallError, ErrorClass, Page, RuleSummary};
use wheelwright::eventbridge::{DEFAULT_BUS, Pattern};
use wheelwright::model::desired::Desired;
use wheelwright::model::ids::Scope;
use wheelwright::model::mark::Mark;
use wheelwright::model::plan::{Action, Guard, Plan, RulePart, Step, StepKey, StepKind};
use wheelwright::model::resource::{BusId, ResourceId, RuleId, RuleState, TargetSpec};
use wheelwright::model::topology::Tags;
use wheelwright::model::world::{LiveTarget, Observation, World};
use wheelwright::plan::{Approval, approve};
use wheelwright::port::{Clock, Fleet};
use wheelwright::reconcile::apply::{StepOutcome, apply};
use wheelwright::reconcile::sweep::{Listener, Sweeper, Swept};
use wheelwright::sim::call_door::SimFleet;
use wheelwright::sim::{Caller, Service, SnapshotKind};

/// Scope, bus and rule.
type RuleKey = (Scope, String, String);

/// What the bug believes that it wrote.
#[derive(Default)]
struct Believed {
    /// Targets by rule, each with what it was made of.
    targets: BTreeMap<RuleKey, BTreeMap<String, TargetSpec>>,
    /// What stands at AWS, by what was asked.
    patterns: BTreeMap<String, String>,
    disabled: BTreeSet<RuleKey>,
    deleted: BTreeSet<RuleKey>,
    tags: BTreeMap<String, Tags>,
    keys: BTreeMap<(Scope, String), Option<String>>,
    /// Rules by bus, as they were listed.
    listed: BTreeMap<(Scope, String), BTreeMap<String, RuleSummary>>,
    /// Rules that were written since.
    written: BTreeSet<RuleKey>,
    /// Scopes by whether the first look at their default bus found nothing of ours there.
    idle: BTreeMap<Scope, bool>,
    /// What was read, by scope and call, and when.
    read: BTreeMap<(Scope, String), (Instant, Answer)>,
    /// When an account last did not answer.
    unanswered: Option<Instant>,
}

/// How long the bug believes what it once saw.
const BELIEVED: Duration = Duration::from_secs(3_600);

/// A fleet with a bug in it, or with none.
pub struct Mutated<F> {
    inner: F,
    mutant: Option<Mutant>,
    /// The scopes of the topology, and the choice among them.
    scopes: Vec<Scope>,
    seed: u64,
    sim: SimFleet,
    believed: Mutex<Believed>,
}

impl<F: Fleet> Fleet for Mutated<F> {
    async fn call(&self, scope: &Scope, call: Call) -> Result<Answer, CallError> {
        let Some(mutant) = self.mutant else { return self.inner.call(scope, call).await };
        match mutant {
            Mutant::PageForgotten => self.inner.call(scope, call).await.map(only_page),
            Mutant::ErrorTakenForEmpty => {
                let answer = self.inner.call(scope, call.clone()).await;
                answer.or_else(|error| empty(&call).ok_or(error))
            }
            Mutant::AccountCheckSkipped | Mutant::RegionMixedUp => {
                self.inner.call(&self.at_hand(scope, mutant), call).await
            }
            Mutant::ForeignStatementDropped => {
                let bus = if let Call::PutPermission { bus, .. } = &call { Some(bus.clone()) } else { None };
                let answer = self.inner.call(scope, call).await;
                if let (Some(bus), Ok(_)) = (bus, &answer) {
                    self.drop_foreign_statements(scope, &bus);
                }
                answer
            }
            Mutant::AllStatementsRemoved => {
                let bus = if let Call::RemovePermission { bus, .. } = &call { Some(bus.clone()) } else { None };
                let answer = self.inner.call(scope, call).await;
                if let Some(bus) = bus {
                    self.drop_foreign_statements(scope, &bus);
                }
                answer
            }
            Mutant::TargetsReplaced | Mutant::RuleRecreated | Mutant::ArchiveRecreated | Mutant::TagsReplaced => {
                self.replacing(mutant, scope, call).await
            }
            Mutant::NameTakenForMark => self.adopting(scope, call).await,
            Mutant::ReadOnce => self.reading_once(scope, call).await,
            Mutant::IdleForEver => self.taking_for_idle(scope, call).await,
            Mutant::OldReadingsServe => self.serving_what_was_read(scope, call).await,
            Mutant::OneForAll => self.all_for_one(scope, call).await,
            _ => {
                let answer = self.inner.call(scope, self.spoilt(mutant, scope, call.clone())).await;
                self.read(mutant, scope, &call, answer)
            }
        }
    }
}

impl<F: Fleet> Mutated<F> {
    pub fn new(inner: F, mutant: Option<Mutant>, scopes: Vec<Scope>, seed: u64, sim: SimFleet) -> Self {
        Self { inner, mutant, scopes, seed, sim, believed: Mutex::default() }
    }

    fn believed(&self) -> MutexGuard<'_, Believed> {
        self.believed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A write with what the bug leaves out left out, and believed to be as asked.
    fn spoilt(&self, mutant: Mutant, scope: &Scope, mut call: Call) -> Call {
        let mut believed = self.believed();
        let key = |bus: &str, rule: &str| (scope.clone(), bus.to_owned(), rule.to_owned());
        match (mutant, &mut call) {
            (Mutant::PinDropped | Mutant::DetailTypesDropped, Call::PutRule { pattern, .. }) => {
                let field = if mutant == Mutant::PinDropped { "account" } else { "detail-type" };
                let written = without(pattern, field);
                believed.patterns.insert(written.clone(), std::mem::replace(pattern, written));
            }
            (Mutant::StateDropped, Call::PutRule { bus, rule, state, .. }) => {
                let key = key(bus, rule);
                match std::mem::replace(state, RuleState::Enabled) {
                    RuleState::Disabled => _ = believed.disabled.insert(key),
                    RuleState::Enabled => _ = believed.disabled.remove(&key),
                }
            }
            (Mutant::MarkDropped, Call::PutRule { description, .. }) => {
                let written = Mark::read(description).0.to_owned();
                believed.patterns.insert(written.clone(), std::mem::replace(description, written));
            }
            (Mutant::TagsDropped, Call::PutRule { bus, rule, tags, .. }) => {
                let rule = RuleId { bus: BusId { scope: scope.clone(), name: bus.clone() }, name: rule.clone() };
                believed.tags.insert(rule.arn(), std::mem::take(tags));
            }
            (Mutant::TagsDropped, Call::CreateEventBus { bus, tags, .. }) => {
                let bus = BusId { scope: scope.clone(), name: bus.clone() };
                believed.tags.insert(bus.arn(), std::mem::take(tags));
            }
            (
                Mutant::KeyDropped,
                Call::CreateEventBus { bus, settings, .. } | Call::UpdateEventBus { bus, settings },
            ) => {
                believed.keys.insert((scope.clone(), bus.clone()), settings.kms_key.take());
            }
            (Mutant::StatementIdShared, Call::PutPermission { statement_id, .. }) => {
                let written = "ww_wheelwright_statement".to_owned();
                believed.patterns.insert(written.clone(), std::mem::replace(statement_id, written));
            }
            (
                Mutant::DeadLetterDropped | Mutant::RoleDropped | Mutant::RetryDropped,
                Call::PutTargets { bus, rule, targets },
            ) => {
                let asked = believed.targets.entry(key(bus, rule)).or_default();
                for (id, target) in targets {
                    asked.insert(id.clone(), target.clone());
                    match mutant {
                        Mutant::DeadLetterDropped => target.dead_letter_arn = None,
                        Mutant::RoleDropped => target.role_arn = None,
                        _ => target.retry = None,
                    }
                }
            }
            (Mutant::DeletionBelieved, Call::DeleteRule { bus, rule }) => {
                believed.deleted.insert(key(bus, rule));
                // Something that harms nobody is sent in its place.
                call = Call::DescribeEventBus { bus: bus.clone() };
            }
            _ => {}
        }
        call
    }

    /// An answer, read as the bug would have it.
    fn read(
        &self,
        mutant: Mutant,
        scope: &Scope,
        call: &Call,
        mut answer: Result<Answer, CallError>,
    ) -> Result<Answer, CallError> {
        let mut believed = self.believed();
        let key = |bus: &str, rule: &str| (scope.clone(), bus.to_owned(), rule.to_owned());
        match (call, &mut answer) {
            (Call::DeleteRule { .. }, Ok(_)) if mutant == Mutant::DeletionBelieved => {
                return Ok(Answer::Done { request_id: None });
            }
            (Call::DescribeRule { bus, rule }, Ok(_)) if believed.deleted.contains(&key(bus, rule)) => {
                return Err(not_found(scope, call));
            }
            (Call::PutTargets { bus, rule, targets }, Ok(Answer::Entries { failed, .. }))
                if mutant == Mutant::FailedEntriesIgnored && !failed.is_empty() =>
            {
                believed.targets.entry(key(bus, rule)).or_default().extend(targets.iter().cloned());
                failed.clear();
            }
            (Call::ListTargetsByRule { bus, rule, .. }, Ok(Answer::Targets(page))) if page.next_token.is_none() => {
                for (id, spec) in believed.targets.get(&key(bus, rule)).into_iter().flatten() {
                    page.items.retain(|(found, _)| found != id);
                    page.items.push((id.clone(), LiveTarget { spec: spec.clone(), other: BTreeMap::new() }));
                }
            }
            (Call::DescribeRule { bus, rule }, Ok(Answer::Rule(found))) => {
                believe_rule(&believed, &key(bus, rule), found);
            }
            (Call::ListRules { bus, .. }, Ok(Answer::Rules(page))) => {
                for found in &mut page.items {
                    let key = key(bus, &found.name);
                    believe_rule(&believed, &key, found);
                }
            }
            (Call::ListTagsForResource { arn }, Ok(Answer::Tags(tags))) => {
                tags.extend(
                    believed.tags.get(arn).into_iter().flatten().map(|(key, value)| (key.clone(), value.clone())),
                );
            }
            (Call::DescribeEventBus { bus }, Ok(Answer::Bus(summary, settings))) => {
                if let Some(asked) = believed.keys.get(&(scope.clone(), bus.clone())) {
                    settings.kms_key.clone_from(asked);
                }
                if let (Some(policy), Some(id)) =
                    (&mut summary.policy, believed.patterns.get("ww_wheelwright_statement"))
                {
                    *policy = policy.replace("ww_wheelwright_statement", id);
                }
            }
            _ => {}
        }
        answer
    }

    /// What is put takes the place of what is there.
    async fn replacing(&self, mutant: Mutant, scope: &Scope, call: Call) -> Result<Answer, CallError> {
        match (mutant, &call) {
            (Mutant::TargetsReplaced, Call::PutTargets { bus, rule, targets }) => {
                let keep: BTreeSet<&String> = targets.iter().map(|(id, _)| id).collect();
                let there = self.targets_of(scope, bus, rule).await;
                let ids: Vec<String> = there.into_keys().filter(|id| !keep.contains(id)).collect();
                if !ids.is_empty() {
                    let remove = Call::RemoveTargets { bus: bus.clone(), rule: rule.clone(), target_ids: ids };
                    _ = self.inner.call(scope, remove).await;
                }
            }
            (Mutant::RuleRecreated, Call::PutRule { bus, rule, .. }) => {
                let there = self.targets_of(scope, bus, rule).await;
                if !there.is_empty() {
                    let target_ids = there.keys().cloned().collect();
                    let remove = Call::RemoveTargets { bus: bus.clone(), rule: rule.clone(), target_ids };
                    _ = self.inner.call(scope, remove).await;
                    _ = self.inner.call(scope, Call::DeleteRule { bus: bus.clone(), rule: rule.clone() }).await;
                    let answer = self.inner.call(scope, call.clone()).await;
                    let targets = there.into_iter().map(|(id, live)| (id, live.spec)).collect();
                    let put = Call::PutTargets { bus: bus.clone(), rule: rule.clone(), targets };
                    _ = self.inner.call(scope, put).await;
                    return answer;
                }
            }
            (Mutant::ArchiveRecreated, Call::UpdateArchive { archive, description, retention_days }) => {
                let describe = Call::DescribeArchive { archive: archive.clone() };
                if let Ok(Answer::Archive(live)) = self.inner.call(scope, describe).await {
                    _ = self.inner.call(scope, Call::DeleteArchive { archive: archive.clone() }).await;
                    let create = Call::CreateArchive {
                        archive: archive.clone(),
                        source_arn: live.source_arn,
                        description: description.clone(),
                        retention_days: *retention_days,
                    };
                    return self.inner.call(scope, create).await;
                }
            }
            (Mutant::TagsReplaced, Call::TagResource { arn, tags }) => {
                let list = Call::ListTagsForResource { arn: arn.clone() };
                if let Ok(Answer::Tags(there)) = self.inner.call(scope, list).await {
                    let keys: Vec<String> = there.keys().filter(|key| !tags.contains_key(*key)).cloned().collect();
                    if !keys.is_empty() {
                        _ = self.inner.call(scope, Call::UntagResource { arn: arn.clone(), keys }).await;
                    }
                }
            }
            _ => {}
        }
        self.inner.call(scope, call).await
    }

    async fn targets_of(&self, scope: &Scope, bus: &str, rule: &str) -> BTreeMap<String, LiveTarget> {
        let mut found = BTreeMap::new();
        let mut next_token = None;
        loop {
            let list = Call::ListTargetsByRule { bus: bus.to_owned(), rule: rule.to_owned(), next_token };
            let Ok(Answer::Targets(page)) = self.inner.call(scope, list).await else { return found };
            found.extend(page.items);
            next_token = page.next_token;
            if next_token.is_none() {
                return found;
            }
        }
    }

    /// A rule is described as it was listed, until it is written.
    async fn reading_once(&self, scope: &Scope, call: Call) -> Result<Answer, CallError> {
        match &call {
            Call::ListEventBuses { next_token: None } => {
                let mut believed = self.believed();
                believed.listed.retain(|(of, _), _| of != scope);
                believed.written.retain(|(of, ..)| of != scope);
            }
            Call::PutRule { bus, rule, .. } | Call::DeleteRule { bus, rule } => {
                self.believed().written.insert((scope.clone(), bus.clone(), rule.clone()));
            }
            Call::DescribeRule { bus, rule } => {
                let believed = self.believed();
                if !believed.written.contains(&(scope.clone(), bus.clone(), rule.clone())) {
                    let listed = believed.listed.get(&(scope.clone(), bus.clone()));
                    let found = listed.and_then(|listed| listed.get(rule)).cloned().map(Answer::Rule);
                    return found.ok_or_else(|| not_found(scope, &call));
                }
            }
            _ => {}
        }
        let answer = self.inner.call(scope, call.clone()).await;
        if let (Call::ListRules { bus, .. }, Ok(Answer::Rules(page))) = (&call, &answer) {
            let mut believed = self.believed();
            let listed = believed.listed.entry((scope.clone(), bus.clone())).or_default();
            listed.extend(page.items.iter().map(|rule| (rule.name.clone(), rule.clone())));
        }
        answer
    }

    /// Rules that are named as ours are read with both our marks.
    async fn adopting(&self, scope: &Scope, call: Call) -> Result<Answer, CallError> {
        let mut answer = self.inner.call(scope, call.clone()).await;
        let mark = |bus: &str, rule: &mut RuleSummary| {
            let bus = BusId { scope: scope.clone(), name: bus.to_owned() };
            let resource = ResourceId::Rule(RuleId { bus, name: rule.name.clone() });
            let is_marked = Mark::on(&rule.description, &resource).is_some();
            if rule.name.starts_with("ww.") && !is_marked {
                let digest = wheelwright::model::mark::Digest::of(&["ours"]);
                rule.description = Mark::new(&"wheelwright".parse().unwrap(), 1, &resource, digest).stamp("ours");
            }
        };
        match (&call, &mut answer) {
            (Call::ListRules { bus, .. }, Ok(Answer::Rules(page))) => {
                page.items.iter_mut().for_each(|rule| mark(bus, rule));
            }
            (Call::DescribeRule { bus, .. }, Ok(Answer::Rule(rule))) => mark(bus, rule),
            (Call::ListTagsForResource { arn }, Ok(Answer::Tags(tags))) if arn.contains(":rule/") => {
                tags.insert("wheelwright:owner".to_owned(), "wheelwright".to_owned());
            }
            _ => {}
        }
        answer
    }

    /// A default bus that was idle at first is never looked at again, until something is put there.
    async fn taking_for_idle(&self, scope: &Scope, call: Call) -> Result<Answer, CallError> {
        let answer = self.inner.call(scope, call.clone()).await;
        let mut believed = self.believed();
        match (&call, answer) {
            (Call::PutRule { bus, .. }, answer) if bus == DEFAULT_BUS => {
                believed.idle.insert(scope.clone(), false);
                answer
            }
            (Call::ListRules { bus, .. }, Ok(Answer::Rules(mut page))) if bus == DEFAULT_BUS => {
                let is_empty = page.items.iter().all(|rule| !rule.name.starts_with("ww."));
                if *believed.idle.entry(scope.clone()).or_insert(is_empty) {
                    page.items.retain(|rule| !rule.name.starts_with("ww."));
                }
                Ok(Answer::Rules(page))
            }
            (_, answer) => answer,
        }
    }

    /// Readings are kept, until something is written in their scope.
    async fn serving_what_was_read(&self, scope: &Scope, call: Call) -> Result<Answer, CallError> {
        let key = (scope.clone(), format!("{call:?}"));
        let kept = self.believed().read.get(&key).filter(|(at, _)| at.elapsed() < BELIEVED).cloned();
        if let Some((_, answer)) = kept {
            return Ok(answer);
        }
        let answer = self.inner.call(scope, call.clone()).await;
        let mut believed = self.believed();
        if call.is_write() {
            believed.read.retain(|(of, _), _| of != scope);
        } else if let Ok(answer) = &answer {
            believed.read.insert(key, (Instant::now(), answer.clone()));
        }
        answer
    }

    /// One account's silence is taken for everybody's.
    async fn all_for_one(&self, scope: &Scope, call: Call) -> Result<Answer, CallError> {
        let is_believed_down = self.believed().unanswered.is_some_and(|at| at.elapsed() < BELIEVED);
        if is_believed_down {
            return Err(CallError {
                class: ErrorClass::NoAnswer,
                scope: scope.clone(),
                action: call.action().to_owned(),
                code: None,
                message: "nobody answers, it seems".to_owned(),
                request_id: None,
            });
        }
        let answer = self.inner.call(scope, call).await;
        if answer.as_ref().is_err_and(|error| error.class == ErrorClass::NoAnswer) {
            self.believed().unanswered = Some(Instant::now());
        }
        answer
    }

    /// PutPermission with a document would have left out whatever is not in it.
    fn drop_foreign_statements(&self, scope: &Scope, bus: &str) {
        let (account, region) = (scope.account.to_string(), scope.region.as_str());
        let mut world = self.sim.world();
        let statements = crate::oracle::items(&world, |item| {
            item.kind == SnapshotKind::Statement
                && item.account == account
                && item.region == region
                && item.bus == bus
                && !item.name.starts_with("ww_wheelwright_")
        });
        for sid in statements.values().filter_map(|statement| statement["Sid"].as_str()) {
            let input = serde_json::json!({"EventBusName": bus, "StatementId": sid});
            let caller = Caller::root(&account);
            let _ = world.call(&caller, region, Service::EventBridge, "RemovePermission", &input);
        }
    }

    /// The scope whose credentials are at hand: for one of the topology, chosen by the seed, another.
    fn at_hand(&self, scope: &Scope, mutant: Mutant) -> Scope {
        let mut rng = Rng::new(self.seed);
        let confused = rng.pick(&self.scopes).clone();
        let is_near = |other: &Scope| match mutant {
            Mutant::AccountCheckSkipped => other.region == scope.region,
            _ => other.account == scope.account,
        };
        let others: Vec<&Scope> = self.scopes.iter().filter(|other| is_near(other) && *other != scope).collect();
        if *scope == confused && !others.is_empty() { (*rng.pick(&others)).clone() } else { scope.clone() }
    }
}

fn not_found(scope: &Scope, call: &Call) -> CallError {
    CallError {
        class: ErrorClass::NotFound,
        scope: scope.clone(),
        action: call.action().to_owned(),
        code: None,
        message: "it is gone, is it not?".to_owned(),
        request_id: None,
    }
}

fn believe_rule(believed: &Believed, key: &RuleKey, found: &mut RuleSummary) {
    if let Some(asked) = found.pattern.as_ref().and_then(|pattern| believed.patterns.get(pattern)) {
        found.pattern = Some(asked.clone());
    }
    if let Some(asked) = believed.patterns.get(&found.description) {
        found.description.clone_from(asked);
    }
    if believed.disabled.contains(key) {
        found.state = "DISABLED".to_owned();
    }
}

fn without(pattern: &str, field: &str) -> String {
    let mut value: Value = serde_json::from_str(pattern).unwrap();
    if let Some(fields) = value.as_object_mut()
        && fields.len() > 1
    {
        fields.remove(field);
    }
    value.to_string()
}

fn only_page(answer: Answer) -> Answer {
    match answer {
        Answer::Buses(page) => Answer::Buses(Page { next_token: None, ..page }),
        Answer::Rules(page) => Answer::Rules(Page { next_token: None, ..page }),
        Answer::Targets(page) => Answer::Targets(Page { next_token: None, ..page }),
        Answer::Archives(page) => Answer::Archives(Page { next_token: None, ..page }),
        other => other,
    }
}

/// What a listing answers that has no entries.
fn empty(call: &Call) -> Option<Answer> {
    match call {
        Call::ListRules { .. } => Some(Answer::Rules(Page { items: Vec::new(), next_token: None })),
        Call::ListTargetsByRule { .. } => Some(Answer::Targets(Page { items: Vec::new(), next_token: None })),
        Call::ListArchives { .. } => Some(Answer::Archives(Page { items: Vec::new(), next_token: None })),
        Call::ListTagsForResource { .. } => Some(Answer::Tags(Tags::new())),
        _ => None,
    }
}

/// What the bug makes of what the topology asks for. `sweeps` is how many there were before.
pub fn spoil(mutant: Mutant, wanted: &mut Desired, sweeps: usize) {
    match mutant {
        Mutant::GrantForgotten => _ = wanted.grants.pop_first(),
        Mutant::RuleForgotten => _ = wanted.rules.pop_first(),
        Mutant::StopForgotten => wanted.rules.values_mut().for_each(|rule| rule.spec.state = RuleState::Enabled),
        Mutant::FilterForgotten => {
            for rule in wanted.rules.values_mut() {
                let text = without(&rule.spec.pattern.to_string(), "detail");
                rule.spec.pattern = Pattern::parse(&text).unwrap();
            }
        }
        Mutant::TagForgotten => {
            let ours = |key: &String, _: &String| key.starts_with("wheelwright:");
            wanted.rules.values_mut().for_each(|rule| rule.spec.tags.retain(ours));
            wanted.buses.values_mut().for_each(|bus| bus.spec.tags.retain(ours));
        }
        // Archives are asked for longer than before, which is when it shows.
        Mutant::ArchiveRecreated if wanted.revision.sequence > 1 => {
            wanted.archives.values_mut().for_each(|archive| archive.spec.retention_days += 30);
        }
        Mutant::RetentionForgotten => {
            wanted.archives.values_mut().for_each(|archive| archive.spec.retention_days = 1);
        }
        Mutant::AccountForgotten => {
            let asked: BTreeSet<&Scope> = wanted
                .buses
                .keys()
                .map(|bus| &bus.scope)
                .chain(wanted.rules.keys().map(|rule| &rule.bus.scope))
                .chain(wanted.grants.keys().map(|(bus, _)| &bus.scope))
                .collect();
            let scopes = wanted.scopes.iter().filter(|scope| asked.contains(scope)).cloned().collect();
            wanted.scopes = scopes;
        }
        Mutant::SequenceForgotten => wanted.revision.sequence = 7,
        Mutant::DescriptionVaries => {
            wanted.rules.values_mut().for_each(|rule| rule.spec.description = format!("start {sweeps}"));
        }
        Mutant::OwnerForgotten => wanted.owner = "wheelwright".parse().unwrap(),
        _ => {}
    }
}

/// A sweep put together as the program's own is, but for the bug.
pub async fn sweep<F: Fleet, C: Clock, L: Listener>(
    sweeper: &Sweeper<'_, F, C, L>,
    approval: &Approval,
    mutant: Mutant,
) -> (Plan, Swept) {
    let look = async || {
        let mut world = sweeper.look().await;
        if mutant == Mutant::GapsForgotten {
            forget_gaps(&mut world, sweeper.clock.now());
        }
        let plan = spoilt_plan(mutant, sweeper.plan(&world));
        (world, plan)
    };
    let told = |step: &Step, outcome: &StepOutcome| sweeper.listener.step_ended(step, outcome);
    let keys = |plan: &Plan| plan.steps.iter().map(Step::key).collect::<BTreeSet<StepKey>>();
    let (_, first) = look().await;
    let approved = approve(&first, approval).unwrap();
    let mut outcomes = BTreeMap::new();
    let at_once = mutant == Mutant::OrderForgotten;
    if mutant == Mutant::DeleteBeforeCreate || at_once {
        let breaks: Vec<Step> = approved.steps().iter().filter(|step| step.is_break() || at_once).cloned().collect();
        let breaks = waiting_for_each_other_alone(breaks);
        outcomes.extend(apply(sweeper.fleet, &breaks, &BTreeSet::new(), 64, &told, &|| false).await);
    }
    let makes: Vec<Step> = approved.steps().iter().filter(|step| !step.is_break()).cloned().collect();
    outcomes.extend(apply(sweeper.fleet, &makes, &keys(&first), 64, &told, &|| false).await);
    if approved.steps().iter().any(Step::is_break) {
        if mutant != Mutant::SettleTimeSkipped {
            sweeper.clock.wait_ms(sweeper.settings.settle_ms).await;
        }
        let (_, later) = look().await;
        let again = approve(&later, approval).unwrap().only_of(&approved);
        let breaks: Vec<Step> = again.steps().iter().filter(|step| step.is_break()).cloned().collect();
        outcomes.extend(apply(sweeper.fleet, &breaks, &keys(&later), 64, &told, &|| false).await);
    }
    let (_, after) = look().await;
    (first, Swept { outcomes, left_out: 0, after })
}

fn spoilt_plan(mutant: Mutant, mut plan: Plan) -> Plan {
    match mutant {
        Mutant::HoldsForgotten => {
            plan.holds.clear();
            plan.steps.iter_mut().for_each(|step| step.held_by.clear());
        }
        Mutant::PutsUncounted => {
            let is_put = |step: &&mut Step| matches!(step.action, Action::PutRule { .. } | Action::PutTargets { .. });
            for step in plan.steps.iter_mut().filter(is_put) {
                step.held_by.retain(|guard| !matches!(guard, Guard::TooManyBreaks | Guard::TooManyChanges));
            }
        }
        Mutant::OrderForgotten => {
            plan.steps.reverse();
            plan.steps.iter_mut().for_each(|step| step.after.clear());
        }
        Mutant::FailureForgotten => plan.steps.iter_mut().for_each(|step| step.after.clear()),
        Mutant::NarrowedAtOnce => {
            plan.steps.retain(|step| !is_part(step, RulePart::Widen));
            for step in plan.steps.iter_mut().filter(|step| is_part(step, RulePart::Narrow)) {
                step.kind = StepKind::Make;
                step.after.clear();
            }
            plan.steps.sort_by_key(|step| !is_part(step, RulePart::Narrow));
        }
        _ => {}
    }
    plan
}

fn is_part(step: &Step, wanted: RulePart) -> bool {
    matches!(step.action, Action::PutRule { part, .. } if part == wanted)
}

fn waiting_for_each_other_alone(mut steps: Vec<Step>) -> Vec<Step> {
    let keys: BTreeSet<StepKey> = steps.iter().map(Step::key).collect();
    for step in &mut steps {
        step.after.retain(|key| keys.contains(key));
    }
    steps
}

fn forget_gaps(world: &mut World, now: wheelwright::model::ids::Moment) {
    for observation in world.scopes.values_mut() {
        let view = observation.view().cloned();
        *observation = match observation {
            Observation::NoAccess => Observation::NoAccess,
            _ => {
                let mut view = view.unwrap_or_default();
                view.buses_read = true;
                view.archives_read = true;
                view.buses.iter_mut().for_each(|(_, bus)| bus.rules_read = true);
                Observation::Complete { at: now, view: view.into() }
            }
        };
    }
}
