//! `wheelwright.toml`: the service's settings, all with defaults, each limit with its unit in its name.

use super::diagnostic::{Diagnostic, DiagnosticCode};
use super::fields::Fields;
use super::values;
use crate::eventbridge::quota;
use crate::model::ids::{Owner, Region};
use crate::model::plan::PlanSettings;
use serde::Serialize;

/// The service's settings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Settings {
    /// Who we are to AWS and to other operators.
    pub operator: OperatorSettings,
    /// What EventBridge delivers with.
    pub delivery: DeliverySettings,
    /// How fast we go.
    pub pace: PaceSettings,
    /// When a plan is held.
    pub guards: PlanSettings,
}

/// `[operator]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct OperatorSettings {
    /// Whose marks we write and obey. Two operators that look at one account need two names.
    pub owner: Owner,
    /// The role that we assume in every account; `deploy/` makes it.
    pub role_name: String,
    /// What the role's trust policy asks for, if it does.
    pub external_id: Option<String>,
    /// Our name in CloudTrail.
    pub session_name: String,
    /// The Region whose STS we ask; if none, the environment's.
    pub region: Option<Region>,
}

/// `[delivery]`: what the bootstrap templates put into every account that has rules.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct DeliverySettings {
    /// The role that EventBridge assumes to deliver, in the rule's account.
    pub role_name: String,
    /// The standard SQS queue for what could not be delivered, in the rule's account and Region.
    pub dead_letter_queue: String,
}

/// `[pace]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct PaceSettings {
    /// Accounts that are looked at or written at one time.
    pub accounts_in_flight_max: u32,
    /// Control-plane calls a second in one scope, of the 50 that everybody there shares
    /// (<https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-quota.html>).
    pub calls_per_second_max: u32,
    /// Calls that may come at once after a pause.
    pub calls_burst_max: u32,
    /// Seconds after which a scope that has not answered is left out of a sweep.
    pub scope_deadline_secs: u32,
    /// Seconds between the last make and the first break of a plan.
    pub settle_secs: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            operator: OperatorSettings {
                owner: Owner::default(),
                role_name: "wheelwright-operator".into(),
                external_id: None,
                session_name: "wheelwright".into(),
                region: None,
            },
            delivery: DeliverySettings {
                role_name: "wheelwright-delivery".into(),
                dead_letter_queue: "wheelwright-dead-letters".into(),
            },
            pace: PaceSettings {
                accounts_in_flight_max: 64,
                calls_per_second_max: 15,
                calls_burst_max: 30,
                scope_deadline_secs: 120,
                settle_secs: 300,
            },
            guards: PlanSettings::default(),
        }
    }
}

/// The tables of `wheelwright.toml` and their keys.
pub(super) const TABLES: [(&str, &[&str]); 4] = [
    ("operator", &["owner", "role-name", "external-id", "session-name", "region"]),
    ("delivery", &["role-name", "dead-letter-queue"]),
    (
        "pace",
        &["accounts-in-flight-max", "calls-per-second-max", "calls-burst-max", "scope-deadline-secs", "settle-secs"],
    ),
    ("guards", &["breaks-percent-max", "breaks-floor", "changes-percent-max", "changes-floor", "fresh-secs-max"]),
];

/// The settings in `file`; what is not there, or not right, has its default.
pub(super) fn read(file: &Fields<'_>) -> Settings {
    let mut settings = Settings::default();
    for (name, keys) in TABLES {
        let Some(fields) = file.table(name, keys) else { continue };
        match name {
            "operator" => operator(&fields, &mut settings.operator),
            "delivery" => delivery(&fields, &mut settings.delivery),
            "pace" => pace(&fields, &mut settings.pace),
            _ => guards(&fields, &mut settings.guards),
        }
        file.absorb(&fields);
    }
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

fn set(fields: &Fields<'_>, key: &str, least: u64, most: u64, setting: &mut u32) {
    if let Some(number) = fields.number(key, least..=most).and_then(|number| u32::try_from(number).ok()) {
        *setting = number;
    }
}
