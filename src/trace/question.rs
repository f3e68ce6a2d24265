//! The question: which event, who publishes it, and on which buses it is put.

use crate::expand::{forwarding_buses, publishing_accounts};
use crate::model::ids::{AccountId, PublicationId};
use crate::model::resource::BusId;
use crate::model::topology::{Publication, Team, Topology, Via};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

/// Somebody puts the event on a bus.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Put {
    /// The bus.
    pub bus: BusId,
    /// Whose event it is: the envelope's `account`.
    pub account: AccountId,
    /// Whether an AWS service puts it, on its account's default bus.
    pub by_aws: bool,
}

/// An event, and everybody who publishes it.
#[derive(Clone, Debug, PartialEq)]
pub struct Question {
    /// The publication, if it is one's.
    pub publication: Option<PublicationId>,
    /// Who puts it where; never empty.
    pub puts: Vec<Put>,
    /// The envelope as it was given, but for account and Region, which EventBridge sets.
    envelope: Map<String, Value>,
}

/// Why a question makes no sense: what is wrong, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct QuestionError(String);

fn error<T>(text: impl Into<String>) -> Result<T, QuestionError> {
    Err(QuestionError(text.into()))
}

/// Names that an error lists at most.
const NAMED_MAX: usize = 8;

impl Question {
    /// Reads a question.
    ///
    /// `event` is an event as a rule's target gets it (`source`, `detail-type`, `detail`) or an entry of PutEvents (`Source`,
    /// `DetailType`, `Detail`, `EventBusName`). `published_by` is a publication (`orders.placed`), or an account by its name in the
    /// roster or its id; left out, it is the one publication with the event's source and detail-type. `bus` is what the publisher
    /// gives as EventBusName: an ARN, or a name; of a publication, the buses that the topology says if left out.
    ///
    /// # Errors
    /// What is missing or unknown.
    pub fn read(
        topology: &Topology,
        event: &Value,
        published_by: Option<&str>,
        bus: Option<&str>,
    ) -> Result<Self, QuestionError> {
        let (mut envelope, entry_bus) = envelope(event)?;
        let bus = bus.map(str::to_owned).or(entry_bus);
        let publisher = match published_by {
            Some(text) => publisher(topology, text)?,
            None => Publisher::Publication(inferred(topology, &envelope)?),
        };
        let (publication, mut puts) = match publisher {
            Publisher::Publication(id) => {
                let found = topology.teams.get(&id.team).and_then(|team| Some((team, team.publications.get(&id)?)));
                let Some((team, publication)) = found else { return error(format!("there is no publication `{id}`")) };
                complete(&mut envelope, publication);
                (Some(id), puts_of(topology, team, publication, bus.as_deref())?)
            }
            Publisher::Account(account) => {
                let Some(bus) = bus.as_deref() else {
                    return error(
                        "an account alone does not say where it puts the event: give the bus too (`--bus`), as the publisher gives \
                         it to PutEvents, or name the publication (`--published-by TEAM.PUBLICATION`)",
                    );
                };
                (None, vec![Put { bus: bus_of(topology, account, bus)?, account, by_aws: false }])
            }
        };
        for field in ["source", "detail-type"] {
            if !envelope.get(field).is_some_and(Value::is_string) {
                return error(format!("the event has no `{field}`, which has to be a text"));
            }
        }
        let is_of_aws = envelope.get("source").and_then(Value::as_str).is_some_and(|source| source.starts_with("aws."));
        for put in &mut puts {
            put.by_aws = is_of_aws && put.bus.is_default() && put.bus.scope.account == put.account;
        }
        puts.sort();
        puts.dedup();
        Ok(Self { publication, puts, envelope })
    }

    /// The whole event as it comes to the bus that it is put on.
    pub fn event(&self, put: &Put) -> Value {
        let mut event = Map::new();
        event.insert("version".into(), json!("0"));
        event.insert("id".into(), json!("00000000-0000-0000-0000-000000000000"));
        event.insert("time".into(), json!("2026-01-01T00:00:00Z"));
        event.insert("resources".into(), json!([]));
        event.insert("detail".into(), json!({}));
        event.extend(self.envelope.clone());
        event.insert("account".into(), json!(put.account.to_string()));
        event.insert("region".into(), json!(put.bus.scope.region.as_str()));
        Value::Object(event)
    }
}

/// The envelope that was given, and the bus, if it says one.
fn envelope(event: &Value) -> Result<(Map<String, Value>, Option<String>), QuestionError> {
    let Value::Object(given) = event else { return error("an event is a JSON object") };
    let is_entry = given.contains_key("DetailType") || given.contains_key("Source");
    let mut envelope = Map::new();
    for (key, value) in given {
        let name = match key.as_str() {
            "Source" if is_entry => "source",
            "DetailType" if is_entry => "detail-type",
            "Detail" if is_entry => "detail",
            "Resources" if is_entry => "resources",
            "EventBusName" | "Time" | "TraceHeader" if is_entry => continue,
            name => name,
        };
        envelope.insert(name.to_owned(), value.clone());
    }
    if let Some(Value::String(text)) = envelope.get("detail") {
        let Ok(detail) = serde_json::from_str::<Value>(text) else {
            return error("the event's detail is a text that is no JSON");
        };
        envelope.insert("detail".to_owned(), detail);
    }
    if envelope.get("detail").is_some_and(|detail| !detail.is_object()) {
        return error("the event's detail has to be a JSON object");
    }
    let bus = given.get("EventBusName").filter(|_| is_entry).and_then(Value::as_str).map(str::to_owned);
    Ok((envelope, bus))
}

/// Source and detail-type that can only be the publication's own.
fn complete(envelope: &mut Map<String, Value>, publication: &Publication) {
    envelope.entry("source").or_insert_with(|| json!(publication.source));
    if let Some(only) = publication.detail_types.first().filter(|_| publication.detail_types.len() == 1) {
        envelope.entry("detail-type").or_insert_with(|| json!(only));
    }
}

enum Publisher {
    Publication(PublicationId),
    Account(AccountId),
}

fn publisher(topology: &Topology, text: &str) -> Result<Publisher, QuestionError> {
    if let Ok(id) = text.parse::<PublicationId>() {
        if publications(topology).any(|(known, _)| *known == id) {
            return Ok(Publisher::Publication(id));
        }
        let known = publications(topology).filter(|(known, _)| known.team == id.team).map(|(id, _)| id.to_string());
        let known: Vec<String> = known.collect();
        let has = if known.is_empty() { "no team of this name publishes anything".to_owned() } else { listed(&known) };
        return error(format!("there is no publication `{text}`: known are {has}"));
    }
    let named = topology.accounts.iter().find(|(name, _)| name.as_str() == text).map(|(_, account)| account.id);
    if let Some(account) = named.or_else(|| text.parse().ok()) {
        return Ok(Publisher::Account(account));
    }
    let names: Vec<String> = topology.accounts.keys().map(ToString::to_string).collect();
    error(format!("`{text}` is neither a publication (TEAM.NAME) nor an account of the roster ({})", listed(&names)))
}

fn publications(topology: &Topology) -> impl Iterator<Item = (&PublicationId, &Publication)> {
    topology.teams.values().flat_map(|team| &team.publications)
}

/// The one publication that says that it publishes such events.
fn inferred(topology: &Topology, envelope: &Map<String, Value>) -> Result<PublicationId, QuestionError> {
    let text = |field: &str| envelope.get(field).and_then(Value::as_str).unwrap_or_default();
    let (source, detail_type) = (text("source"), text("detail-type"));
    let says_so = |publication: &Publication| {
        publication.source == source
            && (publication.detail_types.is_empty() || publication.detail_types.contains(detail_type))
    };
    let found: Vec<&PublicationId> =
        publications(topology).filter(|(_, publication)| says_so(publication)).map(|(id, _)| id).collect();
    let event = format!("source `{source}` and detail-type `{detail_type}`");
    match found.as_slice() {
        [only] => Ok((*only).clone()),
        [] => error(format!("no publication has {event}: say who publishes it (`--published-by`)")),
        several => {
            let names: Vec<String> = several.iter().map(ToString::to_string).collect();
            error(format!("{event} are those of {}: say which one it is (`--published-by`)", listed(&names)))
        }
    }
}

fn listed(names: &[String]) -> String {
    let mut shown: Vec<String> = names.iter().take(NAMED_MAX).map(|name| format!("`{name}`")).collect();
    if names.len() > NAMED_MAX {
        shown.push(format!("{} more", names.len() - NAMED_MAX));
    }
    shown.join(", ")
}

/// Who puts a publication's events where, as the topology says; or everybody on this bus.
fn puts_of(
    topology: &Topology,
    team: &Team,
    publication: &Publication,
    bus: Option<&str>,
) -> Result<Vec<Put>, QuestionError> {
    let mut puts = Vec::new();
    for hub_name in publication.hubs.keys() {
        let Some(hub) = topology.hubs.get(hub_name) else { continue };
        match publication.via {
            Via::Hub => {
                let bus = BusId { scope: hub.scope.clone(), name: hub.bus.clone() };
                let accounts = publishing_accounts(team, publication, hub_name);
                puts.extend(accounts.into_iter().map(|account| Put { bus: bus.clone(), account, by_aws: false }));
            }
            Via::Spoke => {
                puts.extend(forwarding_buses(topology, team, publication, hub_name).into_iter().map(|bus| Put {
                    account: bus.scope.account,
                    bus,
                    by_aws: false,
                }));
            }
        }
    }
    if let Some(bus) = bus {
        let accounts: BTreeSet<AccountId> = puts.iter().map(|put| put.account).collect();
        let on = |account: AccountId| Ok(Put { bus: bus_of(topology, account, bus)?, account, by_aws: false });
        puts = accounts.into_iter().map(on).collect::<Result<_, _>>()?;
    }
    if puts.is_empty() {
        error("nobody publishes it anywhere: the publication has no spoke at any hub")
    } else {
        Ok(puts)
    }
}

/// The bus that a publisher means by EventBusName: an ARN, a bus of its own account, or a hub by its name or its bus's.
fn bus_of(topology: &Topology, account: AccountId, text: &str) -> Result<BusId, QuestionError> {
    if text.starts_with("arn:") {
        return BusId::of_arn(text).map_or_else(|| error(format!("`{text}` is no bus's ARN")), Ok);
    }
    let hubs = topology.hubs.iter().filter(|(name, hub)| name.as_str() == text || hub.bus == text);
    let hubs = hubs.map(|(_, hub)| BusId { scope: hub.scope.clone(), name: hub.bus.clone() });
    let spokes = topology.teams.values().flat_map(|team| team.spokes.values());
    let own = spokes
        .filter(|spoke| spoke.scope.account == account && (spoke.bus.as_deref() == Some(text) || text == "default"));
    let own = own.map(|spoke| BusId { scope: spoke.scope.clone(), name: text.to_owned() });
    let found: BTreeSet<BusId> = own.chain(hubs).collect();
    let mut buses = found.iter();
    match (buses.next(), buses.next()) {
        (Some(only), None) => Ok(only.clone()),
        (None, _) => error(format!("no hub and no bus of account {account} is called `{text}`: give the bus's ARN")),
        (Some(_), Some(_)) => {
            let names: Vec<String> = found.iter().map(BusId::arn).collect();
            error(format!("`{text}` may be {}: give the ARN", listed(&names)))
        }
    }
}
