//! The event patterns of the rules that a topology implies, as JSON in the order that people read them:
//! account, source, detail-type, detail, others, replay-name.

use crate::model::ids::AccountId;
use crate::model::topology::{Publication, Replays, Subscription};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

/// A hub rule's pattern for `subscription`: who publishes is pinned, so that an account that claims another team's
/// source matches nobody's rule, whatever the grant lets in.
pub fn subscription(accounts: &BTreeSet<AccountId>, publication: &Publication, subscription: &Subscription) -> Value {
    let types =
        if subscription.detail_types.is_empty() { &publication.detail_types } else { &subscription.detail_types };
    let mut pattern = published(accounts, &publication.source, types);
    let filter = &subscription.filter;
    let ordered = ["detail", "resources", "region", "replay-name"];
    for (key, value) in ordered.iter().filter_map(|key| filter.get_key_value(*key)) {
        pattern.insert(key.clone(), value.clone());
    }
    if subscription.replays == Replays::Ignore {
        leave_out_replays(&mut pattern);
    }
    Value::Object(pattern)
}

/// A forward rule's pattern: what `account` itself publishes on its spoke's bus, and nothing that was delivered there.
pub fn forward(account: AccountId, publication: &Publication) -> Value {
    Value::Object(published(&[account].into(), &publication.source, &publication.detail_types))
}

/// An audit rule's pattern: everything from the publishing accounts, but no replays.
///
/// Beyond some 130 accounts their list does not fit `characters_max`; then it is everything that the grants let in,
/// which is never less: an audit may see too much, and must not see too little.
pub fn audit(accounts: &BTreeSet<AccountId>, characters_max: usize) -> Value {
    let mut everything = Map::new();
    everything.insert("source".into(), json!([{ "prefix": "" }]));
    leave_out_replays(&mut everything);
    let mut pinned = Map::new();
    pinned.insert("account".into(), account_list(accounts));
    pinned.extend(everything.clone());
    let pinned = Value::Object(pinned);
    if pinned.to_string().chars().count() <= characters_max { pinned } else { Value::Object(everything) }
}

fn published(accounts: &BTreeSet<AccountId>, source: &str, types: &BTreeSet<String>) -> Map<String, Value> {
    let mut pattern = Map::new();
    pattern.insert("account".into(), account_list(accounts));
    pattern.insert("source".into(), json!([source]));
    if !types.is_empty() {
        pattern.insert("detail-type".into(), json!(types));
    }
    pattern
}

fn account_list(accounts: &BTreeSet<AccountId>) -> Value {
    accounts.iter().map(|account| Value::String(account.to_string())).collect()
}

fn leave_out_replays(pattern: &mut Map<String, Value>) {
    pattern.insert("replay-name".into(), json!([{ "exists": false }]));
}
