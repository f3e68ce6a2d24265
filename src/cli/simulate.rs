//! `wheelwright sim`: the topology's accounts, simulated, on a loopback port.

use super::Exit;
use super::clock::MachineClock;
use super::context::{Screen, load};
use crate::port::Clock;
use crate::sim::SimulatedAws;
use crate::{sim, stage};
use anyhow::Context as _;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How often the simulated time is set to the machine's, in milliseconds.
const TICK_MS: u64 = 100;

pub(super) async fn run(folder: &Path, screen: Screen, listen: SocketAddr, latency_ms: u64) -> anyhow::Result<Exit> {
    let context = match load(folder, screen) {
        Ok(context) => context,
        Err(exit) => return Ok(exit),
    };
    if !listen.ip().is_loopback() {
        screen.say(&format!(
            "error: the simulated AWS lets everybody in, so it listens on loopback alone; {listen} is not"
        ));
        return Ok(Exit::UserCanMend);
    }
    let mut aws = stage::stage(&context.topology, &context.settings, &context.desired);
    let key = aws.mint_root_key(stage::OPERATOR_ACCOUNT);
    let listener = tokio::net::TcpListener::bind(listen).await.with_context(|| format!("listening on {listen}"))?;
    let address = listener.local_addr().context("reading the address that was bound")?;
    screen.print(&format!(
        "export AWS_ENDPOINT_URL=http://{address}\nexport AWS_ACCESS_KEY_ID={}\nexport AWS_SECRET_ACCESS_KEY={}\nexport AWS_REGION=us-east-1\n",
        key.access_key_id, key.secret_access_key
    ))?;
    screen.say(&format!(
        "{} accounts simulated on {address}, until Ctrl-C. Paste the lines above into another terminal, then: wheelwright plan",
        context.topology.accounts.len()
    ));
    let world = Arc::new(Mutex::new(aws));
    let stop = async {
        _ = tokio::signal::ctrl_c().await;
    };
    tokio::select! {
        served = sim::tcp::serve_afar(listener, Arc::clone(&world), Duration::from_millis(latency_ms), stop) => served.context("serving")?,
        () = keep_time(&world) => {}
    }
    Ok(Exit::Done)
}

/// Lets the simulated time go with the machine's, for ever.
async fn keep_time(world: &Mutex<SimulatedAws>) {
    loop {
        let now = MachineClock.now().0;
        let now_ms = i64::try_from(now).unwrap_or(i64::MAX);
        world.lock().unwrap_or_else(PoisonError::into_inner).set_now_ms(now_ms);
        MachineClock.wait_ms(TICK_MS).await;
    }
}
