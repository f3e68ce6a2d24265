//! A team's file to raw shapes: `[team]`, and the spokes, publications, subscriptions and expectations under it.

use super::diagnostic::{Diagnostic, DiagnosticCode};
use super::fields::Fields;
use super::keeps;
use super::load::read_entries;
use super::load_shared;
use super::raw::{
    DirectKind, Entry, RawDestination, RawExpectation, RawPublication, RawSpoke, RawSubscription, RawTeam, RawTopology,
};
use super::source::{Place, Written};
use super::values;
use crate::eventbridge::quota;
use crate::model::ids::{IdError, TeamName};
use crate::model::topology::{Replays, Retry, Tags, Via};
use serde_json::{Map, Value};
use std::str::FromStr;
use toml::de::DeValue;

/// The keys of `[team]`.
pub(super) const TEAM_KEYS: &[&str] = &["name", "contact", "tags"];
/// The keys of a spoke.
pub(super) const SPOKE_KEYS: &[&str] =
    &["hub", "account", "region", "bus", "kms-key", "bus-dead-letter", "log", "tags", "keeps"];
/// The keys of a publication.
pub(super) const PUBLISH_KEYS: &[&str] = &["source", "detail-types", "subscribers", "via", "at", "accounts", "keeps"];
/// The keys of a collection.
pub(super) const COLLECT_KEYS: &[&str] =
    &["source", "detail-types", "subscribers", "at", "accounts", "regions", "keeps"];
/// The keys of a subscription.
pub(super) const SUBSCRIBE_KEYS: &[&str] =
    &["from", "at", "spoke", "detail-types", "where", "deliver", "replays", "dead-letter", "retry", "keeps"];
/// The keys of a subscription's `retry`.
pub(super) const RETRY_KEYS: &[&str] = &["attempts-max", "event-age-secs-max"];
/// The keys of an expectation.
pub(super) const EXPECT_KEYS: &[&str] = &["event", "published-by", "reaches"];
/// What an expectation's event may say; the rest of its envelope follows from the publication.
pub(super) const EVENT_KEYS: &[&str] = &["detail-type", "detail", "resources", "time", "replay-name"];
/// What `via` can be.
pub(super) const VIA_CHOICES: [(&str, Via); 2] = [("hub", Via::Hub), ("spoke", Via::Spoke)];
/// What `replays` can be.
pub(super) const REPLAY_CHOICES: [(&str, Replays); 2] = [("ignore", Replays::Ignore), ("deliver", Replays::Deliver)];

/// The tables that belong to a team.
pub(super) const OF_A_TEAM: [&str; 5] = ["spoke", "publish", "collect", "subscribe", "expect"];

/// Reads what a file says of its team, if it has one.
pub(super) fn read(file: &Fields<'_>, raw: &mut RawTopology) {
    let example = file.own_name_example();
    if !file.has("team") {
        let first = OF_A_TEAM.iter().filter_map(|key| file.key_place(key).map(|place| (place, key)));
        if let Some((place, key)) = first.min_by_key(|(place, _)| place.span.start) {
            file.fail(
                Diagnostic::error(DiagnosticCode::TeamMissing, &place, "this file does not say whose it is")
                    .label(format!("`{key}` belongs to a team"))
                    .help(format!("begin the file with `[team]` and `name = {example}`")),
            );
            // What is in it is read all the same, so that its own mistakes show in this run too.
            entries(file);
        }
        return;
    }
    let body = entries(file);
    // Whose it is may be what others refer to: whoever it is, what it says is not known to be missing.
    let Some(fields) = file.table("team", TEAM_KEYS) else {
        raw.teams_have_holes = true;
        return;
    };
    let name = fields.required_text("name", &example);
    let contact = fields.text("contact").map_or_else(String::new, |contact| contact.value);
    let tags = values::tags(&fields, "tags");
    let Some(text) = name else {
        raw.teams_have_holes = true;
        return;
    };
    let parsed = fields.parse::<TeamName>(&text, DiagnosticCode::BadName).map(|name| name.value);
    raw.teams_have_holes |= parsed.is_none();
    let body = Some(RawTeam { contact, tags, ..body });
    raw.teams.push(Entry { name: parsed, text: text.value, place: text.place, body });
}

fn entries(file: &Fields<'_>) -> RawTeam {
    let mut publications = read_entries(file, "publish", PUBLISH_KEYS, publication);
    for collection in read_entries(file, "collect", COLLECT_KEYS, collection) {
        if let Some(first) = publications.iter().find(|entry| entry.text == collection.text) {
            let message = format!("`{}` is a publication and a collection", collection.text);
            file.fail(
                Diagnostic::error(DiagnosticCode::DuplicateName, &collection.place, message)
                    .label("again here")
                    .also(&first.place, "first here")
                    .help("give one of them another name: subscriptions take both as `from = \"TEAM.NAME\"`"),
            );
        } else {
            publications.push(collection);
        }
    }
    RawTeam {
        has_holes: false,
        contact: String::new(),
        tags: Tags::new(),
        spokes: read_entries(file, "spoke", SPOKE_KEYS, spoke),
        publications,
        subscriptions: read_entries(file, "subscribe", SUBSCRIBE_KEYS, subscription),
        expectations: expectations(file),
    }
}

fn spoke(fields: &Fields<'_>) -> Option<RawSpoke> {
    let hub = fields.required("hub", DiagnosticCode::BadName, "\"NAME-OF-A-HUB\"");
    let account = fields.required("account", DiagnosticCode::BadName, "\"NAME-OF-AN-ACCOUNT\"");
    let region = values::region(fields, "region");
    let bus = values::bus(fields, "bus");
    let bus_options = load_shared::bus_options(fields);
    let tags = values::tags(fields, "tags");
    let keeps_grants = keeps::of_bus(fields);
    Some(RawSpoke { hub: hub?, account: account?, region, bus, bus_options, tags, keeps_grants })
}

fn publication(fields: &Fields<'_>) -> Option<RawPublication> {
    let source = values::source(fields, "source");
    let detail_types = detail_types(fields);
    let (subscribers, subscribers_place) = subscribers(fields);
    let via = fields
        .choice("via", &VIA_CHOICES)
        .unwrap_or_else(|| Written { value: Via::Hub, place: fields.place().clone() });
    let at = fields.texts("at").map(|list| parse_all(fields, &list.value));
    let accounts = fields.texts("accounts").map(|list| parse_all(fields, &list.value)).unwrap_or_default();
    Some(RawPublication {
        source: source?,
        detail_types,
        subscribers,
        subscribers_place,
        via,
        at,
        accounts,
        collect: None,
        keeps: keeps::of_rule(fields),
    })
}

/// AWS services' own events: a publication that comes by the accounts' default buses.
fn collection(fields: &Fields<'_>) -> Option<RawPublication> {
    let source = values::aws_source(fields, "source");
    let detail_types = detail_types(fields);
    let (subscribers, subscribers_place) = subscribers(fields);
    let at = fields.texts("at").map(|list| parse_all(fields, &list.value));
    let accounts: Vec<_> = match fields.texts("accounts") {
        Some(list) if list.value.is_empty() => {
            fields.fail(
                Diagnostic::error(DiagnosticCode::OutOfBounds, &list.place, "`accounts` names none")
                    .label("nothing would be collected"),
            );
            Vec::new()
        }
        Some(list) => parse_all(fields, &list.value),
        None => {
            fields.missing("accounts", "[\"NAME-OF-AN-ACCOUNT\"]");
            Vec::new()
        }
    };
    let regions = values::regions(fields, "regions");
    let via = Written { value: Via::Spoke, place: fields.place().clone() };
    Some(RawPublication {
        source: source?,
        detail_types,
        subscribers,
        subscribers_place,
        via,
        at,
        accounts,
        collect: Some(regions),
        keeps: keeps::of_rule(fields),
    })
}

/// Who may subscribe (none: every team), and where that was written.
fn subscribers(fields: &Fields<'_>) -> (Option<Vec<Written<TeamName>>>, Place) {
    let place = fields.key_place("subscribers").unwrap_or_else(|| fields.place().clone());
    let subscribers = match fields.texts("subscribers") {
        None => None,
        Some(list) if list.value.iter().any(|text| text.value == "*") => {
            if list.value.len() > 1 {
                fields.fail(
                    Diagnostic::error(DiagnosticCode::UnknownValue, &list.place, "`\"*\"` is every team already")
                        .label("`\"*\"` and names together")
                        .help("write `[\"*\"]`, or only the names"),
                );
            }
            None
        }
        Some(list) => Some(parse_all(fields, &list.value)),
    };
    (subscribers, place)
}

fn subscription(fields: &Fields<'_>) -> Option<RawSubscription> {
    let from = fields.required("from", DiagnosticCode::BadName, "\"TEAM.PUBLICATION\"");
    let at = fields.parsed("at", DiagnosticCode::BadName);
    let spoke = fields.parsed("spoke", DiagnosticCode::BadName);
    let detail_types = detail_types(fields);
    let replays = fields.choice("replays", &REPLAY_CHOICES).map_or(Replays::Ignore, |replays| replays.value);
    let filter = filter(fields, replays);
    let deliver = deliver(fields);
    let dead_letter = fields.text("dead-letter");
    let retry = retry(fields);
    Some(RawSubscription {
        from: from?,
        at,
        spoke,
        detail_types,
        filter: filter?,
        filter_places: fields.value_places("where"),
        filter_place: fields.key_place("where").unwrap_or_else(|| fields.place().clone()),
        deliver: deliver?,
        replays,
        dead_letter,
        retry,
        keeps: keeps::of_rule(fields),
    })
}

fn detail_types(fields: &Fields<'_>) -> Vec<Written<String>> {
    let Some(list) = fields.texts("detail-types") else { return Vec::new() };
    if list.value.is_empty() {
        fields.fail(
            Diagnostic::error(DiagnosticCode::OutOfBounds, &list.place, "`detail-types` names none")
                .label("this would match no event")
                .help("leave `detail-types` out to take every one"),
        );
    }
    list.value
}

/// The conditions of `where`. Account, source and detail-type are the publication's: a subscription that could name
/// them, or put them beside a top-level `$or`, could undo the pin on the publishing accounts.
fn filter(fields: &Fields<'_>, replays: Replays) -> Option<Map<String, Value>> {
    let Some(members) = fields.json("where") else {
        return (!fields.has("where")).then(Map::new);
    };
    let mut filter = Map::new();
    let mut sound = true;
    for (name, value) in members.value {
        let mut refuse = |label: &str, help: &str| {
            sound = false;
            let message = format!("`where` may not decide on `{}`", name.value);
            fields.fail(Diagnostic::error(DiagnosticCode::WhereKey, &name.place, message).label(label).help(help));
        };
        match name.value.as_str() {
            "detail" | "resources" | "region" => {}
            "replay-name" if replays == Replays::Deliver => {}
            "replay-name" => refuse(
                "replayed events are left out already: `replays = \"ignore\"`",
                "write `replays = \"deliver\"` beside it, or leave it out",
            ),
            "account" | "source" => {
                refuse("this is pinned to who publishes it", "leave it out: `from` says whose events these are");
            }
            "detail-type" => refuse("this is a key of its own", "write `detail-types = [\"…\"]` in the subscription"),
            "$or" => refuse(
                "an alternative at the top could undo the pin on who publishes",
                "put `$or` under `detail`: `where.detail.\"$or\" = […]`",
            ),
            _ => refuse(
                "only `detail`, `resources`, `region` and `replay-name` can be asked for",
                "a field of the event's body is under `detail`: `where.detail.FIELD = […]`",
            ),
        }
        filter.insert(name.value, value);
    }
    sound.then_some(filter)
}

fn deliver(fields: &Fields<'_>) -> Option<Written<RawDestination>> {
    let Some((key_place, value)) = fields.raw("deliver") else {
        return Some(Written { value: RawDestination::Bus, place: fields.place().clone() });
    };
    let place = fields.place_of(value);
    let direct: Vec<&str> = DirectKind::ALL.iter().map(|(key, _)| *key).collect();
    match value.get_ref() {
        DeValue::String(text) if text == "bus" => Some(Written { value: RawDestination::Bus, place }),
        DeValue::String(text) => {
            fields.fail(
                Diagnostic::error(DiagnosticCode::UnknownValue, &place, format!("`deliver` cannot be `\"{text}\"`"))
                    .label("expected `\"bus\"` or `{ queue = \"…\" }`")
                    .help("the bus is named in the spoke; a direct destination by its kind: `{ queue = \"orders\" }`"),
            );
            None
        }
        DeValue::Table(_) => {
            let table = fields.as_table("deliver", &key_place, value, &direct)?;
            let given: Vec<(DirectKind, Written<String>)> =
                DirectKind::ALL.iter().filter_map(|(key, kind)| Some((*kind, table.text(key)?))).collect();
            fields.absorb(&table);
            match given.as_slice() {
                [(kind, name)] => Some(name.with(RawDestination::Direct(*kind, name.value.clone()))),
                _ if !table.sound() => None,
                _ => {
                    let (label, help) = match given.len() {
                        0 => ("this names none".to_owned(), "leave `deliver` out for the spoke's bus"),
                        count => (format!("this names {count}"), "write a subscription for each destination"),
                    };
                    fields.fail(
                        Diagnostic::error(DiagnosticCode::BadDestination, &place, "`deliver` takes one destination")
                            .label(label)
                            .help(help),
                    );
                    None
                }
            }
        }
        other => {
            fields.wrong_type(&place, "deliver", other, "`\"bus\"` or `{ queue = \"…\" }`");
            None
        }
    }
}

fn retry(fields: &Fields<'_>) -> Option<Written<Retry>> {
    let table = fields.table("retry", RETRY_KEYS)?;
    let attempts = table.number("attempts-max", 0..=u64::from(quota::RETRY_ATTEMPTS_MAX));
    let age = table.number(
        "event-age-secs-max",
        u64::from(quota::RETRY_AGE_SECONDS_MIN)..=u64::from(quota::RETRY_AGE_SECONDS_MAX),
    );
    fields.absorb(&table);
    let value = Retry {
        attempts_max: attempts.and_then(|max| u32::try_from(max).ok()).unwrap_or(quota::RETRY_ATTEMPTS_MAX),
        event_age_seconds_max: age.and_then(|max| u32::try_from(max).ok()).unwrap_or(quota::RETRY_AGE_SECONDS_MAX),
    };
    Some(Written { value, place: table.place().clone() })
}

fn expectations(file: &Fields<'_>) -> Vec<RawExpectation> {
    let entries: Vec<Entry<TeamName, RawExpectation>> = read_entries(file, "expect", EXPECT_KEYS, expectation);
    entries.into_iter().filter_map(|entry| entry.body).collect()
}

fn expectation(fields: &Fields<'_>) -> Option<RawExpectation> {
    let published_by = fields.required("published-by", DiagnosticCode::BadName, "\"TEAM.PUBLICATION\"");
    if !fields.has("event") {
        fields.missing("event", "{ detail-type = \"…\", detail = { … } }");
    }
    // The event's own keys are checked as any table's, then it is read as the JSON that it stands for.
    let event = fields.table("event", EVENT_KEYS).and_then(|table| {
        table.required_text("detail-type", "\"…\"");
        if let Some((_, detail)) = table.raw("detail")
            && !detail.get_ref().is_table()
        {
            table.wrong_type(&table.place_of(detail), "detail", detail.get_ref(), "a table");
        }
        fields.absorb(&table);
        table.sound().then(|| fields.json("event")).flatten()
    });
    if !fields.has("reaches") {
        fields.missing("reaches", "[\"TEAM.SUBSCRIPTION\"]");
    }
    let reaches_place = fields.key_place("reaches").unwrap_or_else(|| fields.place().clone());
    let reaches = fields.texts("reaches").map(|list| parse_all(fields, &list.value));
    let event = event?;
    Some(RawExpectation {
        name: Written { value: fields.name().to_owned(), place: fields.place().clone() },
        published_by: published_by?,
        event: event.value.into_iter().map(|(name, value)| (name.value, value)).collect(),
        event_place: event.place,
        reaches: reaches?,
        reaches_place,
    })
}

fn parse_all<T: FromStr<Err = IdError>>(fields: &Fields<'_>, texts: &[Written<String>]) -> Vec<Written<T>> {
    texts.iter().filter_map(|text| fields.parse(text, DiagnosticCode::BadName)).collect()
}
