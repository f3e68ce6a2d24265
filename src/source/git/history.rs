//! What is before what.

use gix::ObjectId;
use gix::revision::walk::Sorting;
use gix::traverse::commit::simple::CommitTimeOrder;
use std::collections::HashMap;

/// Commits whose dates are looked at. A clock that was wrong further back than that is not made up for.
const COMMITS_MAX: usize = 10_000;

/// The commit's date, in seconds since 1970-01-01T00:00:00Z, and at least a second later than that of each commit before it: dates
/// are written by the machines of many people. It is git's own corrected commit date
/// (<https://git-scm.com/docs/gitformat-commit-graph>), but that a date in the future counts as `now_secs`, since otherwise nothing
/// could ever be newer than it.
///
/// # Errors
/// The history cannot be read.
pub(super) fn corrected_date(repository: &gix::Repository, tip: ObjectId, now_secs: u64) -> Result<u64, String> {
    let newest_first = Sorting::ByCommitTime(CommitTimeOrder::NewestFirst);
    let walk = repository.rev_walk([tip]).sorting(newest_first).all().map_err(|error| error.to_string())?;
    let mut commits = HashMap::new();
    for info in walk.take(COMMITS_MAX) {
        let info = info.map_err(|error| error.to_string())?;
        let seconds = u64::try_from(info.commit_time.unwrap_or_default()).unwrap_or_default();
        let parents: Vec<ObjectId> = info.parent_ids.iter().copied().collect();
        commits.insert(info.id, (parents, seconds.min(now_secs)));
    }
    let mut dates: HashMap<ObjectId, u64> = HashMap::new();
    let mut stack = vec![tip];
    while let Some(id) = stack.last().copied() {
        let (parents, seconds) = match commits.get(&id) {
            Some((parents, seconds)) => (parents.as_slice(), *seconds),
            None => (&[][..], 0),
        };
        let unknown: Vec<ObjectId> = parents.iter().copied().filter(|parent| !dates.contains_key(parent)).collect();
        if unknown.is_empty() {
            let after =
                parents.iter().filter_map(|parent| dates.get(parent)).max().map_or(0, |date| date.saturating_add(1));
            dates.insert(id, seconds.max(after));
            stack.pop();
        } else {
            stack.extend(unknown);
        }
    }
    Ok(dates.get(&tip).copied().unwrap_or_default())
}

/// Whether `tip` is `before` or has it in its history. A commit that is not there is in nobody's.
pub(super) fn descends(repository: &gix::Repository, tip: ObjectId, before: ObjectId) -> bool {
    let base = repository.merge_base(tip, before).ok().flatten().map(gix::Id::detach);
    base == Some(before)
}
