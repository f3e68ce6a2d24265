//! Every call: the operation, the Region and each field of the request; and each field of the answer.

use crate::wire::{Reply, Wire, here};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use wheelwright::call::{Answer, ArchiveSummary, BusSummary, Call, ErrorClass, FailedEntry, Page, RuleSummary};
use wheelwright::model::resource::{BusLog, BusSettings, Grantee, LogLevel, RuleState, TargetSpec};
use wheelwright::model::topology::{Retry, Tags};

const BUS_ARN: &str = "arn:aws:events:us-east-1:111111111111:event-bus/org";
const QUEUE_ARN: &str = "arn:aws:sqs:us-east-1:111111111111:audit";

fn tags() -> Tags {
    Tags::from_iter([("team".into(), "payments".into()), ("wheelwright:owner".into(), "ops".into())])
}

fn tags_json() -> Value {
    json!([{"Key": "team", "Value": "payments"}, {"Key": "wheelwright:owner", "Value": "ops"}])
}

fn bare_target(arn: &str) -> TargetSpec {
    TargetSpec { arn: arn.into(), role_arn: None, dead_letter_arn: None, retry: None }
}

/// Every call with the request that AWS must see.
fn cases() -> Vec<(Call, &'static str, Value)> {
    let (bus, rule) = (|| "org".to_owned(), || "ww.ledger.large.1a2b3c4d".to_owned());
    let next_token = || Some("more".to_owned());
    let reads = vec![
        (Call::ListEventBuses { next_token: None }, "ListEventBuses", json!({"Limit": 100})),
        (
            Call::ListRules { bus: bus(), next_token: next_token() },
            "ListRules",
            json!({"EventBusName": "org", "Limit": 100, "NextToken": "more"}),
        ),
        (
            Call::DescribeRule { bus: bus(), rule: rule() },
            "DescribeRule",
            json!({"EventBusName": "org", "Name": rule()}),
        ),
        (
            Call::ListTargetsByRule { bus: bus(), rule: rule(), next_token: next_token() },
            "ListTargetsByRule",
            json!({"EventBusName": "org", "Rule": rule(), "Limit": 100, "NextToken": "more"}),
        ),
        (
            Call::ListArchives { name_prefix: "ww-".into(), next_token: next_token() },
            "ListArchives",
            json!({"NamePrefix": "ww-", "Limit": 100, "NextToken": "more"}),
        ),
        (Call::ListArchives { name_prefix: String::new(), next_token: None }, "ListArchives", json!({"Limit": 100})),
        (Call::DescribeArchive { archive: "ww-org".into() }, "DescribeArchive", json!({"ArchiveName": "ww-org"})),
        (Call::ListTagsForResource { arn: BUS_ARN.into() }, "ListTagsForResource", json!({"ResourceARN": BUS_ARN})),
        (Call::DescribeEventBus { bus: bus() }, "DescribeEventBus", json!({"Name": "org"})),
    ];
    let permissions = vec![
        (
            Call::PutPermission {
                bus: bus(),
                statement_id: "ww-ops-1".into(),
                grantee: Grantee::Account("000000000042".parse().unwrap()),
            },
            "PutPermission",
            json!({
                "EventBusName": "org", "StatementId": "ww-ops-1", "Action": "events:PutEvents",
                "Principal": "000000000042",
            }),
        ),
        (
            Call::PutPermission {
                bus: bus(),
                statement_id: "ww-ops-2".into(),
                grantee: Grantee::Organization("o-a1b2c3d4e5".into()),
            },
            "PutPermission",
            json!({
                "EventBusName": "org", "StatementId": "ww-ops-2", "Action": "events:PutEvents", "Principal": "*",
                "Condition": {"Type": "StringEquals", "Key": "aws:PrincipalOrgID", "Value": "o-a1b2c3d4e5"},
            }),
        ),
        (
            Call::RemovePermission { bus: bus(), statement_id: "ww-ops-1".into() },
            "RemovePermission",
            json!({"EventBusName": "org", "StatementId": "ww-ops-1"}),
        ),
    ];
    [reads, permissions, rule_writes(), other_writes()].concat()
}

fn rule_writes() -> Vec<(Call, &'static str, Value)> {
    let (bus, rule) = (|| "org".to_owned(), || "ww.ledger.large.1a2b3c4d".to_owned());
    let put_rule = |state| Call::PutRule {
        bus: bus(),
        rule: rule(),
        description: "Large ones [ww1:ops:1:abcd]".into(),
        pattern: r#"{"source":["com.acme"]}"#.into(),
        state,
        tags: tags(),
    };
    let put_rule_json = |state: &str| {
        json!({
            "EventBusName": "org", "Name": rule(), "Description": "Large ones [ww1:ops:1:abcd]",
            "EventPattern": r#"{"source":["com.acme"]}"#, "State": state, "Tags": tags_json(),
        })
    };
    let full = TargetSpec {
        arn: QUEUE_ARN.into(),
        role_arn: Some("arn:aws:iam::111111111111:role/delivery".into()),
        dead_letter_arn: Some("arn:aws:sqs:us-east-1:111111111111:dead".into()),
        retry: Some(Retry { attempts_max: 0, event_age_seconds_max: 60 }),
    };
    vec![
        (put_rule(RuleState::Enabled), "PutRule", put_rule_json("ENABLED")),
        (put_rule(RuleState::Disabled), "PutRule", put_rule_json("DISABLED")),
        (
            Call::PutTargets {
                bus: bus(),
                rule: rule(),
                targets: vec![("ww-ops-1".into(), full), ("ww-ops-2".into(), bare_target(BUS_ARN))],
            },
            "PutTargets",
            json!({
                "EventBusName": "org", "Rule": rule(), "Targets": [
                    {
                        "Id": "ww-ops-1", "Arn": QUEUE_ARN, "RoleArn": "arn:aws:iam::111111111111:role/delivery",
                        "DeadLetterConfig": {"Arn": "arn:aws:sqs:us-east-1:111111111111:dead"},
                        "RetryPolicy": {"MaximumRetryAttempts": 0, "MaximumEventAgeInSeconds": 60},
                    },
                    {"Id": "ww-ops-2", "Arn": BUS_ARN},
                ],
            }),
        ),
        (
            Call::RemoveTargets { bus: bus(), rule: rule(), target_ids: vec!["ww-ops-1".into()] },
            "RemoveTargets",
            json!({"EventBusName": "org", "Rule": rule(), "Ids": ["ww-ops-1"]}),
        ),
        (Call::DeleteRule { bus: bus(), rule: rule() }, "DeleteRule", json!({"EventBusName": "org", "Name": rule()})),
    ]
}

const KEY_ARN: &str = "arn:aws:kms:us-east-1:111111111111:key/1234abcd-12ab-34cd-56ef-1234567890ab";
const LOST_ARN: &str = "arn:aws:sqs:us-east-1:111111111111:undecryptable";

fn settings() -> BusSettings {
    BusSettings {
        description: "Hub".into(),
        kms_key: Some(KEY_ARN.into()),
        dead_letter_arn: Some(LOST_ARN.into()),
        log: BusLog { level: LogLevel::Info, detail: true },
    }
}

fn other_writes() -> Vec<(Call, &'static str, Value)> {
    vec![
        (
            Call::CreateEventBus { bus: "org".into(), settings: settings(), tags: tags() },
            "CreateEventBus",
            json!({
                "Name": "org", "Description": "Hub", "Tags": tags_json(), "KmsKeyIdentifier": KEY_ARN,
                "DeadLetterConfig": {"Arn": LOST_ARN}, "LogConfig": {"Level": "INFO", "IncludeDetail": "FULL"},
            }),
        ),
        (
            Call::UpdateEventBus { bus: "org".into(), settings: settings() },
            "UpdateEventBus",
            json!({
                "Name": "org", "Description": "Hub", "KmsKeyIdentifier": KEY_ARN,
                "DeadLetterConfig": {"Arn": LOST_ARN}, "LogConfig": {"Level": "INFO", "IncludeDetail": "FULL"},
            }),
        ),
        (Call::DeleteEventBus { bus: "org".into() }, "DeleteEventBus", json!({"Name": "org"})),
        (
            Call::UntagResource { arn: BUS_ARN.into(), keys: vec!["team".into()] },
            "UntagResource",
            json!({"ResourceARN": BUS_ARN, "TagKeys": ["team"]}),
        ),
        (Call::DeleteArchive { archive: "ww-org".into() }, "DeleteArchive", json!({"ArchiveName": "ww-org"})),
        (
            Call::TagResource { arn: BUS_ARN.into(), tags: tags() },
            "TagResource",
            json!({"ResourceARN": BUS_ARN, "Tags": tags_json()}),
        ),
        (
            Call::CreateArchive {
                archive: "ww-org".into(),
                source_arn: BUS_ARN.into(),
                description: "Replays".into(),
                retention_days: 0,
            },
            "CreateArchive",
            json!({
                "ArchiveName": "ww-org", "EventSourceArn": BUS_ARN, "Description": "Replays", "RetentionDays": 0,
            }),
        ),
        (
            Call::UpdateArchive { archive: "ww-org".into(), description: "Replays".into(), retention_days: 30 },
            "UpdateArchive",
            json!({"ArchiveName": "ww-org", "Description": "Replays", "RetentionDays": 30}),
        ),
    ]
}

#[tokio::test(start_paused = true)]
async fn every_call_is_the_request_that_aws_documents() {
    for (call, operation, body) in cases() {
        let wire = Wire::new();
        // What AWS answers does not matter here; some answers need a name.
        let _ = wire.call(call.clone()).await;
        let sent = wire.sent_events();
        assert_eq!(sent.len(), 1, "{call:?}");
        assert_eq!(sent[0].target, format!("AWSEvents.{operation}"));
        assert_eq!(sent[0].content_type, "application/x-amz-json-1.1");
        assert_eq!(sent[0].json(), body, "{call:?}");
        assert_eq!(sent[0].uri, "https://events.us-east-1.amazonaws.com/");
        assert!(sent[0].authorization.contains("/us-east-1/events/aws4_request"), "{}", sent[0].authorization);
        assert!(sent[0].authorization.contains("Credential=ASIA111111111111"), "{}", sent[0].authorization);
        assert_eq!(call.action(), format!("events:{operation}"));
        // A write is proven first, a read is not.
        assert_eq!(wire.sent_sts("GetCallerIdentity").len(), usize::from(call.is_write()), "{call:?}");
    }
}

#[test]
fn the_cases_leave_no_call_out() {
    let number = |call: &Call| match call {
        Call::ListEventBuses { .. } => 0,
        Call::ListRules { .. } => 1,
        Call::DescribeRule { .. } => 2,
        Call::ListTargetsByRule { .. } => 3,
        Call::ListArchives { .. } => 4,
        Call::DescribeArchive { .. } => 5,
        Call::ListTagsForResource { .. } => 6,
        Call::DescribeEventBus { .. } => 7,
        Call::CreateEventBus { .. } => 8,
        Call::PutPermission { .. } => 9,
        Call::RemovePermission { .. } => 10,
        Call::PutRule { .. } => 11,
        Call::PutTargets { .. } => 12,
        Call::RemoveTargets { .. } => 13,
        Call::DeleteRule { .. } => 14,
        Call::TagResource { .. } => 15,
        Call::CreateArchive { .. } => 16,
        Call::UpdateArchive { .. } => 17,
        Call::UpdateEventBus { .. } => 18,
        Call::DeleteEventBus { .. } => 19,
        Call::UntagResource { .. } => 20,
        Call::DeleteArchive { .. } => 21,
        // Other services' calls have tests of their own.
        Call::GetRole { .. } | Call::GetQueueAttributes { .. } => 0,
    };
    let numbers: BTreeSet<_> = cases().iter().map(|(call, ..)| number(call)).collect();
    assert_eq!(numbers, (0..=21).collect());
}

/// What `call` answers when AWS answers `body`.
async fn answer(call: Call, body: Value) -> Answer {
    let wire = Wire::new();
    wire.events([Reply::ok(&body)]);
    wire.call(call).await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn listings_of_buses_and_rules_are_read_whole() {
    let policy = r#"{"Version":"2012-10-17","Statement":[]}"#;
    let org = json!({"Name": "org", "Arn": BUS_ARN, "Description": "Hub", "Policy": policy, "CreationTime": 1.0});
    let bus = |name: &str, description: &str, policy: Option<&str>| BusSummary {
        name: name.into(),
        description: description.into(),
        policy: policy.map(str::to_owned),
    };
    let body = json!({"EventBuses": [org, {"Name": "default"}], "NextToken": "more"});
    let items = vec![bus("org", "Hub", Some(policy)), bus("default", "", None)];
    let next_token = Some("more".to_owned());
    assert_eq!(
        answer(Call::ListEventBuses { next_token: None }, body).await,
        Answer::Buses(Page { items, next_token })
    );
    let one = answer(Call::DescribeEventBus { bus: "org".into() }, org).await;
    let settings = BusSettings { description: "Hub".into(), ..BusSettings::default() };
    assert_eq!(one, Answer::Bus(bus("org", "Hub", Some(policy)), settings));

    let state = "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS";
    let live =
        json!({"Name": "r", "EventPattern": "{}", "State": state, "Description": "d", "ManagedBy": "x.amazonaws.com"});
    let rule = RuleSummary {
        name: "r".into(),
        description: "d".into(),
        pattern: Some("{}".into()),
        state: state.into(),
        managed_by: Some("x.amazonaws.com".into()),
        created_by: None,
    };
    let schedule = json!({"Name": "s", "ScheduleExpression": "rate(1 day)", "State": "A_STATE_OF_TOMORROW"});
    let tomorrow = RuleSummary { name: "s".into(), state: "A_STATE_OF_TOMORROW".into(), ..RuleSummary::default() };
    let body = json!({"Rules": [live, schedule]});
    let items = vec![rule.clone(), tomorrow];
    let listed = answer(Call::ListRules { bus: "org".into(), next_token: None }, body).await;
    assert_eq!(listed, Answer::Rules(Page { items, next_token: None }));
    assert_eq!(answer(Call::DescribeRule { bus: "org".into(), rule: "r".into() }, live).await, Answer::Rule(rule));
}

#[tokio::test(start_paused = true)]
async fn archives_and_tags_are_read_whole() {
    let body = json!({"Archives": [{"ArchiveName": "ww-org", "State": "ENABLED"}], "NextToken": "more"});
    let listed = answer(Call::ListArchives { name_prefix: "ww".into(), next_token: None }, body).await;
    assert_eq!(listed, Answer::Archives(Page { items: vec!["ww-org".into()], next_token: Some("more".into()) }));

    let body = json!({
        "ArchiveName": "ww-org", "EventSourceArn": BUS_ARN, "Description": "d", "EventPattern": "{}", "State": "CREATING",
        "RetentionDays": 30, "SizeBytes": 4096, "EventCount": 7,
    });
    let archive = ArchiveSummary {
        name: "ww-org".into(),
        source_arn: BUS_ARN.into(),
        description: "d".into(),
        pattern: Some("{}".into()),
        retention_days: 30,
        state: "CREATING".into(),
        events: 7,
        bytes: 4_096,
    };
    let describe = Call::DescribeArchive { archive: "ww-org".into() };
    assert_eq!(answer(describe.clone(), body.clone()).await, Answer::Archive(archive.clone()));
    // An empty pattern is none: no event is kept out by it.
    let mut without = body;
    without["EventPattern"] = json!("");
    assert_eq!(answer(describe, without).await, Answer::Archive(ArchiveSummary { pattern: None, ..archive }));

    let body = json!({"Tags": tags_json()});
    assert_eq!(answer(Call::ListTagsForResource { arn: BUS_ARN.into() }, body).await, Answer::Tags(tags()));
}

#[tokio::test(start_paused = true)]
async fn entries_that_failed_are_told_though_the_call_succeeded() {
    let put = || Call::PutTargets {
        bus: "org".into(),
        rule: "r".into(),
        targets: vec![("a".into(), bare_target(QUEUE_ARN))],
    };
    let remove = || Call::RemoveTargets { bus: "org".into(), rule: "r".into(), target_ids: vec!["a".into()] };
    let entry = json!({"TargetId": "a", "ErrorCode": "ConcurrentModificationException", "ErrorMessage": "busy"});
    let failed =
        FailedEntry { target_id: "a".into(), code: "ConcurrentModificationException".into(), message: "busy".into() };
    // As AWS names the request, so that its support can be asked.
    let request_id = || Some("request-1".to_owned());
    for call in [put, remove as fn() -> Call] {
        let none = answer(call(), json!({"FailedEntryCount": 0, "FailedEntries": []})).await;
        assert_eq!(none, Answer::Entries { failed: vec![], request_id: request_id() });
        let one = answer(call(), json!({"FailedEntryCount": 1, "FailedEntries": [entry]})).await;
        assert_eq!(one, Answer::Entries { failed: vec![failed.clone()], request_id: request_id() });
        let unnamed = answer(call(), json!({"FailedEntryCount": 2})).await;
        assert!(matches!(&unnamed, Answer::Entries { failed: entries, .. } if entries.len() == 1), "{unnamed:?}");
    }
    assert_eq!(
        answer(Call::DeleteRule { bus: "org".into(), rule: "r".into() }, json!({})).await,
        Answer::Done { request_id: request_id() }
    );
}

#[tokio::test(start_paused = true)]
async fn a_listing_with_a_nameless_entry_is_no_listing() {
    let wire = Wire::new();
    wire.events([Reply::ok(&json!({"Rules": [{"Name": "a"}, {"Arn": "x"}]}))]);
    let error = wire.call(Call::ListRules { bus: "org".into(), next_token: None }).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::NotAws);
    assert_eq!(error.scope, here());
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_right_is_not_sent() {
    let elsewhere = [
        "arn:aws:events:eu-west-1:111111111111:event-bus/org",
        "arn:aws:events:us-east-1:222222222222:event-bus/org",
        "arn:aws-cn:events:us-east-1:111111111111:event-bus/org",
    ];
    for arn in elsewhere.map(str::to_owned) {
        let archive = |source_arn| Call::CreateArchive {
            archive: "a".into(),
            source_arn,
            description: String::new(),
            retention_days: 1,
        };
        for call in [
            Call::TagResource { arn: arn.clone(), tags: tags() },
            Call::ListTagsForResource { arn: arn.clone() },
            archive(arn.clone()),
        ] {
            let wire = Wire::new();
            let error = wire.call(call).await.unwrap_err();
            assert_eq!(error.class, ErrorClass::Invalid);
            assert!(error.message.contains(&arn), "{error}");
            assert!(wire.sent().is_empty());
        }
    }
    let wire = Wire::new();
    let too_long = Call::UpdateArchive { archive: "a".into(), description: String::new(), retention_days: u32::MAX };
    assert_eq!(wire.call(too_long).await.unwrap_err().class, ErrorClass::Invalid);
    assert!(wire.sent_events().is_empty());
}
