//! The built program against moto, an AWS emulator that others wrote: a witness that does not share our mistakes.
//!
//! It needs `pip install 'moto[server]==5.2.5'`. The server is found by `WHEELWRIGHT_MOTO` (the path of `moto_server`) or
//! in PATH; without one the test says so and passes, unless `WHEELWRIGHT_REQUIRE_MOTO=1`. What moto does otherwise than
//! AWS, and what is not asked of it for that, is in `emulators/divergences.rs`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]
#![allow(clippy::disallowed_methods)] // It starts a server in another process and waits for it.

mod emulators;
mod program;
mod rows;
mod support;

use emulators::server::Emulator;
use emulators::{story, worked};

#[test]
fn the_worked_example_converges_and_edits_are_mended_on_moto() {
    worked::converge(Emulator::Moto);
}

#[test]
fn the_table_of_drift_on_moto() {
    story::tell(Emulator::Moto);
}
