//! The daemon with everything about it: alerts, schedule, numbers, HTTP. What ends first is the daemon; the others follow it.

use super::state::random_number;
use crate::daemon::{Daemon, Handle, Parts, outbox};
use crate::http::{self, Token};
use crate::port::{Clock, Fleet};
use crate::schedule;
use crate::telemetry::Metrics;
use anyhow::Context as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// What is served.
pub(in crate::cli) struct Service<F, C> {
    pub(in crate::cli) parts: Parts<F, C>,
    pub(in crate::cli) metrics: Arc<Metrics>,
    pub(in crate::cli) listen: SocketAddr,
    pub(in crate::cli) token: Token,
    pub(in crate::cli) hook: Option<http::Hook>,
}

/// Milliseconds that the daemon may take to end, once it is told to: a step's calls, each with its timeout.
const ENDS_WITHIN_MS: u64 = 25_000;
/// How long alerts that are due may still be brought.
const ALERTS_WITHIN: Duration = Duration::from_secs(3);

/// Serves until `shutdown` becomes true. `begun` is told the way to the daemon.
pub(in crate::cli) async fn serve<F, C>(
    service: Service<F, C>,
    shutdown: watch::Receiver<bool>,
    begun: impl FnOnce(Handle) -> JoinHandle<()>,
) -> anyhow::Result<()>
where
    F: Fleet + 'static,
    C: Clock + Clone + 'static,
{
    let Service { parts, metrics, listen, token, hook } = service;
    let (clock, alerts) = (parts.clock.clone(), Arc::clone(&parts.alerts));
    let listener = TcpListener::bind(listen).await.with_context(|| {
        format!("listening on {listen}: is another daemon running? `[http] listen` or --listen names another")
    })?;
    let listen = listener.local_addr().context("reading the address that was bound")?;
    let (daemon, handle) = Daemon::new(parts)?;
    let (of_clock, of_end) = (clock.clone(), clock.clone());
    let surface = http::router(http::Parts {
        handle: handle.clone(),
        metrics: Arc::clone(&metrics),
        token,
        listen,
        hook,
        now: Arc::new(move || of_clock.now()),
    });
    tracing::info!(%listen, "serves the page, /livez, /readyz, /metrics and /api/v1");
    let beside = [
        begun(handle.clone()),
        tokio::spawn(http::serve(listener, surface, until(shutdown.clone()))),
        tokio::spawn(http::follow(handle.clone(), Arc::clone(&metrics))),
        tokio::spawn(schedule::follow(handle.clone())),
    ];
    let alerts = tokio::spawn(outbox::deliver(handle, alerts, metrics, clock, random_number));
    let running = tokio::spawn(daemon.run(until(shutdown.clone())));
    let late = async {
        until(shutdown).await;
        of_end.wait_ms(ENDS_WITHIN_MS).await;
    };
    let ended = tokio::select! {
        ended = running => ended.context("the daemon broke down; what it had kept is whole"),
        () = late => {
            tracing::warn!("a step did not end in time; the next start looks at what became of it");
            Ok(())
        }
    };
    _ = tokio::time::timeout(ALERTS_WITHIN, alerts).await;
    for task in beside {
        task.abort();
    }
    ended
}

async fn until(mut shutdown: watch::Receiver<bool>) {
    // A sender that is gone is as good as the word.
    _ = shutdown.wait_for(|is_over| *is_over).await;
}
