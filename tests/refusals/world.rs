//! Three accounts in two Regions on a simulated AWS behind a loopback port, and the program's folder.

use crate::program::{Endpoint, Folder, Ran, wheelwright};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use wheelwright::config::{self, SourceFiles};
use wheelwright::expand::expand;
use wheelwright::model::desired::Revision;
use wheelwright::model::ids::Moment;
use wheelwright::sim::http_faults::{HttpFaultRule, HttpFaults};
use wheelwright::sim::{SimulatedAws, SnapshotKind, tcp};
use wheelwright::stage;

/// The account in trouble.
pub(crate) const BOOKS: &str = "333333333333";
/// An account without any.
pub(crate) const SHOP: &str = "222222222222";
/// The hubs' account.
pub(crate) const PLATFORM: &str = "111111111111";

const SETTINGS: &str = r#"[operator]
external-id = "acme/eventbridge"
[pace]
settle-secs = 0
scope-deadline-secs = 5
calls-per-second-max = 50
calls-burst-max = 100
[guards]
breaks-floor = 100
changes-floor = 100
"#;

const PLATFORM_FILE: &str = r#"[account]
platform = { id = "111111111111" }
shop = { id = "222222222222" }
books = { id = "333333333333" }
[hub.us]
account = "platform"
region = "us-east-1"
bus = "org-events"
[hub.eu]
account = "platform"
region = "eu-west-1"
bus = "org-events"
"#;

const SHOP_FILE: &str = r#"[team]
name = "shop"
contact = "the-shop"
[spoke.us]
hub = "us"
account = "shop"
bus = "shop"
[publish.orders]
source = "com.acme.shop"
at = ["us"]
"#;

const BOOKS_FILE: &str = r#"[team]
name = "books"
contact = "the-books"
[spoke.us]
hub = "us"
account = "books"
bus = "books"
[spoke.eu]
hub = "eu"
account = "books"
bus = "books-eu"
[publish.postings]
source = "com.acme.books"
at = ["eu"]
[subscribe.orders]
from = "shop.orders"
[subscribe.old]
from = "shop.orders"
detail-types = ["OrderPlaced"]
[subscribe.own]
from = "books.postings"
"#;

/// The topology as it was, applied.
pub(crate) struct Begun {
    pub(crate) aws: SimulatedAws,
    pub(crate) files: BTreeMap<String, String>,
}

fn files() -> BTreeMap<String, String> {
    let files = [
        ("wheelwright.toml", SETTINGS),
        ("topology/platform.toml", PLATFORM_FILE),
        ("topology/teams/shop.toml", SHOP_FILE),
        ("topology/teams/books.toml", BOOKS_FILE),
    ];
    files.map(|(path, text)| (path.to_owned(), text.to_owned())).into()
}

/// The same with something to make for the shop, and something to move and to take away for the books.
fn edited() -> BTreeMap<String, String> {
    let mut files = files();
    let shop = format!("{SHOP_FILE}[subscribe.refunds]\nfrom = \"shop.orders\"\n");
    let books = BOOKS_FILE
        .replace("bus = \"books\"\n", "bus = \"books-new\"\n")
        .replace("bus = \"books-eu\"\n", "bus = \"books-eu-new\"\n")
        .replace("[subscribe.old]\nfrom = \"shop.orders\"\ndetail-types = [\"OrderPlaced\"]\n", "");
    files.insert("topology/teams/shop.toml".into(), shop);
    files.insert("topology/teams/books.toml".into(), books);
    files
}

/// Accounts where the topology was applied, without any trouble.
pub(crate) async fn converged() -> Begun {
    let files = files();
    let sources = SourceFiles::new(files.iter().map(|(path, text)| (path.as_str(), text.as_str())));
    let loaded = config::load(&sources);
    let topology = loaded.topology.expect("the topology is sound");
    let revision = Revision { id: "stage".into(), sequence: 0 };
    let desired = expand(&topology, &loaded.settings, revision, Moment(0));
    let begun = Begun { aws: stage::stage(&topology, &loaded.settings, &desired), files };
    let server = Server::start_with(&begun, &begun.files).await;
    let ran = server.run(&["apply", "--yes"]).await;
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    Begun { aws: server.aws(|aws| aws.clone()), files: begun.files }
}

/// The simulated AWS behind a port, and a folder to run the program with.
pub(crate) struct Server {
    world: Arc<Mutex<SimulatedAws>>,
    pub(crate) faults: HttpFaults,
    endpoint: Endpoint,
    folder: Arc<Folder>,
    log_before: usize,
    _stop: oneshot::Sender<()>,
}

impl Server {
    /// With the edited topology.
    pub(crate) async fn start(begun: &Begun) -> Self {
        Self::start_with(begun, &edited()).await
    }

    pub(crate) async fn start_with(begun: &Begun, files: &BTreeMap<String, String>) -> Self {
        let mut aws = begun.aws.clone();
        aws.set_now_ms(now_ms());
        let key = aws.mint_root_key(stage::OPERATOR_ACCOUNT);
        let log_before = aws.log().len();
        let world = Arc::new(Mutex::new(aws));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (stop, stopped) = oneshot::channel::<()>();
        let faults = HttpFaults::default();
        let shutdown = async {
            _ = stopped.await;
        };
        tokio::spawn(tcp::serve_with_faults(listener, Arc::clone(&world), faults.clone(), shutdown));
        let endpoint = Endpoint { url, access_key_id: key.access_key_id, secret_access_key: key.secret_access_key };
        // Each folder is newer than the one before: what was applied is not superseded.
        let mut folder = Folder::of(files);
        let books = &files["topology/teams/books.toml"];
        if *files != begun.files {
            folder.write("topology/teams/books.toml", books);
        }
        Self { world, faults, endpoint, folder: Arc::new(folder), log_before, _stop: stop }
    }

    /// Looks at the simulated AWS, or changes it.
    pub(crate) fn aws<T>(&self, with: impl FnOnce(&mut SimulatedAws) -> T) -> T {
        with(&mut self.world.lock().unwrap())
    }

    pub(crate) fn fault(&self, rule: HttpFaultRule) {
        self.faults.add(rule);
    }

    /// Runs the built program.
    pub(crate) async fn run(&self, args: &[&str]) -> Ran {
        self.run_with(self.endpoint.clone(), args).await
    }

    /// The same with a key of this name.
    pub(crate) async fn run_as(&self, access_key_id: &str, args: &[&str]) -> Ran {
        self.run_with(Endpoint { access_key_id: access_key_id.to_owned(), ..self.endpoint.clone() }, args).await
    }

    async fn run_with(&self, endpoint: Endpoint, args: &[&str]) -> Ran {
        self.aws(|aws| aws.set_now_ms(now_ms()));
        let folder = Arc::clone(&self.folder);
        let args: Vec<String> = args.iter().map(ToString::to_string).collect();
        let run = move || {
            let args: Vec<&str> = args.iter().map(String::as_str).collect();
            wheelwright(&folder, Some(&endpoint), &args)
        };
        tokio::task::spawn_blocking(run).await.unwrap()
    }

    /// Successful writes since the server was started.
    pub(crate) fn writes(&self) -> usize {
        self.aws(|aws| aws.log().len())
    }

    /// What was taken away in the books' account, or of the rules that deliver to it.
    pub(crate) fn taken_from_the_books(&self, regions: &[&str]) -> Vec<String> {
        self.aws(|aws| {
            let log = aws.log().get(self.log_before..).unwrap_or_default();
            let takes = log.iter().filter(|entry| {
                let input = entry.input.to_string();
                let delivers = input.contains("ww.books.orders") || input.contains("ww.books.own");
                let near = (entry.account == BOOKS || delivers) && regions.contains(&entry.region.as_str());
                near && ["Remove", "Delete"].iter().any(|verb| entry.operation.starts_with(verb))
            });
            takes.map(|entry| format!("{} {} in {}", entry.operation, entry.input, entry.account)).collect()
        })
    }

    /// Whether a hub has a rule whose name begins so, with a target.
    pub(crate) fn has_rule(&self, prefix: &str) -> bool {
        self.aws(|aws| {
            let targets = aws.snapshot(|item| item.kind == SnapshotKind::Target && item.rule.starts_with(prefix));
            targets.as_object().is_some_and(|found| !found.is_empty())
        })
    }
}

#[allow(clippy::disallowed_methods)] // The program signs by the machine's clock, so the simulated AWS has to go by it.
fn now_ms() -> i64 {
    let since: Duration = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    i64::try_from(since.as_millis()).unwrap()
}
