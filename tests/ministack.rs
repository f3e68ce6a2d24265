//! The built program against ministack, an AWS emulator that others wrote: a witness that does not share our mistakes. It
//! has what moto lacks: UpdateEventBus, with descriptions, keys, dead letters and log levels.
//!
//! It needs `pip install ministack==1.5.33`. The server is found by `WHEELWRIGHT_MINISTACK` (the path of `ministack`) or
//! in PATH; without one the test says so and passes, unless `WHEELWRIGHT_REQUIRE_MINISTACK=1`. What ministack does
//! otherwise than AWS, and what is not asked of it for that, is in `emulators/divergences.rs`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]
#![allow(clippy::disallowed_methods)] // It starts a server in another process and waits for it.

mod emulators;
mod program;
#[path = "emulators/refusals.rs"]
mod refusals;
mod rows;
mod support;
mod template;

use emulators::server::Emulator;
use emulators::story;

#[test]
fn the_table_of_drift_on_ministack() {
    story::tell(Emulator::Ministack);
}

#[test]
fn each_refusal_is_named_and_takes_nothing_away_on_ministack() {
    refusals::try_all();
}

#[test]
fn a_bad_signature_is_named_and_nothing_is_written_on_ministack() {
    refusals::try_a_bad_signature();
}
