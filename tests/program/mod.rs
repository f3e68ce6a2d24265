//! The built program as a person starts it: a config folder, a terminal that is none, and an AWS to talk to.
#![allow(dead_code)] // Each test crate takes what it needs.
#![allow(clippy::disallowed_methods)] // Files are written and processes started here: it is what these tests are about.

pub(crate) mod served;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, UNIX_EPOCH};
use tempfile::TempDir;

/// A config folder of the test's own.
pub(crate) struct Folder {
    dir: TempDir,
    /// The modification time of the newest file, in seconds since 1970: the topology's sequence.
    sequence: u64,
}

impl Folder {
    /// A copy of the repository's worked example.
    pub(crate) fn worked() -> Self {
        Self::of(&worked_files())
    }

    /// These files, by path.
    pub(crate) fn of(files: &BTreeMap<String, String>) -> Self {
        let mut folder = Self { dir: tempfile::tempdir().unwrap(), sequence: 1_790_000_000 };
        for (path, text) in files {
            folder.put(path, text);
        }
        folder
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Writes a file as the folder's newest.
    pub(crate) fn write(&mut self, path: &str, text: &str) {
        self.sequence += 60;
        self.put(path, text);
    }

    /// Replaces `from`, which must be in the file once.
    pub(crate) fn replace(&mut self, path: &str, from: &str, to: &str) {
        let text = std::fs::read_to_string(self.dir.path().join(path)).unwrap();
        assert_eq!(text.matches(from).count(), 1, "{from:?} is not once in {path}");
        self.write(path, &text.replace(from, to));
    }

    fn put(&mut self, path: &str, text: &str) {
        let path = self.dir.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        // The folders' times count as well: they tell of files that were taken away.
        for place in path.ancestors().take_while(|place| place.starts_with(self.dir.path())) {
            let file = std::fs::File::open(place).unwrap();
            file.set_modified(UNIX_EPOCH + Duration::from_secs(self.sequence)).unwrap();
        }
    }
}

/// The repository's worked example, by path.
pub(crate) fn worked_files() -> BTreeMap<String, String> {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("config");
    let mut files = BTreeMap::new();
    collect(&example, &example, &mut files);
    files
}

fn collect(root: &Path, folder: &Path, files: &mut BTreeMap<String, String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path: PathBuf = entry.unwrap().path();
        if path.is_dir() {
            collect(root, &path, files);
        } else {
            let name = path.strip_prefix(root).unwrap().to_str().unwrap().replace('\\', "/");
            files.insert(name, std::fs::read_to_string(&path).unwrap());
        }
    }
}

/// Where AWS is, and as whom to go there.
#[derive(Clone, Debug)]
pub(crate) struct Endpoint {
    pub(crate) url: String,
    pub(crate) access_key_id: String,
    pub(crate) secret_access_key: String,
}

/// What came of a run.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ran {
    /// Fails unless it ended with this code; the streams are told.
    pub(crate) fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, code, "standard output:\n{}\nstandard error:\n{}", self.out, self.err);
        self
    }

    /// What is wrong with how it told of a trouble: it says each of these, and ends with 1.
    pub(crate) fn told_badly(&self, says: &[&str]) -> Vec<String> {
        let text = format!("{}{}", self.out, self.err);
        let unsaid = says.iter().filter(|words| !text.contains(**words));
        let mut wrong: Vec<String> = unsaid.map(|words| format!("it does not say {words:?}")).collect();
        if self.code != 1 {
            wrong.push(format!("it ends with {} and not 1", self.code));
        }
        wrong
    }
}

/// Runs the program with nothing of the surroundings but what is given, and nobody at a terminal.
pub(crate) fn wheelwright(folder: &Folder, endpoint: Option<&Endpoint>, args: &[&str]) -> Ran {
    wheelwright_with(folder, endpoint, &[], args)
}

/// The same with these variables of the environment.
pub(crate) fn wheelwright_with(
    folder: &Folder,
    endpoint: Option<&Endpoint>,
    variables: &[(&str, &str)],
    args: &[&str],
) -> Ran {
    let output =
        command(folder, endpoint).envs(variables.iter().copied()).args(args).stdin(Stdio::null()).output().unwrap();
    Ran {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

/// The program with nothing of the surroundings but what is given.
pub(crate) fn command(folder: &Folder, endpoint: Option<&Endpoint>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wheelwright"));
    command.env_clear().env("HOME", folder.path()).env("AWS_EC2_METADATA_DISABLED", "true");
    command.arg("--config").arg(folder.path());
    if let Some(Endpoint { url, access_key_id, secret_access_key }) = endpoint {
        command.env("AWS_ENDPOINT_URL", url).env("AWS_REGION", "us-east-1");
        command.env("AWS_ACCESS_KEY_ID", access_key_id).env("AWS_SECRET_ACCESS_KEY", secret_access_key);
    }
    command
}

/// A process that ends with this value.
pub(crate) struct Running(pub(crate) Child);

impl Drop for Running {
    fn drop(&mut self) {
        _ = self.0.kill();
        _ = self.0.wait();
    }
}

/// `wheelwright sim` for the accounts of a folder, on a port of its own.
pub(crate) struct Simulation {
    _process: Running,
    pub(crate) endpoint: Endpoint,
}

impl Simulation {
    pub(crate) fn start(folder: &Folder) -> Self {
        let mut command = command(folder, None);
        command.args(["sim", "--listen", "127.0.0.1:0"]).stdin(Stdio::null()).stderr(Stdio::null());
        let mut process = Running(command.stdout(Stdio::piped()).spawn().unwrap());
        let out = BufReader::new(process.0.stdout.take().unwrap());
        let exported: BTreeMap<String, String> = out
            .lines()
            .map_while(Result::ok)
            .take(4)
            .filter_map(|line| {
                let (name, value) = line.strip_prefix("export ")?.split_once('=')?;
                Some((name.to_owned(), value.to_owned()))
            })
            .collect();
        let endpoint = Endpoint {
            url: exported["AWS_ENDPOINT_URL"].clone(),
            access_key_id: exported["AWS_ACCESS_KEY_ID"].clone(),
            secret_access_key: exported["AWS_SECRET_ACCESS_KEY"].clone(),
        };
        Self { _process: process, endpoint }
    }
}
