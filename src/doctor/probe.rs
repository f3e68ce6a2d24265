//! Calls that prove a permission and hit nothing.
//!
//! AWS asks first whether a caller may, and looks for the thing after it: "not found" is an answer to somebody who may.
//! Reads ask for what is there or for names that are not. Writes are tried, where somebody asks for it, on a bus
//! ([`NOTHING_BUS`]) and an archive that are not there, and not before a reading said so.

use super::Needs;
use crate::call::{Call, CallKind};
use crate::eventbridge::Arn;
use crate::model::ids::Owner;
use crate::model::mark::{archive_prefix, statement_prefix, target_prefix};
use crate::model::resource::{BusId, BusSettings, Grantee, RuleId, RuleState, TargetSpec};
use crate::model::topology::Tags;
use strum::VariantArray as _;

/// A bus that nobody has.
pub(super) const NOTHING_BUS: &str = "wheelwright-doctor-nothing";
/// A rule that nobody has: ours end in a digest.
pub(super) const NOTHING_RULE: &str = "ww.doctor.nothing";

/// The reads, one for each action but GetRole and GetQueueAttributes, whose answers matter and are asked for by
/// themselves.
pub(super) fn reads(needs: &Needs, owner: &Owner) -> Vec<Call> {
    // The default bus is everywhere.
    let default = BusId { scope: needs.scope.clone(), name: "default".to_owned() };
    let (bus, rule) = (|| default.name.clone(), || NOTHING_RULE.to_owned());
    vec![
        Call::ListEventBuses { next_token: None },
        Call::DescribeEventBus { bus: bus() },
        Call::ListRules { bus: bus(), next_token: None },
        Call::DescribeRule { bus: bus(), rule: rule() },
        Call::ListTargetsByRule { bus: bus(), rule: rule(), next_token: None },
        Call::ListTagsForResource { arn: RuleId { bus: default.clone(), name: rule() }.arn() },
        Call::ListArchives { name_prefix: archive_prefix(owner), next_token: None },
        Call::DescribeArchive { archive: nothing_archive(owner) },
    ]
}

/// Whether the bus of the write trials is there.
pub(super) fn nothing_there() -> Call {
    Call::DescribeEventBus { bus: NOTHING_BUS.to_owned() }
}

/// Whether the archive of the write trials is there.
pub(super) fn no_archive_there(owner: &Owner) -> Call {
    Call::DescribeArchive { archive: nothing_archive(owner) }
}

/// Whether a bus has the rule of the second write trials.
pub(super) fn no_rule_there(bus: &BusId) -> Call {
    Call::DescribeRule { bus: bus.name.clone(), rule: NOTHING_RULE.to_owned() }
}

/// Writes on a bus that is not there.
pub(super) fn writes(needs: &Needs, owner: &Owner) -> Vec<Call> {
    let scope = &needs.scope;
    let nothing = BusId { scope: scope.clone(), name: NOTHING_BUS.to_owned() };
    let (bus, rule) = (|| NOTHING_BUS.to_owned(), || NOTHING_RULE.to_owned());
    let statement_id = || format!("{}doctor", statement_prefix(owner));
    let mut calls = vec![
        Call::UpdateEventBus { bus: bus(), settings: BusSettings::default() },
        Call::PutPermission { bus: bus(), statement_id: statement_id(), grantee: Grantee::Account(scope.account) },
        Call::RemovePermission { bus: bus(), statement_id: statement_id() },
        Call::PutRule {
            bus: bus(),
            rule: rule(),
            description: String::new(),
            pattern: r#"{"source":["wheelwright.doctor.nothing"]}"#.to_owned(),
            state: RuleState::Disabled,
            tags: Tags::new(),
        },
        Call::UpdateArchive { archive: nothing_archive(owner), description: String::new(), retention_days: 0 },
    ];
    calls.extend(on_a_rule(&nothing, owner, &needs.dead_letter_queue));
    calls
}

/// Writes on a rule that is not there, on a bus that may be: for roles that are narrowed to certain buses.
pub(super) fn second_writes(needs: &Needs, owner: &Owner) -> Vec<Call> {
    stand_in(needs).map(|bus| on_a_rule(bus, owner, &needs.dead_letter_queue)).unwrap_or_default()
}

/// What is taken away is a target and a tag that nobody has either.
fn on_a_rule(bus: &BusId, owner: &Owner, queue: &str) -> Vec<Call> {
    let target_id = format!("{}doctor", target_prefix(owner));
    let target = TargetSpec { arn: queue.to_owned(), role_arn: None, dead_letter_arn: None, retry: None };
    let (name, rule) = (|| bus.name.clone(), || NOTHING_RULE.to_owned());
    let arn = || RuleId { bus: bus.clone(), name: rule() }.arn();
    vec![
        Call::PutTargets { bus: name(), rule: rule(), targets: vec![(target_id.clone(), target)] },
        Call::RemoveTargets { bus: name(), rule: rule(), target_ids: vec![target_id] },
        Call::DeleteRule { bus: name(), rule: rule() },
        Call::TagResource {
            arn: arn(),
            tags: Tags::from_iter([("wheelwright:doctor".to_owned(), "nothing".to_owned())]),
        },
        Call::UntagResource { arn: arn(), keys: vec!["wheelwright:doctor".to_owned()] },
    ]
}

fn nothing_archive(owner: &Owner) -> String {
    format!("{}doctor-nothing", archive_prefix(owner))
}

/// Why an action is not tried at all.
pub(super) fn why_not_tried(kind: CallKind, prove_writes: bool) -> &'static str {
    match kind {
        CallKind::CreateEventBus | CallKind::CreateArchive => "trying it would make something",
        CallKind::DeleteEventBus | CallKind::DeleteArchive => {
            "only `wheelwright retire` needs it (AllowRetire=yes); a try could take something away"
        }
        _ if prove_writes => "it was not tried",
        _ => "writes are not tried unless --prove-writes is given",
    }
}

/// The kind of an action's call.
pub(super) fn kind_of(action: &str) -> Option<CallKind> {
    CallKind::VARIANTS.iter().copied().find(|kind| kind.action() == action)
}

/// The name that IAM knows a role by: the last part of its ARN, without the path.
pub(super) fn role_name(arn: &str) -> String {
    arn.parse::<Arn>().ok().and_then(|arn| arn.role_name().map(str::to_owned)).unwrap_or_default()
}

/// The name of the queue of an ARN.
pub(super) fn queue_name(arn: &str) -> String {
    arn.parse::<Arn>().ok().and_then(|arn| arn.queue_name().map(str::to_owned)).unwrap_or_default()
}

/// The bus of the topology that stands in where a role is narrowed to certain buses.
pub(super) fn stand_in(needs: &Needs) -> Option<&BusId> {
    needs.buses.iter().find(|bus| !bus.is_default()).or_else(|| needs.buses.first())
}
