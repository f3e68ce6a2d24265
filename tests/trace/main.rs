//! Traces against the simulated AWS's delivery: on generated topologies, as they were asked for and after somebody's edits, each event
//! goes where the trace says, and what the trace says is in the way is in the way.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    unreachable_pub
)]
#![allow(dead_code)] // Of the generator only a part is needed here.

mod agreement;
mod edits;
#[path = "../seeds/generator.rs"]
mod generator;
#[path = "../program/mod.rs"]
mod program;
#[path = "../seeds/render.rs"]
mod render;
mod repairs;
#[path = "../seeds/rng.rs"]
mod rng;
#[path = "../seeds/samples.rs"]
mod samples;
#[path = "../seeds/spec.rs"]
mod spec;
#[path = "../seeds/staged.rs"]
mod staged;
#[path = "../support/mod.rs"]
mod support;
mod told;
mod worlds;
