//! Sessions: which role is asked for, how often, whose credentials are used, and what happens when it is refused.

use crate::wire::{Reply, Wire, delete, here, list, scope, settings};
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_credential_types::provider::error::CredentialsError;
use futures_util::future::join_all;
use std::time::Duration;
use wheelwright::aws::{AwsSettings, REFUSAL_REMEMBERED};
use wheelwright::call::ErrorClass;
use wheelwright::port::Fleet;

const ACCESS_DENIED: &str = "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Error>\
    <Type>Sender</Type><Code>AccessDenied</Code><Message>User: arn:aws:iam::999999999999:role/ops is not authorized \
    to perform: sts:AssumeRole</Message></Error><RequestId>sts-3</RequestId></ErrorResponse>";

#[tokio::test(start_paused = true)]
async fn the_role_of_the_meant_account_is_asked_for() {
    let wire = Wire::new();
    let fleet = wire.fleet(AwsSettings {
        external_id: Some("xid-1".into()),
        sts_region: Some("eu-central-1".into()),
        session_name: "truing".into(),
        ..AwsSettings::new("ops/operator")
    });
    fleet.call(&scope("000000000042", "eu-west-1"), list()).await.unwrap();
    let sent = wire.sent_sts("AssumeRole");
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0].uri, "https://sts.eu-central-1.amazonaws.com/");
    assert_eq!(sent[0].form("RoleArn").unwrap(), "arn:aws:iam::000000000042:role/ops/operator");
    assert_eq!(sent[0].form("RoleSessionName").unwrap(), "truing");
    assert_eq!(sent[0].form("ExternalId").unwrap(), "xid-1");
    assert_eq!(sent[0].form("DurationSeconds").unwrap(), "3600");
    assert!(sent[0].authorization.contains("Credential=AKIABASE/"), "{}", sent[0].authorization);
}

#[tokio::test(start_paused = true)]
async fn partitions_and_endpoints_are_the_regions_unless_one_is_given() {
    let wire = Wire::new();
    wire.fleet(settings()).call(&scope("111111111111", "cn-north-1"), list()).await.unwrap();
    let sent = wire.sent();
    assert_eq!(sent[0].uri, "https://sts.cn-north-1.amazonaws.com.cn/");
    assert_eq!(sent[0].form("RoleArn").unwrap(), "arn:aws-cn:iam::111111111111:role/operator");
    assert_eq!(sent[0].form("ExternalId"), None);
    assert_eq!(sent[1].uri, "https://events.cn-north-1.amazonaws.com.cn/");

    let wire = Wire::new();
    let fleet = wire.fleet(AwsSettings { endpoint_url: Some("http://127.0.0.1:4566".into()), ..settings() });
    fleet.call(&here(), delete()).await.unwrap();
    assert_eq!(wire.sent().len(), 3);
    assert!(wire.sent().iter().all(|sent| sent.uri == "http://127.0.0.1:4566/"), "{:?}", wire.sent());
}

#[tokio::test(start_paused = true)]
async fn callers_share_one_session_for_each_account_and_it_serves_all_regions() {
    let wire = Wire::new();
    let fleet = wire.fleet(settings());
    let scopes = [here(), scope("111111111111", "eu-west-1"), scope("222222222222", "us-east-1")];
    let calls = (0..10).flat_map(|_| scopes.iter());
    for result in join_all(calls.map(|scope| fleet.call(scope, delete()))).await {
        result.unwrap();
    }
    assert_eq!(wire.sent_sts("AssumeRole").len(), 2);
    assert_eq!(wire.sent_sts("GetCallerIdentity").len(), 2);
    let sent = wire.sent_events();
    assert_eq!(sent.len(), 30);
    let signed = |account: &str, region: &str| {
        let start = format!("Credential=ASIA{account}N");
        let end = format!("/{region}/events/aws4_request");
        sent.iter().filter(|sent| sent.authorization.contains(&start) && sent.authorization.contains(&end)).count()
    };
    assert_eq!(signed("111111111111", "us-east-1"), 10);
    assert_eq!(signed("111111111111", "eu-west-1"), 10);
    assert_eq!(signed("222222222222", "us-east-1"), 10);
}

#[tokio::test(start_paused = true)]
async fn a_hung_account_holds_up_nobody_else() {
    let wire = Wire::new();
    let fleet = wire.fleet(settings());
    wire.sts([Reply::Never]);
    let here = here();
    let hung = fleet.call(&here, list());
    let other = async {
        tokio::time::sleep(Duration::from_millis(1)).await;
        let started = tokio::time::Instant::now();
        fleet.call(&scope("222222222222", "us-east-1"), list()).await.unwrap();
        started.elapsed()
    };
    let (hung, other) = tokio::join!(hung, other);
    assert!(other < Duration::from_secs(1), "{other:?}");
    let error = hung.unwrap_err();
    assert_eq!((error.class, error.action.as_str()), (ErrorClass::NoAnswer, "sts:AssumeRole"));
}

#[tokio::test(start_paused = true)]
async fn sessions_are_refreshed_early_proven_anew_and_outlive_a_failed_refresh() {
    let wire = Wire::new();
    let fleet = wire.fleet(settings());
    fleet.call(&here(), delete()).await.unwrap();
    tokio::time::advance(Duration::from_secs(50 * 60)).await;
    fleet.call(&here(), delete()).await.unwrap();
    assert_eq!(wire.sent_sts("AssumeRole").len(), 1);

    // Past the refresh, before the end: STS refuses, the old session serves, and STS is not asked again at once.
    tokio::time::advance(Duration::from_secs(6 * 60)).await;
    wire.sts([Reply::text(403, ACCESS_DENIED)]);
    fleet.call(&here(), delete()).await.unwrap();
    fleet.call(&here(), delete()).await.unwrap();
    assert_eq!(wire.sent_sts("AssumeRole").len(), 2);
    assert_eq!(wire.sent_sts("GetCallerIdentity").len(), 1);

    // STS grants again: the new session is proven before its first write, which carries it.
    tokio::time::advance(REFUSAL_REMEMBERED).await;
    fleet.call(&here(), delete()).await.unwrap();
    assert_eq!(wire.sent_sts("AssumeRole").len(), 3);
    let proofs = wire.sent_sts("GetCallerIdentity");
    assert_eq!(proofs.len(), 2);
    assert!(proofs[1].authorization.contains("ASIA111111111111N3/"), "{}", proofs[1].authorization);
    assert!(wire.sent_events().last().unwrap().authorization.contains("ASIA111111111111N3/"));
}

#[tokio::test(start_paused = true)]
async fn an_expired_session_is_not_used() {
    let wire = Wire::new();
    let fleet = wire.fleet(settings());
    fleet.call(&here(), list()).await.unwrap();
    tokio::time::advance(Duration::from_secs(3_601)).await;
    wire.sts([Reply::text(403, ACCESS_DENIED)]);
    let error = fleet.call(&here(), list()).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::RoleRefused);
    assert_eq!(wire.sent_events().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_session_that_aws_no_longer_takes_is_replaced_once_and_proven_anew() {
    let wire = Wire::new();
    let fleet = wire.fleet(settings());
    let over = Reply::error(400, "ExpiredTokenException", "The security token included in the request is expired");
    wire.events([over.clone()]);
    fleet.call(&here(), delete()).await.unwrap();
    assert_eq!((wire.sent_sts("AssumeRole").len(), wire.sent_sts("GetCallerIdentity").len()), (2, 2));
    // A clock that is wrong would make every session one that is over: it is told, and not tried for ever.
    wire.events([over.clone(), over]);
    assert_eq!(fleet.call(&here(), list()).await.unwrap_err().class, ErrorClass::Credentials);
}

#[tokio::test(start_paused = true)]
async fn a_refused_role_is_told_with_what_to_look_at_and_not_hammered() {
    let wire = Wire::new();
    let fleet = wire.fleet(AwsSettings { external_id: Some("xid-1".into()), ..settings() });
    wire.sts([Reply::text(403, ACCESS_DENIED)]);
    let here = here();
    for error in join_all((0..20).map(|_| fleet.call(&here, delete()))).await.into_iter().map(Result::unwrap_err) {
        assert_eq!(error.class, ErrorClass::RoleRefused);
        assert_eq!(error.action, "sts:AssumeRole");
        assert_eq!(error.code.as_deref(), Some("AccessDenied"));
        assert!(error.message.contains("is not authorized to perform: sts:AssumeRole"), "{error}");
        assert!(error.message.contains("arn:aws:iam::111111111111:role/operator"), "{error}");
        assert!(error.message.contains("external id") && !error.message.contains("xid-1"), "{error}");
    }
    assert_eq!(wire.sent_sts("AssumeRole").len(), 1);
    // Another account is asked for all the same.
    fleet.call(&scope("222222222222", "us-east-1"), list()).await.unwrap();
    // And this one again, when somebody may have mended it.
    tokio::time::advance(REFUSAL_REMEMBERED).await;
    fleet.call(&here, list()).await.unwrap();
    assert_eq!(wire.sent_sts("AssumeRole").len(), 3);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_written_with_another_accounts_credentials() {
    let wire = Wire::new();
    let fleet = wire.fleet(settings());
    wire.identity("222222222222");
    for _ in 0..2 {
        let error = fleet.call(&here(), delete()).await.unwrap_err();
        assert_eq!(error.class, ErrorClass::WrongAccount);
        assert_eq!(error.action, "sts:GetCallerIdentity");
        assert!(error.message.contains("222222222222") && error.message.contains("111111111111"), "{error}");
    }
    assert!(wire.sent_events().is_empty());
    assert_eq!(wire.sent_sts("GetCallerIdentity").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_proof_that_could_not_be_had_stops_the_write_and_is_tried_again() {
    let wire = Wire::new();
    let fleet = wire.fleet(settings());
    fleet.call(&here(), list()).await.unwrap();
    wire.sts([Reply::Refused]);
    let error = fleet.call(&here(), delete()).await.unwrap_err();
    assert_eq!((error.class, error.action.as_str()), (ErrorClass::NoAnswer, "sts:GetCallerIdentity"));
    assert_eq!(wire.sent_events().len(), 1);
    fleet.call(&here(), delete()).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn missing_base_credentials_are_told_as_such() {
    #[derive(Debug)]
    struct SignedOut;
    impl aws_credential_types::provider::ProvideCredentials for SignedOut {
        fn provide_credentials<'a>(&'a self) -> aws_credential_types::provider::future::ProvideCredentials<'a>
        where
            Self: 'a,
        {
            let error = CredentialsError::not_loaded("tried:\n  the SSO session has expired");
            aws_credential_types::provider::future::ProvideCredentials::ready(Err(error))
        }
    }
    let wire = Wire::new();
    let fleet = wire.fleet_as(settings(), SharedCredentialsProvider::new(SignedOut));
    let error = fleet.call(&here(), list()).await.unwrap_err();
    assert_eq!((error.class, error.action.as_str()), (ErrorClass::Credentials, "sts:AssumeRole"));
    assert!(error.message.contains("tried: the SSO session has expired"), "{error}");
    assert!(wire.sent().is_empty());
}

#[tokio::test(start_paused = true)]
async fn other_sts_failures_keep_their_class() {
    let html = "<html><title>Sign in to the network</title></html>";
    for (reply, class) in [
        (Reply::text(200, html), ErrorClass::NotAws),
        (Reply::text(502, html), ErrorClass::NotAws),
        (Reply::text(503, ""), ErrorClass::ServerError),
        (Reply::text(403, &ACCESS_DENIED.replace("AccessDenied", "InvalidClientTokenId")), ErrorClass::Credentials),
        (Reply::text(400, &ACCESS_DENIED.replace("AccessDenied", "Throttling")), ErrorClass::Throttled),
        (Reply::Refused, ErrorClass::NoAnswer),
    ] {
        let wire = Wire::new();
        wire.sts([reply]);
        let error = wire.call(list()).await.unwrap_err();
        assert_eq!((error.class, error.action.as_str()), (class, "sts:AssumeRole"), "{error}");
        assert!(wire.sent_events().is_empty());
    }
}
