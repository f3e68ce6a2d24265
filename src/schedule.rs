//! Full sweeps at set times, in UTC: `[sweep] full-at`. The scheduler reads the machine's clock and only asks; the daemon's own
//! interval is behind it, so that a scheduler that fails costs time and nothing else.
//!
//! Layer 6.

use crate::daemon::{Command, Handle};
use crate::model::cron::CronTimes;
use std::collections::BTreeSet;
use tokio_cron_scheduler::{Job, JobScheduler, JobSchedulerError};

/// Asks for full sweeps at the times that the topology in force says, until the daemon ends.
pub async fn follow(mut handle: Handle) {
    let mut running: Option<(CronTimes, JobScheduler)> = None;
    loop {
        let times = handle.status().config.as_ref().and_then(|config| config.settings.sweep.full_at.clone());
        if times.as_ref() != running.as_ref().map(|(times, _)| times) {
            if let Some((_, mut scheduler)) = running.take()
                && let Err(error) = scheduler.shutdown().await
            {
                tracing::warn!(%error, "the old schedule could not be ended");
            }
            if let Some(times) = times {
                match start(&times, &handle).await {
                    Ok(scheduler) => running = Some((times, scheduler)),
                    Err(error) => tracing::error!(%error, %times, "full sweeps come by the interval alone"),
                }
            }
        }
        if !handle.changed().await {
            break;
        }
    }
}

async fn start(times: &CronTimes, handle: &Handle) -> Result<JobScheduler, JobSchedulerError> {
    let scheduler = JobScheduler::new().await?;
    let handle = handle.clone();
    // The scheduler's lines begin with seconds.
    let job = Job::new_async(format!("0 {times}"), move |_, _| {
        let handle = handle.clone();
        Box::pin(async move {
            _ = handle.tell(Command::Sweep { scopes: BTreeSet::new(), full: true }, SCHEDULE).await;
        })
    })?;
    scheduler.add(job).await?;
    scheduler.start().await?;
    Ok(scheduler)
}

/// Who asks.
pub const SCHEDULE: &str = "schedule";
