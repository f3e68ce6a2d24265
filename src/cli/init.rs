//! `wheelwright init team`: a team's file to begin with, checked with all others before it is written.

use super::context::{Screen, diagnostic_style};
use super::{Exit, InitTeam, format};
use crate::config::{self, SourceFile, SourceFiles};
use crate::source::dir;
use anyhow::Context as _;
use std::fmt::Write as _;
use std::io::{Write as _, stderr, stdin};
use std::path::Path;

/// Writes the file of a new team, from flags and, on a terminal, answers.
pub(super) fn team(folder: &Path, screen: Screen, asked: &InitTeam) -> anyhow::Result<Exit> {
    let refused = |why: &str| {
        screen.say(&format!("{} {why}", screen.talk.bad("error:")));
        Ok(Exit::UserCanMend)
    };
    let files = match dir::read(folder) {
        Ok((files, _)) => files,
        Err(error) => return refused(&error.to_string()),
    };
    let path = format!("topology/teams/{}.toml", asked.name);
    if asked.name.parse::<crate::model::ids::TeamName>().is_err() {
        return refused(&format!("`{}` is no name of a team: small letters, digits and `-`", asked.name));
    }
    if files.file(&path).is_some() {
        return refused(&format!("{path} is there already; it is left as it is"));
    }
    let known = config::load(&files).topology;
    let names = |of: fn(&crate::model::topology::Topology) -> Vec<String>| known.as_ref().map(of).unwrap_or_default();
    let hubs = names(|topology| topology.hubs.keys().map(ToString::to_string).collect());
    let accounts = names(|topology| topology.accounts.keys().map(ToString::to_string).collect());
    let Some(answers) = Answers::of(asked, screen, &hubs, &accounts)? else {
        return refused("say --contact, --hub and --account: there is nobody at a terminal to ask");
    };
    let text = format::formatted(&answers.text(&asked.name))?;
    let with_it = files.iter().cloned().chain([SourceFile::of_bytes(path.as_str(), text.clone().into_bytes())]);
    let with_it = SourceFiles::of(with_it);
    let before = config::load(&files).diagnostics;
    let new = config::load(&with_it).diagnostics.into_iter().filter(|diagnostic| !before.contains(diagnostic));
    let (wrong, elsewhere): (Vec<_>, Vec<_>) = new.partition(|diagnostic| *diagnostic.primary.file == *path);
    let tell = |diagnostics: &[config::Diagnostic]| {
        screen.say(config::render(diagnostics, &with_it, diagnostic_style(screen.talk)).trim_end());
    };
    if !wrong.is_empty() {
        tell(&wrong);
        return refused(&format!("{path} is not written: it would not be right"));
    }
    let whole = folder.join(&path);
    make_folder(whole.parent().unwrap_or(folder))?;
    format::write(&whole, &text)?;
    screen.print(&text)?;
    if !elsewhere.is_empty() {
        tell(&elsewhere);
        screen.say("These lines of others do not know of it yet: change them in the same commit.");
    }
    screen.say(&format!(
        "{} wrote {path}. `wheelwright plan --base HEAD` shows what it would do.",
        screen.talk.good("ok")
    ));
    Ok(Exit::Done)
}

#[allow(clippy::disallowed_methods)] // What was asked for.
fn make_folder(folder: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))
}

struct Answers {
    contact: String,
    hub: String,
    account: String,
    bus: String,
    publishes: Option<String>,
    subscribes: Vec<String>,
}

impl Answers {
    /// What the flags say, and a person where they do not; none, if there is nobody.
    fn of(asked: &InitTeam, screen: Screen, hubs: &[String], accounts: &[String]) -> anyhow::Result<Option<Self>> {
        let ask = |flag: &Option<String>, question: &str, usual: &str| -> anyhow::Result<Option<String>> {
            if let Some(given) = flag {
                return Ok(Some(given.clone()));
            }
            if !screen.is_terminal {
                return Ok(if usual.is_empty() { None } else { Some(usual.to_owned()) });
            }
            Ok(Some(answer(question, usual)?).filter(|text| !text.is_empty()))
        };
        let only = |names: &[String]| if let [one] = names { one.clone() } else { String::new() };
        let name = &asked.name;
        let contact =
            ask(&asked.contact, "How is the team reached when its routes break (a channel, an address)?", "")?;
        let hub = ask(&asked.hub, &format!("Which hub does it use ({})?", hubs.join(", ")), &only(hubs))?;
        let account = ask(&asked.account, &format!("Which account is its own ({})?", accounts.join(", ")), "")?;
        let (Some(contact), Some(hub), Some(account)) = (contact, hub, account) else { return Ok(None) };
        let bus = asked.bus.clone().unwrap_or_else(|| name.clone());
        let publishes = match (&asked.publishes, &asked.subscribes[..]) {
            (None, []) if screen.is_terminal => {
                Some(answer("Under which source does it publish, as com.acme.orders (nothing: it does not)?", "")?)
                    .filter(|text| !text.is_empty())
            }
            (given, _) => given.clone(),
        };
        Ok(Some(Self { contact, hub, account, bus, publishes, subscribes: asked.subscribes.clone() }))
    }

    fn text(&self, name: &str) -> String {
        // A JSON string is one of TOML.
        let quoted = |text: &str| serde_json::Value::from(text).to_string();
        let mut text = format!(
            "[team]\nname = {}\ncontact = {}\n\n[spoke.{}]\nhub = {}\naccount = {}\nbus = {}\n",
            quoted(name),
            quoted(&self.contact),
            self.hub,
            quoted(&self.hub),
            quoted(&self.account),
            quoted(&self.bus)
        );
        if let Some(source) = &self.publishes {
            let publication = source.rsplit('.').next().unwrap_or(source);
            _ = write!(
                text,
                "\n# What the team publishes. `detail-types = [\"…\"]` says which events, `subscribers` who may have them.\n\
                 [publish.{publication}]\nsource = {}\nsubscribers = [\"*\"]\n",
                quoted(source)
            );
        }
        for from in &self.subscribes {
            let subscription = from.replace('.', "-");
            _ = write!(
                text,
                "\n# What the team needs. `where.detail.FIELD = [\"…\"]` narrows it, `deliver = {{ queue = \"…\" }}` takes it past the bus.\n\
                 [subscribe.{subscription}]\nfrom = {}\n",
                quoted(from)
            );
        }
        text
    }
}

fn answer(question: &str, usual: &str) -> anyhow::Result<String> {
    let usually = if usual.is_empty() { String::new() } else { format!(" [{usual}]") };
    let mut out = stderr().lock();
    write!(out, "{question}{usually} ")?;
    out.flush()?;
    let mut line = String::new();
    stdin().read_line(&mut line)?;
    Ok(match line.trim() {
        "" => usual.to_owned(),
        text => text.to_owned(),
    })
}
