//! Reading the keys of one TOML table: each value typed, bounded and with its place; each mistake reported.
//!
//! Everything that a table may hold is asked for through [`Fields`], which knows the table's keys and reports the
//! others. A reader goes on after a mistake, so that one run shows them all; [`Fields::sound`] says at the end
//! whether the table can be used.

use super::diagnostic::{Diagnostic, DiagnosticCode, Sink, nearest};
use super::load::FILE_KEYS;
use super::settings::{MAPS, TABLES};
use super::source::{Lines, Place, SETTINGS_PATH, Written};
use crate::model::ids::{IdError, Moment, TeamName};
use serde_json::{Map, Number, Value};
use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::str::FromStr;
use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

/// What reading a file needs at every place: where the lines are, and where mistakes go.
#[derive(Clone, Copy)]
pub(super) struct Context<'a> {
    /// The file's lines.
    pub(super) lines: &'a Lines,
    /// Where mistakes go.
    pub(super) sink: &'a Sink,
}

/// The members of a table as JSON, each with the place of its key.
pub(super) type Members = Vec<(Written<String>, Value)>;

/// One table that is being read.
pub(super) struct Fields<'t> {
    context: Context<'t>,
    /// The table as people call it: `subscribe.large`; empty for a whole file.
    name: String,
    place: Place,
    table: &'t DeTable<'t>,
    /// Keys that something here was probably meant to be: they are not reported as missing besides.
    misspelt: BTreeSet<String>,
    sound: Cell<bool>,
}

impl<'t> Fields<'t> {
    /// The table `name`, written at `place`, which may hold `keys` and no others.
    pub(super) fn new(
        context: Context<'t>,
        name: impl Into<String>,
        place: Place,
        table: &'t DeTable<'t>,
        keys: &[&str],
    ) -> Self {
        let misspelt = table
            .iter()
            .map(|(key, _)| -> &str { key.get_ref() })
            .filter(|given| !keys.contains(given))
            .filter_map(|given| nearest(given, keys.iter().copied()).map(str::to_owned))
            .collect();
        let fields = Self { context, name: name.into(), place, table, misspelt, sound: Cell::new(true) };
        for (key, _) in table {
            let given: &str = key.get_ref();
            if !keys.contains(&given) {
                fields.unknown_key(&context.lines.place(key.span()), given, keys);
            }
        }
        fields
    }

    /// Whether nothing was wrong so far.
    pub(super) fn sound(&self) -> bool {
        self.sound.get()
    }

    /// Where the table's name was written.
    pub(super) fn place(&self) -> &Place {
        &self.place
    }

    /// Where `value` was written.
    pub(super) fn place_of<T>(&self, value: &Spanned<T>) -> Place {
        self.context.lines.place(value.span())
    }

    /// Reports a mistake in this table.
    pub(super) fn fail(&self, diagnostic: Diagnostic) {
        self.sound.set(false);
        self.context.sink.push(diagnostic);
    }

    /// The entries of the table at `key`, by name: key place and value.
    pub(super) fn entries(&self, key: &str) -> Vec<(Written<String>, &'t Spanned<DeValue<'t>>)> {
        let Some((place, value)) = self.raw(key) else { return Vec::new() };
        match value.get_ref() {
            DeValue::Table(table) => table
                .iter()
                .map(|(name, value)| {
                    let name =
                        Written { value: name.get_ref().to_string(), place: self.context.lines.place(name.span()) };
                    (name, value)
                })
                .collect(),
            other => {
                self.wrong_type(&place, key, other, &format!("tables: `[{key}.NAME]`"));
                Vec::new()
            }
        }
    }

    /// The table at `key`, whose keys are `keys`.
    pub(super) fn table(&self, key: &str, keys: &[&str]) -> Option<Fields<'t>> {
        let (place, value) = self.raw(key)?;
        self.as_table(key, &place, value, keys)
    }

    /// `value` as a table whose keys are `keys`.
    pub(super) fn as_table(
        &self,
        key: &str,
        place: &Place,
        value: &'t Spanned<DeValue<'t>>,
        keys: &[&str],
    ) -> Option<Fields<'t>> {
        match value.get_ref() {
            DeValue::Table(table) => Some(Fields::new(self.context, self.full_name(key), place.clone(), table, keys)),
            other => {
                self.wrong_type(&self.context.lines.place(value.span()), key, other, "a table");
                None
            }
        }
    }

    /// Takes over that a nested table was not sound.
    pub(super) fn absorb(&self, inner: &Fields<'_>) {
        if !inner.sound() {
            self.sound.set(false);
        }
    }

    /// The text at `key`.
    pub(super) fn text(&self, key: &str) -> Option<Written<String>> {
        let (_, value) = self.raw(key)?;
        let place = self.context.lines.place(value.span());
        match value.get_ref() {
            DeValue::String(text) => Some(Written { value: text.to_string(), place }),
            other => {
                self.wrong_type(&place, key, other, "a text in quotes");
                None
            }
        }
    }

    /// The text at `key`, which has to be there.
    pub(super) fn required_text(&self, key: &str, example: &str) -> Option<Written<String>> {
        if !self.has(key) {
            self.missing(key, example);
        }
        self.text(key)
    }

    /// The text at `key` as a `T`; `code` if it is none.
    pub(super) fn parsed<T: FromStr<Err = IdError>>(&self, key: &str, code: DiagnosticCode) -> Option<Written<T>> {
        self.parse(&self.text(key)?, code)
    }

    /// The text at `key` as a `T`, which has to be there.
    pub(super) fn required<T: FromStr<Err = IdError>>(
        &self,
        key: &str,
        code: DiagnosticCode,
        example: &str,
    ) -> Option<Written<T>> {
        self.parse(&self.required_text(key, example)?, code)
    }

    /// `text` as a `T`; `code` if it is none.
    pub(super) fn parse<T: FromStr<Err = IdError>>(
        &self,
        text: &Written<String>,
        code: DiagnosticCode,
    ) -> Option<Written<T>> {
        match text.value.parse() {
            Ok(value) => Some(text.with(value)),
            Err(IdError { expected, .. }) => {
                let (what, rule) = expected.split_once(": ").unwrap_or((expected, ""));
                let message = format!("`{}` is not {what}", text.value);
                let diagnostic = Diagnostic::error(code, &text.place, message)
                    .label(format!("expected {}", if rule.is_empty() { what } else { rule }));
                let name = as_a_name(&text.value);
                self.fail(if name.parse::<T>().is_ok() {
                    diagnostic.help(format!("write `{name}`"))
                } else if rule.starts_with('`') {
                    diagnostic.help("the name of a team, a dot, and the name of an entry of its file: `[publish.NAME]`, `[subscribe.NAME]`")
                } else {
                    diagnostic
                });
                None
            }
        }
    }

    /// The date and time at `key`, with its offset from UTC.
    pub(super) fn moment(&self, key: &str) -> Option<Moment> {
        let (_, value) = self.raw(key)?;
        let place = self.context.lines.place(value.span());
        let DeValue::Datetime(written) = value.get_ref() else {
            self.wrong_type(&place, key, value.get_ref(), "a date and time: `2026-01-31T06:00:00Z`");
            return None;
        };
        let moment = super::load_shared::moment(&written.to_string());
        if moment.is_none() {
            let lacks = if written.time.is_some() { "how far it is from UTC" } else { "what time of the day" };
            self.fail(
                Diagnostic::error(
                    DiagnosticCode::WrongType,
                    &place,
                    format!("`{key}` takes a date, a time and its offset"),
                )
                .label(format!("this does not say {lacks}"))
                .help("end it with `Z` for UTC, or with an offset: `2026-01-31T06:00:00+01:00`"),
            );
        }
        moment
    }

    /// True or false at `key`.
    pub(super) fn truth(&self, key: &str) -> Option<bool> {
        let (_, value) = self.raw(key)?;
        match value.get_ref() {
            DeValue::Boolean(truth) => Some(*truth),
            other => {
                self.wrong_type(&self.context.lines.place(value.span()), key, other, "true or false");
                None
            }
        }
    }

    /// The texts of the list at `key`, each once; a text written twice is a mistake.
    pub(super) fn texts(&self, key: &str) -> Option<Written<Vec<Written<String>>>> {
        let (_, value) = self.raw(key)?;
        let place = self.context.lines.place(value.span());
        let DeValue::Array(items) = value.get_ref() else {
            self.wrong_type(&place, key, value.get_ref(), "a list of texts: `[\"…\"]`");
            return None;
        };
        let mut texts: Vec<Written<String>> = Vec::new();
        for item in items {
            let place = self.context.lines.place(item.span());
            match item.get_ref() {
                DeValue::String(text) => texts.push(Written { value: text.to_string(), place }),
                other => self.wrong_type(&place, key, other, "texts in quotes"),
            }
        }
        let mut seen = BTreeSet::new();
        for text in &texts {
            if !seen.insert(text.value.as_str()) {
                let message = format!("`{}` is twice in `{key}`", text.value);
                self.fail(Diagnostic::error(DiagnosticCode::DuplicateName, &text.place, message).label("again here"));
            }
        }
        Some(Written { value: texts, place })
    }

    /// The whole number at `key`, within `bounds`.
    pub(super) fn number(&self, key: &str, bounds: RangeInclusive<u64>) -> Option<u64> {
        let (_, value) = self.raw(key)?;
        let place = self.context.lines.place(value.span());
        let DeValue::Integer(digits) = value.get_ref() else {
            self.wrong_type(&place, key, value.get_ref(), "a whole number");
            return None;
        };
        let number = i128::from_str_radix(digits.as_str(), digits.radix()).ok();
        let fits = number.and_then(|number| u64::try_from(number).ok()).filter(|number| bounds.contains(number));
        if fits.is_none() {
            let (least, most) = (bounds.start(), bounds.end());
            self.fail(
                Diagnostic::error(DiagnosticCode::OutOfBounds, &place, format!("`{key}` is out of bounds"))
                    .label(format!("{least} to {most} can be asked for")),
            );
        }
        fits
    }

    /// The word at `key` as one of `choices`.
    pub(super) fn choice<T: Copy>(&self, key: &str, choices: &[(&str, T)]) -> Option<Written<T>> {
        let text = self.text(key)?;
        if let Some((_, value)) = choices.iter().find(|(word, _)| *word == text.value) {
            return Some(text.with(*value));
        }
        let words: Vec<String> = choices.iter().map(|(word, _)| format!("`\"{word}\"`")).collect();
        self.fail(
            Diagnostic::error(
                DiagnosticCode::UnknownValue,
                &text.place,
                format!("`{key}` cannot be `\"{}\"`", text.value),
            )
            .label(format!("expected {}", words.join(" or ")))
            .did_you_mean(&text.value, choices.iter().map(|(word, _)| *word)),
        );
        None
    }

    /// The table at `key` as JSON, with the place of each of its own keys.
    pub(super) fn json(&self, key: &str) -> Option<Written<Members>> {
        let (place, value) = self.raw(key)?;
        let DeValue::Table(table) = value.get_ref() else {
            self.wrong_type(&self.context.lines.place(value.span()), key, value.get_ref(), "a table");
            return None;
        };
        let mut members = Vec::new();
        for (name, value) in table {
            let name = Written { value: name.get_ref().to_string(), place: self.context.lines.place(name.span()) };
            members.push((name, self.json_value(key, value)?));
        }
        Some(Written { value: members, place })
    }

    /// The places of all values in the table at `key`, by the keys that lead to them.
    pub(super) fn value_places(&self, key: &str) -> BTreeMap<Vec<String>, Place> {
        let mut places = BTreeMap::new();
        if let Some((_, value)) = self.raw(key) {
            self.add_places(value, &mut Vec::new(), &mut places);
        }
        places
    }

    fn add_places(
        &self,
        value: &Spanned<DeValue<'_>>,
        path: &mut Vec<String>,
        places: &mut BTreeMap<Vec<String>, Place>,
    ) {
        let DeValue::Table(table) = value.get_ref() else { return };
        for (name, inner) in table {
            path.push(name.get_ref().to_string());
            // A table made by dotted keys has no text of its own: its key has.
            let place = if inner.get_ref().is_table() { self.place_of(name) } else { self.place_of(inner) };
            places.insert(path.clone(), place);
            self.add_places(inner, path, places);
            path.pop();
        }
    }

    /// The table as people call it: `subscribe.large`.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Whether `key` is there.
    pub(super) fn has(&self, key: &str) -> bool {
        self.raw(key).is_some()
    }

    /// Where `key` was written, if it was.
    pub(super) fn key_place(&self, key: &str) -> Option<Place> {
        self.raw(key).map(|(place, _)| place)
    }

    /// The value at `key` with the key's place.
    pub(super) fn raw(&self, key: &str) -> Option<(Place, &'t Spanned<DeValue<'t>>)> {
        self.table
            .iter()
            .find(|(name, _)| <DeString<'_> as AsRef<str>>::as_ref(name.get_ref()) == key)
            .map(|(name, value)| (self.context.lines.place(name.span()), value))
    }

    /// Reports that `key` is missing, with what could be written.
    pub(super) fn missing(&self, key: &str, example: &str) {
        if self.misspelt.contains(key) {
            return; // It is there under another name, and that was reported.
        }
        let message = format!("`{}` has no `{key}`", self.name);
        self.fail(
            Diagnostic::error(DiagnosticCode::MissingKey, &self.place, message)
                .label(format!("`{key}` is needed here"))
                .help(format!("add `{key} = {example}`")),
        );
    }

    /// Reports a value of the wrong type.
    pub(super) fn wrong_type(&self, place: &Place, key: &str, given: &DeValue<'_>, expected: &str) {
        let message = format!("`{key}` takes {expected}, not {}", kind(given));
        let diagnostic =
            Diagnostic::error(DiagnosticCode::WrongType, place, message).label(format!("this is {}", kind(given)));
        self.fail(match other_way(key, given, expected) {
            Some(help) => diagnostic.help(help),
            None => diagnostic,
        });
    }

    /// What a team's name could be, from the name of its file: as it is written, or a word for it.
    pub(super) fn own_name_example(&self) -> String {
        let stem = self.place.file.rsplit('/').next().and_then(|name| name.strip_suffix(".toml"));
        let name = stem.filter(|stem| stem.parse::<TeamName>().is_ok());
        format!("\"{}\"", name.unwrap_or("NAME-OF-THE-TEAM"))
    }

    fn unknown_key(&self, place: &Place, given: &str, keys: &[&str]) {
        let whose = if self.name.is_empty() { "a topology file".to_owned() } else { format!("`{}`", self.name) };
        let mut diagnostic =
            Diagnostic::error(DiagnosticCode::UnknownKey, place, format!("{whose} has no key `{given}`"))
                .label("nothing reads this")
                .did_you_mean(given, keys.iter().copied());
        if diagnostic.help.is_empty() {
            let known: Vec<String> = keys.iter().map(|key| format!("`{key}`")).collect();
            let is_of_the_settings =
                self.name.is_empty() && (TABLES.iter().any(|(table, _)| *table == given) || MAPS.contains(&given));
            let is_of_the_topology = self.name == SETTINGS_PATH && FILE_KEYS.contains(&given);
            diagnostic = diagnostic.help(if is_of_the_settings {
                format!("`[{given}]` is a setting: it stands in `{SETTINGS_PATH}`, beside the folder `topology`")
            } else if is_of_the_topology {
                format!("`[{given}]` is of the topology: it stands in a file below the folder `topology`")
            } else {
                format!("the keys here are {}", known.join(", "))
            });
        }
        self.fail(diagnostic);
    }

    fn full_name(&self, key: &str) -> String {
        if self.name.is_empty() || self.name == SETTINGS_PATH { key.to_owned() } else { format!("{}.{key}", self.name) }
    }

    fn json_value(&self, key: &str, value: &Spanned<DeValue<'_>>) -> Option<Value> {
        Some(match value.get_ref() {
            DeValue::String(text) => Value::String(text.to_string()),
            DeValue::Boolean(truth) => Value::Bool(*truth),
            DeValue::Integer(digits) => match i64::from_str_radix(digits.as_str(), digits.radix()) {
                Ok(number) => Value::Number(number.into()),
                Err(_) => return self.no_json(key, value, "a number that EventBridge cannot compare"),
            },
            DeValue::Float(digits) => match digits.as_str().parse().ok().and_then(Number::from_f64) {
                Some(number) => Value::Number(number),
                None => return self.no_json(key, value, "a number that JSON does not have"),
            },
            DeValue::Datetime(_) => return self.no_json(key, value, "a date, which JSON does not have: write a text"),
            DeValue::Array(items) => {
                Value::Array(items.iter().map(|item| self.json_value(key, item)).collect::<Option<_>>()?)
            }
            DeValue::Table(table) => {
                let mut members = Map::new();
                for (name, value) in table {
                    members.insert(name.get_ref().to_string(), self.json_value(key, value)?);
                }
                Value::Object(members)
            }
        })
    }

    fn no_json(&self, key: &str, value: &Spanned<DeValue<'_>>, what: &str) -> Option<Value> {
        let place = self.context.lines.place(value.span());
        self.fail(
            Diagnostic::error(DiagnosticCode::WrongType, &place, format!("`{key}` takes what JSON can say"))
                .label(format!("this is {what}")),
        );
        None
    }
}

/// How a value of the wrong type could be written, where that can be told.
fn other_way(key: &str, given: &DeValue<'_>, expected: &str) -> Option<String> {
    let takes = |start: &str| expected.starts_with(start);
    match given {
        DeValue::Integer(digits) if takes("a text") => Some(format!("write it in quotes: `\"{}\"`", digits.as_str())),
        DeValue::Float(digits) if takes("a text") => Some(format!("write it in quotes: `\"{}\"`", digits.as_str())),
        DeValue::Boolean(truth) if takes("a text") => Some(format!("write it in quotes: `\"{truth}\"`")),
        DeValue::String(text) if takes("a list of texts") => Some(format!("write `[\"{text}\"]`")),
        DeValue::String(text)
            if takes("a whole number") && text.parse::<u64>().is_ok()
                || takes("true or false") && text.parse::<bool>().is_ok()
                || takes("a date") && text.parse::<toml::value::Datetime>().is_ok() =>
        {
            Some(format!("write it without quotes: `{text}`"))
        }
        DeValue::String(text) if key == "team" && takes("a table") => {
            Some(format!("write `[team]`, and below it `name = \"{text}\"`"))
        }
        DeValue::String(text) if takes("a table") => {
            let name = key.strip_prefix("account.")?;
            Some(format!("write `{name} = {{ id = \"{text}\" }}`"))
        }
        DeValue::Array(items) if takes("a text") => match items.iter().map(Spanned::get_ref).next() {
            Some(DeValue::String(text)) => Some(format!("only one can be named: `\"{text}\"`")),
            _ => None,
        },
        DeValue::Array(_) if takes("a table") => Some(format!("it stands once, in single brackets: `[{key}]`")),
        _ => None,
    }
}

/// A name that is like `text`: in lower case, with hyphens.
fn as_a_name(text: &str) -> String {
    let lower = text.trim().to_lowercase();
    let name: String = lower.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    name.trim_matches('-').to_owned()
}

fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) | DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}
