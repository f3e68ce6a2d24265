//! The routes as a table, and the form that filters: the picture in words.

use super::super::routes::RouteState;
use super::bits::{badge, origin};
use super::filter::Filter;
use super::links;
use super::look::{Look, Row};
use crate::model::ids::{HubName, TeamName};
use crate::model::route::Consumer;
use crate::report::count;
use maud::{Markup, html};
use std::collections::BTreeSet;
use strum::IntoEnumIterator as _;

/// Rows that are shown unless all are asked for; those that do not deliver come first.
const ROWS_MAX: usize = 100;

/// The form: plain GET, so that it works without scripts and its answer is an address.
pub(super) fn form(look: &Look<'_>, filter: &Filter) -> Markup {
    let teams: BTreeSet<&str> = look.topology.teams.keys().map(TeamName::as_str).collect();
    let hubs: BTreeSet<&str> = look.topology.hubs.keys().map(HubName::as_str).collect();
    let sources: BTreeSet<&str> = look.rows.iter().map(|row| row.source).filter(|source| !source.is_empty()).collect();
    let states: Vec<&str> = RouteState::iter().map(Into::into).collect();
    html! {
        form #filter .filter data-part method="get" action="/" role="search" aria-label="Filter" {
            (select("team", "Team", "any team", &teams.into_iter().collect::<Vec<_>>(), filter.team.as_deref()))
            (select("hub", "Hub", "any hub", &hubs.into_iter().collect::<Vec<_>>(), filter.hub.as_deref()))
            (select("source", "Source", "any source", &sources.into_iter().collect::<Vec<_>>(), filter.source.as_deref()))
            (select("state", "State", "any state", &states, filter.state.as_deref()))
            button type="submit" { "Filter" }
            @if filter.is_on() { a.clear href="/" { "Show all" } }
        }
    }
}

fn select(name: &str, label: &str, any: &str, values: &[&str], chosen: Option<&str>) -> Markup {
    let id = format!("filter-{name}");
    html! {
        .field {
            label for=(id) { (label) }
            select #(id) name=(name) {
                option value="" { (any) }
                @for value in values { option value=(value) selected[chosen == Some(*value)] { (value) } }
                // What an old link asks for is said, not dropped.
                @if let Some(chosen) = chosen.filter(|chosen| !values.contains(chosen)) {
                    option value=(chosen) selected { (chosen) }
                }
            }
        }
    }
}

/// The table.
pub(super) fn section(look: &Look<'_>, filter: &Filter) -> Markup {
    let mut rows: Vec<&Row<'_>> = look.rows.iter().filter(|row| filter.takes(row)).collect();
    rows.sort_by_key(|row| row.state == RouteState::Delivering);
    let shown = if filter.all { rows.len() } else { ROWS_MAX };
    let all = Filter { all: true, ..filter.clone() };
    html! {
        section #routes data-part aria-labelledby="routes-title" {
            h2 #routes-title { "Routes" }
            p.quiet {
                @if filter.is_on() { (rows.len()) " of " (count(look.rows.len(), "route")) } @else { (count(rows.len(), "route")) }
                @if rows.len() > shown { "; the first " (shown) " are shown, those that do not deliver before others. " a href=(links::filtered(&all)) { "Show all" } }
            }
            @if !rows.is_empty() {
                .table tabindex="0" role="region" aria-label="Table of routes" {
                    table.routes {
                        thead { tr { th scope="col" { "Route" } th scope="col" { "State" } th scope="col" { "Hub" } th scope="col" { "Source" } th scope="col" { "To" } th scope="col" { "Asked for in" } } }
                        tbody { @for row in rows.iter().take(shown) { (line(look, row)) } }
                    }
                }
            }
        }
    }
}

fn line(look: &Look<'_>, row: &Row<'_>) -> Markup {
    let publication = row.id.publication.as_ref().map_or_else(|| "everything".to_owned(), ToString::to_string);
    html! {
        tr {
            th scope="row" { a href=(links::route(row.id)) { (publication) " " span.arrow aria-label="to" role="img" { "→" } " " (row.id.consumer) } }
            td { (badge(row.state)) }
            td { (row.path.hub) }
            td { @if row.source.is_empty() { span.quiet { "all" } } @else { span.id { (row.source) } } }
            td { span.id { (destination(look, row)) } }
            td { (origin(&row.path.origin)) }
        }
    }
}

/// Where a route ends, as people call it: `bus ledger of ledger-prod`.
pub(super) fn destination(look: &Look<'_>, row: &Row<'_>) -> String {
    let arn = &row.path.destination_arn;
    let parsed = arn.parse::<crate::eventbridge::Arn>().ok();
    let account = parsed.as_ref().and_then(|arn| arn.account.parse().ok()).map(|account| look.account(account));
    let service = match arn.split(':').nth(2).unwrap_or_default() {
        "events" => "bus",
        "sqs" => "queue",
        "lambda" => "function",
        "sns" => "topic",
        "kinesis" => "stream",
        "execute-api" => "API",
        other => other,
    };
    let name = arn.rsplit([':', '/']).next().unwrap_or(arn);
    match (&row.id.consumer, account) {
        (Consumer::Subscription(_) | Consumer::Audit(_), Some(account)) => format!("{service} {name} of {account}"),
        (_, None) => format!("{service} {name}"),
    }
}
