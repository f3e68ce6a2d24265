//! The SDK door: an HTTP client for the AWS SDKs that asks the simulated AWS instead of the network.
//!
//! Signing, serialisation, paging, retries and error parsing are then the shipped code. No sockets and no threads:
//! an answer is ready at once, or after a virtual latency on tokio's clock, which tests may pause.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use bytes::Bytes;

use super::SimulatedAws;
use super::http::respond;

/// An SDK's HTTP client over a simulated AWS. Clones share the same world.
#[derive(Debug, Clone)]
pub struct SimHttpClient {
    world: Arc<Mutex<SimulatedAws>>,
    latency: Duration,
}

impl SimHttpClient {
    /// A client whose answers are ready at once.
    #[must_use]
    pub fn new(world: Arc<Mutex<SimulatedAws>>) -> Self {
        Self { world, latency: Duration::ZERO }
    }

    /// The same, with every answer this much later on tokio's clock.
    #[must_use]
    pub fn with_latency(mut self, latency: Duration) -> Self {
        self.latency = latency;
        self
    }

    fn answer(&self, request: HttpRequest) -> Result<HttpResponse, ConnectorError> {
        let request = request.try_into_http1x().map_err(|error| ConnectorError::user(error.into()))?;
        let request = request.map(|body| Bytes::copy_from_slice(body.bytes().unwrap_or_default()));
        let mut world = self.world.lock().unwrap_or_else(PoisonError::into_inner);
        let response = respond(&mut world, &request).map(SdkBody::from);
        HttpResponse::try_from(response).map_err(|error| ConnectorError::other(error.into(), None))
    }
}

impl HttpConnector for SimHttpClient {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        if self.latency.is_zero() {
            return HttpConnectorFuture::ready(self.answer(request));
        }
        let client = self.clone();
        HttpConnectorFuture::new(async move {
            #[allow(clippy::disallowed_methods)] // The network's latency, which no clock of ours is asked for.
            tokio::time::sleep(client.latency).await;
            client.answer(request)
        })
    }
}

impl HttpClient for SimHttpClient {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}
