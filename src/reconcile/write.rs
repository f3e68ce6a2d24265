//! One step: read what it writes, write it if that is as the plan saw it, read it back.

use super::refresh::{rule_summary, targets, unexpected};
use crate::call::{Answer, ArchiveSummary, BusSummary, Call, CallError, ErrorClass, RuleSummary};
use crate::eventbridge::policy::{BusPolicy, Statement};
use crate::model::few::Few;
use crate::model::ids::Scope;
use crate::model::mark::{KEYS_TAG, Mark, OWNER_TAG};
use crate::model::plan::{Action, Seen, Step};
use crate::model::resource::{ArchiveId, ArchiveSpec, BusId, BusSettings, ResourceId, RuleId, RuleState, TargetSpec};
use crate::model::topology::Tags;
use crate::model::world::LiveTarget;
use crate::port::Fleet;
use std::collections::BTreeSet;

/// What came of a step whose calls were answered.
pub(super) enum Written {
    Done { request_id: Option<String> },
    AlreadyDone,
    Conflict(String),
    NotVerified(String),
}

/// What a reading says of a step.
enum Live {
    /// As the plan saw it.
    AsSeen,
    /// As the step asks.
    AsAsked,
    /// Neither.
    Other(String),
}

/// Reads, writes and reads back. A write whose answer was lost is judged by the reading after it.
pub(super) async fn write<F: Fleet>(fleet: &F, step: &Step) -> Result<Written, CallError> {
    let scope = step.action.scope();
    if let Some(why) = made_anew(fleet, step).await? {
        return Ok(Written::Conflict(why));
    }
    match look(fleet, &scope, step).await? {
        Live::AsAsked => return Ok(Written::AlreadyDone),
        Live::Other(what) => return Ok(Written::Conflict(what)),
        Live::AsSeen => {}
    }
    let mut request_id = None;
    let lost = match fleet.call(&scope, call(&step.action)).await {
        Ok(Answer::Entries { failed, .. }) if !failed.is_empty() => return Err(entries_failed(&scope, step, &failed)),
        Ok(Answer::Entries { request_id: id, .. } | Answer::Done { request_id: id }) => {
            request_id = id;
            None
        }
        Ok(_) => None,
        Err(error) if error.class.is_transient() || error.class == ErrorClass::AlreadyExists => Some(error),
        Err(error) => return Err(error),
    };
    match (look(fleet, &scope, step).await?, lost) {
        (Live::AsAsked, _) => Ok(Written::Done { request_id }),
        (_, Some(error)) => Err(error),
        (Live::AsSeen, None) => Ok(Written::NotVerified("it reads as before the write".into())),
        (Live::Other(what), None) => Ok(Written::NotVerified(what)),
    }
}

/// Whether what is to get targets or tags of ours is somebody's own by now: deleted since the plan was made, and made anew under its
/// name. What is to be put or updated is compared with what the plan saw anyhow.
async fn made_anew<F: Fleet>(fleet: &F, step: &Step) -> Result<Option<String>, CallError> {
    match &step.action {
        Action::PutTargets { rule, .. } | Action::TagRule { rule, .. } => rule_made_anew(fleet, rule, &step.seen).await,
        Action::TagBus { bus, .. } => bus_made_anew(fleet, bus, &step.seen).await,
        _ => Ok(None),
    }
}

/// What is ours says so in its description, or by its tag where the description was lost; what a person lets us take over is tagged
/// first, and is as the plan saw it until then: its pattern too, as two rules without a description are described alike.
async fn rule_made_anew<F: Fleet>(fleet: &F, rule: &RuleId, seen: &Seen) -> Result<Option<String>, CallError> {
    // Of one that is gone the write itself tells.
    let Some(live) = rule_summary(fleet, rule).await? else { return Ok(None) };
    let as_seen = matches!(seen, Seen::Rule { description, pattern, state, .. }
        if *description == live.description && *pattern == live.pattern && *state == live.state);
    if as_seen || Mark::on_rule(&live.description, rule).is_some() {
        return Ok(None);
    }
    unless_tagged(fleet, &rule.bus.scope, rule.arn(), "rule", &live.description).await
}

/// The same of a bus, which has no pattern that tells it from another.
async fn bus_made_anew<F: Fleet>(fleet: &F, bus: &BusId, seen: &Seen) -> Result<Option<String>, CallError> {
    let Some((_, live)) = bus_now(fleet, &bus.scope, bus).await? else { return Ok(None) };
    let as_seen = matches!(seen, Seen::Bus { description, .. } if *description == live.description);
    if as_seen || Mark::on(&live.description, &ResourceId::Bus(bus.clone())).is_some() {
        return Ok(None);
    }
    unless_tagged(fleet, &bus.scope, bus.arn(), "bus", &live.description).await
}

async fn unless_tagged<F: Fleet>(
    fleet: &F,
    scope: &Scope,
    arn: String,
    what: &str,
    description: &str,
) -> Result<Option<String>, CallError> {
    let is_tagged = tags(fleet, scope, arn).await?.contains_key(OWNER_TAG);
    Ok((!is_tagged)
        .then(|| format!("the {what} bears no mark of ours any more: its description is now {description:?}")))
}

/// PutTargets and RemoveTargets answer 200 with the failures inside
/// (<https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutTargets.html>).
fn entries_failed(scope: &Scope, step: &Step, failed: &[crate::call::FailedEntry]) -> CallError {
    let texts: Vec<String> =
        failed.iter().map(|entry| format!("{}: {} ({})", entry.target_id, entry.message, entry.code)).collect();
    let code = failed.first().map(|entry| entry.code.clone()).unwrap_or_default();
    CallError {
        class: ErrorClass::of_code(&code, 200),
        scope: scope.clone(),
        action: call(&step.action).action().into(),
        code: Some(code),
        message: texts.join("; "),
        request_id: None,
    }
}

fn call(action: &Action) -> Call {
    match action.clone() {
        Action::CreateBus { bus, settings, tags } => Call::CreateEventBus { bus: bus.name, settings, tags },
        Action::UpdateBus { bus, settings } => Call::UpdateEventBus { bus: bus.name, settings },
        Action::TagBus { bus, tags } => Call::TagResource { arn: bus.arn(), tags },
        Action::UntagBus { bus, keys } => Call::UntagResource { arn: bus.arn(), keys: keys.into_iter().collect() },
        Action::PutGrant { bus, statement_id, grantee } => Call::PutPermission { bus: bus.name, statement_id, grantee },
        Action::RemoveGrant { bus, statement_id } => Call::RemovePermission { bus: bus.name, statement_id },
        Action::PutRule { rule, description, pattern, state, tags, part: _ } => {
            Call::PutRule { bus: rule.bus.name, rule: rule.name, description, pattern, state, tags }
        }
        Action::TagRule { rule, tags } => Call::TagResource { arn: rule.arn(), tags },
        Action::UntagRule { rule, keys } => Call::UntagResource { arn: rule.arn(), keys: keys.into_iter().collect() },
        Action::PutTargets { rule, targets } => {
            Call::PutTargets { bus: rule.bus.name, rule: rule.name, targets: targets.into_iter().collect() }
        }
        Action::RemoveTargets { rule, target_ids } => {
            Call::RemoveTargets { bus: rule.bus.name, rule: rule.name, target_ids: target_ids.into_iter().collect() }
        }
        Action::DeleteRule { rule } => Call::DeleteRule { bus: rule.bus.name, rule: rule.name },
        Action::CreateArchive { archive, spec } => {
            let ArchiveSpec { source, description, retention_days } = spec;
            Call::CreateArchive { archive: archive.name, source_arn: source.arn(), description, retention_days }
        }
        Action::UpdateArchive { archive, spec } => {
            let ArchiveSpec { source: _, description, retention_days } = spec;
            Call::UpdateArchive { archive: archive.name, description, retention_days }
        }
    }
}

async fn look<F: Fleet>(fleet: &F, scope: &Scope, step: &Step) -> Result<Live, CallError> {
    match &step.action {
        Action::CreateBus { bus, settings, .. } | Action::UpdateBus { bus, settings } => {
            Ok(judge_bus(bus_now(fleet, scope, bus).await?, settings, &step.seen))
        }
        Action::TagBus { bus, tags } => look_tags(fleet, scope, bus.arn(), tags, &step.seen).await,
        Action::UntagBus { bus, keys } => look_no_tags(fleet, scope, bus.arn(), keys).await,
        Action::PutGrant { bus, statement_id, grantee } => {
            let live = statement(fleet, scope, bus, statement_id).await?;
            Ok(judge_statement(live, Some(&crate::plan::statement(bus, statement_id, grantee)), &step.seen))
        }
        Action::RemoveGrant { bus, statement_id } => {
            let live = statement(fleet, scope, bus, statement_id).await?;
            Ok(judge_statement(live, None, &step.seen))
        }
        Action::PutRule { rule, description, pattern, state, .. } => {
            Ok(judge_rule(rule_summary(fleet, rule).await?, description, pattern, *state, &step.seen))
        }
        Action::TagRule { rule, tags } => look_tags(fleet, scope, rule.arn(), tags, &step.seen).await,
        Action::UntagRule { rule, keys } => look_no_tags(fleet, scope, rule.arn(), keys).await,
        Action::PutTargets { rule, targets: asked } => match targets(fleet, rule).await {
            Ok(live) => Ok(judge_targets(&live, asked, &step.seen)),
            Err(error) => Err(error),
        },
        Action::RemoveTargets { rule, target_ids } => match targets(fleet, rule).await {
            Ok(live) => Ok(judge_removal(&live, target_ids, &step.seen)),
            Err(error) if error.class == ErrorClass::NotFound => Ok(Live::AsAsked),
            Err(error) => Err(error),
        },
        Action::DeleteRule { rule } => look_deletion(fleet, scope, rule, &step.seen).await,
        Action::CreateArchive { archive, spec } | Action::UpdateArchive { archive, spec } => {
            look_archive(fleet, scope, archive, spec, &step.seen).await
        }
    }
}

fn judge_bus(live: Option<(BusSummary, BusSettings)>, asked: &BusSettings, seen: &Seen) -> Live {
    match (live.map(|(_, settings)| settings), seen) {
        (None, Seen::Absent) => Live::AsSeen,
        (None, _) => Live::Other("the bus is gone".into()),
        (Some(live), _) if live == *asked => Live::AsAsked,
        (Some(live), Seen::BusSettings { settings }) if live == *settings => Live::AsSeen,
        (Some(live), Seen::Absent) => {
            Live::Other(format!("a bus of this name is there, described {:?}", live.description))
        }
        (Some(live), _) => Live::Other(format!("its settings are now {live:?}")),
    }
}

async fn look_tags<F: Fleet>(
    fleet: &F,
    scope: &Scope,
    arn: String,
    asked: &Tags,
    seen: &Seen,
) -> Result<Live, CallError> {
    let live = tags(fleet, scope, arn).await?;
    let known = [asked.get(OWNER_TAG), seen.tags().and_then(|tags| tags.get(OWNER_TAG))];
    if let Some(owner) =
        live.get(OWNER_TAG).filter(|owner| asked.contains_key(OWNER_TAG) && !known.contains(&Some(owner)))
    {
        return Ok(Live::Other(format!("it now bears the tag of operator `{owner}`")));
    }
    if asked.iter().all(|(key, value)| live.get(key) == Some(value)) {
        return Ok(Live::AsAsked);
    }
    // Which tags we set is said by a tag: written over what another daemon said meanwhile, nobody would know its tags for ours.
    let ours = |tags: &Tags| tags.get(KEYS_TAG).cloned();
    let is_new = asked.contains_key(KEYS_TAG) && seen.tags().is_some_and(|seen| ours(seen) != ours(&live));
    Ok(if is_new { Live::Other("its tags were set anew by another daemon".into()) } else { Live::AsSeen })
}

async fn look_no_tags<F: Fleet>(
    fleet: &F,
    scope: &Scope,
    arn: String,
    keys: &BTreeSet<String>,
) -> Result<Live, CallError> {
    let live = tags(fleet, scope, arn).await?;
    Ok(if keys.iter().any(|key| live.contains_key(key)) { Live::AsSeen } else { Live::AsAsked })
}

fn judge_statement(live: Option<Statement>, asked: Option<&Statement>, seen: &Seen) -> Live {
    if live.as_ref() == asked {
        return Live::AsAsked;
    }
    let as_seen = match (&live, seen) {
        (None, Seen::Absent) => true,
        (Some(live), Seen::Statement { statement }) => live == statement,
        _ => false,
    };
    match live {
        _ if as_seen => Live::AsSeen,
        Some(live) => Live::Other(format!("the statement is now {}", live.to_value())),
        None => Live::Other("the statement is gone".into()),
    }
}

fn judge_rule(live: Option<RuleSummary>, description: &str, pattern: &str, state: RuleState, seen: &Seen) -> Live {
    let wanted_state = match state {
        RuleState::Enabled => "ENABLED",
        RuleState::Disabled => "DISABLED",
    };
    match (live, seen) {
        (None, Seen::Absent) => Live::AsSeen,
        (None, _) => Live::Other("the rule is gone".into()),
        (Some(live), _) if live.managed_by.is_some() => Live::Other("an AWS service manages the rule".into()),
        (Some(live), _)
            if live.description == description
                && live.pattern.as_deref() == Some(pattern)
                && live.state == wanted_state =>
        {
            Live::AsAsked
        }
        (Some(live), Seen::Rule { description, pattern, state, .. })
            if live.description == *description && live.pattern == *pattern && live.state == *state =>
        {
            Live::AsSeen
        }
        (Some(live), _) => Live::Other(format!(
            "the rule is now {} with pattern {} and description {:?}",
            live.state,
            live.pattern.as_deref().unwrap_or("none"),
            live.description
        )),
    }
}

fn judge_targets(live: &Few<String, LiveTarget>, asked: &Few<String, TargetSpec>, seen: &Seen) -> Live {
    let as_asked = |(id, spec): (&String, &TargetSpec)| {
        live.get(id).is_some_and(|live| live.spec == *spec && live.other.is_empty())
    };
    if asked.iter().all(as_asked) {
        return Live::AsAsked;
    }
    let Seen::Targets { targets: seen } = seen else {
        return Live::Other("the plan did not look at the targets".into());
    };
    match asked.keys().find(|id| live.get(*id) != seen.get(*id)) {
        None => Live::AsSeen,
        Some(id) => Live::Other(format!("target {id} is not what it was")),
    }
}

fn judge_removal(live: &Few<String, LiveTarget>, target_ids: &BTreeSet<String>, seen: &Seen) -> Live {
    let Seen::Targets { targets: seen } = seen else {
        return Live::Other("the plan did not look at the targets".into());
    };
    let there: Vec<&String> = target_ids.iter().filter(|id| live.contains_key(*id)).collect();
    if there.is_empty() {
        return Live::AsAsked;
    }
    match there.into_iter().find(|id| live.get(*id) != seen.get(*id)) {
        None => Live::AsSeen,
        Some(id) => Live::Other(format!("target {id} is not what it was")),
    }
}

/// A rule goes only if it is what the plan saw, still bears both marks, and has no targets.
async fn look_deletion<F: Fleet>(fleet: &F, scope: &Scope, rule: &RuleId, seen: &Seen) -> Result<Live, CallError> {
    let Some(live) = rule_summary(fleet, rule).await? else { return Ok(Live::AsAsked) };
    let Seen::Rule { description, pattern, tags: seen_tags, .. } = seen else {
        return Ok(Live::Other("the plan did not look at the rule".into()));
    };
    if live.description != *description || live.pattern != *pattern || live.managed_by.is_some() {
        return Ok(Live::Other(format!("the rule is now described {:?}", live.description)));
    }
    let owner = |tags: &Tags| tags.get(OWNER_TAG).cloned();
    let live_tags = tags(fleet, scope, rule.arn()).await?;
    if seen_tags.as_ref().and_then(owner) != owner(&live_tags) {
        return Ok(Live::Other(format!("its tag {OWNER_TAG} is not what it was")));
    }
    let left = targets(fleet, rule).await?;
    Ok(if left.is_empty() { Live::AsSeen } else { Live::Other(format!("it still has {} targets", left.len())) })
}

async fn look_archive<F: Fleet>(
    fleet: &F,
    scope: &Scope,
    archive: &ArchiveId,
    asked: &ArchiveSpec,
    seen: &Seen,
) -> Result<Live, CallError> {
    let call = Call::DescribeArchive { archive: archive.name.clone() };
    let live: Option<ArchiveSummary> = match fleet.call(scope, call.clone()).await {
        Ok(Answer::Archive(live)) => Some(live),
        Ok(_) => return Err(unexpected(scope, &call)),
        Err(error) if error.class == ErrorClass::NotFound => None,
        Err(error) => return Err(error),
    };
    Ok(match (live, seen) {
        (None, Seen::Absent) => Live::AsSeen,
        (None, _) => Live::Other("the archive is gone".into()),
        (Some(live), _) if live.source_arn != asked.source.arn() => {
            Live::Other(format!("it is now of {}", live.source_arn))
        }
        (Some(live), _) if live.retention_days == asked.retention_days && live.description == asked.description => {
            Live::AsAsked
        }
        (Some(live), Seen::Archive { retention_days, description })
            if live.retention_days == *retention_days && live.description == *description =>
        {
            Live::AsSeen
        }
        (Some(live), _) => Live::Other(format!("it now keeps events for {} days", live.retention_days)),
    })
}

async fn bus_now<F: Fleet>(
    fleet: &F,
    scope: &Scope,
    bus: &BusId,
) -> Result<Option<(BusSummary, BusSettings)>, CallError> {
    let call = Call::DescribeEventBus { bus: bus.name.clone() };
    match fleet.call(scope, call.clone()).await {
        Ok(Answer::Bus(live, settings)) => Ok(Some((live, settings))),
        Ok(_) => Err(unexpected(scope, &call)),
        Err(error) if error.class == ErrorClass::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

async fn statement<F: Fleet>(fleet: &F, scope: &Scope, bus: &BusId, sid: &str) -> Result<Option<Statement>, CallError> {
    let live = bus_now(fleet, scope, bus).await?;
    let Some(text) = live.and_then(|(bus, _)| bus.policy) else { return Ok(None) };
    match BusPolicy::parse(&text) {
        Ok(policy) => Ok(policy.statement(sid).cloned()),
        Err(error) => Err(CallError {
            class: ErrorClass::Other,
            scope: scope.clone(),
            action: "events:DescribeEventBus".into(),
            code: None,
            message: error.to_string(),
            request_id: None,
        }),
    }
}

async fn tags<F: Fleet>(fleet: &F, scope: &Scope, arn: String) -> Result<Tags, CallError> {
    let call = Call::ListTagsForResource { arn };
    match fleet.call(scope, call.clone()).await? {
        Answer::Tags(tags) => Ok(tags),
        _ => Err(unexpected(scope, &call)),
    }
}
