//! What people change a topology to.

use crate::generator::{FILTERS, KINDS, Publication, Rng, Spec, Subscription, Team};
use crate::generator::{add_subscription, has_subscription, some_kinds, spoke};

/// The topology after some edits, as a person would commit them.
pub fn edited(rng: &mut Rng, spec: &Spec) -> Spec {
    let mut edited = spec.clone();
    for _ in 0..rng.within(1, 6) {
        edit(rng, &mut edited);
    }
    edited
}

fn edit(rng: &mut Rng, spec: &mut Spec) {
    let team = rng.below(spec.teams.len());
    match rng.below(13) {
        0 => add_subscription(rng, spec),
        1 => change_subscription(rng, spec, |_, _, team, at| _ = team.subscriptions.remove(at)),
        2 => change_subscription(rng, spec, |_, _, team, at| {
            let name = format!("{}-renamed", team.subscriptions[at].name);
            if !has_subscription(team, &name) && name.len() < 30 {
                team.subscriptions[at].name = name;
            }
        }),
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
            let added = spoke(rng, spec, team, hub, number);
            spec.teams[team].spokes.push(added);
        }
        9 => change_gateways(rng, spec, team),
        10 => {
            let hub = rng.below(spec.hubs.len());
            spec.hubs[hub].organization ^= true;
        }
        11 => change_via(rng, spec, team),
        _ => {
            let hub = rng.below(spec.hubs.len());
            let hub = &mut spec.hubs[hub];
            match rng.below(3) {
                0 => hub.audit = if hub.audit.is_some() { None } else { Some("audit-log".to_owned()) },
                1 => hub.audit = hub.audit.as_ref().map(|_| "audit-archive".to_owned()),
                _ => hub.archive_days = hub.archive_days.map(|days| days + 30).or(Some(7)),
            }
        }
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

/// Another queue, from the bus to a queue, or from a queue to the bus, as far as EventBridge delivers it.
fn change_destination(rng: &mut Rng, spec: &mut Spec) {
    let regions: Vec<&str> = spec.hubs.iter().map(|hub| hub.region).collect();
    change_subscription(rng, spec, |rng, from, team, at| {
        let subscription = &team.subscriptions[at];
        let spoke = team.spokes.iter().find(|spoke| spoke.name == subscription.spoke).unwrap();
        let near = spoke.region == regions[spoke.hub];
        let queue = match &subscription.queue {
            Some(_) if !from.via_spoke && rng.chance(40) => None,
            Some(queue) => Some(format!("{queue}b")),
            None if near => Some(format!("{}-queue", subscription.name)),
            None => None,
        };
        team.subscriptions[at].queue = queue;
    });
}

fn change_gateways(rng: &mut Rng, spec: &mut Spec, team: usize) {
    let last = spec.accounts.len() - 1;
    let account = last - rng.below(2);
    let publications = &mut spec.teams[team].publications;
    if let Some(publication) = publications.iter_mut().find(|publication| !publication.via_spoke) {
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
            let spoke = taker.spokes.iter().find(|spoke| spoke.name == subscription.spoke).unwrap();
            spoke.region != regions[spoke.hub]
        })
    });
    let publication = &mut spec.teams[team].publications[at];
    if publication.via_spoke {
        publication.via_spoke = false;
        return;
    }
    if far {
        return;
    }
    publication.via_spoke = true;
    publication.gateways.clear();
    for taker in &mut spec.teams {
        for subscription in taker.subscriptions.iter_mut().filter(|subscription| takes(subscription)) {
            let queue = format!("{}-queue", subscription.name);
            subscription.queue.get_or_insert(queue);
        }
    }
}
