//! Policy documents to statements and back.

use super::{BusPolicy, Conditions, Effect, PolicyError, Principal, Scope, Statement};
use crate::eventbridge::arn::Arn;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

pub(super) fn read_policy(text: &str) -> Result<BusPolicy, PolicyError> {
    read_document(text, |value| value)
}

pub(super) fn read_trust_policy(text: &str) -> Result<BusPolicy, PolicyError> {
    read_document(text, |mut statement| {
        if let Some(members) = statement.as_object_mut() {
            members.entry("Resource").or_insert_with(|| json!("*"));
        }
        statement
    })
}

fn read_document(text: &str, completed: impl Fn(Value) -> Value) -> Result<BusPolicy, PolicyError> {
    let fault = |reason: String, statement| PolicyError { reason, statement };
    let document: Value = serde_json::from_str(text).map_err(|error| fault(error.to_string(), None))?;
    let Some(members) = document.as_object() else {
        return Err(fault("it is not a JSON object".to_owned(), None));
    };
    let statements = match members.get("Statement") {
        Some(Value::Array(statements)) => statements.as_slice(),
        Some(one @ Value::Object(_)) => std::slice::from_ref(one),
        _ => return Err(fault("it has no `Statement`".to_owned(), None)),
    };
    let statements = statements
        .iter()
        .enumerate()
        .map(|(index, value)| read_statement(&completed(value.clone())).map_err(|reason| fault(reason, Some(index))))
        .collect::<Result<_, _>>()?;
    Ok(BusPolicy { statements })
}

pub(super) fn read_statement(value: &Value) -> Result<Statement, String> {
    let members = value.as_object().ok_or_else(|| "a statement has to be an object".to_owned())?;
    let effect = match members.get("Effect").and_then(Value::as_str) {
        Some("Allow") => Effect::Allow,
        Some("Deny") => Effect::Deny,
        _ => return Err("`Effect` has to be `Allow` or `Deny`".to_owned()),
    };
    let sid = match members.get("Sid") {
        None => None,
        Some(Value::String(sid)) => Some(sid.clone()),
        Some(_) => return Err("`Sid` has to be a text".to_owned()),
    };
    let unknown = members
        .iter()
        .filter(|(name, _)| !KNOWN_MEMBERS.contains(&name.as_str()))
        .map(|(name, value)| (name.clone(), value.to_string()))
        .collect();
    let resources = scope(members, "Resource", |value| texts(value, "Resource"))?;
    let partition = partition_of(&resources);
    Ok(Statement {
        sid,
        effect,
        principals: scope(members, "Principal", |value| read_principals(value, &partition))?,
        actions: scope(members, "Action", |value| texts(value, "Action"))?,
        resources,
        conditions: read_conditions(members.get("Condition"))?,
        unknown,
    })
}

/// The partition that twelve bare digits are in: that of the bus beside them.
fn partition_of(resources: &Scope<String>) -> String {
    let (Scope::Only(resources) | Scope::AllBut(resources)) = resources;
    resources
        .iter()
        .find_map(|resource| resource.parse::<Arn>().ok())
        .map_or_else(|| "aws".to_owned(), |arn| arn.partition)
}

/// A member or its `Not…` form, of which there has to be exactly one.
fn scope<T: Ord>(
    members: &Map<String, Value>,
    name: &str,
    read: impl Fn(&Value) -> Result<BTreeSet<T>, String>,
) -> Result<Scope<T>, String> {
    match (members.get(name), members.get(&format!("Not{name}"))) {
        (Some(value), None) => Ok(Scope::Only(read(value)?)),
        (None, Some(value)) => Ok(Scope::AllBut(read(value)?)),
        (None, None) => Err(format!("it has neither `{name}` nor `Not{name}`")),
        (Some(_), Some(_)) => Err(format!("it has both `{name}` and `Not{name}`")),
    }
}

fn read_principals(value: &Value, partition: &str) -> Result<BTreeSet<Principal>, String> {
    match value {
        Value::String(text) if text == "*" => Ok([Principal::Everyone].into()),
        Value::Object(kinds) => {
            let mut principals = BTreeSet::new();
            for (kind, values) in kinds {
                for text in texts(values, "Principal")? {
                    principals.insert(read_principal(kind, text, partition));
                }
            }
            Ok(principals)
        }
        _ => Err("`Principal` has to be `*` or an object".to_owned()),
    }
}

fn read_principal(kind: &str, value: String, partition: &str) -> Principal {
    match kind {
        "Service" => return Principal::Service(value),
        "AWS" => {}
        _ => {
            return Principal::Other { kind: kind.to_owned(), value };
        }
    }
    if value == "*" {
        return Principal::Everyone;
    }
    if value.len() == 12 && value.bytes().all(|byte| byte.is_ascii_digit()) {
        return Principal::Account { partition: partition.to_owned(), account: value };
    }
    match value.parse::<Arn>() {
        Ok(arn) if arn.is_account_root() => Principal::Account { partition: arn.partition, account: arn.account },
        Ok(_) => Principal::Arn(value),
        Err(_) if UNIQUE_ID_PREFIXES.iter().any(|one| value.starts_with(one)) => Principal::Dead(value),
        Err(_) => Principal::Other { kind: kind.to_owned(), value },
    }
}

/// A text or a list of texts. Condition values may be numbers and booleans, which AWS reads as texts.
fn texts(value: &Value, member: &str) -> Result<BTreeSet<String>, String> {
    let one = |value: &Value| match value {
        Value::String(text) => Ok(text.clone()),
        Value::Bool(_) | Value::Number(_) => Ok(value.to_string()),
        _ => Err(format!("`{member}` has to be a text or a list of texts")),
    };
    match value {
        Value::Array(values) => values.iter().map(one).collect(),
        _ => Ok([one(value)?].into()),
    }
}

fn read_conditions(value: Option<&Value>) -> Result<Conditions, String> {
    let mut conditions = Conditions::new();
    let Some(value) = value else {
        return Ok(conditions);
    };
    let fault = || "`Condition` has to be an object of objects".to_owned();
    for (operator, keys) in value.as_object().ok_or_else(fault)? {
        let entry: &mut BTreeMap<_, _> = conditions.entry(operator.clone()).or_default();
        for (key, values) in keys.as_object().ok_or_else(fault)? {
            entry.insert(key.clone(), texts(values, "Condition")?);
        }
    }
    Ok(conditions)
}

pub(super) fn write_policy(statements: &[Statement]) -> Value {
    let statements: Vec<Value> = statements.iter().map(write_statement).collect();
    json!({ "Version": "2012-10-17", "Statement": statements })
}

pub(super) fn write_statement(statement: &Statement) -> Value {
    let Statement { sid, effect, principals, actions, resources, conditions, unknown } = statement;
    let mut members = Map::new();
    if let Some(sid) = sid {
        members.insert("Sid".to_owned(), json!(sid));
    }
    let effect = match effect {
        Effect::Allow => "Allow",
        Effect::Deny => "Deny",
    };
    members.insert("Effect".to_owned(), json!(effect));
    put_scope(&mut members, "Principal", principals, write_principals);
    put_scope(&mut members, "Action", actions, scalar_or_list);
    put_scope(&mut members, "Resource", resources, scalar_or_list);
    if !conditions.is_empty() {
        let operators = conditions.iter().map(|(operator, keys)| {
            let keys = keys.iter().map(|(key, values)| (key.clone(), scalar_or_list(values)));
            (operator.clone(), Value::Object(keys.collect()))
        });
        members.insert("Condition".to_owned(), Value::Object(operators.collect()));
    }
    for (name, value) in unknown {
        let value = serde_json::from_str(value).unwrap_or(Value::Null);
        members.insert(name.clone(), value);
    }
    Value::Object(members)
}

fn put_scope<T: Ord>(
    members: &mut Map<String, Value>,
    name: &str,
    scope: &Scope<T>,
    write: impl Fn(&BTreeSet<T>) -> Value,
) {
    match scope {
        Scope::Only(set) => members.insert(name.to_owned(), write(set)),
        Scope::AllBut(set) => members.insert(format!("Not{name}"), write(set)),
    };
}

fn write_principals(principals: &BTreeSet<Principal>) -> Value {
    if principals.len() == 1 && principals.contains(&Principal::Everyone) {
        return json!("*");
    }
    let mut kinds: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for principal in principals {
        let (kind, value) = match principal {
            Principal::Everyone => ("AWS", "*".to_owned()),
            Principal::Account { partition, account } => ("AWS", Arn::account_root(partition, account).to_string()),
            Principal::Arn(value) | Principal::Dead(value) => ("AWS", value.clone()),
            Principal::Service(value) => ("Service", value.clone()),
            Principal::Other { kind, value } => (kind.as_str(), value.clone()),
        };
        kinds.entry(kind).or_default().insert(value);
    }
    kinds.into_iter().map(|(kind, values)| (kind.to_owned(), scalar_or_list(&values))).collect()
}

fn scalar_or_list(values: &BTreeSet<String>) -> Value {
    match values.first() {
        Some(only) if values.len() == 1 => json!(only),
        _ => json!(values),
    }
}

const KNOWN_MEMBERS: [&str; 9] =
    ["Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Resource", "NotResource", "Condition"];

/// Unique ids of roles and users.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-unique-ids>
const UNIQUE_ID_PREFIXES: [&str; 2] = ["AROA", "AIDA"];
