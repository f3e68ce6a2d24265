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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::aws::{AwsSettings, Connection};
    use aws_credential_types::provider::SharedCredentialsProvider;
    use aws_smithy_async::time::{SharedTimeSource, SystemTimeSource};
    use aws_smithy_runtime_api::client::http::{
        HttpConnector, HttpConnectorFuture, SharedHttpClient, SharedHttpConnector, http_client_fn,
    };
    use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
    use aws_smithy_runtime_api::client::result::ConnectorError;
    use aws_smithy_types::error::display::DisplayErrorContext;
    use std::sync::{Arc, Mutex};

    /// Keeps who signed what was sent, and answers nothing.
    #[derive(Clone, Debug, Default)]
    struct Deaf(Arc<Mutex<Vec<String>>>);

    impl HttpConnector for Deaf {
        fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
            let signed = request.headers().get("authorization").unwrap_or_default();
            let key = signed.split(['=', '/']).nth(1).unwrap_or_default();
            self.0.lock().unwrap().push(key.to_owned());
            HttpConnectorFuture::ready(Err(ConnectorError::other("it hears nothing".into(), None)))
        }
    }

    #[tokio::test]
    async fn a_call_goes_out_as_whoever_it_brings_and_as_nobody_else() {
        let sent = Deaf::default();
        let deaf = SharedHttpConnector::new(sent.clone());
        let http = SharedHttpClient::new(http_client_fn(move |_, _| deaf.clone()));
        let key = |name: &str| Credentials::new(name, "secret", None, None, "test");
        let clock = SharedTimeSource::new(SystemTimeSource::new());
        let connection = Connection::new(http, SharedCredentialsProvider::new(key("THEDAEMONS")), clock);
        let client = connection.eventbridge_client(&AwsSettings::new("operator"), "us-east-1");

        let refused = client.list_event_buses().send().await.unwrap_err();
        let told = DisplayErrorContext(&refused).to_string();
        assert!(told.contains("a call without a caller"), "{told}");
        assert_eq!(*sent.0.lock().unwrap(), Vec::<String>::new());

        for name in ["ONEACCOUNTS", "ANOTHERS", "ONEACCOUNTS"] {
            let caller = Caller::new(key(name), name.to_owned());
            _ = client.list_event_buses().customize().interceptor(caller).send().await;
        }
        assert_eq!(*sent.0.lock().unwrap(), ["ONEACCOUNTS", "ANOTHERS", "ONEACCOUNTS"]);
    }
}
