//! Plans: what to do about the difference, as data that can be printed, compared and hashed.
//!
//! **Apply has no choices left**: a step names every argument of its call and what it expects to find.
//! Only [`crate::plan`] makes a [`Plan`], and only [`crate::plan::approve`] makes an approved one.

use super::desired::Revision;
use super::few::Few;
use super::finding::{Finding, FindingCode, Outcome, Severity};
use super::ids::{Owner, Scope, TeamName};
use super::resource::{ArchiveId, ArchiveSpec, BusId, BusSettings, Grantee, ResourceId, RuleId, RuleState, TargetSpec};
use super::route::RouteId;
use super::topology::{Origin, Tags};
use super::world::{Evidence, LiveTarget};
use crate::eventbridge::policy::Statement;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fmt;

/// A write: one AWS call with all its arguments.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", rename_all_fields = "kebab-case", tag = "verb")]
pub enum Action {
    /// Make a bus.
    CreateBus {
        /// Which.
        bus: BusId,
        /// With these settings.
        settings: BusSettings,
        /// With these tags.
        tags: Tags,
    },
    /// Replace a bus's settings, all of them.
    UpdateBus {
        /// Which.
        bus: BusId,
        /// With these settings.
        settings: BusSettings,
    },
    /// Set our tags on a bus.
    TagBus {
        /// Which.
        bus: BusId,
        /// The tags to set; others stay.
        tags: Tags,
    },
    /// Remove tags that we set on a bus and that are not asked for any more.
    UntagBus {
        /// Which.
        bus: BusId,
        /// The tags' keys.
        keys: BTreeSet<String>,
    },
    /// Add or replace one statement of a bus's policy.
    PutGrant {
        /// On which bus.
        bus: BusId,
        /// The statement's id.
        statement_id: String,
        /// To whom.
        grantee: Grantee,
    },
    /// Remove one statement of a bus's policy.
    RemoveGrant {
        /// On which bus.
        bus: BusId,
        /// The statement's id.
        statement_id: String,
    },
    /// Make or replace a rule; targets are not touched by it.
    PutRule {
        /// Which.
        rule: RuleId,
        /// With this description, mark and all.
        description: String,
        /// With this pattern, as it will be sent.
        pattern: String,
        /// In this state.
        state: RuleState,
        /// With these tags, which AWS takes only when it makes the rule.
        tags: Tags,
        /// Which part of a change it is.
        part: RulePart,
    },
    /// Set tags on a rule; others stay.
    TagRule {
        /// Which.
        rule: RuleId,
        /// The tags to set.
        tags: Tags,
    },
    /// Remove tags that we set on a rule and that are not asked for any more.
    UntagRule {
        /// Which.
        rule: RuleId,
        /// The tags' keys.
        keys: BTreeSet<String>,
    },
    /// Add or replace targets of a rule.
    PutTargets {
        /// Of which rule.
        rule: RuleId,
        /// By Id.
        targets: Few<String, TargetSpec>,
    },
    /// Remove targets of a rule.
    RemoveTargets {
        /// Of which rule.
        rule: RuleId,
        /// Their Ids.
        target_ids: BTreeSet<String>,
    },
    /// Remove a rule that has no targets any more.
    DeleteRule {
        /// Which.
        rule: RuleId,
    },
    /// Make an archive.
    CreateArchive {
        /// Which.
        archive: ArchiveId,
        /// As this.
        spec: ArchiveSpec,
    },
    /// Replace an archive's settings.
    UpdateArchive {
        /// Which.
        archive: ArchiveId,
        /// As this.
        spec: ArchiveSpec,
    },
}

/// Which part of a rule's change a PutRule is. Events that a rule no longer takes may be another's from now on, or the
/// publisher's from another account: what a rule stops taking is a break of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum RulePart {
    /// All of it at once: nothing that is asked for is lost by it.
    Whole,
    /// It takes the old and the new events.
    Widen,
    /// It takes only the new events any more.
    Narrow,
}

impl Action {
    /// What it writes.
    pub fn resource(&self) -> ResourceId {
        match self {
            Self::CreateBus { bus, .. }
            | Self::UpdateBus { bus, .. }
            | Self::TagBus { bus, .. }
            | Self::UntagBus { bus, .. } => ResourceId::Bus(bus.clone()),
            Self::PutGrant { bus, statement_id, .. } | Self::RemoveGrant { bus, statement_id } => {
                ResourceId::Grant(bus.clone(), statement_id.clone())
            }
            Self::PutRule { rule, .. }
            | Self::TagRule { rule, .. }
            | Self::UntagRule { rule, .. }
            | Self::PutTargets { rule, .. }
            | Self::RemoveTargets { rule, .. }
            | Self::DeleteRule { rule } => ResourceId::Rule(rule.clone()),
            Self::CreateArchive { archive, .. } | Self::UpdateArchive { archive, .. } => {
                ResourceId::Archive(archive.clone())
            }
        }
    }

    /// The scope that it writes in.
    pub fn scope(&self) -> Scope {
        self.resource().scope().clone()
    }

    /// The call, as a word: `create-bus`, `put-rule`, ….
    pub fn verb(&self) -> &'static str {
        match self {
            Self::CreateBus { .. } => "create-bus",
            Self::UpdateBus { .. } => "update-bus",
            Self::TagBus { .. } => "tag-bus",
            Self::UntagBus { .. } => "untag-bus",
            Self::PutGrant { .. } => "put-grant",
            Self::RemoveGrant { .. } => "remove-grant",
            Self::PutRule { part: RulePart::Whole, .. } => "put-rule",
            Self::PutRule { part: RulePart::Widen, .. } => "widen-rule",
            Self::PutRule { part: RulePart::Narrow, .. } => "narrow-rule",
            Self::TagRule { .. } => "tag-rule",
            Self::UntagRule { .. } => "untag-rule",
            Self::PutTargets { .. } => "put-targets",
            Self::RemoveTargets { .. } => "remove-targets",
            Self::DeleteRule { .. } => "delete-rule",
            Self::CreateArchive { .. } => "create-archive",
            Self::UpdateArchive { .. } => "update-archive",
        }
    }

    /// The step's key: what it does to what. At most one step of a plan has it.
    pub fn key(&self) -> StepKey {
        StepKey(format!("{} {}", self.verb(), self.resource()))
    }
}

/// What a step does to what, as text: `put-rule rule 111111111111/us-east-1/org-events/ww.…`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StepKey(String);

impl fmt::Display for StepKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for StepKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What the plan saw of the thing that a step writes: apply reads it again and writes only if it still is so.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case", rename_all_fields = "kebab-case", tag = "saw")]
pub enum Seen {
    /// It was not there.
    Absent,
    /// A bus was there.
    Bus {
        /// Its description.
        description: String,
        /// Its tags, where they were read.
        tags: Option<Tags>,
    },
    /// A bus was there with these settings.
    BusSettings {
        /// All of them.
        settings: BusSettings,
    },
    /// A statement of this content was there.
    Statement {
        /// The statement.
        #[serde(serialize_with = "statement_value")]
        statement: Statement,
    },
    /// A rule was there.
    Rule {
        /// Its description.
        description: String,
        /// Its pattern's text.
        pattern: Option<String>,
        /// Its state.
        state: String,
        /// Its tags, where they were read.
        tags: Option<Tags>,
    },
    /// A rule had these of the targets that the step writes.
    Targets {
        /// By Id; those that were not there are absent.
        #[serde(skip)]
        targets: Few<String, LiveTarget>,
    },
    /// An archive was there.
    Archive {
        /// Days it kept events.
        retention_days: u32,
        /// Its description.
        description: String,
    },
}

impl Seen {
    /// The tags that a bus or a rule had, where they were read.
    pub fn tags(&self) -> Option<&Tags> {
        match self {
            Self::Bus { tags, .. } | Self::Rule { tags, .. } => tags.as_ref(),
            Self::Absent
            | Self::BusSettings { .. }
            | Self::Statement { .. }
            | Self::Targets { .. }
            | Self::Archive { .. } => None,
        }
    }
}

fn statement_value<S: serde::Serializer>(statement: &Statement, serializer: S) -> Result<S::Ok, S::Error> {
    statement.to_value().serialize(serializer)
}

/// Whether a step adds or takes away.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum StepKind {
    /// It only adds, or sets an owned thing to what is asked.
    Make,
    /// It takes away, on this evidence.
    Break(Evidence),
}

/// Why a step is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cause {
    /// The topology changed.
    Intent,
    /// An owned thing differs though nobody asked for it.
    Drift,
}

/// One write of a plan.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Step {
    /// The write.
    pub action: Action,
    /// What the plan saw where it writes.
    pub seen: Seen,
    /// Whether it adds or takes away.
    pub kind: StepKind,
    /// Why it is there.
    pub cause: Cause,
    /// What was found, if it is about something that was live.
    pub codes: BTreeSet<FindingCode>,
    /// The steps that must have succeeded before.
    pub after: BTreeSet<StepKey>,
    /// Whether it waits for the settle time after the makes before it: a route that stays depends on what
    /// replaces this.
    pub settles: bool,
    /// The guards that hold it: each has to be let go.
    pub held_by: BTreeSet<Guard>,
    /// What changes, as lines for people: `retention 30 -> 7 days`.
    pub detail: Vec<String>,
    /// The routes that it serves.
    pub routes: BTreeSet<RouteId>,
    /// The team that it is for.
    pub team: Option<TeamName>,
    /// Where it was asked for.
    pub origin: Option<Origin>,
}

impl Step {
    /// Whether it takes something away.
    pub fn is_break(&self) -> bool {
        matches!(self.kind, StepKind::Break(_))
    }

    /// What it does to what.
    pub fn key(&self) -> StepKey {
        self.action.key()
    }
}

/// A guard: a reason to hold steps until a person names it. There is no way to name all at once.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    strum::IntoStaticStr,
    strum::EnumIter,
    strum::EnumString,
    strum::Display,
)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum Guard {
    /// The plan takes away more than a share of what we own.
    TooManyBreaks,
    /// The plan changes more than a share of what we own.
    TooManyChanges,
    /// A step takes over something without our mark.
    Adopt,
    /// A quota leaves no room for old and new side by side. Cannot be named away: AWS would refuse.
    NoRoom,
    /// The topology asks for nothing at all. Cannot be named away.
    EmptyTopology,
    /// A newer topology was already applied. Cannot be named away.
    Superseded,
    /// What would be taken away, or what replaces it, was not read whole and lately. Cannot be named away.
    Unread,
    /// Deleting the rule would need targets removed that are not ours. Cannot be named away.
    ForeignTargets,
    /// A step would leave a route that stays without a destination, because what replaces it is not there and not
    /// planned. Cannot be named away.
    BreaksRoute,
    /// Publishers of a route that stays are cut off where they put events today. Whether they put them at the new place
    /// already, only a person knows.
    PublishersMove,
    /// The daemon only looks here: the mode is `observe`. Cannot be named away at the daemon; `wheelwright apply` writes.
    Observe,
    /// The settings say that drift of this kind waits for a person.
    OnDrift,
    /// A freeze window is open.
    Freeze,
    /// A person paused it.
    Paused,
    /// Somebody else keeps taking it back, so it is left alone.
    Fight,
    /// The daemon's state is lost, so it only looks until a person has.
    StateLost,
}

impl Guard {
    /// Whether a person may let the plan go by naming this guard.
    pub fn may_be_allowed(self) -> bool {
        matches!(self, Self::TooManyBreaks | Self::TooManyChanges | Self::Adopt | Self::PublishersMove)
    }
}

/// A guard's refusal.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Hold {
    /// Which guard.
    pub guard: Guard,
    /// Where: one scope, or all of them.
    pub scope: Option<Scope>,
    /// Why, with the numbers, and what to do.
    pub reason: String,
    /// How many steps it holds.
    pub steps: usize,
}

/// What a plan does to a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, strum::IntoStaticStr, strum::Display)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum RouteEffect {
    /// It delivers from now on.
    Starts,
    /// It was broken out of band, and delivers again.
    Mends,
    /// It delivers elsewhere; both ends receive for a while.
    Moves,
    /// It takes fewer events.
    Narrows,
    /// It takes more events.
    Widens,
    /// It takes other events: some more, some fewer, or it cannot be told.
    Changes,
    /// A publisher's own bus forwards it no more.
    Ends,
    /// It delivers no more.
    Stops,
}

/// A route and what the plan does to it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct RouteChange {
    /// Which route, as text: a live one that nobody asks for has no [`RouteId`].
    pub route: String,
    /// What happens to it.
    pub effect: RouteEffect,
    /// Hop by hop, or why.
    pub detail: String,
    /// Both ends receive events for a while.
    pub duplicates: bool,
}

/// Everything that will be done, in order, and everything that will not, with reasons.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Plan {
    /// The name of exactly these steps: what a person approves.
    pub id: String,
    /// Whose marks it writes.
    pub owner: Owner,
    /// The topology that it came from.
    pub revision: Revision,
    /// What it does to routes.
    pub routes: Vec<RouteChange>,
    /// The steps, in an order in which each comes after those it waits for; makes before breaks.
    pub steps: Vec<Step>,
    /// What is held.
    pub holds: Vec<Hold>,
    /// What was found.
    pub findings: Vec<Finding>,
    /// How many routes the topology has in all.
    pub routes_total: usize,
}

impl Plan {
    /// Whether there is nothing to do and nothing held: the world is in step with the topology.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty() && self.holds.is_empty()
    }

    /// The errors that the plan does not mend: a scope that was not read, a name that is another operator's, ….
    pub fn unmended(&self) -> impl Iterator<Item = &Finding> {
        let unmended =
            |finding: &&Finding| finding.code.severity() == Severity::Error && finding.outcome != Outcome::Mend;
        self.findings.iter().filter(unmended)
    }

    /// Whether everything that the topology asks for is there, as far as it can be seen.
    pub fn in_step(&self) -> bool {
        self.is_empty() && self.unmended().next().is_none()
    }
}

/// When a plan is held.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct PlanSettings {
    /// Breaks up to this percentage of what we own (in a scope, and in all) are not held.
    pub breaks_percent_max: u32,
    /// Breaks up to this number are not held, whatever the percentage.
    pub breaks_floor: u32,
    /// Changes of owned things up to this percentage are not held.
    pub changes_percent_max: u32,
    /// Changes up to this number are not held, whatever the percentage.
    pub changes_floor: u32,
    /// An observation older than this, in milliseconds, carries no break.
    pub fresh_ms_max: u64,
}

impl Default for PlanSettings {
    fn default() -> Self {
        Self {
            breaks_percent_max: 20,
            breaks_floor: 3,
            changes_percent_max: 50,
            changes_floor: 20,
            fresh_ms_max: 15 * 60 * 1_000,
        }
    }
}
