//! A topology in git, from a real bare repository, by git's own HTTP back end and OpenSSH's server, to the built daemon: what is
//! pushed is applied; what is bad, rewritten or unsigned is refused and told, while the commit before it stands; and a remote
//! that is away is waited for.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]
#![allow(clippy::disallowed_methods)] // It starts programs, and waits for them.

mod copies;
#[path = "../notify/hmac.rs"]
mod hmac;
#[path = "../running/hook.rs"]
#[allow(dead_code)] // It is not closed here.
mod hook;
#[path = "../program/mod.rs"]
mod program;
mod remote;
mod signed;
mod site;
#[path = "../support/mod.rs"]
mod support;

use hmac::hmac_sha256;
use hook::Hook;
use remote::{Repository, SshServer, Web, run};
use site::{BOOKS, Site, books, files, until};
use std::process::Command;

/// A repository with the small topology, and a site that its daemon will look after.
fn begin() -> (Repository, Site) {
    let hook = Hook::open();
    let files = files(&hook);
    (Repository::of(&files), Site::of(&files, hook))
}

#[test]
fn commits_are_applied_bad_ones_refused_and_a_remote_that_is_away_is_waited_for() {
    let (repository, mut site) = begin();
    let mut web = Web::serve(&repository, None);
    site.source(&format!("url = \"{}\"\npoll-secs = 1\n", web.url()));
    site.start();
    site.wait_for(&repository.head());
    assert_eq!(site.rules(), ["first"]);

    let second = repository.change(BOOKS, &books(&["first", "second"]));
    site.wait_for(&second);
    assert_eq!(site.rules(), ["first", "second"]);

    // A mistake that concerns everybody: told with its place, and nothing of the commit is used.
    repository.write(
        "topology/platform.toml",
        "[hub.prod]\naccount = \"nobody\"\nregion = \"us-east-1\"\nbus = \"org-events\"\n",
    );
    repository.commit(&[]);
    let told = site.wait_told("raised", "topology-refused").to_string();
    assert!(told.contains("topology/platform.toml:2"), "{told}");
    site.drift_is_mended("second");
    repository.git(&["revert", "--no-edit", "HEAD"]);
    repository.push();
    site.wait_told("resolved", "topology-refused");
    site.wait_for(&repository.head());

    // The remote goes; what is in use stands, also over a restart.
    web.close();
    site.wait_told("raised", "source-unreachable");
    site.drift_is_mended("first");
    site.kill();
    site.start();
    site.wait_for(&repository.head());
    site.drift_is_mended("second");
    let third = repository.change(BOOKS, &books(&["first", "second", "third"]));
    web.open();
    site.wait_for(&third);
    site.wait_told("resolved", "source-unreachable");
    site.wait_rules(&["first", "second", "third"]);

    // One that takes connections and says nothing keeps nobody from starting who knows a good commit.
    site.kill();
    let _silent = web.hang();
    site.start();
    site.wait_for(&third);
    site.drift_is_mended("third");
}

#[test]
fn a_history_that_was_rewritten_is_held_until_a_person_has_said_that_it_is_meant() {
    let (repository, mut site) = begin();
    let web = Web::serve(&repository, None);
    let source = format!("url = \"{}\"\npoll-secs = 1\n", web.url());
    let first = repository.head();
    let second = repository.change(BOOKS, &books(&["first", "second"]));
    site.source(&source);
    site.start();
    site.wait_for(&second);

    repository.git(&["reset", "--quiet", "--hard", &first]);
    repository.push();
    let told = site.wait_told("raised", "topology-refused").to_string();
    assert!(told.contains(&format!("commit {first} does not descend from {second}")), "{told}");
    assert!(told.contains("git revert"), "{told}");
    site.drift_is_mended("second");
    // A restart knows it as well.
    site.kill();
    site.start();
    site.drift_is_mended("second");
    assert_eq!(site.rules(), ["first", "second"]);
    assert_eq!(site.status()["revision"]["id"], second[..12]);
    site.kill();

    site.source(&format!("{source}accept-commit = \"{first}\"\n"));
    site.start();
    site.wait_for(&first);
    site.wait_rules(&["first"]);
    site.wait_told("resolved", "topology-refused");

    // It counts once: somebody could go back to it later.
    let third = repository.change(BOOKS, &books(&["first", "third"]));
    site.wait_for(&third);
    repository.git(&["reset", "--quiet", "--hard", &first]);
    repository.push();
    until("it is refused", || site.status()["topology-refused"].to_string().contains(&third).then_some(()));
    site.drift_is_mended("third");
}

#[test]
fn a_commit_comes_over_ssh_and_a_host_that_nobody_named_is_refused() {
    let Some(server) = SshServer::start() else { return };
    let (repository, mut site) = begin();
    let source = format!(
        "url = \"{}\"\npoll-secs = 1\nssh-key-file = \"{}\"\nknown-hosts-file = \"{}\"\n",
        server.url(&repository),
        server.key("key").display(),
        server.known_hosts().display()
    );
    site.source(&source);
    server.know(&["other"]);
    let said = site.refused();
    assert!(said.contains("ssh says: ") && said.contains("Host key verification failed"), "{said}");
    server.know(&["host"]);
    site.source(&source.replace("/key\"", "/other\""));
    let said = site.refused();
    assert!(said.contains("Permission denied"), "{said}");
    site.source(&source);
    site.start();
    site.wait_for(&repository.head());
    let second = repository.change(BOOKS, &books(&["first", "second"]));
    site.wait_for(&second);
    assert_eq!(site.rules(), ["first", "second"], "{}", server.log());
}

#[test]
fn a_token_is_sent_where_it_is_wanted_and_told_nowhere() {
    let (repository, mut site) = begin();
    // base64 of `ann:the-token-of-the-repository`.
    let web = Web::serve(&repository, Some("Basic YW5uOnRoZS10b2tlbi1vZi10aGUtcmVwb3NpdG9yeQ=="));
    let source = format!("url = \"{}\"\npoll-secs = 1\nuser = \"ann\"\n", web.url());
    site.source(&source);
    let said = site.refused();
    assert!(said.contains("it answers 401: it wants a token") && said.contains("Not you."), "{said}");
    site.source(&format!("{source}token-env = \"HOOK_KEY\"\n"));
    let said = site.refused();
    assert!(said.contains("the token is not taken") && !said.contains(hook::KEY), "{said}");
    site.source(&format!("{source}token-env = \"NOT_SET\"\n"));
    let said = site.refused();
    assert!(said.contains("NOT_SET"), "{said}");
    site.source(&format!("{source}token-env = \"TOKEN\"\n"));
    site.start();
    site.wait_for(&repository.head());
    assert!(!site.log().iter().any(|line| line.to_string().contains("the-token")));
}

#[test]
fn a_forge_that_proves_itself_makes_the_daemon_look_and_nobody_else_does() {
    let (repository, mut site) = begin();
    let web = Web::serve(&repository, None);
    site.source(&format!("url = \"{}\"\npoll-secs = 86400\nhook-secret-env = \"FORGE\"\n", web.url()));
    site.start();
    site.wait_for(&repository.head());
    let fetches = || web.seen.lock().unwrap().get("GET /bare.git/info/refs").copied().unwrap_or_default();
    let before = fetches();
    let body = r#"{"ref":"refs/heads/main"}"#;
    let call = |headers: &[String], body: &str| {
        let mut command = Command::new("curl");
        command.args(["--silent", "--write-out", "%{http_code}", "--output", "/dev/null", "--data-binary", body]);
        for header in headers {
            command.args(["--header", header]);
        }
        run(command.arg(format!("{}/hooks/git", site.url())))
    };
    let signed = |key: &str| format!("X-Hub-Signature-256: sha256={}", hmac_sha256(key, body));
    assert_eq!(call(&[], body), "401");
    assert_eq!(call(&[signed("another-secret")], body), "401");
    assert_eq!(call(&[signed("the-forges-secret")], "{}"), "401", "it was signed for another body");
    assert_eq!(call(&["X-Gitlab-Token: the-forges".into()], body), "401");
    assert_eq!(fetches(), before);
    let second = repository.change(BOOKS, &books(&["first", "second"]));
    assert_eq!(call(&[signed("the-forges-secret")], body), "202");
    site.wait_for(&second);
    let third = repository.change(BOOKS, &books(&["first", "second", "third"]));
    assert_eq!(call(&["X-Gitlab-Token: the-forges-secret".into()], body), "202");
    site.wait_for(&third);
}

#[test]
fn what_is_wrong_with_the_sources_file_is_told_with_its_place() {
    let (_repository, site) = begin();
    let cases = [
        ("url = \"https://ann:secret@example.com/x\"\n", "a URL with a user in it"),
        ("url = \"http://example.com/x\"\n", "is not an https URL"),
        ("url = \"/srv/git/x\"\n", "is not a repository that can be fetched"),
        ("url = \"ssh://-oProxyCommand=evil@example.com/x\"\n", "is not a repository that can be fetched"),
        ("url = \"https://example.com/x\"\nknown-hosts-file = \"x\"\n", "says nothing to a remote over HTTPS"),
        ("url = \"https://example.com/x\"\ntag = \"v1\"\n", "`branch` and `tag` both say which commit"),
        ("url = \"https://example.com/x\"\nrequire-signed-commits = true\n", "ssh-signers-file"),
        ("url = \"https://example.com/x\"\nssh-signers-file = \"x\"\n", "signers, and no signature is required"),
        ("url = \"https://example.com/x\"\naccept-commit = \"abc\"\n", "is not a commit's id"),
        ("url = \"https://example.com/x\"\npol-secs = 3\n", "did you mean `poll-secs`"),
        ("", "url"),
    ];
    for (text, says) in cases {
        site.source(text);
        let said = site.refused();
        assert!(said.contains(says) && said.contains("source.toml"), "{text}\n{said}");
    }
}

/// A change is shown against a commit of the same repository, without AWS.
#[test]
fn a_plan_shows_what_changed_since_a_commit() {
    let hook = Hook::open();
    let repository = Repository::of(&files(&hook));
    let first = repository.head();
    repository.write(BOOKS, &books(&["first", "second"]));
    let config = repository.work().join("config");
    let plan = |base: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_wheelwright"));
        command.arg("--config").arg(&config).args(["plan", "--base", base]);
        command.output().unwrap()
    };
    let shown = |base: &str| String::from_utf8(plan(base).stdout).unwrap();
    assert!(shown(&first).contains("books.second") && !shown(&first).contains("books.first"), "{}", shown(&first));
    assert_eq!(shown("main"), shown("HEAD"));
    repository.commit(&[]);
    assert!(!shown("HEAD").contains("books.second"), "{}", shown("HEAD"));
    assert!(shown("HEAD~1").contains("books.second"), "{}", shown("HEAD~1"));
    let refused = plan("no-such-branch");
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(said.contains("no-such-branch is no folder, and no commit either"), "{said}");
    assert_eq!(refused.status.code(), Some(1));
}
