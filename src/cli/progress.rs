//! What happens, while it happens: a bar on a terminal, plain lines in a pipe. All of it on standard error.

use super::context::Screen;
use crate::model::ids::Scope;
use crate::model::plan::Step;
use crate::model::world::Observation;
use crate::reconcile::apply::StepOutcome;
use crate::reconcile::sweep::Listener;
use crate::report::{AccountNames, scope_name};
use indicatif::{ProgressBar, ProgressStyle};
use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

/// Shows the progress of one thing after the other.
pub(super) struct Progress<'a> {
    screen: Screen,
    names: &'a AccountNames,
    bar: ProgressBar,
    /// Troubles that were told: forty scopes with one trouble are one line.
    told: Mutex<BTreeSet<String>>,
}

impl<'a> Progress<'a> {
    /// Progress through `total` scopes to read.
    pub(super) fn reading(screen: Screen, names: &'a AccountNames, total: usize) -> Self {
        Self::new(screen, names, total, "reading")
    }

    /// Progress through `total` steps to do.
    pub(super) fn applying(screen: Screen, names: &'a AccountNames, total: usize) -> Self {
        Self::new(screen, names, total, "applying")
    }

    fn new(screen: Screen, names: &'a AccountNames, total: usize, what: &str) -> Self {
        let bar = if screen.is_terminal { ProgressBar::new(total as u64) } else { ProgressBar::hidden() };
        let template = "{prefix:>9} [{bar:32}] {pos}/{len} {msg}";
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style.progress_chars("=> "));
        }
        bar.set_prefix(what.to_owned());
        Self { screen, names, bar, told: Mutex::default() }
    }

    /// A scope was examined, with so many troubles.
    pub(super) fn examined(&self, scope: &Scope, troubles: usize) {
        self.bar.inc(1);
        self.bar.set_message(scope_name(scope, self.names));
        if troubles > 0 && self.screen.is_terminal {
            self.line(&format!("{} {}", self.screen.talk.bad("!"), scope_name(scope, self.names)));
        }
    }

    fn line(&self, text: &str) {
        if self.screen.is_terminal { self.bar.println(text) } else { self.screen.say(text) }
    }
}

impl Drop for Progress<'_> {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

impl Listener for Progress<'_> {
    fn scope_read(&self, scope: &Scope, observation: &Observation) {
        self.bar.inc(1);
        self.bar.set_message(scope_name(scope, self.names));
        let trouble = match observation {
            Observation::Complete { .. } | Observation::NoAccess => return,
            Observation::Partial { missing, .. } => format!("not read whole ({} gaps)", missing.len()),
            Observation::Unreachable { why, .. } => format!("not read: {why}"),
        };
        if !self.told.lock().unwrap_or_else(PoisonError::into_inner).insert(trouble.clone()) {
            return;
        }
        self.line(&format!("{} {}: {trouble}", self.screen.talk.bad("!"), scope_name(scope, self.names)));
    }

    fn step_ended(&self, step: &Step, outcome: &StepOutcome) {
        self.bar.inc(1);
        let place = scope_name(&step.action.scope(), self.names);
        let what = format!("{} {}", step.action.verb(), step.action.resource().local_name());
        let style = self.screen.talk;
        let line = match outcome {
            StepOutcome::Done { .. } => format!("{} {place}: {what}", style.good("done   ")),
            StepOutcome::AlreadyDone => format!("{} {place}: {what}", style.good("already")),
            StepOutcome::Conflict(why) => {
                format!("{} {place}: {what}: not written, it changed meanwhile: {why}", style.bad("conflict"))
            }
            StepOutcome::Failed(error) => {
                format!("{} {place}: {what}: {error}; {}", style.bad("failed "), error.mend())
            }
            StepOutcome::NotVerified(why) => {
                format!("{} {place}: {what}: written, but reads otherwise: {why}", style.bad("unverified"))
            }
            StepOutcome::Blocked(on) => format!("{} {place}: {what}: waits for {on}", style.warn("blocked")),
        };
        self.line(&line);
    }

    fn settling(&self, milliseconds: u64) {
        let seconds = milliseconds.div_ceil(1_000);
        self.line(&format!("waiting {seconds} s, so that what was made takes effect before anything is taken away"));
    }
}
