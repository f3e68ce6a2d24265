//! The SDK's errors as classes: the last place where anybody sees an SDK error type.
//!
//! Knows how the SDK wraps what AWS, the network, a proxy or the credentials' source said. It does not know which
//! call it was; [`Failure::at`] adds that. Messages are cut to what a person needs: AWS's answer to a bad signature
//! repeats the signed request, session token and all, so only its first line is kept.

use crate::call::{CallError, ErrorClass};
use crate::model::ids::Scope;
use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_eventbridge::error::{BuildError, ProvideErrorMetadata};
use aws_sdk_eventbridge::operation::RequestId;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use std::error::Error;

/// A [`CallError`] that does not know yet where it happened.
#[derive(Clone, Debug)]
pub(super) struct Failure {
    pub(super) class: ErrorClass,
    pub(super) code: Option<String>,
    pub(super) message: String,
    pub(super) request_id: Option<String>,
}

impl Failure {
    /// A failure that no code of AWS's describes.
    pub(super) fn new(class: ErrorClass, message: impl Into<String>) -> Self {
        Self { class, code: None, message: message.into(), request_id: None }
    }

    /// Whether AWS said that the session is over.
    pub(super) fn is_expired_session(&self) -> bool {
        self.code.as_deref().is_some_and(|code| code.starts_with("ExpiredToken"))
    }

    /// The failure of `action` in `scope`.
    pub(super) fn at(self, scope: &Scope, action: &str) -> CallError {
        let Self { class, code, message, request_id } = self;
        CallError { class, scope: scope.clone(), action: action.into(), code, message, request_id }
    }
}

impl<E> From<SdkError<E, HttpResponse>> for Failure
where
    E: ProvideErrorMetadata + Error + 'static,
{
    fn from(error: SdkError<E, HttpResponse>) -> Self {
        let request_id = error.request_id().map(str::to_owned);
        let failure = match &error {
            SdkError::TimeoutError(_) => Self::new(ErrorClass::NoAnswer, "no answer in the time that a call has"),
            SdkError::ServiceError(context) => of_answer(context.err(), context.raw()),
            SdkError::ResponseError(context) => Self::new(ErrorClass::NotAws, not_aws(context.raw())),
            SdkError::ConstructionFailure(_) => of_chain(&error, ErrorClass::Invalid),
            SdkError::DispatchFailure(_) => of_chain(&error, ErrorClass::NoAnswer),
            _ => of_chain(&error, ErrorClass::Other),
        };
        Self { request_id, ..failure }
    }
}

impl From<BuildError> for Failure {
    fn from(error: BuildError) -> Self {
        Self::new(ErrorClass::Invalid, error.to_string())
    }
}

/// The failure that an answer speaks of: by its code where it has one, else by its status and shape.
fn of_answer<E: ProvideErrorMetadata + Error + 'static>(error: &E, raw: &HttpResponse) -> Failure {
    let status = raw.status().as_u16();
    let Some(code) = error.code() else {
        let class = match raw.body().bytes() {
            Some(body)
                if !body.trim_ascii_start().is_empty()
                    && serde_json::from_slice::<serde_json::Value>(body).is_err() =>
            {
                ErrorClass::NotAws
            }
            _ if raw.status().is_success() => ErrorClass::NotAws,
            _ => ErrorClass::of_code("", status),
        };
        let message = if class == ErrorClass::NotAws { not_aws(raw) } else { format!("HTTP status {status}, no code") };
        return Failure::new(class, message);
    };
    let message = error.message().unwrap_or("AWS gave no message");
    Failure {
        class: ErrorClass::of_code(code, status),
        code: Some(code.to_owned()),
        message: shortened(message),
        request_id: None,
    }
}

/// The failure of a request that got no answer: the credentials' source's fault if it is anywhere in the chain.
fn of_chain(error: &(dyn Error + 'static), otherwise: ErrorClass) -> Failure {
    let mut chain = Vec::new();
    let mut next = Some(error);
    while let Some(link) = next {
        chain.push(link);
        next = link.source();
    }
    let credentials = chain.iter().any(|error| error.is::<CredentialsError>());
    let mut words: Vec<String> = Vec::new();
    for link in &chain {
        // The credentials' sources tell what they tried line by line.
        let text = link.to_string().split_whitespace().collect::<Vec<_>>().join(" ");
        // Some errors repeat what they were caused by.
        if !words.last().is_some_and(|last| last.contains(&text)) {
            words.push(text);
        }
    }
    // The wrapping around it ("dispatch failure: other") tells a person nothing.
    let from = words.iter().position(|word| word.contains("loading credentials")).filter(|_| credentials).unwrap_or(0);
    let words = words.split_off(from);
    Failure::new(if credentials { ErrorClass::Credentials } else { otherwise }, shortened(&words.join(": ")))
}

fn not_aws(raw: &HttpResponse) -> String {
    let status = raw.status().as_u16();
    let body = raw.body().bytes().unwrap_or_default();
    let start: String = String::from_utf8_lossy(body).split_whitespace().collect::<Vec<_>>().join(" ");
    let start: String = start.chars().take(ANSWER_CHARACTERS_MAX).collect();
    if start.is_empty() {
        return format!("HTTP status {status} and no answer in it, or one that broke off");
    }
    format!("HTTP status {status} with an answer that is not the AWS API's: `{start}`")
}

/// The first line, and no more of it than people read.
fn shortened(message: &str) -> String {
    let line = message.trim().lines().next().unwrap_or_default();
    let mut kept: String = line.chars().take(MESSAGE_CHARACTERS_MAX).collect();
    if kept.len() < line.len() {
        kept.push('…');
    }
    kept
}

/// Characters of a message that are kept. AWS's own are shorter, but for those that repeat the request.
const MESSAGE_CHARACTERS_MAX: usize = 600;

/// Characters of a foreign answer that are shown: enough to recognise a proxy's page.
const ANSWER_CHARACTERS_MAX: usize = 80;
