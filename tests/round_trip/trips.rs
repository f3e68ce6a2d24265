//! One edit for each key of the language: what is said in A, and what is said in B instead.

use crate::example::{BASE, LEDGER, ORDERS, PAYMENTS, SETTINGS};

/// An edit, and what of it does not come back.
pub(crate) struct Trip {
    /// The keys that it edits.
    pub(crate) keys: &'static [&'static str],
    /// In this file, this text (there once) becomes that one.
    pub(crate) edits: &'static [(&'static str, &'static str, &'static str)],
    /// What plans never take away, and so is there still: paths in a snapshot.
    pub(crate) stays: &'static [&'static str],
}

const fn trip(keys: &'static [&'static str], edits: &'static [(&'static str, &'static str, &'static str)]) -> Trip {
    Trip { keys, edits, stays: &[] }
}

impl Trip {
    const fn stays(mut self, paths: &'static [&'static str]) -> Self {
        self.stays = paths;
        self
    }
}

/// Where a subscription asks for replays alone: the file and the line.
pub(crate) const REPLAYED: (&str, &str) = (LEDGER, "where.replay-name = [{ prefix = \"books-\" }]\n");

pub(crate) const TRIPS: &[Trip] = &[
    // The organisation, the roster.
    trip(&["organization.id"], &[(BASE, "o-a1b2c3d4e5", "o-someoneelse")]),
    trip(&["organization.tags"], &[(BASE, "tags = { company = \"acme\" }\n", "tags = { stage = \"prod\" }\n")]),
    trip(&["organization.tags"], &[(BASE, "tags = { company = \"acme\" }\n", "")]),
    trip(
        &["account.id"],
        &[
            (BASE, "ledger-spare = { id = \"333333333335\" }\n", "ledger-spare = { id = \"333333333333\" }\n"),
            (BASE, "ledger-prod = { id = \"333333333333\" }\n", "ledger-prod = { id = \"333333333335\" }\n"),
        ],
    )
    .stays(&["333333333335/us-east-1/bus/ledger"]),
    // Hubs.
    trip(&["hub.account"], &[(BASE, "[hub.eu]\naccount = \"platform\"", "[hub.eu]\naccount = \"platform-new\"")])
        .stays(&["111111111112/eu-west-1/bus/org-events-eu"]),
    trip(&["hub.region"], &[(BASE, "region = \"eu-west-1\"", "region = \"eu-central-1\"")]).stays(&[
        "111111111111/eu-central-1/bus/org-events-eu",
        "222222222222/eu-central-1/bus/payments-eu",
        "444444444444/eu-central-1/bus/orders-eu",
    ]),
    trip(&["hub.bus"], &[(BASE, "bus = \"org-events-eu\"", "bus = \"european-events\"")])
        .stays(&["111111111111/eu-west-1/bus/european-events"]),
    trip(&["hub.description"], &[(BASE, "description = \"Business events\"\n", "description = \"What happens\"\n")]),
    trip(&["hub.description"], &[(BASE, "description = \"Business events\"\n", "")]),
    trip(&["hub.grant"], &[(BASE, "grant = \"accounts\"", "grant = \"organization\"")]),
    // Lengthened, and never shortened again: AWS would delete events.
    trip(&["hub.archive.retention-days"], &[(BASE, "retention-days = 30", "retention-days = 60")])
        .stays(&["111111111111/us-east-1/archive/"]),
    trip(
        &["hub.archive.retention-days"],
        &[(
            BASE,
            "audit = { queue = \"audit-log-eu\" }\n",
            "audit = { queue = \"audit-log-eu\" }\narchive = { retention-days = 7 }\n",
        )],
    )
    .stays(&[
        "111111111111/eu-west-1/archive/",
        "111111111111/eu-west-1/rule/org-events-eu/Events-Archive-",
        "111111111111/eu-west-1/target/org-events-eu/Events-Archive-",
    ]),
    trip(&["hub.audit.queue"], &[(BASE, "\"audit-log-eu\"", "\"audit-archive\"")]),
    trip(&["hub.audit.queue"], &[(BASE, "audit = { queue = \"audit-log\" }\n", "")]),
    trip(&["hub.kms-key"], &[(BASE, "KEY-1", "KEY-2")]),
    trip(&["hub.kms-key"], &[(BASE, "kms-key = \"KEY-1\"\n", "")]),
    trip(&["hub.bus-dead-letter"], &[(BASE, "\"undecryptable\"", "\"unreadable\"")]),
    trip(&["hub.bus-dead-letter"], &[(BASE, "bus-dead-letter = \"undecryptable\"\n", "")]),
    trip(&["hub.log.level"], &[(BASE, "level = \"error\"", "level = \"trace\"")]),
    trip(&["hub.log.level"], &[(BASE, "level = \"error\"", "level = \"off\"")]),
    trip(&["hub.log.detail"], &[(BASE, "detail = false", "detail = true")]),
    trip(&["hub.tags"], &[(BASE, "tags = { cost-center = \"platform\" }", "tags = { data-class = \"secret\" }")]),
    // Too few characters for a statement an account: the organisation as a whole is let in.
    trip(
        &["hub.quotas.policy-characters-max"],
        &[(BASE, "policy-characters-max = 10000", "policy-characters-max = 720")],
    ),
    // Too few characters for the accounts in the audit's pattern.
    trip(
        &["hub.quotas.pattern-characters-max"],
        &[(BASE, "\"audit-log-eu\" }\n", "\"audit-log-eu\" }\nquotas = { pattern-characters-max = 80 }\n")],
    ),
    // Teams and their spokes.
    trip(
        &["team.name"],
        &[
            (LEDGER, "name = \"ledger\"", "name = \"books\""),
            (LEDGER, "\"ledger.callbacks\"", "\"books.callbacks\""),
            (LEDGER, "subscription = \"ledger.large\"", "subscription = \"books.large\""),
            (LEDGER, "[\"ledger.cards\"]", "[\"books.cards\"]"),
            (PAYMENTS, "[\"ledger\"]", "[\"books\"]"),
        ],
    ),
    trip(&["team.tags"], &[(LEDGER, "cost-center = \"books\"", "stage = \"prod\"")]),
    trip(&["spoke.hub"], &[(LEDGER, "[spoke.batch]\nhub = \"us\"", "[spoke.batch]\nhub = \"eu\"")]),
    trip(
        &["spoke.account"],
        &[(LEDGER, "hub = \"us\"\naccount = \"ledger-prod\"", "hub = \"us\"\naccount = \"ledger-new\"")],
    )
    .stays(&["333333333334/us-east-1/bus/ledger"]),
    trip(&["spoke.region"], &[(LEDGER, "region = \"us-east-1\"\nbus", "region = \"eu-west-1\"\nbus")])
        .stays(&["444444444444/eu-west-1/bus/ledger-batch"]),
    trip(&["spoke.bus"], &[(LEDGER, "bus = \"ledger\"", "bus = \"books\"")])
        .stays(&["333333333333/us-east-1/bus/books"]),
    trip(&["spoke.kms-key"], &[(LEDGER, "bus = \"ledger\"\n", "bus = \"ledger\"\nkms-key = \"KEY-3\"\n")]),
    trip(
        &["spoke.bus-dead-letter"],
        &[(LEDGER, "bus = \"ledger\"\n", "bus = \"ledger\"\nbus-dead-letter = \"odd\"\n")],
    ),
    trip(&["spoke.log.level"], &[(LEDGER, "bus = \"ledger\"\n", "bus = \"ledger\"\nlog = { level = \"info\" }\n")]),
    trip(&["spoke.log.detail"], &[(LEDGER, "bus = \"ledger\"\n", "bus = \"ledger\"\nlog = { detail = true }\n")]),
    trip(&["spoke.tags"], &[(LEDGER, "tags = { batch = \"yes\" }\n", "")]),
    // What is published and collected.
    trip(&["publish.source"], &[(PAYMENTS, "source = \"com.acme.payments\"\n", "source = \"com.acme.money\"\n")]),
    trip(&["publish.detail-types"], &[(PAYMENTS, "\"PaymentReversed\"]", "\"PaymentReversed\", \"PaymentLost\"]")]),
    trip(&["publish.via"], &[(PAYMENTS, "via = \"spoke\"", "via = \"hub\"")]),
    trip(&["publish.at"], &[(PAYMENTS, "via = \"spoke\"\nat = [\"us\"]", "via = \"spoke\"\nat = [\"us\", \"eu\"]")]),
    trip(&["publish.accounts"], &[(PAYMENTS, "accounts = [\"gateway\"]\n", "")]),
    trip(&["collect.source"], &[(PAYMENTS, "source = \"aws.guardduty\"", "source = \"aws.health\"")]),
    trip(&["collect.detail-types"], &[(PAYMENTS, "detail-types = [\"GuardDuty Finding\"]\n", "")]),
    trip(&["collect.at"], &[(PAYMENTS, "at = [\"us\"]\naccounts", "at = [\"us\", \"eu\"]\naccounts")]),
    trip(&["collect.accounts"], &[(PAYMENTS, "[\"payments-prod\"]", "[\"payments-prod\", \"ledger-prod\"]")]),
    trip(&["collect.regions"], &[(PAYMENTS, "regions = [\"us-east-1\"]", "regions = [\"us-east-1\", \"eu-west-1\"]")]),
    // What is subscribed to.
    trip(&["subscribe.from"], &[(LEDGER, "from = \"payments.callbacks\"", "from = \"payments.settlements\"")]),
    trip(&["subscribe.at"], &[(ORDERS, "at = \"us\"\nspoke = \"us\"\n", "at = \"eu\"\n")]),
    trip(&["subscribe.spoke"], &[(ORDERS, "at = \"us\"\nspoke = \"us\"\n", "at = \"us\"\nspoke = \"far\"\n")]),
    trip(&["subscribe.detail-types"], &[(LEDGER, "[\"PaymentSettled\"]", "[\"PaymentSettled\", \"PaymentReversed\"]")]),
    trip(&["subscribe.where.detail"], &[(LEDGER, "[\">\", 10000]", "[\">\", 5000]")]),
    trip(&["subscribe.where.region"], &[(LEDGER, "where.region = [\"us-east-1\"]\n", "")]),
    trip(&["subscribe.where.resources"], &[(LEDGER, "where.resources = [{ prefix = \"arn:aws:\" }]\n", "")]),
    trip(&["subscribe.where.replay-name"], &[(LEDGER, "prefix = \"books-\"", "prefix = \"ledger-\"")]),
    trip(
        &["subscribe.deliver"],
        &[
            (LEDGER, "deliver = { queue = \"large-payments\" }\n", "deliver = \"bus\"\n"),
            (LEDGER, "retry = { attempts-max = 20, event-age-secs-max = 3600 }\n", ""),
        ],
    ),
    trip(&["subscribe.deliver.queue"], &[(LEDGER, "queue = \"large-payments\"", "queue = \"payments-by-hand\"")]),
    trip(&["subscribe.deliver.function"], &[(LEDGER, "queue = \"large-payments\"", "function = \"book:live\"")]),
    trip(&["subscribe.deliver.topic"], &[(LEDGER, "queue = \"large-payments\"", "topic = \"large\"")]),
    trip(&["subscribe.deliver.stream"], &[(LEDGER, "queue = \"large-payments\"", "stream = \"large\"")]),
    trip(
        &["subscribe.deliver.api"],
        &[(
            LEDGER,
            "queue = \"large-payments\"",
            "api = \"arn:aws:execute-api:us-east-1:333333333333:a1b2c3/live/POST/large\"",
        )],
    ),
    trip(&["subscribe.replays"], &[(LEDGER, "replays = \"ignore\"", "replays = \"deliver\"")]),
    trip(
        &["subscribe.dead-letter"],
        &[(LEDGER, "dead-letter = \"large-dead-letters\"", "dead-letter = \"lost-payments\"")],
    ),
    trip(&["subscribe.dead-letter"], &[(LEDGER, "dead-letter = \"large-dead-letters\"\n", "")]),
    trip(&["subscribe.retry.attempts-max"], &[(LEDGER, "attempts-max = 20", "attempts-max = 0")]),
    trip(&["subscribe.retry.event-age-secs-max"], &[(LEDGER, "event-age-secs-max = 3600", "event-age-secs-max = 60")]),
    trip(
        &["subscribe.retry.attempts-max", "subscribe.retry.event-age-secs-max"],
        &[(LEDGER, "retry = { attempts-max = 20, event-age-secs-max = 3600 }\n", "")],
    ),
    // What was there before.
    trip(
        &["subscribe.keeps.rule"],
        &[(LEDGER, "spoke = \"us\"\ndetail-types", "spoke = \"us\"\nkeeps.rule = \"LargePayments\"\ndetail-types")],
    ),
    // The tag that says so goes after the target.
    trip(
        &["subscribe.keeps.target"],
        &[(LEDGER, "spoke = \"us\"\ndetail-types", "spoke = \"us\"\nkeeps.target = \"Target0\"\ndetail-types")],
    ),
    trip(
        &["subscribe.keeps.pattern"],
        &[(
            LEDGER,
            "spoke = \"us\"\ndetail-types",
            "spoke = \"us\"\nkeeps.pattern = '{\"source\": [\"com.acme.payments\"]}'\ndetail-types",
        )],
    ),
    // Only what is in the rule's own account may have none.
    trip(
        &["subscribe.keeps.role"],
        &[
            (LEDGER, "queue = \"large-payments\"", "queue = \"arn:aws:sqs:us-east-1:111111111111:audit-log\""),
            (
                LEDGER,
                "dead-letter = \"large-dead-letters\"\n",
                "dead-letter = \"large-dead-letters\"\nkeeps.role = \"none\"\n",
            ),
        ],
    ),
    trip(
        &["subscribe.keeps.dead-letter"],
        &[(LEDGER, "dead-letter = \"large-dead-letters\"\n", "keeps.dead-letter = \"none\"\n")],
    ),
    trip(&["publish.keeps.rule"], &[(PAYMENTS, "via = \"spoke\"\n", "via = \"spoke\"\nkeeps.rule = \"CardsToHub\"\n")]),
    trip(&["publish.keeps.target"], &[(PAYMENTS, "via = \"spoke\"\n", "via = \"spoke\"\nkeeps.target = \"hub\"\n")]),
    trip(
        &["publish.keeps.pattern"],
        &[(
            PAYMENTS,
            "via = \"spoke\"\n",
            "via = \"spoke\"\nkeeps.pattern = '{\"source\": [\"com.acme.payments.cards\"]}'\n",
        )],
    ),
    trip(
        &["publish.keeps.dead-letter"],
        &[(PAYMENTS, "via = \"spoke\"\n", "via = \"spoke\"\nkeeps.dead-letter = \"none\"\n")],
    ),
    trip(
        &["collect.keeps.rule"],
        &[(PAYMENTS, "regions = [\"us-east-1\"]\n", "regions = [\"us-east-1\"]\nkeeps.rule = \"Findings\"\n")],
    ),
    trip(
        &["collect.keeps.target"],
        &[(PAYMENTS, "regions = [\"us-east-1\"]\n", "regions = [\"us-east-1\"]\nkeeps.target = \"hub\"\n")],
    ),
    trip(
        &["collect.keeps.pattern"],
        &[(
            PAYMENTS,
            "regions = [\"us-east-1\"]\n",
            "regions = [\"us-east-1\"]\nkeeps.pattern = '{\"source\": [\"aws.guardduty\"]}'\n",
        )],
    ),
    trip(
        &["collect.keeps.dead-letter"],
        &[(PAYMENTS, "regions = [\"us-east-1\"]\n", "regions = [\"us-east-1\"]\nkeeps.dead-letter = \"none\"\n")],
    ),
    // Stops and renames.
    trip(&["stop.until"], &[(LEDGER, "until = 2020-01-01T00:00:00Z", "until = 2099-01-01T00:00:00Z")]),
    trip(
        &["stop.subscription"],
        &[
            (LEDGER, "subscription = \"ledger.large\"", "subscription = \"ledger.all\""),
            (LEDGER, "until = 2020-01-02T00:00:00Z", "until = 2099-01-01T00:00:00Z"),
        ],
    ),
    trip(
        &["moved.from", "moved.to"],
        &[(
            LEDGER,
            "[subscribe.all]\n",
            "[[moved]]\nfrom = \"ledger.all\"\nto = \"ledger.everything\"\n\n[subscribe.everything]\n",
        )],
    ),
    trip(
        &["moved.from", "moved.to", "moved.kind"],
        &[
            (
                PAYMENTS,
                "[publish.cards]\n",
                "[[moved]]\nkind = \"publication\"\nfrom = \"payments.cards\"\nto = \"payments.card-events\"\n\n[publish.card-events]\n",
            ),
            (LEDGER, "from = \"payments.cards\"", "from = \"payments.card-events\""),
            (LEDGER, "published-by = \"payments.cards\"", "published-by = \"payments.card-events\""),
        ],
    ),
    // Settings.
    trip(&["delivery.role-name"], &[(SETTINGS, "role-name = \"delivery\"", "role-name = \"deliver-events\"")]),
    trip(&["delivery.dead-letter-queue"], &[(SETTINGS, "\"dead-letters\"", "\"undelivered\"")]),
];

/// A key that changes nothing at AWS, why, and an edit of it after which nothing is to be written.
pub(crate) struct Told {
    pub(crate) key: &'static str,
    pub(crate) why: &'static str,
    pub(crate) edits: &'static [(&'static str, &'static str, &'static str)],
}

const fn told(
    key: &'static str,
    why: &'static str,
    edits: &'static [(&'static str, &'static str, &'static str)],
) -> Told {
    Told { key, why, edits }
}

const KEPT: &str = "there is no statement of others here, and none of ours is taken away for it";
const RELEASED: &str = "what bears our marks is ours already";
const RELEASE: &[(&str, &str, &str)] = &[(
    SETTINGS,
    "[guards]\n",
    "[release.hub]\nresource = \"arn:aws:events:us-east-1:111111111111:event-bus/org-events\"\nfrom = \"terraform\"\nreason = \"why not\"\n\n[guards]\n",
)];
const ROLE: &str =
    "to a hub in another account a role is needed, and the operator may hand over the delivery role alone";
const PACE: &str = "how we go about it, not what is asked for";
const GUARD: &str = "what waits for a person, not what is asked for";
const WHO: &str = "who asks: with another one we are somebody else, or nobody";
const EXPECTED: &str = "a test, which `check` runs";

const ANOTHER: &[(&str, &str, &str)] = &[
    (LEDGER, "published-by = \"payments.cards\"", "published-by = \"payments.callbacks\""),
    (LEDGER, "reaches = [\"ledger.cards\"]", "reaches = [\"ledger.callbacks\"]"),
];

pub(crate) const WITHOUT_EFFECT: &[Told] = &[
    told(
        "publish.keeps.role",
        ROLE,
        &[(PAYMENTS, "via = \"spoke\"\n", "via = \"spoke\"\nkeeps.role = \"delivery\"\n")],
    ),
    told(
        "collect.keeps.role",
        ROLE,
        &[(PAYMENTS, "regions = [\"us-east-1\"]\n", "regions = [\"us-east-1\"]\nkeeps.role = \"delivery\"\n")],
    ),
    told("hub.keeps.grants", KEPT, &[(BASE, "grant = \"accounts\"\n", "grant = \"accounts\"\nkeeps.grants = true\n")]),
    told("spoke.keeps.grants", KEPT, &[(LEDGER, "bus = \"ledger\"\n", "bus = \"ledger\"\nkeeps.grants = true\n")]),
    told("release.resource", RELEASED, RELEASE),
    told("release.from", RELEASED, RELEASE),
    told("release.reason", "it is for people", RELEASE),
    told("team.contact", "whom to ask is for people", &[(PAYMENTS, "#payments-oncall", "#money")]),
    told(
        "publish.subscribers",
        "who may subscribe is checked, and AWS is told who does",
        &[(PAYMENTS, "[\"*\"]", "[\"ledger\", \"orders\"]")],
    ),
    told(
        "collect.subscribers",
        "who may subscribe is checked, and AWS is told who does",
        &[(PAYMENTS, "subscribers = [\"ledger\"]\n", "")],
    ),
    told(
        "stop.reason",
        "why is for people, and told in findings",
        &[(LEDGER, "reason = \"INC-1\"", "reason = \"INC-1, see INC-7\"")],
    ),
    told(
        "hub.quotas.rules-max",
        "how many rules fit is checked, and plans wait for room",
        &[(BASE, "rules-max = 500", "rules-max = 400")],
    ),
    told("hub.calls-per-second-max", PACE, &[(BASE, "calls-per-second-max = 25", "calls-per-second-max = 20")]),
    told("expect.event.detail-type", EXPECTED, &[(LEDGER, "\"CardDeclined\"", "\"CardAuthorized\"")]),
    told("expect.event.detail", EXPECTED, &[(LEDGER, "detail = { amount = 1 }", "detail = { amount = 2 }")]),
    told(
        "expect.event.resources",
        EXPECTED,
        &[(LEDGER, "{ amount = 1 } }", "{ amount = 1 }, resources = [\"arn:aws:s3:::a\"] }")],
    ),
    told(
        "expect.event.time",
        EXPECTED,
        &[(LEDGER, "{ amount = 1 } }", "{ amount = 1 }, time = \"2026-01-01T00:00:00Z\" }")],
    ),
    told(
        "expect.event.replay-name",
        EXPECTED,
        &[
            (LEDGER, "{ amount = 1 } }", "{ amount = 1 }, replay-name = \"again\" }"),
            (LEDGER, "reaches = [\"ledger.cards\"]", "reaches = []"),
        ],
    ),
    told("expect.published-by", EXPECTED, ANOTHER),
    told("expect.reaches", EXPECTED, ANOTHER),
    told(
        "account.access",
        "a partner's account is neither read nor written: what is there stays as it is",
        &[(
            BASE,
            "ledger-prod = { id = \"333333333333\" }",
            "ledger-prod = { id = \"333333333333\", access = \"none\" }",
        )],
    ),
    told("operator.owner", WHO, &[]),
    told("operator.role-name", WHO, &[]),
    told("operator.external-id", WHO, &[]),
    told(
        "operator.session-name",
        "our name in CloudTrail",
        &[(SETTINGS, "[operator]\n", "[operator]\nsession-name = \"ww\"\n")],
    ),
    told(
        "operator.region",
        "whose STS is asked",
        &[(SETTINGS, "[operator]\n", "[operator]\nregion = \"us-east-1\"\n")],
    ),
    told(
        "pace.accounts-in-flight-max",
        PACE,
        &[(SETTINGS, "accounts-in-flight-max = 64", "accounts-in-flight-max = 8")],
    ),
    told("pace.calls-per-second-max", PACE, &[(SETTINGS, "calls-per-second-max = 15", "calls-per-second-max = 5")]),
    told("pace.calls-burst-max", PACE, &[(SETTINGS, "calls-burst-max = 30", "calls-burst-max = 5")]),
    told("pace.scope-deadline-secs", PACE, &[(SETTINGS, "scope-deadline-secs = 120", "scope-deadline-secs = 60")]),
    told("pace.settle-secs", PACE, &[(SETTINGS, "settle-secs = 300", "settle-secs = 60")]),
    told("guards.breaks-percent-max", GUARD, &[(SETTINGS, "breaks-percent-max = 20", "breaks-percent-max = 10")]),
    told("guards.breaks-floor", GUARD, &[(SETTINGS, "breaks-floor = 3", "breaks-floor = 1")]),
    told("guards.changes-percent-max", GUARD, &[(SETTINGS, "changes-percent-max = 50", "changes-percent-max = 10")]),
    told("guards.changes-floor", GUARD, &[(SETTINGS, "changes-floor = 20", "changes-floor = 1")]),
    told("guards.fresh-secs-max", GUARD, &[(SETTINGS, "fresh-secs-max = 900", "fresh-secs-max = 60")]),
];
