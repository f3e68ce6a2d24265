//! `wheelwright trace`.

use super::context::{Context, Screen, load};
use super::plan::look_and_plan;
use super::{Exit, TraceArgs, TraceFormat};
use crate::eventbridge::quota::PUT_EVENTS_BYTES;
use crate::report::trace as report;
use crate::trace::{Question, trace};
use anyhow::Context as _;
use serde_json::Value;
use std::io::Read as _;
use std::path::Path;

pub(super) async fn run(folder: &Path, screen: Screen, args: &TraceArgs) -> anyhow::Result<Exit> {
    let context = match load(folder, screen) {
        Ok(context) => context,
        Err(exit) => return Ok(exit),
    };
    let asked = read_event(&args.event).and_then(|event| {
        let by = args.published_by.as_deref();
        Question::read(&context.topology, &event, by, args.bus.as_deref()).map_err(|error| error.to_string())
    });
    let question = match asked {
        Ok(question) => question,
        Err(error) => {
            let from = if is_stdin(&args.event) { "standard input".into() } else { args.event.to_string_lossy() };
            screen.say(&format!("{} {from}: {error}", screen.talk.bad("error:")));
            return Ok(Exit::UserCanMend);
        }
    };
    let live = if args.live || args.aws.endpoint_url.is_some() {
        let fleet = context.fleet(args.aws.endpoint_url.as_deref()).await;
        Some(look_and_plan(&context, screen, &fleet).await.0)
    } else {
        None
    };
    let Context { desired, topology, names, .. } = &context;
    let traced = trace(&question, desired, topology.organization.as_deref(), live.as_ref());
    screen.print(&match args.format {
        TraceFormat::Text => report::text(&traced, names, screen.out, args.all),
        TraceFormat::Json => {
            serde_json::to_string_pretty(&report::json(&traced)).context("writing the trace as JSON")? + "\n"
        }
    })?;
    let differs = traced.routes.iter().any(crate::trace::TracedRoute::differs);
    Ok(if differs { Exit::UserCanMend } else { Exit::Done })
}

fn is_stdin(path: &Path) -> bool {
    path == Path::new("-")
}

/// An event from a file, or from standard input (`-`): at most as much as PutEvents takes.
#[allow(clippy::disallowed_methods)] // The command's own argument names the file.
fn read_event(path: &Path) -> Result<Value, String> {
    let mut text = String::new();
    let bytes_max = PUT_EVENTS_BYTES as u64 + 1;
    let read = if is_stdin(path) {
        std::io::stdin().take(bytes_max).read_to_string(&mut text)
    } else {
        std::fs::File::open(path).and_then(|file| file.take(bytes_max).read_to_string(&mut text))
    };
    read.map_err(|error| error.to_string())?;
    if text.len() > PUT_EVENTS_BYTES {
        return Err(format!("it has more than {PUT_EVENTS_BYTES} bytes, which is all that PutEvents takes at once"));
    }
    serde_json::from_str(&text).map_err(|error| format!("it is no JSON: {error}"))
}
