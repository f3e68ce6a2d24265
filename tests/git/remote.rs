//! A repository as teams push to it, and the ways that a daemon reaches it: git's own HTTP back end, and OpenSSH's server.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;
use tempfile::TempDir;

/// A bare repository and a person's clone of it.
pub(crate) struct Repository {
    folder: TempDir,
}

impl Repository {
    /// One whose first commit, on `main`, has these files in `config/`.
    pub(crate) fn of(files: &BTreeMap<String, String>) -> Self {
        let repository = Self { folder: tempfile::tempdir().unwrap() };
        let (bare, work) = (repository.bare(), repository.work());
        run(git(repository.folder.path()).args(["init", "--quiet", "--bare", "--initial-branch", "main"]).arg(&bare));
        run(git(repository.folder.path()).args(["clone", "--quiet"]).arg(&bare).arg(&work));
        for (path, text) in files {
            repository.write(path, text);
        }
        repository.commit(&[]);
        repository
    }

    pub(crate) fn root(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn bare(&self) -> PathBuf {
        self.folder.path().join("bare.git")
    }

    pub(crate) fn work(&self) -> PathBuf {
        self.folder.path().join("work")
    }

    /// Writes a file of the config folder, without a commit.
    pub(crate) fn write(&self, path: &str, text: &str) {
        let path = self.work().join("config").join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Commits all that was written, with these options, and pushes it. Returns the commit's id.
    pub(crate) fn commit(&self, options: &[&str]) -> String {
        self.git(&["add", "--all"]);
        self.git(&[&["commit", "--quiet", "--message", "a change"], options].concat());
        self.push();
        self.head()
    }

    /// Commits and pushes all that was written, as somebody whose clock said this.
    pub(crate) fn commit_at(&self, date: &str) {
        self.git(&["add", "--all"]);
        run(git(&self.work()).args(["commit", "--quiet", "--message", "a change"]).env("GIT_COMMITTER_DATE", date));
        self.push();
    }

    /// The same for one file.
    pub(crate) fn change(&self, path: &str, text: &str) -> String {
        self.write(path, text);
        self.commit(&[])
    }

    /// Pushes the branch as it is, whatever was there.
    pub(crate) fn push(&self) {
        self.git(&["push", "--quiet", "--force", "origin", "HEAD:main"]);
    }

    pub(crate) fn head(&self) -> String {
        self.git(&["rev-parse", "HEAD"]).trim().to_owned()
    }

    pub(crate) fn git(&self, arguments: &[&str]) -> String {
        run(git(&self.work()).args(arguments))
    }
}

/// The `git` program of somebody who has no settings.
fn git(folder: &Path) -> Command {
    let mut command = Command::new("git");
    command.current_dir(folder).env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_SYSTEM", "/dev/null");
    for who in ["AUTHOR", "COMMITTER"] {
        command.env(format!("GIT_{who}_NAME"), "Ann").env(format!("GIT_{who}_EMAIL"), "ann@example.com");
    }
    command
}

pub(crate) fn run(command: &mut Command) -> String {
    let output = command.stdin(Stdio::null()).output().unwrap();
    let (out, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{command:?}: {out}{errors}");
    out.into_owned()
}

/// A port of this machine that nobody listens on.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// How often each kind of request came.
type Seen = Arc<Mutex<BTreeMap<String, u32>>>;

/// `git http-backend` behind a listener on loopback that can be closed and opened again at the same address.
pub(crate) struct Web {
    address: SocketAddr,
    root: PathBuf,
    /// What `authorization` has to be, if anything.
    wants: Option<String>,
    pub(crate) seen: Seen,
    serving: Option<(Arc<AtomicBool>, JoinHandle<()>)>,
}

impl Web {
    pub(crate) fn serve(repository: &Repository, wants: Option<&str>) -> Self {
        let address = SocketAddr::from(([127, 0, 0, 1], free_port()));
        let (root, wants) = (repository.root().to_owned(), wants.map(str::to_owned));
        let mut web = Self { address, root, wants, seen: Seen::default(), serving: None };
        web.open();
        web
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/bare.git", self.address)
    }

    pub(crate) fn open(&mut self) {
        let listener = TcpListener::bind(self.address).unwrap();
        let is_over = Arc::new(AtomicBool::new(false));
        let (over, root, wants, seen) =
            (Arc::clone(&is_over), self.root.clone(), self.wants.clone(), Arc::clone(&self.seen));
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if over.load(Ordering::SeqCst) {
                    return;
                }
                _ = answer(stream.unwrap(), &root, wants.as_deref(), &seen);
            }
        });
        self.serving = Some((is_over, thread));
    }

    /// Somebody else listens at its address, and never says a word.
    pub(crate) fn hang(&mut self) -> TcpListener {
        self.close();
        TcpListener::bind(self.address).unwrap()
    }

    /// Nobody listens at its address from now on.
    pub(crate) fn close(&mut self) {
        let Some((is_over, thread)) = self.serving.take() else { return };
        is_over.store(true, Ordering::SeqCst);
        drop(TcpStream::connect(self.address));
        thread.join().unwrap();
    }
}

impl Drop for Web {
    fn drop(&mut self) {
        self.close();
    }
}

/// Answers one request as CGI does (<https://www.rfc-editor.org/rfc/rfc3875>).
fn answer(mut stream: TcpStream, root: &Path, wants: Option<&str>, seen: &Seen) -> std::io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    let mut bytes = Vec::new();
    let mut chunk = [0; 16 * 1024];
    let (head, mut body) = loop {
        let count = stream.read(&mut chunk)?;
        if count == 0 {
            return Ok(());
        }
        bytes.extend_from_slice(&chunk[..count]);
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break (String::from_utf8_lossy(&bytes[..end]).into_owned(), bytes[end + 4..].to_vec());
        }
    };
    let mut lines = head.lines();
    let mut request = lines.next().unwrap().split(' ');
    let (method, target) = (request.next().unwrap(), request.next().unwrap());
    let fields: BTreeMap<String, &str> =
        lines.filter_map(|line| line.split_once(": ")).map(|(name, value)| (name.to_lowercase(), value)).collect();
    let length = fields.get("content-length").map_or(0, |length| length.parse::<usize>().unwrap());
    while body.len() < length {
        let count = stream.read(&mut chunk)?;
        body.extend_from_slice(&chunk[..count]);
    }
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    *seen.lock().unwrap().entry(format!("{method} {path}")).or_default() += 1;
    if wants.is_some_and(|wants| fields.get("authorization") != Some(&wants)) {
        return stream
            .write_all(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 8\r\nConnection: close\r\n\r\nNot you.");
    }
    let mut command = git(root);
    command.arg("http-backend").env("GIT_PROJECT_ROOT", root).env("GIT_HTTP_EXPORT_ALL", "1");
    command.env("REQUEST_METHOD", method).env("PATH_INFO", path).env("QUERY_STRING", query);
    command.env("CONTENT_LENGTH", length.to_string()).env("REMOTE_ADDR", "127.0.0.1");
    for (name, variable) in [("content-type", "CONTENT_TYPE"), ("git-protocol", "GIT_PROTOCOL")] {
        command.envs(fields.get(name).map(|value| (variable, *value)));
    }
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn()?;
    child.stdin.take().unwrap().write_all(&body)?;
    let said = child.wait_with_output()?.stdout;
    let end = said.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
    let head = String::from_utf8_lossy(&said[..end]).into_owned();
    let status = head.lines().find_map(|line| line.strip_prefix("Status: ")).unwrap_or("200 OK");
    let content = &said[end + 4..];
    write!(stream, "HTTP/1.1 {status}\r\n{head}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", content.len())?;
    stream.write_all(content)
}

/// OpenSSH's server on loopback, for whoever runs this test.
pub(crate) struct SshServer {
    folder: TempDir,
    port: u16,
    _process: crate::program::Running,
}

impl SshServer {
    /// Starts one that lets one key in; none where the program is not installed.
    pub(crate) fn start() -> Option<Self> {
        let Some(program) = ["/usr/sbin/sshd", "/usr/local/sbin/sshd"].iter().find(|path| Path::new(path).exists())
        else {
            let required = std::env::var("WHEELWRIGHT_REQUIRE_SSHD").is_ok_and(|value| value == "1");
            assert!(!required, "there is no sshd");
            eprintln!("left out: there is no sshd (Debian: openssh-server)");
            return None;
        };
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for name in ["host", "key", "other"] {
            make_key(&at(name));
        }
        fs::copy(at("key.pub"), at("authorized_keys")).unwrap();
        let port = free_port();
        let text = format!(
            "Port {port}\nListenAddress 127.0.0.1\nHostKey {}\nAuthorizedKeysFile {}\nStrictModes no\nUsePAM no\n\
             PasswordAuthentication no\nKbdInteractiveAuthentication no\nPidFile none\nPermitRootLogin prohibit-password\n\
             AcceptEnv GIT_PROTOCOL\nSetEnv PATH={}\n",
            at("host").display(),
            at("authorized_keys").display(),
            std::env::var("PATH").unwrap(),
        );
        fs::write(at("config"), text).unwrap();
        // Where it is started by root it wants this folder, which the system's own service makes at its start.
        _ = fs::create_dir("/run/sshd");
        let mut command = Command::new(program);
        command.args(["-D", "-e", "-f"]).arg(at("config")).stdin(Stdio::null()).stdout(Stdio::null());
        let log = fs::File::create(at("log")).unwrap();
        let process = crate::program::Running(command.stderr(log).spawn().unwrap());
        let server = Self { folder, port, _process: process };
        crate::site::until("sshd listens", || TcpStream::connect(("127.0.0.1", port)).ok());
        server.know(&["host"]);
        Some(server)
    }

    /// Writes the file of known hosts, as if these were the host's keys.
    pub(crate) fn know(&self, keys: &[&str]) {
        let line = |key: &&str| {
            let public = fs::read_to_string(self.folder.path().join(format!("{key}.pub"))).unwrap();
            format!("[127.0.0.1]:{} {public}", self.port)
        };
        fs::write(self.known_hosts(), keys.iter().map(line).collect::<String>()).unwrap();
    }

    pub(crate) fn known_hosts(&self) -> PathBuf {
        self.folder.path().join("known_hosts")
    }

    pub(crate) fn key(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn url(&self, repository: &Repository) -> String {
        let user = run(Command::new("id").arg("-un"));
        format!("ssh://{}@127.0.0.1:{}{}", user.trim(), self.port, repository.bare().display())
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap()
    }
}

/// A new key without a password, and its public part beside it.
pub(crate) fn make_key(path: &Path) {
    run(Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-C", "", "-f"]).arg(path));
}
