//! What goes over the wire to AWS and what is made of its answers: the shipped SDK edge against an HTTP client of
//! the test's own, without a network and under a paused clock.
//!
//! The requests and answers are written out as AWS's API reference has them
//! (<https://docs.aws.amazon.com/eventbridge/latest/APIReference/>), so a mistake in an SDK parameter shows here.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(clippy::disallowed_methods)] // The wire's latency and a caller's pause are what these tests are made of.

mod calls;
mod errors;
mod inspect;
mod roles;
mod signature;
mod targets;
mod wire;
