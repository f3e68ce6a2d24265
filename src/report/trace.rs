//! Where an event goes, for a terminal and for programs: who takes it, who of those concerned does not and why, and where the
//! accounts do something else than the topology asks for.

use super::{AccountNames, Style, count, scope_name};
use crate::trace::{Put, Trace, TracedRoute, Verdict};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Puts that are named one by one; of more, their number.
const PUTS_NAMED_MAX: usize = 3;

/// The whole trace; with `all`, also the routes that take other events.
pub fn text(trace: &Trace, names: &AccountNames, style: Style, all: bool) -> String {
    let mut out = String::new();
    _ = writeln!(out, "{}", style.strong(&heading(trace, names)));
    let Sorted { taken, missed, unknown, silent } = Sorted::of(trace, all);
    section(&mut out, "Taken by", &taken, style);
    section(&mut out, "Not taken by", &missed, style);
    section(&mut out, "Not known for", &unknown, style);
    if taken.is_empty() && missed.is_empty() && unknown.is_empty() {
        out.push_str("\nNo route of the topology is about this event.\n");
    }
    others(&mut out, trace, style);
    if !silent.is_empty() {
        let rest = count(silent.len(), "route");
        _ = writeln!(
            out,
            "\n{}",
            style.dim(&format!("{rest} take other events; --all says for each why not this one."))
        );
    }
    _ = writeln!(out, "\n{}", summary(trace));
    out
}

/// The routes as a reader looks for them.
#[derive(Debug, Default)]
pub struct Sorted<'a> {
    /// They take the event.
    pub taken: Vec<&'a TracedRoute>,
    /// They do not, and a reader will ask why.
    pub missed: Vec<&'a TracedRoute>,
    /// Nobody knows of these.
    pub unknown: Vec<&'a TracedRoute>,
    /// They are for other events.
    pub silent: Vec<&'a TracedRoute>,
}

impl<'a> Sorted<'a> {
    /// Sorts them by how they stand; with `all`, a reader asks about every one.
    pub fn of(trace: &'a Trace, all: bool) -> Self {
        let mut sorted = Self::default();
        for route in &trace.routes {
            let is_silent = !all && !route.differs() && !concerns(route, trace);
            let kind = match stands(route) {
                Verdict::Taken => &mut sorted.taken,
                _ if is_silent => &mut sorted.silent,
                Verdict::Missed { .. } => &mut sorted.missed,
                Verdict::Unknown { .. } => &mut sorted.unknown,
            };
            kind.push(route);
        }
        sorted
    }
}

/// Whether a reader of this trace will ask about the route: it takes this publication, or (where the event is none's) nothing but a
/// condition on what is in the event keeps it.
fn concerns(route: &TracedRoute, trace: &Trace) -> bool {
    match &trace.publication {
        Some(publication) => route.is_of(publication),
        None => route.wanted.is_near(),
    }
}

/// The event, and who puts it where.
pub fn heading(trace: &Trace, names: &AccountNames) -> String {
    let text = |field: &str| trace.event.get(field).and_then(Value::as_str).unwrap_or_default();
    let event = format!("{} \"{}\"", text("source"), text("detail-type"));
    let of = trace.publication.as_ref().map(|publication| format!(" ({publication})")).unwrap_or_default();
    format!("{event}{of}, put by {}", puts(&trace.puts, names))
}

/// Who puts the event where.
pub fn puts(puts: &[Put], names: &AccountNames) -> String {
    let name = |put: &Put| {
        let account = names.get(&put.account).map_or_else(|| put.account.to_string(), ToString::to_string);
        format!("{account} on bus {} of {}", put.bus.name, scope_name(&put.bus.scope, names))
    };
    let mut named: Vec<String> = puts.iter().take(PUTS_NAMED_MAX).map(name).collect();
    if puts.len() > PUTS_NAMED_MAX {
        named.push(format!("{} more", puts.len() - PUTS_NAMED_MAX));
    }
    named.join("; ")
}

fn section(out: &mut String, title: &str, routes: &[&TracedRoute], style: Style) {
    if routes.is_empty() {
        return;
    }
    _ = writeln!(out, "\n{title} {}", count(routes.len(), "route"));
    let mut by_reason: Vec<(String, Vec<&TracedRoute>)> = Vec::new();
    for route in routes {
        let reason = reason(route);
        match by_reason.iter_mut().find(|(known, _)| *known == reason) {
            Some((_, same)) => same.push(route),
            None => by_reason.push((reason, vec![route])),
        }
    }
    for (reason, routes) in &by_reason {
        // What keeps many routes from it, a policy say, is said once.
        let is_common = routes.len() >= SAME_REASON_MIN;
        if is_common {
            _ = writeln!(out, "  {reason}:");
        }
        for route in routes {
            one_route(out, route, is_common, style);
        }
    }
}

/// Routes that share a reason from which on it is said once.
const SAME_REASON_MIN: usize = 3;

/// What becomes of the event on a route, and what should.
pub fn reason(route: &TracedRoute) -> String {
    let stands = match stands(route) {
        Verdict::Taken => format!("to {}", route.destination_arn),
        missed => missed.to_string(),
    };
    match &route.wanted {
        _ if !route.differs() => stands,
        Verdict::Taken => format!("{stands} (otherwise than asked for: it is to be taken)"),
        missed => format!("{stands} (otherwise than asked for: {missed})"),
    }
}

fn one_route(out: &mut String, route: &TracedRoute, is_told: bool, style: Style) {
    let sign = match stands(route) {
        Verdict::Taken => style.good("+"),
        Verdict::Missed { .. } => style.bad("-"),
        Verdict::Unknown { .. } => style.warn("?"),
    };
    let from = style.dim(&format!("{} {}", route.origin, route.origin.entry));
    if is_told {
        _ = writeln!(out, "  {sign} {} ({from})", route.route);
        return;
    }
    _ = writeln!(out, "  {sign} {}", route.route);
    let reason = reason(route);
    let reason = if route.differs() { style.warn(&reason) } else { reason };
    _ = writeln!(out, "      {reason}");
    _ = writeln!(out, "      {from}");
}

fn others(out: &mut String, trace: &Trace, style: Style) {
    let Some(others) = trace.others.as_ref().filter(|others| !others.is_empty()) else { return };
    _ = writeln!(out, "\nTaken beside the topology by {}", count(others.len(), "rule"));
    for (rule, arns) in others {
        _ = writeln!(out, "  {} rule {rule}", style.warn("!"));
        let to = if arns.is_empty() {
            "where it sends events was not read".to_owned()
        } else {
            format!("to {}", arns.join(", "))
        };
        _ = writeln!(out, "      {to}");
    }
}

/// One line: what it comes to.
pub fn summary(trace: &Trace) -> String {
    let is_taken = |verdict: Option<&Verdict>| verdict.is_some_and(Verdict::is_taken);
    let wanted = take(trace.routes.iter().filter(|route| is_taken(Some(&route.wanted))).count());
    if trace.others.is_none() {
        return format!("By the topology {wanted} it. Nothing live was looked at; --live does.");
    }
    let live = trace.routes.iter().filter(|route| is_taken(route.live.as_ref())).count();
    let unknown = trace.routes.iter().filter(|route| matches!(route.live, Some(Verdict::Unknown { .. }))).count();
    let unread = match unknown {
        0 => String::new(),
        unknown => format!(" Of {} nobody knows, because not all was read.", count(unknown, "route")),
    };
    match trace.routes.iter().filter(|route| route.differs()).count() {
        0 if unknown == 0 => format!("{} it, as the topology asks.", take(live)),
        differ => {
            let differ =
                if differ == 0 { String::new() } else { format!(", so {} otherwise than asked for", are(differ)) };
            format!("By the topology {wanted} it, in the accounts {}{differ}.{unread}", do_(live))
        }
    }
}

fn take(routes: usize) -> String {
    format!("{} {}", count(routes, "route"), if routes == 1 { "takes" } else { "take" })
}

fn are(routes: usize) -> String {
    format!("{routes} {}", if routes == 1 { "is" } else { "are" })
}

fn do_(routes: usize) -> String {
    format!("{routes} {}", if routes == 1 { "does" } else { "do" })
}

/// How a route stands: by what is there, if that was looked at.
pub fn stands(route: &TracedRoute) -> &Verdict {
    route.live.as_ref().unwrap_or(&route.wanted)
}

/// For programs: a route's verdict as `taken`, `missed` or `unknown`, with the reason as text and as fields.
pub fn json(trace: &Trace) -> Value {
    let route = |route: &TracedRoute| {
        json!({
            "route": route.route.to_string(),
            "destination": route.destination_arn,
            "origin": {"file": *route.origin.file, "line": route.origin.line, "entry": *route.origin.entry},
            "wanted": verdict(&route.wanted),
            "live": route.live.as_ref().map(verdict),
            "differs": route.differs(),
        })
    };
    let put = |put: &Put| json!({"account": put.account.to_string(), "bus": put.bus.arn(), "by-aws": put.by_aws});
    let others: Option<BTreeMap<String, &Vec<String>>> =
        trace.others.as_ref().map(|others| others.iter().map(|(rule, arns)| (rule.arn(), arns)).collect());
    json!({
        "event": trace.event,
        "publication": trace.publication.as_ref().map(ToString::to_string),
        "puts": trace.puts.iter().map(put).collect::<Vec<_>>(),
        "routes": trace.routes.iter().map(route).collect::<Vec<_>>(),
        "others": others,
        "summary": summary(trace),
    })
}

fn verdict(verdict: &Verdict) -> Value {
    match verdict {
        Verdict::Taken => json!({"is": verdict.word(), "at": null, "why": null}),
        Verdict::Missed { at, why } => json!({"is": verdict.word(), "at": at.to_string(), "why": why.to_string()}),
        Verdict::Unknown { at, why } => json!({"is": verdict.word(), "at": at.to_string(), "why": why}),
    }
}
