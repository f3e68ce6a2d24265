//! Where the oracle listens: at the simulated AWS, behind either door, and at what the sweep says of itself.

use crate::hands::Meddler;
use crate::hearing::Hearing;
use crate::oracle::{Check, Oracle};
use crate::rng::Rng;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex, PoisonError};
use wheelwright::aws::AwsFleet;
use wheelwright::call::{Answer, Call, CallError, ErrorClass};
use wheelwright::model::ids::Scope;
use wheelwright::model::plan::{Action, Step};
use wheelwright::model::topology::Tags;
use wheelwright::port::Fleet;
use wheelwright::reconcile::apply::StepOutcome;
use wheelwright::reconcile::sweep::Listener;
use wheelwright::sim::call_door::SimFleet;
use wheelwright::sim::fault::SLOW;
use wheelwright::sim::{SimulatedAws, SnapshotItem, SnapshotKind, TargetFailure};

/// The simulated AWS with the oracle looking after each write.
pub struct Watched {
    fleet: SimFleet,
    /// The shipped edge on the way to it, where the seed comes in by the SDK door.
    sdk: Option<Arc<AwsFleet>>,
    oracle: Option<Oracle>,
    /// Another owner's, who has things in the same accounts.
    neighbour: Option<Oracle>,
    flaky: Option<Mutex<Flaky>>,
    meddler: Option<Mutex<Meddler>>,
    /// The simulated time is set to this clock's before each call.
    time: Option<crate::clock::Timeline>,
    /// The world as it was before the first write and after each, where somebody wants to begin anew from there.
    forks: Option<Forks>,
}

/// A world and what the oracle knew then.
pub type Forks = Arc<Mutex<Vec<(SimFleet, Oracle)>>>;

/// Lets single targets of PutTargets and RemoveTargets fail, though AWS answers 200.
struct Flaky {
    rng: Rng,
    percent: usize,
}

impl Watched {
    pub fn new(fleet: SimFleet, oracle: Oracle) -> Self {
        Self {
            fleet,
            sdk: None,
            oracle: Some(oracle),
            neighbour: None,
            flaky: None,
            meddler: None,
            time: None,
            forks: None,
        }
    }

    pub fn by_sdk(mut self, sdk: Option<AwsFleet>) -> Self {
        self.sdk = sdk.map(Arc::new);
        self
    }

    pub fn with_failing_entries(mut self, seed: u64, percent: usize) -> Self {
        self.flaky = Some(Mutex::new(Flaky { rng: Rng::new(seed), percent }));
        self
    }

    pub fn with_meddler(mut self, meddler: Option<Meddler>) -> Self {
        self.meddler = meddler.map(Mutex::new);
        self
    }

    pub fn with_time(mut self, time: crate::clock::Timeline) -> Self {
        self.time = Some(time);
        self
    }

    pub fn beside(mut self, neighbour: Option<Oracle>) -> Self {
        self.neighbour = neighbour;
        self
    }

    pub fn keeping_forks(mut self, forks: Option<Forks>) -> Self {
        self.forks = forks;
        self
    }

    /// The same, cut off from later writes and from the oracle: what stale reads come from.
    pub fn fork(&self) -> Self {
        Self::by_nobody(self.fleet.fork())
    }

    /// A simulated AWS that nobody looks at.
    pub fn by_nobody(fleet: SimFleet) -> Self {
        Self { fleet, sdk: None, oracle: None, neighbour: None, flaky: None, meddler: None, time: None, forks: None }
    }

    /// The process before it has ended: who meddled with it goes, too.
    pub fn ended(&self) {
        if let (Some(meddler), Some(oracle)) = (&self.meddler, &self.oracle) {
            let meddler = meddler.lock().unwrap_or_else(PoisonError::into_inner);
            meddler.leave(&mut self.fleet.world(), oracle);
        }
    }

    fn fail_entries(&self, scope: &Scope, call: &Call) {
        let ids: Vec<String> = match call {
            Call::PutTargets { targets, .. } => targets.iter().map(|(id, _)| id.clone()).collect(),
            Call::RemoveTargets { target_ids, .. } => target_ids.clone(),
            _ => return,
        };
        let Some(flaky) = &self.flaky else { return };
        let mut flaky = flaky.lock().unwrap_or_else(PoisonError::into_inner);
        let percent = flaky.percent;
        for target_id in ids {
            if flaky.rng.chance(percent) {
                self.fleet.world().fail_targets(TargetFailure {
                    account: scope.account.to_string(),
                    target_id,
                    code: "ConcurrentModificationException".to_owned(),
                    message: "injected".to_owned(),
                    times: 1,
                });
            }
        }
    }

    fn meddle(&self, scope: &Scope, call: &Call) {
        if let (Some(meddler), Some(oracle)) = (&self.meddler, &self.oracle) {
            let mut meddler = meddler.lock().unwrap_or_else(PoisonError::into_inner);
            meddler.meddle(&mut self.fleet.world(), oracle, scope, call);
        }
    }

    fn keep_fork(&self) {
        if let (Some(forks), Some(oracle)) = (&self.forks, &self.oracle) {
            let fork = (self.fleet.fork(), oracle.fork());
            forks.lock().unwrap_or_else(PoisonError::into_inner).push(fork);
        }
    }

    async fn pass(&self, scope: &Scope, call: Call) -> Result<Answer, CallError> {
        match &self.sdk {
            // A box of its own: it is large, and would be a part of every other call as well.
            Some(sdk) => Box::pin(sdk.call(scope, call)).await,
            None => self.fleet.call_now(scope, &call),
        }
    }
}

impl Fleet for Watched {
    async fn call(&self, scope: &Scope, call: Call) -> Result<Answer, CallError> {
        if let Some(time) = &self.time {
            time.set(&mut self.fleet.world());
        }
        if self.oracle.as_ref().is_some_and(|oracle| oracle.hangs(&scope.account.to_string())) {
            return give_up(scope, &call).await;
        }
        if !call.is_write() {
            return self.pass(scope, call).await;
        }
        self.fail_entries(scope, &call);
        self.meddle(scope, &call);
        for oracle in self.oracle.iter().chain(&self.neighbour) {
            oracle.before_write(&self.fleet.world(), scope, &call);
        }
        let answer = self.pass(scope, call).await;
        if let Some(oracle) = &self.oracle {
            oracle.after_write(&mut self.fleet.world());
        }
        if let Some(neighbour) = &self.neighbour {
            neighbour.after_anothers_write(&self.fleet.world());
        }
        self.keep_fork();
        answer
    }
}

/// Nobody answers, and the caller does not wait for longer than the shipped edge does.
#[allow(clippy::disallowed_methods)] // The network's time, which no clock of ours is asked for.
async fn give_up(scope: &Scope, call: &Call) -> Result<Answer, CallError> {
    tokio::time::sleep(SLOW).await;
    Err(CallError {
        class: ErrorClass::NoAnswer,
        scope: scope.clone(),
        action: call.action().to_owned(),
        code: None,
        message: "injected: the account does not answer".to_owned(),
        request_id: None,
    })
}

/// Hears what the sweep says of itself, and holds it against the world.
pub struct Hearer {
    pub oracle: Oracle,
    pub hearing: Hearing,
    pub fleet: SimFleet,
}

impl Listener for Hearer {
    fn scope_read(&self, scope: &Scope, _: &wheelwright::model::world::Observation) {
        self.hearing.refresh_ended(scope);
    }

    fn step_ended(&self, step: &Step, outcome: &StepOutcome) {
        if !outcome.is_ok() || self.oracle.is_lied_to() {
            return;
        }
        let world = self.fleet.world().clone();
        if let Some(lie) = false_report(&world, &step.action) {
            self.oracle.violate(Check::FalseReport, format!("{} said {outcome:?}, and {lie}", step.key()));
        }
    }
}

/// What the world says against a step's being done.
fn false_report(aws: &SimulatedAws, action: &Action) -> Option<String> {
    let scope = action.scope();
    let (account, region) = (scope.account.to_string(), scope.region.as_str());
    let find = |kind: SnapshotKind, bus: &str, rule: &str, name: &str| {
        let is_it = |item: &SnapshotItem<'_>| {
            item.kind == kind && (kind == SnapshotKind::Rule || item.rule == rule) && item.name == name
        };
        let found = match kind {
            SnapshotKind::Archive => aws.snapshot_in(&account, region, is_it),
            _ => aws.snapshot_of_bus(&account, region, bus, is_it),
        };
        found.as_object().and_then(|found| found.values().next().cloned())
    };
    match action {
        Action::CreateBus { bus, .. } => {
            find(SnapshotKind::Bus, &bus.name, "", &bus.name).is_none().then(|| "there is no such bus".to_owned())
        }
        Action::PutGrant { bus, statement_id, .. } => find(SnapshotKind::Statement, &bus.name, "", statement_id)
            .is_none()
            .then(|| "there is no such statement".to_owned()),
        Action::RemoveGrant { bus, statement_id } => {
            find(SnapshotKind::Statement, &bus.name, "", statement_id).map(|_| "the statement is there".to_owned())
        }
        Action::PutRule { rule, pattern, .. } => {
            let live = find(SnapshotKind::Rule, &rule.bus.name, &rule.name, &rule.name);
            let same = live.is_some_and(|live| live["EventPattern"] == json!(pattern));
            (!same).then(|| "the rule has another pattern".to_owned())
        }
        Action::DeleteRule { rule } => {
            find(SnapshotKind::Rule, &rule.bus.name, &rule.name, &rule.name).map(|_| "the rule is there".to_owned())
        }
        Action::PutTargets { rule, targets } => targets.iter().find_map(|(id, spec)| {
            let live = find(SnapshotKind::Target, &rule.bus.name, &rule.name, id);
            let same = live.is_some_and(|live| live["Arn"] == json!(spec.arn));
            (!same).then(|| format!("there is no target {id} to {}", spec.arn))
        }),
        Action::RemoveTargets { rule, target_ids } => target_ids.iter().find_map(|id| {
            find(SnapshotKind::Target, &rule.bus.name, &rule.name, id).map(|_| format!("target {id} is there"))
        }),
        Action::UpdateBus { bus, settings } => {
            let live = find(SnapshotKind::Bus, &bus.name, "", &bus.name).unwrap_or_default();
            let text = |pointer: &str| live.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
            let as_said = text("/Description").as_ref() == Some(&settings.description)
                && text("/KmsKeyIdentifier") == settings.kms_key
                && text("/DeadLetterConfig/Arn") == settings.dead_letter_arn
                && text("/LogConfig/Level") == Some(settings.log.level.to_string());
            (!as_said).then(|| format!("the bus is {live}"))
        }
        Action::TagBus { bus, tags } => {
            tags_lie(&find(SnapshotKind::Bus, &bus.name, "", &bus.name).unwrap_or_default(), Some(tags), &[])
        }
        Action::UntagBus { bus, keys } => {
            let keys: Vec<&String> = keys.iter().collect();
            tags_lie(&find(SnapshotKind::Bus, &bus.name, "", &bus.name).unwrap_or_default(), None, &keys)
        }
        Action::TagRule { rule, tags } => {
            let live = find(SnapshotKind::Rule, &rule.bus.name, &rule.name, &rule.name);
            tags_lie(&live.unwrap_or_default(), Some(tags), &[])
        }
        Action::UntagRule { rule, keys } => {
            let live = find(SnapshotKind::Rule, &rule.bus.name, &rule.name, &rule.name);
            tags_lie(&live.unwrap_or_default(), None, &keys.iter().collect::<Vec<_>>())
        }
        Action::CreateArchive { archive, spec } | Action::UpdateArchive { archive, spec } => {
            let live = find(SnapshotKind::Archive, "", "", &archive.name).unwrap_or_default();
            let same = live["RetentionDays"] == json!(spec.retention_days);
            (!same).then(|| format!("the archive is {live}"))
        }
    }
}

/// What a thing's tags say against these having been set, and those keys having been removed.
fn tags_lie(thing: &Value, set: Option<&Tags>, removed: &[&String]) -> Option<String> {
    let live = |key: &String| {
        let tags = thing["Tags"].as_array().into_iter().flatten();
        tags.filter(|tag| tag["Key"] == json!(key)).find_map(|tag| tag["Value"].as_str())
    };
    let unset = set.into_iter().flatten().any(|(key, value)| live(key) != Some(value.as_str()));
    (unset || removed.iter().any(|key| live(key).is_some())).then(|| format!("its tags are {}", thing["Tags"]))
}
