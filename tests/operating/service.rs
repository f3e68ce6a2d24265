//! The service on ECS (`deploy/cloudformation/service.yaml`): its rights, and the program's own bounds in it.

use crate::programs::{END_SECS_MAX, USER};
use crate::template::{Stack, Statement, Template};
use crate::{file, refused};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use wheelwright::config::Settings;

const KEY: &str = "arn:aws:kms:us-east-1:100000000001:key/1234abcd-12ab-34cd-56ef-1234567890ab";
const SECRET: &str = "arn:aws:secretsmanager:us-east-1:100000000001:secret:wheelwright-AbCdEf";

fn service(given: &[(&str, &str)]) -> Stack {
    let image = format!("100000000001.dkr.ecr.us-east-1.amazonaws.com/wheelwright@sha256:{:064}", 0);
    let mut all = vec![
        ("Image", image.as_str()),
        ("VpcId", "vpc-1"),
        ("SubnetA", "subnet-a"),
        ("SubnetB", "subnet-b"),
        ("OrganizationId", "o-a1b2c3d4e5"),
    ];
    all.extend(given);
    Template::read("service.yaml").deploy("100000000001", "us-east-1", &all)
}

/// Every choice made.
fn everything() -> Stack {
    let secrets = ["HttpToken", "GitToken", "Slack", "Pagerduty", "WebhookKey"].map(|name| format!("{name}SecretArn"));
    let mut given: Vec<(&str, &str)> = secrets.iter().map(|name| (name.as_str(), SECRET)).collect();
    given.extend([
        ("ImageRepositoryArn", "arn:aws:ecr:us-east-1:100000000001:repository/wheelwright"),
        ("SourceFile", "/config/source.toml"),
        ("OutsideRoleArns", "arn:aws:iam::777777777777:role/wheelwright-operator"),
        ("AlertTopicArns", "arn:aws:sns:us-east-1:100000000001:drift"),
        ("AlertBusArns", "arn:aws:events:us-east-1:100000000001:event-bus/operations"),
        ("AlertKmsKeyArns", KEY),
        ("SecretsKmsKeyArn", KEY),
        ("StateKmsKeyArn", KEY),
        ("LogKmsKeyArn", KEY),
        ("AlarmTopicArn", "arn:aws:sns:us-east-1:100000000001:on-call"),
        ("AllowExec", "yes"),
    ]);
    service(&given)
}

fn rights(stack: &Stack, role: &str) -> BTreeMap<String, Statement> {
    let granted = stack.granted(role).into_iter();
    granted.flat_map(|statement| statement.actions.clone().into_iter().map(move |a| (a, statement.clone()))).collect()
}

fn container(stack: &Stack) -> &Value {
    &stack.properties("Task")["ContainerDefinitions"][0]
}

#[test]
fn the_daemon_may_assume_the_operator_roles_and_mount_its_state_and_nothing_else() {
    let usual = service(&[]);
    let rights_of_task = rights(&usual, "TaskRole");
    let actions: Vec<_> = rights_of_task.keys().map(String::as_str).collect();
    assert_eq!(actions, ["elasticfilesystem:ClientMount", "elasticfilesystem:ClientWrite", "sts:AssumeRole"]);
    let assume = &rights_of_task["sts:AssumeRole"];
    let operator = Settings::default().operator.role_name;
    assert_eq!(assume.resources, [format!("arn:aws:iam::*:role/{operator}")]);
    assert_eq!(assume.whole["Condition"], json!({"StringEquals": {"aws:ResourceOrgID": "o-a1b2c3d4e5"}}));

    // Each further right is asked for, and is for what is named.
    let all = rights(&everything(), "TaskRole");
    let added: BTreeMap<&str, &[String]> = all
        .iter()
        .filter(|(action, _)| !rights_of_task.contains_key(*action))
        .map(|(action, statement)| (action.as_str(), statement.resources.as_slice()))
        .collect();
    let any = ["*".to_owned()];
    let wide: BTreeSet<&str> = added.iter().filter(|(_, on)| **on == any).map(|(action, _)| *action).collect();
    let sessions = ["CreateControlChannel", "CreateDataChannel", "OpenControlChannel", "OpenDataChannel"];
    assert_eq!(wide, sessions.map(|name| format!("ssmmessages:{name}")).iter().map(String::as_str).collect());
    assert_eq!(added["sns:Publish"], ["arn:aws:sns:us-east-1:100000000001:drift"]);
    assert_eq!(added["events:PutEvents"], ["arn:aws:events:us-east-1:100000000001:event-bus/operations"]);
    let named = ["events:PutEvents", "kms:Decrypt", "kms:GenerateDataKey", "sns:Publish"];
    assert_eq!(added.keys().copied().filter(|action| !wide.contains(action)).collect::<Vec<_>>(), named);
}

#[test]
fn ecs_alone_takes_both_roles_and_starts_with_what_is_named() {
    let (usual, all) = (service(&[]), everything());
    for role in ["TaskRole", "ExecutionRole"] {
        let trust = all.trust(role);
        let [only] = trust.as_slice() else { panic!("{trust:?}") };
        assert_eq!(only.whole["Principal"], json!({"Service": "ecs-tasks.amazonaws.com"}));
        assert_eq!(only.whole["Condition"]["StringEquals"], json!({"aws:SourceAccount": "100000000001"}));
    }
    let actions: Vec<String> = rights(&usual, "ExecutionRole").into_keys().collect();
    assert_eq!(actions, ["logs:CreateLogStream", "logs:PutLogEvents"]);
    for (action, statement) in rights(&all, "ExecutionRole") {
        assert!(action == "ecr:GetAuthorizationToken" || statement.resources != ["*"], "{action} {statement:?}");
    }
    assert_eq!(rights(&all, "ExecutionRole")["secretsmanager:GetSecretValue"].resources, vec![SECRET; 5]);
}

#[test]
fn there_is_one_daemon_at_a_time_and_nobody_comes_in() {
    let usual = service(&[]);
    let service = usual.properties("Service");
    let deployment = &service["DeploymentConfiguration"];
    assert_eq!((&deployment["MinimumHealthyPercent"], &deployment["MaximumPercent"]), (&json!("0"), &json!("100")));
    assert_eq!(deployment["DeploymentCircuitBreaker"], json!({"Enable": "true", "Rollback": "true"}));
    assert_eq!((&service["DesiredCount"], &service["EnableExecuteCommand"]), (&json!("1"), &json!("false")));
    let network = &service["NetworkConfiguration"]["AwsvpcConfiguration"];
    assert_eq!(network["AssignPublicIp"], "DISABLED");
    assert_eq!(network["SecurityGroups"], json!(["<TaskNetwork.GroupId>"]));
    for stack in [&usual, &everything()] {
        assert_eq!(stack.properties("TaskNetwork").get("SecurityGroupIngress"), None);
        let ingress: Vec<&Value> = stack
            .resources
            .values()
            .filter(|made| made["Type"] == "AWS::EC2::SecurityGroupIngress")
            .map(|made| &made["Properties"]["GroupId"])
            .collect();
        assert_eq!(ingress, ["<StateNetwork.GroupId>"]);
    }
}

#[test]
fn the_container_can_write_its_state_alone_and_has_time_to_end() {
    let (usual, all) = (service(&[]), everything());
    let container_usual = container(&usual);
    assert_eq!(container_usual["ReadonlyRootFilesystem"], "true");
    assert_eq!(container_usual["User"], USER);
    assert_eq!(container_usual["LinuxParameters"]["Capabilities"]["Drop"], json!(["ALL"]));
    assert!(container_usual["StopTimeout"].as_str().unwrap().parse::<u64>().unwrap() > END_SECS_MAX);
    let mounts = container_usual["MountPoints"].as_array().unwrap();
    assert_eq!(mounts.len(), 1);
    let variables: BTreeMap<&str, &str> = container_usual["Environment"]
        .as_array()
        .unwrap()
        .iter()
        .map(|variable| (variable["Name"].as_str().unwrap(), variable["Value"].as_str().unwrap()))
        .collect();
    assert_eq!(variables["WHEELWRIGHT_STATE"], mounts[0]["ContainerPath"]);
    assert_eq!(container_usual["Secrets"], json!([]));
    let secrets: Vec<&str> =
        container(&all)["Secrets"].as_array().unwrap().iter().map(|secret| secret["Name"].as_str().unwrap()).collect();
    let expected = [
        "WHEELWRIGHT_HTTP_TOKEN",
        "WHEELWRIGHT_GIT_TOKEN",
        "SLACK_WEBHOOK_URL",
        "PAGERDUTY_ROUTING_KEY",
        "WEBHOOK_KEY",
    ];
    assert_eq!(secrets, expected);

    let state = usual.properties("State");
    assert_eq!(state["Encrypted"], "true");
    let volume = &usual.properties("Task")["Volumes"][0]["EFSVolumeConfiguration"];
    assert_eq!(
        (&volume["TransitEncryption"], &volume["AuthorizationConfig"]["IAM"]),
        (&json!("ENABLED"), &json!("ENABLED"))
    );
    let user = &usual.properties("StateAccess")["PosixUser"];
    assert_eq!(format!("{}:{}", user["Uid"].as_str().unwrap(), user["Gid"].as_str().unwrap()), USER);
}

#[test]
fn the_program_takes_what_the_task_says() {
    let usual = service(&[]);
    let words = |value: &Value| -> Vec<String> {
        value.as_array().unwrap().iter().map(|word| word.as_str().unwrap().to_owned()).collect()
    };
    let health = words(&container(&usual)["HealthCheck"]["Command"]);
    for command in [words(&container(&usual)["Command"]), health[2..].to_vec()] {
        let command: Vec<&str> = command.iter().map(String::as_str).collect();
        assert_eq!(refused(&command), None, "{command:?}");
    }
}

#[test]
fn the_page_for_reviewers_names_every_right_and_every_parameter_of_the_service() {
    let page = file("deploy/README.md");
    let all = everything();
    let actions = ["TaskRole", "ExecutionRole"].iter().flat_map(|role| rights(&all, role).into_keys());
    let template = Template::read("service.yaml");
    let parameters = template.parameters().into_keys().map(str::to_owned);
    let missing: BTreeSet<String> =
        actions.chain(parameters).filter(|name| !page.contains(&format!("`{name}`"))).collect();
    assert!(missing.is_empty(), "deploy/README.md says nothing of {missing:?}");
}
