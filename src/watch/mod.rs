//! What a daemon makes of one sweep after another: findings become incidents, reverts become a fight, trouble becomes
//! patience. Pure: times are given, and what is kept is passed in.
//!
//! Layer 2.

pub mod alert;
pub mod backoff;
pub mod breaker;
pub mod incident;
