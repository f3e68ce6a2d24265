//! The pure layers of wheelwright (0 and 1), compiled here from the same files, and what the fuzz targets ask of them.
#![allow(dead_code, unreachable_pub, missing_docs)]

#[path = "../../src/config/mod.rs"]
pub mod config;
#[path = "../../src/eventbridge/mod.rs"]
pub mod eventbridge;
#[path = "../../src/expand/mod.rs"]
pub mod expand;
#[path = "../../src/model/mod.rs"]
pub mod model;

pub mod checks;
