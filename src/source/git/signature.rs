//! Whose signature a commit bears, by the programs that people sign with: `ssh-keygen` and `gpg`.

use crate::model::source::Signers;
use gix::ObjectId;
use gix::objs::signature::Format;
use gix::objs::signature::verify::{Options, Status, TrustLevel};
use std::ffi::OsString;
use std::path::Path;

/// Seconds east of Greenwich, of which signatures know nothing.
const OFFSET: i32 = 0;

/// Makes sure that `commit` is signed by one of `signers`. The signature covers all files of the commit and all that is before it.
///
/// A key that is allowed for a time alone has to have been at `dated_secs`: that is the commit's own date, but no earlier than the
/// commits before it, so that who found an old key cannot date back what is put on top of today's.
///
/// # Errors
/// Why it does not count, for people.
pub(super) fn verify(
    repository: &gix::Repository,
    commit: ObjectId,
    dated_secs: u64,
    signers: &Signers,
    folder: &Path,
) -> Result<(), String> {
    let text = |error: gix::Error| error.to_string();
    let commit = repository.find_commit(commit).map_err(text)?;
    let Some((signature, signed)) = commit.signature().map_err(text)? else {
        return Err("it is not signed, and `require-signed-commits` asks for a signature".into());
    };
    let options = match (Format::from_signature(&signature), &signers.ssh_file, &signers.openpgp_keyring_file) {
        (Some(Format::Ssh), Some(file), _) => ssh(file, dated_secs)?,
        (Some(Format::Ssh), None, _) => {
            return Err("it bears an SSH signature, and `ssh-signers-file` names nobody".into());
        }
        (Some(Format::OpenPgp), _, Some(file)) => openpgp(file, folder)?,
        (Some(Format::OpenPgp), _, None) => {
            return Err("it bears an OpenPGP signature, and `openpgp-keyring-file` names nobody".into());
        }
        _ => return Err("its signature is neither SSH's nor OpenPGP's".into()),
    };
    let outcome = signed.verify(&signature, options).map_err(|error| {
        let all: Vec<String> = error.iter_errors().map(ToString::to_string).collect();
        format!("its signature could not be looked at: {}; are `ssh-keygen` and `gpg` installed?", all.join(": "))
    })?;
    if outcome.is_valid() {
        return Ok(());
    }
    let why = match outcome.status {
        Status::Bad => "its signature is of another text",
        Status::Expired => "its signature has expired",
        Status::ExpiredKey => "the key of its signature has expired",
        Status::RevokedKey => "the key of its signature was revoked",
        _ => "its signature is nobody's who is named",
    };
    // `ssh-keygen` calls a signature good that fits its key, whosever the key is.
    let said = String::from_utf8_lossy(&outcome.output).trim().replace('\n', "; ");
    let said = said.replace("Good \"git\" signature with", "by the");
    Err(if said.is_empty() { why.to_owned() } else { format!("{why} ({said})") })
}

fn ssh(file: &str, dated_secs: u64) -> Result<Options, String> {
    Ok(Options::Ssh {
        program: "ssh-keygen".into(),
        program_arguments: Vec::new(),
        // It reads the time that it is given as that of the place where it runs.
        environment: bare().chain([("TZ".into(), "UTC".into())]).collect(),
        allowed_signers: readable(file)?.into(),
        revocation_file: None,
        verify_time: gix::date::Time { seconds: i64::try_from(dated_secs).unwrap_or(i64::MAX), offset: OFFSET },
        minimum_trust: TrustLevel::Fully,
    })
}

/// Every key of the keyring counts, and none of the machine's own.
fn openpgp(file: &str, folder: &Path) -> Result<Options, String> {
    let home = folder.with_extension("gnupg");
    make_private(&home).map_err(|error| format!("{}: {error}", home.display()))?;
    let words = [
        "--homedir".into(),
        home.into_os_string(),
        "--batch".into(),
        "--no-options".into(),
        "--no-auto-key-retrieve".into(),
        "--no-default-keyring".into(),
        "--keyring".into(),
        readable(file)?,
        "--trust-model".into(),
        "always".into(),
    ];
    Ok(Options::OpenPgp {
        program: "gpg".into(),
        program_arguments: Vec::from(words),
        environment: bare().collect(),
        minimum_trust: TrustLevel::Undefined,
    })
}

/// Our environment without what is in it: `gpg` leaves processes behind, and nothing of ours that is secret is their business. It cannot
/// be taken out, so it is emptied; what they are found by, and where their user is at home, stays.
fn bare() -> impl Iterator<Item = (OsString, OsString)> {
    let names = std::env::vars_os().map(|(name, _)| name);
    names.filter(|name| !["PATH", "HOME"].iter().any(|kept| name == kept)).map(|name| (name, OsString::new()))
}

fn make_private(folder: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

/// The file's whole path; a file that is not there would let nobody in without saying why.
fn readable(file: &str) -> Result<OsString, String> {
    std::fs::canonicalize(file).map(Into::into).map_err(|error| format!("{file}, which names who may sign: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_our_environment_goes_on_but_what_programs_are_found_by() {
        // Cargo gives its tests some of it.
        let emptied: Vec<OsString> = bare()
            .map(|(name, value)| {
                assert!(value.is_empty());
                name
            })
            .collect();
        assert!(emptied.contains(&"CARGO_MANIFEST_DIR".into()));
        assert!(!emptied.contains(&"PATH".into()));
    }
}
