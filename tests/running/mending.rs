//! A daemon that sweeps every two seconds: edits by hand, a pause over a kill, a receiver that is down over another.

use crate::ears::Ears;
use crate::emulators::picture::{Picture, Scope, picture};
use crate::emulators::server::Server;
use crate::site::{Site, until};
use crate::support::probes::{FRAUD, LEDGER, ORDERS, PAYMENTS, PLATFORM, US};
use serde_json::json;
use std::collections::BTreeSet;

const SETTINGS: &str = r#"
[mode]
default = "enforce"

[sweep]
fast-every-secs = 2
full-every-secs = 6
gap-secs-min = 0
start-jitter-secs-max = 0
source-every-secs = 1
"#;

/// Edits that are one call each, so that no sweep can find half of one: the row of drift, and what its message names.
const EDITS: &[(&str, &str)] = &[
    ("rule disabled", "ww.fraud.cards."),
    ("only target removed", "ww.orders.settled."),
    ("publisher's statement removed", "org-events"),
    ("hub's statement on a spoke removed", "ledger"),
    ("pattern changed", "ww.ledger.large."),
    ("description edited, mark kept", "ww.ledger.large."),
    ("tag of a rule given another value", "ww.ledger.large."),
    ("stopped rule enabled", "ww.fraud.held."),
];

pub(crate) fn tell(server: Server) {
    let mut ears = Ears::open(&server);
    let mut site = Site::new(server, &format!("{SETTINGS}{}", ears.settings()));
    site.start();
    site.wait_in_step();
    // The example has one route that is held off.
    ears.next(&site, &[("raised", "route-stopped", "ww.fraud.held.")]);
    edits_are_mended(&site, &mut ears);
    foreign_things_are_left(&site, &mut ears);
    a_pause_outlives_a_kill(&mut site, &mut ears);
    a_receiver_that_was_down_hears_all_in_order(&mut site, &mut ears);
    site.wait_sweeps(3);
    ears.assert_silent(&site);
    assert!(site.terminate().success());
}

fn look(site: &Site) -> Picture {
    let scopes: BTreeSet<Scope> =
        [PLATFORM, PAYMENTS, LEDGER, ORDERS, FRAUD].map(|account| (account.to_owned(), US.to_owned())).into();
    picture(&site.server, &scopes)
}

fn edits_are_mended(site: &Site, ears: &mut Ears) {
    let before = look(site);
    for (name, about) in EDITS {
        let row = site.edit(name);
        let codes: Vec<String> = row.finds().into_iter().map(|(code, _)| code.to_string()).collect();
        let expected: Vec<(&str, &str, &str)> = codes.iter().map(|code| ("mended", code.as_str(), *about)).collect();
        for message in ears.next(site, &expected) {
            assert_eq!(message["incidents"].as_array().unwrap().len(), 1, "{name}: {message:#}");
            assert_eq!(message["incidents"][0]["resolution"], "mended", "{name}: {message:#}");
        }
        assert_eq!(look(site), before, "{name}: after mending");
    }
    site.wait_sweeps(4);
    ears.assert_silent(site);
    assert_eq!(look(site), before);
    let history = site.ask(&["history"]);
    assert!(history.contains("ww.fraud.cards.") && history.contains("drift"), "{history}");
    let incidents = site.ask(&["incidents"]);
    assert!(incidents.contains("route-stopped") && !incidents.contains("rule-disabled"), "{incidents}");
    let over = site.ask(&["incidents", "--all"]);
    assert!(over.contains("rule-disabled") && over.contains("mended until"), "{over}");
}

fn foreign_things_are_left(site: &Site, ears: &mut Ears) {
    let theirs = json!({"Name": "theirs", "EventBusName": "org-events", "EventPattern": r#"{"source":["theirs"]}"#});
    site.server.must(PLATFORM, US, "PutRule", theirs);
    let with_theirs = look(site);
    let raised = ears.next(site, &[("raised", "foreign-rule", "theirs")]);
    site.wait_sweeps(4);
    ears.assert_silent(site);
    assert_eq!(look(site), with_theirs, "a foreign rule was written, or something of ours for it");
    let name = json!({"Name": "theirs", "EventBusName": "org-events"});
    site.server.must(PLATFORM, US, "DeleteRule", name);
    let resolved = ears.next(site, &[("resolved", "foreign-rule", "theirs")]);
    assert_eq!(raised[0]["incidents"][0]["id"], resolved[0]["incidents"][0]["id"]);
}

fn a_pause_outlives_a_kill(site: &mut Site, ears: &mut Ears) {
    let said = site.ask(&["pause", "--team", "ledger", "--for", "1h", "--reason", "INC-7", "--by", "ann"]);
    assert!(said.contains("team ledger is paused until"), "{said}");
    site.on_rule("DisableRule", "ledger.large");
    let raised = ears.next(site, &[("raised", "rule-disabled", "ww.ledger.large.")]);
    assert_eq!(raised[0]["incidents"][0]["outcome"], "held");
    site.wait_sweeps(3);
    assert!(!site.is_enabled("ledger.large"), "it was written during a pause");
    let before = site.incident("rule-disabled");

    site.wait_told(&[]);
    site.kill();
    ears.hook.sender_was_killed();
    site.on_rule("DisableRule", "fraud.settled");
    site.start();
    // The other team's drift is mended, and nothing else is told.
    ears.next(site, &[("mended", "rule-disabled", "ww.fraud.settled.")]);
    site.wait_sweeps(3);
    ears.assert_silent(site);
    assert!(site.is_enabled("fraud.settled"));
    assert!(!site.is_enabled("ledger.large"), "the pause did not outlive the kill");
    let after = site.incident("rule-disabled");
    for key in ["id", "opened", "subject", "told"] {
        assert_eq!(before[key], after[key], "{key} of the incident");
    }
    let status = site.ask(&["status"]);
    assert!(status.contains("paused     team ledger until") && status.contains("by ann: INC-7"), "{status}");

    let said = site.ask(&["resume", "--team", "ledger"]);
    assert!(said.contains("team ledger goes on"), "{said}");
    let resolved = ears.next(site, &[("resolved", "rule-disabled", "ww.ledger.large.")]);
    assert_eq!(resolved[0]["incidents"][0]["id"], before["id"]);
    assert_eq!(resolved[0]["incidents"][0]["resolution"], "mended");
    assert!(site.is_enabled("ledger.large"));
    let again = site.tell(&["resume", "--team", "ledger"]).expect(1);
    assert!(again.err.contains("team ledger is not paused"), "{}", again.err);
}

/// What was raised while nobody listened is still tried when it is over, and when the daemon starts again.
fn a_receiver_that_was_down_hears_all_in_order(site: &mut Site, ears: &mut Ears) {
    ears.hook.close();
    site.edit("foreign statement added");
    ears.wait(site, &["bus", "people", "topic"], 1);
    // It was tried twice, so the third try is some seconds away.
    let not_taken = |site: &Site| {
        let tries = site.log().into_iter().filter(|line| line["message"] == "an alert was not taken");
        tries.inspect(|line| assert_eq!(line["channel"], "hook", "{line}")).count()
    };
    until("two tries in vain", || (not_taken(site) >= 2).then_some(()));
    let input = json!({"EventBusName": "org-events", "StatementId": "partner"});
    site.server.must(PLATFORM, US, "RemovePermission", input);
    ears.wait(site, &["bus", "people", "topic"], 2);
    site.wait_told(&[("hook", 2)]);
    site.kill();
    ears.hook.sender_was_killed();
    ears.hook.open_again();
    site.start();
    let told = ears.next(site, &[("raised", "foreign-grant", "partner"), ("resolved", "foreign-grant", "partner")]);
    let kinds: Vec<&str> = told.iter().filter_map(|message| message["kind"].as_str()).collect();
    assert_eq!(kinds, ["raised", "resolved"], "in this order");
    assert_eq!(told[0]["incidents"][0]["id"], told[1]["incidents"][0]["id"]);
}
