//! The simulated AWS against answers that were recorded from AWS itself: every recorded step is compared, or is on the
//! one list in `exceptions` with the reason why not.
//!
//! The recordings are not part of this repository: they are read from `../shared/oracle`, or from `oracle` below the
//! folder that `WHEELWRIGHT_SHARED` names, and where there are none the tests say so in one line. Each scenario here
//! does what was done at AWS when its steps were recorded, in a world of its own. A recording that is new, one that
//! has disappeared, and an exception that is none any more each fail the test of their file.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(clippy::needless_pass_by_value)]

mod archives;
mod buses;
mod compare;
mod crossing;
mod exceptions;
mod inputs;
mod oracle;
mod permissions;
mod publishing;
mod rules;
mod tags;
mod targets;

use oracle::Oracle;

/// Runs the scenarios of one file of recordings and holds what came of them against all that is in it.
fn recorded(file: &str, scenarios: &[fn(&mut Oracle)]) {
    let Some(mut oracle) = Oracle::open(file) else { return };
    for scenario in scenarios {
        scenario(&mut oracle);
    }
    oracle.finish();
}

#[test]
fn buses_rules_and_targets_answer_as_recorded() {
    recorded(
        "events.json",
        &[
            buses::scenarios,
            permissions::scenarios,
            rules::scenarios,
            targets::listing_scenarios,
            publishing::scenarios,
        ],
    );
}

#[test]
fn targets_receive_what_was_recorded() {
    recorded("events_targets.json", &[targets::receiving_scenarios]);
}

#[test]
fn inputs_are_transformed_as_recorded() {
    recorded("events_inputs.json", &[inputs::scenarios]);
}

#[test]
fn tags_answer_as_recorded() {
    recorded("events_tags.json", &[tags::scenarios]);
}

#[test]
fn events_cross_accounts_and_regions_as_recorded() {
    recorded("events_cross_account_region.json", &[crossing::scenarios]);
}

#[test]
fn archives_answer_as_recorded() {
    recorded("archive_and_replay.json", &[archives::scenarios]);
}
