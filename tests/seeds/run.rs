//! One seed: a world, a topology, faults, drift, another topology, and the oracle looking on.

use crate::edits;
use crate::generator::{self, Place, Rng, Spec};
use crate::listen::{Hearer, Overheard, Watched};
use crate::mutants::{Mutant, Mutated};
use crate::oracle::{self, Check, Oracle, Violation};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use wheelwright::config::{self, Settings, SourceFiles};
use wheelwright::eventbridge::Arn;
use wheelwright::expand::expand;
use wheelwright::model::desired::{Desired, Revision};
use wheelwright::model::ids::{Moment, Scope};
use wheelwright::model::plan::{Guard, Plan, PlanSettings, Step, StepKey};
use wheelwright::model::topology::Topology;
use wheelwright::plan::{Approval, approve};
use wheelwright::port::Clock;
use wheelwright::reconcile::apply::apply;
use wheelwright::reconcile::refresh::{Depth, RefreshSettings};
use wheelwright::reconcile::sweep::{SweepSettings, Sweeper};
use wheelwright::sim::call_door::SimFleet;
use wheelwright::sim::fault::{Fault, FaultyFleet, Schedule};
use wheelwright::sim::{Quotas, SimulatedAws, SnapshotKind};
use wheelwright::stage;

/// What came of a seed.
#[derive(Default)]
pub struct Report {
    pub violations: Vec<Violation>,
    pub writes: usize,
    pub sweeps: usize,
    pub crashes: usize,
    pub faults: usize,
    /// Whether a quota left no room, so that the end was not asked for.
    pub no_room: bool,
}

/// Runs a seed to its end, or to the first thing that does not hold.
pub async fn seed(seed: u64, mutant: Option<Mutant>) -> Report {
    let mut rng = Rng::new(seed);
    let mut old = generator::topology(&mut rng);
    let mut new = edits::edited(&mut rng, &old);
    let tight = rng.chance(8);
    if tight {
        lower_quotas(&mut rng, &mut old, &mut new);
    }
    let mut run = Run::new(rng, seed, mutant, [&old, &new]);
    if std::env::var("WHEELWRIGHT_SHOW").is_ok() {
        for (path, text) in old.files().into_iter().chain(new.files()) {
            println!("--- {path}\n{text}");
        }
        run.oracle.tell();
    }
    run.tight = tight;
    run.whole(&old, &new).await;
    Report { violations: run.oracle.violations(), writes: run.oracle.operator_writes(), ..run.report }
}

/// Kills the program before each write of a move from one topology to the other and back, and after each with its reply
/// lost; starts it again; and asks for the end that it comes to undisturbed. How often it was killed.
pub async fn every_crash(seed: u64) -> (Vec<Violation>, usize) {
    let mut rng = Rng::new(seed);
    let old = generator::topology(&mut rng);
    let new = edits::edited(&mut rng, &old);
    let mut run = Run::new(rng, seed, None, [&old, &new]);
    run.neighbours(&old);
    run.watch(&old, &old);
    run.settle_down(&old, &old, &desired(&old, 1).2).await;
    run.foreigners(&old);
    let mut killed = 0;
    for (from, to, sequence) in [(&old, &new, 2), (&new, &old, 3)] {
        let wanted = desired(to, sequence).2;
        let mut undisturbed = run.fork();
        undisturbed.watch(from, to);
        undisturbed.sweep(&wanted, Trouble::none()).await;
        let writes = undisturbed.oracle.write_numbers();
        undisturbed.settle_down(from, to, &wanted).await;
        let end = unlabelled(&undisturbed.fleet.world());
        for number in writes {
            for fault in [Fault::CrashBefore, Fault::CrashAfter] {
                killed += 1;
                let mut crashed = run.fork();
                crashed.watch(from, to);
                crashed.sweep(&wanted, Trouble::only(Schedule::once(number, fault))).await;
                crashed.settle_down(from, to, &wanted).await;
                let other = unlabelled(&crashed.fleet.world());
                if let Some((path, live)) = other.iter().find(|(path, live)| end.get(*path) != Some(*live)) {
                    crashed.oracle.violate(Check::OtherEnd, format!("{path} is {live}, not {:?}", end.get(path)));
                }
                if let Some(path) = end.keys().find(|path| !other.contains_key(*path)) {
                    crashed.oracle.violate(Check::OtherEnd, format!("{path} is not there"));
                }
                let violations = crashed.oracle.violations();
                if !violations.is_empty() {
                    println!("{fault:?} at call {number} of the move to sequence {sequence}");
                    return (violations, killed);
                }
            }
        }
        run = undisturbed;
    }
    (run.oracle.violations(), killed)
}

/// Everything that lives, without the sequence and the digest in the marks: they tell for which topology a thing was last
/// written, which a process that finds it as it should be has no reason to write again.
fn unlabelled(aws: &SimulatedAws) -> BTreeMap<String, Value> {
    let mut live = oracle::items(aws, |_| true);
    for value in live.values_mut() {
        let text = value["Description"].as_str().map(str::to_owned);
        if let Some((text, _)) = text.as_deref().and_then(|text| text.split_once("[ww1:wheelwright:")) {
            value["Description"] = json!(format!("{text}[ww1:wheelwright]"));
        }
    }
    live
}

/// Room for what either topology needs, for what others have there, and for little more. The same for all hubs: a quota
/// is an account's, and hubs can share one.
fn lower_quotas(rng: &mut Rng, old: &mut Spec, new: &mut Spec) {
    let needed = old.rules().into_values().chain(new.rules().into_values()).max().unwrap_or_default();
    // One more rule for an archive, which AWS makes, and one for people's own.
    let quotas = (needed + 2 + rng.below(3), rng.within(700, 2_000));
    for hub in old.hubs.iter_mut().chain(&mut new.hubs) {
        hub.quotas = Some(quotas);
    }
}

/// The simulated time, which waiting moves on.
pub struct SimClock(SimFleet);

impl Clock for SimClock {
    fn now(&self) -> Moment {
        Moment(u64::try_from(self.0.world().now_ms()).unwrap())
    }

    async fn wait_ms(&self, milliseconds: u64) {
        self.0.world().advance_ms(i64::try_from(milliseconds).unwrap());
    }
}

/// A topology as the program reads it, at a place in the order.
pub fn desired(spec: &Spec, sequence: u64) -> (Topology, Settings, Desired) {
    let files = SourceFiles::new(spec.files());
    let loaded = config::load(&files);
    let Some(topology) = loaded.topology else {
        panic!("{}", config::render(&loaded.diagnostics, &files, config::Style::Plain));
    };
    let desired = expand(&topology, &loaded.settings, Revision { id: sequence.to_string(), sequence }, Moment(0));
    (topology, loaded.settings, desired)
}

/// A world, and what goes wrong in it.
pub struct Run {
    pub rng: Rng,
    seed: u64,
    mutant: Option<Mutant>,
    pub fleet: SimFleet,
    pub oracle: Oracle,
    pub report: Report,
    /// Whether quotas are low, so that there may be no room.
    tight: bool,
    /// Whether somebody put a target of theirs on a rule that the new topology takes away.
    foreign_targets: bool,
}

/// What goes wrong during one sweep.
pub struct Trouble {
    pub schedule: Schedule,
    pub failing_entries_percent: usize,
}

impl Trouble {
    pub fn none() -> Self {
        Self { schedule: Schedule::Script(BTreeMap::new()), failing_entries_percent: 0 }
    }

    pub fn only(schedule: Schedule) -> Self {
        Self { schedule, failing_entries_percent: 0 }
    }
}

/// What a sweep came to.
pub struct Ended {
    pub after: Plan,
    pub in_step: bool,
    failures: Vec<String>,
}

impl Run {
    /// The accounts of both topologies as they are before the program first looks.
    pub fn new(mut rng: Rng, seed: u64, mutant: Option<Mutant>, specs: [&Spec; 2]) -> Self {
        let (topology, settings, mut staged) = desired(specs[0], 1);
        for spec in specs {
            staged.scopes.extend(desired(spec, 1).2.scopes);
        }
        let mut aws = stage::stage(&topology, &settings, &staged);
        for spec in specs {
            for queue in spec.mailboxes() {
                create_queue(&mut aws, &queue);
            }
            for hub in &spec.hubs {
                if let Some((rules_per_bus, policy_characters)) = hub.quotas {
                    let quotas = Quotas { rules_per_bus, policy_characters, ..Quotas::default() };
                    aws.set_quotas(&spec.accounts[hub.account].id, quotas);
                }
            }
        }
        if rng.chance(60) {
            aws.settings.page_size = rng.within(1, 3);
        }
        if rng.chance(30) {
            aws.settings.settle_ms = 60_000;
        }
        let fleet = stage::fleet(aws, &settings);
        let (oracle, report) = (Oracle::default(), Report::default());
        Self { rng, seed, mutant, fleet, oracle, report, tight: false, foreign_targets: false }
    }

    /// The same world, apart from here on.
    fn fork(&self) -> Self {
        Self {
            rng: Rng::new(self.seed),
            seed: self.seed,
            mutant: self.mutant,
            fleet: self.fleet.fork(),
            oracle: self.oracle.fork(),
            report: Report::default(),
            tight: self.tight,
            foreign_targets: self.foreign_targets,
        }
    }

    async fn whole(&mut self, old: &Spec, new: &Spec) {
        self.neighbours(old);
        self.watch(old, old);
        if self.rng.chance(25) {
            // Left half done: cut at some call, and the topology has changed before anybody starts it again.
            let at = self.rng.next() % 250 + 1;
            self.sweep(&desired(old, 1).2, Trouble::only(Schedule::once(at, Fault::CrashBefore))).await;
        } else {
            self.converge(old, old, 1).await;
        }
        if self.stopped() {
            return;
        }
        self.foreigners(old);
        if self.rng.chance(50) {
            let again = self.rng.chance(50);
            self.drift(again);
            if again {
                self.watch(old, old);
                self.converge(old, old, 1).await;
            }
        }
        if self.stopped() {
            return;
        }
        self.watch(old, new);
        self.converge(old, new, 2).await;
    }

    /// Whether there is no use in going on. After a false report there is: what comes of it is of interest.
    fn stopped(&self) -> bool {
        let broken = |violation: &Violation| violation.check != Check::FalseReport;
        self.oracle.violations().iter().any(broken) || self.report.no_room
    }

    pub fn watch(&self, old: &Spec, new: &Spec) {
        let world = self.fleet.world().clone();
        self.oracle.watch(old, new, &world);
    }

    /// Faults, then none: the world must come out in step, at rest, and delivering what it should.
    pub async fn converge(&mut self, old: &Spec, spec: &Spec, sequence: u64) {
        let wanted = desired(spec, sequence).2;
        for _ in 0..self.rng.below(4) {
            let denied = self.denial(spec);
            self.oracle.deny(&mut self.fleet.world(), denied);
            let trouble = self.trouble();
            self.sweep(&wanted, trouble).await;
            self.oracle.deny(&mut self.fleet.world(), None);
            if self.stopped() {
                return;
            }
        }
        self.settle_down(old, spec, &wanted).await;
    }

    /// Without faults: at most two sweeps, and a third that writes nothing.
    pub async fn settle_down(&mut self, old: &Spec, spec: &Spec, wanted: &Desired) {
        let mut ended = self.sweep(wanted, Trouble::none()).await;
        if !ended.in_step {
            ended = self.sweep(wanted, Trouble::none()).await;
        }
        let mut leftovers = false;
        if !ended.in_step {
            let mut guards: BTreeSet<Guard> = ended.after.holds.iter().map(|hold| hold.guard).collect();
            // These are let go in every sweep: they hold nothing.
            guards.retain(|guard| !approval().allow.contains(guard));
            let allowed = |guard: &Guard| {
                (*guard == Guard::NoRoom && self.tight) || (*guard == Guard::ForeignTargets && self.foreign_targets)
            };
            // Whatever is not held, and does not wait for what is, should have been done.
            let undone = approve(&ended.after, &approval()).unwrap().steps().len();
            if undone > 0 || guards.is_empty() || !guards.iter().all(allowed) {
                let steps: Vec<String> = ended.after.steps.iter().map(|step| step.key().to_string()).collect();
                let text = format!("guards {guards:?}, steps {steps:?}, failures {:?}", ended.failures);
                self.oracle.violate(Check::NotInStep, text);
                return;
            }
            leftovers = true;
            self.report.no_room = guards.contains(&Guard::NoRoom);
        }
        let before = self.oracle.writes_tried();
        self.sweep(wanted, Trouble::none()).await;
        let wrote = self.oracle.writes_tried() - before;
        if wrote > 0 && !self.report.no_room {
            self.oracle.violate(Check::NotQuiet, format!("{wrote} writes though all was in step"));
        }
        if !self.report.no_room {
            let world = self.fleet.world().clone();
            self.oracle.at_the_end(old, spec, &world, leftovers);
        }
    }

    /// One process: it starts, sweeps once and ends, or dies on the way.
    pub async fn sweep(&mut self, wanted: &Desired, trouble: Trouble) -> Ended {
        let lies = matches!(&trouble.schedule, Schedule::Seeded { faults, .. } if faults.contains(&Fault::StaleRead));
        self.oracle.reads_lie(lies);
        self.oracle.process_starts();
        self.report.sweeps += 1;
        self.oracle.note(&format!("sweep for sequence {}: {:?}", wanted.revision.sequence, trouble.schedule));
        let watched = Watched::new(self.fleet.clone(), self.oracle.clone())
            .with_failing_entries(self.rng.next(), trouble.failing_entries_percent);
        let faulty = FaultyFleet::new(watched, trouble.schedule).with_forks(Watched::fork);
        let overheard = Overheard { inner: &faulty, oracle: self.oracle.clone() };
        let scopes: Vec<Scope> = wanted.scopes.iter().cloned().collect();
        let fleet = Mutated::new(overheard, self.mutant, scopes, self.seed, self.fleet.clone());
        let clock = SimClock(self.fleet.clone());
        let listener = Hearer { oracle: self.oracle.clone(), fleet: self.fleet.clone() };
        let settle_ms = self.fleet.world().settings.settle_ms;
        let settings = SweepSettings {
            refresh: RefreshSettings { depth: Depth::Full, scopes_in_flight_max: 64, scope_deadline_ms: 60_000 },
            plan: PlanSettings::default(),
            settle_ms: if settle_ms > 0 { u64::try_from(settle_ms).unwrap() + 1_000 } else { 0 },
        };
        let sweeper =
            Sweeper { fleet: &fleet, clock: &clock, listener: &listener, desired: wanted, settings: &settings };
        let approval = approval();
        let world = sweeper.look().await;
        let plan = sweeper.plan(&world);
        if self.mutant == Some(Mutant::DeleteBeforeCreate) {
            breaks_first(&fleet, &plan, &approval).await;
        }
        let swept = sweeper.apply(world, &plan, &approval).await.unwrap();
        self.report.faults += faulty.happened().len();
        self.report.crashes += usize::from(faulty.has_crashed());
        Ended {
            in_step: swept.in_step(),
            failures: swept.failures().map(|(key, outcome)| format!("{key}: {outcome:?}")).collect(),
            after: swept.after,
        }
    }

    /// What goes wrong in a sweep, by the seed.
    fn trouble(&mut self) -> Trouble {
        let rng = &mut self.rng;
        if self.mutant == Some(Mutant::FailedEntriesIgnored) {
            // Nothing but what the bug is about, so that the sweep goes on to what comes of it.
            return Trouble { failing_entries_percent: 50, ..Trouble::none() };
        }
        let failing_entries_percent = if rng.chance(30) { 30 } else { 0 };
        let schedule = match rng.below(6) {
            0 => Schedule::once(rng.next() % 300 + 1, Fault::CrashBefore),
            1 => Schedule::once(rng.next() % 300 + 1, Fault::CrashAfter),
            2 => Schedule::Seeded {
                seed: rng.next(),
                per_thousand: 30,
                faults: vec![Fault::ReplyLost, Fault::NotSent, Fault::ServerError],
            },
            3 => Schedule::Seeded { seed: rng.next(), per_thousand: 20, faults: vec![Fault::CutPage, Fault::Throttle] },
            4 => Schedule::Seeded {
                seed: rng.next(),
                per_thousand: 8,
                faults: vec![
                    Fault::ReplyLost,
                    Fault::NotSent,
                    Fault::ServerError,
                    Fault::CutPage,
                    Fault::Throttle,
                    Fault::Denied,
                    Fault::CrashBefore,
                    Fault::CrashAfter,
                ],
            },
            _ => Schedule::Seeded { seed: rng.next(), per_thousand: 30, faults: vec![Fault::StaleRead] },
        };
        Trouble { schedule, failing_entries_percent }
    }

    /// Now and then an account denies the operator something for the length of a sweep.
    fn denial(&mut self, spec: &Spec) -> Option<(String, &'static str)> {
        if !self.rng.chance(25) {
            return None;
        }
        let account = self.rng.pick(&spec.accounts).id.clone();
        let actions = [
            "events:*",
            "events:List*",
            "events:ListRules",
            "events:PutTargets",
            "events:PutPermission",
            "events:Remove*",
        ];
        Some((account, *self.rng.pick(&actions)))
    }

    /// What is in the accounts before: another operator's bus and rules, and people's own.
    fn neighbours(&mut self, spec: &Spec) {
        let places: Vec<Place> = spec.hubs.iter().map(|hub| spec.hub_place(hub)).collect();
        let oracle = self.oracle.clone();
        oracle.others_write(&mut self.fleet.world(), true, |aws| {
            for place in &places {
                let bus = Place { bus: "other-events".into(), ..place.clone() };
                let tags = json!([{"Key": "wheelwright:owner", "Value": "other"}]);
                let input = json!({"Name": bus.bus, "Description": "Theirs [ww1:other:9:00000000]", "Tags": tags});
                oracle::others_call(aws, &bus, "CreateEventBus", &input);
                let name = "ww.team0.sub0.00000000";
                let pattern = r#"{"source":["com.example.other"]}"#;
                oracle::put_rule(aws, &bus, name, "Theirs [ww1:other:9:00000000]", pattern, &tags);
                let default = Place { bus: "default".into(), ..place.clone() };
                oracle::put_rule(aws, &default, "people-own", "", pattern, &json!([]));
            }
        });
    }

    /// What others put on our buses once these are there: rules, statements, archives, and targets on our rules.
    fn foreigners(&mut self, old: &Spec) {
        let places: Vec<Place> = old.hubs.iter().map(|hub| old.hub_place(hub)).collect();
        let on_rules = self.rng.chance(15);
        let rng = &mut self.rng;
        let oracle = self.oracle.clone();
        let mut tapped = false;
        let tight = self.tight;
        oracle.others_write(&mut self.fleet.world(), true, |aws| {
            for place in &places {
                let there = oracle::items(aws, |item| {
                    let here = item.account == place.account && item.region == place.region;
                    here && item.kind == SnapshotKind::Bus && item.name == place.bus
                });
                if there.is_empty() {
                    continue;
                }
                let pattern = r#"{"source":["com.example.people"]}"#;
                oracle::put_rule(aws, place, "people-tap", "people's own", pattern, &json!([]));
                let tap = generator::queue_arn(&place.account, place.region, "people-tap");
                create_queue(aws, &tap);
                oracle::put_target(aws, place, "people-tap", "tap", &tap);
                if rng.chance(50) && !tight {
                    // Our mark in the description and not in the tags: one mark is not enough to take it away.
                    let text = "copied [ww1:wheelwright:1:00000000]";
                    oracle::put_rule(aws, place, "ww.team1.sub0.deadbeef", text, pattern, &json!([]));
                }
                if rng.chance(70) && !tight {
                    let id = *rng.pick(&["partner", "ww_other_000000000000-00000000", "ww_wheelwright"]);
                    let input = json!({
                        "EventBusName": place.bus, "StatementId": id, "Principal": "000000000042",
                        "Action": "events:PutEvents",
                    });
                    oracle::others_call(aws, place, "PutPermission", &input);
                }
                if rng.chance(30) && !tight {
                    let source = Arn::bus(place.region, &place.account, &place.bus).to_string();
                    let input = json!({"ArchiveName": format!("people-{}", place.bus), "EventSourceArn": source});
                    oracle::others_call(aws, place, "CreateArchive", &input);
                }
                if on_rules && let Some((rule, ..)) = our_rules(aws, Some(place)).first() {
                    oracle::put_target(aws, place, rule, "people-tap", &tap);
                    tapped = true;
                }
            }
        });
        self.foreign_targets |= tapped;
    }

    /// What somebody changes by hand. `mended` says that the same topology is applied again before the next one.
    fn drift(&mut self, mended: bool) {
        let rng = &mut self.rng;
        let oracle = self.oracle.clone();
        oracle.others_write(&mut self.fleet.world(), false, |aws| {
            for _ in 0..rng.within(1, 3) {
                let rules = our_rules(aws, None);
                if rules.is_empty() {
                    return;
                }
                let (rule, place, live) = rng.pick(&rules).clone();
                let key = json!({"Name": rule, "EventBusName": place.bus});
                let description = live["Description"].as_str().unwrap_or_default();
                let pattern = live["EventPattern"].as_str().unwrap_or_default();
                match rng.below(7) {
                    0 => oracle::others_call(aws, &place, "DisableRule", &key),
                    1 => {
                        let other = r#"{"source":["com.example.edited"]}"#;
                        oracle::put_rule(aws, &place, &rule, description, other, &json!([]));
                    }
                    2 => remove_targets(aws, &place, &rule),
                    3 => delete_rule(aws, &place, &rule),
                    4 => remove_statement(rng, aws),
                    5 => {
                        let input = json!({
                            "EventBusName": place.bus, "StatementId": "ww_wheelwright_200000000001-00000000",
                            "Principal": "200000000001", "Action": "events:PutEvents",
                        });
                        let caller = wheelwright::sim::Caller::root(&place.account);
                        let service = wheelwright::sim::Service::EventBridge;
                        let _ = aws.call(&caller, place.region, service, "PutPermission", &input);
                    }
                    // The console's editor leaves the description out.
                    _ if mended => oracle::put_rule(aws, &place, &rule, "", pattern, &json!([])),
                    _ => {}
                }
            }
        });
    }
}

/// Guards are not the subject here: what a person may let go is let go, as by one who has seen the plan and told the
/// publishers.
fn approval() -> Approval {
    let allow = BTreeSet::from([Guard::TooManyBreaks, Guard::TooManyChanges, Guard::PublishersMove]);
    Approval { allow, plan_id: None }
}

/// What a program would do that does not wait: what goes, goes first.
async fn breaks_first<F: wheelwright::port::Fleet>(fleet: &F, plan: &Plan, approval: &Approval) {
    let approved = approve(plan, approval).unwrap();
    let mut breaks: Vec<Step> = approved.steps().iter().filter(|step| step.is_break()).cloned().collect();
    let keys: BTreeSet<StepKey> = breaks.iter().map(Step::key).collect();
    for step in &mut breaks {
        step.after.retain(|key| keys.contains(key));
    }
    apply(fleet, &breaks, &BTreeSet::new(), 64, &|_, _| {}).await;
}

/// A queue that EventBridge and every delivery role may send to.
pub fn create_queue(aws: &mut SimulatedAws, arn: &str) {
    let parsed: Arn = arn.parse().unwrap();
    let policy = json!({"Version": "2012-10-17", "Statement": [
        {"Sid": "delivery", "Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage", "Resource": arn}
    ]});
    aws.create_queue_with_policy(&parsed.account, &parsed.region, parsed.queue_name().unwrap(), &policy);
}

/// The operator's rules, by their tags: name, bus and content.
fn our_rules(aws: &SimulatedAws, on: Option<&Place>) -> Vec<(String, Place, Value)> {
    let regions = ["us-east-1", "eu-west-1", "ap-southeast-2"];
    let found = oracle::items(aws, |item| item.kind == SnapshotKind::Rule && oracle::is_ours(item.value));
    let rules = found.into_iter().filter_map(|(path, live)| {
        let parts: Vec<&str> = path.splitn(5, '/').collect();
        let region = regions.into_iter().find(|region| *region == parts[1])?;
        let place = Place { account: parts[0].to_owned(), region, bus: parts[3].to_owned() };
        (on.is_none_or(|on| *on == place)).then(|| (parts[4].to_owned(), place, live))
    });
    rules.collect()
}

fn targets_of(aws: &SimulatedAws, place: &Place, rule: &str, foreign: bool) -> Vec<String> {
    let found = oracle::items(aws, |item| {
        item.kind == SnapshotKind::Target
            && item.account == place.account
            && item.region == place.region
            && item.bus == place.bus
            && item.rule == rule
            && item.name.starts_with("ww_wheelwright_") != foreign
    });
    found.values().filter_map(|target| target["Id"].as_str().map(str::to_owned)).collect()
}

fn remove_targets(aws: &mut SimulatedAws, place: &Place, rule: &str) {
    let ids = targets_of(aws, place, rule, false);
    if !ids.is_empty() {
        let input = json!({"Rule": rule, "EventBusName": place.bus, "Ids": ids});
        oracle::others_call(aws, place, "RemoveTargets", &input);
    }
}

/// Deletes a rule with its targets, unless some of them are foreign.
fn delete_rule(aws: &mut SimulatedAws, place: &Place, rule: &str) {
    if targets_of(aws, place, rule, true).is_empty() {
        remove_targets(aws, place, rule);
        oracle::others_call(aws, place, "DeleteRule", &json!({"Name": rule, "EventBusName": place.bus}));
    }
}

fn remove_statement(rng: &mut Rng, aws: &mut SimulatedAws) {
    let found =
        oracle::items(aws, |item| item.kind == SnapshotKind::Statement && item.name.starts_with("ww_wheelwright_"));
    if found.is_empty() {
        return;
    }
    let paths: Vec<String> = found.into_keys().collect();
    let path = rng.pick(&paths).clone();
    let parts: Vec<&str> = path.splitn(5, '/').collect();
    let regions = ["us-east-1", "eu-west-1", "ap-southeast-2"];
    let Some(region) = regions.into_iter().find(|region| *region == parts[1]) else { return };
    let place = Place { account: parts[0].to_owned(), region, bus: parts[3].to_owned() };
    let input = json!({"EventBusName": place.bus, "StatementId": parts[4]});
    oracle::others_call(aws, &place, "RemovePermission", &input);
}
