//! Findings: what a person should know, each with a stable code, what was done about it, and whom it concerns.

use super::ids::TeamName;
use super::resource::ResourceId;
use super::topology::Origin;
use serde::{Deserialize, Serialize};

/// How bad it is.
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
    Deserialize,
    strum::IntoStaticStr,
    strum::EnumString,
    strum::Display,
)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum Severity {
    /// Worth knowing.
    Info,
    /// Something should be looked at; no event is lost by it.
    Warning,
    /// Events are lost or could be, or the program could not see or act.
    Error,
}

/// What was found; the text form (`rule-disabled`) is stable and is what alerts, plans and `explain` use.
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
    Deserialize,
    strum::IntoStaticStr,
    strum::EnumIter,
    strum::EnumString,
    strum::Display,
)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum FindingCode {
    /// A bus of ours is gone.
    BusMissing,
    /// A bus of ours is encrypted with another key than asked for.
    KmsKeyChanged,
    /// A bus of ours has another queue for events that it could not encrypt or decrypt.
    BusDeadLetterChanged,
    /// A bus of ours logs more or less than asked for.
    BusLogChanged,
    /// A grant of ours is gone.
    GrantMissing,
    /// A grant of ours says something else.
    GrantChanged,
    /// A grant bears our id and nobody asks for it.
    GrantSurplus,
    /// A statement on our bus that is not ours.
    ForeignGrant,
    /// A statement on our bus that is not ours and denies.
    ForeignDeny,
    /// A statement on our bus that is not ours and lets everybody in the world put events.
    PublicGrant,
    /// A rule of ours is gone.
    RuleMissing,
    /// A rule of ours does not match events any more.
    RuleDisabled,
    /// A rule of ours matches though it should not.
    RuleEnabled,
    /// A rule of ours matches other events.
    PatternChanged,
    /// A rule or a bus of ours has another description.
    DescriptionChanged,
    /// A thing of ours lost its mark, and its tags still say that it is ours.
    MarkLost,
    /// A rule or a bus of ours lost a tag, or has it with another value.
    TagsChanged,
    /// A rule bears our marks and nobody asks for it.
    RuleSurplus,
    /// A rule on our bus that is not ours.
    ForeignRule,
    /// A target of ours is gone.
    TargetMissing,
    /// A target of ours delivers elsewhere or otherwise.
    TargetChanged,
    /// A target bears our Id and nobody asks for it.
    TargetSurplus,
    /// A target on our rule that is not ours.
    ForeignTarget,
    /// An archive of ours is gone.
    ArchiveMissing,
    /// An archive of ours keeps events for another time, or is described otherwise.
    ArchiveChanged,
    /// A bus or archive bears our mark and nobody asks for it: left, for a person to retire.
    Orphaned,
    /// A wanted name is taken by something without our mark.
    Adopt,
    /// A thing with a wanted name is another operator's, or another tool's.
    OtherOwner,
    /// A description bears a mark of ours that was written on something else.
    MarkCopied,
    /// A rule of ours has no targets yet.
    Incomplete,
    /// The bus that a route delivers to could not be read, or is not ours.
    DestinationUnready,
    /// A newer topology was already applied.
    Superseded,
    /// A scope could not be read, or not all of it.
    Unread,
    /// A Region of an account where nothing is asked for could not be read.
    UnreadIdle,
    /// A team's file has errors: its routes stay as they are.
    TeamKept,
    /// A route is held off by a `[stop]`: its events are dropped until then.
    RouteStopped,
    /// A `[stop]` whose time has come: it does nothing any more.
    StopExpired,
    /// A bus's policy could not be understood.
    PolicyUnreadable,
    /// A partner's account has to add something itself.
    PartnerMustAdd,
    /// A plan waits: a guard, a freeze or a person's order holds steps of it.
    PlanHeld,
    /// The topology could not be read or has errors that stop all of it: the last good one stands.
    TopologyRefused,
    /// The topology's source does not answer: whether there is a newer one is not known.
    SourceUnreachable,
    /// The daemon's state was there and is gone: nothing is written until a person has looked.
    StateLost,
    /// Somebody else takes back what we write, again and again: the thing is left alone.
    SecondWriter,
    /// An order to hold a route off cannot be done.
    StopUnready,
    /// Alert channels were changed and cannot be opened: the old ones go on.
    ChannelsUnready,
    /// A step of a plan could not be done.
    Unwritten,
}

impl FindingCode {
    /// How bad it is.
    pub fn severity(self) -> Severity {
        match self {
            Self::BusMissing
            | Self::GrantMissing
            | Self::GrantChanged
            | Self::RuleMissing
            | Self::RuleDisabled
            | Self::PatternChanged
            | Self::TargetMissing
            | Self::TargetChanged
            | Self::Incomplete
            | Self::DestinationUnready
            | Self::ForeignDeny
            | Self::OtherOwner
            | Self::Superseded
            | Self::PolicyUnreadable
            | Self::PublicGrant
            | Self::KmsKeyChanged
            | Self::TeamKept
            | Self::TopologyRefused
            | Self::StateLost
            | Self::SecondWriter
            | Self::StopUnready
            | Self::ChannelsUnready
            | Self::Unwritten
            | Self::Unread => Severity::Error,
            Self::GrantSurplus
            | Self::RuleEnabled
            | Self::MarkLost
            | Self::TagsChanged
            | Self::RuleSurplus
            | Self::ForeignTarget
            | Self::TargetSurplus
            | Self::ArchiveMissing
            | Self::ArchiveChanged
            | Self::DescriptionChanged
            | Self::Orphaned
            | Self::PartnerMustAdd
            | Self::BusDeadLetterChanged
            | Self::BusLogChanged
            | Self::MarkCopied
            | Self::RouteStopped
            | Self::PlanHeld
            | Self::SourceUnreachable
            | Self::Adopt => Severity::Warning,
            Self::ForeignGrant | Self::ForeignRule | Self::UnreadIdle | Self::StopExpired => Severity::Info,
        }
    }

    /// Whether it is drift: something of ours differs from what was asked for, and a plan mends it.
    pub fn is_drift(self) -> bool {
        matches!(
            self,
            Self::BusMissing
                | Self::KmsKeyChanged
                | Self::BusDeadLetterChanged
                | Self::BusLogChanged
                | Self::GrantMissing
                | Self::GrantChanged
                | Self::GrantSurplus
                | Self::RuleMissing
                | Self::RuleDisabled
                | Self::RuleEnabled
                | Self::PatternChanged
                | Self::DescriptionChanged
                | Self::MarkLost
                | Self::TagsChanged
                | Self::RuleSurplus
                | Self::TargetMissing
                | Self::TargetChanged
                | Self::TargetSurplus
                | Self::ArchiveMissing
                | Self::ArchiveChanged
                | Self::Incomplete
        )
    }

    /// Whether only a full reading tells that it is not so any more: of buses' settings, archives and tags a fast one sees
    /// nothing, or not all.
    pub fn needs_full_reading(self) -> bool {
        matches!(
            self,
            Self::KmsKeyChanged
                | Self::BusDeadLetterChanged
                | Self::BusLogChanged
                | Self::DescriptionChanged
                | Self::TagsChanged
                | Self::MarkCopied
                | Self::ArchiveMissing
                | Self::ArchiveChanged
                | Self::Orphaned
                | Self::Adopt
                | Self::OtherOwner
                | Self::ForeignRule
                | Self::Unwritten
        )
    }

    /// What it means and what to do, for `wheelwright explain`.
    pub fn explanation(self) -> &'static str {
        match self {
            Self::BusMissing => {
                "A bus that the topology names is not there: taken away with every rule and grant on it, or not made yet by an apply that was cut short. It is created, with all that belongs on it; events published meanwhile are dropped."
            }
            Self::KmsKeyChanged => {
                "A bus of ours is encrypted with another KMS key than the topology asks for. The key is set back, but for one case: where no key is asked for and somebody set one, it is left, since taking encryption away is for a person to ask for (write `kms-key` in the topology)."
            }
            Self::BusDeadLetterChanged => {
                "A bus of ours has another queue for events that it could not encrypt or decrypt, or none. It is set again, with all other settings of the bus."
            }
            Self::BusLogChanged => {
                "A bus of ours logs at another level than the topology asks for. It is set again, with all other settings of the bus."
            }
            Self::GrantMissing => {
                "A statement of ours is not in a bus's resource policy: taken away, or not made yet by an apply that was cut short. An account's events are refused, or a forward fails, until it is put."
            }
            Self::GrantChanged => {
                "A statement with our id grants something else than what we wrote (perhaps it was widened by hand). It is written again as the topology asks."
            }
            Self::GrantSurplus => {
                "A statement with our id that no part of the topology asks for any more. It is removed once everything that replaces it is in place."
            }
            Self::ForeignGrant => {
                "A statement on one of our buses that wheelwright did not write. It is left exactly as it is. Look whether it lets somebody publish who should not."
            }
            Self::ForeignDeny => {
                "A statement on one of our buses that wheelwright did not write denies something. A denial wins over every grant, so it may cut publishers or forwards off. It is left exactly as it is: whoever wrote it decides."
            }
            Self::PublicGrant => {
                "A statement on one of our buses that wheelwright did not write lets every AWS account in the world put events there. Rules are pinned to the accounts that publish, so teams receive nothing of it, but an audit may, and you pay for it. It is left exactly as it is: whoever wrote it takes it away, now."
            }
            Self::RuleMissing => {
                "A rule of ours is not there: taken away, or not made yet by an apply that was cut short. Its route delivers nothing until it is created with its targets."
            }
            Self::RuleDisabled => {
                "A rule of ours was disabled: events that it would have matched are dropped, not queued. It is enabled again."
            }
            Self::RuleEnabled => "A rule that the topology holds off is enabled. It is disabled again.",
            Self::PatternChanged => {
                "A rule of ours matches other events than the topology asks for. Formatting alone is never reported: patterns are compared by meaning. The pattern is written again."
            }
            Self::DescriptionChanged => {
                "The text before our mark in a rule's or a bus's description was edited. It is written again, with all of the rule or of the bus's settings."
            }
            Self::MarkLost => {
                "A rule or a bus of ours lost the mark in its description (a console edit clears descriptions), and its tag wheelwright:owner still names us. The mark is written again."
            }
            Self::TagsChanged => {
                "A rule or a bus of ours lost a tag, or bears another value. The tag is set again; tags that are not ours are left."
            }
            Self::RuleSurplus => {
                "A rule with both our marks that no part of the topology asks for any more. It is taken away once everything that replaces it is in place."
            }
            Self::ForeignRule => {
                "A rule on a hub's bus that wheelwright did not write. It is left exactly as it is, and it may receive what teams publish: look whether it should. A team's own rules on its own bus are its business and are not told."
            }
            Self::TargetMissing => {
                "A target of ours is gone from its rule: the events match and go nowhere. It is put back."
            }
            Self::TargetChanged => {
                "A target of ours delivers to another place, or with another role or dead-letter queue. It is written again as the topology asks."
            }
            Self::TargetSurplus => {
                "A target with our Id that the topology does not ask for any more. It is removed once its replacement is in place."
            }
            Self::ForeignTarget => {
                "Somebody added a target to a rule of ours. It is left exactly as it is, and it receives our events: look whether it should."
            }
            Self::ArchiveMissing => {
                "An archive of ours is gone, with the events in it. A new one is created; it is empty."
            }
            Self::ArchiveChanged => {
                "An archive of ours keeps events for another number of days, or only some of them, or is described otherwise. It is set back, unless that would shorten the time: then AWS would delete events, which no plan does, and it is left for a person. A pattern that somebody gave it is left for a person too."
            }
            Self::Orphaned => {
                "A bus or an archive bears our mark and the topology does not name it any more. Plans never take these away; a person does, with what stands on them looked at."
            }
            Self::Adopt => {
                "A name that the topology wants is taken by something without our mark. It is left alone, and what needs it waits, until a person allows taking it over with --allow adopt."
            }
            Self::OtherOwner => {
                "A thing with a name that the topology wants bears the mark of another operator, or the tags of another tool (CloudFormation, ACK, Crossplane, Terraform). It is left alone. Two ask for the same resource: decide whose it is, and take it out of the other."
            }
            Self::MarkCopied => {
                "A description bears our mark, but that mark was written on another rule or bus, in another place: somebody copied it. It makes nothing ours, and the thing is left exactly as it is. A copy of a rule of ours delivers a second time: look whether it should be there."
            }
            Self::Incomplete => {
                "A rule of ours has no targets at all: an apply was cut short between its two calls, or somebody removed them. The route delivers nothing until they are put."
            }
            Self::DestinationUnready => {
                "A route delivers to a bus that could not be read, or that is another's, so it is not known whether events would be let in there. Its target is not put and the old one, if there is one, stays. (The daemon puts back what was taken away by hand all the same, if the bus was there, and let the hub in, when its account last answered.) The finding about that scope or bus says what to mend; the next plan goes on by itself."
            }
            Self::Superseded => {
                "A live mark has a higher sequence than this topology: a newer topology was already applied. Nothing is written; where the mark is not on a hub's account, what bears it is left as it is. Update this checkout, or point the daemon at the newer one."
            }
            Self::Unread => {
                "A scope could not be read, or not to the end. Nothing there is taken away, and what could not be seen is not judged. The reason and the mending are in the text."
            }
            Self::UnreadIdle => {
                "A Region of an account could not be read, in which the topology asks for nothing; another Region of the same account could. Often an organisation denies Regions that are not used. Should something of ours be left over there, it is not seen."
            }
            Self::TeamKept => {
                "A team's file has errors. Until they are mended its routes, and those of others that take its events, stay exactly as they are: nothing of theirs is made, changed or taken away. What it asks for is not known, so some things of others stay as well: no grant is removed, no audit and nothing that brings events to a hub takes less, and what belongs to a team that no sound file is of is left (a broken file may be that team's, with its name misspelt). Other teams go on."
            }
            Self::RouteStopped => {
                "A [stop] holds a route off: its rule is disabled, its target and its grant are kept. Events that it would have taken are dropped meanwhile, not queued. It goes on by itself at the time that is told; take the [stop] out to let it go on before."
            }
            Self::StopExpired => {
                "The time of a [stop] has come and its route goes on. The entry does nothing any more: take it out."
            }
            Self::PolicyUnreadable => {
                "A bus's resource policy is not a document that we understand. Nothing on that bus is written; look at it with `aws events describe-event-bus`."
            }
            Self::PartnerMustAdd => {
                "An account with access = \"none\" has to add something to its own side for a route to deliver. The plan prints what."
            }
            Self::PlanHeld => {
                "The daemon has steps that it does not do: a guard holds them, or they are in observe mode, in a freeze or a pause. What holds them and how many they are is in the text; `wheelwright plan` shows each. A guard is let go by a person with `wheelwright apply --plan-id`."
            }
            Self::TopologyRefused => {
                "The topology could not be read, or has errors that concern all of it. The daemon goes on with the last good one, and takes nothing away that it does not know. `wheelwright check` tells each mistake with its place."
            }
            Self::SourceUnreachable => {
                "The repository that the topology comes from could not be fetched, several times over. The daemon goes on with the newest commit that it has: drift is mended, and what people changed since waits. The text says what the remote answered; a token that ran out and a host whose key changed are the usual reasons."
            }
            Self::StateLost => {
                "The daemon's state file is new, and the accounts bear marks of ours: pauses, stops and breakers that it held are not known any more. Nothing is written until a person has looked at what should be held off, and says `wheelwright resume --state-lost`."
            }
            Self::SecondWriter => {
                "Something else took back the same thing again and again after we had mended it. Going on would make two programs fight over it, with events lost in each round. It is left alone until a person has found the other writer (CloudTrail names it) and says `wheelwright resume --fight RESOURCE`."
            }
            Self::StopUnready => {
                "A person ordered a route to be held off at the daemon, and the daemon cannot: its subscription is not in the topology, or its team's file has errors, so that its rule is left exactly as it is. Disable the rule by hand if it has to stop now."
            }
            Self::ChannelsUnready => {
                "The alert channels in wheelwright.toml were changed, and one of them cannot be opened: a secret is not there, or an address is none. Alerts go on over the channels that were there before; nothing of the change is used. Set right what the text names and send the daemon SIGHUP, or change the file."
            }
            Self::Unwritten => {
                "A step of a plan was tried and could not be done: AWS refused it, somebody else changed the thing meanwhile, or it did not read back as it was written. What it waits for, and what mends it, is in the text; the next sweep tries again."
            }
        }
    }
}

/// What became of a finding.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, strum::IntoStaticStr, strum::Display,
)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum Outcome {
    /// The plan has a step that mends it.
    Mend,
    /// It is left as it is: it is not ours, or never taken away by a plan.
    Left,
    /// A step would mend it, and a guard holds that step.
    Held,
    /// Nothing can be done before something else happens.
    Waiting,
}

impl Outcome {
    /// The outcome as a person reads it.
    pub fn in_words(self) -> &'static str {
        match self {
            Self::Mend => "mended by this plan",
            Self::Left => "left as it is",
            Self::Held => "held",
            Self::Waiting => "waiting",
        }
    }
}

/// Something that a person should know.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Finding {
    /// What it is about.
    pub resource: ResourceId,
    /// What was found.
    pub code: FindingCode,
    /// What becomes of it.
    pub outcome: Outcome,
    /// What exactly: live against wanted, in one or a few lines.
    pub detail: String,
    /// The team that it concerns.
    pub team: Option<TeamName>,
    /// Where the resource was asked for.
    pub origin: Option<Origin>,
}
