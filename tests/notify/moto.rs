//! A topic and an event bus on moto, an AWS emulator that others wrote: what is published arrives in a queue.
//!
//! It needs `pip install 'moto[server]==5.2.5'`. The server is found by `WHEELWRIGHT_MOTO` (the path of `moto_server`) or in PATH;
//! without one the test says so and passes, unless `WHEELWRIGHT_REQUIRE_MOTO=1`.

use super::program::Running;
use super::{NOW_SECS, channel, large, mended, raised, resolved};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_eventbridge::config::BehaviorVersion;
use aws_smithy_async::rt::sleep::TokioSleep;
use aws_smithy_async::time::{SharedTimeSource, StaticTimeSource};
use aws_smithy_http_client::Builder as HttpClientBuilder;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};
use aws_types::SdkConfig;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, UNIX_EPOCH};
use wheelwright::model::alert::Alert;
use wheelwright::model::finding::Outcome;
use wheelwright::model::settings::ChannelKind;
use wheelwright::notify::{Channels, SendError, Surroundings};

const ACCOUNT: &str = "123456789012";
const REGION: &str = "us-east-1";

#[test]
fn a_topic_and_a_bus_bring_the_message_to_a_queue() {
    let Some(program) = moto_server() else {
        assert_ne!(std::env::var("WHEELWRIGHT_REQUIRE_MOTO").as_deref(), Ok("1"), "there is no moto_server");
        println!("skipped: there is no moto_server (pip install 'moto[server]==5.2.5', or set WHEELWRIGHT_MOTO)");
        return;
    };
    let moto = Moto::start(&program);
    let [from_topic, from_fifo, from_bus] = ["from-topic", "from-fifo.fifo", "from-bus"].map(|name| moto.queue(name));
    let topic = moto.topic("alerts", &from_topic);
    let fifo = moto.topic("alerts.fifo", &from_fifo);
    moto.events("CreateEventBus", &json!({"Name": "alerts"}));
    let pattern =
        r#"{"source":["wheelwright"],"detail-type":["Drift Raised","Drift Resolved"],"detail":{"severity":["error"]}}"#;
    moto.events("PutRule", &json!({"Name": "all", "EventBusName": "alerts", "EventPattern": pattern}));
    let target = json!({"Id": "queue", "Arn": from_bus.arn});
    moto.events("PutTargets", &json!({"Rule": "all", "EventBusName": "alerts", "Targets": [target]}));
    let bus_arn = format!("arn:aws:events:{REGION}:{ACCOUNT}:event-bus/alerts");
    let sns = |topic_arn: &str| channel(ChannelKind::Sns { topic_arn: topic_arn.to_owned() });
    let settings = BTreeMap::from([
        ("topic".to_owned(), sns(&topic)),
        ("fifo".to_owned(), sns(&fifo)),
        ("gone".to_owned(), sns(&format!("arn:aws:sns:{REGION}:{ACCOUNT}:gone"))),
        ("bus".to_owned(), channel(ChannelKind::EventBridge { bus_arn: bus_arn.clone() })),
    ]);
    let surroundings = Surroundings { config: config(), endpoint_url: Some(format!("http://{}", moto.address)) };
    let channels = Channels::open(&settings, surroundings, &|_| None).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let send = |channel: &str, alert: &Alert| runtime.block_on(channels.send(channel, alert));

    let alert = raised(Outcome::Held);
    send("topic", &alert).unwrap();
    let envelope = moto.receive(&from_topic);
    let subject = envelope["Subject"].as_str().unwrap();
    assert_eq!(subject, format!("wheelwright: {}", alert.title));
    let message: Value = serde_json::from_str(envelope["Message"].as_str().unwrap()).unwrap();
    assert_eq!(
        (message["id"].as_str(), message["incidents"].as_array().map(Vec::len)),
        (Some(alert.id.as_str()), Some(2))
    );
    let attributes = &envelope["MessageAttributes"];
    assert_eq!((&attributes["kind"]["Value"], &attributes["severity"]["Value"]), (&json!("raised"), &json!("error")));
    assert_eq!(attributes["team"]["Value"], json!(r#"["ledger"]"#));

    // moto refuses what is larger than SNS takes, and a subject that is longer or not ASCII.
    send("topic", &large()).unwrap();
    let envelope = moto.receive(&from_topic);
    assert_eq!(envelope["Subject"].as_str().unwrap().len(), 100);

    send("fifo", &alert).unwrap();
    assert_eq!(moto.receive(&from_fifo)["Subject"], envelope_subject(&alert.title));

    let gone = send("gone", &alert).unwrap_err();
    assert!(matches!(&gone, SendError::Never { why, .. } if why.contains("NotFound")), "{gone:?}");

    send("bus", &alert).unwrap();
    let event = moto.receive(&from_bus);
    assert_eq!((&event["source"], &event["detail-type"]), (&json!("wheelwright"), &json!("Drift Raised")));
    assert_eq!((&event["detail"]["id"], &event["detail"]["severity"]), (&json!(alert.id), &json!("error")));
    let rule = format!("arn:aws:events:{REGION}:111111111111:rule/org-events/ww.ledger.large.1a2b3c4d");
    assert!(event["resources"].as_array().unwrap().contains(&json!(rule)), "{event}");
    // The rule does not ask for what was mended, and asks for what is over.
    send("bus", &mended()).unwrap();
    send("bus", &resolved()).unwrap();
    assert_eq!(moto.receive(&from_bus)["detail-type"], "Drift Resolved");
    send("bus", &large()).unwrap();
    let event = moto.receive(&from_bus);
    assert_eq!(event["detail"]["count"], 300);
    assert!(event.to_string().len() <= 256 * 1_024);
}

fn envelope_subject(title: &str) -> Value {
    json!(format!("wheelwright: {title}"))
}

pub(crate) fn config() -> SdkConfig {
    let nothing_trusted = TlsContext::builder().with_trust_store(TrustStore::empty()).build().unwrap();
    let client = HttpClientBuilder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).tls_context(nothing_trusted);
    let time = StaticTimeSource::new(UNIX_EPOCH + Duration::from_secs(NOW_SECS));
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .http_client(client.build_https())
        .credentials_provider(SharedCredentialsProvider::new(Credentials::new("test", "test", None, None, "test")))
        .time_source(SharedTimeSource::new(time))
        .sleep_impl(TokioSleep::new())
        .build()
}

fn moto_server() -> Option<PathBuf> {
    if let Some(path) = std::env::var_os("WHEELWRIGHT_MOTO") {
        return Some(path.into());
    }
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join("moto_server")).find(|program| program.is_file())
}

struct Queue {
    url: String,
    arn: String,
}

/// A moto server of the test's own, with nothing in it.
struct Moto {
    _process: Running,
    address: String,
}

impl Moto {
    fn start(program: &PathBuf) -> Self {
        // Freed a moment before moto takes it.
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut command = Command::new(program);
        command.args(["-H", "127.0.0.1", "-p", &port.to_string()]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut process = Running(command.spawn().unwrap_or_else(|error| panic!("{}: {error}", program.display())));
        let address = format!("127.0.0.1:{port}");
        for _ in 0..600 {
            if let Some(status) = process.0.try_wait().unwrap() {
                panic!("moto_server ended with {status} before it answered");
            }
            if TcpStream::connect(&address).is_ok() {
                return Self { _process: process, address };
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        panic!("moto_server does not listen on {address} after a minute");
    }

    fn events(&self, operation: &str, input: &Value) {
        self.json("events", &format!("AWSEvents.{operation}"), input);
    }

    fn queue(&self, name: &str) -> Queue {
        let attributes = if name.ends_with(".fifo") { json!({"FifoQueue": "true"}) } else { json!({}) };
        let made = self.json("sqs", "AmazonSQS.CreateQueue", &json!({"QueueName": name, "Attributes": attributes}));
        let url = made["QueueUrl"].as_str().unwrap().to_owned();
        Queue { url, arn: format!("arn:aws:sqs:{REGION}:{ACCOUNT}:{name}") }
    }

    /// A topic with `queue` subscribed to it.
    fn topic(&self, name: &str, queue: &Queue) -> String {
        let fifo = match name.ends_with(".fifo") {
            true => "&Attributes.entry.1.key=FifoTopic&Attributes.entry.1.value=true",
            false => "",
        };
        self.query("sns", &format!("Action=CreateTopic&Version=2010-03-31&Name={name}{fifo}"));
        let topic = format!("arn:aws:sns:{REGION}:{ACCOUNT}:{name}");
        let form = format!(
            "Action=Subscribe&Version=2010-03-31&TopicArn={topic}&Protocol=sqs&Endpoint={}&ReturnSubscriptionArn=true",
            queue.arn
        );
        self.query("sns", &form);
        topic
    }

    /// The one message that is in a queue; it is taken out.
    fn receive(&self, queue: &Queue) -> Value {
        let input = json!({"QueueUrl": queue.url, "MaxNumberOfMessages": 10, "WaitTimeSeconds": 5});
        let answer = self.json("sqs", "AmazonSQS.ReceiveMessage", &input);
        let messages = answer["Messages"].as_array().cloned().unwrap_or_default();
        assert_eq!(messages.len(), 1, "{answer}");
        let handle = &messages[0]["ReceiptHandle"];
        self.json("sqs", "AmazonSQS.DeleteMessage", &json!({"QueueUrl": queue.url, "ReceiptHandle": handle}));
        serde_json::from_str(messages[0]["Body"].as_str().unwrap()).unwrap()
    }

    fn json(&self, service: &str, target: &str, input: &Value) -> Value {
        let kind = if service == "sqs" { "application/x-amz-json-1.0" } else { "application/x-amz-json-1.1" };
        let answer = self.post(service, &[("X-Amz-Target", target), ("Content-Type", kind)], &input.to_string());
        if answer.is_empty() { Value::Null } else { serde_json::from_str(&answer).unwrap() }
    }

    fn query(&self, service: &str, form: &str) {
        self.post(service, &[("Content-Type", "application/x-www-form-urlencoded")], form);
    }

    /// One request, signed by nobody: moto looks at the access key alone.
    fn post(&self, service: &str, headers: &[(&str, &str)], body: &str) -> String {
        let credential = format!("test/20260101/{REGION}/{service}/aws4_request");
        let mut request = format!(
            "POST / HTTP/1.1\r\nHost: {service}.{REGION}.amazonaws.com\r\nConnection: close\r\nContent-Length: {}\r\n\
             Authorization: AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders=host, Signature=0\r\n",
            body.len()
        );
        for (name, value) in headers {
            request += &format!("{name}: {value}\r\n");
        }
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.write_all(format!("{request}\r\n{body}").as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{answer}"));
        assert!(head.split(' ').nth(1) == Some("200"), "{headers:?} {answer}");
        body.to_owned()
    }
}
