//! Two daemons in the same accounts: of one owner with two topologies, and of two owners who know nothing of each other.

use crate::clock::Timeline;
use crate::edits;
use crate::generator;
use crate::mutants::Mutant;
use crate::oracle::{Check, Oracle, Violation, is_owned, items};
use crate::process::{Ended, Process};
use crate::rng::Rng;
use crate::run::{Kind, Report, Run};
use crate::spec::{Deliver, Place, Spec};
use crate::trouble::Trouble;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use wheelwright::eventbridge::Arn;
use wheelwright::model::finding::FindingCode;
use wheelwright::model::plan::Guard;
use wheelwright::sim::fault::{Fault, Schedule};
use wheelwright::sim::{LogEntry, SimulatedAws, SnapshotItem};

/// Two of one owner, one with the topology before the other's: no route of all topologies is lost, the end is the newer
/// one's, and the older says so.
///
/// EventBridge writes nothing on a condition, so what the older one's last write did between a reading and a write of the newer
/// one's can show: a key whose owner cannot be told any more is left and told, and a tag of which nothing says any more that it is ours is
/// left, and a target that the older one put on a bus while the newer one was about to take the grant away delivers nothing. Seeds that
/// come to that are not judged by it.
pub async fn of_one_owner(seed: u64) -> Report {
    let mut rng = Rng::new(seed);
    let first = generator::topology(&mut rng);
    let first = first.without_stops();
    let older = edits::edited(&mut rng, &first).without_stops();
    let mut newer = if rng.chance(50) { edits::edited(&mut rng, &first) } else { edits::edited(&mut rng, &older) };
    // Whoever comes after the older one knows what it named.
    newer.left = &(&newer.left | &older.regions()) - &newer.regions();
    let mut run = Run::new(rng, seed, Kind::Call, None, &[&first, &older, &newer]);
    run.show(&[&first, &older, &newer]);
    run.neighbours(&first);
    run.watch(&[&first, &first]);
    run.settle_down(&first, &first, 1).await;
    if run.stopped() {
        return run.reported();
    }
    run.foreigners(&first);
    run.next_hour();
    run.watch(&[&first, &older, &newer]);
    for _ in 0..run.rng.within(1, 3) {
        let began = run.fleet.world().log().len();
        side_by_side(&mut run, (&older, 2), (&newer, 3)).await;
        let found = run.oracle.violations();
        if !found.is_empty() && found.iter().all(|found| is_of_what_came_unseen(found, &run.fleet.world(), began)) {
            return run.pardoned();
        }
        if run.stopped() {
            return run.reported();
        }
    }
    // From here on the newer one has all that it needs; the other looks on.
    run.settle_down(&first, &newer, 3).await;
    let found = run.oracle.violations();
    if !found.is_empty() && found.iter().all(|found| is_an_unknown_key(found) || is_a_tag_too_many(found)) {
        return run.pardoned();
    }
    if !run.stopped() {
        older_looks_on(&mut run, &older).await;
    }
    run.reported()
}

/// Both sweep at once, each call taking its time, so that every run mixes them otherwise.
async fn side_by_side(run: &mut Run, older: (&Spec, u64), newer: (&Spec, u64)) -> (Ended, Ended) {
    let timeline = Timeline::from(&run.fleet.world());
    let (older, newer) = (among_others(run, older, timeline), among_others(run, newer, timeline));
    let (older, newer) = tokio::join!(older.run(), newer.run());
    timeline.set(&mut run.fleet.world());
    run.report.sweeps += 2;
    run.report.add(&older);
    run.report.add(&newer);
    (older, newer)
}

/// A process whose calls take their time, some of which fail.
fn among_others(run: &mut Run, (spec, sequence): (&Spec, u64), timeline: Timeline) -> Process {
    let trouble = if run.rng.chance(30) {
        let schedule = Schedule::Seeded {
            seed: run.rng.next(),
            per_thousand: 10,
            faults: vec![Fault::ReplyLost, Fault::NotSent, Fault::ServerError, Fault::Throttle, Fault::CrashAfter],
        };
        Trouble::only(schedule)
    } else {
        Trouble::none()
    };
    // One of them is faster now and then, or begins later.
    let delay = Some((Rng::new(run.rng.next()), *run.rng.pick(&[20, 200, 2_000])));
    Process { timeline: Some(timeline), delay, ..run.process(spec, sequence, trouble) }
}

/// Whether nothing is wrong but that nobody knows who encrypted a bus.
fn is_an_unknown_key(violation: &Violation) -> bool {
    let codes = violation.detail.matches("code: ").count();
    violation.check == Check::NotInStep
        && violation.detail.contains("steps [], failures []")
        && codes == violation.detail.matches("code: KmsKeyChanged").count()
}

/// Whether nothing is wrong but a tag that the older one set after the newer one's last look: the newer one's list of the tags that are
/// ours went over the older one's, which had it.
fn is_a_tag_too_many(violation: &Violation) -> bool {
    let detail = &violation.detail;
    violation.check == Check::Settings && detail.contains(": tag ") && detail.ends_with(", not None")
}

/// Whether a route ended with a grant on a bus that somebody put a target on while both swept.
fn is_of_what_came_unseen(violation: &Violation, aws: &SimulatedAws, began: usize) -> bool {
    let Some((_, write)) = violation.detail.split_once("after Some(\"RemovePermission ") else { return false };
    let is_it = |entry: &LogEntry| {
        let targets = entry.input["Targets"].as_array().into_iter().flatten();
        let arns = targets.filter_map(|target| target["Arn"].as_str()?.parse::<Arn>().ok());
        entry.operation == "PutTargets"
            && arns.into_iter().any(|arn| {
                let bus = arn.bus_name().unwrap_or_default();
                write.starts_with(&format!("{} {{\\\"EventBusName\\\":\\\"{bus}\\\"", arn.account))
            })
    };
    violation.check == Check::RouteInterrupted && aws.log()[began..].iter().any(|entry| is_it(entry))
}

async fn older_looks_on(run: &mut Run, older: &Spec) {
    // Where the older one wrote over the mark of the newer one's place before it had seen it, there is nothing to know it by.
    let is_marked = |item: &SnapshotItem<'_>| item.value["Description"].to_string().contains("[ww1:wheelwright:3:");
    if items(&run.fleet.world(), is_marked).is_empty() {
        return;
    }
    let before = run.oracle.writes_tried();
    let ended = run.sweep(older, 2, Trouble::none()).await;
    let wrote = run.oracle.writes_tried() - before;
    let told = ended.plan.holds.iter().any(|hold| hold.guard == Guard::Superseded);
    // What waits for a person anyway is not told twice.
    let waits = ended.plan.steps.iter().all(|step| !step.held_by.is_empty());
    if wrote > 0 || !(told || waits) {
        run.oracle.violate(Check::OlderWrote, format!("{wrote} writes, holds {:?}", ended.plan.holds));
    }
}

/// Two owners, whose topologies share accounts and some buses: whoever comes second leaves the other's alone, and says so.
pub async fn of_two_owners(seed: u64, mutant: Option<Mutant>) -> Report {
    let mut rng = Rng::new(seed);
    let ours = generator::topology(&mut rng);
    let mut theirs = edits::edited(&mut rng, &ours);
    theirs.owner = "blue";
    for hub in theirs.hubs.iter_mut().filter(|_| rng.chance(60)) {
        hub.bus.push_str("-blue");
    }
    for spoke in theirs.teams.iter_mut().flat_map(|team| &mut team.spokes) {
        if rng.chance(60) {
            spoke.bus.push_str("-blue");
        }
    }
    let mut run = Run::new(rng, seed, Kind::Call, mutant, &[&ours, &theirs]);
    run.show(&[&ours, &theirs]);
    run.watch(&[&ours, &ours]);
    run.settle_down(&ours, &ours, 1).await;
    if run.stopped() {
        return run.reported();
    }
    let before = everything(&run.fleet.world());
    run.oracle.allow_buses(&theirs);
    let mut ended = run.sweep(&theirs, 2, Trouble::none()).await;
    for _ in 0..2 {
        ended = run.sweep(&theirs, 2, Trouble::none()).await;
    }
    ask_untouched(&run, &before);
    ask_told(&run, &ours, &theirs, &ended);
    let written = run.oracle.writes_tried();
    run.sweep(&theirs, 2, Trouble::none()).await;
    if run.oracle.writes_tried() > written {
        run.oracle.violate(Check::NotQuiet, "the second owner writes for ever");
    }
    // The first finds everything as it was.
    let written = run.oracle.writes_tried();
    let ended = run.sweep(&ours, 1, Trouble::none()).await;
    if run.oracle.writes_tried() > written || !ended.in_step {
        let unmended: Vec<_> = ended.after.unmended().collect();
        run.oracle.violate(Check::NeighbourTouched, format!("the first owner is not in step any more: {unmended:?}"));
    }
    run.reported()
}

/// Two owners who come at the same time, and each with another topology later. Where they share no bus and no mailbox, both
/// come to their ends; where they do, whoever comes second says so. What either delivers or has, the other leaves.
pub async fn of_two_owners_at_once(seed: u64) -> Report {
    let mut rng = Rng::new(seed);
    let ours = generator::topology(&mut rng).without_stops();
    let apart = rng.chance(60);
    let theirs = as_blue(&mut rng, &ours, apart);
    let our_next = edits::edited(&mut rng, &ours).without_stops();
    let their_next = as_blue(&mut rng, &theirs, apart);
    let all = [&ours, &theirs, &our_next, &their_next];
    let mut run = Run::new(rng, seed, Kind::Call, None, &all);
    run.show(&all);
    let mut blue = run.fork_from(run.fleet.clone(), Oracle::of("blue", seed));
    (run.neighbour, blue.neighbour) = (Some(blue.oracle.clone()), Some(run.oracle.clone()));
    if !apart {
        run.oracle.share_mailboxes();
        blue.oracle.share_mailboxes();
    }
    let moves = [(&ours, &ours, 1, &theirs, &theirs, 2), (&ours, &our_next, 3, &theirs, &their_next, 4)];
    for (our_old, ours, our_sequence, their_old, theirs, their_sequence) in moves {
        run.next_hour();
        for (one, old, new) in [(&run, our_old, ours), (&blue, their_old, theirs)] {
            one.watch(&[old, new]);
            one.oracle.know_others(&one.fleet.world());
        }
        for _ in 0..run.rng.within(1, 3) {
            both_at_once(&mut run, (ours, our_sequence), &mut blue, (theirs, their_sequence)).await;
        }
        if apart {
            run.settle_down(our_old, ours, our_sequence).await;
            blue.settle_down(their_old, theirs, their_sequence).await;
        } else {
            settle_apart(&mut run, (ours, our_sequence), &mut blue, (theirs, their_sequence)).await;
        }
        if run.stopped() || blue.stopped() {
            break;
        }
    }
    for violation in blue.oracle.violations() {
        run.oracle.violate(violation.check, format!("the other owner: {}", violation.detail));
    }
    let theirs = blue.reported();
    let mut report = run.reported();
    report.writes += theirs.writes;
    report.sweeps += theirs.sweeps;
    report.no_room |= theirs.no_room;
    report.unknown_key |= theirs.unknown_key;
    report
}

/// Nearly the same topology, as another owner's: on other buses and with other mailboxes, or on some others.
fn as_blue(rng: &mut Rng, before: &Spec, apart: bool) -> Spec {
    let mut theirs = edits::edited(rng, before).without_stops();
    let is_first = theirs.owner != "blue";
    theirs.owner = "blue";
    let paint = |name: &mut String| {
        if !name.contains("blue") {
            name.push_str("-blue");
        }
    };
    let spokes = theirs.teams.iter_mut().flat_map(|team| &mut team.spokes).map(|spoke| &mut spoke.bus);
    for bus in theirs.hubs.iter_mut().map(|hub| &mut hub.bus).chain(spokes) {
        if apart || is_first && rng.chance(60) {
            paint(bus);
        }
    }
    theirs.hubs.iter_mut().filter_map(|hub| hub.audit.as_mut()).for_each(paint);
    for subscription in theirs.teams.iter_mut().flat_map(|team| &mut team.subscriptions) {
        if let Deliver::To(_, name) = &mut subscription.deliver {
            paint(name);
        }
    }
    theirs
}

/// Both sweep at once.
async fn both_at_once(run: &mut Run, ours: (&Spec, u64), blue: &mut Run, theirs: (&Spec, u64)) {
    let timeline = Timeline::from(&run.fleet.world());
    let (one, other) = (among_others(run, ours, timeline), among_others(blue, theirs, timeline));
    let (one, other) = tokio::join!(one.run(), other.run());
    timeline.set(&mut run.fleet.world());
    run.report.sweeps += 2;
    run.report.add(&one);
    run.report.add(&other);
}

/// Without trouble, each does what it can, says what it leaves to the other, and then writes nothing more.
async fn settle_apart(run: &mut Run, ours: (&Spec, u64), blue: &mut Run, theirs: (&Spec, u64)) {
    for _ in 0..2 {
        run.sweep(ours.0, ours.1, Trouble::none()).await;
        blue.sweep(theirs.0, theirs.1, Trouble::none()).await;
    }
    for (one, (spec, sequence), other) in [(&mut *run, ours, theirs.0), (&mut *blue, theirs, ours.0)] {
        let before = one.oracle.writes_tried();
        let ended = one.sweep(spec, sequence, Trouble::none()).await;
        let wrote = one.oracle.writes_tried() - before;
        if wrote > 0 {
            one.oracle.violate(Check::NotQuiet, format!("{wrote} writes beside another owner's"));
        }
        ask_told_of(one, spec, other, &ended);
    }
}

/// Each bus that both want and that is another's is told as that.
fn ask_told_of(run: &Run, spec: &Spec, other: &Spec, ended: &Ended) {
    let live = everything(&run.fleet.world());
    for (place, _) in spec.buses() {
        let bus = &live[&format!("{}/{}/bus/{}", place.account, place.region, place.bus)];
        if is_owned(bus, other.owner) && !is_told(ended, &place) {
            run.oracle.violate(Check::NeighbourTouched, format!("it is not told that {place:?} is {}'s", other.owner));
        }
    }
}

fn everything(aws: &SimulatedAws) -> BTreeMap<String, Value> {
    items(aws, |_| true)
}

fn ask_untouched(run: &Run, before: &BTreeMap<String, Value>) {
    let after = everything(&run.fleet.world());
    for (path, value) in before.iter().filter(|(path, value)| after.get(*path) != Some(*value)) {
        let text = format!("{path} was {value} and is {:?}", after.get(path));
        run.oracle.violate(Check::NeighbourTouched, text);
    }
    // `account/region/kind/bus/…`: what is on a bus, by the bus.
    let bus_of = |path: &str| {
        let parts: Vec<&str> = path.splitn(5, '/').collect();
        let on_a_bus = parts.len() > 3 && !["queue", "archive"].contains(&parts[2]) && parts[3] != "default";
        on_a_bus.then(|| (parts[0].to_owned(), parts[1].to_owned(), parts[3].to_owned()))
    };
    let ours: BTreeSet<_> =
        before.keys().filter(|path| path.contains("/bus/")).filter_map(|path| bus_of(path)).collect();
    for path in after.keys().filter(|path| !before.contains_key(*path)) {
        if bus_of(path).is_some_and(|bus| ours.contains(&bus)) {
            run.oracle.violate(Check::NeighbourTouched, format!("{path} is new on a bus of the first owner"));
        }
    }
}

/// Each bus that both want is told as another's.
fn ask_told(run: &Run, ours: &Spec, theirs: &Spec, ended: &Ended) {
    let theirs = theirs.buses();
    for (place, _) in ours.buses() {
        let wanted_by_both = theirs.contains_key(&place) && place.bus != "default";
        if wanted_by_both && !is_told(ended, &place) {
            run.oracle.violate(Check::NeighbourTouched, format!("it is not told that {place:?} is another's"));
        }
    }
}

fn is_told(ended: &Ended, place: &Place) -> bool {
    ended.after.findings.iter().any(|finding| {
        let resource = finding.resource.to_string();
        finding.code == FindingCode::OtherOwner && resource.contains(&place.account) && resource.ends_with(&place.bus)
    })
}
