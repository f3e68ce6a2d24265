//! Where the daemon's log goes: standard error, as text for a person or as JSON for a collector.

use super::traces::Traces;
use crate::cli::LogFormat;
use std::io::{IsTerminal as _, stderr};
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Layer as _, fmt};

/// Begins to log, and to send `traces`. Libraries are heard from warnings on.
pub(in crate::cli) fn begin(format: LogFormat, level: tracing::Level, traces: &Traces) {
    let ours = Targets::new()
        .with_default(LevelFilter::WARN.min(LevelFilter::from_level(level)))
        .with_target("wheelwright", level);
    let is_text = match format {
        LogFormat::Auto => stderr().is_terminal(),
        LogFormat::Text => true,
        LogFormat::Json => false,
    };
    let layer = match is_text {
        true => fmt::layer().with_writer(stderr).with_target(false).with_ansi(stderr().is_terminal()).boxed(),
        false => fmt::layer().json().flatten_event(true).with_target(false).with_writer(stderr).boxed(),
    };
    // Who logs already, as a test does, goes on.
    _ = tracing_subscriber::registry().with(layer.with_filter(ours)).with(traces.layer()).try_init();
}
