//! The words of a message: what is wrong where, what it comes to, what was done, what to do.

use super::cause;
use crate::model::alert::AlertKind;
use crate::model::finding::{FindingCode, Outcome};
use crate::model::incident::{Incident, Resolution, Subject};
use crate::model::resource::ResourceId;
use std::collections::{BTreeMap, BTreeSet};

/// One line: what is wrong where.
pub(super) fn title(kind: AlertKind, code: FindingCode, incidents: &[&Incident]) -> String {
    let over = matches!(kind, AlertKind::Mended | AlertKind::Resolved);
    let Words { one, many, is, .. } = words(code);
    let said = match incidents {
        [incident] => format!("{} {}", single(one, code, incident), verb(is, false, over)),
        several => format!("{} {many}{} {}", several.len(), places(several), verb(is, true, over)),
    };
    let detail = incidents.first().map_or("", |incident| incident.concern.detail.as_str());
    let reason = match cause(code, detail) {
        "" => String::new(),
        reason => format!(" ({reason})"),
    };
    match kind {
        AlertKind::Raised => format!("{said}{reason}"),
        AlertKind::Reminder => format!("still so: {said}{reason}"),
        AlertKind::Mended => format!("mended: {said}{reason}"),
        AlertKind::Resolved => format!("resolved: {said}{reason}"),
    }
}

/// One thing, and where it is.
fn single(one: &str, code: FindingCode, incident: &Incident) -> String {
    let articled = || if one.starts_with("the ") { one.to_owned() } else { format!("a {one}") };
    match (&incident.concern.subject, &incident.concern.team) {
        (_, Some(team)) if code == FindingCode::TeamKept => format!("the file of team {team}"),
        (Subject::Operator, _) => articled(),
        (Subject::Resource(ResourceId::Scope(scope)), _) => format!("scope {scope}"),
        (Subject::Resource(resource), _) => {
            let one = if one == THING.0 { resource.kind() } else { one };
            format!("{one} {} in {}", resource.local_name(), resource.scope())
        }
    }
}

/// ` in SCOPE`, or in how many.
fn places(incidents: &[&Incident]) -> String {
    let scopes: BTreeSet<_> = incidents.iter().filter_map(|incident| incident.concern.subject.scope()).collect();
    let of_scopes = |incident: &&&Incident| matches!(incident.concern.subject, Subject::Resource(ResourceId::Scope(_)));
    match scopes.len() {
        _ if incidents.iter().any(|incident| of_scopes(&incident)) => String::new(),
        0 => String::new(),
        1 => scopes.first().map(|scope| format!(" in {scope}")).unwrap_or_default(),
        number => format!(" in {number} scopes"),
    }
}

/// `is disabled`, `are disabled`, `was disabled`, `were disabled`; and likewise with `has`.
fn verb(is: &str, many: bool, over: bool) -> String {
    let (verb, rest) = is.split_once(' ').unwrap_or((is, ""));
    let verb = match (verb, many, over) {
        ("is", true, false) => "are",
        ("is", false, true) => "was",
        ("is", true, true) => "were",
        ("has", true, false) => "have",
        ("has", _, true) => "had",
        (as_it_is, ..) => as_it_is,
    };
    format!("{verb} {rest}")
}

/// What it comes to as long as it lasts.
pub(super) fn effect(code: FindingCode) -> &'static str {
    words(code).effect
}

/// What wheelwright did, with how many.
pub(super) fn done(kind: AlertKind, incidents: &[&Incident]) -> String {
    let say = |incident: &&Incident| match (kind, incident.resolved) {
        (AlertKind::Raised | AlertKind::Reminder, _) | (_, None) => outcome(incident.concern.outcome),
        (AlertKind::Mended, _) => "mended within the sweep that found it",
        (AlertKind::Resolved, Some((_, Resolution::Mended))) => "wheelwright mended it, and saw that it did",
        (AlertKind::Resolved, Some((_, Resolution::Gone))) => {
            "not found any more: somebody else mended it, or the topology changed"
        }
    };
    let mut counted: BTreeMap<&str, usize> = BTreeMap::new();
    for incident in incidents {
        *counted.entry(say(incident)).or_default() += 1;
    }
    if counted.len() == 1 {
        return counted.into_keys().collect();
    }
    counted.into_iter().map(|(said, number)| format!("{number}: {said}")).collect::<Vec<_>>().join("; ")
}

fn outcome(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Mend => "wheelwright mends it: the steps are planned and not all done yet",
        Outcome::Left => "left as it is, for a person to decide",
        Outcome::Held => "nothing yet: the steps that mend it are held",
        Outcome::Waiting => "nothing yet: wheelwright waits for what is missing",
    }
}

/// What to do next.
pub(super) fn advice(kind: AlertKind, code: FindingCode, incidents: &[&Incident]) -> String {
    let first = incidents.first();
    let thing = first.map(|incident| &incident.concern.subject).and_then(|subject| match subject {
        Subject::Resource(ResourceId::Scope(_)) | Subject::Operator => None,
        Subject::Resource(resource) => Some(resource.local_name()),
    });
    if kind == AlertKind::Resolved {
        return "Nothing to do.".to_owned();
    }
    if kind == AlertKind::Mended {
        return "Nothing to do now. CloudTrail of that account and Region says who did it.".to_owned();
    }
    let outcomes: BTreeSet<_> = incidents.iter().map(|incident| incident.concern.outcome).collect();
    let now = match code {
        FindingCode::StateLost => {
            "Look what should be held off, order it anew, then let it write: `wheelwright resume --state-lost`."
        }
        FindingCode::SecondWriter => {
            "Find the other writer (CloudTrail names it) and stop it, then `wheelwright resume --fight RESOURCE`."
        }
        FindingCode::TopologyRefused | FindingCode::TeamKept => {
            "`wheelwright check` tells each mistake with its place; the next sweep takes what is mended."
        }
        FindingCode::SourceUnreachable => {
            "What the remote answered is above; each look tries again, and SIGHUP makes the daemon look now."
        }
        FindingCode::Unread | FindingCode::UnreadIdle => {
            "Each line says what to mend there; a later sweep reads it again by itself."
        }
        FindingCode::PartnerMustAdd => "Send them what `wheelwright plan` prints for them.",
        FindingCode::RouteStopped => "Take the stop out to let it go on before its time.",
        FindingCode::StopExpired => "Take the entry out of the topology.",
        _ if outcomes.contains(&Outcome::Held) => {
            "`wheelwright plan` shows what is held, by what, and how a person lets it go."
        }
        _ if outcomes.contains(&Outcome::Left) => "A person has to decide what is to become of it.",
        _ if outcomes.contains(&Outcome::Waiting) => "Mend what it waits for: each line says what.",
        _ => "If it is still open after the next sweep, `wheelwright incidents` says why.",
    };
    let why = thing.map(|name| format!("; `wheelwright why {name}` who wanted it")).unwrap_or_default();
    format!("{now} `wheelwright explain {code}` says more{why}.")
}

/// What a code is called in a message.
struct Words {
    /// One such thing.
    one: &'static str,
    /// Several.
    many: &'static str,
    /// What it is, beginning with `is` or `has`.
    is: &'static str,
    /// What it comes to.
    effect: &'static str,
}

/// Where a code may be about several kinds of things.
const THING: (&str, &str) = ("thing", "things");

#[rustfmt::skip] // A table.
fn words(code: FindingCode) -> Words {
    use FindingCode as C;
    const RULE: (&str, &str) = ("rule", "rules");
    const BUS: (&str, &str) = ("bus", "buses");
    const GRANT: (&str, &str) = ("grant", "grants");
    const TARGET: (&str, &str) = ("target", "targets");
    const ARCHIVE: (&str, &str) = ("archive", "archives");
    let ((one, many), is, effect) = match code {
        C::BusMissing => (BUS, "is gone", "What is published there meanwhile is dropped, not queued."),
        C::KmsKeyChanged => (BUS, "is encrypted with another key", "Who may not use that key may be cut off from the bus."),
        C::BusDeadLetterChanged => (BUS, "has another dead-letter queue", "Events that it cannot encrypt or decrypt go elsewhere, or are lost."),
        C::BusLogChanged => (BUS, "has another log level", "No event is lost."),
        C::GrantMissing => (GRANT, "is gone", "Events of the account that it lets in are refused meanwhile: publishers get an error, forwards go to the dead-letter queue."),
        C::GrantChanged => (GRANT, "is changed", "Somebody may be let in who should not be, or refused who should not be."),
        C::GrantSurplus => (GRANT, "is not asked for any more", "No event is lost; somebody is let in who need not be."),
        C::ForeignGrant => (GRANT, "is not wheelwright's", "No event is lost; look whom it lets in."),
        C::ForeignDeny => (("statement", "statements"), "has a denial of somebody else's", "A denial wins over every grant: publishers or forwards may be cut off."),
        C::PublicGrant => (GRANT, "is open to every AWS account in the world", "Anybody can put events there. Teams receive none of them; an audit may, and they cost money."),
        C::RuleMissing => (RULE, "is gone", "The route delivers nothing: the events are dropped meanwhile, not queued."),
        C::RuleDisabled => (RULE, "is disabled", "The route delivers nothing: the events that it would match are dropped meanwhile, not queued."),
        C::RuleEnabled => (RULE, "is enabled against a stop", "The route delivers what it should not."),
        C::PatternChanged => (RULE, "has another pattern", "The route delivers other events: those that it does not match any more are dropped meanwhile, not queued."),
        C::DescriptionChanged => (THING, "has another description", "No event is lost."),
        C::MarkLost => (THING, "has no mark any more", "No event is lost."),
        C::TagsChanged => (THING, "has other tags", "No event is lost."),
        C::RuleSurplus => (RULE, "is not asked for any more", "No event is lost; some may be delivered that nobody asked for."),
        C::ForeignRule => (RULE, "is not wheelwright's", "No event is lost; it may receive what teams publish."),
        C::TargetMissing => (TARGET, "is gone", "The events match and go nowhere: they are dropped meanwhile, not queued."),
        C::TargetChanged => (TARGET, "is changed", "The events go elsewhere, or cannot be delivered, meanwhile."),
        C::TargetSurplus => (TARGET, "is not asked for any more", "No event is lost; some are delivered twice or to where nobody asked."),
        C::ForeignTarget => (TARGET, "is not wheelwright's", "No event is lost; it receives the rule's events."),
        C::ArchiveMissing => (ARCHIVE, "is gone", "The events that were in it are lost, and new ones are not kept meanwhile. Deliveries go on."),
        C::ArchiveChanged => (ARCHIVE, "is changed", "Events may be kept for another time than asked for. Deliveries go on."),
        C::Orphaned => (THING, "is not asked for any more", "No event is lost; it costs what it costs."),
        C::Adopt => (THING, "is there without our mark under a wanted name", "What needs it waits: those routes deliver nothing yet, or as they did."),
        C::OtherOwner => (THING, "is another operator's or tool's", "What needs it waits: those routes deliver nothing yet, or as they did."),
        C::MarkCopied => (THING, "has a copy of our mark", "No event is lost; a copy of a rule delivers a second time."),
        C::Incomplete => (RULE, "has no targets", "The route delivers nothing: the events match and are dropped meanwhile, not queued."),
        C::DestinationUnready => (RULE, "has a destination that is not ready", "A new route does not deliver yet; one that is there delivers as it did."),
        C::Superseded => (THING, "has the mark of a newer topology", "Nothing is written until the daemon has that topology, so drift is not mended. Deliveries go on as they are."),
        C::Unread => (("scope", "scopes"), "is not read", "Drift there is not seen and not mended. Deliveries go on as they are."),
        C::UnreadIdle => (("scope", "scopes"), "is not read where nothing is asked for", "No event is lost."),
        C::TeamKept => (("team's file", "teams' files"), "has errors", "The routes of that team stay as they are: nothing of theirs is made, changed or mended."),
        C::RouteStopped => (RULE, "is held off by a stop", "The route's events are dropped until the stop ends, not queued."),
        C::StopExpired => (("stop", "stops"), "has ended and can be taken out", "No event is lost: the route goes on."),
        C::PolicyUnreadable => (BUS, "has a policy that is not understood", "Nothing on that bus is written, so what drifts there is not mended."),
        C::PartnerMustAdd => (THING, "is for a partner to add", "The route does not deliver until they have added it."),
        C::PlanHeld => (("the plan", "plans"), "is held", "What it would mend stays as it is until it is let go."),
        C::TopologyRefused => (("the topology", "topologies"), "is refused", "The last good one stands: drift is mended, new wishes wait."),
        C::SourceUnreachable => (("the topology's source", "sources"), "is not reached", "The newest topology that came stands: drift is mended, new wishes wait."),
        C::StateLost => (("the daemon's state", "states"), "is lost", "Nothing is written, so drift is not mended, until a person has looked."),
        C::SecondWriter => (THING, "is taken back again and again by another writer", "It is left alone, so it stays as the other writer has it: look at its other incidents for what is lost."),
        C::StopUnready => (("route", "routes"), "is not held off though a person ordered it", "The route goes on delivering, though somebody ordered it to be held off."),
        C::ChannelsUnready => (("the change of the alert channels", "changes"), "is not used", "Alerts go on over the channels of before: whoever was to be told newly is not told."),
        C::Unwritten => (THING, "is not written as asked", "What was to be made or mended there is not: look at its other incidents for what is lost."),
    };
    Words { one, many, is, effect }
}
