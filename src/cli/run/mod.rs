//! `wheelwright run`: the daemon at AWS, with its HTTP surface, its alerts and its schedule, until it is told to end.

pub(super) mod log;
mod service;
mod source;
pub(super) mod state;
mod traces;

pub(super) use service::{Service, serve};
pub(super) use traces::Traces;

use super::clock::MachineClock;
use super::context::{Context, Screen};
use super::{Exit, RunArgs};
use crate::daemon::config::Source;
use crate::daemon::{Command, Handle, Parts, SIGNAL};
use crate::http::Token;
use crate::notify::{Surroundings, Switchboard};
use crate::telemetry::{Metered, Metrics};
use anyhow::Context as _;
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use tokio::signal::unix::{SignalKind, signal};

pub(super) async fn run(folder: &Path, screen: Screen, args: &RunArgs) -> anyhow::Result<Exit> {
    let traces = match Traces::begin(crate::notify::secret::environment) {
        Ok(traces) => traces,
        Err(error) => return refused(screen, &format!("{error:#}")),
    };
    log::begin(args.log, args.log_level, &traces);
    let source::Begun { context, source, hook, store } = match source::begin(folder, screen, args).await? {
        Ok(begun) => begun,
        Err(exit) => return Ok(exit),
    };
    let state_folder = state::folder(args.state.as_deref(), &context.settings);
    let opened = match state::open(&state_folder, &context.settings, store) {
        Ok(opened) => opened,
        Err(error) => return refused(screen, &format!("{error:#}")),
    };
    let aws = context.aws(args.aws.endpoint_url.as_deref()).await;
    let (config, endpoint_url) = aws.surroundings();
    let surroundings = Surroundings { config, endpoint_url };
    let alerts = Switchboard::new(surroundings, crate::notify::secret::environment);
    if let Err(error) = alerts.open(&context.settings.alerts) {
        return refused(screen, &error.to_string());
    }
    let metrics = Arc::new(Metrics::default());
    let fleet = context.paced(Metered::new(aws, Arc::clone(&metrics)));
    let parts = Parts {
        fleet: Arc::new(fleet),
        clock: MachineClock,
        source: Arc::clone(&source),
        store: Arc::new(opened.store),
        alerts: Arc::new(alerts),
        random: Box::new(state::random_share),
    };
    let service = Service {
        parts,
        metrics,
        listen: args.listen.unwrap_or(context.settings.http.listen),
        token: Token::new(&opened.token),
        hook,
    };
    tell_beginning(screen, &context, &state_folder, &opened.token_place);
    // The daemon reads the topology itself, and again when it changes: it need not be there twice.
    drop(context);
    let (ended, shutdown) = tokio::sync::watch::channel(false);
    let signals = listen_to_signals(ended).context("listening to signals")?;
    let served = serve(service, shutdown, |handle| tokio::spawn(signals.reload(handle, source))).await;
    traces.end().await;
    served.map(|()| Exit::Done)
}

fn refused(screen: Screen, why: &str) -> anyhow::Result<Exit> {
    screen.say(&format!("{} {why}", screen.talk.bad("error:")));
    Ok(Exit::UserCanMend)
}

fn tell_beginning(screen: Screen, context: &Context, state: &Path, token_place: &str) {
    let mode: &str = context.settings.modes.default.into();
    tracing::info!(
        owner = %context.settings.operator.owner,
        mode,
        routes = context.desired.routes.len(),
        scopes = context.desired.scopes.len(),
        state = %state.display(),
        token = token_place,
        "begins"
    );
    if screen.is_terminal && context.settings.modes == crate::model::settings::Modes::default() {
        screen.say("The mode is observe: it looks and tells, and writes nothing. [mode] in wheelwright.toml says where it may write.");
    }
}

/// SIGTERM and Ctrl-C end the daemon; SIGHUP makes it look again.
struct Signals {
    hang_up: tokio::signal::unix::Signal,
}

fn listen_to_signals(ended: tokio::sync::watch::Sender<bool>) -> std::io::Result<Signals> {
    let mut terminate = signal(SignalKind::terminate())?;
    let hang_up = signal(SignalKind::hangup())?;
    tokio::spawn(async move {
        let why = tokio::select! {
            _ = terminate.recv() => "SIGTERM",
            _ = tokio::signal::ctrl_c() => "SIGINT",
        };
        tracing::info!(why, "ends after the step that is under way");
        _ = ended.send(true);
    });
    Ok(Signals { hang_up })
}

impl Signals {
    async fn reload(mut self, handle: Handle, source: Arc<dyn Source>) {
        while self.hang_up.recv().await.is_some() {
            source.look_now();
            _ = handle.tell(Command::Sweep { scopes: BTreeSet::new(), full: true }, SIGNAL).await;
        }
    }
}
