//! A small topology with all that the rows of drift name, so that an emulator is read and written in a second.

use super::divergences::Divergence;
use std::collections::BTreeMap;

/// Its files, by path, without what these divergences keep from working.
pub(crate) fn files(divergences: &[&Divergence]) -> BTreeMap<String, String> {
    let mut files: BTreeMap<String, String> =
        FILES.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect();
    for (path, from, to) in divergences.iter().flat_map(|divergence| divergence.without) {
        let text = files.get_mut(*path).unwrap_or_else(|| panic!("no {path}"));
        assert_eq!(text.matches(from).count(), 1, "{from:?} is not once in {path}");
        *text = text.replace(from, to);
    }
    files
}

pub(crate) const BASE: &str = "topology/base.toml";
pub(crate) const PAYMENTS: &str = "topology/teams/payments.toml";
pub(crate) const LEDGER: &str = "topology/teams/ledger.toml";
pub(crate) const ORDERS: &str = "topology/teams/orders.toml";
pub(crate) const FRAUD: &str = "topology/teams/fraud.toml";

const FILES: &[(&str, &str)] = &[
    (
        "wheelwright.toml",
        r#"[operator]
owner = "acme-platform"
external-id = "acme/eventbridge"
region = "us-east-1"

[pace]
calls-per-second-max = 50
calls-burst-max = 100
settle-secs = 0
"#,
    ),
    (
        BASE,
        r#"[organization]
id = "o-a1b2c3d4e5"

[account]
platform = { id = "111111111111" }
payments-prod = { id = "222222222222" }
ledger-prod = { id = "333333333333" }
orders-prod = { id = "444444444444" }
fraud-prod = { id = "666666666666" }

[hub.us]
account = "platform"
region = "us-east-1"
bus = "org-events"
description = "Business events"
kms-key = "arn:aws:kms:us-east-1:111111111111:key/0badcafe-0000-4000-8000-000000000000"
bus-dead-letter = "undecryptable"
log = { level = "error" }
archive = { retention-days = 30 }
audit = { queue = "audit-log" }
tags = { cost-center = "platform", data-class = "confidential" }

[hub.eu]
account = "platform"
region = "eu-west-1"
bus = "org-events"
grant = "organization"
archive = { retention-days = 14 }
audit = { queue = "audit-log" }
"#,
    ),
    (
        PAYMENTS,
        r#"[team]
name = "payments"

[spoke.us]
hub = "us"
account = "payments-prod"

[spoke.eu]
hub = "eu"
account = "payments-prod"

[publish.settlements]
source = "com.acme.payments"
detail-types = ["PaymentSettled", "PaymentReversed"]

[publish.cards]
source = "com.acme.payments.cards"

[collect.findings]
source = "aws.guardduty"
accounts = ["payments-prod"]
at = ["us"]
"#,
    ),
    (
        LEDGER,
        r#"[team]
name = "ledger"
tags = { cost-center = "finance" }

[spoke.us]
hub = "us"
account = "ledger-prod"
bus = "ledger"

[subscribe.settlements]
from = "payments.settlements"

[subscribe.large]
from = "payments.settlements"
detail-types = ["PaymentSettled"]
where.detail.amount = [{ numeric = [">", 10000] }]
where.detail.currency = ["EUR", "USD"]
deliver = { queue = "large-payments" }
retry = { attempts-max = 20, event-age-secs-max = 3600 }
"#,
    ),
    (
        ORDERS,
        r#"[team]
name = "orders"

[spoke.us]
hub = "us"
account = "orders-prod"
bus = "orders"

[publish.checkout]
source = "com.acme.checkout"
via = "spoke"

[subscribe.settled]
from = "payments.settlements"
"#,
    ),
    (
        FRAUD,
        r#"[team]
name = "fraud"

[spoke.us]
hub = "us"
account = "fraud-prod"
bus = "fraud"

[subscribe.settled]
from = "payments.settlements"
detail-types = ["PaymentSettled"]

[subscribe.cards]
from = "payments.cards"

[subscribe.abandoned]
from = "orders.checkout"
deliver = { queue = "abandoned" }

[subscribe.findings]
from = "payments.findings"
deliver = { queue = "findings" }

[subscribe.held]
from = "payments.cards"
deliver = { queue = "held" }

[stop.inc-4411]
subscription = "fraud.held"
until = 2099-01-01T00:00:00Z
reason = "INC-4411"
"#,
    ),
];
