//! The rules of the tree that no compiler checks: which layer may know which, what the pure layers may not touch, and
//! what no file may hold. ARCHITECTURE.md says why; each failure says where and what to do.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
#![allow(clippy::disallowed_methods)] // Reading the tree is what this test is for.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Each module of the crate: its layer, and the other modules that it may name. A layer may also know those below it
/// only as far as this table says: the edges, say, know what a call is and not how a plan is made.
const MODULES: &[(&str, u8, &[&str])] = &[
    ("eventbridge", 0, &[]),
    ("model", 0, &["eventbridge"]),
    // The checker measures what the expansion would make; the expansion reads the settings. One layer, two rooms.
    ("config", 1, &["eventbridge", "model", "expand"]),
    ("expand", 1, &["eventbridge", "model"]),
    ("plan", 2, &["eventbridge", "model", "config", "expand"]),
    ("report", 2, &["eventbridge", "model", "config", "expand", "plan", "trace"]),
    ("trace", 2, &["eventbridge", "model", "expand", "plan"]),
    ("watch", 2, &["eventbridge", "model", "config", "expand", "plan", "report"]),
    // It proves what it writes: by the checker, and by a plan.
    ("import", 2, &["eventbridge", "model", "config", "expand", "plan", "report"]),
    ("call", 3, &["eventbridge", "model"]),
    ("port", 3, &["eventbridge", "model", "call"]),
    ("telemetry", 3, &["eventbridge", "model", "call", "port"]),
    ("recorder", 4, &["eventbridge", "model", "call", "port"]),
    (
        "reconcile",
        4,
        &["eventbridge", "model", "config", "expand", "plan", "report", "call", "port", "telemetry", "recorder"],
    ),
    (
        "doctor",
        4,
        &["eventbridge", "model", "config", "expand", "plan", "report", "call", "port", "telemetry", "reconcile"],
    ),
    // The edges know the model and the calls, and not each other.
    ("aws", 5, &["eventbridge", "model", "call", "port", "telemetry"]),
    ("lease", 5, &["eventbridge", "model", "call", "port", "telemetry"]),
    ("notify", 5, &["eventbridge", "model", "call", "port", "telemetry"]),
    ("store", 5, &["eventbridge", "model", "call", "port", "telemetry"]),
    // Reads files, so it knows what a config file is.
    ("source", 5, &["eventbridge", "model", "call", "port", "telemetry", "config"]),
    // The simulated AWS must not share a mistake with what it judges.
    ("sim", 5, &["eventbridge"]),
    ("stage", 6, EVERYTHING),
    ("cli", 6, EVERYTHING),
    ("http", 6, EVERYTHING),
    ("schedule", 6, EVERYTHING),
    ("daemon", 6, EVERYTHING),
];

const EVERYTHING: &[&str] = &["*"];

/// Files of `sim` through which the program's own calls come in: they translate, so they know both sides.
const SIM_DOORS: &[(&str, &[&str])] =
    &[("src/sim/call_door.rs", &["call", "port", "model"]), ("src/sim/fault.rs", &["call", "port", "model"])];

/// The highest layer that is synchronous and total.
const PURE_LAYER_MAX: u8 = 2;

/// Files of other layers that judge and do not ask.
const PURE_FILES: &[&str] = &[
    "src/doctor/denial.rs",
    "src/doctor/judge.rs",
    "src/doctor/mend.rs",
    "src/doctor/needs.rs",
    "src/doctor/policies.rs",
    "src/doctor/probe.rs",
    "src/doctor/text.rs",
    "src/doctor/trust.rs",
];

/// What would make a pure layer depend on more than what it is given.
const IMPURE: &[&str] = &[
    "async",
    "await",
    "tokio",
    "tracing",
    "std::fs",
    "std::env",
    "TcpStream",
    "TcpListener",
    "UdpSocket",
    "std::process",
    "std::thread",
    "SystemTime",
    "Instant",
];

/// Lines of one source file: what a person can keep in view.
const FILE_LINES_MAX: usize = 700;

#[test]
fn each_layer_knows_only_what_is_below_it() {
    let mut faults = Vec::new();
    for file in sources("src") {
        let Some((module, layer, allowed)) = module_of(&file) else { continue };
        let door = SIM_DOORS.iter().find(|(path, _)| *path == file.path).map_or(&[][..], |(_, more)| more);
        for (line, named) in crate_paths(&shipped_code(&file.text)) {
            let known =
                named == module || allowed == EVERYTHING || allowed.contains(&&*named) || door.contains(&&*named);
            if !known {
                faults.push(format!(
                    "{}:{line}: `{module}` (layer {layer}) names `crate::{named}`, which it may not know; it may know \
                     {allowed:?}. Move the code to the layer that may, or the type down",
                    file.path
                ));
            }
        }
    }
    report(&faults);
}

#[test]
fn every_module_of_the_crate_has_its_place_in_the_table() {
    let mut faults = Vec::new();
    for file in sources("src") {
        let rest = file.path.strip_prefix("src/").unwrap();
        let module = rest.split('/').next().unwrap().trim_end_matches(".rs");
        if !["lib", "main"].contains(&module) && !MODULES.iter().any(|(name, ..)| *name == module) {
            faults.push(format!("{}: no layer; add `{module}` to MODULES in tests/tidy.rs", file.path));
        }
    }
    for (module, layer, allowed) in MODULES {
        for (above, ..) in MODULES.iter().filter(|(name, other, _)| allowed.contains(name) && other > layer) {
            faults.push(format!("MODULES lets `{module}` (layer {layer}) know `{above}`, which is above it"));
        }
    }
    report(&faults);
}

#[test]
fn the_pure_layers_are_given_everything() {
    let mut faults = Vec::new();
    for file in sources("src") {
        let Some((module, layer, _)) = module_of(&file) else { continue };
        if layer > PURE_LAYER_MAX && !PURE_FILES.contains(&&*file.path) {
            continue;
        }
        for (number, line) in shipped_code(&file.text).lines().enumerate() {
            for word in IMPURE.iter().filter(|word| has_word(line, word)) {
                faults.push(format!(
                    "{}:{}: `{word}` in `{module}` (layer {layer}), which may not wait, log, or read a clock, a file or \
                     the environment. Take the value as an argument",
                    file.path,
                    number + 1
                ));
            }
        }
    }
    report(&faults);
}

/// Taking a bus or an archive away is a person's command (design, promise 4): the calls that do it are made in one file, and
/// everywhere else only told apart from others.
#[test]
fn what_deletes_a_bus_or_an_archive_is_made_in_one_place() {
    const MADE_IN: &str = "src/reconcile/retire.rs";
    let mut faults = Vec::new();
    for name in ["DeleteEventBus", "DeleteArchive"] {
        let mut made = 0;
        for file in sources("src") {
            let code = shipped_code(&file.text);
            for at in constructions(&code, name) {
                let line = code[..at].matches('\n').count() + 1;
                match file.path.as_str() {
                    MADE_IN => made += 1,
                    // Where the calls are declared.
                    "src/call.rs" => {}
                    path => faults.push(format!("{path}:{line}: makes `{name}`, which {MADE_IN} alone may")),
                }
            }
        }
        if made != 1 {
            faults.push(format!("{MADE_IN} makes `{name}` in {made} places, not in one"));
        }
    }
    report(&faults);
}

/// Where `name` is used for anything but a pattern of a match.
fn constructions(code: &str, name: &str) -> Vec<usize> {
    let is_pattern = |at: usize| {
        let rest = code[at + name.len()..].trim_start();
        let fields = if rest.starts_with('{') { item_end(rest, 0) } else { 0 };
        let next = rest[fields..].trim_start();
        next.starts_with("=>") || next.starts_with('|')
    };
    let part_of_name = |letter: char| letter.is_alphanumeric() || letter == '_';
    let is_word =
        |at: &usize| !code[..*at].ends_with(part_of_name) && !code[*at + name.len()..].starts_with(part_of_name);
    code.match_indices(name).map(|(at, _)| at).filter(is_word).filter(|at| !is_pattern(*at)).collect()
}

#[test]
fn every_file_says_what_it_is_and_fits_a_head() {
    let mut faults = Vec::new();
    for file in ["src", "tests", "benches", "examples"].into_iter().flat_map(sources) {
        if !file.text.starts_with("//! ") {
            faults.push(format!("{}:1: start with a `//!` doc: what it knows, and what it may not know", file.path));
        }
        let lines = file.text.lines().count();
        if lines > FILE_LINES_MAX {
            faults.push(format!("{}: {lines} lines, more than {FILE_LINES_MAX}: split it by subject", file.path));
        }
    }
    report(&faults);
}

#[test]
fn nothing_in_the_tree_tells_of_the_machine_it_was_written_on() {
    // Put together here, so that this file does not hold them.
    let homes = ["home", "root", "Users", "work", "workspace"].map(|folder| format!("/{folder}/"));
    let hosts = [("crates", "io"), ("pypi", "org"), ("pythonhosted", "org"), ("npmjs", "org"), ("golang", "org")]
        .map(|(name, end)| format!("{name}.{end}"));
    let here = env!("CARGO_MANIFEST_DIR").to_owned();
    let forbidden: Vec<String> = homes.into_iter().chain(hosts).chain([here]).collect();
    let mut faults = Vec::new();
    for file in all_texts() {
        for (number, line) in file.text.lines().enumerate() {
            for text in forbidden.iter().filter(|text| holds_path_or_host(line, text)) {
                faults.push(format!(
                    "{}:{}: `{text}`: name it relative to the tree, or leave it out",
                    file.path,
                    number + 1
                ));
            }
        }
    }
    report(&faults);
}

#[test]
fn the_manifest_is_complete() {
    let text = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let manifest: toml::Table = text.parse().expect("Cargo.toml is TOML");
    let mut faults = Vec::new();
    let package = manifest["package"].as_table().expect("[package]");
    for key in
        ["name", "version", "edition", "rust-version", "license", "description", "readme", "keywords", "categories"]
    {
        if !package.contains_key(key) {
            faults.push(format!("Cargo.toml: [package] has no `{key}`"));
        }
    }
    if package.get("publish").and_then(toml::Value::as_bool) != Some(false) {
        faults.push("Cargo.toml: `publish` must be false: it is run, not depended on".into());
    }
    for section in ["dependencies", "dev-dependencies"] {
        for (name, value) in manifest.get(section).and_then(toml::Value::as_table).into_iter().flatten() {
            let version = value.as_str().or_else(|| value.get("version").and_then(toml::Value::as_str));
            if version.is_none_or(|version| version.contains('*')) {
                faults.push(format!("Cargo.toml: {section}.{name} has no version from the registry"));
            }
        }
    }
    if manifest.get("lints").and_then(|lints| lints.get("rust")?.get("unsafe_code")?.as_str()) != Some("forbid") {
        faults.push("Cargo.toml: lints.rust.unsafe_code must be \"forbid\"".into());
    }
    report(&faults);
}

/// The checks above rest on these helpers; here they are shown a text with every trap in it.
#[test]
fn the_checks_see_code_and_only_code() {
    let text = r####"//! crate::doc
use crate::{call::Call, model::{ids::Scope, mark}, port as door};
/* crate::comment /* nested */ crate::comment */
fn f<'a>(text: &'a str) -> char { let _ = "crate::text \" crate::text"; let _ = r#"crate::" raw"#; '"' }
fn g() { crate::plan::go(); let c = '\''; }
#[cfg(test)]
mod tests { fn h() { crate::sim::go(); if true {} } }
fn i() -> $crate::aws::Fleet { async_fn(); }
"####;
    let code = shipped_code(text);
    let paths: Vec<(usize, String)> = crate_paths(&code);
    let expected = [(2, "call"), (2, "model"), (2, "port"), (5, "plan"), (8, "aws")];
    assert_eq!(paths, expected.map(|(line, name)| (line, name.to_owned())));
    assert!(has_word("x.await?", "await") && has_word("use std::fs;", "std::fs"));
    assert!(!has_word(code.lines().last().unwrap(), "async") && !has_word("Instantly", "Instant"));
    let calls = "f(Call::Go { bus: b });\nmatch c { Call::Go { bus } => 1, Kind::Go | Kind::Gone => 2 }\nlet x = Go;";
    assert_eq!(constructions(calls, "Go").len(), 2);
    assert!(holds_path_or_host("see /etc/x", "/etc/") && !holds_path_or_host("a/etc/x", "/etc/"));
    assert!(
        holds_path_or_host("https://x.example.org/y", "example.org")
            && !holds_path_or_host("nexample.org", "example.org")
    );
}

struct Source {
    /// Relative to the tree's root, with `/`.
    path: String,
    text: String,
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The Rust files below `folder`; none if it is not there yet.
fn sources(folder: &str) -> Vec<Source> {
    let mut found = Vec::new();
    collect(&root().join(folder), &mut found);
    found.retain(|source| source.path.ends_with(".rs"));
    found
}

/// Every text of the tree that people read or tools obey. Lock files are written by cargo.
fn all_texts() -> Vec<Source> {
    let mut found = Vec::new();
    for entry in fs::read_dir(root()).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() && !["target", ".git"].contains(&&*name) {
            collect(&path, &mut found);
        } else if path.is_file() && ![".git", "Cargo.lock"].contains(&&*name) {
            read(&path, &mut found);
        }
    }
    found.retain(|source| !source.path.ends_with("Cargo.lock"));
    assert!(found.len() > 20, "the tree was not found at {}", root().display());
    found
}

fn collect(folder: &Path, found: &mut Vec<Source>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    let entries: BTreeSet<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    for path in entries {
        if path.is_dir() { collect(&path, found) } else { read(&path, found) }
    }
}

fn read(path: &Path, found: &mut Vec<Source>) {
    // What is not UTF-8 is no text.
    if let Ok(text) = fs::read_to_string(path) {
        let path = path.strip_prefix(root()).unwrap().to_string_lossy().replace('\\', "/");
        found.push(Source { path, text });
    }
}

/// The module that a file under `src` belongs to; none for the crate's own roots.
fn module_of(file: &Source) -> Option<(&'static str, u8, &'static [&'static str])> {
    let module = file.path.strip_prefix("src/")?.split('/').next()?.trim_end_matches(".rs");
    // Tests may look from above.
    if file.path.ends_with("/tests.rs") || file.path.contains("/tests/") {
        return None;
    }
    MODULES.iter().find(|(name, ..)| *name == module).copied()
}

/// Each `crate::name`, with its line; a group in braces names several.
fn crate_paths(code: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        let line = code[..at].matches('\n').count() + 1;
        let rest = &code[at + "crate::".len()..];
        match rest.strip_prefix('{') {
            Some(group) => found.extend(top_names(group).into_iter().map(|name| (line, name))),
            None => found.push((line, name_at(rest))),
        }
    }
    found.retain(|(_, name)| !name.is_empty());
    found
}

/// The first names of a brace group's entries: `call::Call, model::{ids, mark}}` has `call` and `model`.
fn top_names(group: &str) -> Vec<String> {
    let (mut names, mut depth, mut expected) = (Vec::new(), 0_usize, true);
    for (at, letter) in group.char_indices() {
        match letter {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => expected = true,
            _ if expected && !letter.is_whitespace() => {
                names.push(name_at(&group[at..]));
                expected = false;
            }
            _ => {}
        }
    }
    names
}

fn name_at(text: &str) -> String {
    text.chars().take_while(|letter| letter.is_alphanumeric() || *letter == '_').collect()
}

/// Whether `word` is in `line` and not as a part of a longer name.
fn has_word(line: &str, word: &str) -> bool {
    let part_of_name = |letter: char| letter.is_alphanumeric() || letter == '_';
    line.match_indices(word)
        .any(|(at, _)| !line[..at].ends_with(part_of_name) && !line[at + word.len()..].starts_with(part_of_name))
}

/// Whether a path or a host is in `line`, from its beginning: `/etc/` is not in `a/etc/b`.
fn holds_path_or_host(line: &str, text: &str) -> bool {
    line.match_indices(text).any(|(at, _)| !line[..at].ends_with(|before: char| before.is_alphanumeric()))
}

/// The code alone, with its lines where they were: comments and texts are blanks, and so is what is under `cfg(test)`.
fn shipped_code(text: &str) -> String {
    let mut code = without_comments_and_texts(text);
    while let Some(start) = code.find("#[cfg(test)]") {
        let end = item_end(&code, start);
        let blank: String = code[start..end].chars().map(|letter| if letter == '\n' { '\n' } else { ' ' }).collect();
        code.replace_range(start..end, &blank);
    }
    code
}

/// Where the item after an attribute ends: at its `;`, or at the brace that closes it.
fn item_end(code: &str, start: usize) -> usize {
    let mut depth = 0_usize;
    for (at, letter) in code[start..].char_indices() {
        match letter {
            ';' if depth == 0 => return start + at + 1,
            '{' => depth += 1,
            '}' if depth <= 1 => return start + at + 1,
            '}' => depth -= 1,
            _ => {}
        }
    }
    code.len()
}

fn without_comments_and_texts(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(letter) = rest.chars().next() {
        let length = token_length(rest);
        let (token, after) = rest.split_at(length.unwrap_or(letter.len_utf8()));
        match length {
            Some(_) => code.extend(token.chars().map(|letter| if letter == '\n' { '\n' } else { ' ' })),
            None => code.push(letter),
        }
        // A raw text's `r` must not be the end of a name: `for"` does not occur, names are taken whole.
        let name =
            if length.is_none() && (letter.is_alphabetic() || letter == '_') { name_at(after) } else { String::new() };
        code.push_str(&name);
        rest = &after[name.len()..];
    }
    code
}

/// How long the comment or text is that `rest` starts with, in bytes, if it starts with one.
fn token_length(rest: &str) -> Option<usize> {
    let until = |start: usize, end: &str| rest[start..].find(end).map_or(rest.len(), |at| start + at + end.len());
    if rest.starts_with("//") {
        return Some(rest.find('\n').unwrap_or(rest.len()));
    }
    if rest.starts_with("/*") {
        return Some(block_comment_length(rest));
    }
    let raw = rest.strip_prefix("br").or_else(|| rest.strip_prefix('r'));
    if let Some(raw) = raw {
        let hashes = raw.chars().take_while(|letter| *letter == '#').count();
        if raw[hashes..].starts_with('"') {
            let start = rest.len() - raw.len() + hashes + 1;
            return Some(until(start, &format!("\"{}", "#".repeat(hashes))));
        }
    }
    if rest.starts_with('"') {
        return Some(quoted_length(rest, '"'));
    }
    // `'a'` and `'\n'` are letters, `'a` is a lifetime.
    let second = rest.strip_prefix('\'')?;
    let letter = second.starts_with('\\') || second.chars().nth(1) == Some('\'');
    letter.then(|| quoted_length(rest, '\''))
}

fn quoted_length(rest: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, letter) in rest.char_indices().skip(1) {
        match letter {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if letter == quote => return at + 1,
            _ => {}
        }
    }
    rest.len()
}

fn block_comment_length(rest: &str) -> usize {
    let (mut depth, mut at) = (0_usize, 0_usize);
    while at < rest.len() {
        if rest[at..].starts_with("/*") {
            depth += 1;
            at += 2;
        } else if rest[at..].starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += rest[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    rest.len()
}

fn report(faults: &[String]) {
    assert!(faults.is_empty(), "\n\n{}\n\n{} in all\n", faults.join("\n"), faults.len());
}
