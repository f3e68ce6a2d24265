//! Everybody who is told: a receiver of webhooks, a queue at a topic, a queue at an event bus, and the daemon's log. All of them
//! take the same, so all must hear the same.

use crate::emulators::server::{Key, Server};
use crate::hook::Hook;
use crate::site::{Site, until};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The account of the daemon's own credentials.
const ACCOUNT: &str = "123456789012";
const REGION: &str = "us-east-1";
/// What a queue hands out at once.
const MESSAGES_MAX: usize = 10;

/// One message, as far as every channel can carry it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Message {
    pub(crate) kind: String,
    pub(crate) code: String,
    pub(crate) title: String,
}

/// The channels with what each heard.
pub(crate) struct Ears {
    pub(crate) hook: Hook,
    queues: BTreeMap<&'static str, String>,
    /// Message bodies of the queues, in the order that they came.
    taken: BTreeMap<&'static str, Vec<Value>>,
    /// Messages of each channel that a test has looked at.
    looked_at: usize,
}

impl Ears {
    pub(crate) fn open(server: &Server) -> Self {
        let queues = ["topic", "bus"].map(|name| {
            let made = json_call(server, "sqs", "AmazonSQS.CreateQueue", &json!({"QueueName": name}));
            (name, made["QueueUrl"].as_str().unwrap().to_owned())
        });
        let arn = |name: &str| format!("arn:aws:sqs:{REGION}:{ACCOUNT}:{name}");
        query(server, "sns", "Action=CreateTopic&Version=2010-03-31&Name=alerts");
        let subscribe = format!(
            "Action=Subscribe&Version=2010-03-31&TopicArn=arn:aws:sns:{REGION}:{ACCOUNT}:alerts&Protocol=sqs&Endpoint={}",
            arn("topic")
        );
        query(server, "sns", &subscribe);
        let events = |operation: &str, input: Value| {
            json_call(server, "events", &format!("AWSEvents.{operation}"), &input);
        };
        events("CreateEventBus", json!({"Name": "alerts"}));
        let pattern = r#"{"source":["wheelwright"],"detail-type":[{"prefix":"Drift "}]}"#;
        events("PutRule", json!({"Name": "all", "EventBusName": "alerts", "EventPattern": pattern}));
        let target = json!({"Id": "queue", "Arn": arn("bus")});
        events("PutTargets", json!({"Rule": "all", "EventBusName": "alerts", "Targets": [target]}));
        Self { hook: Hook::open(), queues: queues.into(), taken: BTreeMap::new(), looked_at: 0 }
    }

    /// The channels as settings.
    pub(crate) fn settings(&self) -> String {
        format!(
            r#"
[alert.hook]
kind = "webhook"
url = "{}"
key-env = "HOOK_KEY"
severity-min = "info"

[alert.topic]
kind = "sns"
topic-arn = "arn:aws:sns:{REGION}:{ACCOUNT}:alerts"
severity-min = "info"

[alert.bus]
kind = "eventbridge"
bus-arn = "arn:aws:events:{REGION}:{ACCOUNT}:event-bus/alerts"
severity-min = "info"

[alert.people]
kind = "log"
severity-min = "info"
"#,
            self.hook.url()
        )
    }

    /// The next messages, in the order that the receiver got them: every channel gets one for each of `expected` (kind, code, and a
    /// part of the title), and by then no other.
    pub(crate) fn next(&mut self, site: &Site, expected: &[(&str, &str, &str)]) -> Vec<Value> {
        let heard = self.wait(site, &["bus", "hook", "people", "topic"], expected.len());
        for (channel, messages) in &heard {
            let new = &messages[self.looked_at..];
            let mut missing: Vec<_> = expected.iter().collect();
            for message in new {
                let is_it = |(kind, code, part): &(&str, &str, &str)| {
                    message.kind == *kind && message.code == *code && message.title.contains(part)
                };
                let at = missing.iter().position(|wanted| is_it(wanted));
                missing.remove(at.unwrap_or_else(|| panic!("{channel}: {message:?} is not of {expected:?}: {new:#?}")));
            }
        }
        let told = self.hook.messages()[self.looked_at..].to_vec();
        self.looked_at += expected.len();
        told
    }

    /// Waits until these channels have `count` more messages than were looked at.
    pub(crate) fn wait(
        &mut self,
        site: &Site,
        channels: &[&str],
        count: usize,
    ) -> BTreeMap<&'static str, Vec<Message>> {
        let wanted = self.looked_at + count;
        until(&format!("{wanted} messages on {channels:?}"), || {
            let heard = self.heard(site);
            channels.iter().all(|channel| heard[channel].len() >= wanted).then_some(heard)
        })
    }

    /// Nothing was told that was not looked at.
    pub(crate) fn assert_silent(&mut self, site: &Site) {
        for (channel, messages) in self.heard(site) {
            assert_eq!(messages[self.looked_at..], [], "{channel}");
        }
    }

    fn heard(&mut self, site: &Site) -> BTreeMap<&'static str, Vec<Message>> {
        for (name, url) in &self.queues {
            self.taken.entry(name).or_default().extend(receive(&site.server, url));
        }
        let of_topic = |body: &Value| serde_json::from_str(body["Message"].as_str().unwrap()).unwrap();
        let from_bus = |body: &Value| {
            let kind = format!("Drift {}", capital(body["detail"]["kind"].as_str().unwrap()));
            assert_eq!((&body["source"], &body["detail-type"]), (&json!("wheelwright"), &json!(kind)));
            body["detail"].clone()
        };
        let bodies = BTreeMap::from([
            ("hook", self.hook.messages()),
            ("topic", self.taken["topic"].iter().map(of_topic).collect()),
            ("bus", self.taken["bus"].iter().map(from_bus).collect()),
        ]);
        let message = |body: &Value| Message {
            kind: body["kind"].as_str().unwrap().to_owned(),
            code: body["code"].as_str().unwrap().to_owned(),
            title: body["title"].as_str().unwrap().to_owned(),
        };
        let mut heard: BTreeMap<_, Vec<Message>> =
            bodies.into_iter().map(|(channel, bodies)| (channel, bodies.iter().map(message).collect())).collect();
        let said = site.log().into_iter().filter(|line| line["channel"] == "people" && line["alert"].is_string());
        let of_line =
            |line: Value| message(&json!({"kind": line["kind"], "code": line["code"], "title": line["message"]}));
        heard.insert("people", said.map(of_line).collect());
        heard
    }
}

fn capital(word: &str) -> String {
    word.chars().take(1).flat_map(char::to_uppercase).chain(word.chars().skip(1)).collect()
}

/// Takes everything out of a queue.
fn receive(server: &Server, url: &str) -> Vec<Value> {
    let mut bodies = Vec::new();
    loop {
        let input = json!({"QueueUrl": url, "MaxNumberOfMessages": MESSAGES_MAX, "WaitTimeSeconds": 0});
        let answer = json_call(server, "sqs", "AmazonSQS.ReceiveMessage", &input);
        let messages = answer["Messages"].as_array().cloned().unwrap_or_default();
        if messages.is_empty() {
            return bodies;
        }
        for message in messages {
            let input = json!({"QueueUrl": url, "ReceiptHandle": message["ReceiptHandle"]});
            json_call(server, "sqs", "AmazonSQS.DeleteMessage", &input);
            bodies.push(serde_json::from_str(message["Body"].as_str().unwrap()).unwrap());
        }
    }
}

fn key() -> Key {
    Key::new("test", "test")
}

fn json_call(server: &Server, service: &str, target: &str, input: &Value) -> Value {
    let kind = if service == "sqs" { "application/x-amz-json-1.0" } else { "application/x-amz-json-1.1" };
    let headers = [("x-amz-target", target), ("content-type", kind)];
    let answer = server.post(&key(), REGION, service, &headers, &input.to_string());
    serde_json::from_str(&answer.unwrap_or_else(|error| panic!("{target} {input}: {error}"))).unwrap_or_default()
}

fn query(server: &Server, service: &str, form: &str) {
    let headers = [("content-type", "application/x-www-form-urlencoded")];
    server.post(&key(), REGION, service, &headers, form).unwrap_or_else(|error| panic!("{form}: {error}"));
}
