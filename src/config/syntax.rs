//! What is not TOML in a file, as few mistakes as a person made.
//!
//! The parser goes on after a mistake and reports everything that it stumbles over then. Told as they come, one forgotten
//! quote would be five mistakes; so each line is told once, a text that is something else altogether (a merge conflict,
//! YAML, JSON, a web page) once in all, and what follows from the place where the parser lost its way is not told.

use super::diagnostic::{Diagnostic, DiagnosticCode, Sink};
use super::source::{Fault, Lines, SourceFile};
use std::collections::BTreeSet;
use std::ops::Range;
use toml::de::Error;

/// Reports what is wrong with the text of `file`; whether all of it was understood. `is_bare`: no key was found in it.
pub(super) fn report(file: &SourceFile, lines: &Lines, is_bare: bool, errors: &[Error], sink: &Sink) -> bool {
    let text = &*file.text;
    if let Some(fault) = &file.fault {
        sink.push(of_fault(fault, lines, text));
        if *fault == Fault::TooLarge {
            sink.not_understood_from(&file.path, 0);
            return false;
        }
    }
    if errors.is_empty() {
        return true;
    }
    if let Some(diagnostic) = of_the_whole(lines, text, is_bare, errors) {
        sink.not_understood_from(&file.path, 0);
        sink.push(diagnostic);
        return false;
    }
    let mut told = BTreeSet::new();
    let mut duplicated_table = 0..0;
    let mut found: Vec<(Range<usize>, &str)> =
        errors.iter().map(|error| (place(text, error), error.message())).collect();
    found.sort_by_key(|(span, _)| span.start);
    for (span, message) in found {
        if message == "duplicate key" {
            if !duplicated_table.contains(&span.start) {
                sink.push(twice(lines, text, &span));
            }
            if is_header(line_of(text, span.start)) {
                duplicated_table = span.end..table_end(text, span.end);
            }
            continue;
        }
        if told.is_empty() {
            sink.not_understood_from(&file.path, header_before(text, span.start));
        }
        let at = lines.place(span.clone());
        if let Some(open) = unclosed(message, text, span.start) {
            if told.last().is_some_and(|line| *line >= lines.place(open..open).line) {
                return false; // What keeps it open was told.
            }
            sink.not_understood_from(&file.path, header_before(text, open));
            sink.push(
                Diagnostic::error(DiagnosticCode::Syntax, &lines.place(open..open + 1), "this is not TOML")
                    .label("what begins here is not closed")
                    .also(&at, "this cannot stand in it")
                    .help("close it before the next line: `]` ends a list, `}` a table in a line"),
            );
            return false; // All that follows was taken for a part of it.
        }
        if told.insert(at.line) {
            let diagnostic =
                Diagnostic::error(DiagnosticCode::Syntax, &at, "this is not TOML").label(label(message, text, &span));
            sink.push(match help(message, text, &span) {
                Some(help) => diagnostic.help(help),
                None => diagnostic,
            });
        }
    }
    false
}

/// That a file says nothing, if it does not and should.
pub(super) fn report_empty(file: &SourceFile, lines: &Lines, is_teams: bool, sink: &Sink) -> bool {
    let is_blank = file.text.trim().is_empty();
    if !is_blank && !is_teams {
        return false; // Comments alone: a place kept for what is to come.
    }
    let label = if is_blank { "there is nothing in it" } else { "there is nothing but comments in it" };
    sink.push(
        Diagnostic::error(DiagnosticCode::EmptyFile, &lines.place(0..0), "this file says nothing")
            .label(label)
            .help("to give a team up, take its file away; an empty one may be half a checkout, and takes nothing away"),
    );
    true
}

fn of_fault(fault: &Fault, lines: &Lines, text: &str) -> Diagnostic {
    let not_text = |place, message: &str, label: &str| {
        Diagnostic::error(DiagnosticCode::NotText, &place, message)
            .label(label)
            .help("save it as UTF-8: editors have it under \"Save with encoding\"")
    };
    match fault {
        Fault::Utf16 => not_text(lines.place(0..0), "this file is UTF-16, not UTF-8", "two bytes a character"),
        Fault::NotUtf8 { offset } => {
            let end =
                text.get(*offset..).and_then(|rest| rest.chars().next()).map_or(*offset, |c| offset + c.len_utf8());
            not_text(lines.place(*offset..end), "this file is not UTF-8 text", "the first byte that is not")
        }
        Fault::TooLarge => {
            let message = format!("this file is larger than {} bytes", super::source::FILE_BYTES_MAX);
            Diagnostic::error(DiagnosticCode::FileTooLarge, &lines.place(0..0), message)
                .label("nothing in it was read")
                .help("no team's file comes near this: is it the right one? If so, split it")
        }
    }
}

/// One mistake for a text that is something else altogether.
fn of_the_whole(lines: &Lines, text: &str, is_bare: bool, errors: &[Error]) -> Option<Diagnostic> {
    let marker = |start: &str| line_that(text, |line| line.starts_with(start));
    let one = |span: Range<usize>, message: &str, label: &str, help: &str| {
        Some(Diagnostic::error(DiagnosticCode::Syntax, &lines.place(span), message).label(label).help(help))
    };
    if let (Some(ours), Some(_)) = (marker("<<<<<<< "), marker(">>>>>>> ")) {
        let help = "keep what is right of both sides, and take the lines `<<<<<<<`, `=======` and `>>>>>>>` out";
        return one(ours, "a merge conflict was committed unresolved", "both sides are still in the file", help);
    }
    if errors.iter().any(|error| error.message().starts_with("carriage return")) {
        let end = text.find('\r').unwrap_or_default();
        let help = "save the file with line ends LF (or CR LF)";
        return one(
            end..end,
            "lines end in a lone carriage return",
            "as on old Macs; TOML takes no such line end",
            help,
        );
    }
    if !is_bare || line_that(text, is_header).is_some() {
        return None;
    }
    let first = line_that(text, |line| !line.trim().is_empty() && !line.trim_start().starts_with('#'))?;
    let line = text.get(first.clone())?.trim();
    let (what, help) = if line.starts_with('<') {
        ("a web page or XML", "was it fetched from somewhere that answered with an error page?")
    } else if line.starts_with('{') {
        ("JSON", "`{ \"team\": { \"name\": \"ledger\" } }` is, in TOML, `[team]` and below it `name = \"ledger\"`")
    } else if line == "---" || line.split_once(':').is_some_and(|(key, _)| key.chars().all(is_of_a_key)) {
        ("YAML", "`team:` and below it `  name: ledger` is, in TOML, `[team]` and below it `name = \"ledger\"`")
    } else {
        return None;
    };
    one(first, &format!("this looks like {what}, and is not TOML"), "topology files are TOML", help)
}

/// A name that is there again, and where it was first, as far as the lines show it.
fn twice(lines: &Lines, text: &str, span: &Range<usize>) -> Diagnostic {
    let again = lines.place(span.clone());
    let diagnostic =
        Diagnostic::error(DiagnosticCode::DuplicateName, &again, "this name is written twice in one table")
            .label("again here");
    let line = line_of(text, span.start);
    let key = text.get(span.clone()).unwrap_or_default();
    let first = if is_header(line) {
        line_that(text, |other| other.trim() == line.trim()).filter(|first| first.end <= span.start)
    } else {
        let table = header_before(text, span.start);
        let assigns = |line: &str| {
            line.trim_start().strip_prefix(key).is_some_and(|rest| rest.trim_start().starts_with(['=', '.']))
        };
        let own = text.get(table..span.start).unwrap_or_default();
        line_that(own, assigns).map(|line| {
            let indent = own.get(line.clone()).map_or(0, |text| text.len() - text.trim_start().len());
            let start = table + line.start + indent;
            start..start + key.len()
        })
    };
    match first {
        Some(first) => diagnostic.also(&lines.place(first), "first here"),
        None => diagnostic,
    }
}

/// Where a mistake is. A text of many lines that never ends is reported at the end of the file: where it begins is what
/// has to be looked at.
fn place(text: &str, error: &Error) -> Range<usize> {
    let span = error.span().unwrap_or_else(|| {
        // Keys within keys have no place of their own.
        let deep = line_that(text, |line| line.matches('.').count() > 40);
        deep.map_or(0..0, |line| line.start..line.start)
    });
    let quotes = match error.message() {
        message if message.contains("multi-line literal") => "'''",
        message if message.contains("multi-line basic") => "\"\"\"",
        _ => return span,
    };
    match text.get(..span.start).and_then(|before| before.rfind(quotes)) {
        Some(start) => start..start + quotes.len(),
        None => span,
    }
}

/// The parser's words, as a label.
fn label(message: &str, text: &str, span: &Range<usize>) -> String {
    match message {
        "recursion limit" => "this is nested too deep".to_owned(),
        message if message.starts_with("cannot recurse") => "this is nested too deep".to_owned(),
        message if message.starts_with("string values must be quoted") => "a text is written in quotes".to_owned(),
        message if message.starts_with("invalid basic string, expected `\"`") => "this text is not closed".to_owned(),
        message if message.starts_with("invalid literal string, expected") => "this text is not closed".to_owned(),
        message if message.starts_with("unexpected leading zero") => "a number does not begin with a zero".to_owned(),
        message if message.starts_with("missing escaped value") => "`\\` and what follows it mean nothing".to_owned(),
        message if message.starts_with("invalid unquoted key") => match text.get(span.clone()).unwrap_or_default() {
            here if here.chars().any(is_invisible) => "a character that is not seen".to_owned(),
            here => format!("`{here}` cannot be in a key"),
        },
        message => message.replace('\n', "; "),
    }
}

/// Where a list or table in a line begins that goes on into what was not meant to be in it.
fn unclosed(message: &str, text: &str, at: usize) -> Option<usize> {
    let line = line_of(text, at);
    let of_another_line = is_header(line) || line.contains('=');
    let starts = |start: &str| message.starts_with(start);
    let is_open = starts("unclosed array")
        || starts("unclosed inline table")
        || of_another_line && (starts("missing comma") || starts("missing key for inline") || starts("string values"));
    let open = open_bracket(text.get(..at)?)?;
    (is_open && !text.get(open..at)?.is_empty() && text.get(open..at)?.contains('\n')).then_some(open)
}

/// The first bracket of `text`, beside tables' names, that is open at its end.
fn open_bracket(text: &str) -> Option<usize> {
    let mut open: Vec<usize> = Vec::new();
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        if !(open.is_empty() && is_header(line)) {
            let mut quote = None;
            for (at, c) in line.char_indices() {
                match (quote, c) {
                    (Some(end), c) if end == c => quote = None,
                    (Some(_), _) => {}
                    (None, '"' | '\'') => quote = Some(c),
                    (None, '#') => break,
                    (None, '[' | '{') => open.push(start + at),
                    (None, ']' | '}') => _ = open.pop(),
                    (None, _) => {}
                }
            }
        }
        start += line.len();
    }
    open.first().copied()
}

/// What to do about it, where that is not in the parser's words.
fn help(message: &str, text: &str, span: &Range<usize>) -> Option<String> {
    let here = text.get(span.clone()).unwrap_or_default();
    let rest = text.get(span.start..).unwrap_or_default();
    let starts = |start: &str| message.starts_with(start);
    if let Some(hidden) = rest.chars().next().filter(|c| is_invisible(*c)) {
        return Some(format!("it is U+{:04X}: delete it, and type what should be there", u32::from(hidden)));
    }
    let line = line_of(text, span.start).trim();
    if line.contains("{{") || line.contains("${") || rest.starts_with('$') {
        return Some("files are read as they are: no templates, no variables".to_owned());
    }
    if here.contains(['“', '”', '„', '‘', '’']) {
        return Some("these are typographic quotes, as word processors and chats make them: type `\"`".to_owned());
    }
    if starts("string values must be quoted") {
        let value = if rest.starts_with('#') { rest.lines().next().unwrap_or_default().trim() } else { here };
        let why = if rest.starts_with('#') { "outside quotes `#` begins a comment: " } else { "" };
        return Some(format!("{why}write `\"{value}\"`"));
    }
    if starts("unclosed table") || starts("unclosed array table") {
        return Some(format!("write `{line}{}`", if line.starts_with("[[") { "]]" } else { "]" }));
    }
    if starts("invalid basic string") || starts("invalid literal string") {
        return Some("end it with the quote that it begins with".to_owned());
    }
    if starts("unexpected leading zero") {
        return Some("account ids are written in quotes: `id = \"012345678901\"`".to_owned());
    }
    if starts("key with no value") || starts("invalid unquoted key") {
        return Some("a line is `[table]`, `key = value` (with `=`) or a `# comment`".to_owned());
    }
    if starts("missing escaped value") {
        return Some("a backslash begins an escape: write `\\\\`, or the text in single quotes: '…'".to_owned());
    }
    if starts("invalid multi-line") {
        return Some(
            "it begins here and ends nowhere; a text of one line has one quote at each end: `\"…\"`".to_owned(),
        );
    }
    (starts("cannot recurse") || starts("recursion limit"))
        .then(|| "no topology needs more than a few levels".to_owned())
}

/// Whether a character leaves no trace on a screen.
fn is_invisible(c: char) -> bool {
    c.is_control() && c != '\n' && c != '\r' && c != '\t'
        || matches!(c, '\u{a0}' | '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202f}' | '\u{2060}' | '\u{feff}')
}

fn is_header(line: &str) -> bool {
    line.trim_start_matches(['\u{feff}', ' ', '\t']).starts_with('[')
}

fn is_of_a_key(c: char) -> bool {
    c.is_ascii_alphanumeric() || "-_. \"'".contains(c)
}

/// The first line that `wanted` takes, without its end.
fn line_that(text: &str, wanted: impl Fn(&str) -> bool) -> Option<Range<usize>> {
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let bare = line.trim_end_matches(['\n', '\r']);
        if wanted(bare) {
            return Some(start..start + bare.len());
        }
        start += line.len();
    }
    None
}

/// The line that `offset` is on.
fn line_of(text: &str, offset: usize) -> &str {
    let (before, after) = (text.get(..offset).unwrap_or_default(), text.get(offset..).unwrap_or_default());
    let start = before.rfind('\n').map_or(0, |end| end + 1);
    let end = after.find('\n').map_or(text.len(), |length| offset + length);
    text.get(start..end).unwrap_or_default()
}

/// Where the table that `offset` is in begins; 0 before the first one.
fn header_before(text: &str, offset: usize) -> usize {
    let end = text.get(offset..).and_then(|rest| rest.find('\n')).map_or(text.len(), |length| offset + length);
    let (mut start, mut header) = (0, 0);
    for line in text.get(..end).unwrap_or_default().split_inclusive('\n') {
        if is_header(line) {
            header = start;
        }
        start += line.len();
    }
    header
}

/// Where the table that begins before `offset` ends.
fn table_end(text: &str, offset: usize) -> usize {
    let rest = text.get(offset..).unwrap_or_default();
    rest.find("\n[").map_or(text.len(), |length| offset + length)
}
