//! The simulated accounts of the story, reached through the real AWS SDK.

use crate::aws::{AwsFleet, AwsSettings, Connection};
use crate::cli::clock::MachineClock;
use crate::cli::context::Context;
use crate::eventbridge::Arn;
use crate::model::desired::Desired;
use crate::model::ids::AccountId;
use crate::model::mark::{Mark, statement_prefix, target_prefix};
use crate::port::Clock;
use crate::sim::sdk_door::SimHttpClient;
use crate::sim::{Caller, EventEntry, Service, SimulatedAws, SnapshotItem, SnapshotKind};
use crate::stage;
use anyhow::Context as _;
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_async::time::{SharedTimeSource, SystemTimeSource};
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The accounts, and the operator's way in.
pub(super) struct Accounts {
    world: Arc<Mutex<SimulatedAws>>,
    fleet: AwsFleet,
}

/// Where an event came to.
pub(super) struct Came {
    /// Who has it.
    pub(super) arrived: BTreeSet<String>,
    /// Who has it, and in which queue.
    pub(super) places: BTreeMap<String, String>,
    /// How many mailboxes were looked into.
    pub(super) mailboxes: usize,
}

impl Accounts {
    pub(super) async fn open(context: &Context) -> Self {
        let mut aws = stage::stage(&context.topology, &context.settings, &context.desired);
        aws.set_now_ms(i64::try_from(MachineClock.now().0).unwrap_or_default());
        let world = Arc::new(Mutex::new(aws));
        let fleet = sign_in(&world, context);
        Self { world, fleet }
    }

    /// Another way in, for whoever has to have one.
    pub(super) fn another_fleet(&self, context: &Context) -> AwsFleet {
        sign_in(&self.world, context)
    }

    pub(super) fn fleet(&self) -> &AwsFleet {
        &self.fleet
    }

    pub(super) fn world(&self) -> MutexGuard<'_, SimulatedAws> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many writes the accounts have seen.
    pub(super) fn writes(&self) -> usize {
        self.world().log().len()
    }

    /// Lets the teams put their own rules on their buses.
    pub(super) fn furnish(&self, desired: &Desired) -> anyhow::Result<()> {
        stage::furnish(&mut self.world(), desired).context("the teams' own rules")
    }

    /// A call by a person in an account.
    pub(super) fn by_hand(
        &self,
        account: AccountId,
        region: &str,
        operation: &str,
        input: &Value,
    ) -> anyhow::Result<Value> {
        let caller = Caller::root(&account.to_string());
        let answer = self.world().call(&caller, region, Service::EventBridge, operation, input);
        answer.with_context(|| format!("{operation} by hand in {account}"))
    }

    /// Publishes on hub us as the account that the roster calls `publisher`.
    pub(super) fn publish(&self, context: &Context, event: &EventEntry, publisher: &str) -> anyhow::Result<Came> {
        let topology = &context.topology;
        let hub = topology.hubs.iter().find(|(name, _)| name.as_str() == "us").map(|(_, hub)| hub).context("hub us")?;
        let account =
            topology.accounts.iter().find(|(name, _)| name.as_str() == publisher).context("the publisher")?.1.id;
        let region = hub.scope.region.as_str();
        let bus = Arn::bus(region, &hub.scope.account.to_string(), &hub.bus).to_string();
        let entry = EventEntry { bus, ..event.clone() };
        self.world().put_event(&Caller::root(&account.to_string()), region, &entry).context("PutEvents")?;
        Ok(self.mailboxes(&context.desired, &event.detail.to_string(), event))
    }

    /// Who has an event: a queue counts for a subscription only if the subscription's own rule brought it there.
    fn mailboxes(&self, desired: &Desired, needle: &str, event: &EventEntry) -> Came {
        let world = self.world();
        let mut came = Came { arrived: BTreeSet::new(), places: BTreeMap::new(), mailboxes: 0 };
        let delivered: BTreeSet<(&str, &str)> = world
            .trace()
            .iter()
            .rev()
            .take(64)
            .map(|record| (record.rule.as_str(), record.target_arn.as_str()))
            .collect();
        for (id, route) in &desired.routes {
            came.mailboxes += 1;
            let Some(queue) = stage::mailbox(desired, &id.consumer) else { continue };
            let has = world
                .messages(&queue)
                .iter()
                .any(|message| message.body.contains(needle) && message.body.contains(&event.source));
            if has && delivered.contains(&(route.rule.name.as_str(), route.destination_arn.as_str())) {
                came.arrived.insert(id.consumer.to_string());
                came.places.insert(id.consumer.to_string(), queue);
            }
        }
        came
    }

    /// Everything in the accounts that does not bear our marks, to the byte.
    pub(super) fn foreign(&self, desired: &Desired) -> Value {
        let (statements, targets) = (statement_prefix(&desired.owner), target_prefix(&desired.owner));
        self.world().snapshot(|item: &SnapshotItem<'_>| match item.kind {
            SnapshotKind::Statement => !item.name.starts_with(&statements),
            SnapshotKind::Target => !item.name.starts_with(&targets),
            SnapshotKind::Rule => {
                !desired.rules.keys().any(|rule| rule.name == item.name) && !marked(item.value, desired)
            }
            SnapshotKind::Bus => !marked(item.value, desired),
            SnapshotKind::Archive => !desired.archives.keys().any(|archive| archive.name == item.name),
            SnapshotKind::Queue => true,
        })
    }
}

/// The operator's way in, through the real AWS SDK.
fn sign_in(world: &Arc<Mutex<SimulatedAws>>, context: &Context) -> AwsFleet {
    let key = world.lock().unwrap_or_else(PoisonError::into_inner).mint_root_key(stage::OPERATOR_ACCOUNT);
    let credentials = Credentials::new(key.access_key_id, key.secret_access_key, key.session_token, None, "simulated");
    let connection = Connection::new(
        SharedHttpClient::new(SimHttpClient::new(Arc::clone(world))),
        SharedCredentialsProvider::new(credentials),
        SharedTimeSource::new(SystemTimeSource::new()),
    );
    let operator = &context.settings.operator;
    let mut settings = AwsSettings::new(&operator.role_name);
    settings.external_id.clone_from(&operator.external_id);
    settings.session_name.clone_from(&operator.session_name);
    AwsFleet::new(settings, connection)
}

fn marked(value: &Value, desired: &Desired) -> bool {
    let description = value.get("Description").and_then(Value::as_str).unwrap_or_default();
    Mark::read(description).1.is_some_and(|mark| mark.owner == desired.owner)
}
