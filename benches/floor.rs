//! The floor: the calls of a sweep over the same SDK, and nothing made of the answers.
//!
//! It knows which accounts and buses there are from a file that `measure.py` writes, and nothing of wheelwright: one HTTP
//! client for all, one role session and one EventBridge client for each account, kept from one sweep to the next. For each
//! line on standard input it makes the calls of one sweep, and says on standard output how long that took.

use aws_credential_types::Credentials;
use aws_sdk_eventbridge as eventbridge;
use aws_sdk_eventbridge::config::SharedCredentialsProvider;
use aws_smithy_http_client::Builder as HttpClientBuilder;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use futures_util::StreamExt as _;
use serde::Deserialize;
use std::error::Error;
use std::io::{BufRead as _, Write as _};
use std::time::SystemTime;
use tokio::time::Instant;

type Failure = Box<dyn Error + Send + Sync>;

/// The same as the program's, so that it is no part of the difference.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// What is to be read.
#[derive(Deserialize)]
struct Spec {
    role: String,
    external_id: String,
    accounts: Vec<Account>,
    /// Accounts at the same time.
    accounts_in_flight: usize,
    /// Whether what only a full sweep reads is read too.
    full: bool,
}

#[derive(Deserialize)]
struct Account {
    id: String,
    /// The buses whose rules are listed.
    buses: Vec<String>,
}

/// Calls of one account at the same time.
const CALLS_IN_FLIGHT: usize = 8;
const PAGE: i32 = 100;

fn main() -> Result<(), Failure> {
    let path = std::env::args().nth(1).ok_or("which file says what to read?")?;
    let spec: Spec = serde_json::from_str(&read(&path)?)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let base = runtime
        .block_on(aws_config::defaults(aws_config::BehaviorVersion::latest()).http_client(http_client()?).load());
    let mut clients: Vec<Option<eventbridge::Client>> = spec.accounts.iter().map(|_| None).collect();
    for line in std::io::stdin().lock().lines() {
        line?;
        let began = Instant::now();
        runtime.block_on(sweep(&spec, &base, &mut clients))?;
        let mut out = std::io::stdout().lock();
        writeln!(out, "{}", began.elapsed().as_micros())?;
        out.flush()?;
    }
    Ok(())
}

#[allow(clippy::disallowed_methods)] // A program of its own.
fn read(path: &str) -> std::io::Result<String> {
    std::fs::read_to_string(path)
}

/// The one client of the one address, which is no `https://`: nothing is trusted.
fn http_client() -> Result<SharedHttpClient, Failure> {
    let context = TlsContext::builder().with_trust_store(TrustStore::empty()).build()?;
    Ok(HttpClientBuilder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).tls_context(context).build_https())
}

async fn sweep(
    spec: &Spec,
    base: &aws_config::SdkConfig,
    clients: &mut [Option<eventbridge::Client>],
) -> Result<(), Failure> {
    let read = spec.accounts.iter().zip(clients).map(|(account, slot)| async move {
        let client = match slot {
            Some(client) => client.clone(),
            None => slot.insert(client(spec, base, &account.id).await?).clone(),
        };
        account_read(&client, account, spec.full).await
    });
    let mut read = futures_util::stream::iter(read).buffer_unordered(spec.accounts_in_flight);
    while let Some(ended) = read.next().await {
        ended?;
    }
    Ok(())
}

async fn client(spec: &Spec, base: &aws_config::SdkConfig, account: &str) -> Result<eventbridge::Client, Failure> {
    let sts = aws_sdk_sts::Client::new(base);
    let role = format!("arn:aws:iam::{account}:role/{}", spec.role);
    let assume = sts.assume_role().role_arn(role).role_session_name("floor").external_id(&spec.external_id);
    let answer = assume.send().await?;
    let given = answer.credentials().ok_or("no credentials")?;
    let credentials = Credentials::new(
        given.access_key_id(),
        given.secret_access_key(),
        Some(given.session_token().to_owned()),
        Some(SystemTime::try_from(*given.expiration())?),
        "floor",
    );
    let config = eventbridge::config::Builder::from(base)
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .build();
    Ok(eventbridge::Client::from_conf(config))
}

async fn account_read(client: &eventbridge::Client, account: &Account, full: bool) -> Result<(), Failure> {
    client.list_event_buses().limit(PAGE).send().await?;
    for bus in &account.buses {
        if full && bus != "default" {
            let described = client.describe_event_bus().name(bus).send().await?;
            client.list_tags_for_resource().resource_arn(described.arn().ok_or("a bus without ARN")?).send().await?;
        }
        let mut token = None;
        let mut rules = Vec::new();
        loop {
            let page = client.list_rules().event_bus_name(bus).limit(PAGE).set_next_token(token).send().await?;
            rules.extend(page.rules.unwrap_or_default());
            token = page.next_token;
            if token.is_none() {
                break;
            }
        }
        let reads = rules.iter().map(|rule| rule_read(client, bus, rule, full));
        let mut reads = futures_util::stream::iter(reads).buffer_unordered(CALLS_IN_FLIGHT);
        while let Some(ended) = reads.next().await {
            ended?;
        }
    }
    if full {
        client.list_archives().name_prefix("ww").limit(PAGE).send().await?;
    }
    Ok(())
}

async fn rule_read(
    client: &eventbridge::Client,
    bus: &str,
    rule: &eventbridge::types::Rule,
    full: bool,
) -> Result<(), Failure> {
    let name = rule.name().unwrap_or_default();
    client.list_targets_by_rule().event_bus_name(bus).rule(name).limit(PAGE).send().await?;
    if full {
        client.list_tags_for_resource().resource_arn(rule.arn().ok_or("a rule without ARN")?).send().await?;
    }
    Ok(())
}
