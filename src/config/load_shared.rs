//! What more than one kind of file may say: stops, renames, and what is said of a bus.

use super::diagnostic::{Diagnostic, DiagnosticCode};
use super::fields::Fields;
use super::load::LOG_KEYS;
use super::raw::{RawBusOptions, RawMoved, RawStop, RawTopology};
use super::source::Written;
use crate::model::ids::Moment;
use crate::model::resource::{BusLog, LogLevel};
use toml::de::DeValue;

/// The keys of a stop.
pub(super) const STOP_KEYS: &[&str] = &["subscription", "until", "reason"];
/// The keys of a rename.
pub(super) const MOVED_KEYS: &[&str] = &["from", "to", "kind"];
/// What `level` can be.
pub(super) const LEVEL_CHOICES: [(&str, LogLevel); 4] =
    [("off", LogLevel::Off), ("error", LogLevel::Error), ("info", LogLevel::Info), ("trace", LogLevel::Trace)];
/// What `kind` can be: whether it is a publication's.
pub(super) const KIND_CHOICES: [(&str, bool); 2] = [("subscription", false), ("publication", true)];

/// Reads a file's stops and renames; `team` is whose file it is.
pub(super) fn read(file: &Fields<'_>, team: Option<&str>, raw: &mut RawTopology) {
    for (name, value) in file.entries("stop") {
        let Some(fields) = file.as_table(&format!("stop.{}", name.value), &name.place, value, STOP_KEYS) else {
            continue;
        };
        raw.stops.extend(stop(&fields, name, team).filter(|_| fields.sound()));
        file.absorb(&fields);
    }
    let Some((place, value)) = file.raw("moved") else { return };
    let DeValue::Array(items) = value.get_ref() else {
        return file.wrong_type(&place, "moved", value.get_ref(), "tables in a list: `[[moved]]`");
    };
    for item in items {
        let Some(fields) = file.as_table("moved", &file.place_of(item), item, MOVED_KEYS) else { continue };
        raw.moved.extend(moved(&fields, team).filter(|_| fields.sound()));
        file.absorb(&fields);
    }
}

fn stop(fields: &Fields<'_>, name: Written<String>, team: Option<&str>) -> Option<RawStop> {
    let subscription = fields.required("subscription", DiagnosticCode::BadName, "\"TEAM.SUBSCRIPTION\"");
    if !fields.has("until") {
        fields.missing("until", "2026-01-31T06:00:00Z");
    }
    let until = fields.moment("until");
    let reason = fields.required_text("reason", "\"INC-4411\"")?;
    if reason.value.trim().is_empty() {
        fields.fail(
            Diagnostic::error(DiagnosticCode::MissingKey, &reason.place, "a stop needs a reason")
                .label("nothing is said here")
                .help("say why, for whoever finds events missing: `reason = \"INC-4411\"`"),
        );
    }
    let team = team.map(str::to_owned);
    Some(RawStop { name, subscription: subscription?, until: until?, reason: reason.value, team })
}

fn moved(fields: &Fields<'_>, team: Option<&str>) -> Option<RawMoved> {
    let from = fields.required("from", DiagnosticCode::BadName, "\"TEAM.OLD-NAME\"");
    let to = fields.required("to", DiagnosticCode::BadName, "\"TEAM.NEW-NAME\"");
    let is_publication = fields.choice("kind", &KIND_CHOICES).is_some_and(|kind| kind.value);
    Some(RawMoved { from: from?, to: to?, is_publication, team: team.map(str::to_owned) })
}

/// Encryption, dead letters and logging of a bus.
pub(super) fn bus_options(fields: &Fields<'_>) -> RawBusOptions {
    let log = fields.table("log", LOG_KEYS).map(|log| {
        let level = log.choice("level", &LEVEL_CHOICES).map_or(LogLevel::Error, |level| level.value);
        let detail = log.truth("detail").unwrap_or_default();
        if level == LogLevel::Off && detail {
            log.fail(
                Diagnostic::error(DiagnosticCode::UnknownValue, log.place(), "a bus that logs nothing logs no details")
                    .label("`level` is off here, and `detail` is on")
                    .help("leave `detail` out, or choose a level: `level = \"error\"`"),
            );
        }
        fields.absorb(&log);
        Written { value: BusLog { level, detail }, place: log.place().clone() }
    });
    RawBusOptions { kms_key: fields.text("kms-key"), dead_letter: fields.text("bus-dead-letter"), log }
}

/// The moment that a TOML date and time with its offset is.
pub(super) fn moment(written: &str) -> Option<Moment> {
    let time: jiff::Timestamp = written.parse().ok()?;
    u64::try_from(time.as_millisecond()).ok().map(Moment)
}
