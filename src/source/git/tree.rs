//! The config files of a commit.

use super::super::{DEPTH_MAX, FILES_MAX, TOPOLOGY};
use crate::config::{FILE_BYTES_MAX, SETTINGS_PATH, SourceFile, SourceFiles};
use crate::model::desired::Revision;
use gix::ObjectId;
use gix::object::tree::EntryKind;
use std::path::Path;

/// Most files and folders of a topology that are looked at, of whatever kind: a few objects can be named so often that no look ends.
const ENTRIES_MAX: usize = 100_000;
/// Most bytes of all files together.
const BYTES_MAX: usize = 64 * 1_024 * 1_024;

/// The files of a commit cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum TreeError {
    /// There is no such folder in it.
    #[error("there is no folder `{0}` in it; `path` names the one that holds {SETTINGS_PATH} and topology/")]
    NoFolder(String),
    /// Something that is no file stands where a file should.
    #[error("`{path}` is {what}; put the file itself there")]
    NoFile {
        /// Which.
        path: String,
        /// What it is instead.
        what: &'static str,
    },
    /// A file's name is not text, so that no diagnostic could name it.
    #[error("a file in `{0}` has a name that is not UTF-8; rename it")]
    NameNotText(String),
    /// More files than any topology needs.
    #[error("it holds more than {FILES_MAX} topology files; is `path` right?")]
    TooMany,
    /// More than any topology needs, though each file is small.
    #[error("it holds more than {ENTRIES_MAX} files and folders, or more than {BYTES_MAX} bytes; is `path` right?")]
    TooLarge,
    /// Folders within folders.
    #[error("`{0}` is more than {DEPTH_MAX} folders deep")]
    TooDeep(String),
    /// There is no repository, commit or object.
    #[error("{0}")]
    Git(String),
}

/// The files of the config folder at `folder`, as `revision` (a commit, branch or tag, as `git rev-parse` takes it) has them, in the
/// repository that the folder is in; and which revision that is.
///
/// # Errors
/// There is no repository or no such revision, or its files cannot be read.
pub fn at_revision(folder: &Path, revision: &str) -> Result<(SourceFiles, Revision), TreeError> {
    let git = |error: gix::Error| TreeError::Git(error.to_string());
    let folder = folder.canonicalize().map_err(|error| TreeError::Git(format!("{}: {error}", folder.display())))?;
    let repository = gix::discover(&folder).map_err(git)?;
    let root = repository.workdir().map(Path::canonicalize).and_then(Result::ok);
    let root = root.ok_or_else(|| TreeError::Git("the repository has no work tree".into()))?;
    let within = folder.strip_prefix(&root).ok().and_then(Path::to_str);
    let within = within.ok_or_else(|| TreeError::Git(format!("{} is not in {}", folder.display(), root.display())))?;
    let id = repository.rev_parse_single(revision).map_err(git)?;
    let commit = id.object().map_err(git)?.peel_to_commit().map_err(git)?;
    let seconds = commit.time().map_err(git)?.seconds;
    let files = files(&repository, commit.id, within)?;
    Ok((files, super::revision(commit.id, u64::try_from(seconds).unwrap_or_default())))
}

/// The config files of `commit` in the folder `path`. Nothing is left out in silence: what cannot be read is an error, as leaving it
/// out would ask for its resources to be taken away.
pub(super) fn files(repository: &gix::Repository, commit: ObjectId, path: &str) -> Result<SourceFiles, TreeError> {
    let git = |error: gix::Error| TreeError::Git(error.to_string());
    let root = repository.find_commit(commit).map_err(git)?.tree().map_err(git)?;
    let tree = match path {
        "" => root,
        path => {
            let entry = root.lookup_entry_by_path(path).map_err(git)?;
            let entry =
                entry.filter(|entry| entry.mode().is_tree()).ok_or_else(|| TreeError::NoFolder(path.to_owned()))?;
            entry.object().map_err(git)?.into_tree()
        }
    };
    let mut found = Found { repository, files: Vec::new(), entries: 0, bytes: 0 };
    for entry in tree.iter() {
        let entry = entry.map_err(git)?;
        if entry.filename() == SETTINGS_PATH {
            found.add(entry.object_id(), entry.mode().kind(), SETTINGS_PATH.into())?;
        } else if entry.filename() == TOPOLOGY {
            match entry.mode().kind() {
                EntryKind::Tree => found.walk(entry.object_id(), TOPOLOGY, 0)?,
                EntryKind::Link => return Err(TreeError::NoFile { path: TOPOLOGY.into(), what: "a symbolic link" }),
                EntryKind::Commit => return Err(TreeError::NoFile { path: TOPOLOGY.into(), what: "a submodule" }),
                EntryKind::Blob | EntryKind::BlobExecutable => {}
            }
        }
    }
    Ok(SourceFiles::of(found.files))
}

struct Found<'r> {
    repository: &'r gix::Repository,
    files: Vec<SourceFile>,
    entries: usize,
    bytes: usize,
}

impl Found<'_> {
    fn walk(&mut self, tree: ObjectId, name: &str, depth: usize) -> Result<(), TreeError> {
        let git = |error: gix::Error| TreeError::Git(error.to_string());
        if depth > DEPTH_MAX {
            return Err(TreeError::TooDeep(name.to_owned()));
        }
        for entry in self.repository.find_tree(tree).map_err(git)?.iter() {
            let entry = entry.map_err(git)?;
            self.entries += 1;
            if self.entries > ENTRIES_MAX {
                return Err(TreeError::TooLarge);
            }
            let Ok(file_name) = std::str::from_utf8(entry.filename()) else {
                return Err(TreeError::NameNotText(name.to_owned()));
            };
            if file_name.starts_with('.') {
                continue;
            }
            let inner = format!("{name}/{file_name}");
            match entry.mode().kind() {
                EntryKind::Tree => self.walk(entry.object_id(), &inner, depth + 1)?,
                // What they lead to might be a folder of topology files.
                EntryKind::Commit => return Err(TreeError::NoFile { path: inner, what: "a submodule" }),
                EntryKind::Link => return Err(TreeError::NoFile { path: inner, what: "a symbolic link" }),
                kind if file_name.ends_with(".toml") => self.add(entry.object_id(), kind, inner)?,
                EntryKind::Blob | EntryKind::BlobExecutable => {}
            }
        }
        Ok(())
    }

    fn add(&mut self, id: ObjectId, kind: EntryKind, path: String) -> Result<(), TreeError> {
        let git = |error: gix::Error| TreeError::Git(error.to_string());
        match kind {
            EntryKind::Blob | EntryKind::BlobExecutable => {}
            EntryKind::Link => return Err(TreeError::NoFile { path, what: "a symbolic link" }),
            EntryKind::Tree => return Err(TreeError::NoFile { path, what: "a folder" }),
            EntryKind::Commit => return Err(TreeError::NoFile { path, what: "a submodule" }),
        }
        if self.files.len() >= FILES_MAX {
            return Err(TreeError::TooMany);
        }
        // One that is far too large is not read to see that it is.
        let size = self.repository.find_header(id).map_err(git)?.size();
        let bytes = match size > 16 * FILE_BYTES_MAX as u64 {
            true => vec![b'#'; FILE_BYTES_MAX + 1],
            false => std::mem::take(&mut self.repository.find_blob(id).map_err(git)?.data),
        };
        self.bytes += bytes.len().min(FILE_BYTES_MAX);
        if self.bytes > BYTES_MAX {
            return Err(TreeError::TooLarge);
        }
        self.files.push(SourceFile::of_bytes(path, bytes));
        Ok(())
    }
}
