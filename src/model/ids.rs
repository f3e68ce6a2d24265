//! Parsed identifiers: a value of one of these types is well formed, so nothing below checks again.
//!
//! ```
//! use wheelwright::model::ids::{AccountId, Scope};
//! let account: AccountId = "111111111111".parse()?;
//! let scope = Scope::new(account, "us-east-1");
//! assert_eq!(scope.to_string(), "111111111111/us-east-1");
//! # Ok::<(), wheelwright::model::ids::IdError>(())
//! ```

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// Why a text is not the identifier that it was taken for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not {expected}")]
pub struct IdError {
    /// The text as it was given.
    pub text: String,
    /// What it should have been, as a noun phrase with its rule.
    pub expected: &'static str,
}

/// An AWS account id: 12 digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountId(u64);

impl FromStr for AccountId {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        let error = || IdError { text: text.into(), expected: "an AWS account id: 12 digits, in quotes" };
        if text.len() != 12 || !text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(error());
        }
        text.parse().map(Self).map_err(|_| error())
    }
}

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:012}", self.0)
    }
}

impl fmt::Debug for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for AccountId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for AccountId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// An AWS Region's name, as `us-east-1`. Cheap to clone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Region(Arc<str>);

impl Region {
    /// The Region of this name. Whether AWS has such a Region is the config checker's question.
    pub fn new(name: &str) -> Self {
        Self(name.into())
    }

    /// The name, as AWS writes it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The partition that the Region is in, as ARNs have it: `aws`, `aws-cn`, `aws-us-gov`, ….
    pub fn partition(&self) -> &'static str {
        crate::eventbridge::arn::partition_of_region(&self.0)
    }
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One account in one Region: the unit of observation, of rate limits and of failure.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Scope {
    /// The account.
    pub account: AccountId,
    /// The Region.
    pub region: Region,
}

impl Scope {
    /// The scope of `account` in the Region named `region`.
    pub fn new(account: AccountId, region: &str) -> Self {
        Self { account, region: Region::new(region) }
    }
}

impl FromStr for Scope {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        let error = || IdError { text: text.into(), expected: "a scope: ACCOUNT/REGION, like 111111111111/us-east-1" };
        let (account, region) = text.split_once('/').ok_or_else(error)?;
        crate::eventbridge::quota::valid_region(region).map_err(|_| error())?;
        Ok(Self::new(account.parse().map_err(|_| error())?, region))
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.account, self.region)
    }
}

impl fmt::Debug for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Longest name of an account, hub, team, spoke, publication or subscription, in characters.
///
/// A rule's name is at most 64 characters and carries a team's and a subscription's name, so longer ones would be cut
/// there; a statement's id is too, and carries the operator's name beside an account id and a digest: 39 are left.
pub const NAME_CHARACTERS_MAX: usize = 39;

macro_rules! names {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(into = "String", try_from = "String")]
        pub struct $name(Arc<str>);

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.as_str().to_owned()
            }
        }

        impl TryFrom<String> for $name {
            type Error = IdError;
            fn try_from(text: String) -> Result<Self, IdError> {
                text.parse()
            }
        }

        impl $name {
            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                if is_name(text) {
                    Ok(Self(text.into()))
                } else {
                    Err(IdError { text: text.into(), expected: NAME_RULE })
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )*};
}

names! {
    /// An account's name in the roster, as `payments-prod`.
    AccountName;
    /// A hub's name, as `prod`.
    HubName;
    /// A team's name, as `payments`.
    TeamName;
    /// A spoke's name within its team.
    SpokeName;
    /// A publication's name within its team.
    PublicationName;
    /// A subscription's (or audit's, or collection's) name within its team.
    SubscriptionName;
    /// Who owns what we write: the operator's name in marks, so that two operators leave each other alone.
    Owner;
}

impl Default for Owner {
    /// The owner where the settings name none.
    fn default() -> Self {
        Self("wheelwright".into())
    }
}

const NAME_RULE: &str = "a name: 1 to 39 lower-case letters, digits and hyphens, a letter or digit first and last";

fn is_name(text: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = text.as_bytes();
    (1..=NAME_CHARACTERS_MAX).contains(&bytes.len())
        && bytes.iter().all(|&byte| inner(byte) || byte == b'-')
        && bytes.first().copied().is_some_and(inner)
        && bytes.last().copied().is_some_and(inner)
}

/// A publication across the organisation, as `payments.settlements`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PublicationId {
    /// The team that publishes.
    pub team: TeamName,
    /// The publication's name within it.
    pub name: PublicationName,
}

impl FromStr for PublicationId {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        let error = || IdError { text: text.into(), expected: "a publication: `team.publication`" };
        let (team, name) = text.split_once('.').ok_or_else(error)?;
        Ok(Self { team: team.parse().map_err(|_| error())?, name: name.parse().map_err(|_| error())? })
    }
}

impl fmt::Display for PublicationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.team, self.name)
    }
}

impl Serialize for PublicationId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A subscription across the organisation, as `ledger.large`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SubscriptionId {
    /// The team that subscribes.
    pub team: TeamName,
    /// The subscription's name within it.
    pub name: SubscriptionName,
}

impl FromStr for SubscriptionId {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        let error = || IdError { text: text.into(), expected: "a subscription: `team.subscription`" };
        let (team, name) = text.split_once('.').ok_or_else(error)?;
        Ok(Self { team: team.parse().map_err(|_| error())?, name: name.parse().map_err(|_| error())? })
    }
}

impl fmt::Display for SubscriptionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.team, self.name)
    }
}

impl<'de> Deserialize<'de> for SubscriptionId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl Serialize for SubscriptionId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A moment, in whole milliseconds since 1970-01-01T00:00:00Z. Given by whoever has a clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Moment(pub u64);

impl Moment {
    /// How long after `earlier` this is, in milliseconds; 0 if it is not after.
    pub fn millis_since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }

    /// So many milliseconds later.
    #[must_use]
    pub fn plus_ms(self, milliseconds: u64) -> Self {
        Self(self.0.saturating_add(milliseconds))
    }
}

impl fmt::Display for Moment {
    /// The time of day in UTC, to the second: `2026-11-24T06:00:00Z`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = i64::try_from(self.0 / 1_000).unwrap_or(i64::MAX);
        match jiff::Timestamp::from_second(seconds) {
            Ok(time) => write!(f, "{time}"),
            // Beyond the year 9999: a number is all that there is to say.
            Err(_) => write!(f, "{} ms", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn account_ids_keep_their_leading_zeros() {
        let account: AccountId = "000000000042".parse().unwrap();
        assert_eq!(account.to_string(), "000000000042");
        for bad in ["", "42", "11111111111a", "+11111111111", "1111111111111"] {
            assert!(bad.parse::<AccountId>().is_err(), "{bad}");
        }
    }

    #[test]
    fn names_are_what_a_rule_name_can_carry() {
        for good in ["a", "payments-prod", "p2", "0"] {
            assert!(good.parse::<TeamName>().is_ok(), "{good}");
        }
        for bad in ["", "-a", "a-", "A", "a.b", "a_b", "é", &"a".repeat(40)] {
            assert!(bad.parse::<TeamName>().is_err(), "{bad}");
        }
    }
}
