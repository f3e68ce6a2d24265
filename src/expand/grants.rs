//! Who is let in where: one statement an account, or one for the organisation.

use super::{Context, accounts_at, publishing_accounts};
use crate::eventbridge::policy::{BusPolicy, Statement};
use crate::model::desired::{Desired, PublisherSpec, Wanted};
use crate::model::ids::{AccountId, HubName, Owner};
use crate::model::mark::statement_id;
use crate::model::resource::{BusId, Grantee};
use crate::model::route::{Route, RouteId};
use crate::model::topology::{Hub, HubGrant, Topology, Via};
use std::collections::BTreeSet;

/// Adds the grants on hubs' and on spokes' buses.
pub(super) fn add(context: &Context<'_>, desired: &mut Desired) {
    for (name, hub) in &context.topology.hubs {
        let bus = Context::hub_bus(hub);
        for grantee in hub_grantees(context.topology, context.owner, name, hub) {
            let routes = routes(desired, |route| route.hub_bus == bus && carries(route, &grantee));
            let wanted = Wanted::new(grantee, hub.origin.clone(), None, routes);
            insert(context, bus.clone(), wanted, desired);
        }
    }
    for (team_name, team) in &context.topology.teams {
        for spoke in team.spokes.values() {
            let Some(bus) = Context::spoke_bus(spoke) else { continue };
            let Some(hub) = context.topology.hubs.get(&spoke.hub) else { continue };
            if hub.scope.account == spoke.scope.account {
                continue;
            }
            let routes = routes(desired, |route| route.destination_bus.as_ref() == Some(&bus));
            if routes.is_empty() {
                continue;
            }
            let spec = Grantee::Account(hub.scope.account);
            let wanted = Wanted::new(spec, spoke.origin.clone(), Some(team_name.clone()), routes);
            insert(context, bus, wanted, desired);
        }
    }
}

/// Adds the accounts that call PutEvents on hubs' buses themselves.
pub(super) fn add_publishers(context: &Context<'_>, desired: &mut Desired) {
    for (team_name, team) in &context.topology.teams {
        for publication in team.publications.values().filter(|publication| publication.via == Via::Hub) {
            for hub_name in publication.hubs.keys() {
                let Some(hub) = context.topology.hubs.get(hub_name) else { continue };
                let bus = Context::hub_bus(hub);
                for account in publishing_accounts(team, publication, hub_name) {
                    let routes = routes(desired, |route| {
                        route.hub_bus == bus && route.via == Via::Hub && route.publisher_accounts.contains(&account)
                    });
                    let wanted = desired.publishers.entry((bus.clone(), account)).or_insert_with(|| {
                        let (origin, team) = (publication.origin.clone(), Some(team_name.clone()));
                        Wanted::new(PublisherSpec::default(), origin, team, routes)
                    });
                    wanted.spec.sources.insert(publication.source.clone());
                }
            }
        }
    }
}

/// Whom a hub's bus lets in: each publishing account but its own, or the organisation where that was asked for or
/// where the statements would not fit the policy's quota.
pub fn hub_grantees(topology: &Topology, owner: &Owner, name: &HubName, hub: &Hub) -> BTreeSet<Grantee> {
    let accounts: Vec<AccountId> =
        accounts_at(topology, name).into_iter().filter(|account| *account != hub.scope.account).collect();
    if accounts.is_empty() {
        return BTreeSet::new();
    }
    let each: BTreeSet<Grantee> = accounts.into_iter().map(Grantee::Account).collect();
    let Some(organization) = &topology.organization else { return each };
    let all: BTreeSet<Grantee> = [Grantee::Organization(organization.clone())].into();
    match hub.grant {
        HubGrant::Organization => all,
        // Old and new statements stand side by side for a while, so the change is made while both fit.
        HubGrant::Accounts
            if policy_characters(owner, hub, &each) + policy_characters(owner, hub, &all)
                > hub.quotas.policy_characters_max =>
        {
            all
        }
        HubGrant::Accounts => each,
    }
}

/// Characters that these statements take of the quota of a hub's policy.
pub fn policy_characters(owner: &Owner, hub: &Hub, grantees: &BTreeSet<Grantee>) -> usize {
    let bus_arn = Context::hub_bus(hub).arn();
    let partition = hub.scope.region.partition();
    let statement = |grantee: &Grantee| {
        let id = statement_id(owner, grantee);
        match grantee {
            Grantee::Account(account) => Statement::account_grant(&id, partition, &account.to_string(), &bus_arn),
            Grantee::Organization(organization) => Statement::organization_grant(&id, organization, &bus_arn),
        }
    };
    BusPolicy { statements: grantees.iter().map(statement).collect() }.normalised_length()
}

fn carries(route: &Route, grantee: &Grantee) -> bool {
    match grantee {
        Grantee::Account(account) => route.publisher_accounts.contains(account),
        Grantee::Organization(_) => true,
    }
}

fn routes(desired: &Desired, wanted: impl Fn(&Route) -> bool) -> BTreeSet<RouteId> {
    desired.routes.iter().filter(|(_, route)| wanted(route)).map(|(id, _)| id.clone()).collect()
}

fn insert(context: &Context<'_>, bus: BusId, wanted: Wanted<Grantee>, desired: &mut Desired) {
    let statement = statement_id(context.owner, &wanted.spec);
    desired.grants.insert((bus, statement), wanted);
}
