//! One process of the program, put together as the commands do it: it starts, sweeps once and ends, or dies on the way.

use crate::bugs::{self, Mutated};
use crate::clock::{SimClock, Timeline};
use crate::hands::Meddler;
use crate::hearing::{Hearing, Overheard};
use crate::listen::{Forks, Hearer, Watched};
use crate::mutants::Mutant;
use crate::oracle::Oracle;
use crate::rng::Rng;
use crate::trouble::Trouble;
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_async::time::SharedTimeSource;
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use wheelwright::aws::{AwsFleet, AwsSettings, Connection};
use wheelwright::call::{Answer, Call, CallError};
use wheelwright::model::desired::Desired;
use wheelwright::model::ids::Scope;
use wheelwright::model::plan::{Guard, Plan, PlanSettings};
use wheelwright::plan::Approval;
use wheelwright::port::Fleet;
use wheelwright::reconcile::pace::{Pace, Paced};
use wheelwright::reconcile::refresh::{Depth, RefreshSettings};
use wheelwright::reconcile::sweep::{SweepSettings, Sweeper, Swept};
use wheelwright::sim::SimulatedAws;
use wheelwright::sim::call_door::SimFleet;
use wheelwright::sim::fault::FaultyFleet;
use wheelwright::sim::http_faults::HttpFaults;
use wheelwright::sim::sdk_door::SimHttpClient;

/// What a process is made of.
pub struct Process {
    pub fleet: SimFleet,
    /// The shipped edge, where it comes in by the SDK door.
    pub sdk: Option<SdkDoor>,
    pub oracle: Oracle,
    /// Another owner's, who has things in the same accounts.
    pub neighbour: Option<Oracle>,
    pub wanted: Arc<Desired>,
    pub trouble: Trouble,
    pub approval: Approval,
    pub guards: PlanSettings,
    /// Keeps its calls to this pace, which the oracle then asks for.
    pub pace: Option<Pace>,
    /// Goes by tokio's time; else the world's time stands still but for its own waiting.
    pub timeline: Option<Timeline>,
    /// Each call takes some of this long, so that processes side by side mix.
    pub delay: Option<(Rng, u64)>,
    pub forks: Option<Forks>,
    /// The world of some time before, where the first look may be stale.
    pub earlier: Option<SimFleet>,
    pub mutant: Option<Mutant>,
    pub seed: u64,
}

/// The base credentials and what they are good for.
#[derive(Clone)]
pub struct SdkDoor {
    pub world: Arc<Mutex<SimulatedAws>>,
    pub key: Credentials,
}

/// What a process came to.
pub struct Ended {
    pub plan: Plan,
    pub after: Plan,
    pub in_step: bool,
    pub failures: Vec<String>,
    /// The faults that struck, each by its kind: of calls and of requests on the wire.
    pub struck: Vec<&'static str>,
    pub struck_on_the_wire: Vec<&'static str>,
    pub crashed: bool,
}

impl SdkDoor {
    fn fleet(&self, clock: SimClock, faults: HttpFaults) -> AwsFleet {
        let client = SimHttpClient::new(Arc::clone(&self.world)).with_faults(faults);
        let connection = Connection::new(
            SharedHttpClient::new(client),
            SharedCredentialsProvider::new(self.key.clone()),
            SharedTimeSource::new(clock),
        );
        let mut settings = AwsSettings::new("wheelwright-operator");
        settings.sts_region = Some("us-east-1".to_owned());
        settings.retry_jitter = false;
        AwsFleet::new(settings, connection)
    }
}

impl Process {
    /// From its start to its end.
    pub async fn run(self) -> Ended {
        let http = HttpFaults::default();
        let clock = SimClock { fleet: self.fleet.clone(), timeline: self.timeline };
        let watched = self.watched(&clock, &http);
        let Self {
            fleet, oracle, wanted, trouble, approval, guards, pace, timeline, delay, earlier, mutant, seed, ..
        } = self;
        oracle.reads_lie(trouble.lies());
        oracle.note(&format!("sweep for sequence {}: {trouble:?}", wanted.revision.sequence));
        let earlier = earlier.map(Watched::by_nobody);
        let faulty = FaultyFleet::new(watched, trouble.schedule).with_forks(Watched::fork).with_earlier(earlier);
        let hearing = Hearing::new(oracle.clone(), pace);
        let overheard = Overheard { inner: &faulty, hearing: hearing.clone() };
        let scopes: Vec<Scope> = wanted.scopes.iter().cloned().collect();
        let mutated = Mutated::new(overheard, mutant, scopes, seed, fleet.clone());
        let keeps_pace = pace.filter(|_| mutant != Some(Mutant::PaceForgotten));
        let delayed = Delayed { inner: AtPace::new(mutated, keeps_pace), delay: delay.map(Mutex::new) };
        let listener = Hearer { oracle: oracle.clone(), hearing: hearing.clone(), fleet: fleet.clone() };
        let settle_ms = fleet.world().settings.settle_ms;
        let settings = SweepSettings {
            refresh: RefreshSettings { depth: Depth::Full, scopes_in_flight_max: 64, scope_deadline_ms: 60_000 },
            plan: guards,
            settle_ms: if settle_ms > 0 { u64::try_from(settle_ms).unwrap() + 1_000 } else { 0 },
        };
        let sweeper =
            Sweeper { fleet: &delayed, clock: &clock, listener: &listener, desired: &wanted, settings: &settings };
        let (plan, swept) = match mutant.filter(|mutant| mutant.is_in_the_sweep()) {
            Some(mutant) => bugs::sweep(&sweeper, &approval, mutant).await,
            None => {
                let world = sweeper.look().await;
                let plan = sweeper.plan(&world);
                let swept = sweeper.apply(world, &plan, &approval).await.unwrap();
                (plan, swept)
            }
        };
        if let Some(timeline) = timeline {
            timeline.set(&mut fleet.world());
        }
        faulty.inner().ended();
        ended(plan, swept, &faulty, &http)
    }

    /// The accounts with the oracle, others' hands and trouble at them.
    fn watched(&self, clock: &SimClock, http: &HttpFaults) -> Watched {
        let trouble = &self.trouble;
        for rule in &trouble.http {
            http.add(rule.clone());
        }
        let meddler =
            (trouble.meddling_percent > 0).then(|| Meddler::new(trouble, self.wanted.rules.keys().cloned().collect()));
        let watched = Watched::new(self.fleet.clone(), self.oracle.clone())
            .by_sdk(self.sdk.as_ref().map(|sdk| sdk.fleet(clock.clone(), http.clone())))
            .with_failing_entries(trouble.seed, trouble.failing_entries_percent)
            .with_meddler(meddler)
            .beside(self.neighbour.clone())
            .keeping_forks(self.forks.clone());
        match self.timeline {
            Some(timeline) => watched.with_time(timeline),
            None => watched,
        }
    }
}

fn ended(plan: Plan, swept: Swept, faulty: &FaultyFleet<Watched>, http: &HttpFaults) -> Ended {
    Ended {
        plan,
        in_step: swept.in_step(),
        failures: swept.failures().map(|(key, outcome)| format!("{key}: {outcome:?}")).collect(),
        after: swept.after,
        struck: faulty.happened().into_iter().map(|(_, fault, _)| fault.into()).collect(),
        struck_on_the_wire: http.happened().into_iter().map(|record| record.fault.into()).collect(),
        crashed: faulty.has_crashed(),
    }
}

/// Guards are not the subject of most sweeps: what a person may let go is let go, as by one who has seen the plan and told
/// the publishers.
pub fn a_persons_approval() -> Approval {
    let allow = BTreeSet::from([Guard::TooManyBreaks, Guard::TooManyChanges, Guard::PublishersMove]);
    Approval { allow, plan_id: None }
}

/// The usual pace of the program.
pub fn usual_pace() -> Pace {
    let number = |number| NonZeroU32::new(number).unwrap();
    Pace { calls_per_second: number(15), burst: number(30) }
}

/// Calls at a pace, or as they come.
pub enum AtPace<F> {
    Paced(Box<Paced<F>>),
    Free(F),
}

impl<F> AtPace<F> {
    pub fn new(fleet: F, pace: Option<Pace>) -> Self {
        match pace {
            Some(pace) => Self::Paced(Box::new(Paced::new(fleet, pace, BTreeMap::new()))),
            None => Self::Free(fleet),
        }
    }
}

impl<F: Fleet> Fleet for AtPace<F> {
    async fn call(&self, scope: &Scope, call: Call) -> Result<Answer, CallError> {
        match self {
            Self::Paced(fleet) => fleet.call(scope, call).await,
            Self::Free(fleet) => fleet.call(scope, call).await,
        }
    }
}

/// Calls that each take their time.
struct Delayed<F> {
    inner: F,
    delay: Option<Mutex<(Rng, u64)>>,
}

impl<F: Fleet> Fleet for Delayed<F> {
    #[allow(clippy::disallowed_methods)] // The network's time, which no clock of ours is asked for.
    async fn call(&self, scope: &Scope, call: Call) -> Result<Answer, CallError> {
        if let Some(delay) = &self.delay {
            let milliseconds = {
                let mut delay = delay.lock().unwrap();
                let most = delay.1;
                delay.0.next() % (most + 1)
            };
            tokio::time::sleep(Duration::from_millis(milliseconds)).await;
        }
        self.inner.call(scope, call).await
    }
}
