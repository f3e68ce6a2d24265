//! Reading the tables of `wheelwright.toml` that are the daemon's: when it looks, where it writes, what it remembers, whom
//! it tells.

use super::diagnostic::{Diagnostic, DiagnosticCode, Sink};
use super::fields::Fields;
use super::index::Index;
use super::releases;
use super::settings::set;
use super::source::Written;
use crate::eventbridge::Arn;
use crate::model::cron::CronTimes;
use crate::model::finding::{FindingCode, Severity};
use crate::model::ids::{HubName, IdError, SpokeName, TeamName};
use crate::model::settings::{
    Address, BreakerSettings, ChannelKind, ChannelSettings, Freeze, FreezeHolds, HttpSettings, Mode, Modes, Secret,
    StateSettings, SweepTimes,
};
use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;
use strum::IntoEnumIterator as _;

/// The keys of `[freeze.NAME]`.
pub(super) const FREEZE_KEYS: &[&str] = &["from", "hours", "reason", "holds"];
/// The keys of `[alert.NAME]`: what every kind has, and what some have.
pub(super) const ALERT_KEYS: &[&str] = &[
    "kind",
    "severity-min",
    "hubs",
    "teams",
    "mended",
    "remind-hours",
    "url",
    "url-env",
    "url-file",
    "key-env",
    "key-file",
    "topic-arn",
    "bus-arn",
];
/// What `mode` can be.
pub(super) const MODE_CHOICES: [(&str, Mode); 2] = [("observe", Mode::Observe), ("enforce", Mode::Enforce)];
/// What an entry of `[on-drift]` can be: whether it waits.
pub(super) const ON_DRIFT_CHOICES: [(&str, bool); 2] = [("correct", false), ("hold", true)];
/// What a freeze can hold.
pub(super) const HOLDS_CHOICES: [(&str, FreezeHolds); 2] = [("all", FreezeHolds::All), ("intent", FreezeHolds::Intent)];
/// What `severity-min` can be.
pub(super) const SEVERITY_CHOICES: [(&str, Severity); 3] =
    [("info", Severity::Info), ("warning", Severity::Warning), ("error", Severity::Error)];
/// The kinds of channels, each with the keys that are its own.
pub(super) const ALERT_KINDS: [(&str, &[&str]); 6] = [
    ("log", &[]),
    ("webhook", &["url", "url-env", "url-file", "key-env", "key-file"]),
    ("slack", &["url-env", "url-file"]),
    ("pagerduty", &["key-env", "key-file", "url"]),
    ("sns", &["topic-arn"]),
    ("eventbridge", &["bus-arn"]),
];

pub(super) fn sweep(fields: &Fields<'_>, sweep: &mut SweepTimes) {
    set(fields, "fast-every-secs", 1, 3_600, &mut sweep.fast_every_secs);
    set(fields, "full-every-secs", 1, 86_400, &mut sweep.full_every_secs);
    set(fields, "gap-secs-min", 0, 3_600, &mut sweep.gap_secs_min);
    set(fields, "start-jitter-secs-max", 0, 3_600, &mut sweep.start_jitter_secs_max);
    set(fields, "source-every-secs", 1, 3_600, &mut sweep.source_every_secs);
    set(fields, "backoff-secs-max", 1, 86_400, &mut sweep.backoff_secs_max);
    set(fields, "refused-every-secs", 1, 86_400, &mut sweep.refused_every_secs);
    sweep.full_at = cron(fields, "full-at").or(sweep.full_at.take());
}

/// Names of the topology that the settings use, each with the kind of thing that it names: `hub`, `team`
/// or `spoke`; and ARNs that are released.
pub(super) type NamesUsed = Vec<(&'static str, Written<String>)>;

pub(super) fn modes(fields: &Fields<'_>, modes: &mut Modes, used: &mut NamesUsed) {
    if let Some(mode) = fields.choice("default", &MODE_CHOICES) {
        modes.default = mode.value;
    }
    modes.hubs = by_name(fields, "hub", used, str::parse::<HubName>);
    modes.teams = by_name(fields, "team", used, str::parse::<TeamName>);
    modes.spokes = by_name(fields, "spoke", used, |name| {
        let error = || IdError { text: name.into(), expected: "a spoke: `\"team.spoke\"`, in quotes" };
        let (team, spoke) = name.split_once('.').ok_or_else(error)?;
        Ok((team.parse::<TeamName>().map_err(|_| error())?, spoke.parse::<SpokeName>().map_err(|_| error())?))
    });
}

fn by_name<K: Ord>(
    fields: &Fields<'_>,
    key: &'static str,
    used: &mut NamesUsed,
    parse: impl Fn(&str) -> Result<K, IdError>,
) -> BTreeMap<K, Mode> {
    let names: Vec<Written<String>> = fields.entries(key).into_iter().map(|(name, _)| name).collect();
    let keys: Vec<&str> = names.iter().map(|name| name.value.as_str()).collect();
    let Some(table) = fields.table(key, &keys) else { return BTreeMap::new() };
    let mut found = BTreeMap::new();
    for name in &names {
        let mode = table.choice(&name.value, &MODE_CHOICES);
        match parse(&name.value) {
            Ok(parsed) => {
                used.push((key, name.clone()));
                found.extend(mode.map(|mode| (parsed, mode.value)));
            }
            Err(error) => table.fail(Diagnostic::error(DiagnosticCode::BadName, &name.place, error.to_string())),
        }
    }
    fields.absorb(&table);
    found
}

pub(super) fn on_drift(file: &Fields<'_>) -> BTreeSet<FindingCode> {
    let names: Vec<Written<String>> = file.entries("on-drift").into_iter().map(|(name, _)| name).collect();
    let keys: Vec<&str> = names.iter().map(|name| name.value.as_str()).collect();
    let Some(table) = file.table("on-drift", &keys) else { return BTreeSet::new() };
    let mut held = BTreeSet::new();
    for name in &names {
        let choice = table.choice(&name.value, &ON_DRIFT_CHOICES);
        match (FindingCode::from_str(&name.value), choice) {
            (Ok(code), Some(choice)) if choice.value && code.is_drift() => _ = held.insert(code),
            (Ok(code), _) if code.is_drift() => {}
            (..) => table.fail(
                Diagnostic::error(
                    DiagnosticCode::UnknownValue,
                    &name.place,
                    format!("`{}` is no kind of drift", name.value),
                )
                .label("expected the code of a finding that is mended, as `rule-disabled`")
                .did_you_mean(&name.value, FindingCode::iter().filter(|code| code.is_drift()).map(Into::into))
                .help("`wheelwright explain` lists them"),
            ),
        }
    }
    file.absorb(&table);
    held
}

pub(super) fn freezes(file: &Fields<'_>) -> BTreeMap<String, Freeze> {
    let mut freezes = BTreeMap::new();
    for (name, value) in file.entries("freeze") {
        let Some(fields) = file.as_table(&format!("freeze.{}", name.value), &name.place, value, FREEZE_KEYS) else {
            continue;
        };
        let from = cron(&fields, "from");
        if !fields.has("from") {
            fields.missing("from", "\"0 18 * * FRI\"");
        }
        let hours = fields.number("hours", 1..=24 * 31).and_then(|hours| u32::try_from(hours).ok());
        if !fields.has("hours") {
            fields.missing("hours", "60");
        }
        let reason = fields.required_text("reason", "\"no changes over the weekend\"");
        let holds = fields.choice("holds", &HOLDS_CHOICES).map(|holds| holds.value).unwrap_or_default();
        file.absorb(&fields);
        if let (Some(from), Some(hours), Some(reason)) = (from, hours, reason) {
            freezes.insert(name.value, Freeze { from, hours, reason: reason.value, holds });
        }
    }
    freezes
}

pub(super) fn breaker(fields: &Fields<'_>, breaker: &mut BreakerSettings) {
    set(fields, "reverts-max", 2, 1_000, &mut breaker.reverts_max);
    set(fields, "window-secs", 10, 86_400, &mut breaker.window_secs);
}

pub(super) fn state(fields: &Fields<'_>, state: &mut StateSettings) {
    set(fields, "days-max", 1, 3_650, &mut state.days_max);
    set(fields, "mib-max", 16, 65_536, &mut state.mib_max);
    if let Some(folder) = fields.text("folder") {
        state.folder = Some(folder.value);
    }
}

pub(super) fn http(fields: &Fields<'_>, http: &mut HttpSettings) {
    if let Some(listen) = fields.text("listen") {
        match listen.value.parse() {
            Ok(address) => http.listen = address,
            Err(_) => fields.fail(
                Diagnostic::error(
                    DiagnosticCode::BadAddress,
                    &listen.place,
                    format!("`{}` is not an address and a port", listen.value),
                )
                .label(
                    "expected like `127.0.0.1:8080` or `[::]:8080`; a host's name does not say which address is meant",
                ),
            ),
        }
    }
    http.token = secret(fields, "token");
}

pub(super) fn alerts(file: &Fields<'_>, used: &mut NamesUsed) -> BTreeMap<String, ChannelSettings> {
    let mut alerts = BTreeMap::new();
    for (name, value) in file.entries("alert") {
        let Some(fields) = file.as_table(&format!("alert.{}", name.value), &name.place, value, ALERT_KEYS) else {
            continue;
        };
        if let Err(error) = name.value.parse::<TeamName>() {
            fields.fail(Diagnostic::error(DiagnosticCode::BadName, &name.place, error.to_string()));
        }
        let channel = channel(&fields, used);
        file.absorb(&fields);
        alerts.extend(channel.map(|channel| (name.value, channel)));
    }
    alerts
}

fn channel(fields: &Fields<'_>, used: &mut NamesUsed) -> Option<ChannelSettings> {
    let words: Vec<(&str, usize)> = ALERT_KINDS.iter().enumerate().map(|(at, (word, _))| (*word, at)).collect();
    let Some(kind) = fields.choice("kind", &words) else {
        if !fields.has("kind") {
            fields.missing("kind", "\"slack\"");
        }
        return None;
    };
    let (word, own) = ALERT_KINDS.get(kind.value)?;
    let of_some: BTreeSet<&str> = ALERT_KINDS.iter().flat_map(|(_, keys)| keys.iter().copied()).collect();
    for key in of_some.iter().filter(|key| !own.contains(key)) {
        if let Some(place) = fields.key_place(key) {
            let message = format!("`{key}` says nothing to a channel of kind `{word}`");
            fields.fail(Diagnostic::error(DiagnosticCode::UnknownKey, &place, message).label("take this out"));
        }
    }
    let kind = channel_kind(fields, word)?;
    let mut remind_hours = 24;
    set(fields, "remind-hours", 0, 24 * 31, &mut remind_hours);
    Some(ChannelSettings {
        severity_min: fields.choice("severity-min", &SEVERITY_CHOICES).map_or(Severity::Warning, |word| word.value),
        hubs: names(fields, "hubs", "hub", used),
        teams: names(fields, "teams", "team", used),
        // Nobody is woken for what is over.
        mended: fields.truth("mended").unwrap_or(!matches!(kind, ChannelKind::Pagerduty { .. })),
        remind_hours,
        kind,
    })
}

fn channel_kind(fields: &Fields<'_>, word: &str) -> Option<ChannelKind> {
    Some(match word {
        "log" => ChannelKind::Log,
        "webhook" => ChannelKind::Webhook { url: address(fields)?, key: secret(fields, "key") },
        "slack" => ChannelKind::Slack { url: required_secret(fields, "url", "SLACK_WEBHOOK_URL")? },
        "pagerduty" => {
            let routing_key = required_secret(fields, "key", "PAGERDUTY_ROUTING_KEY")?;
            let url = if fields.has("url") { Some(address(fields)?) } else { None };
            ChannelKind::Pagerduty { routing_key, url }
        }
        "sns" => {
            ChannelKind::Sns { topic_arn: arn(fields, "topic-arn", "sns", "arn:aws:sns:us-east-1:111111111111:drift")? }
        }
        _ => {
            let example = "arn:aws:events:us-east-1:111111111111:event-bus/operations";
            ChannelKind::EventBridge { bus_arn: arn(fields, "bus-arn", "events", example)? }
        }
    })
}

/// The URL that a channel posts to: in the open, or secret.
fn address(fields: &Fields<'_>) -> Option<Address> {
    if let Some(url) = fields.text("url") {
        if is_https_or_loopback(&url.value) {
            return Some(Address::Url(url.value));
        }
        fields.fail(
            Diagnostic::error(DiagnosticCode::BadAddress, &url.place, format!("`{}` is not an https URL", url.value))
                .label("expected `https://…`; `http://` only to 127.0.0.1, ::1 or localhost"),
        );
        return None;
    }
    required_secret(fields, "url", "WEBHOOK_URL").map(Address::Secret)
}

/// Whether a URL is one that alerts may be sent to: nobody on the way can read them.
pub fn is_https_or_loopback(url: &str) -> bool {
    let Ok(uri) = url.parse::<http::Uri>() else { return false };
    match (uri.scheme_str(), uri.host()) {
        (Some("https"), Some(host)) => !host.is_empty(),
        (Some("http"), Some(host)) => ["127.0.0.1", "[::1]", "localhost"].contains(&host),
        _ => false,
    }
}

pub(super) fn secret(fields: &Fields<'_>, key: &str) -> Option<Secret> {
    let (env, file) = (format!("{key}-env"), format!("{key}-file"));
    match (fields.text(&env), fields.text(&file)) {
        (Some(_), Some(file_too)) => {
            let message = format!("`{env}` and `{file}` both say where it is");
            fields.fail(Diagnostic::error(DiagnosticCode::UnknownKey, &file_too.place, message).label("take one out"));
            None
        }
        (Some(variable), None) => Some(Secret::Env(variable.value)),
        (None, Some(path)) => Some(Secret::File(path.value)),
        (None, None) => None,
    }
}

fn required_secret(fields: &Fields<'_>, key: &str, variable: &str) -> Option<Secret> {
    let secret = secret(fields, key);
    if secret.is_none() && !fields.has(&format!("{key}-env")) && !fields.has(&format!("{key}-file")) {
        fields.missing(&format!("{key}-env"), &format!("\"{variable}\""));
    }
    secret
}

fn arn(fields: &Fields<'_>, key: &str, service: &str, example: &str) -> Option<String> {
    let text = fields.required_text(key, &format!("\"{example}\""))?;
    if text.value.parse::<Arn>().is_ok_and(|arn| arn.service == service) {
        return Some(text.value);
    }
    let message = format!("`{}` is not an ARN of {service}", text.value);
    fields.fail(
        Diagnostic::error(DiagnosticCode::BadAddress, &text.place, message).label(format!("expected like `{example}`")),
    );
    None
}

fn names<T: FromStr<Err = IdError> + Ord>(
    fields: &Fields<'_>,
    key: &str,
    kind: &'static str,
    used: &mut NamesUsed,
) -> BTreeSet<T> {
    let written = fields.texts(key).map(|list| list.value).unwrap_or_default();
    let mut found = BTreeSet::new();
    for text in &written {
        if let Some(name) = fields.parse::<T>(text, DiagnosticCode::BadName) {
            used.push((kind, text.clone()));
            found.insert(name.value);
        }
    }
    found
}

fn cron(fields: &Fields<'_>, key: &str) -> Option<CronTimes> {
    let text = fields.text(key)?;
    match text.value.parse() {
        Ok(times) => Some(times),
        Err(error) => {
            fields.fail(
                Diagnostic::error(
                    DiagnosticCode::BadTimes,
                    &text.place,
                    format!("`{}` is not a cron line: {error}", text.value),
                )
                .label("expected minute, hour, day, month and day of the week, in UTC: `0 18 * * FRI`"),
            );
            None
        }
    }
}

/// Tells of names that nothing in the topology has: what is said of them has no effect, and a slip of the pen would leave a team in
/// another mode than was meant. A warning, as a team may go before the settings do.
pub(super) fn check_names(used: &NamesUsed, index: &Index<'_>, sink: &Sink) {
    for (kind, name) in used.iter().filter(|(kind, _)| *kind != releases::KIND) {
        let (code, known): (_, Vec<&str>) = match *kind {
            "hub" => (DiagnosticCode::UnknownHub, index.hubs.keys().map(String::as_str).collect()),
            "team" => (DiagnosticCode::UnknownTeam, index.teams.keys().map(String::as_str).collect()),
            _ => (DiagnosticCode::UnknownSpoke, index.spokes.keys().map(String::as_str).collect()),
        };
        if !known.contains(&name.value.as_str()) {
            sink.push(
                Diagnostic::warning(code, &name.place, format!("there is no {kind} `{}`", name.value))
                    .label("what is said here has no effect")
                    .did_you_mean(&name.value, known),
            );
        }
    }
}
