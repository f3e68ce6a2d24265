//! `wheelwright apply`.

use super::clock::MachineClock;
use super::context::{Screen, load};
use super::plan::{exit_of, look_and_plan};
use super::progress::Progress;
use super::{ApplyArgs, Exit};
use crate::model::plan::Plan;
use crate::plan::{Approval, Refusal, approve};
use crate::reconcile::sweep::{Sweeper, Swept};
use crate::report::text;
use std::io::{BufRead, IsTerminal, stdin};
use std::path::Path;

pub(super) async fn run(folder: &Path, screen: Screen, args: &ApplyArgs) -> anyhow::Result<Exit> {
    let context = match load(folder, screen) {
        Ok(context) => context,
        Err(exit) => return Ok(exit),
    };
    let fleet = context.fleet(args.aws.endpoint_url.as_deref()).await;
    let (world, plan) = look_and_plan(&context, screen, &fleet).await;
    screen.print(&text::plan(&plan, &context.names, screen.out))?;
    if plan.steps.is_empty() {
        return Ok(exit_of(&plan));
    }
    let approval = Approval { allow: args.allow.iter().copied().collect(), plan_id: args.plan_id.clone() };
    match approve(&plan, &approval) {
        Ok(approved) if approved.steps().is_empty() => {
            screen.say("Nothing was written: every step is held.");
            return Ok(Exit::UserCanMend);
        }
        Ok(_) => {}
        Err(refusal) => return Ok(refused(screen, &refusal)),
    }
    if !may_go(args, &plan, screen)? {
        return Ok(Exit::UserCanMend);
    }
    let settings = context.sweep_settings();
    let progress = Progress::applying(screen, &context.names, plan.steps.len());
    let sweeper = Sweeper {
        fleet: &fleet,
        clock: &MachineClock,
        listener: &progress,
        desired: &context.desired,
        settings: &settings,
    };
    let swept = match sweeper.apply(world, &plan, &approval).await {
        Ok(swept) => swept,
        Err(refusal) => {
            drop(progress);
            return Ok(refused(screen, &refusal));
        }
    };
    drop(progress);
    screen.print(&closing(&swept))?;
    Ok(if swept.in_step() { Exit::Done } else { Exit::UserCanMend })
}

fn refused(screen: Screen, refusal: &Refusal) -> Exit {
    screen.say(&format!("{} {refusal}", screen.talk.bad("error:")));
    Exit::UserCanMend
}

/// Whether somebody let the plan go: on a terminal by answering, elsewhere by `--yes` or by naming the plan.
fn may_go(args: &ApplyArgs, plan: &Plan, screen: Screen) -> anyhow::Result<bool> {
    if args.yes || args.plan_id.is_some() {
        return Ok(true);
    }
    if !stdin().is_terminal() || !screen.is_terminal {
        screen.say(&format!(
            "error: nothing was written: nobody can be asked here. Give --yes, or --plan-id {} for exactly this plan",
            plan.id
        ));
        return Ok(false);
    }
    eprint!("Do it? [y/N] ");
    let mut answer = String::new();
    stdin().lock().read_line(&mut answer)?;
    let yes = matches!(answer.trim(), "y" | "Y" | "yes");
    if !yes {
        screen.say("Nothing was written.");
    }
    Ok(yes)
}

/// What it came to.
fn closing(swept: &Swept) -> String {
    let done = swept.outcomes.values().filter(|outcome| outcome.is_ok()).count();
    let failed = swept.outcomes.len() - done;
    let mut parts = vec![format!("{done} steps done")];
    if failed > 0 {
        parts.push(format!("{failed} not done"));
    }
    if swept.left_out > 0 {
        parts.push(format!("{} held", swept.left_out));
    }
    format!("Applied: {}. {}\n", parts.join(", "), text::summary(&swept.after))
}
