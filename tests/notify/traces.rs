//! The daemon's traces, as a collector gets them.

use crate::program::{Folder, Simulation, command};
use crate::receiver::{Answer, Receiver};
use std::process::Stdio;

#[tokio::test]
async fn a_collector_that_is_named_gets_sweeps_with_the_calls_that_they_made() {
    let collector = Receiver::start(Answer::status(200, "")).await;
    let mut folder = Folder::worked();
    let settings = std::fs::read_to_string(folder.path().join("wheelwright.toml")).unwrap();
    folder.write("wheelwright.toml", &format!("{settings}\n[sweep]\nstart-jitter-secs-max = 0\n"));
    let simulation = Simulation::start(&folder);
    let state = tempfile::tempdir().unwrap();
    let mut command = command(&folder, Some(&simulation.endpoint));
    command.env("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url("")).env("OTEL_BSP_SCHEDULE_DELAY", "200");
    command.arg("run").arg("--state").arg(state.path()).args(["--listen", "127.0.0.1:0", "--log", "json"]);
    let daemon = crate::program::Running(command.stdin(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
    let mut told = String::new();
    while !["sweep", "scope", "events:ListEventBuses", "wheelwright"].iter().all(|word| told.contains(word)) {
        let request = collector.request().await;
        assert_eq!(request.line, "POST /v1/traces HTTP/1.1");
        assert_eq!(request.headers["content-type"], "application/x-protobuf");
        told.push_str(&request.body);
    }
    drop(daemon);
}
