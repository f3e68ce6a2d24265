//! The simulated AWS's other services and its accounts' troubles, as a client of AWS notices them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(clippy::needless_pass_by_value)]

mod iam;
mod keys;
mod organization;
mod other_accounts;
mod sqs;

use serde_json::{Value, json};
use wheelwright::sim::{AwsError, Bootstrap, Caller, Service, SimulatedAws};

pub(crate) const HUB: &str = "111111111111";
pub(crate) const SPOKE: &str = "222222222222";
pub(crate) const OTHER: &str = "333333333333";
pub(crate) const EAST: &str = "us-east-1";
pub(crate) const WEST: &str = "us-west-2";

/// Accounts as the deployment templates leave them; the operator is at home in the hub.
pub(crate) fn world() -> SimulatedAws {
    let mut aws = SimulatedAws::default();
    let bootstrap = Bootstrap {
        operator_account: HUB.to_owned(),
        external_id: "wheel".to_owned(),
        operator_role: "operator".to_owned(),
        delivery_role: "delivery".to_owned(),
        dead_letter_queue: "dead-letters".to_owned(),
        operator_permissions: None,
    };
    for account in [HUB, SPOKE, OTHER] {
        aws.bootstrap_account(account, &[EAST, WEST], &bootstrap);
    }
    aws
}

/// An EventBridge call in us-east-1.
pub(crate) fn events(
    aws: &mut SimulatedAws,
    caller: &Caller,
    operation: &str,
    input: Value,
) -> Result<Value, AwsError> {
    aws.call(caller, EAST, Service::EventBridge, operation, &input)
}

/// The same as an account's root user, where it must succeed.
pub(crate) fn ok(aws: &mut SimulatedAws, account: &str, operation: &str, input: Value) -> Value {
    match events(aws, &Caller::root(account), operation, input) {
        Ok(output) => output,
        Err(error) => panic!("{operation} in {account}: {error}"),
    }
}

/// A custom bus; its ARN.
pub(crate) fn bus(aws: &mut SimulatedAws, account: &str, name: &str) -> String {
    let created = ok(aws, account, "CreateEventBus", json!({"Name": name}));
    created["EventBusArn"].as_str().unwrap().to_owned()
}

/// Code, HTTP status and text of a refusal.
pub(crate) fn told(error: AwsError) -> (String, u16, String) {
    (error.code, error.status, error.message)
}
