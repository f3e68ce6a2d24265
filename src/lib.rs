//! wheelwright keeps an organisation's Amazon EventBridge buses true.
//!
//! The layers, lowest first; dependencies point up this list only (`tests/tidy.rs` holds them to it):
//! [`eventbridge`] and [`model`] → [`config`](crate) and expansion → planning → [`call`], [`port`] →
//! reconciling → the edges → the command line. See ARCHITECTURE.md.

pub mod call;
pub mod config;
pub mod eventbridge;
pub mod expand;
pub mod model;
pub mod port;
pub mod source;
