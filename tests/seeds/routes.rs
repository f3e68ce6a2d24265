//! Which routes deliver: events put on forks of the world, before and after every write.
//!
//! After a write only those events are put anew that it can have to do with. An event that arrives goes by some buses and
//! rules, its *way*; while nobody writes on any of these it goes on arriving, whatever else is written. What adds something new
//! takes nothing away, so what may have begun to arrive by it is asked about later: before the next write that may take
//! something away, and when a phase begins and ends. [`Routes::doubt`] holds all of this against asking everything every time.

use crate::outage::Outage;
use crate::samples::SAMPLES;
use crate::spec::{Event, Place, Spec, Taker};
use std::collections::{BTreeMap, BTreeSet};
use wheelwright::call::Call;
use wheelwright::eventbridge::Arn;
use wheelwright::model::ids::Scope;
use wheelwright::sim::{Caller, EventEntry, LogEntry, Outcome, SimulatedAws};

/// An event that must keep arriving in one of these mailboxes once it did.
#[derive(Clone)]
struct Obligation {
    probe: usize,
    any_of: BTreeSet<String>,
    about: String,
    /// What the names of the rules begin with by which it has to come; none: by any. Where somebody has broken a subscription's own
    /// rule, what comes to it by another's is no route of its own.
    own_rules: BTreeSet<String>,
}

impl Obligation {
    fn is_own(&self, way: &Way) -> bool {
        let by_own = |(_, rule): &(String, String)| self.own_rules.iter().any(|own| rule.starts_with(own));
        self.own_rules.is_empty() || way.rules.iter().any(by_own)
    }
}

/// By what an event went: buses that it was put on or sent to, and rules that took it, each a bus and a name.
#[derive(Clone, Default)]
pub struct Way {
    buses: BTreeSet<String>,
    rules: BTreeSet<(String, String)>,
}

/// The world at one of two times: as things are, and as they are when all writes have taken effect.
#[derive(Clone, Default)]
struct Lens {
    /// By probe.
    ways: Vec<Way>,
    /// By obligation: whether it was met when last asked about.
    met: Vec<bool>,
    /// Probes that may arrive where they did not when last asked about.
    stale: BTreeSet<usize>,
}

/// What a write can have to do with.
#[derive(Clone, Debug)]
enum Touch {
    /// A bus with its policy and its key: at once.
    Bus(String),
    /// A rule with its targets: when it takes effect.
    Rule(String, String),
}

/// What was written and takes effect later.
#[derive(Clone, Debug)]
struct Pending {
    effect_ms: i64,
    touch: Touch,
    /// Others wrote it: what ends by it is not the operator's doing, whatever the operator has written since.
    is_others: bool,
}

#[derive(Clone, Default)]
pub struct Routes {
    probes: Vec<Event>,
    obligations: Vec<Obligation>,
    lenses: [Lens; 2],
    /// Rules that were written and take effect later.
    pending: Vec<Pending>,
    /// How much of the log was read.
    log_read: usize,
    /// What the operator has put at some time: a rule, a target, a statement.
    put: BTreeSet<String>,
    /// Obligations that were met, if at all, by others' rules alone when others had last written.
    by_chance: BTreeSet<usize>,
    /// Obligations that ended since all were last asked and are not the operator's: others ended them, or they were met by chance.
    excused: BTreeSet<usize>,
    /// By obligation whether it is met, asked after every write of all, where somebody doubts that asking some is enough.
    doubted: Option<Vec<bool>>,
    /// Whether an event of each kind and with each content is put, and not one for all that go from one to another.
    is_thorough: bool,
}

/// As things are.
const NOW: usize = 0;
/// As they are when all has taken effect.
const LATER: usize = 1;

impl Routes {
    /// From here on everything is asked after every write as well, and a difference is the oracle's fault: it panics.
    pub fn doubt(&mut self) {
        self.doubted = Some(Vec::new());
    }

    /// From here on events of all kinds are put, so that a route is also missed when it loses but some of them.
    pub fn put_all(&mut self) {
        self.is_thorough = true;
    }

    /// From here on, what all of these topologies deliver must go on being delivered.
    pub fn watch(&mut self, specs: &[&Spec], aws: &SimulatedAws, outage: Option<&Outage>) {
        (self.probes, self.obligations) = obligations(specs, crate::oracle::now_ms(aws), self.is_thorough);
        self.begin_anew(aws, outage);
    }

    /// Whatever does not arrive any more, others have seen to that.
    pub fn begin_anew(&mut self, aws: &SimulatedAws, outage: Option<&Outage>) {
        for lens in &mut self.lenses {
            lens.met = vec![false; self.obligations.len()];
            lens.ways = vec![Way::default(); self.probes.len()];
            // Of probes that are no more.
            lens.stale.clear();
        }
        self.excused.clear();
        let known = self.pending.len();
        _ = self.touches(aws);
        self.pending[known..].iter_mut().for_each(|pending| pending.is_others = true);
        self.ask_all(aws, outage);
        let is_own = |one: &Obligation| lenses(aws).all(|lens| one.is_own(&self.lenses[lens].ways[one.probe]));
        self.by_chance =
            self.obligations.iter().enumerate().filter(|(_, one)| !is_own(one)).map(|(at, _)| at).collect();
        if self.doubted.is_some() {
            self.doubted = Some((0..self.obligations.len()).map(|at| self.is_met(at)).collect());
        }
    }

    /// Asks about everything; what was interrupted.
    pub fn ask_all(&mut self, aws: &SimulatedAws, outage: Option<&Outage>) -> Vec<String> {
        _ = self.touches(aws);
        let now_ms = aws.now_ms();
        self.pending.retain(|pending| pending.effect_ms > now_ms);
        let all: BTreeSet<usize> = (0..self.probes.len()).collect();
        let mut interrupted = Vec::new();
        for lens in lenses(aws) {
            interrupted.extend(self.ask(lens, &all, aws, outage));
        }
        self.texts(&interrupted, None)
    }

    /// Somebody is about to make a call: what it may take away is to be known. What was interrupted by what took effect since.
    pub fn before_write(
        &mut self,
        scope: &Scope,
        call: &Call,
        aws: &SimulatedAws,
        outage: Option<&Outage>,
    ) -> Vec<String> {
        if !self.may_take_away(scope, call) {
            return Vec::new();
        }
        let mut interrupted = Vec::new();
        let mut asked = [self.take_effect(aws, outage), BTreeSet::new()];
        for lens in lenses(aws) {
            asked[lens].append(&mut self.lenses[lens].stale);
            interrupted.extend(self.ask(lens, &asked[lens], aws, outage));
        }
        self.texts(&interrupted, Some("an earlier write took effect"))
    }

    /// Somebody has written; what was interrupted. `write` is what it is told as.
    pub fn after_write(&mut self, aws: &SimulatedAws, outage: Option<&Outage>, write: Option<&str>) -> Vec<String> {
        let mut interrupted = Vec::new();
        let mut asked = [BTreeSet::new(), BTreeSet::new()];
        asked[NOW].extend(self.take_effect(aws, outage));
        for (adds, touch) in self.touches(aws) {
            let is_at_once = matches!(touch, Touch::Bus(_)) || aws.settings.settle_ms <= 0;
            for lens in lenses(aws).filter(|lens| *lens == LATER || is_at_once) {
                asked[lens].extend(self.concerned(lens, &touch, adds));
            }
        }
        for lens in lenses(aws) {
            interrupted.extend(self.ask(lens, &asked[lens], aws, outage));
        }
        self.compare_with_all(&interrupted, aws, outage);
        self.texts(&interrupted, write)
    }

    /// What was written since the log was last read, each with whether it only adds something. What takes effect later is
    /// noted.
    fn touches(&mut self, aws: &SimulatedAws) -> Vec<(bool, Touch)> {
        let mut touches = Vec::new();
        let log = aws.log();
        for entry in log[self.log_read..].iter().filter(|entry| entry.outcome == Outcome::Ok) {
            let (adds, touch) = self.touch(entry);
            let Some(touch) = touch else { continue };
            if let (Touch::Rule(..), settle_ms @ 1..) = (&touch, aws.settings.settle_ms) {
                let effect_ms = entry.at_ms + settle_ms;
                self.pending.push(Pending { effect_ms, touch: touch.clone(), is_others: false });
            }
            touches.push((adds, touch));
        }
        self.log_read = log.len();
        touches
    }

    /// Whether a write only adds something, and what it can have to do with. Tags and archives deliver nothing.
    fn touch(&mut self, entry: &LogEntry) -> (bool, Option<Touch>) {
        let text = |field: &str| entry.input[field].as_str().unwrap_or_default().to_owned();
        let bus = |name: &str| {
            let name = if name.is_empty() { "default" } else { name };
            Arn::bus(&entry.region, &entry.account, name).to_string()
        };
        let of_bus = |field: &str| Some(Touch::Bus(bus(&text(field))));
        let of_rule = |field: &str| Some(Touch::Rule(bus(&text("EventBusName")), text(field)));
        let mut put_first = |id: String| self.put.insert(id);
        let on = bus(&text("EventBusName"));
        match entry.operation.as_str() {
            "PutRule" => (put_first(format!("{on} {}", text("Name"))), of_rule("Name")),
            "PutTargets" => {
                let ids = entry.input["Targets"].as_array().into_iter().flatten().filter_map(|one| one["Id"].as_str());
                // All of them, for the next time.
                let known = ids.filter(|id| !put_first(format!("{on} {} {id}", text("Rule")))).count();
                (known == 0, of_rule("Rule"))
            }
            "RemoveTargets" => (false, of_rule("Rule")),
            "DeleteRule" | "EnableRule" | "DisableRule" => (false, of_rule("Name")),
            "PutPermission" => {
                let adds = put_first(format!("{on} statement {}", text("StatementId")));
                (adds && entry.input["Policy"].is_null(), of_bus("EventBusName"))
            }
            "RemovePermission" => (false, of_bus("EventBusName")),
            "CreateEventBus" => (true, of_bus("Name")),
            "TagResource" | "UntagResource" | "CreateArchive" | "UpdateArchive" => (true, None),
            _ => (false, of_bus("Name")),
        }
    }

    /// Whether a call may take something away: all but those that put what nobody put before.
    fn may_take_away(&self, scope: &Scope, call: &Call) -> bool {
        let on = |bus: &str| Arn::bus(scope.region.as_str(), &scope.account.to_string(), bus).to_string();
        match call {
            Call::PutRule { bus, rule, .. } => self.put.contains(&format!("{} {rule}", on(bus))),
            Call::PutTargets { bus, rule, targets } => {
                let on = on(bus);
                targets.iter().any(|(id, _)| self.put.contains(&format!("{on} {rule} {id}")))
            }
            Call::PutPermission { bus, statement_id, .. } => {
                self.put.contains(&format!("{} statement {statement_id}", on(bus)))
            }
            Call::CreateEventBus { .. }
            | Call::TagResource { .. }
            | Call::UntagResource { .. }
            | Call::CreateArchive { .. }
            | Call::UpdateArchive { .. } => false,
            _ => true,
        }
    }

    /// What was written before and has taken effect since: the probes to ask about at once. What ends by others' writes is noted.
    fn take_effect(&mut self, aws: &SimulatedAws, outage: Option<&Outage>) -> BTreeSet<usize> {
        let now_ms = aws.now_ms();
        let (effective, pending): (Vec<Pending>, Vec<Pending>) =
            std::mem::take(&mut self.pending).into_iter().partition(|pending| pending.effect_ms <= now_ms);
        self.pending = pending;
        let (others, own): (Vec<Pending>, Vec<Pending>) = effective.into_iter().partition(|pending| pending.is_others);
        let mut concerned = |of: Vec<Pending>| -> BTreeSet<usize> {
            of.iter().flat_map(|pending| self.concerned(NOW, &pending.touch, false)).collect()
        };
        let (by_others, asked) = (concerned(others), concerned(own));
        let ended = self.ask(NOW, &by_others, aws, outage);
        self.excused.extend(ended);
        asked
    }

    /// The probes that a write can have kept from arriving. Those that it can have let arrive become stale.
    fn concerned(&mut self, lens: usize, touch: &Touch, adds: bool) -> BTreeSet<usize> {
        let mut waiting = vec![false; self.probes.len()];
        let mut arriving = waiting.clone();
        for (at, obligation) in self.obligations.iter().enumerate() {
            // At this time: what is not met at the other may end here all the same.
            let of = if self.lenses[lens].met[at] { &mut arriving } else { &mut waiting };
            of[obligation.probe] = true;
        }
        let lens = &mut self.lenses[lens];
        let mut asked = BTreeSet::new();
        for (probe, way) in lens.ways.iter().enumerate() {
            let (is_on_way, is_near) = match touch {
                Touch::Bus(bus) => (way.buses.contains(bus), way.buses.contains(bus)),
                Touch::Rule(bus, rule) => (way.rules.contains(&(bus.clone(), rule.clone())), way.buses.contains(bus)),
            };
            if is_on_way && arriving[probe] && !adds {
                asked.insert(probe);
            } else if is_near && waiting[probe] {
                lens.stale.insert(probe);
            }
        }
        asked
    }

    /// Whether an obligation is met, now and when all has taken effect.
    fn is_met(&self, obligation: usize) -> bool {
        self.lenses.iter().all(|lens| lens.met[obligation])
    }

    /// Puts some of the probes; the obligations that were met and are not. One report of an interruption is enough.
    fn ask(
        &mut self,
        lens: usize,
        probes: &BTreeSet<usize>,
        aws: &SimulatedAws,
        outage: Option<&Outage>,
    ) -> Vec<usize> {
        if probes.is_empty() {
            return Vec::new();
        }
        let (met, ways) = self.evaluate(lens, probes, aws, outage);
        let ended = met.iter().filter(|(at, met)| !**met && self.is_met(**at)).map(|(at, _)| *at);
        let is_own = |at: usize| {
            let obligation = &self.obligations[at];
            obligation.is_own(&self.lenses[lens].ways[obligation.probe])
        };
        let (by_chance, interrupted): (Vec<usize>, Vec<usize>) =
            ended.partition(|at| self.by_chance.contains(at) && !is_own(*at));
        self.excused.extend(by_chance);
        let one_lens_alone = aws.settings.settle_ms <= 0;
        for (at, met) in met {
            self.lenses[lens].met[at] = met;
            if one_lens_alone {
                self.lenses[LATER].met[at] = met;
            }
        }
        for (probe, way) in ways {
            self.lenses[lens].ways[probe] = way;
            self.lenses[lens].stale.remove(&probe);
        }
        interrupted
    }

    /// Which of the obligations that some probes stand for are met in a fork of the world, and by what each probe went.
    fn evaluate(
        &self,
        lens: usize,
        probes: &BTreeSet<usize>,
        aws: &SimulatedAws,
        outage: Option<&Outage>,
    ) -> (BTreeMap<usize, bool>, BTreeMap<usize, Way>) {
        let mut fork = aws.clone();
        if lens == LATER {
            fork.advance_ms(aws.settings.settle_ms);
        }
        if let Some(outage) = outage {
            outage.end(&mut fork);
        }
        let asked = || self.obligations.iter().enumerate().filter(|(_, one)| probes.contains(&one.probe));
        let boxes = asked().flat_map(|(_, obligation)| &obligation.any_of).cloned().collect();
        let events = probes.iter().map(|probe| (*probe, &self.probes[*probe]));
        let (arrived, ways) = put_and_collect(&mut fork, events, &boxes);
        let is_met = |one: &Obligation| one.any_of.iter().any(|at| arrived.contains_key(&(one.probe, at.clone())));
        (asked().map(|(at, obligation)| (at, is_met(obligation))).collect(), ways)
    }

    /// Where somebody doubts: asks everything, and compares.
    fn compare_with_all(&mut self, interrupted: &[usize], aws: &SimulatedAws, outage: Option<&Outage>) {
        let Some(before) = self.doubted.take() else { return };
        let all: BTreeSet<usize> = (0..self.probes.len()).collect();
        let mut after = vec![true; self.obligations.len()];
        for lens in lenses(aws) {
            for (at, met) in self.evaluate(lens, &all, aws, outage).0 {
                after[at] &= met;
            }
        }
        for (at, met) in after.iter().enumerate() {
            let is_known = interrupted.contains(&at) || self.excused.contains(&at);
            let is_overlooked = before[at] && !met && !is_known;
            assert!(!is_overlooked, "the oracle overlooked {}", self.obligations[at].about);
            assert!(*met || !self.is_met(at), "the oracle takes for met what is not: {}", self.obligations[at].about);
        }
        self.doubted = Some(after);
        self.excused.clear();
    }

    fn texts(&self, interrupted: &[usize], write: Option<&str>) -> Vec<String> {
        let text = |at: &usize| {
            let obligation = &self.obligations[*at];
            format!("{}: {:?} after {write:?}", obligation.about, self.probes[obligation.probe])
        };
        interrupted.iter().map(text).collect()
    }
}

/// The times that differ.
fn lenses(aws: &SimulatedAws) -> impl Iterator<Item = usize> + use<> {
    NOW..=if aws.settings.settle_ms > 0 { LATER } else { NOW }
}

/// An event's kind and sample, where they are told apart.
type Content = Option<(&'static str, usize)>;

/// What must go on arriving: for every taker of all the topologies to come its mailbox in one of them or, if it took the
/// event before, its old one; and every mailbox that is to get the event before and in all that come.
fn obligations(specs: &[&Spec], now_ms: u64, is_thorough: bool) -> (Vec<Event>, Vec<Obligation>) {
    let mut wanted: BTreeMap<(Taker, BTreeSet<String>, String, Content), Event> = BTreeMap::new();
    let mut boxes: BTreeMap<(String, String, Place, Content), Event> = BTreeMap::new();
    let events: BTreeSet<Event> = specs.iter().flat_map(|spec| spec.events()).collect();
    let are_stopped: BTreeSet<Taker> = specs.iter().flat_map(|spec| spec.stopped(now_ms)).collect();
    for event in events {
        let expected: Vec<Vec<(Taker, String)>> = specs.iter().map(|spec| spec.expected(&event, now_ms)).collect();
        let content = is_thorough.then_some((event.kind, event.sample));
        let Some((before, to_come)) = expected.split_first() else { continue };
        let after = to_come.last().unwrap_or(before);
        // A person's order to hold a route off is obeyed at once, also where its events came for another as well, or did before it moved
        // or took others.
        let stopped: Vec<(Taker, String)> = specs.iter().flat_map(|spec| spec.held_off(&event, now_ms)).collect();
        let had_it_before = |(taker, _): &&(Taker, String)| are_stopped.contains(taker);
        let held_off: BTreeSet<String> =
            stopped.iter().chain(before.iter().filter(had_it_before)).map(|(_, mailbox)| mailbox.clone()).collect();
        // Whose own stop has just ended has its events so far by others' routes alone: with such an order they end, too.
        let had_a_stop: BTreeSet<Taker> = specs[0].held_off(&event, 0).into_iter().map(|(taker, _)| taker).collect();
        let goes_on = |(taker, mailbox): &&(Taker, String)| *taker != Taker::OwnBus && !held_off.contains(mailbox);
        for (taker, mailbox) in after.iter().filter(goes_on) {
            let takes = |found: &Vec<(Taker, String)>| found.iter().any(|(other, _)| other == taker);
            if to_come.iter().all(takes) {
                let all = expected.iter().flatten().filter(|(other, _)| other == taker).map(|(_, mailbox)| mailbox);
                let counts = |mailbox: &&String| !had_a_stop.contains(taker) || !held_off.contains(*mailbox);
                let any_of: BTreeSet<String> = all.filter(counts).cloned().collect();
                let publisher = format!("{}/{}", event.account, event.at.bus);
                wanted.entry((taker.clone(), any_of, publisher, content)).or_insert_with(|| event.clone());
            }
            let stays = expected
                .iter()
                .all(|found| found.iter().any(|(other, found)| found == mailbox && *other != Taker::OwnBus));
            if stays {
                let key = (mailbox.clone(), event.account.clone(), event.at.clone(), content);
                boxes.entry(key).or_insert_with(|| event.clone());
            }
        }
    }
    let mut probes: Vec<Event> = Vec::new();
    let mut obligations = Vec::new();
    let mut oblige = |event: Event, any_of: BTreeSet<String>, about: String, own_rules: BTreeSet<String>| {
        let probe = probes.iter().position(|probe| *probe == event).unwrap_or_else(|| {
            probes.push(event);
            probes.len() - 1
        });
        obligations.push(Obligation { probe, any_of, about, own_rules });
    };
    for ((taker, any_of, ..), event) in wanted {
        let own_rules = specs.iter().filter_map(|spec| spec.own_rule(&taker)).collect();
        oblige(event, any_of, format!("{taker:?}"), own_rules);
    }
    for ((mailbox, ..), event) in boxes {
        oblige(event, BTreeSet::from([mailbox.clone()]), format!("mailbox {mailbox}"), BTreeSet::new());
    }
    (probes, obligations)
}

/// How often each event is in each mailbox, and by what each went.
type Arrived = (BTreeMap<(usize, String), usize>, BTreeMap<usize, Way>);

/// Puts each event, and counts it in each mailbox.
pub fn put_and_collect<'e>(
    aws: &mut SimulatedAws,
    events: impl Iterator<Item = (usize, &'e Event)>,
    boxes: &BTreeSet<String>,
) -> Arrived {
    let mut ways = BTreeMap::new();
    for (probe, event) in events {
        let before = aws.trace().len();
        let bus = Arn::bus(event.at.region, &event.at.account, &event.at.bus).to_string();
        let entry = EventEntry::new(&bus, &event.source, event.kind, SAMPLES[event.sample].detail(probe));
        if event.is_a_services() {
            aws.service_event(&event.account, event.at.region, &entry);
        } else {
            // Who may not put it has not put it.
            let _ = aws.put_event(&Caller::root(&event.account), event.at.region, &entry);
        }
        let mut way = Way { buses: BTreeSet::from([bus]), rules: BTreeSet::new() };
        for record in &aws.trace()[before..] {
            way.rules.insert((record.bus_arn.clone(), record.rule.clone()));
            if record.target_arn.contains(":event-bus/") {
                way.buses.insert(record.target_arn.clone());
            }
        }
        ways.insert(probe, way);
    }
    let mut found = BTreeMap::new();
    for mailbox in boxes {
        let queued = aws.messages(mailbox).iter().filter_map(|message| probe_of(&message.body));
        let received = aws.received(mailbox).iter().filter_map(|event| event["detail"]["probe"].as_u64());
        let received = received.filter_map(|probe| usize::try_from(probe).ok());
        for probe in queued.chain(received) {
            *found.entry((probe, mailbox.clone())).or_default() += 1;
        }
    }
    (found, ways)
}

fn probe_of(body: &str) -> Option<usize> {
    let (_, rest) = body.split_once("\"probe\":")?;
    let digits: String = rest.trim_start().chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}
