//! A daemon on the simulated AWS in this process, with a real clock and a real listener on loopback.

use crate::support::{Example, SEQUENCE, no_alerts};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use wheelwright::config::SourceFiles;
use wheelwright::daemon::config::{Fetched, Source};
use wheelwright::daemon::{Daemon, Handle, Parts, Status};
use wheelwright::http::{self, Token};
use wheelwright::model::desired::Revision;
use wheelwright::model::finding::FindingCode;
use wheelwright::model::ids::{Moment, SubscriptionId};
use wheelwright::model::resource::RuleId;
use wheelwright::model::route::Consumer;
use wheelwright::port::Clock;
use wheelwright::sim::call_door::SimFleet;
use wheelwright::sim::{Caller, DeliveryRecord, EventEntry, Service, SimulatedAws};
use wheelwright::stage;
use wheelwright::store::Store;
use wheelwright::telemetry::{Metered, Metrics};

/// What the daemons of these tests are told: to look often.
pub(crate) const SETTINGS: &str = "
[mode]
default = \"enforce\"
[sweep]
fast-every-secs = 1
gap-secs-min = 0
start-jitter-secs-max = 0
";

/// The token of every daemon here.
pub(crate) const TOKEN: &str = "correct-horse-battery-staple";

/// The machine's clock.
#[derive(Clone, Copy)]
pub(crate) struct RealClock;

impl Clock for RealClock {
    fn now(&self) -> Moment {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        Moment(u64::try_from(since.as_millis()).unwrap())
    }
    async fn wait_ms(&self, milliseconds: u64) {
        tokio::time::sleep(Duration::from_millis(milliseconds)).await;
    }
}

struct Fixed(SourceFiles);

impl Source for Fixed {
    fn fetch(&self) -> Result<Fetched, String> {
        Ok(Fetched::of(self.0.clone(), Revision { id: "abc1234".into(), sequence: SEQUENCE }))
    }
}

/// A daemon that is served.
pub(crate) struct Served {
    pub(crate) address: SocketAddr,
    pub(crate) handle: Handle,
    pub(crate) example: Example,
    world: Arc<Mutex<SimulatedAws>>,
    end: watch::Sender<bool>,
    pub(crate) server: JoinHandle<()>,
    end_daemon: watch::Sender<bool>,
    daemon: Option<std::thread::JoinHandle<()>>,
}

/// The worked example with these settings more, served as if on `listen` (none: where it really is).
pub(crate) async fn serve(more: &str, listen: Option<SocketAddr>) -> Served {
    serve_texts(Example::worked().texts, more, listen).await
}

/// The same of these files.
pub(crate) async fn serve_texts(mut texts: BTreeMap<String, String>, more: &str, listen: Option<SocketAddr>) -> Served {
    texts.get_mut("wheelwright.toml").unwrap().push_str(&format!("{SETTINGS}{more}"));
    let files = SourceFiles::new(texts.iter().map(|(path, text)| (path.as_str(), text.as_str())));
    let example = Example::of(texts.clone(), SEQUENCE);
    let mut aws = example.stage();
    aws.set_now_ms(i64::try_from(RealClock.now().0).unwrap());
    let world = Arc::new(Mutex::new(aws));
    let metrics = Arc::new(Metrics::default());
    let fleet = SimFleet::new(Arc::clone(&world), stage::operator(&example.settings));
    let (daemon, handle) = Daemon::new(Parts {
        fleet: Arc::new(Metered::new(fleet, Arc::clone(&metrics))),
        clock: RealClock,
        source: Arc::new(Fixed(files)),
        store: Arc::new(Store::in_memory().unwrap()),
        alerts: no_alerts(),
        random: Box::new(|| 0.5),
    })
    .unwrap();
    let (end, ending) = watch::channel(false);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = http::router(http::Parts {
        handle: handle.clone(),
        metrics: Arc::clone(&metrics),
        token: Token::new(TOKEN),
        hook: None,
        listen: listen.unwrap_or(address),
        now: Arc::new(|| RealClock.now()),
    });
    tokio::spawn(http::follow(handle.clone(), metrics));
    let server = tokio::spawn(http::serve(listener, router, ended(ending)));
    let (end_daemon, ending) = watch::channel(false);
    // The daemon's task stays on one thread.
    let daemon = std::thread::spawn(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(daemon.run(ended(ending)));
    });
    Served { address, handle, example, world, end, server, end_daemon, daemon: Some(daemon) }
}

async fn ended(mut ending: watch::Receiver<bool>) {
    _ = ending.wait_for(|ending| *ending).await;
}

impl Served {
    /// Waits until the daemon is as is asked for.
    pub(crate) async fn until(&self, what: &str, is_so: impl Fn(&Status) -> bool) -> Arc<Status> {
        let mut handle = self.handle.clone();
        let waited = tokio::time::timeout(Duration::from_secs(120), async {
            loop {
                let status = handle.status();
                if is_so(&status) {
                    return status;
                }
                assert!(handle.changed().await, "the daemon ended before {what}");
            }
        });
        waited.await.unwrap_or_else(|_| panic!("{what}: not within two minutes"))
    }

    /// Waits until everything is as the topology asks.
    pub(crate) async fn in_step(&self) {
        self.until("in step", |status| status.plan.as_ref().is_some_and(|plan| plan.is_empty())).await;
    }

    /// Waits until this many rules were found disabled, and no sweep is under way. A stop is told as an incident, too.
    pub(crate) async fn found_disabled(&self, rules: usize) {
        let disabled = |status: &Status| {
            status.incidents.iter().filter(|one| one.concern.code == FindingCode::RuleDisabled).count() == rules
        };
        self.until("the incidents", |status| disabled(status) && status.sweeping.is_none()).await;
    }

    /// Waits for a sweep that begins from now on.
    pub(crate) async fn another_sweep(&self) -> u64 {
        let last = |status: &Status| status.last_sweep.as_ref().map_or(0, |sweep| sweep.id);
        // One may be under way that looked before.
        let enough = last(&self.handle.status()) + 2;
        last(&*self.until("another sweep", |status| last(status) >= enough).await)
    }

    /// The rule of a subscription.
    pub(crate) fn rule(&self, subscription: &str) -> RuleId {
        let subscription: SubscriptionId = subscription.parse().unwrap();
        let of_it = |consumer: &Consumer| consumer.is(&subscription);
        let routes = &self.example.desired.routes;
        routes.iter().find(|(id, _)| of_it(&id.consumer)).unwrap().1.rule.clone()
    }

    /// A call by a person in the rule's account.
    pub(crate) fn by_hand(&self, rule: &RuleId, operation: &str) {
        let scope = &rule.bus.scope;
        let caller = Caller::root(&scope.account.to_string());
        let input = json!({"Name": rule.name, "EventBusName": rule.bus.name});
        let mut world = self.world.lock().unwrap();
        world.call(&caller, scope.region.as_str(), Service::EventBridge, operation, &input).unwrap();
    }

    /// What becomes of an event that an account puts on a bus (an ARN): in a copy of the accounts.
    #[allow(dead_code)] // tests/page asks.
    pub(crate) fn put(&self, account: &str, bus_arn: &str, event: &Value) -> Vec<Arc<DeliveryRecord>> {
        let mut world = self.world.lock().unwrap().clone();
        let before = world.trace().len();
        let text = |field: &str| event[field].as_str().unwrap().to_owned();
        let entry = EventEntry::new(bus_arn, &text("source"), &text("detail-type"), event["detail"].clone());
        let region = bus_arn.split(':').nth(3).unwrap();
        // A refusal is an answer, too: nothing is delivered.
        _ = world.put_event(&Caller::root(account), region, &entry);
        world.trace()[before..].to_vec()
    }

    /// What AWS says of a rule.
    pub(crate) fn live(&self, rule: &RuleId) -> Value {
        let scope = &rule.bus.scope;
        let caller = Caller::root(&scope.account.to_string());
        let input = json!({"Name": rule.name, "EventBusName": rule.bus.name});
        let mut world = self.world.lock().unwrap();
        world.call(&caller, scope.region.as_str(), Service::EventBridge, "DescribeRule", &input).unwrap()
    }

    /// Tells the daemon to end, and waits until it did; what it knew is served on.
    pub(crate) async fn end_daemon(&mut self) {
        self.end_daemon.send(true).unwrap();
        let daemon = self.daemon.take().unwrap();
        tokio::task::spawn_blocking(|| daemon.join().unwrap()).await.unwrap();
    }

    /// Tells both to end, and waits until they did.
    pub(crate) async fn end(mut self) {
        self.end.send(true).unwrap();
        (&mut self.server).await.unwrap();
        if self.daemon.is_some() {
            self.end_daemon().await;
        }
    }
}
