//! What the commands have in common: the screen, the loaded config, the way to the accounts.

use super::clock::MachineClock;
use super::{Colour, Exit};
use crate::aws::{AwsFleet, AwsSettings, connect};
use crate::config::{self, Loaded, Settings, SourceFiles};
use crate::expand::expand;
use crate::model::desired::{Desired, Revision};
use crate::model::ids::Scope;
use crate::model::topology::Topology;
use crate::port::Clock as _;
use crate::reconcile::pace::{Pace, Paced};
use crate::reconcile::refresh::{Depth, RefreshSettings};
use crate::reconcile::sweep::SweepSettings;
use crate::report::{AccountNames, Style, text};
use crate::source::dir;
use std::collections::BTreeMap;
use std::io::{IsTerminal, Write, stderr, stdout};
use std::num::NonZeroU32;
use std::path::Path;

/// Where text goes, and whether it is coloured there.
#[derive(Clone, Copy, Debug)]
pub(super) struct Screen {
    pub(super) out: Style,
    pub(super) talk: Style,
    /// Whether somebody sits before it: then there is a progress bar, and a question can be asked.
    pub(super) is_terminal: bool,
}

impl Screen {
    pub(super) fn new(colour: Colour) -> Self {
        let style = |terminal: bool| match colour {
            Colour::Always => Style::Colour,
            Colour::Auto if terminal && !no_colour() => Style::Colour,
            Colour::Auto | Colour::Never => Style::Plain,
        };
        Self {
            out: style(stdout().is_terminal()),
            talk: style(stderr().is_terminal()),
            is_terminal: stderr().is_terminal(),
        }
    }

    /// Writes data to standard output.
    pub(super) fn print(self, text: &str) -> anyhow::Result<()> {
        let mut out = stdout().lock();
        out.write_all(text.as_bytes())?;
        out.flush()?;
        Ok(())
    }

    /// Says something on standard error.
    pub(super) fn say(self, text: &str) {
        eprintln!("{text}");
    }
}

#[allow(clippy::disallowed_methods)] // <https://no-color.org>: a habit of terminals, not a setting of ours.
fn no_colour() -> bool {
    std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
}

/// A config folder that was read and is sound.
pub(super) struct Context {
    pub(super) settings: Settings,
    pub(super) topology: Topology,
    pub(super) desired: Desired,
    pub(super) names: AccountNames,
}

/// What was read of a config folder, sound or not.
pub(super) struct Read {
    pub(super) files: SourceFiles,
    pub(super) revision: Revision,
    pub(super) loaded: Loaded,
}

/// Reads a config folder; if it cannot be read at all, says so and returns nothing.
pub(super) fn read(folder: &Path, screen: Screen) -> Option<Read> {
    match dir::read(folder) {
        Ok((files, revision)) => Some(Read { loaded: config::load(&files), files, revision }),
        Err(error) => {
            screen.say(&format!("{} {error}", screen.talk.bad("error:")));
            None
        }
    }
}

/// Reads and checks a config folder; what is wrong is told on standard error.
pub(super) fn load(folder: &Path, screen: Screen) -> Result<Context, Exit> {
    judged(read(folder, screen).ok_or(Exit::UserCanMend)?, screen)
}

/// What was read, if it is sound; what is wrong with it is told on standard error.
pub(super) fn judged(read: Read, screen: Screen) -> Result<Context, Exit> {
    let Read { files, revision, loaded } = read;
    if !loaded.diagnostics.is_empty() {
        screen.say(config::render(&loaded.diagnostics, &files, diagnostic_style(screen.talk)).trim_end());
    }
    let Some(topology) = loaded.topology else {
        screen.say("The topology has errors: nothing was asked of AWS, nothing is taken away.");
        return Err(Exit::UserCanMend);
    };
    if !topology.kept.is_empty() {
        screen.say(&text::kept(&topology.kept));
    }
    Ok(Context::new(loaded.settings, topology, revision))
}

pub(super) fn diagnostic_style(style: Style) -> config::Style {
    match style {
        Style::Plain => config::Style::Plain,
        Style::Colour => config::Style::Coloured,
    }
}

impl Context {
    pub(super) fn new(settings: Settings, topology: Topology, revision: Revision) -> Self {
        let desired = expand(&topology, &settings, revision, MachineClock.now());
        let names = desired.account_names.clone();
        Self { settings, topology, desired, names }
    }

    /// The same as another revision.
    pub(super) fn at(&self, revision: Revision) -> Self {
        Self::new(self.settings.clone(), self.topology.clone(), revision)
    }

    pub(super) fn sweep_settings(&self) -> SweepSettings {
        let pace = &self.settings.pace;
        SweepSettings {
            refresh: RefreshSettings {
                depth: Depth::Full,
                scopes_in_flight_max: pace.accounts_in_flight_max as usize,
                scope_deadline_ms: u64::from(pace.scope_deadline_secs) * 1_000,
            },
            plan: self.settings.guards.clone(),
            settle_ms: u64::from(pace.settle_secs) * 1_000,
        }
    }

    /// The accounts at AWS, or at `endpoint_url`, each at its pace.
    pub(super) async fn fleet(&self, endpoint_url: Option<&str>) -> Paced<AwsFleet> {
        self.paced(self.aws(endpoint_url).await)
    }

    /// The accounts at AWS, or at `endpoint_url`.
    pub(super) async fn aws(&self, endpoint_url: Option<&str>) -> AwsFleet {
        let operator = &self.settings.operator;
        let mut settings = AwsSettings::new(&operator.role_name);
        settings.external_id = operator.external_id.clone();
        settings.session_name.clone_from(&operator.session_name);
        settings.sts_region = operator.region.as_ref().map(ToString::to_string);
        settings.endpoint_url = endpoint_url.map(str::to_owned);
        connect(settings).await
    }

    /// `fleet` at the settings' pace; a hub may have its own.
    pub(super) fn paced<F: crate::port::Fleet>(&self, fleet: F) -> Paced<F> {
        let pace = &self.settings.pace;
        let at_least_one = |number: u32| NonZeroU32::new(number).unwrap_or(NonZeroU32::MIN);
        let burst = at_least_one(pace.calls_burst_max);
        let usual = Pace { calls_per_second: at_least_one(pace.calls_per_second_max), burst };
        let hubs = self.topology.hubs.values().filter_map(|hub| {
            let calls_per_second = at_least_one(hub.quotas.calls_per_second_max?);
            Some((hub.scope.clone(), Pace { calls_per_second, burst: burst.max(calls_per_second) }))
        });
        Paced::new(fleet, usual, BTreeMap::<Scope, Pace>::from_iter(hubs))
    }
}
