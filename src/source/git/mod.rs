//! A branch or tag of a remote git repository.
//!
//! A copy without a work tree is kept in a folder of ours and brought up to date every so often. What is read are the files of one
//! commit, so that nobody sees half of a change. Nothing of a repository is ever run: no hook, filter, submodule or setting.
//!
//! Of each new commit it is asked, before it is used: does it descend from the one in use (else somebody rewrote the history, or
//! went back in it, and routes that were added since would be taken away); and, where signatures are required, did somebody sign
//! it who may. A commit that is not used leaves the one before it in use, and says why. The remote may be away for as long as it
//! likes, over restarts too: what was last used is in the copy.

mod fetch;
mod history;
mod kept;
mod signature;
mod ssh;
mod tree;
mod web;

pub use tree::{TreeError, at_revision};

use super::REVISION_CHARACTERS;
use crate::config::SourceFiles;
use crate::model::desired::Revision;
use crate::model::settings::Secret;
use crate::model::source::GitSettings;
use gix::ObjectId;
use kept::Kept;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How secrets are read: anew for each fetch, since a token may live for an hour.
pub type ReadSecret = Arc<dyn Fn(&Secret) -> Result<String, String> + Send + Sync>;
/// Seconds since 1970-01-01T00:00:00Z.
pub type NowSecs = Arc<dyn Fn() -> u64 + Send + Sync>;

/// A git source cannot be used at all.
#[derive(Debug, thiserror::Error)]
pub enum GitError {
    /// The copy can neither be opened nor made.
    #[error("the copy of the repository at {path} cannot be used: {why}; it may be taken away, and is fetched anew then", path = path.display())]
    Copy {
        /// Where it is.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
}

/// The files of one commit.
#[derive(Clone, Debug)]
pub struct Commit {
    /// The files.
    pub files: Arc<SourceFiles>,
    /// The commit's name, shortened, and its place in the order.
    pub revision: Revision,
    id: ObjectId,
}

/// Why the newest commit, if there is one, is not used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// The remote does not answer, or not with what was asked for.
    Unreachable(String),
    /// The newest commit does not descend from the one in use.
    Rewritten(String),
    /// The newest commit is not signed by somebody who may.
    Unsigned(String),
    /// The newest commit's files cannot be read.
    Unreadable(String),
}

/// Looks that a remote may fail one after the other before it is told: a server that is restarted is nobody's trouble.
const FAILED_LOOKS_MAX: u32 = 3;
/// Packs that the copy may have: each fetch that brings something adds one. With more, it is made anew.
const PACKS_MAX: usize = 50;

/// What the last look saw.
#[derive(Clone, Debug, Default)]
struct State {
    /// The newest commit that may be used.
    newest: Option<Commit>,
    trouble: Option<Trouble>,
    /// Looks that failed one after the other.
    failed_looks: u32,
    /// What was used last and was good.
    kept: Option<Kept>,
}

/// A branch or tag of a remote repository.
pub struct Git {
    settings: GitSettings,
    folder: PathBuf,
    secrets: ReadSecret,
    now: NowSecs,
    runtime: tokio::runtime::Handle,
    state: Mutex<State>,
    /// Whether somebody said that there is something new.
    woken: Mutex<bool>,
    bell: Condvar,
}

impl Git {
    /// The source that `settings` describe, with its copy in `folder`. Nothing is fetched yet; what was used before is there.
    ///
    /// # Errors
    /// The copy can neither be opened nor made.
    pub fn open(
        settings: GitSettings,
        folder: PathBuf,
        secrets: ReadSecret,
        now: NowSecs,
        runtime: tokio::runtime::Handle,
    ) -> Result<Self, GitError> {
        let failed = |why| GitError::Copy { path: folder.clone(), why };
        let repository = fetch::open(&folder).map_err(failed)?;
        let kept = Kept::read(&folder).map_err(failed)?;
        let newest =
            kept.as_ref().and_then(|kept| read_commit(&repository, kept.commit, kept.sequence, &settings.path).ok());
        let state = Mutex::new(State { newest, trouble: None, failed_looks: 0, kept });
        Ok(Self { settings, folder, secrets, now, runtime, state, woken: Mutex::new(false), bell: Condvar::new() })
    }

    /// The newest commit that may be used, if there ever was one, and why it is not newer.
    pub fn newest(&self) -> (Option<Commit>, Option<Trouble>) {
        let state = self.lock();
        let is_passing = state.newest.is_some() && (1..FAILED_LOOKS_MAX).contains(&state.failed_looks);
        (state.newest.clone(), state.trouble.clone().filter(|_| !is_passing))
    }

    /// The commit that was used last and was good.
    pub fn last_good(&self) -> Option<Commit> {
        let kept = self.lock().kept.clone()?;
        let repository = fetch::open(&self.folder).ok()?;
        read_commit(&repository, kept.commit, kept.sequence, &self.settings.path).ok()
    }

    /// Remembers that the newest commit is used and good, if it is `revision`.
    ///
    /// # Errors
    /// It could not be written down; it is remembered until the program ends.
    pub fn keep(&self, revision: &Revision) -> Result<(), String> {
        let mut state = self.lock();
        let Some(commit) = state.newest.as_ref().filter(|commit| commit.revision == *revision) else { return Ok(()) };
        let kept =
            Kept { commit: commit.id, sequence: commit.revision.sequence, url: self.settings.remote.url().to_owned() };
        if state.kept.as_ref() == Some(&kept) {
            return Ok(());
        }
        state.kept = Some(kept.clone());
        drop(state);
        kept.write(&self.folder)
    }

    /// Looks at the remote now rather than when it is time.
    pub fn wake(&self) {
        *self.woken.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.bell.notify_all();
    }

    /// What a forge proves itself with.
    pub fn hook_secret(&self) -> Option<&Secret> {
        self.settings.hook_secret.as_ref()
    }

    /// Looks at the remote for ever, on a thread of its own: a remote that hangs holds nobody up.
    pub fn follow(self: Arc<Self>) -> std::io::Result<()> {
        std::thread::Builder::new().name("git".into()).spawn(move || {
            loop {
                self.wait();
                self.look();
            }
        })?;
        Ok(())
    }

    fn wait(&self) {
        let every = Duration::from_secs(u64::from(self.settings.poll_secs));
        let woken = self.woken.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.bell.wait_timeout_while(woken, every, |woken| !*woken);
        let (mut woken, _) = waited.unwrap_or_else(PoisonError::into_inner);
        *woken = false;
    }

    /// Looks at the remote once. Blocks for at most the fetch's time; not to be called by a task of the runtime.
    pub fn look(&self) {
        let kept = self.lock().kept.clone();
        // A mistake of ours, or of the library's, in what one remote sends must not be the end of all looks.
        let looked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| self.look_beyond(kept.as_ref())));
        let looked =
            looked.unwrap_or_else(|_| Err(Trouble::Unreachable("looking at it broke down; this is a bug".into())));
        let mut state = self.lock();
        state.failed_looks = match looked {
            Err(Trouble::Unreachable(_)) => state.failed_looks.saturating_add(1),
            _ => 0,
        };
        match looked {
            Ok(commit) => {
                let is_new = state.newest.as_ref().is_none_or(|newest| newest.id != commit.id);
                if is_new {
                    tracing::info!(commit = %commit.id, of = %self.settings.reference, "fetched");
                }
                state.newest = Some(commit);
                state.trouble = None;
            }
            Err(trouble) => {
                if state.trouble.as_ref() != Some(&trouble) {
                    tracing::warn!(why = %trouble, "the newest commit is not used");
                }
                state.trouble = Some(trouble);
            }
        }
    }

    /// Fetches, and judges what is new.
    fn look_beyond(&self, kept: Option<&Kept>) -> Result<Commit, Trouble> {
        let settings = &self.settings;
        let repository = fetch::open(&self.folder).map_err(Trouble::Unreachable)?;
        let tip = fetch::fetch(&repository, settings, &*self.secrets, &self.runtime).map_err(|why| {
            Trouble::Unreachable(format!(
                "{} cannot be fetched from {}: {why}",
                settings.reference,
                settings.remote.url()
            ))
        })?;
        let unreadable = |why: String| Trouble::Unreadable(format!("commit {tip}: {why}"));
        let dated = history::corrected_date(&repository, tip, (self.now)()).map_err(unreadable)?;
        let sequence = match kept {
            Some(kept) if kept.commit == tip => kept.sequence,
            Some(kept) => {
                self.descends(&repository, tip, kept)?;
                dated.max(kept.sequence.saturating_add(1))
            }
            None => dated,
        };
        let is_in_use = kept.is_some_and(|kept| kept.commit == tip);
        if is_in_use && fetch::packs(&self.folder) > PACKS_MAX {
            let renewed = fetch::renew(&self.folder, settings, &*self.secrets, &self.runtime);
            _ = renewed.inspect_err(|why| tracing::warn!(why, "the copy of the repository could not be made anew"));
        }
        if let Some(signers) = settings.signers.as_ref().filter(|_| !is_in_use) {
            let verified = signature::verify(&repository, tip, dated, signers, &self.folder);
            verified.map_err(|why| Trouble::Unsigned(format!("commit {tip} is not used: {why}")))?;
        }
        read_commit(&repository, tip, sequence, &settings.path).map_err(|error| unreadable(error.to_string()))
    }

    /// Refuses a tip that does not descend from what is in use, unless somebody said that it may.
    fn descends(&self, repository: &gix::Repository, tip: ObjectId, kept: &Kept) -> Result<(), Trouble> {
        let settings = &self.settings;
        let is_accepted = settings.accept_commit.as_deref() == Some(&*tip.to_string());
        if settings.allow_rewritten || is_accepted || history::descends(repository, tip, kept.commit) {
            return Ok(());
        }
        let before = kept.commit;
        let moved = match kept.url == settings.remote.url() {
            true => "the history was rewritten, or somebody went back in it",
            false => "it is another repository",
        };
        Err(Trouble::Rewritten(format!(
            "commit {tip} does not descend from {before}, which is in use: {moved}. Make a new commit upon {before} \
             (`git revert` undoes without going back), or set `accept-commit = \"{tip}\"` in [git] and start again"
        )))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn read_commit(repository: &gix::Repository, id: ObjectId, sequence: u64, path: &str) -> Result<Commit, TreeError> {
    let files = Arc::new(tree::files(repository, id, path)?);
    Ok(Commit { files, revision: revision(id, sequence), id })
}

fn revision(commit: ObjectId, sequence: u64) -> Revision {
    Revision { id: commit.to_string().chars().take(REVISION_CHARACTERS).collect(), sequence }
}

impl std::fmt::Display for Trouble {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (Self::Unreachable(why) | Self::Rewritten(why) | Self::Unsigned(why) | Self::Unreadable(why)) = self;
        f.write_str(why)
    }
}

impl std::fmt::Debug for Git {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Git")
            .field("remote", &self.settings.remote.url())
            .field("folder", &self.folder)
            .finish_non_exhaustive()
    }
}

/// The copy's folder within the folder of the daemon's state.
pub fn copy_folder(state: &Path) -> PathBuf {
    state.join("source.git")
}
