//! An account in trouble: what its callers are told, at the core and on the wire.

use std::sync::{Arc, Mutex};

use aws_sdk_eventbridge::config::{BehaviorVersion, Credentials as SdkCredentials, Region};
use aws_sdk_eventbridge::error::ProvideErrorMetadata;
use serde_json::{Value, json};
use wheelwright::call::{Call, ErrorClass};
use wheelwright::model::ids::Scope;
use wheelwright::model::topology::Tags;
use wheelwright::sim::call_door::{Operator, SimFleet};
use wheelwright::sim::sdk_door::SimHttpClient;
use wheelwright::sim::{AwsError, Caller, EventEntry, Service, SimulatedAws};

use crate::{EAST, HUB, SPOKE, WEST, bus, events, ok, told, world};

const LIST: &str = "ListEventBuses";

fn operator() -> Caller {
    Caller::role(SPOKE, "operator", "sweep")
}

fn assume(aws: &mut SimulatedAws, by: &str, region: &str) -> Result<Value, AwsError> {
    let role = format!("arn:aws:iam::{SPOKE}:role/operator");
    let input = json!({"RoleArn": role, "RoleSessionName": "sweep", "ExternalId": "wheel"});
    aws.call(&Caller::root(by), region, Service::Sts, "AssumeRole", &input)
}

fn fleet(aws: SimulatedAws) -> SimFleet {
    let operator = Operator {
        base: Caller::root(HUB),
        role: "operator".to_owned(),
        external_id: Some("wheel".to_owned()),
        session: "sweep".to_owned(),
    };
    SimFleet::new(Arc::new(Mutex::new(aws)), operator)
}

#[test]
fn a_service_control_policy_denies_single_actions_to_everybody_in_the_account() {
    let mut aws = world();
    aws.deny_by_organization(SPOKE, "events:Put*");
    let rule = json!({"Name": "r", "EventPattern": r#"{"source":["a"]}"#});
    let text = "User: arn:aws:sts::222222222222:assumed-role/operator/sweep is not authorized to perform: \
                events:PutRule on resource: arn:aws:events:us-east-1:222222222222:rule/r with an explicit deny in a \
                service control policy";
    let denied = events(&mut aws, &operator(), "PutRule", rule.clone()).unwrap_err();
    assert_eq!(told(denied), ("AccessDeniedException".to_owned(), 400, text.to_owned()));
    let root = events(&mut aws, &Caller::root(SPOKE), "PutRule", rule.clone()).unwrap_err();
    assert!(root.message.ends_with("with an explicit deny in a service control policy"), "{root}");
    assert!(events(&mut aws, &operator(), LIST, json!({})).is_ok(), "other actions go on");
    ok(&mut aws, HUB, "PutRule", rule.clone());
    aws.undo_deny_by_organization(SPOKE, "events:Put*");
    assert!(events(&mut aws, &operator(), "PutRule", rule).is_ok());
}

#[test]
fn a_service_control_policy_is_worded_and_coded_as_each_service_does_it() {
    let mut aws = world();
    for action in ["iam:GetRole", "sqs:*", "sts:AssumeRole"] {
        aws.deny_by_organization(HUB, action);
    }
    let root = Caller::root(HUB);
    let role = aws.call(&root, EAST, Service::Iam, "GetRole", &json!({"RoleName": "operator"})).unwrap_err();
    let queue = aws.call(&root, EAST, Service::Sqs, "GetQueueUrl", &json!({"QueueName": "dead-letters"})).unwrap_err();
    let assumed = assume(&mut aws, HUB, EAST).unwrap_err();
    for (error, on) in [
        (role, "iam:GetRole on resource: role operator"),
        (queue, "sqs:getqueueurl on resource: arn:aws:sqs:us-east-1:111111111111:dead-letters"),
        (assumed, "sts:AssumeRole on resource: arn:aws:iam::222222222222:role/operator"),
    ] {
        let text = format!(
            "User: arn:aws:iam::{HUB}:root is not authorized to perform: {on} with an explicit deny in a service \
             control policy"
        );
        assert_eq!(told(error), ("AccessDenied".to_owned(), 403, text));
    }
}

#[test]
fn a_service_control_policy_holds_for_delivery_roles_too() {
    let mut aws = world();
    bus(&mut aws, HUB, "org");
    let team = bus(&mut aws, SPOKE, "team");
    let grant = json!({"EventBusName": "team", "StatementId": "h", "Action": "events:PutEvents", "Principal": HUB});
    ok(&mut aws, SPOKE, "PutPermission", grant);
    ok(&mut aws, HUB, "PutRule", json!({"EventBusName": "org", "Name": "r", "EventPattern": r#"{"source":["a"]}"#}));
    let letters = format!("arn:aws:sqs:us-east-1:{HUB}:dead-letters");
    let role = format!("arn:aws:iam::{HUB}:role/delivery");
    let targets = json!([{"Id": "t", "Arn": team, "RoleArn": role, "DeadLetterConfig": {"Arn": letters}}]);
    ok(&mut aws, HUB, "PutTargets", json!({"EventBusName": "org", "Rule": "r", "Targets": targets}));
    let lost = |aws: &mut SimulatedAws, by: &str| {
        let before = aws.messages(&letters).len();
        aws.put_event(&Caller::root(by), EAST, &EventEntry::new(&org_arn(), "a", "d", json!({}))).unwrap();
        aws.messages(&letters).len() - before
    };
    let open = json!({"EventBusName": "org", "StatementId": "s", "Action": "events:PutEvents", "Principal": SPOKE});
    ok(&mut aws, HUB, "PutPermission", open);
    assert_eq!(lost(&mut aws, SPOKE), 0);
    aws.deny_by_organization(HUB, "events:PutEvents");
    assert_eq!(lost(&mut aws, SPOKE), 1, "the role is the hub's");
    aws.undo_deny_by_organization(HUB, "events:PutEvents");
    aws.suspend_account(SPOKE);
    assert_eq!(lost(&mut aws, HUB), 1, "the destination is suspended");
}

fn org_arn() -> String {
    format!("arn:aws:events:{EAST}:{HUB}:event-bus/org")
}

#[test]
fn a_region_that_is_not_enabled_knows_no_key_of_the_account() {
    let mut aws = world();
    aws.disable_region(SPOKE, WEST);
    let text = "The security token included in the request is invalid.";
    let unknown = aws.call(&operator(), WEST, Service::EventBridge, LIST, &json!({})).unwrap_err();
    assert_eq!(told(unknown), ("UnrecognizedClientException".to_owned(), 400, text.to_owned()));
    assert!(events(&mut aws, &operator(), LIST, json!({})).is_ok(), "the other Region goes on");
    let assumed = assume(&mut aws, HUB, WEST);
    assert!(assumed.is_ok(), "whose role it is does not matter to the STS of a Region, but who asks: {assumed:?}");
    aws.disable_region(HUB, WEST);
    let unknown = assume(&mut aws, HUB, WEST).unwrap_err();
    assert_eq!(told(unknown), ("InvalidClientTokenId".to_owned(), 403, text.to_owned()));
    aws.enable_region(SPOKE, WEST);
    assert!(aws.call(&operator(), WEST, Service::EventBridge, LIST, &json!({})).is_ok());
}

#[test]
fn a_suspended_account_lets_nobody_in_and_its_sessions_do_nothing() {
    let mut aws = world();
    aws.suspend_account(SPOKE);
    let text = format!(
        "User: arn:aws:iam::{HUB}:root is not authorized to perform: sts:AssumeRole on resource: \
         arn:aws:iam::{SPOKE}:role/operator"
    );
    let refused = assume(&mut aws, HUB, EAST).unwrap_err();
    assert_eq!(told(refused), ("AccessDenied".to_owned(), 403, text));
    let denied = events(&mut aws, &operator(), LIST, json!({})).unwrap_err();
    assert_eq!((denied.code.as_str(), denied.status), ("AccessDeniedException", 400));
    assert!(events(&mut aws, &Caller::root(HUB), LIST, json!({})).is_ok(), "the others go on");
    aws.reinstate_account(SPOKE);
    assert!(assume(&mut aws, HUB, EAST).is_ok());
    assert!(events(&mut aws, &operator(), LIST, json!({})).is_ok());
}

#[tokio::test(start_paused = true)]
async fn sessions_that_end_early_are_told_as_expired_and_long_lived_keys_go_on() {
    let mut aws = world();
    let minted = assume(&mut aws, HUB, EAST).unwrap()["Credentials"].clone();
    let root = aws.mint_root_key(SPOKE);
    aws.expire_sessions(HUB);
    let world = Arc::new(Mutex::new(aws));
    let field = |name: &str| minted[name].as_str().unwrap().to_owned();
    let client = |key: String, secret: String, token: Option<String>| {
        let config = aws_sdk_eventbridge::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(EAST))
            .credentials_provider(SdkCredentials::new(key, secret, token, None, "simulated"))
            .http_client(SimHttpClient::new(Arc::clone(&world)))
            .build();
        aws_sdk_eventbridge::Client::from_conf(config)
    };
    let session = client(field("AccessKeyId"), field("SecretAccessKey"), Some(field("SessionToken")));
    session.list_event_buses().send().await.expect("sessions of another account were ended");
    world.lock().unwrap().expire_sessions(SPOKE);
    let expired = session.list_event_buses().send().await.unwrap_err();
    assert_eq!(expired.code(), Some("ExpiredTokenException"));
    let long_lived = client(root.access_key_id, root.secret_access_key, None);
    long_lived.list_event_buses().send().await.unwrap();
}

#[test]
fn a_role_in_another_account_is_found_out_before_anything_is_sent() {
    let mut aws = world();
    aws.misdirect_role(SPOKE, "operator", HUB);
    let minted = assume(&mut aws, HUB, EAST).unwrap();
    assert_eq!(minted["AssumedRoleUser"]["Arn"], format!("arn:aws:sts::{HUB}:assumed-role/operator/sweep"));
    let session = aws.caller_of_key(minted["Credentials"]["AccessKeyId"].as_str().unwrap()).unwrap();
    let identity = aws.call(&session, EAST, Service::Sts, "GetCallerIdentity", &json!({})).unwrap();
    assert_eq!(identity["Account"], HUB);

    let fleet = fleet(aws);
    let scope = Scope::new(SPOKE.parse().unwrap(), EAST);
    let create = Call::CreateEventBus { bus: "b".to_owned(), settings: Default::default(), tags: Tags::new() };
    let wrong = fleet.call_now(&scope, &create).unwrap_err();
    assert_eq!((wrong.class, wrong.action.as_str()), (ErrorClass::WrongAccount, "sts:GetCallerIdentity"));
    assert!(wrong.message.contains(HUB) && wrong.message.contains(SPOKE), "{wrong}");
    assert!(fleet.world().log().is_empty(), "nothing was written anywhere");
    fleet.world().undo_misdirect_role(SPOKE, "operator");
    fleet.call_now(&scope, &create).unwrap();
}

#[test]
fn each_trouble_has_its_class_at_the_call_door_and_stays_in_its_account() {
    type Trouble = fn(&mut SimulatedAws);
    let list = Call::ListEventBuses { next_token: None };
    let troubles: [(Trouble, ErrorClass); 3] = [
        (|aws| aws.deny_by_organization(SPOKE, "events:ListEventBuses"), ErrorClass::Denied),
        (|aws| aws.disable_region(SPOKE, EAST), ErrorClass::Credentials),
        (|aws| aws.suspend_account(SPOKE), ErrorClass::RoleRefused),
    ];
    let scope = |account: &str| Scope::new(account.parse().unwrap(), EAST);
    for (trouble, class) in troubles {
        let mut aws = world();
        trouble(&mut aws);
        let fleet = fleet(aws);
        let error = fleet.call_now(&scope(SPOKE), &list).unwrap_err();
        assert_eq!(error.class, class, "{error}");
        fleet.call_now(&scope(HUB), &list).unwrap();
    }
    let mut aws = world();
    aws.deny_by_organization(HUB, "sts:*");
    let fleet = fleet(aws);
    for account in [HUB, SPOKE] {
        let error = fleet.call_now(&scope(account), &list).unwrap_err();
        assert_eq!(error.class, ErrorClass::RoleRefused, "the operator itself may not assume anything: {error}");
    }
}
