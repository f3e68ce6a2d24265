//! The TCP door: the simulated AWS on a loopback port, for the demo, for benchmarks and for any other AWS client.
//!
//! Everybody who can reach the port can do everything, so it opens on loopback addresses alone. The simulated time
//! stands still unless whoever serves it moves it on.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use bytes::Bytes;
use futures_util::stream::{self, StreamExt};
use http::{Request, Response, StatusCode};
use tokio::net::TcpListener;
use tokio::sync::watch;

use super::SimulatedAws;
use super::http_faults::{HttpFaults, Reply, reply};

/// Serves `world` on `listener` until `shutdown` is ready.
///
/// # Errors
///
/// [`io::ErrorKind::AddrNotAvailable`] where the listener is not on a loopback address, and what the socket reports.
pub async fn serve(
    listener: TcpListener,
    world: Arc<Mutex<SimulatedAws>>,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    open(listener, world, HttpFaults::default(), Duration::ZERO, shutdown).await
}

/// The same, each answer `latency` later than it is ready: AWS is a network away.
///
/// # Errors
///
/// As [`serve`].
pub async fn serve_afar(
    listener: TcpListener,
    world: Arc<Mutex<SimulatedAws>>,
    latency: Duration,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    open(listener, world, HttpFaults::default(), latency, shutdown).await
}

/// The same as [`serve`], with faults, which the caller may add and lift meanwhile.
///
/// # Errors
///
/// As [`serve`].
pub async fn serve_with_faults(
    listener: TcpListener,
    world: Arc<Mutex<SimulatedAws>>,
    faults: HttpFaults,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    open(listener, world, faults, Duration::ZERO, shutdown).await
}

async fn open(
    listener: TcpListener,
    world: Arc<Mutex<SimulatedAws>>,
    faults: HttpFaults,
    latency: Duration,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let address = listener.local_addr()?;
    if !address.ip().is_loopback() {
        return Err(io::Error::new(
            io::ErrorKind::AddrNotAvailable,
            format!(
                "the simulated AWS lets everybody in and so listens on loopback alone, not on {address}: use 127.0.0.1"
            ),
        ));
    }
    // Who is never answered would hold up the end.
    let (ending, ended) = watch::channel(false);
    let door = Door { world, faults, latency, ended };
    let router = Router::new().route(COUNTS_PATH, get(counts)).fallback(answer).with_state(door);
    let shutdown = async move {
        shutdown.await;
        _ = ending.send(true);
    };
    axum::serve(listener, router).with_graceful_shutdown(shutdown).await
}

#[derive(Clone)]
struct Door {
    world: Arc<Mutex<SimulatedAws>>,
    faults: HttpFaults,
    latency: Duration,
    /// Whether the door is being closed.
    ended: watch::Receiver<bool>,
}

async fn answer(State(mut door): State<Door>, request: Request<Body>) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, BODY_BYTES_MAX).await else {
        return only(StatusCode::PAYLOAD_TOO_LARGE, "the body is longer than any request of AWS");
    };
    let request: Request<Bytes> = Request::from_parts(parts, body);
    let replied = {
        let mut world = door.world.lock().unwrap_or_else(PoisonError::into_inner);
        reply(&mut world, &door.faults, &request)
    };
    if !door.latency.is_zero() {
        late(door.latency).await;
    }
    match replied {
        Reply::Whole(response) => response.map(Body::from),
        Reply::Cut(response) => response.map(broken_off),
        Reply::Never => {
            _ = door.ended.wait_for(|ended| *ended).await;
            only(StatusCode::SERVICE_UNAVAILABLE, "the simulated AWS ends")
        }
    }
}

/// How often each operation was called so far, as JSON.
async fn counts(State(door): State<Door>) -> Json<BTreeMap<String, u64>> {
    Json(door.world.lock().unwrap_or_else(PoisonError::into_inner).call_counts().clone())
}

#[allow(clippy::disallowed_methods)] // Sockets live by the machine's time.
async fn late(latency: Duration) {
    tokio::time::sleep(latency).await;
}

fn only(status: StatusCode, text: &'static str) -> Response<Body> {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    response
}

/// A body that breaks off after what is sent.
fn broken_off(sent: Bytes) -> Body {
    let rest = async {
        // What is sent is on its way only once the server has found nothing more to send.
        tokio::task::yield_now().await;
        Err(io::Error::new(io::ErrorKind::ConnectionReset, "the connection was closed in the middle of the body"))
    };
    Body::from_stream(stream::iter([Ok(sent)]).chain(stream::once(rest)))
}

/// Where the counts of calls are; every request to AWS goes to `/`.
pub const COUNTS_PATH: &str = "/counts";

/// PutEvents takes 1 MiB of entries; JSON makes them longer.
const BODY_BYTES_MAX: usize = 8 * 1_048_576;
