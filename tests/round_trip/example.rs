//! A topology in which everything that can be said is said, or could be.

use std::collections::BTreeMap;

pub(crate) const BASE: &str = "topology/base.toml";
pub(crate) const PAYMENTS: &str = "topology/teams/payments.toml";
pub(crate) const LEDGER: &str = "topology/teams/ledger.toml";
pub(crate) const ORDERS: &str = "topology/teams/orders.toml";
pub(crate) const SETTINGS: &str = "wheelwright.toml";

/// Its files, by path. `KEY-1` and `KEY-2` stand for keys of the platform's, `KEY-3` for one of the ledger's.
pub(crate) fn files() -> BTreeMap<String, String> {
    let files = [
        (SETTINGS, SETTINGS_TEXT),
        (BASE, BASE_TEXT),
        (PAYMENTS, PAYMENTS_TEXT),
        (LEDGER, LEDGER_TEXT),
        (ORDERS, ORDERS_TEXT),
    ];
    files.map(|(path, text)| (path.to_owned(), text.to_owned())).into()
}

const SETTINGS_TEXT: &str = r#"[operator]
owner = "acme"
external-id = "acme/eventbridge"

[delivery]
role-name = "delivery"
dead-letter-queue = "dead-letters"

[pace]
settle-secs = 300
scope-deadline-secs = 120
accounts-in-flight-max = 64
calls-per-second-max = 15
calls-burst-max = 30

[guards]
breaks-percent-max = 20
breaks-floor = 3
changes-percent-max = 50
changes-floor = 20
fresh-secs-max = 900
"#;

const BASE_TEXT: &str = r#"[organization]
id = "o-a1b2c3d4e5"
tags = { company = "acme" }

[account]
platform = { id = "111111111111" }
platform-new = { id = "111111111112" }
payments-prod = { id = "222222222222" }
ledger-prod = { id = "333333333333" }
ledger-new = { id = "333333333334" }
ledger-spare = { id = "333333333335" }
orders-prod = { id = "444444444444" }
gateway = { id = "888888888888" }

[hub.us]
account = "platform"
region = "us-east-1"
bus = "org-events"
description = "Business events"
grant = "accounts"
archive = { retention-days = 30 }
audit = { queue = "audit-log" }
kms-key = "KEY-1"
bus-dead-letter = "undecryptable"
log = { level = "error", detail = false }
tags = { cost-center = "platform" }
quotas = { rules-max = 500, policy-characters-max = 10000, pattern-characters-max = 2000 }
calls-per-second-max = 25

# Nobody subscribes here: only the audit takes anything.
[hub.eu]
account = "platform"
region = "eu-west-1"
bus = "org-events-eu"
grant = "organization"
audit = { queue = "audit-log-eu" }
"#;

const PAYMENTS_TEXT: &str = r##"[team]
name = "payments"
contact = "#payments-oncall"
tags = { cost-center = "finance" }

[spoke.us]
hub = "us"
account = "payments-prod"
bus = "payments"

[spoke.eu]
hub = "eu"
account = "payments-prod"
bus = "payments-eu"

[publish.settlements]
source = "com.acme.payments"
detail-types = ["PaymentSettled", "PaymentReversed"]
subscribers = ["*"]

[publish.cards]
source = "com.acme.payments.cards"
via = "spoke"
at = ["us"]

[publish.callbacks]
source = "com.acme.payments.callbacks"
accounts = ["gateway"]

[collect.findings]
source = "aws.guardduty"
detail-types = ["GuardDuty Finding"]
subscribers = ["ledger"]
at = ["us"]
accounts = ["payments-prod"]
regions = ["us-east-1"]
"##;

const LEDGER_TEXT: &str = r#"[team]
name = "ledger"
tags = { cost-center = "books" }

[spoke.us]
hub = "us"
account = "ledger-prod"
bus = "ledger"

[spoke.batch]
hub = "us"
account = "orders-prod"
region = "us-east-1"
bus = "ledger-batch"
tags = { batch = "yes" }

[subscribe.large]
from = "payments.settlements"
spoke = "us"
detail-types = ["PaymentSettled"]
where.detail.amount = [{ numeric = [">", 10000] }]
where.region = ["us-east-1"]
where.resources = [{ prefix = "arn:aws:" }]
where.replay-name = [{ prefix = "books-" }]
replays = "deliver"
deliver = { queue = "large-payments" }
dead-letter = "large-dead-letters"
retry = { attempts-max = 20, event-age-secs-max = 3600 }

[subscribe.all]
from = "payments.settlements"
spoke = "us"

[subscribe.batches]
from = "payments.settlements"
spoke = "batch"

[subscribe.cards]
from = "payments.cards"
spoke = "us"
deliver = { queue = "cards" }

[subscribe.findings]
from = "payments.findings"
spoke = "us"
deliver = { queue = "findings" }

[subscribe.callbacks]
from = "payments.callbacks"
spoke = "us"
replays = "ignore"

# Its time has come.
[stop.inc-1]
subscription = "ledger.callbacks"
until = 2020-01-01T00:00:00Z
reason = "INC-1"

# So has this one's, and its subscription is stopped by no other.
[stop.inc-2]
subscription = "ledger.large"
until = 2020-01-02T00:00:00Z
reason = "INC-2"

[expect.a-card]
event = { detail-type = "CardDeclined", detail = { amount = 1 } }
published-by = "payments.cards"
reaches = ["ledger.cards"]
"#;

const ORDERS_TEXT: &str = r#"[team]
name = "orders"

[spoke.us]
hub = "us"
account = "orders-prod"
bus = "orders"

[spoke.far]
hub = "us"
account = "orders-prod"
region = "eu-central-1"
bus = "orders-far"

[spoke.eu]
hub = "eu"
account = "orders-prod"
bus = "orders-eu"

[subscribe.settled]
from = "payments.settlements"
at = "us"
spoke = "us"
"#;
