//! The recordings of one file, the world to hold against them, and the account of what was held against what.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use serde_json::{Value, json};
use wheelwright::sim::{AwsError, Caller, Permission, Role, Service, SimulatedAws, Trusted};

use crate::compare::Bindings;
use crate::exceptions::{DIFFERENCES, NOT_SIMULATED, Why};

pub(crate) const ACCOUNT: &str = "111111111111";
pub(crate) const SECOND: &str = "222222222222";
pub(crate) const REGION: &str = "us-east-1";
pub(crate) const SECOND_REGION: &str = "us-west-2";

/// What the recordings published, as it was written: the length counts in an archive's size.
pub(crate) const DETAIL: &str =
    r#"{"command": "update-account", "payload": {"acc_id": "0a787ecb-4015", "sf_id": "baz"}}"#;
/// The recordings' source and detail-type.
pub(crate) const KIND: &str = "core.update-account-command";
/// The recordings' pattern.
pub(crate) const PATTERN: &str = r#"{"source": ["core.update-account-command"], "detail-type": ["core.update-account-command"], "detail": {"command": ["update-account"]}}"#;

type Step = (String, String);

pub(crate) struct Oracle {
    file: String,
    recorded: Value,
    pub(crate) aws: SimulatedAws,
    scenario: String,
    bindings: Bindings,
    held: BTreeMap<Step, Result<(), String>>,
    in_part: usize,
}

impl Oracle {
    pub(crate) fn open(file: &str) -> Option<Self> {
        #[allow(clippy::disallowed_methods)] // The recordings are files, found through the environment.
        let (path, text) = {
            let shared = std::env::var_os("WHEELWRIGHT_SHARED")
                .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared"), PathBuf::from);
            let path = shared.join("oracle").join(file);
            let text = std::fs::read_to_string(&path);
            (path, text)
        };
        let Ok(text) = text else {
            eprintln!("skipped: no recorded answers in {}", path.display());
            return None;
        };
        Some(Self {
            file: file.to_owned(),
            recorded: serde_json::from_str(&text).unwrap(),
            aws: SimulatedAws::default(),
            scenario: String::new(),
            bindings: Bindings::default(),
            held: BTreeMap::new(),
            in_part: 0,
        })
    }

    /// Starts a recorded scenario, in a world without anything of another one. `names` fill its placeholders.
    pub(crate) fn begin(&mut self, scenario: &str, names: &[(&str, &str)]) {
        scenario.clone_into(&mut self.scenario);
        self.aws = SimulatedAws::default();
        self.aws.set_now_ms(1_790_000_000_000);
        for account in [ACCOUNT, SECOND] {
            self.aws.create_account(account);
            let role = Role::named("delivery")
                .trusting(Trusted::Service("events.amazonaws.com".to_owned()))
                .allowing(Permission::on_everything(&["events:PutEvents", "kinesis:*", "execute-api:*"]));
            self.aws.create_role(account, role);
        }
        self.bindings = Bindings::default();
        for (placeholder, value) in [("<partition>", "aws"), ("<region>", REGION)].iter().chain(names) {
            self.bindings.known.push(((*placeholder).to_owned(), (*value).to_owned()));
        }
    }

    /// Fills a placeholder in from here on.
    pub(crate) fn name(&mut self, placeholder: &str, value: &str) {
        self.bindings.known.retain(|(known, _)| known != placeholder);
        self.bindings.known.push((placeholder.to_owned(), value.to_owned()));
    }

    /// Lets a word of the recording stand for anything.
    pub(crate) fn anything(&mut self, word: &str) {
        self.bindings.anything.push(word.to_owned());
    }

    pub(crate) fn call(&mut self, operation: &str, input: Value) -> Result<Value, AwsError> {
        self.call_in(ACCOUNT, REGION, operation, input)
    }

    pub(crate) fn call_in(
        &mut self,
        account: &str,
        region: &str,
        operation: &str,
        input: Value,
    ) -> Result<Value, AwsError> {
        self.aws.call(&Caller::root(account), region, Service::EventBridge, operation, &input)
    }

    /// A call that prepares a scenario and must succeed.
    pub(crate) fn ok(&mut self, operation: &str, input: Value) -> Value {
        self.ok_in(ACCOUNT, REGION, operation, input)
    }

    pub(crate) fn ok_in(&mut self, account: &str, region: &str, operation: &str, input: Value) -> Value {
        let scenario = self.scenario.clone();
        self.call_in(account, region, operation, input)
            .unwrap_or_else(|error| panic!("{scenario}: {operation}: {error}"))
    }

    /// Makes a call and holds its outcome against a recorded step; the answer, or null.
    pub(crate) fn step(&mut self, step: &str, operation: &str, input: Value) -> Value {
        let outcome = self.call(operation, input);
        let answer = outcome.clone().unwrap_or_default();
        self.hold(step, outcome);
        answer
    }

    /// Holds an outcome against a recorded step: code, text and status of an error, or the whole answer.
    pub(crate) fn hold(&mut self, step: &str, outcome: Result<Value, AwsError>) {
        let Some(mut recorded) = self.recording(step) else { return };
        let result = match (recorded.get("Error").cloned(), outcome) {
            (None, Ok(actual)) => {
                if let Some(fields) = recorded.as_object_mut() {
                    fields.remove("ResponseMetadata");
                }
                self.bindings.hold("the answer", &recorded, &actual)
            }
            (Some(expected), Err(error)) => {
                let status = &recorded["ResponseMetadata"]["HTTPStatusCode"];
                let actual = json!({"Code": error.code, "Message": error.message});
                let same_status = status.is_null() || *status == error.status;
                match self.bindings.hold("the error", &expected, &actual) {
                    Ok(()) if !same_status => Err(format!("the status is {}, recorded was {status}", error.status)),
                    result => result,
                }
            }
            (None, Err(error)) => Err(format!("AWS answers, the simulation refuses with {error}")),
            (Some(expected), Ok(_)) => Err(format!("AWS refuses with {expected}, the simulation does not")),
        };
        self.settle(step, result);
    }

    /// Holds a part of a recorded step, where the rest of it is another service's.
    pub(crate) fn hold_part(&mut self, step: &str, pointer: &str, actual: Value) {
        let Some(recorded) = self.recording(step) else { return };
        let part = recorded.pointer(pointer).unwrap_or_else(|| panic!("{}: no {pointer} in {step}", self.scenario));
        let result = self.bindings.hold(pointer, part, &actual);
        self.in_part += 1;
        self.settle(step, result);
    }

    fn settle(&mut self, step: &str, result: Result<(), String>) {
        let before = self.held.insert((self.scenario.clone(), step.to_owned()), result);
        assert!(before.is_none(), "{}: {step} is held twice", self.scenario);
    }

    /// A recorded step. One that has gone is told at the end.
    fn recording(&mut self, step: &str) -> Option<Value> {
        let found = self.recorded.get(&self.scenario).and_then(|steps| steps.get(step)).cloned();
        if found.is_none() {
            self.settle(step, Err("is compared and not recorded any more: take it away".to_owned()));
        }
        found
    }

    /// Fails with everything that is not as recorded or not accounted for, and says how much was compared.
    pub(crate) fn finish(self) {
        let scenarios = self.recorded.as_object().unwrap();
        let all: BTreeSet<Step> = scenarios
            .iter()
            .flat_map(|(scenario, steps)| {
                steps.as_object().unwrap().keys().map(|step| (scenario.clone(), step.clone())).collect::<Vec<_>>()
            })
            .collect();
        let here = |file: &str, scenario: &str, step: &str| {
            (file == self.file).then(|| (scenario.to_owned(), step.to_owned()))
        };
        let differences: BTreeSet<Step> =
            DIFFERENCES.iter().filter_map(|known| here(known.file, known.scenario, known.step)).collect();
        let not_simulated: BTreeMap<Step, &Why> = NOT_SIMULATED
            .iter()
            .filter_map(|known| Some((here(known.file, known.scenario, known.step)?, &known.why)))
            .collect();
        let mut faults = Vec::new();
        let mut fault = |(scenario, step): &Step, text: &str| faults.push(format!("{scenario} / {step}: {text}"));
        for step in &all {
            let (held, differing) = (self.held.get(step), differences.contains(step));
            match (held, not_simulated.contains_key(step)) {
                (None, false) => fault(step, "is recorded, and neither compared nor on a list: do one of them"),
                (Some(_), true) => fault(step, "is compared: take it off NOT_SIMULATED"),
                (None, true) => {
                    if let Some(Why::NoCall(operation)) = not_simulated.get(step)
                        && has_call(operation)
                    {
                        fault(step, &format!("the simulation has {operation} now: compare it"));
                    }
                }
                (Some(Ok(())), false) if differing => fault(step, "is as recorded now: take it off DIFFERENCES"),
                (Some(Err(_)), false) if differing => {}
                (Some(Ok(())), false) => {}
                (Some(Err(text)), false) => fault(step, text),
            }
        }
        for (step, result) in self.held.iter().filter(|(step, _)| !all.contains(*step)) {
            fault(step, result.as_ref().err().map_or("", String::as_str));
        }
        for step in differences.iter().chain(not_simulated.keys()).filter(|step| !all.contains(*step)) {
            fault(step, "is on a list and not recorded any more: take it off");
        }
        assert!(faults.is_empty(), "{}:\n\n{}\n\n{} in all\n", self.file, faults.join("\n"), faults.len());
        for known in DIFFERENCES.iter().filter(|known| known.file == self.file) {
            eprintln!("differs: {} / {}: {}", known.scenario, known.step, known.reason);
        }
        for known in NOT_SIMULATED.iter().filter(|known| known.file == self.file) {
            let why = match known.why {
                Why::NoCall(operation) => format!("there is no {operation} here"),
                Why::OtherService(whose) => format!("another service's: {whose}"),
            };
            eprintln!("not simulated: {} / {}: {why}", known.scenario, known.step);
        }
        eprintln!(
            "{}: {} steps recorded, {} compared ({} of them in part), {} of which differ, {} not simulated",
            self.file,
            all.len(),
            self.held.len(),
            self.in_part,
            differences.len(),
            not_simulated.len()
        );
    }
}

/// Whether the simulation knows an operation of EventBridge's.
fn has_call(operation: &str) -> bool {
    let mut aws = SimulatedAws::default();
    aws.create_account(ACCOUNT);
    let outcome = aws.call(&Caller::root(ACCOUNT), REGION, Service::EventBridge, operation, &json!({}));
    outcome.err().is_none_or(|error| error.code != "UnknownOperationException")
}

/// What scenarios are made of.
impl Oracle {
    /// A queue that EventBridge may send to; its ARN.
    pub(crate) fn queue(&mut self, name: &str) -> String {
        self.queue_in(ACCOUNT, REGION, name)
    }

    pub(crate) fn queue_in(&mut self, account: &str, region: &str, name: &str) -> String {
        let arn = format!("arn:aws:sqs:{region}:{account}:{name}");
        let policy = json!({"Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": "sqs:SendMessage",
            "Resource": arn,
        }]});
        self.aws.create_queue_with_policy(account, region, name, &policy);
        arn
    }

    /// Receives and deletes what is in a queue, as SQS shows it.
    pub(crate) fn messages(&mut self, queue_arn: &str) -> Value {
        let mut parts = queue_arn.split(':').skip(3);
        let (region, account, name) = (parts.next().unwrap(), parts.next().unwrap(), parts.next().unwrap());
        let caller = Caller::root(account);
        let url = format!("https://sqs.{region}.amazonaws.com/{account}/{name}");
        let mut sqs = |operation: &str, mut input: Value| {
            input["QueueUrl"] = json!(url);
            self.aws.call(&caller, region, Service::Sqs, operation, &input).unwrap()
        };
        let received = sqs("ReceiveMessage", json!({"MaxNumberOfMessages": 10}));
        let messages = received.get("Messages").cloned().unwrap_or_else(|| json!([]));
        for message in messages.as_array().unwrap() {
            sqs("DeleteMessage", json!({"ReceiptHandle": message["ReceiptHandle"]}));
        }
        messages
    }

    pub(crate) fn bus(&mut self, name: &str) -> String {
        self.ok("CreateEventBus", json!({"Name": name}))["EventBusArn"].as_str().unwrap().to_owned()
    }

    /// A rule with one target, which is `extra` besides id and ARN.
    pub(crate) fn rule_to(&mut self, bus: &str, rule: &str, pattern: &str, target_arn: &str, extra: Value) {
        self.ok("PutRule", json!({"EventBusName": bus, "Name": rule, "EventPattern": pattern}));
        let mut target = json!({"Id": format!("{rule}-target"), "Arn": target_arn});
        target.as_object_mut().unwrap().extend(extra.as_object().cloned().unwrap_or_default());
        self.ok("PutTargets", json!({"EventBusName": bus, "Rule": rule, "Targets": [target]}));
    }

    /// Publishes events and answers what a queue receives through a rule of this pattern and a target of this kind.
    pub(crate) fn filtered(&mut self, pattern: &str, extra: Value, entries: &[Value]) -> Value {
        let bus = "filtering";
        if self.call("DescribeEventBus", json!({"Name": bus})).is_err() {
            self.bus(bus);
        }
        let queue = self.queue("filtered");
        self.rule_to(bus, "filter", pattern, &queue, extra);
        for entry in entries {
            let mut entry = entry.clone();
            entry["EventBusName"] = json!(bus);
            let put = self.ok("PutEvents", json!({"Entries": [entry]}));
            assert_eq!(put["FailedEntryCount"], 0, "{put}");
        }
        self.messages(&queue)
    }

    /// What a target of another service received, oldest first.
    pub(crate) fn received(&self, target_arn: &str) -> Value {
        self.aws.received(target_arn).iter().map(|event| event.as_ref().clone()).collect()
    }
}

/// An entry of PutEvents as the recordings made them.
pub(crate) fn entry(bus: &str, detail: &str) -> Value {
    json!({"EventBusName": bus, "Source": KIND, "DetailType": KIND, "Detail": detail})
}

/// The role that targets deliver with.
pub(crate) fn delivery_role() -> String {
    format!("arn:aws:iam::{ACCOUNT}:role/delivery")
}
