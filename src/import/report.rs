//! What came of an import, as text and as JSON.

use super::{Imported, Left, Taken};
use crate::model::resource::ResourceId;
use crate::report::{AccountNames, Style, scope_name};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Lines of one reason that are shown before the rest is counted.
const NAMES_SHOWN_MAX: usize = 12;
/// The column of entries is so wide at most.
const ENTRY_WIDTH_MAX: usize = 48;

/// For a person: what was taken, and what was left with the reason.
pub fn text(imported: &Imported, names: &AccountNames, style: Style) -> String {
    let Imported { taken, left, plan, .. } = imported;
    let mut text = String::new();
    let count = |kind: &str| taken.iter().filter(|one| one.resource.kind() == kind).count();
    let (buses, rules) = (count("bus"), count("rule"));
    let ours = taken.iter().filter(|one| one.is_ours).count();
    text.push_str(&format!("{}\n", style.strong("Taken")));
    if taken.is_empty() {
        text.push_str("  nothing: no bus was found that events go on from\n");
    }
    let width = taken.iter().map(|one| one.entry.len()).max().unwrap_or_default().min(ENTRY_WIDTH_MAX);
    for Taken { entry, resource, is_ours, keeps } in taken {
        let of_ours = if *is_ours { "  (ours already)" } else { "" };
        let kept = if keeps.is_empty() { String::new() } else { format!("  keeps {}", keeps.join(", ")) };
        text.push_str(&format!("  {entry:<width$}  {}{of_ours}{kept}\n", what(resource, names)));
    }
    if !left.is_empty() {
        text.push_str(&format!("\n{}\n", style.strong("Left as it is")));
    }
    let mut by_reason: BTreeMap<(&str, &str), Vec<&Left>> = BTreeMap::new();
    for one in left {
        by_reason.entry((&one.why, &one.what_to_do)).or_default().push(one);
    }
    for ((why, what_to_do), all) in by_reason {
        for one in all.iter().take(NAMES_SHOWN_MAX) {
            text.push_str(&format!("  {}\n", what(&one.resource, names)));
        }
        if all.len() > NAMES_SHOWN_MAX {
            text.push_str(&format!("  and {} more\n", all.len() - NAMES_SHOWN_MAX));
        }
        text.push_str(&format!("      {why}\n      > {what_to_do}\n"));
    }
    let steps = plan.as_ref().map_or(0, |plan| plan.steps.len());
    text.push_str(&format!(
        "\n{} taken, {ours} of them ours already; {} left. Their plan has {}.\n",
        things(buses, rules),
        left.len(),
        match steps {
            0 => "no steps".to_owned(),
            1 => "one step".to_owned(),
            _ => format!("{steps} steps"),
        }
    ));
    text
}

/// For programs.
pub fn json(imported: &Imported) -> Value {
    let Imported { files, taken, left, plan } = imported;
    let steps = plan.as_ref().map(|plan| plan.steps.len());
    json!({ "files": files, "taken": taken, "left": left, "plan-steps": steps })
}

fn things(buses: usize, rules: usize) -> String {
    let plural = |count: usize, one: &str, many: &str| match count {
        1 => format!("1 {one}"),
        count => format!("{count} {many}"),
    };
    format!("{} and {}", plural(buses, "bus", "buses"), plural(rules, "rule", "rules"))
}

fn what(resource: &ResourceId, names: &AccountNames) -> String {
    match resource {
        ResourceId::Scope(scope) => scope_name(scope, names),
        _ => format!("{} {} in {}", resource.kind(), resource.local_name(), scope_name(resource.scope(), names)),
    }
}
