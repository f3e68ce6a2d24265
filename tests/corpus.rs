//! Topologies as people break them, what they are told, and what becomes of everybody else meanwhile.
//!
//! A case is a text below `tests/corpus/`: a line that says what happened, and the files that are not as in `sound.txt`,
//! each after a line `--- PATH (HOW)`. HOW is how it is stored: `bom`, `crlf`, `cr`, `utf-16`, `latin-1`, or `absent`.
//! What cannot be seen is written `<NUL>`, `<NBSP>`, `<BOM>`. What is too long to be written is made below.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;
use strum::IntoEnumIterator;
use wheelwright::config::{
    Diagnostic, DiagnosticCode, FILE_BYTES_MAX, Label, Loaded, SourceFile, SourceFiles, Style, load, render,
};
use wheelwright::expand::expand;
use wheelwright::model::desired::{Desired, Revision, Wanted};
use wheelwright::model::finding::Severity;
use wheelwright::model::ids::{Moment, TeamName};
use wheelwright::model::topology::Topology;
use wheelwright::report::text;

/// One broken topology.
struct Case {
    name: String,
    /// What happened.
    about: String,
    /// The files that are not as in the sound one: their bytes, or that they are not there.
    changes: BTreeMap<String, Option<Vec<u8>>>,
}

/// Every case, by name.
fn cases() -> Vec<Case> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus");
    let mut cases: Vec<Case> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            read(name, &std::fs::read_to_string(path).unwrap())
        })
        .collect();
    cases.extend(long_ones());
    cases.sort_by(|left, right| left.name.cmp(&right.name));
    cases
}

fn read(name: String, text: &str) -> Case {
    let mut parts = text.split("\n--- ");
    let about = parts.next().unwrap().to_owned();
    let changes = parts.map(|part| {
        let (header, text) = part.split_once('\n').unwrap_or((part, ""));
        let (path, how) = header.split_once(" (").map_or((header, ""), |(path, how)| (path, how.trim_end_matches(')')));
        // The separator took the last line's end away; a file that ends without one says so.
        let text = match text.strip_suffix("\n~ no line end").or(text.strip_suffix("\n~ no line end\n")) {
            Some(text) => text.to_owned(),
            None => format!("{}\n", text.strip_suffix('\n').unwrap_or(text)),
        };
        (path.to_owned(), stored(&text, how))
    });
    Case { name, about, changes: changes.collect() }
}

fn stored(text: &str, how: &str) -> Option<Vec<u8>> {
    let mut text = text.replace("<NUL>", "\0").replace("<NBSP>", "\u{a0}").replace("<BOM>", "\u{feff}");
    if text == "\n" {
        text.clear();
    }
    for how in how.split(", ") {
        match how {
            "" => {}
            "absent" => return None,
            "bom" => text.insert(0, '\u{feff}'),
            "crlf" => text = text.replace('\n', "\r\n"),
            "cr" => text = text.replace('\n', "\r"),
            "utf-16" => {
                return Some([0xfeff].into_iter().chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect());
            }
            "latin-1" => return Some(text.chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect()),
            _ => panic!("no file is stored as {how}"),
        }
    }
    Some(text.into_bytes())
}

const LEDGER: &str = "topology/teams/ledger.toml";
const HUBS: &str = "topology/hubs.toml";

/// Cases whose files are long, each from one line to repeat.
fn long_ones() -> Vec<Case> {
    let sound = sound();
    let long = |name: &str, about: &str, changes: &[(&str, String)]| Case {
        name: name.to_owned(),
        about: about.to_owned(),
        changes: changes.iter().map(|(path, text)| ((*path).to_owned(), Some(text.clone().into_bytes()))).collect(),
    };
    let repeated = |count: usize, line: &dyn Fn(usize) -> String| (0..count).map(line).collect::<String>();
    let ledger = |more: String| [(LEDGER, format!("{}\n{more}", sound[LEDGER]))];
    let hubs =
        |more: &str| sound[HUBS].replacen("bus = \"org-events\"\n", &format!("bus = \"org-events\"\n{more}\n"), 1);
    let subscription = |number: usize, filter: &str| {
        format!("[subscribe.s{number}]\nfrom = \"payments.settlements\"\nreplays = \"deliver\"\n{filter}\n")
    };
    let tags = |count: usize| (0..count).map(|number| format!("k{number} = \"v\"")).collect::<Vec<_>>().join(", ");
    vec![
        long(
            "long-file",
            "A log where a team's file should be.",
            &[(
                LEDGER,
                repeated(FILE_BYTES_MAX / 50, &|line| {
                    format!("2026-11-24T06:00:00Z INFO request {line:>9} served in 3 ms\n")
                }),
            )],
        ),
        long(
            "long-nesting",
            "Lists in lists in lists.",
            &ledger(format!(
                "[subscribe.deep]\nfrom = \"payments.settlements\"\nwhere.detail.x = {}1{}\n",
                "[".repeat(200),
                "]".repeat(200)
            )),
        ),
        long(
            "long-keys",
            "Keys in keys in keys.",
            &ledger(format!(
                "[subscribe.deep]\nfrom = \"payments.settlements\"\nwhere.detail.{} = [1]\n",
                vec!["a"; 200].join(".")
            )),
        ),
        long("quota-rules", "More rules than a bus takes.", &ledger(repeated(301, &|number| subscription(number, "")))),
        long(
            "quota-wildcards",
            "More rules with wildcards than a bus takes.",
            &ledger(repeated(31, &|number| {
                subscription(number, &format!("where.detail.path = [{{ wildcard = \"*/{number}/*\" }}]"))
            })),
        ),
        long(
            "quota-pattern",
            "A pattern that is longer than EventBridge takes.",
            &ledger(subscription(
                0,
                &format!("where.detail.merchant = [{}]", repeated(300, &|number| format!("\"merchant-{number}\", "))),
            )),
        ),
        long(
            "quota-policy",
            "More publishing accounts than a bus's policy has room for, and no organisation to let in as one.",
            &[
                (
                    "topology/accounts.toml",
                    format!(
                        "{}{}",
                        sound["topology/accounts.toml"],
                        repeated(60, &|number| format!("a{number} = {{ id = \"5{number:011}\" }}\n"))
                    ),
                ),
                (HUBS, sound[HUBS].replace("[organization]\nid = \"o-a1b2c3d4e5\"\n", "")),
                (
                    "topology/teams/payments.toml",
                    sound["topology/teams/payments.toml"].replace(
                        "subscribers = [\"ledger\", \"orders\"]",
                        &format!(
                            "subscribers = [\"ledger\", \"orders\"]\naccounts = [{}]",
                            repeated(60, &|number| format!("\"a{number}\", "))
                        ),
                    ),
                ),
            ],
        ),
        long(
            "quota-tags-of-a-team",
            "More tags on a team than a rule bears.",
            &[(LEDGER, sound[LEDGER].replace("contact =", &format!("tags = {{ {} }}\ncontact =", tags(40))))],
        ),
        long(
            "quota-tags-of-a-hub",
            "More tags on a hub than its bus bears: that is no team's mistake.",
            &[(HUBS, hubs(&format!("tags = {{ {} }}", tags(40))))],
        ),
        long(
            "quota-tags-of-all",
            "More tags on the organisation than anything bears.",
            &[(HUBS, sound[HUBS].replace("id = \"o-", &format!("tags = {{ {} }}\nid = \"o-", tags(40))))],
        ),
        long(
            "quota-tags-together",
            "Tags of organisation and team that are too many only together.",
            &[
                (HUBS, sound[HUBS].replace("id = \"o-", &format!("tags = {{ {} }}\nid = \"o-", tags(20)))),
                (
                    LEDGER,
                    sound[LEDGER]
                        .replace("contact =", &format!("tags = {{ {} }}\ncontact =", tags(40).replace('k', "l"))),
                ),
            ],
        ),
    ]
}

/// The sound topology's files.
fn sound() -> BTreeMap<String, String> {
    let text = include_str!("corpus/sound.txt");
    let Case { changes, .. } = read("sound".to_owned(), text);
    changes.into_iter().map(|(path, bytes)| (path, String::from_utf8(bytes.unwrap()).unwrap())).collect()
}

/// The sound topology with a case's files in place of its own.
fn files(case: &Case) -> SourceFiles {
    let mut files: BTreeMap<String, Vec<u8>> =
        sound().into_iter().map(|(path, text)| (path, text.into_bytes())).collect();
    for (path, bytes) in &case.changes {
        match bytes {
            Some(bytes) => files.insert(path.clone(), bytes.clone()),
            None => files.remove(path),
        };
    }
    SourceFiles::of(files.into_iter().map(|(path, bytes)| SourceFile::of_bytes(path, bytes)))
}

/// What a person reads: the mistakes, and what becomes of everybody's routes meanwhile.
fn told(loaded: &Loaded, files: &SourceFiles) -> String {
    let mut told = render(&loaded.diagnostics, files, Style::Plain);
    match &loaded.topology {
        None => _ = writeln!(told, "\n=> Nothing is used of it, nothing is taken away."),
        Some(topology) if topology.kept.is_empty() => _ = writeln!(told, "\n=> All of it is used."),
        Some(topology) => _ = writeln!(told, "\n=> {}", text::kept(&topology.kept)),
    }
    told
}

#[test]
fn what_people_are_told() {
    for case in cases() {
        let files = files(&case);
        let loaded = load(&files);
        insta::with_settings!({ omit_expression => true, prepend_module_to_snapshot => false, description => case.about.clone() }, {
            insta::assert_snapshot!(format!("corpus-{}", case.name), told(&loaded, &files));
        });
    }
}

#[test]
fn every_label_is_in_its_file() {
    for case in cases() {
        let files = files(&case);
        let loaded = load(&files);
        for Diagnostic { code, primary, secondary, message, help, .. } in &loaded.diagnostics {
            for Label { file, span, line, text } in std::iter::once(primary).chain(secondary) {
                let at = format!("{}: {code} {text:?} at {file}:{line}", case.name);
                if &**file == "topology/" {
                    continue; // The folder as a whole.
                }
                let source = &files.file(file).unwrap_or_else(|| panic!("{at}: no such file")).text;
                assert!(source.get(span.clone()).is_some(), "{at}: {span:?}");
                let before = source[..span.start].matches('\n').count();
                assert_eq!(before + 1, usize::try_from(*line).unwrap(), "{at}");
            }
            let words = help.iter().chain([message, &primary.text]);
            assert!(words.clone().all(|words| !words.contains("  ") && !words.contains('\n')), "{}: {code}", case.name);
            assert!(words.clone().all(|words| words.trim() == words), "{}: {code}", case.name);
        }
    }
}
