//! Does it fit: rules and wildcard rules of a bus, characters of patterns and of policies, tags.

use crate::config::diagnostic::{Diagnostic, DiagnosticCode, Sink};
use crate::config::index::Index;
use crate::config::source::Place;
use crate::eventbridge::quota;
use crate::expand::grants::{hub_grantees, policy_characters};
use crate::model::desired::Desired;
use crate::model::ids::TeamName;
use crate::model::mark::PEOPLES_TAGS_MAX;
use crate::model::resource::{BusId, RuleId};
use crate::model::topology::{HubQuotas, Tags, Team, Topology};
use std::collections::{BTreeMap, BTreeSet};

pub(super) fn check(topology: &Topology, desired: &Desired, index: &Index<'_>, sink: &Sink) {
    rules(desired, index, sink);
    policies(topology, desired, index, sink);
    patterns(desired, index, sink);
    tags(topology, index, sink);
}

/// Whose the rules on a bus are, and those of them that have wildcards; none for a hub's own.
#[derive(Default)]
struct OnBus<'d> {
    rules: Vec<Option<&'d TeamName>>,
    wildcards: Vec<Option<&'d TeamName>>,
}

fn rules(desired: &Desired, index: &Index<'_>, sink: &Sink) {
    let mut by_bus: BTreeMap<&BusId, OnBus<'_>> = BTreeMap::new();
    for (rule, wanted) in &desired.rules {
        let on_bus = by_bus.entry(&rule.bus).or_default();
        on_bus.rules.push(wanted.team.as_ref());
        on_bus.wildcards.extend((wanted.spec.pattern.wildcard_count() > 0).then_some(wanted.team.as_ref()));
    }
    // Which of them is one too many the files do not say: those whose rules they are stay as they are.
    let teams = |rules: &[Option<&TeamName>]| rules.iter().flatten().map(|team| (*team).clone()).collect::<Vec<_>>();
    for (bus, on_bus) in by_bus {
        let (all, wildcards) = (on_bus.rules.len(), on_bus.wildcards.len());
        let Some(place) = bus_place(bus, desired, index) else { continue };
        let quotas = quotas(bus, desired);
        if all > quotas.rules_max {
            let message = format!("bus `{}` would have {all} rules, {} are allowed", bus.name, quotas.rules_max);
            sink.push(
                Diagnostic::error(DiagnosticCode::TooManyRules, &place, message)
                    .label(format!("in {}", bus.scope.region))
                    .help("ask AWS to raise the quota `Rules` for this account and Region, then write it down: `quotas = { rules-max = … }`")
                    .help("or spread the teams over two hubs")
                    .concerning(teams(&on_bus.rules)),
            );
        }
        if wildcards > quota::WILDCARD_RULES_PER_BUS {
            let message = format!(
                "bus `{}` would have {wildcards} rules with wildcards, {} are allowed",
                bus.name,
                quota::WILDCARD_RULES_PER_BUS
            );
            sink.push(
                Diagnostic::error(DiagnosticCode::TooManyWildcards, &place, message)
                    .label("AWS does not raise this one")
                    .help("use `prefix` and `suffix` instead of `wildcard` where they do")
                    .concerning(teams(&on_bus.wildcards)),
            );
        }
    }
}

fn policies(topology: &Topology, desired: &Desired, index: &Index<'_>, sink: &Sink) {
    for (name, hub) in &topology.hubs {
        let grantees = hub_grantees(topology, &desired.owner, name, hub);
        let characters = policy_characters(&desired.owner, hub, &grantees);
        let most = hub.quotas.policy_characters_max;
        if characters <= most {
            continue;
        }
        let Some(entry) = index.hubs.get(name.as_str()) else { continue };
        let place = entry.body.as_ref().map_or(&entry.place, |raw| &raw.grant.place);
        let message = format!("the policy of hub `{name}` would have {characters} characters, {most} are allowed");
        let mut diagnostic =
            Diagnostic::error(DiagnosticCode::PolicyTooLong, place, message).label(match grantees.len() {
                1 => "one statement lets publishers in".to_owned(),
                count => format!("{count} accounts publish here, each with a statement"),
            });
        if topology.organization.is_none() && grantees.len() > 1 {
            diagnostic = diagnostic.help("add `[organization]` with `id = \"o-…\"`: one statement then lets all its accounts in, and rules stay pinned to who publishes");
        }
        let publishes =
            |team: &&Team| team.publications.values().any(|publication| publication.hubs.contains_key(name));
        let teams = topology.teams.iter().filter(|(_, team)| publishes(team)).map(|(team, _)| team.clone());
        sink.push(
            diagnostic
                .help("ask AWS to raise the quota, then write it down: `quotas = { policy-characters-max = … }`")
                .concerning(teams),
        );
    }
}

fn patterns(desired: &Desired, index: &Index<'_>, sink: &Sink) {
    for (rule, wanted) in &desired.rules {
        let characters = wanted.spec.pattern.to_string().chars().count();
        let most = quotas(&rule.bus, desired).pattern_characters_max;
        if characters <= most {
            continue;
        }
        let Some(place) = rule_place(rule, desired, index) else { continue };
        let message = format!("the pattern of this rule would have {characters} characters, {most} are allowed");
        sink.push(
            Diagnostic::error(DiagnosticCode::PatternTooLong, &place, message)
                .label(wanted.spec.description.clone())
                .help("split it in two, each with some of the conditions or publishers")
                .help(format!(
                    "or ask AWS to raise the quota (up to {}), then write it down: `quotas = {{ pattern-characters-max = … }}`",
                    quota::PATTERN_CHARACTERS_MAX
                )),
        );
    }
}

/// Tags that come together on one thing, told where they are one too many: at the organisation, or else at a hub, or else at
/// a team, and not at each thing that bears them.
fn tags(topology: &Topology, index: &Index<'_>, sink: &Sink) {
    let count = |sets: &[&Tags]| sets.iter().flat_map(|set| set.keys()).collect::<BTreeSet<_>>().len();
    let report = |place: Option<&Place>, what: &str, count: usize, whose: &str| {
        let Some(place) = place.filter(|_| count > PEOPLES_TAGS_MAX) else { return false };
        let message = format!("{what} would bear {count} tags, {PEOPLES_TAGS_MAX} are allowed");
        let label = format!("the tags of {whose}");
        sink.push(Diagnostic::error(DiagnosticCode::BadTag, place, message).label(label).help("take some of them out"));
        true
    };
    let of_all = &topology.tags;
    if report(index.raw.tags_place.as_ref(), "everything", count(&[of_all]), "the organisation, on everything") {
        return;
    }
    for (name, hub) in &topology.hubs {
        let place = index.hubs.get(name.as_str()).map(|entry| &entry.place);
        report(place, "this bus", count(&[of_all, &hub.tags]), "the organisation and of this hub together");
    }
    for (name, team) in &topology.teams {
        let place = index.teams.get(name.as_str()).map(|entry| &entry.place);
        if report(place, "its rules", count(&[of_all, &team.tags]), "the organisation and of this team together") {
            continue;
        }
        for (spoke_name, spoke) in &team.spokes {
            let place = index.spokes.get(&format!("{name}.{spoke_name}")).map(|entry| &entry.place);
            let count = count(&[of_all, &team.tags, &spoke.tags]);
            report(place, "this bus", count, "the organisation, the team and of this spoke together");
        }
        let hubs: BTreeSet<_> = team.subscriptions.values().map(|subscription| &subscription.hub).collect();
        for (hub_name, hub) in hubs.into_iter().filter_map(|name| Some((name, topology.hubs.get(name)?))) {
            if count(&[of_all, &hub.tags]) <= PEOPLES_TAGS_MAX {
                let whose = format!("the organisation, of hub `{hub_name}` and of this team together");
                report(place, "its rules", count(&[of_all, &hub.tags, &team.tags]), &whose);
            }
        }
    }
}

fn quotas(bus: &BusId, desired: &Desired) -> HubQuotas {
    desired.quotas.get(bus).copied().unwrap_or_else(|| HubQuotas {
        rules_max: quota::rules_per_bus(bus.scope.region.as_str()),
        policy_characters_max: quota::POLICY_CHARACTERS,
        pattern_characters_max: quota::PATTERN_CHARACTERS,
        calls_per_second_max: None,
    })
}

/// Where a bus was written: its hub's or its spoke's entry.
fn bus_place(bus: &BusId, desired: &Desired, index: &Index<'_>) -> Option<Place> {
    match desired.buses.get(bus) {
        Some(wanted) => index.place_of(&wanted.origin).cloned(),
        // A default bus is nobody's entry: the first rule on it says who wants it there.
        None => desired.rules.keys().find(|rule| rule.bus == *bus).and_then(|rule| rule_place(rule, desired, index)),
    }
}

/// Where a rule was written: its subscription's, publication's or hub's entry.
fn rule_place(rule: &RuleId, desired: &Desired, index: &Index<'_>) -> Option<Place> {
    index.place_of(&desired.rules.get(rule)?.origin).cloned()
}
