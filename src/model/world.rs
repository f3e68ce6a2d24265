//! The world: what each scope answered, with its gaps and its time.
//!
//! Whether an observation may carry a break is a type: [`Evidence`] can only be had from complete
//! observations that are recent enough, and a break cannot be built without one.

use super::desired::Revision;
use super::few::Few;
use super::ids::{Moment, Scope};
use super::mark::Mark;
use super::resource::{ArchiveSpec, BusId, BusSettings, ResourceId, RuleId, TargetSpec};
use super::topology::Tags;
use crate::eventbridge::{BusPolicy, Pattern};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

/// The observations of all scopes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct World {
    /// What each scope last answered.
    pub scopes: BTreeMap<Scope, Observation>,
    /// What scopes that do not answer now answered before: good for what drift's mending requires of them, and for knowing that a
    /// newer topology was applied; never for a break.
    pub answered_before: BTreeMap<Scope, Arc<ScopeView>>,
    /// What is remembered of the past, if anything is.
    pub met: Option<Met>,
}

/// Scopes that once had all that a topology asks of them: what is missing there now was taken away.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Met {
    /// The topology's revision.
    pub revision: String,
    /// Its place in the order: the same text may come back later, after another was applied.
    pub sequence: u64,
    /// The scopes.
    pub scopes: BTreeSet<Scope>,
}

/// What one scope answered. A clone shares the view.
#[derive(Clone, Debug, PartialEq)]
pub enum Observation {
    /// Everything that we asked for, to the last page.
    Complete {
        /// When the first question was asked: nothing in it is older.
        at: Moment,
        /// What is there.
        view: Arc<ScopeView>,
    },
    /// A part: good for makes, never for breaks.
    Partial {
        /// When the first question was asked.
        at: Moment,
        /// What was read.
        view: Arc<ScopeView>,
        /// What could not be read, and why.
        missing: Vec<Gap>,
    },
    /// Nothing: the scope could not be asked.
    Unreachable {
        /// When it was tried.
        at: Moment,
        /// Why, as a person reads it.
        why: Gap,
    },
    /// An account with `access = "none"`: never asked.
    NoAccess,
}

/// One thing that could not be read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Gap {
    /// The IAM action that failed, as `events:ListRules`.
    pub action: String,
    /// A stable word for the reason: `denied`, `throttled`, ….
    pub class: String,
    /// What AWS or the network said.
    pub message: String,
    /// What to do about it.
    pub mend: String,
}

impl fmt::Display for Gap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.action, self.class, self.message)
    }
}

impl Observation {
    /// When the first question was asked; none where nothing ever is.
    pub fn at(&self) -> Option<Moment> {
        match self {
            Self::Complete { at, .. } | Self::Partial { at, .. } | Self::Unreachable { at, .. } => Some(*at),
            Self::NoAccess => None,
        }
    }

    /// The same, with the view of `before` where that is the same: nearly all that is read is as it was, and is kept once.
    #[must_use]
    fn sharing(mut self, before: Option<&Self>) -> Self {
        if let (Self::Complete { view, .. } | Self::Partial { view, .. }, Some(known)) =
            (&mut self, before.and_then(Self::shared_view))
            && *view == known
        {
            *view = known;
        }
        self
    }

    fn shared_view(&self) -> Option<Arc<ScopeView>> {
        match self {
            Self::Complete { view, .. } | Self::Partial { view, .. } => Some(Arc::clone(view)),
            Self::Unreachable { .. } | Self::NoAccess => None,
        }
    }

    /// What was read, complete or not.
    pub fn view(&self) -> Option<&ScopeView> {
        match self {
            Self::Complete { view, .. } | Self::Partial { view, .. } => Some(view),
            Self::Unreachable { .. } | Self::NoAccess => None,
        }
    }
}

/// Proof that scopes were read to the end, and lately: what a break needs (promise 3). It can only be had from
/// [`World::evidence`], so a break without it cannot be written down.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Evidence {
    scopes: BTreeSet<Scope>,
    oldest: Moment,
}

impl Evidence {
    /// The scopes that it speaks for.
    pub fn scopes(&self) -> &BTreeSet<Scope> {
        &self.scopes
    }

    /// When the oldest of their observations was begun.
    pub fn oldest(&self) -> Moment {
        self.oldest
    }
}

impl Met {
    /// Whether it is about this topology.
    pub fn is_of(&self, revision: &Revision) -> bool {
        self.revision == revision.id && self.sequence == revision.sequence
    }
}

impl World {
    /// Takes in what `scope` answered. Where it answered nothing, what it answered before is kept beside that.
    pub fn take_in(&mut self, scope: Scope, observation: Observation) {
        let before = self.scopes.get(&scope);
        match (&observation, before.and_then(Observation::shared_view)) {
            (Observation::Unreachable { .. }, Some(view)) => _ = self.answered_before.insert(scope.clone(), view),
            (Observation::Unreachable { .. }, None) => {}
            _ => _ = self.answered_before.remove(&scope),
        }
        let observation = observation.sharing(before);
        self.scopes.insert(scope, observation);
    }

    /// Takes in what was read anew of some scopes.
    pub fn take_in_all(&mut self, read: Self) {
        for (scope, observation) in read.scopes {
            self.take_in(scope, observation);
        }
    }

    /// What is known of scopes other than these goes.
    pub fn keep_only(&mut self, is_kept: impl Fn(&Scope) -> bool) {
        self.scopes.retain(|scope, _| is_kept(scope));
        self.answered_before.retain(|scope, _| is_kept(scope));
    }

    /// Whether `scope` is known to have had all that this revision asks of it.
    pub fn had_all_of(&self, revision: &Revision, scope: &Scope) -> bool {
        self.met.as_ref().is_some_and(|met| met.is_of(revision) && met.scopes.contains(scope))
    }

    /// What was read of `scope`, complete or not.
    pub fn view(&self, scope: &Scope) -> Option<&ScopeView> {
        self.scopes.get(scope).and_then(Observation::view)
    }

    /// Evidence for a break that touches `scopes`: only if each of them was read completely, at most
    /// `age_max_ms` milliseconds before `now`. Otherwise the scopes that were not.
    pub fn evidence(&self, scopes: BTreeSet<Scope>, now: Moment, age_max_ms: u64) -> Result<Evidence, Vec<Scope>> {
        let mut oldest = now;
        let mut lacking = Vec::new();
        for scope in &scopes {
            match self.scopes.get(scope) {
                Some(Observation::Complete { at, .. }) if now.millis_since(*at) <= age_max_ms => {
                    oldest = oldest.min(*at);
                }
                _ => lacking.push(scope.clone()),
            }
        }
        if lacking.is_empty() { Ok(Evidence { scopes, oldest }) } else { Err(lacking) }
    }

    /// The live bus `bus`, if it was seen.
    pub fn bus(&self, bus: &BusId) -> Option<&LiveBus> {
        self.view(&bus.scope)?.buses.get(&bus.name)
    }

    /// The live rule `rule`, if it was seen.
    pub fn rule(&self, rule: &RuleId) -> Option<&LiveRule> {
        self.bus(&rule.bus)?.rules.get(&rule.name)
    }
}

/// What there is in one scope.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ScopeView {
    /// Whether the listing of buses was read to its end: only then does absence mean anything.
    pub buses_read: bool,
    /// Every bus, by name.
    pub buses: Few<String, LiveBus>,
    /// Whether the listing of archives was read to its end; a fast reading does not look at archives.
    pub archives_read: bool,
    /// Archives that bear our prefix or that we want, by name.
    pub archives: BTreeMap<String, LiveArchive>,
}

/// A live bus.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LiveBus {
    /// The description as it stands, mark and all.
    pub description: String,
    /// Its tags, where they were read: where the description bears no mark and we want the bus, and by a full reading.
    pub tags: Option<Tags>,
    /// What only DescribeEventBus says, where it was asked: a full reading does, of buses that are wanted or ours.
    pub settings: Option<BusSettings>,
    /// Its resource policy; `Err` is the text that could not be understood: then nothing on it is broken.
    pub policy: Option<Result<BusPolicy, String>>,
    /// Whether the listing of rules was read to its end. It is not read at all for buses that do not matter:
    /// those that we neither marked nor want.
    pub rules_read: bool,
    /// Every rule, by name.
    pub rules: Few<String, LiveRule>,
}

impl LiveBus {
    /// The mark in the description, if it was written on this bus, `bus`.
    pub fn mark(&self, bus: &BusId) -> Option<Mark> {
        Mark::on(&self.description, &ResourceId::Bus(bus.clone()))
    }
}

/// A live rule.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LiveRule {
    /// The description as it stands, mark and all.
    pub description: String,
    /// Its pattern as it stands, and parsed; none for a schedule.
    pub pattern: Option<LivePattern>,
    /// Its state as AWS writes it: `ENABLED`, `DISABLED`, `ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS`.
    pub state: String,
    /// The AWS service that manages it, if one does: such rules are never ours.
    pub managed_by: Option<String>,
    /// The account that made it, where that was asked (a full reading does, of rules on hubs that are not ours).
    pub created_by: Option<String>,
    /// Its tags, where they were read: for rules that we want without a mark, and marked ones that we do not want.
    pub tags: Option<Tags>,
    /// Its targets by Id, where they were read: for marked and wanted rules.
    pub targets: Option<Few<String, LiveTarget>>,
}

impl LiveRule {
    /// The mark in the description, if it was written on this rule, `rule`.
    pub fn mark(&self, rule: &RuleId) -> Option<Mark> {
        Mark::on_rule(&self.description, rule)
    }
}

/// A live rule's pattern.
#[derive(Clone, Debug, PartialEq)]
pub struct LivePattern {
    /// As AWS returned it, which is as it was put.
    pub text: String,
    /// As we understand it; none if we do not.
    pub parsed: Option<Pattern>,
}

/// A live target.
#[derive(Clone, Debug, PartialEq)]
pub struct LiveTarget {
    /// The fields that we set.
    pub spec: TargetSpec,
    /// The fields that we never set (input transformers and the like), so that a change of theirs shows.
    pub other: BTreeMap<String, Value>,
}

/// A live archive.
#[derive(Clone, Debug, PartialEq)]
pub struct LiveArchive {
    /// The fields that we set.
    pub spec: ArchiveSpec,
    /// Its pattern, if it has one; ours have none.
    pub pattern: Option<String>,
    /// Its state as AWS writes it.
    pub state: String,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn seen(at: u64, buses: &[&str]) -> Observation {
        let buses = buses.iter().map(|name| ((*name).to_owned(), LiveBus::default())).collect();
        let view = Arc::new(ScopeView { buses_read: true, buses, ..ScopeView::default() });
        Observation::Complete { at: Moment(at), view }
    }

    #[test]
    fn what_is_as_it_was_is_kept_once_and_is_as_new_as_the_reading() {
        let before = seen(1, &["default"]);
        let same = seen(2, &["default"]).sharing(Some(&before));
        assert!(std::ptr::eq(same.view().unwrap(), before.view().unwrap()));
        assert_eq!(same.at(), Some(Moment(2)));
        let other = seen(3, &["default", "new"]).sharing(Some(&before));
        assert_eq!(other, seen(3, &["default", "new"]));
    }
}
