//! One of everything that the daemon keeps, for tests to change a field of.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use wheelwright::model::alert::{Alert, AlertKind};
use wheelwright::model::finding::{FindingCode, Outcome, Severity};
use wheelwright::model::history::{SweepRecord, WriteEnd, WriteRecord};
use wheelwright::model::ids::Moment;
use wheelwright::model::incident::{Concern, Incident, Resolution, Subject};
use wheelwright::model::order::Order;
use wheelwright::model::plan::Cause;
use wheelwright::model::resource::{BusId, ResourceId, RuleId};
use wheelwright::model::settings::StateSettings;
use wheelwright::model::topology::Origin;
use wheelwright::store::{Note, Store, WriteFilter};

pub const DAY_MS: u64 = 24 * 3_600_000;
/// 2026-11-24T06:00:00Z.
pub const NOW: Moment = Moment(1_795_500_000_000);

pub fn rule(name: &str) -> ResourceId {
    let scope = "111111111111/us-east-1".parse().unwrap();
    ResourceId::Rule(RuleId { bus: BusId { scope, name: "org-events".into() }, name: name.into() })
}

pub fn concern(name: &str) -> Concern {
    Concern {
        subject: Subject::Resource(rule(name)),
        code: FindingCode::RuleDisabled,
        outcome: Outcome::Mend,
        detail: "it is DISABLED".into(),
        team: Some("ledger".parse().unwrap()),
        origin: Some(Origin { file: "topology/teams/ledger.toml".into(), line: 7, entry: "subscribe.large".into() }),
    }
}

pub fn incident(name: &str, at: Moment) -> Incident {
    Incident::open(concern(name), at, "rev")
}

pub fn over(incident: Incident, at: Moment) -> Incident {
    Incident { last_seen: at, resolved: Some((at, Resolution::Mended)), ..incident }
}

pub fn sweep(id: u64, began: Moment) -> SweepRecord {
    SweepRecord {
        id,
        trigger: "interval".into(),
        full: false,
        began,
        took_ms: 900,
        scopes_read: 4,
        scopes_unread: 0,
        revision: "rev".into(),
        plan_id: Some("plan".into()),
        findings: 1,
        done: 1,
        failed: 0,
        held: 0,
    }
}

pub fn quiet(id: u64, began: Moment) -> SweepRecord {
    SweepRecord { plan_id: None, findings: 0, done: 0, ..sweep(id, began) }
}

pub fn write(sweep: u64, name: &str, at: Moment) -> WriteRecord {
    WriteRecord {
        sweep,
        at,
        resource: rule(name),
        step: serde_json::from_value(format!("put-rule {}", rule(name)).into()).unwrap(),
        cause: Cause::Drift,
        codes: BTreeSet::from([FindingCode::RuleDisabled]),
        before: r#"{"state":"DISABLED"}"#.into(),
        after: r#"{"state":"ENABLED"}"#.into(),
        end: WriteEnd::Done,
        message: None,
        request_id: Some("0f".into()),
        plan_id: "plan".into(),
        revision: "rev".into(),
        team: Some("ledger".parse().unwrap()),
        origin: None,
    }
}

pub fn alert(id: &str, at: Moment) -> Alert {
    Alert {
        id: id.into(),
        group: "g".into(),
        kind: AlertKind::Raised,
        severity: Severity::Error,
        code: FindingCode::RuleDisabled,
        title: "A rule is disabled".into(),
        effect: "Events are dropped".into(),
        done: String::new(),
        at,
        since: at,
        teams: BTreeMap::new(),
        hubs: BTreeSet::new(),
        owner: "wheelwright".into(),
        revision: "rev".into(),
        incidents: vec![incident("a", at)],
        count: 1,
        still_open: 1,
        advice: "Nothing to do".into(),
    }
}

pub fn order(since: Moment) -> Order {
    Order { since, until: since.plus_ms(DAY_MS), reason: "migration".into(), by: "ana".into() }
}

pub fn note(at: Moment) -> Note {
    Note { at, by: "ben".into(), reason: "done".into() }
}

pub fn settings(days_max: u32, mib_max: u32) -> StateSettings {
    StateSettings { folder: None, days_max, mib_max }
}

pub fn ago(days: u64) -> Moment {
    Moment(NOW.0 - days * DAY_MS)
}

pub fn opened(folder: &Path) -> Store {
    Store::open(folder).unwrap().0
}

pub fn every_write() -> WriteFilter {
    WriteFilter::default()
}
