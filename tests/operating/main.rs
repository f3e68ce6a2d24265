//! What people run and read it by, held to the program: the service's template, the image, the unit and the manifests of `deploy/`,
//! and `docs/runbook.md`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]
#![allow(clippy::disallowed_methods)] // It reads files of the tree and starts the built program.

mod programs;
mod runbook;
mod service;
#[path = "../template/mod.rs"]
mod template;

use std::path::Path;

/// A file of the tree.
fn file(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Runs the built program, and tells what it said where it did not end well.
fn said_no(args: &[&str]) -> Option<String> {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_wheelwright"));
    let output = command.env_clear().args(args).stdin(std::process::Stdio::null()).output().unwrap();
    (!output.status.success()).then(|| String::from_utf8(output.stderr).unwrap())
}

/// Whether the program would take this command line: `--help` comes after what is wrong with the rest.
fn refused(args: &[&str]) -> Option<String> {
    said_no(&[args, &["--help"]].concat())
}

/// These checks could not fail otherwise.
#[test]
fn a_command_line_that_the_program_does_not_take_is_refused() {
    assert!(refused(&["doctor", "--prove-writes"]).is_none());
    assert!(refused(&["doctor", "--prove"]).is_some_and(|said| said.contains("--prove-writes")));
    assert!(refused(&["healthy"]).is_some());
    assert!(refused(&["stop", "ledger.large", "--for", "soon", "--reason", "INC-1"]).is_some());
}
