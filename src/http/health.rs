//! Whether the daemon lives, whether it is ready, what it counts, and what there is to ask.

use super::problem::Problem;
use super::view::Health;
use super::{OPENAPI, Shared, follow};
use crate::daemon::Status;
use crate::model::ids::Moment;
use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;

/// Milliseconds without a sign of the daemon, while it waits, beyond three times what lies between two sweeps.
const IDLE_MS_SPARE: u64 = 60_000;
/// Milliseconds that one sweep may take: a plan of thousands of writes goes at the pace that is set.
const SWEEP_MS_MAX: u64 = 3_600_000;

/// Whether the daemon's task goes on. Not whether AWS answers: starting again would mend nothing there.
pub(super) async fn livez(State(surface): State<Shared>) -> Result<Json<Health>, Problem> {
    let dead = |why: String| Problem::new(StatusCode::SERVICE_UNAVAILABLE, "not-alive", why);
    if !surface.handle.is_alive() {
        return Err(dead("the daemon's task has ended; start the program again".into()));
    }
    let (status, now) = (surface.handle.status(), (surface.now)());
    match overdue(&status, now) {
        Some(silent_ms) => Err(dead(format!(
            "the daemon has given no sign for {} s, longer than it should; start the program again",
            silent_ms / 1_000
        ))),
        None => Ok(Json(Health { status: "alive" })),
    }
}

/// For how long the daemon has been silent, if that is longer than it should be.
fn overdue(status: &Status, now: Moment) -> Option<u64> {
    let silent_ms = now.millis_since(status.at);
    // Without a topology there is nothing that it would tell regularly.
    let config = status.config.as_ref()?;
    let sweep = &config.settings.sweep;
    let between_ms = u64::from(sweep.fast_every_secs + sweep.gap_secs_min + sweep.start_jitter_secs_max) * 1_000;
    let bound_ms = if status.sweeping.is_some() { SWEEP_MS_MAX } else { 3 * between_ms + IDLE_MS_SPARE };
    (silent_ms > bound_ms).then_some(silent_ms)
}

/// Whether it knows how things stand.
pub(super) async fn readyz(State(surface): State<Shared>) -> Result<Json<Health>, Problem> {
    let status = surface.handle.status();
    if status.is_ready() {
        return Ok(Json(Health { status: "ready" }));
    }
    let why = match (&status.topology_refused, &status.config) {
        (Some(why), None) => format!("there is no good topology yet: {why}"),
        (None, None) => "the topology is not read yet".to_owned(),
        (_, Some(_)) => "the first sweep is not done yet".to_owned(),
    };
    Err(Problem::unready(why))
}

/// Everything that is counted, as OpenMetrics.
pub(super) async fn metrics(State(surface): State<Shared>) -> Result<impl IntoResponse, Problem> {
    let status = surface.handle.status();
    let now = (surface.now)();
    let kept = surface.stored(|store| Ok((store.alert_backlog()?, store.bytes()?, store.unreadable_rows()))).await?;
    let standing = follow::standing(&status, kept);
    let text = surface.metrics.scrape(&standing, now);
    Ok(([(header::CONTENT_TYPE, OPENMETRICS)], text))
}

const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// What there is to ask.
pub(super) async fn openapi() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], OPENAPI)
}
