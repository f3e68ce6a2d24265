//! EventBridge's quotas, sizes and name rules, each with its unit and source.
//!
//! Knows numbers and spellings only. Whether a quota was raised for an account is the caller's to know: the functions
//! take the limit where it can be raised.
//!
//! ```
//! use wheelwright::eventbridge::quota;
//! assert_eq!(quota::rules_per_bus("eu-west-1"), 300);
//! assert!(quota::valid_rule_name("ww.payments").is_ok());
//! assert!(quota::valid_rule_name("no spaces").is_err());
//! ```

/// Event buses in one account and Region; can be raised.
/// <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-quota.html>
pub const BUSES_PER_SCOPE: usize = 100;

/// Rules on one bus in most Regions; can be raised. See [`rules_per_bus`].
/// <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-quota.html>
pub const RULES_PER_BUS: usize = 300;

/// Rules on one bus in the Regions of [`REGIONS_WITH_FEWER_RULES`].
/// <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-quota.html>
pub const RULES_PER_BUS_IN_SMALLER_REGIONS: usize = 100;

/// Regions whose default is [`RULES_PER_BUS_IN_SMALLER_REGIONS`].
/// <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-quota.html>
pub const REGIONS_WITH_FEWER_RULES: [&str; 2] = ["af-south-1", "eu-south-1"];

/// Rules with a wildcard in their pattern on one bus; cannot be raised.
/// <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-quota.html>
pub const WILDCARD_RULES_PER_BUS: usize = 30;

/// Targets of one rule; cannot be raised.
/// <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-quota.html>
pub const TARGETS_PER_RULE: usize = 5;

/// Characters of an event pattern; can be raised up to [`PATTERN_CHARACTERS_MAX`].
/// <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-quota.html>
pub const PATTERN_CHARACTERS: usize = 2_048;

/// Characters of an event pattern that the API takes at all.
/// <https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutRule.html>
pub const PATTERN_CHARACTERS_MAX: usize = 4_096;

/// Combinations that the `$or`s of one pattern may multiply to.
/// <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html>
pub const OR_COMBINATIONS_MAX: usize = 1_000;

/// Characters of a bus policy with its whitespace stripped; can be raised.
/// <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-quota.html>
pub const POLICY_CHARACTERS: usize = 10_240;

/// Calls a second to all control-plane actions together, in one account and Region.
/// <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-quota.html>
pub const CONTROL_PLANE_CALLS_PER_SECOND: usize = 50;

/// Entries of one page of any EventBridge list call.
/// <https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_ListRules.html>
pub const PAGE_ENTRIES_MAX: usize = 100;

/// Targets in one `PutTargets` or `RemoveTargets` request.
/// <https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutTargets.html>
pub const TARGETS_PER_REQUEST: usize = 10;

/// Entries of one `PutEvents` request.
/// <https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html>
pub const PUT_EVENTS_ENTRIES: usize = 10;

/// Bytes that the entries of one `PutEvents` request must stay below, counted by [`put_events_entry_size`].
/// <https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html>
pub const PUT_EVENTS_BYTES: usize = 1_048_576;

/// Bytes that the time of an entry counts for, if there is one.
/// <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-putevents.html#eb-putevent-size>
pub const PUT_EVENTS_TIME_BYTES: usize = 14;

/// Levels of nesting in an event's detail.
/// <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-putevents.html>
pub const EVENT_NESTING_LEVELS: usize = 1_000;

/// Characters of a bus's name.
/// <https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_CreateEventBus.html>
pub const BUS_NAME_CHARACTERS: usize = 256;

/// Characters of a rule's name.
/// <https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutRule.html>
pub const RULE_NAME_CHARACTERS: usize = 64;

/// Characters of a target's Id.
/// <https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_Target.html>
pub const TARGET_ID_CHARACTERS: usize = 64;

/// Characters of an archive's name.
/// <https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_CreateArchive.html>
pub const ARCHIVE_NAME_CHARACTERS: usize = 48;

/// Characters of a replay's name.
/// <https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_StartReplay.html>
pub const REPLAY_NAME_CHARACTERS: usize = 64;

/// Characters of a policy statement's id as `PutPermission` takes it.
/// <https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutPermission.html>
pub const STATEMENT_ID_CHARACTERS: usize = 64;

/// Characters of a description of a bus, rule or archive.
/// <https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutRule.html>
pub const DESCRIPTION_CHARACTERS: usize = 512;

/// Characters of a role's ARN.
/// <https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_Target.html>
pub const ROLE_ARN_CHARACTERS: usize = 1_600;

/// Characters of a target's constant input.
/// <https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_Target.html>
pub const TARGET_INPUT_CHARACTERS: usize = 8_192;

/// Delivery attempts that a retry policy may ask for, which is the default too.
/// <https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_RetryPolicy.html>
pub const RETRY_ATTEMPTS_MAX: u32 = 185;

/// Least age in seconds at which a retry policy may give an event up.
/// <https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_RetryPolicy.html>
pub const RETRY_AGE_SECONDS_MIN: u32 = 60;

/// Greatest age in seconds at which a retry policy may give an event up, which is the default too.
/// <https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_RetryPolicy.html>
pub const RETRY_AGE_SECONDS_MAX: u32 = 86_400;

/// Tags on one bus or rule.
/// <https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_TagResource.html>
pub const TAGS_PER_RESOURCE: usize = 50;

/// Characters of a tag's key.
/// <https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_Tag.html>
pub const TAG_KEY_CHARACTERS: usize = 128;

/// Characters of a tag's value.
/// <https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_Tag.html>
pub const TAG_VALUE_CHARACTERS: usize = 256;

/// Fewest and most characters of a role session's name.
/// <https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html>
pub const ROLE_SESSION_NAME_CHARACTERS: (usize, usize) = (2, 64);

/// Fewest and most characters of an external id.
/// <https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html>
pub const EXTERNAL_ID_CHARACTERS: (usize, usize) = (2, 1_224);

/// The default quota of rules on one bus in a Region.
#[must_use]
pub fn rules_per_bus(region: &str) -> usize {
    if REGIONS_WITH_FEWER_RULES.contains(&region) { RULES_PER_BUS_IN_SMALLER_REGIONS } else { RULES_PER_BUS }
}

/// The bytes that one `PutEvents` entry counts for: 14 for a time, and the UTF-8 bytes of source, detail-type, detail
/// and each resource. <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-putevents.html#eb-putevent-size>
#[must_use]
pub fn put_events_entry_size<'a>(
    has_time: bool,
    source: &str,
    detail_type: &str,
    detail: &str,
    resources: impl IntoIterator<Item = &'a str>,
) -> usize {
    let time = if has_time { PUT_EVENTS_TIME_BYTES } else { 0 };
    let resources: usize = resources.into_iter().map(str::len).sum();
    time + source.len() + detail_type.len() + detail.len() + resources
}

/// A name that AWS would refuse, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{name}` is not a valid {kind}: {fault}")]
pub struct NameError {
    /// What was given.
    pub name: String,
    /// What it was to name: `bus name`, `tag key`.
    pub kind: &'static str,
    /// What is wrong with it and what would be right.
    pub fault: String,
}

/// 1–256 characters of `/.-_A-Za-z0-9`. A slash, and the prefix `aws.`, are for partner buses, which AWS creates, so
/// both are refused here; `default` is taken as a name that can be referred to.
///
/// # Errors
/// Says which of these the name breaks.
/// <https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_CreateEventBus.html>
pub fn valid_bus_name(name: &str) -> Result<(), NameError> {
    let kind = "bus name";
    check(kind, name, (1, BUS_NAME_CHARACTERS), NAME_CHARACTERS, "`.`, `-`, `_`, letters and digits")?;
    refuse(kind, name, name.starts_with("aws."), "names that start with `aws.` are kept for partner buses")
}

/// 1–64 characters of `.-_A-Za-z0-9`.
///
/// # Errors
/// Says which of these the name breaks.
/// <https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutRule.html>
pub fn valid_rule_name(name: &str) -> Result<(), NameError> {
    check("rule name", name, (1, RULE_NAME_CHARACTERS), NAME_CHARACTERS, "`.`, `-`, `_`, letters and digits")
}

/// 1–64 characters of `.-_A-Za-z0-9`.
///
/// # Errors
/// Says which of these the Id breaks.
/// <https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_Target.html>
pub fn valid_target_id(name: &str) -> Result<(), NameError> {
    check("target Id", name, (1, TARGET_ID_CHARACTERS), NAME_CHARACTERS, "`.`, `-`, `_`, letters and digits")
}

/// 1–48 characters of `.-_A-Za-z0-9`.
///
/// # Errors
/// Says which of these the name breaks.
/// <https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_CreateArchive.html>
pub fn valid_archive_name(name: &str) -> Result<(), NameError> {
    check("archive name", name, (1, ARCHIVE_NAME_CHARACTERS), NAME_CHARACTERS, "`.`, `-`, `_`, letters and digits")
}

/// 1–64 characters of `-_A-Za-z0-9`.
///
/// # Errors
/// Says which of these the id breaks.
/// <https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutPermission.html>
pub fn valid_statement_id(name: &str) -> Result<(), NameError> {
    check("statement id", name, (1, STATEMENT_ID_CHARACTERS), "-_", "`-`, `_`, letters and digits")
}

/// Twelve digits.
///
/// # Errors
/// Says that twelve digits are wanted.
/// <https://docs.aws.amazon.com/accounts/latest/reference/manage-acct-identifiers.html>
pub fn valid_account_id(name: &str) -> Result<(), NameError> {
    let digits = name.len() == 12 && name.bytes().all(|byte| byte.is_ascii_digit());
    refuse("account id", name, !digits, "write twelve digits, in quotes so that leading zeros stay")
}

/// The shape of a Region's name, such as `us-gov-west-1`. New Regions appear, so no list is kept.
///
/// # Errors
/// Says what a Region's name looks like.
pub fn valid_region(name: &str) -> Result<(), NameError> {
    let parts: Vec<&str> = name.split('-').collect();
    let words = parts.len().saturating_sub(1);
    let fits = words >= 2
        && parts.iter().take(words).all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_lowercase()))
        && parts
            .last()
            .is_some_and(|part| !part.is_empty() && part.len() <= 2 && part.bytes().all(|byte| byte.is_ascii_digit()));
    refuse("Region", name, !fits, "write it like `eu-west-1`")
}

/// `o-` and 10–32 lower-case letters and digits.
///
/// # Errors
/// Says that this is wanted.
/// <https://docs.aws.amazon.com/organizations/latest/APIReference/API_Organization.html>
pub fn valid_organization_id(name: &str) -> Result<(), NameError> {
    let fits = name.strip_prefix("o-").is_some_and(|rest| {
        (10..=32).contains(&rest.len()) && rest.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
    });
    refuse("organization id", name, !fits, "write `o-` and 10 to 32 lower-case letters and digits")
}

/// 2–64 characters of `+=,.@-_A-Za-z0-9`.
///
/// # Errors
/// Says which of these the name breaks.
/// <https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html>
pub fn valid_role_session_name(name: &str) -> Result<(), NameError> {
    check("role session name", name, ROLE_SESSION_NAME_CHARACTERS, "+=,.@-_", "`+=,.@-_`, letters and digits")
}

/// 2–1,224 characters of `+=,.@:/-_A-Za-z0-9`.
///
/// # Errors
/// Says which of these the id breaks.
/// <https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html>
pub fn valid_external_id(name: &str) -> Result<(), NameError> {
    check("external id", name, EXTERNAL_ID_CHARACTERS, "+=,.@:/-_", "`+=,.@:/-_`, letters and digits")
}

/// 1–128 characters of letters, digits, spaces and `_.:/=+-@` in any script, not starting with `aws:`.
///
/// # Errors
/// Says which of these the key breaks.
/// <https://docs.aws.amazon.com/tag-editor/latest/userguide/best-practices-and-strats.html>
pub fn valid_tag_key(name: &str) -> Result<(), NameError> {
    let kind = "tag key";
    check_length(kind, name, (1, TAG_KEY_CHARACTERS))?;
    check_tag_characters(kind, name)?;
    let reserved = name.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("aws:"));
    refuse(kind, name, reserved, "keys that start with `aws:` are AWS's own")
}

/// 0–256 characters of letters, digits, spaces and `_.:/=+-@` in any script.
///
/// # Errors
/// Says which of these the value breaks.
/// <https://docs.aws.amazon.com/tag-editor/latest/userguide/best-practices-and-strats.html>
pub fn valid_tag_value(name: &str) -> Result<(), NameError> {
    check_length("tag value", name, (0, TAG_VALUE_CHARACTERS))?;
    check_tag_characters("tag value", name)
}

/// At most 512 characters.
///
/// # Errors
/// Says how long it is.
/// <https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutRule.html>
pub fn valid_description(name: &str) -> Result<(), NameError> {
    check_length("description", name, (0, DESCRIPTION_CHARACTERS))
}

fn check(
    kind: &'static str,
    name: &str,
    lengths: (usize, usize),
    punctuation: &str,
    allowed: &str,
) -> Result<(), NameError> {
    check_length(kind, name, lengths)?;
    match name.chars().find(|character| !character.is_ascii_alphanumeric() && !punctuation.contains(*character)) {
        Some(odd) => Err(fault(kind, name, format!("{odd:?} is not allowed; use {allowed}"))),
        None => Ok(()),
    }
}

fn check_length(kind: &'static str, name: &str, lengths: (usize, usize)) -> Result<(), NameError> {
    let (least, most) = lengths;
    let count = name.chars().count();
    if (least..=most).contains(&count) {
        return Ok(());
    }
    Err(fault(kind, name, format!("it has {count} characters; {least} to {most} are allowed")))
}

fn check_tag_characters(kind: &'static str, name: &str) -> Result<(), NameError> {
    match name
        .chars()
        .find(|character| !character.is_alphanumeric() && *character != ' ' && !"_.:/=+-@".contains(*character))
    {
        Some(odd) => {
            Err(fault(kind, name, format!("{odd:?} is not allowed; use letters, digits, spaces and `_.:/=+-@`")))
        }
        None => Ok(()),
    }
}

fn refuse(kind: &'static str, name: &str, refused: bool, why: &str) -> Result<(), NameError> {
    if refused {
        return Err(fault(kind, name, why.to_owned()));
    }
    Ok(())
}

fn fault(kind: &'static str, name: &str, fault: String) -> NameError {
    NameError { name: name.to_owned(), kind, fault }
}

const NAME_CHARACTERS: &str = ".-_";

#[cfg(test)]
mod tests {
    use super::*;

    fn accepts(check: fn(&str) -> Result<(), NameError>, good: &[&str], bad: &[&str]) {
        for name in good {
            assert_eq!(check(name), Ok(()), "{name}");
        }
        for name in bad {
            assert!(check(name).is_err(), "{name}");
        }
    }

    #[test]
    fn names_are_accepted_and_refused_as_aws_does() {
        let long = "x".repeat(65);
        let fits = "x".repeat(64);
        accepts(valid_bus_name, &["default", "org-events", "a.b_c", &long], &["", "a b", "aws.partner", "a/b", "é"]);
        accepts(valid_rule_name, &["ww.a.b", &fits], &["", &long, "a/b", "a:b"]);
        accepts(valid_target_id, &["ww", &fits], &["", &long]);
        accepts(valid_archive_name, &["ww-a"], &["", &"x".repeat(49)]);
        accepts(valid_statement_id, &["ww-a_1", &fits], &["", "a.b", &long]);
        accepts(valid_account_id, &["012345678901"], &["12345678901", "1234567890123", "12345678901x"]);
        accepts(
            valid_region,
            &["eu-west-1", "us-gov-east-1", "ap-southeast-10"],
            &["", "eu-west", "EU-west-1", "eu--1"],
        );
        accepts(valid_organization_id, &["o-a1b2c3d4e5"], &["o-a1", "a1b2c3d4e5", "o-A1b2c3d4e5"]);
        accepts(valid_role_session_name, &["ww@x", "ab"], &["a", "a b", &long]);
        accepts(valid_external_id, &["a:b/c"], &["a", "a b"]);
        accepts(valid_tag_key, &["wheelwright:owner", "équipe 1"], &["", "aws:x", "AWS:x", "a#b"]);
        accepts(valid_tag_value, &["", "#".trim_start_matches('#'), "a b@c"], &["#payments", &"x".repeat(257)]);
        accepts(valid_description, &["", &"é".repeat(512)], &[&"x".repeat(513)]);
    }

    #[test]
    fn a_refusal_says_what_would_be_right() {
        let message = valid_rule_name("a b").map_err(|error| error.to_string());
        assert_eq!(
            message,
            Err("`a b` is not a valid rule name: ' ' is not allowed; use `.`, `-`, `_`, letters and digits".to_owned())
        );
    }

    #[test]
    fn an_entry_counts_bytes_not_characters() {
        assert_eq!(put_events_entry_size(true, "é", "t", "{}", ["ab", "c"]), 14 + 2 + 1 + 2 + 3);
        assert_eq!(put_events_entry_size(false, "s", "t", "{}", []), 4);
    }

    #[test]
    fn two_regions_have_fewer_rules() {
        assert_eq!(rules_per_bus("af-south-1"), 100);
        assert_eq!(rules_per_bus("eu-south-1"), 100);
        assert_eq!(rules_per_bus("eu-south-2"), 300);
    }
}
