//! One alternative in a field's value list: what it matches, and how two of them relate.

use super::address::{Block, parse_address};
use super::number::Number;
use serde_json::Value;
use std::collections::BTreeSet;
use std::net::IpAddr;

/// One alternative, normalised so that equal meaning is mostly equal value.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Matcher {
    Null,
    Boolean(bool),
    Number(Number),
    Range(Box<Range>),
    Text(String),
    TextIgnoringCase(String),
    Prefix(String),
    PrefixIgnoringCase(String),
    Suffix(String),
    SuffixIgnoringCase(String),
    Wildcard(Box<Wildcard>),
    Address(IpAddr),
    Block(Block),
    Present,
    Absent,
    /// Any value but those that one of these matches.
    AnythingBut(BTreeSet<Matcher>),
}

/// A span of numbers; `None` is unbounded, and the flag says that the end itself is left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Range {
    pub(super) bottom: Option<(Number, bool)>,
    pub(super) top: Option<(Number, bool)>,
}

/// A text with at least one `*`: the literal pieces between them, unescaped.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Wildcard {
    pub(super) first: String,
    pub(super) middle: Vec<String>,
    pub(super) last: String,
}

/// A value at the end of a path in an event.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Leaf<'a> {
    Null,
    Boolean(bool),
    Number(Number),
    Text(&'a str),
}

impl<'a> Leaf<'a> {
    /// The leaf that a JSON value is; `None` for objects and arrays.
    pub(super) fn of(value: &'a Value) -> Option<Self> {
        Some(match value {
            Value::Null => Self::Null,
            Value::Bool(boolean) => Self::Boolean(*boolean),
            Value::Number(number) => Self::Number(Number::of_event(number)),
            Value::String(text) => Self::Text(text),
            Value::Array(_) | Value::Object(_) => return None,
        })
    }
}

impl Matcher {
    /// A text in a value list. One that is an address matches every spelling of that address.
    pub(super) fn literal(text: &str) -> Self {
        parse_address(text).map_or_else(|| Self::Text(text.to_owned()), Self::Address)
    }

    pub(super) fn prefix(text: &str) -> Self {
        Self::Prefix(text.to_owned())
    }

    /// The empty suffix is the empty prefix: any text.
    pub(super) fn suffix(text: &str) -> Self {
        if text.is_empty() {
            return Self::prefix("");
        }
        Self::Suffix(text.to_owned())
    }

    pub(super) fn text_ignoring_case(text: &str) -> Self {
        Self::TextIgnoringCase(text.to_ascii_lowercase())
    }

    pub(super) fn prefix_ignoring_case(text: &str) -> Self {
        if text.is_empty() {
            return Self::prefix("");
        }
        Self::PrefixIgnoringCase(text.to_ascii_lowercase())
    }

    pub(super) fn suffix_ignoring_case(text: &str) -> Self {
        if text.is_empty() {
            return Self::prefix("");
        }
        Self::SuffixIgnoringCase(text.to_ascii_lowercase())
    }

    /// The simplest matcher for literal pieces with a `*` between each two.
    pub(super) fn wildcard(pieces: Vec<String>) -> Self {
        let mut pieces = pieces;
        let last = pieces.pop().unwrap_or_default();
        if pieces.is_empty() {
            return Self::Text(last);
        }
        let first = pieces.remove(0);
        if pieces.is_empty() && last.is_empty() {
            return Self::Prefix(first);
        }
        if pieces.is_empty() && first.is_empty() {
            return Self::suffix(&last);
        }
        Self::Wildcard(Box::new(Wildcard { first, middle: pieces, last }))
    }

    pub(super) fn anything_but(excluded: BTreeSet<Self>) -> Self {
        if excluded.is_empty() {
            return Self::Present;
        }
        Self::AnythingBut(excluded)
    }

    /// Whether a value that is there matches.
    pub(super) fn matches(&self, leaf: Leaf<'_>) -> bool {
        match (self, leaf) {
            (Self::Present, _) | (Self::Null, Leaf::Null) => true,
            (Self::AnythingBut(excluded), _) => !excluded.iter().any(|one| one.matches(leaf)),
            (Self::Boolean(wanted), Leaf::Boolean(boolean)) => *wanted == boolean,
            (Self::Number(wanted), Leaf::Number(number)) => *wanted == number,
            (Self::Range(range), Leaf::Number(number)) => range.contains(number),
            (_, Leaf::Text(text)) => self.matches_text(text),
            _ => false,
        }
    }

    fn matches_text(&self, text: &str) -> bool {
        match self {
            Self::Text(wanted) => wanted == text,
            Self::Prefix(prefix) => text.starts_with(prefix.as_str()),
            Self::Suffix(suffix) => text.ends_with(suffix.as_str()),
            Self::TextIgnoringCase(wanted) => {
                lengths_ignoring_case(wanted.chars(), &text.chars().collect::<Vec<_>>()).contains(&text.chars().count())
            }
            Self::PrefixIgnoringCase(prefix) => {
                !lengths_ignoring_case(prefix.chars(), &text.chars().collect::<Vec<_>>()).is_empty()
            }
            Self::SuffixIgnoringCase(suffix) => {
                let reversed: Vec<char> = text.chars().rev().collect();
                !lengths_ignoring_case(suffix.chars().rev(), &reversed).is_empty()
            }
            Self::Wildcard(wildcard) => wildcard.matches(text),
            Self::Address(wanted) => parse_address(text) == Some(*wanted),
            Self::Block(block) => parse_address(text).is_some_and(|address| block.contains(address)),
            _ => false,
        }
    }

    /// Whether this certainly matches whatever the other matches.
    pub(super) fn covers(&self, other: &Self) -> bool {
        if self == other {
            return true;
        }
        match (self, other) {
            (Self::Absent, _) | (_, Self::Absent) => false,
            (Self::Present, _) => true,
            (Self::AnythingBut(mine), Self::AnythingBut(theirs)) => {
                mine.iter().all(|one| theirs.iter().any(|other| other.covers(one)))
            }
            (Self::AnythingBut(mine), _) => mine.iter().all(|one| one.is_disjoint_from(other)),
            (_, Self::Present | Self::AnythingBut(_)) => false,
            (Self::Prefix(prefix), _) if prefix.is_empty() => other.is_textual(),
            (Self::Range(range), Self::Range(inner)) => range.covers(inner),
            (Self::Block(block), Self::Block(inner)) => block.contains_block(inner),
            (Self::Block(block), Self::Address(address)) => block.contains(*address),
            (Self::Prefix(prefix), _) => other.literal_prefix().is_some_and(|text| text.starts_with(prefix.as_str())),
            (Self::Suffix(suffix), _) => other.literal_suffix().is_some_and(|text| text.ends_with(suffix.as_str())),
            _ => other.leaf().is_some_and(|leaf| self.matches(leaf)),
        }
    }

    /// Whether certainly no single value (or lack of one) matches both.
    pub(super) fn is_disjoint_from(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Absent, Self::Absent) => return false,
            (Self::Absent, _) | (_, Self::Absent) => return true,
            (Self::Present, _) | (_, Self::Present) => return false,
            (Self::AnythingBut(_), Self::AnythingBut(_)) => return false,
            (Self::AnythingBut(excluded), one) | (one, Self::AnythingBut(excluded)) => {
                return excluded.iter().any(|excluded| excluded.covers(one));
            }
            (Self::Range(one), Self::Range(two)) => return one.is_disjoint_from(two),
            (Self::Address(one), Self::Address(two)) => return one != two,
            (Self::Block(block), Self::Address(address)) | (Self::Address(address), Self::Block(block)) => {
                return !block.contains(*address);
            }
            (Self::Block(one), Self::Block(two)) => {
                return !one.contains_block(two) && !two.contains_block(one);
            }
            _ => {}
        }
        if let Some(leaf) = self.leaf() {
            return !other.matches(leaf);
        }
        if let Some(leaf) = other.leaf() {
            return !self.matches(leaf);
        }
        if self.is_textual() != other.is_textual() {
            return true;
        }
        self.texts_are_apart(other)
    }

    /// Whether the fixed beginnings or ends of two textual matchers contradict each other.
    fn texts_are_apart(&self, other: &Self) -> bool {
        let fold = self.ignores_case() || other.ignores_case();
        let apart = |one: Option<&str>, two: Option<&str>, at_end: bool| match (one, two) {
            (Some(one), Some(two)) if fold => {
                one.is_ascii()
                    && two.is_ascii()
                    && contradict(&one.to_ascii_lowercase(), &two.to_ascii_lowercase(), at_end)
            }
            (Some(one), Some(two)) => contradict(one, two, at_end),
            _ => false,
        };
        apart(self.known_prefix(), other.known_prefix(), false)
            || apart(self.known_suffix(), other.known_suffix(), true)
    }

    /// The one value that this matches, if it matches just one.
    fn leaf(&self) -> Option<Leaf<'_>> {
        match self {
            Self::Null => Some(Leaf::Null),
            Self::Boolean(boolean) => Some(Leaf::Boolean(*boolean)),
            Self::Number(number) => Some(Leaf::Number(*number)),
            Self::Text(text) => Some(Leaf::Text(text)),
            _ => None,
        }
    }

    fn is_textual(&self) -> bool {
        !matches!(
            self,
            Self::Null
                | Self::Boolean(_)
                | Self::Number(_)
                | Self::Range(_)
                | Self::Present
                | Self::Absent
                | Self::AnythingBut(_)
        )
    }

    fn ignores_case(&self) -> bool {
        matches!(self, Self::TextIgnoringCase(_) | Self::PrefixIgnoringCase(_) | Self::SuffixIgnoringCase(_))
    }

    /// What every match starts with, letter for letter.
    fn literal_prefix(&self) -> Option<&str> {
        match self {
            Self::Text(text) | Self::Prefix(text) => Some(text),
            Self::Wildcard(wildcard) => Some(&wildcard.first),
            _ => None,
        }
    }

    fn literal_suffix(&self) -> Option<&str> {
        match self {
            Self::Text(text) | Self::Suffix(text) => Some(text),
            Self::Wildcard(wildcard) => Some(&wildcard.last),
            _ => None,
        }
    }

    /// What every match starts with, perhaps in another case.
    fn known_prefix(&self) -> Option<&str> {
        match self {
            Self::PrefixIgnoringCase(text) | Self::TextIgnoringCase(text) => Some(text),
            _ => self.literal_prefix(),
        }
    }

    fn known_suffix(&self) -> Option<&str> {
        match self {
            Self::SuffixIgnoringCase(text) | Self::TextIgnoringCase(text) => Some(text),
            _ => self.literal_suffix(),
        }
    }

    /// The matcher in EventBridge's language.
    pub(super) fn to_value(&self) -> Value {
        use serde_json::json;
        match self {
            Self::Null => Value::Null,
            Self::Boolean(boolean) => json!(boolean),
            Self::Number(number) => number_value(*number),
            Self::Range(range) => json!({ "numeric": range.terms() }),
            Self::Text(text) if parse_address(text).is_some() => json!({ "exactly": text }),
            Self::Text(text) => json!(text),
            Self::TextIgnoringCase(text) => json!({ "equals-ignore-case": text }),
            Self::Prefix(text) => json!({ "prefix": text }),
            Self::PrefixIgnoringCase(text) => json!({ "prefix": { "equals-ignore-case": text } }),
            Self::Suffix(text) => json!({ "suffix": text }),
            Self::SuffixIgnoringCase(text) => json!({ "suffix": { "equals-ignore-case": text } }),
            Self::Wildcard(wildcard) => json!({ "wildcard": wildcard.to_text() }),
            Self::Address(address) => json!(address.to_string()),
            Self::Block(block) => json!({ "cidr": format!("{}/{}", block.network, block.bits) }),
            Self::Present => json!({ "exists": true }),
            Self::Absent => json!({ "exists": false }),
            Self::AnythingBut(excluded) => json!({ "anything-but": excluded_value(excluded) }),
        }
    }
}

/// All members of an `anything-but` come from one operator, so the first tells which.
fn excluded_value(excluded: &BTreeSet<Matcher>) -> Value {
    use serde_json::json;
    let plain = excluded.iter().all(|one| matches!(one, Matcher::Text(_) | Matcher::Number(_)));
    if plain {
        return excluded
            .iter()
            .map(|one| match one {
                Matcher::Text(text) => json!(text),
                other => other.to_value(),
            })
            .collect();
    }
    let texts: Vec<String> = excluded.iter().map(Matcher::wildcard_text).collect();
    let operator = match excluded.first() {
        Some(Matcher::TextIgnoringCase(_)) => "equals-ignore-case",
        _ => "wildcard",
    };
    let texts = if operator == "wildcard" {
        texts
    } else {
        excluded
            .iter()
            .filter_map(|one| match one {
                Matcher::TextIgnoringCase(text) => Some(text.clone()),
                _ => None,
            })
            .collect()
    };
    json!({ operator: texts })
}

impl Matcher {
    fn wildcard_text(&self) -> String {
        match self {
            Self::Prefix(text) => format!("{}*", escaped(text)),
            Self::Suffix(text) => format!("*{}", escaped(text)),
            Self::Text(text) => escaped(text),
            Self::Wildcard(wildcard) => wildcard.to_text(),
            _ => String::new(),
        }
    }
}

impl Range {
    pub(super) fn contains(&self, number: Number) -> bool {
        let Number::Double(_) = number else {
            return false;
        };
        self.bottom.is_none_or(|(bottom, open)| number > bottom || (!open && number == bottom))
            && self.top.is_none_or(|(top, open)| number < top || (!open && number == top))
    }

    fn covers(&self, inner: &Self) -> bool {
        let bottom = match (self.bottom, inner.bottom) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some((mine, open)), Some((theirs, theirs_open))) => {
                theirs > mine || (theirs == mine && (!open || theirs_open))
            }
        };
        let top = match (self.top, inner.top) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some((mine, open)), Some((theirs, theirs_open))) => {
                theirs < mine || (theirs == mine && (!open || theirs_open))
            }
        };
        bottom && top
    }

    fn is_disjoint_from(&self, other: &Self) -> bool {
        let below = |one: &Self, two: &Self| match (one.top, two.bottom) {
            (Some((top, top_open)), Some((bottom, bottom_open))) => {
                top < bottom || (top == bottom && (top_open || bottom_open))
            }
            _ => false,
        };
        below(self, other) || below(other, self)
    }

    fn terms(&self) -> Vec<Value> {
        let mut terms = Vec::new();
        if let Some((bottom, open)) = self.bottom {
            terms.push(Value::from(if open { ">" } else { ">=" }));
            terms.push(number_value(bottom));
        }
        if let Some((top, open)) = self.top {
            terms.push(Value::from(if open { "<" } else { "<=" }));
            terms.push(number_value(top));
        }
        terms
    }
}

impl Wildcard {
    /// Leftmost piece by piece between the fixed ends; never more than one pass for each piece.
    fn matches(&self, text: &str) -> bool {
        let Some(mut rest) =
            text.strip_prefix(self.first.as_str()).and_then(|rest| rest.strip_suffix(self.last.as_str()))
        else {
            return false;
        };
        for piece in &self.middle {
            let Some((_, after)) = rest.split_once(piece.as_str()) else {
                return false;
            };
            rest = after;
        }
        true
    }

    fn to_text(&self) -> String {
        let pieces = std::iter::once(&self.first).chain(&self.middle).chain(std::iter::once(&self.last));
        pieces.map(|piece| escaped(piece)).collect::<Vec<_>>().join("*")
    }
}

fn escaped(piece: &str) -> String {
    piece.replace('\\', "\\\\").replace('*', "\\*")
}

/// As people write it: a whole number without a fraction. It is read back as the same number either way.
fn number_value(number: Number) -> Value {
    /// Beyond it doubles leave out whole numbers, and their digits would say more than they hold.
    const WHOLE_MAX: f64 = 9_007_199_254_740_992.0;
    match number {
        Number::Integer(integer) => i64::try_from(integer)
            .map(Value::from)
            .or_else(|_| u64::try_from(integer).map(Value::from))
            .unwrap_or(Value::Null),
        Number::Double(_) => {
            let double = number.to_double();
            let is_whole = double.fract() == 0.0 && double.abs() < WHOLE_MAX;
            if is_whole { Value::from(double as i64) } else { Value::from(double) }
        }
    }
}

/// How many characters of the text the wanted ones may take up, case ignored.
///
/// Each wanted character stands for its lower and its upper case form, of which the upper may be longer (`ß`, `SS`),
/// so that more than one length is possible. Characters beyond the basic plane keep their case, as in EventBridge.
fn lengths_ignoring_case(wanted: impl Iterator<Item = char>, text: &[char]) -> BTreeSet<usize> {
    let mut lengths = BTreeSet::from([0]);
    for character in wanted {
        let mut forms: Vec<Vec<char>> = vec![vec![character]];
        if u32::from(character) <= 0xFFFF {
            forms = vec![character.to_lowercase().collect(), character.to_uppercase().collect()];
        }
        let mut next = BTreeSet::new();
        for length in lengths {
            let rest = text.get(length..).unwrap_or_default();
            for form in &forms {
                if rest.starts_with(form) {
                    next.insert(length + form.len());
                }
            }
        }
        lengths = next;
        if lengths.is_empty() {
            break;
        }
    }
    lengths
}

fn contradict(one: &str, two: &str, at_end: bool) -> bool {
    if at_end { !one.ends_with(two) && !two.ends_with(one) } else { !one.starts_with(two) && !two.starts_with(one) }
}
