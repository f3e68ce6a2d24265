//! The worked example in `config/` is what it says: free of diagnostics, and as large as the README tells.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use std::path::Path;
use wheelwright::config::{Loaded, SourceFiles, Style, load, render};
use wheelwright::expand::expand;
use wheelwright::model::desired::Revision;
use wheelwright::model::ids::Moment;
use wheelwright::source::dir;

fn example() -> (SourceFiles, Revision, Loaded) {
    let (files, revision) = dir::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("config")).unwrap();
    let loaded = load(&files);
    (files, revision, loaded)
}

#[test]
fn the_example_has_no_diagnostics() {
    let (files, _, loaded) = example();
    assert_eq!(render(&loaded.diagnostics, &files, Style::Plain), "");
}

#[test]
fn the_example_expands_to_a_whole_topology() {
    let (_, revision, loaded) = example();
    let desired = expand(&loaded.topology.unwrap(), &loaded.settings, revision, Moment(0));
    let counts = [
        ("buses", desired.buses.len()),
        ("grants", desired.grants.len()),
        ("rules", desired.rules.len()),
        ("archives", desired.archives.len()),
        ("routes", desired.routes.len()),
        ("scopes", desired.scopes.len()),
    ];
    insta::assert_debug_snapshot!(counts);
}
