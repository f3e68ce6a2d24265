//! An event on a bus, put with the daemon's own credentials: `source` is `wheelwright`, `detail-type` says what happened, `detail`
//! is the message as JSON, `resources` are the ARNs that it is about.
//!
//! <https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html>

use super::{Surroundings, Trouble, Unready, wire};
use crate::call::ErrorClass;
use crate::eventbridge::Arn;
use crate::model::alert::{Alert, AlertKind};
use aws_sdk_eventbridge::config::retry::{RetryConfig, RetryPartition};
use aws_sdk_eventbridge::config::timeout::TimeoutConfig;
use aws_sdk_eventbridge::config::{Builder, Region};
use aws_sdk_eventbridge::error::ProvideErrorMetadata as _;
use aws_sdk_eventbridge::types::PutEventsRequestEntry;
use aws_sdk_eventbridge::{Client, primitives::DateTime};
use std::collections::BTreeSet;

/// A bus, and the client of its Region.
pub(super) struct Bus {
    arn: String,
    client: Client,
}

impl Bus {
    pub(super) fn open(arn: &str, surroundings: &Surroundings) -> Result<Self, Unready> {
        let parsed = arn.parse::<Arn>().ok().filter(|arn| arn.bus_name().is_some() && !arn.region.is_empty());
        let Some(parsed) = parsed else {
            let why = format!("{arn:?} is not the ARN of a bus: arn:aws:events:REGION:ACCOUNT:event-bus/NAME");
            return Err(Unready::Arn(why));
        };
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(super::CONNECT_TIMEOUT)
            .operation_timeout(super::SEND_TIMEOUT)
            .build();
        let mut builder = Builder::from(&surroundings.config)
            .region(Region::new(parsed.region))
            .timeout_config(timeouts)
            // The message's keeper tries again.
            .retry_config(RetryConfig::standard().with_max_attempts(1))
            .retry_partition(RetryPartition::new("wheelwright/alerts"));
        if let Some(url) = &surroundings.endpoint_url {
            builder = builder.endpoint_url(url);
        }
        Ok(Self { arn: arn.to_owned(), client: Client::from_conf(builder.build()) })
    }
}

pub(super) async fn send(bus: &Bus, alert: &Alert) -> Result<(), Trouble> {
    let resources: BTreeSet<String> =
        alert.incidents.iter().filter_map(|incident| wire::arn(&incident.concern.subject)).collect();
    let entry = PutEventsRequestEntry::builder()
        .event_bus_name(&bus.arn)
        .source(SOURCE)
        .detail_type(detail_type(alert.kind))
        .time(DateTime::from_millis(i64::try_from(alert.at.0).unwrap_or_default()))
        .set_resources(Some(resources.into_iter().collect()))
        .detail(wire::within(DETAIL_BYTES_MAX, alert, &|alert| wire::message(alert).to_string()))
        .build();
    let answered = bus.client.put_events().entries(entry).send().await.map_err(|error| {
        let status = error.raw_response().map_or(0, |response| response.status().as_u16());
        let chain = super::http::chain(&error);
        refused(error.code(), error.message().unwrap_or(&chain), status)
    })?;
    // The call succeeds also where the entry does not.
    match answered.entries().iter().find(|entry| entry.error_code().is_some()) {
        Some(entry) => Err(refused(entry.error_code(), entry.error_message().unwrap_or_default(), 400)),
        None if answered.failed_entry_count() > 0 => Err(Trouble::later("events:PutEvents did not take the event")),
        None => Ok(()),
    }
}

fn refused(code: Option<&str>, said: &str, status: u16) -> Trouble {
    let named = code.unwrap_or("no answer");
    let why = format!("events:PutEvents {named}: {said}");
    match (code, ErrorClass::of_code(code.unwrap_or_default(), status)) {
        // AWS's own trouble comes in an entry under this name.
        (Some("InternalFailure" | "InternalException"), _) | (None, _) => Trouble::later(why),
        (_, ErrorClass::Throttled | ErrorClass::ServerError | ErrorClass::NoAnswer | ErrorClass::Credentials) => {
            Trouble::later(why)
        }
        _ => Trouble::never(why),
    }
}

fn detail_type(kind: AlertKind) -> &'static str {
    match kind {
        AlertKind::Raised => "Drift Raised",
        AlertKind::Mended => "Drift Mended",
        AlertKind::Reminder => "Drift Reminder",
        AlertKind::Resolved => "Drift Resolved",
    }
}

/// What rules match on.
const SOURCE: &str = "wheelwright";

/// 256 KB an entry, its other parts included: twenty ARNs, a few names.
const DETAIL_BYTES_MAX: usize = 200 * 1_024;
