//! The doors of the simulated AWS: the shipped SDK, a TCP client and the call door see the same accounts.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(clippy::needless_pass_by_value)]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_sdk_eventbridge::config::{BehaviorVersion, Credentials as SdkCredentials, Region};
use aws_sdk_eventbridge::error::ProvideErrorMetadata;
use aws_sdk_eventbridge::types::Target;
use wheelwright::call::{Answer, Call, ErrorClass};
use wheelwright::model::ids::Scope;
use wheelwright::model::resource::{BusSettings, Grantee, RuleState, TargetSpec};
use wheelwright::model::topology::Tags;
use wheelwright::port::Fleet;
use wheelwright::sim::call_door::{Operator, SimFleet};
use wheelwright::sim::fault::{Fault, FaultyFleet, Schedule};
use wheelwright::sim::sdk_door::SimHttpClient;
use wheelwright::sim::tcp::serve;
use wheelwright::sim::{Bootstrap, Caller, Credentials, Quotas, SimulatedAws};

const HUB: &str = "111111111111";
const SPOKE: &str = "222222222222";
const REGION: &str = "us-east-1";

fn world() -> Arc<Mutex<SimulatedAws>> {
    let mut aws = SimulatedAws::default();
    let bootstrap = Bootstrap {
        operator_account: HUB.to_owned(),
        external_id: "wheel".to_owned(),
        operator_role: "operator".to_owned(),
        delivery_role: "delivery".to_owned(),
        dead_letter_queue: "dead-letters".to_owned(),
        operator_permissions: None,
    };
    for account in [HUB, SPOKE] {
        aws.bootstrap_account(account, &[REGION], &bootstrap);
    }
    Arc::new(Mutex::new(aws))
}

fn fleet(world: &Arc<Mutex<SimulatedAws>>) -> SimFleet {
    let operator = Operator {
        base: Caller::root(HUB),
        role: "operator".to_owned(),
        external_id: Some("wheel".to_owned()),
        session: "wheelwright".to_owned(),
    };
    SimFleet::new(Arc::clone(world), operator)
}

fn scope(account: &str) -> Scope {
    Scope::new(account.parse().unwrap(), REGION)
}

fn sdk(world: &Arc<Mutex<SimulatedAws>>, key: Credentials) -> aws_sdk_eventbridge::Client {
    let credentials =
        SdkCredentials::new(key.access_key_id, key.secret_access_key, key.session_token, None, "simulated");
    let config = aws_sdk_eventbridge::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(REGION))
        .credentials_provider(credentials)
        .http_client(SimHttpClient::new(Arc::clone(world)).with_latency(Duration::from_millis(30)))
        .build();
    aws_sdk_eventbridge::Client::from_conf(config)
}

fn create_bus(bus: &str) -> Call {
    Call::CreateEventBus {
        bus: bus.to_owned(),
        settings: BusSettings { description: "a bus".to_owned(), ..BusSettings::default() },
        tags: Tags::new(),
    }
}

fn list_buses() -> Call {
    Call::ListEventBuses { next_token: None }
}

fn bus_names(answer: Answer) -> Vec<String> {
    match answer {
        Answer::Buses(page) => page.items.into_iter().map(|bus| bus.name).collect(),
        other => panic!("not a listing of buses: {other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn the_sdk_works_against_it_and_reads_its_errors() {
    let world = world();
    let key = world.lock().unwrap().mint_root_key(HUB);
    let client = sdk(&world, key);
    let created = client.create_event_bus().name("org").description("the hub").send().await.unwrap();
    assert_eq!(created.event_bus_arn(), Some("arn:aws:events:us-east-1:111111111111:event-bus/org"));
    let described = client.describe_event_bus().name("org").send().await.unwrap();
    assert_eq!(described.description(), Some("the hub"));
    assert_eq!(described.creation_time().map(aws_sdk_eventbridge::primitives::DateTime::secs), Some(0));
    let missing = client.describe_event_bus().name("nope").send().await.unwrap_err().into_service_error();
    assert!(missing.is_resource_not_found_exception(), "{missing:?}");
    client.put_rule().event_bus_name("org").name("r").event_pattern(r#"{"source":["a"]}"#).send().await.unwrap();
    let target = Target::builder().id("t").arn("arn:aws:events:us-east-1:222222222222:event-bus/x").build().unwrap();
    let refused = client.put_targets().event_bus_name("org").rule("r").targets(target).send().await.unwrap_err();
    assert_eq!(refused.code(), Some("ValidationException"));
}

#[tokio::test(start_paused = true)]
async fn the_sdk_sees_that_a_key_has_expired() {
    let world = world();
    let key = world.lock().unwrap().mint_root_key(HUB);
    world.lock().unwrap().expire_key(&key.access_key_id);
    let refused = sdk(&world, key).list_event_buses().send().await.unwrap_err();
    assert_eq!(refused.code(), Some("ExpiredTokenException"));
}

#[tokio::test]
async fn a_port_serves_the_same_accounts_to_any_client() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let world = world();
    let key = world.lock().unwrap().mint_root_key(HUB).access_key_id;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let served = tokio::spawn(serve(listener, Arc::clone(&world), async move {
        let _ = stopped.await;
    }));
    let body = r#"{"Name": "org"}"#;
    let request = format!(
        "POST / HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\nx-amz-target: AWSEvents.CreateEventBus\r\n\
         authorization: AWS4-HMAC-SHA256 Credential={key}/20260101/{REGION}/events/aws4_request, SignedHeaders=host, Signature=0\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    assert!(answer.contains("event-bus/org"), "{answer}");
    stop.send(()).unwrap();
    served.await.unwrap().unwrap();
    let buses = fleet(&world).call(&scope(HUB), list_buses()).await.unwrap();
    assert_eq!(bus_names(buses), ["default", "org"]);
}

#[tokio::test]
async fn a_port_that_others_can_reach_is_refused() {
    let listener = tokio::net::TcpListener::bind("0.0.0.0:0").await.unwrap();
    let refused = serve(listener, world(), std::future::pending()).await.unwrap_err();
    assert!(refused.to_string().contains("loopback"), "{refused}");
}

#[tokio::test]
async fn calls_go_through_the_operators_role_and_read_back_what_they_wrote() {
    let world = world();
    let fleet = fleet(&world);
    let (hub, spoke) = (scope(HUB), scope(SPOKE));
    let done = async |scope: &Scope, call: Call| fleet.call(scope, call).await.unwrap();
    done(&hub, create_bus("org")).await;
    done(&spoke, create_bus("team")).await;
    let grantee = Grantee::Account(HUB.parse().unwrap());
    done(&spoke, Call::PutPermission { bus: "team".into(), statement_id: "hub".into(), grantee }).await;
    let rule = Call::PutRule {
        bus: "org".into(),
        rule: "r".into(),
        description: "to the team".into(),
        pattern: r#"{"source":["a"]}"#.into(),
        state: RuleState::Enabled,
        tags: Tags::from_iter([("owner".to_owned(), "me".to_owned())]),
    };
    done(&hub, rule).await;
    let spec = TargetSpec {
        arn: format!("arn:aws:events:{REGION}:{SPOKE}:event-bus/team"),
        role_arn: Some(format!("arn:aws:iam::{HUB}:role/delivery")),
        dead_letter_arn: Some(format!("arn:aws:sqs:{REGION}:{HUB}:dead-letters")),
        retry: None,
    };
    let targets = vec![("t".to_owned(), spec.clone())];
    let put = done(&hub, Call::PutTargets { bus: "org".into(), rule: "r".into(), targets }).await;
    assert_eq!(put, Answer::Entries { failed: Vec::new(), request_id: None });
    let listed = done(&hub, Call::ListTargetsByRule { bus: "org".into(), rule: "r".into(), next_token: None }).await;
    let Answer::Targets(page) = listed else { panic!("not targets: {listed:?}") };
    assert_eq!(page.items.len(), 1);
    assert_eq!((&page.items[0].0[..], &page.items[0].1.spec), ("t", &spec));
    assert!(page.items[0].1.other.is_empty());
    let described = done(&hub, Call::DescribeRule { bus: "org".into(), rule: "r".into() }).await;
    let Answer::Rule(rule) = described else { panic!("not a rule: {described:?}") };
    assert_eq!((rule.description.as_str(), rule.state.as_str()), ("to the team", "ENABLED"));
    let principals: Vec<String> = fleet.world().log().iter().map(|entry| entry.principal.clone()).collect();
    assert!(principals.iter().all(|arn| arn.ends_with(":assumed-role/operator/wheelwright")), "{principals:?}");
}

#[tokio::test]
async fn refusals_have_the_class_of_their_code() {
    let world = world();
    let right = fleet(&world);
    let class = async |fleet: &SimFleet, scope: &Scope, call: Call| fleet.call(scope, call).await.unwrap_err().class;
    let missing = Call::DescribeEventBus { bus: "nope".into() };
    assert_eq!(class(&right, &scope(HUB), missing).await, ErrorClass::NotFound);
    world.lock().unwrap().set_quotas(HUB, Quotas { buses: 0, ..Quotas::default() });
    assert_eq!(class(&right, &scope(HUB), create_bus("b")).await, ErrorClass::LimitExceeded);
    world.lock().unwrap().deny(SPOKE, "events:ListEventBuses");
    let denied = right.call(&scope(SPOKE), list_buses()).await.unwrap_err();
    assert_eq!((denied.class, denied.action.as_str()), (ErrorClass::Denied, "events:ListEventBuses"));
    assert!(denied.request_id.is_some());
    world.lock().unwrap().delete_role(SPOKE, "operator");
    let refused = right.call(&scope(SPOKE), list_buses()).await.unwrap_err();
    assert_eq!((refused.class, refused.action.as_str()), (ErrorClass::RoleRefused, "sts:AssumeRole"));
}

#[tokio::test]
async fn a_lost_reply_has_its_effect_and_an_unsent_request_has_none() {
    for (fault, expected) in [(Fault::ReplyLost, true), (Fault::NotSent, false), (Fault::Throttle, false)] {
        let fleet = FaultyFleet::new(fleet(&world()), Schedule::once(1, fault));
        assert!(fleet.call(&scope(HUB), create_bus("org")).await.unwrap_err().class.is_transient());
        let buses = bus_names(fleet.call(&scope(HUB), list_buses()).await.unwrap());
        assert_eq!(buses.contains(&"org".to_owned()), expected, "{fault:?}");
    }
}

#[tokio::test]
async fn a_crash_ends_everything_and_leaves_what_was_done() {
    for (fault, expected) in [(Fault::CrashBefore, false), (Fault::CrashAfter, true)] {
        let world = world();
        let faulty = FaultyFleet::new(fleet(&world), Schedule::once(1, fault));
        assert!(faulty.call(&scope(HUB), create_bus("org")).await.is_err());
        assert!(faulty.has_crashed());
        assert!(faulty.call(&scope(HUB), list_buses()).await.is_err(), "a dead process makes no calls");
        let buses = bus_names(fleet(&world).call(&scope(HUB), list_buses()).await.unwrap());
        assert_eq!(buses.contains(&"org".to_owned()), expected, "{fault:?}");
    }
}

#[tokio::test]
async fn a_cut_listing_fails_on_its_second_page_once() {
    let world = world();
    world.lock().unwrap().settings.page_size = 1;
    let fleet = FaultyFleet::new(fleet(&world), Schedule::once(2, Fault::CutPage));
    fleet.call(&scope(HUB), create_bus("org")).await.unwrap();
    let Answer::Buses(first) = fleet.call(&scope(HUB), list_buses()).await.unwrap() else { panic!("not buses") };
    let second = Call::ListEventBuses { next_token: first.next_token };
    assert_eq!(fleet.call(&scope(HUB), second.clone()).await.unwrap_err().class, ErrorClass::ServerError);
    assert_eq!(bus_names(fleet.call(&scope(HUB), second).await.unwrap()), ["org"]);
}

#[tokio::test]
async fn a_stale_read_shows_the_world_before_the_last_write() {
    let fleet = FaultyFleet::new(fleet(&world()), Schedule::once(3, Fault::StaleRead)).with_forks(SimFleet::fork);
    fleet.call(&scope(HUB), create_bus("first")).await.unwrap();
    fleet.call(&scope(HUB), create_bus("second")).await.unwrap();
    assert_eq!(bus_names(fleet.call(&scope(HUB), list_buses()).await.unwrap()), ["default", "first"]);
    assert_eq!(bus_names(fleet.call(&scope(HUB), list_buses()).await.unwrap()), ["default", "first", "second"]);
}

#[tokio::test]
async fn a_stale_first_look_shows_the_world_of_earlier_once() {
    let fleet = fleet(&world());
    let earlier = fleet.fork();
    fleet.call(&scope(HUB), create_bus("since")).await.unwrap();
    let always = Schedule::Seeded { seed: 1, per_thousand: 1_000, faults: vec![Fault::StaleRead] };
    let fleet = FaultyFleet::new(fleet, always).with_forks(SimFleet::fork).with_earlier(Some(earlier));
    assert_eq!(bus_names(fleet.call(&scope(HUB), list_buses()).await.unwrap()), ["default"]);
    assert_eq!(bus_names(fleet.call(&scope(HUB), list_buses()).await.unwrap()), ["default", "since"]);
    // From the first write on, it is what was before that.
    fleet.call(&scope(HUB), create_bus("later")).await.unwrap();
    assert_eq!(bus_names(fleet.call(&scope(HUB), list_buses()).await.unwrap()), ["default", "since"]);
}

#[test]
fn a_seed_always_chooses_the_same_faults_and_about_as_many_as_asked() {
    let schedule = |seed| Schedule::Seeded { seed, per_thousand: 100, faults: vec![Fault::Throttle, Fault::ReplyLost] };
    let chosen = |seed| (1..=10_000).filter_map(|call| schedule(seed).fault(call)).collect::<Vec<_>>();
    assert_eq!(chosen(7), chosen(7));
    assert_ne!(chosen(7), chosen(8));
    assert!((800..1_200).contains(&chosen(7).len()), "{}", chosen(7).len());
    assert!(chosen(7).contains(&Fault::Throttle) && chosen(7).contains(&Fault::ReplyLost));
}
