//! What the oracle hears of one process: what it asks, what it is answered, faults and all, how fast it asks, and how old what it
//! was answered is when something is taken away.

use crate::oracle::{Check, Oracle};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;
use wheelwright::call::{Answer, Call, CallError, ErrorClass};
use wheelwright::model::ids::Scope;
use wheelwright::model::plan::PlanSettings;
use wheelwright::port::Fleet;
use wheelwright::reconcile::pace::Pace;

/// One process, as far as its calls tell.
#[derive(Clone)]
pub struct Hearing {
    oracle: Oracle,
    heard: Arc<Mutex<Heard>>,
    /// The pace that it should keep.
    pace: Option<Pace>,
    /// How old a reading may be that a break rests on.
    fresh: Duration,
    /// Whether it is told when a scope's reading has ended ([`Hearing::refresh_ended`]). If not, only listings of buses and
    /// rules count: what else is read may be a look before a write.
    told_of_ends: bool,
}

#[derive(Default)]
struct Heard {
    readings: BTreeMap<Scope, Reading>,
    /// Calls that a scope's pace still allowed at the time of the last one.
    left: BTreeMap<Scope, (f64, Instant)>,
}

/// What a sweep may take from its reading to its last break, slow answers and all.
const SWEEP_MAX: Duration = Duration::from_secs(300);

/// How far a scope's refresh got.
struct Reading {
    began: Instant,
    under_way: bool,
    /// Reads that failed or were not answered.
    failed: usize,
    /// Listings whose next page was not asked for, or did not come.
    open: BTreeSet<String>,
    /// When the reading before this one began, if that was read to its end and this one may be under way.
    whole_before: Option<Instant>,
}

impl Reading {
    /// One that begins now, after another.
    fn after(before: Option<&Self>) -> Self {
        let whole_before = before.and_then(|before| before.evidence().ok());
        Self { began: Instant::now(), under_way: true, failed: 0, open: BTreeSet::new(), whole_before }
    }

    /// When the latest reading began that something may rest on; or why there is none.
    fn evidence(&self) -> Result<Instant, String> {
        let Self { failed, open, .. } = self;
        match (failed, self.whole_before) {
            (0, _) if open.is_empty() => Ok(self.began),
            (0, Some(before)) => Ok(before),
            _ => Err(format!("{failed} reads failed, and these listings were not read to their ends: {open:?}")),
        }
    }

    /// Why nothing may be taken away on what was read, if it may not.
    fn doubt(&self, fresh: Duration) -> Option<String> {
        match self.evidence() {
            Err(why) => Some(why),
            Ok(began) if began.elapsed() > fresh + SWEEP_MAX => {
                let age = began.elapsed().as_secs();
                Some(format!("it was last read {age} s ago, and {} s is too long", fresh.as_secs()))
            }
            Ok(_) => None,
        }
    }
}

impl Hearing {
    /// A process that has read nothing yet.
    pub fn new(oracle: Oracle, pace: Option<Pace>) -> Self {
        let fresh = Duration::from_millis(PlanSettings::default().fresh_ms_max);
        Self { oracle, heard: Arc::default(), pace, fresh, told_of_ends: true }
    }

    /// One that sweeps for ever, and tells nobody when a reading of its ends.
    pub fn of_a_daemon(oracle: Oracle, pace: Option<Pace>, fresh: Duration) -> Self {
        Self { fresh, told_of_ends: false, ..Self::new(oracle, pace) }
    }

    fn heard(&self) -> MutexGuard<'_, Heard> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn asked(&self, scope: &Scope, call: &Call) {
        let mut heard = self.heard();
        if let Some(pace) = self.pace {
            self.ask_pace(&mut heard, scope, pace);
        }
        if let Call::ListEventBuses { next_token: None } = call {
            let mut reading = Reading::after(heard.readings.get(scope));
            if self.told_of_ends {
                reading.whole_before = None;
            }
            heard.readings.insert(scope.clone(), reading);
        }
        let takes_away =
            matches!(call, Call::RemovePermission { .. } | Call::RemoveTargets { .. } | Call::DeleteRule { .. });
        if takes_away {
            let doubt = match heard.readings.get(scope) {
                None => Some("it was not read".to_owned()),
                Some(reading) => reading.doubt(self.fresh),
            };
            if let Some(doubt) = doubt {
                self.oracle.violate(Check::BreakOnDoubt, format!("{call:?} in {scope}: {doubt}"));
            }
        }
        let Some(reading) = heard.readings.get_mut(scope).filter(|reading| reading.under_way) else { return };
        // Until it is answered it has failed: whoever gives up waiting for it knows no more than that.
        match self.listing(call) {
            Some(listing) => _ = reading.open.insert(listing),
            None if !self.told_of_ends => {}
            None if !call.is_write() => reading.failed += 1,
            None => {}
        }
    }

    /// A bucket of the pace's burst that fills at its rate: nobody may take more than is in it.
    fn ask_pace(&self, heard: &mut Heard, scope: &Scope, pace: Pace) {
        let (now, burst) = (Instant::now(), f64::from(pace.burst.get()));
        let (left, at) = heard.left.entry(scope.clone()).or_insert((burst, now));
        let grown = now.duration_since(*at).as_secs_f64() * f64::from(pace.calls_per_second.get());
        (*left, *at) = ((*left + grown).min(burst) - 1.0, now);
        // Clocks go in milliseconds.
        if *left < -0.1 {
            *left = burst;
            self.oracle.violate(Check::TooFast, format!("more calls than {pace:?} in {scope}"));
        }
    }

    fn answered(&self, scope: &Scope, call: &Call, answer: &Result<Answer, CallError>) {
        let mut heard = self.heard();
        let Some(reading) = heard.readings.get_mut(scope).filter(|reading| reading.under_way) else { return };
        match self.listing(call) {
            Some(listing) if answer.is_ok() && !goes_on(answer) => _ = reading.open.remove(&listing),
            Some(_) => reading.failed += usize::from(answer.is_err()),
            None if !self.told_of_ends => {}
            None if !call.is_write() => reading.failed -= usize::from(answer.is_ok() || says_gone(call, answer)),
            None => {}
        }
    }

    /// Which listing a call is a page of.
    fn listing(&self, call: &Call) -> Option<String> {
        match call {
            Call::ListEventBuses { .. } => Some("buses".to_owned()),
            Call::ListRules { bus, .. } => Some(format!("rules of {bus}")),
            Call::ListTargetsByRule { bus, rule, .. } if self.told_of_ends => Some(format!("targets of {bus}/{rule}")),
            Call::ListArchives { .. } if self.told_of_ends => Some("archives".to_owned()),
            _ => None,
        }
    }

    /// A scope's refresh has ended, well or not.
    pub fn refresh_ended(&self, scope: &Scope) {
        if let Some(reading) = self.heard().readings.get_mut(scope) {
            reading.under_way = false;
        }
    }
}

/// A fleet with somebody listening.
pub struct Overheard<F> {
    pub inner: F,
    pub hearing: Hearing,
}

impl<F: Fleet> Fleet for Overheard<F> {
    async fn call(&self, scope: &Scope, call: Call) -> Result<Answer, CallError> {
        self.hearing.asked(scope, &call);
        let answer = self.inner.call(scope, call.clone()).await;
        self.hearing.answered(scope, &call, &answer);
        answer
    }
}

/// That a rule which a listing had is gone by now is no failure.
fn says_gone(call: &Call, answer: &Result<Answer, CallError>) -> bool {
    let is_gone = matches!(answer, Err(error) if error.class == ErrorClass::NotFound);
    is_gone && matches!(call, Call::DescribeRule { .. })
}

fn goes_on(answer: &Result<Answer, CallError>) -> bool {
    match answer {
        Ok(Answer::Buses(page)) => page.next_token.is_some(),
        Ok(Answer::Rules(page)) => page.next_token.is_some(),
        Ok(Answer::Targets(page)) => page.next_token.is_some(),
        Ok(Answer::Archives(page)) => page.next_token.is_some(),
        _ => false,
    }
}
