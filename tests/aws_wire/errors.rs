//! What can go wrong on the way to AWS and there: each gets the class that the rest decides by.

use crate::wire::{Reply, Wire, delete, here, list, settings};
use std::time::Duration;
use wheelwright::aws::AwsSettings;
use wheelwright::call::{Answer, Call, CallError, ErrorClass};
use wheelwright::port::Fleet;

/// What a rule's deletion comes to when EventBridge replies so.
async fn error_of(reply: Reply) -> CallError {
    let wire = Wire::new();
    // A session that is over is replaced once, and the call tried again.
    wire.events([reply.clone(), reply]);
    wire.call(delete()).await.unwrap_err()
}

#[tokio::test(start_paused = true)]
async fn aws_errors_are_classed_by_their_codes_whether_the_sdk_models_them_or_not() {
    for (status, code, class) in [
        // DeleteRule models these.
        (400, "ResourceNotFoundException", ErrorClass::NotFound),
        (400, "ConcurrentModificationException", ErrorClass::ConcurrentModification),
        (400, "ManagedRuleException", ErrorClass::ManagedRule),
        (500, "InternalException", ErrorClass::ServerError),
        // And knows nothing of these.
        (400, "ThrottlingException", ErrorClass::Throttled),
        (400, "AccessDeniedException", ErrorClass::Denied),
        (400, "ValidationException", ErrorClass::Invalid),
        (400, "LimitExceededException", ErrorClass::LimitExceeded),
        (400, "ResourceAlreadyExistsException", ErrorClass::AlreadyExists),
        (400, "ExpiredTokenException", ErrorClass::Credentials),
        (403, "UnrecognizedClientException", ErrorClass::Credentials),
        (503, "ServiceUnavailable", ErrorClass::ServerError),
        (418, "ShortAndStout", ErrorClass::Other),
    ] {
        let error = error_of(Reply::error(status, code, "what AWS says")).await;
        assert_eq!(error.class, class, "{code}");
        assert_eq!(error.code.as_deref(), Some(code));
        assert_eq!(error.message, "what AWS says");
        assert_eq!(error.request_id.as_deref(), Some("request-1"));
        assert_eq!(error.action, "events:DeleteRule");
        assert_eq!(error.scope, here());
    }
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
        assert_eq!(error_of(Reply::text(status, "")).await.class, class, "{status}");
        assert_eq!(error_of(Reply::text(status, "{}")).await.class, class, "{status}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_proxys_page_is_not_aws() {
    for status in [200, 403, 407, 502, 503] {
        let page = "<html>\n<head><title>Blocked by policy</title></head>\n<body>Ask IT.</body></html>";
        let wire = Wire::new();
        wire.events([Reply::text(status, page)]);
        let error = wire.call(list()).await.unwrap_err();
        assert_eq!(error.class, ErrorClass::NotAws, "{status}: {error}");
        assert!(error.message.contains("Blocked by policy") && error.message.contains(&status.to_string()), "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_ends_in_its_time_though_nobody_answers() {
    let wire = Wire::new();
    wire.events([Reply::Never]);
    let started = tokio::time::Instant::now();
    let error = wire.call(list()).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::NoAnswer);
    assert!(started.elapsed() <= settings().call_timeout + Duration::from_secs(1), "{:?}", started.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_refused_connection_is_no_answer() {
    let wire = Wire::new();
    wire.events([Reply::Refused]);
    let error = wire.call(list()).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::NoAnswer);
    assert!(error.message.contains("connection refused"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn messages_carry_no_secrets() {
    let answer = "The request signature we calculated does not match the signature you provided.\n\n\
                  The Canonical String for this request should have been\n'POST\nx-amz-security-token:VERYSECRET'";
    let error = error_of(Reply::error(403, "InvalidSignatureException", answer)).await;
    assert_eq!(error.class, ErrorClass::Credentials);
    assert!(error.message.starts_with("The request signature we calculated"), "{error}");
    assert!(!format!("{error} {error:?}").contains("VERYSECRET"));
}

#[tokio::test(start_paused = true)]
async fn the_sdk_tries_three_times_and_no_more() {
    let settings = || AwsSettings { retry_jitter: false, ..AwsSettings::new("operator") };
    let wire = Wire::new();
    wire.events(std::iter::repeat_n(Reply::error(400, "ThrottlingException", "Rate exceeded"), 5));
    let error = wire.fleet(settings()).call(&here(), list()).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Throttled);
    assert_eq!(wire.sent_events().len(), 3);

    // Refusals that will not change are not repeated.
    let wire = Wire::new();
    wire.events(std::iter::repeat_n(Reply::error(400, "AccessDeniedException", "no"), 5));
    wire.fleet(settings()).call(&here(), list()).await.unwrap_err();
    assert_eq!(wire.sent_events().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_is_asked_for_again() {
    let settings = AwsSettings { retry_jitter: false, ..AwsSettings::new("operator") };
    let wire = Wire::new();
    // The create took effect, its answer was lost: the SDK's second attempt finds it there.
    wire.events([Reply::Never, Reply::error(400, "ResourceAlreadyExistsException", "Event bus org already exists.")]);
    let create = Call::CreateEventBus { bus: "org".into(), settings: Default::default(), tags: Default::default() };
    let fleet = wire.fleet(settings);
    let error = fleet.call(&here(), create).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::AlreadyExists);
    assert_eq!(wire.sent_events().len(), 2);
    // Which of a delete nobody can tell.
    wire.events([Reply::Never]);
    let named = Some("request-1".to_owned());
    assert_eq!(fleet.call(&here(), delete()).await.unwrap(), Answer::Done { request_id: named });
}

#[tokio::test(start_paused = true)]
async fn one_throttled_account_uses_up_nobody_elses_retries() {
    let settings = AwsSettings { retry_jitter: false, ..AwsSettings::new("operator") };
    let wire = Wire::new();
    let fleet = wire.fleet(settings);
    let noisy = crate::wire::scope("999999999901", "us-east-1");
    // The SDK stops repeating when a quota of 500, 5 a repeat, is used up.
    wire.events(std::iter::repeat_n(Reply::error(503, "ServiceUnavailable", "busy"), 400));
    for _ in 0..100 {
        fleet.call(&noisy, list()).await.unwrap_err();
    }
    let used_up = wire.sent_events().len();
    assert!(used_up < 300, "{used_up}: the noisy account's repeats should have run out");
    let quiet = crate::wire::scope("999999999902", "us-east-1");
    fleet.call(&quiet, list()).await.unwrap_err();
    assert_eq!(wire.sent_events().len(), used_up + 3);
}
