//! Whose a live thing is.

use crate::model::ids::{Owner, Scope};
use crate::model::mark::{Mark, OWNER_TAG};
use crate::model::topology::Tags;
use crate::model::world::{LiveBus, LiveRule, World};

/// Whose a live bus or rule is, from its marks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Ownership {
    /// Ours: the description says so.
    Marked(Mark),
    /// Ours: the tag says so, the description does not any more.
    MarkLost,
    /// Another operator's.
    Other(String),
    /// An AWS service's.
    Managed(String),
    /// Nobody's that we know.
    Unmarked,
    /// The description says nothing and the tags were not read.
    Unknown,
}

/// Whose `rule` is, for operator `owner`.
pub(super) fn of_rule(owner: &Owner, rule: &LiveRule) -> Ownership {
    match &rule.managed_by {
        Some(service) => Ownership::Managed(service.clone()),
        None => of_marks(owner, rule.mark(), rule.tags.as_ref()),
    }
}

/// Whose `bus` is, for operator `owner`.
pub(super) fn of_bus(owner: &Owner, bus: &LiveBus) -> Ownership {
    of_marks(owner, bus.mark(), bus.tags.as_ref())
}

fn of_marks(owner: &Owner, mark: Option<Mark>, tags: Option<&Tags>) -> Ownership {
    match (mark, tags) {
        (Some(mark), _) if mark.owner == *owner => Ownership::Marked(mark),
        (Some(mark), _) => Ownership::Other(mark.owner.to_string()),
        (None, None) => Ownership::Unknown,
        (None, Some(tags)) => match tags.get(OWNER_TAG) {
            Some(tagged) if tagged == owner.as_str() => Ownership::MarkLost,
            Some(tagged) => Ownership::Other(tagged.clone()),
            None => Ownership::Unmarked,
        },
    }
}

/// Whether the tags bear the second mark of `owner`: what taking something away needs beside the first.
pub(super) fn tagged(owner: &Owner, tags: Option<&Tags>) -> Option<bool> {
    tags.map(|tags| tags.get(OWNER_TAG).is_some_and(|tagged| tagged == owner.as_str()))
}

/// The highest sequence among the live marks of `owner`.
pub(super) fn newest_sequence(owner: &Owner, world: &World) -> Option<u64> {
    world.scopes.keys().filter_map(|scope| newest_in_scope(owner, world, scope)).max()
}

/// The same in one scope.
pub(super) fn newest_in_scope(owner: &Owner, world: &World, scope: &Scope) -> Option<u64> {
    let buses = world.view(scope)?.buses.values();
    buses
        .flat_map(|bus| std::iter::once(bus.mark()).chain(bus.rules.values().map(LiveRule::mark)))
        .flatten()
        .filter(|mark| mark.owner == *owner)
        .map(|mark| mark.sequence)
        .max()
}
