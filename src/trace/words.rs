//! Verdicts as people read them: what keeps the event, in one line.

use super::{NotSent, Refusal, Verdict, Why};
use std::fmt;

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Taken => f.write_str("taken"),
            Self::Missed { at, why: Why::PutElsewhere } => write!(f, "the event does not come to {at}"),
            // It names the bus itself.
            Self::Missed { why: why @ Why::NotPut(_), .. } => write!(f, "{why}"),
            Self::Missed { at, why } => write!(f, "{at}: {why}"),
            Self::Unknown { at, why } => write!(f, "not known at {at}: {why}"),
        }
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PutElsewhere => f.write_str("the event does not come here"),
            Self::NotPut(why) | Self::NotSent(why) => write!(f, "{why}"),
            Self::NoRule => f.write_str("the rule is not there"),
            Self::Disabled(Some(stop)) => write!(f, "the rule is disabled: {stop}"),
            Self::Disabled(None) => f.write_str("the rule is disabled"),
            Self::NoPattern => f.write_str("the rule has no event pattern, it is a schedule"),
            Self::Pattern(mismatch) => write!(f, "{mismatch}"),
            Self::NoTarget(target) => write!(f, "the rule has no target {target}"),
            Self::Elsewhere(arn) => write!(f, "the target sends to {arn}"),
        }
    }
}

impl fmt::Display for NotSent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoBus(bus) => write!(f, "there is no bus {bus}"),
            Self::Refused(refusal) => write!(f, "{refusal}"),
            Self::NoRole => f.write_str("the target is a bus and names no role to send with"),
            Self::Hop(true) => {
                f.write_str("EventBridge forwards an event within a Region once, and this one was forwarded before")
            }
            Self::Hop(false) => {
                f.write_str("EventBridge forwards an event to another Region once, and this one was forwarded before")
            }
            Self::OtherRegion => f.write_str("the queue is in another Region than the bus"),
            Self::Unread(why) => f.write_str(why),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { bus, account, denied_by, unknown } = self;
        match denied_by.as_deref() {
            Some("") => write!(f, "a statement without a Sid in the policy of bus {bus} denies {account}")?,
            Some(sid) => write!(f, "statement `{sid}` in the policy of bus {bus} denies {account}")?,
            None => write!(f, "no statement in the policy of bus {bus} lets {account} in")?,
        }
        if unknown.is_empty() { Ok(()) } else { write!(f, " (not understood of it: {})", unknown.join(", ")) }
    }
}
