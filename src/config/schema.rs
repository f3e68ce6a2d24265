//! JSON Schema of the language, for editors (Taplo, Even Better TOML): completion, types and what each key means.
//!
//! One schema serves topology files and `wheelwright.toml`, as their tables have different names. The checker knows
//! more than a schema can say; a test holds the keys of both together.

use super::schema_daemon;
use crate::eventbridge::quota;
use crate::model::ids::NAME_CHARACTERS_MAX;
use serde_json::{Map, Value, json};

/// The schema, as JSON Schema draft 7, which TOML editors understand.
pub fn schema() -> Value {
    let mut schema = table(&[
        ("organization", organization()),
        ("account", named(account(), "The roster: every account here is swept, used or not.")),
        ("hub", named(hub(), "Central buses, one for each environment and Region.")),
        ("team", team()),
        ("spoke", named(spoke(), "The team's accounts and buses, each at a hub.")),
        ("publish", named(publish(), "Events that the team publishes.")),
        ("subscribe", named(subscribe(), "Events that the team needs.")),
        ("expect", named(expect(), "Unit tests of the routes: an event, and exactly whom it reaches.")),
        ("stop", named(stop(), "Routes held off until a time.")),
        ("collect", named(collect(), "AWS services' own events, from accounts' default buses to the hubs.")),
        ("moved", json!({ "type": "array", "items": moved(), "description": "Renames that keep the rule." })),
        ("operator", operator()),
        ("delivery", delivery()),
        ("pace", pace()),
        ("guards", guards()),
        ("sweep", schema_daemon::sweep()),
        ("mode", schema_daemon::mode()),
        ("on-drift", schema_daemon::on_drift()),
        ("freeze", named(schema_daemon::freeze(), "Times in which nothing is written.")),
        ("breaker", schema_daemon::breaker()),
        ("state", schema_daemon::state()),
        ("http", schema_daemon::http()),
        ("alert", named(schema_daemon::alert(), "Who is told of drift.")),
        ("path", schema_daemon::path()),
        ("release", named(release(), "What another tool keeps and may be taken over all the same.")),
    ]);
    if let Some(members) = schema.as_object_mut() {
        members.insert("$schema".into(), json!("http://json-schema.org/draft-07/schema#"));
        members.insert("title".into(), json!("wheelwright topology and settings"));
    }
    schema
}

fn organization() -> Value {
    about(
        "The organisation that the accounts are in.",
        needs(&["id"], table(&[("id", text("`o-…`")), ("tags", tags())])),
    )
}

fn account() -> Value {
    needs(
        &["id"],
        table(&[
            ("id", pattern("12 digits, in quotes.", "^[0-9]{12}$")),
            ("access", choice("`none`: a partner's, never read or written. Default: `managed`.", &["managed", "none"])),
        ]),
    )
}

fn hub() -> Value {
    let quotas = table(&[
        ("rules-max", number("Rules on the bus. Default: 300, in two Regions 100.", 1, 100_000)),
        ("policy-characters-max", number("Characters of the bus policy. Default: 10240.", 1, 1_000_000)),
        (
            "pattern-characters-max",
            number("Characters of a pattern. Default: 2048.", 1, quota::PATTERN_CHARACTERS_MAX as u64),
        ),
    ]);
    let archive = needs(&["retention-days"], table(&[("retention-days", number("Days; 0: for ever.", 0, 36_500))]));
    let audit = needs(&["queue"], table(&[("queue", text("Name in the hub's account and Region, or ARN."))]));
    needs(
        &["account", "region", "bus"],
        table(&[
            ("account", name("An account of the roster.")),
            ("region", text("As `us-east-1`.")),
            ("bus", text("The bus's name; it is created.")),
            ("description", text("What the bus is for.")),
            (
                "grant",
                choice(
                    "`accounts`: a statement for each publishing account while the quota allows. Default: `accounts`.",
                    &["accounts", "organization"],
                ),
            ),
            ("archive", about("Keep what is published, to replay it.", archive)),
            ("audit", about("A copy of everything but replays.", audit)),
            ("kms-key", kms_key()),
            ("bus-dead-letter", bus_dead_letter()),
            ("log", log()),
            ("tags", tags()),
            ("quotas", about("What AWS allows here, where a quota was raised.", quotas)),
            ("calls-per-second-max", number("Control-plane calls a second that we allow ourselves here.", 1, 50)),
            ("keeps", bus_keeps()),
        ]),
    )
}

fn kms_key() -> Value {
    text("ARN of the customer's KMS key that the bus is encrypted with. Default: the key that AWS owns.")
}

fn bus_dead_letter() -> Value {
    text("Queue for events that could not be encrypted or decrypted: name in the bus's account and Region, or ARN.")
}

fn log() -> Value {
    let level = choice("Default: `error`.", &["off", "error", "info", "trace"]);
    let detail = json!({ "type": "boolean", "description": "Whether the events' details are in it. Default: false." });
    about("What the bus logs. Default: nothing.", table(&[("level", level), ("detail", detail)]))
}

fn release() -> Value {
    let keys = [
        ("resource", text("The ARN of a bus or a rule.")),
        ("from", choice("Whose tags are on it.", &["cloudformation", "ack", "crossplane", "terraform"])),
        ("reason", text("Why, for whoever wonders.")),
    ];
    needs(&["resource", "from", "reason"], table(&keys))
}

fn keeps() -> Value {
    let keys = [
        ("rule", text("The rule's name.")),
        ("target", text("The Id of its target.")),
        ("pattern", text("Its pattern, as JSON, which takes at least what is asked for.")),
        ("role", text("The name of the role that its target is delivered with, or `none`.")),
        ("dead-letter", text("Its target's dead-letter queue, by name or ARN, or `none`.")),
    ];
    about("What a rule that was there before keeps of its own, until the line goes.", table(&keys))
}

fn bus_keeps() -> Value {
    let grants = json!({
        "type": "boolean",
        "description": "Whoever others' statements let in counts as let in: ours are put only where none of theirs does.",
    });
    about("What a bus that was there before keeps of its own.", table(&[("grants", grants)]))
}

fn stop() -> Value {
    let until = json!({ "description": "Date, time and offset: `2026-01-31T06:00:00Z`." });
    let keys = [
        ("subscription", text("`team.subscription`.")),
        ("until", until),
        ("reason", text("Why, for whoever finds events missing.")),
    ];
    needs(&["subscription", "until", "reason"], table(&keys))
}

fn moved() -> Value {
    let keys = [
        ("from", text("`team.name`, as it was.")),
        ("to", text("`team.name`, as it is.")),
        ("kind", choice("What it is. Default: `subscription`.", &["subscription", "publication"])),
    ];
    needs(&["from", "to"], table(&keys))
}

fn collect() -> Value {
    needs(
        &["source", "accounts"],
        table(&[
            ("source", text("As `aws.guardduty`.")),
            ("detail-types", texts("The events' `detail-type`s. Default: any.")),
            ("subscribers", texts("Teams that may subscribe, or `[\"*\"]`. Default: every team.")),
            ("at", texts("Hubs. Default: every hub where the team has a spoke.")),
            ("accounts", texts("Accounts of the roster whose default buses forward.")),
            ("regions", texts("Their Regions. Default: the hub's.")),
            ("keeps", keeps()),
        ]),
    )
}

fn team() -> Value {
    let keys = [("name", name("The team's name.")), ("contact", text("Whom to ask.")), ("tags", tags())];
    about("Whose file this is.", needs(&["name"], table(&keys)))
}

fn spoke() -> Value {
    needs(
        &["hub", "account"],
        table(&[
            ("hub", name("The hub that it is attached to.")),
            ("account", name("An account of the roster.")),
            ("region", text("Default: the hub's.")),
            ("bus", text("Its bus; `default` is used as it is. Pure publishers may leave it out.")),
            ("kms-key", kms_key()),
            ("bus-dead-letter", bus_dead_letter()),
            ("log", log()),
            ("tags", tags()),
            ("keeps", bus_keeps()),
        ]),
    )
}

fn publish() -> Value {
    needs(
        &["source"],
        table(&[
            ("source", text("The events' `source`; one team owns it at a hub.")),
            ("detail-types", texts("The events' `detail-type`s. Default: any.")),
            ("subscribers", texts("Teams that may subscribe, or `[\"*\"]`. Default: every team.")),
            (
                "via",
                choice(
                    "`hub`: publishers call PutEvents on the hub's bus. `spoke`: the spoke's bus forwards, which uses up the one hop between buses. Default: `hub`.",
                    &["hub", "spoke"],
                ),
            ),
            ("at", texts("Hubs. Default: every hub where the team has a spoke.")),
            ("accounts", texts("Further accounts that publish it.")),
            ("keeps", keeps()),
        ]),
    )
}

fn subscribe() -> Value {
    let direct: Vec<(&str, Value)> = ["queue", "function", "topic", "stream", "api"]
        .map(|kind| (kind, text("Name in the spoke's account and Region, or ARN.")))
        .into();
    let retry = table(&[
        ("attempts-max", number("Default: 185.", 0, u64::from(quota::RETRY_ATTEMPTS_MAX))),
        (
            "event-age-secs-max",
            number("Default: 86400.", quota::RETRY_AGE_SECONDS_MIN.into(), quota::RETRY_AGE_SECONDS_MAX.into()),
        ),
    ]);
    let filter = json!({
        "type": "object",
        "description": "EventBridge's pattern language, for detail, resources, region and replay-name.",
        "properties": { "detail": {}, "resources": {}, "region": {}, "replay-name": {} },
        "additionalProperties": false,
    });
    let one_of = json!({ "oneOf": [{ "const": "bus" }, table(&direct)] });
    needs(
        &["from"],
        table(&[
            ("from", text("`team.publication`.")),
            ("at", name("The hub to take it at, if there is a choice.")),
            ("spoke", name("The spoke that it is for, if there is a choice.")),
            ("detail-types", texts("Default: all of the publication's.")),
            ("where", filter),
            ("deliver", about("Default: `\"bus\"`, the spoke's.", one_of)),
            ("replays", choice("Whether replayed events come too. Default: `ignore`.", &["ignore", "deliver"])),
            ("dead-letter", text("Queue in the hub's account and Region, or ARN. Default: the delivery settings'.")),
            ("retry", about("How long EventBridge tries; not on buses.", retry)),
            ("keeps", keeps()),
        ]),
    )
}

fn expect() -> Value {
    let event = needs(
        &["detail-type"],
        table(&[
            ("detail-type", text("One of the publication's.")),
            ("detail", json!({ "type": "object" })),
            ("resources", texts("ARNs.")),
            ("time", text("As `2026-01-01T00:00:00Z`.")),
            ("replay-name", text("For an event that comes from a replay.")),
        ]),
    );
    needs(
        &["event", "published-by", "reaches"],
        table(&[
            ("event", event),
            ("published-by", text("`team.publication`.")),
            ("reaches", texts("Every `team.subscription` that gets it, and no other.")),
        ]),
    )
}

fn operator() -> Value {
    table(&[
        ("owner", name("Whose marks we write and obey. Default: `wheelwright`.")),
        ("role-name", text("The role that we assume in every account. Default: `wheelwright-operator`.")),
        ("external-id", text("What the role's trust policy asks for.")),
        ("session-name", text("Our name in CloudTrail. Default: `wheelwright`.")),
        ("region", text("The Region whose STS we ask. Default: the environment's.")),
    ])
}

fn delivery() -> Value {
    table(&[
        ("role-name", text("The role that EventBridge delivers with. Default: `wheelwright-delivery`.")),
        ("dead-letter-queue", text("In the rule's account and Region. Default: `wheelwright-dead-letters`.")),
    ])
}

fn pace() -> Value {
    table(&[
        ("accounts-in-flight-max", number("Default: 64.", 1, 1_000)),
        ("calls-per-second-max", number("In one account and Region. Default: 15.", 1, 50)),
        ("calls-burst-max", number("Default: 30.", 1, 100)),
        ("scope-deadline-secs", number("Default: 120.", 5, 3_600)),
        ("settle-secs", number("Between the last make and the first break. Default: 300.", 0, 86_400)),
    ])
}

fn guards() -> Value {
    table(&[
        ("breaks-percent-max", number("More breaks than this share are held. Default: 20.", 0, 100)),
        ("breaks-floor", number("Up to this number they are not. Default: 3.", 0, 10_000)),
        ("changes-percent-max", number("More changes than this share are held. Default: 50.", 0, 100)),
        ("changes-floor", number("Up to this number they are not. Default: 20.", 0, 10_000)),
        ("fresh-secs-max", number("An older observation carries no break. Default: 900.", 30, 86_400)),
    ])
}

pub(super) fn table(keys: &[(&str, Value)]) -> Value {
    let properties: Map<String, Value> = keys.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect();
    json!({ "type": "object", "additionalProperties": false, "properties": properties })
}

pub(super) fn named(entry: Value, description: &str) -> Value {
    let value = json!({ "type": "object", "description": description });
    with(value, "additionalProperties", entry)
}

pub(super) fn with(mut value: Value, key: &str, member: Value) -> Value {
    if let Some(members) = value.as_object_mut() {
        members.insert(key.to_owned(), member);
    }
    value
}

pub(super) fn about(description: &str, value: Value) -> Value {
    with(value, "description", json!(description))
}

pub(super) fn needs(keys: &[&str], value: Value) -> Value {
    with(value, "required", json!(keys))
}

pub(super) fn text(description: &str) -> Value {
    json!({ "type": "string", "description": description })
}

pub(super) fn pattern(description: &str, pattern: &str) -> Value {
    with(text(description), "pattern", json!(pattern))
}

pub(super) fn name(description: &str) -> Value {
    let most = NAME_CHARACTERS_MAX - 2;
    pattern(description, &format!("^[a-z0-9]([a-z0-9-]{{0,{most}}}[a-z0-9])?$"))
}

pub(super) fn texts(description: &str) -> Value {
    json!({ "type": "array", "items": { "type": "string" }, "uniqueItems": true, "description": description })
}

pub(super) fn number(description: &str, least: u64, most: u64) -> Value {
    json!({ "type": "integer", "minimum": least, "maximum": most, "description": description })
}

pub(super) fn choice(description: &str, words: &[&str]) -> Value {
    json!({ "enum": words, "description": description })
}

fn tags() -> Value {
    json!({ "type": "object", "additionalProperties": { "type": "string" }, "description": "Tags on what is made." })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;
    use crate::config::{keeps, load, load_shared, load_team, releases, settings, settings_daemon, settings_paths};
    use std::collections::BTreeSet;

    fn keys(table: &Value) -> BTreeSet<String> {
        table["properties"].as_object().unwrap().keys().cloned().collect()
    }

    #[test]
    fn the_schema_has_the_keys_that_are_read() {
        let schema = schema();
        let entry = |table: &str| schema["properties"][table]["additionalProperties"].clone();
        let own = |table: &str| schema["properties"][table].clone();
        let inner = |table: &str, key: &str| entry(table)["properties"][key].clone();
        let mut expected = vec![
            (own("organization"), load::ORGANIZATION_KEYS),
            (entry("account"), load::ACCOUNT_KEYS),
            (entry("hub"), load::HUB_KEYS),
            (inner("hub", "archive"), load::ARCHIVE_KEYS),
            (inner("hub", "audit"), load::AUDIT_KEYS),
            (inner("hub", "quotas"), load::QUOTA_KEYS),
            (own("team"), load_team::TEAM_KEYS),
            (inner("hub", "log"), load::LOG_KEYS),
            (entry("stop"), load_shared::STOP_KEYS),
            (entry("collect"), load_team::COLLECT_KEYS),
            (schema["properties"]["moved"]["items"].clone(), load_shared::MOVED_KEYS),
            (entry("spoke"), load_team::SPOKE_KEYS),
            (entry("publish"), load_team::PUBLISH_KEYS),
            (entry("subscribe"), load_team::SUBSCRIBE_KEYS),
            (inner("subscribe", "retry"), load_team::RETRY_KEYS),
            (entry("expect"), load_team::EXPECT_KEYS),
            (inner("expect", "event"), load_team::EVENT_KEYS),
        ];
        expected.push((entry("freeze"), settings_daemon::FREEZE_KEYS));
        expected.push((entry("alert"), settings_daemon::ALERT_KEYS));
        expected.push((entry("path"), settings_paths::PATH_KEYS));
        expected.push((entry("release"), releases::RELEASE_KEYS));
        for of_a_rule in ["subscribe", "publish", "collect"] {
            expected.push((inner(of_a_rule, "keeps"), keeps::KEEPS_KEYS));
        }
        for of_a_bus in ["hub", "spoke"] {
            expected.push((inner(of_a_bus, "keeps"), keeps::BUS_KEEPS_KEYS));
        }
        expected.extend(settings::TABLES.iter().map(|(name, keys)| (own(name), *keys)));
        for (table, read) in expected {
            assert_eq!(keys(&table), read.iter().map(ToString::to_string).collect());
        }
        let tables: BTreeSet<String> = load::FILE_KEYS
            .iter()
            .copied()
            .chain(settings::TABLES.iter().map(|(name, _)| *name))
            .chain(settings::MAPS)
            .map(String::from)
            .collect();
        assert_eq!(keys(&schema), tables);
    }
}
