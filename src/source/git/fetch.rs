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
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::runtime::Handle;

/// Where the copy keeps what it last saw.
const SEEN: &str = "refs/wheelwright/seen";

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
            receive(repository, &url, settings, &bounds, transport)
        }
        Remote::Ssh { key_file, known_hosts_file, .. } => {
            let ssh = Ssh::start(&url, key_file.as_deref(), known_hosts_file.as_deref(), bounds.clone())?;
            let received = receive(repository, &url, settings, &bounds, ssh.transport()?);
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
    bounds: &Bounds,
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
    // Also what takes no more than time, as putting a pack's pieces together, ends.
    let stop = Arc::new(AtomicBool::new(false));
    let (_over, is_over) = channel::<()>();
    let (stopping, left) = (Arc::clone(&stop), bounds.deadline.saturating_duration_since(now()));
    std::thread::spawn(move || {
        if is_over.recv_timeout(left) == Err(RecvTimeoutError::Timeout) {
            stopping.store(true, Ordering::Relaxed);
        }
    });
    let outcome = prepared.receive(Discard, &stop)?;
    let remote = outcome.ref_map.mappings.first().and_then(|mapping| mapping.remote.as_id().map(ToOwned::to_owned));
    let mut seen = repository.find_reference(SEEN)?;
    if seen.target().try_id().map(ToOwned::to_owned) != remote {
        // The library says so only in a list of what it did.
        bounds.say("what it has now could not be written down in the copy");
        return Err(gix::Error::from_error(std::io::Error::other("the reference was not updated")));
    }
    Ok(seen.peel_to_commit()?.id)
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
