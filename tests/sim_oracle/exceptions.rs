//! The one list of recorded steps that the simulation does not answer as AWS did, each with the reason.

/// A recorded step that is compared, and known to differ.
pub(crate) struct Difference {
    pub(crate) file: &'static str,
    pub(crate) scenario: &'static str,
    pub(crate) step: &'static str,
    /// Why it may stay so.
    pub(crate) reason: &'static str,
}

/// Why a recorded step is not compared.
pub(crate) enum Why {
    /// The simulation has no such call. When it gets it, the step has to be compared.
    NoCall(&'static str),
    /// The answer is another service's doing; whose.
    OtherService(&'static str),
}

/// A recorded step that is not compared.
pub(crate) struct NotSimulated {
    pub(crate) file: &'static str,
    pub(crate) scenario: &'static str,
    pub(crate) step: &'static str,
    pub(crate) why: Why,
}

pub(crate) const DIFFERENCES: &[Difference] = &[
    Difference {
        file: EVENTS,
        scenario: "TestEventBus::test_describe_delete_not_existing_event_bus",
        step: "delete-not-existing-event-bus",
        reason: "deleting a bus that is not there succeeds at AWS too: what was kept is the error of the step before",
    },
    Difference {
        file: ARCHIVES,
        scenario: "TestArchive::test_list_archive_with_events[False-default]",
        step: "list-archives",
        reason: "the archive of a real account's default bus had caught other events than the test's: 10,959 bytes",
    },
    Difference {
        file: ARCHIVES,
        scenario: "TestArchive::test_list_archive_with_events[False-default]",
        step: "describe-archive",
        reason: "the same archive",
    },
];

pub(crate) const NOT_SIMULATED: &[NotSimulated] = &[
    NotSimulated {
        file: EVENTS,
        scenario: "TestEvents::test_create_connection_validations",
        step: "create_connection_exc",
        why: Why::NoCall("CreateConnection"),
    },
    NotSimulated {
        file: EVENTS,
        scenario: "TestEventBus::test_put_events_to_default_eventbus_for_custom_eventbus",
        step: "get-events",
        why: Why::OtherService("S3 publishes the event when an object is put"),
    },
    NotSimulated {
        file: TARGETS,
        scenario: "TestEventsTargetApiGateway::test_put_events_with_target_api_gateway",
        step: "create_lambda_response",
        why: Why::OtherService("Lambda"),
    },
    NotSimulated {
        file: TARGETS,
        scenario: "TestEventsTargetApiGateway::test_put_events_with_target_api_gateway",
        step: "deployment_response",
        why: Why::OtherService("API Gateway"),
    },
    replay("TestReplay::test_start_list_describe_canceled_replay[default]", "start-replay", "StartReplay"),
    replay("TestReplay::test_start_list_describe_canceled_replay[default]", "replay-messages", "StartReplay"),
    replay("TestReplay::test_start_list_describe_canceled_replay[default]", "list-replays", "ListReplays"),
    replay("TestReplay::test_start_list_describe_canceled_replay[default]", "describe-replay", "DescribeReplay"),
    replay("TestReplay::test_start_list_describe_canceled_replay[default]", "cancel-replay", "CancelReplay"),
    replay(
        "TestReplay::test_start_list_describe_canceled_replay[default]",
        "describe-replay-canceled",
        "DescribeReplay",
    ),
    replay("TestReplay::test_start_list_describe_canceled_replay[custom]", "start-replay", "StartReplay"),
    replay("TestReplay::test_start_list_describe_canceled_replay[custom]", "replay-messages", "StartReplay"),
    replay("TestReplay::test_start_list_describe_canceled_replay[custom]", "list-replays", "ListReplays"),
    replay("TestReplay::test_start_list_describe_canceled_replay[custom]", "describe-replay", "DescribeReplay"),
    replay("TestReplay::test_start_list_describe_canceled_replay[custom]", "cancel-replay", "CancelReplay"),
    replay(
        "TestReplay::test_start_list_describe_canceled_replay[custom]",
        "describe-replay-canceled",
        "DescribeReplay",
    ),
    replay(
        "TestReplay::test_start_replay_error_unknown_event_bus",
        "start-replay-unknown-event-bus-error",
        "StartReplay",
    ),
    replay(
        "TestReplay::test_start_replay_error_unknown_event_bus",
        "start-replay-wrong-event-bus-error",
        "StartReplay",
    ),
    replay("TestReplay::test_list_replays_with_prefix", "list-replays-with-full-name", "ListReplays"),
    replay("TestReplay::test_list_replays_with_prefix", "list-replays-with-prefix", "ListReplays"),
    replay("TestReplay::test_list_replay_with_limit", "list-replays-with-limit", "ListReplays"),
    replay("TestReplay::test_list_replay_with_limit", "list-replays-with-limit-next-token", "ListReplays"),
    replay("TestReplay::test_start_replay_error_unknown_archive", "start-replay-unknown-archive-error", "StartReplay"),
    replay(
        "TestReplay::test_start_replay_error_duplicate_name_same_archive",
        "start-replay-duplicate-error",
        "StartReplay",
    ),
    replay(
        "TestReplay::test_start_replay_error_invalid_end_time[0]",
        "start-replay-invalid-end-time-error",
        "StartReplay",
    ),
    replay(
        "TestReplay::test_start_replay_error_invalid_end_time[10]",
        "start-replay-invalid-end-time-error",
        "StartReplay",
    ),
    replay(
        "TestReplay::test_describe_replay_error_unknown_replay",
        "describe-replay-unknown-replay-error",
        "DescribeReplay",
    ),
    replay("TestReplay::tests_concurrency_error_too_many_active_replays", "list-replays-with-limit", "StartReplay"),
    replay("TestReplay::test_list_replays_with_event_source_arn", "list-replays-with-event-source-arn", "ListReplays"),
    replay(
        "TestReplay::test_start_replay_error_duplicate_different_archive",
        "start-replay-duplicate-error",
        "StartReplay",
    ),
];

/// Replays are not simulated.
const fn replay(scenario: &'static str, step: &'static str, operation: &'static str) -> NotSimulated {
    NotSimulated { file: ARCHIVES, scenario, step, why: Why::NoCall(operation) }
}

const EVENTS: &str = "events.json";
const TARGETS: &str = "events_targets.json";
const ARCHIVES: &str = "archive_and_replay.json";
