//! A message as plain text: for e-mail, and in parts for chats.

use crate::model::alert::{Alert, AlertKind};
use crate::model::ids::Moment;
use crate::model::incident::Incident;

/// All of it.
pub(super) fn letter(alert: &Alert) -> String {
    let mut lines = vec![alert.title.clone(), String::new()];
    lines.extend(facts(alert).into_iter().map(|(name, said)| format!("{name}: {said}")));
    lines.push(String::new());
    lines.extend(alert.incidents.iter().map(|incident| format!("- {}", line(incident))));
    lines.extend(more(alert));
    lines.extend([String::new(), signature(alert)]);
    lines.join("\n")
}

/// What a person asks first, each with its answer.
pub(super) fn facts(alert: &Alert) -> Vec<(&'static str, String)> {
    let Alert { kind, at, since, effect, done, advice, still_open, count, .. } = alert;
    let is_over = matches!(kind, AlertKind::Mended | AlertKind::Resolved);
    let lasting = duration(at.millis_since(*since));
    let mut facts = vec![match (kind, since == at) {
        (AlertKind::Mended, _) => ("Found", since.to_string()),
        (AlertKind::Resolved, _) => ("Lasted", format!("{lasting}, from {since}")),
        (_, true) => ("Since", since.to_string()),
        (_, false) => ("Since", format!("{since}, for {lasting}")),
    }];
    let effect_name = if is_over { "Meanwhile it meant" } else { "It means" };
    facts.push((effect_name, effect.clone()));
    facts.push(("Done", done.clone()));
    facts.extend(who(alert).map(|who| ("Concerns", who)));
    let others = if is_over { *still_open } else { still_open.saturating_sub(*count) };
    if others > 0 {
        facts.push(("Open besides", format!("{others} of the same cause")));
    }
    facts.push(("To do", advice.clone()));
    facts
}

/// `team ledger (#ledger-oncall), team payments`; or how many.
pub(super) fn who(alert: &Alert) -> Option<String> {
    let named = |(team, contact): (&crate::model::ids::TeamName, &String)| match contact.as_str() {
        "" => format!("team {team}"),
        contact => format!("team {team} ({contact})"),
    };
    let mut teams: Vec<String> = alert.teams.iter().take(TEAMS_MAX).map(named).collect();
    if let Some(rest) = alert.teams.len().checked_sub(TEAMS_MAX).filter(|rest| *rest > 0) {
        teams.push(format!("{rest} more teams"));
    }
    (!teams.is_empty()).then(|| teams.join(", "))
}

/// One incident.
pub(super) fn line(incident: &Incident) -> String {
    let concern = &incident.concern;
    let detail = cut(&concern.detail.replace('\n', " "), DETAIL_CHARS_MAX);
    let team = concern.team.as_ref().map(|team| format!("; team {team}")).unwrap_or_default();
    let origin = concern.origin.as_ref().map(|origin| format!("; {origin} ({})", origin.entry)).unwrap_or_default();
    format!("{}: {detail}{team}{origin} [incident {}]", concern.subject, incident.id)
}

/// What is not named for want of room.
pub(super) fn more(alert: &Alert) -> Option<String> {
    let rest = alert.count.saturating_sub(alert.incidents.len());
    (rest > 0).then(|| format!("and {rest} more: `wheelwright incidents` lists them"))
}

/// Whose message it is.
pub(super) fn signature(alert: &Alert) -> String {
    format!("wheelwright {}, topology {}, alert {}, {}", alert.owner, alert.revision, alert.id, alert.at)
}

/// At most `chars_max` letters, the last of them `…` if there were more.
pub(super) fn cut(text: &str, chars_max: usize) -> String {
    if text.chars().count() <= chars_max {
        return text.to_owned();
    }
    text.chars().take(chars_max.saturating_sub(1)).chain(['…']).collect()
}

/// `3 d 4 h`, `4 h 10 min`, `10 min`, `12 s`.
fn duration(milliseconds: u64) -> String {
    let seconds = milliseconds / 1_000;
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, _) => format!("{minutes} min"),
        (0, ..) => format!("{hours} h {minutes} min"),
        _ => format!("{days} d {hours} h"),
    }
}

/// `2026-11-24T06:00:00Z`, for JSON.
pub(super) fn time(moment: Moment) -> String {
    moment.to_string()
}

/// Teams that a message names; the rest is a number.
pub(super) const TEAMS_MAX: usize = 20;

/// Letters of an incident's detail: a pattern against a pattern fits.
pub(super) const DETAIL_CHARS_MAX: usize = 1_000;
