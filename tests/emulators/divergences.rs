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

/// Each of them is to be seen; one that is not has to go.
pub(crate) fn assert_shown(server: &Server) {
    for Divergence { does, shows, .. } in of(server.emulator) {
        assert!(shows(server), "{:?} does not do so any more: {does}; take the entry out", server.emulator);
    }
}

pub(crate) const DIVERGENCES: &[Divergence] = &[
    Divergence {
        emulator: Emulator::Moto,
        does: "has no UpdateEventBus",
        shows: |server| server.call(OURS, US, "UpdateEventBus", &json!({"Name": "default"})).is_err(),
        without: &[],
        rows: &[
            "bus description lost",
            "bus description edited, mark kept",
            "key set on a bus where none is asked for",
            "key of a bus changed",
            "key of a bus taken away",
            "dead letters of a bus sent elsewhere",
            "dead letters of a bus sent nowhere",
            "dead letters of a bus, where none are asked for",
            "bus logs more",
            "bus logs nothing any more",
            "bus logs, where nothing is asked for",
            "all settings of a bus cleared",
            "both marks of a bus lost",
            "bus with another operator's mark",
            "bus without mark, in a CloudFormation stack",
            "bus without mark, kept by ACK",
        ],
    },
    Divergence {
        emulator: Emulator::Moto,
        does: "makes buses without the log level that they are given",
        shows: |server| {
            let log = json!({"Level": "ERROR", "IncludeDetail": "NONE"});
            server.must(OURS, US, "CreateEventBus", json!({"Name": "logs", "LogConfig": log}));
            described(server, "logs")["LogConfig"].is_null()
        },
        without: &[(BASE, "log = { level = \"error\" }\n", "")],
        rows: &[],
    },
    Divergence {
        emulator: Emulator::Moto,
        does: "lists buses without their descriptions, where the first mark is",
        shows: |server| {
            server.must(OURS, US, "CreateEventBus", json!({"Name": "described", "Description": "words"}));
            let listed = server.must(OURS, US, "ListEventBuses", json!({"NamePrefix": "described"}));
            listed["EventBuses"][0]["Description"] != described(server, "described")["Description"]
        },
        without: &[],
        rows: &[
            "all tags of a bus stripped",
            "mark of the hub on a foreign bus",
            "bus with our mark and another operator's tag",
        ],
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
        rows: &["statement widened to everybody", "statement names another organisation", "public statement added"],
    },
    Divergence {
        emulator: Emulator::Moto,
        does: "adds a policy that is put as a whole to the one there, and replaces nothing",
        shows: |server| {
            let bus = bus(server, "whole");
            let by_name = json!({
                "EventBusName": bus, "StatementId": "one", "Action": "events:PutEvents", "Principal": "222222222222",
            });
            server.must(OURS, US, "PutPermission", by_name);
            put_whole(server, bus, "two");
            policy(server, bus)["Statement"].as_array().is_some_and(|statements| statements.len() == 2)
        },
        without: &[],
        rows: &["policy overwritten by another tool"],
    },
    Divergence {
        emulator: Emulator::Moto,
        does: "leaves an archive's retention as it is where UpdateArchive says 0, which is for ever",
        shows: |server| {
            let bus = described(server, "default")["Arn"].clone();
            let input = json!({"ArchiveName": "for-ever", "EventSourceArn": bus, "RetentionDays": 7});
            server.must(OURS, US, "CreateArchive", input);
            server.must(OURS, US, "UpdateArchive", json!({"ArchiveName": "for-ever", "RetentionDays": 0}));
            let archive = server.must(OURS, US, "DescribeArchive", json!({"ArchiveName": "for-ever"}));
            archive["RetentionDays"] == json!(7)
        },
        without: &[],
        rows: &["archive keeps events for ever"],
    },
    Divergence {
        emulator: Emulator::Moto,
        does: "finds no bus of another account by its ARN",
        shows: finds_no_bus_of_others,
        without: &[],
        rows: &["rule made by another account on the hub"],
    },
    Divergence {
        emulator: Emulator::Moto,
        does: "has no AWS service that makes a rule of its own on a bus of people's, and lets nobody pass for one",
        shows: lets_nobody_manage,
        without: &[],
        rows: &["rule that an AWS service manages on the hub"],
    },
    Divergence {
        emulator: Emulator::Ministack,
        does: "returns statements that are none: a principal is neither `*` nor an object",
        shows: |server| {
            let bus = bus(server, "statements");
            let input = json!({
                "EventBusName": bus, "StatementId": "s", "Action": "events:PutEvents", "Principal": "222222222222",
            });
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
        rows: &[
            "publisher's statement removed",
            "hub's statement on a spoke removed",
            "whole policy removed",
            "statement widened to everybody",
            "statement names another account",
            "statement names another organisation",
            "statement narrowed to other events",
            "statement turned into a denial",
            "statement names a role that was deleted",
            "statement added under our name",
            "statements re-ordered",
            "accounts by number, lists of one",
            "foreign statement added",
        ],
    },
    Divergence {
        emulator: Emulator::Ministack,
        does: "lets everybody in where a policy is put as a whole, whatever it says",
        shows: |server| {
            let bus = bus(server, "whole");
            put_whole(server, bus, "two");
            policy(server, bus)["Statement"][0]["Principal"] == json!("*")
        },
        without: &[],
        rows: &[
            "foreign statement for an organisation",
            "foreign statement for a role that was deleted",
            "foreign statement lets an account make rules",
            "public statement for one source",
            "foreign statement denies everybody",
            "policy overwritten by another tool",
        ],
    },
    Divergence {
        emulator: Emulator::Ministack,
        does: "keeps a rule's description where PutRule leaves it out",
        shows: |server| {
            let (pattern, rule) = (r#"{"source":["a"]}"#, json!({"Name": "kept"}));
            server.must(OURS, US, "PutRule", json!({"Name": "kept", "EventPattern": pattern, "Description": "words"}));
            server.must(OURS, US, "PutRule", json!({"Name": "kept", "EventPattern": pattern}));
            server.must(OURS, US, "DescribeRule", rule)["Description"] == json!("words")
        },
        without: &[],
        rows: &[
            "pattern changed and description lost",
            "description lost in the console",
            "description and a team's tag lost",
        ],
    },
    Divergence {
        emulator: Emulator::Ministack,
        // The pictures of what lives there take something empty for nothing.
        does: "reads settings of a bus that were cleared back as empty ones",
        shows: |server| {
            let bus = bus(server, "cleared");
            server.must(OURS, US, "UpdateEventBus", json!({"Name": bus, "KmsKeyIdentifier": ""}));
            described(server, bus)["KmsKeyIdentifier"] == json!("")
        },
        without: &[],
        rows: &[],
    },
    Divergence {
        emulator: Emulator::Ministack,
        does: "finds no bus of another account by its ARN",
        shows: finds_no_bus_of_others,
        without: &[],
        rows: &["rule made by another account on the hub"],
    },
    Divergence {
        emulator: Emulator::MinistackWithAuth,
        // `tests/deploy.rs` tries what the template's statements say of resources, and here they are for `*`.
        does: "asks for the right to make a bus as if it were a rule on the default bus",
        shows: |server| {
            let key = server.user(OURS, "maker", "events:CreateEventBus", "arn:aws:events:*:*:event-bus/*");
            server.call_as(&key, US, "CreateEventBus", &json!({"Name": "made"})).is_err()
        },
        without: &[],
        rows: &[],
    },
    Divergence {
        emulator: Emulator::Ministack,
        does: "has no AWS service that makes a rule of its own on a bus of people's, and lets nobody pass for one",
        shows: lets_nobody_manage,
        without: &[],
        rows: &["rule that an AWS service manages on the hub"],
    },
];

/// An account of the test's own.
const OURS: &str = "999999999990";
const US: &str = "us-east-1";
/// Another one.
const THEIRS: &str = "999999999991";

/// A new bus.
fn bus<'n>(server: &Server, name: &'n str) -> &'n str {
    server.must(OURS, US, "CreateEventBus", json!({"Name": name}));
    name
}

fn described(server: &Server, bus: &str) -> Value {
    server.must(OURS, US, "DescribeEventBus", json!({"Name": bus}))
}

fn policy(server: &Server, bus: &str) -> Value {
    described(server, bus)["Policy"].as_str().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
}

/// Puts a whole policy of one statement on a bus, which lets one account in.
fn put_whole(server: &Server, bus: &str, sid: &str) {
    let statement = json!({
        "Sid": sid, "Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::333333333333:root"},
        "Action": "events:PutEvents", "Resource": described(server, bus)["Arn"],
    });
    let document = json!({"Version": "2012-10-17", "Statement": [statement]});
    server.must(OURS, US, "PutPermission", json!({"EventBusName": bus, "Policy": document.to_string()}));
}

/// Another account cannot make a rule on a bus whose owner lets everybody.
fn finds_no_bus_of_others(server: &Server) -> bool {
    let name = bus(server, "shared");
    let bus = described(server, name)["Arn"].clone();
    let rules = bus.as_str().unwrap().replace(":event-bus/", ":rule/") + "/*";
    let statement = json!({
        "Sid": "rules", "Effect": "Allow", "Principal": {"AWS": THEIRS}, "Action": "events:PutRule", "Resource": rules,
    });
    let document = json!({"Version": "2012-10-17", "Statement": [statement]});
    server.must(OURS, US, "PutPermission", json!({"EventBusName": name, "Policy": document.to_string()}));
    let rule = json!({"Name": "theirs", "EventBusName": bus, "EventPattern": r#"{"source":["a"]}"#});
    server.call(THEIRS, US, "PutRule", &rule).is_err_and(|error| error.contains("ResourceNotFoundException"))
}

/// A rule says nothing of who manages it, though it was asked to.
fn lets_nobody_manage(server: &Server) -> bool {
    let rule =
        json!({"Name": "managed", "EventPattern": r#"{"source":["a"]}"#, "ManagedBy": "autoscaling.amazonaws.com"});
    server.must(OURS, US, "PutRule", rule);
    let rule = server.must(OURS, US, "DescribeRule", json!({"Name": "managed"}));
    rule["ManagedBy"].as_str().unwrap_or_default().is_empty()
}
