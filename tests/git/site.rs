//! A daemon that takes its topology from git, at accounts that are simulated.

use crate::hook::{Hook, KEY};
use crate::program::served::Served;
use crate::program::{Folder, Running, command, wheelwright};
use crate::support::{Example, Hands};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tempfile::TempDir;

const PLATFORM: &str = "111111111111";
const US: &str = "us-east-1";
/// What is waited for at most: far longer than anything takes.
const WAIT_MAX: Duration = Duration::from_secs(120);
const LOOK_EVERY: Duration = Duration::from_millis(100);

pub(crate) const BOOKS: &str = "topology/teams/books.toml";

/// Waits until `look` sees it.
pub(crate) fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(seen) = look() {
            return seen;
        }
        assert!(start.elapsed() < WAIT_MAX, "not within {} s: {what}", WAIT_MAX.as_secs());
        std::thread::sleep(LOOK_EVERY);
    }
}

/// What the team `books` asks for: its spoke, and these subscriptions.
pub(crate) fn books(subscriptions: &[&str]) -> String {
    let mut text = "[team]\nname = \"books\"\ncontact = \"the-books\"\n\n[spoke.prod]\nhub = \"prod\"\naccount = \"books\"\nbus = \"books\"\n"
        .to_owned();
    for name in subscriptions {
        text += &format!("\n[subscribe.{name}]\nfrom = \"shop.orders\"\n");
    }
    text
}

/// A small topology, with alerts to this receiver.
pub(crate) fn files(hook: &Hook) -> BTreeMap<String, String> {
    let settings = format!(
        r#"
[operator]
owner = "acme"
external-id = "acme/eventbridge"
region = "us-east-1"

[pace]
settle-secs = 0

[mode]
default = "enforce"

[sweep]
fast-every-secs = 1
full-every-secs = 2
gap-secs-min = 0
start-jitter-secs-max = 0
source-every-secs = 1

[alert.people]
kind = "webhook"
url = "{}"
key-env = "HOOK_KEY"
"#,
        hook.url()
    );
    let hubs = "[account]\nplatform = { id = \"111111111111\" }\nshop = { id = \"222222222222\" }\nbooks = { id = \"333333333333\" }\n\n\
                [hub.prod]\naccount = \"platform\"\nregion = \"us-east-1\"\nbus = \"org-events\"\n";
    let shop = "[team]\nname = \"shop\"\ncontact = \"the-shop\"\n\n[spoke.prod]\nhub = \"prod\"\naccount = \"shop\"\nbus = \"shop\"\n\n\
                [publish.orders]\nsource = \"com.acme.shop\"\nsubscribers = [\"*\"]\n";
    BTreeMap::from([
        ("wheelwright.toml".into(), settings),
        ("topology/platform.toml".into(), hubs.into()),
        ("topology/teams/shop.toml".into(), shop.into()),
        (BOOKS.into(), books(&["first"])),
    ])
}

pub(crate) struct Site {
    served: Served,
    pub(crate) hook: Hook,
    /// An empty config folder: all comes from git.
    folder: Folder,
    state: TempDir,
    log: Arc<Mutex<Vec<Value>>>,
    daemon: Option<(Running, String)>,
}

impl Site {
    pub(crate) fn of(files: &BTreeMap<String, String>, hook: Hook) -> Self {
        let served = Served::start(Example::of(files.clone(), 1_000).stage());
        let state = tempfile::tempdir().unwrap();
        Self { served, hook, folder: Folder::of(&BTreeMap::new()), state, log: Arc::default(), daemon: None }
    }

    /// Writes the file that says where the topology is.
    pub(crate) fn source(&self, text: &str) {
        std::fs::write(self.source_file(), format!("[git]\nbranch = \"main\"\npath = \"config\"\n{text}")).unwrap();
    }

    fn source_file(&self) -> PathBuf {
        self.state.path().join("source.toml")
    }

    fn command(&self) -> std::process::Command {
        let mut command = command(&self.folder, Some(&self.served.endpoint));
        // `ssh`, `ssh-keygen` and `gpg` are found there.
        command.env("PATH", std::env::var("PATH").unwrap());
        command.env("HOOK_KEY", KEY).env("TOKEN", "the-token-of-the-repository").env("FORGE", "the-forges-secret");
        command.args(["run", "--listen", "127.0.0.1:0", "--log", "json"]);
        command.arg("--state").arg(self.state.path().join("state")).arg("--source").arg(self.source_file());
        command
    }

    /// Starts the daemon, which must end by itself. Returns what it said.
    pub(crate) fn refused(&self) -> String {
        let output = self.command().stdin(Stdio::null()).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{said}");
        said
    }

    pub(crate) fn start(&mut self) {
        let before = self.log().len();
        let mut process = Running(self.command().stdin(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap());
        let (told, log) = (BufReader::new(process.0.stderr.take().unwrap()), Arc::clone(&self.log));
        std::thread::spawn(move || {
            for line in told.lines().map_while(Result::ok) {
                let line = serde_json::from_str(&line).unwrap_or_else(|_| json!({"message": line}));
                log.lock().unwrap().push(line);
            }
        });
        let url = until("the daemon serves", || {
            assert!(process.0.try_wait().unwrap().is_none(), "the daemon has ended: {:#?}", self.log());
            let log = self.log();
            let listen = log[before..].iter().find_map(|line| line["listen"].as_str().map(str::to_owned));
            listen.map(|listen| format!("http://{listen}"))
        });
        self.daemon = Some((process, url));
    }

    /// As the power going.
    pub(crate) fn kill(&mut self) {
        drop(self.daemon.take());
        self.hook.sender_was_killed();
    }

    pub(crate) fn log(&self) -> Vec<Value> {
        self.log.lock().unwrap().clone()
    }

    pub(crate) fn url(&self) -> &str {
        &self.daemon.as_ref().unwrap().1
    }

    pub(crate) fn status(&self) -> Value {
        let state = self.state.path().join("state");
        let args = ["status", "--json", "--daemon", self.url(), "--state", state.to_str().unwrap()];
        serde_json::from_str::<Value>(&wheelwright(&self.folder, None, &args).expect(0).out).unwrap()["status"].take()
    }

    /// Waits until the daemon goes by this commit.
    pub(crate) fn wait_for(&self, commit: &str) {
        until(&format!("the daemon goes by {commit}"), || {
            let status = self.status();
            (status["revision"]["id"] == commit[..12] && status["plan"]["steps"] == 0).then_some(())
        });
    }

    /// Waits until exactly these subscriptions of `books` have a rule at the hub.
    pub(crate) fn wait_rules(&self, subscriptions: &[&str]) {
        until(&format!("the rules {subscriptions:?}"), || (self.rules() == subscriptions).then_some(()));
    }

    /// The subscriptions of `books` that have a rule at the hub.
    pub(crate) fn rules(&self) -> Vec<String> {
        let mut aws = self.served.aws();
        let listed = Hands { aws: &mut aws }.call(PLATFORM, US, "ListRules", json!({"EventBusName": "org-events"}));
        let names = listed["Rules"].as_array().unwrap().iter().map(|rule| rule["Name"].as_str().unwrap());
        let ours = names.filter_map(|name| name.strip_prefix("ww.books."));
        ours.map(|name| name.split('.').next().unwrap().to_owned()).collect()
    }

    /// Somebody disables a subscription's rule by hand; it comes back, so the daemon is at work.
    pub(crate) fn drift_is_mended(&self, subscription: &str) {
        let on_rule = |operation: &str| {
            let mut aws = self.served.aws();
            let mut hands = Hands { aws: &mut aws };
            let listed = hands.call(PLATFORM, US, "ListRules", json!({"EventBusName": "org-events"}));
            let prefix = format!("ww.books.{subscription}.");
            let names = listed["Rules"].as_array().unwrap().iter().map(|rule| rule["Name"].as_str().unwrap());
            let name = names.filter(|name| name.starts_with(&prefix)).map(str::to_owned).next().unwrap();
            hands.call(PLATFORM, US, operation, json!({"Name": name, "EventBusName": "org-events"}))
        };
        on_rule("DisableRule");
        until("the rule is enabled again", || (on_rule("DescribeRule")["State"] == "ENABLED").then_some(()));
    }

    /// Waits for a message about `code`, and returns the newest.
    pub(crate) fn wait_told(&self, kind: &str, code: &str) -> Value {
        until(&format!("a message: {kind} {code}"), || {
            let messages = self.hook.messages();
            messages.into_iter().rfind(|message| message["kind"] == kind && message["code"] == code)
        })
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        if std::thread::panicking() {
            for line in self.log().iter().rev().take(40).rev() {
                println!("{line}");
            }
        }
    }
}
