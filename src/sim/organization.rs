//! An organisation's troubles, as state of its accounts: service control policies, Regions that are not enabled,
//! suspended accounts, sessions that end early, and roles that turn out to be in another account.
//!
//! Each is set and taken back by the driver at any time; calls and deliveries see it at once.

use std::sync::Arc;

use super::errors::AwsError;
use super::policy_document::glob;
use super::request::Request;
use super::state::Account;
use super::{Caller, Service, SimulatedAws};

impl SimulatedAws {
    /// Denies an action (a pattern such as `events:Put*`) to everybody in an account by a service control policy, the
    /// root user included.
    /// <https://docs.aws.amazon.com/organizations/latest/userguide/orgs_manage_policies_scps.html>
    pub fn deny_by_organization(&mut self, account: &str, action: &str) {
        self.change_account(account, |found| found.organization_denials.push(action.to_owned()));
    }

    /// Takes such a denial back.
    pub fn undo_deny_by_organization(&mut self, account: &str, action: &str) {
        self.change_account(account, |found| found.organization_denials.retain(|denied| denied != action));
    }

    /// Lets an account not have a Region enabled: its keys are unknown there. What is in the Region stays.
    /// <https://docs.aws.amazon.com/accounts/latest/reference/manage-acct-regions.html>
    pub fn disable_region(&mut self, account: &str, region: &str) {
        self.change_account(account, |found| _ = found.disabled_regions.insert(region.to_owned()));
    }

    /// Enables a Region again.
    pub fn enable_region(&mut self, account: &str, region: &str) {
        self.change_account(account, |found| _ = found.disabled_regions.remove(region));
    }

    /// Suspends an account, as closing it does: nobody assumes a role in it, its calls are denied, and what others
    /// forward to its buses and queues is refused. What is in it stays.
    /// <https://docs.aws.amazon.com/accounts/latest/reference/manage-acct-closing.html>
    pub fn suspend_account(&mut self, account: &str) {
        self.change_account(account, |found| found.suspended = true);
    }

    /// Takes the suspension back.
    pub fn reinstate_account(&mut self, account: &str) {
        self.change_account(account, |found| found.suspended = false);
    }

    /// Ends every session of an account's roles at once, as when they are revoked. Long-lived keys go on.
    pub fn expire_sessions(&mut self, account: &str) {
        let now_ms = self.now_ms;
        for session in Arc::make_mut(&mut self.sessions).values_mut() {
            session.expire_if_of(account, now_ms);
        }
    }

    /// Lets AssumeRole on an account's role answer with a session in another account, in which a role of that name
    /// has to exist: what a proxy of STS, or a mistaken table of accounts, looks like.
    pub fn misdirect_role(&mut self, account: &str, role: &str, to_account: &str) {
        self.change_account(account, |found| {
            _ = found.misdirected_roles.insert(role.to_owned(), to_account.to_owned());
        });
    }

    /// Takes the misdirection back.
    pub fn undo_misdirect_role(&mut self, account: &str, role: &str) {
        self.change_account(account, |found| _ = found.misdirected_roles.remove(role));
    }

    fn change_account(&mut self, account: &str, change: impl FnOnce(&mut Account)) {
        if let Some(found) = self.account_mut(account) {
            change(found);
        }
    }

    /// Refuses a call that the caller's account may not make at all, whatever it is.
    pub(super) fn check_account(&self, request: &Request<'_>) -> Result<(), AwsError> {
        let Some(found) = self.account(request.account()) else {
            return Ok(());
        };
        // IAM is in no Region.
        if request.service != Service::Iam && found.disabled_regions.contains(request.region) {
            return Err(AwsError::unknown_key(request.service));
        }
        if found.suspended {
            // The text is ours.
            let text = format!("Account {} is suspended.", request.account());
            return Err(AwsError::denied(request.service, text));
        }
        Ok(())
    }

    pub(super) fn is_suspended(&self, account: &str) -> bool {
        self.account(account).is_some_and(|found| found.suspended)
    }

    pub(super) fn organization_denies(&self, account: &str, action: &str) -> bool {
        self.account(account)
            .is_some_and(|found| found.organization_denials.iter().any(|pattern| glob(pattern, action)))
    }

    /// The session of a role as AssumeRole hands it out: in the role's account, unless it is misdirected.
    pub(super) fn session_of(&self, account: &str, role: &str, session: &str) -> Caller {
        let to = self.account(account).and_then(|found| found.misdirected_roles.get(role));
        Caller::role(to.map_or(account, String::as_str), role, session)
    }
}
