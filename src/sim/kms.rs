//! As much of KMS as encrypted buses and queues rest on: keys with a state and a policy, and who may use them.
//!
//! There is no KMS API here; a test makes keys as an organisation's templates would. What comes of a key that cannot
//! be used follows captures of September 2026: a bus's rules cannot be read by whoever may not decrypt, and its events
//! are refused one by one.
//!
//! <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-encryption-event-bus-cmk.html>

use std::sync::Arc;

use serde_json::{Value, json};

use super::SimulatedAws;
use super::authorization::{Because, refusal};
use super::buses::NamedBus;
use super::errors::AwsError;
use super::iam::EVENTS_SERVICE;
use super::policy_document::{Asker, decide, statements};
use super::request::Request;
use super::sqs::Queue;
use super::state::Bus;
use crate::eventbridge::{Arn, partition_of_region};

/// Whether a key can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum KeyState {
    /// It can.
    #[default]
    Enabled,
    /// Somebody has disabled it.
    Disabled,
    /// It is to be deleted.
    PendingDeletion,
}

/// A customer's key.
#[derive(Debug, Clone)]
pub(super) struct Key {
    arn: String,
    state: KeyState,
    policy: Value,
}

impl SimulatedAws {
    /// Creates a key that EventBridge and everybody in the account whose role allows it may use; its ARN. The account
    /// is created where it does not exist.
    pub fn create_key(&mut self, account: &str, region: &str) -> String {
        let id = self.next_uuid();
        self.create_key_with_id(account, region, &id)
    }

    /// The same with an id that the driver chooses, where a topology has to name it before it is there.
    pub fn create_key_with_id(&mut self, account: &str, region: &str, id: &str) -> String {
        self.create_account(account);
        self.ensure_region(account, region);
        let arn = format!("arn:{}:kms:{region}:{account}:key/{id}", partition_of_region(region));
        let key = Key { arn: arn.clone(), state: KeyState::Enabled, policy: key_policy(account) };
        if let Some(found) = self.region_mut(account, region) {
            found.keys.insert(id.to_owned(), Arc::new(key));
        }
        arn
    }

    /// Gives a key another name, such as `alias/team`. Does nothing where the key does not exist.
    pub fn create_key_alias(&mut self, key_arn: &str, alias: &str) {
        let Some((account, region, id)) = key_place(key_arn) else { return };
        if let Some(found) = self.region_mut(&account, &region) {
            found.key_aliases.insert(alias.to_owned(), id);
        }
    }

    /// Replaces a key's policy. Does nothing where the key does not exist.
    pub fn set_key_policy(&mut self, key_arn: &str, policy: &Value) {
        self.change_key(key_arn, |key| key.policy = policy.clone());
    }

    /// Enables or disables a key. Does nothing where the key does not exist.
    pub fn set_key_state(&mut self, key_arn: &str, state: KeyState) {
        self.change_key(key_arn, |key| key.state = state);
    }

    fn change_key(&mut self, key_arn: &str, change: impl FnOnce(&mut Key)) {
        let Some((account, region, id)) = key_place(key_arn) else { return };
        if let Some(key) = self.region_mut(&account, &region).and_then(|found| found.keys.get_mut(&id)) {
            change(Arc::make_mut(key));
        }
    }

    /// Checks a key that a bus is to be encrypted with; the identifier as DescribeEventBus will echo it.
    pub(super) fn check_new_bus_key(
        &self,
        request: &Request<'_>,
        bus_arn: &str,
        identifier: &str,
    ) -> Result<String, AwsError> {
        let echoed = echoed(identifier, request);
        if echoed.contains(":alias/aws/") {
            return Err(AwsError::validation(format!(
                "Parameter {echoed} is not valid. Reason: Provided Arn is not in correct format."
            )));
        }
        let key = self
            .key(&echoed)
            .ok_or_else(|| AwsError::validation(format!("Parameter Invalid keyId {identifier} is not valid.")))?;
        let denied = |action: &str, reason: &str| {
            AwsError::access_denied(format!("Access to call {action} is denied. Reason: {reason}"))
        };
        let describe = "kms:DescribeKey";
        self.caller_may_use(request, key, describe, bus_arn).map_err(|reason| denied(describe, &reason))?;
        check_state(key)?;
        self.caller_may_use(request, key, "kms:GenerateDataKeyWithoutPlaintext", bus_arn)
            .map_err(|reason| AwsError::validation(format!("Parameter {} is not valid. Reason: {reason}", key.arn)))?;
        for action in BUS_ACTIONS {
            service_may_use(key, action, &bus_asker(request.account(), bus_arn))
                .map_err(|reason| denied(action, &reason))?;
        }
        Ok(echoed)
    }

    /// Checks that a bus can be given another key or none: what it has must be decrypted first.
    pub(super) fn check_old_bus_key(&self, bus: &Bus) -> Result<(), AwsError> {
        match bus.kms_key.as_ref().and_then(|identifier| self.key(identifier)) {
            Some(key) => check_state(key),
            None => Ok(()),
        }
    }

    /// Refuses to read or write rules and targets for whoever may not decrypt what their bus is encrypted with.
    pub(super) fn check_decryptable(&self, request: &Request<'_>, named: &NamedBus) -> Result<(), AwsError> {
        let bus = self.bus(&named.account, request.region, &named.name)?;
        let Some(identifier) = &bus.kms_key else {
            return Ok(());
        };
        let usable = self.key(identifier).is_some_and(|key| {
            key.state == KeyState::Enabled && self.caller_may_use(request, key, "kms:Decrypt", &bus.arn).is_ok()
        });
        if usable {
            return Ok(());
        }
        Err(AwsError::client(
            "NotAuthorizedException",
            "Cannot perform Kms:Decrypt on KMS key configured on event bus.",
        ))
    }

    /// Why EventBridge cannot encrypt an event for a bus, if it cannot.
    pub(super) fn bus_key_trouble(&self, account: &str, bus: &Bus) -> Option<String> {
        let identifier = bus.kms_key.as_ref()?;
        let Some(key) = self.key(identifier) else {
            return Some(format!("Key '{identifier}' does not exist"));
        };
        let asker = bus_asker(account, &bus.arn);
        let refused = BUS_ACTIONS.iter().find_map(|action| service_may_use(key, action, &asker).err());
        check_state(key).err().map(|_| unusable(key)).or(refused)
    }

    /// Why a queue's key keeps a message out, if it does. `asker` sends, by itself or with a role.
    pub(super) fn queue_key_trouble(&self, queue: &Queue, asker: &Asker, role_arn: &str) -> Option<String> {
        let identifier = queue.kms_key()?;
        // The key that AWS manages for SQS serves the account's own roles and no service.
        if identifier == "alias/aws/sqs" || identifier.ends_with(":alias/aws/sqs") {
            return role_arn.is_empty().then(|| service_refusal("kms:GenerateDataKey", "this resource"));
        }
        let arn: Arn = queue.arn.parse().ok()?;
        let Some(key) = self.key(&echoed_in(identifier, &arn.region, &arn.account)) else {
            return Some(format!("Key '{identifier}' does not exist"));
        };
        if key.state != KeyState::Enabled {
            return Some(unusable(key));
        }
        if role_arn.is_empty() {
            return service_may_use(key, "kms:GenerateDataKey", asker).err();
        }
        let role = self.role_in_effect(role_arn);
        let allowed = decide(&statements(&key.policy), "kms:GenerateDataKey", &key.arn, asker) == Some(true)
            && role.is_some_and(|role| role.allows("kms:GenerateDataKey", &key.arn));
        (!allowed).then(|| format!("{role_arn} is not authorized to perform: kms:GenerateDataKey on {}", key.arn))
    }

    /// The key of an ARN, which may be an alias's.
    fn key(&self, arn: &str) -> Option<&Key> {
        let parsed: Arn = arn.parse().ok()?;
        let region = self.region(&parsed.account, &parsed.region)?;
        let id = match parsed.resource.strip_prefix("key/") {
            Some(id) => id,
            None => region.key_aliases.get(&parsed.resource)?,
        };
        region.keys.get(id).map(Arc::as_ref)
    }

    /// A key's policy has to let the caller in, by name or as one of its account; in the second case and across
    /// accounts the caller's own permissions have to as well.
    /// <https://docs.aws.amazon.com/kms/latest/developerguide/key-policies.html>
    fn caller_may_use(&self, request: &Request<'_>, key: &Key, action: &str, bus_arn: &str) -> Result<(), String> {
        let asker = self
            .asker(request.caller)
            .with("kms:ViaService", &format!("events.{}.amazonaws.com", request.region))
            .with("kms:CallerAccount", request.account())
            .with(BUS_CONTEXT, bus_arn)
            .with_optional("aws:SourceArn", None)
            .with_optional("aws:SourceAccount", None);
        let says = |asker: &Asker| decide(&statements(&key.policy), action, &key.arn, asker);
        let named = says(&asker.alone()) == Some(true) && key.arn.contains(&format!(":{}:key/", request.account()));
        let own = self.own_refusal(request, action, &key.arn);
        let because = match says(&asker) {
            Some(false) => Some(Because::ResourceDeny),
            None => Some(Because::NoResourcePolicy),
            Some(true) => own.filter(|because| !named || *because != Because::NoIdentityPolicy),
        };
        because.map_or(Ok(()), |because| Err(refusal(request, action, &key.arn, because).message))
    }
}

/// The policy that AWS's guide gives a key for event buses: the account may do everything and passes that on to its
/// roles, and EventBridge may use it for the account.
/// <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-encryption-key-policy.html>
#[must_use]
pub fn key_policy(account: &str) -> Value {
    json!({"Version": "2012-10-17", "Statement": [
        {
            "Sid": "Account", "Effect": "Allow",
            "Principal": {"AWS": Arn::account_root("aws", account).to_string()}, "Action": "kms:*", "Resource": "*",
        },
        {
            "Sid": "EventBridge", "Effect": "Allow", "Principal": {"Service": EVENTS_SERVICE},
            "Action": ["kms:DescribeKey", "kms:GenerateDataKey", "kms:Decrypt"], "Resource": "*",
            "Condition": {"StringEquals": {"aws:SourceAccount": account}},
        },
    ]})
}

/// What EventBridge itself needs a bus's key for.
const BUS_ACTIONS: [&str; 2] = ["kms:GenerateDataKey", "kms:Decrypt"];

/// The condition key of the encryption context that EventBridge gives.
const BUS_CONTEXT: &str = "kms:EncryptionContext:aws:events:event-bus:arn";

/// EventBridge, on behalf of a bus.
fn bus_asker(account: &str, bus_arn: &str) -> Asker {
    Asker::service(EVENTS_SERVICE)
        .with("aws:SourceArn", bus_arn)
        .with("aws:SourceAccount", account)
        .with(BUS_CONTEXT, bus_arn)
}

fn service_may_use(key: &Key, action: &str, asker: &Asker) -> Result<(), String> {
    match decide(&statements(&key.policy), action, &key.arn, asker) {
        Some(true) => Ok(()),
        _ => Err(service_refusal(action, &key.arn)),
    }
}

fn service_refusal(action: &str, on: &str) -> String {
    format!(
        "{EVENTS_SERVICE} is not authorized to perform: {action} on {on} because the resource does not exist in this \
         Region, no resource-based policies allow access, or a resource-based policy explicitly denies access"
    )
}

fn check_state(key: &Key) -> Result<(), AwsError> {
    if key.state == KeyState::Enabled {
        return Ok(());
    }
    Err(AwsError::validation(format!("Parameter kmsKeyIdentifier is not valid. Reason: {}", unusable(key))))
}

fn unusable(key: &Key) -> String {
    match key.state {
        KeyState::PendingDeletion => format!("{} is pending deletion.", key.arn),
        KeyState::Enabled | KeyState::Disabled => format!("{} is disabled.", key.arn),
    }
}

/// An identifier as EventBridge echoes it: ARNs as they came, names and ids as ARNs.
fn echoed(identifier: &str, request: &Request<'_>) -> String {
    echoed_in(identifier, request.region, request.account())
}

fn echoed_in(identifier: &str, region: &str, account: &str) -> String {
    let partition = partition_of_region(region);
    if identifier.starts_with("arn:") {
        identifier.to_owned()
    } else if identifier.starts_with("alias/") {
        format!("arn:{partition}:kms:{region}:{account}:{identifier}")
    } else {
        format!("arn:{partition}:kms:{region}:{account}:key/{identifier}")
    }
}

/// Account, Region and id of a key ARN.
fn key_place(arn: &str) -> Option<(String, String, String)> {
    let arn: Arn = arn.parse().ok()?;
    let id = arn.resource.strip_prefix("key/")?.to_owned();
    Some((arn.account, arn.region, id))
}
