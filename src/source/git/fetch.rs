//! Bringing the copy up to date.

use super::ssh::Ssh;
use super::web::Web;
use crate::model::settings::Secret;
use crate::model::source::{GitSettings, Remote};
use gix::ObjectId;
use gix::progress::Discard;
use gix::remote::Direction;
use gix::remote::fetch::Tags;
use gix_transport::Protocol;
use gix_transport::client::blocking_io::{Transport, http};
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::runtime::Handle;

/// Where the copy keeps what it last saw.
const SEEN: &str = "refs/wheelwright/seen";

/// What the copy is called while another takes its place.
const BEFORE: &str = "before";

/// What may be had, and by when.
#[derive(Clone)]
pub(super) struct Bounds {
    pub(super) deadline: Instant,
    pub(super) bytes_max: u64,
    /// What went wrong in words for people: the library tells of its own layers.
    trouble: Arc<Mutex<Option<String>>>,
}

impl Bounds {
    /// Says what went wrong; the first that is said counts.
    pub(super) fn say(&self, why: &str) {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_with(|| why.to_owned());
    }

    fn said(&self) -> Option<String> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// Opens the copy in `folder`, or makes an empty one.
#[allow(clippy::disallowed_methods)] // The copy is this edge's own.
pub(super) fn open(folder: &Path) -> Result<gix::Repository, String> {
    let text = |error: gix::Error| error.to_string();
    let before = folder.with_extension(BEFORE);
    if before.exists() && !folder.exists() {
        // It was being made anew, and what was made was not put in its place.
        std::fs::rename(&before, folder).map_err(|error| error.to_string())?;
    }
    if !folder.join("HEAD").exists() {
        std::fs::create_dir_all(folder).map_err(|error| error.to_string())?;
        gix::init_bare(folder).map_err(text)?;
    }
    // Of settings, only those of the copy itself count, which nobody but us writes.
    let options = gix::open::Options::isolated().open_path_as_is(true).strict_config(true);
    Ok(options.open(folder).map_err(text)?.to_thread_local())
}

/// How many packs the copy in `folder` has.
#[allow(clippy::disallowed_methods)] // The copy is this edge's own.
pub(super) fn packs(folder: &Path) -> usize {
    let entries = std::fs::read_dir(folder.join("objects/pack")).into_iter().flatten();
    entries.flatten().filter(|entry| entry.path().extension().is_some_and(|extension| extension == "pack")).count()
}

/// Makes the copy in `folder` anew, in one pack, and puts it in its place.
///
/// # Errors
/// Why it could not be; the copy is as it was.
#[allow(clippy::disallowed_methods)] // The copy is this edge's own.
pub(super) fn renew(
    folder: &Path,
    settings: &GitSettings,
    secrets: &dyn Fn(&Secret) -> Result<String, String>,
    runtime: &Handle,
) -> Result<(), String> {
    let (fresh, before) = (folder.with_extension("fresh"), folder.with_extension(BEFORE));
    for left in [&fresh, &before] {
        _ = std::fs::remove_dir_all(left);
    }
    fetch(&open(&fresh)?, settings, secrets, runtime)?;
    let moved = std::fs::rename(folder, &before).and_then(|()| std::fs::rename(&fresh, folder));
    moved.map_err(|error| error.to_string())?;
    _ = std::fs::remove_dir_all(&before);
    Ok(())
}

/// Fetches what `settings` name. Returns the commit that it is now.
///
/// # Errors
/// Why it could not be, for people.
pub(super) fn fetch(
    repository: &gix::Repository,
    settings: &GitSettings,
    secrets: &dyn Fn(&Secret) -> Result<String, String>,
    runtime: &Handle,
) -> Result<ObjectId, String> {
    let bounds = Bounds {
        deadline: now() + Duration::from_secs(u64::from(settings.fetch_secs_max)),
        bytes_max: u64::from(settings.fetch_mib_max) * 1_024 * 1_024,
        trouble: Arc::default(),
    };
    let url = gix::url::parse(settings.remote.url()).map_err(|error| error.to_string())?;
    let received = match &settings.remote {
        Remote::Http { user, token, .. } => {
            let token = token.as_ref().map(secrets).transpose()?;
            let web = Web::new(token.as_deref().map(|token| (user.as_str(), token)), bounds.clone(), runtime.clone());
            let transport = http::connect_http(web, url.clone(), Protocol::V2, false);
            receive(repository, &url, settings, transport)
        }
        Remote::Ssh { key_file, known_hosts_file, .. } => {
            let ssh = Ssh::start(&url, key_file.as_deref(), known_hosts_file.as_deref(), bounds.clone())?;
            let received = receive(repository, &url, settings, ssh.transport()?);
            ssh.end(received.is_err());
            received
        }
    };
    received.map_err(|error| bounds.said().unwrap_or_else(|| words(&error, settings)))
}

fn receive<T: Transport>(
    repository: &gix::Repository,
    url: &gix::Url,
    settings: &GitSettings,
    transport: T,
) -> Result<ObjectId, gix::Error> {
    // `+`: also what was rewritten is looked at, so that it can be said.
    let specification = format!("+{}:{SEEN}", settings.reference.full_name());
    let remote = repository
        .remote_at_without_url_rewrite(url.clone())?
        .with_fetch_tags(Tags::None)
        .with_refspecs([gix::bstr::BString::from(specification)], Direction::Fetch)?;
    // Nobody is asked for a password, and no helper of the machine's is.
    let connection = remote.to_connection_with_transport(transport).with_credentials(|_| Ok(None));
    let prepared = connection.prepare_fetch(Discard, gix::remote::ref_map::Options::default())?;
    prepared.receive(Discard, &AtomicBool::new(false))?;
    Ok(repository.find_reference(SEEN)?.peel_to_commit()?.id)
}

fn words(error: &gix::Error, settings: &GitSettings) -> String {
    let all: Vec<String> = error.iter_errors().map(ToString::to_string).collect();
    let text = all.join(": ");
    if text.contains("refspec(s)") && text.contains("matched any") {
        return format!("the repository has no {}", settings.reference);
    }
    text
}

#[allow(clippy::disallowed_methods)] // How long a fetch takes is no time of day, and nothing is decided by it.
pub(super) fn now() -> Instant {
    Instant::now()
}
