//! What people do to our things behind our back, one row each: what it is called, what the plan finds, what becomes of
//! it, and what becomes of events meanwhile.
//!
//! A row's edit is made by raw calls, as a person of that account would make it, so that a row can be tried on whatever
//! answers EventBridge's API: the simulated AWS (`tests/drift/`), moto (`tests/moto.rs`) and ministack
//! (`tests/ministack.rs`). It names things that the worked example has with [`EXTRAS`], and the small one of the emulators.
#![allow(dead_code)] // Each test crate takes what it needs.

mod archives;
mod buses;
mod grants;
mod hands;
mod rules;
mod strangers;
mod targets;

pub(crate) use hands::{Door, Edit};

use std::collections::BTreeSet;
use wheelwright::model::finding::{Finding, FindingCode, Outcome};
use wheelwright::model::resource::ResourceId;

/// One kind of drift.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) edit: fn(&mut Edit<'_>),
    /// What the plan finds beyond what it found before the edit, that it mends.
    mends: &'static [FindingCode],
    /// The same, that it leaves.
    leaves: &'static [FindingCode],
    /// The same, that a guard holds until a person names it.
    holds: &'static [FindingCode],
    /// What must be said in one of these findings.
    pub(crate) tells: &'static str,
    pub(crate) after: After,
    /// What becomes of events while the edit stands.
    pub(crate) meanwhile: Events,
    /// What becomes of them after a sweep.
    pub(crate) then: Events,
}

/// What a sweep makes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum After {
    /// Everything of ours is set back to the byte.
    Mended,
    /// Nothing at all is written.
    Left,
    /// Nothing is written, until a person allows the takeover: then as `Mended`.
    Allowed,
}

/// What becomes of events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Events {
    /// Some do not arrive where they must.
    pub(crate) cut: bool,
    /// Some arrive where they must not, or more than once.
    pub(crate) copied: bool,
}

impl Events {
    pub(crate) fn in_words(self) -> &'static str {
        match (self.cut, self.copied) {
            (false, false) => "",
            (true, false) => "cut",
            (false, true) => "copied",
            (true, true) => "cut, copied",
        }
    }
}

/// A row in which nothing is found, nothing is written, and events are none the wiser.
const fn row(name: &'static str, edit: fn(&mut Edit<'_>)) -> Row {
    let events = Events { cut: false, copied: false };
    Row {
        name,
        edit,
        mends: &[],
        leaves: &[],
        holds: &[],
        tells: "",
        after: After::Left,
        meanwhile: events,
        then: events,
    }
}

impl Row {
    /// It is found and mended.
    const fn mends(mut self, codes: &'static [FindingCode]) -> Self {
        self.mends = codes;
        self.after = After::Mended;
        self
    }

    /// It is found and left.
    const fn leaves(mut self, codes: &'static [FindingCode]) -> Self {
        self.leaves = codes;
        self
    }

    /// It is found and waits for a person.
    const fn holds(mut self, codes: &'static [FindingCode]) -> Self {
        self.holds = codes;
        self.after = After::Allowed;
        self
    }

    /// What bears our name and nobody asks for cannot be told from what an earlier topology asked for: it goes, as a
    /// step of the plan and without a finding.
    const fn goes(mut self) -> Self {
        self.after = After::Mended;
        self
    }

    const fn tells(mut self, words: &'static str) -> Self {
        self.tells = words;
        self
    }

    /// Events are cut until it is mended.
    const fn cuts(mut self) -> Self {
        self.meanwhile.cut = true;
        self
    }

    /// Events are copied until it is mended.
    const fn copies(mut self) -> Self {
        self.meanwhile.copied = true;
        self
    }

    /// Events are cut for as long as the people who did it leave it so.
    const fn keeps_cutting(mut self) -> Self {
        self.meanwhile.cut = true;
        self.then.cut = true;
        self
    }

    /// Events are copied for as long as the people who did it leave it so.
    const fn keeps_copying(mut self) -> Self {
        self.meanwhile.copied = true;
        self.then.copied = true;
        self
    }

    /// The mending makes two of what was one, for as long as the people who did it leave it so.
    const fn then_copied(mut self) -> Self {
        self.then.copied = true;
        self
    }

    /// What is found, and what becomes of each.
    pub(crate) fn finds(&self) -> BTreeSet<(FindingCode, Outcome)> {
        let kinds = [(self.mends, Outcome::Mend), (self.leaves, Outcome::Left), (self.holds, Outcome::Held)];
        kinds.iter().flat_map(|(codes, outcome)| codes.iter().map(|code| (*code, *outcome))).collect()
    }
}

/// All rows, by what is edited.
pub(crate) const TABLE: &[(&str, &[Row])] = &[
    ("Buses", buses::ROWS),
    ("Grants", grants::ROWS),
    ("Rules", rules::ROWS),
    ("Targets", targets::ROWS),
    ("Archives", archives::ROWS),
    ("Whose it is", strangers::ROWS),
];

/// What the worked example does not have: in the file, this text (there once) becomes that one.
pub(crate) const EXTRAS: &[(&str, &str, &str)] = &[
    (
        "topology/hubs.toml",
        "description = \"Business events of acme, Americas\"\n",
        "description = \"Business events of acme, Americas\"\nkms-key = \"KEY\"\nbus-dead-letter = \"undecryptable\"\n\
         log = { level = \"error\" }\n",
    ),
    (
        "topology/teams/payments.toml",
        "# An order to collect money for.\n",
        "# What GuardDuty says of this team's account.\n[collect.findings]\nsource = \"aws.guardduty\"\n\
         accounts = [\"payments-prod\"]\nsubscribers = [\"fraud\"]\n\n# An order to collect money for.\n",
    ),
    (
        "topology/teams/fraud.toml",
        "[subscribe.settled]\n",
        "[subscribe.findings]\nfrom = \"payments.findings\"\ndeliver = { queue = \"findings\" }\n\n\
         [subscribe.held]\nfrom = \"payments.authorizations\"\ndeliver = { queue = \"held\" }\n\n\
         [stop.inc-4411]\nsubscription = \"fraud.held\"\nuntil = 2099-01-01T00:00:00Z\nreason = \"INC-4411\"\n\n\
         [subscribe.settled]\n",
    ),
];

/// The findings that were not there before.
pub(crate) fn new_findings<'f>(found: &'f [Finding], known: &[Finding]) -> Vec<&'f Finding> {
    let known: BTreeSet<(FindingCode, &ResourceId)> =
        known.iter().map(|finding| (finding.code, &finding.resource)).collect();
    found.iter().filter(|finding| !known.contains(&(finding.code, &finding.resource))).collect()
}

/// What was found, and what becomes of each.
pub(crate) fn codes(findings: &[&Finding]) -> BTreeSet<(FindingCode, Outcome)> {
    findings.iter().map(|finding| (finding.code, finding.outcome)).collect()
}
