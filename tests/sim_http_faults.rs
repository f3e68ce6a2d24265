//! Faults on the way to the simulated AWS: what arrives at a port, that the SDK door spoils answers in the same way,
//! and that the built program lives through them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod program;
mod support;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_async::time::{SharedTimeSource, StaticTimeSource};
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use program::{Endpoint, Folder, wheelwright};
use serde_json::{Value, json};
use strum::VariantArray;
use support::Example;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use wheelwright::aws::{AwsFleet, AwsSettings, Connection};
use wheelwright::call::{Answer, Call, ErrorClass};
use wheelwright::model::ids::Scope;
use wheelwright::port::Fleet;
use wheelwright::sim::http_faults::{HttpFault, HttpFaultRule, HttpFaults};
use wheelwright::sim::sdk_door::SimHttpClient;
use wheelwright::sim::tcp::serve_with_faults;
use wheelwright::sim::{Bootstrap, Caller, Service, SimulatedAws};

const HUB: &str = "111111111111";
const SPOKE: &str = "222222222222";
const EAST: &str = "us-east-1";

fn world() -> SimulatedAws {
    let mut aws = SimulatedAws::default();
    let bootstrap = Bootstrap {
        operator_account: HUB.to_owned(),
        external_id: String::new(),
        operator_role: "operator".to_owned(),
        delivery_role: "delivery".to_owned(),
        dead_letter_queue: "dead-letters".to_owned(),
        operator_permissions: None,
    };
    for account in [HUB, SPOKE] {
        aws.bootstrap_account(account, &[EAST], &bootstrap);
    }
    aws
}

/// A simulated AWS on a port of its own.
struct Port {
    world: Arc<Mutex<SimulatedAws>>,
    faults: HttpFaults,
    key: String,
    secret: String,
    address: std::net::SocketAddr,
    stop: tokio::sync::oneshot::Sender<()>,
    served: tokio::task::JoinHandle<std::io::Result<()>>,
}

impl Port {
    async fn open(mut aws: SimulatedAws, operator_account: &str) -> Self {
        let key = aws.mint_root_key(operator_account);
        let (world, faults) = (Arc::new(Mutex::new(aws)), HttpFaults::default());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let served = tokio::spawn(serve_with_faults(listener, Arc::clone(&world), faults.clone(), async move {
            let _ = stopped.await;
        }));
        Self { world, faults, key: key.access_key_id, secret: key.secret_access_key, address, stop, served }
    }

    /// Sends one request and reads what comes until the connection closes.
    async fn raw(&self, service: &str, target: Option<&str>, body: &str) -> Raw {
        let mut stream = tokio::net::TcpStream::connect(self.address).await.unwrap();
        let (key, address) = (&self.key, self.address);
        let target = target.map(|target| format!("x-amz-target: {target}\r\n")).unwrap_or_default();
        let request = format!(
            "POST / HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n{target}authorization: AWS4-HMAC-SHA256 \
             Credential={key}/20260101/{EAST}/{service}/aws4_request, SignedHeaders=host, Signature=0\r\n\
             content-length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        // A body that breaks off may come as a reset or as an end; what came before counts.
        let _ = stream.read_to_end(&mut answer).await;
        let answer = String::from_utf8(answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
        let header = |name: &str| {
            let mut lines = head.lines().filter_map(|line| line.split_once(": "));
            lines.find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value.to_owned())
        };
        Raw {
            status: head.split(' ').nth(1).unwrap().parse().unwrap(),
            content_type: header("content-type").unwrap_or_default(),
            promised: header("content-length").and_then(|length| length.parse().ok()),
            body: body.to_owned(),
        }
    }

    async fn events(&self, operation: &str, input: Value) -> Raw {
        self.raw("events", Some(&format!("AWSEvents.{operation}")), &input.to_string()).await
    }

    async fn close(self) {
        self.stop.send(()).unwrap();
        self.served.await.unwrap().unwrap();
    }
}

#[derive(Debug)]
struct Raw {
    status: u16,
    content_type: String,
    promised: Option<usize>,
    body: String,
}

impl Raw {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("not JSON: {self:?}"))
    }
}

#[tokio::test]
async fn each_fault_is_on_the_wire_as_its_name_says() {
    let port = Port::open(world(), HUB).await;
    for fault in HttpFault::VARIANTS.iter().copied().filter(|fault| *fault != HttpFault::NoAnswer) {
        port.faults.add(HttpFaultRule::new(fault).times(1));
        let raw = port.events("ListEventBuses", json!({})).await;
        let amazon = "application/x-amz-json-1.1";
        match fault {
            HttpFault::HtmlPage => assert!(raw.status == 200 && raw.body.starts_with("<!DOCTYPE html>"), "{raw:?}"),
            HttpFault::BadGateway => {
                assert_eq!((raw.status, raw.content_type.as_str()), (502, "text/html; charset=utf-8"));
            }
            HttpFault::InternalError => {
                assert_eq!((raw.status, raw.content_type.as_str()), (500, amazon));
                assert_eq!(raw.json()["__type"], "InternalException");
            }
            HttpFault::Unavailable => {
                assert_eq!((raw.status, &raw.json()["__type"]), (503, &json!("ServiceUnavailable")));
            }
            HttpFault::Throttled => assert_eq!(
                (raw.status, raw.json()),
                (400, json!({"__type": "ThrottlingException", "message": "Rate exceeded"}))
            ),
            HttpFault::ConcurrentModification => {
                assert_eq!((raw.status, &raw.json()["__type"]), (400, &json!("ConcurrentModificationException")));
            }
            HttpFault::LimitExceeded => {
                assert_eq!((raw.status, &raw.json()["__type"]), (400, &json!("LimitExceededException")));
            }
            HttpFault::ExpiredToken => {
                assert_eq!((raw.status, &raw.json()["__type"]), (400, &json!("ExpiredTokenException")));
            }
            HttpFault::CutBody => {
                assert!(raw.body.starts_with(r#"{"EventBuses":[{"#), "{raw:?}");
                assert_eq!(raw.promised.unwrap() / 2, raw.body.len(), "half of what was promised came");
            }
            HttpFault::EmptyBody => assert_eq!((raw.status, raw.promised, raw.body.as_str()), (200, Some(0), "")),
            HttpFault::WrongShape => {
                assert_eq!((raw.status, raw.content_type.as_str()), (200, amazon));
                assert_eq!(raw.json(), json!({"EventBuses": "a list was here"}));
            }
            HttpFault::NoFields => assert_eq!((raw.status, raw.body.as_str()), (200, "{}")),
            HttpFault::RepeatedToken => assert!(raw.json()["NextToken"].is_string(), "{raw:?}"),
            HttpFault::NoAnswer => unreachable!(),
        }
        let next = port.events("ListEventBuses", json!({})).await;
        assert_eq!(next.json()["EventBuses"][0]["Name"], "default", "the next request is answered after {fault:?}");
    }
    port.close().await;
}

#[tokio::test]
async fn the_query_services_have_their_own_words_for_trouble() {
    let port = Port::open(world(), HUB).await;
    for (fault, status, part) in [
        (HttpFault::InternalError, 500, "<Type>Receiver</Type><Code>InternalFailure</Code>"),
        (HttpFault::Unavailable, 503, "<Type>Receiver</Type><Code>ServiceUnavailable</Code>"),
        (HttpFault::Throttled, 400, "<Type>Sender</Type><Code>Throttling</Code>"),
        (HttpFault::ExpiredToken, 403, "<Type>Sender</Type><Code>ExpiredToken</Code>"),
        (HttpFault::NoFields, 200, "<GetCallerIdentityResult></GetCallerIdentityResult>"),
    ] {
        port.faults.add(HttpFaultRule::new(fault).of(Service::Sts).times(1));
        let raw = port.raw("sts", None, "Action=GetCallerIdentity&Version=2011-06-15").await;
        assert_eq!((raw.status, raw.content_type.as_str()), (status, "text/xml"));
        assert!(raw.body.contains(part), "{raw:?}");
    }
    port.close().await;
}

#[tokio::test]
async fn a_rule_befalls_what_it_names_after_what_it_lets_pass_and_as_often_as_it_says() {
    let port = Port::open(world(), HUB).await;
    let status = async |operation: &str| port.events(operation, json!({"Name": "default"})).await.status;
    port.faults.add(
        HttpFaultRule::new(HttpFault::InternalError)
            .on(Service::EventBridge, "ListRules")
            .in_account(HUB)
            .in_region(EAST)
            .after(1)
            .times(2),
    );
    port.faults.add(HttpFaultRule::new(HttpFault::Unavailable).in_account(SPOKE));
    port.faults.add(HttpFaultRule::new(HttpFault::Unavailable).in_region("us-west-2"));
    assert_eq!(status("DescribeEventBus").await, 200, "another operation");
    let mut statuses = Vec::new();
    for _ in 0..4 {
        statuses.push(status("ListRules").await);
    }
    assert_eq!(statuses, [200, 500, 500, 200]);
    let happened = port.faults.happened();
    let one = |at: usize| (happened[at].fault, happened[at].operation.as_str(), happened[at].account.as_str());
    assert_eq!((happened.len(), one(0)), (2, (HttpFault::InternalError, "ListRules", HUB)));

    let assume = format!("Action=AssumeRole&RoleSessionName=ss&RoleArn=arn:aws:iam::{SPOKE}:role/operator");
    assert_eq!(port.raw("sts", None, &assume).await.status, 503, "a role of the account that was named");
    port.faults.clear();
    assert_eq!(port.raw("sts", None, &assume).await.status, 200);
    port.close().await;
}

#[tokio::test]
async fn what_is_lost_on_the_way_back_has_happened() {
    let port = Port::open(world(), HUB).await;
    let buses = |port: &Port| {
        let listed = port.world.lock().unwrap().call(
            &Caller::root(HUB),
            EAST,
            Service::EventBridge,
            "ListEventBuses",
            &json!({}),
        );
        listed.unwrap()["EventBuses"].as_array().unwrap().len()
    };
    for (rule, expected) in [
        (HttpFaultRule::new(HttpFault::BadGateway), 1),
        (HttpFaultRule::new(HttpFault::BadGateway).taking_effect(), 2),
        (HttpFaultRule::new(HttpFault::EmptyBody), 2),
        (HttpFaultRule::new(HttpFault::CutBody), 3),
    ] {
        port.faults.add(rule.clone().times(1));
        let name = format!("bus-{}", buses(&port));
        port.events("CreateEventBus", json!({"Name": name})).await;
        assert_eq!(buses(&port), expected, "{rule:?}");
    }
    port.close().await;
}

#[tokio::test]
async fn a_listing_can_go_round_for_ever() {
    let port = Port::open(world(), HUB).await;
    port.faults.add(HttpFaultRule::new(HttpFault::RepeatedToken).on(Service::EventBridge, "ListEventBuses"));
    let mut token = Value::Null;
    for _ in 0..5 {
        let page = port.events("ListEventBuses", json!({"NextToken": token})).await.json();
        assert_eq!(page["EventBuses"].as_array().unwrap().len(), 1, "{page}");
        assert!(token.is_null() || token == page["NextToken"]);
        token = page["NextToken"].clone();
    }
    port.close().await;
}

/// Both doors are closed while somebody still waits.
#[tokio::test]
async fn who_is_never_answered_does_not_hold_up_the_end() {
    let port = Port::open(world(), HUB).await;
    port.faults.add(HttpFaultRule::new(HttpFault::NoAnswer));
    let mut stream = tokio::net::TcpStream::connect(port.address).await.unwrap();
    let authorization = format!("AWS4-HMAC-SHA256 Credential={}/20260101/{EAST}/events/aws4_request", port.key);
    let request = format!(
        "POST / HTTP/1.1\r\nhost: x\r\nx-amz-target: AWSEvents.ListRules\r\nauthorization: {authorization}\r\n\
         content-length: 2\r\n\r\n{{}}"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    while port.faults.happened().is_empty() {
        tokio::task::yield_now().await;
    }
    port.close().await;
}

/// The shipped fleet's view of a fault: the class of its error, or the buses that it believes in.
async fn seen(settings: AwsSettings, http: SharedHttpClient, key: (String, String)) -> Result<usize, ErrorClass> {
    let base = Credentials::new(key.0, key.1, None, None, "test");
    let time = SharedTimeSource::new(StaticTimeSource::from_secs(0));
    let fleet = AwsFleet::new(settings, Connection::new(http, SharedCredentialsProvider::new(base), time));
    let listing = Call::ListEventBuses { next_token: None };
    match fleet.call(&Scope::new(SPOKE.parse().unwrap(), EAST), listing).await {
        Ok(Answer::Buses(page)) => Ok(page.items.len()),
        Ok(other) => panic!("not a listing: {other:?}"),
        Err(error) => Err(error.class),
    }
}

fn settings(call_timeout: Duration) -> AwsSettings {
    AwsSettings {
        sts_region: Some(EAST.to_owned()),
        call_timeout,
        attempts_max: 1,
        retry_jitter: false,
        ..AwsSettings::new("operator")
    }
}

fn rule(fault: HttpFault) -> HttpFaultRule {
    HttpFaultRule::new(fault).on(Service::EventBridge, "ListEventBuses").times(1)
}

/// What is never answered ends the wait; everything else comes long before.
fn patience(fault: HttpFault) -> Duration {
    if fault == HttpFault::NoAnswer { Duration::from_millis(300) } else { Duration::from_secs(60) }
}

async fn seen_through_the_sdk_door(fault: HttpFault) -> Result<usize, ErrorClass> {
    let mut aws = world();
    let key = aws.mint_root_key(HUB);
    let faults = HttpFaults::default();
    faults.add(rule(fault));
    let http = SimHttpClient::new(Arc::new(Mutex::new(aws))).with_faults(faults);
    let key = (key.access_key_id, key.secret_access_key);
    seen(settings(patience(fault)), SharedHttpClient::new(http), key).await
}

async fn seen_through_a_port(fault: HttpFault) -> Result<usize, ErrorClass> {
    let port = Port::open(world(), HUB).await;
    port.faults.add(rule(fault));
    let settings = AwsSettings { endpoint_url: Some(format!("http://{}", port.address)), ..settings(patience(fault)) };
    let http = aws_smithy_http_client::Builder::new().build_http();
    let answer = seen(settings, http, (port.key.clone(), port.secret.clone())).await;
    port.close().await;
    answer
}

#[tokio::test]
async fn the_sdk_door_and_the_port_spoil_answers_alike() {
    for fault in HttpFault::VARIANTS.iter().copied() {
        let (sdk, tcp) = (seen_through_the_sdk_door(fault).await, seen_through_a_port(fault).await);
        assert_eq!(sdk, tcp, "{fault:?}");
        // A session that is over is followed by another.
        let may_succeed =
            [HttpFault::EmptyBody, HttpFault::NoFields, HttpFault::RepeatedToken, HttpFault::ExpiredToken];
        assert!(sdk.is_err() || may_succeed.contains(&fault), "{fault:?} went unnoticed: {sdk:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_built_program_tells_whose_answers_were_spoilt_and_goes_on_with_the_others() {
    let port = Port::open(Example::worked().stage(), wheelwright::stage::OPERATOR_ACCOUNT).await;
    let endpoint = Endpoint {
        url: format!("http://{}", port.address),
        access_key_id: port.key.clone(),
        secret_access_key: port.secret.clone(),
    };
    let plan = async || {
        let endpoint = endpoint.clone();
        let run = move || wheelwright(&Folder::worked(), Some(&endpoint), &["plan", "--format", "json"]);
        tokio::task::spawn_blocking(run).await.unwrap()
    };
    for fault in
        [HttpFault::HtmlPage, HttpFault::BadGateway, HttpFault::Unavailable, HttpFault::CutBody, HttpFault::WrongShape]
    {
        port.faults.clear();
        port.faults.add(HttpFaultRule::new(fault).of(Service::EventBridge).in_account(SPOKE));
        let ran = plan().await;
        let told: Value = serde_json::from_str(&ran.out).unwrap_or_else(|_| panic!("{fault:?}: {}", ran.err));
        let findings = told["findings"].as_array().unwrap().iter();
        let unread: Vec<&Value> = findings
            .filter(|finding| finding["code"] == "unread")
            .map(|finding| &finding["resource"]["scope"]["account"])
            .collect();
        assert!(!unread.is_empty() && unread.iter().all(|account| *account == SPOKE), "{fault:?}: {unread:?}");
    }
    assert!(port.world.lock().unwrap().log().is_empty(), "a plan writes nothing");
    port.close().await;
}
