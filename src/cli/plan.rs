//! `wheelwright plan`.

use super::clock::MachineClock;
use super::context::{Context, Screen, load};
use super::progress::Progress;
use super::{Exit, PlanArgs, PlanFormat, rehearse};
use crate::model::desired::Desired;
use crate::model::plan::Plan;
use crate::model::world::World;
use crate::port::Fleet;
use crate::reconcile::sweep::Sweeper;
use crate::report::markdown::About;
use crate::report::{markdown, text};
use anyhow::Context as _;
use std::path::Path;

pub(super) async fn run(folder: &Path, screen: Screen, args: &PlanArgs) -> anyhow::Result<Exit> {
    let context = match load(folder, screen) {
        Ok(context) => context,
        Err(exit) => return Ok(exit),
    };
    let (plan, base) = match &args.base {
        Some(base) => match rehearse::plan_from(base, folder, &context, screen).await? {
            Ok((plan, base)) => (plan, Some(base)),
            Err(exit) => return Ok(exit),
        },
        None => {
            let fleet = context.fleet(args.aws.endpoint_url.as_deref()).await;
            (look_and_plan(&context, screen, &fleet).await.1, None)
        }
    };
    screen.print(&rendered(&plan, &context, screen, args.format, base.as_ref())?)?;
    let exit = exit_of(&plan);
    if exit == Exit::Done && args.expect_no_changes && !plan.is_empty() {
        return Ok(Exit::ChangesPending);
    }
    Ok(exit)
}

/// Reads every scope and plans.
pub(super) async fn look_and_plan<F: Fleet>(context: &Context, screen: Screen, fleet: &F) -> (World, Plan) {
    let settings = context.sweep_settings();
    let progress = Progress::reading(screen, &context.names, context.desired.scopes.len());
    let sweeper =
        Sweeper { fleet, clock: &MachineClock, listener: &progress, desired: &context.desired, settings: &settings };
    let world = sweeper.look().await;
    let plan = sweeper.plan(&world);
    (world, plan)
}

fn rendered(
    plan: &Plan,
    context: &Context,
    screen: Screen,
    format: PlanFormat,
    base: Option<&Desired>,
) -> anyhow::Result<String> {
    let about = About { base, settle_secs: context.settings.pace.settle_secs };
    Ok(match format {
        PlanFormat::Text => text::plan(plan, &context.names, screen.out),
        PlanFormat::Markdown => markdown::plan(plan, &context.desired, about),
        PlanFormat::Json => serde_json::to_string_pretty(plan).context("writing the plan as JSON")? + "\n",
    })
}

/// A held plan, a scope that refused, a name that is another's: for the user to mend.
pub(super) fn exit_of(plan: &Plan) -> Exit {
    if plan.unmended().next().is_some() || !plan.holds.is_empty() { Exit::UserCanMend } else { Exit::Done }
}
