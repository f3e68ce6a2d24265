//! Whose a live thing is.

use crate::eventbridge::policy::Statement;
use crate::model::desired::Desired;
use crate::model::few::Few;
use crate::model::ids::{Owner, Scope};
use crate::model::mark::{Mark, OWNER_TAG, archive_prefix, is_our_target, statement_prefix};
use crate::model::resource::{BusId, ResourceId, RuleId};
use crate::model::settings::{Released, Tool};
use crate::model::topology::Tags;
use crate::model::world::{LiveBus, LiveRule, LiveTarget, ScopeView, World};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Whose a live bus or rule is, from its marks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ownership {
    /// Ours: the description says so.
    Marked(Mark),
    /// Ours: the tag says so, the description does not any more.
    MarkLost,
    /// Another operator's, or another tool's: who.
    Other(String),
    /// Nobody's that we know, and its description bears a mark of ours that was written on something else.
    Copied,
    /// An AWS service's.
    Managed(String),
    /// Nobody's that we know.
    Unmarked,
    /// The description says nothing and the tags were not read.
    Unknown,
}

/// Whose `rule` is, for the operator of `desired`.
pub(super) fn of_rule(desired: &Desired, id: &RuleId, rule: &LiveRule) -> Ownership {
    let Desired { owner, released, rules, .. } = desired;
    match rules.get(id) {
        Some(wanted) => {
            let label = wanted.label(|| ResourceId::Rule(id.clone()));
            rule_marked(owner, released, id, rule, |mark| label.is_where(mark))
        }
        None => rule_ownership(owner, released, id, rule),
    }
}

/// Whose `bus` is, for the operator of `desired`.
pub(super) fn of_bus(desired: &Desired, id: &BusId, bus: &LiveBus) -> Ownership {
    let Desired { owner, released, .. } = desired;
    bus_ownership(owner, released, id, bus)
}

/// Whose `rule` is, for operator `owner`, which may take over what is `released`.
pub fn rule_ownership(owner: &Owner, released: &Released, id: &RuleId, rule: &LiveRule) -> Ownership {
    rule_marked(owner, released, id, rule, |mark| mark.is_of(&ResourceId::Rule(id.clone())))
}

fn rule_marked(
    owner: &Owner,
    released: &Released,
    id: &RuleId,
    rule: &LiveRule,
    is_here: impl FnOnce(&Mark) -> bool,
) -> Ownership {
    match &rule.managed_by {
        Some(service) => Ownership::Managed(service.clone()),
        None => {
            let released = tool_released(released, || id.arn());
            of_marks(owner, released, is_here, &rule.description, rule.tags.as_ref())
        }
    }
}

/// Which tool has let go of the thing of this ARN; hardly ever is there one.
fn tool_released(released: &Released, arn: impl FnOnce() -> String) -> Option<&Tool> {
    if released.is_empty() { None } else { released.get(&arn()) }
}

/// Whose `bus` is, for operator `owner`, which may take over what is `released`.
pub fn bus_ownership(owner: &Owner, released: &Released, id: &BusId, bus: &LiveBus) -> Ownership {
    let is_here = |mark: &Mark| mark.is_of(&ResourceId::Bus(id.clone()));
    of_marks(owner, tool_released(released, || id.arn()), is_here, &bus.description, bus.tags.as_ref())
}

/// Whether anything in `scope` bears a mark of `owner`, or may: what could not be read or understood counts as well.
pub fn is_anything_ours(owner: &Owner, scope: &Scope, view: &ScopeView) -> bool {
    let is_ours = |name: &String, bus: &LiveBus| {
        let id = BusId { scope: scope.clone(), name: name.clone() };
        let prefix = statement_prefix(owner);
        let of_statement = |statement: &Statement| statement.sid.as_ref().is_some_and(|sid| sid.starts_with(&prefix));
        let of_policy = match &bus.policy {
            None => false,
            Some(Err(_)) => true,
            Some(Ok(policy)) => policy.statements.iter().any(of_statement),
        };
        let is_marked = |whose| matches!(whose, Ownership::Marked(_) | Ownership::MarkLost);
        let is_our_rule = |(name, rule): (&String, &LiveRule)| {
            let id = RuleId { bus: id.clone(), name: name.clone() };
            let has_our_target = |targets: &Few<String, LiveTarget>| {
                targets.keys().any(|target| is_our_target(owner, rule.tags.as_ref(), target))
            };
            is_marked(rule_ownership(owner, &Released::new(), &id, rule))
                || rule.targets.as_ref().is_some_and(has_our_target)
        };
        of_policy || is_marked(bus_ownership(owner, &Released::new(), &id, bus)) || bus.rules.iter().any(is_our_rule)
    };
    let prefix = archive_prefix(owner);
    view.buses.iter().any(|(name, bus)| is_ours(name, bus))
        || view.archives.keys().any(|name| name.starts_with(&prefix))
}

fn of_marks(
    owner: &Owner,
    released: Option<&Tool>,
    is_here: impl FnOnce(&Mark) -> bool,
    description: &str,
    tags: Option<&Tags>,
) -> Ownership {
    let (_, mark) = Mark::read(description);
    let (mark, copied) = match mark {
        Some(mark) if is_here(&mark) => (Some(mark), false),
        other => (None, other.is_some_and(|mark| mark.owner == *owner)),
    };
    match (mark, tags) {
        (Some(mark), _) if mark.owner == *owner => Ownership::Marked(mark),
        (Some(mark), _) => Ownership::Other(format!("operator `{}`", mark.owner)),
        (None, Some(tags)) => {
            let kept = tools(tags).into_iter().find(|(tool, _)| Some(tool) != released);
            match (tags.get(OWNER_TAG), kept) {
                // What was copied with all its tags bears ours too.
                (Some(tagged), _) if tagged == owner.as_str() => Ownership::MarkLost,
                (Some(tagged), _) => Ownership::Other(format!("operator `{tagged}`")),
                (None, Some((_, who))) => Ownership::Other(who),
                (None, None) if copied => Ownership::Copied,
                (None, None) => Ownership::Unmarked,
            }
        }
        (None, None) if copied => Ownership::Copied,
        (None, None) => Ownership::Unknown,
    }
}

/// Other tools that keep a thing with these tags, each with its name for the thing, by the tags that such tools set:
/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-properties-resource-tags.html>,
/// <https://docs.aws.amazon.com/eks/latest/userguide/ack-concepts.html>, crossplane-runtime's external tags, and what
/// Terraform users usually set for all their resources.
pub fn tools(tags: &Tags) -> Vec<(Tool, String)> {
    const KEYS: [(Tool, &str, &str); 5] = [
        (Tool::Cloudformation, "CloudFormation stack", "aws:cloudformation:stack-name"),
        (Tool::Ack, "ACK controller", "services.k8s.aws/controller-version"),
        (Tool::Ack, "ACK capability", "eks:eks-capability-arn"),
        (Tool::Ack, "ACK controller", "eks:controller-version"),
        (Tool::Crossplane, "Crossplane resource", "crossplane-name"),
    ];
    let named = KEYS.iter().filter_map(|(tool, what, key)| Some((*tool, format!("{what} `{}`", tags.get(*key)?))));
    let by_terraform = tags.iter().filter(|(key, value)| {
        let key = key.to_ascii_lowercase().replace(['-', '_'], "");
        (key == "managedby" || key == "createdby" || key == "provisioner")
            && ["terraform", "opentofu"].contains(&value.to_ascii_lowercase().as_str())
    });
    named.chain(by_terraform.map(|(key, value)| (Tool::Terraform, format!("{value} (tag `{key}`)")))).collect()
}

/// Whether the tags bear the second mark of `owner`: what taking something away needs beside the first.
pub(super) fn tagged(owner: &Owner, tags: Option<&Tags>) -> Option<bool> {
    tags.map(|tags| tags.get(OWNER_TAG).is_some_and(|tagged| tagged == owner.as_str()))
}

/// The highest sequence among the live marks of ours in the hubs' scopes. Marks elsewhere do not count: somebody with
/// no more than a rule of their own could say a number there that stops everything.
pub(super) fn newest_sequence(desired: &Desired, world: &World) -> Option<u64> {
    hub_scopes(desired).into_iter().filter_map(|scope| newest_in_scope(desired, world, scope)).max()
}

/// The scopes of the hubs' accounts.
pub(super) fn hub_scopes(desired: &Desired) -> BTreeSet<&Scope> {
    let hubs = desired.buses.iter().filter(|(_, wanted)| wanted.team.is_none());
    hubs.map(|(bus, _)| &bus.scope).collect()
}

/// The highest sequence among our live marks in one scope: on custom buses and on rules there. A rule with a name that we do not give
/// counts where it is asked for, or tagged as ours: who may write some rules of that account could say any number on one else.
pub(super) fn newest_in_scope(desired: &Desired, world: &World, scope: &Scope) -> Option<u64> {
    // A hub that does not answer now still has what it had.
    let view = world.view(scope).or_else(|| world.answered_before.get(scope).map(Arc::as_ref))?;
    let buses = view.buses.iter().filter(|(name, _)| *name != "default");
    buses
        .flat_map(|(name, bus)| {
            let id = BusId { scope: scope.clone(), name: name.clone() };
            // The settings were read after the listing: a newer topology may have been applied in between.
            let settings = bus
                .settings
                .as_ref()
                .and_then(|settings| Mark::on(&settings.description, &ResourceId::Bus(id.clone())));
            let own = [bus.mark(&id), settings];
            let rules =
                bus.rules.iter().map(move |(name, rule)| (RuleId { bus: id.clone(), name: name.clone() }, rule));
            let ours = |(id, rule): &(RuleId, &LiveRule)| {
                id.name.starts_with("ww.")
                    || desired.rules.contains_key(id)
                    || tagged(&desired.owner, rule.tags.as_ref()) == Some(true)
            };
            let marks = rules.filter(move |rule| ours(rule)).map(|(id, rule)| rule.mark(&id));
            own.into_iter().chain(marks)
        })
        .flatten()
        .filter(|mark| mark.owner == desired.owner)
        .map(|mark| mark.sequence)
        .max()
}
