//! Alerts as lines of the daemon's log, and what is said there of those that reached nobody.

use super::text;
use crate::model::alert::{Alert, AlertKind};
use crate::model::finding::Severity;

/// One line for a message.
pub(super) fn tell(channel: &str, alert: &Alert) {
    let Alert { id, group, code, severity, kind, count, title, .. } = alert;
    let (kind_name, code): (&str, &str) = (kind.into(), code.into());
    let who = text::who(alert).unwrap_or_default();
    let is_over = matches!(kind, AlertKind::Mended | AlertKind::Resolved);
    match severity {
        Severity::Error if !is_over => {
            tracing::error!(channel, alert = %id, %group, kind = kind_name, code, count, who, "{title}");
        }
        Severity::Warning if !is_over => {
            tracing::warn!(channel, alert = %id, %group, kind = kind_name, code, count, who, "{title}");
        }
        _ => tracing::info!(channel, alert = %id, %group, kind = kind_name, code, count, who, "{title}"),
    }
}

/// Says that a message was given up.
pub fn dropped(channel: &str, alert: &Alert, why: &str) {
    let kind: &str = alert.kind.into();
    tracing::error!(channel, alert = %alert.id, kind, why, "an alert was dropped and reached nobody there: {}", alert.title);
}
