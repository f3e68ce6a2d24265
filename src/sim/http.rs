//! The HTTP door: one request in, one response out, for AWS JSON 1.1 (EventBridge), AWS JSON 1.0 (SQS) and the
//! query protocol with XML (STS, IAM).
//!
//! The access key in the `Authorization` header says who calls and its credential scope says which Region and, for the
//! query protocol, which service; the signature itself is not verified. No sockets here: `sdk_door` and `tcp` bring
//! the requests.
//!
//! <https://smithy.io/2.0/aws/protocols/aws-json-1_1-protocol.html>,
//! <https://smithy.io/2.0/aws/protocols/aws-query-protocol.html>

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use serde_json::{Map, Value, json};

use super::iam_api::check_signing_region;
use super::{AwsError, Caller, ErrorFault, KeyError, Service, SimulatedAws};

/// A request, read: what is called.
struct Inbound {
    service: Service,
    operation: String,
    input: Value,
}

/// A request whose caller is known.
pub(super) struct Identified {
    pub(super) service: Service,
    pub(super) operation: String,
    pub(super) input: Value,
    pub(super) caller: Caller,
    pub(super) region: String,
}

/// What the `Authorization` header says: whose key, and what the request is signed for.
struct Credential {
    key: String,
    region: String,
    service: String,
}

/// Answers one HTTP request.
#[must_use]
pub fn respond(world: &mut SimulatedAws, request: &Request<Bytes>) -> Response<Bytes> {
    match identified(world, request) {
        Ok(request) => perform(world, &request),
        Err(refused) => refused,
    }
}

/// Reads a request and finds out who calls, or says in the service's own words why not.
pub(super) fn identified(world: &SimulatedAws, request: &Request<Bytes>) -> Result<Identified, Response<Bytes>> {
    let credential = credential(request);
    let Inbound { service, operation, input } =
        read(request, credential.as_ref()).map_err(|error| failed(Service::EventBridge, &error, ""))?;
    let (caller, region) = identify(world, credential, service).map_err(|error| failed(service, &error, ""))?;
    Ok(Identified { service, operation, input, caller, region })
}

/// Makes the call that a request asks for.
pub(super) fn perform(world: &mut SimulatedAws, request: &Identified) -> Response<Bytes> {
    let Identified { service, operation, input, caller, region } = request;
    let outcome = world.call(caller, region, *service, operation, input);
    let request_id = world.last_request_id();
    match outcome {
        Ok(output) => succeeded(*service, operation, &output, &request_id),
        Err(error) => failed(*service, &error, &request_id),
    }
}

fn read(request: &Request<Bytes>, credential: Option<&Credential>) -> Result<Inbound, AwsError> {
    let Some(target) = header(request, "x-amz-target") else {
        return Ok(read_query(request, credential));
    };
    let (prefix, operation) = target.split_once('.').unwrap_or((target, ""));
    let service = match prefix {
        "AWSEvents" => Service::EventBridge,
        "AmazonSQS" => Service::Sqs,
        _ => return Err(AwsError::unknown_operation(target)),
    };
    let body = request.body();
    let input = if body.is_empty() {
        json!({})
    } else {
        serde_json::from_slice(body).map_err(|_| AwsError::client("SerializationException", "The body is not JSON."))?
    };
    Ok(Inbound { service, operation: operation.to_owned(), input })
}

/// The query protocol does not name its service; what the request is signed for does.
fn read_query(request: &Request<Bytes>, credential: Option<&Credential>) -> Inbound {
    let service = match credential {
        Some(credential) if credential.service == Service::Iam.prefix() => Service::Iam,
        _ => Service::Sts,
    };
    let body = String::from_utf8_lossy(request.body());
    let query = request.uri().query().unwrap_or_default();
    let mut input = Map::new();
    for (field, text) in form_fields(&body).into_iter().chain(form_fields(query)) {
        let value = match field.as_str() {
            "DurationSeconds" => text.parse::<i64>().map_or(Value::Null, Value::from),
            _ => Value::from(text),
        };
        input.insert(field, value);
    }
    let operation = input.get("Action").and_then(Value::as_str).unwrap_or_default().to_owned();
    Inbound { service, operation, input: Value::Object(input) }
}

fn credential(request: &Request<Bytes>) -> Option<Credential> {
    let (_, credential) = header(request, "authorization")?.split_once("Credential=")?;
    let mut parts = credential.split(',').next()?.trim().split('/');
    let (key, _date) = (parts.next()?, parts.next()?);
    let (region, service) = (parts.next()?, parts.next().unwrap_or_default());
    Some(Credential { key: key.to_owned(), region: region.to_owned(), service: service.to_owned() })
}

/// The caller, and the Region that is called.
fn identify(
    world: &SimulatedAws,
    credential: Option<Credential>,
    service: Service,
) -> Result<(Caller, String), AwsError> {
    let credential = credential.ok_or_else(|| {
        AwsError::client("MissingAuthenticationTokenException", "Missing Authentication Token").with_status(403)
    })?;
    check_signing_region(service, &credential.region)?;
    let caller = world.caller_of_key(&credential.key).map_err(|error| match error {
        KeyError::Unknown => AwsError::unknown_key(service),
        KeyError::Expired => AwsError::expired_key(service),
    })?;
    Ok((caller, credential.region))
}

fn header<'a>(request: &'a Request<Bytes>, name: &str) -> Option<&'a str> {
    request.headers().get(name).and_then(|value| value.to_str().ok())
}

/// A service's answer.
pub(super) fn succeeded(service: Service, operation: &str, output: &Value, request_id: &str) -> Response<Bytes> {
    let body = match xml_namespace(service) {
        Some(namespace) => {
            let result = xml_of(output);
            format!(
                "<{operation}Response xmlns=\"{namespace}\"><{operation}Result>{result}</{operation}Result>\
                 <ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata></{operation}Response>"
            )
        }
        None => output.to_string(),
    };
    response(StatusCode::OK, service, request_id, None, body)
}

/// A service's refusal.
pub(super) fn failed(service: Service, error: &AwsError, request_id: &str) -> Response<Bytes> {
    let body = match (xml_namespace(service), service) {
        (Some(namespace), _) => format!(
            "<ErrorResponse xmlns=\"{namespace}\"><Error><Type>{}</Type><Code>{}</Code><Message>{}</Message></Error>\
             <RequestId>{request_id}</RequestId></ErrorResponse>",
            sender(error),
            escaped(&error.code),
            escaped(&error.message)
        ),
        (None, Service::Sqs) => json!({"__type": sqs_type(&error.code), "message": error.message}).to_string(),
        (None, _) => json!({"__type": error.code, "message": error.message}).to_string(),
    };
    let status = StatusCode::from_u16(error.status).unwrap_or(StatusCode::BAD_REQUEST);
    response(status, service, request_id, Some(error), body)
}

/// Whose fault an error is, in the query protocol's words.
fn sender(error: &AwsError) -> &'static str {
    match error.fault {
        ErrorFault::Client => "Sender",
        ErrorFault::Server => "Receiver",
    }
}

fn response(
    status: StatusCode,
    service: Service,
    request_id: &str,
    error: Option<&AwsError>,
    body: String,
) -> Response<Bytes> {
    let content_type = match service {
        Service::EventBridge => "application/x-amz-json-1.1",
        Service::Sqs => "application/x-amz-json-1.0",
        Service::Sts | Service::Iam => "text/xml",
    };
    let mut builder =
        Response::builder().status(status).header("content-type", content_type).header("x-amzn-requestid", request_id);
    builder = match (error, service) {
        (Some(error), Service::EventBridge) => builder.header("x-amzn-errortype", &error.code),
        // The code of the query protocol, which SQS spoke before: clients go by it.
        // <https://smithy.io/2.0/aws/protocols/aws-query-protocol.html#aws-protocols-awsquerycompatible-trait>
        (Some(error), Service::Sqs) => {
            builder.header("x-amzn-query-error", format!("{};{}", error.code, sender(error)))
        }
        _ => builder,
    };
    builder.body(Bytes::from(body)).unwrap_or_default()
}

/// SQS's errors have a name of their own in JSON.
/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_GetQueueAttributes.html#API_GetQueueAttributes_Errors>
fn sqs_type(code: &str) -> String {
    match code {
        "AWS.SimpleQueueService.NonExistentQueue" => "com.amazonaws.sqs#QueueDoesNotExist".to_owned(),
        "AccessDenied" => "com.amazon.coral.service#AccessDeniedException".to_owned(),
        "InvalidClientTokenId" => "com.amazon.coral.service#UnrecognizedClientException".to_owned(),
        "ExpiredToken" => "com.amazon.coral.service#ExpiredTokenException".to_owned(),
        other => format!("com.amazonaws.sqs#{other}"),
    }
}

/// The namespace of a service's answers, where it answers in XML.
fn xml_namespace(service: Service) -> Option<&'static str> {
    match service {
        Service::Sts => Some("https://sts.amazonaws.com/doc/2011-06-15/"),
        Service::Iam => Some("https://iam.amazonaws.com/doc/2010-05-08/"),
        Service::EventBridge | Service::Sqs => None,
    }
}

fn xml_of(value: &Value) -> String {
    match value {
        Value::Object(fields) => fields
            .iter()
            .filter(|(_, field)| !field.is_null())
            .map(|(name, field)| format!("<{name}>{}</{name}>", xml_of(field)))
            .collect(),
        Value::String(text) => escaped(text),
        other => other.to_string(),
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

fn form_fields(text: &str) -> Vec<(String, String)> {
    text.split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decoded(name), decoded(value))
        })
        .collect()
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digits: String = rest.by_ref().take(2).map(char::from).collect();
                u8::from_str_radix(&digits, 16).unwrap_or(b'?')
            }
            other => other,
        });
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]

    use super::super::{Role, Trusted};
    use super::*;

    const ACCOUNT: &str = "111111111111";

    fn request(key: &str, target: Option<&str>, body: &str) -> Request<Bytes> {
        signed_for("eu-west-1/events", key, target, body)
    }

    fn signed_for(scope: &str, key: &str, target: Option<&str>, body: &str) -> Request<Bytes> {
        let mut builder = Request::builder().method("POST").uri("https://events.us-east-1.amazonaws.com/").header(
            "authorization",
            format!("AWS4-HMAC-SHA256 Credential={key}/20260101/{scope}/aws4_request, SignedHeaders=host, Signature=0"),
        );
        if let Some(target) = target {
            builder = builder.header("x-amz-target", target);
        }
        builder.body(Bytes::from(body.to_owned())).unwrap()
    }

    fn json_body(response: &Response<Bytes>) -> Value {
        serde_json::from_slice(response.body()).unwrap()
    }

    #[test]
    fn the_key_says_who_and_the_credential_scope_says_where() {
        let mut world = SimulatedAws::default();
        let key = world.mint_root_key(ACCOUNT).access_key_id;
        let created = respond(&mut world, &request(&key, Some("AWSEvents.CreateEventBus"), r#"{"Name": "orders"}"#));
        assert_eq!(created.status(), 200);
        assert_eq!(json_body(&created)["EventBusArn"], "arn:aws:events:eu-west-1:111111111111:event-bus/orders");
        assert!(!created.headers()["x-amzn-requestid"].is_empty());
    }

    #[test]
    fn errors_carry_their_type_in_the_body_and_in_a_header() {
        let mut world = SimulatedAws::default();
        let key = world.mint_root_key(ACCOUNT).access_key_id;
        let missing = respond(&mut world, &request(&key, Some("AWSEvents.DescribeEventBus"), r#"{"Name": "nope"}"#));
        assert_eq!(missing.status(), 400);
        assert_eq!(json_body(&missing)["__type"], "ResourceNotFoundException");
        assert_eq!(missing.headers()["x-amzn-errortype"], "ResourceNotFoundException");
    }

    #[test]
    fn unknown_expired_and_missing_keys_are_told_apart() {
        let mut world = SimulatedAws::default();
        let key = world.mint_root_key(ACCOUNT).access_key_id;
        let list = |key: &str| request(key, Some("AWSEvents.ListEventBuses"), "{}");
        let code =
            |world: &mut SimulatedAws, request: &Request<Bytes>| json_body(&respond(world, request))["__type"].clone();
        assert_eq!(code(&mut world, &list("AKIAUNKNOWN")), "UnrecognizedClientException");
        world.expire_key(&key);
        assert_eq!(code(&mut world, &list(&key)), "ExpiredTokenException");
        let mut bare = list(&key);
        bare.headers_mut().remove("authorization");
        assert_eq!(code(&mut world, &bare), "MissingAuthenticationTokenException");
    }

    #[test]
    fn sts_speaks_forms_and_xml() {
        let mut world = SimulatedAws::default();
        let key = world.mint_root_key(ACCOUNT).access_key_id;
        let identity = respond(&mut world, &request(&key, None, "Action=GetCallerIdentity&Version=2011-06-15"));
        let text = String::from_utf8(identity.body().to_vec()).unwrap();
        assert!(text.contains("<Arn>arn:aws:iam::111111111111:root</Arn>"), "{text}");
        let refused = respond(
            &mut world,
            &request(
                &key,
                None,
                "Action=AssumeRole&RoleSessionName=me&RoleArn=arn%3Aaws%3Aiam%3A%3A222222222222%3Arole%2Fx",
            ),
        );
        assert_eq!(refused.status(), 403);
        let text = String::from_utf8(refused.body().to_vec()).unwrap();
        assert!(text.contains("<Code>AccessDenied</Code>"), "{text}");
    }

    #[test]
    fn iam_answers_xml_with_an_encoded_trust_policy_and_only_in_its_own_region() {
        let mut world = SimulatedAws::default();
        let key = world.mint_root_key(ACCOUNT).access_key_id;
        world.create_role(ACCOUNT, Role::named("a").trusting(Trusted::Service("events.amazonaws.com".to_owned())));
        let get = |world: &mut SimulatedAws, scope: &str, role: &str| {
            let body = format!("Action=GetRole&Version=2010-05-08&RoleName={role}");
            let answer = respond(world, &signed_for(scope, &key, None, &body));
            (answer.status().as_u16(), String::from_utf8(answer.body().to_vec()).unwrap())
        };
        let (status, found) = get(&mut world, "us-east-1/iam", "a");
        assert_eq!(status, 200);
        for part in [
            "<GetRoleResponse xmlns=\"https://iam.amazonaws.com/doc/2010-05-08/\"><GetRoleResult><Role><Path>/</Path>",
            "<Arn>arn:aws:iam::111111111111:role/a</Arn><CreateDate>1970-01-01T00:00:00Z</CreateDate>",
            "<AssumeRolePolicyDocument>%7B%22Version%22%3A%222012-10-17%22%2C%22Statement%22%3A%5B%7B",
            "<MaxSessionDuration>3600</MaxSessionDuration>",
        ] {
            assert!(found.contains(part), "{part} is not in {found}");
        }
        let (status, missing) = get(&mut world, "us-east-1/iam", "b");
        assert_eq!(status, 404);
        assert!(missing.contains("<Type>Sender</Type><Code>NoSuchEntity</Code>"), "{missing}");
        let (status, elsewhere) = get(&mut world, "eu-west-1/iam", "a");
        assert_eq!(status, 403);
        assert!(elsewhere.contains("<Code>SignatureDoesNotMatch</Code>"), "{elsewhere}");
        assert_eq!(get(&mut world, "us-east-1/sts", "a").0, 400, "STS knows no GetRole");
    }
}
