//! What is left of a sweep: incidents, messages, history, one line in the log.

use super::config::Config;
use super::met;
use super::round::Ended;
use super::turn::Daemon;
use crate::model::alert::Alert;
use crate::model::history::{SweepRecord, WriteRecord};
use crate::model::ids::Moment;
use crate::model::incident::Incident;
use crate::model::resource::ResourceId;
use crate::model::world::Met;
use crate::port::{Clock, Fleet};
use crate::store::{Store, StoreError};
use crate::watch::alert::{self, Around};
use crate::watch::incident::Sight;
use std::collections::BTreeSet;
use std::sync::Arc;

impl<F: Fleet + 'static, C: Clock + Clone + 'static> Daemon<F, C> {
    /// Makes incidents of what a sweep saw, and messages of those.
    fn tell(&mut self, sight: &Sight, record: &SweepRecord, config: &Config) -> (alert::Changes, Vec<(String, Alert)>) {
        let changes = self.memory.incidents.see(sight);
        let mut told = alert::Changes {
            open: changes.opened.into_iter().chain(changes.open).collect(),
            resolved: changes.resolved.into_iter().chain(changes.mended).collect(),
        };
        let contacts = config.contacts();
        let hubs = |incident: &Incident| match incident.concern.subject.resource() {
            Some(resource) => config.places.hubs_of(resource, incident.concern.team.as_ref()),
            None => BTreeSet::new(),
        };
        let channels = self.alerts.settings();
        let around = Around {
            owner: config.settings.operator.owner.as_str(),
            revision: &config.revision.id,
            channels: &channels,
            contacts: &contacts,
            hubs: &hubs,
        };
        let alerts = alert::alerts(&mut told, &around, record.began.plus_ms(record.took_ms));
        self.memory.incidents.replace(told.open.iter().cloned());
        (told, alerts)
    }

    /// Makes incidents and messages of what a sweep saw, and keeps all of it at once.
    pub(super) async fn remember(&mut self, ended: Ended, config: &Config) {
        let Ended { record, writes, sight, plan, tripped, again: _ } = ended;
        let (told, alerts) = self.tell(&sight, &record, config);
        log_sweep(&record, &told);
        let incidents: Vec<Incident> = told.open.into_iter().chain(told.resolved).collect();
        self.memory.last_sweep = Some(record.clone());
        self.memory.plan = Some(Arc::new(plan));
        self.last_ended = Some(self.clock.now());
        self.sweep_id += 1;
        let at = self.clock.now();
        let met = self.memory.world.met.clone();
        let met = met.filter(|met| self.met_kept.as_ref() != Some(met));
        self.unkept.push_back(Unkept { at, record, writes, incidents, alerts, tripped, met });
        if self.unkept.len() > UNKEPT_MAX {
            self.unkept.pop_front();
        }
        self.keep().await;
    }

    /// Keeps what sweeps left, the oldest first; what cannot be kept now is kept with the next one.
    async fn keep(&mut self) {
        while let Some(unkept) = self.unkept.pop_front() {
            let store = self.store.clone();
            let kept = tokio::task::spawn_blocking(move || {
                let kept = unkept.keep(&store);
                (unkept, kept)
            });
            match kept.await {
                Ok((unkept, Ok(()))) => self.met_kept = unkept.met.or(self.met_kept.take()),
                Ok((unkept, Err(error))) => {
                    let waiting = self.unkept.len() + 1;
                    tracing::error!(%error, waiting, "a sweep could not be kept yet; alerts of it wait");
                    self.unkept.push_front(unkept);
                    return;
                }
                Err(error) => tracing::error!(%error, "a sweep could not be kept"),
            }
        }
    }
}

/// Sweeps that wait to be kept; beyond them the oldest is given up.
const UNKEPT_MAX: usize = 1_000;

/// What one sweep left.
pub(super) struct Unkept {
    at: Moment,
    record: SweepRecord,
    writes: Vec<WriteRecord>,
    incidents: Vec<Incident>,
    alerts: Vec<(String, Alert)>,
    tripped: Vec<ResourceId>,
    /// What is newly known of the past.
    met: Option<Met>,
}

impl Unkept {
    fn keep(&self, store: &Store) -> Result<(), StoreError> {
        for resource in &self.tripped {
            store.trip(resource, self.at)?;
        }
        if let Some(met) = &self.met {
            met::keep(met, store)?;
        }
        store.commit_sweep(&self.record, &self.writes, &self.incidents, &self.alerts)
    }
}

/// One line a sweep, at the level that it deserves.
fn log_sweep(record: &SweepRecord, told: &alert::Changes) {
    let SweepRecord { full, took_ms, scopes_read, scopes_unread, findings, done, failed, held, .. } = record;
    let plan = record.plan_id.as_deref().unwrap_or("-");
    let open = told.open.len();
    // The level of an event is fixed where it is written, so the line is written once for each.
    macro_rules! tell {
        ($level:ident) => {
            tracing::$level!(
                full,
                took_ms,
                scopes_read,
                scopes_unread,
                findings,
                plan,
                done,
                failed,
                held,
                open,
                "swept"
            )
        };
    }
    if *failed > 0 || *scopes_unread > 0 {
        tell!(warn);
    } else if *done > 0 || *findings > 0 {
        tell!(info);
    } else {
        tell!(debug);
    }
}
