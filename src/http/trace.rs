//! Where an event would go: by the topology that stands, and by what was last read of the accounts.

use super::Shared;
use super::ask::body;
use super::problem::{Problem, shortened};
use super::reads::unswept;
use crate::daemon::Status;
use crate::report::trace as report;
use crate::trace::{Question, Trace, trace};
use axum::Json;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::Value;

/// Where questions are sent: an event is too long for a URL.
pub(super) const PATH: &str = "/api/v1/trace";

/// A question; the fields are those of `wheelwright trace`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct TraceQuestion {
    pub(super) event: Value,
    pub(super) published_by: Option<String>,
    pub(super) bus: Option<String>,
}

pub(super) async fn traced(State(surface): State<Shared>, request: Request) -> Result<Json<Value>, Problem> {
    let question: TraceQuestion = body(request).await?;
    // It may take a while, so it is kept off the threads that serve others, and few are answered at once.
    let turn = surface.store_turns.clone().acquire_owned().await;
    let status = surface.handle.status();
    let answered = tokio::task::spawn_blocking(move || {
        let _turn = turn;
        answer(&status, &question)
    });
    let traced = answered.await.unwrap_or_else(|error| {
        let message = format!("the question was not answered: {error}");
        Err(Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", message))
    })?;
    Ok(Json(report::json(&traced)))
}

/// What is answered to a question.
pub(super) fn answer(status: &Status, question: &TraceQuestion) -> Result<Trace, Problem> {
    let config = status.config.as_ref().ok_or_else(unswept)?;
    let desired = status.desired.as_ref().ok_or_else(unswept)?;
    let TraceQuestion { event, published_by, bus } = question;
    let given =
        |text: &Option<String>| text.as_deref().map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned);
    let (by, bus) = (given(published_by), given(bus));
    let question = Question::read(&config.topology, event, by.as_deref(), bus.as_deref())
        .map_err(|error| Problem::new(StatusCode::CONFLICT, "refused", shortened(&error.to_string())))?;
    Ok(trace(&question, desired, config.topology.organization.as_deref(), Some(&status.world)))
}
