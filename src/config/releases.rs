//! `[release.NAME]` of `wheelwright.toml`: what another tool keeps and may be taken over all the same.

use super::diagnostic::{Diagnostic, DiagnosticCode, Sink};
use super::fields::Fields;
use super::settings_daemon::NamesUsed;
use super::source::Written;
use crate::eventbridge::{Arn, quota};
use crate::expand::expand;
use crate::model::desired::Revision;
use crate::model::ids::Moment;
use crate::model::settings::{Released, Settings, Tool};
use crate::model::topology::Topology;

/// The keys of `[release.NAME]`.
pub(super) const RELEASE_KEYS: &[&str] = &["resource", "from", "reason"];
/// What `from` can be.
pub(super) const TOOL_CHOICES: [(&str, Tool); 4] = [
    ("cloudformation", Tool::Cloudformation),
    ("ack", Tool::Ack),
    ("crossplane", Tool::Crossplane),
    ("terraform", Tool::Terraform),
];
/// What a released ARN is called among the names that settings use.
pub(super) const KIND: &str = "release";

pub(super) fn read(file: &Fields<'_>, used: &mut NamesUsed) -> Released {
    let mut released = Released::new();
    for (name, value) in file.entries("release") {
        let Some(fields) = file.as_table(&format!("release.{}", name.value), &name.place, value, RELEASE_KEYS) else {
            continue;
        };
        let example = "\"arn:aws:events:us-east-1:111111111111:rule/org-events/OrdersToBilling\"";
        let resource = fields.required_text("resource", example).filter(|resource| is_one_thing(&fields, resource));
        let from = fields.choice("from", &TOOL_CHOICES);
        if !fields.has("from") {
            fields.missing("from", "\"cloudformation\"");
        }
        let reason = fields.required_text("reason", "\"the stack was deleted, its buses retained\"");
        file.absorb(&fields);
        if let (Some(resource), Some(from), Some(_)) = (resource, from, reason) {
            if released.contains_key(&resource.value) {
                let message = format!("`{}` is released twice", resource.value);
                file.fail(
                    Diagnostic::error(DiagnosticCode::DuplicateName, &resource.place, message).label("again here"),
                );
            }
            released.insert(resource.value.clone(), from.value);
            used.push((KIND, resource));
        }
    }
    released
}

/// Whether this is the ARN of one bus or one rule; reports it if not.
fn is_one_thing(fields: &Fields<'_>, resource: &Written<String>) -> bool {
    let fault = match resource.value.parse::<Arn>() {
        Err(error) => error.fault,
        Ok(arn) if arn.service != "events" => "it is none of EventBridge's",
        Ok(arn) if quota::valid_account_id(&arn.account).is_err() => "it names no account of 12 digits",
        Ok(arn) if quota::valid_region(&arn.region).is_err() => "it names no Region",
        Ok(arn) => match (arn.bus_name(), arn.bus_and_rule_name()) {
            (Some(bus), _) if quota::valid_bus_name(bus).is_ok() => return true,
            (_, Some((_, rule))) if quota::valid_rule_name(rule).is_ok() => return true,
            _ => "it names no single bus and no single rule",
        },
    };
    let message = "a release is of one bus or one rule, by its ARN";
    fields.fail(Diagnostic::error(DiagnosticCode::BadRelease, &resource.place, message).label(fault).help(
        "expected `arn:aws:events:REGION:ACCOUNT:event-bus/NAME` or `arn:aws:events:REGION:ACCOUNT:rule/BUS/NAME`",
    ));
    false
}

/// Tells of releases of what nothing asks for. A warning, and none while the topology has mistakes: what is wrong may ask for it.
pub(super) fn check(used: &NamesUsed, topology: &Topology, settings: &Settings, sink: &Sink) {
    if settings.released.is_empty() || sink.has_errors() {
        return;
    }
    let desired = expand(topology, settings, Revision { id: "check".into(), sequence: 0 }, Moment(u64::MAX));
    for (_, resource) in used.iter().filter(|(kind, _)| *kind == KIND) {
        let is_asked_for = desired.buses.keys().any(|bus| bus.arn() == resource.value)
            || desired.rules.keys().any(|rule| rule.arn() == resource.value);
        if !is_asked_for {
            sink.push(
                Diagnostic::warning(
                    DiagnosticCode::UnusedRelease,
                    &resource.place,
                    "nothing asks for what is released",
                )
                .label("the topology has no bus and no rule with this ARN")
                .help("name the bus in a hub or a spoke, or the rule in `keeps.rule`; or take the entry out"),
            );
        }
    }
}
