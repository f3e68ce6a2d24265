//! Checks of a topology whose names are resolved.

use super::diagnostic::Sink;
use super::index::Index;
use super::settings::Settings;
use super::source::SourceFiles;
use crate::model::topology::Topology;

pub(super) fn check(
    _topology: &Topology,
    _index: &Index<'_>,
    _settings: &Settings,
    _files: &SourceFiles,
    _sink: &Sink,
) {
}
