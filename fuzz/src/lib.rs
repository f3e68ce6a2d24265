//! The pure layers of wheelwright (0 and 1), compiled here from the same files, and what the fuzz targets ask of them.
//!
//! Each check takes bytes and panics where something does not hold; the tests below run it over the seeds.
#![allow(dead_code, unreachable_pub, missing_docs)]

#[path = "../../src/config/mod.rs"]
pub mod config;
#[path = "../../src/eventbridge/mod.rs"]
pub mod eventbridge;
#[path = "../../src/expand/mod.rs"]
pub mod expand;
#[path = "../../src/model/mod.rs"]
pub mod model;

use config::{SourceFiles, Style, load, render};
use eventbridge::{Arn, BusPolicy, Pattern};
use model::desired::Revision;
use model::ids::Moment;
use model::mark::Mark;

/// Files as the corpus of broken topologies writes them: `--- path` begins one; what stands before the first is one too.
fn files(text: &str) -> SourceFiles {
    let mut parts = text.split("\n--- ");
    let first = ("topology/first.toml".to_owned(), parts.next().unwrap_or_default().to_owned());
    let rest = parts.map(|part| {
        let (path, text) = part.split_once('\n').unwrap_or((part, ""));
        (path.to_owned(), text.to_owned())
    });
    SourceFiles::new(std::iter::once(first).chain(rest))
}

/// Whatever files say, they are read or refused with words, and what was read can be expanded.
pub fn loader(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let files = files(&text);
    let loaded = load(&files);
    for style in [Style::Plain, Style::Coloured] {
        assert_eq!(render(&loaded.diagnostics, &files, style).is_empty(), loaded.diagnostics.is_empty());
    }
    let Some(topology) = &loaded.topology else {
        assert!(loaded.has_errors(), "nothing is wrong, and there is no topology");
        return;
    };
    assert_eq!(topology.kept.is_empty(), !loaded.has_errors(), "an error that concerns nobody");
    let revision = || Revision { id: "fuzz".into(), sequence: 1 };
    let now = expand::expand(topology, &loaded.settings, revision(), Moment(0));
    let then = expand::expand(topology, &loaded.settings, revision(), Moment(u64::MAX));
    assert_eq!(now.rules.len(), then.rules.len(), "a stop makes or takes away a rule");
    let rules: usize = topology.teams.values().map(|team| team.subscriptions.len()).sum();
    assert!(now.rules.len() >= rules, "two subscriptions have one rule");
}

/// A pattern that is read means the same when it is written and read again.
pub fn pattern(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(pattern) = Pattern::parse(text) else { return };
    let again = Pattern::parse(&pattern.to_string()).expect("what was written is a pattern");
    assert!(pattern.same_meaning(&again) && again.same_meaning(&pattern), "{text}");
    assert_eq!(pattern.canonical_text(), again.canonical_text());
    assert!(pattern.covers(&pattern) && pattern.may_overlap(&pattern), "{text}");
    let event = serde_json::json!({
        "source": "com.acme", "detail-type": "X", "account": "111111111111", "region": "us-east-1", "resources": [],
        "detail": { "a": 1, "b": ["x", "y"], "c": { "d": null } }, "id": "0", "time": "2026-01-01T00:00:00Z",
    });
    assert_eq!(pattern.matches(&event), again.matches(&event), "{text}");
}

/// Policies, marks and ARNs: what is read and written again is the same.
pub fn texts(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(policy) = BusPolicy::parse(text) {
        for statement in &policy.statements {
            let document = serde_json::json!({ "Version": "2012-10-17", "Statement": [statement.to_value()] });
            let again = BusPolicy::parse(&document.to_string()).expect("what was written is a policy");
            assert_eq!(again.statements, [statement.clone()], "{text}");
        }
    }
    if let Ok(arn) = text.parse::<Arn>() {
        assert_eq!(arn.to_string().parse::<Arn>().as_ref(), Ok(&arn));
    }
    if let (kept, Some(mark)) = Mark::read(text) {
        let stamped = mark.stamp(kept);
        assert_eq!(Mark::read(&stamped).1, Some(mark));
        assert!(stamped.chars().count() <= 512);
    }
}
