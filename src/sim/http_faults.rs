//! Faults between a client and the simulated AWS, at the HTTP doors: answers that are not AWS's, answers that break
//! off, answers that never come, and the errors of an AWS in trouble.
//!
//! A [`HttpFaultRule`] says which requests it befalls and how often; [`HttpFaults`] is a handle on the rules that
//! both doors take, so that a test can add and lift them while a client runs. Nothing is left to chance: rules are
//! asked in the order they were added, and the first that matches is the one.
//!
//! ```
//! use wheelwright::sim::Service;
//! use wheelwright::sim::http_faults::{HttpFault, HttpFaultRule, HttpFaults};
//!
//! let faults = HttpFaults::default();
//! // The second page of rules in one account breaks off, three times.
//! faults.add(
//!     HttpFaultRule::new(HttpFault::CutBody)
//!         .on(Service::EventBridge, "ListRules")
//!         .in_account("111111111111")
//!         .after(1)
//!         .times(3),
//! );
//! ```

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderValue};
use http::{Request, Response, StatusCode};
use serde_json::{Value, json};

use super::http::{Identified, failed, identified, perform, succeeded};
use super::{AwsError, ErrorFault, Service, SimulatedAws};
use crate::eventbridge::Arn;

/// What goes wrong with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, strum::IntoStaticStr, strum::VariantArray)]
pub enum HttpFault {
    /// Status 200 with an HTML page, as a captive portal or a proxy's login answers.
    HtmlPage,
    /// Status 502 with an HTML page, as a gateway on the way answers.
    BadGateway,
    /// Status 500 with the service's own error.
    InternalError,
    /// Status 503 with the service's own error.
    Unavailable,
    /// Status 400 with the service's error for too many calls.
    Throttled,
    /// `ConcurrentModificationException`.
    ConcurrentModification,
    /// `LimitExceededException`.
    LimitExceeded,
    /// The service's error for a session that is over, as if it had been revoked.
    ExpiredToken,
    /// The connection closes in the middle of the body; its promised length is longer than what comes.
    CutBody,
    /// No answer, and the connection stays open.
    NoAnswer,
    /// Status 200 and nothing else.
    EmptyBody,
    /// Status 200 and the fields of the answer, each of another type than it should be.
    WrongShape,
    /// Status 200 and an answer without any of its fields.
    NoFields,
    /// A listing whose pages never end: each is the first and names the same next token.
    RepeatedToken,
}

/// Which requests a fault befalls: those that match everything that is said, all if nothing is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpFaultRule {
    fault: HttpFault,
    service: Option<Service>,
    operation: Option<String>,
    account: Option<String>,
    region: Option<String>,
    passes_left: u32,
    times_left: Option<u32>,
    takes_effect: bool,
}

impl HttpFaultRule {
    /// A fault that befalls every request, for ever.
    #[must_use]
    pub fn new(fault: HttpFault) -> Self {
        Self {
            fault,
            service: None,
            operation: None,
            account: None,
            region: None,
            passes_left: 0,
            times_left: None,
            takes_effect: false,
        }
    }

    /// Only a service's operation.
    #[must_use]
    pub fn on(mut self, service: Service, operation: &str) -> Self {
        self.operation = Some(operation.to_owned());
        self.of(service)
    }

    /// Only a service.
    #[must_use]
    pub fn of(mut self, service: Service) -> Self {
        self.service = Some(service);
        self
    }

    /// Only what an account's callers ask, and AssumeRole for its roles.
    #[must_use]
    pub fn in_account(mut self, account: &str) -> Self {
        self.account = Some(account.to_owned());
        self
    }

    /// Only in a Region.
    #[must_use]
    pub fn in_region(mut self, region: &str) -> Self {
        self.region = Some(region.to_owned());
        self
    }

    /// Only after so many matching requests have gone through unharmed.
    #[must_use]
    pub fn after(mut self, requests: u32) -> Self {
        self.passes_left = requests;
        self
    }

    /// Only so many times.
    #[must_use]
    pub fn times(mut self, times: u32) -> Self {
        self.times_left = Some(times);
        self
    }

    /// The request takes effect all the same: only its answer is lost. So it is in any case with faults that spoil
    /// AWS's own answer: `CutBody`, `WrongShape`, `NoFields` and `RepeatedToken`.
    #[must_use]
    pub fn taking_effect(mut self) -> Self {
        self.takes_effect = true;
        self
    }

    fn matches(&self, request: &Identified) -> bool {
        let is = |wanted: &Option<String>, found: &str| wanted.as_ref().is_none_or(|wanted| wanted == found);
        self.service.is_none_or(|service| service == request.service)
            && is(&self.operation, &request.operation)
            && is(&self.region, &request.region)
            && (is(&self.account, request.caller.account())
                || assumed_account(request).is_some_and(|account| is(&self.account, &account)))
    }

    /// Whether it befalls a request that it matches; that counts.
    fn strikes(&mut self) -> bool {
        if self.passes_left > 0 {
            self.passes_left -= 1;
            return false;
        }
        match &mut self.times_left {
            Some(0) => false,
            Some(times) => {
                *times -= 1;
                true
            }
            None => true,
        }
    }
}

/// A fault that befell a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpFaultRecord {
    /// The fault.
    pub fault: HttpFault,
    /// The service that was asked.
    pub service: Service,
    /// The operation.
    pub operation: String,
    /// The caller's account.
    pub account: String,
    /// The Region.
    pub region: String,
}

/// The rules in force, for one or several doors. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct HttpFaults {
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    rules: Vec<HttpFaultRule>,
    happened: Vec<HttpFaultRecord>,
}

impl HttpFaults {
    /// Adds a rule behind those that are in force.
    pub fn add(&self, rule: HttpFaultRule) {
        self.state().rules.push(rule);
    }

    /// Lifts all rules.
    pub fn clear(&self) {
        self.state().rules.clear();
    }

    /// What went wrong so far, in order.
    #[must_use]
    pub fn happened(&self) -> Vec<HttpFaultRecord> {
        self.state().happened.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The fault that befalls a request, if one does, and whether the request takes effect.
    fn strike(&self, request: &Identified) -> Option<(HttpFault, bool)> {
        let mut state = self.state();
        let mut matching = state.rules.iter_mut().filter(|rule| rule.matches(request));
        let rule = matching.find_map(|rule| rule.strikes().then_some(rule))?;
        let (fault, takes_effect) = (rule.fault, rule.takes_effect);
        state.happened.push(HttpFaultRecord {
            fault,
            service: request.service,
            operation: request.operation.clone(),
            account: request.caller.account().to_owned(),
            region: request.region.clone(),
        });
        Some((fault, takes_effect))
    }
}

/// What a door does with a request.
pub(super) enum Reply {
    /// It answers.
    Whole(Response<Bytes>),
    /// It answers with a body that ends before the length in its header, and closes.
    Cut(Response<Bytes>),
    /// It never answers.
    Never,
}

/// Answers one HTTP request as the faults let it.
pub(super) fn reply(world: &mut SimulatedAws, faults: &HttpFaults, request: &Request<Bytes>) -> Reply {
    let mut request = match identified(world, request) {
        Ok(request) => request,
        Err(refused) => return Reply::Whole(refused),
    };
    let Some((fault, takes_effect)) = faults.strike(&request) else {
        return Reply::Whole(perform(world, &request));
    };
    match fault {
        HttpFault::CutBody => cut(perform(world, &request)),
        HttpFault::WrongShape | HttpFault::NoFields => Reply::Whole(misshapen(world, &request, fault)),
        HttpFault::RepeatedToken => Reply::Whole(repeated(world, &mut request)),
        other => {
            if takes_effect {
                _ = perform(world, &request);
            }
            instead(world, &request, other)
        }
    }
}

/// An answer in the place of AWS's.
fn instead(world: &mut SimulatedAws, request: &Identified, fault: HttpFault) -> Reply {
    let service = request.service;
    let error = match fault {
        HttpFault::NoAnswer => return Reply::Never,
        HttpFault::HtmlPage => return Reply::Whole(html(StatusCode::OK, "Sign in to the network")),
        HttpFault::BadGateway => return Reply::Whole(html(StatusCode::BAD_GATEWAY, "502 Bad Gateway")),
        HttpFault::EmptyBody => {
            let mut whole = succeeded(service, &request.operation, &json!({}), "");
            *whole.body_mut() = Bytes::new();
            return Reply::Whole(whole);
        }
        HttpFault::Throttled => {
            let code = if speaks_json(service) { "ThrottlingException" } else { "Throttling" };
            AwsError::client(code, "Rate exceeded")
        }
        HttpFault::ConcurrentModification => AwsError::client(
            "ConcurrentModificationException",
            "There is concurrent modification on a rule, target, archive, or replay.",
        ),
        HttpFault::LimitExceeded => AwsError::limit_exceeded(),
        HttpFault::ExpiredToken => AwsError::expired_key(service),
        HttpFault::Unavailable => server_error("ServiceUnavailable", "The service is unavailable.", 503),
        _ if service == Service::EventBridge => AwsError::internal(),
        _ => server_error("InternalFailure", "An internal error occurred.", 500),
    };
    let request_id = world.next_uuid();
    Reply::Whole(failed(service, &error, &request_id))
}

fn speaks_json(service: Service) -> bool {
    matches!(service, Service::EventBridge | Service::Sqs)
}

fn server_error(code: &str, message: &str, status: u16) -> AwsError {
    AwsError { code: code.to_owned(), message: message.to_owned(), status, fault: ErrorFault::Server }
}

fn html(status: StatusCode, title: &str) -> Response<Bytes> {
    let page = format!("<!DOCTYPE html><html><head><title>{title}</title></head><body>{title}</body></html>\n");
    let mut response = Response::new(Bytes::from(page));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    response
}

/// Half of an answer, under the length of the whole.
fn cut(mut whole: Response<Bytes>) -> Reply {
    let promised = whole.body().len().max(2);
    let half = whole.body().slice(..whole.body().len() / 2);
    *whole.body_mut() = half;
    whole.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(promised));
    Reply::Cut(whole)
}

/// AWS's answer with its fields of other types, or without them. An error stays as it is.
fn misshapen(world: &mut SimulatedAws, request: &Identified, fault: HttpFault) -> Response<Bytes> {
    match outcome(world, request) {
        Ok(output) => {
            let output = if fault == HttpFault::NoFields { json!({}) } else { of_other_types(&output) };
            let request_id = world.last_request_id();
            succeeded(request.service, &request.operation, &output, &request_id)
        }
        Err(refused) => refused,
    }
}

fn of_other_types(output: &Value) -> Value {
    let changed = |value: &Value| match value {
        Value::Array(_) => json!("a list was here"),
        Value::Object(_) => json!(["a structure was here"]),
        Value::String(_) => json!({"text": "was here"}),
        _ => json!("something else was here"),
    };
    let Some(fields) = output.as_object() else {
        return changed(output);
    };
    Value::Object(fields.iter().map(|(name, value)| (name.clone(), changed(value))).collect())
}

/// The first page, whichever is asked for, naming the same token each time.
fn repeated(world: &mut SimulatedAws, request: &mut Identified) -> Response<Bytes> {
    if let Some(input) = request.input.as_object_mut()
        && input.get("NextToken").is_some_and(|token| token == REPEATED_TOKEN)
    {
        input.remove("NextToken");
    }
    match outcome(world, request) {
        Ok(mut output) => {
            if let Some(fields) = output.as_object_mut() {
                fields.insert("NextToken".to_owned(), json!(REPEATED_TOKEN));
            }
            let request_id = world.last_request_id();
            succeeded(request.service, &request.operation, &output, &request_id)
        }
        Err(refused) => refused,
    }
}

fn outcome(world: &mut SimulatedAws, request: &Identified) -> Result<Value, Response<Bytes>> {
    let Identified { service, operation, input, caller, region } = request;
    world.call(caller, region, *service, operation, input).map_err(|error| {
        let request_id = world.last_request_id();
        failed(*service, &error, &request_id)
    })
}

/// The account of the role that AssumeRole asks for.
fn assumed_account(request: &Identified) -> Option<String> {
    if request.operation != "AssumeRole" {
        return None;
    }
    let arn: Arn = request.input.get("RoleArn")?.as_str()?.parse().ok()?;
    Some(arn.account)
}

const REPEATED_TOKEN: &str = "the-same-token-again";
