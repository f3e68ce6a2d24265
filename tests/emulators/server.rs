//! Starting an emulator, and talking to it as people do: by requests that they sign.

use crate::program::{Endpoint, Running};
use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

/// Which emulator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Emulator {
    /// `pip install 'moto[server]==5.2.5'`.
    Moto,
    /// `pip install ministack==1.5.33`.
    Ministack,
    /// The same with `AUTH=true`: it checks roles and signatures.
    MinistackWithAuth,
}

impl Emulator {
    /// The program that serves it.
    fn program(self) -> &'static str {
        match self {
            Self::Moto => "moto_server",
            Self::Ministack | Self::MinistackWithAuth => "ministack",
        }
    }

    /// The variables that say where the program is, and that it must be there.
    fn variables(self) -> (&'static str, &'static str) {
        match self {
            Self::Moto => ("WHEELWRIGHT_MOTO", "WHEELWRIGHT_REQUIRE_MOTO"),
            Self::Ministack | Self::MinistackWithAuth => ("WHEELWRIGHT_MINISTACK", "WHEELWRIGHT_REQUIRE_MINISTACK"),
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

/// An access key and its secret.
#[derive(Clone)]
pub(crate) struct Key {
    pub(crate) id: String,
    pub(crate) secret: String,
}

impl Key {
    pub(crate) fn new(id: &str, secret: &str) -> Self {
        Self { id: id.to_owned(), secret: secret.to_owned() }
    }
}

/// The secret of every access key that is not a session's, in both emulators.
const SECRET: &str = "test";

/// A server of the test's own, with nothing in it.
pub(crate) struct Server {
    pub(crate) emulator: Emulator,
    _process: Running,
    address: String,
    pub(crate) endpoint: Endpoint,
    /// The access keys of somebody in each account.
    keys: RefCell<BTreeMap<String, Key>>,
}

impl Server {
    /// Starts one; none where the emulator is not installed.
    pub(crate) fn start(emulator: Emulator) -> Option<Self> {
        let program = emulator.path()?;
        // Freed a moment before the emulator takes it.
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string();
        let mut command = Command::new(&program);
        match emulator {
            Emulator::Moto => command.args(["-H", "127.0.0.1", "-p", &port]),
            Emulator::Ministack | Emulator::MinistackWithAuth => {
                let with_auth = emulator == Emulator::MinistackWithAuth;
                command.env("AUTH", with_auth.to_string());
                // Of no use here, and on ports that all servers of a machine would share.
                command.env("IOT_MTLS_ENABLED", "0").env("SFTP_ENABLED", "0");
                command.env("GATEWAY_PORT", &port).env("BIND_HOST", "127.0.0.1")
            }
        };
        // ministack takes its root's keys from the surroundings, and a developer may have some there.
        for name in ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"] {
            command.env_remove(name);
        }
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut process = Running(command.spawn().unwrap_or_else(|error| panic!("{}: {error}", program.display())));
        let address = format!("127.0.0.1:{port}");
        for _ in 0..600 {
            if let Some(status) = process.0.try_wait().unwrap() {
                panic!("{} ended with {status} before it answered", emulator.program());
            }
            if answers(&address) {
                let (url, access_key_id) = (format!("http://{address}"), "test".to_owned());
                let endpoint = Endpoint { url, access_key_id, secret_access_key: SECRET.to_owned() };
                return Some(Self { emulator, _process: process, address, endpoint, keys: RefCell::default() });
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        panic!("{} does not answer on {address} after a minute", emulator.program());
    }

    /// A call of EventBridge's by somebody of `account`.
    pub(crate) fn call(&self, account: &str, region: &str, operation: &str, input: &Value) -> Result<Value, String> {
        self.call_as(&self.key(account), region, operation, input)
    }

    /// The same by whom a key belongs to.
    pub(crate) fn call_as(&self, key: &Key, region: &str, operation: &str, input: &Value) -> Result<Value, String> {
        let target = format!("AWSEvents.{operation}");
        let headers = [("x-amz-target", target.as_str()), ("content-type", "application/x-amz-json-1.1")];
        let answer = self.post(key, region, "events", &headers, &input.to_string())?;
        Ok(if answer.is_empty() { Value::Null } else { serde_json::from_str(&answer).unwrap_or_default() })
    }

    /// A call that must succeed.
    #[allow(clippy::needless_pass_by_value)] // It is written where it is passed.
    pub(crate) fn must(&self, account: &str, region: &str, operation: &str, input: Value) -> Value {
        let answer = self.call(account, region, operation, &input);
        answer.unwrap_or_else(|error| panic!("{operation} {input} in {account}/{region}: {error}"))
    }

    /// A call of IAM's, which must succeed: the parameters as a form has them.
    pub(crate) fn iam(&self, account: &str, operation: &str, parameters: &[(&str, &str)]) -> String {
        let fixed = [("Action", operation), ("Version", "2010-05-08")];
        let answer = self.post(&self.key(account), "us-east-1", "iam", FORM, &form(&[&fixed, parameters].concat()));
        answer.unwrap_or_else(|error| panic!("{operation} {parameters:?} in {account}: {error}"))
    }

    /// A new user of an account, who may do this and nothing else; the access key.
    pub(crate) fn user(&self, account: &str, name: &str, action: &str, resource: &str) -> Key {
        let statement = json!({"Effect": "Allow", "Action": action, "Resource": resource});
        let policy = json!({"Version": "2012-10-17", "Statement": [statement]}).to_string();
        let user = ("UserName", name);
        self.iam(account, "CreateUser", &[user]);
        self.iam(account, "PutUserPolicy", &[user, ("PolicyName", "may"), ("PolicyDocument", &policy)]);
        let answer = self.iam(account, "CreateAccessKey", &[user]);
        Key::new(field(&answer, "AccessKeyId"), field(&answer, "SecretAccessKey"))
    }

    /// The access key of somebody in an account.
    fn key(&self, account: &str) -> Key {
        match self.emulator {
            // An account's number is the access key of its root.
            Emulator::Ministack | Emulator::MinistackWithAuth => Key::new(account, SECRET),
            Emulator::Moto => {
                let known = self.keys.borrow().get(account).cloned();
                known.unwrap_or_else(|| self.sign_in(account))
            }
        }
    }

    /// Assumes a role in an account, which moto does not check; the access key.
    fn sign_in(&self, account: &str) -> Key {
        let role = format!("arn:aws:iam::{account}:role/console");
        let input = [
            ("Action", "AssumeRole"),
            ("Version", "2011-06-15"),
            ("RoleSessionName", "console"),
            ("RoleArn", role.as_str()),
        ];
        let answer = self.post(&Key::new("test", SECRET), "us-east-1", "sts", FORM, &form(&input)).unwrap();
        let key = Key::new(field(&answer, "AccessKeyId"), field(&answer, "SecretAccessKey"));
        self.keys.borrow_mut().insert(account.to_owned(), key.clone());
        key
    }

    /// One request. moto looks at the access key alone, ministack with `AUTH=true` at the whole signature.
    pub(crate) fn post(
        &self,
        key: &Key,
        region: &str,
        service: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Result<String, String> {
        let identity = Credentials::new(&*key.id, &*key.secret, None, None, "test").into();
        let parameters = v4::SigningParams::builder().identity(&identity).region(region).name(service);
        let parameters = parameters.time(SystemTime::now()).settings(SigningSettings::default()).build().unwrap();
        let url = format!("http://{}/", self.address);
        let signable =
            SignableRequest::new("POST", &url, headers.iter().copied(), SignableBody::Bytes(body.as_bytes()));
        let (signature, _) = sign(signable.unwrap(), &parameters.into()).unwrap().into_parts();
        let mut request = format!(
            "POST / HTTP/1.1\r\nhost: {}\r\nconnection: close\r\ncontent-length: {}\r\n",
            self.address,
            body.len()
        );
        for (name, value) in signature.headers().chain(headers.iter().copied()) {
            request += &format!("{name}: {value}\r\n");
        }
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.write_all(format!("{request}\r\n{body}").as_bytes()).unwrap();
        let answer = read_answer(&mut stream);
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{answer}"));
        if head.split(' ').nth(1) == Some("200") { Ok(body.to_owned()) } else { Err(answer) }
    }
}

/// Whether somebody answers a request there, whatever he says. Who listens may still be starting, and hang up.
fn answers(address: &str) -> bool {
    let Ok(mut stream) = TcpStream::connect(address) else { return false };
    let asked = stream.write_all(format!("GET / HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n").as_bytes());
    let mut start = [0; 5];
    asked.and_then(|()| stream.read_exact(&mut start)).is_ok() && &start == b"HTTP/"
}

/// What an answer in XML has in the first element of this name.
fn field<'a>(answer: &'a str, name: &str) -> &'a str {
    let start = answer.split_once(&format!("<{name}>")).map(|(_, rest)| rest);
    start.and_then(|rest| rest.split_once('<')).unwrap_or_else(|| panic!("no {name} in {answer}")).0
}

/// Head and body of an answer. moto hangs up 10 ms after it has said all, so that it is not waited for.
fn read_answer(stream: &mut TcpStream) -> String {
    let (mut answer, mut chunk) = (Vec::new(), [0; 16 * 1024]);
    loop {
        let text = String::from_utf8_lossy(&answer);
        if let Some((head, _)) = text.split_once("\r\n\r\n") {
            let mut headers = head.lines().filter_map(|line| line.split_once(':'));
            let length = headers.find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
            let length = length.and_then(|(_, value)| value.trim().parse::<usize>().ok());
            if length.is_some_and(|length| answer.len() >= head.len() + 4 + length) {
                return text.into_owned();
            }
        }
        match stream.read(&mut chunk).unwrap() {
            0 => return text.into_owned(),
            count => answer.extend_from_slice(&chunk[..count]),
        }
    }
}

const FORM: &[(&str, &str)] = &[("content-type", "application/x-www-form-urlencoded")];

fn form(parameters: &[(&str, &str)]) -> String {
    let pairs =
        parameters.iter().map(|(name, value)| format!("{name}={}", utf8_percent_encode(value, NON_ALPHANUMERIC)));
    pairs.collect::<Vec<_>>().join("&")
}
