//! PutEvents: what it refuses as a whole, what it refuses entry by entry, and the envelope it builds.
//!
//! <https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html>

use serde_json::{Map, Value, json};
use std::sync::Arc;

use super::authorization::{Because, refusal};
use super::delivery::Journey;
use super::errors::AwsError;
use super::request::{Constraints, Request};
use super::sts::timestamp_text;
use super::targets::text;
use super::{Caller, Service, SimulatedAws};
use crate::eventbridge::{Arn, ArnOrAccount, DEFAULT_BUS, PutEventsRequest};

/// An event as a publisher writes it.
#[derive(Debug, Clone, PartialEq)]
pub struct EventEntry {
    /// The bus: a name in the publisher's account, or an ARN.
    pub bus: String,
    /// The event's source.
    pub source: String,
    /// The event's detail-type.
    pub detail_type: String,
    /// The event's detail: an object.
    pub detail: Value,
    /// ARNs of what the event is about.
    pub resources: Vec<String>,
}

impl EventEntry {
    /// An event without resources.
    #[must_use]
    pub fn new(bus: &str, source: &str, detail_type: &str, detail: Value) -> Self {
        Self {
            bus: bus.to_owned(),
            source: source.to_owned(),
            detail_type: detail_type.to_owned(),
            detail,
            resources: Vec::new(),
        }
    }
}

/// The bus that an entry goes to.
struct Destination {
    account: String,
    bus: String,
    arn: String,
}

impl SimulatedAws {
    /// Publishes one event and delivers it at once; the event's id.
    ///
    /// # Errors
    ///
    /// The error of the whole call, or that of its one entry.
    pub fn put_event(&mut self, caller: &Caller, region: &str, entry: &EventEntry) -> Result<String, AwsError> {
        let input = json!({"Entries": [{
            "EventBusName": entry.bus,
            "Source": entry.source,
            "DetailType": entry.detail_type,
            "Detail": entry.detail.to_string(),
            "Resources": entry.resources,
        }]});
        let answer = self.call(caller, region, Service::EventBridge, "PutEvents", &input)?;
        let first = answer.pointer("/Entries/0").cloned().unwrap_or_default();
        match first.get("EventId").and_then(Value::as_str) {
            Some(id) => Ok(id.to_owned()),
            None => Err(AwsError::client(text(&first, "ErrorCode"), text(&first, "ErrorMessage"))),
        }
    }

    /// An event of an AWS service's own, on the default bus of the account: what PutEvents takes from nobody else. The
    /// event's id.
    pub fn service_event(&mut self, account: &str, region: &str, entry: &EventEntry) -> String {
        self.ensure_region(account, region);
        let (caller, input) = (Caller::root(account), Value::Null);
        let service = Service::EventBridge;
        let request = Request { caller: &caller, region, service, operation: "PutEvents", input: &input };
        let arn = Arn::bus(region, account, DEFAULT_BUS).to_string();
        let destination = Destination { account: account.to_owned(), bus: DEFAULT_BUS.to_owned(), arn };
        let entry = json!({
            "Source": entry.source, "DetailType": entry.detail_type, "Detail": entry.detail.to_string(),
            "Resources": entry.resources,
        });
        self.accept(&request, &entry, &destination)
    }

    pub(super) fn put_events_call(&mut self, request: &Request<'_>) -> Result<Value, AwsError> {
        let entries = request.list("Entries");
        check_entries(entries, self.quotas(request.account()).put_events_bytes)?;
        let mut destinations = Vec::new();
        for entry in entries {
            let destination = destination(request, entry)?;
            self.authorize_put(request, entry, &destination)?;
            destinations.push(destination);
        }
        let mut answers = Vec::new();
        let mut failed = 0;
        for (entry, destination) in entries.iter().zip(&destinations) {
            match fault_of(entry).or_else(|| self.encryption_fault(request, destination)) {
                Some((code, message)) => {
                    failed += 1;
                    answers.push(json!({"ErrorCode": code, "ErrorMessage": message}));
                }
                None => {
                    let id = self.accept(request, entry, destination);
                    answers.push(json!({"EventId": id}));
                }
            }
        }
        Ok(json!({"FailedEntryCount": failed, "Entries": answers}))
    }

    /// One unauthorised entry refuses the whole request, as captures show.
    fn authorize_put(&self, request: &Request<'_>, entry: &Value, destination: &Destination) -> Result<(), AwsError> {
        self.authorize(request, "events:PutEvents", &destination.arn)?;
        let bus =
            self.region(&destination.account, request.region).and_then(|region| region.buses.get(&destination.bus));
        let policy = bus.and_then(|bus| bus.policy.as_ref());
        let asked = PutEventsRequest {
            caller: ArnOrAccount { account: request.account().to_owned(), arn: Some(self.policy_arn(request.caller)) },
            organization: self.organization(request.account()),
            bus_arn: &destination.arn,
            source: text(entry, "Source"),
            detail_type: text(entry, "DetailType"),
            source_arn: None,
            forwarded: false,
        };
        let own = destination.account == request.account();
        if policy_lets_in(policy.map(|policy| policy.parsed()), &asked, own) {
            return Ok(());
        }
        Err(refusal(request, "events:PutEvents", &destination.arn, Because::NoResourcePolicy))
    }

    fn encryption_fault(&self, request: &Request<'_>, destination: &Destination) -> Option<(&'static str, String)> {
        let bus = self.bus(&destination.account, request.region, &destination.bus).ok()?;
        self.bus_key_trouble(&destination.account, bus).map(|reason| ("KMSEncryptionException", reason))
    }

    pub(super) fn organization(&self, account: &str) -> Option<&str> {
        self.account(account)?.organization.as_deref()
    }

    fn accept(&mut self, request: &Request<'_>, entry: &Value, destination: &Destination) -> String {
        let id = self.next_uuid();
        let event = envelope(request, entry, &id, self.now_ms);
        let journey = Journey::begin(text(entry, "Detail").len());
        self.deliver(&Arc::new(event), journey, &destination.account, request.region, &destination.bus);
        id
    }
}

/// Whether a bus's policy lets an event in. In the bus's own account an identity policy suffices, so only a Deny
/// keeps it out.
pub(super) fn policy_lets_in(
    policy: Option<&crate::eventbridge::BusPolicy>,
    asked: &PutEventsRequest<'_>,
    own_account: bool,
) -> bool {
    use crate::eventbridge::Decision;
    match policy.map(|policy| policy.evaluate(asked)) {
        None => own_account,
        Some(Decision::Allow { .. }) => true,
        Some(Decision::ImplicitDeny { .. }) => own_account,
        Some(Decision::ExplicitDeny { .. }) => false,
    }
}

fn check_entries(entries: &[Value], most_bytes: usize) -> Result<(), AwsError> {
    let mut constraints = Constraints::default();
    let shown = || {
        let members: Vec<String> = entries.iter().map(java_text).collect();
        format!("[{}]", members.join(", "))
    };
    if entries.is_empty() {
        constraints.fail("entries", "[]", "Member must have length greater than or equal to 1");
    } else if entries.len() > 10 {
        constraints.fail("entries", &shown(), "Member must have length less than or equal to 10");
    }
    constraints.check()?;
    let size: usize = entries.iter().map(entry_bytes).sum();
    if size >= most_bytes {
        return Err(AwsError::validation("Total size of the entries in the request is over the limit."));
    }
    Ok(())
}

/// 14 bytes for a time, and the UTF-8 bytes of source, detail-type, detail and each resource.
/// <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-putevents.html>
fn entry_bytes(entry: &Value) -> usize {
    let time = entry.get("Time").filter(|time| !time.is_null()).map_or(0, |_| 14);
    let resources: usize = resources(entry).iter().filter_map(Value::as_str).map(str::len).sum();
    let texts: usize = ["Source", "DetailType", "Detail"].iter().map(|field| text(entry, field).len()).sum();
    time + texts + resources
}

/// An entry as AWS's validation messages show it.
fn java_text(entry: &Value) -> String {
    let shown = |field: &str| entry.get(field).and_then(Value::as_str).unwrap_or("null");
    format!(
        "PutEventsRequestEntry(time=null, source={}, resources=null, detailType={}, detail={}, eventBusName={}, traceHeader=null, kmsKeyIdentifier=null, internalMetadata=null)",
        shown("Source"),
        shown("DetailType"),
        shown("Detail"),
        shown("EventBusName"),
    )
}

fn destination(request: &Request<'_>, entry: &Value) -> Result<Destination, AwsError> {
    let named = match text(entry, "EventBusName") {
        "" => DEFAULT_BUS,
        named => named,
    };
    if !named.starts_with("arn:") {
        return Ok(Destination {
            account: request.account().to_owned(),
            bus: named.to_owned(),
            arn: Arn::bus(request.region, request.account(), named).to_string(),
        });
    }
    let malformed = || {
        AwsError::validation(format!("Parameter {named} is not valid. Reason: Provided Arn is not in correct format."))
    };
    let arn: Arn = named.parse().map_err(|_| malformed())?;
    let bus = arn.bus_name().ok_or_else(malformed)?.to_owned();
    if arn.region != request.region {
        return Err(AwsError::validation("Cross-region api call is not allowed."));
    }
    Ok(Destination { account: arn.account, bus, arn: named.to_owned() })
}

/// What is wrong with one entry, if anything.
fn fault_of(entry: &Value) -> Option<(&'static str, String)> {
    for field in ["Source", "DetailType", "Detail"] {
        if text(entry, field).is_empty() {
            return Some((
                "InvalidArgument",
                format!("Parameter {field} is not valid. Reason: {field} is a required argument."),
            ));
        }
    }
    if text(entry, "Source").starts_with("aws.") {
        return Some(("NotAuthorizedForSourceException", "Not authorized for the source.".to_owned()));
    }
    let detail: Result<Map<String, Value>, _> = serde_json::from_str(text(entry, "Detail"));
    detail.err().map(|_| ("MalformedDetail", "Detail is malformed.".to_owned()))
}

fn envelope(request: &Request<'_>, entry: &Value, id: &str, now_ms: i64) -> Value {
    let detail: Value = serde_json::from_str(text(entry, "Detail")).unwrap_or_default();
    #[allow(clippy::cast_possible_truncation)]
    let time_ms = entry.get("Time").and_then(Value::as_f64).map_or(now_ms, |seconds| (seconds * 1_000.0) as i64);
    json!({
        "version": "0",
        "id": id,
        "detail-type": text(entry, "DetailType"),
        "source": text(entry, "Source"),
        "account": request.account(),
        "time": timestamp_text(time_ms),
        "region": request.region,
        "resources": resources(entry),
        "detail": detail,
    })
}

fn resources(entry: &Value) -> &[Value] {
    entry.get("Resources").and_then(Value::as_array).map_or(&[], Vec::as_slice)
}
