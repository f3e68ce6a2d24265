//! How a role and a queue are set up: IAM's GetRole and SQS's GetQueueAttributes, without their SDKs.
//!
//! Two reads that `wheelwright doctor` makes. aws-sdk-iam and aws-sdk-sqs would cost 103 s and 37 s of build for one call
//! each, so the requests are written here as AWS documents them, signed with `aws-sigv4`, and sent by the orchestrator
//! that the SDKs are made of (`aws-smithy-runtime`): its timeouts, its repeats and its errors are those of every other
//! call. IAM's XML is read by `aws-smithy-xml`, which the STS SDK reads with.
//!
//! A signature is made once for all attempts of a call: it is good for five minutes, a call has seconds. The endpoints of
//! the partitions `aws`, `aws-us-gov` and `aws-cn` are known; elsewhere one has to be given.
//!
//! <https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetRole.html>,
//! <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_GetQueueAttributes.html>

use super::connection::{AwsSettings, Connection, behavior, retry_config, timeout_config};
use super::errors::Failure;
use crate::call::{Answer, Call, ErrorClass, QueueSummary, RoleSummary};
use crate::model::ids::Scope;
use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningParams, SigningSettings, sign};
use aws_sigv4::sign::v4;
use aws_smithy_runtime::client::orchestrator::operation::Operation;
use aws_smithy_runtime::client::retries::classifiers::{HttpStatusCodeClassifier, TransientErrorClassifier};
use aws_smithy_runtime_api::client::interceptors::context::InterceptorContext;
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse, OrchestratorError};
use aws_smithy_runtime_api::client::retries::classifiers::{ClassifyRetry, RetryAction};
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::error::ErrorMetadata;
use aws_smithy_xml::decode::{Document, ScopedDecoder, XmlDecodeError, try_data};
use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use serde_json::{Value, json};

/// Makes a call of this file's in `scope`, with `credentials` of its account.
pub(super) async fn send(
    connection: &Connection,
    settings: &AwsSettings,
    scope: &Scope,
    credentials: Credentials,
    call: &Call,
) -> Result<Answer, Failure> {
    let request = match call {
        Call::GetRole { role } => get_role(connection.endpoint_url(settings, "IAM").as_deref(), scope, role)?,
        Call::GetQueueAttributes { queue } => {
            get_queue_attributes(connection.endpoint_url(settings, "SQS").as_deref(), scope, queue)?
        }
        _ => return Err(Failure::new(ErrorClass::Invalid, "not a call of IAM's or SQS's")),
    };
    let read = request.read;
    let signed = signed(connection, credentials, &request)?;
    let shared = connection.shared();
    let (Some(http_client), Some(time_source), Some(sleep)) =
        (shared.http_client(), shared.time_source(), shared.sleep_impl())
    else {
        return Err(Failure::new(ErrorClass::Other, "the connection has no HTTP client, clock or timer"));
    };
    Operation::builder()
        // This also names the quota of repeats that the call draws on: the scope's own.
        .service_name(format!("wheelwright/{}/{scope}", request.service))
        .operation_name(call.action())
        .behavior_version(behavior())
        .http_client(http_client)
        .endpoint_url(&request.endpoint)
        .no_auth()
        .standard_retry(&retry_config(settings))
        .retry_classifier(TransientErrorClassifier::<ErrorMetadata>::new())
        .retry_classifier(HttpStatusCodeClassifier::default())
        .retry_classifier(Throttled)
        .timeout_config(timeout_config(settings))
        .time_source(time_source)
        .sleep_impl(sleep)
        .serializer(|request: HttpRequest| Ok(request))
        .deserializer(read)
        .build()
        .invoke(signed)
        .await
        .map_err(Failure::from)
}

/// What comes of an answer: the SDKs' own error type, so that its errors are classed as all others are.
type Outcome = Result<Answer, OrchestratorError<ErrorMetadata>>;

/// A request before it is signed.
struct Unsigned {
    service: &'static str,
    /// The Region that it is signed for.
    region: String,
    /// Without a slash at its end.
    endpoint: String,
    headers: Vec<(&'static str, &'static str)>,
    body: String,
    read: fn(&HttpResponse) -> Outcome,
}

/// IAM is one service for all Regions of a partition, in one of them
/// (<https://docs.aws.amazon.com/general/latest/gr/iam-service.html>).
fn get_role(given: Option<&str>, scope: &Scope, role: &str) -> Result<Unsigned, Failure> {
    let (region, host) = match scope.region.partition() {
        "aws" => ("us-east-1", "https://iam.amazonaws.com"),
        "aws-us-gov" => ("us-gov-west-1", "https://iam.us-gov.amazonaws.com"),
        "aws-cn" => ("cn-north-1", "https://iam.cn-north-1.amazonaws.com.cn"),
        other if given.is_none() => return Err(unknown_partition("IAM", other)),
        _ => (scope.region.as_str(), ""),
    };
    Ok(Unsigned {
        service: "iam",
        region: region.to_owned(),
        endpoint: endpoint(given, host),
        headers: vec![("content-type", "application/x-www-form-urlencoded")],
        body: format!("Action=GetRole&Version=2010-05-08&RoleName={}", utf8_percent_encode(role, NON_ALPHANUMERIC)),
        read: read_role,
    })
}

/// A queue is called by its URL, which is written down from its Region, account and name: looking it up is an action of
/// its own (<https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-queue-message-identifiers.html>).
/// All attributes are asked for, since SQS refuses some of them by name on queues that they do not apply to.
fn get_queue_attributes(given: Option<&str>, scope: &Scope, queue: &str) -> Result<Unsigned, Failure> {
    let Scope { account, region } = scope;
    let host = match region.partition() {
        "aws" | "aws-us-gov" => format!("https://sqs.{region}.amazonaws.com"),
        "aws-cn" => format!("https://sqs.{region}.amazonaws.com.cn"),
        other if given.is_none() => return Err(unknown_partition("SQS", other)),
        _ => String::new(),
    };
    let endpoint = endpoint(given, &host);
    let input = json!({"QueueUrl": format!("{endpoint}/{account}/{queue}"), "AttributeNames": ["All"]});
    Ok(Unsigned {
        service: "sqs",
        region: region.to_string(),
        endpoint,
        headers: vec![
            ("content-type", "application/x-amz-json-1.0"),
            ("x-amz-target", "AmazonSQS.GetQueueAttributes"),
            // So that an error's code comes in the header as well.
            ("x-amzn-query-mode", "true"),
        ],
        body: input.to_string(),
        read: read_queue,
    })
}

fn endpoint(given: Option<&str>, host: &str) -> String {
    given.unwrap_or(host).trim_end_matches('/').to_owned()
}

fn unknown_partition(service: &str, partition: &str) -> Failure {
    let message = format!("where {service} is in partition {partition} is not known here: give its endpoint");
    Failure::new(ErrorClass::Invalid, message)
}

fn signed(connection: &Connection, credentials: Credentials, request: &Unsigned) -> Result<HttpRequest, Failure> {
    let unsigned = |error: &dyn std::error::Error| {
        Failure::new(ErrorClass::Invalid, format!("the request could not be signed: {error}; nothing was sent"))
    };
    let identity = credentials.into();
    let parameters: SigningParams<'_> = v4::SigningParams::builder()
        .identity(&identity)
        .region(&request.region)
        .name(request.service)
        .time(connection.now())
        .settings(SigningSettings::default())
        .build()
        .map_err(|error| unsigned(&error))?
        .into();
    let uri = format!("{}/", request.endpoint);
    let headers = request.headers.iter().copied();
    let signable = SignableRequest::new("POST", &uri, headers, SignableBody::Bytes(request.body.as_bytes()))
        .map_err(|error| unsigned(&error))?;
    let (instructions, _) = sign(signable, &parameters).map_err(|error| unsigned(&error))?.into_parts();
    let mut built = http::Request::builder().method("POST").uri("/");
    for (name, value) in &request.headers {
        built = built.header(*name, *value);
    }
    let mut built = built.body(SdkBody::from(request.body.as_str())).map_err(|error| unsigned(&error))?;
    instructions.apply_to_request_http1x(&mut built);
    HttpRequest::try_from(built).map_err(|error| unsigned(&error))
}

/// Says which refusals are worth a later attempt because there were too many calls.
#[derive(Debug)]
struct Throttled;

impl ClassifyRetry for Throttled {
    fn classify_retry(&self, context: &InterceptorContext) -> RetryAction {
        let error = context.output_or_error().and_then(Result::err).and_then(OrchestratorError::as_operation_error);
        let code = error.and_then(|error| error.downcast_ref::<ErrorMetadata>()).and_then(ErrorMetadata::code);
        match code.map(|code| ErrorClass::of_code(code, 0)) {
            Some(ErrorClass::Throttled) => RetryAction::throttling_error(),
            _ => RetryAction::NoActionIndicated,
        }
    }

    fn name(&self) -> &'static str {
        "too many calls"
    }
}

/// An answer that is not the API's: a proxy's page, say.
fn not_understood(what: impl Into<String>) -> OrchestratorError<ErrorMetadata> {
    OrchestratorError::response(what.into().into())
}

fn body(response: &HttpResponse) -> &[u8] {
    response.body().bytes().unwrap_or_default()
}

/// IAM answers in XML (<https://smithy.io/2.0/aws/protocols/aws-query-protocol.html>).
fn read_role(response: &HttpResponse) -> Outcome {
    let ours = |error: XmlDecodeError| not_understood(error.to_string());
    if !response.status().is_success() && body(response).trim_ascii().is_empty() {
        return Err(OrchestratorError::operation(ErrorMetadata::builder().build())); // It goes by its status.
    }
    let mut document = Document::try_from(body(response)).map_err(ours)?;
    let root = document.root_element().map_err(ours)?;
    if !response.status().is_success() {
        return Err(OrchestratorError::operation(error_of_xml(root).map_err(ours)?));
    }
    let mut fields = Fields::default();
    role_fields(root, &mut fields).map_err(ours)?;
    let Fields { arn: Some(arn), trust_policy: Some(trust_policy), .. } = fields else {
        return Err(not_understood("an answer to GetRole without a role"));
    };
    // The document comes percent-encoded, as RFC 3986 has it.
    let trust_policy =
        percent_decode_str(&trust_policy).decode_utf8().map_err(|error| not_understood(error.to_string()))?;
    Ok(Answer::Role(RoleSummary { arn, trust_policy: trust_policy.into_owned() }))
}

#[derive(Default)]
struct Fields {
    arn: Option<String>,
    trust_policy: Option<String>,
}

/// `<GetRoleResponse><GetRoleResult><Role><Arn>…`.
fn role_fields(mut root: ScopedDecoder<'_, '_>, fields: &mut Fields) -> Result<(), XmlDecodeError> {
    if root.start_el().local() != "GetRoleResponse" {
        return Err(XmlDecodeError::custom("it is no GetRoleResponse"));
    }
    while let Some(mut result) = root.next_tag() {
        while let Some(mut role) = result.next_tag() {
            while let Some(mut field) = role.next_tag() {
                let kept = match field.start_el().local() {
                    "Arn" => &mut fields.arn,
                    "AssumeRolePolicyDocument" => &mut fields.trust_policy,
                    _ => continue,
                };
                *kept = Some(try_data(&mut field)?.into_owned());
            }
        }
    }
    Ok(())
}

/// `<ErrorResponse><Error><Code>…`.
fn error_of_xml(mut root: ScopedDecoder<'_, '_>) -> Result<ErrorMetadata, XmlDecodeError> {
    let (mut code, mut message) = (None, None);
    while let Some(mut error) = root.next_tag() {
        while let Some(mut field) = error.next_tag() {
            let kept = match field.start_el().local() {
                "Code" => &mut code,
                "Message" => &mut message,
                _ => continue,
            };
            *kept = Some(try_data(&mut field)?.into_owned());
        }
    }
    let code = code.ok_or_else(|| XmlDecodeError::custom("an error without a code"))?;
    Ok(ErrorMetadata::builder().code(code).message(message.unwrap_or_default()).build())
}

/// SQS answers in JSON (<https://smithy.io/2.0/aws/protocols/aws-json-1_0-protocol.html>).
fn read_queue(response: &HttpResponse) -> Outcome {
    let parsed = serde_json::from_slice::<Value>(body(response));
    if !response.status().is_success() {
        return match parsed {
            Ok(value) => Err(OrchestratorError::operation(error_of_json(response, &value))),
            // Nothing at all goes by its status; what is something else is a proxy's.
            Err(_) if body(response).trim_ascii().is_empty() => {
                Err(OrchestratorError::operation(error_of_json(response, &Value::Null)))
            }
            Err(error) => Err(not_understood(error.to_string())),
        };
    }
    let value = parsed.map_err(|error| not_understood(error.to_string()))?;
    let attribute = |name: &str| value.get("Attributes")?.get(name)?.as_str().map(str::to_owned);
    let Some(arn) = attribute("QueueArn") else {
        return Err(not_understood("an answer to GetQueueAttributes without the queue's ARN"));
    };
    let given = |name: &str| attribute(name).filter(|text| !text.is_empty());
    let messages = attribute("ApproximateNumberOfMessages").and_then(|number| number.parse().ok());
    Ok(Answer::Queue(QueueSummary {
        arn,
        policy: given("Policy"),
        kms_key: given("KmsMasterKeyId"),
        messages: messages.unwrap_or_default(),
    }))
}

/// SQS names an error twice: in the body by the name that its API has now, in a header by the one of its earlier protocol
/// (<https://smithy.io/2.0/aws/protocols/aws-query-protocol.html#aws-protocols-awsquerycompatible-trait>). The one that is
/// known here is taken, the body's first.
fn error_of_json(response: &HttpResponse, value: &Value) -> ErrorMetadata {
    let text = |name: &str| value.get(name).and_then(Value::as_str);
    let in_body = text("__type").and_then(|name| name.rsplit('#').next());
    let in_header = response.headers().get("x-amzn-query-error").and_then(|error| error.split(';').next());
    let known = |code: &&str| ErrorClass::of_code(code, 0) != ErrorClass::Other;
    let code = in_body.filter(known).or(in_header.filter(known)).or(in_body).or(in_header);
    let mut error = ErrorMetadata::builder();
    if let Some(code) = code.filter(|code| !code.is_empty()) {
        error = error.code(code);
    }
    if let Some(message) = text("message").or_else(|| text("Message")) {
        error = error.message(message);
    }
    error.build()
}
