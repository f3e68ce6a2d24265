//! What is sent to SNS and EventBridge, and what their refusals come to: the emulator checks no signature and is never busy.

use super::moto::config;
use super::receiver::{Answer, Receiver};
use super::wire::Sent;
use super::{channel, raised, signature};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use std::collections::BTreeMap;
use wheelwright::model::finding::Outcome;
use wheelwright::model::settings::ChannelKind;
use wheelwright::notify::{Channels, SendError, Surroundings};

const SECRET_ACCESS_KEY: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";

#[tokio::test]
async fn what_is_published_on_a_topic_is_signed_as_it_is_sent() {
    let receiver = Receiver::start(Answer::status(200, "<PublishResponse/>")).await;
    channels(&receiver, sns()).send("it", &raised(Outcome::Held)).await.unwrap();
    let request = receiver.request().await;
    assert_eq!(request.line, "POST / HTTP/1.1");
    assert_eq!(request.headers["x-amz-security-token"], "session");
    let sent = Sent {
        authorization: request.headers["authorization"].clone(),
        uri: format!("http://{}", request.headers["host"]),
        headers: request.headers,
        body: request.body.into_bytes(),
    };
    assert_eq!(sent.authorization, signature::authorization(&sent, SECRET_ACCESS_KEY));
    assert!(sent.authorization.contains("/us-east-1/sns/aws4_request"), "{}", sent.authorization);
    // What comes by e-mail.
    let form = String::from_utf8(sent.body).unwrap();
    let message = form.split('&').find_map(|field| field.strip_prefix("Message=")).unwrap();
    let message = percent_encoding::percent_decode_str(message).decode_utf8().unwrap();
    let message: serde_json::Value = serde_json::from_str(&message).unwrap();
    insta::assert_snapshot!(message["email"].as_str().unwrap());
}

#[tokio::test]
async fn refusals_of_a_topic_and_a_bus_are_final_unless_another_time_may_do() {
    let xml = |status, code: &str| {
        let body = format!(
            "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>said</Message></Error></ErrorResponse>"
        );
        Answer::status(status, &body)
    };
    let entry = |code: &str| {
        let body = format!(r#"{{"FailedEntryCount":1,"Entries":[{{"ErrorCode":"{code}","ErrorMessage":"said"}}]}}"#);
        Answer::status(200, &body)
    };
    let call = |status, code: &str| Answer::status(status, &format!(r#"{{"__type":"{code}","message":"said"}}"#));
    let cases = [
        (sns(), xml(400, "Throttled"), true, "sns:Publish Throttled: said"),
        (sns(), xml(403, "ExpiredToken"), true, "sns:Publish ExpiredToken: said"),
        (sns(), xml(500, "InternalError"), true, "sns:Publish InternalError: said"),
        (sns(), Answer::status(503, ""), true, "the receiver answered 503"),
        (sns(), xml(403, "AuthorizationError"), false, "sns:Publish AuthorizationError: said"),
        (sns(), xml(400, "InvalidParameter"), false, "sns:Publish InvalidParameter: said"),
        (bus(), entry("ThrottlingException"), true, "events:PutEvents ThrottlingException: said"),
        (bus(), entry("InternalFailure"), true, "events:PutEvents InternalFailure: said"),
        (bus(), entry("NotAuthorizedForSource"), false, "events:PutEvents NotAuthorizedForSource: said"),
        (bus(), call(400, "ThrottlingException"), true, "events:PutEvents ThrottlingException: said"),
        (bus(), call(400, "ExpiredTokenException"), true, "events:PutEvents ExpiredTokenException: said"),
        (bus(), call(400, "AccessDeniedException"), false, "events:PutEvents AccessDeniedException: said"),
        (bus(), Answer::Text("HTTP/1.1 2".into()), true, "events:PutEvents no answer"),
    ];
    for (kind, answer, again, told) in cases {
        let receiver = Receiver::start(answer).await;
        let error = channels(&receiver, kind).send("it", &raised(Outcome::Held)).await.unwrap_err();
        assert_eq!(matches!(error, SendError::Later { .. }), again, "{error:?}");
        assert!(error.to_string().starts_with(&format!("alert channel it: {told}")), "{error}");
        assert_eq!(receiver.connections(), 1, "{told}: whoever keeps the message tries again, nobody else");
    }
}

fn sns() -> ChannelKind {
    ChannelKind::Sns { topic_arn: "arn:aws:sns:us-east-1:123456789012:alerts".into() }
}

fn bus() -> ChannelKind {
    ChannelKind::EventBridge { bus_arn: "arn:aws:events:us-east-1:123456789012:event-bus/alerts".into() }
}

fn channels(receiver: &Receiver, kind: ChannelKind) -> Channels {
    let credentials = Credentials::new("AKIDEXAMPLE", SECRET_ACCESS_KEY, Some("session".into()), None, "test");
    let config = config().to_builder().credentials_provider(SharedCredentialsProvider::new(credentials)).build();
    let settings = BTreeMap::from([("it".to_owned(), channel(kind))]);
    Channels::open(&settings, Surroundings { config, endpoint_url: Some(receiver.url("")) }, &|_| None).unwrap()
}
