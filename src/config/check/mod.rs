//! Checks of a topology whose names are resolved: what EventBridge would deploy happily and then drop, and what it
//! would refuse half-way through.
//!
//! Split by subject: [`names`] (whose is it), [`reach`] (may this file say so), [`routes`] (does it arrive), [`forwards`] (does it come
//! once), [`keeps`] (is it what there was), [`patterns`] (does it match), [`quotas`]
//! (does it fit). The last ones look at what the topology expands to, so that they count what will be written.

mod forwards;
mod keeps;
mod names;
mod patterns;
mod quotas;
mod reach;
mod routes;

pub(super) use reach::Reach;

use super::diagnostic::{Diagnostic, DiagnosticCode, Sink};
use super::expect;
use super::index::Index;
use super::source::Lines;
use crate::expand::expand;
use crate::model::desired::{Desired, Revision};
use crate::model::ids::Moment;
use crate::model::settings::Settings;
use crate::model::topology::Topology;

/// Reports everything that is wrong with `topology`; whether there is anything to go by at all.
pub(super) fn check(topology: &Topology, index: &Index<'_>, settings: &Settings, sink: &Sink) -> bool {
    if index.hubs.is_empty() {
        no_hub(index, sink);
        return false;
    }
    // What a file says that was not understood whole is not held against the others, nor they against it.
    let understood = without_holes(topology, index);
    names::check(&understood, index, sink);
    routes::check(&understood, index, sink);
    forwards::check(&understood, index, sink);
    patterns::check(&understood, index, sink);
    let desired = expanded(&understood, settings);
    keeps::check(&understood, index, sink);
    quotas::check(&understood, &desired, index, sink);
    expect::check_names(&understood, index, sink);
    true
}

/// Runs the topology's own unit tests on what can be used of it; whether one of them fails.
pub(super) fn expectations(sound: &Topology, index: &Index<'_>, settings: &Settings, sink: &Sink) -> bool {
    let before = sink.errors();
    expect::run(sound, &expanded(sound, settings), index, sink);
    sink.errors() > before
}

/// What `topology` asks for; what a stop disables for a time is counted as what it is otherwise.
fn expanded(topology: &Topology, settings: &Settings) -> Desired {
    expand(topology, settings, Revision { id: "check".into(), sequence: 0 }, Moment(u64::MAX))
}

fn without_holes(topology: &Topology, index: &Index<'_>) -> Topology {
    let mut topology = topology.clone();
    topology.teams.retain(|name, _| !index.has_holes(name.as_str()));
    topology
}

/// An empty topology is a wrong folder or a lost checkout, never a wish.
fn no_hub(index: &Index<'_>, sink: &Sink) {
    if index.raw.platform_has_holes {
        return; // The file that could not be read may declare them all.
    }
    let message = match index.raw.owners.is_empty() {
        true => "there is no file under `topology/`",
        false => "the topology has no hub: no file declares `[hub.NAME]`",
    };
    sink.push(
        Diagnostic::error(DiagnosticCode::EmptyTopology, &Lines::none("topology/").place(0..0), message)
            .help("nothing is ever taken away for an empty topology: is this the right folder, and whole?"),
    );
}
