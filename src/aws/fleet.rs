//! The fleet: which session a call needs, what must be true before it is sent, and the call itself.
//!
//! Knows the order: address, session, proof, send. It does not know how any of them is done.

use super::connection::{AwsSettings, Connection};
use super::credentials::{Session, Sessions};
use super::errors::Failure;
use super::translate_request::{Sender, send};
use crate::call::{Answer, Call, CallError, ErrorClass};
use crate::model::ids::Scope;
use crate::port::{Fleet, SignIn, SignedIn};
use aws_types::SdkConfig;

/// Every account's EventBridge through one HTTP client, each with the operator's role there.
pub struct AwsFleet {
    sessions: Sessions,
}

impl AwsFleet {
    /// A fleet with these settings over `connection`. Sends nothing yet.
    pub fn new(settings: AwsSettings, connection: Connection) -> Self {
        Self { sessions: Sessions::new(settings, connection) }
    }

    /// What the base credentials, clock and endpoints are, for who calls AWS as the daemon itself: alerts on topics and buses.
    pub fn surroundings(&self) -> (SdkConfig, Option<String>) {
        self.sessions.surroundings()
    }
}

impl AwsFleet {
    async fn send(&self, scope: &Scope, session: &Session, call: Call) -> Result<Answer, Failure> {
        match call {
            Call::GetRole { .. } | Call::GetQueueAttributes { .. } => {
                self.sessions.inspect(scope, session, &call).await
            }
            _ => send(&Sender { client: &self.sessions.client(scope), caller: &session.caller(scope) }, call).await,
        }
    }
}

impl Fleet for AwsFleet {
    /// Makes the call with the account's own session.
    ///
    /// Guarantees: a write is sent only with credentials that STS has confirmed as the account's; the Region of every
    /// ARN in the call is the client's. Caveats: the SDK repeats a call whose answer was lost, so a create may answer
    /// [`ErrorClass::AlreadyExists`] though this very call made it: read again.
    async fn call(&self, scope: &Scope, call: Call) -> Result<Answer, CallError> {
        let action = call.action();
        check_address(scope, &call)?;
        let session = self.sessions.session(scope).await?;
        if call.is_write() {
            self.sessions.prove(scope, &session).await?;
        }
        let mut outcome = self.send(scope, &session, call.clone()).await;
        if let Err(failure @ Failure { class: ErrorClass::Credentials, .. }) = &outcome {
            self.sessions.forget(scope, &session).await;
            // A session that was revoked, or that our clock thought valid: AWS did nothing, so a new one may ask again.
            if failure.is_expired_session() {
                let session = self.sessions.session(scope).await?;
                if call.is_write() {
                    self.sessions.prove(scope, &session).await?;
                }
                outcome = self.send(scope, &session, call).await;
            }
        }
        outcome.map_err(|failure| failure.at(scope, action))
    }
}

impl SignIn for AwsFleet {
    /// Assumes the role, or takes the session that there is, and asks STS whose it is.
    async fn sign_in(&self, scope: &Scope) -> Result<SignedIn, CallError> {
        let session = self.sessions.session(scope).await?;
        self.sessions.prove(scope, &session).await?;
        Ok(SignedIn { clock_ahead_ms: session.clock_ahead_ms })
    }
}

/// AWS takes an ARN of another Region for the thing of that name in its own, so such a call is not sent.
fn check_address(scope: &Scope, call: &Call) -> Result<(), CallError> {
    let arn = match call {
        Call::ListTagsForResource { arn } | Call::TagResource { arn, .. } | Call::UntagResource { arn, .. } => arn,
        Call::CreateArchive { source_arn, .. } => source_arn,
        _ => return Ok(()),
    };
    let here = format!("arn:{}:events:{}:{}:", scope.region.partition(), scope.region, scope.account);
    if arn.starts_with(&here) {
        return Ok(());
    }
    let message = format!("{arn} is not in {scope}; nothing was sent");
    Err(Failure::new(ErrorClass::Invalid, message).at(scope, call.action()))
}
