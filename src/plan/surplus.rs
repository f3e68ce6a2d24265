//! Rules that nobody asks for.

use super::diff::{Asked, Change, Diff};
use super::kept;
use super::own::{self, Ownership};
use super::rules::seen_rule;
use super::targets::remove_targets;
use crate::model::few::Few;
use crate::model::finding::{FindingCode, Outcome};
use crate::model::mark::{Mark, OWNER_TAG, TEAM_TAG, is_our_target};
use crate::model::plan::{Action, Cause, Guard};
use crate::model::resource::{BusId, ResourceId, RuleId};
use crate::model::world::{LiveBus, LiveRule};
use std::collections::BTreeSet;

/// Rules that nobody asks for: those with both our marks go, others stay; on our buses they are told.
pub(super) fn unwanted_rules(diff: &mut Diff<'_>, bus: &BusId, live_bus: &LiveBus) {
    let desired = diff.desired;
    // On a spoke's bus the team's own rules are its business; on a hub's, whoever reads along should be known.
    let ours_to_judge = desired.buses.get(bus).is_some_and(|wanted| wanted.team.is_none());
    for (name, live) in &live_bus.rules {
        let rule = RuleId { bus: bus.clone(), name: name.clone() };
        if desired.rules.contains_key(&rule) {
            continue;
        }
        let resource = ResourceId::Rule(rule.clone());
        match own::of_rule(desired, &rule, live) {
            Ownership::Copied => diff.copied(resource),
            Ownership::Marked(_) => surplus_rule(diff, &rule, live, resource),
            Ownership::Managed(service) if ours_to_judge && !name.starts_with("Events-Archive-") => {
                let detail = format!("managed by {service}, left as it is");
                diff.find(resource, FindingCode::ForeignRule, Outcome::Left, detail, &Asked::default());
            }
            Ownership::MarkLost if Mark::read(&live.description).1.is_some() => diff.copied(resource),
            Ownership::MarkLost => {
                let detail = "nobody asks for it, its tag says that it is ours and its description does not: both are needed to take it away".to_owned();
                diff.find(resource, FindingCode::RuleSurplus, Outcome::Left, detail, &Asked::default());
            }
            Ownership::Other(_) | Ownership::Unmarked | Ownership::Unknown if ours_to_judge => {
                let by = live.created_by.as_ref().filter(|by| **by != bus.scope.account.to_string());
                let by = by.map(|account| format!(", made by account {account}")).unwrap_or_default();
                let detail = format!("not ours{by}, left as it is");
                diff.find(resource, FindingCode::ForeignRule, Outcome::Left, detail, &Asked::default());
            }
            _ => {}
        }
    }
}

fn surplus_rule(diff: &mut Diff<'_>, rule: &RuleId, live: &LiveRule, resource: ResourceId) {
    let code = FindingCode::RuleSurplus;
    // Whose it was its tag says: what holds for a team holds for what is taken away from it, too.
    let team = live.tags.as_ref().and_then(|tags| tags.get(TEAM_TAG)?.parse().ok());
    let asked = Asked { routes: diff.index.replaced(rule, live, diff.desired), team, origin: None };
    if diff.is_newer(live.mark(rule).as_ref()) {
        return diff.left_to_newer(resource, &asked);
    }
    if let Some(why) = kept::why(diff.desired, rule, live) {
        return diff.find(resource, code, Outcome::Waiting, why, &asked);
    }
    match own::tagged(&diff.desired.owner, live.tags.as_ref()) {
        Some(true) => {}
        Some(false) => {
            let detail = format!(
                "its description bears our mark and its tag {OWNER_TAG} does not: both are needed to take it away"
            );
            return diff.find(resource, code, Outcome::Left, detail, &asked);
        }
        None => return diff.find(resource, code, Outcome::Waiting, "its tags were not read".into(), &asked),
    }
    let Some(targets) = &live.targets else {
        return diff.find(resource, code, Outcome::Waiting, "its targets were not read".into(), &asked);
    };
    let is_ours = |id: &str| is_our_target(&diff.desired.owner, live.tags.as_ref(), id);
    let (ours, foreign): (Few<_, _>, Few<_, _>) = targets.clone().into_iter().partition(|(id, _)| is_ours(id));
    if !ours.is_empty() {
        remove_targets(diff, rule, ours, &asked);
    }
    let detail = "nobody asks for it any more".to_owned();
    for id in foreign.keys() {
        let text = "not ours, left as it is, and the rule with it".to_owned();
        diff.find(
            ResourceId::Target(rule.clone(), id.clone()),
            FindingCode::ForeignTarget,
            Outcome::Left,
            text,
            &asked,
        );
    }
    let change = Change {
        action: Action::DeleteRule { rule: rule.clone() },
        seen: seen_rule(live),
        cause: Cause::Intent,
        codes: BTreeSet::from([code]),
        held_by: (!foreign.is_empty()).then_some(Guard::ForeignTargets),
        detail: vec![detail],
    };
    diff.take_away(change, &asked);
}
