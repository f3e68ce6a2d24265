//! The fight breaker: what we mend again and again, somebody else takes back again and again. After so many times within a
//! window the thing is left alone until a person has looked (promise 7). What the topology asks for anew never counts.

use crate::model::ids::Moment;
use crate::model::resource::ResourceId;
use crate::model::settings::BreakerSettings;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// How often each thing was mended lately, and what is left alone.
#[derive(Clone, Debug, Default)]
pub struct Breaker {
    reverts: BTreeMap<ResourceId, VecDeque<Moment>>,
    tripped: BTreeMap<ResourceId, Moment>,
}

impl Breaker {
    /// As it was left: the things that are left alone, and what was mended within the window.
    pub fn restore(
        tripped: impl IntoIterator<Item = (ResourceId, Moment)>,
        reverts: impl IntoIterator<Item = (ResourceId, Moment)>,
    ) -> Self {
        let mut breaker = Self { tripped: tripped.into_iter().collect(), ..Self::default() };
        for (resource, at) in reverts {
            breaker.reverts.entry(resource).or_default().push_back(at);
        }
        breaker
    }

    /// A sweep mended these at `now`, each counted once whatever number of writes it took. Returns those that are left alone from now on.
    pub fn mended(
        &mut self,
        resources: &BTreeSet<ResourceId>,
        now: Moment,
        settings: &BreakerSettings,
    ) -> Vec<ResourceId> {
        let window_ms = u64::from(settings.window_secs) * 1_000;
        let mut tripped = Vec::new();
        for resource in resources {
            let times = self.reverts.entry(resource.clone()).or_default();
            times.push_back(now);
            while times.front().is_some_and(|first| now.millis_since(*first) > window_ms) {
                times.pop_front();
            }
            if times.len() >= settings.reverts_max as usize && !self.tripped.contains_key(resource) {
                self.tripped.insert(resource.clone(), now);
                tripped.push(resource.clone());
            }
        }
        self.reverts.retain(|_, times| times.back().is_some_and(|last| now.millis_since(*last) <= window_ms));
        tripped
    }

    /// A person found the other writer: the thing is ours to mend again. Whether it was left alone.
    pub fn clear(&mut self, resource: &ResourceId) -> bool {
        self.reverts.remove(resource);
        self.tripped.remove(resource).is_some()
    }

    /// What is left alone, each since when.
    pub fn tripped(&self) -> &BTreeMap<ResourceId, Moment> {
        &self.tripped
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::model::resource::{BusId, RuleId};

    fn rule(name: &str) -> ResourceId {
        let bus = BusId { scope: "111111111111/us-east-1".parse().unwrap(), name: "org".into() };
        ResourceId::Rule(RuleId { bus, name: name.into() })
    }

    #[test]
    fn a_thing_that_is_mended_too_often_is_left_alone_and_others_are_not() {
        let settings = BreakerSettings { reverts_max: 3, window_secs: 100 };
        let mut breaker = Breaker::default();
        let mend = |breaker: &mut Breaker, name: &str, at: u64| {
            breaker.mended(&BTreeSet::from([rule(name)]), Moment(at * 1_000), &settings)
        };
        assert!(mend(&mut breaker, "a", 0).is_empty());
        assert!(mend(&mut breaker, "b", 0).is_empty());
        assert!(mend(&mut breaker, "a", 60).is_empty());
        // The first is out of the window by now.
        assert!(mend(&mut breaker, "a", 120).is_empty());
        assert_eq!(mend(&mut breaker, "a", 150), [rule("a")]);
        assert!(mend(&mut breaker, "a", 151).is_empty(), "it trips once");
        assert!(breaker.tripped().contains_key(&rule("a")) && !breaker.tripped().contains_key(&rule("b")));
        assert!(breaker.clear(&rule("a")));
        assert!(mend(&mut breaker, "a", 152).is_empty(), "it starts from nothing");
    }
}
