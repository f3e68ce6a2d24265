//! What a live rule says, as far as the language can say it.

use crate::model::ids::AccountId;
use crate::model::resource::BusId;
use crate::model::world::{LiveRule, LiveTarget};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

/// A rule of one source with one plain target.
#[derive(Clone, Debug)]
pub(super) struct Shape<'w> {
    /// The accounts that it takes events of; none: any.
    pub(super) accounts: BTreeSet<AccountId>,
    pub(super) source: String,
    /// The detail-types that it takes; none: any.
    pub(super) types: BTreeSet<String>,
    /// Conditions that `where` can say.
    pub(super) filter: Map<String, Value>,
    /// Whether it leaves replayed events out.
    pub(super) ignores_replays: bool,
    pub(super) target_id: &'w str,
    pub(super) target: &'w LiveTarget,
    /// Whether it is enabled.
    pub(super) is_enabled: bool,
}

/// Why a rule cannot be said, and what could be done about it.
pub(super) type Unsayable = (String, &'static str);

const SPLIT: &str = "make a rule for each, under names of their own, then import again";
const LEAVE: &str = "leave it with whoever keeps it, or write a subscription that takes its place";

impl<'w> Shape<'w> {
    /// What `live` says; an error where the language has no words for it.
    pub(super) fn of(live: &'w LiveRule) -> Result<Self, Unsayable> {
        let Some(pattern) = &live.pattern else {
            return Err(("it is a schedule, not a pattern".into(), "schedules are nobody's route: leave it as it is"));
        };
        let is_enabled = match live.state.as_str() {
            "ENABLED" => true,
            "DISABLED" => false,
            state => return Err((format!("its state is {state}"), LEAVE)),
        };
        let Some(parsed) = &pattern.parsed else {
            return Err(("its pattern is none that we understand".into(), LEAVE));
        };
        let value = parsed.to_value();
        let Some(fields) = value.as_object() else {
            return Err(("its pattern is none that we understand".into(), LEAVE));
        };
        let (mut accounts, mut types, mut filter) = (BTreeSet::new(), BTreeSet::new(), Map::new());
        let (mut source, mut ignores_replays) = (None, false);
        for (key, value) in fields {
            match key.as_str() {
                "account" => accounts = pinned(value)?,
                "source" => source = Some(one_source(value)?),
                "detail-type" => {
                    let texts = texts(value).ok_or_else(|| {
                        (format!("its `detail-type` is {value}: only whole detail-types can be asked for"), LEAVE)
                    })?;
                    types.extend(texts);
                }
                "replay-name" if *value == json!([{ "exists": false }]) => ignores_replays = true,
                "detail" | "resources" | "region" | "replay-name" if has_toml(value) => {
                    filter.insert(key.clone(), value.clone());
                }
                "detail" | "resources" | "region" | "replay-name" => {
                    return Err((format!("its `{key}` asks for a null or a number that TOML does not have"), LEAVE));
                }
                "$or" => return Err(("its pattern has a `$or` at the top".into(), SPLIT)),
                other => return Err((format!("its pattern asks for `{other}`, which a subscription cannot"), LEAVE)),
            }
        }
        let Some(source) = source else {
            return Err((
                "its pattern says nothing of the source: whose events these are cannot be told".into(),
                LEAVE,
            ));
        };
        let (target_id, target) = one_target(live)?;
        Ok(Self { accounts, source, types, filter, ignores_replays, target_id, target, is_enabled })
    }

    /// The bus that it delivers to, if it is one.
    pub(super) fn target_bus(&self) -> Option<BusId> {
        BusId::of_arn(&self.target.spec.arn)
    }

    /// The pattern that the topology would write for these accounts.
    pub(super) fn pattern_for(&self, accounts: &BTreeSet<AccountId>, types: &BTreeSet<String>) -> Value {
        let mut pattern = Map::new();
        let accounts: Vec<String> = accounts.iter().map(ToString::to_string).collect();
        pattern.insert("account".into(), json!(accounts));
        pattern.insert("source".into(), json!([self.source]));
        if !types.is_empty() {
            pattern.insert("detail-type".into(), json!(types));
        }
        pattern.extend(self.filter.clone());
        if self.ignores_replays {
            pattern.insert("replay-name".into(), json!([{ "exists": false }]));
        }
        Value::Object(pattern)
    }
}

fn pinned(value: &Value) -> Result<BTreeSet<AccountId>, Unsayable> {
    let parsed = texts(value).map(|texts| texts.iter().map(|text| text.parse()).collect::<Result<BTreeSet<_>, _>>());
    match parsed {
        Some(Ok(accounts)) if !accounts.is_empty() => Ok(accounts),
        _ => Err((format!("its `account` is {value}: only whole account ids can be asked for"), LEAVE)),
    }
}

fn one_source(value: &Value) -> Result<String, Unsayable> {
    match texts(value).as_deref() {
        Some([only]) => Ok(only.clone()),
        Some(several) if !several.is_empty() => {
            Err((format!("it takes {} sources, and a subscription takes one publication", several.len()), SPLIT))
        }
        _ => Err((format!("its `source` is {value}: a publication has one whole source"), LEAVE)),
    }
}

fn texts(value: &Value) -> Option<Vec<String>> {
    value.as_array()?.iter().map(|text| text.as_str().map(str::to_owned)).collect()
}

fn one_target(live: &LiveRule) -> Result<(&str, &LiveTarget), Unsayable> {
    let Some(targets) = &live.targets else {
        return Err(("its targets could not be read".into(), "see what was not read, mend that, import again"));
    };
    let mut all = targets.iter();
    match (all.next(), all.next()) {
        (None, _) => Err(("it has no target".into(), "give it one or delete it")),
        (Some(_), Some(_)) => {
            Err((format!("it has {} targets, and a subscription has one destination", targets.len()), SPLIT))
        }
        (Some((_, target)), None) if !target.other.is_empty() => {
            let fields: Vec<&str> = target.other.keys().map(String::as_str).collect();
            let what = format!("its target has {}, which the language does not say", fields.join(", "));
            Err((what, "deliver to a bus or a queue of the team, and transform the events there"))
        }
        (Some((id, target)), None) => Ok((id, target)),
    }
}

/// Whether TOML has words for all of a JSON value.
fn has_toml(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Number(number) => number.is_i64() || number.is_f64(),
        Value::Array(items) => items.iter().all(has_toml),
        Value::Object(members) => members.values().all(has_toml),
        Value::Bool(_) | Value::String(_) => true,
    }
}
