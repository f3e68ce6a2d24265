//! Patterns compared: one canonical form for equal meaning, and careful answers on overlap and cover.

use super::matcher::Matcher;
use super::{Branch, Field};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Branches without what another alternative or branch matches anyway.
pub(super) fn canonical(branches: Vec<Branch>) -> BTreeSet<Branch> {
    let branches: BTreeSet<Branch> = branches.into_iter().map(canonical_branch).collect();
    if branches.len() > BRANCHES_COMPARED_MAX {
        return branches;
    }
    let all: Vec<Branch> = branches.into_iter().collect();
    without_covered(all, branch_covers).into_iter().collect()
}

/// Whether some event may match both branches.
pub(super) fn may_overlap(one: &Branch, two: &Branch) -> bool {
    !one.iter().any(|(path, mine)| match two.get(path) {
        Some(theirs) if is_single_valued(path) => {
            let together = |one: &Matcher| theirs.iter().any(|two| !one.is_disjoint_from(two));
            !mine.iter().any(together)
        }
        Some(theirs) => {
            (requires_absence(one, path, mine) && !theirs.contains(&Matcher::Absent))
                || (requires_absence(two, path, theirs) && !mine.contains(&Matcher::Absent))
        }
        None => false,
    })
}

/// Whether whatever matches the inner branch certainly matches the outer.
pub(super) fn branch_covers(outer: &Branch, inner: &Branch) -> bool {
    outer.iter().all(|(path, mine)| {
        let covered =
            inner.get(path).is_some_and(|theirs| theirs.iter().all(|one| mine.iter().any(|outer| outer.covers(one))));
        covered
            && (!mine.contains(&Matcher::Absent)
                || inner.keys().all(|other| outer.contains_key(other) || !may_share_array(path, other)))
    })
}

/// Whether the only way for the field to match is that no value is there at all, in any element of any array.
///
/// A field's absence is judged within the array elements that the branch's other fields chose, so a branch whose
/// other fields may lie in the same array can call a field absent that another element has.
fn requires_absence(branch: &Branch, path: &str, matchers: &Field) -> bool {
    matchers.iter().all(|one| *one == Matcher::Absent)
        && branch.keys().all(|other| **other == *path || !may_share_array(path, other))
}

/// Fields share an array only below a common beginning.
fn may_share_array(one: &str, two: &str) -> bool {
    one.split('.').next() == two.split('.').next()
}

fn canonical_branch(branch: Branch) -> Branch {
    branch.into_iter().map(|(path, matchers)| (path, canonical_field(matchers))).collect()
}

fn canonical_field(matchers: Arc<Field>) -> Arc<Field> {
    if matchers.len() < 2 || matchers.len() > ALTERNATIVES_COMPARED_MAX {
        return matchers;
    }
    let all: Vec<Matcher> = matchers.iter().cloned().collect();
    Arc::new(without_covered(all, Matcher::covers).into_iter().collect())
}

/// The members that no other remaining member covers, in the same order. Of two that cover each other the later stays.
fn without_covered<T>(members: Vec<T>, covers: impl Fn(&T, &T) -> bool) -> Vec<T> {
    let mut kept: Vec<T> = Vec::with_capacity(members.len());
    let mut rest = members.into_iter();
    while let Some(member) = rest.next() {
        let covered = kept.iter().chain(rest.as_slice()).any(|other| covers(other, &member));
        if !covered {
            kept.push(member);
        }
    }
    kept
}

fn is_single_valued(path: &str) -> bool {
    SINGLE_VALUED.contains(&path)
}

/// Fields of the envelope that hold one text in every event. Any other may be an array, and an array can match two
/// patterns with two different elements.
/// <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-events-structure.html>
const SINGLE_VALUED: [&str; 8] = ["account", "detail-type", "id", "region", "replay-name", "source", "time", "version"];

/// Above these counts a set is left as it was read: comparing each with each would take longer than it is worth.
const BRANCHES_COMPARED_MAX: usize = 64;
const ALTERNATIVES_COMPARED_MAX: usize = 256;
