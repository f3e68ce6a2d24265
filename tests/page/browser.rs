//! The page in headless Chromium: `drive.cjs` looks, and what is broken meanwhile is broken here.

use crate::served::{Served, serve};
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Where what drives the browser is installed; none where it is not, which CI does not accept.
pub(crate) fn installed() -> Option<PathBuf> {
    let folder = std::env::var_os("WHEELWRIGHT_BROWSER").map(PathBuf::from);
    let required = std::env::var("WHEELWRIGHT_REQUIRE_BROWSER").is_ok_and(|value| value == "1");
    if folder.is_none() {
        assert!(
            !required,
            "WHEELWRIGHT_BROWSER does not say where playwright-core and axe-core are, and they are required here"
        );
        eprintln!("left out: WHEELWRIGHT_BROWSER does not say where playwright-core and axe-core are");
    }
    folder
}

/// Has the page looked at; `obey` does what is asked for meanwhile. Fails with everything that was found.
pub(crate) fn drive(folder: &Path, served: &Served, asked: &Value, mut obey: impl FnMut(&str)) {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let out = here.join("target/ci/screenshots");
    std::fs::create_dir_all(&out).unwrap();
    let mut asked = asked.clone();
    asked["base"] = json!(format!("http://{}", served.address));
    asked["out"] = json!(out);
    asked["chromium"] = json!(std::env::var("WHEELWRIGHT_CHROMIUM").unwrap_or_else(|_| "/usr/bin/chromium".into()));
    let mut child = Command::new("node")
        .arg(here.join("tests/page/drive.cjs"))
        .env("NODE_PATH", folder.join("node_modules"))
        .env("WHEELWRIGHT_PAGE", asked.to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("node is there");
    let errors = child.stderr.take().unwrap();
    let told = std::thread::spawn(move || {
        let lines = BufReader::new(errors).lines().map_while(Result::ok);
        lines.inspect(|line| println!("{line}")).collect::<Vec<String>>().join("\n")
    });
    let mut input = child.stdin.take().unwrap();
    for line in BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok) {
        if !["well", "faults"].contains(&&*line) {
            obey(&line);
            writeln!(input, "done").unwrap();
        }
    }
    let ended = child.wait().unwrap();
    assert!(ended.success(), "{}", told.join().unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn people_see_what_is_wrong_and_that_it_is_over() {
    let Some(folder) = installed() else { return };
    let served = serve("[on-drift]\nrule-disabled = \"hold\"\n", None).await;
    served.in_step().await;
    served.another_sweep().await;
    let topology = &served.example.topology;
    let hubs = topology.hubs.keys().map(|hub| format!("Hub {hub}"));
    let spokes = topology
        .teams
        .iter()
        .flat_map(|(team, entry)| entry.spokes.keys().map(move |spoke| format!("Spoke {spoke} of team {team}: ")));
    let names: Vec<String> = hubs.chain(spokes).collect();
    assert!(names.len() > 10, "{names:?}");
    let asked = json!({
        "world": "example",
        "names": names,
        "asks": crate::asking::ten().into_iter().map(|(event, by)| {
            let taken = crate::asking::delivered(&served, &event, by);
            json!({"event": event, "by": by, "taken": taken})
        }).collect::<Vec<_>>(),
        "paths": {"home": "/", "filtered": "/?team=ledger", "route": "/routes/payments.settlements/ledger.large", "sweep": "/sweeps/1",
                  "write": "/writes/1", "missing": "/incidents/0", "ask": "/trace", "sign-in": "/sign-in"},
    });
    let rule = served.rule("ledger.large");
    drive(&folder, &served, &asked, |what| match what {
        "break" => served.by_hand(&rule, "DisableRule"),
        "mend" => served.by_hand(&rule, "EnableRule"),
        other => panic!("{other}"),
    });
    served.end().await;
}
