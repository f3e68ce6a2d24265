//! An examination for a terminal: what owners and partners have to have, the table, what is missing and how to mend it.
//!
//! What is fine is folded: a reader of forty accounts looks for the one that is not.

use super::{
    Checkup, Destination, Partner, Permission, QuotaUse, Report, Trouble, TroubleCode, Verdict, policies::Takes, probe,
};
use crate::model::finding::Severity;
use crate::model::ids::Scope;
use crate::report::{AccountNames, Style, count, scope_name};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

/// The whole examination.
pub fn report(report: &Report, names: &AccountNames, style: Style) -> String {
    let mut out = String::new();
    destinations(&mut out, report, style);
    partners(&mut out, &report.partners, style);
    table(&mut out, report, style);
    quotas(&mut out, report, names, style);
    unproven(&mut out, report, style);
    notes(&mut out, report, names, style);
    troubles(&mut out, &report.troubles, names, style);
    _ = writeln!(out, "{}", summary(report));
    out
}

/// One line: what it comes to.
fn summary(report: &Report) -> String {
    let accounts: BTreeSet<_> = report.scopes.iter().map(|checkup| checkup.scope.account).collect();
    let asked = format!("{}, {}", count(accounts.len(), "account"), count(report.scopes.len(), "scope"));
    if report.is_healthy() {
        return format!("{asked}: nothing is missing.");
    }
    let ill: BTreeSet<&Scope> = report.troubles.iter().map(|trouble| &trouble.scope).collect();
    let things = grouped(&report.troubles).len();
    let verb = if things == 1 { "is" } else { "are" };
    format!("{asked}: {} {verb} missing or wrong, in {}.", count(things, "thing"), count(ill.len(), "scope"))
}

fn destinations(out: &mut String, report: &Report, style: Style) {
    let partners: BTreeSet<String> = report.partners.iter().map(|partner| partner.account.to_string()).collect();
    let ours: Vec<&Destination> =
        report.destinations.iter().filter(|destination| !partners.contains(&destination.owner)).collect();
    if ours.is_empty() {
        return;
    }
    heading(out, style, "Policies of destinations");
    _ = writeln!(
        out,
        "  The operator has no right to look at these; each needs this statement in its policy, and where it"
    );
    _ = writeln!(
        out,
        "  is encrypted with a key of yours, kms:Decrypt and kms:GenerateDataKey for the same principal there."
    );
    for destination in ours {
        let Destination { owner, takes, asked_by, statements, commands, .. } = destination;
        let for_what = match takes {
            Takes::Events => "",
            Takes::DeadLetters => ", dead letters",
            Takes::BusDeadLetters => ", dead letters of a bus",
        };
        let asked_by = asked_by.iter().cloned().collect::<Vec<_>>().join(", ");
        let name = format!("{} of {owner}{for_what}", destination.name());
        _ = writeln!(out, "  {}  {}", style.strong(&name), style.dim(&asked_by));
        for statement in statements {
            _ = writeln!(out, "    {statement}");
        }
        for command in commands {
            _ = writeln!(out, "    $ {command}");
        }
        if statements.is_empty() {
            _ = writeln!(out, "    none: within an account the delivery role's own right does");
        }
    }
    for (account, command) in &report.delivery_rights {
        _ = writeln!(out, "  The delivery role of {account} has to have the right to deliver there:");
        _ = writeln!(out, "    {command}");
    }
    out.push('\n');
}

fn partners(out: &mut String, partners: &[Partner], style: Style) {
    if partners.is_empty() {
        return;
    }
    heading(out, style, "Partners (access = \"none\")");
    for Partner { account, id, additions } in partners {
        let adds = if additions.is_empty() { "nothing to add" } else { "its people add:" };
        _ = writeln!(out, "  {} ({id}): never touched; {adds}", style.strong(account.as_str()));
        for addition in additions {
            let asked_by = addition.asked_by.iter().cloned().collect::<Vec<_>>().join(", ");
            _ = writeln!(out, "    {}  {}", addition.what, style.dim(&asked_by));
            for json in &addition.json {
                _ = writeln!(out, "      {json}");
            }
        }
    }
    out.push('\n');
}

/// Rows that are fine are folded beyond this many.
const FINE_ROWS_MAX: usize = 8;

fn table(out: &mut String, report: &Report, style: Style) {
    let ill: BTreeSet<&Scope> = report.troubles.iter().map(|trouble| &trouble.scope).collect();
    let (wrong, fine): (Vec<&Checkup>, Vec<&Checkup>) =
        report.scopes.iter().partition(|checkup| ill.contains(&checkup.scope));
    let folded = fine.len() > FINE_ROWS_MAX;
    let shown = if folded { wrong } else { report.scopes.iter().collect() };
    let mut rows = vec![HEADINGS.map(str::to_owned)];
    rows.extend(shown.into_iter().map(row));
    if folded {
        rows.push(folded_row(&fine));
    }
    let width = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or_default()
    };
    let widths: Vec<usize> = (0..HEADINGS.len()).map(width).collect();
    heading(out, style, "Accounts");
    for (number, row) in rows.iter().enumerate() {
        let cells = row.iter().zip(&widths).map(|(cell, width)| {
            let pad = " ".repeat(width.saturating_sub(cell.chars().count()));
            let painted = if number == 0 { style.dim(cell) } else { painted(cell, style) };
            format!("{painted}{pad}")
        });
        let line = cells.collect::<Vec<_>>().join("  ");
        _ = writeln!(out, "  {}", line.trim_end());
    }
    out.push('\n');
}

const HEADINGS: [&str; 10] =
    ["account", "Region", "role", "identity", "reads", "writes", "delivery role", "dead letters", "quota", "clock"];

/// What is wrong is told from what is not by its word; the colour only helps to find it.
fn painted(cell: &str, style: Style) -> String {
    let wrong = ["refused", "other", "missing", "path", "trust", "fifo", "policy", "key"];
    if wrong.contains(&cell) || cell.contains("denied") { style.bad(cell) } else { cell.to_owned() }
}

fn row(checkup: &Checkup) -> [String; HEADINGS.len()] {
    let word = |verdict: Verdict| verdict.word().to_owned();
    let quota = checkup.quotas.iter().filter(|used| used.tells()).map(QuotaUse::percent).max();
    [
        checkup.account.to_string(),
        checkup.scope.region.to_string(),
        word(checkup.role),
        word(checkup.identity),
        tally(checkup, false),
        tally(checkup, true),
        word(checkup.delivery_role),
        word(checkup.dead_letters),
        quota.map_or("?".into(), |percent| format!("{percent} %")),
        checkup.clock_ahead_ms.map_or("?".into(), clock),
    ]
}

/// Two seconds are what AWS's whole seconds and the way there may come to.
fn clock(ahead_ms: i64) -> String {
    if ahead_ms.abs() <= 2_000 { "0 s".into() } else { format!("{:+} s", ahead_ms / 1_000) }
}

/// How many of the reads, or of the writes, are proven, denied and neither.
fn tally(checkup: &Checkup, writes: bool) -> String {
    let (mut ok, mut denied, mut unproven, mut unanswered) = (0_usize, 0_usize, 0_usize, 0_usize);
    for (action, permission) in &checkup.permissions {
        if probe::kind_of(action).is_some_and(|kind| kind.is_write() == writes) {
            match permission {
                Permission::Ok => ok += 1,
                Permission::Denied { .. } => denied += 1,
                Permission::Unproven { .. } => unproven += 1,
                Permission::Unanswered { .. } => unanswered += 1,
            }
        }
    }
    let parts = [(ok, "ok"), (denied, "denied"), (unproven, "unproven"), (unanswered, "?")];
    let parts: Vec<(usize, &str)> = parts.into_iter().filter(|(number, _)| *number > 0).collect();
    match parts.as_slice() {
        [(_, only)] => (*only).to_owned(),
        several => several.iter().map(|(number, word)| format!("{number} {word}")).collect::<Vec<_>>().join(", "),
    }
}

/// All that are fine in one row, with the widest of what differs.
fn folded_row(fine: &[&Checkup]) -> [String; HEADINGS.len()] {
    let regions: BTreeSet<&str> = fine.iter().map(|checkup| checkup.scope.region.as_str()).collect();
    let regions = match regions.first() {
        Some(only) if regions.len() == 1 => (*only).to_owned(),
        _ => count(regions.len(), "Region"),
    };
    let quotas = fine.iter().flat_map(|checkup| &checkup.quotas);
    let quota = quotas.filter(|used| used.tells()).map(QuotaUse::percent).max();
    let furthest = fine.iter().filter_map(|checkup| checkup.clock_ahead_ms).max_by_key(|ahead| ahead.unsigned_abs());
    let writes: BTreeSet<String> = fine.iter().map(|checkup| tally(checkup, true)).collect();
    let ok = || Verdict::Fine.word().to_owned();
    [
        format!("{} scopes, all fine", fine.len()),
        regions,
        ok(),
        ok(),
        ok(),
        writes.into_iter().collect::<Vec<_>>().join(" / "),
        ok(),
        ok(),
        quota.map_or("-".into(), |percent| format!("<= {percent} %")),
        furthest.map_or("-".into(), clock),
    ]
}

/// What is left at the hubs, where quotas end first.
fn quotas(out: &mut String, report: &Report, names: &AccountNames, style: Style) {
    let hubs: Vec<&Checkup> =
        report.scopes.iter().filter(|checkup| checkup.is_hub && !checkup.quotas.is_empty()).collect();
    if hubs.is_empty() {
        return;
    }
    heading(out, style, "Quotas at the hubs");
    for checkup in hubs {
        let used = |used: &QuotaUse| format!("{} {} of {} ({} left)", used.what, used.used, used.most, used.left());
        let all: Vec<String> = checkup.quotas.iter().filter(|used| used.tells()).map(used).collect();
        _ = writeln!(out, "  {}: {}", scope_name(&checkup.scope, names), all.join(", "));
    }
    out.push('\n');
}

/// What nobody knows, once for each reason.
fn unproven(out: &mut String, report: &Report, style: Style) {
    let mut reasons: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    let entered = report.scopes.iter().filter(|checkup| checkup.clock_ahead_ms.is_some());
    for (action, permission) in entered.flat_map(|checkup| &checkup.permissions) {
        if let Permission::Unproven { why } = permission {
            reasons.entry(why).or_default().insert(action);
        }
    }
    if reasons.is_empty() {
        return;
    }
    heading(out, style, "Unproven, which is no trouble");
    for (why, actions) in reasons {
        let verbs: Vec<&str> = actions.iter().map(|action| action.trim_start_matches("events:")).collect();
        _ = writeln!(out, "  {why}: {}", verbs.join(", "));
    }
    out.push('\n');
}

fn notes(out: &mut String, report: &Report, names: &AccountNames, style: Style) {
    if report.notes.is_empty() {
        return;
    }
    heading(out, style, "Worth knowing");
    for note in &report.notes {
        _ = writeln!(out, "  {}: {}", scope_name(&note.scope, names), note.text);
    }
    out.push('\n');
}

fn troubles(out: &mut String, troubles: &[Trouble], names: &AccountNames, style: Style) {
    if troubles.is_empty() {
        return;
    }
    heading(out, style, "Missing or wrong");
    for (trouble, scopes) in grouped(troubles) {
        let code = match trouble.severity.0 {
            Severity::Error => style.bad(&format!("error   {}", trouble.code)),
            Severity::Warning | Severity::Info => style.warn(&format!("warning {}", trouble.code)),
        };
        _ = writeln!(out, "  {code}  {}", places(&scopes, names));
        _ = writeln!(out, "      {}", trouble.what);
        for line in &trouble.mend {
            _ = writeln!(out, "      {}", style.dim(&format!("> {line}")));
        }
    }
    out.push('\n');
}

/// Names of scopes that are told before the rest is only counted.
const PLACES_MAX: usize = 6;

fn places(scopes: &BTreeSet<&Scope>, names: &AccountNames) -> String {
    let named: Vec<String> = scopes.iter().take(PLACES_MAX).map(|scope| scope_name(scope, names)).collect();
    match scopes.len().saturating_sub(PLACES_MAX) {
        0 => named.join(", "),
        more => format!("{} and {more} more (--format json names them)", named.join(", ")),
    }
}

/// What is told of a trouble, without where it is.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Told {
    severity: std::cmp::Reverse<Severity>,
    code: TroubleCode,
    what: String,
    mend: Vec<String>,
}

/// The same trouble in many accounts is one: what differs by the account's id and the Region alone is the same.
fn grouped(troubles: &[Trouble]) -> Vec<(Told, BTreeSet<&Scope>)> {
    let mut groups: BTreeMap<Told, (BTreeSet<&Scope>, Told)> = BTreeMap::new();
    for trouble in troubles {
        let (account, region) = (trouble.scope.account.to_string(), trouble.scope.region.as_str());
        let in_general = told(trouble, |text| text.replace(&account, "ACCOUNT").replace(region, "REGION"));
        let as_it_is = told(trouble, str::to_owned);
        groups.entry(in_general).or_insert_with(|| (BTreeSet::new(), as_it_is)).0.insert(&trouble.scope);
    }
    let one = |(in_general, (scopes, first)): (Told, (BTreeSet<_>, Told))| {
        if scopes.len() == 1 { (first, scopes) } else { (in_general, scopes) }
    };
    groups.into_iter().map(one).collect()
}

fn told(trouble: &Trouble, word: impl Fn(&str) -> String) -> Told {
    let Trouble { code, severity, scope: _, what, mend } = trouble;
    Told {
        severity: std::cmp::Reverse(*severity),
        code: *code,
        what: word(what),
        mend: mend.iter().map(|line| word(line)).collect(),
    }
}

fn heading(out: &mut String, style: Style, text: &str) {
    _ = writeln!(out, "{}", style.strong(text));
}
