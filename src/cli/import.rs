//! `wheelwright import`: topology files from what is live.

use super::clock::MachineClock;
use super::context::{Context, Screen, diagnostic_style};
use super::progress::Progress;
use super::{Exit, ImportArgs, ImportFormat};
use crate::config::{self, SETTINGS_PATH, Settings, SourceFiles};
use crate::import::{self, Imported, Request};
use crate::model::desired::Revision;
use crate::model::ids::{AccountId, AccountName, Region, TeamName};
use crate::model::resource::BusId;
use crate::model::topology::{Kept, Tags, Topology};
use crate::model::world::Observation;
use crate::reconcile::refresh::{Depth, RefreshSettings, refresh};
use crate::reconcile::sweep::Listener as _;
use crate::report::AccountNames;
use anyhow::{Context as _, bail};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

pub(super) async fn run(folder: &Path, screen: Screen, args: &ImportArgs) -> anyhow::Result<Exit> {
    let request = match request(args) {
        Ok(request) => request,
        Err(error) => return Ok(refused(screen, &format!("{error:#}"))),
    };
    let out = args.out.as_deref().unwrap_or(folder);
    let target = (out != Path::new("-")).then_some(out);
    if let Some(taken) = target.and_then(topology_in) {
        return Ok(refused(
            screen,
            &format!(
                "{taken} is there already, and nothing is written over; name another folder with `--out DIR`, or print with `--out -`"
            ),
        ));
    }
    let Some(settings) = settings(folder, screen)? else { return Ok(Exit::UserCanMend) };
    let scopes = request.scopes();
    // Nothing is asked for yet; what is read is everything.
    let nothing = Topology {
        organization: None,
        accounts: BTreeMap::new(),
        hubs: BTreeMap::new(),
        teams: BTreeMap::new(),
        tags: Tags::new(),
        kept: Kept::default(),
    };
    let context = Context::new(settings, nothing, Revision { id: "import".into(), sequence: 0 });
    let names: AccountNames = request.accounts.iter().map(|(name, id)| (*id, name.clone())).collect();
    let fleet = context.fleet(args.aws.endpoint_url.as_deref()).await;
    let world = {
        let progress = Progress::reading(screen, &names, scopes.len());
        let how = RefreshSettings { depth: Depth::Whole, ..context.sweep_settings().refresh };
        let told = |scope: &_, observation: &_| progress.scope_read(scope, observation);
        refresh(&fleet, &MachineClock, &context.desired, &scopes, how, &told).await
    };
    let imported = import::import(&world, &request, &context.settings);
    match args.format {
        ImportFormat::Json => screen.print(&(serde_json::to_string_pretty(&import::json(&imported))? + "\n"))?,
        ImportFormat::Text if target.is_none() => {
            screen.say(import::text(&imported, &names, screen.talk).trim_end());
            screen.print(&printed(&imported))?;
        }
        ImportFormat::Text => screen.print(&import::text(&imported, &names, screen.out))?,
    }
    let read =
        world.scopes.values().filter(|read| matches!(read, Observation::Complete { .. } | Observation::Partial { .. }));
    if imported.files.is_empty() {
        screen.say(match read.count() {
            0 => "Nothing could be read, so nothing is written.",
            _ => "Nothing is written: there is no bus to make a topology of.",
        });
        return Ok(Exit::UserCanMend);
    }
    if let Some(target) = target {
        write(target, &imported)?;
        next_steps(screen, target, folder, &imported);
    }
    Ok(Exit::Done)
}

fn refused(screen: Screen, why: &str) -> Exit {
    screen.say(&format!("{} {why}", screen.talk.bad("error:")));
    Exit::UserCanMend
}

/// What the command line asks for.
fn request(args: &ImportArgs) -> anyhow::Result<Request> {
    let mut request = Request::default();
    for text in &args.accounts {
        let (name, id) = pair(text, "--accounts", "NAME=ID, as payments-prod=222222222222")?;
        let name: AccountName = name.parse().with_context(|| format!("--accounts {text}"))?;
        let id: AccountId = id.parse().with_context(|| format!("--accounts {text}"))?;
        if let Some((other, _)) = request.accounts.iter().find(|(_, known)| **known == id) {
            bail!("--accounts: {other} and {name} are one account, {id}");
        }
        if request.accounts.insert(name.clone(), id).is_some() {
            bail!("--accounts: {name} is given twice");
        }
    }
    for text in &args.regions {
        crate::eventbridge::quota::valid_region(text).with_context(|| format!("--regions {text}"))?;
        request.regions.insert(Region::new(text));
    }
    for text in &args.hub {
        let (name, arn) =
            pair(text, "--hub", "NAME=ARN, as us=arn:aws:events:us-east-1:111111111111:event-bus/org-events")?;
        let bus = BusId::of_arn(arn).with_context(|| format!("--hub {text}: `{arn}` is not the ARN of a bus"))?;
        if bus.is_default() {
            bail!("--hub {text}: a hub cannot be an account's default bus, where AWS services put their own events");
        }
        request.hubs.insert(name.parse().with_context(|| format!("--hub {text}"))?, bus);
    }
    for text in &args.team {
        let (team, accounts) = pair(text, "--team", "TEAM=ACCOUNT[+ACCOUNT…], as orders=orders-prod+orders-prod-eu")?;
        let team: TeamName = team.parse().with_context(|| format!("--team {text}"))?;
        for account in accounts.split('+') {
            let name: AccountName = account.parse().with_context(|| format!("--team {text}"))?;
            let id =
                *request.accounts.get(&name).with_context(|| format!("--team {text}: --accounts has no {name}"))?;
            if request.teams.values().any(|taken| taken.contains(&id)) {
                bail!("--team {text}: {name} is another team's already");
            }
            request.teams.entry(team.clone()).or_default().insert(id);
        }
    }
    Ok(request)
}

fn pair<'t>(text: &'t str, option: &str, expected: &str) -> anyhow::Result<(&'t str, &'t str)> {
    text.split_once('=').with_context(|| format!("{option} {text}: expected {expected}"))
}

/// The settings of the config folder, or the defaults where it has none.
#[allow(clippy::disallowed_methods)] // The command line is an edge: the file that it is pointed at.
fn settings(folder: &Path, screen: Screen) -> anyhow::Result<Option<Settings>> {
    let path = folder.join(SETTINGS_PATH);
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Some(Settings::default())),
        Err(error) => return Err(error).with_context(|| format!("reading {}", path.display())),
    };
    let files = SourceFiles::new([(SETTINGS_PATH, text.as_str())]);
    let (settings, diagnostics) = config::load_settings(&files);
    if diagnostics.is_empty() {
        return Ok(Some(settings));
    }
    screen.say(config::render(&diagnostics, &files, diagnostic_style(screen.talk)).trim_end());
    screen.say("The settings have errors: nothing was asked of AWS.");
    Ok(None)
}

/// A file that is in the way, if there is one.
#[allow(clippy::disallowed_methods)] // The command line is an edge: whether anything would be written over.
fn topology_in(target: &Path) -> Option<String> {
    let mut folders = vec![target.join("topology")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else {
                return Some(path.display().to_string());
            }
        }
    }
    None
}

#[allow(clippy::disallowed_methods)] // The command line is an edge: writing these files is what was asked for.
fn write(target: &Path, imported: &Imported) -> anyhow::Result<()> {
    for (path, text) in &imported.files {
        let path = target.join(path);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
        }
        // Made and never opened: what came to be there meanwhile stays.
        let mut file = fs::File::create_new(&path).with_context(|| format!("making {}", path.display()))?;
        std::io::Write::write_all(&mut file, text.as_bytes()).with_context(|| format!("writing {}", path.display()))?;
    }
    Ok(())
}

/// The files one after another, each under its name.
fn printed(imported: &Imported) -> String {
    let mut files = imported.files.iter().map(|(path, text)| format!("# ==> {path}\n{text}"));
    files.by_ref().collect::<Vec<_>>().join("\n")
}

fn next_steps(screen: Screen, target: &Path, folder: &Path, imported: &Imported) {
    let config = if target == Path::new("config") { String::new() } else { format!(" --config {}", target.display()) };
    screen.say(&format!("Wrote {} files below {}.", imported.files.len(), target.join("topology").display()));
    if target != folder && folder.join(SETTINGS_PATH).exists() {
        screen.say(&format!("Put your {SETTINGS_PATH} beside it: copy {}.", folder.join(SETTINGS_PATH).display()));
    }
    screen.say(&format!("Read them, then: wheelwright{config} check, and wheelwright{config} plan."));
    let foreign: BTreeSet<String> = imported
        .taken
        .iter()
        .filter(|one| !one.is_ours && one.keeps.contains(&"rule"))
        .filter_map(|one| match &one.resource {
            crate::model::resource::ResourceId::Rule(rule) => Some(rule.arn()),
            _ => None,
        })
        .collect();
    if imported.taken.iter().any(|one| !one.is_ours) {
        screen.say(&format!("What is not ours yet is taken over by: wheelwright{config} apply --allow adopt"));
    }
    if !foreign.is_empty() {
        let arns: Vec<String> = foreign.into_iter().collect();
        screen.say(&format!(
            "The operator's role may write rules named `ww.*` alone; let it write these as well, each in its account (AdoptedRuleArns in deploy/):\n  {}",
            arns.join("\n  ")
        ));
    }
}
