//! The copy of a repository over a long time, and the order of its commits, without a daemon.

use crate::hook::Hook;
use crate::remote::{Repository, Web};
use crate::site::{BOOKS, books, files};
use std::path::Path;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};
use wheelwright::config::{SourceFile, load_source};
use wheelwright::source::git::{Commit, Git};

/// The source of a repository, as `[git]` says.
fn open(repository: &Repository, web: &Web, folder: &Path, runtime: &tokio::runtime::Runtime) -> Git {
    let text = format!("[git]\nbranch = \"main\"\npath = \"config\"\nurl = \"{}\"\n", web.url());
    let (settings, diagnostics) = load_source(&SourceFile::of_bytes("source.toml", text.into_bytes()));
    assert!(diagnostics.is_empty() && repository.bare().exists());
    let now = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let no_secrets = Arc::new(|_: &_| Err("there is none".to_owned()));
    Git::open(settings.unwrap(), folder.to_owned(), no_secrets, Arc::new(now), runtime.handle().clone()).unwrap()
}

/// What is fetched, used and good.
fn used(git: &Git) -> Commit {
    git.look();
    let (newest, trouble) = git.newest();
    assert_eq!(trouble, None);
    let commit = newest.unwrap();
    git.keep(&commit.revision).unwrap();
    commit
}

fn packs(folder: &Path) -> usize {
    let entries = std::fs::read_dir(folder.join("objects/pack")).unwrap();
    entries.filter(|entry| entry.as_ref().unwrap().path().extension().is_some_and(|end| end == "pack")).count()
}

#[test]
fn commits_are_in_order_whatever_their_dates_and_a_copy_stays_small() {
    let hook = Hook::open();
    let repository = Repository::of(&files(&hook));
    let web = Web::serve(&repository, None);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let state = tempfile::tempdir().unwrap();
    let folder = state.path().join("source.git");
    let git = open(&repository, &web, &folder, &runtime);
    let mut last = used(&git).revision.sequence;
    let mut packs_most = 0;
    for number in 0..60 {
        repository.write(BOOKS, &books(&["first", &format!("number-{number}")]));
        // Clocks that were ahead, and behind: `git` takes the committer's date from its surroundings.
        let date = match number {
            10 => "2099-01-01T00:00:00Z",
            20 => "2001-01-01T00:00:00Z",
            _ => "2026-01-01T00:00:00Z",
        };
        repository.commit_at(date);
        let commit = used(&git);
        assert!(commit.revision.sequence > last, "commit {number}: {} after {last}", commit.revision.sequence);
        last = commit.revision.sequence;
        // In step, as most looks are.
        used(&git);
        packs_most = packs_most.max(packs(&folder));
    }
    assert!((20..60).contains(&packs_most) && packs(&folder) < packs_most, "{packs_most}, and {} left", packs(&folder));
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    assert!(last < now + 1_000, "a date in the future is no reason to be there: {last}, and it is {now}");

    // What a fetch that was killed left is in nobody's way, and a copy that a power cut damaged is made anew.
    drop(git);
    let lock = folder.join("refs/wheelwright/seen.lock");
    std::fs::write(&lock, "").unwrap();
    std::fs::write(folder.join("objects/pack/.tmpABC"), "half of a pack").unwrap();
    let git = open(&repository, &web, &folder, &runtime);
    repository.change(BOOKS, &books(&["after-a-kill"]));
    last = used(&git).revision.sequence;
    assert!(!lock.exists() && !folder.join("objects/pack/.tmpABC").exists());
    drop(git);
    for entry in std::fs::read_dir(folder.join("objects/pack")).unwrap() {
        std::fs::write(entry.unwrap().path(), "").unwrap();
    }
    let git = open(&repository, &web, &folder, &runtime);
    assert!(git.last_good().is_none(), "nothing can be read of it");
    assert_eq!(used(&git).revision.sequence, last);

    // Another copy, from nothing, sees the same files; and this one, opened again without the remote, what was used.
    let other = open(&repository, &web, &state.path().join("other.git"), &runtime);
    assert_eq!(used(&other).files, used(&git).files);
    drop(web);
    drop(git);
    let nowhere = Web::serve(&repository, None);
    let again = open(&repository, &nowhere, &folder, &runtime);
    drop(nowhere);
    assert_eq!(again.last_good().unwrap().revision.sequence, last);
}
