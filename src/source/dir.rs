//! A config folder on disk: `wheelwright.toml` and `topology/**/*.toml`.
//!
//! A checkout that a sidecar keeps fresh is such a folder. Symbolic links are followed, as mounted config volumes are
//! made of them; a loop of links ends at the limit of depth.

use super::{DEPTH_MAX, FILES_MAX, REVISION_CHARACTERS, TOPOLOGY};
use crate::config::{FILE_BYTES_MAX, SETTINGS_PATH, SourceFile, SourceFiles};
use crate::model::desired::Revision;
use crate::model::mark::long_digest;
use std::collections::BTreeMap;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

/// Why a config folder could not be read.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The folder is not there, or is no folder.
    #[error("{path} is not a config folder: {reason}; name the folder that holds {SETTINGS_PATH} and topology/", path = path.display())]
    NoFolder {
        /// Which.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// A file or folder in it could not be read.
    #[error("{path} could not be read; look at its owner and mode", path = path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file's name is not text, so that no diagnostic could name it.
    #[error("{path} has a name that is not UTF-8; rename it", path = path.display())]
    NameNotText {
        /// Which.
        path: PathBuf,
    },
    /// More files than any topology needs: probably the wrong folder.
    #[error("{path} holds more than {FILES_MAX} topology files; is it the right folder?", path = path.display())]
    TooMany {
        /// Which.
        path: PathBuf,
    },
    /// Folders within folders, or a link that leads back.
    #[error("{path} is more than {DEPTH_MAX} folders deep; does a link lead back into the folder?", path = path.display())]
    TooDeep {
        /// Which.
        path: PathBuf,
    },
}

/// The files of the folder `dir`, and which revision they are: a digest over paths and texts, ordered by the newest
/// modification time of its files, in seconds. A folder without `topology/` gives no topology files, which the checker
/// reports.
///
/// # Errors
/// What could not be read, where, and what to do about it. Nothing is left out in silence: a file that cannot be read
/// is an error, as leaving it out would ask for its resources to be taken away. One that is not text, or is too large, is
/// for the checker to report: it concerns whose file it is, and need not stop the others.
pub fn read(dir: &Path) -> Result<(SourceFiles, Revision), SourceError> {
    let metadata = std::fs::metadata(dir)
        .map_err(|error| SourceError::NoFolder { path: dir.into(), reason: error.to_string() })?;
    if !metadata.is_dir() {
        return Err(SourceError::NoFolder { path: dir.into(), reason: "it is a file".into() });
    }
    let mut found = Found { dir, files: BTreeMap::new(), newest_seconds: 0 };
    let settings = dir.join(SETTINGS_PATH);
    if exists(&settings)? {
        found.add(&settings, SETTINGS_PATH.into())?;
    }
    let topology = dir.join(TOPOLOGY);
    if exists(&topology)? {
        found.walk(&topology, TOPOLOGY, 0)?;
    }
    let parts: Vec<&str> = found.files.values().flat_map(|file| [&*file.path, &*file.text]).collect();
    let id = long_digest(&parts).chars().take(REVISION_CHARACTERS).collect();
    let revision = Revision { id, sequence: found.newest_seconds };
    Ok((SourceFiles::of(found.files.into_values()), revision))
}

struct Found<'a> {
    dir: &'a Path,
    files: BTreeMap<String, SourceFile>,
    newest_seconds: u64,
}

impl Found<'_> {
    #[allow(clippy::disallowed_methods)] // Reading folders is what this edge is for.
    fn walk(&mut self, folder: &Path, name: &str, depth: usize) -> Result<(), SourceError> {
        if depth > DEPTH_MAX {
            return Err(SourceError::TooDeep { path: folder.into() });
        }
        let unreadable = |source| SourceError::Unreadable { path: folder.into(), source };
        let mut entries =
            std::fs::read_dir(folder).and_then(Iterator::collect::<io::Result<Vec<_>>>).map_err(unreadable)?;
        entries.sort_by_key(std::fs::DirEntry::file_name);
        // A file that is taken away leaves its mark only here: without it the topology would seem older than it was.
        self.see(&std::fs::metadata(folder).map_err(unreadable)?);
        for entry in entries {
            let path = entry.path();
            let file_name = entry.file_name();
            let Some(file_name) = file_name.to_str() else {
                return Err(SourceError::NameNotText { path });
            };
            // `..data` of a mounted volume, `.git`, editors' leavings: the names that people see lead to the same files.
            if file_name.starts_with('.') {
                continue;
            }
            let inner = format!("{name}/{file_name}");
            // Follows links: what they lead to is what is meant.
            let metadata =
                std::fs::metadata(&path).map_err(|source| SourceError::Unreadable { path: path.clone(), source })?;
            if metadata.is_dir() {
                self.walk(&path, &inner, depth + 1)?;
            } else if file_name.ends_with(".toml") {
                self.add(&path, inner)?;
            }
        }
        Ok(())
    }

    #[allow(clippy::disallowed_methods)] // Reading files is what this edge is for.
    fn add(&mut self, path: &Path, name: String) -> Result<(), SourceError> {
        if self.files.len() >= FILES_MAX {
            return Err(SourceError::TooMany { path: self.dir.into() });
        }
        let unreadable = |source| SourceError::Unreadable { path: path.into(), source };
        let file = std::fs::File::open(path).map_err(unreadable)?;
        let metadata = file.metadata().map_err(unreadable)?;
        let mut bytes = Vec::new();
        file.take(FILE_BYTES_MAX as u64 + 1).read_to_end(&mut bytes).map_err(unreadable)?;
        self.see(&metadata);
        self.files.insert(name.clone(), SourceFile::of_bytes(name, bytes));
        Ok(())
    }

    fn see(&mut self, metadata: &std::fs::Metadata) {
        let modified = metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        self.newest_seconds = self.newest_seconds.max(modified.map_or(0, |age| age.as_secs()));
    }
}

fn exists(path: &Path) -> Result<bool, SourceError> {
    path.try_exists().map_err(|source| SourceError::Unreadable { path: path.into(), source })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::disallowed_methods)] // A folder on disk is what is tested.
    use super::*;
    use crate::config::Fault;

    fn folder(files: &[(&str, &[u8])]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (path, bytes) in files {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, bytes).unwrap();
        }
        folder
    }

    fn paths(files: &SourceFiles) -> Vec<String> {
        files.iter().map(|file| file.path.to_string()).collect()
    }

    #[test]
    fn settings_and_topology_are_read_and_nothing_else() {
        let folder = folder(&[
            ("wheelwright.toml", b"a"),
            ("other.toml", b""),
            ("topology/teams/b.toml", b""),
            ("topology/a.toml", b""),
            ("topology/README.md", b""),
            ("topology/.git/c.toml", b""),
        ]);
        let (files, _) = read(folder.path()).unwrap();
        assert_eq!(paths(&files), ["topology/a.toml", "topology/teams/b.toml", "wheelwright.toml"]);
    }

    #[test]
    fn the_revision_follows_content_and_names_and_nothing_else() {
        let id = |files: &[(&str, &[u8])]| read(folder(files).path()).unwrap().1.id;
        let first = id(&[("topology/a.toml", b"x")]);
        assert_eq!(first, id(&[("topology/a.toml", b"x")]));
        assert_ne!(first, id(&[("topology/a.toml", b"y")]));
        assert_ne!(first, id(&[("topology/b.toml", b"x")]));
    }

    #[test]
    fn what_is_no_text_is_read_as_far_as_it_goes_and_said_to_be_none() {
        let large = vec![b'#'; FILE_BYTES_MAX + 1];
        let cases: [(&[u8], Fault); 3] = [
            (large.as_slice(), Fault::TooLarge),
            (b"a = \"\xff\"", Fault::NotUtf8 { offset: 5 }),
            (b"\xff\xfea\0=\0", Fault::Utf16),
        ];
        for (bytes, fault) in cases {
            let (files, _) = read(folder(&[("topology/a.toml", bytes)]).path()).unwrap();
            let file = files.file("topology/a.toml").unwrap();
            assert_eq!(file.fault, Some(fault));
            assert!(!file.text.is_empty());
        }
    }

    #[test]
    fn what_cannot_be_read_is_an_error_that_names_the_file() {
        let message = read(Path::new("/nowhere")).unwrap_err().to_string();
        assert!(message.contains("/nowhere") && message.contains("name the folder"), "{message}");
    }

    #[cfg(unix)]
    #[test]
    fn links_are_followed_and_a_loop_of_them_ends() {
        let folder = folder(&[("topology/a.toml", b""), ("elsewhere/b.toml", b"")]);
        let inside = folder.path().join("topology");
        std::os::unix::fs::symlink(folder.path().join("elsewhere"), inside.join("more")).unwrap();
        assert_eq!(paths(&read(folder.path()).unwrap().0), ["topology/a.toml", "topology/more/b.toml"]);
        std::os::unix::fs::symlink(&inside, inside.join("again")).unwrap();
        assert!(read(folder.path()).is_err());
        std::fs::remove_file(inside.join("again")).unwrap();
        std::os::unix::fs::symlink(inside.join("gone.toml"), inside.join("dangling.toml")).unwrap();
        let message = read(folder.path()).unwrap_err().to_string();
        assert!(message.contains("dangling.toml"), "{message}");
    }
}
