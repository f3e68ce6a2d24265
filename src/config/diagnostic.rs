//! What is wrong with a config, where, and what to do about it.
//!
//! A diagnostic points at the text that a person has to change; a second label shows the other place that it does
//! not go together with.

use super::source::Place;
use crate::model::finding::Severity;
use crate::model::ids::TeamName;
use serde::Serialize;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

/// What kind of mistake; the text form (`second-hop`) is stable and is what `wheelwright explain` takes.
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
pub enum DiagnosticCode {
    /// The text is not TOML.
    Syntax,
    /// The file is not UTF-8 text.
    NotText,
    /// The file is larger than any topology's.
    FileTooLarge,
    /// The file says nothing.
    EmptyFile,
    /// A key that nothing reads.
    UnknownKey,
    /// A key that has to be there is not.
    MissingKey,
    /// A value of another type than the key takes.
    WrongType,
    /// A word that is none of those that the key takes.
    UnknownValue,
    /// A number outside its bounds.
    OutOfBounds,
    /// An address that nothing can be reached at, or that nothing should be told at.
    BadAddress,
    /// Times that come again, and are none.
    BadTimes,
    /// A file speaks for whom the settings do not let it.
    OutOfReach,
    /// The topology has no file, or no hub.
    EmptyTopology,
    /// A name that wheelwright or AWS does not take.
    BadName,
    /// An account id that is not 12 digits.
    BadAccountId,
    /// A Region that does not look like one.
    BadRegion,
    /// An organisation id that does not look like one.
    BadOrganizationId,
    /// A bus name that AWS does not take, or that is kept for something else.
    BadBusName,
    /// A source that nobody may publish.
    BadSource,
    /// A KMS key that is no key's ARN, or another Region's.
    BadKmsKey,
    /// Encryption, dead letters or logging of a bus that is not wheelwright's to set.
    NotOurBus,
    /// A tag that AWS does not take, or that is wheelwright's own.
    BadTag,
    /// A destination that is not a name or an ARN of its kind.
    BadDestination,
    /// One name written twice.
    DuplicateName,
    /// One account id under two names.
    DuplicateAccount,
    /// One bus for two hubs or spokes.
    DuplicateBus,
    /// A hub's bus used as a spoke's bus.
    HubAsSpoke,
    /// Team entries in a file without `[team]`.
    TeamMissing,
    /// A team without spokes neither publishes nor receives.
    TeamWithoutSpokes,
    /// A partner's account that nothing uses.
    UnusedAccount,
    /// No account of this name.
    UnknownAccount,
    /// No hub of this name.
    UnknownHub,
    /// No team of this name.
    UnknownTeam,
    /// No spoke of this name.
    UnknownSpoke,
    /// No publication of this name.
    UnknownPublication,
    /// No subscription of this name.
    UnknownSubscription,
    /// A hub in an account that may not be touched.
    HubWithoutAccess,
    /// Hub and spoke, or two hubs, in different partitions of AWS.
    CrossPartition,
    /// Hub and spoke in two Regions between which EventBridge does not deliver.
    CrossRegion,
    /// The publication is not offered to this team.
    NotOffered,
    /// The publication is not published at the hub where it is wanted.
    NotPublishedHere,
    /// The team has no spoke where one is needed.
    NoSpoke,
    /// Two spokes would do, and none is chosen.
    AmbiguousSpoke,
    /// A spoke without a bus where one is needed.
    SpokeWithoutBus,
    /// A forwarded event would have to be forwarded again.
    SecondHop,
    /// What a bus receives by a route, it forwards on the same route again.
    Loop,
    /// The same events come to a hub twice.
    ForwardedTwice,
    /// Two teams publish one source at one hub.
    SourceTwoOwners,
    /// Further publishing accounts together with `via = "spoke"`.
    AccountsViaSpoke,
    /// A subscription to detail-types that the publication does not have.
    UnknownDetailType,
    /// A condition on something that a subscription may not decide.
    WhereKey,
    /// A pattern that EventBridge would refuse.
    BadPattern,
    /// An operator outside a list, which EventBridge takes for a field of the event.
    OperatorAsField,
    /// A pattern longer than the quota.
    PatternTooLong,
    /// More rules on a bus than the quota.
    TooManyRules,
    /// More wildcard rules on a bus than EventBridge takes.
    TooManyWildcards,
    /// A bus policy longer than the quota.
    PolicyTooLong,
    /// A direct destination in another Region than the hub.
    DestinationRegion,
    /// A retry policy on a bus target, which EventBridge refuses.
    RetryOnBus,
    /// A dead-letter queue that is the destination itself.
    DeadLetterIsDestination,
    /// A stop or a rename of something that is another team's.
    NotYours,
    /// A rename of something that is still there.
    MovedStillThere,
    /// Two renames of one thing, or to one thing, or in a circle.
    MovedTwice,
    /// Something that a rule of before cannot keep.
    BadKeeps,
    /// A release of something that is no bus and no rule.
    BadRelease,
    /// A release of something that nothing asks for.
    UnusedRelease,
    /// A unit test that does not describe an event that can be published.
    BadExpect,
    /// A unit test of the routes that does not hold.
    ExpectFailed,
}

/// A place and what is to be said of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// The file, relative to the config folder.
    pub file: Arc<str>,
    /// The bytes of it that are meant.
    pub span: Range<usize>,
    /// The line that they begin on, from 1; 0: the file as a whole.
    pub line: u32,
    /// What to say there; may be empty.
    pub text: String,
}

/// One mistake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// What kind.
    pub code: DiagnosticCode,
    /// Errors keep the topology from being used; warnings do not.
    pub severity: Severity,
    /// What is wrong, in a line.
    pub message: String,
    /// Where to look first.
    pub primary: Label,
    /// What else belongs to it.
    pub secondary: Vec<Label>,
    /// What to do, one way out a line.
    pub help: Vec<String>,
    /// The teams that it concerns, where that is not whose file the primary label is in.
    pub(super) concerns: BTreeSet<TeamName>,
    /// The team by whose file another's is judged: if that has mistakes of its own it is not used, and nobody is judged by it.
    pub(super) rests_on: Option<TeamName>,
    /// Whether it only counts while no team's file has mistakes: what it misses may be there under a misspelt name.
    pub(super) rests_on_all: bool,
}

impl Diagnostic {
    /// An error at `place`.
    pub(super) fn error(code: DiagnosticCode, place: &Place, message: impl Into<String>) -> Self {
        Self {
            code,
            severity: Severity::Error,
            message: message.into(),
            primary: Label::at(place, String::new()),
            secondary: Vec::new(),
            help: Vec::new(),
            concerns: BTreeSet::new(),
            rests_on: None,
            rests_on_all: false,
        }
    }

    /// A warning at `place`.
    pub(super) fn warning(code: DiagnosticCode, place: &Place, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(code, place, message) }
    }

    /// The same with this said at the primary place.
    pub(super) fn label(mut self, text: impl Into<String>) -> Self {
        self.primary.text = text.into();
        self
    }

    /// The same with another place shown.
    pub(super) fn also(mut self, place: &Place, text: impl Into<String>) -> Self {
        self.secondary.push(Label::at(place, text.into()));
        self
    }

    /// The same with one more thing to do.
    pub(super) fn help(mut self, text: impl Into<String>) -> Self {
        self.help.push(text.into());
        self
    }

    /// The same, as a mistake that concerns these teams, in whosever file it is.
    pub(super) fn concerning(self, teams: impl IntoIterator<Item = TeamName>) -> Self {
        Self { concerns: teams.into_iter().collect(), ..self }
    }

    /// The same, as something that only counts while the file of `team` has no mistakes of its own.
    pub(super) fn resting_on(self, team: &TeamName) -> Self {
        Self { rests_on: Some(team.clone()), ..self }
    }

    /// The same, as something that only counts while no team's file has mistakes.
    pub(super) fn resting_on_all(self) -> Self {
        Self { rests_on_all: true, ..self }
    }

    /// The same with a did-you-mean, if some known name is near enough.
    pub(super) fn did_you_mean<'a>(self, given: &str, known: impl IntoIterator<Item = &'a str>) -> Self {
        match nearest(given, known) {
            Some(name) => self.help(format!("did you mean `{name}`?")),
            None => self,
        }
    }
}

impl Label {
    fn at(place: &Place, text: String) -> Self {
        Self { file: place.file.clone(), span: place.span.clone(), line: place.line, text }
    }
}

/// Collects diagnostics; shared by everything that reads and checks in one run.
#[derive(Debug, Default)]
pub(super) struct Sink {
    found: RefCell<Vec<Diagnostic>>,
    /// Where files stop being understood.
    not_understood: RefCell<BTreeMap<Arc<str>, usize>>,
}

impl Sink {
    /// Adds one.
    pub(super) fn push(&self, diagnostic: Diagnostic) {
        self.found.borrow_mut().push(diagnostic);
    }

    /// Adds what another collected.
    pub(super) fn absorb(&self, other: Self) {
        self.found.borrow_mut().extend(other.found.into_inner());
        self.not_understood.borrow_mut().extend(other.not_understood.into_inner());
    }

    /// Whether there is an error among them.
    pub(super) fn has_errors(&self) -> bool {
        self.errors() > 0
    }

    /// How many errors there are among them.
    pub(super) fn errors(&self) -> usize {
        self.found.borrow().iter().filter(|diagnostic| diagnostic.severity == Severity::Error).count()
    }

    /// From here on `file` was not understood: what is found there besides that is not told, as it may be of the parser's
    /// making.
    pub(super) fn not_understood_from(&self, file: &Arc<str>, offset: usize) {
        self.not_understood.borrow_mut().insert(file.clone(), offset);
    }

    /// All that count, sorted by file, place and code, each once. `owner_of` tells whose a file is.
    pub(super) fn sorted<'a>(&self, owner_of: impl Fn(&str) -> Option<&'a str>) -> Vec<Diagnostic> {
        let mut found = self.found.borrow().clone();
        let not_understood = self.not_understood.borrow();
        found.retain(|Diagnostic { code, primary, .. }| {
            let of_the_text =
                matches!(code, DiagnosticCode::Syntax | DiagnosticCode::FileTooLarge | DiagnosticCode::NotText);
            of_the_text || not_understood.get(&primary.file).is_none_or(|offset| primary.span.start < *offset)
        });
        leave_out_resting(&mut found, owner_of);
        found.sort_by(|left, right| {
            let key = |diagnostic: &Diagnostic| {
                let Label { file, span, .. } = &diagnostic.primary;
                (file.clone(), span.start, diagnostic.code, diagnostic.message.clone())
            };
            key(left).cmp(&key(right))
        });
        found.dedup();
        found
    }
}

/// Takes out what rests on a team's file that has errors of its own. One after the other, each for one that is still there:
/// where two rest on each other, or more in a circle, one stays.
fn leave_out_resting<'a>(found: &mut Vec<Diagnostic>, owner_of: impl Fn(&str) -> Option<&'a str>) {
    let mut errors: BTreeMap<&str, usize> = BTreeMap::new();
    for error in found.iter().filter(|found| found.severity == Severity::Error) {
        if let Some(owner) = owner_of(&error.primary.file) {
            *errors.entry(owner).or_default() += 1;
        }
    }
    let any = !errors.is_empty();
    found.retain(|Diagnostic { rests_on, rests_on_all, primary, severity, .. }| {
        if *rests_on_all && any {
            return false;
        }
        let owner = owner_of(&primary.file);
        let other = rests_on.as_ref().map(TeamName::as_str).filter(|team| owner != Some(*team));
        let stays = other.is_none_or(|team| errors.get(team).is_none_or(|count| *count == 0));
        if let Some(count) = owner.and_then(|owner| errors.get_mut(owner)).filter(|_| !stays) {
            *count -= usize::from(*severity == Severity::Error);
        }
        stays
    });
}

/// The known name that `given` was probably meant to be: at most a third of it wrong.
pub(super) fn nearest<'a>(given: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wrong_max = (given.chars().count() / 3).clamp(1, 4);
    known
        .into_iter()
        .map(|name| (strsim::damerau_levenshtein(given, name), name))
        .filter(|(distance, _)| *distance <= wrong_max)
        .min()
        .map(|(_, name)| name)
}
