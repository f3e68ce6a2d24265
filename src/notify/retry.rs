//! When a message that was not brought is tried again, and when it is given up. Pure: time and chance are given.

use super::SendError;
use crate::model::ids::Moment;

/// What becomes of a message after an attempt that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// It is tried again then.
    At(Moment),
    /// It is dropped, for this reason. Say so in the log ([`super::dropped`]).
    Dropped(String),
}

/// After `attempts` attempts, the first of which was made (or should have been) at `first`, and the last of which ended at `now`
/// with `error`. `random` is any number: the wait is a half and up to another half of the step, so that what failed together does not
/// come back together.
pub fn next(error: &SendError, attempts: u32, first: Moment, now: Moment, random: u64) -> Next {
    let after_ms = match error {
        SendError::Never { why, .. } => return Next::Dropped(why.clone()),
        SendError::Later { after_ms, .. } => after_ms.unwrap_or_default(),
    };
    let step_ms = 1_u64
        .checked_shl(attempts.saturating_sub(1))
        .map_or(STEP_MS_MAX, |times| STEP_MS_FIRST.saturating_mul(times).min(STEP_MS_MAX));
    let half_ms = step_ms / 2;
    let jitter_ms = random % (half_ms + 1);
    let at = now.plus_ms((half_ms + jitter_ms).max(after_ms.saturating_add(jitter_ms)));
    if at.millis_since(first) > KEPT_MS_MAX {
        return Next::Dropped(format!(
            "given up after {attempts} attempts in {} hours: {error}",
            KEPT_MS_MAX / 3_600_000
        ));
    }
    Next::At(at)
}

/// The first step: a restart of the receiver takes seconds.
const STEP_MS_FIRST: u64 = 5_000;

/// The longest step: what was mended at the receiver is used within so long.
const STEP_MS_MAX: u64 = 15 * 60_000;

/// After a day a message is about a world that is gone, and reminders tell what is still so.
const KEPT_MS_MAX: u64 = 24 * 3_600_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn later(after_ms: Option<u64>) -> SendError {
        SendError::Later { channel: "chat".into(), why: "the receiver answered 503".into(), after_ms }
    }

    #[test]
    fn waits_grow_to_a_cap_and_end_after_a_day() {
        let start = Moment(1_000_000);
        let wait = |attempts, random| match next(&later(None), attempts, start, start, random) {
            Next::At(at) => at.millis_since(start),
            Next::Dropped(why) => unreachable!("{why}"),
        };
        assert_eq!((wait(1, 0), wait(1, 2_500), wait(2, 0), wait(5, 0)), (2_500, 5_000, 5_000, 40_000));
        assert_eq!((wait(100, 0), wait(u32::MAX, 450_000)), (450_000, 900_000));
        assert!((0..2_000).all(|random| (2_500..=5_000).contains(&wait(1, random * 7_919))));
        let day_later = start.plus_ms(24 * 3_600_000);
        let Next::Dropped(why) = next(&later(None), 108, start, day_later, 0) else { unreachable!("tried for ever") };
        assert_eq!(why, "given up after 108 attempts in 24 hours: alert channel chat: the receiver answered 503");
    }

    #[test]
    fn a_receiver_that_asks_for_time_gets_it_and_a_refusal_ends_it() {
        let now = Moment(1_000_000);
        assert_eq!(next(&later(Some(60_000)), 1, now, now, 0), Next::At(now.plus_ms(60_000)));
        assert_eq!(next(&later(Some(10)), 1, now, now, 0), Next::At(now.plus_ms(2_500)));
        let never = SendError::Never { channel: "chat".into(), why: "the receiver answered 404".into() };
        assert_eq!(next(&never, 1, now, now, 0), Next::Dropped("the receiver answered 404".into()));
    }
}
