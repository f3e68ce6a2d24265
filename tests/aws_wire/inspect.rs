//! IAM's GetRole and SQS's GetQueueAttributes: written, signed and read without an SDK, so all of it is looked at here.

use crate::signature::authorization;
use crate::wire::{Reply, Wire, delete, here, scope, settings};
use serde_json::{Value, json};
use std::time::Duration;
use wheelwright::aws::AwsSettings;
use wheelwright::call::{Answer, Call, CallError, ErrorClass, QueueSummary, RoleSummary};
use wheelwright::port::{Fleet, SignIn};

const ROLE_ARN: &str = "arn:aws:iam::111111111111:role/ops/delivery";
const QUEUE_ARN: &str = "arn:aws:sqs:us-east-1:111111111111:dead-letters";

fn role() -> Call {
    Call::GetRole { role: "delivery".into() }
}

fn queue() -> Call {
    Call::GetQueueAttributes { queue: "dead-letters".into() }
}

/// GetRole's answer as the API reference has it, with the trust policy percent-encoded.
fn role_answer() -> Reply {
    Reply::text(
        200,
        &format!(
            "<GetRoleResponse xmlns=\"https://iam.amazonaws.com/doc/2010-05-08/\">\n<GetRoleResult>\n<Role>\n\
             <Path>/ops/</Path>\n<Arn>{ROLE_ARN}</Arn>\n<RoleName>delivery</RoleName>\n\
             <AssumeRolePolicyDocument>%7B%22Version%22%3A%222012-10-17%22%2C%22Statement%22%3A%5B%7B%22Effect%22%3A\
             %22Allow%22%2C%22Principal%22%3A%7B%22Service%22%3A%22events.amazonaws.com%22%7D%2C%22Action%22%3A\
             %22sts%3AAssumeRole%22%7D%5D%7D</AssumeRolePolicyDocument>\n<CreateDate>2026-01-02T03:04:05Z</CreateDate>\n\
             <RoleId>AROAEXAMPLE</RoleId>\n<Description>delivers &amp; more</Description>\n\
             <Tags><member><Key>Arn</Key><Value>not-this</Value></member></Tags>\n\
             <RoleLastUsed><LastUsedDate>2026-01-02T03:04:05Z</LastUsedDate><Region>us-east-1</Region></RoleLastUsed>\n\
             </Role>\n</GetRoleResult>\n<ResponseMetadata>\n<RequestId>iam-1</RequestId>\n</ResponseMetadata>\n\
             </GetRoleResponse>"
        ),
    )
}

fn queue_answer(attributes: &Value) -> Reply {
    Reply::ok(&json!({"Attributes": attributes}))
}

async fn error_of(call: Call, reply: Reply) -> CallError {
    let wire = Wire::new();
    // Twice: a session that is told to be expired is replaced, and asks again.
    wire.inspected([reply.clone(), reply]);
    wire.call(call).await.unwrap_err()
}

#[tokio::test(start_paused = true)]
async fn a_role_is_asked_for_as_iam_documents_it_and_read_with_its_trust_policy() {
    let wire = Wire::new();
    wire.inspected([role_answer()]);
    let trust_policy = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"events.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;
    let expected = RoleSummary { arn: ROLE_ARN.into(), trust_policy: trust_policy.into() };
    assert_eq!(wire.call(role()).await.unwrap(), Answer::Role(expected));
    let sent = wire.sent_inspecting();
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0].uri, "https://iam.amazonaws.com/");
    assert_eq!(sent[0].body, "Action=GetRole&Version=2010-05-08&RoleName=delivery");
    assert_eq!(sent[0].content_type, "application/x-www-form-urlencoded");
    let credential = "AWS4-HMAC-SHA256 Credential=ASIA111111111111N1/20260921/us-east-1/iam/aws4_request, ";
    assert!(sent[0].authorization.starts_with(credential), "{}", sent[0].authorization);
    assert_eq!(sent[0].headers["x-amz-security-token"], "token");
    assert_eq!(sent[0].authorization, authorization(&sent[0], "secret"));
    // A read is not worth asking whose session it is.
    assert!(wire.sent_sts("GetCallerIdentity").is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_queue_is_asked_for_as_sqs_documents_it_and_read() {
    let wire = Wire::new();
    let key = "arn:aws:kms:us-east-1:111111111111:key/1";
    let policy = r#"{"Statement":[]}"#;
    wire.inspected([
        queue_answer(&json!({
            "QueueArn": QUEUE_ARN, "Policy": policy, "KmsMasterKeyId": key, "ApproximateNumberOfMessages": "17",
            "SqsManagedSseEnabled": "false", "VisibilityTimeout": "30",
        })),
        queue_answer(&json!({"QueueArn": QUEUE_ARN, "SqsManagedSseEnabled": "true"})),
    ]);
    let fleet = wire.fleet(settings());
    let full =
        QueueSummary { arn: QUEUE_ARN.into(), policy: Some(policy.into()), kms_key: Some(key.into()), messages: 17 };
    assert_eq!(fleet.call(&here(), queue()).await.unwrap(), Answer::Queue(full));
    let bare = QueueSummary { arn: QUEUE_ARN.into(), ..QueueSummary::default() };
    assert_eq!(fleet.call(&here(), queue()).await.unwrap(), Answer::Queue(bare));
    let sent = &wire.sent_inspecting()[0];
    assert_eq!(sent.uri, "https://sqs.us-east-1.amazonaws.com/");
    assert_eq!(sent.target, "AmazonSQS.GetQueueAttributes");
    assert_eq!(sent.content_type, "application/x-amz-json-1.0");
    let url = "https://sqs.us-east-1.amazonaws.com/111111111111/dead-letters";
    assert_eq!(sent.json(), json!({"QueueUrl": url, "AttributeNames": ["All"]}));
    assert!(sent.authorization.contains("N1/20260921/us-east-1/sqs/aws4_request, "), "{}", sent.authorization);
    assert_eq!(sent.authorization, authorization(sent, "secret"));
}

#[tokio::test(start_paused = true)]
async fn each_partition_has_its_endpoints_and_a_given_one_wins() {
    for (region, iam, signed_for, sqs) in [
        ("eu-west-1", "https://iam.amazonaws.com/", "us-east-1", "https://sqs.eu-west-1.amazonaws.com/"),
        (
            "us-gov-east-1",
            "https://iam.us-gov.amazonaws.com/",
            "us-gov-west-1",
            "https://sqs.us-gov-east-1.amazonaws.com/",
        ),
        (
            "cn-northwest-1",
            "https://iam.cn-north-1.amazonaws.com.cn/",
            "cn-north-1",
            "https://sqs.cn-northwest-1.amazonaws.com.cn/",
        ),
    ] {
        let wire = Wire::new();
        wire.inspected([role_answer(), queue_answer(&json!({"QueueArn": QUEUE_ARN}))]);
        let (fleet, place) = (wire.fleet(settings()), scope("000000000042", region));
        fleet.call(&place, role()).await.unwrap();
        fleet.call(&place, queue()).await.unwrap();
        let sent = wire.sent_inspecting();
        assert_eq!((sent[0].uri.as_str(), sent[1].uri.as_str()), (iam, sqs));
        assert!(sent[0].authorization.contains(&format!("/{signed_for}/iam/")), "{}", sent[0].authorization);
        assert!(sent[1].authorization.contains(&format!("/{region}/sqs/")), "{}", sent[1].authorization);
        assert_eq!(sent[1].json()["QueueUrl"], format!("{sqs}000000000042/dead-letters"));
    }

    // Elsewhere nobody knows where to ask.
    let wire = Wire::new();
    for call in [role(), queue()] {
        let error = wire.fleet(settings()).call(&scope("111111111111", "us-iso-east-1"), call).await.unwrap_err();
        assert_eq!(error.class, ErrorClass::Invalid);
        assert!(error.message.contains("aws-iso"), "{error}");
    }
    assert!(wire.sent_inspecting().is_empty());

    let wire = Wire::new();
    wire.inspected([role_answer(), queue_answer(&json!({"QueueArn": QUEUE_ARN}))]);
    let given = AwsSettings { endpoint_url: Some("http://127.0.0.1:4566/".into()), ..settings() };
    let fleet = wire.fleet(given);
    fleet.call(&scope("111111111111", "us-iso-east-1"), role()).await.unwrap();
    fleet.call(&here(), queue()).await.unwrap();
    let sent = wire.sent_inspecting();
    assert!(sent.iter().all(|sent| sent.uri == "http://127.0.0.1:4566/"), "{sent:?}");
    assert_eq!(sent[1].json()["QueueUrl"], "http://127.0.0.1:4566/111111111111/dead-letters");
    assert_eq!(sent[0].authorization, authorization(&sent[0], "secret"));
}

#[tokio::test(start_paused = true)]
async fn what_a_role_may_be_called_is_encoded() {
    let wire = Wire::new();
    wire.inspected([role_answer()]);
    wire.call(Call::GetRole { role: "a+b=c,d.e@f-g_h".into() }).await.unwrap();
    let body = &wire.sent_inspecting()[0].body;
    assert!(body.ends_with("&RoleName=a%2Bb%3Dc%2Cd%2Ee%40f%2Dg%5Fh"), "{body}");
}

#[tokio::test(start_paused = true)]
async fn iams_errors_are_classed_by_their_codes() {
    for (status, code, class) in [
        (404, "NoSuchEntity", ErrorClass::NotFound),
        (403, "AccessDenied", ErrorClass::Denied),
        (403, "InvalidClientTokenId", ErrorClass::Credentials),
        (403, "SignatureDoesNotMatch", ErrorClass::Credentials),
        (400, "Throttling", ErrorClass::Throttled),
        (400, "ValidationError", ErrorClass::Invalid),
        (500, "ServiceFailure", ErrorClass::ServerError),
        (418, "ShortAndStout", ErrorClass::Other),
    ] {
        let body = format!(
            "<ErrorResponse xmlns=\"https://iam.amazonaws.com/doc/2010-05-08/\"><Error><Type>Sender</Type>\
             <Code>{code}</Code><Message>what IAM says &lt;here&gt;</Message></Error><RequestId>iam-2</RequestId>\
             </ErrorResponse>"
        );
        let error = error_of(role(), Reply::text(status, &body)).await;
        assert_eq!(error.class, class, "{code}");
        assert_eq!(error.code.as_deref(), Some(code));
        assert_eq!(error.message, "what IAM says <here>");
        assert_eq!((error.action.as_str(), error.scope), ("iam:GetRole", here()));
        assert_eq!(error.request_id.as_deref(), Some("request-1"));
    }
}

#[tokio::test(start_paused = true)]
async fn sqs_errors_are_classed_by_either_of_their_two_names() {
    for (in_header, in_body, told, class) in [
        (
            "AWS.SimpleQueueService.NonExistentQueue;Sender",
            "com.amazonaws.sqs#QueueDoesNotExist",
            "QueueDoesNotExist",
            ErrorClass::NotFound,
        ),
        (
            "AWS.SimpleQueueService.NonExistentQueue;Sender",
            "com.amazonaws.sqs#ANameOfTomorrow",
            "AWS.SimpleQueueService.NonExistentQueue",
            ErrorClass::NotFound,
        ),
        (
            "AccessDenied;Sender",
            "com.amazon.coral.service#AccessDeniedException",
            "AccessDeniedException",
            ErrorClass::Denied,
        ),
        ("RequestThrottled;Sender", "com.amazonaws.sqs#RequestThrottled", "RequestThrottled", ErrorClass::Throttled),
        (
            "InvalidClientTokenId;Sender",
            "com.amazon.coral.service#UnrecognizedClientException",
            "UnrecognizedClientException",
            ErrorClass::Credentials,
        ),
        ("Brew;Sender", "com.amazonaws.sqs#ShortAndStout", "ShortAndStout", ErrorClass::Other),
    ] {
        let body = json!({"__type": in_body, "message": "what SQS says"}).to_string();
        let error = error_of(queue(), Reply::QueryError { status: 400, error: in_header.into(), body }).await;
        assert_eq!((error.class, error.code.as_deref()), (class, Some(told)), "{in_body}");
        assert_eq!((error.action.as_str(), error.message.as_str()), ("sqs:GetQueueAttributes", "what SQS says"));
    }
    // Without a header, as emulators have it.
    let error = error_of(queue(), Reply::error(400, "QueueDoesNotExist", "gone")).await;
    assert_eq!(error.class, ErrorClass::NotFound);
    // In a header alone.
    let missing = "AWS.SimpleQueueService.NonExistentQueue;Sender".to_owned();
    let error = error_of(queue(), Reply::QueryError { status: 400, error: missing, body: "{}".into() }).await;
    assert_eq!(error.class, ErrorClass::NotFound);
}

#[tokio::test(start_paused = true)]
async fn answers_without_a_code_go_by_their_status() {
    for (status, class) in [
        (500, ErrorClass::ServerError),
        (503, ErrorClass::ServerError),
        (429, ErrorClass::Throttled),
        (403, ErrorClass::Denied),
        (404, ErrorClass::Other),
    ] {
        for call in [role(), queue()] {
            assert_eq!(error_of(call, Reply::text(status, "")).await.class, class, "{status}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_proxys_page_is_not_aws() {
    let page = "<html>\n<head><title>Blocked by policy</title></head>\n<body>Ask IT.</body></html>";
    for status in [200, 403, 407, 502] {
        for call in [role(), queue()] {
            let error = error_of(call, Reply::text(status, page)).await;
            assert_eq!(error.class, ErrorClass::NotAws, "{status}: {error}");
            assert!(error.message.contains("Blocked by policy"), "{error}");
        }
    }
    // Well-formed, and not what was asked for.
    for answer in
        ["<GetUserResponse><GetUserResult/></GetUserResponse>", "<GetRoleResponse><GetRoleResult/>", "not xml"]
    {
        assert_eq!(error_of(role(), Reply::text(200, answer)).await.class, ErrorClass::NotAws, "{answer}");
    }
    assert_eq!(error_of(queue(), Reply::text(200, "{}")).await.class, ErrorClass::NotAws);
}

#[tokio::test(start_paused = true)]
async fn they_end_in_their_time_and_are_repeated_like_other_calls() {
    for call in [role(), queue()] {
        let wire = Wire::new();
        wire.inspected([Reply::Never]);
        let started = tokio::time::Instant::now();
        let error = wire.call(call).await.unwrap_err();
        assert_eq!(error.class, ErrorClass::NoAnswer);
        assert!(started.elapsed() <= settings().call_timeout + Duration::from_secs(1), "{:?}", started.elapsed());
    }
    let settings = || AwsSettings { retry_jitter: false, ..AwsSettings::new("operator") };
    let throttled = "<ErrorResponse><Error><Code>Throttling</Code><Message>Rate exceeded</Message></Error>\
                     </ErrorResponse>";
    let denied = throttled.replace("Throttling", "AccessDenied");
    for (first, attempts) in [
        (Reply::text(400, throttled), 2),
        (Reply::text(503, ""), 2),
        (Reply::Refused, 2),
        (Reply::text(403, &denied), 1),
    ] {
        let wire = Wire::new();
        wire.inspected([first.clone(), role_answer()]);
        let answered = wire.fleet(settings()).call(&here(), role()).await;
        assert_eq!((answered.is_ok(), wire.sent_inspecting().len()), (attempts == 2, attempts), "{first:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_session_that_aws_does_not_take_any_more_is_replaced() {
    let wire = Wire::new();
    let expired = "<ErrorResponse><Error><Code>ExpiredToken</Code><Message>x</Message></Error></ErrorResponse>";
    wire.inspected([Reply::text(403, expired), role_answer()]);
    let fleet = wire.fleet(settings());
    // It asks again at once, with a new one.
    fleet.call(&here(), role()).await.unwrap();
    assert_eq!((wire.sent_sts("AssumeRole").len(), wire.sent_inspecting().len()), (2, 2));
}

#[tokio::test(start_paused = true)]
async fn signing_in_tells_whose_session_it_is_and_how_the_clocks_differ() {
    let wire = Wire::new();
    let fleet = wire.fleet(settings());
    let ahead = fleet.sign_in(&here()).await.unwrap().clock_ahead_ms;
    assert!((-1_000..=1_000).contains(&ahead), "{ahead}");
    assert_eq!((wire.sent_sts("AssumeRole").len(), wire.sent_sts("GetCallerIdentity").len()), (1, 1));
    // What was asked once serves what comes after it.
    fleet.call(&here(), delete()).await.unwrap();
    assert_eq!((wire.sent_sts("AssumeRole").len(), wire.sent_sts("GetCallerIdentity").len()), (1, 1));

    wire.sts_ahead(Duration::from_secs(200));
    let behind = fleet.sign_in(&scope("222222222222", "us-east-1")).await.unwrap().clock_ahead_ms;
    assert!((-201_000..=-199_000).contains(&behind), "{behind}");

    wire.identity("999999999999");
    let error = fleet.sign_in(&scope("333333333333", "us-east-1")).await.unwrap_err();
    assert_eq!((error.class, error.action.as_str()), (ErrorClass::WrongAccount, "sts:GetCallerIdentity"));
}
