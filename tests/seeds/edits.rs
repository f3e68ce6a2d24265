//! What people change a topology to.

use crate::generator::{
    add_collection, add_subscription, change_details, description, direct, has_subscription, options, second_bus,
    some_accounts, some_kinds, some_regions, some_tags, spoke, until,
};
use crate::rng::Rng;
use crate::samples::{FILTERS, KINDS};
use crate::spec::{Deliver, Kind, Publication, REGIONS, Spec, Subscription, Team, Way};

/// The topology after some edits, as a person would commit them.
pub fn edited(rng: &mut Rng, spec: &Spec) -> Spec {
    let mut edited = spec.clone();
    for _ in 0..rng.within(1, 6) {
        edit(rng, &mut edited);
    }
    edited.left = &(&spec.left | &spec.regions()) - &edited.regions();
    edited
}

/// `old` collects from a Region that is in none of these topologies otherwise, and that nothing names afterwards.
pub fn leaves_a_region(rng: &mut Rng, old: &mut Spec, later: &mut [&mut Spec]) {
    let named = later.iter().fold(old.regions(), |named, spec| &named | &spec.regions());
    let Some(region) = REGIONS.into_iter().find(|region| !named.contains(region)) else { return };
    let way = Way::Collect { accounts: some_accounts(rng, old), regions: vec![region] };
    let team = rng.below(old.teams.len());
    let (name, source) = ("far".to_owned(), "aws.kms".to_owned());
    old.teams[team].publications.push(Publication {
        name,
        first: None,
        source,
        kinds: Vec::new(),
        way,
        gateways: Vec::new(),
    });
    later.iter_mut().for_each(|spec| _ = spec.left.insert(region));
}

fn edit(rng: &mut Rng, spec: &mut Spec) {
    let team = rng.below(spec.teams.len());
    match rng.below(21) {
        0 => add_subscription(rng, spec),
        1 => change_subscription(rng, spec, |_, _, team, at| _ = team.subscriptions.remove(at)),
        2 => change_subscription(rng, spec, rename),
        3 => change_subscription(rng, spec, |rng, _, team, at| team.subscriptions[at].filter = *rng.pick(&FILTERS)),
        4 => change_subscription(rng, spec, |rng, from, team, at| {
            let kinds = if from.kinds.is_empty() { &KINDS[..] } else { &from.kinds[..] };
            team.subscriptions[at].kinds = some_kinds(rng, kinds);
        }),
        5 => change_destination(rng, spec),
        6 => {
            let spoke = rng.below(spec.teams[team].spokes.len());
            spec.teams[team].spokes[spoke].bus.push_str("-moved");
        }
        7 => {
            let spoke = rng.below(spec.teams[team].spokes.len());
            spec.teams[team].spokes[spoke].account = rng.within(spec.hubs.len(), spec.accounts.len() - 3);
        }
        8 => {
            let hub = rng.below(spec.hubs.len());
            let number = spec.teams[team].spokes.len();
            let added = if rng.chance(30) {
                second_bus(rng, &spec.teams[team].spokes)
            } else {
                spoke(rng, spec, team, hub, number)
            };
            spec.teams[team].spokes.push(added);
        }
        9 => change_gateways(rng, spec, team),
        10 => {
            let hub = rng.below(spec.hubs.len());
            spec.hubs[hub].organization ^= true;
        }
        11 => change_via(rng, spec, team),
        12 => change_hub(rng, spec),
        13 => change_tags(rng, spec, team),
        14 => {
            let spoke = rng.below(spec.teams[team].spokes.len());
            spec.teams[team].spokes[spoke].options = options(rng);
        }
        15 | 16 => change_subscription(rng, spec, |rng, _, team, at| {
            let stop = &mut team.subscriptions[at].stop;
            *stop = if stop.is_some() && rng.chance(50) { None } else { Some(until(rng)) };
        }),
        17 => change_subscription(rng, spec, |rng, _, team, at| change_details(rng, &mut team.subscriptions[at])),
        18 => add_collection(rng, spec, team),
        19 => change_collection(rng, spec, team),
        _ => rename_publication(rng, spec, team),
    }
}

fn change_subscription(rng: &mut Rng, spec: &mut Spec, change: impl Fn(&mut Rng, &Publication, &mut Team, usize)) {
    let all: Vec<(usize, usize)> = (0..spec.teams.len())
        .flat_map(|team| (0..spec.teams[team].subscriptions.len()).map(move |at| (team, at)))
        .collect();
    if !all.is_empty() {
        let (team, at) = *rng.pick(&all);
        let publication = spec.publication(&spec.teams[team].subscriptions[at]).1.clone();
        change(rng, &publication, &mut spec.teams[team], at);
    }
}

/// Two subscriptions where there was one: another takes over some of its detail-types, for the same mailbox.
pub fn split(rng: &mut Rng, spec: &mut Spec) {
    change_subscription(rng, spec, |rng, from, team, at| {
        let subscription = &mut team.subscriptions[at];
        let listed = [&subscription.kinds[..], &from.kinds, &KINDS];
        let kinds = listed.into_iter().find(|kinds| !kinds.is_empty()).unwrap_or_default().to_vec();
        let name = format!("{}-other", subscription.name);
        if kinds.len() < 2 || name.len() >= 30 || has_subscription(team, &name) {
            return;
        }
        let (stay, go) = kinds.split_at(rng.within(1, kinds.len() - 1));
        let subscription = &mut team.subscriptions[at];
        subscription.kinds = stay.to_vec();
        let other = Subscription { name, first: None, kinds: go.to_vec(), ..subscription.clone() };
        team.subscriptions.push(other);
    });
}

/// Another name, which a `[[moved]]` tells or not.
fn rename(rng: &mut Rng, _: &Publication, team: &mut Team, at: usize) {
    let name = format!("{}-renamed", team.subscriptions[at].name);
    if has_subscription(team, &name) || name.len() >= 30 {
        return;
    }
    let subscription = &mut team.subscriptions[at];
    let before = std::mem::replace(&mut subscription.name, name);
    subscription.first = rng.chance(50).then(|| subscription.first.take().unwrap_or(before));
}

/// The same of a publication, and of all who subscribe to it.
fn rename_publication(rng: &mut Rng, spec: &mut Spec, team: usize) {
    if spec.teams[team].publications.is_empty() {
        return;
    }
    let at = rng.below(spec.teams[team].publications.len());
    let publication = &mut spec.teams[team].publications[at];
    let name = format!("{}-renamed", publication.name);
    if name.len() >= 30 {
        return;
    }
    let before = std::mem::replace(&mut publication.name, name.clone());
    publication.first = rng.chance(70).then(|| publication.first.take().unwrap_or_else(|| before.clone()));
    for taker in &mut spec.teams {
        for subscription in &mut taker.subscriptions {
            if subscription.publisher == team && subscription.publication == before {
                subscription.publication.clone_from(&name);
            }
        }
    }
}

/// Another destination, from the bus to something else, or back to the bus, as far as EventBridge delivers it.
fn change_destination(rng: &mut Rng, spec: &mut Spec) {
    let regions: Vec<&str> = spec.hubs.iter().map(|hub| hub.region).collect();
    change_subscription(rng, spec, |rng, from, team, at| {
        let spoke = Spec::subscription_spoke(team, &team.subscriptions[at]);
        let near = spoke.region == regions[spoke.hub];
        let deliver = match &team.subscriptions[at].deliver {
            Deliver::To(..) if !from.is_forwarded() && rng.chance(40) => Deliver::Bus,
            Deliver::To(kind, name) if rng.chance(50) => Deliver::To(*kind, format!("{name}b")),
            Deliver::Bus if !near => Deliver::Bus,
            Deliver::To(..) | Deliver::Bus => {
                let number = rng.within(20, 40);
                direct(rng, number)
            }
        };
        team.subscriptions[at].deliver = deliver;
        if team.subscriptions[at].deliver == Deliver::Bus {
            team.subscriptions[at].retry = None;
        }
    });
}

fn change_gateways(rng: &mut Rng, spec: &mut Spec, team: usize) {
    let last = spec.accounts.len() - 1;
    let account = last - rng.below(2);
    let publications = &mut spec.teams[team].publications;
    if let Some(publication) = publications.iter_mut().find(|publication| publication.way == Way::Hub) {
        match publication.gateways.iter().position(|found| *found == account) {
            Some(at) => _ = publication.gateways.remove(at),
            None => publication.gateways.push(account),
        }
    }
}

/// From the hub to the spoke or back. Through the spoke is one bus-to-bus hop, so subscribers' buses become queues.
fn change_via(rng: &mut Rng, spec: &mut Spec, team: usize) {
    if spec.teams[team].publications.is_empty() {
        return;
    }
    let at = rng.below(spec.teams[team].publications.len());
    let name = spec.teams[team].publications[at].name.clone();
    let regions: Vec<&str> = spec.hubs.iter().map(|hub| hub.region).collect();
    let takes = |subscription: &Subscription| subscription.publisher == team && subscription.publication == name;
    let far = spec.teams.iter().any(|taker| {
        taker.subscriptions.iter().filter(|subscription| takes(subscription)).any(|subscription| {
            let spoke = Spec::subscription_spoke(taker, subscription);
            spoke.region != regions[spoke.hub]
        })
    });
    let publication = &mut spec.teams[team].publications[at];
    match publication.way {
        Way::Spoke => publication.way = Way::Hub,
        Way::Hub if !far => {
            publication.way = Way::Spoke;
            publication.gateways.clear();
            let takers = spec.teams.iter_mut().flat_map(|taker| &mut taker.subscriptions);
            for subscription in takers.filter(|subscription| takes(subscription)) {
                if subscription.deliver == Deliver::Bus {
                    subscription.deliver = Deliver::To(Kind::Queue, format!("{}-queue", subscription.name));
                }
            }
        }
        Way::Hub | Way::Collect { .. } => {}
    }
}

fn change_hub(rng: &mut Rng, spec: &mut Spec) {
    let hub = rng.below(spec.hubs.len());
    let hub = &mut spec.hubs[hub];
    match rng.below(5) {
        0 => hub.audit = if hub.audit.is_some() { None } else { Some("audit-log".to_owned()) },
        1 => hub.audit = hub.audit.as_ref().map(|_| "audit-archive".to_owned()),
        2 => hub.archive_days = hub.archive_days.map(|days| days + 30).or(Some(7)),
        3 => hub.description = description(rng),
        _ => hub.options = options(rng),
    }
}

fn change_tags(rng: &mut Rng, spec: &mut Spec, team: usize) {
    let tags = some_tags(rng);
    match rng.below(4) {
        0 => spec.tags = tags,
        1 => {
            let hub = rng.below(spec.hubs.len());
            spec.hubs[hub].options.tags = tags;
        }
        2 => spec.teams[team].tags = tags,
        _ => {
            let spoke = rng.below(spec.teams[team].spokes.len());
            spec.teams[team].spokes[spoke].options.tags = tags;
        }
    }
}

fn change_collection(rng: &mut Rng, spec: &mut Spec, team: usize) {
    let (accounts, regions) = (some_accounts(rng, spec), some_regions(rng, spec));
    for publication in &mut spec.teams[team].publications {
        if let Way::Collect { .. } = publication.way {
            publication.way = Way::Collect { accounts: accounts.clone(), regions: regions.clone() };
        }
    }
}
