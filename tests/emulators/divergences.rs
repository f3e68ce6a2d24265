//! What the emulators are known to do otherwise than AWS, each with the parts of the example and the rows of drift that
//! are therefore not asked of them. Nothing else is left out. Each shows itself by raw calls: one that does not any more
//! fails the test, and its entry has to go.

use super::example::{BASE, FRAUD, LEDGER, ORDERS, PAYMENTS};
use super::server::{Emulator, Server};
use serde_json::{Value, json};
use wheelwright::eventbridge::BusPolicy;

/// One thing that an emulator does otherwise than AWS.
pub(crate) struct Divergence {
    pub(crate) emulator: Emulator,
    /// What it does.
    pub(crate) does: &'static str,
    /// Whether it does: asked by raw calls on things of the test's own.
    pub(crate) shows: fn(&Server) -> bool,
    /// What of the example is said otherwise: in this file, this text (there once) becomes that one.
    pub(crate) without: &'static [(&'static str, &'static str, &'static str)],
    /// The rows of drift that cannot be tried.
    pub(crate) rows: &'static [&'static str],
}

/// The divergences of one emulator.
pub(crate) fn of(emulator: Emulator) -> Vec<&'static Divergence> {
    DIVERGENCES.iter().filter(|divergence| divergence.emulator == emulator).collect()
}

pub(crate) const DIVERGENCES: &[Divergence] = &[
    Divergence {
        emulator: Emulator::Moto,
        does: "has no UpdateEventBus, and buses without log",
        shows: |server| server.call(OURS, US, "UpdateEventBus", &json!({"Name": "default"})).is_err(),
        without: &[(BASE, KEY_LINES, "")],
        rows: &[],
    },
    Divergence {
        emulator: Emulator::Moto,
        does: "reads the principal `*` back as an account called `*`",
        shows: |server| {
            let bus = bus(server, "everybody");
            let input =
                json!({"EventBusName": bus, "StatementId": "s", "Action": "events:PutEvents", "Principal": "*"});
            server.must(OURS, US, "PutPermission", input);
            policy(server, bus)["Statement"][0]["Principal"] != json!("*")
        },
        without: &[(BASE, "grant = \"organization\"", "grant = \"accounts\"")],
        rows: &[],
    },
    Divergence {
        emulator: Emulator::Ministack,
        does: "returns statements that are none: a principal is neither `*` nor an object",
        shows: |server| {
            let bus = bus(server, "statements");
            let input = json!({"EventBusName": bus, "StatementId": "s", "Action": "events:PutEvents", "Principal": "222222222222"});
            server.must(OURS, US, "PutPermission", input);
            BusPolicy::parse(&policy(server, bus).to_string()).is_err()
        },
        // With everybody in one account nobody has to be let in.
        without: &[
            (PAYMENTS, "hub = \"us\"\naccount = \"payments-prod\"", "hub = \"us\"\naccount = \"platform\""),
            (PAYMENTS, "hub = \"eu\"\naccount = \"payments-prod\"", "hub = \"eu\"\naccount = \"platform\""),
            (PAYMENTS, "accounts = [\"payments-prod\"]", "accounts = [\"platform\"]"),
            (LEDGER, "account = \"ledger-prod\"", "account = \"platform\""),
            (ORDERS, "account = \"orders-prod\"", "account = \"platform\""),
            (FRAUD, "account = \"fraud-prod\"", "account = \"platform\""),
        ],
        rows: &[],
    },
];

/// An account of the test's own.
const OURS: &str = "999999999990";
const US: &str = "us-east-1";
/// What the American hub is asked beyond what moto has.
const KEY_LINES: &str = "kms-key = \"arn:aws:kms:us-east-1:111111111111:key/0badcafe-0000-4000-8000-000000000000\"\n\
                         bus-dead-letter = \"undecryptable\"\nlog = { level = \"error\" }\n";

/// A new bus.
fn bus<'n>(server: &Server, name: &'n str) -> &'n str {
    server.must(OURS, US, "CreateEventBus", json!({"Name": name}));
    name
}

fn policy(server: &Server, bus: &str) -> Value {
    let described = server.must(OURS, US, "DescribeEventBus", json!({"Name": bus}));
    described["Policy"].as_str().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
}
