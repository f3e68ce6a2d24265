//! Statements of bus policies, one at a time: ours by their Sid, foreign ones left as they are.

use super::diff::{Asked, Change, Diff, Footing};
use super::narrow;
use crate::eventbridge::policy::{BusPolicy, Effect, Principal, Scope as StatementScope, Statement};
use crate::eventbridge::{Arn, quota};
use crate::model::desired::Wanted;
use crate::model::few::Few;
use crate::model::finding::{FindingCode, Outcome};
use crate::model::ids::{AccountId, Scope};
use crate::model::mark::{statement_id, statement_prefix};
use crate::model::plan::{Action, Cause, Guard, Seen, Step};
use crate::model::resource::{BusId, Grantee, ResourceId, RuleId};
use crate::model::route::{Route, RouteId};
use crate::model::world::{LiveBus, LiveRule};
use std::collections::{BTreeMap, BTreeSet};

/// The statement that PutPermission makes of a grant to `grantee` on `bus`.
pub fn statement(bus: &BusId, sid: &str, grantee: &Grantee) -> Statement {
    match grantee {
        Grantee::Account(account) => {
            Statement::account_grant(sid, bus.scope.region.partition(), &account.to_string(), &bus.arn())
        }
        Grantee::Organization(organization) => Statement::organization_grant(sid, organization, &bus.arn()),
    }
}

/// The identity policy that lets a role of another account put events on `bus`, which has to let that account in as well
/// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic-cross-account.html>).
pub fn publisher_policy(bus: &BusId) -> serde_json::Value {
    serde_json::json!({
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": "events:PutEvents", "Resource": bus.arn()}],
    })
}

pub(super) fn diff(diff: &mut Diff<'_>, footing: &BTreeMap<BusId, Footing>) {
    let mut added: BTreeMap<BusId, usize> = BTreeMap::new();
    let desired = diff.desired;
    for ((bus, sid), wanted) in &desired.grants {
        if desired.no_access.contains(&bus.scope) {
            partner_must_add(diff, bus, sid, wanted);
        } else if footing.get(bus).is_some_and(|footing| *footing != Footing::None) {
            wanted_grant(diff, bus, sid, wanted, &mut added);
        }
    }
    for ((bus, account), wanted) in &desired.publishers {
        let scope = Scope { account: *account, region: bus.scope.region.clone() };
        if desired.no_access.contains(&scope) {
            let detail =
                format!("the partner lets those who publish do so, by this identity policy: {}", publisher_policy(bus));
            diff.find(ResourceId::Scope(scope), FindingCode::PartnerMustAdd, Outcome::Left, detail, &Asked::by(wanted));
        }
    }
    let world = diff.world;
    for (scope, view) in world.scopes.keys().filter_map(|scope| world.view(scope).map(|view| (scope, view))) {
        for (name, live) in &view.buses {
            unwanted_grants(diff, &BusId { scope: scope.clone(), name: name.clone() }, live);
        }
    }
}

fn partner_must_add(diff: &mut Diff<'_>, bus: &BusId, sid: &str, wanted: &Wanted<Grantee>) {
    let text = statement(bus, sid, &wanted.spec).to_value();
    let detail = format!("the partner adds this statement to the policy of {bus}: {text}");
    let resource = ResourceId::Grant(bus.clone(), sid.to_owned());
    diff.find(resource, FindingCode::PartnerMustAdd, Outcome::Left, detail, &Asked::by(wanted));
}

fn wanted_grant(
    diff: &mut Diff<'_>,
    bus: &BusId,
    sid: &str,
    wanted: &Wanted<Grantee>,
    added: &mut BTreeMap<BusId, usize>,
) {
    let resource = ResourceId::Grant(bus.clone(), sid.to_owned());
    let asked = Asked::by(wanted);
    let policy = match diff.world.bus(bus).and_then(|live| live.policy.as_ref()) {
        Some(Err(why)) => {
            let detail = format!("the policy cannot be understood, so nothing is written to it: {why}");
            diff.find(ResourceId::Bus(bus.clone()), FindingCode::PolicyUnreadable, Outcome::Left, detail, &asked);
            return;
        }
        Some(Ok(policy)) => Some(policy),
        None => None,
    };
    let content = statement(bus, sid, &wanted.spec);
    let (seen, cause, codes, detail) = match policy.and_then(|policy| policy.statement(sid)) {
        Some(live) if *live == content => return,
        None if is_kept(diff, bus, policy, &wanted.spec) => return,
        Some(live) => {
            let detail = format!("it lets {} put events; asked for is {}", who(live), wanted.spec);
            diff.find(resource, FindingCode::GrantChanged, Outcome::Mend, detail.clone(), &asked);
            let codes = BTreeSet::from([FindingCode::GrantChanged]);
            (Seen::Statement { statement: live.clone() }, Cause::Drift, codes, vec![detail])
        }
        None => {
            let cause = diff.missing_cause(resource.scope());
            let codes = diff.found_missing(&resource, FindingCode::GrantMissing, &asked);
            (Seen::Absent, cause, codes, vec![format!("PutEvents for {}", wanted.spec)])
        }
    };
    let held_by = if seen == Seen::Absent { no_room(diff, bus, policy, &content, added) } else { None };
    let action = Action::PutGrant { bus: bus.clone(), statement_id: sid.to_owned(), grantee: wanted.spec.clone() };
    diff.make(Change { action, seen, cause, codes, held_by, detail }, &asked);
}

/// Whether the bus keeps the statements that others wrote, and one of those lets `grantee` in: then ours has nothing to add.
/// One that lets a single role of the account in counts as well: who of the account may, is for whoever wrote it.
fn is_kept(diff: &Diff<'_>, bus: &BusId, policy: Option<&BusPolicy>, grantee: &Grantee) -> bool {
    let Some(policy) = policy.filter(|_| diff.desired.kept_grants.contains(bus)) else { return false };
    // Ours do not count: one that goes with this plan would be taken for what makes the next one superfluous.
    let prefix = statement_prefix(&diff.desired.owner);
    let is_others = |statement: &Statement| !statement.sid.as_deref().is_some_and(|sid| sid.starts_with(&prefix));
    let is_kept_out = || policy.statements.iter().any(|statement| may_keep_out(statement, grantee));
    policy.statements.iter().any(|statement| is_others(statement) && lets_in(statement, grantee)) && !is_kept_out()
}

/// Whether a statement denies `grantee`, or may: of its conditions nothing is taken for granted.
pub fn may_keep_out(statement: &Statement, grantee: &Grantee) -> bool {
    let is_meant = |principal: &Principal| match (principal, grantee) {
        (Principal::Everyone, _) => true,
        (Principal::Account { account, .. }, Grantee::Account(granted)) => *account == granted.to_string(),
        (Principal::Arn(arn), Grantee::Account(granted)) => {
            arn.parse::<Arn>().map_or(true, |arn| arn.account == granted.to_string())
        }
        (Principal::Account { .. } | Principal::Arn(_), Grantee::Organization(_)) => true,
        // None of these is an account's own to be denied by: a deleted one, an AWS service, an identity from outside AWS.
        (Principal::Dead(_) | Principal::Service(_) | Principal::Other { .. }, _) => false,
    };
    let who = match &statement.principals {
        StatementScope::Only(principals) => principals.iter().any(is_meant),
        // Whoever is left out of a denial may still be one of many of an account.
        StatementScope::AllBut(_) => true,
    };
    let what = match &statement.actions {
        StatementScope::Only(actions) => actions.iter().any(|action| covers_put_events(action)),
        StatementScope::AllBut(actions) => !actions.iter().any(|action| covers_put_events(action)),
    };
    statement.effect == Effect::Deny && who && what
}

/// Whether a statement lets `grantee` put events, or somebody in it.
pub fn lets_in(statement: &Statement, grantee: &Grantee) -> bool {
    let StatementScope::Only(principals) = &statement.principals else { return false };
    let StatementScope::Only(actions) = &statement.actions else { return false };
    // Of conditions only one is understood: who asks is of this organisation. Whatever else is asked may keep somebody out.
    let understood = |(operator, keys): (&String, &BTreeMap<String, _>)| {
        operator == "StringEquals" && keys.keys().all(|key| key.eq_ignore_ascii_case("aws:PrincipalOrgID"))
    };
    if !statement.conditions.iter().all(understood) {
        return false;
    }
    let members = statement.conditions.values().find_map(|keys| keys.get("aws:PrincipalOrgID"));
    let is_meant = |principal: &Principal| match (principal, grantee) {
        (Principal::Everyone, Grantee::Account(_)) => true,
        (Principal::Everyone, Grantee::Organization(id)) => members.is_none_or(|members| members.contains(id)),
        (Principal::Account { account, .. }, Grantee::Account(granted)) => *account == granted.to_string(),
        (Principal::Arn(arn), Grantee::Account(granted)) => {
            arn.parse::<Arn>().is_ok_and(|arn| arn.account == granted.to_string())
        }
        _ => false,
    };
    statement.effect == Effect::Allow
        && actions.iter().any(|action| covers_put_events(action))
        && principals.iter().any(is_meant)
}

/// Whom a statement speaks of.
fn who(statement: &Statement) -> String {
    let name = |principal: &Principal| match principal {
        Principal::Everyone => "everybody".to_owned(),
        Principal::Account { account, .. } => format!("account {account}"),
        Principal::Arn(arn) => arn.clone(),
        Principal::Dead(id) => format!("{id} (deleted)"),
        Principal::Service(service) => service.clone(),
        Principal::Other { kind, value } => format!("{kind} {value}"),
    };
    let join = |principals: &BTreeSet<Principal>| principals.iter().map(name).collect::<Vec<_>>().join(", ");
    let principals = match &statement.principals {
        StatementScope::Only(principals) => join(principals),
        StatementScope::AllBut(principals) => format!("everybody but {}", join(principals)),
    };
    let conditions: Vec<String> = statement
        .conditions
        .iter()
        .flat_map(|(operator, keys)| keys.iter().map(move |(key, values)| (operator, key, values)))
        .map(|(operator, key, values)| {
            format!("{key} {operator} {}", values.iter().cloned().collect::<Vec<_>>().join("|"))
        })
        .collect();
    if conditions.is_empty() { principals } else { format!("{principals} if {}", conditions.join(" and ")) }
}

/// A statement on one line.
fn in_words(statement: &Statement) -> String {
    let verb = match statement.effect {
        Effect::Allow => "allows",
        Effect::Deny => "denies",
    };
    let actions = match &statement.actions {
        StatementScope::Only(actions) => actions.iter().cloned().collect::<Vec<_>>().join(", "),
        StatementScope::AllBut(actions) => {
            format!("everything but {}", actions.iter().cloned().collect::<Vec<_>>().join(", "))
        }
    };
    format!("it {verb} {} {actions}", who(statement))
}

/// AWS refuses a policy over its quota: the old statement goes only when the new one is in, so both must fit.
fn no_room(
    diff: &Diff<'_>,
    bus: &BusId,
    policy: Option<&BusPolicy>,
    content: &Statement,
    added: &mut BTreeMap<BusId, usize>,
) -> Option<Guard> {
    let characters_max =
        diff.desired.quotas.get(bus).map_or(quota::POLICY_CHARACTERS, |quotas| quotas.policy_characters_max);
    // A statement in a list costs its text and a comma; an empty document around it about 40 characters.
    let used = added.entry(bus.clone()).or_insert_with(|| policy.map_or(40, BusPolicy::normalised_length));
    *used += content.to_value().to_string().chars().count() + 1;
    (*used > characters_max).then_some(Guard::NoRoom)
}

/// Statements that nobody asks for: ours go, others stay and are told.
fn unwanted_grants(diff: &mut Diff<'_>, bus: &BusId, live: &LiveBus) {
    let Some(Ok(policy)) = &live.policy else { return };
    let prefix = statement_prefix(&diff.desired.owner);
    let ours_to_judge = diff.desired.buses.contains_key(bus) && !bus.is_default();
    for statement in &policy.statements {
        let sid = statement.sid.as_deref().unwrap_or("(no Sid)");
        let resource = ResourceId::Grant(bus.clone(), sid.to_owned());
        if sid.starts_with(&prefix) {
            if !diff.desired.grants.contains_key(&(bus.clone(), sid.to_owned())) {
                surplus(diff, bus, sid, statement);
            }
        } else if ours_to_judge {
            let detail = format!("not ours, left as it is: {}", in_words(statement));
            let code = match statement.effect {
                Effect::Allow if lets_everybody_in(statement) => FindingCode::PublicGrant,
                Effect::Allow => FindingCode::ForeignGrant,
                Effect::Deny => FindingCode::ForeignDeny,
            };
            diff.find(resource, code, Outcome::Left, detail, &Asked::default());
        }
    }
}

/// Whether a statement speaks of every account in the world and nothing but its content or its sender's word limits it.
/// A condition on the organisation, an account or the sending rule does; one on `events:source` anybody can meet.
fn lets_everybody_in(statement: &Statement) -> bool {
    let puts = match &statement.actions {
        StatementScope::Only(actions) => actions.iter().any(|action| covers_put_events(action)),
        StatementScope::AllBut(actions) => !actions.iter().any(|action| covers_put_events(action)),
    };
    let everybody = match &statement.principals {
        StatementScope::Only(principals) => principals.contains(&Principal::Everyone),
        StatementScope::AllBut(_) => true,
    };
    let limits = |key: &String| {
        let key = key.to_ascii_lowercase();
        ["aws:principal", "aws:source", "aws:vpcsource", "aws:userid"].iter().any(|prefix| key.starts_with(prefix))
    };
    // A condition that leaves some out lets the rest of the world in.
    let positive = statement.conditions.iter().filter(|(operator, _)| !operator.contains("Not"));
    puts && everybody && !positive.flat_map(|(_, keys)| keys.keys()).any(limits)
}

/// Whether an action, which may have stars, is PutEvents.
fn covers_put_events(action: &str) -> bool {
    let (action, meant) = (action.to_ascii_lowercase(), "events:putevents");
    match action.split_once('*') {
        None => action == meant,
        // One star as people write it (`*`, `events:*`, `events:Put*`); of more than one, the first tells enough.
        Some((before, _)) => meant.starts_with(before),
    }
}

fn surplus(diff: &mut Diff<'_>, bus: &BusId, sid: &str, live: &Statement) {
    let grantee = grantee_of_sid(diff, bus, sid, live);
    let users = users(diff, bus, grantee.as_ref());
    let mut routes = routes_through(diff, bus, grantee.as_ref());
    for (rule, live) in &users {
        routes.extend(diff.index.replaced(rule, live, diff.desired));
    }
    let team = diff.desired.buses.get(bus).and_then(|wanted| wanted.team.clone());
    let asked = Asked { routes, team, origin: None };
    // A statement bears no sequence: its bus speaks for it.
    let mark = diff.world.bus(bus).and_then(|live| live.mark(bus));
    if diff.is_newer(mark.as_ref()) {
        return diff.left_to_newer(ResourceId::Grant(bus.clone(), sid.to_owned()), &asked);
    }
    let code = FindingCode::GrantSurplus;
    if !diff.desired.kept.is_empty() {
        let detail = "no file that can be read asks for it; while a file has errors no grant is removed".to_owned();
        return diff.find(ResourceId::Grant(bus.clone(), sid.to_owned()), code, Outcome::Waiting, detail, &asked);
    }
    let delivers_on = |(rule, _): &&(RuleId, LiveRule)| {
        rule.bus != *bus && !is_let_in_otherwise(diff, bus, rule.bus.scope.account) && !is_removed(diff, rule, bus)
    };
    if let Some((rule, _)) = users.iter().find(delivers_on) {
        let detail = format!("nobody asks for it any more, but rule {rule} still delivers through it");
        diff.find(ResourceId::Grant(bus.clone(), sid.to_owned()), code, Outcome::Waiting, detail, &asked);
        return;
    }
    let is_cut = |account: &AccountId| {
        let meant = !matches!(&grantee, Some(Grantee::Account(granted)) if granted != account);
        meant && !is_let_in_otherwise(diff, bus, *account)
    };
    // A rule that takes the account's events until a person says that it moved.
    let waits = |rule: &RuleId| {
        let about = |step: &&Step| step.action.resource() == ResourceId::Rule(rule.clone());
        diff.steps().iter().filter(about).any(|step| step.held_by.contains(&Guard::PublishersMove))
    };
    let mut on_bus = users.iter().filter(|(rule, _)| rule.bus == *bus);
    let cuts_off = on_bus.any(|(rule, live)| pinned(live).iter().any(is_cut) && waits(rule));
    // What could deliver through it and was not read to the end may do so still.
    let could_use = |scope: &&Scope| {
        let meant = !matches!(&grantee, Some(Grantee::Account(granted)) if *granted != scope.account);
        meant && !is_let_in_otherwise(diff, bus, scope.account)
    };
    // A Region that an organisation denies, and where nothing is asked for, would keep it for ever.
    let could_use: BTreeSet<Scope> =
        diff.desired.scopes.iter().filter(could_use).filter(|scope| !diff.idle.contains(*scope)).cloned().collect();
    let change = Change {
        action: Action::RemoveGrant { bus: bus.clone(), statement_id: sid.to_owned() },
        seen: Seen::Statement { statement: live.clone() },
        cause: Cause::Intent,
        codes: BTreeSet::from([code]),
        held_by: cuts_off.then_some(Guard::PublishersMove),
        detail: vec!["nobody asks for it any more".to_owned()],
    };
    diff.take_away_resting_on(could_use, change, &asked);
}

/// Live rules of ours that events reach, or that deliver, by a grant to `grantee` on `bus`: those on the bus that take its
/// account's events, and those in its account that have the bus for a target.
fn users(diff: &Diff<'_>, bus: &BusId, grantee: Option<&Grantee>) -> Vec<(RuleId, LiveRule)> {
    let account = match grantee {
        Some(Grantee::Account(account)) => Some(*account),
        Some(Grantee::Organization(_)) | None => None,
    };
    let takes = |live: &LiveRule| {
        let pinned = pinned(live);
        account.is_none_or(|account| pinned.is_empty() || pinned.contains(&account))
    };
    let delivers = |rule: &RuleId, live: &LiveRule| {
        let mut targets = live.targets.iter().flat_map(Few::values);
        account.is_none_or(|account| rule.bus.scope.account == account)
            && targets.any(|target| target.spec.arn == bus.arn())
    };
    let world = diff.world;
    let views = world.scopes.keys().filter_map(|scope| world.view(scope).map(|view| (scope, view)));
    let rules = views.flat_map(|(scope, view)| {
        view.buses.iter().flat_map(move |(name, live)| {
            let on = BusId { scope: scope.clone(), name: name.clone() };
            live.rules.iter().map(move |(name, live)| (RuleId { bus: on.clone(), name: name.clone() }, live))
        })
    });
    rules
        .filter(|(rule, live)| live.mark(rule).is_some_and(|mark| mark.owner == diff.desired.owner))
        .filter(|(rule, live)| if rule.bus == *bus { takes(live) } else { delivers(rule, live) })
        .map(|(rule, live)| (rule, live.clone()))
        .collect()
}

/// Whether the plan takes away the rule's targets that are `bus`.
fn is_removed(diff: &Diff<'_>, rule: &RuleId, bus: &BusId) -> bool {
    diff.steps().iter().any(|step| match (&step.action, &step.seen) {
        (Action::RemoveTargets { rule: removed, .. }, Seen::Targets { targets }) => {
            removed == rule && targets.values().any(|target| target.spec.arn == bus.arn())
        }
        _ => false,
    })
}

/// The accounts whose events a live rule takes; none if it says nothing of accounts.
fn pinned(live: &LiveRule) -> BTreeSet<AccountId> {
    narrow::live_accounts(live).iter().filter_map(|account| account.parse().ok()).collect()
}

/// Whether `account` puts events on `bus` without this statement: the bus is its own, or the topology lets it in.
fn is_let_in_otherwise(diff: &Diff<'_>, bus: &BusId, account: AccountId) -> bool {
    bus.scope.account == account
        || diff.desired.grants.iter().any(|((on, _), wanted)| {
            on == bus && (wanted.spec == Grantee::Account(account) || matches!(wanted.spec, Grantee::Organization(_)))
        })
}

/// To whom the statement of this id was written, if it still says that.
fn grantee_of_sid(diff: &Diff<'_>, bus: &BusId, sid: &str, live: &Statement) -> Option<Grantee> {
    let rest = sid.strip_prefix(&statement_prefix(&diff.desired.owner))?;
    let account: AccountId = rest.get(..12)?.parse().ok()?;
    let grantee = Grantee::Account(account);
    (statement_id(&diff.desired.owner, &grantee) == sid && *live == statement(bus, sid, &grantee)).then_some(grantee)
}

/// The routes of the topology that a grant on `bus` could serve: those of its account, or all of the bus's where the
/// grantee cannot be told.
fn routes_through(diff: &Diff<'_>, bus: &BusId, grantee: Option<&Grantee>) -> BTreeSet<RouteId> {
    let account = match grantee {
        Some(Grantee::Account(account)) => Some(account),
        Some(Grantee::Organization(_)) | None => None,
    };
    let serves = |route: &Route| {
        let as_publisher =
            route.hub_bus == *bus && account.is_none_or(|account| route.publisher_accounts.contains(account));
        let as_hub = route.destination_bus.as_ref() == Some(bus)
            && account.is_none_or(|account| route.hub_bus.scope.account == *account);
        as_publisher || as_hub
    };
    diff.desired.routes.iter().filter(|(_, route)| serves(route)).map(|(id, _)| id.clone()).collect()
}
