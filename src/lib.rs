//! Keeps cross-account Amazon EventBridge topologies true.

pub mod eventbridge;
