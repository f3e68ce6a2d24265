//! The words of wheelwright as types: what people declared, what it implies, what is live, and what to
//! do about the difference.
//!
//! Layer 0: synchronous and total. It knows EventBridge's own rules ([`crate::eventbridge`]) and nothing
//! else: no clock, no IO, no SDK, no TOML.
//!
//! Reading order: [`ids`] → [`topology`] (as written) → [`desired`] (as implied) → [`world`] (as observed)
//! → [`mark`] (whose it is) → [`finding`] and [`plan`] (what differs, what to do) → [`incident`], [`order`], [`history`]
//! and [`alert`] (what a daemon remembers between two sweeps).

pub mod alert;
pub mod cron;
pub mod desired;
pub mod few;
pub mod finding;
pub mod history;
pub mod ids;
pub mod incident;
pub mod mark;
pub mod order;
pub mod plan;
pub mod resource;
pub mod route;
pub mod settings;
pub mod source;
pub mod topology;
pub mod world;
