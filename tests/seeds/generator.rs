//! Seeded topologies: what people could write.

use crate::rng::Rng;
use crate::samples::{FILTERS, KINDS};
use crate::spec::{
    Account, DESTINATIONS, Deliver, Hub, Kind, Options, Publication, REGIONS, Spec, Spoke, Subscription, TAG_KEYS,
    Tags, Team, Way,
};
use std::collections::{BTreeMap, BTreeSet};

/// An hour, in milliseconds: what a run's phases begin at, so that no stop ends in the middle of a sweep.
pub const HOUR_MS: u64 = 3_600_000;

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
            description: description(rng),
            organization: rng.chance(30),
            archive_days: rng.chance(40).then(|| u32::try_from(rng.within(1, 60)).unwrap()),
            audit: rng.chance(60).then(|| "audit-log".to_owned()),
            options: options(rng),
            quotas: None,
        })
        .collect();
    let mut spec =
        Spec { owner: "wheelwright", accounts, tags: some_tags(rng), hubs, teams: Vec::new(), left: BTreeSet::new() };
    for at in 0..team_count {
        let team = team(rng, &spec, at);
        spec.teams.push(team);
    }
    for at in 0..team_count {
        if rng.chance(25) {
            add_collection(rng, &mut spec, at);
        }
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
    if rng.chance(15) {
        let second = second_bus(rng, &spokes);
        spokes.push(second);
    }
    let publications = (0..rng.within(usize::from(at == 0), 2))
        .map(|number| Publication {
            name: format!("pub{number}"),
            first: None,
            source: format!("com.example.{name}.pub{number}"),
            kinds: some_kinds(rng, &KINDS),
            way: if rng.chance(35) { Way::Spoke } else { Way::Hub },
            gateways: Vec::new(),
        })
        .collect();
    Team { name, tags: some_tags(rng), spokes, publications, subscriptions: Vec::new() }
}

pub fn spoke(rng: &mut Rng, spec: &Spec, team: usize, hub: usize, number: usize) -> Spoke {
    let own = spec.hubs.len() + team;
    let account = match rng.below(10) {
        0 => spec.hubs[hub].account,
        1 => spec.hubs.len(),
        _ => own,
    };
    let region = if rng.chance(15) { *rng.pick(&REGIONS) } else { spec.hubs[hub].region };
    let bus = format!("team{team}-bus{number}");
    Spoke { name: format!("s{number}"), hub, account, region, bus, options: options(rng) }
}

/// Another bus of the same team in the same account, at the same hub.
pub fn second_bus(rng: &mut Rng, spokes: &[Spoke]) -> Spoke {
    let first = rng.pick(spokes);
    let number = spokes.len();
    let bus = format!("{}-two{number}", first.bus);
    Spoke { name: format!("s{number}"), bus, options: options(rng), ..first.clone() }
}

pub fn options(rng: &mut Rng) -> Options {
    Options {
        key: rng.chance(15),
        dead_letters: rng.chance(15).then(|| *rng.pick(&["undecryptable", "unreadable"])),
        log: rng.chance(20).then(|| *rng.pick(&[("error", false), ("error", true), ("info", false), ("trace", true)])),
        tags: some_tags(rng),
    }
}

pub fn some_tags(rng: &mut Rng) -> Tags {
    let values = ["red", "green", "blue"];
    let mut tags = Tags::new();
    while rng.chance(30) {
        tags.insert(*rng.pick(&TAG_KEYS), *rng.pick(&values));
    }
    tags
}

pub fn description(rng: &mut Rng) -> Option<&'static str> {
    rng.chance(50).then(|| *rng.pick(&["Business events", "What happens here", "Évènements"]))
}

pub fn some_kinds(rng: &mut Rng, from: &[&'static str]) -> Vec<&'static str> {
    if rng.chance(40) { Vec::new() } else { from.iter().copied().filter(|_| rng.chance(60)).collect() }
}

/// AWS services' own events, of a source that no other team collects.
pub fn add_collection(rng: &mut Rng, spec: &mut Spec, team: usize) {
    const SOURCES: [&str; 6] = ["guardduty", "health", "s3", "ec2", "ecs", "batch"];
    let name = "findings".to_owned();
    let source = format!("aws.{}", SOURCES[team % SOURCES.len()]);
    let taken = |publication: &Publication| publication.name == name || publication.first.as_ref() == Some(&name);
    // One that was renamed without a word may forward the same events from the same accounts.
    let collects = |publication: &Publication| matches!(publication.way, Way::Collect { .. });
    if spec.teams[team].publications.iter().any(|publication| taken(publication) || collects(publication)) {
        return;
    }
    let way = Way::Collect { accounts: some_accounts(rng, spec), regions: some_regions(rng, spec) };
    let kinds = some_kinds(rng, &KINDS);
    spec.teams[team].publications.push(Publication { name, first: None, source, kinds, way, gateways: Vec::new() });
}

/// At least one account, the partner's not among them.
pub fn some_accounts(rng: &mut Rng, spec: &Spec) -> Vec<usize> {
    let managed: Vec<usize> = (0..spec.accounts.len()).filter(|at| spec.accounts[*at].managed).collect();
    let some: Vec<usize> = managed.iter().copied().filter(|_| rng.chance(20)).collect();
    if some.is_empty() { vec![*rng.pick(&managed)] } else { some }
}

/// A Region, or none: the hub's own. Hubs stay, so one that is no hub's is named by nothing else, and by nothing at all afterwards.
pub fn some_regions(rng: &mut Rng, spec: &Spec) -> Vec<&'static str> {
    if rng.chance(60) {
        return Vec::new();
    }
    // One number for both, so that what is drawn after it stays as it was.
    let drawn = rng.next();
    let of_a_hub = spec.hubs[usize::try_from(drawn % spec.hubs.len() as u64).unwrap()].region;
    vec![if (drawn >> 16) % 100 < 30 { REGIONS[usize::try_from((drawn >> 32) % 3).unwrap()] } else { of_a_hub }]
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
    let forwarded = publication.is_forwarded();
    if !Spec::hubs_of(from).contains(&spoke.hub) || (forwarded && !near) {
        return;
    }
    let number = (0..).find(|number| !has_subscription(&spec.teams[taker], &format!("sub{number}"))).unwrap();
    let deliver = if forwarded || (near && rng.chance(50)) { direct(rng, number) } else { Deliver::Bus };
    let kinds = if publication.kinds.is_empty() { &KINDS[..] } else { &publication.kinds[..] };
    let mut subscription = Subscription {
        name: format!("sub{number}"),
        first: None,
        publisher,
        publication: publication.name.clone(),
        spoke: spoke.name.clone(),
        kinds: some_kinds(rng, kinds),
        filter: *rng.pick(&FILTERS),
        deliver,
        dead_letters: None,
        retry: None,
        replays: false,
        stop: None,
    };
    change_details(rng, &mut subscription);
    if rng.chance(15) {
        subscription.stop = Some(until(rng));
    }
    spec.teams[taker].subscriptions.push(subscription);
}

/// Anything but the spoke's bus: mostly a queue.
pub fn direct(rng: &mut Rng, number: usize) -> Deliver {
    let kind = if rng.chance(50) { DESTINATIONS[0] } else { *rng.pick(&DESTINATIONS) };
    Deliver::To(kind, format!("box{number}"))
}

/// Dead letters, retries and replays of a subscription, drawn anew.
pub fn change_details(rng: &mut Rng, subscription: &mut Subscription) {
    let is_bus = subscription.deliver == Deliver::Bus;
    subscription.dead_letters = rng.chance(15).then(|| *rng.pick(&["lost", "stranded"]));
    subscription.retry = (!is_bus && rng.chance(20)).then(|| *rng.pick(&[(0, 60), (20, 3_600)]));
    subscription.replays = rng.chance(15);
}

/// When a stop ends: a time that has come, one between the phases of a run, or one after it.
pub fn until(rng: &mut Rng) -> u64 {
    let half_hours = *rng.pick(&[1, 3, 5, 7, 1_001]);
    half_hours * HOUR_MS / 2
}

/// Whether a name is taken, or was.
pub fn has_subscription(team: &Team, name: &str) -> bool {
    let is = |subscription: &Subscription| subscription.name == name || subscription.first.as_deref() == Some(name);
    team.subscriptions.iter().any(is)
}

/// What of the language a topology has: so that it can be told that seeds have tried all of it.
pub fn features(spec: &Spec) -> BTreeMap<&'static str, bool> {
    let subscriptions = || spec.teams.iter().flat_map(|team| &team.subscriptions);
    let publications = || spec.teams.iter().flat_map(|team| &team.publications);
    let options = || spec.hubs.iter().map(|hub| &hub.options).chain(spec.spokes().map(|spoke| &spoke.options));
    let delivers =
        |wanted: Kind| subscriptions().any(|found| matches!(&found.deliver, Deliver::To(kind, _) if *kind == wanted));
    let pairs = |team: &Team, same: fn(&Spoke, &Spoke) -> bool| {
        let spokes = &team.spokes;
        (1..spokes.len()).any(|at| spokes[..at].iter().any(|other| same(&spokes[at], other)))
    };
    let owners: BTreeSet<(usize, &str)> = spec
        .teams
        .iter()
        .flat_map(|team| team.spokes.iter().map(|spoke| (spoke.account, team.name.as_str())))
        .collect();
    let accounts: BTreeSet<usize> = owners.iter().map(|(account, _)| *account).collect();
    BTreeMap::from([
        ("stops", subscriptions().any(|found| found.stop.is_some())),
        ("told renames", subscriptions().any(|found| found.first.is_some())),
        ("told renames of publications", publications().any(|found| found.first.is_some())),
        ("collections", publications().any(|found| matches!(found.way, Way::Collect { .. }))),
        (
            "collections from a Region",
            publications().any(|found| matches!(&found.way, Way::Collect { regions, .. } if !regions.is_empty())),
        ),
        ("forwarding spokes", publications().any(|found| found.way == Way::Spoke)),
        ("partners", publications().any(|found| found.gateways.iter().any(|account| !spec.accounts[*account].managed))),
        ("queues", delivers(Kind::Queue)),
        ("functions", delivers(Kind::Function)),
        ("topics", delivers(Kind::Topic)),
        ("streams", delivers(Kind::Stream)),
        ("APIs", delivers(Kind::Api)),
        ("retries", subscriptions().any(|found| found.retry.is_some())),
        ("dead letters of one's own", subscriptions().any(|found| found.dead_letters.is_some())),
        ("replays", subscriptions().any(|found| found.replays)),
        ("keys", options().any(|options| options.key)),
        ("bus dead letters", options().any(|options| options.dead_letters.is_some())),
        ("logs", options().any(|options| options.log.is_some())),
        ("tags", options().any(|options| !options.tags.is_empty())),
        ("tags of the organisation", !spec.tags.is_empty()),
        ("descriptions", spec.hubs.iter().any(|hub| hub.description.is_some())),
        ("spokes in another Region", spec.spokes().any(|spoke| spoke.region != spec.hubs[spoke.hub].region)),
        ("teams at several hubs", spec.teams.iter().any(|team| Spec::hubs_of(team).len() > 1)),
        (
            "two buses in one account",
            spec.teams
                .iter()
                .any(|team| pairs(team, |one, other| one.account == other.account && one.hub == other.hub)),
        ),
        ("accounts that teams share", accounts.len() < owners.len()),
    ])
}
