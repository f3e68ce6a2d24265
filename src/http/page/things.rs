//! A live thing against what was asked for, field by field, and how writes ended.

use super::look::Look;
use crate::model::history::WriteEnd;
use crate::model::incident::Incident;
use crate::model::mark::Mark;
use crate::model::resource::{ArchiveId, BusId, ResourceId, RuleId, RuleState, TargetSpec};
use crate::plan::statement;
use maud::{Markup, html};

/// One field of a thing; none where there is nothing.
struct Field {
    name: String,
    asked: Option<String>,
    live: Option<String>,
}

/// How a write ended, as a person says it.
pub(super) fn end_in_words(end: WriteEnd) -> &'static str {
    match end {
        WriteEnd::Done => "written, and read back as asked",
        WriteEnd::Conflict => "not written: it was not what the plan saw",
        WriteEnd::Failed => "refused by AWS",
        WriteEnd::NotVerified => "written, and read back otherwise",
    }
}

/// What was asked for and what is live, where they differ; in the finding's own words where there is nothing to compare.
pub(super) fn diff(look: &Look<'_>, incident: &Incident) -> Markup {
    let concern = &incident.concern;
    let differs = |field: &Field| field.asked != field.live;
    let fields: Vec<Field> = concern.subject.resource().map_or_else(Vec::new, |resource| compared(look, resource));
    let fields: Vec<&Field> = fields.iter().filter(|field| incident.resolved.is_none() && differs(field)).collect();
    html! {
        @if !fields.is_empty() { (table(&fields)) }
        @else if !concern.detail.is_empty() { p.detail { (concern.detail) } }
    }
}

/// All fields of a thing.
pub(super) fn whole(look: &Look<'_>, resource: &ResourceId) -> Markup {
    let fields = compared(look, resource);
    html! { @if !fields.is_empty() { (table(&fields.iter().collect::<Vec<_>>())) } }
}

fn table(fields: &[&Field]) -> Markup {
    let value = |value: &Option<String>| html! { @match value { Some(text) => code { (text) }, None => span.quiet { "nothing" } } };
    html! {
        dl.diff {
            @for field in fields {
                div {
                    dt { (field.name) }
                    @if field.asked == field.live { dd.same { span.tag { "asked and live" } " " (value(&field.live)) } }
                    @else { dd.asked { span.tag { "asked" } " " (value(&field.asked)) } dd.live { span.tag { "live" } " " (value(&field.live)) } }
                }
            }
        }
    }
}

fn compared(look: &Look<'_>, resource: &ResourceId) -> Vec<Field> {
    match resource {
        ResourceId::Rule(rule) => of_rule(look, rule),
        ResourceId::Target(rule, id) => of_target(look, rule, id),
        ResourceId::Grant(bus, sid) => of_grant(look, bus, sid),
        ResourceId::Bus(bus) => of_bus(look, bus),
        ResourceId::Archive(archive) => of_archive(look, archive),
        ResourceId::Scope(_) => Vec::new(),
    }
}

fn field(name: &str, asked: Option<String>, live: Option<String>) -> Field {
    Field { name: name.to_owned(), asked, live }
}

fn of_rule(look: &Look<'_>, rule: &RuleId) -> Vec<Field> {
    let asked = look.desired.rules.get(rule).map(|wanted| &wanted.spec);
    let live = look.status.world.rule(rule);
    let state = |state: RuleState| match state {
        RuleState::Enabled => "ENABLED".to_owned(),
        RuleState::Disabled => "DISABLED".to_owned(),
    };
    let asked_pattern = asked.map(|spec| spec.pattern.as_str().to_owned());
    // Patterns are compared by meaning: another order of keys is no difference.
    let live_pattern = live.and_then(|live| live.pattern.as_ref()).map(|live| match (&live.parsed, asked) {
        (Some(parsed), Some(asked)) if parsed.same_meaning(&asked.pattern) => asked.pattern.as_str().to_owned(),
        _ => live.text.clone(),
    });
    let mut fields = vec![
        field("state", asked.map(|spec| state(spec.state)), live.map(|live| live.state.clone())),
        field("pattern", asked_pattern, live_pattern),
    ];
    let asked_targets = asked.map(|spec| &spec.targets);
    let live_targets = live.and_then(|live| live.targets.as_ref());
    let ids: std::collections::BTreeSet<&String> =
        asked_targets.iter().flat_map(|all| all.keys()).chain(live_targets.iter().flat_map(|all| all.keys())).collect();
    for id in ids {
        let asked = asked_targets.and_then(|all| all.get(id)).map(target_text);
        let live = live_targets.and_then(|all| all.get(id)).map(|live| target_text(&live.spec));
        fields.push(field(&format!("target {id}"), asked, live));
    }
    fields
}

fn target_text(spec: &TargetSpec) -> String {
    let TargetSpec { arn, role_arn, dead_letter_arn, retry } = spec;
    let mut text = arn.clone();
    for (name, value) in [("role", role_arn), ("dead letters", dead_letter_arn)] {
        if let Some(value) = value {
            text.push_str(&format!("\n{name} {value}"));
        }
    }
    if let Some(retry) = retry {
        text.push_str(&format!("\nat most {} attempts, {} s", retry.attempts_max, retry.event_age_seconds_max));
    }
    text
}

fn of_target(look: &Look<'_>, rule: &RuleId, id: &str) -> Vec<Field> {
    let asked = look.desired.rules.get(rule).and_then(|wanted| wanted.spec.targets.get(id)).map(target_text);
    let live = look.status.world.rule(rule).and_then(|rule| rule.targets.as_ref()?.get(id));
    vec![field("target", asked, live.map(|live| target_text(&live.spec)))]
}

fn of_grant(look: &Look<'_>, bus: &BusId, sid: &str) -> Vec<Field> {
    let asked = look.desired.grants.get(&(bus.clone(), sid.to_owned()));
    let asked = asked.map(|wanted| statement(bus, sid, &wanted.spec).to_value().to_string());
    let policy = look.status.world.bus(bus).and_then(|bus| bus.policy.as_ref()?.as_ref().ok());
    let live = policy.and_then(|policy| policy.statement(sid)).map(|live| live.to_value().to_string());
    vec![field("statement", asked, live)]
}

fn of_bus(look: &Look<'_>, bus: &BusId) -> Vec<Field> {
    let asked = look.desired.buses.get(bus).map(|wanted| &wanted.spec);
    let live = look.status.world.bus(bus);
    let described = |text: &str| Mark::read(text).0.to_owned();
    let mut fields = vec![field(
        "description",
        asked.map(|spec| spec.description.clone()),
        live.map(|live| described(&live.description)),
    )];
    // Only a full reading tells the rest.
    if let Some(settings) = live.and_then(|live| live.settings.as_ref()) {
        let none = || "none".to_owned();
        fields.push(field(
            "key",
            asked.map(|spec| spec.kms_key.clone().unwrap_or_else(none)),
            Some(settings.kms_key.clone().unwrap_or_else(none)),
        ));
        fields.push(field(
            "dead letters",
            asked.map(|spec| spec.dead_letter_arn.clone().unwrap_or_else(none)),
            Some(settings.dead_letter_arn.clone().unwrap_or_else(none)),
        ));
        fields.push(field("log", asked.map(|spec| spec.log.level.to_string()), Some(settings.log.level.to_string())));
    }
    fields
}

fn of_archive(look: &Look<'_>, archive: &ArchiveId) -> Vec<Field> {
    let asked = look.desired.archives.get(archive).map(|wanted| &wanted.spec);
    let live = look.status.world.view(&archive.scope).and_then(|view| view.archives.get(&archive.name));
    let days = |days: u32| if days == 0 { "for ever".to_owned() } else { format!("{days} days") };
    vec![field(
        "keeps events",
        asked.map(|spec| days(spec.retention_days)),
        live.map(|live| days(live.spec.retention_days)),
    )]
}
