//! A message on an SNS topic: Publish, without SNS's SDK.
//!
//! As with the two reads of `aws/inspect.rs`, one call is not worth an SDK: the request is written as AWS documents it, signed with
//! `aws-sigv4`, and sent by the client that brings webhooks. <https://docs.aws.amazon.com/sns/latest/api/API_Publish.html>
//!
//! Each kind of subscription gets what it can use: e-mail the letter, SMS the title, all others the JSON. `kind`, `severity`,
//! `code`, `team` and `hub` are message attributes, so a subscription's filter policy can choose. A FIFO topic orders by group
//! and leaves repeats out by the message's id.

use super::{Shared, Surroundings, Trouble, Unready, text, wire};
use crate::call::ErrorClass;
use crate::eventbridge::Arn;
use crate::eventbridge::arn::partition_of_region;
use crate::model::alert::Alert;
use aws_credential_types::provider::ProvideCredentials as _;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningParams, SigningSettings, sign};
use aws_sigv4::sign::v4;
use aws_types::service_config::ServiceConfigKey;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::json;

/// A topic, and where its service is.
pub(super) struct Topic {
    arn: String,
    region: String,
    endpoint: String,
}

impl Topic {
    pub(super) fn open(arn: &str, surroundings: &Surroundings) -> Result<Self, Unready> {
        let wrong = || Unready::Arn(format!("{arn:?} is not the ARN of a topic: arn:aws:sns:REGION:ACCOUNT:NAME"));
        let parsed: Arn = arn.parse().map_err(|_| wrong())?;
        if parsed.service != "sns" || parsed.region.is_empty() || parsed.resource.contains(':') {
            return Err(wrong());
        }
        let region = parsed.region;
        let own = match partition_of_region(&region) {
            "aws" | "aws-us-gov" => Some(format!("https://sns.{region}.amazonaws.com")),
            "aws-cn" => Some(format!("https://sns.{region}.amazonaws.com.cn")),
            _ => None,
        };
        let Some(endpoint) = given(surroundings).or(own) else {
            let why =
                format!("where SNS is in Region {region} is not known here: give its endpoint in AWS_ENDPOINT_URL_SNS");
            return Err(Unready::Arn(why));
        };
        Ok(Self { arn: arn.to_owned(), region, endpoint: endpoint.trim_end_matches('/').to_owned() })
    }

    pub(super) fn is_https(&self) -> bool {
        self.endpoint.starts_with("https://")
    }
}

/// The endpoint that the settings or the surroundings name, as SNS's SDK would find it.
fn given(surroundings: &Surroundings) -> Option<String> {
    let Surroundings { config, endpoint_url } = surroundings;
    let of_service = || {
        let key = ServiceConfigKey::builder().service_id("SNS").env("AWS_ENDPOINT_URL").profile("endpoint_url");
        config.service_config()?.load_config(key.build().ok()?)
    };
    endpoint_url.clone().or_else(of_service).or_else(|| config.endpoint_url().map(str::to_owned))
}

pub(super) async fn send(shared: &Shared, topic: &Topic, alert: &Alert) -> Result<(), Trouble> {
    let message = wire::within(MESSAGE_BYTES_MAX, alert, &message);
    let request = signed(shared, topic, body(topic, alert, &message)).await?;
    let answered = shared.http.send(request).await?;
    let Err(mut trouble) = answered.judged(shared.time.now()) else { return Ok(()) };
    let said = answered.text();
    if let Some(code) = tag(&said, "Code") {
        trouble.why = format!("sns:Publish {code}: {}", tag(&said, "Message").unwrap_or("no reason given"));
        // By its status it would be final, and the next attempt has newer credentials, or comes when there are fewer calls.
        let again =
            matches!(ErrorClass::of_code(code, answered.status), ErrorClass::Throttled | ErrorClass::Credentials);
        trouble.is_final &= !again;
    }
    Err(trouble)
}

fn message(alert: &Alert) -> String {
    json!({
        "default": wire::message(alert).to_string(),
        "email": text::letter(alert),
        "sms": text::cut(&alert.title, SMS_CHARS_MAX),
    })
    .to_string()
}

fn body(topic: &Topic, alert: &Alert, message: &str) -> String {
    let Alert { id, group, kind, severity, code, title, teams, hubs, .. } = alert;
    let kind: &str = kind.into();
    let mut fields = vec![
        ("Action".to_owned(), "Publish".to_owned()),
        ("Version".to_owned(), "2010-03-31".to_owned()),
        ("TopicArn".to_owned(), topic.arn.clone()),
        ("Subject".to_owned(), subject(title)),
        ("MessageStructure".to_owned(), "json".to_owned()),
        ("Message".to_owned(), message.to_owned()),
    ];
    if topic.arn.ends_with(".fifo") {
        fields.push(("MessageGroupId".to_owned(), group.clone()));
        fields.push(("MessageDeduplicationId".to_owned(), id.clone()));
    }
    let texts = |names: Vec<String>| json!(names).to_string();
    let attributes = [
        ("kind", "String", kind.to_owned()),
        ("severity", "String", severity.to_string()),
        ("code", "String", code.to_string()),
        ("team", "String.Array", texts(teams.keys().take(text::TEAMS_MAX).map(ToString::to_string).collect())),
        ("hub", "String.Array", texts(hubs.iter().map(ToString::to_string).collect())),
    ];
    for (at, (name, kind, value)) in attributes.into_iter().enumerate() {
        let entry = format!("MessageAttributes.entry.{}", at + 1);
        fields.push((format!("{entry}.Name"), name.to_owned()));
        fields.push((format!("{entry}.Value.DataType"), kind.to_owned()));
        fields.push((format!("{entry}.Value.StringValue"), value));
    }
    let encoded = |(name, value): &(String, String)| format!("{name}={}", utf8_percent_encode(value, NON_ALPHANUMERIC));
    fields.iter().map(encoded).collect::<Vec<_>>().join("&")
}

/// ASCII without control characters, at most 100, beginning with a letter, a digit or a mark.
fn subject(title: &str) -> String {
    let plain = |letter: char| if letter.is_ascii_graphic() || letter == ' ' { letter } else { '?' };
    let text: String = format!("wheelwright: {title}").chars().map(plain).collect();
    if text.len() <= SUBJECT_CHARS_MAX {
        return text;
    }
    let kept: String = text.chars().take(SUBJECT_CHARS_MAX - 3).collect();
    format!("{kept}...")
}

async fn signed(shared: &Shared, topic: &Topic, body: String) -> Result<::http::Request<String>, Trouble> {
    let unsigned = |error: &dyn std::error::Error| {
        Trouble::never(format!("the request could not be signed: {error}; nothing was sent"))
    };
    let provider = shared.surroundings.config.credentials_provider();
    let provider = provider.ok_or_else(|| Trouble::later("the daemon has no AWS credentials; nothing was sent"))?;
    let credentials = provider.provide_credentials().await.map_err(|error| {
        Trouble::later(format!("no AWS credentials: {}; nothing was sent", super::http::chain(&error)))
    })?;
    let identity = credentials.into();
    let parameters: SigningParams<'_> = v4::SigningParams::builder()
        .identity(&identity)
        .region(&topic.region)
        .name("sns")
        .time(shared.time.now())
        .settings(SigningSettings::default())
        .build()
        .map_err(|error| unsigned(&error))?
        .into();
    let uri = format!("{}/", topic.endpoint);
    const KIND: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");
    let signable = SignableRequest::new("POST", &uri, [KIND].into_iter(), SignableBody::Bytes(body.as_bytes()))
        .map_err(|error| unsigned(&error))?;
    let (instructions, _) = sign(signable, &parameters).map_err(|error| unsigned(&error))?.into_parts();
    let request = ::http::Request::post(&uri).header(KIND.0, KIND.1).body(body);
    let mut request = request.map_err(|error| unsigned(&error))?;
    instructions.apply_to_request_http1x(&mut request);
    Ok(request)
}

/// What is in an element of an error's XML, which is flat: `<Code>NotFound</Code>`.
fn tag<'a>(xml: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = xml.split_once(&format!("<{name}>"))?;
    rest.split_once(&format!("</{name}>")).map(|(text, _)| text)
}

/// 256 KiB a message, its attributes included; those are far below a sixth of it.
const MESSAGE_BYTES_MAX: usize = 220 * 1_024;

/// Characters of a subject.
const SUBJECT_CHARS_MAX: usize = 100;

/// One text message.
const SMS_CHARS_MAX: usize = 140;
