//! What the tests over the simulated AWS share: the worked example, an operator at its door, and the events that
//! prove its routes.
//!
//! A [`Bench`] is one operator before one simulated AWS. It comes by two doors: `by_call` (no SDK: cheap) and `by_sdk`
//! (the shipped AWS edge with signing, sessions and error parsing, on tokio's paused clock). Every call moves the
//! simulated time to tokio's, so that what is logged there has the time at which it was made.
#![allow(dead_code)] // Each test crate takes what it needs.

pub(crate) mod probes;

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_async::time::{SharedTimeSource, TimeSource};
use aws_smithy_runtime_api::client::http::{HttpClient, SharedHttpClient};
use aws_types::SdkConfig;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::time::Instant;
use wheelwright::aws::{AwsFleet, AwsSettings, Connection};
use wheelwright::call::{Answer, Call, CallError};
use wheelwright::config::{self, Settings, SourceFiles};
use wheelwright::expand::expand;
use wheelwright::model::desired::{Desired, Revision};
use wheelwright::model::ids::{Moment, Scope};
use wheelwright::model::plan::Plan;
use wheelwright::model::topology::Topology;
use wheelwright::model::world::World;
use wheelwright::notify::{Surroundings, Switchboard};
use wheelwright::plan::{Approval, Refusal};
use wheelwright::port::{Clock, Fleet};
use wheelwright::reconcile::refresh::{Depth, RefreshSettings};
use wheelwright::reconcile::sweep::{Silent, SweepSettings, Sweeper, Swept};
use wheelwright::report::{Style, text};
use wheelwright::sim::call_door::SimFleet;
use wheelwright::sim::sdk_door::SimHttpClient;
use wheelwright::sim::{Caller, Service, SimulatedAws, SnapshotItem, SnapshotKind};
use wheelwright::{source, stage};

/// When the simulated time begins, in milliseconds since 1970: any day will do.
const BEGINNING_MS: u64 = 1_790_000_000_000;
/// The sequence of the example as it is in the repository; edits of it are newer.
pub(crate) const SEQUENCE: u64 = 1_000;

/// See [`Example::with_sydney`].
#[allow(dead_code)]
pub(crate) const SYDNEY: &str = "ap-southeast-2";
pub(crate) const SYDNEYS_FILE: &str = "topology/teams/sydney.toml";
pub(crate) const SYDNEYS_TEAM: &str = r##"[team]
name = "sydney"
contact = "#sydney"

[spoke.apac]
hub = "us"
account = "shipping-prod"
region = "ap-southeast-2"
bus = "sydney"

[publish.orders]
source = "com.acme.sydney"
subscribers = ["ledger"]
via = "spoke"
"##;

/// The folder of the worked example.
pub(crate) fn example_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("config")
}

/// A topology, read and expanded.
#[derive(Clone)]
pub(crate) struct Example {
    pub(crate) texts: BTreeMap<String, String>,
    pub(crate) settings: Settings,
    pub(crate) topology: Topology,
    pub(crate) desired: Desired,
}

impl Example {
    /// The worked example of the repository.
    pub(crate) fn worked() -> Self {
        let (files, _) = source::dir::read(&example_folder()).expect("the worked example is there");
        let texts = files.iter().map(|file| (file.path.to_string(), file.text.to_string())).collect();
        Self::of(texts, SEQUENCE)
    }

    /// These files, as the topology of this sequence.
    pub(crate) fn of(texts: BTreeMap<String, String>, sequence: u64) -> Self {
        let files = SourceFiles::new(texts.iter().map(|(path, text)| (path.as_str(), text.as_str())));
        let loaded = config::load(&files);
        let told = config::render(&loaded.diagnostics, &files, config::Style::Plain);
        let topology = loaded.topology.unwrap_or_else(|| panic!("the topology has mistakes:\n{told}"));
        let revision = Revision { id: format!("test-{sequence}"), sequence };
        let desired = expand(&topology, &loaded.settings, revision, Moment(BEGINNING_MS));
        Self { texts, settings: loaded.settings, topology, desired }
    }

    /// The next topology: in `path`, the text `from` (which must be there once) is now `to`.
    pub(crate) fn edited(&self, edits: &[(&str, &str, &str)]) -> Self {
        let mut texts = self.texts.clone();
        for (path, from, to) in edits {
            let text = texts.get_mut(*path).unwrap_or_else(|| panic!("{path} is not in the example"));
            assert_eq!(text.matches(from).count(), 1, "{from:?} is not once in {path}");
            *text = text.replace(from, to);
        }
        Self::of(texts, self.desired.revision.sequence + 1)
    }

    /// The next topology: with this at the end of `path`.
    pub(crate) fn with(&self, path: &str, more: &str) -> Self {
        let mut texts = self.texts.clone();
        texts.get_mut(path).unwrap_or_else(|| panic!("{path} is not in the example")).push_str(more);
        Self::of(texts, self.desired.revision.sequence + 1)
    }

    /// The next topology: with a team in a Region that nothing else of the example is in, whose events go on to the American hub.
    #[allow(dead_code)] // Not in every test that has these.
    pub(crate) fn with_sydney(&self) -> Self {
        let mut texts = self.texts.clone();
        texts.insert(SYDNEYS_FILE.to_owned(), SYDNEYS_TEAM.to_owned());
        Self::of(texts, self.desired.revision.sequence + 1)
    }

    /// The same files, committed again.
    pub(crate) fn newer(&self) -> Self {
        Self::of(self.texts.clone(), self.desired.revision.sequence + 1)
    }

    /// The same topology, looked at at another time.
    pub(crate) fn at(&self, time: &str) -> Self {
        let now = Moment(u64::try_from(time.parse::<jiff::Timestamp>().unwrap().as_millisecond()).unwrap());
        let desired = expand(&self.topology, &self.settings, self.desired.revision.clone(), now);
        Self { desired, ..self.clone() }
    }

    /// The accounts before wheelwright first looks at them.
    pub(crate) fn stage(&self) -> SimulatedAws {
        let mut aws = stage::stage(&self.topology, &self.settings, &self.desired);
        aws.set_now_ms(i64::try_from(BEGINNING_MS).unwrap());
        aws
    }
}

/// Nobody to tell.
pub(crate) fn no_alerts() -> Arc<Switchboard> {
    let surroundings = Surroundings { config: SdkConfig::builder().build(), endpoint_url: None };
    Arc::new(Switchboard::new(surroundings, |_| None))
}

/// One operator with one topology before one simulated AWS.
pub(crate) struct Bench<F> {
    pub(crate) example: Example,
    pub(crate) world: Arc<Mutex<SimulatedAws>>,
    pub(crate) fleet: Timely<F>,
    pub(crate) clock: SimulatedClock,
    pub(crate) settings: SweepSettings,
}

impl Bench<SimFleet> {
    /// By the Call door.
    pub(crate) fn by_call(example: &Example, aws: SimulatedAws) -> Self {
        let world = Arc::new(Mutex::new(aws));
        let fleet = SimFleet::new(Arc::clone(&world), stage::operator(&example.settings));
        Self::new(example, world, fleet)
    }
}

impl Bench<AwsFleet> {
    /// By the SDK door.
    pub(crate) fn by_sdk(example: &Example, aws: SimulatedAws) -> Self {
        Self::by_http(example, aws, |client| client)
    }

    /// By the SDK door, with something of one's own before the HTTP client.
    pub(crate) fn by_http<H: HttpClient + 'static>(
        example: &Example,
        mut aws: SimulatedAws,
        wrap: impl FnOnce(SimHttpClient) -> H,
    ) -> Self {
        let key = aws.mint_root_key(stage::OPERATOR_ACCOUNT);
        let world = Arc::new(Mutex::new(aws));
        let clock = SimulatedClock::new(&world);
        let base = Credentials::new(key.access_key_id, key.secret_access_key, key.session_token, None, "test");
        let connection = Connection::new(
            SharedHttpClient::new(wrap(SimHttpClient::new(Arc::clone(&world)))),
            SharedCredentialsProvider::new(base),
            SharedTimeSource::new(clock),
        );
        let operator = &example.settings.operator;
        let mut settings = AwsSettings::new(&operator.role_name);
        settings.external_id.clone_from(&operator.external_id);
        settings.session_name.clone_from(&operator.session_name);
        settings.sts_region = operator.region.as_ref().map(ToString::to_string);
        settings.retry_jitter = false;
        Self::new(example, world, AwsFleet::new(settings, connection))
    }
}

impl<F: Fleet> Bench<F> {
    fn new(example: &Example, world: Arc<Mutex<SimulatedAws>>, fleet: F) -> Self {
        let clock = SimulatedClock::new(&world);
        let fleet = Timely { fleet, world: Arc::clone(&world), clock };
        let settings = SweepSettings {
            refresh: RefreshSettings { depth: Depth::Full, scopes_in_flight_max: 64, scope_deadline_ms: 60_000 },
            plan: example.settings.guards.clone(),
            settle_ms: 0,
        };
        Self { example: example.clone(), world, fleet, clock, settings }
    }

    pub(crate) fn aws(&self) -> MutexGuard<'_, SimulatedAws> {
        self.world.lock().unwrap()
    }

    /// Looks at every scope and plans.
    pub(crate) async fn plan(&self) -> (World, Plan) {
        let sweeper = self.sweeper(&self.fleet, &self.clock);
        let world = sweeper.look().await;
        let plan = sweeper.plan(&world);
        (world, plan)
    }

    /// Applies of an earlier plan what no guard holds.
    pub(crate) async fn apply(&self, world: World, plan: &Plan) -> Swept {
        let sweeper = self.sweeper(&self.fleet, &self.clock);
        sweeper.apply(world, plan, &Approval::default()).await.expect("no guard was named and no plan")
    }

    /// Looks, plans and applies what no guard holds.
    pub(crate) async fn sweep(&self) -> Swept {
        self.sweep_with(&self.clock, &Approval::default()).await.expect("no guard was named and no plan")
    }

    /// The same, with another clock and what a person let go.
    pub(crate) async fn sweep_with<C: Clock>(&self, clock: &C, approval: &Approval) -> Result<Swept, Refusal> {
        self.sweep_by(&self.fleet, clock, approval).await
    }

    /// The same, by a decorated fleet.
    pub(crate) async fn sweep_by<G: Fleet, C: Clock>(
        &self,
        fleet: &G,
        clock: &C,
        approval: &Approval,
    ) -> Result<Swept, Refusal> {
        let sweeper = self.sweeper(fleet, clock);
        let world = sweeper.look().await;
        let plan = sweeper.plan(&world);
        sweeper.apply(world, &plan, approval).await
    }

    fn sweeper<'a, G, C>(&'a self, fleet: &'a G, clock: &'a C) -> Sweeper<'a, G, C, Silent> {
        Sweeper { fleet, clock, listener: &Silent, desired: &self.example.desired, settings: &self.settings }
    }

    /// The plan as a person reads it.
    pub(crate) fn shown(&self, plan: &Plan) -> String {
        let names = self.example.topology.accounts.iter().map(|(name, account)| (account.id, name.clone())).collect();
        text::plan(plan, &names, Style::Plain)
    }

    /// Fails unless the sweep did all that it planned and there is nothing left to do.
    pub(crate) fn assert_in_step(&self, swept: &Swept) {
        let failures: Vec<String> = swept.failures().map(|(key, outcome)| format!("{key}: {outcome:?}")).collect();
        assert!(swept.in_step(), "{}\n{}", failures.join("\n"), self.shown(&swept.after));
    }
}

/// Calls that move the simulated time to tokio's before they are made.
pub(crate) struct Timely<F> {
    pub(crate) fleet: F,
    world: Arc<Mutex<SimulatedAws>>,
    clock: SimulatedClock,
}

impl<F: Fleet> Fleet for Timely<F> {
    async fn call(&self, scope: &Scope, call: Call) -> Result<Answer, CallError> {
        let now_ms = i64::try_from(Clock::now(&self.clock).0).unwrap();
        self.world.lock().unwrap().set_now_ms(now_ms);
        self.fleet.call(scope, call).await
    }
}

/// The simulated time: it goes on with tokio's clock, which tests pause. The SDK signs by it, too.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SimulatedClock {
    since: Instant,
    beginning_ms: u64,
}

impl SimulatedClock {
    fn new(world: &Mutex<SimulatedAws>) -> Self {
        let beginning_ms = u64::try_from(world.lock().unwrap().now_ms()).unwrap();
        Self { since: Instant::now(), beginning_ms }
    }
}

impl Clock for SimulatedClock {
    fn now(&self) -> Moment {
        Moment(self.beginning_ms + u64::try_from(self.since.elapsed().as_millis()).unwrap())
    }

    #[allow(clippy::disallowed_methods)] // Waiting has its name here.
    async fn wait_ms(&self, milliseconds: u64) {
        tokio::time::sleep(Duration::from_millis(milliseconds)).await;
    }
}

impl TimeSource for SimulatedClock {
    fn now(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_millis(Clock::now(self).0)
    }
}

/// A person of `account` at its console: raw calls, as root.
pub(crate) struct Hands<'a> {
    pub(crate) aws: &'a mut SimulatedAws,
}

impl Hands<'_> {
    /// Takes a bus away with everything on it.
    #[allow(dead_code)] // Not in every test that has these.
    pub(crate) fn delete_bus(&mut self, account: &str, region: &str, bus: &str) {
        let rules = self.call(account, region, "ListRules", json!({"EventBusName": bus}));
        for rule in rules["Rules"].as_array().unwrap() {
            self.remove_targets(account, region, bus, rule["Name"].as_str().unwrap());
            self.call(account, region, "DeleteRule", json!({"EventBusName": bus, "Name": rule["Name"]}));
        }
        self.call(account, region, "DeleteEventBus", json!({"Name": bus}));
    }

    /// Takes away all that a rule delivers to.
    #[allow(dead_code)] // Not in every test that has these.
    pub(crate) fn remove_targets(&mut self, account: &str, region: &str, bus: &str, rule: &str) {
        let named = json!({"EventBusName": bus, "Rule": rule});
        let targets = self.call(account, region, "ListTargetsByRule", named.clone());
        let ids: Vec<&Value> = targets["Targets"].as_array().unwrap().iter().map(|target| &target["Id"]).collect();
        let mut removal = named;
        removal["Ids"] = json!(ids);
        if !ids.is_empty() {
            self.call(account, region, "RemoveTargets", removal);
        }
    }

    /// A call that must succeed.
    #[allow(clippy::needless_pass_by_value)] // It is written where it is passed.
    pub(crate) fn call(&mut self, account: &str, region: &str, operation: &str, input: Value) -> Value {
        let answer = self
            .aws
            .call(&Caller::root(account), region, Service::EventBridge, operation, &input)
            .unwrap_or_else(|error| panic!("{operation} {input} in {account}: {error:?}"));
        let failed =
            answer.get("FailedEntries").and_then(|entries| entries.as_array()).is_some_and(|list| !list.is_empty());
        assert!(!failed, "{operation} {input} in {account}: {answer}");
        answer
    }
}

/// Whether a thing in a snapshot is wheelwright's: by the names and ids that it gives its things, and the rules that
/// AWS makes with our archives.
pub(crate) fn is_ours(item: &SnapshotItem<'_>) -> bool {
    if item.rule.starts_with("Events-Archive-ww") {
        return true;
    }
    match item.kind {
        SnapshotKind::Statement | SnapshotKind::Archive => item.name.starts_with("ww"),
        SnapshotKind::Target => item.rule.starts_with("ww.") && item.name.starts_with("ww"),
        SnapshotKind::Rule => item.name.starts_with("ww."),
        SnapshotKind::Bus => item.name != "default",
        SnapshotKind::Queue => false,
    }
}

/// What differs between two snapshots, a line each.
pub(crate) fn difference(before: &Value, after: &Value) -> Vec<String> {
    let entries = |picture: &Value| picture.as_object().cloned().unwrap_or_default();
    let (before, after) = (entries(before), entries(after));
    let keys: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let text = |value: Option<&Value>| value.map_or("absent".to_owned(), Value::to_string);
    keys.into_iter()
        .filter(|key| before.get(*key) != after.get(*key))
        .map(|key| format!("{key}: {} -> {}", text(before.get(key)), text(after.get(key))))
        .collect()
}
