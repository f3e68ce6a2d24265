//! `wheelwright fmt`: topology files in one layout, so that a change shows what was changed and nothing else.
//!
//! The formatter is the one that editors use for TOML (<https://taplo.tamasfe.dev>). Comments stay, nothing is put in another order,
//! and what a file says is compared before and after.

use super::Exit;
use super::context::Screen;
use crate::source::dir;
use anyhow::{Context as _, bail};
use std::path::Path;
use taplo::formatter::{Options, format};

/// Characters of a line, from where lists go on in the next.
const COLUMNS_MAX: usize = 120;

/// Formats the files of `folder`, or only says which are not formatted.
pub(super) fn run(folder: &Path, screen: Screen, check: bool) -> anyhow::Result<Exit> {
    let files = match dir::read(folder) {
        Ok((files, _)) => files,
        Err(error) => {
            screen.say(&format!("{} {error}", screen.talk.bad("error:")));
            return Ok(Exit::UserCanMend);
        }
    };
    let (mut changed, mut broken) = (0, 0);
    for file in files.iter() {
        if file.fault.is_some() || file.text.parse::<toml::Table>().is_err() {
            screen.say(&format!("{}: left as it is: it is not TOML; `wheelwright check` shows where", file.path));
            broken += 1;
            continue;
        }
        let formatted = formatted(&file.text).with_context(|| file.path.to_string())?;
        if formatted == *file.text {
            continue;
        }
        changed += 1;
        if check {
            screen.say(&format!("{}: not formatted", file.path));
        } else {
            write(&folder.join(&*file.path), &formatted)?;
            screen.say(&format!("{}: formatted", file.path));
        }
    }
    let told = if check { "not formatted; `wheelwright fmt` does it" } else { "formatted" };
    screen.say(&format!("{} of {} files {told}.", changed, files.iter().count()));
    Ok(if broken > 0 || (check && changed > 0) { Exit::UserCanMend } else { Exit::Done })
}

/// `text`, which is TOML, in the one layout.
pub(super) fn formatted(text: &str) -> anyhow::Result<String> {
    let options = Options {
        align_comments: true,
        array_trailing_comma: true,
        column_width: COLUMNS_MAX,
        indent_string: "    ".to_owned(),
        allowed_blank_lines: 1,
        crlf: false,
        ..Options::default()
    };
    let formatted = format(text, options);
    if formatted.parse::<toml::Table>().ok() != text.parse::<toml::Table>().ok() {
        bail!("formatting would change what the file says; it is left as it is, and this is a bug");
    }
    Ok(formatted)
}

#[allow(clippy::disallowed_methods)] // What was asked for.
pub(super) fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    // All of it or nothing: half of a topology's file would be one with errors.
    let beside = path.with_extension("toml.new");
    let written = std::fs::write(&beside, text).and_then(|()| std::fs::rename(&beside, path));
    written.with_context(|| format!("writing {}", path.display()))
}
