//! The event that the story follows.

use crate::sim::EventEntry;
use serde_json::json;
use std::collections::BTreeSet;

/// A settled payment; `mark` tells it from others in a queue.
pub(super) fn settled(mark: &str) -> EventEntry {
    let detail = json!({"payment": format!("demo-{mark}"), "amount": 20_000, "currency": "EUR"});
    EventEntry::new("", "com.acme.payments", "PaymentSettled", detail)
}

/// Who should get it: `expect.large-euro` in config/topology/teams/ledger.toml says the same, and the hub's audit.
pub(super) fn expected() -> BTreeSet<String> {
    [
        "analytics.settlements",
        "audit of hub us",
        "fraud.settled",
        "ledger.large",
        "ledger.settlements",
        "orders.settled",
    ]
    .map(str::to_owned)
    .into()
}
