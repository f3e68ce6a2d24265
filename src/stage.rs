//! Setting the stage: a simulated AWS with everything in it that others bring to a topology, and nothing of ours.
//!
//! The bootstrap templates bring the operator role, the delivery role and the dead-letter queues; the teams bring the
//! queues that they subscribe with and, once their bus is there, rules of their own on it. For the demo, for
//! `wheelwright sim` and for tests.

use crate::eventbridge::{Arn, partition_of_region};
use crate::model::desired::Desired;
use crate::model::ids::Scope;
use crate::model::resource::BusId;
use crate::model::route::Consumer;
use crate::model::settings::Settings;
use crate::model::topology::{Access, Hub, Topology};
use crate::sim::call_door::{Operator, SimFleet};
use crate::sim::{AwsError, Bootstrap, Caller, Permission, Service, SimulatedAws};
use serde_json::json;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

/// The account that the operator itself runs in, apart from every team's.
pub const OPERATOR_ACCOUNT: &str = "100000000001";

/// The accounts of `topology`, as they are before wheelwright first looks at them.
pub fn stage(topology: &Topology, settings: &Settings, desired: &Desired) -> SimulatedAws {
    let mut aws = SimulatedAws::default();
    prepare(&mut aws, topology, settings, desired);
    aws
}

/// Adds to `aws` what others bring to `topology`; what is there stays.
pub fn prepare(aws: &mut SimulatedAws, topology: &Topology, settings: &Settings, desired: &Desired) {
    aws.create_account(OPERATOR_ACCOUNT);
    for account in topology.accounts.values() {
        let id = account.id.to_string();
        let scopes = desired.scopes.iter().filter(|scope| scope.account == account.id);
        let regions: Vec<&str> = scopes.map(|scope| scope.region.as_str()).collect();
        let partition = regions.first().map_or("aws", |region| partition_of_region(region));
        let bootstrap = Bootstrap {
            operator_account: OPERATOR_ACCOUNT.to_owned(),
            external_id: settings.operator.external_id.clone().unwrap_or_default(),
            operator_role: settings.operator.role_name.clone(),
            delivery_role: settings.delivery.role_name.clone(),
            dead_letter_queue: settings.delivery.dead_letter_queue.clone(),
            operator_permissions: Some(operator_permissions(&id, partition, settings)),
        };
        match account.access {
            Access::Managed => aws.bootstrap_account(&id, &regions, &bootstrap),
            Access::None => aws.create_account(&id),
        }
        if let Some(organization) = &topology.organization {
            aws.set_organization(&id, organization);
        }
    }
    for queue in queues(desired) {
        create_queue(aws, &queue);
    }
    for hub in topology.hubs.values() {
        raise_quotas(aws, hub);
    }
}

/// What AWS raised for a hub, in its account.
fn raise_quotas(aws: &mut SimulatedAws, hub: &Hub) {
    let account = hub.scope.account.to_string();
    let mut quotas = aws.quotas(&account);
    quotas.rules_per_bus = quotas.rules_per_bus.max(hub.quotas.rules_max);
    quotas.policy_characters = quotas.policy_characters.max(hub.quotas.policy_characters_max);
    quotas.pattern_characters = quotas.pattern_characters.max(hub.quotas.pattern_characters_max);
    aws.set_quotas(&account, quotas);
}

/// What the template gives the operator role, as far as the simulated AWS tells actions apart: EventBridge whole, and to look
/// at what delivers.
fn operator_permissions(account: &str, partition: &str, settings: &Settings) -> Vec<Permission> {
    let delivery = Arn::role(partition, account, &settings.delivery.role_name).to_string();
    let queues = format!("arn:{partition}:sqs:*:{account}:{}", settings.delivery.dead_letter_queue);
    vec![
        Permission::on_everything(&["events:*"]),
        Permission::on(&["iam:PassRole", "iam:GetRole"], &[&delivery]),
        Permission::on(&["sqs:GetQueueAttributes"], &[&queues]),
    ]
}

/// The operator, as the simulated AWS knows it.
pub fn operator(settings: &Settings) -> Operator {
    Operator {
        base: Caller::root(OPERATOR_ACCOUNT),
        role: settings.operator.role_name.clone(),
        external_id: settings.operator.external_id.clone(),
        session: settings.operator.session_name.clone(),
    }
}

/// The operator's way into `aws` by the Call door.
pub fn fleet(aws: SimulatedAws, settings: &Settings) -> SimFleet {
    SimFleet::new(Arc::new(Mutex::new(aws)), operator(settings))
}

/// The queues that routes deliver to.
fn queues(desired: &Desired) -> BTreeSet<String> {
    let direct = desired.routes.values().filter(|route| route.destination_bus.is_none());
    direct.map(|route| route.destination_arn.clone()).filter(|arn| arn.contains(":sqs:")).collect()
}

/// Makes a queue that EventBridge and every delivery role may send to.
fn create_queue(aws: &mut SimulatedAws, arn: &str) {
    let Ok(parsed) = arn.parse::<Arn>() else { return };
    let Some(name) = parsed.queue_name() else { return };
    let policy = json!({"Version": "2012-10-17", "Statement": [
        {"Sid": "delivery", "Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage", "Resource": arn}
    ]});
    aws.create_queue_with_policy(&parsed.account, &parsed.region, name, &policy);
}

/// The queue that a team reads its bus through: what its own rule on the bus delivers to.
pub fn inbox(bus: &BusId) -> String {
    Arn::queue(bus.scope.region.as_str(), &bus.scope.account.to_string(), &format!("{}-inbox", bus.name)).to_string()
}

/// The rule of a team's own on its bus.
pub const INBOX_RULE: &str = "team-inbox";

/// Lets each team put a rule of its own on each bus that receives: everything into the team's inbox queue. Such rules
/// are foreign to wheelwright: it must leave them as they are.
///
/// # Errors
///
/// What the simulated AWS refuses, as where the bus is not there.
pub fn furnish(aws: &mut SimulatedAws, desired: &Desired) -> Result<(), AwsError> {
    let buses: BTreeSet<&BusId> = desired.routes.values().filter_map(|route| route.destination_bus.as_ref()).collect();
    for bus in buses {
        let Scope { account, region } = &bus.scope;
        let queue = inbox(bus);
        create_queue(aws, &queue);
        let caller = Caller::root(&account.to_string());
        let rule = json!({
            "Name": INBOX_RULE, "EventBusName": bus.name, "Description": "the team's own",
            "EventPattern": r#"{"source":[{"prefix":""}]}"#,
        });
        aws.call(&caller, region.as_str(), Service::EventBridge, "PutRule", &rule)?;
        let target = json!({"Rule": INBOX_RULE, "EventBusName": bus.name, "Targets": [{"Id": "inbox", "Arn": queue}]});
        aws.call(&caller, region.as_str(), Service::EventBridge, "PutTargets", &target)?;
    }
    Ok(())
}

/// Where what `consumer` receives can be read: its queue, or the inbox of its bus.
pub fn mailbox(desired: &Desired, consumer: &Consumer) -> Option<String> {
    let (_, route) = desired.routes.iter().find(|(id, _)| id.consumer == *consumer)?;
    Some(route.destination_bus.as_ref().map_or_else(|| route.destination_arn.clone(), inbox))
}
