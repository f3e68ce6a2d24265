//! Whose a file is: whom its mistakes concern.
//!
//! Of a file that is TOML its tables say it. Of one that is not, its lines are looked at as a person would: a slip in one
//! team's file must not stop everybody only because the parser lost its way.

use super::fields::Fields;
use super::load_team::OF_A_TEAM;
use super::raw::FileOwner;
use super::source::SourceFile;
use crate::model::ids::TeamName;

/// Tables that concern everybody.
const PLATFORM: [&str; 3] = ["organization", "account", "hub"];

/// Whose `file` is. `team` is the name that its `[team]` was read with, if it was; `is_whole` whether all of it is TOML.
pub(super) fn of(tables: &Fields<'_>, file: &SourceFile, team: Option<&str>, is_whole: bool) -> FileOwner {
    let headers: Vec<&str> = if is_whole { Vec::new() } else { headers(&file.text).collect() };
    let has = |table: &str| tables.has(table) || headers.contains(&table);
    if PLATFORM.into_iter().any(has) {
        return FileOwner::Platform;
    }
    // In a text that is not TOML the parser may have taken a part of a name for all of it.
    let name = if is_whole { team } else { written_name(&file.text) };
    if let Some(name) = name.filter(|name| name.parse::<TeamName>().is_ok()) {
        return FileOwner::Team(name.to_owned());
    }
    if has("team") || OF_A_TEAM.into_iter().any(has) {
        return FileOwner::SomeTeam;
    }
    let tells = ["stop", "moved"].into_iter().any(has);
    if !tells && is_in_teams_folder(&file.path) { FileOwner::SomeTeam } else { FileOwner::Platform }
}

/// Whether a file is where teams' files are: what it is meant to be where nothing in it can tell.
pub(super) fn is_in_teams_folder(path: &str) -> bool {
    let mut folders = path.split('/').rev().skip(1);
    folders.any(|folder| folder == "teams")
}

/// The tables that a text's lines begin: `hub` of `[hub.us]`, of `[[hub`, of `hub.us = …`.
fn headers(text: &str) -> impl Iterator<Item = &str> {
    let mut is_top = true;
    text.lines().filter_map(move |line| {
        let line = line.trim_start_matches(['\u{feff}', ' ', '\t']);
        let inside = line.trim_start_matches(['[', ' ', '\t', '"']);
        let end = inside.find(|c: char| !c.is_ascii_alphanumeric() && c != '-').unwrap_or(inside.len());
        let (word, rest) = inside.split_at(end);
        let rest = rest.trim_start_matches(['"', ' ', '\t']);
        let is_header = line.starts_with('[') && (rest.is_empty() || rest.starts_with(['.', ']']));
        is_top &= !line.starts_with('[');
        (is_header || is_top && rest.starts_with('.')).then_some(word)
    })
}

/// The name in a text that says `[team]` and then `name = "…"`.
fn written_name(text: &str) -> Option<&str> {
    let after = text.lines().skip_while(|line| !line.trim_start().starts_with("[team")).skip(1);
    let mut own = after.take_while(|line| !line.trim_start().starts_with('['));
    let value = own.find_map(|line| line.trim_start().strip_prefix("name")?.trim_start().strip_prefix('='))?;
    let value = value.trim();
    let Some(quote) = value.chars().next().filter(|c| *c == '"' || *c == '\'') else {
        return value.split([' ', '\t', '#']).next();
    };
    let value = value.strip_prefix(quote)?;
    match value.split_once(quote) {
        Some((name, _)) => Some(name),
        // A quote that was forgotten; at the end of the text it may be the text's other half that is missing.
        None => (!text.ends_with(value)).then_some(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_tell_whose_a_file_is_that_is_not_toml() {
        let found = |text: &'static str| headers(text).collect::<Vec<_>>();
        let text = "hub.us = {\n[team\nname = \n\u{feff}[spoke.us]\n account = \"a\"\n[account = \"a\"\naccount.\n[[ moved ]]\n[\"collect\".x";
        assert_eq!(found(text), ["hub", "team", "spoke", "moved", "collect"]);
        assert_eq!(found("team:\n  name: a\n{ \"hub\": {} }\n"), [""; 0]);
        assert_eq!(written_name("[team]\n# who\nname = \"ledger\" oops\n"), Some("ledger"));
        assert_eq!(written_name("[team]\nname = ledger # who\n"), Some("ledger"));
        assert_eq!(written_name("[team]\nname = \"ledger\n"), Some("ledger"));
        assert_eq!(written_name("[team]\nname = 'ledger"), None);
        assert_eq!(written_name("[team]\n[[stop]]\nname = 'ledger'"), None);
        assert_eq!(written_name("[team]\n[spoke.us]\nname = \"ledger\"\n"), None);
    }

    #[test]
    fn a_folder_called_teams_holds_teams_files() {
        assert!(is_in_teams_folder("topology/teams/a.toml") && is_in_teams_folder("topology/teams/eu/a.toml"));
        assert!(!is_in_teams_folder("topology/teams.toml") && !is_in_teams_folder("topology/a/b.toml"));
    }
}
