//! The machine's clock.

use crate::model::ids::Moment;
use crate::port::Clock;
use std::time::{Duration, SystemTime};

/// The time of day as the machine has it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct MachineClock;

impl Clock for MachineClock {
    #[allow(clippy::disallowed_methods)] // This is the one real clock that the rest is given.
    fn now(&self) -> Moment {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Moment(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }

    #[allow(clippy::disallowed_methods)] // Waiting has its name here.
    async fn wait_ms(&self, milliseconds: u64) {
        tokio::time::sleep(Duration::from_millis(milliseconds)).await;
    }
}
