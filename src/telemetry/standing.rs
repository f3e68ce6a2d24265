//! How things stand at a scrape: numbers that others know, given whole.

use super::names::{Depth, Finding, Guard, Names, State, Version};
use crate::model::finding::FindingCode;
use crate::model::ids::{Moment, Scope};
use crate::model::plan;
use std::collections::{BTreeMap, BTreeSet};
use strum::IntoEnumIterator as _;

/// How things stand. What is not given is 0.
#[derive(Clone, Debug, Default)]
pub struct Standing {
    /// When the daemon was started.
    pub started: Moment,
    /// Findings of the latest plan.
    pub findings: BTreeMap<FindingCode, usize>,
    /// Incidents that are open.
    pub incidents: BTreeMap<FindingCode, usize>,
    /// Steps of the latest plan.
    pub plan_steps: usize,
    /// Those of them that each guard holds.
    pub held: BTreeMap<plan::Guard, usize>,
    /// Things that are left alone.
    pub fights: usize,
    /// Routes by state. The states are a fixed set, each given even if it has none.
    pub routes: BTreeMap<&'static str, usize>,
    /// Scopes by state, likewise.
    pub scopes: BTreeMap<&'static str, usize>,
    /// The scopes whose latest reading was not complete.
    pub unread: BTreeSet<Scope>,
    /// The scopes that are never asked.
    pub no_access: BTreeSet<Scope>,
    /// Whether a topology was good and a sweep is done.
    pub is_ready: bool,
    /// Whether the state is lost.
    pub state_lost: bool,
    /// Pauses in force.
    pub pauses: usize,
    /// Routes that are held off.
    pub stops: usize,
    /// Freezes that are on.
    pub freezes: usize,
    /// Breaks that settle.
    pub settling: usize,
    /// The topology's sequence.
    pub topology_sequence: Option<u64>,
    /// Whether a newer topology is refused.
    pub topology_refused: bool,
    /// When the latest sweep ended.
    pub last_sweep: Option<Moment>,
    /// When the latest full one began.
    pub last_full: Option<Moment>,
    /// Seconds from one fast sweep to the next.
    pub fast_every_secs: Option<u32>,
    /// Seconds from one full sweep to the next.
    pub full_every_secs: Option<u32>,
    /// Messages that wait, by channel.
    pub alerts_waiting: BTreeMap<String, u64>,
    /// Bytes of the state file.
    pub state_bytes: u64,
    /// Rows of it that could not be read.
    pub unreadable_rows: u64,
}

impl Standing {
    /// Sets every gauge but those of scopes and channels. Each series is there from the first scrape on, at 0, so that what is over
    /// is seen to be.
    pub(super) fn show(&self, names: &Names) {
        for code in FindingCode::iter() {
            let label = Finding { code: code.into(), severity: code.severity().into() };
            names.findings.get_or_create(&label).set(gauge(self.findings.get(&code)));
            names.incidents.get_or_create(&label).set(gauge(self.incidents.get(&code)));
        }
        for guard in plan::Guard::iter() {
            names.held.get_or_create(&Guard { guard: guard.into() }).set(gauge(self.held.get(&guard)));
        }
        for (state, count) in &self.routes {
            names.routes.get_or_create(&State { state }).set(gauge(Some(count)));
        }
        for (state, count) in &self.scopes {
            names.scopes.get_or_create(&State { state }).set(gauge(Some(count)));
        }
        names.plan_steps.set(gauge(Some(&self.plan_steps)));
        names.fights.set(gauge(Some(&self.fights)));
        names.ready.set(i64::from(self.is_ready));
        names.state_lost.set(i64::from(self.state_lost));
        names.pauses.set(gauge(Some(&self.pauses)));
        names.stops.set(gauge(Some(&self.stops)));
        names.freezes.set(gauge(Some(&self.freezes)));
        names.settling.set(gauge(Some(&self.settling)));
        names.topology_sequence.set(i64::try_from(self.topology_sequence.unwrap_or(0)).unwrap_or(i64::MAX));
        names.topology_refused.set(i64::from(self.topology_refused));
        names.state_bytes.set(i64::try_from(self.state_bytes).unwrap_or(i64::MAX));
        names.unreadable_rows.set(i64::try_from(self.unreadable_rows).unwrap_or(i64::MAX));
        names.started.set(seconds(Some(self.started)));
        names.last_sweep.get_or_create(&Depth { depth: "any" }).set(seconds(self.last_sweep));
        names.last_sweep.get_or_create(&Depth { depth: "full" }).set(seconds(self.last_full));
        for (depth, secs) in [("fast", self.fast_every_secs), ("full", self.full_every_secs)] {
            names.sweep_every.get_or_create(&Depth { depth }).set(i64::from(secs.unwrap_or(0)));
        }
        names.build.get_or_create(&Version { version: env!("CARGO_PKG_VERSION") }).set(1);
    }
}

fn gauge(count: Option<&usize>) -> i64 {
    i64::try_from(count.copied().unwrap_or(0)).unwrap_or(i64::MAX)
}

fn seconds(moment: Option<Moment>) -> f64 {
    std::time::Duration::from_millis(moment.map_or(0, |moment| moment.0)).as_secs_f64()
}
