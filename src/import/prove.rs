//! The proof: the files are checked and planned against the world that they were made of, and what does not hold goes out.

use super::build::Built;
use super::draft::{Draft, Spoke, Team};
use super::facts::Facts;
use super::render::{HUBS, render, team_file};
use super::{Imported, Left, Taken};
use crate::config::{self, SourceFiles};
use crate::expand::expand;
use crate::model::desired::{Desired, Revision};
use crate::model::finding::Severity;
use crate::model::ids::{Moment, Scope, TeamName};
use crate::model::mark::Mark;
use crate::model::plan::{Action, Guard, Plan, PlanSettings, Seen, Step};
use crate::model::resource::{BusId, ResourceId, RuleId};
use crate::model::topology::{Keeps, Origin};
use crate::plan::plan;
use std::collections::BTreeMap;

/// Why an entry goes out, and whose it is: file and `kind.name`.
struct Fault {
    file: String,
    entry: String,
    why: String,
}

/// Takes out of the draft what does not hold, and gives the files of the rest.
pub(super) fn prove(built: Built, facts: &Facts<'_>) -> Imported {
    let Built { mut draft, mut left } = built;
    // Each round takes something out, so this ends.
    loop {
        let files = render(&draft);
        let (faults, proven) = look(&files, facts);
        if let Some((desired, plan)) = proven.filter(|_| faults.is_empty()) {
            let taken = taken(&draft, &desired, facts);
            left.extend(would_go(&plan));
            tell_rest(&draft, &desired, facts, &mut left);
            left.sort();
            left.dedup();
            return Imported { files, taken, left, plan: Some(plan) };
        }
        let mut is_less = false;
        for fault in faults {
            is_less |= take_out(&mut draft, &fault, &mut left);
        }
        if !is_less {
            left.sort();
            left.dedup();
            return Imported { files: BTreeMap::new(), taken: Vec::new(), left, plan: None };
        }
    }
}

/// What is wrong with the files; and if nothing is wrong with what they say, what they ask for and their plan.
fn look(files: &BTreeMap<String, String>, facts: &Facts<'_>) -> (Vec<Fault>, Option<(Desired, Plan)>) {
    let sources = SourceFiles::new(files.iter().map(|(path, text)| (path.as_str(), text.as_str())));
    let loaded = config::load(&sources);
    let errors = loaded.diagnostics.iter().filter(|diagnostic| diagnostic.severity == Severity::Error);
    let mut faults: Vec<Fault> = errors
        .filter_map(|diagnostic| {
            let file = diagnostic.primary.file.to_string();
            let entry = entry_at(files.get(&file)?, diagnostic.primary.line);
            let why = format!("{} ({}: {})", diagnostic.message, diagnostic.code, diagnostic.primary.text);
            Some(Fault { file, entry, why })
        })
        .collect();
    let Some(topology) = loaded.topology.filter(|_| faults.is_empty()) else { return (faults, None) };
    let sequence = newest(facts);
    let revision = Revision { id: "import".into(), sequence };
    let settings = facts.settings;
    let desired = expand(&topology, settings, revision, Moment(0));
    let guards = PlanSettings { fresh_ms_max: u64::MAX, ..settings.guards.clone() };
    let now = facts.world.scopes.values().filter_map(crate::model::world::Observation::at).max().unwrap_or(Moment(0));
    let plan = plan(&desired, facts.world, &guards, now);
    for step in plan.steps.iter().filter(|step| !takes_over(step)) {
        if let Some(Origin { file, entry, .. }) = &step.origin {
            let why = format!("it would be changed: {} ({})", step.detail.join("; "), step.action.resource());
            faults.push(Fault { file: file.to_string(), entry: entry.to_string(), why });
        }
    }
    (faults, Some((desired, plan)))
}

/// The highest sequence of any mark, so that nothing is taken for newer than what is written.
fn newest(facts: &Facts<'_>) -> u64 {
    let buses = facts.buses.values().map(|live| &live.description);
    let texts = buses.chain(facts.rules.values().map(|live| &live.description));
    texts.filter_map(|text| Mark::read(text).1).map(|mark| mark.sequence).max().unwrap_or_default()
}

/// Whether a step takes over what is there and leaves it otherwise as it is.
fn takes_over(step: &Step) -> bool {
    let adopts = step.held_by.contains(&Guard::Adopt);
    adopts
        && match (&step.action, &step.seen) {
            (Action::TagBus { .. } | Action::TagRule { .. }, _) => true,
            (Action::UpdateBus { settings, .. }, Seen::BusSettings { settings: live }) => {
                settings.kms_key == live.kms_key
                    && settings.dead_letter_arn == live.dead_letter_arn
                    && settings.log == live.log
            }
            (Action::PutRule { pattern, state, .. }, Seen::Rule { pattern: live, state: was, .. }) => {
                let parse = |text: &str| crate::eventbridge::Pattern::parse(text).ok();
                let same = parse(pattern)
                    .zip(live.as_deref().and_then(parse))
                    .is_some_and(|(one, two)| one.same_meaning(&two));
                let was_enabled = was == "ENABLED";
                same && was_enabled == (*state == crate::model::resource::RuleState::Enabled)
            }
            _ => false,
        }
}

/// The entry that a line of a file belongs to: the last header at or before it.
fn entry_at(text: &str, line: u32) -> String {
    let lines = text.lines().take(line as usize).filter_map(|line| line.strip_prefix('[')?.split(']').next());
    lines.last().unwrap_or_default().to_owned()
}

/// Takes an entry out, with what needs it; whether there was one.
fn take_out(draft: &mut Draft, fault: &Fault, left: &mut Vec<Left>) -> bool {
    let Fault { file, entry, why } = fault;
    let (kind, name) = entry.split_once('.').unwrap_or((entry.as_str(), ""));
    let mut gone: Option<Vec<ResourceId>> = None;
    if file == HUBS {
        let hub = draft.hubs.keys().find(|hub| kind == "hub" && hub.as_str() == name).cloned();
        gone = hub.and_then(|hub| draft.hubs.remove(&hub)).map(|hub| vec![ResourceId::Bus(hub.bus)]);
    }
    let team = draft.teams.keys().find(|team| team_file(team) == *file).cloned();
    if let Some(team) = team.and_then(|team| draft.teams.get_mut(&team)) {
        gone = match kind {
            "subscribe" | "stop" => team.subscriptions.remove(name).map(|found| vec![found.rule]),
            "publish" | "collect" => team.publications.remove(name).map(|found| found.rules),
            "spoke" => without_spoke(team, name),
            _ => Some(std::mem::take(team)).filter(|team| !team.is_empty()).map(|team| team.rules()),
        };
    }
    let done = gone.is_some();
    let gone = gone.into_iter().flatten().chain(draft.sweep());
    let what_to_do = "leave it as it is, or mend that and import again".to_owned();
    left.extend(gone.map(|resource| Left { resource, why: why.clone(), what_to_do: what_to_do.clone() }));
    done
}

/// Takes a spoke out of a team, with what is delivered to it and what is forwarded from it, which all of a team's spokes at a hub do or
/// none.
fn without_spoke(team: &mut Team, name: &str) -> Option<Vec<ResourceId>> {
    let name = team.spokes.keys().find(|spoke| spoke.as_str() == name)?.clone();
    let Spoke { hub, account_id: account, region, bus, .. } = team.spokes.remove(&name)?;
    let scope = Scope { account, region };
    let mut gone: Vec<ResourceId> = bus.map(|name| ResourceId::Bus(BusId { scope, name })).into_iter().collect();
    team.publications.retain(|_, found| {
        let goes = found.is_forwarded && found.hubs.contains_key(&hub);
        gone.extend(goes.then(|| found.rules.clone()).into_iter().flatten());
        !goes
    });
    team.subscriptions.retain(|_, found| {
        let goes = found.spoke == name;
        gone.extend(goes.then(|| found.rule.clone()));
        !goes
    });
    Some(gone)
}

/// What bears our marks and no file asks for: a plan would take it away.
fn would_go(plan: &Plan) -> Vec<Left> {
    let steps = plan.steps.iter().filter(|step| !takes_over(step));
    steps
        .map(|step| Left {
            resource: step.action.resource(),
            why: "it bears our mark and nothing that was written asks for it: a plan would take it away".to_owned(),
            what_to_do: "write down what it is for before you apply; or let it go".to_owned(),
        })
        .collect()
}

/// Tells what is on hubs and was neither taken nor told: by then only statements.
fn tell_rest(draft: &Draft, desired: &Desired, facts: &Facts<'_>, left: &mut Vec<Left>) {
    for hub in draft.hubs.values() {
        for (rule, _) in facts.rules_on(&hub.bus).filter(|(rule, _)| !desired.rules.contains_key(rule)) {
            let resource = ResourceId::Rule((*rule).clone());
            if !left.iter().any(|told| told.resource == resource) {
                let why = "it needs something that could not be taken".to_owned();
                left.push(Left { resource, why, what_to_do: "see what else was left at this hub".to_owned() });
            }
        }
    }
}

fn taken(draft: &Draft, desired: &Desired, facts: &Facts<'_>) -> Vec<Taken> {
    let mut taken = Vec::new();
    for (name, hub) in &draft.hubs {
        let resource = ResourceId::Bus(hub.bus.clone());
        let keeps = if hub.options.keeps_grants { vec!["grants"] } else { Vec::new() };
        taken.push(Taken {
            entry: format!("hub {name}"),
            resource,
            is_ours: facts.marked_bus(&hub.bus).is_some(),
            keeps,
        });
    }
    for (bus, wanted) in desired.buses.iter().filter(|(bus, _)| facts.buses.contains_key(*bus)) {
        let Some(team) = &wanted.team else { continue };
        let entry = format!("{team} {}", wanted.origin.entry);
        taken.push(Taken {
            entry,
            resource: ResourceId::Bus(bus.clone()),
            is_ours: facts.marked_bus(bus).is_some(),
            keeps: Vec::new(),
        });
    }
    for (rule, wanted) in &desired.rules {
        let Some(live) = facts.rules.get(rule) else { continue };
        let entry = match &wanted.team {
            Some(team) => format!("{team} {}", wanted.origin.entry),
            None => wanted.origin.entry.to_string(),
        };
        let keeps = keeps_of(draft, rule, wanted.team.as_ref());
        taken.push(Taken {
            entry,
            resource: ResourceId::Rule(rule.clone()),
            is_ours: facts.is_marked(rule, live),
            keeps,
        });
    }
    taken.sort();
    taken
}

fn keeps_of(draft: &Draft, rule: &RuleId, team: Option<&TeamName>) -> Vec<&'static str> {
    let Some(team) = team.and_then(|team| draft.teams.get(team)) else { return Vec::new() };
    let resource = ResourceId::Rule(rule.clone());
    let of_subscription = team.subscriptions.values().find(|found| found.rule == resource).map(|found| &found.keeps);
    let of_publication =
        || team.publications.values().find(|found| found.rules.contains(&resource)).map(|found| &found.keeps);
    let Some(Keeps { rule, target, pattern, role, dead_letter }) = of_subscription.or_else(of_publication) else {
        return Vec::new();
    };
    let keys = [
        ("rule", rule.is_some()),
        ("target", target.is_some()),
        ("pattern", pattern.is_some()),
        ("role", role.is_some()),
        ("dead-letter", dead_letter.is_some()),
    ];
    keys.into_iter().filter(|(_, is_kept)| *is_kept).map(|(key, _)| key).collect()
}
