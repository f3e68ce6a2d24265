//! Buses: made where they are not there, taken over by name, and set back where their settings or tags differ.

use super::diff::{Asked, Change, Diff, Footing};
use super::own::{self, Ownership};
use super::tags::{self, TagChange};
use crate::model::desired::{Desired, Digested, Wanted};
use crate::model::finding::{FindingCode, Outcome};
use crate::model::mark::{Mark, OWNER_TAG, TEAM_TAG, kept_text, keys_set_by_us};
use crate::model::plan::{Action, Cause, Guard, Seen};
use crate::model::resource::{BusId, BusLog, BusSettings, BusSpec, ResourceId};
use crate::model::topology::Tags;
use crate::model::world::LiveBus;
use std::collections::BTreeSet;

/// Plans one of the topology's buses, and says whether what stands on it can be planned.
pub(super) fn bus(diff: &mut Diff<'_>, bus: &BusId, wanted: &Wanted<BusSpec>) -> Footing {
    if diff.desired.no_access.contains(&bus.scope) {
        return Footing::None;
    }
    let Some(view) = diff.world.view(&bus.scope) else { return Footing::None };
    let resource = ResourceId::Bus(bus.clone());
    let asked = Asked::by(wanted);
    let Some(live) = view.buses.get(&bus.name) else {
        return if view.buses_read { create(diff, bus, wanted, &resource, &asked) } else { Footing::None };
    };
    match own::of_bus(diff.desired, bus, live) {
        Ownership::Marked(mark) if diff.is_newer(Some(&mark)) => {
            diff.left_to_newer(resource, &asked);
            Footing::There
        }
        // The tag alone is enough for a bus: plans never take one away.
        Ownership::Marked(_) | Ownership::MarkLost => {
            compare(diff, bus, wanted, live, &asked);
            Footing::There
        }
        Ownership::Other(owner) => {
            let detail = format!("it belongs to {owner}; nothing on it is written");
            diff.find(resource, FindingCode::OtherOwner, Outcome::Left, detail, &asked);
            Footing::None
        }
        // AWS manages no custom buses; were it to, they would be none of ours.
        Ownership::Managed(_) | Ownership::Unknown => Footing::None,
        Ownership::Unmarked | Ownership::Copied => {
            adopt(diff, bus, wanted, live, &resource, &asked);
            Footing::Made
        }
    }
}

fn seen_bus(live: &LiveBus) -> Seen {
    Seen::Bus { description: live.description.clone(), tags: live.tags.clone() }
}

fn mark_of(desired: &Desired, resource: &ResourceId, wanted: &Wanted<BusSpec>) -> Mark {
    let digest = wanted.spec.digest(resource);
    Mark::new(&desired.owner, desired.revision.sequence, resource, digest)
}

/// What is sent to a live bus that is as it is asked for, with the mark of now; none if it is not, or was not read in full.
pub(super) fn as_it_is(
    desired: &Desired,
    bus: &BusId,
    wanted: &Wanted<BusSpec>,
    live: &LiveBus,
) -> Option<(Action, Seen)> {
    let ours = mark_of(desired, &ResourceId::Bus(bus.clone()), wanted);
    let settings = settings_of(&wanted.spec, &ours);
    let live = live.settings.as_ref()?;
    let as_asked = differences(&settings, &ours, live, &wanted.spec.description).is_empty();
    let seen = Seen::BusSettings { settings: live.clone() };
    as_asked.then(|| (Action::UpdateBus { bus: bus.clone(), settings }, seen))
}

/// Everything that is sent: UpdateEventBus clears what is left out.
fn settings_of(spec: &BusSpec, mark: &Mark) -> BusSettings {
    let BusSpec { description, tags: _, kms_key, dead_letter_arn, log } = spec;
    BusSettings {
        description: mark.stamp(description),
        kms_key: kms_key.clone(),
        dead_letter_arn: dead_letter_arn.clone(),
        log: *log,
    }
}

fn create(diff: &mut Diff<'_>, bus: &BusId, wanted: &Wanted<BusSpec>, resource: &ResourceId, asked: &Asked) -> Footing {
    let cause = diff.missing_cause(resource.scope());
    let codes = diff.found_missing(resource, FindingCode::BusMissing, asked);
    let settings = settings_of(&wanted.spec, &mark_of(diff.desired, resource, wanted));
    let action = Action::CreateBus { bus: bus.clone(), settings, tags: wanted.spec.tags.clone() };
    diff.make(Change { action, seen: Seen::Absent, cause, codes, held_by: None, detail: Vec::new() }, asked);
    Footing::Made
}

/// A bus that is not ours: our tags make it so, and then our mark with its settings.
fn adopt(
    diff: &mut Diff<'_>,
    bus: &BusId,
    wanted: &Wanted<BusSpec>,
    live: &LiveBus,
    resource: &ResourceId,
    asked: &Asked,
) {
    let detail = "a bus of this name is there without our mark".to_owned();
    diff.find(resource.clone(), FindingCode::Adopt, Outcome::Held, detail.clone(), asked);
    let change = Change {
        action: Action::TagBus { bus: bus.clone(), tags: wanted.spec.tags.clone() },
        seen: seen_bus(live),
        cause: Cause::Intent,
        codes: BTreeSet::from([FindingCode::Adopt]),
        held_by: Some(Guard::Adopt),
        detail: vec![detail],
    };
    diff.make(change, asked);
    let Some(live) = &live.settings else { return };
    let mark = mark_of(diff.desired, resource, wanted);
    let mut settings = settings_of(&wanted.spec, &mark);
    // Who takes a bus over does not take its encryption away by not speaking of it.
    settings.kms_key = settings.kms_key.or_else(|| live.kms_key.clone());
    let change = Change {
        detail: differences(&settings, &mark, live, &wanted.spec.description)
            .into_iter()
            .map(|(_, text)| text)
            .collect(),
        action: Action::UpdateBus { bus: bus.clone(), settings },
        seen: Seen::BusSettings { settings: live.clone() },
        cause: Cause::Intent,
        codes: BTreeSet::from([FindingCode::Adopt]),
        held_by: Some(Guard::Adopt),
    };
    diff.make(change, asked);
}

/// A bus of ours against what is wanted, as far as its settings and tags were read.
fn compare(diff: &mut Diff<'_>, bus: &BusId, wanted: &Wanted<BusSpec>, live: &LiveBus, asked: &Asked) {
    let resource = ResourceId::Bus(bus.clone());
    let ours = mark_of(diff.desired, &resource, wanted);
    // The same digest: nobody asked for another bus since it was written, so a difference is drift.
    let asked_otherwise = live.mark(bus).is_some_and(|mark| mark.digest != ours.digest);
    let cause = if asked_otherwise { Cause::Intent } else { Cause::Drift };
    if let Some(settings) = &live.settings {
        set(diff, bus, wanted, &ours, settings, cause, asked);
    }
    // Whose a key is shows by mark, settings and tags together (`set`): where the settings could not be read, the tags stay as well.
    let tags = live.tags.as_ref().filter(|_| live.settings.is_some());
    if let Some(change) = tags.and_then(|live| TagChange::of(&wanted.spec.tags, live)) {
        let seen = seen_bus(live);
        let key = |tags| Action::TagBus { bus: bus.clone(), tags };
        let untag = |keys| Action::UntagBus { bus: bus.clone(), keys };
        tags::plan(diff, change, &resource, (key, untag), &seen, cause, None, asked);
    }
}

fn set(
    diff: &mut Diff<'_>,
    bus: &BusId,
    wanted: &Wanted<BusSpec>,
    ours: &Mark,
    live: &BusSettings,
    cause: Cause,
    asked: &Asked,
) {
    let resource = ResourceId::Bus(bus.clone());
    let mut settings = settings_of(&wanted.spec, ours);
    let bus_now = diff.world.bus(bus);
    let is_to_lose_key = settings.kms_key.is_none() && live.kms_key.is_some();
    if is_to_lose_key && bus_now.is_none_or(|bus_now| bus_now.tags.is_none()) {
        // Whose the key is cannot be told without the tags, and a mark that is written now would hide it for good. What
        // could not be read is told for the scope.
        return;
    }
    if is_to_lose_key && !bus_now.is_some_and(|bus_now| was_asked_for(bus, bus_now, live, &wanted.spec)) {
        let key = live.kms_key.clone().unwrap_or_default();
        let detail = format!(
            "somebody encrypted it with {key} and the topology asks for no key: taking encryption away is not done unasked; write `kms-key` for it"
        );
        diff.find(resource.clone(), FindingCode::KmsKeyChanged, Outcome::Left, detail, asked);
        settings.kms_key.clone_from(&live.kms_key);
        // Whoever set the key set the queue for what it cannot decrypt beside it.
        settings.dead_letter_arn = settings.dead_letter_arn.or_else(|| live.dead_letter_arn.clone());
    }
    let mut found = differences(&settings, ours, live, &wanted.spec.description);
    if found.is_empty() && cause == Cause::Intent {
        // The mark says what was asked for; left as it is, later drift would be taken for intent.
        found.push((FindingCode::DescriptionChanged, "its mark, in the description".to_owned()));
    }
    if found.is_empty() {
        return;
    }
    let mut codes = BTreeSet::new();
    if cause == Cause::Drift {
        for (code, detail) in &found {
            diff.find(resource.clone(), *code, Outcome::Mend, detail.clone(), asked);
            codes.insert(*code);
        }
    }
    let change = Change {
        action: Action::UpdateBus { bus: bus.clone(), settings },
        seen: Seen::BusSettings { settings: live.clone() },
        cause,
        codes,
        held_by: None::<Guard>,
        detail: found.into_iter().map(|(_, detail)| detail).collect(),
    };
    diff.make(change, asked);
}

/// Whether the topology once asked for a bus with this key, by its mark: then nobody but the topology gave it the key, and the
/// topology may take it back. The mark's digest is over all that was asked for, so whatever comes to the same digest is what
/// was: the bus as it is or, where somebody changed something of it by hand, with that as it is asked for now.
fn was_asked_for(id: &BusId, live: &LiveBus, settings: &BusSettings, wanted: &BusSpec) -> bool {
    let (Some(mark), Some(tags)) = (live.mark(id), &live.tags) else { return false };
    let BusSettings { description, kms_key, dead_letter_arn, log } = settings;
    let set: BTreeSet<&String> = keys_set_by_us(tags).collect();
    let is_ours = |key: &String| set.contains(key) || key.starts_with("wheelwright:");
    let ours = |tags: &Tags| -> Tags {
        tags.iter().filter(|(key, _)| is_ours(key)).map(|(key, value)| (key.clone(), value.clone())).collect()
    };
    let mut with_our_marks = ours(tags);
    let marks = wanted.tags.iter().filter(|(key, _)| [OWNER_TAG, TEAM_TAG].contains(&key.as_str()));
    with_our_marks.extend(marks.map(|(key, value)| (key.clone(), value.clone())));
    let resource = ResourceId::Bus(id.clone());
    let once = |tags: &Tags, description: &str, dead_letter_arn: &Option<String>, log: BusLog| BusSpec {
        description: description.to_owned(),
        tags: tags.clone(),
        kms_key: kms_key.clone(),
        dead_letter_arn: dead_letter_arn.clone(),
        log,
    };
    [ours(tags), with_our_marks, wanted.tags.clone()].iter().any(|tags| {
        [Mark::read(description).0, &wanted.description].iter().any(|description| {
            [dead_letter_arn, &wanted.dead_letter_arn].iter().any(|dead_letters| {
                let is_it = |log: &BusLog| once(tags, description, dead_letters, *log).digest(&resource) == mark.digest;
                [*log, wanted.log].iter().any(is_it)
            })
        })
    })
}

/// What UpdateEventBus would change, each with its code.
fn differences(wanted: &BusSettings, ours: &Mark, live: &BusSettings, text: &str) -> Vec<(FindingCode, String)> {
    let BusSettings { description, kms_key, dead_letter_arn, log } = live;
    let mut found = Vec::new();
    match Mark::read(description) {
        (_, None) => found.push((FindingCode::MarkLost, format!("description {description:?} bears no mark"))),
        (live, Some(_)) if live != kept_text(ours, text) => {
            found.push((FindingCode::DescriptionChanged, format!("description {live:?} -> {text:?}")));
        }
        (_, Some(mark)) if !mark.is_same_thing(ours) => {
            found.push((FindingCode::MarkLost, "its description bears the mark of something else".to_owned()));
        }
        (_, Some(_)) => {}
    }
    let text = |value: &Option<String>, none: &str| value.clone().unwrap_or_else(|| none.to_owned());
    if *kms_key != wanted.kms_key {
        let aws = "the key that AWS owns";
        let detail = format!("encryption {} -> {}", text(kms_key, aws), text(&wanted.kms_key, aws));
        found.push((FindingCode::KmsKeyChanged, detail));
    }
    if *dead_letter_arn != wanted.dead_letter_arn {
        let detail = format!(
            "dead letters {} -> {}",
            text(dead_letter_arn, "nowhere"),
            text(&wanted.dead_letter_arn, "nowhere")
        );
        found.push((FindingCode::BusDeadLetterChanged, detail));
    }
    if *log != wanted.log {
        found.push((FindingCode::BusLogChanged, format!("log {} -> {}", log_text(*log), log_text(wanted.log))));
    }
    found
}

fn log_text(log: BusLog) -> String {
    format!("{}{}", log.level, if log.detail { " with details" } else { "" })
}
