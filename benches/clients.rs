//! Clients at the daemon's HTTP surface, as many as are asked for, two thirds of them good and one third not.
//!
//! `clients ADDRESS CLIENTS SECONDS`. A good one asks one thing after the other as fast as it is answered. Of the others one
//! sends orders with a wrong token, one bodies that are too large, and one a byte of a request every second. On standard output
//! is a JSON object at the end: what the good ones asked and how long they waited, and how often each status came.

use std::collections::BTreeMap;
use std::error::Error;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};

type Failure = Box<dyn Error + Send + Sync>;

/// What good clients ask, in turn.
const PATHS: [&str; 8] = [
    "/metrics",
    "/api/v1/status",
    "/api/v1/scopes?limit=100",
    "/api/v1/incidents",
    "/api/v1/routes?limit=100",
    "/api/v1/sweeps?limit=20",
    "/api/v1/writes?limit=20",
    "/api/v1/plan",
];
const BODY_TOO_LARGE: usize = 1024 * 1024;

/// What one client saw.
#[derive(Default)]
struct Seen {
    micros: Vec<u128>,
    statuses: BTreeMap<String, u64>,
    /// Connections that were closed on it.
    closed: u64,
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    let [address, clients, seconds] = args.as_slice() else { return Err("clients ADDRESS CLIENTS SECONDS".into()) };
    let until = Instant::now() + Duration::from_secs(seconds.parse()?);
    let tasks: Vec<_> = (0..clients.parse::<usize>()?)
        .map(|number| {
            let address = address.clone();
            tokio::spawn(async move { (number % 3 == 2, client(&address, number, until).await) })
        })
        .collect();
    let (mut good, mut bad) = (Seen::default(), Seen::default());
    for task in tasks {
        let (is_bad, seen) = task.await?;
        let sum = if is_bad { &mut bad } else { &mut good };
        sum.micros.extend(seen.micros);
        sum.closed += seen.closed;
        for (status, count) in seen.statuses {
            *sum.statuses.entry(status).or_default() += count;
        }
    }
    good.micros.sort_unstable();
    let share = |percent: usize| good.micros.get(good.micros.len() * percent / 100).copied().unwrap_or_default();
    let seconds: f64 = seconds.parse()?;
    let told = serde_json::json!({
        "clients": clients.parse::<usize>()?,
        "seconds": seconds,
        "requests_per_second": good.micros.len() as f64 / seconds,
        "median_ms": share(50) as f64 / 1_000.0,
        "p99_ms": share(99) as f64 / 1_000.0,
        "statuses": good.statuses,
        "closed": good.closed,
        "bad_statuses": bad.statuses,
        "bad_closed": bad.closed,
    });
    println!("{told}");
    Ok(())
}

/// One client's life.
async fn client(address: &str, number: usize, until: Instant) -> Seen {
    let mut seen = Seen::default();
    while Instant::now() < until {
        let connection = async {
            let mut stream = TcpStream::connect(address).await?;
            stream.set_nodelay(true)?;
            match number % 9 {
                2 => wrong_token(&mut stream, address, &mut seen).await,
                5 => too_large(&mut stream, address, &mut seen).await,
                8 => slow(&mut stream, address, &mut seen).await,
                _ => good(&mut stream, address, number, &mut seen).await,
            }
        };
        let Ok(ended) = timeout_at(until, connection).await else { break };
        if ended.is_err() {
            seen.closed += 1;
        }
    }
    seen
}

async fn good(stream: &mut TcpStream, address: &str, number: usize, seen: &mut Seen) -> Result<(), Failure> {
    for path in PATHS.iter().cycle().skip(number) {
        let began = Instant::now();
        let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        answer(stream, seen).await?;
        seen.micros.push(began.elapsed().as_micros());
    }
    Ok(())
}

async fn wrong_token(stream: &mut TcpStream, address: &str, seen: &mut Seen) -> Result<(), Failure> {
    let request = format!(
        "POST /api/v1/sweep HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer guessed\r\nContent-Length: 2\r\n\r\n{{}}"
    );
    stream.write_all(request.as_bytes()).await?;
    answer(stream, seen).await
}

async fn too_large(stream: &mut TcpStream, address: &str, seen: &mut Seen) -> Result<(), Failure> {
    let head = format!("GET /api/v1/status HTTP/1.1\r\nHost: {address}\r\nContent-Length: {BODY_TOO_LARGE}\r\n\r\n");
    stream.write_all(head.as_bytes()).await?;
    // It is refused by its head, perhaps before it is sent whole.
    _ = stream.write_all(&vec![b' '; BODY_TOO_LARGE]).await;
    answer(stream, seen).await
}

#[allow(clippy::disallowed_methods)] // A client's own slowness.
async fn slow(stream: &mut TcpStream, address: &str, seen: &mut Seen) -> Result<(), Failure> {
    for byte in format!("GET /api/v1/status HTTP/1.1\r\nHost: {address}\r\n\r\n").bytes() {
        stream.write_all(&[byte]).await?;
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    answer(stream, seen).await
}

/// Reads one answer to its end.
async fn answer(stream: &mut TcpStream, seen: &mut Seen) -> Result<(), Failure> {
    let mut read = Vec::new();
    let head_end = loop {
        if let Some(at) = read.windows(4).position(|window| window == b"\r\n\r\n") {
            break at + 4;
        }
        more(stream, &mut read).await?;
    };
    let head = String::from_utf8_lossy(read.get(..head_end).unwrap_or_default()).to_ascii_lowercase();
    let status = head.split(' ').nth(1).unwrap_or_default().to_owned();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
    let length: usize = length.ok_or("an answer without a length")?.trim().parse()?;
    while read.len() < head_end + length {
        more(stream, &mut read).await?;
    }
    *seen.statuses.entry(status).or_default() += 1;
    Ok(())
}

async fn more(stream: &mut TcpStream, read: &mut Vec<u8>) -> Result<(), Failure> {
    let mut buffer = [0; 16 * 1024];
    let count = stream.read(&mut buffer).await?;
    if count == 0 {
        return Err("closed".into());
    }
    read.extend(buffer.get(..count).unwrap_or_default());
    Ok(())
}
