//! The simulated time.

use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::time::Instant;
use wheelwright::model::ids::Moment;
use wheelwright::port::Clock;
use wheelwright::sim::SimulatedAws;
use wheelwright::sim::call_door::SimFleet;

/// The world's own time, which whoever waits moves on; or tokio's, where more than one of them waits.
#[derive(Clone, Debug)]
pub struct SimClock {
    pub fleet: SimFleet,
    pub timeline: Option<Timeline>,
}

impl Clock for SimClock {
    fn now(&self) -> Moment {
        match self.timeline {
            Some(timeline) => Moment(timeline.now_ms()),
            None => Moment(u64::try_from(self.fleet.world().now_ms()).unwrap()),
        }
    }

    #[allow(clippy::disallowed_methods)] // Waiting has its name here.
    async fn wait_ms(&self, milliseconds: u64) {
        match self.timeline {
            Some(_) => tokio::time::sleep(Duration::from_millis(milliseconds)).await,
            None => self.fleet.world().advance_ms(i64::try_from(milliseconds).unwrap()),
        }
    }
}

/// The SDK signs by it, too.
impl aws_smithy_async::time::TimeSource for SimClock {
    fn now(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_millis(Clock::now(self).0)
    }
}

/// A simulated time that goes on with tokio's clock, which is paused but for waiting.
#[derive(Clone, Copy, Debug)]
pub struct Timeline {
    since: Instant,
    beginning_ms: u64,
}

impl Timeline {
    /// From the world's time as it is.
    pub fn from(aws: &SimulatedAws) -> Self {
        Self { since: Instant::now(), beginning_ms: u64::try_from(aws.now_ms()).unwrap() }
    }

    pub fn now_ms(&self) -> u64 {
        self.beginning_ms + u64::try_from(self.since.elapsed().as_millis()).unwrap()
    }

    pub fn set(&self, aws: &mut SimulatedAws) {
        aws.set_now_ms(i64::try_from(self.now_ms()).unwrap());
    }
}
