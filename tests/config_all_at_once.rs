//! Every mistake of a run is told in that run, sorted, and what is sound is still read.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use proptest::prelude::*;
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

/// Codes and lines of what is wrong with one file.
fn wrong(text: &str) -> Vec<String> {
    let loaded = load(&SourceFiles::new([("topology/a.toml", text)]));
    loaded.diagnostics.iter().map(|diagnostic| format!("{} {}", diagnostic.primary.line, diagnostic.code)).collect()
}

const ONE_TEAM: &str = r#"[account]
platform = { id = "111111111111" }
payments-prod = { id = "222222222222" }
[hub.us]
account = "platform"
region = "us-east-1"
bus = "org-events"
[team]
name = "payments"
[spoke.us]
hub = "us"
account = "payments-prod"
bus = "payments"
"#;

#[test]
fn a_key_that_is_written_twice_is_a_duplicate_name() {
    assert_eq!(wrong(&format!("{ONE_TEAM}bus = \"again\"\n")), ["14 duplicate-name"]);
}

#[test]
fn collections_renames_and_stops_need_their_keys() {
    let text =
        format!("{ONE_TEAM}[collect.findings]\nsource = \"aws.guardduty\"\n[[moved]]\nfrom = \"a.b\"\n[stop.x]\n");
    let missing = "missing-key";
    let expected = [14, 16, 18, 18, 18].map(|line| format!("{line} {missing}"));
    assert_eq!(wrong(&text), expected);
}

#[test]
fn no_condition_can_undo_the_pin_on_who_publishes() {
    let text = format!(
        "{ONE_TEAM}[publish.a]\nsource = \"com.acme.a\"\n[subscribe.b]\nfrom = \"payments.a\"\n\
         where.account = [{{ exists = true }}]\nwhere.source = [\"x\"]\nwhere.detail-type = [\"x\"]\n\
         where.\"$or\" = [{{ account = [\"1\"] }}, {{ source = [\"x\"] }}]\nwhere.replay-name = [{{ exists = true }}]\n"
    );
    assert_eq!(wrong(&text), ["18 where-key", "19 where-key", "20 where-key", "21 where-key", "22 where-key"]);
}

#[test]
fn a_sibling_publication_that_forwards_the_same_events_is_a_second_hop_too() {
    let publish = "[publish.direct]\nsource = \"com.acme.a\"\ndetail-types = [\"A\"]\n";
    let subscribe = "[subscribe.b]\nfrom = \"payments.direct\"\n";
    let forwards = |types: &str| {
        format!("{ONE_TEAM}{publish}[publish.forwarded]\nsource = \"com.acme.a\"\n{types}via = \"spoke\"\n{subscribe}")
    };
    assert_eq!(wrong(&forwards("")), ["20 loop"], "it forwards every detail-type, from the bus that they come back to");
    assert_eq!(wrong(&forwards("detail-types = [\"B\"]\n")), [""; 0], "it forwards other detail-types");
}

#[test]
fn two_hubs_that_both_have_the_events_need_a_choice() {
    let second = ONE_TEAM
        .replace("[team]", "[hub.eu]\naccount = \"platform\"\nregion = \"eu-west-1\"\nbus = \"org-events\"\n[team]");
    let text = |more: &str| {
        format!(
            "{second}[spoke.eu]\nhub = \"eu\"\naccount = \"payments-prod\"\nbus = \"payments\"\n\
             [publish.a]\nsource = \"com.acme.a\"\n[subscribe.b]\nfrom = \"payments.a\"\n{more}"
        )
    };
    assert_eq!(wrong(&text("")), ["24 ambiguous-spoke"]);
    assert_eq!(wrong(&text("at = \"eu\"\n")), [""; 0]);
    assert_eq!(wrong(&text("spoke = \"us\"\n")), [""; 0]);
}

#[test]
fn a_folder_without_files_is_empty_and_says_so() {
    let files = SourceFiles::default();
    let loaded = load(&files);
    let text = render(&loaded.diagnostics, &files, Style::Plain);
    assert!(text.starts_with("error[empty-topology]: there is no file under `topology/`"), "{text}");
    assert!(loaded.topology.is_none());
}

fn example() -> Vec<(String, String)> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("config");
    let (files, _) = wheelwright::source::dir::read(&folder).unwrap();
    files.iter().map(|file| (file.path.to_string(), file.text.to_string())).collect()
}

/// What slips into a file: halves of the language, and what is not of it.
const SLIPS: &[&str] = &[
    "",
    "[",
    "]",
    "{",
    "}",
    "\"",
    "=",
    ".",
    ",",
    "\n",
    "\r\n",
    "\u{feff}",
    "é",
    "日本",
    "\0",
    "#",
    "'''",
    "1e999",
    "nan",
    "-1",
    "99999999999999999999",
    "2026-11-24",
    "true",
    "[]",
    "{}",
    "[[x]]",
    "[team]\n",
    "where.detail.a = []\n",
    "deliver = { }\n",
    "deliver = { queue = \"a\", topic = \"b\" }\n",
    "at = [1]\n",
    "tags = { a = 1 }\n",
    "\"aws:x\"",
    "arn:aws:sqs:::",
    "[hub.us]\n",
    "[publish.\"\"]\n",
    "where.detail.\"\" = [{ wildcard = \"**\" }]\n",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    /// Nothing that can be in a file brings the reader down; it gives a topology or says why not.
    #[test]
    fn whatever_is_written_is_read_or_refused(
        slips in proptest::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), 0..12usize, any::<prop::sample::Index>()), 1..4),
    ) {
        let mut files = example();
        for (file, place, taken, slip) in slips {
            let file = file.index(files.len());
            let (_, text) = &mut files[file];
            let mut characters: Vec<char> = text.chars().collect();
            let start = place.index(characters.len() + 1);
            let end = (start + taken).min(characters.len());
            characters.splice(start..end, SLIPS[slip.index(SLIPS.len())].chars());
            *text = characters.into_iter().collect();
        }
        let files = SourceFiles::new(files);
        let loaded = load(&files);
        match &loaded.topology {
            Some(topology) => prop_assert_eq!(topology.kept.is_empty(), !loaded.has_errors()),
            None => prop_assert!(loaded.has_errors()),
        }
        for style in [Style::Plain, Style::Coloured] {
            let text = render(&loaded.diagnostics, &files, style);
            prop_assert_eq!(text.is_empty(), loaded.diagnostics.is_empty());
        }
    }
}

#[test]
fn a_misspelt_key_is_not_missing_too() {
    let text = ONE_TEAM.replace("account = \"payments-prod\"", "acount = \"payments-prod\"");
    assert_eq!(wrong(&text), ["12 unknown-key"]);
    let organization = "[organization]\nids = \"o-a1b2c3d4e5\"\n";
    let text = ONE_TEAM.replace("[team]", &format!("grant = \"organization\"\n{organization}[team]"));
    assert_eq!(wrong(&text), ["10 unknown-key"]);
}

#[test]
fn a_subscription_to_nothing_has_its_pattern_checked_all_the_same() {
    let text =
        format!("{ONE_TEAM}[subscribe.b]\nfrom = \"nobody.a\"\nwhere.detail.total = [{{ numeric = [\"=>\", 0] }}]\n");
    assert_eq!(wrong(&text), ["15 unknown-team", "16 bad-pattern"]);
}
