//! A daemon's answers in words.

use serde_json::Value;
use std::fmt::Write as _;

/// The text at `path` within `value`; a hyphen where there is none.
fn text(value: &Value, path: &str) -> String {
    match value.pointer(path) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Null) | None => "-".into(),
        Some(other) => other.to_string(),
    }
}

fn list<'a>(value: &'a Value, path: &str) -> &'a [Value] {
    value.pointer(path).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn counts(value: &Value, path: &str) -> String {
    let Some(members) = value.pointer(path).and_then(Value::as_object) else { return "-".into() };
    let counted = members.iter().filter(|(_, count)| count.as_u64() != Some(0));
    let parts: Vec<String> = counted.map(|(name, count)| format!("{count} {name}")).collect();
    if parts.is_empty() { "none".into() } else { parts.join(", ") }
}

/// `file:line (contact)`, as far as it is known.
fn place(value: &Value) -> String {
    let mut place = match value.pointer("/origin/file") {
        Some(_) => format!("{}:{}", text(value, "/origin/file"), text(value, "/origin/line")),
        None => String::new(),
    };
    for (path, name) in [("/team", "team "), ("/contact", "")] {
        if let Some(known) = value.pointer(path).and_then(Value::as_str) {
            _ = write!(place, "{}{name}{known}", if place.is_empty() { "" } else { ", " });
        }
    }
    place
}

pub(super) fn status(all: &Value) -> String {
    let status = all.pointer("/status").unwrap_or(&Value::Null);
    let mut out = String::new();
    let mut line = |name: &str, value: String| _ = writeln!(out, "{name:<10} {value}");
    line(
        "owner",
        format!("{}, mode {}, wheelwright {}", text(status, "/owner"), text(status, "/mode"), text(status, "/version")),
    );
    line("topology", format!("{} (sequence {})", text(status, "/revision/id"), text(status, "/revision/sequence")));
    if let Some(why) = status.pointer("/topology-refused").and_then(Value::as_str) {
        line("", format!("a newer one is refused: {}", why.lines().next().unwrap_or_default()));
    }
    line(
        "last sweep",
        format!(
            "{} by {}, {} ms: {} done, {} failed, {} held",
            text(status, "/last-sweep/began"),
            text(status, "/last-sweep/trigger"),
            text(status, "/last-sweep/took-ms"),
            text(status, "/last-sweep/done"),
            text(status, "/last-sweep/failed"),
            text(status, "/last-sweep/held")
        ),
    );
    line("last full", text(status, "/last-full"));
    line("scopes", counts(status, "/scopes"));
    line("routes", counts(status, "/routes"));
    line("incidents", counts(status, "/incidents"));
    line(
        "plan",
        format!(
            "{}: {} steps, {} held",
            text(status, "/plan/id"),
            text(status, "/plan/steps"),
            text(status, "/plan/held")
        ),
    );
    if status.pointer("/state-lost") == Some(&Value::Bool(true)) {
        line("STATE LOST", "nothing is written until `wheelwright resume --state-lost`".into());
    }
    out.push_str(&orders(all.pointer("/orders").unwrap_or(&Value::Null)));
    for scope in list(all, "/scopes/items") {
        if !["complete", "no-access"].contains(&text(scope, "/state").as_str()) {
            _ = writeln!(out, "{:<10} {} {}", text(scope, "/state"), text(scope, "/scope"), text(scope, "/why"));
        }
    }
    out
}

fn orders(orders: &Value) -> String {
    let mut out = String::new();
    for pause in list(orders, "/pauses") {
        _ = writeln!(out, "paused     {}", order(pause));
    }
    for stop in list(orders, "/stops") {
        _ = writeln!(out, "stopped    {}", order(stop));
    }
    for freeze in list(orders, "/freezes") {
        _ = writeln!(
            out,
            "frozen     {} until {}: {}",
            text(freeze, "/name"),
            text(freeze, "/until"),
            text(freeze, "/reason")
        );
    }
    for fight in list(orders, "/fights") {
        _ = writeln!(
            out,
            "left alone {} since {}: somebody else takes it back",
            text(fight, "/resource"),
            text(fight, "/since")
        );
    }
    out
}

fn order(value: &Value) -> String {
    let (by, reason) = (text(value, "/by"), text(value, "/reason"));
    format!("{} until {} by {by}: {reason}", text(value, "/what"), text(value, "/until"))
}

pub(super) fn incidents(answer: &Value) -> String {
    let items = list(answer, "/items");
    if items.is_empty() {
        return "Nothing is wrong.\n".into();
    }
    let mut out = String::new();
    for incident in items {
        let until = match incident.pointer("/resolved/at") {
            Some(_) => format!("{} until {}", text(incident, "/resolved/how"), text(incident, "/resolved/at")),
            None => text(incident, "/outcome"),
        };
        _ = writeln!(
            out,
            "{} {:<7} {} {}\n           since {}, {until}; {}",
            text(incident, "/id"),
            text(incident, "/severity"),
            text(incident, "/code"),
            text(incident, "/subject"),
            text(incident, "/opened"),
            place(incident)
        );
        _ = writeln!(out, "           {}", text(incident, "/detail").lines().next().unwrap_or_default());
    }
    if let Some(total) = answer.pointer("/total").and_then(Value::as_u64).filter(|total| *total > items.len() as u64) {
        _ = writeln!(out, "{} of {total}; --limit shows more.", items.len());
    }
    out
}

pub(super) fn incident(incident: &Value) -> String {
    let mut out = String::new();
    let mut line = |name: &str, value: String| _ = writeln!(out, "{name:<10} {value}");
    line("incident", format!("{} {}", text(incident, "/id"), text(incident, "/code")));
    line("about", text(incident, "/subject"));
    line("severity", text(incident, "/severity"));
    line(
        "since",
        format!(
            "{}, found in {} sweeps, last {}",
            text(incident, "/opened"),
            text(incident, "/count"),
            text(incident, "/last-seen")
        ),
    );
    match incident.pointer("/resolved/at") {
        Some(_) => line("over", format!("{} ({})", text(incident, "/resolved/at"), text(incident, "/resolved/how"))),
        None => line("now", text(incident, "/outcome")),
    }
    line("asked for", format!("{}; topology {}", place(incident), text(incident, "/revision")));
    line("told on", list(incident, "/told").iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", "));
    line("detail", text(incident, "/detail"));
    line("explain", format!("wheelwright explain {}", text(incident, "/code")));
    out
}

pub(super) fn writes(answer: &Value) -> String {
    let items = list(answer, "/items");
    if items.is_empty() {
        return "Nothing was written.\n".into();
    }
    items.iter().map(write_line).collect()
}

fn write_line(item: &Value) -> String {
    let mut line =
        format!("{}  {:<12} {} ({})", text(item, "/at"), text(item, "/end"), text(item, "/step"), text(item, "/cause"));
    if let Some(message) = item.pointer("/message").and_then(Value::as_str) {
        _ = write!(line, "\n    {message}");
    }
    _ = write!(line, "\n    sweep {}, plan {}, {}", text(item, "/sweep"), text(item, "/plan-id"), place(item));
    if let Some(request) = item.pointer("/request-id").and_then(Value::as_str) {
        _ = write!(line, ", request {request}");
    }
    line.push('\n');
    line
}

pub(super) fn why(answer: &Value) -> String {
    let matches = list(answer, "/matches");
    if matches.is_empty() {
        return format!("Nothing is called {}, here or in the accounts that were read.\n", text(answer, "/what"));
    }
    let mut out = String::new();
    for found in matches {
        let mut line = |name: &str, value: String| _ = writeln!(out, "{name:<10} {value}");
        line("thing", text(found, "/resource"));
        line("arn", text(found, "/arn"));
        if found.pointer("/wanted") == Some(&Value::Bool(true)) {
            line("asked for", format!("{}; topology {}", place(found), text(answer, "/revision/id")));
        } else {
            line("asked for", "by nobody".into());
        }
        match found.pointer("/mark/owner") {
            Some(_) => {
                line("mark", format!("{} (sequence {})", text(found, "/mark/owner"), text(found, "/mark/sequence")));
            }
            None => line("mark", "none".into()),
        }
        let is_there =
            if found.pointer("/live").is_some_and(|live| !live.is_null()) { "there" } else { "not there, or not read" };
        line("live", format!("{is_there}, as of {}", text(found, "/observed")));
        for route in list(found, "/routes") {
            line("route", route.as_str().unwrap_or_default().to_owned());
        }
        for incident in list(found, "/incidents") {
            line(
                "wrong",
                format!(
                    "{} since {}: {}",
                    text(incident, "/code"),
                    text(incident, "/opened"),
                    text(incident, "/detail")
                ),
            );
        }
        for write in list(found, "/last-writes") {
            line("written", write_line(write).trim_end().to_owned());
        }
        out.push('\n');
    }
    out
}
