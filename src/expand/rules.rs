//! Forward rules on spokes' buses, delivery and audit rules on hubs', and the routes that they make.

use super::{Context, accounts_at, pattern, publishing_accounts};
use crate::eventbridge::{Arn, DEFAULT_BUS, Pattern};
use crate::model::desired::{Desired, StoppedRoute, Wanted};
use crate::model::few::{Few, tight};
use crate::model::ids::{AccountId, HubName, PublicationId, Scope, SpokeName, SubscriptionId, TeamName};
use crate::model::mark::{rule_name, target_id, target_tag};
use crate::model::resource::{BusId, RuleId, RuleSpec, RuleState, TargetSpec};
use crate::model::route::{Consumer, Route, RouteId};
use crate::model::topology::{Destination, Hub, Keeps, KeptName, Publication, Spoke, Subscription, Tags, Team, Via};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Adds all rules and routes.
pub(super) fn add(context: &Context<'_>, desired: &mut Desired) {
    let mut forwards = BTreeMap::new();
    for (team_name, team) in &context.topology.teams {
        for (id, publication) in &team.publications {
            if publication.via == Via::Spoke {
                add_forwards(context, team_name, team, id, publication, &mut forwards, desired);
            }
        }
    }
    for (team_name, team) in &context.topology.teams {
        for (id, subscription) in &team.subscriptions {
            add_subscription(context, team_name, team, id, subscription, &forwards, desired);
        }
    }
    for (name, hub) in &context.topology.hubs {
        add_audit(context, name, hub, &forwards, desired);
    }
    name_forwarded_routes(desired);
}

/// The forward rules of a publication at a hub.
type Forwards = BTreeMap<(PublicationId, HubName), Vec<RuleId>>;

fn add_forwards(
    context: &Context<'_>,
    team_name: &TeamName,
    team: &Team,
    id: &PublicationId,
    publication: &Publication,
    forwards: &mut Forwards,
    desired: &mut Desired,
) {
    for (hub_name, spokes) in &publication.hubs {
        let Some(hub) = context.topology.hubs.get(hub_name) else { continue };
        for from in forwarders(team, publication, spokes, hub) {
            let Some(pattern) = parse(&pattern::forward(from.bus.scope.account, publication)) else { continue };
            let keeps = &publication.keeps;
            let pattern = keeps.pattern.clone().unwrap_or(pattern);
            // A renamed publication keeps the rules that it first had.
            let PublicationId { team: rule_team, name: rule_id } = &publication.rule_identity;
            let identity = [
                context.owner.as_str(),
                hub_name.as_str(),
                rule_team.as_str(),
                from.identity.as_str(),
                rule_id.as_str(),
                if publication.collect.is_some() { "collect" } else { "forward" },
            ];
            let target = target_spec(context, &from.bus.scope, Context::hub_bus(hub).arn(), None, keeps);
            let name = rule_name(rule_team.as_str(), rule_id.as_str(), &identity);
            let rule = RuleId { bus: from.bus, name: keeps.rule.clone().unwrap_or(name) };
            let spec = RuleSpec {
                description: format!("{id} to hub {hub_name}"),
                pattern: pattern.at_rest(),
                state: RuleState::Enabled,
                tags: kept_tags(keeps, context.tags(Some(team_name), &[&team.tags, from.tags.unwrap_or(&Tags::new())])),
                targets: tight(Few::from_iter([(id_of(context, &target, keeps), target)])),
            };
            let (origin, team) = (publication.origin.clone(), Some(team_name.clone()));
            let wanted = Wanted::new(spec, origin, team, BTreeSet::new());
            forwards.entry((id.clone(), hub_name.clone())).or_default().push(rule.clone());
            desired.rules.insert(rule, wanted);
        }
    }
}

/// A bus whose rule forwards a publication to a hub.
pub(super) struct Forwarder<'a> {
    pub(super) bus: BusId,
    /// What tells the rule from those of other forwarders of the same publication: the spoke's name, or the scope.
    identity: String,
    tags: Option<&'a Tags>,
}

/// The buses that forward: the spokes', or, of AWS services' own events, the default buses of the accounts.
pub(super) fn forwarders<'a>(
    team: &'a Team,
    publication: &Publication,
    spokes: &BTreeSet<SpokeName>,
    hub: &Hub,
) -> Vec<Forwarder<'a>> {
    let Some(collect) = &publication.collect else {
        let of_spoke = |name: &SpokeName| {
            let spoke = team.spokes.get(name)?;
            Some(Forwarder { bus: Context::spoke_bus(spoke)?, identity: name.to_string(), tags: Some(&spoke.tags) })
        };
        return spokes.iter().filter_map(of_spoke).collect();
    };
    let hubs_own = BTreeSet::from([hub.scope.region.clone()]);
    let regions = if collect.regions.is_empty() { &hubs_own } else { &collect.regions };
    let scopes = publication
        .accounts
        .iter()
        .flat_map(|account| regions.iter().map(|region| Scope { account: *account, region: region.clone() }));
    scopes
        .map(|scope| Forwarder {
            identity: scope.to_string(),
            bus: BusId { scope, name: DEFAULT_BUS.to_owned() },
            tags: None,
        })
        .collect()
}

fn add_subscription(
    context: &Context<'_>,
    team_name: &TeamName,
    team: &Team,
    id: &SubscriptionId,
    subscription: &Subscription,
    forwards: &Forwards,
    desired: &mut Desired,
) {
    let Some(hub) = context.topology.hubs.get(&subscription.hub) else { return };
    let Some(spoke) = team.spokes.get(&subscription.spoke) else { return };
    let Some(publisher) = context.topology.teams.get(&subscription.from.team) else { return };
    let Some(publication) = publisher.publications.get(&subscription.from) else { return };
    let accounts = publishing_accounts(publisher, publication, &subscription.hub);
    let Some(pattern) = parse(&pattern::subscription(&accounts, publication, subscription)) else { return };
    let keeps = &subscription.keeps;
    let pattern = keeps.pattern.clone().unwrap_or(pattern);
    let Some((destination_bus, target)) = delivery(context, hub, spoke, subscription) else { return };
    // A renamed subscription keeps the rule that it first had.
    let SubscriptionId { team: rule_team, name: rule_id } = &subscription.rule_identity;
    let identity = [
        context.owner.as_str(),
        subscription.hub.as_str(),
        rule_team.as_str(),
        subscription.spoke.as_str(),
        rule_id.as_str(),
        "deliver",
    ];
    let name = rule_name(rule_team.as_str(), rule_id.as_str(), &identity);
    let rule = RuleId { bus: Context::hub_bus(hub), name: keeps.rule.clone().unwrap_or(name) };
    let target_id = id_of(context, &target, keeps);
    let route_id =
        RouteId { consumer: Consumer::Subscription(id.clone()), publication: Some(subscription.from.clone()) };
    let route = Route {
        hub: subscription.hub.clone(),
        hub_bus: rule.bus.clone(),
        publisher: Some(subscription.from.team.clone()),
        publisher_accounts: accounts.into_iter().collect(),
        via: publication.via,
        forward_rules: forwards
            .get(&(subscription.from.clone(), subscription.hub.clone()))
            .cloned()
            .unwrap_or_default(),
        rule: rule.clone(),
        target_id: target_id.clone(),
        destination_arn: target.arn.clone(),
        destination_bus,
        origin: subscription.origin.clone(),
    };
    let is_stopped = subscription.stop.as_ref().is_some_and(|stop| context.now < stop.until);
    if let Some(stop) = &subscription.stop {
        desired.stops.push(StoppedRoute {
            route: route_id.clone(),
            rule: rule.clone(),
            team: team_name.clone(),
            stop: stop.clone(),
            is_active: is_stopped,
        });
    }
    let spec = RuleSpec {
        description: format!("{} to {id}", subscription.from),
        pattern: pattern.at_rest(),
        state: if is_stopped { RuleState::Disabled } else { RuleState::Enabled },
        tags: kept_tags(keeps, context.tags(Some(team_name), &[&hub.tags, &team.tags])),
        targets: tight(Few::from_iter([(target_id, target)])),
    };
    let origin = subscription.origin.clone();
    let routes = [route_id.clone()].into();
    desired.rules.insert(rule, Wanted::new(spec, origin, Some(team_name.clone()), routes));
    desired.routes.insert(route_id, route);
}

/// Where a subscription's events go: the bus if it is one, and the target.
fn delivery(
    context: &Context<'_>,
    hub: &Hub,
    spoke: &Spoke,
    subscription: &Subscription,
) -> Option<(Option<BusId>, TargetSpec)> {
    let dead_letter = subscription.dead_letter.clone();
    match &subscription.deliver {
        Destination::Bus => {
            let bus = Context::spoke_bus(spoke)?;
            let target = target_spec(context, &hub.scope, bus.arn(), dead_letter, &subscription.keeps);
            Some((Some(bus), target))
        }
        Destination::Queue(arn)
        | Destination::Function(arn)
        | Destination::Topic(arn)
        | Destination::Stream(arn)
        | Destination::Api(arn) => {
            let target = target_spec(context, &hub.scope, arn.clone(), dead_letter, &subscription.keeps);
            Some((None, TargetSpec { retry: subscription.retry, ..target }))
        }
    }
}

fn add_audit(context: &Context<'_>, name: &HubName, hub: &Hub, forwards: &Forwards, desired: &mut Desired) {
    let Some(queue) = &hub.audit_queue else { return };
    let accounts = accounts_at(context.topology, name);
    if accounts.is_empty() {
        return; // Nobody publishes here yet: a pattern with an empty list of accounts would match nothing.
    }
    let Some(pattern) = parse(&pattern::audit(&accounts, hub.quotas.pattern_characters_max)) else { return };
    let identity = [context.owner.as_str(), name.as_str(), "hub", "", "audit", "audit"];
    let rule = RuleId { bus: Context::hub_bus(hub), name: rule_name("hub", "audit", &identity) };
    let target = target_spec(context, &hub.scope, queue.clone(), None, &Keeps::default());
    let target_id = target_id(context.owner, &target);
    let route_id = RouteId { consumer: Consumer::Audit(name.clone()), publication: None };
    let forward_rules =
        forwards.iter().filter(|((_, hub), _)| hub == name).flat_map(|(_, rules)| rules.clone()).collect();
    let route = Route {
        hub: name.clone(),
        hub_bus: rule.bus.clone(),
        publisher: None,
        publisher_accounts: accounts.into_iter().collect::<Vec<AccountId>>(),
        via: Via::Hub,
        forward_rules,
        rule: rule.clone(),
        target_id: target_id.clone(),
        destination_arn: target.arn.clone(),
        destination_bus: None,
        origin: hub.origin.clone(),
    };
    let spec = RuleSpec {
        description: format!("Everything that is published at hub {name}, to its audit queue"),
        pattern: pattern.at_rest(),
        state: RuleState::Enabled,
        tags: context.tags(None, &[&hub.tags as &Tags]),
        targets: tight(Few::from_iter([(target_id, target)])),
    };
    let routes = [route_id.clone()].into();
    desired.rules.insert(rule, Wanted::new(spec, hub.origin.clone(), None, routes));
    desired.routes.insert(route_id, route);
}

/// Tells each forward rule the routes that need it.
fn name_forwarded_routes(desired: &mut Desired) {
    for (id, route) in &desired.routes {
        for rule in &route.forward_rules {
            if let Some(wanted) = desired.rules.get_mut(rule) {
                wanted.routes.insert(id.clone());
            }
        }
    }
}

/// A target of a rule in `scope`, with that account's delivery role and, unless one is named, its dead-letter queue.
fn target_spec(
    context: &Context<'_>,
    scope: &Scope,
    arn: String,
    dead_letter: Option<String>,
    keeps: &Keeps,
) -> TargetSpec {
    let delivery = &context.settings.delivery;
    let Scope { account, region } = scope;
    let account = account.to_string();
    let role = |name: &str| Some(Arn::role(region.partition(), &account, name).to_string());
    let queue = |name: &str| Some(Arn::queue(region.as_str(), &account, name).to_string());
    TargetSpec {
        arn,
        role_arn: match &keeps.role {
            None => role(&delivery.role_name),
            Some(KeptName::Nothing) => None,
            Some(KeptName::Named(name)) => role(name),
        },
        dead_letter_arn: match (dead_letter, &keeps.dead_letter) {
            (Some(named), _) => Some(named),
            (None, None) => queue(&delivery.dead_letter_queue),
            (None, Some(KeptName::Nothing)) => None,
            (None, Some(KeptName::Named(arn))) if arn.starts_with("arn:") => Some(arn.clone()),
            (None, Some(KeptName::Named(name))) => queue(name),
        },
        retry: None,
    }
}

/// A target's Id: ours, or the one that it had before.
fn id_of(context: &Context<'_>, target: &TargetSpec, keeps: &Keeps) -> String {
    keeps.target.clone().unwrap_or_else(|| target_id(context.owner, target))
}

/// A rule's tags; one of them says which target became ours under an Id of before.
fn kept_tags(keeps: &Keeps, mut tags: Tags) -> Tags {
    tags.extend(keeps.target.as_deref().map(|id| (target_tag(id), "kept".to_owned())));
    tight(tags)
}

fn parse(value: &Value) -> Option<Pattern> {
    Pattern::from_value(value).ok()
}
