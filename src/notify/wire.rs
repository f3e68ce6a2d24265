//! A message as JSON: the body of webhooks, the detail of events, the message on topics.
//!
//! It is a form of its own, so that what receivers read does not change when the model does. `version` is raised when a field
//! changes its meaning or goes; new fields may come at any time.

use super::text::{DETAIL_CHARS_MAX, TEAMS_MAX, cut, time};
use crate::model::alert::Alert;
use crate::model::ids::Scope;
use crate::model::incident::{Incident, Subject};
use crate::model::resource::ResourceId;
use serde_json::{Map, Value, json};

/// The message, with all incidents that it carries.
pub(super) fn message(alert: &Alert) -> Value {
    let Alert { id, group, kind, severity, code, title, effect, done, advice, at, since, .. } = alert;
    let Alert { teams, hubs, owner, revision, incidents, count, still_open, .. } = alert;
    let teams: Map<String, Value> =
        teams.iter().take(TEAMS_MAX).map(|(team, contact)| (team.to_string(), json!(contact))).collect();
    let hubs: Vec<String> = hubs.iter().map(ToString::to_string).collect();
    json!({
        "version": VERSION,
        "id": id,
        "group": group,
        "kind": kind,
        "severity": severity,
        "code": code,
        "title": title,
        "effect": effect,
        "done": done,
        "advice": advice,
        "at": time(*at),
        "since": time(*since),
        "teams": teams,
        "hubs": hubs,
        "owner": owner,
        "revision": revision,
        "count": count,
        "still-open": still_open,
        "incidents": incidents.iter().map(incident).collect::<Vec<_>>(),
    })
}

fn incident(incident: &Incident) -> Value {
    let Incident { id, concern, opened, last_seen, resolved, .. } = incident;
    let scope = concern.subject.scope();
    json!({
        "id": id,
        "subject": concern.subject.to_string(),
        "arn": arn(&concern.subject),
        "account": scope.map(|scope| scope.account.to_string()),
        "region": scope.map(|Scope { region, .. }| region.to_string()),
        "team": concern.team.as_ref().map(ToString::to_string),
        "origin": concern.origin.as_ref().map(ToString::to_string),
        "entry": concern.origin.as_ref().map(|origin| origin.entry.to_string()),
        "detail": cut(&concern.detail, DETAIL_CHARS_MAX),
        "outcome": concern.outcome,
        "opened": time(*opened),
        "last-seen": time(*last_seen),
        "resolved": resolved.map(|(at, _)| time(at)),
        "resolution": resolved.map(|(_, how)| how),
    })
}

/// The ARN of what it is about, if that has one.
pub(super) fn arn(subject: &Subject) -> Option<String> {
    match subject {
        Subject::Resource(ResourceId::Bus(bus) | ResourceId::Grant(bus, _)) => Some(bus.arn()),
        Subject::Resource(ResourceId::Rule(rule) | ResourceId::Target(rule, _)) => Some(rule.arn()),
        Subject::Resource(ResourceId::Archive(archive)) => {
            let Scope { account, region } = &archive.scope;
            Some(format!("arn:{}:events:{region}:{account}:archive/{}", region.partition(), archive.name))
        }
        Subject::Resource(ResourceId::Scope(_)) | Subject::Operator => None,
    }
}

/// What `build` makes of the message with as many incidents as fit in `bytes_max`. Those that are left out are in the count.
pub(super) fn within(bytes_max: usize, alert: &Alert, build: &dyn Fn(&Alert) -> String) -> String {
    let mut alert = alert.clone();
    loop {
        let built = build(&alert);
        if built.len() <= bytes_max || alert.incidents.is_empty() {
            return built;
        }
        let half = alert.incidents.len() / 2;
        alert.incidents.truncate(half);
    }
}

const VERSION: u32 = 1;
