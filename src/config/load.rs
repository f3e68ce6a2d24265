//! Files to raw shapes: one document of many files, each table read key by key.

use super::check::Reach;
use super::diagnostic::{Diagnostic, DiagnosticCode, Sink};
use super::fields::{Context, Fields};
use super::keeps;
use super::load_shared;
use super::load_team;
use super::owner;
use super::raw::{Entry, FileOwner, RawAccount, RawHub, RawTeam, RawTopology};
use super::settings;
use super::settings_daemon::NamesUsed;
use super::settings_git;
use super::source::{Lines, SourceFile, SourceFiles, Written};
use super::syntax;
use super::values;
use crate::eventbridge::quota;
use crate::model::ids::{IdError, TeamName};
use crate::model::settings::Settings;
use crate::model::source::GitSettings;
use crate::model::topology::{Access, HubGrant};
use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// The tables of a topology file.
pub(super) const FILE_KEYS: &[&str] =
    &["organization", "account", "hub", "team", "spoke", "publish", "subscribe", "expect", "stop", "collect", "moved"];
/// The keys of `[organization]`.
pub(super) const ORGANIZATION_KEYS: &[&str] = &["id", "tags"];
/// The keys of an account.
pub(super) const ACCOUNT_KEYS: &[&str] = &["id", "access"];
/// The keys of a hub.
pub(super) const HUB_KEYS: &[&str] = &[
    "account",
    "region",
    "bus",
    "description",
    "grant",
    "archive",
    "audit",
    "kms-key",
    "bus-dead-letter",
    "log",
    "tags",
    "quotas",
    "calls-per-second-max",
    "keeps",
];
/// The keys of a bus's `log`.
pub(super) const LOG_KEYS: &[&str] = &["level", "detail"];
/// The keys of a hub's `archive`.
pub(super) const ARCHIVE_KEYS: &[&str] = &["retention-days"];
/// The keys of a hub's `audit`.
pub(super) const AUDIT_KEYS: &[&str] = &["queue"];
/// The keys of a hub's `quotas`.
pub(super) const QUOTA_KEYS: &[&str] = &["rules-max", "policy-characters-max", "pattern-characters-max"];
/// What `access` can be.
pub(super) const ACCESS_CHOICES: [(&str, Access); 2] = [("managed", Access::Managed), ("none", Access::None)];
/// What `grant` can be.
pub(super) const GRANT_CHOICES: [(&str, HubGrant); 2] =
    [("accounts", HubGrant::Accounts), ("organization", HubGrant::Organization)];

/// The settings of `files`, and the names of the topology that they use.
pub(super) fn settings(files: &SourceFiles, sink: &Sink) -> (Settings, NamesUsed) {
    let (mut settings, mut used) = (Settings::default(), NamesUsed::new());
    let Some(file) = files.settings() else { return (settings, used) };
    let names: Vec<&str> = settings::TABLES.iter().map(|(name, _)| *name).chain(settings::MAPS).collect();
    parse(file, sink, |context, table, _| {
        settings = settings::read(&whole_file(context, table, "wheelwright.toml", &names), &mut used);
    });
    (settings, used)
}

/// What the file that names the topology's source says.
pub(super) fn source(file: &SourceFile, sink: &Sink) -> Option<GitSettings> {
    let mut settings = None;
    parse(file, sink, |context, table, _| {
        settings = settings_git::read(&whole_file(context, table, "the source's file", &["git"]));
    });
    settings
}

/// What the topology files say, each as far as `[path]` of the `settings` lets it.
pub(super) fn topology(files: &SourceFiles, settings: &Settings, sink: &Sink) -> RawTopology {
    // Each by itself: what a file may not say must not come near what the others do.
    let read: Vec<(&SourceFile, RawTopology, Sink)> = files.topology().map(read_alone).collect();
    let reach = Reach::of(&settings.paths, read.iter().map(|(file, raw, _)| (*file, raw)));
    let mut raw = RawTopology::default();
    let mut texts: BTreeMap<&str, &SourceFile> = BTreeMap::new();
    let mut hidden: BTreeSet<TeamName> = BTreeSet::new();
    for (file, mut said, told) in read {
        let Some(left_out) = reach.judge(file, &mut said, &told) else {
            let first = *texts.entry(&*file.text).or_insert(file);
            let is_bare = file.text.lines().all(|line| line.trim().is_empty() || line.trim_start().starts_with('#'));
            if first.path != file.path && !is_bare {
                copied(file, first, sink, &mut raw);
            } else {
                raw.absorb(said);
                sink.absorb(told);
            }
            continue;
        };
        // What others refer to may be in it.
        raw.teams_have_holes = true;
        if let FileOwner::ByPath(teams) = &left_out {
            hidden.extend(teams.clone());
        }
        raw.owners.insert(file.path.clone(), left_out);
        sink.absorb(told);
    }
    hide(&hidden, &mut raw);
    let mut names = BTreeSet::new();
    let twice: BTreeSet<String> =
        raw.teams.iter().filter(|team| !names.insert(&team.text)).map(|team| team.text.clone()).collect();
    // One of the two files is probably another team's: what either says is not held against anybody.
    raw.teams_have_holes |= !twice.is_empty();
    for team in raw.teams.iter_mut().filter(|team| twice.contains(&team.text)) {
        team.body = team.body.take().map(|body| RawTeam { has_holes: true, ..body });
    }
    raw
}

/// Notes that not all of these teams say is known, so that nobody is told that something of theirs is missing.
fn hide(teams: &BTreeSet<TeamName>, raw: &mut RawTopology) {
    for team in raw.teams.iter_mut().filter(|entry| entry.name.as_ref().is_some_and(|name| teams.contains(name))) {
        team.body = team.body.take().map(|body| RawTeam { has_holes: true, ..body });
    }
}

/// What one file says, and what is wrong with it by itself.
fn read_alone(file: &SourceFile) -> (&SourceFile, RawTopology, Sink) {
    let (mut raw, sink) = (RawTopology::default(), Sink::default());
    parse(file, &sink, |context, table, is_whole| {
        let is_teams = owner::is_in_teams_folder(&file.path);
        let is_empty = is_whole && table.get_ref().is_empty();
        let is_whole = is_whole && !(is_empty && syntax::report_empty(file, context.lines, is_teams, &sink));
        let tables = whole_file(context, table, "", FILE_KEYS);
        read_file(&tables, file, is_whole, &mut raw);
    });
    (file, raw, sink)
}

/// Reports a file that says what another says, to the letter: a folder that was copied into the topology, a spare copy.
/// One mistake, and not one for each name in it.
fn copied(file: &SourceFile, first: &SourceFile, sink: &Sink, raw: &mut RawTopology) {
    let place = Lines::new(file).place(0..0);
    sink.push(
        Diagnostic::error(DiagnosticCode::DuplicateName, &place, format!("this file is a copy of `{}`", first.path))
            .label("to the letter")
            .help("take one of the two out of `topology/`: every file in it counts, in whatever folder it is"),
    );
    let owner = raw.owners.get(&first.path).cloned().unwrap_or(FileOwner::Platform);
    raw.owners.insert(file.path.clone(), owner);
}

/// Parses `file`, reports what is not TOML in it, and reads the rest; `read` is told whether that is all of it.
fn parse(file: &SourceFile, sink: &Sink, read: impl FnOnce(Context<'_>, &Spanned<DeTable<'_>>, bool)) {
    let lines = Lines::new(file);
    let (table, errors) = DeTable::parse_recoverable(&file.text);
    let is_whole = syntax::report(file, &lines, table.get_ref().is_empty(), &errors, sink);
    read(Context { lines: &lines, sink }, &table, is_whole);
}

fn whole_file<'t>(context: Context<'t>, table: &'t Spanned<DeTable<'t>>, name: &str, keys: &[&str]) -> Fields<'t> {
    Fields::new(context, name, context.lines.place(0..0), table.get_ref(), keys)
}

fn read_file(file: &Fields<'_>, source: &SourceFile, is_whole: bool, raw: &mut RawTopology) {
    if file.has("organization") {
        let id = file.table("organization", ORGANIZATION_KEYS).and_then(|fields| {
            raw.tags = values::tags(&fields, "tags");
            raw.tags_place = fields.key_place("tags");
            let id = fields.required_text("id", "\"o-a1b2c3d4e5\"")?;
            values::check(&fields, DiagnosticCode::BadOrganizationId, &id, quota::valid_organization_id).then_some(id)
        });
        raw.has_broken_organization |= id.is_none();
        raw.organizations.extend(id);
    }
    raw.accounts.extend(read_entries(file, "account", ACCOUNT_KEYS, account));
    raw.hubs.extend(read_entries(file, "hub", HUB_KEYS, hub));
    let teams_before = raw.teams.len();
    load_team::read(file, raw);
    let team = raw.teams.get(teams_before).map(|entry| entry.text.clone());
    let owner = owner::of(file, source, team.as_deref(), is_whole);
    // Unknown tables and names that are none count: what others refer to may be meant by them.
    if !is_whole || !file.sound() {
        add_holes(&owner, teams_before, file, raw);
    }
    load_shared::read(file, team.as_deref(), raw);
    raw.owners.insert(file.place().file.clone(), owner);
}

/// Notes that something which `owner`'s file says was not understood, so that nobody is told that it is missing.
fn add_holes(owner: &FileOwner, teams_before: usize, file: &Fields<'_>, raw: &mut RawTopology) {
    raw.platform_has_holes |= *owner == FileOwner::Platform;
    raw.teams_have_holes |= !matches!(owner, FileOwner::Team(_));
    if let FileOwner::Team(name) = owner
        && !raw.teams.iter().skip(teams_before).any(|team| team.text == *name)
    {
        // Its `[team]` was not understood, and can be guessed.
        let place = file.place().clone();
        raw.teams.push(Entry { name: name.parse().ok(), text: name.clone(), place, body: Some(RawTeam::default()) });
    }
    for entry in raw.teams.iter_mut().skip(teams_before) {
        raw.teams_have_holes |= entry.name.is_none();
        if let Some(team) = &mut entry.body {
            team.has_holes = true;
        }
    }
}

/// The entries of the table `kind`, each read by `read`, which gives nothing if the entry cannot be used.
pub(super) fn read_entries<N: FromStr<Err = IdError>, T>(
    file: &Fields<'_>,
    kind: &str,
    keys: &[&str],
    read: fn(&Fields<'_>) -> Option<T>,
) -> Vec<Entry<N, T>> {
    let mut entries = Vec::new();
    for (name, value) in file.entries(kind) {
        let parsed = file.parse::<N>(&name, DiagnosticCode::BadName).map(|name| name.value);
        let body = entry_body(file, kind, &name, value, keys, read);
        entries.push(Entry { name: parsed, text: name.value, place: name.place, body });
    }
    entries
}

fn entry_body<T>(
    file: &Fields<'_>,
    kind: &str,
    name: &Written<String>,
    value: &Spanned<DeValue<'_>>,
    keys: &[&str],
    read: fn(&Fields<'_>) -> Option<T>,
) -> Option<T> {
    let key = format!("{kind}.{}", name.value);
    let fields = file.as_table(&key, &name.place, value, keys)?;
    let body = read(&fields);
    body.filter(|_| fields.sound())
}

fn account(fields: &Fields<'_>) -> Option<RawAccount> {
    let id = fields.required("id", DiagnosticCode::BadAccountId, "\"111111111111\"");
    let access = fields.choice("access", &ACCESS_CHOICES).map_or(Access::Managed, |access| access.value);
    Some(RawAccount { id: id?, access })
}

fn hub(fields: &Fields<'_>) -> Option<RawHub> {
    let account = fields.required("account", DiagnosticCode::BadName, "\"NAME-OF-AN-ACCOUNT\"");
    if !fields.has("region") {
        fields.missing("region", "\"us-east-1\"");
    }
    let region = values::region(fields, "region");
    if !fields.has("bus") {
        fields.missing("bus", "\"org-events\"");
    }
    let bus = values::hub_bus(fields, "bus");
    let description = values::checked(fields, "description", DiagnosticCode::BadName, quota::valid_description);
    let grant = fields.choice("grant", &GRANT_CHOICES);
    let archive = fields.table("archive", ARCHIVE_KEYS).and_then(|archive| {
        if !archive.has("retention-days") {
            archive.missing("retention-days", "30");
        }
        let days = archive.number("retention-days", 0..=36_500);
        fields.absorb(&archive);
        days
    });
    let audit_queue = fields.table("audit", AUDIT_KEYS).and_then(|audit| {
        let queue = audit.required_text("queue", "\"audit-log\"");
        fields.absorb(&audit);
        queue
    });
    let (mut rules_max, mut policy_characters_max, mut pattern_characters_max) = (None, None, None);
    if let Some(quotas) = fields.table("quotas", QUOTA_KEYS) {
        rules_max = quotas.number("rules-max", 1..=100_000);
        policy_characters_max = quotas.number("policy-characters-max", 1..=1_000_000);
        pattern_characters_max = quotas.number("pattern-characters-max", 1..=quota::PATTERN_CHARACTERS_MAX as u64);
        fields.absorb(&quotas);
    }
    let calls_per_second_max = fields.number("calls-per-second-max", 1..=50);
    let bus_options = load_shared::bus_options(fields);
    let tags = values::tags(fields, "tags");
    let keeps_grants = keeps::of_bus(fields);
    Some(RawHub {
        account: account?,
        region: region?,
        bus: bus?,
        description: description.map(|text| text.value),
        grant: grant.unwrap_or_else(|| Written { value: HubGrant::Accounts, place: fields.place().clone() }),
        archive_retention_days: archive.and_then(|days| u32::try_from(days).ok()),
        audit_queue,
        bus_options,
        tags,
        keeps_grants,
        rules_max: rules_max.and_then(|max| usize::try_from(max).ok()),
        policy_characters_max: policy_characters_max.and_then(|max| usize::try_from(max).ok()),
        pattern_characters_max: pattern_characters_max.and_then(|max| usize::try_from(max).ok()),
        calls_per_second_max: calls_per_second_max.and_then(|max| u32::try_from(max).ok()),
    })
}
