//! From text to a world in step, on the simulated AWS by the Call door.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use std::path::Path;
use wheelwright::config;
use wheelwright::expand::expand;
use wheelwright::model::ids::Moment;
use wheelwright::plan::Approval;
use wheelwright::port::Clock;
use wheelwright::reconcile::refresh::RefreshSettings;
use wheelwright::reconcile::sweep::{Silent, SweepSettings, Sweeper};
use wheelwright::report::{Style, text};
use wheelwright::{source, stage};

struct Still;
impl Clock for Still {
    fn now(&self) -> Moment {
        Moment(1_000)
    }
    async fn wait_ms(&self, _: u64) {}
}

#[tokio::test(start_paused = true)]
async fn smoke() {
    let dir = std::env::var("SMOKE").unwrap();
    let (files, revision) = source::dir::read(Path::new(&dir)).unwrap();
    let loaded = config::load(&files);
    println!("{}", config::render(&loaded.diagnostics, &files, config::Style::Plain));
    let topology = loaded.topology.unwrap();
    let desired = expand(&topology, &loaded.settings, revision);
    let names = topology.accounts.iter().map(|(n, a)| (a.id, n.clone())).collect();
    let aws = stage::stage(&topology, &loaded.settings, &desired);
    let fleet = stage::fleet(aws, &loaded.settings);
    let settings = SweepSettings {
        refresh: RefreshSettings { scopes_in_flight_max: 64, scope_deadline_ms: 60_000 },
        plan: loaded.settings.guards.clone(),
        settle_ms: 0,
    };
    let sweeper = Sweeper { fleet: &fleet, clock: &Still, listener: &Silent, desired: &desired, settings: &settings };
    let world = sweeper.look().await;
    let plan = sweeper.plan(&world);
    println!("{}", text::plan(&plan, &names, Style::Plain));
    let swept = sweeper.apply(world, &plan, &Approval::default()).await.unwrap();
    for (key, outcome) in swept.failures() {
        println!("{key}: {outcome:?}");
    }
    println!("{}", text::plan(&swept.after, &names, Style::Plain));
    assert!(swept.in_step());
}
