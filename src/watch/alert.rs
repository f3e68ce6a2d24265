//! From incidents to messages: who is told what, how often, and in which words.
//!
//! Pure: the time, the settings, contacts and hubs are given. What was told already is written down in the incidents
//! themselves ([`Incident::told`], by channel), so a restart repeats nothing, and a channel that is new hears of what is open.
//!
//! - Incidents of one code, and where a scope was not read of one reason, are a *group*; a sweep makes at most one message of a
//!   kind for each group on a channel. A channel that names teams has groups of its own for each team.
//! - An incident is raised once. What is still open is told again, a group at a time, when the oldest telling of it is
//!   `remind-hours` old. What is over is told as resolved where it was raised, whatever the channel's filters say by then.
//! - What was never told on a channel and was mended is [`AlertKind::Mended`]: it was found and mended within one sweep.
//! - PagerDuty keeps one incident a group, so there a group is resolved when all of it is over.

mod words;

use crate::model::alert::{Alert, AlertKind, INCIDENTS_MAX};
use crate::model::finding::{FindingCode, Severity};
use crate::model::ids::{HubName, Moment, TeamName};
use crate::model::incident::{Concern, Incident, Resolution, Told};
use crate::model::mark::long_digest;
use crate::model::settings::{ChannelKind, ChannelSettings};
use std::collections::{BTreeMap, BTreeSet};

/// What a sweep made of the incidents.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Those that are open now, found in this sweep or before.
    pub open: Vec<Incident>,
    /// Those that this sweep closed. Each is given once.
    pub resolved: Vec<Incident>,
}

/// What messages are made from besides.
pub struct Around<'a> {
    /// Whose operator this is.
    pub owner: &'a str,
    /// The topology.
    pub revision: &'a str,
    /// The channels, by name.
    pub channels: &'a BTreeMap<String, ChannelSettings>,
    /// How to reach each team.
    pub contacts: &'a BTreeMap<TeamName, String>,
    /// The hubs that an incident is about.
    pub hubs: &'a dyn Fn(&Incident) -> BTreeSet<HubName>,
}

/// The messages that `changes` make, each with its channel's name; and in `changes`, that they were told.
///
/// Messages and incidents belong into one transaction: a message is sent if and only if it is written down as told.
pub fn alerts(changes: &mut Changes, around: &Around<'_>, now: Moment) -> Vec<(String, Alert)> {
    let mut messages = Vec::new();
    for (name, settings) in around.channels {
        let channel = Channel { name, settings, around, now };
        messages.extend(channel.messages(changes).into_iter().map(|alert| (name.clone(), alert)));
    }
    messages
}

/// One channel, and what it is asked with.
struct Channel<'a> {
    name: &'a str,
    settings: &'a ChannelSettings,
    around: &'a Around<'a>,
    now: Moment,
}

/// Incidents by group, as places in the list that they are of.
type Groups = BTreeMap<String, Vec<usize>>;

impl Channel<'_> {
    fn messages(&self, changes: &mut Changes) -> Vec<Alert> {
        let (mut told, mut new) = (Groups::new(), Groups::new());
        for (at, incident) in changes.open.iter().enumerate() {
            match incident.told.get(self.name) {
                Some(before) => told.entry(before.group.clone()).or_default().push(at),
                None if self.takes(incident) => new.entry(self.group(&incident.concern)).or_default().push(at),
                None => {}
            }
        }
        let open = |group: &str| told.get(group).map_or(0, Vec::len) + new.get(group).map_or(0, Vec::len);
        let mut messages = Vec::new();
        for (group, places) in &new {
            messages.push(self.message(AlertKind::Raised, group, open(group), pick(&changes.open, places)));
        }
        let due: Groups = told.iter().filter(|(_, places)| self.is_due(&changes.open, places)).map(owned).collect();
        for (group, places) in &due {
            messages.push(self.message(AlertKind::Reminder, group, open(group), pick(&changes.open, places)));
        }
        messages.extend(self.over(&changes.resolved, &open));
        for (group, places) in new.into_iter().chain(due) {
            for at in places {
                if let Some(incident) = changes.open.get_mut(at) {
                    incident.told.insert(self.name.to_owned(), Told { group: group.clone(), at: self.now });
                }
            }
        }
        messages
    }

    /// What is told of those that are over.
    fn over(&self, resolved: &[Incident], open: &dyn Fn(&str) -> usize) -> Vec<Alert> {
        let (mut raised, mut unheard) = (Groups::new(), Groups::new());
        for (at, incident) in resolved.iter().enumerate() {
            let mended = matches!(incident.resolved, Some((_, Resolution::Mended)));
            match incident.told.get(self.name) {
                Some(told) => raised.entry(told.group.clone()).or_default().push(at),
                None if mended && self.settings.mended && self.takes(incident) => {
                    unheard.entry(self.group(&incident.concern)).or_default().push(at);
                }
                None => {}
            }
        }
        if matches!(self.settings.kind, ChannelKind::Pagerduty { .. }) {
            raised.retain(|group, _| open(group) == 0);
        }
        let of = |kind: AlertKind, groups: &Groups| -> Vec<Alert> {
            let message = |(group, places): (&String, &Vec<usize>)| {
                self.message(kind, group, open(group), pick(resolved, places))
            };
            groups.iter().map(message).collect()
        };
        let mut messages = of(AlertKind::Mended, &unheard);
        messages.extend(of(AlertKind::Resolved, &raised));
        messages
    }

    /// Whether the channel is for this incident at all.
    fn takes(&self, incident: &Incident) -> bool {
        let ChannelSettings { kind: _, severity_min, hubs, teams, mended: _, remind_hours: _ } = self.settings;
        let for_hub = || hubs.is_empty() || !(self.around.hubs)(incident).is_disjoint(hubs);
        let for_team = || teams.is_empty() || incident.concern.team.as_ref().is_some_and(|team| teams.contains(team));
        incident.severity() >= *severity_min && for_team() && for_hub()
    }

    /// Whether a group that was told is to be told again: by the oldest telling, so that who joins later does not put it off.
    fn is_due(&self, open: &[Incident], places: &[usize]) -> bool {
        let oldest =
            pick(open, places).iter().filter_map(|incident| incident.told.get(self.name)).map(|told| told.at).min();
        let wait_ms = u64::from(self.settings.remind_hours) * MS_PER_HOUR;
        wait_ms > 0 && oldest.is_some_and(|at| self.now.millis_since(at) >= wait_ms)
    }

    /// The group's name: the same for the same cause on this channel, at any time. A digest, since receivers limit its length
    /// and its letters (PagerDuty's `dedup_key` 255, a FIFO topic's group 128).
    fn group(&self, concern: &Concern) -> String {
        let Concern { code, team, detail, .. } = concern;
        let team = team.as_ref().filter(|_| !self.settings.teams.is_empty()).map(ToString::to_string);
        let parts = [self.name, &code.to_string(), cause(*code, detail), &team.unwrap_or_default()];
        format!("{}-{code}-{}", self.around.owner, digest(&parts))
    }

    fn message(&self, kind: AlertKind, group: &str, still_open: usize, mut incidents: Vec<&Incident>) -> Alert {
        incidents.sort_by(|a, b| (a.opened, &a.id).cmp(&(b.opened, &b.id)));
        let Around { owner, revision, contacts, hubs, .. } = self.around;
        let kind_name: &str = kind.into();
        let at = self.now.0.to_string();
        let ids = incidents.iter().map(|incident| incident.id.as_str());
        let parts: Vec<&str> = [self.name, kind_name, group, &at].into_iter().chain(ids).collect();
        let team = |incident: &&Incident| incident.concern.team.clone();
        let contact = |team: TeamName| (team.clone(), contacts.get(&team).cloned().unwrap_or_default());
        // A group is never empty; if it were, its message would say nothing wrong.
        let code = incidents.first().map_or(FindingCode::Unread, |incident| incident.concern.code);
        Alert {
            id: digest(&parts),
            group: group.to_owned(),
            kind,
            severity: incidents.iter().map(|incident| incident.severity()).max().unwrap_or(Severity::Info),
            code,
            title: words::title(kind, code, &incidents),
            effect: words::effect(code).to_owned(),
            done: words::done(kind, &incidents),
            advice: words::advice(kind, code, &incidents),
            at: self.now,
            since: incidents.iter().map(|incident| incident.opened).min().unwrap_or(self.now),
            teams: incidents.iter().filter_map(team).map(contact).collect(),
            hubs: incidents.iter().flat_map(|incident| hubs(incident)).collect(),
            owner: (*owner).to_owned(),
            revision: (*revision).to_owned(),
            count: incidents.len(),
            incidents: incidents.into_iter().take(INCIDENTS_MAX).cloned().collect(),
            still_open,
        }
    }
}

/// Why it is so, where one code has many reasons: forty scopes that lost one role are one cause, and three that are throttled
/// another. A plan words it `not read at all: sts:AssumeRole role-refused: …`: action and class come before the second colon.
fn cause(code: FindingCode, detail: &str) -> &str {
    match code {
        FindingCode::Unread | FindingCode::UnreadIdle => {
            let reason = detail.split_once(": ").map_or(detail, |(_, reason)| reason);
            reason.split_once(": ").map_or(reason, |(cause, _)| cause)
        }
        _ => "",
    }
}

fn pick<'a>(incidents: &'a [Incident], places: &[usize]) -> Vec<&'a Incident> {
    places.iter().filter_map(|at| incidents.get(*at)).collect()
}

fn owned((group, places): (&String, &Vec<usize>)) -> (String, Vec<usize>) {
    (group.clone(), places.clone())
}

fn digest(parts: &[&str]) -> String {
    long_digest(parts).chars().take(DIGEST_DIGITS).collect()
}

/// Sixty-four bits: two of a million messages are the same once in tens of millions of times.
const DIGEST_DIGITS: usize = 16;

const MS_PER_HOUR: u64 = 3_600_000;

#[cfg(test)]
mod tests;
