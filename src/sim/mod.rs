//! A simulated AWS: many accounts and Regions in memory, with EventBridge's control plane and delivery, STS, and as
//! much of SQS, IAM, KMS and an organisation's troubles as those two rest on.
//!
//! The core speaks AWS's own JSON: an operation's name and its input as the service's API reference gives them in,
//! the output or an [`AwsError`] out. Every door (a direct call, an HTTP request, a TCP listener) is a
//! translation onto [`SimulatedAws::call`].
//!
//! It has no clock, no randomness and no IO: the driver says what time it is, and ids are counted, so two runs of the
//! same script agree to the byte. `Clone` forks the whole of it in a moment, because all large parts are shared until
//! one side writes. It knows nothing of the operator under test; of this package it uses only [`crate::eventbridge`],
//! the rules of patterns, policies and ARNs, which are held to AWS's recorded answers on their own.
//!
//! ```
//! use serde_json::json;
//! use wheelwright::sim::{Caller, Service, SimulatedAws};
//!
//! let mut aws = SimulatedAws::default();
//! aws.create_account("111111111111");
//! let caller = Caller::root("111111111111");
//! let input = json!({"Name": "orders"});
//! aws.call(&caller, "us-east-1", Service::EventBridge, "CreateEventBus", &input)?;
//!
//! let mut fork = aws.clone();
//! fork.call(&caller, "us-east-1", Service::EventBridge, "DeleteEventBus", &input)?;
//! let described = aws.call(&caller, "us-east-1", Service::EventBridge, "DescribeEventBus", &input)?;
//! assert_eq!(described["Arn"], "arn:aws:events:us-east-1:111111111111:event-bus/orders");
//! # Ok::<(), wheelwright::sim::AwsError>(())
//! ```

mod archives;
mod authorization;
mod buses;
pub mod call_door;
mod delivery;
mod errors;
mod events;
pub mod fault;
pub mod http;
pub mod http_faults;
mod iam;
mod iam_api;
mod identifiers;
mod input_transform;
mod kms;
mod log;
mod organization;
mod paging;
mod permissions;
mod planted;
mod policy_document;
mod quotas;
mod request;
mod rules;
pub mod sdk_door;
mod settings;
mod snapshot;
mod sqs;
mod state;
mod sts;
mod tags;
mod targets;
pub mod tcp;
mod throttle;
mod trace;

pub use errors::{AwsError, Fault as ErrorFault};
pub use events::EventEntry;
pub use iam::{Bootstrap, Permission, Role, Trusted};
pub use kms::{KeyState, key_policy};
pub use log::{LogEntry, Outcome};
pub use quotas::Quotas;
pub use settings::{BusUpdates, Settings, TargetChecks};
pub use snapshot::{SnapshotItem, SnapshotKind};
pub use sqs::Message;
pub use sts::{Credentials, KeyError};
pub use targets::TargetFailure;
pub use trace::{DeliveryOutcome, DeliveryRecord, RuleCounters};

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use log::{CallKind, Log};
use request::Request;
use state::{Account, Region};
use sts::Session;
use throttle::Throttle;
use trace::Trace;

/// The AWS services that are simulated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Service {
    /// Amazon EventBridge, the classic buses: JSON 1.1, target prefix `AWSEvents`.
    EventBridge,
    /// AWS Security Token Service: query protocol.
    Sts,
    /// Amazon SQS: JSON 1.0, target prefix `AmazonSQS`.
    Sqs,
    /// AWS Identity and Access Management: query protocol, one endpoint for all Regions.
    Iam,
}

impl Service {
    /// The prefix of the service's IAM actions and the name in its endpoints.
    #[must_use]
    pub fn prefix(self) -> &'static str {
        match self {
            Self::EventBridge => "events",
            Self::Sts => "sts",
            Self::Sqs => "sqs",
            Self::Iam => "iam",
        }
    }
}

/// Who makes a call: an account, and as whom in it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Caller {
    account: String,
    session: Option<RoleSession>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct RoleSession {
    role: String,
    name: String,
}

impl Caller {
    /// The account's root user: allowed everything that the account has not been denied.
    #[must_use]
    pub fn root(account: &str) -> Self {
        Self { account: account.to_owned(), session: None }
    }

    /// A session of a role: allowed what the role allows.
    #[must_use]
    pub fn role(account: &str, role: &str, session: &str) -> Self {
        Self {
            account: account.to_owned(),
            session: Some(RoleSession { role: role.to_owned(), name: session.to_owned() }),
        }
    }

    /// The twelve-digit account.
    #[must_use]
    pub fn account(&self) -> &str {
        &self.account
    }

    /// The name of the role, unless this is the root user.
    #[must_use]
    pub fn role_name(&self) -> Option<&str> {
        self.session.as_ref().map(|session| session.role.as_str())
    }

    /// The ARN as STS and CloudTrail show it: `…:root` or `…:assumed-role/ROLE/SESSION`.
    #[must_use]
    pub fn arn(&self) -> String {
        match &self.session {
            None => format!("arn:aws:iam::{}:root", self.account),
            Some(session) => format!("arn:aws:sts::{}:assumed-role/{}/{}", self.account, session.role, session.name),
        }
    }
}

/// The simulated AWS. See the [module's page](self) for an example.
#[derive(Debug, Clone, Default)]
pub struct SimulatedAws {
    /// What the driver may set at any time: page sizes, settle time, throttling, strictness.
    pub settings: Settings,
    now_ms: i64,
    next_identifier: u64,
    last_request: u64,
    accounts: Arc<BTreeMap<String, Arc<Account>>>,
    sessions: Arc<BTreeMap<String, Session>>,
    received: Arc<BTreeMap<String, Vec<Arc<Value>>>>,
    target_failures: Vec<TargetFailure>,
    throttle: Throttle,
    log: Log,
    trace: Trace,
}

impl SimulatedAws {
    /// The simulated time, milliseconds since 1970.
    #[must_use]
    pub fn now_ms(&self) -> i64 {
        self.now_ms
    }

    /// Sets the simulated time, milliseconds since 1970.
    pub fn set_now_ms(&mut self, now_ms: i64) {
        self.now_ms = now_ms;
    }

    /// Moves the simulated time on.
    pub fn advance_ms(&mut self, by_ms: i64) {
        self.now_ms = self.now_ms.saturating_add(by_ms);
    }

    /// Creates an account, empty but for the `default` bus in every Region. An account that exists is left as it is.
    pub fn create_account(&mut self, account: &str) {
        Arc::make_mut(&mut self.accounts).entry(account.to_owned()).or_default();
    }

    /// Puts an account into an organisation, so that `aws:PrincipalOrgID` holds for it.
    pub fn set_organization(&mut self, account: &str, organization: &str) {
        self.create_account(account);
        if let Some(account) = self.account_mut(account) {
            account.organization = Some(organization.to_owned());
        }
    }

    /// The names of all accounts, in order.
    pub fn accounts(&self) -> impl Iterator<Item = &str> {
        self.accounts.keys().map(String::as_str)
    }

    /// Replaces an account's quotas. Does nothing where the account does not exist.
    pub fn set_quotas(&mut self, account: &str, quotas: Quotas) {
        if let Some(account) = self.account_mut(account) {
            account.quotas = quotas;
        }
    }

    /// Makes one API call.
    ///
    /// `input` and the answer are the service's own JSON. Times are epoch seconds with a fraction.
    ///
    /// # Errors
    ///
    /// The error that AWS would answer, with its code and text; [`SimulatedAws::last_request_id`] names the call.
    pub fn call(
        &mut self,
        caller: &Caller,
        region: &str,
        service: Service,
        operation: &str,
        input: &Value,
    ) -> Result<Value, AwsError> {
        self.last_request = self.next_number();
        let request = Request { caller, region, service, operation, input };
        let outcome = self.admit(&request).and_then(|()| self.dispatch(&request));
        self.write_log(&request, &outcome);
        outcome
    }

    /// The request id of the last call.
    #[must_use]
    pub fn last_request_id(&self) -> String {
        identifiers::uuid(self.last_request)
    }

    /// The log of calls: writes alone, unless [`Settings::log_reads`] is set.
    #[must_use]
    pub fn log(&self) -> &[Arc<LogEntry>] {
        self.log.entries()
    }

    /// How often each operation was called, whatever came of it.
    #[must_use]
    pub fn call_counts(&self) -> &BTreeMap<String, u64> {
        self.log.counts()
    }

    /// What every delivery attempt came to, in the order of the attempts.
    #[must_use]
    pub fn trace(&self) -> &[Arc<DeliveryRecord>] {
        self.trace.records()
    }

    /// The delivery counters of one rule, by its ARN.
    #[must_use]
    pub fn rule_counters(&self, rule_arn: &str) -> RuleCounters {
        self.trace.counters(rule_arn)
    }

    /// What a target that is neither a bus nor a queue has received, oldest first, by its ARN.
    #[must_use]
    pub fn received(&self, target_arn: &str) -> &[Arc<Value>] {
        self.received.get(target_arn).map_or(&[], Vec::as_slice)
    }

    fn check_caller(&self, caller: &Caller, service: Service) -> Result<(), AwsError> {
        let known = match caller.role_name() {
            None => self.accounts.contains_key(caller.account()),
            Some(role) => self.role(caller.account(), role).is_some(),
        };
        if known { Ok(()) } else { Err(AwsError::unknown_key(service)) }
    }

    fn admit(&mut self, request: &Request<'_>) -> Result<(), AwsError> {
        self.check_caller(request.caller, request.service)?;
        self.check_account(request)?;
        if request.service != Service::Iam {
            self.ensure_region(request.caller.account(), request.region);
        }
        if request.service == Service::EventBridge && request.kind() != CallKind::Data {
            let scope = (request.caller.account().to_owned(), request.region.to_owned());
            self.throttle.admit(scope, self.now_ms, self.settings.calls_per_second)?;
        }
        Ok(())
    }

    fn dispatch(&mut self, request: &Request<'_>) -> Result<Value, AwsError> {
        match request.service {
            Service::EventBridge => self.dispatch_events(request),
            Service::Sts => self.dispatch_sts(request),
            Service::Sqs => self.dispatch_sqs(request),
            Service::Iam => self.dispatch_iam(request),
        }
    }

    fn dispatch_events(&mut self, request: &Request<'_>) -> Result<Value, AwsError> {
        match request.operation {
            "CreateEventBus" => self.create_event_bus(request),
            "UpdateEventBus" => self.update_event_bus(request),
            "DeleteEventBus" => self.delete_event_bus(request),
            "DescribeEventBus" => self.describe_event_bus(request),
            "ListEventBuses" => self.list_event_buses(request),
            "PutPermission" => self.put_permission(request),
            "RemovePermission" => self.remove_permission(request),
            "PutRule" => self.put_rule(request),
            "DeleteRule" => self.delete_rule(request),
            "DescribeRule" => self.describe_rule(request),
            "EnableRule" => self.set_rule_state(request, "ENABLED"),
            "DisableRule" => self.set_rule_state(request, "DISABLED"),
            "ListRules" => self.list_rules(request),
            "ListRuleNamesByTarget" => self.list_rule_names_by_target(request),
            "PutTargets" => self.put_targets(request),
            "RemoveTargets" => self.remove_targets(request),
            "ListTargetsByRule" => self.list_targets_by_rule(request),
            "CreateArchive" => self.create_archive(request),
            "UpdateArchive" => self.update_archive(request),
            "DeleteArchive" => self.delete_archive(request),
            "DescribeArchive" => self.describe_archive(request),
            "ListArchives" => self.list_archives(request),
            "TagResource" => self.tag_resource(request),
            "UntagResource" => self.untag_resource(request),
            "ListTagsForResource" => self.list_tags_for_resource(request),
            "TestEventPattern" => self.test_event_pattern(request),
            "PutEvents" => self.put_events_call(request),
            other => Err(AwsError::unknown_operation(other)),
        }
    }

    fn write_log(&mut self, request: &Request<'_>, outcome: &Result<Value, AwsError>) {
        let keep = match request.kind() {
            CallKind::Write => true,
            CallKind::Read => self.settings.log_reads,
            CallKind::Data => false,
        };
        let entry = keep.then(|| LogEntry {
            seq: 0,
            at_ms: self.now_ms,
            account: request.caller.account().to_owned(),
            region: request.region.to_owned(),
            principal: request.caller.arn(),
            operation: request.operation.to_owned(),
            input: request.input.clone(),
            outcome: match outcome {
                Ok(_) => Outcome::Ok,
                Err(error) => Outcome::Err(error.code.clone()),
            },
            request_id: self.last_request_id(),
        });
        self.log.record(request.operation, entry);
    }

    fn account(&self, account: &str) -> Option<&Account> {
        self.accounts.get(account).map(Arc::as_ref)
    }

    fn account_mut(&mut self, account: &str) -> Option<&mut Account> {
        Arc::make_mut(&mut self.accounts).get_mut(account).map(Arc::make_mut)
    }

    fn ensure_region(&mut self, account: &str, region: &str) {
        let missing = self.account(account).is_some_and(|found| !found.regions.contains_key(region));
        if missing && let Some(found) = self.account_mut(account) {
            let created = Region::new(account, region);
            found.regions.insert(region.to_owned(), Arc::new(created));
        }
    }

    fn region(&self, account: &str, region: &str) -> Option<&Region> {
        let found = self.account(account)?.regions.get(region)?;
        Some(found.as_ref())
    }

    fn region_mut(&mut self, account: &str, region: &str) -> Option<&mut Region> {
        let found = self.account_mut(account)?.regions.get_mut(region)?;
        Some(Arc::make_mut(found))
    }

    /// An account's quotas; AWS's defaults where there is no such account.
    pub fn quotas(&self, account: &str) -> Quotas {
        self.account(account).map_or_else(Quotas::default, |found| found.quotas.clone())
    }
}

#[cfg(test)]
mod tests;
