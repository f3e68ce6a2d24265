//! What a person does about a failed call: by what failed, why, and what AWS said of it.
//!
//! The words name what there is to change: a parameter of the templates in `deploy/cloudformation/`, a key of
//! `wheelwright.toml`, a quota by its code, or whose policy it is.

use super::{CallError, ErrorClass};

impl CallError {
    /// What to do about it, in a line.
    pub fn mend(&self) -> String {
        let said = self.message.to_ascii_lowercase();
        match self.class {
            ErrorClass::RoleRefused => self.role_refused(),
            ErrorClass::Denied => self.denied(&said),
            ErrorClass::Credentials => self.credentials(),
            ErrorClass::LimitExceeded => self.limit_exceeded(),
            class => class.mend().to_owned(),
        }
    }

    /// AWS says the same of a role that is not there, of one that does not trust us, and of a wrong external id.
    fn role_refused(&self) -> String {
        let account = self.scope.account;
        format!(
            "deploy deploy/cloudformation/member-global.yaml in {account}, with OperatorRoleName and ExternalId as in \
             wheelwright.toml and OperatorPrincipalArns with the role that this runs as; that role needs \
             sts:AssumeRole itself. A closed or suspended account refuses too"
        )
    }

    fn denied(&self, said: &str) -> String {
        let Self { action, scope, .. } = self;
        let account = scope.account;
        if said.contains("service control policy") {
            return format!(
                "a service control policy of the organisation denies {action} in {scope}: nothing in the account can \
                 allow it; ask who keeps the organisation's policies, or leave the account out there"
            );
        }
        if said.contains("permissions boundary") {
            return format!(
                "the role's permissions boundary does not allow {action}: widen it, or deploy member-global.yaml in \
                 {account} with another PermissionsBoundaryArn"
            );
        }
        if said.contains("kms:") || self.code.as_deref().is_some_and(|code| code.to_ascii_lowercase().contains("kms")) {
            return format!(
                "a bus there is encrypted with a key of the customer's, which the operator role may not use: name the \
                 key in KmsKeyArns of member-global.yaml in {account}, and let the role in by the key's own policy"
            );
        }
        if said.contains("iam:passrole") {
            return format!(
                "the operator role may not pass the delivery role: [delivery] role-name and DeliveryRoleName of \
                 member-global.yaml in {account} have to be one name"
            );
        }
        if said.contains("does not allow account") {
            return "the destination's policy does not let this account in: look what became of the grant there; the next \
                    sweep tries again"
                .to_owned();
        }
        match action.as_str() {
            "events:DeleteEventBus" | "events:DeleteArchive" => format!(
                "this is allowed for the day that it is needed: deploy member-global.yaml in {account} with AllowRetire=yes"
            ),
            action if writes(action) => format!(
                "deploy member-global.yaml of this version in {account}: it allows {action}, unless AllowWrites=no, on \
                 what is named as ours; look for an SCP or a bus policy that denies it, too"
            ),
            action => format!(
                "deploy member-global.yaml of this version in {account}: it allows {action}; look for an SCP that \
                 denies it, too"
            ),
        }
    }

    /// The role could be assumed, and a Region does not take its credentials; or there are none to begin with.
    fn credentials(&self) -> String {
        let Self { action, scope, code, .. } = self;
        let code = code.as_deref().unwrap_or_default();
        if action.starts_with("sts:") || code.is_empty() || code.starts_with("Expired") {
            return ErrorClass::Credentials.mend().to_owned();
        }
        format!(
            "{region} does not take the session's credentials: enable the Region in account {account} (aws account \
             enable-region --region-name {region}), or look whether this machine's clock is right",
            region = scope.region,
            account = scope.account
        )
    }

    fn limit_exceeded(&self) -> String {
        let Self { action, scope, code, .. } = self;
        // The codes: <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-quota.html>.
        let (what, quota) = match (action.as_str(), code.as_deref()) {
            ("events:CreateEventBus", _) => ("event buses", "L-658A4FD9"),
            (_, Some("PolicyLengthExceededException" | "PolicyLengthExceeded")) | ("events:PutPermission", _) => {
                ("characters of a bus's policy", "L-FC354966")
            }
            ("events:PutRule", _) => ("rules of a bus", "L-244521F2"),
            ("events:PutTargets", _) => {
                return "a rule takes 5 targets, and AWS does not raise that: remove others'".into();
            }
            _ => return ErrorClass::LimitExceeded.mend().to_owned(),
        };
        format!(
            "raise the quota of {what}: aws service-quotas request-service-quota-increase --service-code events \
             --quota-code {quota} --region {} --desired-value …; then write it into the hub's `quotas`",
            scope.region
        )
    }
}

/// Whether an action changes anything, by its name.
fn writes(action: &str) -> bool {
    let operation = action.split_once(':').map_or(action, |(_, operation)| operation);
    !["List", "Describe", "Get"].iter().any(|verb| operation.starts_with(verb))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::model::ids::Scope;

    fn mended(class: ErrorClass, action: &str, code: Option<&str>, message: &str) -> String {
        let scope = Scope::new("222222222222".parse().unwrap(), "eu-west-1");
        let (code, message, action) = (code.map(str::to_owned), message.to_owned(), action.to_owned());
        CallError { class, scope, action, code, message, request_id: None }.mend()
    }

    #[test]
    fn a_denial_names_whose_policy_it_is() {
        let denied =
            |action: &str, message: &str| mended(ErrorClass::Denied, action, Some("AccessDeniedException"), message);
        let role = "User: arn:aws:sts::222222222222:assumed-role/wheelwright-operator/wheelwright";
        let scp = format!(
            "{role} is not authorized to perform: events:ListRules with an explicit deny in a service control policy"
        );
        assert!(denied("events:ListRules", &scp).contains("service control policy of the organisation"));
        let key = format!(
            "{role} is not authorized to perform: kms:Decrypt on resource: arn:aws:kms:eu-west-1:222222222222:key/x"
        );
        assert!(denied("events:ListRules", &key).contains("KmsKeyArns"));
        let pass = format!("{role} is not authorized to perform: iam:PassRole on resource: x");
        assert!(denied("events:PutTargets", &pass).contains("DeliveryRoleName"));
        let plain =
            format!("{role} is not authorized to perform: events:PutRule because no identity-based policy allows it");
        assert!(denied("events:PutRule", &plain).contains("AllowWrites"));
        assert!(!denied("events:ListRules", "no").contains("AllowWrites"));
        assert!(denied("events:DeleteArchive", "no").contains("AllowRetire=yes"));
    }

    #[test]
    fn a_quota_is_named_by_its_code() {
        let limited = |action: &str| mended(ErrorClass::LimitExceeded, action, Some("LimitExceededException"), "no");
        assert!(limited("events:PutRule").contains("L-244521F2"));
        assert!(limited("events:CreateEventBus").contains("L-658A4FD9"));
        assert!(limited("events:PutTargets").contains("does not raise"));
    }

    #[test]
    fn a_region_that_is_off_is_not_taken_for_a_missing_sign_in() {
        let code = Some("UnrecognizedClientException");
        assert!(mended(ErrorClass::Credentials, "events:ListEventBuses", code, "no").contains("enable-region"));
        let code = Some("ExpiredTokenException");
        assert!(mended(ErrorClass::Credentials, "sts:AssumeRole", code, "no").contains("sign in again"));
    }
}
