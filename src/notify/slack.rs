//! A Slack incoming webhook, in Block Kit.
//!
//! Limits: <https://docs.slack.dev/reference/block-kit/blocks/>; what has to be escaped:
//! <https://docs.slack.dev/messaging/formatting-message-text/#escaping>. Without that, a description that somebody wrote
//! as `<!channel>` would call a whole channel.

use super::secret::Url;
use super::{Shared, Trouble, text};
use crate::model::alert::{Alert, AlertKind};
use crate::model::finding::Severity;
use serde_json::{Value, json};

pub(super) async fn send(shared: &Shared, url: &Url, alert: &Alert) -> Result<(), Trouble> {
    let request = ::http::Request::post(url.whole())
        .header("content-type", "application/json; charset=utf-8")
        .body(body(alert).to_string())
        .map_err(|_| Trouble::never("the request could not be built; nothing was sent"))?;
    shared.http.send(request).await?.judged(shared.time.now())
}

fn body(alert: &Alert) -> Value {
    let state = match (alert.kind, alert.severity) {
        (AlertKind::Mended, _) => "mended",
        (AlertKind::Resolved, _) => "resolved",
        (_, Severity::Error) => "error",
        (_, Severity::Warning) => "warning",
        (_, Severity::Info) => "info",
    };
    let facts: Vec<String> = text::facts(alert)
        .into_iter()
        .map(|(name, said)| format!("*{name}:* {}", escaped(&said, FACT_CHARS_MAX)))
        .collect();
    let mut blocks = vec![
        json!({"type": "header", "text": {"type": "plain_text", "text": escaped(&alert.title, HEADER_CHARS_MAX)}}),
        section(&facts.join("\n")),
    ];
    let lines = alert.incidents.iter().map(|incident| format!("• {}", escaped(&text::line(incident), LINE_CHARS_MAX)));
    let lines: Vec<String> = lines.chain(text::more(alert)).collect();
    blocks.extend(sections(&lines));
    let signature = escaped(&text::signature(alert), FACT_CHARS_MAX);
    blocks.push(json!({"type": "context", "elements": [{"type": "mrkdwn", "text": signature}]}));
    json!({"text": format!("[{state}] {}", escaped(&alert.title, FACT_CHARS_MAX)), "blocks": blocks})
}

/// Lines in as few sections as they fit in.
fn sections(lines: &[String]) -> Vec<Value> {
    let mut texts: Vec<String> = Vec::new();
    for line in lines {
        match texts.last_mut() {
            Some(text) if text.chars().count() + line.chars().count() < SECTION_CHARS_MAX => {
                text.push('\n');
                text.push_str(line);
            }
            _ => texts.push(line.clone()),
        }
    }
    texts.iter().map(|text| section(text)).collect()
}

fn section(text: &str) -> Value {
    json!({"type": "section", "text": {"type": "mrkdwn", "text": text}})
}

/// The text as Slack shows it and does not read it, at most `chars_max` long as it is sent.
fn escaped(text: &str, chars_max: usize) -> String {
    let mut written = String::new();
    let mut length = 0;
    for letter in text.chars() {
        let mut letters = [0; 4];
        let as_sent: &str = match letter {
            '&' => "&amp;",
            '<' => "&lt;",
            '>' => "&gt;",
            '\n' => " ",
            _ => letter.encode_utf8(&mut letters),
        };
        length += as_sent.chars().count();
        if length >= chars_max {
            written.push('…');
            break;
        }
        written.push_str(as_sent);
    }
    written
}

/// A header block's text: 150.
const HEADER_CHARS_MAX: usize = 150;

/// A section's text: 3,000.
const SECTION_CHARS_MAX: usize = 3_000;

/// One incident: twenty of them are at most ten sections of the fifty blocks that a message may have.
const LINE_CHARS_MAX: usize = 1_400;

/// One fact: six of them are one section.
const FACT_CHARS_MAX: usize = 450;
