//! What the daemon goes by: the last good topology, and what was wrong with a later one.

use crate::config::{self, Loaded, Settings, SourceFiles};
use crate::expand::expand;
use crate::model::desired::{Desired, Revision};
use crate::model::ids::{Moment, TeamName};
use crate::model::order::LiveStop;
use crate::model::topology::{Origin, Stop, Topology};
use crate::plan::Places;
use crate::source::dir;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

/// Where topologies come from.
pub trait Source: Send + Sync + 'static {
    /// The files as they are now, and which revision they are. It may block; errors are for people.
    fn fetch(&self) -> Result<(SourceFiles, Revision), String>;
}

/// A folder, as a sidecar or a person keeps it.
#[derive(Clone, Debug)]
pub struct Folder(pub PathBuf);

impl Source for Folder {
    fn fetch(&self) -> Result<(SourceFiles, Revision), String> {
        dir::read(&self.0).map_err(|error| error.to_string())
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

/// Reads and checks what `source` has.
pub fn read(source: &dyn Source) -> Read {
    let (files, revision) = match source.fetch() {
        Ok(fetched) => fetched,
        Err(why) => return Read::Refused { revision: None, why },
    };
    let Loaded { settings, topology, diagnostics } = config::load(&files);
    match topology {
        Some(topology) => {
            let places = Places::of(&topology);
            Read::Good(Box::new(Config { settings, topology, places, revision }))
        }
        None => {
            let why = config::render(&diagnostics, &files, config::Style::Plain);
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
