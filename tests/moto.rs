//! The built program against moto, an AWS emulator that others wrote: a witness that does not share our mistakes.
//!
//! It needs `pip install 'moto[server]==5.2.5'`. The server is found by `WHEELWRIGHT_MOTO` (the path of `moto_server`) or
//! in PATH; without one the test says so and passes, unless `WHEELWRIGHT_REQUIRE_MOTO=1`.
//!
//! What moto cannot show is not asked of it. The **moto-safe form** of the worked example differs in these places:
//! - `grant = "organization"` is `"accounts"`: moto reads the principal `*` back as an account called `*`.
//! - `settle-secs` is 0: moto's writes are effective at once, and the test should not wait for them.
//! - Calls go at 50 a second, as nobody shares a quota with us there.
//!
//! And what it answers otherwise than AWS is not looked at: its listing of buses leaves Descriptions out, so that plans
//! tell of buses that lost their mark; it delivers through disabled rules; it never checks a trust policy.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]
#![allow(clippy::disallowed_methods)] // It starts a server in another process and waits for it.

mod program;

use program::{Endpoint, Folder, Ran, Running, wheelwright};
use serde_json::{Value, json};
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

const PLATFORM: &str = "111111111111";
const LEDGER: &str = "333333333333";
const HUB: &str = "org-events";
const US: &str = "us-east-1";

#[test]
fn the_example_converges_on_moto_and_five_edits_are_mended() {
    let Some(program) = moto_server() else {
        assert_ne!(std::env::var("WHEELWRIGHT_REQUIRE_MOTO").as_deref(), Ok("1"), "there is no moto_server");
        println!("skipped: there is no moto_server (pip install 'moto[server]==5.2.5', or set WHEELWRIGHT_MOTO)");
        return;
    };
    let moto = Moto::start(&program);
    let folder = moto_safe();
    let run = |args: &[&str]| wheelwright(&folder, Some(&moto.endpoint), args);

    run(&["plan", "--expect-no-changes"]).expect(3);
    run(&["apply", "--yes"]).expect(0);
    run(&["plan", "--expect-no-changes"]).expect(0);

    let platform = moto.account(PLATFORM);
    platform
        .call("PutRule", json!({"Name": "theirs", "EventBusName": HUB, "EventPattern": r#"{"source":["theirs"]}"#}));
    let theirs = platform.rule("theirs");
    for edit in edits() {
        let before = (edit.look)(&moto);
        (edit.make)(&moto);
        assert_ne!((edit.look)(&moto), before, "{}: moto did not take the edit", edit.name);
        let found = findings(&run(&["plan", "--format", "json"]).expect(0));
        assert!(found.contains(&edit.finds.to_owned()), "{}: found {found:?}", edit.name);
        run(&["plan", "--expect-no-changes"]).expect(3);
        run(&["apply", "--yes"]).expect(0);
        run(&["plan", "--expect-no-changes"]).expect(0);
        assert_eq!((edit.look)(&moto), before, "{}: after mending", edit.name);
    }
    assert_eq!(platform.rule("theirs"), theirs);
}

/// One thing that somebody does at a console.
struct Edit {
    name: &'static str,
    make: fn(&Moto),
    /// What it is seen by.
    look: fn(&Moto) -> Value,
    /// The finding's code.
    finds: &'static str,
}

fn edits() -> [Edit; 5] {
    let rule = |moto: &Moto| {
        let platform = moto.account(PLATFORM);
        let name = platform.rule_name("ww.ledger.settlements.");
        json!([platform.rule(&name), platform.targets(&name)])
    };
    [
        Edit {
            name: "rule disabled",
            make: |moto| {
                let platform = moto.account(PLATFORM);
                let name = platform.rule_name("ww.ledger.settlements.");
                platform.call("DisableRule", json!({"Name": name, "EventBusName": HUB}));
            },
            look: rule,
            finds: "rule-disabled",
        },
        Edit {
            name: "pattern changed",
            make: |moto| {
                let platform = moto.account(PLATFORM);
                let name = platform.rule_name("ww.ledger.settlements.");
                let description = platform.rule(&name)["Description"].clone();
                let pattern = r#"{"source":["com.acme.payments"]}"#;
                let input = json!({
                    "Name": name, "EventBusName": HUB, "EventPattern": pattern, "Description": description,
                });
                platform.call("PutRule", input);
            },
            look: rule,
            finds: "pattern-changed",
        },
        Edit {
            name: "rule deleted with its targets",
            make: |moto| {
                let platform = moto.account(PLATFORM);
                let name = platform.rule_name("ww.ledger.large.");
                let ids: Vec<Value> = platform.targets(&name).iter().map(|target| target["Id"].clone()).collect();
                platform.call("RemoveTargets", json!({"Rule": name, "EventBusName": HUB, "Ids": ids}));
                platform.call("DeleteRule", json!({"Name": name, "EventBusName": HUB}));
            },
            look: |moto| {
                let platform = moto.account(PLATFORM);
                let listed = platform.call("ListRules", json!({"EventBusName": HUB, "NamePrefix": "ww.ledger.large."}));
                let rules = listed["Rules"].as_array().cloned().unwrap_or_default();
                let with_targets = |rule: &Value| json!([rule, platform.targets(rule["Name"].as_str().unwrap())]);
                rules.iter().map(with_targets).collect()
            },
            finds: "rule-missing",
        },
        Edit {
            name: "statement removed",
            make: |moto| {
                let ledger = moto.account(LEDGER);
                let sid = ledger.statements("ledger")[0]["Sid"].clone();
                ledger.call("RemovePermission", json!({"EventBusName": "ledger", "StatementId": sid}));
            },
            look: |moto| json!(moto.account(LEDGER).statements("ledger")),
            finds: "grant-missing",
        },
        Edit {
            name: "target re-pointed",
            make: |moto| {
                let platform = moto.account(PLATFORM);
                let name = platform.rule_name("ww.ledger.settlements.");
                let mut target = platform.targets(&name).remove(0);
                target["Arn"] = json!(format!("arn:aws:events:{US}:{LEDGER}:event-bus/elsewhere"));
                platform.call("PutTargets", json!({"Rule": name, "EventBusName": HUB, "Targets": [target]}));
            },
            look: rule,
            finds: "target-changed",
        },
    ]
}

/// The codes of the findings in a plan.
fn findings(plan: &Ran) -> Vec<String> {
    let plan: Value = serde_json::from_str(&plan.out).unwrap();
    let codes = plan["findings"].as_array().into_iter().flatten().filter_map(|finding| finding["code"].as_str());
    codes.map(str::to_owned).collect()
}

/// The worked example without what moto cannot show; see the top of this file.
fn moto_safe() -> Folder {
    let mut folder = Folder::worked();
    folder.replace("topology/hubs.toml", "grant = \"organization\"", "grant = \"accounts\"");
    folder.replace("topology/hubs.toml", "calls-per-second-max = 25", "calls-per-second-max = 50");
    folder.replace("wheelwright.toml", "settle-secs = 300", "settle-secs = 0");
    folder.replace("wheelwright.toml", "calls-per-second-max = 15", "calls-per-second-max = 50");
    folder.replace("wheelwright.toml", "calls-burst-max = 30", "calls-burst-max = 50");
    folder
}

fn moto_server() -> Option<PathBuf> {
    if let Some(path) = std::env::var_os("WHEELWRIGHT_MOTO") {
        return Some(path.into());
    }
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join("moto_server")).find(|program| program.is_file())
}

/// A moto server of the test's own, with nothing in it.
struct Moto {
    _process: Running,
    address: String,
    endpoint: Endpoint,
}

impl Moto {
    fn start(program: &PathBuf) -> Self {
        // Freed a moment before moto takes it.
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut command = Command::new(program);
        command.args(["-H", "127.0.0.1", "-p", &port.to_string()]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut process = Running(command.spawn().unwrap_or_else(|error| panic!("{}: {error}", program.display())));
        let address = format!("127.0.0.1:{port}");
        for _ in 0..600 {
            if let Some(status) = process.0.try_wait().unwrap() {
                panic!("moto_server ended with {status} before it answered");
            }
            if TcpStream::connect(&address).is_ok() {
                let endpoint = Endpoint {
                    url: format!("http://{address}"),
                    access_key_id: "test".to_owned(),
                    secret_access_key: "test".to_owned(),
                };
                return Self { _process: process, address, endpoint };
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        panic!("moto_server does not listen on {address} after a minute");
    }

    /// Somebody of an account, by a role there.
    fn account(&self, account: &str) -> Person<'_> {
        let form = format!(
            "Action=AssumeRole&Version=2011-06-15&RoleSessionName=console&RoleArn=arn:aws:iam::{account}:role/console"
        );
        let kind = "application/x-www-form-urlencoded";
        let answer = self.post("test", "sts", &[("Content-Type", kind)], &form);
        let key = answer.split_once("<AccessKeyId>").and_then(|(_, rest)| rest.split_once('<'));
        Person { moto: self, access_key_id: key.unwrap_or_else(|| panic!("{answer}")).0.to_owned() }
    }

    /// One request, signed by nobody: moto looks at the access key alone.
    fn post(&self, key: &str, service: &str, headers: &[(&str, &str)], body: &str) -> String {
        let credential = format!("{key}/20260101/{US}/{service}/aws4_request");
        let mut request = format!(
            "POST / HTTP/1.1\r\nHost: {service}.{US}.amazonaws.com\r\nConnection: close\r\nContent-Length: {}\r\n\
             Authorization: AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders=host, Signature=0\r\n",
            body.len()
        );
        for (name, value) in headers {
            request += &format!("{name}: {value}\r\n");
        }
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.write_all(format!("{request}\r\n{body}").as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{answer}"));
        assert!(head.split(' ').nth(1) == Some("200"), "{headers:?} {answer}");
        body.to_owned()
    }
}

/// Somebody in an account.
struct Person<'a> {
    moto: &'a Moto,
    access_key_id: String,
}

impl Person<'_> {
    /// A call of EventBridge's that must succeed.
    #[allow(clippy::needless_pass_by_value)] // It is written where it is passed.
    fn call(&self, operation: &str, input: Value) -> Value {
        let target = format!("AWSEvents.{operation}");
        let headers = [("X-Amz-Target", target.as_str()), ("Content-Type", "application/x-amz-json-1.1")];
        let answer = self.moto.post(&self.access_key_id, "events", &headers, &input.to_string());
        if answer.is_empty() { Value::Null } else { serde_json::from_str(&answer).unwrap() }
    }

    /// The full name of a rule of the hub.
    fn rule_name(&self, prefix: &str) -> String {
        let listed = self.call("ListRules", json!({"EventBusName": HUB, "NamePrefix": prefix}));
        listed["Rules"][0]["Name"].as_str().unwrap_or_else(|| panic!("no rule {prefix}… in {listed}")).to_owned()
    }

    fn rule(&self, name: &str) -> Value {
        self.call("DescribeRule", json!({"Name": name, "EventBusName": HUB}))
    }

    fn targets(&self, rule: &str) -> Vec<Value> {
        let listed = self.call("ListTargetsByRule", json!({"Rule": rule, "EventBusName": HUB}));
        listed["Targets"].as_array().cloned().unwrap_or_default()
    }

    fn statements(&self, bus: &str) -> Vec<Value> {
        let described = self.call("DescribeEventBus", json!({"Name": bus}));
        let policy: Value =
            described["Policy"].as_str().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
        policy["Statement"].as_array().cloned().unwrap_or_default()
    }
}
