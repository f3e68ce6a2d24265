//! The time line: everything once, in order, and nothing left out between two pages.

use crate::things::*;
use proptest::prelude::*;
use wheelwright::model::history::SweepRecord;
use wheelwright::model::ids::Moment;
use wheelwright::store::{Happened, OrderEntry, Store, Timeline, WRITES_TOLD_MAX};

/// What an entry is, in a word and a name.
fn named(happened: &Happened) -> String {
    match happened {
        Happened::Order(order) => format!("order {}", order.what),
        Happened::Opened(incident) => format!("opened {}", incident.id),
        Happened::Write(id, _) => format!("write {id}"),
        Happened::MoreWrites(sweep) => format!("more of {sweep}"),
        Happened::Resolved(incident) => format!("resolved {}", incident.id),
        Happened::Sweep(sweep) => format!("sweep {}", sweep.id),
        Happened::Alert { channel, alert, was_sent } => {
            format!("alert {} on {channel}{}", alert.id, if *was_sent { "" } else { " lost" })
        }
    }
}

fn lines(line: &Timeline) -> Vec<String> {
    line.entries.iter().map(|(_, happened)| named(happened)).collect()
}

#[test]
fn of_one_moment_the_line_tells_what_came_of_what() {
    let store = Store::in_memory().unwrap();
    store.log_order(&OrderEntry { at: NOW, what: "sweep".into(), by: "ana".into(), reason: "r".into() }).unwrap();
    let found = over(incident("a", NOW), NOW);
    let writes: Vec<_> = (0..6).map(|number| write(1, &format!("rule-{number}"), NOW)).collect();
    let sweep = SweepRecord { took_ms: 0, ..sweep(1, NOW) };
    store.commit_sweep(&sweep, &writes, std::slice::from_ref(&found), &[("ops".into(), alert("one", NOW))]).unwrap();
    store.record_sweep(&SweepRecord { findings: 3, ..quiet(2, NOW) }, &[]).unwrap();
    let line = || lines(&store.timeline(None, 50).unwrap());
    let expected = |alert: &[&str]| {
        let mut lines: Vec<String> = alert.iter().map(ToString::to_string).collect();
        lines.push("sweep 1".into());
        lines.push(format!("resolved {}", found.id));
        lines.extend(["write 6", "write 5", "write 4", "more of 1"].map(str::to_owned));
        lines.push(format!("opened {}", found.id));
        lines.push("order sweep".into());
        lines
    };
    assert_eq!(line(), expected(&[]), "what waits was not told yet");
    let due = store.due_alerts("ops", NOW).unwrap();
    store.alert_sent(due[0].id, NOW).unwrap();
    assert_eq!(line(), expected(&["alert one on ops"]));
    store.enqueue_alerts(&[("pager".into(), alert("two", NOW))]).unwrap();
    store.alert_dropped(2, NOW, "no such channel").unwrap();
    assert_eq!(line(), expected(&["alert two on pager lost", "alert one on ops"]));
    assert_eq!(WRITES_TOLD_MAX, 3);
}

#[test]
fn an_incident_that_is_told_of_again_keeps_its_place() {
    let store = Store::in_memory().unwrap();
    let long = incident("long", ago(9));
    store.save_incidents(&[long.clone(), over(incident("short", ago(5)), ago(4))]).unwrap();
    store.save_incidents(&[over(long, NOW)]).unwrap();
    let moments: Vec<Moment> = store.timeline(None, 50).unwrap().entries.iter().map(|(at, _)| *at).collect();
    assert_eq!(moments, [NOW, ago(4), ago(5), ago(9)]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// Many things in few moments, so that pages end in the middle of one.
    #[test]
    fn page_by_page_it_is_the_same_line(
        sweeps in prop::collection::vec((0_u64..3, 0_usize..9, 0_usize..4, 0_usize..3), 1..12),
        limit in 1_usize..9,
    ) {
        let store = Store::in_memory().unwrap();
        let mut now = ago(3);
        let mut number = 0;
        for (id, (later, writes, incidents, orders)) in (1..).zip(sweeps) {
            now = now.plus_ms(later);
            let mut name = || { number += 1; format!("thing-{number}") };
            let writes: Vec<_> = (0..writes).map(|_| write(id, &name(), now)).collect();
            let incidents: Vec<_> = (0..incidents).map(|_| over(incident(&name(), now), now.plus_ms(2))).collect();
            for _ in 0..orders {
                let entry = OrderEntry { at: now, what: name(), by: "ana".into(), reason: "r".into() };
                store.log_order(&entry).unwrap();
            }
            store.commit_sweep(&SweepRecord { took_ms: 1, ..sweep(id, now) }, &writes, &incidents, &[]).unwrap();
        }
        let whole = store.timeline(None, 1_000).unwrap();
        prop_assert_eq!(whole.older, None);
        let mut pages = Vec::new();
        let mut before = None;
        loop {
            let page = store.timeline(before, limit).unwrap();
            prop_assert!(page.entries.len() <= limit);
            pages.extend(page.entries);
            // The place is an address: it has to come back from text.
            before = page.older.map(|place| place.to_string().parse().unwrap());
            if before.is_none() {
                break;
            }
        }
        prop_assert_eq!(&pages, &whole.entries);
        prop_assert!(pages.is_sorted_by(|newer, older| newer.0 >= older.0));
    }
}
