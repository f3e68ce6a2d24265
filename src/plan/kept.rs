//! What stays as it is because a file has errors (promise 3): what a broken file says is not known, so nothing that could
//! be its team's is taken away.

use super::diff::{Asked, Diff};
use crate::model::finding::{FindingCode, Outcome};
use crate::model::mark::{rule_name, rule_stem};
use crate::model::resource::{ResourceId, RuleId};
use crate::model::topology::Kept;

/// Why a live rule that no readable file asks for stays; none if it may go.
pub(super) fn why(kept: &Kept, rule: &RuleId) -> Option<String> {
    if kept.unknown.is_some() {
        return Some("a file that does not say whose it is has errors, and it may ask for this".to_owned());
    }
    let stem = rule_stem(&rule.name)?;
    let written_as = stem.strip_prefix("ww.")?.split('.').next()?;
    // A long name is cut, so that more than one team may be meant: then all of them are.
    let is_team =
        |team: &str| team == written_as || written_as.len() >= TEAM_CHARACTERS_KEPT && team.starts_with(written_as);
    if let Some(team) = kept.teams.keys().find(|team| is_team(team.as_str())) {
        return Some(format!("the file of team `{team}` has errors, and it may ask for this"));
    }
    let named = |(team, name): &&(crate::model::ids::TeamName, String)| {
        rule_stem(&rule_name(team.as_str(), name, &[])).is_some_and(|kept| kept == stem)
    };
    let (team, name) = kept.entries.iter().find(named)?;
    Some(format!("`{team}.{name}` needs something of a team whose file has errors"))
}

/// Characters that a rule's name keeps of a team's, at least.
const TEAM_CHARACTERS_KEPT: usize = 25;

/// One finding for each team whose file has errors.
pub(super) fn tell(diff: &mut Diff<'_>) {
    let desired = diff.desired;
    let Some((bus, _)) = desired.buses.iter().find(|(_, wanted)| wanted.team.is_none()) else { return };
    let resource = ResourceId::Scope(bus.scope.clone());
    for (team, error) in &desired.kept.teams {
        let detail = format!("the file of team `{team}` has errors ({error}): its routes stay as they are");
        let asked = Asked { team: Some(team.clone()), ..Asked::default() };
        diff.find(resource.clone(), FindingCode::TeamKept, Outcome::Waiting, detail, &asked);
    }
    if let Some(error) = &desired.kept.unknown {
        let detail = format!("a file has errors ({error}) and does not say whose it is: nothing is taken away");
        diff.find(resource, FindingCode::TeamKept, Outcome::Waiting, detail, &Asked::default());
    }
}
