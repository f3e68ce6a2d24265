//! Serving connections, each at a bounded cost.
//!
//! **Guarantees:** at most [`CONNECTIONS_MAX`] connections are served at once, the next ones wait in the system's queue. A
//! connection is let go when its next request's head has not come within [`HEAD_SECS_MAX`] seconds, or when it is 60 seconds old,
//! whatever it does: a client that reads or writes a byte a second costs one slot for that long and no more memory than one request.
//! Browsers and scrapers connect anew without noticing.

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

/// Connections that are served at once.
pub const CONNECTIONS_MAX: usize = 256;
/// Seconds that the head of a request may take, from the connection's start or from the last answer.
pub const HEAD_SECS_MAX: u64 = 5;

/// A connection takes no further requests after this.
const CONNECTION_TURNS_AFTER: Duration = Duration::from_secs(30);
/// And is dropped after this.
const CONNECTION_ENDS_AFTER: Duration = Duration::from_secs(60);
/// What is under way at the end has this long to finish.
const ENDS_WITHIN: Duration = Duration::from_secs(5);
/// Bytes of a request's head, and of what is read ahead.
const BUFFER_BYTES_MAX: usize = 16 * 1024;
const HEADERS_MAX: usize = 64;
/// After an accept that failed, as when there are no file handles left.
const ACCEPT_AGAIN_AFTER: Duration = Duration::from_millis(100);

/// Serves `router` on `listener` until `shutdown` comes; ends within 5 seconds of it.
pub async fn serve(listener: TcpListener, router: Router, shutdown: impl Future<Output = ()>) {
    let slots = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let (ending, is_ending) = watch::channel(false);
    let mut shutdown = pin!(shutdown);
    loop {
        let accepted = async {
            let slot = Arc::clone(&slots).acquire_owned().await;
            (slot, listener.accept().await)
        };
        tokio::select! {
            biased;
            () = &mut shutdown => break,
            (slot, accepted) = accepted => match (slot, accepted) {
                (Ok(slot), Ok((stream, _))) => {
                    tokio::spawn(connection(stream, router.clone(), slot, is_ending.clone()));
                }
                (_, Err(error)) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    pause(ACCEPT_AGAIN_AFTER).await;
                }
                (Err(_), _) => break,
            },
        }
    }
    drop(listener);
    _ = ending.send(true);
    let all = u32::try_from(CONNECTIONS_MAX).unwrap_or(u32::MAX);
    // Every slot is free once every connection is closed.
    _ = tokio::time::timeout(ENDS_WITHIN, slots.acquire_many(all)).await;
}

async fn connection(
    stream: TcpStream,
    router: Router,
    _slot: OwnedSemaphorePermit,
    mut is_ending: watch::Receiver<bool>,
) {
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(Duration::from_secs(HEAD_SECS_MAX))
        .max_buf_size(BUFFER_BYTES_MAX)
        .max_headers(HEADERS_MAX);
    let served = builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    let mut served = pin!(served);
    let turns = async {
        tokio::select! {
            _ = is_ending.wait_for(|ending| *ending) => {}
            () = pause(CONNECTION_TURNS_AFTER) => {}
        }
    };
    let whole = async {
        tokio::select! {
            ended = served.as_mut() => return ended,
            () = turns => served.as_mut().graceful_shutdown(),
        }
        served.await
    };
    match tokio::time::timeout(CONNECTION_ENDS_AFTER, whole).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(%error, "a connection ended early"),
        Err(_) => tracing::debug!("a connection was too slow"),
    }
}

#[allow(clippy::disallowed_methods)] // Sockets live by the machine's time.
async fn pause(time: Duration) {
    tokio::time::sleep(time).await;
}
