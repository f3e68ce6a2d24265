//! The description of the surface: every operation is in it and no other, and what it says of them is true of a running daemon, as
//! far as schemathesis can find out.
//!
//! It needs `pip install schemathesis`. The program is found by `WHEELWRIGHT_SCHEMATHESIS` (its path); without it the test says so
//! and passes, unless `WHEELWRIGHT_REQUIRE_SCHEMATHESIS=1`.

use crate::served::{TOKEN, serve};
use serde_json::Value;
use std::collections::BTreeSet;
use std::process::Stdio;
use strum::IntoEnumIterator as _;
use wheelwright::http::{BODY_BYTES_MAX, OPENAPI, operation_names};
use wheelwright::model::finding::FindingCode;
use wheelwright::model::order::ORDER_HOURS_MAX;
use wheelwright::model::plan::Guard;

fn described() -> Value {
    serde_json::from_str(OPENAPI).unwrap()
}

#[test]
fn every_operation_is_described_and_no_other() {
    let document = described();
    let paths = document["paths"].as_object().unwrap();
    let in_file: BTreeSet<(String, String)> = paths
        .iter()
        .flat_map(|(path, methods)| {
            methods.as_object().unwrap().keys().map(move |method| (method.clone(), path.clone()))
        })
        .collect();
    let served: BTreeSet<(String, String)> =
        operation_names().iter().map(|(method, path)| ((*method).to_owned(), (*path).to_owned())).collect();
    assert_eq!(in_file, served);
}

#[test]
fn what_is_listed_in_it_is_all_that_there_is() {
    let schemas = described()["components"]["schemas"].clone();
    let names = |value: &Value| -> BTreeSet<String> {
        value["enum"].as_array().unwrap().iter().map(|name| name.as_str().unwrap().to_owned()).collect()
    };
    let codes: BTreeSet<String> = FindingCode::iter().map(|code| code.to_string()).collect();
    assert_eq!(names(&schemas["Incident"]["properties"]["code"]), codes);
    let guards: BTreeSet<String> = Guard::iter().map(|guard| guard.to_string()).collect();
    assert_eq!(names(&schemas["Hold"]["properties"]["guard"]), guards);
    for order in ["PauseOrder", "StopOrder"] {
        assert_eq!(schemas[order]["properties"]["for-secs"]["maximum"], ORDER_HOURS_MAX * 3_600);
    }
    assert!(OPENAPI.contains(&format!("{} KiB", BODY_BYTES_MAX / 1_024)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_it_says_is_true() {
    let Some(program) = std::env::var_os("WHEELWRIGHT_SCHEMATHESIS") else {
        let required = std::env::var("WHEELWRIGHT_REQUIRE_SCHEMATHESIS").is_ok_and(|value| value == "1");
        assert!(!required, "WHEELWRIGHT_SCHEMATHESIS does not say where schemathesis is, and it is required here");
        eprintln!("left out: WHEELWRIGHT_SCHEMATHESIS does not say where schemathesis is");
        return;
    };
    let served = serve("[on-drift]\nrule-disabled = \"hold\"\n", None).await;
    served.in_step().await;
    served.by_hand(&served.rule("ledger.large"), "DisableRule");
    served.another_sweep().await;
    let at = format!("http://{}", served.address);
    let folder = tempfile::tempdir().unwrap();
    let ran = tokio::task::spawn_blocking(move || {
        std::process::Command::new(program)
            .current_dir(&folder)
            .arg("run")
            .arg(format!("{at}/api/v1/openapi.json"))
            .args(["--header", &format!("Authorization: Bearer {TOKEN}")])
            .args(["--checks", "all", "--max-examples", "15", "--seed", "1", "--no-color"])
            .args(["--phases", "examples,coverage,fuzzing", "--generation-database", "none"])
            .stdin(Stdio::null())
            .output()
            .unwrap()
    });
    let ran = ran.await.unwrap();
    let said = String::from_utf8_lossy(&ran.stdout).into_owned() + &String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success(), "{said}");
    println!("{}", said.lines().rev().take(20).collect::<Vec<_>>().into_iter().rev().collect::<Vec<_>>().join("\n"));
    // It ordered what it liked, and the daemon goes on.
    served.another_sweep().await;
    served.end().await;
}
