//! What people order: read, bounded, told to the daemon, and its answer given back.

use super::ask::{body, present, time, whole};
use super::problem::{Problem, shortened};
use super::view::Done;
use super::{Shared, Surface};
use crate::daemon::{Command, Reply};
use crate::model::ids::{Moment, Scope, SubscriptionId};
use crate::model::order::{LiveStop, ORDER_HOURS_MAX, Order, Pause, Reach};
use axum::Json;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use serde::Deserialize;
use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

/// Seconds that an order may hold.
const ORDER_SECS_MAX: u64 = ORDER_HOURS_MAX * 3_600;
/// Characters of a reason.
const REASON_CHARACTERS_MAX: usize = 500;
/// Characters of who says so.
const BY_CHARACTERS_MAX: usize = 100;
/// Scopes that one request names.
const SCOPES_MAX: usize = 1_000;
/// Who ordered something without saying so.
const SOMEBODY: &str = "somebody by HTTP";

type Answer = Result<Json<Done>, Problem>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct SweepBody {
    #[serde(default)]
    scopes: Vec<String>,
    #[serde(default)]
    full: bool,
    #[serde(default, deserialize_with = "present")]
    by: Option<String>,
}

pub(super) async fn sweep(State(surface): State<Shared>, request: Request) -> Answer {
    let SweepBody { scopes, full, by } = body(request).await?;
    if scopes.len() > SCOPES_MAX {
        return Err(Problem::bad_body(format!("scopes: at most {SCOPES_MAX}; leave them out for all")));
    }
    let by = by.map_or_else(|| Ok(SOMEBODY.to_owned()), by_whom)?;
    let scopes: BTreeSet<Scope> = scopes.iter().map(|text| named("scopes", text)).collect::<Result<_, _>>()?;
    surface.known(&scopes)?;
    surface.tell(Command::Sweep { scopes, full }, &by).await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct PauseBody {
    reach: String,
    #[serde(default, deserialize_with = "whole")]
    for_secs: Option<u64>,
    #[serde(default, deserialize_with = "present")]
    until: Option<String>,
    reason: String,
    by: String,
}

pub(super) async fn pause(State(surface): State<Shared>, request: Request) -> Answer {
    let PauseBody { reach, for_secs, until, reason, by } = body(request).await?;
    let reach: Reach = named("reach", &reach)?;
    let order = surface.order(for_secs, until.as_deref(), reason, by)?;
    let by = order.by.clone();
    surface.tell(Command::Pause(Pause { reach, order }), &by).await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct ResumeBody {
    #[serde(default, deserialize_with = "present")]
    reach: Option<String>,
    #[serde(default)]
    state_lost: bool,
    #[serde(default, deserialize_with = "present")]
    fight: Option<String>,
    by: String,
}

pub(super) async fn resume(State(surface): State<Shared>, request: Request) -> Answer {
    let ResumeBody { reach, state_lost, fight, by } = body(request).await?;
    let by = by_whom(by)?;
    let command = match (reach, state_lost, fight) {
        (Some(reach), false, None) => Command::Resume(named("reach", &reach)?),
        (None, true, None) => Command::ResumeStateLost,
        (None, false, Some(fight)) => surface.fight(&fight)?,
        _ => return Err(Problem::bad_body("one of these: reach, state-lost (true) or fight")),
    };
    surface.tell(command, &by).await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct StopBody {
    subscription: String,
    #[serde(default, deserialize_with = "whole")]
    for_secs: Option<u64>,
    #[serde(default, deserialize_with = "present")]
    until: Option<String>,
    reason: String,
    by: String,
}

pub(super) async fn stop(State(surface): State<Shared>, request: Request) -> Answer {
    let StopBody { subscription, for_secs, until, reason, by } = body(request).await?;
    let subscription: SubscriptionId = named("subscription", &subscription)?;
    let order = surface.order(for_secs, until.as_deref(), reason, by)?;
    let by = order.by.clone();
    surface.tell(Command::Stop(LiveStop { subscription, order }), &by).await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct StartBody {
    subscription: String,
    by: String,
}

pub(super) async fn start(State(surface): State<Shared>, request: Request) -> Answer {
    let StartBody { subscription, by } = body(request).await?;
    let subscription: SubscriptionId = named("subscription", &subscription)?;
    let by = by_whom(by)?;
    surface.tell(Command::Start(subscription), &by).await
}

impl Surface {
    async fn tell(&self, command: Command, by: &str) -> Answer {
        match self.handle.tell(command, by).await {
            Reply::Done(message) => Ok(Json(Done { message })),
            Reply::Refused(why) => Err(Problem::new(StatusCode::CONFLICT, "refused", why)),
        }
    }

    fn order(&self, for_secs: Option<u64>, until: Option<&str>, reason: String, by: String) -> Result<Order, Problem> {
        let since = (self.now)();
        let until = match (for_secs, until) {
            (Some(seconds), None) if (1..=ORDER_SECS_MAX).contains(&seconds) => since.plus_ms(seconds * 1_000),
            (Some(_), None) => {
                return Err(Problem::bad_body(format!("for-secs: from 1 to {ORDER_SECS_MAX}: {TOO_LONG}")));
            }
            (None, Some(text)) => end(since, text)?,
            _ => return Err(Problem::bad_body("one of these: for-secs or until")),
        };
        Ok(Order { since, until, reason: line("reason", reason, REASON_CHARACTERS_MAX)?, by: by_whom(by)? })
    }

    /// What is left alone under this name.
    fn fight(&self, name: &str) -> Result<Command, Problem> {
        let status = self.handle.status();
        let found = status.fights.keys().find(|resource| resource.to_string() == name).cloned();
        found.map(Command::ResumeFight).ok_or_else(|| {
            let message =
                format!("{} is not left alone; /api/v1/orders lists what is, under `fights`", shortened(name));
            Problem::new(StatusCode::CONFLICT, "refused", message)
        })
    }

    /// A sweep of scopes that nobody sweeps would do nothing and seem to have.
    fn known(&self, scopes: &BTreeSet<Scope>) -> Result<(), Problem> {
        let status = self.handle.status();
        let unknown = scopes.iter().find(|scope| !status.scopes.contains_key(scope));
        unknown.map_or(Ok(()), |scope| {
            let message = format!("scope {scope} is not swept; /api/v1/scopes lists those that are");
            Err(Problem::new(StatusCode::CONFLICT, "refused", message))
        })
    }
}

const TOO_LONG: &str = "what is to last longer belongs into the topology or the settings";

fn end(since: Moment, text: &str) -> Result<Moment, Problem> {
    let until = time(text).map_err(|why| Problem::bad_body(format!("until: {why}")))?;
    if until <= since || until.millis_since(since) > ORDER_SECS_MAX * 1_000 {
        let message = format!("until: {until} is not within the next {ORDER_HOURS_MAX} hours: {TOO_LONG}");
        return Err(Problem::new(StatusCode::CONFLICT, "refused", message));
    }
    Ok(until)
}

fn named<T: FromStr<Err: fmt::Display>>(key: &str, text: &str) -> Result<T, Problem> {
    text.parse().map_err(|error| Problem::bad_body(format!("{key}: {}", shortened(&format!("{error}")))))
}

fn by_whom(by: String) -> Result<String, Problem> {
    line("by", by, BY_CHARACTERS_MAX)
}

/// One line that says something.
fn line(key: &str, text: String, characters_max: usize) -> Result<String, Problem> {
    let is_good =
        !text.trim().is_empty() && text.chars().count() <= characters_max && !text.chars().any(char::is_control);
    let wrong = || Problem::bad_body(format!("{key}: one line of 1 to {characters_max} characters"));
    if is_good { Ok(text) } else { Err(wrong()) }
}
