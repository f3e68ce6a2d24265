//! Import: what is live becomes topology files whose plan is empty or takes over what is there, and the same events go the same
//! ways before and after. On generated worlds, and on layouts as people have them.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    unreachable_pub
)]
#![allow(clippy::disallowed_methods)] // It starts servers in other processes and waits for them.
#![allow(dead_code)] // Of the generator only a part is needed here.

#[path = "../emulators/mod.rs"]
mod emulators;
mod foreign;
mod generated;
#[path = "../seeds/generator.rs"]
mod generator;
mod layouts;
mod moto;
#[path = "../program/mod.rs"]
mod program;
#[path = "../seeds/render.rs"]
mod render;
#[path = "../seeds/rng.rs"]
mod rng;
#[path = "../rows/mod.rs"]
mod rows;
#[path = "../seeds/samples.rs"]
mod samples;
#[path = "../seeds/spec.rs"]
mod spec;
#[path = "../seeds/staged.rs"]
mod staged;
#[path = "../support/mod.rs"]
mod support;
mod told;

use std::collections::{BTreeMap, BTreeSet};
use support::{Bench, Example};
use wheelwright::config::{self, SourceFiles};
use wheelwright::expand::expand;
use wheelwright::import::{Imported, Request, import};
use wheelwright::model::desired::Revision;
use wheelwright::model::ids::Moment;
use wheelwright::model::plan::{Guard, Plan};
use wheelwright::model::topology::{Kept, Tags, Topology};
use wheelwright::model::world::World;
use wheelwright::port::Fleet;
use wheelwright::reconcile::refresh::{Depth, RefreshSettings, refresh};

/// Reads everything and imports it.
pub(crate) async fn imported<F: Fleet>(bench: &Bench<F>, request: &Request) -> Imported {
    let settings = &bench.example.settings;
    import(&whole(bench, request).await, request, settings)
}

async fn whole<F: Fleet>(bench: &Bench<F>, request: &Request) -> World {
    let nothing = Topology {
        organization: None,
        accounts: BTreeMap::new(),
        hubs: BTreeMap::new(),
        teams: BTreeMap::new(),
        tags: Tags::new(),
        kept: Kept::default(),
    };
    let revision = Revision { id: "import".into(), sequence: 0 };
    let desired = expand(&nothing, &bench.example.settings, revision, Moment(0));
    let how = RefreshSettings { depth: Depth::Whole, scopes_in_flight_max: 16, scope_deadline_ms: 60_000 };
    refresh(&bench.fleet, &bench.clock, &desired, &request.scopes(), how, &|_, _| {}).await
}

/// The files that an import wrote, as a topology; it must have no mistakes and nothing that warns.
pub(crate) fn example_of(imported: &Imported, sequence: u64) -> Example {
    let files = SourceFiles::new(imported.files.iter().map(|(path, text)| (path.as_str(), text.as_str())));
    let loaded = config::load(&files);
    assert!(loaded.diagnostics.is_empty(), "{}", config::render(&loaded.diagnostics, &files, config::Style::Plain));
    Example::of(imported.files.clone(), sequence)
}

/// Steps that do not merely take over.
pub(crate) fn changes(plan: &Plan) -> Vec<String> {
    let steps = plan.steps.iter().filter(|step| !step.held_by.contains(&Guard::Adopt));
    steps.map(|step| format!("{:?} {:?}", step.action, step.detail)).collect()
}

/// Everything that an import wrote, one file after the other.
pub(crate) fn written(imported: &Imported) -> String {
    let files: Vec<String> = imported.files.iter().map(|(path, text)| format!("==> {path}\n{text}")).collect();
    files.join("\n")
}

/// Names of a set of things, for messages.
pub(crate) fn names<T: ToString>(things: impl IntoIterator<Item = T>) -> BTreeSet<String> {
    things.into_iter().map(|thing| thing.to_string()).collect()
}
