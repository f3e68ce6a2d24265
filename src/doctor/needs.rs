//! What each scope needs of what others bring: from the desired state alone.

use crate::eventbridge::Arn;
use crate::model::desired::Desired;
use crate::model::ids::{AccountId, AccountName, Scope};
use crate::model::resource::{BusId, RuleId};
use crate::model::settings::Settings;
use std::collections::{BTreeMap, BTreeSet};

/// What one scope needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Needs {
    /// Account and Region.
    pub scope: Scope,
    /// What the roster calls the account.
    pub account: AccountName,
    /// Whether a hub is here.
    pub is_hub: bool,
    /// The topology's buses here, default buses with rules of ours among them.
    pub buses: BTreeSet<BusId>,
    /// The rules that are asked for here.
    pub rules: BTreeSet<RuleId>,
    /// Those of them that leave dead letters in the usual queue.
    pub dead_letters_of: BTreeSet<RuleId>,
    /// The delivery role's ARN.
    pub delivery_role: String,
    /// The usual dead-letter queue's ARN.
    pub dead_letter_queue: String,
}

/// The needs of every scope that the topology uses, in the accounts that we may enter; and of one scope of each account
/// that it does not use, whose role should work all the same.
pub fn needs(desired: &Desired, settings: &Settings) -> BTreeMap<Scope, Needs> {
    let used = used_scopes(desired);
    let used_accounts: BTreeSet<AccountId> = used.iter().map(|scope| scope.account).collect();
    let mut all = BTreeMap::new();
    let mut spoken_for = BTreeSet::new();
    for scope in &desired.scopes {
        let is_used = used.contains(scope);
        let stands_for_account = !used_accounts.contains(&scope.account) && spoken_for.insert(scope.account);
        let Some(account) = desired.account_names.get(&scope.account) else { continue };
        if is_used || stands_for_account {
            all.insert(scope.clone(), needs_of(scope, account, desired, settings));
        }
    }
    all
}

/// The accounts of which nothing is ever read.
pub(super) fn never_touched(desired: &Desired) -> BTreeMap<AccountId, AccountName> {
    let accounts: BTreeSet<AccountId> = desired.no_access.iter().map(|scope| scope.account).collect();
    desired.account_names.iter().filter(|(id, _)| accounts.contains(id)).map(|(id, name)| (*id, name.clone())).collect()
}

/// The scopes in which something is asked for.
fn used_scopes(desired: &Desired) -> BTreeSet<Scope> {
    let buses = desired.buses.keys().chain(desired.grants.keys().map(|(bus, _)| bus));
    let rules = desired.rules.keys().map(|rule| &rule.bus);
    let archives = desired.archives.keys().map(|archive| archive.scope.clone());
    buses.chain(rules).map(|bus| bus.scope.clone()).chain(archives).collect()
}

fn needs_of(scope: &Scope, account: &AccountName, desired: &Desired, settings: &Settings) -> Needs {
    let id = scope.account.to_string();
    let delivery = &settings.delivery;
    let dead_letter_queue = Arn::queue(scope.region.as_str(), &id, &delivery.dead_letter_queue).to_string();
    let here = || desired.rules.iter().filter(|(rule, _)| rule.bus.scope == *scope);
    let buses = desired.buses.keys().filter(|bus| bus.scope == *scope);
    let dead_letters_of = here()
        .filter(|(_, wanted)| {
            let queues = wanted.spec.targets.values().map(|target| target.dead_letter_arn.as_deref());
            queues.flatten().any(|queue| queue == dead_letter_queue)
        })
        .map(|(rule, _)| rule.clone())
        .collect();
    Needs {
        scope: scope.clone(),
        account: account.clone(),
        is_hub: desired.buses.iter().any(|(bus, wanted)| bus.scope == *scope && wanted.team.is_none()),
        buses: buses.chain(here().map(|(rule, _)| &rule.bus)).cloned().collect(),
        rules: here().map(|(rule, _)| rule.clone()).collect(),
        dead_letters_of,
        delivery_role: Arn::role(scope.region.partition(), &id, &delivery.role_name).to_string(),
        dead_letter_queue,
    }
}
