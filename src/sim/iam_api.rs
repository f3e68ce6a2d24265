//! IAM's API, as far as somebody asks it how a role is set up: GetRole.
//!
//! IAM is one service for all Regions. A trust policy comes as IAM gives it: JSON, percent-encoded.
//!
//! <https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetRole.html>

use serde_json::{Value, json};

use super::errors::AwsError;
use super::iam::{Role, Trusted};
use super::request::{Constraints, ROLE_NAME, Request};
use super::sts::timestamp_text;
use super::{Service, SimulatedAws};
use crate::eventbridge::{Arn, partition_of_region};

impl SimulatedAws {
    pub(super) fn dispatch_iam(&self, request: &Request<'_>) -> Result<Value, AwsError> {
        match request.operation {
            "GetRole" => self.get_role(request),
            other => Err(AwsError::unknown_operation(other)),
        }
    }

    fn get_role(&self, request: &Request<'_>) -> Result<Value, AwsError> {
        let name = request.text("RoleName");
        let mut constraints = Constraints::default();
        constraints.required("roleName", name).length("roleName", name, 1, 64).characters("roleName", name, ROLE_NAME);
        constraints.check().map_err(|error| AwsError::client("ValidationError", error.message))?;
        let name = name.unwrap_or_default();
        let account = request.account();
        let found = self.role(account, name);
        let arn = found.map_or_else(|| Arn::role("aws", account, name).to_string(), |role| role.arn(account));
        self.authorize(request, "iam:GetRole", &arn)?;
        let role = found.ok_or_else(|| {
            AwsError::client("NoSuchEntity", format!("The role with name {name} cannot be found.")).with_status(404)
        })?;
        Ok(json!({"Role": {
            "Path": role.path,
            "RoleName": role.name,
            "RoleId": role.unique_id,
            "Arn": arn,
            "CreateDate": timestamp_text(role.created_ms),
            "AssumeRolePolicyDocument": percent_encoded(&self.trust_policy(role).to_string()),
            "MaxSessionDuration": role.max_session_seconds,
        }}))
    }

    /// The trust policy: one statement for each that is trusted. Accounts and roles may have to give an external id,
    /// services to act for an account.
    fn trust_policy(&self, role: &Role) -> Value {
        let external_id = || role.external_id.as_ref().map(|id| json!({"sts:ExternalId": id}));
        let statements: Vec<Value> = role
            .trusts
            .iter()
            .map(|trusted| {
                let (principal, demanded) = match trusted {
                    Trusted::Account(account) => {
                        (json!({"AWS": Arn::account_root("aws", account).to_string()}), external_id())
                    }
                    Trusted::Role(account, name) => {
                        let arn = self.role(account, name).map(|role| role.arn(account));
                        let arn = arn.unwrap_or_else(|| Arn::role("aws", account, name).to_string());
                        (json!({"AWS": arn}), external_id())
                    }
                    Trusted::Deleted(unique_id) => (json!({"AWS": unique_id}), external_id()),
                    Trusted::Service(service) => {
                        let account = role.source_account.as_ref().map(|account| json!({"aws:SourceAccount": account}));
                        (json!({"Service": service}), account)
                    }
                };
                let mut statement = json!({"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"});
                if let (Some(demanded), Some(members)) = (demanded, statement.as_object_mut()) {
                    members.insert("Condition".to_owned(), json!({"StringEquals": demanded}));
                }
                statement
            })
            .collect();
        json!({"Version": "2012-10-17", "Statement": statements})
    }
}

/// The Region that requests to IAM are signed for: it has one endpoint in each partition.
/// <https://docs.aws.amazon.com/general/latest/gr/iam-service.html>
pub(super) fn signing_region(region: &str) -> &'static str {
    match partition_of_region(region) {
        "aws-cn" => "cn-north-1",
        "aws-us-gov" => "us-gov-west-1",
        _ => "us-east-1",
    }
}

/// Refuses a request to IAM that is signed for another Region than IAM's.
pub(super) fn check_signing_region(service: Service, region: &str) -> Result<(), AwsError> {
    if service != Service::Iam || region == signing_region(region) {
        return Ok(());
    }
    Err(AwsError::client("SignatureDoesNotMatch", "Credential should be scoped to a valid region.").with_status(403))
}

/// RFC 3986: everything but letters, digits and `-_.~` as `%XX`.
fn percent_encoded(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => char::from(byte).to_string(),
            other => format!("%{other:02X}"),
        })
        .collect()
}
