//! Where the daemon's topology comes from: the config folder, or git.

use super::state;
use crate::cli::Exit;
use crate::cli::RunArgs;
use crate::cli::clock::MachineClock;
use crate::cli::context::{Context, Read, Screen, diagnostic_style, judged, load};
use crate::config::{self, SourceFile, SourceFiles};
use crate::daemon::config::{Fetched, Folder, Source};
use crate::http::Hook;
use crate::notify::secret;
use crate::port::Clock as _;
use crate::source::git::{Git, copy_folder};
use crate::store::Store;
use anyhow::Context as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// Bytes of the file that names a source.
const FILE_BYTES_MAX: u64 = 64 * 1_024;
/// How long the first look is waited for, where a commit is there that was used before.
const FIRST_LOOK_WITHIN: Duration = Duration::from_secs(10);

/// A source, and what it has.
pub(super) struct Begun {
    pub(super) context: Context,
    pub(super) source: Arc<dyn Source>,
    pub(super) hook: Option<Hook>,
    /// What is remembered, where it had to be opened first.
    pub(super) store: Option<Store>,
}

/// Opens the source that the command line names, and reads what it has. What is wrong is said on the screen.
pub(super) async fn begin(folder: &Path, screen: Screen, args: &RunArgs) -> anyhow::Result<Result<Begun, Exit>> {
    let Some(file) = &args.source else {
        let begun = |context| Begun { context, source: Arc::new(Folder(folder.to_owned())), hook: None, store: None };
        return Ok(load(folder, screen).map(begun));
    };
    let refused = |why: &str| {
        screen.say(&format!("{} {why}", screen.talk.bad("error:")));
        Ok(Err(Exit::UserCanMend))
    };
    let Some(state) = &args.state else {
        return refused(
            "--source needs --state: the copy of the repository, and which commit is in use, are kept there",
        );
    };
    let text = match read_file(file) {
        Ok(text) if text.len() as u64 > FILE_BYTES_MAX => {
            return refused(&format!("{} has more than {FILE_BYTES_MAX} bytes: is it the right file?", file.display()));
        }
        Ok(text) => text,
        Err(error) => return refused(&format!("{}, which names where the topology is: {error}", file.display())),
    };
    let source_file = SourceFile::of_bytes(file.display().to_string(), text);
    let (settings, diagnostics) = config::load_source(&source_file);
    if !diagnostics.is_empty() {
        let files = SourceFiles::of([source_file]);
        screen.say(config::render(&diagnostics, &files, diagnostic_style(screen.talk)).trim_end());
    }
    let Some(settings) = settings else { return Ok(Err(Exit::UserCanMend)) };
    // Before anything of it is read: another daemon may be about to write down which commit is in use.
    let store = match state::store(state) {
        Ok(store) => store,
        Err(error) => return refused(&format!("{error:#}")),
    };
    let copy = copy_folder(state);
    let secrets = |named: &_| secret::read(named, &secret::environment).map(|text| text.expose().to_owned());
    let hook_secret = settings.hook_secret.as_ref().map(secrets).transpose();
    let hook_secret = match hook_secret {
        Ok(found) => found,
        Err(error) => return refused(&format!("[git] hook-secret: {error}")),
    };
    let now_secs = Arc::new(|| MachineClock.now().0 / 1_000);
    let read_secret = Arc::new(move |named: &_| secrets(named).map_err(|error| error.to_string()));
    let git = match Git::open(settings, copy, read_secret, now_secs, tokio::runtime::Handle::current()) {
        Ok(git) => Arc::new(git),
        Err(error) => return refused(&error.to_string()),
    };
    let has_some = git.newest().0.is_some();
    let looked = Arc::clone(&git).follow().context("starting the thread that fetches")?;
    // Where there is a commit to go on with, a remote that hangs is not waited for.
    let patience = if has_some { FIRST_LOOK_WITHIN } else { Duration::MAX };
    _ = tokio::time::timeout(patience, looked).await;
    let context = match first_context(&git, screen) {
        Ok(context) => context,
        Err(exit) => return Ok(Err(exit)),
    };
    let look = Arc::clone(&git);
    let hook = hook_secret.map(|secret| Hook { secret, look: Arc::new(move || look.wake()) });
    Ok(Ok(Begun { context, source: git, hook, store: Some(store) }))
}

/// The newest commit if it is good, and otherwise the last one that was.
fn first_context(git: &Git, screen: Screen) -> Result<Context, Exit> {
    match Source::fetch(git) {
        Ok(fetched) => {
            for why in fetched.refused.iter().chain(&fetched.unreachable) {
                screen.say(&format!("{} {why}", screen.talk.bad("warning:")));
            }
            if let Ok(context) = judge(fetched, screen) {
                return Ok(context);
            }
        }
        Err(why) => screen.say(&format!("{} {why}", screen.talk.bad("error:"))),
    }
    let Some(good) = Source::last_good(git) else {
        screen.say("There is no commit that was used before and may be: there is nothing to go on with.");
        return Err(Exit::UserCanMend);
    };
    screen.say(&format!("Goes on with commit {}, which was used last.", good.revision.id));
    judge(good, screen)
}

fn judge(fetched: Fetched, screen: Screen) -> Result<Context, Exit> {
    let Fetched { files, revision, .. } = fetched;
    judged(Read { loaded: config::load(&files), files, revision }, screen)
}

#[allow(clippy::disallowed_methods)] // The edge that reads it.
fn read_file(path: &Path) -> std::io::Result<Vec<u8>> {
    use std::io::Read as _;
    let mut bytes = Vec::new();
    std::fs::File::open(path)?.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}
