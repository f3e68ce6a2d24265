//! Who sees the pages where others than this machine can reach the daemon.

use crate::served::{Served, TOKEN, serve};
use crate::wire::{Answer, raw};
use std::net::SocketAddr;

/// As a browser asks.
async fn ask(served: &Served, method: &str, path: &str, more: &str, body: &str) -> Answer {
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: wheels.example\r\nAccept: text/html\r\nConnection: close\r\n{more}Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    raw(served.address, head.as_bytes()).await.unwrap()
}

const FORM: &str = "Content-Type: application/x-www-form-urlencoded\r\n";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_browser_signs_in_once_and_orders_nothing_by_it() {
    let elsewhere: SocketAddr = "192.0.2.1:8080".parse().unwrap();
    let served = serve("", Some(elsewhere)).await;
    served.in_step().await;
    let refused = ask(&served, "GET", "/?team=ledger", "", "").await;
    assert_eq!(refused.status, 401);
    assert!(
        refused.body.contains("name=\"token\"") && refused.body.contains("value=\"/?team=ledger\""),
        "{}",
        refused.body
    );
    assert!(!refused.body.contains("ledger.large"), "nothing of the daemon is told");
    // The form's own style and script are there for everybody; the API says it as ever.
    let style = crate::content::links(&refused.body).into_iter().find(|link| link.ends_with(".css")).unwrap();
    assert_eq!(ask(&served, "GET", &style, "", "").await.status, 200);
    assert_eq!(ask(&served, "GET", "/api/v1/status", "", "").await.json()["error"], "unauthorized");

    let wrong = ask(&served, "POST", "/sign-in", FORM, "token=guessed&to=/").await;
    assert_eq!((wrong.status, wrong.header("set-cookie")), (401, None));
    let right = ask(&served, "POST", "/sign-in", FORM, &format!("token={TOKEN}&to=%2F%3Fteam%3Dledger")).await;
    assert_eq!((right.status, right.header("location")), (303, Some("/?team=ledger")), "{}", right.head);
    let cookie = right.header("set-cookie").unwrap().to_owned();
    for part in ["HttpOnly", "SameSite=Strict", "Path=/", "Max-Age=43200"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    assert!(!cookie.contains(TOKEN));
    let pair = cookie.split(';').next().unwrap();
    let with = format!("Cookie: other=1; {pair}\r\n");
    let home = ask(&served, "GET", "/?team=ledger", &with, "").await;
    assert_eq!(home.status, 200);
    assert!(home.body.contains("ledger.large"));

    // It is no token: it opens neither the API nor the metrics, and no order is taken by it.
    for (method, path) in [("GET", "/api/v1/status"), ("GET", "/metrics"), ("POST", "/api/v1/sweep"), ("POST", "/")] {
        let json = format!("{with}Content-Type: application/json\r\n");
        let answer = ask(&served, method, path, &json, if method == "POST" { "{}" } else { "" }).await;
        assert_eq!(answer.status, 401, "{method} {path}");
    }
    // One that was altered, or has come to its end, is none.
    let (name, value) = pair.split_once('=').unwrap();
    let (until, proof) = value.split_once('.').unwrap();
    let longer = format!("{}.{proof}", until.parse::<u64>().unwrap() + 1);
    for bad in [longer, format!("1.{proof}"), format!("{until}."), format!("{until}.{proof}0"), String::new()] {
        let with = format!("Cookie: {name}={bad}\r\n");
        assert_eq!(ask(&served, "GET", "/", &with, "").await.status, 401, "{bad}");
    }
    served.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn signing_in_sends_nobody_elsewhere() {
    let served = serve("", Some("192.0.2.1:8080".parse().unwrap())).await;
    for to in [
        "https://evil.example/",
        "//evil.example",
        "/\\evil.example",
        "/api/v1/sweep",
        "/%0d%0aX: y",
        "javascript:alert(1)",
    ] {
        let body = format!("token={TOKEN}&to={}", to.replace('%', "%25").replace('&', "%26"));
        let answer = ask(&served, "POST", "/sign-in", FORM, &body).await;
        assert_eq!((answer.status, answer.header("location")), (303, Some("/")), "{to}: {}", answer.head);
    }
    served.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_of_elsewhere_that_points_here_sees_nothing() {
    let served = serve("", None).await;
    let answer =
        raw(served.address, b"GET / HTTP/1.1\r\nHost: evil.example\r\nAccept: text/html\r\nConnection: close\r\n\r\n")
            .await;
    assert_eq!(answer.unwrap().status, 421);
    served.end().await;
}
