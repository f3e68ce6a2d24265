//! "Where would this event go", against what the simulated AWS delivers.

use crate::served::{Served, serve};
use crate::wire::{Answer, raw};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use wheelwright::sim::DeliveryOutcome;
use wheelwright::trace::Question;

/// Ten events: what people send, slips among them. Of each its text and who is chosen as its publisher.
pub(crate) fn ten() -> Vec<(String, &'static str)> {
    let event = |source: &str, detail_type: &str, detail: Value| {
        json!({"source": source, "detail-type": detail_type, "detail": detail}).to_string()
    };
    let entry = json!({"Source": "com.acme.shipping", "DetailType": "ParcelDelivered", "Detail": "{\"days\": 3}"});
    vec![
        (event("com.acme.payments", "PaymentSettled", json!({"amount": 20, "currency": "EUR"})), ""),
        (event("com.acme.payments", "PaymentSettled", json!({"amount": 20_000, "currency": "EUR"})), ""),
        (event("com.acme.payments", "PaymentSettled", json!({"amount": "20000", "currency": "EUR"})), ""),
        (event("com.acme.payments", "Paymentsettled", json!({"amount": 20})), "payments.settlements"),
        (event("com.acme.orders.us", "OrderPlaced", json!({"shop": "test-7", "total": 1})), ""),
        (event("com.acme.orders.us", "OrderPlaced", json!({"shop": "berlin", "total": 700})), ""),
        (event("com.acme.orders", "OrderPlaced", json!({"shop": "berlin"})), "orders.lifecycle-us"),
        (event("com.acme.checkout", "CheckoutAbandoned", json!({"attempts": 3})), ""),
        (event("com.acme.fraud", "PaymentSuspect", json!({})), ""),
        (entry.to_string(), "shipping.parcels"),
    ]
}

/// The routes on which the simulated AWS delivers the event, put by everybody who publishes it.
pub(crate) fn delivered(served: &Served, event: &str, by: &str) -> BTreeSet<String> {
    let by = Some(by).filter(|by| !by.is_empty());
    let question = Question::read(&served.example.topology, &serde_json::from_str(event).unwrap(), by, None).unwrap();
    let mut taken = BTreeSet::new();
    for put in &question.puts {
        let records = served.put(&put.account.to_string(), &put.bus.arn(), &question.event(put));
        for record in records.iter().filter(|record| record.outcome == DeliveryOutcome::Delivered) {
            let routes = served.example.desired.routes.iter().filter(|(_, route)| {
                route.rule.bus.arn() == record.bus_arn
                    && route.rule.name == record.rule
                    && route.destination_arn == record.target_arn
            });
            taken.extend(routes.map(|(id, _)| id.to_string()));
        }
    }
    taken
}

async fn ask(served: &Served, event: &str, by: &str) -> Answer {
    let encoded = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    let body = format!("event={}&published-by={}&bus=", encoded(event), encoded(by));
    let head = format!(
        "POST /trace HTTP/1.1\r\nHost: {}\r\nAccept: text/html\r\nConnection: close\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n",
        served.address,
        body.len()
    );
    raw(served.address, (head + &body).as_bytes()).await.unwrap()
}

/// The routes of the table with this title.
fn rows(page: &str, title: &str) -> BTreeSet<String> {
    let Some((_, rest)) = page.split_once(&format!("<h2>{title} ")) else { return BTreeSet::new() };
    let table = rest.split("</table>").next().unwrap();
    let rows = table.split("<th scope=\"row\">").skip(1).map(|row| row.split("</th>").next().unwrap());
    rows.map(|row| {
        let text: String = row.split('<').map(|part| part.split_once('>').map_or(part, |(_, text)| text)).collect();
        text.replace('→', "->")
    })
    .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_page_says_where_ten_events_go() {
    let served = serve("[on-drift]\nrule-disabled = \"hold\"\n", None).await;
    served.in_step().await;
    let mut seen = BTreeSet::new();
    for (event, by) in ten() {
        let answer = ask(&served, &event, by).await;
        assert_eq!(answer.status, 200, "{event}: {}", answer.body);
        let taken = delivered(&served, &event, by);
        assert_eq!(rows(&answer.body, "Taken by"), taken, "{event}");
        seen.insert(taken);
    }
    assert!(seen.len() >= 6, "the events are too much alike: {seen:?}");
    let (event, by) = &ten()[1];
    served.by_hand(&served.rule("ledger.large"), "DisableRule");
    served.another_sweep().await;
    let drifted = ask(&served, event, by).await.body;
    assert_eq!(rows(&drifted, "Taken by"), delivered(&served, event, by));
    assert!(drifted.contains("the rule is disabled (otherwise than asked for: it is to be taken)"), "{drifted}");
    served.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_question_that_cannot_be_answered_stays_in_the_form() {
    let served = serve("", None).await;
    served.in_step().await;
    for (event, by, says) in [
        ("{<script>", "", "The event is no JSON"),
        ("", "", "Paste an event, or choose the publication"),
        ("[]", "", "an event is a JSON object"),
        (r#"{"source": "<b>x", "detail-type": "y"}"#, "", "no publication has source"),
        (r#"{"source": "x", "detail-type": "y"}"#, "payments-prod", "an account alone does not say where"),
    ] {
        let answer = ask(&served, event, by).await;
        assert_eq!(answer.status, 400, "{event}: {}", answer.body);
        assert!(answer.body.contains(says), "{event}: {}", answer.body);
        assert!(!answer.body.contains("<script>") && !answer.body.contains("<b>x"), "{}", answer.body);
        let shown = event.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;");
        assert!(answer.body.contains(&format!("{shown}</textarea>")), "{event}: {}", answer.body);
    }
    // A publication alone is enough: an event of its own, without any detail.
    let alone = ask(&served, "", "payments.settlements").await;
    assert!(rows(&alone.body, "Taken by").contains("payments.settlements -> ledger.settlements"), "{}", alone.body);
    served.end().await;
}
