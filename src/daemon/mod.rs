//! The daemon: sweeps for ever, remembers what it found, tells people, obeys them.
//!
//! Layer 6. One task owns what is known (the *memory*) and does one sweep at a time; scopes are read by tasks of their own,
//! so that one that hangs holds nobody up. People's orders come in by a channel, are kept before they are answered, and end
//! a sweep that is under way where they cannot wait. Everything that others may look at is in [`status::Status`], which is
//! published after each change.

mod beyond;
pub mod config;
mod in_vain;
mod look;
mod lost;
mod memory;
mod met;
mod obey;
pub mod orders;
pub mod outbox;
mod publish;
mod reader;
mod remember;
mod round;
mod scopes;
mod settled;
pub mod status;
mod turn;

pub use lost::nothing_is_lost;
pub use orders::{Command, Reply};
pub use status::Status;
pub use turn::{Daemon, Handle, Parts, SIGNAL};
