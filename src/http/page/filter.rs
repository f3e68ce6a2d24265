//! What the first page is asked to show: plain GET parameters, so that an address is a view.

use super::form;
use super::look::Row;
use axum::http::Uri;

/// What is let through; the rest fades.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Filter {
    /// A team that publishes or takes.
    pub(super) team: Option<String>,
    pub(super) hub: Option<String>,
    /// The events' `source`.
    pub(super) source: Option<String>,
    /// How a route stands.
    pub(super) state: Option<String>,
    /// Whether all rows are asked for.
    pub(super) all: bool,
}

/// Characters of a value: no name is longer.
const VALUE_CHARACTERS_MAX: usize = 256;

impl Filter {
    /// The filter of an address. What it does not know it leaves: an old link still shows the page.
    pub(super) fn of(uri: &Uri) -> Self {
        let mut filter = Self::default();
        for (key, value) in form::pairs(uri.query().unwrap_or_default().as_bytes()) {
            let shown = |letter: &char| !letter.is_control();
            let value: String = value.chars().filter(shown).take(VALUE_CHARACTERS_MAX).collect();
            let value = Some(value).filter(|value| !value.is_empty());
            match key.as_str() {
                "team" => filter.team = value,
                "hub" => filter.hub = value,
                "source" => filter.source = value,
                "state" => filter.state = value,
                "rows" => filter.all = value.as_deref() == Some("all"),
                _ => {}
            }
        }
        filter
    }

    /// Keys and values, in the order in which addresses have them.
    pub(super) fn pairs(&self) -> impl Iterator<Item = (&'static str, Option<&str>)> {
        let Self { team, hub, source, state, all } = self;
        [
            ("team", team.as_deref()),
            ("hub", hub.as_deref()),
            ("source", source.as_deref()),
            ("state", state.as_deref()),
            ("rows", all.then_some("all")),
        ]
        .into_iter()
    }

    /// Whether it leaves anything out.
    pub(super) fn is_on(&self) -> bool {
        self.team.is_some() || self.hub.is_some() || self.source.is_some() || self.state.is_some()
    }

    /// Whether it lets a route through.
    pub(super) fn takes(&self, row: &Row<'_>) -> bool {
        let same = |asked: &Option<String>, is: &str| asked.as_deref().is_none_or(|asked| asked == is);
        let team = self.team.as_deref().is_none_or(|team| row.teams().any(|own| own == team));
        team && same(&self.hub, row.path.hub.as_str())
            && same(&self.source, row.source)
            && same(&self.state, row.state.into())
    }
}
