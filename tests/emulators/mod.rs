//! AWS emulators that others wrote: witnesses that do not share our mistakes. What more than one test needs of them: how
//! each is started and called ([`server`]), a topology that they can bear ([`example`]), the table of drift tried on one
//! ([`table`], [`story`]), the worked example brought in step ([`worked`]), and the one list of what they do otherwise
//! than AWS ([`divergences`]).
#![allow(dead_code)] // Each test crate takes what it needs.

pub(crate) mod divergences;
pub(crate) mod example;
pub(crate) mod picture;
pub(crate) mod server;
pub(crate) mod story;
pub(crate) mod table;
pub(crate) mod worked;
