//! The page of a running daemon on the simulated AWS: what is in it, who may see it, and, in headless Chromium, how it behaves and looks.
//!
//! The tests with a browser need `WHEELWRIGHT_BROWSER`: the folder that has `node_modules` with what `package.json` here names.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]
#![allow(clippy::disallowed_methods)] // It has a real clock, and starts a program.

#[path = "../support/mod.rs"]
mod support;

#[allow(dead_code)] // Each test crate takes what it needs.
#[path = "../http/served.rs"]
mod served;
#[allow(dead_code)]
#[path = "../http/wire.rs"]
mod wire;

mod access;
mod asking;
mod browser;
mod content;
mod large;
