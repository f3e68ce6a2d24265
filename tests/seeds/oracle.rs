//! The oracle: what must hold, asked of the simulated AWS after every write and when all is done.
//!
//! It knows the [`Spec`], the simulated AWS's log and its delivery. It asks nothing of the planner: a route delivers if
//! an event that is put on a fork of the world is in the mailbox.

use crate::bounds::{Bounds, Count};
use crate::outage::Outage;
use crate::samples::SAMPLES;
use crate::spec::{Event, Place, Spec, Taker, inbox};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use wheelwright::eventbridge::Arn;
use wheelwright::sim::{Caller, EventEntry, LogEntry, Outcome, Service, SimulatedAws, SnapshotItem};

/// What did not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, strum::VariantArray)]
pub enum Check {
    /// A route of the old and the new topology delivered, and after a write it did not.
    RouteInterrupted,
    /// A foreign thing is not what it was, to the byte.
    ForeignChanged,
    /// Something was taken away in a scope that was not read to the end.
    BreakOnDoubt,
    /// A bus or an archive was deleted.
    NeverDeleted,
    /// A write where the topologies name no bus.
    StrayWrite,
    /// A step said that it was done, and the world does not say so.
    FalseReport,
    /// Without faults, two sweeps did not bring the world in step.
    NotInStep,
    /// In step, and the next sweep wrote.
    NotQuiet,
    /// An event did not arrive where it should.
    Missing,
    /// An event arrived where it should not, or more than once.
    Surplus,
    /// Something of ours is left that nobody asks for, or there is less than there should be.
    Leftover,
    /// A bus, a rule or an archive of ours is not set or tagged as asked.
    Settings,
    /// After a crash, the world came out otherwise than without one.
    OtherEnd,
    /// More was taken away or changed than the guards let go without a person.
    TooManyAtOnce,
    /// More calls in a scope than its pace allows.
    TooFast,
    /// A topology that is older than one already applied wrote, or was not told that it is.
    OlderWrote,
    /// The state was lost, and it wrote all the same or did not say so.
    StateForgotten,
    /// One operator wrote what is another's, or did not say that it left it alone.
    NeighbourTouched,
    /// The program (or this test) panicked.
    Panicked,
}

impl Check {
    pub const ALL: &[Self] = <Self as strum::VariantArray>::VARIANTS;
}

#[derive(Clone, Debug)]
pub struct Violation {
    pub check: Check,
    pub detail: String,
}

/// The bus rule that every team has of its own: everything into its inbox.
const INBOX_RULE: &str = "team-inbox";
const OPERATOR_ROLE: &str = "wheelwright-operator";
pub(super) const STATEMENTS: &str = "ww_wheelwright_";

/// Account and Region.
type Scope = (String, String);

/// An event that must keep arriving in one of these mailboxes once it did.
#[derive(Clone)]
struct Obligation {
    probe: usize,
    any_of: BTreeSet<String>,
    about: String,
    delivering: bool,
}

#[derive(Clone, Default)]
pub(super) struct State {
    probes: Vec<Event>,
    /// Where each probe came by when it was last put.
    ways: Vec<BTreeSet<Scope>>,
    obligations: Vec<Obligation>,
    pub(super) foreign: BTreeMap<String, Value>,
    /// Where the operator has any business: buses, and for archives the scopes of hubs.
    buses: BTreeSet<Place>,
    inboxes: BTreeSet<Place>,
    /// Things of ours that bear a tag of somebody else's, by their paths.
    pub(super) others_tags: BTreeSet<String>,
    log_read: usize,
    operator_writes: usize,
    writes_tried: usize,
    violations: Vec<Violation>,
    /// Reads can lie (stale): what a step reports is then not held against it.
    reads_lie: bool,
    /// What was called and what came of it, where one seed is shown.
    told: bool,
    /// What an account does not do for now, to the operator; the account's own people may still.
    outage: Option<Outage>,
    /// What may be taken away and changed without a person, and what was.
    bounds: Option<(Bounds, Count)>,
    /// Whether somebody put a target of theirs on a rule of ours: it cannot be deleted any more.
    tapped: bool,
}

#[derive(Clone, Default)]
pub struct Oracle(Arc<Mutex<State>>);

impl Oracle {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The same, knowing what this one knows, apart from here on.
    pub fn fork(&self) -> Self {
        Self(Arc::new(Mutex::new(self.state().clone())))
    }

    pub fn violations(&self) -> Vec<Violation> {
        self.state().violations.clone()
    }

    pub fn violate(&self, check: Check, detail: impl Into<String>) {
        self.state().violate(check, detail.into());
    }

    /// Writes of the operator that took effect.
    pub fn operator_writes(&self) -> usize {
        self.state().operator_writes
    }

    /// Writes that the operator tried, whatever came of them.
    pub fn writes_tried(&self) -> usize {
        self.state().writes_tried
    }

    /// Prints every write from here on.
    pub fn tell(&self) {
        self.state().told = true;
    }

    /// Whether reads can lie for now.
    pub fn is_lied_to(&self) -> bool {
        self.state().reads_lie
    }

    pub fn note(&self, text: &str) {
        if self.state().told {
            println!("== {text}");
        }
    }

    pub fn reads_lie(&self, lie: bool) {
        self.state().reads_lie = lie;
    }

    /// For now an account does not do something, or does all again.
    pub fn outage(&self, aws: &mut SimulatedAws, outage: Option<Outage>) {
        let mut state = self.state();
        if let Some(over) = &state.outage {
            over.end(aws);
        }
        if let Some(outage) = &outage {
            outage.begin(aws);
        }
        state.outage = outage;
    }

    /// Whether something does not work for now.
    pub fn has_outage(&self) -> bool {
        self.state().outage.is_some()
    }

    /// Somebody put a target of theirs on a rule of ours.
    pub fn tap(&self) {
        self.state().tapped = true;
    }

    /// Whether somebody did.
    pub fn is_tapped(&self) -> bool {
        self.state().tapped
    }

    /// A sweep begins that nobody let go any guard for.
    pub fn bound(&self, bounds: Bounds) {
        self.state().bounds = Some((bounds, Count::default()));
    }

    /// It has ended: what it took away and changed is within its bounds.
    pub fn ask_bounds(&self) {
        let mut state = self.state();
        if let Some((bounds, count)) = state.bounds.take() {
            for detail in count.beyond(&bounds) {
                state.violate(Check::TooManyAtOnce, detail);
            }
        }
    }

    /// From here on, what all of these topologies deliver must go on being delivered: the first is applied, the others are
    /// on their way.
    pub fn watch(&self, specs: &[&Spec], aws: &SimulatedAws) {
        let mut state = self.state();
        (state.probes, state.obligations) = obligations(specs, now_ms(aws));
        state.ways.clear();
        for spec in specs {
            state.allow_buses(spec);
        }
        state.log_read = aws.log().len();
        state.ask_routes(aws, None, None);
    }

    /// An operator may write where this topology names buses.
    pub fn allow_buses(&self, spec: &Spec) {
        self.state().allow_buses(spec);
    }

    /// Lets others write (drift, foreign things): what they add is foreign from now on, and what they break of a route
    /// is not held against the operator.
    pub fn others_write(&self, aws: &mut SimulatedAws, adds_foreign: bool, write: impl FnOnce(&mut SimulatedAws)) {
        let before = items(aws, |_| true);
        write(aws);
        let mut state = self.state();
        if adds_foreign {
            let after = items(aws, |_| true);
            state.foreign.extend(after.into_iter().filter(|(path, _)| !before.contains_key(path)));
        }
        state.log_read = aws.log().len();
        for obligation in &mut state.obligations {
            obligation.delivering = false;
        }
        state.ask_routes(aws, None, None);
    }

    /// The operator has tried a write.
    pub fn after_write(&self, aws: &mut SimulatedAws) {
        let mut state = self.state();
        state.writes_tried += 1;
        let entries: Vec<Arc<LogEntry>> = aws.log()[state.log_read..].to_vec();
        state.log_read = aws.log().len();
        let done: Vec<&Arc<LogEntry>> = entries.iter().filter(|entry| entry.outcome == Outcome::Ok).collect();
        if done.is_empty() {
            return;
        }
        for entry in &done {
            if state.told {
                println!("{} ms: {} {}/{} {}", aws.now_ms(), entry.operation, entry.account, entry.region, entry.input);
            }
            state.operator_writes += 1;
            state.judge(entry);
            if let Some((_, count)) = &mut state.bounds {
                count.add(entry);
            }
            state.furnish(aws, entry);
        }
        state.log_read = aws.log().len();
        let places: BTreeSet<Scope> = done.iter().map(|entry| (entry.account.clone(), entry.region.clone())).collect();
        for (account, region) in &places {
            state.ask_foreign_in(aws, account, region);
        }
        let last = done.last().map(|entry| format!("{} {} {}", entry.operation, entry.account, entry.input));
        state.ask_routes(aws, last.as_deref(), Some(&places));
    }

    /// All is done: every event of every publication is where it should be, and nowhere else; and nothing is left over.
    pub fn at_the_end(&self, old: &Spec, spec: &Spec, aws: &SimulatedAws, leftovers: bool) {
        let mut state = self.state();
        state.ask_foreign(aws);
        state.ask_mailboxes(old, spec, aws);
        state.ask_settings(spec, aws);
        if !leftovers {
            state.ask_leftovers(spec, aws);
        }
    }

    /// Somebody put a tag of their own on a bus or a rule of ours: it must stay for as long as that thing is there.
    pub fn others_tagged(&self, path: String) {
        self.state().others_tags.insert(path);
    }
}

impl State {
    pub(super) fn violate(&mut self, check: Check, detail: String) {
        self.violations.push(Violation { check, detail });
    }

    fn allow_buses(&mut self, spec: &Spec) {
        self.buses.extend(spec.hubs.iter().map(|hub| spec.hub_place(hub)));
        self.buses.extend(spec.spokes().map(|spoke| spec.spoke_place(spoke)));
        self.buses.extend(spec.default_buses());
        self.inboxes.extend(spec.spokes().map(|spoke| spec.spoke_place(spoke)));
    }

    /// One write of the log, on its own.
    fn judge(&mut self, entry: &LogEntry) {
        if !entry.principal.contains(OPERATOR_ROLE) {
            return;
        }
        if matches!(entry.operation.as_str(), "DeleteEventBus" | "DeleteArchive") {
            self.violate(Check::NeverDeleted, format!("{} {}", entry.operation, entry.input));
        }
        if let Some(bus) = written_bus(entry)
            && !self
                .buses
                .iter()
                .any(|place| place.account == entry.account && place.region == entry.region && place.bus == bus)
        {
            self.violate(
                Check::StrayWrite,
                format!("{} on bus {bus} in {}/{}", entry.operation, entry.account, entry.region),
            );
        }
    }

    /// A team puts its own rule on its bus as soon as there is one.
    fn furnish(&mut self, aws: &mut SimulatedAws, entry: &LogEntry) {
        if entry.operation != "CreateEventBus" {
            return;
        }
        let name = entry.input["Name"].as_str().unwrap_or_default();
        let place = self
            .inboxes
            .iter()
            .find(|place| place.account == entry.account && place.region == entry.region && place.bus == name);
        let Some(place) = place.cloned() else { return };
        let settle_ms = std::mem::take(&mut aws.settings.settle_ms);
        if let Some(outage) = &self.outage {
            outage.end(aws);
        }
        put_rule(aws, &place, INBOX_RULE, "the team's own", r#"{"source":[{"prefix":""}]}"#, &json!([]));
        put_target(aws, &place, INBOX_RULE, "inbox", &inbox(&place));
        if let Some(outage) = &self.outage {
            outage.begin(aws);
        }
        aws.settings.settle_ms = settle_ms;
        let added = items(aws, |item| {
            let here = item.account == place.account && item.region == place.region && item.bus == place.bus;
            here && item.rule == INBOX_RULE
        });
        self.foreign.extend(added);
    }

    fn ask_foreign(&mut self, aws: &SimulatedAws) {
        self.compare_foreign("", &items(aws, |_| true));
    }

    /// The same where something was just written.
    fn ask_foreign_in(&mut self, aws: &SimulatedAws, account: &str, region: &str) {
        let live = aws.snapshot_in(account, region, |_| true);
        self.compare_foreign(&format!("{account}/{region}/"), &object(live));
    }

    fn compare_foreign(&mut self, prefix: &str, live: &BTreeMap<String, Value>) {
        let here = self.foreign.range(prefix.to_owned()..).take_while(|(path, _)| path.starts_with(prefix));
        let changed: Vec<String> = here
            .filter(|(path, value)| live.get(*path) != Some(*value))
            .map(|(path, value)| format!("{path} was {value} and is {:?}", live.get(path)))
            .collect();
        for detail in changed {
            self.violate(Check::ForeignChanged, detail);
        }
    }

    /// Puts the probes on a fork, as things are now and as they are when all writes have taken effect. With `write`,
    /// whoever got its event before and does not now was interrupted by it. `written` are the scopes that something was written
    /// in: what comes nowhere near them goes its way as before.
    fn ask_routes(&mut self, aws: &SimulatedAws, write: Option<&str>, written: Option<&BTreeSet<Scope>>) {
        let settle_ms = aws.settings.settle_ms;
        let mut when = vec![0];
        if settle_ms > 0 {
            when.push(settle_ms);
        }
        self.ways.resize(self.probes.len(), BTreeSet::new());
        // What takes effect later may do so without a write.
        let concerns = |way: &BTreeSet<Scope>| {
            settle_ms > 0 || way.is_empty() || written.is_none_or(|written| !way.is_disjoint(written))
        };
        let asked: BTreeSet<usize> = (0..self.probes.len()).filter(|probe| concerns(&self.ways[*probe])).collect();
        let mut now_delivering = vec![true; self.obligations.len()];
        for later_ms in when {
            let mut fork = aws.clone();
            fork.advance_ms(later_ms);
            if let Some(outage) = &self.outage {
                outage.end(&mut fork);
            }
            let obligations = self.obligations.iter().filter(|obligation| asked.contains(&obligation.probe));
            let boxes = obligations.flat_map(|obligation| &obligation.any_of).cloned().collect();
            let events = asked.iter().map(|probe| (*probe, &self.probes[*probe]));
            let (arrived, ways) = put_and_collect(&mut fork, events, &boxes);
            for (probe, way) in ways {
                self.ways[probe] = way;
            }
            let mut interrupted = Vec::new();
            for (at, obligation) in self.obligations.iter().enumerate() {
                if !asked.contains(&obligation.probe) {
                    now_delivering[at] = obligation.delivering;
                    continue;
                }
                let found =
                    obligation.any_of.iter().any(|queue| arrived.contains_key(&(obligation.probe, queue.clone())));
                now_delivering[at] &= found;
                if obligation.delivering && !found {
                    let event = &self.probes[obligation.probe];
                    interrupted.push(format!("{} ({later_ms} ms later): {event:?} after {write:?}", obligation.about));
                }
            }
            for detail in interrupted {
                self.violate(Check::RouteInterrupted, detail);
            }
        }
        for (obligation, delivering) in self.obligations.iter_mut().zip(now_delivering) {
            // One report of an interruption is enough.
            obligation.delivering = delivering;
        }
    }
}

/// The simulated time.
pub(super) fn now_ms(aws: &SimulatedAws) -> u64 {
    u64::try_from(aws.now_ms()).unwrap()
}

/// Whether a rule's tags say that it is the operator's.
pub fn is_ours(rule: &Value) -> bool {
    let tags = rule["Tags"].as_array().cloned().unwrap_or_default();
    tags.iter().any(|tag| tag["Key"] == "wheelwright:owner" && tag["Value"] == "wheelwright")
}

/// What must go on arriving: for every taker of all the topologies to come its mailbox in one of them or, if it took the
/// event before, its old one; and every mailbox that is to get the event before and in all that come.
fn obligations(specs: &[&Spec], now_ms: u64) -> (Vec<Event>, Vec<Obligation>) {
    let mut wanted: BTreeMap<(Taker, BTreeSet<String>, String), Event> = BTreeMap::new();
    let mut boxes: BTreeMap<(String, String, Place), Event> = BTreeMap::new();
    let events: BTreeSet<Event> = specs.iter().flat_map(|spec| spec.events()).collect();
    for event in events {
        let expected: Vec<Vec<(Taker, String)>> = specs.iter().map(|spec| spec.expected(&event, now_ms)).collect();
        let Some((before, to_come)) = expected.split_first() else { continue };
        let after = to_come.last().unwrap_or(before);
        // A person's order to hold a route off is obeyed at once, also where its events came for another as well.
        let held_off: BTreeSet<String> =
            specs.iter().flat_map(|spec| spec.held_off(&event, now_ms)).map(|(_, mailbox)| mailbox).collect();
        let goes_on = |(taker, mailbox): &&(Taker, String)| *taker != Taker::OwnBus && !held_off.contains(mailbox);
        for (taker, mailbox) in after.iter().filter(goes_on) {
            let takes = |found: &Vec<(Taker, String)>| found.iter().any(|(other, _)| other == taker);
            if to_come.iter().all(takes) {
                let all = expected.iter().flatten().filter(|(other, _)| other == taker);
                let any_of: BTreeSet<String> = all.map(|(_, mailbox)| mailbox.clone()).collect();
                let publisher = format!("{}/{}", event.account, event.at.bus);
                wanted.entry((taker.clone(), any_of, publisher)).or_insert_with(|| event.clone());
            }
            let stays = expected
                .iter()
                .all(|found| found.iter().any(|(other, found)| found == mailbox && *other != Taker::OwnBus));
            if stays {
                let key = (mailbox.clone(), event.account.clone(), event.at.clone());
                boxes.entry(key).or_insert_with(|| event.clone());
            }
        }
    }
    let mut probes: Vec<Event> = Vec::new();
    let mut obligations = Vec::new();
    let mut oblige = |event: Event, any_of: BTreeSet<String>, about: String| {
        let probe = probes.iter().position(|probe| *probe == event).unwrap_or_else(|| {
            probes.push(event);
            probes.len() - 1
        });
        obligations.push(Obligation { probe, any_of, about, delivering: false });
    };
    for ((taker, any_of, _), event) in wanted {
        oblige(event, any_of, format!("{taker:?}"));
    }
    for ((mailbox, ..), event) in boxes {
        oblige(event, BTreeSet::from([mailbox.clone()]), format!("mailbox {mailbox}"));
    }
    (probes, obligations)
}

/// How often each event is in each mailbox, and where each came by.
type Arrived = (BTreeMap<(usize, String), usize>, BTreeMap<usize, BTreeSet<Scope>>);

/// Puts each event, and counts it in each mailbox.
pub(super) fn put_and_collect<'e>(
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
        let mut way = BTreeSet::from([(event.at.account.clone(), event.at.region.to_owned())]);
        way.extend(aws.trace()[before..].iter().filter_map(|record| scope_of(&record.target_arn)));
        ways.insert(probe, way);
    }
    let mut found = BTreeMap::new();
    for mailbox in boxes {
        let queued = aws.messages(mailbox).iter().map(|message| message.body.clone());
        let received = aws.received(mailbox).iter().map(ToString::to_string);
        for probe in queued.chain(received).filter_map(|body| probe_of(&body)) {
            *found.entry((probe, mailbox.clone())).or_default() += 1;
        }
    }
    (found, ways)
}

/// Account and Region of an ARN.
fn scope_of(arn: &str) -> Option<Scope> {
    let mut parts = arn.split(':').skip(3);
    let region = parts.next()?.to_owned();
    Some((parts.next()?.to_owned(), region))
}

fn probe_of(body: &str) -> Option<usize> {
    let (_, rest) = body.split_once("\"probe\":")?;
    let digits: String = rest.trim_start().chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}

/// The bus that a write is on, where the input names one.
fn written_bus(entry: &LogEntry) -> Option<String> {
    let text = |field: &str| entry.input[field].as_str().map(str::to_owned);
    match entry.operation.as_str() {
        "CreateEventBus" | "UpdateEventBus" => text("Name"),
        "TagResource" | "UntagResource" => {
            let arn: Arn = text("ResourceARN")?.parse().ok()?;
            arn.bus_and_rule_name().map(|(bus, _)| bus).or_else(|| arn.bus_name()).map(str::to_owned)
        }
        "CreateArchive" => text("EventSourceArn")?.rsplit_once('/').map(|(_, bus)| bus.to_owned()),
        _ => text("EventBusName"),
    }
}

/// Everything that lives and is kept, by path.
pub fn items(aws: &SimulatedAws, keep: impl Fn(&SnapshotItem<'_>) -> bool) -> BTreeMap<String, Value> {
    object(aws.snapshot(keep))
}

fn object(value: Value) -> BTreeMap<String, Value> {
    match value {
        Value::Object(items) => items.into_iter().collect(),
        _ => BTreeMap::new(),
    }
}

fn events_call(aws: &mut SimulatedAws, place: &Place, operation: &str, input: &Value) {
    let caller = Caller::root(&place.account);
    if let Err(error) = aws.call(&caller, place.region, Service::EventBridge, operation, input) {
        panic!("the test's own {operation} was refused: {error:?} for {input}");
    }
}

/// Somebody of the account puts a rule.
pub fn put_rule(aws: &mut SimulatedAws, place: &Place, rule: &str, description: &str, pattern: &str, tags: &Value) {
    let mut input = json!({"Name": rule, "EventBusName": place.bus, "EventPattern": pattern, "Tags": tags});
    if !description.is_empty() {
        input["Description"] = json!(description);
    }
    events_call(aws, place, "PutRule", &input);
}

/// Somebody of the account puts a target.
pub fn put_target(aws: &mut SimulatedAws, place: &Place, rule: &str, id: &str, arn: &str) {
    let input = json!({"Rule": rule, "EventBusName": place.bus, "Targets": [{"Id": id, "Arn": arn}]});
    events_call(aws, place, "PutTargets", &input);
}

/// The tags of something on a bus.
pub fn tags(aws: &mut SimulatedAws, place: &Place, arn: &str) -> Vec<Value> {
    let caller = Caller::root(&place.account);
    let input = json!({"ResourceARN": arn});
    let answer = aws.call(&caller, place.region, Service::EventBridge, "ListTagsForResource", &input).unwrap();
    answer["Tags"].as_array().cloned().unwrap_or_default()
}

/// Somebody of the account makes some other call about a bus.
pub fn others_call(aws: &mut SimulatedAws, place: &Place, operation: &str, input: &Value) {
    events_call(aws, place, operation, input);
}
