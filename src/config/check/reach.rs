//! Which file may speak for whom: what `[path."…"]` of the settings allows.
//!
//! A review of who owns a file says nothing of what is in it: without this, a team's file could take another team's account for its
//! spoke, or publish under another team's source.

use crate::config::diagnostic::{Diagnostic, DiagnosticCode, Sink};
use crate::config::raw::{FileOwner, RawDestination, RawTeam, RawTopology};
use crate::config::source::{Lines, Place, SourceFile};
use crate::eventbridge::arn::Arn;
use crate::model::ids::TeamName;
use crate::model::settings::{Claims, PathReach};
use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};

/// What each file may say, and what accounts are called.
pub(in crate::config) struct Reach<'a> {
    paths: &'a BTreeMap<String, PathReach>,
    /// What the roster calls each account, by id.
    accounts: BTreeMap<String, String>,
}

impl<'a> Reach<'a> {
    /// What `paths` let `files` say; without any, everything.
    pub(in crate::config) fn of<'f>(
        paths: &'a BTreeMap<String, PathReach>,
        files: impl Iterator<Item = (&'f SourceFile, &'f RawTopology)>,
    ) -> Self {
        let is_platforms = |file: &SourceFile| covering(paths, &file.path).is_some_and(|(_, reach)| reach.platform);
        let accounts = files.filter(|(file, _)| is_platforms(file)).flat_map(|(_, raw)| &raw.accounts);
        let accounts =
            accounts.filter_map(|entry| Some((entry.body.as_ref()?.id.value.to_string(), entry.text.clone())));
        Self { paths, accounts: accounts.collect() }
    }

    /// Reports everything that `file` declares and may not, to its own `sink`. A file that does is left out as a whole, before
    /// anything of it is compared with what others say: else the team that it speaks for, or everybody, would be held by what
    /// somebody else wrote. What is returned then is whose it is. A file that is used has whose it is, in `raw`, put right by its
    /// path.
    pub(in crate::config) fn judge(&self, file: &SourceFile, raw: &mut RawTopology, sink: &Sink) -> Option<FileOwner> {
        if self.paths.is_empty() {
            return None;
        }
        let (path, start) = (&file.path, Lines::new(file).place(0..0));
        let owner = raw.owners.get(path).cloned().unwrap_or(FileOwner::Platform);
        // Where no path says whose it is: what it declares of the platform's is missed by everybody, anything else by nobody knows whom.
        let unclaimed = || match &owner {
            FileOwner::Platform => FileOwner::Platform,
            _ => FileOwner::ByPath(BTreeSet::new()),
        };
        let Some((_, reach)) = covering(self.paths, path) else {
            sink.push(
                Diagnostic::error(DiagnosticCode::OutOfReach, &start, format!("no `[path]` of the settings covers `{path}`"))
                    .help("where there is one `[path]`, each file needs one that covers it: give the file's path or its folder's to a team"),
            );
            return Some(unclaimed());
        };
        let checked = Checked { paths: self.paths, accounts: &self.accounts, refused: Cell::new(false), sink };
        if raw.teams.iter().any(|entry| checked.is_team_of_platform(&entry.place)) {
            return Some(unclaimed());
        }
        checked.file(raw, &start);
        // Of a text that is not TOML the parser may have found another name than a person does, or none.
        let is_anothers = matches!(&owner, FileOwner::Team(name) if !reach.teams.cover(name));
        let by_path = || FileOwner::ByPath(own_teams(reach, raw));
        if checked.refused.get() || is_anothers {
            return Some(by_path());
        }
        if !reach.platform && !matches!(owner, FileOwner::Team(_)) {
            let owner = by_path();
            raw.platform_has_holes = false;
            raw.owners.insert(path.clone(), owner);
        }
        None
    }
}

/// The teams whose a file is that has this reach: those that it may speak for by their names, and of others those that it does
/// speak for.
fn own_teams(reach: &PathReach, raw: &RawTopology) -> BTreeSet<TeamName> {
    let owners = raw.owners.values().filter_map(|owner| match owner {
        FileOwner::Team(name) => name.parse().ok(),
        _ => None,
    });
    let stopped = raw.stops.iter().map(|stop| stop.subscription.value.team.clone());
    let moved = raw.moved.iter().flat_map(|moved| [&moved.from, &moved.to]).map(|id| id.value.team.clone());
    let said = raw.teams.iter().filter_map(|entry| entry.name.clone()).chain(owners).chain(stopped).chain(moved);
    // A beginning with a `*` is no name, and does not parse as one.
    let named = reach.teams.0.iter().filter_map(|claim| claim.parse().ok());
    named.chain(said.filter(|name: &TeamName| reach.teams.cover(name.as_str()))).collect()
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
    accounts: &'a BTreeMap<String, String>,
    /// Whether something was.
    refused: Cell<bool>,
    sink: &'a Sink,
}

impl Checked<'_> {
    fn file(&self, raw: &RawTopology, start: &Place) {
        let broken = raw.has_broken_organization.then_some(raw.tags_place.as_ref().unwrap_or(start));
        let accounts = raw.accounts.iter().map(|entry| &entry.place);
        let hubs = raw.hubs.iter().map(|entry| &entry.place);
        for place in accounts.chain(hubs).chain(raw.organizations.iter().map(|id| &id.place)).chain(broken) {
            self.platform(place);
        }
        for stop in &raw.stops {
            self.claim(Kind::Team, stop.subscription.value.team.as_str(), &stop.subscription.place);
        }
        for id in raw.moved.iter().flat_map(|moved| [&moved.from, &moved.to]) {
            self.claim(Kind::Team, id.value.team.as_str(), &id.place);
        }
        for entry in &raw.teams {
            self.claim(Kind::Team, &entry.text, &entry.place);
            if let Some(team) = &entry.body {
                self.team(team);
            }
        }
    }

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
        self.refused.set(true);
        self.sink.push(
            Diagnostic::error(DiagnosticCode::OutOfReach, place, message)
                .label(format!("`[path.\"{path}\"]` of wheelwright.toml says who it speaks for: {allowed}"))
                .help("ask the platform team, whose file that is, or move this to the file that may"),
        );
    }
}
