//! A repository behind `ssh`: the program that people trust with their keys, started without a shell, with a bound on its time.

use super::fetch::{Bounds, now};
use gix_transport::Protocol;
use gix_transport::client::git::ConnectMode;
use gix_transport::client::git::blocking_io::Connection;
use std::io::{self, Read};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How long a connection may take, and how long one may be silent, in seconds.
const CONNECT_SECS: u32 = 15;
/// What is kept of what `ssh` says.
const SAID_BYTES_MAX: u64 = 4_096;
/// How long what it said is waited for when it has ended.
const SAYS_WITHIN: Duration = Duration::from_secs(1);
/// What of our environment `ssh` is given: what it finds its user's keys by, and nothing that is secret.
const ENVIRONMENT: [&str; 5] = ["PATH", "HOME", "USER", "LOGNAME", "SSH_AUTH_SOCK"];

/// A program that runs.
pub(super) struct Ssh {
    child: Arc<Mutex<Child>>,
    path: gix::bstr::BString,
    bounds: Bounds,
    says: Receiver<String>,
    /// Dropped when all is over; the watch ends with it.
    over: Sender<()>,
}

impl Ssh {
    /// Starts `ssh` for the repository at `url`.
    pub(super) fn start(
        url: &gix::Url,
        key_file: Option<&str>,
        known_hosts_file: Option<&str>,
        bounds: Bounds,
    ) -> Result<Self, String> {
        let path = gix::url::expand_path::for_shell(url.path.clone());
        let mut command = command(url, key_file, known_hosts_file)?;
        command.arg(format!("git-upload-pack {}", quoted(&path.to_string())));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => {
                "the program `ssh` is not there: install OpenSSH's client, or fetch over https".to_owned()
            }
            _ => format!("`ssh` does not start: {error}"),
        })?;
        let errors = child.stderr.take();
        let (told, says) = channel();
        std::thread::spawn(move || {
            let mut said = Vec::new();
            _ = errors.map(|errors| errors.take(SAID_BYTES_MAX).read_to_end(&mut said));
            _ = told.send(String::from_utf8_lossy(&said).into_owned());
        });
        let child = Arc::new(Mutex::new(child));
        let (over, is_over) = channel();
        let (watched, watched_bounds) = (Arc::clone(&child), bounds.clone());
        std::thread::spawn(move || {
            let left = watched_bounds.deadline.saturating_duration_since(now());
            if is_over.recv_timeout(left) == Err(RecvTimeoutError::Timeout) {
                watched_bounds.say("it did not end within `fetch-secs-max`");
                _ = watched.lock().unwrap_or_else(PoisonError::into_inner).kill();
            }
        });
        Ok(Self { child, path, bounds, says, over })
    }

    /// What speaks git's protocol through it.
    pub(super) fn transport(&self) -> Result<Connection<Limited<ChildStdout>, ChildStdin>, String> {
        let mut child = self.child.lock().unwrap_or_else(PoisonError::into_inner);
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err("`ssh` was started without a way to speak with it".into());
        };
        let output = Limited { inner: output, left: self.bounds.bytes_max, bounds: self.bounds.clone() };
        let nowhere = None::<(&str, Option<u16>)>;
        Ok(Connection::new(output, input, Protocol::V2, self.path.clone(), nowhere, ConnectMode::Process, false))
    }

    /// Ends the program. What it said is the reason, if it `failed`.
    pub(super) fn end(self, failed: bool) {
        drop(self.over);
        let mut child = self.child.lock().unwrap_or_else(PoisonError::into_inner);
        _ = child.kill();
        _ = child.wait();
        drop(child);
        // A program that it started itself, as for a jump host, may hold on to it.
        let said = self.says.recv_timeout(SAYS_WITHIN).unwrap_or_default();
        if failed && !said.trim().is_empty() {
            let lines: Vec<&str> = said.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
            self.bounds.say(&format!("ssh says: {}", lines.join("; ")));
        }
    }
}

fn command(url: &gix::Url, key_file: Option<&str>, known_hosts_file: Option<&str>) -> Result<Command, String> {
    let host = url.host().ok_or("the URL names no host")?;
    let mut command = Command::new("ssh");
    command.env_clear();
    #[allow(clippy::disallowed_methods)] // It is handed on by name, and nothing of it is read.
    let environment = ENVIRONMENT.iter().filter_map(|name| Some((name, std::env::var_os(name)?)));
    command.envs(environment).env("GIT_PROTOCOL", "version=2").env("LC_ALL", "C");
    let mut option = |text: String| {
        command.args(["-o", &text]);
    };
    option("BatchMode=yes".into());
    // A host that nobody named is not believed, not even the first time.
    option("StrictHostKeyChecking=yes".into());
    option(format!("ConnectTimeout={CONNECT_SECS}"));
    option(format!("ServerAliveInterval={CONNECT_SECS}"));
    option("SendEnv=GIT_PROTOCOL".into());
    option("ForwardAgent=no".into());
    option("ClearAllForwardings=yes".into());
    option("ControlMaster=no".into());
    option("ControlPath=none".into());
    if let Some(file) = known_hosts_file {
        option(format!("UserKnownHostsFile={}", absolute(file)?));
        option("GlobalKnownHostsFile=/dev/null".into());
    }
    if let Some(file) = key_file {
        option("IdentitiesOnly=yes".into());
        option(format!("IdentityFile={}", absolute(file)?));
    }
    if let Some(port) = url.port {
        command.args(["-p", &port.to_string()]);
    }
    let user = url.user().unwrap_or("git");
    command.args(["--", &format!("{user}@{host}")]);
    Ok(command)
}

/// A file's whole path, as an option of `ssh` takes it.
fn absolute(file: &str) -> Result<String, String> {
    let path = std::fs::canonicalize(file).map_err(|error| format!("{file}: {error}"))?;
    let text = path.to_str().filter(|text| !text.contains(['"', '%', ' ']));
    text.map(str::to_owned).ok_or_else(|| format!("{file}: `ssh` takes no path with spaces, quotes or `%`"))
}

/// As a shell on the other side takes it for one word.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''").replace('!', r"'\!'"))
}

/// No more than so many bytes.
pub(super) struct Limited<R> {
    inner: R,
    left: u64,
    bounds: Bounds,
}

impl<R: Read> Read for Limited<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.left = self.left.checked_sub(count as u64).ok_or_else(|| {
            self.bounds.say("it is more than `fetch-mib-max`");
            io::Error::other("more than the fetch may bring")
        })?;
        Ok(count)
    }
}
