//! A daemon that looks only when it starts and when it is told to: whatever happens, happens because somebody said so.

use crate::ears::Ears;
use crate::emulators::example::{BASE, LEDGER as LEDGER_FILE};
use crate::emulators::server::Server;
use crate::site::{Site, until};
use serde_json::Value;
use std::process::Stdio;

const SETTINGS: &str = r#"
[mode]
default = "enforce"

[sweep]
fast-every-secs = 3600
full-every-secs = 3600
gap-secs-min = 0
start-jitter-secs-max = 0
source-every-secs = 1
"#;

pub(crate) fn tell(server: Server) {
    let mut ears = Ears::open(&server);
    let mut site = Site::new(server, &format!("{SETTINGS}{}", ears.settings()));
    site.start();
    site.wait_in_step();
    ears.next(&site, &[("raised", "route-stopped", "ww.fraud.held.")]);
    it_looks_when_it_is_told_to(&site, &mut ears);
    routes_are_stopped_and_started(&site, &mut ears);
    orders_need_the_token(&site);
    it_ends_and_goes_on(&mut site, &mut ears);
    a_bad_topology_is_told_and_a_good_one_taken_over(&mut site, &mut ears);
    a_lost_state_writes_nothing(&mut site, &mut ears);
    ears.assert_silent(&site);
    assert!(site.terminate().success());
}

fn it_looks_when_it_is_told_to(site: &Site, ears: &mut Ears) {
    site.on_rule("DisableRule", "fraud.cards");
    site.signal("HUP");
    ears.next(site, &[("mended", "rule-disabled", "ww.fraud.cards.")]);
    assert!(site.is_enabled("fraud.cards"));
    let status = site.ask(&["status"]);
    assert!(status.contains("by signal") && status.contains("mode enforce"), "{status}");
    site.on_rule("DisableRule", "fraud.cards");
    site.ask(&["sweep"]);
    ears.next(site, &[("mended", "rule-disabled", "ww.fraud.cards.")]);
    assert!(site.is_enabled("fraud.cards"));
    // The latest first: both were written, each for what was found.
    let history = site.ask_json(&["history", "--resource", "ww.fraud.cards"]);
    let reverts: Vec<&Value> =
        history["items"].as_array().unwrap().iter().filter(|item| item["cause"] == "drift").collect();
    assert_eq!(reverts.len(), 2, "{history:#}");
    assert!(reverts.iter().all(|item| item["end"] == "done"), "{history:#}");
    let why = site.ask(&["why", "fraud.cards"]);
    let line = site.line_of("topology/teams/fraud.toml", "[subscribe.cards]");
    for part in [&format!("topology/teams/fraud.toml:{line}"), "team fraud", "mark       acme-platform", "drift"] {
        assert!(why.contains(part), "{part:?} is not in\n{why}");
    }
    let nothing = site.tell(&["why", "nobody"]).expect(1).err;
    assert!(nothing.contains("there is no `nobody`"), "{nothing}");
}

fn routes_are_stopped_and_started(site: &Site, ears: &mut Ears) {
    let said = site.ask(&["stop", "ledger.large", "--for", "2h", "--reason", "INC-8", "--by", "ann"]);
    assert!(said.contains("ledger.large is held off until") && said.contains("dropped"), "{said}");
    site.wait_disabled("ledger.large");
    let targets = site.on_rule("DescribeRule", "ledger.large");
    assert!(targets["Description"].as_str().unwrap().contains("[ww1:acme-platform:"), "{targets}");
    ears.next(site, &[("raised", "route-stopped", "ww.ledger.large.")]);
    let status = site.ask(&["status"]);
    assert!(status.contains("stopped    ledger.large until") && status.contains("by ann: INC-8"), "{status}");
    let why = site.ask(&["why", "ledger.large"]);
    assert!(why.contains("route-stopped") && why.contains("INC-8"), "{why}");
    let said = site.ask(&["start", "ledger.large"]);
    assert!(said.contains("ledger.large goes on"), "{said}");
    site.wait_enabled("ledger.large");
    ears.next(site, &[("resolved", "route-stopped", "ww.ledger.large.")]);
    // What a file holds off, the file lets go on.
    let refused = site.tell(&["start", "fraud.held"]).expect(1).err;
    assert!(refused.contains("topology/teams/fraud.toml"), "{refused}");
    let refused = site.tell(&["stop", "fraud.nobody", "--for", "1h", "--reason", "INC-9"]).expect(1).err;
    assert!(refused.contains("nobody subscribes by that name"), "{refused}");
}

fn orders_need_the_token(site: &Site) {
    let pause = ["pause", "--all", "--for", "1h", "--reason", "INC-10"];
    let refused = site.tell_without_token(&pause).expect(1).err;
    assert!(refused.contains("orders need the daemon's token"), "{refused}");
    let guessed = site.tell_without_token(&[&pause[..], &["--token", "guessed"]].concat()).expect(1).err;
    assert!(guessed.contains("the token is not the one"), "{guessed}");
    assert_eq!(site.status()["pauses"], 0);
    // Who is on this machine may look.
    let looked = site.tell_without_token(&["status"]).expect(0).out;
    assert!(looked.contains("acme-platform"), "{looked}");
}

fn it_ends_and_goes_on(site: &mut Site, ears: &mut Ears) {
    let second = site.command().stdin(Stdio::null()).output().unwrap();
    let said = String::from_utf8(second.stderr).unwrap();
    assert_eq!(second.status.code(), Some(1), "{said}");
    let folder = site.state();
    assert!(said.contains(folder.to_str().unwrap()) && said.contains("another"), "{said}");

    site.ask(&["pause", "--team", "fraud", "--for", "1h", "--reason", "INC-11", "--by", "ann"]);
    site.on_rule("DisableRule", "fraud.cards");
    site.ask(&["sweep"]);
    ears.next(site, &[("raised", "rule-disabled", "ww.fraud.cards.")]);
    let before = site.incident("rule-disabled");
    assert_eq!(site.terminate().code(), Some(0));
    site.start();
    until("the first sweep", || site.status()["last-full"].is_string().then_some(()));
    let after = site.incident("rule-disabled");
    assert_eq!((&before["id"], &before["opened"]), (&after["id"], &after["opened"]));
    assert!(!site.is_enabled("fraud.cards"));
    ears.assert_silent(site);
    let sweeps = [&before, &after].map(|incident| incident["count"].as_u64().unwrap());
    assert!(sweeps[0] < sweeps[1], "{sweeps:?}");
    site.ask(&["resume", "--team", "fraud"]);
    ears.next(site, &[("resolved", "rule-disabled", "ww.fraud.cards.")]);
    assert!(site.is_enabled("fraud.cards"));
}

fn a_bad_topology_is_told_and_a_good_one_taken_over(site: &mut Site, ears: &mut Ears) {
    let good = std::fs::read_to_string(site.folder.path().join(BASE)).unwrap();
    site.folder.replace(BASE, "[hub.us]\n", "[hub.us]\nbuss = \"org-events\"\n");
    let told = ears.next(site, &[("raised", "topology-refused", "the topology is refused")]);
    let place = format!("{BASE}:{}", site.line_of(BASE, "buss"));
    let detail = told[0]["incidents"][0]["detail"].as_str().unwrap();
    assert!(detail.contains(&place) && detail.contains("buss"), "{place} is not in\n{detail}");
    let status = site.ask(&["status"]);
    assert!(status.contains("a newer one is refused"), "{status}");
    // The last good one stands.
    site.on_rule("DisableRule", "orders.settled");
    site.ask(&["sweep"]);
    ears.next(site, &[("mended", "rule-disabled", "ww.orders.settled.")]);
    assert!(site.is_enabled("orders.settled"));

    let more = "[subscribe.large]\n";
    let added = "[subscribe.reversed]\nfrom = \"payments.settlements\"\ndetail-types = [\"PaymentReversed\"]\n\n";
    site.folder.replace(LEDGER_FILE, more, &format!("{added}{more}"));
    site.folder.write(BASE, &good);
    ears.next(site, &[("resolved", "topology-refused", "the topology was refused")]);
    site.wait_in_step();
    let why = site.ask(&["why", "ledger.reversed"]);
    let line = site.line_of(LEDGER_FILE, "[subscribe.reversed]");
    assert!(why.contains(&format!("{LEDGER_FILE}:{line}")) && why.contains("there, as of"), "{why}");
}

fn a_lost_state_writes_nothing(site: &mut Site, ears: &mut Ears) {
    site.wait_told(&[]);
    assert!(site.terminate().success());
    site.remove_state();
    site.on_rule("DisableRule", "fraud.settled");
    // A start that comes to nothing makes the new state, and decides nothing.
    let refused = site.command().env_remove("HOOK_KEY").stdin(Stdio::null()).output().unwrap();
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(refused.status.code() == Some(1) && said.contains("HOOK_KEY"), "{said}");
    site.start();
    // The new state has told nobody anything yet.
    let told = ears.next(
        site,
        &[
            ("raised", "state-lost", "the daemon's state is lost"),
            ("raised", "route-stopped", "ww.fraud.held."),
            ("raised", "rule-disabled", "ww.fraud.settled."),
        ],
    );
    let held = told.iter().find(|message| message["code"] == "rule-disabled").unwrap();
    assert_eq!(held["incidents"][0]["outcome"], "held", "{held:#}");
    site.ask(&["sweep", "--full"]);
    until("a full sweep by request", || (site.status()["last-sweep"]["trigger"] == "request").then_some(()));
    assert!(!site.is_enabled("fraud.settled"), "it was written though the state is lost");
    let history = site.ask(&["history"]);
    assert!(history.contains("Nothing was written."), "{history}");
    let status = site.ask(&["status"]);
    assert!(status.contains("STATE LOST"), "{status}");
    let refused = site.tell(&["stop", "ledger.large", "--for", "1h", "--reason", "INC-12"]).expect(1).err;
    assert!(refused.contains("resume --state-lost"), "{refused}");

    site.ask(&["resume", "--state-lost"]);
    ears.next(
        site,
        &[
            ("resolved", "state-lost", "the daemon's state was lost"),
            ("resolved", "rule-disabled", "ww.fraud.settled."),
        ],
    );
    assert!(site.is_enabled("fraud.settled"));
    assert!(!site.ask(&["status"]).contains("STATE LOST"));
}
