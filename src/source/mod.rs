//! Where topologies come from. Layer 5: reads folders and git; knows the config's files and nothing of what is in them.

pub mod dir;
pub mod git;

/// Most files of one topology.
pub const FILES_MAX: usize = 10_000;
/// Most folders within each other.
pub const DEPTH_MAX: usize = 16;
/// The folder of the topology's files within a config folder.
const TOPOLOGY: &str = "topology";
/// Characters of a revision's name.
const REVISION_CHARACTERS: usize = 12;
