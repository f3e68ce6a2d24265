//! Rules on a bus of another account: what its policy lets in, whose the rules are, and where they deliver.

use serde_json::{Value, json};
use wheelwright::sim::{AwsError, Caller, EventEntry, Permission, Quotas, Role, SimulatedAws};

use crate::{HUB, OTHER, SPOKE, bus, events, ok, told, world};

const PATTERN: &str = r#"{"source":["com.acme"]}"#;

/// The hub's bus, on whose rules each account of the list may do everything that it made itself.
fn shared_bus(aws: &mut SimulatedAws) -> String {
    let arn = bus(aws, HUB, "org");
    let rules = arn.replace(":event-bus/", ":rule/") + "/*";
    let document = json!({"Version": "2012-10-17", "Statement": [{
        "Sid": "rules", "Effect": "Allow", "Principal": {"AWS": [SPOKE, OTHER]},
        "Action": [
            "events:PutRule", "events:DeleteRule", "events:DescribeRule", "events:DisableRule", "events:PutTargets",
            "events:RemoveTargets", "events:ListTargetsByRule", "events:TagResource", "events:ListTagsForResource",
        ],
        "Resource": rules,
        "Condition": {"StringEqualsIfExists": {"events:creatorAccount": "${aws:PrincipalAccount}"}},
    }]});
    ok(aws, HUB, "PutPermission", json!({"EventBusName": "org", "Policy": document.to_string()}));
    arn
}

fn refused(aws: &mut SimulatedAws, account: &str, operation: &str, input: Value) -> AwsError {
    match events(aws, &Caller::root(account), operation, input) {
        Ok(output) => panic!("{operation} was not refused: {output}"),
        Err(error) => error,
    }
}

#[test]
fn a_rule_that_another_account_made_is_the_owners_and_says_who_made_it() {
    let mut aws = world();
    let org = shared_bus(&mut aws);
    let tags = json!([{"Key": "team", "Value": "spoke"}]);
    let put = json!({"EventBusName": org, "Name": "r", "EventPattern": PATTERN, "Tags": tags});
    let made = ok(&mut aws, SPOKE, "PutRule", put);
    assert_eq!(made["RuleArn"], format!("arn:aws:events:us-east-1:{HUB}:rule/org/r"));
    let seen = ok(&mut aws, HUB, "DescribeRule", json!({"EventBusName": "org", "Name": "r"}));
    assert_eq!(seen["CreatedBy"], SPOKE);
    let listed = ok(&mut aws, HUB, "ListRules", json!({"EventBusName": "org"}));
    assert_eq!(listed["Rules"][0].get("CreatedBy"), None, "only DescribeRule tells");
    let own = ok(&mut aws, SPOKE, "DescribeRule", json!({"EventBusName": org, "Name": "r"}));
    assert_eq!(own, seen);
    let tagged = ok(&mut aws, SPOKE, "ListTagsForResource", json!({"ResourceARN": made["RuleArn"]}));
    assert_eq!(tagged["Tags"], tags);
    ok(&mut aws, SPOKE, "DeleteRule", json!({"EventBusName": org, "Name": "r"}));
    let rules = ok(&mut aws, HUB, "ListRules", json!({"EventBusName": "org"}));
    assert_eq!(rules["Rules"], json!([]));
}

#[test]
fn nobody_touches_a_rule_that_somebody_else_made() {
    let mut aws = world();
    let org = shared_bus(&mut aws);
    ok(&mut aws, HUB, "PutRule", json!({"EventBusName": "org", "Name": "owners", "EventPattern": PATTERN}));
    ok(&mut aws, SPOKE, "PutRule", json!({"EventBusName": org, "Name": "spokes", "EventPattern": PATTERN}));
    for (account, rule) in [(SPOKE, "owners"), (OTHER, "owners"), (OTHER, "spokes")] {
        let text = format!(
            "User: arn:aws:iam::{account}:root is not authorized to perform: events:DescribeRule on resource: \
             arn:aws:events:us-east-1:{HUB}:rule/org/{rule} because no resource-based policy allows the \
             events:DescribeRule action"
        );
        let denied = refused(&mut aws, account, "DescribeRule", json!({"EventBusName": org, "Name": rule}));
        assert_eq!(told(denied), ("AccessDeniedException".to_owned(), 400, text));
        let put = json!({"EventBusName": org, "Name": rule, "EventPattern": PATTERN, "State": "DISABLED"});
        assert_eq!(refused(&mut aws, account, "PutRule", put).code, "AccessDeniedException");
    }
    for operation in ["ListRules", "DescribeEventBus"] {
        let input = json!({"EventBusName": org, "Name": org});
        assert_eq!(refused(&mut aws, SPOKE, operation, input).code, "AccessDeniedException", "{operation}");
    }
    ok(&mut aws, HUB, "DeleteRule", json!({"EventBusName": "org", "Name": "spokes"}));
}

#[test]
fn the_callers_own_permissions_count_as_well() {
    let mut aws = world();
    let org = shared_bus(&mut aws);
    let put = json!({"EventBusName": org, "Name": "r", "EventPattern": PATTERN});
    aws.create_role(SPOKE, Role::named("idle"));
    let denied = events(&mut aws, &Caller::role(SPOKE, "idle", "s"), "PutRule", put.clone()).unwrap_err();
    assert!(denied.message.ends_with("because no identity-based policy allows the events:PutRule action"), "{denied}");
    aws.create_role(SPOKE, Role::named("idle").allowing(Permission::on_everything(&["events:PutRule"])));
    assert!(events(&mut aws, &Caller::role(SPOKE, "idle", "s"), "PutRule", put).is_ok());
}

#[test]
fn others_rules_count_against_the_owners_quota_and_only_buses_can_be_their_targets() {
    let mut aws = world();
    let org = shared_bus(&mut aws);
    aws.set_quotas(HUB, Quotas { rules_per_bus: 1, ..Quotas::default() });
    ok(&mut aws, SPOKE, "PutRule", json!({"EventBusName": org, "Name": "a", "EventPattern": PATTERN}));
    let second = json!({"EventBusName": org, "Name": "b", "EventPattern": PATTERN});
    assert_eq!(refused(&mut aws, SPOKE, "PutRule", second).code, "LimitExceededException");
    let queue = format!("arn:aws:sqs:us-east-1:{SPOKE}:dead-letters");
    let target = json!({"EventBusName": org, "Rule": "a", "Targets": [{"Id": "q", "Arn": queue}]});
    let text = "Only EventBus targets are allowed on cross-account PutTargets calls.".to_owned();
    let only_buses = refused(&mut aws, SPOKE, "PutTargets", target);
    assert_eq!(told(only_buses), ("ValidationException".to_owned(), 400, text));
}

/// The role is the subscriber's, and so is the bus: it needs no policy for the hub.
#[test]
fn a_subscriber_delivers_to_its_own_bus_with_its_own_role() {
    let mut aws = world();
    let org = shared_bus(&mut aws);
    let team = bus(&mut aws, SPOKE, "team");
    let role = Role::named("subscribe")
        .trusting(wheelwright::sim::Trusted::Service("events.amazonaws.com".to_owned()))
        .allowing(Permission::on(&["events:PutEvents"], &[&team]));
    aws.create_role(SPOKE, role);
    ok(&mut aws, SPOKE, "PutRule", json!({"EventBusName": org, "Name": "r", "EventPattern": PATTERN}));
    let role = format!("arn:aws:iam::{SPOKE}:role/subscribe");
    let targets = json!([{"Id": "own", "Arn": team, "RoleArn": role}]);
    ok(&mut aws, SPOKE, "PutTargets", json!({"EventBusName": org, "Rule": "r", "Targets": targets}));
    let inbox = format!("arn:aws:sqs:us-east-1:{SPOKE}:dead-letters");
    ok(&mut aws, SPOKE, "PutRule", json!({"EventBusName": "team", "Name": "in", "EventPattern": PATTERN}));
    let input = json!({"EventBusName": "team", "Rule": "in", "Targets": [{"Id": "q", "Arn": inbox}]});
    ok(&mut aws, SPOKE, "PutTargets", input);
    aws.put_event(&Caller::root(HUB), "us-east-1", &EventEntry::new("org", "com.acme", "d", json!({}))).unwrap();
    assert_eq!(aws.messages(&inbox).len(), 1, "{:?}", aws.trace());
}

#[test]
fn a_denial_in_the_bus_policy_holds_at_home_too() {
    let mut aws = world();
    let org = bus(&mut aws, HUB, "org");
    let document = json!({"Version": "2012-10-17", "Statement": [{
        "Sid": "frozen", "Effect": "Deny", "Principal": "*", "Action": "events:DeleteRule",
        "Resource": org.replace(":event-bus/", ":rule/") + "/kept*",
    }]});
    ok(&mut aws, HUB, "PutPermission", json!({"EventBusName": "org", "Policy": document.to_string()}));
    let denied = refused(&mut aws, HUB, "DeleteRule", json!({"EventBusName": "org", "Name": "kept-1"}));
    assert!(denied.message.ends_with("with an explicit deny in a resource-based policy"), "{denied}");
    ok(&mut aws, HUB, "DeleteRule", json!({"EventBusName": "org", "Name": "other"}));
}

/// Captured: the same document again does not bind the role anew, taking the statement away and putting it back does.
#[test]
fn a_dead_principal_comes_back_to_life_only_when_its_statement_goes_and_comes_back() {
    let mut aws = world();
    let org = bus(&mut aws, HUB, "org");
    let role = format!("arn:aws:iam::{SPOKE}:role/delivery");
    let document = json!({"Version": "2012-10-17", "Statement": [{
        "Sid": "role", "Effect": "Allow", "Principal": {"AWS": role}, "Action": "events:PutEvents", "Resource": org,
    }]});
    let put = json!({"EventBusName": "org", "Policy": document.to_string()});
    let principal = |aws: &mut SimulatedAws| {
        let described = ok(aws, HUB, "DescribeEventBus", json!({"Name": "org"}));
        let policy: Value = serde_json::from_str(described["Policy"].as_str().unwrap()).unwrap();
        policy["Statement"][0]["Principal"]["AWS"].as_str().unwrap().to_owned()
    };
    ok(&mut aws, HUB, "PutPermission", put.clone());
    aws.delete_role(SPOKE, "delivery");
    aws.create_role(SPOKE, Role::named("delivery"));
    let dead = principal(&mut aws);
    assert!(dead.starts_with("AROA"), "{dead}");
    ok(&mut aws, HUB, "PutPermission", put.clone());
    assert_eq!(principal(&mut aws), dead);
    let another = json!({"EventBusName": "org", "StatementId": "x", "Action": "events:PutEvents", "Principal": OTHER});
    ok(&mut aws, HUB, "PutPermission", another);
    ok(&mut aws, HUB, "RemovePermission", json!({"EventBusName": "org", "StatementId": "x"}));
    assert_eq!(principal(&mut aws), dead);
    ok(&mut aws, HUB, "RemovePermission", json!({"EventBusName": "org", "StatementId": "role"}));
    ok(&mut aws, HUB, "PutPermission", put);
    assert_eq!(principal(&mut aws), role);
}

/// Captured, action by action.
#[test]
fn a_bus_policy_may_say_only_what_aws_takes() {
    let mut aws = world();
    let org = bus(&mut aws, HUB, "org");
    let mut put = |members: Value| {
        let mut statement = json!({
            "Sid": "s", "Effect": "Allow", "Principal": {"AWS": SPOKE}, "Action": "events:PutEvents", "Resource": org,
        });
        for (name, value) in members.as_object().unwrap() {
            statement[name] = value.clone();
        }
        let document = json!({"Version": "2012-10-17", "Statement": [statement]}).to_string();
        let input = json!({"EventBusName": "org", "Policy": document});
        events(&mut aws, &Caller::root(HUB), "PutPermission", input).map_err(|error| error.message)
    };
    for action in ["*", "events:*", "events:ListRuleNamesByTarget", "events:TagResource"] {
        assert_eq!(put(json!({"Action": action})), Ok(json!({})), "{action}");
    }
    for action in ["events:InvokeApiDestination", "events:PutPermission", "events:ListEventBuses", "sqs:SendMessage"] {
        assert!(put(json!({"Action": action})).is_err(), "{action}");
    }
    for member in ["NotAction", "NotResource", "NotPrincipal"] {
        assert_eq!(put(json!({member: "x"})), Err(format!("Has prohibited field {member}")));
    }
}
