//! The repository's worked example on an emulator, by the built program alone: it comes in step, some edits are told and
//! mended, and a rule of somebody else's stays as it is.

use super::picture::{Scope, picture};
use super::server::{Emulator, Server};
use super::table::{Desk, load};
use crate::program::{Folder, wheelwright, worked_files};
use crate::rows::{Edit, Row, TABLE};
use crate::support::probes::{LEDGER, PLATFORM, US};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// What is said otherwise: in this file, this text (there once) becomes that one. A hub that lets the organisation in is
/// one of moto's divergences; an emulator's writes are effective at once, and nobody shares a quota with us there.
const OTHERWISE: &[(&str, &str, &str)] = &[
    ("topology/hubs.toml", "grant = \"organization\"", "grant = \"accounts\""),
    ("topology/hubs.toml", "calls-per-second-max = 25", "calls-per-second-max = 50"),
    ("wheelwright.toml", "settle-secs = 300", "settle-secs = 0"),
    ("wheelwright.toml", "calls-per-second-max = 15", "calls-per-second-max = 50"),
    ("wheelwright.toml", "calls-burst-max = 30", "calls-burst-max = 50"),
];

/// One row for each kind of thing that the program writes.
const ROWS: &[&str] =
    &["rule disabled", "pattern changed", "rule deleted", "hub's statement on a spoke removed", "target re-pointed"];

/// Starts the emulator and tries it; without one it says so.
pub(crate) fn converge(emulator: Emulator) {
    let Some(server) = Server::start(emulator) else { return };
    let files = files();
    let folder = Folder::of(&files);
    let (_, desired) = load(&files, 0);
    let run = |args: &[&str]| wheelwright(&folder, Some(&server.endpoint), args);
    run(&["plan", "--expect-no-changes"]).expect(3);
    run(&["apply", "--yes"]).expect(0);
    run(&["plan", "--expect-no-changes"]).expect(0);

    let theirs = json!({"Name": "theirs", "EventBusName": "org-events", "EventPattern": r#"{"source":["theirs"]}"#});
    server.must(PLATFORM, US, "PutRule", theirs);
    let scopes: BTreeSet<Scope> = [PLATFORM, LEDGER].map(|account| (account.to_owned(), US.to_owned())).into();
    let before = picture(&server, &scopes);
    for name in ROWS {
        let row = row(name);
        (row.edit)(&mut Edit { door: &mut Desk::new(&server, false), desired: &desired });
        assert_ne!(picture(&server, &scopes), before, "{name}: the edit was not taken");
        let plan: Value = serde_json::from_str(&run(&["plan", "--format", "json"]).expect(0).out).unwrap();
        let found: Vec<&str> =
            plan["findings"].as_array().into_iter().flatten().filter_map(|finding| finding["code"].as_str()).collect();
        for (code, _) in row.finds() {
            assert!(found.contains(&code.to_string().as_str()), "{name}: found {found:?}");
        }
        run(&["plan", "--expect-no-changes"]).expect(3);
        run(&["apply", "--yes"]).expect(0);
        run(&["plan", "--expect-no-changes"]).expect(0);
        assert_eq!(picture(&server, &scopes), before, "{name}: after mending");
    }
}

fn files() -> BTreeMap<String, String> {
    let mut files = worked_files();
    for (path, from, to) in OTHERWISE {
        let text = files.get_mut(*path).unwrap();
        assert_eq!(text.matches(from).count(), 1, "{from:?} is not once in {path}");
        *text = text.replace(from, to);
    }
    files
}

fn row(name: &str) -> &'static Row {
    let mut rows = TABLE.iter().flat_map(|(_, rows)| *rows);
    rows.find(|row| row.name == name).unwrap_or_else(|| panic!("no row is called {name:?}"))
}
