//! `wheelwright retire`.

use super::clock::MachineClock;
use super::context::{Context, Screen, load};
use super::doctor::account;
use super::progress::Progress;
use super::{Exit, RetireArgs, RetireWhat};
use crate::call::{CallError, ErrorClass};
use crate::model::ids::Scope;
use crate::model::resource::{ArchiveId, BusId};
use crate::model::world::Observation;
use crate::plan::retire::Retirable;
use crate::port::Fleet;
use crate::reconcile::retire::{Listing, Prepared, Ready, Retired, list, prepare, retire};
use crate::reconcile::sweep::Listener as _;
use crate::report::{count, scope_name};
use std::collections::BTreeMap;
use std::io::{BufRead, IsTerminal, stdin};
use std::path::Path;

pub(super) async fn run(folder: &Path, screen: Screen, args: &RetireArgs) -> anyhow::Result<Exit> {
    let context = match load(folder, screen) {
        Ok(context) => context,
        Err(exit) => return Ok(exit),
    };
    let fleet = context.fleet(args.aws.endpoint_url.as_deref()).await;
    let Some(what) = &args.what else { return listed(&context, screen, &fleet).await };
    let (thing, confirm) = match named(&context, what) {
        Ok(named) => named,
        Err(why) => return Ok(refused(screen, &why)),
    };
    one(&context, screen, &fleet, &thing, confirm).await
}

fn refused(screen: Screen, why: &str) -> Exit {
    screen.say(&format!("{} {why}", screen.talk.bad("error:")));
    Exit::UserCanMend
}

/// The thing that the command line names, and what confirms it there.
fn named<'a>(context: &Context, what: &'a RetireWhat) -> Result<(Retirable, Option<&'a str>), String> {
    let (RetireWhat::Bus(args) | RetireWhat::Archive(args) | RetireWhat::Retention(args)) = what;
    let wrong = || format!("`{}` is not the place of one thing: write ACCOUNT/REGION/NAME", args.place);
    let mut parts = args.place.splitn(3, '/');
    let (Some(name), Some(region), Some(thing)) = (parts.next(), parts.next(), parts.next()) else {
        return Err(wrong());
    };
    // A name with a star in it is a wish for many: there is none such.
    if [name, region, thing].iter().any(|part| part.is_empty() || part.contains(['*', '?'])) {
        return Err(wrong());
    }
    let scope = Scope::new(account(context, name)?, region);
    let thing = thing.to_owned();
    let thing = match what {
        RetireWhat::Bus(_) => Retirable::Bus(BusId { scope, name: thing }),
        RetireWhat::Archive(_) => Retirable::Archive(ArchiveId { scope, name: thing }),
        RetireWhat::Retention(_) => Retirable::Retention(ArchiveId { scope, name: thing }),
    };
    Ok((thing, args.confirm.as_deref()))
}

/// The command that retires one thing.
fn command(context: &Context, thing: &Retirable) -> String {
    let scope = thing.scope();
    let account = context.names.get(&scope.account).map_or_else(|| scope.account.to_string(), ToString::to_string);
    format!("wheelwright retire {} {account}/{}/{}", thing.kind(), scope.region, thing.name())
}

async fn listed<F: Fleet>(context: &Context, screen: Screen, fleet: &F) -> anyhow::Result<Exit> {
    let progress = Progress::reading(screen, &context.names, context.desired.scopes.len());
    let told = |scope: &Scope, observation: &Observation| progress.scope_read(scope, observation);
    let settings = context.sweep_settings().refresh;
    let Listing { found, unread } = list(fleet, &MachineClock, &context.desired, settings, &told).await;
    drop(progress);
    let mut out = String::new();
    let mut by_kind: BTreeMap<&str, Vec<&Retirable>> = BTreeMap::new();
    for thing in &found {
        let about = match thing {
            Retirable::Bus(_) => "Buses of ours that the topology does not name",
            Retirable::Archive(_) => "Archives of ours that the topology does not name",
            Retirable::Retention(_) => "Archives that keep events for longer than the topology asks",
        };
        by_kind.entry(about).or_default().push(thing);
    }
    for (about, things) in by_kind {
        out += &format!("{}\n", screen.out.strong(about));
        for thing in things {
            let place = scope_name(thing.scope(), &context.names);
            out += &format!("  {} in {place}\n    $ {}\n", thing.name(), command(context, thing));
        }
    }
    out += &match found.len() {
        0 => "There is nothing to retire.\n".to_owned(),
        number => {
            format!("\n{}. Each command says what would be lost, and asks before it does it.\n", count(number, "thing"))
        }
    };
    screen.print(&out)?;
    if unread.is_empty() {
        return Ok(Exit::Done);
    }
    screen.say(&format!("{} not read whole: there may be more", count(unread.len(), "scope")));
    Ok(Exit::UserCanMend)
}

async fn one<F: Fleet>(
    context: &Context,
    screen: Screen,
    fleet: &F,
    thing: &Retirable,
    confirm: Option<&str>,
) -> anyhow::Result<Exit> {
    let progress = Progress::reading(screen, &context.names, context.desired.scopes.len());
    let told = |scope: &Scope, observation: &Observation| progress.scope_read(scope, observation);
    let settings = context.sweep_settings().refresh;
    let prepared = prepare(fleet, &MachineClock, &context.desired, thing, settings, &told).await;
    drop(progress);
    let place = scope_name(thing.scope(), &context.names);
    let ready = match prepared {
        Ok(Prepared::Ready(ready)) => ready,
        Ok(Prepared::Gone) => {
            let (noun, name) = (noun(thing), thing.name());
            screen.print(&format!("There is no {noun} {name} in {place}: it is gone. Nothing was done.\n"))?;
            return Ok(Exit::Done);
        }
        Ok(Prepared::Refused(against)) => {
            screen.say(&format!("{} {} in {place} stays:", screen.talk.bad("error:"), thing.name()));
            against.iter().for_each(|why| screen.say(&format!("  - {why}")));
            return Ok(Exit::UserCanMend);
        }
        Err(error) => return Ok(refused(screen, &failed(&error))),
    };
    screen.print(&shown(&ready))?;
    if !is_confirmed(context, screen, thing, confirm)? {
        return Ok(Exit::UserCanMend);
    }
    ended(screen, thing, &place, retire(fleet, &ready).await)
}

fn shown(ready: &Ready) -> String {
    let mut out = String::from("What will be lost, for good:\n");
    ready.lost.iter().for_each(|line| out += &format!("  - {line}\n"));
    if !ready.unseen.is_empty() {
        out += "What could not be read, and may rest on it:\n";
        ready.unseen.iter().for_each(|line| out += &format!("  - {line}\n"));
    }
    out
}

/// Whether somebody typed the very name: here, or on the command line.
fn is_confirmed(context: &Context, screen: Screen, thing: &Retirable, confirm: Option<&str>) -> anyhow::Result<bool> {
    let name = thing.name();
    let typed = match confirm {
        Some(typed) => typed.to_owned(),
        None if stdin().is_terminal() && screen.is_terminal => {
            eprint!("Type its name, {name}, to do it: ");
            let mut answer = String::new();
            stdin().lock().read_line(&mut answer)?;
            answer.trim().to_owned()
        }
        None => {
            let command = command(context, thing);
            screen.say(&format!("Nothing was done: nobody can be asked here. To do it: {command} --confirm {name}"));
            return Ok(false);
        }
    };
    if typed != name {
        screen.say(&format!("Nothing was done: `{typed}` is not its name."));
    }
    Ok(typed == name)
}

fn ended(screen: Screen, thing: &Retirable, place: &str, outcome: Result<Retired, CallError>) -> anyhow::Result<Exit> {
    let name = thing.name();
    let why = match outcome {
        Ok(Retired::Done) => {
            let done = match thing {
                Retirable::Bus(_) | Retirable::Archive(_) => "is gone",
                Retirable::Retention(_) => "keeps events for the time that the topology asks",
            };
            screen.print(&format!("Done: {} {name} in {place} {done}.\n", noun(thing)))?;
            return Ok(Exit::Done);
        }
        Ok(Retired::Changed(what)) => format!("nothing was done: {name} is not what was shown: {what}"),
        Ok(Retired::NotVerified(what)) => {
            format!("AWS took the call, and {what}: look again later")
        }
        Ok(Retired::Failed(error)) | Err(error) => failed(&error),
    };
    Ok(refused(screen, &why))
}

fn noun(thing: &Retirable) -> &'static str {
    if matches!(thing, Retirable::Bus(_)) { "bus" } else { "archive" }
}

fn failed(error: &CallError) -> String {
    let mend = match (error.class, error.action.as_str()) {
        (ErrorClass::Denied, "events:DeleteEventBus" | "events:DeleteArchive") => {
            "the operator role has this right only where the per-account template was deployed with AllowRetire=yes \
             (deploy/README.md): deploy it so for the day, and take it back"
        }
        _ => error.class.mend(),
    };
    format!("{error}\n  {mend}")
}
