//! Keeping the world in step with the topology.
//!
//! Layer 4. Knows calls, plans and the model; reaches the outside through [`crate::port`] alone.

pub mod pace;
