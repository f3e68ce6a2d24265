//! Marks: what shows that a live thing is ours.
//!
//! The first mark is in the Description, which listings return at no extra call:
//! `… [ww1:<owner>:<sequence>:<identity><digest>]`. The second is the tag `wheelwright:owner`, which survives a console
//! edit (PutRule is a full replace and clears the Description). Grants and targets carry the owner in their ids.
//! **Marks label; they never decide what to write**: the difference between live and desired does.
//!
//! The identity (4 digits over account, Region, bus and name) binds a mark to the thing that it was written on: a
//! description that somebody copied onto another rule, on another bus or in another account, is no mark there.
//!
//! ```
//! use wheelwright::model::mark::{Digest, Mark};
//! use wheelwright::model::ids::Scope;
//! use wheelwright::model::resource::{BusId, ResourceId};
//! let bus = |name: &str| -> Result<_, wheelwright::model::ids::IdError> {
//!     let scope = Scope::new("111111111111".parse()?, "us-east-1");
//!     Ok(ResourceId::Bus(BusId { scope, name: name.into() }))
//! };
//! let mark = Mark::new(&"platform".parse()?, 7, &bus("org")?, Digest::of(&["spec"]));
//! let description = mark.stamp("Events of payments");
//! let (text, read) = Mark::read(&description);
//! assert_eq!((text, read.as_ref()), ("Events of payments", Some(&mark)));
//! assert!(mark.is_of(&bus("org")?) && !mark.is_of(&bus("copy")?));
//! # Ok::<(), wheelwright::model::ids::IdError>(())
//! ```

use super::desired::Digested;
use super::few::shown;
use super::ids::{AccountId, Owner};
use super::resource::{BusSpec, Grantee, ResourceId, RuleId, RuleSpec, TargetSpec};
use super::topology::Tags;
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use std::fmt;

/// The tag that is the second mark; its value is the owner.
pub const OWNER_TAG: &str = "wheelwright:owner";
/// The tag that says which tags we set: 6 digits for each key. A tag that is not asked for any more is removed only if
/// it is among these, so that a tag which somebody else set stays.
pub const KEYS_TAG: &str = "wheelwright:tags";
/// What the keys of our own tags begin with.
const OWN_TAGS: &str = "wheelwright:";
/// Tags that people may ask for on one thing: as many as the value of [`KEYS_TAG`] can tell, in AWS's 256 characters.
pub const PEOPLES_TAGS_MAX: usize = 36;
/// The tag that names the team that a resource is for.
pub const TEAM_TAG: &str = "wheelwright:team";
/// The tag of a rule that says that one of its targets became ours under an Id that it had before. As a tag it holds one Id; what
/// [`target_tag`] makes of it is a tag for each, so that one that goes is ours until it is gone, whatever comes in its place.
const TARGET_TAG: &str = "wheelwright:target";
/// Longest description that AWS takes, in characters
/// (<https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutRule.html>).
const DESCRIPTION_CHARACTERS_MAX: usize = 512;

/// Eight hexadecimal digits over an identity or a spec: enough to tell apart what one owner wrote, and short
/// enough for names of 64 characters.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest(u32);

impl Digest {
    /// The digest of `parts`, in this order. Parts are told apart: `["ab", "c"]` is not `["a", "bc"]`.
    pub fn of(parts: &[&str]) -> Self {
        let mut hash = Sha256::new();
        for part in parts {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part.as_bytes());
        }
        let bytes = hash.finalize();
        Self(bytes.iter().take(4).fold(0, |number, &byte| (number << 8) | u32::from(byte)))
    }

    fn parse(text: &str) -> Option<Self> {
        (text.len() == 8).then(|| u32::from_str_radix(text, 16).ok().map(Self)).flatten()
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", self.0)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Digest {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Sixty-four hexadecimal digits over `parts`: the name of a plan, which a person approves.
pub fn long_digest(parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    }
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The mark in a Description.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Mark {
    /// Whose it is.
    pub owner: Owner,
    /// The sequence of the topology that it was last written for.
    pub sequence: u64,
    /// The thing that it was written on.
    identity: Identity,
    /// What was asked for when it was last written: tells drift (same digest, another state) from intent.
    pub digest: Digest,
}

/// Four hexadecimal digits over what a thing is and where: enough to know a mark that was copied onto another thing.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Identity(u16);

impl Identity {
    fn of(resource: &ResourceId) -> Self {
        Self::of_text(&resource.to_string())
    }

    /// The same of a rule, without a copy of its id: rules are what there are most of.
    fn of_rule(rule: &RuleId) -> Self {
        Self::of_text(&format!("rule {rule}"))
    }

    fn of_text(text: &str) -> Self {
        // The low half of a digest of its own, so that it says nothing of the other one.
        Self((Digest::of(&["identity", text]).0 & 0xffff) as u16)
    }

    fn parse(text: &str) -> Option<Self> {
        u16::from_str_radix(text, 16).ok().map(Self)
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04x}", self.0)
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Identity {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// What every mark on a wanted thing says of it, whatever the owner and the sequence: where it is, and what is asked for. To work it out
/// takes a while, so it is kept with what is asked for ([`Wanted::label`](super::desired::Wanted::label)).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Label {
    identity: Identity,
    /// What is asked for.
    pub digest: Digest,
}

impl Label {
    /// That of `resource`, of which what `digest` is made over is asked for.
    pub fn new(resource: &ResourceId, digest: Digest) -> Self {
        Self { identity: Identity::of(resource), digest }
    }

    /// Whether `mark` was written on the same thing.
    pub fn is_where(&self, mark: &Mark) -> bool {
        self.identity == mark.identity
    }

    /// The mark in the description of the live thing that this is about, if it was written there.
    pub fn mark_in(&self, description: &str) -> Option<Mark> {
        Mark::read(description).1.filter(|mark| self.is_where(mark))
    }
}

impl Mark {
    /// The mark of `owner` on `resource`, written for a topology of `sequence`.
    pub fn new(owner: &Owner, sequence: u64, resource: &ResourceId, digest: Digest) -> Self {
        Self::labelled(owner, sequence, Label::new(resource, digest))
    }

    /// The mark of `owner` on what `label` is about.
    pub fn labelled(owner: &Owner, sequence: u64, label: Label) -> Self {
        let Label { identity, digest } = label;
        Self { owner: owner.clone(), sequence, identity, digest }
    }

    /// Whether it was written on `resource`, and not copied there from something else.
    pub fn is_of(&self, resource: &ResourceId) -> bool {
        self.identity == Identity::of(resource)
    }

    /// Whether both were written on the same thing by the same owner.
    pub fn is_same_thing(&self, other: &Self) -> bool {
        self.owner == other.owner && self.identity == other.identity
    }

    /// The mark in `description`, which is `resource`'s, if it was written there.
    pub fn on(description: &str, resource: &ResourceId) -> Option<Self> {
        Self::read(description).1.filter(|mark| mark.is_of(resource))
    }

    /// The same of a rule.
    pub fn on_rule(description: &str, rule: &RuleId) -> Option<Self> {
        Self::read(description).1.filter(|mark| mark.identity == Identity::of_rule(rule))
    }

    /// A description with this mark at its end; `text` is cut where AWS's 512 characters ask for it.
    pub fn stamp(&self, text: &str) -> String {
        let Self { owner, sequence, identity, digest } = self;
        let mark = format!(" [ww1:{owner}:{sequence}:{identity}{digest}]");
        let room = DESCRIPTION_CHARACTERS_MAX.saturating_sub(mark.chars().count());
        let cut: String = text.chars().take(room).collect();
        format!("{}{mark}", cut.trim_end())
    }

    /// The text before the mark, and the mark if there is one.
    pub fn read(description: &str) -> (&str, Option<Self>) {
        let parsed = description.strip_suffix(']').and_then(|body| {
            let (text, mark) = body.rsplit_once("[ww1:")?;
            let mut parts = mark.split(':');
            let owner = parts.next()?.parse().ok()?;
            let sequence = parts.next()?.parse().ok()?;
            let (identity, digest) = parts.next()?.split_at_checked(4)?;
            let (identity, digest) = (Identity::parse(identity)?, Digest::parse(digest)?);
            parts.next().is_none().then_some((text.trim_end(), Self { owner, sequence, identity, digest }))
        });
        match parsed {
            Some((text, mark)) => (text, Some(mark)),
            None => (description, None),
        }
    }
}

/// The text that a description keeps of `text` once the mark is added: what a reading is compared with.
pub fn kept_text(mark: &Mark, text: &str) -> String {
    Mark::read(&mark.stamp(text)).0.to_owned()
}

impl Digested for BusSpec {
    fn digest(&self, resource: &ResourceId) -> Digest {
        // Taken apart without `..`, so that a new field of ours cannot be forgotten here.
        let Self { description, tags, kms_key, dead_letter_arn, log } = self;
        let settings = format!("{kms_key:?} {dead_letter_arn:?} {log:?}");
        Digest::of(&[&resource.to_string(), description, &shown(tags), &settings])
    }
}

impl Digested for RuleSpec {
    fn digest(&self, resource: &ResourceId) -> Digest {
        // All that can be asked for otherwise, by meaning: a rule whose mark has another digest was asked for otherwise.
        let Self { description, pattern, state, tags, targets } = self;
        Digest::of(&[
            &resource.to_string(),
            description,
            pattern.canonical_text(),
            &format!("{state:?}"),
            &shown(tags),
            &shown(targets),
        ])
    }
}

/// The statement id of a grant of ours: it ends in a digest of what it grants, so that a changed grant has
/// another id and the new one goes in before the old one goes out.
pub fn statement_id(owner: &Owner, grantee: &Grantee) -> String {
    let short = match grantee {
        Grantee::Account(account) => account.to_string(),
        Grantee::Organization(_) => "org".into(),
    };
    format!("{}{short}-{}", statement_prefix(owner), Digest::of(&[owner.as_str(), &grantee.to_string()]))
}

/// What the ids of all statements of `owner` begin with. `_` ends it, which no owner's name holds, so that no
/// owner's prefix is the beginning of another's.
pub fn statement_prefix(owner: &Owner) -> String {
    format!("ww_{owner}_")
}

/// The Id of a target of ours: the owner, and a digest of the destination, so that a moved destination is a
/// second target beside the first until the first goes.
pub fn target_id(owner: &Owner, target: &TargetSpec) -> String {
    format!("{}{}", target_prefix(owner), Digest::of(&[owner.as_str(), &target.arn]))
}

/// What the Ids of all targets of `owner` begin with.
pub fn target_prefix(owner: &Owner) -> String {
    format!("ww_{owner}_")
}

/// Whether the target of this Id is ours, on a rule of ours with these tags: by its Id, or because the rule was taken over
/// with it.
pub fn is_our_target(owner: &Owner, tags: Option<&Tags>, id: &str) -> bool {
    id.starts_with(&target_prefix(owner)) || tags.is_some_and(|tags| is_kept_target(owner, tags, id))
}

/// Whether the tags of a rule say that its target of this Id became ours. They say nothing on a rule that is not.
pub fn is_kept_target(owner: &Owner, tags: &Tags, id: &str) -> bool {
    tags.get(OWNER_TAG).is_some_and(|tagged| tagged == owner.as_str())
        && target_tags(tags).any(|(_, tagged)| tagged == id)
}

/// The key of the tag that says that the target of this Id is ours. An Id has 64 characters of those that a key may have, of which it
/// may have 128 (<https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_Target.html>, `API_Tag.html` there).
pub fn target_tag(id: &str) -> String {
    format!("{TARGET_TAG}:{id}")
}

/// The tags among `tags` that say which targets are ours under Ids of before: each key, and the Id that it speaks of.
pub fn target_tags(tags: &Tags) -> impl Iterator<Item = (&String, &str)> {
    tags.iter().filter_map(|(key, value)| match key.strip_prefix(TARGET_TAG)? {
        "" => Some((key, value.as_str())),
        id => Some((key, id.strip_prefix(':')?)),
    })
}

/// What the names of all archives of `owner` begin with; archives bear no tags.
pub fn archive_prefix(owner: &Owner) -> String {
    format!("ww_{}_", Digest::of(&["archive-owner", owner.as_str()]))
}

/// The name of the archive of bus `bus` in `account`: at most 48 characters.
pub fn archive_name(owner: &Owner, account: AccountId, bus: &str) -> String {
    let kept: String = bus.chars().take(20).map(|c| if c == '/' { '.' } else { c }).collect();
    format!("{}{kept}-{}", archive_prefix(owner), Digest::of(&[&account.to_string(), bus]))
}

/// The name of the rule `subscription` of `team`: `ww.<team>.<subscription>.<hash8>`, the hash over everything
/// that makes it this rule and no other. At most 64 characters: the names are cut, the hash never.
pub fn rule_name(team: &str, subscription: &str, identity: &[&str]) -> String {
    let hash = Digest::of(identity).to_string();
    let room = 64 - "ww...".len() - hash.len();
    let team_kept: String = team.chars().take(room.saturating_sub(subscription.len()).max(room / 2)).collect();
    let subscription_kept: String = subscription.chars().take(room.saturating_sub(team_kept.len())).collect();
    format!("ww.{team_kept}.{subscription_kept}.{hash}")
}

/// What the tag [`KEYS_TAG`] says of these tags: which keys we set for people. None if there are none.
pub fn keys_tag(tags: &Tags) -> Option<String> {
    let theirs = tags.keys().filter(|key| !key.starts_with(OWN_TAGS));
    let digits: Vec<String> = theirs.map(|key| key_digits(key)).collect();
    (!digits.is_empty()).then(|| digits.join(" "))
}

/// The keys of `live` tags that we set, as far as their tag [`KEYS_TAG`] says, and that tag itself.
pub fn keys_set_by_us(live: &Tags) -> impl Iterator<Item = &String> {
    let ours: Vec<&str> = live.get(KEYS_TAG).map(|keys| keys.split(' ').collect()).unwrap_or_default();
    // Nobody but AWS takes its own tags away, whatever a tag of that name says.
    live.keys()
        .filter(move |key| *key == KEYS_TAG || !key.starts_with("aws:") && ours.contains(&key_digits(key).as_str()))
}

fn key_digits(key: &str) -> String {
    Digest::of(&["tag", key]).to_string().chars().take(6).collect()
}

/// What of a rule's name says whose subscription it is: all but the hash. Rules of one subscription that moved
/// share it. None of a name that we do not give: `ww.<team>.<subscription>.<hash8>`.
pub fn rule_stem(name: &str) -> Option<&str> {
    let (stem, hash) = name.rsplit_once('.')?;
    let (team, entry) = stem.strip_prefix("ww.")?.split_once('.')?;
    let is_hash = hash.len() == 8 && hash.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    (is_hash && !team.is_empty() && !entry.is_empty()).then_some(stem)
}

/// Whether two rules' names are of one subscription: the same, or with the same stem.
pub fn is_same_stem(one: &str, other: &str) -> bool {
    match (rule_stem(one), rule_stem(other)) {
        (Some(one), Some(other)) => one == other,
        _ => one == other,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_long_description_is_cut_and_the_mark_is_whole() {
        let mark = Mark::new(&"platform".parse().unwrap(), 1, &rule("x"), Digest::of(&["x"]));
        let stamped = mark.stamp(&"é".repeat(600));
        assert_eq!(stamped.chars().count(), 512);
        let (text, read) = Mark::read(&stamped);
        assert_eq!(read.as_ref(), Some(&mark));
        assert_eq!(text, kept_text(&mark, &"é".repeat(600)));
        assert_eq!(mark.stamp(text), stamped, "stamping what was read changes nothing");
    }

    fn rule(name: &str) -> ResourceId {
        let scope = crate::model::ids::Scope::new("111111111111".parse().unwrap(), "us-east-1");
        let bus = crate::model::resource::BusId { scope, name: "org".into() };
        ResourceId::Rule(crate::model::resource::RuleId { bus, name: name.into() })
    }

    #[test]
    fn names_that_we_do_not_give_have_no_stem_in_common_with_those_that_we_do() {
        let given = rule_name("ledger", "large", &["x"]);
        assert_eq!(rule_stem(&given), Some("ww.ledger.large"));
        for other in
            ["ww", "wwfoo", "ww.foo", "ww.foo.bar", "ww.ledger.large", "ww.ledger.large.notahash", "ww..x.0123abcd"]
        {
            assert_eq!(rule_stem(other), None, "{other}");
            assert!(!is_same_stem(other, &given) && !is_same_stem(&given, other), "{other}");
        }
        assert!(!is_same_stem("ww.foo", "ww.bar"));
    }

    #[test]
    fn a_copied_mark_is_no_mark() {
        let mark = Mark::new(&"platform".parse().unwrap(), 1, &rule("x"), Digest::of(&["x"]));
        let description = mark.stamp("what x is for");
        assert_eq!(Mark::on(&description, &rule("x")), Some(mark.clone()));
        assert_eq!(Mark::on(&description, &rule("y")), None);
        let (ResourceId::Rule(x), ResourceId::Rule(y)) = (rule("x"), rule("y")) else { unreachable!() };
        assert_eq!(Mark::on_rule(&description, &x), Some(mark.clone()));
        assert_eq!(Mark::on_rule(&description, &y), None);
        assert_eq!(Label::new(&rule("x"), mark.digest).mark_in(&description), Some(mark));
        assert_eq!(Label::new(&rule("y"), Digest::of(&["x"])).mark_in(&description), None);
    }

    #[test]
    fn who_changes_what_is_asked_for_gets_another_mark() {
        use crate::model::desired::Wanted;
        use crate::model::resource::{BusLog, BusSpec};
        use crate::model::topology::{Origin, Tags};
        let spec = BusSpec {
            description: "one".into(),
            tags: Tags::new(),
            kms_key: None,
            dead_letter_arn: None,
            log: BusLog::default(),
        };
        let wanted = Wanted::new(
            spec,
            Origin { file: "hubs.toml".into(), line: 1, entry: "hub.x".into() },
            None,
            std::collections::BTreeSet::new(),
        );
        let before = wanted.label(|| rule("x"));
        let mut other = wanted.clone();
        other.spec.description = "two".into();
        assert_ne!(other.label(|| rule("x")), before);
        assert_eq!(wanted.label(|| rule("x")), before);
    }

    #[test]
    fn what_is_not_a_mark_is_text() {
        for text in [
            "",
            "[ww1:]",
            "a [ww1:platform:x:000000000000]",
            "a [ww1:platform:1:00000000000]",
            "a [ww1:platform:1:00000000é00]",
            "a [ww1:P:1:000000000000]",
            "a [ww2:platform:1:000000000000]",
        ] {
            assert_eq!(Mark::read(text), (text, None));
        }
    }

    #[test]
    fn the_longest_statement_id_fits() {
        let owner: Owner = "o".repeat(crate::model::ids::NAME_CHARACTERS_MAX).parse().unwrap();
        let id = statement_id(&owner, &Grantee::Account("111111111111".parse().unwrap()));
        assert!(crate::eventbridge::quota::valid_statement_id(&id).is_ok(), "{id} has {} characters", id.len());
    }

    #[test]
    fn rule_names_fit_and_differ() {
        let long = rule_name(&"t".repeat(39), &"s".repeat(39), &["a"]);
        assert_eq!(long.len(), 64);
        assert_ne!(long, rule_name(&"t".repeat(39), &"s".repeat(39), &["b"]));
        assert!(rule_name("ledger", "large", &["a"]).starts_with("ww.ledger.large."));
        assert_eq!(rule_stem("ww.ledger.large.1a2b3c4d"), Some("ww.ledger.large"));
    }
}
