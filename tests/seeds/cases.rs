//! What seeds found, reduced to the smallest world that shows it.

use crate::oracle::{Check, Violation, items};
use crate::outage::Outage;
use crate::rng::Rng;
use crate::run::{Kind as RunKind, Run};
use crate::runner::in_paused_time;
use crate::samples::Filter;
use crate::spec::{Account, Deliver, Hub, Kind, Options, Publication, Spec, Spoke, Subscription, Tags, Team, Way};
use crate::trouble::Trouble;
use wheelwright::model::finding::FindingCode;
use wheelwright::sim::SnapshotKind;

/// An account that has left one Region and is still used in another bears our marks where it was: its forwarding rule
/// must go.
#[test]
fn an_account_that_left_a_region_is_looked_at_there() {
    let mut old = small();
    old.hubs.push(Hub { name: "hub1".into(), region: "eu-west-1", bus: "org-events1".into(), ..old.hubs[0].clone() });
    let elsewhere = Spoke { name: "s1".into(), hub: 1, region: "eu-west-1", ..old.teams[0].spokes[0].clone() };
    old.teams[0].spokes.push(elsewhere);
    old.teams[0].publications[0].way = Way::Spoke;
    old.teams[1].subscriptions[0].deliver = Deliver::To(Kind::Queue, "queue0".into());
    let mut new = old.clone();
    new.teams[0].spokes[0].account = 3;
    let violations = in_paused_time(async {
        let mut run = settled(&old, &new).await;
        run.watch(&[&old, &new]);
        run.settle_down(&old, &new, 2).await;
        run.oracle.violations()
    });
    assert_none(&violations);
}

/// A subscription moves from its bus to a queue, and the hub's rules cannot be read: whether the old target is gone is not
/// known, so the bus must go on letting the hub's account in.
#[test]
fn a_grant_stays_while_the_rules_that_use_it_are_unread() {
    let old = small();
    let mut new = old.clone();
    new.teams[1].subscriptions[0].deliver = Deliver::To(Kind::Queue, "queue0".into());
    let (kept, violations) = in_paused_time(async {
        let mut run = settled(&old, &new).await;
        run.watch(&[&old, &new]);
        let hub = old.accounts[0].id.clone();
        run.oracle.outage(&mut run.fleet.world(), Some(Outage::Denied { account: hub, action: "events:ListRules" }));
        run.sweep(&new, 2, Trouble::none()).await;
        let is_grant = |kind: SnapshotKind, bus: &str| kind == SnapshotKind::Statement && bus == "team1-bus0";
        let kept = items(&run.fleet.world(), |item| is_grant(item.kind, item.bus)).len();
        run.oracle.outage(&mut run.fleet.world(), None);
        run.settle_down(&old, &new, 2).await;
        (kept, run.oracle.violations())
    });
    assert_none(&violations);
    assert_eq!(kept, 1);
}

/// A subscription is split in two for the same bus: its rule is narrowed only when the other's has taken effect, so that
/// the bus gets the events that change hands.
#[test]
fn a_subscription_is_split_without_a_gap() {
    let old = small();
    let mut new = old.clone();
    new.teams[1].subscriptions[0].kinds = vec!["Opened"];
    let other = Subscription { name: "sub1".into(), kinds: vec!["Closed"], ..new.teams[1].subscriptions[0].clone() };
    new.teams[1].subscriptions.push(other);
    let violations = in_paused_time(async {
        let mut run = settled(&old, &new).await;
        run.watch(&[&old, &new]);
        run.settle_down(&old, &new, 2).await;
        run.oracle.violations()
    });
    assert_none(&violations);
}

/// A subscription is renamed and nobody says so, and its name is another's from now on, which is held off: the rule under that
/// name goes on until the one under the new name has taken over, which takes a while.
#[test]
fn a_name_that_goes_to_a_stopped_subscription_stops_no_other() {
    let mut old = small();
    let other = Publication {
        name: "pub1".into(),
        source: "com.example.team0.pub1".into(),
        ..old.teams[0].publications[0].clone()
    };
    old.teams[0].publications.push(other);
    old.teams[1].subscriptions[0].deliver = Deliver::To(Kind::Function, "box0".into());
    let mut new = old.clone();
    let first = &mut new.teams[1].subscriptions[0];
    let stopped = Subscription {
        publication: "pub1".into(),
        deliver: Deliver::To(Kind::Queue, "box0".into()),
        stop: Some(u64::MAX / 1_000_000),
        ..first.clone()
    };
    first.name = "renamed".into();
    new.teams[1].subscriptions.push(stopped);
    let violations = in_paused_time(async {
        let mut run = settled(&old, &new).await;
        run.watch(&[&old, &new]);
        let hub = old.accounts[0].id.clone();
        run.oracle.outage(&mut run.fleet.world(), Some(Outage::Denied { account: hub, action: "events:PutTargets" }));
        run.sweep(&new, 2, Trouble::none()).await;
        run.oracle.outage(&mut run.fleet.world(), None);
        run.settle_down(&old, &new, 2).await;
        run.oracle.violations()
    });
    assert_none(&violations);
}

/// The last rule of a hub goes and nothing else changes: there is no rule left to write the topology's place in the order on.
/// A daemon that was left behind must not bring the rule back.
#[test]
fn an_older_topology_brings_back_no_last_rule() {
    let old = small();
    let mut new = old.clone();
    new.teams[1].subscriptions.clear();
    let (writes, violations) = in_paused_time(async {
        let mut run = settled(&old, &new).await;
        run.watch(&[&old, &new]);
        run.settle_down(&old, &new, 2).await;
        let before = run.oracle.writes_tried();
        run.sweep(&old, 1, Trouble::none()).await;
        (run.oracle.writes_tried() - before, run.oracle.violations())
    });
    assert_none(&violations);
    assert_eq!(writes, 0);
}

/// What is collected is forwarded to a hub whose bus turns out to be another operator's, and nobody subscribes to it: no rule is
/// made that would put events there, and it is told why.
#[test]
fn nothing_is_collected_for_a_hub_that_is_another_operators() {
    let ours = small();
    let mut theirs = small();
    theirs.owner = "blue";
    theirs.teams.truncate(1);
    theirs.teams[0].publications[0] = Publication {
        source: "aws.health".into(),
        way: Way::Collect { accounts: vec![1], regions: Vec::new() },
        ..ours.teams[0].publications[0].clone()
    };
    let (writes, told) = in_paused_time(async {
        let mut run = settled(&ours, &theirs).await;
        run.oracle.allow_buses(&theirs);
        let before = run.oracle.writes_tried();
        let ended = run.sweep(&theirs, 2, Trouble::none()).await;
        let told = ended.after.findings.iter().any(|finding| finding.code == FindingCode::DestinationUnready);
        (run.oracle.writes_tried() - before, told)
    });
    assert_eq!((writes, told), (0, true));
}

/// A publication that is forwarded, and that only the audit takes, is renamed and nobody says so; the rule under the new
/// name cannot be made. The old one must go on forwarding.
#[test]
fn a_forwarding_rule_stays_while_its_successor_cannot_be_made() {
    let mut old = small();
    old.hubs[0].audit = Some("audit-log".into());
    old.teams[0].publications[0].way = Way::Spoke;
    old.teams[1].subscriptions.clear();
    let mut new = old.clone();
    new.teams[0].publications[0].name = "pub-renamed".into();
    let violations = in_paused_time(async {
        let mut run = settled(&old, &new).await;
        run.watch(&[&old, &new]);
        let spoke = old.accounts[1].id.clone();
        run.oracle.outage(&mut run.fleet.world(), Some(Outage::Denied { account: spoke, action: "events:PutRule" }));
        run.sweep(&new, 2, Trouble::none()).await;
        run.oracle.outage(&mut run.fleet.world(), None);
        run.settle_down(&old, &new, 2).await;
        run.oracle.violations()
    });
    assert_none(&violations);
}

fn assert_none(violations: &[Violation]) {
    let checks: Vec<Check> = violations.iter().map(|violation| violation.check).collect();
    assert!(checks.is_empty(), "{violations:#?}");
}

/// A world in step with `old`, in which `new` could be.
async fn settled(old: &Spec, new: &Spec) -> Run {
    let mut run = Run::new(Rng::new(1), 1, RunKind::Plain, None, &[old, new]);
    run.watch(&[old, old]);
    run.settle_down(old, old, 1).await;
    assert_none(&run.oracle.violations());
    // What was written has taken effect.
    run.next_hour();
    run
}

/// One hub; `team0` publishes; `team1` takes all of it on its bus.
fn small() -> Spec {
    let account = |(name, id): (&str, &str)| Account { name: name.into(), id: id.into(), managed: true };
    let accounts = [("platform", "1"), ("team0-prod", "2"), ("team1-prod", "3"), ("team0-new", "4")];
    let accounts = accounts.map(|(name, digit)| account((name, &digit.repeat(12)))).to_vec();
    let hub = Hub {
        name: "hub0".into(),
        account: 0,
        region: "us-east-1",
        bus: "org-events0".into(),
        description: None,
        organization: false,
        archive_days: None,
        audit: None,
        options: Options::default(),
        quotas: None,
    };
    let spoke = |team: usize| Spoke {
        name: "s0".into(),
        hub: 0,
        account: 1 + team,
        region: "us-east-1",
        bus: format!("team{team}-bus0"),
        options: Options::default(),
    };
    let publication = Publication {
        name: "pub0".into(),
        first: None,
        source: "com.example.team0.pub0".into(),
        kinds: vec!["Opened", "Closed"],
        way: Way::Hub,
        gateways: Vec::new(),
    };
    let subscription = Subscription {
        name: "sub0".into(),
        first: None,
        publisher: 0,
        publication: "pub0".into(),
        spoke: "s0".into(),
        kinds: Vec::new(),
        filter: Filter::Everything,
        deliver: Deliver::Bus,
        dead_letters: None,
        retry: None,
        replays: false,
        stop: None,
    };
    let team = |at: usize, publications: Vec<Publication>, subscriptions: Vec<Subscription>| Team {
        name: format!("team{at}"),
        tags: Tags::new(),
        spokes: vec![spoke(at)],
        publications,
        subscriptions,
    };
    let teams = vec![team(0, vec![publication], Vec::new()), team(1, Vec::new(), vec![subscription])];
    Spec {
        owner: "wheelwright",
        accounts,
        tags: Tags::new(),
        hubs: vec![hub],
        teams,
        left: std::collections::BTreeSet::new(),
    }
}
