//! From what each sweep found to incidents: opened once, kept while they are found, closed when they are gone.
//!
//! A finding that is not found again is over only if the place was looked at, and as closely as it takes to see it: what
//! only a full reading tells is not closed by a fast one, and nothing is closed in a scope that did not answer.

use crate::model::finding::Outcome;
use crate::model::ids::{Moment, Scope};
use crate::model::incident::{Concern, Incident, IncidentKey, Resolution, Subject};
use std::collections::{BTreeMap, BTreeSet};

/// What a sweep saw.
#[derive(Clone, Debug, Default)]
pub struct Sight {
    /// When it ended.
    pub at: Moment,
    /// The topology that it planned for.
    pub revision: String,
    /// What was wrong before it wrote.
    pub before: Vec<Concern>,
    /// What is wrong after it wrote.
    pub after: Vec<Concern>,
    /// The scopes that were read to the end, and whether all that we set was.
    pub read: BTreeMap<Scope, bool>,
    /// Every scope that is swept, in this sweep or in another.
    pub swept: BTreeSet<Scope>,
}

/// What became of incidents in a sweep.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Opened, and still open.
    pub opened: Vec<Incident>,
    /// Open since before.
    pub open: Vec<Incident>,
    /// Opened before, and over now.
    pub resolved: Vec<Incident>,
    /// Opened and over within this sweep.
    pub mended: Vec<Incident>,
}

/// The incidents that are open.
#[derive(Clone, Debug, Default)]
pub struct Incidents {
    open: BTreeMap<IncidentKey, Incident>,
}

impl Incidents {
    /// As they were left.
    pub fn restore(open: impl IntoIterator<Item = Incident>) -> Self {
        Self { open: open.into_iter().map(|incident| (incident.concern.key(), incident)).collect() }
    }

    /// Those that are open, by key.
    pub fn open(&self) -> impl Iterator<Item = &Incident> {
        self.open.values()
    }

    /// Takes over what was told of incidents.
    pub fn replace(&mut self, incidents: impl IntoIterator<Item = Incident>) {
        for incident in incidents {
            if let Some(open) = self.open.get_mut(&incident.concern.key()).filter(|open| open.id == incident.id) {
                *open = incident;
            }
        }
    }

    /// Takes in what a sweep saw.
    pub fn see(&mut self, sight: &Sight) -> Changes {
        let before = by_key(&sight.before);
        let after = by_key(&sight.after);
        let mut changes = Changes::default();
        for (key, concern) in before.iter().chain(after.iter().filter(|(key, _)| !before.contains_key(*key))) {
            // As it is afterwards: held, waiting, left.
            let concern = (*after.get(key).unwrap_or(concern)).clone();
            let by_fast = sight.is_read_fast(key);
            match self.open.get_mut(key) {
                Some(incident) => {
                    incident.concern = concern;
                    incident.last_seen = sight.at;
                    incident.count += 1;
                    incident.by_fast |= by_fast;
                }
                None => {
                    let incident = Incident { by_fast, ..Incident::open(concern, sight.at, &sight.revision) };
                    if after.contains_key(key) || !sight.is_over(key, by_fast) {
                        changes.opened.push(incident.clone());
                        self.open.insert(key.clone(), incident);
                    } else {
                        let how = resolution(before.get(key));
                        changes.mended.push(Incident { resolved: Some((sight.at, how)), ..incident });
                    }
                }
            }
        }
        let over: Vec<IncidentKey> = self
            .open
            .iter()
            .filter(|(key, incident)| !after.contains_key(*key) && sight.is_over(key, incident.by_fast))
            .map(|(key, _)| key.clone())
            .collect();
        for key in over {
            let Some(incident) = self.open.remove(&key) else { continue };
            let how = resolution(before.get(&key));
            changes.resolved.push(Incident { resolved: Some((sight.at, how)), ..incident });
        }
        let opened: BTreeSet<&str> = changes.opened.iter().map(|incident| incident.id.as_str()).collect();
        changes.open = self.open.values().filter(|incident| !opened.contains(incident.id.as_str())).cloned().collect();
        changes
    }
}

/// The concerns by what they are the same as. Of two with one key, the first; the details of the others belong to it.
fn by_key(concerns: &[Concern]) -> BTreeMap<IncidentKey, &Concern> {
    let mut found = BTreeMap::new();
    for concern in concerns {
        found.entry(concern.key()).or_insert(concern);
    }
    found
}

fn resolution(before: Option<&&Concern>) -> Resolution {
    match before {
        Some(concern) if concern.outcome == Outcome::Mend => Resolution::Mended,
        _ => Resolution::Gone,
    }
}

impl Sight {
    /// Whether what was found there was found by a fast reading.
    fn is_read_fast(&self, key: &IncidentKey) -> bool {
        let scope = key.subject.scope();
        scope.is_some_and(|scope| self.read.get(scope) == Some(&false))
    }

    /// Whether a finding of this key that is not there any more is over: the place was looked at closely enough.
    fn is_over(&self, key: &IncidentKey, by_fast: bool) -> bool {
        let Subject::Resource(resource) = &key.subject else { return true };
        let scope = resource.scope();
        match self.read.get(scope) {
            Some(full) => *full || by_fast || !key.code.needs_full_reading(),
            // Not looked at, or not to the end. What is not swept any more has nothing that is wrong.
            None => !self.swept.contains(scope),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;
    use crate::model::finding::FindingCode;
    use crate::model::resource::{BusId, ResourceId};

    fn scope() -> Scope {
        "111111111111/us-east-1".parse().unwrap()
    }

    fn concern(code: FindingCode, outcome: Outcome) -> Concern {
        let resource = ResourceId::Bus(BusId { scope: scope(), name: "org".into() });
        Concern { subject: Subject::Resource(resource), code, outcome, detail: String::new(), team: None, origin: None }
    }

    /// A sweep at `at` that found these before and after it wrote; `full` says how the scope was read, if it was.
    fn sight(at: u64, before: &[Concern], after: &[Concern], full: Option<bool>) -> Sight {
        Sight {
            at: Moment(at),
            revision: "abc".into(),
            before: before.to_vec(),
            after: after.to_vec(),
            read: full.map(|full| (scope(), full)).into_iter().collect(),
            swept: BTreeSet::from([scope()]),
        }
    }

    #[test]
    fn what_is_found_and_mended_in_one_sweep_is_one_incident_that_is_over() {
        let mut incidents = Incidents::default();
        let drift = concern(FindingCode::BusMissing, Outcome::Mend);
        let changes = incidents.see(&sight(5, &[drift], &[], Some(false)));
        assert_eq!(changes.mended.len(), 1);
        assert_eq!(changes.mended[0].resolved, Some((Moment(5), Resolution::Mended)));
        assert_eq!(incidents.open().count(), 0);
    }

    #[test]
    fn what_stays_is_opened_once_counted_and_closed_once() {
        let mut incidents = Incidents::default();
        let left = concern(FindingCode::PublicGrant, Outcome::Left);
        let seen = [left.clone()];
        let opened = incidents.see(&sight(1, &seen, &seen, Some(true))).opened;
        assert_eq!(opened.len(), 1);
        let second = incidents.see(&sight(2, &seen, &seen, Some(true)));
        assert_eq!((second.opened.len(), second.open[0].count, second.open[0].opened), (0, 2, Moment(1)));
        let third = incidents.see(&sight(3, &[], &[], Some(true)));
        assert_eq!(third.resolved[0].id, opened[0].id);
        assert_eq!(third.resolved[0].resolved, Some((Moment(3), Resolution::Gone)));
        // The same again, later, is another incident.
        assert_ne!(incidents.see(&sight(4, &seen, &seen, Some(true))).opened[0].id, opened[0].id);
    }

    #[test]
    fn nothing_is_closed_where_nobody_looked_closely_enough() {
        let mut incidents = Incidents::default();
        let log = [concern(FindingCode::BusLogChanged, Outcome::Held)];
        incidents.see(&sight(1, &log, &log, Some(true)));
        assert!(
            incidents.see(&sight(2, &[], &[], Some(false))).resolved.is_empty(),
            "a fast reading sees no log level"
        );
        assert!(incidents.see(&sight(3, &[], &[], None)).resolved.is_empty(), "the scope did not answer");
        assert_eq!(incidents.see(&sight(4, &[], &[], Some(true))).resolved.len(), 1);
    }

    #[test]
    fn what_a_fast_reading_found_a_fast_reading_closes() {
        let mut incidents = Incidents::default();
        let text = [concern(FindingCode::DescriptionChanged, Outcome::Mend)];
        assert_eq!(incidents.see(&sight(1, &text, &[], Some(false))).mended.len(), 1);
        incidents.see(&sight(2, &text, &text, Some(false)));
        assert_eq!(incidents.see(&sight(3, &[], &[], Some(false))).resolved.len(), 1);
    }

    #[test]
    fn a_restart_goes_on_where_it_was() {
        let mut incidents = Incidents::default();
        let left = [concern(FindingCode::PublicGrant, Outcome::Left)];
        incidents.see(&sight(1, &left, &left, Some(true)));
        let mut restarted = Incidents::restore(incidents.open().cloned().collect::<Vec<_>>());
        let changes = restarted.see(&sight(2, &left, &left, Some(true)));
        assert_eq!((changes.opened.len(), changes.open.len()), (0, 1));
    }
}
