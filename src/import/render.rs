//! A draft as TOML, laid out as people lay it out.

use super::draft::{Account, Draft, Hub, Options, Publication, Spoke, Subscription, Team};
use crate::eventbridge::Arn;
use crate::model::ids::{AccountId, AccountName, HubName, Scope, TeamName};
use crate::model::resource::LogLevel;
use crate::model::topology::{Keeps, KeptName, Tags};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// The roster's file.
pub(super) const ACCOUNTS: &str = "topology/accounts.toml";
/// The hubs' file.
pub(super) const HUBS: &str = "topology/hubs.toml";
/// The end of a stop that nobody has given one.
const NO_END: &str = "9999-01-01T00:00:00Z";

/// The file of a team.
pub(super) fn team_file(team: &TeamName) -> String {
    format!("topology/teams/{team}.toml")
}

/// The files, by path; none if there is nothing to say.
pub(super) fn render(draft: &Draft) -> BTreeMap<String, String> {
    if draft.hubs.is_empty() {
        return BTreeMap::new();
    }
    let mut files = BTreeMap::from([(ACCOUNTS.to_owned(), accounts(draft)), (HUBS.to_owned(), hubs(draft))]);
    for (name, team) in &draft.teams {
        files.insert(team_file(name), team_text(name, team, draft));
    }
    files
}

fn accounts(draft: &Draft) -> String {
    let mut text = String::from("# The roster: every account that was looked at.\n\n[account]\n");
    let line = |(name, account): (&AccountName, &Account)| match account.is_managed {
        true => format!("{name} = {{ id = \"{}\" }}\n", account.id),
        false => format!("{name} = {{ id = \"{}\", access = \"none\" }}\n", account.id),
    };
    text.extend(draft.accounts.iter().filter(|(_, account)| account.is_managed).map(line));
    let others: Vec<_> = draft.accounts.iter().filter(|(_, account)| !account.is_managed).collect();
    if !others.is_empty() {
        text.push_str("\n# Named by a rule or a statement, and not looked at: nothing is read or written there.\n");
        text.extend(others.into_iter().map(line));
    }
    text
}

fn hubs(draft: &Draft) -> String {
    let mut text = String::from("# The hubs: buses from which events go on to others.\n");
    if let Some(id) = &draft.organization {
        text.push_str(&format!("\n[organization]\nid = {}\n", quoted(id)));
    }
    for (name, hub) in &draft.hubs {
        let Hub { bus, account, description, by_organization, archive_days, audit_queue, options, notes } = hub;
        text.push('\n');
        note(&mut text, notes);
        text.push_str(&format!("[hub.{name}]\naccount = \"{account}\"\nregion = \"{}\"\n", bus.scope.region));
        text.push_str(&format!("bus = {}\n", quoted(&bus.name)));
        if let Some(description) = description {
            text.push_str(&format!("description = {}\n", quoted(description)));
        }
        if *by_organization {
            text.push_str("grant = \"organization\"\n");
        }
        if let Some(days) = archive_days {
            text.push_str(&format!("archive = {{ retention-days = {days} }}\n"));
        }
        if let Some(queue) = audit_queue {
            text.push_str(&format!("audit = {{ queue = {} }}\n", quoted(&near(queue, &bus.scope))));
        }
        options_lines(&mut text, options, &bus.scope);
    }
    text
}

fn options_lines(text: &mut String, options: &Options, scope: &Scope) {
    let Options { kms_key, dead_letter, log, tags, keeps_grants } = options;
    if let Some(key) = kms_key {
        text.push_str(&format!("kms-key = {}\n", quoted(key)));
    }
    if let Some(queue) = dead_letter {
        text.push_str(&format!("bus-dead-letter = {}\n", quoted(&near(queue, scope))));
    }
    if log.level != LogLevel::Off {
        let level = log.level.to_string().to_ascii_lowercase();
        let detail = if log.detail { ", detail = true" } else { "" };
        text.push_str(&format!("log = {{ level = \"{level}\"{detail} }}\n"));
    }
    tags_line(text, tags);
    if *keeps_grants {
        text.push_str("keeps.grants = true            # who may put events here is let in by statements of before\n");
    }
}

fn tags_line(text: &mut String, tags: &Tags) {
    if !tags.is_empty() {
        let pairs: Vec<String> =
            tags.iter().map(|(name, value)| format!("{} = {}", key(name), quoted(value))).collect();
        text.push_str(&format!("tags = {{ {} }}\n", pairs.join(", ")));
    }
}

fn team_text(name: &TeamName, team: &Team, draft: &Draft) -> String {
    let mut text = String::new();
    note(&mut text, &team.notes);
    if !team.notes.is_empty() {
        text.push('\n');
    }
    text.push_str(&format!("[team]\nname = \"{name}\"\n"));
    tags_line(&mut text, &team.tags);
    for (spoke_name, spoke) in &team.spokes {
        spoke_text(&mut text, spoke_name.as_str(), spoke, draft);
    }
    for (publication_name, publication) in &team.publications {
        publication_text(&mut text, name, publication_name, publication, team, draft);
    }
    for (subscription_name, subscription) in &team.subscriptions {
        subscription_text(&mut text, name, subscription_name, subscription, team, draft);
    }
    text
}

fn spoke_text(text: &mut String, name: &str, spoke: &Spoke, draft: &Draft) {
    let Spoke { hub, account, account_id, region, bus, options } = spoke;
    text.push_str(&format!("\n[spoke.{name}]\nhub = \"{hub}\"\naccount = \"{account}\"\n"));
    if draft.hubs.get(hub).is_some_and(|hub| hub.bus.scope.region != *region) {
        text.push_str(&format!("region = \"{region}\"\n"));
    }
    if let Some(bus) = bus {
        text.push_str(&format!("bus = {}\n", quoted(bus)));
    }
    options_lines(text, options, &Scope { account: *account_id, region: region.clone() });
}

fn publication_text(
    text: &mut String,
    team_name: &TeamName,
    name: &str,
    publication: &Publication,
    team: &Team,
    draft: &Draft,
) {
    let Publication { source, types, takers, is_for_all, is_forwarded, collected_from, hubs, keeps, notes, rules: _ } =
        publication;
    text.push('\n');
    note(text, notes);
    let kind = if collected_from.is_some() { "collect" } else { "publish" };
    text.push_str(&format!("[{kind}.{name}]\nsource = {}\n", quoted(source)));
    list(text, "detail-types", types);
    if !is_for_all {
        list(text, "subscribers", &takers.iter().map(ToString::to_string).collect());
    }
    if *is_forwarded {
        text.push_str("via = \"spoke\"\n");
    }
    let at: BTreeSet<String> = hubs.keys().map(ToString::to_string).collect();
    let everywhere: BTreeSet<String> = team.spokes.values().map(|spoke| spoke.hub.to_string()).collect();
    if at != everywhere {
        list(text, "at", &at);
    }
    if !is_forwarded {
        let further = |(hub, accounts): (&HubName, &BTreeSet<AccountId>)| {
            let own = match collected_from {
                Some(_) => BTreeSet::new(),
                None => draft.spoke_accounts(team_name, hub),
            };
            accounts.difference(&own).filter_map(|id| account_name(draft, *id)).collect::<Vec<_>>()
        };
        list(text, "accounts", &hubs.iter().flat_map(further).collect());
    }
    if let Some(regions) = collected_from.as_ref().filter(|regions| !regions.is_empty()) {
        list(text, "regions", &regions.iter().map(ToString::to_string).collect());
    }
    keeps_lines(text, keeps);
}

fn subscription_text(
    text: &mut String,
    team_name: &TeamName,
    name: &str,
    subscription: &Subscription,
    team: &Team,
    draft: &Draft,
) {
    let Subscription { from, hub, spoke, types, filter, deliver, delivers_replays, dead_letter, retry, keeps, .. } =
        subscription;
    text.push('\n');
    note(text, &subscription.notes);
    text.push_str(&format!("[subscribe.{name}]\nfrom = \"{}.{}\"\n", from.0, from.1));
    let offered = draft.teams.get(&from.0).and_then(|team| team.publications.get(&from.1));
    let could = |spoke: &&Spoke| offered.is_none_or(|offered| offered.hubs.contains_key(&spoke.hub));
    if team.spokes.values().filter(could).count() > 1 {
        text.push_str(&format!("spoke = \"{spoke}\"\n"));
    }
    list(text, "detail-types", types);
    for (field, value) in filter {
        conditions(text, &mut vec!["where".to_owned(), key(field)], value);
    }
    if let Some((kind, to)) = deliver {
        text.push_str(&format!("deliver = {{ {kind} = {} }}\n", quoted(to)));
    }
    if *delivers_replays {
        text.push_str("replays = \"deliver\"\n");
    }
    if let Some(queue) = dead_letter {
        let scope = draft.hubs.get(hub).map(|hub| &hub.bus.scope);
        let queue = scope.map_or_else(|| queue.clone(), |scope| near(queue, scope));
        text.push_str(&format!("dead-letter = {}\n", quoted(&queue)));
    }
    if let Some(retry) = retry {
        let (attempts, seconds) = (retry.attempts_max, retry.event_age_seconds_max);
        text.push_str(&format!("retry = {{ attempts-max = {attempts}, event-age-secs-max = {seconds} }}\n"));
    }
    keeps_lines(text, keeps);
    if subscription.is_stopped {
        text.push_str(&format!(
            "\n# Its rule was disabled when it was imported. Take this out, and it delivers.\n[stop.{name}]\nsubscription = \"{team_name}.{name}\"\nuntil = {NO_END}\nreason = \"disabled before it was imported\"\n"
        ));
    }
}

/// What a rule keeps, each key with what it comes to.
fn keeps_lines(text: &mut String, keeps: &Keeps) {
    let Keeps { rule, target, pattern, role, dead_letter } = keeps;
    let mut line = |key: &str, value: String| text.push_str(&format!("keeps.{key} = {value}\n"));
    let named = |name: &KeptName| match name {
        KeptName::Nothing => "\"none\"".to_owned(),
        KeptName::Named(name) => quoted(name),
    };
    if let Some(rule) = rule {
        line("rule", quoted(rule));
    }
    if let Some(target) = target {
        line("target", quoted(target));
    }
    if let Some(role) = role {
        line("role", named(role));
    }
    if let Some(queue) = dead_letter {
        line("dead-letter", named(queue));
    }
    if let Some(pattern) = pattern {
        line("pattern", literal(pattern.as_str()));
    }
}

/// `where`, a line for each list of alternatives.
fn conditions(text: &mut String, path: &mut Vec<String>, value: &Value) {
    match value {
        Value::Object(members) if !members.is_empty() => {
            for (name, value) in members {
                path.push(key(name));
                conditions(text, path, value);
                path.pop();
            }
        }
        other => text.push_str(&format!("{} = {}\n", path.join("."), inline(other))),
    }
}

/// A JSON value as TOML on one line.
fn inline(value: &Value) -> String {
    match value {
        Value::String(text) => quoted(text),
        Value::Array(items) => format!("[{}]", items.iter().map(inline).collect::<Vec<_>>().join(", ")),
        Value::Object(members) if members.is_empty() => "{}".to_owned(),
        Value::Object(members) => {
            let pairs: Vec<String> =
                members.iter().map(|(name, value)| format!("{} = {}", key(name), inline(value))).collect();
            format!("{{ {} }}", pairs.join(", "))
        }
        // Nulls were turned away before.
        other => other.to_string(),
    }
}

fn list(text: &mut String, name: &str, values: &BTreeSet<String>) {
    if !values.is_empty() {
        let values: Vec<String> = values.iter().map(|value| quoted(value)).collect();
        text.push_str(&format!("{name} = [{}]\n", values.join(", ")));
    }
}

/// Comments, one line each: what AWS says may have lines of its own.
fn note(text: &mut String, notes: &[String]) {
    for note in notes {
        let plain: String = note.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect();
        text.push_str(&format!("# {plain}\n"));
    }
}

fn account_name(draft: &Draft, id: AccountId) -> Option<String> {
    draft.accounts.iter().find(|(_, account)| account.id == id).map(|(name, _)| name.to_string())
}

/// A queue by its name, where it is in this scope.
fn near(queue: &str, scope: &Scope) -> String {
    let Ok(arn) = queue.parse::<Arn>() else { return queue.to_owned() };
    let is_near = arn == Arn::queue(scope.region.as_str(), &scope.account.to_string(), &arn.resource);
    if is_near { arn.resource } else { queue.to_owned() }
}

/// A key: bare where TOML takes it so.
fn key(name: &str) -> String {
    let is_bare = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    if is_bare { name.to_owned() } else { quoted(name) }
}

/// A text in quotes. JSON's escapes are TOML's, but for DEL.
fn quoted(text: &str) -> String {
    Value::String(text.to_owned()).to_string().replace('\u{7f}', "\\u007f")
}

/// A text without escapes, where it can be: patterns are full of quotes.
fn literal(text: &str) -> String {
    let is_plain = text.chars().all(|letter| letter != '\'' && !letter.is_control());
    if is_plain { format!("'{text}'") } else { quoted(text) }
}
