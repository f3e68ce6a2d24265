//! Asking one scope: signing in, one call for each permission, a full reading, the delivery role and the dead-letter queue.
//!
//! All of it under the scope's deadline. What fails is kept as it failed: judging is another file's.

use super::{Answers, Asked, Manner, Needs, Patient, Trial, probe};
use crate::call::{Answer, Call, CallError, ErrorClass, QueueSummary, RoleSummary};
use crate::model::ids::{Owner, Scope};
use crate::model::world::{Observation, World};
use crate::port::{Clock, Fleet, SignIn};
use crate::reconcile::refresh::{refresh, unexpected};
use futures_util::StreamExt;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// Calls of one scope under way at once, as for a refresh.
const CALLS_IN_FLIGHT_MAX: usize = 8;

/// Asks all that `needs` of a scope calls for, within the deadline.
pub(super) async fn ask<F: Fleet + SignIn, C: Clock>(
    fleet: &F,
    clock: &C,
    patient: Patient<'_>,
    needs: &Needs,
    manner: Manner,
) -> Answers {
    let end = Instant::now() + Duration::from_millis(manner.refresh.scope_deadline_ms);
    let signed_in = match timeout_at(end, fleet.sign_in(&needs.scope)).await {
        Ok(signed_in) => signed_in,
        Err(_) => Err(late(&needs.scope, manner)),
    };
    if signed_in.is_err() {
        return Answers { signed_in, asked: None };
    }
    let asked = timeout_at(end, ask_inside(fleet, clock, patient, needs, manner)).await.ok();
    Answers { signed_in, asked }
}

fn late(scope: &Scope, manner: Manner) -> CallError {
    CallError {
        class: ErrorClass::NoAnswer,
        scope: scope.clone(),
        action: "sts:AssumeRole".into(),
        code: None,
        message: format!("no answer within {} s", manner.refresh.scope_deadline_ms / 1_000),
        request_id: None,
    }
}

async fn ask_inside<F: Fleet, C: Clock>(
    fleet: &F,
    clock: &C,
    patient: Patient<'_>,
    needs: &Needs,
    manner: Manner,
) -> Asked {
    let scope = &needs.scope;
    let owner = &patient.desired.owner;
    let scopes = BTreeSet::from([scope.clone()]);
    let (mut trials, world, role, queue) = tokio::join!(
        try_all(fleet, scope, probe::reads(needs, owner)),
        refresh(fleet, clock, patient.desired, &scopes, manner.refresh, &|_, _| {}),
        get_role(fleet, needs),
        get_queue(fleet, needs),
    );
    let mut second_trials = BTreeMap::new();
    if manner.prove_writes {
        trials.extend(try_writes(fleet, needs, owner).await);
        second_trials = try_writes_again(fleet, needs, owner, &trials).await;
    }
    Asked { trials, second_trials, observation: observation_of(world, scope, clock), role, queue }
}

fn observation_of<C: Clock>(mut world: World, scope: &Scope, clock: &C) -> Observation {
    world.scopes.remove(scope).unwrap_or_else(|| Observation::Unreachable {
        at: clock.now(),
        why: crate::model::world::Gap {
            action: "refresh".into(),
            class: "other".into(),
            message: "the scope was not read".into(),
            mend: String::new(),
        },
    })
}

/// Makes each call and keeps whether it was answered.
async fn try_all<F: Fleet>(fleet: &F, scope: &Scope, calls: Vec<Call>) -> BTreeMap<&'static str, Trial> {
    let tries = calls.into_iter().map(|call| async move {
        let action = call.action();
        (action, Trial::Answered(fleet.call(scope, call).await.map(|_| ())))
    });
    futures_util::stream::iter(tries).buffer_unordered(CALLS_IN_FLIGHT_MAX).collect().await
}

/// Writes on what is not there, one after the other, and none unless a reading just said that it is not there.
async fn try_writes<F: Fleet>(fleet: &F, needs: &Needs, owner: &Owner) -> BTreeMap<&'static str, Trial> {
    let bus = is_absent(fleet, &needs.scope, probe::nothing_there()).await;
    let archive = is_absent(fleet, &needs.scope, probe::no_archive_there(owner)).await;
    let mut trials = BTreeMap::new();
    for call in probe::writes(needs, owner) {
        let absent = if matches!(call, Call::UpdateArchive { .. }) { &archive } else { &bus };
        trials.insert(call.action(), try_where_absent(fleet, &needs.scope, call, absent).await);
    }
    trials
}

/// The writes on a rule that were denied, again on a bus of the topology: a role may be narrowed to certain buses.
async fn try_writes_again<F: Fleet>(
    fleet: &F,
    needs: &Needs,
    owner: &Owner,
    trials: &BTreeMap<&'static str, Trial>,
) -> BTreeMap<&'static str, Trial> {
    let mut again = BTreeMap::new();
    let denied = |action: &str| matches!(trials.get(action), Some(Trial::Answered(Err(error))) if error.class == ErrorClass::Denied);
    let calls: Vec<Call> =
        probe::second_writes(needs, owner).into_iter().filter(|call| denied(call.action())).collect();
    let Some(bus) = probe::stand_in(needs).filter(|_| !calls.is_empty()) else { return again };
    let absent = is_absent(fleet, &needs.scope, probe::no_rule_there(bus)).await;
    for call in calls {
        again.insert(call.action(), try_where_absent(fleet, &needs.scope, call, &absent).await);
    }
    again
}

async fn try_where_absent<F: Fleet>(fleet: &F, scope: &Scope, call: Call, absent: &Result<(), String>) -> Trial {
    match absent {
        Ok(()) => Trial::Answered(fleet.call(scope, call).await.map(|_| ())),
        Err(why) => Trial::NotTried(why.clone()),
    }
}

/// Whether what `call` describes is not there; otherwise why writes are not tried on it.
async fn is_absent<F: Fleet>(fleet: &F, scope: &Scope, call: Call) -> Result<(), String> {
    match fleet.call(scope, call).await {
        Err(error) if error.class == ErrorClass::NotFound => Ok(()),
        Err(error) => {
            Err(format!("whether what it is tried on is really not there could not be read: {}", error.class))
        }
        Ok(_) => Err("what it is tried on is there: somebody made it".to_owned()),
    }
}

async fn get_role<F: Fleet>(fleet: &F, needs: &Needs) -> Result<RoleSummary, CallError> {
    let call = Call::GetRole { role: probe::role_name(&needs.delivery_role) };
    match fleet.call(&needs.scope, call.clone()).await? {
        Answer::Role(role) => Ok(role),
        _ => Err(unexpected(&needs.scope, &call)),
    }
}

async fn get_queue<F: Fleet>(fleet: &F, needs: &Needs) -> Result<QueueSummary, CallError> {
    let call = Call::GetQueueAttributes { queue: probe::queue_name(&needs.dead_letter_queue) };
    match fleet.call(&needs.scope, call.clone()).await? {
        Answer::Queue(queue) => Ok(queue),
        _ => Err(unexpected(&needs.scope, &call)),
    }
}
