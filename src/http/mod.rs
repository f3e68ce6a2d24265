//! The daemon's HTTP surface: health, metrics, what it knows as JSON and as a page, and people's orders.
//!
//! Layer 6. It reads what the daemon publishes and what the store keeps, and tells the daemon what people order; it calls no AWS
//! and decides nothing. The shapes of its answers are its own (`view.rs`), so that the model can change without them.
//!
//! **What is refused, and cheaply:** on loopback, requests whose `Host` is not this machine (DNS rebinding); elsewhere, everything
//! but the health checks without the token, or, for pages, a cookie that it gives; orders without it, everywhere; a forge without its own proof. What is asked costs a bounded amount: connections at
//! once, a head's time and size, a body's size, a request's time, a connection's time, rows of an answer, and questions to the
//! store at once, so that sweeps go on whatever clients do. There is no CORS: a page of another origin reads nothing.

mod access;
mod ask;
mod follow;
mod health;
mod hook;
mod orders;
mod page;
mod problem;
mod reads;
mod routes;
mod serve;
mod trace;
mod view;
mod why;

pub use access::Token;
pub use follow::follow;
pub use hook::Hook;
pub use serve::{CONNECTIONS_MAX, HEAD_SECS_MAX, serve};

use crate::daemon::Handle;
use crate::model::ids::Moment;
use crate::telemetry::Metrics;
use axum::Router;
use axum::routing::{MethodRouter, get, post};
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::sync::Semaphore;

/// What the surface is made of.
pub struct Parts {
    /// The daemon.
    pub handle: Handle,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// What orders need, and everything where others than this machine can reach it.
    pub token: Token,
    /// Where it listens.
    pub listen: SocketAddr,
    /// What a forge that calls proves itself with; none: nobody is heard there.
    pub hook: Option<Hook>,
    /// The time, as the daemon has it.
    pub now: Arc<dyn Fn() -> Moment + Send + Sync>,
}

/// The description of all of it, in OpenAPI 3.1.
pub const OPENAPI: &str = include_str!("openapi.json");
/// Bytes that a request's body has at most.
pub const BODY_BYTES_MAX: usize = 64 * 1024;
/// Seconds that a request takes at most, its body and our answer.
pub const REQUEST_SECS_MAX: u64 = 10;

/// What handlers are given.
type Shared = Arc<Surface>;

struct Surface {
    handle: Handle,
    metrics: Arc<Metrics>,
    token: Token,
    listen: SocketAddr,
    hook: Option<Hook>,
    now: Arc<dyn Fn() -> Moment + Send + Sync>,
    /// Questions to the store at once: each may hold a thread, and the sweeps need the store as well.
    store_turns: Arc<Semaphore>,
}

const STORE_QUESTIONS_MAX: usize = 4;

/// The surface of a daemon.
pub fn router(parts: Parts) -> Router {
    let Parts { handle, metrics, token, listen, hook, now } = parts;
    let store_turns = Arc::new(Semaphore::new(STORE_QUESTIONS_MAX));
    let surface = Arc::new(Surface { handle, metrics, token, listen, hook, now, store_turns });
    let router = operations().into_iter().fold(Router::new(), |router, operation| {
        let (_, path, handler) = operation;
        router.route(path, handler)
    });
    let router = page::pages().into_iter().fold(router, |router, (path, handler)| router.route(path, handler));
    router
        .fallback(problem::not_found)
        .method_not_allowed_fallback(problem::method_not_allowed)
        .layer(axum::middleware::from_fn_with_state(surface.clone(), access::guard))
        .with_state(surface)
}

/// Every operation: its method and its path, as OpenAPI writes them.
pub fn operation_names() -> Vec<(&'static str, &'static str)> {
    operations().into_iter().map(|(method, path, _)| (method, path)).collect()
}

fn operations() -> Vec<(&'static str, &'static str, MethodRouter<Shared>)> {
    vec![
        ("get", "/livez", get(health::livez)),
        ("get", "/readyz", get(health::readyz)),
        ("get", "/metrics", get(health::metrics)),
        ("get", "/api/v1/openapi.json", get(health::openapi)),
        ("get", "/api/v1/status", get(reads::status)),
        ("get", "/api/v1/scopes", get(reads::scopes)),
        ("get", "/api/v1/incidents", get(reads::incidents)),
        ("get", "/api/v1/incidents/{id}", get(reads::incident)),
        ("get", "/api/v1/sweeps", get(reads::sweeps)),
        ("get", "/api/v1/writes", get(reads::writes)),
        ("get", "/api/v1/plan", get(reads::plan)),
        ("get", "/api/v1/routes", get(routes::routes)),
        ("get", "/api/v1/orders", get(reads::orders)),
        ("get", "/api/v1/why", get(why::why)),
        ("post", trace::PATH, post(trace::traced)),
        ("post", "/api/v1/sweep", post(orders::sweep)),
        ("post", "/api/v1/pauses", post(orders::pause)),
        ("post", "/api/v1/resume", post(orders::resume)),
        ("post", "/api/v1/stops", post(orders::stop)),
        ("post", "/api/v1/start", post(orders::start)),
        ("post", hook::PATH, post(hook::hook)),
    ]
}
