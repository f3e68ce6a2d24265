//! The texts of a topology and the places in them.
//!
//! Knows files by their path within the config folder; reads none itself.

use crate::model::topology::Origin;
use std::ops::Range;
use std::sync::Arc;

/// The path of the settings within the config folder.
pub const SETTINGS_PATH: &str = "wheelwright.toml";

/// One file's text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceFile {
    /// Its path relative to the config folder, with `/` between its parts.
    pub path: Arc<str>,
    /// What is in it.
    pub text: Arc<str>,
    /// What is wrong with it as a text.
    pub fault: Option<Fault>,
}

/// Most bytes of one file.
pub const FILE_BYTES_MAX: usize = 1024 * 1024;

/// Why a file is not a text that can be read. What can be made of it is read all the same: it shows whose file it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It is UTF-16.
    Utf16,
    /// It is in some other encoding.
    NotUtf8 {
        /// Bytes of it that are UTF-8.
        offset: usize,
    },
    /// It is larger than [`FILE_BYTES_MAX`].
    TooLarge,
}

impl SourceFile {
    /// The file with this path and these bytes.
    pub fn of_bytes(path: impl Into<Arc<str>>, mut bytes: Vec<u8>) -> Self {
        let path = path.into();
        if bytes.len() > FILE_BYTES_MAX {
            bytes.truncate(FILE_BYTES_MAX);
            let text = String::from_utf8_lossy(&bytes).as_ref().into();
            return Self { path, text, fault: Some(Fault::TooLarge) };
        }
        if let Some(text) = utf16(&bytes) {
            return Self { path, text: text.into(), fault: Some(Fault::Utf16) };
        }
        match String::from_utf8(bytes) {
            Ok(text) => Self { path, text: text.into(), fault: None },
            Err(error) => {
                let offset = error.utf8_error().valid_up_to();
                let text = String::from_utf8_lossy(error.as_bytes()).as_ref().into();
                Self { path, text, fault: Some(Fault::NotUtf8 { offset }) }
            }
        }
    }
}

/// The text of bytes that are UTF-16: they begin with a mark that says so, or every second one is zero.
fn utf16(bytes: &[u8]) -> Option<String> {
    let zeros = |from: usize| {
        let every_second = bytes.iter().skip(from).step_by(2).take(64);
        bytes.len() > 1 && every_second.clone().count() > 0 && every_second.clone().all(|byte| *byte == 0)
    };
    let (rest, is_little) = match bytes {
        [0xff, 0xfe, rest @ ..] => (rest, true),
        [0xfe, 0xff, rest @ ..] => (rest, false),
        _ if zeros(1) => (bytes, true),
        _ if zeros(0) => (bytes, false),
        _ => return None,
    };
    let unit = |pair: [u8; 2]| if is_little { u16::from_le_bytes(pair) } else { u16::from_be_bytes(pair) };
    let units = rest.chunks_exact(2).filter_map(|pair| pair.try_into().ok().map(unit));
    Some(char::decode_utf16(units).map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER)).collect())
}

/// The files of one config folder, in order of their paths: `wheelwright.toml` and `topology/**/*.toml`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SourceFiles {
    files: Vec<SourceFile>,
}

impl SourceFiles {
    /// These files (path, text), sorted by path. Of two with one path the first stays.
    pub fn new<P: Into<Arc<str>>, T: Into<Arc<str>>>(files: impl IntoIterator<Item = (P, T)>) -> Self {
        Self::of(files.into_iter().map(|(path, text)| SourceFile { path: path.into(), text: text.into(), fault: None }))
    }

    /// These files, sorted by path. Of two with one path the first stays.
    pub fn of(files: impl IntoIterator<Item = SourceFile>) -> Self {
        let mut files: Vec<SourceFile> = files.into_iter().collect();
        files.sort_by(|left, right| left.path.cmp(&right.path));
        files.dedup_by(|later, earlier| later.path == earlier.path);
        Self { files }
    }

    /// All files, by path.
    pub fn iter(&self) -> impl Iterator<Item = &SourceFile> {
        self.files.iter()
    }

    /// The settings, if the folder has them.
    pub fn settings(&self) -> Option<&SourceFile> {
        self.file(SETTINGS_PATH)
    }

    /// Everything but the settings.
    pub fn topology(&self) -> impl Iterator<Item = &SourceFile> {
        self.files.iter().filter(|file| &*file.path != SETTINGS_PATH)
    }

    /// The file with this path.
    pub fn file(&self, path: &str) -> Option<&SourceFile> {
        let index = self.files.binary_search_by(|file| (*file.path).cmp(path)).ok()?;
        self.files.get(index)
    }
}

/// A stretch of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// Which file.
    pub(super) file: Arc<str>,
    /// Its bytes.
    pub(super) span: Range<usize>,
    /// The line that it begins on, from 1.
    pub(super) line: u32,
}

impl Place {
    /// This place as the origin of `entry`.
    pub(super) fn origin(&self, entry: &str) -> Origin {
        Origin { file: self.file.clone(), line: self.line, entry: entry.into() }
    }
}

/// A value and where it was written.
#[derive(Clone, Debug)]
pub(super) struct Written<T> {
    /// The value.
    pub(super) value: T,
    /// Where it was written.
    pub(super) place: Place,
}

impl<T> Written<T> {
    /// The same place with another value.
    pub(super) fn with<U>(&self, value: U) -> Written<U> {
        Written { value, place: self.place.clone() }
    }
}

/// Where a file's lines begin, so that an offset's line is found without counting from the top each time.
#[derive(Clone, Debug)]
pub(super) struct Lines {
    file: Arc<str>,
    starts: Vec<usize>,
}

impl Lines {
    /// The lines of `file`.
    pub(super) fn new(file: &SourceFile) -> Self {
        let breaks = file.text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(index, _)| index + 1);
        Self { file: file.path.clone(), starts: std::iter::once(0).chain(breaks).collect() }
    }

    /// The lines of a path that is no file.
    pub(super) fn none(path: &str) -> Self {
        Self { file: path.into(), starts: Vec::new() }
    }

    /// The place of these bytes.
    pub(super) fn place(&self, span: Range<usize>) -> Place {
        let line = self.starts.partition_point(|start| *start <= span.start);
        Place { file: self.file.clone(), span, line: u32::try_from(line).unwrap_or(u32::MAX) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_come_in_the_order_of_their_paths() {
        let files = SourceFiles::new([("topology/b.toml", ""), ("wheelwright.toml", ""), ("topology/a.toml", "")]);
        let paths: Vec<&str> = files.topology().map(|file| &*file.path).collect();
        assert_eq!(paths, ["topology/a.toml", "topology/b.toml"]);
        assert!(files.settings().is_some());
    }

    #[test]
    fn lines_are_counted_from_one() {
        let lines = Lines::new(&SourceFile::of_bytes("a", b"x\nyy\n".to_vec()));
        assert_eq!([0, 1, 2, 4, 5].map(|start| lines.place(start..start).line), [1, 1, 2, 2, 3]);
    }
}
