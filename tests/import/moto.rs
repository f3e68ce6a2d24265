//! The same on moto, an emulator that others wrote: the worked example after an apply, and a central bus of people's own. It needs
//! what `tests/moto.rs` needs, and says so where that is not there.

use crate::emulators::server::{Emulator, Server};
use crate::layouts::{US, central_bus};
use crate::program::{Folder, wheelwright, worked_files};
use crate::told::{SETTINGS, accounts};
use serde_json::Value;
use std::collections::BTreeMap;

#[test]
fn a_central_bus_on_moto() {
    let Some(server) = Server::start(Emulator::Moto) else { return };
    let mut call = |account: &str, operation: &str, input: Value| server.must(account, US, operation, input);
    central_bus(&mut call);
    let folder = Folder::of(&BTreeMap::from([("wheelwright.toml".to_owned(), SETTINGS.to_owned())]));
    let run = |args: &[&str]| wheelwright(&folder, Some(&server.endpoint), args);
    run(&["import", "--accounts", &accounts(), "--regions", US]).expect(0);
    run(&["check"]).expect(0);
    let plan: Value = serde_json::from_str(&run(&["plan", "--format", "json"]).expect(1).out).unwrap();
    let steps = plan["steps"].as_array().unwrap();
    assert!(steps.len() > 5, "{plan}");
    for step in steps {
        assert_eq!(step["held-by"], serde_json::json!(["adopt"]), "{step}");
    }
}

#[test]
fn the_worked_example_on_moto() {
    let Some(server) = Server::start(Emulator::Moto) else { return };
    let mut files = worked_files();
    for (path, from, to) in [
        // moto's divergences (see tests/emulators/): a hub that lets the organisation in.
        ("topology/hubs.toml", "grant = \"organization\"", "grant = \"accounts\""),
        ("topology/hubs.toml", "calls-per-second-max = 25", "calls-per-second-max = 50"),
        ("wheelwright.toml", "settle-secs = 300", "settle-secs = 0"),
        ("wheelwright.toml", "calls-per-second-max = 15", "calls-per-second-max = 50"),
        ("wheelwright.toml", "calls-burst-max = 30", "calls-burst-max = 50"),
    ] {
        let text = files.get_mut(path).unwrap();
        *text = text.replace(from, to);
    }
    let worked = Folder::of(&files);
    wheelwright(&worked, Some(&server.endpoint), &["apply", "--yes"]).expect(0);
    let settings = BTreeMap::from([("wheelwright.toml".to_owned(), files["wheelwright.toml"].clone())]);
    let folder = Folder::of(&settings);
    let run = |args: &[&str]| wheelwright(&folder, Some(&server.endpoint), args);
    let accounts: toml::Table = files["topology/accounts.toml"].parse().unwrap();
    let roster: Vec<String> = accounts["account"]
        .as_table()
        .unwrap()
        .iter()
        .map(|(name, account)| format!("{name}={}", account["id"].as_str().unwrap()))
        .collect();
    run(&["import", "--accounts", &roster.join(","), "--regions", "us-east-1,eu-west-1"]).expect(0);
    run(&["check"]).expect(0);
    run(&["plan", "--expect-no-changes"]).expect(0);
}
