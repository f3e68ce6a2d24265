//! Keeping below AWS's control-plane quota: a token bucket for each scope, around any fleet.
//!
//! AWS allows 50 control-plane calls a second for each account and Region, shared with everything else there
//! (<https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-quota.html>). Knows scopes and tokio's clock; it
//! does not know what a call does. Repeats that the SDK makes of its own accord pass it by.
//!
//! ```
//! use std::num::NonZeroU32;
//! use wheelwright::reconcile::pace::Pace;
//! let pace = Pace { calls_per_second: NonZeroU32::new(15).unwrap(), burst: NonZeroU32::new(30).unwrap() };
//! assert_eq!(pace.calls_at_most(10), 30 + 150);
//! ```

use crate::call::{Answer, Call, CallError};
use crate::model::ids::Scope;
use crate::port::{Fleet, SignIn, SignedIn};
use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Mutex as AsyncMutex;
use tokio::time::Instant;

/// How many calls a scope gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// Calls a second in the long run.
    pub calls_per_second: NonZeroU32,
    /// Calls that may go at once after a quiet time.
    pub burst: NonZeroU32,
}

impl Pace {
    /// The most calls that can start within any `seconds` seconds.
    pub fn calls_at_most(self, seconds: u32) -> u64 {
        u64::from(self.burst.get()) + u64::from(self.calls_per_second.get()) * u64::from(seconds)
    }

    /// The time in which one token grows.
    fn interval(self) -> Duration {
        Duration::from_secs(1) / self.calls_per_second.get()
    }
}

/// A fleet whose calls wait for their scope's turn.
///
/// Guarantees: within any window of `s` seconds at most [`Pace::calls_at_most`]`(s)` calls of a scope start; callers of
/// one scope are served in the order in which they came; scopes do not wait for each other; a caller that gives up
/// while it waits uses up nothing.
pub struct Paced<F> {
    fleet: F,
    usual: Pace,
    exceptions: BTreeMap<Scope, Pace>,
    buckets: Mutex<BTreeMap<Scope, Arc<AsyncMutex<Bucket>>>>,
}

impl<F> Paced<F> {
    /// `fleet` at the `usual` pace, but for the scopes among the `exceptions`.
    pub fn new(fleet: F, usual: Pace, exceptions: BTreeMap<Scope, Pace>) -> Self {
        Self { fleet, usual, exceptions, buckets: Mutex::default() }
    }

    /// The pace of `scope`.
    pub fn pace(&self, scope: &Scope) -> Pace {
        self.exceptions.get(scope).copied().unwrap_or(self.usual)
    }

    /// The fleet within.
    pub fn inner(&self) -> &F {
        &self.fleet
    }

    async fn turn(&self, scope: &Scope) {
        let pace = self.pace(scope);
        let bucket = {
            let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(buckets.entry(scope.clone()).or_insert_with(|| Arc::new(AsyncMutex::new(Bucket::full(pace)))))
        };
        // tokio's mutex is first come, first served. Whoever is first holds it while the token grows, so that nobody
        // overtakes; if it gives up, the token stays for the next.
        bucket.lock().await.take(pace).await;
    }
}

impl<F: Fleet> Fleet for Paced<F> {
    async fn call(&self, scope: &Scope, call: Call) -> Result<Answer, CallError> {
        self.turn(scope).await;
        self.fleet.call(scope, call).await
    }
}

impl<F: SignIn> SignIn for Paced<F> {
    /// STS has a quota of its own: signing in takes no turn.
    fn sign_in(&self, scope: &Scope) -> impl Future<Output = Result<SignedIn, CallError>> + Send {
        self.fleet.sign_in(scope)
    }
}

/// Whole tokens, and since when the next one grows.
struct Bucket {
    tokens: u32,
    growing_since: Instant,
}

impl Bucket {
    fn full(pace: Pace) -> Self {
        Self { tokens: pace.burst.get(), growing_since: Instant::now() }
    }

    async fn take(&mut self, pace: Pace) {
        self.grow(pace);
        while self.tokens == 0 {
            tokio::time::sleep_until(self.growing_since + pace.interval()).await;
            self.grow(pace);
        }
        self.tokens -= 1;
    }

    fn grow(&mut self, pace: Pace) {
        let now = Instant::now();
        let elapsed = now.saturating_duration_since(self.growing_since);
        let grown = elapsed.as_nanos() / pace.interval().as_nanos().max(1);
        let grown = u32::try_from(grown).unwrap_or(u32::MAX);
        let tokens = self.tokens.saturating_add(grown);
        if tokens >= pace.burst.get() {
            // A full bucket grows nothing: the time until somebody takes from it does not count.
            *self = Self { tokens: pace.burst.get(), growing_since: now };
        } else {
            *self = Self { tokens, growing_since: self.growing_since + pace.interval() * grown };
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use futures_util::future::join_all;

    /// Answers at once and keeps when it was asked, and by whom.
    #[derive(Default)]
    struct Clocked(Mutex<Vec<(Scope, String, Instant)>>);

    impl Fleet for Clocked {
        async fn call(&self, scope: &Scope, call: Call) -> Result<Answer, CallError> {
            let Call::DescribeEventBus { bus } = call else { return Ok(Answer::Done { request_id: None }) };
            self.0.lock().unwrap().push((scope.clone(), bus, Instant::now()));
            Ok(Answer::Done { request_id: None })
        }
    }

    impl Clocked {
        fn times(&self, scope: &Scope) -> Vec<Instant> {
            self.0.lock().unwrap().iter().filter(|(at, ..)| at == scope).map(|(.., time)| *time).collect()
        }
    }

    fn pace(calls_per_second: u32, burst: u32) -> Pace {
        let number = |number| NonZeroU32::new(number).unwrap();
        Pace { calls_per_second: number(calls_per_second), burst: number(burst) }
    }

    fn scope(account: &str) -> Scope {
        Scope::new(account.parse().unwrap(), "us-east-1")
    }

    fn call(name: &(impl ToString + ?Sized)) -> Call {
        Call::DescribeEventBus { bus: name.to_string() }
    }

    /// The most calls that started within any window of `length`.
    fn most_within(times: &[Instant], length: Duration) -> usize {
        let within = |start: &Instant| times.iter().filter(|time| *time >= start && **time < *start + length).count();
        times.iter().map(within).max().unwrap_or(0)
    }

    #[tokio::test(start_paused = true)]
    async fn a_scope_gets_its_burst_and_then_its_rate() {
        let fleet = Paced::new(Clocked::default(), pace(10, 5), BTreeMap::new());
        let here = scope("111111111111");
        let start = Instant::now();
        join_all((0..105).map(|number| fleet.call(&here, call(&number)))).await;
        // 5 at once, the other 100 at 10 a second. The clock's wheel turns in milliseconds.
        let taken = start.elapsed();
        assert!((Duration::from_secs(10)..Duration::from_millis(10_200)).contains(&taken), "{taken:?}");
        let times = fleet.inner().times(&here);
        assert_eq!(times.iter().filter(|time| **time == start).count(), 5);
        assert!(most_within(&times, Duration::from_secs(1)) as u64 <= pace(10, 5).calls_at_most(1));
        let later: Vec<_> = times.iter().copied().filter(|time| *time > start).collect();
        assert!(most_within(&later, Duration::from_secs(1)) <= 10);
    }

    #[tokio::test(start_paused = true)]
    async fn a_quiet_time_fills_the_bucket_and_no_further() {
        let fleet = Paced::new(Clocked::default(), pace(10, 5), BTreeMap::new());
        let here = scope("111111111111");
        join_all((0..5).map(|number| fleet.call(&here, call(&number)))).await;
        tokio::time::advance(Duration::from_secs(3_600)).await;
        let start = Instant::now();
        join_all((0..15).map(|number| fleet.call(&here, call(&number)))).await;
        assert_eq!(fleet.inner().times(&here).iter().filter(|time| **time == start).count(), 5);
        assert!(start.elapsed() >= Duration::from_secs(1));
    }

    #[tokio::test(start_paused = true)]
    async fn scopes_do_not_wait_for_each_other_and_each_has_its_own_pace() {
        let (slow, usual) = (scope("111111111111"), scope("222222222222"));
        let exceptions = BTreeMap::from([(slow.clone(), pace(1, 1))]);
        let fleet = Paced::new(Clocked::default(), pace(100, 1), exceptions);
        let start = Instant::now();
        let calls = (0..11).flat_map(|number| [(&slow, number), (&usual, number)]);
        join_all(calls.map(|(scope, number)| fleet.call(scope, call(&number)))).await;
        let last = |scope| fleet.inner().times(scope).last().copied().unwrap() - start;
        assert!(last(&slow) >= Duration::from_secs(10));
        assert!(last(&usual) < Duration::from_millis(200));
    }

    #[tokio::test(start_paused = true)]
    async fn callers_are_served_in_order_and_one_that_gives_up_costs_nothing() {
        let fleet = Paced::new(Clocked::default(), pace(1, 1), BTreeMap::new());
        let here = scope("111111111111");
        fleet.call(&here, call("first")).await.unwrap();
        let start = Instant::now();
        let hasty = tokio::time::timeout(Duration::from_millis(500), fleet.call(&here, call("hasty")));
        let (given_up, ..) = tokio::join!(hasty, fleet.call(&here, call("second")), fleet.call(&here, call("third")));
        assert!(given_up.is_err());
        let names: Vec<_> = fleet.inner().0.lock().unwrap().iter().map(|(_, name, _)| name.clone()).collect();
        assert_eq!(names, ["first", "second", "third"]);
        let taken = start.elapsed();
        assert!((Duration::from_secs(2)..Duration::from_millis(2_100)).contains(&taken), "{taken:?}");
    }
}
