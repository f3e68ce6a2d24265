//! Commits that have to be signed, by the programs that people sign with.

use super::{begin, books};
use crate::remote::{Repository, Web, make_key, run};
use crate::site::{BOOKS, Site};
use std::fs;
use std::path::Path;
use std::process::Command;

const SSH: [&str; 2] = ["-c", "gpg.format=ssh"];

/// Commits what was written, signed with this SSH key.
fn commit_by(repository: &Repository, key: &Path, text: &str) -> String {
    repository.write(BOOKS, text);
    repository.git(&["add", "--all"]);
    let key = format!("user.signingKey={}", key.display());
    let words = [&SSH[..], &["-c", &key, "commit", "--quiet", "--gpg-sign", "--message", "signed"]].concat();
    repository.git(&words);
    repository.push();
    repository.head()
}

fn refused_for(site: &Site, commit: &str, why: &str) {
    let told = crate::site::until(&format!("{commit} is refused: {why}"), || {
        let told = site.status()["topology-refused"].to_string();
        told.contains(commit).then_some(told)
    });
    assert!(told.contains(why), "{told}");
}

#[test]
fn a_commit_that_nobody_who_may_has_signed_is_refused() {
    let (repository, mut site) = begin();
    let keys = tempfile::tempdir().unwrap();
    let at = |name: &str| keys.path().join(name);
    for name in ["ann", "eve", "old"] {
        make_key(&at(name));
    }
    let public = |name: &str| fs::read_to_string(at(name).with_extension("pub")).unwrap();
    let signers = format!(
        "ann@example.com namespaces=\"git\" {}old@example.com valid-before=\"20200101\" {}",
        public("ann"),
        public("old")
    );
    fs::write(at("signers"), signers).unwrap();
    let web = Web::serve(&repository, None);
    let source = format!(
        "url = \"{}\"\npoll-secs = 1\nrequire-signed-commits = true\nssh-signers-file = \"{}\"\n",
        web.url(),
        at("signers").display()
    );
    site.source(&source);
    let said = site.refused();
    assert!(said.contains("it is not signed, and `require-signed-commits` asks for a signature"), "{said}");

    let first = commit_by(&repository, &at("ann"), &books(&["first", "second"]));
    site.start();
    site.wait_for(&first);

    let by_eve = commit_by(&repository, &at("eve"), &books(&["first"]));
    refused_for(&site, &by_eve, "its signature is nobody's who is named");
    let by_old = commit_by(&repository, &at("old"), &books(&["second"]));
    // Its date is what its maker says, but no earlier than that of the commit before it.
    refused_for(&site, &by_old, "its signature is nobody's who is named");
    let unsigned = repository.change(BOOKS, &books(&[]));
    refused_for(&site, &unsigned, "it is not signed");
    site.wait_told("raised", "topology-refused");
    site.drift_is_mended("second");
    assert_eq!(site.rules(), ["first", "second"]);

    // One good signature on top is one for all that is below it.
    let last = commit_by(&repository, &at("ann"), &books(&["first", "third"]));
    site.wait_for(&last);
    site.wait_rules(&["first", "third"]);
}

#[test]
fn what_was_in_use_before_signatures_were_asked_for_needs_one_too() {
    let (repository, mut site) = begin();
    let keys = tempfile::tempdir().unwrap();
    let key = keys.path().join("ann");
    make_key(&key);
    let signers = format!("ann@example.com {}", fs::read_to_string(key.with_extension("pub")).unwrap());
    fs::write(keys.path().join("signers"), signers).unwrap();
    let web = Web::serve(&repository, None);
    let source = format!("url = \"{}\"\npoll-secs = 1\n", web.url());
    site.source(&source);
    site.start();
    site.wait_for(&repository.head());
    site.kill();
    let signers = keys.path().join("signers");
    site.source(&format!("{source}require-signed-commits = true\nssh-signers-file = \"{}\"\n", signers.display()));
    let said = site.refused();
    assert!(said.contains("it is not signed") && said.contains("nothing to go on with"), "{said}");
    let signed = commit_by(&repository, &key, &books(&["first", "second"]));
    site.start();
    site.wait_for(&signed);
    // What was signed when it came is in use without its signer's word from then on.
    fs::write(&signers, "").unwrap();
    site.kill();
    site.start();
    site.wait_for(&signed);
}

#[test]
fn an_openpgp_signature_counts_where_its_key_is_in_the_keyring() {
    if Command::new("gpg").arg("--version").output().is_err() {
        let required = std::env::var("WHEELWRIGHT_REQUIRE_GPG").is_ok_and(|value| value == "1");
        assert!(!required, "there is no gpg");
        eprintln!("left out: there is no gpg (Debian: gnupg)");
        return;
    }
    let (repository, mut site) = begin();
    // Short, since a socket's path may not be long.
    let home = tempfile::Builder::new().prefix("g").tempdir_in("/tmp").unwrap();
    let gpg = |words: &[&str]| {
        let mut command = Command::new("gpg");
        command.env("GNUPGHOME", home.path()).args([
            "--batch",
            "--quiet",
            "--pinentry-mode",
            "loopback",
            "--passphrase",
            "",
        ]);
        run(command.args(words))
    };
    for who in ["ann@example.com", "eve@example.com"] {
        gpg(&["--quick-generate-key", who, "ed25519", "sign", "never"]);
    }
    let keyring = home.path().join("allowed.gpg");
    gpg(&["--output", keyring.to_str().unwrap(), "--export", "ann@example.com"]);
    let commit_by = |who: &str, text: &str| {
        repository.write(BOOKS, text);
        repository.git(&["add", "--all"]);
        let program = home.path().join("sign");
        fs::write(&program, format!("#!/bin/sh\nexec env GNUPGHOME={} gpg \"$@\"\n", home.path().display())).unwrap();
        run(Command::new("chmod").arg("755").arg(&program));
        let (program, key) = (format!("gpg.program={}", program.display()), format!("user.signingKey={who}"));
        repository.git(&["-c", &program, "-c", &key, "commit", "--quiet", "--gpg-sign", "--message", "signed"]);
        repository.push();
        repository.head()
    };
    let web = Web::serve(&repository, None);
    site.source(&format!(
        "url = \"{}\"\npoll-secs = 1\nrequire-signed-commits = true\nopenpgp-keyring-file = \"{}\"\n",
        web.url(),
        keyring.display()
    ));
    let by_eve = commit_by("eve@example.com", &books(&["first", "second"]));
    let said = site.refused();
    assert!(said.contains(&format!("commit {by_eve} is not used: its signature is nobody's who is named")), "{said}");
    let by_ann = commit_by("ann@example.com", &books(&["first", "third"]));
    site.start();
    site.wait_for(&by_ann);
    site.wait_rules(&["first", "third"]);
    _ = Command::new("gpgconf").env("GNUPGHOME", home.path()).args(["--kill", "all"]).output();
}
