//! Which commit was used last and was good: a small file beside the copy, so that a start without the remote, or after a bad
//! commit, goes on where the last one left off.

use gix::ObjectId;
use serde::{Deserialize, Serialize};
use std::fs;
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

/// A commit that was used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Kept {
    pub(super) commit: ObjectId,
    /// Its place in the order, as it was told to AWS in the marks.
    pub(super) sequence: u64,
    /// The repository that it came from.
    pub(super) url: String,
    /// Whether somebody who may had signed it.
    pub(super) is_signed: bool,
    /// The commit that a person accepted although it did not descend from the one before: that counts once.
    pub(super) accepted: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct Written {
    commit: String,
    sequence: u64,
    url: String,
    #[serde(default)]
    signed: bool,
    #[serde(default)]
    accepted: Option<String>,
}

impl Kept {
    /// What is written beside the copy at `folder`; none, if nothing was ever used.
    ///
    /// # Errors
    /// It is there and cannot be read: nobody may go on as if nothing had been used.
    #[allow(clippy::disallowed_methods)] // The file is this edge's own.
    pub(super) fn read(folder: &Path) -> Result<Option<Self>, String> {
        let path = path(folder);
        let failed = |why: String| format!("{}: {why}", path.display());
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed(error.to_string())),
        };
        let Written { commit, sequence, url, signed, accepted } =
            serde_json::from_str(&text).map_err(|error| failed(error.to_string()))?;
        let commit = ObjectId::from_hex(commit.as_bytes()).map_err(|error| failed(error.to_string()))?;
        Ok(Some(Self { commit, sequence, url, is_signed: signed, accepted }))
    }

    /// Writes it down: all of it or nothing.
    ///
    /// # Errors
    /// What could not be written, and why.
    #[allow(clippy::disallowed_methods)] // The file is this edge's own.
    pub(super) fn write(&self, folder: &Path) -> Result<(), String> {
        let path = path(folder);
        let written = Written {
            commit: self.commit.to_string(),
            sequence: self.sequence,
            url: self.url.clone(),
            signed: self.is_signed,
            accepted: self.accepted.clone(),
        };
        let written = || -> std::io::Result<()> {
            let text = serde_json::to_string_pretty(&written)?;
            let beside = path.with_extension("new");
            let mut file = fs::File::create(&beside)?;
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            fs::rename(&beside, &path)?;
            fs::File::open(folder.parent().unwrap_or(folder))?.sync_all()
        };
        written().map_err(|error| format!("{}: {error}", path.display()))
    }
}

/// Beside the copy, not in it: who takes a broken copy away must not make us forget what was in use.
fn path(folder: &Path) -> PathBuf {
    folder.with_extension("json")
}
