//! Deliberate bugs, each around the program and not in it. What the oracle is worth is that it catches them.

use crate::oracle::Check;
use strum::VariantArray;

/// A deliberate bug.
#[derive(Clone, Copy, Debug, PartialEq, Eq, VariantArray)]
pub enum Mutant {
    // In what is asked of AWS, or in how its answers are read.
    /// The first page of a listing is taken for all of it.
    PageForgotten,
    /// A listing that fails is taken for one without entries.
    ErrorTakenForEmpty,
    /// PutTargets answered 200, so its targets are taken for written, without looking into the answer or at the rule.
    FailedEntriesIgnored,
    /// A rule is taken for deleted that nobody was asked to delete.
    DeletionBelieved,
    /// A grant is written as a whole policy document, made of what we know of: our own statements.
    ForeignStatementDropped,
    /// Every grant on a bus has the same statement id.
    StatementIdShared,
    /// RemovePermission is sent for everything on the bus.
    AllStatementsRemoved,
    /// Calls are sent with whatever credentials are at hand: now and then another account's of the same Region.
    AccountCheckSkipped,
    /// Calls for one scope go to another Region.
    RegionMixedUp,
    /// Patterns are written without the accounts that may publish.
    PinDropped,
    /// Patterns are written without their detail-types.
    DetailTypesDropped,
    /// Rules are written enabled, whatever is asked.
    StateDropped,
    /// Rules and buses are made without their tags.
    TagsDropped,
    /// Rules are written without the mark in their description.
    MarkDropped,
    /// A bus is set without its key.
    KeyDropped,
    /// Targets are written without their dead-letter queue.
    DeadLetterDropped,
    /// Targets are written without the delivery role.
    RoleDropped,
    /// Targets are written without how long to try.
    RetryDropped,
    /// What is put takes the place of all targets that are there, others' too.
    TargetsReplaced,
    /// A rule is changed by deleting it and making it anew.
    RuleRecreated,
    /// An archive is changed by deleting it and making it anew.
    ArchiveRecreated,
    /// What is tagged loses all its other tags.
    TagsReplaced,
    /// What is named like ours is taken for ours.
    NameTakenForMark,
    /// What was read once is not read again before it is written.
    ReadOnce,
    // In what is made of the topology.
    /// One grant is not asked for.
    GrantForgotten,
    /// One rule is not asked for.
    RuleForgotten,
    /// Routes that are held off are not.
    StopForgotten,
    /// What subscriptions ask of an event's detail is left out.
    FilterForgotten,
    /// Teams' tags are left out.
    TagForgotten,
    /// Archives keep nothing for longer than a day.
    RetentionForgotten,
    /// Accounts are not swept where nothing is asked for.
    AccountForgotten,
    /// Every topology has the same place in the order.
    SequenceForgotten,
    /// What is asked for is another thing each time that the program starts.
    DescriptionVaries,
    /// One operator's things are taken for another's.
    OwnerForgotten,
    // In the sweep.
    /// What goes, goes before what replaces it is there: the plan's breaks are applied first.
    DeleteBeforeCreate,
    /// Steps are done in the opposite order, none waiting for another.
    OrderForgotten,
    /// What a step waits for may fail.
    FailureForgotten,
    /// Nothing that is held is held.
    HoldsForgotten,
    /// No guard counts rules and targets that are put.
    PutsUncounted,
    /// Nobody waits for what was made to take effect.
    SettleTimeSkipped,
    /// A rule that takes other events is narrowed at once.
    NarrowedAtOnce,
    /// What was read in part is taken for all, and what was not read for empty.
    GapsForgotten,
    /// Calls are sent as fast as they come.
    PaceForgotten,
    // In the daemon.
    /// Each start takes a new state file for the first there ever was.
    NothingToLose,
    /// It asks as fast as it can.
    DaemonsPaceForgotten,
    /// The first page of a listing is taken for all of it.
    DaemonsPageForgotten,
    /// What the settings say of guards is not looked at.
    DaemonsGuardsForgotten,
    /// A default bus on which there was nothing of ours is taken for one without anything for ever.
    IdleForEver,
    /// What was read an hour ago is taken for new.
    OldReadingsServe,
    /// Where one account does not answer, none is asked for a while.
    OneForAll,
    /// It ends with each topology, and the next one does not know which Regions that one named.
    RegionsForgotten,
    /// A topology that cannot be read is taken for one of which only the accounts and hubs are left.
    EmptyWhereGone,
}

impl Mutant {
    pub const ALL: &[Self] = Self::VARIANTS;

    /// The check that stands for what the bug breaks; others may catch it as well.
    pub fn expected(self) -> Check {
        match self {
            Self::FailedEntriesIgnored
            | Self::StatementIdShared
            | Self::RuleRecreated
            | Self::TargetsReplaced
            | Self::RuleForgotten
            | Self::DeleteBeforeCreate
            | Self::OrderForgotten
            | Self::FailureForgotten
            | Self::SettleTimeSkipped
            | Self::NarrowedAtOnce => Check::RouteInterrupted,
            Self::PageForgotten | Self::ErrorTakenForEmpty | Self::GapsForgotten | Self::DaemonsPageForgotten => {
                Check::BreakOnDoubt
            }
            Self::DeletionBelieved => Check::FalseReport,
            Self::ForeignStatementDropped | Self::AllStatementsRemoved | Self::NameTakenForMark | Self::ReadOnce => {
                Check::ForeignChanged
            }
            Self::AccountCheckSkipped | Self::RegionMixedUp => Check::StrayWrite,
            Self::PinDropped
            | Self::DetailTypesDropped
            | Self::StateDropped
            | Self::StopForgotten
            | Self::FilterForgotten => Check::Surplus,
            Self::KeyDropped
            | Self::DeadLetterDropped
            | Self::RetryDropped
            | Self::TagForgotten
            | Self::RetentionForgotten => Check::Settings,
            Self::MarkDropped | Self::TagsDropped => Check::NotQuiet,
            Self::RoleDropped | Self::TagsReplaced => Check::NotInStep,
            Self::ArchiveRecreated => Check::NeverDeleted,
            Self::GrantForgotten => Check::Missing,
            Self::AccountForgotten | Self::RegionsForgotten => Check::Leftover,
            Self::SequenceForgotten => Check::OlderWrote,
            Self::DescriptionVaries => Check::OtherEnd,
            Self::OwnerForgotten => Check::NeighbourTouched,
            Self::HoldsForgotten | Self::PutsUncounted | Self::DaemonsGuardsForgotten => Check::TooManyAtOnce,
            Self::PaceForgotten | Self::DaemonsPaceForgotten => Check::TooFast,
            Self::NothingToLose => Check::StateForgotten,
            Self::EmptyWhereGone => Check::RouteInterrupted,
            Self::IdleForEver => Check::DriftOutlives,
            Self::OldReadingsServe => Check::BreakOnDoubt,
            Self::OneForAll => Check::HeldUp,
        }
    }

    /// In which kind of run it shows.
    pub fn stage(self) -> Stage {
        match self {
            Self::DescriptionVaries => Stage::Crashes,
            Self::OwnerForgotten => Stage::Neighbours,
            Self::NothingToLose
            | Self::EmptyWhereGone
            | Self::IdleForEver
            | Self::OldReadingsServe
            | Self::OneForAll
            | Self::RegionsForgotten
            | Self::DaemonsPaceForgotten
            | Self::DaemonsPageForgotten
            | Self::DaemonsGuardsForgotten => Stage::Daemons,
            _ => Stage::Seeds,
        }
    }

    /// Whether it is in how a sweep is put together.
    pub fn is_in_the_sweep(self) -> bool {
        matches!(
            self,
            Self::DeleteBeforeCreate
                | Self::OrderForgotten
                | Self::FailureForgotten
                | Self::HoldsForgotten
                | Self::PutsUncounted
                | Self::SettleTimeSkipped
                | Self::NarrowedAtOnce
                | Self::GapsForgotten
        )
    }

    /// Whether it would keep the first topology from being applied, and so take nothing away.
    pub fn comes_later(self) -> bool {
        matches!(self, Self::PageForgotten | Self::RuleForgotten)
    }

    /// Whether it shows among other trouble.
    pub fn bears_trouble(self) -> bool {
        !matches!(self, Self::FailedEntriesIgnored | Self::FailureForgotten | Self::ReadOnce)
    }
}

/// A kind of run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    Seeds,
    Crashes,
    Neighbours,
    Daemons,
}
