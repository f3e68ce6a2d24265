//! The JSON Schema of the daemon's settings, beside [`super::schema`].

use super::schema::{choice, named, needs, number, table, text, texts};
use super::settings_daemon::{ALERT_KINDS, HOLDS_CHOICES, MODE_CHOICES, ON_DRIFT_CHOICES, SEVERITY_CHOICES};
use crate::model::finding::FindingCode;
use serde_json::{Value, json};
use strum::IntoEnumIterator as _;

fn words<T>(choices: &[(&'static str, T)]) -> Vec<&'static str> {
    choices.iter().map(|(word, _)| *word).collect()
}

pub(super) fn sweep() -> Value {
    table(&[
        ("fast-every-secs", number("Drift of what deliveries rest on is found within them. Default: 60.", 1, 3_600)),
        ("full-every-secs", number("Every drift is found within them. Default: 900.", 1, 86_400)),
        ("full-at", text("When full sweeps begin besides: a cron line in UTC.")),
        ("gap-secs-min", number("From the end of a sweep to the next. Default: 5.", 0, 3_600)),
        ("start-jitter-secs-max", number("The first sweep comes after so many at most. Default: 10.", 0, 3_600)),
        ("source-every-secs", number("From one look at the topology's files to the next. Default: 5.", 1, 3_600)),
        (
            "backoff-secs-max",
            number("A scope in transient trouble is asked again at least so often. Default: 600.", 1, 86_400),
        ),
        (
            "refused-every-secs",
            number("A scope that refused for good is asked again so often. Default: 600.", 1, 86_400),
        ),
        ("regions-also", texts("Regions that are read beside those the topology names: for what was left there.")),
    ])
}

pub(super) fn mode() -> Value {
    let modes = words(&MODE_CHOICES);
    table(&[
        ("default", choice("Where nothing else is said. Default: `observe`.", &modes)),
        ("hub", named(choice("By hub.", &modes), "By hub.")),
        ("team", named(choice("By team.", &modes), "By team.")),
        ("spoke", named(choice("By `team.spoke`, in quotes.", &modes), "By `team.spoke`, in quotes.")),
    ])
}

pub(super) fn on_drift() -> Value {
    let choices = words(&ON_DRIFT_CHOICES);
    let codes = FindingCode::iter().filter(|code| code.is_drift());
    let keys: Vec<(&'static str, Value)> = codes
        .map(|code| (code.into(), choice("Whether it waits for a person. Default: `correct`.", &choices)))
        .collect();
    table(&keys)
}

pub(super) fn freeze() -> Value {
    needs(
        &["from", "hours", "reason"],
        table(&[
            ("from", text("When it begins: a cron line in UTC, as `0 18 * * FRI`.")),
            ("hours", number("How long it lasts.", 1, 24 * 31)),
            ("reason", text("Why: it is told with what is held.")),
            ("holds", choice("Everything, or only what is asked for anew. Default: `all`.", &words(&HOLDS_CHOICES))),
        ]),
    )
}

pub(super) fn path() -> Value {
    let entry = table(&[
        ("teams", texts("The teams that may be declared there: names, or beginnings with a `*`.")),
        ("accounts", texts("The accounts that may be a spoke's, a publisher's or a destination's.")),
        ("sources", texts("The sources that may be published under.")),
        (
            "platform",
            json!({ "type": "boolean", "description": "Whether accounts, hubs and the organisation may be declared there." }),
        ),
    ]);
    let description = "Which file may speak for whom, by file or folder below the config folder.";
    json!({ "type": "object", "additionalProperties": entry, "description": description })
}

pub(super) fn breaker() -> Value {
    table(&[
        ("reverts-max", number("What is mended so often within the window is left alone. Default: 5.", 2, 1_000)),
        ("window-secs", number("Default: 3600.", 10, 86_400)),
    ])
}

pub(super) fn state() -> Value {
    table(&[
        ("folder", text("Where the state file is. Default: the command line's.")),
        ("days-max", number("After them what is over is forgotten. Default: 90.", 1, 3_650)),
        ("mib-max", number("Beyond them the oldest is forgotten. Default: 512.", 16, 65_536)),
    ])
}

pub(super) fn http() -> Value {
    table(&[
        ("listen", text("An address and a port. Default: `127.0.0.1:8080`.")),
        ("token-env", text("The variable with the bearer token.")),
        ("token-file", text("The file with the bearer token.")),
    ])
}

pub(super) fn alert() -> Value {
    let kinds: Vec<&str> = ALERT_KINDS.iter().map(|(word, _)| *word).collect();
    needs(
        &["kind"],
        table(&[
            ("kind", choice("How it is told.", &kinds)),
            ("severity-min", choice("What is less bad is not told. Default: `warning`.", &words(&SEVERITY_CHOICES))),
            ("hubs", texts("Only what is about these hubs.")),
            ("teams", texts("Only what concerns these teams.")),
            (
                "mended",
                serde_json::json!({ "type": "boolean", "description": "Whether what was mended at once is told." }),
            ),
            ("remind-hours", number("What is still wrong is told again; 0: never. Default: 24.", 0, 24 * 31)),
            ("url", text("Webhook, PagerDuty: where to post.")),
            ("url-env", text("Webhook, Slack: the variable with the URL.")),
            ("url-file", text("Webhook, Slack: the file with the URL.")),
            ("key-env", text("Webhook: the variable with the signing key. PagerDuty: with the integration key.")),
            ("key-file", text("The same, in a file.")),
            ("topic-arn", text("SNS: the topic.")),
            ("bus-arn", text("EventBridge: the bus.")),
        ]),
    )
}
