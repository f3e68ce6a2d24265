//! PagerDuty's Events API v2: what is open is triggered, what is over is resolved, under one `dedup_key` a group.
//!
//! <https://developer.pagerduty.com/docs/events-api-v2-overview>. What was found and mended within one sweep is a change event:
//! it is seen beside the service's incidents and pages nobody.

use super::secret::{SecretText, Url};
use super::{Shared, Trouble, text, wire};
use crate::model::alert::{Alert, AlertKind};
use crate::model::finding::Severity;
use crate::model::incident::Subject;
use serde_json::{Value, json};

/// PagerDuty's own address.
pub(super) const ADDRESS: &str = "https://events.pagerduty.com";

pub(super) async fn send(shared: &Shared, url: &Url, routing_key: &SecretText, alert: &Alert) -> Result<(), Trouble> {
    let path = if alert.kind == AlertKind::Mended { "/v2/change/enqueue" } else { "/v2/enqueue" };
    let body = wire::within(BODY_BYTES_MAX, alert, &|alert| body(alert, routing_key.expose()).to_string());
    let request = ::http::Request::post(url.with(path))
        .header("content-type", "application/json")
        .body(body)
        .map_err(|_| Trouble::never("the request could not be built; nothing was sent"))?;
    shared.http.send(request).await?.judged(shared.time.now())
}

fn body(alert: &Alert, routing_key: &str) -> Value {
    let Alert { kind, group, severity, code, title, at, .. } = alert;
    if *kind == AlertKind::Resolved {
        return json!({"routing_key": routing_key, "event_action": "resolve", "dedup_key": group});
    }
    let summary = text::cut(title, SUMMARY_CHARS_MAX);
    let (source, timestamp, details) = (source(alert), text::time(*at), wire::message(alert));
    if *kind == AlertKind::Mended {
        let payload = json!({"summary": summary, "source": source, "timestamp": timestamp, "custom_details": details});
        return json!({"routing_key": routing_key, "payload": payload});
    }
    let severity = match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Info => "info",
    };
    let hubs: Vec<String> = alert.hubs.iter().map(ToString::to_string).collect();
    let payload = json!({
        "summary": summary,
        "source": source,
        "severity": severity,
        "timestamp": timestamp,
        "class": code,
        "group": if hubs.is_empty() { alert.owner.clone() } else { hubs.join(", ") },
        "custom_details": details,
    });
    json!({
        "routing_key": routing_key,
        "event_action": "trigger",
        "dedup_key": group,
        "client": "wheelwright",
        "payload": payload,
    })
}

/// Where it is: the scope, if it is one.
fn source(alert: &Alert) -> String {
    let mut scopes = alert.incidents.iter().filter_map(|incident| match &incident.concern.subject {
        Subject::Operator => None,
        Subject::Resource(resource) => Some(resource.scope()),
    });
    match scopes.next() {
        Some(first) if alert.count == alert.incidents.len() && scopes.all(|scope| scope == first) => first.to_string(),
        _ => format!("wheelwright {}", alert.owner),
    }
}

/// 512 KB in all; with some room, as it is not said of what the KB are.
const BODY_BYTES_MAX: usize = 500_000;

/// Letters of a summary.
const SUMMARY_CHARS_MAX: usize = 1_024;
