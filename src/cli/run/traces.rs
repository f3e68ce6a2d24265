//! Traces for a collector: each sweep is one, with the scopes that it read and the calls that it made.
//!
//! Off, unless `OTEL_EXPORTER_OTLP_ENDPOINT` (or `…_TRACES_ENDPOINT`) names a collector that speaks OTLP over HTTP; the other
//! variables of OpenTelemetry's exporters count too
//! (<https://opentelemetry.io/docs/specs/otel/protocol/exporter/>). Spans wait in a bounded queue and are dropped where the
//! collector does not keep up: nothing that the daemon does waits for it.

use crate::notify::Http;
use anyhow::Context as _;
use axum::body::Bytes;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_http::{HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{SpanExporter, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Handle;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::registry::LookupSpan;

/// What names a collector.
const ENDPOINTS: [&str; 2] = ["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"];
/// How long the last spans may take at the end.
const ENDS_WITHIN: Duration = Duration::from_secs(3);

/// What sends spans until it is ended.
pub(in crate::cli) struct Traces(Option<SdkTracerProvider>);

impl Traces {
    /// None are sent.
    pub(in crate::cli) fn off() -> Self {
        Self(None)
    }

    /// Begins to send, if a collector is named.
    ///
    /// # Errors
    /// What is set cannot be used.
    pub(super) fn begin(environment: impl Fn(&str) -> Option<String>) -> anyhow::Result<Self> {
        // An empty variable is as good as none.
        let set = |name: &str| environment(name).filter(|text| !text.is_empty());
        let is_off = set("OTEL_SDK_DISABLED").is_some_and(|text| text.eq_ignore_ascii_case("true"));
        let Some(endpoint) = ENDPOINTS.iter().find_map(|name| set(name)).filter(|_| !is_off) else {
            return Ok(Self(None));
        };
        let http = Http::reading(endpoint.starts_with("https:"), ANSWER_BYTES_MAX);
        let client = Client { http: Arc::new(http), runtime: Handle::current() };
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(client)
            .build()
            .with_context(|| format!("{} and what belongs to it", ENDPOINTS.join(" or ")))?;
        let name = set("OTEL_SERVICE_NAME").unwrap_or_else(|| env!("CARGO_PKG_NAME").to_owned());
        let resource = Resource::builder().with_service_name(name).build();
        Ok(Self(Some(SdkTracerProvider::builder().with_resource(resource).with_batch_exporter(exporter).build())))
    }

    /// What turns spans of the log into spans that are sent.
    pub(super) fn layer<S: tracing::Subscriber + for<'a> LookupSpan<'a>>(&self) -> Option<impl Layer<S> + use<S>> {
        let tracer: SdkTracer = self.0.as_ref()?.tracer(env!("CARGO_PKG_NAME"));
        let ours = Targets::new().with_default(LevelFilter::OFF).with_target("wheelwright", LevelFilter::DEBUG);
        let layer = tracing_opentelemetry::layer().with_tracer(tracer).with_location(false).with_threads(false);
        Some(layer.with_filter(ours))
    }

    /// Sends what is left.
    pub(super) async fn end(self) {
        let Some(provider) = self.0 else { return };
        let ended = tokio::task::spawn_blocking(move || provider.shutdown_with_timeout(ENDS_WITHIN)).await;
        if let Ok(Err(error)) = ended {
            tracing::warn!(%error, "the last traces were not taken");
        }
    }
}

/// What a collector says is read so far.
const ANSWER_BYTES_MAX: usize = 64 * 1_024;

/// Spans are sent by a thread of its own, over the HTTP client that alerts go over.
#[derive(Clone, Debug)]
struct Client {
    http: Arc<Http>,
    runtime: Handle,
}

impl HttpClient for Client {
    fn send_bytes<'this, 'sent>(
        &'this self,
        request: Request<Bytes>,
    ) -> Pin<Box<dyn Future<Output = Result<Response<Bytes>, HttpError>> + Send + 'sent>>
    where
        'this: 'sent,
        Self: 'sent,
    {
        let Self { http, runtime } = self.clone();
        Box::pin(async move {
            let answered = runtime.spawn(async move { http.send(request).await }).await?;
            let answered = answered.map_err(|trouble| trouble.why)?;
            Ok(Response::builder().status(answered.status).body(Bytes::from(answered.body))?)
        })
    }
}
