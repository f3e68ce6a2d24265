//! What is declared, by name: so that a reference can tell what is missing from what is merely broken.

use super::diagnostic::{Diagnostic, DiagnosticCode, Sink};
use super::raw::{
    Entry, FileOwner, RawAccount, RawHub, RawPublication, RawSpoke, RawSubscription, RawTeam, RawTopology,
};
use super::source::{Place, Written};
use crate::model::ids::{
    AccountId, AccountName, HubName, PublicationId, PublicationName, SpokeName, SubscriptionId, SubscriptionName,
    TeamName,
};
use crate::model::topology::{Account, Hub, Origin, Topology};
use std::collections::BTreeMap;
use std::fmt::Display;

/// Everything that is declared, broken or not. Of two with one name the first counts.
pub(super) struct Index<'r> {
    pub(super) raw: &'r RawTopology,
    pub(super) accounts: Names<'r, Entry<AccountName, RawAccount>>,
    pub(super) hubs: Names<'r, Entry<HubName, RawHub>>,
    pub(super) teams: Names<'r, Entry<TeamName, RawTeam>>,
    /// By `team.spoke`.
    pub(super) spokes: Names<'r, Entry<SpokeName, RawSpoke>>,
    /// By `team.publication`.
    pub(super) publications: Names<'r, Entry<PublicationName, RawPublication>>,
    /// By `team.subscription`.
    pub(super) subscriptions: Names<'r, Entry<SubscriptionName, RawSubscription>>,
}

/// Entries by name.
pub(super) type Names<'r, E> = BTreeMap<String, &'r E>;

impl<'r> Index<'r> {
    /// What `raw` declares; reports names that are declared twice.
    pub(super) fn new(raw: &'r RawTopology, sink: &Sink) -> Self {
        let mut index = Self {
            raw,
            accounts: unique("account", &raw.accounts, sink),
            hubs: unique("hub", &raw.hubs, sink),
            teams: unique("team", &raw.teams, sink),
            spokes: BTreeMap::new(),
            publications: BTreeMap::new(),
            subscriptions: BTreeMap::new(),
        };
        let teams: Vec<_> = index.teams.iter().map(|(name, entry)| (name.clone(), *entry)).collect();
        for (name, entry) in teams {
            let Some(team) = &entry.body else { continue };
            index.spokes.extend(team.spokes.iter().map(|entry| (format!("{name}.{}", entry.text), entry)));
            index.publications.extend(team.publications.iter().map(|entry| (format!("{name}.{}", entry.text), entry)));
            index
                .subscriptions
                .extend(team.subscriptions.iter().map(|entry| (format!("{name}.{}", entry.text), entry)));
        }
        if let [first, rest @ ..] = raw.organizations.as_slice() {
            for again in rest {
                sink.push(twice("organization", "id", &again.place, &first.place));
            }
        }
        index
    }

    /// The team whose file this is, if it is one's.
    pub(super) fn team_of(&self, path: &str) -> Option<&'r str> {
        match self.raw.owners.get(path)? {
            FileOwner::Team(name) => Some(name),
            FileOwner::ByPath(teams) if teams.len() == 1 => teams.first().map(TeamName::as_str),
            FileOwner::ByPath(_) | FileOwner::SomeTeam | FileOwner::Platform => None,
        }
    }

    /// Whether something that `team`'s file says was not understood: then nobody is judged by what seems to be missing.
    pub(super) fn has_holes(&self, team: &str) -> bool {
        let body = self.teams.get(team).and_then(|entry| entry.body.as_ref());
        body.map_or(self.raw.teams_have_holes, |team| team.has_holes)
    }

    /// Where a publication was written.
    pub(super) fn publication(&self, id: &PublicationId) -> Option<(&'r Place, &'r RawPublication)> {
        let entry = self.publications.get(&id.to_string())?;
        Some((&entry.place, entry.body.as_ref()?))
    }

    /// Where a subscription was written.
    pub(super) fn subscription(&self, id: &SubscriptionId) -> Option<(&'r Place, &'r RawSubscription)> {
        let entry = self.subscriptions.get(&id.to_string())?;
        Some((&entry.place, entry.body.as_ref()?))
    }

    /// Where the entry with this origin was written.
    pub(super) fn place_of(&self, origin: &Origin) -> Option<&'r Place> {
        let places = self
            .hubs
            .values()
            .map(|entry| &entry.place)
            .chain(self.spokes.values().map(|entry| &entry.place))
            .chain(self.publications.values().map(|entry| &entry.place))
            .chain(self.subscriptions.values().map(|entry| &entry.place));
        // Two entries may share a line (`[spoke]` with inline tables), so the name decides among those.
        let name = origin.entry.rsplit('.').next().unwrap_or_default();
        places
            .filter(|place| place.file == origin.file && place.line == origin.line)
            .max_by_key(|place| place.span.len() == name.len())
    }
}

/// Looks names up in what was lowered, and reports those that nothing declares.
pub(super) struct Resolver<'a> {
    /// Where reports go.
    pub(super) sink: &'a Sink,
    /// Whether accounts, hubs or the organisation may be in a file that was not understood: then nothing is said of one
    /// that seems to be missing.
    pub(super) platform_has_holes: bool,
    /// The same for whole teams.
    pub(super) teams_have_holes: bool,
}

impl<'a> Resolver<'a> {
    /// A resolver of what `index` has.
    pub(super) fn new(index: &Index<'_>, sink: &'a Sink) -> Self {
        Self {
            sink,
            // Without any hub the folder is a wrong or half one, which is said once and not at every name that is missing.
            platform_has_holes: index.raw.platform_has_holes || index.hubs.is_empty(),
            teams_have_holes: index.raw.teams_have_holes,
        }
    }

    /// What `lowered` holds under `name`. A name that `declared` has is broken, and that was reported already;
    /// any other is unknown, and is reported as `code` with a did-you-mean.
    pub(super) fn find<'t, K: Ord + Display, T, E>(
        &self,
        kind: &str,
        code: DiagnosticCode,
        name: &Written<K>,
        lowered: &'t BTreeMap<K, T>,
        declared: &Names<'_, E>,
    ) -> Option<&'t T> {
        if let Some(value) = lowered.get(&name.value) {
            return Some(value);
        }
        let text = name.value.to_string();
        let may_be_hidden = match code {
            DiagnosticCode::UnknownTeam => self.teams_have_holes,
            DiagnosticCode::UnknownAccount | DiagnosticCode::UnknownHub => self.platform_has_holes,
            _ => false,
        };
        if !may_be_hidden && !declared.contains_key(&text) {
            self.sink.push(Self::unknown(kind, code, &name.place, &text, declared));
        }
        None
    }

    /// The account that is called `name`; an id of one is told by its name.
    pub(super) fn find_account<'t>(
        &self,
        name: &Written<AccountName>,
        topology: &'t Topology,
        index: &Index<'_>,
    ) -> Option<&'t Account> {
        let by_id = || name.value.as_str().parse::<AccountId>().ok();
        let meant = topology.accounts.iter().find(|(_, account)| Some(account.id) == by_id());
        if let Some((called, _)) = meant.filter(|_| !index.accounts.contains_key(name.value.as_str())) {
            let message = format!("there is no account `{}`", name.value);
            self.sink.push(
                Diagnostic::error(DiagnosticCode::UnknownAccount, &name.place, message)
                    .label("accounts go by the names of the roster")
                    .help(format!("this is the id of `{called}`: write `\"{called}\"`")),
            );
            return None;
        }
        self.find("account", DiagnosticCode::UnknownAccount, name, &topology.accounts, &index.accounts)
    }

    /// The hub that is called `name`; the name of a hub's bus or Region is told by the hub's.
    pub(super) fn find_hub<'t>(
        &self,
        name: &Written<HubName>,
        topology: &'t Topology,
        index: &Index<'_>,
    ) -> Option<&'t Hub> {
        let text = name.value.as_str();
        let is_meant = |(_, hub): &(&HubName, &Hub)| hub.bus == text || hub.scope.region.as_str() == text;
        let meant: Vec<String> =
            topology.hubs.iter().filter(is_meant).map(|(called, _)| format!("`{called}`")).collect();
        if meant.is_empty() || index.hubs.contains_key(text) {
            return self.find("hub", DiagnosticCode::UnknownHub, name, &topology.hubs, &index.hubs);
        }
        let message = format!("there is no hub `{text}`");
        self.sink.push(
            Diagnostic::error(DiagnosticCode::UnknownHub, &name.place, message)
                .label("hubs go by the names of their `[hub.NAME]`")
                .help(format!("`{text}` is the bus or the Region of {}", meant.join(" and of "))),
        );
        None
    }

    /// That nothing declares `text`.
    pub(super) fn unknown<E>(
        kind: &str,
        code: DiagnosticCode,
        place: &Place,
        text: &str,
        declared: &Names<'_, E>,
    ) -> Diagnostic {
        // A team's own are what is meant, if it has any.
        let team = text.split_once('.').map(|(team, _)| format!("{team}.")).unwrap_or_default();
        let own: Vec<&str> = declared.keys().map(String::as_str).filter(|name| name.starts_with(&team)).collect();
        let known = if own.is_empty() { declared.keys().map(String::as_str).collect() } else { own };
        let diagnostic = Diagnostic::error(code, place, format!("there is no {kind} `{text}`"))
            .label(format!("no {kind} has this name"))
            .did_you_mean(text, known.iter().copied());
        if !diagnostic.help.is_empty() {
            return diagnostic;
        }
        let some: Vec<String> = known.iter().take(NAMES_SHOWN_MAX).map(|name| format!("`{name}`")).collect();
        let more = known.len().saturating_sub(some.len());
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let whose = if team.is_empty() || known.len() == declared.len() { "the" } else { "that team's" };
        diagnostic.help(match some.as_slice() {
            [] => format!("no {kind} is declared yet"),
            [only] => format!("{whose} only {kind} is {only}"),
            _ => format!("{whose} {kind}s are {}{more}", some.join(", ")),
        })
    }
}

/// Names that a help line lists where none is near the one that was given.
const NAMES_SHOWN_MAX: usize = 8;

fn unique<'r, N, T>(kind: &str, entries: &'r [Entry<N, T>], sink: &Sink) -> Names<'r, Entry<N, T>> {
    let mut names: Names<'r, Entry<N, T>> = BTreeMap::new();
    for entry in entries {
        match names.get(&entry.text) {
            Some(first) => sink.push(twice(kind, &entry.text, &entry.place, &first.place)),
            None => {
                names.insert(entry.text.clone(), entry);
            }
        }
    }
    names
}

fn twice(kind: &str, name: &str, again: &Place, first: &Place) -> Diagnostic {
    let diagnostic =
        Diagnostic::error(DiagnosticCode::DuplicateName, again, format!("{kind} `{name}` is declared twice"))
            .label("again here")
            .also(first, "first here");
    match kind {
        "team" => diagnostic
            .help("if one of the files is another team's, give it that team's name; a spare copy belongs elsewhere"),
        _ => diagnostic,
    }
}
