//! `wheelwright plan --base`: what a change of the topology does by itself, without AWS.
//!
//! The accounts are simulated as the base asks for them, and the plan is made from there: what is live and drifts, what
//! somebody else changed meanwhile, and what a guard makes of it all shows in a plan at AWS alone.

use super::Exit;
use super::context::{Context, Read, Screen, judged, load};
use crate::cli::clock::MachineClock;
use crate::config;
use crate::expand::sweep_also;
use crate::model::desired::{Desired, Revision};
use crate::model::plan::{Guard, Plan, PlanSettings};
use crate::plan::Approval;
use crate::port::Clock as _;
use crate::reconcile::sweep::{Silent, SweepSettings, Sweeper};
use crate::report::text;
use crate::sim::SimulatedAws;
use crate::sim::call_door::SimFleet;
use crate::source::git::at_revision;
use crate::stage;
use anyhow::bail;
use std::path::Path;
use strum::IntoEnumIterator as _;

/// Plans from the accounts as `base` asks for them to what `context` asks for.
/// `base` is a config folder, or a commit, branch or tag of the repository that `folder` is in.
pub(super) async fn plan_from(
    base: &Path,
    folder: &Path,
    context: &Context,
    screen: Screen,
) -> anyhow::Result<Result<(Plan, Desired), Exit>> {
    let base = match load_base(base, folder, screen) {
        Ok(base) => base,
        Err(exit) => {
            screen.say("The base has errors, so what the change does by itself cannot be told.");
            return Ok(Err(exit));
        }
    };
    if !base.topology.kept.is_empty() {
        screen.say("The base has errors, so what the change does by itself cannot be told: what their teams have is not known.");
        return Ok(Err(Exit::UserCanMend));
    }
    // Which of the two is newer is not asked: the one is the change of the other.
    let after = base.desired.revision.sequence.saturating_add(1).max(context.desired.revision.sequence);
    let mut context = context.at(Revision { sequence: after, ..context.desired.revision.clone() });
    // What the change leaves in a Region that nothing names any more is a part of it.
    sweep_also(&mut context.desired, &context.topology, &base.desired.scopes);
    let mut aws = SimulatedAws::default();
    stage::prepare(&mut aws, &base.topology, &base.settings, &base.desired);
    aws.set_now_ms(i64::try_from(MachineClock.now().0).unwrap_or_default());
    let fleet = stage::fleet(aws, &base.settings);
    come_up(&fleet, &base).await?;
    stage::prepare(&mut fleet.world(), &context.topology, &context.settings, &context.desired);
    let fleet = SimFleet::new(fleet.shared(), stage::operator(&context.settings));
    let settings = context.sweep_settings();
    let sweeper = sweeper(&fleet, &context, &settings);
    let plan = sweeper.plan(&sweeper.look().await);
    Ok(Ok((plan, base.desired)))
}

fn load_base(base: &Path, folder: &Path, screen: Screen) -> Result<Context, Exit> {
    let (false, Some(revision)) = (base.is_dir(), base.to_str()) else { return load(base, screen) };
    match at_revision(folder, revision) {
        Ok((files, revision)) => judged(Read { loaded: config::load(&files), files, revision }, screen),
        Err(error) => {
            let why = format!("{} is no folder, and no commit either: {error}", base.display());
            screen.say(&format!("{} {why}", screen.talk.bad("error:")));
            Err(Exit::UserCanMend)
        }
    }
}

/// Brings the simulated accounts to what `base` asks for.
async fn come_up(fleet: &SimFleet, base: &Context) -> anyhow::Result<()> {
    let all = PlanSettings { changes_percent_max: 100, ..base.settings.guards.clone() };
    let settings = SweepSettings { settle_ms: 0, plan: all, ..base.sweep_settings() };
    let sweeper = sweeper(fleet, base, &settings);
    let world = sweeper.look().await;
    let allow = Guard::iter().filter(|guard| guard.may_be_allowed()).collect();
    let plan = sweeper.plan(&world);
    let swept = sweeper.apply(world, &plan, &Approval { allow, plan_id: None }).await?;
    if let Some((step, outcome)) = swept.failures().next() {
        bail!("the base cannot be brought up on simulated accounts: {step:?}: {outcome:?}");
    }
    // What people outside have to add, or a stop that is over, is no matter here.
    if !swept.after.is_empty() || swept.left_out > 0 || !swept.after.holds.is_empty() {
        let left = text::summary(&swept.after);
        bail!("the base cannot be brought up on simulated accounts, so the change by itself cannot be told: {left}");
    }
    Ok(())
}

fn sweeper<'a>(
    fleet: &'a SimFleet,
    context: &'a Context,
    settings: &'a SweepSettings,
) -> Sweeper<'a, SimFleet, MachineClock, Silent> {
    Sweeper { fleet, clock: &MachineClock, listener: &Silent, desired: &context.desired, settings }
}
