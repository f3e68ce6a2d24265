//! Which file may speak for whom: what `[path."…"]` of the settings allows.
//!
//! A review of who owns a file says nothing of what is in it: without this, a team's file could take another team's account for its
//! spoke, or publish under another team's source.

use crate::config::diagnostic::{Diagnostic, DiagnosticCode, Sink};
use crate::config::raw::{RawDestination, RawTeam, RawTopology};
use crate::config::source::{Lines, Place, SourceFiles};
use crate::eventbridge::arn::Arn;
use crate::model::settings::{Claims, PathReach, Settings};
use std::collections::BTreeMap;

/// Reports everything that a file declares and may not. Without a `[path]` every file may declare everything.
pub(in crate::config) fn check(raw: &RawTopology, files: &SourceFiles, settings: &Settings, sink: &Sink) {
    if settings.paths.is_empty() {
        return;
    }
    for file in files.topology().filter(|file| covering(&settings.paths, &file.path).is_none()) {
        let (path, place) = (&file.path, Lines::new(file).place(0..0));
        sink.push(
            Diagnostic::error(DiagnosticCode::OutOfReach, &place, format!("no `[path]` of the settings covers `{path}`"))
                .help("where there is one `[path]`, each file needs one that covers it: give the file's path or its folder's to a team"),
        );
    }
    let accounts =
        raw.accounts.iter().filter_map(|entry| Some((entry.body.as_ref()?.id.value.to_string(), entry.text.clone())));
    let checked = Checked { paths: &settings.paths, accounts: accounts.collect(), sink };
    for place in raw.accounts.iter().map(|entry| &entry.place).chain(raw.hubs.iter().map(|entry| &entry.place)) {
        checked.platform(place);
    }
    for id in &raw.organizations {
        checked.platform(&id.place);
    }
    for stop in &raw.stops {
        checked.claim(Kind::Team, stop.subscription.value.team.as_str(), &stop.subscription.place);
    }
    for id in raw.moved.iter().flat_map(|moved| [&moved.from, &moved.to]) {
        checked.claim(Kind::Team, id.value.team.as_str(), &id.place);
    }
    for entry in &raw.teams {
        if checked.is_team_of_platform(&entry.place) {
            continue;
        }
        checked.claim(Kind::Team, &entry.text, &entry.place);
        if let Some(team) = &entry.body {
            checked.team(team);
        }
    }
}

/// The entry that speaks of `path`: that of the file, or of the nearest folder.
fn covering<'p>(paths: &'p BTreeMap<String, PathReach>, path: &str) -> Option<(&'p str, &'p PathReach)> {
    let mut rest = path;
    loop {
        if let Some((key, reach)) = paths.get_key_value(rest) {
            return Some((key, reach));
        }
        rest = rest.rsplit_once('/')?.0;
    }
}

#[derive(Clone, Copy)]
enum Kind {
    Team,
    Account,
    Source,
}

impl Kind {
    fn of(self, reach: &PathReach) -> (&'static str, &Claims) {
        match self {
            Self::Team => ("team", &reach.teams),
            Self::Account => ("account", &reach.accounts),
            Self::Source => ("source", &reach.sources),
        }
    }
}

struct Checked<'a> {
    paths: &'a BTreeMap<String, PathReach>,
    /// What the roster calls each account, by id.
    accounts: BTreeMap<String, String>,
    sink: &'a Sink,
}

impl Checked<'_> {
    fn team(&self, team: &RawTeam) {
        for spoke in team.spokes.iter().filter_map(|entry| entry.body.as_ref()) {
            self.claim(Kind::Account, spoke.account.value.as_str(), &spoke.account.place);
            let options = &spoke.bus_options;
            for arn in options.kms_key.iter().chain(&options.dead_letter) {
                self.claim_arn(&arn.value, &arn.place);
            }
        }
        for publication in team.publications.iter().filter_map(|entry| entry.body.as_ref()) {
            // AWS's own sources are nobody's: what is claimed of them are the accounts.
            if publication.collect.is_none() {
                self.claim(Kind::Source, &publication.source.value, &publication.source.place);
            }
            for account in &publication.accounts {
                self.claim(Kind::Account, account.value.as_str(), &account.place);
            }
        }
        for subscription in team.subscriptions.iter().filter_map(|entry| entry.body.as_ref()) {
            if let RawDestination::Direct(_, destination) = &subscription.deliver.value {
                self.claim_arn(destination, &subscription.deliver.place);
            }
            if let Some(queue) = &subscription.dead_letter {
                self.claim_arn(&queue.value, &queue.place);
            }
        }
    }

    /// The account of an ARN; a bare name is in the spoke's own.
    fn claim_arn(&self, text: &str, place: &Place) {
        let Ok(arn) = text.parse::<Arn>() else { return };
        let name = self.accounts.get(&arn.account).unwrap_or(&arn.account);
        self.claim(Kind::Account, name, place);
    }

    /// A file of a team that nobody named, in a folder that is the platform's, would have the platform's reach.
    fn is_team_of_platform(&self, place: &Place) -> bool {
        let Some((path, _)) =
            covering(self.paths, &place.file).filter(|(path, reach)| reach.platform && *path != &*place.file)
        else {
            return false;
        };
        self.sink.push(
            Diagnostic::error(
                DiagnosticCode::OutOfReach,
                place,
                "a team's file that has the reach of the platform's folder",
            )
            .label(format!("`[path.\"{path}\"]` of wheelwright.toml covers it, and has `platform = true`"))
            .help(format!(
                "give it an entry of its own: `[path.\"{}\"]`, or one to the folder of teams' files",
                place.file
            )),
        );
        true
    }

    fn claim(&self, kind: Kind, name: &str, place: &Place) {
        let Some((path, reach)) = covering(self.paths, &place.file) else { return };
        let (what, claims) = kind.of(reach);
        if claims.cover(name) {
            return;
        }
        let allowed = match claims.0.as_slice() {
            [] => format!("it may name no {what}"),
            all => format!("its {what}s are {}", all.join(", ")),
        };
        self.refuse(place, format!("this file may not speak for {what} `{name}`"), path, &allowed);
    }

    fn platform(&self, place: &Place) {
        if let Some((path, _)) = covering(self.paths, &place.file).filter(|(_, reach)| !reach.platform) {
            let message = "this file may not declare accounts, hubs or the organisation".to_owned();
            self.refuse(place, message, path, "it has no `platform = true`");
        }
    }

    fn refuse(&self, place: &Place, message: String, path: &str, allowed: &str) {
        self.sink.push(
            Diagnostic::error(DiagnosticCode::OutOfReach, place, message)
                .label(format!("`[path.\"{path}\"]` of wheelwright.toml says who it speaks for: {allowed}"))
                .help("ask the platform team, whose file that is, or move this to the file that may"),
        );
    }
}
