//! The TCP door: the simulated AWS on a loopback port, for the demo, for benchmarks and for any other AWS client.
//!
//! Everybody who can reach the port can do everything, so it opens on loopback addresses alone. The simulated time
//! stands still unless whoever serves it moves it on.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::State;
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use tokio::net::TcpListener;

use super::SimulatedAws;
use super::http::respond;

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
    let address = listener.local_addr()?;
    if !address.ip().is_loopback() {
        return Err(io::Error::new(
            io::ErrorKind::AddrNotAvailable,
            format!(
                "the simulated AWS lets everybody in and so listens on loopback alone, not on {address}: use 127.0.0.1"
            ),
        ));
    }
    let router = Router::new().fallback(answer).with_state(world);
    axum::serve(listener, router).with_graceful_shutdown(shutdown).await
}

async fn answer(State(world): State<Arc<Mutex<SimulatedAws>>>, request: Request<Body>) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, BODY_BYTES_MAX).await else {
        let mut refused = Response::new(Body::from("the body is longer than any request of AWS"));
        *refused.status_mut() = StatusCode::PAYLOAD_TOO_LARGE;
        return refused;
    };
    let request: Request<Bytes> = Request::from_parts(parts, body);
    let mut world = world.lock().unwrap_or_else(PoisonError::into_inner);
    respond(&mut world, &request).map(Body::from)
}

/// PutEvents takes 1 MiB of entries; JSON makes them longer.
const BODY_BYTES_MAX: usize = 8 * 1_048_576;
