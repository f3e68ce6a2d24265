//! What is refused, in which words, and that refusing costs the sweeps nothing.

use crate::served::{Served, TOKEN, serve};
use crate::wire::{raw, read};
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use wheelwright::http::{BODY_BYTES_MAX, CONNECTIONS_MAX};

/// Requests that are refused, each as it goes over the wire; `HOST` and `TOKEN` stand for what is right.
const REFUSED: &[(&str, &str)] = &[
    ("a page of elsewhere, pointed here", "GET /api/v1/status HTTP/1.1\r\nHost: evil.example:8080\r\n\r\n"),
    ("a name that begins like ours", "GET /api/v1/status HTTP/1.1\r\nHost: localhost.evil.example\r\n\r\n"),
    ("no host", "GET /api/v1/status HTTP/1.0\r\n\r\n"),
    ("two hosts", "GET /api/v1/status HTTP/1.1\r\nHost: HOST\r\nHost: evil.example\r\n\r\n"),
    ("a path that is none", "GET /api/v2/status HTTP/1.1\r\nHost: HOST\r\n\r\n"),
    ("an encoded way out", "GET /api/v1/..%2f..%2fetc%2fpasswd HTTP/1.1\r\nHost: HOST\r\n\r\n"),
    ("an incident that is none", "GET /api/v1/incidents/0000000000 HTTP/1.1\r\nHost: HOST\r\n\r\n"),
    ("an id that is no text", "GET /api/v1/incidents/%ff HTTP/1.1\r\nHost: HOST\r\n\r\n"),
    ("a limit of 0", "GET /api/v1/incidents?limit=0 HTTP/1.1\r\nHost: HOST\r\n\r\n"),
    ("a limit beyond", "GET /api/v1/writes?limit=1001 HTTP/1.1\r\nHost: HOST\r\n\r\n"),
    ("a limit that is no number", "GET /api/v1/sweeps?limit=-1 HTTP/1.1\r\nHost: HOST\r\n\r\n"),
    ("a row beyond", "GET /api/v1/writes?before=99999999999999999999 HTTP/1.1\r\nHost: HOST\r\n\r\n"),
    ("a code that is none", "GET /api/v1/incidents?code=rule-disabed HTTP/1.1\r\nHost: HOST\r\n\r\n"),
    ("a team that is none", "GET /api/v1/incidents?team=A HTTP/1.1\r\nHost: HOST\r\n\r\n"),
    ("a scope that is none", "GET /api/v1/writes?scope=42 HTTP/1.1\r\nHost: HOST\r\n\r\n"),
    ("a time that is none", "GET /api/v1/writes?since=yesterday HTTP/1.1\r\nHost: HOST\r\n\r\n"),
    ("a truth that is none", "GET /api/v1/incidents?open=maybe HTTP/1.1\r\nHost: HOST\r\n\r\n"),
    ("a state that is none", "GET /api/v1/routes?state=broken HTTP/1.1\r\nHost: HOST\r\n\r\n"),
    ("a key that is none", "GET /api/v1/status?verbose=1 HTTP/1.1\r\nHost: HOST\r\n\r\n"),
    ("why nothing", "GET /api/v1/why HTTP/1.1\r\nHost: HOST\r\n\r\n"),
    (
        "why something unknown",
        "GET /api/v1/why?what=arn:aws:events:us-east-1:111111111111:rule/x HTTP/1.1\r\nHost: HOST\r\n\r\n",
    ),
    ("another method", "DELETE /api/v1/status HTTP/1.1\r\nHost: HOST\r\nAuthorization: Bearer TOKEN\r\n\r\n"),
    (
        "a page that asks whether it may",
        "OPTIONS /api/v1/stops HTTP/1.1\r\nHost: HOST\r\nOrigin: https://evil.example\r\n\r\n",
    ),
    (
        "an order without a token",
        "POST /api/v1/sweep HTTP/1.1\r\nHost: HOST\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}",
    ),
    (
        "a wrong token",
        "POST /api/v1/sweep HTTP/1.1\r\nHost: HOST\r\nAuthorization: Bearer TOKENs\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}",
    ),
    (
        "an empty token",
        "POST /api/v1/sweep HTTP/1.1\r\nHost: HOST\r\nAuthorization: Bearer \r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}",
    ),
    (
        "another scheme",
        "POST /api/v1/sweep HTTP/1.1\r\nHost: HOST\r\nAuthorization: Basic TOKEN\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}",
    ),
    (
        "a form of a page",
        "POST /api/v1/sweep HTTP/1.1\r\nHost: HOST\r\nAuthorization: Bearer TOKEN\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\n{}",
    ),
    (
        "no content type",
        "POST /api/v1/sweep HTTP/1.1\r\nHost: HOST\r\nAuthorization: Bearer TOKEN\r\nContent-Length: 2\r\n\r\n{}",
    ),
    (
        "a body that says it is large",
        "POST /api/v1/sweep HTTP/1.1\r\nHost: HOST\r\nAuthorization: Bearer TOKEN\r\nContent-Type: application/json\r\nContent-Length: 99999999999\r\n\r\n{",
    ),
];

/// Bodies that are refused.
const REFUSED_BODIES: &[(&str, &str, &str)] = &[
    ("no JSON", "/api/v1/sweep", "{"),
    ("another shape", "/api/v1/sweep", r#"{"full": "yes"}"#),
    ("a key that is none", "/api/v1/sweep", r#"{"force": true}"#),
    ("a scope that nobody sweeps", "/api/v1/sweep", r#"{"scopes": ["999999999999/us-east-9"]}"#),
    ("nobody", "/api/v1/pauses", r#"{"reach": "all", "for-secs": 60, "reason": "x", "by": " "}"#),
    ("no reason", "/api/v1/pauses", r#"{"reach": "all", "for-secs": 60, "reason": "", "by": "kim"}"#),
    ("a reason of two lines", "/api/v1/pauses", r#"{"reach": "all", "for-secs": 60, "reason": "a\nb", "by": "kim"}"#),
    (
        "a reach that is none",
        "/api/v1/pauses",
        r#"{"reach": "everything", "for-secs": 60, "reason": "x", "by": "kim"}"#,
    ),
    ("for ever", "/api/v1/pauses", r#"{"reach": "all", "for-secs": 99999999, "reason": "x", "by": "kim"}"#),
    ("for no time", "/api/v1/pauses", r#"{"reach": "all", "for-secs": 0, "reason": "x", "by": "kim"}"#),
    (
        "until the past",
        "/api/v1/pauses",
        r#"{"reach": "all", "until": "2020-01-01T00:00:00Z", "reason": "x", "by": "kim"}"#,
    ),
    ("no end", "/api/v1/pauses", r#"{"reach": "all", "reason": "x", "by": "kim"}"#),
    ("two things to resume", "/api/v1/resume", r#"{"reach": "all", "state-lost": true, "by": "kim"}"#),
    ("a state that is not lost", "/api/v1/resume", r#"{"state-lost": true, "by": "kim"}"#),
    ("a fight that is none", "/api/v1/resume", r#"{"fight": "rule x", "by": "kim"}"#),
    (
        "a subscription of nobody",
        "/api/v1/stops",
        r#"{"subscription": "ledger.larg", "for-secs": 60, "reason": "x", "by": "kim"}"#,
    ),
    ("a route that is not held off", "/api/v1/start", r#"{"subscription": "ledger.large", "by": "kim"}"#),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_refused_is_told_why() {
    let served = serve("", None).await;
    served.in_step().await;
    let mut told = String::new();
    for (what, request) in REFUSED {
        let request = request.replace("HOST", &served.address.to_string()).replace("TOKEN", TOKEN);
        let request = request.replacen("\r\n\r\n", "\r\nConnection: close\r\n\r\n", 1);
        let answer = raw(served.address, request.as_bytes()).await.unwrap_or_else(|| panic!("{what}: no answer"));
        writeln!(told, "{what}\n  {}", answer.problem()).unwrap();
        assert!(answer.header("access-control-allow-origin").is_none(), "{what}: {}", answer.head);
    }
    for (what, path, body) in REFUSED_BODIES {
        let answer = raw(served.address, order(&served, path, body).as_bytes()).await.unwrap();
        writeln!(told, "{path}: {what}\n  {}", answer.problem()).unwrap();
    }
    let large = format!(r#"{{"by": "{}"}}"#, "x".repeat(BODY_BYTES_MAX));
    let chunked = format!(
        "POST /api/v1/sweep HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nAuthorization: Bearer {TOKEN}\r\n\
         Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{large}\r\n0\r\n\r\n",
        served.address,
        large.len()
    );
    let answer = raw(served.address, chunked.as_bytes()).await.unwrap();
    writeln!(told, "a body that turns out to be large\n  {}", answer.problem()).unwrap();
    let told = told.replace(&served.address.to_string(), "127.0.0.1:8080");
    insta::assert_snapshot!("refused", told);
    // Nothing of all this was done.
    let orders = served.get("/api/v1/orders").await.json();
    assert_eq!(orders["log"], serde_json::json!([]), "{orders}");
    served.end().await;
}

fn order(served: &Served, path: &str, body: &str) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nAuthorization: Bearer {TOKEN}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        served.address,
        body.len()
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_not_on_this_machine_needs_the_token() {
    let listen: SocketAddr = "0.0.0.0:8080".parse().unwrap();
    let served = serve("", Some(listen)).await;
    served.in_step().await;
    let ask = |path: &str, token: &str| {
        format!("GET {path} HTTP/1.1\r\nHost: wheelwright.internal\r\nConnection: close\r\n{token}\r\n")
    };
    for path in ["/livez", "/readyz"] {
        assert_eq!(raw(served.address, ask(path, "").as_bytes()).await.unwrap().status, 200, "{path}");
    }
    for (method, path) in wheelwright::http::operation_names() {
        if method != "get" || ["/livez", "/readyz"].contains(&path) {
            continue;
        }
        let refused = raw(served.address, ask(path, "").as_bytes()).await.unwrap();
        assert!(refused.problem().starts_with("401 unauthorized"), "{path}: {}", refused.body);
        assert_eq!(refused.header("www-authenticate"), Some("Bearer"), "{}", refused.head);
        let wrong = raw(served.address, ask(path, "Authorization: Bearer wrong\r\n").as_bytes()).await.unwrap();
        assert_eq!(wrong.status, 401, "{path}");
    }
    let question =
        "POST /api/v1/trace HTTP/1.1\r\nHost: wheelwright.internal\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
    assert_eq!(
        raw(served.address, question.as_bytes()).await.unwrap().status,
        401,
        "questions are answered here with the token"
    );
    let unknown = raw(served.address, ask("/nothing", "").as_bytes()).await.unwrap();
    assert_eq!(unknown.status, 401, "what there is, is not told either");
    let right = ask("/api/v1/status", &format!("Authorization: Bearer {TOKEN}\r\n"));
    assert_eq!(raw(served.address, right.as_bytes()).await.unwrap().status, 200);
    served.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_clients_are_let_go_and_sweeps_go_on() {
    let served = serve("", None).await;
    served.in_step().await;
    let before = served.handle.status().last_sweep.as_ref().unwrap().id;
    // More of them than connections at once, each with a byte of a head now and then, and one with a byte of a body.
    let mut slow = Vec::new();
    for _ in 0..CONNECTIONS_MAX + 20 {
        let address = served.address;
        slow.push(tokio::spawn(async move { trickle(address, "GET /livez HTTP/1.1\r\nX-Slow: ").await }));
    }
    let head = order(&served, "/api/v1/sweep", "{}").replace("Content-Length: 2", "Content-Length: 9999");
    let address = served.address;
    let slow_body = tokio::spawn(async move { trickle(address, &head).await });
    // A proper client is answered, at the latest when the first of the slow ones are gone.
    assert_eq!(served.get("/livez").await.status, 200);
    for client in slow {
        let answer = client.await.unwrap();
        assert!(answer.is_none_or(|answer| answer.status == 408), "a head that never ends is not answered");
    }
    let answer = slow_body.await.unwrap().expect("a request whose head is whole is answered");
    assert!(answer.problem().starts_with("408 too-slow"), "{}", answer.body);
    let sweeps = served.another_sweep().await;
    assert!(sweeps > before + 3, "sweeps went on meanwhile: {before} to {sweeps}");
    served.end().await;
}

/// Sends a beginning, then a byte now and then, until the other side has enough; and what it said.
async fn trickle(address: SocketAddr, beginning: &str) -> Option<crate::wire::Answer> {
    let mut stream = TcpStream::connect(address).await.unwrap();
    _ = stream.write_all(beginning.as_bytes()).await;
    let (mut reading, mut writing) = stream.into_split();
    let writes = tokio::spawn(async move {
        while writing.write_all(b"x").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    });
    let mut bytes = Vec::new();
    _ = tokio::io::AsyncReadExt::read_to_end(&mut reading, &mut bytes).await;
    writes.abort();
    crate::wire::parse(&bytes)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_daemon_that_is_told_to_end_ends_though_clients_stay() {
    let served = serve("", None).await;
    served.in_step().await;
    let mut idle = TcpStream::connect(served.address).await.unwrap();
    let mut asking = TcpStream::connect(served.address).await.unwrap();
    asking.write_all(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n").await.unwrap();
    served.get("/livez").await;
    served.end().await;
    assert!(read(&mut idle).await.is_none());
    assert!(read(&mut asking).await.is_none());
}
