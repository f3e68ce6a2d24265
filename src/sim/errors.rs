//! The errors that the simulated AWS answers, with AWS's own codes and texts.
//!
//! Knows how an error is worded; not when it applies. Texts follow recorded answers of the real service where there
//! are any. Where AWS's text is not known to us the constructor says so.

use super::Service;

/// Whose fault an error is, as the SDKs divide them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The caller's: HTTP status 4xx.
    Client,
    /// The service's: HTTP status 5xx.
    Server,
}

/// An error answer of AWS.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct AwsError {
    /// The error code, such as `ResourceNotFoundException`.
    pub code: String,
    /// The text, as AWS words it.
    pub message: String,
    /// The HTTP status.
    pub status: u16,
    /// Whose fault it is.
    pub fault: Fault,
}

impl AwsError {
    /// An error that the caller caused, HTTP status 400.
    #[must_use]
    pub fn client(code: &str, message: impl Into<String>) -> Self {
        Self { code: code.to_owned(), message: message.into(), status: 400, fault: Fault::Client }
    }

    /// An error of the service itself, HTTP status 500.
    #[must_use]
    pub fn internal() -> Self {
        Self {
            code: "InternalException".to_owned(),
            message: "An internal error occurred.".to_owned(),
            status: 500,
            fault: Fault::Server,
        }
    }

    pub(super) fn with_status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    pub(super) fn validation(message: impl Into<String>) -> Self {
        Self::client("ValidationException", message)
    }

    /// A refusal as each service codes it: the older protocols say `AccessDenied`, with status 403.
    pub(super) fn denied(service: Service, message: impl Into<String>) -> Self {
        match service {
            Service::EventBridge => Self::access_denied(message),
            Service::Sts | Service::Iam | Service::Sqs => Self::client("AccessDenied", message).with_status(403),
        }
    }

    pub(super) fn access_denied(message: impl Into<String>) -> Self {
        Self::client("AccessDeniedException", message)
    }

    pub(super) fn not_found(message: impl Into<String>) -> Self {
        Self::client("ResourceNotFoundException", message)
    }

    pub(super) fn already_exists(message: impl Into<String>) -> Self {
        Self::client("ResourceAlreadyExistsException", message)
    }

    pub(super) fn limit_exceeded() -> Self {
        Self::client("LimitExceededException", "The requested resource exceeds the maximum number allowed.")
    }

    pub(super) fn bus_not_found(name: &str) -> Self {
        Self::not_found(format!("Event bus {name} does not exist."))
    }

    pub(super) fn rule_not_found(rule: &str, bus: &str) -> Self {
        Self::not_found(format!("Rule {rule} does not exist on EventBus {bus}."))
    }

    pub(super) fn archive_not_found(name: &str) -> Self {
        Self::not_found(format!("Archive {name} does not exist."))
    }

    /// The code is AWS's; the text is ours.
    pub(super) fn managed_rule(rule: &str, managed_by: &str) -> Self {
        Self::client("ManagedRuleException", format!("Rule {rule} is managed by {managed_by}."))
    }

    pub(super) fn throttled() -> Self {
        Self::client("ThrottlingException", "Rate exceeded")
    }

    /// A key that the service does not know, or not in this Region.
    pub(super) fn unknown_key(service: Service) -> Self {
        let text = "The security token included in the request is invalid.";
        match service {
            Service::EventBridge => Self::client("UnrecognizedClientException", text),
            Service::Sts | Service::Iam | Service::Sqs => Self::client("InvalidClientTokenId", text).with_status(403),
        }
    }

    /// A session that is over.
    pub(super) fn expired_key(service: Service) -> Self {
        let text = "The security token included in the request is expired";
        match service {
            Service::EventBridge => Self::client("ExpiredTokenException", text),
            Service::Sts | Service::Iam | Service::Sqs => Self::client("ExpiredToken", text).with_status(403),
        }
    }

    pub(super) fn unknown_operation(operation: &str) -> Self {
        Self::client("UnknownOperationException", format!("The simulated AWS has no operation {operation}."))
    }
}
