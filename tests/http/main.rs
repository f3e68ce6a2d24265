//! The HTTP surface of a running daemon on the simulated AWS, asked over TCP: what it answers, what it obeys, and what it refuses.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]
#![allow(clippy::disallowed_methods)] // It has a real clock, and starts a program.

#[path = "../support/mod.rs"]
mod support;

mod answers;
mod described;
mod refusals;
mod scrapes;
mod served;
mod wire;
