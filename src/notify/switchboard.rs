//! The channels in use: opened when the daemon starts, and again when the settings change.

use super::{Channels, OpenError, Surroundings};
use crate::model::settings::ChannelSettings;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The channels that alerts go over now.
pub struct Switchboard {
    surroundings: Surroundings,
    /// Where secrets of the environment come from.
    environment: fn(&str) -> Option<String>,
    in_use: Mutex<InUse>,
}

/// What is open, and what it was opened with.
struct InUse {
    settings: BTreeMap<String, ChannelSettings>,
    channels: Arc<Channels>,
}

impl Switchboard {
    /// A switchboard without any channel yet.
    pub fn new(surroundings: Surroundings, environment: fn(&str) -> Option<String>) -> Self {
        let channels = Arc::new(Channels::none(surroundings.clone()));
        let in_use = Mutex::new(InUse { settings: BTreeMap::new(), channels });
        Self { surroundings, environment, in_use }
    }

    /// Opens the channels of `settings` and uses them from now on; secrets are read again. With the settings that are in use it
    /// does nothing.
    ///
    /// # Errors
    /// One of them cannot be opened: those of before stay in use, all of them.
    pub fn open(&self, settings: &BTreeMap<String, ChannelSettings>) -> Result<(), OpenError> {
        if self.in_use().settings == *settings {
            return Ok(());
        }
        let channels = Channels::open(settings, self.surroundings.clone(), &self.environment)?;
        *self.in_use() = InUse { settings: settings.clone(), channels: Arc::new(channels) };
        Ok(())
    }

    /// The channels that are in use.
    pub fn channels(&self) -> Arc<Channels> {
        self.in_use().channels.clone()
    }

    /// What they were opened with.
    pub fn settings(&self) -> BTreeMap<String, ChannelSettings> {
        self.in_use().settings.clone()
    }

    fn in_use(&self) -> MutexGuard<'_, InUse> {
        self.in_use.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
