//! What the pages say, read as HTML without a browser.

use crate::served::{Served, TOKEN, serve, serve_texts};
use crate::support::Example;
use crate::wire::Answer;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};

/// Every address that a page of ours links to.
pub(crate) fn links(page: &str) -> BTreeSet<String> {
    let attributes = [" href=\"", " src=\"", " action=\""];
    let texts = attributes.iter().flat_map(|attribute| page.split(attribute).skip(1));
    let addresses = texts.filter_map(|rest| rest.split('"').next());
    addresses
        .map(|address| address.split('#').next().unwrap().replace("&amp;", "&"))
        .filter(|text| !text.is_empty())
        .collect()
}

fn text_of(page: &str) -> String {
    let mut text = String::new();
    let mut is_tag = false;
    for letter in page.chars() {
        match letter {
            '<' => is_tag = true,
            '>' => is_tag = false,
            letter if !is_tag => text.push(letter),
            _ => {}
        }
    }
    text.replace("&amp;", "&").replace("&gt;", ">").replace("&lt;", "<").replace("&quot;", "\"")
}

fn headline(page: &str) -> String {
    let rest = page.split("id=\"headline\"").nth(1).unwrap();
    text_of(rest.split('>').skip(1).collect::<Vec<_>>().join(">").split("</h1>").next().unwrap())
}

/// A page, which may be kept by nobody, loads nothing from elsewhere and runs nothing that is written in it.
async fn page(served: &Served, path: &str) -> Answer {
    let answer = served.get(path).await;
    let policy = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; \
                  base-uri 'none'; frame-ancestors 'none'";
    assert_eq!(answer.header("content-security-policy"), Some(policy), "{path}: {}", answer.head);
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{path}");
    assert_eq!(answer.header("referrer-policy"), Some("no-referrer"), "{path}");
    assert_eq!(answer.header("cache-control"), Some("no-store"), "{path}");
    assert_eq!(answer.header("content-type"), Some("text/html; charset=utf-8"), "{path}");
    assert!(
        !answer.body.contains(" style=") && !answer.body.contains("<style"),
        "{path}: the policy forbids inline styles"
    );
    assert!(!answer.body.contains("<script>") && !answer.body.contains(" onclick"), "{path}: and inline scripts");
    assert!(!answer.body.contains(TOKEN), "{path}");
    answer
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_link_leads_somewhere() {
    let served = serve("[on-drift]\nrule-disabled = \"hold\"\n", None).await;
    served.in_step().await;
    let stop = json!({"subscription": "orders.settled", "for-secs": 3600, "reason": "INC-4411", "by": "kim"});
    assert_eq!(served.post("/api/v1/stops", &stop).await.status, 200);
    served.by_hand(&served.rule("ledger.large"), "DisableRule");
    served.found_disabled(1).await;
    let mut waiting: Vec<String> = vec!["/".to_owned()];
    let mut seen: BTreeSet<String> = BTreeSet::new();
    while let Some(path) = waiting.pop() {
        if !seen.insert(path.clone()) {
            continue;
        }
        if path.starts_with("/assets/") {
            let answer = served.get(&path).await;
            assert_eq!(answer.status, 200, "{path}");
            assert_eq!(answer.header("cache-control"), Some("public, max-age=31536000, immutable"), "{path}");
            continue;
        }
        if path.starts_with("/api/") || path == "/sign-in" {
            assert_eq!(served.get(&path).await.status, 200, "{path}");
            continue;
        }
        let answer = page(&served, &path).await;
        // The newest sweep has none after it yet.
        let is_next = path.starts_with("/sweeps/") && answer.status == 404;
        assert!(answer.status == 200 || is_next, "{path}: {}", answer.head);
        // Sweeps and filters go on for ever; a few of them show as much as all.
        let kind = |path: &str| path.split(['/', '?', '=']).nth(1).unwrap_or_default().to_owned();
        for link in links(&answer.body) {
            assert!(link.starts_with('/') && !link.starts_with("//"), "{path} links to {link}");
            let alike = seen.iter().filter(|other| kind(other) == kind(&link)).count();
            if alike < 60 {
                waiting.push(link);
            }
        }
    }
    for kind in ["/routes/", "/incidents/", "/sweeps/", "/writes/", "/?team=", "/?hub=", "/?state="] {
        assert!(seen.iter().any(|path| path.starts_with(kind)), "no page linked to {kind}…: {seen:?}");
    }
    served.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_says_what_is_wrong_and_what_lets_it_go() {
    let served = serve("[on-drift]\nrule-disabled = \"hold\"\n", None).await;
    served.in_step().await;
    served.another_sweep().await;
    let well = page(&served, "/").await.body;
    assert_eq!(headline(&well), "All 22 routes deliver");
    assert!(text_of(&well).contains("Nothing is wrong."));

    served.by_hand(&served.rule("ledger.large"), "DisableRule");
    served.found_disabled(1).await;
    let home = page(&served, "/").await.body;
    assert_eq!(headline(&home), "1 of 22 routes drifted; held for a person");
    let told = text_of(&home);
    for words in
        ["rule-disabled", "+ asked", "#ledger-oncall", "topology/teams/ledger.toml:23", "wheelwright apply", "state"]
    {
        // The signs before "asked" and "live" are the style sheet's.
        let words = words.trim_start_matches("+ ");
        assert!(told.contains(words), "{words}: {told}");
    }

    // Its route, hop by hop.
    let route = page(&served, "/routes/payments.settlements/ledger.large").await.body;
    let told = text_of(&route);
    let hops = ["Publisher", "Hub us", "Rule and pattern", "Role and dead letter", "Destination"];
    for words in hops.iter().chain(&[
        "drifted",
        "com.acme.payments",
        "DISABLED",
        "wheelwright-delivery",
        "large-payments",
        "abc1234",
    ]) {
        assert!(told.contains(words), "{words}: {told}");
    }
    // One that is forwarded has that hop too, and an audit has no publisher of its own.
    let forwarded = text_of(&page(&served, "/routes/orders.checkout-steps/fraud.abandoned").await.body);
    assert!(forwarded.contains("Forward"), "{forwarded}");
    assert!(text_of(&page(&served, "/routes/everything/audit-us").await.body).contains("audit-log"));

    // The incident by its link.
    let id =
        served.get("/api/v1/incidents?code=rule-disabled").await.json()["items"][0]["id"].as_str().unwrap().to_owned();
    let incident = text_of(&page(&served, &format!("/incidents/{id}")).await.body);
    assert!(incident.contains("payments.settlements -> ledger.large") && incident.contains("DISABLED"), "{incident}");
    served.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_ordered_is_told_with_its_end_and_the_command_that_ends_it() {
    let served = serve("", None).await;
    served.in_step().await;
    let stop = json!({"subscription": "ledger.large", "for-secs": 3600, "reason": "INC-4411", "by": "kim"});
    assert_eq!(served.post("/api/v1/stops", &stop).await.status, 200);
    let pause = json!({"reach": "team fraud", "for-secs": 600, "reason": "they look at it", "by": "kim"});
    assert_eq!(served.post("/api/v1/pauses", &pause).await.status, 200);
    served.another_sweep().await;
    let told = text_of(&page(&served, "/").await.body);
    for words in [
        "1 of 22 routes stopped",
        "wheelwright start ledger.large",
        "wheelwright resume --team fraud",
        "INC-4411",
        "by kim",
    ] {
        assert!(told.contains(words), "{words}: {told}");
    }
    served.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_filter_is_an_address() {
    let served = serve("", None).await;
    served.in_step().await;
    // The rows of the table: one head, and one for each route.
    let rows =
        |page: &str| page.split("<table class=\"routes\">").nth(1).map_or(0, |table| table.matches("<tr>").count() - 1);
    let fades = |page: &str| page.matches(" fade\"").count();
    let all = page(&served, "/").await.body;
    assert_eq!((rows(&all), fades(&all)), (22, 0));
    for (query, expected) in [
        ("?hub=eu", 5),
        ("?team=ledger", 3),
        ("?source=com.acme.fraud", 1),
        ("?state=delivering", 22),
        ("?hub=eu&team=shipping", 4),
    ] {
        let shown = page(&served, &format!("/{query}")).await.body;
        let api =
            served.get(&format!("/api/v1/routes{}", if query == "?team=ledger" { query } else { "" })).await.json();
        assert_eq!(rows(&shown), expected, "{query}: {api}");
        assert!(
            expected == 22 || query.contains("hub=eu") && !query.contains("team") || fades(&shown) > 0,
            "{query}: the rest fades"
        );
    }
    let none = page(&served, "/?team=nobody%3Cscript%3E&x=1").await.body;
    assert_eq!(rows(&none), 0);
    assert!(none.contains("0 of 22 routes") && none.contains("nobody&lt;script&gt;") && !none.contains("<script>"));
    served.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_people_wrote_is_shown_and_not_obeyed() {
    const HOSTILE: &str = "<script src=//evil.example></script>\\\"' onmouseover=alert(1)";
    let mut texts: BTreeMap<String, String> = Example::worked().texts;
    let team = texts.get_mut("topology/teams/ledger.toml").unwrap();
    *team = team.replace("#ledger-oncall", HOSTILE);
    assert!(team.contains(HOSTILE));
    let served = serve_texts(texts, "[on-drift]\nrule-disabled = \"hold\"\n", None).await;
    served.in_step().await;
    let stop = json!({"subscription": "orders.settled", "for-secs": 3600, "reason": "<img src=x onerror=alert(1)>", "by": "<b>kim"});
    assert_eq!(served.post("/api/v1/stops", &stop).await.status, 200);
    served.by_hand(&served.rule("ledger.large"), "DisableRule");
    served.found_disabled(1).await;
    for path in ["/", "/routes/payments.settlements/ledger.large", "/routes/payments.settlements/orders.settled"] {
        let body = page(&served, path).await.body;
        for raw in ["<script src=//", "<img", "<b>kim"] {
            assert!(!body.contains(raw), "{path}: {raw}");
        }
    }
    let home = served.get("/").await.body;
    assert!(home.contains("&lt;script src=//evil.example&gt;") && home.contains("&lt;img src=x"), "{home}");
    served.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_there_is_said_on_a_page_with_a_way_back() {
    let served = serve("", None).await;
    served.in_step().await;
    let paths = [
        "/routes/payments.settlements/ledger.larg",
        "/routes/x/y",
        "/incidents/0000000000",
        "/sweeps/999999",
        "/sweeps/one",
        "/sweeps/99999999999999999999",
        "/writes/999999",
        "/writes/-1",
        "/happened?before=yesterday",
    ];
    for path in paths {
        let answer = page(&served, path).await;
        assert_eq!(answer.status, 404, "{path}");
        assert!(answer.body.contains("<a href=\"/\">Back to the wheel</a>"), "{path}");
    }
    let asked =
        format!("GET /nothing HTTP/1.1\r\nHost: {}\r\nAccept: text/html\r\nConnection: close\r\n\r\n", served.address);
    let answer = crate::wire::raw(served.address, asked.as_bytes()).await.unwrap();
    assert_eq!((answer.status, answer.header("content-type")), (404, Some("text/html; charset=utf-8")));
    // Who does not ask for a page is told as the API tells it.
    assert_eq!(
        served.get("/nothing").await.problem(),
        "404 not-found: there is no /nothing; /api/v1/openapi.json lists what there is"
    );
    served.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_happened_is_told_back_to_the_beginning() {
    let served = serve("", None).await;
    served.in_step().await;
    let reasons: BTreeSet<String> = (1000..1130).map(|number| format!("INC-{number}")).collect();
    for reason in &reasons {
        let pause = json!({"reach": "all", "for-secs": 60, "reason": reason, "by": "kim"});
        assert_eq!(served.post("/api/v1/pauses", &pause).await.status, 200);
    }
    let mut told: Vec<String> = Vec::new();
    let mut path = "/".to_owned();
    let mut pages = 0;
    loop {
        let page = page(&served, &path).await;
        assert_eq!(page.status, 200, "{path}");
        pages += 1;
        // The last page has the sweep that made everything, and where the rest of its writes are.
        let line = page.body.split("<ol class=\"timeline\">").nth(1).unwrap().split("</ol>").next().unwrap();
        told.extend(line.split("<li>").skip(1).map(text_of));
        let older: Vec<String> = links(&page.body).into_iter().filter(|link| link.contains("?before=")).collect();
        match older.as_slice() {
            [] => break,
            [next] => path.clone_from(next),
            more => panic!("{more:?}"),
        }
    }
    let of_kim: Vec<&str> = told.iter().filter_map(|line| line.split("by kim: ").nth(1)).collect();
    let distinct: BTreeSet<String> = of_kim.iter().map(ToString::to_string).collect();
    assert_eq!((pages, of_kim.len()), (3, reasons.len()), "{told:#?}");
    assert_eq!(distinct, reasons);
    assert!(told.last().unwrap().contains("more of sweep #1"), "{told:#?}");
    served.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_did_not_change_is_not_sent_again() {
    let mut served = serve("", None).await;
    served.in_step().await;
    served.end_daemon().await;
    let first = served.get("/").await;
    let tag = first.header("etag").unwrap();
    let asked =
        format!("GET / HTTP/1.1\r\nHost: {}\r\nIf-None-Match: {tag}\r\nConnection: close\r\n\r\n", served.address);
    let again = crate::wire::raw(served.address, asked.as_bytes()).await.unwrap();
    assert_eq!((again.status, &*again.body), (304, ""));
    served.end().await;
}
