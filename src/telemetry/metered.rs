//! A fleet whose calls are counted, and told in the log and in traces.

use super::{CallEnd, Metrics};
use crate::call::{Answer, Call, CallError};
use crate::model::ids::Scope;
use crate::port::Fleet;
use std::sync::Arc;
use tracing::Instrument as _;

/// A fleet whose calls are counted, by action and by how they ended. It does not change them.
pub struct Metered<F> {
    fleet: F,
    metrics: Arc<Metrics>,
}

impl<F> Metered<F> {
    /// `fleet`, counted in `metrics`.
    pub fn new(fleet: F, metrics: Arc<Metrics>) -> Self {
        Self { fleet, metrics }
    }

    /// The fleet within.
    pub fn inner(&self) -> &F {
        &self.fleet
    }
}

impl<F: Fleet> Fleet for Metered<F> {
    async fn call(&self, scope: &Scope, call: Call) -> Result<Answer, CallError> {
        let action = call.action();
        let span = tracing::debug_span!(
            "call",
            otel.name = action,
            otel.kind = "client",
            otel.status_code = tracing::field::Empty,
            error.type = tracing::field::Empty,
            action,
            %scope,
        );
        let mut counted = Counted { metrics: &self.metrics, span: span.clone(), action, end: CallEnd::Dropped };
        let result = self.fleet.call(scope, call).instrument(span).await;
        counted.end = match &result {
            Ok(Answer::Entries { failed, .. }) if !failed.is_empty() => CallEnd::EntriesFailed,
            Ok(_) => CallEnd::Done,
            Err(error) => CallEnd::Failed(error.class),
        };
        result
    }
}

/// Counts when it goes: also a call that nobody waits for any more.
struct Counted<'a> {
    metrics: &'a Metrics,
    span: tracing::Span,
    action: &'static str,
    end: CallEnd,
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.metrics.called(self.action, self.end);
        let outcome = self.end.name();
        if self.end != CallEnd::Done {
            self.span.record("otel.status_code", "ERROR").record("error.type", outcome);
        }
        self.span.in_scope(|| tracing::debug!(outcome, "called"));
    }
}
