//! What is answered, as people read it, and what is obeyed.

use crate::served::serve;
use crate::wire::raw;
use serde_json::{Value, json};

/// What differs from run to run.
const CHANGING: &[&str] = &[
    "at",
    "began",
    "first-ready",
    "id",
    "last-full",
    "last-seen",
    "next-before",
    "observed",
    "opened",
    "plan-id",
    "request-id",
    "since",
    "started",
    "sweep",
    "sweeping",
    "took-ms",
    "until",
    "count",
    "last-sweep",
];

/// An answer as text, with what differs from run to run left out, and these texts in it.
fn steady_but(answer: Value, texts: &[&Value]) -> String {
    let texts = texts.iter().map(|text| text.as_str().unwrap());
    texts.fold(steady(answer), |steady, text| steady.replace(text, "(changes)"))
}

/// An answer as text, with what differs from run to run left out.
fn steady(mut answer: Value) -> String {
    fn go(value: &mut Value) {
        match value {
            Value::Array(items) => items.iter_mut().for_each(go),
            Value::Object(fields) => {
                for (key, value) in fields.iter_mut() {
                    if CHANGING.contains(&key.as_str()) && !value.is_null() {
                        *value = json!("(changes)");
                    }
                    go(value);
                }
            }
            _ => {}
        }
    }
    go(&mut answer);
    serde_json::to_string_pretty(&answer).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_wrong_is_told_with_who_should_care() {
    let served = serve("[on-drift]\nrule-disabled = \"hold\"\n", None).await;
    served.in_step().await;
    let rule = served.rule("ledger.large");
    served.by_hand(&rule, "DisableRule");
    served.found_disabled(1).await;

    insta::assert_snapshot!("status", steady(served.get("/api/v1/status").await.json()));
    insta::assert_snapshot!("incidents", steady(served.get("/api/v1/incidents?open=true&team=ledger").await.json()));
    insta::assert_snapshot!("plan", steady(served.get("/api/v1/plan").await.json()));
    insta::assert_snapshot!("scopes", steady(served.get("/api/v1/scopes?limit=2").await.json()));
    insta::assert_snapshot!("why_a_subscription", steady(served.get("/api/v1/why?what=ledger.large").await.json()));

    // The id in a chat, and the ARN from the console, lead to the same.
    let incidents = served.get("/api/v1/incidents?code=rule-disabled").await.json();
    let id = incidents["items"][0]["id"].as_str().unwrap();
    let drifted = served.get("/api/v1/routes?state=drifted").await.json();
    insta::assert_snapshot!("routes_drifted", steady_but(drifted, &[&json!(id)]));
    let one = served.get(&format!("/api/v1/incidents/{id}")).await.json();
    assert_eq!(one["subject"], incidents["items"][0]["subject"]);
    let by_arn = served.get(&format!("/api/v1/why?what={}", rule.arn())).await.json();
    let by_name = served.get(&format!("/api/v1/why?what={}", rule.name)).await.json();
    assert_eq!(by_arn["matches"].as_array().unwrap().len(), 1, "{by_arn}");
    assert_eq!(by_arn["matches"][0]["resource"], by_name["matches"][0]["resource"]);
    assert_eq!(by_arn["matches"][0]["live"]["state"], "DISABLED");
    assert_eq!(by_arn["matches"][0]["incidents"][0]["id"], id);
    served.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_done_can_be_read_page_by_page() {
    let served = serve("", None).await;
    served.in_step().await;
    let rule = served.rule("ledger.large");
    served.by_hand(&rule, "DisableRule");
    served.until("the incident", |status| status.last_sweep.as_ref().is_some_and(|sweep| sweep.findings > 0)).await;
    served.in_step().await;
    let last = served.get(&format!("/api/v1/writes?resource={}&limit=1", rule.name)).await.json();
    insta::assert_snapshot!("writes", steady(last.clone()));
    let sweep = last["items"][0]["sweep"].as_u64().unwrap();
    let of_it = served.get(&format!("/api/v1/writes?sweep={sweep}")).await.json();
    assert_eq!(of_it["items"].as_array().unwrap().len(), 1, "only the mending: {of_it}");

    // Page by page, everything comes once.
    let all = served.get("/api/v1/writes?limit=1000").await.json();
    let all: Vec<u64> = all["items"].as_array().unwrap().iter().map(|write| write["id"].as_u64().unwrap()).collect();
    assert!(all.len() > 30, "{all:?}");
    let (mut paged, mut before) = (Vec::new(), String::new());
    loop {
        let page = served.get(&format!("/api/v1/writes?limit=7{before}")).await.json();
        paged.extend(page["items"].as_array().unwrap().iter().map(|write| write["id"].as_u64().unwrap()));
        let Some(next) = page["next-before"].as_u64() else { break };
        before = format!("&before={next}");
    }
    assert_eq!(paged, all);
    let sweeps = served.get("/api/v1/sweeps?limit=1").await.json();
    insta::assert_snapshot!("sweeps", steady(sweeps));
    served.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_route_is_held_off_and_let_go_again() {
    let served = serve("", None).await;
    served.in_step().await;
    let rule = served.rule("ledger.large");
    let order = json!({"subscription": "ledger.large", "for-secs": 3600, "reason": "INC-4411", "by": "kim"});
    let stopped = served.post("/api/v1/stops", &order).await;
    assert_eq!(stopped.status, 200, "{}", stopped.body);
    assert!(stopped.json()["message"].as_str().unwrap().contains("dropped meanwhile, not queued"), "{}", stopped.body);
    served.another_sweep().await;
    assert_eq!(served.live(&rule)["State"], "DISABLED");
    let routes = served.get("/api/v1/routes?state=stopped").await.json();
    assert_eq!(routes["total"], 1, "{routes}");
    assert!(routes["items"][0]["why"][0].as_str().unwrap().contains("INC-4411"), "{routes}");
    let orders = served.get("/api/v1/orders").await.json();
    insta::assert_snapshot!("orders", steady_but(orders.clone(), &[&orders["stops"][0]["until"]]));

    let started = served.post("/api/v1/start", &json!({"subscription": "ledger.large", "by": "kim"})).await;
    assert_eq!(started.status, 200, "{}", started.body);
    served.another_sweep().await;
    assert_eq!(served.live(&rule)["State"], "ENABLED");
    let again = served.post("/api/v1/start", &json!({"subscription": "ledger.large", "by": "kim"})).await;
    assert_eq!(again.problem(), "409 refused: ledger.large is not held off");
    served.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_paused_team_is_left_until_it_is_resumed() {
    let served = serve("", None).await;
    served.in_step().await;
    let rule = served.rule("ledger.large");
    let pause = json!({"reach": "team ledger", "for-secs": 600, "reason": "they look at it", "by": "kim"});
    assert_eq!(served.post("/api/v1/pauses", &pause).await.status, 200);
    served.by_hand(&rule, "DisableRule");
    served.another_sweep().await;
    assert_eq!(served.live(&rule)["State"], "DISABLED", "nothing is written while it is paused");
    let resume = json!({"reach": "team ledger", "by": "kim"});
    assert_eq!(served.post("/api/v1/resume", &resume).await.status, 200);
    served.another_sweep().await;
    assert_eq!(served.live(&rule)["State"], "ENABLED");
    let again = served.post("/api/v1/resume", &resume).await.problem();
    assert!(again.starts_with("409 refused: team ledger is not paused"), "{again}");
    let sweep = served.post("/api/v1/sweep", &json!({"full": true, "scopes": ["333333333333/us-east-1"]})).await;
    assert_eq!(sweep.status, 200, "{}", sweep.body);
    served.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_daemon_that_has_ended_is_not_alive_and_obeys_nobody() {
    let mut served = serve("", None).await;
    served.in_step().await;
    assert_eq!(served.get("/livez").await.json(), json!({"status": "alive"}));
    assert_eq!(served.get("/readyz").await.json(), json!({"status": "ready"}));
    served.end_daemon().await;
    let dead = served.get("/livez").await.problem();
    assert_eq!(dead, "503 not-alive: the daemon's task has ended; start the program again");
    let order = served.post("/api/v1/sweep", &json!({})).await.problem();
    assert_eq!(order, "409 refused: the daemon is ending");
    served.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_trace_says_where_an_event_goes_and_where_the_accounts_differ() {
    let event = json!({"source": "com.acme.payments", "detail-type": "PaymentSettled",
                       "detail": {"amount": 20_000, "currency": "EUR"}});
    let question = json!({"event": event});
    let large = |trace: &Value| {
        let routes = trace["routes"].as_array().unwrap();
        routes.iter().find(|route| route["route"] == "payments.settlements -> ledger.large").unwrap().clone()
    };
    let served = serve("[on-drift]\nrule-disabled = \"hold\"\n", None).await;
    served.in_step().await;
    let in_step = served.post("/api/v1/trace", &question).await.json();
    assert_eq!(large(&in_step)["live"]["is"], "taken");
    assert_eq!(in_step["publication"], "payments.settlements");
    served.by_hand(&served.rule("ledger.large"), "DisableRule");
    served.another_sweep().await;
    let drifted = served.post("/api/v1/trace", &question).await.json();
    assert_eq!(large(&drifted)["live"]["why"], "the rule is disabled");
    assert_eq!(large(&drifted)["wanted"]["is"], "taken");
    assert_eq!(large(&drifted)["differs"], true);
    let text = served.post("/api/v1/trace", &json!({"event": event, "published-by": "nobody"})).await.problem();
    assert!(text.starts_with("409 refused: `nobody` is neither a publication"), "{text}");
    // A question changes nothing, so on this machine it needs no token; elsewhere everything does (refusals.rs).
    let body = question.to_string();
    let head =
        "POST /api/v1/trace HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\n";
    let asked = format!("{head}Content-Length: {}\r\n\r\n{body}", body.len());
    assert_eq!(raw(served.address, asked.as_bytes()).await.unwrap().status, 200);
    served.end().await;
}
