//! What a sweep of the daemon asks of AWS: how many calls, by the SDK door, and what a fast one may leave out for how long.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex};
use support::{Bench, Example, Hands, SimulatedClock, no_alerts};
use wheelwright::config::SourceFiles;
use wheelwright::daemon::config::{Fetched, Source};
use wheelwright::daemon::{Daemon, Handle, Parts};
use wheelwright::model::desired::Revision;
use wheelwright::port::{Clock as _, Fleet};
use wheelwright::sim::SimulatedAws;
use wheelwright::store::Store;

const REGION: &str = "us-east-1";
const HUB: &str = "200000000000";
const SPOKES: [&str; 3] = ["200000000001", "200000000002", "200000000003"];
const FAST_SECS: u64 = 60;
const FULL_SECS: u64 = 900;
const SETTLE_SECS: u64 = 300;

/// Three spokes, each of which forwards five publications to the hub, and what the daemon goes by.
fn spokes(bus: &str) -> BTreeMap<String, String> {
    let settings =
        "[mode]\ndefault = \"enforce\"\n[sweep]\nstart-jitter-secs-max = 0\n[guards]\nbreaks-floor = 20\n".to_owned();
    let mut roster = format!("[account]\nhub = {{ id = \"{HUB}\" }}\n");
    let hub = "[organization]\nid = \"o-a1b2c3d4e5\"\n[hub.main]\naccount = \"hub\"\nregion = \"us-east-1\"\nbus = \"org\"\n\
               grant = \"organization\"\n";
    let mut files = BTreeMap::from([("wheelwright.toml".into(), settings), ("topology/hubs.toml".into(), hub.into())]);
    for (number, account) in SPOKES.iter().enumerate() {
        writeln!(roster, "a{number} = {{ id = \"{account}\" }}").unwrap();
        let mut team = format!(
            "[team]\nname = \"t{number}\"\ncontact = \"#t{number}\"\n[spoke.main]\nhub = \"main\"\naccount = \"a{number}\"\nbus = \
             \"{bus}\"\n"
        );
        for publication in 0..5 {
            team.push_str(&forwarded(number, publication));
        }
        files.insert(format!("topology/teams/t{number}.toml"), team);
    }
    files.insert("topology/accounts.toml".into(), roster);
    files
}

fn forwarded(team: usize, publication: usize) -> String {
    format!(
        "[publish.p{publication}]\nsource = \"com.t{team}.p{publication}\"\nsubscribers = [\"*\"]\nvia = \"spoke\"\n"
    )
}

/// A daemon in virtual time.
struct Running {
    handle: Handle,
    world: Arc<Mutex<SimulatedAws>>,
    files: Files,
    clock: SimulatedClock,
}

/// A topology that can be changed while the daemon runs.
#[derive(Clone)]
struct Files(Arc<Mutex<(BTreeMap<String, String>, u64)>>);

impl Source for Files {
    fn fetch(&self) -> Result<Fetched, String> {
        let files = self.0.lock().unwrap();
        let texts = files.0.iter().map(|(path, text)| (path.as_str(), text.as_str()));
        Ok(Fetched::of(SourceFiles::new(texts), Revision { id: format!("test-{}", files.1), sequence: files.1 }))
    }
}

/// One sweep, as it was seen from AWS.
struct Sweep {
    full: bool,
    wrote: u64,
    /// How often each operation was called.
    counts: BTreeMap<String, u64>,
    /// How many calls were made with an account's session.
    in_account: BTreeMap<String, u64>,
}

impl Running {
    fn start<F: Fleet + 'static>(bench: Bench<F>) -> Self {
        bench.aws().settings.log_reads = true;
        let Bench { example, world, fleet, clock, settings: _ } = bench;
        let files = Files(Arc::new(Mutex::new((example.texts.clone(), example.desired.revision.sequence))));
        let parts = Parts {
            fleet: Arc::new(fleet),
            clock,
            source: Arc::new(files.clone()),
            store: Arc::new(Store::in_memory().unwrap()),
            alerts: no_alerts(),
            random: Box::new(|| 0.5),
        };
        let (daemon, handle) = Daemon::new(parts).unwrap();
        tokio::spawn(daemon.run(std::future::pending()));
        Self { handle, world, files, clock }
    }

    fn commit(&self, path: &str, from: &str, to: &str) {
        let mut files = self.files.0.lock().unwrap();
        let text = files.0.get_mut(path).unwrap();
        assert_eq!(text.matches(from).count(), 1, "{from:?} is not once in {path}");
        *text = text.replace(from, to);
        files.1 += 1;
    }

    /// The sweeps that end within so many seconds.
    async fn sweeps(&self, seconds: u64) -> Vec<Sweep> {
        let until = self.clock.now().plus_ms(seconds * 1_000);
        let (mut sweeps, mut last) = (Vec::new(), self.handle.status().last_sweep.as_ref().map(|sweep| sweep.id));
        let (mut counted, mut logged) = self.seen();
        while self.clock.now() < until {
            self.clock.wait_ms(500).await;
            let status = self.handle.status();
            let Some(sweep) = status.last_sweep.as_ref().filter(|sweep| Some(sweep.id) != last) else { continue };
            last = Some(sweep.id);
            let (counts, entries) = self.seen();
            let mut delta = counts.clone();
            delta.retain(|operation, count| {
                *count -= counted.get(operation).copied().unwrap_or_default();
                *count > 0
            });
            let mut in_account = BTreeMap::new();
            let aws = self.world.lock().unwrap();
            for entry in aws.log()[logged..].iter().filter(|entry| entry.principal.contains("wheelwright-operator")) {
                *in_account.entry(entry.account.clone()).or_default() += 1;
            }
            sweeps.push(Sweep { full: sweep.full, wrote: sweep.done, counts: delta, in_account });
            (counted, logged) = (counts, entries);
        }
        sweeps
    }

    fn seen(&self) -> (BTreeMap<String, u64>, usize) {
        let aws = self.world.lock().unwrap();
        (aws.call_counts().clone(), aws.log().len())
    }

    /// The rules of ours on an account's default bus.
    fn on_default(&self, account: &str) -> Vec<String> {
        let mut aws = self.world.lock().unwrap();
        let input = serde_json::json!({"NamePrefix": "ww."});
        let listed = Hands { aws: &mut aws }.call(account, REGION, "ListRules", input);
        listed["Rules"].as_array().unwrap().iter().map(|rule| rule["Name"].as_str().unwrap().to_owned()).collect()
    }

    /// How often the rules of an account's default bus were listed by us.
    fn listed_default(&self, account: &str) -> usize {
        let aws = self.world.lock().unwrap();
        let ours = aws.log().iter().filter(|entry| {
            entry.account == account
                && entry.operation == "ListRules"
                && entry.principal.contains("wheelwright-operator")
                && entry.input["EventBusName"] == "default"
        });
        ours.count()
    }
}

fn shown(counts: &BTreeMap<String, u64>) -> String {
    counts.iter().map(|(operation, count)| format!("{operation} {count}\n")).collect()
}

#[tokio::test(start_paused = true)]
async fn a_fast_sweep_makes_seven_calls_in_an_account_and_one_more_where_it_signs_in() {
    let example = Example::of(spokes("events"), 1);
    let running = Running::start(Bench::by_sdk(&example, example.stage()));
    // Long enough for every session to be replaced.
    let sweeps = running.sweeps(5_000).await;
    assert!(sweeps[0].wrote > 30, "the first one makes everything");
    assert!(sweeps[1..].iter().all(|sweep| sweep.wrote == 0));
    let (mut cached, mut signed_in) = (0, 0);
    for sweep in sweeps[1..].iter().filter(|sweep| !sweep.full) {
        for account in SPOKES {
            assert_eq!(sweep.in_account[account], 7, "{:?}", sweep.counts);
        }
        let accounts = SPOKES.len() as u64 + 1;
        let total: u64 = sweep.counts.values().sum();
        match sweep.counts.get("AssumeRole") {
            None => cached += 1,
            Some(_) => signed_in += 1,
        }
        assert!(sweep.counts.get("AssumeRole").is_none_or(|count| *count <= accounts));
        assert!(total <= 8 * accounts, "{:?}", sweep.counts);
    }
    assert!(cached > 60 && signed_in > 0, "{cached} with the sessions that were there, {signed_in} with new ones");
    let fast = sweeps[1..].iter().find(|sweep| !sweep.full && !sweep.counts.contains_key("AssumeRole")).unwrap();
    let full = sweeps[1..].iter().find(|sweep| sweep.full && !sweep.counts.contains_key("AssumeRole")).unwrap();
    insta::assert_snapshot!(
        "calls_of_three_spokes_and_a_hub",
        format!("Fast:\n{}\nFull:\n{}", shown(&fast.counts), shown(&full.counts))
    );
}

/// A fast sweep does not list the rules of a default bus on which nothing was and nothing is wanted. What is left over there is
/// seen until it is gone, and what comes there later is gone after the next full sweep.
#[tokio::test(start_paused = true)]
async fn what_a_fast_sweep_leaves_out_is_found_by_the_next_full_one() {
    const TEAM: &str = "topology/teams/t0.toml";
    const OTHER: &str = "topology/teams/t1.toml";
    const SUBSCRIBED: &str = "[subscribe.s]\nfrom = \"t0.p0\"\ndeliver = { queue = \"q\" }\n";
    let mut files = spokes("events");
    files.get_mut(OTHER).unwrap().push_str(SUBSCRIBED);
    let team = files.get_mut(TEAM).unwrap();
    *team = team.replace("bus = \"events\"", "bus = \"default\"");
    for publication in 1..5 {
        *team = team.replace(&forwarded(0, publication), "");
    }
    let example = Example::of(files, 1);
    let account = SPOKES[0];
    let running = Running::start(Bench::by_call(&example, example.stage()));
    running.sweeps(2 * FULL_SECS).await;
    assert_eq!(running.on_default(account).len(), 1);
    let made: Vec<(String, Value)> = {
        let aws = running.world.lock().unwrap();
        let written = aws.log().iter().filter(|entry| entry.account == account);
        let written = written.filter(|entry| ["PutRule", "PutTargets"].contains(&entry.operation.as_str()));
        written.map(|entry| (entry.operation.clone(), entry.input.clone())).collect()
    };

    // The team moves to another bus. Until its publishers have moved as well, the rule on the old one stays and is looked at.
    running.commit(TEAM, "bus = \"default\"", "bus = \"events\"");
    running.sweeps(4 * FAST_SECS).await;
    let before = running.listed_default(account);
    let fast = running.sweeps(5 * FAST_SECS).await.iter().filter(|sweep| !sweep.full).count();
    assert!(fast >= 3 && running.listed_default(account) - before >= fast);
    assert_eq!(running.on_default(account).len(), 1);

    // Nobody asks for the route any more.
    running.commit(TEAM, &forwarded(0, 0), "");
    running.commit(OTHER, SUBSCRIBED, "");
    running.sweeps(SETTLE_SECS + 2 * FAST_SECS).await;
    assert_eq!(running.on_default(account), Vec::<String>::new());

    // Once a full sweep saw nothing there, fast ones do not look.
    running.sweeps(FULL_SECS + FAST_SECS).await;
    let before = running.listed_default(account);
    let fast = running.sweeps(FULL_SECS).await.iter().filter(|sweep| !sweep.full).count();
    assert!(fast >= 10 && running.listed_default(account) - before <= 1);

    // Somebody puts it back as it was, right after a full sweep.
    while !running.sweeps(1).await.iter().any(|sweep| sweep.full) {}
    for (operation, input) in &made {
        let mut aws = running.world.lock().unwrap();
        Hands { aws: &mut aws }.call(account, REGION, operation, input.clone());
    }
    assert_eq!(running.on_default(account).len(), 1);
    running.sweeps(FULL_SECS + SETTLE_SECS + 2 * FAST_SECS).await;
    assert_eq!(running.on_default(account), Vec::<String>::new());
}
