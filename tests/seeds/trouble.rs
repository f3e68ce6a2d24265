//! What goes wrong during one sweep, by the seed.

use crate::rng::Rng;
use std::collections::BTreeMap;
use strum::VariantArray;
use wheelwright::sim::Service;
use wheelwright::sim::fault::{Fault, Schedule};
use wheelwright::sim::http_faults::{HttpFault, HttpFaultRule};

/// What goes wrong during one sweep.
#[derive(Clone, Debug)]
pub struct Trouble {
    /// Where what is not in the schedule comes from.
    pub seed: u64,
    pub schedule: Schedule,
    /// Of a hundred targets that are put or removed, those that AWS says it could not, in an answer of 200.
    pub failing_entries_percent: usize,
    /// Of a hundred writes, those that somebody else's write comes before.
    pub meddling_percent: usize,
    /// Whether quotas leave no room for what others add.
    pub tight: bool,
    /// What befalls requests on the wire, where there is one.
    pub http: Vec<HttpFaultRule>,
}

impl Trouble {
    pub fn none() -> Self {
        Self::only(Schedule::Script(BTreeMap::new()))
    }

    pub fn only(schedule: Schedule) -> Self {
        Self { seed: 1, schedule, failing_entries_percent: 0, meddling_percent: 0, tight: false, http: Vec::new() }
    }

    /// The first kinds of trouble that there were.
    pub fn plain(rng: &mut Rng) -> Self {
        let failing_entries_percent = if rng.chance(30) { 30 } else { 0 };
        let schedule = match rng.below(6) {
            0 => Schedule::once(rng.next() % 300 + 1, Fault::CrashBefore),
            1 => Schedule::once(rng.next() % 300 + 1, Fault::CrashAfter),
            2 => seeded(rng.next(), 30, &[Fault::ReplyLost, Fault::NotSent, Fault::ServerError]),
            3 => seeded(rng.next(), 20, &[Fault::CutPage, Fault::Throttle]),
            4 => seeded(
                rng.next(),
                8,
                &[
                    Fault::ReplyLost,
                    Fault::NotSent,
                    Fault::ServerError,
                    Fault::CutPage,
                    Fault::Throttle,
                    Fault::Denied,
                    Fault::CrashBefore,
                    Fault::CrashAfter,
                ],
            ),
            _ => seeded(rng.next(), 30, &[Fault::StaleRead]),
        };
        Self { failing_entries_percent, ..Self::only(schedule) }
    }

    /// More of it: slow answers and none, sessions that end, quotas, other writers.
    pub fn more(&mut self, rng: &mut Rng, tight: bool) {
        self.seed = rng.next();
        self.tight = tight;
        match rng.below(8) {
            0 => self.schedule = seeded(rng.next(), 10, &[Fault::Slow, Fault::Hung]),
            1 => self.schedule = seeded(rng.next(), 10, &[Fault::Expired, Fault::ConcurrentModification]),
            2 => self.schedule = seeded(rng.next(), 10, &[Fault::QuotaExceeded, Fault::Throttle]),
            3 => {
                let all = [
                    Fault::Throttle,
                    Fault::ServerError,
                    Fault::ReplyLost,
                    Fault::NotSent,
                    Fault::CutPage,
                    Fault::Denied,
                    Fault::Expired,
                    Fault::ConcurrentModification,
                    Fault::QuotaExceeded,
                    Fault::Slow,
                    Fault::Hung,
                    Fault::CrashAfter,
                ];
                self.schedule = seeded(rng.next(), 20, &all);
            }
            _ => {}
        }
        if rng.chance(30) {
            self.meddling_percent = rng.within(5, 30);
        }
    }

    /// What is read first is what was there before: all that the first calls read, or some of it.
    pub fn begin_stale(&mut self, rng: &mut Rng) {
        self.schedule = if rng.chance(50) {
            Schedule::Script((1..=rng.next() % 300 + 1).map(|call| (call, Fault::StaleRead)).collect())
        } else {
            seeded(rng.next(), *rng.pick(&[30, 300]), &[Fault::StaleRead])
        };
    }

    /// Whether reads can lie.
    pub fn lies(&self) -> bool {
        match &self.schedule {
            Schedule::Script(script) => script.values().any(|fault| *fault == Fault::StaleRead),
            Schedule::Seeded { faults, .. } => faults.contains(&Fault::StaleRead),
        }
    }

    /// Trouble on the wire, for the SDK to make sense of.
    pub fn on_the_wire(&mut self, rng: &mut Rng) {
        const OPERATIONS: [&str; 16] = [
            "ListEventBuses",
            "ListRules",
            "DescribeRule",
            "ListTargetsByRule",
            "ListArchives",
            "ListTagsForResource",
            "DescribeEventBus",
            "CreateEventBus",
            "UpdateEventBus",
            "PutPermission",
            "RemovePermission",
            "PutRule",
            "PutTargets",
            "RemoveTargets",
            "DeleteRule",
            "TagResource",
        ];
        for _ in 0..rng.within(1, 4) {
            let rule = HttpFaultRule::new(*rng.pick(HttpFault::VARIANTS));
            let rule = match rng.below(5) {
                0 => rule.on(Service::Sts, "AssumeRole"),
                1 => rule.of(Service::EventBridge),
                _ => rule.on(Service::EventBridge, rng.pick::<&str>(&OPERATIONS)),
            };
            let (after, times) = (u32::try_from(rng.below(12)).unwrap(), u32::try_from(rng.within(1, 8)).unwrap());
            let rule = rule.after(after).times(times);
            self.http.push(if rng.chance(40) { rule.taking_effect() } else { rule });
        }
    }
}

fn seeded(seed: u64, per_thousand: u64, faults: &[Fault]) -> Schedule {
    Schedule::Seeded { seed, per_thousand, faults: faults.to_vec() }
}
