//! One small broken config for each diagnostic code, and what a person reads about it.
//!
//! Each case changes one or two files of a sound topology, must raise its own code and no other (one mistake does not
//! cascade), and is kept as a rendered snapshot.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use std::collections::{BTreeMap, BTreeSet};
use strum::IntoEnumIterator;
use wheelwright::config::{DiagnosticCode, FILE_BYTES_MAX, Loaded, SourceFile, SourceFiles, Style, load, render};
use wheelwright::model::finding::Severity;

const ACCOUNTS: &str = r#"[account]
platform = { id = "111111111111" }
payments-prod = { id = "222222222222" }
ledger-prod = { id = "333333333333" }
"#;

const HUBS: &str = r#"[hub.us]
account = "platform"
region = "us-east-1"
bus = "org-events"

[hub.eu]
account = "platform"
region = "eu-west-1"
bus = "org-events"
"#;

const PAYMENTS: &str = r#"[team]
name = "payments"

[spoke.us]
hub = "us"
account = "payments-prod"
bus = "payments"

[publish.settlements]
source = "com.acme.payments"
detail-types = ["PaymentSettled", "PaymentReversed"]
subscribers = ["ledger"]
"#;

const LEDGER: &str = r#"[team]
name = "ledger"

[spoke.us]
hub = "us"
account = "ledger-prod"
bus = "ledger"

[subscribe.large]
from = "payments.settlements"
where.detail.amount = [{ numeric = [">", 10000] }]
"#;

/// The sound topology with these files put in place of its own, or added.
fn files(changes: &[(&str, String)]) -> SourceFiles {
    let mut files: BTreeMap<String, String> = [
        ("topology/accounts.toml", ACCOUNTS),
        ("topology/hubs.toml", HUBS),
        ("topology/teams/payments.toml", PAYMENTS),
        ("topology/teams/ledger.toml", LEDGER),
    ]
    .map(|(path, text)| (path.to_owned(), text.to_owned()))
    .into();
    for (path, text) in changes {
        let path = if *path == "wheelwright" { "wheelwright.toml".to_owned() } else { format!("topology/{path}.toml") };
        files.insert(path, text.clone());
    }
    SourceFiles::of(files.into_iter().map(|(path, text)| SourceFile::of_bytes(path, text.into_bytes())))
}

/// `text` with one part of it written otherwise.
fn with(text: &str, from: &str, to: &str) -> String {
    assert!(text.contains(from), "{from}");
    text.replacen(from, to, 1)
}

fn ledger(from: &str, to: &str) -> Vec<(&'static str, String)> {
    vec![("teams/ledger", with(LEDGER, from, to))]
}

fn payments(from: &str, to: &str) -> Vec<(&'static str, String)> {
    vec![("teams/payments", with(PAYMENTS, from, to))]
}

fn accounts(from: &str, to: &str) -> Vec<(&'static str, String)> {
    vec![("accounts", with(ACCOUNTS, from, to))]
}

fn hubs(from: &str, to: &str) -> Vec<(&'static str, String)> {
    vec![("hubs", with(HUBS, from, to))]
}

fn added(path: &'static str, text: impl Into<String>) -> Vec<(&'static str, String)> {
    vec![(path, text.into())]
}

const FROM: &str = "from = \"payments.settlements\"\n";
const EVENT: &str = "[expect.one]\nevent = { detail-type = \"PaymentSettled\", detail = { amount = 20000 } }\npublished-by = \"payments.settlements\"\n";

fn broken(code: DiagnosticCode) -> Vec<(&'static str, String)> {
    use DiagnosticCode as Code;
    match code {
        Code::Syntax => payments("name = \"payments\"", "name = payments"),
        // What PowerShell's `>` writes.
        Code::NotText => added("teams/ledger", LEDGER.chars().flat_map(|c| [c, '\0']).collect::<String>()),
        Code::FileTooLarge => added("teams/ledger", LEDGER.to_owned() + &"# and so on\n".repeat(FILE_BYTES_MAX / 10)),
        Code::EmptyFile => added("teams/new", "# to be written\n"),
        Code::UnknownKey => payments("subscribers =", "subscriber ="),
        Code::MissingKey => ledger("account = \"ledger-prod\"\n", ""),
        Code::WrongType => payments("[\"PaymentSettled\", \"PaymentReversed\"]", "\"PaymentSettled\""),
        Code::UnknownValue => payments("subscribers = [\"ledger\"]", "subscribers = [\"ledger\"]\nvia = \"spok\""),
        Code::OutOfBounds => added("wheelwright", "[pace]\ncalls-per-second-max = 500\n"),
        Code::BadAddress => {
            added("wheelwright", "[alert.chat]\nkind = \"webhook\"\nurl = \"http://hooks.example.com/drift\"\n")
        }
        Code::BadTimes => {
            added("wheelwright", "[freeze.weekend]\nfrom = \"fridays at 18\"\nhours = 60\nreason = \"weekend\"\n")
        }
        Code::OutOfReach => added(
            "wheelwright",
            "[path.\"topology/accounts.toml\"]\nplatform = true\n[path.\"topology/hubs.toml\"]\nplatform = true\n\
             [path.\"topology/teams\"]\nteams = [\"*\"]\nsources = [\"*\"]\naccounts = [\"ledger-*\"]\n",
        ),
        Code::EmptyTopology => added("hubs", "# nothing here\n"),
        Code::BadName => ledger("[subscribe.large]", "[subscribe.Large_Payments]"),
        Code::BadAccountId => accounts("222222222222", "2222-2222-2222"),
        Code::BadRegion => hubs("us-east-1", "us-east-1a"),
        Code::BadOrganizationId => added("organization", "[organization]\nid = \"r-a1b2\"\n"),
        Code::BadBusName => hubs("bus = \"org-events\"", "bus = \"org events\""),
        Code::BadSource => payments("com.acme.payments", "aws.payments"),
        Code::BadKmsKey => hubs("bus = \"org-events\"", "bus = \"org-events\"\nkms-key = \"alias/events\""),
        Code::NotOurBus => ledger("bus = \"ledger\"", "bus = \"default\"\nlog = { level = \"error\" }"),
        Code::BadTag => ledger("name = \"ledger\"", "name = \"ledger\"\ntags = { \"wheelwright:owner\" = \"me\" }"),
        Code::BadDestination => {
            ledger(FROM, &format!("{FROM}deliver = {{ queue = \"arn:aws:sns:us-east-1:333333333333:large\" }}\n"))
        }
        Code::DuplicateName => added("more-hubs", HUBS),
        Code::DuplicateAccount => accounts("333333333333", "222222222222"),
        Code::DuplicateBus => {
            ledger("account = \"ledger-prod\"\nbus = \"ledger\"", "account = \"payments-prod\"\nbus = \"payments\"")
        }
        Code::HubAsSpoke => {
            ledger("account = \"ledger-prod\"\nbus = \"ledger\"", "account = \"platform\"\nbus = \"org-events\"")
        }
        Code::TeamMissing => ledger("[team]\nname = \"ledger\"\n", ""),
        Code::TeamWithoutSpokes => added("teams/new", "[team]\nname = \"new\"\n"),
        Code::UnusedAccount => {
            accounts("[account]", "[account]\npartner = { id = \"999999999999\", access = \"none\" }")
        }
        Code::UnknownAccount => ledger("ledger-prod", "ledgr-prod"),
        Code::UnknownHub => ledger("hub = \"us\"", "hub = \"us-east-1\""),
        Code::UnknownTeam => payments("[\"ledger\"]", "[\"ledger\", \"ledgers\"]"),
        Code::UnknownSpoke => ledger(FROM, &format!("{FROM}spoke = \"prod\"\n")),
        Code::UnknownPublication => ledger("payments.settlements", "payments.settlement"),
        Code::UnknownSubscription => {
            ledger(FROM, &format!("{FROM}\n{EVENT}reaches = [\"ledger.larg\"]\n[subscribe.rest]\n{FROM}"))
        }
        Code::HubWithoutAccess => accounts("id = \"111111111111\"", "id = \"111111111111\", access = \"none\""),
        Code::CrossPartition => ledger("account =", "region = \"cn-north-1\"\naccount ="),
        Code::CrossRegion => {
            let mut changes = hubs("us-east-1", "cn-north-1");
            changes[0].1 = with(&changes[0].1, "eu-west-1", "cn-northwest-1");
            changes.extend(ledger("account =", "region = \"cn-northwest-1\"\naccount ="));
            changes
        }
        Code::Loop => payments(
            "subscribers = [\"ledger\"]",
            "subscribers = []\nvia = \"spoke\"\n\n[subscribe.own]\nfrom = \"payments.settlements\"",
        )
        .into_iter()
        .chain(added(
            "teams/ledger",
            "[team]\nname = \"ledger\"\n\n[spoke.us]\nhub = \"us\"\naccount = \"ledger-prod\"\n",
        ))
        .collect(),
        Code::ForwardedTwice => {
            let collect = "[collect.findings]\nsource = \"aws.guardduty\"\naccounts = [\"ledger-prod\"]\n\n";
            let mut changes = ledger("[subscribe.large]", &format!("{collect}[subscribe.large]"));
            changes.extend(payments("[publish.settlements]", &format!("{collect}[publish.settlements]")));
            changes
        }
        Code::DeadLetterIsDestination => ledger(
            FROM,
            &format!(
                "{FROM}deliver = {{ queue = \"arn:aws:sqs:us-east-1:111111111111:large\" }}\ndead-letter = \"large\"\n"
            ),
        ),
        Code::NotYours => payments(
            "[publish.settlements]",
            "[stop.inc-4411]\nsubscription = \"ledger.large\"\nuntil = 2026-11-24T06:00:00Z\nreason = \"INC-4411\"\n\n[publish.settlements]",
        ),
        Code::MovedStillThere => ledger(
            "[subscribe.large]",
            &format!(
                "[[moved]]\nfrom = \"ledger.large\"\nto = \"ledger.huge\"\n\n[subscribe.huge]\n{FROM}\n[subscribe.large]"
            ),
        ),
        Code::MovedTwice => ledger(
            "[subscribe.large]",
            "[[moved]]\nfrom = \"ledger.big\"\nto = \"ledger.large\"\n\n[[moved]]\nfrom = \"ledger.great\"\nto = \"ledger.large\"\n\n[subscribe.large]",
        ),
        Code::NotOffered => payments("[\"ledger\"]", "[]"),
        Code::NotPublishedHere => ledger("hub = \"us\"", "hub = \"eu\""),
        Code::NoSpoke => payments("subscribers = [\"ledger\"]", "subscribers = [\"ledger\"]\nat = [\"us\", \"eu\"]"),
        Code::AmbiguousSpoke => ledger(
            "[subscribe.large]",
            "[spoke.batch]\nhub = \"us\"\naccount = \"ledger-prod\"\nbus = \"batch\"\n\n[subscribe.large]",
        ),
        Code::SpokeWithoutBus => ledger("bus = \"ledger\"\n", ""),
        Code::SecondHop => payments("subscribers = [\"ledger\"]", "subscribers = [\"ledger\"]\nvia = \"spoke\""),
        Code::SourceTwoOwners => {
            ledger("[subscribe.large]", "[publish.books]\nsource = \"com.acme.payments\"\n\n[subscribe.large]")
        }
        Code::AccountsViaSpoke => {
            payments("subscribers = [\"ledger\"]", "subscribers = []\nvia = \"spoke\"\naccounts = [\"ledger-prod\"]")
                .into_iter()
                .chain(ledger(
                    &format!("[subscribe.large]\n{FROM}where.detail.amount = [{{ numeric = [\">\", 10000] }}]"),
                    "",
                ))
                .collect()
        }
        Code::UnknownDetailType => ledger(FROM, &format!("{FROM}detail-types = [\"PaymentSetled\"]\n")),
        Code::WhereKey => ledger("where.detail.amount", "where.amount"),
        Code::BadPattern => ledger("[{ numeric = [\">\", 10000] }]", "[{ numeric = [\"=>\", 10000] }]"),
        Code::OperatorAsField => ledger("[{ numeric = [\">\", 10000] }]", "{ numeric = [\">\", 10000] }"),
        Code::PatternTooLong => {
            let names: Vec<String> = (0..300).map(|number| format!("\"merchant-{number}\"")).collect();
            ledger("[{ numeric = [\">\", 10000] }]", &format!("[{}]", names.join(", ")))
        }
        Code::TooManyRules => hubs("bus = \"org-events\"", "bus = \"org-events\"\nquotas = { rules-max = 1 }")
            .into_iter()
            .chain(ledger("[subscribe.large]", &format!("[subscribe.all]\n{FROM}\n[subscribe.large]")))
            .collect(),
        Code::TooManyWildcards => {
            let more: Vec<String> = (0..31)
                .map(|number| {
                    format!("[subscribe.w{number}]\n{FROM}where.detail.path = [{{ wildcard = \"*/{number}/*\" }}]\n")
                })
                .collect();
            ledger("[subscribe.large]", &format!("{}\n[subscribe.large]", more.join("\n")))
        }
        Code::PolicyTooLong => {
            hubs("bus = \"org-events\"", "bus = \"org-events\"\nquotas = { policy-characters-max = 300 }")
                .into_iter()
                .chain(payments("[\"ledger\"]", "[\"ledger\"]\naccounts = [\"ledger-prod\"]"))
                .collect()
        }
        Code::DestinationRegion => {
            ledger(FROM, &format!("{FROM}deliver = {{ queue = \"arn:aws:sqs:eu-west-1:333333333333:large\" }}\n"))
        }
        Code::RetryOnBus => ledger(FROM, &format!("{FROM}retry = {{ attempts-max = 5 }}\n")),
        Code::BadKeeps => ledger(FROM, &format!("{FROM}keeps.pattern = '{{\"source\": [\"com.acme.orders\"]}}'\n")),
        Code::BadRelease => added(
            "wheelwright",
            "[release.all]\nresource = \"arn:aws:events:us-east-1:111111111111:rule/*\"\nfrom = \"terraform\"\nreason = \"its state was lost\"\n",
        ),
        Code::UnusedRelease => added(
            "wheelwright",
            "[release.old]\nresource = \"arn:aws:events:us-east-1:111111111111:event-bus/old\"\nfrom = \"terraform\"\nreason = \"its state was lost\"\n",
        ),
        Code::BadExpect => ledger(
            FROM,
            &format!(
                "{FROM}\n{}reaches = []\n[subscribe.rest]\n{FROM}",
                EVENT.replace("PaymentSettled", "OrderPlaced")
            ),
        ),
        Code::ExpectFailed => ledger(
            FROM,
            &format!(
                "{FROM}\n[subscribe.small]\n{FROM}where.detail.amount = [5]\n\n{EVENT}reaches = [\"ledger.small\"]\n\n[subscribe.rest]\n{FROM}"
            ),
        ),
    }
}

fn report(changes: &[(&str, String)]) -> (Loaded, String) {
    let files = files(changes);
    let loaded = load(&files);
    let text = render(&loaded.diagnostics, &files, Style::Plain);
    (loaded, text)
}

#[test]
fn the_sound_topology_has_no_diagnostics() {
    assert_eq!(report(&[]).1, "");
}

#[test]
fn each_mistake_is_told_once_and_leads_to_no_other() {
    let mut wrong = Vec::new();
    for code in DiagnosticCode::iter() {
        let (loaded, text) = report(&broken(code));
        let codes: BTreeSet<DiagnosticCode> = loaded.diagnostics.iter().map(|diagnostic| diagnostic.code).collect();
        insta::with_settings!({ omit_expression => true, prepend_module_to_snapshot => false }, {
            insta::assert_snapshot!(format!("diagnostic-{code}"), text);
        });
        if codes != BTreeSet::from([code]) {
            wrong.push(format!("{code} gave {codes:?}:\n{text}"));
        }
        // A mistake in a team's file stops nobody else, nor does what teams' files come to; one in anybody's file stops all.
        let comes_to = [DiagnosticCode::TooManyRules, DiagnosticCode::TooManyWildcards, DiagnosticCode::PolicyTooLong];
        let concerned = loaded.diagnostics.iter().filter(|diagnostic| diagnostic.severity == Severity::Error);
        let all_in_teams = comes_to.contains(&code)
            || concerned.clone().all(|diagnostic| diagnostic.primary.file.starts_with("topology/teams/"));
        assert_eq!(loaded.topology.is_some(), all_in_teams, "{code}");
        if let Some(topology) = &loaded.topology {
            assert_eq!(topology.kept.is_empty(), concerned.count() == 0, "{code}");
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}
