//! Any incident comes back as it was saved, and is found by what it is.

use proptest::prelude::*;
use strum::IntoEnumIterator;
use wheelwright::model::finding::{FindingCode, Outcome};
use wheelwright::model::ids::Moment;
use wheelwright::model::incident::{Concern, Incident, Resolution, Subject, Told};
use wheelwright::model::resource::{BusId, ResourceId, RuleId};
use wheelwright::model::topology::Origin;
use wheelwright::store::{IncidentFilter, Store};

fn sorted(mut incidents: Vec<Incident>) -> Vec<Incident> {
    incidents.sort_by(|a, b| a.id.cmp(&b.id));
    incidents
}

fn names() -> impl Strategy<Value = String> {
    "[a-z0-9]([a-z0-9-]{0,12}[a-z0-9])?"
}

fn subjects() -> impl Strategy<Value = Subject> {
    let scope = ("[0-9]{12}", prop::sample::select(vec!["us-east-1", "cn-north-1"]))
        .prop_map(|(account, region)| format!("{account}/{region}").parse().unwrap());
    let text = "[ -~é☃]{1,20}";
    let resource = (scope, text, text, 0..5).prop_map(|(scope, one, two, kind)| {
        let bus = BusId { scope, name: one };
        match kind {
            0 => ResourceId::Bus(bus),
            1 => ResourceId::Grant(bus, two),
            2 => ResourceId::Rule(RuleId { bus, name: two }),
            3 => ResourceId::Target(RuleId { bus, name: two.clone() }, two),
            _ => ResourceId::Scope(bus.scope),
        }
    });
    prop_oneof![1 => Just(Subject::Operator), 9 => resource.prop_map(Subject::Resource)]
}

fn incidents() -> impl Strategy<Value = Incident> {
    let codes = prop::sample::select(FindingCode::iter().collect::<Vec<_>>());
    let outcomes = prop::sample::select(vec![Outcome::Mend, Outcome::Left, Outcome::Held, Outcome::Waiting]);
    let origin = (any::<String>(), any::<u32>(), any::<String>()).prop_map(|(file, line, entry)| Origin {
        file: file.into(),
        line,
        entry: entry.into(),
    });
    let team = prop::option::of(names().prop_map(|name| name.parse().unwrap()));
    let concern = (subjects(), codes, outcomes, any::<String>(), team, prop::option::of(origin)).prop_map(
        |(subject, code, outcome, detail, team, origin)| Concern { subject, code, outcome, detail, team, origin },
    );
    let time = || (0..4_000_000_000_000_u64).prop_map(Moment);
    let ends = prop::sample::select(vec![Resolution::Mended, Resolution::Gone]);
    let told = (any::<String>(), time()).prop_map(|(group, at)| Told { group, at });
    let told = prop::collection::btree_map(any::<String>(), told, 0..3);
    let rest = (any::<u64>(), any::<String>(), prop::option::of((time(), ends)), told);
    ("[0-9a-f]{10}", concern, time(), time(), rest).prop_map(
        |(id, concern, opened, last_seen, (count, revision, resolved, told))| Incident {
            id,
            concern,
            opened,
            last_seen,
            count,
            revision,
            resolved,
            by_fast: count % 2 == 0,
            told,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn incidents_come_back_as_they_were_saved(
        saved in prop::collection::btree_map("[0-9a-f]{10}", incidents(), 0..20),
        again in prop::collection::vec(incidents(), 0..20),
    ) {
        let store = Store::in_memory().unwrap();
        let mut all: Vec<Incident> = saved.into_iter().map(|(id, incident)| Incident { id, ..incident }).collect();
        store.save_incidents(&all).unwrap();
        // Whatever changes of an incident, it is its id that it is kept by.
        for (old, new) in all.iter_mut().zip(again) {
            *old = Incident { id: old.id.clone(), ..new };
        }
        store.save_incidents(&all).unwrap();
        let found = store.incidents(&IncidentFilter::default()).unwrap();
        prop_assert!(found.windows(2).all(|two| two[0].last_seen >= two[1].last_seen));
        prop_assert_eq!(&sorted(found), &all);
        let open: Vec<Incident> = all.iter().filter(|incident| incident.resolved.is_none()).cloned().collect();
        prop_assert_eq!(sorted(store.open_incidents().unwrap()), open);
        for incident in all {
            let team = incident.concern.team.clone();
            let filter = IncidentFilter {
                open: Some(incident.resolved.is_none()),
                team,
                scope: incident.concern.subject.scope().cloned(),
                code: Some(incident.concern.code),
                since: Some(incident.last_seen),
                ..IncidentFilter::default()
            };
            prop_assert!(store.incidents(&filter).unwrap().contains(&incident));
            prop_assert_eq!(store.incident(&incident.id).unwrap(), Some(incident));
        }
        prop_assert_eq!(store.unreadable_rows(), 0);
    }
}
