//! Holds the pattern language to answers recorded from AWS itself.
//!
//! The recordings are not part of the repository: they are read from `oracle/patterns.json` below the folder that
//! `WHEELWRIGHT_SHARED` names, or beside the repository in `../shared`. Without them the test says so and passes.

#![allow(clippy::disallowed_methods)] // The recorded cases are found by an environment variable and read here.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use serde::Deserialize;
use serde_json::Value;
use std::path::PathBuf;
use wheelwright::eventbridge::Pattern;

#[derive(Deserialize)]
struct Case {
    name: String,
    expect: String,
    event: Value,
    pattern: Value,
    error: Option<Refusal>,
}

#[derive(Deserialize)]
struct Refusal {
    message: String,
}

#[test]
fn patterns_are_read_and_matched_as_aws_does() {
    let shared = std::env::var_os("WHEELWRIGHT_SHARED")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared"), PathBuf::from);
    let file = shared.join("oracle/patterns.json");
    let Ok(text) = std::fs::read_to_string(&file) else {
        println!("skipped: no recorded answers at {}", file.display());
        return;
    };
    let cases: Vec<Case> = serde_json::from_str(&text).expect("the recordings are JSON");
    assert!(!cases.is_empty(), "the recordings hold cases");
    let wrong: Vec<String> = cases.iter().filter_map(disagreement).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn disagreement(case: &Case) -> Option<String> {
    let answer = match Pattern::from_value(&case.pattern) {
        Ok(pattern) if pattern.matches(&case.event) => "match".to_owned(),
        Ok(_) => "no-match".to_owned(),
        Err(error) => format!("invalid: {error}"),
    };
    let wanted = match &case.error {
        Some(refusal) => format!("{}: {}", case.expect, refusal.message),
        None => case.expect.clone(),
    };
    (answer != wanted).then(|| format!("{}: AWS says {wanted}, we say {answer}", case.name))
}
