//! The example topology, built in, so that the demo needs nothing but the program.

use crate::config::SourceFiles;
use crate::model::desired::Revision;

macro_rules! files {
    ($($path:literal),* $(,)?) => {
        SourceFiles::new([$(($path, include_str!(concat!("../../../config/", $path)))),*])
    };
}

/// Every file of `config/` (`tests/tidy.rs` holds this list to the folder).
pub(super) fn files() -> SourceFiles {
    files![
        "wheelwright.toml",
        "topology/accounts.toml",
        "topology/hubs.toml",
        "topology/teams/analytics.toml",
        "topology/teams/fraud.toml",
        "topology/teams/ledger.toml",
        "topology/teams/orders.toml",
        "topology/teams/payments.toml",
        "topology/teams/shipping.toml",
    ]
}

/// A revision that is the same every time.
pub(super) fn revision() -> Revision {
    Revision { id: "example".into(), sequence: 1 }
}

/// The part of a team's file that the story shows.
pub(super) const EXCERPT: &str = r#"
# Large payments are booked by hand as well.
[subscribe.large]
from = "payments.settlements"
detail-types = ["PaymentSettled"]
where.detail.amount = [{ numeric = [">", 10000] }]
where.detail.currency = ["EUR", "USD"]
deliver = { queue = "large-payments" }
"#;
