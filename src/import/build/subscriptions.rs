//! Rules on hubs to subscriptions.

use super::{Builder, Names, destination_account, may_take, named_as_ours, told_subscription};
use crate::eventbridge::Arn;
use crate::import::draft::Subscription;
use crate::import::facts::scope_of;
use crate::import::shape::Shape;
use crate::model::ids::{HubName, PublicationId, Scope, SpokeName, TeamName};
use crate::model::mark::{Mark, rule_name, target_id};
use crate::model::resource::{ResourceId, RuleId, TargetSpec};
use crate::model::topology::{Keeps, KeptName};
use crate::model::world::LiveRule;
use std::collections::BTreeSet;

/// A rule on a hub that is to become a subscription.
pub(super) struct Wanted<'w> {
    pub(super) rule: RuleId,
    pub(super) live: &'w LiveRule,
    pub(super) shape: Shape<'w>,
    pub(super) hub: HubName,
    pub(super) team: TeamName,
    /// The publication that its description names, if it is ours.
    pub(super) from: Option<PublicationId>,
    /// The name that its description, or its own name, gives it.
    name: Option<String>,
    spoke: SpokeName,
}

/// What a rule's target delivers to, as `deliver` says it.
fn kind_of(arn: &Arn) -> Option<(&'static str, String)> {
    Some(match arn.service.as_str() {
        "sqs" => ("queue", arn.resource.clone()),
        "lambda" => ("function", arn.resource.strip_prefix("function:")?.to_owned()),
        "sns" => ("topic", arn.resource.clone()),
        "kinesis" => ("stream", arn.resource.strip_prefix("stream/")?.to_owned()),
        "execute-api" => ("api", String::new()),
        _ => return None,
    })
}

impl<'w> Builder<'w> {
    /// The rules on hubs that can be said, each with its team and spoke.
    pub(super) fn subscriptions(&mut self) -> Vec<Wanted<'w>> {
        let hubs: Vec<_> = self.hubs.iter().map(|(bus, name)| (bus.clone(), name.clone())).collect();
        let mut wanted = Vec::new();
        for (bus, hub) in hubs {
            let facts = self.facts;
            for (rule, live) in facts.rules_on(&bus) {
                if self.is_audit(&hub, rule, live) || !may_take(self, rule, live) {
                    continue;
                }
                match Shape::of(live) {
                    Ok(shape) => wanted.extend(self.wanted(&hub, rule, live, shape)),
                    Err((why, what_to_do)) => self.leave(ResourceId::Rule(rule.clone()), why, what_to_do),
                }
            }
        }
        wanted
    }

    /// Whether a rule is the hub's audit: then it is noted as that.
    fn is_audit(&mut self, hub: &HubName, rule: &RuleId, live: &LiveRule) -> bool {
        let says = format!("Everything that is published at hub {hub}, to its audit queue");
        let is_audit = self.facts.is_marked(rule, live) && Mark::read(&live.description).0 == says;
        let mut targets = live.targets.iter().flatten();
        if let (true, Some((_, target))) = (is_audit, targets.next())
            && let Some(hub) = self.draft.hubs.get_mut(hub)
        {
            hub.audit_queue = Some(target.spec.arn.clone());
        }
        is_audit
    }

    fn wanted(&mut self, hub: &HubName, rule: &RuleId, live: &'w LiveRule, shape: Shape<'w>) -> Option<Wanted<'w>> {
        let resource = ResourceId::Rule(rule.clone());
        let arn = shape.target.spec.arn.clone();
        let told = self.facts.is_marked(rule, live).then(|| told_subscription(live)).flatten();
        let bus = shape.target_bus();
        if bus.as_ref().is_some_and(|bus| self.hubs.contains_key(bus)) {
            let why = "it delivers to another hub, and an event that was forwarded once is not forwarded again";
            self.leave(resource, why, "subscribe at the hub where the events are put");
            return None;
        }
        let parsed = arn.parse::<Arn>().ok();
        if bus.is_none() && parsed.as_ref().and_then(kind_of).is_none() {
            let service = parsed.map_or(arn, |arn| arn.service);
            let why =
                format!("it delivers to `{service}`: buses, queues, functions, topics, streams and APIs can be said");
            self.leave(resource, why, "leave it with whoever keeps it, or deliver by way of a queue");
            return None;
        }
        if shape.target.spec.role_arn.as_deref().is_some_and(|role| self.kept_role(&rule.bus.scope, role).is_err()) {
            self.leave(
                resource,
                "its target's role is another account's",
                "give the target a role of the rule's account",
            );
            return None;
        }
        let account = destination_account(&arn)?;
        let by_name = named_as_ours(rule);
        let team = match (&told, &by_name) {
            (Some((_, to)), _) => to.team.clone(),
            (None, Some((team, _))) if self.facts_know(team) => team.clone(),
            _ => self.team_of(account)?,
        };
        let name = told.as_ref().map(|(_, to)| to.name.to_string()).or(by_name.map(|(_, name)| name));
        let told_spoke = || self.spoke_by_name(hub, rule, &team, name.as_deref()?);
        let spoke = match (told_spoke(), &bus) {
            (Some(spoke), None) => spoke,
            _ => self.spoke(&team, hub, account, bus.as_ref())?,
        };
        let from = told.map(|(from, _)| from);
        if let Some(name) = &name {
            self.takes(Names::Subscriptions(team.clone()), name);
        }
        Some(Wanted { rule: rule.clone(), live, shape, hub: hub.clone(), team, from, name, spoke })
    }

    /// Whether something else speaks of this team: then a rule's name may, too.
    fn facts_know(&self, team: &TeamName) -> bool {
        self.draft.teams.contains_key(team) || self.team_of_account.values().any(|known| known == team)
    }

    /// The spoke of the team that a rule's name was made with: it holds a digest over it.
    fn spoke_by_name(&self, hub: &HubName, rule: &RuleId, team: &TeamName, name: &str) -> Option<SpokeName> {
        let spokes = self.draft.teams.get(team)?.spokes.iter().filter(|(_, spoke)| spoke.hub == *hub);
        let mut names = spokes.map(|(spoke, _)| spoke.clone());
        names.find(|spoke| self.delivery_name(hub, team, spoke, name) == rule.name)
    }

    /// The name that the topology would give the rule.
    fn delivery_name(&self, hub: &HubName, team: &TeamName, spoke: &SpokeName, name: &str) -> String {
        let owner = self.facts.settings.operator.owner.as_str();
        rule_name(team.as_str(), name, &[owner, hub.as_str(), team.as_str(), spoke.as_str(), name, "deliver"])
    }

    /// Adds the subscriptions, whose publications are known now.
    pub(super) fn add_subscriptions(&mut self, wanted: Vec<Wanted<'w>>) {
        for found in wanted {
            let rule = ResourceId::Rule(found.rule.clone());
            match self.subscription(&found) {
                Ok((name, subscription)) => {
                    self.team(&found.team).subscriptions.insert(name, subscription);
                }
                Err(why) => {
                    self.leave(rule, why, "leave it with whoever keeps it, or write a subscription in its place");
                }
            }
        }
    }

    fn subscription(&mut self, found: &Wanted<'w>) -> Result<(String, Subscription), String> {
        let Wanted { rule, live, shape, hub, team, spoke, .. } = found;
        let from = match &found.from {
            Some(from) => (from.team.clone(), from.name.to_string()),
            None => {
                let known = self.by_source.get(&(hub.clone(), shape.source.clone()));
                known.cloned().ok_or("who publishes this cannot be told")?
            }
        };
        let name = match &found.name {
            Some(name) => name.clone(),
            None => self.named(Names::Subscriptions(team.clone()), &[&rule.name], "rule"),
        };
        let publication = self.draft.teams.get(&from.0).and_then(|team| team.publications.get(&from.1));
        let publication = publication.ok_or("who publishes this cannot be told")?;
        let types = if shape.types == publication.types { BTreeSet::new() } else { shape.types.clone() };
        let asked = if types.is_empty() { &publication.types } else { &types };
        let accounts = publication.hubs.get(hub).cloned().unwrap_or_default();
        let mut notes = Vec::new();
        let pattern = self.kept_pattern(live, shape, &accounts, asked)?;
        if pattern.is_some() && shape.accounts.is_empty() {
            notes.push("Its pattern takes events of every account that the hub lets in; without `keeps.pattern`, those of the publisher alone.".to_owned());
        }
        if !live.description.is_empty() && !self.facts.is_marked(rule, live) {
            notes.insert(0, format!("It was described as: {}", live.description));
        }
        let own = self.draft.teams.get(team).and_then(|team| team.spokes.get(spoke));
        let own = own.map(|spoke| Scope { account: spoke.account_id, region: spoke.region.clone() });
        let mut keeps = self.keeps(&rule.bus.scope, shape);
        keeps.pattern = pattern;
        if self.delivery_name(hub, team, spoke, &name) != rule.name {
            keeps.rule = Some(rule.name.clone());
        }
        // A subscription has a key of its own for it.
        let dead_letter = match keeps.dead_letter.take() {
            Some(KeptName::Named(queue)) => Some(queue),
            other => {
                keeps.dead_letter = other;
                None
            }
        };
        let subscription = Subscription {
            from,
            hub: hub.clone(),
            spoke: spoke.clone(),
            types,
            filter: shape.filter.clone(),
            deliver: if shape.target_bus().is_some() { None } else { deliver(&shape.target.spec, own.as_ref()) },
            delivers_replays: !shape.ignores_replays,
            dead_letter,
            retry: shape.target.spec.retry,
            keeps,
            is_stopped: !shape.is_enabled,
            notes,
            rule: ResourceId::Rule(rule.clone()),
        };
        Ok((name, subscription))
    }

    /// The live pattern, if it is another than the topology's and takes all of that.
    pub(super) fn kept_pattern(
        &self,
        live: &LiveRule,
        shape: &Shape<'_>,
        accounts: &BTreeSet<crate::model::ids::AccountId>,
        types: &BTreeSet<String>,
    ) -> Result<Option<crate::eventbridge::Pattern>, String> {
        let asked = crate::eventbridge::Pattern::from_value(&shape.pattern_for(accounts, types));
        let asked = asked.map_err(|error| error.to_string())?;
        let live = live.pattern.as_ref().and_then(|pattern| pattern.parsed.clone()).ok_or("it has no pattern")?;
        if live.same_meaning(&asked) {
            return Ok(None);
        }
        if live.covers(&asked) {
            return Ok(Some(live));
        }
        Err(format!("its pattern takes less than what is published, or other events: {live}, and published is {asked}"))
    }

    /// What a rule's target keeps of its own; the caller adds the rule's name and pattern.
    pub(super) fn keeps(&self, scope: &Scope, shape: &Shape<'_>) -> Keeps {
        let spec = &shape.target.spec;
        let settings = self.facts.settings;
        let account = scope.account.to_string();
        let usual_role = Arn::role(scope.region.partition(), &account, &settings.delivery.role_name).to_string();
        let usual_queue = Arn::queue(scope.region.as_str(), &account, &settings.delivery.dead_letter_queue).to_string();
        let role = match &spec.role_arn {
            None => Some(KeptName::Nothing),
            Some(role) if *role == usual_role => None,
            Some(role) => self.kept_role(scope, role).ok().map(KeptName::Named),
        };
        let dead_letter = match &spec.dead_letter_arn {
            None => Some(KeptName::Nothing),
            Some(queue) if *queue == usual_queue => None,
            Some(queue) => Some(KeptName::Named(short(queue, Some(scope)))),
        };
        let own_id = target_id(&settings.operator.owner, spec);
        let target = (own_id != shape.target_id).then(|| shape.target_id.to_owned());
        Keeps { rule: None, target, pattern: None, role, dead_letter }
    }

    /// A role's name and path, if it is of the rule's account.
    pub(super) fn kept_role(&self, scope: &Scope, role: &str) -> Result<String, ()> {
        let arn: Arn = role.parse().map_err(|_| ())?;
        let name = arn.resource.strip_prefix("role/").ok_or(())?.to_owned();
        let usual = Arn::role(scope.region.partition(), &scope.account.to_string(), &name);
        if usual == arn { Ok(name) } else { Err(()) }
    }
}

/// `deliver`, by name where the destination is in the spoke's account and Region.
fn deliver(spec: &TargetSpec, own: Option<&Scope>) -> Option<(&'static str, String)> {
    let arn: Arn = spec.arn.parse().ok()?;
    let (kind, name) = kind_of(&arn)?;
    let is_near = scope_of(&spec.arn).as_ref() == own && kind != "api";
    // A name with more in it than a name is safest written out.
    let is_plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    Some((kind, if is_near && is_plain { name } else { spec.arn.clone() }))
}

/// A queue by its name, where it is in `own`.
pub(super) fn short(arn: &str, own: Option<&Scope>) -> String {
    let is_near = scope_of(arn).as_ref() == own;
    let name = arn.parse::<Arn>().ok().and_then(|arn| arn.queue_name().map(str::to_owned));
    name.filter(|_| is_near).unwrap_or_else(|| arn.to_owned())
}
