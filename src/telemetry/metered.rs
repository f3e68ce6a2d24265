//! A fleet whose calls are counted.

use super::{CallEnd, Metrics};
use crate::call::{Answer, Call, CallError};
use crate::model::ids::Scope;
use crate::port::Fleet;
use std::sync::Arc;

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
        let mut counted = Counted { metrics: &self.metrics, action: call.action(), end: CallEnd::Dropped };
        let result = self.fleet.call(scope, call).await;
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
    action: &'static str,
    end: CallEnd,
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.metrics.called(self.action, self.end);
    }
}
