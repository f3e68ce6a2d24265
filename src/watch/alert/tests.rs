//! Stories of several sweeps, told as the messages that come of them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use super::*;
use crate::model::desired::{Desired, Revision};
use crate::model::finding::Outcome;
use crate::model::ids::{Owner, Scope};
use crate::model::incident::Subject;
use crate::model::plan::PlanSettings;
use crate::model::resource::{BusId, ResourceId, RuleId};
use crate::model::settings::{Address, Secret};
use crate::model::topology::{Kept, Origin};
use crate::model::world::{Gap, Observation, World};
use crate::plan::plan;
use std::fmt::Write as _;

const START: u64 = 1_795_500_000_000;
const MINUTE: u64 = 60_000;

/// A daemon's memory and channels.
struct Story {
    channels: BTreeMap<String, ChannelSettings>,
    now: Moment,
    open: Vec<Incident>,
    told: String,
}

impl Story {
    fn new(channels: &[(&str, ChannelSettings)]) -> Self {
        let channels = channels.iter().map(|(name, settings)| ((*name).to_owned(), settings.clone())).collect();
        Self { channels, now: Moment(START), open: Vec::new(), told: String::new() }
    }

    /// A sweep `minutes` after the one before finds exactly these; what is gone was mended, if `mended`.
    fn sweep(&mut self, minutes: u64, found: &[Concern], mended: bool) -> Vec<(String, Alert)> {
        self.now = self.now.plus_ms(minutes * MINUTE);
        let (mut open, mut resolved) = (Vec::new(), Vec::new());
        for mut incident in std::mem::take(&mut self.open) {
            match found.iter().find(|concern| concern.key() == incident.concern.key()) {
                Some(concern) => {
                    incident.concern = concern.clone();
                    incident.count += 1;
                    open.push(incident);
                }
                None => {
                    let how = if mended { Resolution::Mended } else { Resolution::Gone };
                    incident.resolved = Some((self.now, how));
                    resolved.push(incident);
                }
            }
        }
        for concern in found {
            if !open.iter().any(|incident: &Incident| incident.concern.key() == concern.key()) {
                open.push(Incident::open(concern.clone(), self.now, "3f2a1b"));
            }
        }
        self.tell(Changes { open, resolved })
    }

    /// A sweep that finds these and mends them at once.
    fn sweep_that_mends(&mut self, minutes: u64, found: &[Concern]) -> Vec<(String, Alert)> {
        self.now = self.now.plus_ms(minutes * MINUTE);
        let mend = |concern: &Concern| {
            let mut incident = Incident::open(concern.clone(), self.now, "3f2a1b");
            incident.resolved = Some((self.now.plus_ms(900), Resolution::Mended));
            incident
        };
        let resolved = found.iter().map(mend).collect();
        let open = std::mem::take(&mut self.open);
        self.tell(Changes { open, resolved })
    }

    fn tell(&mut self, mut changes: Changes) -> Vec<(String, Alert)> {
        let contacts = [("ledger", "#ledger-oncall"), ("payments", "#payments-oncall")]
            .map(|(team, contact)| (team.parse().unwrap(), contact.to_owned()));
        // The account says the hub.
        let hubs = |incident: &Incident| match incident.concern.subject.scope() {
            Some(scope) if scope.account.to_string().starts_with('9') => BTreeSet::from(["test".parse().unwrap()]),
            Some(_) => BTreeSet::from(["prod".parse().unwrap()]),
            None => BTreeSet::new(),
        };
        let around = Around {
            owner: "platform",
            revision: "3f2a1b",
            channels: &self.channels,
            contacts: &BTreeMap::from(contacts),
            hubs: &hubs,
        };
        let messages = alerts(&mut changes, &around, self.now);
        // As it is after a restart: what is remembered was written down.
        let written = serde_json::to_string(&changes.open).unwrap();
        self.open = serde_json::from_str(&written).unwrap();
        assert_eq!(self.open, changes.open);
        let minutes = self.now.millis_since(Moment(START)) / MINUTE;
        writeln!(self.told, "minute {minutes}").unwrap();
        for (channel, alert) in &messages {
            let Alert { kind, title, count, still_open, teams, hubs, done, .. } = alert;
            let kind: &str = kind.into();
            writeln!(self.told, "  {channel}: {kind} {count} ({still_open} open): {title}").unwrap();
            writeln!(self.told, "    {done}").unwrap();
            let teams: Vec<String> = teams.iter().map(|(team, contact)| format!("{team} {contact}")).collect();
            let hubs: Vec<String> = hubs.iter().map(ToString::to_string).collect();
            writeln!(self.told, "    teams [{}], hubs [{}]", teams.join(", "), hubs.join(", ")).unwrap();
        }
        messages
    }
}

fn channel(kind: ChannelKind) -> ChannelSettings {
    ChannelSettings {
        kind,
        severity_min: Severity::Warning,
        hubs: BTreeSet::new(),
        teams: BTreeSet::new(),
        mended: true,
        remind_hours: 24,
    }
}

fn chat() -> ChannelSettings {
    channel(ChannelKind::Slack { url: Secret::Env("SLACK".into()) })
}

fn pager() -> ChannelSettings {
    channel(ChannelKind::Pagerduty { routing_key: Secret::Env("PD".into()), url: None })
}

fn scope(account: u64) -> Scope {
    Scope::new(format!("{account:012}").parse().unwrap(), "us-east-1")
}

fn rule(code: FindingCode, account: u64, team: &str, name: &str, outcome: Outcome) -> Concern {
    let bus = BusId { scope: scope(account), name: "org-events".into() };
    Concern {
        subject: Subject::Resource(ResourceId::Rule(RuleId { bus, name: format!("ww.{team}.{name}.1a2b3c4d") })),
        code,
        outcome,
        detail: "it is DISABLED".into(),
        team: Some(team.parse().unwrap()),
        origin: Some(Origin { file: format!("topology/teams/{team}.toml").into(), line: 12, entry: "x".into() }),
    }
}

/// What a plan finds of accounts that could not be read, for this reason.
fn unread(accounts: std::ops::Range<u64>, action: &str, class: &str) -> Vec<Concern> {
    let mut world = World::default();
    for account in accounts.clone() {
        let why = Gap {
            action: action.into(),
            class: class.into(),
            // As AWS words it: with the account's own role.
            message: format!(
                "User: x is not authorized to perform: it on resource: arn:aws:iam::{account:012}:role/ww"
            ),
            mend: format!("deploy deploy/cloudformation/member-global.yaml in {account:012}"),
        };
        world.scopes.insert(scope(account), Observation::Unreachable { at: Moment(START), why });
    }
    let desired = Desired {
        owner: Owner::default(),
        revision: Revision { id: "3f2a1b".into(), sequence: 1 },
        account_names: BTreeMap::new(),
        scopes: world.scopes.keys().cloned().collect(),
        no_access: BTreeSet::new(),
        buses: BTreeMap::new(),
        grants: BTreeMap::new(),
        rules: BTreeMap::new(),
        publishers: BTreeMap::new(),
        archives: BTreeMap::new(),
        routes: BTreeMap::new(),
        quotas: BTreeMap::new(),
        stops: Vec::new(),
        kept: Kept::default(),
        kept_grants: BTreeSet::new(),
        released: BTreeMap::new(),
    };
    let found = plan(&desired, &world, &PlanSettings::default(), Moment(START)).findings;
    assert_eq!(found.len() as u64, accounts.end - accounts.start);
    found.iter().map(Concern::from).collect()
}

#[test]
fn forty_scopes_that_lost_one_role_are_one_message() {
    let mut story = Story::new(&[("chat", chat()), ("pager", pager())]);
    let lost = |accounts| unread(accounts, "sts:AssumeRole", "role-refused");
    let slow = unread(300..302, "events:ListRules", "throttled");
    let found = |accounts| [lost(accounts), slow.clone()].concat();
    let first = story.sweep(0, &found(100..140), false);
    // At most so many are named; all are counted.
    let forty = first.iter().find(|(_, alert)| alert.count == 40).map(|(_, alert)| alert.incidents.len());
    assert_eq!(forty, Some(INCIDENTS_MAX));
    assert_eq!(story.sweep(1, &found(100..140), false), []);
    story.sweep(1, &found(100..143), false);
    story.sweep(24 * 60 - 3, &found(100..143), false);
    story.sweep(1, &found(100..143), false);
    story.sweep(1, &found(100..143), false);
    story.sweep(1, &lost(142..143), false);
    story.sweep(1, &[], false);
    assert_eq!(story.sweep(1, &[], false), []);
    insta::assert_snapshot!(story.told);
}

#[test]
fn each_channel_hears_what_it_is_for() {
    let set = |change: fn(&mut ChannelSettings)| {
        let mut channel = channel(ChannelKind::Log);
        change(&mut channel);
        channel
    };
    let mut story = Story::new(&[
        ("errors", set(|channel| channel.severity_min = Severity::Error)),
        ("everything", set(|channel| channel.severity_min = Severity::Info)),
        ("for-ledger", set(|channel| channel.teams = BTreeSet::from(["ledger".parse().unwrap()]))),
        (
            "for-two-teams",
            set(|channel| channel.teams = BTreeSet::from(["ledger".parse().unwrap(), "payments".parse().unwrap()])),
        ),
        ("test-hub", set(|channel| channel.hubs = BTreeSet::from(["test".parse().unwrap()]))),
        ("without-mended", set(|channel| channel.mended = false)),
    ]);
    let found = [
        rule(FindingCode::RuleDisabled, 111, "ledger", "large", Outcome::Held),
        rule(FindingCode::RuleDisabled, 111, "payments", "refunds", Outcome::Mend),
        rule(FindingCode::RuleDisabled, 900_000_000_000, "orders", "all", Outcome::Mend),
        rule(FindingCode::TagsChanged, 111, "ledger", "large", Outcome::Mend),
        rule(FindingCode::ForeignRule, 111, "theirs", "x", Outcome::Left),
        Concern::of_operator(FindingCode::TopologyRefused, Outcome::Waiting, "topology/hubs.toml:3: no such account"),
    ];
    story.sweep(0, &found, true);
    story.sweep(1, &[], true);
    insta::assert_snapshot!(story.told);
}

#[test]
fn what_is_mended_in_the_sweep_that_finds_it_is_one_message() {
    let mut story = Story::new(&[("chat", chat()), ("pager", pager())]);
    let disabled = rule(FindingCode::RuleDisabled, 111, "ledger", "large", Outcome::Mend);
    let missing = rule(FindingCode::RuleMissing, 111, "ledger", "small", Outcome::Mend);
    story.sweep_that_mends(0, &[disabled.clone(), missing]);
    // Found again, and this time it takes two sweeps; it is raised, and then over.
    story.sweep(5, std::slice::from_ref(&disabled), true);
    story.sweep(1, &[], true);
    // What nobody mended and nobody was told of is not worth a word.
    story.now = story.now.plus_ms(MINUTE);
    let mut gone = Incident::open(disabled, story.now, "3f2a1b");
    gone.resolved = Some((story.now, Resolution::Gone));
    assert_eq!(story.tell(Changes { open: Vec::new(), resolved: vec![gone] }), []);
    insta::assert_snapshot!(story.told);
}

#[test]
fn a_group_has_one_name_from_raise_to_resolve() {
    let mut story = Story::new(&[("chat", chat()), ("pager", pager())]);
    let raised = story.sweep(0, &unread(100..101, "sts:AssumeRole", "role-refused"), false);
    // The reason turns into another, and then it is told again.
    let reminded = story.sweep(25 * 60, &unread(100..101, "events:ListRules", "denied"), false);
    // Somebody stops the channels from hearing of anything like it; what was raised is resolved all the same.
    for channel in story.channels.values_mut() {
        channel.hubs = BTreeSet::from(["elsewhere".parse().unwrap()]);
    }
    let resolved = story.sweep(1, &[], false);
    for channel in 0..2 {
        let group = |alerts: &[(String, Alert)]| alerts[channel].1.group.clone();
        assert_eq!(group(&raised), group(&reminded));
        assert_eq!(group(&raised), group(&resolved));
        assert!(group(&raised).len() <= 128, "{}", group(&raised));
    }
    assert_ne!(raised[0].1.group, raised[1].1.group, "a channel's groups are its own");
    let kinds: Vec<AlertKind> = [raised, reminded, resolved].iter().flatten().map(|(_, alert)| alert.kind).collect();
    use AlertKind::{Raised, Reminder, Resolved};
    assert_eq!(kinds, [Raised, Raised, Reminder, Reminder, Resolved, Resolved]);
}

#[test]
fn a_pager_is_not_resolved_while_one_of_the_group_is_open() {
    let mut story = Story::new(&[("pager", pager())]);
    let of = |name: &str| rule(FindingCode::RuleDisabled, 111, "ledger", name, Outcome::Held);
    story.sweep(0, &[of("a"), of("b")], false);
    // One is over and another comes in the same sweep: the group goes on.
    story.sweep(1, &[of("b"), of("c")], false);
    assert_eq!(story.sweep(1, &[of("c")], false), []);
    let over = story.sweep(1, &[], false);
    assert_eq!((over.len(), over[0].1.kind, over[0].1.still_open), (1, AlertKind::Resolved, 0));
    insta::assert_snapshot!(story.told);
}

#[test]
fn no_reminders_where_none_are_asked_for_and_a_new_channel_hears_of_what_is_open() {
    let mut never = channel(ChannelKind::Webhook { url: Address::Url("https://example.com/".into()), key: None });
    never.remind_hours = 0;
    let mut story = Story::new(&[("never", never)]);
    let found = [rule(FindingCode::RuleDisabled, 111, "ledger", "large", Outcome::Held)];
    assert_eq!(story.sweep(0, &found, false).len(), 1);
    assert_eq!(story.sweep(60 * 24 * 365, &found, false), []);
    story.channels.insert("new".into(), chat());
    let told = story.sweep(1, &found, false);
    assert_eq!((told.len(), told[0].0.as_str(), told[0].1.kind), (1, "new", AlertKind::Raised));
}

/// Every code's words, as titles of one and of two, while it lasts and when it is over.
#[test]
fn every_code_has_words() {
    use strum::IntoEnumIterator as _;
    let mut text = String::new();
    for code in FindingCode::iter() {
        let scope_wide = matches!(code, FindingCode::Unread | FindingCode::UnreadIdle);
        let of = |name| {
            let mut concern = rule(code, 111, "ledger", name, Outcome::Left);
            if scope_wide {
                concern.subject = Subject::Resource(ResourceId::Scope(scope(111)));
                concern.detail = "not read at all: sts:AssumeRole role-refused: User: x; deploy it".into();
            }
            Incident::open(concern, Moment(START), "3f2a1b")
        };
        let (a, b) = (of("a"), of("b"));
        let one = words::title(AlertKind::Raised, code, &[&a]);
        let two = words::title(AlertKind::Resolved, code, &[&a, &b]);
        writeln!(text, "{code}\n  {one}\n  {two}\n  {}", words::effect(code)).unwrap();
        writeln!(text, "  {}", words::advice(AlertKind::Raised, code, &[&a])).unwrap();
    }
    insta::assert_snapshot!(text);
}
