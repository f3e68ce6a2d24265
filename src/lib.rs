//! wheelwright keeps an organisation's Amazon EventBridge buses true.
//!
//! The layers, lowest first; dependencies point up this list only (`tests/tidy.rs` holds them to it):
//! [`eventbridge`] and [`model`] → [`config`] and [`expand`] → [`plan`](mod@plan), [`report`] and [`watch`] → [`call`] and
//! [`port`] → [`reconcile`] and [`doctor`] → the edges ([`aws`], [`notify`], [`source`], [`store`], [`sim`]) → [`cli`]. See ARCHITECTURE.md.

pub mod aws;
pub mod call;
pub mod cli;
pub mod config;
pub mod daemon;
pub mod doctor;
pub mod eventbridge;
pub mod expand;
pub mod http;
pub mod import;
pub mod model;
pub mod notify;
pub mod plan;
pub mod port;
pub mod reconcile;
pub mod recorder;
pub mod report;
pub mod schedule;
pub mod sim;
pub mod source;
pub mod stage;
pub mod store;
pub mod telemetry;
pub mod trace;
pub mod watch;
