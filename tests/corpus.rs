//! Topologies as people break them, what they are told, and what becomes of everybody else meanwhile.
//!
//! A case is a text below `tests/corpus/`: a line that says what happened, and the files that are not as in `sound.txt`,
//! each after a line `--- PATH (HOW)`. HOW is how it is stored: `bom`, `crlf`, `cr`, `utf-16`, `latin-1`, or `absent`.
//! What cannot be seen is written `<NUL>`, `<NBSP>`, `<BOM>`. What is too long to be written is made below.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]
#![allow(clippy::disallowed_methods)] // The cases are files.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;
use strum::IntoEnumIterator;
use wheelwright::config::{
    Diagnostic, DiagnosticCode, FILE_BYTES_MAX, Label, Loaded, SourceFile, SourceFiles, Style, load, render,
};
use wheelwright::expand::expand;
use wheelwright::model::desired::{Desired, Revision};
use wheelwright::model::finding::Severity;
use wheelwright::model::ids::{Moment, TeamName};
use wheelwright::model::resource::RuleId;
use wheelwright::model::route::{Consumer, Route};
use wheelwright::model::topology::{Origin, Topology};
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
            assert!(words.clone().all(|words| !words.contains('\n')), "{}: {code}", case.name);
            assert!(words.clone().all(|words| words.trim() == words), "{}: {code}", case.name);
        }
    }
}

#[test]
fn every_code_is_somebodys_mistake() {
    let found: BTreeSet<DiagnosticCode> =
        cases().iter().flat_map(|case| load(&files(case)).diagnostics).map(|diagnostic| diagnostic.code).collect();
    let missing: Vec<DiagnosticCode> = DiagnosticCode::iter().filter(|code| !found.contains(code)).collect();
    assert_eq!(missing, [], "codes that no case has");
}

/// Cases in which a team's file stops everybody: it says something that is everybody's.
const OF_EVERYBODY: [&str; 1] = ["owner-hub-twice"];
/// Cases in which what is written in nobody's file concerns teams alone, or what is wrong is what teams' files come to.
const OF_TEAMS_ALL_THE_SAME: [&str; 5] =
    ["moved-of-others", "quota-policy", "quota-rules", "quota-wildcards", "stop-of-nothing"];

#[test]
fn a_teams_mistake_stops_nobody_else_and_anybody_elses_stops_all() {
    for case in cases() {
        let loaded = load(&files(&case));
        let errors: Vec<&Diagnostic> = errors(&loaded).collect();
        let is_teams = |error: &&Diagnostic| error.primary.file.starts_with("topology/teams/");
        let expected = match &*case.name {
            name if OF_EVERYBODY.contains(&name) => false,
            name if OF_TEAMS_ALL_THE_SAME.contains(&name) => true,
            _ => errors.iter().all(is_teams),
        };
        assert_eq!(loaded.topology.is_some(), expected, "{}", case.name);
        let Some(topology) = &loaded.topology else { continue };
        assert_eq!(topology.kept.is_empty(), errors.is_empty(), "{}", case.name);
        assert!(topology.hubs.len() == 2, "{}: every hub is there", case.name);
    }
}

/// Cases in which a file that is sound in itself is not any more for what another's says now: what it names is gone, not
/// offered, forwarded, or another's as well. That file has to change then, or the other one back.
const SEEN_IN_ANOTHER_FILE: [&str; 10] = [
    "gone-publication",
    "gone-team-file",
    "owner-of-a-source",
    "route-not-offered",
    "route-not-published-here",
    "route-offered-to-nobody",
    "route-second-hop-by-sibling",
    // Of two files with one name the second in the order of paths is shown first, whichever is the new one.
    "owner-copied-file",
    "owner-copied-over",
    "owner-spare-copy",
];

#[test]
fn a_mistake_is_told_where_it_was_made() {
    let mut elsewhere = BTreeSet::new();
    for case in cases() {
        let loaded = load(&files(&case));
        if !errors(&loaded).all(|error| case.changes.contains_key(&*error.primary.file)) {
            elsewhere.insert(case.name);
        }
    }
    // The folder as a whole, the hub where too much comes together, a copy's original.
    let of_the_whole = [
        "gone-hubs",
        "owner-old-copy",
        "owner-partners-hub",
        "owner-second-topology",
        "path-not-covered",
        "path-of-the-platform",
        "quota-rules",
        "quota-wildcards",
    ];
    let expected: BTreeSet<String> =
        SEEN_IN_ANOTHER_FILE.iter().chain(&of_the_whole).map(ToString::to_string).collect();
    assert_eq!(elsewhere, expected);
}

/// The errors of a run.
fn errors(loaded: &Loaded) -> impl Iterator<Item = &Diagnostic> {
    loaded.diagnostics.iter().filter(|diagnostic| diagnostic.severity == Severity::Error)
}

/// What the topology asks for that is a team's, or the hubs' own: rules with their targets, routes and grants, as text, each
/// with the team that it needs besides.
fn asked_of(desired: &Desired, team: Option<&TeamName>) -> BTreeMap<String, (String, Option<TeamName>)> {
    let is_teams = |consumer: &Consumer| match consumer {
        Consumer::Subscription(id) => Some(&id.team) == team,
        Consumer::Audit(_) => team.is_none(),
    };
    let publisher_of = |rule: &RuleId| desired.routes.values().find(|route| route.rule == *rule)?.publisher.clone();
    let rules = desired.rules.iter().filter(|(_, wanted)| wanted.team.as_ref() == team);
    let rules =
        rules.map(|(rule, wanted)| (format!("rule {rule}"), (format!("{:?}", wanted.spec), publisher_of(rule))));
    let routes = desired.routes.iter().filter(|(id, _)| is_teams(&id.consumer));
    let routes = routes.map(|(id, route)| {
        // Lines move when something is written above.
        let route = Route { origin: Origin { file: "".into(), line: 0, entry: "".into() }, ..route.clone() };
        (format!("route {id}"), (format!("{route:?}"), route.publisher))
    });
    let grants = desired.grants.iter().filter(|(_, wanted)| wanted.team.as_ref() == team);
    let grants =
        grants.map(|((bus, sid), wanted)| (format!("grant {bus} {sid}"), (format!("{:?}", wanted.spec), None)));
    rules.chain(routes).chain(grants).collect()
}

fn expanded(loaded: &Loaded, topology: &Topology) -> Desired {
    expand(topology, &loaded.settings, Revision { id: "corpus".into(), sequence: 1 }, Moment(0))
}

#[test]
fn what_is_asked_for_others_is_what_it_was() {
    let sound = load(&SourceFiles::new(sound()));
    let sound_topology = sound.topology.clone().unwrap();
    let asked_before = expanded(&sound, &sound_topology);
    let (mut compared, mut left_out) = (0, 0);
    for case in cases() {
        let loaded = load(&files(&case));
        let Some(topology) = &loaded.topology else { continue };
        let asked = expanded(&loaded, topology);
        for team in topology.kept.teams.keys() {
            assert_eq!(asked_of(&asked, Some(team)), BTreeMap::new(), "{}: nothing is planned for {team}", case.name);
        }
        for (team, written) in &sound_topology.teams {
            let is_as_it_was = !case.changes.contains_key(&*written.origin.file) && topology.kept.sound.contains(team);
            if topology.kept.is_empty() || !is_as_it_was || case.changes.contains_key(HUBS) {
                continue;
            }
            let now = asked_of(&asked, Some(team));
            for (thing, (before, needs)) in asked_of(&asked_before, Some(team)) {
                let is_left_out = needs.is_some_and(|needs| !topology.kept.sound.contains(&needs));
                let (spec, _) = now.get(&thing).map_or((None, ()), |(spec, _)| (Some(spec), ()));
                match spec {
                    None => assert!(is_left_out || thing.starts_with("grant "), "{}: {thing} is gone", case.name),
                    Some(spec) => assert_eq!(*spec, before, "{}: {thing} is another", case.name),
                }
                left_out += usize::from(spec.is_none());
                compared += 1;
            }
            let before = asked_of(&asked_before, Some(team));
            assert!(now.keys().all(|thing| before.contains_key(thing)), "{}: something of {team} is new", case.name);
        }
    }
    assert!(compared > 500 && left_out > 20, "{compared} things compared, {left_out} of them left out");
}
