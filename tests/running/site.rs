//! An emulator, a config folder, and the daemon that runs between them: started, asked, killed.

use crate::emulators::server::{Emulator, Server};
use crate::emulators::table::{Desk, load};
use crate::emulators::{divergences, example};
use crate::hook::KEY;
use crate::program::{Folder, Ran, Running, command, wheelwright};
use crate::rows::{Edit, Row, TABLE};
use crate::support::probes::US;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use wheelwright::model::desired::Desired;

/// What is waited for at most: far longer than anything takes, also on a machine that does other things.
const WAIT_MAX: Duration = Duration::from_secs(120);
const LOOK_EVERY: Duration = Duration::from_millis(200);

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

pub(crate) struct Site {
    pub(crate) server: Server,
    pub(crate) folder: Folder,
    files: BTreeMap<String, String>,
    state: TempDir,
    /// What every daemon here has logged.
    log: Arc<Mutex<Vec<Value>>>,
    daemon: Option<Daemon>,
}

struct Daemon {
    process: Running,
    url: String,
    reading: JoinHandle<()>,
}

impl Site {
    /// The small example with these settings at the end.
    pub(crate) fn new(server: Server, settings: &str) -> Self {
        let mut files = example::files(&divergences::of(Emulator::Moto));
        files.get_mut("wheelwright.toml").unwrap().push_str(settings);
        let (folder, state) = (Folder::of(&files), tempfile::tempdir().unwrap());
        Self { server, folder, files, state, log: Arc::default(), daemon: None }
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.state.path().join("state")
    }

    /// What a daemon here would be started with.
    pub(crate) fn command(&self) -> std::process::Command {
        let mut command = command(&self.folder, Some(&self.server.endpoint));
        command.arg("run").arg("--state").arg(self.state());
        command.args(["--listen", "127.0.0.1:0", "--log", "json"]).env("HOOK_KEY", KEY);
        command
    }

    /// Starts the daemon; it answers then.
    pub(crate) fn start(&mut self) {
        assert!(self.daemon.is_none());
        let before = self.log().len();
        let mut process = Running(self.command().stdin(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap());
        let (told, log) = (BufReader::new(process.0.stderr.take().unwrap()), Arc::clone(&self.log));
        let reading = std::thread::spawn(move || {
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
        self.daemon = Some(Daemon { process, url, reading });
    }

    /// As the power going: nothing is finished.
    pub(crate) fn kill(&mut self) {
        let mut daemon = self.daemon.take().unwrap();
        daemon.process.0.kill().unwrap();
        daemon.process.0.wait().unwrap();
        daemon.reading.join().unwrap();
    }

    /// Tells it to end as a supervisor does, and waits for it.
    pub(crate) fn terminate(&mut self) -> ExitStatus {
        self.signal("TERM");
        let mut daemon = self.daemon.take().unwrap();
        let status = until("the daemon ends", || daemon.process.0.try_wait().unwrap());
        daemon.reading.join().unwrap();
        status
    }

    pub(crate) fn signal(&self, name: &str) {
        let id = self.daemon().process.0.id().to_string();
        let sent = std::process::Command::new("kill").args([&format!("-{name}"), &id]).status().unwrap();
        assert!(sent.success());
    }

    fn daemon(&self) -> &Daemon {
        self.daemon.as_ref().expect("the daemon runs")
    }

    /// The lines of the log so far.
    pub(crate) fn log(&self) -> Vec<Value> {
        self.log.lock().unwrap().clone()
    }

    /// A command to the daemon, by whoever may read its state folder.
    pub(crate) fn tell(&self, args: &[&str]) -> Ran {
        let state = self.state();
        self.tell_without_token(&[args, &["--state", state.to_str().unwrap()]].concat())
    }

    /// The same by somebody who may not.
    pub(crate) fn tell_without_token(&self, args: &[&str]) -> Ran {
        wheelwright(&self.folder, None, &[args, &["--daemon", &self.daemon().url]].concat())
    }

    /// What the daemon answers to a command, in words.
    pub(crate) fn ask(&self, args: &[&str]) -> String {
        self.tell(args).expect(0).out
    }

    /// The same as JSON.
    pub(crate) fn ask_json(&self, args: &[&str]) -> Value {
        serde_json::from_str(&self.ask(&[args, &["--json"]].concat())).unwrap()
    }

    pub(crate) fn status(&self) -> Value {
        self.ask_json(&["status"])["status"].take()
    }

    /// Waits until the daemon has swept all and has nothing to do, and another program agrees.
    pub(crate) fn wait_in_step(&self) {
        until("a plan without steps", || {
            let status = self.status();
            (status["last-full"].is_string() && status["plan"]["steps"] == 0).then_some(())
        });
        wheelwright(&self.folder, Some(&self.server.endpoint), &["plan", "--expect-no-changes"]).expect(0);
    }

    /// Waits until so many more sweeps were done, one of which at least looked at everything.
    pub(crate) fn wait_sweeps(&self, count: u64) {
        let before = self.status();
        let id = |status: &Value| status["last-sweep"]["id"].as_u64().unwrap();
        until("more sweeps", || {
            let now = self.status();
            (id(&now) >= id(&before) + count && now["last-full"] != before["last-full"]).then_some(())
        });
    }

    /// Waits until so many messages wait on one channel and none on another, and the daemon has written that down: who is killed
    /// before that tells them again.
    pub(crate) fn wait_told(&self, left: &[(&str, u64)]) {
        until(&format!("nothing is left to be told but {left:?}"), || {
            let metrics = self.get("/metrics");
            let waiting = metrics.lines().filter_map(|line| line.strip_prefix("wheelwright_alerts_waiting{channel=\""));
            let counted: BTreeMap<&str, u64> = waiting
                .map(|line| line.split_once("\"} ").unwrap())
                .map(|(name, n)| (name, n.parse().unwrap()))
                .collect();
            let counted: Vec<(&str, u64)> = counted.into_iter().filter(|(_, count)| *count > 0).collect();
            (counted == left).then_some(())
        });
    }

    /// What the daemon answers at this path.
    pub(crate) fn get(&self, path: &str) -> String {
        let address = self.daemon().url.strip_prefix("http://").unwrap();
        let mut stream = TcpStream::connect(address).unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        answer
    }

    /// What is asked for.
    pub(crate) fn desired(&self) -> Desired {
        load(&self.files, 0).1
    }

    /// Somebody does what a row of the table of drift says.
    pub(crate) fn edit(&self, name: &str) -> &'static Row {
        let mut rows = TABLE.iter().flat_map(|(_, rows)| *rows);
        let row = rows.find(|row| row.name == name).unwrap_or_else(|| panic!("no row is called {name:?}"));
        (row.edit)(&mut Edit { door: &mut Desk::new(&self.server, false), desired: &self.desired() });
        row
    }

    /// The rule of a subscription: its account, its bus, its name.
    fn rule(&self, subscription: &str) -> (String, String, String) {
        let desired = self.desired();
        let found = desired.routes.iter().find(|(id, _)| id.consumer.to_string() == subscription);
        let rule = &found.unwrap_or_else(|| panic!("no route to {subscription}")).1.rule;
        (rule.bus.scope.account.to_string(), rule.bus.name.clone(), rule.name.clone())
    }

    /// Somebody calls `operation` on a subscription's rule.
    pub(crate) fn on_rule(&self, operation: &str, subscription: &str) -> Value {
        let (account, bus, name) = self.rule(subscription);
        self.server.must(&account, US, operation, json!({"Name": name, "EventBusName": bus}))
    }

    pub(crate) fn is_enabled(&self, subscription: &str) -> bool {
        self.on_rule("DescribeRule", subscription)["State"] == "ENABLED"
    }

    pub(crate) fn wait_enabled(&self, subscription: &str) {
        until(&format!("{subscription} is enabled"), || self.is_enabled(subscription).then_some(()));
    }

    pub(crate) fn wait_disabled(&self, subscription: &str) {
        until(&format!("{subscription} is disabled"), || (!self.is_enabled(subscription)).then_some(()));
    }

    /// The one open incident with this code.
    pub(crate) fn incident(&self, code: &str) -> Value {
        until(&format!("one open incident {code}"), || {
            let found = self.ask_json(&["incidents", "--code", code])["items"].take();
            let items = found.as_array().unwrap();
            assert!(items.len() <= 1, "{items:#?}");
            items.first().cloned()
        })
    }

    pub(crate) fn remove_state(&self) {
        assert!(self.daemon.is_none());
        std::fs::remove_dir_all(self.state()).unwrap();
    }

    /// Where a text stands in a file of the config folder.
    pub(crate) fn line_of(&self, path: &str, text: &str) -> usize {
        let file = std::fs::read_to_string(Path::new(self.folder.path()).join(path)).unwrap();
        1 + file.lines().position(|line| line.contains(text)).unwrap()
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = self.log();
            for line in &log[log.len().saturating_sub(60)..] {
                println!("{line}");
            }
        }
    }
}
