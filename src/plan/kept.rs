//! What stays as it is because a file has errors (promise 3): what a broken file says is not known, so nothing that could
//! be its team's, or that could bring events to its team, is taken away.

use super::diff::{Asked, Diff};
use crate::model::desired::{Desired, Wanted};
use crate::model::few::Few;
use crate::model::finding::{FindingCode, Outcome};
use crate::model::ids::TeamName;
use crate::model::mark::{TEAM_TAG, rule_name, rule_stem};
use crate::model::resource::{ResourceId, RuleId, RuleSpec};
use crate::model::topology::Kept;
use crate::model::world::{LiveRule, LiveTarget};

/// Why a live rule that no readable file asks for stays; none if it may go.
pub(super) fn why(desired: &Desired, rule: &RuleId, live: &LiveRule) -> Option<String> {
    let kept = &desired.kept;
    if kept.is_empty() {
        return None;
    }
    if kept.unknown.is_some() {
        return Some("a file that does not say whose it is has errors, and it may ask for this".to_owned());
    }
    if brings_to_hub(desired, live) {
        return Some("a team whose file has errors may take what this brings to a hub".to_owned());
    }
    let Some(stem) = rule_stem(&rule.name) else {
        // Its name is its own, and does not tell whose it is.
        return Some("it was taken over with a name of its own, and a file that has errors may ask for it".to_owned());
    };
    if let Some(team) = team_by_name(kept, stem) {
        return Some(format!("the file of team `{team}` has errors, and it may ask for this"));
    }
    let tagged = live.tags.as_ref().and_then(|tags| tags.get(TEAM_TAG));
    let Some(team) = tagged.and_then(|team| kept.sound.iter().find(|sound| sound.as_str() == team)) else {
        // A hub's own rule is for whoever publishes there; a team that no readable file is of may be a broken one's.
        return Some(match tagged {
            None => "a team whose file has errors may publish what this is for".to_owned(),
            Some(team) => format!("no file that can be read is of team `{team}`, and one with errors may be"),
        });
    };
    let needs = |(team, name): &&(TeamName, String)| {
        rule_stem(&rule_name(team.as_str(), name, &[])).is_some_and(|kept| kept == stem)
    };
    let (_, name) = kept.entries.iter().find(needs)?;
    Some(format!("`{team}.{name}` needs something of a team whose file has errors"))
}

/// The broken team whose rule is called like this. The tag tells it better, and a hand may have changed it.
fn team_by_name<'a>(kept: &'a Kept, stem: &str) -> Option<&'a str> {
    let written_as = stem.strip_prefix("ww.")?.split('.').next()?;
    // A long name is cut, so that more than one team may be meant: then all of them are.
    let is_team =
        |team: &&str| *team == written_as || written_as.len() >= TEAM_CHARACTERS_KEPT && team.starts_with(written_as);
    kept.teams.keys().map(TeamName::as_str).find(is_team)
}

/// Why these targets of a rule that stays are not taken away yet; none if they may go.
pub(super) fn why_targets(desired: &Desired, targets: &Few<String, LiveTarget>) -> Option<String> {
    let stay = !desired.kept.is_empty() && is_one_a_hub(desired, targets);
    stay.then(|| "a team whose file has errors may take what this brings to a hub".to_owned())
}

/// Whether a rule brings events to a hub: then to whoever subscribes there.
fn brings_to_hub(desired: &Desired, live: &LiveRule) -> bool {
    live.targets.as_ref().is_some_and(|targets| is_one_a_hub(desired, targets))
}

fn is_one_a_hub(desired: &Desired, targets: &Few<String, LiveTarget>) -> bool {
    let mut hubs = desired.buses.iter().filter(|(_, wanted)| wanted.team.is_none()).map(|(bus, _)| bus.arn());
    hubs.any(|hub| targets.values().any(|target| target.spec.arn == hub))
}

/// Whether a rule that is to take less must not yet: what an audit takes is what is published, and what is brought to a hub
/// is whatever anybody there takes; a broken file may ask for more of both.
pub(super) fn stays_wide(desired: &Desired, wanted: &Wanted<RuleSpec>, live: &LiveRule) -> bool {
    !desired.kept.is_empty() && (wanted.team.is_none() || brings_to_hub(desired, live))
}

/// Characters that a rule's name keeps of a team's, at least.
const TEAM_CHARACTERS_KEPT: usize = 25;

/// One finding for each team whose file has errors.
pub(super) fn tell(diff: &mut Diff<'_>) {
    let desired = diff.desired;
    let Some((bus, _)) = desired.buses.iter().find(|(_, wanted)| wanted.team.is_none()) else { return };
    let resource = ResourceId::Scope(bus.scope.clone());
    for (team, error) in &desired.kept.teams {
        let detail = format!("team `{team}` has errors ({error}): its routes stay as they are");
        let asked = Asked { team: Some(team.clone()), ..Asked::default() };
        diff.find(resource.clone(), FindingCode::TeamKept, Outcome::Waiting, detail, &asked);
    }
    if let Some(error) = &desired.kept.unknown {
        let detail = format!("a file has errors ({error}) and does not say whose it is: nothing is taken away");
        diff.find(resource, FindingCode::TeamKept, Outcome::Waiting, detail, &Asked::default());
    }
}
