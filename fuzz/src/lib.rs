//! The pure layers of the program, compiled from its own sources, and what must hold of them for whatever is read.

// They speak of items of other layers in their documentation, and have parts that only those use.
#![allow(dead_code, unused_imports, rustdoc::broken_intra_doc_links)]

#[path = "../../src/config/mod.rs"]
pub mod config;
#[path = "../../src/eventbridge/mod.rs"]
pub mod eventbridge;
#[path = "../../src/expand/mod.rs"]
pub mod expand;
#[path = "../../src/model/mod.rs"]
pub mod model;

pub mod bodies;
