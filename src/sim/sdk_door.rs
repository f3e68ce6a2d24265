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
use super::http_faults::{HttpFaults, Reply, reply};

/// An SDK's HTTP client over a simulated AWS. Clones share the same world.
#[derive(Debug, Clone)]
pub struct SimHttpClient {
    world: Arc<Mutex<SimulatedAws>>,
    latency: Duration,
    faults: HttpFaults,
}

impl SimHttpClient {
    /// A client whose answers are ready at once.
    #[must_use]
    pub fn new(world: Arc<Mutex<SimulatedAws>>) -> Self {
        Self { world, latency: Duration::ZERO, faults: HttpFaults::default() }
    }

    /// The same, with every answer this much later on tokio's clock.
    #[must_use]
    pub fn with_latency(mut self, latency: Duration) -> Self {
        self.latency = latency;
        self
    }

    /// The same, with faults.
    #[must_use]
    pub fn with_faults(mut self, faults: HttpFaults) -> Self {
        self.faults = faults;
        self
    }

    /// The answer; none where there will never be one.
    fn answer(&self, request: HttpRequest) -> Option<Result<HttpResponse, ConnectorError>> {
        let request = match request.try_into_http1x() {
            Ok(request) => request.map(|body| Bytes::copy_from_slice(body.bytes().unwrap_or_default())),
            Err(error) => return Some(Err(ConnectorError::user(error.into()))),
        };
        let mut world = self.world.lock().unwrap_or_else(PoisonError::into_inner);
        let response = match reply(&mut world, &self.faults, &request) {
            Reply::Whole(response) => response.map(SdkBody::from),
            // Reading such a body is an error, as reading one that breaks off is.
            Reply::Cut(response) => response.map(|_| SdkBody::taken()),
            Reply::Never => return None,
        };
        Some(HttpResponse::try_from(response).map_err(|error| ConnectorError::other(error.into(), None)))
    }
}

impl HttpConnector for SimHttpClient {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let client = self.clone();
        if client.latency.is_zero() {
            return match client.answer(request) {
                Some(answer) => HttpConnectorFuture::ready(answer),
                None => HttpConnectorFuture::new(std::future::pending()),
            };
        }
        HttpConnectorFuture::new(async move {
            #[allow(clippy::disallowed_methods)] // The network's latency, which no clock of ours is asked for.
            tokio::time::sleep(client.latency).await;
            match client.answer(request) {
                Some(answer) => answer,
                None => std::future::pending().await,
            }
        })
    }
}

impl HttpClient for SimHttpClient {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}
