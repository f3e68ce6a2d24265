//! A pull reader of JSON tokens.
//!
//! A pattern is read token by token, not as a tree, for three reasons: keys may repeat (and then both count, or the
//! later wins, by rules of EventBridge's own), errors come in the order of the text, and hostile depth must not
//! overflow a stack. The texts of syntax errors follow the JSON library that EventBridge uses, without its locations.

/// One token of JSON. Numbers keep their spelling.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Token {
    ObjectStart,
    ObjectEnd,
    ArrayStart,
    ArrayEnd,
    Key(String),
    Text(String),
    Number(String),
    True,
    False,
    Null,
    /// Nothing is left after the outermost value, or there was none.
    End,
}

impl Token {
    /// The token as it is quoted in EventBridge's error texts.
    pub(super) fn spelling(&self) -> &str {
        match self {
            Self::ObjectStart => "{",
            Self::ObjectEnd => "}",
            Self::ArrayStart => "[",
            Self::ArrayEnd => "]",
            Self::Key(text) | Self::Text(text) | Self::Number(text) => text,
            Self::True => "true",
            Self::False => "false",
            Self::Null | Self::End => "null",
        }
    }
}

/// Why the text is no JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SyntaxError(pub(super) String);

/// Reads tokens one after the other.
pub(super) struct Reader<'a> {
    text: &'a str,
    position: usize,
    token_start: usize,
    open: Vec<Container>,
}

#[derive(Debug, Clone, Copy)]
struct Container {
    is_object: bool,
    entries: usize,
    key_read: bool,
}

impl<'a> Reader<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, position: 0, token_start: 0, open: Vec::new() }
    }

    /// The byte where the last token starts.
    pub(super) fn token_start(&self) -> usize {
        self.token_start
    }

    /// The byte after the last token.
    pub(super) fn position(&self) -> usize {
        self.position
    }

    pub(super) fn next(&mut self) -> Result<Token, SyntaxError> {
        self.skip_whitespace();
        self.token_start = self.position;
        let Some(container) = self.open.last().copied() else {
            return match self.peek() {
                None => Ok(Token::End),
                Some(character) => self.value(character),
            };
        };
        if container.is_object && !container.key_read {
            return self.key_or_end(container);
        }
        if container.is_object {
            let character = self.peek().ok_or_else(|| end_of_input(container))?;
            self.amend(|open| open.key_read = false);
            return self.value(character);
        }
        self.element_or_end(container)
    }

    fn key_or_end(&mut self, container: Container) -> Result<Token, SyntaxError> {
        let mut character = self.peek().ok_or_else(|| end_of_input(container))?;
        if character == '}' {
            self.close();
            return Ok(Token::ObjectEnd);
        }
        if container.entries > 0 {
            self.comma(character, "Object")?;
            character = self.peek().ok_or_else(|| end_of_input(container))?;
        }
        if character != '"' {
            return Err(unexpected(character, "was expecting double-quote to start field name"));
        }
        let key = self.string("in field name")?;
        self.skip_whitespace();
        match self.peek() {
            Some(':') => self.advance(':'),
            Some(other) => {
                return Err(unexpected(other, "was expecting a colon to separate field name and value"));
            }
            None => return Err(end_of_input(container)),
        }
        self.amend(|open| {
            open.entries += 1;
            open.key_read = true;
        });
        Ok(Token::Key(key))
    }

    fn element_or_end(&mut self, container: Container) -> Result<Token, SyntaxError> {
        let mut character = self.peek().ok_or_else(|| end_of_input(container))?;
        if character == ']' {
            self.close();
            return Ok(Token::ArrayEnd);
        }
        if container.entries > 0 {
            self.comma(character, "Array")?;
            character = self.peek().ok_or_else(|| end_of_input(container))?;
        }
        self.amend(|open| open.entries += 1);
        self.value(character)
    }

    fn comma(&mut self, character: char, kind: &str) -> Result<(), SyntaxError> {
        if character != ',' {
            let wanted = format!("was expecting comma to separate {kind} entries");
            return Err(unexpected(character, &wanted));
        }
        self.advance(',');
        self.skip_whitespace();
        self.token_start = self.position;
        Ok(())
    }

    fn value(&mut self, character: char) -> Result<Token, SyntaxError> {
        match character {
            '{' => self.opened(true),
            '[' => self.opened(false),
            '"' => Ok(Token::Text(self.string("for a string value")?)),
            '-' | '0'..='9' => self.number(),
            _ if character.is_alphabetic() => self.word(),
            _ => Err(unexpected(character, &format!("expected a valid value {VALUE_KINDS}"))),
        }
    }

    fn opened(&mut self, is_object: bool) -> Result<Token, SyntaxError> {
        self.advance(if is_object { '{' } else { '[' });
        self.open.push(Container { is_object, entries: 0, key_read: false });
        if self.open.len() > DEPTH_MAX {
            return Err(SyntaxError(format!(
                "Document nesting depth ({}) exceeds the maximum allowed ({DEPTH_MAX})",
                self.open.len()
            )));
        }
        Ok(if is_object { Token::ObjectStart } else { Token::ArrayStart })
    }

    fn word(&mut self) -> Result<Token, SyntaxError> {
        let rest = self.rest();
        let end = rest.find(|character: char| !character.is_alphanumeric() && character != '_').unwrap_or(rest.len());
        let word = rest.get(..end).unwrap_or(rest);
        let token = match word {
            "true" => Token::True,
            "false" => Token::False,
            "null" => Token::Null,
            _ => {
                return Err(SyntaxError(format!("Unrecognized token '{word}': was expecting {VALUE_KINDS}")));
            }
        };
        self.position += end;
        Ok(token)
    }

    fn number(&mut self) -> Result<Token, SyntaxError> {
        let rest = self.rest();
        let end = rest
            .find(|character: char| !character.is_ascii_digit() && !matches!(character, '+' | '-' | '.' | 'e' | 'E'))
            .unwrap_or(rest.len());
        let number = rest.get(..end).unwrap_or(rest);
        let digits = number.strip_prefix('-').unwrap_or(number);
        if digits.len() > 1 && digits.starts_with('0') && digits.as_bytes().get(1).is_some_and(u8::is_ascii_digit) {
            return Err(SyntaxError("Invalid numeric value: Leading zeroes not allowed".to_owned()));
        }
        if serde_json::from_str::<serde::de::IgnoredAny>(number).is_err() {
            return Err(SyntaxError(format!("Invalid numeric value: {number}")));
        }
        self.position += end;
        Ok(Token::Number(number.to_owned()))
    }

    fn string(&mut self, place: &str) -> Result<String, SyntaxError> {
        self.advance('"');
        let mut text = String::new();
        loop {
            let Some(character) = self.peek() else {
                return Err(SyntaxError(format!("Unexpected end-of-input: was expecting closing quote {place}")));
            };
            self.advance(character);
            match character {
                '"' => return Ok(text),
                '\\' => text.push(self.escape()?),
                control if control < ' ' => {
                    return Err(SyntaxError(format!(
                        "Illegal unquoted character ((CTRL-CHAR, code {})): has to be escaped using backslash to be included in string value",
                        u32::from(control)
                    )));
                }
                other => text.push(other),
            }
        }
    }

    fn escape(&mut self) -> Result<char, SyntaxError> {
        let character = self
            .peek()
            .ok_or_else(|| SyntaxError("Unexpected end-of-input in character escape sequence".to_owned()))?;
        self.advance(character);
        Ok(match character {
            '"' | '\\' | '/' => character,
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'u' => return self.unicode_escape(),
            other => {
                return Err(SyntaxError(format!(
                    "Unrecognized character escape '{other}' (code {})",
                    u32::from(other)
                )));
            }
        })
    }

    /// A lone surrogate has no place in a Rust string; it becomes the replacement character.
    fn unicode_escape(&mut self) -> Result<char, SyntaxError> {
        let first = self.four_hex_digits()?;
        if !(0xD800..0xDC00).contains(&first) {
            return Ok(char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER));
        }
        if !self.rest().starts_with("\\u") {
            return Ok(char::REPLACEMENT_CHARACTER);
        }
        let before = self.position;
        self.position += 2;
        let second = self.four_hex_digits()?;
        if !(0xDC00..0xE000).contains(&second) {
            self.position = before;
            return Ok(char::REPLACEMENT_CHARACTER);
        }
        let code = 0x1_0000 + ((first - 0xD800) << 10) + (second - 0xDC00);
        Ok(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER))
    }

    fn four_hex_digits(&mut self) -> Result<u32, SyntaxError> {
        let digits = self.rest().get(..4).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let code = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok());
        self.position += if code.is_some() { 4 } else { 0 };
        code.ok_or_else(|| {
            let odd = self.peek().unwrap_or(' ');
            unexpected(odd, "expected a hex-digit for character escape sequence")
        })
    }

    fn rest(&self) -> &'a str {
        self.text.get(self.position..).unwrap_or_default()
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn advance(&mut self, character: char) {
        self.position += character.len_utf8();
    }

    fn close(&mut self) {
        self.position += 1;
        self.open.pop();
    }

    fn amend(&mut self, change: impl FnOnce(&mut Container)) {
        if let Some(open) = self.open.last_mut() {
            change(open);
        }
    }

    fn skip_whitespace(&mut self) {
        let rest = self.rest();
        self.position += rest.len() - rest.trim_start_matches([' ', '\t', '\n', '\r']).len();
    }
}

fn unexpected(character: char, wanted: &str) -> SyntaxError {
    let code = u32::from(character);
    SyntaxError(format!("Unexpected character ('{character}' (code {code})): {wanted}"))
}

fn end_of_input(container: Container) -> SyntaxError {
    let kind = if container.is_object { "Object" } else { "Array" };
    SyntaxError(format!("Unexpected end-of-input: expected close marker for {kind}"))
}

/// EventBridge takes a thousand levels.
const DEPTH_MAX: usize = 1_000;

const VALUE_KINDS: &str = "(JSON String, Number, Array, Object or token 'null', 'true' or 'false')";

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn tokens(text: &str) -> Result<Vec<Token>, SyntaxError> {
        let mut reader = Reader::new(text);
        let mut tokens = Vec::new();
        loop {
            match reader.next()? {
                Token::End => return Ok(tokens),
                token => tokens.push(token),
            }
        }
    }

    #[test]
    fn numbers_keep_their_spelling_and_keys_may_repeat() {
        let read = tokens(r#" {"a" : [1e0, -1.50], "a": null} "#).unwrap();
        assert_eq!(
            read,
            vec![
                Token::ObjectStart,
                Token::Key("a".into()),
                Token::ArrayStart,
                Token::Number("1e0".into()),
                Token::Number("-1.50".into()),
                Token::ArrayEnd,
                Token::Key("a".into()),
                Token::Null,
                Token::ObjectEnd,
            ]
        );
    }

    #[test]
    fn escapes_are_undone() {
        assert_eq!(tokens(r#""\u003e\ud83d\ude80\n\ud83d""#).unwrap(), vec![Token::Text(">🚀\n\u{fffd}".into())]);
    }

    #[test]
    fn each_fault_of_syntax_is_named() {
        for (text, wanted) in [
            ("{", "Unexpected end-of-input: expected close marker for Object"),
            ("[1", "Unexpected end-of-input: expected close marker for Array"),
            ("{a:1}", "Unexpected character ('a' (code 97)): was expecting double-quote to start field name"),
            (
                "{\"a\" 1}",
                "Unexpected character ('1' (code 49)): was expecting a colon to separate field name and value",
            ),
            ("[1 2]", "Unexpected character ('2' (code 50)): was expecting comma to separate Array entries"),
            ("{\"a\":1,}", "Unexpected character ('}' (code 125)): was expecting double-quote to start field name"),
            (
                "nope",
                "Unrecognized token 'nope': was expecting (JSON String, Number, Array, Object or token 'null', 'true' or 'false')",
            ),
            ("\"abc", "Unexpected end-of-input: was expecting closing quote for a string value"),
            ("[01]", "Invalid numeric value: Leading zeroes not allowed"),
            ("[1.]", "Invalid numeric value: 1."),
            ("\"\\x\"", "Unrecognized character escape 'x' (code 120)"),
        ] {
            assert_eq!(tokens(text).unwrap_err().0, wanted, "{text}");
        }
        assert!(tokens(&"[".repeat(2_000)).unwrap_err().0.contains("nesting depth (1001)"));
    }
}
