//! Where topologies come from. Layer 5: reads folders; knows the config's files and nothing of what is in them.

pub mod dir;
