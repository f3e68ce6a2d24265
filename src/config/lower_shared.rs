//! Stops and renames to the subscriptions and publications that they are about.

use super::diagnostic::{Diagnostic, DiagnosticCode};
use super::index::{Index, Resolver};
use super::raw::{RawMoved, RawStop};
use super::source::{Place, Written};
use crate::model::ids::{PublicationId, SubscriptionId};
use crate::model::topology::Stop;
use std::collections::{BTreeMap, BTreeSet};

/// What things were first called: the names that their rules keep.
pub(super) struct Renames<'r> {
    subscriptions: BTreeMap<String, &'r RawMoved>,
    publications: BTreeMap<String, &'r RawMoved>,
}

impl<'r> Renames<'r> {
    /// The renames that the files tell and that make sense; of two of one thing, or to one name, the first counts. What is
    /// refused is not followed either: two things with one rule would each undo the other's.
    pub(super) fn of(index: &Index<'r>) -> Self {
        let mut renames = Self { subscriptions: BTreeMap::new(), publications: BTreeMap::new() };
        let mut from: BTreeSet<(bool, String)> = BTreeSet::new();
        for moved in &index.raw.moved {
            let RawMoved { from: old, to, is_publication, .. } = moved;
            let (old, to) = (old.value.to_string(), to.value.to_string());
            let still_there = match is_publication {
                true => index.publications.contains_key(&old),
                false => index.subscriptions.contains_key(&old),
            };
            let known = renames.of_kind_mut(*is_publication);
            if !still_there
                && not_theirs(moved, index).is_none()
                && !known.contains_key(&to)
                && from.insert((*is_publication, old))
            {
                known.insert(to, moved);
            }
        }
        renames
    }

    /// What `id` was first called.
    pub(super) fn subscription(&self, id: &SubscriptionId) -> SubscriptionId {
        first(&self.subscriptions, &id.to_string()).map_or_else(|| id.clone(), |moved| moved.from.value.clone())
    }

    /// What `id` was first called.
    pub(super) fn publication(&self, id: &PublicationId) -> PublicationId {
        // Both kinds of names have the same form.
        let found = first(&self.publications, &id.to_string());
        found.and_then(|moved| moved.from.value.to_string().parse().ok()).unwrap_or_else(|| id.clone())
    }

    fn of_kind(&self, is_publication: bool) -> &BTreeMap<String, &'r RawMoved> {
        if is_publication { &self.publications } else { &self.subscriptions }
    }

    fn of_kind_mut(&mut self, is_publication: bool) -> &mut BTreeMap<String, &'r RawMoved> {
        if is_publication { &mut self.publications } else { &mut self.subscriptions }
    }
}

/// The first link of the chain of renames that ends at `name`; none if there is none, or it goes in a circle.
fn first<'r>(renames: &BTreeMap<String, &'r RawMoved>, name: &str) -> Option<&'r RawMoved> {
    let mut seen = BTreeSet::new();
    let mut link = *renames.get(name)?;
    while let Some(before) = renames.get(&link.from.value.to_string()) {
        if !seen.insert(before.to.value.to_string()) {
            return None;
        }
        link = before;
    }
    Some(link)
}

/// Reports renames that make no sense.
pub(super) fn check_renames(index: &Index<'_>, resolver: &Resolver<'_>) {
    let renames = Renames::of(index);
    let mut from: BTreeMap<(bool, String), &Place> = BTreeMap::new();
    for moved in &index.raw.moved {
        check_rename(moved, &renames, index, resolver);
        let key = (moved.is_publication, moved.from.value.to_string());
        if let Some(first) = from.get(&key) {
            twice(resolver, &moved.from.place, first, &format!("`{}` is renamed twice", moved.from.value));
        } else {
            from.insert(key, &moved.from.place);
        }
    }
}

fn check_rename(moved: &RawMoved, renames: &Renames<'_>, index: &Index<'_>, resolver: &Resolver<'_>) {
    let RawMoved { from, to, is_publication, team } = moved;
    let (kind, code) = match is_publication {
        true => ("publication", DiagnosticCode::UnknownPublication),
        false => ("subscription", DiagnosticCode::UnknownSubscription),
    };
    let place_of = |name: &str| match is_publication {
        true => index.publications.get(name).map(|entry| &entry.place),
        false => index.subscriptions.get(name).map(|entry| &entry.place),
    };
    if let Some(other) = not_theirs(moved, index) {
        resolver.sink.push(
            Diagnostic::error(DiagnosticCode::NotYours, &other.place, "a rename of something that is another team's")
                .label(format!("this is team `{}`'s", other.value.team))
                .help("write it into that team's file"),
        );
        return;
    }
    if let Some(there) = place_of(&from.value.to_string()) {
        resolver.sink.push(
            Diagnostic::error(
                DiagnosticCode::MovedStillThere,
                &from.place,
                format!("{kind} `{}` was renamed and is still there", from.value),
            )
            .label("this is the old name")
            .also(there, "declared here")
            .help("take the old one out, or the `[[moved]]`"),
        );
    }
    let is_link = renames.of_kind(*is_publication).values().any(|next| next.from.value == to.value);
    if place_of(&to.value.to_string()).is_none() && !is_link && !index.has_holes(to.value.team.as_str()) {
        let text = to.value.to_string();
        let unknown = match is_publication {
            true => Resolver::unknown(kind, code, &to.place, &text, &index.publications),
            false => Resolver::unknown(kind, code, &to.place, &text, &index.subscriptions),
        };
        let other_kind = match is_publication {
            true if index.subscriptions.contains_key(&text) => Some("it is a subscription: leave `kind` out"),
            false if index.publications.contains_key(&text) => {
                Some("it is a publication: add `kind = \"publication\"`")
            }
            _ => None,
        };
        let unknown = match other_kind {
            Some(help) => Diagnostic { help: vec![help.to_owned()], ..unknown },
            None => unknown,
        };
        resolver.sink.push(concerning(unknown, to, team.as_deref(), index));
    }
    let winner = renames.of_kind(*is_publication).get(&to.value.to_string());
    match winner {
        Some(other) if other.from.value != from.value => {
            let message = format!("two things were renamed to `{}`", to.value);
            twice(resolver, &to.place, &other.to.place, &message);
        }
        Some(_) if first(renames.of_kind(*is_publication), &to.value.to_string()).is_none() => {
            // Each of the circle's links comes here: the first one tells it.
            let links = index.raw.moved.iter().filter(|link| link.is_publication == *is_publication);
            let next = links.clone().find(|link| link.to.value == from.value);
            let is_first = links
                .take_while(|link| link.to.place != to.place)
                .all(|link| first(renames.of_kind(*is_publication), &link.to.value.to_string()).is_some());
            if let Some(next) = next.filter(|_| is_first) {
                twice(resolver, &to.place, &next.to.place, "these renames go in a circle");
            }
        }
        _ => {}
    }
}

/// What of a rename in a team's file is another team's. A team that is there no more may have left something to it.
fn not_theirs<'r>(moved: &'r RawMoved, index: &Index<'_>) -> Option<&'r Written<SubscriptionId>> {
    let RawMoved { from, to, is_publication: _, team } = moved;
    let is_others = |name: &SubscriptionId| team.as_ref().is_some_and(|team| team != name.team.as_str());
    let old_team_is_there = index.teams.contains_key(from.value.team.as_str());
    if is_others(&to.value) {
        return Some(to);
    }
    (is_others(&from.value) && old_team_is_there).then_some(from)
}

fn twice(resolver: &Resolver<'_>, place: &Place, first: &Place, message: &str) {
    resolver.sink.push(
        Diagnostic::error(DiagnosticCode::MovedTwice, place, message)
            .label("here")
            .also(first, "and here")
            .help("a rename tells what one thing was called before: keep the one that is true"),
    );
}

/// What the platform team says of something that a team has not, or has no more, concerns that team: it must not stop
/// everybody that a team took out a subscription which was held off.
fn concerning(
    diagnostic: Diagnostic,
    named: &Written<SubscriptionId>,
    written_by: Option<&str>,
    index: &Index<'_>,
) -> Diagnostic {
    let team = &named.value.team;
    match written_by {
        Some(_) => diagnostic.resting_on(team),
        None if index.teams.contains_key(team.as_str()) => diagnostic.concerning([team.clone()]).resting_on(team),
        None => diagnostic.resting_on_all(),
    }
}

/// The stop of each subscription that is held off: of several, the one that lasts the longest.
pub(super) fn stops(index: &Index<'_>, resolver: &Resolver<'_>) -> BTreeMap<SubscriptionId, Stop> {
    let mut stops: BTreeMap<SubscriptionId, Stop> = BTreeMap::new();
    for raw in &index.raw.stops {
        let RawStop { name, subscription, until, reason, team } = raw;
        let id = &subscription.value;
        if team.as_ref().is_some_and(|team| team != id.team.as_str()) {
            resolver.sink.push(
                Diagnostic::error(
                    DiagnosticCode::NotYours,
                    &subscription.place,
                    "a stop of another team's subscription",
                )
                .label(format!("this is team `{}`'s", id.team))
                .help("write it into that team's file, or into one that is no team's"),
            );
            continue;
        }
        let text = id.to_string();
        if !index.subscriptions.contains_key(&text) {
            if !index.has_holes(id.team.as_str()) {
                let code = DiagnosticCode::UnknownSubscription;
                let unknown = Resolver::unknown("subscription", code, &subscription.place, &text, &index.subscriptions);
                resolver.sink.push(concerning(unknown, subscription, team.as_deref(), index));
            }
            continue;
        }
        let origin = name.place.origin(&format!("stop.{}", name.value));
        let stop = Stop { until: *until, reason: reason.clone(), origin };
        match stops.get(id) {
            Some(other) if other.until >= stop.until => {}
            _ => _ = stops.insert(id.clone(), stop),
        }
    }
    stops
}
