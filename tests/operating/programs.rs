//! The image, the systemd unit and the manifests for Kubernetes: what they start is what the program takes, as a user that is not
//! root, with the time that the program needs to end.

use crate::template::yaml;
use crate::{file, refused};
use serde_json::{Value, json};

/// Who the program runs as in a container.
pub(crate) const USER: &str = "65532:65532";

/// Seconds from SIGTERM to the end at most: the step that is under way, alerts, traces. As the program has them
/// (`the_program_ends_within_what_is_said_here`).
pub(crate) const END_SECS_MAX: u64 = 25 + 3 + 3;

/// A number that is a constant of the program's, from its source.
fn constant(path: &str, name: &str) -> u64 {
    let text = file(path);
    let (_, rest) = text.split_once(&format!("const {name}: ")).unwrap_or_else(|| panic!("{path} has no {name}"));
    let (value, _) = rest.split_once(';').unwrap();
    let value = value.split_once("= ").unwrap().1;
    let digits: String = value.chars().filter(char::is_ascii_digit).collect();
    let number: u64 = digits.parse().unwrap();
    if name.ends_with("_MS") { number / 1_000 } else { number }
}

#[test]
fn the_program_ends_within_what_is_said_here() {
    let service = "src/cli/run/service.rs";
    let secs = constant(service, "ENDS_WITHIN_MS")
        + constant(service, "ALERTS_WITHIN")
        + constant("src/cli/run/traces.rs", "ENDS_WITHIN");
    assert_eq!(secs, END_SECS_MAX);
}

/// The value of `key` in a unit; each, where it is there more than once.
fn settings<'a>(unit: &'a str, key: &str) -> Vec<&'a str> {
    unit.lines().filter_map(|line| line.strip_prefix(key)?.strip_prefix('=')).collect()
}

#[test]
fn the_unit_starts_what_there_is_and_lets_it_end() {
    let unit = file("deploy/systemd/wheelwright.service");
    let [start] = settings(&unit, "ExecStart")[..] else { panic!("one ExecStart") };
    let words: Vec<&str> = start.split_whitespace().collect();
    assert_eq!((words[0], refused(&words[1..])), ("/usr/bin/wheelwright", None));
    let [stop] = settings(&unit, "TimeoutStopSec")[..] else { panic!("one TimeoutStopSec") };
    assert!(stop.strip_suffix('s').unwrap().parse::<u64>().unwrap() > END_SECS_MAX);
    // Everything below is written into the state folder, whose name systemd knows.
    assert_eq!(settings(&unit, "StateDirectory"), ["wheelwright"]);
    assert!(settings(&unit, "Environment")[0].contains("WHEELWRIGHT_STATE=%S/wheelwright"));
    assert_eq!(settings(&unit, "CapabilityBoundingSet"), [""]);
}

#[test]
fn the_image_starts_what_there_is_as_nobody() {
    let text = file("Dockerfile");
    let runtime = text.split("\nFROM ").find(|stage| stage.contains(" AS runtime\n")).expect("the stage `runtime`");
    let line =
        |word: &str| runtime.lines().find_map(|line| line.strip_prefix(word)).unwrap_or_else(|| panic!("no {word}"));
    assert_eq!(line("USER "), USER);
    let words = |text: &str| -> Vec<String> { serde_json::from_str(text).unwrap() };
    assert_eq!(words(line("ENTRYPOINT ")), ["/usr/bin/wheelwright"]);
    let health = line("HEALTHCHECK ").split_once("CMD ").unwrap().1;
    for command in [words(line("CMD ")), words(health)[1..].to_vec()] {
        let command: Vec<&str> = command.iter().map(String::as_str).collect();
        assert_eq!(refused(&command), None, "{command:?}");
    }
    // What is built is what `deploy/release` builds, with the oldest toolchain that the manifest allows.
    let manifest: toml::Table = file("Cargo.toml").parse().unwrap();
    let oldest = manifest["package"]["rust-version"].as_str().unwrap();
    assert!(text.contains(&format!("FROM rust:{oldest}-")) && text.contains("deploy/release"), "Rust {oldest}");
    let stages: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("FROM ")).collect();
    let (bases, own): (Vec<&str>, Vec<&str>) = stages.iter().partition(|stage| stage.contains(':'));
    assert!(bases.len() == 2 && bases.iter().all(|base| base.contains("@sha256:")), "{bases:?}");
    assert_eq!(own, ["build AS programs", "runtime AS with-ssh", "runtime"]);
}

/// A pod security standard calls it restricted:
/// <https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted>
#[test]
fn the_pod_is_restricted_and_alone_and_runs_what_there_is() {
    let set = yaml(&file("deploy/kubernetes/statefulset.yaml"));
    assert_eq!((&set["kind"], &set["spec"]["replicas"]), (&json!("StatefulSet"), &json!("1")));
    let claim = &set["spec"]["volumeClaimTemplates"][0]["spec"];
    assert_eq!(claim["accessModes"], json!(["ReadWriteOncePod"]));
    let pod = &set["spec"]["template"]["spec"];
    let security = &pod["securityContext"];
    assert_eq!(
        (&security["runAsNonRoot"], &security["seccompProfile"]["type"]),
        (&json!("true"), &json!("RuntimeDefault"))
    );
    let user = [&security["runAsUser"], &security["runAsGroup"]].map(|id| id.as_str().unwrap()).join(":");
    assert_eq!(user, USER);
    assert!(pod["terminationGracePeriodSeconds"].as_str().unwrap().parse::<u64>().unwrap() > END_SECS_MAX);
    assert_eq!(pod["automountServiceAccountToken"], "false");
    let container = &pod["containers"][0];
    let restricted = json!({"allowPrivilegeEscalation": "false", "readOnlyRootFilesystem": "true", "capabilities": {"drop": ["ALL"]}});
    assert_eq!(container["securityContext"], restricted);
    let words = |value: &Value| -> Vec<String> {
        value.as_array().unwrap().iter().map(|word| word.as_str().unwrap().to_owned()).collect()
    };
    let mut commands = vec![words(&container["args"])];
    for probe in ["startupProbe", "livenessProbe", "readinessProbe"] {
        commands.push(words(&container[probe]["exec"]["command"])[1..].to_vec());
    }
    for command in commands {
        let command: Vec<&str> = command.iter().map(String::as_str).collect();
        assert_eq!(refused(&command), None, "{command:?}");
    }
    let namespace = yaml(&file("deploy/kubernetes/namespace.yaml"));
    assert_eq!(namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"], "restricted");
}
