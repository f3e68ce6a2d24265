//! The oracle: what must hold, asked of the simulated AWS after every write and when all is done.
//!
//! It knows the [`Spec`], the simulated AWS's log and its delivery. It asks nothing of the planner: a route delivers if
//! an event that is put on a fork of the world is in the mailbox.

use crate::bounds::{Bounds, Count};
use crate::outage::Outage;
use crate::routes::Routes;
use crate::spec::{Place, REGIONS, Spec, inbox};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use wheelwright::call::Call;
use wheelwright::eventbridge::Arn;
use wheelwright::sim::{Caller, LogEntry, Outcome, Service, SimulatedAws, SnapshotItem, SnapshotKind};

/// What did not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, strum::VariantArray)]
pub enum Check {
    /// A route of the old and the new topology delivered, and after a write it did not.
    RouteInterrupted,
    /// What somebody changed by hand is not as it was when the sweep that sees it must be over.
    DriftOutlives,
    /// An account in trouble kept others waiting, or was not told.
    HeldUp,
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
/// What the ids of an owner's statements and targets begin with.
pub(super) fn ids_of(owner: &str) -> String {
    format!("ww_{owner}_")
}
/// The owner that most runs are about.
pub const OWNER: &str = "wheelwright";

/// In one of so many seeds the oracle doubts that asking some is enough.
const DOUBTED_EVERY: u64 = 16;
/// In one of so many it puts an event of every kind.
const THOROUGH_EVERY: u64 = 8;

/// Account and Region.
type Scope = (String, String);

#[derive(Clone, Default)]
pub(super) struct State {
    /// Whose operator is looked at.
    pub(super) owner: &'static str,
    routes: Routes,
    pub(super) foreign: BTreeMap<String, Value>,
    /// Where the operator has any business: buses, and for archives the scopes of hubs.
    buses: BTreeSet<Place>,
    inboxes: BTreeSet<Place>,
    hubs: BTreeSet<Place>,
    /// Whether the operator wrote a rule or a bus of a hub since this phase began: such writes bear the topology's place in the
    /// order.
    marked: bool,
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
    /// Whether another owner's rules deliver to the same mailboxes.
    shares_mailboxes: bool,
    /// Regions that nothing tells the operator of: no topology since its state was lost has named them.
    pub(super) forgotten: BTreeSet<&'static str>,
    /// Whether somebody put a target of theirs on a rule of ours: it cannot be deleted any more.
    tapped: bool,
}

#[derive(Clone)]
pub struct Oracle(Arc<Mutex<State>>);

impl Oracle {
    /// One that has seen nothing. In some seeds, or with `WHEELWRIGHT_DOUBT` in all, it asks everything after every write,
    /// and compares; in others it puts every kind of event.
    pub fn new(seed: u64) -> Self {
        Self::of(OWNER, seed)
    }

    /// The same for another owner's operator.
    pub fn of(owner: &'static str, seed: u64) -> Self {
        let mut state = State { owner, ..State::default() };
        if seed.is_multiple_of(DOUBTED_EVERY) || std::env::var("WHEELWRIGHT_DOUBT").is_ok() {
            state.routes.doubt();
        }
        if seed % THOROUGH_EVERY == 5 {
            state.routes.put_all();
        }
        Self(Arc::new(Mutex::new(state)))
    }

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

    /// The operator knows of no Region but those of its topology, `spec`.
    pub fn forget_regions(&self, spec: &Spec) {
        self.state().forgotten = &BTreeSet::from(REGIONS) - &spec.regions();
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
        let State { routes, outage, .. } = &mut *state;
        routes.watch(specs, aws, outage.as_ref());
        for spec in specs {
            state.allow_buses(spec);
        }
        state.hubs = specs.iter().flat_map(|spec| spec.hubs.iter().map(|hub| spec.hub_place(hub))).collect();
        state.marked = false;
        state.log_read = aws.log().len();
    }

    /// Whether the topology that is on its way left its mark, as far as its writes tell. One that finds all as it asks for writes
    /// nothing, for who would have each comment in a file written to AWS; an older one then sees nothing that is newer than it.
    pub fn left_its_mark(&self) -> bool {
        self.state().marked
    }

    /// An operator may write where this topology names buses.
    pub fn allow_buses(&self, spec: &Spec) {
        self.state().allow_buses(spec);
    }

    /// An operator may write on this bus.
    pub fn allow_bus(&self, place: Place) {
        self.state().buses.insert(place);
    }

    /// Whether an account answers nothing for now.
    pub fn hangs(&self, account: &str) -> bool {
        matches!(&self.state().outage, Some(Outage::Hangs(hung)) if hung == account)
    }

    /// Lets others write (drift, foreign things): what they add is foreign from now on, and what they break of a route
    /// is not held against the operator.
    pub fn others_write(&self, aws: &mut SimulatedAws, adds_foreign: bool, write: impl FnOnce(&mut SimulatedAws)) {
        let before = if adds_foreign { items(aws, |_| true) } else { BTreeMap::new() };
        write(aws);
        let mut state = self.state();
        if adds_foreign {
            let after = items(aws, |_| true);
            state.foreign.extend(after.into_iter().filter(|(path, _)| !before.contains_key(path)));
        }
        let read = state.log_read;
        aws.log()[read..].iter().for_each(|entry| state.forget_deleted(entry));
        state.log_read = aws.log().len();
        let State { routes, outage, .. } = &mut *state;
        routes.begin_anew(aws, outage.as_ref());
    }

    /// Others take back what is theirs.
    pub fn others_give_up(&self, aws: &mut SimulatedAws, path: &str, write: impl FnOnce(&mut SimulatedAws)) {
        self.state().foreign.remove(path);
        self.others_write(aws, false, write);
    }

    /// The operator is about to try a write.
    pub fn before_write(&self, aws: &SimulatedAws, scope: &wheelwright::model::ids::Scope, call: &Call) {
        let state = &mut *self.state();
        for detail in state.routes.before_write(scope, call, aws, state.outage.as_ref()) {
            state.violate(Check::RouteInterrupted, detail);
        }
    }

    /// From here on whatever is not this owner's is foreign: another owner's things among them.
    pub fn know_others(&self, aws: &SimulatedAws) {
        let mut state = self.state();
        let owner = state.owner;
        state.foreign = items(aws, |item| !is_item_of(item, owner));
    }

    /// Another owner's rules deliver to the same mailboxes.
    pub fn share_mailboxes(&self) {
        self.state().shares_mailboxes = true;
    }

    /// Another owner's operator has written: what is delivered here does not end by it, unless it was the other that
    /// delivered it.
    pub fn after_anothers_write(&self, aws: &SimulatedAws) {
        {
            let mut state = self.state();
            state.log_read = aws.log().len();
            let State { routes, outage, shares_mailboxes, .. } = &mut *state;
            if *shares_mailboxes {
                routes.begin_anew(aws, outage.as_ref());
            }
            for detail in routes.after_write(aws, outage.as_ref(), Some("another owner's write")) {
                state.violate(Check::NeighbourTouched, detail);
            }
        }
        self.know_others(aws);
    }

    /// Everything that delivered does so still, wherever something was written.
    pub fn ask_all(&self, aws: &SimulatedAws) {
        self.state().ask_all(aws);
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
            state.forget_deleted(entry);
            if let Some((bounds, count)) = &mut state.bounds {
                count.add(entry, bounds);
            }
            state.furnish(aws, entry);
        }
        state.log_read = aws.log().len();
        let places: BTreeSet<(Scope, Option<String>)> =
            done.iter().map(|entry| ((entry.account.clone(), entry.region.clone()), written_bus(entry))).collect();
        for ((account, region), bus) in &places {
            state.ask_foreign_in(aws, account, region, bus.as_deref());
        }
        let last = done.last().map(|entry| format!("{} {} {}", entry.operation, entry.account, entry.input));
        let State { routes, outage, .. } = &mut *state;
        for detail in routes.after_write(aws, outage.as_ref(), last.as_deref()) {
            state.violate(Check::RouteInterrupted, detail);
        }
    }

    /// All is done: every event of every publication is where it should be, and nowhere else; and nothing is left over.
    pub fn at_the_end(&self, old: &Spec, spec: &Spec, aws: &SimulatedAws, leftovers: bool) {
        let mut state = self.state();
        state.ask_all(aws);
        state.ask_foreign(aws);
        state.ask_mailboxes(old, spec, aws);
        state.ask_settings(spec, aws);
        if !leftovers {
            state.ask_leftovers(spec, aws);
        }
    }

    /// One account is in trouble: everything arrives that has nothing to do with it.
    pub fn ask_beside(&self, spec: &Spec, aws: &SimulatedAws, account: &str) {
        self.state().ask_mailboxes_beside(spec, aws, account);
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
        let bears_a_mark = matches!(entry.operation.as_str(), "PutRule" | "CreateEventBus" | "UpdateEventBus");
        self.marked |= bears_a_mark && written_bus(entry).is_some_and(|bus| self.is_hub(entry, &bus));
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

    /// What is deleted takes the tags that others put on it along, whoever makes it anew.
    fn forget_deleted(&mut self, entry: &LogEntry) {
        if entry.operation == "DeleteRule" && entry.outcome == Outcome::Ok {
            let LogEntry { account, region, input, .. } = entry;
            let text = |field: &str| input[field].as_str().unwrap_or("default");
            let path = format!("{account}/{region}/rule/{}/{}", text("EventBusName"), text("Name"));
            self.others_tags.remove(&path);
        }
    }

    fn is_hub(&self, entry: &LogEntry, bus: &str) -> bool {
        let is_it = |hub: &Place| hub.account == entry.account && hub.region == entry.region && hub.bus == bus;
        self.hubs.iter().any(is_it)
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

    fn ask_all(&mut self, aws: &SimulatedAws) {
        for detail in self.routes.ask_all(aws, self.outage.as_ref()) {
            self.violate(Check::RouteInterrupted, detail);
        }
    }

    fn ask_foreign(&mut self, aws: &SimulatedAws) {
        self.compare_foreign("", &items(aws, |_| true));
    }

    /// The same where something was just written: on a bus, or in a Region.
    fn ask_foreign_in(&mut self, aws: &SimulatedAws, account: &str, region: &str, bus: Option<&str>) {
        let Some(bus) = bus else {
            let live = aws.snapshot_in(account, region, |_| true);
            return self.compare_foreign(&format!("{account}/{region}/"), &object(live));
        };
        let live = object(aws.snapshot_of_bus(account, region, bus, |_| true));
        self.compare_foreign(&format!("{account}/{region}/bus/{bus}"), &live);
        for kind in ["statement", "rule", "target"] {
            self.compare_foreign(&format!("{account}/{region}/{kind}/{bus}/"), &live);
        }
    }

    fn compare_foreign(&mut self, prefix: &str, live: &BTreeMap<String, Value>) {
        let from_here = self.foreign.range(prefix.to_owned()..).take_while(|(path, _)| path.starts_with(prefix));
        // Without a slash at its end it is the path of one thing, which others' can begin with.
        let is_one = !prefix.is_empty() && !prefix.ends_with('/');
        let here = from_here.filter(|(path, _)| !is_one || path.len() == prefix.len());
        let changed: Vec<String> = here
            .filter(|(path, value)| live.get(*path) != Some(*value))
            .map(|(path, value)| format!("{path} was {value} and is {:?}", live.get(path)))
            .collect();
        for detail in changed {
            self.violate(Check::ForeignChanged, detail);
        }
    }
}

/// The simulated time.
pub(super) fn now_ms(aws: &SimulatedAws) -> u64 {
    u64::try_from(aws.now_ms()).unwrap()
}

/// Whether a rule's tags say that it is the operator's.
pub fn is_ours(rule: &Value) -> bool {
    is_owned(rule, OWNER)
}

/// Whether a rule's or a bus's tags say that it is this owner's.
pub fn is_owned(thing: &Value, owner: &str) -> bool {
    let mut tags = thing["Tags"].as_array().into_iter().flatten();
    tags.any(|tag| tag["Key"] == "wheelwright:owner" && tag["Value"] == owner)
}

/// Whether something that lives is this owner's, or made by AWS with what is somebody's.
fn is_item_of(item: &SnapshotItem<'_>, owner: &str) -> bool {
    match item.kind {
        SnapshotKind::Bus => is_owned(item.value, owner),
        SnapshotKind::Rule => is_owned(item.value, owner) || item.name.starts_with("Events-Archive-"),
        SnapshotKind::Statement => item.name.starts_with(&ids_of(owner)),
        SnapshotKind::Target => item.name.starts_with(&ids_of(owner)) || item.rule.starts_with("Events-Archive-"),
        SnapshotKind::Archive | SnapshotKind::Queue => item.name.starts_with("ww_"),
    }
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

pub fn object(value: Value) -> BTreeMap<String, Value> {
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
