//! What denies a call, as AWS's own sentence says.
//!
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html>

use serde::Serialize;

/// What denies a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Denial {
    /// The role's own policies do not allow it.
    RolePolicy,
    /// The role's own policies deny it.
    RolePolicyDeny,
    /// The role's permissions boundary.
    Boundary,
    /// A service control policy of the organisation.
    ServiceControlPolicy,
    /// A resource control policy of the organisation.
    ResourceControlPolicy,
    /// The policy of what was called.
    ResourcePolicy,
    /// The policy of the session.
    SessionPolicy,
    /// The policy of a VPC endpoint on the way.
    EndpointPolicy,
    /// The policy of the KMS key that it is encrypted with, or the role's right to that key.
    KeyPolicy,
    /// AWS does not say.
    Unknown,
}

impl Denial {
    /// What denies a call that was refused with this code and message.
    pub fn of(code: Option<&str>, message: &str) -> Self {
        let text = message.to_ascii_lowercase();
        let about_key =
            code.is_some_and(|code| code.starts_with("KMS")) || text.contains("kms:") || text.contains(" kms ");
        let found = [
            ("service control policy", Self::ServiceControlPolicy),
            ("resource control policy", Self::ResourceControlPolicy),
            ("permissions boundary", Self::Boundary),
            ("vpc endpoint policy", Self::EndpointPolicy),
            ("session policy", Self::SessionPolicy),
            ("explicit deny in an identity-based policy", Self::RolePolicyDeny),
            ("identity-based policy", Self::RolePolicy),
            ("resource-based policy", Self::ResourcePolicy),
        ];
        let named = found.iter().find(|(words, _)| text.contains(words)).map(|(_, denial)| *denial);
        match named {
            // A role that lacks the right to a key is told in the same words as one that lacks any other.
            Some(Self::RolePolicy | Self::ResourcePolicy) | None if about_key => Self::KeyPolicy,
            Some(denial) => denial,
            None => Self::Unknown,
        }
    }

    /// What denies it, as a noun phrase.
    pub fn in_words(self) -> &'static str {
        match self {
            Self::RolePolicy => "the operator role does not have it",
            Self::RolePolicyDeny => "a policy of the operator role denies it",
            Self::Boundary => "the operator role's permissions boundary leaves it out",
            Self::ServiceControlPolicy => "a service control policy (SCP) of the organisation denies it",
            Self::ResourceControlPolicy => "a resource control policy (RCP) of the organisation denies it",
            Self::ResourcePolicy => "the policy of what was called denies it",
            Self::SessionPolicy => "the session's policy leaves it out",
            Self::EndpointPolicy => "the policy of a VPC endpoint on the way denies it",
            Self::KeyPolicy => "the KMS key's policy, or the operator role's right to that key, does not allow it",
            Self::Unknown => "AWS does not say what denies it",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn awss_sentences_name_what_denies() {
        let user = "User: arn:aws:sts::111111111111:assumed-role/operator/s is not authorized to perform: events:PutRule on resource: r";
        for (end, denial) in [
            ("because no identity-based policy allows the events:PutRule action", Denial::RolePolicy),
            ("with an explicit deny in an identity-based policy", Denial::RolePolicyDeny),
            ("because no permissions boundary allows the events:PutRule action", Denial::Boundary),
            ("with an explicit deny in a permissions boundary", Denial::Boundary),
            ("with an explicit deny in a service control policy", Denial::ServiceControlPolicy),
            ("because no service control policy allows the events:PutRule action", Denial::ServiceControlPolicy),
            ("with an explicit deny in a resource control policy", Denial::ResourceControlPolicy),
            ("because no resource-based policy allows the events:PutRule action", Denial::ResourcePolicy),
            ("because no session policy allows the events:PutRule action", Denial::SessionPolicy),
            ("with an explicit deny in a VPC endpoint policy", Denial::EndpointPolicy),
            ("", Denial::Unknown),
        ] {
            assert_eq!(Denial::of(Some("AccessDeniedException"), &format!("{user} {end}")), denial, "{end}");
        }
        let key = "User: x is not authorized to perform: kms:Decrypt on resource: k because no resource-based policy allows the kms:Decrypt action";
        assert_eq!(Denial::of(Some("AccessDeniedException"), key), Denial::KeyPolicy);
        assert_eq!(Denial::of(Some("KMSAccessDeniedException"), "The ciphertext refers to a key"), Denial::KeyPolicy);
        let by_scp = key.replace(
            "because no resource-based policy allows the kms:Decrypt action",
            "with an explicit deny in a service control policy",
        );
        assert_eq!(Denial::of(Some("AccessDeniedException"), &by_scp), Denial::ServiceControlPolicy);
    }
}
