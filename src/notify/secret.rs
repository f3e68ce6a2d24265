//! Secrets from the environment or a file, and addresses that may be secret.
//!
//! An error names the variable or the file, never what is in it.

use super::Unready;
use crate::model::settings::{Address, Secret};
use std::fmt;
use std::io::Read as _;
use std::net::IpAddr;

/// A text that is printed nowhere.
#[derive(Clone)]
pub struct SecretText(String);

impl SecretText {
    /// The text, for who sends or compares it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// Why a secret could not be read.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The variable is not there.
    #[error("the environment has no variable {0}: set it, or name another in `env`")]
    NotSet(String),
    /// There is nothing in it.
    #[error("{0} is empty: put the secret there")]
    Empty(String),
    /// The file could not be read.
    #[error("file {path} could not be read ({why}): it must be there, and readable by the user that this runs as")]
    Unreadable {
        /// Its path.
        path: String,
        /// What the system said.
        why: std::io::Error,
    },
    /// It is longer than any secret is.
    #[error("file {0} has more than {SECRET_BYTES_MAX} bytes: is it the right file?")]
    TooLong(String),
    /// It is shorter than one should be.
    #[error("the key has fewer than {KEY_BYTES_MIN} bytes: make a longer one, as with `openssl rand -hex 32`")]
    TooShort,
}

/// Reads a secret.
pub fn read(secret: &Secret, environment: &dyn Fn(&str) -> Option<String>) -> Result<SecretText, SecretError> {
    let (text, place) = match secret {
        Secret::Env(name) => {
            (environment(name).ok_or_else(|| SecretError::NotSet(name.clone()))?, format!("variable {name}"))
        }
        Secret::File(path) => (read_file(path)?, format!("file {path}")),
    };
    match text.trim_end_matches(['\r', '\n']) {
        "" => Err(SecretError::Empty(place)),
        text => Ok(SecretText(text.to_owned())),
    }
}

/// A variable of the process's environment.
#[allow(clippy::disallowed_methods)] // Secrets are what the environment is read for, by the names that the settings give.
pub fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

#[allow(clippy::disallowed_methods)] // A secret's file is the edge's business.
fn read_file(path: &str) -> Result<String, SecretError> {
    let unreadable = |why| SecretError::Unreadable { path: path.to_owned(), why };
    let mut text = String::new();
    let file = std::fs::File::open(path).map_err(unreadable)?;
    file.take(SECRET_BYTES_MAX + 1).read_to_string(&mut text).map_err(unreadable)?;
    if text.len() as u64 > SECRET_BYTES_MAX {
        return Err(SecretError::TooLong(path.to_owned()));
    }
    Ok(text)
}

/// More than any token or URL has.
const SECRET_BYTES_MAX: u64 = 16 * 1_024;

/// The least that a signing key may have.
pub(super) const KEY_BYTES_MIN: usize = 16;

/// Where an HTTP request goes. Not printed: it may be a secret as a whole.
#[derive(Clone)]
pub(super) struct Url(::http::Uri);

impl Url {
    /// Checks that it is `https://`, or `http://` to this machine. The error does not say what it is.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let uri: ::http::Uri = text.parse().map_err(|_| "the address is no URL: https://HOST/PATH".to_owned())?;
        let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
            return Err("the address is no whole URL: https://HOST/PATH".to_owned());
        };
        if authority.as_str().contains('@') {
            return Err("the address has a user or password before its host, which is not sent: take it out".to_owned());
        }
        match scheme {
            "https" => Ok(Self(uri)),
            "http" if is_loopback(authority.host()) => Ok(Self(uri)),
            "http" => {
                Err("the address is http:// to another machine, where everybody on the way can read and change it: \
                           use https://"
                    .to_owned())
            }
            _ => Err("the address begins with neither https:// nor http://".to_owned()),
        }
    }

    pub(super) fn is_https(&self) -> bool {
        self.0.scheme_str() == Some("https")
    }

    /// The address, with `path` after its own.
    pub(super) fn with(&self, path: &str) -> String {
        format!("{}{path}", self.0.to_string().trim_end_matches('/'))
    }

    /// As it is.
    pub(super) fn whole(&self) -> String {
        self.0.to_string()
    }
}

fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || address.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// An address as it is set; if it is secret, its parts are added to what may not be told.
pub(super) fn address(
    address: &Address,
    environment: &dyn Fn(&str) -> Option<String>,
    secrets: &mut Vec<String>,
) -> Result<Url, Unready> {
    let text = match address {
        Address::Url(text) => text.clone(),
        Address::Secret(secret) => {
            let text = read(secret, environment)?.0;
            if let Ok(uri) = text.parse::<::http::Uri>() {
                let path = uri.path_and_query().map(ToString::to_string);
                secrets.extend(path.filter(|path| path.len() >= SECRET_PART_BYTES_MIN));
                secrets.extend(
                    uri.path().split('/').filter(|part| part.len() >= SECRET_PART_BYTES_MIN).map(str::to_owned),
                );
                secrets.extend(uri.query().map(str::to_owned));
            }
            secrets.push(text.clone());
            text
        }
    };
    Url::parse(&text).map_err(Unready::Address)
}

/// Parts of a secret address that are shorter are words like `services` or `hook`: taking them out would only hide what happened.
const SECRET_PART_BYTES_MIN: usize = 6;

/// What somebody else said, without `secrets` and at most [`TOLD_CHARS_MAX`] long, on one line.
pub(super) fn cleaned(text: &str, secrets: &[String]) -> String {
    let mut secrets: Vec<&String> = secrets.iter().filter(|secret| !secret.is_empty()).collect();
    // A part must not go before the whole: the rest of it would stay.
    secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
    let mut text = text.to_owned();
    for secret in secrets {
        text = text.replace(secret.as_str(), "***");
        // As it is in JSON.
        text = text.replace(&secret.replace('/', "\\/"), "***");
    }
    let line: String = text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect();
    super::text::cut(line.trim(), TOLD_CHARS_MAX)
}

/// Letters of an error that are told.
const TOLD_CHARS_MAX: usize = 400;
