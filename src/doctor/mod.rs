//! `wheelwright doctor`: whether everything that others bring is there, account by account, before a plan relies on it.
//!
//! Layer 4. `ask` asks, each scope by itself and all side by side; everything else is pure: what a scope needs
//! (`needs`), which calls prove a permission and hit nothing (`probe`), what the answers come to (`judge`), what owners of
//! destinations and partners have to add (`policies`), and how it reads (`text`). It reads, and writes nothing; under
//! [`Manner::prove_writes`] it also tries writes on names that are not there, which AWS authorises before it looks.

mod ask;
mod denial;
mod judge;
mod mend;
mod needs;
mod policies;
mod probe;
#[cfg(test)]
mod tests;
pub mod text;
mod trust;

pub use denial::Denial;
pub use needs::{Needs, needs};
pub use policies::{Addition, Destination, Partner};

use crate::call::{CallError, QueueSummary, RoleSummary};
use crate::model::desired::Desired;
use crate::model::finding::Severity;
use crate::model::ids::{AccountId, AccountName, Scope};
use crate::model::settings::Settings;
use crate::model::topology::Topology;
use crate::model::world::Observation;
use crate::port::{Clock, Fleet, SignIn, SignedIn};
use crate::reconcile::refresh::RefreshSettings;
use futures_util::StreamExt;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// How an examination goes about it.
#[derive(Clone, Copy, Debug)]
pub struct Manner {
    /// Whether writes are tried on names that are not there.
    pub prove_writes: bool,
    /// How fast scopes are read.
    pub refresh: RefreshSettings,
}

/// What an examination rests on.
#[derive(Clone, Copy)]
pub struct Patient<'a> {
    /// What people wrote.
    pub topology: &'a Topology,
    /// What it implies.
    pub desired: &'a Desired,
    /// Under which names.
    pub settings: &'a Settings,
}

/// Examines the `scopes`, side by side: one that refuses or hangs delays nobody else. `told` hears of each as it is done.
pub async fn examine<F: Fleet + SignIn, C: Clock>(
    fleet: &F,
    clock: &C,
    patient: Patient<'_>,
    scopes: &BTreeSet<Scope>,
    manner: Manner,
    told: &(dyn Fn(&Scope, &[Trouble]) + Sync),
) -> Report {
    let all = needs(patient.desired, patient.settings);
    let examined = all.values().filter(|needs| scopes.contains(&needs.scope)).map(|needs| async move {
        let answers = ask::ask(fleet, clock, patient, needs, manner).await;
        let judged = judge::judge(patient, needs, &answers);
        told(&needs.scope, &judged.troubles);
        (needs.scope.clone(), judged)
    });
    let in_flight = manner.refresh.scopes_in_flight_max.max(1);
    let judged: BTreeMap<Scope, Judged> =
        futures_util::stream::iter(examined).buffer_unordered(in_flight).collect().await;
    Report::new(patient, judged)
}

/// What came of it all.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Report {
    /// Each scope that was asked.
    pub scopes: Vec<Checkup>,
    /// The accounts with `access = "none"`.
    pub never_touched: BTreeMap<AccountId, AccountName>,
    /// What owners of destinations have to have in their policies.
    pub destinations: Vec<Destination>,
    /// What gives the delivery roles of the accounts that deliver there the right to: a command for each account.
    pub delivery_rights: BTreeMap<AccountName, String>,
    /// What partners have to add.
    pub partners: Vec<Partner>,
    /// Worth knowing, and nothing is wrong.
    pub notes: Vec<Note>,
    /// What is missing or wrong.
    pub troubles: Vec<Trouble>,
}

impl Report {
    fn new(patient: Patient<'_>, judged: BTreeMap<Scope, Judged>) -> Self {
        let accounts: BTreeSet<AccountId> = judged.keys().map(|scope| scope.account).collect();
        let destinations = policies::destinations(patient, &accounts);
        let mut report = Self {
            scopes: Vec::new(),
            never_touched: needs::never_touched(patient.desired),
            delivery_rights: policies::delivery_rights(patient, &destinations),
            destinations,
            partners: policies::partners(patient),
            notes: Vec::new(),
            troubles: Vec::new(),
        };
        for (_, Judged { checkup, notes, troubles }) in judged {
            report.scopes.push(checkup);
            report.notes.extend(notes);
            report.troubles.extend(troubles);
        }
        report.scopes.sort_by(|a, b| (&a.account, &a.scope).cmp(&(&b.account, &b.scope)));
        report.troubles.sort();
        report
    }

    /// Whether nothing is missing.
    pub fn is_healthy(&self) -> bool {
        self.troubles.is_empty()
    }
}

/// What is known of one scope.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Checkup {
    /// What the roster calls the account.
    pub account: AccountName,
    /// Account and Region.
    pub scope: Scope,
    /// Whether a hub is here.
    pub is_hub: bool,
    /// Whether the operator role could be assumed.
    pub role: Verdict,
    /// Whether the session is this account's.
    pub identity: Verdict,
    /// Whether the role has each permission that the program can need, by IAM action.
    pub permissions: BTreeMap<&'static str, Permission>,
    /// The delivery role.
    pub delivery_role: Verdict,
    /// The dead-letter queue.
    pub dead_letters: Verdict,
    /// How much of each quota is used.
    pub quotas: Vec<QuotaUse>,
    /// How far our clock is ahead of AWS's, in milliseconds.
    pub clock_ahead_ms: Option<i64>,
}

/// Whether one thing is as it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// It is.
    Fine,
    /// Nothing here needs it.
    NotNeeded,
    /// It could not be seen.
    NotSeen,
    /// It is not: in a word.
    Wrong(&'static str),
}

impl Verdict {
    /// The verdict in a word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Fine => "ok",
            Self::NotNeeded => "-",
            Self::NotSeen => "?",
            Self::Wrong(word) => word,
        }
    }
}

impl Serialize for Verdict {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(match self {
            Self::NotNeeded => "not-needed",
            Self::NotSeen => "not-seen",
            Self::Fine | Self::Wrong(_) => self.word(),
        })
    }
}

/// Whether the role has a permission.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "state")]
pub enum Permission {
    /// It has: the call was answered, or AWS looked and found nothing.
    Ok,
    /// It has not.
    Denied {
        /// What denies it, as far as AWS says.
        by: Denial,
        /// AWS's sentence.
        message: String,
    },
    /// It was not tried, or the try says nothing.
    Unproven {
        /// Why.
        why: String,
    },
    /// It was asked for and got no usable answer.
    Unanswered {
        /// What came instead.
        why: String,
    },
}

/// How much of a quota is used.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct QuotaUse {
    /// Of what: `rules on org-events`.
    pub what: String,
    /// So much is used.
    pub used: usize,
    /// Of so much.
    pub most: usize,
}

impl QuotaUse {
    /// The share that is used, in whole percent.
    pub fn percent(&self) -> usize {
        self.used.saturating_mul(100) / self.most.max(1)
    }

    /// Whether it says anything at a glance: one target of the five that a rule may have is a fifth, and means nothing.
    pub fn tells(&self) -> bool {
        self.most > 10 || self.percent() >= judge::QUOTA_WARN_PERCENT
    }

    /// What is left of it.
    pub fn left(&self) -> usize {
        self.most.saturating_sub(self.used)
    }
}

/// What kind of thing is missing or wrong: stable names, for programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, strum::Display)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum TroubleCode {
    /// There is nobody to assume roles as.
    Credentials,
    /// Our clock is wrong.
    Clock,
    /// The operator role could not be assumed.
    RoleRefused,
    /// The role is in another account than the roster says.
    WrongAccount,
    /// No usable answer came.
    NoAnswer,
    /// A permission is denied.
    Denied,
    /// Something that is there could not be read.
    Unread,
    /// The delivery role is not there.
    DeliveryRoleMissing,
    /// The delivery role does not let EventBridge in.
    DeliveryRoleTrust,
    /// The dead-letter queue is not there.
    DeadLettersMissing,
    /// The dead-letter queue is not a standard queue.
    DeadLettersFifo,
    /// The dead-letter queue does not let EventBridge send.
    DeadLettersPolicy,
    /// EventBridge cannot encrypt for the dead-letter queue.
    DeadLettersKey,
    /// A quota is nearly used up.
    Quota,
}

/// Something that is missing or wrong.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Trouble {
    /// What kind.
    pub code: TroubleCode,
    /// How bad: an error keeps the operator from its work, or events from coming.
    pub severity: Severity,
    /// Where.
    pub scope: Scope,
    /// What was found.
    pub what: String,
    /// What to do, a line each; commands begin with `$ `.
    pub mend: Vec<String>,
}

/// Something worth knowing about a scope.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Note {
    /// Where.
    pub scope: Scope,
    /// What.
    pub text: String,
}

/// What one scope answered.
struct Answers {
    signed_in: Result<SignedIn, CallError>,
    /// None: nothing was asked, or not everything was answered in time.
    asked: Option<Asked>,
}

/// What was asked once we were in.
struct Asked {
    /// By action.
    trials: BTreeMap<&'static str, Trial>,
    /// The same writes again on a bus of the topology, where the first try was denied.
    second_trials: BTreeMap<&'static str, Trial>,
    observation: Observation,
    role: Result<RoleSummary, CallError>,
    queue: Result<QueueSummary, CallError>,
}

/// What came of a call that only proves a permission.
enum Trial {
    Answered(Result<(), CallError>),
    NotTried(String),
}

/// What the answers of one scope come to.
struct Judged {
    checkup: Checkup,
    notes: Vec<Note>,
    troubles: Vec<Trouble>,
}
