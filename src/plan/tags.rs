//! Tags of what is ours: set where they are missing or other, removed where we set them and nobody asks for them any more.
//!
//! Which keys we set, the tag [`KEYS_TAG`] says, so that a tag of somebody else's is never removed.

use super::diff::{Asked, Change, Diff};
use crate::model::finding::{FindingCode, Outcome};
use crate::model::mark::{KEYS_TAG, keys_set_by_us};
use crate::model::plan::{Action, Cause, Guard, Seen};
use crate::model::resource::ResourceId;
use crate::model::topology::Tags;
use std::collections::BTreeSet;

/// What has to change for live tags to be the wanted ones.
pub(super) struct TagChange {
    set: Tags,
    remove: BTreeSet<String>,
}

impl TagChange {
    /// None if nothing has to.
    pub(super) fn of(wanted: &Tags, live: &Tags) -> Option<Self> {
        let differs = |(key, value): &(&String, &String)| live.get(*key) != Some(*value);
        let set: Tags = wanted.iter().filter(differs).map(|(key, value)| (key.clone(), value.clone())).collect();
        let remove: BTreeSet<String> = keys_set_by_us(live).filter(|key| !wanted.contains_key(*key)).cloned().collect();
        (!set.is_empty() || !remove.is_empty()).then_some(Self { set, remove })
    }
}

/// Plans the change: removal first, since the tag that says what we set is the last to change.
#[allow(clippy::too_many_arguments)] // Each is a part of the step; a struct would only name them again.
pub(super) fn plan(
    diff: &mut Diff<'_>,
    change: TagChange,
    resource: &ResourceId,
    (tag, untag): (impl Fn(Tags) -> Action, impl Fn(BTreeSet<String>) -> Action),
    seen: &Seen,
    cause: Cause,
    held_by: Option<Guard>,
    asked: &Asked,
) {
    let TagChange { set, remove } = change;
    let names = |keys: Vec<&String>| keys.into_iter().map(String::as_str).collect::<Vec<_>>().join(", ");
    // A tag that says which tags we set tells a person nothing.
    let told: Vec<&String> = set.keys().filter(|key| *key != KEYS_TAG || set.len() == 1).collect();
    let mut step = |action: Action, detail: String| {
        let mut codes = BTreeSet::new();
        if cause == Cause::Drift {
            diff.find(resource.clone(), FindingCode::TagsChanged, Outcome::Mend, detail.clone(), asked);
            codes.insert(FindingCode::TagsChanged);
        }
        diff.make(Change { action, seen: seen.clone(), cause, codes, held_by, detail: vec![detail] }, asked);
    };
    if !remove.is_empty() {
        let detail = format!("tags {} are not asked for any more", names(remove.iter().collect()));
        step(untag(remove), detail);
    }
    if !set.is_empty() {
        let detail = format!("tags {} are missing or have other values", names(told));
        step(tag(set), detail);
    }
}
