//! Where each thing is on the page: addresses that stay, so that they can be pasted into a chat.

use super::super::routes::RouteState;
use super::filter::Filter;
use super::happened;
use crate::model::route::{Consumer, RouteId};
use crate::store::Place;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// What stands for a publication in the address of an audit, which takes everything.
const EVERYTHING: &str = "everything";
/// What an audit's name begins with. Subscriptions have a dot in them, and this has none.
const AUDIT: &str = "audit-";
/// What is written into a query as something else.
const IN_QUERY: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A route's page.
pub(super) fn route(id: &RouteId) -> String {
    let publication = id.publication.as_ref().map_or_else(|| EVERYTHING.to_owned(), ToString::to_string);
    match &id.consumer {
        Consumer::Subscription(subscription) => format!("/routes/{publication}/{subscription}"),
        Consumer::Audit(hub) => format!("/routes/{publication}/{AUDIT}{hub}"),
    }
}

/// The route of a page's address.
pub(super) fn route_of(publication: &str, consumer: &str) -> Option<RouteId> {
    let publication = if publication == EVERYTHING { None } else { Some(publication.parse().ok()?) };
    let consumer = match consumer.strip_prefix(AUDIT) {
        Some(hub) if !hub.contains('.') => Consumer::Audit(hub.parse().ok()?),
        _ => Consumer::Subscription(consumer.parse().ok()?),
    };
    Some(RouteId { consumer, publication })
}

pub(super) fn incident(id: &str) -> String {
    format!("/incidents/{id}")
}

pub(super) fn sweep(id: u64) -> String {
    format!("/sweeps/{id}")
}

pub(super) fn write(id: u64) -> String {
    format!("/writes/{id}")
}

/// The time line from there on.
pub(super) fn happened_before(place: Place) -> String {
    format!("{}?before={place}", happened::PATH)
}

/// The first page, with only what the filter lets through.
pub(super) fn filtered(filter: &Filter) -> String {
    let pairs: Vec<String> = filter
        .pairs()
        .filter_map(|(key, value)| Some(format!("{key}={}", utf8_percent_encode(value?, IN_QUERY))))
        .collect();
    if pairs.is_empty() { "/".to_owned() } else { format!("/?{}", pairs.join("&")) }
}

/// The first page with what is of one team.
pub(super) fn team(name: &str) -> String {
    filtered(&Filter { team: Some(name.to_owned()), ..Filter::default() })
}

/// What `filter` lets through and is in this state.
pub(super) fn state(filter: &Filter, state: RouteState) -> String {
    filtered(&Filter { state: Some(<&str>::from(state).to_owned()), ..filter.clone() })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn an_address_leads_back_to_its_route() {
        for (publication, consumer) in
            [("payments.settlements", "ledger.large"), ("everything", "audit-us"), ("a.b", "audit-x.y")]
        {
            let id = route_of(publication, consumer).unwrap();
            assert_eq!(route(&id), format!("/routes/{publication}/{consumer}"));
        }
        for (publication, consumer) in [("", "ledger.large"), ("a.b", "audit-"), ("a.b", "x"), ("A.b", "c.d")] {
            assert_eq!(route_of(publication, consumer), None, "{publication} {consumer}");
        }
    }

    #[test]
    fn what_people_typed_stays_one_value() {
        let filter = Filter { source: Some("a&team=b c".to_owned()), ..Filter::default() };
        assert_eq!(filtered(&filter), "/?source=a%26team%3Db%20c");
    }
}
