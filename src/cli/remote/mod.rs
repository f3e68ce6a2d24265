//! What people ask of a running daemon, and tell it: over its HTTP surface, in words on the screen or as its JSON.

mod client;
mod words;

use super::context::Screen;
use super::{Exit, LookArgs, RemoteArgs};
use crate::model::order::{ORDER_HOURS_MAX, Reach};
use clap::{Args, Subcommand};
use client::{Client, Trouble};
use serde_json::{Value, json};

/// Asks and orders.
#[derive(Debug, Subcommand)]
pub(super) enum Remote {
    /// Whether the daemon goes on: exit code 0 if it does. For a container's health check; needs no token.
    Health(HealthArgs),
    /// How the daemon stands: its topology, what it reads, what is wrong, what is held.
    Status(LookArgs),
    /// What is wrong, since when, whom it concerns and what was done; with an id, all of one.
    Incidents(IncidentArgs),
    /// What the daemon wrote, the latest first.
    History(HistoryArgs),
    /// Why a thing is as it is: the line that asks for it, its commit, its team, its mark, the last writes.
    Why {
        /// An ARN, a name, or team.subscription.
        #[arg(value_name = "ARN-OR-NAME")]
        what: String,
        #[command(flatten)]
        look: LookArgs,
    },
    /// Have the daemon look now.
    Sweep {
        /// Look at all that is set, not only at what deliveries rest on.
        #[arg(long)]
        full: bool,
        /// Look at this scope alone. May be given more than once.
        #[arg(long, value_name = "ACCOUNT/REGION")]
        scope: Vec<String>,
        #[command(flatten)]
        remote: RemoteArgs,
    },
    /// Have the daemon write nothing in some place for a time. It goes on looking and telling.
    Pause {
        #[command(flatten)]
        reach: ReachArgs,
        #[command(flatten)]
        why: WhyArgs,
        #[command(flatten)]
        remote: RemoteArgs,
    },
    /// End a pause before its time; or go on after the state was lost, or after a fight with another writer.
    Resume {
        #[command(flatten)]
        reach: ReachArgs,
        /// Go on though the state was lost.
        #[arg(long, conflicts_with_all = ["all", "scope", "team", "hub", "fight"])]
        state_lost: bool,
        /// Mend this thing again that somebody else kept taking back: as `status` and `incidents` write it.
        #[arg(long, value_name = "RESOURCE", conflicts_with_all = ["all", "scope", "team", "hub"])]
        fight: Option<String>,
        #[command(flatten)]
        remote: RemoteArgs,
    },
    /// Hold a route off for a time: its rule is disabled, target and grant stay. Its events are dropped meanwhile, not queued.
    Stop {
        /// Which: team.subscription.
        #[arg(value_name = "ROUTE")]
        route: String,
        #[command(flatten)]
        why: WhyArgs,
        #[command(flatten)]
        remote: RemoteArgs,
    },
    /// Let a route that was held off with `stop` go on before its time.
    Start {
        /// Which: team.subscription.
        #[arg(value_name = "ROUTE")]
        route: String,
        #[command(flatten)]
        remote: RemoteArgs,
    },
}

#[derive(Debug, Args)]
pub(super) struct HealthArgs {
    /// Whether it also has a topology and has swept.
    #[arg(long)]
    ready: bool,
    /// Where the daemon answers.
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8080", env = "WHEELWRIGHT_DAEMON")]
    daemon: String,
}

#[derive(Debug, Args)]
pub(super) struct IncidentArgs {
    /// One incident, by its id.
    id: Option<String>,
    /// Those that are over, too.
    #[arg(long)]
    all: bool,
    /// Of this team alone.
    #[arg(long)]
    team: Option<String>,
    /// In this scope alone.
    #[arg(long, value_name = "ACCOUNT/REGION")]
    scope: Option<String>,
    /// With this code alone.
    #[arg(long)]
    code: Option<String>,
    /// How many at most.
    #[arg(long, default_value_t = 50)]
    limit: usize,
    #[command(flatten)]
    look: LookArgs,
}

#[derive(Debug, Args)]
pub(super) struct HistoryArgs {
    /// Of things whose name or ARN has this in it.
    #[arg(long)]
    resource: Option<String>,
    /// In this scope alone.
    #[arg(long, value_name = "ACCOUNT/REGION")]
    scope: Option<String>,
    /// How many at most.
    #[arg(long, default_value_t = 20)]
    limit: usize,
    #[command(flatten)]
    look: LookArgs,
}

#[derive(Debug, Args)]
#[group(multiple = false)]
pub(super) struct ReachArgs {
    /// Everything.
    #[arg(long)]
    all: bool,
    /// One account and Region.
    #[arg(long, value_name = "ACCOUNT/REGION")]
    scope: Option<String>,
    /// What is for one team, wherever it is.
    #[arg(long)]
    team: Option<String>,
    /// What is on one hub's bus.
    #[arg(long)]
    hub: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct WhyArgs {
    /// How long: 30m, 2h, 1h30m.
    #[arg(long = "for", value_name = "TIME", value_parser = seconds)]
    secs: u64,
    /// Why: it is shown to whoever wonders.
    #[arg(long)]
    reason: String,
}

impl ReachArgs {
    fn reach(&self) -> Option<String> {
        let named = [("scope", &self.scope), ("team", &self.team), ("hub", &self.hub)];
        let found = named.into_iter().find_map(|(kind, name)| name.as_ref().map(|name| format!("{kind} {name}")));
        found.or_else(|| self.all.then(|| Reach::All.to_string()))
    }
}

/// Seconds of a time as people write it.
fn seconds(text: &str) -> Result<u64, String> {
    let shape = "expected like 30m, 2h or 1h30m";
    let time: jiff::SignedDuration = text.parse().map_err(|_| shape.to_owned())?;
    let secs = u64::try_from(time.as_secs()).map_err(|_| shape.to_owned())?;
    match secs {
        0 => Err(shape.to_owned()),
        secs if secs > ORDER_HOURS_MAX * 3_600 => Err(format!(
            "at most {ORDER_HOURS_MAX} h: what is to last longer belongs into the topology or the settings"
        )),
        secs => Ok(secs),
    }
}

/// Who orders, as the daemon remembers it.
#[allow(clippy::disallowed_methods)] // Whose terminal it is, for the record alone.
fn whoever(remote: &RemoteArgs) -> String {
    let user = || std::env::var("USER").ok().filter(|user| !user.is_empty());
    remote.by.clone().or_else(user).unwrap_or_else(|| "somebody".into())
}

pub(super) async fn run(screen: Screen, command: &Remote) -> anyhow::Result<Exit> {
    let said = match command {
        Remote::Health(args) => health(args).await,
        Remote::Status(look) => status(look).await,
        Remote::Incidents(args) => incidents(args).await,
        Remote::History(args) => history(args).await,
        Remote::Why { what, look } => ask(look, "/api/v1/why", &[("what", Some(what.clone()))], words::why).await,
        Remote::Sweep { full, scope, remote } => {
            order(remote, "/api/v1/sweep", json!({"full": full, "scopes": scope, "by": whoever(remote)})).await
        }
        Remote::Pause { reach, why, remote } => match reach.reach() {
            Some(reach) => order(remote, "/api/v1/pauses", why.body("reach", &reach, remote)).await,
            None => Err(Trouble::new("say what is paused: --all, --scope ACCOUNT/REGION, --team NAME or --hub NAME")),
        },
        Remote::Resume { reach, state_lost, fight, remote } => {
            let by = whoever(remote);
            let body = match (reach.reach(), state_lost, fight) {
                (Some(reach), ..) => json!({"reach": reach, "by": by}),
                (None, true, _) => json!({"state-lost": true, "by": by}),
                (None, false, Some(fight)) => json!({"fight": fight, "by": by}),
                (None, false, None) => {
                    screen.say(
                        "error: say what goes on: --all, --scope, --team, --hub, --state-lost or --fight RESOURCE",
                    );
                    return Ok(Exit::UserCanMend);
                }
            };
            order(remote, "/api/v1/resume", body).await
        }
        Remote::Stop { route, why, remote } => {
            order(remote, "/api/v1/stops", why.body("subscription", subscription(route), remote)).await
        }
        Remote::Start { route, remote } => {
            order(remote, "/api/v1/start", json!({"subscription": subscription(route), "by": whoever(remote)})).await
        }
    };
    match said {
        Ok(text) => {
            screen.print(&text)?;
            Ok(Exit::Done)
        }
        Err(Trouble(why)) => {
            screen.say(&format!("{} {why}", screen.talk.bad("error:")));
            Ok(Exit::UserCanMend)
        }
    }
}

impl WhyArgs {
    fn body(&self, key: &str, value: &str, remote: &RemoteArgs) -> Value {
        json!({key: value, "for-secs": self.secs, "reason": self.reason, "by": whoever(remote)})
    }
}

/// The subscription of a route as plans write it, `team.publication -> team.subscription`, or by itself.
fn subscription(route: &str) -> &str {
    route.rsplit("->").next().unwrap_or(route).trim()
}

type Said = Result<String, Trouble>;

/// Asks, and puts the answer into words, or shows it as it is.
async fn ask(look: &LookArgs, path: &str, query: &[(&str, Option<String>)], words: fn(&Value) -> String) -> Said {
    let answer = Client::new(&look.remote)?.get(path, query).await?;
    Ok(if look.json { format!("{answer:#}\n") } else { words(&answer) })
}

async fn order(remote: &RemoteArgs, path: &str, body: Value) -> Said {
    let answer = Client::new(remote)?.post(path, &body).await?;
    let message = answer.get("message").and_then(Value::as_str).unwrap_or("done");
    Ok(format!("{message}\n"))
}

async fn health(args: &HealthArgs) -> Said {
    let path = if args.ready { "/readyz" } else { "/livez" };
    let answer = Client::without_token(&args.daemon)?.get(path, &[]).await?;
    match answer.get("status").and_then(Value::as_str) {
        Some(status) => Ok(format!("{status}\n")),
        None => Err(Trouble::new(format!("what answers at {} is no wheelwright daemon", args.daemon))),
    }
}

async fn status(look: &LookArgs) -> Said {
    let client = Client::new(&look.remote)?;
    let status = client.get("/api/v1/status", &[]).await?;
    let orders = client.get("/api/v1/orders", &[]).await?;
    let unread = client.get("/api/v1/scopes", &[]).await?;
    let all = json!({"status": status, "orders": orders, "scopes": unread});
    Ok(if look.json { format!("{all:#}\n") } else { words::status(&all) })
}

async fn incidents(args: &IncidentArgs) -> Said {
    let IncidentArgs { id, all, team, scope, code, limit, look } = args;
    if let Some(id) = id {
        let path = format!("/api/v1/incidents/{}", client::escaped(id));
        return ask(look, &path, &[], words::incident).await;
    }
    let query = [
        ("open", (!all).then(|| "true".to_owned())),
        ("team", team.clone()),
        ("scope", scope.clone()),
        ("code", code.clone()),
        ("limit", Some(limit.to_string())),
    ];
    ask(look, "/api/v1/incidents", &query, words::incidents).await
}

async fn history(args: &HistoryArgs) -> Said {
    let HistoryArgs { resource, scope, limit, look } = args;
    let query = [("resource", resource.clone()), ("scope", scope.clone()), ("limit", Some(limit.to_string()))];
    ask(look, "/api/v1/writes", &query, words::writes).await
}
