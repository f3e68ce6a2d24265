//! What the daemon shows of itself: one value, published whole after each change, so that nobody reads half of one.

use crate::model::desired::Desired;
use crate::model::history::SweepRecord;
use crate::model::ids::{Moment, Scope};
use crate::model::incident::Incident;
use crate::model::order::{LiveStop, Pause};
use crate::model::plan::Plan;
use crate::model::resource::ResourceId;
use crate::model::world::World;
use crate::plan::Frozen;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use strum::IntoEnumIterator as _;

/// The daemon as it stands.
#[derive(Clone, Debug, Default)]
pub struct Status {
    /// When it was started.
    pub started: Moment,
    /// When this was published.
    pub at: Moment,
    /// What it goes by, once a topology was good.
    pub config: Option<Arc<super::config::Config>>,
    /// What is wrong with the newest topology, where an older one stands.
    pub topology_refused: Option<String>,
    /// The latest sweep.
    pub last_sweep: Option<SweepRecord>,
    /// When the latest full sweep ended.
    pub last_full: Option<Moment>,
    /// What set off the sweep that is under way, if one is.
    pub sweeping: Option<String>,
    /// Each scope, as it was last read.
    pub scopes: BTreeMap<Scope, ScopeStatus>,
    /// What is wrong now.
    pub incidents: Vec<Incident>,
    /// The plan as the latest sweep left it.
    pub plan: Option<Arc<Plan>>,
    /// What is asked for.
    pub desired: Option<Arc<Desired>>,
    /// What is there.
    pub world: Arc<World>,
    /// What people paused.
    pub pauses: Vec<Pause>,
    /// The routes that people hold off.
    pub stops: Vec<LiveStop>,
    /// The freezes that are on.
    pub freezes: Vec<Frozen>,
    /// What is left alone because somebody else keeps taking it back, each since when.
    pub fights: BTreeMap<ResourceId, Moment>,
    /// Whether the state was lost, so that nothing is written.
    pub state_lost: bool,
    /// Breaks that wait for their settle time, and when the first of them is ready.
    pub settling: Option<(usize, Moment)>,
}

/// How one scope stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScopeStatus {
    /// How it was last read.
    pub state: ScopeState,
    /// When that was.
    pub at: Option<Moment>,
    /// What was wrong, and what mends it.
    pub why: Option<String>,
    /// When it is asked again, if it is in trouble.
    pub next: Option<Moment>,
}

impl ScopeStatus {
    /// Whether it was read to the end.
    pub fn is_complete(&self) -> bool {
        self.state == ScopeState::Complete
    }
}

/// How a scope was last read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, strum::IntoStaticStr, strum::EnumIter)]
#[strum(serialize_all = "kebab-case")]
pub enum ScopeState {
    /// To the end.
    Complete,
    /// In part.
    Partial,
    /// Not at all.
    Unreachable,
    /// It is being asked, and has not answered in time for the latest sweep.
    Waiting,
    /// It is never asked: `access = "none"`.
    NoAccess,
}

impl Status {
    /// Whether every scope was read to the end at least once since the start, or is known to be in trouble: what a balancer asks.
    pub fn is_ready(&self) -> bool {
        self.config.is_some() && self.last_sweep.is_some()
    }

    /// How many scopes are in each state; a state without any counts too.
    pub fn scope_counts(&self) -> BTreeMap<&'static str, usize> {
        let mut counts: BTreeMap<&'static str, usize> = ScopeState::iter().map(|state| (state.into(), 0)).collect();
        for status in self.scopes.values() {
            *counts.entry(status.state.into()).or_default() += 1;
        }
        counts
    }

    /// The scopes that could not be read to the end.
    pub fn unread(&self) -> BTreeSet<&Scope> {
        let bad = |status: &ScopeStatus| !matches!(status.state, ScopeState::Complete | ScopeState::NoAccess);
        self.scopes.iter().filter(|(_, status)| bad(status)).map(|(scope, _)| scope).collect()
    }
}
