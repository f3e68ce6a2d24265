//! What `check` found, for programs: JSON of our own, SARIF for code scanning, and the annotations of GitHub Actions.
//!
//! Paths are as they are from where the command was started, so that they name files of a checkout.

use super::count;
use crate::config::{Diagnostic, DiagnosticCode, Label, SourceFiles};
use crate::model::finding::Severity;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

/// Where a label is: from 1, in characters; `end` is the column after the last.
struct Spot {
    path: String,
    line: usize,
    column: usize,
    end_line: usize,
    end_column: usize,
}

/// What was found in the files of `folder`.
pub struct Checked<'a> {
    /// The config folder, as it was named.
    pub folder: &'a Path,
    /// Its files.
    pub files: &'a SourceFiles,
    /// What is wrong with them.
    pub diagnostics: &'a [Diagnostic],
}

impl Checked<'_> {
    fn spot(&self, label: &Label) -> Spot {
        let text = self.files.file(&label.file).map(|file| &*file.text).unwrap_or_default();
        let (line, column) = position(text, label.span.start);
        let (end_line, end_column) = position(text, label.span.end.max(label.span.start));
        let path = self.folder.join(&*label.file).components().collect::<std::path::PathBuf>();
        Spot { path: path.to_string_lossy().replace('\\', "/"), line, column, end_line, end_column }
    }

    /// One object: each mistake with its place, and how many there are.
    pub fn json(&self) -> Value {
        let place = |label: &Label| {
            let Spot { path, line, column, end_line, end_column } = self.spot(label);
            let text = &label.text;
            json!({"file": path, "line": line, "column": column, "end-line": end_line, "end-column": end_column, "text": text})
        };
        let found = |diagnostic: &Diagnostic| {
            let Diagnostic { code, severity, message, primary, secondary, help, .. } = diagnostic;
            json!({
                "code": code, "severity": severity, "message": message, "at": place(primary),
                "also": secondary.iter().map(place).collect::<Vec<_>>(), "help": help,
            })
        };
        let of = |severity| self.diagnostics.iter().filter(|found| found.severity == severity).count();
        json!({
            "errors": of(Severity::Error), "warnings": of(Severity::Warning),
            "diagnostics": self.diagnostics.iter().map(found).collect::<Vec<_>>(),
        })
    }

    /// SARIF 2.1.0 (<https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html>), as GitHub's code scanning takes it
    /// (<https://docs.github.com/en/code-security/code-scanning/integrating-with-code-scanning/sarif-support-for-code-scanning>).
    pub fn sarif(&self) -> Value {
        let codes: BTreeSet<DiagnosticCode> = self.diagnostics.iter().map(|found| found.code).collect();
        let rules: Vec<Value> = codes
            .iter()
            .map(|code| {
                let said = code.explanation().trim();
                let short = said.split(". ").next().unwrap_or(said);
                json!({
                    "id": code, "shortDescription": {"text": short}, "fullDescription": {"text": said},
                    "help": {"text": said},
                })
            })
            .collect();
        let place = |label: &Label| {
            let Spot { path, line, column, end_line, end_column } = self.spot(label);
            json!({
                "artifactLocation": {"uri": uri(&path)},
                "region": {"startLine": line, "startColumn": column, "endLine": end_line, "endColumn": end_column},
            })
        };
        let result = |found: &Diagnostic| {
            let also = found.secondary.iter().enumerate().map(|(number, label)| {
                json!({"id": number + 1, "physicalLocation": place(label), "message": {"text": label.text}})
            });
            json!({
                "ruleId": found.code,
                "ruleIndex": codes.iter().position(|code| *code == found.code),
                "level": match found.severity {
                    Severity::Error => "error",
                    Severity::Warning => "warning",
                    Severity::Info => "note",
                },
                "message": {"text": full_text(found)},
                "locations": [{"physicalLocation": place(&found.primary)}],
                "relatedLocations": also.collect::<Vec<_>>(),
            })
        };
        json!({
            "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
            "version": "2.1.0",
            "runs": [{
                "tool": {"driver": {
                    "name": env!("CARGO_PKG_NAME"), "semanticVersion": env!("CARGO_PKG_VERSION"), "rules": rules,
                }},
                "columnKind": "unicodeCodePoints",
                "results": self.diagnostics.iter().map(result).collect::<Vec<_>>(),
            }],
        })
    }

    /// Workflow commands of GitHub Actions, which show each mistake at its line of the pull request
    /// (<https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands>), and one line that counts them.
    pub fn github(&self) -> String {
        let mut out = String::new();
        for found in self.diagnostics {
            let Spot { path, line, column, end_line, end_column } = self.spot(&found.primary);
            let command = match found.severity {
                Severity::Error => "error",
                Severity::Warning => "warning",
                Severity::Info => "notice",
            };
            let (path, code) = (property(&path), property(<&str>::from(found.code)));
            // A range of columns is taken only within one line.
            let columns =
                if line == end_line { format!(",col={column},endColumn={end_column}") } else { String::new() };
            _ = writeln!(
                out,
                "::{command} file={path},line={line},endLine={end_line}{columns},title={code}::{}",
                data(&full_text(found))
            );
        }
        let errors = self.diagnostics.iter().filter(|found| found.severity == Severity::Error).count();
        _ = writeln!(
            out,
            "{}, {}.",
            count(errors, "error"),
            count(self.diagnostics.len().saturating_sub(errors), "warning")
        );
        out
    }
}

/// What is wrong, where else, and what to do.
fn full_text(found: &Diagnostic) -> String {
    let mut text = found.message.clone();
    let labels = std::iter::once(&found.primary).chain(&found.secondary);
    for label in labels.filter(|label| !label.text.is_empty()) {
        _ = write!(text, "\n{}:{}: {}", label.file, label.line, label.text);
    }
    for help in &found.help {
        _ = write!(text, "\nhelp: {help}");
    }
    text
}

/// Line and column of a byte of a text, from 1.
fn position(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset.min(text.len())).unwrap_or(text);
    let start = before.rfind('\n').map_or(0, |at| at + 1);
    let in_line = before.get(start..).unwrap_or_default();
    (before.matches('\n').count() + 1, in_line.chars().count() + 1)
}

/// A relative reference to a path (<https://www.rfc-editor.org/rfc/rfc3986#section-3.3>).
fn uri(path: &str) -> String {
    const KEPT: &percent_encoding::AsciiSet =
        &percent_encoding::NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/');
    percent_encoding::utf8_percent_encode(path, KEPT).to_string()
}

/// The message of a workflow command.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// A property of a workflow command.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_counted_in_characters_from_one() {
        let text = "a = 1\né = \"ü\"\n";
        assert_eq!([0, 4, 6, 12, 99].map(|offset| position(text, offset)), [(1, 1), (1, 5), (2, 1), (2, 6), (3, 1)]);
    }

    #[test]
    fn nothing_that_a_file_says_ends_a_command() {
        assert_eq!(data("100%\r\n::error::x"), "100%25%0D%0A::error::x");
        assert_eq!(property("a,b:c"), "a%2Cb%3Ac");
        assert_eq!(uri("config/to pology/ä.toml"), "config/to%20pology/%C3%A4.toml");
    }
}
