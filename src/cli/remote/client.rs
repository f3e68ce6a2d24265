//! The way to a daemon: its address, its token, one request.

use crate::cli::RemoteArgs;
use crate::cli::run::state::{FOLDER, TOKEN_FILE, read_token};
use crate::notify::Http;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use std::path::{Path, PathBuf};

/// Bytes of an answer that are read.
const ANSWER_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Why nothing came of it, for people.
#[derive(Debug)]
pub(super) struct Trouble(pub(super) String);

impl Trouble {
    pub(super) fn new(why: impl Into<String>) -> Self {
        Self(why.into())
    }
}

/// A daemon that can be asked.
pub(super) struct Client {
    http: Http,
    address: String,
    token: Option<String>,
    /// Where the token was looked for, where none was found.
    token_place: String,
}

impl Client {
    pub(super) fn new(remote: &RemoteArgs) -> Result<Self, Trouble> {
        let address = address(&remote.daemon)?;
        let folder = remote.state.clone().unwrap_or_else(|| PathBuf::from(FOLDER));
        let path = remote.token_file.clone().unwrap_or_else(|| folder.join(TOKEN_FILE));
        let token = match &remote.token {
            Some(token) => Some(token.clone()),
            None => read(&path, remote.token_file.is_some())?,
        };
        Ok(Self { http: http(&address), address, token, token_place: path.display().to_string() })
    }

    /// For what a daemon tells everybody.
    pub(super) fn without_token(daemon: &str) -> Result<Self, Trouble> {
        let address = address(daemon)?;
        Ok(Self { http: http(&address), address, token: None, token_place: String::new() })
    }

    pub(super) async fn get(&self, path: &str, query: &[(&str, Option<String>)]) -> Result<Value, Trouble> {
        let pairs: Vec<String> = query
            .iter()
            .filter_map(|(key, value)| value.as_ref().map(|value| format!("{key}={}", escaped(value))))
            .collect();
        let query = if pairs.is_empty() { String::new() } else { format!("?{}", pairs.join("&")) };
        self.send("GET", &format!("{path}{query}"), String::new()).await
    }

    pub(super) async fn post(&self, path: &str, body: &Value) -> Result<Value, Trouble> {
        if self.token.is_none() {
            return Err(Trouble::new(format!(
                "orders need the daemon's token, and there is none at {}: say --state DIR or --token-file FILE, or set WHEELWRIGHT_TOKEN",
                self.token_place
            )));
        }
        self.send("POST", path, body.to_string()).await
    }

    async fn send(&self, method: &str, path: &str, body: String) -> Result<Value, Trouble> {
        let mut request = http::Request::builder().method(method).uri(format!("{}{path}", self.address));
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        if !body.is_empty() {
            request = request.header("content-type", "application/json");
        }
        let request =
            request.body(body).map_err(|error| Trouble::new(format!("the request could not be built: {error}")))?;
        let answered = self.http.send(request).await.map_err(|trouble| {
            Trouble::new(format!(
                "the daemon at {} does not answer ({}): is it running? --daemon URL names another address",
                self.address, trouble.why
            ))
        })?;
        let answer: Value = serde_json::from_slice(&answered.body).unwrap_or_default();
        if (200..300).contains(&answered.status) {
            return Ok(answer);
        }
        let message = answer.get("message").and_then(Value::as_str);
        Err(Trouble::new(message.map_or_else(|| format!("the daemon answered {}", answered.status), str::to_owned)))
    }
}

/// Where the daemon is, if nobody on the way can read what is said.
fn address(daemon: &str) -> Result<String, Trouble> {
    let address = daemon.trim_end_matches('/').to_owned();
    if crate::config::is_https_or_loopback(&address) {
        return Ok(address);
    }
    Err(Trouble::new(format!("{address} is not an https URL, nor this machine's: the token would be seen on the way")))
}

fn http(address: &str) -> Http {
    Http::reading(address.starts_with("https://"), ANSWER_BYTES_MAX)
}

/// The token in a file; none where there is no file, unless it was named.
fn read(path: &Path, is_named: bool) -> Result<Option<String>, Trouble> {
    if !is_named && !path.exists() {
        return Ok(None);
    }
    read_token(path).map(Some).map_err(|error| Trouble::new(format!("{error:#}")))
}

/// A text within a URL.
pub(super) fn escaped(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}
