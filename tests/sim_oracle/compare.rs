//! Whether an answer is what was recorded. Recordings hold placeholders for what differs from run to run.
//!
//! `<bus-name>` and the like stand for a text; those that the scenario knows are filled in before. A numbered one,
//! `<uuid:2>`, is the same text wherever it stands in a scenario, and another than `<uuid:1>`. Some words stand for
//! a value as well: `datetime`, `date`, `event-id`. Texts that hold JSON may have been recorded parsed.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// What the placeholders of one scenario stand for.
#[derive(Debug, Default)]
pub(crate) struct Bindings {
    /// Placeholders and words that the scenario fills in.
    pub(crate) known: Vec<(String, String)>,
    /// Words that stand for anything.
    pub(crate) anything: Vec<String>,
    /// Numbered placeholders and what they turned out to be.
    numbered: BTreeMap<String, String>,
}

impl Bindings {
    /// Says where an answer is not as recorded.
    pub(crate) fn hold(&mut self, place: &str, recorded: &Value, actual: &Value) -> Result<(), String> {
        match (recorded, actual) {
            (Value::Object(recorded), Value::Object(actual)) => self.hold_fields(place, recorded, actual),
            (Value::Array(recorded), Value::Array(actual)) if recorded.len() == actual.len() => {
                let pairs = recorded.iter().zip(actual).enumerate();
                pairs
                    .into_iter()
                    .try_for_each(|(at, (recorded, actual))| self.hold(&format!("{place}[{at}]"), recorded, actual))
            }
            (Value::Object(_) | Value::Array(_), Value::String(text)) => match serde_json::from_str::<Value>(text) {
                Ok(parsed @ (Value::Object(_) | Value::Array(_))) => self.hold(place, recorded, &parsed),
                _ => Err(differs(place, recorded, actual)),
            },
            (Value::String(text), Value::Object(_)) if text.starts_with('{') => match serde_json::from_str(text) {
                Ok(parsed) => self.hold(place, &parsed, actual),
                Err(_) => Err(differs(place, recorded, actual)),
            },
            (Value::String(recorded), actual) => self.hold_text(place, recorded, actual),
            _ if recorded == actual => Ok(()),
            _ => Err(differs(place, recorded, actual)),
        }
    }

    fn hold_fields(
        &mut self,
        place: &str,
        recorded: &Map<String, Value>,
        actual: &Map<String, Value>,
    ) -> Result<(), String> {
        let names = |object: &Map<String, Value>| {
            let mut names: Vec<String> = object.keys().cloned().collect();
            names.sort();
            names
        };
        if names(recorded) != names(actual) {
            return Err(format!("{place} has the fields {:?}, recorded were {:?}", names(actual), names(recorded)));
        }
        recorded.iter().try_for_each(|(name, value)| self.hold(&format!("{place}.{name}"), value, &actual[name]))
    }

    fn hold_text(&mut self, place: &str, recorded: &str, actual: &Value) -> Result<(), String> {
        let fault = || Err(differs(place, &Value::from(recorded), actual));
        if self.anything.iter().any(|word| word == recorded) {
            return if actual.is_null() { fault() } else { Ok(()) };
        }
        if recorded == "datetime" {
            return if actual.is_number() { Ok(()) } else { fault() };
        }
        let Some(text) = actual.as_str() else { return fault() };
        match recorded {
            "date" => return if is_time(text) { Ok(()) } else { fault() },
            "event-id" | "message-id" | "receipt-handle" | "m-d5-of-body" => {
                return if text.is_empty() { fault() } else { Ok(()) };
            }
            _ => {}
        }
        // `<<next-token>:1>` is `<next-token:1>`.
        let mut expected =
            if recorded.contains("<<") { recorded.replace("<<", "<").replace(">:", ":") } else { recorded.to_owned() };
        for (placeholder, value) in &self.known {
            expected = expected.replace(placeholder, value);
        }
        match placed(&expected, text) {
            Some(found) => found.into_iter().try_for_each(|(placeholder, text)| self.bind(place, placeholder, text)),
            None => fault(),
        }
    }

    fn bind(&mut self, place: &str, placeholder: &str, text: &str) -> Result<(), String> {
        let Some((kind, _)) = placeholder.split_once(':') else { return Ok(()) };
        if let Some(before) = self.numbered.get(placeholder) {
            return if before == text {
                Ok(())
            } else {
                Err(format!("{place}: <{placeholder}> was {before} before and is {text} now"))
            };
        }
        let same = self.numbered.iter().find(|(other, found)| other.starts_with(&format!("{kind}:")) && *found == text);
        if let Some((other, _)) = same {
            return Err(format!("{place}: <{placeholder}> is {text}, as <{other}> is; recorded were two"));
        }
        self.numbered.insert(placeholder.to_owned(), text.to_owned());
        Ok(())
    }
}

fn differs(place: &str, recorded: &Value, actual: &Value) -> String {
    format!("{place} is {actual}, recorded was {recorded}")
}

/// The texts that a template's placeholders stand for, if the text is one of the template.
fn placed<'a>(template: &'a str, text: &'a str) -> Option<Vec<(&'a str, &'a str)>> {
    let Some((before, rest)) = template.split_once('<') else {
        return (template == text).then(Vec::new);
    };
    let Some((placeholder, after)) = rest.split_once('>') else {
        return (template == text).then(Vec::new);
    };
    let text = text.strip_prefix(before)?;
    // What follows up to the next placeholder says where this one ends.
    let next = after.split('<').next().unwrap_or_default();
    let ends: Vec<usize> =
        if next.is_empty() { vec![text.len()] } else { text.match_indices(next).map(|(at, _)| at).collect() };
    ends.into_iter().filter(|end| *end > 0).find_map(|end| {
        let mut found = placed(after, &text[end..])?;
        found.insert(0, (placeholder, &text[..end]));
        Some(found)
    })
}

/// `2026-01-31T23:59:59Z`.
fn is_time(text: &str) -> bool {
    let shape: String =
        text.chars().map(|character| if character.is_ascii_digit() { '0' } else { character }).collect();
    shape == "0000-00-00T00:00:00Z"
}

#[test]
fn differences_are_seen() {
    use serde_json::json;
    let recorded = json!({
        "Arn": "arn:<partition>:events:<region>:1:rule/<rule>", "At": "datetime", "Ids": ["<uuid:1>", "<uuid:2>"],
        "Pattern": {"source": ["a"]}, "On": true,
    });
    let actual = json!({
        "Arn": "arn:aws:events:r:1:rule/x", "At": 1.5, "Ids": ["i", "j"], "Pattern": r#"{"source": ["a"]}"#, "On": true,
    });
    let hold = |change: &dyn Fn(&mut Value)| {
        let mut changed = actual.clone();
        change(&mut changed);
        let known = vec![("<partition>".to_owned(), "aws".to_owned())];
        Bindings { known, ..Bindings::default() }.hold("it", &recorded, &changed)
    };
    assert_eq!(hold(&|_| {}), Ok(()));
    let changes: [&dyn Fn(&mut Value); 9] = [
        &|value| value["Arn"] = json!("arn:aws-cn:events:r:1:rule/x"),
        &|value| value["Arn"] = json!("arn:aws:events:r:1:rule/"),
        &|value| value["At"] = json!("1.5"),
        &|value| value["Ids"] = json!(["i", "i"]),
        &|value| value["Ids"] = json!(["i"]),
        &|value| value["Pattern"] = json!(r#"{"source": ["b"]}"#),
        &|value| value["On"] = json!("true"),
        &|value| value["More"] = json!(1),
        &|value| _ = value.as_object_mut().unwrap().remove("On"),
    ];
    for (at, change) in changes.into_iter().enumerate() {
        assert!(hold(change).is_err(), "change {at} went unseen");
    }
    let mut again = Bindings::default();
    again.hold("first", &json!("<uuid:1>"), &json!("i")).unwrap();
    assert!(again.hold("second", &json!("x <uuid:1>"), &json!("x j")).is_err());
}
