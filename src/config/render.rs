//! Diagnostics as text for people, in the form that Rust's compiler made known.

use super::diagnostic::{Diagnostic, Label};
use super::source::SourceFiles;
use crate::model::finding::Severity;
use annotate_snippets::{Annotation, AnnotationKind, Group, Level, Renderer, Snippet};
use std::sync::Arc;

/// Whether the text may hold colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// Plain text.
    Plain,
    /// With ANSI colours. No meaning is in the colour alone.
    Coloured,
}

/// All of `diagnostics`, a blank line between them; empty for none.
///
/// ```
/// use wheelwright::config::{SourceFiles, Style, load, render};
/// let files = SourceFiles::new([("topology/a.toml", "[hubb.prod]\n")]);
/// let text = render(&load(&files).diagnostics, &files, Style::Plain);
/// assert!(text.contains("did you mean `hub`?"));
/// ```
pub fn render(diagnostics: &[Diagnostic], files: &SourceFiles, style: Style) -> String {
    let renderer = match style {
        Style::Plain => Renderer::plain(),
        Style::Coloured => Renderer::styled(),
    };
    let mut text = String::new();
    for (index, diagnostic) in diagnostics.iter().enumerate() {
        if index > 0 {
            text.push('\n');
        }
        text.push_str(&renderer.render(&[group(diagnostic, files)]));
        text.push('\n');
    }
    text
}

fn group<'a>(diagnostic: &'a Diagnostic, files: &'a SourceFiles) -> Group<'a> {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
        Severity::Info => Level::INFO,
    };
    let code: &'static str = diagnostic.code.into();
    let mut group = Group::with_title(level.primary_title(diagnostic.message.as_str()).id(code));
    for path in paths(diagnostic) {
        let labels = std::iter::once((AnnotationKind::Primary, &diagnostic.primary))
            .chain(diagnostic.secondary.iter().map(|label| (AnnotationKind::Context, label)))
            .filter(|(_, label)| label.file == path);
        group = match files.file(&path) {
            Some(file) => {
                let annotations = labels.map(|(kind, label)| annotation(kind, label, &file.text));
                group.element(Snippet::source(&*file.text).path(&*file.path).fold(true).annotations(annotations))
            }
            None => group.element(annotate_snippets::Origin::path(path.to_string())),
        };
    }
    for help in &diagnostic.help {
        group = group.element(Level::HELP.message(help.as_str()));
    }
    group
}

/// The files that a diagnostic shows, that of the primary label first.
fn paths(diagnostic: &Diagnostic) -> Vec<Arc<str>> {
    let mut paths = vec![diagnostic.primary.file.clone()];
    for label in &diagnostic.secondary {
        if !paths.contains(&label.file) {
            paths.push(label.file.clone());
        }
    }
    paths
}

fn annotation<'a>(kind: AnnotationKind, label: &'a Label, text: &str) -> Annotation<'a> {
    let end = label.span.end.min(text.len());
    let start = label.span.start.min(end);
    let whole = text.get(start..end).map_or(end..end, |_| start..first_line_end(text, start, end));
    let annotation = kind.span(whole);
    if label.text.is_empty() { annotation } else { annotation.label(label.text.as_str()) }
}

/// Where the first line of `start..end` ends: a value of many lines is shown by its first.
fn first_line_end(text: &str, start: usize, end: usize) -> usize {
    text.get(start..end).and_then(|part| part.find('\n')).map_or(end, |length| start + length)
}
