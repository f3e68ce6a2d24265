//! A CloudFormation template with its parameters filled in, as far as the templates of `deploy/` go.
//!
//! Knows YAML with CloudFormation's short tags (`!Sub`), and the functions that are used there. One that it does not
//! know is a failure, so that nothing is read as something else.
//!
//! The YAML comes from `saphyr-parser`: kept up today, it hands every tag on as it is written, and needs nothing that
//! would build the program's own dependencies in another way for the tests.
#![allow(dead_code)] // Each test crate takes what it needs.

use saphyr_parser::{Event, Parser, Tag};
use serde_json::{Map, Value, json};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::Path;

/// A template as it is in `deploy/cloudformation`.
pub(crate) struct Template {
    body: Value,
}

/// A template's resources in one account and Region.
pub(crate) struct Stack {
    pub(crate) resources: BTreeMap<String, Value>,
}

/// One statement of a policy, its members as lists.
#[derive(Clone, Debug)]
pub(crate) struct Statement {
    pub(crate) sid: String,
    pub(crate) effect: String,
    pub(crate) actions: Vec<String>,
    pub(crate) resources: Vec<String>,
    pub(crate) whole: Value,
}

impl Template {
    pub(crate) fn read(name: &str) -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/cloudformation").join(name);
        let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        Self { body: yaml(&text) }
    }

    /// The names of its parameters and their defaults.
    pub(crate) fn parameters(&self) -> BTreeMap<&str, Option<&str>> {
        let parameters = self.body["Parameters"].as_object().expect("Parameters");
        parameters.iter().map(|(name, parameter)| (name.as_str(), parameter["Default"].as_str())).collect()
    }

    /// How many resources of a type it has, made or not.
    pub(crate) fn resources_of(&self, kind: &str) -> usize {
        let resources = self.body["Resources"].as_object().expect("Resources");
        resources.values().filter(|resource| resource["Type"] == kind).count()
    }

    /// The stack with `given` parameters, each as it is typed: lists with commas.
    pub(crate) fn deploy(&self, account: &str, region: &str, given: &[(&str, &str)]) -> Stack {
        let partition = wheelwright::eventbridge::arn::partition_of_region(region);
        let mut values = BTreeMap::from([
            ("AWS::AccountId".to_owned(), json!(account)),
            ("AWS::Region".to_owned(), json!(region)),
            ("AWS::Partition".to_owned(), json!(partition)),
        ]);
        for (name, parameter) in self.body["Parameters"].as_object().expect("Parameters") {
            let typed = given.iter().find(|(given, _)| given == name).map(|(_, typed)| *typed);
            let text = typed.or(parameter["Default"].as_str()).unwrap_or_else(|| panic!("{name} is not given"));
            let value = match parameter["Type"].as_str() {
                Some("CommaDelimitedList") => json!(text.split(',').collect::<Vec<_>>()),
                Some("String" | "Number" | "AWS::EC2::VPC::Id" | "AWS::EC2::Subnet::Id") => json!(text),
                other => panic!("{name}: {other:?}"),
            };
            values.insert(name.clone(), value);
        }
        for (name, _) in given {
            assert!(self.parameters().contains_key(name), "there is no parameter {name}");
        }
        let scope = Scope { body: &self.body, values };
        let resources = self.body["Resources"].as_object().expect("Resources");
        let made = |resource: &Value| resource["Condition"].as_str().is_none_or(|name| scope.condition(name));
        let resources = resources.iter().filter(|(_, resource)| made(resource));
        let resources = resources.filter_map(|(name, resource)| Some((name.clone(), scope.resolve(resource)?)));
        Stack { resources: resources.collect() }
    }
}

impl Stack {
    pub(crate) fn properties(&self, resource: &str) -> &Value {
        let found = self.resources.get(resource).unwrap_or_else(|| panic!("there is no resource {resource}"));
        &found["Properties"]
    }

    /// The statements of the policies that a role has: all of them, as it may have none but those of resources of their own.
    pub(crate) fn granted(&self, role: &str) -> Vec<Statement> {
        for other in ["Policies", "ManagedPolicyArns"] {
            assert_eq!(self.properties(role).get(other), None, "{role}: {other} would not be looked at here");
        }
        let of_role = |policy: &&Value| policy["Properties"]["Roles"] == json!([reference(role)]);
        let policies =
            self.resources.values().filter(|resource| resource["Type"] == "AWS::IAM::Policy").filter(of_role);
        policies.flat_map(|policy| statements(&policy["Properties"]["PolicyDocument"])).collect()
    }

    /// The statements of a role's trust policy.
    pub(crate) fn trust(&self, role: &str) -> Vec<Statement> {
        statements(&self.properties(role)["AssumeRolePolicyDocument"])
    }

    /// The statements of a queue's policy.
    pub(crate) fn queue_policy(&self, resource: &str) -> Vec<Statement> {
        statements(&self.properties(resource)["PolicyDocument"])
    }
}

/// What `Ref` gives of a resource.
fn reference(resource: &str) -> String {
    format!("<{resource}>")
}

fn statements(document: &Value) -> Vec<Statement> {
    let list = |value: &Value| match value {
        Value::Array(members) => members.iter().map(|member| member.as_str().expect("a text").to_owned()).collect(),
        Value::String(text) => vec![text.clone()],
        Value::Null => Vec::new(),
        other => panic!("{other}"),
    };
    assert_eq!(document["Version"], "2012-10-17");
    let statements = document["Statement"].as_array().expect("Statement");
    let read = |whole: &Value| {
        let known = ["Sid", "Effect", "Principal", "Action", "Resource", "Condition"];
        let unknown: Vec<_> = whole.as_object().unwrap().keys().filter(|key| !known.contains(&key.as_str())).collect();
        assert!(unknown.is_empty(), "{unknown:?} in {whole}");
        Statement {
            sid: whole["Sid"].as_str().expect("a Sid").to_owned(),
            effect: whole["Effect"].as_str().expect("an Effect").to_owned(),
            actions: list(&whole["Action"]),
            resources: list(&whole["Resource"]),
            whole: whole.clone(),
        }
    };
    statements.iter().map(read).collect()
}

/// What names stand for.
struct Scope<'a> {
    body: &'a Value,
    values: BTreeMap<String, Value>,
}

impl Scope<'_> {
    /// The value without functions; none where it is `AWS::NoValue`.
    fn resolve(&self, value: &Value) -> Option<Value> {
        match value {
            Value::Array(members) => Some(members.iter().filter_map(|member| self.resolve(member)).collect()),
            Value::Object(members) => match members.iter().next() {
                Some((name, argument)) if members.len() == 1 && name.starts_with('!') => self.function(name, argument),
                _ => Some(Value::Object(
                    members.iter().filter_map(|(key, value)| Some((key.clone(), self.resolve(value)?))).collect(),
                )),
            },
            scalar => Some(scalar.clone()),
        }
    }

    fn function(&self, name: &str, argument: &Value) -> Option<Value> {
        match name {
            "!Ref" if argument == "AWS::NoValue" => None,
            "!Ref" => Some(self.named(argument.as_str().expect("a name"))),
            "!Sub" => Some(json!(self.substitute(argument.as_str().expect("a text")))),
            "!GetAtt" => Some(self.attribute(argument.as_str().expect("a name"))),
            "!If" => self.resolve(&argument[if self.condition(text(argument, 0)) { 1 } else { 2 }]),
            "!Join" => {
                let parts = self.resolve(&argument[1]).expect("a list");
                let parts: Vec<&str> = parts.as_array().unwrap().iter().map(|part| part.as_str().unwrap()).collect();
                Some(json!(parts.join(text(argument, 0))))
            }
            other => panic!("the function {other} is not known here"),
        }
    }

    fn condition(&self, name: &str) -> bool {
        self.holds(&self.body["Conditions"][name])
    }

    fn holds(&self, condition: &Value) -> bool {
        let (name, argument) = condition.as_object().and_then(|only| only.iter().next()).expect("a condition");
        match name.as_str() {
            "Condition" => self.condition(argument.as_str().unwrap()),
            "!Equals" => self.resolve(&argument[0]) == self.resolve(&argument[1]),
            "!Not" => !self.holds(&argument[0]),
            "!And" => argument.as_array().unwrap().iter().all(|part| self.holds(part)),
            "!Or" => argument.as_array().unwrap().iter().any(|part| self.holds(part)),
            other => panic!("the condition {other} is not known here"),
        }
    }

    /// A parameter, a pseudo parameter, or what `Ref` gives of a resource.
    fn named(&self, name: &str) -> Value {
        self.values.get(name).cloned().unwrap_or_else(|| {
            assert!(self.body["Resources"][name].is_object(), "nothing is called {name}");
            json!(reference(name))
        })
    }

    fn substitute(&self, text: &str) -> String {
        let mut filled = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("${") {
            let (name, after) = after.split_once('}').expect("a closing brace");
            filled.push_str(before);
            filled.push_str(self.named(name).as_str().unwrap_or_else(|| panic!("{name} is a list")));
            rest = after;
        }
        filled + rest
    }

    fn attribute(&self, path: &str) -> Value {
        let (resource, attribute) = path.split_once('.').expect("an attribute");
        let found = &self.body["Resources"][resource];
        match (found["Type"].as_str(), attribute) {
            (Some("AWS::SQS::Queue"), "QueueName") => self.resolve(&found["Properties"]["QueueName"]).unwrap(),
            (Some("AWS::SQS::Queue"), "Arn") => {
                let name = self.attribute(&format!("{resource}.QueueName"));
                let arn = self.substitute("arn:${AWS::Partition}:sqs:${AWS::Region}:${AWS::AccountId}:");
                json!(arn + name.as_str().unwrap())
            }
            (
                Some("AWS::IAM::Role" | "AWS::EFS::FileSystem" | "AWS::EFS::AccessPoint" | "AWS::Logs::LogGroup"),
                "Arn",
            )
            | (Some("AWS::EC2::SecurityGroup"), "GroupId")
            | (Some("AWS::ECS::Service"), "Name") => json!(reference(path)),
            other => panic!("{path} ({other:?}) is not known here"),
        }
    }
}

fn text(list: &Value, at: usize) -> &str {
    list[at].as_str().unwrap_or_else(|| panic!("{list}: a text was expected"))
}

/// The document's value: each scalar as its text, each tagged value as an object of the tag.
pub(crate) fn yaml(text: &str) -> Value {
    let mut events = Parser::new_from_str(text).map(|event| event.unwrap_or_else(|error| panic!("{error}")).0);
    let start = events.find(|event| !matches!(event, Event::StreamStart | Event::DocumentStart(_))).expect("a value");
    let value = node(start, &mut events);
    assert!(matches!(events.next(), Some(Event::DocumentEnd)) && matches!(events.next(), Some(Event::StreamEnd)));
    value
}

fn node<'a>(start: Event<'a>, events: &mut impl Iterator<Item = Event<'a>>) -> Value {
    let (value, tag) = match start {
        Event::Scalar(text, _, _, tag) => (json!(text), tag),
        Event::SequenceStart(_, tag) => {
            let mut members = Vec::new();
            while let Some(event) = next_unless(events, &Event::SequenceEnd) {
                members.push(node(event, events));
            }
            (Value::Array(members), tag)
        }
        Event::MappingStart(_, tag) => {
            let mut members = Map::new();
            while let Some(event) = next_unless(events, &Event::MappingEnd) {
                let key = node(event, events).as_str().expect("a text as key").to_owned();
                let event = events.next().expect("a value");
                let before = members.insert(key.clone(), node(event, events));
                assert!(before.is_none(), "{key} is there twice");
            }
            (Value::Object(members), tag)
        }
        other => panic!("{other:?} is not expected in a template"),
    };
    tagged(value, tag)
}

fn tagged(value: Value, tag: Option<Cow<'_, Tag>>) -> Value {
    match tag {
        Some(tag) => Value::Object(Map::from_iter([(tag.to_string(), value)])),
        None => value,
    }
}

fn next_unless<'a>(events: &mut impl Iterator<Item = Event<'a>>, end: &Event<'a>) -> Option<Event<'a>> {
    let event = events.next().expect("an end");
    (event != *end).then_some(event)
}
