//! Names: what live things are called, made into names of the language that are valid and taken once.

use crate::model::ids::NAME_CHARACTERS_MAX;
use std::collections::BTreeSet;

/// `text` as a name: lower case, words joined by hyphens (`OrdersToBilling` is `orders-to-billing`). `otherwise` where nothing of
/// it can be one.
pub(super) fn name_of(text: &str, otherwise: &str) -> String {
    let mut name = String::new();
    let mut before: Option<char> = None;
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        let next_is_small = letters.peek().is_some_and(char::is_ascii_lowercase);
        let begins_word = letter.is_ascii_uppercase()
            && before.is_some_and(|before| {
                before.is_ascii_lowercase() || before.is_ascii_digit() || before.is_ascii_uppercase() && next_is_small
            });
        if begins_word && !name.ends_with('-') {
            name.push('-');
        }
        match letter.to_ascii_lowercase() {
            kept if kept.is_ascii_lowercase() || kept.is_ascii_digit() => name.push(kept),
            _ if !name.is_empty() && !name.ends_with('-') => name.push('-'),
            _ => {}
        }
        before = Some(letter);
    }
    let cut: String = name.chars().take(NAME_CHARACTERS_MAX).collect();
    match cut.trim_matches('-') {
        "" => otherwise.to_owned(),
        fits => fits.to_owned(),
    }
}

/// The first of `candidates` that is not `taken`, else the last of them with a number; it is taken from then on.
pub(super) fn unique(candidates: &[String], taken: &mut BTreeSet<String>) -> String {
    let free = candidates.iter().find(|name| !taken.contains(*name)).cloned();
    let last = candidates.last().map_or("thing", String::as_str);
    let name = free.unwrap_or_else(|| {
        (2..).map(|number| numbered(last, number)).find(|name| !taken.contains(name)).unwrap_or_default()
    });
    taken.insert(name.clone());
    name
}

fn numbered(name: &str, number: u32) -> String {
    let end = format!("-{number}");
    let kept: String = name.chars().take(NAME_CHARACTERS_MAX.saturating_sub(end.len())).collect();
    format!("{}{end}", kept.trim_end_matches('-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_valid_whatever_they_are_made_of() {
        for (text, name) in [
            ("OrdersToBilling", "orders-to-billing"),
            ("HTTPEvents2Queue", "http-events2-queue"),
            ("com.exampleCorp.webStore", "com-example-corp-web-store"),
            ("__x__", "x"),
            ("…", "rule"),
            ("snake_case-rule", "snake-case-rule"),
        ] {
            assert_eq!(name_of(text, "rule"), name);
        }
        let long = name_of(&"a-".repeat(40), "rule");
        assert!(long.parse::<crate::model::ids::TeamName>().is_ok(), "{long}");
    }

    #[test]
    fn a_name_is_taken_once() {
        let mut taken = BTreeSet::new();
        let names = ["a".to_owned(), "b".to_owned()];
        let got: Vec<String> = (0..4).map(|_| unique(&names, &mut taken)).collect();
        assert_eq!(got, ["a", "b", "b-2", "b-3"]);
    }
}
