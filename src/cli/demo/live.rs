//! After the story: the daemon on the simulated AWS, with somebody who edits the accounts by hand every few seconds.

use super::accounts::Accounts;
use super::{Demo, example};
use crate::cli::Exit;
use crate::cli::clock::MachineClock;
use crate::cli::run::state::{random, random_share};
use crate::cli::run::{Service, Traces, log, serve};
use crate::config::{self, SETTINGS_PATH, SourceFiles};
use crate::daemon::config::{Fetched, Source};
use crate::daemon::{Parts, nothing_is_lost};
use crate::http::Token;
use crate::model::resource::RuleId;
use crate::notify::{Surroundings, Switchboard};
use crate::port::Clock as _;
use crate::store::Store;
use crate::telemetry::{Metered, Metrics};
use aws_types::SdkConfig;
use serde_json::json;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::sync::watch;

/// Where it answers.
const LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 8080);
/// Milliseconds from one edit by hand to the next.
const EDIT_EVERY_MS: u64 = 7_000;
/// What the demo's daemon goes by beside the example's settings: it enforces, quickly, and tells on the screen.
const SETTINGS: &str = "
[mode]
default = \"enforce\"

[sweep]
fast-every-secs = 5
full-every-secs = 30
gap-secs-min = 1
start-jitter-secs-max = 0

[breaker]
reverts-max = 20

[alert.screen]
kind = \"log\"
";

/// The example with the demo's settings.
struct Example;

impl Source for Example {
    fn fetch(&self) -> Result<Fetched, String> {
        let files = example::files();
        let of_demo = |file: &config::SourceFile| match &*file.path {
            SETTINGS_PATH => (file.path.to_string(), format!("{}{SETTINGS}", file.text)),
            _ => (file.path.to_string(), file.text.to_string()),
        };
        let texts: Vec<(String, String)> = files.iter().map(of_demo).collect();
        Ok(Fetched::of(SourceFiles::new(texts), example::revision()))
    }
}

impl Demo {
    /// Keeps the daemon running until Ctrl-C.
    pub(super) async fn live(&self) -> anyhow::Result<Exit> {
        log::begin(crate::cli::LogFormat::Auto, tracing::Level::INFO, &Traces::off());
        let token: [u8; 16] = random()?;
        let token: String = token.iter().map(|byte| format!("{byte:02x}")).collect();
        self.story.chapter("The daemon (wheelwright run), until Ctrl-C").await?;
        self.story
            .tell(&format!(
                "Somebody edits the accounts every {} s. See it at http://{LISTEN}/ or, in another terminal:\n\n    export WHEELWRIGHT_TOKEN={token}\n    \
                 wheelwright status\n    wheelwright incidents --all\n    wheelwright history\n    wheelwright why ledger.large\n    \
                 wheelwright stop ledger.large --for 1m --reason \"to see it\"\n    curl http://{LISTEN}/metrics\n",
                EDIT_EVERY_MS / 1_000
            ))
            .await?;
        let metrics = Arc::new(Metrics::default());
        let fleet = self.accounts.another_fleet(&self.context);
        let surroundings = Surroundings { config: SdkConfig::builder().build(), endpoint_url: None };
        let store = Store::in_memory()?;
        // There is nobody's pause in it to be lost.
        nothing_is_lost(&store)?;
        let parts = Parts {
            fleet: Arc::new(self.context.paced(Metered::new(fleet, Arc::clone(&metrics)))),
            clock: MachineClock,
            source: Arc::new(Example),
            store: Arc::new(store),
            alerts: Arc::new(Switchboard::new(surroundings, |_| None)),
            random: Box::new(random_share),
        };
        let service = Service { parts, metrics, listen: LISTEN, token: Token::new(&token), hook: None };
        let (end, shutdown) = watch::channel(false);
        tokio::spawn(async move {
            _ = tokio::signal::ctrl_c().await;
            _ = end.send(true);
        });
        let rules = self.rules();
        tokio::select! {
            served = serve(service, shutdown, |_| tokio::spawn(async {})) => served?,
            () = somebody(&self.accounts, &rules) => {}
        }
        Ok(Exit::Done)
    }

    /// The hub rules of the example, in an order that looks like none.
    fn rules(&self) -> Vec<RuleId> {
        let mut rules: Vec<RuleId> = self.context.desired.routes.values().map(|route| route.rule.clone()).collect();
        rules.dedup();
        rules
    }
}

/// Edits one thing after the other, for ever.
async fn somebody(accounts: &Accounts, rules: &[RuleId]) {
    for (turn, rule) in rules.iter().cycle().enumerate() {
        MachineClock.wait_ms(EDIT_EVERY_MS).await;
        accounts.world().set_now_ms(i64::try_from(MachineClock.now().0).unwrap_or(i64::MAX));
        let (account, region) = (rule.bus.scope.account, rule.bus.scope.region.as_str());
        let named = json!({"Name": rule.name, "EventBusName": rule.bus.name});
        let edited = if turn % 3 == 2 {
            let pattern =
                json!({"Name": rule.name, "EventBusName": rule.bus.name, "EventPattern": r#"{"source":["nobody"]}"#});
            accounts.by_hand(account, region, "PutRule", &pattern)
        } else {
            accounts.by_hand(account, region, "DisableRule", &named)
        };
        match edited {
            Ok(_) => tracing::info!(rule = %rule, "somebody edits this by hand"),
            Err(error) => tracing::warn!(%error, "somebody could not edit by hand"),
        }
    }
}
