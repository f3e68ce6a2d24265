//! The shapes of the language as they are written: every value typed and with its place, no name resolved yet.
//!
//! A broken entry keeps its name and loses its body, so that whoever refers to it is not told that it is missing.

use super::keeps::RawKeeps;
use super::source::{Place, Written};
use crate::model::ids::{
    AccountId, AccountName, HubName, Moment, PublicationId, PublicationName, Region, SpokeName, SubscriptionId,
    SubscriptionName, TeamName,
};
use crate::model::resource::BusLog;
use crate::model::topology::{Access, HubGrant, Replays, Retry, Tags, Via};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// An entry of some table of names: `[hub.prod]`.
#[derive(Clone, Debug)]
pub(super) struct Entry<N, T> {
    /// Its name as written; none if it is no name at all.
    pub(super) name: Option<N>,
    /// Its name as text.
    pub(super) text: String,
    /// Where its name was written.
    pub(super) place: Place,
    /// What is in it; none if something was wrong there.
    pub(super) body: Option<T>,
}

/// Everything that all files say.
#[derive(Clone, Debug, Default)]
pub(super) struct RawTopology {
    /// Whether a file was not understood whole that may declare accounts, hubs or the organisation.
    pub(super) platform_has_holes: bool,
    /// Whether a file was not understood whole that may declare a team which no other file does.
    pub(super) teams_have_holes: bool,
    /// `[organization] id`.
    pub(super) organizations: Vec<Written<String>>,
    /// Whether some `[organization]` could not be used.
    pub(super) has_broken_organization: bool,
    /// `[account]`.
    pub(super) accounts: Vec<Entry<AccountName, RawAccount>>,
    /// `[hub.…]`.
    pub(super) hubs: Vec<Entry<HubName, RawHub>>,
    /// `[team]` with what is in its file.
    pub(super) teams: Vec<Entry<TeamName, RawTeam>>,
    /// `[stop.…]`, in whatever file.
    pub(super) stops: Vec<RawStop>,
    /// `[[moved]]`, in whatever file.
    pub(super) moved: Vec<RawMoved>,
    /// `[organization] tags`.
    pub(super) tags: Tags,
    /// Where those were written.
    pub(super) tags_place: Option<Place>,
    /// Whose each file is.
    pub(super) owners: BTreeMap<Arc<str>, FileOwner>,
}

/// Whose a file is: whom its mistakes concern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum FileOwner {
    /// Everybody's: it declares accounts, hubs or the organisation, or nothing that can be told.
    Platform,
    /// This team's.
    Team(String),
    /// A team's, and it does not say which.
    SomeTeam,
    /// These teams', by what `[path]` of the settings says of where it is: it says something else, or nothing that could be read.
    /// None of them: nobody knows whose.
    ByPath(BTreeSet<TeamName>),
}

impl RawTopology {
    /// Takes in what another file says.
    pub(super) fn absorb(&mut self, file: Self) {
        // Taken apart without `..`, so that a new field cannot be forgotten here.
        let Self {
            platform_has_holes,
            teams_have_holes,
            organizations,
            has_broken_organization,
            accounts,
            hubs,
            teams,
            stops,
            moved,
            tags,
            tags_place,
            owners,
        } = file;
        if tags_place.is_some() {
            (self.tags, self.tags_place) = (tags, tags_place);
        }
        self.platform_has_holes |= platform_has_holes;
        self.teams_have_holes |= teams_have_holes;
        self.organizations.extend(organizations);
        self.has_broken_organization |= has_broken_organization;
        self.accounts.extend(accounts);
        self.hubs.extend(hubs);
        self.teams.extend(teams);
        self.stops.extend(stops);
        self.moved.extend(moved);
        self.owners.extend(owners);
    }
}

/// `[stop.name]`.
#[derive(Clone, Debug)]
pub(super) struct RawStop {
    pub(super) name: Written<String>,
    pub(super) subscription: Written<SubscriptionId>,
    pub(super) until: Moment,
    pub(super) reason: String,
    /// The team of the file that it is in, if the file is a team's.
    pub(super) team: Option<String>,
}

/// `[[moved]]`.
#[derive(Clone, Debug)]
pub(super) struct RawMoved {
    pub(super) from: Written<SubscriptionId>,
    pub(super) to: Written<SubscriptionId>,
    /// Whether it is a publication or a collection, and not a subscription.
    pub(super) is_publication: bool,
    /// The team of the file that it is in, if the file is a team's.
    pub(super) team: Option<String>,
}

/// What may be said of a bus that is ours.
#[derive(Clone, Debug, Default)]
pub(super) struct RawBusOptions {
    pub(super) kms_key: Option<Written<String>>,
    pub(super) dead_letter: Option<Written<String>>,
    pub(super) log: Option<Written<BusLog>>,
}

/// `[account] name = { … }`.
#[derive(Clone, Debug)]
pub(super) struct RawAccount {
    pub(super) id: Written<AccountId>,
    pub(super) access: Access,
}

/// `[hub.name]`.
#[derive(Clone, Debug)]
pub(super) struct RawHub {
    pub(super) account: Written<AccountName>,
    pub(super) region: Written<Region>,
    pub(super) bus: Written<String>,
    pub(super) description: Option<String>,
    pub(super) grant: Written<HubGrant>,
    pub(super) archive_retention_days: Option<u32>,
    pub(super) audit_queue: Option<Written<String>>,
    pub(super) bus_options: RawBusOptions,
    pub(super) tags: Tags,
    pub(super) keeps_grants: bool,
    pub(super) rules_max: Option<usize>,
    pub(super) policy_characters_max: Option<usize>,
    pub(super) pattern_characters_max: Option<usize>,
    pub(super) calls_per_second_max: Option<u32>,
}

/// `[team]` and the entries of its file.
#[derive(Clone, Debug, Default)]
pub(super) struct RawTeam {
    /// Whether its file was not understood whole, so that what seems to be missing may be there.
    pub(super) has_holes: bool,
    pub(super) contact: String,
    pub(super) tags: Tags,
    pub(super) spokes: Vec<Entry<SpokeName, RawSpoke>>,
    pub(super) publications: Vec<Entry<PublicationName, RawPublication>>,
    pub(super) subscriptions: Vec<Entry<SubscriptionName, RawSubscription>>,
    pub(super) expectations: Vec<RawExpectation>,
}

/// `[spoke.name]`.
#[derive(Clone, Debug)]
pub(super) struct RawSpoke {
    pub(super) hub: Written<HubName>,
    pub(super) account: Written<AccountName>,
    pub(super) region: Option<Written<Region>>,
    pub(super) bus: Option<Written<String>>,
    pub(super) bus_options: RawBusOptions,
    pub(super) tags: Tags,
    pub(super) keeps_grants: bool,
}

/// `[publish.name]`, or `[collect.name]`.
#[derive(Clone, Debug)]
pub(super) struct RawPublication {
    pub(super) source: Written<String>,
    pub(super) detail_types: Vec<Written<String>>,
    /// None: every team.
    pub(super) subscribers: Option<Vec<Written<TeamName>>>,
    /// Where `subscribers` was written, else the entry's name.
    pub(super) subscribers_place: Place,
    pub(super) via: Written<Via>,
    pub(super) at: Option<Vec<Written<HubName>>>,
    pub(super) accounts: Vec<Written<AccountName>>,
    /// The Regions of a collection; none for a publication.
    pub(super) collect: Option<Vec<Written<Region>>>,
    pub(super) keeps: RawKeeps,
}

/// `[subscribe.name]`.
#[derive(Clone, Debug)]
pub(super) struct RawSubscription {
    pub(super) from: Written<PublicationId>,
    pub(super) at: Option<Written<HubName>>,
    pub(super) spoke: Option<Written<SpokeName>>,
    pub(super) detail_types: Vec<Written<String>>,
    pub(super) filter: Map<String, Value>,
    /// Where `where` was written, else the entry's name.
    pub(super) filter_place: Place,
    /// Where each value in `where` was written, by the keys that lead to it.
    pub(super) filter_places: BTreeMap<Vec<String>, Place>,
    pub(super) deliver: Written<RawDestination>,
    pub(super) replays: Replays,
    pub(super) dead_letter: Option<Written<String>>,
    pub(super) retry: Option<Written<Retry>>,
    pub(super) keeps: RawKeeps,
}

/// `deliver`.
#[derive(Clone, Debug)]
pub(super) enum RawDestination {
    /// `"bus"`.
    Bus,
    /// `{ kind = "name or ARN" }`.
    Direct(DirectKind, String),
}

/// What a direct destination is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DirectKind {
    Queue,
    Function,
    Topic,
    Stream,
    Api,
}

impl DirectKind {
    /// All, with their keys.
    pub(super) const ALL: [(&'static str, Self); 5] = [
        ("queue", Self::Queue),
        ("function", Self::Function),
        ("topic", Self::Topic),
        ("stream", Self::Stream),
        ("api", Self::Api),
    ];
}

/// `[expect.name]`.
#[derive(Clone, Debug)]
pub(super) struct RawExpectation {
    pub(super) name: Written<String>,
    pub(super) published_by: Written<PublicationId>,
    pub(super) event: Map<String, Value>,
    pub(super) event_place: Place,
    pub(super) reaches: Vec<Written<SubscriptionId>>,
    pub(super) reaches_place: Place,
}
