//! Amazon Resource Names: reading, writing and the shapes that a topology is made of.
//!
//! Knows the five colon-separated parts of an ARN and the resource forms of buses, rules, archives, queues and
//! roles. It does not know whether anything so named exists.
//!
//! ```
//! use wheelwright::eventbridge::Arn;
//! let bus = Arn::bus("us-east-1", "111111111111", "org-events");
//! assert_eq!(bus.to_string(), "arn:aws:events:us-east-1:111111111111:event-bus/org-events");
//! assert_eq!(bus.bus_name(), Some("org-events"));
//! ```

use std::fmt;
use std::str::FromStr;

/// The bus that every account has in every Region, and that no rule ARN names.
pub const DEFAULT_BUS: &str = "default";

/// An Amazon Resource Name, `arn:partition:service:region:account:resource`.
///
/// The format is AWS's own: <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html>.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Arn {
    /// `aws`, `aws-cn`, `aws-us-gov` or one of the isolated partitions.
    pub partition: String,
    /// The service's ARN name: `events`, `sqs`, `iam`.
    pub service: String,
    /// The Region; empty for global services such as IAM.
    pub region: String,
    /// The twelve-digit account; empty for resources that belong to none.
    pub account: String,
    /// Everything after the fifth colon, which may hold further colons.
    pub resource: String,
}

impl Arn {
    /// The ARN of an event bus, `event-bus/<name>`, in the Region's own partition.
    #[must_use]
    pub fn bus(region: &str, account: &str, name: &str) -> Self {
        Self::regional("events", region, account, format!("event-bus/{name}"))
    }

    /// The ARN of a rule. On the default bus the bus is not named: `rule/<rule>`, elsewhere `rule/<bus>/<rule>`.
    /// <https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazoneventbridge.html>
    #[must_use]
    pub fn rule(region: &str, account: &str, bus: &str, rule: &str) -> Self {
        let resource = if bus == DEFAULT_BUS { format!("rule/{rule}") } else { format!("rule/{bus}/{rule}") };
        Self::regional("events", region, account, resource)
    }

    /// The ARN of an archive, `archive/<name>`.
    #[must_use]
    pub fn archive(region: &str, account: &str, name: &str) -> Self {
        Self::regional("events", region, account, format!("archive/{name}"))
    }

    /// The ARN of an SQS queue, whose resource is the bare name.
    #[must_use]
    pub fn queue(region: &str, account: &str, name: &str) -> Self {
        Self::regional("sqs", region, account, name.to_owned())
    }

    /// The ARN of an IAM role. IAM is global, so the partition has to be said (see [`partition_of_region`]).
    #[must_use]
    pub fn role(partition: &str, account: &str, name: &str) -> Self {
        Self::global("iam", partition, account, format!("role/{name}"))
    }

    /// The ARN that stands for a whole account in a policy: `arn:PARTITION:iam::ACCOUNT:root`.
    #[must_use]
    pub fn account_root(partition: &str, account: &str) -> Self {
        Self::global("iam", partition, account, "root".to_owned())
    }

    /// The bus's name when this is a bus ARN.
    #[must_use]
    pub fn bus_name(&self) -> Option<&str> {
        self.events_resource("event-bus/")
    }

    /// Bus and rule name when this is a rule ARN; the default bus where the ARN names none.
    ///
    /// A partner bus has slashes in its name and a rule never has, so the last slash parts them.
    #[must_use]
    pub fn bus_and_rule_name(&self) -> Option<(&str, &str)> {
        let resource = self.events_resource("rule/")?;
        Some(resource.rsplit_once('/').unwrap_or((DEFAULT_BUS, resource)))
    }

    /// The archive's name when this is an archive ARN.
    #[must_use]
    pub fn archive_name(&self) -> Option<&str> {
        self.events_resource("archive/")
    }

    /// The queue's name when this is a queue ARN.
    #[must_use]
    pub fn queue_name(&self) -> Option<&str> {
        (self.service == "sqs" && !self.resource.is_empty()).then_some(self.resource.as_str())
    }

    /// The role's name, without its path, when this is a role ARN.
    #[must_use]
    pub fn role_name(&self) -> Option<&str> {
        if self.service != "iam" {
            return None;
        }
        let path = self.resource.strip_prefix("role/")?;
        path.rsplit('/').next().filter(|name| !name.is_empty())
    }

    /// Whether this stands for a whole account (`…:root`).
    #[must_use]
    pub fn is_account_root(&self) -> bool {
        self.service == "iam" && self.resource == "root"
    }

    fn regional(service: &str, region: &str, account: &str, resource: String) -> Self {
        Self {
            partition: partition_of_region(region).to_owned(),
            service: service.to_owned(),
            region: region.to_owned(),
            account: account.to_owned(),
            resource,
        }
    }

    fn global(service: &str, partition: &str, account: &str, resource: String) -> Self {
        Self {
            partition: partition.to_owned(),
            service: service.to_owned(),
            region: String::new(),
            account: account.to_owned(),
            resource,
        }
    }

    fn events_resource(&self, kind: &str) -> Option<&str> {
        if self.service != "events" {
            return None;
        }
        self.resource.strip_prefix(kind).filter(|name| !name.is_empty())
    }
}

impl fmt::Display for Arn {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { partition, service, region, account, resource } = self;
        write!(formatter, "arn:{partition}:{service}:{region}:{account}:{resource}")
    }
}

impl FromStr for Arn {
    type Err = ArnError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut parts = text.splitn(6, ':');
        let mut next = || parts.next().unwrap_or_default().to_owned();
        let (scheme, partition, service, region, account, resource) = (next(), next(), next(), next(), next(), next());
        let fault = if scheme != "arn" {
            Some("it does not start with `arn:`")
        } else if partition.is_empty() {
            Some("it names no partition")
        } else if service.is_empty() {
            Some("it names no service")
        } else if resource.is_empty() {
            Some("it names no resource")
        } else {
            None
        };
        if let Some(fault) = fault {
            return Err(ArnError { text: text.to_owned(), fault });
        }
        Ok(Self { partition, service, region, account, resource })
    }
}

/// A text that is not an ARN.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not an ARN: {fault}; write arn:partition:service:region:account:resource")]
pub struct ArnError {
    /// What was read.
    pub text: String,
    /// What is missing from it.
    pub fault: &'static str,
}

/// The partition a Region belongs to. Regions that are not known to be elsewhere are in `aws`.
///
/// The prefixes are those of the SDKs' partition table:
/// <https://docs.aws.amazon.com/whitepapers/latest/aws-fault-isolation-boundaries/partitions.html>.
#[must_use]
pub fn partition_of_region(region: &str) -> &'static str {
    PARTITION_PREFIXES.iter().find(|(prefix, _)| region.starts_with(prefix)).map_or("aws", |(_, partition)| partition)
}

const PARTITION_PREFIXES: [(&str, &str); 8] = [
    ("cn-", "aws-cn"),
    ("us-gov-", "aws-us-gov"),
    ("us-isob-", "aws-iso-b"),
    ("us-isof-", "aws-iso-f"),
    ("eu-isoe-", "aws-iso-e"),
    ("us-iso-", "aws-iso"),
    ("eusc-", "aws-eusc"),
    ("eu-isob-", "aws-iso-b"),
];

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_rule_on_the_default_bus_names_no_bus() {
        let on_default = Arn::rule("us-east-1", "111111111111", "default", "r");
        let elsewhere = Arn::rule("us-east-1", "111111111111", "b", "r");
        assert_eq!(on_default.resource, "rule/r");
        assert_eq!(elsewhere.resource, "rule/b/r");
        assert_eq!(on_default.bus_and_rule_name(), Some(("default", "r")));
        assert_eq!(elsewhere.bus_and_rule_name(), Some(("b", "r")));
    }

    #[test]
    fn a_partner_bus_keeps_its_slashes() {
        let rule = Arn::rule("us-east-1", "111111111111", "aws.partner/x.com/1", "r");
        assert_eq!(rule.bus_and_rule_name(), Some(("aws.partner/x.com/1", "r")));
    }

    #[test]
    fn reading_what_was_written_gives_the_same() {
        for arn in [
            Arn::bus("cn-north-1", "111111111111", "b"),
            Arn::queue("us-gov-west-1", "111111111111", "q"),
            Arn::role("aws", "111111111111", "path/name"),
            Arn::archive("us-iso-east-1", "111111111111", "a"),
            Arn::account_root("aws-cn", "111111111111"),
        ] {
            assert_eq!(arn.to_string().parse::<Arn>().unwrap(), arn);
        }
    }

    #[test]
    fn a_resource_may_hold_colons() {
        let arn: Arn = "arn:aws:lambda:us-east-1:111111111111:function:f:live".parse().unwrap();
        assert_eq!(arn.resource, "function:f:live");
        assert_eq!(arn.bus_name(), None);
    }

    #[test]
    fn typed_names_are_only_given_for_their_own_kind() {
        let role: Arn = "arn:aws:iam::111111111111:role/team/deliver".parse().unwrap();
        assert_eq!(role.role_name(), Some("deliver"));
        assert_eq!(role.queue_name(), None);
        assert_eq!(role.bus_and_rule_name(), None);
        assert!(!role.is_account_root());
    }

    #[test]
    fn what_is_no_arn_says_why() {
        for (text, fault) in
            [("", "`arn:`"), ("arn", "partition"), ("arn:aws", "service"), ("arn:aws:events:us-east-1:1", "resource")]
        {
            let message = text.parse::<Arn>().unwrap_err().to_string();
            assert!(message.contains(fault), "{message}");
        }
    }

    #[test]
    fn each_region_is_in_its_partition() {
        assert_eq!(partition_of_region("eu-west-1"), "aws");
        assert_eq!(partition_of_region("cn-northwest-1"), "aws-cn");
        assert_eq!(partition_of_region("us-gov-east-1"), "aws-us-gov");
        assert_eq!(partition_of_region("us-iso-west-1"), "aws-iso");
        assert_eq!(partition_of_region("us-isob-east-1"), "aws-iso-b");
        assert_eq!(partition_of_region("eu-isoe-west-1"), "aws-iso-e");
    }
}
