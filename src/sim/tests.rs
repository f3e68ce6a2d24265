//! The core through its one door: what a client of AWS would notice.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, clippy::needless_pass_by_value)]

use serde_json::{Value, json};

use super::*;

const HUB: &str = "111111111111";
const SPOKE: &str = "222222222222";
const OTHER: &str = "333333333333";
const EAST: &str = "us-east-1";
const WEST: &str = "us-west-2";

/// Three bootstrapped accounts and short ways to call them as their root users.
struct Lab {
    aws: SimulatedAws,
}

impl Lab {
    fn new() -> Self {
        let mut aws = SimulatedAws::default();
        for account in [HUB, SPOKE, OTHER] {
            aws.bootstrap_account(account, &[EAST, WEST], &bootstrap());
        }
        Self { aws }
    }

    fn call(&mut self, account: &str, region: &str, operation: &str, input: Value) -> Result<Value, AwsError> {
        self.aws.call(&Caller::root(account), region, Service::EventBridge, operation, &input)
    }

    fn ok(&mut self, account: &str, operation: &str, input: Value) -> Value {
        self.ok_in(account, EAST, operation, input)
    }

    fn ok_in(&mut self, account: &str, region: &str, operation: &str, input: Value) -> Value {
        match self.call(account, region, operation, input) {
            Ok(output) => output,
            Err(error) => panic!("{operation}: {error}"),
        }
    }

    fn refused(&mut self, account: &str, operation: &str, input: Value) -> AwsError {
        match self.call(account, EAST, operation, input) {
            Ok(output) => panic!("{operation} was not refused: {output}"),
            Err(error) => error,
        }
    }

    fn bus(&mut self, account: &str, region: &str, name: &str) -> String {
        let created = self.ok_in(account, region, "CreateEventBus", json!({"Name": name}));
        created["EventBusArn"].as_str().unwrap().to_owned()
    }

    fn grant(&mut self, bus_account: &str, region: &str, bus: &str, to: &str) {
        let input = json!({"EventBusName": bus, "StatementId": to, "Action": "events:PutEvents", "Principal": to});
        self.ok_in(bus_account, region, "PutPermission", input);
    }

    fn rule(&mut self, account: &str, region: &str, bus: &str, rule: &str, targets: Value) {
        let input = json!({"EventBusName": bus, "Name": rule, "EventPattern": r#"{"source": [{"prefix": ""}]}"#});
        self.ok_in(account, region, "PutRule", input);
        self.ok_in(account, region, "PutTargets", json!({"EventBusName": bus, "Rule": rule, "Targets": targets}));
    }

    fn queue(&mut self, account: &str, region: &str, name: &str) -> String {
        let arn = format!("arn:aws:sqs:{region}:{account}:{name}");
        let policy = json!({"Statement": [{
            "Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"},
            "Action": "sqs:SendMessage", "Resource": arn,
        }]});
        self.aws.create_queue_with_policy(account, region, name, &policy);
        arn
    }

    fn publish(&mut self, account: &str, bus: &str) -> String {
        let entry = EventEntry::new(bus, "com.acme.shop", "Sold", json!({"amount": 7}));
        self.aws.put_event(&Caller::root(account), EAST, &entry).unwrap()
    }

    fn bodies(&self, queue_arn: &str) -> Vec<Value> {
        self.aws.messages(queue_arn).iter().map(|message| serde_json::from_str(&message.body).unwrap()).collect()
    }

    fn dead_letters(&self, account: &str, region: &str) -> Vec<(String, String)> {
        let messages = self.aws.messages(&dead_letter_queue(account, region));
        let attribute = |message: &Message, name: &str| {
            message.attributes[name]["StringValue"].as_str().unwrap_or_default().to_owned()
        };
        messages.iter().map(|message| (attribute(message, "ERROR_CODE"), attribute(message, "TARGET_ARN"))).collect()
    }
}

fn bootstrap() -> Bootstrap {
    Bootstrap {
        operator_account: HUB.to_owned(),
        external_id: "wheel".to_owned(),
        operator_role: "operator".to_owned(),
        delivery_role: "delivery".to_owned(),
        dead_letter_queue: "dead-letters".to_owned(),
        operator_permissions: None,
    }
}

fn dead_letter_queue(account: &str, region: &str) -> String {
    format!("arn:aws:sqs:{region}:{account}:dead-letters")
}

fn forward(account: &str, region: &str, to: &str) -> Value {
    json!([{
        "Id": "forward", "Arn": to, "RoleArn": format!("arn:aws:iam::{account}:role/delivery"),
        "DeadLetterConfig": {"Arn": dead_letter_queue(account, region)},
    }])
}

fn to_queue(queue: &str) -> Value {
    json!([{"Id": "queue", "Arn": queue}])
}

/// The hub's bus forwards to the spoke's, which delivers to a queue.
fn wheel() -> (Lab, String, String) {
    let mut lab = Lab::new();
    lab.bus(HUB, EAST, "org");
    let spoke = lab.bus(SPOKE, EAST, "team");
    lab.grant(SPOKE, EAST, "team", HUB);
    lab.rule(HUB, EAST, "org", "to-team", forward(HUB, EAST, &spoke));
    let queue = lab.queue(SPOKE, EAST, "inbox");
    lab.rule(SPOKE, EAST, "team", "to-inbox", to_queue(&queue));
    (lab, spoke, queue)
}

#[test]
fn put_rule_replaces_all_but_tags_and_targets() {
    let mut lab = Lab::new();
    lab.bus(HUB, EAST, "org");
    let rule = |extra: Value| {
        let mut input = json!({"EventBusName": "org", "Name": "r", "EventPattern": r#"{ "source" : ["a"] }"#});
        input.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        input
    };
    let tags = json!([{"Key": "owner", "Value": "first"}]);
    lab.ok(HUB, "PutRule", rule(json!({"State": "DISABLED", "Description": "kept?", "Tags": tags})));
    lab.ok(
        HUB,
        "PutTargets",
        json!({"EventBusName": "org", "Rule": "r", "Targets": to_queue("arn:aws:sqs:us-east-1:111111111111:q")}),
    );
    lab.ok(HUB, "PutRule", rule(json!({"Tags": [{"Key": "owner", "Value": "second"}]})));

    let named = json!({"EventBusName": "org", "Name": "r"});
    let described = lab.ok(HUB, "DescribeRule", named);
    assert_eq!(described["State"], "ENABLED");
    assert_eq!(described.get("Description"), None);
    assert_eq!(described["EventPattern"], r#"{ "source" : ["a"] }"#, "the text is kept to the letter");
    let arn = json!({"ResourceARN": described["Arn"]});
    assert_eq!(lab.ok(HUB, "ListTagsForResource", arn)["Tags"], tags);
    let listed = lab.ok(HUB, "ListTargetsByRule", json!({"EventBusName": "org", "Rule": "r"}));
    assert_eq!(listed["Targets"].as_array().unwrap().len(), 1);
}

#[test]
fn a_statement_is_upserted_by_id_and_a_document_replaces_all() {
    let mut lab = Lab::new();
    let bus = lab.bus(HUB, EAST, "org");
    lab.grant(HUB, EAST, "org", SPOKE);
    lab.grant(HUB, EAST, "org", "999999999999");
    let grant = json!({"EventBusName": "org", "StatementId": SPOKE, "Action": "events:PutEvents", "Principal": OTHER});
    lab.ok(HUB, "PutPermission", grant);
    let policy = |lab: &mut Lab| {
        let described = lab.ok(HUB, "DescribeEventBus", json!({"Name": "org"}));
        serde_json::from_str::<Value>(described["Policy"].as_str().unwrap()).unwrap()
    };
    let statements = policy(&mut lab)["Statement"].clone();
    assert_eq!(statements[0]["Sid"], "999999999999", "new statements go in front");
    assert_eq!(statements[0]["Principal"], json!({"AWS": "999999999999"}), "no such account: digits stay");
    assert_eq!(statements[1]["Principal"], json!({"AWS": "arn:aws:iam::333333333333:root"}), "replaced in place");

    let document = json!({"Version": "2012-10-17", "Statement": {
        "Resource": [bus], "Action": ["events:PutEvents"], "Principal": {"AWS": [SPOKE]}, "Effect": "Allow", "Sid": "whole",
    }});
    lab.ok(HUB, "PutPermission", json!({"EventBusName": "org", "Policy": document.to_string()}));
    let text = lab.ok(HUB, "DescribeEventBus", json!({"Name": "org"}))["Policy"].as_str().unwrap().to_owned();
    assert_eq!(
        text,
        format!(
            r#"{{"Version":"2012-10-17","Statement":[{{"Sid":"whole","Effect":"Allow","Principal":{{"AWS":"arn:aws:iam::{SPOKE}:root"}},"Action":"events:PutEvents","Resource":"{bus}"}}]}}"#
        )
    );
    let unknown = document.to_string().replace(SPOKE, "999999999999");
    let refusal = lab.refused(HUB, "PutPermission", json!({"EventBusName": "org", "Policy": unknown}));
    assert_eq!(refusal.message, "Policy contains an invalid principal");
    assert_eq!(policy(&mut lab)["Statement"].as_array().unwrap().len(), 1, "a refusal changes nothing");
}

#[test]
fn put_permission_takes_a_name_and_rule_calls_take_an_arn_of_any_region() {
    let mut lab = Lab::new();
    let east = lab.bus(HUB, EAST, "org");
    lab.bus(HUB, WEST, "org");
    let grant = json!({"EventBusName": east, "StatementId": "x", "Action": "events:PutEvents", "Principal": SPOKE});
    assert_eq!(lab.refused(HUB, "PutPermission", grant).code, "ValidationException");

    let rule = json!({"EventBusName": east, "Name": "r", "EventPattern": r#"{"source":["a"]}"#});
    let put = lab.ok_in(HUB, WEST, "PutRule", rule.clone());
    assert_eq!(put["RuleArn"], "arn:aws:events:us-west-2:111111111111:rule/org/r", "it lands where the call went");
    assert_eq!(lab.refused(SPOKE, "PutRule", rule).code, "AccessDeniedException");
    let described = lab.call(HUB, WEST, "DescribeEventBus", json!({"Name": east}));
    assert_eq!(described.unwrap_err().message, "Cross-region api call is not allowed.");
}

#[test]
fn a_bus_target_needs_a_role_and_a_grant_on_its_destination() {
    let mut lab = Lab::new();
    lab.bus(HUB, EAST, "org");
    let spoke = lab.bus(SPOKE, EAST, "team");
    lab.ok(HUB, "PutRule", json!({"EventBusName": "org", "Name": "r", "EventPattern": r#"{"source":["a"]}"#}));
    let put = |targets: Value| json!({"EventBusName": "org", "Rule": "r", "Targets": targets});
    let without_role = json!([{"Id": "forward", "Arn": spoke}]);
    assert_eq!(
        lab.refused(HUB, "PutTargets", put(without_role)).message,
        format!("RoleArn is required for target {spoke}.")
    );
    let target = forward(HUB, EAST, &spoke);
    assert_eq!(lab.refused(HUB, "PutTargets", put(target.clone())).code, "AccessDeniedException");
    lab.grant(SPOKE, EAST, "team", HUB);
    lab.ok(HUB, "PutTargets", put(target.clone()));

    let mut retrying = target.clone();
    retrying[0]["RetryPolicy"] = json!({"MaximumRetryAttempts": 1});
    assert_eq!(lab.refused(HUB, "PutTargets", put(retrying)).code, "ValidationException");
    let listed = lab.ok(HUB, "ListTargetsByRule", json!({"EventBusName": "org", "Rule": "r"}));
    assert_eq!(listed["Targets"], target, "a target is echoed as it was put");
    let lenient = Settings { target_checks: TargetChecks::AsCaptured, ..Settings::default() };
    lab.aws.settings = lenient;
    let nowhere = forward(HUB, EAST, "arn:aws:events:us-east-1:999999999999:event-bus/none");
    lab.ok(HUB, "PutTargets", put(nowhere));
}

#[test]
fn single_targets_can_fail_while_the_call_succeeds() {
    let mut lab = Lab::new();
    lab.ok(HUB, "PutRule", json!({"Name": "r", "EventPattern": r#"{"source":["a"]}"#}));
    lab.aws.fail_targets(TargetFailure {
        account: HUB.to_owned(),
        target_id: "b".to_owned(),
        code: "ConcurrentModificationException".to_owned(),
        message: "again".to_owned(),
        times: 1,
    });
    let arn = "arn:aws:lambda:us-east-1:111111111111:function:f";
    let put = json!({"Rule": "r", "Targets": [{"Id": "a", "Arn": arn}, {"Id": "b", "Arn": arn}]});
    let first = lab.ok(HUB, "PutTargets", put.clone());
    assert_eq!(first["FailedEntryCount"], 1);
    assert_eq!(first["FailedEntries"][0]["TargetId"], "b");
    let listed = lab.ok(HUB, "ListTargetsByRule", json!({"Rule": "r"}));
    assert_eq!(listed["Targets"], json!([{"Id": "a", "Arn": arn}]));
    assert_eq!(lab.ok(HUB, "PutTargets", put)["FailedEntryCount"], 0);
}

#[test]
fn an_event_reaches_the_subscribers_queue_and_nothing_else() {
    let (mut lab, spoke, queue) = wheel();
    let elsewhere = lab.queue(OTHER, EAST, "inbox");
    let id = lab.publish(HUB, "org");
    let bodies = lab.bodies(&queue);
    assert_eq!(bodies.len(), 1);
    assert_eq!(bodies[0]["id"], id.as_str(), "within a Region the id stays");
    assert_eq!(bodies[0]["account"], HUB);
    assert_eq!(bodies[0]["detail"], json!({"amount": 7}));
    assert!(lab.aws.messages(&elsewhere).is_empty());
    let hops: Vec<(&str, &DeliveryOutcome)> =
        lab.aws.trace().iter().map(|record| (record.target_arn.as_str(), &record.outcome)).collect();
    assert_eq!(hops, [(spoke.as_str(), &DeliveryOutcome::Delivered), (queue.as_str(), &DeliveryOutcome::Delivered)]);
}

#[test]
fn a_second_hop_in_a_region_goes_to_the_dead_letters() {
    let (mut lab, _, queue) = wheel();
    let third = lab.bus(OTHER, EAST, "far");
    lab.grant(OTHER, EAST, "far", SPOKE);
    lab.rule(SPOKE, EAST, "team", "onward", forward(SPOKE, EAST, &third));
    let sink = lab.queue(OTHER, EAST, "inbox");
    lab.rule(OTHER, EAST, "far", "to-inbox", to_queue(&sink));
    lab.publish(HUB, "org");
    assert_eq!(lab.bodies(&queue).len(), 1);
    assert!(lab.bodies(&sink).is_empty());
    assert_eq!(lab.dead_letters(SPOKE, EAST), [("THIRD_ACCOUNT_HOP_DETECTED".to_owned(), third.clone())]);
    let counters = lab.aws.rule_counters("arn:aws:events:us-east-1:222222222222:rule/team/onward");
    assert_eq!((counters.failed_invocations, counters.sent_to_dead_letter_queue), (1, 1));

    lab.ok(
        SPOKE,
        "PutEvents",
        json!({"Entries": [{"EventBusName": "team", "Source": "s", "DetailType": "d", "Detail": "{}"}]}),
    );
    assert_eq!(lab.bodies(&sink).len(), 1, "published to the spoke itself it is the first hop");
}

#[test]
fn a_hop_to_another_region_renews_id_and_time_and_keeps_account_and_region() {
    let mut lab = Lab::new();
    lab.bus(HUB, EAST, "org");
    let west = lab.bus(HUB, WEST, "org");
    let queue = lab.queue(HUB, WEST, "inbox");
    lab.rule(HUB, WEST, "org", "to-inbox", to_queue(&queue));
    lab.rule(HUB, EAST, "org", "to-west", forward(HUB, EAST, &west));
    lab.rule(HUB, WEST, "org", "back", forward(HUB, WEST, "arn:aws:events:us-east-1:111111111111:event-bus/org"));
    lab.aws.set_now_ms(1_700_000_000_000);
    let id = lab.publish(HUB, "org");
    let bodies = lab.bodies(&queue);
    assert_eq!(bodies.len(), 1);
    assert_ne!(bodies[0]["id"], id.as_str());
    assert_eq!((&bodies[0]["account"], &bodies[0]["region"]), (&json!(HUB), &json!(EAST)));
    assert_eq!(bodies[0]["time"], "2023-11-14T22:13:20Z");
    let codes: Vec<String> = lab.dead_letters(HUB, WEST).into_iter().map(|(code, _)| code).collect();
    assert_eq!(codes, ["THIRD_REGION_HOP_DETECTED"]);
}

#[test]
fn mixed_hops_follow_the_setting() {
    for (allowed, delivered) in [(true, 1), (false, 0)] {
        let (mut lab, _, _) = wheel();
        lab.aws.settings.allow_mixed_hops = allowed;
        let west = lab.bus(SPOKE, WEST, "team");
        let queue = lab.queue(SPOKE, WEST, "inbox");
        lab.rule(SPOKE, WEST, "team", "to-inbox", to_queue(&queue));
        lab.rule(SPOKE, EAST, "team", "to-west", forward(SPOKE, EAST, &west));
        lab.publish(HUB, "org");
        assert_eq!(lab.bodies(&queue).len(), delivered, "allowed: {allowed}");
    }
}

#[test]
fn a_grant_that_is_gone_sends_events_to_the_dead_letters() {
    let (mut lab, spoke, queue) = wheel();
    lab.ok(SPOKE, "RemovePermission", json!({"EventBusName": "team", "StatementId": HUB}));
    lab.publish(HUB, "org");
    assert!(lab.bodies(&queue).is_empty());
    assert_eq!(lab.dead_letters(HUB, EAST), [("NO_PERMISSIONS".to_owned(), spoke.clone())]);
    lab.grant(SPOKE, EAST, "team", HUB);
    lab.aws.delete_role(HUB, "delivery");
    lab.publish(HUB, "org");
    assert_eq!(lab.dead_letters(HUB, EAST).len(), 2, "the role is gone");
}

#[test]
fn without_a_dead_letter_queue_a_failed_event_is_gone() {
    let mut lab = Lab::new();
    lab.rule(HUB, EAST, "default", "r", to_queue("arn:aws:sqs:us-east-1:111111111111:missing"));
    lab.publish(HUB, "default");
    let outcomes: Vec<&DeliveryOutcome> = lab.aws.trace().iter().map(|record| &record.outcome).collect();
    assert_eq!(outcomes, [&DeliveryOutcome::Dropped { code: "NO_RESOURCE".to_owned() }]);
}

#[test]
fn a_queue_lets_in_only_the_rules_that_its_policy_names() {
    let mut lab = Lab::new();
    let queue = format!("arn:aws:sqs:{EAST}:{HUB}:inbox");
    let policy = json!({"Statement": [{
        "Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": "sqs:SendMessage",
        "Resource": queue, "Condition": {"ArnEquals": {"aws:SourceArn": format!("arn:aws:events:{EAST}:{HUB}:rule/good")}},
    }]});
    lab.aws.create_queue_with_policy(HUB, EAST, "inbox", &policy);
    lab.rule(HUB, EAST, "default", "good", to_queue(&queue));
    lab.rule(HUB, EAST, "default", "other", to_queue(&queue));
    lab.publish(HUB, "default");
    assert_eq!(lab.bodies(&queue).len(), 1);
    assert_eq!(lab.aws.rule_counters(&format!("arn:aws:events:{EAST}:{HUB}:rule/other")).failed_invocations, 1);
}

#[test]
fn a_queue_of_another_account_needs_role_and_policy() {
    let mut lab = Lab::new();
    let queue = format!("arn:aws:sqs:{EAST}:{SPOKE}:inbox");
    let target = json!([{"Id": "q", "Arn": queue, "RoleArn": format!("arn:aws:iam::{HUB}:role/delivery")}]);
    lab.rule(HUB, EAST, "default", "r", target);
    let policy = |account: &str| {
        json!({"Statement": [{
            "Effect": "Allow", "Principal": {"AWS": format!("arn:aws:iam::{account}:role/delivery")},
            "Action": "sqs:SendMessage", "Resource": queue,
        }]})
    };
    lab.aws.create_queue_with_policy(SPOKE, EAST, "inbox", &policy(OTHER));
    lab.publish(HUB, "default");
    assert!(lab.bodies(&queue).is_empty());
    lab.aws.create_queue_with_policy(SPOKE, EAST, "inbox", &policy(HUB));
    lab.publish(HUB, "default");
    assert_eq!(lab.bodies(&queue).len(), 1);
    lab.ok(HUB, "PutRule", json!({"Name": "s", "EventPattern": r#"{"source":["a"]}"#}));
    let refusal = lab.refused(HUB, "PutTargets", json!({"Rule": "s", "Targets": to_queue(&queue)}));
    assert_eq!(refusal.message, format!("RoleArn is required for target {queue}."));
}

#[test]
fn writes_take_effect_on_delivery_after_the_settle_time() {
    let (mut lab, _, queue) = wheel();
    lab.aws.settings.settle_ms = 5_000;
    lab.ok(HUB, "DisableRule", json!({"EventBusName": "org", "Name": "to-team"}));
    let described = lab.ok(HUB, "DescribeRule", json!({"EventBusName": "org", "Name": "to-team"}));
    assert_eq!(described["State"], "DISABLED", "reads see it at once");
    lab.aws.advance_ms(4_999);
    lab.publish(HUB, "org");
    assert_eq!(lab.bodies(&queue).len(), 1, "events do not yet");
    lab.aws.advance_ms(1);
    lab.publish(HUB, "org");
    assert_eq!(lab.bodies(&queue).len(), 1);
}

#[test]
fn put_events_refuses_strangers_as_a_whole_and_bad_entries_one_by_one() {
    let (mut lab, spoke, queue) = wheel();
    let entry = |bus: &str, source: &str, detail: &str| json!({"EventBusName": bus, "Source": source, "DetailType": "d", "Detail": detail});
    let stranger = json!({"Entries": [entry("default", "s", "{}"), entry(&spoke, "s", "{}")]});
    assert_eq!(lab.refused(OTHER, "PutEvents", stranger).code, "AccessDeniedException");
    let mixed = json!({"Entries": [entry(&spoke, "s", "{}"), entry(&spoke, "aws.s3", "{}"), entry(&spoke, "s", "[]")]});
    let answer = lab.ok(HUB, "PutEvents", mixed);
    assert_eq!(answer["FailedEntryCount"], 2);
    assert_eq!(answer["Entries"][1]["ErrorCode"], "NotAuthorizedForSourceException");
    assert_eq!(answer["Entries"][2]["ErrorCode"], "MalformedDetail");
    assert_eq!(lab.bodies(&queue).len(), 1);
    assert_eq!(lab.bodies(&queue)[0]["account"], HUB, "the account is the publisher's, not the bus's");
}

#[test]
fn archives_catch_events_and_their_rules_cannot_be_touched() {
    let mut lab = Lab::new();
    let bus = lab.bus(HUB, EAST, "org");
    lab.ok(HUB, "CreateArchive", json!({"ArchiveName": "all", "EventSourceArn": bus, "RetentionDays": 3}));
    lab.publish(HUB, "org");
    assert_eq!(lab.aws.archived_events(HUB, EAST, "all").len(), 1);
    let rule = json!({"EventBusName": "org", "Name": "Events-Archive-all"});
    assert!(lab.ok(HUB, "DescribeRule", rule.clone())["ManagedBy"].is_string());
    assert_eq!(lab.refused(HUB, "DeleteRule", rule.clone()).code, "ManagedRuleException");
    let mut put = rule;
    put["EventPattern"] = json!(r#"{"source":["a"]}"#);
    assert_eq!(lab.refused(HUB, "PutRule", put).code, "ManagedRuleException");
    assert_eq!(
        lab.refused(HUB, "DeleteEventBus", json!({"Name": "org"})).message,
        "EventBus can't be deleted since it has rules."
    );
    lab.ok(HUB, "DeleteArchive", json!({"ArchiveName": "all"}));
    lab.ok(HUB, "DeleteEventBus", json!({"Name": "org"}));
}

#[test]
fn quotas_are_the_accounts_own_and_can_be_lowered() {
    let mut lab = Lab::new();
    let rule = |name: &str, pattern: &str| json!({"Name": name, "EventPattern": pattern});
    lab.aws.set_quotas(
        HUB,
        Quotas { buses: 1, rules_per_bus: 2, wildcard_rules_per_bus: 1, policy_characters: 300, ..Quotas::default() },
    );
    let wildcard = r#"{"source":[{"wildcard":"a*"}]}"#;
    lab.ok(HUB, "PutRule", rule("a", wildcard));
    assert_eq!(lab.refused(HUB, "PutRule", rule("b", wildcard)).code, "LimitExceededException");
    lab.ok(HUB, "PutRule", rule("b", r#"{"source":["a"]}"#));
    assert_eq!(lab.refused(HUB, "PutRule", rule("c", r#"{"source":["a"]}"#)).code, "LimitExceededException");
    lab.ok(HUB, "PutRule", rule("a", wildcard));
    lab.bus(HUB, EAST, "one");
    assert_eq!(lab.refused(HUB, "CreateEventBus", json!({"Name": "two"})).code, "LimitExceededException");
    lab.grant(HUB, EAST, "one", SPOKE);
    let second = json!({"EventBusName": "one", "StatementId": "x", "Action": "events:PutEvents", "Principal": OTHER});
    assert_eq!(lab.refused(HUB, "PutPermission", second).code, "PolicyLengthExceededException");
    lab.ok(SPOKE, "PutRule", rule("a", wildcard));
    lab.ok(SPOKE, "PutRule", rule("b", wildcard));
}

#[test]
fn calls_beyond_the_rate_are_throttled_per_account_and_region() {
    let mut lab = Lab::new();
    lab.aws.settings.calls_per_second = Some(50);
    let list = |lab: &mut Lab, region: &str| lab.call(HUB, region, "ListEventBuses", json!({}));
    for call in 0..50 {
        assert!(list(&mut lab, EAST).is_ok(), "call {call}");
    }
    assert_eq!(list(&mut lab, EAST).unwrap_err().code, "ThrottlingException");
    assert!(list(&mut lab, WEST).is_ok(), "the other Region has a bucket of its own");
    lab.aws.advance_ms(20);
    assert!(list(&mut lab, EAST).is_ok());
    assert!(list(&mut lab, EAST).is_err());
}

#[test]
fn a_role_is_assumed_only_with_trust_and_external_id() {
    let mut lab = Lab::new();
    let arn = format!("arn:aws:iam::{SPOKE}:role/operator");
    let assume = |lab: &mut Lab, from: &str, arn: &str, external_id: Value| {
        let input = json!({"RoleArn": arn, "RoleSessionName": "wheel", "ExternalId": external_id});
        lab.aws.call(&Caller::root(from), EAST, Service::Sts, "AssumeRole", &input)
    };
    let minted = assume(&mut lab, HUB, &arn, json!("wheel")).unwrap();
    let key = minted["Credentials"]["AccessKeyId"].as_str().unwrap().to_owned();
    let caller = lab.aws.caller_of_key(&key).unwrap();
    assert_eq!(caller.arn(), format!("arn:aws:sts::{SPOKE}:assumed-role/operator/wheel"));
    for (from, arn, external_id) in [
        (HUB, arn.as_str(), json!("wrong")),
        (HUB, arn.as_str(), Value::Null),
        (OTHER, arn.as_str(), json!("wheel")),
        (HUB, "arn:aws:iam::222222222222:role/nobody", json!("wheel")),
    ] {
        let refusal = assume(&mut lab, from, arn, external_id).unwrap_err();
        assert_eq!((refusal.code.as_str(), refusal.status), ("AccessDenied", 403), "{from} {arn}");
    }
    lab.aws.advance_ms(3_600_000);
    assert_eq!(lab.aws.caller_of_key(&key), Err(KeyError::Expired));
}

#[test]
fn a_role_may_do_what_it_is_allowed_and_no_more() {
    let mut lab = Lab::new();
    let reader = Role::named("reader").allowing(Permission::on_everything(&["events:List*", "events:Describe*"]));
    lab.aws.create_role(HUB, reader);
    let caller = Caller::role(HUB, "reader", "s");
    let mut call = |operation: &str, input: Value| lab.aws.call(&caller, EAST, Service::EventBridge, operation, &input);
    assert!(call("ListEventBuses", json!({})).is_ok());
    let refusal = call("PutRule", json!({"Name": "r", "EventPattern": r#"{"source":["a"]}"#})).unwrap_err();
    assert_eq!(
        refusal.message,
        "User: arn:aws:sts::111111111111:assumed-role/reader/s is not authorized to perform: events:PutRule on \
         resource: arn:aws:events:us-east-1:111111111111:rule/r because no identity-based policy allows the \
         events:PutRule action"
    );
    lab.aws.deny(HUB, "events:PutRule");
    let input = json!({"Name": "r", "EventPattern": r#"{"source":["a"]}"#});
    assert_eq!(lab.refused(HUB, "PutRule", input.clone()).code, "AccessDeniedException");
    lab.aws.undo_deny(HUB, "events:PutRule");
    lab.ok(HUB, "PutRule", input);
}

#[test]
fn a_deleted_roles_principal_turns_into_its_unique_id_and_stays_dead() {
    let mut lab = Lab::new();
    let bus = lab.bus(HUB, EAST, "org");
    let role = format!("arn:aws:iam::{SPOKE}:role/delivery");
    let document = json!({"Version": "2012-10-17", "Statement": [{
        "Sid": "a", "Effect": "Allow", "Principal": {"AWS": role}, "Action": "events:PutEvents", "Resource": bus,
    }]});
    lab.ok(HUB, "PutPermission", json!({"EventBusName": "org", "Policy": document.to_string()}));
    let before = lab.ok(HUB, "DescribeEventBus", json!({"Name": "org"}));
    assert!(before["Policy"].as_str().unwrap().contains(&role));
    lab.aws.advance_ms(1_000);
    lab.aws.delete_role(SPOKE, "delivery");
    lab.aws.create_role(SPOKE, Role::named("delivery"));
    let after = lab.ok(HUB, "DescribeEventBus", json!({"Name": "org"}));
    assert!(after["Policy"].as_str().unwrap().contains(r#"{"AWS":"AROA"#), "{after}");
    assert_eq!(after["LastModifiedTime"], before["LastModifiedTime"]);
}

#[test]
fn listings_come_in_pages_of_the_size_that_is_set() {
    let mut lab = Lab::new();
    for name in ["a", "b", "c", "d", "e"] {
        lab.ok(HUB, "PutRule", json!({"Name": name, "EventPattern": r#"{"source":["a"]}"#}));
    }
    lab.aws.settings.page_size = 2;
    let mut names = Vec::new();
    let mut input = json!({});
    for pages in 1.. {
        let page = lab.ok(HUB, "ListRules", input);
        names.extend(page["Rules"].as_array().unwrap().iter().map(|rule| rule["Name"].clone()));
        let Some(token) = page.get("NextToken") else {
            assert_eq!(pages, 3);
            break;
        };
        input = json!({"NextToken": token});
    }
    assert_eq!(names, ["a", "b", "c", "d", "e"]);
    assert_eq!(lab.refused(HUB, "ListRules", json!({"Limit": 101})).code, "ValidationException");
}

#[test]
fn a_fork_goes_its_own_way() {
    let (mut lab, _, queue) = wheel();
    let before = lab.aws.snapshot(|_| true);
    let mut fork = Lab { aws: lab.aws.clone() };
    fork.ok(HUB, "RemoveTargets", json!({"EventBusName": "org", "Rule": "to-team", "Ids": ["forward"]}));
    fork.publish(HUB, "org");
    assert_eq!(lab.aws.snapshot(|_| true), before);
    assert_ne!(fork.aws.snapshot(|_| true), before);
    lab.publish(HUB, "org");
    assert_eq!((lab.bodies(&queue).len(), fork.bodies(&queue).len()), (1, 0));
}

#[test]
fn the_log_holds_writes_in_order_and_counts_everything() {
    let mut lab = Lab::new();
    lab.bus(HUB, EAST, "org");
    lab.refused(HUB, "CreateEventBus", json!({"Name": "org"}));
    lab.ok(HUB, "ListEventBuses", json!({}));
    let entries: Vec<(u64, &str, &Outcome)> =
        lab.aws.log().iter().map(|entry| (entry.seq, entry.operation.as_str(), &entry.outcome)).collect();
    let exists = Outcome::Err("ResourceAlreadyExistsException".to_owned());
    assert_eq!(entries, [(1, "CreateEventBus", &Outcome::Ok), (2, "CreateEventBus", &exists)]);
    assert_eq!(lab.aws.call_counts().get("ListEventBuses"), Some(&1));
}

#[test]
fn a_snapshot_shows_what_others_wrote_apart_from_what_we_wrote() {
    let (mut lab, _, _) = wheel();
    let foreign = |item: &SnapshotItem<'_>| item.rule != "ours" && item.name != OTHER;
    let before = lab.aws.snapshot(foreign).to_string();
    lab.aws.advance_ms(5_000);
    lab.grant(SPOKE, EAST, "team", OTHER);
    lab.rule(HUB, EAST, "org", "ours", to_queue("arn:aws:sqs:us-east-1:111111111111:q"));
    assert_eq!(lab.aws.snapshot(foreign).to_string(), before);
    lab.ok(HUB, "DisableRule", json!({"EventBusName": "org", "Name": "to-team"}));
    assert_ne!(lab.aws.snapshot(foreign).to_string(), before);
}

#[test]
fn the_same_script_gives_the_same_bytes() {
    let run = || {
        let (mut lab, _, queue) = wheel();
        lab.publish(HUB, "org");
        format!("{:?} {:?} {}", lab.aws.log(), lab.aws.messages(&queue), lab.aws.snapshot(|_| true))
    };
    assert_eq!(run(), run());
}

#[test]
fn a_message_is_hidden_after_it_is_received_until_it_is_deleted_or_time_is_up() {
    let mut lab = Lab::new();
    lab.queue(HUB, EAST, "inbox");
    let url = "https://sqs.us-east-1.amazonaws.com/111111111111/inbox";
    let call = |lab: &mut Lab, operation: &str, mut input: Value| {
        input["QueueUrl"] = json!(url);
        lab.aws.call(&Caller::root(HUB), EAST, Service::Sqs, operation, &input).unwrap()
    };
    let sent = call(&mut lab, "SendMessage", json!({"MessageBody": "hello"}));
    assert_eq!(sent["MD5OfMessageBody"], "5d41402abc4b2a76b9719d911017c592");
    let received = call(&mut lab, "ReceiveMessage", json!({"VisibilityTimeout": 10}));
    assert_eq!(received["Messages"][0]["Body"], "hello");
    assert_eq!(call(&mut lab, "ReceiveMessage", json!({})), json!({}));
    lab.aws.advance_ms(10_000);
    let again = call(&mut lab, "ReceiveMessage", json!({}));
    let handle = again["Messages"][0]["ReceiptHandle"].clone();
    call(&mut lab, "DeleteMessage", json!({"ReceiptHandle": handle}));
    lab.aws.advance_ms(60_000);
    assert_eq!(call(&mut lab, "ReceiveMessage", json!({})), json!({}));
}
