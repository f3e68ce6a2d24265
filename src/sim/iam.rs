//! As much of IAM as the rest stands on: roles with a trust policy and permissions, and denials.
//!
//! There is no IAM API here; a test or the demo calls these methods where an organisation would deploy templates.

use serde_json::{Value, json};
use std::sync::Arc;

use super::SimulatedAws;
use super::errors::AwsError;
use super::policy_document::glob;
use super::request::Request;
use crate::eventbridge::Arn;

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
    /// Who may assume it.
    pub trusts: Vec<Trusted>,
    /// The `sts:ExternalId` that the trust policy demands of accounts and roles.
    pub external_id: Option<String>,
    /// What it may do.
    pub permissions: Vec<Permission>,
    /// What it may never do: action patterns.
    pub denied_actions: Vec<String>,
    /// The longest session, in seconds (3,600 to 43,200).
    pub max_session_seconds: i64,
    /// Given by IAM when the role is created: `AROA…`.
    pub unique_id: String,
}

impl Role {
    /// A role that trusts nobody and may do nothing.
    #[must_use]
    pub fn named(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            trusts: Vec::new(),
            external_id: None,
            permissions: Vec::new(),
            denied_actions: Vec::new(),
            max_session_seconds: 3_600,
            unique_id: String::new(),
        }
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

    pub(super) fn trusts_service(&self, service: &str) -> bool {
        self.trusts.iter().any(|trusted| matches!(trusted, Trusted::Service(name) if name == service))
    }

    pub(super) fn allows(&self, action: &str, resource: &str) -> bool {
        !self.denies(action) && self.permissions.iter().any(|permission| permission.allows(action, resource))
    }

    fn denies(&self, action: &str) -> bool {
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
        let (now_ms, settle_ms) = (self.now_ms, self.settings.settle_ms);
        if let Some(found) = self.account_mut(account) {
            let name = role.name.clone();
            found.roles.entry(name).or_default().set(now_ms, settle_ms, Some(Arc::new(role)));
        }
    }

    /// Deletes a role. Bus policies that named it show its unique id from then on, and keep showing it when a role
    /// of that name is created again
    /// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html>).
    pub fn delete_role(&mut self, account: &str, name: &str) {
        let Some(role) = self.role(account, name).cloned() else {
            return;
        };
        let (now_ms, settle_ms) = (self.now_ms, self.settings.settle_ms);
        if let Some(settling) = self.account_mut(account).and_then(|found| found.roles.get_mut(name)) {
            settling.set(now_ms, settle_ms, None);
        }
        let arn = Arn::role("aws", account, name).to_string();
        self.rename_principal(&arn, &role.unique_id);
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
        let delivery_arn = Arn::role("aws", account, &bootstrap.delivery_role).to_string();
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

    /// The role as EventBridge sees it, which lags behind a write by the settle time.
    pub(super) fn role_in_effect(&self, role_arn: &str) -> Option<&Arc<Role>> {
        let arn: Arn = role_arn.parse().ok()?;
        let settling = self.account(&arn.account)?.roles.get(arn.role_name()?)?;
        settling.at(self.now_ms)
    }

    /// Refuses a call that the caller's account or role does not allow.
    pub(super) fn authorize(&self, request: &Request<'_>, action: &str, resource: &str) -> Result<(), AwsError> {
        let account = request.account();
        let denied =
            self.account(account).is_some_and(|found| found.denied_actions.iter().any(|pattern| glob(pattern, action)));
        let refusal = |because: &str| {
            AwsError::access_denied(format!(
                "User: {} is not authorized to perform: {action} on resource: {resource} {because}",
                request.caller.arn()
            ))
        };
        let Some(name) = request.caller.role_name() else {
            if denied {
                return Err(refusal(&format!("because no identity-based policy allows the {action} action")));
            }
            return Ok(());
        };
        let role = self.role(account, name);
        if role.is_some_and(|role| role.denies(action)) {
            return Err(refusal("with an explicit deny in an identity-based policy"));
        }
        if denied || !role.is_some_and(|role| role.allows(action, resource)) {
            return Err(refusal(&format!("because no identity-based policy allows the {action} action")));
        }
        Ok(())
    }

    /// Refuses a role that the caller may not hand to EventBridge.
    pub(super) fn authorize_pass_role(&self, request: &Request<'_>, role_arn: &str) -> Result<(), AwsError> {
        let account = role_arn.parse::<Arn>().ok().map(|arn| arn.account);
        if account.as_deref() != Some(request.account()) {
            return Err(AwsError::access_denied("Cross-account pass role is not allowed."));
        }
        self.authorize(request, "iam:PassRole", role_arn)
    }

    /// Refuses a role that does not exist or that EventBridge may not assume.
    pub(super) fn check_assumable(&self, role_arn: &str) -> Result<(), AwsError> {
        let known = role_arn
            .parse::<Arn>()
            .ok()
            .and_then(|arn| {
                let role = self.role(&arn.account, arn.role_name()?)?;
                Some(role.trusts_service(EVENTS_SERVICE))
            })
            .unwrap_or(false);
        if known {
            return Ok(());
        }
        Err(AwsError::validation(format!(
            "Provided role '{role_arn}' cannot be assumed by principal '{EVENTS_SERVICE}'."
        )))
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
