//! Seeded topologies: what people could write, and what they could change it to.
//!
//! A [`Spec`] is the test's own model of a topology. It is rendered to the TOML that the program reads, and it says on
//! its own, without a line of the program's, where each event must arrive ([`Spec::expected`]).

use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

/// Steele, Lea and Flood's splitmix64: a small generator whose whole state is one number.
pub struct Rng(u64);

impl Rng {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`, which is not 0.
    pub fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound as u64).unwrap()
    }

    /// A number from `least` to `most`, both included.
    pub fn within(&mut self, least: usize, most: usize) -> usize {
        least + self.below(most - least + 1)
    }

    pub fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    pub fn pick<'t, T>(&mut self, items: &'t [T]) -> &'t T {
        &items[self.below(items.len())]
    }
}

#[derive(Clone, Debug)]
pub struct Spec {
    pub accounts: Vec<Account>,
    pub hubs: Vec<Hub>,
    pub teams: Vec<Team>,
}

#[derive(Clone, Debug)]
pub struct Account {
    pub name: String,
    pub id: String,
    /// Whether the operator may look and write there.
    pub managed: bool,
}

#[derive(Clone, Debug)]
pub struct Hub {
    pub name: String,
    pub account: usize,
    pub region: &'static str,
    pub bus: String,
    /// `grant = "organization"`.
    pub organization: bool,
    pub archive_days: Option<u32>,
    pub audit: Option<String>,
    /// Rules on the bus and characters of its policy, where they are not AWS's defaults.
    pub quotas: Option<(usize, usize)>,
}

#[derive(Clone, Debug)]
pub struct Team {
    pub name: String,
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
}

/// Published at every hub where the team has a spoke.
#[derive(Clone, Debug)]
pub struct Publication {
    pub name: String,
    /// None: any.
    pub kinds: Vec<&'static str>,
    pub via_spoke: bool,
    /// Further accounts that publish it.
    pub gateways: Vec<usize>,
}

#[derive(Clone, Debug)]
pub struct Subscription {
    pub name: String,
    pub publisher: usize,
    pub publication: String,
    pub spoke: String,
    /// None: all that the publication has.
    pub kinds: Vec<&'static str>,
    pub filter: Filter,
    /// A queue by name, or the spoke's bus.
    pub queue: Option<String>,
}

/// A condition in EventBridge's pattern language, and the same in Rust.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filter {
    Everything,
    Large,
    Euro,
    NotDollar,
    Important,
    Unflagged,
    LargeEuro,
}

pub const FILTERS: [Filter; 7] = [
    Filter::Everything,
    Filter::Large,
    Filter::Euro,
    Filter::NotDollar,
    Filter::Important,
    Filter::Unflagged,
    Filter::LargeEuro,
];

impl Filter {
    fn toml(self) -> &'static str {
        match self {
            Self::Everything => "",
            Self::Large => "where.detail.amount = [{ numeric = [\">\", 1000] }]\n",
            Self::Euro => "where.detail.currency = [\"EUR\"]\n",
            Self::NotDollar => "where.detail.currency = [{ anything-but = [\"USD\"] }]\n",
            Self::Important => "where.detail.customer = [{ prefix = \"vip-\" }]\n",
            Self::Unflagged => "where.detail.flag = [{ exists = false }]\n",
            Self::LargeEuro => {
                "where.detail.amount = [{ numeric = [\">\", 1000] }]\nwhere.detail.currency = [\"EUR\"]\n"
            }
        }
    }

    fn takes(self, sample: &Sample) -> bool {
        match self {
            Self::Everything => true,
            Self::Large => sample.amount > 1_000,
            Self::Euro => sample.currency == "EUR",
            Self::NotDollar => sample.currency != "USD",
            Self::Important => sample.customer.starts_with("vip-"),
            Self::Unflagged => !sample.flag,
            Self::LargeEuro => sample.amount > 1_000 && sample.currency == "EUR",
        }
    }
}

/// What events can carry; every filter takes some of these and, but for `Everything`, not all.
pub struct Sample {
    amount: u32,
    currency: &'static str,
    customer: &'static str,
    flag: bool,
}

pub const SAMPLES: [Sample; 4] = [
    Sample { amount: 5, currency: "GBP", customer: "std-1", flag: true },
    Sample { amount: 5_000, currency: "EUR", customer: "vip-2", flag: false },
    Sample { amount: 5_000, currency: "USD", customer: "vip-3", flag: true },
    Sample { amount: 7, currency: "EUR", customer: "std-4", flag: false },
];

impl Sample {
    /// The event's detail, with a number to know it by.
    pub fn detail(&self, probe: usize) -> Value {
        let mut detail = json!({
            "probe": probe, "amount": self.amount, "currency": self.currency, "customer": self.customer,
        });
        if self.flag {
            detail["flag"] = json!(true);
        }
        detail
    }
}

pub const KINDS: [&str; 4] = ["Opened", "Changed", "Closed", "Reversed"];
/// A detail-type that no publication lists.
pub const UNLISTED: &str = "Unlisted";
const REGIONS: [&str; 3] = ["us-east-1", "eu-west-1", "ap-southeast-2"];

/// Where an event is put.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    pub account: String,
    pub region: &'static str,
    pub bus: String,
}

/// An event that some account puts somewhere.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Event {
    pub account: String,
    pub at: Place,
    pub source: String,
    pub kind: &'static str,
    pub sample: usize,
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

    pub fn source(team: &Team, publication: &Publication) -> String {
        format!("com.example.{}.{}", team.name, publication.name)
    }

    pub fn spokes(&self) -> impl Iterator<Item = &Spoke> {
        self.teams.iter().flat_map(|team| &team.spokes)
    }

    /// The ids of the accounts that publish `publication` at hub number `hub`; none if it is not published there.
    pub fn publishers(&self, team: &Team, publication: &Publication, hub: usize) -> BTreeSet<String> {
        let id = |account: usize| self.accounts[account].id.clone();
        let spokes: BTreeSet<String> =
            team.spokes.iter().filter(|spoke| spoke.hub == hub).map(|spoke| id(spoke.account)).collect();
        if spokes.is_empty() {
            return spokes;
        }
        spokes.into_iter().chain(publication.gateways.iter().map(|account| id(*account))).collect()
    }

    /// The ids of all accounts that publish anything at hub number `hub`.
    pub fn publishers_at(&self, hub: usize) -> BTreeSet<String> {
        let publications = self.teams.iter().flat_map(|team| team.publications.iter().map(move |found| (team, found)));
        publications.flat_map(|(team, publication)| self.publishers(team, publication, hub)).collect()
    }

    fn subscription_hub(team: &Team, subscription: &Subscription) -> (usize, usize) {
        let at = team.spokes.iter().position(|spoke| spoke.name == subscription.spoke).unwrap();
        (at, team.spokes[at].hub)
    }

    pub fn publication(&self, subscription: &Subscription) -> (&Team, &Publication) {
        let team = &self.teams[subscription.publisher];
        let found = team.publications.iter().find(|publication| publication.name == subscription.publication);
        (team, found.unwrap())
    }

    /// The queue in which what a subscription takes can be read.
    pub fn mailbox(&self, team: &Team, subscription: &Subscription) -> String {
        let (at, _) = Self::subscription_hub(team, subscription);
        let place = self.spoke_place(&team.spokes[at]);
        match &subscription.queue {
            Some(queue) => queue_arn(&place.account, place.region, queue),
            None => inbox(&place),
        }
    }

    /// Every mailbox: subscribers' queues, audits, and an inbox for each spoke's bus.
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
                            let (account, at) = (account.clone(), at.clone());
                            events.push(Event { account, at, source: Self::source(team, publication), kind, sample });
                        }
                    }
                }
            }
        }
        events
    }

    /// Who puts a publication's events where.
    fn entries(&self, team: &Team, publication: &Publication) -> BTreeSet<(String, Place)> {
        if publication.via_spoke {
            let places = team.spokes.iter().map(|spoke| self.spoke_place(spoke));
            return places.map(|place| (place.account.clone(), place)).collect();
        }
        let hubs = self.hubs.iter().enumerate();
        hubs.flat_map(|(at, hub)| {
            let place = self.hub_place(hub);
            self.publishers(team, publication, at).into_iter().map(move |account| (account, place.clone()))
        })
        .collect()
    }

    /// Who must get `event`, each with its mailbox; nobody else may.
    pub fn expected(&self, event: &Event) -> Vec<(Taker, String)> {
        let mut found = Vec::new();
        let mut hubs = Vec::new();
        for (at, hub) in self.hubs.iter().enumerate() {
            if self.hub_place(hub) == event.at {
                hubs.push(at);
            }
        }
        for team in &self.teams {
            for spoke in team.spokes.iter().filter(|spoke| self.spoke_place(spoke) == event.at) {
                found.push((Taker::OwnBus, inbox(&event.at)));
                let forwards = |publication: &&Publication| {
                    publication.via_spoke
                        && Self::source(team, publication) == event.source
                        && lists(&publication.kinds, event.kind)
                        && event.account == event.at.account
                };
                hubs.extend(team.publications.iter().filter(forwards).map(|_| spoke.hub));
            }
        }
        for at in hubs {
            self.leave_hub(at, event, &mut found);
        }
        found
    }

    fn leave_hub(&self, at: usize, event: &Event, found: &mut Vec<(Taker, String)>) {
        for team in &self.teams {
            for subscription in &team.subscriptions {
                let (publisher, publication) = self.publication(subscription);
                let takes = Self::subscription_hub(team, subscription).1 == at
                    && Self::source(publisher, publication) == event.source
                    && lists(&publication.kinds, event.kind)
                    && lists(&subscription.kinds, event.kind)
                    && subscription.filter.takes(&SAMPLES[event.sample])
                    && self.publishers(publisher, publication, at).contains(&event.account);
                if takes {
                    let from = format!("{}.{}", publisher.name, publication.name);
                    let taker = Taker::Subscription { team: team.name.clone(), name: subscription.name.clone(), from };
                    found.push((taker, self.mailbox(team, subscription)));
                }
            }
        }
        let hub = &self.hubs[at];
        if let Some(queue) = self.audit(hub)
            && self.publishers_at(at).contains(&event.account)
        {
            found.push((Taker::Audit(hub.name.clone()), queue));
        }
    }

    /// How many rules of ours there must be on each bus, by bus.
    pub fn rules(&self) -> BTreeMap<Place, usize> {
        let mut rules = BTreeMap::new();
        for team in &self.teams {
            for subscription in &team.subscriptions {
                let (_, hub) = Self::subscription_hub(team, subscription);
                *rules.entry(self.hub_place(&self.hubs[hub])).or_default() += 1;
            }
            for _ in team.publications.iter().filter(|publication| publication.via_spoke) {
                for spoke in &team.spokes {
                    *rules.entry(self.spoke_place(spoke)).or_default() += 1;
                }
            }
        }
        for (at, hub) in self.hubs.iter().enumerate() {
            if hub.audit.is_some() && !self.publishers_at(at).is_empty() {
                *rules.entry(self.hub_place(hub)).or_default() += 1;
            }
        }
        rules
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
                let takes =
                    |subscription: &Subscription| subscription.queue.is_none() && subscription.spoke == spoke.name;
                if spoke_account_differs(self, spoke) && team.subscriptions.iter().any(takes) {
                    statements.insert(self.spoke_place(spoke), 1);
                }
            }
        }
        statements
    }

    /// The topology as its files, by path.
    pub fn files(&self) -> Vec<(String, String)> {
        let mut files = vec![("topology/hubs.toml".to_owned(), self.hubs_toml())];
        files
            .extend(self.teams.iter().map(|team| (format!("topology/teams/{}.toml", team.name), self.team_toml(team))));
        files
    }

    fn hubs_toml(&self) -> String {
        let mut text = format!("[organization]\nid = \"{ORGANIZATION}\"\n[account]\n");
        for Account { name, id, managed } in &self.accounts {
            let access = if *managed { "" } else { ", access = \"none\"" };
            writeln!(text, "{name} = {{ id = \"{id}\"{access} }}").unwrap();
        }
        for hub in &self.hubs {
            let account = &self.accounts[hub.account].name;
            let grant = if hub.organization { "organization" } else { "accounts" };
            writeln!(text, "[hub.{}]\naccount = \"{account}\"\nregion = \"{}\"", hub.name, hub.region).unwrap();
            writeln!(text, "bus = \"{}\"\ngrant = \"{grant}\"", hub.bus).unwrap();
            if let Some(days) = hub.archive_days {
                writeln!(text, "archive = {{ retention-days = {days} }}").unwrap();
            }
            if let Some(queue) = &hub.audit {
                writeln!(text, "audit = {{ queue = \"{queue}\" }}").unwrap();
            }
            if let Some((rules, characters)) = hub.quotas {
                writeln!(text, "quotas = {{ rules-max = {rules}, policy-characters-max = {characters} }}").unwrap();
            }
        }
        text
    }

    fn team_toml(&self, team: &Team) -> String {
        let mut text = format!("[team]\nname = \"{}\"\ncontact = \"#{}\"\n", team.name, team.name);
        for spoke in &team.spokes {
            let (hub, account) = (&self.hubs[spoke.hub].name, &self.accounts[spoke.account].name);
            writeln!(text, "[spoke.{}]\nhub = \"{hub}\"\naccount = \"{account}\"", spoke.name).unwrap();
            writeln!(text, "region = \"{}\"\nbus = \"{}\"", spoke.region, spoke.bus).unwrap();
        }
        for publication in &team.publications {
            let via = if publication.via_spoke { "spoke" } else { "hub" };
            let source = Self::source(team, publication);
            writeln!(text, "[publish.{}]\nsource = \"{source}\"\nvia = \"{via}\"", publication.name).unwrap();
            write_kinds(&mut text, &publication.kinds);
            if !publication.gateways.is_empty() {
                let names: Vec<&str> =
                    publication.gateways.iter().map(|account| self.accounts[*account].name.as_str()).collect();
                writeln!(text, "accounts = {names:?}").unwrap();
            }
        }
        for subscription in &team.subscriptions {
            let publisher = &self.teams[subscription.publisher].name;
            let Subscription { name, publication, spoke, filter, .. } = subscription;
            writeln!(text, "[subscribe.{name}]\nfrom = \"{publisher}.{publication}\"\nspoke = \"{spoke}\"").unwrap();
            write_kinds(&mut text, &subscription.kinds);
            text.push_str(filter.toml());
            if let Some(queue) = &subscription.queue {
                writeln!(text, "deliver = {{ queue = \"{queue}\" }}").unwrap();
            }
        }
        text
    }
}

fn spoke_account_differs(spec: &Spec, spoke: &Spoke) -> bool {
    spec.hubs[spoke.hub].account != spoke.account
}

fn write_kinds(text: &mut String, kinds: &[&str]) {
    if !kinds.is_empty() {
        writeln!(text, "detail-types = {kinds:?}").unwrap();
    }
}

fn lists(kinds: &[&str], kind: &str) -> bool {
    kinds.is_empty() || kinds.contains(&kind)
}

pub const ORGANIZATION: &str = "o-a1b2c3d4e5";

pub fn queue_arn(account: &str, region: &str, name: &str) -> String {
    format!("arn:aws:sqs:{region}:{account}:{name}")
}

/// The queue that a team reads its bus through.
pub fn inbox(bus: &Place) -> String {
    queue_arn(&bus.account, bus.region, &format!("{}-inbox", bus.bus))
}

/// A topology.
pub fn topology(rng: &mut Rng) -> Spec {
    let hub_count = rng.within(1, 3);
    let team_count = rng.within(2, 6);
    let names: Vec<(String, bool)> = (0..hub_count)
        .map(|at| (format!("platform{at}"), true))
        .chain((0..team_count + 3).map(|at| (format!("team{at}-prod"), true)))
        .chain([("gateway".to_owned(), true), ("partner".to_owned(), false)])
        .collect();
    let accounts: Vec<Account> = names
        .into_iter()
        .enumerate()
        .map(|(at, (name, managed))| Account { name, id: format!("{:012}", 200_000_000_001 + at * 1_111), managed })
        .collect();
    let hubs = (0..hub_count)
        .map(|at| Hub {
            name: format!("hub{at}"),
            account: if rng.chance(20) { 0 } else { at },
            region: REGIONS[at],
            bus: format!("org-events{at}"),
            organization: rng.chance(30),
            archive_days: rng.chance(40).then(|| u32::try_from(rng.within(1, 60)).unwrap()),
            audit: rng.chance(60).then(|| "audit-log".to_owned()),
            quotas: None,
        })
        .collect();
    let mut spec = Spec { accounts, hubs, teams: Vec::new() };
    for at in 0..team_count {
        let team = team(rng, &spec, at);
        spec.teams.push(team);
    }
    for _ in 0..rng.within(1, 10) {
        add_subscription(rng, &mut spec);
    }
    spec
}

fn team(rng: &mut Rng, spec: &Spec, at: usize) -> Team {
    let name = format!("team{at}");
    let mut spokes = Vec::new();
    for hub in 0..spec.hubs.len() {
        // The first two teams are at the first hub, so that there is always something to subscribe to.
        if (hub == 0 && at < 2) || rng.chance(50) || (hub + 1 == spec.hubs.len() && spokes.is_empty()) {
            spokes.push(spoke(rng, spec, at, hub, spokes.len()));
        }
    }
    let publications = (0..rng.within(usize::from(at == 0), 2))
        .map(|number| Publication {
            name: format!("pub{number}"),
            kinds: some_kinds(rng, &KINDS),
            via_spoke: rng.chance(35),
            gateways: Vec::new(),
        })
        .collect();
    Team { name, spokes, publications, subscriptions: Vec::new() }
}

pub fn spoke(rng: &mut Rng, spec: &Spec, team: usize, hub: usize, number: usize) -> Spoke {
    let own = spec.hubs.len() + team;
    let account = match rng.below(10) {
        0 => spec.hubs[hub].account,
        1 => spec.hubs.len(),
        _ => own,
    };
    let region = if rng.chance(10) { *rng.pick(&REGIONS) } else { spec.hubs[hub].region };
    Spoke { name: format!("s{number}"), hub, account, region, bus: format!("team{team}-bus{number}") }
}

pub fn some_kinds(rng: &mut Rng, from: &[&'static str]) -> Vec<&'static str> {
    if rng.chance(40) { Vec::new() } else { from.iter().copied().filter(|_| rng.chance(60)).collect() }
}

/// Adds a subscription, if what is drawn can be subscribed to.
pub fn add_subscription(rng: &mut Rng, spec: &mut Spec) {
    let taker = rng.below(spec.teams.len());
    let offers: Vec<(usize, usize)> = (0..spec.teams.len())
        .filter(|team| *team != taker)
        .flat_map(|team| (0..spec.teams[team].publications.len()).map(move |found| (team, found)))
        .collect();
    if offers.is_empty() {
        return;
    }
    let (publisher, publication) = *rng.pick(&offers);
    let spoke_at = rng.below(spec.teams[taker].spokes.len());
    let spoke = &spec.teams[taker].spokes[spoke_at];
    let (from, publication) = (&spec.teams[publisher], &spec.teams[publisher].publications[publication]);
    let near = spoke.region == spec.hubs[spoke.hub].region;
    if !from.spokes.iter().any(|published| published.hub == spoke.hub) || (publication.via_spoke && !near) {
        return;
    }
    let number = (0..).find(|number| !has_subscription(&spec.teams[taker], &format!("sub{number}"))).unwrap();
    let queue = (publication.via_spoke || (near && rng.chance(50))).then(|| format!("queue{number}"));
    let kinds = if publication.kinds.is_empty() { &KINDS[..] } else { &publication.kinds[..] };
    let subscription = Subscription {
        name: format!("sub{number}"),
        publisher,
        publication: publication.name.clone(),
        spoke: spoke.name.clone(),
        kinds: some_kinds(rng, kinds),
        filter: *rng.pick(&FILTERS),
        queue,
    };
    spec.teams[taker].subscriptions.push(subscription);
}

pub fn has_subscription(team: &Team, name: &str) -> bool {
    team.subscriptions.iter().any(|subscription| subscription.name == name)
}
