//! GetRole: what it shows of a role, and whom.

use serde_json::{Value, json};
use wheelwright::sim::{AwsError, Caller, Permission, Role, Service, SimulatedAws, Trusted};

use crate::{EAST, HUB, OTHER, SPOKE, told, world};

fn get_role(aws: &mut SimulatedAws, caller: &Caller, name: &str) -> Result<Value, AwsError> {
    let answer = aws.call(caller, EAST, Service::Iam, "GetRole", &json!({"RoleName": name}))?;
    Ok(answer["Role"].clone())
}

/// The trust policy's statements, decoded as a client has to.
fn trust(role: &Value) -> Value {
    let text = role["AssumeRolePolicyDocument"].as_str().unwrap();
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        let digits: String = if byte == b'%' { rest.by_ref().take(2).map(char::from).collect() } else { String::new() };
        bytes.push(if byte == b'%' { u8::from_str_radix(&digits, 16).unwrap() } else { byte });
    }
    serde_json::from_slice::<Value>(&bytes).unwrap()["Statement"].clone()
}

#[test]
fn the_operators_role_shows_whom_it_trusts_and_the_external_id() {
    let mut aws = world();
    let role = get_role(&mut aws, &Caller::root(SPOKE), "operator").unwrap();
    assert_eq!(role["RoleName"], "operator");
    assert_eq!(role["Arn"], format!("arn:aws:iam::{SPOKE}:role/operator"));
    assert_eq!((&role["Path"], &role["MaxSessionDuration"]), (&json!("/"), &json!(3_600)));
    assert!(role["RoleId"].as_str().unwrap().starts_with("AROA"), "{role}");
    assert_eq!(
        trust(&role),
        json!([{
            "Effect": "Allow", "Principal": {"AWS": format!("arn:aws:iam::{HUB}:root")}, "Action": "sts:AssumeRole",
            "Condition": {"StringEquals": {"sts:ExternalId": "wheel"}},
        }])
    );
}

#[test]
fn the_delivery_role_trusts_the_service_for_its_own_account() {
    let mut aws = world();
    let role = get_role(&mut aws, &Caller::root(SPOKE), "delivery").unwrap();
    assert_eq!(
        trust(&role),
        json!([{
            "Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": "sts:AssumeRole",
            "Condition": {"StringEquals": {"aws:SourceAccount": SPOKE}},
        }])
    );
}

#[test]
fn a_trusted_role_that_is_deleted_stays_in_the_trust_policy_as_its_unique_id() {
    let mut aws = world();
    let watcher = Role::named("watched").trusting(Trusted::Role(HUB.to_owned(), "watcher".to_owned()));
    aws.create_role(HUB, Role::named("watcher").at_path("/ops/"));
    aws.create_role(SPOKE, watcher);
    let before = trust(&get_role(&mut aws, &Caller::root(SPOKE), "watched").unwrap());
    assert_eq!(before[0]["Principal"]["AWS"], format!("arn:aws:iam::{HUB}:role/ops/watcher"));
    aws.delete_role(HUB, "watcher");
    aws.create_role(HUB, Role::named("watcher").at_path("/ops/"));
    let after = trust(&get_role(&mut aws, &Caller::root(SPOKE), "watched").unwrap());
    assert!(after[0]["Principal"]["AWS"].as_str().unwrap().starts_with("AROA"), "{after}");
    let arn = format!("arn:aws:iam::{SPOKE}:role/watched");
    assert!(aws.assume(&Caller::role(HUB, "watcher", "s"), &arn, None, "session").is_err());
}

#[test]
fn a_role_that_is_not_there_and_a_role_that_may_not_be_looked_at_are_told_apart() {
    let mut aws = world();
    let missing = get_role(&mut aws, &Caller::root(OTHER), "gone").unwrap_err();
    let text = "The role with name gone cannot be found.".to_owned();
    assert_eq!(told(missing), ("NoSuchEntity".to_owned(), 404, text));

    let operator = Caller::role(SPOKE, "operator", "sweep");
    let text = format!(
        "User: arn:aws:sts::{SPOKE}:assumed-role/operator/sweep is not authorized to perform: iam:GetRole on \
         resource: role delivery because no identity-based policy allows the iam:GetRole action"
    );
    let denied = get_role(&mut aws, &operator, "delivery").unwrap_err();
    assert_eq!(told(denied), ("AccessDenied".to_owned(), 403, text));

    let delivery = format!("arn:aws:iam::{SPOKE}:role/delivery");
    let looking = Role::named("looking").allowing(Permission::on(&["iam:GetRole"], &[&delivery]));
    aws.create_role(SPOKE, looking);
    let looking = Caller::role(SPOKE, "looking", "s");
    assert_eq!(get_role(&mut aws, &looking, "delivery").unwrap()["Arn"], delivery);
    assert_eq!(get_role(&mut aws, &looking, "gone").unwrap_err().code, "AccessDenied", "not even whether it exists");
}

#[test]
fn a_role_at_a_path_is_assumed_by_its_whole_arn_only() {
    let mut aws = world();
    aws.create_role(SPOKE, Role::named("deep").at_path("/ops/").trusting(Trusted::Account(HUB.to_owned())));
    let assume = |aws: &SimulatedAws, role: &str| {
        aws.assume(&Caller::root(HUB), &format!("arn:aws:iam::{SPOKE}:role/{role}"), None, "session")
    };
    assert_eq!(assume(&aws, "ops/deep").unwrap(), Caller::role(SPOKE, "deep", "session"));
    assert_eq!(assume(&aws, "deep").unwrap_err().code, "AccessDenied");
}

#[test]
fn a_delivery_role_serves_the_rules_of_its_own_account_alone() {
    let mut aws = world();
    aws.create_role(
        HUB,
        Role::named("delivery")
            .trusting(Trusted::Service("events.amazonaws.com".to_owned()))
            .with_source_account(OTHER)
            .allowing(Permission::on_everything(&["events:PutEvents"])),
    );
    crate::bus(&mut aws, HUB, "org");
    let spoke = crate::bus(&mut aws, SPOKE, "team");
    let grant = json!({"EventBusName": "team", "StatementId": "h", "Action": "events:PutEvents", "Principal": HUB});
    crate::ok(&mut aws, SPOKE, "PutPermission", grant);
    crate::ok(
        &mut aws,
        HUB,
        "PutRule",
        json!({"EventBusName": "org", "Name": "r", "EventPattern": r#"{"source":["a"]}"#}),
    );
    let role = format!("arn:aws:iam::{HUB}:role/delivery");
    let target = json!({"EventBusName": "org", "Rule": "r", "Targets": [{"Id": "t", "Arn": spoke, "RoleArn": role}]});
    let refused = crate::events(&mut aws, &Caller::root(HUB), "PutTargets", target).unwrap_err();
    let text = format!("Provided role '{role}' cannot be assumed by principal 'events.amazonaws.com'.");
    assert_eq!(told(refused), ("ValidationException".to_owned(), 400, text));
}
