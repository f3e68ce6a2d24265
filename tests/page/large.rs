//! The page of a large organisation: 500 spokes and 3,000 routes at one hub.

use crate::browser::{drive, installed};
use crate::served::{Served, serve_texts};
use serde_json::json;
use std::collections::BTreeMap;
use std::fmt::Write as _;

const TEAMS: usize = 50;
const SPOKES: usize = 10;
const SUBSCRIPTIONS: usize = 60;

/// Bytes of the first page at most: what a phone loads in a moment, compressed or not.
const BYTES_MAX: usize = 1024 * 1024;

fn team(number: usize) -> String {
    const NAMES: [&str; 10] =
        ["billing", "catalog", "delivery", "fraud", "ledger", "loyalty", "orders", "payments", "search", "shipping"];
    format!("{}-{}", NAMES[number % NAMES.len()], number / NAMES.len())
}

fn texts() -> BTreeMap<String, String> {
    let settings = "[operator]\nowner = \"acme-platform\"\n[pace]\nsettle-secs = 0\n[guards]\nfresh-secs-max = 3600\n";
    let hub = "[organization]\nid = \"o-a1b2c3d4e5\"\n[hub.main]\naccount = \"platform\"\nregion = \"us-east-1\"\nbus = \"org-events\"\n\
               grant = \"organization\"\nquotas = { rules-max = 3500 }\n";
    let mut accounts = "[account]\nplatform = { id = \"111111111111\" }\n".to_owned();
    let mut texts: BTreeMap<String, String> = [("wheelwright.toml", settings), ("topology/hubs.toml", hub)]
        .map(|(path, text)| (path.to_owned(), text.to_owned()))
        .into();
    for number in 0..TEAMS {
        let name = team(number);
        let mut text = format!(
            "[team]\nname = \"{name}\"\ncontact = \"#{name}\"\n[publish.all]\nsource = \"com.acme.{name}\"\nsubscribers = [\"*\"]\n"
        );
        for spoke in 0..SPOKES {
            let id = 200_000_000_000_u64 + (number * SPOKES + spoke) as u64;
            writeln!(accounts, "{name}-prod-{spoke} = {{ id = \"{id}\" }}").unwrap();
            writeln!(text, "[spoke.s{spoke}]\nhub = \"main\"\naccount = \"{name}-prod-{spoke}\"\nbus = \"{name}\"")
                .unwrap();
        }
        for entry in 0..SUBSCRIPTIONS {
            let from = team((number + 1 + entry % 30) % TEAMS);
            let spoke = entry % SPOKES;
            writeln!(
                text,
                "[subscribe.n{entry}]\nfrom = \"{from}.all\"\nspoke = \"s{spoke}\"\nwhere.detail.kind = [\"k{entry}\"]"
            )
            .unwrap();
        }
        texts.insert(format!("topology/teams/{name}.toml"), text);
    }
    texts.insert("topology/accounts.toml".to_owned(), accounts);
    texts
}

async fn large() -> Served {
    let more = "fast-every-secs = 30\n";
    let served = serve_texts(texts(), &format!("[on-drift]\nrule-disabled = \"hold\"\n# {more}"), None).await;
    served.in_step().await;
    served
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_organisation_is_one_page() {
    let served = large().await;
    let broken = ["ledger-1.n7", "orders-3.n41", "search-0.n2"];
    for subscription in broken {
        served.by_hand(&served.rule(subscription), "DisableRule");
    }
    served.found_disabled(broken.len()).await;
    let home = served.get("/").await.body;
    println!("500 spokes, 3,000 routes: {} bytes", home.len());
    assert!(home.len() < BYTES_MAX, "{} bytes", home.len());
    assert!(home.contains("3 of 3000 routes drifted"), "the headline");
    // What is broken is drawn for itself and listed first, among three thousand.
    for subscription in broken {
        let links = home.matches(&format!("/{subscription}\"")).count();
        assert!(links >= 3, "{subscription}: twice in the picture and once in the table, not {links}");
    }
    let all = served.get("/?rows=all").await.body;
    assert_eq!(all.split("<table class=\"routes\">").nth(1).unwrap().matches("<tr>").count(), 3_001);
    let one = served.get("/?team=ledger-1").await.body;
    assert!(one.matches("class=\"route s-delivering\"").count() > 100, "a team's routes are drawn one by one");
    if let Some(folder) = installed() {
        let asked = json!({
            "world": "large",
            "names": [],
            "paths": {"home": "/", "team": "/?team=ledger-1", "drifted": "/?state=drifted"},
        });
        drive(&folder, &served, &asked, |what| panic!("{what}"));
    }
    served.end().await;
}
