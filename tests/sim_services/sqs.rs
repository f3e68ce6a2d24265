//! Queues as a doctor looks at them: their attributes, and whom they let look.

use bytes::Bytes;
use http::Request;
use serde_json::{Value, json};
use wheelwright::sim::http::respond;
use wheelwright::sim::{AwsError, Caller, Permission, Role, Service, SimulatedAws};

use crate::{EAST, HUB, SPOKE, told, world};

fn sqs(aws: &mut SimulatedAws, caller: &Caller, operation: &str, input: Value) -> Result<Value, AwsError> {
    aws.call(caller, EAST, Service::Sqs, operation, &input)
}

fn url(account: &str, name: &str) -> String {
    format!("https://sqs.{EAST}.amazonaws.com/{account}/{name}")
}

fn attributes(aws: &mut SimulatedAws, caller: &Caller, queue: &str, names: &[&str]) -> Result<Value, AwsError> {
    sqs(aws, caller, "GetQueueAttributes", json!({"QueueUrl": queue, "AttributeNames": names}))
}

#[test]
fn all_attributes_of_a_queue_are_shown_with_the_defaults_of_aws() {
    let mut aws = world();
    let root = Caller::root(HUB);
    let queue = sqs(&mut aws, &root, "GetQueueUrl", json!({"QueueName": "dead-letters"})).unwrap();
    assert_eq!(queue["QueueUrl"], url(HUB, "dead-letters"));
    sqs(&mut aws, &root, "SendMessage", json!({"QueueUrl": queue["QueueUrl"], "MessageBody": "x"})).unwrap();
    let all = attributes(&mut aws, &root, &url(HUB, "dead-letters"), &["All"]).unwrap()["Attributes"].clone();
    for (name, value) in [
        ("QueueArn", "arn:aws:sqs:us-east-1:111111111111:dead-letters"),
        ("SqsManagedSseEnabled", "true"),
        ("MessageRetentionPeriod", "345600"),
        ("ApproximateNumberOfMessages", "1"),
        ("ApproximateNumberOfMessagesNotVisible", "0"),
        ("VisibilityTimeout", "30"),
    ] {
        assert_eq!(all[name], value, "{name}");
    }
    let policy: Value = serde_json::from_str(all["Policy"].as_str().unwrap()).unwrap();
    assert_eq!(policy["Statement"][0]["Principal"], json!({"Service": "events.amazonaws.com"}));
    assert_eq!(all.get("KmsMasterKeyId"), None);
}

#[test]
fn what_is_set_is_shown_and_a_customers_key_takes_the_place_of_the_queues_own() {
    let mut aws = world();
    let root = Caller::root(HUB);
    let set = json!({"KmsMasterKeyId": "alias/team", "MessageRetentionPeriod": "1209600"});
    sqs(&mut aws, &root, "CreateQueue", json!({"QueueName": "q", "Attributes": set})).unwrap();
    let shown = attributes(
        &mut aws,
        &root,
        &url(HUB, "q"),
        &["KmsMasterKeyId", "SqsManagedSseEnabled", "MessageRetentionPeriod", "Policy"],
    );
    let expected =
        json!({"KmsMasterKeyId": "alias/team", "MessageRetentionPeriod": "1209600", "SqsManagedSseEnabled": "false"});
    assert_eq!(shown.unwrap()["Attributes"], expected, "and no policy, because there is none");
    let unknown = attributes(&mut aws, &root, &url(HUB, "q"), &["Colour"]).unwrap_err();
    assert_eq!(told(unknown), ("InvalidAttributeName".to_owned(), 400, "Unknown Attribute Colour.".to_owned()));
}

#[test]
fn a_queue_is_shown_with_permission_alone_at_home_and_with_its_policy_as_well_elsewhere() {
    let mut aws = world();
    let operator = Caller::role(HUB, "operator", "s");
    let queue = url(HUB, "dead-letters");
    let denied = attributes(&mut aws, &operator, &queue, &["All"]).unwrap_err();
    let text = "User: arn:aws:sts::111111111111:assumed-role/operator/s is not authorized to perform: \
                sqs:getqueueattributes on resource: arn:aws:sqs:us-east-1:111111111111:dead-letters because no \
                identity-based policy allows the sqs:getqueueattributes action";
    assert_eq!(told(denied), ("AccessDenied".to_owned(), 403, text.to_owned()));

    aws.create_role(HUB, Role::named("doctor").allowing(Permission::on_everything(&["sqs:GetQueue*"])));
    aws.create_role(SPOKE, Role::named("doctor").allowing(Permission::on_everything(&["sqs:GetQueue*"])));
    let (here, there) = (Caller::role(HUB, "doctor", "s"), Caller::role(SPOKE, "doctor", "s"));
    assert!(attributes(&mut aws, &here, &queue, &["QueueArn"]).is_ok());
    let foreign = attributes(&mut aws, &there, &queue, &["QueueArn"]).unwrap_err();
    assert!(foreign.message.contains("because no resource-based policy allows"), "{foreign}");
    let policy = json!({"Statement": [{
        "Effect": "Allow", "Principal": {"AWS": SPOKE}, "Action": "sqs:GetQueue*", "Resource": "*",
    }]});
    aws.create_queue_with_policy(HUB, EAST, "dead-letters", &policy);
    assert!(attributes(&mut aws, &there, &queue, &["QueueArn"]).is_ok());
    let named = json!({"QueueName": "dead-letters", "QueueOwnerAWSAccountId": HUB});
    assert_eq!(sqs(&mut aws, &there, "GetQueueUrl", named).unwrap()["QueueUrl"], queue);
}

/// Code for old clients in a header, the modeled name in the body: what an SDK needs to tell `QueueDoesNotExist`.
#[test]
fn a_missing_queue_is_told_in_both_protocols_words() {
    let mut aws = world();
    let key = aws.mint_root_key(HUB).access_key_id;
    let mut ask = |operation: &str, body: Value| {
        let request = Request::builder()
            .method("POST")
            .uri("https://sqs.us-east-1.amazonaws.com/")
            .header("x-amz-target", format!("AmazonSQS.{operation}"))
            .header("authorization", format!("AWS4-HMAC-SHA256 Credential={key}/20260101/{EAST}/sqs/aws4_request"))
            .body(Bytes::from(body.to_string()))
            .unwrap();
        respond(&mut aws, &request)
    };
    for (operation, input) in [
        ("GetQueueUrl", json!({"QueueName": "gone"})),
        ("GetQueueAttributes", json!({"QueueUrl": url(HUB, "gone"), "AttributeNames": ["All"]})),
    ] {
        let answer = ask(operation, input);
        assert_eq!(answer.status(), 400);
        assert_eq!(answer.headers()["content-type"], "application/x-amz-json-1.0");
        assert_eq!(answer.headers()["x-amzn-query-error"], "AWS.SimpleQueueService.NonExistentQueue;Sender");
        let body: Value = serde_json::from_slice(answer.body()).unwrap();
        assert_eq!(body["__type"], "com.amazonaws.sqs#QueueDoesNotExist");
        assert_eq!(body["message"], "The specified queue does not exist.");
    }
}
