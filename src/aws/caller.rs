//! Whose a call is. One SDK client serves all accounts of a Region, and each call brings its account's credentials with it.
//!
//! A client for each account would keep some 20 kB for each, for as long as its session lasts. A client has no credentials
//! of its own here, so a call that brings none is not sent, and never goes out as somebody else.

use aws_credential_types::Credentials;
use aws_sdk_eventbridge::config::interceptors::BeforeSerializationInterceptorContextRef;
use aws_sdk_eventbridge::config::retry::RetryPartition;
use aws_sdk_eventbridge::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::identity::{
    Identity, IdentityFuture, ResolveCachedIdentity, SharedIdentityResolver,
};
use aws_smithy_types::config_bag::{Storable, StoreReplace};

/// What a call brings with it. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Caller {
    identity: Identity,
    retries: RetryPartition,
}

impl Caller {
    /// Somebody with these credentials, whose calls draw on the retry quota named `retries`: one for each scope, so that a
    /// throttled account uses up nobody else's.
    pub(super) fn new(credentials: Credentials, retries: String) -> Self {
        Self { identity: credentials.into(), retries: RetryPartition::new(retries) }
    }
}

impl Intercept for Caller {
    fn name(&self) -> &'static str {
        "Caller"
    }

    fn read_before_execution(
        &self,
        _: &BeforeSerializationInterceptorContextRef<'_>,
        call: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let state = call.interceptor_state();
        state.store_put(Brought(self.identity.clone()));
        state.store_put(self.retries.clone());
        Ok(())
    }
}

/// The identity that a call brought.
#[derive(Clone, Debug)]
struct Brought(Identity);

impl Storable for Brought {
    type Storer = StoreReplace<Self>;
}

/// Gives each call what it brought, where an SDK client asks for its own credentials.
#[derive(Debug)]
pub(super) struct Callers;

impl ResolveCachedIdentity for Callers {
    fn resolve_cached_identity<'a>(
        &'a self,
        _: SharedIdentityResolver,
        _: &'a RuntimeComponents,
        call: &'a ConfigBag,
    ) -> IdentityFuture<'a> {
        let brought = call.load::<Brought>().map(|brought| brought.0.clone());
        IdentityFuture::ready(brought.ok_or_else(|| "a call without a caller: nothing was sent".into()))
    }
}
