//! The table of drift on an emulator: the shipped AWS edge over HTTP, and what lives there asked by raw calls.
//!
//! Every row is tried that no divergence excuses, and what it leaves is put back. Each account and Region that a row
//! touched is looked at after the edit, after the sweep and when it is put back, to the byte; all of them once more in the
//! end.

use super::divergences::{self, Divergence};
use super::example;
use super::picture::{Kind, Path, Picture, Scope, difference, picture, put_back};
use super::server::Server;
use crate::rows::{After, Door, Edit, Row, codes, new_findings};
use crate::support::probes::{FRAUD, LEDGER, ORDERS, PAYMENTS, PLATFORM};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_async::time::{SharedTimeSource, SystemTimeSource};
use aws_smithy_http_client::Builder as HttpClientBuilder;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use wheelwright::aws::{AwsFleet, AwsSettings, Connection};
use wheelwright::config::{self, Settings, SourceFiles};
use wheelwright::expand::expand;
use wheelwright::model::desired::{Desired, Revision};
use wheelwright::model::finding::{Finding, FindingCode, Outcome};
use wheelwright::model::ids::Moment;
use wheelwright::model::plan::{Guard, Plan};
use wheelwright::plan::Approval;
use wheelwright::port::Clock;
use wheelwright::reconcile::refresh::{Depth, RefreshSettings};
use wheelwright::reconcile::sweep::{Silent, SweepSettings, Sweeper, Swept};
use wheelwright::report::{Style, text};
use wheelwright::sim::SimulatedAws;

/// The small example before an emulator, in step with it.
pub(crate) struct Table {
    server: Server,
    divergences: Vec<&'static Divergence>,
    settings: Settings,
    desired: Desired,
    fleet: AwsFleet,
    /// Everybody's accounts are the platform's.
    one_account: bool,
    /// What is told without any drift.
    known: Vec<Finding>,
    /// Everything there, in step: each row begins and ends so.
    before: Picture,
}

impl Table {
    /// The small example, of which `server` has everything that its divergences let it have.
    pub(crate) async fn new(server: Server, sequence: u64) -> Self {
        let divergences = divergences::of(server.emulator);
        let (settings, desired) = load(&example::files(&divergences), sequence);
        let mut aws = AwsSettings::new(&settings.operator.role_name);
        aws.external_id.clone_from(&settings.operator.external_id);
        aws.sts_region = Some("us-east-1".to_owned());
        aws.endpoint_url = Some(server.endpoint.url.clone());
        let base = Credentials::new("test", "test", None, None, "test");
        let connection = Connection::new(
            HttpClientBuilder::new().build_http(),
            SharedCredentialsProvider::new(base),
            SharedTimeSource::new(SystemTimeSource::new()),
        );
        let one_account = desired.buses.keys().map(|bus| bus.scope.account).collect::<BTreeSet<_>>().len() == 1;
        let fleet = AwsFleet::new(aws, connection);
        let (known, before) = (Vec::new(), Picture::new());
        let mut table = Self { server, divergences, settings, desired, fleet, one_account, known, before };
        let (_, plan) = table.look().await;
        assert!(plan.is_empty(), "drift before any edit\n{}", table.shown(&plan));
        // The example has one route that is held off.
        let told = codes(&plan.findings.iter().collect::<Vec<_>>());
        assert_eq!(told, BTreeSet::from([(FindingCode::RouteStopped, Outcome::Left)]), "{}", table.shown(&plan));
        table.known = plan.findings;
        table.before = picture(&table.server, &table.scopes());
        table
    }

    /// Nothing is anywhere but what was there before the first row.
    pub(crate) fn assert_as_before(&self) {
        let now = picture(&self.server, &self.scopes());
        assert_eq!(difference(&self.before, &now, |_| true), Vec::<String>::new(), "after all rows");
    }

    /// The emulator.
    pub(crate) fn server(&self) -> &Server {
        &self.server
    }

    /// Why a row is not tried, if it is not.
    pub(crate) fn excuse(&self, row: &Row) -> Option<&'static str> {
        let excused = self.divergences.iter().find(|divergence| divergence.rows.contains(&row.name));
        excused.map(|divergence| divergence.does)
    }

    /// Tries a row; panics where it does not come out as it should.
    pub(crate) async fn try_one(&self, row: &Row) {
        let name = row.name;
        let mut desk = Desk::new(&self.server, self.one_account);
        (row.edit)(&mut Edit { door: &mut desk, desired: &self.desired });
        let touched = desk.touched;
        let before: Picture =
            self.before.iter().filter(|(path, _)| touched.contains(&path.scope)).map(clone_pair).collect();
        let edited = picture(&self.server, &touched);

        let (world, plan) = self.look().await;
        let new = new_findings(&plan.findings, &self.known);
        assert_eq!(codes(&new), self.finds(row), "{name}: found\n{}", self.shown(&plan));
        let told = new.iter().any(|finding| finding.detail.contains(row.tells));
        assert!(told || row.tells.is_empty(), "{name}: {:?} is not said in {new:#?}", row.tells);

        let allow = if row.after == After::Allowed { BTreeSet::from([Guard::Adopt]) } else { BTreeSet::new() };
        let settings = self.sweep_settings();
        let swept = self.sweeper(&settings).apply(world, &plan, &Approval { allow, plan_id: None }).await.unwrap();
        self.check_end(row, &swept);

        let after = picture(&self.server, &touched);
        let ours = |path: &Path| self.is_ours(path);
        let foreign = difference(&edited, &after, |path| !ours(path));
        assert_eq!(foreign, Vec::<String>::new(), "{name}: foreign, and written");
        let wrong = match row.after {
            After::Left => difference(&edited, &after, ours),
            After::Mended | After::Allowed => difference(&before, &after, ours),
        };
        assert_eq!(wrong, Vec::<String>::new(), "{name}: ours is not as it should be");
        put_back(&self.server, &before, &after);
        let left = difference(&before, &picture(&self.server, &touched), |_| true);
        assert_eq!(left, Vec::<String>::new(), "{name}: what it left was not put back");
    }

    /// The plan after everything: nothing to do, and nothing told but what is left.
    fn check_end(&self, row: &Row, swept: &Swept) {
        let failures: Vec<String> = swept.failures().map(|(key, outcome)| format!("{key}: {outcome:?}")).collect();
        assert_eq!(failures, Vec::<String>::new(), "{}", row.name);
        assert!(swept.after.is_empty(), "{}: the second plan\n{}", row.name, self.shown(&swept.after));
        let left: BTreeSet<_> = self.finds(row).into_iter().filter(|(_, outcome)| *outcome == Outcome::Left).collect();
        let still = codes(&new_findings(&swept.after.findings, &self.known));
        assert_eq!(still, left, "{}: the second plan\n{}", row.name, self.shown(&swept.after));
    }

    /// What is found. Where everybody is in one account nobody has to be let in, and no grant can go missing.
    fn finds(&self, row: &Row) -> BTreeSet<(FindingCode, Outcome)> {
        let there = |code: &FindingCode| *code != FindingCode::GrantMissing || !self.one_account;
        row.finds().into_iter().filter(|(code, _)| there(code)).collect()
    }

    async fn look(&self) -> (wheelwright::model::world::World, Plan) {
        let settings = self.sweep_settings();
        let sweeper = self.sweeper(&settings);
        let world = sweeper.look().await;
        let plan = sweeper.plan(&world);
        (world, plan)
    }

    fn sweep_settings(&self) -> SweepSettings {
        SweepSettings {
            refresh: RefreshSettings { depth: Depth::Full, scopes_in_flight_max: 16, scope_deadline_ms: 60_000 },
            plan: self.settings.guards.clone(),
            settle_ms: 0,
        }
    }

    fn sweeper<'s>(&'s self, settings: &'s SweepSettings) -> Sweeper<'s, AwsFleet, MachineClock, Silent> {
        Sweeper { fleet: &self.fleet, clock: &MachineClock, listener: &Silent, desired: &self.desired, settings }
    }

    fn shown(&self, plan: &Plan) -> String {
        text::plan(plan, &self.desired.account_names, Style::Plain)
    }

    /// Where there is anything of the example's.
    fn scopes(&self) -> BTreeSet<Scope> {
        let buses = self.desired.buses.keys().chain(self.desired.rules.keys().map(|rule| &rule.bus));
        buses.map(|bus| (bus.scope.account.to_string(), bus.scope.region.to_string())).collect()
    }

    /// Whether something is ours, by its names.
    fn is_ours(&self, path: &Path) -> bool {
        let name = |at: usize| path.names[at].as_str();
        match path.kind {
            Kind::Bus => self.desired.buses.keys().any(|bus| bus.name == name(0)),
            Kind::Statement => name(1).starts_with("ww_"),
            Kind::Rule => name(1).starts_with("ww.") || name(1).starts_with("Events-Archive-ww"),
            Kind::Target => self.is_ours(&Path { kind: Kind::Rule, ..path.clone() }) && name(2).starts_with("ww_"),
            Kind::Archive => name(0).starts_with("ww_"),
        }
    }
}

/// What these files ask for.
pub(crate) fn load(files: &BTreeMap<String, String>, sequence: u64) -> (Settings, Desired) {
    let files = SourceFiles::new(files.iter().map(|(path, text)| (path.as_str(), text.as_str())));
    let loaded = config::load(&files);
    assert!(!loaded.has_errors(), "{}", config::render(&loaded.diagnostics, &files, config::Style::Plain));
    let revision = Revision { id: "emulated".into(), sequence };
    let desired = expand(&loaded.topology.unwrap(), &loaded.settings, revision, MachineClock.now());
    (loaded.settings, desired)
}

fn clone_pair((path, value): (&Path, &Value)) -> (Path, Value) {
    (path.clone(), value.clone())
}

/// Somebody at an emulator's console.
pub(crate) struct Desk<'a> {
    server: &'a Server,
    one_account: bool,
    touched: BTreeSet<Scope>,
}

impl<'a> Desk<'a> {
    pub(crate) fn new(server: &'a Server, one_account: bool) -> Self {
        Self { server, one_account, touched: BTreeSet::new() }
    }
}

impl Door for Desk<'_> {
    fn call(&mut self, account: &str, region: &str, operation: &str, input: &Value) -> Value {
        self.touched.insert((account.to_owned(), region.to_owned()));
        self.server.must(account, region, operation, input.clone())
    }

    fn simulated(&mut self) -> Option<&mut SimulatedAws> {
        None
    }

    fn key(&mut self, account: &str, region: &str) -> String {
        // An emulator asks for no key that is there.
        format!("arn:aws:kms:{region}:{account}:key/0badcafe-0000-4000-8000-111111111111")
    }

    // Emulators refuse nobody's tags.
    fn tag_by_aws(&mut self, arn: &str, tags: &[(&str, &str)]) {
        let scope = arn.split(':').collect::<Vec<_>>();
        let tags: Vec<Value> = tags.iter().map(|(key, value)| json!({"Key": key, "Value": value})).collect();
        self.call(scope[4], scope[3], "TagResource", &json!({"ResourceARN": arn, "Tags": tags}));
    }

    fn lives(&self, account: &str) -> String {
        let known = [PLATFORM, PAYMENTS, LEDGER, ORDERS, FRAUD].contains(&account);
        if self.one_account && known { PLATFORM.to_owned() } else { account.to_owned() }
    }
}

/// The machine's own time.
struct MachineClock;

impl Clock for MachineClock {
    fn now(&self) -> Moment {
        Moment(u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap())
    }

    async fn wait_ms(&self, milliseconds: u64) {
        tokio::time::sleep(Duration::from_millis(milliseconds)).await;
    }
}
