//! Reconciling: asks the accounts what is there, plans, writes, and looks again.
//!
//! Layer 4. Paging, re-reading, verifying and waiting live here; what to write was decided by [`crate::plan`]. It knows
//! the AWS API only as [`crate::port::Fleet`].

pub mod apply;
pub mod pace;
pub mod refresh;
pub mod retire;
pub mod sweep;
mod write;
