//! What a person may take away that no plan does (promise 4), and everything that speaks against it.
//!
//! Buses and archives with our marks that the topology does not name, and the time beyond what it asks that an archive keeps
//! events. Nothing here does anything: `reconcile::retire` asks, a person confirms, and one call is made.

use super::diff::keeps_longer;
use super::own::{self, Ownership};
use crate::eventbridge::policy::BusPolicy;
use crate::model::desired::Desired;
use crate::model::ids::Scope;
use crate::model::mark::{archive_name, archive_prefix, statement_prefix};
use crate::model::resource::{ArchiveId, BusId, RuleId};
use crate::model::world::{LiveArchive, LiveBus, Observation, ScopeView, World};
use std::collections::BTreeSet;
use std::fmt;

/// One thing that a person may take away.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Retirable {
    /// A bus.
    Bus(BusId),
    /// An archive, with all events in it.
    Archive(ArchiveId),
    /// The time beyond what the topology asks that an archive keeps events.
    Retention(ArchiveId),
}

impl Retirable {
    /// Where it is.
    pub fn scope(&self) -> &Scope {
        match self {
            Self::Bus(bus) => &bus.scope,
            Self::Archive(archive) | Self::Retention(archive) => &archive.scope,
        }
    }

    /// Its name in its scope.
    pub fn name(&self) -> &str {
        match self {
            Self::Bus(bus) => &bus.name,
            Self::Archive(archive) | Self::Retention(archive) => &archive.name,
        }
    }

    /// What it is called on the command line.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Bus(_) => "bus",
            Self::Archive(_) => "archive",
            Self::Retention(_) => "retention",
        }
    }
}

impl fmt::Display for Retirable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}/{}", self.kind(), self.scope(), self.name())
    }
}

/// Everything that a person may take away, as far as it was seen. Whether anything speaks against it is another question.
pub fn retirable(desired: &Desired, world: &World) -> Vec<Retirable> {
    let mut found = Vec::new();
    let prefix = archive_prefix(&desired.owner);
    let views = world.scopes.keys().filter_map(|scope| world.view(scope).map(|view| (scope, view)));
    for (scope, view) in views {
        for (name, live) in &view.buses {
            let bus = BusId { scope: scope.clone(), name: name.clone() };
            let is_ours = matches!(own::of_bus(desired, &bus, live), Ownership::Marked(_));
            if is_ours && !desired.buses.contains_key(&bus) {
                found.push(Retirable::Bus(bus));
            }
        }
        for (name, live) in view.archives.iter().filter(|(name, _)| name.starts_with(&prefix)) {
            let archive = ArchiveId { scope: scope.clone(), name: name.clone() };
            match desired.archives.get(&archive) {
                None => found.push(Retirable::Archive(archive)),
                Some(wanted) if keeps_longer(live.spec.retention_days, wanted.spec.retention_days) => {
                    found.push(Retirable::Retention(archive));
                }
                Some(_) => {}
            }
        }
    }
    found
}

/// Whether the thing is there at all; none where that was not seen: archives that are not named as ours are not even read.
pub fn is_there(desired: &Desired, world: &World, thing: &Retirable) -> Option<bool> {
    let view = world.view(thing.scope())?;
    match thing {
        Retirable::Archive(archive) | Retirable::Retention(archive)
            if !archive.name.starts_with(&archive_prefix(&desired.owner)) =>
        {
            None
        }
        Retirable::Bus(bus) if view.buses.contains_key(&bus.name) => Some(true),
        Retirable::Bus(_) => view.buses_read.then_some(false),
        Retirable::Archive(archive) | Retirable::Retention(archive) if view.archives.contains_key(&archive.name) => {
            Some(true)
        }
        Retirable::Archive(_) | Retirable::Retention(_) => view.archives_read.then_some(false),
    }
}

/// Everything that speaks against taking `thing` away; nothing, if it may go. `delivering` are the live rules of all
/// scopes that have the bus for a target.
pub fn objections(desired: &Desired, world: &World, thing: &Retirable, delivering: &BTreeSet<RuleId>) -> Vec<String> {
    let mut found = of_the_topology(desired, world);
    let scope = thing.scope();
    match world.scopes.get(scope) {
        Some(Observation::Complete { view, .. }) => match thing {
            Retirable::Bus(bus) => found.extend(against_bus(desired, bus, view, delivering)),
            Retirable::Archive(archive) => found.extend(against_archive(desired, archive, view)),
            Retirable::Retention(archive) => found.extend(against_retention(desired, archive, view)),
        },
        Some(Observation::Partial { missing, .. }) => {
            let gaps: Vec<String> = missing.iter().map(ToString::to_string).collect();
            found.push(format!("{scope} was not read whole, and nothing is taken away on doubt: {}", gaps.join("; ")));
        }
        Some(Observation::Unreachable { why, .. }) => found.push(format!("{scope} could not be read: {why}")),
        Some(Observation::NoAccess) | None => found.push(format!("{scope} was not read")),
    }
    found
}

/// A topology that does not say all, or is not the newest, cannot say what is not needed any more.
fn of_the_topology(desired: &Desired, world: &World) -> Vec<String> {
    let mut found = Vec::new();
    if !desired.kept.is_empty() {
        found.push("the topology has errors, and what a broken file names is not known: mend it first".to_owned());
    }
    if desired.is_empty() {
        found.push("the topology asks for nothing at all: look whether the right folder was read".to_owned());
    }
    // Marks on the hubs tell whether a newer topology was applied, which may name what this one does not.
    let unread = own::hub_scopes(desired).into_iter().filter(|scope| world.view(scope).is_none());
    found.extend(unread.map(|scope| {
        format!("the hub's scope {scope} could not be read, so whether a newer topology was applied is not known")
    }));
    let sequence = desired.revision.sequence;
    if let Some(newest) = own::newest_sequence(desired, world).filter(|newest| *newest > sequence) {
        found.push(format!(
            "a topology of sequence {newest} was already applied and this one is {sequence}: update this checkout"
        ));
    }
    found
}

fn against_bus(desired: &Desired, bus: &BusId, view: &ScopeView, delivering: &BTreeSet<RuleId>) -> Vec<String> {
    let Some(live) = view.buses.get(&bus.name) else { return vec![format!("there is no bus {}", bus.name)] };
    let mut found = Vec::new();
    if bus.is_default() {
        found.push("it is the account's default bus, which nobody can take away".to_owned());
    }
    let names_it = desired.buses.contains_key(bus)
        || desired.rules.keys().any(|rule| rule.bus == *bus)
        || desired.grants.keys().any(|(granted, _)| granted == bus)
        || desired.archives.values().any(|wanted| wanted.spec.source == *bus);
    if names_it {
        found.push("the topology names it".to_owned());
    }
    found.extend(not_marked(desired, bus, live));
    found.extend(rules_on(live));
    found.extend(foreign_statements(desired, live));
    let archives: Vec<&String> =
        view.archives.iter().filter(|(_, archive)| archive.spec.source == *bus).map(|(name, _)| name).collect();
    found.extend(archives.into_iter().map(|name| format!("archive {name} is of it: retire that first")));
    found.extend(delivering.iter().filter(|rule| rule.bus != *bus).map(|rule| format!("rule {rule} delivers to it")));
    found
}

/// Both marks have to say that it is ours: the description's, written on this very bus, and the tag.
fn not_marked(desired: &Desired, bus: &BusId, live: &LiveBus) -> Option<String> {
    match own::of_bus(desired, bus, live) {
        Ownership::Marked(_) => match own::tagged(&desired.owner, live.tags.as_ref()) {
            Some(true) => None,
            Some(false) => Some("its description bears our mark and its tags do not: it is not surely ours".to_owned()),
            None => Some("its tags were not read".to_owned()),
        },
        Ownership::Copied => Some("its description bears a mark that was written on something else".to_owned()),
        Ownership::Other(owner) => Some(format!("it belongs to {owner}")),
        Ownership::Managed(service) => Some(format!("{service} manages it")),
        Ownership::MarkLost | Ownership::Unmarked | Ownership::Unknown => {
            Some("its description bears no mark of ours: whose it is has to be decided by hand".to_owned())
        }
    }
}

fn rules_on(live: &LiveBus) -> Vec<String> {
    if !live.rules_read {
        return vec!["its rules were not read to the end".to_owned()];
    }
    let told = |(name, rule): (&String, &crate::model::world::LiveRule)| match &rule.managed_by {
        Some(service) => {
            format!("rule {name} is still on it ({service} manages it; an archive's goes with the archive)")
        }
        None => format!("rule {name} is still on it"),
    };
    live.rules.iter().map(told).collect()
}

fn foreign_statements(desired: &Desired, live: &LiveBus) -> Vec<String> {
    let prefix = statement_prefix(&desired.owner);
    match &live.policy {
        None => Vec::new(),
        Some(Err(why)) => vec![format!("its policy cannot be understood: {why}")],
        Some(Ok(BusPolicy { statements })) => statements
            .iter()
            .map(|statement| statement.sid.as_deref().unwrap_or("(no Sid)"))
            .filter(|sid| !sid.starts_with(&prefix))
            .map(|sid| format!("its policy has a statement that is not ours: {sid}"))
            .collect(),
    }
}

fn against_archive(desired: &Desired, archive: &ArchiveId, view: &ScopeView) -> Vec<String> {
    let Some(live) = view.archives.get(&archive.name) else {
        return vec![format!("there is no archive {} of ours", archive.name)];
    };
    let mut found = Vec::new();
    if desired.archives.contains_key(archive) {
        found.push("the topology names it".to_owned());
    }
    found.extend(not_our_archive(desired, archive, live));
    found
}

/// Archives bear no tags: their name says whose they are and of which bus, and the bus has to be that one.
fn not_our_archive(desired: &Desired, archive: &ArchiveId, live: &LiveArchive) -> Option<String> {
    let source = &live.spec.source;
    let meant = archive_name(&desired.owner, archive.scope.account, &source.name);
    if !archive.name.starts_with(&archive_prefix(&desired.owner)) {
        return Some("its name is not one of ours".to_owned());
    }
    if source.scope != archive.scope || meant != archive.name {
        return Some(format!("it is of bus {source}, and its name is not the one that we give that bus's archive"));
    }
    live.pattern.as_ref().map(|_| "it has a pattern, and ours have none".to_owned())
}

fn against_retention(desired: &Desired, archive: &ArchiveId, view: &ScopeView) -> Vec<String> {
    let Some(live) = view.archives.get(&archive.name) else {
        return vec![format!("there is no archive {} of ours", archive.name)];
    };
    let Some(wanted) = desired.archives.get(archive) else {
        return vec!["the topology does not name it: `wheelwright retire archive` is for that".to_owned()];
    };
    let mut found: Vec<String> = not_our_archive(desired, archive, live).into_iter().collect();
    if live.spec.source != wanted.spec.source {
        found.push(format!("it is of bus {}, and the topology's is of {}", live.spec.source, wanted.spec.source));
    }
    if !keeps_longer(live.spec.retention_days, wanted.spec.retention_days) {
        found.push("it keeps events no longer than the topology asks".to_owned());
    }
    found
}
