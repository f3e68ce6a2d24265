//! Does it fit: rules and wildcard rules of a bus, characters of patterns and of policies, tags.

use crate::config::diagnostic::{Diagnostic, DiagnosticCode, Sink};
use crate::config::index::Index;
use crate::config::source::Place;
use crate::eventbridge::quota;
use crate::expand::grants::{hub_grantees, policy_characters};
use crate::model::desired::Desired;
use crate::model::mark::PEOPLES_TAGS_MAX;
use crate::model::resource::{BusId, RuleId};
use crate::model::topology::{HubQuotas, Tags, Topology};
use std::collections::BTreeMap;

pub(super) fn check(topology: &Topology, desired: &Desired, index: &Index<'_>, sink: &Sink) {
    rules(desired, index, sink);
    policies(topology, desired, index, sink);
    patterns(desired, index, sink);
    tags(desired, index, sink);
}

fn rules(desired: &Desired, index: &Index<'_>, sink: &Sink) {
    let mut by_bus: BTreeMap<&BusId, (usize, usize)> = BTreeMap::new();
    for (rule, wanted) in &desired.rules {
        let (all, wildcards) = by_bus.entry(&rule.bus).or_default();
        *all += 1;
        *wildcards += usize::from(wanted.spec.pattern.wildcard_count() > 0);
    }
    for (bus, (all, wildcards)) in by_bus {
        let Some(place) = bus_place(bus, desired, index) else { continue };
        let quotas = quotas(bus, desired);
        if all > quotas.rules_max {
            let message = format!("bus `{}` would have {all} rules, {} are allowed", bus.name, quotas.rules_max);
            sink.push(
                Diagnostic::error(DiagnosticCode::TooManyRules, &place, message)
                    .label(format!("in {}", bus.scope.region))
                    .help("ask AWS to raise the quota `Rules` for this account and Region, then write it down: `quotas = { rules-max = … }`")
                    .help("or spread the teams over two hubs"),
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
                    .help("use `prefix` and `suffix` instead of `wildcard` where they do"),
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
        sink.push(
            diagnostic.help("ask AWS to raise the quota, then write it down: `quotas = { policy-characters-max = … }`"),
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

fn tags(desired: &Desired, index: &Index<'_>, sink: &Sink) {
    let report = |tags: &Tags, place: Option<Place>, what: &str| {
        let count = tags.keys().filter(|key| !key.starts_with("wheelwright:")).count();
        let Some(place) = place.filter(|_| count > PEOPLES_TAGS_MAX) else { return };
        let message = format!("{what} would bear {count} tags, {PEOPLES_TAGS_MAX} are allowed");
        sink.push(
            Diagnostic::error(DiagnosticCode::BadTag, &place, message)
                .label("the organisation's, the hub's, the team's and the spoke's tags come together here")
                .help("take some tags out"),
        );
    };
    for (bus, wanted) in &desired.buses {
        report(&wanted.spec.tags, bus_place(bus, desired, index), "this bus");
    }
    for (rule, wanted) in &desired.rules {
        report(&wanted.spec.tags, rule_place(rule, desired, index), "this rule");
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
