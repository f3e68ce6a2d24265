//! wheelwright keeps an organisation's Amazon EventBridge buses true.
//!
//! The layers, lowest first; dependencies point up this list only (`tests/tidy.rs` holds them to it):
//! [`eventbridge`] and [`model`] → config and expansion → [`plan`] and [`report`] → [`call`] and [`port`] →
//! [`reconcile`] → the edges ([`aws`], [`sim`]) → the command line. See ARCHITECTURE.md.

pub mod aws;
pub mod call;
pub mod eventbridge;
pub mod model;
pub mod plan;
pub mod port;
pub mod reconcile;
pub mod recorder;
pub mod report;
pub mod sim;
