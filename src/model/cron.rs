//! Times that come again, as cron writes them, in UTC: `0 18 * * FRI`.

use super::ids::Moment;
use chrono::{DateTime, Utc};
use croner::Cron;
use croner::parser::{CronParser, Seconds};
use serde::{Serialize, Serializer};
use std::fmt;
use std::str::FromStr;

/// Five fields: minute, hour, day of the month, month, day of the week.
#[derive(Clone)]
pub struct CronTimes {
    text: String,
    cron: Cron,
}

impl PartialEq for CronTimes {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for CronTimes {}

impl CronTimes {
    /// The latest of the times at or before `now`, if there was one.
    pub fn last_at_or_before(&self, now: Moment) -> Option<Moment> {
        let found = self.cron.find_previous_occurrence(&utc(now)?, true).ok()?;
        u64::try_from(found.timestamp_millis()).ok().map(Moment)
    }

    /// The first of the times after `now`, if there is one.
    pub fn next_after(&self, now: Moment) -> Option<Moment> {
        let found = self.cron.find_next_occurrence(&utc(now)?, false).ok()?;
        u64::try_from(found.timestamp_millis()).ok().map(Moment)
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

fn utc(moment: Moment) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp_millis(i64::try_from(moment.0).ok()?)
}

impl FromStr for CronTimes {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parser = CronParser::builder().seconds(Seconds::Disallowed).build();
        let cron = parser.parse(text).map_err(|error| error.to_string())?;
        Ok(Self { text: text.into(), cron })
    }
}

impl fmt::Display for CronTimes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for CronTimes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Serialize for CronTimes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn at(text: &str) -> Moment {
        Moment(u64::try_from(text.parse::<jiff::Timestamp>().unwrap().as_millisecond()).unwrap())
    }

    #[test]
    fn the_times_before_and_after_a_moment_are_found_in_utc() {
        let fridays: CronTimes = "0 18 * * FRI".parse().unwrap();
        let monday = at("2026-11-23T10:00:00Z");
        assert_eq!(fridays.last_at_or_before(monday), Some(at("2026-11-20T18:00:00Z")));
        assert_eq!(fridays.next_after(monday), Some(at("2026-11-27T18:00:00Z")));
        assert_eq!(fridays.last_at_or_before(at("2026-11-20T18:00:00Z")), Some(at("2026-11-20T18:00:00Z")));
    }

    #[test]
    fn what_is_no_five_fields_is_refused_with_words() {
        for bad in ["", "often", "* * * *", "0 0 0 * * *", "99 * * * *"] {
            assert!(bad.parse::<CronTimes>().is_err_and(|error| !error.is_empty()), "{bad}");
        }
    }
}
