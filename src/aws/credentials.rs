//! One session for each account: the operator's role there, assumed, kept, refreshed and proven.
//!
//! Knows STS. It does not know what is done with a session. A session is immutable: its callers carry its
//! credentials and no others, so a write that waited for the proof of a session goes out with just that session.
//!
//! - Callers of one account share one AssumeRole; callers of different accounts never wait for each other.
//! - A session is replaced [`REFRESH_BEFORE_EXPIRY`] early, spread by account so that a fleet that started at once
//!   does not refresh at once. If that fails, the old one serves until it expires.
//! - A refusal is remembered for [`REFUSAL_REMEMBERED`], so that a wrong role name costs one STS call, not one a call.

use super::caller::Caller;
use super::connection::{AwsSettings, Connection};
use super::errors::Failure;
use super::inspect;
use crate::call::{Answer, Call, CallError, ErrorClass};
use crate::eventbridge::Arn;
use crate::model::few::Few;
use crate::model::ids::{AccountId, Region, Scope};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_eventbridge as eventbridge;
use aws_sdk_sts as sts;
use aws_types::SdkConfig;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};
use tokio::sync::{Mutex as AsyncMutex, OnceCell};
use tokio::time::Instant;

/// The sessions of all accounts.
pub(super) struct Sessions {
    settings: AwsSettings,
    connection: Connection,
    accounts: Mutex<BTreeMap<AccountId, Arc<AsyncMutex<Slot>>>>,
    /// STS clients with the base credentials, by Region. Kept, because each asks the credentials' source anew.
    sts_clients: Mutex<BTreeMap<String, sts::Client>>,
    /// EventBridge clients by Region, for all accounts.
    clients: Mutex<BTreeMap<Region, eventbridge::Client>>,
}

/// What is known of one account's session.
#[derive(Default)]
struct Slot {
    session: Option<Arc<Session>>,
    refusal: Option<Refusal>,
}

struct Refusal {
    failure: Failure,
    until: Instant,
}

/// The operator's role in one account, assumed.
pub(super) struct Session {
    credentials: Credentials,
    refresh_at: SystemTime,
    expires_at: SystemTime,
    /// How far our clock was ahead of STS's when it was made.
    pub(super) clock_ahead_ms: i64,
    /// Who calls in each Region.
    callers: Mutex<Few<Region, Caller>>,
    /// Whether STS says that these are the account's credentials; empty until the first write.
    proof: OnceCell<Result<(), Failure>>,
}

impl Session {
    /// Who calls in the scope's Region with this session.
    pub(super) fn caller(&self, scope: &Scope) -> Caller {
        let make = || Caller::new(self.credentials.clone(), format!("wheelwright/{scope}"));
        lock(&self.callers).entry(scope.region.clone()).or_insert_with(make).clone()
    }

    fn provider(&self) -> SharedCredentialsProvider {
        SharedCredentialsProvider::new(self.credentials.clone())
    }
}

impl Sessions {
    pub(super) fn new(settings: AwsSettings, connection: Connection) -> Self {
        Self {
            settings,
            connection,
            accounts: Mutex::default(),
            sts_clients: Mutex::default(),
            clients: Mutex::default(),
        }
    }

    /// What the base credentials, clock and endpoints are.
    pub(super) fn surroundings(&self) -> (SdkConfig, Option<String>) {
        (self.connection.shared().clone(), self.settings.endpoint_url.clone())
    }

    /// The session of the scope's account: the one that there is, or a new one.
    pub(super) async fn session(&self, scope: &Scope) -> Result<Arc<Session>, CallError> {
        let slot = Arc::clone(lock(&self.accounts).entry(scope.account).or_default());
        // Held across AssumeRole, so that all callers of the account wait for one.
        let mut slot = slot.lock().await;
        let now = self.connection.now();
        if let Some(session) = slot.session.as_ref().filter(|session| now < session.refresh_at) {
            return Ok(Arc::clone(session));
        }
        let remembered = slot.refusal.as_ref().filter(|refusal| Instant::now() < refusal.until);
        let failure = match remembered {
            Some(refusal) => refusal.failure.clone(),
            None => match self.assume_role(scope).await {
                Ok(session) => {
                    let session = Arc::new(session);
                    *slot = Slot { session: Some(Arc::clone(&session)), refusal: None };
                    return Ok(session);
                }
                Err(failure) => {
                    let until = Instant::now() + REFUSAL_REMEMBERED;
                    slot.refusal = Some(Refusal { failure: failure.clone(), until });
                    failure
                }
            },
        };
        match slot.session.as_ref().filter(|session| self.connection.now() < session.expires_at) {
            Some(session) => Ok(Arc::clone(session)),
            None => Err(failure.at(scope, "sts:AssumeRole")),
        }
    }

    /// Drops `session`, whose credentials AWS no longer takes, unless it was replaced meanwhile.
    pub(super) async fn forget(&self, scope: &Scope, session: &Arc<Session>) {
        let slot = Arc::clone(lock(&self.accounts).entry(scope.account).or_default());
        let mut slot = slot.lock().await;
        if slot.session.as_ref().is_some_and(|held| Arc::ptr_eq(held, session)) {
            slot.session = None;
        }
    }

    /// Asks STS whose the session's credentials are, once for each session: an error unless they are the account's.
    /// No write goes out before.
    pub(super) async fn prove(&self, scope: &Scope, session: &Session) -> Result<(), CallError> {
        let ask = async || {
            let client = self.connection.sts_client(&self.settings, &self.sts_region(scope), Some(session.provider()));
            let answer = client.get_caller_identity().send().await.map_err(Failure::from)?;
            let answered = answer.account().unwrap_or("no account");
            if answered == scope.account.to_string() {
                return Ok(Ok(()));
            }
            let message =
                format!("the role's credentials are account {answered}'s, not {}'s; nothing was sent", scope.account);
            Ok(Err(Failure::new(ErrorClass::WrongAccount, message)))
        };
        match session.proof.get_or_try_init(ask).await {
            Ok(proof) => proof.clone().map_err(|failure| failure.at(scope, "sts:GetCallerIdentity")),
            Err(failure) => Err(Failure::at(failure, scope, "sts:GetCallerIdentity")),
        }
    }

    /// The client for the scope's Region.
    pub(super) fn client(&self, scope: &Scope) -> eventbridge::Client {
        let make = || self.connection.eventbridge_client(&self.settings, scope.region.as_str());
        lock(&self.clients).entry(scope.region.clone()).or_insert_with(make).clone()
    }

    /// Makes a read of IAM's or SQS's with the session.
    pub(super) async fn inspect(&self, scope: &Scope, session: &Session, call: &Call) -> Result<Answer, Failure> {
        inspect::send(&self.connection, &self.settings, scope, session.credentials.clone(), call).await
    }

    async fn assume_role(&self, scope: &Scope) -> Result<Session, Failure> {
        let AwsSettings { role_name, external_id, session_name, .. } = &self.settings;
        let role_arn = format!("arn:{}:iam::{}:role/{role_name}", scope.region.partition(), scope.account);
        let region = self.sts_region(scope);
        let client = lock(&self.sts_clients)
            .entry(region.clone())
            .or_insert_with(|| self.connection.sts_client(&self.settings, &region, None))
            .clone();
        let asked_at = self.connection.now();
        let answer = client
            .assume_role()
            .role_arn(&role_arn)
            .role_session_name(session_name)
            .set_external_id(external_id.clone())
            .duration_seconds(ROLE_SESSION_SECONDS)
            .send()
            .await
            .map_err(|error| refused(error.into(), &role_arn, external_id.is_some()))?;
        // Nothing is read with another account's credentials either: what is there would be taken for this account's.
        let of_account =
            answer.assumed_role_user().and_then(|user| user.arn().parse::<Arn>().ok()).map(|arn| arn.account);
        if let Some(other) = of_account.filter(|account| *account != scope.account.to_string()) {
            let message = format!(
                "{role_arn} was asked for, and the credentials that came are account {other}'s; nothing was sent with them"
            );
            return Err(Failure::new(ErrorClass::WrongAccount, message));
        }
        let answered = answer.credentials.as_ref();
        let (Some(given), Some(expires_at)) =
            (answered, answered.and_then(|credentials| SystemTime::try_from(*credentials.expiration()).ok()))
        else {
            return Err(Failure::new(ErrorClass::NotAws, "AssumeRole answered without usable credentials"));
        };
        let credentials = Credentials::new(
            given.access_key_id(),
            given.secret_access_key(),
            Some(given.session_token().to_owned()),
            Some(expires_at),
            "wheelwright-assumed-role",
        );
        let answered_at = self.connection.now();
        let lifetime = expires_at.duration_since(answered_at).unwrap_or_default();
        let early = (REFRESH_BEFORE_EXPIRY + spread(scope.account)).min(lifetime / 2);
        Ok(Session {
            credentials,
            refresh_at: expires_at - early,
            expires_at,
            clock_ahead_ms: clock_ahead_ms(asked_at, answered_at, expires_at),
            callers: Mutex::default(),
            proof: OnceCell::new(),
        })
    }

    fn sts_region(&self, scope: &Scope) -> String {
        let named = self.settings.sts_region.as_deref().or_else(|| self.connection.region());
        named.unwrap_or(scope.region.as_str()).to_owned()
    }
}

/// A failed AssumeRole with what to look at. AWS answers AccessDenied for a role that is not there, one that does
/// not trust us and a wrong external id alike.
fn refused(failure: Failure, role_arn: &str, with_external_id: bool) -> Failure {
    let class = match failure.class {
        ErrorClass::Denied | ErrorClass::NotFound => ErrorClass::RoleRefused,
        class => class,
    };
    let external_id = if with_external_id { "with the external id" } else { "without an external id" };
    let message = match class {
        ErrorClass::RoleRefused => format!(
            "{}; {role_arn} was asked for {external_id}: look whether the role is there, trusts this operator's own \
             role, and asks for that external id",
            failure.message.trim_end_matches('.')
        ),
        // The same for every account: it is said without the role, so that it can be said once.
        ErrorClass::Credentials => failure.message.clone(),
        _ => format!("{} (for {role_arn})", failure.message),
    };
    Failure { class, message, ..failure }
}

/// How far our clock is ahead of STS's: a session ends [`ROLE_SESSION_SECONDS`] after STS made it, about halfway between
/// question and answer.
fn clock_ahead_ms(asked_at: SystemTime, answered_at: SystemTime, expires_at: SystemTime) -> i64 {
    let millis = |time: SystemTime| {
        let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
    };
    let (asked, answered) = (millis(asked_at), millis(answered_at));
    let ours = asked + answered.saturating_sub(asked) / 2;
    let theirs = millis(expires_at).saturating_sub(i64::from(ROLE_SESSION_SECONDS) * 1_000);
    ours.saturating_sub(theirs)
}

/// How much earlier than others this account refreshes: always the same for one account, without random numbers.
fn spread(account: AccountId) -> Duration {
    let mixed = account.to_string().bytes().fold(0_u64, |sum, digit| (sum * 31 + u64::from(digit)) % 1_000_003);
    Duration::from_secs(mixed % REFRESH_SPREAD_SECONDS)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing panics while it holds one of these, and each is a cache: what is in it stays true.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How long a role session lasts. An operator with a role of its own chains roles, which AWS caps at an hour
/// (<https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html>).
pub const ROLE_SESSION_SECONDS: i32 = 3_600;

/// How long before its end a session is replaced, at least: longer than any call takes.
pub const REFRESH_BEFORE_EXPIRY: Duration = Duration::from_secs(5 * 60);

/// How long a failed AssumeRole is taken for the answer. A sweep makes hundreds of calls in an account; within it
/// the answer will hardly change.
pub const REFUSAL_REMEMBERED: Duration = Duration::from_secs(30);

/// Accounts refresh up to this much earlier, each by its own amount.
const REFRESH_SPREAD_SECONDS: u64 = 60;
