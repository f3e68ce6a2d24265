//! What the daemon goes by: the last good topology, and what was wrong with a later one.

use crate::config::{self, Loaded, Settings, SourceFiles};
use crate::expand::expand;
use crate::model::desired::{Desired, Revision};
use crate::model::ids::{Moment, TeamName};
use crate::model::order::LiveStop;
use crate::model::topology::{Origin, Stop, Topology};
use crate::plan::Places;
use crate::source::dir;
use crate::source::git::{Git, Trouble};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

/// What a source has.
#[derive(Clone, Debug)]
pub struct Fetched {
    /// The files.
    pub files: SourceFiles,
    /// Which revision they are.
    pub revision: Revision,
    /// Whether they were read from something that does not change, so that no second look is needed to know that all is there.
    pub is_whole: bool,
    /// Why they are not those of the newest revision, if they are not.
    pub refused: Option<String>,
    /// Why it is not known whether there are newer ones, if it is not.
    pub unreachable: Option<String>,
}

impl Fetched {
    /// The newest files, which may still be written.
    pub fn of(files: SourceFiles, revision: Revision) -> Self {
        Self { files, revision, is_whole: false, refused: None, unreachable: None }
    }
}

/// Where topologies come from.
pub trait Source: Send + Sync + 'static {
    /// The files as they are now, and which revision they are. It may block; errors are for people.
    fn fetch(&self) -> Result<Fetched, String>;

    /// What was last used and good, for a start whose newest files are not.
    fn last_good(&self) -> Option<Fetched> {
        None
    }

    /// Is told that `revision` is used, and good.
    fn used(&self, _revision: &Revision) {}

    /// Is told that there may be something new.
    fn look_now(&self) {}
}

/// A folder, as a sidecar or a person keeps it.
#[derive(Clone, Debug)]
pub struct Folder(pub PathBuf);

impl Source for Folder {
    fn fetch(&self) -> Result<Fetched, String> {
        let (files, revision) = dir::read(&self.0).map_err(|error| error.to_string())?;
        Ok(Fetched::of(files, revision))
    }
}

impl Source for Git {
    fn fetch(&self) -> Result<Fetched, String> {
        let (newest, trouble) = self.newest();
        let Some(commit) = newest else {
            return Err(trouble.map_or_else(|| "nothing was fetched yet".to_owned(), |trouble| trouble.to_string()));
        };
        let (refused, unreachable) = match trouble {
            Some(Trouble::Unreachable(why)) => (None, Some(why)),
            Some(trouble) => (Some(trouble.to_string()), None),
            None => (None, None),
        };
        let files = SourceFiles::clone(&commit.files);
        Ok(Fetched { files, revision: commit.revision, is_whole: true, refused, unreachable })
    }

    fn last_good(&self) -> Option<Fetched> {
        let commit = Self::last_good(self)?;
        let files = SourceFiles::clone(&commit.files);
        Some(Fetched { files, revision: commit.revision, is_whole: true, refused: None, unreachable: None })
    }

    fn used(&self, revision: &Revision) {
        if let Err(why) = self.keep(revision) {
            tracing::error!(
                why,
                "which commit is in use could not be written down: a start without the remote would go back"
            );
        }
    }

    fn look_now(&self) {
        self.wake();
    }
}

/// A topology that is used.
#[derive(Clone, Debug)]
pub struct Config {
    /// The service's settings.
    pub settings: Settings,
    /// What is asked for.
    pub topology: Topology,
    /// Which hub and spokes a thing is about.
    pub places: Places,
    /// Which it is.
    pub revision: Revision,
}

/// What came of reading a topology.
#[derive(Debug)]
pub enum Read {
    /// It is this one, which is in use: nothing was made of it anew.
    InUse(Revision),
    /// It can be used; teams whose files have errors keep what they have.
    Good(Box<Config>),
    /// It cannot, for reasons as people read them.
    Refused {
        /// Which it is, if it could be read at all.
        revision: Option<Revision>,
        /// What is wrong.
        why: String,
    },
}

/// One look at a source.
#[derive(Debug)]
pub struct Look {
    /// What there was.
    pub read: Read,
    /// Whether a second look is needed to know that all is there.
    pub is_whole: bool,
    /// Why a newer one is not used, if there is one.
    pub refused: Option<String>,
    /// Why it is not known whether there is a newer one, if it is not.
    pub unreachable: Option<String>,
}

impl Look {
    /// One that saw nothing that can be used.
    pub(super) fn refused(why: String) -> Self {
        Self { read: Read::Refused { revision: None, why }, is_whole: false, refused: None, unreachable: None }
    }
}

/// Reads and checks what `source` has, if that is not the revision `in_use`.
pub fn read(source: &dyn Source, in_use: Option<&Revision>) -> Look {
    match source.fetch() {
        Ok(fetched) => {
            let Fetched { files, revision, is_whole, refused, unreachable } = fetched;
            let is_in_use = in_use == Some(&revision);
            let read = if is_in_use { Read::InUse(revision) } else { judge(&files, revision) };
            Look { read, is_whole, refused, unreachable }
        }
        Err(why) => Look::refused(why),
    }
}

/// Reads and checks what `source` last had that was good.
pub fn read_last_good(source: &dyn Source) -> Option<Box<Config>> {
    let Fetched { files, revision, .. } = source.last_good()?;
    match judge(&files, revision) {
        Read::Good(config) => Some(config),
        Read::InUse(_) | Read::Refused { .. } => None,
    }
}

fn judge(files: &SourceFiles, revision: Revision) -> Read {
    let Loaded { settings, topology, diagnostics } = config::load(files);
    match topology {
        Some(topology) => {
            let places = Places::of(&topology);
            Read::Good(Box::new(Config { settings, topology, places, revision }))
        }
        None => {
            let why = config::render(&diagnostics, files, config::Style::Plain);
            Read::Refused { revision: Some(revision), why: why.trim_end().to_owned() }
        }
    }
}

impl Config {
    /// Every resource that is asked for at `now`, with the routes held off that people stopped at the daemon. Returns beside it the stops
    /// that cannot be done: nobody of that name subscribes, or the team's file has errors.
    pub fn desired(&self, stops: &[LiveStop], now: Moment) -> (Desired, Vec<LiveStop>) {
        let in_force = stops.iter().filter(|stop| now < stop.order.until);
        let mut topology = std::borrow::Cow::Borrowed(&self.topology);
        let mut unready = Vec::new();
        for live in in_force {
            let team = topology.to_mut().teams.get_mut(&live.subscription.team);
            let Some(subscription) = team.and_then(|team| team.subscriptions.get_mut(&live.subscription)) else {
                unready.push(live.clone());
                continue;
            };
            let is_longer = subscription.stop.as_ref().is_none_or(|written| written.until < live.order.until);
            if is_longer {
                subscription.stop = Some(stop_of(live));
            }
        }
        (expand(&topology, &self.settings, self.revision.clone(), now), unready)
    }

    /// How to reach each team.
    pub fn contacts(&self) -> BTreeMap<TeamName, String> {
        self.topology.teams.iter().map(|(name, team)| (name.clone(), team.contact.clone())).collect()
    }
}

fn stop_of(live: &LiveStop) -> Stop {
    let LiveStop { subscription, order } = live;
    Stop {
        until: order.until,
        reason: format!("{} (ordered by {} at the daemon)", order.reason, order.by),
        origin: Origin {
            file: Arc::from("(an order at the daemon)"),
            line: 0,
            entry: Arc::from(format!("stop {subscription}")),
        },
    }
}
