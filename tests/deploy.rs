//! The templates of `deploy/cloudformation`, held to the program: the operator role may do what the program can call, on
//! what is wheelwright's, and no more; and the worked example comes up and delivers with these rights alone.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]
#![allow(clippy::disallowed_methods)] // It reads the templates and the page about them.

mod support;
mod template;

use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use support::probes::{Mail, PLATFORM, US, misdelivered, probes};
use support::{Bench, Example};
use template::{Stack, Statement, Template};
use wheelwright::call::Call;
use wheelwright::config::Settings;
use wheelwright::eventbridge::Arn;
use wheelwright::model::ids::{Owner, Scope};
use wheelwright::model::mark;
use wheelwright::model::resource::{BusId, RuleId};
use wheelwright::model::topology::Access;
use wheelwright::model::world::Observation;
use wheelwright::sim::{Permission, Role, SimulatedAws, Trusted};
use wheelwright::stage::{OPERATOR_ACCOUNT, furnish};

const GLOBAL: &str = "member-global.yaml";
const REGIONAL: &str = "member-region.yaml";
const ACCOUNT: &str = "123456789012";
const KEY: &str = "arn:aws:kms:us-east-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab";

/// What has no default.
const REQUIRED: [(&str, &str); 3] = [
    ("OperatorPrincipalArns", "arn:aws:iam::100000000001:role/wheelwright"),
    ("ExternalId", "ours-alone"),
    ("OrganizationId", "o-a1b2c3d4e5"),
];

/// Actions that no call is named after, and why the operator role has them all the same.
const DEPENDENTS: [(&str, &str); 5] = [
    ("iam:PassRole", "PutTargets names the delivery role: the caller must be allowed to hand it to EventBridge"),
    ("kms:Decrypt", "the rules of a bus with a key of its own are read in the caller's name"),
    ("kms:DescribeKey", "the key of such a bus is looked up in the caller's name"),
    ("kms:GenerateDataKey", "the rules of such a bus are written in the caller's name"),
    ("kms:GenerateDataKeyWithoutPlaintext", "a bus is given a key in the caller's name, as was captured"),
];

/// What deletes what no rule can bring back.
const RETIRE: [&str; 2] = ["events:DeleteArchive", "events:DeleteEventBus"];

/// Actions that know no resource, so that nothing but `*` can be said
/// (<https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazoneventbridge.html>).
const KNOW_NO_RESOURCE: [&str; 5] = [
    "events:ListArchives",
    "events:ListEventBuses",
    "events:ListRules",
    "events:PutPermission",
    "events:RemovePermission",
];

#[test]
fn the_operator_may_do_all_that_the_program_can_call_and_nothing_else() {
    let granted = operator_actions(&[("AllowRetire", "yes"), ("KmsKeyArns", KEY)]);
    let called: BTreeSet<String> = Call::ACTIONS.iter().map(|action| (*action).to_owned()).collect();
    let dependents: BTreeSet<String> = DEPENDENTS.iter().map(|(action, _)| (*action).to_owned()).collect();
    let lacking: Vec<_> = called.union(&dependents).filter(|action| !granted.contains(*action)).collect();
    let excess: Vec<_> =
        granted.iter().filter(|action| !called.contains(*action) && !dependents.contains(*action)).collect();
    assert!(
        lacking.is_empty() && excess.is_empty(),
        "{GLOBAL}: the operator role lacks {lacking:?}, which the program can call, and has {excess:?}, which nothing calls"
    );
    let both: Vec<_> = called.intersection(&dependents).collect();
    assert!(both.is_empty(), "{both:?} are calls of their own by now: take them out of DEPENDENTS");
}

#[test]
fn deleting_buses_and_archives_writing_at_all_and_using_keys_are_each_a_choice() {
    let usual = operator_actions(&[]);
    let retire: BTreeSet<String> = RETIRE.map(str::to_owned).into();
    let deletes: Vec<_> = usual.iter().filter(|action| action.contains(":Delete")).collect();
    assert_eq!(deletes, ["events:DeleteRule"]);
    assert!(!usual.iter().any(|action| action.starts_with("kms:")), "{usual:?}");
    assert_eq!(operator_actions(&[("AllowRetire", "yes")]), usual.union(&retire).cloned().collect());

    // An account that is only observed: not even with AllowRetire does it let anything be changed.
    let observed = operator_actions(&[("AllowWrites", "no"), ("AllowRetire", "yes")]);
    let look = ["Describe", "Get", "List"];
    let changes: Vec<_> = observed
        .iter()
        .filter(|action| !look.iter().any(|verb| action.split_once(':').unwrap().1.starts_with(verb)))
        .collect();
    assert!(changes.is_empty(), "{changes:?}");
    assert!(observed.contains("events:ListRules"));
}

#[test]
fn no_right_is_wider_than_aws_lets_it_be() {
    let (global, regional) = (everything(), region(ACCOUNT, US, &[]));
    let mut faults = Vec::new();
    // Nothing gives rights that is not looked at below.
    let kinds: BTreeSet<&str> = [&global, &regional]
        .iter()
        .flat_map(|stack| stack.resources.values())
        .filter_map(|made| made["Type"].as_str())
        .collect();
    let known =
        ["AWS::CloudWatch::Alarm", "AWS::IAM::Policy", "AWS::IAM::Role", "AWS::SQS::Queue", "AWS::SQS::QueuePolicy"];
    assert_eq!(kinds, known.into());
    let policies = global.resources.values().filter(|made| made["Type"] == "AWS::IAM::Policy").count();
    assert_eq!(policies, Template::read(GLOBAL).resources_of("AWS::IAM::Policy"), "`everything` leaves a policy out");
    let roles = ["OperatorRole", "DeliveryRole"];
    let granted = roles.iter().flat_map(|role| global.granted(role));
    let trusts = roles.iter().flat_map(|role| global.trust(role));
    let all = granted.chain(trusts).chain(regional.queue_policy("DeadLetterQueuePolicy"));
    for statement in all.filter(|statement| statement.effect == "Allow") {
        let Statement { sid, actions, resources, whole, .. } = &statement;
        faults.extend(actions.iter().filter(|action| action.contains('*')).map(|action| format!("{sid}: {action}")));
        if whole["Principal"] == "*" || whole["Principal"]["AWS"] == "*" {
            faults.push(format!("{sid}: anybody"));
        }
        let wide = resources.iter().filter(|resource| !is_bounded(&statement, resource));
        faults.extend(wide.map(|resource| format!("{sid}: {actions:?} on {resource}")));
        if actions.iter().any(|action| KNOW_NO_RESOURCE.contains(&action.as_str())) && *resources != ["*"] {
            faults.push(format!("{sid}: AWS would find no resource to compare with {resources:?}"));
        }
    }
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

/// Whether a resource is this account's, or all that can be said, or a bus of the organisation.
fn is_bounded(statement: &Statement, resource: &str) -> bool {
    let Statement { actions, whole, .. } = statement;
    let no_resource_known = actions.iter().all(|action| KNOW_NO_RESOURCE.contains(&action.as_str()));
    let organization = json!({"StringEquals": {"aws:ResourceOrgID": "o-a1b2c3d4e5"}});
    resource.contains(&format!(":{ACCOUNT}:"))
        || (resource == "*" && no_resource_known)
        || (*actions == ["events:PutEvents"] && whole["Condition"] == organization)
}

#[test]
fn the_delivery_role_alone_is_passed_and_to_eventbridge_alone() {
    let global = everything();
    let passing: Vec<Statement> = with_action(&global.granted("OperatorRole"), "iam:PassRole");
    let [only] = passing.as_slice() else { panic!("{passing:?}") };
    let role = Arn::role("aws", ACCOUNT, &Settings::default().delivery.role_name).to_string();
    assert_eq!((only.actions.len(), &only.resources), (1, &vec![role]));
    assert_eq!(only.whole["Condition"], json!({"StringEquals": {"iam:PassedToService": "events.amazonaws.com"}}));
}

#[test]
fn the_operator_role_trusts_its_principals_with_the_external_id_for_an_hour() {
    let two = "arn:aws:iam::100000000001:role/wheelwright,arn:aws:iam::100000000001:role/on-call";
    let stack = global(ACCOUNT, &[("OperatorPrincipalArns", two)]);
    let trust = stack.trust("OperatorRole");
    let [only] = trust.as_slice() else { panic!("{trust:?}") };
    assert_eq!(only.whole["Principal"], json!({"AWS": two.split(',').collect::<Vec<_>>()}));
    assert_eq!(only.whole["Condition"], json!({"StringEquals": {"sts:ExternalId": "ours-alone"}}));
    assert_eq!(only.actions, ["sts:AssumeRole"]);
    assert_eq!(stack.properties("OperatorRole")["MaxSessionDuration"], "3600");
    for parameter in REQUIRED {
        assert_eq!(Template::read(GLOBAL).parameters()[parameter.0], None, "{} must be asked for", parameter.0);
    }
}

#[test]
fn a_permissions_boundary_bounds_both_roles() {
    let policy = "arn:aws:iam::123456789012:policy/boundary";
    let (bounded, unbounded) = (global(ACCOUNT, &[("PermissionsBoundaryArn", policy)]), global(ACCOUNT, &[]));
    for role in ["OperatorRole", "DeliveryRole"] {
        assert_eq!(bounded.properties(role)["PermissionsBoundary"], policy);
        assert_eq!(unbounded.properties(role).get("PermissionsBoundary"), None);
    }
}

#[test]
fn the_default_names_are_those_of_the_program() {
    let Settings { operator, delivery, .. } = Settings::default();
    let (global, regional) = (Template::read(GLOBAL), Template::read(REGIONAL));
    let (global, regional) = (global.parameters(), regional.parameters());
    assert_eq!(global["OperatorRoleName"], Some(&*operator.role_name));
    assert_eq!(global["DeliveryRoleName"], Some(&*delivery.role_name));
    assert_eq!(global["DeadLetterQueueName"], Some(&*delivery.dead_letter_queue));
    assert_eq!(regional["DeadLetterQueueName"], Some(&*delivery.dead_letter_queue));
}

#[test]
fn what_is_written_is_ours_by_its_name_and_in_this_account() {
    let global = everything();
    let granted = global.granted("OperatorRole");
    let allowed = |action: &str, arn: &str| {
        with_action(&granted, action)
            .iter()
            .flat_map(|statement| &statement.resources)
            .any(|pattern| glob(pattern, arn))
    };
    let owner = Owner::default();
    let name = mark::rule_name("ledger", "large", &["x"]);
    for (account, mine) in [(ACCOUNT, true), ("999999999999", false)] {
        for region in [US, "eu-west-1"] {
            let rule = |bus: &str, name: &str| rule_arn(account, region, bus, name);
            for action in ["PutRule", "PutTargets", "RemoveTargets", "DeleteRule", "TagResource", "UntagResource"] {
                let action = format!("events:{action}");
                assert_eq!(allowed(&action, &rule("org-events", &name)), mine, "{action}");
                assert_eq!(allowed(&action, &rule("default", &name)), mine, "{action}");
                assert!(!allowed(&action, &rule("org-events", "theirs")), "{action}");
                assert!(!allowed(&action, &rule("default", "wwtheirs")), "{action}");
                assert!(!allowed(&action, &rule("org-events", "Events-Archive-ww_x")), "{action}");
            }
            let archive = |name: &str| Arn::archive(region, account, name).to_string();
            let ours = archive(&mark::archive_name(&owner, account.parse().unwrap(), "org-events"));
            for action in ["CreateArchive", "UpdateArchive", "DescribeArchive", "DeleteArchive"] {
                assert_eq!(allowed(&format!("events:{action}"), &ours), mine, "{action}");
                assert!(!allowed(&format!("events:{action}"), &archive("theirs")), "{action}");
            }
            for action in ["CreateEventBus", "UpdateEventBus", "DeleteEventBus", "CreateArchive"] {
                assert_eq!(allowed(&format!("events:{action}"), &Arn::bus(region, account, "b").to_string()), mine);
            }
        }
    }
}

#[test]
fn a_bus_name_pattern_narrows_what_is_written_and_nothing_that_is_read() {
    let granted = global(ACCOUNT, &[("BusNamePattern", "org-*"), ("AllowRetire", "yes")]).granted("OperatorRole");
    let allowed = |action: &str, arn: &str| {
        with_action(&granted, action)
            .iter()
            .flat_map(|statement| &statement.resources)
            .any(|pattern| glob(pattern, arn))
    };
    let bus = |name: &str| Arn::bus(US, ACCOUNT, name).to_string();
    for action in ["events:CreateEventBus", "events:UpdateEventBus", "events:DeleteEventBus", "events:CreateArchive"] {
        assert!(allowed(action, &bus("org-events")) && !allowed(action, &bus("payments")), "{action}");
    }
    assert!(allowed("events:PutRule", &rule_arn(ACCOUNT, US, "org-events", "ww.a")));
    assert!(!allowed("events:PutRule", &rule_arn(ACCOUNT, US, "payments", "ww.a")));
    assert!(allowed("events:DescribeEventBus", &bus("payments")));
    assert!(allowed("events:DescribeRule", &rule_arn(ACCOUNT, US, "payments", "theirs")));
}

#[test]
fn eventbridge_delivers_and_leaves_dead_letters_for_our_rules_alone() {
    let trust = everything().trust("DeliveryRole");
    let queue = region(ACCOUNT, US, &[]).queue_policy("DeadLetterQueuePolicy");
    for (statement, action) in [(&trust[0], "sts:AssumeRole"), (&queue[0], "sqs:SendMessage")] {
        assert_eq!(
            (statement.whole["Principal"]["Service"].as_str(), &*statement.actions[0]),
            (Some("events.amazonaws.com"), action)
        );
        let condition = &statement.whole["Condition"];
        assert_eq!(condition.as_object().unwrap().len(), 2);
        assert_eq!(condition["StringEquals"], json!({"aws:SourceAccount": ACCOUNT}));
        let sources = condition["ArnLike"]["aws:SourceArn"].as_array().unwrap();
        let covered = |arn: &str| sources.iter().any(|pattern| glob(pattern.as_str().unwrap(), arn));
        assert!(covered(&rule_arn(ACCOUNT, US, "org-events", "ww.a.b.c")), "{action}");
        assert!(covered(&rule_arn(ACCOUNT, US, "default", "ww.a.b.c")), "{action}");
        assert!(!covered(&rule_arn(ACCOUNT, US, "org-events", "theirs")), "{action}");
        assert!(!covered(&rule_arn("999999999999", US, "org-events", "ww.a.b.c")), "{action}");
    }
    let elsewhere = queue[0].whole["Condition"]["ArnLike"]["aws:SourceArn"][0].as_str().unwrap().to_owned();
    assert!(!glob(&elsewhere, &rule_arn(ACCOUNT, "eu-west-1", "org-events", "ww.a.b.c")), "another Region's rule");
    assert_eq!((trust.len(), queue.len()), (2, 2));
    let adopted = trust[1].whole["Condition"]["ArnLike"]["aws:SourceArn"].clone();
    assert_eq!(adopted, json!([rule_arn(ACCOUNT, US, "org-events", "OrdersToBilling")]), "rules of before, by name");
    assert_eq!(queue[1].effect, "Deny");
    assert_eq!(queue[1].whole["Condition"], json!({"Bool": {"aws:SecureTransport": "false"}}));
}

#[test]
fn the_dead_letter_queue_is_encrypted_keeps_what_it_has_and_raises_an_alarm() {
    let topic = "arn:aws:sns:us-east-1:123456789012:on-call";
    let (usual, keyed) =
        (region(ACCOUNT, US, &[]), region(ACCOUNT, US, &[("DeadLetterKmsKeyArn", KEY), ("AlarmTopicArn", topic)]));
    let queue = usual.properties("DeadLetterQueue");
    assert_eq!((&queue["SqsManagedSseEnabled"], queue.get("KmsMasterKeyId")), (&json!("true"), None));
    assert_eq!(queue["MessageRetentionPeriod"], json!((14 * 24 * 60 * 60).to_string()));
    assert_eq!(queue.get("FifoQueue"), None);
    let queue = keyed.properties("DeadLetterQueue");
    assert_eq!((queue.get("SqsManagedSseEnabled"), &queue["KmsMasterKeyId"]), (None, &json!(KEY)));
    assert_eq!(usual.properties("DeadLetterAlarm").get("AlarmActions"), None);
    assert_eq!(keyed.properties("DeadLetterAlarm")["AlarmActions"], json!([topic]));
}

#[test]
fn the_page_for_reviewers_names_every_action_and_every_parameter() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/README.md");
    let page = std::fs::read_to_string(path).unwrap();
    let templates = [Template::read(GLOBAL), Template::read(REGIONAL)];
    let global = everything();
    let granted = ["OperatorRole", "DeliveryRole"].iter().flat_map(|role| global.granted(role));
    let actions = granted.flat_map(|statement| statement.actions);
    let parameters =
        templates.iter().flat_map(|template| template.parameters().into_keys().map(str::to_owned).collect::<Vec<_>>());
    let missing: BTreeSet<String> =
        actions.chain(parameters).filter(|name| !page.contains(&format!("`{name}`"))).collect();
    assert!(missing.is_empty(), "deploy/README.md says nothing of {missing:?}");
}

#[tokio::test(start_paused = true)]
async fn the_worked_example_comes_up_and_delivers_with_the_rights_of_the_templates() {
    let example = Example::worked();
    let bench = Bench::by_call(&example, deployed(&example, &[]));
    let swept = bench.sweep().await;
    bench.assert_in_step(&swept);
    let mut aws = bench.aws().clone();
    furnish(&mut aws, &example.desired).unwrap();
    assert_eq!(misdelivered(&mut aws, &example.desired), Vec::<String>::new());

    // Without a way to deliver, what the hub matches is in the template's dead-letter queue.
    let delivery = &example.settings.delivery;
    let powerless = Role::named(&delivery.role_name).trusting(Trusted::Service("events.amazonaws.com".into()));
    aws.create_role(PLATFORM, powerless);
    let mut mail = Mail::of(&aws);
    probes()
        .into_iter()
        .find(|probe| probe.region == US && probe.own_bus.is_none())
        .unwrap()
        .publish(&mut aws)
        .unwrap();
    let arrived: Vec<String> = mail.arrived(&aws).into_keys().collect();
    assert_eq!(arrived, [Arn::queue(US, PLATFORM, &delivery.dead_letter_queue).to_string()]);
}

#[tokio::test(start_paused = true)]
async fn an_account_that_is_only_observed_is_read_whole_and_never_written() {
    let example = Example::worked();
    let bench = Bench::by_call(&example, deployed(&example, &[("AllowWrites", "no")]));
    let (world, plan) = bench.plan().await;
    let incomplete: Vec<_> =
        world.scopes.iter().filter(|(_, seen)| !matches!(seen, Observation::Complete { .. })).collect();
    assert!(incomplete.is_empty(), "{incomplete:?}");
    assert!(!plan.steps.is_empty());
    let before = bench.aws().snapshot(|_| true);
    let swept = bench.sweep().await;
    assert!(!swept.in_step());
    assert_eq!(bench.aws().snapshot(|_| true), before);
}

/// The accounts of the example as the templates leave them.
fn deployed(example: &Example, choices: &[(&str, &str)]) -> SimulatedAws {
    let mut aws = example.stage();
    let (global_template, regional_template) = (Template::read(GLOBAL), Template::read(REGIONAL));
    let managed = example.topology.accounts.values().filter(|account| account.access == Access::Managed);
    for account in managed.map(|account| account.id.to_string()) {
        let destinations = destinations(example, &account);
        let mut given = REQUIRED.to_vec();
        given.extend(destinations.iter().map(|(parameter, arns)| (*parameter, arns.as_str())));
        given.extend(choices);
        let stack = global_template.deploy(&account, US, &given);
        let name = |role: &str| stack.properties(role)["RoleName"].as_str().unwrap().to_owned();
        let external_id = example.settings.operator.external_id.as_deref().unwrap_or_default();
        let operator = Role { permissions: permissions(&stack, "OperatorRole"), ..Role::named(&name("OperatorRole")) };
        let operator = operator.trusting(Trusted::Account(OPERATOR_ACCOUNT.into())).with_external_id(external_id);
        aws.create_role(&account, operator);
        let delivery = Role { permissions: permissions(&stack, "DeliveryRole"), ..Role::named(&name("DeliveryRole")) };
        aws.create_role(&account, delivery.trusting(Trusted::Service("events.amazonaws.com".into())));
        for scope in example.desired.scopes.iter().filter(|scope| scope.account.to_string() == account) {
            let stack = regional_template.deploy(&account, scope.region.as_str(), &[]);
            let queue = stack.properties("DeadLetterQueue")["QueueName"].as_str().unwrap().to_owned();
            let policy = &stack.properties("DeadLetterQueuePolicy")["PolicyDocument"];
            aws.create_queue_with_policy(&account, scope.region.as_str(), &queue, policy);
        }
    }
    aws
}

/// The parameters that let rules in `account` deliver where the example has them deliver.
fn destinations(example: &Example, account: &str) -> BTreeMap<&'static str, String> {
    let mut lists: BTreeMap<&'static str, BTreeSet<&str>> = BTreeMap::new();
    for route in example.desired.routes.values() {
        let parameter = match route.destination_arn.split(':').nth(2) {
            Some("sqs") => "QueueArns",
            Some("sns") => "TopicArns",
            Some("lambda") => "FunctionArns",
            Some("kinesis") => "StreamArns",
            Some("execute-api") => "ApiArns",
            _ => continue,
        };
        if route.rule.bus.scope.account.to_string() == account {
            lists.entry(parameter).or_default().insert(&route.destination_arn);
        }
    }
    lists.into_iter().map(|(name, arns)| (name, arns.into_iter().collect::<Vec<_>>().join(","))).collect()
}

/// A role's rights as the simulated AWS knows them: it judges by action and resource, not by conditions.
fn permissions(stack: &Stack, role: &str) -> Vec<Permission> {
    let granted = stack.granted(role).into_iter();
    granted.map(|Statement { actions, resources, .. }| Permission { actions, resources }).collect()
}

fn global(account: &str, given: &[(&str, &str)]) -> Stack {
    let mut all = REQUIRED.to_vec();
    all.retain(|(name, _)| !given.iter().any(|(other, _)| other == name));
    all.extend(given);
    Template::read(GLOBAL).deploy(account, US, &all)
}

fn region(account: &str, region: &str, given: &[(&str, &str)]) -> Stack {
    Template::read(REGIONAL).deploy(account, region, given)
}

/// Every choice made and every list filled, so that no statement is left out.
fn everything() -> Stack {
    let arn = |service: &str, rest: &str| format!("arn:aws:{service}:us-east-1:{ACCOUNT}:{rest}");
    let lists = [
        ("BusArns", arn("events", "event-bus/partner")),
        ("QueueArns", arn("sqs", "q")),
        ("TopicArns", arn("sns", "t")),
        ("FunctionArns", arn("lambda", "function:f")),
        ("StreamArns", arn("kinesis", "stream/s")),
        ("ApiArns", arn("execute-api", "a/prod/POST/events")),
        ("KmsKeyArns", KEY.into()),
        ("AdoptedRuleArns", arn("events", "rule/org-events/OrdersToBilling")),
        ("DestinationKmsKeyArns", KEY.into()),
        ("AllowRetire", "yes".into()),
    ];
    let given: Vec<(&str, &str)> = lists.iter().map(|(name, value)| (*name, value.as_str())).collect();
    global(ACCOUNT, &given)
}

fn operator_actions(given: &[(&str, &str)]) -> BTreeSet<String> {
    let granted = global(ACCOUNT, given).granted("OperatorRole");
    assert!(granted.iter().all(|statement| statement.effect == "Allow"));
    granted.into_iter().flat_map(|statement| statement.actions).collect()
}

fn with_action(statements: &[Statement], action: &str) -> Vec<Statement> {
    let has = |statement: &&Statement| statement.actions.iter().any(|other| other == action);
    statements.iter().filter(has).cloned().collect()
}

fn rule_arn(account: &str, region: &str, bus: &str, name: &str) -> String {
    let scope = Scope::new(account.parse().unwrap(), region);
    RuleId { bus: BusId { scope, name: bus.into() }, name: name.into() }.arn()
}

/// `*` as IAM knows it: any characters, `:` and `/` too.
fn glob(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((before, after)) => text.strip_prefix(before).is_some_and(|rest| {
            (0..=rest.len()).filter(|at| rest.is_char_boundary(*at)).any(|at| glob(after, &rest[at..]))
        }),
    }
}

/// The checks above rest on it.
#[test]
fn stars_match_as_in_iam() {
    for (pattern, text, matches) in [
        ("rule/*/ww.*", "rule/bus/ww.a", true),
        ("rule/*/ww.*", "rule/ww.a", false),
        ("rule/ww.*", "rule/ww.a", true),
        ("rule/ww.*", "rule/wwa", false),
        ("*", "", true),
        ("a*b*c", "aXbYbc", true),
        ("a*b*c", "aXbY", false),
    ] {
        assert_eq!(glob(pattern, text), matches, "{pattern} {text}");
    }
}
