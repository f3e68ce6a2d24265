//! Every mistake of a run is told in that run, sorted, and what is sound is still read.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use wheelwright::config::{SourceFiles, Style, load, render};

#[test]
fn five_mistakes_in_three_files_are_five_diagnostics() {
    let files = SourceFiles::new([
        ("wheelwright.toml", "[pace]\nsettle-secs = \"5m\"\n"),
        (
            "topology/hubs.toml",
            "[account]\nplatform = { id = \"11111111111\" }\n[hub.us]\naccount = \"platform\"\nregion = \"us-east-1\"\nbus = \"org events\"\n",
        ),
        (
            "topology/teams/payments.toml",
            "[team]\nname = \"payments\"\n[spoke.us]\nhub = \"us\"\naccount = \"platform\"\n[publish.a]\nsource = \"aws.x\"\n[subscribe.b]\nfrom = \"payments\"\nwher = {}\n",
        ),
    ]);
    let loaded = load(&files);
    let places: Vec<String> = loaded
        .diagnostics
        .iter()
        .map(|diagnostic| format!("{}:{} {}", diagnostic.primary.file, diagnostic.primary.line, diagnostic.code))
        .collect();
    assert_eq!(
        places,
        [
            "topology/hubs.toml:2 bad-account-id",
            "topology/hubs.toml:6 bad-bus-name",
            "topology/teams/payments.toml:7 bad-source",
            "topology/teams/payments.toml:9 bad-name",
            "topology/teams/payments.toml:10 unknown-key",
            "wheelwright.toml:2 wrong-type",
        ]
    );
    assert!(loaded.topology.is_none());
}

#[test]
fn several_syntax_errors_are_all_told_and_nothing_is_called_missing() {
    let files = SourceFiles::new([
        ("topology/a.toml", "[account\nplatform = { id = \"111111111111\" }\n[hub.us]\nregion = \n"),
        ("topology/b.toml", "[team]\nname = \"payments\"\n[spoke.us]\nhub = \"us\"\naccount = \"platform\"\n"),
    ]);
    let loaded = load(&files);
    let text = render(&loaded.diagnostics, &files, Style::Plain);
    assert!(text.matches("error[syntax]").count() >= 2, "{text}");
    assert!(!text.contains("unknown-"), "{text}");
}

#[test]
fn colour_changes_nothing_but_colour() {
    let files = SourceFiles::new([("topology/a.toml", "[hubb.us]\n")]);
    let loaded = load(&files);
    let plain = render(&loaded.diagnostics, &files, Style::Plain);
    let coloured = render(&loaded.diagnostics, &files, Style::Coloured);
    let stripped: String = {
        let mut parts = coloured.split('\u{1b}');
        let first = parts.next().unwrap().to_owned();
        parts.fold(first, |text, part| text + part.split_once('m').unwrap().1)
    };
    assert_ne!(plain, coloured);
    assert_eq!(plain, stripped);
}
