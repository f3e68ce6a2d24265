//! The built daemon for real minutes against moto, an AWS emulator that others wrote: what people do by hand is mended and told
//! once, on a receiver, a topic, an event bus and in the log; orders and incidents outlive kills and restarts.
//!
//! Time is the machine's here and nothing is claimed about how long anything takes: everything is waited for, with a bound far
//! beyond what it needs. moto is found as `tests/moto.rs` says.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]
#![allow(clippy::disallowed_methods)] // It starts programs and waits for them.

mod ears;
#[path = "../emulators/mod.rs"]
mod emulators;
#[path = "../notify/hmac.rs"]
mod hmac;
mod hook;
mod mending;
mod people;
#[path = "../program/mod.rs"]
mod program;
#[path = "../rows/mod.rs"]
mod rows;
mod site;
#[path = "../support/mod.rs"]
mod support;

use emulators::server::{Emulator, Server};

#[test]
fn edits_are_mended_and_told_once_over_pauses_kills_and_a_receiver_that_is_down() {
    let Some(server) = Server::start(Emulator::Moto) else { return };
    mending::tell(server);
}

#[test]
fn what_people_order_counts_and_what_they_ask_is_answered_with_what_is_true() {
    let Some(server) = Server::start(Emulator::Moto) else { return };
    people::tell(server);
}
