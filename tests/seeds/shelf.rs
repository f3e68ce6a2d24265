//! Where a daemon's topology comes from: a folder that people change, lose and break.

use crate::rng::Rng;
use crate::spec::Spec;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use wheelwright::config::SourceFiles;
use wheelwright::daemon::config::{Fetched, Source};
use wheelwright::model::desired::Revision;

/// It writes by itself, and its guards are for other seeds.
const SETTINGS: &str = r#"
[mode]
default = "enforce"
[sweep]
fast-every-secs = 300
source-every-secs = 30
start-jitter-secs-max = 0
[pace]
settle-secs = 70
[guards]
"#;
const WIDE: &str = r"
breaks-percent-max = 100
changes-percent-max = 100
";
const NARROW: &str = r"
breaks-percent-max = 10
breaks-floor = 1
changes-percent-max = 10
changes-floor = 2
";

/// How much a sweep may take away and change without a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Guards {
    Wide,
    Narrow,
}

/// A folder that people change, lose and break.
#[derive(Clone)]
pub struct Shelf {
    held: Arc<Mutex<Held>>,
    /// How old what a break rests on may be.
    pub fresh_secs: u64,
}

#[derive(Default)]
struct Held {
    files: BTreeMap<String, String>,
    sequence: u64,
    is_gone: bool,
}

impl Shelf {
    pub fn new(fresh_secs: u64) -> Self {
        Self { held: Arc::default(), fresh_secs }
    }

    pub fn put(&self, spec: &Spec, sequence: u64) {
        self.put_with(spec, sequence, Guards::Wide);
    }

    pub fn put_with(&self, spec: &Spec, sequence: u64, guards: Guards) {
        let guards = if guards == Guards::Wide { WIDE } else { NARROW };
        let mut files: BTreeMap<String, String> = spec.files().into_iter().collect();
        let settings = format!("{SETTINGS}fresh-secs-max = {}\n{guards}", self.fresh_secs);
        files.insert("wheelwright.toml".to_owned(), settings);
        *self.held.lock().unwrap() = Held { files, sequence, is_gone: false };
    }

    /// Somebody cuts a file off somewhere, or empties it.
    pub fn spoil(&self, rng: &mut Rng) {
        let mut held = self.held.lock().unwrap();
        let paths: Vec<String> = held.files.keys().filter(|path| path.starts_with("topology")).cloned().collect();
        let text = held.files.get_mut(rng.pick(&paths)).unwrap();
        let cut = text.char_indices().map(|(at, _)| at).nth(rng.below(text.chars().count())).unwrap_or_default();
        if rng.chance(70) {
            text.truncate(cut);
            text.push_str("= [ what");
        } else {
            text.clear();
        }
    }

    /// The folder is gone, or there is nothing in its files any more.
    pub fn lose(&self, rng: &mut Rng) {
        let mut held = self.held.lock().unwrap();
        match rng.chance(50) {
            true => held.is_gone = true,
            false => held.files.values_mut().for_each(String::clear),
        }
    }
}

impl Source for Shelf {
    fn fetch(&self) -> Result<Fetched, String> {
        let held = self.held.lock().unwrap();
        if held.is_gone {
            return Err("the folder is gone".to_owned());
        }
        let texts: Vec<String> = held.files.values().cloned().collect();
        let id = wheelwright::model::mark::Digest::of(&texts.iter().map(String::as_str).collect::<Vec<_>>());
        let files = held.files.iter().map(|(path, text)| (path.as_str(), text.as_str()));
        Ok(Fetched::of(
            SourceFiles::new(files),
            Revision { id: format!("{id}-{}", held.sequence), sequence: held.sequence },
        ))
    }
}
