//! What a target receives: the event itself, a part of it, a constant, or a template filled from it.
//!
//! <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-transform-target-input.html>

use serde_json::Value;

/// The text that a target receives for an event.
pub(super) fn transformed(event: &Value, target: &Value, rule_arn: &str, rule: &str) -> String {
    if let Some(constant) = target.get("Input").and_then(Value::as_str) {
        return constant.to_owned();
    }
    if let Some(path) = target.get("InputPath").and_then(Value::as_str) {
        return at_path(event, path).map(Value::to_string).unwrap_or_default();
    }
    let Some(transformer) = target.get("InputTransformer") else {
        return event.to_string();
    };
    let template = transformer.get("InputTemplate").and_then(Value::as_str).unwrap_or_default();
    let paths = transformer.get("InputPathsMap").and_then(Value::as_object);
    fill(template, |name| match name {
        "aws.events.rule-arn" => Some(Value::from(rule_arn)),
        "aws.events.rule-name" => Some(Value::from(rule)),
        "aws.events.event.json" => Some(event.clone()),
        "aws.events.event" => Some(without_detail(event)),
        "aws.events.event.ingestion-time" => event.get("time").cloned(),
        _ => {
            let path = paths?.get(name)?.as_str()?;
            Some(at_path(event, path).cloned().unwrap_or_else(|| Value::from("")))
        }
    })
}

/// The names in a template that neither its paths nor EventBridge define; the first, if there is one.
pub(super) fn undefined_placeholder(transformer: &Value) -> Option<String> {
    let template = transformer.get("InputTemplate").and_then(Value::as_str).unwrap_or_default();
    let paths = transformer.get("InputPathsMap").and_then(Value::as_object);
    let places = template.split('<').skip(1).filter_map(|after| after.split_once('>').map(|(name, _)| name));
    let named = |name: &&str| name.chars().all(|letter| letter.is_ascii_alphanumeric() || "_-.".contains(letter));
    let defined = |name: &str| PREDEFINED.contains(&name) || paths.is_some_and(|paths| paths.contains_key(name));
    places.filter(named).find(|name| !defined(name)).map(str::to_owned)
}

/// `<aws.events.event>`: the envelope alone, with `detail-type` spelt as one word.
fn without_detail(event: &Value) -> Value {
    let fields = event.as_object().into_iter().flatten().filter(|(name, _)| *name != "detail");
    let renamed = |name: &str| if name == "detail-type" { "detailType".to_owned() } else { name.to_owned() };
    Value::Object(fields.map(|(name, value)| (renamed(name), value.clone())).collect())
}

/// A value by a path of the form `$.a.b`; array places as `[0]` are not known.
fn at_path<'a>(event: &'a Value, path: &str) -> Option<&'a Value> {
    let steps = path.strip_prefix('$')?;
    steps.split('.').skip(1).try_fold(event, |value, step| value.get(step))
}

/// Fills `<name>` places: within quotes as bare text, outside as JSON.
fn fill(template: &str, value_of: impl Fn(&str) -> Option<Value>) -> String {
    let mut filled = String::new();
    let mut quoted = false;
    let mut rest = template;
    while let Some(character) = rest.chars().next() {
        let place = rest
            .strip_prefix('<')
            .and_then(|after| after.split_once('>'))
            .and_then(|(name, after)| Some((value_of(name)?, after)));
        if let Some((value, after)) = place {
            filled.push_str(&written(&value, quoted));
            rest = after;
            continue;
        }
        if character == '"' && !filled.ends_with('\\') {
            quoted = !quoted;
        }
        filled.push(character);
        rest = rest.get(character.len_utf8()..).unwrap_or_default();
    }
    filled
}

fn written(value: &Value, quoted: bool) -> String {
    match value {
        Value::String(text) if quoted => text.clone(),
        other if quoted => other.to_string().replace('"', ""),
        other => other.to_string(),
    }
}

/// What every template may name.
/// <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-transform-target-input.html#eb-transform-input-predefined>
const PREDEFINED: [&str; 5] = [
    "aws.events.rule-arn",
    "aws.events.rule-name",
    "aws.events.event",
    "aws.events.event.json",
    "aws.events.event.ingestion-time",
];

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn templates_take_text_inside_quotes_and_json_outside() {
        let event = json!({"detail": {"id": "0a", "payload": {"a": "x"}, "on": true}});
        let target = |template: &str| {
            json!({"InputTransformer": {
                "InputPathsMap": {"id": "$.detail.id", "payload": "$.detail.payload", "on": "$.detail.on"},
                "InputTemplate": template,
            }})
        };
        for (template, expected) in [
            (r#"{"path": "users/<id>", "body": <payload>}"#, r#"{"path": "users/0a", "body": {"a":"x"}}"#),
            (r#"{"id": <id>}"#, r#"{"id": "0a"}"#),
            (r#""Payload of <payload>, <on>!""#, r#""Payload of {a:x}, true!""#),
            (r#""<unknown>""#, r#""<unknown>""#),
        ] {
            assert_eq!(transformed(&event, &target(template), "arn", "rule"), expected);
        }
    }

    #[test]
    fn a_path_gives_a_part_of_the_event() {
        let event = json!({"detail": {"command": "go"}});
        let target = json!({"InputPath": "$.detail"});
        assert_eq!(transformed(&event, &target, "arn", "rule"), r#"{"command":"go"}"#);
    }
}
