//! One event on its way: from the bus that it is put on, by rules and targets, as far as EventBridge carries it.

use super::question::Put;
use crate::eventbridge::{Arn, ArnOrAccount, Decision, PutEventsRequest};
use crate::model::ids::{AccountId, AccountName, Scope};
use crate::model::resource::{BusId, RuleId, TargetSpec};
use crate::model::world::{LiveBus, LiveRule, Observation, World};
use serde_json::Value;
use std::collections::BTreeMap;

/// Why a bus's policy keeps an event out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The bus.
    pub bus: BusId,
    /// Whom it keeps out.
    pub account: AccountId,
    /// The statement that denies, by its Sid (empty if it has none); none if merely no statement lets the account in.
    pub denied_by: Option<String>,
    /// What of the policy was not understood: with it the answer might be another.
    pub unknown: Vec<String>,
}

/// Why a target gets nothing of a rule that matched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotSent {
    /// The destination bus does not exist.
    NoBus(BusId),
    /// The destination bus's policy keeps it out.
    Refused(Refusal),
    /// The target is a bus and names no role.
    NoRole,
    /// It was forwarded before: within the Region (`true`) or to another Region (`false`) EventBridge forwards an event once
    /// (<https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-bus-to-bus.html>).
    Hop(bool),
    /// The target is a queue in another Region than the bus.
    OtherRegion,
    /// Something there was not read.
    Unread(String),
}

/// What a rule did with an event that it matched.
#[derive(Clone, Debug)]
pub(super) struct Sent {
    pub(super) rule: RuleId,
    pub(super) target_id: String,
    pub(super) arn: String,
    pub(super) outcome: Result<(), NotSent>,
}

/// All of an event's way.
#[derive(Clone, Debug, Default)]
pub(super) struct Journey {
    pub(super) event: Value,
    /// Why the first bus does not take it, if it does not.
    pub(super) put: Option<NotSent>,
    /// The buses that it came to, the first among them.
    pub(super) arrived: Vec<BusId>,
    /// The rules that it matched.
    pub(super) matched: Vec<RuleId>,
    /// What their targets got.
    pub(super) sent: Vec<Sent>,
}

/// How often an event was forwarded.
#[derive(Clone, Copy, Default)]
struct Hops {
    within_region: bool,
    across_regions: bool,
}

/// What an event goes through.
pub(super) struct Landscape<'a> {
    pub(super) world: &'a World,
    pub(super) organization: Option<&'a str>,
    /// The accounts that are in that organisation.
    pub(super) members: &'a BTreeMap<AccountId, AccountName>,
}

/// What is known of a bus.
pub(super) enum Bus<'a> {
    There(&'a LiveBus),
    Missing,
    /// And why.
    Unread(String),
}

impl Landscape<'_> {
    /// The way of an event that somebody puts on a bus.
    pub(super) fn follow(&self, put: &Put, event: Value) -> Journey {
        let mut journey = Journey { event, ..Journey::default() };
        if let Err(why) = self.lets_put(put, &journey.event) {
            journey.put = Some(why);
            return journey;
        }
        let mut ahead = vec![(put.bus.clone(), Hops::default())];
        // Each hop is made at most once of each kind, so this ends.
        while let Some((bus, hops)) = ahead.pop() {
            self.pass(&bus, hops, &mut journey, &mut ahead);
        }
        journey
    }

    fn pass(&self, id: &BusId, hops: Hops, journey: &mut Journey, ahead: &mut Vec<(BusId, Hops)>) {
        journey.arrived.push(id.clone());
        let Bus::There(live) = self.bus(id) else { return };
        for (name, rule) in &live.rules {
            // Rules that an AWS service made are its own business: an archive's, say.
            if rule.managed_by.is_some() || !matches(rule, &journey.event) {
                continue;
            }
            let rule_id = RuleId { bus: id.clone(), name: name.clone() };
            for (target_id, target) in rule.targets.iter().flatten() {
                let outcome = self.send(&rule_id, &target.spec, hops, &journey.event);
                if let Ok(Some(next)) = &outcome {
                    ahead.push(next.clone());
                }
                journey.sent.push(Sent {
                    rule: rule_id.clone(),
                    target_id: target_id.clone(),
                    arn: target.spec.arn.clone(),
                    outcome: outcome.map(|_| ()),
                });
            }
            journey.matched.push(rule_id);
        }
    }

    /// The bus, as far as it was read.
    pub(super) fn bus(&self, id: &BusId) -> Bus<'_> {
        let unread = |why: String| Bus::Unread(format!("{} {why}", id.scope));
        let view = match self.world.scopes.get(&id.scope) {
            None => return unread("is not swept".to_owned()),
            Some(Observation::NoAccess) => return unread("is never read (`access = \"none\"`)".to_owned()),
            Some(Observation::Unreachable { why, .. }) => return unread(format!("could not be read: {why}")),
            Some(Observation::Complete { view, .. } | Observation::Partial { view, .. }) => view,
        };
        match view.buses.get(&id.name) {
            Some(live) => Bus::There(live),
            None if view.buses_read => Bus::Missing,
            None => unread("was read in part only".to_owned()),
        }
    }

    fn lets_put(&self, put: &Put, event: &Value) -> Result<(), NotSent> {
        let live = match self.bus(&put.bus) {
            Bus::There(live) => live,
            Bus::Missing => return Err(NotSent::NoBus(put.bus.clone())),
            Bus::Unread(why) => return Err(NotSent::Unread(why)),
        };
        // An AWS service asks no policy of the account's default bus.
        if put.by_aws {
            return Ok(());
        }
        let caller = Caller { account: put.account, role_arn: None, rule_arn: None };
        self.lets_in(&put.bus, live, &caller, event)
    }

    /// Sends to one target: where the event goes on, if that is a bus.
    fn send(
        &self,
        rule: &RuleId,
        target: &TargetSpec,
        hops: Hops,
        event: &Value,
    ) -> Result<Option<(BusId, Hops)>, NotSent> {
        let Some(bus) = BusId::of_arn(&target.arn) else {
            let other_region = |arn: Arn| arn.service == "sqs" && arn.region != rule.bus.scope.region.as_str();
            let is_elsewhere = target.arn.parse::<Arn>().is_ok_and(other_region);
            return if is_elsewhere { Err(NotSent::OtherRegion) } else { Ok(None) };
        };
        // <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-bus-to-bus.html>: a bus target has a role.
        let role_arn = target.role_arn.as_deref().ok_or(NotSent::NoRole)?;
        let account = role_arn.parse::<Arn>().ok().and_then(|arn| arn.account.parse().ok());
        let account = account.unwrap_or(rule.bus.scope.account);
        match self.bus(&bus) {
            Bus::There(live) => {
                let caller = Caller { account, role_arn: Some(role_arn), rule_arn: Some(rule.arn()) };
                self.lets_in(&bus, live, &caller, event)?;
            }
            Bus::Missing => return Err(NotSent::NoBus(bus)),
            Bus::Unread(why) => return Err(NotSent::Unread(why)),
        }
        let hops = hops.and_to(&rule.bus.scope, &bus.scope)?;
        Ok(Some((bus, hops)))
    }

    /// An account's own events need no statement; nobody gets past one that denies.
    fn lets_in(&self, id: &BusId, live: &LiveBus, caller: &Caller<'_>, event: &Value) -> Result<(), NotSent> {
        let text = |field: &str| event.get(field).and_then(Value::as_str).unwrap_or_default();
        let own = caller.account == id.scope.account;
        let arn = id.arn();
        let policy = match &live.policy {
            None if own => return Ok(()),
            Some(Err(why)) => return Err(NotSent::Unread(format!("the policy of {id} is not understood: {why}"))),
            None => None,
            Some(Ok(policy)) => Some(policy),
        };
        let asked = PutEventsRequest {
            caller: ArnOrAccount { account: caller.account.to_string(), arn: caller.role_arn.map(str::to_owned) },
            organization: self.organization.filter(|_| self.members.contains_key(&caller.account)),
            bus_arn: &arn,
            source: text("source"),
            detail_type: text("detail-type"),
            source_arn: caller.rule_arn.as_deref(),
            forwarded: caller.rule_arn.is_some(),
        };
        let (denied_by, unknown) = match policy.map(|policy| policy.evaluate(&asked)) {
            Some(Decision::Allow { .. }) => return Ok(()),
            Some(Decision::ImplicitDeny { .. }) if own => return Ok(()),
            Some(Decision::ImplicitDeny { unknown }) => (None, unknown),
            Some(Decision::ExplicitDeny { sid, unknown }) => (Some(sid.unwrap_or_default()), unknown),
            None => (None, Vec::new()),
        };
        Err(NotSent::Refused(Refusal { bus: id.clone(), account: caller.account, denied_by, unknown }))
    }
}

/// Who puts an event on a bus: an account, or a rule with its target's role.
struct Caller<'a> {
    account: AccountId,
    role_arn: Option<&'a str>,
    rule_arn: Option<String>,
}

impl Hops {
    /// One more. Recordings of the real EventBridge show one hop within a Region and one across Regions in a way; its documentation
    /// promises one of either kind alone, and the checker lets nobody declare both.
    fn and_to(self, from: &Scope, to: &Scope) -> Result<Self, NotSent> {
        let within_region = from.region == to.region;
        let is_spent = if within_region { self.within_region } else { self.across_regions };
        if is_spent {
            return Err(NotSent::Hop(within_region));
        }
        Ok(if within_region { Self { within_region, ..self } } else { Self { across_regions: true, ..self } })
    }
}

/// Whether a rule takes events at all.
pub(super) fn is_enabled(rule: &LiveRule) -> bool {
    rule.state != "DISABLED"
}

fn matches(rule: &LiveRule, event: &Value) -> bool {
    let pattern = rule.pattern.as_ref().and_then(|pattern| pattern.parsed.as_ref());
    is_enabled(rule) && pattern.is_some_and(|pattern| pattern.matches(event))
}
