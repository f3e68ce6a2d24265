//! An HTTP client that keeps what is sent and answers as it is told; STS is there unless a test says otherwise.

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_async::time::{SharedTimeSource, TimeSource};
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use serde_json::Value;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};
use wheelwright::aws::{AwsFleet, AwsSettings, Connection};
use wheelwright::call::{Answer, Call, CallError};
use wheelwright::model::ids::Scope;
use wheelwright::port::Fleet;

/// One request as it was sent.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    pub(crate) uri: String,
    pub(crate) target: String,
    pub(crate) content_type: String,
    pub(crate) authorization: String,
    /// All headers but those that the connection adds, by name.
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: String,
}

impl Sent {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).expect("a JSON body")
    }

    /// A field of a form body.
    pub(crate) fn form(&self, name: &str) -> Option<String> {
        let fields = self.body.split('&').filter_map(|field| field.split_once('='));
        let value = fields.into_iter().find(|(field, _)| *field == name)?.1;
        Some(value.replace("%3A", ":").replace("%2F", "/").replace("%20", " "))
    }

    fn is_inspecting(&self) -> bool {
        self.target.starts_with("AmazonSQS.") || self.form("Action").as_deref() == Some("GetRole")
    }
}

/// What the wire answers.
#[derive(Clone, Debug)]
pub(crate) enum Reply {
    Body {
        status: u16,
        body: String,
    },
    /// With the header `x-amzn-query-error`.
    QueryError {
        status: u16,
        error: String,
        body: String,
    },
    Never,
    Refused,
}

impl Reply {
    pub(crate) fn ok(body: &Value) -> Self {
        Self::Body { status: 200, body: body.to_string() }
    }

    pub(crate) fn error(status: u16, code: &str, message: &str) -> Self {
        let body = serde_json::json!({"__type": code, "message": message}).to_string();
        Self::Body { status, body }
    }

    pub(crate) fn text(status: u16, body: &str) -> Self {
        Self::Body { status, body: body.into() }
    }
}

/// The wire: what was sent, and what will be answered. STS's answers are made from the request when none is queued.
#[derive(Clone, Debug)]
pub(crate) struct Wire(Arc<State>);

#[derive(Debug)]
struct State {
    clock: Clock,
    sent: Mutex<Vec<Sent>>,
    events: Mutex<VecDeque<Reply>>,
    sts: Mutex<VecDeque<Reply>>,
    inspected: Mutex<VecDeque<Reply>>,
    /// What STS's clock is ahead of ours by.
    sts_ahead: Mutex<Duration>,
    /// The account that GetCallerIdentity names, if not the one whose role was assumed.
    identity: Mutex<Option<String>>,
}

/// What EventBridge answers unless something else is queued: every listing, and each empty.
const LISTS: &str = r#"{"EventBuses":[],"Rules":[],"Targets":[],"Archives":[],"Tags":[]}"#;

impl Wire {
    pub(crate) fn new() -> Self {
        let clock = Clock { started: tokio::time::Instant::now() };
        Self(Arc::new(State {
            clock,
            sent: Mutex::default(),
            events: Mutex::default(),
            sts: Mutex::default(),
            inspected: Mutex::default(),
            sts_ahead: Mutex::default(),
            identity: Mutex::default(),
        }))
    }

    /// Queues EventBridge's next answers; when they are used up, it answers `{}`.
    pub(crate) fn events(&self, replies: impl IntoIterator<Item = Reply>) {
        self.0.events.lock().unwrap().extend(replies);
    }

    /// Queues STS's next answers; when they are used up, it grants everything.
    pub(crate) fn sts(&self, replies: impl IntoIterator<Item = Reply>) {
        self.0.sts.lock().unwrap().extend(replies);
    }

    /// Queues IAM's and SQS's next answers.
    pub(crate) fn inspected(&self, replies: impl IntoIterator<Item = Reply>) {
        self.0.inspected.lock().unwrap().extend(replies);
    }

    /// Sets STS's clock ahead.
    pub(crate) fn sts_ahead(&self, by: Duration) {
        *self.0.sts_ahead.lock().unwrap() = by;
    }

    /// Makes GetCallerIdentity name this account.
    pub(crate) fn identity(&self, account: &str) {
        *self.0.identity.lock().unwrap() = Some(account.into());
    }

    pub(crate) fn sent(&self) -> Vec<Sent> {
        self.0.sent.lock().unwrap().clone()
    }

    pub(crate) fn sent_events(&self) -> Vec<Sent> {
        self.sent().into_iter().filter(|sent| sent.target.starts_with("AWSEvents.")).collect()
    }

    /// The requests to IAM and SQS.
    pub(crate) fn sent_inspecting(&self) -> Vec<Sent> {
        self.sent().into_iter().filter(Sent::is_inspecting).collect()
    }

    /// The requests of this STS action.
    pub(crate) fn sent_sts(&self, action: &str) -> Vec<Sent> {
        self.sent().into_iter().filter(|sent| sent.form("Action").as_deref() == Some(action)).collect()
    }

    pub(crate) fn fleet(&self, settings: AwsSettings) -> AwsFleet {
        self.fleet_as(settings, SharedCredentialsProvider::new(Credentials::new("AKIABASE", "s", None, None, "test")))
    }

    pub(crate) fn fleet_as(&self, settings: AwsSettings, credentials: SharedCredentialsProvider) -> AwsFleet {
        let time = SharedTimeSource::new(self.0.clock.clone());
        AwsFleet::new(settings, Connection::new(SharedHttpClient::new(self.clone()), credentials, time))
    }

    /// One call in account 111111111111, us-east-1, without retries.
    pub(crate) async fn call(&self, call: Call) -> Result<Answer, CallError> {
        self.fleet(settings()).call(&here(), call).await
    }

    fn sts_answer(&self, sent: &Sent) -> Reply {
        if sent.form("Action").as_deref() == Some("GetCallerIdentity") {
            let minted = sent.authorization.split("Credential=ASIA").nth(1).unwrap_or_default();
            let account = self.0.identity.lock().unwrap().clone().unwrap_or_else(|| minted[..12].into());
            return Reply::text(
                200,
                &format!(
                    "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\
                     <GetCallerIdentityResult><Arn>arn:aws:sts::{account}:assumed-role/operator/wheelwright</Arn>\
                     <UserId>AROAEXAMPLE:wheelwright</UserId><Account>{account}</Account></GetCallerIdentityResult>\
                     <ResponseMetadata><RequestId>sts-1</RequestId></ResponseMetadata></GetCallerIdentityResponse>"
                ),
            );
        }
        let role = sent.form("RoleArn").unwrap_or_default();
        let account = role.split(':').nth(4).unwrap_or_default().to_owned();
        let number = self.sent_sts("AssumeRole").len();
        let expires = self.0.clock.now() + *self.0.sts_ahead.lock().unwrap() + Duration::from_secs(3_600);
        let expires = jiff::Timestamp::try_from(expires).unwrap();
        Reply::text(
            200,
            &format!(
                "<AssumeRoleResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><AssumeRoleResult>\
                 <AssumedRoleUser><AssumedRoleId>AROAEXAMPLE:wheelwright</AssumedRoleId>\
                 <Arn>arn:aws:sts::{account}:assumed-role/operator/wheelwright</Arn></AssumedRoleUser>\
                 <Credentials><AccessKeyId>ASIA{account}N{number}</AccessKeyId><SecretAccessKey>secret</SecretAccessKey>\
                 <SessionToken>token</SessionToken><Expiration>{expires}</Expiration></Credentials>\
                 </AssumeRoleResult><ResponseMetadata><RequestId>sts-2</RequestId></ResponseMetadata>\
                 </AssumeRoleResponse>"
            ),
        )
    }
}

impl HttpConnector for Wire {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let header = |name: &str| request.headers().get(name).unwrap_or_default().to_owned();
        let sent = Sent {
            uri: request.uri().to_owned(),
            target: header("x-amz-target"),
            content_type: header("content-type"),
            authorization: header("authorization"),
            headers: request.headers().iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
            body: String::from_utf8(request.body().bytes().unwrap_or_default().to_vec()).unwrap(),
        };
        self.0.sent.lock().unwrap().push(sent.clone());
        let reply = if sent.is_inspecting() {
            self.0.inspected.lock().unwrap().pop_front().expect("an answer for IAM or SQS is queued")
        } else if sent.target.is_empty() {
            let queued = self.0.sts.lock().unwrap().pop_front();
            queued.unwrap_or_else(|| self.sts_answer(&sent))
        } else {
            self.0.events.lock().unwrap().pop_front().unwrap_or_else(|| Reply::text(200, LISTS))
        };
        HttpConnectorFuture::new(async move {
            match reply {
                Reply::Never => std::future::pending().await,
                Reply::Refused => Err(ConnectorError::io("connection refused".into())),
                Reply::Body { status, body } => Ok(answer(status, body).await),
                Reply::QueryError { status, error, body } => {
                    let mut response = answer(status, body).await;
                    response.headers_mut().insert("x-amzn-query-error", error);
                    Ok(response)
                }
            }
        })
    }
}

async fn answer(status: u16, body: String) -> HttpResponse {
    // So that callers at the same time really are.
    tokio::time::sleep(Duration::from_millis(10)).await;
    let mut response = HttpResponse::new(status.try_into().unwrap(), SdkBody::from(body));
    response.headers_mut().insert("x-amzn-requestid", "request-1");
    response
}

impl HttpClient for Wire {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

/// A time of day that moves with tokio's clock, from a fixed moment on.
#[derive(Clone, Debug)]
struct Clock {
    started: tokio::time::Instant,
}

impl TimeSource for Clock {
    fn now(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_790_000_000) + self.started.elapsed()
    }
}

/// Settings without retries.
pub(crate) fn settings() -> AwsSettings {
    AwsSettings { attempts_max: 1, retry_jitter: false, ..AwsSettings::new("operator") }
}

pub(crate) fn here() -> Scope {
    scope("111111111111", "us-east-1")
}

pub(crate) fn scope(account: &str, region: &str) -> Scope {
    Scope::new(account.parse().unwrap(), region)
}

pub(crate) fn list() -> Call {
    Call::ListEventBuses { next_token: None }
}

pub(crate) fn delete() -> Call {
    Call::DeleteRule { bus: "org".into(), rule: "r".into() }
}
