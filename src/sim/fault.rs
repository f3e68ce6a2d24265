//! Faults around a [`Fleet`]: lost replies, throttles, cut listings, stale reads, answers that take long, crashes.
//!
//! Which call fails how is chosen by its number or by a seed, so a failing run can be run again. The decorator knows
//! nothing of what is behind it, but for stale reads: those need something to fork.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::call::{Answer, Call, CallError, ErrorClass};
use crate::model::ids::Scope;
use crate::port::Fleet;

/// What goes wrong with one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, strum::IntoStaticStr, strum::VariantArray)]
pub enum Fault {
    /// `ThrottlingException`; nothing happened.
    Throttle,
    /// HTTP 500; nothing happened.
    ServerError,
    /// It happened, and the answer was lost on the way.
    ReplyLost,
    /// It never got there.
    NotSent,
    /// A listing ends early: its next page fails. Other calls are left alone.
    CutPage,
    /// A read answers as things were before the last write; before there was one, as they were at an earlier time
    /// ([`FaultyFleet::with_earlier`]), the first time that it is asked. Writes are left alone, and so are reads where
    /// nothing of before is known.
    StaleRead,
    /// `AccessDeniedException`; nothing happened.
    Denied,
    /// `ExpiredTokenException`, as if the session had ended before its time; nothing happened.
    Expired,
    /// `ConcurrentModificationException` for a write; nothing happened.
    ConcurrentModification,
    /// `LimitExceededException` for a write: a quota that nobody knew of; nothing happened.
    QuotaExceeded,
    /// It takes [`SLOW`], and works.
    Slow,
    /// It happened, and the answer never came: the caller gives up after [`SLOW`].
    Hung,
    /// The process dies before the call: nothing happened, and every later call fails too.
    CrashBefore,
    /// The process dies after the call: it happened, nobody learns of it, and every later call fails too.
    CrashAfter,
}

/// How long a slow answer takes, on tokio's clock: as long as the shipped edge waits for one.
pub const SLOW: Duration = Duration::from_secs(20);

/// Which calls go wrong. Calls are numbered from 1 in the order they are made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Schedule {
    /// These calls, so.
    Script(BTreeMap<u64, Fault>),
    /// About this many in a thousand, one of these faults each.
    Seeded {
        /// Where the choices come from.
        seed: u64,
        /// Out of 1,000 calls.
        per_thousand: u64,
        /// The faults to choose from.
        faults: Vec<Fault>,
    },
}

impl Schedule {
    /// One fault at one call.
    #[must_use]
    pub fn once(call: u64, fault: Fault) -> Self {
        Self::Script(BTreeMap::from([(call, fault)]))
    }

    /// What goes wrong with the call of this number.
    #[must_use]
    pub fn fault(&self, call: u64) -> Option<Fault> {
        match self {
            Self::Script(script) => script.get(&call).copied(),
            Self::Seeded { seed, per_thousand, faults } => {
                let chance = splitmix64(seed.wrapping_add(call.wrapping_mul(2)));
                let choice = splitmix64(seed.wrapping_add(call.wrapping_mul(2) + 1));
                if chance % 1_000 >= *per_thousand || faults.is_empty() {
                    return None;
                }
                let place = usize::try_from(choice % faults.len() as u64).ok()?;
                faults.get(place).copied()
            }
        }
    }
}

/// A fleet whose calls go wrong as a schedule says.
pub struct FaultyFleet<F> {
    inner: F,
    schedule: Schedule,
    fork: Option<fn(&F) -> F>,
    calls: AtomicU64,
    crashed: AtomicBool,
    memory: Mutex<Memory<F>>,
}

struct Memory<F> {
    /// The fleet as it was before the last write.
    before_last_write: Option<F>,
    /// The fleet as it was some time before the first call.
    earlier: Option<F>,
    /// What was answered from that.
    told_of_earlier: BTreeSet<(Scope, String)>,
    /// Pages that fail when they are asked for.
    cut_tokens: BTreeSet<(Scope, String)>,
    /// What went wrong so far: call number, fault, action.
    happened: Vec<(u64, Fault, &'static str)>,
}

impl<F> Memory<F> {
    /// Whether a read can be answered as things were.
    fn has_a_past(&self, scope: &Scope, call: &Call) -> bool {
        let is_first = || !self.told_of_earlier.contains(&(scope.clone(), format!("{call:?}")));
        self.before_last_write.is_some() || (self.earlier.is_some() && is_first())
    }

    /// The fleet as it was, for a read that is told of it.
    fn past(&mut self, scope: &Scope, call: &Call) -> Option<&F> {
        if self.before_last_write.is_none() {
            self.told_of_earlier.insert((scope.clone(), format!("{call:?}")));
        }
        self.before_last_write.as_ref().or(self.earlier.as_ref())
    }
}

impl<F: Fleet> FaultyFleet<F> {
    /// `inner` with the faults of `schedule`.
    pub fn new(inner: F, schedule: Schedule) -> Self {
        let memory = Memory {
            before_last_write: None,
            earlier: None,
            told_of_earlier: BTreeSet::new(),
            cut_tokens: BTreeSet::new(),
            happened: Vec::new(),
        };
        Self {
            inner,
            schedule,
            fork: None,
            calls: AtomicU64::new(0),
            crashed: AtomicBool::new(false),
            memory: Mutex::new(memory),
        }
    }

    /// Lets [`Fault::StaleRead`] work: `fork` gives the fleet as it is, cut off from later writes.
    #[must_use]
    pub fn with_forks(mut self, fork: fn(&F) -> F) -> Self {
        self.fork = Some(fork);
        self
    }

    /// Lets a [`Fault::StaleRead`] befall the first looks, too: until something is written they answer as `earlier` does,
    /// which is cut off from what has happened since. Each read is so answered once, as what lags does not lag for ever.
    #[must_use]
    pub fn with_earlier(self, earlier: Option<F>) -> Self {
        self.memory().earlier = earlier;
        self
    }

    /// The fleet behind it.
    pub fn inner(&self) -> &F {
        &self.inner
    }

    /// How many calls were made.
    pub fn calls(&self) -> u64 {
        self.calls.load(Ordering::SeqCst)
    }

    /// Whether the process has died: what ran on this fleet is over, and a new one starts from what is there.
    pub fn has_crashed(&self) -> bool {
        self.crashed.load(Ordering::SeqCst)
    }

    /// What went wrong so far: call number, fault and IAM action.
    pub fn happened(&self) -> Vec<(u64, Fault, &'static str)> {
        self.memory().happened.clone()
    }

    fn memory(&self) -> MutexGuard<'_, Memory<F>> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The fault of this call, if it has one that can befall it.
    fn choose(&self, number: u64, scope: &Scope, call: &Call) -> Option<Fault> {
        let fault = self.schedule.fault(number)?;
        let possible = match fault {
            Fault::CutPage => token_of(call).is_none() && is_listing(call),
            Fault::StaleRead => !call.is_write() && self.memory().has_a_past(scope, call),
            Fault::ConcurrentModification | Fault::QuotaExceeded => call.is_write(),
            _ => true,
        };
        possible.then_some(fault)
    }

    async fn befall(&self, fault: Fault, scope: &Scope, call: Call) -> Result<Answer, CallError> {
        let error = |class, code: Option<&str>, message: &str| CallError {
            class,
            scope: scope.clone(),
            action: call.action().to_owned(),
            code: code.map(str::to_owned),
            message: message.to_owned(),
            request_id: None,
        };
        let lost = error(ErrorClass::NoAnswer, None, "injected: the reply was lost");
        match fault {
            Fault::Throttle => Err(error(ErrorClass::Throttled, Some("ThrottlingException"), "Rate exceeded")),
            Fault::ServerError => {
                Err(error(ErrorClass::ServerError, Some("InternalException"), "injected: an internal error"))
            }
            Fault::Denied => Err(error(ErrorClass::Denied, Some("AccessDeniedException"), "injected: denied")),
            Fault::Expired => Err(error(
                ErrorClass::Credentials,
                Some("ExpiredTokenException"),
                "The security token included in the request is expired",
            )),
            Fault::ConcurrentModification => Err(error(
                ErrorClass::ConcurrentModification,
                Some("ConcurrentModificationException"),
                "There is concurrent modification on a rule, target, archive, or replay.",
            )),
            Fault::QuotaExceeded => Err(error(
                ErrorClass::LimitExceeded,
                Some("LimitExceededException"),
                "injected: the requested resource exceeds the maximum number allowed",
            )),
            Fault::NotSent => Err(error(ErrorClass::NoAnswer, None, "injected: the request was not sent")),
            Fault::Slow => {
                take_long().await;
                self.pass(scope, call).await
            }
            Fault::Hung => {
                let _ = self.pass(scope, call).await;
                take_long().await;
                Err(lost)
            }
            Fault::ReplyLost => {
                let _ = self.pass(scope, call).await;
                Err(lost)
            }
            Fault::CrashBefore => Err(self.crash(scope, &call)),
            Fault::CrashAfter => {
                let crash = self.crash(scope, &call);
                let _ = self.pass(scope, call).await;
                Err(crash)
            }
            Fault::CutPage => {
                let answer = self.pass(scope, call).await?;
                if let Some(token) = next_token(&answer) {
                    self.memory().cut_tokens.insert((scope.clone(), token.to_owned()));
                }
                Ok(answer)
            }
            Fault::StaleRead => {
                let stale = self.fork.and_then(|fork| self.memory().past(scope, &call).map(fork));
                match stale {
                    Some(stale) => stale.call(scope, call).await,
                    None => self.pass(scope, call).await,
                }
            }
        }
    }

    async fn pass(&self, scope: &Scope, call: Call) -> Result<Answer, CallError> {
        if call.is_write()
            && let Some(fork) = self.fork
        {
            let before = fork(&self.inner);
            self.memory().before_last_write = Some(before);
        }
        self.inner.call(scope, call).await
    }

    fn crash(&self, scope: &Scope, call: &Call) -> CallError {
        self.crashed.store(true, Ordering::SeqCst);
        crashed_error(scope, call)
    }
}

impl<F: Fleet> Fleet for FaultyFleet<F> {
    async fn call(&self, scope: &Scope, call: Call) -> Result<Answer, CallError> {
        if self.has_crashed() {
            return Err(crashed_error(scope, &call));
        }
        let number = self.calls.fetch_add(1, Ordering::SeqCst) + 1;
        let cut =
            token_of(&call).is_some_and(|token| self.memory().cut_tokens.remove(&(scope.clone(), token.to_owned())));
        if cut {
            return self.befall(Fault::ServerError, scope, call).await;
        }
        match self.choose(number, scope, &call) {
            None => self.pass(scope, call).await,
            Some(fault) => {
                self.memory().happened.push((number, fault, call.action()));
                self.befall(fault, scope, call).await
            }
        }
    }
}

#[allow(clippy::disallowed_methods)] // The network's time, which no clock of ours is asked for.
async fn take_long() {
    tokio::time::sleep(SLOW).await;
}

fn crashed_error(scope: &Scope, call: &Call) -> CallError {
    CallError {
        class: ErrorClass::Other,
        scope: scope.clone(),
        action: call.action().to_owned(),
        code: None,
        message: "injected: the process has died".to_owned(),
        request_id: None,
    }
}

fn is_listing(call: &Call) -> bool {
    matches!(
        call,
        Call::ListEventBuses { .. }
            | Call::ListRules { .. }
            | Call::ListTargetsByRule { .. }
            | Call::ListArchives { .. }
    )
}

fn token_of(call: &Call) -> Option<&str> {
    match call {
        Call::ListEventBuses { next_token }
        | Call::ListRules { next_token, .. }
        | Call::ListTargetsByRule { next_token, .. }
        | Call::ListArchives { next_token, .. } => next_token.as_deref(),
        _ => None,
    }
}

fn next_token(answer: &Answer) -> Option<&str> {
    match answer {
        Answer::Buses(page) => page.next_token.as_deref(),
        Answer::Rules(page) => page.next_token.as_deref(),
        Answer::Targets(page) => page.next_token.as_deref(),
        Answer::Archives(page) => page.next_token.as_deref(),
        _ => None,
    }
}

/// Steele, Lea and Flood's splitmix64, whose output is a bijection of its input.
fn splitmix64(seed: u64) -> u64 {
    let mut mixed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}
