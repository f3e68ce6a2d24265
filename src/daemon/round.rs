//! One sweep of the daemon's: what was read → plan → what may be done now → what became of it.

use super::config::Config;
use super::memory::Memory;
use super::met;
use crate::model::desired::Desired;
use crate::model::finding::{FindingCode, Outcome};
use crate::model::history::{SweepRecord, WriteEnd, WriteRecord};
use crate::model::ids::{Moment, Scope};
use crate::model::incident::{Concern, Subject};
use crate::model::order::LiveStop;
use crate::model::plan::{Guard, Plan, Step};
use crate::model::resource::ResourceId;
use crate::model::world::Observation;
use crate::plan::{Approval, Restraints, restrain, waiting};
use crate::port::{Clock, Fleet};
use crate::reconcile::apply::StepOutcome;
use crate::reconcile::refresh::{Depth, RefreshSettings};
use crate::reconcile::sweep::{Breaks, Listener, SweepSettings, Sweeper};
use crate::watch::incident::Sight;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

/// What a sweep is made with.
pub(super) struct Round<'a, F, C> {
    pub(super) fleet: &'a F,
    pub(super) clock: &'a C,
    pub(super) config: &'a Config,
    pub(super) desired: &'a Desired,
    pub(super) restraints: &'a Restraints,
    pub(super) unready_stops: &'a [LiveStop],
    pub(super) topology_refused: Option<&'a str>,
    pub(super) source_unreachable: Option<&'a str>,
    pub(super) channels_unready: Option<&'a str>,
    pub(super) state_lost: bool,
    /// Set where it should end as soon as it safely can.
    pub(super) interrupt: &'a AtomicBool,
    pub(super) sweep_id: u64,
    pub(super) trigger: &'a str,
    /// What was read for it to the end, and whether all that we set was.
    pub(super) read: BTreeMap<Scope, bool>,
    pub(super) depth: Depth,
    /// Whether it is a full one of all scopes.
    pub(super) reads_all: bool,
    pub(super) began: Moment,
}

/// What came of a sweep.
pub(super) struct Ended {
    pub(super) record: SweepRecord,
    pub(super) writes: Vec<WriteRecord>,
    pub(super) sight: Sight,
    pub(super) plan: Plan,
    /// What is left alone from now on.
    pub(super) tripped: Vec<ResourceId>,
    /// Where something could not be done that only a full reading sees.
    pub(super) again: BTreeSet<Scope>,
}

impl<F: Fleet, C: Clock> Round<'_, F, C> {
    /// Plans over what `memory` knows, does what may be done, and says what is wrong before and after.
    pub(super) async fn go(self, memory: &mut Memory) -> Ended {
        let settings = self.sweep_settings();
        let heard = Heard::new(self.clock, self.interrupt);
        let sweeper = Sweeper {
            fleet: self.fleet,
            clock: self.clock,
            listener: &heard,
            desired: self.desired,
            settings: &settings,
        };
        let restrained = |plan: &mut Plan| restrain(plan, self.desired, &self.config.places, self.restraints);
        let mut plan = sweeper.plan(&memory.world);
        restrained(&mut plan);
        memory.settling.see(&plan, self.clock.now());
        let settle_ms = settings.settle_ms;
        let ready = memory.settling.ready(self.clock.now(), settle_ms);
        let swept =
            sweeper.apply_now(&mut memory.world, &plan, &Approval::default(), Breaks::Ready(&ready), &restrained).await;
        let after = swept.map_or_else(|_| plan.clone(), |swept| swept.after);
        memory.settling.see(&after, self.clock.now());
        if self.reads_all {
            memory.waiting = waiting(&after, &memory.waiting, |scope| self.read.get(scope) == Some(&true));
        }
        let Steps { outcomes, scopes } = heard.into_steps();
        memory.in_vain.count(&outcomes, &after, self.depth);
        let again = memory.in_vain.to_look_at_again(&outcomes);
        let writes: Vec<WriteRecord> = outcomes.iter().filter_map(|ended| self.write_record(ended, &plan)).collect();
        let now = self.clock.now();
        let reverted = writes.iter().filter(|write| write.is_revert()).map(|write| write.resource.clone()).collect();
        let tripped = memory.breaker.mended(&reverted, now, &self.config.settings.breaker);
        let sight = self.sight(&plan, &after, &outcomes, scopes, memory, now);
        let record = self.record(&plan, &after, &outcomes, &sight, memory, now);
        met::see(&mut memory.world, &after, &sight.read);
        Ended { record, writes, sight, plan: after, tripped, again }
    }

    fn sweep_settings(&self) -> SweepSettings {
        let pace = &self.config.settings.pace;
        SweepSettings {
            refresh: RefreshSettings {
                depth: self.depth,
                scopes_in_flight_max: pace.accounts_in_flight_max as usize,
                scope_deadline_ms: u64::from(pace.scope_deadline_secs) * 1_000,
            },
            plan: self.config.settings.guards.clone(),
            settle_ms: u64::from(pace.settle_secs) * 1_000,
        }
    }

    fn sight(
        &self,
        plan: &Plan,
        after: &Plan,
        outcomes: &[StepEnd],
        scopes: BTreeSet<Scope>,
        memory: &Memory,
        now: Moment,
    ) -> Sight {
        let mut read = self.read.clone();
        for scope in scopes {
            *read.entry(scope).or_default() |= self.depth == Depth::Full;
        }
        let standing = self.standing(memory);
        let mut before: Vec<Concern> = plan.findings.iter().map(Concern::from).collect();
        before.extend(standing.clone());
        before.extend(held(plan));
        let mut concerns: Vec<Concern> = after.findings.iter().map(Concern::from).collect();
        concerns.extend(standing);
        concerns.extend(held(after));
        concerns.extend(outcomes.iter().filter_map(|ended| memory.in_vain.concern(ended)));
        let swept = self.desired.scopes.clone();
        Sight { at: now, revision: self.config.revision.id.clone(), before, after: concerns, read, swept }
    }

    /// What is wrong beyond what a plan finds.
    fn standing(&self, memory: &Memory) -> Vec<Concern> {
        let mut concerns = Vec::new();
        if let Some(why) = self.topology_refused {
            concerns.push(Concern::of_operator(FindingCode::TopologyRefused, Outcome::Left, why));
        }
        if let Some(why) = self.source_unreachable {
            concerns.push(Concern::of_operator(FindingCode::SourceUnreachable, Outcome::Left, why));
        }
        if let Some(why) = self.channels_unready {
            concerns.push(Concern::of_operator(FindingCode::ChannelsUnready, Outcome::Waiting, why));
        }
        if self.state_lost {
            let detail =
                "the state file is new and the accounts bear our marks: pauses, stops and breakers are not known";
            concerns.push(Concern::of_operator(FindingCode::StateLost, Outcome::Waiting, detail));
        }
        for (resource, since) in memory.breaker.tripped() {
            let settings = &self.config.settings.breaker;
            concerns.push(Concern {
                subject: Subject::Resource(resource.clone()),
                code: FindingCode::SecondWriter,
                outcome: Outcome::Held,
                detail: format!(
                    "mended {} times within {} s, and taken back each time; left alone since {since}",
                    settings.reverts_max, settings.window_secs
                ),
                team: self.team_of(resource),
                origin: self.desired.origin(resource).cloned(),
            });
        }
        for stop in self.unready_stops {
            let detail = format!(
                "{} was to be held off until {} ({}), and is not in the topology or its team's file has errors",
                stop.subscription, stop.order.until, stop.order.reason
            );
            let concern = Concern::of_operator(FindingCode::StopUnready, Outcome::Waiting, detail);
            concerns.push(Concern { team: Some(stop.subscription.team.clone()), ..concern });
        }
        concerns
    }

    fn team_of(&self, resource: &ResourceId) -> Option<crate::model::ids::TeamName> {
        match resource {
            ResourceId::Rule(rule) | ResourceId::Target(rule, _) => self.desired.rules.get(rule)?.team.clone(),
            ResourceId::Bus(bus) => self.desired.buses.get(bus)?.team.clone(),
            ResourceId::Grant(bus, statement) => {
                self.desired.grants.get(&(bus.clone(), statement.clone()))?.team.clone()
            }
            ResourceId::Archive(_) | ResourceId::Scope(_) => None,
        }
    }

    fn write_record(&self, ended: &StepEnd, plan: &Plan) -> Option<WriteRecord> {
        let StepEnd { step, outcome, at } = ended;
        let (end, message, request_id) = match outcome {
            StepOutcome::Done { request_id } => (WriteEnd::Done, None, request_id.clone()),
            StepOutcome::Conflict(what) => (WriteEnd::Conflict, Some(what.clone()), None),
            StepOutcome::Failed(error) => (WriteEnd::Failed, Some(error.to_string()), error.request_id.clone()),
            StepOutcome::NotVerified(what) => (WriteEnd::NotVerified, Some(what.clone()), None),
            StepOutcome::AlreadyDone | StepOutcome::Blocked(_) => return None,
        };
        let text = |value: Result<String, serde_json::Error>| value.unwrap_or_default();
        Some(WriteRecord {
            sweep: self.sweep_id,
            at: *at,
            resource: step.action.resource(),
            step: step.key(),
            cause: step.cause,
            codes: step.codes.clone(),
            before: text(serde_json::to_string(&step.seen)),
            after: text(serde_json::to_string(&step.action)),
            end,
            message,
            request_id,
            plan_id: plan.id.clone(),
            revision: plan.revision.id.clone(),
            team: step.team.clone(),
            origin: step.origin.clone(),
        })
    }

    fn record(
        &self,
        plan: &Plan,
        after: &Plan,
        outcomes: &[StepEnd],
        sight: &Sight,
        memory: &Memory,
        now: Moment,
    ) -> SweepRecord {
        let count =
            |good: fn(&StepOutcome) -> bool| outcomes.iter().filter(|ended| good(&ended.outcome)).count() as u64;
        let unread = |observation: &&Observation| {
            matches!(observation, Observation::Partial { .. } | Observation::Unreachable { .. })
        };
        SweepRecord {
            id: self.sweep_id,
            trigger: self.trigger.to_owned(),
            full: self.depth == Depth::Full,
            began: self.began,
            took_ms: now.millis_since(self.began),
            scopes_read: sight.read.len() as u64,
            scopes_unread: memory.world.scopes.values().filter(unread).count() as u64,
            revision: plan.revision.id.clone(),
            plan_id: (!plan.steps.is_empty()).then(|| plan.id.clone()),
            findings: plan.findings.len() as u64,
            done: count(StepOutcome::is_ok),
            failed: count(|outcome| !outcome.is_ok() && !matches!(outcome, StepOutcome::Blocked(_))),
            held: after.steps.iter().filter(|step| !step.held_by.is_empty()).count() as u64,
        }
    }
}

/// The concern that a plan waits for a person, if it does. What the daemon may not do by settings or by orders is told with each
/// finding, and is nobody's to decide now.
fn held(plan: &Plan) -> Option<Concern> {
    let for_a_person = |guard: Guard| {
        guard.may_be_allowed()
            || matches!(
                guard,
                Guard::NoRoom | Guard::EmptyTopology | Guard::ForeignTargets | Guard::BreaksRoute | Guard::OnDrift
            )
    };
    let reasons: Vec<String> = plan
        .holds
        .iter()
        .filter(|hold| for_a_person(hold.guard))
        .map(|hold| format!("{} ({} steps): {}", hold.guard, hold.steps, hold.reason))
        .collect();
    (!reasons.is_empty()).then(|| {
        let detail = format!("plan {}: {}", plan.id, reasons.join("; "));
        Concern::of_operator(FindingCode::PlanHeld, Outcome::Held, detail)
    })
}

/// A step that ended.
pub(super) struct StepEnd {
    pub(super) step: Step,
    pub(super) outcome: StepOutcome,
    pub(super) at: Moment,
}

/// What a sweep did and read on the way.
#[derive(Default)]
struct Steps {
    outcomes: Vec<StepEnd>,
    scopes: BTreeSet<Scope>,
}

/// Writes down what happens.
struct Heard<'a, C> {
    clock: &'a C,
    interrupt: &'a AtomicBool,
    steps: Mutex<Steps>,
}

impl<'a, C: Clock> Heard<'a, C> {
    fn new(clock: &'a C, interrupt: &'a AtomicBool) -> Self {
        Self { clock, interrupt, steps: Mutex::default() }
    }

    fn into_steps(self) -> Steps {
        self.steps.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<C: Clock> Listener for Heard<'_, C> {
    fn scope_read(&self, scope: &Scope, observation: &Observation) {
        if matches!(observation, Observation::Complete { .. }) {
            let mut steps = self.steps.lock().unwrap_or_else(PoisonError::into_inner);
            steps.scopes.insert(scope.clone());
        }
    }

    fn step_ended(&self, step: &Step, outcome: &StepOutcome) {
        let ended = StepEnd { step: step.clone(), outcome: outcome.clone(), at: self.clock.now() };
        self.steps.lock().unwrap_or_else(PoisonError::into_inner).outcomes.push(ended);
    }

    fn should_end(&self) -> bool {
        self.interrupt.load(Ordering::Relaxed)
    }
}
