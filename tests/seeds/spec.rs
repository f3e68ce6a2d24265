//! The test's own model of a topology. It is rendered to the TOML that the program reads, and it says on its own, without
//! a line of the program's, where each event must arrive ([`Spec::expected`]).

use crate::samples::KINDS;
use crate::samples::{Filter, SAMPLES, UNLISTED, lists};
use std::collections::{BTreeMap, BTreeSet};

pub const REGIONS: [&str; 3] = ["us-east-1", "eu-west-1", "ap-southeast-2"];
pub const ORGANIZATION: &str = "o-a1b2c3d4e5";
/// The keys of tags that are asked for somewhere.
pub const TAG_KEYS: [&str; 3] = ["cost-center", "data-class", "stage"];

pub type Tags = BTreeMap<&'static str, &'static str>;

#[derive(Clone, Debug)]
pub struct Spec {
    /// Whose marks the operator writes.
    pub owner: &'static str,
    pub accounts: Vec<Account>,
    pub tags: Tags,
    pub hubs: Vec<Hub>,
    pub teams: Vec<Team>,
    /// Regions that topologies of before named and this one does not: the settings do.
    pub left: BTreeSet<&'static str>,
}

#[derive(Clone, Debug)]
pub struct Account {
    pub name: String,
    pub id: String,
    /// Whether the operator may look and write there.
    pub managed: bool,
}

/// What is asked of a bus beyond its being there.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Encrypted with the key of its account and Region.
    pub key: bool,
    pub dead_letters: Option<&'static str>,
    /// Level, and whether with details.
    pub log: Option<(&'static str, bool)>,
    pub tags: Tags,
}

#[derive(Clone, Debug)]
pub struct Hub {
    pub name: String,
    pub account: usize,
    pub region: &'static str,
    pub bus: String,
    pub description: Option<&'static str>,
    /// `grant = "organization"`.
    pub organization: bool,
    pub archive_days: Option<u32>,
    pub audit: Option<String>,
    pub options: Options,
    /// Rules on the bus and characters of its policy, where they are not AWS's defaults.
    pub quotas: Option<(usize, usize)>,
}

#[derive(Clone, Debug)]
pub struct Team {
    pub name: String,
    pub tags: Tags,
    pub spokes: Vec<Spoke>,
    pub publications: Vec<Publication>,
    pub subscriptions: Vec<Subscription>,
}

#[derive(Clone, Debug)]
pub struct Spoke {
    pub name: String,
    pub hub: usize,
    pub account: usize,
    pub region: &'static str,
    pub bus: String,
    pub options: Options,
}

/// How a publication's events come to the hub.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Way {
    /// Publishers put them there.
    Hub,
    /// Publishers put them on the spokes' buses, which forward.
    Spoke,
    /// AWS services' own: the default buses of these accounts forward, in these Regions or the hub's own.
    Collect { accounts: Vec<usize>, regions: Vec<&'static str> },
}

/// Published at every hub where the team has a spoke.
#[derive(Clone, Debug)]
pub struct Publication {
    pub name: String,
    /// What it was called at first, where a `[[moved]]` tells.
    pub first: Option<String>,
    pub source: String,
    /// None: any.
    pub kinds: Vec<&'static str>,
    pub way: Way,
    /// Further accounts that publish it.
    pub gateways: Vec<usize>,
}

impl Publication {
    /// Whether a rule forwards its events to the hub, which uses up the one hop between buses.
    pub fn is_forwarded(&self) -> bool {
        self.way != Way::Hub
    }
}

/// What a direct destination is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Queue,
    Function,
    Topic,
    Stream,
    Api,
}

pub const DESTINATIONS: [Kind; 5] = [Kind::Queue, Kind::Function, Kind::Topic, Kind::Stream, Kind::Api];

/// Where a subscription's events go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Deliver {
    /// The spoke's bus.
    Bus,
    /// Something by its name, in the spoke's account and Region.
    To(Kind, String),
}

#[derive(Clone, Debug)]
pub struct Subscription {
    pub name: String,
    /// What it was called at first, where a `[[moved]]` tells.
    pub first: Option<String>,
    pub publisher: usize,
    pub publication: String,
    pub spoke: String,
    /// None: all that the publication has.
    pub kinds: Vec<&'static str>,
    pub filter: Filter,
    pub deliver: Deliver,
    pub dead_letters: Option<&'static str>,
    /// Attempts and seconds; not on buses.
    pub retry: Option<(u32, u32)>,
    pub replays: bool,
    /// Held off until then, in milliseconds since 1970.
    pub stop: Option<u64>,
}

/// Where an event is put.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    pub account: String,
    pub region: &'static str,
    pub bus: String,
}

/// An event that some account puts somewhere, or an AWS service on the account's default bus.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Event {
    pub account: String,
    pub at: Place,
    pub source: String,
    pub kind: &'static str,
    pub sample: usize,
}

impl Event {
    /// Whether an AWS service puts it.
    pub fn is_a_services(&self) -> bool {
        self.at.bus == "default"
    }
}

/// Who takes an event, whatever its mailbox is at the time.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Taker {
    Subscription {
        team: String,
        name: String,
        from: String,
    },
    Audit(String),
    /// The rule of the team's own on the bus where it publishes: none of wheelwright's business.
    OwnBus,
}

impl Spec {
    pub fn hub_place(&self, hub: &Hub) -> Place {
        Place { account: self.accounts[hub.account].id.clone(), region: hub.region, bus: hub.bus.clone() }
    }

    pub fn spoke_place(&self, spoke: &Spoke) -> Place {
        Place { account: self.accounts[spoke.account].id.clone(), region: spoke.region, bus: spoke.bus.clone() }
    }

    /// The same with nothing held off.
    pub fn without_stops(mut self) -> Self {
        self.teams
            .iter_mut()
            .flat_map(|team| &mut team.subscriptions)
            .for_each(|subscription| subscription.stop = None);
        self
    }

    pub fn spokes(&self) -> impl Iterator<Item = &Spoke> {
        self.teams.iter().flat_map(|team| &team.spokes)
    }

    /// The hubs, by their numbers, where a team's publications are.
    pub fn hubs_of(team: &Team) -> BTreeSet<usize> {
        team.spokes.iter().map(|spoke| spoke.hub).collect()
    }

    /// The ids of the accounts that publish `publication` at hub number `hub`; none if it is not published there.
    pub fn publishers(&self, team: &Team, publication: &Publication, hub: usize) -> BTreeSet<String> {
        let id = |account: usize| self.accounts[account].id.clone();
        if !Self::hubs_of(team).contains(&hub) {
            return BTreeSet::new();
        }
        if let Way::Collect { accounts, .. } = &publication.way {
            return accounts.iter().map(|account| id(*account)).collect();
        }
        let spokes = team.spokes.iter().filter(|spoke| spoke.hub == hub).map(|spoke| spoke.account);
        spokes.chain(publication.gateways.iter().copied()).map(id).collect()
    }

    /// Whether an account is among them.
    fn is_publisher(&self, team: &Team, publication: &Publication, hub: usize, account: &str) -> bool {
        let is_it = |at: usize| self.accounts[at].id == account;
        let mut there = team.spokes.iter().filter(|spoke| spoke.hub == hub).peekable();
        if there.peek().is_none() {
            return false;
        }
        match &publication.way {
            Way::Collect { accounts, .. } => accounts.iter().any(|at| is_it(*at)),
            _ => there.any(|spoke| is_it(spoke.account)) || publication.gateways.iter().any(|at| is_it(*at)),
        }
    }

    /// The ids of all accounts that publish anything at hub number `hub`.
    pub fn publishers_at(&self, hub: usize) -> BTreeSet<String> {
        let publications = self.teams.iter().flat_map(|team| team.publications.iter().map(move |found| (team, found)));
        publications.flat_map(|(team, publication)| self.publishers(team, publication, hub)).collect()
    }

    /// The default buses that a collection is forwarded from to hub number `hub`; none of any other publication.
    pub fn collected_from(&self, team: &Team, publication: &Publication, hub: usize) -> BTreeSet<Place> {
        let Way::Collect { accounts, regions } = &publication.way else { return BTreeSet::new() };
        if !Self::hubs_of(team).contains(&hub) {
            return BTreeSet::new();
        }
        let regions = if regions.is_empty() { vec![self.hubs[hub].region] } else { regions.clone() };
        let place = |account: usize, region| Place {
            account: self.accounts[account].id.clone(),
            region,
            bus: "default".to_owned(),
        };
        accounts.iter().flat_map(|account| regions.iter().map(|region| place(*account, *region))).collect()
    }

    /// Whether a bus is among them.
    fn is_collected_from(&self, team: &Team, publication: &Publication, hub: usize, at: &Place) -> bool {
        let Way::Collect { accounts, regions } = &publication.way else { return false };
        let in_region =
            if regions.is_empty() { self.hubs[hub].region == at.region } else { regions.contains(&at.region) };
        at.bus == "default"
            && in_region
            && team.spokes.iter().any(|spoke| spoke.hub == hub)
            && accounts.iter().any(|account| self.accounts[*account].id == at.account)
    }

    /// Whether a bus is the one at this account, Region and name.
    fn is_at(&self, place: &Place, account: usize, region: &str, bus: &str) -> bool {
        place.bus == bus && place.region == region && place.account == self.accounts[account].id
    }

    /// The default buses that rules of ours stand on.
    pub fn default_buses(&self) -> BTreeSet<Place> {
        let mut places = BTreeSet::new();
        for team in &self.teams {
            for publication in &team.publications {
                places.extend((0..self.hubs.len()).flat_map(|hub| self.collected_from(team, publication, hub)));
            }
        }
        places
    }

    /// The Regions that the operator reads of its own accord.
    pub fn regions(&self) -> BTreeSet<&'static str> {
        self.buses().into_keys().chain(self.default_buses()).map(|place| place.region).collect()
    }

    pub fn subscription_spoke<'t>(team: &'t Team, subscription: &Subscription) -> &'t Spoke {
        team.spokes.iter().find(|spoke| spoke.name == subscription.spoke).unwrap()
    }

    pub fn publication(&self, subscription: &Subscription) -> (&Team, &Publication) {
        let team = &self.teams[subscription.publisher];
        let found = team.publications.iter().find(|publication| publication.name == subscription.publication);
        (team, found.unwrap())
    }

    /// The ARN at which what a subscription takes can be read.
    pub fn mailbox(&self, team: &Team, subscription: &Subscription) -> String {
        let place = self.spoke_place(Self::subscription_spoke(team, subscription));
        let Place { account, region, .. } = &place;
        match &subscription.deliver {
            Deliver::Bus => inbox(&place),
            Deliver::To(Kind::Queue, name) => queue_arn(account, region, name),
            Deliver::To(Kind::Function, name) => format!("arn:aws:lambda:{region}:{account}:function:{name}"),
            Deliver::To(Kind::Topic, name) => format!("arn:aws:sns:{region}:{account}:{name}"),
            Deliver::To(Kind::Stream, name) => format!("arn:aws:kinesis:{region}:{account}:stream/{name}"),
            Deliver::To(Kind::Api, name) => format!("arn:aws:execute-api:{region}:{account}:a1b2c3/live/POST/{name}"),
        }
    }

    /// Every mailbox: subscribers' destinations, audits, and an inbox for each spoke's bus.
    pub fn mailboxes(&self) -> BTreeSet<String> {
        let subscriptions =
            self.teams.iter().flat_map(|team| team.subscriptions.iter().map(move |found| (team, found)));
        let mut boxes: BTreeSet<String> =
            subscriptions.map(|(team, subscription)| self.mailbox(team, subscription)).collect();
        boxes.extend(self.spokes().map(|spoke| inbox(&self.spoke_place(spoke))));
        boxes.extend(self.hubs.iter().filter_map(|hub| self.audit(hub)));
        boxes
    }

    fn audit(&self, hub: &Hub) -> Option<String> {
        let queue = hub.audit.as_ref()?;
        Some(queue_arn(&self.accounts[hub.account].id, hub.region, queue))
    }

    /// Every kind of event that the topology's publishers put, of detail-types that are listed and one that is not.
    pub fn events(&self) -> Vec<Event> {
        let mut events = Vec::new();
        for team in &self.teams {
            for publication in &team.publications {
                let kinds: Vec<&'static str> = if publication.kinds.is_empty() {
                    vec![KINDS[0], UNLISTED]
                } else {
                    publication.kinds.iter().copied().chain([UNLISTED]).collect()
                };
                for (account, at) in self.entries(team, publication) {
                    for kind in &kinds {
                        for sample in 0..SAMPLES.len() {
                            let (account, at, source) = (account.clone(), at.clone(), publication.source.clone());
                            events.push(Event { account, at, source, kind, sample });
                        }
                    }
                }
            }
        }
        events
    }

    /// Who puts a publication's events where.
    fn entries(&self, team: &Team, publication: &Publication) -> BTreeSet<(String, Place)> {
        let hubs = 0..self.hubs.len();
        match publication.way {
            Way::Spoke => {
                let places = team.spokes.iter().map(|spoke| self.spoke_place(spoke));
                places.map(|place| (place.account.clone(), place)).collect()
            }
            Way::Collect { .. } => {
                let places = hubs.flat_map(|hub| self.collected_from(team, publication, hub));
                places.map(|place| (place.account.clone(), place)).collect()
            }
            Way::Hub => hubs
                .flat_map(|hub| {
                    let place = self.hub_place(&self.hubs[hub]);
                    self.publishers(team, publication, hub).into_iter().map(move |account| (account, place.clone()))
                })
                .collect(),
        }
    }

    /// Who must get `event` when it is put at `now_ms`, each with its mailbox; nobody else may.
    pub fn expected(&self, event: &Event, now_ms: u64) -> Vec<(Taker, String)> {
        self.takers(event, now_ms, false)
    }

    /// Who would get `event` at `now_ms` if nobody held it off.
    pub fn held_off(&self, event: &Event, now_ms: u64) -> Vec<(Taker, String)> {
        let takers = self.takers(event, now_ms, true);
        takers.into_iter().filter(|(taker, _)| matches!(taker, Taker::Subscription { .. })).collect()
    }

    /// The subscriptions that somebody holds off at `now_ms`, whatever they take.
    pub fn stopped(&self, now_ms: u64) -> impl Iterator<Item = Taker> {
        self.teams.iter().flat_map(move |team| {
            let stopped = team.subscriptions.iter().filter(move |one| one.stop.is_some_and(|until| now_ms < until));
            stopped.map(|subscription| self.taker(team, subscription))
        })
    }

    fn taker(&self, team: &Team, subscription: &Subscription) -> Taker {
        // The source, as a publication can be renamed.
        let from = self.publication(subscription).1.source.clone();
        Taker::Subscription { team: team.name.clone(), name: subscription.name.clone(), from }
    }

    fn takers(&self, event: &Event, now_ms: u64, held_off: bool) -> Vec<(Taker, String)> {
        let mut found = Vec::new();
        // Nobody but AWS puts events of an AWS service, and only on default buses.
        if event.source.starts_with("aws.") && !event.is_a_services() {
            return found;
        }
        let mut hubs = Vec::new();
        for (at, hub) in self.hubs.iter().enumerate() {
            if self.is_at(&event.at, hub.account, hub.region, &hub.bus) {
                hubs.push(at);
            }
        }
        for team in &self.teams {
            let here = |spoke: &&Spoke| self.is_at(&event.at, spoke.account, spoke.region, &spoke.bus);
            for spoke in team.spokes.iter().filter(here) {
                found.push((Taker::OwnBus, inbox(&event.at)));
                let forwards = |publication: &&Publication| {
                    publication.way == Way::Spoke
                        && publication.source == event.source
                        && lists(&publication.kinds, event.kind)
                        && event.account == event.at.account
                };
                hubs.extend(team.publications.iter().filter(forwards).map(|_| spoke.hub));
            }
            for publication in &team.publications {
                let matches = publication.source == event.source && lists(&publication.kinds, event.kind);
                let collects = |hub: &usize| self.is_collected_from(team, publication, *hub, &event.at);
                hubs.extend((0..self.hubs.len()).filter(|hub| matches && collects(hub)));
            }
        }
        for at in hubs {
            self.leave_hub(at, event, now_ms, held_off, &mut found);
        }
        found
    }

    fn leave_hub(&self, at: usize, event: &Event, now_ms: u64, held_off: bool, found: &mut Vec<(Taker, String)>) {
        for team in &self.teams {
            for subscription in &team.subscriptions {
                let (publisher, publication) = self.publication(subscription);
                let takes = Self::subscription_spoke(team, subscription).hub == at
                    && publication.source == event.source
                    && lists(&publication.kinds, event.kind)
                    && lists(&subscription.kinds, event.kind)
                    && subscription.filter.takes(&SAMPLES[event.sample])
                    && subscription.stop.is_some_and(|until| now_ms < until) == held_off
                    && self.is_publisher(publisher, publication, at, &event.account);
                if takes {
                    found.push((self.taker(team, subscription), self.mailbox(team, subscription)));
                }
            }
        }
        let hub = &self.hubs[at];
        let mut publications =
            self.teams.iter().flat_map(|team| team.publications.iter().map(move |found| (team, found)));
        if let Some(queue) = self.audit(hub)
            && publications.any(|(team, publication)| self.is_publisher(team, publication, at, &event.account))
        {
            found.push((Taker::Audit(hub.name.clone()), queue));
        }
    }

    /// How many statements of ours there must be on each bus, by bus.
    pub fn statements(&self) -> BTreeMap<Place, usize> {
        let mut statements = BTreeMap::new();
        for (at, hub) in self.hubs.iter().enumerate() {
            let place = self.hub_place(hub);
            let others = self.publishers_at(at).into_iter().filter(|account| *account != place.account).count();
            let count = if hub.organization { usize::from(others > 0) } else { others };
            if count > 0 {
                statements.insert(place, count);
            }
        }
        for team in &self.teams {
            for spoke in &team.spokes {
                let takes = |subscription: &Subscription| {
                    subscription.deliver == Deliver::Bus && subscription.spoke == spoke.name
                };
                if self.hubs[spoke.hub].account != spoke.account && team.subscriptions.iter().any(takes) {
                    statements.insert(self.spoke_place(spoke), 1);
                }
            }
        }
        statements
    }

    /// What the name of the rule of ours begins with that brings a subscription its events; none of another taker.
    pub fn own_rule(&self, taker: &Taker) -> Option<String> {
        let Taker::Subscription { team, name, .. } = taker else { return None };
        let team = self.teams.iter().find(|found| found.name == *team)?;
        let subscription = team.subscriptions.iter().find(|found| found.name == *name)?;
        Some(format!("ww.{}.{}.", team.name, subscription.first.as_ref().unwrap_or(name)))
    }

    /// The rules of ours that there must be on each bus: what their names begin with, and the tags that they must bear.
    pub fn rules(&self) -> BTreeMap<Place, Vec<(String, Tags)>> {
        let mut rules: BTreeMap<Place, Vec<(String, Tags)>> = BTreeMap::new();
        let mut add = |place: Place, team: &str, name: &str, tags: Tags| {
            rules.entry(place).or_default().push((format!("ww.{team}.{name}."), tags));
        };
        for team in &self.teams {
            for subscription in &team.subscriptions {
                let hub = &self.hubs[Self::subscription_spoke(team, subscription).hub];
                let name = subscription.first.as_ref().unwrap_or(&subscription.name);
                add(self.hub_place(hub), &team.name, name, self.tags_of(&[&hub.options.tags, &team.tags]));
            }
            for publication in &team.publications {
                let name = publication.first.as_ref().unwrap_or(&publication.name);
                for spoke in team.spokes.iter().filter(|_| publication.way == Way::Spoke) {
                    let tags = self.tags_of(&[&team.tags, &spoke.options.tags]);
                    add(self.spoke_place(spoke), &team.name, name, tags);
                }
                for hub in 0..self.hubs.len() {
                    for place in self.collected_from(team, publication, hub) {
                        add(place, &team.name, name, self.tags_of(&[&team.tags]));
                    }
                }
            }
        }
        for (at, hub) in self.hubs.iter().enumerate() {
            if hub.audit.is_some() && !self.publishers_at(at).is_empty() {
                add(self.hub_place(hub), "hub", "audit", self.tags_of(&[&hub.options.tags]));
            }
        }
        rules
    }

    /// What subscriptions ask of their targets: where the rule is, what its name begins with, dead letters and retries.
    #[allow(clippy::type_complexity)] // It is taken apart where it is asked for.
    pub fn target_details(&self) -> Vec<(Place, String, Option<&'static str>, Option<(u32, u32)>)> {
        let mut details = Vec::new();
        for team in &self.teams {
            for subscription in &team.subscriptions {
                let hub = &self.hubs[Self::subscription_spoke(team, subscription).hub];
                let name = subscription.first.as_ref().unwrap_or(&subscription.name);
                let stem = format!("ww.{}.{name}.", team.name);
                details.push((self.hub_place(hub), stem, subscription.dead_letters, subscription.retry));
            }
        }
        details
    }

    /// What must be set on each bus of ours: what is asked, with the tags that it comes to, and how it is described.
    pub fn buses(&self) -> BTreeMap<Place, (Options, Option<&'static str>)> {
        let mut buses = BTreeMap::new();
        for team in &self.teams {
            for spoke in &team.spokes {
                let tags = self.tags_of(&[&team.tags, &spoke.options.tags]);
                buses.insert(self.spoke_place(spoke), (Options { tags, ..spoke.options.clone() }, None));
            }
        }
        for hub in &self.hubs {
            let tags = self.tags_of(&[&hub.options.tags]);
            buses.insert(self.hub_place(hub), (Options { tags, ..hub.options.clone() }, hub.description));
        }
        buses
    }

    /// The organisation's tags with these added, later ones over earlier ones.
    fn tags_of(&self, more: &[&Tags]) -> Tags {
        let mut tags = self.tags.clone();
        tags.extend(more.iter().flat_map(|more| more.iter().map(|(key, value)| (*key, *value))));
        tags
    }
}

pub fn queue_arn(account: &str, region: &str, name: &str) -> String {
    format!("arn:aws:sqs:{region}:{account}:{name}")
}

/// The queue that a team reads its bus through.
pub fn inbox(bus: &Place) -> String {
    queue_arn(&bus.account, bus.region, &format!("{}-inbox", bus.bus))
}

/// The id of the customer's key in every account and Region.
pub const KEY_ID: &str = "0badcafe-0000-4000-8000-000000000000";

/// The customer's key in an account and Region.
pub fn key_arn(account: &str, region: &str) -> String {
    format!("arn:aws:kms:{region}:{account}:key/{KEY_ID}")
}
