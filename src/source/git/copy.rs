//! The copy of the repository: a folder of git's own shape, without a work tree, that nobody but us writes.

use super::fetch::fetch;
use crate::model::settings::Secret;
use crate::model::source::GitSettings;
use gix::ObjectId;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use tokio::runtime::Handle;

/// What the copy is called while another takes its place.
const BEFORE: &str = "before";
/// What one is called that is being made to take its place.
const FRESH: &str = "fresh";
/// Most bytes of one object in memory: a file of a topology has one MiB at most, and a small commit may claim to hold a large one.
const OBJECT_BYTES_MAX: u64 = 256 * 1_024 * 1_024;

/// Takes away what a program that was killed while it wrote has left, which would be in the way for ever. Nobody else writes here:
/// the folder of the state is locked.
#[allow(clippy::disallowed_methods)] // The copy is this edge's own.
pub(super) fn tidy(folder: &Path) {
    let mut places = vec![folder.to_owned(), folder.join("refs"), folder.join("objects/pack")];
    while let Some(place) = places.pop() {
        for entry in fs::read_dir(&place).into_iter().flatten().flatten() {
            let path = entry.path();
            let is_pack = place.ends_with("objects/pack");
            let kept = ["pack", "idx", "rev", "keep"];
            let is_left = match path.extension().and_then(|extension| extension.to_str()) {
                Some("lock") => true,
                Some(extension) => is_pack && !kept.contains(&extension),
                None => is_pack,
            };
            if path.is_dir() && place.starts_with(folder.join("refs")) {
                places.push(path);
            } else if is_left && path.is_file() {
                _ = fs::remove_file(path);
            }
        }
    }
}

/// Opens the copy in `folder`, or makes an empty one.
#[allow(clippy::disallowed_methods)] // The copy is this edge's own.
pub(super) fn open(folder: &Path) -> Result<gix::Repository, String> {
    let text = |error: gix::Error| error.to_string();
    let before = folder.with_extension(BEFORE);
    if before.exists() && !folder.exists() {
        // It was being made anew, and what was made was not put in its place.
        fs::rename(&before, folder).map_err(|error| error.to_string())?;
    }
    if !folder.join("HEAD").exists() {
        fs::create_dir_all(folder).map_err(|error| error.to_string())?;
        gix::init_bare(folder).map_err(text)?;
    }
    // Of settings, only those of the copy itself count, which nobody but us writes.
    let limit = format!("gitoxide.objects.allocLimit={OBJECT_BYTES_MAX}");
    let options = gix::open::Options::isolated().open_path_as_is(true).strict_config(true).config_overrides([limit]);
    Ok(options.open(folder).map_err(text)?.to_thread_local())
}

/// How many packs the copy in `folder` has.
pub(super) fn packs(folder: &Path) -> usize {
    files(&folder.join("objects/pack"))
        .filter(|path| path.extension().is_some_and(|extension| extension == "pack"))
        .count()
}

/// Makes sure that what was fetched is on the disk, before anybody relies on it: the library leaves that to whoever uses it.
#[allow(clippy::disallowed_methods)] // The copy is this edge's own.
pub(super) fn sync(folder: &Path) -> io::Result<()> {
    let refs = folder.join("refs/wheelwright");
    for path in files(&folder.join("objects/pack")).chain(files(&refs)) {
        fs::File::open(path)?.sync_all()?;
    }
    for place in ["objects/pack", "refs/wheelwright"] {
        fs::File::open(folder.join(place))?.sync_all()?;
    }
    Ok(())
}

#[allow(clippy::disallowed_methods)] // The copy is this edge's own.
fn files(folder: &Path) -> impl Iterator<Item = PathBuf> {
    fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).filter(|path| path.is_file())
}

/// Makes the copy in `folder` anew, in one pack, and puts it in its place: many packs are slow, and one that a power cut damaged is not
/// mended by fetching what is new. What it must have is `kept`.
///
/// # Errors
/// Why it could not be; the copy is as it was.
#[allow(clippy::disallowed_methods)] // The copy is this edge's own.
pub(super) fn renew(
    folder: &Path,
    kept: Option<ObjectId>,
    settings: &GitSettings,
    secrets: &dyn Fn(&Secret) -> Result<String, String>,
    runtime: &Handle,
) -> Result<(), String> {
    let (fresh, before) = (folder.with_extension(FRESH), folder.with_extension(BEFORE));
    for left in [&fresh, &before] {
        _ = fs::remove_dir_all(left);
    }
    let repository = open(&fresh)?;
    fetch(&repository, settings, secrets, runtime)?;
    if kept.is_some_and(|kept| repository.find_commit(kept).is_err()) {
        return Err("the remote does not have the commit any more that is in use".into());
    }
    drop(repository);
    sync(&fresh).map_err(|error| error.to_string())?;
    let moved = fs::rename(folder, &before).and_then(|()| fs::rename(&fresh, folder));
    moved.map_err(|error| error.to_string())?;
    _ = fs::remove_dir_all(&before);
    Ok(())
}
