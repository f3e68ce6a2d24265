//! The service's settings: what a platform team chooses for the operator. Read from `wheelwright.toml` by
//! [`crate::config`]; each limit has its unit in its name.

use super::ids::{Owner, Region};
use super::plan::PlanSettings;
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
