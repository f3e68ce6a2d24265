//! STS: AssumeRole and GetCallerIdentity, and the access keys that tell callers apart at the HTTP doors.
//!
//! <https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html>

use std::sync::Arc;

use serde_json::{Value, json};

use super::authorization::{Because, refusal};
use super::errors::AwsError;
use super::iam::{Role, Trusted};
use super::request::{Constraints, Request};
use super::{Caller, Service, SimulatedAws};
use crate::eventbridge::Arn;

/// An access key and what goes with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credentials {
    /// `AKIA…` for a root user, `ASIA…` for a session.
    pub access_key_id: String,
    /// The secret. Signatures are not verified, so nothing depends on it.
    pub secret_access_key: String,
    /// A session's token.
    pub session_token: Option<String>,
    /// When a session ends, in simulated milliseconds since 1970.
    pub expires_ms: Option<i64>,
}

/// Why an access key names no caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Nobody minted it here.
    #[error("the access key was not minted by this simulation")]
    Unknown,
    /// Its session is over.
    #[error("the access key's session has expired")]
    Expired,
}

/// A minted key's owner.
#[derive(Debug, Clone)]
pub(super) struct Session {
    caller: Caller,
    expires_ms: Option<i64>,
}

impl Session {
    /// Ends it if it is a session and not a long-lived key, and of an account.
    pub(super) fn expire_if_of(&mut self, account: &str, now_ms: i64) {
        if self.caller.account() == account && self.expires_ms.is_some() {
            self.expires_ms = Some(now_ms);
        }
    }
}

impl SimulatedAws {
    /// Mints a long-lived key of an account's root user. The account is created where it does not exist.
    pub fn mint_root_key(&mut self, account: &str) -> Credentials {
        self.create_account(account);
        self.mint(Caller::root(account), None)
    }

    /// Mints a long-lived key that acts as a role, as an instance profile or a container's role would.
    pub fn mint_role_key(&mut self, account: &str, role: &str, session: &str) -> Credentials {
        self.mint(Caller::role(account, role, session), None)
    }

    /// The caller that an access key stands for.
    ///
    /// # Errors
    ///
    /// [`KeyError`] where the key is unknown or its session has expired.
    pub fn caller_of_key(&self, access_key_id: &str) -> Result<Caller, KeyError> {
        let session = self.sessions.get(access_key_id).ok_or(KeyError::Unknown)?;
        if session.expires_ms.is_some_and(|end| end <= self.now_ms) {
            return Err(KeyError::Expired);
        }
        Ok(session.caller.clone())
    }

    /// Ends the session of a key at once, as a revoked or overdue session would.
    pub fn expire_key(&mut self, access_key_id: &str) {
        let now_ms = self.now_ms;
        if let Some(session) = Arc::make_mut(&mut self.sessions).get_mut(access_key_id) {
            session.expires_ms = Some(now_ms);
        }
    }

    fn mint(&mut self, caller: Caller, expires_ms: Option<i64>) -> Credentials {
        let temporary = expires_ms.is_some();
        let access_key_id = self.next_unique_id(if temporary { "ASIA" } else { "AKIA" });
        let credentials = Credentials {
            secret_access_key: format!("simulated-secret-of-{access_key_id}"),
            session_token: temporary.then(|| format!("simulated-token-of-{access_key_id}")),
            access_key_id: access_key_id.clone(),
            expires_ms,
        };
        Arc::make_mut(&mut self.sessions).insert(access_key_id, Session { caller, expires_ms });
        credentials
    }

    pub(super) fn dispatch_sts(&mut self, request: &Request<'_>) -> Result<Value, AwsError> {
        match request.operation {
            "AssumeRole" => self.assume_role(request),
            "GetCallerIdentity" => Ok(self.caller_identity(request)),
            other => Err(AwsError::unknown_operation(other)),
        }
    }

    fn caller_identity(&self, request: &Request<'_>) -> Value {
        let caller = request.caller;
        let user_id = match &caller.session {
            None => caller.account.clone(),
            Some(session) => {
                let role = self.role(&caller.account, &session.role);
                let unique_id = role.map_or("", |role| role.unique_id.as_str());
                format!("{unique_id}:{}", session.name)
            }
        };
        json!({"UserId": user_id, "Account": caller.account, "Arn": caller.arn()})
    }

    /// Whom a caller becomes by assuming a role: every check of AssumeRole, but no key is minted.
    ///
    /// # Errors
    ///
    /// What AssumeRole answers: `AccessDenied` where the role does not exist, does not trust the caller, wants
    /// another external id, or the caller may not; `UnrecognizedClientException` where the caller does not exist.
    pub fn assume(
        &self,
        caller: &Caller,
        role_arn: &str,
        external_id: Option<&str>,
        session: &str,
    ) -> Result<Caller, AwsError> {
        let input = Value::Null;
        let request = Request { caller, region: "", service: Service::Sts, operation: "AssumeRole", input: &input };
        self.check_caller(caller, Service::Sts)?;
        self.check_account(&request)?;
        let asked = Asked { role_arn: Some(role_arn), session: Some(session), external_id, seconds: None };
        self.assumed_role(&request, asked).map(|(assumed, _)| assumed)
    }

    fn assume_role(&mut self, request: &Request<'_>) -> Result<Value, AwsError> {
        let asked = Asked {
            role_arn: request.text("RoleArn"),
            session: request.text("RoleSessionName"),
            external_id: request.text("ExternalId"),
            seconds: request.number("DurationSeconds"),
        };
        let (assumed, role) = self.assumed_role(request, asked)?;
        let session = asked.session.unwrap_or_default();
        let seconds = asked.seconds.unwrap_or(3_600);
        let expires_ms = self.now_ms.saturating_add(seconds.saturating_mul(1_000));
        let minted = self.mint(assumed.clone(), Some(expires_ms));
        Ok(json!({
            "Credentials": {
                "AccessKeyId": minted.access_key_id,
                "SecretAccessKey": minted.secret_access_key,
                "SessionToken": minted.session_token,
                "Expiration": timestamp_text(expires_ms),
            },
            "AssumedRoleUser": {
                "AssumedRoleId": format!("{}:{session}", role.unique_id),
                "Arn": assumed.arn(),
            },
        }))
    }

    fn assumed_role(&self, request: &Request<'_>, asked: Asked<'_>) -> Result<(Caller, Arc<Role>), AwsError> {
        check_shape(asked)?;
        let role_arn = asked.role_arn.unwrap_or_default();
        let session = asked.session.unwrap_or_default();
        let refused = || {
            let caller = request.caller.arn();
            let text = format!("User: {caller} is not authorized to perform: sts:AssumeRole on resource: {role_arn}");
            AwsError::denied(Service::Sts, text)
        };
        let arn: Arn =
            role_arn.parse().map_err(|_| AwsError::client("ValidationError", format!("{role_arn} is invalid")))?;
        // STS gives no reason, but for denials.
        if let Some(because @ (Because::OrganizationDeny | Because::IdentityDeny)) =
            self.own_refusal(request, "sts:AssumeRole", role_arn)
        {
            return Err(refusal(request, "sts:AssumeRole", role_arn, because));
        }
        let role = self.role_named_by(&arn).filter(|_| !self.is_suspended(&arn.account)).cloned();
        let role = role.ok_or_else(refused)?;
        if !trusts(&role, request.caller, asked.external_id) || self.authorize_assume(request, &role, role_arn).is_err()
        {
            return Err(refused());
        }
        check_duration(request, &role, asked.seconds.unwrap_or(3_600))?;
        Ok((self.session_of(&arn.account, &role.name, session), role))
    }

    /// The caller's own side. A trust policy that names the very role suffices within an account; a trust in
    /// an account as a whole, and any trust across accounts, needs the caller's permission as well.
    fn authorize_assume(&self, request: &Request<'_>, role: &Role, arn: &str) -> Result<(), AwsError> {
        let named = request.caller.role_name().is_some_and(|name| {
            let own = Trusted::Role(request.account().to_owned(), name.to_owned());
            arn.contains(&format!("::{}:", request.account())) && role.trusts.contains(&own)
        });
        if named {
            return Ok(());
        }
        self.authorize(request, "sts:AssumeRole", arn)
    }
}

/// What a call of AssumeRole asks for.
#[derive(Clone, Copy)]
struct Asked<'a> {
    role_arn: Option<&'a str>,
    session: Option<&'a str>,
    external_id: Option<&'a str>,
    seconds: Option<i64>,
}

fn check_shape(asked: Asked<'_>) -> Result<(), AwsError> {
    let Asked { role_arn, session, external_id, seconds } = asked;
    let mut constraints = Constraints::default();
    constraints
        .required("roleArn", role_arn)
        .length("roleArn", role_arn, 20, 2_048)
        .required("roleSessionName", session)
        .length("roleSessionName", session, 2, 64)
        .length("externalId", external_id, 2, 1_224)
        .range("durationSeconds", seconds, 900, 43_200);
    if let Some(name) = session
        && !name.chars().all(|character| character.is_ascii_alphanumeric() || "_+=,.@-".contains(character))
    {
        constraints.fail("roleSessionName", name, r"Member must satisfy regular expression pattern: [\w+=,.@-]*");
    }
    // STS answers with a code of its own where EventBridge says ValidationException.
    constraints.check().map_err(|error| AwsError::client("ValidationError", error.message))
}

fn trusts(role: &Role, caller: &Caller, external_id: Option<&str>) -> bool {
    let account = caller.account();
    let named = role.trusts.iter().any(|trusted| match trusted {
        Trusted::Account(trusted) => trusted == account,
        Trusted::Role(trusted, name) => trusted == account && caller.role_name() == Some(name),
        Trusted::Service(_) | Trusted::Deleted(_) => false,
    });
    let external_id = match &role.external_id {
        None => true,
        Some(expected) => external_id == Some(expected),
    };
    named && external_id
}

fn check_duration(request: &Request<'_>, role: &Role, seconds: i64) -> Result<(), AwsError> {
    if request.caller.role_name().is_some() && seconds > 3_600 {
        return Err(AwsError::client(
            "ValidationError",
            "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining",
        ));
    }
    if seconds > role.max_session_seconds {
        return Err(AwsError::client(
            "ValidationError",
            "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
        ));
    }
    Ok(())
}

/// A time as AWS writes it in texts: whole seconds, UTC.
pub(super) fn timestamp_text(ms: i64) -> String {
    jiff::Timestamp::from_millisecond(ms)
        .map(|time| time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string())
        .unwrap_or_default()
}
