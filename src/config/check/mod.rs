//! Checks of a topology whose names are resolved: what EventBridge would deploy happily and then drop, and what it
//! would refuse half-way through.
//!
//! Split by subject: [`names`] (whose is it), [`routes`] (does it arrive), [`forwards`] (does it come once), [`patterns`] (does it match), [`quotas`]
//! (does it fit). The last ones look at what the topology expands to, so that they count what will be written.

mod forwards;
mod names;
mod patterns;
mod quotas;
mod routes;

use super::diagnostic::{Diagnostic, DiagnosticCode, Sink};
use super::expect;
use super::index::Index;
use super::source::{Lines, SourceFiles};
use crate::expand::expand;
use crate::model::desired::Revision;
use crate::model::ids::Moment;
use crate::model::settings::Settings;
use crate::model::topology::Topology;

/// Reports everything that is wrong with `topology`.
pub(super) fn check(topology: &Topology, index: &Index<'_>, settings: &Settings, files: &SourceFiles, sink: &Sink) {
    if topology_is_empty(index, files, sink) {
        return;
    }
    names::check(topology, index, sink);
    routes::check(topology, index, sink);
    forwards::check(topology, index, sink);
    patterns::check(topology, index, sink);
    // What a stop disables for a time is counted as what it is otherwise.
    let desired = expand(topology, settings, Revision { id: "check".into(), sequence: 0 }, Moment(u64::MAX));
    quotas::check(topology, &desired, index, sink);
    // A subscription that is left out for its own mistake would fail every expectation that names it.
    if !sink.has_errors() {
        expect::check(topology, &desired, index, sink);
    }
}

/// An empty topology is a wrong folder or a lost checkout, never a wish.
fn topology_is_empty(index: &Index<'_>, files: &SourceFiles, sink: &Sink) -> bool {
    if !index.hubs.is_empty() || index.raw.has_holes {
        return false;
    }
    let (place, label) = match files.topology().next() {
        Some(file) => (Lines::new(file).place(0..0), "no file declares `[hub.NAME]`"),
        None => (Lines::none("topology/").place(0..0), ""),
    };
    let message = if label.is_empty() { "there is no file under `topology/`" } else { "the topology has no hub" };
    sink.push(
        Diagnostic::error(DiagnosticCode::EmptyTopology, &place, message)
            .label(label)
            .help("nothing is ever taken away for an empty topology: is this the right folder, and whole?"),
    );
    true
}
