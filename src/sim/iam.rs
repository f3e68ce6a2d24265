//! As much of IAM as the rest stands on: roles with a trust policy and permissions, and denials.
//!
//! A test or the demo calls these methods where an organisation would deploy templates; what IAM's API tells of them
//! is in `iam_api`.

use serde_json::{Value, json};
use std::sync::Arc;

use super::policy_document::glob;
use super::state::Settling;
use super::{Caller, SimulatedAws};
use crate::eventbridge::{Arn, partition_of_region};

/// The service principal that EventBridge assumes target roles as.
pub(super) const EVENTS_SERVICE: &str = "events.amazonaws.com";

/// Who may assume a role.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Trusted {
    /// Everybody in an account whose own permissions allow it.
    Account(String),
    /// One role, by account and name.
    Role(String, String),
    /// An AWS service, such as `events.amazonaws.com`.
    Service(String),
    /// A role that was deleted, by its unique id. It trusts nobody, also when a role of the old name comes back.
    Deleted(String),
}

/// Actions on resources, each a pattern with `*` and `?`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Permission {
    /// Such as `events:Put*`.
    pub actions: Vec<String>,
    /// ARNs, or `*`.
    pub resources: Vec<String>,
}

impl Permission {
    /// Some actions on all resources.
    #[must_use]
    pub fn on_everything(actions: &[&str]) -> Self {
        Self::on(actions, &["*"])
    }

    /// Some actions on some resources.
    #[must_use]
    pub fn on(actions: &[&str], resources: &[&str]) -> Self {
        let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        Self { actions: owned(actions), resources: owned(resources) }
    }

    fn allows(&self, action: &str, resource: &str) -> bool {
        self.actions.iter().any(|pattern| glob(pattern, action))
            && self.resources.iter().any(|pattern| glob(pattern, resource))
    }
}

/// An IAM role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Role {
    /// The name, without a path.
    pub name: String,
    /// The path, with a slash at both ends; part of the ARN.
    pub path: String,
    /// Who may assume it.
    pub trusts: Vec<Trusted>,
    /// The `sts:ExternalId` that the trust policy demands of accounts and roles.
    pub external_id: Option<String>,
    /// The `aws:SourceAccount` that the trust policy demands of services: the account of the rule that they act for.
    pub source_account: Option<String>,
    /// What it may do.
    pub permissions: Vec<Permission>,
    /// What it may never do: action patterns.
    pub denied_actions: Vec<String>,
    /// The longest session, in seconds (3,600 to 43,200).
    pub max_session_seconds: i64,
    /// Given by IAM when the role is created: `AROA…`.
    pub unique_id: String,
    /// When it was created, in simulated milliseconds since 1970; given by IAM.
    pub created_ms: i64,
}

impl Role {
    /// A role that trusts nobody and may do nothing.
    #[must_use]
    pub fn named(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            path: "/".to_owned(),
            trusts: Vec::new(),
            external_id: None,
            source_account: None,
            permissions: Vec::new(),
            denied_actions: Vec::new(),
            max_session_seconds: 3_600,
            unique_id: String::new(),
            created_ms: 0,
        }
    }

    /// Puts it at a path, such as `/ops/`.
    #[must_use]
    pub fn at_path(mut self, path: &str) -> Self {
        path.clone_into(&mut self.path);
        self
    }

    /// Adds someone to the trust policy.
    #[must_use]
    pub fn trusting(mut self, trusted: Trusted) -> Self {
        self.trusts.push(trusted);
        self
    }

    /// Demands an external id.
    #[must_use]
    pub fn with_external_id(mut self, external_id: &str) -> Self {
        self.external_id = Some(external_id.to_owned());
        self
    }

    /// Adds a permission.
    #[must_use]
    pub fn allowing(mut self, permission: Permission) -> Self {
        self.permissions.push(permission);
        self
    }

    /// Lets services assume it only for what belongs to an account.
    #[must_use]
    pub fn with_source_account(mut self, account: &str) -> Self {
        self.source_account = Some(account.to_owned());
        self
    }

    /// Its ARN in the account that it is in.
    #[must_use]
    pub fn arn(&self, account: &str) -> String {
        Arn::role("aws", account, &format!("{}{}", self.path.trim_start_matches('/'), self.name)).to_string()
    }

    /// Whether an ARN is this role's, whatever its partition: the simulated accounts are in all of them.
    fn is_named_by(&self, arn: &Arn) -> bool {
        let path = arn.resource.strip_prefix("role").and_then(|rest| rest.strip_prefix(self.path.as_str()));
        path == Some(self.name.as_str())
    }

    /// Whether a service may assume it on behalf of something in an account.
    pub(super) fn trusts_service(&self, service: &str, source_account: &str) -> bool {
        self.trusts.iter().any(|trusted| matches!(trusted, Trusted::Service(name) if name == service))
            && self.source_account.as_deref().is_none_or(|demanded| demanded == source_account)
    }

    pub(super) fn allows(&self, action: &str, resource: &str) -> bool {
        !self.denies(action) && self.permissions.iter().any(|permission| permission.allows(action, resource))
    }

    pub(super) fn denies(&self, action: &str) -> bool {
        self.denied_actions.iter().any(|pattern| glob(pattern, action))
    }
}

/// What the deployment templates make in an account before the operator can work there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bootstrap {
    /// The account that the operator runs in.
    pub operator_account: String,
    /// The external id that the operator must give; none if empty.
    pub external_id: String,
    /// The role that the operator assumes.
    pub operator_role: String,
    /// The role that targets deliver with.
    pub delivery_role: String,
    /// The dead-letter queue in every Region.
    pub dead_letter_queue: String,
    /// What the operator role may do, if not everything in EventBridge and passing the delivery role.
    pub operator_permissions: Option<Vec<Permission>>,
}

impl SimulatedAws {
    /// Creates a role or replaces it, permissions and all. The account is created where it does not exist.
    pub fn create_role(&mut self, account: &str, mut role: Role) {
        self.create_account(account);
        role.unique_id = self.next_unique_id("AROA");
        role.created_ms = self.now_ms;
        let (now_ms, settle_ms) = (self.now_ms, self.settings.settle_ms);
        if let Some(found) = self.account_mut(account) {
            let name = role.name.clone();
            found.roles.entry(name).or_default().set(now_ms, settle_ms, Some(Arc::new(role)));
        }
    }

    /// Deletes a role. Bus and trust policies that named it show its unique id from then on, and keep showing it when
    /// a role of that name is created again
    /// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html>).
    pub fn delete_role(&mut self, account: &str, name: &str) {
        let Some(role) = self.role(account, name).cloned() else {
            return;
        };
        let (now_ms, settle_ms) = (self.now_ms, self.settings.settle_ms);
        if let Some(settling) = self.account_mut(account).and_then(|found| found.roles.get_mut(name)) {
            settling.set(now_ms, settle_ms, None);
        }
        self.rename_principal(&role.arn(account), &role.unique_id);
        self.forget_trusted_role(account, name, &role.unique_id);
    }

    /// Trust policies that name a deleted role name its unique id instead.
    fn forget_trusted_role(&mut self, account: &str, name: &str, unique_id: &str) {
        let gone = Trusted::Role(account.to_owned(), name.to_owned());
        let mut places = Vec::new();
        for (place, found) in self.accounts.iter() {
            let roles = found.roles.values().filter_map(Settling::latest);
            places
                .extend(roles.filter(|role| role.trusts.contains(&gone)).map(|role| (place.clone(), Arc::clone(role))));
        }
        let (now_ms, settle_ms) = (self.now_ms, self.settings.settle_ms);
        for (place, role) in places {
            let mut changed = role.as_ref().clone();
            for trusted in changed.trusts.iter_mut().filter(|trusted| **trusted == gone) {
                *trusted = Trusted::Deleted(unique_id.to_owned());
            }
            if let Some(settling) = self.account_mut(&place).and_then(|found| found.roles.get_mut(&role.name)) {
                settling.set(now_ms, settle_ms, Some(Arc::new(changed)));
            }
        }
    }

    /// Denies an action (a pattern such as `events:Put*`) to everybody in an account.
    pub fn deny(&mut self, account: &str, action: &str) {
        if let Some(found) = self.account_mut(account) {
            found.denied_actions.push(action.to_owned());
        }
    }

    /// Takes a denial back.
    pub fn undo_deny(&mut self, account: &str, action: &str) {
        if let Some(found) = self.account_mut(account) {
            found.denied_actions.retain(|denied| denied != action);
        }
    }

    /// Makes what the deployment templates make: the operator role, the delivery role, and in each Region a
    /// dead-letter queue that EventBridge may send to.
    pub fn bootstrap_account(&mut self, account: &str, regions: &[&str], bootstrap: &Bootstrap) {
        self.create_account(account);
        let partition = regions.first().map_or("aws", |region| partition_of_region(region));
        let delivery_arn = Arn::role(partition, account, &bootstrap.delivery_role).to_string();
        let mut operator =
            Role::named(&bootstrap.operator_role).trusting(Trusted::Account(bootstrap.operator_account.clone()));
        if !bootstrap.external_id.is_empty() {
            operator = operator.with_external_id(&bootstrap.external_id);
        }
        operator.permissions = bootstrap.operator_permissions.clone().unwrap_or_else(|| {
            vec![Permission::on_everything(&["events:*"]), Permission::on(&["iam:PassRole"], &[&delivery_arn])]
        });
        self.create_role(account, operator);
        let delivery = Role::named(&bootstrap.delivery_role)
            .trusting(Trusted::Service(EVENTS_SERVICE.to_owned()))
            .with_source_account(account)
            .allowing(Permission::on_everything(&[
                "events:PutEvents",
                "sqs:SendMessage",
                "lambda:InvokeFunction",
                "sns:Publish",
                "kinesis:PutRecord*",
                "execute-api:Invoke",
            ]));
        self.create_role(account, delivery);
        for region in regions {
            self.ensure_region(account, region);
            let queue = Arn::queue(region, account, &bootstrap.dead_letter_queue).to_string();
            self.create_queue_with_policy(
                account,
                region,
                &bootstrap.dead_letter_queue,
                &dead_letter_policy(account, region, &queue),
            );
        }
    }

    pub(super) fn role(&self, account: &str, name: &str) -> Option<&Arc<Role>> {
        self.account(account)?.roles.get(name)?.latest()
    }

    /// The role of an ARN, which names its path as well.
    pub(super) fn role_of_arn(&self, role_arn: &str) -> Option<&Arc<Role>> {
        self.role_named_by(&role_arn.parse().ok()?)
    }

    /// The same, of one that has been read.
    pub(super) fn role_named_by(&self, arn: &Arn) -> Option<&Arc<Role>> {
        self.role(&arn.account, arn.role_name()?).filter(|role| role.is_named_by(arn))
    }

    /// The role as EventBridge sees it, which lags behind a write by the settle time.
    pub(super) fn role_in_effect(&self, role_arn: &str) -> Option<&Arc<Role>> {
        let arn: Arn = role_arn.parse().ok()?;
        let settling = self.account(&arn.account)?.roles.get(arn.role_name()?)?;
        settling.at(self.now_ms).filter(|role| role.is_named_by(&arn))
    }

    /// The ARN that policies name a caller by: the role itself rather than its session.
    pub(super) fn policy_arn(&self, caller: &Caller) -> String {
        match caller.role_name() {
            None => Arn::account_root("aws", caller.account()).to_string(),
            Some(name) => self.role(caller.account(), name).map_or_else(
                || Arn::role("aws", caller.account(), name).to_string(),
                |role| role.arn(caller.account()),
            ),
        }
    }
}

fn dead_letter_policy(account: &str, region: &str, queue_arn: &str) -> Value {
    json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Sid": "EventBridgeDeadLetters",
            "Effect": "Allow",
            "Principal": {"Service": EVENTS_SERVICE},
            "Action": "sqs:SendMessage",
            "Resource": queue_arn,
            "Condition": {"ArnLike": {"aws:SourceArn": format!("arn:aws:events:{region}:{account}:rule/*")}},
        }],
    })
}
