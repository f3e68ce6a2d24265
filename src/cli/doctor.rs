//! `wheelwright doctor`.

use super::clock::MachineClock;
use super::context::{Context, Screen, load};
use super::progress::Progress;
use super::{DoctorArgs, DoctorFormat, Exit};
use crate::doctor::{Manner, Patient, Report, Trouble, examine, needs, text};
use crate::model::ids::{AccountId, AccountName, Scope};
use crate::model::topology::Access;
use anyhow::Context as _;
use std::collections::BTreeSet;
use std::path::Path;

pub(super) async fn run(folder: &Path, screen: Screen, args: &DoctorArgs) -> anyhow::Result<Exit> {
    let context = match load(folder, screen) {
        Ok(context) => context,
        Err(exit) => return Ok(exit),
    };
    let scopes = match selected(&context, args) {
        Ok(scopes) => scopes,
        Err(why) => {
            screen.say(&format!("{} {why}", screen.talk.bad("error:")));
            return Ok(Exit::UserCanMend);
        }
    };
    let fleet = context.fleet(args.aws.endpoint_url.as_deref()).await;
    let patient = Patient { topology: &context.topology, desired: &context.desired, settings: &context.settings };
    let manner = Manner { prove_writes: args.prove_writes, refresh: context.sweep_settings().refresh };
    let progress = Progress::reading(screen, &context.names, scopes.len());
    let told = |scope: &Scope, troubles: &[Trouble]| progress.examined(scope, troubles.len());
    let report = examine(&fleet, &MachineClock, patient, &scopes, manner, &told).await;
    drop(progress);
    screen.print(&rendered(&report, &context, screen, args.format)?)?;
    Ok(if report.is_healthy() { Exit::Done } else { Exit::UserCanMend })
}

fn rendered(report: &Report, context: &Context, screen: Screen, format: DoctorFormat) -> anyhow::Result<String> {
    Ok(match format {
        DoctorFormat::Text => text::report(report, &context.names, screen.out),
        DoctorFormat::Json => serde_json::to_string_pretty(report).context("writing the examination as JSON")? + "\n",
    })
}

/// The scopes that were named, or all that the topology uses.
fn selected(context: &Context, args: &DoctorArgs) -> Result<BTreeSet<Scope>, String> {
    let all: BTreeSet<Scope> = needs(&context.desired, &context.settings).into_keys().collect();
    if args.account.is_empty() && args.scope.is_empty() {
        return Ok(all);
    }
    let mut chosen = BTreeSet::new();
    for name in &args.account {
        let account = account(context, name)?;
        chosen.extend(all.iter().filter(|scope| scope.account == account).cloned());
    }
    for text in &args.scope {
        let (name, region) =
            text.split_once('/').ok_or_else(|| format!("`{text}` is not a scope: write ACCOUNT/REGION"))?;
        let scope = Scope::new(account(context, name)?, region);
        if !all.contains(&scope) {
            return Err(format!("the topology asks for nothing in {text}"));
        }
        chosen.insert(scope);
    }
    Ok(chosen)
}

/// An account by what the roster calls it, or by its id.
pub(super) fn account(context: &Context, name: &str) -> Result<AccountId, String> {
    let found = context
        .topology
        .accounts
        .iter()
        .find(|(known, account)| known.as_str() == name || account.id.to_string() == name);
    let Some((known, account)) = found else {
        let known: Vec<&str> = context.topology.accounts.keys().map(AccountName::as_str).collect();
        return Err(format!("there is no account `{name}` on the roster; there are {}", known.join(", ")));
    };
    match account.access {
        Access::Managed => Ok(account.id),
        Access::None => Err(format!("account {known} has access = \"none\": it is never touched")),
    }
}
