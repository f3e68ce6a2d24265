//! Config: text in, settings and topology out, with everything that is wrong.
//!
//! Layer 1: pure. It knows the language of `wheelwright.toml` and `topology/**/*.toml`, EventBridge's rules and the
//! model; it reads no files, no clock and no AWS. **Everything is reported in one run**: a mistake keeps its own entry
//! out and nothing else, and whoever refers to a broken entry is not told that it is missing.
//!
//! The way through: [`SourceFiles`] → `load` (tables, key by key) → `raw` (typed, unresolved) → `lower` (names resolved)
//! → `check` (what EventBridge would deploy and then drop, or refuse) → `kept` (whom a mistake concerns) → `expect` (the
//! topology's own unit tests).
//!
//! ```
//! use wheelwright::config::{SourceFiles, load};
//! let files = SourceFiles::new([(
//!     "topology/hubs.toml",
//!     r#"
//!     [account]
//!     platform = { id = "111111111111" }
//!     [hub.prod]
//!     account = "platform"
//!     region = "us-east-1"
//!     bus = "org-events"
//!     "#,
//! )]);
//! let loaded = load(&files);
//! assert_eq!(loaded.diagnostics, []);
//! assert!(loaded.topology.is_some_and(|topology| topology.hubs.len() == 1));
//! ```

mod check;
mod diagnostic;
mod expect;
mod explain;
mod fields;
mod index;
mod keeps;
mod kept;
mod load;
mod load_shared;
mod load_team;
mod lower;
mod lower_shared;
mod lower_team;
mod owner;
mod raw;
mod releases;
mod render;
mod schema;
mod schema_daemon;
mod settings;
mod settings_daemon;
mod settings_git;
mod settings_paths;
mod source;
mod syntax;
mod values;

pub use crate::model::settings::{DeliverySettings, OperatorSettings, PaceSettings, Settings};
pub use diagnostic::{Diagnostic, DiagnosticCode, Label};
pub use render::{Style, render};
pub use schema::schema;
pub use settings_daemon::is_https_or_loopback;
pub use source::{FILE_BYTES_MAX, Fault, SETTINGS_PATH, SourceFile, SourceFiles};

use crate::model::finding::Severity;
use crate::model::source::GitSettings;
use crate::model::topology::Topology;

/// What a config folder says, and what is wrong with it.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The settings; defaults stand in for what is missing or wrong.
    pub settings: Settings,
    /// The topology, proven: all of it if nothing is wrong beyond warnings. Where only teams' files have errors, all but
    /// those teams, and what is theirs is kept as it is ([`Topology::kept`]). None if anything else is wrong, the
    /// settings included.
    pub topology: Option<Topology>,
    /// Everything that is wrong, by file and place.
    pub diagnostics: Vec<Diagnostic>,
}

impl Loaded {
    /// Whether something is wrong that keeps the topology, or a team of it, from being used.
    pub fn has_errors(&self) -> bool {
        self.diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error)
    }
}

/// What `file` says of where the topology is (`wheelwright run --source`), if nothing in it is wrong; and what is wrong.
pub fn load_source(file: &SourceFile) -> (Option<GitSettings>, Vec<Diagnostic>) {
    let sink = diagnostic::Sink::default();
    let settings = load::source(file, &sink);
    let diagnostics = sink.sorted(|_| None);
    let is_sound = diagnostics.iter().all(|diagnostic| diagnostic.severity != Severity::Error);
    (settings.filter(|_| is_sound), diagnostics)
}

/// The settings of `files` alone, with what is wrong with them; of a topology nothing is looked at.
pub fn load_settings(files: &SourceFiles) -> (Settings, Vec<Diagnostic>) {
    let sink = diagnostic::Sink::default();
    let (settings, _) = load::settings(files, &sink);
    (settings, sink.sorted(|_| None))
}

/// Reads, resolves and checks `files`.
pub fn load(files: &SourceFiles) -> Loaded {
    let sink = diagnostic::Sink::default();
    let (settings, names_used) = load::settings(files, &sink);
    let raw = load::topology(files, &settings, &sink);
    let index = index::Index::new(&raw, &sink);
    settings_daemon::check_names(&names_used, &index, &sink);
    let topology = lower::lower(&index, &sink);
    releases::check(&names_used, &topology, &settings, &sink);
    let told = || sink.sorted(|path| index.team_of(path));
    let topology = check::check(&topology, &index, &settings, &sink)
        .then(|| kept::sound_part(&topology, &index, &told()))
        .flatten()
        .and_then(|sound| {
            // A team whose expectation fails is one with an error as well.
            let fails = check::expectations(&sound, &index, &settings, &sink);
            if fails { kept::sound_part(&topology, &index, &told()) } else { Some(sound) }
        });
    Loaded { settings, topology, diagnostics: told() }
}
