//! PutPermission and RemovePermission: a bus's policy, statement by statement or as a whole document.
//!
//! Both take a bus by name alone, never by ARN, and so work in the caller's own account. What is written is
//! normalised as AWS normalises it: keys in a fixed order, account ids as root ARNs where the account exists,
//! lists of one as scalars. The texts of refusals follow captures of September 2026.
//!
//! <https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutPermission.html>

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::SimulatedAws;
use super::buses::checked_name;
use super::errors::AwsError;
use super::request::{Constraints, Request, STATEMENT_ID};
use crate::eventbridge::{Arn, BusPolicy, DEFAULT_BUS};

/// A bus policy: the statements as AWS returns them, and the same parsed for evaluation.
#[derive(Debug, Clone)]
pub(super) struct StoredPolicy {
    statements: Vec<Value>,
    text: String,
    parsed: BusPolicy,
    has_denials: bool,
    /// Roles that it named and that were deleted since: the ARN of each by the unique id that took its place.
    deleted: BTreeMap<String, String>,
}

impl StoredPolicy {
    fn new(statements: Vec<Value>) -> Result<Self, AwsError> {
        let text = json!({"Version": "2012-10-17", "Statement": statements}).to_string();
        let parsed = BusPolicy::parse(&text).map_err(|error| AwsError::validation(error.reason))?;
        let has_denials = statements.iter().any(|statement| statement.get("Effect") == Some(&json!("Deny")));
        Ok(Self { statements, text, parsed, has_denials, deleted: BTreeMap::new() })
    }

    /// Whether a statement denies something.
    pub(super) fn has_denials(&self) -> bool {
        self.has_denials
    }

    /// Whether this document is the one that was put before a role was deleted. AWS takes such a policy for
    /// unchanged, so a role of the same name is not bound anew until the statement goes and comes back.
    fn was_put_as(&self, text: &str) -> bool {
        let mut before = self.text.clone();
        for (unique_id, arn) in &self.deleted {
            before = before.replace(&format!("\"{unique_id}\""), &format!("\"{arn}\""));
        }
        before == text
    }

    /// The document as DescribeEventBus returns it.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    pub(super) fn parsed(&self) -> &BusPolicy {
        &self.parsed
    }

    pub(super) fn statements(&self) -> &[Value] {
        &self.statements
    }
}

impl SimulatedAws {
    pub(super) fn put_permission(&mut self, request: &Request<'_>) -> Result<Value, AwsError> {
        let name = permission_bus(request)?;
        let bus_arn = Arn::bus(request.region, request.account(), name).to_string();
        if request.text("Policy").is_none() {
            check_shorthand_shape(request)?;
        }
        self.authorize(request, "events:PutPermission", &bus_arn)?;
        let bus = self.bus(request.account(), request.region, name)?;
        let statements = match request.text("Policy") {
            Some(text) => {
                check_document_alone(request)?;
                self.read_document(text, &bus_arn)?
            }
            None => {
                let current = bus.policy.as_ref().map_or(&[][..], |policy| policy.statements());
                upsert(current, self.shorthand_statement(request, &bus_arn)?)
            }
        };
        self.store_policy(request, name, statements)
    }

    pub(super) fn remove_permission(&mut self, request: &Request<'_>) -> Result<Value, AwsError> {
        let name = permission_bus(request)?;
        let bus_arn = Arn::bus(request.region, request.account(), name).to_string();
        self.authorize(request, "events:RemovePermission", &bus_arn)?;
        let bus = self.bus(request.account(), request.region, name)?;
        let current = bus.policy.as_ref().map_or(&[][..], |policy| policy.statements());
        let all = request.flag("RemoveAllPermissions");
        let left: Vec<Value> = match (request.text("StatementId"), all) {
            (Some(_), true) => {
                return Err(AwsError::validation("StatementId could not be combined with All parameter."));
            }
            (None, true) => Vec::new(),
            (None, false) => {
                return Err(AwsError::validation("Parameter(s) StatementId must be specified."));
            }
            (Some(id), false) => current.iter().filter(|found| sid(found) != Some(id)).cloned().collect(),
        };
        if !all && left.len() == current.len() {
            return Err(AwsError::not_found("Statement with the provided id does not exist."));
        }
        self.store_policy(request, name, left)
    }

    fn store_policy(&mut self, request: &Request<'_>, name: &str, statements: Vec<Value>) -> Result<Value, AwsError> {
        let most = self.quotas(request.account()).policy_characters;
        let policy = if statements.is_empty() { None } else { Some(Arc::new(StoredPolicy::new(statements)?)) };
        if policy.as_ref().is_some_and(|policy| policy.text.chars().count() > most) {
            return Err(AwsError::client("PolicyLengthExceededException", "The event bus policy is too long."));
        }
        let now_ms = self.now_ms;
        let bus = self.own_bus_mut(request, name)?;
        if bus.policy.as_ref().zip(policy.as_ref()).is_some_and(|(old, new)| old.was_put_as(&new.text)) {
            return Ok(json!({}));
        }
        let policy = bus.policy.as_ref().map_or(policy.clone(), |old| policy.map(|new| keeping_deleted(old, new)));
        bus.policy = policy;
        bus.modified_ms = now_ms;
        Ok(json!({}))
    }

    fn shorthand_statement(&self, request: &Request<'_>, bus_arn: &str) -> Result<Value, AwsError> {
        for field in ["Action", "Principal", "StatementId"] {
            if request.text(field).is_none() {
                return Err(AwsError::validation(format!("Parameter(s) {field} must be specified.")));
            }
        }
        let action = request.text("Action").unwrap_or_default();
        if action != "events:PutEvents" {
            return Err(unsupported("action"));
        }
        let principal = match request.text("Principal").unwrap_or_default() {
            "*" => json!("*"),
            account => json!({"AWS": self.normal_principal(account, bus_arn)}),
        };
        let mut statement = Map::new();
        statement.insert("Sid".to_owned(), json!(request.text("StatementId")));
        statement.insert("Effect".to_owned(), json!("Allow"));
        statement.insert("Principal".to_owned(), principal);
        statement.insert("Action".to_owned(), json!(action));
        statement.insert("Resource".to_owned(), json!(bus_arn));
        if let Some(condition) = request.structure("Condition") {
            statement.insert("Condition".to_owned(), shorthand_condition(&condition)?);
        }
        Ok(Value::Object(statement))
    }

    /// Account ids of accounts that exist become root ARNs, in the partition of the bus; anything else stays as it is.
    fn normal_principal(&self, principal: &str, bus_arn: &str) -> String {
        if self.accounts.contains_key(principal) {
            let partition = bus_arn.split(':').nth(1).unwrap_or("aws");
            Arn::account_root(partition, principal).to_string()
        } else {
            principal.to_owned()
        }
    }

    fn read_document(&self, text: &str, bus_arn: &str) -> Result<Vec<Value>, AwsError> {
        let document: Value =
            serde_json::from_str(text).map_err(|_| AwsError::validation("This policy contains invalid Json"))?;
        let object =
            document.as_object().ok_or_else(|| AwsError::validation("This text appears not to be a policy"))?;
        if !object.contains_key("Version") {
            return Err(missing("Version"));
        }
        let statements = match object.get("Statement") {
            None => return Err(missing("Statement")),
            Some(Value::Array(statements)) => statements.clone(),
            Some(single) => vec![single.clone()],
        };
        if statements.is_empty() {
            return Err(AwsError::validation("Could not parse the policy: Statement is empty!"));
        }
        let mut seen = BTreeSet::new();
        let mut normal = Vec::new();
        for statement in &statements {
            let statement = self.normal_statement(statement, bus_arn)?;
            if !seen.insert(sid(&statement).map(str::to_owned)) {
                return Err(AwsError::validation("The Statement Ids in the policy are not unique"));
            }
            normal.push(statement);
        }
        Ok(normal)
    }

    fn normal_statement(&self, statement: &Value, bus_arn: &str) -> Result<Value, AwsError> {
        for field in ["NotAction", "NotResource", "NotPrincipal"] {
            if statement.get(field).is_some() {
                return Err(AwsError::validation(format!("Has prohibited field {field}")));
            }
        }
        for field in ["Sid", "Effect", "Principal", "Action", "Resource"] {
            if statement.get(field).is_none() {
                return Err(missing(field));
            }
        }
        let mut normal = Map::new();
        for field in ["Sid", "Effect", "Principal", "Action", "Resource", "Condition"] {
            let Some(value) = statement.get(field) else { continue };
            let value = match field {
                "Principal" => self.normal_principals(value, bus_arn)?,
                _ => scalar(value),
            };
            normal.insert(field.to_owned(), value);
        }
        check_actions(&normal)?;
        check_resources(&normal, bus_arn)?;
        Ok(if self.settings.respells_policies { Value::Object(normal) } else { statement.clone() })
    }

    fn normal_principals(&self, principal: &Value, bus_arn: &str) -> Result<Value, AwsError> {
        let Some(kinds) = principal.as_object() else {
            return Ok(principal.clone());
        };
        let mut normal = Map::new();
        for (kind, members) in kinds {
            let mut texts = Vec::new();
            for member in texts_of(members) {
                if kind == "AWS" && member != "*" && !self.principal_exists(&member) {
                    return Err(AwsError::validation("Policy contains an invalid principal"));
                }
                texts.push(if kind == "AWS" { self.normal_principal(&member, bus_arn) } else { member });
            }
            if kind == "AWS" && texts == ["*"] {
                return Ok(json!("*"));
            }
            normal.insert(kind.clone(), scalar(&json!(texts)));
        }
        Ok(Value::Object(normal))
    }

    fn principal_exists(&self, principal: &str) -> bool {
        if self.accounts.contains_key(principal) || is_unique_id(principal) {
            return true;
        }
        let Ok(arn) = principal.parse::<Arn>() else {
            return false;
        };
        if arn.is_account_root() {
            return self.accounts.contains_key(&arn.account);
        }
        self.role_of_arn(principal).is_some()
    }

    /// Rewrites a principal in every bus policy, as happens when a role is deleted. No bus's LastModifiedTime moves.
    pub(super) fn rename_principal(&mut self, from: &str, to: &str) {
        let (old, new) = (format!("\"{from}\""), format!("\"{to}\""));
        let mut places = Vec::new();
        for (account, found) in self.accounts.iter() {
            for (region, place) in &found.regions {
                for (name, bus) in &place.buses {
                    let text = bus.policy.as_ref().map(|policy| policy.text());
                    if text.is_some_and(|text| text.contains(&old)) {
                        places.push((account.clone(), region.clone(), name.clone()));
                    }
                }
            }
        }
        for (account, region, name) in places {
            let bus = self.region_mut(&account, &region).and_then(|region| region.bus_mut(&name));
            let Some(bus) = bus else { continue };
            let renamed = bus.policy.as_ref().and_then(|policy| {
                let text = json!(policy.statements).to_string().replace(&old, &new);
                let mut renamed = StoredPolicy::new(serde_json::from_str(&text).ok()?).ok()?;
                renamed.deleted.clone_from(&policy.deleted);
                renamed.deleted.insert(to.to_owned(), from.to_owned());
                Some(renamed)
            });
            if let Some(renamed) = renamed {
                bus.policy = Some(Arc::new(renamed));
            }
        }
    }
}

/// A new policy that remembers the deleted roles of the old one.
fn keeping_deleted(old: &StoredPolicy, mut new: Arc<StoredPolicy>) -> Arc<StoredPolicy> {
    if !old.deleted.is_empty() {
        Arc::make_mut(&mut new).deleted.clone_from(&old.deleted);
    }
    new
}

fn permission_bus<'a>(request: &Request<'a>) -> Result<&'a str, AwsError> {
    match request.text("EventBusName") {
        None => Ok(DEFAULT_BUS),
        Some(name) if name.starts_with("arn:") => {
            let mut constraints = Constraints::default();
            constraints.characters("eventBusName", Some(name), super::request::BUS_NAME);
            constraints.check()?;
            Ok(name)
        }
        Some(_) => checked_name(request, "EventBusName"),
    }
}

fn check_shorthand_shape(request: &Request<'_>) -> Result<(), AwsError> {
    let mut constraints = Constraints::default();
    let id = request.text("StatementId");
    constraints.length("statementId", id, 1, 64).characters("statementId", id, STATEMENT_ID);
    if let Some(principal) = request.text("Principal") {
        constraints.length("principal", Some(principal), 1, 12);
        let account = principal.len() == 12 && principal.chars().all(|digit| digit.is_ascii_digit());
        if principal != "*" && !account {
            constraints.fail("principal", principal, r"Member must satisfy regular expression pattern: (\d{12}|\*)");
        }
    }
    if let Some(action) = request.text("Action") {
        let word = action.strip_prefix("events:").unwrap_or_default();
        if word.is_empty() || !word.chars().all(|letter| letter.is_ascii_alphabetic()) {
            constraints.fail("action", action, "Member must satisfy regular expression pattern: events:[a-zA-Z]+");
        }
    }
    constraints.check()
}

fn check_document_alone(request: &Request<'_>) -> Result<(), AwsError> {
    let combined =
        ["Action", "Principal", "StatementId", "Condition"].iter().any(|field| request.structure(field).is_some());
    if combined {
        return Err(AwsError::validation(
            "Action, Principal, StatementId and Condition could not be combined with Policy parameter.",
        ));
    }
    Ok(())
}

fn shorthand_condition(condition: &Value) -> Result<Value, AwsError> {
    let field = |name: &str| condition.get(name).and_then(Value::as_str).unwrap_or_default();
    if field("Type") != "StringEquals" {
        return Err(unsupported("condition.type"));
    }
    if field("Key") != "aws:PrincipalOrgID" {
        return Err(unsupported("condition.key"));
    }
    if !field("Value").starts_with("o-") {
        return Err(AwsError::validation("Provided value in parameter 'condition.value' is invalid."));
    }
    Ok(json!({"StringEquals": {"aws:PrincipalOrgID": field("Value")}}))
}

fn check_actions(statement: &Map<String, Value>) -> Result<(), AwsError> {
    for action in statement.get("Action").map(texts_of).unwrap_or_default() {
        if action == "*" {
            continue;
        }
        let Some(name) = action.strip_prefix("events:") else {
            return Err(AwsError::validation(
                "Action field includes AWS services that are inconsistent with specified vendor",
            ));
        };
        if !name.contains('*') && !POLICY_ACTIONS.contains(&name) {
            return Err(AwsError::validation(format!("The following action names are invalid: \"{action}\"")));
        }
    }
    Ok(())
}

fn check_resources(statement: &Map<String, Value>, bus_arn: &str) -> Result<(), AwsError> {
    let rules = bus_arn.replacen(":event-bus/", ":rule/", 1);
    for resource in statement.get("Resource").map(texts_of).unwrap_or_default() {
        let own = resource == "*"
            || resource == bus_arn
            || resource.starts_with(&format!("{rules}/"))
            || (bus_arn.ends_with("/default") && resource.contains(":rule/"));
        if !own {
            let relative = resource.splitn(6, ':').nth(5).unwrap_or_default();
            return Err(AwsError::validation(format!(
                "The relative-id \"{relative}\" is invalid for ARN \"{resource}\""
            )));
        }
    }
    Ok(())
}

/// A statement that replaces the one of its id in place, or goes in front.
fn upsert(current: &[Value], statement: Value) -> Vec<Value> {
    let mut statements = current.to_vec();
    let place = statements.iter().position(|found| sid(found) == sid(&statement));
    match place.and_then(|place| statements.get_mut(place)) {
        Some(found) => *found = statement,
        None => statements.insert(0, statement),
    }
    statements
}

/// A statement's id.
pub(super) fn sid(statement: &Value) -> Option<&str> {
    statement.get("Sid").and_then(Value::as_str)
}

fn texts_of(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => vec![text.clone()],
        Value::Array(members) => members.iter().filter_map(|member| member.as_str().map(str::to_owned)).collect(),
        _ => Vec::new(),
    }
}

fn scalar(value: &Value) -> Value {
    match value.as_array().map(Vec::as_slice) {
        Some([single]) => single.clone(),
        _ => value.clone(),
    }
}

fn is_unique_id(principal: &str) -> bool {
    ["AROA", "AIDA"].iter().any(|kind| principal.starts_with(kind))
}

fn missing(field: &str) -> AwsError {
    AwsError::validation(format!("Missing required field {field}"))
}

fn unsupported(parameter: &str) -> AwsError {
    AwsError::validation(format!("Provided value in parameter '{parameter}' is not supported."))
}

/// The actions that a bus policy may name: what captures of September 2026 show to be taken, of all there are.
const POLICY_ACTIONS: [&str; 15] = [
    "PutEvents",
    "DescribeEventBus",
    "PutRule",
    "DeleteRule",
    "DescribeRule",
    "EnableRule",
    "DisableRule",
    "ListRules",
    "ListRuleNamesByTarget",
    "PutTargets",
    "RemoveTargets",
    "ListTargetsByRule",
    "TagResource",
    "UntagResource",
    "ListTagsForResource",
];
