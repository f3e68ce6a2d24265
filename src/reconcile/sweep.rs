//! One sweep: refresh → plan → approve → makes → settle → look again → breaks → look again.

use super::apply::{StepOutcome, apply};
use super::refresh::{RefreshSettings, refresh};
use crate::model::desired::Desired;
use crate::model::ids::Scope;
use crate::model::plan::{Plan, PlanSettings, Step, StepKey, StepKind};
use crate::model::world::{Observation, World};
use crate::plan::{Approval, Approved, Refusal, approve, plan};
use crate::port::{Clock, Fleet};
use std::collections::{BTreeMap, BTreeSet};

/// Milliseconds from one look at whether it should end to the next.
const SHOULD_END_EVERY_MS: u64 = 100;

/// How a sweep goes about it.
#[derive(Clone, Debug)]
pub struct SweepSettings {
    /// How fast it reads.
    pub refresh: RefreshSettings,
    /// What it holds.
    pub plan: PlanSettings,
    /// How long makes take to become effective at AWS, in milliseconds: breaks wait this long after the last make.
    pub settle_ms: u64,
}

/// Hears what happens, while it happens.
pub trait Listener: Sync {
    /// A scope was read, or could not be.
    fn scope_read(&self, scope: &Scope, observation: &Observation) {
        let _ = (scope, observation);
    }
    /// A step was done, or not.
    fn step_ended(&self, step: &Step, outcome: &StepOutcome) {
        let _ = (step, outcome);
    }
    /// Nothing is done for this many milliseconds, so that what was made becomes effective before something goes.
    fn settling(&self, milliseconds: u64) {
        let _ = milliseconds;
    }
    /// Whether what is under way should end as soon as it safely can: no further step is begun.
    fn should_end(&self) -> bool {
        false
    }
}

/// A listener that does not care.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;
impl Listener for Silent {}

/// What a sweep did.
#[derive(Clone, Debug)]
pub struct Swept {
    /// What became of each step that was tried.
    pub outcomes: BTreeMap<StepKey, StepOutcome>,
    /// How many steps were not approved.
    pub left_out: usize,
    /// The plan as it stands after everything: empty if the world is in step.
    pub after: Plan,
}

impl Swept {
    /// The steps that did not succeed.
    pub fn failures(&self) -> impl Iterator<Item = (&StepKey, &StepOutcome)> {
        self.outcomes.iter().filter(|(_, outcome)| !outcome.is_ok())
    }

    /// Whether everything that was asked for is in place, as far as could be seen.
    pub fn in_step(&self) -> bool {
        self.after.in_step() && self.failures().next().is_none()
    }
}

/// One operator's way through one set of accounts.
pub struct Sweeper<'a, F, C, L> {
    /// The accounts.
    pub fleet: &'a F,
    /// The time.
    pub clock: &'a C,
    /// Who hears of it.
    pub listener: &'a L,
    /// What is asked for.
    pub desired: &'a Desired,
    /// How it goes about it.
    pub settings: &'a SweepSettings,
}

/// Which breaks may be done in this sweep.
#[derive(Clone, Copy, Debug)]
pub enum Breaks<'a> {
    /// All of them, after the settle time where one needs it: the sweep waits.
    Wait,
    /// Those that need no settle time, and of the others these: they were seen ready for that long.
    Ready(&'a BTreeSet<StepKey>),
}

impl Breaks<'_> {
    fn may_go(self, step: &Step) -> bool {
        match self {
            Self::Wait => true,
            Self::Ready(ready) => !step.settles || ready.contains(&step.key()),
        }
    }
}

impl<F: Fleet, C: Clock, L: Listener> Sweeper<'_, F, C, L> {
    /// Reads every scope.
    pub async fn look(&self) -> World {
        self.look_at(&self.desired.scopes).await
    }

    /// Reads these scopes.
    pub async fn look_at(&self, scopes: &BTreeSet<Scope>) -> World {
        let told = |scope: &Scope, observation: &Observation| self.listener.scope_read(scope, observation);
        refresh(self.fleet, self.clock, self.desired, scopes, self.settings.refresh, &told).await
    }

    /// Reads these scopes; nothing of them where it should end, as who has to does not wait for a scope that hangs. What was there
    /// before stands then, and the next sweep looks.
    async fn look_unless_ending(&self, scopes: &BTreeSet<Scope>) -> World {
        let mut look = std::pin::pin!(self.look_at(scopes));
        loop {
            if self.listener.should_end() {
                return World::default();
            }
            tokio::select! {
                biased;
                world = &mut look => return world,
                () = self.clock.wait_ms(SHOULD_END_EVERY_MS) => {}
            }
        }
    }

    /// Plans over what was read.
    pub fn plan(&self, world: &World) -> Plan {
        plan(self.desired, world, &self.settings.plan, self.clock.now())
    }

    /// Applies `plan`, made from `world`, as far as `approval` goes.
    ///
    /// Guarantees: everything that is made is made and read back before anything that it replaces goes; before the
    /// breaks the scopes are read and planned again, and only breaks that both plans have are done.
    pub async fn apply(&self, mut world: World, plan: &Plan, approval: &Approval) -> Result<Swept, Refusal> {
        let restrain = |_: &mut Plan| {};
        self.apply_now(&mut world, plan, approval, Breaks::Wait, &restrain).await
    }

    /// The same with a say in which breaks are done, and with `restrain`, which every plan made on the way goes through.
    /// `world` is left as it was last read.
    pub async fn apply_now(
        &self,
        world: &mut World,
        plan: &Plan,
        approval: &Approval,
        which: Breaks<'_>,
        restrain: &(dyn Fn(&mut Plan) + Sync),
    ) -> Result<Swept, Refusal> {
        let plan_again = |world: &World| {
            let mut plan = self.plan(world);
            restrain(&mut plan);
            plan
        };
        let approved = approve(plan, approval)?;
        let mut left_out = approved.left_out();
        let mut outcomes = self.phase(&approved, plan, false, which).await;
        let breaks: Vec<&Step> = approved.steps().iter().filter(|step| step.is_break() && which.may_go(step)).collect();
        if !breaks.is_empty() && !self.listener.should_end() {
            if matches!(which, Breaks::Wait) && breaks.iter().any(|step| step.settles) && self.settings.settle_ms > 0 {
                self.listener.settling(self.settings.settle_ms);
                self.clock.wait_ms(self.settings.settle_ms).await;
            }
            world.take_in_all(self.look_unless_ending(&touched(plan)).await);
            let later = plan_again(world);
            let again = approve(&later, &same_guards(approval, plan))?;
            outcomes.extend(self.phase(&again.only_of(&approved), &later, true, which).await);
            // What was approved and is neither done nor planned any more is done; what is planned still was held.
            let planned: BTreeSet<StepKey> = later.steps.iter().map(Step::key).collect();
            left_out += breaks
                .iter()
                .filter(|step| planned.contains(&step.key()) && !outcomes.contains_key(&step.key()))
                .count();
        }
        if outcomes.is_empty() && breaks.is_empty() {
            // Nothing was asked since the plan was made, and nothing written.
            return Ok(Swept { outcomes, left_out, after: plan.clone() });
        }
        let tried = plan.steps.iter().filter(|step| outcomes.contains_key(&step.key()));
        let written: BTreeSet<Scope> = tried.map(|step| step.action.scope()).collect();
        world.take_in_all(self.look_unless_ending(&written).await);
        Ok(Swept { outcomes, left_out, after: plan_again(world) })
    }

    /// Does the makes, or the breaks, of what was approved.
    async fn phase(
        &self,
        approved: &Approved,
        plan: &Plan,
        breaks: bool,
        which: Breaks<'_>,
    ) -> BTreeMap<StepKey, StepOutcome> {
        let of_phase = |step: &&Step| step.is_break() == breaks && (!breaks || which.may_go(step));
        let steps: Vec<Step> = approved.steps().iter().filter(of_phase).cloned().collect();
        let pending: BTreeSet<StepKey> = plan.steps.iter().map(Step::key).collect();
        let in_flight = self.settings.refresh.scopes_in_flight_max;
        let told = |step: &Step, outcome: &StepOutcome| self.listener.step_ended(step, outcome);
        let should_end = || self.listener.should_end();
        apply(self.fleet, &steps, &pending, in_flight, &told, &should_end).await
    }
}

/// The guards that were let go stay let go after the settle time; a plan's whole name named those that held its steps.
fn same_guards(approval: &Approval, plan: &Plan) -> Approval {
    let mut allow = approval.allow.clone();
    if approval.plan_id.as_ref() == Some(&plan.id) {
        allow.extend(plan.steps.iter().flat_map(|step| &step.held_by).filter(|guard| guard.may_be_allowed()));
    }
    Approval { allow, plan_id: None }
}

/// Every scope that a plan writes in, or rests a break on.
fn touched(plan: &Plan) -> BTreeSet<Scope> {
    let mut scopes: BTreeSet<Scope> = plan.steps.iter().map(|step| step.action.scope()).collect();
    for step in &plan.steps {
        if let StepKind::Break(evidence) = &step.kind {
            scopes.extend(evidence.scopes().iter().cloned());
        }
    }
    scopes
}
