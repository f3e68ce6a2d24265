//! The oracle: what must hold, asked of the simulated AWS after every write and when all is done.
//!
//! It knows the [`Spec`], the simulated AWS's log and its delivery. It asks nothing of the planner: a route delivers if
//! an event that is put on a fork of the world is in the mailbox.

use crate::samples::SAMPLES;
use crate::spec::{Event, Place, Spec, Taker, inbox};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use wheelwright::call::{Answer, Call, CallError};
use wheelwright::eventbridge::Arn;
use wheelwright::model::ids::Scope;
use wheelwright::sim::{Caller, EventEntry, LogEntry, Outcome, Service, SimulatedAws, SnapshotItem};

/// What did not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
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
    /// The program (or this test) panicked.
    Panicked,
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
    readings: BTreeMap<Scope, Reading>,
    /// Reads can lie (stale): what a step reports is then not held against it.
    reads_lie: bool,
    /// What was called and what came of it, where one seed is shown.
    told: bool,
    /// What an account denies for now, to the operator; the account's own people may still.
    denied: Option<(String, &'static str)>,
    /// Of each call, in their order, whether it writes.
    calls: Vec<bool>,
}

/// How far a scope's refresh got.
#[derive(Clone, Default)]
struct Reading {
    under_way: bool,
    failed: usize,
    /// Listings whose next page was not asked for, or did not come.
    open: BTreeSet<String>,
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

    /// For now an account denies an action, or none does any more.
    pub fn deny(&self, aws: &mut SimulatedAws, denied: Option<(String, &'static str)>) {
        let mut state = self.state();
        if let Some((account, action)) = &state.denied {
            aws.undo_deny(account, action);
        }
        if let Some((account, action)) = &denied {
            aws.deny(account, action);
        }
        state.denied = denied;
    }

    /// The numbers of the calls of this process that write, the first call being 1.
    pub fn write_numbers(&self) -> Vec<u64> {
        let state = self.state();
        (1..).zip(&state.calls).filter(|(_, writes)| **writes).map(|(number, _)| number).collect()
    }

    /// From here on, what both topologies deliver must go on being delivered.
    pub fn watch(&self, old: &Spec, new: &Spec, aws: &SimulatedAws) {
        let mut state = self.state();
        (state.probes, state.obligations) = obligations(old, new, now_ms(aws));
        for spec in [old, new] {
            state.buses.extend(spec.hubs.iter().map(|hub| spec.hub_place(hub)));
            state.buses.extend(spec.spokes().map(|spoke| spec.spoke_place(spoke)));
            state.buses.extend(spec.default_buses());
            state.inboxes.extend(spec.spokes().map(|spoke| spec.spoke_place(spoke)));
        }
        state.log_read = aws.log().len();
        state.ask_routes(aws, None);
    }

    /// A process starts: it has read nothing.
    pub fn process_starts(&self) {
        let mut state = self.state();
        state.readings.clear();
        state.calls.clear();
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
        state.ask_routes(aws, None);
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
            state.furnish(aws, entry);
        }
        state.log_read = aws.log().len();
        state.ask_foreign(aws);
        let last = done.last().map(|entry| format!("{} {} {}", entry.operation, entry.account, entry.input));
        state.ask_routes(aws, last.as_deref());
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
        if let Some((account, action)) = &self.denied {
            aws.undo_deny(account, action);
        }
        put_rule(aws, &place, INBOX_RULE, "the team's own", r#"{"source":[{"prefix":""}]}"#, &json!([]));
        put_target(aws, &place, INBOX_RULE, "inbox", &inbox(&place));
        if let Some((account, action)) = &self.denied {
            aws.deny(account, action);
        }
        aws.settings.settle_ms = settle_ms;
        let added = items(aws, |item| {
            let here = item.account == place.account && item.region == place.region && item.bus == place.bus;
            here && item.rule == INBOX_RULE
        });
        self.foreign.extend(added);
    }

    fn ask_foreign(&mut self, aws: &SimulatedAws) {
        let live = items(aws, |_| true);
        let changed: Vec<String> = self
            .foreign
            .iter()
            .filter(|(path, value)| live.get(*path) != Some(*value))
            .map(|(path, value)| format!("{path} was {value} and is {:?}", live.get(path)))
            .collect();
        for detail in changed {
            self.violate(Check::ForeignChanged, detail);
        }
    }

    /// Puts the probes on a fork, as things are now and as they are when all writes have taken effect. With `write`,
    /// whoever got its event before and does not now was interrupted by it.
    fn ask_routes(&mut self, aws: &SimulatedAws, write: Option<&str>) {
        let settle_ms = aws.settings.settle_ms;
        let mut when = vec![0];
        if settle_ms > 0 {
            when.push(settle_ms);
        }
        let mut now_delivering = vec![true; self.obligations.len()];
        for later_ms in when {
            let mut fork = aws.clone();
            fork.advance_ms(later_ms);
            if let Some((account, action)) = &self.denied {
                fork.undo_deny(account, action);
            }
            let boxes = self.obligations.iter().flat_map(|obligation| &obligation.any_of).cloned().collect();
            let events = self.probes.clone();
            let arrived = put_and_collect(&mut fork, &events, &boxes);
            let mut interrupted = Vec::new();
            for (at, obligation) in self.obligations.iter().enumerate() {
                let found =
                    obligation.any_of.iter().any(|queue| arrived.contains_key(&(obligation.probe, queue.clone())));
                now_delivering[at] &= found;
                if obligation.delivering && !found {
                    let event = &events[obligation.probe];
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

/// What must go on arriving: for every taker of the new topology its new mailbox or, if it took the event before, its
/// old one; and every mailbox that is to get the event before and after.
fn obligations(old: &Spec, new: &Spec, now_ms: u64) -> (Vec<Event>, Vec<Obligation>) {
    let mut wanted: BTreeMap<(Taker, BTreeSet<String>, String), Event> = BTreeMap::new();
    let mut boxes: BTreeMap<(String, String, Place), Event> = BTreeMap::new();
    let events: BTreeSet<Event> = new.events().into_iter().chain(old.events()).collect();
    for event in events {
        let before = old.expected(&event, now_ms);
        let after = new.expected(&event, now_ms);
        for (taker, mailbox) in after.iter().filter(|(taker, _)| *taker != Taker::OwnBus) {
            let mut any_of = BTreeSet::from([mailbox.clone()]);
            any_of.extend(before.iter().filter(|(other, _)| other == taker).map(|(_, mailbox)| mailbox.clone()));
            let publisher = format!("{}/{}", event.account, event.at.bus);
            wanted.entry((taker.clone(), any_of, publisher)).or_insert_with(|| event.clone());
            let stays = before.iter().any(|(other, found)| found == mailbox && *other != Taker::OwnBus);
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

/// Puts each event, and counts it in each mailbox: by its place in `events`, and by mailbox.
pub(super) fn put_and_collect(
    aws: &mut SimulatedAws,
    events: &[Event],
    boxes: &BTreeSet<String>,
) -> BTreeMap<(usize, String), usize> {
    for (probe, event) in events.iter().enumerate() {
        let bus = Arn::bus(event.at.region, &event.at.account, &event.at.bus).to_string();
        let entry = EventEntry::new(&bus, &event.source, event.kind, SAMPLES[event.sample].detail(probe));
        if event.is_a_services() {
            aws.service_event(&event.account, event.at.region, &entry);
            continue;
        }
        // Who may not put it has not put it.
        let _ = aws.put_event(&Caller::root(&event.account), event.at.region, &entry);
    }
    let mut found = BTreeMap::new();
    for mailbox in boxes {
        let queued = aws.messages(mailbox).iter().map(|message| message.body.clone());
        let received = aws.received(mailbox).iter().map(ToString::to_string);
        for probe in queued.chain(received).filter_map(|body| probe_of(&body)) {
            *found.entry((probe, mailbox.clone())).or_default() += 1;
        }
    }
    found
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
    match aws.snapshot(keep) {
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

impl Oracle {
    pub fn asked(&self, scope: &Scope, call: &Call) {
        let mut state = self.state();
        state.calls.push(call.is_write());
        if let Call::ListEventBuses { next_token: None } = call {
            state.readings.insert(scope.clone(), Reading { under_way: true, ..Reading::default() });
        }
        let takes_away =
            matches!(call, Call::RemovePermission { .. } | Call::RemoveTargets { .. } | Call::DeleteRule { .. });
        if !takes_away {
            return;
        }
        let doubt = match state.readings.get(scope) {
            None => Some("it was not read".to_owned()),
            Some(Reading { failed, open, .. }) if *failed > 0 || !open.is_empty() => {
                Some(format!("{failed} reads failed, and these listings were not read to their ends: {open:?}"))
            }
            Some(_) => None,
        };
        if let Some(doubt) = doubt {
            state.violate(Check::BreakOnDoubt, format!("{call:?} in {scope}: {doubt}"));
        }
    }

    pub fn answered(&self, scope: &Scope, call: &Call, answer: &Result<Answer, CallError>) {
        let mut state = self.state();
        let Some(reading) = state.readings.get_mut(scope).filter(|reading| reading.under_way) else { return };
        if call.is_write() {
            return;
        }
        let Some((listing, goes_on)) = listing(call, answer) else {
            reading.failed += usize::from(answer.is_err());
            return;
        };
        reading.failed += usize::from(answer.is_err());
        if goes_on {
            reading.open.insert(listing);
        } else if answer.is_ok() {
            reading.open.remove(&listing);
        }
    }

    pub fn refresh_ended(&self, scope: &Scope) {
        if let Some(reading) = self.state().readings.get_mut(scope) {
            reading.under_way = false;
        }
    }
}

/// Which listing a call is a page of, and whether there is more of it.
fn listing(call: &Call, answer: &Result<Answer, CallError>) -> Option<(String, bool)> {
    let name = match call {
        Call::ListEventBuses { .. } => "buses".to_owned(),
        Call::ListRules { bus, .. } => format!("rules of {bus}"),
        Call::ListTargetsByRule { bus, rule, .. } => format!("targets of {bus}/{rule}"),
        Call::ListArchives { .. } => "archives".to_owned(),
        _ => return None,
    };
    let goes_on = match answer {
        Ok(Answer::Buses(page)) => page.next_token.is_some(),
        Ok(Answer::Rules(page)) => page.next_token.is_some(),
        Ok(Answer::Targets(page)) => page.next_token.is_some(),
        Ok(Answer::Archives(page)) => page.next_token.is_some(),
        _ => false,
    };
    Some((name, goes_on))
}
