//! Retiring: taking away, one at a time and by a person, what no plan takes away.
//!
//! A reading of everything; whatever speaks against it is told; what will be lost is told; somebody confirms by name; then
//! the thing is read again, written once, and read back. **This is the only file that makes a call which deletes a bus or an
//! archive** (`tests/tidy.rs`). There is no way to name more than one thing.

use super::refresh::{RefreshSettings, as_targets, pages, refresh, unexpected};
use crate::call::{Answer, ArchiveSummary, BusSummary, Call, CallError, ErrorClass};
use crate::model::desired::Desired;
use crate::model::ids::{Owner, Scope};
use crate::model::mark::OWNER_TAG;
use crate::model::resource::{ArchiveId, ArchiveSpec, BusId, RuleId};
use crate::model::world::{Observation, World};
use crate::plan::retire::{Retirable, is_there, objections, retirable};
use crate::port::{Clock, Fleet};
use futures_util::StreamExt;
use std::collections::BTreeSet;

/// What can be retired, and what could not be looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing {
    /// Everything that a person may take away.
    pub found: Vec<Retirable>,
    /// Scopes that were not read whole, with the reason: there may be more.
    pub unread: Vec<(Scope, String)>,
}

/// What came of preparing to retire one thing.
#[derive(Clone, Debug)]
pub enum Prepared {
    /// It is not there.
    Gone,
    /// It stays: everything that speaks against it.
    Refused(Vec<String>),
    /// It may go, once somebody confirms.
    Ready(Box<Ready>),
}

/// A thing that may go.
#[derive(Clone, Debug)]
pub struct Ready {
    shown: Shown,
    /// What will be lost, a line each.
    pub lost: Vec<String>,
    /// What could not be looked at, and could speak against it.
    pub unseen: Vec<String>,
}

/// A thing as it was shown to a person, and what is to become of it.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Shown {
    Bus { bus: BusId, live: BusSummary, owner: Owner },
    Archive { archive: ArchiveId, live: ArchiveSummary },
    Retention { archive: ArchiveId, live: ArchiveSummary, asked: ArchiveSpec },
}

impl Shown {
    fn scope(&self) -> &Scope {
        match self {
            Self::Bus { bus, .. } => &bus.scope,
            Self::Archive { archive, .. } | Self::Retention { archive, .. } => &archive.scope,
        }
    }
}

/// What came of retiring one thing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Retired {
    /// It is gone, or keeps events for the time that the topology asks.
    Done,
    /// It is not any more what was shown: nothing was written.
    Changed(String),
    /// AWS took the call, and it still reads as before.
    NotVerified(String),
    /// The call failed; nothing says that it took effect.
    Failed(CallError),
}

/// Reads every scope and lists what a person may take away.
pub async fn list<F: Fleet, C: Clock>(
    fleet: &F,
    clock: &C,
    desired: &Desired,
    settings: RefreshSettings,
    told: &(dyn Fn(&Scope, &Observation) + Sync),
) -> Listing {
    let world = refresh(fleet, clock, desired, &desired.scopes, settings, told).await;
    Listing { found: retirable(desired, &world), unread: unread(&world) }
}

/// Reads everything, the thing's own scope among it, and says whether the thing may go and what would be lost.
pub async fn prepare<F: Fleet, C: Clock>(
    fleet: &F,
    clock: &C,
    desired: &Desired,
    thing: &Retirable,
    settings: RefreshSettings,
    told: &(dyn Fn(&Scope, &Observation) + Sync),
) -> Result<Prepared, CallError> {
    let mut scopes = desired.scopes.clone();
    // A Region that the topology does not name any more is not swept, and what was left there is retired all the same.
    scopes.insert(thing.scope().clone());
    let world = refresh(fleet, clock, desired, &scopes, settings, told).await;
    if is_there(desired, &world, thing) == Some(false) {
        return Ok(Prepared::Gone);
    }
    let mut delivering = Delivering::default();
    if let Retirable::Bus(bus) = thing {
        delivering = rules_that_deliver_to(fleet, &world, bus, settings.scopes_in_flight_max).await;
    }
    let mut against = objections(desired, &world, thing, &delivering.rules);
    against.extend(delivering.own_scope_unread);
    if !against.is_empty() {
        return Ok(Prepared::Refused(against));
    }
    let mut unseen = delivering.unseen;
    if matches!(thing, Retirable::Bus(_)) {
        let others = unread(&world).into_iter().filter(|(scope, _)| scope != thing.scope());
        unseen.extend(others.map(|(scope, why)| format!("{scope}: {why}")));
    }
    let ready = match thing {
        Retirable::Bus(bus) => ready_bus(fleet, bus, &desired.owner).await?,
        Retirable::Archive(archive) => ready_archive(fleet, archive).await?,
        Retirable::Retention(archive) => ready_retention(fleet, desired, archive).await?,
    };
    Ok(ready.map_or(Prepared::Gone, |(shown, lost)| Prepared::Ready(Box::new(Ready { shown, lost, unseen }))))
}

fn unread(world: &World) -> Vec<(Scope, String)> {
    let why = |observation: &Observation| match observation {
        Observation::Complete { .. } | Observation::NoAccess => None,
        Observation::Unreachable { why, .. } => Some(why.to_string()),
        Observation::Partial { missing, .. } => missing.first().map(ToString::to_string),
    };
    world.scopes.iter().filter_map(|(scope, observation)| Some((scope.clone(), why(observation)?))).collect()
}

/// The rules that have a bus for a target.
#[derive(Default)]
struct Delivering {
    rules: BTreeSet<RuleId>,
    /// What kept us from reading the bus's own scope.
    own_scope_unread: Vec<String>,
    /// What kept us from reading others.
    unseen: Vec<String>,
}

/// Looks at every target of every rule on every bus that could be seen: foreign rules deliver as well as ours.
async fn rules_that_deliver_to<F: Fleet>(
    fleet: &F,
    world: &World,
    bus: &BusId,
    scopes_in_flight_max: usize,
) -> Delivering {
    let arn = bus.arn();
    let views = world.scopes.keys().filter_map(|scope| world.view(scope).map(|view| (scope, view)));
    let looks = views.map(|(scope, view)| {
        let names: Vec<String> = view.buses.keys().cloned().collect();
        let arn = &arn;
        async move { (scope.clone(), rules_with_target(fleet, scope, names, arn).await) }
    });
    let mut looks = futures_util::stream::iter(looks).buffer_unordered(scopes_in_flight_max.max(1));
    let mut found = Delivering::default();
    while let Some((scope, (rules, errors))) = looks.next().await {
        found.rules.extend(rules);
        let told = errors.into_iter().map(|error| format!("{error}; so what delivers to it from there is not known"));
        if scope == bus.scope { found.own_scope_unread.extend(told) } else { found.unseen.extend(told) }
    }
    found
}

async fn rules_with_target<F: Fleet>(
    fleet: &F,
    scope: &Scope,
    buses: Vec<String>,
    arn: &str,
) -> (Vec<RuleId>, Vec<CallError>) {
    let (mut found, mut errors) = (Vec::new(), Vec::new());
    for name in buses {
        let on = BusId { scope: scope.clone(), name };
        let list = |next_token| Call::ListRules { bus: on.name.clone(), next_token };
        let as_rules = |answer| if let Answer::Rules(page) = answer { Some(page) } else { None };
        let (rules, cut) = pages(fleet, scope, list, as_rules).await;
        errors.extend(cut);
        let looks = rules.into_iter().map(|summary| {
            let rule = RuleId { bus: on.clone(), name: summary.name };
            async move {
                let list = |next_token| Call::ListTargetsByRule {
                    bus: rule.bus.name.clone(),
                    rule: rule.name.clone(),
                    next_token,
                };
                let (targets, cut) = pages(fleet, scope, list, as_targets).await;
                (rule, targets.into_iter().any(|(_, target)| target.spec.arn == arn), cut)
            }
        });
        let mut looks = futures_util::stream::iter(looks).buffer_unordered(CALLS_IN_FLIGHT_MAX);
        while let Some((rule, delivers, cut)) = looks.next().await {
            found.extend(delivers.then_some(rule));
            errors.extend(cut);
        }
    }
    (found, errors)
}

/// Calls of one scope under way at once, as for a refresh.
const CALLS_IN_FLIGHT_MAX: usize = 8;

async fn ready_bus<F: Fleet>(fleet: &F, bus: &BusId, owner: &Owner) -> Result<Option<(Shown, Vec<String>)>, CallError> {
    let Some(live) = describe_bus(fleet, bus).await? else { return Ok(None) };
    let lost = vec![
        format!("the bus {bus}, described {:?}", live.description),
        match &live.policy {
            Some(_) => "its policy, in which there are statements of ours alone".to_owned(),
            None => "no policy: nobody but the account itself puts events there".to_owned(),
        },
        "whoever puts events on it otherwise (PutEvents, Pipes, the Scheduler) is refused from then on; that cannot be \
         seen from here"
            .to_owned(),
    ];
    Ok(Some((Shown::Bus { bus: bus.clone(), live, owner: owner.clone() }, lost)))
}

async fn ready_archive<F: Fleet>(fleet: &F, archive: &ArchiveId) -> Result<Option<(Shown, Vec<String>)>, CallError> {
    let Some(live) = describe_archive(fleet, archive).await? else { return Ok(None) };
    let lost = vec![
        format!("the archive {}/{}, of {}", archive.scope, archive.name, live.source_arn),
        format!("{}: they cannot be replayed any more", events_in(&live)),
    ];
    Ok(Some((Shown::Archive { archive: archive.clone(), live }, lost)))
}

async fn ready_retention<F: Fleet>(
    fleet: &F,
    desired: &Desired,
    archive: &ArchiveId,
) -> Result<Option<(Shown, Vec<String>)>, CallError> {
    let Some(live) = describe_archive(fleet, archive).await? else { return Ok(None) };
    let Some(wanted) = desired.archives.get(archive) else { return Ok(None) };
    let asked = wanted.spec.retention_days;
    let lost = vec![
        format!("all events in {}/{} that are older than {asked} days", archive.scope, archive.name),
        format!("it holds {}", events_in(&live)),
    ];
    Ok(Some((Shown::Retention { archive: archive.clone(), live, asked: wanted.spec.clone() }, lost)))
}

fn events_in(archive: &ArchiveSummary) -> String {
    format!(
        "{} events of {} bytes, as AWS counted them within the last day, kept {}",
        archive.events,
        archive.bytes,
        days(archive.retention_days)
    )
}

fn days(count: u32) -> String {
    match count {
        0 => "for ever".to_owned(),
        1 => "for 1 day".to_owned(),
        count => format!("for {count} days"),
    }
}

/// Takes away what somebody confirmed.
///
/// Guarantees: the thing is read right before the call, and is as it was shown; it is read again after it. Caveats: between
/// that reading and the call, one round trip, somebody else may change it; EventBridge has no conditional writes.
pub async fn retire<F: Fleet>(fleet: &F, ready: &Ready) -> Result<Retired, CallError> {
    if let Some(changed) = changed(fleet, ready).await? {
        return Ok(Retired::Changed(changed));
    }
    let call = match &ready.shown {
        Shown::Bus { bus, .. } => Call::DeleteEventBus { bus: bus.name.clone() },
        Shown::Archive { archive, .. } => Call::DeleteArchive { archive: archive.name.clone() },
        Shown::Retention { archive, asked, .. } => Call::UpdateArchive {
            archive: archive.name.clone(),
            description: asked.description.clone(),
            retention_days: asked.retention_days,
        },
    };
    let lost_answer = match fleet.call(ready.shown.scope(), call).await {
        Ok(_) => None,
        // It may have taken effect: the reading tells.
        Err(error) if error.class.is_transient() || error.class == ErrorClass::NotFound => Some(error),
        Err(error) => return Ok(Retired::Failed(error)),
    };
    Ok(match (still_there(fleet, ready).await?, lost_answer) {
        (None, _) => Retired::Done,
        (Some(_), Some(error)) => Retired::Failed(error),
        (Some(what), None) => Retired::NotVerified(what),
    })
}

/// How the thing differs from what was shown, if it does.
async fn changed<F: Fleet>(fleet: &F, ready: &Ready) -> Result<Option<String>, CallError> {
    match &ready.shown {
        Shown::Bus { bus, live, owner } => bus_changed(fleet, bus, live, owner).await,
        Shown::Archive { archive, live } | Shown::Retention { archive, live, .. } => {
            archive_changed(fleet, archive, live).await
        }
    }
}

/// More events in it are no change.
async fn archive_changed<F: Fleet>(
    fleet: &F,
    archive: &ArchiveId,
    shown: &ArchiveSummary,
) -> Result<Option<String>, CallError> {
    let Some(live) = describe_archive(fleet, archive).await? else { return Ok(Some("it is gone".to_owned())) };
    let ArchiveSummary { name: _, source_arn, description, pattern, retention_days, state: _, events: _, bytes: _ } =
        shown;
    let same = live.source_arn == *source_arn
        && live.description == *description
        && live.pattern == *pattern
        && live.retention_days == *retention_days;
    Ok((!same).then(|| {
        format!(
            "it is now of {}, described {:?}, kept {}",
            live.source_arn,
            live.description,
            days(live.retention_days)
        )
    }))
}

async fn bus_changed<F: Fleet>(
    fleet: &F,
    bus: &BusId,
    shown: &BusSummary,
    owner: &Owner,
) -> Result<Option<String>, CallError> {
    let Some(live) = describe_bus(fleet, bus).await? else { return Ok(Some("it is gone".to_owned())) };
    if live != *shown {
        return Ok(Some("its description or its policy is not what it was".to_owned()));
    }
    let call = Call::ListTagsForResource { arn: bus.arn() };
    let Answer::Tags(tags) = fleet.call(&bus.scope, call.clone()).await? else {
        return Err(unexpected(&bus.scope, &call));
    };
    if tags.get(OWNER_TAG).is_none_or(|tagged| tagged != owner.as_str()) {
        return Ok(Some(format!("its tag {OWNER_TAG} is not ours any more")));
    }
    let list = |next_token| Call::ListRules { bus: bus.name.clone(), next_token };
    let as_rules = |answer| if let Answer::Rules(page) = answer { Some(page) } else { None };
    match pages(fleet, &bus.scope, list, as_rules).await {
        (_, Some(error)) => Err(error),
        (rules, None) => Ok(rules.first().map(|rule| format!("rule {} is on it now", rule.name))),
    }
}

/// What is there still that should not be, if anything is.
async fn still_there<F: Fleet>(fleet: &F, ready: &Ready) -> Result<Option<String>, CallError> {
    match &ready.shown {
        Shown::Bus { bus, .. } => Ok(describe_bus(fleet, bus).await?.map(|_| "the bus is there as before".to_owned())),
        Shown::Archive { archive, .. } => {
            Ok(describe_archive(fleet, archive).await?.map(|_| "the archive is there as before".to_owned()))
        }
        Shown::Retention { archive, asked, .. } => {
            let live = describe_archive(fleet, archive).await?;
            let kept = live.map(|live| live.retention_days).filter(|kept| *kept != asked.retention_days);
            Ok(kept.map(|kept| format!("it keeps events {}", days(kept))))
        }
    }
}

async fn describe_bus<F: Fleet>(fleet: &F, bus: &BusId) -> Result<Option<BusSummary>, CallError> {
    let call = Call::DescribeEventBus { bus: bus.name.clone() };
    match fleet.call(&bus.scope, call.clone()).await {
        Ok(Answer::Bus(live, _)) => Ok(Some(live)),
        Ok(_) => Err(unexpected(&bus.scope, &call)),
        Err(error) if error.class == ErrorClass::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

async fn describe_archive<F: Fleet>(fleet: &F, archive: &ArchiveId) -> Result<Option<ArchiveSummary>, CallError> {
    let call = Call::DescribeArchive { archive: archive.name.clone() };
    match fleet.call(&archive.scope, call.clone()).await {
        Ok(Answer::Archive(live)) => Ok(Some(live)),
        Ok(_) => Err(unexpected(&archive.scope, &call)),
        Err(error) if error.class == ErrorClass::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
