//! Counting what the daemon did: every sweep that it kept and every write of it, once, as it publishes them; and how things
//! stand, as numbers for a scrape.

use crate::daemon::{Handle, Status};
use crate::http::routes::route_counts;
use crate::store::{Backlog, Store, StoreError, WriteFilter};
use crate::telemetry::{Metrics, Standing};
use std::sync::Arc;

/// Rows of one look into the store.
const ROWS: usize = 1_000;

/// Counts until the daemon ends. What was done before the program started is not counted again.
pub async fn follow(mut handle: Handle, metrics: Arc<Metrics>) {
    let started = handle.status().started;
    let mut counted = match newest(&handle).await {
        Ok(newest) => newest,
        Err(error) => {
            tracing::error!(%error, "sweeps are not counted: what is remembered could not be read");
            return;
        }
    };
    loop {
        let status = handle.status();
        metrics.observed(status.scopes.iter().map(|(scope, seen)| (scope, seen.is_complete(), seen.at)), started);
        let latest = status.last_sweep.as_ref().map(|sweep| sweep.id);
        if let Some(latest) = latest.filter(|latest| *latest > counted) {
            let (store, into) = (Arc::clone(&handle.store), Arc::clone(&metrics));
            let after = counted;
            let done = tokio::task::spawn_blocking(move || count(&store, &into, after, latest)).await;
            match done {
                Ok(Ok(())) => counted = latest,
                Ok(Err(error)) => tracing::warn!(%error, "a sweep is not counted yet"),
                Err(error) => tracing::warn!(%error, "a sweep is not counted yet"),
            }
        }
        if !handle.changed().await {
            return;
        }
    }
}

async fn newest(handle: &Handle) -> Result<u64, StoreError> {
    let store = Arc::clone(&handle.store);
    // The daemon may have swept already: what it published is counted from its first.
    let first = handle.status().last_sweep.as_ref().map(|sweep| sweep.id.saturating_sub(1));
    match first {
        Some(before) => Ok(before),
        None => {
            let asked = tokio::task::spawn_blocking(move || store.next_sweep_id()).await;
            asked.unwrap_or(Ok(1)).map(|next| next.saturating_sub(1))
        }
    }
}

/// Counts the sweeps after `after` up to `latest`, with their writes.
fn count(store: &Store, metrics: &Metrics, after: u64, latest: u64) -> Result<(), StoreError> {
    let mut sweeps = Vec::new();
    let mut before = latest.checked_add(1);
    loop {
        let page = store.sweeps(ROWS, before)?;
        let oldest = page.last().map(|sweep| sweep.id);
        sweeps.extend(page.into_iter().filter(|sweep| sweep.id > after));
        match oldest {
            Some(oldest) if oldest > after + 1 => before = Some(oldest),
            _ => break,
        }
    }
    // All is read before anything is counted: what fails here is counted whole the next time.
    let mut writes = Vec::new();
    for sweep in &sweeps {
        let mut before = None;
        loop {
            let filter = WriteFilter { sweep: Some(sweep.id), before, limit: ROWS, ..WriteFilter::default() };
            let page = store.writes(&filter)?;
            let is_last = page.len() < ROWS;
            before = page.last().map(|(id, _)| *id);
            writes.extend(page.into_iter().map(|(_, write)| (verb(&write.step.to_string()), write.end)));
            if is_last {
                break;
            }
        }
    }
    for sweep in &sweeps {
        metrics.swept(sweep);
    }
    for (verb, end) in writes {
        metrics.wrote(&verb, end);
    }
    Ok(())
}

/// A step's key begins with its verb.
fn verb(step: &str) -> String {
    step.split(' ').next().unwrap_or_default().to_owned()
}

/// How things stand, as numbers; `kept` is what waits to be told, the bytes of the state file and rows of it that cannot be read.
pub(super) fn standing(status: &Status, kept: (Vec<Backlog>, u64, u64)) -> Standing {
    let (backlog, state_bytes, unreadable_rows) = kept;
    let mut standing = Standing {
        started: status.started,
        scopes: status.scope_counts(),
        routes: route_counts(status),
        last_full: status.last_full,
        last_sweep: status.last_sweep.as_ref().map(|sweep| sweep.began.plus_ms(sweep.took_ms)),
        fights: status.fights.len(),
        is_ready: status.is_ready(),
        state_lost: status.state_lost,
        pauses: status.pauses.len(),
        stops: status.stops.len(),
        freezes: status.freezes.len(),
        settling: status.settling.map_or(0, |(breaks, _)| breaks),
        topology_refused: status.topology_refused.is_some(),
        alerts_waiting: backlog.into_iter().map(|backlog| (backlog.channel, backlog.count)).collect(),
        state_bytes,
        unreadable_rows,
        ..Standing::default()
    };
    if let Some(config) = &status.config {
        let sweep = &config.settings.sweep;
        standing.topology_sequence = Some(config.revision.sequence);
        standing.fast_every_secs = Some(sweep.fast_every_secs);
        standing.full_every_secs = Some(sweep.full_every_secs);
    }
    for incident in &status.incidents {
        *standing.incidents.entry(incident.concern.code).or_default() += 1;
    }
    if let Some(plan) = &status.plan {
        standing.plan_steps = plan.steps.len();
        for finding in &plan.findings {
            *standing.findings.entry(finding.code).or_default() += 1;
        }
        for guard in plan.steps.iter().flat_map(|step| &step.held_by) {
            *standing.held.entry(*guard).or_default() += 1;
        }
    }
    if let Some(desired) = &status.desired {
        standing.no_access.clone_from(&desired.no_access);
    }
    standing.unread = status.unread().into_iter().cloned().collect();
    standing
}
