//! The command line: what a person types, and what they read.
//!
//! Layer 6. Data goes to standard output, talk to standard error. Exit codes: 0 in step or done · 1 something that the
//! user can mend (a bad topology, a held plan, a scope that refused) · 2 unexpected · 3 changes pending under
//! `plan --expect-no-changes`.

mod apply;
mod clock;
mod context;
mod demo;
mod doctor;
mod format;
mod import;
mod init;
mod offline;
mod plan;
mod progress;
mod rehearse;
mod remote;
mod retire;
mod run;
mod simulate;
mod trace;

use crate::model::plan::Guard;
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;
use std::process::ExitCode;

/// Keeps an organisation's Amazon EventBridge buses true: cross-account hub and spoke routing, declared in TOML.
#[derive(Debug, Parser)]
#[command(name = "wheelwright", version, term_width = 100)]
#[command(after_help = "Exit codes: 0 in step or done; 1 something that you can mend (a bad topology, a held plan, a \
scope that refused); 2 unexpected; 3 changes pending under `plan --expect-no-changes`.")]
struct Cli {
    /// The config folder: wheelwright.toml, and topology/**/*.toml below it.
    #[arg(long, global = true, value_name = "DIR", default_value = "config", env = "WHEELWRIGHT_CONFIG")]
    config: PathBuf,
    /// When to colour: meaning is never in colour alone.
    #[arg(long, global = true, value_enum, default_value_t = Colour::Auto)]
    color: Colour,
    #[command(subcommand)]
    command: Command,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Colour {
    /// On a terminal, unless NO_COLOR is set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Check the topology: every mistake with its place and what to do. Needs no AWS.
    Check {
        /// How to print what is wrong.
        #[arg(long, value_enum, default_value_t = CheckFormat::Text)]
        format: CheckFormat,
    },
    /// Show what would be done to the accounts, routes first. Writes nothing.
    Plan(PlanArgs),
    /// Do what the plan says, as far as no guard holds it, then look again.
    Apply(ApplyArgs),
    /// Run the daemon: sweep for ever, mend where the mode says so, remember, tell people, obey them.
    Run(RunArgs),
    #[command(flatten)]
    Remote(remote::Remote),
    /// Look whether every account has what others bring: roles, permissions, queues, quotas, the clock; and print what owners
    /// of destinations and partners have to add. Writes nothing.
    Doctor(DoctorArgs),
    /// Write topology files from what is live: hubs, spokes, publications and subscriptions that are there already, so that
    /// their plan is empty or takes over what is there as it is. Tells what is left, and why. Writes nothing at AWS.
    Import(ImportArgs),
    /// List the buses and archives of ours that nobody needs any more, which no plan takes away; or take one of them away.
    Retire(RetireArgs),
    /// Explain a code of a mistake, a finding or a guard: what it means, why, what to do.
    Explain {
        /// The code, as `second-hop`; without one, every code in a line each.
        code: Option<String>,
    },
    /// Write the first file of something: of a team.
    Init {
        #[command(subcommand)]
        what: InitWhat,
    },
    /// Lay all files out alike, and keep their comments.
    Fmt {
        /// Change nothing; exit with 1 if a file is not formatted.
        #[arg(long)]
        check: bool,
    },
    /// Print the JSON Schema of the topology files, for editors.
    Schema,
    /// Draw the topology.
    Graph {
        /// The language of the picture.
        #[arg(long, value_enum, default_value_t = GraphFormat::Mermaid)]
        format: GraphFormat,
    },
    /// Say where an event would go: the routes that take it, and for each that does not, what keeps it. Needs no AWS, but with
    /// --live also says where the accounts do something else than the topology asks for.
    Trace(TraceArgs),
    /// See it all on a simulated AWS, without an account: plan, apply, an event, drift, mending; then the daemon, until Ctrl-C.
    Demo {
        /// Run to the end without pauses; exit 0 only if every edit was found and mended, and everything foreign left.
        #[arg(long)]
        once: bool,
    },
    /// Serve a simulated AWS of the topology's accounts on a loopback port, for trying things out.
    Sim {
        /// Where to listen: a loopback address.
        #[arg(long, default_value = "127.0.0.1:4599", value_name = "ADDRESS")]
        listen: std::net::SocketAddr,
        /// Answer so much later, as if AWS were a network away; for measuring.
        #[arg(long, default_value_t = 0, value_name = "MILLISECONDS", hide = true)]
        latency_ms: u64,
    },
}

#[derive(Debug, Args)]
struct AwsArgs {
    /// Where STS, EventBridge, IAM and SQS are, instead of AWS's endpoints (AWS_ENDPOINT_URL is honoured too).
    #[arg(long, global = true, value_name = "URL")]
    endpoint_url: Option<String>,
}

#[derive(Debug, Subcommand)]
enum InitWhat {
    /// A team's file: its name, contact and spoke, what it publishes and what it needs. Asks for what no flag says.
    Team(InitTeam),
}

#[derive(Debug, Args)]
struct InitTeam {
    /// The team's name: small letters, digits and `-`.
    #[arg(value_name = "NAME")]
    name: String,
    /// How the team is reached when its routes break.
    #[arg(long, value_name = "TEXT")]
    contact: Option<String>,
    /// The hub that it uses. Default: the only one.
    #[arg(long, value_name = "HUB")]
    hub: Option<String>,
    /// Its account, as the roster calls it.
    #[arg(long, value_name = "ACCOUNT")]
    account: Option<String>,
    /// The bus that its events come to, which is made for it. Default: its name.
    #[arg(long, value_name = "BUS")]
    bus: Option<String>,
    /// The source that it publishes under, as `com.acme.orders`.
    #[arg(long, value_name = "SOURCE")]
    publishes: Option<String>,
    /// A publication that it needs, as `payments.settlements`. May be given more than once.
    #[arg(long, value_name = "TEAM.PUBLICATION")]
    subscribes: Vec<String>,
}

#[derive(Debug, Args)]
struct PlanArgs {
    #[command(flatten)]
    aws: AwsArgs,
    /// How to print the plan.
    #[arg(long, value_enum, default_value_t = PlanFormat::Text)]
    format: PlanFormat,
    /// Show what the change from this config folder, or from this commit of the folder's git repository, does by itself, on
    /// simulated accounts, without AWS.
    #[arg(long, value_name = "DIR|REV", conflicts_with = "endpoint_url")]
    base: Option<PathBuf>,
    /// Exit with 3 if the plan is not empty.
    #[arg(long)]
    expect_no_changes: bool,
}

#[derive(Debug, Args)]
struct TraceArgs {
    #[command(flatten)]
    aws: AwsArgs,
    /// The event, as JSON: as a target gets it (`source`, `detail-type`, `detail`), or an entry of PutEvents; `-` is standard
    /// input.
    #[arg(long, value_name = "FILE")]
    event: PathBuf,
    /// Who publishes it: a publication, or an account by its name in the roster or its id (then with --bus). Default: the
    /// one publication with the event's source and detail-type.
    #[arg(long, value_name = "TEAM.PUBLICATION|ACCOUNT")]
    published_by: Option<String>,
    /// The bus that it is put on, as the publisher gives it to PutEvents: an ARN or a name. Default: the publication's.
    #[arg(long, value_name = "BUS")]
    bus: Option<String>,
    /// Look into the accounts too.
    #[arg(long)]
    live: bool,
    /// Say for every route why it does not take the event.
    #[arg(long)]
    all: bool,
    /// How to print it.
    #[arg(long, value_enum, default_value_t = TraceFormat::Text)]
    format: TraceFormat,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum TraceFormat {
    /// For a terminal.
    Text,
    /// For programs.
    Json,
}

#[derive(Debug, Args)]
struct ApplyArgs {
    #[command(flatten)]
    aws: AwsArgs,
    /// Do not ask. Guards hold all the same.
    #[arg(long)]
    yes: bool,
    /// Apply this reviewed plan and no other; naming it lets its guards go.
    #[arg(long, value_name = "ID")]
    plan_id: Option<String>,
    /// Let what this guard holds go: too-many-breaks, too-many-changes or adopt. May be given more than once.
    #[arg(long, value_name = "GUARD")]
    allow: Vec<Guard>,
}

#[derive(Debug, Args)]
struct RunArgs {
    #[command(flatten)]
    aws: AwsArgs,
    /// The folder that the state is kept in; one daemon at a time. Default: `[state] folder`, or ./wheelwright-state.
    #[arg(long, value_name = "DIR", env = "WHEELWRIGHT_STATE")]
    state: Option<PathBuf>,
    /// Take settings and topology from git, as this file says, and not from the config folder.
    #[arg(long, value_name = "FILE", env = "WHEELWRIGHT_SOURCE")]
    source: Option<PathBuf>,
    /// Where to listen, instead of what `[http] listen` says.
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<std::net::SocketAddr>,
    /// How to log to standard error.
    #[arg(long, value_enum, default_value_t = LogFormat::Auto)]
    log: LogFormat,
    /// How much to log: error, warn, info, debug or trace.
    #[arg(long, default_value = "info", value_name = "LEVEL")]
    log_level: tracing::Level,
}

/// Which daemon, and as whom.
#[derive(Debug, Args)]
struct RemoteArgs {
    /// Where the daemon answers.
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8080", env = "WHEELWRIGHT_DAEMON")]
    daemon: String,
    /// The daemon's state folder, which holds its token.
    #[arg(long, value_name = "DIR", env = "WHEELWRIGHT_STATE")]
    state: Option<PathBuf>,
    /// The file that holds the daemon's token.
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// The daemon's token itself.
    #[arg(long, env = "WHEELWRIGHT_TOKEN", hide = true, hide_env_values = true)]
    token: Option<String>,
    /// Who you are, for the record. Default: the user's name.
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
}

#[derive(Debug, Args)]
struct LookArgs {
    #[command(flatten)]
    remote: RemoteArgs,
    /// Show the daemon's answer as it is.
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum LogFormat {
    /// Text on a terminal, JSON otherwise.
    Auto,
    /// For a person.
    Text,
    /// For a collector: one object a line.
    Json,
}

#[derive(Debug, Args)]
struct DoctorArgs {
    #[command(flatten)]
    aws: AwsArgs,
    /// Look at this account alone: its name in the roster, or its id. May be given more than once.
    #[arg(long, value_name = "ACCOUNT")]
    account: Vec<String>,
    /// Look at this scope alone. May be given more than once.
    #[arg(long, value_name = "ACCOUNT/REGION")]
    scope: Vec<String>,
    /// How to print what was found.
    #[arg(long, value_enum, default_value_t = DoctorFormat::Text)]
    format: DoctorFormat,
    /// Prove permissions to write as well, by writes on a bus, a rule and an archive that are not there.
    #[arg(long)]
    prove_writes: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "Example: wheelwright import --accounts platform=111111111111,ledger-prod=333333333333 \
--regions us-east-1 --out imported

Role name, external id, delivery role and releases are those of wheelwright.toml in the config folder, if it is there. \
Each account is taken for a team's of its own, unless --team or a tag (wheelwright:team, team) of a bus says otherwise.")]
struct ImportArgs {
    #[command(flatten)]
    aws: AwsArgs,
    /// The accounts to look at, each with the name that it gets in the roster.
    #[arg(long, value_name = "NAME=ID,…", value_delimiter = ',', required = true)]
    accounts: Vec<String>,
    /// The Regions to look at.
    #[arg(long, value_name = "REGION,…", value_delimiter = ',', required = true)]
    regions: Vec<String>,
    /// A bus that is a hub, and its name. Others that events go on from are taken for hubs as well. May be given more than once.
    #[arg(long, value_name = "NAME=ARN")]
    hub: Vec<String>,
    /// A team and its accounts, by their names, with `+` between them. May be given more than once.
    #[arg(long, value_name = "TEAM=ACCOUNT+…")]
    team: Vec<String>,
    /// The folder to write `topology/` into, which must have none; `-` prints the files. Default: the config folder.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// How to print what was taken and what was left.
    #[arg(long, value_enum, default_value_t = ImportFormat::Text)]
    format: ImportFormat,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum ImportFormat {
    /// For a terminal.
    Text,
    /// For programs; with the files in it.
    Json,
}

#[derive(Debug, Args)]
struct RetireArgs {
    #[command(flatten)]
    aws: AwsArgs,
    #[command(subcommand)]
    what: Option<RetireWhat>,
}

#[derive(Debug, Subcommand)]
enum RetireWhat {
    /// Delete a bus that the topology does not name, that bears both our marks and has no rules left.
    Bus(RetireOne),
    /// Delete an archive of ours that the topology does not name, with all events in it.
    Archive(RetireOne),
    /// Let an archive keep events only for as long as the topology asks; AWS deletes older ones.
    Retention(RetireOne),
}

#[derive(Debug, Args)]
struct RetireOne {
    /// Which: one, by its name.
    #[arg(value_name = "ACCOUNT/REGION/NAME")]
    place: String,
    /// Its name once more, instead of being asked for it.
    #[arg(long, value_name = "NAME")]
    confirm: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum DoctorFormat {
    /// For a terminal.
    Text,
    /// For programs.
    Json,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum CheckFormat {
    /// For a terminal.
    Text,
    /// For programs.
    Json,
    /// For code scanning: SARIF 2.1.0.
    Sarif,
    /// For GitHub Actions: annotations at the lines of a pull request.
    Github,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum PlanFormat {
    /// For a terminal.
    Text,
    /// For programs.
    Json,
    /// For a comment on a pull request.
    Markdown,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum GraphFormat {
    /// Mermaid, which GitHub and GitLab draw.
    Mermaid,
    /// Graphviz.
    Dot,
}

/// How a command ended, where it did not fail outright.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// In step, or done.
    Done,
    /// Something that the user can mend; it was said what.
    UserCanMend,
    /// There are changes, and none were expected.
    ChangesPending,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        match exit {
            Exit::Done => Self::SUCCESS,
            Exit::UserCanMend => Self::from(1),
            Exit::ChangesPending => Self::from(3),
        }
    }
}

/// Runs what the command line says.
pub fn run() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are answers, not mistakes.
            let mistake = error.use_stderr();
            _ = error.print();
            return if mistake { ExitCode::from(1) } else { ExitCode::SUCCESS };
        }
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("error: the program could not start its runtime: {error}");
            return ExitCode::from(2);
        }
    };
    match runtime.block_on(dispatch(&cli)) {
        Ok(exit) => exit.into(),
        Err(error) => {
            if error
                .downcast_ref::<std::io::Error>()
                .is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
            {
                return ExitCode::SUCCESS;
            }
            eprintln!("error: {error:#}");
            ExitCode::from(2)
        }
    }
}

async fn dispatch(cli: &Cli) -> anyhow::Result<Exit> {
    let screen = context::Screen::new(cli.color);
    match &cli.command {
        Command::Check { format } => offline::check(&cli.config, screen, *format),
        Command::Explain { code } => offline::explain(code.as_deref()),
        Command::Init { what: InitWhat::Team(asked) } => init::team(&cli.config, screen, asked),
        Command::Fmt { check } => format::run(&cli.config, screen, *check),
        Command::Schema => offline::schema(),
        Command::Graph { format } => offline::graph(&cli.config, screen, *format),
        Command::Plan(args) => plan::run(&cli.config, screen, args).await,
        Command::Apply(args) => apply::run(&cli.config, screen, args).await,
        Command::Run(args) => run::run(&cli.config, screen, args).await,
        Command::Remote(command) => remote::run(screen, command).await,
        Command::Doctor(args) => doctor::run(&cli.config, screen, args).await,
        Command::Import(args) => import::run(&cli.config, screen, args).await,
        Command::Retire(args) => retire::run(&cli.config, screen, args).await,
        Command::Trace(args) => trace::run(&cli.config, screen, args).await,
        Command::Demo { once } => demo::run(screen, *once).await,
        Command::Sim { listen, latency_ms } => simulate::run(&cli.config, screen, *listen, *latency_ms).await,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::Cli;
    use crate::model::order::Reach;
    use crate::model::plan::Guard;
    use crate::report::commands;
    use clap::Parser as _;
    use strum::IntoEnumIterator as _;

    #[test]
    fn what_people_are_told_to_type_is_understood() {
        let reaches = ["all", "scope 111111111111/us-east-1", "team ledger", "hub us"];
        let resource = crate::model::resource::ResourceId::Scope("111111111111/us-east-1".parse().unwrap());
        let told = Guard::iter()
            .filter_map(commands::allow)
            .chain(reaches.map(|reach| commands::resume(&reach.parse::<Reach>().unwrap())))
            .chain([commands::resume_fight(&resource), commands::start(&"ledger.large".parse().unwrap())]);
        for command in told {
            // One argument may be in quotes, and is the last.
            let (plain, quoted) = command.split_once('\'').unwrap_or((&command, ""));
            let words = plain.split_whitespace().chain(quoted.strip_suffix('\''));
            assert!(Cli::try_parse_from(words).is_ok(), "{command}");
        }
    }
}
