//! Where the daemon's topology comes from: the config folder, or git.

use super::state;
use crate::cli::Exit;
use crate::cli::RunArgs;
use crate::cli::clock::MachineClock;
use crate::cli::context::{Context, Read, Screen, diagnostic_style, judged, load};
use crate::config::{self, Settings, SourceFile, SourceFiles};
use crate::daemon::config::{Fetched, Folder, Source};
use crate::http::Hook;
use crate::notify::secret;
use crate::port::Clock as _;
use crate::source::git::{Git, copy_folder};
use anyhow::Context as _;
use std::path::Path;
use std::sync::Arc;

/// Bytes of the file that names a source.
const FILE_BYTES_MAX: u64 = 64 * 1_024;

/// A source, and what it has.
pub(super) struct Begun {
    pub(super) context: Context,
    pub(super) source: Arc<dyn Source>,
    pub(super) hook: Option<Hook>,
}

/// Opens the source that the command line names, and reads what it has. What is wrong is said on the screen.
pub(super) async fn begin(folder: &Path, screen: Screen, args: &RunArgs) -> anyhow::Result<Result<Begun, Exit>> {
    let Some(file) = &args.source else {
        let begun = |context| Begun { context, source: Arc::new(Folder(folder.to_owned())), hook: None };
        return Ok(load(folder, screen).map(begun));
    };
    let refused = |why: &str| {
        screen.say(&format!("{} {why}", screen.talk.bad("error:")));
        Ok(Err(Exit::UserCanMend))
    };
    let text = match read_file(file) {
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
    let copy = copy_folder(&state::folder(args.state.as_deref(), &Settings::default()));
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
    let first = Arc::clone(&git);
    tokio::task::spawn_blocking(move || first.look()).await.context("fetching the topology")?;
    let context = match first_context(&git, screen) {
        Ok(context) => context,
        Err(exit) => return Ok(Err(exit)),
    };
    Arc::clone(&git).follow().context("starting the thread that fetches")?;
    let look = Arc::clone(&git);
    let hook = hook_secret.map(|secret| Hook { secret, look: Arc::new(move || look.wake()) });
    Ok(Ok(Begun { context, source: git, hook }))
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
        screen.say("No commit was ever used here, so there is none to go on with.");
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
    std::fs::File::open(path)?.take(FILE_BYTES_MAX).read_to_end(&mut bytes)?;
    Ok(bytes)
}
