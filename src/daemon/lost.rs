//! Whether the state was lost: a new state file, beside marks of ours that nobody here can have written.
//!
//! Which scopes were looked at is kept: a daemon that ends before it has seen all of them, or before it has read anything, leaves
//! the question to the next one.

use crate::model::ids::{Owner, Scope};
use crate::model::resource::{BusId, RuleId};
use crate::model::world::{ScopeView, World};
use crate::store::{Store, StoreError};
use std::collections::BTreeSet;

/// The scopes that were looked at since the state file was made; none, once there is nothing left to look at. Each is looked at
/// when it is first read, which is before anything is written there.
pub(super) struct Unknown(Option<BTreeSet<Scope>>);

/// Says of a new store that there was none before it that could be lost.
///
/// # Errors
/// It was not kept.
pub fn nothing_is_lost(store: &Store) -> Result<(), StoreError> {
    store.set_meta(LOOKED_AT, ALL)
}

impl Unknown {
    /// As it was left.
    pub(super) fn restore(store: &Store) -> Result<Self, StoreError> {
        Ok(Self(match store.meta(LOOKED_AT)?.as_deref() {
            None => Some(BTreeSet::new()),
            Some(ALL) => None,
            Some(scopes) => Some(scopes.split(' ').filter_map(|scope| scope.parse().ok()).collect()),
        }))
    }

    /// Looks at the scopes that are read for the first time: whether any of them bears marks of ours. None, where there is no such
    /// scope. Marks may be on rules alone: `default` is never marked. `swept` are the scopes that can be read at all.
    pub(super) fn look(
        &mut self,
        world: &World,
        owner: &Owner,
        mut swept: impl Iterator<Item = Scope>,
    ) -> Option<bool> {
        let looked_at = self.0.as_mut()?;
        let before = looked_at.len();
        let mut found = false;
        for (scope, view) in world.scopes.iter().filter_map(|(scope, seen)| Some((scope, seen.view()?))) {
            if looked_at.insert(scope.clone()) {
                found |= bears_mark(scope, view, owner);
            }
        }
        let has_looked = looked_at.len() > before;
        if found || swept.all(|scope| looked_at.contains(&scope)) {
            self.0 = None;
        }
        has_looked.then_some(found)
    }

    /// Writes it down.
    pub(super) fn keep(&self, store: &Store) -> Result<(), StoreError> {
        let scopes = |scopes: &BTreeSet<Scope>| scopes.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
        store.set_meta(LOOKED_AT, &self.0.as_ref().map_or_else(|| ALL.to_owned(), scopes))
    }
}

fn bears_mark(scope: &Scope, view: &ScopeView, owner: &Owner) -> bool {
    view.buses.iter().any(|(name, live)| {
        let bus = BusId { scope: scope.clone(), name: name.clone() };
        let of_rules =
            live.rules.iter().map(|(name, rule)| rule.mark(&RuleId { bus: bus.clone(), name: name.clone() }));
        of_rules.chain([live.mark(&bus)]).flatten().any(|mark| mark.owner == *owner)
    })
}

/// The key of the scopes that were looked at, with spaces between them.
const LOOKED_AT: &str = "looked-at";
const ALL: &str = "all";

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::model::few::Few;
    use crate::model::ids::Moment;
    use crate::model::mark::{Digest, Mark};
    use crate::model::resource::ResourceId;
    use crate::model::world::{LiveBus, LiveRule, Observation};

    fn scope(number: u64) -> Scope {
        format!("{number:012}/us-east-1").parse().unwrap()
    }

    /// Scopes that were read, each with a rule on the bus `default`, which bears our mark or none.
    fn world(scopes: &[(u64, bool)]) -> World {
        let mut world = World::default();
        for (number, is_marked) in scopes {
            let bus = BusId { scope: scope(*number), name: "default".into() };
            let rule = RuleId { bus, name: "ww.a.b".into() };
            let mark = Mark::new(&owner(), 7, &ResourceId::Rule(rule), Digest::of(&[]));
            let description = if *is_marked { mark.stamp("a rule") } else { "a rule".into() };
            let rule = LiveRule { description, ..LiveRule::default() };
            let bus = LiveBus { rules: Few::from_iter([("ww.a.b".to_owned(), rule)]), ..LiveBus::default() };
            let view = ScopeView { buses: Few::from_iter([("default".to_owned(), bus)]), ..ScopeView::default() };
            world.scopes.insert(scope(*number), Observation::Complete { at: Moment(1), view: view.into() });
        }
        world
    }

    fn owner() -> Owner {
        "acme".parse().unwrap()
    }

    fn swept() -> impl Iterator<Item = Scope> {
        [scope(1), scope(2)].into_iter()
    }

    #[test]
    fn a_mark_on_a_rule_alone_is_found_in_a_scope_that_answers_late() {
        let store = Store::in_memory().unwrap();
        let mut unknown = Unknown::restore(&store).unwrap();
        assert_eq!(unknown.look(&world(&[]), &owner(), swept()), None, "nothing answered yet");
        assert_eq!(unknown.look(&world(&[(1, false)]), &owner(), swept()), Some(false));
        // What was written meanwhile where it was looked is no news; what was there where it was not, is.
        assert_eq!(unknown.look(&world(&[(1, true)]), &owner(), swept()), None);
        assert_eq!(unknown.look(&world(&[(1, true), (2, true)]), &owner(), swept()), Some(true));
    }

    #[test]
    fn a_restart_goes_on_where_it_was() {
        let store = Store::in_memory().unwrap();
        let mut first = Unknown::restore(&store).unwrap();
        first.look(&world(&[(1, false)]), &owner(), swept());
        first.keep(&store).unwrap();
        let restored = || Unknown::restore(&store).unwrap();
        assert_eq!(restored().look(&world(&[(1, true), (2, true)]), &owner(), swept()), Some(true));
        let mut second = restored();
        assert_eq!(second.look(&world(&[(1, true), (2, false)]), &owner(), swept()), Some(false));
        second.keep(&store).unwrap();
        assert_eq!(
            restored().look(&world(&[(1, true), (2, true), (3, true)]), &owner(), swept()),
            None,
            "all is known"
        );
    }
}
