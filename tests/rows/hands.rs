//! Somebody at a console: what the rows' edits are made of.

use crate::support::Hands;
use crate::support::probes::{LEDGER, PLATFORM, US};
use serde_json::{Value, json};
use wheelwright::model::desired::Desired;
use wheelwright::model::ids::Scope;
use wheelwright::model::mark::{Digest, Mark};
use wheelwright::model::resource::{BusId, Grantee, ResourceId, RuleId};
use wheelwright::sim::{Role, SimulatedAws, Trusted, key_policy};

/// The central bus.
pub(crate) const HUB: &str = "org-events";
/// Every event.
pub(crate) const EVERYTHING: &str = r#"{"source":[{"prefix":""}]}"#;

/// Something that answers EventBridge's API.
pub(crate) trait Door {
    /// A call by somebody of `account`, which must succeed.
    fn call(&mut self, account: &str, region: &str, operation: &str, input: &Value) -> Value;

    /// The simulated AWS, if this is one: for what AWS and IAM do by themselves.
    fn simulated(&mut self) -> Option<&mut SimulatedAws>;

    /// A customer's key in KMS that a bus of `account` can be encrypted with.
    fn key(&mut self, account: &str, region: &str) -> String;

    /// Tags that only AWS sets, and that it refuses from people.
    fn tag_by_aws(&mut self, arn: &str, tags: &[(&str, &str)]);

    /// Where what is `account`'s in the worked example lives.
    fn lives(&self, account: &str) -> String {
        account.to_owned()
    }
}

impl Door for SimulatedAws {
    fn call(&mut self, account: &str, region: &str, operation: &str, input: &Value) -> Value {
        Hands { aws: self }.call(account, region, operation, input.clone())
    }

    fn simulated(&mut self) -> Option<&mut SimulatedAws> {
        Some(self)
    }

    fn key(&mut self, account: &str, region: &str) -> String {
        let key = self.create_key(account, region);
        let mut policy = key_policy(account);
        let operator = json!({
            "Sid": "Operator", "Effect": "Allow", "Action": "kms:*", "Resource": "*",
            "Principal": {"AWS": format!("arn:aws:iam::{account}:role/wheelwright-operator")},
        });
        policy["Statement"].as_array_mut().unwrap().push(operator);
        self.set_key_policy(&key, &policy);
        key
    }

    fn tag_by_aws(&mut self, arn: &str, tags: &[(&str, &str)]) {
        Self::tag_by_aws(self, arn, tags);
    }
}

/// Somebody at a console.
pub(crate) struct Edit<'a> {
    pub(crate) door: &'a mut dyn Door,
    pub(crate) desired: &'a Desired,
}

impl Edit<'_> {
    #[allow(clippy::needless_pass_by_value)] // It is written where it is passed.
    pub(super) fn call(&mut self, account: &str, region: &str, operation: &str, input: Value) -> Value {
        let account = self.door.lives(account);
        let answer = self.door.call(&account, region, operation, &input);
        let failed =
            answer.get("FailedEntries").and_then(|entries| entries.as_array()).is_some_and(|list| !list.is_empty());
        assert!(!failed, "{operation} {input} in {account}: {answer}");
        answer
    }

    pub(super) fn call_at(&mut self, scope: &Scope, operation: &str, input: Value) -> Value {
        self.call(&scope.account.to_string(), scope.region.as_str(), operation, input)
    }

    /// What no call of a person's can do; only the simulated AWS can be told to.
    pub(super) fn simulated(&mut self) -> &mut SimulatedAws {
        self.door.simulated().expect("AWS does this by itself, and only the simulated one can be told to")
    }
}

/// Buses.
impl Edit<'_> {
    pub(super) fn bus(&self, account: &str, region: &str, bus: &str) -> BusId {
        let account = self.door.lives(account);
        BusId { scope: Scope::new(account.parse().unwrap(), region), name: bus.to_owned() }
    }

    /// Edits a bus's settings in the console: everything is written again, as the form has it then.
    pub(super) fn update_bus(&mut self, account: &str, bus: &str, change: impl FnOnce(&mut Value)) {
        let described = self.call(account, US, "DescribeEventBus", json!({"Name": bus}));
        let empty = json!({
            "Description": "", "KmsKeyIdentifier": "", "DeadLetterConfig": {"Arn": ""},
            "LogConfig": {"Level": "OFF", "IncludeDetail": "NONE"},
        });
        let mut form = json!({"Name": bus});
        for (field, cleared) in empty.as_object().unwrap() {
            form[field] = described.get(field).unwrap_or(cleared).clone();
        }
        change(&mut form);
        self.call(account, US, "UpdateEventBus", form);
    }

    /// Deletes every rule on a bus.
    pub(super) fn empty_bus(&mut self, account: &str, region: &str, bus: &str) {
        let bus = self.bus(account, region, bus);
        let rules = self.call_at(&bus.scope, "ListRules", json!({"EventBusName": bus.name}));
        for rule in rules["Rules"].as_array().unwrap() {
            let name = rule["Name"].as_str().unwrap().to_owned();
            self.delete_rule(&RuleId { bus: bus.clone(), name });
        }
    }

    pub(super) fn make_bus(&mut self, account: &str, name: &str, description: &str) {
        self.call(account, US, "CreateEventBus", json!({"Name": name, "Description": description}));
    }

    pub(super) fn description(&mut self, account: &str, bus: &str) -> String {
        let described = self.call(account, US, "DescribeEventBus", json!({"Name": bus}));
        described["Description"].as_str().unwrap().to_owned()
    }
}

/// Tags.
impl Edit<'_> {
    pub(super) fn tag(&mut self, arn: &str, key: &str, value: &str) {
        let input = json!({"ResourceARN": arn, "Tags": [{"Key": key, "Value": value}]});
        self.call_at(&scope_of(arn), "TagResource", input);
    }

    pub(super) fn untag(&mut self, arn: &str, key: &str) {
        self.call_at(&scope_of(arn), "UntagResource", json!({"ResourceARN": arn, "TagKeys": [key]}));
    }

    pub(super) fn untag_all(&mut self, arn: &str) {
        let tags = self.call_at(&scope_of(arn), "ListTagsForResource", json!({"ResourceARN": arn}));
        let keys: Vec<&Value> = tags["Tags"].as_array().unwrap().iter().map(|tag| &tag["Key"]).collect();
        assert!(keys.len() > 2, "{tags}");
        self.call_at(&scope_of(arn), "UntagResource", json!({"ResourceARN": arn, "TagKeys": keys}));
    }
}

/// The statements of American buses.
impl Edit<'_> {
    /// The id of our statement that lets `grantee` in.
    pub(super) fn sid(&self, account: &str, bus: &str, grantee: &str) -> String {
        let grantee = Grantee::Account(grantee.parse().unwrap());
        let bus = self.bus(account, US, bus);
        let found = self.desired.grants.iter().find(|((id, _), wanted)| *id == bus && wanted.spec == grantee);
        found.unwrap_or_else(|| panic!("no grant on {bus} for {grantee}")).0.1.clone()
    }

    pub(super) fn remove_grant(&mut self, account: &str, bus: &str, grantee: &str) {
        let sid = self.sid(account, bus, grantee);
        self.call(account, US, "RemovePermission", json!({"EventBusName": bus, "StatementId": sid}));
    }

    pub(super) fn put_permission(&mut self, account: &str, bus: &str, sid: &str, principal: &str) {
        let input = json!({
            "EventBusName": bus, "StatementId": sid, "Action": "events:PutEvents", "Principal": principal,
        });
        self.call(account, US, "PutPermission", input);
    }

    /// The whole policy of a Region's hub.
    pub(super) fn policy(&mut self, region: &str) -> Value {
        let bus = self.call(PLATFORM, region, "DescribeEventBus", json!({"Name": HUB}));
        serde_json::from_str(bus["Policy"].as_str().unwrap()).unwrap()
    }

    pub(super) fn put_policy(&mut self, region: &str, policy: &Value) {
        self.call(PLATFORM, region, "PutPermission", json!({"EventBusName": HUB, "Policy": policy.to_string()}));
    }

    /// Puts the policy of a Region's hub again with this statement more.
    #[allow(clippy::needless_pass_by_value)] // It is written where it is passed.
    pub(super) fn add_statement(&mut self, region: &str, mut statement: Value) {
        let mut policy = self.policy(region);
        if statement.get("Resource").is_none() {
            statement["Resource"] = json!(self.bus(PLATFORM, region, HUB).arn());
        }
        policy["Statement"].as_array_mut().unwrap().push(statement);
        self.put_policy(region, &policy);
    }

    /// Puts the hub's policy again with one of our statements changed.
    pub(super) fn edit_statement(&mut self, grantee: &str, change: impl Fn(&mut Value)) {
        let sid = self.sid(PLATFORM, HUB, grantee);
        let mut policy = self.policy(US);
        let statements = policy["Statement"].as_array_mut().unwrap();
        change(statements.iter_mut().find(|statement| statement["Sid"] == json!(sid)).unwrap());
        self.put_policy(US, &policy);
    }
}

/// Rules.
impl Edit<'_> {
    /// The hub's rule of a subscription.
    pub(super) fn rule(&self, subscription: &str) -> RuleId {
        let found = self.desired.routes.iter().find(|(id, _)| id.consumer.to_string() == subscription);
        found.unwrap_or_else(|| panic!("no route to {subscription}")).1.rule.clone()
    }

    /// The rule that forwards to the hub what a subscription takes.
    pub(super) fn forward_rule(&self, subscription: &str) -> RuleId {
        let found = self.desired.routes.iter().find(|(id, _)| id.consumer.to_string() == subscription);
        found.and_then(|(_, route)| route.forward_rules.first()).unwrap().clone()
    }

    pub(super) fn on_rule(&mut self, operation: &str, rule: &RuleId) -> Value {
        self.call_at(&rule.bus.scope, operation, json!({"Name": rule.name, "EventBusName": rule.bus.name}))
    }

    /// Edits a rule in the console: everything is written again, as the form has it then.
    pub(super) fn put_rule(&mut self, subscription: &str, change: impl FnOnce(&mut Value)) {
        let rule = self.rule(subscription);
        self.put_rule_again(&rule, change);
    }

    pub(super) fn put_rule_again(&mut self, rule: &RuleId, change: impl FnOnce(&mut Value)) {
        let described = self.on_rule("DescribeRule", rule);
        let mut form = json!({"EventBusName": rule.bus.name});
        for field in ["Name", "EventPattern", "State", "Description"] {
            if let Some(value) = described.get(field).filter(|value| !value.is_null()) {
                form[field] = value.clone();
            }
        }
        change(&mut form);
        self.call_at(&rule.bus.scope, "PutRule", form);
    }

    pub(super) fn delete_rule(&mut self, rule: &RuleId) {
        self.remove_targets(rule);
        self.on_rule("DeleteRule", rule);
    }

    /// Makes `copy` as `rule` is, with its description, tags and targets.
    pub(super) fn copy_rule(&mut self, rule: &RuleId, copy: &RuleId) {
        let described = self.on_rule("DescribeRule", rule);
        let tags = self.call_at(&rule.bus.scope, "ListTagsForResource", json!({"ResourceARN": rule.arn()}));
        let input = json!({
            "Name": copy.name, "EventBusName": copy.bus.name, "EventPattern": described["EventPattern"],
            "Description": described["Description"], "Tags": tags["Tags"],
        });
        self.call_at(&copy.bus.scope, "PutRule", input);
        let targets = self.targets(rule);
        let input = json!({"Rule": copy.name, "EventBusName": copy.bus.name, "Targets": targets});
        self.call_at(&copy.bus.scope, "PutTargets", input);
    }

    /// A rule of this pattern on a bus, that delivers to a queue of the curious.
    pub(super) fn eavesdrop(&mut self, bus: &BusId, rule: &str, pattern: &str) {
        let Scope { account, region } = &bus.scope;
        let queue = self.queue(&account.to_string(), region.as_str(), "curious");
        let input = json!({"Name": rule, "EventBusName": bus.name, "EventPattern": pattern});
        self.call_at(&bus.scope, "PutRule", input);
        let targets = json!([{"Id": "1", "Arn": queue}]);
        self.call_at(&bus.scope, "PutTargets", json!({"Rule": rule, "EventBusName": bus.name, "Targets": targets}));
    }
}

/// Targets.
impl Edit<'_> {
    pub(super) fn targets(&mut self, rule: &RuleId) -> Vec<Value> {
        let input = json!({"Rule": rule.name, "EventBusName": rule.bus.name});
        self.call_at(&rule.bus.scope, "ListTargetsByRule", input)["Targets"].as_array().cloned().unwrap_or_default()
    }

    #[allow(clippy::needless_pass_by_value)] // It is written where it is passed.
    pub(super) fn put_target(&mut self, rule: &RuleId, target: Value) {
        let input = json!({"Rule": rule.name, "EventBusName": rule.bus.name, "Targets": [target]});
        self.call_at(&rule.bus.scope, "PutTargets", input);
    }

    pub(super) fn edit_target(&mut self, consumer: &str, change: impl Fn(&mut Value)) {
        let rule = self.rule(consumer);
        let mut target = self.targets(&rule).remove(0);
        change(&mut target);
        self.put_target(&rule, target);
    }

    /// A role that EventBridge may assume and that may nothing.
    pub(super) fn role(&mut self, account: &str, name: &str) -> String {
        if let Some(aws) = self.door.simulated() {
            aws.create_role(account, Role::named(name).trusting(Trusted::Service("events.amazonaws.com".to_owned())));
        }
        format!("arn:aws:iam::{account}:role/{name}")
    }

    pub(super) fn remove_targets(&mut self, rule: &RuleId) {
        let ids: Vec<Value> = self.targets(rule).into_iter().map(|target| target["Id"].clone()).collect();
        let input = json!({"Rule": rule.name, "EventBusName": rule.bus.name, "Ids": ids});
        self.call_at(&rule.bus.scope, "RemoveTargets", input);
    }

    /// A queue that EventBridge may send to.
    pub(super) fn queue(&mut self, account: &str, region: &str, name: &str) -> String {
        let arn = format!("arn:aws:sqs:{region}:{account}:{name}");
        let policy = json!({"Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": "sqs:SendMessage",
            "Resource": arn,
        }]});
        // An emulator looks for no queue where it delivers nothing.
        if let Some(aws) = self.door.simulated() {
            aws.create_queue_with_policy(account, region, name, &policy);
        }
        arn
    }
}

/// Archives.
impl Edit<'_> {
    /// The American hub's.
    pub(super) fn archive(&self) -> String {
        let found = self.desired.archives.keys().find(|archive| archive.scope.region.as_str() == US);
        found.unwrap().name.clone()
    }

    pub(super) fn update_archive(&mut self, change: impl FnOnce(&mut Value)) {
        let name = self.archive();
        let described = self.call(PLATFORM, US, "DescribeArchive", json!({"ArchiveName": name}));
        let mut form = json!({
            "ArchiveName": name, "Description": described["Description"], "RetentionDays": described["RetentionDays"],
        });
        change(&mut form);
        self.call(PLATFORM, US, "UpdateArchive", form);
    }
}

/// Whose a thing is.
impl Edit<'_> {
    /// The ledger's bus without our mark and without our tags.
    pub(super) fn disown_bus(&mut self) -> String {
        let arn = self.bus(LEDGER, US, "ledger").arn();
        self.update_bus(LEDGER, "ledger", |form| form["Description"] = json!("the ledger's"));
        self.untag_all(&arn);
        arn
    }

    /// A rule without our mark and without our tags.
    pub(super) fn disown_rule(&mut self, subscription: &str) -> String {
        let arn = self.rule(subscription).arn();
        self.put_rule(subscription, |rule| rule["Description"] = json!("somebody's"));
        self.untag_all(&arn);
        arn
    }

    /// A description with the mark of another operator, written on this very thing.
    pub(super) fn marked_by_others(&self, resource: &ResourceId) -> String {
        let mark = Mark::new(&"others".parse().unwrap(), 7, resource, Digest::of(&["theirs"]));
        mark.stamp("theirs")
    }
}

pub(super) fn drop_field(value: &mut Value, field: &str) {
    assert!(value.as_object_mut().unwrap().remove(field).is_some(), "{value} has no {field}");
}

/// Account and Region of an ARN.
fn scope_of(arn: &str) -> Scope {
    let parts: Vec<&str> = arn.split(':').collect();
    Scope::new(parts[4].parse().unwrap(), parts[3])
}
