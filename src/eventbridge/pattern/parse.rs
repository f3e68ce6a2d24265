//! From a pattern's text to its branches, by EventBridge's rules and with EventBridge's error texts.
//!
//! A pattern is a list of branches, one for each combination of its `$or`s; a branch is a map from dotted path to the
//! alternatives of that field. A path that is written twice counts as written last, as EventBridge has it, and a
//! dotted key is the same as nesting.

use super::address::Block;
use super::complexity::{Step, is_too_complex};
use super::json::{Reader, SyntaxError, Token};
use super::matcher::{Matcher, Range};
use super::number::Number;
use super::{Branch, Field, PatternError};
use crate::eventbridge::quota::OR_COMBINATIONS_MAX;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What the text holds.
#[derive(Debug)]
pub(super) struct Parsed {
    pub(super) branches: Vec<Branch>,
    pub(super) wildcard_count: usize,
    /// The length of the text that was read: what follows the closing brace is not looked at.
    pub(super) length: usize,
    /// Whether a key is written twice in one object, which a tree of values cannot hold.
    pub(super) repeats_key: bool,
}

/// Reads a pattern.
pub(super) fn parse(text: &str) -> Result<Parsed, PatternError> {
    let mut parser = Parser {
        reader: Reader::new(text),
        path: Vec::new(),
        branches: Vec::new(),
        wildcard_count: 0,
        wildcards: BTreeMap::new(),
        repeats_key: false,
    };
    match parser.pattern() {
        Ok(()) => Ok(Parsed {
            length: parser.reader.position(),
            branches: parser.branches,
            wildcard_count: parser.wildcard_count,
            repeats_key: parser.repeats_key,
        }),
        Err(SyntaxError(reason)) => {
            Err(PatternError { reason, path: parser.path, offset: Some(parser.reader.token_start()) })
        }
    }
}

struct Parser<'a> {
    reader: Reader<'a>,
    path: Vec<String>,
    branches: Vec<Branch>,
    wildcard_count: usize,
    wildcards: BTreeMap<String, BTreeSet<Vec<Step>>>,
    repeats_key: bool,
}

/// An object or a `$or` that is not closed yet. Kept on a stack of our own, so that depth cannot overflow the thread's.
enum Open {
    Object { keys: BTreeSet<String>, inside_or: bool, has_key: bool },
    Or { before: Vec<Branch>, collected: Vec<Branch>, count: usize },
}

type Parse<T> = Result<T, SyntaxError>;

fn refuse<T>(reason: impl Into<String>) -> Parse<T> {
    Err(SyntaxError(reason.into()))
}

impl Parser<'_> {
    fn pattern(&mut self) -> Parse<()> {
        if self.reader.next()? != Token::ObjectStart {
            return refuse("Filter is not an object");
        }
        let mut open = vec![object(false, false)];
        while let Some(innermost) = open.pop() {
            match innermost {
                Open::Object { keys, inside_or, has_key } => self.object_step(&mut open, keys, inside_or, has_key)?,
                Open::Or { before, collected, count } => self.or_step(&mut open, before, collected, count)?,
            }
        }
        match self.wildcards.iter().find(|(_, wildcards)| is_too_complex(wildcards)) {
            Some((path, _)) => {
                self.path = path.split('.').map(str::to_owned).collect();
                refuse(TOO_COMPLEX)
            }
            None => Ok(()),
        }
    }

    fn object_step(
        &mut self,
        open: &mut Vec<Open>,
        mut keys: BTreeSet<String>,
        inside_or: bool,
        has_key: bool,
    ) -> Parse<()> {
        let name = match self.reader.next()? {
            Token::Key(name) => name,
            _ if keys.is_empty() => return refuse("Empty objects are not allowed"),
            _ => return self.close_object(open, has_key),
        };
        self.repeats_key |= !keys.insert(name.clone());
        open.push(Open::Object { keys, inside_or, has_key });
        if name == "$or" {
            if self.reader.next()? != Token::ArrayStart {
                return refuse("It must be an Array followed with $or.");
            }
            open.push(Open::Or { before: std::mem::take(&mut self.branches), collected: Vec::new(), count: 0 });
            return Ok(());
        }
        if inside_or && RESERVED_INSIDE_OR.contains(&name.as_str()) {
            return refuse(format!("{name} is Ruler reserved fieldName which cannot be used inside $or."));
        }
        self.path.push(name);
        match self.reader.next()? {
            Token::ObjectStart => open.push(object(inside_or, true)),
            Token::ArrayStart => {
                self.field()?;
                self.path.pop();
            }
            _ => {
                let name = self.path.last().cloned().unwrap_or_default();
                return refuse(format!("\"{name}\" must be an object or an array"));
            }
        }
        Ok(())
    }

    fn close_object(&mut self, open: &mut [Open], has_key: bool) -> Parse<()> {
        if has_key {
            self.path.pop();
        }
        if let Some(Open::Or { collected, .. }) = open.last_mut() {
            collected.append(&mut self.branches);
            if collected.len() > OR_COMBINATIONS_MAX {
                return refuse(format!("Rule is too complex - $or gives more than {OR_COMBINATIONS_MAX} combinations"));
            }
        }
        Ok(())
    }

    fn or_step(
        &mut self,
        open: &mut Vec<Open>,
        before: Vec<Branch>,
        collected: Vec<Branch>,
        count: usize,
    ) -> Parse<()> {
        match self.reader.next()? {
            Token::ObjectStart => {
                self.branches.clone_from(&before);
                if self.branches.is_empty() {
                    self.branches.push(Branch::new());
                }
                open.push(Open::Or { before, collected, count: count + 1 });
                open.push(object(true, false));
                Ok(())
            }
            Token::ArrayEnd if count < 2 => refuse("There must have at least 2 Objects in $or relationship."),
            Token::ArrayEnd => {
                self.branches = collected;
                Ok(())
            }
            _ => refuse("Only JSON object is allowed in array of $or relationship."),
        }
    }

    /// The alternatives of one field; the opening bracket was read.
    fn field(&mut self) -> Parse<()> {
        let mut matchers = Field::new();
        loop {
            matchers.insert(match self.reader.next()? {
                Token::ArrayEnd => break,
                Token::ObjectStart => self.expression()?,
                Token::Text(text) => Matcher::literal(&text),
                Token::Number(text) => match Number::literal(&text) {
                    Some(number) => Matcher::Number(number),
                    None => return refuse(format!("Cannot compare number : {text}")),
                },
                Token::Null => Matcher::Null,
                Token::True => Matcher::Boolean(true),
                Token::False => Matcher::Boolean(false),
                _ => {
                    return refuse("Match value must be String, number, true, false, or null");
                }
            });
        }
        if matchers.is_empty() {
            return refuse("Empty arrays are not allowed");
        }
        if self.branches.is_empty() {
            self.branches.push(Branch::new());
        }
        let path: Arc<str> = self.path.join(".").into();
        let matchers = Arc::new(matchers);
        for branch in &mut self.branches {
            branch.insert(Arc::clone(&path), Arc::clone(&matchers));
        }
        Ok(())
    }

    /// `{"operator": operand}`; the opening brace was read.
    fn expression(&mut self) -> Parse<Matcher> {
        let Token::Key(operator) = self.reader.next()? else {
            return refuse("Match expression name not found");
        };
        let matcher = match operator.as_str() {
            "exactly" => Matcher::Text(self.text("exact match pattern must be a string")?),
            "prefix" => match self.text_or_ignoring_case("prefix", "Prefix")? {
                (text, false) => Matcher::prefix(&text),
                (text, true) => Matcher::prefix_ignoring_case(&text),
            },
            "suffix" => match self.text_or_ignoring_case("suffix", "Suffix")? {
                (text, false) => Matcher::suffix(&text),
                (text, true) => Matcher::suffix_ignoring_case(&text),
            },
            "equals-ignore-case" => {
                Matcher::text_ignoring_case(&self.text("equals-ignore-case match pattern must be a string")?)
            }
            "wildcard" => {
                let text = self.text("wildcard match pattern must be a string")?;
                self.wildcard(&text)?
            }
            // The text names another operator; that is how EventBridge has it.
            "cidr" => {
                let text = self.text("prefix match pattern must be a string")?;
                Matcher::Block(Block::parse(&text).map_err(SyntaxError)?)
            }
            "exists" => match self.reader.next()? {
                Token::True => Matcher::Present,
                Token::False => Matcher::Absent,
                _ => return refuse("exists match pattern must be either true or false."),
            },
            "numeric" => {
                let matcher = self.numeric()?;
                self.end_of_object(TOO_MANY_ELEMENTS)?;
                return Ok(matcher);
            }
            "anything-but" => return self.anything_but(),
            other => return refuse(format!("Unrecognized match type {other}")),
        };
        self.end_of_object(ONE_KEY)?;
        Ok(matcher)
    }

    fn text(&mut self, otherwise: &str) -> Parse<String> {
        match self.reader.next()? {
            Token::Text(text) => Ok(text),
            _ => refuse(otherwise),
        }
    }

    fn end_of_object(&mut self, otherwise: &str) -> Parse<()> {
        match self.reader.next()? {
            Token::ObjectEnd => Ok(()),
            _ => refuse(otherwise),
        }
    }

    /// A text, or `{"equals-ignore-case": text}` and then `true`.
    fn text_or_ignoring_case(&mut self, operator: &str, title: &str) -> Parse<(String, bool)> {
        match self.reader.next()? {
            Token::Text(text) => Ok((text, false)),
            Token::ObjectStart => {
                match self.reader.next()? {
                    Token::Key(inner) if inner == "equals-ignore-case" => {}
                    Token::Key(inner) => {
                        return refuse(format!("Unsupported {operator} pattern: {inner}"));
                    }
                    _ => return refuse(format!("{title} expression name not found")),
                }
                let text = self.text("equals-ignore-case match pattern must be a string")?;
                self.end_of_object(ONE_KEY)?;
                Ok((text, true))
            }
            _ => refuse(format!("{operator} match pattern must be a string")),
        }
    }

    fn wildcard(&mut self, text: &str) -> Parse<Matcher> {
        let (pieces, steps) = wildcard_pieces(text)?;
        self.wildcard_count += 1;
        self.wildcards.entry(self.path.join(".")).or_default().insert(steps);
        Ok(Matcher::wildcard(pieces))
    }

    fn numeric(&mut self) -> Parse<Matcher> {
        if self.reader.next()? != Token::ArrayStart {
            return refuse("Value of numeric must be an array.");
        }
        let operator = match self.reader.next()? {
            Token::Text(operator) => operator,
            other => {
                return refuse(format!("Invalid member in numeric match: {}", other.spelling()));
            }
        };
        if !["=", ">=", ">", "<=", "<"].contains(&operator.as_str()) {
            // The operand is read first, so that a fault of syntax in it comes first.
            self.reader.next()?;
            return refuse(format!("Unrecognized numeric range operator: {operator}"));
        }
        let operand = match self.reader.next()? {
            Token::Number(text) => text,
            _ if operator == "=" => return refuse("Value of equals must be numeric"),
            _ => return refuse(format!("Value of {operator} must be numeric")),
        };
        let next = self.reader.next()?;
        let is_bottom = operator.starts_with('>');
        if next != Token::ArrayEnd {
            if !is_bottom {
                return refuse(TOO_MANY_ELEMENTS);
            }
            return self.range(&operand, operator == ">", &next);
        }
        let number = Number::operand(&operand).map_err(SyntaxError)?;
        let end = Some((number, operator.len() == 1));
        Ok(match operator.as_str() {
            "=" => Matcher::Number(number),
            _ if is_bottom => Matcher::Range(Box::new(Range { bottom: end, top: None })),
            _ => Matcher::Range(Box::new(Range { bottom: None, top: end })),
        })
    }

    /// The upper end of a range whose lower end was read.
    fn range(&mut self, bottom: &str, open_bottom: bool, next: &Token) -> Parse<Matcher> {
        let Token::Text(operator) = next else {
            return refuse(format!("Bad value in numeric range: {}", next.spelling()));
        };
        if operator != "<" && operator != "<=" {
            return refuse(format!("Bad numeric range operator: {operator}"));
        }
        let Token::Number(top) = self.reader.next()? else {
            return refuse(format!("Value of {operator} must be numeric"));
        };
        if self.reader.next()? != Token::ArrayEnd {
            return refuse("Too many terms in numeric range expression");
        }
        let bottom = Number::operand(bottom).map_err(SyntaxError)?;
        let top = Number::operand(&top).map_err(SyntaxError)?;
        if bottom >= top {
            return refuse("Bottom must be less than top");
        }
        Ok(Matcher::Range(Box::new(Range { bottom: Some((bottom, open_bottom)), top: Some((top, operator == "<")) })))
    }

    fn anything_but(&mut self) -> Parse<Matcher> {
        let mut first = self.reader.next()?;
        let mut kind = Excluded::Values;
        if first == Token::ObjectStart {
            let Token::Key(operator) = self.reader.next()? else {
                return refuse("Anything-But expression name not found");
            };
            kind = match operator.as_str() {
                "equals-ignore-case" => Excluded::IgnoringCase,
                "prefix" => Excluded::Prefix,
                "suffix" => Excluded::Suffix,
                "wildcard" => Excluded::Wildcard,
                other => return refuse(format!("Unsupported anything-but pattern: {other}")),
            };
            first = self.reader.next()?;
        }
        let excluded = match first {
            Token::ArrayStart => self.excluded_list(kind)?,
            Token::Text(_) | Token::Number(_) => [self.excluded_one(kind, &first)?].into(),
            _ => {
                return refuse("Value of anything-but must be an array or single string/number value.");
            }
        };
        self.end_of_object(TOO_MANY_ELEMENTS)?;
        if kind != Excluded::Values {
            self.end_of_object(TOO_MANY_ELEMENTS)?;
        }
        Ok(Matcher::anything_but(excluded))
    }

    fn excluded_list(&mut self, kind: Excluded) -> Parse<BTreeSet<Matcher>> {
        let mut excluded = BTreeSet::new();
        loop {
            let token = self.reader.next()?;
            if token == Token::ArrayEnd {
                break;
            }
            excluded.insert(self.excluded_one(kind, &token)?);
        }
        let numbers = excluded.iter().filter(|one| matches!(one, Matcher::Number(_))).count();
        let mixed = numbers > 0 && numbers < excluded.len();
        if kind == Excluded::Values && (excluded.is_empty() || mixed) {
            return refuse(
                "Inside anything but list, either all values are number or string, mixed type is not supported",
            );
        }
        Ok(excluded)
    }

    fn excluded_one(&mut self, kind: Excluded, token: &Token) -> Parse<Matcher> {
        match (kind, token) {
            (Excluded::Values, Token::Number(text)) => Ok(Matcher::Number(Number::operand(text).map_err(SyntaxError)?)),
            (Excluded::Prefix | Excluded::Suffix, Token::Text(text)) if text.is_empty() => {
                refuse("Null prefix/suffix not allowed")
            }
            (Excluded::Values, Token::Text(text)) => Ok(Matcher::Text(text.clone())),
            (Excluded::Prefix, Token::Text(text)) => Ok(Matcher::prefix(text)),
            (Excluded::Suffix, Token::Text(text)) => Ok(Matcher::suffix(text)),
            (Excluded::IgnoringCase, Token::Text(text)) => Ok(Matcher::text_ignoring_case(text)),
            (Excluded::Wildcard, Token::Text(text)) => self.wildcard(text),
            (Excluded::Values, _) => refuse("Inside anything but list, start|null|boolean is not supported."),
            (Excluded::IgnoringCase, _) => {
                refuse("Inside anything-but/equals-ignore-case list, number|start|null|boolean is not supported.")
            }
            (Excluded::Wildcard, _) => refuse("wildcard match pattern must be a string"),
            (Excluded::Prefix | Excluded::Suffix, _) => refuse("prefix/suffix match pattern must be a string"),
        }
    }
}

/// What an `anything-but` leaves out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Excluded {
    Values,
    IgnoringCase,
    Prefix,
    Suffix,
    Wildcard,
}

fn object(inside_or: bool, has_key: bool) -> Open {
    Open::Object { keys: BTreeSet::new(), inside_or, has_key }
}

/// The literal pieces between the `*`s, and the same as steps between quotes, which is how EventBridge counts
/// positions and complexity.
fn wildcard_pieces(text: &str) -> Parse<(Vec<String>, Vec<Step>)> {
    let mut pieces = vec![String::new()];
    let mut steps = vec![Step::Byte(b'"')];
    let mut characters = text.char_indices().peekable();
    while let Some((offset, character)) = characters.next() {
        // One for the quote before the text.
        let position = offset + 1;
        let literal = match character {
            '*' => {
                if characters.next_if(|(_, next)| *next == '*').is_some() {
                    return refuse(format!("Consecutive wildcard characters at pos {position}"));
                }
                pieces.push(String::new());
                steps.push(Step::Any);
                continue;
            }
            '\\' => match characters.next_if(|(_, next)| matches!(next, '*' | '\\')) {
                Some((_, escaped)) => escaped,
                None => return refuse(format!("Invalid escape character at pos {position}")),
            },
            other => other,
        };
        if let Some(piece) = pieces.last_mut() {
            piece.push(literal);
        }
        let mut buffer = [0; 4];
        steps.extend(literal.encode_utf8(&mut buffer).bytes().map(Step::Byte));
    }
    steps.push(Step::Byte(b'"'));
    Ok((pieces, steps))
}

const TOO_COMPLEX: &str = "Rule is too complex - try using fewer wildcard characters or fewer repeating character sequences after a wildcard character";
const TOO_MANY_ELEMENTS: &str = "Too many elements in numeric expression";
const ONE_KEY: &str = "Only one key allowed in match expression";

/// Keys that EventBridge refuses below `$or`: operators, present and to come.
/// <https://github.com/aws/event-ruler#or-matching>
const RESERVED_INSIDE_OR: [&str; 24] = [
    "exactly",
    "equals-ignore-case",
    "prefix",
    "suffix",
    "anything-but",
    "exists",
    "wildcard",
    "numeric",
    "cidr",
    "=",
    "<",
    "<=",
    ">",
    ">=",
    "regex",
    "not-wildcard",
    "not-equals-ignore-case",
    "date-after",
    "date-on-or-after",
    "date-before",
    "date-on-or-before",
    "in-date-range",
    "ip-address-in-range",
    "ip-address-not-in-range",
];
