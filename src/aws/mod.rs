//! The AWS edge: every account's EventBridge API through the AWS SDK, and two reads of IAM's and SQS's beside it.
//!
//! Layer 5. Knows the SDK, [`crate::call`], [`crate::port`] and the model; knows nothing of topologies, plans or
//! the other edges. It only translates: a [`crate::call::Call`] to one SDK call and its outcome back to an
//! [`crate::call::Answer`] or a [`crate::call::CallError`]. Paging, re-reading, pacing and deciding are the
//! reconciler's. Nothing here retries by hand: the SDK's own limited retries are all there are.
//!
//! ```no_run
//! use wheelwright::aws::{AwsSettings, connect};
//! use wheelwright::call::Call;
//! use wheelwright::model::ids::Scope;
//! use wheelwright::port::Fleet;
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let fleet = connect(AwsSettings::new("wheelwright-operator")).await;
//! let scope = Scope::new("111111111111".parse()?, "us-east-1");
//! let answer = fleet.call(&scope, Call::ListEventBuses { next_token: None }).await?;
//! # Ok(())
//! # }
//! ```

mod caller;
mod connection;
mod credentials;
mod errors;
mod fleet;
mod inspect;
mod target;
mod translate_answer;
mod translate_request;

pub use connection::{AwsSettings, CALL_TIMEOUT_DEFAULT, CONNECT_TIMEOUT, Connection, connect};
pub use credentials::{REFRESH_BEFORE_EXPIRY, REFUSAL_REMEMBERED, ROLE_SESSION_SECONDS};
pub use fleet::AwsFleet;
