//! A branch or tag of a remote git repository.
//!
//! A copy without a work tree is kept in a folder of ours and brought up to date every so often. What is read are the files of one
//! commit, so that nobody sees half of a change. Nothing of a repository is ever run: no hook, filter, submodule or setting.
//!
//! Of each new commit it is asked, before it is used: does it descend from the one in use (else somebody rewrote the history, or
//! went back in it, and routes that were added since would be taken away); and, where signatures are required, did somebody sign
//! it who may. A commit that is not used leaves the one before it in use, and says why. The remote may be away for as long as it
//! likes, over restarts too: what was last used is in the copy.

mod copy;
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
    is_signed: bool,
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
    /// The newest commit's files are none of a topology: a link, a submodule, too many.
    Unusable(String),
    /// The newest commit, or the copy of it, cannot be read.
    Unreadable(String),
}

/// Looks that a remote may fail one after the other before it is told: a server that is restarted is nobody's trouble.
const FAILED_LOOKS_MAX: u32 = 3;
/// Packs that the copy may have: each fetch that brings something adds one. With more, it is made anew.
const PACKS_MAX: usize = 50;

/// Commits that were handed out lately, of which one may yet be said to be in use.
const HANDED_OUT_MAX: usize = 8;

/// What the last look saw.
#[derive(Clone, Debug, Default)]
struct State {
    /// The newest commit that may be used.
    newest: Option<Commit>,
    /// What was handed out, the newest last.
    handed_out: Vec<Commit>,
    trouble: Option<Trouble>,
    /// Looks that failed one after the other.
    failed_looks: u32,
    /// Packs that there were when the copy could not be made anew: it is tried again with as many more.
    packs_in_vain: usize,
    /// Whether what is in use could not be written down yet.
    is_unwritten: bool,
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
    /// Held while the copy is read or written.
    looking: Mutex<()>,
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
        copy::tidy(&folder);
        let kept = Kept::read(&folder).map_err(failed)?;
        let state = Mutex::new(State { kept, ..State::default() });
        let (looking, woken) = (Mutex::new(()), Mutex::new(false));
        let git = Self { settings, folder, secrets, now, runtime, state, looking, woken, bell: Condvar::new() };
        let last_good = git.last_good();
        git.lock().newest = last_good;
        Ok(git)
    }

    /// The newest commit that may be used, if there ever was one, and why it is not newer.
    pub fn newest(&self) -> (Option<Commit>, Option<Trouble>) {
        let mut state = self.lock();
        let newest = state.newest.clone();
        if let Some(commit) = &newest
            && state.handed_out.last().is_none_or(|last| last.id != commit.id)
        {
            state.handed_out.push(commit.clone());
            let more = state.handed_out.len().saturating_sub(HANDED_OUT_MAX);
            state.handed_out.drain(..more);
        }
        let is_unreachable = matches!(state.trouble, Some(Trouble::Unreachable(_)));
        let is_passing = is_unreachable && newest.is_some() && state.failed_looks < FAILED_LOOKS_MAX;
        (newest, state.trouble.clone().filter(|_| !is_passing))
    }

    /// The commit that was used last and was good. Where signatures are required it has to bear one, also if it was used before they were.
    pub fn last_good(&self) -> Option<Commit> {
        let kept = self.lock().kept.clone()?;
        let _looking = self.looking.lock().unwrap_or_else(PoisonError::into_inner);
        let repository = copy::open(&self.folder).inspect_err(|why| tracing::warn!(why, "the copy is damaged")).ok()?;
        let is_signed = match &self.settings.signers {
            Some(signers) if !kept.is_signed => {
                let verified = signature::verify(&repository, kept.commit, kept.sequence, signers, &self.folder);
                verified
                    .inspect_err(|why| tracing::warn!(commit = %kept.commit, why, "what was in use is not any more"))
                    .ok()?;
                true
            }
            _ => kept.is_signed,
        };
        let read = tree::files(&repository, kept.commit, &self.settings.path);
        let files = read.inspect_err(|why| tracing::warn!(%why, "what was in use cannot be read")).ok()?;
        Some(Commit {
            files: Arc::new(files),
            revision: revision(kept.commit, kept.sequence),
            id: kept.commit,
            is_signed,
        })
    }

    /// Remembers that `revision`, which was handed out, is used and good.
    ///
    /// # Errors
    /// It could not be written down; the next look tries again.
    pub fn keep(&self, revision: &Revision) -> Result<(), String> {
        let mut state = self.lock();
        let handed_out = state.handed_out.iter().chain(&state.newest).find(|commit| commit.revision == *revision);
        let Some(commit) = handed_out.cloned() else { return Ok(()) };
        let id = commit.id.to_string();
        let accepted = match &self.settings.accept_commit {
            Some(accepted) if *accepted == id => Some(id),
            _ => state.kept.as_ref().and_then(|kept| kept.accepted.clone()),
        };
        state.kept = Some(Kept {
            commit: commit.id,
            sequence: commit.revision.sequence,
            url: self.settings.remote.url().to_owned(),
            is_signed: commit.is_signed,
            accepted,
        });
        state.is_unwritten = true;
        self.write_down(&mut state)
    }

    /// Writes down what is in use, if that is still to be done.
    fn write_down(&self, state: &mut State) -> Result<(), String> {
        let Some(kept) = state.kept.as_ref().filter(|_| state.is_unwritten) else { return Ok(()) };
        copy::sync(&self.folder).map_err(|error| error.to_string())?;
        kept.write(&self.folder)?;
        state.is_unwritten = false;
        Ok(())
    }

    /// Looks at the remote now rather than when it is time.
    pub fn wake(&self) {
        *self.woken.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.bell.notify_all();
    }

    /// Looks at the remote now and for ever, on a thread of its own: a remote that hangs holds nobody up. What is returned ends with the
    /// first look.
    ///
    /// # Errors
    /// There is no thread to be had.
    pub fn follow(self: Arc<Self>) -> std::io::Result<tokio::sync::oneshot::Receiver<()>> {
        let (tell, looked) = tokio::sync::oneshot::channel();
        std::thread::Builder::new().name("git".into()).spawn(move || {
            self.look();
            _ = tell.send(());
            loop {
                self.wait();
                self.look();
            }
        })?;
        Ok(looked)
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
        // What is in use may become another commit meanwhile, and then the newest is to be judged by that.
        for _ in 0..HANDED_OUT_MAX {
            let kept = self.lock().kept.clone();
            // A mistake of ours, or of the library's, in what one remote sends must not be the end of all looks.
            let looked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| self.look_beyond(kept.as_ref())));
            let broken = |_| Err(Trouble::Unreachable("looking at it broke down; this is a bug".into()));
            let mut state = self.lock();
            if state.kept == kept {
                self.see(&mut state, looked.unwrap_or_else(broken));
                _ = self.write_down(&mut state);
                return;
            }
        }
    }

    fn see(&self, state: &mut State, looked: Result<Commit, Trouble>) {
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
            // What is known of the newest commit stays known while the remote is away for a moment.
            Err(Trouble::Unreachable(_)) if state.trouble.is_some() && state.failed_looks < FAILED_LOOKS_MAX => {}
            Err(trouble) => {
                if state.trouble.as_ref() != Some(&trouble) {
                    tracing::warn!(why = %trouble, "the newest commit is not used");
                }
                state.trouble = Some(trouble);
            }
        }
    }

    /// Fetches, and judges what is new. A copy that is damaged is made anew, once.
    fn look_beyond(&self, kept: Option<&Kept>) -> Result<Commit, Trouble> {
        let _looking = self.looking.lock().unwrap_or_else(PoisonError::into_inner);
        let first = self.fetch_and_judge(kept);
        let why = match &first {
            Err(Trouble::Unreadable(why)) => why,
            // A fetch reads what is there to say what is not, so a damaged copy shows as one that fails.
            Err(Trouble::Unreachable(why)) if self.is_damaged(kept) => why,
            _ => return first,
        };
        let renewed = copy::renew(&self.folder, None, &self.settings, &*self.secrets, &self.runtime);
        match renewed {
            Ok(()) => {
                tracing::warn!(why, "the copy of the repository was made anew");
                self.fetch_and_judge(kept)
            }
            Err(_) => first,
        }
    }

    /// Whether what is in use cannot be read any more.
    fn is_damaged(&self, kept: Option<&Kept>) -> bool {
        let Ok(repository) = copy::open(&self.folder) else { return true };
        kept.is_some_and(|kept| {
            matches!(tree::files(&repository, kept.commit, &self.settings.path), Err(TreeError::Git(_)))
        })
    }

    fn fetch_and_judge(&self, kept: Option<&Kept>) -> Result<Commit, Trouble> {
        let settings = &self.settings;
        let repository = copy::open(&self.folder).map_err(|why| Trouble::Unreadable(format!("the copy: {why}")))?;
        let tip = fetch::fetch(&repository, settings, &*self.secrets, &self.runtime).map_err(|why| {
            let (what, url) = (&settings.reference, settings.remote.url());
            Trouble::Unreachable(format!("{what} cannot be fetched from {url}: {why}"))
        })?;
        let unreadable = |why: String| Trouble::Unreadable(format!("commit {tip}: {why}"));
        let dated = history::corrected_date(&repository, tip, (self.now)()).map_err(unreadable)?;
        let in_use = kept.filter(|kept| kept.commit == tip);
        let sequence = match (in_use, kept) {
            (Some(kept), _) => kept.sequence,
            (None, Some(kept)) => {
                self.descends(&repository, tip, kept)?;
                dated.max(kept.sequence.saturating_add(1))
            }
            (None, None) => dated,
        };
        let was_signed = in_use.is_some_and(|kept| kept.is_signed);
        if let Some(signers) = settings.signers.as_ref().filter(|_| !was_signed) {
            let verified = signature::verify(&repository, tip, dated, signers, &self.folder);
            verified.map_err(|why| Trouble::Unsigned(format!("commit {tip} is not used: {why}")))?;
        }
        if in_use.is_some() {
            self.keep_small(tip);
        }
        let files = tree::files(&repository, tip, &settings.path).map_err(|error| match error {
            TreeError::Git(why) => unreadable(why),
            wrong => Trouble::Unusable(format!("commit {tip} is not used: {wrong}")),
        })?;
        let is_signed = settings.signers.is_some() || was_signed;
        Ok(Commit { files: Arc::new(files), revision: revision(tip, sequence), id: tip, is_signed })
    }

    /// Makes the copy anew where it has many packs.
    fn keep_small(&self, in_use: ObjectId) {
        let (packs, in_vain) = (copy::packs(&self.folder), self.lock().packs_in_vain);
        if packs <= in_vain + PACKS_MAX {
            return;
        }
        let renewed = copy::renew(&self.folder, Some(in_use), &self.settings, &*self.secrets, &self.runtime);
        let failed =
            renewed.inspect_err(|why| tracing::warn!(why, "the copy of the repository could not be made anew"));
        self.lock().packs_in_vain = if failed.is_err() { packs } else { 0 };
    }

    /// Refuses a tip that does not descend from what is in use, unless somebody said that it may.
    fn descends(&self, repository: &gix::Repository, tip: ObjectId, kept: &Kept) -> Result<(), Trouble> {
        let settings = &self.settings;
        let is_accepted = settings.accept_commit.as_deref() == Some(&*tip.to_string());
        // Once: somebody could go back to it later, with all that came after it taken away.
        let is_accepted = is_accepted && kept.accepted != settings.accept_commit;
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

fn revision(commit: ObjectId, sequence: u64) -> Revision {
    Revision { id: commit.to_string().chars().take(REVISION_CHARACTERS).collect(), sequence }
}

impl std::fmt::Display for Trouble {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (Self::Unreachable(why)
        | Self::Rewritten(why)
        | Self::Unsigned(why)
        | Self::Unusable(why)
        | Self::Unreadable(why)) = self;
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
