//! Starting an emulator, and talking to it as people do: by requests that nobody signed.

use crate::program::{Endpoint, Running};
use serde_json::Value;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

/// Which emulator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Emulator {
    /// `pip install 'moto[server]==5.2.5'`.
    Moto,
    /// `pip install ministack==1.5.33`.
    Ministack,
}

impl Emulator {
    /// The program that serves it.
    fn program(self) -> &'static str {
        match self {
            Self::Moto => "moto_server",
            Self::Ministack => "ministack",
        }
    }

    /// The variables that say where the program is, and that it must be there.
    fn variables(self) -> (&'static str, &'static str) {
        match self {
            Self::Moto => ("WHEELWRIGHT_MOTO", "WHEELWRIGHT_REQUIRE_MOTO"),
            Self::Ministack => ("WHEELWRIGHT_MINISTACK", "WHEELWRIGHT_REQUIRE_MINISTACK"),
        }
    }

    /// The program's path; none, with a word about it, where there is none and none is required.
    fn path(self) -> Option<PathBuf> {
        let (place, required) = self.variables();
        if let Some(path) = std::env::var_os(place) {
            return Some(path.into());
        }
        let folders = std::env::var_os("PATH").unwrap_or_default();
        let mut programs = std::env::split_paths(&folders).map(|folder| folder.join(self.program()));
        let found = programs.find(|program| program.is_file());
        if found.is_none() {
            assert_ne!(std::env::var(required).as_deref(), Ok("1"), "there is no {}", self.program());
            println!("skipped: there is no {} (install it, or set {place})", self.program());
        }
        found
    }
}

/// A server of the test's own, with nothing in it.
pub(crate) struct Server {
    pub(crate) emulator: Emulator,
    _process: Running,
    address: String,
    pub(crate) endpoint: Endpoint,
    /// The access keys of somebody in each account.
    keys: RefCell<BTreeMap<String, String>>,
}

impl Server {
    /// Starts one, with these variables in its environment; none where the emulator is not installed.
    pub(crate) fn start(emulator: Emulator, settings: &[(&str, &str)]) -> Option<Self> {
        let program = emulator.path()?;
        // Freed a moment before the emulator takes it.
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string();
        let mut command = Command::new(&program);
        match emulator {
            Emulator::Moto => command.args(["-H", "127.0.0.1", "-p", &port]),
            Emulator::Ministack => command.env("GATEWAY_PORT", &port).env("BIND_HOST", "127.0.0.1"),
        };
        command.envs(settings.iter().copied());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut process = Running(command.spawn().unwrap_or_else(|error| panic!("{}: {error}", program.display())));
        let address = format!("127.0.0.1:{port}");
        for _ in 0..600 {
            if let Some(status) = process.0.try_wait().unwrap() {
                panic!("{} ended with {status} before it answered", emulator.program());
            }
            if TcpStream::connect(&address).is_ok() {
                let key = "test".to_owned();
                let url = format!("http://{address}");
                let endpoint = Endpoint { url, access_key_id: key.clone(), secret_access_key: key };
                return Some(Self { emulator, _process: process, address, endpoint, keys: RefCell::default() });
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        panic!("{} does not listen on {address} after a minute", emulator.program());
    }

    /// A call of EventBridge's by somebody of `account`.
    pub(crate) fn call(&self, account: &str, region: &str, operation: &str, input: &Value) -> Result<Value, String> {
        let known = self.keys.borrow().get(account).cloned();
        let key = known.unwrap_or_else(|| self.sign_in(account));
        let target = format!("AWSEvents.{operation}");
        let headers = [("X-Amz-Target", target.as_str()), ("Content-Type", "application/x-amz-json-1.1")];
        let answer = self.post(&key, region, "events", &headers, &input.to_string())?;
        Ok(if answer.is_empty() { Value::Null } else { serde_json::from_str(&answer).unwrap_or_default() })
    }

    /// A call that must succeed.
    #[allow(clippy::needless_pass_by_value)] // It is written where it is passed.
    pub(crate) fn must(&self, account: &str, region: &str, operation: &str, input: Value) -> Value {
        let answer = self.call(account, region, operation, &input);
        answer.unwrap_or_else(|error| panic!("{operation} {input} in {account}/{region}: {error}"))
    }

    /// Assumes a role in an account, which nothing checks; the access key.
    fn sign_in(&self, account: &str) -> String {
        let form = format!(
            "Action=AssumeRole&Version=2011-06-15&RoleSessionName=console&RoleArn=arn:aws:iam::{account}:role/console"
        );
        let kind = "application/x-www-form-urlencoded";
        let answer = self.post("test", "us-east-1", "sts", &[("Content-Type", kind)], &form).unwrap();
        let key = answer.split_once("<AccessKeyId>").and_then(|(_, rest)| rest.split_once('<'));
        let key = key.unwrap_or_else(|| panic!("{answer}")).0.to_owned();
        self.keys.borrow_mut().insert(account.to_owned(), key.clone());
        key
    }

    /// One request, signed by nobody: emulators look at the access key alone.
    fn post(
        &self,
        key: &str,
        region: &str,
        service: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Result<String, String> {
        let credential = format!("{key}/20260101/{region}/{service}/aws4_request");
        let mut request = format!(
            "POST / HTTP/1.1\r\nHost: {service}.{region}.amazonaws.com\r\nConnection: close\r\nContent-Length: {}\r\n\
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
        if head.split(' ').nth(1) == Some("200") { Ok(body.to_owned()) } else { Err(answer) }
    }
}
