//! What a topology becomes, told as lines: each resource with what matters of it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use proptest::prelude::*;
use std::fmt::Write as _;
use wheelwright::config::{Settings, SourceFiles, Style, load, render};
use wheelwright::eventbridge::quota;
use wheelwright::expand::expand;
use wheelwright::model::desired::{Desired, Revision};
use wheelwright::model::few::shown;
use wheelwright::model::ids::Moment;
use wheelwright::model::resource::Grantee;

const TOPOLOGY: &str = r##"
[account]
platform = { id = "111111111111" }
payments-prod = { id = "222222222222" }
ledger-prod = { id = "333333333333" }
gateway = { id = "444444444444" }
partner = { id = "999999999999", access = "none" }
left = { id = "555555555555" }

[organization]
id = "o-a1b2c3d4e5"

[hub.us]
account = "platform"
region = "us-east-1"
bus = "org-events"
archive = { retention-days = 30 }
audit = { queue = "audit-log" }
tags = { cost = "hub" }

[hub.eu]
account = "platform"
region = "eu-west-1"
bus = "org-events"
grant = "organization"
"##;

const PAYMENTS: &str = r##"
[team]
name = "payments"
tags = { cost = "payments" }

[spoke.us]
hub = "us"
account = "payments-prod"
bus = "payments"

[spoke.eu]
hub = "eu"
account = "payments-prod"

[publish.settlements]
source = "com.acme.payments"
detail-types = ["PaymentSettled", "PaymentReversed"]

[publish.callbacks]
source = "com.acme.callbacks"
at = ["us"]
accounts = ["gateway"]

[publish.steps]
source = "com.acme.steps"
at = ["us"]
via = "spoke"
"##;

const LEDGER: &str = r##"
[team]
name = "ledger"

[spoke.us]
hub = "us"
account = "ledger-prod"
bus = "ledger"

[subscribe.large]
from = "payments.settlements"
detail-types = ["PaymentSettled"]
where.detail.amount = [{ numeric = [">", 10000] }]

[subscribe.callbacks]
from = "payments.callbacks"
replays = "deliver"

[subscribe.steps]
from = "payments.steps"
deliver = { queue = "steps" }
dead-letter = "own-dead-letters"
retry = { attempts-max = 3 }
"##;

const PARTNER: &str = r##"
[team]
name = "partner"

[spoke.us]
hub = "us"
account = "partner"
bus = "default"

[subscribe.settled]
from = "payments.settlements"
"##;

fn desired_of(files: &SourceFiles) -> Desired {
    let loaded = load(files);
    let text = render(&loaded.diagnostics, files, Style::Plain);
    expand(&loaded.topology.expect(&text), &loaded.settings, Revision { id: "test".into(), sequence: 7 }, Moment(0))
}

fn desired() -> Desired {
    desired_of(&SourceFiles::new([
        ("topology/base.toml", TOPOLOGY),
        ("topology/payments.toml", PAYMENTS),
        ("topology/ledger.toml", LEDGER),
        ("topology/partner.toml", PARTNER),
    ]))
}

fn lines(desired: &Desired) -> String {
    let mut out = String::new();
    for scope in &desired.scopes {
        _ = writeln!(out, "sweep {scope}");
    }
    for scope in &desired.no_access {
        _ = writeln!(out, "leave {scope}");
    }
    for (bus, wanted) in &desired.buses {
        _ = writeln!(
            out,
            "\nbus {bus}  \"{}\"  {}  ({})",
            wanted.spec.description,
            shown(&wanted.spec.tags),
            wanted.origin
        );
    }
    for (archive, wanted) in &desired.archives {
        _ = writeln!(
            out,
            "\narchive {}/{}  {} days of {}",
            archive.scope, archive.name, wanted.spec.retention_days, wanted.spec.source
        );
    }
    out.push('\n');
    for ((bus, id), wanted) in &desired.grants {
        let routes: Vec<String> = wanted.routes.iter().map(ToString::to_string).collect();
        _ = writeln!(out, "grant {bus}  {}  as {id}  for {}", wanted.spec, routes.join(", "));
    }
    for (rule, wanted) in &desired.rules {
        _ = writeln!(
            out,
            "\nrule {rule}  \"{}\"  ({} {})",
            wanted.spec.description, wanted.origin, wanted.origin.entry
        );
        _ = writeln!(out, "  {}", wanted.spec.pattern);
        _ = writeln!(out, "  {}", shown(&wanted.spec.tags));
        for (id, target) in &wanted.spec.targets {
            _ = writeln!(out, "  {id} -> {}", target.arn);
            _ = writeln!(out, "     role {}", target.role_arn.as_deref().unwrap_or("-"));
            _ = writeln!(out, "     dead letters {}", target.dead_letter_arn.as_deref().unwrap_or("-"));
            if let Some(retry) = target.retry {
                _ = writeln!(out, "     {} attempts, {} s", retry.attempts_max, retry.event_age_seconds_max);
            }
        }
    }
    for (id, route) in &desired.routes {
        _ = writeln!(
            out,
            "\nroute {id}\n  from {:?} via {:?} ({} forward rules) at {} to {}",
            route.publisher_accounts,
            route.via,
            route.forward_rules.len(),
            route.hub_bus,
            route.destination_arn
        );
    }
    out
}

#[test]
fn a_topology_becomes_these_resources() {
    insta::assert_snapshot!(lines(&desired()));
}

#[test]
fn every_name_and_size_is_one_that_aws_takes() {
    let desired = desired();
    for (rule, wanted) in &desired.rules {
        quota::valid_rule_name(&rule.name).unwrap();
        wanted.spec.targets.keys().for_each(|id| quota::valid_target_id(id).unwrap());
    }
    desired.grants.keys().for_each(|(_, id)| quota::valid_statement_id(id).unwrap());
    desired.archives.keys().for_each(|archive| quota::valid_archive_name(&archive.name).unwrap());
}

#[test]
fn grants_that_do_not_fit_the_policy_become_one_for_the_organisation() {
    let tight = TOPOLOGY.replace("tags = { cost = \"hub\" }", "quotas = { policy-characters-max = 300 }");
    let desired = desired_of(&SourceFiles::new([
        ("topology/base.toml", tight.as_str()),
        ("topology/payments.toml", PAYMENTS),
        ("topology/ledger.toml", LEDGER),
        ("topology/partner.toml", PARTNER),
    ]));
    let at_hub: Vec<&Grantee> = desired
        .grants
        .iter()
        .filter(|((bus, _), _)| bus.scope.to_string() == "111111111111/us-east-1")
        .map(|(_, wanted)| &wanted.spec)
        .collect();
    assert_eq!(at_hub, [&Grantee::Organization("o-a1b2c3d4e5".into())]);
}

#[test]
fn another_owner_shares_no_name_with_this_one() {
    let files = [
        ("topology/base.toml", TOPOLOGY),
        ("topology/payments.toml", PAYMENTS),
        ("topology/ledger.toml", LEDGER),
        ("topology/partner.toml", PARTNER),
    ];
    let topology = load(&SourceFiles::new(files)).topology.unwrap();
    let revision = || Revision { id: "test".into(), sequence: 7 };
    let mut other = Settings::default();
    other.operator.owner = "other".parse().unwrap();
    let (ours, theirs) = (
        expand(&topology, &Settings::default(), revision(), Moment(0)),
        expand(&topology, &other, revision(), Moment(0)),
    );
    assert!(ours.rules.keys().all(|rule| !theirs.rules.contains_key(rule)));
    assert!(ours.grants.keys().all(|grant| !theirs.grants.contains_key(grant)));
    assert!(ours.archives.keys().all(|archive| !theirs.archives.contains_key(archive)));
}

/// The parts of the topology, each of which can stand anywhere in its file.
fn parts() -> Vec<(&'static str, Vec<String>)> {
    let split = |text: &str| -> Vec<String> {
        let mut parts: Vec<String> = Vec::new();
        for line in text.lines() {
            if line.starts_with('[') || parts.is_empty() {
                parts.push(String::new());
            }
            let last = parts.last_mut().unwrap();
            last.push_str(line);
            last.push('\n');
        }
        parts
    };
    vec![
        ("base", split(TOPOLOGY)),
        ("payments", split(PAYMENTS)),
        ("ledger", split(LEDGER)),
        ("partner", split(PARTNER)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    /// Neither the order of entries in a file, nor the names of the files, nor their order decides anything.
    #[test]
    fn the_order_of_what_is_written_does_not_matter(
        orders in proptest::collection::vec(any::<u64>(), 64),
        names in Just(["a", "b", "c", "d"]).prop_shuffle(),
    ) {
        let mut order = orders.iter();
        let files = parts().into_iter().zip(names).map(|((_, mut entries), name)| {
            entries.sort_by_cached_key(|_| order.next().copied());
            (format!("topology/{name}.toml"), entries.concat())
        });
        let shuffled = desired_of(&SourceFiles::new(files));
        let straight = desired();
        prop_assert_eq!(&shuffled.scopes, &straight.scopes);
        prop_assert_eq!(shuffled.routes.keys().collect::<Vec<_>>(), straight.routes.keys().collect::<Vec<_>>());
        let specs = |desired: &Desired| {
            let rules: Vec<_> = desired.rules.iter().map(|(id, wanted)| (id.clone(), wanted.spec.clone(), wanted.routes.clone())).collect();
            let buses: Vec<_> = desired.buses.iter().map(|(id, wanted)| (id.clone(), wanted.spec.clone(), wanted.routes.clone())).collect();
            let grants: Vec<_> = desired.grants.iter().map(|(id, wanted)| (id.clone(), wanted.spec.clone(), wanted.routes.clone())).collect();
            (rules, buses, grants)
        };
        prop_assert_eq!(specs(&shuffled), specs(&straight));
    }
}

#[test]
fn an_audit_of_more_accounts_than_a_pattern_holds_takes_everything() {
    let tight = TOPOLOGY.replace("tags = { cost = \"hub\" }", "quotas = { pattern-characters-max = 100 }");
    let audit = |base: &str| {
        let desired =
            desired_of(&SourceFiles::new([("topology/base.toml", base), ("topology/payments.toml", PAYMENTS)]));
        let rule = desired.rules.iter().find(|(rule, _)| rule.name.starts_with("ww.hub.audit.")).unwrap();
        rule.1.spec.pattern.to_string()
    };
    assert!(audit(TOPOLOGY).starts_with(r#"{"account":["222222222222","444444444444"],"source""#));
    assert_eq!(audit(&tight), r#"{"source":[{"prefix":""}],"replay-name":[{"exists":false}]}"#);
}
