//! Buses and queues under a customer's key: who can still read what, and what becomes of events.

use serde_json::{Value, json};
use wheelwright::sim::{
    AwsError, BusUpdates, Caller, EventEntry, KeyState, Permission, Role, Service, SimulatedAws, key_policy,
};

use crate::{EAST, HUB, OTHER, SPOKE, WEST, bus, events, ok, told, world};

const PATTERN: &str = r#"{"source":["com.acme"]}"#;

/// The hub's bus `secret` under a key, with a rule and a target on it.
fn encrypted(aws: &mut SimulatedAws) -> String {
    let key = aws.create_key(HUB, EAST);
    ok(aws, HUB, "CreateEventBus", json!({"Name": "secret", "KmsKeyIdentifier": key}));
    ok(aws, HUB, "PutRule", json!({"EventBusName": "secret", "Name": "r", "EventPattern": PATTERN}));
    let queue = format!("arn:aws:sqs:us-east-1:{HUB}:dead-letters");
    let targets = json!([{"Id": "t", "Arn": queue}]);
    ok(aws, HUB, "PutTargets", json!({"EventBusName": "secret", "Rule": "r", "Targets": targets}));
    key
}

fn outcome(aws: &mut SimulatedAws, caller: &Caller, operation: &str) -> Result<(), AwsError> {
    let input = json!({
        "EventBusName": "secret", "Name": if operation.ends_with("Bus") { "secret" } else { "r" }, "Rule": "r",
        "TargetArn": "arn:aws:sqs:us-east-1:111111111111:dead-letters", "Ids": ["gone"], "EventPattern": PATTERN,
        "Targets": [{"Id": "t", "Arn": "arn:aws:sqs:us-east-1:111111111111:dead-letters"}],
    });
    events(aws, caller, operation, input).map(|_| ())
}

fn operator_may(aws: &mut SimulatedAws, actions: &[&str]) -> Caller {
    aws.create_role(HUB, Role::named("sweeper").allowing(Permission::on_everything(actions)));
    Caller::role(HUB, "sweeper", "s")
}

#[test]
fn without_decrypt_rules_and_targets_cannot_be_read_but_buses_can() {
    let mut aws = world();
    encrypted(&mut aws);
    let caller = operator_may(&mut aws, &["events:*"]);
    for operation in ["ListRules", "DescribeRule", "ListTargetsByRule", "PutRule", "PutTargets", "DisableRule"] {
        let denied = outcome(&mut aws, &caller, operation).unwrap_err();
        let text = "Cannot perform Kms:Decrypt on KMS key configured on event bus.".to_owned();
        assert_eq!(told(denied), ("NotAuthorizedException".to_owned(), 400, text), "{operation}");
    }
    for operation in ["ListEventBuses", "DescribeEventBus", "ListRuleNamesByTarget", "RemoveTargets"] {
        assert_eq!(outcome(&mut aws, &caller, operation), Ok(()), "{operation}");
    }
    let caller = operator_may(&mut aws, &["events:*", "kms:Decrypt"]);
    for operation in ["ListRules", "DescribeRule", "ListTargetsByRule"] {
        assert_eq!(outcome(&mut aws, &caller, operation), Ok(()), "{operation}");
    }
}

#[test]
fn a_key_that_is_disabled_or_whose_policy_keeps_a_role_out_closes_the_bus() {
    let mut aws = world();
    let key = encrypted(&mut aws);
    let caller = operator_may(&mut aws, &["events:*", "kms:*"]);
    aws.set_key_state(&key, KeyState::Disabled);
    assert_eq!(outcome(&mut aws, &Caller::root(HUB), "ListRules").unwrap_err().code, "NotAuthorizedException");
    aws.set_key_state(&key, KeyState::Enabled);
    assert_eq!(outcome(&mut aws, &caller, "ListRules"), Ok(()));
    let mut policy = key_policy(HUB);
    let arn = format!("arn:aws:iam::{HUB}:role/sweeper");
    let mut add = |statement: Value| policy["Statement"].as_array_mut().unwrap().push(statement);
    add(json!({"Effect": "Deny", "Principal": {"AWS": arn}, "Action": "kms:Decrypt", "Resource": "*"}));
    aws.set_key_policy(&key, &policy);
    assert_eq!(outcome(&mut aws, &caller, "ListRules").unwrap_err().code, "NotAuthorizedException");
}

#[test]
fn a_key_policy_that_names_a_role_serves_it_without_a_permission_of_its_own() {
    let mut aws = world();
    let key = encrypted(&mut aws);
    let caller = operator_may(&mut aws, &["events:*"]);
    let mut policy = key_policy(HUB);
    let arn = format!("arn:aws:iam::{HUB}:role/sweeper");
    policy["Statement"].as_array_mut().unwrap().push(json!({
        "Effect": "Allow", "Principal": {"AWS": arn}, "Action": "kms:Decrypt", "Resource": "*",
        "Condition": {"StringEquals": {"kms:ViaService": "events.us-east-1.amazonaws.com"}},
    }));
    aws.set_key_policy(&key, &policy);
    assert_eq!(outcome(&mut aws, &caller, "ListRules"), Ok(()));
}

#[test]
fn a_bus_takes_only_a_key_that_it_can_use() {
    let mut aws = world();
    let key = aws.create_key(HUB, EAST);
    aws.create_key_alias(&key, "alias/team");
    let create = |aws: &mut SimulatedAws, caller: &Caller, name: &str, key: &str| {
        events(aws, caller, "CreateEventBus", json!({"Name": name, "KmsKeyIdentifier": key}))
    };
    let root = Caller::root(HUB);
    let made = create(&mut aws, &root, "a", "alias/team").unwrap();
    assert_eq!(made["KmsKeyIdentifier"], format!("arn:aws:kms:us-east-1:{HUB}:alias/team"));
    let described = ok(&mut aws, HUB, "DescribeEventBus", json!({"Name": "a"}));
    assert_eq!(described["KmsKeyIdentifier"], made["KmsKeyIdentifier"]);
    for (identifier, reason) in [
        ("not-a-key", "Parameter Invalid keyId not-a-key is not valid."),
        (
            "alias/aws/events",
            "Parameter arn:aws:kms:us-east-1:111111111111:alias/aws/events is not valid. Reason: Provided Arn is not in correct format.",
        ),
    ] {
        assert_eq!(create(&mut aws, &root, "b", identifier).unwrap_err().message, reason);
    }
    let idle = operator_may(&mut aws, &["events:*"]);
    let denied = create(&mut aws, &idle, "b", &key).unwrap_err();
    let start =
        "Access to call kms:DescribeKey is denied. Reason: User: arn:aws:sts::111111111111:assumed-role/sweeper/s";
    assert!(denied.code == "AccessDeniedException" && denied.message.starts_with(start), "{denied}");
    aws.set_key_state(&key, KeyState::Disabled);
    let disabled = create(&mut aws, &root, "b", &key).unwrap_err();
    let text = format!("Parameter kmsKeyIdentifier is not valid. Reason: {key} is disabled.");
    assert_eq!(told(disabled), ("ValidationException".to_owned(), 400, text));
    aws.set_key_state(&key, KeyState::Enabled);
    let mut policy = key_policy(HUB);
    policy["Statement"].as_array_mut().unwrap().truncate(1);
    aws.set_key_policy(&key, &policy);
    let no_service = create(&mut aws, &root, "b", &key).unwrap_err();
    let text = format!(
        "Access to call kms:GenerateDataKey is denied. Reason: events.amazonaws.com is not authorized to perform: \
         kms:GenerateDataKey on {key} because the resource does not exist in this Region, no resource-based policies \
         allow access, or a resource-based policy explicitly denies access"
    );
    assert_eq!(told(no_service), ("AccessDeniedException".to_owned(), 400, text));
}

/// Captured for key and dead-letter queue; the other way is what the API reference reads like.
#[test]
fn what_an_update_leaves_out_stays_or_goes_as_the_driver_says() {
    let mut aws = world();
    let key = aws.create_key(HUB, EAST);
    let queue = format!("arn:aws:sqs:us-east-1:{HUB}:dead-letters");
    let log = json!({"Level": "ERROR", "IncludeDetail": "NONE"});
    let all = json!({
        "Name": "org", "Description": "the hub", "KmsKeyIdentifier": key, "DeadLetterConfig": {"Arn": queue},
        "LogConfig": log,
    });
    let created = ok(&mut aws, HUB, "CreateEventBus", all.clone());
    assert_eq!((&created["LogConfig"], &created["DeadLetterConfig"]["Arn"]), (&log, &json!(queue)));
    let kept = ok(&mut aws, HUB, "UpdateEventBus", json!({"Name": "org", "LogConfig": {"Level": "OFF"}}));
    let described = ok(&mut aws, HUB, "DescribeEventBus", json!({"Name": "org"}));
    for field in ["Description", "KmsKeyIdentifier", "DeadLetterConfig"] {
        assert_eq!((&kept[field], &described[field]), (&created[field], &created[field]), "{field}");
    }
    assert_eq!(described["LogConfig"], json!({"Level": "OFF"}));
    let empty = json!({"Name": "org", "Description": "", "KmsKeyIdentifier": "", "DeadLetterConfig": {"Arn": ""}});
    ok(&mut aws, HUB, "UpdateEventBus", empty);
    let described = ok(&mut aws, HUB, "DescribeEventBus", json!({"Name": "org"}));
    for field in ["Description", "KmsKeyIdentifier", "DeadLetterConfig"] {
        assert_eq!(described.get(field), None, "{field} was cleared");
    }
    ok(&mut aws, HUB, "UpdateEventBus", all);
    aws.settings.bus_updates = BusUpdates::FullReplace;
    ok(&mut aws, HUB, "UpdateEventBus", json!({"Name": "org"}));
    let described = ok(&mut aws, HUB, "DescribeEventBus", json!({"Name": "org"}));
    for field in ["Description", "KmsKeyIdentifier", "DeadLetterConfig", "LogConfig"] {
        assert_eq!(described.get(field), None, "{field} was left out");
    }
}

#[test]
fn what_an_update_may_not_say_changes_nothing() {
    let mut aws = world();
    let key = encrypted(&mut aws);
    let refused = |aws: &mut SimulatedAws, input: Value| {
        let before = aws.snapshot(|_| true);
        let error = events(aws, &Caller::root(HUB), "UpdateEventBus", input).unwrap_err();
        assert_eq!(aws.snapshot(|_| true), before);
        error
    };
    for (config, code) in [
        (json!({}), "ValidationException"),
        (json!({"Arn": format!("arn:aws:sqs:{WEST}:{HUB}:q")}), "AccessDeniedException"),
        (json!({"Arn": format!("arn:aws:sqs:{EAST}:{HUB}:q.fifo")}), "AccessDeniedException"),
    ] {
        let error = refused(&mut aws, json!({"Name": "secret", "DeadLetterConfig": config}));
        assert_eq!(error.code, code, "{config}: {error}");
    }
    let loud = refused(&mut aws, json!({"Name": "secret", "LogConfig": {"Level": "LOUD"}}));
    assert!(loud.message.contains("[INFO, ERROR, TRACE, OFF]"), "{loud}");
    aws.set_key_state(&key, KeyState::Disabled);
    let stuck = refused(&mut aws, json!({"Name": "secret", "KmsKeyIdentifier": ""}));
    assert_eq!(stuck.message, format!("Parameter kmsKeyIdentifier is not valid. Reason: {key} is disabled."));
    assert_eq!(refused(&mut aws, json!({"Name": "gone"})).code, "ResourceNotFoundException");
}

#[test]
fn events_for_a_bus_whose_key_is_disabled_are_refused_one_by_one() {
    let mut aws = world();
    let key = encrypted(&mut aws);
    aws.set_key_state(&key, KeyState::Disabled);
    let entry = |bus: &str| json!({"EventBusName": bus, "Source": "com.acme", "DetailType": "d", "Detail": "{}"});
    let answer = ok(&mut aws, HUB, "PutEvents", json!({"Entries": [entry("secret"), entry("default")]}));
    let expected = json!({"ErrorCode": "KMSEncryptionException", "ErrorMessage": format!("{key} is disabled.")});
    assert_eq!((&answer["FailedEntryCount"], &answer["Entries"][0]), (&json!(1), &expected));
    assert!(answer["Entries"][1]["EventId"].is_string());
}

#[test]
fn a_forwarded_event_that_cannot_be_encrypted_is_in_the_buss_own_dead_letters() {
    let mut aws = world();
    bus(&mut aws, HUB, "org");
    let key = aws.create_key(SPOKE, EAST);
    let letters = format!("arn:aws:sqs:us-east-1:{SPOKE}:unencrypted");
    let policy = json!({"Statement": [{
        "Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": "sqs:SendMessage",
        "Resource": letters,
    }]});
    aws.create_queue_with_policy(SPOKE, EAST, "unencrypted", &policy);
    let team = json!({"Name": "team", "KmsKeyIdentifier": key, "DeadLetterConfig": {"Arn": letters}});
    let team = ok(&mut aws, SPOKE, "CreateEventBus", team)["EventBusArn"].clone();
    let grant = json!({"EventBusName": "team", "StatementId": "h", "Action": "events:PutEvents", "Principal": HUB});
    ok(&mut aws, SPOKE, "PutPermission", grant);
    ok(&mut aws, HUB, "PutRule", json!({"EventBusName": "org", "Name": "r", "EventPattern": PATTERN}));
    let role = format!("arn:aws:iam::{HUB}:role/delivery");
    let targets = json!([{"Id": "t", "Arn": team, "RoleArn": role}]);
    ok(&mut aws, HUB, "PutTargets", json!({"EventBusName": "org", "Rule": "r", "Targets": targets}));
    let publish = |aws: &mut SimulatedAws| {
        aws.put_event(&Caller::root(HUB), EAST, &EventEntry::new("org", "com.acme", "d", json!({}))).unwrap();
    };
    publish(&mut aws);
    assert!(aws.messages(&letters).is_empty());
    aws.set_key_state(&key, KeyState::PendingDeletion);
    publish(&mut aws);
    assert_eq!(aws.messages(&letters).len(), 1);
    assert_eq!(
        aws.messages(&letters)[0].attributes["ERROR_MESSAGE"]["StringValue"],
        format!("{key} is pending deletion.")
    );
}

/// Captured: EventBridge as a service has no part in the key that AWS manages for SQS.
#[test]
fn a_queue_under_a_key_that_keeps_eventbridge_out_receives_nothing() {
    let mut aws = world();
    let queue = format!("arn:aws:sqs:us-east-1:{OTHER}:inbox");
    let policy = json!({"Statement": [{
        "Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": "sqs:SendMessage",
        "Resource": queue,
    }]});
    aws.create_queue_with_policy(OTHER, EAST, "inbox", &policy);
    ok(&mut aws, OTHER, "PutRule", json!({"Name": "r", "EventPattern": PATTERN}));
    ok(&mut aws, OTHER, "PutTargets", json!({"Rule": "r", "Targets": [{"Id": "t", "Arn": queue}]}));
    let key = aws.create_key(OTHER, EAST);
    let delivered = |aws: &mut SimulatedAws, key: &str| {
        let url = format!("https://sqs.us-east-1.amazonaws.com/{OTHER}/inbox");
        let set = json!({"QueueUrl": url, "Attributes": {"KmsMasterKeyId": key}});
        aws.call(&Caller::root(OTHER), EAST, Service::Sqs, "SetQueueAttributes", &set).unwrap();
        let before = aws.messages(&queue).len();
        aws.put_event(&Caller::root(OTHER), EAST, &EventEntry::new("default", "com.acme", "d", json!({}))).unwrap();
        aws.messages(&queue).len() - before
    };
    assert_eq!(delivered(&mut aws, ""), 1);
    assert_eq!(delivered(&mut aws, "alias/aws/sqs"), 0);
    assert_eq!(delivered(&mut aws, &key), 1);
    let mut policy = key_policy(OTHER);
    policy["Statement"].as_array_mut().unwrap().truncate(1);
    aws.set_key_policy(&key, &policy);
    assert_eq!(delivered(&mut aws, &key), 0);
    let last = &aws.trace().last().unwrap().outcome;
    assert_eq!(format!("{last:?}"), r#"Dropped { code: "NO_PERMISSIONS" }"#);
}
