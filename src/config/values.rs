//! Single values with AWS's rules: Regions, buses, sources, tags, queue names.

use super::diagnostic::{Diagnostic, DiagnosticCode};
use super::fields::Fields;
use super::source::Written;
use crate::eventbridge::{DEFAULT_BUS, NameError, quota};
use crate::model::ids::Region;
use crate::model::topology::Tags;
use toml::de::DeValue;

/// The text at `key` if `valid` takes it.
pub(super) fn checked(
    fields: &Fields<'_>,
    key: &str,
    code: DiagnosticCode,
    valid: fn(&str) -> Result<(), NameError>,
) -> Option<Written<String>> {
    let text = fields.text(key)?;
    check(fields, code, &text, valid).then_some(text)
}

/// Whether `valid` takes `text`; reports it if not.
pub(super) fn check(
    fields: &Fields<'_>,
    code: DiagnosticCode,
    text: &Written<String>,
    valid: fn(&str) -> Result<(), NameError>,
) -> bool {
    match valid(&text.value) {
        Ok(()) => true,
        Err(NameError { name, kind, fault }) => {
            let article = if kind.starts_with(['a', 'e', 'i', 'o']) { "an" } else { "a" };
            let message = format!("`{name}` is not {article} {kind}");
            fields.fail(Diagnostic::error(code, &text.place, message).label(fault));
            false
        }
    }
}

/// The Region at `key`.
pub(super) fn region(fields: &Fields<'_>, key: &str) -> Option<Written<Region>> {
    as_region(fields, &fields.text(key)?)
}

fn as_region(fields: &Fields<'_>, text: &Written<String>) -> Option<Written<Region>> {
    let zone_of = text.value.strip_suffix(|last: char| last.is_ascii_lowercase());
    if let Some(region) = zone_of.filter(|region| quota::valid_region(region).is_ok()) {
        let message = format!("`{}` is not a Region", text.value);
        fields.fail(
            Diagnostic::error(DiagnosticCode::BadRegion, &text.place, message)
                .label("this is an availability zone")
                .help(format!("its Region is `{region}`")),
        );
        return None;
    }
    check(fields, DiagnosticCode::BadRegion, text, quota::valid_region).then(|| text.with(Region::new(&text.value)))
}

/// The bus name at `key`.
pub(super) fn bus(fields: &Fields<'_>, key: &str) -> Option<Written<String>> {
    let bus = checked(fields, key, DiagnosticCode::BadBusName, quota::valid_bus_name)?;
    if !bus.value.starts_with("ww.") {
        return Some(bus);
    }
    // On a default bus a rule's ARN names no bus, so that `rule/ww.*`, which the operator role may write, would be every
    // rule on such a bus, anybody's.
    fields.fail(
        Diagnostic::error(DiagnosticCode::BadBusName, &bus.place, "names that start with `ww.` are kept for rules")
            .label("the operator's rights on its own rules would reach every rule on this bus")
            .help("give the bus another name"),
    );
    None
}

/// A hub's bus: any but the account's default one.
pub(super) fn hub_bus(fields: &Fields<'_>, key: &str) -> Option<Written<String>> {
    let bus = bus(fields, key)?;
    if bus.value != DEFAULT_BUS {
        return Some(bus);
    }
    fields.fail(
        Diagnostic::error(DiagnosticCode::BadBusName, &bus.place, "a hub cannot be an account's default bus")
            .label("AWS services put their own events here")
            .help("give the hub a bus of its own: it is created for you"),
    );
    None
}

/// The source at `key`.
pub(super) fn source(fields: &Fields<'_>, key: &str) -> Option<Written<String>> {
    let source = fields.required_text(key, "\"com.example.orders\"")?;
    let fault = if source.value.starts_with("aws.") {
        Some(("sources that start with `aws.` are AWS's own", "PutEvents refuses this source"))
    } else if source.value.is_empty() {
        Some(("events have a source", "nothing is said here"))
    } else if source.value.chars().count() > 256 {
        Some(("a source has at most 256 characters", "this has more"))
    } else {
        None
    };
    let Some((message, label)) = fault else { return Some(source) };
    fields.fail(Diagnostic::error(DiagnosticCode::BadSource, &source.place, message).label(label));
    None
}

/// The source of AWS services' own events at `key`.
pub(super) fn aws_source(fields: &Fields<'_>, key: &str) -> Option<Written<String>> {
    let source = fields.required_text(key, "\"aws.guardduty\"")?;
    if source.value.strip_prefix("aws.").is_some_and(|service| !service.is_empty()) {
        return Some(source);
    }
    fields.fail(
        Diagnostic::error(DiagnosticCode::BadSource, &source.place, "only AWS services' own events are collected")
            .label("expected a source that starts with `aws.`")
            .help("what your own programs publish is a publication: `[publish.NAME]`"),
    );
    None
}

/// The Regions of the list at `key`.
pub(super) fn regions(fields: &Fields<'_>, key: &str) -> Vec<Written<Region>> {
    let written = fields.texts(key).map(|list| list.value).unwrap_or_default();
    written.iter().filter_map(|text| as_region(fields, text)).collect()
}

/// The tags at `key`; none if there are none.
pub(super) fn tags(fields: &Fields<'_>, key: &str) -> Tags {
    let mut tags = Tags::new();
    for (name, value) in fields.entries(key) {
        if !check(fields, DiagnosticCode::BadTag, &name, quota::valid_tag_key) {
            continue;
        }
        if name.value.to_ascii_lowercase().starts_with("wheelwright:") {
            fields.fail(
                Diagnostic::error(DiagnosticCode::BadTag, &name.place, format!("`{}` is not yours to set", name.value))
                    .label("tags that start with `wheelwright:` are its marks"),
            );
            continue;
        }
        let DeValue::String(text) = value.get_ref() else {
            fields.wrong_type(&fields.place_of(value), &name.value, value.get_ref(), "a text in quotes");
            continue;
        };
        let text = Written { value: text.to_string(), place: fields.place_of(value) };
        if check(fields, DiagnosticCode::BadTag, &text, quota::valid_tag_value) {
            tags.insert(name.value, text.value);
        }
    }
    tags
}

/// Whether this names a standard queue (a dead-letter queue has to be one):
/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_CreateQueue.html>.
pub(super) fn is_queue_name(name: &str) -> bool {
    (1..=80).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}
