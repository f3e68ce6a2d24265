//! EventBridge's own rules as pure functions.
//!
//! Knows what AWS accepts, matches, allows and counts: event patterns, bus policies, resource names and quotas.
//! Knows nothing of topologies, plans or calls, reads no clock and does no IO, and imports nothing else of the crate,
//! so that the planner and the simulated AWS can both stand on it.
//!
//! ```
//! use wheelwright::eventbridge::Pattern;
//! let pattern = Pattern::parse(r#"{"source": [{"prefix": "com.acme."}]}"#)?;
//! assert!(pattern.matches(&serde_json::json!({"source": "com.acme.payments"})));
//! # Ok::<(), wheelwright::eventbridge::PatternError>(())
//! ```

pub mod arn;
pub mod pattern;
pub mod policy;
pub mod quota;

pub use arn::{Arn, ArnError, DEFAULT_BUS, partition_of_region};
pub use pattern::{FieldMismatch, Mismatch, Pattern, PatternError};
pub use policy::{
    ArnOrAccount, BusPolicy, Conditions, Decision, Effect, PolicyError, Principal, PutEventsRequest, Scope,
    ServiceRequest, Statement,
};
pub use quota::NameError;
