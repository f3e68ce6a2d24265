//! The alert channels against receivers that are there: good ones, whose bodies are kept as snapshots to read, and those that
//! redirect, refuse, ask for time, hang or never end.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]
#![allow(clippy::disallowed_methods)] // It writes a secret's file.

mod aws;
mod hmac;
mod moto;
mod outbox;
#[path = "../program/mod.rs"]
mod program;
mod receiver;
#[path = "../aws_wire/signature.rs"]
mod signature;
mod traces;
mod wire;

use aws_smithy_async::time::{SharedTimeSource, StaticTimeSource};
use aws_types::SdkConfig;
use hmac::hmac_sha256;
use receiver::{Answer, Receiver};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::{Duration, UNIX_EPOCH};
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use wheelwright::model::alert::{Alert, AlertKind};
use wheelwright::model::finding::{FindingCode, Outcome, Severity};
use wheelwright::model::ids::{Moment, Scope};
use wheelwright::model::incident::{Concern, Incident, Resolution, Subject};
use wheelwright::model::resource::{BusId, ResourceId, RuleId};
use wheelwright::model::settings::{Address, ChannelKind, ChannelSettings, Secret};
use wheelwright::model::topology::Origin;
use wheelwright::notify::{ANSWER_BYTES_MAX, Channels, REPLAY_WINDOW_SECS, SEND_TIMEOUT, SendError, Surroundings};
use wheelwright::watch::alert::{Around, Changes, alerts};

/// 2026-11-24T06:00:00Z.
const NOW_SECS: u64 = 1_795_500_000;
const KEY: &str = "a-key-that-nobody-may-see-0123456789";
const ROUTING_KEY: &str = "R0UT1NGKEYTHATNOBODYMAYSEE";
const SLACK_PATH: &str = "/services/T0SECRET1/B0SECRET2/XsecretsecretX";

#[tokio::test]
async fn a_webhook_gets_the_message_as_json_signed() {
    let receiver = Receiver::start(Answer::status(204, "")).await;
    let channels = open(webhook(&receiver.url("/hook")));
    let alert = raised(Outcome::Held);
    channels.send("it", &alert).await.unwrap();
    let request = receiver.request().await;
    assert_eq!(request.line, "POST /hook HTTP/1.1");
    assert_eq!(request.headers["content-type"], "application/json");
    assert_eq!(request.headers["x-wheelwright-alert"], alert.id);
    insta::assert_snapshot!(pretty(&request.body));

    // As a receiver checks it: over the bytes that came, by RFC 2104, with its own clock.
    let signature = &request.headers["x-wheelwright-signature"];
    let (seconds, digits) = signature.strip_prefix("t=").unwrap().split_once(",v1=").unwrap();
    assert!(seconds.parse::<u64>().unwrap().abs_diff(NOW_SECS) <= REPLAY_WINDOW_SECS);
    assert_eq!(digits, hmac_sha256(KEY, &format!("{seconds}.{}", request.body)));
    assert_ne!(digits, hmac_sha256(KEY, &format!("{seconds}.{} ", request.body)));
}

#[tokio::test]
async fn a_slack_message_is_whole_and_calls_nobody() {
    let receiver = Receiver::start(Answer::status(200, "ok")).await;
    let channels = open(slack(&receiver));
    channels.send("it", &raised(Outcome::Mend)).await.unwrap();
    let body = receiver.request().await.body;
    assert!(!body.contains("<!channel>"), "what somebody wrote into a description called a channel: {body}");
    insta::assert_snapshot!(pretty(&body));

    // As much as a message can be: within Slack's limits.
    channels.send("it", &large()).await.unwrap();
    let body: Value = serde_json::from_str(&receiver.request().await.body).unwrap();
    let blocks = body["blocks"].as_array().unwrap();
    assert!(blocks.len() <= 50, "{}", blocks.len());
    for block in blocks {
        let max = if block["type"] == "header" { 150 } else { 3_000 };
        let text = block["text"]["text"].as_str().or_else(|| block["elements"][0]["text"].as_str()).unwrap();
        assert!((1..=max).contains(&text.chars().count()), "{} {text}", block["type"]);
    }
}

#[tokio::test]
async fn pagerduty_is_triggered_and_resolved_under_one_key_and_not_paged_for_what_is_mended() {
    let receiver = Receiver::start(Answer::status(202, r#"{"status":"success"}"#)).await;
    let channels = open(pagerduty(&receiver));
    let (opened, resolved, mended) = (raised(Outcome::Held), resolved(), mended());
    let mut told = String::new();
    for alert in [&opened, &resolved, &mended] {
        channels.send("it", alert).await.unwrap();
        let request = receiver.request().await;
        told += &format!("{}\n{}\n\n", request.line, pretty(&request.body));
    }
    assert_eq!(opened.group, resolved.group);
    insta::assert_snapshot!(told);
    channels.send("it", &large()).await.unwrap();
    let body = receiver.request().await.body;
    assert!(body.len() <= 512_000, "{}", body.len());
    let body: Value = serde_json::from_str(&body).unwrap();
    assert!(body["payload"]["summary"].as_str().unwrap().chars().count() <= 1_024);
}

#[tokio::test]
async fn what_a_receiver_answers_decides_on_another_attempt() {
    let again =
        |after_ms| move |error: &SendError| matches!(error, SendError::Later { after_ms: ms, .. } if *ms == after_ms);
    let never = |error: &SendError| matches!(error, SendError::Never { .. });
    let date = "HTTP/1.1 503 x\r\nRetry-After: Tue, 24 Nov 2026 06:01:00 GMT\r\nContent-Length: 0\r\n\r\n";
    let soon = "HTTP/1.1 429 x\r\nRetry-After: 30\r\nContent-Length: 0\r\n\r\n";
    let ages = "HTTP/1.1 429 x\r\nRetry-After: 99999999\r\nContent-Length: 0\r\n\r\n";
    let nonsense = "HTTP/1.1 429 x\r\nRetry-After: soon\r\nContent-Length: 0\r\n\r\n";
    let cases: [(Answer, &Expected); 10] = [
        (Answer::Text(soon.into()), &again(Some(30_000))),
        (Answer::Text(date.into()), &again(Some(60_000))),
        (Answer::Text(ages.into()), &again(Some(3_600_000))),
        (Answer::Text(nonsense.into()), &again(None)),
        (Answer::status(500, "trouble"), &again(None)),
        (Answer::status(408, ""), &again(None)),
        (Answer::Text("HTTP/1.1 2".into()), &again(None)),
        (Answer::Text("not HTTP at all\r\n\r\n".into()), &again(None)),
        (Answer::status(400, "invalid_blocks"), &never),
        (Answer::status(410, ""), &never),
    ];
    for (answer, expected) in cases {
        let told = format!("{answer:?}");
        let receiver = Receiver::start(answer).await;
        let error = open(webhook(&receiver.url("/"))).send("it", &raised(Outcome::Held)).await.unwrap_err();
        assert!(expected(&error), "{told}: {error:?}");
    }
    // Nobody listens.
    let gone = Receiver::start(Answer::status(200, "")).await.stop().await;
    let error = open(webhook(&format!("http://{gone}/"))).send("it", &raised(Outcome::Held)).await.unwrap_err();
    assert!(again(None)(&error), "{error:?}");
    let error = open(webhook("http://127.0.0.1:1/")).send("taken-out", &raised(Outcome::Held)).await.unwrap_err();
    assert!(never(&error), "{error:?}");
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let elsewhere = Receiver::start(Answer::status(200, "")).await;
    let answer = format!("HTTP/1.1 307 x\r\nLocation: {}\r\nContent-Length: 0\r\n\r\n", elsewhere.url("/"));
    let receiver = Receiver::start(Answer::Text(answer)).await;
    let error = open(webhook(&receiver.url("/"))).send("it", &raised(Outcome::Held)).await.unwrap_err();
    assert!(matches!(error, SendError::Never { .. }), "{error:?}");
    assert_eq!(elsewhere.connections(), 0, "the message went where the receiver pointed");
}

#[tokio::test]
async fn a_receiver_that_hangs_is_left_after_a_while() {
    let receiver = Receiver::start(Answer::Hang).await;
    let channels = open(webhook(&receiver.url("/")));
    let alert = raised(Outcome::Held);
    let sending = tokio::spawn(async move { channels.send("it", &alert).await });
    receiver.request().await;
    // It has all of the message, and answers nothing.
    assert!(!sending.is_finished());
    tokio::time::pause();
    tokio::time::advance(SEND_TIMEOUT + Duration::from_millis(1)).await;
    let error = sending.await.unwrap().unwrap_err();
    assert!(matches!(error, SendError::Later { after_ms: None, .. }), "{error:?}");
}

#[tokio::test]
async fn an_answer_that_never_ends_is_read_to_a_limit() {
    for (status, taken) in [(200, true), (500, false)] {
        let receiver = Receiver::start(Answer::Endless(status)).await;
        let sent = open(webhook(&receiver.url("/"))).send("it", &raised(Outcome::Held)).await;
        assert_eq!(sent.is_ok(), taken, "{sent:?}");
        if let Err(error) = sent {
            assert!(error.to_string().len() < 1_000, "{} bytes of error", error.to_string().len());
        }
        // The connection was closed on it: what it could write is what fits in the limit and in the sockets between.
        let written = receiver.written().await;
        assert!((ANSWER_BYTES_MAX..64 * 1_024 * 1_024).contains(&written), "{written} bytes");
    }
}

#[tokio::test]
async fn nothing_is_said_to_who_is_no_tls_server() {
    let receiver = Receiver::start(Answer::Raw).await;
    let url = receiver.url("/").replace("http://", "https://");
    let error = open(webhook(&url)).send("it", &raised(Outcome::Held)).await.unwrap_err();
    assert!(matches!(error, SendError::Later { .. }), "{error:?}");
    let seen = receiver.raw().await;
    // A TLS handshake record, and nothing of the message.
    assert_eq!(seen[0], 22);
    assert!(!String::from_utf8_lossy(&seen).contains("ledger"));
}

/// `untrusted.pem` was made with `openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 36500
/// -subj /CN=127.0.0.1 -addext subjectAltName=IP:127.0.0.1 -addext basicConstraints=critical,CA:FALSE`; its key guards nothing.
#[tokio::test]
async fn a_certificate_that_nobody_vouches_for_is_refused() {
    let pem = include_bytes!("untrusted.pem");
    let certificate = CertificateDer::from_pem_slice(pem).unwrap();
    let key = PrivateKeyDer::from_pem_slice(pem).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}/", listener.local_addr().unwrap());
    let serving = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        tokio_rustls::TlsAcceptor::from(Arc::new(config)).accept(stream).await.map(drop)
    });
    let error = open(webhook(&url)).send("it", &raised(Outcome::Held)).await.unwrap_err();
    assert!(matches!(error, SendError::Later { .. }) && error.to_string().contains("certificate"), "{error:?}");
    // The client broke off the handshake, so nothing of the message can have been sent.
    let refused = serving.await.unwrap().unwrap_err().to_string();
    assert!(refused.contains("UnknownCA"), "{refused}");
}

/// The receiver sends everything back that it was sent; nothing of it may be told. In a process of its own: `tracing` asks one
/// subscriber for a whole process whether a line is wanted at all, and keeps the answer, so that a test beside this one, which
/// has no subscriber, could turn off the lines that are read here (<https://github.com/tokio-rs/tracing/issues/3611>).
#[test]
fn secrets_are_in_no_error_log_or_debug_output() {
    const ALONE: &str = "WHEELWRIGHT_TEST_ALONE";
    if std::env::var_os(ALONE).is_some() {
        return tell_all_and_look_for_secrets();
    }
    let this = ["--exact", "secrets_are_in_no_error_log_or_debug_output", "--nocapture"];
    let alone =
        std::process::Command::new(std::env::current_exe().unwrap()).args(this).env(ALONE, "1").output().unwrap();
    let (out, errors) = (String::from_utf8_lossy(&alone.stdout), String::from_utf8_lossy(&alone.stderr));
    assert!(alone.status.success() && out.contains("1 passed"), "{out}{errors}");
}

fn tell_all_and_look_for_secrets() {
    let log = Log::default();
    let subscriber =
        tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_ansi(false).with_writer(log.clone());
    let mut told = tracing::subscriber::with_default(subscriber.finish(), || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let receiver = Receiver::start(Answer::Echo(404)).await;
            let hook = ChannelKind::Webhook {
                url: Address::Secret(Secret::Env("HOOK".into())),
                key: Some(Secret::Env("KEY".into())),
            };
            let hook_url = receiver.url("/in/HOOKSECRET?token=TOKENSECRET");
            let kinds = [hook, slack_kind(), pagerduty_kind(&receiver), ChannelKind::Log];
            let mut told = String::new();
            for kind in kinds {
                let variables = variables(&receiver, &[("HOOK", &hook_url)]);
                let settings = BTreeMap::from([("it".to_owned(), channel(kind))]);
                let channels = Channels::open(&settings, surroundings(), &variables).unwrap();
                told += &format!("{channels:?} {settings:?}\n");
                if let Err(error) = channels.send("it", &raised(Outcome::Held)).await {
                    // The receiver's answer is in it, so that somebody can see what is wrong.
                    assert!(error.to_string().contains("404: POST "), "{error}");
                    told += &format!("{error} {error:?}\n");
                }
            }
            // An address that is wrong, and a key that is short.
            for (name, value) in [("HOOK", "ftp://host/HOOKSECRET"), ("HOOK", "HOOKSECRET"), ("KEY", "KEYSECRET")] {
                let hook = ChannelKind::Webhook {
                    url: Address::Secret(Secret::Env("HOOK".into())),
                    key: Some(Secret::Env("KEY".into())),
                };
                let own = [("HOOK", hook_url.as_str()), (name, value)];
                let settings = BTreeMap::from([("it".to_owned(), channel(hook))]);
                let error = Channels::open(&settings, surroundings(), &variables(&receiver, &own)).unwrap_err();
                told += &format!("{error} {error:?}\n");
            }
            told
        })
    });
    let log = log.text();
    // What was to be logged was: the subscriber sees this crate's lines and those of the client.
    assert!(log.contains("are disabled") && log.contains("hyper"), "{log}");
    told += &log;
    for secret in
        [KEY, ROUTING_KEY, "T0SECRET1", "B0SECRET2", "XsecretsecretX", "HOOKSECRET", "TOKENSECRET", "KEYSECRET"]
    {
        let line = told.lines().find(|line| line.contains(secret));
        assert_eq!(line, None, "{secret} was told");
    }
}

#[test]
fn what_cannot_be_opened_is_told_all_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("routing-key");
    std::fs::write(&file, format!("{ROUTING_KEY}\n")).unwrap();
    let empty = folder.path().join("empty");
    std::fs::write(&empty, "\n").unwrap();
    let from = |path: &std::path::Path| Secret::File(path.to_str().unwrap().to_owned());
    let hook = |url: &str| ChannelKind::Webhook { url: Address::Url(url.into()), key: None };
    let channels = [
        ("bus", ChannelKind::EventBridge { bus_arn: "arn:aws:sns:us-east-1:111111111111:alerts".into() }),
        ("empty", ChannelKind::Pagerduty { routing_key: from(&empty), url: None }),
        ("good", ChannelKind::Pagerduty { routing_key: from(&file), url: None }),
        ("gone", ChannelKind::Pagerduty { routing_key: from(&folder.path().join("gone")), url: None }),
        ("here", hook("http://[::1]:8080/hook")),
        ("not-set", ChannelKind::Slack { url: Secret::Env("NOT_SET".into()) }),
        ("password", hook("https://user:password@example.com/hook")),
        ("plain", hook("http://example.com/hook")),
        ("plain-alike", hook("http://127.0.0.1.example.com/hook")),
        ("relative", hook("/hook")),
        ("topic", ChannelKind::Sns { topic_arn: "alerts".into() }),
    ];
    let settings = channels.map(|(name, kind)| (name.to_owned(), channel(kind)));
    let error = Channels::open(&BTreeMap::from(settings), surroundings(), &|_| None).unwrap_err();
    insta::assert_snapshot!(error.to_string().replace(folder.path().to_str().unwrap(), "FOLDER"));
}

type Expected = dyn Fn(&SendError) -> bool;

fn pretty(body: &str) -> String {
    let value: Value = serde_json::from_str(body).unwrap();
    serde_json::to_string_pretty(&value).unwrap()
}

fn channel(kind: ChannelKind) -> ChannelSettings {
    let (hubs, teams) = (BTreeSet::new(), BTreeSet::new());
    ChannelSettings { kind, severity_min: Severity::Info, hubs, teams, mended: true, remind_hours: 24 }
}

fn webhook(url: &str) -> Opened {
    let key = Some(Secret::Env("KEY".into()));
    Opened { kind: ChannelKind::Webhook { url: Address::Url(url.into()), key }, variables: vec![("KEY", KEY.into())] }
}

fn slack_kind() -> ChannelKind {
    ChannelKind::Slack { url: Secret::Env("SLACK".into()) }
}

fn slack(receiver: &Receiver) -> Opened {
    Opened { kind: slack_kind(), variables: vec![("SLACK", receiver.url(SLACK_PATH))] }
}

fn pagerduty_kind(receiver: &Receiver) -> ChannelKind {
    let url = Some(Address::Url(receiver.url("")));
    ChannelKind::Pagerduty { routing_key: Secret::Env("ROUTING_KEY".into()), url }
}

fn pagerduty(receiver: &Receiver) -> Opened {
    Opened { kind: pagerduty_kind(receiver), variables: vec![("ROUTING_KEY", ROUTING_KEY.into())] }
}

struct Opened {
    kind: ChannelKind,
    variables: Vec<(&'static str, String)>,
}

/// One channel, `it`.
fn open(opened: Opened) -> Channels {
    let settings = BTreeMap::from([("it".to_owned(), channel(opened.kind))]);
    let of = |name: &str| opened.variables.iter().find(|(other, _)| *other == name).map(|(_, value)| value.clone());
    Channels::open(&settings, surroundings(), &of).unwrap()
}

fn variables(receiver: &Receiver, own: &[(&str, &str)]) -> impl Fn(&str) -> Option<String> + use<> {
    let usual = [("KEY", KEY.to_owned()), ("ROUTING_KEY", ROUTING_KEY.to_owned()), ("SLACK", receiver.url(SLACK_PATH))];
    let mut all: BTreeMap<String, String> = usual.map(|(name, value)| (name.to_owned(), value)).into();
    all.extend(own.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    move |name| all.get(name).cloned()
}

fn surroundings() -> Surroundings {
    let time = StaticTimeSource::new(UNIX_EPOCH + Duration::from_secs(NOW_SECS));
    let config = SdkConfig::builder().time_source(SharedTimeSource::new(time)).build();
    Surroundings { config, endpoint_url: None }
}

fn concern(name: &str, outcome: Outcome, detail: &str) -> Concern {
    let bus = BusId { scope: Scope::new("111111111111".parse().unwrap(), "us-east-1"), name: "org-events".into() };
    Concern {
        subject: Subject::Resource(ResourceId::Rule(RuleId { bus, name: format!("ww.ledger.{name}.1a2b3c4d") })),
        code: FindingCode::RuleDisabled,
        outcome,
        detail: detail.to_owned(),
        team: Some("ledger".parse().unwrap()),
        origin: Some(Origin { file: "topology/teams/ledger.toml".into(), line: 12, entry: "subscribe.large".into() }),
    }
}

/// What the daemon makes of these changes for the channel `it`, as in the shipped program.
fn told(changes: &mut Changes, minutes: u64) -> Alert {
    let kind = ChannelKind::Pagerduty { routing_key: Secret::Env("ROUTING_KEY".into()), url: None };
    let around = Around {
        owner: "platform",
        revision: "3f2a1b9c",
        channels: &BTreeMap::from([("it".to_owned(), channel(kind))]),
        contacts: &BTreeMap::from([("ledger".parse().unwrap(), "#ledger-oncall".to_owned())]),
        hubs: &|_| BTreeSet::from(["prod".parse().unwrap()]),
    };
    let mut messages = alerts(changes, &around, Moment(NOW_SECS * 1_000).plus_ms(minutes * 60_000));
    assert_eq!(messages.len(), 1);
    messages.remove(0).1
}

fn opened(outcome: Outcome) -> Vec<Incident> {
    let details = [("large", "state ENABLED -> DISABLED"), ("small", "state <!channel> & \"more\" -> DISABLED")];
    let open = |(name, detail)| Incident::open(concern(name, outcome, detail), Moment(NOW_SECS * 1_000), "3f2a1b9c");
    details.map(open).into()
}

fn raised(outcome: Outcome) -> Alert {
    told(&mut Changes { open: opened(outcome), resolved: Vec::new() }, 0)
}

fn resolved() -> Alert {
    let mut changes = Changes { open: opened(Outcome::Held), resolved: Vec::new() };
    told(&mut changes, 0);
    let mut resolved = changes.open;
    for incident in &mut resolved {
        incident.resolved = Some((Moment(NOW_SECS * 1_000 + 4_200_000), Resolution::Mended));
    }
    let alert = told(&mut Changes { open: Vec::new(), resolved }, 70);
    assert_eq!(alert.kind, AlertKind::Resolved);
    alert
}

fn mended() -> Alert {
    let mut resolved = opened(Outcome::Mend);
    for incident in &mut resolved {
        incident.resolved = Some((Moment(NOW_SECS * 1_000 + 900), Resolution::Mended));
    }
    let alert = told(&mut Changes { open: Vec::new(), resolved }, 0);
    assert_eq!(alert.kind, AlertKind::Mended);
    alert
}

/// Three hundred incidents with the longest of details, in letters that grow when they are escaped.
fn large() -> Alert {
    let detail = "<&\"\u{1f525}é".repeat(20_000);
    let open = |at: u64| Incident::open(concern(&format!("n{at}"), Outcome::Held, &detail), Moment(at), "3f2a1b9c");
    let mut alert = told(&mut Changes { open: (0..300).map(open).collect(), resolved: Vec::new() }, 0);
    alert.title = alert.title.repeat(100);
    alert
}

/// What was logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned()
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl tracing_subscriber::fmt::MakeWriter<'_> for Log {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}
