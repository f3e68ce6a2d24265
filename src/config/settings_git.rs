//! Reading the file that says where the topology is: `[git]`, each key within its bounds.

use super::diagnostic::{Diagnostic, DiagnosticCode};
use super::fields::Fields;
use super::settings::set;
use super::settings_daemon::{is_https_or_loopback, secret};
use crate::model::source::{GitSettings, Reference, Remote, Signers};

/// The keys of `[git]`.
pub(super) const GIT_KEYS: &[&str] = &[
    "url",
    "branch",
    "tag",
    "path",
    "poll-secs",
    "fetch-secs-max",
    "fetch-mib-max",
    "user",
    "token-env",
    "token-file",
    "ssh-key-file",
    "known-hosts-file",
    "allow-rewritten",
    "accept-commit",
    "require-signed-commits",
    "ssh-signers-file",
    "openpgp-keyring-file",
    "hook-secret-env",
    "hook-secret-file",
];
/// The user that goes with a token where none is named: GitHub and GitLab take any.
const USER: &str = "wheelwright";
/// What a remote over HTTP has and one over SSH has not.
const HTTP_ONLY: [&str; 3] = ["user", "token-env", "token-file"];
/// What a remote over SSH has and one over HTTP has not.
const SSH_ONLY: [&str; 2] = ["ssh-key-file", "known-hosts-file"];
/// What says who may sign.
const SIGNER_KEYS: [&str; 2] = ["ssh-signers-file", "openpgp-keyring-file"];

/// What `[git]` says, if nothing in it is wrong.
pub(super) fn read(file: &Fields<'_>) -> Option<GitSettings> {
    if !file.has("git") {
        file.missing("git", "{ url = \"https://github.com/acme/events\", branch = \"main\", path = \"config\" }");
        return None;
    }
    let fields = file.table("git", GIT_KEYS)?;
    let settings = git(&fields);
    file.absorb(&fields);
    settings.filter(|_| file.sound())
}

fn git(fields: &Fields<'_>) -> Option<GitSettings> {
    let remote = remote(fields);
    let reference = reference(fields);
    let (mut poll_secs, mut fetch_secs_max, mut fetch_mib_max) = (60, 300, 256);
    set(fields, "poll-secs", 1, 86_400, &mut poll_secs);
    set(fields, "fetch-secs-max", 5, 3_600, &mut fetch_secs_max);
    set(fields, "fetch-mib-max", 1, 16_384, &mut fetch_mib_max);
    let (path, signers, accept_commit) = (path(fields), signers(fields), accept_commit(fields));
    Some(GitSettings {
        remote: remote?,
        reference: reference?,
        path,
        poll_secs,
        fetch_secs_max,
        fetch_mib_max,
        allow_rewritten: fields.truth("allow-rewritten").unwrap_or(false),
        accept_commit,
        signers,
        hook_secret: secret(fields, "hook-secret"),
    })
}

fn remote(fields: &Fields<'_>) -> Option<Remote> {
    let url = fields.required_text("url", "\"https://github.com/acme/events\"")?;
    let fail = |message: String, label: &str| {
        fields.fail(Diagnostic::error(DiagnosticCode::BadAddress, &url.place, message).label(label));
        None
    };
    let text = url.value.clone();
    if let Some((_, rest)) = text.split_once("://").filter(|(scheme, _)| ["https", "http"].contains(scheme)) {
        let authority = rest.split('/').next().unwrap_or_default();
        if authority.contains('@') {
            return fail(
                "a URL with a user in it, and perhaps a password".into(),
                "take the user out; the token comes from `token-env` or `token-file`",
            );
        }
        if !is_https_or_loopback(&text) {
            return fail(
                format!("`{text}` is not an https URL"),
                "expected `https://…`; `http://` only to 127.0.0.1, ::1 or localhost",
            );
        }
        if text.contains(['?', '#']) {
            return fail(
                "a URL with a question or a fragment in it".into(),
                "take it out; a token comes from `token-env` or `token-file`",
            );
        }
        only_for(fields, &SSH_ONLY, "a remote over HTTPS");
        let token = secret(fields, "token");
        let user = fields.text("user").map_or_else(|| USER.to_owned(), |user| user.value);
        return Some(Remote::Http { url: text, user, token });
    }
    if !is_ssh(&text) {
        return fail(
            format!("`{text}` is not a repository that can be fetched"),
            "expected `https://host/path`, `ssh://user@host/path` or `user@host:path`",
        );
    }
    only_for(fields, &HTTP_ONLY, "a remote over SSH");
    let file = |key| fields.text(key).map(|file| file.value);
    Some(Remote::Ssh { url: text, key_file: file("ssh-key-file"), known_hosts_file: file("known-hosts-file") })
}

/// `ssh://user@host/path` or `user@host:path`. Neither host nor user may look like an option of `ssh`.
fn is_ssh(text: &str) -> bool {
    let is_plain = |part: &str| {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-[]:".contains(&byte);
        !part.is_empty() && !part.starts_with('-') && part.bytes().all(allowed)
    };
    let (address, path) = match text.strip_prefix("ssh://") {
        Some(rest) => match rest.split_once('/') {
            Some((address, path)) => (address, path),
            None => return false,
        },
        None if text.contains("://") || text.starts_with(['/', '.']) => return false,
        None => match text.split_once(':') {
            Some((address, path)) if address.contains('@') => (address, path),
            _ => return false,
        },
    };
    let (user, host) = address.split_once('@').unwrap_or(("git", address));
    is_plain(user) && is_plain(host) && !path.is_empty() && !path.starts_with('-')
}

fn only_for(fields: &Fields<'_>, keys: &[&str], what: &str) {
    for key in keys {
        if let Some(place) = fields.key_place(key) {
            let message = format!("`{key}` says nothing to {what}");
            fields.fail(Diagnostic::error(DiagnosticCode::UnknownKey, &place, message).label("take this out"));
        }
    }
}

fn reference(fields: &Fields<'_>) -> Option<Reference> {
    let named = |key, make: fn(String) -> Reference| {
        let name = fields.text(key)?;
        if is_reference_name(&name.value) {
            return Some((name.place, make(name.value)));
        }
        fields.fail(
            Diagnostic::error(
                DiagnosticCode::BadName,
                &name.place,
                format!("`{}` is not the name of a {key}", name.value),
            )
            .label("expected as `git` shows it, without `refs/`"),
        );
        None
    };
    match (named("branch", Reference::Branch), named("tag", Reference::Tag)) {
        (Some(_), Some((place, _))) => {
            let message = "`branch` and `tag` both say which commit".to_owned();
            fields.fail(Diagnostic::error(DiagnosticCode::UnknownKey, &place, message).label("take one out"));
            None
        }
        (Some((_, reference)), None) | (None, Some((_, reference))) => Some(reference),
        (None, None) => {
            if !fields.has("branch") && !fields.has("tag") {
                fields.missing("branch", "\"main\"");
            }
            None
        }
    }
}

/// Whether git takes `name` for a branch or tag (<https://git-scm.com/docs/git-check-ref-format>).
fn is_reference_name(name: &str) -> bool {
    let is_part = |part: &str| !part.is_empty() && !part.starts_with('.') && !part.ends_with(".lock");
    let is_text = |c: char| !c.is_control() && !" ~^:?*[\\".contains(c);
    name.chars().all(is_text)
        && name.split('/').all(is_part)
        && !name.starts_with('-')
        && !name.starts_with("refs/")
        && !name.ends_with('.')
        && !name.contains("..")
        && !name.contains("@{")
        && name != "@"
}

fn path(fields: &Fields<'_>) -> String {
    let Some(path) = fields.text("path") else { return String::new() };
    let trimmed = path.value.trim_matches('/');
    let parts: Vec<&str> = trimmed.split('/').filter(|part| *part != ".").collect();
    if path.value.starts_with('/') || parts.iter().any(|part| part.is_empty() && !trimmed.is_empty() || *part == "..") {
        fields.fail(
            Diagnostic::error(
                DiagnosticCode::BadName,
                &path.place,
                format!("`{}` is no folder of a repository", path.value),
            )
            .label("expected from the repository's root, as `config`"),
        );
    }
    parts.join("/")
}

fn accept_commit(fields: &Fields<'_>) -> Option<String> {
    let commit = fields.text("accept-commit")?;
    let is_id = commit.value.len() == 40 && commit.value.bytes().all(|byte| byte.is_ascii_hexdigit());
    if !is_id {
        fields.fail(
            Diagnostic::error(
                DiagnosticCode::BadName,
                &commit.place,
                format!("`{}` is not a commit's id", commit.value),
            )
            .label("expected all of its 40 digits, as `git rev-parse` shows them"),
        );
    }
    is_id.then(|| commit.value.to_ascii_lowercase())
}

fn signers(fields: &Fields<'_>) -> Option<Signers> {
    let file = |key| fields.text(key).map(|file| file.value);
    let required = fields.truth("require-signed-commits").unwrap_or(false);
    let [ssh, openpgp] = SIGNER_KEYS;
    let signers = Signers { ssh_file: file(ssh), openpgp_keyring_file: file(openpgp) };
    let is_anybody = signers.ssh_file.is_some() || signers.openpgp_keyring_file.is_some();
    match (required, is_anybody) {
        (true, true) => Some(signers),
        (true, false) => {
            if !SIGNER_KEYS.iter().any(|key| fields.has(key)) {
                fields.missing(ssh, "\"/etc/wheelwright/allowed_signers\"");
            }
            None
        }
        (false, _) => {
            // A file of signers that nobody asks is a mistake that somebody relies on.
            for place in SIGNER_KEYS.iter().filter_map(|key| fields.key_place(key)) {
                fields.fail(
                    Diagnostic::error(DiagnosticCode::UnknownKey, &place, "signers, and no signature is required")
                        .label("`require-signed-commits = true` asks for one"),
                );
            }
            None
        }
    }
}
