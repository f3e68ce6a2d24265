//! Reading `wheelwright.toml`: the service's settings, all with defaults, each within its bounds.

use super::diagnostic::{Diagnostic, DiagnosticCode};
use super::fields::Fields;
use super::{releases, settings_daemon, settings_paths, values};
use crate::eventbridge::quota;
use crate::model::plan::PlanSettings;
use crate::model::settings::{DeliverySettings, OperatorSettings, PaceSettings, Settings};

/// The tables of `wheelwright.toml` and their keys.
pub(super) const TABLES: [(&str, &[&str]); 9] = [
    ("operator", &["owner", "role-name", "external-id", "session-name", "region"]),
    ("delivery", &["role-name", "dead-letter-queue"]),
    (
        "pace",
        &["accounts-in-flight-max", "calls-per-second-max", "calls-burst-max", "scope-deadline-secs", "settle-secs"],
    ),
    ("guards", &["breaks-percent-max", "breaks-floor", "changes-percent-max", "changes-floor", "fresh-secs-max"]),
    (
        "sweep",
        &[
            "fast-every-secs",
            "full-every-secs",
            "full-at",
            "gap-secs-min",
            "start-jitter-secs-max",
            "source-every-secs",
            "backoff-secs-max",
            "refused-every-secs",
            "regions-also",
        ],
    ),
    ("mode", &["default", "hub", "team", "spoke"]),
    ("breaker", &["reverts-max", "window-secs"]),
    ("state", &["folder", "days-max", "mib-max"]),
    ("http", &["listen", "token-env", "token-file"]),
];
/// The tables of `wheelwright.toml` whose entries people name.
pub(super) const MAPS: [&str; 5] = ["on-drift", "freeze", "alert", "path", "release"];

/// The settings in `file`; what is not there, or not right, has its default. `used` gets the names of the topology that they use.
pub(super) fn read(file: &Fields<'_>, used: &mut settings_daemon::NamesUsed) -> Settings {
    let mut settings = Settings::default();
    for (name, keys) in TABLES {
        let Some(fields) = file.table(name, keys) else { continue };
        match name {
            "operator" => operator(&fields, &mut settings.operator),
            "delivery" => delivery(&fields, &mut settings.delivery),
            "pace" => pace(&fields, &mut settings.pace),
            "guards" => guards(&fields, &mut settings.guards),
            "sweep" => {
                settings_daemon::sweep(&fields, &mut settings.sweep);
                let regions = values::regions(&fields, "regions-also");
                settings.regions_also = regions.into_iter().map(|region| region.value).collect();
            }
            "mode" => settings_daemon::modes(&fields, &mut settings.modes, used),
            "breaker" => settings_daemon::breaker(&fields, &mut settings.breaker),
            "state" => settings_daemon::state(&fields, &mut settings.state),
            _ => settings_daemon::http(&fields, &mut settings.http),
        }
        file.absorb(&fields);
    }
    settings.on_drift_hold = settings_daemon::on_drift(file);
    settings.freezes = settings_daemon::freezes(file);
    settings.alerts = settings_daemon::alerts(file, used);
    settings.paths = settings_paths::paths(file);
    settings.released = releases::read(file, used);
    settings
}

fn operator(fields: &Fields<'_>, operator: &mut OperatorSettings) {
    if let Some(owner) = fields.parsed("owner", DiagnosticCode::BadName) {
        operator.owner = owner.value;
    }
    if let Some(name) = role_name(fields) {
        operator.role_name = name;
    }
    if let Some(id) = values::checked(fields, "external-id", DiagnosticCode::BadName, quota::valid_external_id) {
        operator.external_id = Some(id.value);
    }
    if let Some(name) = values::checked(fields, "session-name", DiagnosticCode::BadName, quota::valid_role_session_name)
    {
        operator.session_name = name.value;
    }
    if let Some(region) = values::region(fields, "region") {
        operator.region = Some(region.value);
    }
}

fn delivery(fields: &Fields<'_>, delivery: &mut DeliverySettings) {
    if let Some(name) = role_name(fields) {
        delivery.role_name = name;
    }
    if let Some(queue) = fields.text("dead-letter-queue") {
        if values::is_queue_name(&queue.value) {
            delivery.dead_letter_queue = queue.value;
        } else {
            fields.fail(
                Diagnostic::error(
                    DiagnosticCode::BadName,
                    &queue.place,
                    format!("`{}` is not the name of a standard queue", queue.value),
                )
                .label("expected 1 to 80 letters, digits, `-` and `_`"),
            );
        }
    }
}

fn role_name(fields: &Fields<'_>) -> Option<String> {
    let name = fields.text("role-name")?;
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_+=,.@-/".contains(&byte);
    let fits = (1..=64).contains(&name.value.len()) && name.value.bytes().all(allowed) && !name.value.starts_with('/');
    if !fits {
        fields.fail(
            Diagnostic::error(DiagnosticCode::BadName, &name.place, format!("`{}` is not a role's name", name.value))
                .label("expected 1 to 64 letters, digits and `_+=,.@-`, after its path if it has one"),
        );
    }
    fits.then_some(name.value)
}

fn pace(fields: &Fields<'_>, pace: &mut PaceSettings) {
    set(fields, "accounts-in-flight-max", 1, 1_000, &mut pace.accounts_in_flight_max);
    set(fields, "calls-per-second-max", 1, 50, &mut pace.calls_per_second_max);
    set(fields, "calls-burst-max", 1, 100, &mut pace.calls_burst_max);
    set(fields, "scope-deadline-secs", 5, 3_600, &mut pace.scope_deadline_secs);
    set(fields, "settle-secs", 0, 86_400, &mut pace.settle_secs);
}

fn guards(fields: &Fields<'_>, guards: &mut PlanSettings) {
    set(fields, "breaks-percent-max", 0, 100, &mut guards.breaks_percent_max);
    set(fields, "breaks-floor", 0, 10_000, &mut guards.breaks_floor);
    set(fields, "changes-percent-max", 0, 100, &mut guards.changes_percent_max);
    set(fields, "changes-floor", 0, 10_000, &mut guards.changes_floor);
    if let Some(seconds) = fields.number("fresh-secs-max", 30..=86_400) {
        guards.fresh_ms_max = seconds * 1_000;
    }
}

pub(super) fn set(fields: &Fields<'_>, key: &str, least: u64, most: u64, setting: &mut u32) {
    if let Some(number) = fields.number(key, least..=most).and_then(|number| u32::try_from(number).ok()) {
        *setting = number;
    }
}
