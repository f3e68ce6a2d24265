//! A daemon before the simulated AWS, in virtual time, and the people around it.

use crate::rows::{Door, EXTRAS};
use crate::support::probes::{PLATFORM, US};
use crate::support::{Bench, Example, SimulatedClock, no_alerts};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use wheelwright::call::{Answer, Call, CallError};
use wheelwright::config::SourceFiles;
use wheelwright::daemon::config::{Fetched, Source};
use wheelwright::daemon::{Command, Daemon, Handle, Parts, Reply};
use wheelwright::model::desired::Revision;
use wheelwright::model::ids::{Moment, Scope};
use wheelwright::port::{Clock as _, Fleet};
use wheelwright::sim::SimulatedAws;
use wheelwright::store::Store;

/// What the daemon of these tests goes by, at the end of the settings: it enforces, quickly.
pub(crate) const ENFORCE: &str = "\n[mode]\ndefault = \"enforce\"\n\n[sweep]\nstart-jitter-secs-max = 0\n";

/// A topology that can be changed while the daemon runs.
#[derive(Clone, Default)]
pub(crate) struct Files(Arc<Mutex<(BTreeMap<String, String>, u64)>>);

impl Files {
    fn of(texts: BTreeMap<String, String>, sequence: u64) -> Self {
        Self(Arc::new(Mutex::new((texts, sequence))))
    }

    /// Somebody commits this.
    pub(crate) fn commit(&self, change: impl FnOnce(&mut BTreeMap<String, String>)) {
        let mut files = self.0.lock().unwrap();
        change(&mut files.0);
        files.1 += 1;
    }
}

impl Source for Files {
    fn fetch(&self) -> Result<Fetched, String> {
        let files = self.0.lock().unwrap();
        if files.0.is_empty() {
            return Err("the folder is gone".into());
        }
        let texts = files.0.iter().map(|(path, text)| (path.as_str(), text.as_str()));
        Ok(Fetched::of(SourceFiles::new(texts), Revision { id: format!("test-{}", files.1), sequence: files.1 }))
    }
}

/// The worked example with all that drifts can touch, and these settings at the end.
pub(crate) fn example(settings: &str) -> (Example, SimulatedAws) {
    let worked = Example::worked();
    let key = worked.stage().key(PLATFORM, US);
    let extras: Vec<(&str, &str, String)> =
        EXTRAS.iter().map(|(path, from, to)| (*path, *from, to.replace("KEY", &key))).collect();
    let extras: Vec<(&str, &str, &str)> = extras.iter().map(|(path, from, to)| (*path, *from, to.as_str())).collect();
    let example = worked.edited(&extras).with("wheelwright.toml", settings);
    let mut aws = example.stage();
    assert_eq!(aws.key(PLATFORM, US), key, "keys are counted, and this is the first");
    (example, aws)
}

/// A daemon that runs.
pub(crate) struct Running {
    pub(crate) handle: Handle,
    pub(crate) world: Arc<Mutex<SimulatedAws>>,
    pub(crate) files: Files,
    pub(crate) clock: SimulatedClock,
    pub(crate) store: Arc<Store>,
    end: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
}

/// A fleet of which some accounts never answer.
pub(crate) struct Silenced<F> {
    fleet: F,
    silent: Arc<Mutex<BTreeSet<String>>>,
}

impl<F: Fleet> Fleet for Silenced<F> {
    async fn call(&self, scope: &Scope, call: Call) -> Result<Answer, CallError> {
        let is_silent = self.silent.lock().unwrap().contains(&scope.account.to_string());
        if is_silent {
            std::future::pending::<()>().await;
        }
        self.fleet.call(scope, call).await
    }
}

/// Starts a daemon at `bench`, before which the accounts in what is returned beside it never answer.
pub(crate) fn start_silenced<F: Fleet + 'static>(
    bench: Bench<F>,
    store: Arc<Store>,
) -> (Running, Arc<Mutex<BTreeSet<String>>>) {
    let Bench { example, world, fleet, clock, settings: _ } = bench;
    let silent = Arc::default();
    let fleet = Silenced { fleet, silent: Arc::clone(&silent) };
    (begin(fleet, &example, world, clock, store), silent)
}

/// Starts a daemon at `bench`, with what `store` remembers.
pub(crate) fn start<F: Fleet + 'static>(bench: Bench<F>, store: Arc<Store>) -> Running {
    let Bench { example, world, fleet, clock, settings: _ } = bench;
    begin(fleet, &example, world, clock, store)
}

/// Starts a daemon before any fleet.
pub(crate) fn begin<F: Fleet + 'static>(
    fleet: F,
    example: &Example,
    world: Arc<Mutex<SimulatedAws>>,
    clock: SimulatedClock,
    store: Arc<Store>,
) -> Running {
    let files = Files::of(example.texts.clone(), example.desired.revision.sequence);
    go_on(fleet, world, clock, files, store)
}

fn go_on<F: Fleet + 'static>(
    fleet: F,
    world: Arc<Mutex<SimulatedAws>>,
    clock: SimulatedClock,
    files: Files,
    store: Arc<Store>,
) -> Running {
    let parts = Parts {
        fleet: Arc::new(fleet),
        clock,
        source: Arc::new(files.clone()),
        store: store.clone(),
        alerts: no_alerts(),
        random: Box::new(|| 0.5),
    };
    let (daemon, handle) = Daemon::new(parts).unwrap();
    let (end, ended) = oneshot::channel::<()>();
    let task = tokio::spawn(daemon.run(async move {
        _ = ended.await;
    }));
    Running { handle, world, files, clock, store, end: Some(end), task }
}

impl Running {
    pub(crate) fn now(&self) -> Moment {
        wheelwright::port::Clock::now(&self.clock)
    }

    pub(crate) async fn wait_secs(&self, seconds: u64) {
        self.clock.wait_ms(seconds * 1_000).await;
    }

    pub(crate) fn aws<T>(&self, look: impl FnOnce(&mut SimulatedAws) -> T) -> T {
        look(&mut self.world.lock().unwrap())
    }

    /// How many calls of the operator's would have changed something.
    pub(crate) fn writes(&self) -> usize {
        self.writes_in(|_| true)
    }

    /// The same, in the Regions that count.
    pub(crate) fn writes_in(&self, region: impl Fn(&str) -> bool) -> usize {
        let reads = ["List", "Describe", "Get", "Assume"];
        self.aws(|aws| {
            let ours = aws.log().iter().filter(|entry| entry.principal.contains("wheelwright-operator"));
            let writes = ours.filter(|entry| !reads.iter().any(|read| entry.operation.starts_with(read)));
            writes.filter(|entry| region(&entry.region)).count()
        })
    }

    /// What the daemon says to an order.
    pub(crate) async fn tell(&self, command: Command) -> Reply {
        self.handle.tell(command, "somebody").await
    }

    /// Waits until `seen`, at most so many seconds; how many it took.
    pub(crate) async fn until(&self, seconds_max: u64, what: &str, seen: impl Fn(&Self) -> bool) -> u64 {
        let from = self.now();
        while !seen(self) {
            let waited = self.now().millis_since(from) / 1_000;
            assert!(waited <= seconds_max, "not within {seconds_max} s: {what}; {:#?}", self.handle.status().incidents);
            self.clock.wait_ms(250).await;
        }
        self.now().millis_since(from).div_ceil(1_000)
    }

    /// Ends it as SIGTERM does, and waits for its end.
    pub(crate) async fn end(mut self) -> (Arc<Mutex<SimulatedAws>>, Arc<Store>) {
        _ = self.end.take().unwrap().send(());
        self.task.await.unwrap();
        (self.world, self.store)
    }
}
