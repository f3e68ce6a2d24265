//! Scopes that a topology named once and none names any more: they are swept until nothing of ours is there.
//!
//! Which Regions are read is what the topology names. When the last thing in a Region goes, so does its name, and what we had made
//! there would go on forwarding, unread and untold. So what was named is kept, over restarts as well.

use crate::model::desired::Desired;
use crate::model::ids::{Owner, Scope};
use crate::model::world::{Observation, World};
use crate::plan::is_anything_ours;
use crate::store::{Store, StoreError};
use std::collections::{BTreeMap, BTreeSet};

/// The scopes that were named so far, of which nobody has seen that nothing of ours is there.
#[derive(Debug, Default)]
pub(super) struct Beyond {
    /// Those that the topology names now.
    named: BTreeSet<Scope>,
    /// Those that it does not: how many full readings in a row found nothing of ours there.
    beyond: BTreeMap<Scope, u32>,
    /// What is kept of it.
    kept: Option<String>,
}

/// Full readings in a row that have to find nothing before a scope is let go: one of them may be a stale one.
const EMPTY_READINGS_MIN: u32 = 2;
/// The key of what is kept: scopes with spaces between them.
const NAMED: &str = "scopes-named";

impl Beyond {
    /// As it was left.
    pub(super) fn restore(store: &Store) -> Result<Self, StoreError> {
        let kept = store.meta(NAMED)?;
        let named = kept.iter().flat_map(|text| text.split(' ')).filter_map(|scope| scope.parse().ok()).collect();
        Ok(Self { named, beyond: BTreeMap::new(), kept })
    }

    /// A topology is gone by that names these.
    pub(super) fn turn_to(&mut self, desired: &Desired) {
        if self.named == desired.scopes {
            return;
        }
        let before = std::mem::replace(&mut self.named, desired.scopes.clone());
        self.beyond.extend(before.into_iter().map(|scope| (scope, 0)));
        self.beyond.retain(|scope, _| !self.named.contains(scope));
    }

    /// The scopes that the topology does not name.
    pub(super) fn scopes(&self) -> impl Iterator<Item = &Scope> {
        self.beyond.keys()
    }

    /// Takes in what a sweep read to the end, each scope with whether it was read in full. Returns the scopes that are let go.
    pub(super) fn see(&mut self, read: &BTreeMap<Scope, bool>, world: &World, owner: &Owner) -> Vec<Scope> {
        let mut let_go = Vec::new();
        for (scope, empty_readings) in &mut self.beyond {
            let Some(Observation::Complete { view, .. }) = world.scopes.get(scope) else { continue };
            if is_anything_ours(owner, scope, view) {
                *empty_readings = 0;
            } else if read.get(scope) == Some(&true) {
                *empty_readings += 1;
            }
            if *empty_readings >= EMPTY_READINGS_MIN {
                let_go.push(scope.clone());
            }
        }
        self.beyond.retain(|scope, _| !let_go.contains(scope));
        let_go
    }

    /// Writes it down, if it is not what was written before.
    pub(super) fn keep(&mut self, store: &Store) -> Result<(), StoreError> {
        let all: BTreeSet<String> = self.named.iter().chain(self.beyond.keys()).map(ToString::to_string).collect();
        let text = all.into_iter().collect::<Vec<_>>().join(" ");
        if self.kept.as_ref() != Some(&text) {
            store.set_meta(NAMED, &text)?;
            self.kept = Some(text);
        }
        Ok(())
    }
}
