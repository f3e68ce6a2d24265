//! Whether a caller may make a call: what its account and role allow, and AWS's sentence where they do not.
//!
//! Knows the caller's own side, and how it is weighed against what the other side says: a bus policy, a queue policy,
//! a key policy.
//!
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html>

use serde_json::Value;

use super::errors::AwsError;
use super::iam::EVENTS_SERVICE;
use super::policy_document::{Asker, decide, glob};
use super::request::Request;
use super::{Caller, Service, SimulatedAws};
use crate::eventbridge::Arn;

/// Why a call is refused: what AWS ends its sentence with.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html>
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Because {
    /// Nothing of the caller's own allows it.
    NoIdentityPolicy,
    /// Something of the caller's own denies it.
    IdentityDeny,
    /// A service control policy of the caller's organisation denies it.
    OrganizationDeny,
    /// The account as a whole is kept from it, which reads as if nothing allowed it.
    Withheld,
    /// Nothing of the other side allows it.
    NoResourcePolicy,
    /// Something of the other side denies it.
    ResourceDeny,
}

/// Something with a policy of its own, and who asks.
pub(super) struct Guarded<'a> {
    /// The account that it belongs to.
    pub(super) account: &'a str,
    /// What statements name it by.
    pub(super) arn: &'a str,
    /// Its policy's statements.
    pub(super) statements: Vec<&'a Value>,
    /// The caller, with what conditions may look at.
    pub(super) asker: Asker,
}

impl SimulatedAws {
    /// Refuses a call that the caller's account or role does not allow.
    pub(super) fn authorize(&self, request: &Request<'_>, action: &str, resource: &str) -> Result<(), AwsError> {
        match self.own_refusal(request, action, resource) {
            None => Ok(()),
            Some(because) => Err(refusal(request, action, resource, because)),
        }
    }

    /// Why the caller's own side refuses, if it does.
    pub(super) fn own_refusal(&self, request: &Request<'_>, action: &str, resource: &str) -> Option<Because> {
        let found = self.account(request.account())?;
        if self.organization_denies(request.account(), action) {
            return Some(Because::OrganizationDeny);
        }
        let role = request.caller.role_name().map(|name| self.role(request.account(), name));
        if role.flatten().is_some_and(|role| role.denies(action)) {
            return Some(Because::IdentityDeny);
        }
        if found.denied_actions.iter().any(|pattern| glob(pattern, action)) {
            return Some(Because::Withheld);
        }
        // The root user may do what nobody keeps the account from.
        let allowed = role.is_none_or(|role| role.is_some_and(|role| role.allows(action, resource)));
        (!allowed).then_some(Because::NoIdentityPolicy)
    }

    /// Refuses a call on something that has a policy of its own. Across accounts both sides have to allow it; within
    /// one, either will do, but the policy has to name the caller and not only the account.
    pub(super) fn authorize_on(
        &self,
        request: &Request<'_>,
        action: &str,
        resource: &str,
        guarded: &Guarded<'_>,
    ) -> Result<(), AwsError> {
        match self.refusal_on(request, action, resource, guarded) {
            None => Ok(()),
            Some(because) => Err(refusal(request, action, resource, because)),
        }
    }

    /// Why a call on something that has a policy of its own is refused, if it is.
    pub(super) fn refusal_on(
        &self,
        request: &Request<'_>,
        action: &str,
        resource: &str,
        guarded: &Guarded<'_>,
    ) -> Option<Because> {
        let own = self.own_refusal(request, action, resource);
        if own.is_some_and(|because| because != Because::NoIdentityPolicy) {
            return own;
        }
        let says = |asker: &Asker| decide(&guarded.statements, action, guarded.arn, asker);
        match says(&guarded.asker) {
            Some(false) => Some(Because::ResourceDeny),
            _ if guarded.account == request.account() => own.filter(|_| says(&guarded.asker.alone()) != Some(true)),
            Some(true) => own,
            None => own.or(Some(Because::NoResourcePolicy)),
        }
    }

    /// A caller as the policies of others see it.
    pub(super) fn asker(&self, caller: &Caller) -> Asker {
        Asker::of_account(caller.account(), &self.policy_arn(caller))
            .with_optional("aws:PrincipalOrgID", self.organization(caller.account()))
    }

    /// Refuses a role that the caller may not hand to EventBridge.
    pub(super) fn authorize_pass_role(&self, request: &Request<'_>, role_arn: &str) -> Result<(), AwsError> {
        let account = role_arn.parse::<Arn>().ok().map(|arn| arn.account);
        if account.as_deref() != Some(request.account()) {
            return Err(AwsError::access_denied("Cross-account pass role is not allowed."));
        }
        self.authorize(request, "iam:PassRole", role_arn)
    }

    /// Refuses a role that does not exist or that EventBridge may not assume for a rule of an account.
    pub(super) fn check_assumable(&self, role_arn: &str, rule_account: &str) -> Result<(), AwsError> {
        if self.role_of_arn(role_arn).is_some_and(|role| role.trusts_service(EVENTS_SERVICE, rule_account)) {
            return Ok(());
        }
        Err(AwsError::validation(format!(
            "Provided role '{role_arn}' cannot be assumed by principal '{EVENTS_SERVICE}'."
        )))
    }
}

/// AWS's refusal of an action. SQS writes actions in small letters, and IAM names a role as `role NAME`.
pub(super) fn refusal(request: &Request<'_>, action: &str, resource: &str, because: Because) -> AwsError {
    let action = if action.starts_with("sqs:") { action.to_ascii_lowercase() } else { action.to_owned() };
    let resource = match resource.rsplit('/').next() {
        Some(role) if request.service == Service::Iam => format!("role {role}"),
        _ => resource.to_owned(),
    };
    let because = match because {
        Because::NoIdentityPolicy | Because::Withheld => {
            format!("because no identity-based policy allows the {action} action")
        }
        Because::IdentityDeny => "with an explicit deny in an identity-based policy".to_owned(),
        Because::OrganizationDeny => "with an explicit deny in a service control policy".to_owned(),
        Because::NoResourcePolicy => format!("because no resource-based policy allows the {action} action"),
        Because::ResourceDeny => "with an explicit deny in a resource-based policy".to_owned(),
    };
    let caller = request.caller.arn();
    AwsError::denied(
        request.service,
        format!("User: {caller} is not authorized to perform: {action} on resource: {resource} {because}"),
    )
}
