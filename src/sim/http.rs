//! The HTTP door: one request in, one response out, for AWS JSON 1.1 (EventBridge), AWS JSON 1.0 (SQS) and the
//! query protocol with XML (STS).
//!
//! The access key in the `Authorization` header says who calls and its credential scope says which Region; the
//! signature itself is not verified. No sockets here: `sdk_door` and `tcp` bring the requests.
//!
//! <https://smithy.io/2.0/aws/protocols/aws-json-1_1-protocol.html>,
//! <https://smithy.io/2.0/aws/protocols/aws-query-protocol.html>

use std::collections::BTreeMap;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use serde_json::{Map, Value, json};

use super::{AwsError, Caller, KeyError, Service, SimulatedAws};

/// A request, read: who calls what, where.
struct Inbound {
    service: Service,
    operation: String,
    input: Value,
}

/// Answers one HTTP request.
#[must_use]
pub fn respond(world: &mut SimulatedAws, request: &Request<Bytes>) -> Response<Bytes> {
    let inbound = match read(request) {
        Ok(inbound) => inbound,
        Err(error) => return failed(Service::EventBridge, &error, ""),
    };
    let (service, operation) = (inbound.service, inbound.operation.as_str());
    let (caller, region) = match identify(world, request, service) {
        Ok(identified) => identified,
        Err(error) => return failed(service, &error, ""),
    };
    let outcome = world.call(&caller, &region, service, operation, &inbound.input);
    let request_id = world.last_request_id();
    match outcome {
        Ok(output) => succeeded(service, operation, &output, request_id),
        Err(error) => failed(service, &error, request_id),
    }
}

fn read(request: &Request<Bytes>) -> Result<Inbound, AwsError> {
    let Some(target) = header(request, "x-amz-target") else {
        return read_query(request);
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

fn read_query(request: &Request<Bytes>) -> Result<Inbound, AwsError> {
    let body = String::from_utf8_lossy(request.body());
    let query = request.uri().query().unwrap_or_default();
    let fields: BTreeMap<String, String> = form_fields(&body).into_iter().chain(form_fields(query)).collect();
    let operation = fields.get("Action").cloned().unwrap_or_default();
    if !["AssumeRole", "GetCallerIdentity"].contains(&operation.as_str()) {
        return Err(AwsError::unknown_operation(&operation));
    }
    let mut input = Map::new();
    for (field, text) in fields {
        let value = match field.as_str() {
            "DurationSeconds" => text.parse::<i64>().map_or(Value::Null, Value::from),
            _ => Value::from(text),
        };
        input.insert(field, value);
    }
    Ok(Inbound { service: Service::Sts, operation, input: Value::Object(input) })
}

/// The caller and the Region that the `Authorization` header names.
fn identify(world: &SimulatedAws, request: &Request<Bytes>, service: Service) -> Result<(Caller, String), AwsError> {
    let missing =
        || AwsError::client("MissingAuthenticationTokenException", "Missing Authentication Token").with_status(403);
    let authorization = header(request, "authorization").ok_or_else(missing)?;
    let (_, credential) = authorization.split_once("Credential=").ok_or_else(missing)?;
    let scope = credential.split(',').next().unwrap_or_default();
    let mut parts = scope.split('/');
    let key = parts.next().ok_or_else(missing)?;
    let region = parts.nth(1).ok_or_else(missing)?;
    let caller = world.caller_of_key(key).map_err(|error| match (error, service) {
        (KeyError::Unknown, Service::Sts) => {
            AwsError { code: "InvalidClientTokenId".to_owned(), ..AwsError::unrecognized_client().with_status(403) }
        }
        (KeyError::Expired, Service::Sts) => {
            AwsError { code: "ExpiredToken".to_owned(), ..AwsError::expired_token().with_status(403) }
        }
        (KeyError::Unknown, _) => AwsError::unrecognized_client(),
        (KeyError::Expired, _) => AwsError::expired_token(),
    })?;
    Ok((caller, region.to_owned()))
}

fn header<'a>(request: &'a Request<Bytes>, name: &str) -> Option<&'a str> {
    request.headers().get(name).and_then(|value| value.to_str().ok())
}

fn succeeded(service: Service, operation: &str, output: &Value, request_id: &str) -> Response<Bytes> {
    let body = match service {
        Service::Sts => {
            let result = xml_of(output);
            format!(
                "<{operation}Response xmlns=\"{STS_NAMESPACE}\"><{operation}Result>{result}</{operation}Result>\
                 <ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata></{operation}Response>"
            )
        }
        Service::EventBridge | Service::Sqs => output.to_string(),
    };
    response(StatusCode::OK, service, request_id, None, body)
}

fn failed(service: Service, error: &AwsError, request_id: &str) -> Response<Bytes> {
    let status = StatusCode::from_u16(error.status).unwrap_or(StatusCode::BAD_REQUEST);
    let code = error.code.as_str();
    let body = match service {
        Service::Sts => format!(
            "<ErrorResponse xmlns=\"{STS_NAMESPACE}\"><Error><Type>Sender</Type><Code>{}</Code>\
             <Message>{}</Message></Error><RequestId>{request_id}</RequestId></ErrorResponse>",
            escaped(code),
            escaped(&error.message)
        ),
        Service::EventBridge => json!({"__type": code, "message": error.message}).to_string(),
        Service::Sqs => json!({"__type": sqs_type(code), "message": error.message}).to_string(),
    };
    response(status, service, request_id, Some(code), body)
}

fn response(
    status: StatusCode,
    service: Service,
    request_id: &str,
    error_code: Option<&str>,
    body: String,
) -> Response<Bytes> {
    let content_type = match service {
        Service::EventBridge => "application/x-amz-json-1.1",
        Service::Sqs => "application/x-amz-json-1.0",
        Service::Sts => "text/xml",
    };
    let mut builder =
        Response::builder().status(status).header("content-type", content_type).header("x-amzn-requestid", request_id);
    if let Some(code) = error_code {
        builder = builder.header("x-amzn-errortype", code);
        if service == Service::Sqs {
            builder = builder.header("x-amzn-query-error", format!("{code};Sender"));
        }
    }
    builder.body(Bytes::from(body)).unwrap_or_default()
}

/// SQS's errors have a name of their own in JSON; the one of the old protocol is in a header.
fn sqs_type(code: &str) -> String {
    let shape = match code {
        "AWS.SimpleQueueService.NonExistentQueue" => "QueueDoesNotExist",
        other => other,
    };
    format!("com.amazonaws.sqs#{shape}")
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

const STS_NAMESPACE: &str = "https://sts.amazonaws.com/doc/2011-06-15/";

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]

    use super::*;

    const ACCOUNT: &str = "111111111111";

    fn request(key: &str, target: Option<&str>, body: &str) -> Request<Bytes> {
        let mut builder = Request::builder().method("POST").uri("https://events.us-east-1.amazonaws.com/").header(
            "authorization",
            format!(
                "AWS4-HMAC-SHA256 Credential={key}/20260101/eu-west-1/events/aws4_request, SignedHeaders=host, Signature=0"
            ),
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
}
