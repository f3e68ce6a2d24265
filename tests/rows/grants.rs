//! What is done to buses' policies: statements that go, change, come, and documents that are written as a whole.

use super::hands::{Edit, HUB};
use super::{Row, row};
use crate::support::probes::{EU, FRAUD, LEDGER, PAYMENTS, PLATFORM, US};
use FindingCode as Found;
use serde_json::{Value, json};
use wheelwright::model::finding::FindingCode;
use wheelwright::model::mark::statement_prefix;
use wheelwright::model::resource::Grantee;

/// What is left of a role that was deleted.
const DEAD_ROLE: &str = "AROAEXAMPLEEXAMPLE77";

pub(super) const ROWS: &[Row] = &[
    row("publisher's statement removed", |edit| edit.remove_grant(PLATFORM, HUB, PAYMENTS))
        .mends(&[Found::GrantMissing])
        .cuts(),
    row("hub's statement on a spoke removed", |edit| edit.remove_grant(LEDGER, "ledger", PLATFORM))
        .mends(&[Found::GrantMissing])
        .cuts(),
    row("whole policy removed", |edit| {
        edit.call(PLATFORM, US, "RemovePermission", json!({"EventBusName": HUB, "RemoveAllPermissions": true}));
    })
    .mends(&[Found::GrantMissing])
    .cuts(),
    row("statement widened to everybody", |edit| {
        let sid = edit.sid(PLATFORM, HUB, PAYMENTS);
        edit.put_permission(PLATFORM, HUB, &sid, "*");
    })
    .mends(&[Found::GrantChanged])
    .tells("it lets everybody put events"),
    row("statement names another account", |edit| {
        let sid = edit.sid(PLATFORM, HUB, PAYMENTS);
        edit.put_permission(PLATFORM, HUB, &sid, LEDGER);
    })
    .mends(&[Found::GrantChanged])
    .cuts(),
    row("statement names another organisation", other_organization)
        .mends(&[Found::GrantChanged])
        .tells("o-someoneelse")
        .cuts(),
    row("statement narrowed to other events", |edit| {
        edit.edit_statement(PAYMENTS, |statement| {
            statement["Condition"] = json!({"StringEquals": {"events:source": "com.acme.other"}});
        });
    })
    .mends(&[Found::GrantChanged])
    .cuts(),
    row("statement turned into a denial", |edit| {
        edit.edit_statement(PAYMENTS, |statement| statement["Effect"] = json!("Deny"));
    })
    .mends(&[Found::GrantChanged])
    .cuts(),
    row("statement names a role that was deleted", |edit| {
        edit.edit_statement(PAYMENTS, |statement| statement["Principal"] = json!({"AWS": DEAD_ROLE}));
    })
    .mends(&[Found::GrantChanged])
    .tells("(deleted)")
    .cuts(),
    row("statement added under our name", |edit| {
        let sid = format!("{}999999999999-0badcafe", statement_prefix(&edit.desired.owner));
        edit.put_permission(PLATFORM, HUB, &sid, "999999999999");
    })
    .goes(),
    row("statements re-ordered", |edit| {
        let mut policy = edit.policy(US);
        let statements = policy["Statement"].as_array_mut().unwrap();
        assert!(statements.len() > 1);
        statements.reverse();
        edit.put_policy(US, &policy);
    }),
    row("accounts by number, lists of one", respell_policy),
    row("foreign statement added", |edit| edit.put_permission(PLATFORM, HUB, "partner", "999999999999"))
        .leaves(&[Found::ForeignGrant])
        .tells("account 999999999999"),
    row("foreign statement for an organisation", |edit| {
        edit.add_statement(
            US,
            json!({
                "Sid": "partners", "Effect": "Allow", "Principal": "*", "Action": "events:PutEvents",
                "Condition": {"StringEquals": {"aws:PrincipalOrgID": "o-partners00"}},
            }),
        );
    })
    .leaves(&[Found::ForeignGrant])
    .tells("o-partners00"),
    row("foreign statement for a role that was deleted", |edit| {
        edit.add_statement(
            US,
            json!({
                "Sid": "batch", "Effect": "Allow", "Principal": {"AWS": DEAD_ROLE}, "Action": "events:PutEvents",
            }),
        );
    })
    .leaves(&[Found::ForeignGrant])
    .tells("(deleted)"),
    row("foreign statement lets an account make rules", |edit| {
        let rules = edit.bus(PLATFORM, US, HUB).arn().replace(":event-bus/", ":rule/") + "/*";
        edit.add_statement(
            US,
            json!({
                "Sid": "rules", "Effect": "Allow", "Principal": {"AWS": LEDGER}, "Resource": rules,
                "Action": ["events:PutRule", "events:PutTargets"],
            }),
        );
    })
    .leaves(&[Found::ForeignGrant])
    .tells("events:PutRule"),
    row("public statement added", |edit| edit.put_permission(PLATFORM, HUB, "public", "*"))
        .leaves(&[Found::PublicGrant])
        .tells("everybody"),
    // Whoever sends an event says what its source is.
    row("public statement for one source", |edit| {
        edit.add_statement(
            US,
            json!({
                "Sid": "demo", "Effect": "Allow", "Principal": "*", "Action": "events:PutEvents",
                "Condition": {"StringEquals": {"events:source": "com.acme.demo"}},
            }),
        );
    })
    .leaves(&[Found::PublicGrant]),
    row("foreign statement denies everybody", |edit| {
        edit.add_statement(
            US,
            json!({
                "Sid": "lockdown", "Effect": "Deny", "Principal": "*", "Action": "events:PutEvents",
            }),
        );
    })
    .leaves(&[Found::ForeignDeny])
    .keeps_cutting(),
    row("policy overwritten by another tool", |edit| {
        let statement = json!({
            "Sid": "theirs", "Effect": "Allow", "Principal": {"AWS": FRAUD}, "Action": "events:PutEvents",
            "Resource": edit.bus(PLATFORM, US, HUB).arn(),
        });
        edit.put_policy(US, &json!({"Version": "2012-10-17", "Statement": [statement]}));
    })
    .mends(&[Found::GrantMissing])
    .leaves(&[Found::ForeignGrant])
    .cuts(),
];

/// The statement of the European hub that lets the organisation in, with another organisation.
fn other_organization(edit: &mut Edit<'_>) {
    let bus = edit.bus(PLATFORM, EU, HUB);
    let is_for_all = |grantee: &Grantee| matches!(grantee, Grantee::Organization(_));
    let found = edit.desired.grants.iter().find(|((id, _), wanted)| *id == bus && is_for_all(&wanted.spec));
    let sid = found.expect("the European hub lets the organisation in").0.1.clone();
    let input = json!({
        "EventBusName": HUB, "StatementId": sid, "Action": "events:PutEvents", "Principal": "*",
        "Condition": {"Type": "StringEquals", "Key": "aws:PrincipalOrgID", "Value": "o-someoneelse"},
    });
    edit.call(PLATFORM, EU, "PutPermission", input);
}

/// The same policy as AWS could just as well return it: accounts by their numbers, and everything in lists.
fn respell_policy(edit: &mut Edit<'_>) {
    let mut policy = edit.policy(US);
    for statement in policy["Statement"].as_array_mut().unwrap() {
        let root = statement["Principal"]["AWS"].as_str().unwrap();
        let account = root.split(':').nth(4).unwrap().to_owned();
        statement["Principal"]["AWS"] = json!([account]);
        for field in ["Action", "Resource"] {
            let one = statement[field].take();
            statement[field] = Value::Array(vec![one]);
        }
    }
    if let Some(aws) = edit.door.simulated() {
        aws.settings.respells_policies = false;
    }
    edit.put_policy(US, &policy);
    let live = edit.policy(US);
    if let Some(aws) = edit.door.simulated() {
        aws.settings.respells_policies = true;
    }
    assert_eq!(live, policy, "the policy is returned as it was put");
}
