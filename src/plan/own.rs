//! Whose a live thing is.

use crate::model::desired::Desired;
use crate::model::ids::{Owner, Scope};
use crate::model::mark::{Mark, OWNER_TAG};
use crate::model::topology::Tags;
use crate::model::world::{LiveBus, LiveRule, World};
use std::collections::BTreeSet;

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

/// The highest sequence among the live marks of ours in the hubs' scopes. Marks elsewhere do not count: somebody with
/// no more than a rule of their own could say a number there that stops everything.
pub(super) fn newest_sequence(desired: &Desired, world: &World) -> Option<u64> {
    hub_scopes(desired).into_iter().filter_map(|scope| newest_in_scope(&desired.owner, world, scope)).max()
}

/// The scopes of the hubs' accounts.
pub(super) fn hub_scopes(desired: &Desired) -> BTreeSet<&Scope> {
    let hubs = desired.buses.iter().filter(|(_, wanted)| wanted.team.is_none());
    hubs.map(|(bus, _)| &bus.scope).collect()
}

/// The highest sequence among the live marks of `owner` in one scope: on custom buses and on rules that are named as
/// ours are.
pub(super) fn newest_in_scope(owner: &Owner, world: &World, scope: &Scope) -> Option<u64> {
    let buses = world.view(scope)?.buses.iter().filter(|(name, _)| *name != "default");
    buses
        .flat_map(|(_, bus)| {
            let rules = bus.rules.iter().filter(|(name, _)| name.starts_with("ww."));
            std::iter::once(bus.mark()).chain(rules.map(|(_, rule)| rule.mark()))
        })
        .flatten()
        .filter(|mark| mark.owner == *owner)
        .map(|mark| mark.sequence)
        .max()
}
