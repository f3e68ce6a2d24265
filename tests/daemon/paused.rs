//! What a pause of a team covers beside what the team asks for.

use crate::support::probes::{PLATFORM, US};
use crate::support::{Bench, Hands};
use crate::world::{ENFORCE, Running, example, start};
use crate::{HOUR, HUB, in_step, order, rule, state};
use serde_json::json;
use std::sync::Arc;
use wheelwright::daemon::Command;
use wheelwright::model::order::{Pause, Reach};
use wheelwright::store::Store;

async fn pause_ledger(running: &Running) {
    let reach = Reach::Team("ledger".parse().unwrap());
    running.tell(Command::Pause(Pause { reach, order: order(running, 1) })).await;
}

fn is_there(running: &Running, rule: &str) -> bool {
    let named = json!({"EventBusName": HUB, "NamePrefix": rule});
    running.aws(|aws| !Hands { aws }.call(PLATFORM, US, "ListRules", named)["Rules"].as_array().unwrap().is_empty())
}

#[tokio::test(start_paused = true)]
async fn what_a_team_gives_up_stays_while_the_team_is_paused() {
    let (example, aws) = example(ENFORCE);
    let running = start(Bench::by_call(&example, aws), Arc::new(Store::in_memory().unwrap()));
    in_step(&running).await;
    let large = rule(&running, "ww.ledger.large");
    pause_ledger(&running).await;
    running.files.commit(|files| {
        for text in files.iter_mut().filter(|(path, _)| path.contains("teams/")).map(|(_, text)| text) {
            text.truncate(text.find("\n[expect.").unwrap_or(text.len()));
        }
        let ledger = files.get_mut("topology/teams/ledger.toml").unwrap();
        let (from, to) = (ledger.find("[subscribe.large]").unwrap(), ledger.len());
        let next = ledger[from + 1..].find("\n[").map_or(to, |at| from + 1 + at);
        ledger.replace_range(from..next, "");
    });
    running.wait_secs(HOUR / 2).await;
    let asked_for = running.handle.status().desired.clone().unwrap();
    assert!(!asked_for.rules.keys().any(|rule| rule.name == large), "the commit is in use");
    assert!(is_there(&running, &large), "it is paused");
    running.until(HOUR, "the pause is over", |running| !is_there(running, &large)).await;
    running.end().await;
}

#[tokio::test(start_paused = true)]
async fn what_a_hand_disabled_stays_so_in_a_pause_whatever_is_committed() {
    let (example, aws) = example(ENFORCE);
    let running = start(Bench::by_call(&example, aws), Arc::new(Store::in_memory().unwrap()));
    in_step(&running).await;
    let large = rule(&running, "ww.ledger.large");
    pause_ledger(&running).await;
    running.aws(|aws| Hands { aws }.call(PLATFORM, US, "DisableRule", json!({"Name": large, "EventBusName": HUB})));
    running.files.commit(|files| {
        let ledger = files.get_mut("topology/teams/ledger.toml").unwrap();
        assert!(ledger.contains("data-class = \"restricted\""));
        *ledger = ledger.replace("data-class = \"restricted\"", "data-class = \"secret\"");
    });
    running.wait_secs(HOUR / 2).await;
    assert_eq!(state(&running, &large), "DISABLED");
    running.until(HOUR, "the pause is over", |running| state(running, &large) == "ENABLED").await;
    running.end().await;
}
