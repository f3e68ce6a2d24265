//! One token bucket for each account and Region, over all control-plane calls together.
//!
//! <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-quota.html>

use std::collections::BTreeMap;
use std::sync::Arc;

use super::errors::AwsError;

/// The buckets. A bucket holds one second's worth of calls.
#[derive(Debug, Clone, Default)]
pub(super) struct Throttle {
    buckets: Arc<BTreeMap<(String, String), Bucket>>,
}

#[derive(Debug, Clone)]
struct Bucket {
    /// Thousandths of a call.
    tokens: i64,
    filled_ms: i64,
}

impl Throttle {
    /// Takes a token, or refuses the call with `ThrottlingException`.
    pub(super) fn admit(
        &mut self,
        scope: (String, String),
        now_ms: i64,
        calls_per_second: Option<u32>,
    ) -> Result<(), AwsError> {
        let Some(rate) = calls_per_second.map(i64::from) else {
            return Ok(());
        };
        let full = rate * CALL;
        let bucket =
            Arc::make_mut(&mut self.buckets).entry(scope).or_insert(Bucket { tokens: full, filled_ms: now_ms });
        let elapsed_ms = now_ms.saturating_sub(bucket.filled_ms).max(0);
        // A call is 1,000 tokens and a second 1,000 milliseconds: `rate` tokens drip in each millisecond.
        bucket.tokens = bucket.tokens.saturating_add(elapsed_ms.saturating_mul(rate)).min(full);
        bucket.filled_ms = now_ms;
        if bucket.tokens < CALL {
            return Err(AwsError::throttled());
        }
        bucket.tokens -= CALL;
        Ok(())
    }
}

const CALL: i64 = 1_000;
